"""Any picture a user has, as the array the book begins with: (H, W, 3) uint8, RGB, upright."""

import contextlib
import io
import os
import warnings

import numpy as np
from PIL import Image, ImageFile
from PIL.Image import Transpose

# Left out on purpose: what starts other programs (EPS, WMF) or holds a picture inside a picture (ICO, PSD).
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "AVIF")  # AVIF from Pillow 11.3 on
TURNS = {  # EXIF orientation -> what makes the image upright; the names are Pillow's, who rotates anticlockwise
    2: Transpose.FLIP_LEFT_RIGHT, 3: Transpose.ROTATE_180, 4: Transpose.FLIP_TOP_BOTTOM, 5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270, 7: Transpose.TRANSVERSE, 8: Transpose.ROTATE_90,
}  # fmt: skip


def load_image(source, *, max_pixels=178_956_970, background=(255, 255, 255)):
    """Read an image as people have them, and give it as RGB: what `patchify` expects.

    source: a path, the file's bytes, a binary file (read from its start, left open) or a PIL.Image; the content
    counts, not the name. Returns (H, W, 3) uint8. The EXIF orientation is applied; transparency is laid over
    `background`; grey, 1-bit and palette images become RGB. Grey of b bits above 8 is v*255/(2^b - 1), rounded, with
    b as a TIFF declares it, else 16; float grey runs from 0 to 1; colour of 16 bits keeps its upper byte. CMYK and
    YCCK become RGB as (1-C)(1-K); ICC profiles are not applied. A file with several frames is refused, for nobody
    said which one: open it with Pillow, seek(k), pass the image. A phone's MPO gives its photo.

    Raises FileNotFoundError; TypeError for another kind of source; ValueError for a file that is empty, cut short,
    not an image or of several frames, for grey outside its range or not finite, and for more than max_pixels. These
    are counted in the header, before anything is decoded; PIL.Image.MAX_IMAGE_PIXELS is left as it is and holds too.
    Source: Exif 2.32 (tag 0x0112), TIFF 6.0 (tags 258, 262, 339); the decoders are Pillow's.

    >>> load_image(Image.new("LA", (2, 1), (0, 51))).tolist()  # black, a fifth of it, over white
    [[[204, 204, 204], [204, 204, 204]]]
    """
    levels = np.asarray(background)
    if levels.shape != (3,) or levels.dtype.kind not in "iu" or not ((levels >= 0) & (levels <= 255)).all():
        raise ValueError(f"background is {background!r}; expected three whole numbers in 0 ... 255, as (255, 255, 255)")
    if not isinstance(max_pixels, (int, np.integer)):
        raise TypeError(f"max_pixels is {max_pixels!r}; expected a whole number, as 178_956_970")
    limits = max_pixels, tuple(levels.tolist())
    if isinstance(source, Image.Image):
        return _pixels(source, "the image", *limits)
    if isinstance(source, (str, os.PathLike)):
        name = repr(os.fspath(source)[:200])
        if not os.path.exists(source):
            raise FileNotFoundError(f"no file {name} (a URL is not fetched: download it, or pass the bytes)")
        if not os.path.isfile(source):
            raise ValueError(f"{name} is not a file; load_image reads one image (of a folder: each file in turn)")
        with open(source, "rb") as file:
            return _decode(file, name, *limits)
    if isinstance(source, (bytes, bytearray, memoryview)):
        source = io.BytesIO(source)
    if isinstance(source, io.TextIOBase) or not callable(getattr(source, "read", None)):
        raise TypeError(f"source is {type(source).__name__}; expected a path, bytes, a file opened 'rb' or a PIL.Image")
    return _decode(source, "the image", *limits)


def _decode(file, name, max_pixels, background):
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise ValueError("PIL.ImageFile.LOAD_TRUNCATED_IMAGES is True: what a file lacks would be grey. Set it False")
    try:
        file.seek(0)
    except (AttributeError, OSError):  # a pipe, a response
        file = io.BytesIO(file.read())
    start = file.read(16)
    if not start:
        raise ValueError(f"{name} is empty: 0 bytes (fetch it again)")
    Image.init()
    with _refusing(f"{name} begins with {start!r}: damaged, or none of {', '.join(FORMATS)}"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit is max_pixels
            image = Image.open(file, formats=[known for known in FORMATS if known in Image.OPEN])
        frames = image.n_frames if image.format != "MPO" and getattr(image, "is_animated", False) else 1
    if frames > 1:
        raise ValueError(f"{name} holds {frames} frames; open it with Pillow, seek(k), and pass the image")
    return _pixels(image, name, max_pixels, background)


@contextlib.contextmanager
def _refusing(what):
    """One ValueError for all that decoders raise on foreign bytes, which is anything."""
    try:
        yield
    except Image.DecompressionBombError as error:
        limit = f"PIL.Image.MAX_IMAGE_PIXELS={Image.MAX_IMAGE_PIXELS}"
        raise ValueError(f"{error} Nothing was decoded (if you trust it, raise max_pixels and {limit})") from error
    except Exception as error:
        raise ValueError(f"{what}: {error} (fetch it again, or open it with Pillow and pass the image)") from error


def _pixels(image, name, max_pixels, background):
    """A PIL.Image, on the frame where it stands -> (H, W, 3) uint8. Until load() only the header has been read."""
    name = f"{name} of {image.height}x{image.width} pixels"
    if not 0 < image.height * image.width <= max_pixels:
        raise ValueError(
            f"{name} has {image.height * image.width}; 1 to max_pixels={max_pixels} are read "
            "(raise it if you trust the file, or shrink the image first)"
        )
    with _refusing(f"{name}, mode {image.mode}, cannot be decoded"):
        image.load()
        turn = TURNS.get(image.getexif().get(0x0112))  # ImageOps.exif_transpose fails when another tag is damaged
    if image.mode[0] in "IF":
        image = _eight_bits(image, name)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.new("RGB", image.size, background)
        image.paste(layer, mask=layer.getchannel("A"))
    image = image.convert("RGB")
    return np.array(image if turn is None else image.transpose(turn))


def _eight_bits(image, name):
    """Grey of more than 8 bits, modes I, I;16 and F -> mode L, or LA where one level stands for transparent."""
    values, tags = np.asarray(image), getattr(image, "tag_v2", {})
    bits, signed = tags.get(258, (16,))[0], tags.get(339, (1,))[0] == 2  # BitsPerSample, SampleFormat
    top = 1 if image.mode == "F" else 2 ** (bits - signed) - 1
    values = values.view(np.uint32) if top == 2**32 - 1 else values  # Pillow's mode I is signed
    if not ((values >= 0) & (values <= top)).all():  # false for NaN too
        span = f"grey from {values.min()} to {values.max()}, mode {image.mode}"
        raise ValueError(f"{name} has {span}; it must be finite, 0 to {top} (scale it to 0 ... 255, as uint8)")
    values = top - values if tags.get(262) == 0 else values  # PhotometricInterpretation: 0 is white
    grey = Image.fromarray(np.rint(values * (255 / top)).astype(np.uint8))
    if "transparency" in image.info:
        grey.putalpha(Image.fromarray(np.where(values == image.info["transparency"], 0, 255).astype(np.uint8)))
    return grey
