"""Damaged clips, thousands if asked: `python clip_fuzz.py FROM TO` reads those mutations and says what came of each.

Run in a process of its own, for a decoder that fails may take the process with it. Only the library's errors may escape.
"""

import collections
import sys
import time

import numpy as np
from clips import X264, drawn, gif, turned, written

SLOWEST = 10  # seconds for one file
KINDS = {
    "mp4": lambda: turned(
        written("mp4", "libx264", small(), options={"x264-params": X264}, sound=noise()), 0, 1, -1, 0
    ),
    "mkv": lambda: written(
        "matroska", "libx264", small(), options={"x264-params": X264}, sound=noise(), voice="libopus"
    ),
    "ts": lambda: written("mpegts", "libx264", small(), options={"x264-params": X264}),
    "webm": lambda: written("webm", "libvpx-vp9", small(), options={"deadline": "realtime"}),
    "vp8": lambda: written("ivf", "libvpx", small()),
    "avi": lambda: written("avi", "mpeg4", small(), options={"bf": "2"}, sound=noise(), voice="pcm_s16le"),
    "mov": lambda: written("mov", "mjpeg", small(), pixels="yuvj420p", sound=noise(), voice="pcm_s16le"),
    "hevc": lambda: written(
        "mp4", "libx265", drawn(8, 64, 64), options={"x265-params": "ctu=16:keyint=4:log-level=none"}
    ),
    "mpg": lambda: written("mpeg", "mpeg2video", small(), options={"bf": "2"}),
    "flv": lambda: written("flv", "flv", small()),
    "ffv1": lambda: written("matroska", "ffv1", small(), pixels="yuv420p10le"),
    "raw": lambda: written("h264", "libx264", small(), options={"x264-params": X264}),
    "gif": lambda: gif(small()),
}


def small():
    return drawn(8, 32, 48)


def noise():
    return (0.1 * np.random.default_rng(0).standard_normal(4_000)).astype(np.float32)


def mutated(data, rng):
    """The data with a few bits turned, a number overwritten, cut short, or with pieces moved, doubled or taken out."""
    data = bytearray(data)
    kind = rng.integers(6)
    if kind == 0:
        for at in rng.integers(0, len(data), rng.integers(1, 20)):
            data[at] ^= 1 << rng.integers(8)
    elif kind == 1:  # most of what is fragile stands at either end
        for _ in range(rng.integers(1, 5)):
            at = int(min(rng.exponential(300), len(data) - 8))
            at = at if rng.integers(2) else len(data) - 8 - at
            data[at : at + 4] = rng.choice(
                [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4), b"\0\0\0\1", rng.bytes(4)]
            )
    elif kind == 2:
        del data[rng.integers(1, len(data)) :]
    else:
        start, size = int(rng.integers(len(data))), int(rng.exponential(400)) + 1
        piece = bytes(data[start : start + size])
        if kind == 3:
            del data[start : start + size]
        at = int(rng.integers(len(data) + 1))
        data[at : at + (size if kind == 4 else 0)] = piece
    return bytes(data)


def read_all(data):
    """Every function on a damaged clip: what came of it, as text."""
    from mmtokedu.media.soundtrack import soundtrack
    from mmtokedu.media.video import clip_info, frames_at, iter_frames, keyframes, read_frames

    outcome = []
    for read in (
        clip_info,
        keyframes,
        lambda source: read_frames(source, [5, 0, 2]),
        lambda source: frames_at(source, [0.2, 0.0], size=(8, 12)),
        lambda source: sum(1 for _ in iter_frames(source)),
        soundtrack,
    ):
        try:
            read(data)
            outcome.append("read")
        except ValueError:
            outcome.append("refused")
    return outcome


def main(first, last):
    outcomes, slowest = collections.Counter(), 0
    clips = {}
    for name, make in KINDS.items():
        try:
            clips[name] = make()
        except Exception as error:
            print(f"no {name}: {error!r}")
    for seed in range(first, last):
        rng = np.random.default_rng(seed)
        name = sorted(clips)[seed % len(clips)]
        data = clips[name]
        for _ in range(rng.integers(1, 4)):
            data = mutated(data, rng) or data
        print(f"{seed} {name}", file=sys.stderr, flush=True)  # the last line before a crash
        start = time.perf_counter()
        outcomes.update(read_all(data))
        taken = time.perf_counter() - start
        if taken > slowest:
            slowest = taken
            print(f"{seed} {name}: {taken:.2f} s", flush=True)
    print(f"{last - first} clips, slowest {slowest:.2f} s, {dict(outcomes)}")
    sys.exit(slowest > SLOWEST)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
