"""The numbers in the questions of the chapter on sequences: the right ones by the library, the wrong ones as they are made."""

import numpy as np

from mmtokedu import interleave as library
from mmtokedu.interleave import Image, Text


def _ids(count):
    return Text([65] * count)


def _row(parts, style="llava-1.5"):
    return library.interleave(parts, style=style)


# Two pictures and a question


def row_tokens(sizes, question):
    return len(_row([*(Image(*size) for size in sizes), _ids(question)], "qwen2-vl").ids)


def without_markers(sizes, question):
    return row_tokens(sizes, question) - 2 * len(sizes)


def one_pair_of_markers(sizes, question):
    return row_tokens(sizes, question) - 2 * (len(sizes) - 1)


def a_token_a_picture(sizes, question):
    return 3 * len(sizes) + question


def every_patch(sizes, question):
    """Where 2 × 2 patches are not merged into one token."""
    features = without_markers(sizes, question) - question
    return row_tokens(sizes, question) + 3 * features


# Who sees whom


def _small_row(before, pictures, after):
    return _row([_ids(before), *(Image(tokens=n) for n in pictures), _ids(after)])


def _seen(before, pictures, after, rule):
    """By the first token of the first picture."""
    start, stop = library.visible(_small_row(before, pictures, after), rule)[before]
    return int(stop - start)


def sees(before, pictures, after):
    return _seen(before, pictures, after, "whole-images")


def sees_causally(before, pictures, after):
    return _seen(before, pictures, after, "causal")


def sees_all(before, pictures, after):
    return _seen(before, pictures, after, "everything")


def sees_its_picture_alone(pictures):
    return pictures[0]


def sees_both_pictures(before, pictures, after):
    """Where two pictures side by side are taken for one."""
    return _seen(before, [sum(pictures)], after, "whole-images")


# What is learned


def _chat(picture, questions, answers):
    first, *rest = questions
    asked = [[Image(tokens=picture), _ids(first)], *([_ids(n)] for n in rest)]
    turns = [turn for q, a in zip(asked, answers) for turn in (("user", q), ("assistant", [_ids(a)]))]
    return _row(library.chat(turns, style="qwen2-vl"), "qwen2-vl")


def taught(picture, questions, answers):
    return int((_chat(picture, questions, answers).labels != library.NOT_LEARNED).sum())


def without_the_ends(answers):
    return sum(answers)


def openings_too(picture, questions, answers):
    return taught(picture, questions, answers) + 3 * len(answers)


def last_answer_alone(picture, questions, answers):
    return taught(picture, questions, answers) - sum(answers[:-1]) - 2 * (len(answers) - 1)


def questions_too(picture, questions, answers):
    """Answers, questions and the ends of all turns, pictures and openings left out."""
    return taught(picture, questions, answers) + sum(questions) + 2 * len(questions)


# Features and places


def _cut(before, after, limit):
    row = _row([_ids(before), Image(480, 640), _ids(after)])
    ((start, stop),) = row.spans.tolist()
    return len(row.ids), stop - start, max(0, min(limit, stop) - start)


def without_a_place(before, after, limit):
    tokens, features, places = _cut(before, after, limit)
    return features - places


def with_a_place(before, after, limit):
    return _cut(before, after, limit)[2]


def all_features(before, after, limit):
    return _cut(before, after, limit)[1]


def all_that_was_cut(before, after, limit):
    return _cut(before, after, limit)[0] - limit


# Expanded twice


def twice(tokens):
    once, _ = library.expand([99], 99, [tokens])
    again, _ = library.expand(once[:1], 99, [tokens])  # the first that a search finds
    return len(again) + len(once[1:])


def both_runs(tokens):
    return 2 * tokens


def each_of_them(tokens):
    return tokens**2


def unchanged(tokens):
    return tokens


# Cross-attention


def _pairs(row):
    start, stop = library.visible(row).T
    return int((stop - start).sum())


def cross_pairs(text, picture):
    return int(np.ones((text, picture), bool).sum())


def pairs_of_one_row(text, picture):
    return _pairs(_row([Image(tokens=picture), _ids(text)]))


def pairs_of_the_text(text):
    return _pairs(_row([_ids(text)]))


def all_with_all(text, picture):
    return (text + picture) ** 2


# Packed documents


def _packed(documents):
    rows = [_row([_ids(text), Image(tokens=picture)]) for text, picture in documents]
    seen = library.visible(library.pack(rows))
    return [len(row.ids) for row in rows], int(seen[-1, 1] - seen[-1, 0])


def packed_sees(documents):
    return _packed(documents)[1]


def no_border(documents):
    return sum(_packed(documents)[0])


def not_itself(documents):
    return packed_sees(documents) - 1


def its_picture(documents):
    return documents[-1][1]
