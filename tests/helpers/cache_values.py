"""Parameters, drawn: pairs that are the same or nearly so, and whether they are. `python cache_values.py 1000000` counts.

`same` knows nothing of frames: it compares types and contents, item by item.
"""

import math
import random
import sys

import numpy as np

from mmtokedu.cache import cache_key

KIN = [  # what a careless key takes for one another
    None, False, True, 0, 1, -1, 0.0, -0.0, 1.0, math.inf, "", "0", "1", "None", "i1:0", b"", b"0", b"i1:0", 10**20, 1e20,
    [], (), {}, set(), frozenset(), [0], (0,), [[]], [[], []], {0: None}, {"0": None}, {None: 0}, {0}, frozenset({0}),
    np.uint8(0), np.int8(0), np.zeros(1, np.uint8), np.zeros((1, 1), np.uint8), np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8),
    np.zeros(6, np.uint8), np.zeros(3, "<u2"), np.zeros(3, ">u2"), np.zeros(3, np.float16), np.zeros((0, 3)), np.zeros((3, 0)), np.bool_(False),
]  # fmt: skip
NAMES = "size", "filter", "mean", "a", "ab", "b", 0, 0.5, None, (0, "a")


def hashable(value):
    return isinstance(value, (type(None), bool, int, float, str, bytes)) or (
        isinstance(value, (tuple, frozenset)) and all(map(hashable, value))
    )


def leaf(draw):
    kind = draw.randrange(6)
    if kind == 0:
        return draw.randrange(-3, 3)
    if kind == 1:
        return "".join(draw.choices("ab:1", k=draw.randrange(4)))
    if kind == 2:
        return draw.choice([0.5, -0.5, 1e-9, 448.0])
    return draw.choice(KIN)


def drawn(draw, deep=3):
    """A value of up to `deep` levels; small, so that the same is drawn again."""
    kind = draw.randrange(8) if deep else 0
    if kind < 4:
        return leaf(draw)
    items = [drawn(draw, deep - 1) for _ in range(draw.randrange(4))]
    if kind == 4:
        return items
    if kind == 5:
        return tuple(items)
    if kind == 6:
        return {item for item in items if hashable(item)}
    return {draw.choice(NAMES): item for item in items}


def near(draw, value):
    """The value again, made anew, or with one thing in it changed."""
    kind = draw.randrange(6)
    if isinstance(value, dict) and value and kind:
        items = [(key, near(draw, item)) if draw.randrange(2) else (key, item) for key, item in value.items()]
        draw.shuffle(items)
        if kind == 1:
            (key, item), *rest = items
            items = [(draw.choice(NAMES), item), *rest]
        return dict(items)
    if isinstance(value, (list, tuple)) and value and kind:
        items = list(value)
        at = draw.randrange(len(items))
        items[at] = near(draw, items[at])
        if kind == 1:
            items[at : at + 1] = [items[at], draw.choice(KIN)]
        if kind == 2:
            items = [items]
        return items if (kind == 3) != isinstance(value, list) else tuple(items)
    if isinstance(value, np.ndarray) and kind < 3:
        return value.copy() if kind else value.reshape(-1)
    if isinstance(value, str) and kind < 3:
        return value + draw.choice(["", "0", ":"])
    return value if kind > 2 else draw.choice(KIN)


def same(a, b):
    """Whether two values have the same types and contents, dicts and sets in any order."""
    if isinstance(a, (np.ndarray, np.generic)):
        alike = isinstance(b, (np.ndarray, np.generic)) and (a.dtype.str, a.shape) == (b.dtype.str, b.shape)
        return alike and a.tobytes() == b.tobytes()
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return a == b and math.copysign(1, a) == math.copysign(1, b)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return len(a) == len(b) and all(any(same(x, y) and same(a[x], b[y]) for y in b) for x in a)
    if isinstance(a, (set, frozenset)):
        return len(a) == len(b) and all(any(same(x, y) for y in b) for x in a)
    return a == b


def pairs(count, seed=0):
    """`count` pairs of params, half of them a value and one near it."""
    draw = random.Random(seed)
    for number in range(count):
        first = {draw.choice(NAMES): drawn(draw), "a": drawn(draw)}
        second = near(draw, first) if number % 2 else {draw.choice(NAMES): drawn(draw), "a": drawn(draw)}
        yield first, second if isinstance(second, dict) else {"a": second}


def counted(count, key=cache_key, seed=0):
    """{"pairs", "same", "collisions": other values with one key, "false misses": the same value with two}."""
    found = {"pairs": 0, "same": 0, "collisions": 0, "false misses": 0}
    for first, second in pairs(count, seed):
        alike, hit = same(first, second), key(b"", first) == key(b"", second)
        found["pairs"] += 1
        found["same"] += alike
        found["collisions"] += hit and not alike
        found["false misses"] += alike and not hit
    return found


def main(count, part=50_000):
    """Parts of the pairs, each with a seed of its own, and the sum so far."""
    total = {}
    for seed in range(-(-count // part)):
        for name, many in counted(min(part, count - seed * part), seed=seed).items():
            total[name] = total.get(name, 0) + many
        print(total, flush=True)
    return total["collisions"] + total["false misses"]


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])) > 0)
