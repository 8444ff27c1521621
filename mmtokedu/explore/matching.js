// How ToMe merges: eight tokens in the plane, to drag, in two sets by turns; who resembles whom across, which pairs merge, and
// into what, round after round. The base is explained in base.js; DATA are the presets, in thousandths, and how many rounds.
mmExplore.define("matching", (DATA, { Explorable, plural, clamp, fragment, element, button, toggle, pressed, slider, valued }) => {
const COUNT = DATA.presets.two[0].length, HALF = COUNT / 2, ROUNDS = DATA.rounds;

// ---------------------------------------------------------------- the functions of mmtokedu/compress.py, for one row of tokens
const plus = ([x, y], [u, v], times = 1) => [x + times * u, y + times * v], minus = (a, b) => plus(a, b, -1);
const dot = ([x, y], [u, v]) => x * u + y * v, long = (a) => Math.hypot(...a);
const evens = (some) => some.filter((_, i) => i % 2 === 0), odds = (some) => some.filter((_, i) => i % 2);
function cosine(a, b) { // 0 with a token that has no direction
  const both = Math.sqrt(dot(a, a) * dot(b, b));
  return both > 0 ? dot(a, b) / both : 0;
}
function matchTokens(tokens) { // for each even token the odd one that it resembles most, of equals the lowest
  const others = odds(tokens), scales = others.map((b) => (dot(b, b) > 0 ? 1 / Math.sqrt(dot(b, b)) : 0));
  const partner = evens(tokens).map((a) => {
    const scores = others.map((b, j) => dot(a, b) * scales[j]);
    return scores.indexOf(Math.max(...scores));
  });
  return { partner, similarity: evens(tokens).map((a, i) => cosine(a, others[partner[i]])) };
}
function mergeTokens(tokens, r, size) { // in the official order: even tokens that stay, the most alike first, then odd ones
  const { similarity, partner } = matchTokens(tokens), ranked = [...similarity.keys()].sort((i, j) => similarity[j] - similarity[i] || i - j);
  const gone = ranked.slice(0, r), stay = ranked.slice(r), step = new Array(tokens.length);
  odds([...tokens.keys()]).forEach((place, j) => (step[place] = stay.length + j));
  stay.forEach((i, place) => (step[2 * i] = place));
  for (const i of gone) step[2 * i] = stay.length + partner[i];
  if (!r) step.forEach((_, place) => (step[place] = place)); // all stay, and where they are
  const sums = Array.from({ length: tokens.length - r }, () => [[0, 0], 0]);
  tokens.forEach((token, i) => { const sum = sums[step[i]]; sum[0] = plus(sum[0], token, size[i]); sum[1] += size[i]; });
  return { similarity, partner, gone, step, tokens: sums.map(([[x, y], n]) => [x / n, y / n]), size: sums.map(([, n]) => n) };
}

// Round after round; r is cut to half of the tokens that are left, as ToMe does it. Tokens have members: the first ones that
// they stand for.
function play(first, { r, rounds, sizes }) {
  const made = [];
  let tokens = first, members = first.map((_, i) => [i]);
  for (let round = 0; round < rounds; round++) {
    const most = Math.min(r, Math.floor(tokens.length / 2)), merged = mergeTokens(tokens, most, members.map((all) => (sizes ? all.length : 1)));
    const joined = merged.tokens.map((_, k) => members.filter((_, i) => merged.step[i] === k).flat().sort((a, b) => a - b));
    made.push({ ...merged, before: { tokens, members }, members: joined, r: most });
    [tokens, members] = [merged.tokens, joined];
  }
  return made;
}
const meanOf = (first, members) => members.reduce((sum, i) => plus(sum, first[i]), [0, 0]).map((x) => x / members.length);
const drift = (first, { tokens, members }) => tokens.map((token, k) => long(minus(token, meanOf(first, members[k]))));
const alikes = ({ gone, similarity }) => gone.map((i) => similarity[i]); // of the pairs that merge, the most alike first

// ---------------------------------------------------------------- a state: places as text in thousandths
const parse = (text) => { const all = text.split("_").map((n) => n / 1000); return Array.from({ length: all.length / 2 }, (_, i) => all.slice(2 * i, 2 * i + 2)); };
const write = (places) => places.flat().map((x) => Math.round(1000 * clamp(x, -1, 1)) || 0).join("_"); // within the plane
const opened = (preset) => { const [places, r, rounds, sizes] = DATA.presets[preset]; return { t: places.flat().join("_"), r, rounds, sizes }; };
const isR = (n) => Number.isInteger(n) && n >= 0 && n <= HALF, isRounds = (n) => Number.isInteger(n) && n >= 1 && n <= ROUNDS;
const digit = (name, known) => (text) => /^\d$/.test(text) && known(+text) && { [name]: +text };
const readFragment = (hash) => fragment("matching", hash, { // "#matching:t=921_335_…,r=2,rounds=1,sizes=on"
  t: (text) => /^-?\d+(_-?\d+)*$/.test(text) && parse(text).length === COUNT && write(parse(text)) === text && { t: text },
  r: digit("r", isR), rounds: digit("rounds", isRounds), sizes: (text) => ["on", "off"].includes(text) && { sizes: text === "on" },
});
const writeFragment = ({ t, r, rounds, sizes }) => `#matching:t=${t},r=${r},rounds=${rounds},sizes=${sizes ? "on" : "off"}`;
const core = { matchTokens, mergeTokens, play, drift, alikes, readFragment, writeFragment };

// ---------------------------------------------------------------- the page around it
const PRESETS = [["half in one step", "half"], ["twins in one set", "twins"], ["sizes forgotten", "sizes"]];
const signed = (x, digits) => x.toFixed(digits).replace(/^-(0\.0+)$/, "$1").replace("-", "−");
const two = (x) => signed(x, 2), three = (x) => signed(x, 3);
const list = (some) => (some.length < 2 ? some.join("") : `${some.slice(0, -1).join(", ")} and ${some.at(-1)}`);
const nameOf = (members) => members.join("+");
const isA = (place) => place % 2 === 0;
const KEYS = [["A", "A: even places of the row"], ["B", "B: odd places"], ["merges", "an A and its B: they merge"], ["stays", "an A and its B: they do not"], ["mean", "where what merged will be"],
  ["true", "the true mean of all it stands for"], ["first", "a token of round 1"]];

return class extends Explorable {
  static core = core;
  static observedAttributes = ["preset", "r", "rounds", "sizes"];
  static label = "Explore: which of eight tokens merge, and into what";
  static modality = "image";
  static style = `
.app { gap: .9rem 1.6rem; grid-template: "top" "plane" "acts" "answer" "say" "keys" "cosines" "strip" "note" / minmax(0, 1fr) }
.top { grid-area: top } .plane { grid-area: plane } .acts { grid-area: acts } .answer { grid-area: answer } .say { grid-area: say } .keys { grid-area: keys } .cosines { grid-area: cosines } .strip { grid-area: strip } .note { grid-area: note }
.stage { aspect-ratio: 1; overflow: hidden } .hint { right: 8px; bottom: 6px; background: var(--paper); padding: 0 .3em; border-radius: 4px }
.hand { position: absolute; width: 28px; height: 28px; margin: -14px 0 0 -14px; border-radius: 50%; pointer-events: none; outline: none } .hand:focus { box-shadow: 0 0 0 2px var(--paper), 0 0 0 4.5px var(--accent) }
.acts { display: grid; gap: .6rem; align-content: start } .acts label { font-size: .92rem; gap: 0 } .acts .row { gap: .5rem .7rem }
.answer { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: .4rem 1.6rem; line-height: 1.2; align-content: start } .big b { display: block; line-height: 1.1; font-size: 2.1rem; white-space: nowrap; color: var(--ink) } .big.alike b { font-size: 3.2rem; color: var(--accent) }
.answer .alike { grid-column: 1 / -1 }
.say { min-height: 8em } .say p + p { margin-top: .45rem } .say .trap { border-left: 3px solid var(--accent); padding-left: .7rem }
.keys { display: grid; align-content: start } .keys canvas { width: 34px; height: 16px; vertical-align: -.2em; margin-right: .5em }
.cosines table { table-layout: fixed } .cosines th, .cosines td { text-align: center; padding: .2rem .1rem; line-height: 1.2 } .cosines td span { display: block; border-radius: 4px; padding: .1rem 0; border: 1.5px solid transparent }
.cosines .best span { border: 1.5px dashed var(--muted) } .cosines .merges span { background: var(--accent); border-color: var(--accent); color: var(--paper); font-weight: 700 }
.cells { display: grid; grid-template-columns: repeat(${COUNT}, minmax(0, 1fr)); gap: 4px; margin: 0; padding: 0; list-style: none; text-align: center }
.cells li { display: grid; grid-template-rows: 1fr auto } .cells.before li { display: flex; flex-direction: column; justify-content: end }
.cells b { display: grid; place-items: center; min-height: 2.1rem; padding: .15rem .1rem; line-height: 1.15; background: var(--main); color: var(--paper); border-radius: 3px; overflow-wrap: normal } .cells .A b { border-radius: 1.05rem }
.cells .many b { box-shadow: inset 0 -4px var(--accent) } .cells span { display: block; font-size: .8rem; line-height: 1.25; color: var(--muted) } .cells.before span { padding-bottom: 2px }
.strip .links { height: 34px } .strip .cells + .head { margin-top: .6rem }
@container (min-width: 620px) { .app { grid-template: "top top" auto "plane answer" auto "plane acts" auto "plane say" 1fr "keys cosines" auto "strip strip" auto "note note" auto / minmax(0, 1.15fr) minmax(0, 1fr) } .say { min-height: 0 } }
`;

  settings() { // from the attributes, each checked; whatever is not valid is as the preset has it
    const preset = this.getAttribute("preset") ?? "", start = opened(Object.hasOwn(DATA.presets, preset) ? preset : "two");
    const whole = (name, known) => { const text = this.getAttribute(name); return /^\d$/.test(text ?? "") && known(+text) ? +text : start[name]; };
    const sizes = { on: true, off: false }[this.getAttribute("sizes")];
    return { ...start, r: whole("r", isR), rounds: whole("rounds", isRounds), sizes: sizes ?? start.sizes };
  }

  fragment() { return writeFragment(this.state); }

  changed(how) {
    this.first8 = parse(this.state.t);
    this.made = play(this.first8, this.state);
    this.now = this.made.at(-1);
    this.off = drift(this.first8, this.now).map((x) => (x < 1e-9 ? 0 : x));
    super.changed(how);
  }

  move(i, to) {
    this.$.hint.hidden = true;
    const t = write(this.first8.with(i, to));
    if (t !== this.state.t) this.set({ t });
  }

  go(by) {
    const rounds = this.state.rounds + by;
    if (isRounds(rounds)) this.set({ rounds });
  }

  // ------------------------------------------------------------ building, once
  build($) {
    const top = element("div", { class: "top" }, this.presets("Tokens worth trying", PRESETS.map(([label, preset]) => [label, opened(preset)])));
    $.canvas = element("canvas", { role: "img" });
    $.hands = Array.from({ length: COUNT }, (_, i) => slider({ class: "hand", "aria-valuemin": -100, "aria-valuemax": 100, "aria-label": `Token ${i}: arrows move it, with shift faster` }));
    $.hint = element("p", { class: "hint" }, "drag a token");
    $.stage = element("div", { class: "stage" }, $.canvas, $.hint, ...$.hands);
    [$.least, $.fewer, $.off, $.pair] = ["b", "b", "b", "span"].map((tag) => element(tag));
    const answer = element("div", { class: "answer" }, element("p", { class: "big alike" }, $.least, $.pair), element("p", { class: "big" }, $.fewer, "tokens"), element("p", { class: "big" }, $.off, "farthest from its true mean"));
    $.next = button("Next round", () => this.go(1), { class: "main" });
    $.back = button("Back", () => this.go(-1));
    $.sizes = toggle("weigh by size", () => this.set({ sizes: !this.state.sizes }));
    const acts = element("div", { class: "acts" }, this.range("r", "r, tokens that go in a round", { min: 0, max: HALF }, (r) => this.set({ r })),
      element("div", { class: "row" }, $.next, $.back, $.sizes));
    [$.merges, $.forced, $.apart, $.drifted] = [["p"], ["p", "trap"], ["p", "trap"], ["p"]].map(([tag, name = ""]) => element(tag, { class: name }));
    $.keys = KEYS.map(([kind, label]) => [kind, element("canvas", { "aria-hidden": "true" }), element("span", {}, label)]);
    $.marks = $.keys.map(([, mark, label]) => element("li", {}, mark, label));
    [$.heads, $.rows] = [element("thead"), element("tbody")];
    const cosines = element("div", { class: "cosines" }, element("p", { class: "head" }, "Cosines ", element("span", {}, "of each A with each B, and no others")), element("table", {}, $.heads, $.rows));
    [$.before, $.after] = ["before", "after"].map((name) => element("ol", { class: `cells ${name}` }));
    [$.beforeHead, $.afterHead] = [element("span"), element("span")];
    $.links = element("canvas", { class: "links", "aria-hidden": "true" });
    const strip = element("div", { class: "strip" }, element("p", { class: "head" }, "Before ", $.beforeHead), $.before, $.links, $.after, element("p", { class: "quiet" }, $.afterHead));
    const note = element("p", { class: "note quiet" }, "An A can only go and a B can only receive, so no token waits for one that goes itself: chains cannot form, and one look at all pairs is enough. A cosine compares directions; how far a token is from the middle does not matter to it.");
    this.listenToHands();
    return [top, element("div", { class: "plane" }, $.stage), answer, acts, element("div", { class: "say" }, $.merges, $.drifted, $.forced, $.apart),
      element("ul", { class: "keys" }, ...$.marks), cosines, strip, note];
  }

  listenToHands() {
    const { hands } = this.$;
    this.holding((at, reach) => {
      const away = this.first8.map((place) => long(minus(this.toScreen(place), at))), least = Math.min(...away), i = away.lastIndexOf(least); // the last is on top
      return least <= reach ? { at: this.toScreen(this.first8[i]), hand: hands[i], take: () => (to) => this.move(i, to) } : null;
    }, 18);
    hands.forEach((hand, i) => this.arrows(hand, () => this.first8[i], (to) => this.move(i, to)));
  }

  // ------------------------------------------------------------ words
  names() { return this.now.before.members.map(nameOf); }

  whatMerged() { // "0 and 2 both merge into 1, and 6 merges into 7."
    const { now } = this, names = this.names();
    if (!now.r) return `Nothing merges: ${this.state.r ? "one token is left" : "r is 0"}.`;
    const into = odds(names).map((name, j) => [name, evens(names).filter((_, i) => now.gone.includes(i) && now.partner[i] === j)]).filter(([, some]) => some.length);
    const said = into.map(([name, some]) => `${list(some)} ${some.length > 2 ? "all merge" : some.length > 1 ? "both merge" : "merges"} into ${name}`);
    return `${said.length > 1 ? `${said.slice(0, -1).join(", ")}, and ${said.at(-1)}` : said[0]}.`;
  }

  hadToGo() { // where there was no choice
    const { now, state } = this, names = this.names(), count = evens(names).length;
    const cut = now.r < state.r ? `Of ${plural(names.length, "token")} only ${now.r} can go, so r is cut to ${now.r} in this round. ` : "";
    if (!now.r || now.r < count) return cut;
    const last = now.gone.at(-1), other = state.rounds === 1 ? play(this.first8, { r: HALF / 2, rounds: 2, sizes: true }).flatMap(alikes) : null;
    const slower = other ? ` Two rounds of ${HALF / 2} also leave ${HALF} tokens, and the least alike pair that they merge has ${three(Math.min(...other))}.` : "";
    return `${cut}Every A has to go, alike or not: ${names[2 * last]} goes into ${names[2 * now.partner[last] + 1]} at ${three(now.similarity[last])}.${slower}`;
  }

  twins() { // the two most alike of one set, where they are more alike than a pair that merges, and stay two
    const { now } = this, { tokens } = now.before;
    let found = null;
    tokens.forEach((a, i) => tokens.forEach((b, j) => {
      if (i >= j || isA(i) !== isA(j) || now.step[i] === now.step[j]) return;
      const alike = cosine(a, b);
      if (alike > (found?.alike ?? Math.min(...alikes(now)))) found = { i, j, alike };
    }));
    return found;
  }

  neverCompared() {
    const found = this.now.r ? this.twins() : null, names = this.names(), last = this.now.gone.at(-1);
    if (!found) return "";
    const least = `${names[2 * last]} and ${names[2 * this.now.partner[last] + 1]} (${three(this.now.similarity[last])})`;
    return `${names[found.i]} and ${names[found.j]} are more alike (${three(found.alike)}) than ${least}, yet both are ${isA(found.i) ? "A" : "B"}: nobody compares them in this round.`;
  }

  ofMeans() { // what sizes do
    const { state, off, now } = this, worst = off.indexOf(Math.max(...off));
    if (state.rounds === 1) return state.sizes ? "" : "In the first round all sizes are 1: forgetting them shows from the second round on.";
    if (state.sizes) return "Weighed by size, each token is the mean of all that it stands for.";
    return off[worst] ? `Sizes are forgotten, so each token counts as one: ${nameOf(now.members[worst])} ends ${three(off[worst])} from the mean of the ${now.members[worst].length} tokens that it stands for.`
      : "Sizes are forgotten, and here it does not show: what merged was of equal size, or in one place.";
  }

  tell() {
    const { $, state, now, off } = this, names = this.names(), least = now.r ? alikes(now).at(-1) : null, last = now.gone.at(-1);
    $.least.textContent = now.r ? three(least) : "–";
    $.pair.textContent = now.r ? `cosine of the least alike pair that merges: ${names[2 * last]} into ${names[2 * now.partner[last] + 1]}` : "no pair merges";
    $.fewer.textContent = `${names.length} → ${now.tokens.length}`;
    $.off.textContent = three(Math.max(...off));
    for (const [node, words] of [[$.merges, this.whatMerged()], [$.forced, this.hadToGo()], [$.apart, this.neverCompared()], [$.drifted, this.ofMeans()]]) {
      node.textContent = words;
      node.hidden = !words;
    }
    $.merges.textContent = `Round ${state.rounds}: ${$.merges.textContent}`;
    $.r.value = state.r;
    $.rOut.textContent = state.r;
    pressed($.sizes, state.sizes);
    $.next.setAttribute("aria-disabled", String(state.rounds === ROUNDS));
    $.back.setAttribute("aria-disabled", String(state.rounds === 1));
    $.marks.at(-1).hidden = state.rounds === 1;
    $.marks.at(-2).hidden = !Math.max(...off);
    $.hands.forEach((hand, i) => {
      const [x, y] = this.first8[i];
      valued(hand, Math.round(100 * x), `${two(x)} across, ${two(y)} up; ${this.fate(i)}`);
    });
    $.canvas.setAttribute("aria-label", `${plural(names.length, "token")} in the plane, A and B by turns: ${evens(names).map((name, i) => `${name} is most like ${odds(names)[now.partner[i]]}, ${two(now.similarity[i])}${now.gone.includes(i) ? ", and merges" : ""}`).join("; ")}.`);
    this.tellCosines(names);
    this.tellStrip(names);
    this.speak(`${$.merges.textContent} ${names.length} tokens become ${now.tokens.length}${now.r ? `; the least alike pair has ${three(least)}` : ""}. ${[$.drifted, $.forced, $.apart].map((node) => node.textContent).filter(Boolean).join(" ")}`.trim());
  }

  fate(i) { // what becomes of a first token in this round
    const { now } = this, names = this.names(), place = now.before.members.findIndex((members) => members.includes(i)), half = Math.floor(place / 2);
    const inside = names[place] === String(i) ? "" : `in ${names[place]}; `;
    if (!isA(place)) {
      const some = evens(names).filter((_, a) => now.gone.includes(a) && now.partner[a] === half);
      return `${inside}B, ${some.length ? `receives ${list(some)}` : "receives none"}`;
    }
    return `${inside}A, most like ${odds(names)[now.partner[half]]}, ${three(now.similarity[half])}, ${now.gone.includes(half) ? "merges" : "stays"}`;
  }

  tellCosines(names) {
    const { now } = this, { tokens } = now.before, head = (name, set, scope) => element("th", { scope }, `${set} ${name}`);
    this.$.heads.replaceChildren(element("tr", {}, element("td"), ...odds(names).map((name) => head(name, "B", "col"))));
    this.$.rows.replaceChildren(...evens(tokens).map((a, i) => element("tr", {}, head(names[2 * i], "A", "row"), ...odds(tokens).map((b, j) => {
      const best = now.partner[i] === j, merges = best && now.gone.includes(i);
      return element("td", { class: merges ? "merges" : best ? "best" : "" }, element("span", {}, two(cosine(a, b))));
    }))));
  }

  tellStrip(names) {
    const { $, state, now } = this, { sizes, rounds } = state, { members } = now.before;
    const label = (place, n) => [isA(place) ? "A" : "B", ...(rounds > 1 ? [`size ${n}`] : []), ...(sizes || n === 1 ? [] : ["as 1"])];
    const written = (all) => (all.length > 1 ? all.join(" ") : String(all[0]));
    $.before.replaceChildren(...members.map((all, i) => element("li", { class: `${isA(i) ? "A" : "B"} ${all.length > 1 ? "many" : ""}` },
      ...label(i, all.length).map((words) => element("span", {}, words)), element("b", {}, written(all)))));
    $.after.replaceChildren(...now.members.map((all) => element("li", { class: all.length > 1 ? "many" : "" }, element("b", {}, written(all)), element("span", {}, `size ${all.length}`))));
    $.beforeHead.textContent = `${plural(names.length, "token")}${rounds > 1 ? `, as round ${rounds - 1} left them` : ""}`;
    $.afterHead.textContent = `After: ${plural(now.tokens.length, "token")}. ${now.r ? "In ToMe’s order: first the A that stay, the most alike in front, then the B." : "Nothing moved."}`;
  }

  // ------------------------------------------------------------ pictures
  chip(ctx, name, [x, y], inA) { // a token before: round in A, square in B
    this.font(ctx, 700);
    const wide = Math.max(22, ctx.measureText(name).width + 12);
    ctx.beginPath();
    ctx.roundRect(x - wide / 2, y - 11, wide, 22, inA ? 11 : 2.5);
    Object.assign(ctx, { fillStyle: this.color("image"), strokeStyle: this.color("paper"), lineWidth: 2 });
    ctx.fill();
    ctx.stroke();
    Object.assign(ctx, { fillStyle: this.color("paper"), textAlign: "center", textBaseline: "middle" });
    ctx.fillText(name, x, y + 0.5);
    return wide;
  }

  diamond(ctx, [x, y], r = 8) {
    ctx.beginPath();
    for (const [u, v] of [[0, -r], [r, 0], [0, r], [-r, 0]]) ctx.lineTo(x + u, y + v);
    ctx.closePath();
    Object.assign(ctx, { fillStyle: this.color("accent"), strokeStyle: this.color("paper"), lineWidth: 2 });
    ctx.fill();
    ctx.stroke();
  }

  ring(ctx, [x, y], r, color, width) {
    ctx.beginPath();
    ctx.arc(x, y, r, 0, 2 * Math.PI);
    Object.assign(ctx, { strokeStyle: this.color(color), lineWidth: width }).stroke();
  }

  dotted(ctx, [x, y]) { // a token of round 1
    ctx.beginPath();
    ctx.arc(x, y, 3.5, 0, 2 * Math.PI);
    Object.assign(ctx, { fillStyle: this.color("muted") }).fill();
  }

  render() {
    this.wide = this.$.stage.clientWidth; // asked once: a size that is asked for again and again costs a layout each time
    this.drawPlane();
    this.drawLinks();
    for (const [kind, node] of this.$.keys) if (node.clientWidth) this.drawKey(kind, node);
  }

  drawPlane() {
    const { $, now, off, first8 } = this, [ctx, width] = this.canvas($.canvas);
    if (!width) return;
    const { tokens, members } = now.before, at = tokens.map((place) => this.toScreen(place)), names = this.names(), middle = this.toScreen([0, 0]);
    Object.assign(ctx, { strokeStyle: this.color("muted"), lineWidth: 1 });
    ctx.strokeRect(0.5, 0.5, width - 1, width - 1);
    for (const spot of at) this.line(ctx, [middle, spot], "rule", 1.2); // what a cosine compares
    this.ring(ctx, middle, 3, "dropped", 1.5);
    const first = first8.map((place) => this.toScreen(place)), small = [];
    members.forEach((all, k) => { if (all.length > 1) for (const i of all) { this.line(ctx, [first[i], at[k]], "muted", 1, [1, 4]); small.push(i); } });
    const edges = now.partner.map((j, i) => ({ ends: [at[2 * i], at[2 * j + 1]], merges: now.gone.includes(i), words: two(now.similarity[i]) }));
    for (const { ends, merges } of edges) this.line(ctx, ends, merges ? "accent" : "muted", merges ? 3.5 : 1.3, merges ? [] : [4, 5]);
    const means = now.members.map((all, k) => [this.toScreen(now.tokens[k]), off[k] && this.toScreen(meanOf(first8, all))]).filter((_, k) => now.step.filter((to) => to === k).length > 1 || off[k]);
    const busy = [];
    for (const i of small) { this.dotted(ctx, first[i]); busy.push([...first[i], 8, 8]); }
    for (const k of at.keys()) busy.push([...at[k], this.chip(ctx, names[k], at[k], isA(k)), 24]);
    for (const [spot, right] of means) {
      if (right) { this.line(ctx, [right, spot], "ink", 1.5, [3, 3]); this.ring(ctx, right, 8, "paper", 4.5); this.ring(ctx, right, 8, "ink", 2); busy.push([...right, 20, 20]); }
      this.diamond(ctx, spot);
      busy.push([...spot, 16, 16]);
    }
    this.font(ctx);
    for (const i of small) this.words(ctx, String(i), [0, 45, 90, 135, 180, 225, 270, 315].map((a) => (a * Math.PI) / 180).map((a) => plus(first[i], [11 * Math.cos(a), 11 * Math.sin(a)])), busy, "muted");
    for (const { ends, merges, words } of edges) {
      this.font(ctx, merges ? 700 : "");
      this.words(ctx, words, this.beside(ends), busy, merges ? "accent" : "muted");
    }
    $.hands.forEach((hand, i) => Object.assign(hand.style, { left: `${first[i][0]}px`, top: `${first[i][1]}px` }));
  }

  beside([a, b]) { // spots along an edge, on either side of it, the middle first
    const way = minus(b, a), far = long(way) || 1, across = [-way[1] / far, way[0] / far];
    return [10, 16, 24].flatMap((off) => [0.5, 0.38, 0.62, 0.27, 0.73].flatMap((t) => [1, -1].map((side) => plus(plus(a, way, t), across, side * (off + 6 * Math.abs(across[0]))))));
  }

  words(ctx, text, spots, busy, color) { // at the first spot that is free, or the freest
    const wide = ctx.measureText(text).width + 4, tall = 13, edge = this.wide;
    const lap = ([x, y]) => busy.reduce((sum, [u, v, w, h]) => sum + Math.max(0, (wide + w) / 2 - Math.abs(x - u)) * Math.max(0, (tall + h) / 2 - Math.abs(y - v)), 0) +
      (x < wide / 2 || y < tall / 2 || x > edge - wide / 2 || y > edge - tall / 2 ? 1e6 : 0);
    const laps = spots.map(lap), spot = spots[laps.indexOf(Math.min(...laps))];
    busy.push([...spot, wide, tall]);
    Object.assign(ctx, { textAlign: "center", textBaseline: "middle", strokeStyle: this.color("paper"), fillStyle: this.color(color), lineWidth: 3.5 });
    ctx.strokeText(text, ...spot);
    ctx.fillText(text, ...spot);
  }

  drawLinks() { // from each token before to where it is after
    const { now } = this, [ctx, width, height] = this.canvas(this.$.links), x = (place) => ((place + 0.5) * (width + 4)) / COUNT - 2;
    if (!width) return;
    const joined = (to) => now.step.filter((other) => other === to).length > 1;
    for (const thick of [false, true]) now.step.forEach((to, from) => {
      if (joined(to) !== thick) return;
      Object.assign(ctx, { strokeStyle: this.color(thick ? "accent" : "dropped"), lineWidth: thick ? 3 : 1.3 });
      ctx.beginPath();
      ctx.moveTo(x(from), 2);
      ctx.bezierCurveTo(x(from), height / 2, x(to), height / 2, x(to), height - 2);
      ctx.stroke();
    });
  }

  drawKey(kind, node) {
    const [ctx] = this.canvas(node);
    if (kind === "A" || kind === "B") {
      ctx.beginPath();
      ctx.roundRect(10, 1, 14, 14, kind === "A" ? 7 : 2);
      Object.assign(ctx, { fillStyle: this.color("image") }).fill();
    } else if (kind === "merges") this.line(ctx, [[3, 8], [31, 8]], "accent", 3.5);
    else if (kind === "stays") this.line(ctx, [[3, 8], [31, 8]], "muted", 1.3, [4, 5]);
    else if (kind === "mean") this.diamond(ctx, [17, 8], 7);
    else if (kind === "true") this.ring(ctx, [17, 8], 6.5, "ink", 2);
    else this.dotted(ctx, [17, 8]);
  }
};
});
