"""What the resize rules of `mmtokedu.catalog.resize` refuse."""

from mmtokedu.arguments.common import MAX_SIDE, check_size, positive, whole


def check_resize(height, width, rule):
    """Both sides as ints, or an error: a rule nobody has, a side under one pixel, an aspect ratio over 200."""
    if rule not in ("transformers", "qwen-vl-utils"):
        raise ValueError(f'rule is {rule!r}; known rules are "transformers" and "qwen-vl-utils"')
    height, width = check_size(height, width)
    aspect = max(height, width) / min(height, width)
    if aspect > 200:
        raise ValueError(f"image is {height}x{width}: aspect ratio {aspect:.1f} is over 200 (cut it into pieces)")
    return height, width


def check_clip_size(frames, height, width, factor, temporal):
    """(frames, height, width) as ints, thin sides lifted to `factor`; or an error: too few frames, too long a side."""
    frames, temporal = positive(frames, "frames"), positive(temporal, "temporal")
    if frames < temporal:
        raise ValueError(
            f"{frames} frames are no temporal patch of {temporal} (repeat the last one, or use an image rule)"
        )
    image = height, width = check_size(height, width)
    if min(image) < factor:
        scale = max(factor / height, factor / width)
        height, width = int(height * scale), int(width * scale)
    aspect = max(height, width) / min(height, width)
    if aspect > 200:
        raise ValueError(
            f"frames are {image[0]}x{image[1]}: aspect ratio {aspect:.1f} is over 200 (cut them into pieces)"
        )
    return frames, height, width


def check_bounds(factor, min_pixels, max_pixels):
    """The three as ints, or an error unless factor >= 1 and 0 <= min_pixels <= max_pixels."""
    factor, low, high = whole(factor, "factor"), whole(min_pixels, "min_pixels"), whole(max_pixels, "max_pixels")
    if not (1 <= factor <= MAX_SIDE and 0 <= low <= high <= MAX_SIDE**2 and high >= 1):
        raise ValueError(
            f"factor={factor}, min_pixels={low}, max_pixels={high}; need factor >= 1 and 0 <= min_pixels <= max_pixels"
        )
    return factor, low, high
