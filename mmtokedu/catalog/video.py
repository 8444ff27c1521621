"""From a clip to its frames, its times and its tokens: one function a rule, numbers in catalog/video.toml.

A sampling rule takes the clip's number of frames, its rate in Hz and the options of its row, and returns the indices of
the frames to keep. Rounding follows each peer's own code, float by float: where it works in torch's float32, so does
the rule here, because an index is what is left after the fraction is cut off.
"""

import datetime
import functools
import math
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from mmtokedu import catalog
from mmtokedu.arguments.common import check_size
from mmtokedu.arguments.resize import check_resize
from mmtokedu.arguments.video import check_clip, check_count, check_kept, check_options, check_order
from mmtokedu.catalog.images import token_budget
from mmtokedu.catalog.resize import clip_resize, within_area


@dataclass(frozen=True)
class SamplingRow:
    """One system's way from a clip to the frames it looks at: a rule of this module, its options, who says so."""

    name: str
    title: str
    rule: str
    options: tuple  # those that `sample_frames` may set
    defaults: MappingProxyType  # what holds when they are not set
    about: str
    fails: str  # what the peer does with clips that the rule refuses
    source: str
    as_of: datetime.date
    verified: str  # "run" or "read"
    parameters: MappingProxyType = field(default_factory=dict)  # what nobody may set
    either: tuple = ("fps", "frames")  # one of them; the one that is given replaces the default of the other

    def __post_init__(self):
        if self.verified not in ("run", "read"):
            raise ValueError(f"catalog row {self.name!r}: verified is {self.verified!r}")


@dataclass(frozen=True)
class TimeRow:
    """How one system tells a model when a frame was."""

    name: str
    title: str
    text: str  # a function of this module: seconds -> labels
    merge: int  # frames that share a time
    at: str  # "first" or "middle" of them
    place: str  # of the label: "before" or "after" the frame's tokens, "in the pixels"
    about: str
    source: str
    as_of: datetime.date
    verified: str  # "run" or "read"
    clock: str = "seconds"  # or "milliseconds": a frame is a whole number of them long

    def __post_init__(self):
        if self.verified not in ("run", "read") or self.at not in ("first", "middle"):
            raise ValueError(f"catalog row {self.name!r}: verified is {self.verified!r}, at is {self.at!r}")


@dataclass(frozen=True)
class TokenRow:
    """One system's way from the frames it looks at to tokens: a rule of this module, its parameters, who says so."""

    name: str
    title: str
    kind: str  # "vision" or "billing"
    rule: str
    parameters: MappingProxyType
    about: str
    source: str
    as_of: datetime.date
    verified: str  # "run" or "read"
    sampling: str = ""  # its sampling rule, where there is a row
    time: str = ""  # its style, where there is a row

    def __post_init__(self):
        if self.kind not in ("vision", "billing") or self.verified not in ("run", "read"):
            raise ValueError(f"catalog row {self.name!r}: kind is {self.kind!r}, verified is {self.verified!r}")


@functools.cache
def rows(kind):
    """The rows of one kind by name, in the catalog's order: "sampling", "time" or "tokens".

    Source: `mmtokedu/catalog/video.toml`, where each row names its own.

    >>> rows("sampling")["smolvlm"].defaults["max_frames"]
    64
    """
    return catalog.one("kind of video row", kind, catalog.read_kinds("video", KINDS))


def row(kind, name):
    """The row of this name, or a ValueError that lists the names there are.

    Source: `mmtokedu/catalog/video.toml`.

    >>> row("sampling", "internvl").source
    'transformers 5.23.0 models/internvl/video_processing_internvl.py'
    """
    return catalog.one(KINDS[kind][0], name, rows(kind))


def _sampling_row(name, row):
    row = {"parameters": {}, "fails": "", **row}
    row |= {field: MappingProxyType(row[field]) for field in ("defaults", "parameters")}
    row |= {field: tuple(row[field]) for field in ("options", "either") if field in row}
    return SamplingRow(name=name, **row)


