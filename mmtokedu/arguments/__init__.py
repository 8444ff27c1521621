"""What refuses an argument, with the numbers in the message: one file a topic, `common` for what they share."""
