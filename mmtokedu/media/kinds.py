"""What an image file is that `load_image` does not read, so that the refusal can say its name."""

HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
AVIF = {b"avif", b"avis"}
MARKS = (  # (where, the bytes there, what has them)
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"II\xbc\x01", "JPEG XR"),
    (0, b"%PDF", "a PDF, a document of pages"),
    (0, b"%!PS", "PostScript"),
    (0, b"\xc5\xd0\xd3\xc6", "PostScript"),
    (0, b"8BPS", "a Photoshop document (PSD)"),
    (0, b"gimp xcf", "a GIMP document (XCF)"),
    (0, b"\0\0\1\0", "an icon (ICO), which holds several pictures"),
    (0, b"icns", "an icon (ICNS), which holds several pictures"),
    (0, b"\x76\x2f\x31\x01", "OpenEXR"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"DDS ", "DDS, a texture"),
    (0, b"qoif", "QOI"),
    (0, b"SIMPLE  =", "FITS"),
    (128, b"DICM", "DICOM"),
    (0, b"II*\0\x10\0\0\0CR", "a camera's RAW (CR2)"),
    (0, b"IIU\0", "a camera's RAW (RW2)"),
    (0, b"IIRO", "a camera's RAW (ORF)"),
    (0, b"FUJIFILM", "a camera's RAW (RAF)"),
    (0, b"PK\3\4", "a ZIP archive"),
    (0, b"version https://git-lfs", "a Git LFS pointer, which stands for a file that was not fetched"),
)


def unread_kind(start):
    """The name of what begins with these bytes, where it is an image or document that is not read; None otherwise.

    >>> unread_kind(bytes([0, 0, 0, 24]) + b"ftypheic" + bytes(12)), unread_kind(b"II*" + bytes(1))
    ('HEIC, as phones write it', None)
    """
    if start[4:8] == b"ftyp":
        return _media_kind(start)
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith(b"<svg") or (text.startswith(b"<?xml") and b"<svg" in text):
        return "SVG, a drawing that has no pixels yet"
    return next((what for at, mark, what in MARKS if start.startswith(mark, at)), None)


def _media_kind(start):
    """Of an ISO media file: its brands say which. An AVIF may call itself mif1 first, and avif among the others."""
    end = min(int.from_bytes(start[:4], "big"), len(start))
    brands = {start[8:12]} | {start[at : at + 4] for at in range(16, end - 3, 4)}
    if brands & AVIF:
        return None
    if brands & HEIF:
        return "HEIC, as phones write it"
    return "a camera's RAW (CR3)" if b"crx " in brands else "a video (MP4 or MOV)"
