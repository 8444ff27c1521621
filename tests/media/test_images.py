"""Images as users have them. Every case is made here, small, by Pillow or byte by byte where Pillow cannot write it."""

import io
import struct
import zlib

import numpy as np
import PIL
import pytest
from image_bytes import bmp, png
from image_bytes import tiff as tiff_of
from PIL import Image, ImageFile, ImageOps

from mmtokedu.media.images import FORMATS, load_image

pytestmark = pytest.mark.apart

WHITE, BLACK = [255, 255, 255], [0, 0, 0]


def saved(image, format, **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def noise(rng, shape=(10, 12, 3)):
    return rng.integers(0, 256, shape, dtype=np.uint8)


def tiff(pixels, width, height, *, bits, sample_format=1, photometric=1, order="<"):
    """A minimal grey TIFF: what Pillow cannot write (big-endian, 12 bits, unsigned 32 bits, white is zero)."""
    tags = {
        256: width,
        257: height,
        258: bits,
        259: 1,
        262: photometric,
        273: 122,
        277: 1,
        278: height,
        279: len(pixels),
    }
    tags[339] = sample_format
    entries = b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in tags.items())
    start = struct.pack(order + "2sHIH", b"II" if order == "<" else b"MM", 42, 8, len(tags))
    data = (start + entries + bytes(4)).ljust(134, b"\0")
    return data.replace(struct.pack(order + "I", 122), struct.pack(order + "I", len(data))) + pixels


def png_header(width, height):
    """A PNG that claims a size and holds ten bytes of pixels."""
    chunks = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(10)))
    pack = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return b"\x89PNG\r\n\x1a\n" + b"".join(pack(*chunk) for chunk in chunks) + pack(b"IEND", b"")


# Sources.


def test_the_given_image_is_not_changed(rng):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.open(io.BytesIO(saved(Image.fromarray(noise(rng)), "PNG", exif=exif)))
    assert load_image(image).shape == (12, 10, 3)
    assert image.size == (12, 10) and image.getexif()[0x0112] == 6


def test_content_counts_not_the_name(rng, tmp_path):
    pixels = noise(rng)
    path = tmp_path / "photo.png"
    path.write_bytes(saved(Image.fromarray(pixels), "JPEG", quality=100, subsampling=0))
    np.testing.assert_allclose(load_image(path).astype(int), pixels, atol=6)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format(format):
    Image.init()
    if format not in Image.SAVE:
        pytest.skip(f"this Pillow writes no {format}")
    smooth = np.add.outer(np.arange(10), np.arange(12)).astype(np.uint8)
    loaded = load_image(saved(Image.fromarray(smooth), format))
    np.testing.assert_allclose(loaded.astype(int), np.repeat(smooth[..., None], 3, axis=2), atol=8)


def test_what_is_no_image(tmp_path):
    with pytest.raises(ValueError, match="is not a file"):
        load_image(tmp_path)
    empty = tmp_path / "empty.jpg"
    empty.touch()
    for source in (empty, b"", io.BytesIO()):
        with pytest.raises(ValueError, match="is empty: 0 bytes"):
            load_image(source)
    page = tmp_path / "cat.jpg"
    page.write_bytes(b"<!DOCTYPE html><p>404")
    with pytest.raises(ValueError, match=r"cat\.jpg' begins with b'<!DOCTYPE html>.*none of PNG, JPEG"):
        load_image(page)
    with pytest.raises(ValueError, match="is PostScript; read are PNG"):  # Pillow would start Ghostscript on it
        load_image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
    for size in ((0, 5), (5, 0)):
        with pytest.raises(ValueError, match="has 0; 1 to max_pixels"):
            load_image(Image.new("RGB", size))


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"background": (0, 0)}, ValueError, "three whole numbers"),
        ({"background": (0, 0, 256)}, ValueError, "three whole numbers"),
        ({"background": "white"}, ValueError, "background is 'white'"),
        ({"background": (0.5, 0.5, 0.5)}, ValueError, "three whole numbers"),
        ({"max_pixels": 1e6}, TypeError, "max_pixels is 1000000.0"),
        ({"max_pixels": None}, TypeError, "max_pixels is None"),
        ({"max_pixels": True}, TypeError, "max_pixels is True"),
    ],
)
def test_wrong_options_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        load_image(Image.new("RGB", (2, 2)), **options)


# Orientation.

FIRST_ROW_AND_COLUMN = {  # where Exif says that the first row and the first column of the stored image belong
    1: ("top", "left"), 2: ("top", "right"), 3: ("bottom", "right"), 4: ("bottom", "left"),
    5: ("left", "top"), 6: ("right", "top"), 7: ("right", "bottom"), 8: ("left", "bottom"),
}  # fmt: skip


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", FIRST_ROW_AND_COLUMN)
def test_orientation_pixel_by_pixel(rng, format, orientation):
    stored = noise(rng, (2, 3, 3))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True, "exif": exif.tobytes()} if format == "WEBP" else {"exif": exif}
    row, column = FIRST_ROW_AND_COLUMN[orientation]
    expected = stored.swapaxes(0, 1) if row in ("left", "right") else stored
    expected = expected[::-1] if "bottom" in (row, column) else expected
    expected = expected[:, ::-1] if "right" in (row, column) else expected
    np.testing.assert_array_equal(load_image(saved(Image.fromarray(stored), format, **options)), expected)


