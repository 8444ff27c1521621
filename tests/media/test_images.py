"""Images as users have them. Every case is made here, small, by Pillow or byte by byte where Pillow cannot write it."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps

from mmtokedu.media.images import FORMATS, load_image

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


def test_every_kind_of_source_gives_the_same_pixels(rng, tmp_path):
    pixels = noise(rng)
    data = saved(Image.fromarray(pixels), "PNG")
    path = tmp_path / "photo.png"
    path.write_bytes(data)

    class Response:  # reads, and cannot seek
        read = io.BytesIO(data).read

    late = io.BytesIO(data)
    late.seek(20)
    with open(path, "rb") as file:
        for source in (
            path,
            str(path),
            data,
            bytearray(data),
            memoryview(data),
            file,
            late,
            Response(),
            Image.open(path),
        ):
            loaded = load_image(source)
            assert loaded.dtype == np.uint8 and loaded.flags.c_contiguous and loaded.flags.writeable
            np.testing.assert_array_equal(loaded, pixels)
        assert not file.closed and not late.closed


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


@pytest.mark.parametrize("source", [None, 3, np.zeros((4, 4, 3), np.uint8), io.StringIO("x"), ["a.png"]])
def test_other_sources_are_refused(source):
    with pytest.raises(TypeError, match=f"source is {type(source).__name__}; expected a path, bytes"):
        load_image(source)


@pytest.mark.parametrize("name", ["there/is/no.png", "https://example.org/cat.jpg", "x" * 5000, "a\0b"])
def test_a_missing_file(name):
    with pytest.raises(FileNotFoundError, match="no file .* not fetched") as caught:
        load_image(name)
    assert len(str(caught.value)) < 400


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


def test_damage_is_a_value_error(rng):
    """Bytes changed anywhere: a picture, right or wrong, or a ValueError; nothing else comes out of a decoder."""
    refused = 0
    for format in ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"):
        data = saved(Image.fromarray(noise(rng)), format)
        for _ in range(60):
            damaged = bytearray(data)
            for at in rng.integers(0, min(len(data), 200), 3):
                damaged[at] = rng.integers(0, 256)
            try:
                loaded = load_image(bytes(damaged), max_pixels=10**6)
            except ValueError:
                refused += 1
            else:
                assert loaded.dtype == np.uint8 and loaded.ndim == 3 and loaded.shape[2] == 3
    assert refused > 100


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
