// A budget of tokens, spent on many frames or on large ones: whether a number that is shown for a moment is caught, and
// whether it can still be read. The base is explained in base.js; DATA are the clip, the choices and the limit of reading.
mmExplore.define("video_budget", (DATA, { Explorable, roundHalfEven, number, plural, clamp, fragment, element, options, slider, valued,
  table, tableRow, drag, keys, ALONG }) => {
const { height: HIGH, width: WIDE, seconds: LENGTH, factor: FACTOR, together: TOGETHER, rates: RATES, limit: LIMIT } = DATA;

// ---------------------------------------------------------------- as mmtokedu/explore/_video_budget.py counts it
function spent(budget, fps) { // a frame's size and the tokens of the clip
  const groups = Math.ceil(roundHalfEven(LENGTH * fps) / TOGETHER), share = Math.floor((budget * FACTOR ** 2) / groups);
  let size = [HIGH, WIDE].map((n) => roundHalfEven(n / FACTOR) * FACTOR);
  if (size[0] * size[1] > share) {
    const shrink = Math.sqrt((HIGH * WIDE) / share);
    size = [HIGH, WIDE].map((n) => Math.max(FACTOR, Math.floor(n / shrink / FACTOR) * FACTOR));
  }
  return { size, tokens: (groups * size[0] * size[1]) / FACTOR ** 2 };
}
function outcome({ budget, fps, digits, moment }) {
  const { size, tokens } = spent(budget, fps), tall = (digits * size[0]) / HIGH, caught = Math.min(1, moment * fps);
  const readable = tall >= LIMIT;
  return { size, tokens, tall, caught, readable, both: readable ? caught : 0 };
}

const oneOf = (name, some) => (text) => some.map(String).includes(text) && { [name]: Number(text) };
const readFragment = (hash) => fragment("video_budget", hash, { // "#video_budget:fps=1,budget=1024,digits=18,moment=0.5"
  fps: oneOf("fps", RATES), budget: oneOf("budget", DATA.budgets), digits: oneOf("digits", DATA.digits), moment: oneOf("moment", DATA.moments),
});
const writeFragment = ({ fps, budget, digits, moment }) => `#video_budget:fps=${fps},budget=${budget},digits=${digits},moment=${moment}`;
const core = { spent, outcome, readFragment, writeFragment };

// ---------------------------------------------------------------- the page around it
const PRESETS = [
  ["a blink", { moment: 0.1, digits: 28 }],
  ["small print", { moment: 1, digits: 12 }],
  ["four times the tokens", { moment: 0.5, digits: 18, budget: 4096 }],
];
const percent = (x) => `${roundHalfEven(100 * x)} %`;
const every = (fps) => `${Number((1 / fps).toPrecision(2))} s`;
const LOW = 0.5, TOP = 20; // pixels that the picture of the curve reaches from and to

return class extends Explorable {
  static core = core;
  static observedAttributes = ["fps", "budget", "digits", "moment"];
  static label = "Explore: one budget, spent on frames or on pixels";
  static modality = "video";
  static style = `
.app { gap: .8rem 1.8rem; grid-template: "top" "curve" "answer" "more" / minmax(0, 1fr) }
.top { grid-area: top; display: grid; gap: .6rem 1rem; grid-template-columns: repeat(3, minmax(0, 1fr)); align-items: end } .top .row { grid-column: 1 / -1 }
.curve { grid-area: curve } .answer { grid-area: answer } .more { grid-area: more }
.stage { height: 250px; cursor: ew-resize }
.handle { position: absolute; width: 44px; height: 44px; margin: -22px 0 0 -22px; border-radius: 50%; display: grid; place-items: center; touch-action: pan-y }
.handle::after { content: ""; width: 18px; height: 18px; border-radius: 50%; background: var(--video); border: 3px solid var(--paper); box-shadow: 0 0 0 1.5px var(--video) }
.big { line-height: 1.15 } .big b { display: block; font-size: 2.8rem } .none b { color: var(--special) }
.answer { display: grid; gap: .4rem; align-content: start } .looks { display: grid; gap: 10px; grid-template-columns: repeat(2, minmax(0, 1fr)); max-width: 26rem }
.looks figure { margin: 0 } .looks canvas { width: 100%; aspect-ratio: 2 / 1; display: block } .looks figcaption { font-size: .82rem; line-height: 1.3; margin-top: .25rem; color: var(--muted) }
.now { font-weight: 600 }
@container (min-width: 620px) { .app { grid-template: "top top" "curve answer" "more more" / minmax(0, 1fr) minmax(0, 1fr) } .stage { height: 290px } }
`;

  settings() {
    const read = (name, some, usual) => {
      const text = this.getAttribute(name) ?? "";
      return text !== "" && some.includes(Number(text)) ? Number(text) : usual;
    };
    return { fps: read("fps", RATES, 1), budget: read("budget", DATA.budgets, 1024), digits: read("digits", DATA.digits, 18), moment: read("moment", DATA.moments, 0.5) };
  }

  fragment() { return writeFragment(this.state); }

  // ------------------------------------------------------------ building, once
  build($) {
    const pick = (name, label, some, words) => this.select(name, label, options(some.map((x) => [x, words(x)])), (text) => this.set({ [name]: Number(text) }));
    const top = element("div", { class: "top" }, pick("budget", "tokens for the clip", DATA.budgets, number),
      pick("digits", "height of the digits", DATA.digits, (n) => `${n} px`), pick("moment", "shown for", DATA.moments, (s) => `${s} s`),
      this.presets("Worth trying", PRESETS));
    $.canvas = element("canvas", { role: "img" });
    $.handle = slider({ class: "handle", "aria-valuemin": 0, "aria-valuemax": RATES.length - 1, "aria-label": "Frames a second at this budget: left and right arrows change them" });
    $.stage = element("div", { class: "stage" }, $.canvas, $.handle);
    const curve = element("div", { class: "curve" }, element("p", { class: "head" }, "One budget ", element("span", {}, "drag the dot along the curve")), $.stage);
    $.big = element("b");
    $.bigLine = element("p", { class: "big" }, $.big, "caught and readable");
    [$.caught, $.read] = [element("p"), element("p")];
    const look = (name) => element("figure", {}, ($[name] = element("canvas", { role: "img" })), ($[`${name}Say`] = element("figcaption")));
    $.size = element("p", { class: "quiet" });
    const answer = element("div", { class: "answer" }, $.bigLine, $.caught, $.read, element("div", { class: "looks" }, look("before"), look("after")), $.size);
    $.rows = element("tbody");
    const all = table("Every rate at this budget", ["frames a second", "a frame, px", "digits, px", "tokens", "caught and readable"], $.rows);
    const counted = element("p", { class: "quiet" }, `A clip of ${LENGTH} s, ${HIGH} × ${number(WIDE)} px. ${TOGETHER} frames share their tokens, a token is ${FACTOR} × ${FACTOR} px of both; ` +
      `sides are whole tokens, so that a little of the budget is left. A moment of d seconds is caught in d × rate of all cases; ${DATA.about}`);
    drag($.stage, () => {
      const move = ({ clientX }) => this.set({ fps: this.nearest(clientX - $.stage.getBoundingClientRect().left) });
      return move;
    }, { focus: () => $.handle });
    $.stage.addEventListener("click", ({ clientX }) => this.set({ fps: this.nearest(clientX - $.stage.getBoundingClientRect().left) }));
    keys($.handle, ALONG(1, 4, RATES.length), (by) => this.set({ fps: RATES[clamp(RATES.indexOf(this.state.fps) + by, 0, RATES.length - 1)] }));
    return [top, curve, answer, this.more("Every rate, and how it is counted", all, counted)];
  }

  // ------------------------------------------------------------ words
  tell() {
    const { $, state } = this, { fps, budget, digits, moment } = state, now = (this.now = outcome(state));
    for (const name of ["budget", "digits", "moment"]) $[name].value = state[name];
    const px = now.tall.toFixed(1), rate = `${fps} ${fps === 1 ? "frame" : "frames"} a second`;
    $.big.textContent = percent(now.both);
    $.bigLine.classList.toggle("none", !now.readable);
    $.caught.textContent = `${rate}, one every ${every(fps)}: a moment of ${moment} s is caught ${now.caught === 1 ? "always" : `in ${percent(now.caught)} of all cases`}.`;
    $.read.textContent = `Digits of ${digits} px become ${px} px: ${now.readable ? "they can be read" : `too small to be read, under ${LIMIT} px`}.`;
    $.size.textContent = `A frame becomes ${now.size[0]} × ${now.size[1]} px; the clip takes ${number(now.tokens)} of ${number(budget)} tokens.`;
    valued($.handle, RATES.indexOf(fps), `${rate}, digits of ${px} pixels, ${percent(now.both)} caught and readable`);
    $.canvas.setAttribute("aria-label", `Height of the digits against frames a second for ${number(budget)} tokens: the faster, the smaller`);
    $.beforeSay.textContent = `in the clip, ${digits} px`;
    $.afterSay.textContent = `what the model gets, ${px} px`;
    $.before.setAttribute("aria-label", `the number as it is shown, ${digits} pixels high`);
    $.after.setAttribute("aria-label", `the same place, shrunk to ${now.size.join(" × ")} and enlarged: the number is ${px} pixels high`);
    if ($.more.open) $.rows.replaceChildren(...RATES.map((f) => {
      const one = outcome({ ...state, fps: f });
      return tableRow(String(f), [one.size.join(" × "), one.tall.toFixed(1), number(one.tokens), percent(one.both)], f === fps ? { class: "now" } : {});
    }));
    this.speak(`${percent(now.both)} caught and readable at ${rate}.`);
  }

  // ------------------------------------------------------------ pictures
  get plot() { return { left: 34, right: this.$.stage.clientWidth - 8, top: 8, bottom: this.$.stage.clientHeight - 36 }; }
  across(fps) {
    const { left, right } = this.plot, [from, to] = [RATES[0], RATES.at(-1)].map(Math.log);
    return left + ((Math.log(fps) - from) / (to - from)) * (right - left);
  }
  down(px) {
    const { top, bottom } = this.plot;
    return bottom - (Math.log(clamp(px, LOW, TOP) / LOW) / Math.log(TOP / LOW)) * (bottom - top);
  }
  nearest(x) { return RATES.reduce((a, b) => (Math.abs(this.across(b) - x) < Math.abs(this.across(a) - x) ? b : a)); }

  render() {
    this.drawCurve();
    this.drawLooks();
  }

  drawCurve() {
    const { $, state } = this, { left, right, top, bottom } = this.plot, [ctx, width] = this.canvas($.canvas);
    if (!width) return;
    const limit = this.down(LIMIT), sure = clamp(this.across(1 / state.moment), left, right);
    ctx.globalAlpha = 0.13; // where all is well
    ctx.fillStyle = this.color("video");
    ctx.fillRect(sure, top, right - sure, limit - top);
    ctx.globalAlpha = 1;
    this.hatch(ctx, [left, limit, right - left, bottom - limit], 8);
    ctx.strokeStyle = this.color("muted");
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.moveTo(left, top); ctx.lineTo(left, bottom); ctx.lineTo(right, bottom);
    ctx.moveTo(left, limit); ctx.lineTo(right, limit);
    ctx.moveTo(sure, top); ctx.lineTo(sure, bottom);
    ctx.stroke();
    const label = (text, x, y, align = "start", color = "muted") => {
      const wide = ctx.measureText(text).width, from = align === "start" ? x : align === "end" ? x - wide : x - wide / 2;
      ctx.fillStyle = this.color("paper");
      ctx.fillRect(from - 2, y - 7, wide + 4, 14);
      ctx.fillStyle = this.color(color);
      ctx.textAlign = "start";
      ctx.textBaseline = "middle";
      ctx.fillText(text, from, y);
    };
    for (const px of [1, 2, 5, 10, 20]) label(String(px), left - 5, this.down(px), "end");
    for (const f of [0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30]) label(String(f), clamp(this.across(f), left, right - 6), bottom + 10, "center");
    label("frames a second", right, bottom + 26, "end");
    label("digits, px", left + 6, top + 6);
    label(`too small to read: under ${LIMIT} px`, left + 8, bottom - 12, "start", "ink");
    const fits = ctx.measureText("caught and readable").width + 16 < right - sure;
    if (fits) label("caught and readable", right - 6, top + 8, "end", "ink");
    const points = RATES.map((fps) => [this.across(fps), this.down(outcome({ ...state, fps }).tall)]);
    ctx.strokeStyle = this.color("video");
    ctx.lineWidth = 2.5;
    ctx.beginPath();
    points.forEach(([x, y], i) => (i ? ctx.lineTo(x, y) : ctx.moveTo(x, y)));
    ctx.stroke();
    ctx.fillStyle = this.color("video");
    for (const [x, y] of points) { ctx.beginPath(); ctx.arc(x, y, 3, 0, 7); ctx.fill(); }
    const [x, y] = points[RATES.indexOf(state.fps)];
    Object.assign($.handle.style, { left: `${x}px`, top: `${y}px` });
  }

  scene(ctx, digits) { // a plate with a number, 8 by 4 digits' heights of the clip, drawn in its pixels
    const w = 8 * digits, h = 4 * digits, sky = ctx.createLinearGradient(0, 0, w, h);
    sky.addColorStop(0, "#5b7f95"); sky.addColorStop(1, "#a98f66");
    ctx.fillStyle = sky;
    ctx.fillRect(0, 0, w, h);
    for (let i = 0; i < 60; i++) { // leaves, always the same
      ctx.fillStyle = ["#3f5d4a", "#c9b48a", "#6f8fa0"][i % 3];
      ctx.fillRect(((i * 73) % 97) / 97 * w, ((i * 41) % 89) / 89 * h, digits * 0.35, digits * 0.2);
    }
    ctx.fillStyle = "#f3f1e8";
    ctx.fillRect(w / 2 - 2.1 * digits, h / 2 - 0.95 * digits, 4.2 * digits, 1.9 * digits);
    ctx.fillStyle = "#16181a";
    ctx.font = `700 ${digits / 0.729}px "DejaVu Sans", Verdana, sans-serif`; // its digits are 0.729 of the size high
    ctx.textAlign = "center";
    ctx.textBaseline = "alphabetic";
    ctx.fillText(DATA.text, w / 2, h / 2 + digits / 2, 3.9 * digits);
  }

  drawLooks() {
    const { $, state, now } = this, { digits } = state, fine = 4;
    const large = element("canvas"), small = element("canvas");
    [large.width, large.height] = [8 * digits * fine, 4 * digits * fine];
    const draw = large.getContext("2d");
    draw.scale(fine, fine);
    this.scene(draw, digits);
    [small.width, small.height] = [(8 * digits * now.size[1]) / WIDE, (4 * digits * now.size[0]) / HIGH].map((n) => Math.max(1, Math.round(n)));
    const get = small.getContext("2d");
    get.imageSmoothingQuality = "high";
    get.drawImage(large, 0, 0, small.width, small.height);
    for (const [node, picture, smooth] of [[$.before, large, true], [$.after, small, false]]) {
      const [ctx, width, height] = this.canvas(node);
      ctx.imageSmoothingEnabled = smooth;
      ctx.imageSmoothingQuality = "high";
      ctx.drawImage(picture, 0, 0, width, height);
    }
  }
};
});