def exif_bytes(*entries):
    """An Exif block as a camera might write it: (tag, type, count, four bytes)."""
    body = b"".join(struct.pack("<HHI", *entry[:3]) + entry[3] for entry in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + body + bytes(4)


def test_a_damaged_tag_beside_the_orientation_does_not_matter(rng):
    """The tag 0x0100 (width) holds text. ImageOps.exif_transpose rewrites all tags, and fails on this one."""
    exif = exif_bytes((0x0112, 3, 1, b"\6\0\0\0"), (0x0100, 2, 4, b"abc\0"))
    data = saved(Image.fromarray(noise(rng)), "JPEG", exif=exif)
    assert load_image(data).shape == (12, 10, 3)
    with pytest.raises(Exception, match="not an integer"):
        ImageOps.exif_transpose(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_none(rng, value):
    data = saved(Image.fromarray(noise(rng)), "JPEG", exif=exif_bytes((0x0112, 3, 1, struct.pack("<HH", value, 0))))
    assert load_image(data).shape == (10, 12, 3)


# Transparency.


def test_alpha_is_laid_over_the_background(rng):
    rgba = noise(rng, (6, 7, 4))
    rgba[0, :, 3], rgba[1, :, 3] = 0, 255
    alpha = rgba[..., 3:] / 255
    for background in ((255, 255, 255), (0, 0, 0), (10, 200, 30)):
        expected = rgba[..., :3] * alpha + np.array(background) * (1 - alpha)
        loaded = load_image(saved(Image.fromarray(rgba), "PNG"), background=background)
        np.testing.assert_allclose(loaded, expected, atol=1)
        np.testing.assert_array_equal(loaded[0], np.broadcast_to(background, (7, 3)))
        np.testing.assert_array_equal(loaded[1], rgba[1, :, :3])
        np.testing.assert_array_equal(load_image(Image.fromarray(rgba), background=background), loaded)


RED, GREEN, BLUE = [255, 0, 0], [0, 255, 0], [0, 0, 255]


def palette_image(mode="P", values=(0, 1, 2), **info):
    image = Image.new(mode, (3, 1))
    image.putpalette(RED + GREEN + BLUE)
    for x, value in enumerate(values):
        image.putpixel((x, 0), value)
    image.info.update(info)
    return image


@pytest.mark.parametrize(
    "source, expected",
    [
        (Image.fromarray(np.array([[[100, 0], [100, 255], [100, 51]]], np.uint8)), [WHITE, [100] * 3, [224] * 3]),
        (palette_image(), [RED, GREEN, BLUE]),
        (palette_image("PA", ((0, 255), (1, 0), (2, 51))), [RED, WHITE, [204, 204, 255]]),
        (saved(palette_image(), "PNG", transparency=1), [RED, WHITE, BLUE]),
        (saved(palette_image(), "PNG", transparency=b"\xff\x00\x33"), [RED, WHITE, [204, 204, 255]]),
        (saved(palette_image(), "GIF", transparency=1), [RED, WHITE, BLUE]),
        (saved(Image.fromarray(np.array([[7, 8, 9]], np.uint8)), "PNG", transparency=8), [[7] * 3, WHITE, [9] * 3]),
        (
            saved(Image.fromarray(np.array([[RED, GREEN, BLUE]], np.uint8)), "PNG", transparency=(0, 0, 255)),
            [RED, GREEN, WHITE],
        ),
    ],
    ids=["LA", "P", "PA", "P, one clear", "P, alphas", "GIF, one clear", "L, one clear", "RGB, one clear"],
)
def test_transparency_in_its_other_forms(source, expected):
    assert load_image(source).tolist() == [expected]


# Grey, of every depth.


def test_grey_and_one_bit_become_three_equal_channels(rng):
    grey = noise(rng, (4, 9))
    np.testing.assert_array_equal(load_image(saved(Image.fromarray(grey), "PNG")), np.stack([grey] * 3, axis=-1))
    bits = Image.fromarray(grey > 127)
    assert bits.mode == "1"
    for format in ("PNG", "TIFF", "PPM"):
        np.testing.assert_array_equal(load_image(saved(bits, format))[..., 1], (grey > 127) * 255)


LEVELS = {0: 0, 128: 0, 129: 1, 257: 1, 32767: 127, 32768: 128, 65535: 255}  # v*255/65535, rounded; clipping gives 255s


def test_sixteen_bits_are_scaled_not_clipped():
    values, expected = np.array([list(LEVELS)]), list(LEVELS.values())
    grey = Image.fromarray(values.astype(np.uint16))
    for source in (
        saved(grey, "PNG"),
        saved(grey, "TIFF"),
        b"P5 7 1 65535\n" + values.astype(">u2").tobytes(),  # PGM
        tiff(values.astype(">u2").tobytes(), 7, 1, bits=16, order=">"),
        grey,
        Image.fromarray(values.astype(np.int32)),  # mode I: as 16 bits, unless a file says more
    ):
        assert load_image(source)[0, :, 0].tolist() == expected
    assert (np.asarray(Image.fromarray(values.astype(np.int32)).convert("L")) == 255).sum() == 4  # Pillow alone


def test_big_endian_stays_big_endian():
    data = tiff(np.array([[1, 256]], ">u2").tobytes(), 2, 1, bits=16, order=">")
    assert Image.open(io.BytesIO(data)).mode == "I;16B"
    assert load_image(data)[0, :, 0].tolist() == [0, 1]


@pytest.mark.parametrize("order", "<>")
def test_a_tiff_says_how_deep_and_which_way_its_grey_goes(order):
    def grey(values, dtype, **tags):
        pixels = np.array(values).astype(np.dtype(dtype).newbyteorder(order)).tobytes()
        return load_image(tiff(pixels, len(values), 1, order=order, **tags))[0, :, 0].tolist()

    assert grey([0, 2**30, 2**31 - 1], np.int32, bits=32, sample_format=2) == [0, 128, 255]
    assert grey([0, 2**14, 2**15 - 1], np.int16, bits=16, sample_format=2) == [0, 128, 255]
    assert grey([0, 0.5, 1], np.float32, bits=32, sample_format=3) == [0, 128, 255]
    with pytest.raises(ValueError, match="grey from -1 to 7, mode I; it must be finite, 0 to 32767"):
        grey([-1, 7], np.int16, bits=16, sample_format=2)
    if order == "<":  # 12 bits, two values in three bytes; and a scanner's white is zero
        twelve = tiff(bytes([0x00, 0x08, 0x00, 0xFF, 0xF0, 0x00]), 4, 1, bits=12)
        assert load_image(twelve)[0, :, 0].tolist() == [0, 128, 255, 0]
        assert grey([0, 2**15, 65535], np.uint16, bits=16, photometric=0) == [255, 127, 0]
        assert grey([0, 2**31, 2**32 - 1], np.uint32, bits=32) == [0, 128, 255]


def test_a_transparent_level_of_sixteen_bits():
    grey = Image.fromarray(np.array([[0, 4660, 65535]], np.uint16))
    assert load_image(saved(grey, "PNG", transparency=4660), background=(1, 2, 3))[0].tolist() == [
        BLACK,
        [1, 2, 3],
        WHITE,
    ]


def test_float_grey_runs_from_zero_to_one():
    assert load_image(Image.fromarray(np.array([[0, 0.2, 1]], np.float32)))[0, :, 0].tolist() == [0, 51, 255]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -0.1, 1.5, 200])
