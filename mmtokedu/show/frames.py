"""Sound in frames, drawn: the MDCT in three pictures, codes laid out in a row, and how long until one hears them."""

import numpy as np

from mmtokedu import rvq
from mmtokedu.show.charts import COLOR, figure, patches, subplots

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


# Codes in time


def layouts(T=5, Q=4, *, frame=3, codebook=2, alt=None, caption=None):
    """Codes of T frames and Q codebooks laid out in three ways, and what one code, told by its numbers from 1, sees.

    A column is a step of the language model, a number a frame, a row a codebook (flattened has one row for all). Full
    cells are what the marked code sees: everything in the steps before its own.

    Raises ValueError for a frame or codebook that is not there, or more than 24 codes.

    >>> layouts(alt="Three layouts.")
    [figure: Three layouts.]
    """
    if not (1 <= frame <= T and 1 <= codebook <= Q and T * Q <= 24):
        raise ValueError(f"frame {frame} of {T}, codebook {codebook} of {Q}: count from 1, and draw at most 24 codes")
    table = np.arange(T * Q).reshape(T, Q)  # the number of the code, frame by frame
    laid = {
        f"flattened: {T * Q} steps of one code": rvq.flatten_codes(table)[:, None],
        f"parallel: {T} steps of {Q} codes": table,
        f"delayed: {T + Q - 1} steps of up to {Q} codes": rvq.delay_pattern(table, pad=-1),
    }
    marked, seen = (frame - 1) * Q + codebook - 1, []
    fig, axes = subplots(3, 1, height=3.1, gridspec_kw={"height_ratios": [1, Q, Q]})
    for ax, (title, codes) in zip(axes, laid.items()):
        step = np.argwhere(codes == marked)[0, 0]
        seen.append(int((codes[:step] >= 0).sum()))
        for (column, row), code in np.ndenumerate(codes):
            if code >= 0:
                _cell(ax, column, row, code // Q + 1, column < step, code == marked)
        ax.set(xlim=(-0.1, T * Q), ylim=(codes.shape[1] + 0.05, -0.1), aspect="equal", anchor="W")
        ax.set_title(f"{title}; the marked one sees {seen[-1]}", fontsize=8.5)
        ax.set_axis_off()
    told = (
        f"{T} frames of {Q} codes. Flattened: a row of {T * Q}. Parallel: a block of {T} columns. Delayed: a block of "
        f"{T + Q - 1} columns in which each row starts one later. The code of frame {frame}, codebook {codebook} sees "
        f"{seen[0]}, {seen[1]} and {seen[2]} codes."
    )
    said = (
        f"A number is a frame, a row a codebook, a column one step. Marked: frame {frame}, codebook {codebook}; full "
        "cells are what it sees."
    )
    return figure(fig, alt=alt or told, caption=said if caption is None else caption)


def _cell(ax, column, row, number, seen, marked):
    look = {"fc": COLOR["audio"] if seen else "none", "ec": COLOR["ink" if marked else "audio"]}
    look |= {"lw": 2 if marked else 0.8, "zorder": 2 if marked else 1}
    ax.add_patch(patches.Rectangle((column + 0.06, row + 0.06), 0.88, 0.88, **look))
    color = COLOR["paper" if seen else "ink"]
    ax.text(column + 0.5, row + 0.52, str(number), ha="center", va="center", fontsize=8, color=color, zorder=3)


def streaming_delay(title, frame, *, look_ahead=0.0, steps=0, alt=None, caption=None):
    """How long after something is said it can be heard, computing not counted: a timeline in milliseconds.

    `frame` is the hop and `look_ahead` what the encoder waits for beyond a frame, both in ms; `steps` is by how many
    frames the most delayed codebook comes after the first. The delay is their sum: frame + look_ahead + steps * frame.

    Raises ValueError for a frame that is not above 0, or a look-ahead or steps below 0.

    >>> streaming_delay("Mimi, as Moshi uses it", 80, steps=1, alt="160 milliseconds.")
    [figure: 160 milliseconds.]
    """
    if not (frame > 0 and look_ahead >= 0 and steps >= 0):
        raise ValueError(f"frame {frame} ms, look-ahead {look_ahead} ms, {steps} steps: above 0, and from 0 on")
    known = frame + look_ahead
    delay = known + steps * frame
    shown = max(3, int(np.ceil(delay / frame)) + 1)
    fig, ax = subplots(height=2.9)
    wide = shown * frame
    for i in range(shown):
        _span(ax, 4, i * frame, frame, i + 1, wide, "audio", full=i == 0)
        for lane, late in ((2.7, 0), (1.7, steps)):
            _span(ax, lane, known + (i + late) * frame, frame, i + 1, wide, "special", full=i == 0)
        _span(ax, 0.4, delay + i * frame, frame, i + 1, wide, "audio", full=i == 0)
    if look_ahead:
        look = {"fc": "none", "ec": COLOR["muted"], "lw": 1, "hatch": "////"}
        ax.add_patch(patches.Rectangle((frame, 3.5), look_ahead, 0.34, **look))
        ax.text(known, 3.67, " look-ahead", va="center", fontsize=8.5, color=COLOR["muted"])
    names = {4: "sound\ncomes in", 2.7: "first\ncodebook", 1.7: "last\ncodebook", 0.4: "heard"}
    for lane, name in names.items():
        ax.text(-0.02 * wide, lane + 0.35, name, ha="right", va="center", fontsize=8.5, linespacing=1.1)
    for x in (0, delay):
        ax.plot([x, x], [-0.45, 4.8], color=COLOR["accent"], lw=1.2, ls=":", zorder=0)
    head = {"arrowstyle": "<|-|>", "mutation_scale": 8, "color": COLOR["accent"], "shrinkA": 0, "shrinkB": 0}
    ax.add_patch(patches.FancyArrowPatch((0, -0.3), (delay, -0.3), **head))
    ax.set(xlim=(0, wide), ylim=(-0.6, 4.9), yticks=[], xlabel="milliseconds")
    ax.set_xticks(sorted({0, frame, known, delay}), [f"{x:.3g}" for x in sorted({0, frame, known, delay})])
    ax.spines["left"].set_visible(False)
    ax.set_title(title)
    parts = [f"{frame:.3g} frame", *([f"{look_ahead:.3g} look-ahead"] if look_ahead else [])]
    parts += [f"{steps} × {frame:.3g} code delay"] if steps else []
    total = " + ".join(parts) + (f" = {delay:.3g} ms" if len(parts) > 1 else " ms")
    told = (
        f"A timeline of {title}: frames of {frame:.3g} milliseconds come in; the first codebook's code of frame 1 is "
        f"known after {known:.3g}, the last one's after {delay:.3g}; frame 1 is heard after {delay:.3g} milliseconds."
    )
    said = f"{total}, before anything is computed. Full: the first frame."
    return figure(fig, alt=alt or told, caption=said if caption is None else caption)


def _span(ax, lane, left, width, number, wide, kind, *, full):
    """A numbered box of one lane, as far as the timeline reaches."""
    if left >= wide - 1e-9:
        return
    shown = min(width, wide - left)
    color = COLOR[kind]
    look = {"fc": color if full else "none", "ec": color, "lw": 1}
    ax.add_patch(patches.Rectangle((left + 0.03 * width, lane), shown - 0.06 * width, 0.7, **look))
    if shown > 0.6 * width:
        middle = left + shown / 2
        where = {"ha": "center", "va": "center", "fontsize": 8}
        ax.text(middle, lane + 0.34, str(number), color=COLOR["paper" if full else "ink"], **where)
