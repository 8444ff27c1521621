// Where each token of a sequence stands on three axes, which pair turns with which, and what a query attends to because of
// it. The base is explained in base.js; DATA are rules and layouts of the catalog, the words, the choices.
mmExplore.define("mrope", (DATA, { Explorable, number, plural, clamp, fragment, element, button, pressed, options, slider, valued,
  table, tableRow, drag, keys, ACROSS }) => {
const byId = (rows) => new Map(rows.map((row) => [row.id, row]));
const RULES = byId(DATA.rules), LAYOUTS = byId(DATA.layouts), LETTERS = ["t", "h", "w"];
const [ROWS, COLS] = DATA.most, [HIGH, WIDE] = DATA.frame;

// ---------------------------------------------------------------- mmtokedu/mrope.py, for words, pictures and films
const list = (count, make) => Array.from({ length: count }, (_, i) => make(i));

function times(count, step) { // 0, step, … without the fraction; a millionth short of a whole number is that number
  return list(count, (i) => {
    const time = i * step, whole = Math.round(time);
    return Math.abs(time - whole) <= 1e-6 * Math.max(1, whole) ? whole : Math.trunc(time);
  });
}

const PLACED = { // (t, h, w, step, resume) -> the ids as if it began at 0, and where what follows begins
  along_each_axis(t, h, w, step, resume) {
    const at = times(t, step);
    const ids = at.flatMap((time) => list(h * w, (i) => [time, Math.floor(i / w), i % w]));
    return { ids, ahead: resume === "spatial" ? Math.max(h, w) : Math.max(at.at(-1) + 1, h, w) };
  },
  in_a_line: (t, h, w) => ({ ids: list(t * h * w, (i) => [i, i, i]), ahead: t * h * w }),
};

// segments are ["text", n] or ["vision", t, h, w, step] -> [[t, h, w], …]
function positionIds(segments, rule, resume) {
  const all = [];
  let start = 0;
  for (const [kind, ...sizes] of segments) {
    const { ids, ahead } = kind === "text" ? { ids: list(sizes[0], (i) => [i, i, i]), ahead: sizes[0] } : PLACED[RULES.get(rule).rule](...sizes, resume);
    for (const place of ids) all.push(place.map((x) => x + start));
    start += ahead;
  }
  return all;
}

function axisOfPair(sections, layout) { // fastest pair first
  if (layout === "blocks") return sections.flatMap((count, axis) => new Array(count).fill(axis));
  const pairs = sections.reduce((a, b) => a + b), axes = sections.length;
  return list(pairs, (i) => (Math.floor(i / axes) < sections[i % axes] ? i % axes : 0));
}

const TURNS = new Map(DATA.layouts.map(({ id, sections, theta, layout }) => {
  const axis = axisOfPair(sections, layout);
  return [id, { axis, speed: axis.map((_, i) => theta ** (-i / axis.length)), theta, sections }];
}));

// Every number of query and key is 1: their product, over all numbers, is the mean cosine between the two hands of a pair.
function cosine(layout, query, key) {
  const { axis, speed } = TURNS.get(layout);
  return axis.reduce((sum, a, i) => sum + Math.cos((key[a] - query[a]) * speed[i]), 0) / axis.length;
}
// exp((q k - q q) / sqrt(D)), D being twice the pairs
const attention = (layout, query, key) => Math.exp((cosine(layout, query, key) - 1) * Math.sqrt(2 * TURNS.get(layout).axis.length));

// ---------------------------------------------------------------- the page's sequence: mmtokedu/explore/_mrope.py
const wayOf = (rule, resume) => (RULES.get(rule).resumes.includes(resume) ? resume : RULES.get(rule).resumes[0]);
const framesOf = (fps) => (DATA.seconds * fps) / DATA.merged;

function segmentsOf({ rule, h, w, fps }) { // [what its tokens' names begin with, segment]
  const { films, steps } = RULES.get(rule), words = (part) => [part, ["text", DATA.words[part].length]];
  const step = steps ? (DATA.per_second * DATA.merged) / fps : 1;
  const film = films ? [["f", ["vision", framesOf(fps), HIGH, WIDE, step]]]
    : list(framesOf(fps), (i) => [[`s${i}`, ["text", 1]], [`f${i}_`, ["vision", 1, HIGH, WIDE, 1]]]).flat();
  return [words("a"), ["p", ["vision", 1, h, w, 1]], words("b"), ...film, words("c")];
}

function namesOf(part, [kind, ...sizes]) {
  if (kind === "text") return part[0] === "s" ? [part] : list(sizes[0], (i) => `${part}${i}`);
  const [t, h, w] = sizes, cells = (before) => list(h * w, (i) => `${before}${Math.floor(i / w)}_${i % w}`);
  return part === "f" ? list(t, (frame) => cells(`f${frame}_`)).flat() : cells(part);
}

function sequence(state) { // Map: name -> [t, h, w], in order
  const named = segmentsOf(state), ids = positionIds(named.map(([, segment]) => segment), state.rule, wayOf(state.rule, state.resume));
  return new Map(named.flatMap(([part, segment]) => namesOf(part, segment)).map((name, i) => [name, ids[i]]));
}
const lastFrame = (ids) => Math.max(...[...ids].filter(([name]) => name[0] === "f").map(([, [t]]) => t));
const landing = (ids) => ids.get("c0")[0] - lastFrame(ids); // 1: right behind the film; less: inside its time

// ---------------------------------------------------------------- tokens by name, the page's fragment
const NAME = /^(?:([abc])(\d)|(p)(\d)_(\d\d?)|(f)(\d\d?)_(\d)_(\d)|(s)(\d\d?))$/;
function parse(name) { // ["p", 1, 2], or null for a name that no sequence of the page has
  const [part, ...places] = (NAME.exec(name) ?? []).slice(1).filter((x) => x !== undefined), at = places.map(Number);
  const most = { a: [DATA.words.a.length], b: [DATA.words.b.length], c: [DATA.words.c.length], p: [ROWS, COLS],
    f: [framesOf(Math.max(...DATA.fps)), HIGH, WIDE], s: [framesOf(Math.max(...DATA.fps))] }[part];
  return most && at.every((x, i) => x < most[i]) ? [part, ...at] : null;
}
function within(name, { rule, h, w, fps }) { // the nearest token that the sequence has
  const [part, ...at] = parse(name), frames = framesOf(fps);
  if (part === "p") return `p${Math.min(at[0], h - 1)}_${Math.min(at[1], w - 1)}`;
  if (part === "f") return `f${Math.min(at[0], frames - 1)}_${at[1]}_${at[2]}`;
  if (part !== "s") return name;
  return RULES.get(rule).films ? `f${Math.min(at[0], frames - 1)}_0_0` : `s${Math.min(at[0], frames - 1)}`;
}
const settle = (state) => ({ ...state, q: within(state.q, state), k: within(state.k, state) });

const isSide = (most) => (n) => Number.isInteger(n) && n >= 1 && n <= most;
const wholeOf = (name, valid) => (text) => /^\d{1,2}$/.test(text) && valid(+text) && { [name]: +text };
const oneOf = (name, known) => (text) => known(text) && { [name]: text };
const isResume = (text) => DATA.resumes.includes(text);
const readFragment = (hash) => fragment("mrope", hash, { // "#mrope:rule=qwen2-vl,layout=blocks,resume=spatial,h=4,w=6,fps=4,q=p1_2,k=c0"
  rule: oneOf("rule", (id) => RULES.has(id)), layout: oneOf("layout", (id) => LAYOUTS.has(id)), resume: oneOf("resume", isResume),
  h: wholeOf("h", isSide(ROWS)), w: wholeOf("w", isSide(COLS)), fps: wholeOf("fps", (n) => DATA.fps.includes(n)),
  q: oneOf("q", parse), k: oneOf("k", parse),
});
const writeFragment = ({ rule, layout, resume, h, w, fps, q, k }) => `#mrope:rule=${rule},layout=${layout},resume=${resume},h=${h},w=${w},fps=${fps},q=${q},k=${k}`;

const core = { positionIds, axisOfPair, cosine, attention, sequence, landing, within, readFragment, writeFragment };

// ---------------------------------------------------------------- the page around it
const RULE_WORDS = {
  "qwen2-vl": "Qwen2-VL: a step a frame", "qwen2.5-vl": "Qwen2.5-VL: by the clock",
  "qwen3-vl": "Qwen3-VL: timed frames", "1d": "LLaVA: one count for all",
};
const LAYOUT_WORDS = { blocks: "blocks: Qwen2-VL", interleaved: "interleaved: Qwen3-VL" };
const RESUME_WORDS = { "after-max": "after the largest id", spatial: "after height or width" };
const usual = { rule: "qwen2-vl", resume: "after-max", h: 4, w: 6, fps: 4 };
const PRESETS = [ // [name, state, the token to look at]
  ["a wide picture", { ...usual, h: 3, w: 12, q: "p1_5" }, "p1_11"],
  ["a film at 8 frames a second", { ...usual, rule: "qwen2.5-vl", fps: 8, q: "c0" }, "f15_0_0"],
  ["text after a film", { ...usual, resume: "spatial", fps: 8, q: "c0" }, "f15_0_0"],
  ["a picture in one line", { ...usual, rule: "1d", q: "p1_2" }, "p2_2"],
];
const LOOK = new Map(PRESETS.map(([, state, k]) => [state, k]));
const REACH = 16; // offsets that the curves show, each way
const percent = (share) => `${share < 0.0995 && share > 0 ? (100 * share).toFixed(1) : Math.round(100 * share)} %`;
const told = ([t, h, w]) => `t ${t}, h ${h}, w ${w}`;
const AXIS_STYLE = [0, 1].map((mode) => LETTERS.map((letter, i) => `--axis-${letter}: ${DATA.axes[i][mode]};`).join(" "));

function nameIn(name) { // in words
  const [part, ...at] = parse(name);
  if (part === "p") return `the picture, row ${at[0] + 1}, column ${at[1] + 1}`;
  if (part === "f") return `frame ${at[0] + 1}, row ${at[1] + 1}, column ${at[2] + 1}`;
  return part === "s" ? `the time of frame ${at[0] + 1}` : `“${DATA.words[part][at[0]]}”`;
}

return class extends Explorable {
  static core = core;
  static observedAttributes = ["rule", "layout", "resume", "height", "width", "fps", "query", "token"];
  static label = "Explore: three coordinates of a token, and what a query attends to";
  static style = `
.app { ${AXIS_STYLE[0]} gap: 1rem 2rem; grid-template: "top" "seq" "answer" "rulers" "dials" "curve" "more" / minmax(0, 1fr) } .app.dark { ${AXIS_STYLE[1]} }
.top { grid-area: top; display: grid; gap: .6rem .8rem; grid-template-columns: minmax(0, 3fr) minmax(0, 1fr); align-items: start } .top > .full, .top > .switch { grid-column: 1 / -1 } .top select { padding-inline: .4rem }
.switch { font-size: .8rem; color: var(--muted) } .switch .row { margin-top: .15rem; gap: .3rem } .switch button { border-radius: 6px; padding: .25rem .55rem; font-size: .85rem }
.seq { grid-area: seq } .answer { grid-area: answer } .rulers { grid-area: rulers } .dials { grid-area: dials } .curve { grid-area: curve } .more { grid-area: more }
.seq .stage { cursor: default } .rulers canvas { width: 100%; height: 138px; display: block } .dials canvas { width: 100%; height: 168px; display: block } .curve canvas { width: 100%; height: 190px; display: block }
.hand, .corner { position: absolute; box-sizing: border-box; border-radius: 5px }
.hand.k { pointer-events: none; box-shadow: 0 0 0 2px var(--paper), 0 0 0 4px var(--ink); z-index: 1 }
.hand.q { touch-action: none; cursor: grab; border-radius: 50%; border: 3px solid var(--accent); background: var(--paper); display: grid; place-items: center; font-weight: 700; font-size: .75rem; line-height: 1; color: var(--accent); z-index: 2 }
.hand.q::before { content: ""; position: absolute; inset: -9px } .hand.q::after { content: "q" }
.corner { width: 22px; height: 22px; touch-action: none; cursor: nwse-resize; z-index: 3 } .corner::before { content: ""; position: absolute; inset: -4px -12px -12px -4px }
.corner::after { content: ""; position: absolute; left: 3px; top: 3px; width: 10px; height: 10px; border: solid var(--accent); border-width: 0 4px 4px 0; border-radius: 0 0 4px 0 }
.answer { display: grid; gap: .8rem; align-content: start } .bigs { display: grid; grid-template-columns: auto auto; gap: .7rem 1.6rem; justify-content: start; line-height: 1.2 }
.big b { display: block; font-size: min(2.4rem, 9.5cqi); line-height: 1.1; white-space: nowrap } .place { grid-column: 1 / -1 } .place b { display: inline; margin-right: .4em } .place i { font-style: normal; font-weight: 700; font-size: 1.1rem; margin-right: .2em }
.axis-t { color: var(--axis-t) } .axis-h { color: var(--axis-h) } .axis-w { color: var(--axis-w) } .place b.axis-t { color: var(--axis-t) } .place b.axis-h { color: var(--axis-h) } .place b.axis-w { color: var(--axis-w) }
.lands b { font-size: min(1.7rem, 7cqi); padding-top: .15em; color: var(--ink) } .lands.inside b { color: var(--special) } .share b { font-size: min(1.7rem, 7cqi); padding-top: .15em; color: var(--accent) }
.scale { display: inline-block; width: 5.5em; height: .8em; vertical-align: -.05em; margin-inline: .35em; border: 1px solid var(--rule); background: linear-gradient(90deg, color-mix(in srgb, var(--image) 6%, var(--paper)), var(--image)) }
.keys { margin-top: .45rem } th, td { white-space: nowrap }
@container (min-width: 620px) {
  .app { grid-template: "top top" "seq answer" "rulers rulers" "dials curve" "more more" / minmax(0, 1.25fr) minmax(0, 1fr) }
  .top { grid-template-columns: repeat(2, minmax(0, 1fr)) } .top > .switch { grid-column: span 1 } .big b { font-size: min(2.6rem, 5cqi) } .lands b, .share b { font-size: min(1.7rem, 4cqi) }
}
`;

  settings() { // from the attributes, each checked; whatever is not valid is as if it were not there
    const text = (name) => this.getAttribute(name) ?? "", pick = (name, valid, other) => (valid(text(name)) ? text(name) : other);
    const count = (name, valid, other) => (text(name) !== "" && valid(Number(text(name))) ? Number(text(name)) : other);
    return settle({
      rule: pick("rule", (id) => RULES.has(id), "qwen2-vl"), layout: pick("layout", (id) => LAYOUTS.has(id), "interleaved"),
      resume: pick("resume", isResume, "after-max"), h: count("height", isSide(ROWS), usual.h), w: count("width", isSide(COLS), usual.w),
      fps: count("fps", (n) => DATA.fps.includes(n), usual.fps), q: pick("query", parse, "p1_2"), k: pick("token", parse, "c0"),
    });
  }

  fragment() { return writeFragment(this.state); }
  settled(state) { return settle(state); }

  changed(how) {
    const { rule, resume, h, w, fps, layout, q } = this.state, key = [rule, resume, h, w, fps].join();
    if (this.idsKey !== key) [this.idsKey, this.ids] = [key, sequence(this.state)];
    const query = this.ids.get(q), shareKey = `${key},${layout},${q}`;
    if (this.shareKey !== shareKey) {
      this.shareKey = shareKey;
      this.shares = new Map([...this.ids].map(([name, place]) => [name, attention(layout, query, place)]));
    }
    super.changed(how);
  }

  // ------------------------------------------------------------ building, once
  build($) {
    const rule = this.select("rule", "how tokens are numbered", options(DATA.rules.map(({ id }) => [id, RULE_WORDS[id]])), (id) => this.set({ rule: id }));
    const fps = this.select("fps", "the film", options(DATA.fps.map((n) => [n, `${n} fps`])), (text) => this.set({ fps: Number(text) }));
    const choice = (name, label, words) => {
      $[name] = new Map(Object.entries(words).map(([value, said]) => [value, button(said, () => this.set({ [name]: value }))]));
      return element("div", { class: "switch", role: "group", "aria-label": label }, label, element("div", { class: "row" }, ...$[name].values()));
    };
    const presets = this.presets("Worth trying", PRESETS.map(([name, state]) => [name, state]), { apply: (state) => this.set({ ...state, k: LOOK.get(state) }) });
    presets.classList.add("full");
    const top = element("div", { class: "top" }, rule, fps, choice("layout", "the pairs turn", LAYOUT_WORDS), choice("resume", "after a film, words go on", RESUME_WORDS), presets);

    $.seqCanvas = element("canvas", { role: "img" });
    const how = "left and right arrows go along the sequence, up and down by a row, page keys by a part";
    $.k = slider({ class: "hand k", "aria-valuemin": 0, "aria-label": `The token that is looked at: ${how}` });
    $.q = slider({ class: "hand q", "aria-valuemin": 0, "aria-label": `The query: ${how}` });
    $.corner = slider({ class: "corner", "aria-valuemin": 1, "aria-valuemax": COLS, "aria-label": "The corner of the picture: arrows change its rows and columns" });
    $.stage = element("div", { class: "stage" }, $.seqCanvas, $.k, $.q, $.corner);
    $.seqSize = element("span");
    const seq = element("div", { class: "seq" }, element("p", { class: "head" }, "The sequence ", $.seqSize), $.stage,
      element("ul", { class: "keys" }, element("li", {}, "Drag q, drag the corner, point at a token."), element("li", {}, "little", element("span", { class: "scale" }), "much attention of q, by position alone")));

    const axis = (letter) => [element("i", { class: `axis-${letter}` }, letter), ($[letter] = element("b", { class: `axis-${letter}` }))];
    $.who = document.createTextNode("");
    [$.share, $.lands] = [element("b"), element("b")];
    [$.shareSay, $.landSay] = [document.createTextNode(""), document.createTextNode("")];
    $.landLine = element("p", { class: "big lands" }, $.lands, $.landSay);
    [$.say, $.pictureSay] = [element("p", { class: "say" }), element("p", { class: "quiet" })];
    const answer = element("div", { class: "answer" }, element("div", { class: "bigs" },
      element("p", { class: "big place" }, ...LETTERS.flatMap(axis), element("br"), $.who),
      element("p", { class: "big share" }, $.share, $.shareSay), $.landLine), $.say, $.pictureSay);

    $.rulers = element("canvas", { role: "img" });
    const rulers = element("div", { class: "rulers" }, element("p", { class: "head" }, "Where they stand on each axis ", element("span", {}, "above the line pictures and frames, below it words")), $.rulers);
    $.dials = element("canvas", { role: "img" });
    $.dialSay = element("p", { class: "quiet" });
    const dials = element("div", { class: "dials" }, element("p", { class: "head" }, "The token's 64 pairs ", element("span", {}, "the fastest first; the grey hand is q's")), $.dials, $.dialSay);
    $.curve = element("canvas", { role: "img" });
    const curve = element("div", { class: "curve" }, element("p", { class: "head" }, "Attention against offset ", element("span", {}, "along one axis, and along all three as between words")), $.curve,
      element("p", { class: "quiet" }, "Drawn is exp((q·k − q·q) / √128): what a key gets of the attention of q's own place if every number of q and k is 1."));

    $.rows = element("tbody");
    const all = table("Every part in numbers", ["part", "tokens", "t", "h", "w"], $.rows);
    $.about = element("p", { class: "quiet about" });
    this.listenToHands();
    return [top, seq, answer, rulers, dials, curve, this.more("Every part in numbers, and what is drawn", all, $.about)];
  }

  listenToHands() {
    const { stage, k, q, corner } = this.$;
    const spot = (event) => {
      const box = stage.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    drag(corner, (event) => {
      const { h, w } = this.state, [x, y] = spot(event), { cell } = this.laid;
      return (move) => {
        const [u, v] = spot(move);
        this.set({ h: clamp(h + Math.round((v - y) / cell), 1, ROWS), w: clamp(w + Math.round((u - x) / cell), 1, COLS) });
      };
    });
    drag(stage, (event) => {
      const path = event.composedPath();
      if (path.includes(corner)) return null;
      const name = path.includes(q) ? "q" : "k", take = (move) => {
        const found = this.find(...spot(move), name === "q" ? Infinity : 12);
        if (found && found !== this.state[name]) this.set({ [name]: found });
      };
      if (name === "k") take(event);
      this.held = name;
      return take;
    }, { release: () => { this.held = ""; }, focus: () => this.$[this.held] });
    stage.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "mouse" || event.buttons || event.composedPath().includes(q) || event.composedPath().includes(corner)) return;
      const found = this.find(...spot(event), 0);
      if (found && found !== this.state.k) this.set({ k: found }, { write: false }); // who only passes by keeps the page's address
    });
    for (const [name, node] of [["q", q], ["k", k]]) {
      keys(node, ACROSS, ([across, down]) => this.step(name, across, down));
      keys(node, { PageDown: 1, PageUp: -1 }, (by) => this.leap(name, by));
      keys(node, { Home: 0, End: -1 }, (at) => this.set({ [name]: [...this.ids.keys()].at(at) }));
    }
    keys(corner, ACROSS, ([across, down]) => this.set({ h: clamp(this.state.h + down, 1, ROWS), w: clamp(this.state.w + across, 1, COLS) }));
  }

  step(name, across, down) { // one token along, or a row where there are rows
    const names = [...this.ids.keys()], [part, ...at] = parse(this.state[name]), here = names.indexOf(this.state[name]);
    const long = part === "p" ? this.state.w : part === "f" ? WIDE : 1, row = at.at(-2), tall = part === "p" ? this.state.h : HIGH;
    const leaves = part === "p" || part === "f" ? row + down < 0 || row + down >= tall : false;
    this.set({ [name]: leaves ? this.state[name] : names[clamp(here + across + down * long, 0, names.length - 1)] });
  }

  leap(name, by) { // to the first token of the part before or after
    const parts = ["a0", "p0_0", "b0", ...list(framesOf(this.state.fps), (i) => `f${i}_0_0`), "c0"], names = [...this.ids.keys()];
    const here = names.indexOf(this.state[name]), places = parts.map((part) => names.indexOf(part));
    const next = by > 0 ? places.find((at) => at > here) ?? names.length - 1 : places.findLast((at) => at < here) ?? 0;
    this.set({ [name]: names[next] });
  }

  find(x, y, reach) { // the token there, or the nearest within reach
    let [best, least] = [null, reach];
    for (const [name, [left, top, wide, high]] of this.laid.boxes) {
      const away = Math.hypot(Math.max(left - x, 0, x - left - wide), Math.max(top - y, 0, y - top - high));
      if (away <= least && (away < least || best === null)) [best, least] = [name, away];
      if (away === 0) return name;
    }
    return best;
  }

  // ------------------------------------------------------------ words
  get span() { // least and largest attention over the picture
    const some = [...this.shares].filter(([name]) => name[0] === "p").map(([, share]) => share);
    return [Math.min(...some), Math.max(...some)];
  }

  tell() {
    const { $, state, ids, shares } = this, { rule, layout, resume, h, w, fps, q, k } = state, row = RULES.get(rule);
    $.rule.value = rule;
    $.fps.value = fps;
    for (const [name, way] of [["layout", layout], ["resume", wayOf(rule, resume)]]) for (const [value, node] of $[name]) pressed(node, value === way);
    for (const [value, node] of $.resume) node.disabled = !row.resumes.includes(value);
    const frames = framesOf(fps), words = DATA.words.a.length + DATA.words.b.length + DATA.words.c.length + (row.films ? 0 : frames);
    $.seqSize.textContent = `${words} words, a picture of ${h} × ${w}, ${plural(frames, "merged frame")} of ${HIGH} × ${WIDE}: ${number(ids.size)} tokens`;
    const place = ids.get(k), share = shares.get(k), mean = cosine(layout, ids.get(q), place);
    LETTERS.forEach((letter, i) => { $[letter].textContent = place[i]; });
    $.who.nodeValue = `is where ${nameIn(k)} stands`;
    $.share.textContent = percent(share);
    $.shareSay.nodeValue = q === k ? "it is the query itself" : `of the attention of q's own place`;
    const behind = landing(ids), last = lastFrame(ids), [first] = ids.get("c0");
    $.lands.textContent = behind > 0 ? `${behind} behind` : behind < 0 ? `${-behind} before` : "together with";
    $.landSay.nodeValue = "the last frame: the first word after the film";
    $.landLine.classList.toggle("inside", behind < 1);
    $.say.textContent = this.sayFilm(first, last, behind);
    const [least, most] = this.span;
    const flat = most < 1.05 * least, share1 = (x) => (flat ? `${(100 * x).toFixed(1)} %` : percent(x));
    $.pictureSay.textContent = `Over the picture, q's attention runs from ${share1(least)} to ${share1(most)}` +
      (flat && h * w > 1 ? ": by position alone, q can hardly tell its rows and columns apart." : ".");
    for (const [node, name] of [[$.k, k], [$.q, q]]) {
      node.setAttribute("aria-valuemax", ids.size - 1);
      valued(node, [...ids.keys()].indexOf(name), `${nameIn(name)}: ${told(ids.get(name))}${name === k ? `; ${percent(share)} of the attention of q's own place` : ""}`);
    }
    valued($.corner, w, `${plural(h, "row")} by ${plural(w, "column")}`);
    $.dialSay.textContent = `Mean cosine between both hands: ${mean.toFixed(3)}. Each letter is the axis that turns the pair: ${this.sayPairs()}.`;
    if ($.more.open) this.tellMore();
    this.describe(place, mean);
    const aloud = behind > 0 ? `${behind} behind` : behind < 0 ? `${-behind} before` : "together with";
    this.speak(`${nameIn(k)} stands at ${told(place)}: ${percent(share)} of the attention of q's own place. The first word after the film stands ${aloud} its last frame.`);
  }

  sayFilm(first, last, behind) {
    const { rule, fps } = this.state, different = new Set([...this.ids].filter(([name]) => name[0] === "f").map(([, [t]]) => t)).size, frames = framesOf(fps);
    const where = `The film's last frame has t = ${last}; the word after it, t = ${first}`;
    const says = behind < 1 ? `${where}: the word lands inside the film's time.` : `${where}.`;
    const shared = different < frames && rule !== "1d" ? ` Its ${frames} frames share ${different} values of t.` : "";
    return says + shared + (RULES.get(rule).films ? "" : " Each frame is a picture of its own, so both ways to go on agree.");
  }

  sayPairs() {
    const { sections } = TURNS.get(this.state.layout);
    return LETTERS.map((letter, i) => `${sections[i]} ${letter}`).join(", ");
  }

  describe(place, mean) { // pictures in words
    const { $, state, ids } = this, { layout, k, q } = state, largest = Math.max(...[...ids.values()].flat());
    $.seqCanvas.setAttribute("aria-label", `The sequence: words, a picture, words, a film, words; shaded by the attention that q at ${nameIn(q)} pays by position alone`);
    $.rulers.setAttribute("aria-label", `Three lines of positions from 0 to ${largest}, one an axis, with a mark where tokens stand; ${nameIn(k)} at ${told(place)}`);
    $.dials.setAttribute("aria-label", `64 dials, the fastest first, turned by ${layout === "blocks" ? "t, then h, then w in blocks" : "t, h and w in turn"}; mean cosine to the query ${mean.toFixed(3)}`);
    const at = (axis, offset) => percent(attention(layout, [0, 0, 0], [0, 1, 2].map((a) => (a === axis ? offset : 0))));
    $.curve.setAttribute("aria-label", `Attention against offset: ${LETTERS.map((letter, axis) => `8 away along ${letter} ${at(axis, 8)}`).join(", ")}`);
  }

  tellMore() {
    const { $, ids, state } = this, row = RULES.get(state.rule), layout = LAYOUTS.get(state.layout);
    const range = (some, axis) => {
      const all = some.map((place) => place[axis]), [low, high] = [Math.min(...all), Math.max(...all)];
      return low === high ? String(low) : `${low}–${high}`;
    };
    const of = (kinds) => [...ids].filter(([name]) => kinds.includes(name[0])).map(([, place]) => place);
    const parts = [["words", "a"], ["picture", "p"], ["words", "b"], ["film", "f"], ...(row.films ? [] : [["its times", "s"]]), ["words", "c"]];
    $.rows.replaceChildren(...parts.map(([label, kinds]) => tableRow(label, [of(kinds).length, ...LETTERS.map((_, axis) => range(of(kinds), axis))])));
    const from = ({ verified, source, as_of }) => `(${verified === "run" ? "Run against" : "Read in"}: ${source}; ${as_of}.)`;
    const { theta, sections } = TURNS.get(state.layout);
    $.about.textContent = `The film lasts ${DATA.seconds} s; ${DATA.merged} frames become one. Markers around pictures, which count as words, are left out, and a frame's time is one word here. ` +
      `Every number of query and key is 1, so that positions alone decide: with sections ${sections.join(", ")} and theta ${number(theta)}. A trained head weighs its pairs, and what a picture's tokens hold tells of their places too: its vision tower has positions of its own. ` +
      `Numbering: ${row.about} ${from(row)} Pairs, ${layout.title}: ${layout.about} ${from(layout)}`;
  }

  // ------------------------------------------------------------ pictures
  axisColor(axis) { return DATA.axes[axis][this.dark ? 1 : 0]; }

  lay(ctx, width) { // where each token is drawn: name -> [left, top, wide, high]
    const { h, w, fps } = this.state, boxes = new Map(), chip = 25, gap = 5, cell = clamp(Math.floor((width - 26) / COLS), 14, 27);
    let [x, y] = [0, 2];
    const put = (name, wide, high) => {
      if (x > 0 && x + wide > width) [x, y] = [0, y + high + gap];
      boxes.set(name, [x, y, wide, high]);
      x += wide + gap;
    };
    const words = (part) => DATA.words[part].forEach((word, i) => put(`${part}${i}`, Math.ceil(ctx.measureText(word).width) + 14, chip));
    words("a");
    [x, y] = [0, y + chip + 9];
    for (let i = 0; i < h * w; i++) boxes.set(`p${Math.floor(i / w)}_${i % w}`, [(i % w) * cell, y + Math.floor(i / w) * cell, cell - 1.5, cell - 1.5]);
    const corner = [w * cell, y + h * cell];
    [x, y] = [0, y + h * cell + 10];
    words("b");
    [x, y] = [0, y + chip + 9];
    const small = width < 400 ? 11 : 13, high = HIGH * small, timed = !RULES.get(this.state.rule).films;
    for (let i = 0; i < framesOf(fps); i++) {
      if (x > 0 && x + WIDE * small + (timed ? 15 : 0) > width) [x, y] = [0, y + high + 9];
      if (timed) {
        boxes.set(`s${i}`, [x, y, 12, high - 1]);
        x += 15;
      }
      for (let j = 0; j < HIGH * WIDE; j++) boxes.set(`f${i}_${Math.floor(j / WIDE)}_${j % WIDE}`, [x + (j % WIDE) * small, y + Math.floor(j / WIDE) * small, small - 1, small - 1]);
      x += WIDE * small + 6;
    }
    [x, y] = [0, y + high + 10];
    words("c");
    return { boxes, cell, corner, height: y + chip + 3 };
  }

  render() {
    this.drawSequence();
    this.drawRulers();
    this.drawDials();
    this.drawCurve();
  }

  drawSequence() {
    const { $, shares, state } = this, width = $.stage.clientWidth;
    if (!width) return;
    const measure = $.seqCanvas.getContext("2d");
    this.font(measure);
    this.laid = this.lay(measure, width);
    $.stage.style.height = `${this.laid.height}px`;
    const [ctx] = this.canvas($.seqCanvas);
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    for (const [name, [x, y, wide, high]] of this.laid.boxes) {
      const share = clamp(shares.get(name), 0, 1), [part, i] = parse(name), color = this.color({ p: "image", f: "video" }[part] ?? "text");
      ctx.fillStyle = color;
      if (part === "p" || part === "f") {
        ctx.globalAlpha = 0.06 + 0.94 * share;
        ctx.fillRect(x, y, wide, high);
        ctx.globalAlpha = 0.35;
        ctx.strokeStyle = color;
        ctx.lineWidth = 1;
        ctx.strokeRect(x + 0.5, y + 0.5, wide - 1, high - 1);
        ctx.globalAlpha = 1;
        continue;
      }
      ctx.globalAlpha = 0.45 * share;
      ctx.beginPath();
      ctx.roundRect(x + 0.5, y + 0.5, wide - 1, high - 1, 4);
      ctx.fill();
      ctx.globalAlpha = 1;
      ctx.strokeStyle = color;
      ctx.lineWidth = 1;
      ctx.stroke();
      ctx.fillStyle = this.color("ink");
      if (part === "s") { // a little clock
        ctx.strokeStyle = this.color("ink");
        ctx.beginPath();
        ctx.arc(x + wide / 2, y + high / 2, 3.5, 0, 7);
        ctx.moveTo(x + wide / 2, y + high / 2 - 2); ctx.lineTo(x + wide / 2, y + high / 2); ctx.lineTo(x + wide / 2 + 2, y + high / 2);
        ctx.stroke();
      } else ctx.fillText(DATA.words[part][i], x + wide / 2, y + high / 2 + 1);
    }
    const at = (node, [x, y, wide, high], least = 0) => {
      const [a, b] = [Math.max(wide, least), Math.max(high, least)];
      Object.assign(node.style, { left: `${x + (wide - a) / 2}px`, top: `${y + (high - b) / 2}px`, width: `${a}px`, height: `${b}px` });
    };
    at($.k, this.laid.boxes.get(state.k));
    const [x, y, wide, high] = this.laid.boxes.get(state.q), side = 19, isWord = "abc".includes(state.q[0]); // beside a word, so that it can be read
    at($.q, isWord ? [Math.min(x + wide - 8, $.stage.clientWidth - side), y - 9, side, side] : [x + (wide - side) / 2, y + (high - side) / 2, side, side]);
    Object.assign($.corner.style, { left: `${this.laid.corner[0] - 3}px`, top: `${this.laid.corner[1] - 3}px` });
  }

  drawRulers() { // a line an axis: pictures and frames above it, words below
    const { $, ids, state } = this, [ctx, width] = this.canvas($.rulers), left = 22, tall = 40, top = 22;
    if (!width) return;
    const most = Math.max(...[...ids.values()].flat()), each = (width - left - 6) / (most + 1), x = (id) => left + (id + 0.5) * each;
    const thick = clamp(each * 0.7, 1.2, 9), behind = landing(ids), last = lastFrame(ids), [first] = ids.get("c0");
    ctx.textBaseline = "middle";
    if (behind < 1) { // words inside the film's time
      ctx.fillStyle = this.color("special");
      ctx.globalAlpha = 0.13;
      ctx.fillRect(x(first) - each / 2, top - 17, x(last) - x(first) + each, 34);
      ctx.globalAlpha = 1;
    }
    LETTERS.forEach((letter, axis) => {
      const y = top + axis * tall;
      this.font(ctx, 700);
      ctx.fillStyle = this.axisColor(axis);
      ctx.textAlign = "start";
      ctx.fillText(letter, 2, y);
      ctx.strokeStyle = this.color("muted");
      ctx.lineWidth = 1;
      ctx.beginPath();
      ctx.moveTo(left, y); ctx.lineTo(width, y);
      ctx.stroke();
      const drawn = new Set();
      for (const [name, place] of ids) {
        const kind = { p: "image", f: "video" }[name[0]] ?? "text", key = kind + place[axis];
        if (drawn.has(key)) continue;
        drawn.add(key);
        ctx.fillStyle = this.color(kind);
        const shared = kind !== "text" && (drawn.has(`image${place[axis]}`) && drawn.has(`video${place[axis]}`));
        ctx.fillRect(x(place[axis]) - thick / 2, kind === "text" ? y + 2 : y - 14, thick, shared ? 6 : 12);
      }
      for (const [name, color] of [[state.q, "accent"], [state.k, "ink"]]) {
        const at = x(ids.get(name)[axis]), up = "pf".includes(name[0]);
        ctx.strokeStyle = this.color(color);
        ctx.lineWidth = 2;
        ctx.strokeRect(at - thick / 2 - 3, up ? y - 17 : y - 1, thick + 6, 18);
      }
    });
    this.font(ctx);
    ctx.fillStyle = this.color("muted");
    const y = top + 2 * tall + 28, step = [1, 2, 5, 10, 20, 50, 100].find((n) => n * each >= 34) ?? 100;
    ctx.textAlign = "center";
    for (let id = 0; id <= most; id += step) ctx.fillText(id, clamp(x(id), left + 4, width - 10), y);
    if (behind < 1) {
      ctx.textAlign = "end"; // at the right, where the film's rows and columns leave room
      ctx.fillStyle = this.color("special");
      ctx.fillText("inside the film's time", width, top + 0.5 * tall + 6);
    }
  }

  drawDials() { // a dial a pair: its hand, and the query's
    const { $, ids, state } = this, [ctx, width, height] = this.canvas($.dials), { axis, speed } = TURNS.get(state.layout);
    if (!width) return;
    const across = 16, wide = width / across, tall = height / Math.ceil(axis.length / across), r = Math.min(wide * 0.42, tall / 2 - 8);
    const [key, query] = [ids.get(state.k), ids.get(state.q)];
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    axis.forEach((a, i) => {
      const x = ((i % across) + 0.5) * wide, y = Math.floor(i / across) * tall + r + 2;
      ctx.strokeStyle = this.color("rule");
      ctx.lineWidth = 1;
      ctx.beginPath();
      ctx.arc(x, y, r, 0, 2 * Math.PI);
      ctx.stroke();
      for (const [place, color, thick, long] of [[query, this.color("dropped"), 1.5, 1], [key, this.axisColor(a), 2.2, 0.92]]) {
        const angle = place[a] * speed[i];
        ctx.strokeStyle = color;
        ctx.lineWidth = thick;
        ctx.beginPath();
        ctx.moveTo(x, y);
        ctx.lineTo(x + r * long * Math.sin(angle), y - r * long * Math.cos(angle));
        ctx.stroke();
      }
      ctx.fillStyle = this.axisColor(a);
      ctx.fillText(LETTERS[a], x, y + r + 7);
    });
  }

  drawCurve() { // attention against offset along t, h, w, and along all three, as between words
    const { $, state, ids } = this, [ctx, width, height] = this.canvas($.curve);
    if (!width) return;
    const box = { left: 40, right: width - 40, top: 8, bottom: height - 34 }, { layout } = state;
    const x = (offset) => box.left + ((offset + REACH) / (2 * REACH)) * (box.right - box.left), y = (share) => box.bottom - clamp(share, 0, 1) * (box.bottom - box.top);
    ctx.strokeStyle = this.color("muted");
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.moveTo(box.left, box.top); ctx.lineTo(box.left, box.bottom); ctx.lineTo(box.right, box.bottom);
    ctx.stroke();
    ctx.fillStyle = this.color("muted");
    ctx.textBaseline = "middle";
    ctx.textAlign = "end";
    for (const share of [0, 0.5, 1]) ctx.fillText(`${100 * share} %`, box.left - 3, y(share));
    ctx.textAlign = "center";
    for (const offset of [-16, -8, 0, 8, 16]) ctx.fillText(String(offset).replace("-", "−"), x(offset), box.bottom + 11);
    ctx.fillText("offset from q, in ids", (box.left + box.right) / 2, box.bottom + 26);
    const lines = [
      { name: "all", color: this.color("text"), dash: [], axes: [0, 1, 2], thick: 1.2 },
      ...LETTERS.map((name, axis) => ({ name, color: this.axisColor(axis), dash: [[], [7, 4], [2, 4]][axis], axes: [axis], thick: 2.4 })),
    ];
    const ends = [], offsets = ids.get(state.k).map((at, axis) => at - ids.get(state.q)[axis]);
    for (const { name, color, dash, axes, thick } of lines) {
      const value = (offset) => attention(layout, [0, 0, 0], [0, 1, 2].map((a) => (axes.includes(a) ? offset : 0)));
      ctx.strokeStyle = color;
      ctx.lineWidth = thick;
      ctx.setLineDash(dash);
      ctx.beginPath();
      for (let offset = -REACH; offset <= REACH; offset++) ctx.lineTo(x(offset), y(value(offset)));
      ctx.stroke();
      ctx.setLineDash([]);
      ends.push({ name, color, at: y(value(REACH)) });
      const off = offsets[axes[0]], asWords = new Set(offsets).size === 1;
      if (Math.abs(off) <= REACH && asWords === (axes.length > 1)) { // the token that is looked at
        ctx.fillStyle = color;
        ctx.beginPath();
        ctx.arc(x(off), y(value(off)), 4.5, 0, 7);
        ctx.fill();
      }
    }
    ends.sort((a, b) => a.at - b.at);
    ends.forEach((end, i) => { if (i) end.at = Math.max(end.at, ends[i - 1].at + 14); });
    const over = Math.max(0, ends.at(-1).at - box.bottom - 2);
    ctx.textAlign = "start";
    for (const { name, color, at } of ends) {
      this.font(ctx, 700);
      ctx.fillStyle = color;
      ctx.fillText(name, box.right + 5, at - over);
    }
  }
};
});
