"""Clips from files: any frames as (T, H, W, 3) uint8, by number or by time, and what a file says and really holds."""

import contextlib
from typing import NamedTuple

import numpy as np

from mmtokedu.arguments.clips import (
    MAX_PIXELS,
    check_bytes,
    check_frame_size,
    check_max_pixels,
    check_moments,
    check_pixels,
)
from mmtokedu.arguments.video import check_indices, check_kept
from mmtokedu.media.packets import HOW, container, index_of, picture_track
from mmtokedu.media.pictures import Pixels, decoded, sequence, turn
from mmtokedu.media.sources import opened

EXPECTED = "a path, bytes or a file opened 'rb' (frames in an array need no reading)"


class Promised(NamedTuple):
    """What a clip's header says, None where it says nothing. Players and models that believe it are often wrong."""

    frames: int | None
    fps: float | None
    seconds: float | None


class ClipInfo(NamedTuple):
    """What a clip really holds."""

    frames: int  # counted by their packets
    fps: float  # (frames - 1) / time of the last one: the mean where the rate varies
    seconds: float  # from the first frame until the last one goes
    height: int  # of a frame, upright
    width: int
    sound: bool  # whether there is a sound track
    promised: Promised
    notes: tuple  # what is odd about the file, a sentence each; () where nothing is


class _Clip:
    """An open file, its Index, and how to begin it again."""

    def __init__(self, stack, file, name, max_pixels):
        self.stack, self.file, self.name, self.max_pixels = stack, file, name, max_pixels
        self.container, self.track = self.again()
        self.index = index_of(self.container, self.track, name)

    def again(self):
        """(container, track), from the file's start."""
        opened_ = self.stack.enter_context(container(self.file, self.name))
        track = picture_track(opened_, self.name)
        context = track.codec_context
        if context.height and context.width:
            check_pixels(context.height, context.width, self.max_pixels, self.name)
        context.thread_count = 1  # errors are then concealed alike every time, and nothing is decoded ahead
        context.options = {"max_pixels": str(self.max_pixels)}
        return opened_, track


@contextlib.contextmanager
def _clip(source, max_pixels=MAX_PIXELS, *, loader):
    with contextlib.ExitStack() as stack:
        file, name, _ = stack.enter_context(opened(source, "clip", loader=loader, expected=EXPECTED))
        yield _Clip(stack, file, name, max_pixels)


def read_frames(source, indices, *, size=None, max_pixels=MAX_PIXELS, progress=False):
    """Read the frames of a clip with these numbers: (T, H, W, 3) uint8, RGB, upright, in the order asked for.

    source: a path, the file's bytes or a binary file (read from its start, left open). indices (T,): frame numbers in
    the order in which frames are shown, from 0, in any order, repeats allowed: what `sample_frames` gives. size:
    (height, width) to scale to, bicubic over the area that shrinks into a pixel; the shape of the frame is not kept.

    Bit for bit what decoding from the start gives, and no more is decoded than needed: packets are indexed first, then
    only the groups of pictures that hold a wanted frame are decoded, each up to the last one wanted. In memory are the
    frames asked for. Read are MP4, MOV, MKV, WebM, AVI, MPEG-TS, FLV, GIF and more, with any codec that FFmpeg decodes.

    What a player shows is given: edit lists and rotations are applied, frames that only others lean on are not counted.
    Colour is as FFmpeg's default: limited range and BT.601 where the file does not say otherwise, HDR not mapped, alpha
    dropped, fields of interlaced pictures left woven, pixels that are not square left so. With several tracks of
    pictures the first is read. What a header promises is not believed: see `clip_info`.

    Raises FileNotFoundError; TypeError for another kind of source or of index; ModuleNotFoundError without PyAV;
    ValueError for what is no clip, holds only sound or no picture, an index beyond the last frame (the message tells
    how many there are, and how many the header promised), a frame whose packets are damaged, frames of several sizes
    where no size is given, frames of more than max_pixels, and more than 32 GiB at once.
    Source: the demuxers and decoders are FFmpeg's, called through PyAV.

    >>> import io, PIL.Image
    >>> file, (first, *rest) = io.BytesIO(), [PIL.Image.new("RGB", (4, 2), (60 * k, 0, 0)) for k in range(4)]
    >>> first.save(file, "GIF", save_all=True, append_images=rest, duration=100)
    >>> frames = read_frames(file, [3, 1])
    >>> frames.shape, frames[:, 0, 0].tolist()
    ((2, 2, 4, 3), [[180, 0, 0], [60, 0, 0]])
    """
    numbers, max_pixels = check_indices(indices), check_max_pixels(max_pixels)
    check_kept(len(numbers))
    size = check_frame_size(size, max_pixels)
    with _clip(source, max_pixels, loader="read_frames") as clip:
        return _read(clip, numbers, size, progress)


