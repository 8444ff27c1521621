"""A sequence the way this book always draws one: cells in a row, spans bracketed, counts written."""

import html

from mmtokedu.show.markup import alt_text, caption_tag, output

# One cell of a strip, 16 x 24, in fill F and paper P: each modality has a mark of its own beside its colour.
_BOX = '<rect x="1" y="1" width="14" height="22" rx="2" fill="F"/>'
CELLS = {
    "text": _BOX + '<path d="M4 8h8M4 12h8M4 16h5" stroke="P" stroke-width="1.6"/>',
    "image": _BOX + '<path d="M4 8h4v4h-4zM8 12h4v4h-4z" fill="P"/>',
    "audio": _BOX + '<path d="M4 11v2M6.7 8v8M9.4 6v12M12 10v4" stroke="P" stroke-width="1.5"/>',
    "video": _BOX + '<path d="M3.4 4h2v2h-2zM10.6 4h2v2h-2zM3.4 18h2v2h-2zM10.6 18h2v2h-2zM6 9l5 3-5 3z" fill="P"/>',
    "special": '<path d="M8 1.5l6.5 10.5-6.5 10.5-6.5-10.5z" fill="F"/>',
    "dropped": '<path d="M2 2h12v20h-12zM2 22l12-20" fill="none" stroke="F" stroke-width="1.4" '
    'stroke-dasharray="2.5 2"/>',
}


def cells_svg(kind, count, most=8, bracket=True):
    """The cells of one span as SVG; a span longer than `most` shows its first ones, a gap, and its last."""
    shown = list(range(count)) if count <= most else [*range(most - 3), None, count - 1]
    cell = CELLS[kind].replace('"F"', f'"var(--mm-{kind})"').replace('"P"', '"var(--mm-paper)"')
    gap = "".join(f'<circle cx="{x}" cy="12" r="1.4" fill="var(--mm-{kind})"/>' for x in (3, 8, 13))
    drawn = "".join(
        f'<g transform="translate({16 * i})">{gap if which is None else cell}</g>' for i, which in enumerate(shown)
    )
    width = 16 * len(shown)
    if bracket:
        drawn += f'<path d="M1.5 28v6H{width - 1.5}v-6" fill="none" stroke="var(--mm-{kind})" stroke-width="1.5"/>'
    height = 37 if bracket else 24
    return f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" aria-hidden="true">{drawn}</svg>'


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
    alt = alt_text(alt)
    body = f'<div class="mm-row" role="img" aria-label="{html.escape(alt)}">{"".join(drawn)}</div>' + caption_tag(
        caption
    )
    return output("strip", f'<figure class="mm-strip">{body}</figure>', alt)
