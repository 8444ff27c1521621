"""What budget refuses: rows that cannot be, counts below none, requests that nothing can be made of."""

import math
from fractions import Fraction

import numpy as np

from mmtokedu.arguments.common import check_number, check_size, positive, whole

MOST_TOKENS = 10**12  # no sequence is longer; sums of squares stay far from what a float could not tell apart
MOST_SECONDS = 366 * 24 * 3600  # a year
WEIGHTS = 10**6
NEEDS = {  # kind of attention -> the fields that it cannot do without
    "full": ("heads", "kv_heads", "head"),
    "sliding": ("heads", "kv_heads", "head", "window"),
    "chunked": ("heads", "kv_heads", "head", "window"),
    "cross": ("heads", "kv_heads", "head"),
    "linear": ("key_heads", "value_heads", "key_head", "value_head", "kernel"),
    "latent": ("heads", "kv_rank", "nope", "value"),
}
SWITCHES = "borrows", "one_projection", "gate", "gated", "shared_gate"


# Rows


def check_group(group, kinds):
    """Raise unless a group of layers has what its kind of attention needs, in whole numbers from 0 up."""
    if group.kind not in kinds:
        raise ValueError(f"kind is {group.kind!r}; a layer attends in one of these ways: {', '.join(kinds)}")
    for name, value in vars(group).items():
        if name in SWITCHES and not isinstance(value, bool):
            raise TypeError(f"{name} is {value!r}; expected True or False")
        if name not in (*SWITCHES, "kind"):
            check_count(value, f"{name} of a {group.kind} layer")
    missing = [name for name in ("count", *NEEDS[group.kind]) if not getattr(group, name)]
    if missing:
        raise ValueError(f"a {group.kind} layer needs {', '.join(missing)}; {'they are' if missing[1:] else 'it is'} 0")
    if group.kv_heads and group.heads % group.kv_heads:
        raise ValueError(f"{group.heads} heads of queries cannot share {group.kv_heads} of keys and values evenly")
    if not group.active <= group.experts or bool(group.experts) != bool(group.active and group.expert_ff):
        raise ValueError(
            f"{group.active} of {group.experts} experts of {group.expert_ff} numbers; expected none at all, or some "
            "of some, with their width in expert_ff"
        )
    if group.borrows and group.kind not in ("full", "sliding", "chunked"):
        raise ValueError(f"a {group.kind} layer borrows no keys and values; a full, sliding or chunked one may")


def check_tower(tower):
    """Raise unless a tower's numbers are whole and it can do what it says."""
    for name in ("layers", "width", "ff", "merge", "projectors"):
        positive(getattr(tower, name), f"{name} of a tower")
    for name in ("whole", "window", "inner", "inputs", "extra", "tile"):
        check_count(getattr(tower, name), f"{name} of a tower")
    if bool(tower.whole) != bool(tower.window) or tower.whole > tower.layers:
        raise ValueError(
            f"{tower.whole} of {tower.layers} layers see the whole picture, the others windows of {tower.window}; "
            "expected both, or neither"
        )
    for sides in tower.projector:
        for side in sides:
            positive(side, "a side of a projector's matrix")


def check_row_numbers(row, known):
    """Raise unless a row says how it was verified, in a known way, and what has numbers is made of them."""
    if row.verified not in known:
        raise ValueError(f"catalog row {row.name!r}: verified is {row.verified!r}; known are {', '.join(known)}")
    if row.verified != "yours" and not (row.source and row.as_of):
        raise ValueError(f"catalog row {row.name!r}: it says neither its source nor its day")
    for name in ("width", "vocabulary"):
        if hasattr(row, name):
            positive(getattr(row, name), f"{name} of {row.name!r}")
    if hasattr(row, "context"):
        check_count(row.context, f"context of {row.name!r}")
    if hasattr(row, "layers") and not row.layers:
        raise ValueError(f"catalog row {row.name!r}: a model has layers")
    for name, unit in (("flops_per_second", "operations a second"), ("bytes_per_second", "bytes a second")):
        if hasattr(row, name):
            check_number(getattr(row, name), f"{name} of {row.name!r}", unit)
    if hasattr(row, "efficiency") and check_number(row.efficiency, "efficiency", "what is reached of the best") > 1:
        raise ValueError(f"efficiency is {row.efficiency:g}; no device does more than its best: above 0, at most 1")


# Counts


