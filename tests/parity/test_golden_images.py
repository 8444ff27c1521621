"""Numbers computed once by the peers, kept as data with package and version: these tests need no peer."""

import json
from pathlib import Path

import numpy as np
import pytest
from peers import parity_counts

from mmtokedu.catalog import images as catalog
from mmtokedu.catalog.images import capped_cells, image_plan
from mmtokedu.measured import results
from mmtokedu.patches import image_tokens, patchify, qwen_rows, smart_resize, tile_grid

pytestmark = pytest.mark.apart

GOLDEN = {path.stem: json.loads(path.read_text()) for path in (Path(__file__).parent / "golden").glob("*.json")}
HF, QWEN, MISTRAL, BILLING = (GOLDEN[name] for name in ("transformers", "qwen_vl_utils", "mistral_common", "billing"))
COUNTS = GOLDEN["image_tokens"]


def tokens_or_none(model, height, width):
    try:
        return image_tokens(model, height, width)
    except ValueError:
        return None


def test_every_vision_model_has_golden_counts():
    assert set(COUNTS["tokens"]) == {name for name, row in catalog.rows().items() if row.kind == "vision"}
    assert len(COUNTS["sizes_hw"]) >= 200 and all(
        len(row) == len(COUNTS["sizes_hw"]) for row in COUNTS["tokens"].values()
    )


@pytest.mark.parametrize("model", COUNTS["tokens"])
def test_counts_of_each_model(model):
    """The same sizes through each peer; null is a size it refuses, and so must we."""
    ours = [tokens_or_none(model, *size) for size in COUNTS["sizes_hw"]]
    wrong = [(s, o, g) for s, o, g in zip(COUNTS["sizes_hw"], ours, COUNTS["tokens"][model], strict=True) if o != g]
    assert not wrong, f"(size, ours, peer's): {wrong[:5]}"


def test_the_counts_that_the_lab_shows_are_those_of_today():
    stored = results("patches_parity")
    assert stored == parity_counts() and stored["sizes"] == len(COUNTS["sizes_hw"])
    for row in stored["rows"]:
        assert row["agreed"] + row["both_refused"] == stored["sizes"] and row["disagreed"] == 0


@pytest.mark.parametrize("bounds", ["factor28_3136_1003520", "factor28_3136_12845056", "factor32_65536_16777216"])
def test_smart_resize_as_transformers(bounds):
    factor, low, high = (int(number) for number in bounds.removeprefix("factor").split("_"))
    for row in HF["smart_resize"]:
        assert list(smart_resize(*row["hw"], factor=factor, min_pixels=low, max_pixels=high)) == row[bounds], row["hw"]


@pytest.mark.parametrize("key, high", [("factor28_default", 16384 * 28**2), ("factor28_max_100352", 100352)])
def test_smart_resize_as_qwen_vl_utils(key, high):
    for row in QWEN["smart_resize"]:
        ours = smart_resize(*row["hw"], factor=28, min_pixels=4 * 28**2, max_pixels=high, rule="qwen-vl-utils")
        assert list(ours) == row[key], row["hw"]


def test_smart_resize_where_the_two_disagree():
    for row in QWEN["disagrees_with_transformers_factor28_3136_12845056"]:
        assert list(smart_resize(*row["hw"], max_pixels=12845056)) == row["transformers"]
        assert list(smart_resize(*row["hw"], max_pixels=12845056, rule="qwen-vl-utils")) == row["qwen_vl_utils"]


def test_smart_resize_refuses_the_side_qwen_vl_utils_makes_zero():
    height, width, factor, low, high = QWEN["zero_side"]["args"]
    assert QWEN["zero_side"]["qwen_vl_utils"][0] == 0
    bounds = {"factor": factor, "min_pixels": low, "max_pixels": high}
    assert list(smart_resize(height, width, **bounds)) == QWEN["zero_side"]["hf"]
    with pytest.raises(ValueError, match="0x3164"):
        smart_resize(height, width, **bounds, rule="qwen-vl-utils")