KINDS = {  # kind -> what a message calls it, what makes a row
    "sampling": ("sampling rule", _sampling_row),
    "time": ("style", lambda name, row: TimeRow(name=name, **row)),
    "tokens": ("model", lambda name, row: TokenRow(name, parameters=MappingProxyType(row.pop("parameters")), **row)),
}


def sample_indices(rule, total, video_fps, **options):
    """The frames a rule keeps: indices, int64. An option that is None takes the rule's own default.

    Raises ValueError for an unknown rule, an option that it does not have, a clip that it keeps nothing of, and a clip
    of which it asks for frames that are not there; the row's `fails` says what the peer does then.
    Source: the rule's row in `mmtokedu/catalog/video.toml`.

    >>> sample_indices("smolvlm", 100, 29.97).tolist()
    [0, 49, 99]
    """
    system = row("sampling", rule)
    total, video_fps = check_clip(total, video_fps)
    try:
        given = check_options(options, system.options, system.either)
        settled = dict(system.defaults) | given
        if given.keys() & set(system.either):
            settled = {name: n for name, n in settled.items() if name in given or name not in system.either}
        indices = SAMPLING[system.rule](total, video_fps, **settled, **system.parameters)
    except ValueError as error:
        raise ValueError(f"{rule}: {error}") from None
    indices = np.asarray(indices, np.int64)
    clip = f"a clip of {total} frames at {video_fps:g} Hz"
    if not len(indices):
        raise ValueError(f"{rule}: keeps no frame of {clip} (a longer clip, or another rule)")
    if indices.max() >= total:
        beyond = int((indices >= total).sum())
        raise ValueError(
            f"{rule}: {beyond} of the {len(indices)} indices are beyond the end of {clip}: "
            f"the last is {indices.max()}, the floats of its step do not add up (another count, or another rule)"
        )
    return indices


# Counts that several rules share.


