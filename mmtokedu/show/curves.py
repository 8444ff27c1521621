"""What fewer tokens cost, as measured: charts over rows of results, a dict each.

A row has "method", "seed" (the model's or the adapter's) and a share right, 0 to 1, for each task; charts ask for
what else they need. Every method has a mark and a dash of its own, so that no colour is needed.
"""

import numpy as np

from mmtokedu.show.charts import COLOR, figure, patches, subplots

_LOOKS = (  # colour, mark, dash
    ("image", "o", "-"),
    ("audio", "s", (0, (5, 1.5))),
    ("video", "^", (0, (1.2, 1.2))),
    ("special", "D", (0, (6, 1.5, 1.2, 1.5))),
    ("text", "v", (0, (3, 1.2))),
    ("ink", "P", (0, (8, 2))),
)
_SMALL = 8.5  # points
_MEASURED = {"right", "seed", "seconds", "parameters", "course", "tokens", "keep"}  # what does not name a row


def seed_rows(rows, ways):
    """Rows of `results("compress")` as the charts want them, one a seed: {"method", "seed", "tokens", "layer", shares}.

    `ways` {method: {key: value}}: a row is the method's where it has these values, None standing for any, and no other
    options. Its "right" has for each task a list, a share a seed, or one share, of the row's own "seed". "layer" is its
    "after", "tokens" the mean over layers of how many tokens each has to do with.

    Raises ValueError for a method of which there is no row.

    >>> rows = [{"way": "fastv", "keep": 16, "after": 1, "tokens": 28.0, "right": {"count": [0.5, 0.75]}}]
    >>> seed_rows(rows, {"FastV": {"way": "fastv", "after": None}})[1]
    {'method': 'FastV', 'seed': 1, 'tokens': 28.0, 'layer': 1, 'count': 0.75}
    """
    found = []
    for method, row in _of_ways(rows, ways):
        shares = {task: share if isinstance(share, list) else [share] for task, share in row["right"].items()}
        for i, values in enumerate(zip(*shares.values())):
            told = {"method": method, "seed": row.get("seed", i), "tokens": row["tokens"], "layer": row.get("after")}
            found.append(told | dict(zip(shares, values)))
    return found


def course_rows(rows, ways):
    """How arms of `results("compress")` learned, as `seed_curves` wants it: {"method", "seed", "step", shares} each.

    `ways` as of `seed_rows`.

    >>> rows = [{"name": "mean", "tokens": 16, "seed": 2, "course": [{"step": 100, "digit": 0.5}], "right": {}}]
    >>> course_rows(rows, {"mean": {"name": "mean"}})
    [{'method': 'mean', 'seed': 2, 'step': 100, 'digit': 0.5}]
    """
    return [
        {"method": method, "seed": row["seed"]} | look for method, row in _of_ways(rows, ways) for look in row["course"]
    ]


def _of_ways(rows, ways):
    """(method, row) of the rows that each method's values name."""
    for method, wanted in ways.items():
        fits = lambda row: all(key in row and value in (None, row[key]) for key, value in wanted.items())  # noqa: B023
        found = [row for row in rows if fits(row) and not row.keys() - _MEASURED - wanted.keys()]
        if not found:
            raise ValueError(f"no row is of {method!r}: {wanted}, and no other options")
        yield from ((method, row) for row in found)


