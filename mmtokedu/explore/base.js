// What every explorable stands on, written once: element, theme, colours, hands and keys, fragment, words said aloud,
// still figure. It asks for nothing: no library, no network. A page may hold several copies of this file.
//
// A new explorable is one file, `mmtokedu/explore/TOPIC.js`, and a function of that name in `explore/__init__.py`:
//
//   mmExplore.define("double", (DATA, { Explorable, element, pressed, number, fragment }) => {
//     const isCount = (n) => Number.isInteger(n) && n >= 0 && n <= DATA.most;
//     const core = { double: (n) => 2 * n, // what the golden vectors are replayed on
//       readFragment: (hash) => fragment("double", hash, { n: (text) => isCount(+text) && { n: +text } }) };
//     return class extends Explorable {
//       static core = core;
//       static observedAttributes = ["n"]; // Python's arguments
//       static label = "Explore: what doubling does";
//       static modality = "text"; // whose colour it wears
//       static style = `.app { gap: 1rem } .bar { width: 100%; height: 3rem }`; // after the base's: see STYLE below
//       settings() { const n = Number(this.getAttribute("n")); return { n: isCount(n) ? n : 1 }; }
//       fragment() { return `#double:n=${this.state.n}`; }
//       build($) { // once: nodes that will be spoken to again go into $, the parts of the page are the answer
//         this.presets("Numbers worth trying", [["a pair", { n: 1 }], ["a dozen", { n: 6 }]]);
//         return [element("div", {}, $.presets), this.range("n", "n", { min: 0, max: DATA.most }, (n) => this.set({ n })),
//           element("p", { class: "big" }, ($.big = element("b"))), ($.bar = element("canvas", { class: "bar", role: "img" }))];
//       }
//       tell() { // words, after each change
//         this.$.big.textContent = number(core.double(this.state.n));
//         this.speak(`Twice ${this.state.n} is ${this.$.big.textContent}.`);
//       }
//       render() { const [ctx, width, height] = this.canvas(this.$.bar); … } // pictures, at most once a frame
//     };
//   });
//
// DATA is what Python gives to all elements of the topic; what differs from one to the next is an attribute.
(() => {
"use strict";
const EDITION = 2; // raise it when a topic's file asks for something that an older base lacks
if (globalThis.mmExplore?.edition >= EDITION) return;

const PALETTE = "mm:palette"; // Python writes the book's colours in here: name -> [in light, in dark]

// ---------------------------------------------------------------- numbers and words
function roundHalfEven(x) { // as Python's round
  const low = Math.floor(x), gap = x - low;
  return gap > 0.5 || (gap === 0.5 && low % 2 !== 0) ? low + 1 : low;
}
const number = (n) => n.toLocaleString("en-US");
const plural = (n, word) => `${number(n)} ${word}${n === 1 ? "" : "s"}`;
const clamp = (x, least, most) => Math.min(most, Math.max(least, x));

// "#topic:key=value,…" -> what it asks for, or null for anything that is not exactly of this form. `keys` has for each
// key a function of its text that answers a piece of the state, or something false where the text is not valid.
function fragment(topic, hash, keys) {
  const text = String(hash), start = `#${topic}:`;
  if (text.length > 1000 || !text.startsWith(start)) return null;
  const state = {};
  for (const pair of text.slice(start.length).split(",")) {
    const [, key, value] = /^([a-z]+)=([\w.-]+)$/.exec(pair) ?? [];
    const asked = key && Object.hasOwn(keys, key) && keys[key](value);
    if (!asked) return null;
    Object.assign(state, asked);
  }
  return state;
}

// ---------------------------------------------------------------- nodes
// element("p", {class: "x"}, "text", child): strings become text, never markup
function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function button(label, action, attributes = {}) {
  const node = element("button", { type: "button", ...attributes }, label);
  node.addEventListener("click", action);
  return node;
}
const toggle = (label, action) => button(label, action, { class: "switch", "aria-pressed": "false" });
const pressed = (node, on) => node.setAttribute("aria-pressed", String(on));

const options = (some) => some.map(([value, label]) => element("option", { value }, label));

// something to take hold of: `valued` says where it is, in a number and in words
const slider = (attributes) => element("div", { role: "slider", tabindex: "0", ...attributes });
function valued(node, now, text) {
  node.setAttribute("aria-valuenow", now);
  node.setAttribute("aria-valuetext", text);
}

// a table that can be scrolled sideways, also by keys, with its rows in `rows`
function table(label, heads, rows) {
  const names = heads.map((name) => element("th", { scope: "col" }, name));
  return element("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": label },
    element("table", {}, element("thead", {}, element("tr", {}, ...names)), rows));
}
const tableRow = (head, values, attributes = {}) => element("tr", attributes, element("th", { scope: "row" }, head),
  ...values.map((value) => element("td", {}, String(value))));

// ---------------------------------------------------------------- hands and keys
// Drag `node`: `take(event)` answers what to do with each move (or nothing: it is not taken), `release` comes once at the
// end; `focus` takes the keys meanwhile.
function drag(node, take, { release = () => {}, focus = () => node } = {}) {
  let move = null;
  node.addEventListener("pointerdown", (event) => {
    const taken = event.button ? null : take(event);
    if (!taken) return;
    move = taken;
    node.setPointerCapture(event.pointerId);
    event.preventDefault();
    focus().focus({ preventScroll: true });
  });
  node.addEventListener("pointermove", (event) => move?.(event));
  for (const type of ["pointerup", "pointercancel", "lostpointercapture"])
    node.addEventListener(type, () => {
      if (!move) return;
      move = null;
      release();
    });
}

// `node` answers to the keys of `table`: action(what the table has for the key, event)
function keys(node, table, action) {
  node.addEventListener("keydown", (event) => {
    if (!Object.hasOwn(table, event.key)) return;
    event.preventDefault();
    action(table[event.key], event);
  });
}
const ALONG = (step, page, all) => ({ ArrowRight: step, ArrowUp: step, ArrowLeft: -step, ArrowDown: -step,
  PageUp: page, PageDown: -page, Home: -all, End: all }); // along one line
const ACROSS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }; // across and down

