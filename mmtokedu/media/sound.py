"""Any recording a user has, as the array the book works on: (T,) float32, mono, at one rate."""

import contextlib
import io
import os
from typing import NamedTuple

import numpy as np

from mmtokedu.arguments.common import check_seconds
from mmtokedu.media.containers import AGAIN, refuse_joined_chunks, refuse_joined_streams, whole, without_tag
from mmtokedu.media.sources import opened

FORMATS = ("WAV", "WAVEX", "FLAC", "OGG", "MP3", "AIFF")  # Ogg holds Vorbis or Opus
SLOWEST, FASTEST = 1_000, 768_000  # Hz
HOW = "(make it a WAV: ffmpeg -i INPUT sound.wav)"
OTHERS = {b"ftyp": "MP4 or M4A (AAC)", b"\x1aE\xdf\xa3": "WebM or Matroska", b"#!AM": "AMR", b"caff": "CAF"}


class Levels(NamedTuple):
    """How loud a sound is, full scale being 1 (so -20 dBFS is 0.1)."""

    peak: float  # the largest |sample|
    rms: float  # root of the mean square
    clipped: float  # share of the samples at 0.99 of full scale or above
    silent: bool  # rms under 0.0001 (-80 dBFS): a muted microphone, not a quiet one


def sound_levels(sound):
    """Peak, rms, clipped share and silence of a sound (T,) in -1 ... 1: Levels(peak, rms, clipped, silent).

    sound: floats, as `load_sound` gives them. Whole numbers are refused, for their type does not say their full scale:
    24 bits come as int32, and 16 bits often as int64.

    Raises TypeError for numbers that are no floats; ValueError for an empty sound, for one that is not finite or goes
    beyond 10 times full scale (16-bit numbers as floats). Source: AES17, but for the sine: its 0 dBFS is the rms of a
    full-scale sine, here it is 1.

    >>> sound_levels(np.array([0.5, -0.5, 1.0, 0.0]))
    Levels(peak=1.0, rms=0.6123724356957945, clipped=0.25, silent=False)
    """
    sound = np.asarray(sound)
    if sound.dtype.kind != "f":
        how = "16 bits: x / 32768; 8 bits of a WAV: (x - 128) / 128"
        raise TypeError(f"sound is {sound.dtype}; expected floats, full scale being 1 ({how})")
    size = np.abs(sound, dtype=np.float64)
    if size.ndim != 1 or not size.size or not np.isfinite(size).all():
        raise ValueError(f"sound has shape {size.shape}; expected (T,) with T > 0, all of it finite (see load_sound)")
    _checked(size, "sound")
    rms = float(np.sqrt(np.mean(size**2)))
    return Levels(float(size.max()), rms, float(np.mean(size >= 0.99)), rms < 1e-4)


def load_sound(source, rate=16_000, *, max_seconds=600, keep_truncated=False):
    """Read a recording as people have them, and give it as one channel at one rate.

    source: a path, the file's bytes or a binary file (read from its start, left open); the content counts, not the
    name. WAV, FLAC, Ogg, MP3 and AIFF are read. Returns (T,) float32; full scale is -1 ... 1, whatever the file holds
    (8 to 32 bits, or float, which may go beyond and stays so). Stereo becomes the mean of both channels, more channels
    are refused, for nobody said where the microphones stood. Another rate is resampled by soxr (quality HQ) to
    T = round(frames * rate / file's rate). Silence and clipping are no errors: `sound_levels` tells them.

    A file that holds less sound than its header says is refused; with keep_truncated=True what is there is read, also
    where a recorder died before it wrote the length (0). Programs that write into a pipe put the largest number: then
    the end is the end. An MP3 cut short gives what it still holds in any case, and so does an Ogg from libsndfile
    1.2.2 on: both are made for it. Several recordings joined end to end are refused with the byte where the second
    begins, for decoders stop before it; tags and chunks around the sound do not matter.

    Raises FileNotFoundError; TypeError for another kind of source; ModuleNotFoundError without soundfile or soxr;
    ValueError for a file that is empty, cut short, joined, no sound, not finite, of more than two channels, longer
    than max_seconds (a number up to 10**9; by the header, before anything is decoded, and while decoding), and for
    float beyond 10 times full scale (whole numbers stored as float).
    Source: RIFF (Microsoft and IBM 1991), EBU Tech 3285, Ogg (RFC 3533), ID3v2.4; the decoders are libsndfile's.

    >>> file, stereo = io.BytesIO(), np.int16([[0, 0], [8192, 16384], [0, 0]])
    >>> _soundfile().write(file, stereo, 16_000, format="WAV")
    >>> load_sound(file).tolist()
    [0.0, 0.375, 0.0]
    """
    check_rate(rate)
    max_seconds = check_seconds(max_seconds, "max_seconds")
    expected = "a path, bytes or a file opened 'rb' (samples in an array need only their rate: soxr.resample)"
    with opened(source, "recording", loader="load_sound", expected=expected) as (file, name, start):
        for mark, what in OTHERS.items():
            if mark in (start[:4], start[4:8]):
                raise ValueError(f"{name} is {what}, which is not read {HOW}")
        if start[:3] == b"ID3":  # libsndfile steps over the tag, and then drops as many bytes at the end of a WAV
            file = io.BytesIO(without_tag(file.read()))
        return _decode(file, name, int(rate), max_seconds, keep_truncated)


