// Fewer tokens: which patches of a picture are kept or averaged, what the model then answers, and what it saves.
// The base is explained in base.js; DATA are two pictures, the model's answers to each choice, the features that are merged.
mmExplore.define("compress", (DATA, { Explorable, number, plural, clamp, fragment, element, button, pressed, options, slider, valued,
  table, tableRow, drag, keys, ACROSS }) => {
const [ROWS, COLUMNS] = DATA.grid, ALL = ROWS * COLUMNS, { layers: LAYERS, width: WIDTH, words: WORDS, bytes: BYTES } = DATA.model;
const PICTURES = new Map(DATA.pictures.map((one) => [one.id, one])), METHODS = new Map(DATA.methods.map((one) => [one.id, one]));
const KINDS = DATA.kinds; // of questions; every picture has one of each

// ---------------------------------------------------------------- mmtokedu/compress.py, for small inputs
const list = (count, make) => Array.from({ length: count }, (_, i) => make(i));

function blocks([rows, columns], [down, across]) { // windows side by side, row by row: the places of each, row by row
  return list((rows / down) * (columns / across), (b) => {
    const top = Math.floor(b / (columns / across)) * down, left = (b % (columns / across)) * across;
    return list(down * across, (i) => (top + Math.floor(i / across)) * columns + left + (i % across));
  });
}

const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);

function match(rows) { // for each even row its likeness to the odd one that it resembles most, and that one's index
  const odd = rows.filter((_, i) => i % 2), squares = odd.map((row) => dot(row, row)), scales = squares.map((square) => (square > 0 ? 1 / Math.sqrt(square) : 0));
  return rows.filter((_, i) => i % 2 === 0).map((row) => {
    const dots = odd.map((other) => dot(row, other));
    let partner = 0;
    dots.forEach((value, k) => { if (value * scales[k] > dots[partner] * scales[partner]) partner = k; });
    const both = odd.length ? Math.sqrt(dot(row, row) * squares[partner]) : 0;
    return { partner, likeness: odd.length ? (both > 0 ? dots[partner] / both : 0) : -Infinity };
  });
}

const place = ({ members }) => members.reduce((sum, i) => sum + i, 0) / members.length;
const byPlace = (a, b) => place(a) - place(b) || a.members[0] - b.members[0];

function mergeRound(groups, r) { // groups {mean, members}, by their mean places: r of the even ones join odd ones
  const found = match(groups.map(({ mean }) => mean)), ranked = found.map((_, i) => i).sort((a, b) => found[b].likeness - found[a].likeness || a - b);
  const gone = new Map(ranked.slice(0, r).map((i) => [2 * i, 2 * found[i].partner + 1]));
  const parts = new Map(groups.map((_, i) => [i, []]));
  groups.forEach((group, i) => parts.get(gone.get(i) ?? i).push(group));
  return [...parts.values()].filter((some) => some.length).map((some) => {
    if (some.length === 1) return some[0];
    const size = some.reduce((sum, { members }) => sum + members.length, 0);
    const mean = some[0].mean.map((_, d) => some.reduce((sum, { mean: x, members }) => sum + x[d] * members.length, 0) / size);
    return { mean, members: some.flatMap(({ members }) => members).sort((a, b) => a - b) };
  }).sort(byPlace);
}

function rounds(tokens, target, share = DATA.share) { // how many merge in each round: at most one in `share`
  const steps = [];
  for (let left = tokens; left > target; left -= steps.at(-1)) steps.push(Math.min(left - target, Math.max(1, Math.floor(left / share))));
  return steps;
}

function mergeTo(rows, target) { // the members of each token that is left
  const first = rows.map((mean, i) => ({ mean, members: [i] }));
  return rounds(rows.length, target).reduce(mergeRound, first).map(({ members }) => members);
}

// ---------------------------------------------------------------- what the decoder has to do: mmtokedu/explore/_compress.py
// counts: visual tokens in each layer that is run; the question's words come on top
const flops = (counts, { words = WORDS, width = WIDTH } = {}) => counts.reduce((sum, n) => sum + 24 * width ** 2 * (n + words) + 4 * width * (n + words) ** 2, 0);
const cacheBytes = (counts, { words = WORDS, width = WIDTH, bytes = BYTES } = {}) => counts.reduce((sum, n) => sum + 2 * width * bytes * (n + words), 0);
const cached = (method, tokens) => list(LAYERS, (i) => (method === "late" && i === 0 ? ALL : tokens)); // visual tokens of the layers whose keys and values are kept
const run = (method, tokens) => [...(["attention", "folded"].includes(method) && tokens < ALL ? [ALL] : []), ...cached(method, tokens)]; // and of all that are run

// ---------------------------------------------------------------- what a state shows
const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const metric = (() => { // the features that are compared, whole numbers
  const read = new Map();
  return (id) => read.get(id) ?? (read.set(id, ((flat) => list(ALL, (i) => Array.from(flat.subarray(i * DATA.features, (i + 1) * DATA.features))))(new Int8Array(bytesOf(PICTURES.get(id).metric).buffer))), read.get(id));
})();

const answered = ({ picture, method, tokens, by }) => { // the entry of the data: {told, kept}
  if (tokens === ALL) return PICTURES.get(picture).all;
  const some = PICTURES.get(picture).runs[method][tokens];
  return some.length > 1 ? some[KINDS.indexOf(by)] : some[0];
};

const MERGED = new Map();
function groupsOf(state) { // for each token its patches, in order
  const { picture, method, tokens } = state, { kind } = METHODS.get(method);
  if (tokens === ALL) return list(ALL, (i) => [i]);
  if (kind === "keep") return answered(state).kept.map((i) => [i]);
  if (kind === "pool") return blocks(DATA.grid, DATA.windows[tokens]);
  if (kind === "fold") { // what is kept, and all else
    const { kept } = answered(state), some = [...kept.map((i) => [i]), list(ALL, (i) => i).filter((i) => !kept.includes(i))];
    return some.map((members) => ({ members })).sort(byPlace).map(({ members }) => members);
  }
  const key = `${picture} ${tokens}`;
  if (!MERGED.has(key)) MERGED.set(key, mergeTo(metric(picture), tokens));
  return MERGED.get(key);
}

const oneOf = (name, known) => (text) => known(text) && { [name]: text };
const isTokens = (text) => /^\d{1,2}$/.test(text) && DATA.ladder.includes(+text) && String(+text) === text;
const readFragment = (hash) => fragment("compress", hash, { // "#compress:picture=scene,method=merge,tokens=16,by=count"
  picture: oneOf("picture", (id) => PICTURES.has(id)), method: oneOf("method", (id) => METHODS.has(id)),
  tokens: (text) => isTokens(text) && { tokens: +text }, by: oneOf("by", (kind) => KINDS.includes(kind)),
});
const writeFragment = ({ picture, method, tokens, by }) => `#compress:picture=${picture},method=${method},tokens=${tokens},by=${by}`;

const core = { blocks, match, rounds, mergeTo, flops, cacheBytes, run, cached, groupsOf, readFragment, writeFragment };

// ---------------------------------------------------------------- the page around it
const PRESETS = DATA.presets.map(([name, picture, method, tokens, by]) => [name, { picture, method, tokens, by }]);
const SHAPES = { plus: "plus signs" };
const ASKS = {
  colour: (what) => `What colour is the ${what}?`, where: (what) => `Where is the ${what} one?`,
  count: (what) => `How many ${SHAPES[what] ?? `${what}s`}?`, number: () => "Which number?", shape: (what) => `What shape is the ${what} one?`,
};
const percent = (share) => `${Math.round(100 * share)} %`;
const sure = (thousandths) => (thousandths >= 995 ? "> 99 %" : percent(thousandths / 1000));
const patchWords = (count, other = "") => `${number(count)} ${other}patch${count === 1 ? "" : "es"}`;
const spot = (i) => `row ${Math.floor(i / COLUMNS) + 1}, column ${(i % COLUMNS) + 1}`;

return class extends Explorable {
  static core = core;
  static observedAttributes = ["picture", "method", "tokens", "by"];
  static label = "Explore: fewer tokens, and what the model then answers";
  static modality = "image";
  static style = `
.app { gap: 1rem 1.8rem; grid-template: "top" "plane" "answer" "strip" "more" / minmax(0, 1fr) }
.top { grid-area: top; display: grid; gap: .6rem 1.2rem; grid-template-columns: minmax(0, 1fr) } .plane { grid-area: plane } .answer { grid-area: answer } .strip { grid-area: strip } .more { grid-area: more }
.choice { font-size: .8rem; color: var(--muted) } .choice .row { margin-top: .15rem; gap: .3rem } .choice button { border-radius: 6px; padding: .25rem .55rem }
.stage { aspect-ratio: 1; cursor: crosshair } .hand { position: absolute; box-sizing: border-box; pointer-events: none; outline: none; border-radius: 3px; box-shadow: 0 0 0 2px var(--paper), 0 0 0 4px var(--ink) }
.hand:focus-visible { box-shadow: 0 0 0 2px var(--paper), 0 0 0 5px var(--ink) }
.cell { margin-top: .5rem; min-height: 2.9em } .keys { margin-top: .4rem } .keys canvas { width: 18px; height: 18px; display: inline-block; vertical-align: -.25em; margin-right: .4em }
.answer { display: grid; gap: .8rem; align-content: start } .big { line-height: 1.1 } .big b { margin-right: .15em }
.saved { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .2rem 1rem; line-height: 1.3; font-size: .92rem } .saved b { display: block; font-size: 1.35rem; line-height: 1.2 }
.asks { display: grid; gap: .35rem } .asks button { display: grid; grid-template-columns: minmax(0, 1fr) auto auto; gap: 0 .6rem; align-items: baseline; text-align: start; border-radius: 6px; padding: .35rem .6rem; width: 100% }
.asks .told { font-weight: 700; font-size: 1.05rem } .asks .sure { min-width: 3.6em; text-align: end; color: var(--muted) } .asks .why { grid-column: 1 / -1; color: var(--muted); font-size: .82rem }
.asks .told { padding: 0 .5em; border-radius: 4px; border: 1.5px solid var(--main) } .asks .right .told { background: var(--main); color: var(--paper) } .asks .wrong .told { border: 1.5px dashed var(--special); color: var(--special) }
.strip canvas { height: 52px } th, td { white-space: nowrap } td.wrong { color: var(--special) } td[aria-current] { font-weight: 700; box-shadow: inset 0 0 0 1px var(--main) }
@container (min-width: 620px) {
  .app { grid-template: "top top" auto "plane answer" auto "strip strip" auto "more more" auto / minmax(0, 1.08fr) minmax(0, 1fr) }
  .top { grid-template-columns: auto minmax(0, 1fr); align-items: end } .top > .row { grid-column: 1 / -1 }
}
`;

  settings() { // from the attributes, each checked; whatever is not valid is as if it were not there
    const text = (name) => this.getAttribute(name) ?? "", pick = (name, valid) => (valid(text(name)) ? text(name) : DATA.first[name]);
    return { picture: pick("picture", (id) => PICTURES.has(id)), method: pick("method", (id) => METHODS.has(id)),
      tokens: Number(pick("tokens", isTokens)), by: pick("by", (kind) => KINDS.includes(kind)) };
  }

  fragment() { return writeFragment(this.state); }

  changed(how) {
    const { picture, method, tokens } = this.state;
    this.at ??= DATA.at;
    this.shown = PICTURES.get(picture);
    this.said = answered(this.state);
    this.groups = groupsOf(this.state);
    this.kind = tokens === ALL ? "keep" : METHODS.get(method).kind;
    this.token = list(ALL, () => -1); // in which token each patch is
    this.groups.forEach((members, k) => { for (const i of members) this.token[i] = k; });
    super.changed(how);
  }

  // ------------------------------------------------------------ building, once
  build($) {
    $.pictures = new Map(DATA.pictures.map(({ id, name }) => [id, button(name, () => this.set({ picture: id }))]));
    const pictures = element("div", { class: "choice", role: "group", "aria-label": "picture" }, "picture", element("div", { class: "row" }, ...$.pictures.values()));
    const method = this.select("method", "how tokens become fewer", options(DATA.methods.map(({ id, title }) => [id, title])), (id) => this.set({ method: id }));
    const budget = this.range("tokens", "tokens that are left:", { min: 0, max: DATA.ladder.length - 1 }, (i) => this.set({ tokens: DATA.ladder[i] }));
    const top = element("div", { class: "top" }, pictures, method, this.presets("Worth trying", PRESETS));

    $.canvas = element("canvas", { role: "img" });
    $.hand = slider({ class: "hand", "aria-valuemin": 0, "aria-valuemax": ALL - 1, "aria-label": "One patch: arrows go from patch to patch" });
    $.stage = element("div", { class: "stage" }, $.canvas, $.hand);
    $.cell = element("p", { class: "cell quiet" });
    $.keys = [["kept", "a token of its own"], ["merged", "patches that are one token"], ["dropped", "dropped"], ["asked", "what the question is about"]]
      .map(([kind, label]) => [kind, element("canvas", { "aria-hidden": "true" }), label]);
    $.marks = element("ul", { class: "keys" }, ...$.keys.map(([, mark, label]) => element("li", {}, mark, label)));
    const plane = element("div", { class: "plane" }, element("p", { class: "head" }, "What reaches the decoder ", element("span", {}, `of ${ROWS} × ${COLUMNS} patches`)), $.stage, $.cell, $.marks);

    [$.big, $.of, $.work, $.workOf, $.bytes, $.bytesOf] = list(6, (i) => element(i % 2 ? "span" : "b"));
    $.asks = new Map(KINDS.map((kind) => {
      const parts = { ask: element("span", { class: "ask" }), told: element("span", { class: "told" }), sure: element("span", { class: "sure" }), why: element("span", { class: "why" }) };
      return [kind, { ...parts, node: button("", () => this.set({ by: kind })) }];
    }));
    for (const { node, ask, told, sure: certain, why } of $.asks.values()) node.append(ask, told, certain, why);
    [$.askHead, $.say] = [element("span"), element("p", { class: "quiet" })];
    const answer = element("div", { class: "answer" }, budget, element("p", { class: "big" }, $.big, $.of),
      element("div", { class: "saved" }, element("p", {}, $.work, $.workOf), element("p", {}, $.bytes, $.bytesOf)),
      element("div", {}, element("p", { class: "head" }, "The model’s answers ", $.askHead),
        element("div", { class: "asks", role: "group", "aria-label": "Questions; the pressed one is outlined, and chooses where a method asks" }, ...[...$.asks.values()].map(({ node }) => node))), $.say);

    [$.stripCanvas, $.place, $.rows] = [element("canvas", { role: "img" }), element("span"), element("tbody")];
    const strip = element("div", { class: "strip" }, element("p", { class: "head" }, "The sequence ", $.place), $.stripCanvas, element("p", { class: "about quiet" }, DATA.about));
    $.tableHead = element("p", { class: "head" });
    const all = table("The model’s answer by every method and count", ["method", ...DATA.ladder.map((n) => `${n}`)], $.rows);
    this.listenToHands();
    return [top, plane, answer, strip, this.more("Every method and every count", $.tableHead, all, element("p", { class: "about quiet" }, DATA.counted))];
  }

  listenToHands() {
    const { stage, hand } = this.$;
    const under = (event) => {
      const box = stage.getBoundingClientRect(), place = (at, from, long, count) => clamp(Math.floor(((at - from) / long) * count), 0, count - 1);
      return place(event.clientY, box.top, box.height, ROWS) * COLUMNS + place(event.clientX, box.left, box.width, COLUMNS);
    };
    drag(stage, (event) => {
      this.look(under(event));
      return (move) => this.look(under(move));
    }, { focus: () => hand });
    stage.addEventListener("pointermove", (event) => event.pointerType === "mouse" && !event.buttons && this.look(under(event)));
    keys(hand, ACROSS, ([across, down]) => this.look(clamp(Math.floor(this.at / COLUMNS) + down, 0, ROWS - 1) * COLUMNS + clamp((this.at % COLUMNS) + across, 0, COLUMNS - 1)));
    keys(hand, { Home: 0, End: ALL - 1 }, (i) => this.look(i));
  }

  look(i) {
    if (i === this.at) return;
    this.at = i;
    this.tellPatch();
    this.draw();
  }

  // ------------------------------------------------------------ words
  tell() {
    const { $, state, shown } = this, { picture, method, tokens, by } = state, { title, asks, says } = METHODS.get(method);
    for (const [id, node] of $.pictures) pressed(node, id === picture);
    $.method.value = method;
    $.tokens.value = DATA.ladder.indexOf(tokens);
    $.tokens.setAttribute("aria-valuetext", plural(tokens, "token"));
    $.tokensOut.textContent = tokens;
    $.place.textContent = tokens < ALL && this.kind !== "keep" ? "a mean is drawn at its first patch" : "what is left keeps its place";
    $.big.textContent = number(tokens);
    $.of.textContent = `of ${ALL} visual tokens`;
    const [work, before] = [flops(run(method, tokens)), flops(run(method, ALL))], [kept, full] = [cacheBytes(cached(method, tokens)), cacheBytes(cached(method, ALL))];
    $.work.textContent = this.fewer(work, before);
    $.workOf.textContent = `FLOPs of the decoder: ${(work / 1e6).toFixed(1)} of ${(before / 1e6).toFixed(1)} million`;
    $.bytes.textContent = this.fewer(kept, full);
    $.bytesOf.textContent = `KV cache: ${number(Math.round(kept / 1000))} of ${number(Math.round(full / 1000))} kB`;
    $.askHead.textContent = asks && tokens < ALL ? "the pressed question chooses the patches" : "and how sure it is";
    KINDS.forEach((kind, k) => this.tellAnswer(kind, shown.questions[k], this.said.told[k]));
    $.say.textContent = tokens === ALL ? "All tokens reach the decoder: nothing is lost yet." : says;
    this.tellPatch();
    const right = KINDS.filter((_, k) => this.said.told[k][0] === shown.questions[k].right).length;
    $.canvas.setAttribute("aria-label", `${shown.title}, ${title}: ${this.inWords()}`);
    if ($.more.open) this.tellTable();
    this.speak(`${plural(tokens, "token")}: ${right} of ${KINDS.length} answers right.`);
  }

  fewer(now, before) { return now === before ? "all" : now < before ? `−${percent(1 - now / before)}` : `+${percent(now / before - 1)}`; }

  inWords() { // what is drawn
    const { tokens } = this.state;
    const single = this.groups.filter((members) => members.length === 1).length, dropped = ALL - this.groups.flat().length;
    return [single && `${patchWords(single)} kept`, tokens > single && `${plural(tokens - single, "token")} of several patches`, dropped && `${dropped} dropped`].filter(Boolean).join(", ");
  }

  tellAnswer(kind, { about, right, patches }, [told, certain]) {
    const { node, ask, told: said, sure: how, why } = this.$.asks.get(kind), good = told === right;
    pressed(node, kind === this.state.by);
    node.className = good ? "right" : "wrong";
    ask.textContent = ASKS[kind](about);
    said.textContent = `${good ? "✓" : "✗"} ${told}`;
    how.textContent = sure(certain);
    why.textContent = `${good ? "" : `Right: ${right}; `}${this.left(patches)}`;
  }

  left(patches) { // what became of the patches that a question is about
    const { kind, groups, token } = this, all = patches.length;
    const kept = patches.filter((i) => token[i] >= 0).length, tokens = [...new Set(patches.map((i) => token[i]))].filter((k) => k >= 0);
    if (kept < all) return `${kept ? `${kept} of ${patchWords(all)} kept` : `${patchWords(all)} dropped`}.`;
    const others = tokens.reduce((sum, k) => sum + groups[k].length, 0) - all;
    return `${patchWords(all)} ${kind === "keep" ? "kept" : `in ${plural(tokens.length, "token")}${others ? `, with ${patchWords(others, "other ")}` : ""}`}.`;
  }

  tellPatch() { // the patch that is pointed at
    const { $, at } = this, members = this.groups[this.token[at]];
    let fate = "dropped: the decoder never sees it";
    if (members) fate = members.length === 1 ? "a token of its own" : `one token with ${patchWords(members.length - 1, "other ")}, their mean`;
    const words = `${spot(at)}: ${fate}`;
    $.cell.textContent = `${words[0].toUpperCase()}${words.slice(1)}.`;
    valued($.hand, at, words);
  }

  tellTable() { // every method and count, for the question that is pressed
    const { $, state, shown } = this, k = KINDS.indexOf(state.by), { about, right } = shown.questions[k];
    $.tableHead.textContent = `${ASKS[state.by](about)} Right: ${right}.`;
    $.rows.replaceChildren(...DATA.methods.map(({ id, title }) => {
      const row = tableRow(title, []);
      row.append(...DATA.ladder.map((tokens) => {
        const [told] = answered({ ...state, method: id, tokens }).told[k], now = id === state.method && tokens === state.tokens;
        return element("td", { ...(now ? { "aria-current": "true" } : {}), class: told === right ? "right" : "wrong" }, `${told === right ? "✓" : "✗"} ${told}`);
      }));
      return row;
    }));
  }

  // ------------------------------------------------------------ pictures
  get pixels() { // the picture that is shown, once it is there
    this.images ??= new Map();
    const { id, src } = this.shown;
    if (!this.images.has(id)) {
      const image = new Image();
      this.images.set(id, image);
      image.onload = () => this.draw();
      image.src = src;
    }
    const image = this.images.get(id);
    return image.complete && image.naturalWidth ? image : null;
  }

  render() {
    this.drawPicture();
    this.drawStrip();
    for (const [kind, node] of this.$.keys) this.drawKey(kind, node);
  }

  means() { // the mean colour of each token of several patches
    this.colours ??= new Map();
    const key = `${this.state.picture}`, image = this.pixels;
    if (!this.colours.has(key)) {
      const small = element("canvas"), ctx = ((small.width = image.naturalWidth), (small.height = image.naturalHeight), small.getContext("2d", { willReadFrequently: true }));
      ctx.drawImage(image, 0, 0);
      const wide = image.naturalWidth / COLUMNS, tall = image.naturalHeight / ROWS;
      this.colours.set(key, list(ALL, (i) => {
        const { data } = ctx.getImageData((i % COLUMNS) * wide, Math.floor(i / COLUMNS) * tall, wide, tall), sum = [0, 0, 0];
        for (let p = 0; p < data.length; p++) if (p % 4 < 3) sum[p % 4] += data[p];
        return sum.map((x) => x / (wide * tall));
      }));
    }
    const patches = this.colours.get(key);
    return this.groups.map((members) => [0, 1, 2].map((c) => Math.round(members.reduce((sum, i) => sum + patches[i][c], 0) / members.length)));
  }

  drawPicture() {
    const { $, state, shown, token, groups } = this, [ctx, width, height] = this.canvas($.canvas), image = this.pixels;
    if (!width) return;
    const w = width / COLUMNS, h = height / ROWS, box = (i) => [(i % COLUMNS) * w, Math.floor(i / COLUMNS) * h, w, h];
    Object.assign($.hand.style, { left: `${box(this.at)[0]}px`, top: `${box(this.at)[1]}px`, width: `${w}px`, height: `${h}px` });
    ctx.imageSmoothingEnabled = false;
    if (image) ctx.drawImage(image, 0, 0, width, height);
    for (let i = 0; i < ALL; i++) if (token[i] < 0) this.dim(ctx, box(i));
    if (image) this.means().forEach((colour, k) => {
      if (groups[k].length === 1) return;
      ctx.fillStyle = `rgb(${colour.join(" ")})`;
      ctx.globalAlpha = 0.78;
      for (const i of groups[k]) ctx.fillRect(...box(i));
      ctx.globalAlpha = 1;
    });
    this.drawBorders(ctx, w, h);
    this.drawSizes(ctx, box);
    for (const [y0, x0, y1, x1] of shown.questions[KINDS.indexOf(state.by)].boxes) { // what the question is about
      const [a, b, c, d] = [x0, y0, x1, y1].map((x) => (x * width) / DATA.pixels), edge = [a - 3, b - 3, c - a + 6, d - b + 6];
      ctx.strokeStyle = this.color("paper"); ctx.lineWidth = 5; ctx.strokeRect(...edge);
      ctx.strokeStyle = this.color("accent"); ctx.lineWidth = 2.5; ctx.strokeRect(...edge);
    }
  }

  dim(ctx, area) { // the look of what is dropped
    ctx.globalAlpha = 0.8;
    ctx.fillStyle = this.color("paper");
    ctx.fillRect(...area);
    ctx.globalAlpha = 1;
    this.hatch(ctx, area, 6);
  }

  drawBorders(ctx, w, h) { // between patches that are in different tokens, or of which one is dropped
    const { token, state } = this, path = new Path2D(), edge = (i, j) => (this.kind === "keep" ? (token[i] < 0) !== (token[j] < 0) : token[i] !== token[j]);
    if (state.tokens === ALL) return;
    for (let y = 0; y < ROWS; y++) for (let x = 0; x < COLUMNS; x++) {
      const i = y * COLUMNS + x;
      if (x + 1 < COLUMNS && edge(i, i + 1)) { path.moveTo((x + 1) * w, y * h); path.lineTo((x + 1) * w, (y + 1) * h); }
      if (y + 1 < ROWS && edge(i, i + COLUMNS)) { path.moveTo(x * w, (y + 1) * h); path.lineTo((x + 1) * w, (y + 1) * h); }
    }
    ctx.strokeStyle = this.color("paper"); ctx.lineWidth = 4; ctx.stroke(path);
    ctx.strokeStyle = this.color("image"); ctx.lineWidth = 2; ctx.stroke(path);
  }

  drawSizes(ctx, box) { // how many patches a token stands for, in its first
    this.font(ctx, 700);
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    for (const members of this.groups) if (members.length > 1) {
      const [x, y, w, h] = box(members[0]), wide = ctx.measureText(members.length).width + 8;
      ctx.fillStyle = this.color("paper");
      ctx.fillRect(x + w / 2 - wide / 2, y + h / 2 - 9, wide, 18);
      ctx.fillStyle = this.color("ink");
      ctx.fillText(members.length, x + w / 2, y + h / 2 + 1);
    }
  }

  drawStrip() { // the sequence that the decoder is given
    const { $, state, groups } = this, [ctx, width] = this.canvas($.stripCanvas), each = width / (ALL + WORDS + 1), top = 4, tall = 20;
    if (!width) return;
    const first = new Set(groups.map(([patch]) => patch)), gap = each > 7 ? 2 : 1;
    const [here] = groups[this.token[this.at]] ?? [-1];
    for (let i = 0; i < ALL; i++) {
      const area = [i * each, top, each - gap, tall];
      ctx.globalAlpha = first.has(i) ? 1 : 0.28;
      ctx.fillStyle = this.color(first.has(i) ? "image" : "dropped");
      ctx.fillRect(...area);
      ctx.globalAlpha = 1;
      if (i === here) { ctx.fillStyle = this.color("ink"); ctx.fillRect(i * each, top - 4, each - gap, 3); }
    }
    for (let i = 0; i < WORDS; i++) {
      ctx.strokeStyle = ctx.fillStyle = this.color("text");
      ctx.lineWidth = 1.5;
      ctx.strokeRect((ALL + 1 + i) * each + 0.75, top + 0.75, each - gap - 1.5, tall - 1.5);
    }
    ctx.textBaseline = "middle";
    ctx.fillStyle = this.color("ink");
    this.bracket(ctx, 0.5, ALL * each - gap, top + tall + 4, 4);
    this.bracket(ctx, (ALL + 1) * each, width - gap, top + tall + 4, 4);
    ctx.textAlign = "center";
    ctx.fillText(plural(state.tokens, "visual token"), (ALL * each) / 2, top + tall + 19);
    ctx.textAlign = "end";
    ctx.fillText(plural(WORDS, "word"), width, top + tall + 19);
    $.stripCanvas.setAttribute("aria-label", `${plural(state.tokens, "visual token")}${state.tokens < ALL ? " at the places of patches " + [...first].map((i) => i + 1).join(", ") : ""}, then ${plural(WORDS, "word")}`);
  }

  drawKey(kind, node) {
    const [ctx, width] = this.canvas(node);
    if (!width) return;
    const area = [1, 1, 16, 16];
    if (kind === "dropped") { this.hatch(ctx, area, 5); ctx.strokeStyle = this.color("dropped"); ctx.lineWidth = 1; ctx.strokeRect(...area); }
    else if (kind === "asked") { ctx.strokeStyle = this.color("accent"); ctx.lineWidth = 2.5; ctx.strokeRect(2, 2, 14, 14); }
    else {
      ctx.fillStyle = this.color("image"); ctx.globalAlpha = 0.25; ctx.fillRect(...area); ctx.globalAlpha = 1;
      ctx.strokeStyle = this.color("image"); ctx.lineWidth = 2; ctx.strokeRect(...area);
      if (kind === "merged") { this.font(ctx, 700); ctx.textAlign = "center"; ctx.textBaseline = "middle"; ctx.fillStyle = this.color("ink"); ctx.fillText("5", 9, 10); }
    }
  }
};
});
