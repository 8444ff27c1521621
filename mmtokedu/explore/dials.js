// One dial a pair, while a query and a key move over three frames: which hands are fast, which axis turns which, and that
// their product follows the offset alone. The base is explained in base.js; DATA are the grid, the pairs and the vectors.
mmExplore.define("dials", (DATA, { Explorable, number, clamp, fragment, element, button, pressed, options, slider, valued, table,
  tableRow, drag, keys, ACROSS }) => {
const GAP = 8; // pixels between two frames
const [FRAMES, ROWS, COLS] = DATA.grid, LETTERS = ["t", "h", "w"], LAYOUTS = Object.keys(DATA.axes);
const list = (count, make) => Array.from({ length: count }, (_, i) => make(i));

// ---------------------------------------------------------------- mmtokedu/mrope.py: rotate, for one vector
const speedsOf = (pairs, theta) => list(pairs, (i) => theta ** (-i / pairs));
function rotate(x, place, axis, theta) { // pair i is x[i], x[i + pairs]; a pair turns with its axis
  const pairs = axis.length, speeds = speedsOf(pairs, theta), turned = new Array(2 * pairs);
  for (let i = 0; i < pairs; i++) {
    const angle = place[axis[i]] * speeds[i], [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    turned[i] = x[i] * cos - x[i + pairs] * sin;
    turned[i + pairs] = x[i + pairs] * cos + x[i] * sin;
  }
  return turned;
}
const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const placeOf = (text) => text.split("_").map(Number);
const pairsOf = (x) => list(x.length / 2, (i) => [x[i], x[i + x.length / 2]]);

function outcome({ layout, theta, numbers, q, k }) { // both vectors after the rotation, each pair's share, the product
  const [query, key] = DATA.vectors[numbers], axis = DATA.axes[layout];
  const [turnedQ, turnedK] = [rotate(query, placeOf(q), axis, theta), rotate(key, placeOf(k), axis, theta)];
  const shares = pairsOf(turnedQ).map(([a, b], i) => a * turnedK[i] + b * turnedK[i + axis.length]);
  return { turnedQ, turnedK, shares, product: dot(turnedQ, turnedK) };
}
const longest = (numbers) => Math.sqrt(dot(...[0, 0].map((i) => DATA.vectors[numbers][i])) * dot(...[1, 1].map((i) => DATA.vectors[numbers][i])));

// ---------------------------------------------------------------- the page's fragment
const isPlace = (text) => /^\d_\d_\d$/.test(text) && placeOf(text).every((at, i) => at < DATA.grid[i]);
const isTheta = (n) => DATA.thetas.includes(n);
const oneOf = (name, known) => (text) => known(text) && { [name]: text };
const readFragment = (hash) => fragment("dials", hash, { // "#dials:layout=blocks,theta=100,numbers=ones,q=1_1_2,k=0_2_1,both=no"
  layout: oneOf("layout", (text) => LAYOUTS.includes(text)), theta: (text) => /^\d{2,5}$/.test(text) && isTheta(+text) && { theta: +text },
  numbers: oneOf("numbers", (text) => Object.hasOwn(DATA.vectors, text)), q: oneOf("q", isPlace), k: oneOf("k", isPlace),
  both: (text) => ["yes", "no"].includes(text) && { both: text === "yes" },
});
const writeFragment = ({ layout, theta, numbers, q, k, both }) => `#dials:layout=${layout},theta=${theta},numbers=${numbers},q=${q},k=${k},both=${both ? "yes" : "no"}`;

// Move one of the two, or both by as much: as far as the grid allows.
function moved(state, name, to) {
  const names = state.both ? ["q", "k"] : [name], from = placeOf(state[name]);
  const by = to.map((at, axis) => {
    const all = names.map((one) => placeOf(state[one])[axis]), most = DATA.grid[axis] - 1;
    return clamp(at - from[axis], -Math.min(...all), most - Math.max(...all));
  });
  return Object.fromEntries(names.map((one) => [one, placeOf(state[one]).map((at, axis) => at + by[axis]).join("_")]));
}

const core = { rotate, outcome, moved, readFragment, writeFragment };

// ---------------------------------------------------------------- the page around it
const PRESETS = [
  ["neighbours", { q: "0_1_2", k: "0_1_1" }],
  ["neighbours elsewhere", { q: "2_3_3", k: "2_3_2" }],
  ["the next frame", { q: "1_1_1", k: "0_1_1" }],
  ["far apart", { q: "2_3_3", k: "0_0_0" }],
];
const signed = (n) => (n > 0 ? `+${n}` : String(n).replace("-", "−"));
const fixed = (x) => x.toFixed(2).replace(/^-(0\.00)$/, "$1").replace("-", "−");
const told = (text) => placeOf(text).map((at, i) => `${LETTERS[i]} ${at}`).join(", ");
const period = (speed) => { const n = (2 * Math.PI) / speed; return n < 9.95 ? n.toFixed(1) : number(Math.round(n)); };
const AXIS_STYLE = [0, 1].map((mode) => LETTERS.map((letter, i) => `--axis-${letter}: ${DATA.colors[i][mode]};`).join(" "));

return class extends Explorable {
  static core = core;
  static observedAttributes = ["layout", "theta", "numbers", "query", "key"];
  static label = "Explore: one dial a pair, and the product of a query and a key";
  static modality = "video";
  static style = `
.app { ${AXIS_STYLE[0]} gap: .9rem 2rem; grid-template: "top" "grid" "answer" "dials" "more" / minmax(0, 1fr) } .app.dark { ${AXIS_STYLE[1]} }
.top { grid-area: top; display: grid; gap: .6rem .8rem; grid-template-columns: minmax(0, 1.2fr) minmax(0, .85fr) minmax(0, 1.15fr) } .top .row { grid-column: 1 / -1 } .top select { padding-inline: .3rem; font-size: .95rem }
.grid { grid-area: grid } .answer { grid-area: answer } .dials { grid-area: dials } .more { grid-area: more }
.dials canvas { width: 100%; display: block } .bar { width: 100%; height: 46px; display: block }
.hand { position: absolute; box-sizing: border-box; width: 24px; height: 24px; margin: -12px 0 0 -12px; touch-action: none; cursor: grab; display: grid; place-items: center; font-weight: 700; font-size: .85rem; line-height: 1; background: var(--paper) }
.hand::before { content: ""; position: absolute; inset: -5px } .hand.q { border: 3px solid var(--accent); border-radius: 50%; color: var(--accent); z-index: 2 } .hand.k { border: 3px solid var(--ink); border-radius: 4px }
.hand.together.q { margin: -17px 0 0 -17px } .hand.together.k { margin: -7px 0 0 -7px }
.answer { display: grid; gap: .5rem; align-content: start } .bigs { display: flex; flex-wrap: wrap; gap: .4rem 2rem; line-height: 1.15 } .big b { display: block; white-space: nowrap } .big.offset b { color: var(--ink); font-size: 2rem; padding-top: .6rem }
.big b { color: var(--accent) } .say { min-height: 2.9em } .axis-t { color: var(--axis-t) } .axis-h { color: var(--axis-h) } .axis-w { color: var(--axis-w) } .keys b { margin-right: .3em }
.frames { display: flex; gap: ${GAP}px; font-size: .8rem; color: var(--muted); margin-bottom: .4rem } .frames span { flex: 1 }
@container (min-width: 620px) {
  .app { grid-template: "top top" "grid answer" "dials dials" "more more" / minmax(0, 1.15fr) minmax(0, 1fr) } .top { grid-template-columns: repeat(3, minmax(0, 12rem)) 1fr }
}
`;

  settings() {
    const text = (name) => this.getAttribute(name) ?? "", pick = (name, valid, other) => (valid(text(name)) ? text(name) : other);
    return {
      layout: pick("layout", (one) => LAYOUTS.includes(one), "interleaved"), theta: isTheta(Number(text("theta"))) ? Number(text("theta")) : 20,
      numbers: pick("numbers", (one) => Object.hasOwn(DATA.vectors, one), "ones"), q: pick("query", isPlace, "1_1_2"), k: pick("key", isPlace, "0_2_1"), both: false,
    };
  }

  fragment() { return writeFragment(this.state); }

  get now() { return { ...this.state, product: this.made.product }; }

  move(name, to, before = this.now) { // before: where a drag began
    const change = moved(this.state, name, to);
    if (Object.entries(change).every(([one, place]) => this.state[one] === place)) return;
    this.$.hint.hidden = true;
    this.past = before;
    this.set(change);
  }

  changed(how) {
    this.made = outcome(this.state);
    super.changed(how);
    this.past = null;
  }

  // ------------------------------------------------------------ building, once
  build($) {
    const layout = this.select("layout", "the pairs turn", options([["blocks", "in blocks"], ["interleaved", "interleaved"]]), (value) => this.set({ layout: value }));
    const theta = this.select("theta", "theta", options(DATA.thetas.map((n) => [n, number(n)])), (text) => this.set({ theta: Number(text) }));
    const numbers = this.select("numbers", "query and key", options([["ones", "all ones"], ["drawn", "drawn numbers"]]), (value) => this.set({ numbers: value }));
    $.both = button("move both together", () => this.set({ both: !this.state.both }));
    const top = element("div", { class: "top" }, layout, theta, numbers, this.presets("Places worth trying", PRESETS));

    $.gridCanvas = element("canvas", { role: "img" });
    const how = "arrows move it by rows and columns, page keys by a frame";
    $.q = slider({ class: "hand q", "aria-valuemin": 0, "aria-valuemax": FRAMES * ROWS * COLS - 1, "aria-label": `The query: ${how}` }); $.q.append("q");
    $.k = slider({ class: "hand k", "aria-valuemin": 0, "aria-valuemax": FRAMES * ROWS * COLS - 1, "aria-label": `The key: ${how}` }); $.k.append("k");
    $.hint = element("span", { class: "quiet" }, "drag q or k");
    $.frames = element("p", { class: "frames", "aria-hidden": "true" }, ...list(FRAMES, (t) => element("span", {}, `t = ${t}`)));
    $.stage = element("div", { class: "stage" }, $.gridCanvas, $.k, $.q);
    const grid = element("div", { class: "grid" }, element("p", { class: "head" }, "Three frames ", element("span", {}, `of a film, ${ROWS} × ${COLS} tokens each`)), $.stage, $.frames,
      element("div", { class: "row" }, $.both, $.hint));

    [$.product, $.offset] = [element("b"), element("b")];
    $.bar = element("canvas", { class: "bar", role: "img" });
    $.say = element("p", { class: "say" });
    const answer = element("div", { class: "answer" }, element("div", { class: "bigs" }, element("p", { class: "big" }, $.product, "query times key"),
      element("p", { class: "big offset" }, $.offset, "offset in t, h, w")), $.bar, $.say);

    $.dials = element("canvas", { role: "img" });
    const about = { t: "which frame", h: "which row", w: "which column" };
    const dials = element("div", { class: "dials" }, element("p", { class: "head" }, "One dial a pair ", element("span", {}, "coloured hand: query; grey: key; the bar: what the pair adds")), $.dials,
      element("ul", { class: "keys" }, ...LETTERS.map((letter) => element("li", {}, element("b", { class: `axis-${letter}` }, letter), about[letter]))));
    $.rows = element("tbody");
    const all = table("Every pair in numbers", ["pair", "axis", "a full turn, steps", "query turned", "key turned", "adds"], $.rows);
    this.listenToHands();
    return [top, grid, answer, dials, this.more("Every pair in numbers", all)];
  }

  listenToHands() {
    const { stage, q, k } = this.$;
    drag(stage, (event) => {
      const path = event.composedPath(), box = stage.getBoundingClientRect(), name = path.includes(q) ? "q" : path.includes(k) ? "k" : null;
      if (!name) return null;
      this.held = name;
      const before = this.now, [x, y] = this.spot(this.state[name]), [left, top] = [event.clientX - box.left - x, event.clientY - box.top - y];
      return (move) => {
        const now = stage.getBoundingClientRect();
        this.move(name, this.nearest(move.clientX - now.left - left, move.clientY - now.top - top), before);
      };
    }, { focus: () => this.$[this.held] });
    for (const [name, node] of [["q", q], ["k", k]]) {
      const by = (t, h, w) => this.move(name, placeOf(this.state[name]).map((at, axis) => clamp(at + [t, h, w][axis], 0, DATA.grid[axis] - 1)));
      keys(node, ACROSS, ([across, down]) => by(0, down, across));
      keys(node, { PageUp: 1, PageDown: -1 }, (t) => by(t, 0, 0));
      keys(node, { Home: -9, End: 9 }, (n) => by(n, n, n));
    }
  }

  // ------------------------------------------------------------ words
  tell() {
    const { $, state, made } = this, { layout, theta, numbers, q, k, both } = state, most = longest(numbers);
    for (const name of ["layout", "theta", "numbers"]) $[name].value = state[name];
    pressed($.both, both);
    const offset = placeOf(q).map((at, axis) => at - placeOf(k)[axis]);
    $.product.textContent = fixed(made.product);
    $.offset.textContent = offset.map(signed).join(", ");
    $.bar.setAttribute("aria-label", `Query times key: ${fixed(made.product)}, of at most ${fixed(most)}`);
    $.say.textContent = this.happened(offset);
    for (const [node, place] of [[$.q, q], [$.k, k]]) {
      const [t, h, w] = placeOf(place);
      valued(node, (t * ROWS + h) * COLS + w, `${told(place)}; query times key ${fixed(made.product)}`);
      node.classList.toggle("together", q === k);
    }
    $.gridCanvas.setAttribute("aria-label", `${FRAMES} frames of ${ROWS} by ${COLS} tokens; the query at ${told(q)}, the key at ${told(k)}`);
    const axis = DATA.axes[layout], speeds = speedsOf(axis.length, theta);
    $.dials.setAttribute("aria-label", `${axis.length} dials, the fastest first: ${axis.map((a, i) => `${LETTERS[a]}, a turn in ${period(speeds[i])} steps`).join("; ")}`);
    if ($.more.open) {
      const degrees = (place, a, i) => `${Math.round((placeOf(place)[a] * speeds[i] * 180) / Math.PI)}°`;
      $.rows.replaceChildren(...axis.map((a, i) => tableRow(String(i), [LETTERS[a], period(speeds[i]), degrees(q, a, i), degrees(k, a, i), fixed(made.shares[i])])));
    }
    this.speak(`Query times key is ${fixed(made.product)} at offset ${LETTERS.map((letter, i) => `${letter} ${signed(offset[i])}`).join(", ")}.`);
  }

  happened(offset) { // what the last move did to the product
    const { past: before, state, made } = this;
    if (!before) return `The offset is ${offset.map(signed).join(", ")}. Move one, and the product changes; move both, and see.`;
    const step = (name) => placeOf(state[name]).map((at, axis) => at - placeOf(before[name])[axis]), steps = [step("q"), step("k")];
    const same = steps[0].every((n, axis) => n === steps[1][axis]), stays = Math.abs(made.product - before.product) < 1e-9;
    const hands = DATA.axes[state.layout].filter((a) => steps.some((by) => by[a])).length, count = `${hands} of ${DATA.axes[state.layout].length} pairs turned`;
    const product = stays ? `the product stays ${fixed(made.product)}` : `the product goes from ${fixed(before.product)} to ${fixed(made.product)}`;
    return `${same ? `Both moved by ${steps[0].map(signed).join(", ")}` : "One moved"}: ${count}, ${product}.`;
  }

  // ------------------------------------------------------------ pictures
  color3(axis) { return DATA.colors[axis][this.dark ? 1 : 0]; }

  get cell() { return Math.min(34, (this.$.stage.clientWidth - GAP * (FRAMES - 1)) / (FRAMES * COLS)); }
  corner(t) { return t * (COLS * this.cell + GAP); }
  spot(text) { // the middle of a token
    const [t, h, w] = placeOf(text);
    return [this.corner(t) + (w + 0.5) * this.cell, (h + 0.5) * this.cell];
  }
  nearest(x, y) {
    const wide = COLS * this.cell + GAP, t = clamp(Math.floor((x + 4) / wide), 0, FRAMES - 1);
    return [t, clamp(Math.floor(y / this.cell), 0, ROWS - 1), clamp(Math.floor((x - this.corner(t)) / this.cell), 0, COLS - 1)];
  }

  render() {
    this.drawGrid();
    this.drawBar();
    this.drawDials();
  }

  drawGrid() {
    const { $, state } = this, { cell } = this;
    if (!$.stage.clientWidth) return;
    $.stage.style.height = `${ROWS * cell}px`;
    const [ctx] = this.canvas($.gridCanvas);
    for (let t = 0; t < FRAMES; t++) for (let h = 0; h < ROWS; h++) for (let w = 0; w < COLS; w++) {
      const box = [this.corner(t) + w * cell, h * cell, cell - 1.5, cell - 1.5];
      ctx.fillStyle = this.color("video");
      ctx.globalAlpha = 0.2;
      ctx.fillRect(...box);
      ctx.globalAlpha = 1;
    }
    const [a, b] = [this.spot(state.k), this.spot(state.q)];
    ctx.strokeStyle = this.color("muted");
    ctx.lineWidth = 1.5;
    ctx.setLineDash([3, 4]);
    ctx.beginPath();
    ctx.moveTo(...a); ctx.lineTo(...b);
    ctx.stroke();
    ctx.setLineDash([]);
    for (const [node, [x, y]] of [[$.k, a], [$.q, b]]) Object.assign(node.style, { left: `${x - 0.75}px`, top: `${y - 0.75}px` });
    $.frames.style.width = `${FRAMES * COLS * cell + GAP * (FRAMES - 1)}px`;
  }

  drawBar() { // the product between as far below 0 and as far above it as it may get
    const { $, made, state } = this, [ctx, width] = this.canvas($.bar), most = longest(state.numbers), top = 4, tall = 20;
    if (!width) return;
    const x = (value) => 1 + ((value + most) / (2 * most)) * (width - 2);
    ctx.fillStyle = this.color("rule");
    ctx.fillRect(1, top, width - 2, tall);
    ctx.fillStyle = this.color("accent");
    ctx.fillRect(Math.min(x(0), x(made.product)), top, Math.abs(x(made.product) - x(0)), tall);
    ctx.fillStyle = this.color("ink");
    ctx.fillRect(x(0) - 0.75, top - 3, 1.5, tall + 6);
    ctx.fillStyle = this.color("muted");
    ctx.textBaseline = "middle";
    for (const [value, align] of [[-most, "start"], [0, "center"], [most, "end"]]) {
      ctx.textAlign = align;
      ctx.fillText(String(Math.round(value)).replace("-", "−"), x(value), top + tall + 13);
    }
  }

  drawDials() {
    const { $, made, state } = this, axis = DATA.axes[state.layout], wide = $.dials.clientWidth, across = wide < 560 ? 4 : 8;
    if (!wide) return;
    const each = wide / across, r = Math.min(46, each / 2 - 12), tall = 2 * r + 46;
    $.dials.style.height = `${(tall * axis.length) / across}px`;
    const [ctx] = this.canvas($.dials), speeds = speedsOf(axis.length, state.theta), [q, k] = [made.turnedQ, made.turnedK].map(pairsOf);
    const far = Math.max(...[...q, ...k].map(([a, b]) => Math.hypot(a, b))), most = Math.max(...list(axis.length, (i) => Math.hypot(...q[i]) * Math.hypot(...k[i])));
    ctx.textBaseline = "middle";
    axis.forEach((a, i) => {
      const x = (i % across) * each + r + 3, y = Math.floor(i / across) * tall + r + 4, color = this.color3(a);
      const hand = ([u, v]) => [x + (v / far) * (r - 2), y - (u / far) * (r - 2)]; // the first number up, the second to the right: a clock
      const [from, to] = [k[i], q[i]].map(([u, v]) => Math.atan2(v, u) - Math.PI / 2), turn = Math.atan2(Math.sin(to - from), Math.cos(to - from));
      ctx.fillStyle = color; // the angle between both
      ctx.globalAlpha = 0.16;
      ctx.beginPath();
      ctx.moveTo(x, y);
      ctx.arc(x, y, r * 0.72, from, from + turn, turn < 0);
      ctx.fill();
      ctx.globalAlpha = 1;
      ctx.strokeStyle = this.color("muted");
      ctx.lineWidth = 1;
      ctx.beginPath();
      ctx.arc(x, y, r, 0, 2 * Math.PI);
      ctx.stroke();
      for (const [pair, look, thick] of [[k[i], this.color("dropped"), 2.5], [q[i], color, 4]]) {
        ctx.strokeStyle = look;
        ctx.lineWidth = thick;
        ctx.beginPath();
        ctx.moveTo(x, y); ctx.lineTo(...hand(pair));
        ctx.stroke();
      }
      const up = (made.shares[i] / most) * (r - 2), side = x + r + 8; // what the pair adds
      ctx.fillStyle = this.color("accent");
      ctx.fillRect(side, Math.min(y, y - up), 6, Math.abs(up));
      ctx.fillStyle = this.color("muted");
      ctx.fillRect(side - 2, y - 0.5, 10, 1);
      this.font(ctx, 700);
      ctx.textAlign = "center";
      ctx.fillStyle = color;
      ctx.fillText(LETTERS[a], x, y + r + 12);
      this.font(ctx);
      ctx.fillStyle = this.color("muted");
      ctx.fillText(`${period(speeds[i])} steps`, x, y + r + 27);
    });
  }
};
});