def _pairs(total, video_fps, fps, min_frames, max_frames, frames):
    """Qwen's count: seconds times rate between two bounds, whole pairs; or what `frames` says, the nearest pairs."""
    if frames is not None:
        count = round(frames / 2) * 2
    else:
        check_order(min_frames, max_frames)
        least, most = -(-min_frames // 2) * 2, max_frames // 2 * 2
        count = math.floor(min(max(total / video_fps * fps, least), most, total) / 2) * 2
    if not 2 <= count <= total:
        raise ValueError(f"{count} of {total} frames would be kept; expected 2 to {total} (an image has its own rules)")
    return check_kept(count)


def _clamped(total, video_fps, fps, min_frames, max_frames):
    """Seconds times rate, rounded down, between two bounds; never more than there are."""
    check_order(min_frames, max_frames)
    return min(max(int(total / video_fps * fps), min_frames), max_frames, total)


def _not_more(count, total):
    if count > total:
        raise ValueError(f"{count} frames are asked for and the clip has {total} (frames={total} keeps them all)")
    return check_kept(count)


# What torch makes of a range and of a line. Its CPU code works in float32, eight numbers at a time.


def _torch_arange(stop, step, start=0.0):
    """torch.arange(start, stop, step).int() of floats: may be one too long, and then reaches `stop`."""
    if stop >= 2**31:
        raise ValueError(f"{stop} frames do not fit the int32 that the rule counts in")
    count = check_kept(math.ceil((stop - start) / step))
    i = np.arange(count)
    lane = np.where(i < count // 16 * 16, i % 8, 0)  # what fills no block of sixteen is computed one by one
    first = (start + step * (i - lane)).astype(np.float32)
    return (first.astype(np.float64) + step * lane).astype(np.float32).astype(np.int64)


def _torch_linspace(stop, count):
    """torch.linspace(0, stop, count), float32: from 0 up in the first half, from `stop` down in the second.

    The second half is rounded once, as processors with a fused multiply-add do it; one without may differ in it.
    """
    if count == 1:
        return np.zeros(1, np.float32)
    stop = np.float32(stop)
    step = stop / np.float32(count - 1)
    i = np.arange(count)
    down = np.float64(stop) - np.float64(step) * (count - 1 - i)
    return np.where(i < count // 2, step * i.astype(np.float32), down.astype(np.float32))


# From the first frame to the last.


def line_rounded_float32(total, video_fps, *, fps=None, min_frames=None, max_frames=None, frames=None):
    """qwen-vl-utils: whole pairs on a line from the first frame to the last, rounded."""
    count = _pairs(total, video_fps, fps, min_frames, max_frames, frames)
    return np.round(_torch_linspace(total - 1, count))


def line_truncated(total, video_fps, *, fps=None, min_frames=None, max_frames=None, frames=None):
    """vLLM and SGLang: the same line, the fraction cut off; as many frames as `frames` says, or Qwen's count."""
    if frames is None:
        frames = _pairs(total, video_fps, fps, min_frames, max_frames, None)
    return np.linspace(0, total - 1, _not_more(frames, total), dtype=np.int64)


def line_rounded(total, video_fps, *, fps=None, min_frames=None, max_frames=None, frames=None):
    """Qwen3-VL, Cosmos3-Edge: an odd count may stay odd, and more frames than there are repeat some."""
    count = frames or _clamped(total, video_fps, fps, min_frames, max_frames)
    return np.linspace(0, total - 1, check_kept(count)).round()


def line_truncated_float32(total, video_fps, *, fps, max_frames):
    """Muse-Glimmer: whole pairs on a line, in float32, the fraction cut off."""
    count = min(int(total * fps / video_fps), max_frames, total)
    count = min(max(2, count // 2 * 2), total)
    return _torch_linspace(total - 1, check_kept(count))


def line_of_a_few(total, video_fps, *, fps=None, frames=None):
    """PE-video: `frames` on a line, also where the clip has fewer; at a rate, the shared rule."""
    if frames is None:
        return steps(total, video_fps, fps=fps)
    if frames == 1:
        raise ValueError("frames=1 leaves no step between frames (at least 2)")
    return [int(i * (total - 1) / (frames - 1)) for i in range(check_kept(frames))]


def line_inside(total, video_fps, *, fps, max_frames, skip):
    """SmolVLM: as many frames as seconds, on a line that leaves out `skip` seconds at both ends of a long clip."""
    seconds, start, end = total / video_fps, 0, total - 1
    count = max(min(round(fps * seconds), max_frames), 1)
    if seconds - 2 * skip > max_frames * fps:  # frames times rate: no length of time, but the peer's own test
        start, end = int(skip * video_fps), min(int(total - skip * video_fps), total - 1)
    if start >= end:
        start, end = 0, total - 1
    return np.unique(np.linspace(start, end, check_kept(count), dtype=np.int64))


# In equal steps, which never reach the last frame.


def steps(total, video_fps, *, fps=None, frames=None):
    """transformers' shared rule: frame i * total // n, exact; every frame where nobody says how many."""
    if frames is None:
        frames = total if fps is None else max(1, int(total / video_fps * fps))
    return [i * total // frames for i in range(_not_more(frames, total))]


def steps_of_a_range(total, video_fps, *, temporal, fps=None, min_frames=None, max_frames=None, frames=None):
    """Qwen2-VL, VideoLLaMA3 in transformers: a range with a float step; whole groups of `temporal` frames."""
    if frames is not None:
        count = round(frames / temporal) * temporal
    else:
        check_order(min_frames, max_frames)
        most = min(max_frames, total) // temporal * temporal
        count = math.floor(min(max(total / video_fps * fps, min_frames), most, total) / temporal) * temporal
    if not count:
        raise ValueError(f"{total} frames hold no group of {temporal} (the peer divides by zero)")
    return _torch_arange(total, total / _not_more(count, total))


def steps_of_a_fraction(total, video_fps, *, min_frames, max_frames, fps=None, frames=None):
    """Ernie: the count need not be whole, so that the range has one more."""
    check_order(min_frames, max_frames)
    if frames is not None and not min_frames <= frames <= max_frames:
        raise ValueError(f"frames={frames}; expected {min_frames} to {max_frames}")
    count = frames or min(max(total / video_fps * fps, min_frames), max_frames, total)
    return _torch_arange(total, total / _not_more(count, total))


def steps_below_a_rate(total, video_fps, *, limit, fps=None, max_frames=None):
    """Molmo2: `max_frames` of the clip, fewer where that would be more than `limit` a second; or `fps` a second."""
    seconds = total / video_fps
    count = max_frames if fps is None else int(seconds * fps)
    if fps is None and video_fps > limit:
        count = min(count, int(seconds * limit))
    return _torch_arange(total, total / check_kept(max(min(count, total), 1)))


def middles(total, video_fps, *, fps=None, frames=None):
    """InternVL: the clip in equal pieces, of each the middle."""
    count = frames or int(total / video_fps * fps)
    if not count:
        raise ValueError(
            f"{total} frames at {video_fps:g} Hz are no frame at {fps:g} a second (the peer divides by zero)"
        )
    step = total / _not_more(count, total)
    return _torch_arange(total, step, start=step / 2)


# By the clock.


def each_tick(total, video_fps, *, fps, longest):
    """GLM-4.1V: the first frame at or after each tick; over `longest` seconds, as many ticks over the whole clip."""
    seconds, last = total / video_fps, total - 1
    if seconds <= longest:
        count = check_kept(max(math.floor(seconds * fps), 1))
        indices = [min(last, math.ceil(i * video_fps / fps)) for i in range(count)]
    else:
        count = int(longest * fps)
        ticks = np.linspace(0, seconds, check_kept(min(count, total)))
        indices = range(total) if count >= total else [min(last, math.ceil(t * video_fps)) for t in ticks.tolist()]
    return _even(indices)


def each_due(total, video_fps, *, rates, max_frames, longest):
    """GLM-4.6V: the longer the clip, the lower the rate: `rates` are [up to these seconds, frames a second]."""
    seconds = min(total / video_fps, longest)
    fps = next(rate for up_to, rate in rates if seconds <= up_to)
    return _when_due(total, video_fps, int(seconds * fps), fps, max_frames)


def each_due_at_a_rate(total, video_fps, *, fps, max_frames):
    """GLM5-next: one rate, at most so many."""
    return _when_due(total, video_fps, int(total / video_fps * fps), fps, max_frames)


def _when_due(total, video_fps, count, fps, max_frames):
    """Frames as they fall due, until the last whole second; where they are not `count`, a line of so many."""
    count = check_kept(min(count, max_frames))
    end, each, interval = int(total / video_fps), 1 / video_fps, 1 / fps
    kept, due, frame = [], 0, 0
    while total >= count and frame < total and len(kept) <= count:
        kept.append(frame)
        due += interval
        if due >= end:
            break
        frame = max(frame + 1, math.ceil(due / each) - 2)  # just before the first frame at or after `due`
        while frame * each < due:
            frame += 1
    if total < count or len(kept) > count:
        kept = [0, total - 1]
    if len(kept) != count:
        kept = np.linspace(kept[0], kept[-1], count, dtype=np.int64).tolist()
    return _even(kept)


def _even(indices):
    """Each index once; the last one twice where that makes the count even."""
    indices = list(dict.fromkeys(indices))
    return indices + indices[-1:] if len(indices) % 2 else indices


def each_second(total, video_fps, *, max_frames, stack):
    """MiniCPM-V: a frame a second; of a long clip `max_frames` of its tenths. A stack appends the frames between.

    With stack = 3, two more frames of each second follow, after all the others, at a third and two thirds of it.
    """
    seconds, last = total / video_fps, total - 1
    whole = math.ceil(seconds)
    if seconds > max_frames:
        tenths = np.linspace(0, int(seconds / 0.1) - 1, check_kept(max_frames), dtype=np.int64)
        indices = [min(int(round(i * 0.1, 1) * video_fps), last) for i in tenths.tolist()]
    else:
        indices = [int(i * video_fps) for i in range(check_kept(whole))]
    between, most = stack - 1, max_frames * (stack - 1)
    count = (whole - 1) * between + sum(whole - 1 + j / stack < seconds for j in range(1, stack))
    chosen = (
        range(check_kept(count))
        if count <= most
        else np.linspace(0, count - 1, check_kept(most), dtype=np.int64).tolist()
    )
    times = (i // between + (i % between + 1) / stack for i in chosen)
    return indices + [min(int(time * video_fps), last) for time in times]


SAMPLING = {
    rule.__name__: rule
    for rule in (
        line_rounded_float32, line_truncated, line_rounded, line_truncated_float32, line_of_a_few, line_inside, steps,
        steps_of_a_range, steps_of_a_fraction, steps_below_a_rate, middles, each_tick, each_due, each_due_at_a_rate,
        each_second,
    )
}  # fmt: skip


# When a frame was, as text: a list of seconds becomes a list of labels.


def angle_brackets(times):
    return [f"<{time:.1f} seconds>" for time in times]


def whole_seconds(times):
    return [f"{int(time)}" for time in times]


def tenths(times):
    return [f"{time:.1f} seconds" for time in times]


def bare_tenths(times):
    return [f"{time:.1f} " for time in times]


def minutes(times):
    return [f"{int(time // 60):02d}:{int(time % 60):02d} " for time in times]


def frame_from(times):
    return [f"Frame from {label.strip()}:" for label in minutes(times)]


def milliseconds(times):
    clock = ((time, int(time)) for time in times)
    return [f"{s // 3600 % 24:02d}:{s // 60 % 60:02d}:{s % 60:02d}.{int(time % 1 * 1000):03d}" for time, s in clock]


def time_colon(times):
    return [f"Time {time:.1f}s:" for time in times]


def time_seconds(times):
    return [f"Time: {time:.1f}s" for time in times]


def own_brackets(times):
    return [f"]<]{time:.1f} seconds[>[" for time in times]


def sampled_at(times):
    """A label a pair of frames: it counts them and names the time of both."""
    each = [f"{'fF'[i % 2 == 0]}rame {i + 1} sampled at {time:.2f} seconds" for i, time in enumerate(times)]
    return [" and ".join(each[i : i + 2]) + ": " for i in range(0, len(each), 2)]


def drawn(times):
    clock = ((time // 3600, time % 3600 // 60, time % 3600 % 60) for time in times)
    return [f"time: {int(hours):02d}:{int(mins):02d}:{seconds:05.02f}" for hours, mins, seconds in clock]


def numbered(times):
    return [f"Frame{i + 1}: " for i in range(len(times))]


TEXTS = {
    text.__name__: text
    for text in (
        angle_brackets, whole_seconds, tenths, bare_tenths, minutes, frame_from, milliseconds, time_colon, time_seconds,
        own_brackets, sampled_at, drawn, numbered,
    )
}  # fmt: skip


# From the frames that were taken to tokens. A rule takes their number, height and width and returns the size that each
# is cut at, the grid (t, rows, cols) of tokens, and (what, count) that add up to the clip's tokens.


@dataclass(frozen=True)
class VideoPlan:
    """What a system makes of the frames it takes. Sizes are (height, width) in pixels."""

    model: str
    clip: tuple  # (frames, height, width)
    resized: tuple  # (int, int), the size that each frame is cut at; padding included where the system pads
    grid: tuple  # (t, rows, cols) of tokens; of a model that cuts frames into slices, those of the whole frame
    parts: tuple  # ((what, count), ...)

    @property
    def tokens(self):
        return sum(count for _, count in self.parts)


def video_plan(model, frames, height, width):
    """How a model cuts so many frames of this size, and what its tokens are made of.

    frames is the number of frames that are taken (as by `sample_indices`), sizes are pixels before any resize. Returns
    a VideoPlan(model, clip, resized, grid, parts, tokens).
    Raises ValueError for an unknown model or a clip the system refuses, TypeError for what is not whole.
    Source: the model's row in `mmtokedu/catalog/video.toml`.

    >>> plan = video_plan("glm-4.1v", 64, 1080, 1920)
    >>> plan.resized, plan.grid, plan.tokens
    ((616, 1120), (32, 22, 40), 28160)
    """
    system = row("tokens", model)
    frames, (height, width) = check_count(frames, "frames"), check_size(height, width)
    try:
        resized, grid, parts = TOKENS[system.rule](frames, height, width, **system.parameters)
    except ValueError as error:
        raise ValueError(f"{model}: {error}") from None
    return VideoPlan(model, (frames, height, width), resized, grid, tuple((what, n) for what, n in parts if n))


def _cells(resized, factor, patches):
    """Frames of this size as `patches` in time, one token a cell of `factor`."""
    grid = patches, resized[0] // factor, resized[1] // factor
    return resized, grid, [("patches", math.prod(grid))]


def whole_clip(frames, height, width, *, factor, temporal, min_pixels, max_pixels):
    """Qwen3-VL, GLM-4V, Cosmos3-Edge: one cap over all frames together."""
    bounds = {"min_pixels": min_pixels, "max_pixels": max_pixels}
    resized = clip_resize(frames, height, width, factor=factor, temporal=temporal, **bounds)
    return _cells(resized, factor, -(-frames // temporal))


def cap_for_each(frames, height, width, *, factor, min_tokens, max_tokens, clip_tokens):
    """qwen-vl-utils: a cap for each frame, which falls when the clip's share of the context is smaller."""
    check_resize(height, width, "qwen-vl-utils")
    even = frames + frames % 2
    least = min_tokens * factor**2
    share = clip_tokens * factor * factor * 0.9 / even * 2  # nine tenths of the context, two frames a token
    most = max(min(max_tokens * factor**2, share), int(least * 1.05))
    return _cells(within_area(height, width, factor, least, most, "qwen-vl-utils"), factor, even // 2)


def equal_shares(frames, height, width, *, factor, min_pixels, max_pixels):
    """VideoLLaMA3: each frame gets an equal share of the clip's pixels, also where that is under its least."""
    check_resize(height, width, "transformers")
    share = max_pixels // frames
    if not share:
        raise ValueError(f"{frames} frames share {max_pixels} pixels: none for each (the peer divides by zero)")
    return _cells(within_area(height, width, factor, min_pixels, share), factor, frames)


def each_alone(frames, height, width, *, factor, temporal, min_pixels, max_pixels):
    """ERNIE: each frame as an image, then whole groups of frames a token."""
    check_resize(height, width, "transformers")
    return _cells(within_area(height, width, factor, min_pixels, max_pixels), factor, -(-frames // temporal))


def token_budget_of_a_clip(frames, height, width, *, factor, temporal, min_tokens, max_tokens):
    """GLM5-next: sides rounded up; over the budget, the tallest content that fits, by bisection; padded."""
    patches = max(1, round(frames / temporal))
    most = max_tokens // patches  # tokens a temporal patch
    rows, cols = -(-height // factor), -(-width // factor)
    if patches * rows * cols < min_tokens:
        scale = math.sqrt(min_tokens * temporal * factor**2 / (frames * height * width))
        rows, cols = (-(-max(1, math.ceil(side * scale)) // factor) for side in (height, width))
    if patches * rows * cols > max_tokens:
        if not most:
            raise ValueError(f"{frames} frames are {patches} patches in time; at most {max_tokens} tokens are spent")
        rows, cols, low, high = 1, 1, 1, height
        while low <= high:
            middle = (low + high) // 2
            other = max(1, math.floor(width * middle / height))
            fits = -(-middle // factor), -(-other // factor)
            if math.prod(fits) <= most:
                (rows, cols), low = fits, middle + 1
            else:
                high = middle - 1
    return _cells((rows * factor, cols * factor), factor, -(-frames // temporal))


def pooled_chunks(frames, height, width, *, factor, chunk, max_patches, longest):
    """Kimi: shrunk under two limits, padded; the mean over each chunk of frames, then 2x2 patches a token."""
    patch = factor // 2
    count = max(1.0, height // patch) * max(1.0, width // patch)
    scale = min(1.0, math.sqrt(max_patches / count), longest * patch / height, longest * patch / width)
    new = (min(max(1, int(side * scale)), longest * patch) for side in (height, width))
    resized = tuple(-(-side // factor) * factor for side in new)
    return _cells(resized, factor, -(-frames // chunk))


def nearest_grid(frames, height, width, *, cell, temporal, max_tokens):
    """Muse-Glimmer: of the grids around the ideal one, that nearest in shape; of equals, its set's first."""
    high, wide = height / cell, width / cell
    ratio = wide / high
    if high * wide > max_tokens:
        high = (max_tokens / ratio) ** 0.5
        wide = high * ratio
    around = {(r, c) for r in (math.floor(high), math.ceil(high)) for c in (math.floor(wide), math.ceil(wide))}
    fits = [(rows, cols) for rows, cols in around if rows >= 1 and cols >= 1 and rows * cols <= max_tokens]
    fits = fits or [(max(1, round(high)), max(1, round(wide)))]
    rows, cols = min(fits, key=lambda grid: abs(grid[0] / grid[1] - height / width))
    return _cells((rows * cell, cols * cell), cell, -(-frames // temporal))


def budget_for_each(frames, height, width, *, cell, max_tokens):
    """Gemma 4: its image rule, with a small budget, for each frame."""
    resized, _, _, _ = token_budget(height, width, cell=cell, max_tokens=max_tokens)
    return _cells(resized, cell, frames)


def squares(frames, height, width, *, side, grid, once=0):
    """InternVL, LLaVA-OneVision, SmolVLM, Molmo2: each frame a square of as many tokens, whatever its size."""
    return (side, side), (frames, grid, grid), [("frames", frames * grid * grid), ("newline", once)]


def slices(frames, height, width, *, side, cell, max_slices):
    """MiniCPM-V: each frame whole, and again in up to `max_slices` slices, each of about side * side pixels."""
    grid = _slice_grid(height, width, side, max_slices)
    whole = _in_cells(height, width, side, cell, grow=grid is None)
    parts = [("frames", frames * math.prod(whole) // cell**2)]
    if grid:
        high, wide = (max(round(n / k) * k, k) / k for n, k in zip((height, width), grid, strict=True))
        each = math.prod(_in_cells(high, wide, side, cell, grow=True)) // cell**2
        parts.append(("slices", frames * math.prod(grid) * each))
    return whole, (frames, whole[0] // cell, whole[1] // cell), parts


def _in_cells(height, width, side, cell, grow):
    """The nearest whole cells, at an area of side * side where it is larger or may grow."""
    if grow or height * width > side * side:
        aspect = width / height
        height = int(side / math.sqrt(aspect))
        width = int(height * aspect)
    return tuple(max(round(length / cell) * cell, cell) for length in (height, width))


def _slice_grid(height, width, side, most):
    """The (rows, cols) nearest in shape with about as many slices as the area asks for, or None for one slice."""
    wanted = min(math.ceil(width * height / (side * side)), most)
    if wanted <= 1:
        return None
    best, least = (1, 1), math.inf
    for count in range(max(wanted - 1, 2), min(wanted + 1, most) + 1):
        for rows in (rows for rows in range(1, count + 1) if count % rows == 0):
            gap = abs(math.log(width / height) - math.log(count // rows / rows))
            if gap < least or (gap == least and rows > best[0]):
                best, least = (rows, count // rows), gap
    return best


def billed_frames(frames, height, width, *, tokens):
    """Gemini: so many a frame, whatever its size."""
    return (height, width), (frames, 1, 1), [("frames", frames * tokens)]


TOKENS = {
    rule.__name__: rule
    for rule in (
        whole_clip, cap_for_each, equal_shares, each_alone, token_budget_of_a_clip, pooled_chunks, nearest_grid,
        budget_for_each, squares, slices, billed_frames,
    )
}  # fmt: skip
