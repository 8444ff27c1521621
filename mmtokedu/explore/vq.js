// How a codebook learns and its codes die: latents and codes in the plane, to drag, assign, update and restart. The base is
// explained in base.js; DATA are the presets: latents, where codes start, how the data drift.
mmExplore.define("vq", (DATA, { Explorable, number, plural, clamp, fragment, element, button, slider, valued, table, tableRow, drag,
  keys, ALONG, region, isCalm }) => {
// ---------------------------------------------------------------- the functions of mmtokedu/vq.py, in the plane
const FLOOR = 1e-12;

function nearestCode(vectors, codebook) { // ties to the lowest index
  return vectors.map(([x, y]) => {
    let best = 0, least = Infinity;
    codebook.forEach(([u, v], k) => {
      const distance = (x - u) ** 2 + (y - v) ** 2;
      if (distance < least) [best, least] = [k, distance];
    });
    return best;
  });
}

function codebookUsage(codes, K) {
  const counts = new Array(K).fill(0);
  for (const code of codes) counts[code]++;
  const shares = counts.filter((n) => n).map((n) => n / codes.length);
  const entropy = -shares.reduce((sum, p) => sum + p * Math.log(p), 0);
  return { counts, used: shares.length, perplexity: shares.length ? Math.exp(entropy) : 0 };
}

const emaState = (codebook) => ({ sum: codebook.map((e) => [...e]), usage: codebook.map(() => 1) });
const embed = ({ sum, usage }) => sum.map(([x, y], k) => [x / usage[k], y / usage[k]]);

function emaUpdate({ sum, usage }, vectors, codes, decay) {
  const given = sum.map(() => [0, 0, 0]); // x, y, count
  vectors.forEach(([x, y], i) => {
    const of = given[codes[i]];
    of[0] += x; of[1] += y; of[2]++;
  });
  const share = 1 - decay, next = { sum: [], usage: [] };
  given.forEach(([x, y, count], k) => {
    const n = decay * usage[k] + share * count, old = sum[k];
    const moved = [decay * old[0] + share * x, decay * old[1] + share * y], held = old.map((s) => (s / usage[k]) * FLOOR);
    next.sum.push(n < FLOOR ? held : moved);
    next.usage.push(Math.max(n, FLOOR));
  });
  return next;
}

const deadCodes = ({ usage }, threshold) => [...usage.keys()].filter((k) => usage[k] < threshold);

function restartDeadCodes(state, vectors, threshold, draws) { // one draw a vector: the smallest go first
  const order = [...vectors.keys()].sort((a, b) => draws[a] - draws[b] || a - b);
  const given = Math.max(state.usage.reduce((sum, n) => sum + n, 0) / state.usage.length, threshold);
  const sum = state.sum.map((s) => [...s]), usage = [...state.usage];
  deadCodes(state, threshold).slice(0, vectors.length).forEach((k, i) => {
    usage[k] = given;
    sum[k] = vectors[order[i]].map((x) => x * given);
  });
  return { sum, usage };
}

function draws(seed, count) { // mulberry32 by Tommy Ettinger, as in explore/_vq.py
  return Array.from({ length: count }, () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  });
}

// ---------------------------------------------------------------- a world, and what can be done to it
// One letter an act, as in the page's address: u update, a assign, s both, r restart the dead, d90 decay 0.90,
// t5 threshold 0.5, c3_-200_410 code 3 to (-0.2, 0.41), p17_… latent 17.
const ACT = /([suar])|([dt])(\d{1,2})|([cp])(\d{1,2})_(-?\d{1,4})_(-?\d{1,4})/;

function begin({ preset, codes, decay, threshold }) {
  const { points, codes: starts, drift: [by, left] } = DATA.presets[preset], state = emaState(starts.slice(0, codes));
  return { points, state, codes: nearestCode(points, embed(state)), by, left, decay, threshold, updated: false, steps: 0, restarts: 0 };
}

const chosen = (world) => ({ ...world, codes: nearestCode(world.points, embed(world.state)) });

function act(world, token) {
  const [, letter, setting, value, thing, index, x, y] = ACT.exec(token);
  switch (letter ?? setting ?? thing) {
    case "s": return act(act(world, "u"), "a");
    case "u": return { ...world, state: emaUpdate(world.state, world.points, world.codes, world.decay), updated: true, steps: world.steps + 1 };
    case "a": {
      const moves = world.updated && world.left > 0, [dx, dy] = world.by; // a new batch
      const points = moves ? world.points.map(([px, py]) => [px + dx, py + dy]) : world.points;
      return chosen({ ...world, points, left: world.left - moves, updated: false });
    }
    case "r": {
      const restarts = world.restarts + 1, numbers = draws(restarts, world.points.length);
      return chosen({ ...world, state: restartDeadCodes(world.state, world.points, world.threshold, numbers), restarts });
    }
    case "d": return { ...world, decay: value / 100 };
    case "t": return { ...world, threshold: value / 10 };
    case "p": return index < world.points.length ? chosen({ ...world, points: world.points.with(index, [x / 1000, y / 1000]) }) : world;
    case "c": {
      const { sum, usage } = world.state, n = usage[index]; // its usage stays, whatever its place
      return index < usage.length ? chosen({ ...world, state: { usage, sum: sum.with(index, [(x / 1000) * n, (y / 1000) * n]) } }) : world;
    }
  }
}

function measure({ points, codes, state }) {
  const places = embed(state), distance = points.map(([x, y], i) => (x - places[codes[i]][0]) ** 2 + (y - places[codes[i]][1]) ** 2);
  return { ...codebookUsage(codes, places.length), error: distance.reduce((sum, d) => sum + d, 0) / points.length };
}

// "s10rc3_-200_410" <-> ["s", …, "s", "r", "c3_-200_410"]; null for anything else, or for more than an address should do
const MOST_ACTS = 400, MOST_LETTERS = 700;
function readActs(text) {
  const tokens = [];
  if (text.length > MOST_LETTERS) return null;
  while (text) {
    const many = /^([suar])(\d{1,3})/.exec(text), one = new RegExp(`^(?:${ACT.source})`).exec(text);
    if (!one) return null;
    for (let n = many ? +many[2] : 1; n > 0 && tokens.length <= MOST_ACTS; n--) tokens.push(one[0]);
    text = text.slice((many ?? one)[0].length);
  }
  return tokens.length <= MOST_ACTS ? tokens : null;
}
function writeActs(tokens) {
  let text = "";
  for (let i = 0, n; i < tokens.length; i += n) {
    for (n = 1; tokens[i].length === 1 && n < 999 && tokens[i + n] === tokens[i]; ) n++;
    text += tokens[i] + (n > 1 ? n : "");
  }
  return tokens.length <= MOST_ACTS && text.length <= MOST_LETTERS ? text : "";
}

const core = { nearestCode, codebookUsage, emaState, emaUpdate, embed, restartDeadCodes, draws, region, begin, act, measure, readActs, writeActs };
core.play = (settings, text) => readActs(text).reduce(act, begin(settings));

const PRESETS = {
  corner: ["all start in one corner", "All codes start in one corner. Step: the few that win go to the data and leave the rest behind."],
  healthy: ["all start on data", "Every code starts on a latent and wins. Drag one far from the data and step: nothing calls it back."],
  drift: ["the data move away", "The encoder still learns: the latents move right with every batch. Run 10 twice, then again at decay 0.5."],
};

// ---------------------------------------------------------------- the page's fragment
const isCodes = (n) => Number.isInteger(n) && n >= 1 && n <= DATA.max_codes;
const isDecay = (x) => x >= 0.1 && x <= 0.99;
const isThreshold = (x) => x >= 0 && x <= 9.9;

core.readFragment = (hash) => fragment("vq", hash, { // "#vq:preset=drift,codes=12,decay=0.5,do=s20"
  preset: (preset) => Object.hasOwn(PRESETS, preset) && { preset },
  codes: (text) => /^\d{1,2}$/.test(text) && isCodes(+text) && { codes: +text },
  decay: (text) => /^0\.\d{1,2}$/.test(text) && isDecay(+text) && { decay: +text },
  threshold: (text) => /^\d(\.\d)?$/.test(text) && isThreshold(+text) && { threshold: +text },
  do: (text) => readActs(text) && { do: readActs(text) },
});
core.writeFragment = ({ preset, codes, decay, threshold, do: acts }) => {
  const text = writeActs(acts);
  return `#vq:preset=${preset},codes=${codes},decay=${decay},threshold=${threshold}${text && `,do=${text}`}`;
};

// ---------------------------------------------------------------- the page around it
const signed = (x) => x.toFixed(2).replace("-", "−");
const list = (some) => some.length < 3 ? some.join(" and ") : `${some.slice(0, -1).join(", ")} and ${some.at(-1)}`;
const short = (x) => x >= 10 ? x.toFixed(0) : x >= 1 ? x.toFixed(1) : x >= 0.01 ? x.toFixed(2) : x.toExponential(0).replace("-", "−");

return class extends Explorable {
  static core = core;
  static observedAttributes = ["preset", "codes", "decay", "threshold", "steps"];
  static label = "Explore: how codes win latents, and die";
  static style = `
.app { gap: .9rem 1.6rem; grid-template: "top" "answer" "plane" "acts" "bars" "keys" "set" "strip" "more" / minmax(0, 1fr) }
.top { grid-area: top } .answer { grid-area: answer } .plane { grid-area: plane } .acts { grid-area: acts } .bars { grid-area: bars }
.set { grid-area: set } .keys { grid-area: keys } .strip { grid-area: strip } .more { grid-area: more }
button.main { padding-inline: 1.1rem }
.big { display: flex; gap: 1.8rem; line-height: 1.15 } .big b { display: block; line-height: 1; white-space: nowrap }
.stage { aspect-ratio: 1; overflow: hidden }
.hand { position: absolute; width: 26px; height: 26px; margin: -13px 0 0 -13px; border-radius: 50%; pointer-events: none; outline: none }
.hand:focus { box-shadow: 0 0 0 2px var(--paper), 0 0 0 4.5px var(--accent) }
.hint { right: 10px; bottom: 6px; background: var(--paper); padding: 0 .3em; border-radius: 4px }
.say { min-height: 4.4em; margin-top: .5rem }
.chart { position: relative; height: 11.5rem } .chart canvas { position: absolute; inset: 0; width: 100%; height: 100% }
.line { position: absolute; left: 0; right: 0; height: 24px; margin-top: -12px; touch-action: none; cursor: ns-resize; border-radius: 4px }
.line span { position: absolute; right: 0; top: 50%; width: 56px; transform: translateY(-50%); font-size: .8rem; color: var(--ink); line-height: 1.2 }
.line::before { content: ""; position: absolute; inset: 50% 68px auto 30px; border-top: 2px dashed var(--accent) }
.line::after { content: ""; position: absolute; right: 60px; top: calc(50% - 6px); width: 14px; height: 14px; border-radius: 50%; background: var(--accent); border: 2px solid var(--paper); box-sizing: border-box }
.head { margin-bottom: .3rem }
.set { display: flex; flex-wrap: wrap; gap: .6rem 1.6rem } .set label { flex: 1 1 9rem; font-size: .92rem; gap: 0 }
.strip canvas { height: 64px }
.keys { align-content: start } .keys canvas { width: 16px; height: 16px; display: inline-block; vertical-align: -.2em; margin-right: .4em }
table { max-width: 34rem }
@container (min-width: 620px) {
  .app { grid-template: "top top" auto "plane answer" auto "plane acts" auto "plane bars" 1fr "keys set" auto "strip strip" auto "more more" auto / minmax(0, 1.22fr) minmax(0, 1fr) }
}
`;

  disconnectedCallback() {
    super.disconnectedCallback();
    this.halt();
  }

  settings() { // from the attributes, each checked; whatever is not valid is as if it were not there
    const given = (name) => this.hasAttribute(name) ? Number(this.getAttribute(name)) : NaN;
    const [codes, decay, threshold, steps] = ["codes", "decay", "threshold", "steps"].map(given), preset = this.getAttribute("preset");
    return {
      preset: Object.hasOwn(PRESETS, preset ?? "") ? preset : "corner",
      codes: isCodes(codes) ? codes : 12,
      decay: isDecay(decay) ? Math.round(decay * 100) / 100 : 0.9,
      threshold: isThreshold(threshold) ? Math.round(threshold * 10) / 10 : 0.5,
      do: new Array(Number.isInteger(steps) && steps >= 0 && steps <= DATA.max_steps ? steps : 0).fill("s"),
    };
  }

  fragment() { return core.writeFragment(this.state); }

  follow(asked) { this.open({ do: [], ...asked }, { write: false }); }

  // ------------------------------------------------------------ state: a start, and what was done since
  reset(how) { this.open({}, how); }

  open(change = {}, how) {
    const { do: acts, ...start } = { ...this.first, ...change };
    this.halt();
    this.start = start;
    this.history = [{ token: "", world: begin(start) }];
    for (const token of acts) this.history.push({ token, world: act(this.world, token) });
    this.picked = { c: Math.min(this.picked?.c ?? 0, start.codes - 1), p: this.picked?.p ?? 0 };
    this.changed(how);
  }

  get world() { return this.history.at(-1).world; }

  get state() { return { ...this.start, do: this.history.slice(1).map((past) => past.token) }; }

  do(token, { halt = true } = {}) { // moving one thing on and on, or one handle, is one act
    if (halt) this.halt();
    const subject = /^([cp]\d+)_|^([dt])/.exec(token), last = this.history.at(-1).token;
    if (subject && (last.startsWith(`${subject[1]}_`) || (subject[2] && last[0] === subject[2]))) this.history.pop();
    this.history.push({ token, world: act(this.world, token) });
    this.changed();
  }

  undo() {
    this.halt();
    if (this.history.length < 2) return;
    this.history.pop();
    this.changed({ say: "Taken back." });
  }

  run(times) { // one step a tenth of a second, so that it can be watched; any other act ends it
    this.halt();
    if (isCalm()) {
      while (times--) this.do("s");
      return;
    }
    const next = () => {
      this.do("s", { halt: false });
      this.running = --times > 0 ? setTimeout(next, 90) : null;
    };
    next();
  }

  halt() {
    clearTimeout(this.running);
    this.running = null;
  }

  change(name, value) { // decay or threshold: from the start on, or from here on
    const token = name === "decay" ? `d${Math.round(value * 100)}` : `t${Math.round(value * 10)}`;
    if (this.history.length > 1) return this.do(token);
    this.open({ ...this.start, do: [], [name]: value });
  }

  changed({ say = this.happened(), ...how } = {}) {
    this.said = say;
    super.changed(how);
  }

  // ------------------------------------------------------------ building, once
  build($) {
    $.about = element("p", { class: "about" });
    const starts = Object.entries(PRESETS).map(([preset, [label]]) => [label, { preset }]);
    const top = element("div", { class: "top" },
      this.presets("Starts worth trying", starts, { apply: (start) => this.open({ ...this.start, ...this.current(), ...start, do: [] }) }), $.about);

    $.used = element("b");
    $.of = document.createTextNode("");
    $.perplexity = element("b");
    $.quiet = element("p", { class: "quiet" });
    const answer = element("div", { class: "answer" },
      element("div", { class: "big" }, element("p", {}, $.used, $.of), element("p", {}, $.perplexity, "perplexity")));

    $.canvas = element("canvas", { role: "img" });
    const move = "arrows move it, with shift faster; page up and page down choose another";
    $.hands = {
      c: slider({ class: "hand", "aria-valuemin": 0, "aria-label": `One code: ${move}` }),
      p: slider({ class: "hand", "aria-valuemin": 0, "aria-label": `One latent: ${move}` }),
    };
    $.hint = element("p", { class: "hint" }, "drag a code or a latent");
    $.stage = element("div", { class: "stage" }, $.canvas, $.hint, $.hands.c, $.hands.p);
    $.keys = [["latent", "a latent, with a line to its code"], ["won", "a code that wins latents"], ["unused", "a code that wins none"],
      ["dead", "a dead code"], ["region", "where no latent lies"]].map(([kind, label]) => [kind, element("canvas", { "aria-hidden": "true" }), label]);
    const plane = element("div", { class: "plane" }, $.stage), marks = element("ul", { class: "keys" }, ...$.keys.map(([, mark, label]) => element("li", {}, mark, label)));

    $.undo = button("Undo", () => this.undo());
    $.restart = button("Restart dead", () => this.do("r"));
    $.say = element("p", { class: "say" });
    const acts = element("div", { class: "acts" }, element("div", { class: "row", role: "group", "aria-label": "What to do" },
      button("Assign", () => this.do("a")), button("Update", () => this.do("u")), button("Step", () => this.do("s"), { class: "main" }),
      button("Run 10", () => this.run(10)), $.restart, $.undo), $.say);

    $.chart = element("canvas", { role: "img" });
    $.lineText = element("span");
    $.line = slider({ class: "line", "aria-valuemin": 0, "aria-valuemax": 9.9, "aria-orientation": "vertical",
      "aria-label": "A code is dead when its usage is under" });
    $.line.append($.lineText);
    $.chartBox = element("div", { class: "chart" }, $.chart, $.line);
    const bars = element("div", { class: "bars" },
      element("p", { class: "head" }, "Usage of each code ", element("span", {}, "in latents a batch: bars on average, dots now")), $.chartBox);

    const set = element("div", { class: "set" },
      this.range("decay", "decay", { min: 0.1, max: 0.99, step: 0.01 }, (value) => this.change("decay", value)),
      this.range("codes", "codes", { min: 1, max: DATA.max_codes }, (codes) => this.open({ ...this.start, ...this.current(), codes, do: [] })));

    $.stripCanvas = element("canvas", { role: "img" });
    const strip = element("div", { class: "strip" }, $.stripCanvas, $.quiet);
    $.rows = element("tbody");
    const all = table("Every code in numbers", ["code", "across", "up", "latents now", "usage", "state"], $.rows);
    this.listenToHands();
    return [top, answer, plane, acts, bars, marks, set, strip, this.more("Every code in numbers", all)];
  }

  current() { return { decay: this.world.decay, threshold: this.world.threshold }; }

  listenToHands() {
    const { hands, line, chartBox } = this.$;
    this.holding((at, reach) => {
      const [kind, index, where] = this.find(at, reach) ?? [];
      return kind ? { at: where, hand: hands[kind], take: () => { this.pick(kind, index); return (to) => this.place(kind, index, to); } } : null;
    }, 14);
    for (const [kind, hand] of Object.entries(hands)) {
      for (const type of ["focus", "blur"]) hand.addEventListener(type, () => this.draw());
      this.arrows(hand, () => this.spots(kind)[this.picked[kind]], (to) => this.place(kind, this.picked[kind], to));
      const last = () => this.spots(kind).length - 1, count = () => last() + 1;
      keys(hand, { PageDown: (k) => (k + 1) % count(), PageUp: (k) => (k + last()) % count(), Home: () => 0, End: last }, (other) => this.pick(kind, other(this.picked[kind])));
    }
    const threshold = (value) => this.change("threshold", clamp(Math.round(value * 10) / 10, 0, 9.9));
    drag(line, () => (event) => threshold(this.toUsage(event.clientY - chartBox.getBoundingClientRect().top)));
    keys(line, ALONG(0.1, 1, 10), (by) => threshold(this.world.threshold + by));
  }

  pick(kind, index) {
    this.picked[kind] = index;
    this.tell();
    this.draw();
  }

  spots(kind) { return kind === "c" ? embed(this.world.state) : this.world.points; }

  place(kind, index, [x, y]) {
    const thousandths = (value) => Math.round(1000 * clamp(value, -1, 1)) || 0;
    this.$.hint.hidden = true;
    this.do(`${kind}${index}_${thousandths(x)}_${thousandths(y)}`);
  }

  // the nearest thing within reach, codes before latents: [kind, index, where it is], or null
  find([x, y], reach) {
    for (const kind of ["c", "p"]) {
      const away = this.spots(kind).map((spot, index) => [kind, index, this.toScreen(spot)])
        .map((it) => [Math.hypot(it[2][0] - x, it[2][1] - y), it]).sort((a, b) => a[0] - b[0]);
      if (away[0][0] <= (kind === "c" ? reach : reach * 0.7)) return away[0][1];
    }
    return null;
  }

  // ------------------------------------------------------------ words
  kinds(world = this.world) { // of each code: won, unused or dead
    const { counts } = measure(world);
    return counts.map((n, k) => world.state.usage[k] < world.threshold ? "dead" : n ? "won" : "unused");
  }

  astray() { // latents that now have a nearer code than the one they chose
    const { points, codes, state } = this.world, now = nearestCode(points, embed(state));
    return [...points.keys()].filter((i) => now[i] !== codes[i]);
  }

  happened() { // what the last act did
    const { token, world } = this.history.at(-1), before = this.history.at(-2)?.world;
    if (!before) return "";
    const changed = world.codes.filter((code, i) => code !== before.codes[i]).length;
    const chose = changed ? `${plural(changed, "latent")} chose another code.` : "no latent chose another code.";
    const [was, is] = [before, world].map((w) => deadCodes(w.state, w.threshold));
    const dead = is.filter((k) => !was.includes(k));
    const died = dead.length ? ` ${dead.length > 1 ? "Codes" : "Code"} ${list(dead)} died.` : "";
    const index = +token.slice(1).split("_")[0];
    switch (token[0]) {
      case "s": return `Step ${world.steps}: ${chose}${died}`;
      case "u": {
        const n = this.astray().length;
        return `Update ${world.steps}: codes moved toward their latents' mean.${died} ` +
          (world.left ? "The next batch has moved: assign it." : n ? `${plural(n, "latent")} now ${n > 1 ? "have" : "has"} a nearer code: assign.` : "");
      }
      case "a": return `Assigned: ${chose}`;
      case "r": return was.length ? `${plural(was.length, "dead code")} restarted on ${was.length > 1 ? "latents" : "a latent"} drawn at random; ${chose}` : "No code is dead: nothing to restart.";
      case "c": return `Code ${index} wins ${plural(measure(world).counts[index] ?? 0, "latent")} here.`;
      case "p": return `This latent is nearest to code ${world.codes[index]}.`;
      case "t": return `Dead is now a usage under ${world.threshold.toFixed(1)}: ${plural(is.length, "code")}.`;
      case "d": return `Each update now keeps ${Math.round(world.decay * 100)} % of the old average.`;
    }
  }

  tell() {
    const { $, world, start } = this, { counts, used, perplexity, error } = measure(world), kinds = this.kinds(), K = counts.length;
    const places = embed(world.state), dead = kinds.filter((kind) => kind === "dead").length;
    $.about.textContent = PRESETS[start.preset][1];
    $.used.textContent = number(used);
    $.of.nodeValue = `of ${plural(K, "code")} used`;
    $.perplexity.textContent = perplexity.toFixed(1);
    const bits = Math.log2(perplexity), most = Math.log2(K);
    $.quiet.textContent = `A token carries ${Math.abs(bits).toFixed(1)} of the ${most.toFixed(1)} bits that ${plural(K, "code")} could. ` +
      `Mean squared distance to the code: ${short(error)}.`;
    $.say.textContent = this.said || "Each latent has chosen its nearest code. Update moves every code toward the mean of its latents; a step is both.";
    $.restart.textContent = dead ? `Restart ${dead} dead` : "Restart dead";
    $.undo.setAttribute("aria-disabled", String(this.history.length < 2));
    for (const [name, value] of [["decay", world.decay], ["codes", K]]) {
      $[name].value = value;
      $[`${name}Out`].textContent = name === "decay" ? value.toFixed(2) : value;
    }
    $.lineText.textContent = `dead below ${world.threshold.toFixed(1)}`;
    valued($.line, world.threshold, `${world.threshold.toFixed(1)} latents a batch`);
    for (const kind of ["c", "p"]) {
      const index = this.picked[kind], [x, y] = this.spots(kind)[index], where = `${signed(x)} across, ${signed(y)} up`;
      $.hands[kind].setAttribute("aria-valuemax", this.spots(kind).length - 1);
      valued($.hands[kind], index, kind === "c" ? `code ${index} at ${where}, ${plural(counts[index], "latent")}`
        : `latent ${index} at ${where}, code ${world.codes[index]}`);
    }
    const said = `${plural(world.points.length, "latent")} and ${plural(K, "code")} in the plane: ${used} used, ${dead} dead.`;
    $.canvas.setAttribute("aria-label", said);
    $.chart.setAttribute("aria-label", `Usage, a logarithmic scale: ${world.state.usage.map((n, k) => `code ${k} ${short(n)}${kinds[k] === "dead" ? ", dead" : ""}`).join("; ")}`);
    const words = { won: "wins", unused: "wins none", dead: "dead" };
    if ($.more.open) $.rows.replaceChildren(...places.map(([x, y], k) =>
      tableRow(String(k), [signed(x), signed(y), number(counts[k]), short(world.state.usage[k]), words[kinds[k]]])));
    this.speak(`${this.said} ${used} of ${plural(K, "code")} used, perplexity ${perplexity.toFixed(1)}.`.trim());
  }

  // ------------------------------------------------------------ pictures
  render() {
    this.drawPlane();
    this.drawChart();
    this.drawStrip();
    for (const [kind, canvas] of this.$.keys) this.drawKey(kind, canvas);
  }

  canvas(node) { // numbers in bold
    const made = super.canvas(node);
    this.font(made[0], 600);
    return made;
  }

  mark(ctx, kind, [x, y], size) { // a code: told apart by shape
    ctx.beginPath();
    if (kind === "dead") {
      const s = size * 0.62;
      ctx.moveTo(x - s, y - s); ctx.lineTo(x + s, y + s); ctx.moveTo(x + s, y - s); ctx.lineTo(x - s, y + s);
      ctx.lineWidth = 5.5; ctx.strokeStyle = this.color("paper"); ctx.stroke();
      ctx.lineWidth = 2.5; ctx.strokeStyle = this.color("muted"); ctx.stroke();
      return;
    }
    ctx.moveTo(x, y - size); ctx.lineTo(x + size, y); ctx.lineTo(x, y + size); ctx.lineTo(x - size, y); ctx.closePath();
    ctx.lineWidth = 4; ctx.strokeStyle = this.color("paper"); ctx.stroke();
    ctx.fillStyle = this.color(kind === "won" ? "ink" : "paper"); ctx.fill();
    ctx.lineWidth = 1.8; ctx.strokeStyle = this.color("ink"); ctx.stroke();
  }

  trace(ctx, corners) {
    ctx.beginPath();
    corners.forEach((corner, i) => ctx[i ? "lineTo" : "moveTo"](...this.toScreen(corner)));
    ctx.closePath();
  }

  drawPlane() {
    const { $, world } = this, [ctx, width, height] = this.canvas($.canvas);
    if (!width) return;
    const places = embed(world.state), { counts } = measure(world), kinds = this.kinds(), at = places.map((place) => this.toScreen(place));
    places.forEach((_, k) => { // regions
      const corners = region(k, places);
      if (!corners.length) return;
      if (!counts[k]) {
        ctx.save();
        this.trace(ctx, corners);
        ctx.clip();
        ctx.globalAlpha = 0.45;
        this.hatch(ctx, [0, 0, width, height], 9);
        ctx.restore();
      }
      this.trace(ctx, corners);
      ctx.lineWidth = 1;
      ctx.strokeStyle = this.color("dropped");
      ctx.stroke();
    });
    ctx.strokeStyle = this.color("muted");
    ctx.lineWidth = 1;
    ctx.strokeRect(0.5, 0.5, width - 1, height - 1);

    const astray = new Set(this.astray()), dots = world.points.map((point) => this.toScreen(point));
    dots.forEach(([x, y], i) => { // lines from latents to their codes
      ctx.globalAlpha = astray.has(i) ? 0.9 : 0.38;
      ctx.strokeStyle = this.color(astray.has(i) ? "accent" : "image");
      ctx.setLineDash(astray.has(i) ? [3, 4] : []);
      ctx.beginPath(); ctx.moveTo(x, y); ctx.lineTo(...at[world.codes[i]]); ctx.stroke();
    });
    ctx.setLineDash([]);
    ctx.globalAlpha = 1;
    for (const [x, y] of dots) {
      ctx.beginPath(); ctx.arc(x, y, 3.6, 0, 2 * Math.PI);
      ctx.fillStyle = this.color("image"); ctx.fill();
      ctx.lineWidth = 1; ctx.strokeStyle = this.color("paper"); ctx.stroke();
    }
    this.drawPaths(ctx, places);
    this.drawNext(ctx, at);
    const order = [...places.keys()].sort((a, b) => (kinds[a] === "won") - (kinds[b] === "won")); // winners on top
    const fresh = this.history.at(-1).token === "r" ? deadCodes(this.history.at(-2).world.state, world.threshold) : [];
    for (const k of order) {
      if (fresh.includes(k)) {
        ctx.beginPath(); ctx.arc(...at[k], 13, 0, 2 * Math.PI);
        ctx.lineWidth = 2; ctx.strokeStyle = this.color("accent"); ctx.stroke();
      }
      this.mark(ctx, kinds[k], at[k], 8);
    }
    this.drawNames(ctx, at, order, width);
    for (const kind of ["c", "p"]) {
      const [left, top] = this.toScreen(this.spots(kind)[this.picked[kind]]);
      $.hands[kind].style.left = `${left}px`;
      $.hands[kind].style.top = `${top}px`;
    }
  }

  drawPaths(ctx, places) { // where each code came from, over the last twelve acts
    const past = this.history.slice(-13).map((it) => embed(it.world.state));
    ctx.strokeStyle = this.color("ink");
    ctx.lineWidth = 1.5;
    places.forEach((_, k) => {
      for (let i = 1; i < past.length; i++) {
        const [a, b] = [past[i - 1][k], past[i][k]].map((place) => this.toScreen(place));
        if (Math.hypot(a[0] - b[0], a[1] - b[1]) < 0.5) continue;
        ctx.globalAlpha = 0.08 + (0.5 * i) / past.length;
        ctx.beginPath(); ctx.moveTo(...a); ctx.lineTo(...b); ctx.stroke();
      }
    });
    ctx.globalAlpha = 1;
  }

  drawNext(ctx, at) { // an arrow to where the next update takes a code
    const { world } = this;
    if (world.updated) return;
    const next = embed(emaUpdate(world.state, world.points, world.codes, world.decay)).map((place) => this.toScreen(place));
    ctx.strokeStyle = ctx.fillStyle = this.color("ink");
    next.forEach(([x, y], k) => {
      const dx = x - at[k][0], dy = y - at[k][1], long = Math.hypot(dx, dy);
      if (long < 14) return;
      const [ux, uy] = [dx / long, dy / long];
      ctx.lineWidth = 1.5;
      ctx.setLineDash([5, 4]);
      ctx.beginPath(); ctx.moveTo(...at[k]); ctx.lineTo(x - ux * 7, y - uy * 7); ctx.stroke();
      ctx.setLineDash([]);
      ctx.beginPath(); ctx.moveTo(x, y); ctx.lineTo(x - ux * 9 - uy * 4.5, y - uy * 9 + ux * 4.5); ctx.lineTo(x - ux * 9 + uy * 4.5, y - uy * 9 - ux * 4.5); ctx.fill();
    });
  }

  drawNames(ctx, at, order, width) { // each code's number, unless it would lie on another
    ctx.textBaseline = "middle";
    ctx.textAlign = "center";
    const taken = [];
    for (const k of [...order].reverse()) {
      const [x, y] = at[k], side = x > width - 26 ? -1 : 1, place = [x + 17 * side, y - 9];
      const free = taken.every(([u, v]) => Math.hypot(u - place[0], v - place[1]) > 14) && at.every(([u, v], j) => j === k || Math.hypot(u - place[0], v - place[1]) > 11);
      if (!free) continue;
      taken.push(place);
      ctx.lineWidth = 4; ctx.strokeStyle = this.color("paper"); ctx.strokeText(k, ...place);
      ctx.fillStyle = this.color("ink"); ctx.fillText(k, ...place);
    }
  }

  // usage on a logarithmic scale, 0.05 to 100
  get rows() { return { top: 8, bottom: this.$.chartBox.clientHeight - 22 }; }
  fromUsage(n) {
    const { top, bottom } = this.rows;
    return bottom - (bottom - top) * Math.min(1, Math.max(0, Math.log(n / 0.05) / Math.log(2000)));
  }
  toUsage(y) {
    const { top, bottom } = this.rows, t = Math.min(1, (bottom - y) / (bottom - top));
    return t <= 0 ? 0 : 0.05 * 2000 ** t;
  }

  drawChart() {
    const { $, world } = this, [ctx, whole] = this.canvas($.chart), left = 30, width = whole - 68; // beside it, the line's words
    if (!whole) return;
    const { bottom } = this.rows, { counts } = measure(world), kinds = this.kinds(), each = (width - left) / counts.length;
    this.font(ctx);
    ctx.textAlign = "end";
    ctx.textBaseline = "middle";
    for (const tick of [0.1, 1, 10, 100]) {
      const y = Math.round(this.fromUsage(tick)) + 0.5;
      ctx.strokeStyle = this.color("rule"); ctx.lineWidth = 1;
      ctx.beginPath(); ctx.moveTo(left, y); ctx.lineTo(width, y); ctx.stroke();
      ctx.fillStyle = this.color("muted"); ctx.fillText(tick, left - 5, y);
    }
    ctx.textAlign = "center";
    world.state.usage.forEach((usage, k) => {
      const bar = Math.min(each * 0.68, 26), x = left + (k + 0.5) * each - bar / 2, y = this.fromUsage(usage), box = [x, y, bar, bottom - y];
      if (kinds[k] === "dead") this.hatch(ctx, box, 5);
      else { ctx.fillStyle = this.color("ink"); ctx.globalAlpha = kinds[k] === "won" ? 1 : 0.45; ctx.fillRect(...box); ctx.globalAlpha = 1; }
      if (kinds[k] !== "won") { ctx.strokeStyle = this.color(kinds[k] === "dead" ? "dropped" : "ink"); ctx.lineWidth = 1; ctx.strokeRect(x + 0.5, y + 0.5, bar - 1, Math.max(0, bottom - y - 1)); }
      if (counts[k]) { // this batch's count
        ctx.beginPath(); ctx.arc(x + bar / 2, this.fromUsage(counts[k]), 4, 0, 2 * Math.PI);
        ctx.fillStyle = this.color("image"); ctx.fill();
        ctx.lineWidth = 1.5; ctx.strokeStyle = this.color("paper"); ctx.stroke();
      }
      ctx.fillStyle = this.color(kinds[k] === "dead" ? "muted" : "ink");
      if (each > 18 || k % 2 === 0) ctx.fillText(k, x + bar / 2, bottom + 12);
    });
    ctx.strokeStyle = this.color("muted"); ctx.lineWidth = 1;
    ctx.beginPath(); ctx.moveTo(left, bottom + 0.5); ctx.lineTo(width, bottom + 0.5); ctx.stroke();
    $.line.style.top = `${this.fromUsage(Math.max(world.threshold, 0.05))}px`;
  }

  drawStrip() { // the first latents as the tokens they become
    const { $, world } = this, [ctx, width] = this.canvas($.stripCanvas), wide = 27, shown = Math.min(world.points.length, Math.floor(width / wide));
    const ids = world.codes.slice(0, shown), y = 2, tall = 32;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    ids.forEach((id, i) => {
      ctx.fillStyle = this.color("image");
      ctx.beginPath(); ctx.roundRect(i * wide + 1, y, wide - 2, tall, 3); ctx.fill();
      ctx.fillStyle = this.color("paper");
      ctx.fillText(id, (i + 0.5) * wide, y + tall / 2 + 0.5);
    });
    const different = new Set(ids).size;
    const words = `the first ${shown} of ${world.points.length} latents as tokens: ${different} different`;
    this.bracket(ctx, 1.5, shown * wide - 1.5, y + tall + 4, 5);
    this.font(ctx);
    ctx.fillStyle = this.color("ink");
    ctx.fillText(words, Math.max((shown * wide) / 2, ctx.measureText(words).width / 2), y + tall + 21);
    $.stripCanvas.setAttribute("aria-label", `${words}: ${ids.join(" ")}`);
  }

  drawKey(kind, node) {
    const [ctx] = this.canvas(node);
    if (kind === "latent") {
      ctx.fillStyle = ctx.strokeStyle = this.color("image");
      ctx.beginPath(); ctx.moveTo(5, 11); ctx.lineTo(15, 2); ctx.stroke();
      ctx.beginPath(); ctx.arc(5, 11, 3.6, 0, 2 * Math.PI); ctx.fill();
    } else if (kind === "region") {
      ctx.globalAlpha = 0.6;
      this.hatch(ctx, [0, 0, 16, 16], 5);
    } else this.mark(ctx, kind, [8, 8], 6.5);
  }
};
});
