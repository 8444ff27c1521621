"""A number shown for a moment: frame rate against pixels a frame at a fixed budget of tokens, and looking twice.

    python experiments/video.py                every part (about 30 minutes of one core); rewrites results/video.json
    python experiments/video.py arms found     these parts alone; keeps what else is stored
    python experiments/video.py --resume       goes on after a stop: what was read is kept in build/video-reads.jsonl
    python experiments/video.py --quick        four clips of each part, printed, nothing written

Needs mmtokedu[measure] and Tesseract (apt-get install tesseract-ocr); the part `cuts` needs PyAV and scenedetect 0.7.2
alone, so that it can run where they are.

Clips are `samples.moments`: 20 s at 30 frames a second, 720 x 1280 pixels; a number of three or four digits is on a
plate for 0.1 to 2 s, in digits 12 to 48 pixels high. Frames are taken, resized, and RapidOCR reads the number's box out
of each; a clip is a success when the number is read without a mistake in at least one frame. Only frames that show the
number are read, because no other can succeed, and of those only until one succeeds; the moments of one clip lie within
one another, so that one frame serves all of them that it shows. Digits under LEGIBLE pixels are not read: the part
`stills` holds that they cannot be. What the engines make of frames without a number stands in `found`.

A token is 28 x 28 pixels of a pair of frames, as Qwen2.5-VL's: F frames of h x w pixels cost ceil(F / 2) * h * w / 784.
The prediction beside each cell is P(the moment is sampled) * P(digits of this height are read): min(1, d * f), times
what `stills` measured on other clips. What the pixels still hold is measured, not what a model makes of them: there is
no compression, no motion blur and no encoder here.
"""

import argparse
import datetime
import functools
import hashlib
import json
import math
import time
from pathlib import Path

import _video_cuts as cuts
import _video_look as look
import _video_ocr as ocr
import _video_still as still
import numpy as np
from _results import as_text, device, head, versions
from PIL import Image
from tqdm import tqdm

import mmtokedu
from mmtokedu.catalog import video as catalog
from mmtokedu.patches import smart_resize
from mmtokedu.samples.moments import FPS, FRAMES, SIZE, moment
from mmtokedu.video import adaptive_frames, sample_frames

RESULTS = Path(mmtokedu.__file__).parent / "data" / "results" / "video.json"
READS = Path("build") / "video-reads.jsonl"

TOKEN = 28
HEIGHTS = 12, 18, 28, 48  # of a digit in the clip, in pixels
SECONDS = 0.1, 0.25, 0.5, 1, 2  # that the number is shown
BUDGETS = 256, 512, 1024, 2048, 4096
RATES = 0.25, 0.5, 1, 2, 4, 8
CLIPS = 40
GROUPS = 4  # of ten clips, for the spread
LEGIBLE = 2.5  # pixels
READ_AT = 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 10, 12, 16, 24  # heights of the stills
STILLS = 80
OTHER = 100_000  # seeds from here on are the stills'
COLUMN = SIZE[0]


# What is read


class Reads:
    """What an engine made of each picture, kept in a file, so that a run that was stopped goes on."""

    def __init__(self, path=None, resume=False):
        self.path, self.texts, self.fresh = path, {}, 0
        if path is None:
            return
        path.parent.mkdir(exist_ok=True)
        head = json.dumps(drawing_key())
        lines = path.read_text(encoding="utf-8").splitlines() if resume and path.exists() else []
        if lines and lines[0] == head:
            self.texts = {key: text for key, text in map(json.loads, lines[1:])}
        else:  # other clips, or nothing to go on with
            path.write_text(head + "\n", encoding="utf-8")

    def get(self, key, read):
        key = json.dumps(key)
        if key not in self.texts:
            self.texts[key] = read()
            self.fresh += 1
            if self.path:
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([key, self.texts[key]]) + "\n")
        return self.texts[key]


READ = Reads()


