"""Exercises of the video chapter."""

import math
import operator

import numpy as np

from mmtokedu.course import Exercise, Mistake, slip

_SECTION = "Video, "


def _middles(total, count, offset=0.5, whole=int, piece=lambda length: length, start=0):
    length = piece(total / count)
    return [whole((number + offset) * length) + start for number in range(count)]


middles = Exercise(
    name="take the middle of each piece",
    answer=lambda total, count: _middles(total, count),
    cases=((10, 4), (100, 8), (300, 8), (9, 2), (47, 6)),
    mistakes=(
        slip(_middles, "the first frame of each piece; its middle is half a piece later", offset=0),
        slip(_middles, "the end of each piece, and the last of these is no frame of the clip any more", offset=1),
        slip(_middles, "rounded to the nearest frame; a frame is there until the next one comes, so cut the fraction off", whole=round),
        slip(_middles, "the length of a piece was cut to whole frames, so the pieces end before the clip does", piece=int),
        slip(_middles, "counted from 1; the first frame is number 0", start=1),
        Mistake(lambda total, count: np.linspace(0, total - 1, count).astype(int),
                "a line from the first frame to the last: another rule. Cut the clip into pieces, and take the middle of each"),
    ),
    section=_SECTION + "“Which frames”",
)  # fmt: skip


def _pair_times(
    indices, fps, time=lambda a, b: (a + b) / 2, even=lambda rest: [*rest, rest[-1]], frames=lambda indices: indices
):
    indices = list(frames(indices))
    if len(indices) % 2:
        indices = even(indices)
    return [time(a, b) / fps for a, b in zip(indices[::2], indices[1::2])]


