"""The book's figures: one style, one colour a modality, light and dark, alternative text required."""

import ast
import hashlib
import html
import importlib.util
import inspect
import io
import textwrap
import wave
from base64 import b64encode
from pathlib import Path

import numpy as np
from PIL import Image

try:
    import matplotlib
    from matplotlib import colors as mcolors
    from matplotlib import font_manager
    from matplotlib.figure import Figure as MplFigure
    from matplotlib.image import _ImageBase
except ImportError as error:
    raise ImportError(f"mmtokedu.show draws with Matplotlib ({error}): pip install 'mmtokedu[show]'") from error

from mmtokedu._show_html import CELLS, PALETTE, Html, caption_tag, cells_svg, style, table_html

COLOR = {name: light for name, (light, dark) in PALETTE.items()}
_TO_DARK = {light: dark for light, dark in PALETTE.values()} | {"#000000": PALETTE["ink"][1]}

for _font in sorted((Path(__file__).parent / "data" / "fonts").glob("InstrumentSans-*.ttf")):
    font_manager.fontManager.addfont(str(_font))

STYLE = {
    "font.family": ["Instrument Sans", "DejaVu Sans"],  # the second has the arrows and Greek the first lacks
    "figure.facecolor": COLOR["paper"],  # `figure` leaves it out; a plot shown without it stays readable anywhere
    "axes.facecolor": "none",
    "text.color": COLOR["ink"],
    "axes.labelcolor": COLOR["ink"],
    "axes.titlecolor": COLOR["ink"],
    "axes.edgecolor": COLOR["muted"],
    "xtick.color": COLOR["muted"],
    "ytick.color": COLOR["muted"],
    "patch.edgecolor": COLOR["ink"],
    "hatch.color": COLOR["paper"],
    "hatch.linewidth": 1.2,
    "grid.color": COLOR["rule"],
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "lines.linewidth": 2,
    "lines.solid_capstyle": "round",
    "figure.constrained_layout.use": True,
    "axes.prop_cycle": matplotlib.cycler(
        color=[COLOR[k] for k in ("image", "audio", "video", "special", "text")],
        linestyle=["-", "--", "-.", ":", (0, (5, 1, 1, 1))],
    ),
}
matplotlib.rcParams.update(STYLE)  # titles, legends and arrows read it when they are made, so it must hold throughout
WIDTH = 4.4  # inches: 10 pt type is then 11 px on a phone and 17 px on a desktop column
DPI = 200
_SHOWN = 120  # CSS pixels an inch
_FEW_COLORS = 4096  # a chart with its soft edges has fewer, a photo more


def subplots(rows=1, cols=1, *, height=3.0, width=WIDTH, **kwargs):
    """A Matplotlib figure in the book's style, not registered with pyplot.

    `height` and `width` are inches of the whole figure; other arguments go to `Figure.subplots`.
    Returns (figure, axes) as `plt.subplots` does.

    >>> fig, ax = subplots(height=2)
    >>> fig.get_size_inches().tolist()
    [4.4, 2.0]
    """
    fig = MplFigure(figsize=(width, height), layout="constrained")
    return fig, fig.subplots(rows, cols, **kwargs)


def figure(fig, *, alt, caption=None):
    """Show a Matplotlib figure twice, in light and in dark colours; the page picks one.

    `alt` says in a sentence what the picture shows, `caption` what to see in it. Colours of the palette turn
    into their dark counterparts, whatever artist wears them; images are left alone.

    Raises TypeError for something that is not a figure, ValueError for an empty `alt`.

    >>> fig, ax = subplots()
    >>> figure(fig, alt="An empty pair of axes.")
    [figure: An empty pair of axes.]
    """
    if not isinstance(fig, MplFigure):
        raise TypeError(f"figure() got {type(fig).__name__}; pass the figure, as in `fig, ax = show.subplots()`")
    alt = _alt(alt)
    light = _draw(fig)
    undo = _recolour(fig)
    dark = _draw(fig)
    for setter, value in undo:
        setter(value)
    width, height = (round(side * _SHOWN) for side in fig.get_size_inches())
    size = f'width="{width}" height="{height}" alt="{html.escape(alt)}"'
    body = (
        f'<img class="mm-light" {size} src="{light}"><img class="mm-dark" style="display:none" {size} src="{dark}">'
        + caption_tag(caption)
    )
    return _output("figure", f'<figure class="mm-figure">{body}</figure>', alt)