def frames_at(source, seconds, *, size=None, max_pixels=MAX_PIXELS, progress=False):
    """Read the frames that are on screen at these times: (T, H, W, 3) uint8, as `read_frames`.

    seconds: a time or several (T,), from the first frame that is shown, in any order. On screen is the last frame
    whose time is not after the one asked for, by the times in the file: where the rate varies, index = seconds * fps
    finds another one. Files round their times to ticks (a millisecond in Matroska), so half a tick, at most half a
    millisecond, does not count.

    Raises as `read_frames`; ValueError for a time below 0, not finite, or after the last frame has gone.
    Source: the demuxers and decoders are FFmpeg's, called through PyAV.

    >>> import io, PIL.Image
    >>> file, (first, *rest) = io.BytesIO(), [PIL.Image.new("RGB", (4, 2), (60 * k, 0, 0)) for k in range(4)]
    >>> first.save(file, "GIF", save_all=True, append_images=rest, duration=[100, 500, 100, 100])
    >>> frames_at(file, [0.59, 0.6])[:, 0, 0].tolist()
    [[60, 0, 0], [120, 0, 0]]
    """
    moments, max_pixels = check_moments(seconds), check_max_pixels(max_pixels)
    size = check_frame_size(size, max_pixels)
    with _clip(source, max_pixels, loader="frames_at") as clip:
        index = clip.index
        times, end = _times(index), _seconds(index)
        slack = min(float(index.tick) / 2, 0.0005)
        if moments.max() > end + slack:
            raise ValueError(
                f"{clip.name}: a frame at {moments.max():g} s is asked for and the clip ends at {end:.6g} s, its last "
                f"frame begins at {times[-1]:.6g} s{_broken_promise(clip)}"
            )
        numbers = np.searchsorted(times, moments + slack, side="right") - 1
        return _read(clip, numbers, size, progress)


def iter_frames(source, *, size=None, max_pixels=MAX_PIXELS):
    """All frames of a clip one by one, as (index, seconds, frame): for files that are longer than memory.

    frame (H, W, 3) uint8, seconds from the first frame on; everything else as `read_frames`, but a frame whose packets
    are damaged is left out, and its number with it.

    >>> import io, PIL.Image
    >>> file, (first, *rest) = io.BytesIO(), [PIL.Image.new("RGB", (4, 2), (60 * k, 0, 0)) for k in range(4)]
    >>> first.save(file, "GIF", save_all=True, append_images=rest, duration=[100, 500, 100, 100])
    >>> [(index, seconds) for index, seconds, frame in iter_frames(file)]
    [(0, 0.0), (1, 0.1), (2, 0.6), (3, 0.7)]
    """
    max_pixels = check_max_pixels(max_pixels)
    size = check_frame_size(size, max_pixels)
    return _iterate(source, size, max_pixels)


def _iterate(source, size, max_pixels):
    with _clip(source, max_pixels, loader="iter_frames") as clip:
        pixels = Pixels(size, max_pixels, clip.name)
        for number, picture in sequence(clip.again, clip.index):
            yield number, float(clip.index.ticks[number] * clip.index.tick), pixels(picture)


def keyframes(source):
    """The numbers of a clip's key frames, int64, ascending: where decoding can begin. Nothing is decoded.

    Encoders put one where the picture changes, so these are a cheap guess at the cuts, and one at least every few
    seconds, so they are no more than a guess. Of a file that does not say when its pictures are shown (an AVI or a raw
    stream of H.264) every picture is decoded to count them. Source: the flags of the file's packets.

    >>> import io, PIL.Image
    >>> file, (first, *rest) = io.BytesIO(), [PIL.Image.new("RGB", (4, 2), (60 * k, 0, 0)) for k in range(4)]
    >>> first.save(file, "GIF", save_all=True, append_images=rest, duration=100)
    >>> keyframes(file).tolist()
    [0]
    """
    with _clip(source, loader="keyframes") as clip:
        index = clip.index
        if index.timed:
            return np.flatnonzero(index.key[index.packet])
        return np.array([n for n, picture in sequence(clip.again, index) if picture.key_frame], np.int64)


def frame_times(source):
    """When each frame of a clip is shown: seconds (T,), float64, ascending, the first 0. Nothing is decoded.

    >>> import io, PIL.Image
    >>> file, (first, *rest) = io.BytesIO(), [PIL.Image.new("RGB", (4, 2), (60 * k, 0, 0)) for k in range(4)]
    >>> first.save(file, "GIF", save_all=True, append_images=rest, duration=[100, 500, 100, 100])
    >>> frame_times(file).tolist()
    [0.0, 0.1, 0.6, 0.7]
    """
    with _clip(source, loader="frame_times") as clip:
        return _times(clip.index)


