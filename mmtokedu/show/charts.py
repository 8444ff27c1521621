"""Charts: Matplotlib in the book's style, drawn once in light and once in dark colours."""

import html
import io
from pathlib import Path

import numpy as np
from PIL import Image

try:
    import matplotlib
    from matplotlib import colors as mcolors
    from matplotlib import font_manager
    from matplotlib import patches as patches  # for `machines`
    from matplotlib.figure import Figure as MplFigure
    from matplotlib.image import _ImageBase
except ImportError as error:
    raise ImportError(f"mmtokedu.show draws charts with Matplotlib ({error}): pip install 'mmtokedu[show]'") from error

from mmtokedu.show.markup import PALETTE, alt_text, caption_tag, output
from mmtokedu.show.pictures import webp

COLOR = {name: light for name, (light, dark) in PALETTE.items()}
_TO_DARK = {light: dark for light, dark in PALETTE.values()} | {"#000000": PALETTE["ink"][1]}

for _font in sorted((Path(__file__).parents[1] / "data" / "fonts").glob("InstrumentSans-*.ttf")):
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
    alt = alt_text(alt)
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
    return output("figure", f'<figure class="mm-figure">{body}</figure>', alt)


def draw_grid(ax, height, width, patch):
    """Draw the borders of the patches over a picture of height x width pixels that `ax.imshow` has shown.

    White on a dark edge, so that the lines are seen on any photo, in light and in dark.

    >>> fig, ax = subplots()
    >>> draw_grid(ax, 28, 42, 14)
    """
    for color, line in (("#1a1a1a", 1.4), ("#ffffff", 0.7)):
        ax.vlines(np.arange(0, width + 1, patch) - 0.5, -0.5, height - 0.5, color=color, lw=line, gid="mm-keep")
        ax.hlines(np.arange(0, height + 1, patch) - 0.5, -0.5, width - 0.5, color=color, lw=line, gid="mm-keep")


def _draw(fig):
    file = io.BytesIO()
    fig.savefig(file, dpi=DPI, format="png", facecolor="none")
    return webp(Image.open(file))


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
