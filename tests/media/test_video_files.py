"""Clips as users have them: every structure is made here, tiny, and read frame by frame beside plain decoding."""

import ast
import functools
import io
import os
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import X264, box, drawn, edited, gif, heard, mixed, patched, turned, written
from PIL import Image

from mmtokedu.measured import timings
from mmtokedu.media import packets, pictures
from mmtokedu.media.soundtrack import soundtrack
from mmtokedu.media.video import clip_info, frame_times, frames_at, iter_frames, keyframes, read_frames

pytestmark = pytest.mark.apart

av = pytest.importorskip("av")

FRAMES = 40
VARYING = [0, 10, 50, 60, 260, 270, 300, 1000, 1010, 1500, 1501, 1502, 1600]  # milliseconds


def x264(more=""):
    return {"x264-params": X264 + more}


def fragmented():
    """An MP4 in pieces, as what is sent while it is recorded: its header knows of no frame."""
    file = io.BytesIO()
    movflags = {"movflags": "frag_keyframe+empty_moov"}
    with av.open(file, "w", format="mp4", container_options=movflags) as clip:
        track = clip.add_stream("libx264", rate=30, options=x264())
        track.width, track.height, track.pix_fmt = 64, 48, "yuv420p"
        for number, picture in enumerate(drawn(FRAMES)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
            clip.mux(track.encode(frame))
        clip.mux(track.encode())
    return file.getvalue()


def hidden():
    """VP8 in WebM, in which a picture in the middle is never shown: others lean on it."""
    data = written("webm", "libvpx", drawn(FRAMES))
    with av.open(io.BytesIO(data)) as clip:
        packet = [bytes(packet) for packet in clip.demux(video=0) if packet.size][17]
    at = data.index(packet)
    return patched(data, at, bytes([packet[0] & ~16]))


def shown_late():
    """Frames 5 to 20 of an H.264 clip, by an edit list: the first of them is no key frame."""
    return edited(written("mp4", "libx264", drawn(FRAMES), options=x264(":bframes=2")), 1024 + 512 * 5, 533)


PLAIN = dict(codec="libx264", options=x264())
MADE = {
    "H.264, B frames, MP4": lambda: written(
        "mp4", "libx264", drawn(FRAMES), options=x264(":bframes=3:b-pyramid=normal")
    ),
    "H.264, open groups, MP4": lambda: written("mp4", "libx264", drawn(FRAMES), options=x264(":bframes=3:open-gop=1")),
    "H.264, intra refresh, MP4": lambda: written("mp4", "libx264", drawn(FRAMES), options=x264(":intra-refresh=1")),
    "H.264, three slices, MKV": lambda: written("matroska", "libx264", drawn(FRAMES), options=x264(":slices=3")),
    "H.264, MPEG-TS": lambda: written("mpegts", pictures=drawn(FRAMES), **PLAIN),
    "H.264, AVI: no times": lambda: written("avi", pictures=drawn(FRAMES), **PLAIN),
    "H.264, raw: no times": lambda: written("h264", pictures=drawn(FRAMES), **PLAIN),
    "H.264, FLV": lambda: written("flv", pictures=drawn(FRAMES), **PLAIN),
    "H.264, fragmented MP4": fragmented,
    "H.264, edit list": shown_late,
    "H.264, turned by 90 degrees": lambda: turned(written("mov", pictures=drawn(FRAMES), **PLAIN), 0, 1, -1, 0),
    "H.264, rate varies": lambda: written("mp4", pictures=drawn(len(VARYING)), milliseconds=VARYING, **PLAIN),
    "H.264, sound beside": lambda: written("mp4", pictures=drawn(FRAMES), sound=np.zeros(21_333, np.float32), **PLAIN),
    "HEVC, open groups, MP4": lambda: written(
        "mp4", "libx265", drawn(FRAMES, 64, 64), options={"x265-params": "ctu=16:keyint=12:open-gop=1:log-level=none"}
    ),
    "AV1, MP4": lambda: written("mp4", "libsvtav1", drawn(FRAMES), options={"preset": "12"}),
    "VP9, WebM": lambda: written("webm", "libvpx-vp9", drawn(FRAMES), options={"deadline": "realtime"}),
    "VP8, hidden picture, WebM": hidden,
    "MPEG-4, B frames, AVI": lambda: written("avi", "mpeg4", drawn(FRAMES), options={"bf": "2"}),
    "MPEG-2, open groups, MPEG-PS": lambda: written("mpeg", "mpeg2video", drawn(FRAMES), options={"bf": "2"}),
    "MJPEG, MOV": lambda: written("mov", "mjpeg", drawn(FRAMES), pixels="yuvj420p"),
    "FFV1, 10 bits, odd sides, MKV": lambda: written("matroska", "ffv1", drawn(FRAMES, 47, 65), pixels="yuv420p10le"),
    "FFV1, a pixel": lambda: written("matroska", "ffv1", drawn(FRAMES, 1, 1), pixels="yuv444p"),
    "GIF": lambda: gif(drawn(FRAMES)),
    "one frame": lambda: written("mp4", pictures=drawn(1), **PLAIN),
}


@functools.cache
def clip(name):
    """The bytes of a made clip; the test is skipped where this FFmpeg lacks the encoder."""
    try:
        return MADE[name]()
    except av.codec.codec.UnknownCodecError as error:
        pytest.skip(f"no encoder: {error}")


def decoded(data):
    """(T, H, W, 3): all frames, as PyAV gives them one after the other."""
    with av.open(io.BytesIO(data)) as opened:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)])


