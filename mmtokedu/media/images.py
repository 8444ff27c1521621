"""Any picture a user has, as the array the book begins with: (H, W, 3) uint8, RGB, upright."""

import contextlib
import warnings

import numpy as np
from PIL import Image, ImageFile
from PIL.Image import Transpose

from mmtokedu.media.depths import eight_bits, is_deep, over, transparent_pixels
from mmtokedu.media.kinds import unread_kind
from mmtokedu.media.layouts import SHORT, eight_bit_palette, misread, preview, rows_missing
from mmtokedu.media.sources import opened

# Left out on purpose: what starts other programs (EPS, WMF) or holds a picture inside a picture (ICO, PSD).
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "AVIF")  # AVIF from Pillow 11.3 on
TURNS = {  # EXIF orientation -> what makes the image upright; the names are Pillow's, who rotates anticlockwise
    2: Transpose.FLIP_LEFT_RIGHT, 3: Transpose.ROTATE_180, 4: Transpose.FLIP_TOP_BOTTOM, 5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270, 7: Transpose.TRANSVERSE, 8: Transpose.ROTATE_90,
}  # fmt: skip


def load_image(source, *, max_pixels=178_956_970, background=(255, 255, 255)):
    """Read an image as people have them, and give it as RGB: what `patchify` expects.

    source: a path, the file's bytes, a binary file (read from its start, left open) or a PIL.Image; the content
    counts, not the name. Returns (H, W, 3) uint8. The EXIF orientation is applied; grey, 1-bit and palette images
    become RGB. Grey of b bits above 8 is v*255/(2^b - 1), rounded, with b as a TIFF declares it, else 16; signed grey
    runs from 0 to its largest level, float grey from 0 to 1; colour of 16 bits, and grey with alpha in a PNG, keep
    their upper byte. CMYK and YCCK become RGB as (1-C)(1-K); ICC profiles are not applied.

    Transparency is laid over `background`: alpha (premultiplied or not; in a BMP that is 0 all over it is none), a
    palette's, and the one level or colour that a PNG calls transparent, compared at the file's own depth. Of a
    PIL.Image that is decoded already, Pillow has forgotten that depth: pass the file.

    A file with several frames is refused, for nobody said which one: open it with Pillow, seek(k), pass the image. A
    phone's MPO gives its photo. Refused by name are what is not read (HEIC, JPEG XL, SVG, PDF, a camera's RAW, ...) and
    what Pillow would read as noise or black: see `media.layouts`.

    Raises FileNotFoundError; TypeError for another kind of source; ValueError for a file that is empty, cut short
    (also where it ends properly: a PNG or JPEG without its last rows, a TIFF without its last strips), not an image or
    of several frames, for grey outside its range or not finite, and for more than max_pixels. These are counted in the
    header, before anything is decoded; PIL.Image.MAX_IMAGE_PIXELS is left as it is and holds too.
    Source: Exif 2.32 (tag 0x0112), TIFF 6.0, PNG (third edition); the decoders are Pillow's.

    >>> load_image(Image.new("LA", (2, 1), (0, 51))).tolist()  # black, a fifth of it, over white
    [[[204, 204, 204], [204, 204, 204]]]
    """
    levels = np.asarray(background)
    if levels.shape != (3,) or levels.dtype.kind not in "iu" or not ((levels >= 0) & (levels <= 255)).all():
        raise ValueError(f"background is {background!r}; expected three whole numbers in 0 ... 255, as (255, 255, 255)")
    if isinstance(max_pixels, bool) or not isinstance(max_pixels, (int, np.integer)):
        raise TypeError(f"max_pixels is {max_pixels!r}; expected a whole number, as 178_956_970")
    limits = max_pixels, tuple(levels.tolist())
    if isinstance(source, Image.Image):
        return _pixels(source, "the image", *limits)
    expected = "a path, bytes, a file opened 'rb' or a PIL.Image"
    with opened(source, "image", loader="load_image", expected=expected) as (file, name, start):
        return _decode(file, name, start, *limits)


def _decode(file, name, start, max_pixels, background):
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise ValueError("PIL.ImageFile.LOAD_TRUNCATED_IMAGES is True: what a file lacks would be grey. Set it False")
    unread = unread_kind(start)
    if unread:
        raise ValueError(f"{name} is {unread}; read are {', '.join(FORMATS)} (export it as PNG or JPEG)")
    Image.init()
    what = f"begins with {start[:16]!r}: damaged, or none of {', '.join(FORMATS)}"
    if start[:4] in (b"II*\0", b"MM\0*"):
        what = "is a TIFF that is damaged or holds samples that Pillow does not know, as 16-bit grey with alpha"
    with _refusing(f"{name} {what}"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit is max_pixels
            image = Image.open(file, formats=[known for known in FORMATS if known in Image.OPEN])
        frames = image.n_frames if image.format != "MPO" and getattr(image, "is_animated", False) else 1
        copy_of = preview(image)
    if copy_of:
        raise ValueError(f"{name} is {copy_of}, which is not read (develop it, and export it as PNG or JPEG)")
    if frames > 1:
        raise ValueError(f"{name} holds {frames} frames; open it with Pillow, seek(k), and pass the image")
    pixels = _pixels(image, name, max_pixels, background)
    with _refusing(f"{name}, {image.format} of {image.height}x{image.width} pixels, cannot be decoded"):
        missing = rows_missing(image, file)
    if missing:
        raise ValueError(f"{name}, {image.format} of {image.height}x{image.width} pixels, lacks some: {SHORT}")
    return pixels


@contextlib.contextmanager
def _refusing(what):
    """One ValueError for all that decoders raise on foreign bytes, which is anything."""
    try:
        yield
    except Image.DecompressionBombError as error:
        limit = f"PIL.Image.MAX_IMAGE_PIXELS={Image.MAX_IMAGE_PIXELS}"
        raise ValueError(f"{error} Nothing was decoded (if you trust it, raise max_pixels and {limit})") from error
    except Exception as error:
        raise ValueError(
            f"{what}: {str(error) or type(error).__name__} (fetch it again, or open it with Pillow and pass the image)"
        ) from error


def _pixels(image, name, max_pixels, background):
    """A PIL.Image, on the frame where it stands -> (H, W, 3) uint8. Until load() only the header has been read."""
    name = f"{name} of {image.height}x{image.width} pixels"
    if not 0 < image.height * image.width <= max_pixels:
        raise ValueError(
            f"{name} has {image.height * image.width}; 1 to max_pixels={max_pixels} are read "
            "(raise it if you trust the file, or shrink the image first)"
        )
    failure = f"{name}, mode {image.mode}, cannot be decoded"
    with _refusing(failure):
        wrong = misread(image) if getattr(image, "tile", None) else None
        clear = transparent_pixels(image)
        if not wrong:
            image.load()
            turn = TURNS.get(image.getexif().get(0x0112))  # ImageOps.exif_transpose fails when another tag is damaged
            clear = clear and clear(image)
            deep = is_deep(image)
    if wrong:
        raise ValueError(f"{name}: {wrong}")
    if deep:
        image = eight_bits(image, name)
    with _refusing(failure):
        image = over(eight_bit_palette(image), clear, background)
        return np.array(image if turn is None else image.transpose(turn))
