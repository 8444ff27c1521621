"""Sound in frames, drawn: the MDCT in three pictures, codes laid out in a row, and how long until one hears them."""

import numpy as np

from mmtokedu import rvq
from mmtokedu.show.charts import COLOR, figure, subplots

# The MDCT


def give_backs(sound, hop):
    """What the MDCT frames of a bit of sound each give back alone: (shares, mirrors), both (N, 4 * hop) float64.

    sound (4 * hop,): N = 3 frames lie inside it, frame i over the samples i*hop to (i + 2)*hop. A frame alone gives
    back shares[i] + mirrors[i]: the sound under its window, twice (once going in, once coming out), and the same with
    each half turned about its own middle in between. Where two frames overlap, their shares add up to the sound and
    their mirrors to nothing.

    Raises ValueError for a sound of another length.

    >>> shares, mirrors = give_backs(np.sin(np.arange(16.0)), 4)
    >>> bool(np.allclose((shares + mirrors)[:2, 4:8].sum(axis=0), np.sin(np.arange(4.0, 8))))
    True
    """
    sound = np.asarray(sound, np.float64)
    if sound.shape != (4 * hop,):
        raise ValueError(f"the bit of sound has shape {sound.shape}; three frames with a hop of {hop} are {4 * hop}")
    frames = rvq.mdct(sound, hop)[1:4]  # the first and the last reach beyond the bit
    window = np.sin(np.pi * (np.arange(2 * hop) + 0.5) / (2 * hop))
    given, shares = np.zeros((3, 4 * hop)), np.zeros((3, 4 * hop))
    for i in range(3):
        alone = np.zeros((5, hop))
        alone[i + 1] = frames[i]
        given[i] = rvq.imdct(alone, 4 * hop)
        seen = slice(i * hop, (i + 2) * hop)
        shares[i, seen] = window**2 * sound[seen]
    return shares, given - shares


def mdct_overlap(sound, hop, rate, *, alt=None, caption=None):
    """First picture of the MDCT: a bit of sound (4 * hop,) and the three frames that lie inside it, each in its window.

    >>> mdct_overlap(np.sin(np.arange(640) / 9), 160, 16_000, alt="Three frames.")
    [figure: Three frames.]
    """
    give_backs(sound, hop)  # refuses another length
    sound, top = np.asarray(sound, np.float64), np.abs(sound).max()
    fig, axes = _rows(4, rate, hop, 4, top, ("the\nsound", "frame 1", "frame 2", "frame 3"))
    ms = 1000 * (np.arange(4 * hop) + 0.5) / rate
    axes[0].plot(ms, sound, color=COLOR["audio"], lw=1.3, ls="-")
    window = np.sin(np.pi * (np.arange(2 * hop) + 0.5) / (2 * hop))
    for i, ax in enumerate(axes[1:]):
        seen = slice(i * hop, (i + 2) * hop)
        ax.fill_between(ms[seen], -top * window, top * window, color=COLOR["muted"], alpha=0.18, lw=0)
        ax.plot(ms[seen], window * sound[seen], color=COLOR["audio"], lw=1.3, ls="-")
    length = 1000 * hop / rate
    told = (
        f"A waveform of {4 * length:g} milliseconds, below it three pieces of it, each {2 * length:g} milliseconds "
        f"long and {length:g} after the one before; each rises and falls under a window."
    )
    said = "Grey: the windows. Every moment between the outer frames is seen by two of them, once rising, once falling."
    return figure(fig, alt=alt or told, caption=said if caption is None else caption)


def mdct_mirror(sound, hop, rate, *, alt=None, caption=None):
    """Second picture of the MDCT: what one frame alone, the second of `mdct_overlap`, gives back, and its two parts.

    >>> mdct_mirror(np.sin(np.arange(640) / 9), 160, 16_000, alt="A frame and its mirror image.")
    [figure: A frame and its mirror image.]
    """
    shares, mirrors = give_backs(sound, hop)
    seen = slice(hop, 3 * hop)
    parts = shares[1, seen], mirrors[1, seen], (shares + mirrors)[1, seen]
    names = "its share", "mirror\nimage", "given\nback"
    fig, axes = _rows(3, rate, hop, 2, max(np.abs(part).max() for part in parts), names, start=hop)
    ms = 1000 * (np.arange(hop, 3 * hop) + 0.5) / rate
    for ax, part, look in zip(axes, parts, _LOOKS):
        ax.plot(ms, part, **look)
        for middle in (1.5 * hop, 2.5 * hop):
            ax.axvline(1000 * middle / rate, color=COLOR["rule"], ls="-", lw=1, zorder=0)
    told = (
        "Three curves over one frame: the sound under its window; the same in each half turned left for right, upside "
        "down in the first half; and the sum of the two, which is not the sound."
    )
    said = (
        "Frame 2 alone. Each half comes back with its mirror image about its own middle (thin lines): in the first "
        "half upside down, in the second upright. The two add up to what the frame gives back, which is not the sound."
    )
    return figure(fig, alt=alt or told, caption=said if caption is None else caption)


