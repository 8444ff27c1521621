"""What positions and rotary pairs refuse: segments that hold nothing, steps, sections, ranks, widths."""

import numpy as np

from mmtokedu.arguments.common import check_array, check_floats, check_number, whole

MAX_TOKENS = 2**28  # of one sequence: their positions on three axes are 6.4 GB
MAX_ID = 2**53  # beyond it a float64 no longer tells neighbours apart
LAYOUTS = "blocks", "interleaved", "videorope", "hope", "mmrope"


def check_sections(sections, layout):
    """The sections as a tuple of ints, or an error: their layout is known and can hold them."""
    if layout not in LAYOUTS:
        raise ValueError(f"layout is {layout!r}; choose one of {', '.join(LAYOUTS)}")
    if not hasattr(sections, "__iter__"):
        raise TypeError(f"sections is {sections!r}; expected how many pairs each axis has, as (16, 24, 24)")
    sections = tuple(whole(section, "a section") for section in sections)
    if not sections or min(sections) < 0 or not sum(sections):
        raise ValueError(f"sections are {sections}; expected how many pairs each axis has, as (16, 24, 24)")
    if layout in ("videorope", "hope", "mmrope") and len(sections) != 3:
        raise ValueError(f"sections are {sections}; {layout} has three axes, (t, h, w)")
    t, h, w = (*sections, 0, 0)[:3]
    if layout in ("videorope", "hope") and h != w:
        raise ValueError(f"sections are {sections}; h and w take turns in {layout}, so they have equally many pairs")
    if layout == "mmrope" and not 3 * t == 2 * h == 2 * w:
        raise ValueError(f"sections are {sections}; mmrope repeats t t h w h w h w, so they are as 2 to 3 to 3")
    if layout == "interleaved":
        _check_turns(sections)
    return sections


def _check_turns(sections):
    """Raise where an axis after the first has more pairs than turns: what production would cut off in silence."""
    pairs = sum(sections)
    for axis, section in enumerate(sections[1:], 1):
        turns = len(range(axis, pairs, len(sections)))
        if section > turns:
            raise ValueError(
                f"sections are {sections}; interleaved over {pairs} pairs, axis {axis} has only {turns} turns for its "
                f"{section} pairs (give them to axis 0, or use layout='blocks')"
            )


def check_positions(positions, axes):
    """The positions as float64 (axes, ...), or an error; those of one axis may come without it."""
    positions = positions if isinstance(positions, np.ndarray) else np.asarray(positions)  # a mask would get lost
    check_array(positions, "positions")
    if positions.dtype.kind not in "iuf":
        raise TypeError(f"positions are {positions.dtype}; expected numbers, as position_ids gives them")
    if axes == 1 and (positions.ndim < 2 or len(positions) != 1):
        positions = positions[None]
    if len(positions.shape) < 2 or len(positions) != axes:
        raise ValueError(f"positions have shape {positions.shape}; the sections name {axes} axes: ({axes}, N)")
    return positions.astype(np.float64)


def check_theta(theta):
    """theta as a float above 0."""
    return check_number(theta, "theta", "radians")


# Segments


def check_count(count, what, least=0):
    """A number of tokens as an int, or an error: whole, from `least` up, and no truth value."""
    if isinstance(count, (bool, np.bool_)):
        raise TypeError(f"{what}({count}): expected a number of tokens")
    count = whole(count, f"the tokens of {what}")
    if count < least:
        raise ValueError(f"{what}({count}): expected {least} or more tokens")
    check_total(count)
    return count


def check_total(tokens):
    """Raise ValueError where a sequence is longer than any that fits into memory."""
    if tokens > MAX_TOKENS:
        raise ValueError(f"{tokens} tokens; at most {MAX_TOKENS} are numbered (cut the sequence first)")


def check_grid(t, h, w):
    """A grid as three ints, or an error unless each is at least 1."""
    if any(isinstance(n, (bool, np.bool_)) for n in (t, h, w)):
        raise TypeError(f"Vision({t}, {h}, {w}): expected numbers of frames, rows and columns")
    t, h, w = whole(t, "t"), whole(h, "h"), whole(w, "w")
    if min(t, h, w) < 1:
        raise ValueError(f"Vision({t}, {h}, {w}): at least one frame, one row and one column (after the merge)")
    return t, h, w


def check_step(step, count, what):
    """A step as an int or a float, or an error unless it is a finite number from 0 up, and the last id can be told."""
    kind = getattr(getattr(step, "dtype", None), "kind", "f")
    try:
        if isinstance(step, (str, bytes, bytearray, bool)) or kind not in "iuf":
            raise TypeError
        number = float(step)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"step of {what} is {step!r}; expected a number of ids, as 2 or 12.5") from None
    if not 0 <= number * (count - 1) <= MAX_ID or not number <= MAX_ID:  # NaN is neither
        raise ValueError(f"step of {what} is {number:g}; expected a finite number of ids from 0 up")
    return number


def check_film(t, step, name, films, steps):
    """A film's step, or an error where its model takes frames one by one, or counts them without a step."""
    if t > 1 and not films:
        raise ValueError(
            f"{name}: a film of {t} frames in one piece; every frame is a picture of its own there, "
            f"as [Text(n), Vision(1, h, w)] * {t}, the n telling when it was"
        )
    step = check_step(step, t, "Vision")
    if step != 1 and not steps:
        raise ValueError(f"{name}: a film's step is {step:g}; it counts frames, one id each (qwen2.5-vl takes a step)")
    return step


