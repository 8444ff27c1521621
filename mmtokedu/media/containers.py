"""What a sound file says of itself: how much it holds, what stands before the sound, whether a second one follows."""

import io
import itertools
import os
import re
import struct

AGAIN = "(copy or record it again, or read what is there: keep_truncated=True)"


def whole(file, name, keep_truncated):
    """The file itself; one whose header promises more sound than there is (or 0) is refused, or its header set right.

    WAV and AIFF alone say how many bytes of sound they hold. Programs that write into a pipe cannot know the size and
    put the largest number: then the end is the end. A recorder that dies leaves the 0 with which it began.
    """
    found = _sound_chunk(file)
    if found is None:
        return file
    order, at, size, end = found  # the size stands at byte `at`, the sound behind it
    here = end - at - 4
    forgotten = size == 0 and here > 8 and not _chunk_follows(file, order, at + 4, end)
    missing = 0 if size >= 0x7FFF_0000 else max(size - here, 0)
    if not forgotten and not missing:
        return file
    if not keep_truncated:
        says = f"{missing} bytes of its sound are missing" if missing else f"it says 0 bytes of sound, {here} follow"
        raise ValueError(f"{name} is cut short: {says} {AGAIN}")
    file.seek(0)
    data = bytearray(file.read())
    struct.pack_into(order + "I", data, at, here)
    struct.pack_into(order + "I", data, 4, end - 8)
    return io.BytesIO(bytes(data))


def _sound_chunk(file):
    """Of a WAV or AIFF (byte order, where the size of its sound stands, that size, where the file ends), or None."""
    file.seek(0, os.SEEK_END)
    end = file.tell()
    file.seek(0)
    kind, _, form = struct.unpack("4s4s4s", file.read(12).ljust(12, b"\0"))
    order = {(b"RIFF", b"WAVE"): "<", (b"FORM", b"AIFF"): ">", (b"FORM", b"AIFC"): ">"}.get((kind, form))
    while order and len(head := file.read(8)) == 8:
        chunk, size = struct.unpack(order + "4sI", head)
        if chunk in (b"data", b"SSND"):
            return order, file.tell() - 4, size, end
        file.seek(size + size % 2, os.SEEK_CUR)
    return None


def _chunk_follows(file, order, at, end):
    """Whether a chunk that fits into the file begins at byte `at`: a name of four letters and a size."""
    file.seek(at)
    name, size = struct.unpack(order + "4sI", file.read(8))
    return re.fullmatch(rb"[ -~]{4}", name) is not None and at + 8 + size <= end


def without_tag(data):
    """The bytes of a file without the ID3v2 tags before it."""
    while data[:3] == b"ID3" and len(data) > 10:
        size = sum((byte & 127) << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0)))
        data = data[10 + size + 10 * (data[5] >> 4 & 1) :]  # the tag's end may repeat its beginning
    return data


def refuse_joined_chunks(file, name):
    """Raise ValueError where a second WAV or AIFF follows the first."""
    order, at, size, end = _sound_chunk(file) or ("", 0, 0, 0)
    after = at + 4 + size + size % 2
    if order and after < end:
        file.seek(after)
        if file.read(4) in (b"RIFF", b"FORM"):
            raise ValueError(_joined(name, after))


def refuse_joined_streams(file, kind, name):
    """Raise ValueError where a second recording follows: decoders stop at the end of the first, and say nothing."""
    second = {"OGG": _second_ogg, "FLAC": _second_flac, "MP3": _second_mp3}.get(kind)
    if second:
        file.seek(0)
        after = second(file.read())
        if after is not None:
            raise ValueError(_joined(name, after))


def _joined(name, at):
    return (
        f"{name} holds a second recording from byte {at} on, joined to the first (load the bytes [:{at}] and [{at}:] "
        "apart, and np.concatenate them if they belong together)"
    )


def _second_ogg(data):
    """Where a chained stream begins: a first page that follows a page of another kind. A flag says which are first."""
    pages = [(page.start(), page[1][0] & 2) for page in re.finditer(rb"OggS\0([\0-\7])", data)]
    return next((at for (_, first), (at, again) in itertools.pairwise(pages) if again and not first), None)


def _second_flac(data):
    """A file begins with its name and a block of 34 bytes; by chance the eight bytes stand nowhere else."""
    again = re.compile(rb"fLaC[\0\x80]\0\0\x22").search(data, 4)
    return again and again.start()


def _second_mp3(data):
    """An encoder's first frame holds a name and the size of all; decoders believe it, and stop there."""
    found = re.finditer(rb"(?:Xing|Info)\0\0\0([\0-\x0f])", data)
    tags = [(at, tag) for tag in found if (at := _frame_before(data, tag.start())) is not None]
    if len(tags) > 1:
        return tags[1][0]
    for at, tag in tags:
        has_frames, has_size = tag[1][0] & 1, tag[1][0] & 2
        if not has_size:
            continue
        (size,) = struct.unpack_from(">I", data.ljust(tag.end() + 8), tag.end() + 4 * has_frames)
        after = at + size
        after += 128 * (data[after : after + 3] == b"TAG")  # ID3v1
        if re.match(rb"\xff[\xe2-\xff]", data[after : after + 2]):
            return after
    return None


def _frame_before(data, at):
    """Where the frame begins whose tag stands at `at`: 36, 21 or 13 bytes before (MPEG 1 or 2, stereo or mono)."""
    starts = (at - back for back in (36, 21, 13) if at >= back)
    return next((start for start in starts if re.match(rb"\xff[\xe2-\xff]", data[start : start + 2])), None)
