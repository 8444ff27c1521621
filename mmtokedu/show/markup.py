"""What `show` writes around its pictures: one wrapper, one small style that also holds outside the book."""

import html
import numbers

# name -> (on light paper, on dark paper). A figure is drawn in the first and recoloured to the second.
# tests/test_show.py: text and modality colours reach 4.5:1 on the paper, modalities stay apart for the colour-blind.
PALETTE = {
    "ink": ("#22272e", "#e6e4dc"),
    "muted": ("#5f666f", "#a3a8ad"),
    "rule": ("#d9d5c9", "#3a4048"),
    "paper": ("#fbfaf6", "#14171b"),
    "text": ("#59626f", "#a9b5c4"),
    "image": ("#1f6cc0", "#4f97ee"),
    "audio": ("#b44808", "#ffa64d"),
    "video": ("#08553a", "#68e8c4"),
    "special": ("#7c1f70", "#dc6c9f"),
    "dropped": ("#8f897a", "#767d86"),
    "accent": ("#75561a", "#d9bd84"),  # ochre: what is pointed at, never a modality
}

# Jupyter, Colab and VS Code say "dark" each in their own way; the book does it with data-theme.
DARK = ":is([data-theme=dark],[data-jp-theme-light=false],[theme=dark],.vscode-dark)"


def style(palette):
    """The rules every output carries, so that it looks right where the book's style sheet is not loaded.

    `palette` maps names to (light, dark) colours. Zero-weight `:where` lets the book's rules win.
    """
    light, dark = (";".join(f"--mm-{name}:{pair[i]}" for name, pair in palette.items()) for i in (0, 1))
    root = ":where(.mm-figure,.mm-strip,.mm-source,.mm-frames,.mm-table,.mm-sounds)"
    return (
        f"<style>{root}{{{light}}}:where({DARK}) {root}{{{dark}}}"
        f"{DARK} .mm-light+.mm-dark{{display:block!important}}{DARK} .mm-light:has(+.mm-dark){{display:none}}"
        f"{root}{{margin:1em 0;max-width:720px;color:var(--mm-ink)}}"
        ":where(.mm-figure,.mm-frames) :where(img){display:block;max-width:100%;height:auto}"
        f"{root} :where(figcaption){{font-size:.9em;line-height:1.45;margin-top:.6em;color:var(--mm-muted)}}"
        ":where(.mm-grid){display:grid;gap:12px;align-items:start}"
        ":where(.mm-picture){position:relative}:where(.mm-picture img){width:100%;background:none;padding:0}"
        ":where(.mm-picture svg){position:absolute;inset:0;width:100%;height:100%}"
        ":where(.mm-title){font-size:.85em;line-height:1.3;margin-bottom:.3em}"
        ":where(.mm-row){display:flex;flex-wrap:wrap;gap:14px 2px;align-items:flex-start}"
        ":where(.mm-part){display:inline-flex;flex-direction:column;align-items:center;max-width:8.5em}"
        ":where(.mm-part svg){display:block;max-width:100%}"
        ":where(.mm-part b){font-weight:600;line-height:1.2;font-variant-numeric:tabular-nums}"
        ":where(.mm-part small){font-size:.78em;line-height:1.25;color:var(--mm-muted);text-align:center;"
        "padding:0 4px;overflow-wrap:anywhere}"
        ":where(.mm-source pre){margin:0;overflow-x:auto;font-size:.88em;line-height:1.5}"
        ":where(.mm-source) :where(.k,.kc,.kn,.ow){font-weight:600}"
        ":where(.mm-source) :where(.s1,.s2,.sd,.si,.sa,.mi,.mf){color:var(--mm-accent)}"
        ":where(.mm-source) :where(.c1,.sd){color:var(--mm-muted);font-style:italic}"
        ":where(.mm-frames label){display:flex;gap:.8em;align-items:center;flex-wrap:wrap;margin-bottom:.6em}"
        ":where(.mm-frames input){flex:1 1 10em;accent-color:var(--mm-ink)}"
        ":where(.mm-players){display:grid;grid-template-columns:repeat(auto-fill,minmax(min(15em,100%),1fr));gap:12px}"
        ":where(.mm-players audio){width:100%;display:block}"
        ":where(.mm-table){overflow-x:auto}:where(.mm-table table){border-collapse:collapse;margin:0;font-size:.93em;"
        "font-variant-numeric:tabular-nums}"
        ":where(.mm-table caption){caption-side:top;text-align:left;padding:0 0 .6em;color:var(--mm-muted)}"
        ":where(.mm-table) :where(th,td){padding:.35em .9em .35em .4em;border:0;border-bottom:1px solid var(--mm-rule);"
        "background:none;color:var(--mm-ink);vertical-align:top;font-weight:400}"
        ":where(.mm-table thead th,.mm-table .mm-group,.mm-table .mm-mark>*){font-weight:600}"
        ":where(.mm-table .mm-mark>:first-child){box-shadow:inset 3px 0 var(--mm-accent)}"
        ":where(.mm-table .mm-none){color:var(--mm-muted)}</style>"
    )