def check_spans(spans, tokens, grids):
    """(start, stop, grid) of each span, or an error: in order, inside the sequence, each filled by its grid."""
    spans = [(int(start), int(stop)) for start, stop in spans]
    grids = [tuple(grid) if isinstance(grid, (list, np.ndarray)) else grid for grid in grids]
    if len(spans) != len(grids):
        raise ValueError(f"{len(grids)} grids for {len(spans)} spans; give one a span, None for a sound")
    done = 0
    for i, ((start, stop), grid) in enumerate(zip(spans, grids)):
        if not done <= start < stop <= tokens:
            raise ValueError(f"span {i} is [{start}, {stop}); expected it after {done} and within {tokens} tokens")
        done = stop
        if isinstance(grid, tuple):
            if len(grid) not in (3, 4):
                raise ValueError(f"grid {i} is {grid}; expected (t, h, w) or (t, h, w, step)")
            t, h, w = check_grid(*grid[:3])
            if t * h * w != stop - start:
                raise ValueError(
                    f"span {i} has {stop - start} tokens and its grid {t}x{h}x{w} = {t * h * w} (is it the grid "
                    "after the merge, and are the markers outside the span?)"
                )
    return [(*span, grid) for span, grid in zip(spans, grids)]


# Rotation


def check_out(x, out):
    """(name -> array, targets): what is turned, one array or queries and keys, and where to, None for a new one."""
    pair = isinstance(x, (tuple, list))
    if pair and len(x) != 2:
        raise ValueError(f"x has {len(x)} arrays; expected one, or a pair (queries, keys)")
    arrays = dict(zip(("queries", "keys"), x)) if pair else {"x": x}
    if out is None:
        return arrays, [None] * len(arrays)
    targets = list(out) if isinstance(out, (tuple, list)) else [out]
    if len(targets) != len(arrays):
        raise ValueError(f"out has {len(targets)} arrays for {len(arrays)}")
    if len(targets) == 2 and targets[0] is targets[1]:
        raise ValueError("out is one array for queries and keys; what is turned first would be lost or turned twice")
    for target, (name, array) in zip(targets, arrays.items()):
        check_array(array, name)
        if type(target) is not type(array):
            raise TypeError(f"out is {type(target).__name__} for {name}, which is {type(array).__name__}")
        if tuple(target.shape) != tuple(array.shape) or target.dtype != array.dtype:
            raise ValueError(
                f"out is {target.dtype} {tuple(target.shape)}; need {array.dtype} {tuple(array.shape)}, as {name}"
            )
    return arrays, targets


def check_quarters(x):
    """A quarter of the numbers of a head, or an error unless there are as many pairs for rows as for columns."""
    check_array(x, "x")
    if not x.shape or x.shape[-1] % 4 or not x.shape[-1]:
        raise ValueError(f"x has shape {tuple(x.shape)}; expected (..., N, D), D a multiple of 4: pairs for h and w")
    return x.shape[-1] // 4


def check_rotation(arrays, positions, pairs, width):
    """How many of the last axis turn, or an error: floats (..., N, D), one position each on every axis, D wide enough.

    positions (A, ..., N) may have fewer axes than the arrays, and 1 wherever all share them.
    """
    turning = 2 * pairs
    for name, x in arrays.items():
        check_floats(x, name)
        if len(x.shape) < 2:
            raise ValueError(f"{name} has shape {tuple(x.shape)}; expected (..., N, D): tokens and their numbers")
        D = x.shape[-1]
        if width is not None and (whole(width, "width") != turning or turning > D):
            raise ValueError(
                f"width is {width} and {name} has {D} numbers a token; the sections name {pairs} pairs, "
                f"which are {turning} numbers"
            )
        if width is None and D != turning:
            way = f"width={turning} turns those and leaves {D - turning}" if D > turning else "name fewer pairs"
            raise ValueError(f"{name} has {D} numbers a token; the sections name {pairs} pairs, {turning} ({way})")
        places = tuple(positions.shape[1:])
        if (
            len(places) > len(x.shape) - 1
            or any(n not in (1, m) for n, m in zip(places[::-1], x.shape[-2::-1]))
            or places[-1] != x.shape[-2]
        ):
            raise ValueError(
                f"positions have shape {tuple(positions.shape)} and {name} {tuple(x.shape)}; expected (axes, ..., N) "
                f"with N = {x.shape[-2]}, and before it 1 or what {name} has"
            )
    return turning


def check_places(low, high):
    """Raise ValueError for positions that are negative or not finite: `low` and `high` are their least and largest."""
    if not (low >= 0 and high <= MAX_ID):
        raise ValueError(
            f"positions reach from {low:g} to {high:g}; expected finite numbers from 0 up (a wrong offset, or padding? "
            "only differences count in rotary positions: positions - positions.min() scores alike)"
        )


def check_pairing(pairing, pairings):
    """`pairing`, or a ValueError that lists those there are."""
    if pairing not in pairings:
        raise ValueError(f"pairing is {pairing!r}; choose one of {', '.join(pairings)}")
    return pairing
