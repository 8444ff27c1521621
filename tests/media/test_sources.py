"""What may be named as a source: a rule of both loaders, held by the same tests."""

import io

import numpy as np
import pytest
from PIL import Image

from mmtokedu.media.images import load_image
from mmtokedu.media.sound import load_sound


def picture(rng):
    """A PNG, and its pixels."""
    pixels = rng.integers(0, 256, (12, 10, 3), dtype=np.uint8)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    return data.getvalue(), pixels


def voice(rng):
    """A WAV, and its numbers."""
    soundfile = pytest.importorskip("soundfile")
    data = io.BytesIO()
    soundfile.write(data, (0.1 * rng.standard_normal(3000)).clip(-1, 1), 16_000, format="WAV", subtype="PCM_16")
    data = data.getvalue()
    return data, (np.frombuffer(data[44:], "<i2") / 32768).astype(np.float32)


LOADERS = {"image": (load_image, picture), "sound": (load_sound, voice)}


@pytest.fixture(params=LOADERS)
def loader(request):
    """(load, make): the loader, and what makes the bytes of a file and what they hold."""
    return LOADERS[request.param]


def test_every_kind_of_source_gives_the_same(loader, rng, tmp_path):
    load, make = loader
    data, expected = make(rng)
    path = tmp_path / "file.raw"  # the content counts, not the name: soundfile would ask for the format of a .raw
    path.write_bytes(data)

    class Response:  # reads, and cannot seek
        read = io.BytesIO(data).read

    late = io.BytesIO(data)
    late.seek(20)
    opened = [Image.open(io.BytesIO(data))] if load is load_image else []
    with open(path, "rb") as file:
        sources = [path, str(path), data, bytearray(data), memoryview(data), file, late, Response(), *opened]
        for source in sources:
            loaded = load(source)
            assert loaded.dtype == expected.dtype and loaded.flags.c_contiguous and loaded.flags.writeable
            np.testing.assert_array_equal(loaded, expected)
        assert not file.closed and not late.closed


@pytest.mark.parametrize("source", [None, 3, np.zeros(4), np.zeros((4, 4, 3), np.uint8), io.StringIO("x"), ["a.png"]])
def test_other_sources_are_refused(loader, source):
    load, _ = loader
    with pytest.raises(TypeError, match=f"source is {type(source).__name__}; expected a path, bytes"):
        load(source)


@pytest.mark.parametrize("name", ["there/is/no.png", "https://example.org/voice.wav", "x" * 5000, "a\0b"])
def test_a_missing_file(loader, name):
    load, _ = loader
    with pytest.raises(FileNotFoundError, match="no file .* not fetched") as caught:
        load(name)
    assert len(str(caught.value)) < 400
