"""From packets to pixels: decode no more than the wanted frames need, and give each as a player shows it."""

import numpy as np

from mmtokedu.arguments.clips import check_pixels
from mmtokedu.media.packets import HOW, av, packets

# In these a packet may say that no other picture needs it; then it is decoded only where it is wanted itself.
SKIPPING = {"h264", "mpeg4", "mpeg2video", "mpeg1video"}
BICUBIC, ACCURATE, BITEXACT = 4, 0x40000, 0x80000  # libswscale's flags


def stretches(index, numbers):
    """Which packets to decode for these frames, as [(first, last)] in the order of the file, no packet twice.

    A frame needs all that stands in the file from the last key frame on that is shown no later than the frame: pictures
    that follow a key frame and are shown before it lean on the group before (an open group).
    """
    keys = np.flatnonzero(index.key)
    found = []
    for last in np.sort(index.packet[list(numbers)]).tolist():
        at = np.searchsorted(keys, last, side="right") - 1
        while at > 0 and index.pts[keys[at]] > index.pts[last]:
            at -= 1
        first = int(keys[at]) if at >= 0 else 0
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found


def decoded(open_again, index, numbers):
    """The frames with these numbers as (number, picture), each once, in the order in which they are decoded.

    open_again: a function that gives (container, track) from the file's start. What a first reading does not give (its
    key frame turned out to be none) is decoded from the clip's start. Raises ValueError for what is still missing.
    """
    missing = set(numbers)
    if index.timed:
        for number, picture in _near(*open_again(), index, missing):
            missing.discard(number)
            yield number, picture
    if missing:
        for number, picture in sequence(open_again, index):
            if number in missing:
                missing.discard(number)
                yield number, picture
            if not missing:
                break
    if missing:
        lost = min(missing)
        raise ValueError(
            f"frame {lost}, shown at {float(index.ticks[lost] * index.tick):.6g} s, gives no picture, like "
            f"{len(missing) - 1} more of {len(set(numbers))} that are asked for: it is damaged, or of more than "
            f"max_pixels {HOW}"
        )


def sequence(open_again, index):
    """Every frame that decodes as (number, picture), in the order in which they come out of the decoder."""
    opened, track = open_again()
    pictures = _stretch(track.codec_context, enumerate(packets(opened, track)), 0, len(index.pts) - 1)
    if index.timed:
        yield from _numbered(pictures, index)
    else:
        yield from zip(range(len(index.packet)), pictures)


def _near(opened, track, index, wanted):
    """The wanted frames as (number, picture), from the stretches of packets that they need."""
    context, source = track.codec_context, enumerate(packets(opened, track))
    needed = set(index.packet[list(wanted)].tolist()) if context.name in SKIPPING else None
    for first, last in stretches(index, wanted):
        pictures = _stretch(context, source, first, last, needed)
        if first in index.packet:  # where an edit list hides a key frame, what it is does not come out
            pictures = _believed(pictures, index.pts[first])
        for number, picture in _numbered(pictures, index):
            if number in wanted:
                yield number, picture


def _stretch(context, source, first, last, needed=None):
    """All pictures of the packets `first` to `last`. needed: the packets whose own picture is wanted; None for all."""
    if context.is_open:
        context.flush_buffers()
    for place, packet in source:
        if place < first:
            continue
        if needed is not None:
            context.skip_frame = "DEFAULT" if place in needed else "NONREF"
        yield from _decode(context, packet)
        if place >= last:
            break
    yield from _decode(context, None)


def _decode(context, packet):
    """What a decoder gives for a packet, or for the end; from a damaged one nothing, as in a player."""
    try:
        return context.decode(packet)
    except (av().FFmpegError, EOFError):
        return []


def _believed(pictures, start):
    """The pictures from a key frame on that is shown at `start`; none at all where it is no key frame."""
    begun = False
    for picture in pictures:
        if not begun and picture.pts is not None and picture.pts >= start:
            if picture.pts != start or not picture.key_frame:
                return
            begun = True
        if begun:
            yield picture


def _numbered(pictures, index):
    """(number, picture) of those pictures that the index knows."""
    start = index.pts[index.packet[0]]
    for picture in pictures:
        if picture.pts is None:
            continue
        number = int(np.searchsorted(index.ticks, picture.pts - start))
        if number < len(index.ticks) and index.ticks[number] == picture.pts - start:
            yield number, picture


class Pixels:
    """Pictures to (H, W, 3) uint8 RGB, all with one scaler, and turned as the first of them asks."""

    def __init__(self, size, max_pixels, name):
        self.size, self.max_pixels, self.name = size, max_pixels, name
        self.scaler, self.turn = av().video.reformatter.VideoReformatter(), None

    def __call__(self, picture):
        """The pixels of a picture; ValueError where it has too many, or none."""
        check_pixels(picture.height, picture.width, self.max_pixels, self.name)
        if self.turn is None:  # once: a picture that was asked is kept by a circle of references
            self.turn = turn(picture)
        swapped, down, right = self.turn
        options = {}
        if self.size:
            height, width = self.size[::-1] if swapped else self.size
            options = {"height": height, "width": width, "interpolation": BICUBIC | ACCURATE | BITEXACT}
        try:
            pixels = self.scaler.reformat(picture, format="rgb24", **options).to_ndarray()
        except (av().FFmpegError, MemoryError) as error:
            raise ValueError(
                f"{self.name}: a picture of {picture.height}x{picture.width}, {picture.format.name}, cannot be made "
                f"RGB: {error} {HOW}"
            ) from error
        pixels = pixels.swapaxes(0, 1) if swapped else pixels
        return np.ascontiguousarray(pixels[::down, ::right])


def turn(picture):
    """How a picture becomes upright: (whether its axes swap, then the step down its rows and along them, 1 or -1).

    From its display matrix, to the nearest quarter turn. Source: ISO/IEC 14496-12, 8.3.2 (the matrix of a track).
    """
    matrix = picture.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False, 1, 1
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()  # x' = ax + cy, y' = bx + dy
    swapped = abs(b) + abs(c) > abs(a) + abs(d)
    across, along = (b, c) if swapped else (d, a)
    return swapped, -1 if across < 0 else 1, -1 if along < 0 else 1
