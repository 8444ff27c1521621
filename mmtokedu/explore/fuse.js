// Two pictures fuse when the separator is removed: a row as the reader knows it, and the same row as a model receives it.
// The base is explained in base.js; DATA are the row, the limits of a picture, and what models learned of such rows.
mmExplore.define("fuse", (DATA, { Explorable, roundHalfEven, plural, clamp, fragment, element, toggle, pressed, slider, valued,
  table, tableRow, drag, keys, ALONG }) => {
const { tokens: TOKENS, start: START, shortest: SHORTEST, longest: LONGEST, most: MOST, asked: ASKED, shares: SHARES } = DATA;
const PICTURES = ["codes", "vectors"], SEPARATORS = ["there", "closed", "kept"];

// ---------------------------------------------------------------- as mmtokedu/explore/_fuse.py has it
const LAYOUTS = (() => { // of one to three pictures, a word at least before and behind them
  const found = [];
  for (let start = 1; start < TOKENS.length; start++) {
    let rows = [[start]];
    for (let k = 0; k < MOST; k++) {
      rows = rows.flatMap((row) => Array.from({ length: LONGEST - SHORTEST + 1 }, (_, i) => [...row, row.at(-1) + SHORTEST + i]))
        .filter((row) => row.at(-1) < TOKENS.length);
      found.push(...rows);
    }
  }
  const compare = (a, b) => a.length - b.length || a.reduce((so, x, i) => so || x - b[i], 0);
  return found.sort(compare);
})();
const isWhole = (layout) => layout.length === MOST + 1 && LAYOUTS.some((other) => String(other) === String(layout));

function received({ pictures, separators, modality }, layout) { // [what, form, kind, position] of each cell
  const cells = [], last = layout.length - 1;
  let at = 0;
  [...TOKENS].forEach((letter, i) => {
    const place = layout.indexOf(i);
    for (const [marker, here] of [["]", place > 0], ["[", place >= 0 && place < last]]) {
      if (!here) continue;
      if (separators === "there") cells.push([marker, "marker", modality ? "word" : "", at]);
      if (separators !== "closed") at++;
    }
    const code = layout[0] <= i && i < layout[last];
    cells.push([letter, code && pictures === "vectors" ? "vector" : "id", modality ? (code ? "code" : "word") : "", at++]);
  });
  return cells;
}
function fitting(arm, layout) { // the layouts of which a model receives the same row
  const row = String(received(arm, layout));
  return LAYOUTS.filter((other) => String(received(arm, other)) === row);
}
const answers = (layout) => [layout.length - 1, layout.length > 2 ? TOKENS[layout[1]] : "",
  layout[0] <= ASKED && ASKED < layout.at(-1) ? "picture" : "word"];
const share = ({ pictures, separators, modality }) => SHARES.find((row) => !row.later && row.pictures === pictures &&
  row.separators === separators && row.modality === modality) ?? null;

const oneOf = (name, some) => (text) => some.includes(text) && { [name]: text };
const readBounds = (text) => {
  const bounds = /^\d{1,2}(-\d{1,2}){3}$/.test(text) ? text.split("-").map(Number) : [];
  return isWhole(bounds) && bounds.join("-") === text && { bounds };
};
const readFragment = (hash) => fragment("fuse", hash, { // "#fuse:pictures=codes,separators=closed,modality=on,bounds=3-6-9-12"
  pictures: oneOf("pictures", PICTURES), separators: oneOf("separators", SEPARATORS),
  modality: (text) => ["on", "off"].includes(text) && { modality: text === "on" }, bounds: readBounds,
});
const writeFragment = ({ pictures, separators, modality, bounds }) =>
  `#fuse:pictures=${pictures},separators=${separators},modality=${modality ? "on" : "off"},bounds=${bounds.join("-")}`;
const core = { LAYOUTS, received, fitting, answers, share, readFragment, writeFragment };

// ---------------------------------------------------------------- the page around it
const PRESETS = [
  ["nothing", { pictures: "codes", separators: "closed", modality: false }],
  ["separators alone", { pictures: "codes", separators: "there", modality: false }],
  ["modality alone", { pictures: "codes", separators: "closed", modality: true }],
  ["both", { pictures: "codes", separators: "there", modality: true }],
];
const SLOTS = [1, 2, 2, 1]; // of markers at each boundary, in a row of WIDE places
const WIDE = TOKENS.length + SLOTS.reduce((a, b) => a + b);
const before = (j) => SLOTS.slice(0, j).reduce((a, b) => a + b, 0);
const PLACES = ["where picture 1 begins", "between pictures 1 and 2", "between pictures 2 and 3", "where picture 3 ends"];
const LETTER = TOKENS[ASKED], QUESTIONS = { // in full, and as the table has them
  count: ["How many pictures?", "How many"],
  first: ["Which token does picture 2 begin with?", "First of picture 2"],
  kind: [`Is ${LETTER} a word, or part of a picture?`, "Word or picture"],
};
const IN_WORDS = { there: "separators", closed: "no separators", kept: "no separators, their gap kept" };
const percent = (x) => `${roundHalfEven(100 * x)} %`;
const spread = ([mean, least, most]) => {
  const [low, high] = [least, most].map((x) => roundHalfEven(100 * x));
  return low === high ? `${percent(mean)} (each seed)` : `${percent(mean)} (seeds: ${low} to ${high} %)`;
};
const brief = ([mean, least, most]) => `${percent(mean)}\n(${roundHalfEven(100 * least)}–${roundHalfEven(100 * most)})`;
const KIND = { word: "a word", picture: "part of a picture" };
const either = (some) => (some.length > 1 ? `${some.slice(0, -1).join(", ")} or ${some.at(-1)}` : `${some[0]}`);
const same = (a, b) => String(a) === String(b);
const spell = (from, to) => [...TOKENS.slice(from, to)].join(" ");

return class extends Explorable {
  static core = core;
  static observedAttributes = ["pictures", "separators", "modality", "bounds"];
  static label = "Explore: two pictures fuse when the separator is removed";
  static modality = "image";
  static style = `
.app { gap: .9rem 1.8rem; grid-template: "top" "rows" "told" "learned" "more" / minmax(0, 1fr) }
.top { grid-area: top; display: grid; gap: .6rem } .rows { grid-area: rows; display: grid; gap: .2rem } .told { grid-area: told } .learned { grid-area: learned }
.part { display: grid; gap: .6rem 1.8rem; align-content: start } .part > * { margin: 0 } .title { font-weight: 650; font-size: 1.05rem; border-top: 1px solid var(--rule); padding-top: .8rem } .more { grid-area: more }
.cells { display: grid; grid-template-columns: repeat(${WIDE}, minmax(0, 1fr)); position: relative; margin-bottom: .55rem }
.known { padding-bottom: 1.5rem; cursor: ew-resize; touch-action: pan-y }
.cell { height: 2rem; display: grid; place-items: center; margin-inline: 1px; box-sizing: border-box; border: 1.5px solid var(--c); border-radius: 3px;
  font-size: clamp(.72rem, 2.6cqi, 1rem); font-weight: 600; position: relative; color: var(--ink) }
.cell.word { --c: var(--text); background: color-mix(in srgb, var(--text) 14%, transparent) } .cell.code { --c: var(--image); background: color-mix(in srgb, var(--image) 22%, transparent) }
.cell.marker { border: 0; color: var(--special); font-size: 1.05rem } .cell.marker.word { background: color-mix(in srgb, var(--text) 14%, transparent) }
.cell.none { --c: var(--rule); color: var(--muted); background: none } .cell.hole { border: 1.5px dashed var(--rule) }
.cell.vector { --c: var(--image); border-style: double; border-width: 4px }
.cell.other::after { content: ""; position: absolute; inset: auto 2px -6px; height: 3px; background: var(--accent) }
.places { font-size: .72rem; color: var(--muted); text-align: center; margin-top: .2rem } .name { font-size: .82rem; color: var(--image); text-align: center; align-self: end; position: absolute; bottom: 0; white-space: nowrap; border-top: 2px solid var(--image) }
.handle { position: absolute; top: -6px; width: 44px; height: 44px; margin-left: -22px; display: grid; place-items: center; border-radius: 6px; cursor: ew-resize; touch-action: pan-y }
.handle::after { content: ""; width: 5px; height: 38px; border-radius: 3px; background: var(--ink); box-shadow: 0 0 0 2px var(--paper) }
.big b { font-size: 2.6rem } .big { line-height: 1.15 }
.big b { white-space: nowrap } .card { display: grid; gap: .25rem; align-content: start } .card .head { margin: 0 }
.bar { position: relative; height: 16px; border-radius: 8px; background: color-mix(in srgb, var(--muted) 18%, transparent) }
.bar i { position: absolute; inset-block: 0 } .bar .range { background: var(--image); opacity: .35; border-radius: 8px } .bar .mean { background: var(--image); width: 4px; margin-left: -2px }
.now th { font-weight: 600 } td { white-space: pre; line-height: 1.3 } tbody th { min-width: 8rem }
@container (max-width: 480px) { .places:nth-child(even) { visibility: hidden } }
@container (min-width: 620px) { .part { grid-template-columns: repeat(6, minmax(0, 1fr)) } .part > .card { grid-column: span 2 } .part > .half { grid-column: span 3 } .part > .title, .part > .none { grid-column: 1 / -1 } }
`;

  settings() {
    const read = (name, some, usual) => (some.includes(this.getAttribute(name)) ? this.getAttribute(name) : usual);
    return {
      pictures: read("pictures", PICTURES, "codes"), separators: read("separators", SEPARATORS, "closed"),
      modality: read("modality", ["on", "off"], "on") === "on", bounds: (readBounds(this.getAttribute("bounds") ?? "") || { bounds: START }).bounds,
    };
  }

  fragment() { return writeFragment(this.state); }

  // ------------------------------------------------------------ building, once
  build($) {
    const flip = (name, label, change) => ($[name] = toggle(label, () => this.set(change(this.state))));
    flip("separate", "separators", ({ separators }) => ({ separators: separators === "there" ? "closed" : "there" }));
    flip("keep", "keep their gap", ({ separators }) => (separators === "there" ? {} : { separators: separators === "kept" ? "closed" : "kept" }));
    flip("mark", "modality embedding", ({ modality }) => ({ modality: !modality }));
    flip("project", "pictures as vectors", ({ pictures }) => ({ pictures: pictures === "codes" ? "vectors" : "codes" }));
    const switches = element("div", { class: "row", role: "group", "aria-label": "What the row says of its pictures" }, $.separate, $.keep, $.mark, $.project);
    const top = element("div", { class: "top" }, switches, this.presets("Worth trying", PRESETS));
    $.handles = PLACES.map((where, j) => slider({ class: "handle", "aria-valuemin": 1, "aria-valuemax": TOKENS.length - 1,
      "aria-label": `The boundary ${where}: left and right arrows move it` }));
    $.known = element("div", { class: "cells", "aria-hidden": "true" });
    $.stage = element("div", { class: "cells known" });
    $.stage.style.display = "block";
    $.stage.append($.known, ...$.handles);
    [$.knownSay, $.givenSay] = [element("p", { class: "sr" }), element("p", { class: "sr" })];
    [$.given, $.start] = [element("div", { class: "cells", "aria-hidden": "true" }), element("div", { class: "cells", "aria-hidden": "true" })];
    $.where = element("div", { class: "cells", "aria-hidden": "true" });
    const head = (name, hint) => element("p", { class: "head" }, `${name} `, element("span", {}, hint));
    const rows = element("div", { class: "rows" }, head("What you know", "drag a boundary"), $.knownSay, $.stage,
      head("What the model receives", "pale: this cell by itself does not say what it is; below, its position"), $.givenSay, $.given, $.where,
      head("What it received before you moved a boundary", "a bar: this cell is another one now"), $.start);
    [$.many, $.changed] = [element("b"), element("b")];
    [$.manySay, $.changedSay] = [element("span"), element("span")];
    $.changedLine = element("p", { class: "half" }, $.changed, $.changedSay);
    const part = (name, title, ...nodes) => element("div", { class: `part ${name}`, role: "group", "aria-label": title }, element("p", { class: "title" }, title), ...nodes);
    const card = (name, head, ...nodes) => element("div", { class: `card ${name}` }, element("p", { class: "head" }, head), ...nodes);
    $.asked = Object.fromEntries(Object.keys(QUESTIONS).map((name) => [name, { row: element("p"), learned: element("p"), bar: element("div", { class: "bar", role: "img" }) }]));
    const told = part("told", "What the row tells", element("p", { class: "half big many" }, $.many, $.manySay), $.changedLine,
      ...Object.entries(QUESTIONS).map(([name, [question]]) => card(name, question, $.asked[name].row)));
    $.unknown = element("p", { class: "none" }, "What a model learns of such rows was not measured.");
    $.cards = Object.entries(QUESTIONS).map(([name, [, short]]) => card(name, short, $.asked[name].bar, $.asked[name].learned));
    const learned = part("learned", "What a trained model answered", $.unknown, ...$.cards);
    $.rows = element("tbody");
    const all = table("Every variant that was measured", ["pictures, separators, modality", "how many", "first of picture 1", "of picture 2", "of picture 3", "word or picture"], $.rows);
    const about = element("p", { class: "quiet" }, `Shares of right answers of a small model, mean (least to most) of ${SHARES[0].seeds} seeds, ` +
      `in ${DATA.tests} documents for each number of pictures. It was trained on documents of one to ${MOST} pictures for ${DATA.steps} steps; on separators alone, pictures as codes, for ${DATA.longer}. ` +
      `“How many” and “word or picture” are averaged over documents of one, of two and of three pictures, “first” is of documents of three. Guessing gives ${percent(1 / MOST)} and ${percent(1 / 2)}. For “first”, a code guessed among all ${DATA.ids} is right in ${percent(1 / DATA.ids)}; ` +
      `but a picture uses only ${DATA.palette} of them, so a guess among the picture's own codes is right in about a third. Rows that say “taken away” are of models trained with separators and asked without. Source: experiments/interleave.py.`);
    drag($.stage, (event) => {
      const j = this.nearest(event);
      this.held = j;
      return (move) => this.move(j, this.place(j, move));
    }, { focus: () => $.handles[this.held] });
    $.handles.forEach((node, j) => keys(node, ALONG(1, 2, TOKENS.length), (by) => this.move(j, this.state.bounds[j] + by)));
    return [top, rows, told, learned, this.more("Every variant we trained, and how it is counted", all, about)];
  }

  // ------------------------------------------------------------ boundaries
  place(j, { clientX }) { // where boundary j would be
    const { left, width } = this.$.known.getBoundingClientRect();
    return Math.round(((clientX - left) / width) * WIDE - before(j) - SLOTS[j] / 2);
  }
  across(j) { return (100 * (this.state.bounds[j] + before(j) + SLOTS[j] / 2)) / WIDE; } // percent of the row's width
  nearest({ clientX }) {
    const { left, width } = this.$.known.getBoundingClientRect(), x = (100 * (clientX - left)) / width;
    return [0, 1, 2, 3].reduce((a, b) => (Math.abs(this.across(b) - x) < Math.abs(this.across(a) - x) ? b : a));
  }
  limits(j) { // of boundary j, the others staying
    const { bounds } = this.state, lows = [1], highs = [TOKENS.length - 1];
    if (j > 0) { lows.push(bounds[j - 1] + SHORTEST); highs.push(bounds[j - 1] + LONGEST); }
    if (j < MOST) { lows.push(bounds[j + 1] - LONGEST); highs.push(bounds[j + 1] - SHORTEST); }
    return [Math.max(...lows), Math.min(...highs)];
  }
  move(j, to) {
    const [low, high] = this.limits(j), at = clamp(to, low, high);
    if (at !== this.state.bounds[j]) this.set({ bounds: this.state.bounds.map((b, i) => (i === j ? at : b)) });
  }

  // ------------------------------------------------------------ words
  tell() {
    const { $, state } = this, { pictures, separators, modality, bounds } = state;
    const row = received(state, bounds), old = received(state, START), fits = fitting(state, bounds), right = answers(bounds);
    const others = row.map((cell, i) => !same(cell, old[i])), count = others.filter(Boolean).length, moved = !same(bounds, START);
    pressed($.separate, separators === "there");
    pressed($.keep, separators === "kept");
    $.keep.setAttribute("aria-disabled", String(separators === "there"));
    $.keep.textContent = separators === "there" ? "no gap to keep" : "keep their gap";
    pressed($.mark, modality);
    pressed($.project, pictures === "vectors");
    this.showKnown(bounds);
    this.showRow($.given, row, others);
    this.showRow($.start, old, others);
    $.where.replaceChildren(...row.map(([, , , at], i) => put(element("span", { class: "places" }, String(at)), column(row, i, separators))));
    $.knownSay.textContent = `What you know: ${spell(0, bounds[0])} are words; ${[0, 1, 2].map((k) => `picture ${k + 1} is ${spell(bounds[k], bounds[k + 1])}`).join(", ")}; ${spell(bounds[3])} are words.`;
    $.givenSay.textContent = `What the model receives: ${row.map((cell) => describe(cell)).join(", ")}.`;
    $.handles.forEach((node, j) => {
      const [low, high] = this.limits(j);
      node.setAttribute("aria-valuemin", low);
      node.setAttribute("aria-valuemax", high);
      valued(node, bounds[j], `after ${plural(bounds[j], "token")}, before ${TOKENS[bounds[j]]}`);
      node.style.left = `${this.across(j)}%`;
    });
    $.changedLine.className = `half ${moved ? "big" : "quiet"} changed`;
    $.changed.textContent = moved ? `${count} of ${row.length}` : "";
    $.changedSay.textContent = moved ? ` cells of the model's row changed with the ${bounds.filter((b, j) => b !== START[j]).length > 1 ? "boundaries" : "boundary"} you moved${count ? "" : ": it cannot know"}` : "Drag a boundary in the first row, and see whether the second row changes.";
    $.many.textContent = `${fits.length} of ${LAYOUTS.length}`;
    $.manySay.textContent = ` ways to lay out one to three pictures in these tokens give the model exactly this row${fits.length > 1 ? "" : ": it tells all"}`;
    const learned = share(state), possible = [0, 1, 2].map((i) => [...new Set(fits.map((layout) => answers(layout)[i]))].filter((x) => x !== "").sort());
    const some = fits.some((layout) => layout.length < 3);
    for (const node of $.cards) node.hidden = !learned;
    $.unknown.hidden = Boolean(learned);
    this.ask($.asked.count, right[0], either(possible[0]), possible[0].length, learned?.count);
    this.ask($.asked.first, right[1], either([...possible[1], ...(some ? ["there is none"] : [])]), possible[1].length + some, learned?.first[1]);
    this.ask($.asked.kind, KIND[right[2]], either(possible[2].map((kind) => KIND[kind])), possible[2].length, learned?.kind);
    if ($.more.open) $.rows.replaceChildren(...SHARES.map((arm) => tableRow(armName(arm), [arm.count, ...arm.first, arm.kind].map(brief),
      !arm.later && arm === learned ? { class: "now" } : {})));
    this.speak(`${moved ? `${count} of ${row.length} cells changed. ` : ""}${fits.length} of ${LAYOUTS.length} layouts give this row.`);
  }

  ask({ row, learned, bar }, right, possible, ways, measured) {
    row.textContent = ways > 1 ? `Right: ${right}. By this row it could be ${possible}.` : `Right: ${right}. This row says so.`;
    const lost = ways === 1 && measured?.[0] < 0.9 ? " The row tells it; the small model did not reliably learn to read it." : "";
    learned.textContent = measured ? `Right in ${spread(measured)}.${lost}` : "";
    if (!measured) return;
    const [mean, least, most] = measured.map((x) => 100 * x), [range, tick] = [element("i", { class: "range" }), element("i", { class: "mean" })];
    Object.assign(range.style, { left: `${clamp(least, 0, 98.5)}%`, width: `${Math.max(1.5, most - clamp(least, 0, 98.5))}%` });
    tick.style.left = `${clamp(mean, 0.8, 99.2)}%`;
    bar.replaceChildren(range, tick);
    bar.setAttribute("aria-label", `right in ${spread(measured)}`);
  }

  // ------------------------------------------------------------ rows
  showKnown(bounds) {
    const nodes = [...TOKENS].map((letter, i) => {
      const code = bounds[0] <= i && i < bounds[3];
      return put(element("span", { class: `cell ${code ? "code" : "word"}` }, letter), i + bounds.reduce((sum, b, j) => sum + (b <= i ? SLOTS[j] : 0), 0));
    });
    for (let k = 0; k < MOST; k++) {
      const name = element("span", { class: "name" }, bounds[k + 1] - bounds[k] > 2 ? `picture ${k + 1}` : String(k + 1));
      const from = bounds[k] + before(k + 1), to = bounds[k + 1] + before(k + 1);
      Object.assign(name.style, { left: `${(100 * from) / WIDE}%`, width: `${(100 * (to - from)) / WIDE}%`, bottom: "-1.45rem" });
      nodes.push(name);
    }
    this.$.known.replaceChildren(...nodes);
  }

  showRow(node, row, others) {
    const { separators } = this.state, taken = new Set(row.map((_, i) => column(row, i, separators)));
    const cells = row.map(([what, form, kind], i) => {
      const look = form === "marker" ? `marker ${kind}` : form === "vector" ? `vector ${kind || "none"}` : kind || "none";
      return put(element("span", { class: `cell ${look}${others[i] ? " other" : ""}` }, what), column(row, i, separators));
    });
    const holes = separators === "kept" ? Array.from({ length: WIDE }, (_, c) => c).filter((c) => !taken.has(c)) : [];
    node.replaceChildren(...cells, ...holes.map((c) => put(element("span", { class: "cell hole" }), c)));
  }
};

function put(node, at) {
  Object.assign(node.style, { gridColumn: at + 1, gridRow: 1 });
  return node;
}
function column(row, i, separators) { return separators === "closed" ? i : row[i][3]; }
function describe([what, form, kind, at]) {
  const is = form === "marker" ? (what === "[" ? "a picture begins" : "a picture ends") : `${what}${form === "vector" ? " as a vector" : ""}`;
  return `${is}${kind && form !== "marker" ? `, ${kind === "code" ? "of a picture" : "a word"}` : ""} at ${at}`;
}
function armName({ pictures, separators, modality, later }) {
  const how = later ? `separators, taken away later, gap ${later}` : IN_WORDS[separators];
  return `${pictures}, ${how}, ${modality ? "modality" : "no modality"}`;
}
});
