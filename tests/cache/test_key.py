"""The key of a result: what it is made of, byte for byte; what is told apart, what is not, and what is refused."""

import enum
import hashlib
import pathlib
import random
import sys
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
from cache_values import KIN, counted, drawn, same
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from mmtokedu.cache import cache_key, frame, key_frame, unframe

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
    | st.binary(max_size=9)
)
HASHABLE = LEAVES | st.lists(LEAVES, max_size=3).map(tuple) | st.frozensets(LEAVES, max_size=3)
NUMBERS = arrays.arrays(
    st.sampled_from(["|u1", "<i8", ">u2", "<f2", "|b1", "<c8"]),
    arrays.array_shapes(min_dims=0, min_side=0),
    fill=st.just(0),
)
VALUES = st.recursive(
    HASHABLE | NUMBERS.filter(lambda x: not np.isnan(x).any()),
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.lists(inside, max_size=4).map(tuple)
        | st.dictionaries(HASHABLE, inside, max_size=4)
        | st.sets(HASHABLE, max_size=3)
    ),
    max_leaves=6,
)


def test_a_frame_worked_by_hand():
    params = {"size": (448, 448), "filter": "bicubic", "mean": 0.5, "gray": False, "crop": None}
    by_hand = b"d5:s4:cropn0:s4:gray?1:0s4:meanf8:\x3f\xe0\0\0\0\0\0\0s4:sizet2:i3:448i3:448s6:filters7:bicubic"
    assert frame(params) == by_hand
    assert unframe(by_hand) == params
    message = b"t3:s14:mmtokedu key 1b4:JPEG" + by_hand
    assert key_frame(b"JPEG", params) == message
    assert cache_key(b"JPEG", params) == hashlib.sha256(message).hexdigest()


def test_an_array_is_dtype_shape_and_bytes():
    x = np.arange(6, dtype="<u2").reshape(2, 3)
    assert frame(x) == b"a3:s3:<u2t2:i1:2i1:3b12:" + x.tobytes()
    keys = [
        cache_key(a, {}) for a in (x, x.T, x.ravel(), x.astype("<i2"), x.astype(">u2"), x.tobytes(), [x], [x[0], x[1]])
    ]
    assert len(set(keys)) == len(keys)
    assert cache_key(np.asfortranarray(x), {}) == cache_key(np.repeat(x, 2, axis=1)[:, ::2], {}) == keys[0]
    pixels = np.array([[0.0, np.nan]])  # data are taken by their bytes, whatever the numbers mean
    assert cache_key(pixels, {}) != cache_key(-pixels, {})


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: {"size": [{"of": x}]}], ids=["plain", "deep"])
def test_what_a_careless_key_takes_for_one_another_differs(wrap):
    keys = [cache_key(b"", {"a": wrap(value)}) for value in KIN]
    assert len(set(keys)) == len(KIN) > 40


def test_order_says_nothing_at_any_depth():
    first = {"size": {"height": 2, "width": {"min": 1, "max": 9}}, "steps": [{"a": 1, "b": {3, 1, 2}}]}
    second = {"steps": [{"b": {2, 3, 1}, "a": 1}], "size": {"width": {"max": 9, "min": 1}, "height": 2}}
    assert cache_key(b"", first) == cache_key(b"", second)
    assert cache_key(b"", first) != cache_key(b"", first | {"steps": [{"b": {2, 3, 1}, "a": 2}]})


def test_keys_of_one_dict_that_python_takes_for_equal():
    """{1: "a"} and {True: "a"} are equal in Python, and are other params."""
    keys = [cache_key(b"", {"of": {key: "a"}}) for key in (1, True, 1.0, "1", b"1", (1,))]
    assert len(set(keys)) == len(keys)


def test_bytes_are_bytes_in_any_wrapping():
    keys = {cache_key(kind(b"abc"), {"a": kind(b"x")}) for kind in (bytes, bytearray, memoryview)}
    assert len(keys) == 1
    assert cache_key([b"ab", b"c"], {}) != cache_key([b"a", b"bc"], {}) != cache_key([b"abc"], {})


