"""Images byte by byte: what Pillow cannot write, or would write right."""

import struct
import zlib


def png(width, height, depth, colour, rows, *chunks, interlaced=0):
    """A PNG of unfiltered rows (bytes each). colour: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha.

    chunks: (name, bytes), put before the pixels.
    """
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [(b"IHDR", header), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )


def bmp(width, height, bits, rows, *, palette=b"", colours=0, masks=(), header=40):
    """A BMP from its rows, lowest first, each filled up to 4 bytes. masks: of red, green, blue, alpha, or none."""
    info = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, 3 if masks else 0, len(rows), 0, 0, colours, 0)
    info = (info + struct.pack(f"<{len(masks)}I", *masks)).ljust(header, b"\0")
    start = 14 + len(info) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + info + palette + rows


def tiff(strips, tags, order="<"):
    """A TIFF of strips (bytes each) or, where tag 322 is given, of tiles. tags: number -> a whole number or several.

    Where the strips stand and how long they are is filled in, where tags do not say it.
    """
    at, where = 8, []
    for strip in strips:
        where.append(at)
        at += len(strip)
    offsets, sizes = (324, 325) if 322 in tags else (273, 279)
    tags = {offsets: where, sizes: [len(strip) for strip in strips], 259: 1, **tags}
    entries, far, far_at = b"", b"", at + 2 + 12 * len(tags) + 4
    for tag, values in sorted(tags.items()):
        values = [values] if isinstance(values, int) else list(values)
        data = struct.pack(f"{order}{len(values)}I", *values)
        if len(values) > 1:
            data, far = struct.pack(order + "I", far_at + len(far)), far + data
        entries += struct.pack(order + "HHI", tag, 4, len(values)) + data
    head = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, at)
    return head + b"".join(strips) + struct.pack(order + "H", len(tags)) + entries + bytes(4) + far