def test_other_floats_are_refused(bad):
    with pytest.raises(ValueError, match=r"grey from .*mode F; it must be finite, 0 to 1 \(scale it"):
        load_image(Image.fromarray(np.array([[0.5, bad]], np.float32)))


@pytest.mark.parametrize("bad", [-1, 65536])
def test_whole_numbers_that_no_depth_explains_are_refused(bad):
    with pytest.raises(ValueError, match="grey from .* 0 to 65535"):
        load_image(Image.fromarray(np.array([[5, bad]], np.int32)))


# Other colours.


def test_cmyk_is_the_product_of_what_ink_leaves():
    ink = np.array([0, 51, 255, 102])  # C, M, Y, K
    expected = (255 - ink[:3]) * (255 - ink[3]) / 255  # 153, 122.4, 0
    image = Image.new("CMYK", (16, 16), tuple(ink.tolist()))
    assert load_image(image)[0, 0].tolist() == [153, 122, 0]
    for format in ("JPEG", "TIFF"):
        np.testing.assert_allclose(load_image(saved(image, format))[3, 3], expected, atol=2)


def test_ycck_jpeg():
    """YCCK as Photoshop writes it: Pillow writes CMYK, so three inks are given YCC's numbers and the marker says so."""
    luma, red_difference, key = 100, 160, 204
    stored = np.array([luma, 128, red_difference, key])
    data = saved(Image.new("CMYK", (16, 16), tuple((255 - stored).tolist())), "JPEG", quality=100)
    at = data.index(b"Adobe") + 11  # the colour transform: 0 for CMYK, 2 for YCCK
    assert data[at] == 0
    loaded = load_image(data[:at] + b"\2" + data[at + 1 :])
    r, g = luma + 1.402 * (red_difference - 128), luma - 0.714 * (red_difference - 128)
    expected = (255 - np.array([r, g, luma])) * key / 255
    np.testing.assert_allclose(loaded[3, 3], expected, atol=2)


# Frames.


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_several_frames_are_refused_and_one_of_them_is_not(format):
    """One picture out of three is a choice that the caller makes."""
    frames = [Image.new("RGB", (6, 5), color) for color in ("red", "lime", "blue")]
    data = saved(
        frames[0], format, save_all=True, append_images=frames[1:], **({"lossless": True} if format == "WEBP" else {})
    )
    with pytest.raises(ValueError, match=r"holds 3 frames; .*seek\(k\)"):
        load_image(data)
    image = Image.open(io.BytesIO(data))
    image.seek(1)
    assert (load_image(image) == GREEN).all()


def test_the_photo_of_a_phone_s_mpo():
    main, other = Image.new("RGB", (16, 8), "red"), Image.new("RGB", (4, 2), "blue")
    data = saved(main, "MPO", save_all=True, append_images=[other])
    assert Image.open(io.BytesIO(data)).n_frames == 2
    np.testing.assert_allclose(load_image(data), np.broadcast_to(RED, (8, 16, 3)), atol=2)


# Cut short.


