"""The boxes of an MP4 or MOV, before FFmpeg believes them: a few bytes may promise it billions of samples."""

import os
import re
import struct

MEDIA = (b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide")
LARGEST = 2**28  # bytes of a header that is looked through
SLACK = 2**16
CUT = 64  # a file that was cut off may hold so many times less than its header tells


def refuse_absurd_counts(file, name):
    """Raise ValueError where a header counts samples that could not be in a file of that size.

    FFmpeg makes an entry in memory for each of them when it opens the file: gigabytes, and minutes.
    Source: ISO/IEC 14496-12, 8.7.3.2 (stsz: one size for all samples) and 8.8.8 (trun: nothing told of any sample).
    """
    end = file.seek(0, os.SEEK_END) or file.tell()
    for header in _headers(file, end):
        for found in re.finditer(rb"stsz....(....)(....)", header, re.DOTALL):
            size, count = (int.from_bytes(field, "big") for field in found.groups())
            if size and size * count > CUT * end + SLACK:
                raise ValueError(f"{name}: {_absurd(count, size, end)}")
        for found in re.finditer(rb"trun.(...)(....)", header, re.DOTALL):
            flags, count = (int.from_bytes(field, "big") for field in found.groups())
            if not flags & 0xF00 and count > end + SLACK:
                raise ValueError(f"{name}: {_absurd(count, 1, end)}")


def _absurd(count, size, end):
    return (
        f"its header counts {count} samples of {size} bytes or more, in a file of {end} bytes "
        "(it is damaged: fetch it again)"
    )


def _headers(file, end):
    """The contents of the boxes that describe samples, one after the other; none where the file is no MP4 or MOV."""
    at = 0
    while at + 8 <= end:
        file.seek(at)
        size, kind = struct.unpack(">I4s", file.read(8))
        head = 8
        if size == 1:
            size, head = int.from_bytes(file.read(8), "big"), 16
        if at == 0 and kind not in MEDIA:
            return
        size = end - at if size == 0 else size
        if kind in (b"moov", b"moof"):
            yield file.read(min(size, LARGEST) - head) if size > head else b""
        if size < head:
            return
        at += size
