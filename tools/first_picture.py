"""Draw the picture the book opens with: one photo as its 256 patches, in a row that the reader folds.

Without arguments it writes book/_first.html; with --check it fails when that file is out of date.
"""

import base64
import io
import re
import sys
from pathlib import Path

from PIL import Image

from mmtokedu import samples

SIDE, PATCH = 224, 14  # px; 16 patches a side
PAGE = Path(__file__).parents[1] / "book" / "_first.html"
ALT = "A photo of a cat cut into 256 squares in reading order; only 16 squares to a row make the picture"

TEMPLATE = """\
<!-- Written by tools/first_picture.py. -->
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


def page():
    """The HTML of `book/_first.html`: the photo once, and 256 windows onto it, in raster order."""
    photo = samples.photo("chelsea")
    side = min(photo.shape[:2])
    left = (photo.shape[1] - side) // 2
    square = Image.fromarray(photo[:side, left : left + side]).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    square.save(file, "WEBP", quality=88)
    grid = SIDE // PATCH
    cells = (f'<i style="--x:{i % grid};--y:{i // grid}"></i>' for i in range(grid * grid))
    return (
        TEMPLATE.replace("__PHOTO__", "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode())
        .replace("__CELLS__", "".join(cells))
        .replace("__ALT__", ALT)
        .replace("__FOUND__", "two eyes, one cat.")
    )


def without_photo(html):
    """The page but for the encoded pixels, which differ between versions of the encoder."""
    return re.sub(r"base64,[A-Za-z0-9+/=]+", "base64,", html)


if __name__ == "__main__":
    if "--check" in sys.argv:
        if without_photo(PAGE.read_text()) != without_photo(page()):
            sys.exit(f"{PAGE.name} is out of date: run python tools/first_picture.py")
    else:
        PAGE.write_text(page())
        print(f"{PAGE.name}: {PAGE.stat().st_size // 1024} KB")