def panels(rows, tasks, methods, *, chance, full="full", alt=None, caption=None):
    """Share right against tokens, a panel a task, the same methods in each: the median of the seeds, a bar their range.

    rows: dicts with "method", "tokens", "seed" and a share for each task. `tasks` {key in the row: title}, two or four;
    `methods` {method in the row: label}, at most six; `chance` {task: share}. The rows of method `full` are the dotted
    line on top.

    Raises ValueError for a method that no row has, more than six, or other than two or four tasks.

    >>> rows = [{"method": m, "tokens": n, "seed": 0, "read": n / 64, "count": 0.25} for m in "ab" for n in (64, 16, 4)]
    >>> panels(rows, {"read": "read", "count": "count"}, {"b": "B"}, chance={"read": 0.1, "count": 0.25}, full="a")
    [figure: Share right in 2 panels against tokens. read: chance 10 %, full 25 %; B 100 % at 64, 25 % at 16, ...]
    """
    _known(rows, methods)
    if len(methods) > len(_LOOKS) or len(tasks) not in (2, 4):
        raise ValueError(f"{len(methods)} methods and {len(tasks)} tasks; at most {len(_LOOKS)}, and two or four")
    down = len(tasks) // 2
    fig, axes = subplots(down, 2, height=0.6 + 2.0 * down, sharex=True, sharey=True, squeeze=False)
    counts, told = [row["tokens"] for row in rows if row["method"] in methods], []
    for ax, (task, title) in zip(axes.flat, tasks.items()):
        ceiling = np.median([row[task] for row in rows if row["method"] == full])
        _between(ax, ceiling, chance[task])
        said = []
        for k, (method, label) in enumerate(methods.items()):
            at, found = _by(rows, method, "tokens", task)
            _line(ax, at * 2 ** (0.045 * ((len(methods) - 1) / 2 - k)), found, k, label)
            said.append(f"{label} " + ", ".join(f"{100 * np.median(v):.0f} % at {n:g}" for n, v in zip(at, found)))
        ax.set_title(title)
        told.append(f"{title}: chance {100 * chance[task]:.0f} %, full {100 * ceiling:.0f} %; {'; '.join(said)}.")
    for ax in axes[-1]:
        ax.set(xscale="log", xlabel="visual tokens")
        ticks = [2**k for k in range(7) if min(counts) <= 2**k <= max(counts)]
        ax.set_xticks(ticks, [str(n) for n in ticks])
        ax.minorticks_off()
        ax.set_xlim(max(counts) * 1.25, min(counts) / 1.25)
    _percent(axes)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=3, fontsize=_SMALL)
    first = f"Share right in {len(tasks)} panels against tokens. "
    seeds = len({row["seed"] for row in rows if row["method"] in methods})
    said = f"Marks are medians of {seeds} models, bars their range. Dotted lines: all tokens above, chance below."
    return figure(fig, alt=alt or first + " ".join(told), caption=said if caption is None else caption)


def layers_chart(rows, tasks, methods, *, chance, full="full", alt=None, caption=None):
    """Share right against the layer K after which tokens are dropped, a panel a task, the lines named in one of them.

    rows: dicts with "method", "layer", "seed" and a share for each task. `tasks` {key: title}, `methods` {method:
    label}, `chance` {task: share} and `full` as of `panels`.

    Raises ValueError for a method that no row has, more than six methods, or more than two tasks.

    >>> rows = [{"method": m, "layer": k, "seed": 0, "count": k / 4} for m in "ab" for k in (1, 2)]
    >>> layers_chart(rows, {"count": "a count"}, {"b": "random"}, chance={"count": 0.25}, full="a")
    [figure: Share right against the layer K after which tokens are dropped. a count: ... random 25 % at 1, 50 % at 2.]
    """
    _known(rows, methods)
    if len(methods) > len(_LOOKS) or not 1 <= len(tasks) <= 2:
        raise ValueError(f"{len(methods)} methods and {len(tasks)} tasks; at most {len(_LOOKS)}, and one or two")
    fig, axes = subplots(1, len(tasks), height=2.5, sharey=True, squeeze=False)
    layers = sorted({row["layer"] for row in rows if row["method"] in methods})
    told, firsts = [], []
    for ax, (task, title) in zip(axes.flat, tasks.items()):
        ceiling = np.median([row[task] for row in rows if row["method"] == full])
        _between(ax, ceiling, chance[task])
        said, first = [], []
        for k, (method, label) in enumerate(methods.items()):
            at, found = _by(rows, method, "layer", task)
            _line(ax, at + 0.05 * (k - (len(methods) - 1) / 2), found, k, label)
            first.append(100 * np.median(found[0]))
            said.append(f"{label} " + ", ".join(f"{100 * np.median(v):.0f} % at {n}" for n, v in zip(at, found)))
        firsts.append(first)
        ax.set(xlabel="dropped after layer K", xticks=layers, xlim=(layers[0] - 0.25, layers[-1] + 0.25))
        ax.set_title(title)
        told.append(f"{title}: chance {100 * chance[task]:.0f} %, full {100 * ceiling:.0f} %; {'; '.join(said)}.")
    _names(list(axes.flat), firsts, layers, list(methods.values()))
    _percent(axes)
    first = "Share right against the layer K after which tokens are dropped. "
    said = "Marks are medians of the models, bars their range. Dotted lines: nothing dropped above, chance below."
    return figure(fig, alt=alt or first + " ".join(told), caption=said if caption is None else caption)


