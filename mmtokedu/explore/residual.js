// Each stage says what the stages before it left over: a vector in the plane, to drag, a chain of codes that reaches for it,
// and the best of all sums beside it. The base is explained in base.js; DATA are the codebooks, in thousandths.
mmExplore.define("residual", (DATA, { Explorable, number, plural, clamp, fragment, element, toggle, pressed, slider, valued, table,
  tableRow, keys, region }) => {
const STAGES = DATA.codebooks.length, K = DATA.codebooks[0].length, LETTERS = "abcd";

// ---------------------------------------------------------------- the functions of mmtokedu/rvq.py, for one vector
const plus = ([x, y], [u, v]) => [x + u, y + v], minus = ([x, y], [u, v]) => [x - u, y - v], long = ([x, y]) => Math.hypot(x, y);

function nearest([x, y], places) { // ties to the lowest index
  let found = 0, least = Infinity;
  places.forEach(([u, v], k) => {
    const distance = (x - u) ** 2 + (y - v) ** 2;
    if (distance < least) [found, least] = [k, distance];
  });
  return found;
}
function encode(vector, books) { // the codes, and what is left after 0, 1, … stages
  const codes = [], left = [vector];
  for (const book of books) {
    codes.push(nearest(left.at(-1), book));
    left.push(minus(left.at(-1), book[codes.at(-1)]));
  }
  return { codes, left };
}
const decode = (codes, books) => codes.reduce((sum, code, q) => plus(sum, books[q][code]), [0, 0]);
const allSums = (books) => books.reduce((sums, book) => sums.flatMap((sum) => book.map((entry) => plus(sum, entry))), [[0, 0]]);
function best(vector, books, sums = allSums(books)) { // the codes of the nearest sum, which is in its place by them
  let at = nearest(vector, sums);
  const rest = long(minus(vector, sums[at])), codes = [];
  for (const book of [...books].reverse()) { codes.unshift(at % book.length); at = Math.floor(at / book.length); }
  return { codes, rest };
}
function outside(vector, places) { // seen from it, all places lie on one side
  const angles = places.map((place) => { const [x, y] = minus(place, vector); return Math.atan2(y, x); }).sort((a, b) => a - b);
  return angles.some((angle, i) => (angles[i + 1] ?? angles[0] + 2 * Math.PI) - angle > Math.PI);
}
const GRID = (() => { // vectors all over the plane
  const line = Array.from({ length: 2000 / DATA.step + 1 }, (_, i) => (i * DATA.step - 1000) / 1000);
  return line.flatMap((y) => line.map((x) => [x, y]));
})();
function elsewhere(books) { // those of the grid for which another sum is nearer; in plain loops, for it is asked while a code is dragged
  const sums = Float64Array.from(allSums(books).flat());
  return GRID.filter((vector) => {
    let [x, y] = vector, least = Infinity;
    for (let i = 0; i < sums.length; i += 2) {
      const u = x - sums[i], v = y - sums[i + 1], distance = u * u + v * v;
      if (distance < least) least = distance;
    }
    for (const book of books) {
      let found = 0, near = Infinity;
      for (let k = 0; k < book.length; k++) {
        const u = x - book[k][0], v = y - book[k][1], distance = u * u + v * v;
        if (distance < near) { near = distance; found = k; }
      }
      x -= book[found][0]; y -= book[found][1];
    }
    return Math.sqrt(least) < Math.hypot(x, y) - 1e-9;
  });
}

// ---------------------------------------------------------------- the page's fragment
const isPlace = (n) => Number.isInteger(n) && Math.abs(n) <= 1000, isStages = (n) => Number.isInteger(n) && n >= 1 && n <= STAGES;
const PLACE = "-?\\d{1,4}_-?\\d{1,4}";

function readMoved(text) { // "a0_-200_410.b3_50_0": code 0 of stage 1, code 3 of stage 2; a Map, or null
  if (!text) return new Map();
  if (!new RegExp(`^[${LETTERS}]\\d_${PLACE}(\\.[${LETTERS}]\\d_${PLACE})*$`).test(text)) return null;
  const moved = new Map(text.split(".").map((one) => [one.slice(0, 2), one.slice(3).split("_").map(Number)]));
  const fit = [...moved].every(([name, place]) => Number(name[1]) < K && place.every(isPlace));
  return fit && writeMoved(moved) === text ? moved : null;
}
const writeMoved = (moved) => [...moved.keys()].sort().map((name) => `${name}_${moved.get(name).map((n) => n || 0).join("_")}`).join(".");

function booksOf({ stages, moved }) {
  const places = readMoved(moved);
  return DATA.codebooks.slice(0, stages).map((book, q) => book.map((entry, k) => (places.get(LETTERS[q] + k) ?? entry).map((n) => n / 1000)));
}
const readFragment = (hash) => fragment("residual", hash, { // "#residual:v=-720_20,stages=3,moved=b3_50_0,map=yes"
  v: (text) => {
    const [x, y] = new RegExp(`^${PLACE}$`).test(text) ? text.split("_").map(Number) : [];
    return isPlace(x) && isPlace(y) && `${x}_${y}` === text && { x, y };
  },
  stages: (text) => /^\d$/.test(text) && isStages(+text) && { stages: +text },
  moved: (text) => readMoved(text) && { moved: text }, map: (text) => ["yes", "no"].includes(text) && { map: text === "yes" },
});
const writeFragment = ({ x, y, stages, moved, map }) => `#residual:v=${x}_${y},stages=${stages}${moved && `,moved=${moved}`}${map ? ",map=yes" : ""}`;

const core = { encode, decode, allSums, best, outside, elsewhere, region, booksOf, readFragment, writeFragment };

// ---------------------------------------------------------------- the page around it
const PRESETS = [
  ["all four stages", { x: 160, y: 680, stages: 4, moved: "" }],
  ["on a code", { x: DATA.codebooks[0][0][0], y: DATA.codebooks[0][0][1], stages: 2, moved: "" }],
  ["far outside", { x: 1000, y: 1000, stages: 4, moved: "" }],
  ["near a border", { x: -720, y: 20, stages: 3, moved: "" }],
];
const SIZES = [9, 7, 5.5, 4.5], THICK = [4.5, 3.5, 2.7, 2];
const three = (x) => x.toFixed(3), two = (x) => x.toFixed(2).replace(/^-(0\.00)$/, "$1").replace("-", "−");
const percent = (x) => `${Math.round(100 * x)} %`;
const clean = (x) => (Math.abs(x) < 1e-9 ? 0 : x);

return class extends Explorable {
  static core = core;
  static observedAttributes = ["x", "y", "stages"];
  static label = "Explore: each stage says what the stages before it left over";
  static modality = "audio";
  static style = `
.app { gap: .9rem 1.6rem; grid-template: "top" "plane" "answer" "set" "keys" "more" / minmax(0, 1fr) }
.top { grid-area: top } .plane { grid-area: plane } .answer { grid-area: answer } .set { grid-area: set } .keys { grid-area: keys } .more { grid-area: more }
.stage { aspect-ratio: 1; overflow: hidden }
.hand { position: absolute; width: 26px; height: 26px; margin: -13px 0 0 -13px; border-radius: 50%; pointer-events: none; outline: none }
.hand:focus { box-shadow: 0 0 0 2px var(--paper), 0 0 0 4.5px var(--accent) }
.hint { right: 10px; bottom: 6px; background: var(--paper); padding: 0 .3em; border-radius: 4px }
.answer { display: grid; gap: .8rem; align-content: start }
.tokens { display: flex; gap: 3px } .tokens span { background: var(--main); color: var(--paper); font-size: 2rem; font-weight: 700; line-height: 1; min-width: 1.7em; padding: .32em 0; text-align: center; border-radius: 4px }
.big { line-height: 1.15 } .big b { display: block; line-height: 1; color: var(--ink) }
.bars { display: grid; grid-template-columns: auto minmax(0, 1fr) auto; gap: .3rem .7rem; align-items: center; font-size: .92rem }
.bars .bar { position: relative; height: 14px } .bars i { position: absolute; inset-block: 0; left: 0; box-sizing: border-box; border-radius: 3px }
.bars i.before { border: 1px dashed var(--dropped) } .bars i.after { background: var(--ink) } .bars .worse i.after { background: var(--accent) }
.bars .how { color: var(--muted); white-space: nowrap; text-align: end }
.say { border-left: 3px solid var(--rule); padding-left: .7rem; min-height: 5.8em } .say.other { border-color: var(--accent) }
.set { display: grid; gap: .6rem 1.6rem; grid-template-columns: minmax(0, 1fr); align-items: end } .set label { font-size: .92rem; gap: 0 } .set button { justify-self: start; text-align: start }
.keys { align-content: start } .keys canvas { width: 24px; height: 16px; display: inline-block; vertical-align: -.2em; margin-right: .4em }
@container (min-width: 620px) {
  .app { grid-template: "top top" auto "plane answer" auto "set answer" auto "keys answer" 1fr "more more" auto / minmax(0, 1.22fr) minmax(0, 1fr) }
}
`;

  settings() { // from the attributes, each checked; whatever is not valid is as if it were not there
    const given = (name) => this.hasAttribute(name) ? Number(this.getAttribute(name)) : NaN, [x, y, stages] = ["x", "y", "stages"].map(given);
    const there = isPlace(x) && isPlace(y);
    return { x: there ? x : 160, y: there ? y : 680, stages: isStages(stages) ? stages : 3, moved: "", map: false };
  }

  fragment() { return writeFragment(this.state); }

  changed(how) {
    const { x, y, stages, moved } = this.state, asked = `${stages} ${moved}`;
    this.vector = [x / 1000, y / 1000];
    if (asked !== this.asked) {
      this.asked = asked;
      this.books = booksOf(this.state);
      this.sums = allSums(this.books);
      this.others = elsewhere(this.books);
    }
    const { codes, left } = encode(this.vector, this.books);
    this.made = { codes, left, rests: left.map((one) => clean(long(one))), best: best(this.vector, this.books, this.sums) };
    this.better = this.made.best.rest < this.made.rests.at(-1) - 1e-9;
    this.picked = Math.min(this.picked ?? 0, stages * K - 1);
    super.changed(how);
  }

  // ------------------------------------------------------------ building, once
  build($) {
    const top = element("div", { class: "top" }, this.presets("Vectors worth trying", PRESETS));
    $.canvas = element("canvas", { role: "img" });
    const move = "arrows move it, with shift faster";
    $.v = slider({ class: "hand", "aria-valuemin": 0, "aria-label": `The vector: ${move}` });
    $.c = slider({ class: "hand", "aria-valuemin": 0, "aria-label": `One code: ${move}, in all places of its stage; page up and page down choose another` });
    $.hint = element("p", { class: "hint" }, "drag the vector, or a code");
    $.stage = element("div", { class: "stage" }, $.canvas, $.hint, $.v, $.c);
    const plane = element("div", { class: "plane" }, $.stage);

    $.tokens = element("div", { class: "tokens", "aria-hidden": "true" });
    $.written = element("p", { class: "sr" });
    [$.rest, $.of] = [element("b"), document.createTextNode("")];
    $.bars = element("div", { class: "bars" });
    [$.say, $.bits] = [element("p", { class: "say" }), element("p", { class: "quiet" })];
    const answer = element("div", { class: "answer" },
      element("div", {}, element("p", { class: "head" }, "What is written ", element("span", {}, "an integer a stage")), $.written, $.tokens),
      element("p", { class: "big" }, $.rest, $.of),
      element("div", {}, element("p", { class: "head" }, "Left by each stage ", element("span", {}, "dashed: before")), $.bars), $.say, $.bits);

    $.map = toggle("", () => this.set({ map: !this.state.map }));
    const set = element("div", { class: "set" }, this.range("stages", "stages", { min: 1, max: STAGES }, (stages) => this.set({ stages })), $.map);
    $.keys = [["code", "a code; filled: chosen"], ["sum", "a sum that these codes can say"], ["rest", "what is left, as far as the vector"],
      ["best", "the best of all sums, where it is another"]].map(([kind, label]) => [kind, element("canvas", { "aria-hidden": "true" }), label]);
    const marks = element("ul", { class: "keys" }, ...$.keys.map(([, mark, label]) => element("li", {}, mark, label)));
    $.rows = element("tbody");
    const all = table("Every stage in numbers", ["stage", "is given", "writes", "which is", "sum so far", "leaves"], $.rows);
    this.listenToHands();
    return [top, plane, answer, set, marks, this.more("Every stage in numbers", all)];
  }

  listenToHands() {
    const { v, c } = this.$;
    this.holding((at, reach) => {
      const [kind, index, where] = this.find(at, reach) ?? [];
      if (!kind) return null;
      if (kind === "v") return { at: where, hand: v, take: () => (to) => this.place(to) };
      return { at: where, hand: c, take: () => { this.pick(index); return (to) => this.placeCode(index, to); } };
    }, 14);
    for (const hand of [v, c]) for (const type of ["focus", "blur"]) hand.addEventListener(type, () => this.draw());
    this.arrows(v, () => this.vector, (to) => this.place(to));
    this.arrows(c, () => this.codes()[this.picked], (to) => this.placeCode(this.picked, to));
    const count = () => this.state.stages * K;
    keys(c, { PageDown: (i) => (i + 1) % count(), PageUp: (i) => (i + count() - 1) % count(), Home: () => 0, End: () => count() - 1 },
      (other) => this.pick(other(this.picked)));
  }

  pick(index) {
    this.picked = index;
    this.tell();
    this.draw();
  }

  base(q) { return decode(this.made.codes.slice(0, q), this.books); } // the sum before stage q
  codes() { return this.books.flatMap((book, q) => book.map((entry) => plus(this.base(q), entry))); } // where each code is seen

  place(to) {
    this.$.hint.hidden = true;
    const [x, y] = to.map((at) => clamp(Math.round(1000 * at), -1000, 1000) || 0);
    if (x !== this.state.x || y !== this.state.y) this.set({ x, y });
  }

  placeCode(index, to) { // seen at `to`: its stage's codebook is moved, wherever it is added
    this.$.hint.hidden = true;
    const q = Math.floor(index / K), inside = to.map((at) => clamp(at, -1, 1));
    const place = minus(inside, this.base(q)).map((at) => clamp(Math.round(1000 * at), -1000, 1000) || 0);
    const moved = writeMoved(readMoved(this.state.moved).set(LETTERS[q] + (index % K), place));
    if (moved !== this.state.moved) this.set({ moved });
  }

  // the vector, or the nearest code within reach, the later stage first: [kind, index, where it is], or null
  find([x, y], reach) {
    const far = ([a, b]) => Math.hypot(a - x, b - y), vector = this.toScreen(this.vector);
    if (far(vector) <= reach) return ["v", 0, vector];
    const near = this.codes().map((code, i) => ["c", i, this.toScreen(code)]).filter(([, , at]) => far(at) <= reach);
    return near.sort((a, b) => far(a[2]) - far(b[2]))[0] ?? null;
  }

  // ------------------------------------------------------------ words
  tell() {
    const { $, state, made, books, better } = this, { stages, map } = state, { codes, rests } = made, all = K ** stages;
    $.stages.value = stages;
    $.stagesOut.textContent = stages;
    $.stages.setAttribute("aria-valuetext", plural(stages, "stage"));
    $.tokens.replaceChildren(...codes.map((code) => element("span", {}, String(code))));
    $.written.textContent = codes.map((code, q) => `Stage ${q + 1}: ${code}`).join(", ");
    $.rest.textContent = three(rests.at(-1));
    $.of.nodeValue = `is left of the vector’s ${three(rests[0])}`;
    const most = Math.max(...rests, 1e-9);
    $.bars.replaceChildren(...codes.flatMap((_, q) => this.bar(q, rests[q], rests[q + 1], most)));
    $.say.textContent = this.happened();
    $.say.classList.toggle("other", better);
    const bits = Math.log2(K), powers = "⁰¹²³⁴";
    $.bits.textContent = `${plural(stages, "stage")} × ${bits} bits = ${stages * bits} bits. ` + (stages > 1
      ? `One codebook with the same bits would need ${K}${powers[stages]} = ${number(all)} codes; these ${stages} codebooks hold ${stages * K}.`
      : `One codebook of ${K} codes: another stage multiplies what can be said by ${K}.`);
    pressed($.map, map);
    $.map.textContent = `show where another sum is nearer: ${percent(this.others.length / GRID.length)}`;
    const where = ([x, y]) => `${two(x)} across, ${two(y)} up`, [spot] = [this.codes()[this.picked]], q = Math.floor(this.picked / K);
    $.v.setAttribute("aria-valuemax", 2000);
    valued($.v, state.x + 1000, `${where(this.vector)}; codes ${codes.join(", ")}; ${three(rests.at(-1))} left`);
    $.c.setAttribute("aria-valuemax", stages * K - 1);
    valued($.c, this.picked, `code ${this.picked % K} of stage ${q + 1} at ${where(spot)}; ${three(rests.at(-1))} left`);
    $.canvas.setAttribute("aria-label", `A vector at ${where(this.vector)} and a chain of ${plural(stages, "code")} from the middle: ${codes.join(", ")}; ` +
      `${three(rests.at(-1))} is left.${better ? ` The best of all sums, ${made.best.codes.join(", ")}, would leave ${three(made.best.rest)}.` : ""}`);
    if ($.more.open) {
      const pair = ([x, y]) => `${two(x)}, ${two(y)}`;
      $.rows.replaceChildren(...codes.map((code, i) => tableRow(String(i + 1), [pair(made.left[i]), code, pair(books[i][code]), pair(this.base(i + 1)), pair(made.left[i + 1])])));
    }
    this.speak(`Codes ${codes.join(", ")}; ${three(rests.at(-1))} left. ${better ? `Codes ${made.best.codes.join(", ")} would leave ${three(made.best.rest)}.` : ""}`.trim());
  }

  bar(q, before, after, most) { // what stage q was given, and what it leaves
    const bar = element("div", { class: `bar${after > before + 1e-9 ? " worse" : ""}` }), width = (x) => `${(100 * x) / most}%`;
    const [given, rest] = [element("i", { class: "before" }), element("i", { class: "after" })];
    given.style.width = width(before);
    rest.style.width = width(after);
    bar.append(given, rest);
    const how = after > before + 1e-9 ? `adds ${three(after - before)}` : before > 1e-9 ? `takes ${percent((before - after) / before)}` : "takes nothing";
    return [element("span", {}, `stage ${q + 1}`), bar, element("span", { class: "how" }, `${three(after)}, ${how}`)];
  }

  happened() { // what there is to see
    const { made: { codes, rests, best: other }, better } = this, { stages } = this.state, all = number(K ** stages);
    const worse = codes.findIndex((_, q) => rests[q + 1] > rests[q] + 1e-9);
    const grew = worse < 0 ? "" : `Stage ${worse + 1} makes it worse, from ${three(rests[worse])} to ${three(rests[worse + 1])}: it must write a code, and it has none for “nothing”. `;
    if (better) {
      const first = codes.findIndex((code, q) => code !== other.codes[q]) + 1;
      return `${grew}Not the best: of all ${all} sums, ${other.codes.join(" ")} leaves ${three(other.rest)}. Stage ${first} took the code nearest to what it was given, and no later stage can take that back.`;
    }
    if (stages === 1) return `${grew}The nearest of ${all} codes is written; what is left is lost.`;
    const why = outside(this.vector, this.sums) ? "the vector lies outside all of them, and the codes do not reach that far" : "here the choice stage by stage is the best";
    return `${grew}No other of the ${all} sums comes nearer: ${why}.`;
  }

  // ------------------------------------------------------------ pictures
  render() {
    this.wide = this.$.stage.clientWidth; // asked once: a size that is asked for again and again costs a layout each time
    this.drawPlane();
    for (const [kind, node] of this.$.keys) this.drawKey(kind, node);
  }

  trace(ctx, corners) {
    ctx.beginPath();
    corners.forEach((corner, i) => ctx[i ? "lineTo" : "moveTo"](...this.toScreen(corner)));
    ctx.closePath();
  }

  mark(ctx, [x, y], size, filled) { // a code
    ctx.beginPath();
    ctx.moveTo(x, y - size); ctx.lineTo(x + size, y); ctx.lineTo(x, y + size); ctx.lineTo(x - size, y); ctx.closePath();
    ctx.lineWidth = 3.5; ctx.strokeStyle = this.color("paper"); ctx.stroke();
    ctx.fillStyle = this.color(filled ? "audio" : "paper"); ctx.fill();
    ctx.lineWidth = 1.6; ctx.strokeStyle = this.color("audio"); ctx.stroke();
  }

  arrow(ctx, [x, y], [u, v], { color, thick, short = 0, dash = [] }) { // its head shrinks with it
    const far = Math.hypot(u - x, v - y);
    if (far < 1) return;
    const [a, b] = [(u - x) / far, (v - y) / far], head = Math.min(3 + 2.2 * thick, far * 0.6), [p, q] = [u - a * short, v - b * short];
    ctx.strokeStyle = ctx.fillStyle = color;
    ctx.lineWidth = thick;
    ctx.setLineDash(dash);
    if (far - short > head) { ctx.beginPath(); ctx.moveTo(x, y); ctx.lineTo(p - a * head * 0.8, q - b * head * 0.8); ctx.stroke(); }
    ctx.setLineDash([]);
    ctx.beginPath(); ctx.moveTo(p, q); ctx.lineTo(p - a * head - b * head * 0.5, q - b * head + a * head * 0.5);
    ctx.lineTo(p - a * head + b * head * 0.5, q - b * head - a * head * 0.5); ctx.closePath(); ctx.fill();
  }

  dashes(ctx, places, color) { // a chain that was not taken
    ctx.strokeStyle = color;
    ctx.lineWidth = 1.6;
    ctx.setLineDash([2, 4]);
    ctx.beginPath();
    places.forEach((place, i) => ctx[i ? "lineTo" : "moveTo"](...place));
    ctx.stroke();
    ctx.setLineDash([]);
  }

  drawPlane() {
    const { $, state, made, books, better } = this, [ctx, width, height] = this.canvas($.canvas);
    if (!width) return;
    const places = this.codes(), chain = Array.from({ length: state.stages + 1 }, (_, q) => this.base(q));
    if (state.map) {
      const side = (DATA.step / 1000) * this.scale;
      ctx.fillStyle = this.color("accent");
      ctx.globalAlpha = 0.3;
      ctx.beginPath(); // all in one, so that no seam shows
      for (const vector of this.others) { const [x, y] = this.toScreen(vector); ctx.rect(x - side / 2, y - side / 2, side + 0.3, side + 0.3); }
      ctx.fill();
      ctx.globalAlpha = 1;
    }
    let part; // at first the whole plane
    books.forEach((book, q) => { // who is nearest to what is left, each stage inside the chosen part of the one before
      const around = book.map((entry) => plus(chain[q], entry)), parts = around.map((_, k) => region(k, around, part));
      ctx.strokeStyle = this.color("dropped");
      ctx.lineWidth = q ? 0.8 : 1.3;
      for (const corners of parts) if (corners.length) { this.trace(ctx, corners); ctx.stroke(); }
      part = parts[made.codes[q]];
      this.trace(ctx, part);
      ctx.fillStyle = this.color("audio"); ctx.globalAlpha = 0.07; ctx.fill(); ctx.globalAlpha = 1;
    });
    ctx.strokeStyle = this.color("muted");
    ctx.lineWidth = 1;
    ctx.strokeRect(0.5, 0.5, width - 1, height - 1);
    ctx.fillStyle = this.color("audio");
    ctx.globalAlpha = 0.55;
    ctx.beginPath();
    if (state.stages > 1) for (const sum of this.sums) { const [x, y] = this.toScreen(sum); ctx.moveTo(x, y); ctx.arc(x, y, 1.5, 0, 2 * Math.PI); }
    ctx.fill();
    ctx.globalAlpha = 1;
    const screen = chain.map((place) => this.toScreen(place)), vector = this.toScreen(this.vector);
    if (better) this.drawBest(ctx, vector);
    ctx.fillStyle = this.color("muted");
    ctx.beginPath(); ctx.arc(...screen[0], 3, 0, 2 * Math.PI); ctx.fill();
    books.forEach((book, q) => book.forEach((_, k) => k === made.codes[q] || this.mark(ctx, this.toScreen(places[q * K + k]), SIZES[q], false)));
    books.forEach((_, q) => this.arrow(ctx, screen[q], screen[q + 1], { color: this.color("audio"), thick: THICK[q], short: SIZES[q] * 0.6 }));
    books.forEach((_, q) => this.mark(ctx, screen[q + 1], SIZES[q], true));
    this.arrow(ctx, screen.at(-1), vector, { color: this.color("ink"), thick: 2, short: 6, dash: [5, 4] });
    ctx.beginPath(); ctx.arc(...vector, 6, 0, 2 * Math.PI);
    ctx.fillStyle = this.color("ink"); ctx.fill();
    ctx.lineWidth = 2; ctx.strokeStyle = this.color("paper"); ctx.stroke();
    this.drawNames(ctx, places.map((place) => this.toScreen(place)), [vector, ...screen], width);
    for (const [hand, [left, top]] of [[$.v, vector], [$.c, this.toScreen(places[this.picked])]]) Object.assign(hand.style, { left: `${left}px`, top: `${top}px` });
  }

  drawBest(ctx, vector) {
    const { codes } = this.made.best, chain = Array.from({ length: codes.length + 1 }, (_, q) => this.toScreen(decode(codes.slice(0, q), this.books)));
    this.dashes(ctx, [...chain, vector], this.color("accent"));
    ctx.beginPath(); ctx.arc(...chain.at(-1), 7, 0, 2 * Math.PI);
    ctx.lineWidth = 2.5; ctx.strokeStyle = this.color("accent"); ctx.stroke();
  }

  drawNames(ctx, at, busy, width) { // each code's number, unless it would lie on another thing
    ctx.textBaseline = "middle";
    ctx.textAlign = "center";
    const taken = [...at, ...busy];
    at.forEach(([x, y], i) => {
      const q = Math.floor(i / K), off = SIZES[q] + 9, chosen = this.made.codes[q] === i % K;
      const free = [[0, -off], [off, 0], [-off, 0], [0, off]].map(([a, b]) => [x + a, y + b])
        .find(([a, b]) => a > 8 && b > 8 && a < width - 8 && b < width - 8 && taken.every(([u, v]) => Math.hypot(u - a, v - b) > 11));
      if (!free) return;
      taken.push(free);
      this.font(ctx, chosen ? 700 : "");
      ctx.lineWidth = 4; ctx.strokeStyle = this.color("paper"); ctx.strokeText(i % K, ...free);
      ctx.fillStyle = this.color(chosen ? "ink" : "muted"); ctx.fillText(i % K, ...free);
    });
  }

  drawKey(kind, node) {
    const [ctx] = this.canvas(node);
    if (kind === "code") { this.mark(ctx, [6, 8], 5, false); this.mark(ctx, [18, 8], 5, true); }
    else if (kind === "rest") this.arrow(ctx, [1, 8], [23, 8], { color: this.color("ink"), thick: 2, dash: [5, 4] });
    else if (kind === "sum") {
      ctx.fillStyle = this.color("audio"); ctx.globalAlpha = 0.55;
      for (const [x, y] of [[5, 5], [12, 11], [19, 6]]) { ctx.beginPath(); ctx.arc(x, y, 1.5, 0, 2 * Math.PI); ctx.fill(); }
    } else {
      this.dashes(ctx, [[0, 8], [9, 8]], this.color("accent"));
      ctx.beginPath(); ctx.arc(16, 8, 6, 0, 2 * Math.PI); ctx.lineWidth = 2.5; ctx.strokeStyle = this.color("accent"); ctx.stroke();
    }
  }
};
});
