"""Clips made on the spot, tiny, of as many structures as FFmpeg writes."""

import io
import struct
from fractions import Fraction

import numpy as np
from PIL import Image

LAYOUTS = {1: "mono", 2: "stereo"}  # axes of a sound -> its channels
X264 = "keyint=12:min-keyint=12:scenecut=0"


def av():
    """PyAV, which not every environment has."""
    import av

    return av


def drawn(frames, height=48, width=64):
    """(T, H, W, 3) uint8: smooth colours that move, another grey in the corner for each frame."""
    y, x = np.mgrid[:height, :width]
    t = np.arange(frames)[:, None, None]
    shade = lambda along, across, speed: 128 + 100 * np.sin((along * y + across * x) / 16 + t * speed)
    pictures = np.stack([shade(1, 0.5, 0.2), shade(0.2, 1, 0.3), shade(-0.5, 1, 0.1)], axis=-1).astype(np.uint8)
    pictures[:, : height // 3, : width // 3] = (t * 37 % 256)[..., None]
    return pictures


def written(
    kind,
    codec,
    pictures,
    *,
    pixels="yuv420p",
    rate=30,
    options=None,
    group=12,
    milliseconds=None,
    sound=None,
    voice="aac",
):
    """The bytes of a clip. kind: FFmpeg's name of the container. milliseconds: when each picture is shown, not evenly.

    options: the encoder's. group: pictures from key frame to key frame. sound: (T,) or (2, T) float32 at 16 kHz, which
    the encoder `voice` codes.
    """
    file = io.BytesIO()
    with av().open(file, "w", format=kind) as clip:
        track = clip.add_stream(codec, rate=rate, options=options or {})
        track.width, track.height, track.pix_fmt = pictures.shape[2], pictures.shape[1], pixels
        track.codec_context.gop_size = group
        if milliseconds is not None:
            track.codec_context.time_base = Fraction(1, 1000)
        spoken = None if sound is None else clip.add_stream(voice, rate=16_000, layout=LAYOUTS[sound.ndim])
        for number, picture in enumerate(pictures):
            frame = av().VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number if milliseconds is None else milliseconds[number]
            frame.time_base = Fraction(1, rate) if milliseconds is None else Fraction(1, 1000)
            clip.mux(track.encode(frame))
        clip.mux(track.encode())
        if spoken:
            clip.mux(_coded(spoken, sound))
    return file.getvalue()


def heard(kind, codec, sound):
    """The bytes of a file that holds sound alone, (T,) or (2, T) float32 at 16 kHz."""
    file = io.BytesIO()
    with av().open(file, "w", format=kind) as clip:
        clip.mux(_coded(clip.add_stream(codec, rate=16_000, layout=LAYOUTS[sound.ndim]), sound))
    return file.getvalue()


def _coded(track, sound):
    block = av().AudioFrame.from_ndarray(np.atleast_2d(sound), format="fltp", layout=LAYOUTS[sound.ndim])
    block.rate, block.pts = 16_000, 0
    return track.encode(block) + track.encode()


def gif(pictures, milliseconds=100):
    """The bytes of a GIF, by Pillow."""
    file, (first, *rest) = io.BytesIO(), [Image.fromarray(picture) for picture in pictures]
    first.save(file, "GIF", save_all=True, append_images=rest, duration=milliseconds)
    return file.getvalue()


def box(data, name):
    """Where the contents of an MP4's first box of this name begin, and its size: (start, size)."""
    at = data.index(name) - 4
    return at + 8, struct.unpack_from(">I", data, at)[0] - 8


def patched(data, at, contents):
    """The data with other bytes from `at` on."""
    return data[:at] + contents + data[at + len(contents) :]


def mixed(kind, codec, clips, pixels="yuv420p"):
    """The bytes of a clip of one track whose pictures (several (T, H, W, 3)) change their size on the way."""
    file, number = io.BytesIO(), 0
    with av().open(file, "w", format=kind) as clip:
        track = clip.add_stream(codec, rate=30)
        track.width, track.height, track.pix_fmt = clips[0].shape[2], clips[0].shape[1], pixels
        for pictures in clips:
            encoder = av().CodecContext.create(codec, "w")
            encoder.width, encoder.height, encoder.pix_fmt = pictures.shape[2], pictures.shape[1], pixels
            encoder.time_base, coded = Fraction(1, 30), []
            for picture in pictures:
                frame = av().VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base, number = number, Fraction(1, 30), number + 1
                coded += encoder.encode(frame)
            for packet in coded + encoder.encode(None):
                packet.stream = track
                clip.mux(packet)
    return file.getvalue()


def turned(data, a, b, c, d):
    """An MP4 with another matrix of its first track: x' = ax + cy, y' = bx + dy."""
    start, _ = box(data, b"tkhd")
    at = start + 4 + (20 if data[start] == 0 else 32) + 16
    return patched(data, at, struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30))


def edited(data, media_time, duration):
    """An MP4 whose first edit shows the media from media_time on (in ticks of the track) for `duration` (of the movie)."""
    start, _ = box(data, b"elst")
    return patched(data, start + 8, struct.pack(">Ii", duration, media_time))
