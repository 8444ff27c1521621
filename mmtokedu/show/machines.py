"""Machines drawn: what is inside a VQ-VAE, a VQGAN and a codec, and three roads from a picture through a model.

What is trained has a solid frame, what is fixed a dashed one; data have marks, in the colour of their modality; losses
are ochre lines between the two things that they compare. A drawing is 440 units wide, a unit is 1/100 inch.
"""

import numpy as np

from mmtokedu.catalog import codecs
from mmtokedu.show.charts import COLOR, figure, patches, subplots

_WIDE, _SIZE = 440, 8.5  # units; points of the type
_STRIDES = 2, 4, 5, 8  # of EnCodec's encoder; their product is its hop
_OURS = {"rate": 16_000, "hop": 160, "Q": 8, "K": 256}  # as `nn.codec.SpeechCodec` has them
_MARKS = {  # what flows: its mark and colour
    "pixels": ("mosaic", "image"),
    "rebuilt": ("mosaic", "image"),
    "drawn": ("mosaic", "image"),
    "words": ("lines", "text"),
    "vectors": ("columns", "muted"),
    "integers": ("figures", "special"),
    "sound": ("bars", "audio"),
    "rebuilt ": ("bars", "audio"),  # the space tells it from pixels
}
_KEY = "Solid frames are trained, dashed ones are fixed. "


def codebook_machines(*, alt=None, caption=None):
    """A VQ-VAE and a VQGAN under one another: from pixels to integers and back, and what each loss compares.

    Source: VQ-VAE (arXiv 1711.00937); VQGAN (arXiv 2012.09841), whose released code takes the absolute difference of
    pixels and the features of a fixed VGG-16.

    >>> codebook_machines(alt="A VQ-VAE and a VQGAN.")
    [figure: A VQ-VAE and a VQGAN.]
    """
    fig, ax = _scene(398)
    _title(ax, 386, "VQ-VAE")
    _picture_row(ax, 318)
    _rung(ax, 318, 250, "squared error of the pixels")
    ax.plot([0, _WIDE], [222, 222], color=COLOR["rule"], lw=1, ls="-")
    _title(ax, 206, "VQGAN")
    _picture_row(ax, 138)
    _rung(ax, 138, 88, "error of the pixels")
    _rung(ax, 138, 54, "perceptual loss: same features?", ("fixed network", "fixed"), shift=8)
    _rung(ax, 138, 18, "adversarial loss: real or rebuilt?", ("discriminator", "trained"), shift=16)
    told = (
        "Two machines, each a row: pixels, encoder, vectors, nearest code, integers, look-up, decoder, pixels. Between "
        "vectors and looked-up codes the codebook loss and the commitment. The VQ-VAE compares the pixels at both ends "
        "by squared error. The VQGAN compares them as pixels, by the features of a fixed network (perceptual loss), "
        "and by a trained discriminator that says real or rebuilt: the adversarial loss."
    )
    return figure(fig, alt=alt or told, caption=_KEY + "Ochre lines are losses." if caption is None else caption)


def _picture_row(ax, y):
    """Pixels to integers and back, around height y, with the two losses of the codebook above."""
    steps = ["pixels", ("encoder", 53), "vectors", ("nearest\ncode", 52), "integers", ("look\nup", 38)]
    at = _row(ax, y, [*steps, ("decoder", 54), "rebuilt"])
    top = y + 40
    ax.plot([at[2], at[2], at[5], at[5]], [y + 20, top, top, y + 22], color=COLOR["accent"], lw=1.4, ls="-")
    _words(ax, (at[2] + at[5]) / 2, top, "codebook loss, commitment", COLOR["accent"], patch=True)


