// How an image of a chosen size becomes tokens, under each system of the catalog. The base is explained in base.js; DATA is
// the catalog: the rules are the functions below, the numbers are this data.
mmExplore.define("patches", (DATA, { Explorable, PALETTE, roundHalfEven, number, plural, clamp, fragment, element, button, pressed,
  options, slider, valued, drag, keys, ACROSS }) => {
const MODELS = new Map(DATA.models.map((m) => [m.id, m]));

// ---------------------------------------------------------------- numbers, exactly as Python computes them
class Refused extends Error {}

function checkSize(h, w) {
  if (!Number.isSafeInteger(h) || !Number.isSafeInteger(w) || h < 1 || w < 1)
    throw new Refused("both sides must be whole numbers of pixels, at least 1");
}

function smartResize(h, w, { factor = 28, min_pixels = 3136, max_pixels = 1003520, rule = "transformers" } = {}) {
  checkSize(h, w);
  if (Math.max(h, w) / Math.min(h, w) > 200)
    throw new Refused(`one side is ${short(Math.max(h, w) / Math.min(h, w))} times the other, and 200 is the limit`);
  const lifted = rule === "qwen-vl-utils";
  let H = Math.max(lifted ? factor : 0, roundHalfEven(h / factor) * factor);
  let W = Math.max(lifted ? factor : 0, roundHalfEven(w / factor) * factor);
  if (H * W > max_pixels) {
    const shrink = Math.sqrt((h * w) / max_pixels), least = lifted ? 0 : factor;
    H = Math.max(least, Math.floor(h / shrink / factor) * factor);
    W = Math.max(least, Math.floor(w / shrink / factor) * factor);
  } else if (H * W < min_pixels) {
    const grow = Math.sqrt(min_pixels / (h * w));
    H = Math.ceil((h * grow) / factor) * factor;
    W = Math.ceil((w * grow) / factor) * factor;
  }
  if (!H || !W) throw new Refused(`it would become ${H} × ${W}, a side of no pixels`);
  return [H, W];
}

const GRIDS = new Map();
function tileGrids(least, most) { // all [columns, rows] of that many tiles, fewest first
  const key = `${least} ${most}`;
  if (!GRIDS.has(key)) {
    const all = [];
    for (let i = 1; i <= most; i++) for (let j = 1; j * i <= most; j++) if (i * j >= least) all.push([i, j]);
    GRIDS.set(key, all.sort((a, b) => a[0] * a[1] - b[0] * b[1])); // stable, as in Python
  }
  return GRIDS.get(key);
}

function tileGrid(h, w, { tile = 448, min_tiles = 1, max_tiles = 12 } = {}) { // -> [columns, rows]
  checkSize(h, w);
  let best = [1, 1], least = Infinity;
  for (const [cols, rows] of tileGrids(min_tiles, max_tiles)) {
    const gap = Math.abs(w / h - cols / rows);
    if (gap < least || (gap === least && w * h > 0.5 * tile * tile * cols * rows)) [best, least] = [[cols, rows], gap];
  }
  return best;
}

// The functions of mmtokedu/catalog/images.py, one for one: (height, width, parameters) -> resized, grid, cell, parts.
const cover = (size, cell) => size.map((side) => Math.ceil(side / cell));
const whole = (a, b) => (a - (a % b)) / b; // a // b of whole numbers
const roundFraction = (a, b) => { // round(Fraction(a, b)), half to even
  const low = whole(a, b), twice = 2 * (a - low * b);
  return twice > b || (twice === b && low % 2) ? low + 1 : low;
};
function floorDivide(a, b) { // a // b of floats, as CPython does it
  const div = (a - (a % b)) / b, low = Math.floor(div);
  return div - low > 0.5 ? low + 1 : low;
}
const noPixels = (rows, cols) => new Refused(`shrunk to fit it would be ${rows} × ${cols}, a side of nothing`);

const cropUnit = (h, w, { share, least = 0, most = Infinity }) => Math.min(Math.max(Math.floor(Math.min(h, w) / share), least), most);

// LLaVA: rows and columns of features that hold the picture once it lies in the middle of its canvas
function unpadded(h, w, high, wide) {
  const along = (full, side, scale) => full - 2 * whole(full - Math.trunc(Number((side * scale).toFixed(7))), 2);
  return w / h > wide / high ? [along(high, h, wide / w), wide] : [high, along(wide, w, high / h)];
}

const RULES = {
  fixed_square(h, w, { side, cell }) {
    const cells = whole(side, cell);
    return [[side, side], [cells, cells], "token", [["patches", cells * cells]]];
  },
  near_its_size(h, w, { factor, min_pixels, max_pixels }) {
    const resized = smartResize(h, w, { factor, min_pixels, max_pixels }), [rows, cols] = resized.map((n) => n / factor);
    return [resized, [rows, cols], "token", [["patches", rows * cols]]];
  },
  rows_with_breaks(h, w, { longest, cell, rounding }) {
    const ratio = Math.max(h / longest, w / longest);
    let size = [h, w];
    if (ratio > 1) size = size.map((n) => rounding === "nearest" ? Math.max(roundHalfEven(n / ratio), 1) : Math.floor(n / ratio));
    if (size.includes(0)) throw noPixels(...size);
    const [rows, cols] = cover(size, cell);
    return [[rows * cell, cols * cell], [rows, cols], "token", [["patches", rows * cols], ["row breaks", rows - 1], ["end", 1]]];
  },
  token_budget(h, w, { cell, max_tokens }) {
    const factor = Math.sqrt((max_tokens * cell ** 2) / (h * w));
    let rows = Math.floor((factor * h) / cell), cols = Math.floor((factor * w) / cell);
    if (rows === 0) [rows, cols] = [1, Math.min(whole(w, h), max_tokens)];
    else if (cols === 0) [rows, cols] = [Math.min(whole(h, w), max_tokens), 1];
    return [[rows * cell, cols * cell], [rows, cols], "token", [["patches", rows * cols]]];
  },
  billed_patches(h, w, { patch, max_patches }) {
    let [rows, cols] = cover([h, w], patch), resized = [h, w];
    if (rows * cols > max_patches) {
      rows = Math.floor(Math.sqrt(whole(max_patches * h, w)));
      cols = Math.floor(Math.sqrt(whole(max_patches * w, h)));
      if (!rows || !cols) throw noPixels(rows, cols);
      const [a, b] = rows * w <= cols * h ? [rows, h] : [cols, w]; // a/b patches per pixel, the smaller of the two
      const ceil = (n) => whole(n + b - 1, b);
      [rows, cols] = [ceil(h * a), ceil(w * a)];
      resized = [h, w].map((n) => Math.max(1, roundFraction(n * a * patch, b)));
    }
    return [resized, [rows, cols], "token", [["patches", rows * cols]]];
  },
  capped_cells(h, w, { cell, longest, max_tokens }) {
    const low = Math.min(h, w), long = Math.max(h, w);
    const beside = (side) => side === long ? low : Math.max(roundHalfEven(side / (long / low)), 1);
    const tooLarge = (side) => {
      const [a, b] = cover([beside(side), side], cell);
      return b * cell > longest || a * b > max_tokens;
    };
    let fits = 0;
    for (let end = long; fits < end; ) {
      const middle = Math.floor((fits + end) / 2);
      if (tooLarge(middle + 1)) end = middle;
      else fits = middle + 1;
    }
    const resized = h < w ? [beside(fits), fits] : [fits, beside(fits)], [rows, cols] = cover(resized, cell);
    return [resized, [rows, cols], "token", [["patches", rows * cols]]];
  },
  closest_tiles(h, w, { tile, max_tiles, per_tile }) {
    const [cols, rows] = tileGrid(h, w, { tile, max_tiles }), tiles = rows * cols;
    return [[rows * tile, cols * tile], [rows, cols], "tile", [["tiles", per_tile * tiles], ["thumbnail", tiles > 1 ? per_tile : 0]]];
  },
  any_resolution(h, w, { tile, patch, grids, max_tiles }) {
    const side = whole(tile, patch);
    let best = null;
    for (const [r, c] of grids) { // the canvas that keeps most of the picture, then the one that wastes least
      const scale = Math.min((c * tile) / w, (r * tile) / h);
      const kept = Math.min(Math.trunc(w * scale) * Math.trunc(h * scale), h * w), spare = kept - r * tile * c * tile;
      if (!best || kept > best.kept || (kept === best.kept && spare > best.spare)) best = { r, c, kept, spare };
    }
    const { r: rows, c: cols } = best;
    let [high, wide] = unpadded(h, w, rows * side, cols * side);
    if (max_tiles) {
      const shrink = Math.sqrt((high * wide) / (max_tiles * side ** 2));
      if (shrink > 1.1) [high, wide] = [floorDivide(high, shrink), floorDivide(wide, shrink)];
    }
    return [[rows * tile, cols * tile], [rows, cols], "tile", [["whole image", side * side], ["tiles", high * wide], ["newlines", high]]];
  },
  pan_and_scan(h, w, { side, cell, min_crop, max_crops, min_ratio }) {
    const low = Math.min(h, w), long = Math.max(h, w);
    let crops = Math.min(max_crops, Math.max(2, Math.min(whole(long, min_crop), Math.floor(long / low + 0.5))));
    if (long / low < min_ratio || Math.min(Math.ceil(long / crops), low) < min_crop) crops = 0;
    const each = whole(side, cell) ** 2, grid = w >= h ? [1, Math.max(crops, 1)] : [Math.max(crops, 1), 1];
    return [[side, side], grid, "crop", [["whole image", each], ["crops", each * crops]]];
  },
  stretched_tiles(h, w, { tile, longest_tiles, per_tile }) {
    const longest = tile * longest_tiles, aspect = w / h;
    let low = Math.trunc(w >= h ? longest / aspect : longest * aspect);
    low = Math.max(low + (low % 2), 1);
    const other = Math.ceil(low / tile), [rows, cols] = w >= h ? [other, longest_tiles] : [longest_tiles, other];
    return [[rows * tile, cols * tile], [rows, cols], "tile", [["tiles", per_tile * rows * cols], ["whole image", per_tile]]];
  },
  padded_tiles(h, w, { tile, patch, max_tiles }) {
    let [rows, cols] = cover([h, w], tile);
    if (rows * cols > max_tiles) [cols, rows] = tileGrid(h, w, { tile, max_tiles });
    const canvas = [rows * tile, cols * tile], down = canvas[0] / h, across = canvas[1] / w;
    const inside = across < down ? [Math.trunc(h * across), canvas[1]] : [canvas[0], Math.trunc(w * down)];
    if (Math.min(...inside) < 10) throw new Refused(`on its tiles it would be ${times(...inside)} px, and sides under 10 are refused`);
    const [high, wide] = [0, 1].map((i) => Math.ceil((whole(canvas[i], patch) - whole(canvas[i] - inside[i], patch)) / 2));
    const side = whole(whole(tile, patch), 2);
    return [canvas, [rows, cols], "tile", [["whole image", side * side], ["its newlines", side], ["separator", 1],
      ["tiles", high * wide], ["newlines", high]]];
  },
  tiled_canvas(h, w, { tile, max_tiles, per_tile }) {
    const canvases = [];
    for (let r = 1; r <= max_tiles; r++) for (let c = 1; c <= whole(max_tiles, r); c++)
      canvases.push({ r, c, scale: Math.min((r * tile) / h, (c * tile) / w) });
    const larger = canvases.map((it) => it.scale).filter((scale) => scale >= 1);
    const chosen = larger.length ? Math.min(...larger) : Math.max(...canvases.map((it) => it.scale));
    const { r: rows, c: cols } = canvases.filter((it) => it.scale === chosen).reduce((a, b) => (b.r * b.c < a.r * a.c ? b : a));
    const tiles = rows * cols;
    return [[rows * tile, cols * tile], [rows, cols], "tile", [["patches", (per_tile - 1) * tiles], ["class tokens", tiles]]];
  },
  billed_tiles(h, w, { fit, short: least, tile, base, per_tile }) {
    let [a, b] = [1, 1]; // the scale, as a fraction
    for (const [c, d] of [[fit, Math.max(h, w)], [least, Math.min(h, w)]]) if (c * b < a * d) [a, b] = [c, d];
    const [rows, cols] = [h, w].map((n) => whole(n * a + b * tile - 1, b * tile));
    const resized = [h, w].map((n) => Math.max(1, roundFraction(n * a, b)));
    return [resized, [rows, cols], "tile", [["base", base], ["tiles", per_tile * rows * cols]]];
  },
  crop_units(h, w, { small, share, per_tile, least, most }) {
    let [rows, cols] = [1, 1];
    if (Math.max(h, w) > small) {
      const unit = cropUnit(h, w, { share, least, most });
      if (!unit) throw new Refused("its crop unit has no pixels");
      [rows, cols] = cover([h, w], unit);
    }
    return [[h, w], [rows, cols], "tile", [["tiles", per_tile * rows * cols]]];
  },
  flat(h, w, { tokens }) {
    return [[h, w], [1, 1], "image", [["image", tokens]]];
  },
};

function plan(id, h, w) { // image_plan(model, height, width)
  const model = MODELS.get(id);
  if (!model) throw new Refused(`unknown model; known are ${[...MODELS.keys()].join(", ")}`);
  checkSize(h, w);
  const [resized, grid, cell, parts] = RULES[model.rule](h, w, model.parameters);
  return { model: id, resized, grid, cell, parts: parts.filter(([, n]) => n), tokens: parts.reduce((sum, [, n]) => sum + n, 0) };
}

const SPECIAL = new Set(["row breaks", "end", "newlines", "its newlines", "separator", "class tokens"]);

// ---------------------------------------------------------------- where things lie, for the eye
const square = (n) => Math.round(Math.sqrt(n));

// What there is to draw of a plan. `canvas` [height, width] is the picture as the system sees it, `content` [top, left,
// height, width] where the picture lies on it, `overview` the side of a second, small view of the whole; `grids` are cells
// over boxes of either; `parts` the sequence in its order, `spans` the brackets under it.
class Layout {
  constructor(canvas, content = [0, 0, ...canvas], overview = 0) {
    Object.assign(this, { canvas, content, overview, tokens: 0, grids: [], parts: [], spans: [], say: "", tiled: false });
    this.padded = content[2] < canvas[0] || content[3] < canvas[1];
  }
  cells([top, left, height, width], rows, cols, { breaks = 0, view = "main" } = {}) { // `breaks` tokens end each row
    if (cols) this.grids.push({ view, top, left, height, width, rows, cols, breaks, start: this.tokens });
    return this.add("image", rows * (cols + breaks), { rows, cols, breaks }); // a very thin picture may leave only breaks
  }
  opaque([top, left, height, width], count) { // a box whose cells are not published
    this.grids.push({ view: "main", top, left, height, width, rows: 0, cols: 0, breaks: 0, start: this.tokens });
    return this.add("image", count);
  }
  whole(side, cells, breaks = 0) { // the small view
    return this.mark("for the whole", () => this.cells([0, 0, side, side], cells, cells, { breaks, view: "overview" }));
  }
  tiles(rows, cols, tile, fill) { // row by row
    this.tiled = true;
    for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) fill([r * tile, c * tile, tile, tile]);
    return this;
  }
  mark(label, act) { // a bracket over what `act` adds
    const from = this.tokens;
    act();
    this.spans.push({ label: `${number(this.tokens - from)} ${label}`, from, to: this.tokens });
    return this;
  }
  add(kind, count, more = {}) {
    this.parts.push({ kind, count, ...more });
    this.tokens += count;
    return this;
  }
}
const times = (a, b) => `${number(a)} × ${number(b)}`;
const inRows = (rows, cols) => `${plural(rows, "row")} of ${plural(cols, "tile")}`;

function tokenCells(h, w, plan, p) { // one cell is one token
  const side = p.cell ?? p.factor ?? p.patch, [rows, cols] = plan.grid, canvas = [rows * side, cols * side];
  const breaks = Number(plan.parts.some(([what]) => what === "end"));
  const layout = new Layout(canvas, [0, 0, ...plan.resized]);
  layout.mark("for the picture", () => layout.cells([0, 0, ...canvas], rows, cols, { breaks }));
  layout.say = `${times(rows, cols)} cells of ${side} px`;
  if (breaks) layout.say += (rows > 1 ? ` + ${plural(rows - 1, "row break")}` : "") + " + 1 end";
  return layout;
}

function paddedSquare(h, w, plan, p) { // the whole picture in the middle of the square
  const scale = p.side / Math.max(h, w), [high, wide] = [h * scale, w * scale];
  const layout = new Layout(plan.resized, [(p.side - high) / 2, (p.side - wide) / 2, high, wide]);
  layout.mark("for the picture", () => layout.cells([0, 0, ...plan.resized], ...plan.grid));
  layout.say = `${times(...plan.grid)} cells of ${p.cell} px`;
  if (h !== w) layout.say += "; padded to a square here, as in its own code; transformers cuts the middle square out instead";
  return layout;
}
const PADS = new Set(["llava-1.5"]); // of the fixed squares: the others stretch the picture

const LAYOUTS = {
  fixed_square: tokenCells, near_its_size: tokenCells, rows_with_breaks: tokenCells, token_budget: tokenCells,
  billed_patches: tokenCells, capped_cells: tokenCells,
  closest_tiles(h, w, { grid: [rows, cols], resized }, { tile, per_tile }) {
    const several = rows * cols > 1, layout = new Layout(resized, undefined, several ? tile : 0), n = square(per_tile);
    layout.mark(several ? `in ${rows * cols} tiles` : "in one tile",
      () => layout.tiles(rows, cols, tile, (box) => layout.cells(box, n, n)));
    if (several) layout.whole(tile, n);
    layout.say = several ? `${inRows(rows, cols)} + a thumbnail of the whole, ${per_tile} tokens each` : `1 tile of ${per_tile} tokens`;
    return layout;
  },
  any_resolution(h, w, { grid: [rows, cols], resized, parts }, { tile, patch }) {
    const side = whole(tile, patch), count = new Map(parts), high = count.get("newlines") ?? 0;
    const wide = high && (count.get("tiles") ?? 0) / high;
    const scale = Math.min(resized[0] / h, resized[1] / w), inside = [h * scale, w * scale];
    const box = unpadded(h, w, rows * side, cols * side).map((n) => n * patch);
    const middle = ([a, b]) => [(resized[0] - a) / 2, (resized[1] - b) / 2, a, b];
    const layout = new Layout(resized, middle(inside), tile);
    layout.whole(tile, side);
    if (high) layout.mark("in rows", () => layout.cells(middle(box), high, wide, { breaks: 1 }));
    layout.say = `the whole, ${times(side, side)}, then ${times(high, wide)} cells + ${plural(high, "newline")}`;
    return layout;
  },
  pan_and_scan(h, w, { grid: [rows, cols], resized, parts }, { side, cell }) {
    const n = whole(side, cell), crops = parts.length > 1 ? rows * cols : 0;
    if (!crops) {
      const layout = tokenCells(h, w, { grid: [n, n], resized, parts }, { cell });
      layout.say = `the whole, ${times(n, n)}; not long enough for crops`;
      return layout;
    }
    const layout = new Layout([rows * side, cols * side], undefined, side);
    layout.whole(side, n);
    layout.mark(`in ${crops} crops`, () => layout.tiles(rows, cols, side, (box) => layout.cells(box, n, n)));
    layout.say = `the whole + ${crops} crops, ${n * n} tokens each`;
    return layout;
  },
  stretched_tiles(h, w, { grid: [rows, cols], resized }, { tile, per_tile }) {
    const n = square(per_tile), layout = new Layout(resized, undefined, tile);
    layout.mark(`in ${rows * cols} tiles`, () => layout.tiles(rows, cols, tile, (box) => layout.cells(box, n, n)));
    layout.whole(tile, n);
    layout.say = `${inRows(rows, cols)} + the whole, ${per_tile} tokens each`;
    return layout;
  },
  padded_tiles(h, w, { resized, parts }, { tile, patch }) {
    const count = new Map(parts), side = count.get("its newlines"), high = count.get("newlines"), wide = count.get("tiles") / high;
    const scale = Math.min(resized[0] / h, resized[1] / w), layout = new Layout(resized, [0, 0, h * scale, w * scale], tile);
    layout.whole(tile, side, 1).add("special", 1);
    layout.mark("in rows", () => layout.cells([0, 0, high * 2 * patch, wide * 2 * patch], high, wide, { breaks: 1 }));
    layout.say = `the whole, ${times(side, side)} + ${side} newlines, a separator, ${times(high, wide)} cells + ${plural(high, "newline")}`;
    return layout;
  },
  tiled_canvas(h, w, { grid: [rows, cols], resized }, { tile, per_tile }) {
    const reach = resized.map((full, i) => Math.min(Math.max([h, w][i], tile), full)); // small pictures grow to one tile only
    const scale = Math.min(reach[0] / h, reach[1] / w), layout = new Layout(resized, [0, 0, h * scale, w * scale]), n = square(per_tile - 1);
    layout.mark(`in ${plural(rows * cols, "tile")}`, () => layout.tiles(rows, cols, tile, (box) => layout.add("special", 1).cells(box, n, n)));
    layout.say = `${inRows(rows, cols)}, each of ${times(n, n)} patches and a class token before them`;
    return layout;
  },
  billed_tiles(h, w, { grid: [rows, cols], resized }, { tile, base, per_tile }) {
    const layout = new Layout([rows * tile, cols * tile], [0, 0, ...resized]);
    layout.mark("base", () => layout.add("image", base));
    layout.mark("for tiles", () => layout.tiles(rows, cols, tile, (box) => layout.opaque(box, per_tile)));
    layout.say = `${base} + ${inRows(rows, cols)}, ${per_tile} tokens each`;
    return layout;
  },
  crop_units(h, w, { grid: [rows, cols] }, { per_tile, ...bounds }) {
    const layout = new Layout([h, w]), tiles = rows * cols, unit = tiles > 1 ? cropUnit(h, w, bounds) : Math.max(h, w);
    const cut = ([t, l]) => [t, l, Math.min(unit, h - t), Math.min(unit, w - l)];
    layout.mark("for tiles", () => {
      if (tiles > 2000) layout.opaque([0, 0, h, w], tiles * per_tile); // a very thin picture: too many to draw
      else layout.tiles(rows, cols, unit, (box) => layout.opaque(cut(box), per_tile));
    });
    layout.say = `${inRows(rows, cols)}, ${per_tile} tokens each`;
    return layout;
  },
  flat(h, w, { tokens }) {
    const layout = new Layout([h, w]);
    layout.mark("for the picture", () => layout.opaque([0, 0, h, w], tokens));
    layout.say = "a fixed budget, whatever the picture";
    return layout;
  },
};

function layout(id, h, w) {
  const made = plan(id, h, w), { rule, parameters } = MODELS.get(id);
  const place = PADS.has(id) ? paddedSquare : LAYOUTS[rule];
  return Object.assign(place(h, w, made, parameters), { plan: made });
}

function tokens(id, h, w) { // null where the system refuses
  try { return plan(id, h, w).tokens; } catch (error) { if (error instanceof Refused) return null; throw error; }
}

// what an image costs: US dollars by the dated prices of the catalog
const dollars = (count, price) => (count * (price.multiplier ?? 1) * price.usd_per_million_tokens) / 1e6;

const core = { Refused, models: () => [...MODELS.keys()], prices: (id) => MODELS.get(id).prices, smartResize, tileGrid, plan, layout, tokens, dollars };

// ---------------------------------------------------------------- pictures, drawn in their own pixels
function ridge(ctx, w, h, base, height, seed, color) {
  const u = Math.min(w, h), step = Math.max(u / 50, w / 500);
  ctx.fillStyle = color;
  ctx.beginPath();
  ctx.moveTo(0, h);
  for (let x = 0; x <= w + step; x += step) {
    const t = x / u + seed;
    ctx.lineTo(x, h * base - u * height * (Math.sin(2.1 * t) + 0.5 * Math.sin(5.3 * t + 1) + 0.18 * Math.sin(13.7 * t)));
  }
  ctx.lineTo(w, h);
  ctx.fill();
}

function landscape(ctx, w, h) {
  const u = Math.min(w, h), sky = ctx.createLinearGradient(0, 0, 0, h * 0.7);
  sky.addColorStop(0, "#9cc9e6");
  sky.addColorStop(1, "#fbe8cf");
  ctx.fillStyle = sky;
  ctx.fillRect(0, 0, w, h);
  for (const [r, color] of [[0.15, "#fff1c9"], [0.105, "#f6b64a"]]) {
    ctx.fillStyle = color;
    ctx.beginPath();
    ctx.arc(w * 0.74, h * 0.27, u * r, 0, 2 * Math.PI);
    ctx.fill();
  }
  ridge(ctx, w, h, 0.58, 0.09, 0.4, "#9db8cc");
  ridge(ctx, w, h, 0.7, 0.065, 2.9, "#6f9a9c");
  ridge(ctx, w, h, 0.83, 0.03, 5.2, "#5d8a5f");
  const gap = Math.max(u * 0.15, w / 160);
  for (let x = gap / 2, i = 0; x < w; x += gap, i++) {
    const tall = u * (0.1 + 0.05 * Math.sin(i * 2.4)), y = h * 0.9 + u * 0.02 * Math.cos(i * 1.7);
    ctx.fillStyle = "#5b4636";
    ctx.fillRect(x - u * 0.006, y - tall * 0.2, u * 0.012, tall * 0.25);
    ctx.fillStyle = i % 3 ? "#33624a" : "#437a55";
    ctx.beginPath();
    ctx.moveTo(x, y - tall * 1.15);
    ctx.lineTo(x + tall * 0.34, y - tall * 0.15);
    ctx.lineTo(x - tall * 0.34, y - tall * 0.15);
    ctx.fill();
  }
  const x = w * 0.3, y = h * 0.86, a = u * 0.1; // a house, so that one place is worth looking at closely
  ctx.fillStyle = "#f4ead8";
  ctx.fillRect(x - a, y - a * 0.8, 2 * a, a * 1.2);
  ctx.fillStyle = "#b5482f";
  ctx.beginPath();
  ctx.moveTo(x - a * 1.2, y - a * 0.75);
  ctx.lineTo(x, y - a * 1.5);
  ctx.lineTo(x + a * 1.2, y - a * 0.75);
  ctx.fill();
  ctx.fillStyle = "#3b4a57";
  for (const dx of [-0.62, 0.3]) for (const i of [0, 1]) for (const j of [0, 1])
    ctx.fillRect(x + a * (dx + i * 0.18), y + a * (-0.5 + j * 0.18), a * 0.14, a * 0.14);
  ctx.fillRect(x - a * 0.16, y - a * 0.3, a * 0.3, a * 0.7);
}

const SERIF = 'Georgia, "Times New Roman", serif';
const WORDS = ("An image is a sequence once it has been cut. The page you see here is read as a grid of square cells, " +
  "left to right and top to bottom, and every cell becomes one token. Letters smaller than a cell survive only if the " +
  "resize before the cut leaves them enough pixels. Make the page larger and the letters stay, but the sequence grows; " +
  "make it smaller and the sequence is short, but nobody can read it any more.").split(" ");

const WIDTHS = new Map(); // of each word, in text of size 1
const RULER = document.createElement("canvas").getContext("2d"); // its own, so that measuring sets no font on a drawing
RULER.font = `100px ${SERIF}`;
function widthOf(word) {
  if (!WIDTHS.has(word)) WIDTHS.set(word, RULER.measureText(word).width / 100);
  return WIDTHS.get(word);
}

function page(ctx, w, h, [top, bottom]) {
  const size = w / 56, lead = Math.max(size * 1.45, h / 300), left = w * 0.1, right = w * 0.9;
  ctx.fillStyle = "#fdfcf8";
  ctx.fillRect(0, 0, w, h);
  ctx.fillStyle = "#1d2126";
  ctx.textBaseline = "alphabetic";
  ctx.font = `700 ${size * 1.9}px ${SERIF}`;
  ctx.fillText("What is left of a letter", left, h * 0.05 + size * 2);
  const space = widthOf(" ");
  let word = 0, line = 0;
  ctx.font = `${size}px ${SERIF}`;
  for (let y = h * 0.05 + size * 5; y < h * 0.95; y += lead, line++) {
    const seen = y > top - lead && y < bottom + lead; // nothing is drawn that is not looked at
    if (line % 11 === 10) continue; // between paragraphs
    if (line % 33 > 25) { // a small table
      if (!seen) continue;
      ctx.fillRect(left, y + size * 0.35, right - left, Math.max(size * 0.05, 0.5));
      for (let c = 0; c < 4; c++) ctx.fillText(String(((line * 7 + c * 13) % 89) * (c + 3)), left + c * w * 0.21, y);
      continue;
    }
    const text = [], room = ((line % 11 === 9 ? w * 0.6 : right) - left) / size;
    for (let x = 0; (x += widthOf(WORDS[word % WORDS.length]) + space) < room + space; word++) text.push(WORDS[word % WORDS.length]);
    if (seen) ctx.fillText(text.join(" "), left, y);
  }
}

function icon(ctx, w, h) {
  const u = Math.min(w, h);
  ctx.fillStyle = "#e9eef2";
  ctx.fillRect(0, 0, w, h);
  ctx.save();
  ctx.translate(w / 2 - u / 2, h / 2 - u / 2);
  ctx.scale(u / 64, u / 64);
  ctx.fillStyle = "#0b6aa8";
  ctx.beginPath();
  ctx.roundRect(4, 4, 56, 56, 13);
  ctx.fill();
  ctx.fillStyle = "#ffd98a";
  ctx.beginPath();
  ctx.arc(43, 22, 6.5, 0, 2 * Math.PI);
  ctx.fill();
  ctx.fillStyle = "#ffffff";
  ctx.beginPath();
  ctx.moveTo(10, 50); ctx.lineTo(25, 25); ctx.lineTo(36, 42); ctx.lineTo(42, 35); ctx.lineTo(54, 50);
  ctx.fill();
  ctx.restore();
}

// What to draw, what to call it, and a place (down, across, in pixels) worth a closer look.
const PICTURES = {
  landscape: { name: "a landscape", draw: landscape, look: (h, w) => [h * 0.86 - Math.min(h, w) * 0.042, w * 0.3 - Math.min(h, w) * 0.05] },
  page: { name: "a page of text", draw: page, look: (h, w) => [h * 0.05 + (w / 56) * 8, w * 0.34] },
  icon: { name: "an icon", draw: icon, look: (h, w) => [h * 0.5, w * 0.5] },
};
const PRESETS = [
  ["a panorama", { height: 900, width: 4800, picture: "landscape" }],
  ["a scanned page", { height: 2339, width: 1654, picture: "page" }],
  ["an icon", { height: 64, width: 64, picture: "icon" }],
];

// ---------------------------------------------------------------- the page around it
const UI_MAX = DATA.max_side;
const short = (x) => (x >= 100 ? String(Math.round(x)) : x >= 10 ? x.toFixed(1) : x.toFixed(2)).replace(/\.0+$/, "");
const isSide = (n) => Number.isInteger(n) && n >= 1 && n <= UI_MAX;

const sideOf = (name) => (text) => /^\d{1,5}$/.test(text) && isSide(+text) && { [name]: +text };
core.readFragment = (hash) => fragment("patches", hash, { // "#patches:h=1080,w=1920,m=qwen2.5-vl"
  h: sideOf("height"), w: sideOf("width"),
  m: (model) => MODELS.has(model) && { model },
  p: (picture) => Object.hasOwn(PICTURES, picture) && { picture },
});
core.writeFragment = ({ height, width, model, picture }) =>
  `#patches:h=${height},w=${width},m=${model}` + (picture === "landscape" || picture === "file" ? "" : `,p=${picture}`);

return class extends Explorable {
  static core = core;
  static observedAttributes = ["height", "width", "model", "picture"];
  static label = "Explore: how many tokens is a picture?";
  static style = `
.app { gap: 1rem 1.5rem; grid-template: "top" "pic" "answer" "cut" "lens" "strip" "more" / minmax(0, 1fr) }
.top { grid-area: top; display: flex; flex-wrap: wrap; gap: .6rem 1.4rem; align-items: end }
.pic { grid-area: pic } .cut { grid-area: cut } .answer { grid-area: answer } .lens { grid-area: lens } .strip { grid-area: strip } .more { grid-area: more }
.top label { flex: 1 1 8rem } .row label { flex: 0 0 7.4em } input[aria-invalid=true] { border: 2px solid var(--special) }
.head span { display: block }
.stage { height: 12.5rem } .pic .stage { height: 11rem }
.handle { position: absolute; width: 44px; height: 44px; margin: -22px 0 0 -22px; touch-action: none; cursor: nwse-resize;
  border-radius: 50%; display: grid; place-items: center }
.handle::after { content: ""; width: 18px; height: 18px; border-radius: 50%; background: var(--image);
  border: 3px solid var(--paper); box-shadow: 0 0 0 1.5px var(--image) }
.handle:hover::after, .dragging .handle::after { width: 22px; height: 22px }
.hint { width: 9em }
.big { font-size: 1.1rem; line-height: 1.1 } .big b { margin-right: .12em }
.refused .big b { color: var(--special); font-size: 2.2rem }
.answer p { margin: .2rem 0 } .about { margin-top: .5rem }
.lens { margin: 0 } .lens canvas { width: 252px; height: 120px; display: block; margin-bottom: .3rem } .lens figcaption { font-size: .85rem; color: var(--muted) }
.strip canvas { height: 70px } .strip .about { margin-top: .5rem }
.keys { margin-top: .3rem }
.keys i { display: inline-block; width: .9em; height: .9em; margin-right: .4em; vertical-align: -.08em; background: var(--image) }
.keys i.special { background: repeating-linear-gradient(90deg, var(--special) 0 2px, transparent 2px 4px); outline: 1px solid var(--special) }
.keys i.dropped { background: repeating-linear-gradient(45deg, var(--dropped) 0 2px, transparent 2px 5px); outline: 1px solid var(--dropped) }
.bars { display: grid; gap: 2px; margin-top: .4rem }
.bars button { display: grid; grid-template-columns: minmax(0, 1fr) 4.2em; gap: .1rem .6rem; text-align: start; align-items: center;
  border: 0; border-radius: 4px; background: none; width: 100%; padding: .15rem .4rem; min-height: 24px }
.bars button:hover, .bars button[aria-pressed=true] { background: color-mix(in srgb, var(--image) 12%, transparent); box-shadow: none }
.bars button[aria-pressed=true] { font-weight: 600 }
.bars .bar { grid-column: 1; height: 5px; background: var(--image) } .bars .n { grid-row: 1; grid-column: 2; text-align: end }
@container (min-width: 620px) {
  .app { grid-template: "top top" "pic cut" "answer lens" "strip strip" "more more" / minmax(0, 1fr) minmax(0, 1fr) }
  .stage, .pic .stage { height: 16rem } .top label { flex: 0 1 auto } .answer .big { margin-top: -.2rem }
  .bars button { grid-template-columns: 13em minmax(0, 1fr) 4.2em } .bars .bar { grid-column: 2; grid-row: 1; height: 10px }
  .bars .n { grid-column: 3 }
}
@media (pointer: coarse) { .bars button { min-height: 44px } }
`;

  settings() { // from the attributes, each checked; whatever is not valid is as if it were not there
    const [height, width] = ["height", "width"].map((name) => Number(this.getAttribute(name)));
    const [model, picture] = ["model", "picture"].map((name) => this.getAttribute(name));
    return {
      height: isSide(height) ? height : 1080,
      width: isSide(width) ? width : 1920,
      model: MODELS.has(model) ? model : MODELS.has("qwen2.5-vl") ? "qwen2.5-vl" : [...MODELS.keys()][0],
      picture: Object.hasOwn(PICTURES, picture ?? "") ? picture : "landscape",
    };
  }

  fragment() { return core.writeFragment(this.state); }

  // ------------------------------------------------------------ state
  set(change, { fit = true, ...how } = {}) {
    this.fitNext ||= fit; // the scale of the picture; it stays while the corner is held
    super.set(change, how);
  }

  settled(state) {
    return state.picture === "file" && !this.file ? { ...state, picture: "landscape" } : state;
  }

  changed(how) {
    const { model, height, width } = this.state;
    try {
      this.layout = core.layout(model, height, width);
      this.refusal = "";
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.layout = null;
      this.refusal = error.message;
    }
    if (this.pointed && !this.locate(this.pointed)) this.pointed = null;
    this.say("");
    super.changed(how);
  }

  reset(how) {
    this.pointed = null;
    super.reset(how);
  }

  // ------------------------------------------------------------ building, once
  build($) {
    const side = (name) => {
      const input = element("input", { type: "number", min: 1, max: UI_MAX, step: 1, inputmode: "numeric", id: name });
      input.addEventListener("input", () => {
        const ok = isSide(input.valueAsNumber);
        input.setAttribute("aria-invalid", String(!ok));
        if (ok) this.set({ [name]: input.valueAsNumber });
        else this.say(`The ${name} must be a whole number of pixels, 1 to ${number(UI_MAX)}.`);
      });
      input.addEventListener("change", () => { // Enter, or the field is left: back to the size that is shown
        if (isSide(input.valueAsNumber)) return;
        input.value = this.state[name];
        input.setAttribute("aria-invalid", "false");
        this.say(`The ${name} must be a whole number of pixels, 1 to ${number(UI_MAX)}; it is ${number(this.state[name])} again.`);
      });
      input.addEventListener("blur", () => this.tell());
      return element("label", {}, name, ($[name] = input));
    };
    const model = this.select("model", "model", [["vision", "open models"], ["billing", "bills"]].map(([kind, label]) =>
      element("optgroup", { label }, ...options(DATA.models.filter((m) => m.kind === kind).map((m) => [m.id, m.title])))),
      (model) => this.set({ model }));
    const pictures = Object.entries(PICTURES).map(([id, { name }]) => [id, name]);
    const picture = this.select("picture", "picture", options([...pictures, ["file", "a file of yours …"]]), (picture) => {
      if (picture !== "file") return this.set({ picture });
      this.tell();
      $.chooser.click();
    });
    $.chooser = element("input", { type: "file", accept: "image/*", hidden: "", "aria-label": "Your own picture" });
    $.chooser.addEventListener("change", () => this.open($.chooser.files[0]));
    $.message = element("p", { class: "quiet", role: "status", hidden: "" });

    const top = element("div", { class: "top" }, model, picture, $.chooser,
      element("div", { class: "row" }, side("height"), side("width")),
      this.presets("Sizes worth trying", PRESETS,
        { more: [button("turn it", () => this.set({ height: this.state.width, width: this.state.height }))] }),
      $.message);

    $.handle = slider({ class: "handle", "aria-valuemin": 1, "aria-valuemax": UI_MAX, "aria-label": "Corner of the picture: left and right arrows change its width, up and down its height, with shift faster" });
    $.source = element("canvas", { role: "img" });
    $.hint = element("p", { class: "hint" }, "drag the corner");
    $.sourceStage = element("div", { class: "stage" }, $.source, $.hint, $.handle);
    $.sourceSize = element("span");
    const pic = element("div", { class: "pic" }, element("p", { class: "head" }, "Your picture", $.sourceSize), $.sourceStage);
    $.cut = element("canvas", { role: "img" });
    $.cutStage = element("div", { class: "stage" }, $.cut);
    $.about = element("p", { class: "quiet about" });
    $.cutName = document.createTextNode("");
    $.cutSize = element("span");
    const cut = element("div", { class: "cut" }, element("p", { class: "head" }, $.cutName, $.cutSize), $.cutStage);

    $.big = element("b");
    $.unit = document.createTextNode("tokens");
    $.say = element("p", { class: "say" });
    $.shape = element("p", { class: "quiet" });
    $.price = element("p", { class: "quiet" });
    $.lensCanvas = element("canvas", { role: "img" });
    $.lensText = element("figcaption");
    $.lens = element("figure", { class: "lens" }, $.lensCanvas, $.lensText);
    $.answer = element("div", { class: "answer" },
      element("p", { class: "big" }, $.big, $.unit), $.say, $.shape, $.price);

    $.stripCanvas = element("canvas", { role: "img" });
    $.keys = element("ul", { class: "keys" });
    const strip = element("div", { class: "strip" }, $.stripCanvas, $.keys, $.about);
    $.bars = element("div", { class: "bars" });
    $.barOf = new Map(DATA.models.map((m) => {
      const bar = element("span", { class: "bar" }), n = element("span", { class: "n" });
      const node = button(m.title, () => this.set({ model: m.id }));
      node.append(bar, n);
      $.bars.append(node);
      return [m.id, { node, bar, n }];
    }));

    this.listenToHands();
    return [top, pic, $.answer, cut, $.lens, strip, this.more("The same picture in every system", $.bars)];
  }

  listenToHands() {
    const { handle, sourceStage, source, cut } = this.$;
    const sized = (x) => clamp(Math.round(x), 1, UI_MAX);
    drag(handle, ({ clientX: x, clientY: y }) => {
      const { width, height } = this.state, k = this.view.k;
      this.held = true;
      sourceStage.classList.add("dragging");
      return (move) => this.set({ width: sized(width + (move.clientX - x) / k), height: sized(height + (move.clientY - y) / k) }, { fit: false });
    }, { release: () => {
      this.held = false;
      this.$.hint.hidden = true;
      sourceStage.classList.remove("dragging");
      this.set({}); // the scale fits the picture again
    } });
    keys(handle, ACROSS, ([across, down], { shiftKey }) => {
      const step = shiftKey ? 100 : 10, { width, height } = this.state;
      this.set({ width: sized(width + across * step), height: sized(height + down * step) });
    });
    const point = (canvas, spot) => (event) => {
      if (this.held || !this.layout) return;
      const box = canvas.getBoundingClientRect();
      const place = spot(event.clientX - box.left, event.clientY - box.top);
      if (place && this.locate(place)) { this.pointed = place; this.draw(); }
    };
    const onSource = point(source, (x, y) => this.view.toPicture(x, y));
    const onCut = point(cut, (x, y) => this.cutView?.toPicture(x, y));
    for (const type of ["pointermove", "pointerdown"]) {
      source.addEventListener(type, onSource);
      cut.addEventListener(type, onCut);
    }
  }

  say(text) {
    this.$.message.textContent = text;
    this.$.message.hidden = !text;
  }

  async open(file) {
    if (!file) return;
    try {
      const bitmap = await createImageBitmap(file);
      if (!isSide(bitmap.width) || !isSide(bitmap.height))
        return this.say(`${bitmap.height} × ${bitmap.width} pixels; a side here may have 1 to ${number(UI_MAX)}.`);
      const small = Math.min(1, 1600 / Math.max(bitmap.width, bitmap.height)), preview = element("canvas");
      preview.width = Math.max(1, bitmap.width * small);
      preview.height = Math.max(1, bitmap.height * small);
      const ctx = preview.getContext("2d");
      ctx.imageSmoothingQuality = "high";
      ctx.drawImage(bitmap, 0, 0, preview.width, preview.height);
      const paint = (image) => (context, w, h) => { context.imageSmoothingQuality = "high"; context.drawImage(image, 0, 0, w, h); };
      this.file = { draw: paint(preview), closely: paint(bitmap), look: PICTURES.icon.look };
      this.set({ picture: "file", height: bitmap.height, width: bitmap.width });
    } catch {
      this.say("This file could not be read as a picture. It has not left your computer.");
    }
    this.$.chooser.value = "";
  }

  get picture() { return this.state.picture === "file" ? this.file : PICTURES[this.state.picture]; }

  // ------------------------------------------------------------ words
  tell() {
    const { $, layout, state } = this, model = MODELS.get(state.model);
    const focus = this.shadowRoot.activeElement;
    for (const name of ["height", "width"])
      if (focus !== $[name] || $[name].valueAsNumber !== state[name] && isSide($[name].valueAsNumber)) {
        $[name].value = state[name];
        $[name].setAttribute("aria-invalid", "false");
      }
    $.model.value = state.model;
    $.picture.value = state.picture;
    const size = `${number(state.height)} high, ${number(state.width)} wide`;
    valued($.handle, state.width, size);
    $.sourceSize.textContent = `${number(state.height)} × ${number(state.width)} px`;
    $.about.textContent = `${model.about} (${model.verified === "run" ? "Run against" : "Read in"}: ${model.source}; ${model.as_of}.)`;
    $.cutName.nodeValue = `Cut by ${model.title}`;
    $.answer.classList.toggle("refused", !layout);
    $.cutStage.hidden = $.stripCanvas.hidden = !layout;
    if (layout) {
      $.big.textContent = number(layout.tokens);
      $.unit.nodeValue = layout.tokens === 1 ? "token" : "tokens";
      $.say.textContent = layout.say;
      $.price.replaceChildren(...model.prices.map((price) => element("span", {}, this.cost(price))));
      $.shape.textContent = this.shape();
      $.cutSize.textContent = layout.canvas ? `${number(layout.canvas[0])} × ${number(layout.canvas[1])} px` : "";
      $.cut.setAttribute("aria-label", `${layout.say}. ${this.shape()}`);
      $.stripCanvas.setAttribute("aria-label", "The sequence: " + layout.spans.map((span) => span.label).join(", then "));
    } else {
      $.big.textContent = "refused";
      $.unit.nodeValue = "";
      $.say.textContent = `${model.title} does not take this picture: ${this.refusal}.`;
      $.shape.textContent = $.price.textContent = "";
      $.cutSize.textContent = "nothing to cut";
      $.cut.setAttribute("aria-label", "nothing: the picture is refused");
      $.stripCanvas.setAttribute("aria-label", "no sequence");
    }
    $.source.setAttribute("aria-label", `The picture, ${this.picture.name ?? "your file"}, ${size} pixels, under the model's grid`);
    const counts = { image: 0, special: 0 }, specials = [];
    for (const [what, n] of layout?.plan.parts ?? []) {
      const kind = SPECIAL.has(what) ? "special" : "image";
      counts[kind] += n;
      if (kind === "special") specials.push(what.replace("its ", ""));
    }
    const keys = [["image", `${number(counts.image)} image`]];
    if (specials.length) keys.push(["special", `${number(counts.special)} ${[...new Set(specials)].join(" and ")}`]);
    if (layout?.padded) keys.push(["dropped", "padding"]);
    $.keys.replaceChildren(...(layout ? keys : []).map(([kind, label]) => element("li", {}, element("i", { class: kind }), label)));
    if ($.more.open) {
      const all = DATA.models.map((m) => [m.id, core.tokens(m.id, state.height, state.width)]);
      const most = Math.max(1, ...all.map(([, n]) => n ?? 0));
      for (const [id, n] of all) {
        const bar = $.barOf.get(id);
        bar.n.textContent = n === null ? "refused" : number(n);
        bar.bar.style.width = `${(100 * (n ?? 0)) / most}%`;
        pressed(bar.node, id === state.model);
      }
    }
    this.speak(layout ? `${number(layout.tokens)} tokens: ${layout.say}` : $.say.textContent);
  }

  cost(price) {
    const usd = 1000 * core.dollars(this.layout.tokens, price), more = price.multiplier === 1 ? "" : `, times ${price.multiplier}`;
    const said = usd < 0.1 ? Number(usd.toPrecision(2)) : usd.toFixed(2); // a tiny price is not "0.00"
    return `1,000 such pictures cost $${said} of input with ${price.model} ` +
      `($${price.usd_per_million_tokens.toFixed(2)} a million tokens${more}; ${price.source}, ${price.as_of}). `;
  }

  shape() {
    const { layout, state } = this;
    if (!layout.content) return "";
    const down = layout.content[2] / state.height, across = layout.content[3] / state.width, bent = down / across;
    const grid = layout.grids.find((g) => g.view === "main" && g.rows) ?? layout.grids.find((g) => g.rows);
    const words = [];
    if (grid && grid.view === "main")
      words.push(`One cell holds ${short(grid.height / grid.rows / down)} × ${short(grid.width / grid.cols / across)} of your pixels.`);
    const much = Math.max(bent, 1 / bent);
    if (much < 1.005) words.push("The shape is kept.");
    else if (much < 1.05) words.push(`The shape is kept to ${((much - 1) * 100).toFixed(1)} %.`);
    else words.push(`The shape is not kept: a circle comes out ${short(much)} times as ${bent > 1 ? "tall as wide" : "wide as tall"}.`);
    return words.join(" ");
  }

  // ------------------------------------------------------------ pictures
  render() {
    this.drawSource();
    this.drawCut();
    this.drawLens();
    this.drawStrip();
  }

  canvas(node) { // its corners are sharp
    const made = super.canvas(node);
    Object.assign(made[0], { lineJoin: "miter", lineCap: "butt" });
    return made;
  }

  // part of the picture (top, left, height, width, in its pixels) into a box of a canvas
  paint(ctx, part, box, closely = false) {
    const { height, width } = this.state, [top, left, ph, pw] = part, [y, x, bh, bw] = box;
    ctx.save();
    ctx.beginPath();
    ctx.rect(x, y, bw, bh);
    ctx.clip();
    ctx.translate(x, y);
    ctx.scale(bw / pw, bh / ph);
    ctx.translate(-left, -top);
    ((closely && this.picture.closely) || this.picture.draw)(ctx, width, height, [top, top + ph]);
    ctx.restore();
  }

  // lines of one grid, box in CSS pixels
  lines(ctx, [y, x, h, w], rows, cols) {
    const fade = Math.min(1, Math.min(h / rows, w / cols) / 9);
    const path = new Path2D();
    for (let r = 0; r <= rows; r++) { path.moveTo(x, y + (h * r) / rows); path.lineTo(x + w, y + (h * r) / rows); }
    for (let c = 0; c <= cols; c++) { path.moveTo(x + (w * c) / cols, y); path.lineTo(x + (w * c) / cols, y + h); }
    ctx.lineWidth = 1;
    ctx.strokeStyle = `rgba(255,255,255,${0.35 * fade})`;
    ctx.stroke(path);
    ctx.lineWidth = 0.75;
    ctx.strokeStyle = `rgba(8,50,90,${Math.max(0.12, 0.7 * fade)})`;
    ctx.stroke(path);
  }

  frameBox(ctx, [y, x, h, w], color, width = 2, edge = this.color("paper")) {
    ctx.lineWidth = width + 2;
    ctx.strokeStyle = edge;
    ctx.strokeRect(x, y, w, h);
    ctx.lineWidth = width;
    ctx.strokeStyle = color;
    ctx.strokeRect(x, y, w, h);
  }

  drawSource() {
    const { state, layout, $ } = this, margin = 6;
    const [ctx, width, height] = this.canvas($.source);
    if (!width) return;
    const fits = (k) => state.width * k <= 0.86 * (width - 2 * margin) && state.height * k <= 0.86 * (height - 2 * margin);
    if (!this.view || (this.fitNext && !this.held) || this.view.stage !== width) {
      let n = 8; // scales are powers of the square root of two, so that small changes leave the scale alone
      while (n > -40 && !fits(2 ** (n / 2))) n--;
      this.view = { k: 2 ** (n / 2), stage: width };
      this.fitNext = false;
    }
    const k = this.view.k, box = [margin, margin, Math.max(1, state.height * k), Math.max(1, state.width * k)];
    this.view.toPicture = (x, y) => [(y - margin) / k, (x - margin) / k];
    this.paint(ctx, [0, 0, state.height, state.width], box);
    if (layout?.content) {
      const [top, left, ch, cw] = layout.content;
      const back = (g) => [ // a box of the model's canvas, back on the picture
        margin + ((g.top - top) / ch) * box[2], margin + ((g.left - left) / cw) * box[3],
        (g.height / ch) * box[2], (g.width / cw) * box[3]];
      ctx.save();
      ctx.beginPath();
      ctx.rect(box[1], box[0], box[3], box[2]);
      ctx.clip();
      const main = layout.grids.filter((g) => g.view === "main");
      for (const g of main.length ? main : layout.grids) {
        const at = main.length ? back(g) : box;
        if (g.rows) this.lines(ctx, at, g.rows, g.cols);
        if (layout.tiled) this.frameBox(ctx, at, PALETTE.image[0], 1.5, "#fff");
      }
      const found = this.found();
      if (found?.grid.view === "main" || (found && !main.length)) {
        const at = main.length ? back(found.box) : [margin + found.part[0] * k, margin + found.part[1] * k, found.part[2] * k, found.part[3] * k];
        this.frameBox(ctx, at, this.color("accent"));
      }
      ctx.restore();
    }
    ctx.strokeStyle = this.color("muted");
    ctx.lineWidth = 1;
    ctx.strokeRect(box[1], box[0], box[3], box[2]);
    $.handle.style.left = `${Math.min(box[1] + box[3], width)}px`;
    $.handle.style.top = `${Math.min(box[0] + box[2], height)}px`;
    const room = box[1] + box[3] > 150; // for the hint, left of the handle
    $.hint.style.left = `calc(${$.handle.style.left} ${room ? "- 10em" : "+ 20px"})`;
    $.hint.style.top = `calc(${$.handle.style.top} + ${room ? 6 : -10}px)`;
    $.hint.style.textAlign = room ? "end" : "start";
  }

  drawCut() {
    const { layout, $ } = this;
    const [ctx, width, height] = this.canvas($.cut), margin = 6, gap = 16;
    this.cutView = null;
    if (!width || !layout?.canvas) return;
    const [H, W] = layout.canvas, S = layout.overview ?? 0, space = S ? gap : 0;
    const beside = Math.min((width - 2 * margin - space) / (W + S), (height - 2 * margin) / Math.max(H, S));
    const below = Math.min((width - 2 * margin) / Math.max(W, S), (height - 2 * margin - space) / (H + S));
    const k = Math.min(Math.max(beside, below), 8), y = margin, x = margin;
    const main = [y, x, H * k, W * k];
    const [top, left, ch, cw] = layout.content;
    const inside = ([t, l, h, w]) => [y + t * k, x + l * k, h * k, w * k];
    if (layout.padded) this.hatch(ctx, [x, y, main[3], main[2]], 7);
    const whole = [0, 0, this.state.height, this.state.width];
    this.paint(ctx, whole, inside([top, left, ch, cw]));
    const second = beside >= below ? [y, x + main[3] + gap, S * k, S * k] : [y + main[2] + gap, x, S * k, S * k];
    if (S) this.paint(ctx, whole, second);
    const place = (g) => g.view === "main" ? inside([g.top, g.left, g.height, g.width])
      : [second[0] + g.top * k, second[1] + g.left * k, g.height * k, g.width * k];
    for (const g of layout.grids) if (g.rows) this.lines(ctx, place(g), g.rows, g.cols);
    if (layout.tiled) for (const g of layout.grids) this.frameBox(ctx, place(g), PALETTE.image[0], 1.5, "#fff");
    ctx.strokeStyle = this.color("muted");
    ctx.lineWidth = 1;
    ctx.strokeRect(x, y, main[3], main[2]);
    if (S) ctx.strokeRect(second[1], second[0], second[3], second[2]);
    const found = this.found();
    if (found) this.frameBox(ctx, place({ ...found.box, view: found.grid.view }), this.color("accent"));
    this.cutView = { side: y + main[2], toPicture: (px, py) => {
      const within = ([t, l, h, w]) => py >= t && py < t + h && px >= l && px < l + w;
      if (S && within(second))
        return [((py - second[0]) / second[2]) * this.state.height, ((px - second[1]) / second[3]) * this.state.width];
      return [(((py - y) / k - top) / ch) * this.state.height, (((px - x) / k - left) / cw) * this.state.width];
    } };
  }

  // the cell that holds a place (down, across, in the picture's pixels), or null
  locate([down, across]) {
    const { layout, state } = this;
    if (!layout?.content || down < 0 || across < 0 || down >= state.height || across >= state.width) return null;
    const main = layout.grids.some((g) => g.view === "main" && g.rows);
    const [top, left, ch, cw] = main ? layout.content : [0, 0, layout.overview, layout.overview];
    const y = top + (down / state.height) * ch, x = left + (across / state.width) * cw;
    for (const grid of layout.grids) {
      if (!grid.rows || (grid.view === "main") !== main) continue;
      const h = grid.height / grid.rows, w = grid.width / grid.cols;
      const r = Math.floor((y - grid.top) / h), c = Math.floor((x - grid.left) / w);
      if (r < 0 || c < 0 || r >= grid.rows || c >= grid.cols) continue;
      const box = { top: grid.top + r * h, left: grid.left + c * w, height: h, width: w };
      const sy = state.height / ch, sx = state.width / cw;
      return { grid, box, part: [(box.top - top) * sy, (box.left - left) * sx, h * sy, w * sx],
        index: grid.start + r * (grid.cols + grid.breaks) + c };
    }
    return null;
  }

  found() {
    const { height, width } = this.state;
    return this.locate(this.pointed ?? this.picture.look(height, width)) ?? this.locate([height / 2, width / 2]);
  }

  drawLens() {
    const { $ } = this, found = this.layout && this.found();
    $.lens.hidden = !found;
    if (!found) return;
    const [ctx, width, height] = this.canvas($.lensCanvas);
    const [top, left, h, w] = found.part, part = [top - h, left - w, 3 * h, 3 * w]; // the cell and its neighbours
    const side = height, tall = Math.min(1, (3 * h) / (3 * w)), wide = Math.min(1, w / h);
    const before = [(side - side * tall) / 2, (side - side * wide) / 2, side * tall, side * wide];
    this.paint(ctx, part, before, true);
    // afterwards: drawn fine, then averaged down to the pixels that the model gets, then shown as these pixels
    const pixels = [3 * found.box.height, 3 * found.box.width].map((n) => Math.max(1, Math.round(n)));
    const fine = Math.max(1, Math.min(6, Math.ceil(640 / Math.max(...pixels))));
    const large = element("canvas"), small = element("canvas");
    [large.height, large.width] = pixels.map((n) => n * fine);
    [small.height, small.width] = pixels;
    this.paint(large.getContext("2d"), part, [0, 0, large.height, large.width], true);
    const get = small.getContext("2d");
    get.imageSmoothingQuality = "high";
    get.drawImage(large, 0, 0, small.width, small.height);
    ctx.imageSmoothingEnabled = false;
    const x = width - side;
    ctx.drawImage(small, x, 0, side, side);
    for (const [t, l, hh, ww] of [before, [0, x, side, side]]) {
      this.frameBox(ctx, [t + hh / 3, l + ww / 3, hh / 3, ww / 3], this.color("accent"), 1.5);
      ctx.strokeStyle = this.color("muted");
      ctx.lineWidth = 1;
      ctx.strokeRect(l + 0.5, t + 0.5, ww - 1, hh - 1);
    }
    const words = `Token ${number(found.index + 1)} of ${number(this.layout.tokens)} and its neighbours: your pixels, ` +
      "and what the model gets of them. Point at another.";
    $.lensText.textContent = words;
    $.lensCanvas.setAttribute("aria-label", words);
  }

  // a box of the model's canvas, taken from a small copy of the picture, into a box of ours
  unroll(ctx, part, [y, x, h, w]) {
    const { layout, small } = this;
    const [top, left, ch, cw] = part.view === "main" ? layout.content : [0, 0, layout.overview, layout.overview];
    const down = small.height / ch, across = small.width / cw;
    ctx.drawImage(small, (part.left - left) * across, (part.top - top) * down, part.width * across, Math.max(part.height * down, 0.1), x, y, w, h);
  }

  drawStrip() {
    const { layout, $ } = this, [ctx, width, height] = this.canvas($.stripCanvas);
    if (!layout) return;
    const tall = 32, top = 10, each = width / layout.tokens, { state } = this;
    const shrink = 500 / Math.max(state.height, state.width);
    this.small = element("canvas");
    [this.small.height, this.small.width] = [state.height, state.width].map((n) => Math.max(1, Math.round(n * shrink)));
    this.paint(this.small.getContext("2d"), [0, 0, state.height, state.width], [0, 0, this.small.height, this.small.width]);
    let start = 0, last = "special";
    ctx.textAlign = "center";
    let free = -1; // where the last label ended
    for (const part of layout.parts) {
      const x = start * each, w = part.count * each, special = part.kind === "special";
      if (special) {
        ctx.fillStyle = this.color("special");
        ctx.fillRect(x, top - 3, Math.max(1.5, w), tall + 6);
      } else {
        ctx.fillStyle = this.color("image");
        ctx.fillRect(x, top, Math.max(1, w), tall);
        const grid = layout.grids.find((g) => g.start === start && g.cols);
        for (let r = 0; grid && r < grid.rows; r++) { // the picture's rows, end to end
          const [h, at] = [grid.height / grid.rows, x + r * (grid.cols + grid.breaks) * each];
          this.unroll(ctx, { ...grid, top: grid.top + r * h, height: h }, [top, at, tall - 6, grid.cols * each]);
        }
        ctx.fillStyle = this.color("paper");
        if (each >= 4) for (let i = 1; i < part.count; i++) ctx.fillRect(x + i * each - 0.5, top, 1, tall);
        else if (last === "image") ctx.fillRect(x - 0.5, top, 1, tall);
        if (part.breaks) {
          const line = (part.cols + part.breaks) * each;
          ctx.fillStyle = this.color("special");
          if (line >= 3) for (let i = 1; i <= part.rows; i++) ctx.fillRect(x + i * line - Math.max(1.5, each), top - 3, Math.max(1.5, each), tall + 6);
          else ctx.fillRect(x, top + tall, w, 3);
        }
      }
      start += part.count;
      last = part.kind;
    }
    for (const { label, from, to } of layout.spans) { // brackets
      const a = from * each + 1, b = to * each - 1, y = top + tall + 6;
      this.bracket(ctx, a, Math.max(a, b), y - 2, 4);
      const text = ctx.measureText(label).width, middle = Math.min(Math.max((a + b) / 2, text / 2), width - text / 2);
      if (middle - text / 2 > free && (text < b - a || layout.spans.length < 4)) {
        ctx.fillStyle = this.color("ink");
        ctx.fillText(label, middle, y + 16);
        free = middle + text / 2 + 8;
      }
    }
    const found = this.found();
    if (found) {
      const x = (found.index + 0.5) * each;
      ctx.fillStyle = this.color("accent");
      ctx.beginPath();
      ctx.moveTo(x - 5, 0); ctx.lineTo(x + 5, 0); ctx.lineTo(x, 8);
      ctx.fill();
      ctx.fillRect(x - 0.75, 4, 1.5, top + tall - 4);
    }
  }
};
});