def images(arrays, *, titles=None, alt, caption=None, columns=None, grid=None):
    """Show pictures side by side, at their own resolution.

    `arrays` is one picture or a list: (H, W), (H, W, 1) or (H, W, 3), uint8 or float in [0, 1]. `grid` draws the
    patch grid over every picture: its side in pixels (one number, or one a picture; None for no grid).

    Raises ValueError for another shape or type, and for a number of titles or grids other than that of the pictures.

    >>> images(np.zeros((28, 28), np.uint8), grid=14, alt="A black square cut into four.")
    [figure: A black square cut into four.]
    """
    alt = _alt(alt)
    arrays = [arrays] if isinstance(arrays, np.ndarray) and arrays.ndim <= 3 else list(arrays)
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
            f'alt="{html.escape(label)}" src="{_webp(Image.fromarray(pixels))}">'
            + (_grid_svg(height, width, side) if side else "")
            + "</div></div>"
        )
    group = f' role="group" aria-label="{html.escape(alt)}"' if len(arrays) > 1 else ""
    body = f'<div class="mm-grid" style="grid-template-columns:repeat({columns},minmax(0,1fr))"{group}>'
    body += "".join(pictures) + "</div>" + caption_tag(caption)
    return _output("figure", f'<figure class="mm-figure">{body}</figure>', alt)


def draw_grid(ax, height, width, patch):
    """Draw the borders of the patches over a picture of height x width pixels that `ax.imshow` has shown.

    White on a dark edge, so that the lines are seen on any photo, in light and in dark.

    >>> fig, ax = subplots()
    >>> draw_grid(ax, 28, 42, 14)
    """
    for color, line in (("#1a1a1a", 1.4), ("#ffffff", 0.7)):
        ax.vlines(np.arange(0, width + 1, patch) - 0.5, -0.5, height - 0.5, color=color, lw=line, gid="mm-keep")
        ax.hlines(np.arange(0, height + 1, patch) - 0.5, -0.5, width - 0.5, color=color, lw=line, gid="mm-keep")


def token_strip(parts, *, alt, caption=None):
    """Draw a sequence the way this book always draws one: cells in a row, spans bracketed, counts written.

    `parts` is a list of (kind, count, label), kind one of text, image, audio, video, special, dropped. A span of
    more than eight tokens shows its first cells and its last; its count says the rest.

    Raises ValueError for another kind, or a count below 1.

    >>> token_strip([("text", 5, "What is on"), ("image", 256, "photo")], alt="5 text tokens, then 256 of an image.")
    [strip: 5 text tokens, then 256 of an image.]
    """
    drawn = []
    for kind, count, label in parts:
        if kind not in CELLS:
            raise ValueError(f"token_strip() got the kind {kind!r}; it draws {', '.join(CELLS)}")
        if count < 1:
            raise ValueError(
                f"token_strip() got {count} {kind} tokens ({label!r}); leave the span out or give at least 1"
            )
        drawn.append(
            f'<span class="mm-part">{cells_svg(kind, count)}<b>{count:,}</b>'
            f"<small>{html.escape(label, quote=False)}</small></span>"
        )
    alt = _alt(alt)
    body = f'<div class="mm-row" role="img" aria-label="{html.escape(alt)}">{"".join(drawn)}</div>' + caption_tag(
        caption
    )
    return _output("strip", f'<figure class="mm-strip">{body}</figure>', alt)


