// What codebooks buy and cost, in two panels that have nothing in common but the sentence: the book's own small codec, heard
// with 1 to 8 codebooks above its own numbers, and what another codec, which is not heard, takes a second in bits and tokens.
// The base is explained in base.js; DATA are the sounds, 8 bits a sample, the codecs of the catalog, a few constants.
mmExplore.define("rvq", (DATA, { Explorable, roundHalfEven, number, plural, clamp, fragment, element, button, pressed, options, slider,
  valued, table, tableRow, drag, keys, ALONG }) => {
const CODECS = new Map(DATA.codecs.map((row) => [row.id, row])), OURS = DATA.codecs[0].id, MOST = DATA.snr.length, FIRST = "encodec-24k";

// ---------------------------------------------------------------- the functions of mmtokedu/rvq.py that count
const bitrate = (frameRate, codebooks, size) => frameRate * codebooks * Math.log2(size);

function framesOf(row, samples) { // whole groups of frames where the codec works by groups
  const frames = Math.max(0, Math.ceil((samples + row.extra_samples) / row.hop));
  return Math.ceil(frames / row.frame_multiple) * row.frame_multiple;
}

function piecesOf(row, samples) { // [[length, how many of them], …]
  if (!row.chunk.length) return [[samples, 1]];
  const [length, step] = row.chunk, full = Math.max(0, Math.floor((samples - length) / step) + 1), pieces = [[length, full]];
  for (let start = full * step; start < samples; start += step) pieces.push([samples - start, 1]);
  return pieces;
}

const stridesOf = (row, count) => row.strides.length ? row.strides : new Array(count).fill(1); // frames a code, for each stage

function tokensPerSecond(id, count) {
  const row = CODECS.get(id), aFrame = stridesOf(row, count).reduce((sum, stride) => sum + 1 / stride, 0);
  if (!row.chunk.length) return (row.sample_rate / row.hop) * aFrame;
  const [length, step] = row.chunk;
  return (framesOf(row, length) * aFrame * row.sample_rate) / step;
}
const bitsPerSecond = (id, count) => bitrate(tokensPerSecond(id, count), 1, CODECS.get(id).codebook_size);

function audioTokens(id, count, seconds) {
  const row = CODECS.get(id);
  const frames = piecesOf(row, roundHalfEven(seconds * row.sample_rate)).reduce((sum, [length, n]) => sum + n * framesOf(row, length), 0);
  return stridesOf(row, count).reduce((sum, stride) => sum + Math.floor(frames / stride), 0);
}

// ---------------------------------------------------------------- sound and its picture, as in explore/_rvq.py
const MU_LAW = Float64Array.from({ length: 256 }, (_, code) => {
  const y = code / 127.5 - 1;
  return (Math.sign(y) * Math.expm1(Math.abs(y) * Math.log(256))) / 255;
});
const fromMuLaw = (codes) => Float64Array.from(codes, (code) => MU_LAW[code]);

function powers(real, imag) { // |FFT|² of 2^n numbers, which it overwrites: bits reversed, then butterflies
  const n = real.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) [real[i], real[j], imag[i], imag[j]] = [real[j], real[i], imag[j], imag[i]];
  }
  for (let size = 2; size <= n; size *= 2) {
    const half = size / 2;
    for (let k = 0; k < half; k++) {
      const c = Math.cos((2 * Math.PI * k) / size), s = -Math.sin((2 * Math.PI * k) / size);
      for (let a = k; a < n; a += size) {
        const b = a + half, u = real[b] * c - imag[b] * s, v = real[b] * s + imag[b] * c;
        real[b] = real[a] - u; imag[b] = imag[a] - v;
        real[a] += u; imag[a] += v;
      }
    }
  }
  return real.map((x, i) => x * x + imag[i] * imag[i]);
}

function spectrogram(sound) { // a row a window, in dB, 0 dB a sine of full scale
  const { window: width, step, floor } = DATA, rows = [];
  const shape = Float64Array.from({ length: width }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / width));
  for (let start = 0; start + width <= sound.length; start += step) {
    const found = powers(shape.map((w, i) => w * sound[start + i]), new Float64Array(width)).subarray(0, width / 2);
    rows.push(found.map((power) => 10 * Math.log10(power / (width / 4) ** 2 + floor)));
  }
  return rows;
}