pair_times = Exercise(
    name="say when each pair was",
    answer=lambda indices, fps: _pair_times(indices, fps),
    cases=(([0, 12, 24, 36], 24.0), ([0, 20, 40, 59, 79, 99], 29.97), ([0, 10, 20, 35, 40], 25.0), ([7], 5.0)),
    mistakes=(
        slip(_pair_times, "the time of the first frame of each pair; asked is the middle of the two", time=lambda a, b: a),
        slip(_pair_times, "the time of the second frame of each pair; asked is the middle of the two", time=lambda a, b: b),
        slip(_pair_times, "an odd frame at the end was dropped; it makes a pair with itself", even=lambda rest: rest),
        slip(_pair_times, "the place in the list was taken for the frame's number: `indices` says which frames of the clip these are",
             frames=lambda indices: range(len(indices))),
        Mistake(lambda indices, fps: [frame / fps for frame in indices], "one time a frame; asked is one a pair"),
        Mistake(lambda indices, fps: [float(place) for place in range((len(indices) + 1) // 2)],
                "steps of one second: that assumes that two frames a second were taken. `indices` and `fps` know better"),
    ),
    section=_SECTION + "“Telling the model when”",
)  # fmt: skip


def _needed(start, length, overlap, seconds):
    return not start or start + overlap < seconds


def _chunks(seconds, length, overlap, lap=lambda overlap: overlap, cut=min, keep=_needed):
    overlap = lap(overlap)
    starts = (start for start in range(0, seconds, length - overlap) if keep(start, length, overlap, seconds))
    return [(start, cut(start + length, seconds)) for start in starts]


chunks = Exercise(
    name="cut a film into chunks",
    answer=lambda seconds, length, overlap: _chunks(seconds, length, overlap),
    cases=((100, 40, 10), (95, 40, 10), (70, 40, 0), (25, 40, 10), (3600, 600, 60)),
    mistakes=(
        slip(_chunks, "no overlap: what happens across a border is in no chunk as a whole", lap=lambda overlap: 0),
        slip(_chunks, "the overlap was added to the step, so there are gaps that no chunk sees. A step is the length less the overlap",
             lap=operator.neg),
        slip(_chunks, "the last chunk reaches beyond the end of the film", cut=lambda end, seconds: end),
        slip(_chunks, "one chunk too many: it lies wholly inside the one before. Stop once a chunk has reached the end",
             keep=lambda start, length, overlap, seconds: True),
        slip(_chunks, "the end of the film is missing: the last chunk may be shorter than the others",
             keep=lambda start, length, overlap, seconds: start + length <= seconds),
    ),
    section=_SECTION + "“The sound track, and an hour of film”",
)  # fmt: skip


def _clip_size(
    frames,
    height,
    width,
    cap,
    cell,
    each=lambda cap, frames: cap / frames,
    power=0.5,
    most=1,
    whole=math.floor,
    least=1,
):
    scale = min(most, (each(cap, frames) / (height * width)) ** power)
    return [max(least, whole(side * scale / cell)) * cell for side in (height, width)]


clip_size = Exercise(
    name="fit a clip under its cap",
    answer=lambda frames, height, width, cap, cell: _clip_size(frames, height, width, cap, cell),
    cases=(
        (2, 100, 60, 1_000_000, 28),
        (20, 720, 1280, 25_165_824, 32),
        (64, 1080, 1920, 25_165_824, 32),
        (768, 1080, 1920, 25_165_824, 32),
        (4, 1080, 1920, 2_000_000, 28),
        (500, 10, 900, 200_000, 28),
    ),
    mistakes=(
        slip(_clip_size, "the cap was given to each frame; all frames of the clip share it", each=lambda cap, frames: cap),
        slip(_clip_size, "both sides were divided by the ratio of the areas. Two sides shrink, so each by its root", power=1),
        slip(_clip_size, "rounded to the nearest cell, and so the clip may end up over its cap; round down", whole=round),
        slip(_clip_size, "a side became 0 pixels; it is never less than one cell", least=0),
        slip(_clip_size, "a clip that is under the cap was made larger; it keeps its size, but for whole cells", most=math.inf),
        Mistake(lambda *case: _clip_size(*case)[::-1], "width first; sizes are (height, width) everywhere here"),
    ),
    section=_SECTION + "“One cap for the whole clip”",
)  # fmt: skip


def _catching(
    indices, fps, start, end, when=lambda place, frame, fps: frame / fps, after=operator.le, before=operator.lt
):
    times = [when(place, frame, fps) for place, frame in enumerate(indices)]
    return [frame for frame, time in zip(indices, times) if after(start, time) and before(time, end)]


catching = Exercise(
    name="find the frames that catch a moment",
    answer=lambda indices, fps, start, end: _catching(indices, fps, start, end),
    cases=(
        ([0, 12, 24, 36, 48], 24.0, 0.5, 1.0),
        ([0, 15, 30, 45, 60, 75], 30.0, 1.0, 2.5),
        ([0, 16, 31, 47, 63, 79, 94], 30.0, 1.6, 2.0),
        ([6, 18, 31, 43, 56, 68, 81, 93], 50.0, 0.5, 1.5),
        ([0, 1, 3, 4, 7, 8, 9], 2.0, 1.0, 3.0),
    ),
    mistakes=(
        slip(_catching, "the moment's end was counted in: at `end` the picture shows something else already", before=operator.le),
        slip(_catching, "the moment's first frame was left out: at `start` the picture shows it", after=operator.lt),
        slip(_catching, "frame numbers were compared with seconds; divide by the frames a second",
             when=lambda place, frame, fps: frame),
        slip(_catching, "the place in the list was taken for the frame's number: `indices` says which frames of the clip these are",
             when=lambda place, frame, fps: place / fps),
        slip(_catching, "two frames a second were assumed; `indices` and `fps` say when each frame was",
             when=lambda place, frame, fps: place / 2),
    ),
    section=_SECTION + "“Which frames”",
)  # fmt: skip


def _changed(
    pixels, threshold, kind=float, size=np.abs, before=lambda pixels: pixels[:-1], over=np.mean, above=operator.gt, first=True
):  # fmt: skip
    pixels = pixels.astype(kind)
    mask = above(over(size(pixels[1:] - before(pixels)), axis=-1), threshold)
    return np.concatenate([np.full((1, pixels.shape[1]), first), mask])


_LINES = np.array([  # three tokens of four pixels, four frames: still; brighter and darker by turns; up and back again
    [[10, 10, 10, 10], [90, 80, 70, 60], [0, 0, 0, 0]],
    [[10, 10, 10, 10], [70, 100, 50, 80], [5, 5, 5, 5]],
    [[10, 11, 10, 10], [90, 80, 70, 60], [0, 0, 0, 0]],
    [[10, 11, 18, 10], [90, 80, 70, 64], [1, 0, 0, 7]],
], np.uint8)  # fmt: skip

changed = Exercise(
    name="keep what changed",
    answer=lambda pixels, threshold: _changed(pixels, threshold),
    cases=((_LINES, 2.0), (_LINES, 5.0), (np.random.default_rng(3).integers(0, 256, (5, 6, 12), np.uint8), 85.0)),
    mistakes=(
        slip(_changed, "8-bit numbers were subtracted: 3 - 5 is 254 there. Make them wider first, as floats or int16", kind=np.uint8),
        slip(_changed, "brighter and darker pixels cancel: take the size of each difference before the mean", size=np.asarray),
        slip(_changed, "compared with the first frame; each frame is compared with the one before it", before=lambda pixels: pixels[:1]),
        slip(_changed, "the largest difference of a token decides; here its mean does, so that one odd pixel keeps nothing", over=np.max),
        slip(_changed, "the first frame was dropped: nothing stands before it, so all of it is new", first=False),
        slip(_changed, "a token that changed by exactly the threshold was kept; it must be more", above=operator.ge),
    ),
    section=_SECTION + "“Where the picture changes”",
)  # fmt: skip


def _kept(tokens, frames, rate, share=lambda rate: 1 - rate, least=lambda tokens: tokens, whole=int):
    return max(least(tokens), whole(tokens * frames * share(rate)))


kept = Exercise(
    name="count what EVS keeps",
    answer=lambda tokens, frames, rate: _kept(tokens, frames, rate),
    cases=((64, 8, 0.75), (64, 8, 0.95), (81, 7, 0.6), (47, 9, 0.3), (64, 8, 0.1)),
    mistakes=(
        slip(_kept, "the rate is the share that is dropped; what is kept is the rest", share=lambda rate: rate),
        slip(_kept, "fewer than one frame's tokens were kept; the first frame always stays whole", least=lambda tokens: 0),
        slip(_kept, "rounded to the nearest; the fraction of a token is cut off", whole=round),
        Mistake(lambda tokens, frames, rate: max(tokens, frames * int(tokens * (1 - rate))),
                "cut off frame by frame; the clip has one sum, and its fraction is cut off once"),
        Mistake(lambda tokens, frames, rate: tokens + int(tokens * (frames - 1) * (1 - rate)),
                "the first frame was set aside and the rate applied to the others; the rate is of the whole clip"),
    ),
    section=_SECTION + "“Where the picture changes”",
)  # fmt: skip


def _cuts(luma, threshold, gap, kind=float, score=lambda d: np.abs(d).mean(axis=(1, 2)), start=1, wait=lambda gap: gap):
    scores = score(luma[1:].astype(kind) - luma[:-1].astype(kind))
    found, last = [], 0
    for frame in (np.flatnonzero(scores >= threshold) + 1).tolist():
        if frame - last >= wait(gap):
            found.append(frame + start - 1)
            last = frame
    return found


def _shots(*shots):
    """Frames of 2 x 2 pixels: (how many, pixels) a shot; pixels go down by 1 a frame."""
    return np.concatenate([np.subtract(np.reshape(p, (2, 2)), np.arange(n)[:, None, None]) for n, p in shots]).astype(
        np.uint8
    )


cuts = Exercise(
    name="find the cuts",
    answer=lambda luma, threshold, gap: _cuts(luma, threshold, gap),
    cases=(
        (_shots((4, [10, 10, 10, 10]), (3, [90, 90, 90, 90]), (5, [20, 20, 20, 20])), 27.0, 3),
        (_shots((3, [10, 90, 10, 90]), (4, [90, 10, 90, 10]), (1, [250, 250, 250, 250]), (4, [90, 10, 90, 10])), 27.0, 2),
        (_shots((6, [66, 66, 66, 66]), (4, [40, 40, 40, 40]), (4, [110, 10, 110, 10])), 20.0, 1),
    ),
    mistakes=(
        slip(_cuts, "the last frame of the old scene; a cut is the first frame of the new one. Score i lies between frames i and i + 1",
             start=0),
        slip(_cuts, "8-bit numbers were subtracted: 3 - 5 is 254 there. Make them wider first, as floats or int16", kind=np.uint8),
        slip(_cuts, "the frames' mean brightness was compared: two scenes can be equally bright. Compare pixel by pixel, then take the mean",
             score=lambda d: np.abs(d.mean(axis=(1, 2)))),
        slip(_cuts, "cuts stand closer together than `gap` frames: a flash is no scene", wait=lambda gap: 0),
    ),
    section=_SECTION + "“Where the picture changes”",
)  # fmt: skip


def _best_rate(rates, pixels, size, digit, least, best=max, each=lambda pixels, rate: pixels / rate, power=0.5):
    scales = [min(1, (each(pixels, rate) / math.prod(size)) ** power) for rate in rates]
    return best(rate for rate, scale in zip(rates, scales) if digit * scale >= least)


_RATES = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0]
_PIXELS = 1024 * 2 * 28**2 / 20  # a second: 1,024 tokens, two frames a token, for a clip of 20 s

best_rate = Exercise(
    name="split a budget between rate and size",
    answer=lambda rates, pixels, size, digit, least: _best_rate(rates, pixels, size, digit, least),
    cases=(
        (_RATES, _PIXELS, (720, 1280), 18, 3.5),
        (_RATES, 2 * _PIXELS, (720, 1280), 18, 3.5),
        (_RATES, _PIXELS, (720, 1280), 18, 6.0),
        (_RATES, _PIXELS, (720, 1280), 18, 9.0),
        (_RATES, 40 * _PIXELS, (240, 320), 6, 5.0),
    ),
    mistakes=(
        slip(_best_rate, "the lowest rate at which the digits can be read; a higher one that reads as well misses fewer moments", best=min),
        Mistake(lambda rates, *rest: max(rates), "the highest rate, whatever is left of the digits; it must leave them `least` pixels"),
        slip(_best_rate, "the digits shrank by the ratio of the areas; a height shrinks by its root", power=1),
        slip(_best_rate, "each frame was given all pixels of a second; `rate` frames share them", each=lambda pixels, rate: pixels),
    ),
    section=_SECTION + "“What we measured”",
)  # fmt: skip

EXERCISES = (middles, pair_times, chunks, clip_size, catching, changed, kept, cuts, best_rate)
