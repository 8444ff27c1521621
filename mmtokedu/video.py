"""Clips become tokens: which frames are looked at, when they were, how many tokens they make, what need not be kept."""

import numpy as np

from mmtokedu.catalog import video as catalog

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
