"""Text, a film of frames of 2 x 2 codes, text, and questions: what another rule for the text's positions does.

A code is marked with its cell, as a vision tower marks it: positions have to tell frames apart, not cells. Words and
codes have ids of their own.
"""

import numpy as np
import torch

from mmtokedu.mrope import Text, Vision, position_ids
from mmtokedu.nn.mrope import COLOURS, WAYS, answer_loss, share_right

NAMES, BEFORE, AFTER, CELLS = 16, 8, 3, 4  # words there are; words before and after the film; codes of a frame
BEGIN = NAMES + COLOURS
NEXT, LAST, FIRST = range(BEGIN + 1, BEGIN + 4)  # which word follows X; a cell of the last frame, of the first
CELL = FIRST + 1  # names of the four cells, in questions
EACH = {"word": 7, "last": CELLS, "first": CELLS}  # how often each is asked of a story
STORY = {"way": WAYS["interleaved"], "words": CELL + CELLS, "kinds": 1 + CELLS}
FRAMES = 2, 8  # least and most


def stories(rng, n, frames):
    """n documents and their questions: ids (n, N), asked (n, Q, 2), answers (n, Q), in the order of EACH.

    A document is a beginning, 8 different words, a film of random codes, 3 other words.

    >>> ids, asked, answers = stories(np.random.default_rng(0), 2, frames=3)
    >>> ids.shape, asked.shape, (answers[:, 7:11] == ids[:, 17:21]).all()
    ((2, 24), (2, 15, 2), np.True_)
    """
    words = rng.permuted(np.tile(np.arange(NAMES), (n, 1)), axis=1)
    codes = NAMES + rng.integers(COLOURS, size=(n, frames * CELLS))
    ids = np.concatenate([np.full((n, 1), BEGIN), words[:, :BEFORE], codes, words[:, BEFORE : BEFORE + AFTER]], axis=1)
    k = rng.permuted(np.tile(np.arange(BEFORE - 1), (n, 1)), axis=1)[:, : EACH["word"]]
    cells = np.tile(CELL + np.arange(CELLS), (n, 1))
    about = np.concatenate([np.take_along_axis(words, k, axis=1), cells, cells], axis=1)
    kinds = np.repeat([NEXT, LAST, FIRST], list(EACH.values()))
    answers = [np.take_along_axis(words, k + 1, axis=1), codes[:, -CELLS:], codes[:, :CELLS]]
    return ids, np.stack([np.broadcast_to(kinds, about.shape), about], axis=-1), np.concatenate(answers, axis=1)


def story_places(frames, resume):
    """The positions of a story and of one question behind it: (3, N + 2). resume: as `position_ids`, or "count".

    "count" goes on after the film at the number of tokens, as when nobody tells the decoder of the film.

    >>> [story_places(8, resume)[0, -1].item() for resume in ("after-max", "spatial", "count")]
    [21, 15, 45]
    """
    segments = [Text(1 + BEFORE), Vision(frames, 2, 2), Text(AFTER + 2)]
    if resume != "count":
        return position_ids(segments, resume=resume)
    positions = position_ids(segments)
    positions[:, -AFTER - 2 :] = np.arange(positions.shape[1])[-AFTER - 2 :]
    return positions


def tell(finder, ids, asked, frames, resume):
    """The answers to all questions, read at their second tokens: logits (n, Q, words). No question sees another."""
    many, n = asked.shape[1], ids.shape[1]
    whole = np.concatenate([ids, asked.reshape(len(ids), -1)], axis=1)
    kinds = np.zeros_like(whole)
    kinds[:, 1 + BEFORE : n - AFTER] = 1 + np.tile(np.arange(CELLS), frames)
    block = np.repeat(np.arange(-1, many), [n] + [2] * many)
    mask = torch.from_numpy(np.tril((block == -1) | (block[:, None] == block)))
    positions = story_places(frames, resume)
    positions = np.concatenate([positions[:, :-2], np.tile(positions[:, -2:], many)], axis=1)
    return finder(whole, kinds, positions, mask)[:, n + 1 :: 2]


def story_loss(finder, rng, *, resume, n=32):
    """The loss of n stories with the same drawn number of frames."""
    frames = int(rng.integers(*FRAMES, endpoint=True))
    ids, asked, answers = stories(rng, n, frames)
    return answer_loss(tell(finder, ids, asked, frames, resume), answers)


@torch.no_grad()
def score_story(finder, resume, frames, *, n=300, seed=7):
    """The share of right answers to each kind of question: {"word", "last", "first"}; a guess has 1/8 or less."""
    ids, asked, answers = stories(np.random.default_rng([seed, frames]), n, frames)
    logits, ends = tell(finder, ids, asked, frames, resume), np.cumsum(list(EACH.values()))
    return {
        kind: round(share_right(logits[:, end - times : end], answers[:, end - times : end]), 4)
        for (kind, times), end in zip(EACH.items(), ends)
    }
