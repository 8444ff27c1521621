"""The catalog holds what it promises, and every image rule keeps its own."""

import dataclasses
import datetime
import inspect
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmtokedu.catalog import images as catalog
from mmtokedu.catalog.images import RULES, image_plan
from mmtokedu.patches import image_tokens

pytestmark = pytest.mark.apart

VISION = [
    "qwen2-vl", "qwen2.5-vl", "qwen3-vl", "llava-1.5", "llava-next", "llava-onevision", "internvl2.5", "pixtral",
    "pixtral-transformers", "mistral-small-3.1", "gemma-3", "gemma-3-pan-and-scan", "gemma-4", "idefics3", "smolvlm",
    "phi-4-multimodal", "llama-3.2-vision", "paligemma",
]  # fmt: skip
BILLING = ["openai-tiles", "openai-patches", "anthropic", "gemini-2", "gemini-2-cloud", "gemini-3"]

# The most tokens each rule can give, worked out from the row's own numbers (the two of Gemini 2 have no limit).
CAPS = {
    "qwen2-vl": 16384, "qwen2.5-vl": 16384, "qwen3-vl": 16384,
    "llava-1.5": 576, "gemma-3": 256, "paligemma": 256, "gemini-3": 1120,
    "llava-next": 576 + 48 * 48 + 48,  # 2x2 tiles of 24x24 features is the largest canvas
    "llava-onevision": 729 + int(1.1**2 * 9 * 729) + 162,  # nine tiles and the slack of 1.1 a side, six tiles of rows
    "internvl2.5": 13 * 256,
    "pixtral": 64 * 65, "pixtral-transformers": 64 * 65, "mistral-small-3.1": 55 * 56,
    "gemma-3-pan-and-scan": 5 * 256, "gemma-4": 280,
    "idefics3": 17 * 169, "smolvlm": 17 * 64,
    "phi-4-multimodal": 256 + 16 + 1 + 36 * 256 + 36 * 16,
    "llama-3.2-vision": 4 * 1601,
    "openai-tiles": 85 + 170 * 2 * 4, "openai-patches": 1536, "anthropic": 4784,
}  # fmt: skip

side = st.integers(1, 9000) | st.integers(1, 40)


def test_the_names_of_the_contract_and_no_others():
    kinds = {name: row.kind for name, row in catalog.rows().items()}
    assert kinds == dict.fromkeys(VISION, "vision") | dict.fromkeys(BILLING, "billing")


@pytest.mark.parametrize("name", VISION + BILLING)
def test_a_row_is_complete_dated_and_callable(name):
    row = catalog.row(name)
    assert row.name == name and row.title and row.about and row.source
    assert datetime.date(2026, 1, 1) <= row.as_of <= datetime.date.today()
    assert row.verified == ("run" if row.kind == "vision" else "read")
    inspect.signature(RULES[row.rule]).bind(480, 640, **row.parameters)  # no parameter missing, none unknown
    assert not row.prices or row.kind == "billing"


def test_every_rule_is_used_by_some_row():
    assert {row.rule for row in catalog.rows().values()} == set(RULES)


@pytest.mark.parametrize("name", BILLING)
def test_prices_are_dated_and_sourced(name):
    prices = catalog.row(name).prices
    assert prices
    for price in prices:
        assert 0 < price.usd_per_million_tokens < 100 and price.multiplier >= 1
        assert price.model and price.source and price.as_of <= datetime.date.today()


def test_the_catalog_cannot_be_changed():
    row = catalog.row("gemma-4")
    with pytest.raises(dataclasses.FrozenInstanceError):
        row.rule = "flat"
    with pytest.raises(TypeError):
        row.parameters["max_tokens"] = 560
    with pytest.raises(TypeError):
        catalog.rows()["gemma-5"] = row


def test_a_row_of_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="hearsay"):
        dataclasses.replace(catalog.row("gemma-4"), verified="hearsay")


def test_an_unknown_model_is_told_every_name():
    with pytest.raises(ValueError, match="unknown model 'gpt-5'") as error:
        image_tokens("gpt-5", 480, 640)
    for name in VISION + BILLING:
        assert name in str(error.value)


@pytest.mark.parametrize("size", [(0, 640), (480, 0), (-1, 640)])
def test_an_image_without_pixels_is_refused(size):
    for model in VISION + BILLING:
        with pytest.raises(ValueError, match=f"{size[0]}x{size[1]}"):
            image_tokens(model, *size)


def test_sizes_are_whole_numbers():
    assert type(image_tokens("anthropic", np.int64(480), np.int32(640))) is int
    with pytest.raises(TypeError):
        image_tokens("anthropic", 480.0, 640)


