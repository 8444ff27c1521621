// Which gradients pass a step that has none: one latent, its nearest code and what the task wants, in the plane, with the
// arrows among them. The base is explained in base.js; DATA are the presets in thousandths and the rate of a step.
mmExplore.define("gradients", (DATA, { Explorable, clamp, fragment, element, button, toggle, pressed, slider, valued, table, tableRow,
  region }) => {
const { rate: RATE, most: MOST } = DATA, K = DATA.presets.ahead[2].length;

// ---------------------------------------------------------------- the functions of mmtokedu/vq.py
const sum = (some) => some.reduce((a, b) => a + b, 0);
const minus = (a, b) => a.map((x, i) => x - b[i]);
const plus = (a, b, times = 1) => a.map((x, i) => x + times * b[i]);
const nearestCode = (vectors, codebook) => vectors.map((z) => { // ties to the lowest index
  const away = codebook.map((e) => sum(minus(z, e).map((x) => x * x)));
  return away.indexOf(Math.min(...away));
});
function vqGradients(vectors, codebook, codes, upstream, beta) { // both losses are means over all numbers of the vectors
  const size = vectors.length * vectors[0].length, toCodebook = codebook.map((e) => e.map(() => 0));
  const toVectors = vectors.map((z, i) => {
    const pull = minus(z, codebook[codes[i]]).map((x) => (2 * x) / size);
    toCodebook[codes[i]] = minus(toCodebook[codes[i]], pull);
    return plus(upstream[i], pull, beta);
  });
  return [toVectors, toCodebook];
}

function outcome({ z, t, codes, beta, through }) { // as explore/_gradients.py has it
  const [code] = nearestCode([z], codes), error = minus(codes[code], t), task = error.map((x) => (2 * x) / z.length);
  const [[toLatent], toCodebook] = vqGradients([z], codes, [code], [through ? task : task.map(() => 0)], beta);
  return { code, loss: sum(error.map((x) => x * x)) / z.length, task, toLatent, toCodebook };
}
function stepped(world) { // one gradient step: z, codes
  const { toLatent, toCodebook } = outcome(world);
  return { z: plus(world.z, toLatent, -RATE), codes: world.codes.map((e, k) => plus(e, toCodebook[k], -RATE)) };
}

// ---------------------------------------------------------------- a state: places as text in thousandths, "-560_-50"
const parse = (text) => { const all = text.split("_").map((n) => n / 1000); return Array.from({ length: all.length / 2 }, (_, i) => all.slice(2 * i, 2 * i + 2)); };
const write = (places) => places.flat().map((x) => Math.round(1000 * clamp(x, -1, 1)) || 0).join("_"); // to the nearest thousandth, within the plane
const worldOf = ({ z, t, codes, beta, through }) => ({ z: parse(z)[0], t: parse(t)[0], codes: parse(codes), beta, through });
const opened = (preset) => { const [z, t, codes, beta] = DATA.presets[preset]; return { z: z.join("_"), t: t.join("_"), codes: codes.flat().join("_"), beta, through: true }; };

const isBeta = (x) => x >= 0 && x <= MOST;
const place = (name, count) => (text) => /^-?\d+(_-?\d+)*$/.test(text) && parse(text).length === count && write(parse(text)) === text && { [name]: text };
const readFragment = (hash) => fragment("gradients", hash, { // "#gradients:z=-560_-50,t=500_300,codes=…,beta=0.25,through=on"
  z: place("z", 1), t: place("t", 1), codes: place("codes", K), beta: (text) => /^\d(\.\d{1,2})?$/.test(text) && isBeta(+text) && { beta: +text },
  through: (text) => ["on", "off"].includes(text) && { through: text === "on" },
});
const writeFragment = ({ z, t, codes, beta, through }) => `#gradients:z=${z},t=${t},codes=${codes},beta=${beta},through=${through ? "on" : "off"}`;
const core = { nearestCode, vqGradients, outcome, stepped, region, readFragment, writeFragment };

// ---------------------------------------------------------------- the page around it
const PRESETS = [["the arrow helps", "ahead"], ["the arrow misleads", "beyond"], ["beta 0: z wanders", "wander"], ["a dead code", "dead"]];
const HANDS = ["t", ...Array.from({ length: K }, (_, k) => `c${k}`), "z"]; // the last on top
const signed = (x) => x.toFixed(2).replace(/^-(0\.00)$/, "$1").replace("-", "−");
const pair = (at) => `(${at.map(signed).join(", ")})`;
const long = (at) => Math.hypot(...at);
const list = (some) => (some.length < 2 ? some.join("") : `${some.slice(0, -1).join(", ")} and ${some.at(-1)}`);
const KEYS = [["task", "the task's arrow at the code"], ["copy", "its copy at z: straight-through"], ["commit", "commitment: z towards its code, times beta"],
  ["book", "codebook: the code towards z"], ["next", "where a step takes z"]];

return class extends Explorable {
  static core = core;
  static observedAttributes = ["preset", "beta", "through"];
  static label = "Explore: which gradients pass a step that has none";
  static style = `
.app { gap: .9rem 1.6rem; grid-template: "top" "plane" "acts" "answer" "say" "keys" "note" "more" / minmax(0, 1fr) }
.top { grid-area: top } .answer { grid-area: answer } .plane { grid-area: plane } .acts { grid-area: acts; display: grid; gap: .6rem; align-content: start } .note { grid-area: note } .more { grid-area: more }
.say { grid-area: say; min-height: 8.6em } .say p + p { margin-top: .45rem } .keys { grid-area: keys; display: grid; align-content: start } .keys canvas { width: 34px; height: 14px; vertical-align: -.15em; margin-right: .5em }
.acts label { font-size: .92rem; gap: 0 } .acts .row { gap: .5rem .9rem } button.main { padding-inline: 1.3rem }
.answer { display: grid; align-content: start; gap: .3rem 1.2rem; grid-template-columns: repeat(2, minmax(0, 1fr)); line-height: 1.25 }
.big b { display: block; line-height: 1.1; font-size: 2.9rem; white-space: nowrap } .big.loss b { color: var(--special) } .big span { white-space: nowrap }
.stage { aspect-ratio: 1; overflow: hidden } .hint { right: 8px; bottom: 6px; background: var(--paper); padding: 0 .3em; border-radius: 4px }
.hand { position: absolute; width: 28px; height: 28px; margin: -14px 0 0 -14px; border-radius: 50%; pointer-events: none; outline: none } .hand:focus { box-shadow: 0 0 0 2px var(--paper), 0 0 0 4.5px var(--accent) }
@container (min-width: 620px) { .app { grid-template: "top top" auto "plane answer" auto "plane acts" auto "plane say" 1fr "keys say" auto "note say" auto "more more" auto / minmax(0, 1.15fr) minmax(0, 1fr) } .say { min-height: 0 } }
`;

  settings() {
    const preset = this.getAttribute("preset") ?? "", beta = this.hasAttribute("beta") ? Number(this.getAttribute("beta")) : NaN;
    const start = opened(Object.hasOwn(DATA.presets, preset) ? preset : "ahead");
    return { ...start, beta: isBeta(beta) ? Math.round(100 * beta) / 100 : start.beta, through: this.getAttribute("through") !== "off" };
  }

  fragment() { return writeFragment(this.state); }

  // ------------------------------------------------------------ what is done, and what it changed
  act(kind, change, past = this.made) { // a step, or what was moved or set; past: how it was before, or where a drag began
    Object.assign(this, { kind, past, trail: kind === "step" ? [...this.trail, this.world.z] : ["beta", "through"].includes(kind) ? this.trail : [] });
    this.set(change);
  }

  step() {
    const { z, codes } = stepped(this.world);
    this.act("step", { z: write([z]), codes: write(codes) });
  }

  changed(how) {
    if (!this.kind) Object.assign(this, { past: null, trail: [] });
    this.world = worldOf(this.state);
    this.made = outcome(this.world);
    super.changed(how);
    this.kind = null;
  }

  spot(name) { return name === "z" || name === "t" ? this.world[name] : this.world.codes[name[1]]; }

  move(name, at, past) {
    this.$.hint.hidden = true;
    const change = name === "z" || name === "t" ? { [name]: write([at]) } : { codes: write(this.world.codes.with(name[1], at)) };
    this.act(name, change, past);
  }

  // ------------------------------------------------------------ building, once
  build($) {
    const top = element("div", { class: "top" }, this.presets("Places worth trying", PRESETS.map(([label, preset]) => [label, opened(preset)])));
    $.canvas = element("canvas", { role: "img" });
    const name = (hand) => ({ z: "z, the latent", t: "t, what the task wants" })[hand] ?? `Code ${hand[1]}`;
    $.hands = Object.fromEntries(HANDS.map((hand) => [hand, slider({ class: "hand", "aria-valuemin": -100, "aria-valuemax": 100, "aria-label": `${name(hand)}: arrows move it, with shift faster` })]));
    $.hint = element("p", { class: "hint" }, "drag z, t or a code");
    $.stage = element("div", { class: "stage" }, $.canvas, $.hint, ...["z", "t"].map((hand) => $.hands[hand]), ...HANDS.slice(1, -1).map((hand) => $.hands[hand]));
    $.through = toggle("straight-through", () => this.act("through", { through: !this.state.through }));
    const acts = element("div", { class: "acts" }, this.range("beta", "beta, the commitment's weight", { min: 0, max: MOST, step: 0.05 }, (beta) => this.act("beta", { beta })),
      element("div", { class: "row" }, button("Step", () => this.step(), { class: "main" }), $.through));
    [$.length, $.pair, $.loss, $.said, $.next, $.idle] = ["b", "span", "b", "p", "p", "p"].map((tag) => element(tag));
    const answer = element("div", { class: "answer" }, element("p", { class: "big" }, $.length, "gradient that reaches z ", $.pair), element("p", { class: "big loss" }, $.loss, "the task's loss"));
    const note = element("p", { class: "note quiet" }, `Arrows point downhill, against the gradients; a step goes ${RATE} times as far, its rate. Losses are means over the D = 2 numbers of z, so a gradient is 2/D = 1 times a difference.`);
    $.keys = KEYS.map(([kind, label]) => [kind, element("canvas", { "aria-hidden": "true" }), label]);
    $.rows = element("tbody");
    const all = table("Every gradient in numbers", ["gradient", "across", "up", "length"], $.rows);
    const about = element("p", { class: "quiet about" }, "The task's loss is the mean squared difference of the code and t. Its gradient at the code is copied to z and, as in VQ-VAE, not given to the code: a code follows z alone. Step moves z and codes once, all by the gradients of before, to thousandths within the plane.");
    this.listenToHands();
    return [top, element("div", { class: "plane" }, $.stage), answer, acts, element("div", { class: "say" }, $.said, $.next, $.idle),
      element("ul", { class: "keys" }, ...$.keys.map(([, mark, label]) => element("li", {}, mark, label))), note, this.more("Every gradient in numbers, and how they are counted", all, about)];
  }

  listenToHands() {
    const { hands } = this.$;
    this.holding((at, reach) => {
      const name = this.find(at, reach);
      return name && { at: this.toScreen(this.spot(name)), hand: hands[name], take: () => { const past = this.made; return (to) => this.move(name, to, past); } };
    }, 16);
    for (const [name, hand] of Object.entries(hands)) this.arrows(hand, () => this.spot(name), (to) => this.move(name, to));
  }

  find(at, reach) { // the nearest thing within reach, of several there the upper one
    const [best] = HANDS.map((name, i) => [long(minus(this.toScreen(this.spot(name)), at)) - i / 2, name]).sort((a, b) => a[0] - b[0]);
    return best[0] <= reach ? best[1] : null;
  }

  // ------------------------------------------------------------ words
  happened() { // what the last act did
    const { kind, past, made: { code, loss }, world: { beta, through } } = this, was = past?.loss.toFixed(3), is = loss.toFixed(3);
    const lost = past && (was !== is ? `the task's loss went from ${was} to ${is}` : `the task's loss stays ${is}`);
    const crossed = past && past.code !== code;
    switch (kind) {
      case "step": return `Step ${this.trail.length}: z ${crossed ? `crossed a border, to code ${code}` : `stays with code ${code}`}; ${lost}.`;
      case "z": return crossed ? `z crossed a border: it snaps to code ${code} now, and ${lost}.`
        : `z moved inside the cell of code ${code}: ${lost}. Snapping has slope 0 here${through ? ", and the copied arrow stays as it was" : ""}.`;
      case "t": return `The task wants another place: its arrow at code ${code} changed, ${through ? "and so did the copy at z" : "but z hears nothing of it"}.`;
      case "beta": return beta ? `The commitment pulls z towards code ${code} with ${beta} times their difference.${beta === 1 && through ? " With beta 1 the two arrows at z add up to one that points straight at t." : ""}`
        : `Without commitment nothing keeps z near code ${code}.`;
      case "through": return through ? `The task's arrow at code ${code} is copied to z, as if snapping had done nothing.`
        : `Snapping has slope 0, so the encoder hears nothing from the decoder. ${beta ? "Only the commitment reaches z." : "With beta 0 nothing reaches z."}`;
    }
    if (kind) return crossed ? `The borders moved: z snaps to code ${code} now, and ${lost}.` : +kind[1] === code ? `Code ${code} moved, and ${lost}.` : `Code ${kind[1]} is not nearest to z: no arrow and no loss changed.`;
    return `z snaps to code ${code}. The task pulls there, towards t, and ${through ? "straight-through copies its arrow to z" : "the encoder hears nothing of it"}.`;
  }

  coming() { // what the arrows at z will do
    const { made: { code, task }, world } = this, ahead = stepped(world), [next] = nearestCode([ahead.z], ahead.codes);
    const wrong = world.through && sum(minus(world.t, world.z).map((x, i) => -task[i] * x)) < -1e-4;
    return [wrong ? `The copied arrow leads z away from t: it says where code ${code} should go, not where z should.` : "", next !== code ? `The next step takes z across a border, to code ${next}.` : ""].filter(Boolean).join(" ");
  }

  tell() {
    const { $, state, world, made } = this, { code, loss, task, toLatent, toCodebook } = made;
    $.length.textContent = long(toLatent).toFixed(2);
    $.pair.textContent = pair(toLatent);
    $.loss.textContent = loss.toFixed(3);
    $.said.textContent = this.happened();
    $.next.textContent = this.coming();
    const idle = [...world.codes.keys()].filter((k) => k !== code), [nearer] = nearestCode([world.t], world.codes);
    $.idle.textContent = `Codes ${list(idle)} are not nearest to z: they get no gradient${nearer === code ? "" : `, though code ${nearer} is nearer to t`}.`;
    $.beta.value = state.beta;
    $.betaOut.textContent = state.beta.toFixed(2);
    pressed($.through, state.through);
    for (const [name, hand] of Object.entries($.hands)) {
      const [x, y] = this.spot(name), role = name === "z" ? `, snaps to code ${code}` : name === `c${code}` ? ", the code of z" : name === "t" ? "" : ", gets no gradient";
      valued(hand, Math.round(100 * x), `${signed(x)} across, ${signed(y)} up${role}`);
    }
    $.canvas.setAttribute("aria-label", `The plane with z at ${pair(world.z)}, its code ${code} at ${pair(world.codes[code])} and t at ${pair(world.t)}. A step takes z to ${pair(stepped(world).z)}.`);
    if ($.more.open) {
      const copied = world.through ? task : [0, 0], rows = [[`task, at code ${code}`, task], ["task, copied to z", copied], [`commitment, at z`, minus(toLatent, copied)], ["together, at z", toLatent],
        ...toCodebook.map((gradient, k) => [`codebook, at code ${k}`, gradient])];
      $.rows.replaceChildren(...rows.map(([name, gradient]) => tableRow(name, [...gradient.map(signed), long(gradient).toFixed(2)])));
    }
    this.speak(`${$.said.textContent} Gradient that reaches z: ${$.length.textContent}. ${$.idle.textContent}`);
  }

  // ------------------------------------------------------------ pictures
  arrow(ctx, kind, from, to) { // pulls along the line of snapping lie beside it, each on its right
    const [color, dash, side] = { task: ["special", [5, 4], 0], copy: ["special", [], 0], commit: ["image", [], 5], book: ["ink", [], 5], next: ["accent", [2, 4], 0] }[kind];
    const way = minus(to, from), far = long(way), [u, v] = way.map((x) => x / far), [a, b] = [from, to].map((at) => plus(at, [-v, u], side)), head = Math.min(10, 0.7 * far);
    if (far < 3) return;
    this.line(ctx, [a, plus(b, [u, v], -head / 2)], color, 2.4, dash);
    if (kind === "next") return this.shape(ctx, this.circle(b, 5.5), "paper", color, 2);
    this.shape(ctx, [b, ...[-0.5, 0.5].map((w) => [b[0] - head * (u + w * v), b[1] - head * (v - w * u)])], color);
  }

  shape(ctx, corners, fill, stroke, width) {
    ctx.beginPath();
    for (const corner of corners) ctx.lineTo(...corner);
    ctx.closePath();
    if (fill) Object.assign(ctx, { fillStyle: this.color(fill) }).fill();
    if (stroke) Object.assign(ctx, { strokeStyle: this.color(stroke), lineWidth: width }).stroke();
  }

  circle([x, y], r, corners = 40) { return Array.from({ length: corners }, (_, i) => (2 * Math.PI * i) / corners).map((a) => [x + r * Math.cos(a), y + r * Math.sin(a)]); }

  render() {
    const { $, world, made: { code, task, toLatent, toCodebook } } = this, [ctx, width] = this.canvas($.canvas);
    for (const [kind, node] of $.keys) {
      const y = kind === "commit" || kind === "book" ? 2 : 7;
      this.arrow(this.canvas(node)[0], kind, [2, y], [kind === "next" ? 26 : 32, y]);
    }
    if (!width) return;
    const { z, t, codes, through } = world, e = codes[code], against = (from, gradient, times = 1) => [from, plus(from, gradient, -times)].map((at) => this.toScreen(at));
    const arrows = { book: against(e, toCodebook[code]), commit: against(z, through ? minus(toLatent, task) : toLatent), task: against(e, task), copy: against(z, through ? task : [0, 0]), next: against(z, toLatent, RATE) };
    codes.forEach((_, k) => {
      const corners = region(k, codes).map((at) => this.toScreen(at));
      ctx.globalAlpha = 0.1;
      this.shape(ctx, corners, k === code && "image");
      ctx.globalAlpha = 1;
      this.shape(ctx, corners, null, "dropped", 1);
    });
    const trail = [...this.trail, z].map((at) => this.toScreen(at));
    this.line(ctx, arrows.book, "muted", 1.2, [2, 5]); // from the code to z
    ctx.globalAlpha = 0.55;
    this.line(ctx, trail, "image", 1.5);
    for (const at of trail) this.shape(ctx, this.circle(at, 2.5), "image");
    if (through) this.line(ctx, [arrows.task[1], arrows.copy[1]], "special", 1, [1, 4]);
    ctx.globalAlpha = 1;
    this.mark(ctx, "t", this.toScreen(t), [arrows.task[0]]);
    for (const [kind, [from, to]] of Object.entries(arrows)) this.arrow(ctx, kind, from, to);
    codes.forEach((at, k) => this.mark(ctx, k, this.toScreen(at), k === code ? [arrows.book[1], arrows.task[1]] : [], k === code));
    this.mark(ctx, "z", this.toScreen(z), [arrows.commit[1], arrows.copy[1], arrows.next[1], arrows.book[0]]);
    for (const [name, hand] of Object.entries($.hands)) {
      const [left, top] = this.toScreen(this.spot(name));
      Object.assign(hand.style, { left: `${left}px`, top: `${top}px` });
    }
  }

  mark(ctx, name, at, towards, chosen) { // z a dot, t a target, a code a diamond, hollow where z did not choose it; its name where no arrow leads
    const color = { z: "image", t: "special" }[name] ?? "ink", [x, y] = at;
    if (name === "z") this.shape(ctx, this.circle(at, 7), color, "paper", 2);
    else if (name === "t") {
      this.shape(ctx, this.circle(at, 11), null, color, 2);
      for (const [u, v] of [[6, 0], [0, 6]]) this.line(ctx, [[x - u, y - v], [x + u, y + v]], color, 2);
    } else for (const edge of [["paper", 4.5], ["ink", 1.8]]) this.shape(ctx, this.circle(at, 9, 4), chosen ? "ink" : "paper", ...edge);
    const width = this.$.stage.clientWidth, ways = towards.map((to) => minus(to, at)).filter((way) => long(way) > 3).map((way) => way.map((part) => part / long(way)));
    const crowd = ([u, v]) => Math.max(-1, ...ways.map(([a, b]) => a * (u - x) / 18 + b * (v - y) / 18)), inside = (spot) => spot.every((part) => part > 8 && part < width - 8);
    const spot = [7, 6, 5, 4, 3, 2, 1, 0].map((i) => this.circle(at, 18, 8)[i]).filter(inside).reduce((a, b) => (crowd(b) < crowd(a) - 1e-9 ? b : a)); // at first to the upper right
    this.font(ctx, 700);
    Object.assign(ctx, { textAlign: "center", textBaseline: "middle", strokeStyle: this.color("paper"), fillStyle: this.color(color), lineWidth: 4 });
    ctx.strokeText(name, ...spot);
    ctx.fillText(name, ...spot);
  }
};
});
