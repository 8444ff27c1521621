// Which frames of a clip a system looks at, what they cost, and whether a moment is among them. The base is explained in
// base.js; DATA is the catalog: rules, styles and plans are the functions below, their numbers are this data.
mmExplore.define("video", (DATA, { Explorable, roundHalfEven, number, plural, clamp, fragment, element, button, pressed, options,
  slider, valued, drag, keys, ALONG }) => {
const byId = (rows) => new Map(rows.map((row) => [row.id, row]));
const RULES = byId(DATA.sampling), MODELS = byId(DATA.tokens), STYLES = byId(DATA.time);

// ---------------------------------------------------------------- numbers, exactly as Python computes them
class Refused extends Error {}

const float32 = Math.fround;
const whole = (a, b) => (a - (a % b)) / b; // a // b of whole numbers
function floorDivide(a, b) { // a // b of floats, as CPython does it
  const div = (a - (a % b)) / b, low = Math.floor(div);
  return div - low > 0.5 ? low + 1 : low;
}
const brief = (x) => String(Number(x.toPrecision(6))); // f"{x:g}" of what is neither tiny nor huge
function fixed(x, digits) { // f"{x:.1f}": what lies halfway goes to the even digit, where JavaScript goes up
  const scaled = x * 2 ** (digits + 1); // halves of a last digit that a float can hold are odd here
  return scaled % 2 === 1 ? (roundHalfEven(x * 10 ** digits) / 10 ** digits).toFixed(digits) : x.toFixed(digits);
}
const list = (count, make) => Array.from({ length: count }, (_, i) => make(i));

function linspace(start, stop, count) { // np.linspace of floats
  const step = (stop - start) / (count - 1);
  return list(count, (i) => (count > 1 && i === count - 1 ? stop : count > 1 ? i * step + start : start));
}
const line = (start, stop, count) => linspace(start, stop, count).map(Math.floor); // with dtype=int

function torchArange(stop, step, start = 0) { // torch.arange(start, stop, step).int(): float32, eight numbers at a time
  const count = kept(Math.ceil((stop - start) / step)), blocks = count - (count % 16);
  return list(count, (i) => {
    const lane = i < blocks ? i % 8 : 0;
    return Math.trunc(float32(float32(start + step * (i - lane)) + step * lane));
  });
}

function torchLinspace(stop, count) { // torch.linspace(0, stop, count): from both ends to the middle
  if (count === 1) return [0];
  const step = float32(stop / (count - 1));
  return list(count, (i) => float32(i < whole(count, 2) ? step * i : stop - step * (count - 1 - i)));
}

// ---------------------------------------------------------------- which frames: mmtokedu/catalog/video.py, one for one
function kept(count) {
  if (count > DATA.most.kept)
    throw new Refused(`${count} frames would be kept; at most ${DATA.most.kept} are listed (a lower fps, or fewer frames)`);
  return count;
}
function notMore(count, total) {
  if (count > total) throw new Refused(`${count} frames are asked for and the clip has ${total} (frames=${total} keeps them all)`);
  return kept(count);
}
function inOrder(least, most) {
  if (least > most) throw new Refused(`min_frames=${least} is more than max_frames=${most}`);
}

function pairs(total, rate, { fps, min_frames, max_frames, frames }) { // Qwen's count
  let count = roundHalfEven(frames / 2) * 2;
  if (frames === undefined) {
    inOrder(min_frames, max_frames);
    const least = Math.ceil(min_frames / 2) * 2, most = Math.floor(max_frames / 2) * 2;
    count = Math.floor(Math.min(Math.max((total / rate) * fps, least), most, total) / 2) * 2;
  }
  if (count < 2 || count > total)
    throw new Refused(`${count} of ${total} frames would be kept; expected 2 to ${total} (an image has its own rules)`);
  return kept(count);
}

function even(indices) { // each once; the last one twice where that makes the count even
  const once = [...new Set(indices)];
  return once.length % 2 ? [...once, once.at(-1)] : once;
}

function whenDue(total, rate, wanted, fps, max_frames) { // as they fall due, until the last whole second
  const count = kept(Math.min(wanted, max_frames)), end = Math.trunc(total / rate), each = 1 / rate, interval = 1 / fps;
  let found = [], due = 0, frame = 0;
  while (total >= count && frame < total && found.length <= count) {
    found.push(frame);
    due += interval;
    if (due >= end) break;
    frame = Math.max(frame + 1, Math.ceil(due / each) - 2);
    while (frame * each < due) frame++;
  }
  if (total < count || found.length > count) found = [0, total - 1];
  if (found.length !== count) found = line(found[0], found.at(-1), count);
  return even(found);
}

const SAMPLING = {
  line_rounded_float32: (total, rate, asked) => torchLinspace(total - 1, pairs(total, rate, asked)).map(roundHalfEven),
  line_truncated(total, rate, asked) {
    return line(0, total - 1, notMore(asked.frames ?? pairs(total, rate, asked), total));
  },
  line_rounded(total, rate, { fps, min_frames, max_frames, frames }) {
    if (!frames) inOrder(min_frames, max_frames);
    const count = frames ?? Math.min(Math.max(Math.trunc((total / rate) * fps), min_frames), max_frames, total);
    return linspace(0, total - 1, kept(count)).map(roundHalfEven);
  },
  line_truncated_float32(total, rate, { fps, max_frames }) {
    const count = Math.min(Math.trunc((total * fps) / rate), max_frames, total);
    return torchLinspace(total - 1, kept(Math.min(Math.max(2, whole(count, 2) * 2), total))).map(Math.trunc);
  },
  line_of_a_few(total, rate, { fps, frames }) {
    if (frames === undefined) return SAMPLING.steps(total, rate, { fps });
    if (frames === 1) throw new Refused("frames=1 leaves no step between frames (at least 2)");
    return list(kept(frames), (i) => Math.trunc((i * (total - 1)) / (frames - 1)));
  },
  line_inside(total, rate, { fps, max_frames, skip }) {
    const seconds = total / rate, count = Math.max(Math.min(roundHalfEven(fps * seconds), max_frames), 1);
    let [start, end] = [0, total - 1];
    if (seconds - 2 * skip > max_frames * fps)
      [start, end] = [Math.trunc(skip * rate), Math.min(Math.trunc(total - skip * rate), total - 1)];
    if (start >= end) [start, end] = [0, total - 1];
    return [...new Set(line(start, end, kept(count)))];
  },
  steps(total, rate, { fps, frames }) {
    const count = frames ?? (fps === undefined ? total : Math.max(1, Math.trunc((total / rate) * fps)));
    return list(notMore(count, total), (i) => whole(i * total, count));
  },
  steps_of_a_range(total, rate, { temporal, fps, min_frames, max_frames, frames }) {
    let count = roundHalfEven(frames / temporal) * temporal;
    if (frames === undefined) {
      inOrder(min_frames, max_frames);
      const most = whole(Math.min(max_frames, total), temporal) * temporal;
      count = Math.floor(Math.min(Math.max((total / rate) * fps, min_frames), most, total) / temporal) * temporal;
    }
    if (!count) throw new Refused(`${total} frames hold no group of ${temporal} (the peer divides by zero)`);
    return torchArange(total, total / notMore(count, total));
  },
  steps_of_a_fraction(total, rate, { min_frames, max_frames, fps, frames }) {
    inOrder(min_frames, max_frames);
    if (frames < min_frames || frames > max_frames) throw new Refused(`frames=${frames}; expected ${min_frames} to ${max_frames}`);
    const count = frames ?? Math.min(Math.max((total / rate) * fps, min_frames), max_frames, total);
    return torchArange(total, total / notMore(count, total));
  },
  steps_below_a_rate(total, rate, { limit, fps, max_frames }) {
    const seconds = total / rate;
    let count = fps === undefined ? max_frames : Math.trunc(seconds * fps);
    if (fps === undefined && rate > limit) count = Math.min(count, Math.trunc(seconds * limit));
    return torchArange(total, total / kept(Math.max(Math.min(count, total), 1)));
  },
  middles(total, rate, { fps, frames }) {
    const count = frames ?? Math.trunc((total / rate) * fps);
    if (!count)
      throw new Refused(`${total} frames at ${brief(rate)} Hz are no frame at ${brief(fps)} a second (the peer divides by zero)`);
    const step = total / notMore(count, total);
    return torchArange(total, step, step / 2);
  },
  each_tick(total, rate, { fps, longest }) {
    const seconds = total / rate, last = total - 1, at = (frame) => Math.min(last, Math.ceil(frame));
    if (seconds <= longest) return even(list(kept(Math.max(Math.floor(seconds * fps), 1)), (i) => at((i * rate) / fps)));
    const count = Math.trunc(longest * fps), ticks = linspace(0, seconds, kept(Math.min(count, total)));
    return even(count >= total ? list(total, (i) => i) : ticks.map((t) => at(t * rate)));
  },
  each_due(total, rate, { rates, max_frames, longest }) {
    const seconds = Math.min(total / rate, longest), [, fps] = rates.find(([upTo]) => seconds <= upTo);
    return whenDue(total, rate, Math.trunc(seconds * fps), fps, max_frames);
  },
  each_due_at_a_rate: (total, rate, { fps, max_frames }) => whenDue(total, rate, Math.trunc((total / rate) * fps), fps, max_frames),
  each_second(total, rate, { max_frames, stack }) {
    const seconds = total / rate, last = total - 1, full = Math.ceil(seconds), between = stack - 1, most = max_frames * between;
    const at = (time) => Math.min(Math.trunc(time * rate), last);
    const indices = seconds > max_frames
      ? line(0, Math.trunc(seconds / 0.1) - 1, kept(max_frames)).map((i) => at(Number((i * 0.1).toFixed(1))))
      : list(full, (i) => Math.trunc(i * rate));
    if (!between) return indices;
    const inLast = list(between, (j) => full - 1 + (j + 1) / stack < seconds).filter(Boolean).length;
    const count = (full - 1) * between + inLast;
    const chosen = count <= most ? list(count, (i) => i) : line(0, count - 1, kept(most));
    return [...indices, ...chosen.map((i) => at(whole(i, between) + ((i % between) + 1) / stack))];
  },
};

// sample_indices(rule, total, video_fps, **options): an option that is left out takes the rule's own default
function sample(rule, total, rate, given = {}) {
  const row = RULES.get(rule), settled = { ...row.defaults, ...given };
  if (row.either.some((name) => name in given)) for (const name of row.either) if (!(name in given)) delete settled[name];
  let indices;
  try { indices = SAMPLING[row.rule](total, rate, { ...settled, ...row.parameters }); } catch (error) {
    throw error instanceof Refused ? new Refused(`${rule}: ${error.message}`) : error;
  }
  const clip = `a clip of ${total} frames at ${brief(rate)} Hz`, largest = indices.reduce((a, b) => Math.max(a, b), -1);
  if (!indices.length) throw new Refused(`${rule}: keeps no frame of ${clip} (a longer clip, or another rule)`);
  if (largest >= total)
    throw new Refused(`${rule}: ${indices.filter((i) => i >= total).length} of the ${indices.length} indices are beyond the end ` +
      `of ${clip}: the last is ${largest}, the floats of its step do not add up (another count, or another rule)`);
  return indices;
}

// ---------------------------------------------------------------- how the model is told the time
const two = (n) => String(n).padStart(2, "0");
const minutes = (t) => `${two(Math.trunc(floorDivide(t, 60)))}:${two(Math.trunc(t % 60))}`;
const TEXTS = {
  angle_brackets: (t) => `<${fixed(t, 1)} seconds>`,
  whole_seconds: (t) => String(Math.trunc(t)),
  tenths: (t) => `${fixed(t, 1)} seconds`,
  bare_tenths: (t) => `${fixed(t, 1)} `,
  minutes: (t) => `${minutes(t)} `,
  frame_from: (t) => `Frame from ${minutes(t)}:`,
  milliseconds(t) {
    const s = Math.trunc(t);
    return `${two(whole(s, 3600) % 24)}:${two(whole(s, 60) % 60)}:${two(s % 60)}.${String(Math.trunc((t % 1) * 1000)).padStart(3, "0")}`;
  },
  time_colon: (t) => `Time ${fixed(t, 1)}s:`,
  time_seconds: (t) => `Time: ${fixed(t, 1)}s`,
  own_brackets: (t) => `]<]${fixed(t, 1)} seconds[>[`,
  sampled_at: (t, i) => `${i % 2 ? "f" : "F"}rame ${i + 1} sampled at ${fixed(t, 2)} seconds`,
  drawn: (t) => `time: ${two(Math.trunc(floorDivide(t, 3600)))}:${two(Math.trunc(floorDivide(t % 3600, 60)))}:${fixed((t % 3600) % 60, 2).padStart(5, "0")}`,
  numbered: (t, i) => `Frame${i + 1}: `,
};

function labels(style, indices, rate) { // timestamp_labels(indices, video_fps, style)
  const { text, merge, at, clock } = STYLES.get(style);
  const patches = list(Math.ceil(indices.length / merge), (i) => i * merge).map((i) => [indices[i], indices[Math.min(i + merge, indices.length) - 1]]);
  const each = patches.map(([a, b], i) => TEXTS[text](clock === "milliseconds" ? (a * Math.trunc(1000 / rate)) / 1000
    : at === "first" ? a / rate : (a / rate + b / rate) / 2, i));
  if (text !== "sampled_at") return each;
  return list(Math.ceil(each.length / 2), (i) => `${each.slice(2 * i, 2 * i + 2).join(" and ")}: `); // a label a pair
}

// ---------------------------------------------------------------- how large a frame is cut, and its tokens
const multiple = (n, factor) => roundHalfEven(n / factor) * factor;
const up = (n, factor) => Math.ceil(n / factor) * factor, down = (n, factor) => Math.floor(n / factor) * factor;

function within(h, w, factor, least, most, lifted = false) { // within_area
  const lift = lifted ? factor : 0, after = lifted ? 0 : factor;
  let [H, W] = [h, w].map((n) => Math.max(lift, multiple(n, factor)));
  if (H * W > most) {
    const shrink = Math.sqrt((h * w) / most);
    [H, W] = [h, w].map((n) => Math.max(after, down(n / shrink, factor)));
  } else if (H * W < least) {
    const grow = Math.sqrt(least / (h * w));
    [H, W] = [h, w].map((n) => up(n * grow, factor));
  }
  if (!H || !W) throw new Refused(`${h}x${w} would become ${H}x${W}, a side of no pixels`);
  return [H, W];
}

function cells(resized, factor, patches) { // a token a cell
  const grid = [patches, ...resized.map((side) => whole(side, factor))];
  return [resized, grid, [["patches", grid[0] * grid[1] * grid[2]]]];
}

function sliceGrid(h, w, side, most) { // [rows, cols] nearest in shape, or null for one slice
  const wanted = Math.min(Math.ceil((w * h) / (side * side)), most);
  if (wanted <= 1) return null;
  let best = [1, 1], least = Infinity;
  for (let count = Math.max(wanted - 1, 2); count <= Math.min(wanted + 1, most); count++)
    for (let rows = 1; rows <= count; rows++) {
      if (count % rows) continue;
      const gap = Math.abs(Math.log(w / h) - Math.log(count / rows / rows));
      if (gap < least || (gap === least && rows > best[0])) [best, least] = [[rows, count / rows], gap];
    }
  return best;
}

function inCells(h, w, side, cell, grow) {
  if (grow || h * w > side * side) {
    const aspect = w / h;
    h = Math.trunc(side / Math.sqrt(aspect));
    w = Math.trunc(h * aspect);
  }
  return [h, w].map((n) => Math.max(multiple(n, cell), cell));
}

const TOKENS = { // (frames, height, width, parameters) -> resized, grid, parts
  whole_clip(frames, h, w, { factor, temporal, min_pixels, max_pixels }) {
    if (frames < temporal) throw new Refused(`${frames} frames are no temporal patch of ${temporal} (repeat the last one, or use an image rule)`);
    const scale = Math.max(factor / h, factor / w), [high, wide] = scale > 1 ? [h, w].map((n) => Math.trunc(n * scale)) : [h, w];
    let sides = [high, wide].map((n) => multiple(n, factor));
    const pixels = roundHalfEven(frames / temporal) * temporal * sides[0] * sides[1];
    if (pixels > max_pixels) {
      const shrink = Math.sqrt((frames * high * wide) / max_pixels);
      sides = [high, wide].map((n) => Math.max(factor, down(n / shrink, factor)));
    } else if (pixels < min_pixels) {
      const grow = Math.sqrt(min_pixels / (frames * high * wide));
      sides = [high, wide].map((n) => up(n * grow, factor));
    }
    return cells(sides, factor, Math.ceil(frames / temporal));
  },
  cap_for_each(frames, h, w, { factor, min_tokens, max_tokens, clip_tokens }) {
    const pair = frames + (frames % 2), least = min_tokens * factor ** 2;
    const share = ((clip_tokens * factor * factor * 0.9) / pair) * 2;
    const most = Math.max(Math.min(max_tokens * factor ** 2, share), Math.trunc(least * 1.05));
    return cells(within(h, w, factor, least, most, true), factor, pair / 2);
  },
  equal_shares(frames, h, w, { factor, min_pixels, max_pixels }) {
    const share = whole(max_pixels, frames);
    if (!share) throw new Refused(`${frames} frames share ${max_pixels} pixels: none for each (the peer divides by zero)`);
    return cells(within(h, w, factor, min_pixels, share), factor, frames);
  },
  each_alone: (frames, h, w, { factor, temporal, min_pixels, max_pixels }) =>
    cells(within(h, w, factor, min_pixels, max_pixels), factor, Math.ceil(frames / temporal)),
  token_budget_of_a_clip(frames, h, w, { factor, temporal, min_tokens, max_tokens }) {
    const patches = Math.max(1, roundHalfEven(frames / temporal)), most = whole(max_tokens, patches);
    let [rows, cols] = [h, w].map((n) => Math.ceil(n / factor));
    if (patches * rows * cols < min_tokens) {
      const scale = Math.sqrt((min_tokens * temporal * factor ** 2) / (frames * h * w));
      [rows, cols] = [h, w].map((n) => Math.ceil(Math.max(1, Math.ceil(n * scale)) / factor));
    }
    if (patches * rows * cols > max_tokens) {
      if (!most) throw new Refused(`${frames} frames are ${patches} patches in time; at most ${max_tokens} tokens are spent`);
      [rows, cols] = [1, 1];
      for (let low = 1, high = h; low <= high; ) { // the tallest that fits
        const middle = whole(low + high, 2), other = Math.max(1, Math.floor((w * middle) / h));
        const fits = [middle, other].map((n) => Math.ceil(n / factor));
        if (fits[0] * fits[1] <= most) [[rows, cols], low] = [fits, middle + 1];
        else high = middle - 1;
      }
    }
    return cells([rows * factor, cols * factor], factor, Math.ceil(frames / temporal));
  },
  pooled_chunks(frames, h, w, { factor, chunk, max_patches, longest }) {
    const patch = whole(factor, 2), count = Math.max(1, whole(h, patch)) * Math.max(1, whole(w, patch));
    const scale = Math.min(1, Math.sqrt(max_patches / count), (longest * patch) / h, (longest * patch) / w);
    const sides = [h, w].map((n) => up(Math.min(Math.max(1, Math.trunc(n * scale)), longest * patch), factor));
    return cells(sides, factor, Math.ceil(frames / chunk));
  },
  nearest_grid(frames, h, w, { cell, temporal, max_tokens }) { // of grids equally near, Python's set decides: not at our sizes
    let [high, wide] = [h / cell, w / cell];
    const ratio = wide / high, fits = [];
    if (high * wide > max_tokens) {
      high = (max_tokens / ratio) ** 0.5;
      wide = high * ratio;
    }
    for (const r of [Math.floor(high), Math.ceil(high)]) for (const c of [Math.floor(wide), Math.ceil(wide)])
      if (r >= 1 && c >= 1 && r * c <= max_tokens) fits.push([r, c]);
    if (!fits.length) fits.push([high, wide].map((n) => Math.max(1, roundHalfEven(n))));
    const gap = ([r, c]) => Math.abs(r / c - h / w), [rows, cols] = fits.reduce((a, b) => (gap(b) < gap(a) ? b : a));
    return cells([rows * cell, cols * cell], cell, Math.ceil(frames / temporal));
  },
  budget_for_each(frames, h, w, { cell, max_tokens }) {
    const factor = Math.sqrt((max_tokens * cell ** 2) / (h * w));
    let [rows, cols] = [h, w].map((n) => Math.floor((factor * n) / cell));
    if (!rows) [rows, cols] = [1, max_tokens];
    else if (!cols) [rows, cols] = [max_tokens, 1];
    return cells([rows * cell, cols * cell], cell, frames);
  },
  squares: (frames, h, w, { side, grid, once = 0 }) =>
    [[side, side], [frames, grid, grid], [["frames", frames * grid * grid], ["newline", once]]],
  slices(frames, h, w, { side, cell, max_slices }) {
    const grid = sliceGrid(h, w, side, max_slices), all = inCells(h, w, side, cell, !grid);
    const parts = [["frames", whole(frames * all[0] * all[1], cell ** 2)]];
    if (grid) {
      const [high, wide] = [h, w].map((n, i) => Math.max(roundHalfEven(n / grid[i]) * grid[i], grid[i]) / grid[i]);
      const [a, b] = inCells(high, wide, side, cell, true);
      parts.push(["slices", frames * grid[0] * grid[1] * whole(a * b, cell ** 2)]);
    }
    return [all, [frames, ...all.map((n) => whole(n, cell))], parts];
  },
  billed_frames: (frames, h, w, { tokens }) => [[h, w], [frames, 1, 1], [["frames", frames * tokens]]],
};

function plan(model, frames, h, w) { // video_plan(model, frames, height, width), of no picture over 200 times as long as wide
  const row = MODELS.get(model);
  try {
    const [resized, grid, parts] = TOKENS[row.rule](frames, h, w, row.parameters);
    return { resized, grid, parts: parts.filter(([, n]) => n), tokens: parts.reduce((sum, [, n]) => sum + n, 0) };
  } catch (error) {
    throw error instanceof Refused ? new Refused(`${model}: ${error.message}`) : error;
  }
}

// ---------------------------------------------------------------- what the reader asks for
const OPTIONS = { fps: "fps", frames: "frames", max: "max_frames" }; // in the state, in Python
const takes = (rule, name) => RULES.get(rule).options.includes(OPTIONS[name]);

function given(rule, state) { // what this rule heeds of what is asked; of two that exclude each other, the rate
  const row = RULES.get(rule), found = {};
  for (const [name, python] of Object.entries(OPTIONS))
    if (state[name] !== null && takes(rule, name) && !(row.either.includes(python) && row.either.some((other) => other in found)))
      found[python] = state[name];
  return found;
}

function answer(rule, state) { // {indices, refusal}
  try { return { indices: sample(rule, state.total, state.rate, given(rule, state)), refusal: "" }; } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { indices: [], refusal: error.message };
  }
}

const own = (rule) => { // the system that goes with a rule: of those that say so, the first that tells the time
  const some = DATA.tokens.filter((row) => row.sampling === rule), alike = DATA.tokens.filter(({ id }) => rule.startsWith(id));
  return (some.find((row) => row.time) ?? some[0] ?? alike[0] ?? MODELS.get(DATA.any)).id;
};

const isCaught = (indices, { first, last }) => indices.some((i) => i >= first && i <= last);
function missedBy(indices, { first, last }) { // frames between the moment and the nearest that was taken
  return indices.reduce((least, i) => Math.min(least, i < first ? first - i : i - last), Infinity);
}
function nearest(indices, { first, last }) { // the frames taken next to the moment, on both sides
  let [before, after] = [-Infinity, Infinity];
  for (const i of indices) {
    if (i < first && i > before) before = i;
    if (i > last && i < after) after = i;
  }
  return { before, after };
}
function unseen(indices, total) { // frames before the first and after the last, and the longest way between two
  let [least, most, gap] = [Infinity, -1, 0];
  for (const i of indices) [least, most] = [Math.min(least, i), Math.max(most, i)];
  const sorted = Float64Array.from(indices).sort();
  for (let k = 1; k < sorted.length; k++) gap = Math.max(gap, sorted[k] - sorted[k - 1]);
  return { before: least, after: total - 1 - most, gap };
}

function shown(indices, { first }, most = DATA.most.shown) { // places in the list, null where some are left out
  if (indices.length <= most) return indices.map((_, i) => i);
  const third = Math.floor(most / 3), near = indices.findIndex((i) => i >= first), chosen = new Set();
  const around = clamp((near < 0 ? indices.length : near) - third / 2, 0, indices.length - third);
  for (let i = 0; i < third; i++) for (const start of [0, around, indices.length - third]) chosen.add(Math.floor(start) + i);
  return [...chosen].sort((a, b) => a - b).flatMap((i, k, all) => (k && i > all[k - 1] + 1 ? [null, i] : [i]));
}

const LENGTHS = DATA.lengths; // seconds that a moment may last
function settle(state) {
  const { total, rate } = state, least = Math.max(1, Math.round(LENGTHS[0] * rate)), most = Math.max(least, Math.floor(LENGTHS[1] * rate));
  const long = Math.min(total, clamp(state.last - state.first + 1, least, most)), first = clamp(state.first, 0, total - long);
  return { ...state, first, last: first + long - 1 };
}

const isTotal = (n) => Number.isInteger(n) && n >= 1 && n <= DATA.most.total;
const isRate = (x) => x >= 1 && x <= DATA.most.rate;
const isAsked = (x) => x >= 0.01 && x <= DATA.most.rate;
const isCount = (n) => Number.isInteger(n) && n >= 1 && n <= DATA.most.count;
const isHeight = (n) => DATA.sizes.some(([h]) => h === n);

const wholeOf = (name, valid) => (text) => /^\d{1,7}$/.test(text) && valid(+text) && { [name]: +text };
const decimalOf = (name, valid) => (text) => /^\d{1,3}(\.\d{1,6})?$/.test(text) && valid(+text) && { [name]: +text };
const isFrame = (n) => n < DATA.most.total;
function readFragment(hash) { // "#video:rule=internvl,model=internvl,total=300,rate=30,first=207,last=218"
  const state = fragment("video", hash, {
    rule: (rule) => RULES.has(rule) && { rule }, model: (model) => MODELS.has(model) && { model },
    total: wholeOf("total", isTotal), rate: decimalOf("rate", isRate), height: wholeOf("height", isHeight),
    fps: decimalOf("fps", isAsked), frames: wholeOf("frames", isCount), max: wholeOf("max", isCount),
    first: wholeOf("first", isFrame), last: wholeOf("last", isFrame),
  });
  return state && !(state.fps && state.frames) ? state : null;
}
function writeFragment({ rule, model, total, rate, height, fps, frames, max, first, last }) {
  const asked = Object.entries({ fps, frames, max }).filter(([, x]) => x !== null).map(([name, x]) => `${name}=${x},`).join("");
  return `#video:rule=${rule},model=${model},total=${total},rate=${rate},height=${height},${asked}first=${first},last=${last}`;
}

const core = { Refused, sample, plan, labels, given, answer, own, isCaught, missedBy, unseen, shown, settle, readFragment, writeFragment };

// ---------------------------------------------------------------- the page around it
const CLIP = DATA.clip; // {total, rate, height, first, last, ball, name, event}: the clip that there are pictures of
const isClip = ({ total, rate }) => rate === CLIP.rate && total <= CLIP.total; // or the beginning of it
const SHEET = new Image(); // its thumbnails, in rows; a short address, which a list of styles can hold
SHEET.src = URL.createObjectURL(new Blob([Uint8Array.from(atob(DATA.sheet.src.split(",")[1]), (c) => c.charCodeAt(0))], { type: "image/jpeg" }));
const { cols: COLS, rows: ROWS, frames: PICTURED, height: TALL, width: WIDE } = DATA.sheet;
function thumb(frame) { // [across, down] of the last picture that was taken at or before a frame
  let k = 0;
  while (k + 1 < PICTURED.length && PICTURED[k + 1] <= frame) k++;
  return [k % COLS, Math.floor(k / COLS)];
}

function picture(frame, pictured) { // a thumbnail, the ball of the clip ringed; a plain card where there is no picture
  const node = element("i", { "aria-hidden": "true" });
  if (!pictured) return node;
  const [across, below] = thumb(frame), ball = CLIP.ball[frame - CLIP.first];
  node.className = "pictured";
  node.style.backgroundPosition = `${(100 * across) / Math.max(1, COLS - 1)}% ${(100 * below) / Math.max(1, ROWS - 1)}%`;
  if (ball) node.append(element("u", { style: `top: ${100 * ball[0]}%; left: ${100 * ball[1]}%` }));
  return node;
}

function write(node, text) { // nothing is laid out anew where nothing changed
  if (node.textContent !== text) node.textContent = text;
}
const seconds = (s) => (s < 9.995 ? s.toFixed(2) : s < 99.95 ? s.toFixed(1) : number(Math.round(s)));
function stamp(s) { // 12:05, 1:02:05
  const t = Math.floor(s), m = Math.floor(t / 60);
  return m < 60 ? `${m}:${two(t % 60)}` : `${Math.floor(m / 60)}:${two(m % 60)}:${two(t % 60)}`;
}
const clock = (s) => (s < 60 ? `${s.toFixed(2)} s` : stamp(s));

const PRESETS = [
  ["the last moment", { total: CLIP.total, rate: CLIP.rate, first: CLIP.total - 10, last: CLIP.total - 1 }],
  ["two seconds", { total: 60, rate: 30, first: 46, last: 54 }],
  ["an hour of film", { total: 86400, rate: 24, first: 43206, last: 43217 }],
  ["one frame", { total: 1, rate: 30, first: 0, last: 0 }],
];
const CHOICES = { fps: [0.25, 0.5, 1, 2, 4, 8, 24], frames: [1, 4, 8, 16, 20, 32, 64, 128, 256], max: [4, 8, 16, 32, 64, 128, 256, 768, 2048] };
const PLACES = { before: "before the tokens it belongs to", after: "after the tokens it belongs to", "in the pixels": "drawn into the picture: it costs no token" };

return class extends Explorable {
  static core = core;
  static observedAttributes = ["rule", "model", "total", "rate", "height", "fps", "frames", "max", "first", "last"];
  static label = "Explore: which frames survive, and who catches the moment";
  static modality = "video";
  static style = `
.app { gap: 1rem 1.8rem; grid-template: "top" "film" "answer" "near" "who" "kept" "told" "more" / minmax(0, 1fr) }
.top { grid-area: top; display: grid; gap: .6rem .8rem; grid-template-columns: repeat(6, minmax(0, 1fr)) }
.top > * { grid-column: span 6 } .top > .option { grid-column: span 2; align-content: end } .option select { padding-inline: .35rem }
.film { grid-area: film } .answer { grid-area: answer } .near { grid-area: near } .who { grid-area: who } .kept { grid-area: kept }
.told { grid-area: told } .more { grid-area: more }
.film .stage { height: 132px; cursor: ew-resize } .near canvas { width: 100%; height: 92px; display: block }
.moment, .long { position: absolute; touch-action: pan-y; border-radius: 4px }
.moment { top: 0; height: 88px; cursor: grab; box-shadow: 0 0 0 2px var(--accent), 0 0 0 3px var(--paper) }
.moment::before { content: ""; position: absolute; inset: -6px max(-14px, -1.4em) -14px }
.long { top: -3px; width: 26px; height: 24px; margin-left: -13px; cursor: ew-resize; display: grid; place-items: center; color: var(--paper);
  background: var(--accent); font-size: .8rem; line-height: 1 }
.long::before { content: "◂▸" } .long::after { content: ""; position: absolute; inset: -10px -8px -2px }
.hint { top: 110px; white-space: nowrap } .answer { display: grid; gap: .35rem; align-content: start }
.bigs { display: grid; grid-template-columns: repeat(2, minmax(0, auto)); justify-content: start; gap: 1.6rem; line-height: 1.15 }
.big b { display: block; font-size: min(2.4rem, 9.5cqi); white-space: nowrap } .missed b, .refused b { color: var(--special) }
.sized { display: grid; grid-template-columns: 132px minmax(0, 1fr); gap: .9rem; align-items: start; margin-top: .3rem } .sized canvas { width: 132px; height: 84px }
.who ul { list-style: none; margin: 0; padding: 0; display: grid; gap: 3px 8px; grid-template-columns: repeat(auto-fill, minmax(min(11rem, 46%), 1fr)) }
.who button { width: 100%; display: grid; grid-template-columns: 1.1em minmax(0, 1fr) auto; gap: .3em; text-align: start; align-items: center; border-radius: 4px;
  padding: .1rem .4rem; min-height: 28px; font-size: .85rem; line-height: 1.2 }
.who .mark { width: .8em; height: .8em; border-radius: 50%; border: 1.5px solid var(--dropped) } .who .caught .mark { background: var(--video); border-color: var(--video) }
.who .refused .mark { border-style: dashed } .who .n { color: var(--muted) } .who .caught { font-weight: 600 }
ol { list-style: none; margin: 0; padding: 0; display: grid; gap: 6px; grid-template-columns: repeat(auto-fill, minmax(62px, 1fr)) }
ol li { font-size: .75rem; line-height: 1.25; color: var(--muted); text-align: center } ol b, ol span { display: block } ol b { color: var(--ink) }
i { display: block; aspect-ratio: 16 / 9; border-radius: 2px; position: relative; overflow: hidden; background: color-mix(in srgb, var(--video) 22%, var(--paper)) }
i.pictured { background: url(${SHEET.src}) 0 0 / ${COLS * 100}% ${ROWS * 100}% }
u { position: absolute; width: 12px; height: 12px; margin: -7px 0 0 -7px; border: 2px solid #fff; border-radius: 50%; box-shadow: 0 0 0 1px #000 }
.caught i { box-shadow: 0 0 0 3px var(--accent) } .gap { font-size: 1.4rem; align-self: center }
.near ol { grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 10px; margin-top: .4rem } .near .left i { opacity: .75; outline: 2px dashed var(--dropped); outline-offset: -2px }
.sequence { display: flex; flex-wrap: wrap; gap: 4px 3px; align-items: stretch; margin: 0 0 .4rem; padding: 0; list-style: none; font-size: .85rem }
.sequence li { padding: .15rem .45rem; border-radius: 2px; display: flex; align-items: center } .sequence .text { border: 1px solid var(--text); color: var(--ink); white-space: pre; font-family: ui-monospace, monospace; font-size: .8rem }
.sequence .video { background: var(--video); color: var(--paper); font-weight: 600 } .sequence .text, .sequence .video { overflow-wrap: anywhere }
.more label { max-width: 12rem } .more .row { align-items: end; gap: .6rem 1rem; margin: .4rem 0 } input[aria-invalid=true] { border: 2px solid var(--special) }
@container (min-width: 620px) {
  .app { grid-template: "top top" "film film" "answer near" "who who" "kept kept" "told told" "more more" / minmax(0, 1fr) minmax(0, 1fr) }
  .top > label { grid-column: span 3 } .top > .option { grid-column: span 2 } .big b { font-size: min(2.4rem, 5.2cqi) }
}
@media (pointer: coarse) { .who button { min-height: 44px } .long { width: 34px; height: 30px; margin-left: -17px } }
`;

  settings() { // from the attributes, each checked; whatever is not valid is as if it were not there
    const read = (name, valid, usual) => {
      const text = this.getAttribute(name) ?? "", x = Number(text);
      return text !== "" && valid(x) ? x : usual;
    };
    const [rule, model] = ["rule", "model"].map((name) => this.getAttribute(name)), chosen = RULES.has(rule) ? rule : "qwen-vl-utils";
    const fps = read("fps", isAsked, null);
    return settle({
      rule: chosen, model: MODELS.has(model) ? model : own(chosen), height: read("height", isHeight, CLIP.height),
      total: read("total", isTotal, CLIP.total), rate: read("rate", isRate, CLIP.rate),
      fps, frames: fps === null ? read("frames", isCount, null) : null, max: read("max", isCount, null),
      first: read("first", (n) => Number.isInteger(n) && n >= 0, CLIP.first), last: read("last", Number.isInteger, CLIP.last),
    });
  }

  fragment() { return writeFragment(this.state); }
  settled(state) { return settle(state); }

  changed(how) {
    const { total, rate, fps, frames, max } = this.state, key = [total, rate, fps, frames, max].join();
    if (this.answers?.key !== key) this.answers = { key, of: new Map(DATA.sampling.map(({ id }) => [id, answer(id, this.state)])) };
    super.changed(how);
  }

  choose(rule) { this.set({ rule, model: own(rule) }); }
  get size() { return DATA.sizes.find(([h]) => h === this.state.height); }

  // ------------------------------------------------------------ building, once
  build($) {
    const rule = this.select("rule", "the rule: which frames", options(DATA.sampling.map((row) => [row.id, row.title])), (id) => this.choose(id));
    const model = this.select("model", "the system: how large, how many tokens", [], (id) => this.set({ model: id }));
    const option = (name, label) => {
      const node = this.select(name, label, [], (text) => this.set({ [name]: text === "" ? null : Number(text),
        ...(text !== "" && name !== "max" ? { [name === "fps" ? "frames" : "fps"]: null } : {}) }));
      node.className = "option";
      return node;
    };
    const top = element("div", { class: "top" }, rule, model, option("fps", "frames a second"), option("frames", "frames in all"), option("max", "at most"),
      this.presets("Clips worth trying", PRESETS));

    $.filmCanvas = element("canvas", { role: "img" });
    $.moment = slider({ class: "moment", "aria-valuemin": 0, "aria-label": "The moment: left and right arrows move it by a frame, page keys by a second" });
    $.long = slider({ class: "long", "aria-label": "How long the moment lasts: left and right arrows by a frame" });
    $.hint = element("p", { class: "hint" }, "drag the moment along the clip");
    $.stage = element("div", { class: "stage" }, $.filmCanvas, $.hint, $.moment, $.long);
    $.filmSize = element("span");
    const film = element("div", { class: "film" }, element("p", { class: "head" }, ($.filmName = document.createTextNode("")), $.filmSize), $.stage);

    [$.big, $.verdict] = [element("b"), element("b")];
    [$.unit, $.by] = [document.createTextNode(""), document.createTextNode("")];
    $.verdictLine = element("p", { class: "big" }, $.verdict, $.by);
    $.bigLine = element("p", { class: "big" }, $.big, $.unit);
    $.say = element("p", { class: "say" });
    $.never = element("p", { class: "quiet" });
    $.sizeCanvas = element("canvas", { role: "img" });
    $.sized = element("p", { class: "quiet" });
    const answered = element("div", { class: "answer" }, element("div", { class: "bigs" }, $.bigLine, $.verdictLine), $.say, $.never,
      element("div", { class: "sized" }, $.sizeCanvas, $.sized));

    $.nearCanvas = element("canvas", { role: "img" });
    $.nearSay = element("p", { class: "quiet" });
    const near = element("div", { class: "near" }, element("p", { class: "head" }, "The moment, frame by frame"), $.nearCanvas, $.nearSay, ($.around = element("ol")));

    $.whoHead = element("p", { class: "head" });
    $.chips = new Map(DATA.sampling.map((row) => {
      const n = element("span", { class: "n" }), said = element("span", { class: "sr" });
      const node = button("", () => this.choose(row.id), { title: row.title });
      node.append(element("span", { class: "mark" }), element("span", {}, row.id), n, said);
      return [row.id, { node, n, said }];
    }));
    const who = element("div", { class: "who" }, $.whoHead, element("ul", {}, ...[...$.chips.values()].map(({ node }) => element("li", {}, node))));

    $.keptHead = element("span");
    $.list = element("ol");
    const kept = element("div", { class: "kept" }, element("p", { class: "head" }, "What is left of it", $.keptHead), $.list);

    $.toldHead = element("span");
    $.sequence = element("ul", { class: "sequence" });
    [$.toldSay, $.about] = [element("p", { class: "quiet" }), element("p", { class: "quiet about" })];
    const told = element("div", { class: "told" }, element("p", { class: "head" }, "What the model reads", $.toldHead), $.sequence, $.toldSay, $.about);

    const field = (name, label, valid, attributes, bad) => {
      const input = ($[name] = element("input", { type: "number", id: name, inputmode: "decimal", ...attributes }));
      const refuse = (more) => { $.message.textContent = bad + more; $.message.hidden = false; };
      input.addEventListener("input", () => {
        const ok = valid(input.valueAsNumber);
        input.setAttribute("aria-invalid", String(!ok));
        $.message.hidden = true;
        if (ok) this.set({ [name]: input.valueAsNumber });
        else refuse(".");
      });
      input.addEventListener("change", () => { // Enter, or the field is left: back to what is shown
        if (valid(input.valueAsNumber)) return;
        input.value = this.state[name];
        input.setAttribute("aria-invalid", "false");
        refuse(`; it is ${number(this.state[name])} again.`);
      });
      return element("label", {}, label, input);
    };
    $.message = element("p", { class: "quiet", role: "status", hidden: "" });
    const more = this.more("Another clip", element("div", { class: "row" },
      field("total", "frames in the clip", isTotal, { min: 1, max: DATA.most.total, step: 1 }, `A clip here has 1 to ${number(DATA.most.total)} whole frames`),
      field("rate", "frames a second", isRate, { min: 1, max: DATA.most.rate, step: "any" }, `A clip here has 1 to ${DATA.most.rate} frames a second`),
      this.select("height", "size of a frame", options(DATA.sizes.map(([h, w]) => [h, `${number(h)} × ${number(w)} px`])), (h) => this.set({ height: Number(h) }))), $.message);
    this.listenToHands();
    SHEET.decode().then(() => this.isConnected && this.draw(), () => {});
    return [top, film, answered, near, who, kept, told, more];
  }

  listenToHands() {
    const { stage, moment, long } = this.$, perPixel = () => this.state.total / stage.clientWidth;
    const held = () => { this.$.hint.hidden = true; };
    const move = (first) => this.set({ first, last: first + this.long - 1 });
    const lasts = (count) => this.set({ last: Math.min(this.state.total - 1, this.state.first + Math.max(1, count) - 1) });
    drag(long, ({ clientX: x }) => {
      const { long: before } = this, each = perPixel();
      return (event) => lasts(before + Math.round((event.clientX - x) * each));
    }, { release: held });
    drag(stage, (event) => {
      if (event.composedPath().includes(long)) return null;
      const each = perPixel(), { clientX: x } = event;
      if (!event.composedPath().includes(moment)) move(Math.round((x - stage.getBoundingClientRect().left) * each - this.long / 2));
      const { first } = this.state;
      return (next) => move(first + Math.round((next.clientX - x) * each));
    }, { release: held, focus: () => moment });
    keys(moment, ALONG(1, 0, 0), (by, { key, shiftKey }) => {
      const { first, rate, total } = this.state, page = Math.max(1, Math.round(rate));
      if (key === "Home" || key === "End") return move(key === "Home" ? 0 : total);
      move(first + (key.startsWith("Page") ? (key === "PageUp" ? page : -page) : by * (shiftKey ? 10 : 1)));
    });
    keys(long, ALONG(1, 5, 1e6), (by) => lasts(this.long + by));
  }

  get long() { return this.state.last - this.state.first + 1; } // frames

  // ------------------------------------------------------------ words
  tell() {
    const { $, state } = this, { rule, model, total, rate, first, last } = state, row = RULES.get(rule), system = MODELS.get(model);
    const { indices, refusal } = (this.answer = this.answers.of.get(rule)), [height, width] = this.size;
    let made = null, refused = refusal;
    try { made = refusal ? null : plan(model, indices.length, height, width); } catch (error) {
      if (!(error instanceof Refused)) throw error;
      refused = error.message;
    }
    this.plan = made;
    const caught = isCaught(indices, state);
    this.tellChoices();
    $.filmName.nodeValue = !isClip(state) ? "A clip" : total === CLIP.total ? CLIP.name : `${CLIP.name}, its beginning`;
    $.filmSize.textContent = ` ${plural(total, "frame")} at ${brief(rate)} a second, ${clock(total / rate)}`;
    $.big.textContent = made ? number(made.tokens) : "refused";
    $.unit.nodeValue = made ? `${made.tokens === 1 ? "token" : "tokens"} from ${plural(indices.length, "frame")}` : "";
    $.bigLine.classList.toggle("refused", !made);
    const by = refusal ? 0 : missedBy(indices, state);
    $.verdict.textContent = caught ? "caught" : "missed";
    $.by.nodeValue = refusal ? "nothing is taken" : caught ? `in ${plural(indices.filter((i) => i >= first && i <= last).length, "frame")}` : `by ${plural(by, "frame")}`;
    $.verdictLine.classList.toggle("missed", !caught);
    const { before, after, gap } = (this.unseen = refusal ? { before: 0, after: 0, gap: 0 } : unseen(indices, total));
    $.say.textContent = refused ? `${refused}.` : this.sayGrid(made, system, indices);
    const end = (n, where) => `${n === 1 ? `The ${where} frame is` : `The ${where} ${number(n)} frames, ${seconds(n / rate)} s, are`} never seen. `;
    $.never.textContent = refusal ? row.fails && `What the system itself does: ${row.fails}` : (before ? end(before, "first") : "") +
      (after ? end(after, "last") : "The last frame is seen. ") + (gap > 1 ? `The longest step from frame to frame is ${seconds(gap / rate)} s.` : "");
    $.sized.textContent = made ? `A frame of ${number(height)} × ${number(width)} px becomes ${number(made.resized[0])} × ${number(made.resized[1])}` +
      `${this.bent(made.resized)}.` : "";
    $.sizeCanvas.setAttribute("aria-label", $.sized.textContent || "no frame");
    $.sizeCanvas.parentNode.hidden = !made;
    this.tellMoment(caught, refusal);
    this.tellWho();
    this.tellKept(indices);
    this.tellTime(made, system, indices);
    $.about.textContent = `Rule: ${row.about} Tokens: ${system.about} ` +
      `(${row.verified === "run" ? "Run against" : "Read in"}: ${row.source}; ${row.as_of}. ${system.source}; ${system.as_of}.)`;
    const cost = made ? `${number(made.tokens)} tokens` : "refused";
    this.speak(`${cost}; the moment is ${$.verdict.textContent} ${$.by.nodeValue}`.trim() + ".");
  }

  tellChoices() {
    const { $, state } = this, { rule, model } = state, row = RULES.get(rule), focus = this.shadowRoot.activeElement;
    $.rule.value = rule;
    for (const name of ["total", "rate"]) if (focus !== $[name]) {
      $[name].value = state[name];
      $[name].setAttribute("aria-invalid", "false");
    }
    $.height.value = state.height;
    const key = [rule, model, state.fps, state.frames, state.max].join();
    if (this.choiceKey === key) return;
    this.choiceKey = key;
    const group = (label, some) => element("optgroup", { label }, ...options(some.map((one) => [one.id, one.title])));
    const its = DATA.tokens.filter((one) => one.sampling === rule), others = DATA.tokens.filter((one) => one.sampling !== rule);
    $.model.replaceChildren(...(its.length ? [group("this rule is theirs", its)] : []), group(its.length ? "other systems" : "this rule is of no system here", others));
    $.model.value = model;
    const heeded = given(rule, state);
    for (const [name, python] of Object.entries(OPTIONS)) {
      const usual = row.defaults[python], ousted = row.either.includes(python) && row.either.some((other) => other in heeded && other !== python);
      const lacks = !takes(rule, name), off = lacks || (name === "max" && ousted);
      const none = lacks ? (usual ? `${number(usual)}, fixed` : "has none") : ousted ? "not both" : usual ? `own: ${number(usual)}` : "none";
      const values = [...new Set([...CHOICES[name], ...(state[name] === null ? [] : [state[name]])])].sort((a, b) => a - b);
      $[name].replaceChildren(...options([["", none], ...(off ? [] : values.map((n) => [n, number(n)]))]));
      $[name].value = off || state[name] === null ? "" : state[name];
      $[name].disabled = off;
    }
  }

  sayGrid({ grid: [t, rows, cols], parts }, system, indices) {
    const frames = plural(indices.length, "frame"), each = Math.ceil(indices.length / t);
    const otherwise = system.sampling && system.sampling !== this.state.rule ? " By itself it takes frames by another rule." : "";
    const what = system.kind === "billing" ? `${number(parts[0][1] / t)} tokens a frame, whatever its size`
      : parts.length > 1 ? `${frames}, ${parts.map(([name, n]) => `${number(n)} for ${name}`).join(", ")}`
      : each > 1 ? `${frames} in ${number(t)} groups of ${each}, ${rows} × ${cols} tokens a group` : `${frames}, ${rows} × ${cols} tokens each`;
    return `${system.title}: ${what}.${otherwise}`;
  }

  bent([h, w]) {
    const [height, width] = this.size, much = (h / height) / (w / width), most = Math.max(much, 1 / much);
    const area = (h * w) / (height * width), share = area < 0.995 ? `, ${area < 0.1 ? (100 * area).toFixed(1) : Math.round(100 * area)} % of its pixels` : "";
    return most < 1.1 ? share : `${share}, and a circle comes out ${most.toFixed(1)} times as ${much > 1 ? "tall as wide" : "wide as tall"}`;
  }

  tellMoment(caught, refusal) {
    const { $, state } = this, { total, rate, first, last } = state, from = first / rate, to = (last + 1) / rate;
    const where = this.long === 1 ? `frame ${number(first)}` : `frames ${number(first)} to ${number(last)}`;
    $.moment.setAttribute("aria-valuemax", total - this.long);
    valued($.moment, first, `${clock(from)}, ${where}: ${refusal ? "not seen" : caught ? "caught" : "missed"}`);
    $.long.setAttribute("aria-valuemin", 1);
    $.long.setAttribute("aria-valuemax", Math.min(total, Math.floor(LENGTHS[1] * rate)));
    valued($.long, this.long, `${seconds(this.long / rate)} seconds, ${plural(this.long, "frame")}`);
    const event = isClip(state) && first === CLIP.first && last === CLIP.last ? ` ${CLIP.event}` : "";
    $.nearSay.textContent = `The moment: ${where}, ${seconds(to - from)} s from ${clock(from)} on.${event}`;
  }

  tellWho() {
    const { $, state } = this;
    let count = 0;
    for (const [id, { node, n, said }] of $.chips) {
      const { indices, refusal } = this.answers.of.get(id), caught = isCaught(indices, state);
      count += caught;
      node.className = refusal ? "refused" : caught ? "caught" : "missed";
      pressed(node, id === state.rule);
      write(n, refusal ? "refused" : number(indices.length));
      write(said, refusal ? "" : ` frames, ${caught ? "caught" : "missed"}`);
    }
    $.whoHead.textContent = `${count} of ${$.chips.size} rules catch it. `;
    $.whoHead.append(element("span", {}, "Filled: caught. The number is that of the frames taken."));
  }

  tellKept(indices) {
    const { $, state } = this, { first, last, rate } = state, places = shown(indices, state);
    const key = [isClip(state), rate, ...places.map((k) => indices[k])].join();
    $.keptHead.textContent = indices.length > DATA.most.shown ? ` ${places.filter((k) => k !== null).length} of ${number(indices.length)} frames` : ` ${plural(indices.length, "frame")}`;
    if (this.keptKey !== key) {
      this.keptKey = key;
      this.cards = places.map((k) => {
        if (k === null) return { node: element("li", { class: "gap", "aria-label": "some left out" }, "…") };
        const i = indices[k], word = element("span");
        return { i, word, node: element("li", {}, picture(i, isClip(state)), element("b", {}, number(i)), word) };
      });
      $.list.replaceChildren(...this.cards.map(({ node }) => node));
    }
    for (const { i, word, node } of this.cards) {
      if (!word) continue;
      const caught = i >= first && i <= last;
      write(word, caught ? "caught" : clock(i / rate));
      node.classList.toggle("caught", caught);
    }
    const { before, after } = nearest(indices, state), inside = indices.find((i) => i >= first && i <= last);
    const three = [[before, "taken"], [inside ?? Math.floor((first + last) / 2), inside === undefined ? "not taken" : "caught"], [after, "taken"]];
    $.around.hidden = !isClip(state);
    $.around.replaceChildren(...three.map(([i, word]) => Number.isFinite(i)
      ? element("li", { class: word === "caught" ? "caught" : word === "taken" ? "" : "left" }, picture(i, true), element("b", {}, number(i)), element("span", {}, word))
      : element("li", {}, i < 0 ? "nothing is taken before" : "nothing is taken after")));
  }

  tellTime(made, system, indices) {
    const { $, state } = this, style = STYLES.get(system.time);
    $.sequence.hidden = !made;
    $.toldHead.textContent = "";
    $.toldSay.textContent = made ? "" : "Nothing: the clip is refused.";
    if (!made) return;
    const [patches] = made.grid, each = Math.round(made.tokens / patches), merge = Math.round(indices.length / patches) || 1;
    const tokens = (n) => element("li", { class: "video" }, `${number(n)} ${n === 1 ? "token" : "tokens"}`), more = () => element("li", {}, "…");
    const all = style ? labels(style.id, indices, state.rate) : [], some = Math.min(3, style ? all.length : patches);
    const per = style ? Math.max(1, Math.round(patches / all.length)) : 1; // blocks of tokens a label
    const text = (label) => element("li", { class: "text" }, label);
    const group = (i) => !style || style.place === "in the pixels" ? [tokens(each)]
      : style.place === "after" ? [tokens(each * per), text(all[i])] : [text(all[i]), tokens(each * per)];
    $.sequence.replaceChildren(...list(some, group).flat(), ...((style ? all.length : patches) > some ? [more()] : []));
    $.toldHead.textContent = ` ${plural(patches, "block")} of tokens, ${plural(merge, "frame")} each`;
    if (!style) $.toldSay.textContent = `${system.title} writes no time into the text.`;
    else {
      const last = all.length > some ? ` The last label: “${all.at(-1)}”.` : "";
      $.toldSay.textContent = style.place === "in the pixels" ? `The time is ${PLACES[style.place]}. The first: “${all[0]}”.${last}`
        : `The label stands ${PLACES[style.place]}.${last} ${style.about}`;
    }
  }

  // ------------------------------------------------------------ pictures
  render() {
    this.drawFilm();
    this.drawNear();
    this.drawSize();
  }

  drawFilm() {
    const { $, state, answer: { indices, refusal } } = this, { total, rate, first, last } = state;
    const [ctx, width] = this.canvas($.filmCanvas), each = width / total, tall = 52, tick = [58, 28];
    if (!width) return;
    ctx.fillStyle = this.color("video");
    ctx.globalAlpha = 0.16;
    ctx.fillRect(0, 0, width, tall);
    ctx.globalAlpha = 1;
    if (isClip(state) && SHEET.complete && SHEET.naturalWidth) {
      const count = Math.max(1, Math.round(width / (tall * 16 / 9))), wide = width / count;
      for (let k = 0; k < count; k++) {
        const [across, below] = thumb(Math.min(total - 1, Math.floor(((k + 0.5) / count) * total)));
        const cut = Math.min(1, (wide / tall) / (WIDE / TALL)) * WIDE; // the middle, where it is narrower
        ctx.drawImage(SHEET, across * WIDE + (WIDE - cut) / 2, below * TALL, cut, TALL, k * wide, 0, wide - 1, tall);
      }
    }
    const { before, after } = this.unseen; // what is never seen
    for (const [from, to] of refusal ? [[0, total]] : [[0, before], [total - after, total]]) {
      if (to <= from) continue;
      const box = [from * each, 0, (to - from) * each, tick[0] + tick[1]];
      ctx.globalAlpha = 0.72;
      ctx.fillStyle = this.color("paper");
      ctx.fillRect(...box);
      ctx.globalAlpha = 1;
      this.hatch(ctx, box, 6);
    }
    ctx.strokeStyle = this.color("rule");
    ctx.lineWidth = 1;
    ctx.strokeRect(0.5, tick[0] + 0.5, width - 1, tick[1] - 1);
    const thick = clamp(each * 0.8, 1, 4), drawn = new Set();
    for (const i of indices) {
      const x = (i + 0.5) * each, column = Math.round(x), caught = i >= first && i <= last;
      if (drawn.has(column) && !caught) continue;
      drawn.add(column);
      ctx.fillStyle = this.color("video");
      ctx.fillRect(x - thick / 2, tick[0], thick, tick[1]);
    }
    this.axis(ctx, width, total / rate, tick[0] + tick[1]);
    const left = first * each, wide = Math.max(2, this.long * each);
    Object.assign($.moment.style, { left: `${left}px`, width: `${wide}px` });
    $.long.style.left = `${clamp(left + wide, 13, width - 13)}px`;
    const beside = clamp(left + wide / 2 > width / 2 ? left - 190 : left + wide + 24, 0, Math.max(0, width - 220));
    $.hint.style.left = `${beside}px`;
    $.filmCanvas.setAttribute("aria-label", `The clip as a line of time, ${clock(total / rate)} long, a tick for each of ${plural(indices.length, "frame")} that is taken`);
  }

  axis(ctx, width, length, y) { // seconds, or minutes
    const step = [0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 36000].find((s) => (width * s) / length >= 56) ?? 36000;
    ctx.fillStyle = this.color("muted");
    ctx.textBaseline = "middle";
    ctx.textAlign = "start";
    for (let k = 0, free = 0; k * step <= length * 1.0001; k++) {
      const t = k * step, text = length < 90 ? `${Number(t.toFixed(2))} s` : stamp(t), wide = ctx.measureText(text).width;
      const x = clamp((t * width) / length - wide / 2, 0, width - wide);
      if (x < free) continue;
      ctx.fillText(text, x, y + 12);
      free = x + wide + 6;
    }
  }

  drawNear() { // the frames around the moment, one by one
    const { $, state, answer: { indices } } = this, { total, first, last } = state, [ctx, width, height] = this.canvas($.nearCanvas);
    if (!width) return;
    const { before, after } = nearest(indices, state), room = Math.max(2, Math.round(this.long / 3));
    const a = Math.max(0, (before < 0 ? first : before) - room), b = Math.min(total, (after > last && after < total ? after : last) + room + 1);
    const each = width / (b - a), top = 24, tall = 34, x = (i) => (i - a) * each, gap = each > 5 ? 1.5 : 0;
    if (each >= 2) for (let i = a; i < b; i++) {
      ctx.fillStyle = this.color("dropped");
      ctx.globalAlpha = 0.28;
      ctx.fillRect(x(i), top, each - gap, tall);
    } else {
      ctx.fillStyle = this.color("dropped");
      ctx.globalAlpha = 0.28;
      ctx.fillRect(0, top, width, tall);
    }
    ctx.globalAlpha = 1;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    let free = -1; // where the last number ended
    for (const i of [...new Set(indices.filter((i) => i >= a && i < b))].sort((p, q) => p - q)) {
      const caught = i >= first && i <= last, wide = Math.max(1.5, each - gap);
      ctx.fillStyle = this.color("video");
      ctx.fillRect(x(i), top - 3, wide, tall + 6);
      const text = number(i), half = ctx.measureText(text).width / 2, middle = clamp(x(i) + wide / 2, half, width - half);
      if (middle - half <= free) continue;
      this.font(ctx, caught ? 700 : "");
      ctx.fillStyle = this.color(caught ? "ink" : "muted");
      ctx.fillText(text, middle, 9);
      free = middle + half + 6;
    }
    this.font(ctx);
    ctx.strokeStyle = this.color("accent");
    ctx.lineWidth = 2;
    ctx.strokeRect(x(first) - 1, top - 6, Math.max(2, this.long * each - gap) + 2, tall + 12);
    const label = "the moment", half = ctx.measureText(label).width / 2;
    ctx.fillStyle = this.color("accent");
    ctx.fillText(label, clamp(x(first) + (this.long * each) / 2, half, width - half), height - 12);
    $.nearCanvas.setAttribute("aria-label", `Frames ${a} to ${b - 1}; taken: ${indices.filter((i) => i >= a && i < b).slice(0, 40).join(", ") || "none"}`);
  }

  drawSize() { // a frame, and what it is shrunk to, at one scale
    const { $, plan: made } = this, [ctx, width, height] = this.canvas($.sizeCanvas), [h, w] = this.size;
    if (!made || !width) return;
    const [high, wide] = made.resized, k = Math.min((width - 2) / Math.max(w, wide), (height - 2) / Math.max(h, high));
    this.hatch(ctx, [1, 1, w * k, h * k], 6);
    ctx.strokeStyle = this.color("muted");
    ctx.strokeRect(1, 1, w * k, h * k);
    const box = [1, 1, Math.max(2, wide * k), Math.max(2, high * k)];
    ctx.fillStyle = this.color("video");
    ctx.fillRect(...box);
    if (isClip(this.state) && SHEET.complete && SHEET.naturalWidth) {
      const { first, last } = this.state, { indices } = this.answer, [across, below] = thumb(indices.find((i) => i >= first && i <= last) ?? indices[0] ?? 0);
      ctx.drawImage(SHEET, across * WIDE, below * TALL, WIDE, TALL, ...box);
    }
    ctx.strokeStyle = this.color("video");
    ctx.lineWidth = 2;
    ctx.strokeRect(...box);
  }
};
});