@given(VALUES)
@settings(max_examples=100)
def test_what_was_framed_is_read_back(value):
    framed = frame(value)
    back = unframe(framed)
    assert same(back, np.asarray(value) if isinstance(value, np.generic) else value)
    assert frame(back) == framed


def test_values_drawn_for_the_pairs_are_read_back():
    draw = random.Random(7)
    for _ in range(2000):
        value = drawn(draw)
        assert same(unframe(frame(value)), value)


@given(VALUES, st.data())
@settings(max_examples=100)
def test_other_bytes_are_another_value_or_none(value, data):
    """One byte changed, one left out, one more: refused, or the frame of what is read."""
    framed = bytearray(frame({"of": value}))
    at, byte = data.draw(st.integers(0, len(framed) - 1)), data.draw(st.binary(min_size=1, max_size=1))
    what = data.draw(st.sampled_from(["change", "drop", "add", "cut"]))
    framed[at : len(framed) if what == "cut" else at + (what != "add")] = b"" if what in ("drop", "cut") else byte
    try:
        back = unframe(bytes(framed))
    except ValueError:
        return
    assert frame(back) == framed


@pytest.mark.parametrize(
    "framed, said",
    [
        (b"", "no frame begins at byte 0"),
        (b"x1:0", "no frame begins at byte 0"),
        (b"i01:7", "no frame begins at byte 0"),
        (b"l1:", "no frame begins at byte 3|counts 1"),
        (b"i3:00", "the frame at byte 0 counts 3, and 2 bytes are left"),
        (b"i3:007", "idle digits"),
        (b"i2:-0", "idle digits"),
        (b"d2:s1:bi1:1s1:ai1:1", "keys are out of order"),
        (b"u2:i1:1i1:1", "out of order"),
        (b"f8:\x7f\xf8\0\0\0\0\0\0", "value is NaN"),
        (b"f1:0", "b'0' is no value of type 'f'"),
        (b"?1:2", "b'2' is no value of type '\\?'"),
        (b"n1:0", "no value of type 'n'"),
        (b"u1:l0:", "'u' cannot hold these"),
        (b"a3:s2:|Ot1:i1:1b8:00000000", "object|OBJECT"),
        (b"a3:s3:|u1t1:i1:3b2:00", "buffer is too small|buffer"),
        (b"a2:s3:|u1t0:", "not enough values"),
        (b"i1:1i1:1", "4 bytes follow the value, which ends at byte 4"),
        (b"l1:" * 300 + b"n0:", "no frame begins at byte"),
    ],
)
def test_bytes_that_are_no_frame(framed, said):
    with pytest.raises(ValueError, match=said):
        unframe(framed)


def test_drawn_pairs_collide_nowhere():
    found = counted(6_000)
    assert found["collisions"] == found["false misses"] == 0
    assert found["same"] > 300  # both answers are asked for


def test_the_pairs_find_a_careless_key():
    """Keys as systems have had them, on the same pairs: each takes other values for one another, or one for two."""
    careless = {
        "collisions": lambda data, params: "".join(map(str, params.values())),
        "false misses": lambda data, params: sorted(map(str, params.items())),  # in order, but not inside
    }
    for wrong, key in careless.items():
        assert counted(1_500, key)[wrong] > 3, wrong


class Filter(enum.IntEnum):
    BICUBIC = 3


Size = namedtuple("Size", "height width")
HELD = []
HELD.append(HELD)


