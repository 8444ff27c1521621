"""Recordings as users have them. Every case is made here, small, by soundfile or byte by byte."""

import io
import struct
import subprocess
import sys
import tempfile
from fractions import Fraction

import numpy as np
import pytest

from mmtokedu.media.sound import FORMATS, load_sound, sound_levels

pytestmark = pytest.mark.apart

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("soxr")

RATE = 16_000
EVERY_FORMAT = [
    ("WAV", "PCM_16"), ("WAV", "PCM_U8"), ("WAV", "FLOAT"), ("WAVEX", "PCM_24"), ("FLAC", "PCM_16"), ("AIFF", "PCM_16"),
    ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"),
]  # fmt: skip


def saved(sound, format="WAV", subtype="PCM_16", rate=RATE):
    file = io.BytesIO()
    soundfile.write(file, sound, rate, format=format, subtype=subtype)
    return file.getvalue()


def tone(frequency, seconds, rate=RATE, size=0.5):
    return size * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def noise(rng, frames=3000):
    return (0.1 * rng.standard_normal(frames)).clip(-1, 1)


# Sources.


def test_what_is_no_sound(tmp_path, rng):
    with pytest.raises(ValueError, match="is not a file"):
        load_sound(tmp_path)
    empty = tmp_path / "empty.wav"
    empty.touch()
    for source in (empty, b"", io.BytesIO()):
        with pytest.raises(ValueError, match="is empty: 0 bytes"):
            load_sound(source)
    page = tmp_path / "voice.wav"
    page.write_bytes(b"<!DOCTYPE html><p>404")
    with pytest.raises(ValueError, match=r"voice\.wav' begins with b'<!DOCTYPE ht'.*none of WAV, FLAC"):
        load_sound(page)
    for junk in (
        bytes(5000),
        rng.bytes(20_000),
        b"RIFF",
        b"fLaC",
        b"OggS",
        b"RIFF\4\0\0\0WAVE",
        b"ID3" + rng.bytes(500),
    ):
        with pytest.raises(ValueError, match="none of WAV, FLAC"):
            load_sound(junk)


