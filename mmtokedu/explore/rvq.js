// What codebooks buy and cost: a sentence rebuilt from 1 to 8 of them, heard and seen, beside what a second takes in tokens.
// The base is explained in base.js; DATA are the sounds, 8 bits a sample, the codecs of the catalog, a few constants.
mmExplore.define("rvq", (DATA, { Explorable, roundHalfEven, number, plural, clamp, fragment, element, button, pressed, options, slider,
  valued, table, tableRow, drag, keys, ALONG }) => {
const CODECS = new Map(DATA.codecs.map((row) => [row.id, row])), OURS = DATA.codecs[0].id, MOST = DATA.snr.length;

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
const isContext = (n) => DATA.contexts.includes(n);
const isCount = (id, n) => CODECS.get(id).codebooks.includes(n);

function readFragment(hash) { // "#rvq:stages=4,codec=mimi,codebooks=8,context=32768"
  const state = fragment("rvq", hash, {
    stages: (text) => /^\d$/.test(text) && isStages(+text) && { stages: +text },
    codec: (codec) => CODECS.has(codec) && { codec },
    codebooks: (text) => /^\d{1,2}$/.test(text) && { codebooks: +text },
    context: (text) => /^\d{4,7}$/.test(text) && isContext(+text) && { context: +text },
  });
  if (state && "codebooks" in state && !(state.codec && state.codec !== OURS && isCount(state.codec, state.codebooks))) return null;
  return state;
}
const writeFragment = ({ stages, codec, codebooks, context }) =>
  `#rvq:stages=${stages},codec=${codec}${codec === OURS ? "" : `,codebooks=${codebooks}`},context=${context}`;

// ---------------------------------------------------------------- words
const short = (x) => x >= 100 ? number(Math.round(x)) : x.toFixed(1).replace(/\.0$/, "");
const kilobits = (bits) => String(Number((bits / 1000).toPrecision(3)));

function duration(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const core = { bitrate, tokensPerSecond, bitsPerSecond, audioTokens, fromMuLaw, spectrogram, heard, cells, readFragment, writeFragment, duration, short };

const PRESETS = [
  ["1 codebook", { stages: 1, codec: OURS }],
  [`all ${MOST}`, { stages: MOST, codec: OURS }],
  ["Mimi, for Moshi", { codec: "mimi", codebooks: 8 }],
  ["Mimi, all 32", { codec: "mimi", codebooks: 32 }],
  ["EnCodec", { codec: "encodec-24k", codebooks: 8 }],
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
.app { gap: 1rem 1.8rem; grid-template: "top" "hear" "stages" "pick" "answer" "strip" "more" / minmax(0, 1fr) }
.top { grid-area: top } .hear { grid-area: hear } .stages { grid-area: stages } .pick { grid-area: pick } .answer { grid-area: answer }
.strip { grid-area: strip } .more { grid-area: more }
button.main { min-width: 6.2em }
.stage { height: 12.5rem; cursor: text } .bars canvas { position: absolute; inset: 0; width: 100%; height: 100% }
.hand { position: absolute; top: 0; bottom: 20px; width: 24px; margin-left: -12px; pointer-events: none; border-radius: 4px }
.hand::before { content: ""; position: absolute; inset: 0 auto 0 11px; width: 2px; background: var(--accent); box-shadow: 0 0 0 1px var(--paper) }
.play { margin-top: .5rem } .now { font-size: .92rem }
.bars { position: relative; height: 9.5rem } .bars div { position: absolute; inset: 0; touch-action: pan-y; cursor: ew-resize; border-radius: 4px }
.pick { display: grid; gap: .6rem 1rem; grid-template-columns: minmax(0, 1fr) auto; align-content: start }
.pick label:last-child { grid-column: 1 / -1 } output { font-size: .92rem }
.big { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .7rem 1.2rem; line-height: 1.2 }
.big b { display: block; font-size: 2.5rem; line-height: 1.05; white-space: nowrap } .big p:last-child { grid-column: 1 / -1 }
.answer .quiet { margin-top: .6rem }
.strip canvas { height: 112px }
table { overflow-wrap: normal } th, td { white-space: nowrap }
th:first-child { white-space: normal } tr.chosen > * { font-weight: 600 } tr.chosen th { box-shadow: inset 3px 0 var(--audio) }
@container (min-width: 620px) {
  .app { grid-template: "top top" auto "hear pick" auto "hear answer" 1fr "stages answer" auto "strip strip" auto "more more" auto / minmax(0, 1.3fr) minmax(0, 1fr) }
  .stage { height: 14rem }
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
    return this.settled({ stages: isStages(stages) ? stages : 2, codec: CODECS.has(codec) ? codec : OURS, codebooks,
      context: isContext(context) ? context : 32768, original: false });
  }

  settled(state) { // with a number of codebooks that the codec has
    const row = CODECS.get(state.codec);
    return { ...state, codebooks: state.codec === OURS ? state.stages : isCount(state.codec, state.codebooks) ? state.codebooks : row.default };
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
      this.presets("Choices worth trying", PRESETS, { apply: (state) => this.set({ ...state, original: false }) }),
      element("p", { class: "about" }, "A small codec, trained on other sentences by other voices, rebuilds this one from its first codebooks. Play it, then drag along the bars: what do more of them buy, and what do they cost?"));

    $.canvas = element("canvas", { role: "img" });
    $.hand = slider({ class: "hand", "aria-label": "Position in the sentence",
      "aria-valuemin": 0, "aria-valuemax": heard(0).sound.length / DATA.rate });
    $.stage = element("div", { class: "stage" }, $.canvas, $.hand);
    $.play = button("Play", () => this.player.playing ? this.player.stop() : this.player.play(this.index), { class: "main" });
    $.original = button("Original", () => this.set({ original: !this.state.original }));
    $.now = element("span", { class: "now" });
    const hear = element("div", { class: "hear" },
      element("p", { class: "head" }, `“${DATA.text}” `, element("span", {}, `${(heard(0).sound.length / DATA.rate).toFixed(1)}\u00a0s, synthetic speech`)),
      $.stage, element("div", { class: "row play" }, $.play, $.original, $.now));

    $.barCanvas = element("canvas", { role: "img" });
    $.bars = slider({ class: "bars", "aria-label": "Codebooks that are heard", "aria-valuemin": 1, "aria-valuemax": MOST });
    $.barBox = element("div", { class: "bars" }, $.barCanvas, $.bars);
    const stages = element("div", { class: "stages" },
      element("p", { class: "head" }, "Codebooks ", element("span", {}, "and the signal-to-noise ratio they reach, in dB")), $.barBox);

    const [ours, ...rows] = options(DATA.codecs.map((row) => [row.id, row.title]));
    const pick = element("div", { class: "pick" },
      this.select("codec", "codec of the numbers", [ours, element("optgroup", { label: "real codecs" }, ...rows)],
        (codec) => this.set({ codec, codebooks: NaN })),
      this.select("count", "codebooks", [], (count) => this.set({ codebooks: Number(count) })),
      this.range("context", "a context of", { min: 0, max: DATA.contexts.length - 1 },
        (n) => this.set({ context: DATA.contexts[n] })));

    $.bits = element("b");
    $.tokens = element("b");
    $.holds = element("b");
    $.holdsOf = document.createTextNode("");
    $.compared = element("p", { class: "quiet" });
    $.whose = element("p", { class: "quiet" });
    const answer = element("div", { class: "answer" }, element("div", { class: "big" }, element("p", {}, $.bits, "kbit/s"),
      element("p", {}, $.tokens, "tokens a second"), element("p", {}, $.holds, $.holdsOf)), $.compared, $.whose);

    $.stripCanvas = element("canvas", { role: "img" });
    $.about = element("p", { class: "quiet" });
    const strip = element("div", { class: "strip" }, $.stripCanvas, $.about);
    $.rows = element("tbody");
    const all = table("Every codec", ["codec", "codebooks", "kbit/s", "tokens a second", "this sentence", "context holds"], $.rows);
    this.listenToHands();
    return [top, hear, stages, pick, answer, strip, this.more("The same in every codec", all)];
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
    const { $, state, player } = this, { stages, codec, codebooks, context, original } = state, row = CODECS.get(codec);
    const tokens = tokensPerSecond(codec, codebooks), bits = bitsPerSecond(codec, codebooks), holds = duration(context / tokens);
    $.play.textContent = player.playing ? "Stop" : "Play";
    pressed($.original, original);
    $.now.textContent = original ? "You hear the original." : `You hear ${stages} of ${plural(MOST, "codebook")}, as loud as the original.`;
    const what = original ? "the original" : `the sentence from ${plural(stages, "codebook")}`;
    $.canvas.setAttribute("aria-label", `Spectrogram of ${what}: ${player.length.toFixed(1)} seconds, 0 to ${DATA.rate / 2000} kilohertz`);
    valued($.bars, stages, `${stages} of ${MOST}, ${DATA.snr[stages - 1].toFixed(1)} decibels`);
    $.barCanvas.setAttribute("aria-label", `Decibels: ${DATA.snr.map((x, i) => `${i + 1} ${x.toFixed(1)}`).join(", ")}`);
    $.codec.value = codec;
    const counts = codec === OURS ? [stages] : row.codebooks;
    $.count.replaceChildren(...options(counts.map((n) => [n, n])));
    $.count.value = codebooks;
    $.count.disabled = counts.length < 2;
    $.context.value = DATA.contexts.indexOf(context);
    $.context.setAttribute("aria-valuetext", plural(context, "token"));
    $.contextOut.textContent = plural(context, "token");
    $.bits.textContent = kilobits(bits);
    $.tokens.textContent = short(tokens);
    $.holds.textContent = holds;
    $.holdsOf.nodeValue = `of sound in ${plural(context, "token")}`;
    const raw = 16 * row.sample_rate * row.channels, sentence = audioTokens(codec, codebooks, player.length);
    $.compared.textContent = `This sentence would be ${plural(sentence, "token")}. Uncompressed, 16 bits a sample at ${row.sample_rate / 1000} kHz` +
      `${row.channels > 1 ? " in stereo" : ""} are ${number(raw / 1000)} kbit/s: ${short(raw / bits)} times as much.`;
    $.whose.textContent = codec === OURS ? `Sound and numbers are those of the book's small codec with ${plural(stages, "codebook")}.`
      : `The numbers are those of ${row.title} with ${plural(codebooks, "codebook")}; the sound is still the book's small codec with ${stages}.`;
    $.about.textContent = codec === OURS ? `A frame every ${(1000 * row.hop) / row.sample_rate} ms, codebooks of ${row.codebook_size} codes.`
      : `${row.about} (${row.verified === "run" ? "Run against" : "Read in"}: ${row.source}; ${row.as_of}.)`;
    $.stripCanvas.setAttribute("aria-label", `${SPAN} seconds as tokens: ${plural(cells(codec, codebooks, SPAN).length, "cell")} in ${plural(stridesOf(row, codebooks).length, "row")}`);
    if ($.more.open) $.rows.replaceChildren(...DATA.codecs.map((one) => {
      const count = one.id === codec ? codebooks : one.id === OURS ? stages : one.default, rate = tokensPerSecond(one.id, count);
      const values = [count, kilobits(bitsPerSecond(one.id, count)), short(rate), number(audioTokens(one.id, count, player.length)), duration(context / rate)];
      return tableRow(one.title, values, one.id === codec ? { class: "chosen" } : {});
    }));
    this.where();
    this.speak(`${$.now.textContent} ${kilobits(bits)} kilobits and ${short(tokens)} tokens a second; ${holds} of sound in ${plural(context, "token")}.`);
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