def table(header, rows, *, caption, mark=(), digits=2):
    """Show a table: numbers to the right, units in the heads, the rows that matter marked.

    `header` names the columns, with units. A row is as many cells, the first of which is its name: text, a whole number
    (shown with commas), a float (shown with `digits` decimals) or None ("not measured yet"). A row that is one string
    is the title of the rows after it. `mark` are the numbers of the rows to mark, titles not counted, or one number.
    `caption` says what to see; it is also what a reader hears first.

    Raises ValueError for an empty caption, a row of another length, and a marked row that is not there.

    >>> table(["side (px)", "tokens"], [["224", 256], ["448", 1024]], mark=1, caption="Tokens grow with the area.")
    [table: Tokens grow with the area.]
    """
    if not isinstance(caption, str) or not caption.strip():
        raise ValueError("caption is empty; say in one sentence what the table shows")
    header, rows, mark = list(header), list(rows), {mark} if isinstance(mark, int) else set(mark)
    body = [row for row in rows if not isinstance(row, str)]
    for row in body:
        if len(row) != len(header):
            raise ValueError(f"table() got {len(header)} columns and the row {row!r} of {len(row)} cells")
    if missing := sorted(mark - set(range(len(body)))):
        raise ValueError(f"table() got {len(body)} rows, numbered from 0, and should mark {missing}")
    return _output("table", table_html(header, rows, caption.strip(), mark, digits), caption.strip())


def source(function, *, docstring=False):
    """Show the source of a library function, highlighted: what the page quotes is what runs.

    `function` is the function itself, or "module:name", which reads the file without importing what the file imports.
    The decorator that sends torch tensors to a twin is left out, and so is the docstring unless asked for.

    Raises ValueError for a name that the module's file does not define at its top level.

    >>> source(draw_grid)
    [source: mmtokedu.show.draw_grid]
    >>> source("mmtokedu.show:draw_grid")
    [source: mmtokedu.show.draw_grid]
    """
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    if isinstance(function, str):
        name, code = function.replace(":", "."), _source_in_file(*function.split(":"))
    else:
        inner = inspect.unwrap(function)
        name, code = f"{inner.__module__}.{inner.__qualname__}", textwrap.dedent(inspect.getsource(inner))
    definition = ast.parse(code).body[0]
    lines = code.splitlines()
    if not docstring and ast.get_docstring(definition):
        first = definition.body[0]
        del lines[first.lineno - 1 : first.end_lineno]
    code = "\n".join(lines[definition.lineno - 1 :])  # the decorators stand before the line of the definition
    body = (
        f'<figure class="mm-source"><figcaption><code>{html.escape(name)}</code></figcaption><div class="highlight">'
        f'<pre tabindex="0">{highlight(code, PythonLexer(), HtmlFormatter(nowrap=True))}</pre></div></figure>'
    )
    return _output("source", body, name, hashlib.sha256(code.encode()).hexdigest()[:12])


def _source_in_file(module, name):
    text = Path(importlib.util.find_spec(module).origin).read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if getattr(node, "name", None) == name:
            return "\n".join(text.splitlines()[node.lineno - 1 : node.end_lineno])
    raise ValueError(f"{module} defines no {name!r} at its top level")


