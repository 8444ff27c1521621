// One sequence from text and media, as each system of the catalog writes it: runs, markers, ids, who sees whom, what is
// learned. The base is explained in base.js. DATA has the styles, and for every size that can be chosen the library's own
// cut; the layouts below are those of mmtokedu/catalog/styles.py, one for one.
mmExplore.define("interleave", (DATA, { Explorable, number, plural, clamp, fragment, element, button, toggle, pressed, options, slider,
  valued, table, tableRow, drag, keys, ALONG, ACROSS }) => {
const STYLES = new Map(DATA.styles.map((style) => [style.id, { ...style, own: new Set(style.tokens) }]));
const KINDS = { IMG: "image", AUDIO: "audio", VIDEO: "video" }, NAMES = { image: "IMG", audio: "AUDIO", video: "VIDEO" };
const PLURAL = { image: "images", audio: "sounds", video: "clips" }; // in the state
const TITLES = { image: "Picture", audio: "Sound", video: "Film" };
const TEXT = 0, MODALITY = { image: 1, video: 2, audio: 3 }, KIND_OF = ["text", "image", "video", "audio"];
const { sides: SIDES, seconds: SECONDS, frames: FRAMES, heights: HEIGHTS, most: MOST } = DATA;

// ---------------------------------------------------------------- text
class Refused extends Error {}
const utf8 = new TextEncoder();
const bytes = (text) => utf8.encode(text);
const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

function split(prompt) { // [kind, ""] of a medium or ["", text]
  return prompt.split(/\[(IMG|AUDIO|VIDEO)\]/).map((bit, i) => (i % 2 ? [KINDS[bit], ""] : ["", bit])).filter(([kind, bit]) => kind || bit);
}
const kindsOf = (prompt) => split(prompt).map(([kind]) => kind).filter(Boolean);

// ---------------------------------------------------------------- what a medium is cut into: the library's tables
function cutOf(medium, kind, size, images) { // {grid, tokens}
  if (kind === "image" && medium.several && images > 1) return { grid: [], tokens: [medium.several] };
  const place = kind === "image" ? SIDES.indexOf(size[0]) * SIDES.length + SIDES.indexOf(size[1])
    : kind === "audio" ? SECONDS.indexOf(size)
    : FRAMES.indexOf(size[0]) * HEIGHTS.length + HEIGHTS.findIndex(([height]) => height === size[1]);
  const table = DATA.tables[medium.table], coded = table.length === 1 ? table[0] : table[place];
  if (typeof coded === "number") return { grid: [], tokens: [coded] };
  const [grid, runs] = coded, tokens = [];
  for (let i = 0; i < runs.length; i += 2) for (let k = 0; k < runs[i + 1]; k++) tokens.push(runs[i]);
  return { grid, tokens };
}

// ---------------------------------------------------------------- layouts: mmtokedu/catalog/styles.py
// A piece is {kind: "text" | "mark" | "soft", what, count, medium, learn}; a style's tokens are marks, other strings text.
const textPiece = (what, more) => ({ kind: "text", what, count: bytes(what).length, medium: -1, learn: false, ...more });
const markPiece = (what, more) => ({ kind: "mark", what, count: 1, medium: -1, learn: false, ...more });

function laidOut(system, kind, { grid, tokens, number: index }) {
  const medium = system.media[kind], { start = [], end = [], first = [], last = [], between = [] } = medium, pieces = [];
  const place = (...strings) => strings.forEach((one) => pieces.push(system.own.has(one) ? markPiece(one) : textPiece(one)));
  const soft = (count) => count && pieces.push({ kind: "soft", what: medium.soft, count, medium: -1, learn: false });
  const labels = DATA.labels[medium.time];
  const whole = tokens.at(-1), parts = tokens.slice(0, -1); // where tiles come before the whole
  const LAYOUTS = {
    run() { place(...start); soft(tokens.reduce((a, b) => a + b, 0)); place(...end); },
    equal_runs() { for (const n of tokens) { place(...start); soft(n); place(...end); } },
    rows() { tokens.forEach((n, y) => { soft(n); place(...(y < tokens.length - 1 ? between : last)); }); },
    crops_in_a_sentence() {
      tokens.forEach((n, i) => {
        if (tokens.length > 1) place(...(i === 0 ? first : i === 1 ? last : between));
        place(...start);
        soft(n);
        place(...end);
      });
    },
    tiles_with_places() {
      const [rows, cols] = grid.length ? grid : [0, 0];
      for (let y = 0; y < rows; y++) {
        for (let x = 0; x < cols; x++) { place(...start, `<row_${y + 1}_col_${x + 1}>`); soft(parts[y * cols + x]); }
        place("\n");
      }
      place(...(parts.length ? ["\n"] : []), ...start, ...first);
      soft(whole);
      place(...end);
    },
    tiles_apart() {
      place(...first);
      parts.forEach((n, i) => { soft(n); place(...((i + 1) % grid[1] ? start : end)); });
      place(...between);
      soft(whole);
      place(...last);
    },
    slices() {
      const [all, ...each] = tokens;
      place(first[0], String(index - 1), first[1], start[0]);
      soft(all);
      place(start[1]);
      each.forEach((n, i) => { if (i && i % grid[1] === 0) place(...between); place(end[0]); soft(n); place(end[1]); });
    },
    small_and_large() {
      place(...first);
      tokens.forEach((n, y) => { if (y === grid[0]) place(...end, ...start); soft(n); place(...between); });
      place(...end);
    },
    frames() {
      place(...first);
      tokens.forEach((n, i) => {
        const label = labels ? [labels[i]] : [];
        if (i) place(...between);
        if (!medium.after) place(...label);
        place(...start);
        soft(n);
        place(...end);
        if (medium.after) place(...label);
      });
      place(...last);
    },
    frames_with_a_sentence() {
      place(medium.sentences[tokens.length]);
      tokens.forEach((n, i) => { place("\n", labels[i], ...start); soft(n); place(...end); });
      place(...last);
    },
  };
  LAYOUTS.run_with_newlines = LAYOUTS.run_of_crops = LAYOUTS.run;
  LAYOUTS[medium.layout]();
  return pieces;
}

// ---------------------------------------------------------------- a clip's own sound between its frames
function chunkLengths(times, chunk) {
  const ends = [0];
  let due = chunk;
  times.forEach((time, i) => { if (time >= due) { ends.push(i); due += chunk; } });
  return [...ends, times.length].slice(1).map((end, i) => end - ends[i]);
}

const WEAVES = { // times in position ids -> [is it sound, how many], …
  in_chunks(film, sound, chunk) {
    const [a, b] = [chunkLengths(film, chunk), chunkLengths(sound, chunk)];
    return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => [...(i < a.length ? [[false, a[i]]] : []), ...(i < b.length ? [[true, b[i]]] : [])]).flat();
  },
  by_time(film, sound) { // whichever is earlier; where both are, film
    const turns = [];
    for (let i = 0, j = 0, last = null; i < film.length || j < sound.length; ) {
      const isSound = i >= film.length || (j < sound.length && sound[j] < film[i]);
      if (last?.[0] === isSound) last[1]++;
      else turns.push((last = [isSound, 1]));
      if (isSound) j++;
      else i++;
    }
    return turns;
  },
};

function woven(system, [t, rows, cols], secondsEach, sounds) {
  const { video, audio } = system.media, film = new Float64Array(t * rows * cols), pieces = [];
  for (let i = 0; i < t; i++) film.fill(i * secondsEach * video.rate, i * rows * cols, (i + 1) * rows * cols);
  const turns = WEAVES[video.woven](film, Array.from({ length: sounds }, (_, i) => i), Math.trunc(video.rate * video.chunk));
  for (const [isSound, count] of turns) {
    const before = pieces.at(-1), what = isSound ? audio.soft : video.soft;
    if (before?.what === what) before.count += count;
    else if (count) pieces.push({ kind: "soft", what, count, medium: -1, learn: false });
  }
  const place = (...strings) => strings.map((one) => (system.own.has(one) ? markPiece(one) : textPiece(one)));
  return [...place(...video.start, ...audio.start), ...pieces, ...place(...audio.end, ...video.end)];
}

// ---------------------------------------------------------------- one sequence: mmtokedu/interleave.py
const SPACE = /^[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/; // as Python's isspace
const stripped = (label) => label.replace(/^[: ]+|[: ]+$/g, "");

function trusted(text, tokens, learn = false) { // of a template's text the marks of turns are marks
  return text.split(new RegExp(`(${tokens.map(escaped).join("|")})`)).map((bit, i) => (i % 2 ? markPiece : textPiece)(bit, { learn })).filter(({ what }) => what);
}

function partsOf(state, system) { // as `interleave` takes them: {pieces} of text, or {kind, size} of a medium
  const given = sizesOf(state), parts = split(state.prompt).map(([kind, text]) => (kind ? { kind, size: given[kind].shift() } : { pieces: [textPiece(text)] }));
  if (state.answer === null) return parts;
  const answer = [{ pieces: state.answer ? [textPiece(state.answer, { learn: true })] : [] }], turns = DATA.turns[system.turns];
  if (!turns) return [...parts, ...answer];
  const say = (text, learn) => ({ pieces: trusted(text, turns.tokens, learn) });
  const begin = (role) => say(turns.begin.replace("{}", role));
  return [begin("user"), ...parts, say(turns.end), begin("assistant"), ...answer, say(turns.end, true)];
}

function pieces(state, system, parts) { // [pieces, media]
  const named = state.named && Object.keys(system.names).length > 0, all = [], media = [], seen = { image: 0, audio: 0, video: 0 };
  const images = parts.filter(({ kind }) => kind === "image").length;
  parts.forEach(({ kind, size, pieces: text }, i) => {
    if (text) return all.push(...text);
    if (!system.media[kind])
      throw new Refused(`parts[${i}] is ${kind[0].toUpperCase() + kind.slice(1)}; ${system.id} has ${Object.keys(system.media).join(", ")} alone`);
    const medium = system.media[kind], index = ++seen[kind], cut = { ...cutOf(medium, kind, size, images), number: index };
    const written = named ? (system.names[kind] ?? "").replace("{}", index) : "";
    let its;
    if (kind === "video" && size[2] && medium.woven) {
      const sound = size[0] / DATA.fps, sounds = cutOf(system.media.audio, "audio", sound).tokens[0];
      its = woven(system, cut.grid, Math.ceil(size[0] / cut.grid[0]) / DATA.fps, sounds);
    } else its = laidOut(system, kind, cut);
    if (written) its.unshift(textPiece(written));
    all.push(...its.map((piece) => ({ ...piece, medium: media.length })));
    media.push({ kind, title: `${TITLES[kind]} ${index}`, name: medium.layout === "slices" ? (named ? "" : String(index - 1)) : stripped(written) });
  });
  if (system.needs_image && !seen.image) throw new Refused(`${system.id} needs an image before its text; ${parts.length} parts have none`);
  if (system.one_video && seen.video > 1) throw new Refused(`${system.id} takes one clip; ${seen.video} are given`);
  return [all, media];
}

function arranged(all, system) { // a shared marker, a space behind it, what follows the last medium and the prompt
  const shared = all.map(({ kind, what }) => kind === "mark" && what === system.shared);
  if (system.spaced)
    all = all.map((piece, i) => (i && shared[i - 1] && piece.kind === "text" && !SPACE.test(piece.what) && piece.what[0] !== "<")
      ? { ...piece, what: ` ${piece.what}`, count: piece.count + 1 } : piece);
  all = all.filter((_, i) => !(i && shared[i - 1] && shared[i]));
  if (system.after_media) all.splice(all.findLastIndex(({ medium }) => medium >= 0) + 1, 0, markPiece(system.after_media));
  if (system.after_prompt) {
    const learned = all.findIndex(({ learn }) => learn);
    all.splice(learned < 0 ? all.length : learned, 0, textPiece(system.after_prompt));
  }
  return all;
}

function made(state) { // the sequence, or Refused
  const system = STYLES.get(state.style), parts = partsOf(state, system), sound = system.media.audio?.soft;
  const count = kindsOf(state.prompt).length;
  if (count > MOST.media) throw new Refused(`the prompt has ${count} media; this page takes at most ${MOST.media}`);
  const [all, media] = pieces(state, system, parts), sequence = { system, media, pieces: arranged(all, system), tokens: 0, learned: 0, firstLearned: -1 };
  for (const piece of sequence.pieces) {
    piece.start = sequence.tokens;
    piece.stop = sequence.tokens += piece.count;
    piece.modality = piece.kind !== "soft" ? TEXT : piece.what === sound ? MODALITY.audio : MODALITY[media[piece.medium].kind];
    if (piece.learn) {
      sequence.learned += piece.count;
      if (sequence.firstLearned < 0 && piece.count) sequence.firstLearned = piece.start;
    }
    const medium = media[piece.medium];
    if (medium) Object.assign(medium, { start: medium.start ?? piece.start, stop: piece.stop, soft: (medium.soft ?? 0) + (piece.kind === "soft" ? piece.count : 0),
      sound: (medium.sound ?? 0) + (medium.kind === "video" && piece.modality === MODALITY.audio ? piece.count : 0) });
  }
  sequence.spans = sequence.pieces.filter(({ kind }) => kind === "soft");
  sequence.naive = media.reduce((tokens, { start, stop }) => tokens - (stop - start) + 1, sequence.tokens);
  return sequence;
}

function attempt(state) { // {sequence} or {refusal}
  try { return { sequence: made(state), refusal: "" }; } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { sequence: null, refusal: error.message };
  }
}

const ruleOf = ({ rule, style }) => (rule === "own" ? (STYLES.get(style).masks ?? "causal").split(",")[0] : rule);
function pieceAt({ pieces }, token) { // by bisection
  let [low, high] = [0, pieces.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (pieces[middle].stop > token) high = middle;
    else low = middle + 1;
  }
  return pieces[low];
}
function visible(sequence, rule, window, token) { // [start, stop) of what a token may attend to
  let stop = token + 1;
  if (rule === "everything") stop = sequence.tokens;
  else if (rule === "prefix") {
    const end = sequence.firstLearned < 0 ? sequence.tokens : sequence.firstLearned;
    if (token < end) stop = end;
  } else if (rule === "whole-images") {
    const piece = pieceAt(sequence, token);
    if (piece.modality === MODALITY.image || piece.modality === MODALITY.video) stop = piece.stop;
  }
  return [window ? Math.max(0, token - window + 1) : 0, stop];
}

function told(sequence) { // as the golden vectors have it
  const { system, pieces, media, spans } = sequence, vocabulary = [...system.tokens, ...(DATA.turns[system.turns]?.tokens ?? [])];
  const number = new Map(vocabulary.map((token, i) => [token, 256 + i])); // of two alike the last one, as in Python
  const runs = (values) => values.reduce((all, [value, count]) => {
    if (!count) return all;
    if (all.length && all.at(-2) === value) all[all.length - 1] += count;
    else all.push(value, count);
    return all;
  }, []);
  return {
    ids: runs(pieces.flatMap(({ kind, what, count }) => (kind === "text" ? Array.from(bytes(what), (byte) => [byte, 1]) : [[number.get(what), count]]))),
    modality: runs(pieces.map(({ modality, count }) => [modality, count])), learned: runs(pieces.map(({ learn, count }) => [Number(learn), count])),
    spans: spans.map(({ start, stop }) => [start, stop]), names: spans.map(({ medium }) => media[medium].name), media: spans.map(({ medium }) => medium),
    extents: media.map(({ start, stop }) => [start, stop]), naive: sequence.naive,
  };
}

// ---------------------------------------------------------------- what the reader asks for
const SIZE = { // kind -> its text, read and written; null where it is none of those that the tables have
  image(text) {
    const size = /^\d{1,4}x\d{1,4}$/.test(text) ? text.split("x").map(Number) : [];
    return size.length && size.every((side) => SIDES.includes(side)) ? size : null;
  },
  audio: (text) => (SECONDS.map(String).includes(text) ? +text : null),
  video(text) {
    const [frames, height, sound] = /^\d{1,3}x\d{1,4}x[01]$/.test(text) ? text.split("x").map(Number) : [];
    return FRAMES.includes(frames) && HEIGHTS.some(([h]) => h === height) ? [frames, height, Boolean(sound)] : null;
  },
};
const listed = (text) => (text ? text.split("_") : []);
const sizesOf = (state) => Object.fromEntries(Object.entries(PLURAL).map(([kind, name]) => [kind, listed(state[name]).map(SIZE[kind])]));

function cutText(text, most, line) { // well formed, without what no text field keeps, at most so many bytes
  const clean = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes(text)).replaceAll("\r\n", "\n").replace(/[\0-\x09\x0b-\x1f\x7f]/g, " ");
  let kept = line ? clean.replaceAll("\n", " ") : clean;
  while (bytes(kept).length > most) kept = [...kept].slice(0, -1).join("");
  return kept;
}

