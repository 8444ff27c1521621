"""What the samples of an image mean: grey of other depths, levels and colours that stand for transparent, alpha."""

import io

import numpy as np
from PIL import Image


def transparent_pixels(image):
    """Where a PNG's key makes pixels transparent, as a function of the image once it is decoded; None without a key.

    The key is a level of grey or a colour at the file's own depth, which Pillow forgets while it decodes: levels of 2
    and 4 bits are spread over 0 to 255, of 16-bit colours the lower bytes are dropped. So this is asked before. For an
    image that was decoded elsewhere, and for one that no file stands behind, the key is taken for one of 8 bits.
    Source: PNG (W3C, third edition), 11.3.1.1.
    """
    key = image.info.get("transparency")
    tile = getattr(image, "tile", None)
    raw = tile[0][3] if tile and image.format == "PNG" else image.mode
    if image.mode == "1" and isinstance(key, int):
        return lambda decoded: np.asarray(decoded) == bool(key)
    if image.mode == "L" and isinstance(key, int):
        level = (key & 3) * 85 if raw == "L;2" else (key & 15) * 17 if raw == "L;4" else key & 255
        return lambda decoded: np.asarray(decoded) == level
    if image.mode[0] == "I" and isinstance(key, int):
        return lambda decoded: np.asarray(decoded) == key
    if image.mode == "RGB" and isinstance(key, tuple) and len(key) == 3:
        key = np.array(key)
        if raw != "RGB;16B":
            return lambda decoded: (np.asarray(decoded) == (key & 255)).all(axis=-1)
        low = _lower_bytes(image)
        return lambda decoded: ((np.asarray(decoded) == key >> 8) & (low == (key & 255))).all(axis=-1)
    return None


def _lower_bytes(image):
    """Of a PNG with 16-bit colours, not decoded yet, the bytes (H, W, 3) that Pillow drops: the file read once more."""
    here = image.fp.tell()
    image.fp.seek(0)
    twin = Image.open(io.BytesIO(image.fp.read()), formats=["PNG"])
    image.fp.seek(here)
    twin.tile = [(*twin.tile[0][:3], "RGB;16L")]  # as if the lower byte came first
    return np.asarray(twin)


def is_deep(image):
    """Whether a decoded image is grey of more than 8 bits, or signed."""
    return image.mode[0] in "IF" or (image.mode == "L" and _is_signed(image))


def _is_signed(image):
    return getattr(image, "tag_v2", {}).get(339, (1,))[0] == 2  # SampleFormat


def eight_bits(image, name):
    """Grey of more than 8 bits, modes I, I;16 and F, and signed grey, as mode L.

    Raises ValueError for grey outside its range: below 0, above the largest level, not finite.
    """
    values, tags = np.asarray(image), getattr(image, "tag_v2", {})
    bits, signed = tags.get(258, (16,))[0], _is_signed(image)  # BitsPerSample
    top = 1 if image.mode == "F" else 2 ** (bits - signed) - 1
    if image.mode == "L":
        values = values.view(np.int8)
    elif top == 2**32 - 1:
        values = values.view(np.uint32)  # Pillow's mode I is signed
    if not ((values >= 0) & (values <= top)).all():  # false for NaN too
        span = f"grey from {values.min()} to {values.max()}, mode {image.mode}"
        raise ValueError(f"{name} has {span}; it must be finite, 0 to {top} (scale it to 0 ... 255, as uint8)")
    if tags and tags.get(262, 0) == 0:  # PhotometricInterpretation: 0 is white, also where a writer left it out
        values = top - values
    return Image.fromarray(np.rint(values * (255 / top)).astype(np.uint8))


def over(image, clear, background):
    """An image of 8 bits laid over a colour, as mode RGB. clear: where it is transparent (H, W) bool, or None.

    Premultiplied alpha (modes La and RGBa) is divided out first. A BMP whose alpha is 0 everywhere is opaque: programs
    that know no alpha leave the fourth byte 0.
    """
    if clear is not None:
        image = image.copy()
        image.info.pop("transparency", None)
        image = image.convert("RGB")
        image.putalpha(Image.fromarray(np.where(clear, 0, 255).astype(np.uint8)))
    if image.format == "BMP" and image.mode == "RGBA" and image.getextrema()[3] == (0, 0):
        image = image.convert("RGB")
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.new("RGB", image.size, background)
        image.paste(layer, mask=layer.getchannel("A"))
    return image.convert("RGB")