class Html:
    """An output of `show`: HTML between `<!-- mm:kind key -->` and `<!-- /mm -->`; in a terminal, its alt text.

    `key` stands for what a comparison of outputs leaves out (the highlighted source, the front-end file).
    """

    def __init__(self, kind, body, alt, key=""):
        self.kind, self.body, self.alt, self.key = kind, body, alt, key

    def _repr_html_(self):
        return f"<!-- mm:{' '.join(filter(None, (self.kind, self.key)))} -->{self.body}<!-- /mm -->"

    def __repr__(self):
        return f"[{self.kind}: {self.alt}]"


def caption_tag(caption):
    """A figcaption, or nothing."""
    return f"<figcaption>{html.escape(caption, quote=False)}</figcaption>" if caption else ""


def table_html(header, rows, caption, mark, digits):
    """A real table: heads for columns and rows, a body for each group, numbers to the right. See `show.table`."""
    body = [row for row in rows if not isinstance(row, str)]
    right = [any(_is_number(row[i]) for row in body) for i in range(len(header))]

    def cell(i, value, tag="td", scope=""):
        text, kind = str(value), ""
        if value is None:
            text, kind = "not measured yet", ' class="mm-none"'
        elif _is_number(value):
            text = f"{value:,.{digits}f}" if isinstance(value, float) else f"{value:,}"
        side = "right" if right[i] else "left"
        return f'<{tag}{scope}{kind} style="text-align:{side}">{html.escape(text, quote=False)}</{tag}>'

    head = "".join(cell(i, name, "th", ' scope="col"') for i, name in enumerate(header))
    bodies, number = [""], 0
    for row in rows:
        if isinstance(row, str):
            title = html.escape(row, quote=False)
            span = f'colspan="{len(header)}" scope="rowgroup" style="text-align:left"'
            bodies.append(f'<tr><th class="mm-group" {span}>{title}</th></tr>')
            continue
        cells = cell(0, row[0], "th", ' scope="row"') + "".join(cell(i, x) for i, x in enumerate(row) if i)
        bodies[-1] += f'<tr class="mm-mark">{cells}</tr>' if number in mark else f"<tr>{cells}</tr>"
        number += 1
    groups = "".join(f"<tbody>{rows}</tbody>" for rows in bodies if rows)
    return (
        f'<div class="mm-table" role="region" tabindex="0" aria-label="{html.escape(caption)}"><table class="table">'
        f"<caption>{html.escape(caption, quote=False)}</caption><thead><tr>{head}</tr></thead>{groups}</table></div>"
    )


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


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


def cells_svg(kind, count, most=8):
    """The cells of one span as SVG; a span longer than `most` shows its first ones, a gap, and its last."""
    shown = list(range(count)) if count <= most else [*range(most - 3), None, count - 1]
    cell = CELLS[kind].replace('"F"', f'"var(--mm-{kind})"').replace('"P"', '"var(--mm-paper)"')
    gap = "".join(f'<circle cx="{x}" cy="12" r="1.4" fill="var(--mm-{kind})"/>' for x in (3, 8, 13))
    drawn = "".join(
        f'<g transform="translate({16 * i})">{gap if which is None else cell}</g>' for i, which in enumerate(shown)
    )
    width = 16 * len(shown)
    bracket = f'<path d="M1.5 28v6H{width - 1.5}v-6" fill="none" stroke="var(--mm-{kind})" stroke-width="1.5"/>'
    return f'<svg viewBox="0 0 {width} 37" width="{width}" height="37" aria-hidden="true">{drawn}{bracket}</svg>'
