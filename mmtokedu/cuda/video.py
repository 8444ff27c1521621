"""Torch twins of `mmtokedu.video`; the docstrings are there."""

import torch

from mmtokedu import video
from mmtokedu.arguments.video import check_frames, check_one_of
from mmtokedu.cuda import runs_triton
from mmtokedu.cuda.vq import _has_float64


def scene_scores(frames, rule="content"):
    """See `mmtokedu.video.scene_scores`. On a card one kernel adds whole numbers: the scores are equal to NumPy's.

    They are where the frames are; on the CPU, where that has no float64 (Apple's).
    """
    check_frames(frames)
    check_one_of(rule, "rule", video.SCENE_RULES)
    if not runs_triton(frames):
        scores = torch.from_numpy(video.scene_scores(frames.numpy(force=True), rule))
        return scores.to(frames.device) if _has_float64(frames.device) else scores
    from mmtokedu.cuda.kernels import video as kernels

    luma = rule == "luma"
    rows, cols, tiles = kernels.looked_at(frames.shape, luma)
    sums = torch.empty((len(frames), 1 if luma else 3, tiles), dtype=torch.int32, device=frames.device)
    kernels.differences(frames.contiguous(), luma, sums)
    return video._mean_of_means(sums.sum(dim=2, dtype=torch.int64).double(), rows * cols)