def seed_curves(rows, arms, task, *, chance, full, budget=None, alt=None, caption=None):
    """How adapters learn, a panel an arm, every seed a line: share right of one task by step.

    rows: dicts with "method", "seed", "step" and a share for the task. `arms` {method: title}, at most six; `chance`
    and `full` are shares, drawn as dotted lines; `budget` is a step to mark.

    Raises ValueError for an arm that no row has, or more than six.

    >>> rows = [{"method": "a", "seed": s, "step": n, "read": s * n / 600} for s in (0, 1) for n in (100, 300)]
    >>> seed_curves(rows, {"a": "plain"}, "read", chance=0.1, full=0.9)
    [figure: Share right by step, every seed a line. plain: 0, 50 % after 300 steps.]
    """
    _known(rows, arms)
    if len(arms) > 6:
        raise ValueError(f"{len(arms)} arms; at most 6 panels can be read")
    across = min(3, len(arms))
    down = -(-len(arms) // across)
    fig, axes = subplots(down, across, height=0.35 + 1.55 * down, sharex=True, sharey=True, squeeze=False)
    last, told = max(row["step"] for row in rows if row["method"] in arms), []
    for ax, (arm, title) in zip(axes.flat, arms.items()):
        _between(ax, full, chance)
        if budget is not None:
            ax.axvline(budget, color=COLOR["accent"], lw=1, ls="-", zorder=0)
        ends = []
        for k, seed in enumerate(sorted({row["seed"] for row in rows if row["method"] == arm})):
            curve = sorted((r["step"], r[task]) for r in rows if r["method"] == arm and r["seed"] == seed)
            steps, shares = zip(*curve)
            ax.plot(steps, 100 * np.array(shares), color=COLOR["image"], ls=_LOOKS[k % 6][2], lw=1.6)
            ends.append(f"{100 * shares[-1]:.0f}")
        ax.set_title(title)
        told.append(f"{title}: {', '.join(ends)} % after {steps[-1]} steps.")
    for ax in list(axes.flat)[len(arms) :]:
        ax.set_axis_off()
    for i, ax in enumerate(list(axes.flat)[: len(arms)]):
        ax.set_xlim(0, last)
        if i + across >= len(arms):  # nothing stands below it
            ax.tick_params(labelbottom=True)
        if i >= across * (down - 1):
            ax.set_xlabel("steps")
    _percent(axes)
    marked = f" Ochre: step {budget:,}." if budget is not None else ""
    said = f"Every seed is a line. Dotted lines: the full model above, chance below.{marked}"
    told = "Share right by step, every seed a line. " + " ".join(told)
    return figure(fig, alt=alt or told, caption=said if caption is None else caption)


def page_as_picture(text_tokens, rows, *, alt=None, caption=None):
    """One page as text and as a picture: a bar a way, in tokens, with how many times fewer that is.

    rows: (name, tokens, what is published or "") each, as of the catalog.

    Raises ValueError for counts below 1, or nothing to compare.

    >>> page_as_picture(1000, [("Small", 100, "97 % right"), ("Tiny", 64, "")])
    [figure: One page as 1,000 text tokens, and as a picture: Small 100, 10.0 times fewer, 97 % right; Tiny 64, ...]
    """
    if not rows or min(text_tokens, *(row[1] for row in rows)) < 1:
        raise ValueError(f"{text_tokens} text tokens against {[row[1] for row in rows]}: give counts from 1 on")
    fig, ax = subplots(height=0.62 + 0.42 * (len(rows) + 1))
    most = max(text_tokens, *(row[1] for row in rows))
    _bar(ax, 0, text_tokens, "text", "as text")
    inside = text_tokens > 0.6 * most
    ax.text(
        text_tokens - 0.015 * most if inside else text_tokens + 0.015 * most,
        0,
        f"{text_tokens:,} tokens",
        va="center",
        ha="right" if inside else "left",
        fontsize=_SMALL,
        color=COLOR["paper" if inside else "ink"],
    )
    told = []
    for i, (name, tokens, published) in enumerate(rows, 1):
        _bar(ax, i, tokens, "image", name)
        times = f"{text_tokens / tokens:.1f}× fewer" if tokens < text_tokens else f"{tokens / text_tokens:.1f}× more"
        label = f"{tokens:,} · {times}" + (f" · {published}" if published else "")
        ax.text(tokens + 0.015 * most, i, label, va="center", fontsize=_SMALL)
        told.append(f"{name} {tokens:,}, {times.replace('×', ' times')}" + (f", {published}" if published else ""))
    ax.set(xlim=(0, most), ylim=(len(rows) + 0.6, -0.6), xlabel="tokens")
    ax.set_yticks(range(len(rows) + 1), ["as text", *(row[0] for row in rows)], color=COLOR["ink"])
    ax.spines["left"].set_visible(False)
    ax.tick_params(left=False)
    alt = alt or f"One page as {text_tokens:,} text tokens, and as a picture: {'; '.join(told)}."
    said = "The same page, a bar for each way to send it. Percentages are its authors', not measured here."
    return figure(fig, alt=alt, caption=said if caption is None else caption)


# Parts


def _known(rows, methods):
    there = {row["method"] for row in rows}
    if unknown := [method for method in methods if method not in there]:
        raise ValueError(f"no row has the method {unknown[0]!r}; known are {', '.join(map(repr, sorted(there)))}")


def _by(rows, method, axis, task):
    """(places from the largest or, of layers, the smallest on; the seeds' shares at each)."""
    places = sorted({row[axis] for row in rows if row["method"] == method}, reverse=axis == "tokens")
    found = [[row[task] for row in rows if row["method"] == method and row[axis] == place] for place in places]
    return np.array(places), found


def _line(ax, at, found, k, label):
    """The medians as a line with marks, the range of the seeds as thin bars."""
    color, mark, dash = _LOOKS[k]
    low, middle, high = (100 * np.array([f(v) for v in found]) for f in (np.min, np.median, np.max))
    ax.vlines(at, low, high, color=COLOR[color], lw=1, alpha=0.7)
    look = {"ms": 4.2, "mfc": COLOR["paper"] if k % 2 else COLOR[color], "mec": COLOR[color], "mew": 1.1}
    ax.plot(at, middle, marker=mark, ls=dash, color=COLOR[color], lw=1.5, label=label, **look)


def _between(ax, full, chance):
    """Dotted lines where nothing is lost and where nothing is left."""
    for share in (full, chance):
        ax.axhline(100 * share, color=COLOR["muted"], lw=1.1, ls=(0, (1, 2)), zorder=0)


def _percent(axes):
    axes.flat[0].set(ylim=(0, 103), yticks=[0, 25, 50, 75, 100])
    for ax in axes[:, 0]:
        ax.set_ylabel("right (%)")


def spread(values, gap):
    """Moves values apart until neighbours are at least `gap` from each other, keeping their order and their middle.

    >>> spread([50, 51, 90], 10).tolist()
    [45.5, 55.5, 90.0]
    """
    order = np.argsort(values, kind="stable")
    blocks = []  # runs of values that stand `gap` apart, around their mean
    for value in np.asarray(values, float)[order]:
        blocks.append([value])
        while len(blocks) > 1 and _places(blocks[-2], gap)[-1] + gap > _places(blocks[-1], gap)[0]:
            last = blocks.pop()
            blocks[-1] += last
    placed = np.concatenate([_places(block, gap) for block in blocks])
    out = np.empty(len(order))
    out[order] = placed
    return out


def _places(block, gap):
    return np.mean(block) + gap * (np.arange(len(block)) - (len(block) - 1) / 2)


def _names(axes, firsts, layers, labels):
    """The lines' names before their first points, in the panel where these are farthest apart, which gets room."""
    apart = [np.diff(np.sort(first)).min(initial=100) for first in firsts]
    ax, first = axes[int(np.argmax(apart))], firsts[int(np.argmax(apart))]
    share = min(0.6, 0.033 * max(map(len, labels)) * len(axes) / 2 + 0.04)  # of the panel's width
    left = layers[0] - 0.25
    ax.set_xlim(left - share / (1 - share) * (layers[-1] + 0.25 - left), layers[-1] + 0.25)
    for k, (end, place, label) in enumerate(zip(first, np.clip(spread(first, 9), 4, 99), labels)):
        ax.plot([left - 0.1, layers[0]], [place, end], color=COLOR["muted"], lw=0.6, ls="-", zorder=0)
        box = {"boxstyle": "square,pad=0.1", "fc": COLOR["paper"], "ec": "none"}
        style = {"ha": "right", "va": "center", "fontsize": _SMALL, "color": COLOR[_LOOKS[k][0]], "bbox": box}
        ax.text(left - 0.14, place, label, **style)


def _bar(ax, y, tokens, kind, name):
    ax.add_patch(patches.Rectangle((0, y - 0.3), tokens, 0.6, fc=COLOR[kind], lw=0))
