"""Any recording a user has, as the array the book works on: (T,) float32, mono, at one rate."""

import contextlib
import io
import os
import struct
from typing import NamedTuple

import numpy as np

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

    Raises ValueError for an empty sound and for one that is not finite. Source: AES17, but for the sine: its 0 dBFS is
    the rms of a full-scale sine, here it is 1.

    >>> sound_levels(np.array([0.5, -0.5, 1.0, 0.0]))
    Levels(peak=1.0, rms=0.6123724356957945, clipped=0.25, silent=False)
    """
    size = np.abs(np.asarray(sound, dtype=np.float64))
    if size.ndim != 1 or not size.size or not np.isfinite(size).all():
        raise ValueError(f"sound has shape {size.shape}; expected (T,) with T > 0, all of it finite (see load_sound)")
    rms = float(np.sqrt(np.mean(size**2)))
    return Levels(float(size.max()), rms, float(np.mean(size >= 0.99)), rms < 1e-4)


def load_sound(source, rate=16_000, *, max_seconds=600):
    """Read a recording as people have them, and give it as one channel at one rate.

    source: a path, the file's bytes or a binary file (read from its start, left open); the content counts, not the
    name. WAV, FLAC, Ogg, MP3 and AIFF are read. Returns (T,) float32; full scale is -1 ... 1, whatever the file holds
    (8 to 32 bits, or float, which may go beyond and stays so). Stereo becomes the mean of both channels, more channels
    are refused, for nobody said where the microphones stood. Another rate is resampled by soxr (quality HQ) to
    T = round(frames * rate / file's rate). Silence and clipping are no errors: `sound_levels` tells them.

    Raises FileNotFoundError; TypeError for another kind of source; ModuleNotFoundError without soundfile or soxr;
    ValueError for a file that is empty, cut short, no sound, not finite, of more than two channels, longer than
    max_seconds (by its header, before anything is decoded, and while decoding), and for float beyond 10 times full
    scale (whole numbers stored as float). An MP3 cut short gives what it still holds, and so does an Ogg from
    libsndfile 1.2.2 on: both are made for it.
    Source: RIFF (Microsoft and IBM 1991), EBU Tech 3285; the decoders are libsndfile's.

    >>> file, stereo = io.BytesIO(), np.int16([[0, 0], [8192, 16384], [0, 0]])
    >>> _soundfile().write(file, stereo, 16_000, format="WAV")
    >>> load_sound(file).tolist()
    [0.0, 0.375, 0.0]
    """
    if not isinstance(rate, (int, np.integer)) or not SLOWEST <= rate <= FASTEST:
        raise ValueError(f"rate is {rate!r}; expected a whole number of Hz, {SLOWEST} to {FASTEST}, as 16_000")
    if isinstance(source, (str, os.PathLike)):
        name = repr(os.fspath(source)[:200])
        if not os.path.exists(source):
            raise FileNotFoundError(f"no file {name} (a URL is not fetched: download it, or pass the bytes)")
        if not os.path.isfile(source):
            raise ValueError(f"{name} is not a file; load_sound reads one recording (of a folder: each file in turn)")
        with open(source, "rb") as file:
            return _decode(file, name, int(rate), max_seconds)
    if isinstance(source, (bytes, bytearray, memoryview)):
        source = io.BytesIO(source)
    if isinstance(source, io.TextIOBase) or not callable(getattr(source, "read", None)):
        raise TypeError(
            f"source is {type(source).__name__}; expected a path, bytes or a file opened 'rb' "
            "(samples in an array need no loading, only their rate: soxr.resample)"
        )
    return _decode(source, "the recording", int(rate), max_seconds)


def _decode(file, name, rate, max_seconds):
    try:
        file.seek(0)
    except (AttributeError, OSError):  # a pipe, a response
        file = io.BytesIO(file.read())
    start = file.read(12)
    if not start:
        raise ValueError(f"{name} is empty: 0 bytes (record it again)")
    for mark, what in OTHERS.items():
        if mark in (start[:4], start[4:8]):
            raise ValueError(f"{name} is {what}, which is not read {HOW}")
    missing = _missing_bytes(file)
    if missing:
        raise ValueError(f"{name} is cut short: {missing} bytes of its sound are missing (copy or record it again)")
    file.seek(0)
    with _refusing(f"{name} begins with {start!r}: damaged, or none of WAV, FLAC, Ogg, MP3, AIFF"):
        recording = _soundfile().SoundFile(_Nameless(file, name))
    with recording:
        return _mono(recording, name, rate, max_seconds)


def _mono(recording, name, rate, max_seconds):
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
            while count <= longest and len(block := recording.read(65_536, dtype="float32", always_2d=True)):
                blocks.append(block.mean(axis=1))
                count += len(block)
    if (frames > longest and exact) or count > longest:
        raise ValueError(
            f"{name} is {max(frames, count) / file_rate:.1f} s or more; max_seconds={max_seconds} are read "
            "(raise it, or cut the recording)"
        )
    if not count:
        raise ValueError(f"{name} holds no sound: 0 frames at {file_rate} Hz (record it again)")
    if count < frames and exact:
        raise ValueError(f"{name} is cut short: {count} of {frames} frames are there (copy or record it again)")
    return _checked(_resampled(np.concatenate(blocks), file_rate, rate, name), name)


def _resampled(sound, file_rate, rate, name):
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


def _missing_bytes(file):
    """Of a WAV or AIFF: how many bytes of its sound its header promises and the file lacks. 0 for other formats.

    Programs that write into a pipe cannot know the size and put the largest number: then the end is the end.
    """
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    kind, _, form = struct.unpack("4s4s4s", file.read(12).ljust(12, b"\0"))
    order = {(b"RIFF", b"WAVE"): "<", (b"FORM", b"AIFF"): ">", (b"FORM", b"AIFC"): ">"}.get((kind, form))
    while order and len(head := file.read(8)) == 8:
        chunk, size = struct.unpack(order + "4sI", head)
        if chunk in (b"data", b"SSND"):
            return 0 if size >= 0x7FFF_0000 else max(file.tell() + size - end, 0)
        file.seek(size + size % 2, os.SEEK_CUR)
    return 0


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
