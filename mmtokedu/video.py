"""Clips become tokens: which frames are looked at, when they were, how many tokens they make, what need not be kept."""

from typing import NamedTuple

import numpy as np

from mmtokedu._dispatch import has_cuda_twin
from mmtokedu.arguments.common import check_number, whole
from mmtokedu.arguments.video import (
    LARGEST,
    WIDEST,
    check_between,
    check_count,
    check_features,
    check_frames,
    check_indices,
    check_keep,
    check_length,
    check_merge,
    check_one_of,
    check_rate,
    check_scores,
    check_times,
)
from mmtokedu.catalog import video as catalog
from mmtokedu.catalog.resize import clip_resize as clip_resize
from mmtokedu.media.soundtrack import soundtrack as soundtrack
from mmtokedu.media.video import ClipInfo as ClipInfo
from mmtokedu.media.video import Promised as Promised
from mmtokedu.media.video import clip_info as clip_info
from mmtokedu.media.video import frame_times as frame_times
from mmtokedu.media.video import frames_at as frames_at
from mmtokedu.media.video import iter_frames as iter_frames
from mmtokedu.media.video import keyframes as keyframes
from mmtokedu.media.video import read_frames as read_frames

# Which frames


def sample_frames(total, video_fps, *, fps=None, min_frames=None, max_frames=None, frames=None, rule="qwen-vl-utils"):
    """Which frames of a clip a system looks at: indices (n,), int64, from 0 to total - 1.

    total is the clip's number of frames, video_fps its frames a second; fps is the rate to look at, between min_frames
    and max_frames, or frames says how many. What is not given is the rule's own default; each rule takes those options
    that its peer takes. Indices are those of the peer, one by one: sorted, but for the appended frames of
    "minicpm-v-4.6-stack-2", and repeated where the peer repeats them.

    Raises TypeError for what is no number, ValueError for an unknown rule, an option that the rule does not have, an
    empty clip, a rate that is not above 0, and clips on which the peer crashes (too short, or an index beyond the end).
    Source: each rule's row in `mmtokedu/catalog/video.toml`.

    >>> sample_frames(100, 29.97).tolist()
    [0, 20, 40, 59, 79, 99]
    >>> sample_frames(100, 29.97, rule="transformers-qwen2").tolist()
    [0, 16, 33, 50, 66, 83]
    """
    options = {"fps": fps, "min_frames": min_frames, "max_frames": max_frames, "frames": frames}
    return catalog.sample_indices(rule, total, video_fps, **options)