function settle(state, memory) { // a size for each medium of the prompt: those given, those it had, the usual one
  const prompt = cutText(state.prompt, MOST.prompt, false), answer = state.answer === null ? null : cutText(state.answer, MOST.answer, true);
  const kinds = kindsOf(prompt).slice(0, 2 * MOST.media), settled = { ...state, prompt, answer };
  for (const [kind, name] of Object.entries(PLURAL)) {
    const count = kinds.filter((one) => one === kind).length, known = listed(state[name]), had = memory[kind];
    settled[name] = Array.from({ length: count }, (_, i) => (had[i] = known[i] ?? had[i] ?? DATA.usual[kind])).join("_");
  }
  return settled;
}
const blank = () => ({ image: [], audio: [], video: [] });

// text as an address has it: letters, digits and hyphens as they are, a space "_", any other byte ".3f"; nothing is "."
const written = (text) => Array.from(bytes(text), (byte) => {
  const sign = String.fromCharCode(byte);
  return /[A-Za-z0-9-]/.test(sign) ? sign : sign === " " ? "_" : `.${byte.toString(16).padStart(2, "0")}`;
}).join("") || ".";
function readText(text, most, line = false) {
  if (text === ".") return "";
  if (!/^(?:[A-Za-z0-9_-]|\.[0-9a-f]{2})+$/.test(text)) return null;
  const codes = text.match(/\.[0-9a-f]{2}|[^.]/g).map((bit) => (bit === "_" ? 32 : bit.length === 3 ? parseInt(bit.slice(1), 16) : bit.charCodeAt(0)));
  try {
    const found = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(codes));
    return codes.length <= most && cutText(found, most, line) === found ? found : null;
  } catch { return null; }
}