def upright(name, frames):
    return np.rot90(frames, -1, (1, 2)) if "turned" in name else frames


# Bit by bit what decoding from the start gives.


@pytest.mark.parametrize("name", MADE)
def test_any_frames_are_those_of_decoding_everything(name, rng):
    data = clip(name)
    expected = upright(name, decoded(data))
    assert clip_info(data).frames == len(frame_times(data)) == len(expected)
    assert clip_info(data)[3:5] == expected.shape[1:3]
    last = len(expected) - 1
    scattered = [rng.integers(0, last + 1, rng.integers(1, 6)).tolist() for _ in range(6)]
    for indices in ([last], [0], [last, 0, last // 2, last], *scattered):
        frames = read_frames(data, indices)
        assert frames.dtype == np.uint8 and frames.flags.c_contiguous
        np.testing.assert_array_equal(frames, expected[indices])


@pytest.mark.parametrize("name", MADE)
def test_one_by_one(name):
    data = clip(name)
    numbers, seconds, frames = zip(*iter_frames(data))
    assert list(numbers) == list(range(len(numbers)))
    np.testing.assert_array_equal(seconds, frame_times(data))
    np.testing.assert_array_equal(np.stack(frames), upright(name, decoded(data)))


@pytest.mark.parametrize("name", MADE)
def test_key_frames_are_those_of_the_decoder(name):
    data = clip(name)
    with av.open(io.BytesIO(data)) as opened:
        expected = [number for number, frame in enumerate(opened.decode(video=0)) if frame.key_frame]
    found = keyframes(data)
    assert found.dtype == np.int64
    if "intra refresh" in name:  # the file calls key what the decoder does not
        assert expected == [0] and found[0] == 0 and len(found) == 4
    else:
        assert found.tolist() == expected


@pytest.mark.parametrize("name", [name for name in MADE if "no times" not in name and "refresh" not in name])
def test_no_more_is_decoded_than_needed(name, monkeypatch):
    """Each frame alone is found at once: decoding everything, the second way, is not gone."""
    data = clip(name)
    monkeypatch.setattr(pictures, "sequence", lambda *_: pytest.fail("decoded everything"))
    for number in range(len(frame_times(data))):
        read_frames(data, [number])


def test_groups_without_a_wanted_frame_are_not_decoded(monkeypatch):
    data, fed = clip("H.264, B frames, MP4"), []
    decode = pictures._decode
    monkeypatch.setattr(pictures, "_decode", lambda context, packet: fed.append(packet) or decode(context, packet))
    read_frames(data, [25])
    assert fed.pop() is None and 2 <= len(fed) <= 8  # from the key frame 24 on, in the order of the file
    fed.clear()
    read_frames(data, [1, 37])
    assert sum(packet is not None for packet in fed) <= 10


def test_all_frames_go_through_one_scaler(monkeypatch):
    made = []
    scaler = av.video.reformatter.VideoReformatter
    monkeypatch.setattr(av.video.reformatter, "VideoReformatter", lambda: made.append(1) or scaler())
    frames = read_frames(clip("MJPEG, MOV"), range(FRAMES), size=(24, 32))
    assert frames.shape == (FRAMES, 24, 32, 3) and len(made) == 1


# The planning, by hand.


def test_what_is_decoded_for_which_frame():
    """Packets I B P | I b P (the b, shown before its I, leans on the group before): shown are 0 1 2 4 3 5."""
    pts, key = np.array([0, 1, 2, 4, 3, 5]), np.array([1, 0, 0, 1, 0, 0], bool)
    index = packets.Index(np.array([0, 1, 2, 4, 3, 5]), np.arange(6), pts, key, 1, 1, True, ())
    assert pictures.stretches(index, [0]) == [(0, 0)]
    assert pictures.stretches(index, [2, 5]) == [(0, 2), (3, 5)]
    assert pictures.stretches(index, [4]) == [(3, 3)]
    assert pictures.stretches(index, [3]) == [(0, 4)]  # from the first key frame
    assert pictures.stretches(index, [3, 5]) == [(0, 5)]


# Times.


@pytest.mark.parametrize(
    "name, seconds, expected",
    [
        ("H.264, B frames, MP4", [0, 0.0332, 1 / 30, 7 / 30, 0.5, 39 / 30, 40 / 30], [0, 0, 1, 7, 15, 39, 39]),
        ("H.264, MPEG-TS", [0, 0.0332, 1 / 30, 7 / 30, 0.5], [0, 0, 1, 7, 15]),  # its clock begins at 1.4 s, or later
        ("H.264, three slices, MKV", [8 / 30, 0.266, 1 / 30], [8, 7, 1]),  # frame 8 is at 267 ms
        ("H.264, edit list", [0, 0.1, 0.5], [0, 3, 15]),
        ("H.264, AVI: no times", [0, 0.1, 0.11, 1.3], [0, 3, 3, 39]),
        ("GIF", [0, 0.09, 0.1, 3.95], [0, 0, 1, 39]),
        ("H.264, rate varies", [0.0, 0.049, 0.05, 0.2599, 0.26, 0.9, 1.4999, 1.5, 1.6], [0, 1, 2, 3, 4, 6, 8, 9, 12]),
    ],
)
def test_the_frame_on_screen(name, seconds, expected):
    frames = frames_at(clip(name), seconds)
    np.testing.assert_array_equal(frames, upright(name, decoded(clip(name)))[expected])
    assert len(frames_at(clip(name), 0.0)) == 1


def test_times_are_those_of_the_file():
    assert np.abs(1000 * frame_times(clip("H.264, rate varies")) - VARYING).max() < 1e-9
    assert frame_times(clip("H.264, edit list"))[:3].tolist() == [0, 1 / 30, 2 / 30]
    assert frame_times(clip("H.264, raw: no times"))[:3].tolist() == [0, 1 / 25, 2 / 25]  # nobody told 30
    info = clip_info(clip("H.264, rate varies"))
    assert info.frames == 13 and info.fps == pytest.approx(12 / 1.6)
    assert any("its rate varies: a frame is shown for 1 to 700 ms" in note for note in info.notes)


def test_an_edit_list_shows_a_part():
    whole = decoded(written("mp4", "libx264", drawn(FRAMES), options=x264(":bframes=2")))
    np.testing.assert_array_equal(read_frames(clip("H.264, edit list"), range(16)), whole[5:21])
    assert "its header promises 40 frames, and 16 are shown" in clip_info(clip("H.264, edit list")).notes


@pytest.mark.parametrize(
    "matrix, see",
    [
        ((1, 0, 0, 1), lambda x: x),
        ((0, 1, -1, 0), lambda x: np.rot90(x, -1)),
        ((-1, 0, 0, -1), lambda x: np.rot90(x, 2)),
        ((0, -1, 1, 0), lambda x: np.rot90(x, 1)),
        ((-1, 0, 0, 1), lambda x: x[:, ::-1]),
        ((1, 0, 0, -1), lambda x: x[::-1]),
        ((0, 1, 1, 0), lambda x: x.swapaxes(0, 1)),
        ((0, -1, -1, 0), lambda x: np.rot90(x, 2).swapaxes(0, 1)),
    ],
)
def test_pictures_stand_upright(matrix, see):
    data = clip("MJPEG, MOV")
    (stored,) = read_frames(data, [3])
    data = turned(data, *matrix)
    (frame,) = read_frames(data, [3])
    np.testing.assert_array_equal(frame, see(stored))
    assert clip_info(data)[3:5] == frame.shape[:2]
    assert any("turned" in note for note in clip_info(data).notes) == (matrix != (1, 0, 0, 1))
    assert read_frames(data, [3], size=(20, 30)).shape == (1, 20, 30, 3)


def test_a_frame_is_scaled_upright():
    """Turned before or after, the smaller picture is the same, but for the rounding of the chroma's place."""
    data = clip("H.264, turned by 90 degrees")
    small = read_frames(data, [5], size=(32, 24))[0].astype(int)
    (large,) = read_frames(data, [5])
    resized = np.asarray(Image.fromarray(large).resize((24, 32), Image.BICUBIC)).astype(int)
    assert large.shape == (64, 48, 3) and np.abs(small - resized).mean() < 6


def test_size_can_be_the_frames_own():
    frames = read_frames(clip("FFV1, 10 bits, odd sides, MKV"), [0, 3])
    scaled = read_frames(clip("FFV1, 10 bits, odd sides, MKV"), [0, 3], size=(47, 65))
    assert frames.shape == (2, 47, 65, 3)
    assert (
        np.abs(frames.astype(int) - scaled).mean() < 3
        and np.abs(frames.astype(int) - drawn(4, 47, 65)[[0, 3]]).mean() < 8
    )


# Sources and arguments.


def test_every_kind_of_source(tmp_path):
    data = clip("H.264, B frames, MP4")
    path = tmp_path / "clip.gif"  # the content counts, not the name
    path.write_bytes(data)
    expected = read_frames(data, [7, 3])

    class Response:  # reads, and cannot seek
        def __init__(self):
            self.read = io.BytesIO(data).read

    late = io.BytesIO(data)
    late.seek(20)
    with open(path, "rb") as file:
        for source in (path, str(path), bytearray(data), memoryview(data), file, late, Response()):
            np.testing.assert_array_equal(read_frames(source, [7, 3]), expected)
        assert not file.closed and not late.closed
    assert len(list(iter_frames(Response()))) == FRAMES


@pytest.mark.parametrize("read", [lambda s: read_frames(s, [0]), lambda s: frames_at(s, 0), lambda s: list(iter_frames(s)),
                                  keyframes, frame_times, clip_info, soundtrack])  # fmt: skip
def test_what_is_no_clip(read, tmp_path, rng):
    with pytest.raises(FileNotFoundError, match="no file 'nowhere.mp4'"):
        read("nowhere.mp4")
    with pytest.raises(ValueError, match="is not a file"):
        read(tmp_path)
    with pytest.raises(ValueError, match="is empty: 0 bytes"):
        read(b"")
    for wrong in (None, 3, drawn(2), io.StringIO("x")):
        with pytest.raises(TypeError, match="expected a path, bytes or a file opened 'rb'"):
            read(wrong)
    png = io.BytesIO()
    Image.new("RGB", (4, 4)).save(png, "PNG")
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
    lists = [playlist, b"ffconcat version 1.0\nfile /etc/passwd\n", b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n"]
    junk = [bytes(5000), rng.bytes(20_000), b"<!DOCTYPE html><p>404", png.getvalue(), *lists]
    for data in junk:
        with pytest.raises(ValueError, match="the clip begins with b.*damaged, or none of MP4, MOV"):
            read(data)


@pytest.mark.parametrize(
    "options, error, match",
    [
        (dict(indices=[]), ValueError, "at least one frame"),
        (dict(indices=[-1]), ValueError, "index -1 is outside"),
        (dict(indices=[0.5]), TypeError, "expected whole numbers"),
        (dict(indices=3), ValueError, r"expected \(n,\)"),
        (dict(indices=[0, 40]), ValueError, "frame 40 is asked for and the clip has 40, 0 to 39$"),
        (dict(indices=[2**50]), ValueError, "is asked for and the clip has 40"),
        (dict(indices=np.zeros(2**20 + 1, int)), ValueError, "at most 1048576"),
        (dict(size=3), TypeError, r"expected \(height, width\)"),
        (dict(size=(0, 4)), ValueError, "size is 0x4; expected at least 1x1"),
        (dict(size=(4, 2.5)), TypeError, "width is 2.5; expected a whole number"),
        (dict(size=(2**20, 2**20)), ValueError, "size is 1048576x1048576"),
        (dict(max_pixels=2.5), TypeError, "max_pixels is 2.5"),
        (dict(max_pixels=True), TypeError, "max_pixels is True"),
        (dict(max_pixels=3071), ValueError, "frames of 48x64, 3072 pixels; 1 to max_pixels=3071 are read"),
        (dict(indices=np.zeros(10**6, int), size=(1000, 1000)), ValueError, "2794.0 GiB; at most 32 are given"),
    ],
)
def test_what_cannot_be_asked_for(options, error, match):
    with pytest.raises(error, match=match):
        read_frames(clip("H.264, B frames, MP4"), **{"indices": [0], **options})


@pytest.mark.parametrize(
    "seconds, error, match",
    [
        ([], ValueError, "at least one"),
        (-0.1, ValueError, "seconds is -0.1"),
        ([0, np.nan], ValueError, "seconds is nan"),
        ("1", TypeError, "expected a number of seconds"),
        (
            1.4,
            ValueError,
            "a frame at 1.4 s is asked for and the clip ends at 1.33333 s, its last frame begins at 1.3 s",
        ),
    ],
)
def test_moments_that_no_clip_has(seconds, error, match):
    with pytest.raises(error, match=match):
        frames_at(clip("H.264, B frames, MP4"), seconds)


def test_progress_is_off_until_asked_for(capfd, monkeypatch):
    read_frames(clip("GIF"), [0, 1])
    assert capfd.readouterr() == ("", "")
    tqdm = pytest.importorskip("tqdm")
    shown = functools.partial(tqdm.tqdm, disable=False)  # whatever TQDM_DISABLE said when tqdm was loaded
    monkeypatch.setattr(tqdm, "tqdm", shown)
    read_frames(clip("GIF"), [0, 1, 1], progress=True)
    assert "2/2" in capfd.readouterr().err


# Files that are not what their header says.


def test_an_mp4_cut_in_the_middle():
    """Its header stands first and promises all; half of the pictures are there."""
    data = written("mp4", pictures=drawn(FRAMES), **PLAIN)
    moov, size = box(data, b"moov")
    shifted = data[: box(data, b"ftyp")[0] + box(data, b"ftyp")[1]] + data[moov - 8 : moov + size]
    start = box(data, b"mdat")[0] - 8
    chunks, _ = box(shifted, b"stco")
    (count,) = struct.unpack_from(">I", shifted, chunks + 4)
    for k in range(count):
        (at,) = struct.unpack_from(">I", shifted, chunks + 8 + 4 * k)
        shifted = patched(shifted, chunks + 8 + 4 * k, struct.pack(">I", at - start + len(shifted)))
    pictures_ = data[start : moov - 8]
    assert clip_info(shifted + pictures_).frames == FRAMES
    short = shifted + pictures_[: len(pictures_) // 2]
    info = clip_info(short)
    assert info.promised.frames == 40 and 10 < info.frames < 40
    assert f"its header promises 40 frames, and {info.frames} are shown" in info.notes
    numbers = np.rint(frame_times(short) * 30).astype(int)  # where the cut took B frames, the one after them is shown
    np.testing.assert_array_equal(read_frames(short, range(info.frames)), decoded(shifted + pictures_)[numbers])
    with pytest.raises(ValueError, match=f"frame 39 is asked for and the clip has {info.frames}.*header promises 40"):
        read_frames(short, [39])
    with pytest.raises(ValueError, match="header promises 40"):
        frames_at(short, 1.3)


@pytest.mark.parametrize(
    "name", ["H.264, three slices, MKV", "H.264, MPEG-TS", "MPEG-4, B frames, AVI", "H.264, FLV", "GIF"]
)
@pytest.mark.parametrize("share", [0.7, 0.85])
def test_what_is_there_of_a_clip_cut_in_the_middle(name, share):
    data = clip(name)
    short = data[: int(len(data) * share)]
    info = clip_info(short)
    assert 1 < info.frames < FRAMES
    frames = read_frames(short, range(info.frames - 1))  # the last one may lack its end
    np.testing.assert_array_equal(frames, decoded(data)[: info.frames - 1])


def test_an_mp4_without_its_header():
    data = clip("H.264, B frames, MP4")
    with pytest.raises(ValueError, match="the clip begins with.*damaged.*fetch it again"):
        clip_info(data[: box(data, b"moov")[0] - 8])


def test_an_avi_that_promises_more():
    data = clip("MPEG-4, B frames, AVI")
    at = data.index(b"avih") + 8 + 16
    assert struct.unpack_from("<I", data, at) == (FRAMES,)
    stream = data.index(b"strh") + 8 + 32
    data = patched(patched(data, at, struct.pack("<I", 10**6)), stream, struct.pack("<I", 10**6))
    info = clip_info(data)
    assert info.frames == FRAMES and info.promised.frames == 10**6 and info.seconds == pytest.approx(FRAMES / 30)
    assert "its header promises 1000000 frames, and 40 are shown" in info.notes
    with pytest.raises(ValueError, match="the clip has 40, 0 to 39 .its header promises 1000000"):
        read_frames(data, [999_999])


def test_a_header_of_ten_hours():
    data = clip("H.264, three slices, MKV")
    at = data.index(b"\x44\x89\x88") + 3  # Duration, 8 bytes
    assert struct.unpack_from(">d", data, at)[0] == pytest.approx(1333, abs=2)
    info = clip_info(patched(data, at, struct.pack(">d", 36e6)))
    assert info.promised.seconds == 36000 and info.seconds == pytest.approx(4 / 3, abs=1e-3)
    assert any(note.startswith("its header promises 36000 s") for note in info.notes)


def bomb(size, count):
    """A MOV of three pictures whose header counts others, in few bytes: all of one size, all in one chunk."""
    data = written("mov", "mjpeg", drawn(3), pixels="yuvj420p")
    data = patched(data, box(data, b"stsz")[0], struct.pack(">III", 0, size, count))
    data = patched(data, box(data, b"stsc")[0], struct.pack(">IIIII", 0, 1, 1, count, 1))
    return patched(data, box(data, b"stts")[0], struct.pack(">IIII", 0, 1, count, 512))


@pytest.mark.parametrize("size, count", [(1, 2**31 - 1), (2**28, 2**20), (1, 2**22)])
def test_a_header_that_counts_billions(size, count):
    """FFmpeg would make an entry in memory for each of them."""
    with pytest.raises(ValueError, match=f"its header counts {count} samples of {size} bytes or more, in a file of"):
        clip_info(bomb(size, count))
    assert clip_info(bomb(800, 3)).promised.frames == 3


def test_a_fragment_that_counts_billions():
    data = fragmented()
    start, _ = box(data, b"trun")
    with pytest.raises(ValueError, match="its header counts 4294967295 samples"):
        clip_info(patched(data, start, struct.pack(">II", 1, 2**32 - 1)))


def test_a_rate_of_nought():
    data = clip("MPEG-4, B frames, AVI")
    stream = data.index(b"strh") + 8
    data = patched(patched(data, stream + 20, bytes(8)), data.index(b"avih") + 8, bytes(4))  # scale, rate; per frame
    info = clip_info(data)
    assert info.frames == FRAMES and 0 < info.fps < 1e6 and info.seconds > 0
    np.testing.assert_array_equal(read_frames(data, [0, 39]), decoded(data)[[0, 39]])


def test_a_header_without_a_picture():
    data = fragmented()
    start = data.index(b"moof") - 4
    with pytest.raises(ValueError, match="holds no picture|damaged"):
        read_frames(data[:start], [0])


def test_sound_alone_is_no_clip():
    data = heard("mp4", "aac", np.zeros(16_000, np.float32))
    for read in (lambda: read_frames(data, [0]), lambda: clip_info(data)):
        with pytest.raises(ValueError, match="holds no moving pictures, only sound .soundtrack.source. reads it"):
            read()


def test_a_cover_is_no_clip():
    """A song with its cover: FFmpeg counts the picture as a video of one frame."""
    cover = io.BytesIO()
    Image.new("RGB", (16, 16)).save(cover, "PNG")
    song = heard("mp3", "libmp3lame", np.zeros(16_000, np.float32))
    body = b"\0image/png\0\3\0" + cover.getvalue()
    frame = b"APIC" + struct.pack(">IH", len(body), 0) + body
    size = len(frame)
    tag = b"ID3\3\0\0" + bytes(size >> shift & 127 for shift in (21, 14, 7, 0)) + frame
    while song[:3] == b"ID3":
        song = song[10 + sum((byte & 127) << shift for byte, shift in zip(song[6:10], (21, 14, 7, 0))) :]
    with av.open(io.BytesIO(tag + song)) as opened:
        assert len(opened.streams.video) == 1
    with pytest.raises(ValueError, match="no moving pictures, only sound"):
        read_frames(tag + song, [0])


def test_frames_of_two_sizes():
    data = mixed("matroska", "mjpeg", [drawn(6), drawn(6, 64, 48)], "yuvj420p")
    with pytest.raises(ValueError, match=r"frame 6 is 64x48, others are 48x64; give all one size, as size=\(48, 64\)"):
        read_frames(data, range(12))
    assert read_frames(data, range(12), size=(48, 64)).shape == (12, 48, 64, 3)
    assert read_frames(data, [11, 7]).shape == (2, 64, 48, 3)


def test_a_damaged_picture_is_named():
    """An FFV1 picture says by a checksum that it is damaged; the others stay."""
    data = clip("FFV1, 10 bits, odd sides, MKV")
    with av.open(io.BytesIO(data)) as opened:
        packets_ = [bytes(packet) for packet in opened.demux(video=0) if packet.size]
    broken = patched(data, data.index(packets_[30]), bytes(len(packets_[30])))
    assert len(list(iter_frames(broken))) <= FRAMES
    np.testing.assert_array_equal(read_frames(broken, [3, 12]), read_frames(data, [3, 12]))


def test_enormous_pictures_are_refused_before_they_are_decoded():
    data = written("avi", "rawvideo", drawn(3))
    at = data.index(b"strf") + 8 + 4
    assert struct.unpack_from("<ii", data, at) == (64, 48)
    with pytest.raises(
        ValueError, match="frames of 30000x30000, 900000000 pixels|gives no picture.*of more than max_pixels"
    ):
        read_frames(patched(data, at, struct.pack("<ii", 30_000, 30_000)), [0])


def test_eight_k():
    data = written("mov", "mjpeg", np.full((1, 4320, 7680, 3), 90, np.uint8), pixels="yuvj420p")
    (frame,) = read_frames(data, [0], size=(27, 48))
    assert frame.shape == (27, 48, 3) and np.abs(frame - 90.0).max() <= 2


def test_memory_holds_what_is_kept(tmp_path):
    """60 frames of 720x1280 are 166 MB; three of them, and the decoder, stay under 60."""
    path = tmp_path / "long.mkv"
    path.write_bytes(written("matroska", "mpeg4", np.full((60, 720, 1280, 3), 60, np.uint8), group=20))
    if not Path("/proc/self/status").exists():
        pytest.skip("the system does not tell a process its peak")
    code = """
import pathlib, re, sys
from mmtokedu.media.video import iter_frames, read_frames
peak = lambda: int(re.search(r"VmHWM:\\s*(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1]) // 1024
read_frames(sys.argv[1], [0])
before = peak()
read_frames(sys.argv[1], [7, 30, 59])
assert sum(1 for _ in iter_frames(sys.argv[1], size=(72, 128))) == 60
least = peak() - before
read_frames(sys.argv[1], range(60))
print(least, peak() - before)"""
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    few, all_of_them = map(int, done.stdout.split())
    assert few < 45 and 150 < all_of_them < 220


def test_without_pyav(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ModuleNotFoundError, match=r"read by PyAV, which is missing: pip install mmtokedu\[media\]"):
        read_frames(clip("GIF"), [0])


# Sound.


def tone(seconds, rate=16_000):
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def spoken(sound, voice="pcm_s16le", **options):
    return written("matroska", "libx264", drawn(FRAMES), options=x264(), sound=sound, voice=voice, **options)


def test_a_soundtrack_is_what_was_put_in():
    sound = tone(1.3)
    track = soundtrack(spoken(sound))
    assert track.dtype == np.float32 and track.shape == sound.shape
    assert np.abs(track - sound).max() <= 2**-15
    assert len(soundtrack(spoken(sound), 8_000)) == len(sound) / 2
    assert clip_info(spoken(sound)).sound


def test_the_priming_of_an_encoder_is_no_sound():
    """AAC begins 1,024 samples early; an MP4 says so."""
    sound = tone(1.3)
    track = soundtrack(written("mp4", "libx264", drawn(FRAMES), sound=sound))
    assert np.abs(track[2000:20_000] - sound[2000:20_000]).max() < 0.01


def test_stereo_becomes_the_mean():
    track = soundtrack(spoken(np.stack([tone(1.3), 0 * tone(1.3)])))
    assert np.abs(track - tone(1.3) / 2).max() <= 2**-15


def test_more_channels_are_refused():
    with av.open(io.BytesIO(), "w", format="matroska") as clip_:
        file = clip_.file
        track = clip_.add_stream("pcm_s16le", rate=16_000, layout="5.1")
        block = av.AudioFrame.from_ndarray(np.zeros((6, 800), np.float32), format="fltp", layout="5.1")
        block.rate, block.pts = 16_000, 0
        clip_.mux(track.encode(block) + track.encode())
        clip_.close()
        data = file.file.getvalue()
    with pytest.raises(ValueError, match="has 6 channels of sound; one or two are read"):
        soundtrack(data)


def test_sound_keeps_the_time_of_the_pictures():
    """Pictures that begin half a second after the sound, or after half a second of silence: a sample's time is theirs."""
    sound = tone(1.3) * (np.arange(20_800) >= 16_000)  # from 1.0 s on
    late = [500 + 33 * k for k in range(FRAMES)]
    track = soundtrack(spoken(sound, milliseconds=late))
    assert len(track) == 20_800 - 8_000 and np.flatnonzero(track)[0] == pytest.approx(8_000, abs=2)
    np.testing.assert_allclose(track, sound[8_000:], atol=2**-15)


def test_sound_that_begins_late_begins_with_silence():
    """A recording whose pictures begin first, and whose sound stops for a while: the packets in between are taken out."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as clip_:
        track = clip_.add_stream("ffv1", rate=10)
        track.width, track.height, track.pix_fmt = 64, 48, "yuv420p"
        voice = clip_.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for number, picture in enumerate(drawn(10)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
            clip_.mux(track.encode(frame))
        clip_.mux(track.encode())
        for start in (4_800, 12_800):
            block = av.AudioFrame.from_ndarray(np.full((1, 1_600), 0.5, np.float32), format="fltp", layout="mono")
            block.rate, block.pts, block.time_base = 16_000, start, Fraction(1, 16_000)
            clip_.mux(voice.encode(block))
        clip_.mux(voice.encode())
    sound = soundtrack(file.getvalue())
    assert np.flatnonzero(sound).tolist() == [*range(4_800, 6_400), *range(12_800, 14_400)]


def test_sound_alone_has_a_soundtrack():
    track = soundtrack(heard("mp4", "aac", tone(1)))
    assert np.abs(track[2000:14_000] - tone(1)[2000:14_000]).max() < 0.01


def test_clips_without_sound_and_with_too_much():
    with pytest.raises(ValueError, match="has no sound track: only pictures"):
        soundtrack(clip("H.264, B frames, MP4"))
    assert not clip_info(clip("H.264, B frames, MP4")).sound
    data = heard("mp4", "aac", tone(2))
    with pytest.raises(ValueError, match=r"s of sound or more; max_seconds=1 are read"):
        soundtrack(data, max_seconds=1)
    with pytest.raises(ValueError, match="rate is 5"):
        soundtrack(data, 5)


# Speed, as the benchmark stored it.


def test_reading_some_frames_costs_less_than_decoding_all():
    """Of one run on one machine: shares of the time that decoding everything takes."""
    rows = {(row["group"], row["name"]): row["ratio"] for row in timings("video")["cpu"]["rows"]}
    size = "frames, H.264, 720x1280"
    assert rows[f"120 of 1,800 {size}", "read_frames"] <= 1.1
    assert rows[f"8 of 1,800 {size}", "read_frames"] <= 0.45
    assert all(rows[group, "read_frames"] <= 1.1 * ratio for (group, name), ratio in rows.items() if "H.264" in group)
    assert rows["where 300 frames are cut, 144x256", "scene_scores, luma"] < 0.1


# Damaged files.

FUZZ = Path(__file__).parents[1] / "helpers" / "clip_fuzz.py"


@pytest.mark.parametrize("first, last", [(0, 150), (3863, 3864)])  # 3863: a track of sound appears half way
def test_damaged_clips_are_read_or_refused(first, last):
    """Thirteen kinds, a dozen mutations of each: no crash, no other error than ours, none takes ten seconds.

    More of them: `python tests/helpers/clip_fuzz.py 1000 9000`.
    """
    root = FUZZ.parents[2]
    environment = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{FUZZ.parent}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(FUZZ), str(first), str(last)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, f"after clip {done.stderr[-2000:]}"
    assert f"{last - first} clips" in done.stdout
    if last - first > 1:
        outcomes = ast.literal_eval(done.stdout[done.stdout.rindex("{") :])
        assert outcomes["read"] > 100 and outcomes["refused"] > 100