def check_count(value, name, most=MOST_TOKENS):
    """`value` as an int from 0 to `most`, or an error."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} is {value!r}; expected a whole number")
    count = whole(value, name)
    if not 0 <= count <= most:
        raise ValueError(f"{name} is {count}; expected a whole number from 0 to {most}")
    return count


def check_pictures(patches):
    """What a tower is given, as a list: a count of patches or a grid (rows, columns) for each picture.

    One count or one grid is one picture, a list is a list of them; 0 is none.
    """
    if isinstance(patches, (list, np.ndarray)):
        return [check_picture(one) for one in patches]
    if isinstance(patches, tuple):
        return [check_picture(patches)]
    return [count] if (count := check_count(patches, "patches")) else []


def check_picture(one):
    """A count of patches as an int, or a grid as a tuple of two, or an error."""
    if not isinstance(one, tuple):
        return positive(check_count(one, "patches of a picture"), "patches of a picture")
    if len(one) != 2:
        raise ValueError(f"a picture's grid is {one}; expected (rows, columns) in patches")
    return tuple(positive(check_count(side, "a side of the grid"), "a side of the grid") for side in one)


def check_bytes(value):
    """Bytes of a number as a Fraction above 0, at most 16, or an error: 2 is bfloat16, 1 FP8, 0.5 four bits."""
    number = check_number(value, "bytes_per", "bytes")
    if number > 16:
        raise ValueError(f"bytes_per is {number:g}; a number takes at most 16 bytes")
    return Fraction(number)


def check_one_of(value, name, known):
    """Raise unless the value is one of those known."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} is {value!r}; choose one of {', '.join(map(repr, known))}")


# Money


def check_shares(tokens_in, parts):
    """Raise where parts of the input, name -> tokens, are more than the input."""
    together = sum(parts.values())
    if together > tokens_in:
        told = " and ".join(f"{count} {name}" for name, count in parts.items() if count)
        raise ValueError(f"tokens_in is {tokens_in}, and {told} of them are {together}; they are parts of tokens_in")


# Requests


def check_duration(seconds, name="seconds"):
    """`seconds` as a float, or an error unless it is a number above 0, at most a year."""
    number = check_number(seconds, name, "seconds")
    if number > MOST_SECONDS:
        raise ValueError(f"{name} is {number:g}; a medium lasts at most {MOST_SECONDS} seconds, a year (milliseconds?)")
    return number


def check_rate(fps):
    """Frames a second as a float above 0, at most 1000, or an error."""
    number = check_number(fps, "fps", "frames a second")
    if number > 1000:
        raise ValueError(f"fps is {number:g}; at most 1000 frames a second are taken")
    return number


def check_part(part, place):
    """The medium with its numbers checked, or an error that begins with its place in the request."""
    try:
        changes = {}
        if hasattr(part, "height"):
            changes["height"], changes["width"] = check_size(part.height, part.width)
        if hasattr(part, "seconds"):
            changes["seconds"] = check_duration(part.seconds)
        if hasattr(part, "fps"):
            changes["fps"] = check_rate(part.fps)
        if hasattr(part, "tokens"):
            changes["tokens"] = check_count(part.tokens, "tokens")
        if getattr(part, "x_height", None) is not None:
            changes["x_height"] = check_number(part.x_height, "x_height", "pixels")
        if hasattr(part, "weight"):
            changes["weight"] = check_weight(part.weight)
            changes["floor"] = check_share(part.floor, "floor")
        return part._replace(**changes)
    except (TypeError, ValueError) as error:
        raise type(error)(f"parts[{place}]: {error}") from None


def check_weight(weight):
    """A weight as an int from 1 to a million, or an error: weights are whole so that ties are ties."""
    weight = positive(check_count(weight, "weight", WEIGHTS), "weight")
    return weight


def check_share(value, name):
    """A share from 0 to 1 as a float, or an error."""
    if isinstance(value, (str, bytes, bool, np.bool_)) or not np.isscalar(value) or isinstance(value, complex):
        raise TypeError(f"{name} is {value!r}; expected a share from 0 to 1")
    number = float(value)
    if not (math.isfinite(number) and 0 <= number <= 1):
        raise ValueError(f"{name} is {number:g}; expected a share from 0 to 1")
    return number


def check_limit(limit):
    """`limit` as an int of at least 1, or an error."""
    limit = check_count(limit, "limit")
    if not limit:
        raise ValueError("limit is 0; nothing fits into no tokens (what is the model's context, or your budget?)")
    return limit


def check_request(request, kinds):
    """The request with its numbers checked, or an error unless its parts are of the kinds given (by their classes)."""
    if not hasattr(request, "parts") or not hasattr(request, "answer"):
        raise TypeError(f"request is {type(request).__name__}; expected Request(model, parts, answer)")
    parts = request.parts
    if isinstance(parts, tuple(kinds)) or not isinstance(parts, (list, tuple)):
        raise TypeError(
            f"parts is {type(parts).__name__}; expected a tuple of parts, as (Words(40), Picture(1080, 1920))"
        )
    names = ", ".join(kind.__name__ for kind in kinds)
    for place, part in enumerate(parts):
        if not isinstance(part, tuple(kinds)):
            raise TypeError(f"parts[{place}] is {type(part).__name__}; expected {names}")
    checked = tuple(check_part(part, place) for place, part in enumerate(parts))
    return request._replace(parts=checked, answer=check_count(request.answer, "answer"))