// ---------------------------------------------------------------- a plane: -1 to 1 with a margin, up is up
const MARGIN = 1.06, PLANE = [[-MARGIN, -MARGIN], [MARGIN, -MARGIN], [MARGIN, MARGIN], [-MARGIN, MARGIN]];

// of the plane, or of a part with these corners, what is nearest to place k, of equal ones the lowest: cut by the line half
// way to every other
function region(k, places, corners = PLANE) {
  const [u, v] = places[k];
  places.forEach(([x, y], j) => {
    if (j === k) return;
    const beyond = ([a, b]) => (x - u) * (2 * a - x - u) + (y - v) * (2 * b - y - v) + (x === u && y === v && j < k ? 1 : 0);
    corners = corners.flatMap((a, i) => {
      const b = corners[(i + 1) % corners.length], p = beyond(a), q = beyond(b), t = p / (p - q);
      const kept = p <= 0 ? [a] : [];
      return p * q < 0 ? [...kept, [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])]] : kept;
    });
  });
  return corners;
}

// ---------------------------------------------------------------- the host
function isDark() {
  const root = document.documentElement, body = document.body;
  const theme = root.dataset.theme || root.getAttribute("theme"); // the book; Colab
  if (theme === "dark" || theme === "light") return theme === "dark";
  if (body?.dataset.jpThemeLight) return body.dataset.jpThemeLight === "false"; // Jupyter
  if (body?.dataset.vscodeThemeKind) return /dark|high-contrast$/.test(body.dataset.vscodeThemeKind);
  return matchMedia("(prefers-color-scheme: dark)").matches;
}
const THEMES = ["data-theme", "theme", "data-jp-theme-light", "data-vscode-theme-kind"];
const isCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches; // the reader asks for no motion

const colors = (mode) => Object.entries(PALETTE).map(([name, pair]) => `--${name}: ${pair[mode]};`).join(" ");