@pytest.mark.parametrize(
    "start, what",
    [
        (b"\0\0\0\x1cftypM4A ", "MP4 or M4A"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81", "WebM"),
        (b"#!AMR\n", "AMR"),
        (b"caff\0\1\0\0", "CAF"),
    ],
)
def test_what_phones_and_browsers_record_is_named(start, what):
    with pytest.raises(ValueError, match=f"is {what}.*ffmpeg -i INPUT sound.wav"):
        load_sound(start + bytes(200))


def test_formats_that_libsndfile_reads_and_we_do_not(rng):
    for format in ("AU", "W64"):
        assert format not in FORMATS
        with pytest.raises(ValueError, match="which is not read"):
            load_sound(saved(noise(rng), format))


# Samples of every depth.


@pytest.mark.parametrize("format, subtype", EVERY_FORMAT)
def test_every_format(format, subtype):
    sound = tone(440, 1)
    loaded = load_sound(saved(sound, format, subtype))
    assert len(loaded) == len(sound)
    worst = {"PCM_U8": 0.009, "VORBIS": 0.05, "OPUS": 0.2, "MPEG_LAYER_III": 0.05}.get(subtype, 4e-5)
    assert np.abs(loaded[800:-800] - sound[800:-800]).max() < worst


@pytest.mark.parametrize(
    "subtype, dtype, samples, expected",
    [
        ("PCM_U8", "u1", [0, 128, 255], [-1, 0, 127 / 128]),
        ("PCM_16", "<i2", [-32768, 0, 16384], [-1, 0, 0.5]),
        ("PCM_32", "<i4", [-(2**31), 0, 2**30], [-1, 0, 0.5]),
        ("FLOAT", "<f4", [-1, 0.25, 1.5], [-1, 0.25, 1.5]),
        ("DOUBLE", "<f8", [-1, 0.25, 1.5], [-1, 0.25, 1.5]),
    ],
)
def test_full_scale_is_one_whatever_the_file_holds(subtype, dtype, samples, expected):
    data = np.array(samples, dtype).tobytes()
    kind, bytes_each = (3 if "f" in dtype else 1), np.dtype(dtype).itemsize
    header = struct.pack("<4sIHHIIHH", b"fmt ", 16, kind, 1, RATE, RATE * bytes_each, bytes_each, 8 * bytes_each)
    wav = b"WAVE" + header + struct.pack("<4sI", b"data", len(data)) + data + bytes(len(data) % 2)
    assert load_sound(b"RIFF" + struct.pack("<I", len(wav)) + wav).tolist() == expected
    assert load_sound(saved(np.array(expected), subtype=subtype)).tolist() == expected  # as soundfile writes it


def test_24_bits():
    assert load_sound(saved(np.array([-1, 2**-23, 0.5]), subtype="PCM_24")).tolist() == [-1, 2**-23, 0.5]


# Channels.


def test_stereo_is_the_mean(rng):
    stereo = rng.integers(-32768, 32768, (500, 2), dtype=np.int16)
    expected = (stereo / 32768).mean(axis=1)
    np.testing.assert_allclose(load_sound(saved(stereo)), expected, rtol=0, atol=1e-7)
    np.testing.assert_array_equal(load_sound(saved(stereo[:, :1])), (stereo[:, 0] / 32768).astype(np.float32))


def test_two_channels_against_each_other_are_silent_and_said_so():
    left = tone(300, 0.1)
    assert sound_levels(load_sound(saved(np.stack([left, -left], axis=1)))).silent


@pytest.mark.parametrize("channels", [3, 6, 9])
def test_more_channels_are_refused(channels):
    with pytest.raises(ValueError, match=rf"has {channels} channels; one or two are read .*\[:, k\]"):
        load_sound(saved(np.zeros((50, channels))))


# Rates.


@pytest.mark.parametrize("file_rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000, 44_101, 7_999])
@pytest.mark.parametrize("seconds", [0.01, 0.5])
def test_length_after_resampling(file_rate, seconds):
    frames = int(file_rate * seconds)
    assert abs(len(load_sound(saved(np.zeros(frames), rate=file_rate))) - frames * RATE / file_rate) <= 0.5


@pytest.mark.parametrize("file_rate", [22_050, 44_100, 48_000])
def test_tones_stay_where_they_are_and_what_is_too_high_goes(file_rate):
    """A tone of 1 kHz comes back within 1e-3; of one at 9 kHz, too high for 16 kHz, nothing folds down (-80 dB)."""
    middle = slice(800, 7200)
    loaded = load_sound(saved(tone(1000, 0.5, file_rate), subtype="FLOAT", rate=file_rate))
    assert np.abs(loaded - tone(1000, 0.5))[middle].max() < 1e-3
    assert np.abs(load_sound(saved(tone(9000, 0.5, file_rate), subtype="FLOAT", rate=file_rate)))[middle].max() < 5e-5


def test_another_rate_than_sixteen_thousand():
    assert len(load_sound(saved(tone(440, 1)), 24_000)) == 24_000
    assert len(load_sound(saved(tone(440, 1)), np.int64(8_000))) == 8_000
    for rate in (0, -1, 999, 16_000.0, None, "16k", 10**9):
        with pytest.raises(ValueError, match="rate is .*; expected a whole number of Hz, 1000 to 768000"):
            load_sound(saved(tone(440, 0.1)), rate)


@pytest.mark.parametrize("file_rate", [1, 999, 800_000])
def test_rates_that_no_recorder_has(file_rate):
    with pytest.raises(ValueError, match=f"says {file_rate} Hz; 1000 to 768000 are read"):
        load_sound(saved(np.zeros(50), rate=file_rate))


# Length.


def test_a_hundredth_of_a_second_and_one_sample():
    assert load_sound(saved(np.full(160, 0.5))).shape == (160,)
    assert load_sound(saved(np.array([0.5]))).tolist() == [0.5]
    with pytest.raises(ValueError, match="holds 1 frames at 768000 Hz: less than one at 16000 Hz"):
        load_sound(saved(np.array([0.5]), rate=768_000))


@pytest.mark.parametrize("format, subtype", [case for case in EVERY_FORMAT if case[0] not in ("FLAC", "MP3")])
def test_a_header_without_sound(format, subtype):
    with pytest.raises(ValueError, match="holds no sound: 0 frames|Ogg.*cannot|begins with b'OggS"):
        load_sound(saved(np.zeros(0), format, subtype))


@pytest.mark.parametrize("format, subtype", EVERY_FORMAT)
def test_the_length_limit_is_the_last_length_that_loads(format, subtype, rng):
    data = saved(noise(rng, 2 * RATE), format, subtype)
    assert len(load_sound(data, max_seconds=2)) == 2 * RATE
    for limit in (1, 1.99):
        with pytest.raises(ValueError, match=rf"is 2\.\d s or more; max_seconds={limit} are read .raise it"):
            load_sound(data, max_seconds=limit)


def test_a_long_recording_is_refused_by_its_header(monkeypatch):
    """Nothing is decoded: read is never reached. An hour at 48 kHz, stereo, is what people record by accident."""
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *args, **kwargs: pytest.fail("decoded"))
    with pytest.raises(ValueError, match="is 601.0 s or more; max_seconds=600"):
        load_sound(saved(np.zeros(601 * 1000, np.int16), "FLAC", rate=1000))


# Cut short.


@pytest.mark.parametrize("format, subtype", EVERY_FORMAT[:6])
def test_every_prefix_is_whole_or_refused(rng, format, subtype):
    """Never the first half of a sentence. What may be missing is what follows the sound."""
    data = saved(noise(rng, 700), format, subtype)
    whole, complete = load_sound(data), []
    for length in range(len(data)):
        try:
            loaded = load_sound(data[:length])
        except ValueError:
            continue
        np.testing.assert_array_equal(loaded, whole)
        complete.append(length)
    assert not complete or complete[0] >= len(data) - 20


def test_a_cut_wav_says_what_is_missing(tmp_path, rng):
    data = saved(noise(rng))
    path = tmp_path / "half.wav"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"half\.wav' is cut short: 3022 bytes of its sound are missing"):
        load_sound(path)


