"""The explorable of fewer tokens on the Python side: arguments, what is stored, what it costs, golden vectors."""

import base64
import html
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from mmtokedu import explore, samples
from mmtokedu.compress import match_tokens, merge_tokens, pool_tokens, shuffle_map
from mmtokedu.explore import _compress
from mmtokedu.samples import world


def data_of(out):
    text, start = out._repr_html_(), "compress ??= "
    return json.JSONDecoder().raw_decode(text[text.index(start) + len(start) :])[0]


def states():
    """Every picture, method, count and question of the page."""
    for picture in _compress.PICTURES:
        for method in _compress.METHODS:
            for tokens in _compress.LADDER:
                for question in _compress.KINDS:
                    yield picture, method, tokens, question


# What an output holds


def test_output_carries_arguments_and_still():
    out = explore.compress(picture="page", method="oracle", tokens=4, question="shape")
    head = out._repr_html_().split("</mm-explore-compress>")[0]
    assert '<mm-explore-compress picture="page" method="oracle" tokens="4" by="shape"><figure' in head
    assert (
        f"<title>{html.escape(out.alt)}</title>" in head and f"<figcaption>{html.escape(out.alt)}</figcaption>" in head
    )
    assert 'role="img"' in head and "by “What shape is the pink one?”: 4 of 64 tokens reach the decoder" in out.alt
    told, asked = _compress.entry("page", "oracle", 4, "shape")["told"], _compress.questions("page")
    for (kind, words, right, _), (answer, _) in zip(asked, told, strict=True):
        how = "right" if answer == right else f"wrong, it is {right}"
        assert f"{_compress.spoken(kind, words[1])} {answer}, {how}" in out.alt
    assert len(out._repr_html_()) < 200_000


def test_the_still_pales_what_is_dropped_and_outlines_what_is_one():
    still = lambda **state: explore.compress(picture="page", **state)._repr_html_().split("</figure>")[0]
    paths = lambda figure: re.findall(r'<path d="([^"]*)"', figure)
    dims, *lines = paths(still(method="grid", tokens=16))
    assert dims.count("z") == 48 and lines[0] == lines[1] != ""
    dims, lines, _ = paths(still(method="pool", tokens=16))
    assert dims == "" and lines.count("M") == 2 * 3 * 8  # three lines each way, eight patches long
    assert paths(still(method="pool", tokens=64)) == ["", "", ""]