def codec_machine(*, alt=None, caption=None):
    """What is inside a codec that learns, EnCodec at 24 kHz, and below it the book's own.

    Its numbers are the catalog's (`encodec-24k`). Source: EnCodec (arXiv 2210.13438, sections 3.1 to 3.4): strides,
    losses in time and over mel spectrograms, and discriminators that see spectrograms of several sizes.

    >>> codec_machine(alt="Two codecs.")
    [figure: Two codecs.]
    """
    row = codecs.row("encodec-24k")
    frames = row.sample_rate // row.hop
    fig, ax = _scene(540)
    y = 432
    _title(ax, 528, row.title, f"{row.sample_rate:,} samples a second → {frames} frames")
    down, up = (
        f"{word}\n" + "\n".join(f"{sign} {stride}" for stride in strides)
        for word, sign, strides in (("encoder", "÷", _STRIDES), ("decoder", "×", _STRIDES[::-1]))
    )
    steps = [("RVQ", 132, "none", 128)]
    at = _row(ax, y, ["sound", (down, 62, "trained", 96), "vectors", *steps, (up, 62, "trained", 96), "rebuilt "])
    _stages(ax, at[3], y, row.default, row.codebook_size)
    top = y + 76
    ax.plot([at[2], at[2], at[3], at[3]], [y + 20, top, top, y + 66], color=COLOR["accent"], lw=1.4, ls="-")
    _words(ax, (at[2] + at[3]) / 2 + 4, top, "commitment", COLOR["accent"], patch=True)
    _rung(ax, y, 338, "in time: sample by sample")
    _rung(ax, y, 304, "in spectrum: same energies?", ("mel bands", "fixed"), shift=7)
    _rung(ax, y, 268, "adversarial: real or rebuilt?", ("discriminators", "trained"), shift=14)
    ax.plot([0, _WIDE], [240, 240], color=COLOR["rule"], lw=1, ls="-")
    ours = _OURS["rate"], _OURS["rate"] // _OURS["hop"]
    _title(ax, 222, "The book's own", f"{ours[0]:,} samples a second → {ours[1]} frames")
    y = 164
    stack = f"{_OURS['Q']} codebooks\nof {_OURS['K']}"
    steps = [("MDCT", 50, "fixed", 40), ("small\nnetwork", 54), (stack, 76), ("small\nnetwork", 54)]
    at = _row(ax, y, ["sound", *steps, ("inverse\nMDCT", 54, "fixed", 40), "rebuilt "])
    top, left = y + 34, (at[2] + at[3] - 76 / 2 + 54 / 2) / 2
    ax.plot([left, left, at[3], at[3]], [y + 3, top, top, y + 19], color=COLOR["accent"], lw=1.4, ls="-")
    _words(ax, (left + at[3]) / 2, top, "commitment", COLOR["accent"], patch=True)
    _rung(ax, y, 100, "in time: sample by sample")
    _rung(ax, y, 66, "in spectrum: same energies?", ("spectra", "fixed"), shift=7)
    _words(ax, _WIDE / 2, 34, "no discriminator", COLOR["muted"])
    told = (
        f"Two codecs, each a row. {row.title}: sound, an encoder of convolutions with strides "
        f"{', '.join(map(str, _STRIDES))}, vectors, {row.default} codebooks of {row.codebook_size:,}, each taking "
        "what the one before missed, a decoder, rebuilt sound. Losses: commitment; in time; in mel spectra; and "
        "adversarial, from trained discriminators. The book's own: the fixed MDCT and a small network, "
        f"{_OURS['Q']} codebooks of {_OURS['K']}, a small network and the inverse MDCT; losses in time and in spectra, "
        "no discriminator."
    )
    return figure(fig, alt=alt or told, caption=_KEY + "Ochre lines are losses." if caption is None else caption)


def _stages(ax, x, y, stages, size):
    """Codebooks from the top down: the first two and the last, each given what the one before it missed."""
    _box(ax, x, y, 132, 128, "", "frame")
    for i, (number, code) in enumerate(((1, "417"), (2, "8"), (stages, "93"))):
        level = y + 44 - 44 * i
        _box(ax, x - 18, level, 82, 22, f"codebook {number}")
        _arrow(ax, (x + 24, level), (x + 36, level))
        ax.text(x + 49, level, code, ha="center", va="center", fontsize=9, weight="bold", color=COLOR["special"])
        if i < 2:
            _arrow(ax, (x - 52, level - 11), (x - 52, level - 33))
            _words(ax, x - 47, level - 22, "what it missed" if i == 0 else "⋮   and so on", COLOR["muted"], ha="left")


def _rung(ax, top, y, words, box=None, shift=0, left=20, right=420):
    """A loss between the two ends of a row: lines down from both, words where they meet, a box before the words."""
    left, right = left - 14 + shift, right + 14 - shift
    for x in (left, right):
        ax.plot([x, x], [top - 34, y], color=COLOR["accent"], lw=1.2, ls="-", zorder=0)
    ax.plot([left, right], [y, y], color=COLOR["accent"], lw=1.2, ls="-", zorder=0)
    if box:
        _box(ax, 106, y, 90, 24, *box)
        _words(ax, 268, y, words, COLOR["accent"], patch=True)
    else:
        _words(ax, (left + right) / 2, y, words, COLOR["accent"], patch=True)