def check_rate(rate):
    """Raise ValueError unless the rate is a whole number of Hz that sounds have."""
    if not isinstance(rate, (int, np.integer)) or not SLOWEST <= rate <= FASTEST:
        raise ValueError(f"rate is {rate!r}; expected a whole number of Hz, {SLOWEST} to {FASTEST}, as 16_000")


def _decode(file, name, rate, max_seconds, keep_truncated):
    file = whole(file, name, keep_truncated)
    refuse_joined_chunks(file, name)
    file.seek(0)
    start = file.read(12)
    file.seek(0)
    with _refusing(f"{name} begins with {start!r}: damaged, or none of WAV, FLAC, Ogg, MP3, AIFF"):
        recording = _soundfile().SoundFile(_Nameless(file, name))
    with recording:
        sound = _mono(recording, name, rate, max_seconds, keep_truncated)
    refuse_joined_streams(file, recording.format, name)
    return sound


def _mono(recording, name, rate, max_seconds, keep_truncated):
    """An open SoundFile, of which only the header has been read -> (T,) float32 at the rate."""
    file_rate, channels, frames = recording.samplerate, recording.channels, recording.frames
    if recording.format not in FORMATS:
        raise ValueError(f"{name} is {recording.format_info}, which is not read {HOW}")
    if not SLOWEST <= file_rate <= FASTEST:
        raise ValueError(f"{name} says {file_rate} Hz; {SLOWEST} to {FASTEST} are read (its header may be damaged)")
    if channels > 2:
        raise ValueError(
            f"{name} has {channels} channels; one or two are read (choose: ffmpeg -i INPUT -ac 2 sound.wav mixes a "
            "known layout, soundfile.read(path)[0][:, k] takes channel k)"
        )
    if frames > 2**62:  # libsndfile's word for unknown, as of a FLAC from a pipe
        raise ValueError(f"{name} does not say how long it is, and cannot be read without that {HOW}")
    longest = int(max_seconds * file_rate)
    exact = recording.format != "MP3"  # an MP3's header estimates
    blocks, count = [], 0
    if frames <= longest or not exact:
        with _refusing(f"{name} of {channels} channels at {file_rate} Hz cannot be decoded"):
            for block in _blocks(recording, keep_truncated):
                blocks.append(block.mean(axis=1))
                count += len(block)
                if count > longest:
                    break
    if (frames > longest and exact) or count > longest:
        raise ValueError(
            f"{name} is {max(frames, count) / file_rate:.1f} s or more; max_seconds={max_seconds:g} are read "
            "(raise it, or cut the recording)"
        )
    if not count:
        raise ValueError(f"{name} holds no sound: 0 frames at {file_rate} Hz (record it again)")
    if count < frames and exact and not keep_truncated:
        raise ValueError(f"{name} is cut short: {count} of {frames} frames are there {AGAIN}")
    return _checked(resampled(np.concatenate(blocks), file_rate, rate, name), name)


def _blocks(recording, keep_truncated):
    """What a decoder gives, block after block (frames, channels); where it fails, an error or the end."""
    size = 4096 if keep_truncated else 65_536  # a block is lost whole
    try:
        while len(block := recording.read(size, dtype="float32", always_2d=True)):
            yield block
    except RuntimeError:
        if not keep_truncated:
            raise


def resampled(sound, file_rate, rate, name):
    """A sound (T,) at another rate; ValueError where it is not finite, far beyond full scale, or nothing is left."""
    _checked(sound, name)
    if file_rate == rate:
        return sound
    resampled = _soxr().resample(sound, file_rate, rate, quality="HQ")
    if not len(resampled):
        raise ValueError(f"{name} holds {len(sound)} frames at {file_rate} Hz: less than one at {rate} Hz")
    return resampled


def _checked(sound, name):
    bad = np.count_nonzero(~np.isfinite(sound))
    if bad:
        raise ValueError(f"{name} holds {bad} samples that are not finite, of {len(sound)} (export it again)")
    peak = np.abs(sound).max(initial=0)
    if peak > 10:
        raise ValueError(
            f"{name} reaches {peak:.6g}; full scale is 1 (were 16-bit numbers stored as float? divide by 32768)"
        )
    return sound


class _Nameless:
    """A file without its name: soundfile would believe the name's ending before the content."""

    def __init__(self, file, name):
        self.file, self.name_in_errors, self.read, self.tell = file, name, file.read, file.tell

    def seek(self, offset, whence=os.SEEK_SET):
        """A damaged header may lead to before the start. Stay then: libsndfile looks where it is."""
        with contextlib.suppress(ValueError, OSError):
            self.file.seek(offset, whence)

    def __repr__(self):
        return self.name_in_errors


@contextlib.contextmanager
def _refusing(what):
    """One ValueError for all that a decoder raises on foreign bytes."""
    try:
        yield
    except ModuleNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"{what}: {error} {HOW}") from error


def _soundfile():
    try:
        import soundfile
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "sound files are read by soundfile, which is missing: pip install mmtokedu[media]"
        ) from error
    return soundfile


def _soxr():
    try:
        import soxr
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("another rate needs soxr, which is missing: pip install mmtokedu[media]") from error
    return soxr
