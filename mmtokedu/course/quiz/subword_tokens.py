"""The numbers in the questions of the primer page on subword tokens."""

from mmtokedu import measured


def byte_count(word):
    return len(word.encode())


def letters(word):
    return len(word)


def two_a_letter(word):
    return 2 * len(word)


def entries(merges):
    """Of a vocabulary: the bytes, and one for each pair that was learned."""
    return 256 + merges


def pairs_alone(merges):
    return merges


def doubled(merges):
    """Where each pair is thought to double the list."""
    return 2 * 256 + merges


def per_hundred(text):
    """Tokens of a counted text for a hundred words, by Tekken."""
    row = next(row for row in measured.results("subword")["texts"] if row["name"] == text)
    return 100 * row["tokens"]["tekken"] / row["words"]


def digit_by_digit(digits):
    """Tokens of a number behind a word: the space, then every digit."""
    return 1 + digits


def digits_alone(digits):
    return digits


def words_that_fit(window, rate):
    """Where `rate` tokens are a hundred words."""
    return 100 * window / rate


def multiplied(window, rate):
    return window * rate / 100


def one_a_word(window):
    return window