def three_roads(*, alt=None, caption=None):
    """Three roads from a picture through a model: vectors in; codes in and out; vectors in and out.

    Source: LLaVA (arXiv 2304.08485); Chameleon (arXiv 2405.09818), Emu3 (arXiv 2409.18869); Transfusion (arXiv
    2408.11039), MAR (arXiv 2406.11838). Janus (arXiv 2410.13848) reads on the first road and writes on the second.

    >>> three_roads(alt="Three roads.")
    [figure: Three roads.]
    """
    fig, ax = _scene(416)
    model, decoder = ("transformer", 74), ("decoder", 54)
    heads = {"integers": "a chance for\neach code", "vectors": "from noise\nto a vector"}
    _title(ax, 404, "1  Vectors in", "LLaVA, Qwen2-VL")
    _row(ax, 358, ["pixels", ("encoder", 60), "vectors", model, "words"], wide=300)
    for y, title, who, encoder, kind in (
        (242, "2  Codes in, codes out", "Chameleon, Emu3", "encoder,\ncodebook", "integers"),
        (112, "3  Vectors in, vectors out", "Transfusion, MAR", "encoder", "vectors"),
    ):
        _title(ax, y + 58, title, who)
        at = _row(ax, y, ["pixels", (encoder, 60), kind, model, (heads[kind], 78), decoder, "drawn"], marks=36)
        back = y + 34
        ax.plot([at[4], at[4], at[2]], [y + 18, back, back], color=COLOR["muted"], lw=1.1, ls="-")
        _arrow(ax, (at[2], back), (at[2], y + 17))
        _words(ax, (at[2] + at[4]) / 2, back, "goes in again", COLOR["muted"], patch=True)
    ax.plot([0, _WIDE], [58, 58], color=COLOR["rule"], lw=1, ls="-")
    _title(ax, 38, "Both", "Janus reads on road 1 and draws on road 2")
    told = (
        "Three roads, each a row. Vectors in: pixels, encoder, vectors, transformer, words (LLaVA, Qwen2-VL). Codes "
        "in, codes out: pixels, encoder with codebook, integers, transformer, chances of codes, decoder, a picture; "
        "what was drawn goes in again (Chameleon, Emu3). Vectors in, vectors out: the same, but the head goes from "
        "noise to a vector (Transfusion, MAR). Janus reads on the first road and draws on the second."
    )
    said = (
        "A model that draws needs chances for what comes next, not one answer: for each code on road 2, by way of "
        "noise on road 3. (Transfusion draws a whole picture at once.)"
    )
    return figure(fig, alt=alt or told, caption=said if caption is None else caption)