// Classes that a topic may use: button.switch of what is on or off, as against the round presets; .row of things, .head over a picture with a <span> beside it, .stage of a canvas and what
// lies on it, .hint, .big <b>, .about, .quiet words, .keys to a picture, .strip of tokens, button.main. A topic says the
// grid of .app, its gap and what it becomes from 620 px on (`@container (min-width: 620px)`).
const STYLE = `
:host { display: block; container-type: inline-size; margin: 1.5rem 0; font: inherit; text-align: start }
[hidden] { display: none !important }
.app { color: var(--ink); line-height: 1.45; overflow-wrap: anywhere; display: grid; border-block: 1px solid var(--rule);
  padding-block: 1rem; font-variant-numeric: tabular-nums }
.app.dark { color-scheme: dark }
.still { display: none }
p { margin: 0 } .about { margin-top: .6rem } .quiet { color: var(--muted); font-size: .92rem }
.row { display: flex; flex-wrap: wrap; gap: .4rem; align-items: center }
label { display: grid; font-size: .8rem; color: var(--muted); gap: .15rem } output { color: var(--ink); font-weight: 600 }
button, input, select { font: inherit; color: var(--ink); box-sizing: border-box; max-width: 100% }
select, input:where(:not([type=range], [type=radio], [type=checkbox])) { background: var(--paper); border: 1px solid var(--muted);
  border-radius: 6px; padding: .25rem .55rem; min-height: 2.1rem; font-size: 1rem; width: 100% }
input:where([type=range]) { width: 100%; margin: 0; min-height: 1.8rem; accent-color: var(--main); touch-action: pan-y }
button { background: var(--paper); border: 1px solid var(--rule); border-radius: 99px; padding: .25rem .8rem; min-height: 2.1rem; cursor: pointer; font-size: .9rem }
button:hover { border-color: var(--ink) } button[aria-pressed=true] { border-color: var(--main); box-shadow: inset 0 0 0 1px var(--main) }
button.switch { border-radius: 6px; padding-inline: .55rem .7rem; display: inline-flex; align-items: center; gap: .5rem } button.switch[aria-pressed=true] { box-shadow: none }
button.switch::before { content: ""; flex: none; box-sizing: border-box; width: .95rem; height: .95rem; border: 1.5px solid var(--muted); border-radius: 3px }
button.switch[aria-pressed=true]::before { border: .5rem solid var(--main) }
button.main { background: var(--main); border-color: var(--main); color: var(--paper); font-weight: 600 }
button[aria-disabled=true] { color: var(--muted); cursor: default; border-style: dashed } button[aria-disabled=true]:hover { border-color: var(--rule) }
button.main[aria-disabled=true] { background: none; border-color: var(--rule) }
:focus-visible { outline: 3px solid var(--main); outline-offset: 2px }
.head { font-weight: 600; line-height: 1.3; margin-bottom: .35rem } .head span { font-weight: 400; color: var(--muted) }
.stage { position: relative; touch-action: pan-y } .stage canvas { position: absolute; inset: 0; width: 100%; height: 100% }
.hint { position: absolute; font-size: .8rem; color: var(--muted); pointer-events: none }
.big b { font-size: 3.2rem; font-weight: 700; letter-spacing: -.02em; color: var(--main) }
.strip canvas { width: 100%; display: block } .strip .quiet { margin-top: .3rem }
.keys { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .1rem 1.2rem; font-size: .85rem; color: var(--muted) }
details { border-top: 1px solid var(--rule); padding-top: .6rem } summary { cursor: pointer; padding: .2rem 0 }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-size: .92rem; margin: .4rem 0 0; width: 100% }
th, td { text-align: end; padding: .12rem .5rem; border-bottom: 1px solid var(--rule); font-weight: 400 } thead th { color: var(--muted) }
th:first-child { text-align: start }
.sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
@media (pointer: coarse) { button, input, select { min-height: 44px } }
@media print { .app { display: none } .still { display: contents } }
`;

class Explorable extends HTMLElement {
  // ------------------------------------------------------------ what a topic says
  static core = {};
  static label = "";
  static modality = "image";
  static style = "";
  settings() { return {}; } // the first state, from the attributes, each checked; what is not valid is as if it were not there
  settled(state) { return state; } // with whatever follows from the rest
  fragment() { return ""; } // the state as the page's address has it; it needs core.readFragment beside it
  build() { return []; }
  tell() {}
  render() {}

  offered = []; // the presets' buttons

  // ------------------------------------------------------------ state
  set(change, { write = true } = {}) {
    this.state = this.settled({ ...this.state, ...change });
    this.changed({ write });
  }

  reset(options) { this.set(this.first, options); }

  changed({ write = true } = {}) {
    for (const [node, state] of this.offered) pressed(node, Object.entries(state).every(([key, value]) => this.state[key] === value));
    this.tell();
    this.draw();
    if (write) this.write();
  }

