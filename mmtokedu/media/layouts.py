"""Files that Pillow would read wrongly and without a word: found by their tags, before or after it decodes them."""

import io
import math
import struct
import zlib

import numpy as np
from PIL import Image

# TIFF tags
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, PLANES = 256, 257, 258, 259, 262, 277, 284
STRIPS, ROWS, STRIP_BYTES, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES = 273, 278, 279, 322, 323, 324, 325
KIND, COLORMAP, FORMAT, DNG = 254, 320, 339, 50706
RGB, CMYK, YCBCR = 2, 5, 6  # of PHOTOMETRIC
SHORT = "it is cut short, and the rest would be black or grey (fetch it again)"
AS_PNG = "(save it as PNG with the program that wrote it)"


def misread(image):
    """What Pillow would get wrong of an opened image that is not decoded yet, as text; None where nothing is known.

    TIFF: separate planes other than 8-bit colour, big-endian signed or float samples under a compression, YCbCr without
    one, strips or tiles that are missing or short. PNG: no palette. BMP: more bits than its grey palette needs.
    Pillow 10.4, 11.3 and 13 read these as noise or black (13 has mended YCbCr that is not subsampled).
    Source: TIFF 6.0.
    """
    if image.format == "TIFF":
        tags = image.tag_v2
        return _misread_samples(tags) or _missing_strips(tags)
    if image.format == "PNG" and image.mode == "P" and image.palette is None:
        return "its palette is missing (fetch it again)"
    return _misread_bmp(image) if image.format == "BMP" else None


def preview(image):
    """What a TIFF's first image is a small copy of, as text; None where it is the picture itself."""
    if image.format == "TIFF" and DNG in image.tag_v2:
        return "a camera's RAW (DNG)"
    if image.format == "TIFF" and image.tag_v2.get(KIND, 0) & 1:
        return "a TIFF whose first image is a small copy of another one, as in a camera's RAW (NEF, ARW)"
    return None


def _misread_samples(tags):
    bits, samples = tags.get(BITS, (1,)), tags.get(SAMPLES, 1)
    compressed, photometric = tags.get(COMPRESSION, 1) != 1, tags.get(PHOTOMETRIC, 0)
    if tags.get(PLANES, 1) == 2 and samples > 1 and not (set(bits) == {8} and photometric in (RGB, CMYK)):
        return f"its {samples} samples of {bits[0]} bits lie in separate planes {AS_PNG}"
    if tags.prefix == b"MM" and compressed and max(bits) > 8 and set(tags.get(FORMAT, (1,))) & {2, 3}:
        return f"its signed or float samples of {bits[0]} bits are big-endian and compressed {AS_PNG}"
    if photometric == YCBCR and not compressed:
        return f"its colour is YCbCr, not compressed {AS_PNG}"
    return None


def _missing_strips(tags):
    """Strips and tiles that a TIFF needs and does not list, or, where nothing is compressed, that hold too little."""
    width, height, bits, samples = tags[WIDTH], tags[HEIGHT], tags.get(BITS, (1,)), tags.get(SAMPLES, 1)
    bits = bits * samples if len(bits) == 1 else bits[:samples]
    planes = list(bits) if tags.get(PLANES, 1) == 2 else [sum(bits)]  # bits of a pixel in each plane
    if STRIPS in tags:
        what, offsets, sizes = "strips", tags[STRIPS], tags.get(STRIP_BYTES)
        wide, high = width, max(1, min(tags.get(ROWS, height), height))
    elif TILES in tags:
        what, offsets, sizes = "tiles", tags[TILES], tags.get(TILE_BYTES)
        wide, high = tags[TILE_WIDTH], tags[TILE_HEIGHT]
    else:
        return None
    each = math.ceil(width / wide) * math.ceil(height / high)  # of one plane
    if len(offsets) < each * len(planes):
        return f"it lists {len(offsets)} of its {each * len(planes)} {what}; {SHORT}"
    if tags.get(COMPRESSION, 1) != 1 or not sizes:
        return None
    for at, (size, plane) in enumerate(zip(sizes, (bits for bits in planes for _ in range(each)))):
        last = what == "strips" and (at + 1) % each == 0
        need = math.ceil(wide * plane / 8) * (height - (each - 1) * high if last else high)
        if size < need:
            return f"number {at + 1} of its {each * len(planes)} {what} holds {size} of {need} bytes; {SHORT}"
    return None


def _misread_bmp(image):
    """A grey palette makes Pillow forget how many bits a pixel has: it expects 1 for two colours, else 8."""
    here = image.fp.tell()
    image.fp.seek(14)
    head = image.fp.read(16)
    image.fp.seek(here)
    (bits,) = struct.unpack_from("<H", head, 10 if head[0] == 12 else 14)
    expects = {"1": 1, "L": 8}.get(image.mode, bits)
    if bits != expects and image.tile[0][0] == "raw":
        return f"it has {bits} bits a pixel and a grey palette {AS_PNG}"
    return None


def eight_bit_palette(image):
    """A palette TIFF with its own colours: some writers put 0 to 255 where 16 bits belong, and Pillow sees black."""
    colours = getattr(image, "tag_v2", {}).get(COLORMAP)
    if image.mode not in ("P", "PA") or not colours or max(colours) > 255:
        return image
    image = image.copy()
    image.putpalette(np.array(colours, np.uint8).reshape(3, -1).T.tobytes())
    return image


def rows_missing(image, file):
    """Whether a decoded PNG or JPEG file ends, properly, before its picture does. Their decoders say nothing then.

    The file is looked at again only where the last pixel is as a decoder leaves it (0 and 128), which is rare. Of a
    JPEG whose end is followed by another image's, and of a progressive one that lacks its finest scans, nobody can say.
    """
    ask = {"PNG": _png_rows_missing, "JPEG": _jpeg_rows_missing}.get(image.format)
    return ask is not None and ask(image, file)


def _last_pixel(image):
    """The levels of the pixel that is decoded last, as a set."""
    levels = image.getpixel((image.width - 1, image.height - 1))
    return {levels} if isinstance(levels, int) else set(levels)


def _read(file):
    file.seek(0)
    return file.read()


def _png_rows_missing(image, file):
    """The inflated length against that of all rows, each with its byte that names the filter."""
    data = _read(file)
    width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    if not interlaced and _last_pixel(image) != {0}:
        return False
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    need = 0
    for left, top, across, down in passes if interlaced else [(0, 0, 1, 1)]:
        wide, high = -(-(width - left) // across), -(-(height - top) // down)
        need += high * (1 + -(-wide * bits // 8)) if wide > 0 and high > 0 else 0
    inflate, have, at = zlib.decompressobj(), 0, 8
    while at + 8 <= len(data) and have < need:
        size, name = struct.unpack_from(">I4s", data, at)
        rest = data[at + 8 : at + 8 + size] if name == b"IDAT" else b""
        while rest and have < need and not inflate.eof:
            have += len(inflate.decompress(rest, 1 << 20))
            rest = inflate.unconsumed_tail
        at += 12 + size
    return have + len(inflate.flush()) < need


def _jpeg_rows_missing(image, file):
    """Noise put before the end mark changes no complete picture; where data is missing it is taken for it."""
    if not _last_pixel(image) <= {127, 128}:
        return False
    data = _read(file)
    end = data.rfind(b"\xff\xd9")
    noise = bytes(np.random.default_rng(0).integers(0, 255, 4096, dtype=np.uint8))
    again = Image.open(io.BytesIO(data[:end] + noise + data[end:]), formats=["JPEG"])
    return again.tobytes() != image.tobytes()
