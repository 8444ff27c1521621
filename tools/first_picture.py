"""The picture the book opens with: one photo as its 256 patches, in a row that the reader folds.

The build asks for `page()`. The photo is stored, so that the build needs no scikit-image; run as a program, this cuts it
anew from the sample photo.
"""

from pathlib import Path

from PIL import Image

SIDE, PATCH = 224, 14  # px; 16 patches a side
PHOTO = Path(__file__).parents[1] / "book" / "_static" / "first.webp"
ALT = "A photo of a cat cut into 256 squares in reading order; only 16 squares to a row make the picture"

TEMPLATE = """\
<style>
.mm-first { --n: 24; container-type: inline-size; margin: 1.25rem 0 .5rem; }
.mm-first .stage { --cell: min(18px, (100cqw - 24px) / 26 - 1px); min-height: calc(18 * (var(--cell) + 1px)); }
.mm-first .fold { display: flex; width: max-content; }
.mm-first .pieces { display: grid; gap: 1px; grid-template-columns: repeat(var(--n), var(--cell)); margin: 0;
  align-content: start; }
.mm-first .pieces i { width: var(--cell); height: var(--cell); background-image: url("__PHOTO__");
  background-size: calc(16 * var(--cell)) auto;
  background-position: calc(var(--x) * -1 * var(--cell)) calc(var(--y) * -1 * var(--cell)); }
.mm-first .edge { position: relative; width: 24px; cursor: ew-resize; touch-action: none; border-radius: 4px; }
.mm-first .edge::after { content: ""; position: absolute; inset: 0 9px; border-radius: 3px;
  background: var(--mm-image, #b35900); }
.mm-first .edge::before { content: "\\2194"; position: absolute; top: 50%; left: -2px; z-index: 1; width: 28px;
  height: 28px; margin-top: -14px; border-radius: 50%; text-align: center; font: 16px/28px sans-serif;
  color: var(--mm-paper, #fff); background: var(--mm-image, #b35900); }
.mm-first .edge:focus-visible { outline: 3px solid var(--mm-ink, #222); }
.mm-first p { margin: 0 0 .5rem; font-variant-numeric: tabular-nums; }
.mm-first b { font-size: 1.6em; line-height: 1; }
.mm-first:not(.live) .edge, .mm-first:not(.live) p { display: none; }
@media print {
  .mm-first .edge, .mm-first p { display: none; }
  .mm-first .pieces i { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
</style>
<div class="mm-first" id="mm-first">
<p><b>24</b> pieces to a row<span aria-live="polite"></span></p>
<div class="stage"><div class="fold">
<div class="pieces" role="img" aria-label="__ALT__">
__CELLS__
</div>
<div class="edge" role="slider" tabindex="0" aria-label="Pieces to a row" aria-orientation="horizontal"
  aria-valuemin="15" aria-valuemax="26" aria-valuenow="24" aria-valuetext="24 pieces to a row"></div>
</div></div>
</div>
<script>
(() => {
  const box = document.getElementById("mm-first");
  const row = box.querySelector(".pieces"), edge = box.querySelector(".edge");
  const number = box.querySelector("b"), says = box.querySelector("p span");
  let n = 24;
  const fold = (value) => {
    n = Math.max(15, Math.min(26, value));
    box.style.setProperty("--n", n);
    number.textContent = n;
    edge.setAttribute("aria-valuenow", n);
    edge.setAttribute("aria-valuetext", n + " pieces to a row");
    says.textContent = n === 16 ? ": __FOUND__" : "";
  };
  const pitch = () => row.children[0].getBoundingClientRect().width + 1;
  edge.addEventListener("pointerdown", (e) => {
    edge.setPointerCapture(e.pointerId);
    e.preventDefault();
    edge.focus();
  });
  edge.addEventListener("pointermove", (e) => {
    if (edge.hasPointerCapture(e.pointerId))
      fold(Math.round((e.clientX - 12 - row.getBoundingClientRect().left) / pitch()));
  });
  edge.addEventListener("keydown", (e) => {
    const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, Home: -99, End: 99 }[e.key];
    if (step) { e.preventDefault(); fold(n + step); }
  });
  box.classList.add("live");
})();
</script>
"""


def photo():
    """The middle square of the cat, SIDE x SIDE pixels."""
    from mmtokedu import samples

    cat = samples.photo("chelsea")
    side = min(cat.shape[:2])
    left = (cat.shape[1] - side) // 2
    return Image.fromarray(cat[:side, left : left + side]).resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def page():
    """The HTML of the picture: the photo once, and 256 windows onto it, in raster order."""
    grid = SIDE // PATCH
    cells = (f'<i style="--x:{i % grid};--y:{i // grid}"></i>' for i in range(grid * grid))
    return (
        TEMPLATE.replace("__PHOTO__", f"../_static/{PHOTO.name}")
        .replace("__CELLS__", "".join(cells))
        .replace("__ALT__", ALT)
        .replace("__FOUND__", "two eyes, one cat.")
    )


if __name__ == "__main__":
    photo().save(PHOTO, "WEBP", quality=88)
    print(f"{PHOTO.name}: {PHOTO.stat().st_size // 1024} KB")
