"""Which patches of a picture are left: kept ones bright, dropped ones struck out; merged ones outlined, with sizes."""

import html

import numpy as np
from PIL import Image

from mmtokedu.show.markup import alt_text, caption_tag, output
from mmtokedu.show.pictures import _pixels, webp

_UNITS = 96  # of a drawing's longer side: type of 6 is then readable on a phone


def kept_patches(pixels, kept, *, grid=(8, 8), columns=None, alt=None, caption=None):
    """Show a picture once for each of {title: indices of the patches that are kept}; the others are struck out.

    pixels (H, W[, 3]) as of `images`, cut into grid (rows, columns) of patches, which are counted row by row. On a
    narrow page the pictures stand two by two.

    Raises ValueError for an index that is not of the grid, a grid that the picture does not fill, nothing to draw.

    >>> kept_patches(np.zeros((16, 16)), {"corners": [0, 3, 12, 15]}, grid=(4, 4))
    [figure: A picture of 4 × 4 patches. corners: 4 of 16 are kept, in rows 1, 4.]
    """
    shown, (rows, across) = _checked(pixels, grid, kept)
    drawn, told = {}, []
    for title, index in kept.items():
        chosen = np.unique(np.asarray(index, np.int64))
        if len(chosen) != np.size(index) or (len(chosen) and not 0 <= chosen[0] <= chosen[-1] < rows * across):
            raise ValueError(f"{title!r} keeps {np.asarray(index).tolist()}; patches count 0 to {rows * across - 1}")
        at = np.zeros((rows, across), bool)
        at.flat[chosen] = True
        drawn[title] = _struck_out(shown, ~at)
        where = ", ".join(str(row + 1) for row in np.flatnonzero(at.any(axis=1)))
        in_rows = f", in row{'s' if at.any(axis=1).sum() > 1 else ''} {where}" if where else ""
        told.append(f"{title}: {len(chosen)} of {rows * across} are kept{in_rows}.")
    return _figure(shown, drawn, columns, alt or f"A picture of {rows} × {across} patches. {' '.join(told)}", caption)


def groups(pixels, source, *, grid=(8, 8), columns=None, alt=None, caption=None):
    """Show which patches became one token, once for each of {title: source (N,)}, as of `mmtokedu.compress.Merged`.

    A line goes around each group, its size stands in its largest part; thin lines lead to parts that lie elsewhere.
    pixels and grid as of `kept_patches`.

    Raises ValueError for a source of another length than the grid, a grid that the picture does not fill, or nothing.

    >>> groups(np.zeros((16, 16)), {"one round": [0, 0, 1, 2]}, grid=(2, 2))
    [figure: A picture of 2 × 2 patches. one round: 3 groups, the largest of 2 patches, 2 of one alone.]
    """
    shown, (rows, across) = _checked(pixels, grid, source)
    drawn, told = {}, []
    for title, into in source.items():
        into = np.asarray(into)
        if into.shape != (rows * across,):
            raise ValueError(f"the source of {title!r} has shape {into.shape}; the grid has {rows * across} patches")
        _, into, sizes = np.unique(into, return_inverse=True, return_counts=True)
        drawn[title] = _outlined(shown, into.reshape(rows, across), sizes)
        alone = f"{(sizes == 1).sum()} of one alone" if (sizes == 1).any() else "none of one alone"
        told.append(f"{title}: {len(sizes)} groups, the largest of {sizes.max()} patches, {alone}.")
    return _figure(shown, drawn, columns, alt or f"A picture of {rows} × {across} patches. {' '.join(told)}", caption)


def _checked(pixels, grid, drawn):
    """(pixels as uint8, grid), or a ValueError."""
    shown, (rows, across) = _pixels(pixels), grid
    height, width = shown.shape[:2]
    if height % rows or width % across:
        raise ValueError(f"the picture has {height} x {width} pixels; {rows} x {across} patches do not fill it")
    if not drawn:
        raise ValueError("nothing to draw; give {title: patches}")
    return shown, (rows, across)


def _figure(shown, drawn, columns, alt, caption):
    """The picture once for each drawing that lies over it, {title: SVG}."""
    (height, width), address = shown.shape[:2], webp(Image.fromarray(shown))
    alt, pictures = alt_text(alt), []
    for title, over in drawn.items():
        said = html.escape(title, quote=False)
        pictures.append(
            f'<div><div class="mm-title">{said}</div><div class="mm-picture"><img width="{width}" height="{height}" '
            f'style="image-rendering:pixelated" alt="{html.escape(title)}" src="{address}">{over}</div></div>'
        )
    across = columns or min(len(drawn), 3)
    body = (
        f'<div class="mm-grid" style="grid-template-columns:repeat({across},minmax(0,1fr))" role="img" '
        f'aria-label="{html.escape(alt)}">{"".join(pictures)}</div>'
    )
    return output("figure", f'<figure class="mm-figure">{body}{caption_tag(caption)}</figure>', alt)


