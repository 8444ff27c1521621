"""What a layout of rotary pairs refuses."""

import numpy as np

from mmtokedu.arguments.common import check_array, check_number, whole

LAYOUTS = "blocks", "interleaved", "videorope", "hope", "mmrope"


def check_sections(sections, layout):
    """The sections as a tuple of ints, or an error: their layout is known and can hold them."""
    if layout not in LAYOUTS:
        raise ValueError(f"layout is {layout!r}; choose one of {', '.join(LAYOUTS)}")
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
    positions = np.asarray(positions)
    check_array(positions, "positions")
    if axes == 1 and (positions.ndim < 2 or len(positions) != 1):
        positions = positions[None]
    if len(positions.shape) < 2 or len(positions) != axes:
        raise ValueError(f"positions have shape {positions.shape}; the sections name {axes} axes: ({axes}, N)")
    return positions.astype(np.float64)


def check_theta(theta):
    """theta as a float above 0."""
    return check_number(theta, "theta", "radians")
