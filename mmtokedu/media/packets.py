"""The packets of a clip: how many pictures a file really holds, and when each is shown, without decoding one."""

import contextlib
from array import array
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from mmtokedu.media.boxes import refuse_absurd_counts

FORMATS = ("MP4", "MOV", "MKV", "WebM", "AVI", "MPEG-TS", "MPEG-PS", "FLV", "Ogg", "ASF", "GIF", "IVF", "H.264", "HEVC")
# FFmpeg's names. Left out on purpose: lists that name other files or addresses (HLS, DASH, concat), and single images.
DEMUXERS = "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,ogg,asf,gif,ivf,h264,hevc,m4v,mp3,wav,flac,aac,aiff,3gp"
HOW = "(fetch it again, or rewrite it: ffmpeg -i INPUT clip.mp4)"
MAX_EMPTY = 100_000  # packets without data one after the other: a header that counts what is not there
NO_TIMES = {"h264", "hevc", "vvc"}  # of these FFmpeg guesses no presentation time where the container has none
STILLS = {"png", "mjpeg", "bmp", "webp", "tiff", "gif"}
ATTACHED = 0x400  # AV_DISPOSITION_ATTACHED_PIC


class Index(NamedTuple):
    """Every picture of a clip. Packets are counted in the order of the file, frames in the order they are shown."""

    packet: np.ndarray  # (T,) int64, of each frame
    ticks: np.ndarray  # (T,) int64, when each frame is shown, from the first one on
    pts: np.ndarray  # (P,) int64, of each packet, as the file counts
    key: np.ndarray  # (P,) bool: decoding may begin here
    tick: Fraction  # seconds
    length: int  # ticks that the last frame is shown
    timed: bool  # whether the file says when each picture is shown; where not, they can only be counted
    notes: tuple  # what is odd, a sentence each


def av():
    """PyAV, or the error that says what to install."""
    try:
        import av
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("clips are read by PyAV, which is missing: pip install mmtokedu[media]") from error
    return av


class _Nameless:
    """A file without its name, for the content counts; it gives no more than asked, and stays where it cannot go."""

    def __init__(self, file):
        self.file, self.tell = file, file.tell

    def read(self, size):
        return (self.file.read(size) or b"")[:size]

    def seek(self, offset, whence=0):
        with contextlib.suppress(ValueError, OSError):
            self.file.seek(offset, whence)
        return self.file.tell()


@contextlib.contextmanager
def container(file, name):
    """The file as PyAV's container, from its start: only what FFmpeg needs to know the tracks has been read.

    Raises ValueError for what is no clip.
    """
    av_ = av()  # asked for nothing about the tracks (options=): PyAV 14 then fails on an FLV, whose tracks come later
    refuse_absurd_counts(file, name)
    file.seek(0)
    try:
        opened = av_.open(
            _Nameless(file),
            mode="r",
            container_options={"format_whitelist": DEMUXERS, "protocol_whitelist": ""},
            metadata_errors="replace",
        )
    except Exception as error:  # whatever a demuxer raises on foreign bytes
        file.seek(0)
        start = file.read(16)
        known = ", ".join(FORMATS)
        raise ValueError(f"{name} begins with {start!r}: damaged, or none of {known}: {error} {HOW}") from error
    with opened:
        yield opened


def picture_track(opened, name):
    """The first track of moving pictures, or a ValueError: a cover beside a sound is none."""
    tracks = [track for track in opened.streams.video if not _is_cover(track, opened)]
    if not tracks:
        instead = "only sound (soundtrack(source) reads it)" if opened.streams.audio else "and no sound"
        raise ValueError(f"{name} holds no moving pictures, {instead}")
    if tracks[0].codec_context is None:
        raise ValueError(f"{name} holds pictures of a kind that this FFmpeg cannot decode {HOW}")
    return tracks[0]


def _is_cover(track, opened):
    if hasattr(track, "disposition"):
        return bool(int(track.disposition) & ATTACHED)
    context = track.codec_context  # PyAV 14 does not say: a cover is a still without a rate, beside a sound
    return context is not None and context.name in STILLS and bool(opened.streams.audio) and not track.average_rate


def packets(opened, track):
    """The track's packets that hold data, in the order of the file; they end where it cannot be read further."""
    demuxer, empty = opened.demux(track), 0
    while True:
        try:
            packet = next(demuxer, None)
        except (av().FFmpegError, IndexError):  # PyAV raises the second at the end of a file in which a track appeared
            return
        if packet is None or empty > MAX_EMPTY:
            return
        empty = 0 if packet.size else empty + 1
        if packet.size:
            yield packet


def index_of(opened, track, name):
    """The Index of a track, from one pass over the file without decoding; ValueError where it has no picture.

    Not counted is what no player shows: what an edit list cuts away, VP8's hidden references, what comes before the
    first key frame, and a last packet that the file's end cut through.
    """
    pts, dts, key, shown, timed = array("q"), array("q"), bytearray(), bytearray(), True
    length, corrupt, none, vp8 = 0, False, -(2**63), track.codec_context.name in ("vp8", "libvpx")
    for packet in packets(opened, track):
        timed &= packet.pts is not None
        pts.append(none if packet.pts is None else packet.pts)
        dts.append(none if packet.dts is None else packet.dts)
        key.append(packet.is_keyframe)
        hidden = vp8 and not memoryview(packet)[0] & 16
        shown.append(not packet.is_discard and not hidden)
        length, corrupt = packet.duration or length, packet.is_corrupt
    pts, dts = np.array(pts, np.int64), np.array(dts, np.int64)
    key, shown = np.array(key, bool), np.array(shown, bool)
    notes = []
    if corrupt:
        shown[-1] = False
        notes.append("it ends in the middle of a packet, which is left out")
    early = ~shown | (np.cumsum(key) == 0)
    if timed and key.any():
        early |= pts < pts[key.argmax()]
    if shown.any() and early.all():
        early = ~shown  # no key frame at all: whatever decodes
    if (shown & early).any():
        notes.append(f"{(shown & early).sum()} packets before the first key frame are left out")
    places = np.flatnonzero(~early)
    if not len(places):
        raise ValueError(f"{name} holds no picture: its header tells of pictures, and no packet of them follows {HOW}")
    known = dts[dts != none]
    steady = bool((np.diff(known) >= 0).all())
    guessed = track.codec_context.name in NO_TIMES and opened.format.name in ("avi", "h264", "hevc")
    timed = timed and steady and not guessed and len(np.unique(pts[places])) == len(places)
    if timed:
        places = places[np.argsort(pts[places], kind="stable")]
        ticks, tick = pts[places] - pts[places[0]], track.time_base
    else:
        notes.append("it does not say when each picture is shown: they are counted, and decoded from the start")
        ticks, tick = _even_ticks(dts[places], track, steady and len(known) == len(dts), notes)
        length = 0
    steps = np.diff(ticks)
    if not length:
        length = int(round(float(steps.mean()))) if len(steps) else 1
    return Index(places, ticks, pts, key, tick, int(length), timed, tuple(notes))


def _even_ticks(dts, track, known, notes):
    """(ticks, tick) of frames whose times are not told: when they are decoded, or evenly at the rate of the header."""
    if known and len(np.unique(dts)) == len(dts):
        return dts - dts[0], track.time_base
    rate = track.average_rate or track.guessed_rate
    if not rate or not 0 < rate < 10**6:
        rate = Fraction(25)
        notes.append("no rate is told either: 25 frames a second are assumed")
    return np.arange(len(dts)), 1 / Fraction(rate)