def drawing_key():
    """The first 12 hex digits of a hash of some frames: other pixels, other reads."""
    digest = hashlib.sha256()
    for seed in range(8):
        drawn = moment(seed, height=28, style=("plate", "outlined")[seed // 4], decoys=2)
        digest.update(repr(drawn).encode() + drawn.frame(drawn.first)[::5, ::5].tobytes())
    return digest.hexdigest()[:12]


def cut_out(drawn, i, size):
    """The number's box out of frame i resized to `size`: (h, w, 3) uint8, the pixels of the whole resized frame.

    Drawn, and resized, with as much around it as the filter looks at.
    """
    box, scale = drawn.box(i), (SIZE[0] / size[0], SIZE[1] / size[1])
    low = [math.floor(box[k] / scale[k]) for k in (0, 1)]
    high = [min(size[k], math.ceil(box[k + 2] / scale[k])) for k in (0, 1)]
    reach = [math.ceil(3 * max(1, step)) for step in scale]
    from_ = [max(0, math.floor(low[k] * scale[k]) - reach[k]) for k in (0, 1)]
    to = [min(SIZE[k], math.ceil(high[k] * scale[k]) + reach[k]) for k in (0, 1)]
    seen = Image.fromarray(drawn.frame(i, (*from_, *to)))
    around = [low[1] * scale[1] - from_[1], low[0] * scale[0] - from_[0]]
    around += [high[1] * scale[1] - from_[1], high[0] * scale[0] - from_[0]]
    around = [min(max(0, edge), side) for edge, side in zip(around, seen.size * 2)]
    return np.asarray(seen.resize((high[1] - low[1], high[0] - low[0]), Image.BICUBIC, box=around))


def said(drawn, i, size):
    """What the engine reads in the number's box of frame i, resized to `size`."""
    key = drawn.seed, drawn.height, drawn.style, len(drawn.decoys), i, *size, *([drawn.noise] if drawn.noise else [])
    return READ.get(key, lambda: ocr.told(cut_out(drawn, i, size)))


def is_read(drawn, i, size, within=None):
    """Whether the number is read in frame i resized to `size`; of a part of the frame, whether it lies in there."""
    if drawn.height * size[0] / SIZE[0] < LEGIBLE:
        return False
    y0, x0, y1, x1 = drawn.box(i)
    if within and not (within[0] <= y0 and within[1] <= x0 and y1 <= within[2] and x1 <= within[3]):
        return False
    return said(drawn, i, size) == drawn.number


@functools.cache
def moments(seed, height, decoys=0, noise=0):
    """One clip with its number shown for each of SECONDS."""
    return tuple(moment(seed, height=height, seconds=d, decoys=decoys, noise=noise) for d in SECONDS)


def outcome(nested, indices, size):
    """Of each moment of a clip, shortest first: whether a frame was taken, and whether the number was read; two lists.

    nested: the clip with each moment, as `moments` draws it. Frames are read from those that the shortest moment shows
    outwards, until one is read: what the shorter moment shows the longer ones do.
    """
    shortest = {}  # frame -> the shortest moment that shows it
    for n, drawn in reversed(list(enumerate(nested))):
        shortest |= {int(i): n for i in indices if drawn.first <= i < drawn.end}
    order = sorted(shortest, key=lambda i: (shortest[i], i))
    read = next((shortest[i] for i in order if is_read(nested[-1], i, size)), len(nested))
    seen = min(shortest.values(), default=len(nested))
    return [n >= seen for n in range(len(nested))], [n >= read for n in range(len(nested))]


def packed(bits):
    """Bits as hexadecimal digits, the first clip first.

    >>> packed([True, False, False, False, True, True])
    '8c'
    """
    return np.packbits(np.array(bits, bool)).tobytes().hex()


def share(bits):
    return round(float(np.mean(bits)), 4)


# Budgets


def fit(budget, frames):
    """The size that each of so many frames may have, and the tokens they then cost: ((height, width), tokens), or None.

    None: less than two tokens a pair. Nothing is enlarged but to whole tokens.

    >>> fit(1024, 20), fit(1024, 160)
    (((196, 364), 910), ((56, 112), 640))
    """
    pairs = math.ceil(frames / 2)
    if budget / pairs < 2:
        return None
    size = smart_resize(*SIZE, factor=TOKEN, min_pixels=TOKEN**2, max_pixels=int(budget / pairs * TOKEN**2))
    return size, pairs * math.prod(size) // TOKEN**2


def evenly(rate):
    """The frames that a rate takes of a clip: the middles of equal pieces, as InternVL's rule has them."""
    return sample_frames(FRAMES, float(FPS), frames=round(rate * FRAMES / FPS), rule="internvl")


def predicted(stills, rate, digit, style="plate"):
    """For each of SECONDS: min(1, d * f) times the share of stills that were read at this height, interpolated."""
    rows = [row for row in stills if row["style"] == style]
    read = np.interp(digit, [row["px"] for row in rows], [row["right"] for row in rows])
    return [round(min(1.0, seconds * rate) * float(read), 4) for seconds in SECONDS]


# Parts


def measure_stills(clips=STILLS):
    """What share of single frames is read at each height of the digits, and what share as another number."""
    rows = []
    for style, squeeze in (("plate", 1.0), ("outlined", 1.0), ("squeezed", SIZE[0] / SIZE[1])):
        for px in tqdm(READ_AT, desc=style):
            texts, numbers, boxes = [], [], []
            for n in range(clips):
                height = [h for h in HEIGHTS if h >= px][n % sum(h >= px for h in HEIGHTS)]
                drawn = moment(OTHER + n, height=height, style="outlined" if style == "outlined" else "plate")
                size = round(SIZE[0] * px / height), round(SIZE[1] * px / height * squeeze)
                boxes.append(cut_out(drawn, drawn.first, size))
                texts.append(said(drawn, drawn.first, size))
                numbers.append(drawn.number)
            row = {"style": style, "px": px} | scored(texts, numbers)
            if style != "outlined":
                row["tesseract"] = scored(said_by_tesseract(style, px, boxes), numbers)
            rows.append(row)
    return {"clips": clips, "rows": rows}


def said_by_tesseract(style, px, boxes):
    return READ.get(("tesseract", style, px, len(boxes)), lambda: ocr.tesseract(boxes, [px] * len(boxes)))


def scored(texts, numbers):
    other = [ocr.is_number(text) and text != number for text, number in zip(texts, numbers)]
    return {"right": share([text == number for text, number in zip(texts, numbers)]), "other_number": share(other)}


def measure_uniform(stills, clips=CLIPS, budgets=BUDGETS, rates=RATES, heights=HEIGHTS):
    """Each budget at each rate: [{budget, fps, frames, size, tokens, height, px, and for each of SECONDS seen,
    predicted, right, clips}, ...]. `clips` are the successes, a bit a clip."""
    rows = []
    for budget, rate in tqdm([(budget, rate) for budget in budgets for rate in rates], desc="uniform"):
        indices = evenly(rate)
        if (fitted := fit(budget, len(indices))) is None:
            continue
        size, tokens = fitted
        for height in heights:
            row = {"budget": budget, "fps": rate, "frames": len(indices), "size": size, "tokens": tokens}
            row |= {"height": height, "px": round(height * size[0] / SIZE[0], 2)}
            rows.append(row | measured(height, indices, size, clips))
            rows[-1]["predicted"] = predicted(stills, rate, rows[-1]["px"])
    return rows


def measured(height, indices, size, clips):
    found = [outcome(moments(seed, height), indices, size) for seed in range(clips)]
    seen, right = np.array(found).transpose(1, 2, 0)  # (moments, clips) each
    return {"seen": [share(s) for s in seen], "right": [share(r) for r in right], "clips": [packed(r) for r in right]}


SYSTEMS = (  # model of the catalog, what its rule is asked for
    ("qwen2.5-vl", {}), ("qwen3-vl", {}), ("qwen3-vl-class-default", {}), ("glm-4.1v", {}), ("glm-4.6v", {}),
    ("internvl", {"frames": 8}), ("internvl", {"frames": 16}), ("internvl", {"frames": 32}),
    ("llava-onevision", {"frames": 32}), ("smolvlm2", {}), ("molmo2", {}), ("gemma-4", {"frames": 32}),
    ("video-llama-3", {}), ("muse-glimmer", {}), ("ernie-4.5-vl", {}),
)  # fmt: skip


def taken_by(model, options):
    """What a system takes of a clip and makes of it: indices, the size of a frame, tokens."""
    indices = sample_frames(FRAMES, float(FPS), rule=catalog.row("tokens", model).sampling, **options)
    plan = catalog.video_plan(model, len(indices), *SIZE)
    return indices, plan.resized, plan.tokens


def measure_systems(clips=CLIPS, systems=SYSTEMS, heights=HEIGHTS):
    """Each system's own choice: [{model, options, frames, size, tokens, last, last_second, ...}, ...].

    last is the last frame that it takes; last_second, for each of SECONDS that fits, is the share of the moments inside
    the clip's last second of which it takes a frame; anywhere, of all moments in the clip. Both are counted, not read.
    """
    rows = []
    for model, options in tqdm(systems, desc="systems"):
        indices, size, tokens = taken_by(model, options)
        row = {"model": model, "title": catalog.row("tokens", model).title, "options": options}
        row |= {"frames": len(indices), "size": size, "tokens": tokens, "last": int(indices[-1])}
        row["last_second"] = [seen_within(indices, FRAMES - FPS, FRAMES, d) for d in SECONDS if d <= 1]
        row["anywhere"] = [seen_within(indices, 0, FRAMES, d) for d in SECONDS]
        by_height = []
        for height in heights:
            part = measured(height, indices, size, clips)
            by_height.append({"height": height, "px": round(height * size[0] / SIZE[0], 2)} | part)
        rows.append(row | {"right": share([part["right"] for part in by_height]), "by_height": by_height})
    return rows


def seen_within(indices, start, stop, seconds, parts=1000):
    """Of the moments of so many seconds within frames [start, stop), begun at any time, the share that is sampled.

    >>> seen_within(np.array([570, 599]), 570, 600, 0.5), seen_within(np.array([585]), 570, 600, 0.5)
    (0.067, 1.0)
    """
    lasts = round(seconds * FPS * parts)
    begins = start * parts + ((2 * np.arange(parts) + 1) * ((stop - start) * parts - lasts)) // (2 * parts)
    first, end = -(-begins // parts), -(-(begins + lasts) // parts)
    at = np.searchsorted(np.unique(indices), first)
    known = np.append(np.unique(indices), FRAMES + 1)
    return round(float((known[at] < end).mean()), 3)


# Arms

ARM_HEIGHTS, ARM_SECONDS = (12, 18, 28), (0.25, 0.5, 1)
ARM_RATES, COARSE = (0.25, 0.5, 1, 2, 4), (2, 4)
WATCHED = np.arange(0, FRAMES, 3)  # what a score of all sees: 10 frames a second
WATCHED_SIZE, COARSE_MOST = (72, 128), 144  # thumbnails; a coarse pass is scored at its own size, at most so high
PLACE = 5, 10  # tokens: 140 x 280 pixels at full size
PLACES = 16  # at most
OUTSIDE = f"{len(WATCHED)} frames of 72x128, grey"


class Grey:
    """A clip's frames as grey pictures; those without the number are drawn once for all heights."""

    def __init__(self):
        self.kept = {}

    def __call__(self, drawn, indices, size):
        return np.stack([self.one(drawn, int(i), size) for i in indices])

    def one(self, drawn, i, size):
        key = i, drawn.height if drawn.first <= i < drawn.end else None
        if key not in self.kept:
            self.kept[key] = np.asarray(Image.fromarray(drawn.frame(i)).convert("L").reduce(5))
        if (*key, size) not in self.kept:
            self.kept[*key, size] = look.thumbnail(self.kept[key], size)
        return self.kept[*key, size]


def arms_of(drawn, grey, budget):
    """Every way to spend a budget on one clip: (arm, frames a second, tokens, seen outside, whether it was read)."""
    for rate in ARM_RATES:
        count = len(evenly(rate))
        if (fitted := fit(budget, count)) is None:
            continue
        size, tokens = fitted
        yield "uniform", rate, tokens, "", any_read(drawn, evenly(rate), size)
        if rate > 2:
            continue
        for tolerant in (False, True):
            moved = scores(drawn, grey, tolerant)
            if not tolerant:
                for name, part in (("half by mean change", 0.5), ("by mean change", 0.95)):
                    chosen = WATCHED[adaptive_frames(moved[0], count, share=part)]
                    yield f"adaptive, {name}", rate, tokens, OUTSIDE, any_read(drawn, chosen, size)
            strongest = WATCHED[np.sort(np.argsort(-moved[1], kind="stable")[:count])]
            name = "adaptive, strongest cell" + ", pan-tolerant" * tolerant
            yield name, rate, tokens, OUTSIDE, any_read(drawn, strongest, size)
    for rate in COARSE:
        yield from twice(drawn, grey, budget, rate)


def twice(drawn, grey, budget, rate):
    """Look twice: half the tokens for a coarse pass, half for what changed most in it, as large as may be.

    A change lies between two frames of the coarse pass, so each place or frame is a pair: before it and after it.
    """
    first = evenly(rate)
    if (fitted := fit(budget / 2, len(first))) is None:
        return
    size, tokens = fitted
    at_once = any_read(drawn, first, size)
    for tolerant in (False, True):
        strength, middles = coarse(drawn, grey, rate, size, tolerant)
        order = np.argsort(-strength, kind="stable")
        name = ", pan-tolerant" * tolerant
        for count in (1, 4):
            whole, _ = fit(budget / 2, 2 * count)
            pairs = [i for n in order[:count] for i in (first[max(n - 1, 0)], first[n])]
            spent = tokens + count * math.prod(whole) // TOKEN**2
            yield f"twice, {count} whole{name}", rate, spent, "", at_once or any_read(drawn, pairs, whole)
        count = max(1, min(PLACES, int(budget / 2 // math.prod(PLACE))))
        places = [look.place(middles[n], (PLACE[0] * TOKEN, PLACE[1] * TOKEN)) for n in order[:count]]
        right = at_once or any(
            any_read(drawn, (first[max(n - 1, 0)], first[n]), SIZE, within) for n, within in zip(order, places)
        )
        yield f"twice, places{name}", rate, tokens + count * math.prod(PLACE), "", right


def any_read(drawn, indices, size, within=None):
    return any(is_read(drawn, int(i), size, within) for i in indices if drawn.first <= i < drawn.end)


def scores(drawn, grey, tolerant):
    """Of the watched frames: the mean change of each, and how far its strongest cell stands out."""
    key = "scores", drawn.first, drawn.end, drawn.height, tolerant
    if key not in grey.kept:
        changed = look.differences(grey(drawn, WATCHED, WATCHED_SIZE), tolerant)
        grey.kept[key] = changed.mean(axis=(1, 2)), look.peaks(look.cells(changed))[0]
    return grey.kept[key]


def coarse(drawn, grey, rate, size, tolerant):
    """Of the coarse pass's frames, at its own size: how far the strongest cell of each stands out, and where it is."""
    size = size if size[0] <= COARSE_MOST else (COARSE_MOST, COARSE_MOST * SIZE[1] // SIZE[0])
    key = "coarse", drawn.first, drawn.end, drawn.height, rate, size, tolerant
    if key not in grey.kept:
        changed = look.differences(grey(drawn, evenly(rate), size), tolerant)
        grey.kept[key] = look.peaks(look.cells(changed))
    return grey.kept[key]


def measure_arms(clips=CLIPS, budgets=BUDGETS, heights=ARM_HEIGHTS, seconds=ARM_SECONDS, decoys=0, noise=0):
    """Each arm at each budget and rate: [{arm, budget, fps, tokens, outside, decoys, and for each height the share and
    the bits of each of ARM_SECONDS}, ...]. `outside` says what a score saw that no token paid for."""
    found = {}  # (arm, budget, fps) -> {"tokens", "outside", bits[height][seconds][seed]}
    for seed in tqdm(range(clips), desc=f"arms, {decoys} decoys, noise {noise}"):
        grey = Grey()
        for height in heights:
            for d in seconds:
                drawn = moments(seed, height, decoys, noise)[SECONDS.index(d)]
                for budget in budgets:
                    for arm, rate, tokens, outside, right in arms_of(drawn, grey, budget):
                        row = found.setdefault((arm, budget, rate), {"tokens": tokens, "outside": outside, "bits": {}})
                        row["bits"].setdefault((height, d), []).append(right)
    rows = []
    for (arm, budget, rate), row in found.items():
        bits = [[row["bits"][height, d] for d in seconds] for height in heights]
        rows.append(
            {"arm": arm, "budget": budget, "fps": rate, "tokens": row["tokens"], "outside": row["outside"]}
            | {"decoys": decoys, "heights": list(heights), "seconds": list(seconds), "mean": share(bits)}
            | {
                "right": [[share(b) for b in line] for line in bits],
                "clips": [[packed(b) for b in line] for line in bits],
            }
        )
    order = {arm: n for n, arm in enumerate(dict.fromkeys(row["arm"] for row in rows))}
    return sorted(rows, key=lambda row: (order[row["arm"]], row["budget"], row["fps"]))


# Nobody says where

FIND_AT = 3.5, 4, 5, 6, 7, 8, 10, 12, 16
FOUND_STILLS, BLANK = 20, 40
SHIPPED_AT = 5, 7, 10


def measure_found(stills, clips=CLIPS, singles=FOUND_STILLS, blank=BLANK):
    """Detector and recogniser on whole frames: stills by height, as shipped beside it, clips at 1,024 tokens, blank
    frames that hold no number."""
    rows = [found_in_stills(px, singles, False) for px in tqdm(FIND_AT, desc="found")]
    shipped = [found_in_stills(px, singles, True) for px in tqdm(SHIPPED_AT, desc="as shipped")]
    return {
        "stills": rows,
        "as_shipped": shipped,
        "clips": found_in_clips(stills, rows, clips),
        "blank": false_reads(blank),
    }


def found_in_stills(px, count, turning):
    texts, boxed, numbers = [], [], []
    for n in range(count):
        height = [h for h in (18, 28) if h >= px][n % sum(h >= px for h in (18, 28))]
        drawn = moment(OTHER + n, height=height)
        size = round(SIZE[0] * px / height), round(SIZE[1] * px / height)
        texts.append(said_whole(drawn, drawn.first, size, turning))
        boxed.append(said(drawn, drawn.first, size))
        numbers.append(drawn.number)
    other = [n not in t and any(map(ocr.is_number, t)) for t, n in zip(texts, numbers)]
    right = [number in text for text, number in zip(texts, numbers)]
    return {"px": px, "found": share(right), "other_number": share(other), "told": scored(boxed, numbers)["right"]}


def said_whole(drawn, i, size, turning=False):
    key = "whole", turning, drawn.seed, drawn.height, drawn.first <= i < drawn.end, i, *size
    return READ.get(key, lambda: ocr.found(whole(drawn, i, size), turning))


def whole(drawn, i, size):
    return np.asarray(Image.fromarray(drawn.frame(i)).resize(size[::-1], Image.BICUBIC))


def found_in_clips(stills, found, clips, budget=1024, height=18, seconds=(0.5, 1)):
    """The cells of one budget and height again, with nobody saying where: told and found side by side."""
    rows = []
    for rate in tqdm([rate for rate in RATES if fit(budget, len(evenly(rate)))], desc="found in clips"):
        indices, (size, tokens) = evenly(rate), fit(budget, len(evenly(rate)))
        px = round(height * size[0] / SIZE[0], 2)
        if px < LEGIBLE:
            continue
        read = np.interp(px, [row["px"] for row in found], [row["found"] for row in found])
        for d in seconds:
            there = [moments(seed, height)[SECONDS.index(d)] for seed in range(clips)]
            told = [any_read(drawn, indices, size) for drawn in there]
            alone = [any(drawn.number in said_whole(drawn, i, size) for i in shown(drawn, indices)) for drawn in there]
            row = {"budget": budget, "fps": rate, "size": size, "tokens": tokens, "height": height, "px": px}
            row |= {"seconds": d, "told": share(told), "found": share(alone), "clips": packed(alone)}
            rows.append(row | {"predicted": round(min(1.0, d * rate) * float(read), 4)})
    return rows


def shown(drawn, indices):
    return [int(i) for i in indices if drawn.first <= i < drawn.end]


def false_reads(count, size=(364, 672)):
    """Of frames without a number, the share in which the engine reads one."""
    wrong = []
    for seed in tqdm(range(count), desc="blank"):
        drawn = moment(seed, decoys=6)
        i = (drawn.first + FRAMES // 2) % FRAMES
        wrong.append(any(map(ocr.is_number, said_whole(drawn, i, size))))
    return {"frames": count, "size": size, "decoys": 6, "a_number_read": share(wrong)}


# Together


def best_rate(rows, budget):
    """The rate whose mean over all heights and moments is highest at a budget: (rate, tokens, the clips' bits)."""
    means = {}
    for row in rows:
        if row["budget"] == budget:
            means.setdefault((row["fps"], row["tokens"]), []).append(row)
    (rate, tokens), best = max(means.items(), key=lambda item: np.mean([row["right"] for row in item[1]]))
    return rate, tokens, np.stack([unpacked(bits) for row in best for bits in row["clips"]])


def unpacked(bits, clips=CLIPS):
    """The bits of `packed`, (clips,) bool."""
    return np.unpackbits(np.frombuffer(bytes.fromhex(bits), np.uint8))[:clips].astype(bool)


def curve(uniform, arms):
    """Two ways to spend tokens on a clip, in the form of `measured.curve`.

    quality is the share of clips whose number was read, over all heights and moments of the part, spread the distance
    between the lowest and the highest of GROUPS groups of ten clips.
    """
    points = []
    for budget in BUDGETS:
        _, tokens, bits = best_rate(uniform, budget)
        points.append(point(tokens, bits, "RapidOCR, even frames, told where"))
    for arm, name in (("uniform", "even frames"), ("twice, places, pan-tolerant", "look twice")):
        for budget in BUDGETS:
            row = max((r for r in arms if (r["arm"], r["budget"]) == (arm, budget)), key=lambda row: row["mean"])
            bits = np.stack([unpacked(bits) for line in row["clips"] for bits in line])
            points.append(point(row["tokens"], bits, f"RapidOCR, {name}, 12 to 28 px, 0.25 to 1 s"))
    return points


def point(tokens, bits, instrument):
    groups = bits.reshape(len(bits), GROUPS, -1).mean(axis=(0, 2))
    spread = round(float(groups.max() - groups.min()), 4)
    return {"tokens": tokens, "quality": share(bits), "spread": spread, "instrument": instrument}


def part_head():
    return {"date": str(datetime.date.today()), "device": f"{device()}, one thread"}


def settings():
    return {
        "size": SIZE, "video_fps": FPS, "frames": FRAMES, "token_px": TOKEN, "frames_a_token": 2, "heights": HEIGHTS,
        "seconds": SECONDS, "budgets": BUDGETS, "rates": RATES, "clips": CLIPS, "groups": GROUPS, "legible": LEGIBLE,
        "drawn": drawing_key(), "resize": "Pillow bicubic, antialiased", "success": "one frame read without a mistake",
    }  # fmt: skip


PARTS = "stills", "uniform", "systems", "arms", "decoys", "noise", "found", "still", "cuts"
HARDER = {"decoys": {"decoys": 6}, "noise": {"noise": 3}}  # the arms again, at one height and length
STILL_CLIPS, CUT_CLIPS = 20, 10


def measure_still(clips=STILL_CLIPS, noises=(0, 2)):
    """What the number's box still holds after tokens that stand still were dropped (`_video_still`)."""
    engine = lambda seen, key: READ.get(key, lambda: ocr.told(seen))
    bar = lambda seeds: tqdm(seeds, desc="still")
    rows = [row for noise in noises for row in still.measure(clips, noise, evenly(2), engine, bar)]
    return {"size": still.SIZE, "height": still.HEIGHT, "seconds": still.SECONDS, "fps": 2, "rows": rows}


def measure_cuts(clips=CUT_CLIPS, kinds=((0, 0), (0, 16), (4, 0))):
    """Cut rules on known cuts (`_video_cuts`): hard, faded over 16 frames, hard in noise."""
    bar = lambda seeds: tqdm(seeds, desc="cuts")
    rows = [row for noise, fade in kinds for row in cuts.measure(clips, noise, fade, bar)]
    return {"shots": cuts.SHOTS, "size": cuts.SIZE, "luma_threshold": cuts.LUMA, "rows": rows}


def run_part(name, stored, quick=False):
    few = {"clips": 4} if quick else {}
    stills = stored.get("stills", {}).get("rows", [])
    if name == "stills":
        return measure_stills(**few)
    if name == "uniform":
        return {"rows": measure_uniform(stills, **few, **({"budgets": (1024,)} if quick else {}))}
    if name == "systems":
        return {"rows": measure_systems(**few)}
    if name == "arms":
        return {"rows": measure_arms(**few, **({"budgets": (1024,), "heights": (18,)} if quick else {}))}
    if name in HARDER:
        less = {"budgets": (1024,) if quick else (512, 1024, 2048), "heights": (18,), "seconds": (0.5,)}
        return {"rows": measure_arms(**few, **less, **HARDER[name])}
    if name == "found":
        return measure_found(stills, **few, **({"singles": 4, "blank": 4} if quick else {}))
    return measure_still(**few) if name == "still" else measure_cuts(**({"clips": 1} if quick else {}))


def main(argv=None):
    global READ
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="these alone; keeps what else is stored")
    parser.add_argument("--quick", action="store_true", help="four clips of each part, printed; nothing is written")
    parser.add_argument("--resume", action="store_true", help="what a stopped run has read is not read again")
    options = parser.parse_args(argv)
    parts = options.parts or PARTS
    READ = Reads() if options.quick else Reads(READS, resume=options.resume or bool(options.parts))
    stored = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() and not options.quick else {}
    for name in parts:
        started, before = time.process_time(), READ.fresh
        found = run_part(name, stored, options.quick)
        spent = {"processor_seconds": round(time.process_time() - started), "reads": READ.fresh - before}
        stored[name] = part_head() | {"versions": part_versions(name)} | spent | found
        print(name, spent, flush=True)
        if options.quick:
            print(as_text(found))
        else:
            store(stored)


def part_versions(name):
    if name == "cuts":
        return versions("numpy", "pillow", "scikit-image", "av", "scenedetect", "opencv-python-headless")
    return versions("numpy", "pillow", "scikit-image") | ocr.versions()


def store(stored):
    what = "A number shown for a moment: which frames and how many pixels a budget of tokens should buy."
    result = head(what, "video", ("numpy", "pillow", "scikit-image")) | {
        "settings": settings(),
    }
    result |= {name: stored[name] for name in PARTS if name in stored}
    if "uniform" in stored and "arms" in stored:
        result["curve"] = curve(stored["uniform"]["rows"], stored["arms"]["rows"])
    RESULTS.write_text(as_text(result), encoding="utf-8")


if __name__ == "__main__":
    main()