const HEARD = []; // index -> {sound, levels}; 0 is the original, then 1 to 8 codebooks; worked out once
function heard(index) {
  if (!HEARD[index]) {
    const sound = fromMuLaw(Uint8Array.from(atob(DATA.sounds[index]), (letter) => letter.charCodeAt(0)));
    HEARD[index] = { sound, levels: spectrogram(sound) };
  }
  return HEARD[index];
}

// what a stretch of sound becomes: [codebook, from, to] in seconds, a cell a token
function cells(id, count, span) {
  const row = CODECS.get(id), found = [];
  stridesOf(row, count).forEach((stride, q) => {
    const long = (stride * row.hop) / row.sample_rate;
    for (let i = 0; i * long < span - 1e-9; i++) found.push([q, i * long, Math.min(span, (i + 1) * long)]);
  });
  return found;
}

// ---------------------------------------------------------------- the page's fragment
const isStages = (n) => Number.isInteger(n) && n >= 1 && n <= MOST;
const isCodec = (id) => CODECS.has(id) && id !== OURS; // whose numbers can be read
const isContext = (n) => DATA.contexts.includes(n);
const isCount = (id, n) => CODECS.get(id).codebooks.includes(n);

function readFragment(hash) { // "#rvq:stages=4,codec=mimi,codebooks=8,context=32768"
  const state = fragment("rvq", hash, {
    stages: (text) => /^\d$/.test(text) && isStages(+text) && { stages: +text },
    codec: (codec) => isCodec(codec) && { codec },
    codebooks: (text) => /^\d{1,2}$/.test(text) && { codebooks: +text },
    context: (text) => /^\d{4,7}$/.test(text) && isContext(+text) && { context: +text },
  });
  if (state && "codebooks" in state && !(state.codec && isCount(state.codec, state.codebooks))) return null;
  return state;
}
const writeFragment = ({ stages, codec, codebooks, context }) =>
  `#rvq:stages=${stages},codec=${codec},codebooks=${codebooks},context=${context}`;

// ---------------------------------------------------------------- words
const short = (x) => x >= 100 ? number(Math.round(x)) : x.toFixed(1).replace(/\.0$/, "");
const kilobits = (bits) => String(Number((bits / 1000).toPrecision(3)));