def sample_frames_plain(total, video_fps, *, fps=2, min_frames=4, max_frames=768, merge=2):
    """`sample_frames` as its default rule reads: the version to read, and what the other is held to.

    Seconds times rate, between two bounds, down to whole groups of `merge` frames, on a line from first to last.
    Returns indices (n,) int64. Source: qwen-vl-utils 0.0.14, `vision_process.py`.

    >>> sample_frames_plain(100, 29.97).tolist()
    [0, 20, 40, 59, 79, 99]
    """
    count = total / video_fps * fps
    count = min(max(count, min_frames), max_frames, total)
    count = int(count // merge) * merge
    return np.linspace(0, total - 1, count).round().astype(np.int64)


# When they were


def timestamps(indices, video_fps, merge=2, *, at="middle"):
    """When the frames of each temporal patch were: seconds (ceil(n / merge),), float64.

    indices (n,) int are frames of a clip with video_fps frames a second; `merge` of them, one after the other, make a
    temporal patch (the last frame is repeated where they do not come out even). Its time is the mean of its first and
    its last frame's, or with at="first" that of its first.

    Raises TypeError for indices that are no whole numbers, ValueError for an empty row, a negative index, a rate that
    is not above 0, or another `at`.
    Source: transformers 5.23.0 `models/qwen3_vl/processing_qwen3_vl.py`; "first": `models/glm4v/processing_glm4v.py`.

    >>> timestamps([0, 12, 24, 36], 24.0).tolist(), timestamps([0, 12, 24, 36], 24.0, at="first").tolist()
    ([0.25, 1.25], [0.0, 1.0])
    """
    indices, video_fps, merge = check_indices(indices), check_rate(video_fps, "video_fps"), check_merge(merge)
    check_one_of(at, "at", ("middle", "first"))
    last = np.minimum(np.arange(0, len(indices), merge) + merge - 1, len(indices) - 1)  # of each patch
    first = indices[::merge] / video_fps
    return first if at == "first" else (first + indices[last] / video_fps) / 2


def timestamp_text(seconds, style="qwen3-vl"):
    """The text that tells a model when a frame was: a string for a number of seconds, a list for a row of them.

    The styles are those of the catalog, each as its model was trained with; "nemotron-h-omni" makes a label of two
    times, "internvl" counts frames instead.

    Raises ValueError for an unknown style, and for times that are negative, not finite or over 10**12 seconds.
    Source: each style's row in `mmtokedu/catalog/video.toml`.

    >>> timestamp_text(0.25), timestamp_text([0.0, 61.5], "gemma-4")
    ('<0.2 seconds>', ['00:00 ', '01:01 '])
    """
    labels = catalog.TEXTS[catalog.row("time", style).text](check_times(seconds))
    return labels[0] if np.ndim(seconds) == 0 else labels


def timestamp_labels(indices, video_fps, style="qwen3-vl"):
    """The labels of a sampled clip in one style: a list of strings, in the order of the frames.

    indices (n,) int are the sampled frames, video_fps the clip's frames a second. How many frames share a label, and
    which of them it names, is the style's.

    Raises as `timestamps` and `timestamp_text`. Source: each style's row in `mmtokedu/catalog/video.toml`.

    >>> timestamp_labels([0, 15, 30, 45], 30.0), timestamp_labels([0, 15, 30, 45], 30.0, "glm-4.1v")
    (['<0.2 seconds>', '<1.2 seconds>'], ['0', '1'])
    """
    system = catalog.row("time", style)
    if system.clock == "milliseconds":
        seconds = check_indices(indices) * int(1000 / check_rate(video_fps, "video_fps")) / 1000
    else:
        seconds = timestamps(indices, video_fps, system.merge, at=system.at)
    return timestamp_text(seconds, style)


# How many tokens they make


def video_tokens(model, frames, height, width):
    """How many positions the frames of a clip take in a model's sequence (or on a vendor's bill).

    frames is the number of frames that are taken, as by `sample_frames`; height and width are theirs, in pixels, before
    any resize. Counts feature positions, and LLaVA-OneVision's newline; not start and end markers, nor the text that
    says when a frame was. How it comes about, `mmtokedu.catalog.video.video_plan` tells.

    Raises ValueError for an unknown model (the message lists the known ones) and for clips that the system refuses.
    Source: each model's row in `mmtokedu/catalog/video.toml`.

    >>> video_tokens("qwen3-vl", 64, 1080, 1920), video_tokens("internvl", 8, 1080, 1920)
    (11648, 2048)
    """
    return catalog.video_plan(model, frames, height, width).tokens


# What need not be kept


class Kept(NamedTuple):
    """Tokens that were kept, and their positions before: of token (t, n) of a clip (T, N, D) it is t * N + n."""

    tokens: np.ndarray  # (kept, D)
    index: np.ndarray  # (kept,) int64, ascending


class Merged(NamedTuple):
    """Tokens that stand for one or several of those before."""

    tokens: np.ndarray  # (runs, D), the mean of those that it stands for
    size: np.ndarray  # (runs,) int64, how many those are
    source: np.ndarray  # (T, N) int64, in which token each of those before is now


def _cosines(features):
    """The cosine of each token (t, n) with (t - 1, n), float64 (T - 1, N), and the length of each token (T, N).

    Equal tokens have exactly 1: the root of a rounded square is the number again. A token of zeros has 0 with any.
    """
    largest = np.abs(features).max(axis=-1, keepdims=True).astype(np.float64)
    scaled = np.divide(features, largest, where=largest > 0, out=np.zeros(features.shape, np.float64))
    squares = (scaled * scaled).sum(axis=-1)
    dots = (scaled[1:] * scaled[:-1]).sum(axis=-1)
    both = np.sqrt(squares[1:] * squares[:-1])
    return np.divide(dots, both, where=both > 0, out=np.zeros(dots.shape)), largest[..., 0] * np.sqrt(squares)


def retained_tokens(tokens, frames, rate):
    """How many tokens of a clip EVS keeps at a pruning rate: int(all * (1 - rate)), and never less than one frame's.

    tokens are those of one frame, rate is the share to drop, from 0 to under 1.
    Raises ValueError or TypeError for counts and rates that are none.
    Source: vLLM 0.33.0 `multimodal/video_prune/evs.py`, `compute_retained_tokens_count`.

    >>> retained_tokens(64, 8, 0.5), retained_tokens(64, 8, 0.95)
    (256, 64)
    """
    tokens, frames = check_count(tokens, "tokens"), check_count(frames, "frames")
    rate = check_between(rate, "rate", 0, 1)
    return max(tokens, int(tokens * frames * (1 - rate)))


def prune_static(features, keep):
    """Efficient video sampling (EVS): keep the tokens that changed most since the frame before.

    features (T, N, D) floats, the N tokens of T frames; keep is how many of the T * N to keep. All N of the first frame
    are kept whatever `keep` says; the rest by 1 minus the cosine with the same token one frame earlier, of equals the
    earlier one. Returns Kept(tokens, index): their positions are needed, because each keeps its place.

    Raises TypeError for other than floats, ValueError for another shape, numbers that are not finite, or a keep that is
    no count or more than there are.
    Source: vLLM 0.33.0 `multimodal/video_prune/evs.py`, `compute_retention_mask`.

    >>> features = np.array([[[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [1.0, 0.0]]])
    >>> prune_static(features, 3).index.tolist()
    [0, 1, 3]
    """
    frames, tokens, width = check_features(features).shape
    keep = check_keep(keep, frames, tokens)
    cosines, lengths = _cosines(features)
    full = np.minimum(lengths / 1e-8, 1)  # torch divides by at least 1e-8: what is shorter has a smaller cosine
    changed = np.concatenate([np.full((1, tokens), 255.0), 1 - cosines * full[1:] * full[:-1]])
    index = np.sort(np.argsort(-changed.reshape(-1), kind="stable")[:keep])
    return Kept(features.reshape(-1, width)[index], index)


def merge_adjacent(features, threshold):
    """Merge what does not move: runs of tokens that resemble the same token of the frame before become their mean.

    features (T, N, D) floats, the N tokens of T frames. Token (t, n) joins (t - 1, n), and whatever that joined, where
    their cosine is at least `threshold`, from -1 to 1. Returns Merged(tokens, size, source (T, N)), a token a run, in
    the order of each run's first; the sizes add up to T * N, so that sum(size * tokens) is what it was.

    Raises TypeError for other than floats, ValueError for another shape, numbers that are not finite, or a threshold
    that is no cosine.
    Source: FrameFusion (arXiv 2501.01986), `framefusion/main.py`, the merging step with a fixed bound.

    >>> features = np.array([[[1.0, 0.0], [0.0, 1.0]], [[3.0, 0.0], [1.0, 0.0]]])
    >>> merged = merge_adjacent(features, 0.9)
    >>> merged.tokens.tolist(), merged.source.tolist()
    ([[2.0, 0.0], [0.0, 1.0], [1.0, 0.0]], [[0, 1], [0, 2]])
    """
    frames, tokens, width = check_features(features).shape
    threshold = check_between(threshold, "threshold", -1, 1)
    cosines, _ = _cosines(features)
    fresh = np.concatenate([np.ones((1, tokens), bool), cosines < threshold])  # (T, N): begins a run
    source = np.cumsum(fresh.reshape(-1)).reshape(frames, tokens) - 1
    for t in range(1, frames):
        source[t] = np.where(fresh[t], source[t], source[t - 1])
    order = np.argsort(source.reshape(-1), kind="stable")
    size = np.bincount(source.reshape(-1))
    starts = np.cumsum(size) - size
    sums = np.add.reduceat(features.reshape(-1, width)[order].astype(np.float64), starts)
    return Merged((sums / size[:, None]).astype(features.dtype), size, source)


def difference_mask(pixels, threshold=0.1, least=1):
    """VideoLLaMA3: which tokens to keep by their pixels alone, before any model has looked at them. bool (T, N).

    pixels (T, N, D) floats on the scale 0 to 1 or normalised, D all the pixels of one token; threshold is the mean
    absolute difference to the frame before, in 255ths of that scale, above which a token is kept. The first frame is
    kept; a frame with fewer than `least` tokens left gets its first `least` ones.

    Raises TypeError for other than floats, ValueError for another shape, numbers that are not finite, a negative
    threshold, or a `least` that is not from 0 to N.
    Source: transformers 5.23.0 `models/video_llama_3/video_processing_video_llama_3.py`, `_get_compression_mask`.

    >>> pixels = np.array([[[0.0], [0.0]], [[0.0], [0.5]], [[0.0], [0.5]]])
    >>> difference_mask(pixels).tolist()
    [[True, True], [False, True], [True, False]]
    """
    frames, tokens, _ = check_features(pixels, "pixels").shape
    threshold = check_between(threshold, "threshold", 0, LARGEST)
    least = whole(least, "least")
    if not 0 <= least <= tokens:
        raise ValueError(f"least is {least}; expected 0 to {tokens}, the tokens of a frame")
    mask = np.ones((frames, tokens), bool)
    for t in range(1, frames):
        mask[t] = np.abs(np.subtract(pixels[t], pixels[t - 1], dtype=np.float64)).mean(axis=-1) * 255 > threshold
        if mask[t].sum() < least:
            mask[t, :least] = True
    return mask


# Scenes

BAND = 2**18  # pixels of a frame whose colours are worked out at a time: a few megabytes, however large the frame

# OpenCV's own tables: 180/6 and 255 divided by 1 to 255, in 4096ths.
_HUE = np.array([0, *(round((180 << 12) / (6 * i)) for i in range(1, 256))], np.int32)
_SATURATION = np.array([0, *(round((255 << 12) / i) for i in range(1, 256))], np.int32)


def _hsv(frame):
    """Hue 0 to 179, saturation and value 0 to 255 of (H, W, 3) uint8 RGB, three int32 arrays, as OpenCV's."""
    r, g, b = np.moveaxis(frame.astype(np.int32), -1, 0)
    value = frame.max(axis=-1).astype(np.int32)
    spread = value - frame.min(axis=-1)
    hue = np.where(value == r, g - b, np.where(value == g, b - r + 2 * spread, r - g + 4 * spread))
    hue = (hue * _HUE[spread] + 2048) >> 12
    return hue + 180 * (hue < 0), (spread * _SATURATION[value] + 2048) >> 12, value


@has_cuda_twin
def scene_scores(frames, rule="content"):
    """How much each frame differs from the one before: scores (T,), float64, the first 0.

    frames (T, H, W, 3) uint8 RGB. rule "content" is PySceneDetect's: the mean over the pixels of the difference in hue
    (0 to 179, not taken round the circle), saturation and value, and of these three the mean. "luma" is the cheap one:
    the mean difference in brightness, 0 to 255, of every fourth pixel of every fourth row.

    Raises TypeError for other than uint8, ValueError for another shape or rule.
    Source: PySceneDetect 0.7.2 `detectors/content_detector.py`, OpenCV's `COLOR_BGR2HSV` for 8 bits.

    >>> frames = np.zeros((3, 4, 4, 3), np.uint8)
    >>> frames[2] = 255
    >>> scene_scores(frames).tolist(), scene_scores(frames, "luma").tolist()
    ([0.0, 0.0, 85.0], [0.0, 0.0, 255.0])
    """
    check_frames(frames)
    check_one_of(rule, "rule", SCENE_RULES)
    channels = SCENE_RULES[rule]
    length, height, width, _ = frames.shape
    rows, sums, pixels = max(4, BAND // width // 4 * 4), 0, 0
    for band in (slice(top, top + rows) for top in range(0, height, rows)):
        differences, before = [], channels(frames[0, band])
        for frame in frames[:, band]:
            now = channels(frame)
            differences.append([np.abs(a - b).sum(dtype=np.int64) for a, b in zip(now, before)])
            before = now
        sums, pixels = sums + np.array(differences), pixels + before[0].size
    return _mean_of_means(sums.astype(np.float64), pixels)


def _mean_of_means(sums, pixels):
    """Scores (T,) of sums (T, channels) over so many pixels, float64; an array or a tensor.

    The means are added from left to right, as PySceneDetect adds NumPy's floats; `sum` of Python's own makes up for
    the rounding since Python 3.12.
    """
    return sum((sums / pixels).T) / sums.shape[1]


def _luma(frame):
    """Brightness of every fourth pixel of every fourth row, int32; the weights are ITU-R BT.601's, in 256ths."""
    return ((frame[::4, ::4] @ np.array([77, 150, 29], np.int32)) >> 8,)


SCENE_RULES = {"content": _hsv, "luma": _luma}


def scene_cuts(scores, threshold=27.0, min_length=15):
    """Where scenes begin, by a fixed threshold: frames (n,), int64, ascending.

    scores (T,) as of `scene_scores`; the clip's first frame is not listed. A frame whose score is at least `threshold`
    begins a scene. Cuts that follow one another faster than `min_length` frames (a flash, a fade) become one, at their
    last frame, once they have lasted min_length and min_length frames have passed without one.

    Raises ValueError or TypeError for scores that are no row of finite numbers from 0 up, a threshold that is not above
    0, or a length that is no count.
    Source: PySceneDetect 0.7.2 `detector.py`, `FlashFilter` in its default mode, with frame numbers.

    >>> scene_cuts([0, 1, 30, 1, 1, 40, 1, 1], min_length=2).tolist()
    [2, 5]
    """
    scores, min_length = check_scores(scores), check_length(min_length)
    threshold = check_number(threshold, "threshold", "a score")
    cuts, last, began, merging = [], 0, None, False  # last: the last frame above; began: of the cuts that are merged
    for i, above in enumerate((scores >= threshold).tolist()):
        far = i - last >= min_length
        last = i if above else last
        if merging:
            if far and not above and last - began >= min_length:
                merging = False
                cuts.append(last)
        elif above and far:
            cuts.append(i)
        elif above and cuts:  # nothing is merged before the first cut
            merging, began = True, i
    return np.array(cuts, np.int64)


def adaptive_cuts(scores, threshold=3.0, min_length=15, *, window=2, least=15.0):
    """Where scenes begin, by a threshold that moves along: frames (n,), int64, ascending.

    A frame begins a scene where its score is at least `threshold` times the mean of `window` frames on either side, and
    at least `least`; min_length frames after the last cut, or the clip's start, at the earliest. A camera that moves
    raises all scores alike and cuts nothing.

    Raises as `scene_cuts`. Source: PySceneDetect 0.7.2 `detectors/adaptive_detector.py`.

    >>> adaptive_cuts([0, 20, 20, 20, 90, 20, 20], min_length=1).tolist()
    [4]
    """
    scores, min_length = check_scores(scores), check_length(min_length)
    threshold, least = check_number(threshold, "threshold", "times"), check_number(least, "least", "a score")
    window = check_count(window, "window", WIDEST)
    inner = max(0, len(scores) - 2 * window)  # the frames that have neighbours on either side
    # Added from left to right, as PySceneDetect adds NumPy's floats.
    around = sum(scores[k : k + inner] for k in range(2 * window + 1) if k != window) / (2.0 * window)
    middle = scores[window : window + inner]
    ratio = np.minimum(np.divide(middle, around, out=np.full(inner, 255.0), where=around >= 1e-5), 255.0)
    cuts, last = [], 0
    for i in (np.flatnonzero((middle >= least) & (ratio >= threshold)) + window).tolist():
        if i - last >= min_length:
            cuts.append(i)
            last = i
    return np.array(cuts, np.int64)


def adaptive_frames(scores, frames, share=0.5):
    """Look where something happens: frames (n,), int64, ascending, close together where the scores are high.

    scores (T,) as of `scene_scores`. The clip is cut into `frames` pieces of equal weight, of each the frame in its
    middle, no frame twice: a frame weighs 1 - share for its time and share for its part of all change. With share=0
    these are InternVL's middles.

    Raises ValueError or TypeError for scores that are no row of finite numbers from 0 up, more frames than there are,
    or a share outside 0 to 1.
    Source: ours, the simplest rule that does so; compare AKS (arXiv 2502.21271), which chooses frames by a question.

    >>> adaptive_frames([0, 0, 0, 0, 9, 9, 0, 0, 0, 0], 4).tolist()
    [2, 4, 5, 7]
    """
    scores, frames, share = check_scores(scores), check_count(frames, "frames"), check_between(share, "share", 0, 1)
    if frames > len(scores):
        raise ValueError(f"{frames} frames are asked for and the clip has {len(scores)}")
    change = scores / scores.sum() if scores.any() else np.full(len(scores), 1 / len(scores))
    ends = np.cumsum((1 - share) / len(scores) + share * change)
    order = np.arange(frames)
    index = np.searchsorted(ends, (order + 0.5) / frames * ends[-1], side="right")
    index = np.maximum.accumulate(index - order) + order  # each after the one before it
    return np.minimum(index, len(scores) - frames + order)
