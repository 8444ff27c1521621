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
    .app { gap: .7rem; border: 1.5px dashed var(--muted); border-right: 0; padding: .9rem 1.1rem .9rem 1.25rem }
    .app.right { border: 1.5px solid var(--muted) }
    .app, button, input { font-family: var(--mm-sans, inherit) }
    .title { display: flex; gap: .6rem; align-items: center; font-weight: 650; flex-wrap: wrap }
    .title::before { content: "?"; display: inline-grid; place-items: center; width: 1.15rem; height: 1.15rem; border: 1.5px dashed currentColor;
      border-radius: 50%; font-size: .8rem; line-height: 1; flex: none }
    .app.right .title::before { border-style: solid }
    .tick { font-weight: 400; color: var(--muted); font-size: .92rem }
    .check::before { content: ""; display: inline-block; width: .34em; height: .68em; border: solid currentColor; border-width: 0 2px 2px 0;
      transform: rotate(42deg); margin: 0 .55em .1em .2em }
    .cross::before { content: "×"; font-weight: 650; margin-inline-end: .4em }
    form { display: grid; gap: .7rem; margin: 0 } fieldset { border: 0; margin: 0; padding: 0; min-width: 0; display: grid; gap: .15rem }
    legend, .text { padding: 0; margin: 0 0 .35rem; font-size: 1rem; color: var(--ink); max-width: 38rem; font-family: var(--mm-serif, inherit); display: block; line-height: 1.55 }
    .option { display: grid; grid-template-columns: auto 1fr; gap: .6rem; align-items: baseline; font-size: 1rem; color: var(--ink); padding: .3rem 0; cursor: pointer }
    .option input { margin: 0; width: 1.05rem; height: 1.05rem; min-height: 0; accent-color: var(--main); align-self: start; margin-top: .2rem }
    .row input { width: 9rem; flex: 0 1 auto } .reply { max-width: 38rem } .reply b { font-weight: 650 }
    details { border: 0; padding: 0; font-size: .95rem } details p { max-width: 38rem; padding: .1rem 0 .2rem }
    summary { color: var(--muted); min-height: 1.5rem; width: fit-content } summary:hover { color: var(--ink) }
    .answer { border-inline-start: 3px solid var(--rule); padding-inline-start: .8rem; max-width: 38rem }
    @media (pointer: coarse) { .option { padding: .6rem 0 } .option input { min-height: 0 } summary { padding: .6rem 0 } }`;

  connectedCallback() {
    if (this.asked ??= this.question()) super.connectedCallback(); // without a question the plain text stays
  }

  disconnectedCallback() { if (this.asked) super.disconnectedCallback(); }

  question() {
    try { return JSON.parse(this.getAttribute("question")); } catch { return null; }
  }

  settings() { return { right: kept().has(this.asked.name), reply: null, shown: false }; }

  build($) { // see base.js
    const { kind, label, unit, hint, said, why } = this.asked, choice = kind === "choice";
    $.tick = element("span", { class: "tick check" }, "answered");
    $.title = element("div", { class: "title" }, label, $.tick);
    $.reply = element("p", { class: "reply", id: "reply" });
    $.hint = element("details", {}, element("summary", {}, "Hint"), element("p", {}, hint));
    $.show = button("", () => this.show(), { "aria-controls": "answer" });
    $.again = button("Ask again", () => this.forget({ focus: true }));
    $.answer = element("p", { class: "answer", id: "answer" }, element("b", {}, choice ? said : `${said}.`), ` ${choice ? this.asked.options[this.asked.answer][1] : why}`);
    $.form = element("form", { novalidate: "" }, ...(choice ? this.choice($) : this.number($, unit)));
    $.form.addEventListener("submit", (event) => { event.preventDefault(); this.check(); });
    $.form.addEventListener("input", () => this.state.reply && this.set({ reply: null }));
    return [$.title, $.form, $.reply, $.hint, element("div", { class: "row" }, $.show, $.again), $.answer];
  }

  number($, unit) {
    $.input = element("input", { id: "said", autocomplete: "off", autocapitalize: "off", spellcheck: "false", maxlength: "60",
      "aria-describedby": "unit reply" });
    return [element("label", { class: "text", for: "said" }, this.asked.text), element("div", { class: "row" }, $.input,
      element("span", { id: "unit" }, unit), element("button", { type: "submit", class: "main" }, "Check"))];
  }

  choice($) {
    $.options = this.asked.options.map((_, value) => element("input", { type: "radio", name: "said", value, "aria-describedby": "reply" }));
    const labels = this.asked.options.map(([text], value) => element("label", { class: "option" }, $.options[value], element("span", {}, text)));
    return [element("fieldset", {}, element("legend", {}, this.asked.text), ...labels),
      element("div", { class: "row" }, element("button", { type: "submit", class: "main" }, "Check"))];
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
      this.set({ reply: found, right: this.state.right || found.right });
      if (found.right) keep(this.asked.name, true);
    }
    const { right, says, known } = this.state.reply;
    const more = right || known || this.asked.kind === "choice" || this.$.hint.open ? "" : " There is a hint.";
    this.$.live.textContent = ""; // the same words once more are news, too
    this.speak((right ? "Right. " : said === null ? "" : "Not this. ") + says + more);
  }

  show() {
    this.set({ shown: !this.state.shown });
    if (this.state.shown) this.speak(`The answer: ${this.$.answer.textContent}`);
  }

  forget({ focus = false } = {}) { // as if it had never been asked
    keep(this.asked.name, false);
    this.$.form.reset();
    this.$.hint.open = false;
    this.set({ right: false, reply: null, shown: false });
    if (focus) (this.$.input ?? this.$.options[0]).focus();
  }

  tell() {
    const { $ } = this, { right, reply: told, shown } = this.state, marked = told && "right" in told;
    $.app.setAttribute("aria-label", this.asked.label);
    $.app.classList.toggle("right", right);
    $.tick.hidden = !right;
    $.again.hidden = !(right || shown);
    $.reply.className = `reply ${marked ? (told.right ? "check" : "cross") : ""}`;
    $.reply.hidden = !told;
    $.reply.replaceChildren(...(marked ? [element("b", {}, told.right ? "Right. " : "Not this. ")] : []), told?.says ?? "");
    $.show.textContent = shown ? "Hide the answer" : "Show the answer";
    $.show.setAttribute("aria-expanded", String(shown));
    $.answer.hidden = !shown;
    if (this.hasAttribute("data-right") === right) return;
    this.toggleAttribute("data-right", right);
    this.dispatchEvent(new CustomEvent("mm-ask", { bubbles: true }));
  }
};
});