function duration(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const core = { bitrate, tokensPerSecond, bitsPerSecond, audioTokens, fromMuLaw, spectrogram, heard, cells, readFragment, writeFragment, duration, short };

const TO_HEAR = [["1 codebook", { stages: 1, original: false }], [`all ${MOST}`, { stages: MOST, original: false }]];
const TO_READ = [
  ["Mimi, for Moshi", { codec: "mimi", codebooks: 8 }],
  ["Mimi, all 32", { codec: "mimi", codebooks: 32 }],
  ["EnCodec", { codec: FIRST, codebooks: 8 }],
];

// ---------------------------------------------------------------- what plays: one sound at a time, the next from where it is
class Player {
  constructor(changed) { Object.assign(this, { changed, at: 0, playing: null, buffers: [] }); }

  get length() { return heard(0).sound.length / DATA.rate; }
  get position() { return this.playing ? Math.min(this.length, Math.max(0, this.context.currentTime - this.playing.origin)) : this.at; }

  buffer(index) {
    if (!this.buffers[index]) {
      const { sound } = heard(index), buffer = this.context.createBuffer(1, sound.length, DATA.rate);
      buffer.copyToChannel(Float32Array.from(sound), 0);
      this.buffers[index] = buffer;
    }
    return this.buffers[index];
  }

  play(index, from = this.position) {
    this.context ??= new AudioContext();
    this.context.resume();
    this.fade();
    if (from > this.length - 0.02) from = 0;
    const source = this.context.createBufferSource(), gain = this.context.createGain(), now = this.context.currentTime;
    source.buffer = this.buffer(index);
    source.connect(gain).connect(this.context.destination);
    gain.gain.setValueAtTime(0, now); // 10 ms in and out, so that a change of sounds makes no click
    gain.gain.linearRampToValueAtTime(1, now + 0.01);
    source.start(now, from);
    const current = (this.playing = { index, source, gain, origin: now - from });
    source.onended = () => { if (this.playing === current) this.stop(0); };
    this.changed();
  }

  fade() {
    if (!this.playing) return;
    const { source, gain } = this.playing, now = this.context.currentTime;
    gain.gain.cancelScheduledValues(now);
    gain.gain.setValueAtTime(gain.gain.value, now);
    gain.gain.linearRampToValueAtTime(0, now + 0.01);
    source.stop(now + 0.012);
    this.at = this.position;
    this.playing = null;
  }

  stop(at) { // stay here, or go to `at`
    this.fade();
    this.at = at ?? this.at;
    this.changed();
  }

  close() {
    this.fade();
    this.context?.close();
    this.context = null;
    this.buffers = [];
  }
}

const SPAN = 0.32; // seconds in the strip: four frames of the slowest codec
return class extends Explorable {
  static core = core;
  static observedAttributes = ["stages", "codec", "codebooks", "context"];
  static label = "Explore: what codebooks buy and what they cost";
  static modality = "audio";
  static style = `
.app { gap: 1rem; grid-template: "top" "hear" "read" / minmax(0, 1fr) }
.top { display: flex; flex-wrap: wrap; gap: .5rem 1.2rem; align-items: center; justify-content: space-between } .top .about { margin: 0; flex: 1 1 20rem }
.panel { border: 1px solid var(--rule); border-radius: 8px; padding: .9rem; display: grid; gap: .8rem 1.6rem; grid-template-columns: minmax(0, 1fr); align-content: start }
.title { font-size: 1.1rem; font-weight: 700; line-height: 1.3; grid-column: 1 / -1 } .title span { font-weight: 400 } .hear { border-color: var(--main); border-top-width: 5px } .hear .title b { color: var(--main) } .read { --main: var(--muted); border-top: 5px solid var(--main) } .hear .row { margin-top: .6rem }
.said, .read > * { grid-column: 1 / -1 } .stage { height: 11.5rem; cursor: ew-resize } .now { font-size: .92rem; color: var(--muted); flex-basis: 100% }
.hand { position: absolute; top: 0; bottom: 20px; width: 25px; margin-left: -12px; touch-action: none } .hand::before { content: ""; position: absolute; inset: 0 11px; background: var(--accent); border-inline: 1px solid var(--paper) }
div.bars { position: relative; height: 9.5rem } .bars canvas { position: absolute; inset: 0; width: 100%; height: 100% } .bars [role=slider] { position: absolute; inset: 0; touch-action: pan-y; cursor: ew-resize; border-radius: 6px }
.big { display: grid; gap: .7rem 1rem; grid-template-columns: repeat(2, minmax(0, auto)); justify-content: start; line-height: 1.15 } .big b { display: block; line-height: 1.05; white-space: nowrap }
.own { margin-top: .8rem } .own b { font-size: 2.1rem } .read .big b { color: var(--ink); font-size: 2.6rem } .read .big p:last-child { grid-column: 1 / -1 }
.pick { display: grid; gap: .6rem 1rem; grid-template-columns: minmax(0, 1fr) } .name { font-size: 1.25rem; font-weight: 700; line-height: 1.25 }
.strip canvas { height: 112px }
table { overflow-wrap: normal } th, td { white-space: nowrap }
th:first-child { white-space: normal } tr.chosen > * { font-weight: 600 } tr.chosen th { box-shadow: inset 3px 0 var(--accent) }
@container (min-width: 620px) {
  .hear { grid-template-columns: minmax(0, 1.3fr) minmax(0, 1fr) } .stage { height: 14rem } div.bars { height: 13rem }
  .pick { grid-template-columns: minmax(0, 1.5fr) minmax(0, 1fr) minmax(0, 1.5fr); align-items: start } .read .big { grid-template-columns: repeat(3, minmax(0, auto)); column-gap: 2.4rem } .read .big p:last-child { grid-column: auto }
}
`;

  connectedCallback() {
    this.player = new Player(() => { this.tell(); this.run(); });
    super.connectedCallback();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.player.close();
  }

  settings() { // from the attributes, each checked; whatever is not valid is as if it were not there
    const [stages, codebooks, context] = ["stages", "codebooks", "context"].map((name) => Number(this.getAttribute(name) ?? NaN));
    const codec = this.getAttribute("codec");
    return this.settled({ stages: isStages(stages) ? stages : 2, codec: isCodec(codec) ? codec : FIRST, codebooks,
      context: isContext(context) ? context : 32768, original: false });
  }

  settled(state) { // with a number of codebooks that the codec has
    return { ...state, codebooks: isCount(state.codec, state.codebooks) ? state.codebooks : CODECS.get(state.codec).default };
  }

  fragment() { return writeFragment(this.state); }

  follow(asked) { super.follow({ ...(asked.codec ? { codebooks: NaN } : {}), ...asked }); } // of another codec, its own number

  // ------------------------------------------------------------ state
  get index() { return this.state.original ? 0 : this.state.stages; } // of the sound that is heard

  changed(how) {
    if (this.player.playing && this.player.playing.index !== this.index) this.player.play(this.index);
    super.changed(how);
  }

  // ------------------------------------------------------------ building, once
  build($) {
    const top = element("div", { class: "top" },
      element("p", { class: "about" }, "What do more codebooks buy? Hear it from a small codec that was trained for this book. What do they cost? Read it of codecs that are in use."),
      button("reset", () => this.reset()));
    const seconds = `${(heard(0).sound.length / DATA.rate).toFixed(1)}\u00a0s`;
    const panels = [top, this.buildHear($, seconds), this.buildRead($, seconds)];
    this.listenToHands();
    return panels;
  }

  offer(label, some) { // presets of one panel; they leave the other panel as it is
    const made = some.map(([name, state]) => [button(name, () => this.set(state)), state]);
    this.offered.push(...made);
    return element("div", { class: "row", role: "group", "aria-label": label }, ...made.map(([node]) => node));
  }

  buildHear($, seconds) { // whatever plays, and the numbers of what plays
    $.canvas = element("canvas", { role: "img" });
    $.hand = slider({ class: "hand", "aria-label": "Position in the sentence",
      "aria-valuemin": 0, "aria-valuemax": heard(0).sound.length / DATA.rate });
    $.stage = element("div", { class: "stage" }, $.canvas, $.hand);
    $.play = button("Play", () => this.player.playing ? this.player.stop() : this.player.play(this.index), { class: "main" });
    $.original = button("Original", () => this.set({ original: !this.state.original }));
    $.now = element("span", { class: "now" });
    [$.ownBits, $.ownTokens] = [element("b"), element("b")];
    [$.ownBitsOf, $.ownTokensOf] = [document.createTextNode(""), document.createTextNode("")];
    $.barCanvas = element("canvas", { role: "img" });
    $.bars = slider({ class: "bars", "aria-label": "Codebooks that are heard", "aria-valuemin": 1, "aria-valuemax": MOST });
    $.barBox = element("div", { class: "bars" }, $.barCanvas, $.bars);
    return element("div", { class: "panel hear", role: "group", "aria-label": "Hear: the book's own small codec" },
      element("p", { class: "title" }, element("b", {}, "Hear: "), "the book’s own small codec"),
      element("p", { class: "said" }, `“${DATA.text}” `, element("span", { class: "quiet" }, `${seconds}, synthetic speech; the codec was trained on other sentences by other voices`)),
      element("div", {}, $.stage, element("div", { class: "row play" }, $.play, $.original, $.now),
        element("div", { class: "big own" }, element("p", {}, $.ownBits, $.ownBitsOf), element("p", {}, $.ownTokens, $.ownTokensOf))),
      element("div", {}, element("p", { class: "head" }, "Its codebooks ", element("span", {}, "drag along the bars; above them the signal-to-noise ratio, in dB")),
        $.barBox, this.offer("Codebooks worth hearing", TO_HEAR)));
  }

  buildRead($, seconds) { // numbers of a codec that is not heard: nothing plays in here
    const rows = DATA.codecs.filter((row) => isCodec(row.id));
    const pick = element("div", { class: "pick" },
      this.select("codec", "codec", options(rows.map((row) => [row.id, row.title])), (codec) => this.set({ codec, codebooks: NaN })),
      this.select("count", "its codebooks", [], (count) => this.set({ codebooks: Number(count) })),
      this.range("context", "a context of", { min: 0, max: DATA.contexts.length - 1 }, (n) => this.set({ context: DATA.contexts[n] })));
    [$.name, $.bits, $.tokens, $.holds] = [element("p", { class: "name" }), element("b"), element("b"), element("b")];
    $.holdsOf = document.createTextNode("");
    [$.compared, $.about] = [element("p", { class: "quiet" }), element("p", { class: "quiet" })];
    const answer = element("div", { class: "answer" }, element("div", { class: "big" }, element("p", {}, $.bits, "kbit/s"),
      element("p", {}, $.tokens, "tokens a second"), element("p", {}, $.holds, $.holdsOf)));
    $.stripCanvas = element("canvas", { role: "img" });
    const strip = element("div", { class: "strip" }, $.stripCanvas, $.about);
    $.rows = element("tbody");
    const all = table("Every codec", ["codec", "codebooks", "kbit/s", "tokens a second", `the ${seconds}`, "context holds"], $.rows);
    return element("div", { class: "panel read", role: "group", "aria-label": "Read: what another codec costs" },
      element("p", { class: "title" }, "Read: ", element("span", {}, "what another codec costs; none of these is played here")),
      this.offer("Codecs worth reading of", TO_READ), pick, $.name, answer, $.compared, strip, this.more("The same in every codec", all));
  }

  listenToHands() {
    const { stage, hand, bars } = this.$;
    const along = (node, act) => (event) => { // from the first touch on, with the place across in CSS pixels
      const move = ({ clientX }) => act(clientX - node.getBoundingClientRect().left);
      move(event);
      return move;
    };
    const choose = (stages) => this.set({ stages: clamp(stages, 1, MOST), original: false });
    drag(stage, along(stage, (x) => this.seek(((x - this.left) / (stage.clientWidth - this.left)) * this.player.length)), { focus: () => hand });
    drag(bars, along(bars, (x) => choose(Math.ceil((x / bars.clientWidth) * MOST))));
    keys(hand, ALONG(0.1, 0.5, 99), (by) => this.seek(this.player.position + by));
    keys(bars, ALONG(1, 2, MOST), (by) => choose(this.state.stages + by));
  }

  seek(to) {
    const { player } = this, at = clamp(to, 0, player.length);
    if (player.playing) player.play(this.index, at);
    else player.stop(at);
  }

  // ------------------------------------------------------------ words
  tell() {
    const { $, state, player } = this, { stages, original } = state;
    $.play.textContent = player.playing ? "Stop" : "Play";
    pressed($.original, original);
    $.now.textContent = original ? "You hear the original, which no codec touched." : `You hear ${stages} of ${plural(MOST, "codebook")}, as loud as the original.`;
    const what = original ? "the original" : `the sentence from ${plural(stages, "codebook")}`;
    $.canvas.setAttribute("aria-label", `Spectrogram of ${what}: ${player.length.toFixed(1)} seconds, 0 to ${DATA.rate / 2000} kilohertz`);
    valued($.bars, stages, `${stages} of ${MOST}, ${DATA.snr[stages - 1].toFixed(1)} decibels`);
    $.barCanvas.setAttribute("aria-label", `Decibels: ${DATA.snr.map((x, i) => `${i + 1} ${x.toFixed(1)}`).join(", ")}`);
    const tokens = tokensPerSecond(OURS, stages);
    $.ownBits.textContent = kilobits(original ? 16 * DATA.rate : bitsPerSecond(OURS, stages));
    $.ownBitsOf.nodeValue = original ? "kbit/s, 16 bits a sample" : `kbit/s, this codec with ${plural(stages, "codebook")}`;
    $.ownTokens.textContent = short(original ? DATA.rate : tokens);
    $.ownTokensOf.nodeValue = original ? "samples a second" : `tokens a second, ${number(audioTokens(OURS, stages, player.length))} for this sentence`;
    const read = this.tellRead();
    this.where();
    this.speak(`${$.now.textContent} ${original ? "" : `${$.ownBits.textContent} kilobits and ${$.ownTokens.textContent} tokens a second. `}${read}`);
  }

  tellRead() { // the second panel; answers what to say of it
    const { $, state: { stages, codec, codebooks, context }, player } = this, row = CODECS.get(codec), named = `${row.title} with ${plural(codebooks, "codebook")}`;
    const tokens = tokensPerSecond(codec, codebooks), bits = bitsPerSecond(codec, codebooks), holds = duration(context / tokens);
    $.codec.value = codec;
    $.count.replaceChildren(...options(row.codebooks.map((n) => [n, n])));
    $.count.value = codebooks;
    $.count.disabled = row.codebooks.length < 2;
    $.context.value = DATA.contexts.indexOf(context);
    $.context.setAttribute("aria-valuetext", plural(context, "token"));
    $.contextOut.textContent = plural(context, "token");
    $.name.textContent = named;
    $.bits.textContent = kilobits(bits);
    $.tokens.textContent = short(tokens);
    $.holds.textContent = holds;
    $.holdsOf.nodeValue = `of sound in ${plural(context, "token")}`;
    const raw = 16 * row.sample_rate * row.channels, sentence = audioTokens(codec, codebooks, player.length);
    $.compared.textContent = `${named} would make ${plural(sentence, "token")} of the sentence. Uncompressed, 16 bits a sample at ${row.sample_rate / 1000} kHz` +
      `${row.channels > 1 ? " in stereo" : ""} are ${number(raw / 1000)} kbit/s: ${short(raw / bits)} times as much.`;
    $.about.textContent = `${row.about} (${row.verified === "run" ? "Run against" : "Read in"}: ${row.source}; ${row.as_of}.)`;
    $.stripCanvas.setAttribute("aria-label", `${SPAN} seconds as tokens of ${row.title}: ${plural(cells(codec, codebooks, SPAN).length, "cell")} in ${plural(stridesOf(row, codebooks).length, "row")}`);
    if ($.more.open) $.rows.replaceChildren(...DATA.codecs.map((one) => {
      const count = one.id === codec ? codebooks : one.id === OURS ? stages : one.default, rate = tokensPerSecond(one.id, count);
      const values = [count, kilobits(bitsPerSecond(one.id, count)), short(rate), number(audioTokens(one.id, count, player.length)), duration(context / rate)];
      return tableRow(one.title, values, one.id === codec ? { class: "chosen" } : {});
    }));
    return `Read: ${named}, ${kilobits(bits)} kilobits and ${short(tokens)} tokens a second; ${holds} of sound in ${plural(context, "token")}.`;
  }

  // ------------------------------------------------------------ pictures
  where() { // the line through the spectrogram
    const { $, player } = this, at = player.position;
    $.hand.style.left = `${this.left + ($.stage.clientWidth - this.left) * (at / player.length)}px`;
    valued($.hand, at.toFixed(2), `${at.toFixed(1)} of ${player.length.toFixed(1)} seconds`);
  }

  run() { // the line, while something plays
    if (!this.player.playing || this.running) return;
    this.running = requestAnimationFrame(() => {
      this.running = null;
      this.where();
      this.run();
    });
  }

  render() {
    this.drawSpectrogram();
    this.drawBars();
    this.drawStrip();
    this.where();
  }

  get left() { return 34; } // for the frequencies' names

  picture(index) { // levels as an image, kept for each sound and theme: paper, then the colour of sound, then ink
    const key = `${index} ${this.dark}`;
    this.pictures ??= new Map();
    if (!this.pictures.has(key)) {
      const { levels } = heard(index), high = levels[0].length, made = element("canvas");
      made.width = levels.length;
      made.height = high;
      const ctx = made.getContext("2d"), image = ctx.createImageData(levels.length, high);
      const rgb = ["paper", "audio", "ink"].map((name) => [1, 3, 5].map((i) => parseInt(this.color(name).slice(i, i + 2), 16)));
      levels.forEach((column, x) => column.forEach((level, f) => {
        const t = 2 * Math.min(1, Math.max(0, (level + 75) / 58)), from = t < 1 ? 0 : 1, at = 4 * ((high - 1 - f) * levels.length + x);
        for (let c = 0; c < 3; c++) image.data[at + c] = rgb[from][c] + (t - from) * (rgb[from + 1]?.[c] - rgb[from][c]);
        image.data[at + 3] = 255;
      }));
      ctx.putImageData(image, 0, 0);
      this.pictures.set(key, made);
    }
    return this.pictures.get(key);
  }

  drawSpectrogram() {
    const [ctx, width, height] = this.canvas(this.$.canvas), { left } = this, bottom = height - 20, { length } = this.player;
    if (!width) return;
    const scale = (width - left) / length, { levels } = heard(this.index); // a window stands for its middle
    const from = (DATA.window - DATA.step) / 2 / DATA.rate, long = (levels.length * DATA.step) / DATA.rate;
    ctx.imageSmoothingQuality = "high";
    ctx.drawImage(this.picture(this.index), left + from * scale, 0, long * scale, bottom);
    ctx.strokeStyle = this.color("muted");
    ctx.strokeRect(left + 0.5, 0.5, width - left - 1, bottom - 1);
    ctx.fillStyle = this.color("muted");
    ctx.textAlign = "end";
    ctx.textBaseline = "middle";
    for (const kilohertz of [0, 2, 4, 6, 8]) ctx.fillText(kilohertz, left - 6, Math.min(bottom - 6, Math.max(7, bottom * (1 - kilohertz / 8))));
    ctx.save();
    ctx.translate(8, bottom / 2);
    ctx.rotate(-Math.PI / 2);
    ctx.textAlign = "center";
    ctx.fillText("kHz", 0, 0);
    ctx.restore();
    ctx.textAlign = "center";
    for (let s = 0.5; s < length; s += 0.5) ctx.fillText(`${s} s`, left + s * scale, bottom + 11);
  }

  drawBars() {
    const [ctx, width, height] = this.canvas(this.$.barCanvas), { stages, original } = this.state, bottom = height - 20, each = width / MOST;
    if (!width) return;
    const most = Math.max(...DATA.snr, 1), least = Math.min(...DATA.snr, 0), y = (db) => 20 + (bottom - 20) * (1 - (db - least) / (most - least));
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    DATA.snr.forEach((db, i) => {
      const on = i < stages, box = [i * each + each * 0.12, Math.min(y(db), y(0) - 1), each * 0.76, Math.max(1, Math.abs(y(0) - y(db)))];
      if (on) {
        ctx.fillStyle = this.color("audio"); ctx.globalAlpha = original ? 0.45 : 1; ctx.fillRect(...box); ctx.globalAlpha = 1;
      } else {
        this.hatch(ctx, box, 6);
        ctx.strokeStyle = this.color("dropped"); ctx.lineWidth = 1; ctx.strokeRect(box[0] + 0.5, box[1] + 0.5, box[2] - 1, Math.max(0, box[3] - 1));
      }
      const heardNow = i + 1 === stages;
      this.font(ctx, heardNow ? 700 : "");
      ctx.fillStyle = this.color(heardNow ? "ink" : "muted");
      ctx.fillText(db.toFixed(1).replace("-", "−"), (i + 0.5) * each, Math.min(y(db), y(0)) - 9);
      ctx.fillText(i + 1, (i + 0.5) * each, bottom + 11);
    });
    ctx.strokeStyle = this.color("muted");
    ctx.lineWidth = 1;
    ctx.beginPath(); ctx.moveTo(0, y(0) + 0.5); ctx.lineTo(width, y(0) + 0.5); ctx.stroke();
  }

  drawStrip() { // a moment of sound as tokens: a row a codebook, a cell a token
    const [ctx, width, height] = this.canvas(this.$.stripCanvas), { codec, codebooks } = this.state, row = CODECS.get(codec);
    if (!width) return;
    const rows = stridesOf(row, codebooks).length, most = height - 26, tall = Math.min(28, most / rows), gap = tall > 6 ? 1.5 : 1;
    ctx.fillStyle = this.color("audio");
    for (const [q, from, to] of cells(codec, codebooks, SPAN)) {
      ctx.globalAlpha = 1 - 0.62 * (rows > 1 ? q / (rows - 1) : 0); // fine stages are paler
      ctx.fillRect((from / SPAN) * width, most - rows * tall + q * tall, ((to - from) / SPAN) * width - gap, tall - gap);
    }
    ctx.globalAlpha = 1;
    const y = most + 4;
    this.bracket(ctx, 0.5, width - 0.5, y, 5);
    ctx.fillStyle = this.color("ink");
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    ctx.fillText(`${SPAN} s of sound: a row a codebook, a cell a token`, width / 2, y + 15);
  }
};
});
