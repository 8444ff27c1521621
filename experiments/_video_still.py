"""What does not move need not be sent: a number after the tokens that stand still were dropped.

A clip is sampled twice a second and cut into tokens of 28 x 28 pixels of one frame. A dropped token shows what the last
one that was kept at its place showed; the number is read out of the frames that are rebuilt so.
"""

import numpy as np
from PIL import Image

from mmtokedu.samples.moments import moment
from mmtokedu.video import difference_mask, prune_static, retained_tokens

TOKEN, SIZE = 28, (280, 504)
HEIGHT, SECONDS = 28, 1  # 10.9 pixels after the resize, in two frames of the sample
RATES = 0.5, 0.75, 0.9, 0.95  # the share that is dropped
THRESHOLDS = 0.1, 1.0, 4.0  # the first is VideoLLaMA3's
NAMES = "kept", "right"


def sampled(seed, noise, indices):
    """A clip and its sampled, resized frames: Moment, (T, H, W, 3) uint8."""
    drawn = moment(seed, height=HEIGHT, seconds=SECONDS, noise=noise)
    frames = [Image.fromarray(drawn.frame(int(i))).resize(SIZE[::-1], Image.BICUBIC) for i in indices]
    return drawn, np.stack([np.asarray(frame) for frame in frames])


def tokens_of(frames):
    """(T, H, W, 3) uint8 -> (T, N, 28 * 28 * 3) float32, 0 to 1."""
    rows, cols = frames.shape[1] // TOKEN, frames.shape[2] // TOKEN
    cut = frames.reshape(len(frames), rows, TOKEN, cols, TOKEN, 3).transpose(0, 1, 3, 2, 4, 5)
    return np.float32(cut.reshape(len(frames), rows * cols, -1)) / 255


def rebuilt(frames, mask):
    """Frames of which each token that is not in the mask (T, N) shows the last one before it that is."""
    rows, cols = frames.shape[1] // TOKEN, frames.shape[2] // TOKEN
    shown = frames.copy()
    for t in range(1, len(frames)):
        gone = np.kron(~mask[t].reshape(rows, cols), np.ones((TOKEN, TOKEN), bool))
        shown[t][gone] = shown[t - 1][gone]
    return shown


def ways(tokens):
    """Every way to drop tokens: (name, setting, mask (T, N))."""
    frames, count, _ = tokens.shape
    means = tokens.reshape(frames, count, -1, 3).mean(axis=2)
    for name, features in (("prune_static, mean colours", means), ("prune_static, pixels", tokens)):
        for rate in RATES:
            kept = prune_static(features, retained_tokens(count, frames, rate)).index
            mask = np.zeros(frames * count, bool)
            mask[kept] = True
            yield name, rate, mask.reshape(frames, count)
    for threshold in THRESHOLDS:
        yield "difference_mask", threshold, difference_mask(tokens, threshold)


def measure(clips, noise, indices, read, progress=lambda seeds: seeds):
    """Each way over the clips: [{way, setting, noise, clips, kept, right, by_kind}, ...].

    read(cut, key) is the engine; kept is the share of tokens that is sent, right that of the clips that are read;
    by_kind tells both apart for a camera that pans or not and a number that moves or not.
    """
    found = {}
    for seed in progress(range(clips)):
        drawn, frames = sampled(seed, noise, indices)
        kind = f"{'panning' if drawn.panning else 'locked'}, {'moving' if drawn.moving else 'standing'}"
        everything = np.ones((len(frames), frames.shape[1] * frames.shape[2] // TOKEN**2), bool)
        for way, setting, mask in [("all", 0, everything), *ways(tokens_of(frames))]:
            shown = rebuilt(frames, mask)
            right = any(
                read(box_of(drawn, int(i), shown[t]), ["still", way, setting, noise, seed, int(i)]) == drawn.number
                for t, i in enumerate(indices)
                if drawn.first <= i < drawn.end
            )
            found.setdefault((way, setting), []).append((mask.mean(), right, kind))
    return [
        {"way": way, "setting": setting, "noise": noise} | summary(cells) for (way, setting), cells in found.items()
    ]


def summary(cells):
    """Of [(share kept, whether the number was read, kind), ...] the means over all clips, and by kind.

    >>> summary([(0.5, True, "locked"), (1.0, True, "panning"), (1.0, False, "panning")])["by_kind"]
    {'locked': {'kept': 0.5, 'right': 1.0}, 'panning': {'kept': 1.0, 'right': 0.5}}
    """
    kinds = {kind: [cell for cell in cells if cell[2] == kind] for kind in sorted({kind for *_, kind in cells})}
    means = lambda part: {name: round(float(np.mean([cell[n] for cell in part])), 4) for n, name in enumerate(NAMES)}
    return {"clips": len(cells)} | means(cells) | {"by_kind": {kind: means(part) for kind, part in kinds.items()}}


def box_of(drawn, i, frame):
    """The number's box out of a resized frame."""
    scale = [whole / side for whole, side in zip((720, 1280), frame.shape)]
    y0, x0, y1, x1 = drawn.box(i)
    top, left = int(y0 / scale[0]), int(x0 / scale[1])
    return frame[top : int(np.ceil(y1 / scale[0])), left : int(np.ceil(x1 / scale[1]))]