const isRule = (rule) => rule === "own" || DATA.masks.includes(rule);
const isWindow = (n) => n === 0 || DATA.windows.includes(n);
const allOf = (kind) => (text) => text.split("_").length <= 2 * MOST.media && text.split("_").every((one) => SIZE[kind](one) !== null) && { [PLURAL[kind]]: text };
function readFragment(hash) {
  return fragment("interleave", hash, {
    p: (text) => { const prompt = readText(text, MOST.prompt); return prompt !== null && { prompt }; },
    style: (style) => STYLES.has(style) && { style },
    images: allOf("image"), sounds: allOf("audio"), clips: allOf("video"),
    a: (text) => { const answer = readText(text, MOST.answer, true); return answer !== null && { answer }; },
    named: (text) => /^[01]$/.test(text) && { named: text === "1" }, rule: (rule) => isRule(rule) && { rule },
    window: (text) => /^\d{1,4}$/.test(text) && isWindow(+text) && { window: +text },
  });
}
function writeFragment({ prompt, style, images, sounds, clips, answer, named, rule, window }) {
  const some = { images, sounds, clips, a: answer === null ? "" : written(answer), named: named ? 1 : "", rule: rule === "own" ? "" : rule, window: window || "" };
  return `#interleave:p=${written(prompt)},style=${style}${Object.entries(some).map(([key, value]) => (value === "" ? "" : `,${key}=${value}`)).join("")}`;
}

// ---------------------------------------------------------------- words
const ifOne = (n) => (n === 0 ? "without a medium" : n === 1 ? "if the placeholder were one token" : `if each of ${number(n)} placeholders were one token`);
const visibleText = (text) => text.replaceAll("\n", "⏎");
const clock = (s) => `${number(s)} s`;
const SAYS = {
  causal: "itself and all before it", "whole-images": "itself and all before it; a token of a picture or frame also the rest of its run",
  prefix: "the whole prompt, if it belongs to the prompt; what is learned sees itself and all before it", everything: "everything",
};
const RULES = { causal: "only what is before", "whole-images": "pictures see themselves whole", prefix: "the prompt sees itself whole", everything: "everybody sees everything" };

function pieceWords(sequence, piece) { // "picture 2", "the marker <img>", "text"
  const title = sequence.media[piece.medium]?.title;
  if (piece.kind === "soft") return title + (piece.modality === MODALITY.audio && sequence.media[piece.medium].kind === "video" ? ", its sound" : "");
  if (piece.kind === "mark") return title ? `the marker ${piece.what} of ${title}` : `the marker ${piece.what}`;
  return title ? `text that belongs to ${title}` : piece.learn ? "the answer" : "text";
}

// what stands around a medium: " and its 2 markers", " and the 40 tokens around it"
function aroundWords(sequence, medium) {
  const own = sequence.pieces.filter((piece) => sequence.media[piece.medium] === medium && piece.kind !== "soft"), count = medium.stop - medium.start - medium.soft;
  if (!count) return "";
  return own.some(({ kind }) => kind === "text") ? ` and the ${plural(count, "token")} around it` : count === 1 ? " and its marker" : ` and its ${number(count)} markers`;
}

// a stretch of the sequence in words: "all of Picture 1, 12 of the 393 tokens of Picture 2 and its 2 markers, …"
function stretchWords(sequence, from, to) {
  const inside = (start, stop) => Math.max(0, Math.min(to, stop) - Math.max(from, start));
  const said = sequence.media.map((medium) => [medium, inside(medium.start, medium.stop), medium.stop - medium.start]).filter(([, seen]) => seen)
    .map(([medium, seen, all]) => (seen === all ? `all of ${medium.title}` : `${number(seen)} of the ${plural(all, "token")} of ${medium.title}${aroundWords(sequence, medium)}`));
  const rest = sequence.pieces.filter(({ medium }) => medium < 0);
  for (const [name, some] of [["prompt", rest.filter(({ learn }) => !learn)], ["answer", rest.filter(({ learn }) => learn)]]) {
    const seen = some.reduce((sum, { start, stop }) => sum + inside(start, stop), 0), all = some.reduce((sum, { count }) => sum + count, 0);
    if (seen) said.push(`${seen === all ? "all" : `${number(seen)} of ${number(all)} tokens`} of the ${name}'s text`);
  }
  return said.join(", ");
}