@pytest.mark.parametrize(
    "model, size, parts",
    [
        # 672x1344 at half size fills two tiles of 336 exactly: 24x48 features, 24 newlines, 576 for the whole.
        ("llava-next", (672, 1344), {"whole image": 576, "tiles": 1152, "newlines": 24}),
        # 100x100 is 7x7 patches of 16, six breaks between the rows and an end.
        ("pixtral", (100, 100), {"patches": 49, "row breaks": 6, "end": 1}),
        # 800 px is three times 256 and a bit, and 2.67 times 300 rounds to 3: three crops.
        ("gemma-3-pan-and-scan", (300, 800), {"whole image": 256, "crops": 768}),
        # 224x224 on one tile of 448: no padding, 16x16 features twice, 16 newlines twice, one separator.
        (
            "phi-4-multimodal",
            (224, 224),
            {"whole image": 256, "its newlines": 16, "separator": 1, "tiles": 256, "newlines": 16},
        ),
        # 560x1120 fits two tiles as it is: 2 * 1600 patches and two class tokens.
        ("llama-3.2-vision", (560, 1120), {"patches": 3200, "class tokens": 2}),
        # 1024x1024 becomes 768x768: four tiles.
        ("openai-tiles", (1024, 1024), {"base": 85, "tiles": 680}),
        # 1654 / 1.5 is 1102 and a bit: 2339 needs three units and 1654 two. Bounded to 768 px: four and three.
        ("gemini-2", (2339, 1654), {"tiles": 6 * 258}),
        ("gemini-2-cloud", (2339, 1654), {"tiles": 12 * 258}),
        # 3024 / 1.5 is 2016, half of 4032: two by two. In tiles of 768 px: four by six.
        ("gemini-2", (3024, 4032), {"tiles": 4 * 258}),
        ("gemini-2-cloud", (3024, 4032), {"tiles": 24 * 258}),
        # 900 / 1.5 is 600: two by fifteen, under either bound.
        ("gemini-2", (900, 9000), {"tiles": 30 * 258}),
        ("gemini-2-cloud", (900, 9000), {"tiles": 30 * 258}),
        # 300 / 1.5 is 200, which the second page raises to 256.
        ("gemini-2", (300, 800), {"tiles": 8 * 258}),
        ("gemini-2-cloud", (300, 800), {"tiles": 8 * 258}),
        ("gemini-2", (300, 1000), {"tiles": 10 * 258}),
        ("gemini-2-cloud", (300, 1000), {"tiles": 8 * 258}),
    ],
)
def test_worked_by_hand(model, size, parts):
    assert dict(image_plan(model, *size).parts) == parts


@pytest.mark.parametrize("model", VISION + BILLING)
@given(height=side, width=side)
def test_any_image_has_tokens_within_the_cap_or_a_clear_refusal(model, height, width):
    try:
        plan = image_plan(model, height, width)
    except ValueError as error:
        assert f"{height}x{width}" in str(error)
        assert max(height, width) > 16 * min(height, width)  # only thin images are refused
        return
    assert type(plan.tokens) is int and 1 <= plan.tokens <= CAPS.get(model, np.inf)
    assert plan.tokens == sum(count for _, count in plan.parts) and all(count > 0 for _, count in plan.parts)
    assert image_plan(model, height, width) == plan and image_tokens(model, height, width) == plan.tokens
    assert min(*plan.resized, *plan.grid) >= 1 and plan.image == (height, width)
    assert all(type(number) is int for number in (*plan.resized, *plan.grid))
    assert plan.cell in ("token", "tile", "crop", "image")
    if width > height:  # grids are (rows, cols): a wide image has no more rows than columns
        assert plan.grid[0] <= plan.grid[1]
    if plan.cell == "token":
        assert dict(plan.parts)["patches"] == plan.grid[0] * plan.grid[1]


@pytest.mark.parametrize(
    "model", ["qwen2-vl", "qwen3-vl", "gemma-4", "idefics3", "openai-tiles", "openai-patches", "anthropic", "gemini-2"]
)
@given(height=side, width=side)
def test_a_turned_image_costs_the_same(model, height, width):
    def tokens(*size):
        try:
            return image_tokens(model, *size)
        except ValueError:
            return None

    assert tokens(height, width) == tokens(width, height)


def test_a_crop_unit_of_no_pixels_is_refused():
    with pytest.raises(ValueError, match="1x400; its crop unit"):
        image_tokens("gemini-2", 1, 400)
    assert image_tokens("gemini-2", 1, 384) == 258  # small enough to need no unit
    assert image_tokens("gemini-2-cloud", 1, 400) == 2 * 258


@given(height=side, width=side)
def test_anthropic_keeps_the_largest_size_under_both_limits(height, width):
    """The published rule said slowly: walk down from the image's own long side until both limits hold."""
    long, short = max(height, width), min(height, width)
    for walk in range(min(long, 2576), 0, -1):
        other = short if walk == long else max(round(walk / (long / short)), 1)
        tokens = math.ceil(walk / 28) * math.ceil(other / 28)
        if math.ceil(walk / 28) * 28 <= 2576 and tokens <= 4784:
            break
    plan = image_plan("anthropic", height, width)
    assert (max(plan.resized), min(plan.resized), plan.tokens) == (walk, other, tokens)


@given(height=side, width=side)
def test_openai_patches_follow_the_published_floats(height, width):
    """The page's formula in floats; ours is exact, so they may part only where a float rounds off a whole number."""
    if math.ceil(height / 32) * math.ceil(width / 32) <= 1536:
        return
    r = math.sqrt(1536 * 32**2 / (width * height))
    across, down = width * r / 32, height * r / 32
    if min(across, down) < 1 or min(abs(side - round(side)) for side in (across, down)) < 1e-9:
        return
    r *= min(math.floor(across) / across, math.floor(down) / down)
    published = math.ceil(width * r / 32 - 1e-9) * math.ceil(height * r / 32 - 1e-9)
    assert image_tokens("openai-patches", height, width) == published
