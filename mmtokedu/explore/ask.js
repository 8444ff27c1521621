// One question of the book, a number or a choice: marked at once, a known wrong number by its cause; ticks are kept in
// this browser. No explorable, but it stands on their base (base.js). What is asked is the attribute `question`, data
// that mmtokedu/course/quiz/_element.py writes; the host gets `data-right` once it was answered right, and says
// "mm-ask" whenever that changes: mm-page.js counts.
mmExplore.define("ask", (DATA, { Explorable, element, button }) => {
const KEY = "mm-right"; // in this browser: the names of what was answered right, as a list

function kept() {
  try { return new Set(JSON.parse(localStorage.getItem(KEY) ?? "[]")); } catch { return new Set(); }
}
function keep(name, right) { // where nothing can be kept, a tick lasts as long as its page
  const names = kept();
  right ? names.add(name) : names.delete(name);
  try { localStorage.setItem(KEY, JSON.stringify([...names])); } catch { /* refused, or full */ }
}

// ---------------------------------------------------------------- what a reader types
// "1,024", "1024", "1 024", "-0.5", "0,5", "2^10", "39 × 69", with the unit or without -> the number; anything else null
function read(text, unit = "") {
  let plain = text.trim().toLowerCase().replaceAll("−", "-");
  const last = unit.trim().toLowerCase();
  if (last && plain.endsWith(last)) plain = plain.slice(0, -last.length).trim();
  if (!plain || plain.length > 60) return null;
  const value = plain.split(/\s*[*×·x]\s*/).reduce((product, factor) => {
    const [base, power = 1, ...more] = factor.split("^").map(one);
    return more.length ? NaN : product * base ** power;
  }, 1);
  return Number.isFinite(value) ? value : null;
}
function one(text) { // NaN where it is no number
  const digits = text.trim().replace(/(?<=\d)[\s'’_](?=\d{3}(?!\d))/g, "");
  if (/^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$/.test(digits)) return Number(digits.replaceAll(",", ""));
  if (/^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,3})?$/.test(digits)) return Number(digits);
  return /^[+-]?\d+,\d+$/.test(digits) ? Number(digits.replace(",", ".")) : NaN;
}

// as `near` and `Asked.reply` of mmtokedu/course/quiz: {right, says}
const near = (a, b, tolerance) => Math.abs(a - b) <= tolerance + 1e-9 * Math.max(Math.abs(a), Math.abs(b));
function reply(asked, said) {
  if (asked.kind === "choice") return { right: said === asked.answer, says: asked.options[said][1] };
  if (near(said, asked.answer, asked.tolerance)) return { right: true, says: `${asked.said}. ${asked.why}`.trim() };
  const known = asked.wrong.find(([number]) => near(said, number, asked.tolerance));
  return { right: false, says: known ? known[1] : said < asked.answer ? "Too low." : "Too high.", known: Boolean(known) };
}

return class extends Explorable {
  static core = { read, reply };
  static modality = "ink";
  static style = `
    :host { margin: .8rem 0 }
    .app { gap: .7rem; max-width: 46rem; border: 1.5px dashed var(--muted); padding: .9rem 1.1rem .9rem 1.25rem }
    .app.right { border-style: solid }
    .app, button, input { font-family: var(--mm-sans, inherit) } button { font-size: .9em }
    .title { display: flex; gap: .6rem; align-items: center; font-weight: 650; flex-wrap: wrap }
    .title::before { content: "?"; display: inline-grid; place-items: center; width: 1.15rem; height: 1.15rem; border: 1.5px dashed currentColor;
      border-radius: 50%; font-size: .8rem; line-height: 1; flex: none }
    .app.right .title::before { border-style: solid }
    .tick { font-weight: 400; color: var(--muted); font-size: .92rem }
    .check::before { content: ""; display: inline-block; width: .34em; height: .68em; border: solid currentColor; border-width: 0 2px 2px 0;
      transform: rotate(42deg); margin: 0 .55em .1em .2em }
    .cross::before { content: "×"; font-weight: 650; margin-inline-end: .4em }
    form { display: grid; gap: .7rem; margin: 0 } fieldset { border: 0; margin: 0; padding: 0; min-width: 0; display: grid; gap: .15rem }
    legend, .text { padding: 0; margin: 0 0 .2rem; font-size: 1em; color: var(--ink); max-width: 38rem; font-family: var(--mm-serif, inherit); display: block; line-height: 1.55 }
    .option { display: grid; grid-template-columns: auto 1fr; gap: .6rem; font-size: 1em; color: var(--ink); padding: .25rem 0; cursor: pointer }
    .option input { margin: .2rem 0 0; width: 1.05rem; height: 1.05rem; min-height: 0; accent-color: var(--main) }
    .row { column-gap: .9rem } .row input + #unit { margin-inline-start: -.4rem } .row input { font-size: 1em; width: 7.5rem; flex: 0 1 auto } #unit { margin-inline-end: .3rem } .reply, .told { max-width: 38rem }
    .quiet { border: 0; background: none; padding: .25rem 0; color: var(--muted); text-decoration: underline; text-underline-offset: .2em } .quiet:hover { color: var(--ink) }
    .told { border-inline-start: 3px solid var(--rule); padding-inline-start: .8rem }
    @media (pointer: coarse) { .option { padding: .6rem 0 } .option input { min-height: 0 } }`;

  connectedCallback() {
    if (this.asked ??= this.question()) super.connectedCallback(); // without a question the plain text stays
  }

  disconnectedCallback() { if (this.asked) super.disconnectedCallback(); }

  question() {
    try { return JSON.parse(this.getAttribute("question")); } catch { return null; }
  }

  settings() { return { right: kept().has(this.asked.name), reply: null, hint: false, shown: false }; }

  build($) { // see base.js
    const { kind, text, hint, said, why, options, answer } = this.asked, choice = kind === "choice";
    $.tick = element("span", { class: "tick check" }, "answered");
    $.hint = element("p", { class: "told", id: "hint" }, element("b", {}, "Hint. "), hint);
    $.answer = element("p", { class: "told", id: "answer" }, element("b", {}, "Answer. "), said, choice ? " " : ". ", choice ? options[answer][1] : why);
    $.reply = element("p", { class: "reply", id: "reply" });
    const check = element("button", { type: "submit", class: "main" }, "Check");
    $.openHint = button("", () => this.set({ hint: !this.state.hint }), { class: "quiet", "aria-controls": "hint" });
    $.show = button("", () => this.set({ shown: !this.state.shown }), { class: "quiet", "aria-controls": "answer" });
    $.again = button("Ask again", () => this.forget({ focus: true }), { class: "quiet" });
    const row = element("div", { class: "row" }, ...(choice ? [] : this.number($)), check, $.openHint, $.show, $.again);
    const parts = choice ? [element("fieldset", {}, element("legend", {}, text), ...this.choice($))]
      : [element("label", { class: "text", for: "said" }, text)];
    $.form = element("form", { novalidate: "" }, ...parts, row);
    $.form.addEventListener("submit", (event) => { event.preventDefault(); this.check(); });
    $.form.addEventListener("input", () => this.state.reply && this.set({ reply: null }));
    return [element("div", { class: "title" }, this.asked.label, $.tick), $.form, $.reply, $.hint, $.answer];
  }

  number($) {
    $.input = element("input", { id: "said", autocomplete: "off", autocapitalize: "off", spellcheck: "false", maxlength: "60",
      "aria-describedby": "unit reply" });
    return [$.input, element("span", { id: "unit" }, this.asked.unit)];
  }

  choice($) {
    $.options = this.asked.options.map((_, value) => element("input", { type: "radio", name: "said", value, "aria-describedby": "reply" }));
    return this.asked.options.map(([text], value) => element("label", { class: "option" }, $.options[value], element("span", {}, text)));
  }

  said() { // what the reader says: a number, an option's place, or null
    const { input, options } = this.$, chosen = options?.findIndex((option) => option.checked);
    return input ? read(input.value, this.asked.unit) : chosen < 0 ? null : chosen;
  }

  check() {
    const said = this.said();
    if (said === null) {
      const says = this.$.input ? "Type a number, such as 1,024." : "Choose one first.";
      this.set({ reply: { says, known: true } });
    } else {
      const found = reply(this.asked, said);
      this.set({ reply: found, right: this.state.right || found.right, shown: this.state.shown && !found.right });
      if (found.right) keep(this.asked.name, true);
    }
    const { right, says, known } = this.state.reply, hint = right || known || this.$.options || this.state.hint ? "" : " There is a hint.";
    this.$.live.textContent = ""; // the same words once more are news, too
    this.speak((right ? "Right. " : said === null ? "" : "Not this. ") + says + hint);
  }

  forget({ focus = false } = {}) { // as if it had never been asked
    keep(this.asked.name, false);
    this.$.form.reset();
    this.set({ right: false, reply: null, hint: false, shown: false });
    if (focus) (this.$.input ?? this.$.options[0]).focus();
  }

  tell() {
    const { $ } = this, { right, reply: told, hint, shown } = this.state, marked = told && "right" in told;
    $.app.setAttribute("aria-label", this.asked.label);
    $.app.classList.toggle("right", right);
    $.tick.hidden = !right;
    $.reply.className = `reply ${marked ? (told.right ? "check" : "cross") : ""}`;
    $.reply.hidden = !told;
    $.reply.replaceChildren(...(marked ? [element("b", {}, told.right ? "Right. " : "Not this. ")] : []), told?.says ?? "");
    for (const [opener, node, open, name] of [[$.openHint, $.hint, hint, "hint"], [$.show, $.answer, shown, "answer"]]) {
      if (open && node.hidden) this.speak(node.textContent);
      node.hidden = !open;
      opener.setAttribute("aria-expanded", String(open));
      opener.textContent = `${open ? "Hide" : "Show"} the ${name}`;
    }
    $.show.hidden = Boolean(told?.right); // it has just been said
    $.again.hidden = !right;
    if (this.hasAttribute("data-right") === right) return;
    this.toggleAttribute("data-right", right);
    this.dispatchEvent(new CustomEvent("mm-ask", { bubbles: true }));
  }
};
});
