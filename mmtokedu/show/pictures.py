"""Pictures side by side, and a slider over pictures computed beforehand."""

import html
import io
from base64 import b64encode

import numpy as np
from PIL import Image

from mmtokedu.show.markup import alt_text, caption_tag, output

HALF_A_LEVEL = 0.5 / 255
_FEW_COLORS = 4096  # a chart with its soft edges has fewer, a photo more


def images(arrays, *, titles=None, alt, caption=None, columns=None, grid=None):
    """Show pictures side by side, at their own resolution.

    `arrays` is one picture or a list: (H, W), (H, W, 1) or (H, W, 3), uint8 or float in [0, 1]. `grid` draws the
    patch grid over every picture: its side in pixels (one number, or one a picture; None for no grid).

    Raises ValueError for another shape or type, for floats that are not finite or outside [0, 1] by half a level of
    255 or more (less is what rounding does, and rounds to 0 or 1), and for a number of titles or grids other than that
    of the pictures.

    >>> images(np.zeros((28, 28), np.uint8), grid=14, alt="A black square cut into four.")
    [figure: A black square cut into four.]
    """
    alt = alt_text(alt)
    arrays = [arrays] if 0 < getattr(arrays, "ndim", 4) <= 3 else list(arrays)  # a tensor has ndim as an array has
    grids = [grid] * len(arrays) if grid is None or np.ndim(grid) == 0 else list(grid)
    for name, values in (("titles", titles), ("grid", grids)):
        if values is not None and len(values) != len(arrays):
            raise ValueError(f"images() got {len(arrays)} pictures and {len(values)} {name}; give one for each")
    columns = columns or min(len(arrays), 3)
    pictures = []
    for i, (array, side) in enumerate(zip(arrays, grids)):
        pixels = _pixels(array)
        (height, width), title = pixels.shape[:2], titles[i] if titles else ""
        label = alt if len(arrays) == 1 else title or f"picture {i + 1} of {len(arrays)}"
        sharp = "image-rendering:pixelated" if max(height, width) < 200 else ""
        pictures.append(
            (f'<div><div class="mm-title">{html.escape(title, quote=False)}</div>' if title else "<div>")
            + f'<div class="mm-picture"><img width="{width}" height="{height}" style="{sharp}" '
            f'alt="{html.escape(label)}" src="{webp(Image.fromarray(pixels))}">'
            + (_grid_svg(height, width, side) if side else "")
            + "</div></div>"
        )
    group = f' role="group" aria-label="{html.escape(alt)}"' if len(arrays) > 1 else ""
    body = f'<div class="mm-grid" style="grid-template-columns:repeat({columns},minmax(0,1fr))"{group}>'
    body += "".join(pictures) + "</div>" + caption_tag(caption)
    return output("figure", f'<figure class="mm-figure">{body}</figure>', alt)


def frame_slider(frames, captions, *, label="frame", alt, caption=None):
    """A slider over pictures computed beforehand: it needs no kernel, only the page.

    `frames` are pictures as in `images`, `captions` one line for each.

    Raises ValueError when the two differ in number, and for frames that `images` would refuse.

    >>> frame_slider(np.zeros((2, 8, 8), np.uint8), ["0 s", "0.5 s"], alt="Two black frames.")
    [frames: Two black frames.]
    """
    alt, frames, captions = alt_text(alt), list(frames), list(captions)
    if len(frames) != len(captions) or not frames:
        raise ValueError(f"frame_slider() got {len(frames)} frames and {len(captions)} captions; give one for each")
    frames = [_pixels(frame) for frame in frames]
    width = max(frame.shape[1] for frame in frames)  # a small frame is shown as large as the largest: its pixels grow
    pictures = "".join(
        f'<div{" hidden" if i else ""}><img alt="{html.escape(f"{alt} {line}")}" src="{webp(Image.fromarray(frame))}" '
        f'style="width:{width}px{";image-rendering:pixelated" if frame.shape[1] < width else ""}"></div>'
        for i, (frame, line) in enumerate(zip(frames, captions))
    )
    move = (
        "const f=this.closest('.mm-frames');f.querySelectorAll('.mm-stack>div').forEach((d,i)=>d.hidden=i!=this.value);"
        "f.querySelector('output').textContent=this.dataset.says.split('|')[this.value]"
    )
    says = html.escape("|".join(line.replace("|", "/") for line in captions))
    body = (
        f'<label><span>{html.escape(label)}</span><input type="range" min="0" max="{len(frames) - 1}" value="0" '
        f'data-says="{says}" oninput="{html.escape(move)}"></label><output aria-live="polite">'
        f'{html.escape(captions[0], quote=False)}</output><div class="mm-stack">{pictures}</div>' + caption_tag(caption)
    )
    return output("frames", f'<figure class="mm-frames">{body}</figure>', alt)


def webp(picture):
    """A picture as a data address: lossless for charts and small crops, lossy for what has a photo's many colours."""
    small = picture.width * picture.height <= 40_000
    chart = picture.convert("RGB").getcolors(_FEW_COLORS) is not None
    file = io.BytesIO()
    picture.save(file, "WEBP", **({"lossless": True} if small or chart else {"quality": 88}))
    return "data:image/webp;base64," + b64encode(file.getvalue()).decode()


def _pixels(array):
    array = np.asarray(array)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3) or not array.size:
        raise ValueError(f"a picture has shape {array.shape}; pass (H, W), (H, W, 1) or (H, W, 3), no side 0")
    if np.issubdtype(array.dtype, np.floating):
        return _levels(array)
    if array.dtype != np.uint8:
        raise ValueError(f"a picture has dtype {array.dtype}; pass uint8, or float in [0, 1]")
    return array


def _levels(array):
    """Floats in [0, 1] as uint8: level 0 is 0 and level 255 is 1."""
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"a picture has {np.count_nonzero(~np.isfinite(array))} floats that are not finite")
    if not -HALF_A_LEVEL < low <= high < 1 + HALF_A_LEVEL:
        how = "x / 255" if low >= 0 and high > 2 else "np.clip(x, 0, 1), or (x - x.min()) / (x.max() - x.min())"
        raise ValueError(f"a picture has floats from {low:.6g} to {high:.6g}; pass them in [0, 1] ({how})")
    return np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8)


def _grid_svg(height, width, side):
    lines = [f"M{x} 0V{height}" for x in range(0, width + 1, side)] + [
        f"M0 {y}H{width}" for y in range(0, height + 1, side)
    ]
    draw = f'<path d="{"".join(lines)}" fill="none" vector-effect="non-scaling-stroke" stroke='
    return (
        f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">'
        f'{draw}"#1a1a1a" stroke-opacity=".55" stroke-width="2.4"/>{draw}"#fff" stroke-width="1"/></svg>'
    )