def _svg(shown, inside):
    height, width = shown.shape[:2]
    unit = _UNITS / max(height, width)
    return f'<svg viewBox="0 0 {width * unit:g} {height * unit:g}" aria-hidden="true">{inside}</svg>'


def _cells(shown, rows, across):
    """(height, width) of a patch in units of the drawing."""
    height, width = shown.shape[:2]
    unit = _UNITS / max(height, width)
    return height * unit / rows, width * unit / across


def _struck_out(shown, dropped):
    """The look of a dropped token over every patch that is dropped (rows, columns)."""
    tall, wide = _cells(shown, *dropped.shape)
    veils, marks = [], []
    for row, column in np.argwhere(dropped):
        x, y = column * wide, row * tall
        veils.append(f"M{x:g} {y:g}h{wide:g}v{tall:g}h{-wide:g}z")
        marks.append(f"M{x + 0.9:g} {y + 0.9:g}h{wide - 1.8:g}v{tall - 1.8:g}h{1.8 - wide:g}z")
        marks.append(f"M{x + 0.9:g} {y + tall - 0.9:g}L{x + wide - 0.9:g} {y + 0.9:g}")
    return _svg(
        shown,
        f'<path d="{"".join(veils)}" fill="var(--mm-paper)" fill-opacity=".8"/>'
        f'<path d="{"".join(marks)}" fill="none" stroke="var(--mm-dropped)" stroke-width=".5" '
        'stroke-dasharray="1.3 1"/>',
    )


def _outlined(shown, into, sizes):
    """Lines between patches of different groups, into (rows, columns), and each group's size where it is largest."""
    tall, wide = _cells(shown, *into.shape)
    rows, across = into.shape
    edges = [f"M0 0h{across * wide:g}v{rows * tall:g}h{-across * wide:g}z"]
    for row, column in np.argwhere(into[:, 1:] != into[:, :-1]):
        edges.append(f"M{(column + 1) * wide:g} {row * tall:g}v{tall:g}")
    for row, column in np.argwhere(into[1:] != into[:-1]):
        edges.append(f"M{column * wide:g} {(row + 1) * tall:g}h{wide:g}")
    leads, words = [], []
    for group, size in enumerate(sizes.tolist()):
        parts = [_middle(part, tall, wide) for part in parts_of(into == group)]
        x, y = parts[0]
        for there in parts[1:]:
            leads.append(f"M{x:g} {y:g}L{there[0]:g} {there[1]:g}m-.7 0a.7 .7 0 1 0 1.4 0a.7 .7 0 1 0 -1.4 0")
        if size > 1:
            words.append(f'<text x="{x:g}" y="{y + 2.1:g}">{size}</text>')
    line = f'<path d="{"".join(edges)}" fill="none" stroke='
    lead = f'<path d="{"".join(leads)}" fill="none" stroke-linecap="round" stroke='
    return _svg(
        shown,
        f'{line}"#1a1a1a" stroke-width="1.5"/>{line}"#fff" stroke-width=".7"/>'
        f'{lead}"#1a1a1a" stroke-width=".9"/>{lead}"#fff" stroke-width=".35"/>'
        f'<g fill="#fff" stroke="#1a1a1a" stroke-width="1.4" paint-order="stroke" font-size="6" font-weight="600" '
        f'text-anchor="middle" stroke-linejoin="round">{"".join(words)}</g>',
    )


def parts_of(member):
    """The connected parts of a set of patches, (rows, columns) bool -> [(n, 2) rows and columns], the largest first.

    >>> [part.tolist() for part in parts_of(np.array([[1, 0, 1], [0, 0, 1]], bool))]
    [[[0, 2], [1, 2]], [[0, 0]]]
    """
    left, parts = {tuple(place) for place in np.argwhere(member).tolist()}, []
    while left:
        part = [min(left)]
        left.discard(part[0])
        for row, column in part:
            near = {(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)} & left
            part += sorted(near)
            left -= near
        parts.append(np.array(sorted(part)))
    return sorted(parts, key=len, reverse=True)


def _middle(part, tall, wide):
    """The middle of the patch of a part that is nearest to the part's mean, as (x, y)."""
    row, column = part[np.square(part - part.mean(axis=0)).sum(axis=1).argmin()]
    return (column + 0.5) * wide, (row + 0.5) * tall
