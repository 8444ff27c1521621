"""The same prompts through the real models' code: ids one by one, and what their rotary layers make of queries and keys."""

import numpy as np
import pytest
from peers import load, needs
from peers_mrope import (
    CLASSES,
    OMNI,
    ROTARY,
    TOWERS,
    drawn_layouts,
    model,
    omni_order,
    peer_positions,
    peer_rotation,
    peer_tower,
    segments_of_layout,
)

from mmtokedu.catalog import positions as catalog
from mmtokedu.mrope import (
    Audio,
    Text,
    Vision,
    decode_offset,
    position_ids,
    position_ids_plain,
    rotate,
    rotate_2d,
    turning,
)

LAYOUTS = 300


def said(rule, layout, resume):
    segments = segments_of_layout(rule, layout)
    ids = position_ids(segments, rule=rule, resume=resume)
    return with_offset(ids, decode_offset(segments, rule=rule, resume=resume))


def with_offset(ids, offset):
    """An axis a row, the offset at the end of each."""
    return [[*row, offset] for row in ids.tolist()]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("rule", CLASSES)
def test_positions(compare, rule):
    needs(peer_positions, rule, [("text", 1), ("picture", 2, 2)])
    resume = "after-max" if rule == "hunyuan-vl" else "spatial"
    layouts = drawn_layouts(LAYOUTS, films=rule != "hunyuan-vl")
    compare(
        f"positions, {rule}",
        lambda *layout: said(rule, layout, resume),
        lambda *layout: with_offset(*peer_positions(rule, layout)),
        [tuple(layout) for layout in layouts],
    )


def test_where_the_authors_way_parts_from_transformers(counted):
    """Of the same layouts: those with a film longer than it is high and wide. For single frames never.

    `test_positions` holds "spatial" to transformers, so ours by both ways are compared here.
    """
    layouts = drawn_layouts(LAYOUTS)
    why = "text behind a film that is longer than high and wide: transformers goes on inside it, the authors after it"
    for rule in ("qwen2-vl", "qwen2.5-vl", "qwen3-vl", "ernie-4.5-vl"):
        apart = sum(said(rule, layout, "after-max") != said(rule, layout, "spatial") for layout in layouts)
        counted("positions", f"{rule}, the authors' way", LAYOUTS - apart, 0, apart, why if apart else "")
        assert (apart > 50) == catalog.row("models", rule).films, (rule, apart)
    for layout in layouts:
        film = segments_of_layout("qwen2-vl", layout)
        np.testing.assert_array_equal(position_ids(film), position_ids_plain(film))


SHORT = {"qwen2.5-omni": 2 / 25, "qwen3-omni": None}  # seconds between frames of which float32 makes too little


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("rule", OMNI)
def test_positions_with_sound(capsys, counted, rule):
    """To a thousandth: the peer adds in float32.

    Where two frames are 0.08 s apart, exactly two ids of Qwen2.5-Omni, eight such steps are 15.999999 in float32, and the
    peer cuts off all but 15: those disagree by name, by one id, and only there.
    """
    needs(peer_positions, rule, [("text", 1), ("picture", 2, 2)])
    agreed, apart, skipped = 0, [], 0
    for layout in drawn_layouts(LAYOUTS, sound=True):
        if all(part[0] in ("text", "sound") for part in layout):
            skipped += 1  # without a picture the peer counts words, and markers and sounds as words
            continue
        segments = segments_of_layout(rule, layout)
        ids, offset = peer_positions(rule, layout)
        ours = position_ids(segments, rule=rule, resume="last-piece")
        more = [*(ours - ids).ravel(), decode_offset(segments, rule=rule, resume="last-piece") - offset]
        if np.abs(more).max() < 1e-3:
            agreed += 1
        else:
            apart.append(layout)
            assert set(np.round(more, 3)) == {0, 1} and any(SHORT[rule] in part for part in layout), layout
    with capsys.disabled():
        print(
            f"\n  positions, {rule:31} {agreed:5} agreed {skipped:5} without pictures {len(apart):5} fall short", end=""
        )
    why = "frames 0.08 s apart are exactly two ids apart, in the peer's float32 a little less, of which it cuts off one"
    counted("positions", rule, agreed, 0, len(apart), why if apart else "")
    assert len(apart) == {"qwen2.5-omni": 9, "qwen3-omni": 0}[rule]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("rule", OMNI)
def test_the_order_of_film_and_sound(counted, rule):
    """As the processor writes it, token by token."""
    needs(omni_order, rule, 2, 1, 1, 1.0, 5)
    a_second, system, checked = OMNI[rule][3], catalog.row("models", rule), 0
    for layout in drawn_layouts(LAYOUTS, seed=3, sound=True):
        for _, t, h, w, seconds, _ in (part for part in layout if part[0] == "both"):
            for tokens in (1, 13, 60, 130):
                film = np.repeat(catalog._times(t, seconds * a_second, system.fractions), h * w)
                order, _ = catalog.WEAVES[system.weave](film, np.arange(tokens), system.woven.get("chunk"))
                ours = "".join("VA"[int(at >= len(film))] for at in order)
                assert ours == omni_order(rule, t, h, w, seconds, tokens), (t, h, w, seconds, tokens)
                checked += 1
    counted("order of film and sound", rule, checked, 0, 0)
    assert checked > 300