@pytest.mark.parametrize(
    "params, error, said",
    [
        ({"mean": float("nan")}, ValueError, r"params\['mean'\] is NaN or has one; a NaN equals nothing"),
        ({"mean": [0.5, {"deep": float("nan")}]}, ValueError, r"params\['mean'\]\[1\]\['deep'\] is NaN"),
        ({"mean": np.array([0.5, np.nan])}, ValueError, r"params\['mean'\] is NaN or has one"),
        ({float("nan"): 1}, ValueError, "a key of params is NaN"),
        ({"x": {float("nan")}}, ValueError, r"an item of params\['x'\] is NaN"),
        ({"f": Filter.BICUBIC}, TypeError, r"params\['f'\] is Filter; .* \(pass its name, 'BICUBIC'\)"),
        ({"f": print}, TypeError, r"params\['f'\] is builtin_function_or_method; .* \(say in these what of it"),
        ({"f": Size(1, 2)}, TypeError, r"params\['f'\] is Size; .* subclasses \(pass tuple\(it\)\)"),
        ({"f": OrderedDict()}, TypeError, r"params\['f'\] is OrderedDict; .* \(pass dict\(it\)\)"),
        ({"f": pathlib.Path("a.png")}, TypeError, r"\(pass the bytes of the file, path.read_bytes\(\), as data"),
        ({"f": 1j}, TypeError, r"params\['f'\] is complex"),
        ({"f": range(3)}, TypeError, r"params\['f'\] is range"),
        ({"f": HELD}, ValueError, "params holds a value 100 values deep inside others; does one of them hold itself"),
        ({"f": 1 << 5000}, ValueError, "whole number of 5001 bits; at most 4096 are"),
        ({"f": "\ud800"}, ValueError, r"params\['f'\] is '\\ud800', which has no UTF-8"),
        ({"f": np.array([None])}, TypeError, r"params\['f'\] has dtype object"),
        ({"f": np.array(["a"])}, TypeError, r"params\['f'\] has dtype <U1; expected numbers"),
        ({"f": np.zeros(2, "i4,f4")}, TypeError, "expected numbers"),
        ({"f": np.zeros(2, "M8[s]")}, TypeError, "expected numbers"),
        ({"f": np.zeros(2, np.longdouble)}, TypeError, "has unused bytes"),
        ({"f": np.ma.masked_equal([1, 2], 2)}, TypeError, r"params\['f'\] is a masked array"),
        (
            {"f": memoryview(np.zeros((2, 3), np.uint8))},
            TypeError,
            r"memoryview of shape \(2, 3\), format 'B'; its bytes",
        ),
        ([("size", 448)], TypeError, "params is list; expected a dict of everything that changes the result"),
        (None, TypeError, r"params is NoneType; .* \(\{\} where the bytes alone decide\)"),
    ],
)
def test_params_that_have_no_name(params, error, said):
    with pytest.raises(error, match=said):
        cache_key(b"", params)


@pytest.mark.parametrize(
    "data, error, said",
    [
        ("photo.jpg", TypeError, r"data are a str; expected the bytes of a file, an array, .* \(a text: .encode\(\)\)"),
        (pathlib.Path("photo.jpg"), TypeError, r"data are a PosixPath.*path.read_bytes"),
        (Image.new("P", (2, 3)), TypeError, r"data are an? Image; .*np.asarray\(image.convert\(\"RGB\"\)\)"),
        ([b"a", "b"], TypeError, "data hold a str; expected"),
        ({"a": b""}, TypeError, "data are a dict"),
        (np.array([b"a"], object), TypeError, "data has dtype object"),
        (memoryview(b"abcd").cast("H"), TypeError, "format 'H'; its bytes alone would drop both"),
        (memoryview(np.zeros((4, 6), np.uint8)), TypeError, r"shape \(4, 6\)"),
    ],
)
def test_data_that_are_refused(data, error, said):
    with pytest.raises(error, match=said):
        cache_key(data, {})


def test_tensors_are_refused_with_the_way_out(tensors):
    with pytest.raises(TypeError, match=r"params\['mean'\] is Tensor; .* \(pass tensor.numpy\(\)\)"):
        cache_key(b"", {"mean": tensors.give(np.zeros(3))})


def test_algorithms(monkeypatch):
    assert cache_key(b"a", {}) == cache_key(b"a", {}, algorithm="sha256")
    with pytest.raises(ValueError, match='algorithm is \'md5\'; choose "sha256" or "blake3"'):
        cache_key(b"a", {}, algorithm="md5")
    monkeypatch.setitem(sys.modules, "blake3", None)
    with pytest.raises(ImportError, match="pip install blake3"):
        cache_key(b"a", {}, algorithm="blake3")

    class Loud:
        blake3 = staticmethod(lambda: hashlib.blake2s(digest_size=32))

    monkeypatch.setitem(sys.modules, "blake3", Loud)
    asked = cache_key(b"a", {"n": 1}, algorithm="blake3")
    assert asked == hashlib.blake2s(key_frame(b"a", {"n": 1})).hexdigest() != cache_key(b"a", {"n": 1})
