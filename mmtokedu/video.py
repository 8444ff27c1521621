"""Clips become tokens: which frames are looked at, when they were, how many tokens they make, what need not be kept."""

import numpy as np

from mmtokedu.arguments.video import check_indices, check_merge, check_rate, check_times
from mmtokedu.catalog import video as catalog
from mmtokedu.catalog.resize import clip_resize as clip_resize

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
    if at not in ("middle", "first"):
        raise ValueError(f'at is {at!r}; known are "middle" and "first"')
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