def frame_slider(frames, captions, *, label="frame", alt, caption=None):
    """A slider over pictures computed beforehand: it needs no kernel, only the page.

    `frames` are pictures as in `images`, `captions` one line for each.

    Raises ValueError when the two differ in number.

    >>> frame_slider(np.zeros((2, 8, 8), np.uint8), ["0 s", "0.5 s"], alt="Two black frames.")
    [frames: Two black frames.]
    """
    alt, frames, captions = _alt(alt), list(frames), list(captions)
    if len(frames) != len(captions) or not frames:
        raise ValueError(f"frame_slider() got {len(frames)} frames and {len(captions)} captions; give one for each")
    frames = [_pixels(frame) for frame in frames]
    width = max(frame.shape[1] for frame in frames)  # a small frame is shown as large as the largest: its pixels grow
    pictures = "".join(
        f'<div{" hidden" if i else ""}><img alt="{html.escape(f"{alt} {line}")}" src="{_webp(Image.fromarray(frame))}" '
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
    return _output("frames", f'<figure class="mm-frames">{body}</figure>', alt)


def sounds(arrays, rate, *, titles, alt, caption=None):
    """Show sounds as players in a row, 16-bit and inside the page: they need no kernel and no network.

    `arrays` are sounds (T,) of floats in [-1, 1] at `rate` Hz, `titles` one line for each. Nothing is made louder
    or softer: give sounds of equal level if they are to be compared.

    Raises ValueError for a number of titles other than that of the sounds, and for a sound that is empty, has more
    than one axis, or leaves [-1, 1].

    >>> sounds([np.zeros(160)], 16_000, titles=["silence"], alt="Ten milliseconds of silence.")
    [audio: Ten milliseconds of silence.]
    """
    alt, arrays, titles = _alt(alt), list(arrays), list(titles)
    if len(arrays) != len(titles) or not arrays:
        raise ValueError(f"sounds() got {len(arrays)} sounds and {len(titles)} titles; give one for each")
    files = [_wav(np.asarray(sound), rate) for sound in arrays]
    players = "".join(
        f'<div><div class="mm-title">{html.escape(title, quote=False)}</div><audio controls preload="metadata" '
        f'aria-label="{html.escape(title)}" src="data:audio/wav;base64,{b64encode(file).decode()}"></audio></div>'
        for title, file in zip(titles, files)
    )
    body = f'<figure class="mm-sounds" role="group" aria-label="{html.escape(alt)}">'
    body += f'<div class="mm-players">{players}</div>{caption_tag(caption)}</figure>'
    return _output("audio", body, alt, hashlib.sha256(b"".join(files)).hexdigest()[:12])


def _wav(sound, rate):
    """A sound as the bytes of a WAV file, mono, 16 bits a sample."""
    if sound.ndim != 1 or not sound.size:
        raise ValueError(f"a sound has shape {sound.shape}; pass (T,), at least one sample")
    if not (np.abs(sound) <= 1).all():
        raise ValueError(f"a sound reaches {np.abs(sound).max():.3g}; pass finite floats in [-1, 1]")
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(np.rint(sound * 32767).astype("<i2").tobytes())
    return file.getvalue()


def _output(kind, body, alt, key=""):
    return Html(kind, style(PALETTE) + body, alt, key)


def _alt(alt):
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError("alt is empty; say in one sentence what the picture shows, for a reader who cannot see it")
    return alt.strip()


def _draw(fig):
    file = io.BytesIO()
    fig.savefig(file, dpi=DPI, format="png", facecolor="none")
    return _webp(Image.open(file))


def _webp(picture):
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
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise ValueError(f"a picture has shape {array.shape}; pass (H, W), (H, W, 1) or (H, W, 3)")
    if np.issubdtype(array.dtype, np.floating):
        return np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise ValueError(f"a picture has dtype {array.dtype}; pass uint8, or float in [0, 1]")
    return array


def _grid_svg(height, width, side):
    lines = [f"M{x} 0V{height}" for x in range(0, width + 1, side)] + [
        f"M0 {y}H{width}" for y in range(0, height + 1, side)
    ]
    draw = f'<path d="{"".join(lines)}" fill="none" vector-effect="non-scaling-stroke" stroke='
    return (
        f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">'
        f'{draw}"#1a1a1a" stroke-opacity=".55" stroke-width="2.4"/>{draw}"#fff" stroke-width="1"/></svg>'
    )


def _recolour(fig):
    """Turn palette colours into their dark counterparts; returns (setter, old value) pairs that undo it."""
    undo = []
    artists = fig.findobj(lambda a: not isinstance(a, _ImageBase) and a.get_gid() != "mm-keep")
    for text in [a for a in artists if hasattr(a, "get_bbox_patch")]:  # neither box nor arrow is a child of its text
        artists += filter(None, (text.get_bbox_patch(), getattr(text, "arrow_patch", None)))
    for artist in artists:
        for name in ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor", "hatchcolor"):
            getter, setter = getattr(artist, f"get_{name}", None), getattr(artist, f"set_{name}", None)
            if getter is None or setter is None:
                continue
            old = getter()
            new = _dark(old)
            if new is not None:
                undo.append((setter, old))
                setter(new)
    return undo[::-1]


def _dark(color):
    """The dark counterpart of a colour or an (N, 4) array of them; None when no palette colour is in it."""
    if isinstance(color, str) and color in ("none", "auto", "face", "edge"):
        return None
    rgba = np.atleast_2d(mcolors.to_rgba_array(color)).copy()
    hexes = [mcolors.to_hex(c) if c[3] else "" for c in rgba]
    if not any(h in _TO_DARK for h in hexes):
        return None
    for row, name in zip(rgba, hexes):
        if name in _TO_DARK:
            row[:3] = mcolors.to_rgb(_TO_DARK[name])
    return rgba if len(rgba) != 1 or np.ndim(color) == 2 else tuple(rgba[0])
