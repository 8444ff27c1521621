"""The exercise of the primer page on attention."""

import numpy as np

from mmtokedu.course import Exercise, Mistake, slip


def _mask(lengths, later=np.tril, apart=np.equal, itself=0):
    """(N, N), True = may attend: `apart` compares the documents of two tokens, `later` cuts off what comes after."""
    document = np.repeat(np.arange(len(lengths)), lengths)
    return later(apart(document[:, None], document[None]), itself)


def _any(asks, answers):
    return np.ones(np.broadcast_shapes(asks.shape, answers.shape), bool)


packed_mask = Exercise(
    name="mask two documents",
    answer=_mask,
    cases=(([2, 2],), ([1, 3, 2],), ([5],), ([1, 1, 1],)),
    mistakes=(
        slip(_mask, "a token sees the documents before its own: the mask is causal, but nothing keeps documents apart", apart=_any),
        Mistake(lambda lengths: _mask(lengths, later=np.multiply, itself=True),
                "a token sees the later tokens of its own document. Combine the blocks with a causal mask"),
        slip(_mask, "rows and columns are exchanged: row n is the token that asks, so what it may see lies to the left", later=np.triu),
        slip(_mask, "a token does not see itself, and the first one of a document sees nothing at all: keep the diagonal", itself=-1),
        Mistake(lambda lengths: _mask(lengths, apart=np.not_equal), "the blocks are the wrong way round: tokens of one document belong together"),
    ),
    section="Attention, “Every token asks, every token answers”",
)  # fmt: skip

EXERCISES = (packed_mask,)
