"""The catalog of models holds what its rows promise."""

import dataclasses
import datetime
import re

import pytest

from mmtokedu import budget
from mmtokedu.catalog import images, listeners, models, styles, video
from mmtokedu.catalog.models import DeviceRow, Layers, Tower

pytestmark = pytest.mark.apart

MODELS = models.rows()


def parameters(row):
    """All numbers of the matrices, with a table of embeddings and a head."""
    return budget.weight_bytes(row, bytes_per=1) + row.width * row.vocabulary


def test_there_are_models_of_every_kind():
    assert len(MODELS) >= 20
    groups = [group for row in MODELS.values() for group in row.layers]
    assert {group.kind for group in groups} == set(models.KINDS)
    for switch in ("borrows", "one_projection", "gate", "shared_gate", "experts", "shared_ff", "beside", "q_rank"):
        assert any(getattr(group, switch) for group in groups), switch
    assert {row.verified for row in MODELS.values()} == {"run", "read", "told"}


SIZES = {name: re.search(r"-(\d+)b\b", name) for name in MODELS}
CALLED = {"voxtral-mini-3b": 4}  # without the tables of words it is called 3
ONE_HEAD = {"qwen3-vl-2b", "qwen3-vl-4b", "gemma-3-4b", "gemma-3-12b", "gemma-3-27b", "gemma-4-26b-a4b", "gemma-4-31b"}


@pytest.mark.parametrize("name", [name for name, size in SIZES.items() if size])
def test_a_model_is_as_large_as_it_is_called(name):
    """Within a fifth: names are rounded, some count the tower and adapters. Some tie their head to the embeddings."""
    row, told = MODELS[name], CALLED.get(name, int(SIZES[name][1])) * 1e9
    tied = row.width * row.vocabulary if name in ONE_HEAD else 0
    tower = 0
    if row.vision:
        sides = sum(a * b for a, b in row.vision.projector) * row.vision.projectors
        tower = row.vision.layers * row.vision.block + sides
    assert abs(parameters(row) - tied + tower - told) < told / 5, (parameters(row) - tied + tower) / 1e9


ACTIVE = {name: int(found[1]) for name in MODELS if (found := re.search(r"-a(\d+)b$", name))}


@pytest.mark.parametrize("name", ACTIVE)
def test_a_mixture_reads_what_its_name_says(name):
    """The second number of the name: what one token meets, with the table and the head, within a fifth."""
    row = MODELS[name]
    met = budget.weight_bytes(row, 1, bytes_per=1) + (row.width * row.vocabulary if name not in ONE_HEAD else 0)
    assert abs(met / 1e9 - ACTIVE[name]) < ACTIVE[name] / 5, met / 1e9


@pytest.mark.parametrize("name", MODELS)
def test_what_a_row_names_is_there(name):
    row = MODELS[name]
    for there, table in (
        (row.images, images.rows()),
        (row.sounds, listeners.rows()),
        (row.videos, video.rows("tokens")),
    ):
        assert not there or there in table
    if row.style:
        media = styles.row(row.style).media
        assert not row.images or media["image"].sizes == row.images
        assert not row.videos or media["video"].sizes == row.videos
        assert not row.sounds or media["audio"].sizes == row.sounds


@pytest.mark.parametrize("kind", ["models", "devices"])
def test_sources_and_dates(kind):
    for row in models.rows(kind).values():
        assert row.source and row.about.endswith((".", ")")) and isinstance(row.as_of, datetime.date)


def test_towers_make_the_tokens_that_pictures_are():
    """Patches of a picture over the merge are the tokens that its rule of the catalog counts."""
    for name in ("qwen2.5-vl-7b", "qwen3-vl-8b", "gemma-3-12b", "llava-1.5-7b", "internvl2.5-8b"):
        row = MODELS[name]
        plan = images.image_plan(row.images, 1080, 1920)
        patches = budget.patches_of(row, plan.tokens)
        assert sum(patches) == plan.tokens * row.vision.merge + row.vision.extra * len(patches)
        assert len(patches) == (9 if name.startswith("internvl") else 1)


WRONG = [
    ({"kind": "sparse"}, ValueError, "kind is 'sparse'; a layer attends in one of these ways: full, sliding"),
    ({"heads": 0}, ValueError, "a full layer needs heads; it is 0"),
    ({"head": 0, "kv_heads": 0}, ValueError, "a full layer needs kv_heads, head; they are 0"),
    ({"kind": "sliding"}, ValueError, "a sliding layer needs window"),
    ({"kv_heads": 3}, ValueError, "8 heads of queries cannot share 3 of keys and values evenly"),
    ({"count": -1}, ValueError, "count of a full layer is -1"),
    ({"head": 8.5}, TypeError, "head of a full layer is 8.5; expected a whole number"),
    ({"ff": True}, TypeError, "ff of a full layer is True"),
    ({"gate": 1}, TypeError, "gate is 1; expected True or False"),
    ({"experts": 4}, ValueError, "0 of 4 experts of 0 numbers"),
    ({"experts": 4, "active": 5, "expert_ff": 2}, ValueError, "5 of 4 experts of 2 numbers"),
    ({"kind": "cross", "borrows": True}, ValueError, "a cross layer borrows no keys and values"),
]


@pytest.mark.parametrize(("fields", "kind", "message"), WRONG, ids=lambda value: str(value)[:40])
def test_layers_that_cannot_be(fields, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        Layers(**{"count": 2, "heads": 8, "kv_heads": 2, "head": 16, **fields})


def test_rows_that_cannot_be():
    row = MODELS["gemma-3-4b"]
    with pytest.raises(ValueError, match="verified is 'believed'; known are run, read, told, yours"):
        dataclasses.replace(row, verified="believed")
    with pytest.raises(ValueError, match="it says neither its source nor its day"):
        dataclasses.replace(row, source="")
    with pytest.raises(ValueError, match="a model has layers"):
        dataclasses.replace(row, layers=())
    with pytest.raises(ValueError, match="width of 'gemma-3-4b' is 0"):
        dataclasses.replace(row, width=0)
    with pytest.raises(ValueError, match="3 of 4 layers see the whole picture, the others windows of 0"):
        Tower(layers=4, width=8, ff=8, whole=3)
    with pytest.raises(ValueError, match="a side of a projector's matrix is 0"):
        Tower(layers=4, width=8, ff=8, projector=((8, 0),))
    for wrong in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="flops_per_second of 'x' is"):
            DeviceRow("x", "x", wrong, 1.0)
    with pytest.raises(ValueError, match="efficiency is 2; no device does more than its best"):
        DeviceRow("x", "x", 1.0, 1.0, efficiency=2.0)
    with pytest.raises(ValueError, match="unknown kind of models row 'cars'"):
        models.rows("cars")