@pytest.mark.filterwarnings("ignore")
def test_after_a_large_film_with_sound_transformers_goes_on_inside_it():
    """Two frames of 40 x 40 tokens: rows and columns reach 42 or 43, text goes on at 28 or 17; by the whole at 43 or 44."""
    needs(peer_positions, "qwen2.5-omni", [("text", 1), ("picture", 2, 2)])
    layout = [("text", 2), ("both", 2, 40, 40, 0.5, 100), ("text", 1)]
    for rule, inside, whole in (("qwen2.5-omni", 28, 43), ("qwen3-omni", 17, 44)):
        ids, _ = peer_positions(rule, layout)
        segments = segments_of_layout(rule, layout)
        first_after = ids.shape[1] - 3  # the first of two markers that end
        assert ids[0, first_after] == position_ids(segments, rule=rule, resume="last-piece")[0, first_after] == inside
        assert position_ids(segments, rule=rule)[0, first_after] == whole


@pytest.mark.filterwarnings("ignore")
def test_neighbours_are_one_picture_to_transformers():
    """Two pictures without a word between: one run of one kind takes one grid, and the ids are too few. Ours has both."""
    torch, ask = needs(model, "qwen2-vl")
    kinds = torch.tensor([[0, 1, 1, 1, 1, 1, 1, 0]], dtype=torch.int32)
    grids = torch.tensor([[1, 4, 4], [1, 2, 4]])
    with pytest.raises(RuntimeError, match="shape mismatch|expanded size|must match"):
        ask(torch.ones_like(kinds, dtype=torch.int64), kinds, image_grid_thw=grids)
    assert position_ids([Text(1), Vision(1, 2, 2), Vision(1, 1, 2), Text(1)]).shape == (3, 8)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("rule", [rule for rule in ROTARY if rule != "hunyuan-vl"])
def test_rotation(counted, rule):
    """Queries and keys through the model's own rotary layer; its angles are float32: off by position times 2^-24."""
    needs(load, "transformers")
    torch = needs(load, "torch")
    row, draw = catalog.row("models", rule), np.random.default_rng(0)
    queries, keys = (draw.standard_normal((2, heads, 40, row.head), np.float32) for heads in (4, 2))
    turned = 0
    for high, tolerance in ((50, 2e-5), (3000, 2e-3)):
        ids = draw.integers(0, high, (len(row.axes), 40))
        theirs = peer_rotation(rule, torch.from_numpy(queries), torch.from_numpy(keys), ids)
        for mine, answer in zip(rotate((queries, keys), ids, **turning(rule)), theirs, strict=True):
            np.testing.assert_allclose(mine, answer, atol=tolerance)
            turned += mine[..., 0].size
    counted("rotation", rule, turned, 0, 0)


@pytest.mark.filterwarnings("ignore")
def test_hunyuans_layer_in_transformers_is_no_rotation(counted):
    """It gives each axis 32 numbers that lie side by side, and turns number i with number i + 64, which has another axis.

    For words all axes agree, and so do we. In a picture lengths change. The authors' code repeats the list of sections
    where this one doubles each, and so keeps pairs together, as we do.
    """
    needs(load, "transformers")
    torch = needs(load, "torch")
    draw = np.random.default_rng(0)
    queries = draw.standard_normal((1, 2, 9, 128), np.float32)
    words, picture = (
        np.tile(np.arange(9), (4, 1)),
        np.array([[*range(9)], [0, 1, 2] * 3, [0] * 3 + [1] * 3 + [2] * 3, [0] * 9]),
    )
    for ids, alike in ((words, True), (picture, False)):
        theirs = peer_rotation("hunyuan-vl", torch.from_numpy(queries), torch.from_numpy(queries), ids)[0]
        mine = rotate(queries, ids, **turning("hunyuan-vl"))
        lengths = np.linalg.norm(theirs, axis=-1) / np.linalg.norm(queries, axis=-1)
        same = int((np.abs(mine - theirs).max(axis=-1) < 2e-5).sum())
        why = (
            ""
            if alike
            else "transformers turns each number with one of another axis, which is no rotation; the authors do not"
        )
        counted("rotation", f"hunyuan-vl, {'words' if alike else 'a picture'}", same, 0, mine[..., 0].size - same, why)
        assert (same == mine[..., 0].size) == alike
        assert (np.abs(lengths - 1).max() < 1e-5) == alike
        axis, number = [0, 1, 2, 3], np.arange(128)  # what it does, in a line
        angle = ids[np.repeat(axis, 32)].T * 1e4 ** (-(number % 64) / 64)
        other = np.concatenate([-queries[..., 64:], queries[..., :64]], axis=-1)
        np.testing.assert_allclose(theirs, queries * np.cos(angle) + other * np.sin(angle), atol=2e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("style", [*TOWERS, "llama-4"])
def test_towers(counted, style):
    needs(load, "transformers")
    torch = needs(load, "torch")
    draw = np.random.default_rng(0)
    turned = 0
    for width in (16, 80):
        x, places = draw.standard_normal((30, 3, width), np.float32), draw.integers(0, 40, (2, 30))
        if style == "llama-4":  # a patch each
            places = np.stack(np.unravel_index(draw.choice(1600, 30, replace=False), (40, 40)))
        theirs = peer_tower(style, torch.from_numpy(x), *places)
        mine = rotate_2d(x.swapaxes(0, 1), places, style=style).swapaxes(0, 1)
        np.testing.assert_allclose(mine, theirs, atol=2e-5)
        turned += mine[..., 0].size
    counted("towers", style, turned, 0, 0)


def test_sounds_count_as_words():
    assert position_ids([Audio(3), Text(2)], rule="qwen2.5-omni").tolist() == [[0, 1, 2, 3, 4]] * 3
