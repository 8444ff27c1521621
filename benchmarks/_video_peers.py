"""Other people's ways to some frames of a clip, each on one thread, each as (T, H, W, 3) uint8 RGB.

Those that are not installed where the benchmark runs are named under `skipped`: OpenCV, decord, torchcodec (which needs
FFmpeg's libraries on the system) and qwen-vl-utils, which reads by decord or torchcodec.
"""

import contextlib
import os

import numpy as np

os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "threads;1")  # read when OpenCV opens a file


def everything(path, numbers, size=None):
    """PyAV: decode all, one after the other, and keep the wanted ones."""
    import av

    wanted, kept, scaler = set(numbers), [], av.video.reformatter.VideoReformatter()
    options = dict(zip(("height", "width"), size or ()))
    with av.open(path) as clip:
        clip.streams.video[0].codec_context.thread_count = 1
        for number, frame in enumerate(clip.decode(video=0)):
            if number in wanted:
                kept.append(scaler.reformat(frame, format="rgb24", **options).to_ndarray())
    return np.stack(kept)


def seeks(path, numbers):
    """PyAV: for each frame seek to its time, and decode from the key frame before it."""
    import av

    kept = []
    with av.open(path) as clip:
        track = clip.streams.video[0]
        track.codec_context.thread_count = 1
        ticks = 1 / (track.average_rate * track.time_base)
        for number in numbers:
            clip.seek(int(number * ticks), stream=track)
            frame = next(frame for frame in clip.decode(track) if frame.pts >= int(number * ticks))
            kept.append(frame.to_ndarray(format="rgb24"))
    return np.stack(kept)


def opencv():
    """Two functions of (path, numbers): by setting the position for each frame, and by grabbing all frames."""
    import cv2

    cv2.setNumThreads(1)
    rgb = lambda answer: cv2.cvtColor(answer[1], cv2.COLOR_BGR2RGB)

    def positions(path, numbers):
        clip, kept = cv2.VideoCapture(path, cv2.CAP_FFMPEG), []
        for number in numbers:
            clip.set(cv2.CAP_PROP_POS_FRAMES, number)
            kept.append(rgb(clip.read()))
        clip.release()
        return np.stack(kept)

    def grabs(path, numbers):
        clip, wanted, kept = cv2.VideoCapture(path, cv2.CAP_FFMPEG), set(numbers), []
        for number in range(max(numbers) + 1):
            clip.grab()
            if number in wanted:
                kept.append(rgb(clip.retrieve()))
        clip.release()
        return np.stack(kept)

    return positions, grabs


def decord():
    import decord

    return lambda path, numbers: decord.VideoReader(path, num_threads=1).get_batch(numbers).asnumpy()


def torchcodec():
    try:
        from torchcodec.decoders import VideoDecoder
    except RuntimeError as error:  # what it raises where no FFmpeg of the system loads
        raise ImportError(f"torchcodec does not load: {str(error).strip().splitlines()[0]}") from error

    def read(path, numbers):
        decoder = VideoDecoder(path, num_ffmpeg_threads=1, dimension_order="NHWC", seek_mode="exact")
        return decoder.get_frames_at(list(numbers)).data.numpy()

    return read


def fetch_video(size):
    """qwen-vl-utils: frames evenly from first to last, resized by torch, float32; (that function, who decodes)."""
    from _patches_peers import load_torchvision

    load_torchvision()
    import torch
    from qwen_vl_utils import vision_process

    torch.set_num_threads(1)
    height, width = size
    for backend, load in (("torchcodec", torchcodec), ("decord", decord)):  # in its own order; one that loads
        with contextlib.suppress(ImportError):
            load()
            vision_process.FORCE_QWENVL_VIDEO_READER = backend
            vision_process.get_video_reader_backend.cache_clear()
            break
    else:
        raise ImportError("qwen-vl-utils needs decord or torchcodec to read a clip")

    def read(path, numbers):
        clip = dict(video=path, nframes=len(numbers), resized_height=height, resized_width=width)
        return vision_process.fetch_video(clip).permute(0, 2, 3, 1).numpy()

    return read, backend
