"""What `show` writes around its pictures: one wrapper, one small style that also holds outside the book."""

import html

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


def output(kind, body, alt, key=""):
    """An output that carries the style of all figures."""
    return Html(kind, style(PALETTE) + body, alt, key)


def alt_text(alt):
    """The alternative text without white space around it, or a ValueError where there is none."""
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError("alt is empty; say in one sentence what the picture shows, for a reader who cannot see it")
    return alt.strip()
