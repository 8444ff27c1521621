"""The sound of a clip, as the array that `load_sound` gives of a recording, on the clip's own clock."""

import contextlib

import numpy as np

from mmtokedu.arguments.common import check_seconds
from mmtokedu.media.packets import HOW, av, container, index_of, packets, picture_track
from mmtokedu.media.sound import FASTEST, SLOWEST, check_rate, resampled
from mmtokedu.media.sources import opened

GAP = 0.04  # seconds: what is missing between two packets is silence from here on; less is a rounded time


def soundtrack(source, rate=16_000, *, max_seconds=600):
    """The sound of a clip as one channel at one rate: (T,) float32, its first sample at the clip's first frame.

    source: a path, the file's bytes or a binary file; the first sound track of MP4, MOV, MKV, WebM and the other kinds
    of `read_frames`, and of M4A, which has no pictures. Stereo becomes the mean of both channels, another rate is
    resampled by soxr, as by `load_sound`. Where the sound begins after the pictures, or stops in between, there is
    silence; what comes before the first frame is left out. So the sample at t seconds belongs to `frames_at(clip, t)`.

    Raises FileNotFoundError; TypeError for another kind of source; ModuleNotFoundError without PyAV or soxr; ValueError
    for what is no clip, has no sound track, more than two channels, no sound that decodes, or more than max_seconds.
    Source: the demuxers and decoders are FFmpeg's, called through PyAV.

    >>> import io, av
    >>> file, sound = io.BytesIO(), np.int16([[0, 8192, 16384, 8192]])
    >>> with av.open(file, "w", format="matroska") as clip:
    ...     track = clip.add_stream("pcm_s16le", rate=16_000, layout="mono")
    ...     frame = av.AudioFrame.from_ndarray(sound, format="s16", layout="mono")
    ...     frame.rate = 16_000
    ...     clip.mux(track.encode(frame) + track.encode())
    >>> soundtrack(file).tolist()
    [0.0, 0.25, 0.5, 0.25]
    """
    check_rate(rate)
    max_seconds = check_seconds(max_seconds, "max_seconds")
    expected = "a path, bytes or a file opened 'rb' (samples in an array need only their rate: soxr.resample)"
    with opened(source, "clip", loader="soundtrack", expected=expected) as (file, name, _):
        with container(file, name) as clip:
            start = _first_frame(clip, name)
        with container(file, name) as clip:
            if not clip.streams.audio:
                raise ValueError(f"{name} has no sound track: only pictures")
            track = clip.streams.audio[0]
            sound, file_rate = _mono(clip, track, name, start, max_seconds)
    return resampled(sound, file_rate, int(rate), name)


def _first_frame(clip, name):
    """When the first frame is shown, in seconds of the file's clock; None where there are no pictures to go by."""
    try:
        track = picture_track(clip, name)
        index = index_of(clip, track, name)
    except ValueError:
        return None
    return int(index.pts[index.packet[0]]) * track.time_base if index.timed else None


def _mono(clip, track, name, start, max_seconds):
    """((T,) float32, its rate) of a sound track, from `start` on; from its own beginning where that is None."""
    context = track.codec_context
    if context is None:
        raise ValueError(f"{name} has sound of a kind that this FFmpeg cannot decode {HOW}")
    context.thread_count = 1
    file_rate, blocks, count = None, [], 0
    for frame in _frames(clip, track):
        _check_block(frame, file_rate, name)
        if file_rate is None:
            file_rate, longest = frame.sample_rate, int(max_seconds * frame.sample_rate)
        if start is None and frame.pts is not None:
            start = frame.pts * frame.time_base
        silence, block = _placed(frame, start, count)
        blocks += [np.zeros(min(silence, longest + 1 - count), np.float32), block]  # a damaged time may ask for years
        count += len(blocks[-2]) + len(block)
        if count > longest:
            raise ValueError(
                f"{name} has {count / file_rate:.1f} s of sound or more; max_seconds={max_seconds:g} are read "
                "(raise it, or cut the clip)"
            )
    if not count:
        raise ValueError(f"{name} has a sound track, and no sound in it decodes {HOW}")
    return np.concatenate(blocks), file_rate


def _check_block(frame, file_rate, name):
    """Raise ValueError where a block has more than two channels, or another rate than those before it."""
    channels = len(frame.layout.channels)
    if channels > 2:
        raise ValueError(
            f"{name} has {channels} channels of sound; one or two are read (ffmpeg -i INPUT -ac 2 clip.mkv mixes a "
            "known layout)"
        )
    if file_rate not in (None, frame.sample_rate) or not SLOWEST <= frame.sample_rate <= FASTEST:
        was = "" if file_rate is None else f" after {file_rate} Hz"
        raise ValueError(f"{name} has sound at {frame.sample_rate} Hz{was}; one rate is read {HOW}")


def _placed(frame, start, count):
    """(samples of silence before it, its samples) of a block that follows `count` samples from `start` on."""
    block, rate = _samples(frame), frame.sample_rate
    late = 0 if frame.pts is None else round((frame.pts * frame.time_base - start) * rate) - count
    if late < 0 and not count:
        return 0, block[-late:]
    return (late if late > (GAP * rate if count else 0) else 0), block


def _frames(clip, track):
    """The decoded blocks of a sound track; a damaged packet gives none."""
    for packet in packets(clip, track):
        with contextlib.suppress(av().FFmpegError, EOFError):
            yield from packet.decode()
    with contextlib.suppress(av().FFmpegError, EOFError):
        yield from track.codec_context.decode(None)


def _samples(frame):
    """A block's samples as (T,) float32, the mean of its channels; whole numbers on the scale -1 to 1."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, len(frame.layout.channels)).T
    if samples.dtype == np.uint8:
        samples = (samples.astype(np.float32) - 128) / 128
    elif samples.dtype.kind == "i":
        samples = samples / np.float32(2 ** (8 * samples.itemsize - 1))
    return samples.astype(np.float32).mean(axis=0)