def test_marker_key_follows_arguments():
    key = lambda **arguments: explore.compress(**arguments).key
    assert key() == key(picture="scene", method="received", tokens=16, question="number")
    assert len({key(), key(picture="page"), key(method="pool"), key(tokens=8), key(question="shape")}) == 5


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"picture": "photo"}, "picture is 'photo'; choose scene, page"),
        ({"method": "fastv"}, "method is 'fastv'; choose random, grid, edges"),
        ({"question": "sign"}, "question is 'sign'; choose number, colour, shape, where, count"),
        ({"tokens": 17}, "tokens is 17; choose 64, 32, 16, 8, 4, 1"),
        ({"tokens": "16"}, "tokens is '16'"),
        ({"tokens": 0}, "tokens is 0"),
    ],
)
def test_arguments_are_checked(arguments, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        explore.compress(**arguments)


def test_data_in_the_page_are_the_worlds():
    data = data_of(explore.compress())
    assert [row["id"] for row in data["methods"]] == list(_compress.METHODS)
    for row in data["pictures"]:
        scene = _compress.drawn(row["id"])
        drawn = np.array(Image.open(io.BytesIO(base64.b64decode(row["src"].split(",")[1]))))
        np.testing.assert_array_equal(drawn, scene.pixels[0])
        for kind, asked in zip(data["kinds"], row["questions"], strict=True):
            alike = [q for q in scene.questions if q.kind in (world.ORDINALS if kind == "number" else (kind,))]
            assert asked["right"] == "".join(q.answer for q in alike)
            if kind != "number":
                assert asked["about"] == alike[0].words[1]
            boxes = np.concatenate([q.boxes for q in alike])
            assert asked["boxes"] == boxes[:, [1, 2, 4, 5]].tolist()
            inside = {
                (y // 12) * 8 + x // 12 for _, a, b, _, c, d in boxes.tolist() for y in range(a, c) for x in range(b, d)
            }
            assert asked["patches"] == sorted(inside)
    assert data["pictures"][0]["questions"] != data["pictures"][1]["questions"]
    assert [_compress.drawn(name).ground for name in _compress.PICTURES] == ["photo", "flat"]


def test_what_ships_is_small_and_said():
    item = samples.ITEMS["compress/play.json"]
    assert item.origin == "experiments/_compress_play.py" == _compress.stored()["made_by"]
    assert _compress.STORED.stat().st_size < 150_000


# What is stored


def test_every_answer_is_a_word_and_every_kept_patch_is_one():
    for picture, method, tokens, question in states():
        row = _compress.entry(picture, method, tokens, question)
        assert len(row["told"]) == len(_compress.KINDS)
        for kind, (answer, sure) in zip(_compress.KINDS, row["told"]):
            assert 0 < sure <= 1000 and (kind == "number" or answer in world.WORDS)
        kind = _compress.METHODS[method][1]
        assert ("kept" in row) == (kind in ("keep", "fold") and tokens < 64)
        if "kept" in row:
            assert (
                len(row["kept"]) == tokens - (kind == "fold")
                and row["kept"] == sorted(set(row["kept"]))
                and set(row["kept"]) <= set(range(64))
            )


def test_with_all_tokens_every_question_is_answered_right():
    for picture in _compress.PICTURES:
        told = _compress.stored()["pictures"][picture]["all"]["told"]
        assert [answer for answer, _ in told] == [right for *_, right, _ in _compress.questions(picture)]


def test_the_oracle_keeps_what_the_question_is_about():
    for picture in _compress.PICTURES:
        for kind, _, _, boxes in _compress.questions(picture):
            covered = _compress.covered(boxes)
            for tokens in (n for n in _compress.LADDER if n < 64):
                kept = _compress.entry(picture, "oracle", tokens, kind)["kept"]
                assert len(set(kept) & set(covered)) == min(tokens, len(covered))


def test_a_question_that_chooses_chooses_for_all():
    for picture in _compress.PICTURES:
        for method in ("attention", "late", "oracle"):
            rows = [_compress.entry(picture, method, 8, kind) for kind in _compress.KINDS]
            assert len({tuple(row["kept"]) for row in rows}) > 1


# What becomes one token


def test_groups_hold_every_patch_once_or_as_many_as_are_kept():
    for picture, method, tokens, question in states():
        some = _compress.groups(picture, method, tokens, question)
        flat = sorted(patch for members in some for patch in members)
        assert len(some) == tokens and len(set(flat)) == len(flat)
        assert len(flat) == (tokens if _compress.METHODS[method][1] == "keep" else 64)


def test_merging_by_hand():
    rows = np.array([[1, 0], [0, 1], [5, 0], [0, 2], [3, 3], [0, -1]])
    # evens 0, 2, 4 with odds 1, 3, 5: 4 is nearest to 1 (and to 3, by the same cosine; the lowest index)
    assert _compress.merged(rows, 5).tolist() == [0, 2, 1, 3, 2, 4]  # by mean places: 0, 2, (1 and 4: 2.5), 3, 5
    assert _compress.merged(rows, 6).tolist() == [0, 1, 2, 3, 4, 5]
    assert _compress.merged(rows, 1).tolist() == [0] * 6


def test_a_round_merges_what_the_library_merges():
    metric = _compress.metric("scene").astype(float)
    once = merge_tokens(metric, 8, order="place")
    source = _compress.merged(metric, 56)
    pairs = lambda of: {frozenset(np.flatnonzero(of == token).tolist()) for token in range(56)}
    assert pairs(source) == pairs(once.source)
    places = [np.flatnonzero(source == token).mean() for token in range(56)]
    assert places == sorted(places)


def test_windows_are_those_of_pooling():
    places = np.arange(64.0)[:, None]
    for tokens, window in _compress.WINDOWS.items():
        some = _compress.windows(window)
        assert len(some) == tokens
        np.testing.assert_allclose(pool_tokens(places, (8, 8), window)[:, 0], [np.mean(members) for members in some])
    assert _compress.windows((2, 2)) == shuffle_map((8, 8), 2).tolist()


# What it costs


def test_costs_by_hand():
    assert _compress.flops([0], words=1, width=1) == 24 + 4
    assert _compress.flops([3, 1], words=1, width=2) == 24 * 4 * 6 + 4 * 2 * (16 + 4)
    assert _compress.cache_bytes([3, 1], words=1, width=2, bytes_per=2) == 2 * 2 * 2 * 6
    assert _compress.layers_run("merge", 16) == [16] * 4 and _compress.layers_run("attention", 64) == [64] * 4
    assert (
        _compress.layers_run("attention", 16) == [64, 16, 16, 16, 16]
        and _compress.layers_kept("attention", 16) == [16] * 4
    )
    assert _compress.layers_run("late", 16) == _compress.layers_kept("late", 16) == [64, 16, 16, 16]


@pytest.mark.parametrize("visual", [64, 16, 1])
def test_operations_are_those_that_torch_counts(visual):
    torch = pytest.importorskip("torch")
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    from mmtokedu.nn.small import Small

    small = Small(words=7, width=_compress.WIDTH, layers=_compress.LAYERS, heads=2)
    rows = visual + _compress.QUESTION
    plain = sdpa_kernel(SDPBackend.MATH)  # the processor's fused attention is not counted
    with torch.no_grad(), plain, FlopCounterMode(display=False) as counter:
        small(torch.zeros(1, rows, _compress.WIDTH), torch.zeros(rows, 16))
    head = 2 * rows * _compress.WIDTH * 7
    assert counter.get_total_flops() - head == _compress.flops([visual] * _compress.LAYERS)


def test_golden_vectors_are_the_librarys():
    golden = explore.golden_vectors("compress")
    for rows, likeness, partner in golden["matched"]:
        told = match_tokens(np.array(rows, float))
        assert [x if x is not None else -np.inf for x in likeness] == told.similarity.tolist()
        assert partner == np.maximum(told.partner, 0).tolist()
    ties = [rows for rows, *_ in golden["matched"] if len({tuple(row) for row in rows}) < len(rows)]
    assert len(ties) > 10
    for rows, target, source in golden["merged"]:
        assert sorted(set(source)) == list(range(target)) and len(source) == len(rows)
    two = next(row for row in golden["blocks"] if row[:2] == [[8, 8], [2, 2]])
    assert two[2] == shuffle_map((8, 8), 2).tolist()
    assert {row[1] for row in golden["states"]} == set(_compress.METHODS)


# The checkpoint


@pytest.fixture(scope="module")
def again():
    """What the shipped reader says now of both pictures."""
    pytest.importorskip("torch")
    from experiment_programs import experiment_named

    from mmtokedu.nn.compress import load_reader

    with experiment_named("_compress_play") as program:
        reader = load_reader()
        yield {name: program.play(reader, name) for name in _compress.PICTURES}


@pytest.mark.torch
@pytest.mark.parametrize("picture", _compress.PICTURES)
def test_what_is_stored_is_what_the_shipped_reader_says(again, picture):
    stored = _compress.stored()["pictures"][picture]
    now = np.frombuffer(base64.b64decode(again[picture]["metric"]), np.int8).astype(int)
    assert np.abs(now - _compress.metric(picture).ravel()).max() <= 1  # another processor may round a feature elsewhere
    assert again[picture]["runs"].keys() == stored["runs"].keys()
    for method, counts in stored["runs"].items():
        for tokens, rows in counts.items():
            for row, other in zip(rows, again[picture]["runs"][method][tokens], strict=True):
                assert row.keys() == other.keys() and row.get("kept") == other.get("kept")
                for (answer, sure), (now, certain) in zip(row["told"], other["told"], strict=True):
                    assert abs(sure - certain) <= 15 and (answer == now or sure < 600)