@pytest.mark.parametrize(
    "format, options",
    [
        ("PNG", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("GIF", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("BMP", {}),
        ("PPM", {}),
    ],
)
@pytest.mark.filterwarnings("ignore")  # Pillow warns of some cuts, and refuses them too
def test_every_prefix_is_whole_or_refused(rng, format, options):
    """Never the upper half of a photo over grey. What may be missing is what follows the pixels (PNG's last chunk)."""
    data = saved(Image.fromarray(noise(rng)), format, **options)
    whole, complete = load_image(data), []
    for length in range(len(data)):
        try:
            loaded = load_image(data[:length])
        except ValueError:
            continue
        np.testing.assert_array_equal(loaded, whole)
        complete.append(length)
    assert not complete or complete[0] >= len(data) - 20


def test_a_large_photo_cut_in_the_middle(rng, tmp_path):
    """Larger than one of the decoder's blocks; the message says what is missing."""
    data = saved(Image.fromarray(noise(rng, (300, 400, 3))), "JPEG")
    path = tmp_path / "half.jpg"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match="half.jpg' of 300x400 pixels, mode RGB, cannot be decoded: .*truncated"):
        load_image(path)
    with Image.open(path) as image, pytest.raises(ValueError, match="truncated"):
        load_image(image)


def test_pillow_s_switch_for_truncated_files_is_refused(rng, monkeypatch):
    """With it Pillow would give the same half photo, the rest grey, and not a word."""
    data = saved(Image.fromarray(noise(rng, (300, 400, 3))), "JPEG")
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(ValueError, match="LOAD_TRUNCATED_IMAGES is True"):
        load_image(data[: len(data) // 2])


DAMAGED = [
    ("PNG", "RGB", {}), ("PNG", "RGB", {"transparency": (1, 2, 3)}), ("PNG", "L", {"transparency": 5}), ("PNG", "P", {}),
    ("PNG", "1", {}), ("PNG", "RGBA", {}), ("PNG", "I;16", {}), ("JPEG", "RGB", {}), ("JPEG", "CMYK", {}),
    ("JPEG", "L", {"progressive": True}), ("MPO", "RGB", {}), ("WEBP", "RGB", {}), ("WEBP", "RGBA", {"lossless": True}),
    ("GIF", "P", {}), ("TIFF", "RGB", {}), ("TIFF", "RGB", {"compression": "tiff_lzw"}), ("TIFF", "I;16", {}),
    ("TIFF", "L", {"compression": "tiff_adobe_deflate"}), ("TIFF", "1", {"compression": "group4"}), ("TIFF", "P", {}),
    ("TIFF", "RGB", {"compression": "jpeg"}), ("BMP", "RGB", {}), ("BMP", "RGBA", {}), ("BMP", "P", {}), ("PPM", "RGB", {}),
]  # fmt: skip


@pytest.mark.parametrize("format, mode, options", DAMAGED)
@pytest.mark.filterwarnings("ignore")  # Pillow warns of some damage
def test_damage_is_a_value_error(rng, format, mode, options):
    """One byte changed, anywhere, or the rest cut off: a picture, right or wrong, or a ValueError; nothing else."""
    image = (
        Image.fromarray(noise(rng, (5, 6, 3)))
        if mode != "I;16"
        else Image.fromarray(noise(rng, (5, 6)) * np.uint16(99))
    )
    data = saved(image.convert(mode) if mode != "I;16" else image, format, **options)
    load_image(data)
    refused = 0
    for at in (*rng.integers(0, len(data), 100), *rng.integers(0, min(len(data), 100), 100)):
        damaged = bytearray(data)
        damaged[at] = rng.integers(0, 256)
        for source in (bytes(damaged), data[:at]):
            try:
                loaded = load_image(source, max_pixels=10**6)
            except ValueError:
                refused += 1
            else:
                assert loaded.dtype == np.uint8 and loaded.ndim == 3 and loaded.shape[2] == 3
    assert refused > 100


# Keys: a level or a colour that stands for transparent, at the file's own depth.


@pytest.mark.parametrize(
    "depth, row, key, expected",
    [
        (1, 0b0101_0000, 1, [0, 99, 0, 99]),
        (1, 0b0101_0000, 0, [99, 255, 99, 255]),
        (2, 0b00_01_10_11, 0, [99, 85, 170, 255]),
        (2, 0b00_01_10_11, 1, [0, 99, 170, 255]),
        (2, 0b00_01_10_11, 3, [0, 85, 170, 99]),
        (4, 0x012F, 2, [0, 17, 99, 255]),
        (4, 0x012F, 15, [0, 17, 34, 99]),
        (8, 0x000102FF, 2, [0, 1, 99, 255]),
        (8, 0x000102FF, 255, [0, 1, 2, 99]),
        (8, 0x000102FF, 0x0102, [0, 1, 99, 255]),  # of a key only the bits of the depth count
        (16, 0x0000_00FF_0100_FFFF, 0x00FF, [0, 99, 1, 255]),
        (16, 0x0000_00FF_0100_FFFF, 0x0000, [99, 1, 1, 255]),
        (16, 0x0000_00FF_0100_FFFF, 0x01FF, [0, 1, 1, 255]),
    ],
)
@pytest.mark.parametrize("interlaced", [0, 1])
def test_a_level_of_grey_that_stands_for_transparent(depth, row, key, expected, interlaced):
    row = row.to_bytes(-(-4 * depth // 8), "big")
    if interlaced:  # two rows, so that the last of seven passes is the second
        data = interlaced_png(4, 2, depth, 0, [row, row], (b"tRNS", struct.pack(">H", key)))
        expected = [expected, expected]
    else:
        data, expected = png(4, 1, depth, 0, [row], (b"tRNS", struct.pack(">H", key))), [expected]
    for source in (data, Image.open(io.BytesIO(data))):
        assert load_image(source, background=(99, 99, 99))[..., 0].tolist() == expected


def interlaced_png(width, height, depth, colour, rows, *chunks):
    """Adam7, of rows whose pixels are cut out bit by bit."""
    bits = depth * {0: 1, 2: 3}[colour]
    pixels = [f"{int.from_bytes(row, 'big'):0{8 * len(row)}b}" for row in rows]
    passes = []
    for left, top, across, down in (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ):
        for y in range(top, height, down):
            text = "".join(pixels[y][x * bits : (x + 1) * bits] for x in range(left, width, across))
            if text:
                passes.append(int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8), "big"))
    return png(width, height, depth, colour, passes, *chunks, interlaced=1)


@pytest.mark.parametrize(
    "depth, key, expected",
    [
        (8, (1, 2, 3), [[9, 9, 9], [4, 5, 6]]),
        (8, (0x0101, 2, 3), [[9, 9, 9], [4, 5, 6]]),
        (8, (1, 2, 4), [[1, 2, 3], [4, 5, 6]]),
        (16, (0, 0, 0), [[0, 0, 0], [9, 9, 9]]),  # 0x00FF is not 0x0000, though the upper bytes are alike
        (16, (255, 255, 255), [[9, 9, 9], [0, 0, 0]]),
        (16, (255, 255, 0), [[0, 0, 0], [0, 0, 0]]),
    ],
)
def test_a_colour_that_stands_for_transparent(depth, key, expected):
    row = bytes([1, 2, 3, 4, 5, 6]) if depth == 8 else struct.pack(">6H", 255, 255, 255, 0, 0, 0)
    key = b"tRNS", struct.pack(">3H", *key)
    for data, shape in ((png(2, 1, depth, 2, [row], key), 1), (interlaced_png(2, 2, depth, 2, [row, row], key), 2)):
        for source in (data, Image.open(io.BytesIO(data))):
            assert load_image(source, background=(9, 9, 9)).tolist() == [expected] * shape


def test_a_palette_png_without_its_palette():
    with pytest.raises(ValueError, match="of 1x4 pixels: its palette is missing"):
        load_image(png(4, 1, 8, 3, [bytes(4)]))
    short = png(4, 1, 8, 3, [bytes([0, 1, 2, 200])], (b"PLTE", bytes([9, 9, 9, 8, 8, 8])))
    assert load_image(short)[0, :, 0].tolist() == [9, 8, 0, 0]  # as browsers show it


@pytest.mark.parametrize("depth, row", [(1, 0b0100_0000), (2, 0b00_01_00_00), (4, 0x0100), (8, 0x00010000)])
def test_a_palette_with_alphas(depth, row):
    """The table may be shorter than the palette: the colours without an entry are opaque."""
    chunks = (b"PLTE", bytes([10, 20, 30, 40, 50, 60])), (b"tRNS", bytes([51]))
    data = png(2, 1, depth, 3, [row.to_bytes(-(-4 * depth // 8), "big")[: -(-2 * depth // 8)]], *chunks)
    assert load_image(data, background=(0, 0, 0)).tolist() == [[[2, 4, 6], [40, 50, 60]]]


def test_a_key_of_an_image_that_no_file_stands_behind_is_of_8_bits():
    image = Image.fromarray(np.array([[7, 8]], np.uint8))
    image.info["transparency"] = 8
    assert load_image(image)[0, :, 0].tolist() == [7, 255] and image.info == {"transparency": 8}


# Alpha.


@pytest.mark.parametrize("header", [56, 108, 124])
@pytest.mark.parametrize(
    "alphas, expected",
    [
        ((0, 0), [[30, 20, 10], [30, 20, 10]]),  # the byte is not used
        ((0, 255), [[255, 255, 255], [30, 20, 10]]),
        ((51, 51), [[210, 208, 206], [210, 208, 206]]),
    ],
)
def test_a_bmp_whose_alpha_is_nothing_everywhere_is_opaque(header, alphas, expected):
    rows = b"".join(bytes([10, 20, 30, alpha]) for alpha in alphas)
    data = bmp(2, 1, 32, rows, masks=(0xFF0000, 0xFF00, 0xFF, 0xFF000000), header=header)
    assert load_image(data).tolist() == [expected]
    assert load_image(bmp(2, 1, 32, rows)).tolist() == [[[30, 20, 10]] * 2]  # without masks there is no alpha


def test_a_picture_that_is_clear_everywhere_is_background():
    for format in ("PNG", "WEBP", "TIFF"):
        data = saved(
            Image.new("RGBA", (2, 2), (10, 20, 30, 0)), format, **({"lossless": True} if format == "WEBP" else {})
        )
        assert (load_image(data, background=(1, 2, 3)) == [1, 2, 3]).all()


def test_sixteen_bit_bmps():
    two = struct.pack("<2H", 0x7C00, 0xFC1F)
    assert load_image(bmp(2, 1, 16, two)).tolist() == [[RED, [255, 0, 255]]]
    with_alpha = bmp(2, 1, 16, two, masks=(0x7C00, 0x3E0, 0x1F, 0x8000), header=56)
    assert load_image(with_alpha).tolist() == [[RED, [255, 0, 255]]]  # one bit of alpha is not read
    with pytest.raises(ValueError, match="Unsupported BMP bitfields"):
        load_image(bmp(2, 1, 16, two, masks=(0xF00, 0xF0, 0xF, 0xF000), header=56))


@pytest.mark.parametrize("extra, expected", [(1, [129, 131, 255]), (2, [128, 129, 191]), (0, [2, 4, 128])])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("order", "<>")
def test_alpha_of_a_tiff_is_multiplied_or_not(extra, expected, bits, order):
    """ExtraSamples 1: (2, 4, 128) with alpha 128 of 255 is (4, 8, 255) half over white; 2: as it stands; 0: no alpha."""
    pixel = np.array([2, 4, 128, 128]) * (257 if bits == 16 else 1)
    pixel = pixel.astype(np.dtype(f"u{bits // 8}").newbyteorder(order)).tobytes()
    data = tiff_of([pixel], {256: 1, 257: 1, 258: [bits] * 4, 262: 2, 277: 4, 278: 1, 338: extra}, order)
    np.testing.assert_allclose(load_image(data)[0, 0], expected, atol=1)


def test_grey_that_is_premultiplied():
    """10 of an alpha of 128 is grey 20, half over white: 10 + 127."""
    assert load_image(Image.new("La", (1, 1), (10, 128))).tolist() == [[[137] * 3]]
    assert load_image(Image.new("RGBa", (1, 1), (10, 20, 30, 128))).tolist() == [[[137, 147, 157]]]
    data = tiff_of([bytes([10, 128])], {256: 1, 257: 1, 258: [8, 8], 262: 1, 277: 2, 278: 1, 338: 1})
    try:
        loaded = load_image(data)
    except ValueError as error:  # before 12, Pillow has no such mode for a file
        assert "is a TIFF that is damaged or holds samples that Pillow does not know" in str(error)
        assert int(PIL.__version__.split(".")[0]) < 12
    else:
        assert loaded.tolist() == [[[137] * 3]]


def test_sixteen_bits_with_alpha():
    pixels = [struct.pack(">4H", 0x80FF, 0xFFFF, 0x80FF, 0)]
    assert load_image(png(2, 1, 16, 4, pixels)).tolist() == [[[128] * 3, WHITE]]
    assert load_image(png(1, 1, 16, 6, [struct.pack(">4H", 0x80FF, 0x1000, 0x20FF, 0xFFFF)])).tolist() == [
        [[128, 16, 32]]
    ]
    grey = tiff_of([bytes(4)], {256: 1, 257: 1, 258: [16, 16], 262: 1, 277: 2, 278: 1, 338: 2})
    with pytest.raises(
        ValueError, match="is a TIFF that .* holds samples that Pillow does not know, as 16-bit grey with alpha"
    ):
        load_image(grey)


# Layouts that Pillow would read as noise or black, without a word.


def grey_tiff(strips, width, height, order="<", **tags):
    return tiff_of(
        strips,
        {256: width, 257: height, 258: 8, 262: 1, 277: 1, 278: 1} | {int(k[1:]): v for k, v in tags.items()},
        order,
    )


def test_signed_bytes():
    data = lambda *levels: grey_tiff([bytes(levels)], len(levels), 1, t339=2)
    assert load_image(data(0, 64, 127))[0, :, 0].tolist() == [0, 129, 255]
    with pytest.raises(ValueError, match="grey from -1 to 5, mode L; it must be finite, 0 to 127"):
        load_image(data(5, 255))


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("tags", [{262: 0}, {}], ids=["said", "left out"])
def test_white_is_zero(bits, tags):
    """Where a writer left out which end is white, Pillow takes zero for it; 16 bits and 8 go the same way."""
    data = tiff_of([bytes(2)], {256: 1, 257: 1, 258: bits, 277: 1, 278: 1} | tags)
    assert load_image(data).tolist() == [[WHITE]]


@pytest.mark.parametrize("kept", [1, 2, 3])
@pytest.mark.parametrize("compression", [1, 8])
def test_a_tiff_that_lists_fewer_strips_than_it_needs(kept, compression):
    strips = [bytes([9] * 4)] * 4 if compression == 1 else [zlib.compress(bytes([9] * 4))] * 4
    assert (load_image(grey_tiff(strips, 4, 4, t259=compression)) == 9).all()
    with pytest.raises(ValueError, match=f"lists {kept} of its 4 strips; it is cut short"):
        load_image(grey_tiff(strips[:kept], 4, 4, t259=compression))


@pytest.mark.parametrize("compression", [1, 8])
def test_a_tiff_that_lists_fewer_tiles_than_it_needs(compression):
    tile = bytes([9] * 256) if compression == 1 else zlib.compress(bytes([9] * 256))
    tags = {"t322": 16, "t323": 16, "t259": compression}
    assert (load_image(grey_tiff([tile] * 4, 20, 30, **tags)) == 9).all()
    with pytest.raises(ValueError, match="lists 3 of its 4 tiles; it is cut short"):
        load_image(grey_tiff([tile] * 3, 20, 30, **tags))
    if compression == 1:
        with pytest.raises(ValueError, match="number 2 of its 4 tiles holds 0 of 256 bytes; it is cut short"):
            load_image(grey_tiff([tile] * 4, 20, 30, **tags, t325=[256, 0, 256, 256]))  # a hole, as in maps


def test_a_strip_that_holds_too_little():
    """Pillow would go on into whatever stands behind it in the file."""
    with pytest.raises(ValueError, match="number 2 of its 4 strips holds 3 of 4 bytes; it is cut short"):
        load_image(grey_tiff([bytes(4), bytes(3), bytes(4), bytes(4)], 4, 4))
    assert load_image(grey_tiff([bytes(8), bytes(4)], 4, 3, t278=2)).shape == (3, 4, 3)  # the last strip is shorter
    with pytest.raises(ValueError, match="number 2 of its 2 strips holds 3 of 4 bytes"):
        load_image(grey_tiff([bytes(8), bytes(3)], 4, 3, t278=2))


def test_a_size_that_only_a_list_of_strips_would_fill_is_refused_at_once():
    with pytest.raises(ValueError, match="lists 1 of its 178956970 strips"):
        load_image(grey_tiff([b"\0"], 1, 178_956_970))


def test_planes():
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)  # (channel, row, column)
    tags = {256: 2, 257: 2, 258: [8] * 3, 262: 2, 277: 3, 278: 2, 284: 2}
    loaded = load_image(tiff_of([plane.tobytes() for plane in pixels], tags))
    np.testing.assert_array_equal(loaded, pixels.transpose(1, 2, 0))
    with pytest.raises(ValueError, match="lists 2 of its 3 strips"):
        load_image(tiff_of([plane.tobytes() for plane in pixels[:2]], tags))
    deep = [plane.astype(np.uint16).tobytes() for plane in pixels]
    with pytest.raises(ValueError, match="its 3 samples of 16 bits lie in separate planes"):
        load_image(tiff_of(deep, tags | {258: [16] * 3}))
    with pytest.raises(ValueError, match="its 2 samples of 8 bits lie in separate planes"):
        load_image(tiff_of([zlib.compress(bytes(4))] * 2, tags | {258: [8] * 2, 262: 1, 277: 2, 338: 2, 259: 8}))


@pytest.mark.parametrize("bits, kind", [(16, 2), (32, 2), (32, 3)])
def test_big_endian_samples_under_a_compression(bits, kind):
    """Pillow swaps their bytes twice: of 32-bit grey the picture is black."""
    value = np.array([[0.5 if kind == 3 else 2 ** (bits - 2)]], np.dtype(f"{'if'[kind - 2]}{bits // 8}"))
    for order in "<>":
        data = value.astype(value.dtype.newbyteorder(order)).tobytes()
        assert load_image(grey_tiff([data], 1, 1, order, t258=bits, t339=kind)).tolist() == [[[128] * 3]]
        packed = grey_tiff([zlib.compress(data)], 1, 1, order, t258=bits, t339=kind, t259=8)
        if order == "<":
            assert load_image(packed).tolist() == [[[128] * 3]]
        else:
            with pytest.raises(
                ValueError, match=f"signed or float samples of {bits} bits are big-endian and compressed"
            ):
                load_image(packed)


def test_luma_and_colour_without_a_compression():
    """Pillow 11.3 takes four bytes for a pixel; none knows that two may share their colour."""
    tags = {256: 2, 257: 2, 258: [8] * 3, 262: 6, 277: 3, 278: 2}
    for said in ({}, {530: [1, 1]}, {530: [2, 2]}):
        with pytest.raises(ValueError, match="its colour is YCbCr, not compressed .save it as PNG"):
            load_image(tiff_of([bytes([100, 128, 128] * 4)], tags | said))


def test_a_palette_of_bytes_where_words_belong():
    levels = [10, 20, 30, 40] + [0] * 252
    for scale in (1, 256, 257):
        data = grey_tiff([bytes([0, 3])], 2, 1, t262=3, t320=[scale * level for level in levels] + [0] * 512)
        assert load_image(data).tolist() == [[[10, 0, 0], [40, 0, 0]]]


def test_previews_are_not_the_photo():
    """A camera's RAW is often a TIFF whose first image is a thumbnail."""
    with pytest.raises(ValueError, match=r"is a camera's RAW \(DNG\).*develop it"):
        load_image(grey_tiff([bytes(4)], 4, 1, t50706=1))
    with pytest.raises(ValueError, match="first image is a small copy of another one"):
        load_image(grey_tiff([bytes(4)], 4, 1, t254=1))
    assert load_image(grey_tiff([bytes(4)], 4, 1, t254=0)).shape == (1, 4, 3)


BLACK_WHITE = bytes([0, 0, 0, 0, 255, 255, 255, 0])


@pytest.mark.parametrize("bits, row", [(4, 0x01010000), (8, 0x00010001)])
def test_a_bmp_with_more_bits_than_its_grey_palette_needs(bits, row):
    with pytest.raises(ValueError, match=f"it has {bits} bits a pixel and a grey palette"):
        load_image(bmp(4, 1, bits, row.to_bytes(4, "big"), palette=BLACK_WHITE, colours=2))


def test_bmps_with_palettes():
    assert load_image(bmp(4, 1, 1, b"\x50\0\0\0", palette=BLACK_WHITE, colours=2))[0, :, 0].tolist() == [0, 255, 0, 255]
    red = bytes([0, 0, 0, 0, 0, 0, 255, 0])
    for bits, row in ((1, 0x50000000), (4, 0x01010000), (8, 0x00010001)):
        loaded = load_image(bmp(4, 1, bits, row.to_bytes(4, "big"), palette=red, colours=2))
        assert loaded.tolist() == [[BLACK, RED, BLACK, RED]]


# Files that end properly, and too early.


@pytest.mark.parametrize("make", [png, interlaced_png])
@pytest.mark.parametrize(
    "depth, colour, row", [(8, 0, bytes([9] * 4)), (8, 2, bytes([9] * 12)), (16, 2, bytes([9] * 24)), (1, 0, b"\xf0")]
)
def test_a_png_with_fewer_rows_than_its_height(make, depth, colour, row):
    whole = make(4, 4, depth, colour, [row] * 4)
    assert load_image(whole).shape == (4, 4, 3)
    short = bytearray(make(4, 4, depth, colour, [row] * 4) if make is png else whole)
    short[16:24] = struct.pack(">II", 4, 6)  # the height, in a header with a new checksum
    short[29:33] = struct.pack(">I", zlib.crc32(short[12:29]))
    with pytest.raises(ValueError, match=r"PNG of 6x4 pixels, lacks some: it is cut short|truncated|cannot be decoded"):
        load_image(bytes(short))


def test_black_rows_that_are_there_are_read():
    for make in (png, interlaced_png):
        assert (load_image(make(4, 4, 8, 0, [bytes(4)] * 4)) == 0).all()


@pytest.mark.parametrize("options", [{}, {"quality": 100, "subsampling": 0}, {"restart_marker_blocks": 2}])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_that_a_camera_ended_too_early(rng, mode, options):
    """With its end mark the decoder does not object, and fills the rest with grey."""
    image = Image.fromarray(noise(rng, (64, 64, 3))).convert(mode)
    data = saved(image, "JPEG", **options)
    load_image(data)
    for share in (0.4, 0.6, 0.8):
        with pytest.raises(ValueError, match="JPEG of 64x64 pixels, lacks some: it is cut short"):
            load_image(data[: int(share * len(data))] + b"\xff\xd9")


def test_a_grey_jpeg_is_whole():
    for mode, level in (("L", 128), ("RGB", (128, 128, 128)), ("CMYK", (127,) * 4)):
        for progressive in (False, True):
            data = saved(Image.new(mode, (40, 24), level), "JPEG", progressive=progressive)
            assert load_image(data + b"behind the end").shape == (24, 40, 3)


def gif(width, height, codes):
    """A GIF of four greys from codes of three bits (4 before each two pixels: then they never grow)."""
    bits = sum(code << 3 * at for at, code in enumerate(codes)).to_bytes(-(-3 * len(codes) // 8), "little")
    screen = struct.pack("<HHBBB", width, height, 0x81, 0, 0) + bytes(range(0, 36, 3))
    image = struct.pack("<HHHHB", 0, 0, width, height, 0)
    return b"GIF89a" + screen + b"," + image + bytes([2, len(bits)]) + bits + b"\0;"


def test_a_gif_that_ends_too_early():
    codes = [4, 1, 2] * 8
    assert load_image(gif(4, 4, [*codes, 5]))[..., 0].tolist() == [[9, 18, 9, 18]] * 4
    assert load_image(gif(4, 4, codes)).shape == (4, 4, 3)  # the code for the end is left out, no pixel is
    for kept in (6, 12, 18):
        with pytest.raises(ValueError, match="of 4x4 pixels, mode ., cannot be decoded: .*truncated"):
            load_image(gif(4, 4, codes[:kept]))


# What is not read, by name.


@pytest.mark.parametrize(
    "start, what",
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypmsf1\0\0\0\0msf1hevc", "HEIC"),
        (b"\0\0\0\x10ftypheix\0\0\0\0", "HEIC"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "a video"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "a camera's RAW .CR3"),
        (b"\xff\x0a\xfa\x7f", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- made by hand -->\n<svg/>", "SVG"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"8BPS\0\1", "a Photoshop document"),
        (b"\0\0\1\0\1\0", "an icon"),
        (b"II*\0\x10\0\0\0CR\2\0", "a camera's RAW .CR2"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (bytes(128) + b"DICM", "DICOM"),
    ],
)
def test_what_is_not_read_is_named(start, what):
    with pytest.raises(ValueError, match=rf"the image is {what}.*; read are PNG, JPEG.*export it as PNG"):
        load_image(start + bytes(2000))


def test_an_avif_may_call_itself_something_else_first():
    Image.init()
    if "AVIF" not in Image.SAVE:
        pytest.skip("this Pillow writes no AVIF")
    data = saved(Image.new("RGB", (16, 16), (200, 30, 30)), "AVIF", quality=100)
    assert data[8:12] == b"avif" and data[16:20] in (b"avif", b"mif1")
    other = data[:8] + b"mif1" + data[12:16] + b"avif" + data[20:]
    for source in (data, other):
        np.testing.assert_allclose(load_image(source)[8, 8], [200, 30, 30], atol=4)


def test_a_file_of_text_and_one_whose_seek_says_nothing(rng):
    class Silent(io.BytesIO):
        def seek(self, *where):
            super().seek(*where)

    class Text:
        read = staticmethod(lambda size=-1: "P2 1 1 255 9")

    pixels = noise(rng)
    for format in ("PNG", "TIFF", "BMP"):
        np.testing.assert_array_equal(load_image(Silent(saved(Image.fromarray(pixels), format))), pixels)
    with pytest.raises(TypeError, match="source is a file of str; expected a path, bytes"):
        load_image(Text())


# Bombs.


def test_a_bomb_is_refused_by_its_header(monkeypatch):
    """No pixel is decoded: load is never reached. Pillow's own limit is not touched, and does not warn of ours."""
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("decoded"))
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ValueError, match="of 3000x2000 pixels has 6000000; 1 to max_pixels=5999999 are read .raise it"):
        load_image(png_header(2000, 3000), max_pixels=5_999_999)
    with pytest.raises(ValueError, match="max_pixels=100000000"):  # between Pillow's warning and its error
        load_image(png_header(10_001, 10_000), max_pixels=100_000_000)
    with pytest.raises(ValueError, match="max_pixels=999"):
        load_image(Image.open(io.BytesIO(png_header(40, 25))), max_pixels=999)
    for limit in (178_956_970, 10**12):  # over twice Pillow's limit it refuses by itself
        with pytest.raises(
            ValueError, match="400000000 pixels.*raise max_pixels and PIL.Image.MAX_IMAGE_PIXELS=89478485"
        ):
            load_image(png_header(20_000, 20_000), max_pixels=limit)
    assert Image.MAX_IMAGE_PIXELS == before


def test_the_limit_is_the_last_size_that_loads(rng):
    data = saved(Image.fromarray(noise(rng)), "PNG")
    assert load_image(data, max_pixels=120).shape == (10, 12, 3)
    with pytest.raises(ValueError, match="max_pixels=119"):
        load_image(data, max_pixels=np.int64(119))


def test_pillow_s_warning_is_not_passed_on(rng, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # 120 pixels: Pillow warns; a warning fails this test
    assert load_image(saved(Image.fromarray(noise(rng)), "PNG")).shape == (10, 12, 3)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)  # switched off: ours still holds
    with pytest.raises(ValueError, match="max_pixels=119"):
        load_image(saved(Image.fromarray(noise(rng)), "PNG"), max_pixels=119)