def test_a_decoder_that_stops_early(monkeypatch, rng):
    blocks = [np.zeros((700, 1), np.float32), np.zeros((0, 1), np.float32)]
    data = saved(noise(rng))
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *args, **kwargs: blocks.pop(0))
    with pytest.raises(ValueError, match="cut short: 700 of 3000 frames are there"):
        load_sound(data)


@pytest.mark.parametrize("format, subtype", EVERY_FORMAT[6:])
def test_ogg_and_mp3_give_what_they_still_hold(rng, format, subtype):
    sound = noise(rng, 10 * RATE)
    data = saved(sound, format, subtype)
    if format == "OGG" and soundfile.__libsndfile_version__ < "1.2.2":
        with pytest.raises(ValueError, match="does not say how long it is"):
            load_sound(data[: len(data) // 2])
        return
    whole, half = load_sound(data), load_sound(data[: len(data) // 2])
    assert 0.3 * len(whole) < len(half) < 0.7 * len(whole)
    np.testing.assert_allclose(half[:RATE], whole[:RATE], atol=0.05)


@pytest.mark.parametrize("size", [0x7FFF_F000, 0xFFFF_FFFF])
def test_a_wav_from_a_pipe_ends_where_it_ends(rng, size):
    """espeak-ng, ffmpeg and sox write such sizes when they cannot go back to the header."""
    data = saved(noise(rng))
    assert data[36:40] == b"data"
    piped = data[:4] + struct.pack("<I", min(size + 36, 0xFFFF_FFFF)) + data[8:40] + struct.pack("<I", size) + data[44:]
    np.testing.assert_array_equal(load_sound(piped), load_sound(data))


def test_chunks_before_the_sound_are_stepped_over(rng):
    """An odd chunk is followed by a byte of padding."""
    data = saved(noise(rng))
    extra = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    longer = data[:4] + struct.pack("<I", len(data) - 8 + len(extra)) + data[8:36] + extra + data[36:]
    np.testing.assert_array_equal(load_sound(longer), load_sound(data))
    with pytest.raises(ValueError, match="cut short: 10 bytes"):
        load_sound(longer[:-10])


@pytest.mark.parametrize("keep_truncated", [False, True])
@pytest.mark.parametrize(
    "format, subtype", [*EVERY_FORMAT, ("WAV", "IMA_ADPCM"), ("RF64", "PCM_16"), ("W64", "PCM_16")]
)
def test_damage_is_a_value_error(rng, format, subtype, keep_truncated):
    """One byte changed, anywhere, or the rest cut off: a sound, right or wrong, or a ValueError; nothing else."""
    data = saved(noise(rng, 600), format, subtype)
    refused = 0
    for at in (*rng.integers(0, len(data), 100), *rng.integers(0, min(len(data), 100), 100)):
        damaged = bytearray(data)
        damaged[at] = rng.integers(0, 256)
        for source in (bytes(damaged), data[:at]):
            try:
                loaded = load_sound(source, max_seconds=5, keep_truncated=keep_truncated)
            except ValueError:
                refused += 1
            else:
                assert loaded.dtype == np.float32 and loaded.ndim == 1 and np.isfinite(loaded).all()
    assert refused > 10


# Joined end to end, tagged, cut.


@pytest.mark.parametrize("format, subtype", EVERY_FORMAT)
def test_a_second_recording_behind_the_first_is_said(rng, format, subtype):
    """Decoders stop at the end of the first: half of what is heard would be missing, without a word."""
    first, other = saved(noise(rng), format, subtype), saved(noise(rng, 5000), format, subtype, rate=8_000)
    for second in (first, other):
        with pytest.raises(ValueError, match=rf"second recording from byte {len(first)} on.*\[:{len(first)}\]"):
            load_sound(first + second)
    assert len(load_sound(first)) == 3000


def test_a_second_mp3_is_seen_behind_a_tag_and_without_a_first_frame_of_its_own(rng):
    data = saved(noise(rng), "MP3", "MPEG_LAYER_III")
    tag = b"TAG" + bytes(125)
    with pytest.raises(ValueError, match=f"second recording from byte {len(data) + 128} on"):
        load_sound(data + tag + data)
    frame = data.index(data[:2], 100)  # the first frame holds the length of all and no sound
    with pytest.raises(ValueError, match=f"second recording from byte {len(data)} on"):
        load_sound(data + data[frame:])


@pytest.mark.parametrize("format, subtype", EVERY_FORMAT)
def test_tags_around_the_sound_do_not_matter(rng, format, subtype):
    data = saved(noise(rng), format, subtype)
    whole = load_sound(data)
    before = b"ID3\4\0\0\0\0\1\2" + bytes(130)
    behind = [data + b"TAG" + bytes(125), data + bytes(1000)]
    if format == "OGG" and soundfile.__libsndfile_version__ < "1.2.2":  # what follows hides its length from libsndfile
        for tagged in behind:
            with pytest.raises(ValueError, match="does not say how long it is"):
                load_sound(tagged)
        behind = []
    for tagged in (*behind, before + data, before * 2 + data):
        np.testing.assert_array_equal(load_sound(tagged), whole)


def test_a_tag_whose_end_repeats_its_beginning_is_stepped_over(rng):
    data = saved(noise(rng))
    np.testing.assert_array_equal(load_sound(b"ID3\4\0\x10\0\0\0\5" + bytes(15) + data), load_sound(data))


@pytest.mark.parametrize("format, subtype", [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("AIFF", "PCM_16")])
def test_what_is_there_of_a_cut_file_is_read_when_it_is_asked_for(rng, format, subtype):
    data = saved(noise(rng), format, subtype)
    whole = load_sound(data)
    np.testing.assert_array_equal(load_sound(data, keep_truncated=True), whole)
    for missing in (4, 400, 4000):
        with pytest.raises(ValueError, match=f"{missing} bytes of its sound .*: keep_truncated=True"):
            load_sound(data[:-missing])
        kept = load_sound(data[:-missing], keep_truncated=True)
        np.testing.assert_array_equal(kept, whole[: len(kept)])
        assert len(kept) == len(whole) - missing // (4 if subtype == "FLOAT" else 2)


@pytest.mark.parametrize("format, mark, order", [("WAV", b"data", "<"), ("AIFF", b"SSND", ">")])
def test_a_recorder_that_died_leaves_a_length_of_nothing(rng, format, mark, order):
    data = saved(noise(rng), format)
    at = data.index(mark) + 4
    died = data[:at] + bytes(4) + data[at + 4 :]
    with pytest.raises(ValueError, match=r"says 0 bytes of sound, 60\d\d follow .*keep_truncated=True"):
        load_sound(died)
    np.testing.assert_array_equal(load_sound(died, keep_truncated=True), load_sound(data))
    too_long = data[:at] + struct.pack(order + "I", len(data)) + data[at + 4 :]
    with pytest.raises(ValueError, match=r"is cut short: \d+ bytes"):
        load_sound(too_long)
    np.testing.assert_array_equal(load_sound(too_long, keep_truncated=True), load_sound(data))


def test_an_empty_sound_before_another_chunk_is_empty():
    data = saved(np.zeros(0)) + b"LIST\4\0\0\0INFO"
    for keep in (False, True):
        with pytest.raises(ValueError, match="holds no sound"):
            load_sound(data, keep_truncated=keep)


def test_a_flac_is_read_to_where_its_decoder_fails(rng):
    data = saved(noise(rng, 5 * RATE), "FLAC")
    whole, half = load_sound(data), data[: len(data) // 2]
    with pytest.raises(ValueError):
        load_sound(half)
    kept = load_sound(half, keep_truncated=True)
    np.testing.assert_array_equal(kept, whole[: len(kept)])
    assert 0.3 * len(whole) < len(kept) < 0.5 * len(whole)


def test_formats_of_more_than_4_gb_are_refused_by_name(rng):
    with pytest.raises(ValueError, match=r"is RF64 .*which is not read .make it a WAV"):
        load_sound(saved(noise(rng), "RF64"))
    with pytest.raises(ValueError, match="begins with b'BW64"):
        load_sound(b"BW64" + saved(noise(rng), "RF64")[4:])


# Odd files and odd limits.


def test_files_that_do_not_say_where_they_went(rng):
    class Silent(io.BytesIO):
        def seek(self, *where):
            super().seek(*where)

    for format, subtype in EVERY_FORMAT:
        data = saved(noise(rng), format, subtype)
        np.testing.assert_array_equal(load_sound(Silent(data)), load_sound(data))


def test_a_file_of_text_is_refused(tmp_path):
    class Text:
        read = staticmethod(lambda size=-1: "RIFF")

    for source in (Text(), tempfile.NamedTemporaryFile("w+")):
        with pytest.raises(TypeError, match="source is .*expected a path, bytes or a file opened 'rb'"):
            load_sound(source)


@pytest.mark.parametrize("limit", [None, "60", True, [3], 3 + 0j])
def test_max_seconds_is_a_number(limit):
    with pytest.raises(TypeError, match="max_seconds is .*expected a number of seconds"):
        load_sound(saved(np.zeros(100)), max_seconds=limit)


@pytest.mark.parametrize("limit", [0, -1, np.nan, np.inf, 1e308])
def test_max_seconds_is_finite_and_above_nothing(limit):
    with pytest.raises(
        ValueError, match="max_seconds is .*(expected a finite number of seconds above 0|at most 1000000000)"
    ):
        load_sound(saved(np.zeros(100)), max_seconds=limit)


@pytest.mark.parametrize("limit", [1, 0.5, 10**9, np.float32(60), Fraction(1, 2)])
def test_max_seconds_of_every_kind(limit):
    assert len(load_sound(saved(np.zeros(100)), max_seconds=limit)) == 100


# Numbers that are no sound.


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("file_rate", [RATE, 44_100])
def test_what_is_not_finite_is_refused(bad, file_rate):
    sound = np.zeros(1000)
    sound[[10, 500]] = bad
    with pytest.raises(ValueError, match="holds 2 samples that are not finite, of 1000"):
        load_sound(saved(sound, subtype="FLOAT", rate=file_rate))


def test_whole_numbers_stored_as_float_are_refused():
    """The classic slip: 16-bit numbers, never divided by 32768."""
    with pytest.raises(ValueError, match="reaches 16384; full scale is 1 .*divide by 32768"):
        load_sound(saved(tone(440, 0.1) * 32768, subtype="FLOAT"))
    assert sound_levels(load_sound(saved(np.array([0, -1.5]), subtype="FLOAT"))).peak == 1.5  # a hot float file is kept


# Levels.


def test_levels_of_a_sine_by_hand():
    levels = sound_levels(tone(1000, 1, size=0.5))
    assert levels.peak == pytest.approx(0.5) and levels.rms == pytest.approx(0.5 / np.sqrt(2))
    assert levels.clipped == 0 and not levels.silent


def test_clipping_is_seen_after_resampling():
    """Three times too loud: 78 % of a sine's samples lie beyond a third of its top."""
    clipped = np.clip(tone(200, 0.5, 44_100, size=3), -1, 1)
    levels = sound_levels(load_sound(saved(clipped, rate=44_100)))
    assert 0.7 < levels.clipped < 0.85
    assert sound_levels(load_sound(saved(tone(200, 0.5, 44_100, size=0.9), rate=44_100))).clipped == 0


@pytest.mark.parametrize("size, silent", [(0, True), (1e-5, True), (1e-3, False)])
def test_a_muted_microphone_is_silent_and_a_quiet_room_is_not(size, silent, rng):
    levels = sound_levels(load_sound(saved(size * rng.standard_normal(RATE), subtype="FLOAT")))
    assert levels.silent is silent and type(levels.rms) is float


@pytest.mark.parametrize("sound", [[], [[0.1, 0.2]], [0.1, np.nan], 0.3])
def test_levels_of_what_is_no_sound(sound):
    with pytest.raises(ValueError, match="sound has shape"):
        sound_levels(sound)


@pytest.mark.parametrize("sound", [np.int16([0, 16384]), np.uint8([128]), [1, 2], [True], ["a"], np.array([1j])])
def test_levels_of_numbers_whose_full_scale_nobody_knows(sound):
    """As floats, 16384 of 32768 would be 84 dB over full scale."""
    with pytest.raises(TypeError, match=r"sound is \S+; expected floats, full scale being 1 .16 bits: x / 32768"):
        sound_levels(sound)
    with pytest.raises(ValueError, match="reaches 16384; full scale is 1"):
        sound_levels(np.float32([0, 16384]))
    assert sound_levels(np.int16([0, 16384]) / 32768).peak == 0.5


# What must be installed.


@pytest.mark.parametrize(
    "module, message", [("soundfile", "read by soundfile, which is missing"), ("soxr", "needs soxr, which is missing")]
)
def test_a_missing_library_is_named(monkeypatch, module, message):
    data = saved(tone(440, 0.1, 44_100), rate=44_100)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModuleNotFoundError, match=message + r".*pip install mmtokedu\[media\]"):
        load_sound(data)


def test_import_needs_neither():
    code = "import sys, mmtokedu.media.sound; print(sorted({'soundfile', 'soxr'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