def next_vectors(panels, context, ways, *, alt=None, caption=None):
    """Where heads say that a vector goes next: a panel for each of {title: samples (N, 2)}, all for one context (2,).

    Diamonds are the two ways (2, 2) that are equally likely, the arrow is the context.

    >>> next_vectors({"mean": np.zeros((3, 2))}, np.array([1.0, 0]), np.array([[0.5, 1], [0.5, -1]]), alt="Between.")
    [figure: Between.]
    """
    rows = -(-len(panels) // 3)
    fig, axes = subplots(rows, 3, height=0.1 + 1.72 * rows, sharex=True, sharey=True, squeeze=False)
    for ax, (title, samples) in zip(axes.flat, panels.items()):
        ax.plot(*np.asarray(samples).T, "o", color=COLOR["image"], ms=2.4, alpha=0.45, mew=0)
        ax.plot(*np.asarray(ways).T, "D", mfc="none", mec=COLOR["ink"], mew=1.4, ms=8)
        _arrow(ax, (0, 0), tuple(np.asarray(context, float)))
        ax.set(title=title, aspect="equal", xlim=(-0.75, 1.45), ylim=(-1.35, 1.35), xticks=[], yticks=[])
        ax.spines[["left", "bottom"]].set_color(COLOR["rule"])
    for ax in list(axes.flat)[len(panels) :]:
        ax.set_axis_off()
    told = (
        f"Samples of {len(panels)} sources in the plane: {', '.join(panels)}. Two diamonds mark the next vectors that "
        "are equally likely."
    )
    said = "Arrow: the vector so far. Diamonds: the two next vectors, equally likely. Dots: what each says comes next."
    return figure(fig, alt=alt or told, caption=said if caption is None else caption)


# Parts


def _scene(height):
    """A figure whose one pair of axes fills it: x from 0 to 440, y from 0 to `height`, in 1/100 inch."""
    fig, ax = subplots(height=height / 100)
    fig.set_layout_engine("none")
    ax.set_position([0, 0, 1, 1])
    ax.set(xlim=(0, _WIDE), ylim=(0, height))
    ax.set_axis_off()
    return fig, ax


def _title(ax, y, words, more=""):
    ax.text(2, y, words, weight="bold", va="center", fontsize=10)
    if more:
        ax.text(_WIDE - 2, y, more, va="center", ha="right", fontsize=_SIZE, color=COLOR["muted"])


def _words(ax, x, y, words, color=None, *, patch=False, **style):
    """Type around a point; with a patch it covers the line that it stands on."""
    style = {"ha": "center", "va": "center", "fontsize": _SIZE, "linespacing": 1.15, **style}
    if patch:
        style["bbox"] = {"boxstyle": "square,pad=0.15", "fc": COLOR["paper"], "ec": "none"}
    ax.text(x, y, words, color=color or COLOR["ink"], **style)


def _row(ax, y, steps, marks=40, wide=_WIDE):
    """Marks and boxes from left to right with arrows between them, `wide` together; returns their middles.

    A step is the name of what flows, or (words, width[, kind[, height]]) of a box.
    """
    steps = [(step, marks) if isinstance(step, str) else step for step in steps]
    gap = (wide - sum(step[1] for step in steps)) / (len(steps) - 1)
    middles, left = [], 0.0
    for words, width, *look in steps:
        if words in _MARKS:
            _data(ax, left + width / 2, y, words)
        elif look[:1] != ["none"]:
            _box(ax, left + width / 2, y, width, *(look[1:] or [36]), words, *look[:1])
        if middles:
            _arrow(ax, (left - gap, y), (left, y))
        middles.append(left + width / 2)
        left += width + gap
    return middles


def _box(ax, x, y, width, height, words, kind="trained", color="ink"):
    """A part of a machine, its middle at (x, y): "trained" (solid), "fixed" (dashed), or a "frame" around parts."""
    look = {"trained": ("-", 1.3, color), "fixed": ((0, (3, 2)), 1.3, color), "frame": ("-", 1, "rule")}[kind]
    look = dict(zip(("ls", "lw", "ec"), (*look[:2], COLOR[look[2]])))
    shape = f"round,pad=0,rounding_size={0 if kind == 'fixed' else 4}"
    place = (x - width / 2, y - height / 2)
    ax.add_patch(patches.FancyBboxPatch(place, width, height, boxstyle=shape, fc=COLOR["paper"], **look))
    if words:
        _words(ax, x, y, words)


def _arrow(ax, start, stop, color="muted"):
    look = {"arrowstyle": "-|>", "mutation_scale": 7, "lw": 1.1, "color": COLOR[color], "shrinkA": 0, "shrinkB": 0}
    ax.add_patch(patches.FancyArrowPatch(start, stop, **look))


def _data(ax, x, y, name):
    """The mark of what flows, its middle at (x, y), its name below it."""
    kind, color = _MARKS[name]
    if kind == "mosaic":
        shades = (1, 0.45, 0.75, 0.3, 0.85, 0.5, 0.65, 0.35, 1) if name == "pixels" else (0.9, 0.5, 0.7, 0.35) * 3
        for i, shade in enumerate(shades[:9]):
            place = (x - 13.5 + 9 * (i % 3), y - 13.5 + 9 * (i // 3))
            ax.add_patch(patches.Rectangle(place, 8.4, 8.4, fc=COLOR[color], alpha=shade, lw=0))
    elif kind == "columns":
        for i, k in np.ndindex(3, 5):
            place = (x - 13 + 9 * i, y - 15 + 6 * ((k + 2 * i) % 5))
            ax.add_patch(patches.Rectangle(place, 6, 5.4, fc=COLOR["muted"], alpha=(0.9, 0.35, 0.6, 1, 0.45)[k], lw=0))
    elif kind == "lines":
        for i, wide in enumerate((26, 30, 18)):
            ax.add_patch(patches.Rectangle((x - 15, y + 7 - 9 * i), wide, 4, fc=COLOR[color], lw=0))
    elif kind == "bars":
        for i, tall in enumerate((6, 14, 26, 20, 30, 17, 24, 10, 5)):
            ax.add_patch(patches.Rectangle((x - 16 + 3.6 * i, y - tall / 2), 2.2, tall, fc=COLOR[color], lw=0))
    else:
        ax.text(x, y, "3 17\n8 42", ha="center", va="center", fontsize=9, weight="bold", color=COLOR[color])
    _words(ax, x, y - 20, name.strip(), COLOR["muted"], va="top")