def test_a_size_bound_is_obeyed_where_a_peers_helper_forgets_it():
    """1080x1920 under 100352 pixels: the processor cuts 16x30 patches, its counting helper said 4888."""
    resized = smart_resize(1080, 1920, max_pixels=100352)
    assert [1, resized[0] // 14, resized[1] // 14] == HF["qwen2vl_1080x1920_max_100352_grid_thw"][0]


def test_internvl_grids():
    for row in HF["internvl_448_1_12"]:
        assert list(tile_grid(*row["hw"])) == row["cols_rows"]
        assert image_tokens("internvl2.5", *row["hw"]) == row["tokens_256"]


def test_llava_next_canvases_and_counts():
    for row in HF["llava_next_336_14"]:
        plan = image_plan("llava-next", *row["hw"])
        assert (list(plan.resized), plan.tokens) == (row["best_hw"], row["processor_tokens"])
        assert row["model_tokens"] == row["processor_tokens"]


def test_llava_onevision_canvases_and_counts():
    for row in HF["llava_onevision_384_anyres_max_9"]:
        plan = image_plan("llava-onevision", *row["hw"])
        assert (list(plan.resized), plan.tokens) == (row["best_hw"], row["tokens"])


def test_llama_canvases():
    for row in HF["mllama_canvas_560_max4"]:
        plan = image_plan("llama-3.2-vision", *row["hw"])
        assert list(plan.resized) == row["canvas_hw"]
        assert plan.tokens == 1601 * np.prod(plan.grid)


@pytest.mark.parametrize("model, key", [("idefics3", "idefics3_364_x4"), ("smolvlm", "smolvlm_512_x4")])
def test_stretched_tiles(model, key):
    for row in HF[key]:
        plan = image_plan(model, *row["hw"])
        assert [np.prod(plan.grid) + 1, *plan.grid] == row["patches_rows_cols"]
        assert plan.tokens == row["tokens"]


def test_gemma_3_pan_and_scan():
    for row in HF["gemma3_pan_and_scan_256_4_1.2"]:
        plan = image_plan("gemma-3-pan-and-scan", *row["hw"])
        assert plan.tokens == row["image_tokens"]
        assert dict(plan.parts).get("crops", 0) == 256 * len(row["crops_hw"])


def test_gemma_4_sizes():
    for row in HF["gemma4_p16_pool3_280"]:
        plan = image_plan("gemma-4", *row["hw"])
        assert (list(plan.resized), plan.tokens) == (row["resized_hw"], row["tokens"])


def test_phi_4_counts():
    for row in HF["phi4_dynamic_hd36"]:
        plan = image_plan("phi-4-multimodal", *row["hw"])
        assert (plan.tokens, np.prod(plan.grid) + 1) == (row["num_img_tokens"], row["crops_incl_global"])


@pytest.mark.parametrize("model, source", [("pixtral", MISTRAL), ("pixtral-transformers", HF)])
def test_pixtral_rows(model, source):
    for row in source["pixtral_p16_1024"]:
        plan = image_plan(model, *row["hw"])
        assert (list(plan.grid), plan.tokens) == (row["rows_cols"], row["tokens"])


def test_mistral_small_rows():
    for row in MISTRAL["mistral_small_3_1_p14_merge2_1540"]:
        assert list(image_plan("mistral-small-3.1", *row["hw"]).grid) == row["rows_cols"]


def test_pixtral_where_the_two_disagree():
    for row in MISTRAL["disagrees_with_transformers"]:
        assert list(image_plan("pixtral", *row["hw"]).grid) == row["mistral_common"]
        assert list(image_plan("pixtral-transformers", *row["hw"]).grid) == row["transformers"]


@pytest.mark.parametrize("model", ["openai-tiles", "openai-patches", "gemini-2"])
def test_bills_as_published(model):
    for row in BILLING[model]["tokens"]:
        assert image_tokens(model, *row["hw"]) == row["tokens"]


def test_anthropic_as_published_and_as_measured():
    for tier, limits in {"high_resolution": (2576, 4784), "standard_1568": (1568, 1568)}.items():
        for row in BILLING["anthropic"][tier]:
            longest, most = limits
            resized, _, _, parts = capped_cells(*row["hw"], cell=28, longest=longest, max_tokens=most)
            ours = {"hw": row["hw"], "resized_hw": list(resized), "tokens": sum(n for _, n in parts)}
            assert ours | row == ours
    assert image_tokens("anthropic", 2160, 3840) == 4784
    for row in BILLING["anthropic-measured"]["tokens"]:
        assert image_tokens("anthropic", *row["hw"]) == row["tokens"]


# Pixels: which byte lands where.


def test_qwen_rows_of_an_image():
    golden = HF["qwen_image_patch_layout"]
    image = np.arange(3 * 8 * 8).reshape(1, 3, 8, 8).transpose(0, 2, 3, 1)  # the peer's (C, H, W) as (T, H, W, C)
    rows, grid = qwen_rows(image, patch=2, merge=2, temporal=2)
    np.testing.assert_array_equal(rows, golden["flat"])
    assert list(grid) == [1, *golden["grid_hw"]]


def test_qwen_rows_of_an_odd_clip():
    golden = HF["qwen_video_patch_layout"]
    rows, grid = qwen_rows(np.arange(48).reshape(3, 4, 4, 1), patch=1, merge=2, temporal=2)
    np.testing.assert_array_equal(rows, golden["flat"])
    assert list(grid) == golden["grid_thw"]


def test_patchify_is_siglip2s_layout():
    golden = HF["siglip2_patch_layout"]
    image = np.arange(2 * 4 * 4).reshape(2, 4, 4).transpose(1, 2, 0)
    np.testing.assert_array_equal(patchify(image, 2), golden["flat"])
