"""Maps, pools and merges computed once by the systems' own code, kept as data with its source: no peer is needed."""

import json
from pathlib import Path

import numpy as np
import pytest

from mmtokedu.compress import merge_tokens, pixel_shuffle, pool_tokens, shuffle_map, temporal_pairs
from mmtokedu.measured import results
from mmtokedu.patches import qwen_rows

pytestmark = pytest.mark.apart

GOLDEN = json.loads((Path(__file__).parent / "golden" / "compress.json").read_text(encoding="utf-8"))


def case_of(row):
    """(system, numbers of the case) of a row's name: "compress_map/idefics3_pixel_shuffle/8x8_s4"."""
    _, system, case = row["id"].split("/")
    sides, _, more = case.partition("_")
    return system, tuple(map(int, sides.split("x"))), more


def map_of(row):
    """Our map of the case, in the row's form."""
    system, grid, more = case_of(row)
    if system.startswith("ernie4_5"):
        frames, rows, columns = grid
        return temporal_pairs(frames, rows * columns // 4)  # pairs of what is already merged
    if system.startswith("kimi"):  # the mean over the frames, then 2 x 2 side by side
        return shuffle_map(grid, 2).reshape(grid[0], -1, 4).swapaxes(0, 1)
    return shuffle_map(grid, int(more[1:]) if more else 2)


@pytest.mark.parametrize("row", GOLDEN["maps"], ids=lambda row: row["id"])
def test_maps(row):
    ours = map_of(row)
    assert ours.tolist() == row["output"] and ours.dtype == np.int64


def test_one_map_serves_five_systems():
    systems = {case_of(row)[0].partition("_pixel")[0] for row in GOLDEN["maps"] if map_of(row).ndim == 2}
    assert systems - {"ernie4_5_vl_temporal_pairs"} == {"internvl", "idefics3", "llama4", "lfm2_vl"}
    assert len(GOLDEN["maps"]) == 9


@pytest.mark.parametrize("grid", [(2, 2), (4, 6), (8, 2)])
def test_qwens_patches_come_in_this_order(grid):
    """So its merger is a reshape: what `qwen_rows` lays out is the map read from left to right."""
    rows, columns = grid
    picture = np.arange(rows * columns, dtype=np.float64).reshape(1, rows, columns, 1)
    laid_out = qwen_rows(picture, patch=1, merge=2, temporal=1)[0]
    assert laid_out.ravel().tolist() == shuffle_map(grid, 2).ravel().tolist()
    tokens = picture.reshape(-1, 1)
    np.testing.assert_array_equal(laid_out.reshape(-1, 4), pixel_shuffle(tokens, grid, 2))


POOLS = {"gemma3_avgpool_4x4": (4, "average"), "gemma4_pooler_3x3": (3, "average")}
POOLS |= {"perception_lm_adaptive_avg_2": (2, "adaptive")}


@pytest.mark.parametrize("row", GOLDEN["pools"], ids=lambda row: row["id"])
def test_pools(row):
    system, (wide, high), _ = case_of(row)
    window, rule = POOLS[system]
    said = row["output"]["pooled"] if isinstance(row["output"], dict) else row["output"]
    pooled = pool_tokens(np.arange(float(wide * high))[:, None], (high, wide), window, rule=rule)
    np.testing.assert_allclose(pooled[:, 0], said, rtol=0, atol=1e-5)


@pytest.mark.parametrize("row", GOLDEN["tome"], ids=lambda row: f"seed {row['seed']}")
def test_tome(row):
    tokens = np.array(row["tokens"], np.float32)
    r = min(row["r"], (len(tokens) - row["class_token"]) // 2)
    merged = merge_tokens(tokens, r, class_token=row["class_token"])
    np.testing.assert_allclose(merged.tokens, row["merged"], rtol=0, atol=1e-5)
    assert merged.size.tolist() == row["size"] and merged.source.tolist() == row["group"]


def test_tomes_cases_reach_what_matters():
    """Odd and even counts, [CLS] or not, none merged, as many as can be; and once more than that, which we refuse."""
    asked = [(len(row["tokens"]), row["r"], row["class_token"]) for row in GOLDEN["tome"]]
    assert len(asked) == 8 and {(10, 0, False), (12, 6, False), (13, 4, False), (33, 20, True)} <= set(asked)
    for (tokens, r, class_token), row in zip(asked, GOLDEN["tome"]):
        if r > (tokens - class_token) // 2:
            with pytest.raises(ValueError, match="r is 20; of 33 tokens, the first of which stays, at most 16"):
                merge_tokens(np.array(row["tokens"]), r, class_token=class_token)


# How many of all these rows agree, as chapters say


NAMES = {"internvl": "internvl", "idefics3": "idefics3", "llama4": "llama-4", "lfm2": "lfm2-vl", "kimi": "kimi-k2.5"}
NAMES |= {"ernie4": "ernie-4.5-vl", "gemma3": "gemma-3", "gemma4": "gemma-4", "perception": "perception-lm"}


def test_how_many_rows_agree(count_rows):
    checks = [("side by side", NAMES[case_of(row)[0].split("_")[0]], test_maps, row) for row in GOLDEN["maps"]]
    checks += [("pooled", NAMES[case_of(row)[0].split("_")[0]], test_pools, row) for row in GOLDEN["pools"]]
    checks += [("merged", "tome", test_tome, row) for row in GOLDEN["tome"]]
    count_rows(checks)


def test_which_systems_are_among_the_kept_counts():
    rows = results("compress_parity")["rows"]
    golden, live = ({row["name"] for row in rows if row["asked"] == asked} for asked in ("golden", "live"))
    assert golden == {*NAMES.values(), "tome"} and all(row["agreed"] for row in rows)
    assert live - golden == {"smolvlm", "llava-onevision", "qwen2-vl"}
    assert golden - live == {"tome"}  # its code is on no package index
