"""Cut rules on clips whose cuts are known: what they find, what they find too much, what it costs.

The frames are those of `samples.moments` at a fifth of their side, 144 x 256, the size that PySceneDetect shrinks a
picture of 1280 to by itself.
"""

import io
import time

import numpy as np
from PIL import Image

from mmtokedu.samples.moments import FPS, FRAMES, moment
from mmtokedu.video import adaptive_cuts, scene_cuts, scene_scores

SHOTS, SIZE = 8, (144, 256)
LUMA = 10.0  # no peer has a threshold for the cheap rule; this one was chosen before the rows were made


def clip(seed, noise, fade):
    """A clip of SHOTS shots with a large number and blank plates that come and go: frames, and where its cuts are.

    With a fade each shot becomes the next over so many frames around the cut, the other shot's nearest frame held.
    """
    drawn = moment(seed, height=48, seconds=1, decoys=6, shots=SHOTS, noise=noise)
    frames = np.stack([np.asarray(Image.fromarray(drawn.frame(i)).reduce(5)) for i in range(FRAMES)])
    hard = frames.astype(np.int32)
    for cut in drawn.cuts:
        for k in range(fade):
            i = cut - fade // 2 + k
            old, new = hard[min(i, cut - 1)], hard[max(i, cut)]
            frames[i] = (old * (2 * fade - 2 * k - 1) + new * (2 * k + 1)) // (2 * fade)
    return frames, drawn.cuts


def key_frames(frames):
    """The frames that x264 at its defaults encodes on their own, but the first."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        stream.thread_count = 1
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    file.seek(0)
    with av.open(file) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.pts is not None]
    shown = sorted(packet.pts for packet in packets)
    return [shown.index(packet.pts) for packet in packets if packet.is_keyframe and packet.pts != shown[0]]


def peer(make):
    """A detector of PySceneDetect, frame by frame."""

    def rule(frames):
        from scenedetect import FrameTimecode

        detector, found = make(), []
        for i, frame in enumerate(frames):
            found += detector.process_frame(FrameTimecode(i, float(FPS)), np.ascontiguousarray(frame[..., ::-1]))
        found += detector.post_process(FrameTimecode(len(frames) - 1, float(FPS)))
        return [cut.frame_num for cut in found]

    return rule


def rules():
    """name -> a function of frames (T, H, W, 3) that returns where scenes begin."""
    ours = {
        "content": lambda frames: scene_cuts(scene_scores(frames)),
        "luma": lambda frames: scene_cuts(scene_scores(frames, "luma"), threshold=LUMA),
        "adaptive": lambda frames: adaptive_cuts(scene_scores(frames)),
        "key frames, x264 (encoding counted)": key_frames,
    }
    try:
        from scenedetect import AdaptiveDetector, ContentDetector, HistogramDetector
    except ModuleNotFoundError:
        return ours
    peers = {"content": ContentDetector, "adaptive": AdaptiveDetector, "histogram": HistogramDetector}
    return ours | {f"PySceneDetect, {name}": peer(make) for name, make in peers.items()}


def score(found, cuts, fade=0):
    """How many cuts were found, to the frame or anywhere within the fade, how many missed, how many found are none.

    >>> score([60, 121, 300], (60, 120)), score([60, 121, 124], (60, 120), fade=4)
    ({'found': 1, 'missed': 1, 'false': 2}, {'found': 2, 'missed': 0, 'false': 1})
    """
    within = {cut: [i for i in found if cut - fade // 2 <= i <= cut + fade // 2] for cut in cuts}
    right = sum(bool(near) for near in within.values())
    return {"found": right, "missed": len(cuts) - right, "false": len(found) - right}


def measure(clips, noise, fade, progress=lambda seeds: seeds):
    """Each rule over the clips, in turn on each: [{rule, noise, fade, clips, cuts, found, missed, false, seconds}, …].

    seconds are CPU seconds for one clip of 20 s, {median, low, high} over the clips, not counting the drawing.
    """
    known, totals, seconds = 0, {}, {}
    for seed in progress(range(clips)):
        frames, cuts = clip(seed, noise, fade)
        known += len(cuts)
        for name, rule in rules().items():
            begin = time.process_time()
            found = rule(frames)
            seconds.setdefault(name, []).append(time.process_time() - begin)
            for key, count in score(found, cuts, fade).items():
                totals.setdefault(name, dict.fromkeys(("found", "missed", "false"), 0))[key] += count
    head = {"noise": noise, "fade": fade, "clips": clips, "cuts": known}
    return [{"rule": name} | head | totals[name] | {"seconds": spread(seconds[name])} for name in totals]


def spread(values):
    ordered = sorted(values)
    return {"median": round(float(np.median(ordered)), 2), "low": round(ordered[0], 2), "high": round(ordered[-1], 2)}
