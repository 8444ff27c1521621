"""What reading a clip from a file refuses: sizes and limits that no frame has."""

import numpy as np

from mmtokedu.arguments.common import MAX_SIDE, whole
from mmtokedu.arguments.video import check_kept, check_times

MAX_PIXELS = 178_956_970  # of one frame, as of `load_image`; 8K has 33 million
MAX_BYTES = 2**35  # of all frames that one call gives


def check_frame_size(size, max_pixels):
    """`size` as (height, width) or None, or an error unless both are whole, at least 1, and no more than max_pixels."""
    if size is None:
        return None
    try:
        height, width = size
    except (TypeError, ValueError):
        raise TypeError(f"size is {size!r}; expected (height, width) in pixels, as (252, 448)") from None
    height, width = whole(height, "height"), whole(width, "width")
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE and height * width <= max_pixels):
        raise ValueError(f"size is {height}x{width}; expected at least 1x1, at most {max_pixels} pixels")
    return height, width


def check_max_pixels(max_pixels):
    """`max_pixels` as an int, or a TypeError."""
    if isinstance(max_pixels, bool) or not isinstance(max_pixels, (int, np.integer)):
        raise TypeError(f"max_pixels is {max_pixels!r}; expected a whole number, as {MAX_PIXELS:_}")
    return int(max_pixels)


def check_pixels(height, width, max_pixels, name):
    """Raise ValueError unless a frame has at least one pixel and at most max_pixels."""
    if not 0 < height * width <= max_pixels:
        raise ValueError(
            f"{name} has frames of {height}x{width}, {height * width} pixels; 1 to max_pixels={max_pixels} are read "
            "(raise it if you trust the file)"
        )


def check_bytes(frames, height, width):
    """Raise ValueError where so many frames of that size are more than MAX_BYTES."""
    if frames * height * width * 3 > MAX_BYTES:
        raise ValueError(
            f"{frames} frames of {height}x{width} are {frames * height * width * 3 / 2**30:.1f} GiB; at most "
            f"{MAX_BYTES >> 30} are given at once (fewer frames, size=(height, width), or iter_frames)"
        )


def check_moments(seconds):
    """The times as a float64 array (n,), or an error: at least one, finite, none below 0."""
    times = check_times(seconds)
    check_kept(len(times))
    if not times:
        raise ValueError("seconds has no time in it; expected at least one, as [2.5]")
    return np.array(times)