def clip_info(source):
    """What a clip really holds, beside what its header promises: ClipInfo. One frame is decoded, for its size.

    Raises as `read_frames`.

    >>> import io, PIL.Image
    >>> file, (first, *rest) = io.BytesIO(), [PIL.Image.new("RGB", (4, 2), (60 * k, 0, 0)) for k in range(4)]
    >>> first.save(file, "GIF", save_all=True, append_images=rest, duration=100)
    >>> info = clip_info(file)
    >>> info.frames, info.fps, info.seconds, info.height, info.width, info.sound
    (4, 10.0, 0.4, 2, 4, False)
    """
    with _clip(source, loader="clip_info") as clip:
        index = clip.index
        picture = next(sequence(clip.again, index), (0, None))[1]
        if picture is None:
            raise ValueError(f"{clip.name}: none of its {len(index.packet)} packets gives a picture {HOW}")
        swapped, *_ = turn(picture)
        height, width = (picture.width, picture.height) if swapped else (picture.height, picture.width)
        frames, seconds = len(index.packet), _seconds(index)
        sound, notes = bool(clip.container.streams.audio), [*index.notes, *_odd(clip, picture)]
        fps = (frames - 1) / float(_times(index)[-1]) if frames > 1 else 1 / seconds
        return ClipInfo(frames, fps, seconds, height, width, sound, _promised(clip), tuple(notes))


def _times(index):
    return index.ticks * index.tick.numerator / index.tick.denominator


def _seconds(index):
    """How long the clip is: when its last frame is shown, and how long that one stays."""
    return float((int(index.ticks[-1]) + index.length) * index.tick)


def _read(clip, numbers, size, progress):
    """The frames with these numbers of an open clip, (T, H, W, 3)."""
    index, frames = clip.index, None
    if numbers.max() >= len(index.packet):
        raise ValueError(
            f"{clip.name}: frame {numbers.max()} is asked for and the clip has {len(index.packet)}, 0 to "
            f"{len(index.packet) - 1}{_broken_promise(clip)}"
        )
    pixels = Pixels(size, clip.max_pixels, clip.name)
    wanted = np.unique(numbers).tolist()
    for number, picture in _shown(decoded(clip.again, index, wanted), len(wanted), progress):
        frame = pixels(picture)
        if frames is None:
            check_bytes(len(numbers), *frame.shape[:2])
            frames = np.empty((len(numbers), *frame.shape), np.uint8)
        if frame.shape != frames.shape[1:]:
            raise ValueError(
                f"{clip.name}: frame {number} is {frame.shape[0]}x{frame.shape[1]}, others are {frames.shape[1]}x"
                f"{frames.shape[2]}; give all one size, as size={frames.shape[1:3]}"
            )
        frames[numbers == number] = frame
    return frames


def _shown(pictures, count, progress):
    if not progress:
        return pictures
    try:
        from tqdm import tqdm
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("progress=True needs tqdm, which is missing: pip install mmtokedu[show]") from error
    return tqdm(pictures, total=count, unit="frame")


def _promised(clip):
    """What the header of a clip promises."""
    track, whole = clip.track, clip.container.duration  # the second in microseconds
    rate = track.average_rate or track.guessed_rate
    seconds = track.duration * track.time_base if track.duration else whole and whole / 1_000_000
    return Promised(track.frames or None, float(rate) if rate else None, float(seconds) if seconds else None)


def _broken_promise(clip):
    """Where the header promises other frames than there are: that, for the end of a message."""
    promised, frames = _promised(clip).frames, len(clip.index.packet)
    broken = promised is not None and promised != frames
    return f" (its header promises {promised}: an edit list hides some, or it was cut off)" if broken else ""


def _odd(clip, picture):
    """What is odd about a clip, a sentence each."""
    promised, index, seconds = _promised(clip), clip.index, _seconds(clip.index)
    if promised.frames not in (None, len(index.packet)):
        yield f"its header promises {promised.frames} frames, and {len(index.packet)} are shown"
    if promised.seconds and abs(promised.seconds - seconds) > max(1, seconds / 20):
        yield f"its header promises {promised.seconds:.6g} s, and its pictures end at {seconds:.6g} s"
    steps = np.diff(index.ticks)
    if len(steps) and steps.max() - steps.min() > max(1, steps.mean() / 10):
        shortest, longest = (1000 * float(int(step) * index.tick) for step in (steps.min(), steps.max()))
        yield f"its rate varies: a frame is shown for {shortest:.4g} to {longest:.4g} ms"
    if turn(picture) != (False, 1, 1):
        yield f"its pictures are stored as {picture.height}x{picture.width} and turned as its header asks"
    shape = clip.track.sample_aspect_ratio
    if shape and shape != 1:
        yield f"its pixels are not square, {shape.numerator} wide to {shape.denominator} high: left as they are"
    if len(clip.container.streams.video) > 1:
        yield f"it holds {len(clip.container.streams.video)} tracks of pictures: the first is read"