def mdct_sum(sound, hop, rate, *, alt=None, caption=None):
    """Third picture of the MDCT: frames 2 and 3 of `mdct_overlap` give back, and where both do, the sum is the sound.

    >>> mdct_sum(np.sin(np.arange(640) / 9), 160, 16_000, alt="Two frames and their sum.")
    [figure: Two frames and their sum.]
    """
    shares, mirrors = give_backs(sound, hop)
    given, sound = shares + mirrors, np.asarray(sound, np.float64)
    ms = 1000 * (np.arange(4 * hop) + 0.5) / rate
    top = max(np.abs(given[1:]).max(), np.abs(sound[hop:]).max())
    fig, axes = _rows(3, rate, hop, 3, top, ("frame 2\ngives", "frame 3\ngives", "their\nsum"), start=hop)
    both = slice(2 * hop, 3 * hop)
    for i, ax in ((1, axes[0]), (2, axes[1])):
        seen = slice(i * hop, (i + 2) * hop)
        ax.plot(ms[seen], mirrors[i, seen], **_LOOKS[1])
        ax.plot(ms[seen], given[i, seen], **_LOOKS[2])
    outside = given[1] + given[2]
    axes[2].plot(ms[both], sound[both], color=COLOR["audio"], lw=4.5, ls="-", alpha=0.45)
    for part in (slice(hop, 2 * hop + 1), slice(3 * hop - 1, 4 * hop)):
        axes[2].plot(ms[part], outside[part], color=COLOR["dropped"], lw=1, ls="-")
    axes[2].plot(ms[both], outside[both], color=COLOR["ink"], lw=1.1, ls="-")
    for ax in axes:
        ax.axvspan(2000 * hop / rate, 3000 * hop / rate, color=COLOR["muted"], alpha=0.15, lw=0)
    told = (
        "What two neighbouring frames give back, and the sum. Where they overlap their mirror images are equal with "
        "opposite signs, and the sum lies on the sound."
    )
    said = (
        "Grey: where both frames give. There the mirror images (dotted) are equal, one upright, one upside down; they "
        "cancel, and the sum (thin) lies on the sound (wide and pale)."
    )
    return figure(fig, alt=alt or told, caption=said if caption is None else caption)


_LOOKS = (
    {"color": COLOR["audio"], "lw": 1.3, "ls": "-"},
    {"color": COLOR["muted"], "lw": 1.2, "ls": (0, (1.5, 1.5))},
    {"color": COLOR["ink"], "lw": 1.3, "ls": "-"},
)


def _rows(rows, rate, hop, hops, top, names, start=0):
    """Rows of axes over the same milliseconds, a dotted line at each hop, a name at each row's left."""
    fig, axes = subplots(rows, 1, height=0.4 + 0.72 * rows, sharex=True, sharey=True)
    low, high = 1000 * start / rate, 1000 * (start + hops * hop) / rate
    for ax, name in zip(axes, names):
        ax.set(xlim=(low, high), ylim=(-1.1 * top, 1.1 * top), yticks=[])
        ax.set_ylabel(name, rotation=0, ha="left", va="center", fontsize=8.5, labelpad=44)
        ax.spines[["left", "bottom"]].set_visible(False)
        ax.tick_params(bottom=ax is axes[-1])
        ax.axhline(0, color=COLOR["rule"], lw=0.8, ls="-", zorder=0)
        for k in range(hops + 1):
            ax.axvline(low + 1000 * k * hop / rate, color=COLOR["muted"], ls=":", lw=1, zorder=0)
    axes[-1].set(xlabel="milliseconds", xticks=[low + 1000 * k * hop / rate for k in range(hops + 1)])
    return fig, axes
