"""Caches, counts, costs and bills that other code gave once, kept as data with its source: no peer is needed."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from mmtokedu import budget
from mmtokedu.budget import Layers, ModelRow, cache_parts, kv_cache_bytes, prefill_parts, price, weight_bytes
from mmtokedu.catalog import images, prices
from mmtokedu.interleave import attention_mask, interleave

pytestmark = pytest.mark.apart

GOLDEN = json.loads((Path(__file__).parent / "golden" / "budget.json").read_text(encoding="utf-8"))
KINDS = {"full_attention": "full", "sliding_attention": "sliding", "chunked_attention": "chunked"}


def small_model(row):
    """The model of a row of kv_bytes, a group a layer. Gemma 4's full layers have heads of twice the width."""
    config = row["input"]["config"]
    wide = 2 if "gemma4" in row["id"] else 1
    window = config.get("sliding_window") or config.get("attention_chunk_size") or 0
    borrowing = len(config["layer_types"]) - config.get("num_kv_shared_layers", 0)
    layers = tuple(
        Layers(
            count=1,
            kind=KINDS[kind],
            heads=config["num_attention_heads"],
            kv_heads=config["num_key_value_heads"],
            head=config["head_dim"] * (wide if KINDS[kind] == "full" else 1),
            window=0 if KINDS[kind] == "full" else window,
            borrows=i >= borrowing,
            ff=64,
        )
        for i, kind in enumerate(config["layer_types"])
    )
    return ModelRow("small", "small", config["hidden_size"], 100, layers)


@pytest.mark.parametrize("row", GOLDEN["kv_bytes"], ids=lambda row: row["id"])
def test_caches(row):
    tokens = row["input"]["prompt"] + row["input"]["decoded"]
    parts = cache_parts(small_model(row), tokens, bytes_per=4)
    assert [part.bytes for part in parts] == row["output"]["per_layer"]
    assert kv_cache_bytes(small_model(row), tokens, bytes_per=4) == row["output"]["total_bytes"]


def test_the_caches_reach_what_matters():
    """Windows not yet full, full, and after more tokens; chunks; layers that keep nothing."""
    asked = {row["id"].split("/")[1] for row in GOLDEN["kv_bytes"]}
    assert len(GOLDEN["kv_bytes"]) == 6 and len(asked) == 4
    assert 0 in GOLDEN["kv_bytes"][3]["output"]["per_layer"]


@pytest.mark.parametrize("row", GOLDEN["flops"], ids=lambda row: f"{row['model']}, {row['tokens']}")
def test_operations(row):
    tokens = row["tokens"]
    parts = prefill_parts(row["model"], tokens, scored=tokens)
    assert parts.total == row["flops"] == budget.prefill_flops(row["model"], 0, tokens, scored=tokens)
    if "matrices" in row:
        assert parts[:3] == (row["matrices"], row["attention"], row["head"])
    assert kv_cache_bytes(row["model"], tokens) == tokens * row["kv_bytes_per_token"]


@pytest.mark.parametrize("row", [row for row in GOLDEN["flops"] if "parameters" in row], ids=lambda row: row["model"])
def test_parameters(row):
    """What is not in a matrix (norms, biases) is under a thousandth. Some tie their head to the table of embeddings."""
    model = budget.models.row(row["model"])
    matrices = weight_bytes(model, bytes_per=1)
    tables = [model.width * model.vocabulary * n for n in (0, 1)]
    nearest = min(abs(row["parameters"] - matrices - table) for table in tables)
    assert nearest < row["parameters"] / 1000


@pytest.mark.parametrize("row", GOLDEN["cost"], ids=lambda row: row["model"])
def test_costs_of_a_picture(row):
    """There half of all pairs were counted, here those that the mask lets through: half the tokens' number more."""
    model = budget.models.row(row["model"])
    cross = any(group.kind == "cross" for group in model.layers)
    if cross:  # the row counts the other layers alone
        model = budget.ModelRow("self", "self", model.width, model.vocabulary, model.layers[:1], vision=model.vision)
    image = 0 if cross else row["image"]
    parts = prefill_parts(model, 256, image, row["patches"], attention="causal", scored=0)
    tower = parts.tower + parts.tower_attention
    assert round(tower / 1e12, 3) == row["tower_tflop"]
    assert round(parts.tower_attention / tower, 3) == row["tower_attention_share"]
    diagonal = sum(group.count * group.entry * (256 + image) for group in model.layers)
    half = sum(group.count * group.entry * (256 + image) ** 2 for group in model.layers)
    causal = parts.matrices + parts.attention
    if all(group.kind == "full" for group in model.layers):
        assert parts.attention == half + diagonal
    assert round((parts.matrices + half) / 1e12, 3) == row["model_tflop"]
    assert abs(causal / 1e12 - row["model_tflop"]) < 0.002
    assert kv_cache_bytes(row["model"], 256, row["image"]) == pytest.approx(row["kv_mib"] * 2**20, abs=0.005 * 2**20)
    assert round(weight_bytes(model, head=False) / 2**30, 2) == row["block_weights_gib"]
    reading = weight_bytes(model, head=False) / 3.35e12
    seconds = max((parts.matrices + half) / 989e12, reading) + tower / 989e12
    assert seconds * 1000 == pytest.approx(row["h100_ms"], abs=0.006)
    ours = budget.time_to_first_token(model, 256, image, "h100", patches=row["patches"], scored=0)
    assert ours == pytest.approx(max(causal / 989e12, reading) + (tower + parts.ends) / 989e12, rel=1e-12)


@pytest.mark.parametrize("row", GOLDEN["prices"], ids=lambda row: f"{row['model']}, {row['tokens_in']}")
def test_prices(row):
    said = {name: value for name, value in row.items() if name != "usd"}
    assert price(**said) == float(row["usd"])


def test_the_prices_reach_what_matters():
    """All tariffs; both sides of the step that some have; cached, written and sound."""
    rows = GOLDEN["prices"]
    assert {row["model"] for row in rows} == set(prices.rows()) and len(rows) > 100
    long = {row["model"] for row in rows if 0 < prices.row(row["model"]).above < row["tokens_in"]}
    assert long == {name for name, row in prices.rows().items() if row.above}
    assert all(any(row.get(name) for row in rows) for name in ("cached", "written", "audio"))


@pytest.mark.parametrize("row", GOLDEN["billed"], ids=lambda row: row["model"])
def test_billed_pictures(row):
    assert budget.image_tokens_billed(row["model"], *row["hw"]) == row["tokens"]


def test_a_billed_picture_in_high_detail():
    row = GOLDEN["billed_high"]
    rule = images.row("openai-patches")
    parts = images.RULES[rule.rule](*row["hw"], **{**rule.parameters, "max_patches": row["max_patches"]})[3]
    assert math.ceil(sum(n for _, n in parts) * 12 / 10) == row["tokens"]


@pytest.mark.parametrize("tokens", [1, 2, 7, 8, 9, 63, 100])
def test_pairs_are_what_the_mask_marks(tokens):
    """Of a sequence of text, masked as `interleave` masks it; windows and chunks, marked here, pair by pair."""
    mask = attention_mask(interleave(["a" * tokens], style="qwen2-vl"))
    assert budget.attended_pairs(tokens) == mask.sum()
    q, k = np.indices((tokens, tokens))
    for window in (1, 2, 8, 64, 200):
        assert budget.attended_pairs(tokens, "sliding", window) == (mask & (q - k < window)).sum()
        assert budget.attended_pairs(tokens, "chunked", window) == (mask & (q // window == k // window)).sum()