// of what a token's run is one: a medium may have several
const RUNS = { rows: "row", small_and_large: "row", tiles_with_places: "tile", tiles_apart: "tile", slices: "slice", crops_in_a_sentence: "crop" };
const WHOLE = { tiles_with_places: -1, tiles_apart: -1, slices: 0, crops_in_a_sentence: 0 }; // which run is the whole picture
function runWords({ system, spans, media }, piece) { // "", "a tile of ", "the whole made small, ", "a run of "
  const medium = media[piece.medium], own = spans.filter((span) => span.medium === piece.medium);
  if (piece.kind !== "soft" || own.length < 2) return "";
  const { layout } = system.media[medium.kind];
  return layout in WHOLE && own.at(WHOLE[layout]) === piece ? "the whole made small, " : `a ${RUNS[layout] ?? "run"} of `;
}
// where a token stands, all counted from 0
function placeWords(sequence, at) {
  const piece = pieceAt(sequence, at), run = runWords(sequence, piece), before = `${number(at - piece.start)} of them before it`;
  const its = piece.count === 1 ? "" : `, ${run}${plural(piece.count, "token")}, ${before}`;
  return `Place ${number(at)}, counted from 0: ${pieceWords(sequence, piece)}${its}`;
}
function seesWords(at, from, to) { // "itself, the 1,871 before it and the 12 behind it"
  const sides = [[at - from, from ? "just before" : "before"], [to - at - 1, "behind"]].filter(([count]) => count).map(([count, where]) => `the ${number(count)} ${where} it`);
  return sides.length ? `itself${sides.length > 1 ? ", " : " and "}${sides.join(" and ")}` : "itself alone";
}

// neighbours of the same token with nothing between them: the model sees one run
const fused = ({ spans }) => spans.filter((span, i) => i && spans[i - 1].stop === span.start && spans[i - 1].what === span.what && spans[i - 1].medium !== span.medium);
function typed(state, system) { // tokens of the style, or of its turns, that stand in the prompt as text
  const text = split(state.prompt).map(([, bit]) => bit).join("\0") + `\0${state.answer ?? ""}`;
  return [...new Set([...system.tokens, ...(DATA.turns[system.turns]?.tokens ?? [])])].filter((token) => text.includes(token));
}

const core = { Refused, made, told, visible, split, settle, blank, fused, typed, readFragment, writeFragment, readText, written };

// ---------------------------------------------------------------- the page around it
const OWN_SIDE = 132, LONGEST = SIDES.at(-1); // a card's picture in CSS pixels, the longest side in the picture's own
const nearest = (some, x) => some.reduce((a, b) => (Math.abs(b - x) < Math.abs(a - x) ? b : a));
const step = (some, value, by) => some[clamp(some.indexOf(value) + by, 0, some.length - 1)];
const write = (node, text) => { if (node.textContent !== text) node.textContent = text; };
const EDGE = 16; // CSS pixels of the sequence along the mask's edges
const SHOWN = 7; // pieces of a medium in the list, before some are left out