  // ------------------------------------------------------------ coming and going
  connectedCallback() {
    if (!this.shadowRoot) this.assemble();
    const { core } = this.constructor, root = document.documentElement, returning = Boolean(this.first);
    this.first = this.settings();
    this.inPage = Boolean(core.readFragment) && document.querySelector(this.localName) === this &&
      (root.hasAttribute("data-content_root") || this.hasAttribute("data-fragment")); // a notebook keeps its address
    this.gone = new AbortController();
    const listen = (target, type, action) => target.addEventListener(type, action, { signal: this.gone.signal });
    if (returning) this.changed({ write: false });
    else this.reset({ write: false });
    if (this.inPage) {
      this.followFragment();
      listen(window, "hashchange", () => this.followFragment());
    }
    listen(matchMedia("(prefers-color-scheme: dark)"), "change", () => this.draw());
    this.themes = new MutationObserver(() => this.draw());
    for (const node of [root, document.body]) this.themes.observe(node, { attributeFilter: THEMES });
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this);
  }

  disconnectedCallback() {
    this.gone.abort();
    this.themes.disconnect();
    this.sizes.disconnect();
    for (const timer of [this.writing, this.speaking]) clearTimeout(timer);
    this.writing = null;
  }

  attributeChangedCallback() {
    if (!this.first) return;
    this.first = this.settings();
    this.reset();
  }

  assemble() { // once
    const { label, modality, style } = this.constructor, $ = (this.$ = {});
    this.dataset.lmSuppressShortcuts = "true"; // JupyterLab leaves keys alone that are pressed in here
    $.live = element("p", { class: "sr", "aria-live": "polite" });
    $.app = element("div", { class: "app", role: "group", "aria-label": label }, ...this.build($), $.live);
    $.app.addEventListener("keydown", (event) => event.ctrlKey || event.metaKey || event.stopPropagation());
    const palette = `.app { ${colors(0)} --main: var(--${modality}) } .app.dark { ${colors(1)} }`;
    this.attachShadow({ mode: "open" }).append(element("style", {}, palette + STYLE + style), $.app,
      element("div", { class: "still" }, element("slot")));
  }

  // ------------------------------------------------------------ the page's fragment
  followFragment() {
    const asked = this.constructor.core.readFragment(location.hash);
    if (!asked) return;
    this.follow(asked);
    this.scrollIntoView({ block: "nearest", behavior: "instant" });
  }

  follow(asked) { this.set({ ...this.first, ...asked }, { write: false }); }

  write() { // four times a second at most
    if (this.inPage)
      this.writing ??= setTimeout(() => {
        this.writing = null;
        const fragment = this.fragment();
        try {
          if (location.hash !== fragment) history.replaceState(history.state, "", location.href.split("#")[0] + fragment);
        } catch { /* a browser that refuses keeps the old address */ }
      }, 250);
  }

  // ------------------------------------------------------------ parts, kept in $ by their names
  presets(label, some, { apply = (state) => this.set(state), more = [] } = {}) { // $.presets: [name, piece of the state], …
    this.offered = some.map(([name, state]) => [button(name, () => apply(state)), state]);
    return (this.$.presets = element("div", { class: "row", role: "group", "aria-label": label },
      ...this.offered.map(([node]) => node), ...more, button("reset", () => this.reset())));
  }

  range(name, label, attributes, action) { // $.name, and $.nameOut for its value
    const input = (this.$[name] = element("input", { type: "range", id: name, step: 1, ...attributes }));
    const output = (this.$[`${name}Out`] = element("output", { for: name }));
    input.addEventListener("input", () => action(input.valueAsNumber));
    return element("label", {}, element("span", {}, `${label} `, output), input);
  }

  select(name, label, choices, action) { // $.name; choices are nodes, see `options`
    const node = (this.$[name] = element("select", { id: name }, ...choices));
    node.addEventListener("change", () => action(node.value));
    return element("label", {}, label, node);
  }

  more(summary, ...children) { // $.more: told when it is opened
    this.$.more = element("details", { class: "more" }, element("summary", {}, summary), ...children);
    this.$.more.addEventListener("toggle", () => this.tell());
    return this.$.more;
  }

  speak(words) { // aloud, once, when the hands rest
    clearTimeout(this.speaking);
    this.speaking = setTimeout(() => {
      if (this.$.live.textContent !== words) this.$.live.textContent = words;
    }, 400);
  }

  // ------------------------------------------------------------ a plane in $.stage, with things that are moved in it
  get scale() { return (this.wide || this.$.stage.clientWidth) / (2 * MARGIN); } // this.wide: its width, where it was asked for already
  toScreen([x, y]) { return [(x + MARGIN) * this.scale, (MARGIN - y) * this.scale]; }
  toPlane([left, top]) { return [left / this.scale - MARGIN, MARGIN - top / this.scale]; }

  // find(at, reach) says what is there, or null: { at: where on the screen, hand: the node that takes its keys,
  // take: () => what a place in the plane then does to it }
  holding(find, reach) {
    const { stage } = this.$;
    const spot = ({ clientX, clientY }) => { const box = stage.getBoundingClientRect(); return [clientX - box.left, clientY - box.top]; };
    let held = null;
    // a finger that begins on a thing moves it, and elsewhere scrolls the page
    stage.addEventListener("touchstart", (event) => find(spot(event.touches[0]), 24) && event.preventDefault(), { passive: false });
    drag(stage, (event) => {
      const found = find(spot(event), event.pointerType === "touch" ? 24 : reach);
      if (!found) return null;
      held = found;
      stage.style.cursor = "grabbing";
      const [x, y] = spot(event), [left, top] = found.at, move = found.take();
      return (moved) => { const [u, v] = spot(moved); move(this.toPlane([u + left - x, v + top - y])); };
    }, { focus: () => held.hand, release: () => { held = null; stage.style.cursor = ""; } });
    stage.addEventListener("pointermove", (event) => { if (!held) stage.style.cursor = find(spot(event), reach) ? "grab" : ""; });
  }

  arrows(hand, place, move) { // move(a place in the plane) by keys, from place()
    keys(hand, ACROSS, ([across, down], { shiftKey }) => {
      const [x, y] = place(), step = shiftKey ? 0.1 : 0.02;
      move([x + across * step, y - down * step]);
    });
  }

  // ------------------------------------------------------------ pictures
  draw() { // at most once a frame
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (!this.isConnected) return;
      this.dark = isDark();
      this.$.app.classList.toggle("dark", this.dark);
      this.render();
    });
  }

  color(name) { return PALETTE[name][this.dark ? 1 : 0]; }

  font(ctx, weight = "") { ctx.font = `${weight} 12px ${getComputedStyle(this).fontFamily}`; }

  line(ctx, points, color, width, dash = []) {
    Object.assign(ctx, { strokeStyle: this.color(color), lineWidth: width });
    ctx.setLineDash(dash);
    ctx.beginPath();
    points.forEach((at, i) => ctx[i ? "lineTo" : "moveTo"](...at));
    ctx.stroke();
    ctx.setLineDash([]);
  }

  canvas(node) { // sized for the screen, cleared, drawn on in CSS pixels: [context, width, height]
    const { clientWidth: width, clientHeight: height } = node, ratio = Math.min(devicePixelRatio || 1, 2);
    node.width = Math.round(width * ratio);
    node.height = Math.round(height * ratio);
    const ctx = node.getContext("2d");
    ctx.scale(ratio, ratio);
    ctx.lineJoin = ctx.lineCap = "round";
    this.font(ctx);
    return [ctx, width, height];
  }

  hatch(ctx, [x, y, w, h], gap) { // the look of what is dropped
    ctx.save();
    ctx.beginPath();
    ctx.rect(x, y, w, h);
    ctx.clip();
    ctx.strokeStyle = this.color("dropped");
    ctx.lineWidth = 1;
    ctx.beginPath();
    for (let d = -h; d < w; d += gap) { ctx.moveTo(x + d, y + h); ctx.lineTo(x + d + h, y); }
    ctx.stroke();
    ctx.restore();
  }

  bracket(ctx, from, to, y, tall) { // under a span of tokens
    ctx.strokeStyle = this.color("muted");
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.moveTo(from, y); ctx.lineTo(from, y + tall); ctx.lineTo(to, y + tall); ctx.lineTo(to, y);
    ctx.stroke();
  }
}

function define(topic, make) {
  const name = `mm-explore-${topic}`, data = globalThis.mmData?.[topic];
  if (!data || customElements.get(name)) return; // the file by itself; a page with several outputs
  customElements.define(name, make(data, tools));
}

const tools = { Explorable, PALETTE, roundHalfEven, number, plural, clamp, fragment, element, button, toggle, pressed, options, slider,
  valued, table, tableRow, drag, keys, ALONG, ACROSS, region, isCalm };
globalThis.mmExplore = { edition: EDITION, define };
})();
