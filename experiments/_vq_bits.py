"""What codes and JPEG files cost in bits, and what both lose: the half of `experiments/vq.py` that trains nothing."""

import io
import itertools
import math

import numpy as np
from PIL import Image

SUBSAMPLING = {"4:4:4": 0, "4:2:0": 2}  # Pillow's numbers
TABLES = {"standard": False, "optimized": True}  # the standard's Huffman tables, or the file's own
QUALITIES = *range(1, 21), *range(25, 96, 10)
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, JPEG's own Y


# Codes


def code_bits(codes, learned_from, K):
    """Bits a code of an ideal arithmetic coder whose frequencies come from other codes, half a count added to each.

    codes (N,), learned_from (M,), both below K.

    >>> code_bits(np.array([0, 0, 1, 1]), np.array([0, 1]), 2)
    1.0
    """
    counts = np.bincount(learned_from, minlength=K) + 0.5
    return float(-np.log2(counts / counts.sum())[codes].mean())


# Errors


def as_bytes(rows):
    """Rows from -1 to 1 as pixels: clipped and rounded to uint8."""
    return np.rint((np.clip(rows, -1, 1) + 1) * 127.5).astype(np.uint8)


def image_error(pixels, rebuilt):
    """PSNR in dB of uint8 pixels (..., 3): over red, green and blue alike, and over luma alone.

    >>> image_error(np.zeros((2, 3), np.uint8), np.full((2, 3), 51, np.uint8))
    {'image_psnr': 13.979400086720377, 'luma_psnr': 13.979400086720377}
    """
    off = pixels.reshape(-1, 3).astype(np.float64) - rebuilt.reshape(-1, 3)
    return {
        "image_psnr": 10 * math.log10(255**2 / np.mean(off**2)),
        "luma_psnr": 10 * math.log10(255**2 / np.mean((off @ LUMA) ** 2)),
    }


# JPEG


def scan_bytes(data):
    """How many bytes of a JPEG file are entropy-coded pixels: what stands between a scan's header and the next marker.

    Headers and tables are left out; the zeros stuffed behind bytes of 255, and restart markers, belong to the scan.
    Raises ValueError for bytes that are no JPEG file, or for one that breaks off.
    Source: ITU-T T.81, annex B.1.

    >>> scan_bytes(bytes.fromhex("ffd8 ffda 0003 00 1234 ff00 56 ffd9"))
    5
    """
    if data[:2] != b"\xff\xd8":
        raise ValueError(f"the file starts with {data[:2].hex()}; a JPEG starts with ffd8")
    at, found = 2, 0
    while len(data) >= at + 2:
        if data[at] != 0xFF:
            raise ValueError(f"byte {at} is {data[at]:02x}; expected a marker, ff")
        marker = data[at + 1]
        if marker == 0xD9:
            return found
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xDA:
            end = _end_of_scan(data, at)
            found += end - at
            at = end
    raise ValueError(f"the file breaks off after {len(data)} bytes: no end marker, ffd9")


def _end_of_scan(data, at):
    """The position of the first marker from `at` on that is neither a stuffed zero nor a restart."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            return len(data)
        if data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7:
            return at
        at += 2


def jpeg_curve(image, patch, qualities=QUALITIES):
    """Bits and error of an image (H, W, 3) uint8 saved as JPEG, one row a setting; bits are per patch of the image.

    `bits` counts the scan alone, `file_bits` the whole file.
    """
    patches = image.shape[0] * image.shape[1] / patch**2
    rows = []
    for (chroma, number), (tables, own), quality in itertools.product(SUBSAMPLING.items(), TABLES.items(), qualities):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=number, optimize=own)
        data = file.getvalue()
        error = image_error(image, np.asarray(Image.open(io.BytesIO(data))))
        sizes = {"bits": 8 * scan_bytes(data) / patches, "file_bits": 8 * len(data) / patches}
        rows.append({"subsampling": chroma, "tables": tables, "quality": quality} | sizes | error)
    return rows


def against_jpeg(target, curve, chroma, tables, error="image_psnr"):
    """Bits a patch at which JPEG has this error, or "below" or "above" where no quality gets there.

    Between two qualities the bits are interpolated; of all crossings the cheapest counts.

    >>> rows = [{"subsampling": "4:4:4", "tables": "standard", "bits": b, "image_psnr": b} for b in (10.0, 20.0)]
    >>> [against_jpeg(x, rows, "4:4:4", "standard") for x in (9.0, 12.5, 21.0)]
    ['below', 12.5, 'above']
    """
    here = [row for row in curve if (row["subsampling"], row["tables"]) == (chroma, tables)]
    points = sorted((row["bits"], row[error]) for row in here)
    if target < min(error for _, error in points):
        return "below"
    for (low_bits, low), (high_bits, high) in itertools.pairwise(points):
        if low <= target <= high:
            return low_bits + (high_bits - low_bits) * ((target - low) / (high - low) if high > low else 0)
    return "above"