return class extends Explorable {
  static core = core;
  static observedAttributes = ["prompt", "style", "images", "sounds", "clips", "answer", "named", "rule", "window"];
  static label = "Explore: one sequence from text, pictures, sounds and films";
  static modality = "text";
  static style = `
.app { gap: 1.1rem 1.8rem; grid-template-columns: minmax(0, 1fr) } .app > * { grid-column: 1 / -1; min-width: 0 }
textarea { font: inherit; font-size: 1rem; color: var(--ink); background: var(--paper); border: 1px solid var(--muted); border-radius: 6px; padding: .35rem .55rem;
  width: 100%; box-sizing: border-box; resize: vertical; min-height: 3.4rem; display: block }
.top { display: grid; gap: .6rem .8rem } .bigs { display: grid; gap: .2rem 1.6rem; line-height: 1.2; grid-template-columns: repeat(2, minmax(0, 1fr)) } .answer { display: grid; gap: .5rem }
.bigs b { color: var(--ink) } .big b { display: block; font-size: min(2.4rem, 9cqi); white-space: nowrap } .naive b { color: var(--muted) } .bigs .refused b { color: var(--special) }
.cards { display: flex; flex-wrap: wrap; gap: .9rem 1.2rem; list-style: none; margin: 0; padding: 0 } .cards > li { width: 9.4rem; font-size: .85rem; color: var(--muted) }
.cards b { color: var(--ink); font-weight: 600 } .cards .box { position: relative; height: 138px; touch-action: pan-y; background: linear-gradient(var(--rule), var(--rule)) 0 0 / 132px 1px no-repeat, linear-gradient(var(--rule), var(--rule)) 0 0 / 1px 132px no-repeat; cursor: nwse-resize }
.cards .audio .box, .cards .video .box { height: 48px; cursor: ew-resize; background: none; border-bottom: 1px solid var(--rule); margin-bottom: .2rem }
.thing { position: absolute; left: 0; top: 0; box-sizing: border-box; min-width: 3px; min-height: 3px }
.image .thing { background: linear-gradient(160deg, color-mix(in srgb, var(--image) 35%, var(--paper)) 55%, color-mix(in srgb, var(--image) 70%, var(--paper)) 55%); border: 1.5px solid var(--image) }
.audio .thing { height: 44px; background: repeating-linear-gradient(90deg, var(--audio) 0 2px, transparent 2px 5px); border-inline: 2px solid var(--audio) }
.video .thing { height: 44px; background: repeating-linear-gradient(90deg, var(--video) 0 7px, var(--paper) 7px 9px); border-block: 4px double var(--paper) }
.hand { position: absolute; width: 22px; height: 22px; margin: -11px 0 0 -11px; border-radius: 50%; background: var(--paper); border: 3px solid var(--ink); box-sizing: border-box; cursor: inherit }
.hand::after { content: ""; position: absolute; inset: -12px } .audio .hand, .video .hand { top: 22px }
.cards select { font-size: .85rem; min-height: 1.9rem; padding: .1rem .3rem; margin-top: .3rem } .cards button { font-size: .8rem; min-height: 1.9rem; margin-top: .3rem }
.scale canvas { height: 92px } .pieces { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 5px 4px; font-size: .85rem; line-height: 1.3 }
.pieces li { padding: .2rem .45rem; border-radius: 3px; max-width: 100%; box-sizing: border-box; border: 1px solid transparent }
.pieces small { display: block; font-size: .74rem; color: var(--muted) } .pieces code { font: .8rem ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere }
.pieces .text { border-color: var(--text) } .pieces .mark { border-color: var(--special); border-radius: 99px; padding-inline: .7rem } .pieces .mark code { color: var(--special); font-weight: 600 }
.pieces .image, .pieces .audio, .pieces .video { color: var(--paper); border-inline: 5px double var(--paper); background: var(--its); padding-inline: .6rem } .pieces .image { --its: var(--image) } .pieces .audio { --its: var(--audio) }
.pieces .video { --its: var(--video) } .pieces :is(.image, .audio, .video) small { color: inherit } .pieces .learned { border-bottom: 4px solid var(--accent) } .pieces .gap { color: var(--muted) }
.here { outline: 2px solid var(--accent); outline-offset: 1px }
.who .inside { display: grid; gap: 1.1rem; margin-top: .6rem }
.mask .two { display: grid; gap: .8rem 1.4rem } .mask .stage { width: min(100%, 400px); aspect-ratio: 1; cursor: row-resize } .mask canvas { touch-action: pan-y }
.rowhand { position: absolute; left: -2px; width: 18px; height: 20px; margin-top: -10px; background: var(--accent); clip-path: polygon(0 0, 100% 50%, 0 100%) }
.rowhand:focus-visible { clip-path: none; outline-color: var(--accent) } .mask .choose { display: grid; gap: .5rem; grid-template-columns: minmax(0, 1fr) } .mask .words { display: grid; gap: .55rem; align-content: start }
.keys i { display: inline-block; width: 1.1em; height: .8em; margin-right: .35em; vertical-align: -.05em; border: 1px solid currentColor; box-sizing: border-box }
.keys .image { background: var(--image); color: var(--image) } .keys .audio { background: repeating-linear-gradient(90deg, var(--audio) 0 2px, var(--paper) 2px 4px); color: var(--audio) }
.keys .video { background: repeating-linear-gradient(0deg, var(--video) 0 2px, var(--paper) 2px 3px); color: var(--video) } .keys .mark { background: var(--special); color: var(--special); transform: scaleY(1.3) } .keys .text { color: var(--text) }
.keys .learned { height: 4px; background: var(--accent); border: 0; vertical-align: .2em }
@container (min-width: 620px) { .top { grid-template-columns: minmax(0, 1fr) auto; align-items: end } .bigs { grid-template-columns: minmax(0, 1fr) minmax(0, 2fr) } .top > .wide { grid-column: 1 / -1 } .mask .two { grid-template-columns: minmax(0, 400px) minmax(0, 1fr) } }
@media (pointer: coarse) { .hand { width: 28px; height: 28px; margin: -14px 0 0 -14px } }
`;

  memory = blank();
  share = 0.6; // where in the sequence the token stands whose row is pointed at
  at = 0; // this token

  settings() { // from the attributes, each checked; whatever is not valid is as if it were not there
    const [, usual] = DATA.presets[0], given = (name) => this.getAttribute(name), style = given("style"), answer = given("answer");
    const sizes = Object.fromEntries(Object.entries(PLURAL).map(([kind, name]) => [name, given(name) !== null && allOf(kind)(given(name)) ? given(name) : given("prompt") === null ? usual[name] : ""]));
    return settle({ prompt: given("prompt") ?? usual.prompt, style: STYLES.has(style) ? style : usual.style, ...sizes, answer, named: given("named") === "1",
      rule: isRule(given("rule")) ? given("rule") : "own", window: isWindow(Number(given("window"))) ? Number(given("window")) : 0 }, blank());
  }

  settled(state) { return settle(state, this.memory); }
  fragment() { return writeFragment(this.state); }

  changed(how) {
    const { answer, rule, window } = this.state, asks = answer !== null || rule !== "own" || window > 0;
    if (asks && !this.asks) this.$.who.open = true; // whoever asks for it wants to see it
    this.asks = asks;
    Object.assign(this, attempt(this.state));
    if (this.sequence) this.at = clamp(Math.floor(this.share * this.sequence.tokens), 0, Math.max(0, this.sequence.tokens - 1));
    super.changed(how);
  }

  // ------------------------------------------------------------ building, once
  build($) {
    $.prompt = element("textarea", { id: "prompt", rows: 2, spellcheck: "false", maxlength: MOST.prompt });
    $.prompt.addEventListener("input", () => this.set({ prompt: $.prompt.value }));
    const prompt = element("label", { class: "wide" }, "the prompt: [IMG], [AUDIO] and [VIDEO] stand for media, everything else is text", $.prompt);
    const add = (words, kind) => button(words, () => {
      const { selectionStart: from, selectionEnd: to, value } = $.prompt, token = `[${NAMES[kind]}]`;
      this.set({ prompt: value.slice(0, from) + token + value.slice(to) });
      $.prompt.setSelectionRange(from + token.length, from + token.length);
    });
    const adding = element("div", { class: "row", role: "group", "aria-label": "Put in" }, add("+ picture", "image"), add("+ sound", "audio"), add("+ film", "video"));
    const style = this.select("style", "the system that writes it", [], (id) => this.set({ style: id }));
    $.learn = toggle("with an answer, to be learned", () => this.set({ answer: this.state.answer === null ? DATA.answer : null }));
    $.named = toggle("with names", () => Object.keys(STYLES.get(this.state.style).names).length && this.set({ named: !this.state.named }));
    $.answer = element("input", { id: "answer", maxlength: MOST.answer, spellcheck: "false" });
    $.answer.addEventListener("input", () => this.set({ answer: $.answer.value }));
    $.answerLabel = element("label", { class: "wide" }, "the answer that is learned", $.answer);
    $.limit = element("p", { class: "quiet wide", role: "status", hidden: "" });
    const top = element("div", { class: "top" }, prompt, $.limit, element("div", { class: "wide" }, adding), style,
      element("div", { class: "row" }, $.learn, $.named), $.answerLabel,
      element("div", { class: "wide" }, this.presets("Prompts worth trying", DATA.presets)));

    $.hint = element("p", { class: "quiet" }, "Drag a picture's corner, or the end of a sound or film. Sizes go in steps, so that each count is " +
      `the library's own; of a film ${DATA.fps} frames a second are taken.`);
    $.cards = element("ul", { class: "cards", "aria-label": "The media and their sizes" });
    [$.naive, $.big] = [element("b"), element("b")];
    [$.naiveUnit, $.unit] = [document.createTextNode(""), document.createTextNode("")];
    $.bigLine = element("p", { class: "big" }, $.big, $.unit);
    const bigs = element("div", { class: "bigs" }, element("p", { class: "big naive" }, $.naive, $.naiveUnit), $.bigLine);
    $.say = element("p", { class: "say" });
    $.notes = element("p", { class: "quiet" });
    const answered = element("div", { class: "answer" }, bigs, $.say, $.notes);

    $.scaleHead = element("span");
    $.scaleCanvas = element("canvas", { role: "img" });
    const key = (kind, words) => element("li", {}, element("i", { class: kind }), words);
    $.scale = element("div", { class: "strip scale" }, element("p", { class: "head" }, "The sequence, to scale", $.scaleHead), $.scaleCanvas,
      element("ul", { class: "keys" }, key("text", "text"), key("mark", "a marker"), key("image", "picture"), key("audio", "sound"), key("video", "film"), key("learned", "learned")));
    this.overTokens($.scaleCanvas, ({ offsetX }, { tokens }) => (offsetX / $.scaleCanvas.clientWidth) * tokens);

    $.piecesHead = element("span");
    $.about = element("p", { class: "quiet about" });
    $.pieces = element("ol", { class: "pieces" });
    const list = element("div", { class: "list" }, element("p", { class: "head" }, "Piece by piece", $.piecesHead), $.pieces, $.about);
    $.lossHead = element("span");
    $.loss = element("p", { class: "quiet" });
    const loss = element("div", { class: "loss" }, element("p", { class: "head" }, "What is learned", $.lossHead), $.loss);

    const rule = this.select("rule", "who sees whom", [], (name) => this.set({ rule: name }));
    const span = this.select("window", "and how far back", options([[0, "all the way"], ...DATA.windows.map((n) => [n, `${number(n)} tokens`])]), (n) => this.set({ window: Number(n) }));
    $.maskCanvas = element("canvas", { role: "img", "aria-label": "The mask, drawn when this is opened." });
    $.row = slider({ class: "rowhand", "aria-orientation": "vertical", "aria-valuemin": 0, "aria-label": "A row of the mask: up and down arrows by a token, page keys by a piece" });
    $.stage = element("div", { class: "stage" }, $.maskCanvas, $.row);
    [$.rowHead, $.sees, $.not, $.ruleSays] = [element("p", { class: "head" }), element("p"), element("p"), element("p", { class: "quiet" })];
    $.mask = element("div", { class: "mask" }, element("p", { class: "head" }, "Who sees whom ", element("span", {}, "Point at a row: a token, and what it may attend to.")),
      element("div", { class: "two" }, $.stage, element("div", { class: "words" }, element("div", { class: "choose" }, rule, span), $.rowHead, $.sees, $.not, $.ruleSays)));
    this.listenToMask();

    $.all = element("tbody");
    $.source = element("p", { class: "quiet source" });
    $.who = element("details", { class: "who" }, element("summary", {}, "Who sees whom, and what is learned"), element("div", { class: "inside" }, $.mask, loss, $.source));
    $.who.addEventListener("toggle", () => this.draw());
    const more = this.more(`This prompt in all ${STYLES.size} systems`, table("This prompt in every system", ["system", "tokens", "of media", "markers and text around them"], $.all));
    return [top, element("div", {}, $.cards, $.hint), answered, $.scale, list, $.who, more];
  }

  overTokens(node, token) { // the mouse over it points at a token
    node.addEventListener("pointermove", (event) => event.pointerType === "mouse" && this.sequence?.tokens && this.point(token(event, this.sequence)));
  }

  point(token) {
    const { tokens } = this.sequence, at = clamp(Math.floor(token), 0, tokens - 1);
    if (at === this.at) return;
    this.at = at;
    this.share = (at + 0.5) / tokens;
    this.tellRow();
    this.draw();
  }

  listenToMask() {
    const { stage, row } = this.$, at = ({ clientY }) => {
      const { top, height } = stage.getBoundingClientRect();
      return ((clientY - top - EDGE) / (height - EDGE)) * this.sequence.tokens;
    };
    this.overTokens(stage, at);
    drag(stage, (event) => {
      if (!this.sequence?.tokens) return null;
      this.point(at(event));
      return (next) => this.point(at(next));
    }, { focus: () => row });
    const all = 1e9, table = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, PageDown: "next", PageUp: "last", Home: -all, End: all };
    keys(row, table, (by) => {
      if (!this.sequence?.tokens) return;
      const { start, stop } = pieceAt(this.sequence, this.at);
      this.point(by === "next" ? stop : by === "last" ? (this.at > start ? start : pieceAt(this.sequence, Math.max(0, start - 1)).start) : this.at + by);
      this.speak(row.getAttribute("aria-valuetext"));
    });
  }

  // ------------------------------------------------------------ the media and their sizes
  resize(kind, index, size) {
    const name = PLURAL[kind], all = listed(this.state[name]);
    all[index] = kind === "audio" ? String(size) : size.map(Number).join("x");
    this.set({ [name]: all.join("_") });
  }

  card(kind, index) { // a medium that can be moved: {node, show}
    const hand = slider({ class: "hand" }), thing = element("div", { class: "thing" }), box = element("div", { class: "box" }, thing, hand);
    const title = `${TITLES[kind]} ${index + 1}`, said = element("span"), counted = element("div");
    const node = element("li", { class: kind }, element("div", {}, element("b", {}, `${title} `)), element("div", {}, said), box, counted);
    const now = () => SIZE[kind](listed(this.state[PLURAL[kind]])[index]), resize = (size) => this.resize(kind, index, size);
    const place = (event) => { const { left, top } = box.getBoundingClientRect(); return [event.clientX - left, event.clientY - top]; };
    let show;
    if (kind === "image") {
      hand.setAttribute("aria-label", `${title}: the corner. Left and right arrows change the width, up and down the height`);
      const k = OWN_SIDE / LONGEST, take = (event) => { const [x, y] = place(event); resize([nearest(SIDES, y / k), nearest(SIDES, x / k)]); };
      drag(box, (event) => { take(event); return take; }, { focus: () => hand });
      keys(hand, ACROSS, ([across, down]) => { const [h, w] = now(); resize([step(SIDES, h, down), step(SIDES, w, across)]); });
      hand.setAttribute("aria-valuemin", SIDES[0]);
      hand.setAttribute("aria-valuemax", LONGEST);
      show = () => {
        const [h, w] = now();
        Object.assign(thing.style, { width: `${w * k}px`, height: `${h * k}px` });
        Object.assign(hand.style, { left: `${w * k}px`, top: `${h * k}px` });
        valued(hand, w, `${number(h)} pixels high, ${number(w)} wide`);
        return `${number(h)} × ${number(w)} px`;
      };
    } else {
      const some = kind === "audio" ? SECONDS : FRAMES, value = () => (kind === "audio" ? now() : now()[0]), put = (x) => resize(kind === "audio" ? x : [x, ...now().slice(1)]);
      hand.setAttribute("aria-label", `${title}: how long. Left and right arrows change it`);
      const take = (event) => put(some[clamp(Math.round((place(event)[0] / OWN_SIDE) * some.length) - 1, 0, some.length - 1)]);
      drag(box, (event) => { take(event); return take; }, { focus: () => hand });
      keys(hand, ALONG(1, 3, 99), (by) => put(step(some, value(), by)));
      hand.setAttribute("aria-valuemin", some[0]);
      hand.setAttribute("aria-valuemax", some.at(-1));
      const heights = element("select", { "aria-label": `${title}: size of a frame` }, ...options(HEIGHTS.map(([h, w]) => [h, `${number(h)} × ${number(w)} px`])));
      heights.addEventListener("change", () => resize([now()[0], Number(heights.value), now()[2]]));
      const sound = toggle("with its sound", () => resize([...now().slice(0, 2), !now()[2]]));
      if (kind === "video") node.append(heights, sound);
      show = () => {
        const x = ((some.indexOf(value()) + 1) / some.length) * OWN_SIDE, seconds = kind === "audio" ? value() : value() / DATA.fps;
        thing.style.width = hand.style.left = `${x}px`;
        valued(hand, value(), kind === "audio" ? `${seconds} seconds` : `${value()} frames of ${seconds} seconds`);
        if (kind === "video") {
          heights.value = now()[1];
          sound.hidden = !STYLES.get(this.state.style).media.video?.woven;
          pressed(sound, now()[2]);
        }
        return kind === "audio" ? clock(seconds) : `${value()} frames, ${clock(seconds)}`;
      };
    }
    return { node, show: (medium) => {
      write(said, show());
      write(counted, medium ? `${number(medium.soft - medium.sound)} tokens${medium.sound ? `, ${number(medium.sound)} of its sound` : ""}${medium.stop - medium.start > medium.soft ? `, ${number(medium.stop - medium.start - medium.soft)} around` : ""}` : "refused");
    } };
  }

  tellCards() {
    const kinds = kindsOf(this.state.prompt).slice(0, MOST.media), key = kinds.join();
    if (this.cardKey !== key) {
      this.cardKey = key;
      this.cards = kinds.map((kind, i) => this.card(kind, kinds.slice(0, i).filter((one) => one === kind).length));
      this.$.cards.replaceChildren(...this.cards.map(({ node }) => node));
      this.$.cards.parentNode.hidden = !kinds.length;
    }
    this.cards.forEach(({ show }, i) => show(this.sequence?.media[i]));
  }

  // ------------------------------------------------------------ words
  tell() {
    const { $, state, sequence, refusal } = this, system = STYLES.get(state.style), kinds = kindsOf(state.prompt);
    this.tellChoices(system, kinds);
    this.tellCards();
    write($.big, sequence ? number(sequence.tokens) : "refused");
    write($.naive, sequence ? number(sequence.naive) : "–");
    $.naiveUnit.nodeValue = sequence ? `${sequence.naive === 1 ? "token" : "tokens"}${kinds.length ? "," : ""} ${ifOne(kinds.length)}` : "";
    const times = sequence && sequence.naive ? sequence.tokens / sequence.naive : 1;
    $.unit.nodeValue = sequence ? `${sequence.tokens === 1 ? "token" : "tokens"} in ${system.title}${times >= 1.05 ? `, ${times < 9.95 ? times.toFixed(1) : number(Math.round(times))} times as many` : ""}` : "";
    $.bigLine.classList.toggle("refused", !sequence);
    write($.say, sequence ? this.sayMedia(sequence) : `${refusal}.`);
    write($.notes, this.notes(sequence, system).join(" "));
    for (const part of [$.scale, $.pieces.parentNode, $.who]) part.hidden = !sequence?.tokens;
    if (sequence?.tokens) {
      write($.scaleHead, ` ${number(sequence.tokens)} tokens from left to right`);
      this.tellPieces(sequence, system);
      this.tellLoss(sequence, system);
      write($.ruleSays, `${state.rule === "own" && system.masks ? `${system.title}: ${system.masks}. ` : ""}A token sees ${SAYS[ruleOf(state)]}${state.window ? `, of what is before only the last ${number(state.window)} tokens, itself included` : ""}.`);
      this.tellRow();
    }
    if ($.more.open) this.tellAll();
    write($.about, `${system.title}: ${system.about}`);
    write($.source, `How ${system.title} writes it was ${system.verified === "run" ? "run against" : "read in"} ${system.source}; ${system.as_of}.`);
    this.speak(sequence ? `${number(sequence.tokens)} tokens, where ${number(sequence.naive)} would do ${ifOne(kinds.length)}.` : `Refused: ${refusal}.`);
  }

  tellChoices(system, kinds) {
    const { $, state } = this, key = [...new Set(kinds)].sort().join();
    if ($.prompt.value !== state.prompt) $.prompt.value = state.prompt;
    const full = bytes(state.prompt).length > MOST.prompt - 4;
    $.limit.hidden = !full;
    write($.limit, full ? `A prompt here has at most ${MOST.prompt} bytes.` : "");
    if (this.styleKey !== key) {
      this.styleKey = key;
      const takes = ({ media }) => kinds.every((kind) => media[kind]), group = (label, some) => element("optgroup", { label }, ...options(some.map(({ id, title }) => [id, title])));
      const [able, others] = [DATA.styles.filter(takes), DATA.styles.filter((style) => !takes(style))];
      $.style.replaceChildren(...(able.length ? [group("take what is in this prompt", able)] : []), ...(others.length ? [group("lack a kind of medium that is in it", others)] : []));
    }
    $.style.value = state.style;
    pressed($.learn, state.answer !== null);
    $.answerLabel.hidden = state.answer === null;
    if (state.answer !== null && $.answer.value !== state.answer) $.answer.value = state.answer;
    const labels = Object.keys(system.names).length > 0;
    pressed($.named, state.named && labels);
    $.named.setAttribute("aria-disabled", String(!labels));
    write($.named, labels ? "with names" : "has no names");
    if (this.ruleKey !== system.id) {
      this.ruleKey = system.id;
      $.rule.replaceChildren(...options([["own", `as the system does: ${RULES[ruleOf({ rule: "own", style: system.id })]}`], ...DATA.masks.map((name) => [name, RULES[name]])]));
    }
    $.rule.value = state.rule;
    $.window.value = state.window;
  }

  sayMedia({ media, pieces: all }) {
    const inText = all.filter(({ kind, medium }) => kind === "text" && medium < 0).reduce((sum, { count }) => sum + count, 0);
    const list = media.map(({ title, soft, sound }) => `${title} takes ${plural(soft - sound, "token")}${sound ? ` and its own sound ${number(sound)}` : ""}`).join(", ");
    return `${list ? `${list}. ` : ""}The text is ${plural(inText, "byte")}, each counted as a token here; a real tokenizer makes fewer of it.`;
  }

  notes(sequence, system) {
    const { state } = this, said = [], found = typed(state, system);
    if (found.length) said.push(`${found.map((token) => `“${token}”`).join(" and ")} in the text was typed, so it stays text: ${found.map((token) => plural(bytes(token).length, "byte")).join(" and ")}, not the marker's one id. A program that looks for the string would take it for a marker.`);
    if (!sequence) return said;
    const joined = fused(sequence);
    if (joined.length) said.push(`Nothing stands between ${joined.map(({ medium }) => `${sequence.media[medium - 1].title} and ${sequence.media[medium].title}`).join(", ")}: to the model it is one run of the same token, and no id says where the one ends.`);
    const guessed = [...new Set(sequence.media.map(({ kind }) => kind))].filter((kind) => system.media[kind].supposed);
    for (const kind of guessed) said.push(`The catalog has no rule from a ${TITLES[kind].toLowerCase()}'s size to tokens for ${system.title}: here we assume ${system.media[kind].supposed}.`);
    return said;
  }

  tellPieces({ pieces: all, media, system }, { ids }) {
    const { $ } = this, shown = [];
    for (let i = 0; i < all.length; ) { // of a medium with many pieces the middle is left out
      let j = i + 1;
      while (all[i].medium >= 0 && all[j]?.medium === all[i].medium) j++;
      const some = all.slice(i, j), left = some.slice(SHOWN - 3, -2);
      if (some.length <= SHOWN) shown.push(...some);
      else shown.push(...some.slice(0, SHOWN - 3), { gap: left.length, count: left.reduce((sum, { count }) => sum + count, 0), start: left[0].start, stop: left.at(-1).stop }, ...some.slice(-2));
      i = j;
    }
    write($.piecesHead, ` ${plural(all.length, "piece")}, each with its ids and its places, counted from 0`);
    const known = (token) => (token in ids ? `id ${ids[token]}` : `id ${256 + system.tokens.concat(DATA.turns[system.turns]?.tokens ?? []).lastIndexOf(token)} here`);
    $.pieces.replaceChildren(...shown.map((piece) => {
      const { start, stop, count, what, kind, gap } = piece, places = count === 1 ? `at ${number(start)}` : `${number(start)} to ${number(stop - 1)}`;
      if (gap) return element("li", { class: "gap" }, `… ${number(gap)} pieces more`, element("small", {}, `${number(count)} tokens, ${places}`));
      const look = kind === "soft" ? KIND_OF[piece.modality] : kind, medium = media[piece.medium], learned = piece.learn ? ", learned" : "";
      if (kind === "soft") return element("li", { class: look }, element("b", {}, `${number(count)} × `), element("code", {}, what), element("small", {}, `${medium.title}${medium.name ? ` (“${medium.name}”)` : ""}, ${known(what)}, ${places}`));
      const said = kind === "mark" ? `${known(what)}, ${places}` : `${plural(count, "byte")}: ${Array.from(bytes(what).slice(0, 4)).join(" ")}${count > 4 ? " …" : ""}, ${places}`;
      return element("li", { class: `${look}${piece.learn ? " learned" : ""}` }, element("code", {}, visibleText(what)), element("small", {}, said + learned));
    }));
    this.shown = shown;
  }

  tellLoss(sequence, system) {
    const { $, state } = this, { learned, tokens } = sequence;
    write($.lossHead, learned ? ` ${number(learned)} of ${number(tokens)} tokens` : " nothing");
    const where = system.turns ? "the answer, and the marks that end its turn" : system.after_prompt ? "the answer" : "the answer, which stands bare behind the prompt: how this system marks turns is not in the catalog";
    write($.loss, state.answer === null ? "A prompt by itself teaches nothing: every token has the label −100, which the loss leaves out. Give it an answer, and the answer's tokens are learned."
      : `The model is taught to say ${where}. Every other token has the label −100, which the loss leaves out: the user's words, and every token of a medium.`);
  }

  tellRow() {
    const { $, sequence, state, at } = this, [from, to] = visible(sequence, ruleOf(state), state.window, at);
    const hidden = [from ? stretchWords(sequence, 0, from) : "", to < sequence.tokens ? stretchWords(sequence, to, sequence.tokens) : ""].filter(Boolean);
    write($.rowHead, placeWords(sequence, at));
    write($.sees, `It sees ${seesWords(at, from, to)}${to - from > 1 ? `: ${stretchWords(sequence, from, to)}` : ""}.`);
    write($.not, to - from === sequence.tokens ? "Nothing is hidden from it." : `It does not see ${plural(sequence.tokens - to + from, "token")}: ${hidden.join(", and ")}.`);
    $.row.setAttribute("aria-valuemax", sequence.tokens - 1);
    valued($.row, at, `${$.rowHead.textContent}. ${$.sees.textContent} ${$.not.textContent}`);
    [...$.pieces.children].forEach((node, i) => node.classList.toggle("here", at >= this.shown[i].start && at < this.shown[i].stop));
  }

  tellAll() {
    this.$.all.replaceChildren(...DATA.styles.map(({ id, title }) => {
      const { sequence, refusal } = attempt({ ...this.state, style: id }), mine = id === this.state.style ? { "aria-current": "true" } : {};
      if (!sequence) return tableRow(title, ["refused", refusal.split("; ").at(-1), ""], mine);
      const soft = sequence.media.reduce((sum, medium) => sum + medium.soft, 0), around = sequence.media.reduce((sum, { start, stop }) => sum + stop - start, 0) - soft;
      const guess = sequence.media.find(({ kind }) => STYLES.get(id).media[kind].supposed);
      const guessed = guess ? `, if the ${TITLES[guess.kind].toLowerCase()} ${guess.kind === "audio" ? "has a rate" : "keeps a size"} that we assume` : "";
      return tableRow(title, [number(sequence.tokens), number(soft) + guessed, number(around)], mine);
    }));
  }

  // ------------------------------------------------------------ pictures
  render() {
    if (!this.sequence?.tokens) return;
    this.drawScale();
    if (this.$.who.open) this.drawMask();
  }

  // a stretch of one kind, told apart by its pattern as well: film in lines, sound in bars, markers tall, text hollow
  fill(ctx, piece, x, y, w, h, tall = 3) {
    const kind = piece.kind === "soft" ? KIND_OF[piece.modality] : piece.kind, color = this.color(kind === "mark" ? "special" : kind);
    ctx.fillStyle = color;
    if (kind === "mark") return ctx.fillRect(x, y - tall, w, h + 2 * tall);
    if (kind === "text") {
      ctx.globalAlpha = 0.25;
      ctx.fillRect(x, y, w, h);
      ctx.globalAlpha = 1;
      ctx.fillRect(x, y, w, 1.5);
      return ctx.fillRect(x, y + h - 1.5, w, 1.5);
    }
    ctx.fillRect(x, y, w, h);
    ctx.fillStyle = this.color("paper");
    if (kind === "video") for (let d = 4; d < h - 1; d += 5) ctx.fillRect(x, y + d, w, 1);
    if (kind === "audio") for (let d = 3; d < w - 1; d += 5) ctx.fillRect(x + d, y, 1, h);
  }

  drawScale() {
    const { $, sequence, at } = this, [ctx, width] = this.canvas($.scaleCanvas), { tokens, media, pieces: all } = sequence, each = width / tokens;
    if (!width) return;
    const [top, tall] = [12, 34];
    const narrow = all.filter(({ kind }) => kind !== "mark"), marks = all.filter(({ kind }) => kind === "mark");
    for (const piece of [...narrow, ...marks]) {
      const gap = piece.kind === "soft" && piece.count * each > 4 ? 0.75 : 0;
      this.fill(ctx, piece, piece.start * each, top, Math.max(piece.count * each - gap, piece.kind === "mark" ? 2 : 0.75), tall);
      if (piece.learn) {
        ctx.fillStyle = this.color("accent");
        ctx.fillRect(piece.start * each, top + tall + 4, Math.max(piece.count * each, 1.5), 4);
      }
    }
    let free = -1;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    const spans = media.length ? media.map(({ title, start, stop }) => [`${title}: ${number(stop - start)}`, start, stop]) : [];
    for (const [words, start, stop] of spans) {
      const a = start * each + 1, b = Math.max(a, stop * each - 1);
      this.bracket(ctx, a, b, top + tall + 10, 4);
      const half = ctx.measureText(words).width / 2, middle = clamp((a + b) / 2, half, width - half);
      if (middle - half <= free) continue;
      ctx.fillStyle = this.color("ink");
      ctx.fillText(words, middle, top + tall + 26);
      free = middle + half + 8;
    }
    const x = (at + 0.5) * each;
    ctx.fillStyle = this.color("accent");
    ctx.beginPath();
    ctx.moveTo(x - 5, 0); ctx.lineTo(x + 5, 0); ctx.lineTo(x, 8);
    ctx.fill();
    ctx.fillRect(x - 0.75, 4, 1.5, top + tall);
    $.scaleCanvas.setAttribute("aria-label", `${number(tokens)} tokens: ${all.length > 24 ? spans.map(([words]) => words).join(", ") : all.map((piece) => `${pieceWords(sequence, piece)} ${number(piece.count)}`).join(", ")}`);
  }

  drawMask() { // rows see, columns are seen; the colours are those of what is seen
    const { $, sequence, state, at } = this, [ctx, width, height] = this.canvas($.maskCanvas), { tokens, pieces: all } = sequence, rule = ruleOf(state);
    if (!width) return;
    const size = Math.min(width, height) - EDGE, each = size / tokens, rows = Math.min(tokens, size);
    const columns = element("canvas"), strip = columns.getContext("2d"); // one row in which everything is seen
    [columns.width, columns.height] = [Math.ceil(size), 1];
    for (const piece of all) {
      strip.fillStyle = this.color(piece.kind === "mark" ? "special" : piece.kind === "soft" ? KIND_OF[piece.modality] : "text");
      strip.globalAlpha = piece.kind === "text" ? 0.55 : 1;
      strip.fillRect(piece.start * each, 0, Math.max(piece.count * each, piece.kind === "mark" ? 1 : 0), 1);
    }
    ctx.fillStyle = this.color("rule");
    ctx.globalAlpha = 0.35;
    ctx.fillRect(EDGE, EDGE, size, size);
    ctx.globalAlpha = 1;
    ctx.imageSmoothingEnabled = false;
    const dots = ctx.getTransform().a, edge = (k) => Math.round((k * size * dots) / rows) / dots; // whole dots, so that rows do not overlap
    for (let k = 0; k < rows; k++) {
      const [from, to] = visible(sequence, rule, state.window, Math.floor(((k + 0.5) * tokens) / rows)), wide = (to - from) * each;
      ctx.drawImage(columns, clamp(from * each, 0, columns.width - 0.01), 0, Math.min(wide, columns.width), 1, EDGE + from * each, EDGE + edge(k), wide, edge(k + 1) - edge(k));
    }
    for (const piece of all) { // the sequence along both edges
      const from = piece.start * each, long = Math.max(piece.count * each, piece.kind === "mark" ? 1 : 0.5);
      this.fill(ctx, piece, EDGE + from, 3, long, EDGE - 7, 2);
      ctx.save();
      ctx.transform(0, 1, 1, 0, 0, 0); // mirrored: along becomes down
      this.fill(ctx, piece, EDGE + from, 3, long, EDGE - 7, 2);
      ctx.restore();
    }
    ctx.strokeStyle = this.color("paper");
    ctx.lineWidth = 1;
    for (const { start, stop } of sequence.media) for (const edge of [start, stop]) if ((stop - start) * each > 6) { // where media begin and end
      const p = EDGE + edge * each;
      ctx.globalAlpha = 0.7;
      ctx.beginPath();
      ctx.moveTo(p, EDGE); ctx.lineTo(p, EDGE + size);
      ctx.moveTo(EDGE, p); ctx.lineTo(EDGE + size, p);
      ctx.stroke();
      ctx.globalAlpha = 1;
    }
    const [from, to] = visible(sequence, rule, state.window, at), y = EDGE + (at + 0.5) * each, thick = Math.max(each, 3);
    ctx.strokeStyle = this.color("accent");
    ctx.lineWidth = 2;
    ctx.strokeRect(EDGE + from * each, y - thick / 2 - 1, Math.max((to - from) * each, 2), thick + 2);
    $.row.style.top = `${y}px`;
    $.maskCanvas.setAttribute("aria-label", `The mask: ${number(tokens)} rows and columns. A token sees ${SAYS[rule]}.`);
  }
};
});
