"""Numbers computed once by the peers, kept as data with package and version: these tests need no peer."""

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
from peers_video import parity_counts
from peers_video_rows import (
    CLIPS,
    COUNTS,
    EVS,
    EVS_COUNTS,
    FRAMES,
    LENGTHS,
    drawn_clip,
    drawn_features,
    still_pixels,
    survey_clip,
)

from mmtokedu import video
from mmtokedu.catalog import video as catalog
from mmtokedu.measured import results
from mmtokedu.video import (
    adaptive_cuts,
    clip_resize,
    difference_mask,
    prune_static,
    retained_tokens,
    sample_frames,
    scene_cuts,
    scene_scores,
    timestamp_labels,
    video_tokens,
)

pytestmark = pytest.mark.apart

GOLDEN = json.loads((Path(__file__).parent / "golden" / "video.json").read_text())


def test_the_rows_are_those_that_the_generator_asks_for():
    """No row without a case in `peers_video_rows.py`, and no case without its row, in its order."""
    frames = [(row["rule"], row["total"], row["video_fps"], row["options"]) for row in GOLDEN["frames"]]
    assert frames == FRAMES
    assert [(row["options"], row["total"], row["video_fps"]) for row in GOLDEN["frame_counts"]] == COUNTS
    assert [(tuple(row["shape"]), row["seed"], row["rate"]) for row in GOLDEN["evs"]] == EVS
    assert [(row["tokens_per_frame"], row["frames"], row["q"]) for row in GOLDEN["evs_counts"]] == EVS_COUNTS
    scenes = [(tuple(row["shape"]), row["seed"], row["min_length"]) for row in GOLDEN["scenes"]]
    assert scenes == [(clip, seed, LENGTHS[seed]) for seed, clip in enumerate(CLIPS)]


def frames_or_none(rule, total, video_fps, **options):
    try:
        return sample_frames(total, video_fps, rule=rule, **options).tolist()
    except ValueError:
        return None


def test_every_sampling_rule_has_golden_frames():
    assert {row["rule"] for row in GOLDEN["frames"]} == set(catalog.rows("sampling"))
    assert set(GOLDEN["drawn_frames"]) == set(catalog.rows("sampling")) - {
        "linspace-truncated"
    }  # not a function, a line
    assert all(len(rows) == 100 for rows in GOLDEN["drawn_frames"].values())


@pytest.mark.parametrize("rule", catalog.rows("sampling"))
def test_frames_of_each_rule(rule):
    for row in (row for row in GOLDEN["frames"] if row["rule"] == rule):
        ours = frames_or_none(rule, row["total"], row["video_fps"], **row["options"])
        said = row["output"]
        if isinstance(said, str):
            assert ours is None, row
        else:
            shown = ours if len(said["idx"]) == said["n"] else [*ours[:6], "...", *ours[-6:]]
            assert (len(ours), shown, sum(ours)) == (said["n"], said["idx"], said.get("sum", sum(ours))), row


@pytest.mark.parametrize("rule", GOLDEN["drawn_frames"])
def test_drawn_clips_of_each_rule(rule):
    for total, video_fps, said in GOLDEN["drawn_frames"][rule]:
        ours = frames_or_none(rule, total, video_fps)
        if ours is not None:
            indices = sample_frames(total, video_fps, rule=rule)
            ours = [len(ours), ours[-1], zlib.crc32(indices.astype("<i8").tobytes())]
        assert ours == said, (total, video_fps)


@pytest.mark.parametrize("row", GOLDEN["frame_counts"], ids=str)
def test_how_many_frames_qwen_vl_utils_takes(row):
    ours = frames_or_none("qwen-vl-utils", row["total"], row["video_fps"], **row["options"])
    assert (ours and len(ours)) == (None if isinstance(row["count"], str) else row["count"])


def tokens_or_none(model, *clip):
    try:
        return video_tokens(model, *clip)
    except ValueError:
        return None


def test_every_model_that_a_peer_counts_has_golden_tokens():
    constant = {"internvl", "smolvlm2"}  # a number that their processors are told: see test_tokens_of_one_tile
    models = {name for name, row in catalog.rows("tokens").items() if row.kind == "vision"}
    assert set(GOLDEN["tokens"]) == models - constant
    assert all(len(row) == len(GOLDEN["drawn_sizes"]) == 60 for row in GOLDEN["tokens"].values())


@pytest.mark.parametrize("model", GOLDEN["tokens"])
def test_tokens_of_each_model(model):
    ours = [tokens_or_none(model, *size) for size in GOLDEN["drawn_sizes"]]
    wrong = [x for x in zip(GOLDEN["drawn_sizes"], ours, GOLDEN["tokens"][model], strict=True) if x[1] != x[2]]
    assert not wrong, f"(clip, ours, peer's): {wrong[:5]}"


def resized(row):
    """The size that our rule of the same name gives with the parameters that the row's function was called with."""
    given, name = row["input"], row["id"]
    clip = given.get("frames", 2), given["h"], given["w"]
    if name.startswith("muse"):  # a patch of 14 px and four times 144 of them: not what its processor passes
        return list(catalog.nearest_grid(*clip, cell=14, temporal=2, max_tokens=576)[0])
    if name.startswith("kimi"):
        size, grid, _ = catalog.pooled_chunks(4, *clip[1:], factor=28, chunk=4, max_patches=4096, longest=512)
        return {"padded": list(size), "tokens_per_chunk_of_4_frames": grid[1] * grid[2]}
    if name.startswith("qwenvlutils"):
        return list(catalog.video_plan("qwen2-vl", *clip).resized)
    names = {"factor": given["factor"], "temporal": given["temporal_factor"]}
    low, high = given["min_pixels"], given["max_pixels"]
    if name.startswith("glm5"):  # the function's own default of 8,000 tokens; its processor passes 240,000
        return list(catalog.token_budget_of_a_clip(*clip, **names, min_tokens=low, max_tokens=high)[0])
    return list(clip_resize(*clip, **names, min_pixels=low, max_pixels=high))


@pytest.mark.parametrize("row", GOLDEN["resize"], ids=lambda row: row["id"])
def test_sizes_of_clips(row):
    said = row["output"]
    if isinstance(said, str):
        with pytest.raises(ValueError, match="no temporal patch of 2"):
            resized(row)
    elif isinstance(said, dict):
        ours = resized(row)
        assert ours == {key: said[key] for key in ours}
    else:
        assert resized(row) == said


@pytest.mark.parametrize("style", GOLDEN["label_strings"])
def test_labels_stand_in_the_peers_string(style):
    """One after the other, and nothing but markers and spans of tokens (~) between them."""
    for indices, video_fps, string in GOLDEN["label_strings"][style]:
        rest = string.partition(" video.\n")[2] or string  # SmolVLM's sentence comes first
        for label in timestamp_labels(indices, video_fps, style):
            before, found, rest = rest.partition(label)
            assert found and not any(digit in before for digit in "0123456789"), (label, string)
        assert rest.strip("~\n<|>_abcdefghijklmnopqrstuvwxyz, ") == ""


@pytest.mark.parametrize("row", GOLDEN["evs"], ids=lambda row: f"{row['shape']} {row['rate']}")
def test_evs_keeps_the_same_tokens(row):
    frames, tokens, _ = row["shape"]
    count = retained_tokens(tokens, frames, row["rate"])
    kept = prune_static(drawn_features(*row["shape"], row["seed"]), count)
    theirs = np.unpackbits(np.frombuffer(bytes.fromhex(row["kept"]), np.uint8), count=frames * tokens)
    assert count == row["count"] == len(kept.index)
    np.testing.assert_array_equal(kept.index, np.flatnonzero(theirs))


@pytest.mark.parametrize("row", GOLDEN["evs_counts"], ids=str)
def test_how_many_tokens_evs_keeps(row):
    assert retained_tokens(row["tokens_per_frame"], row["frames"], row["q"]) == row["count"]


def test_video_llama_3_drops_the_same_tokens():
    (row,) = GOLDEN["difference"]
    mask = difference_mask(still_pixels().reshape(3, 4, 48))  # 4 rows a token
    assert mask.reshape(-1).astype(int).tolist() == row["output"]


@pytest.mark.parametrize("row", GOLDEN["scenes"], ids=lambda row: str(row["shape"]))
def test_scenes_as_pyscenedetect(row):
    scores = scene_scores(drawn_clip(*row["shape"], row["seed"]))
    assert scores.tolist() == row["content"]
    assert scene_cuts(scores, min_length=row["min_length"]).tolist() == row["cuts"]
    assert adaptive_cuts(scores, min_length=row["min_length"]).tolist() == row["adaptive"]


def test_scores_and_colours_of_the_first_survey():
    """Four frames of noise, the first brightened, then its negative twice; and OpenCV's own colours of the first three."""
    row = GOLDEN["scenes_first_survey"]
    clip = survey_clip()
    assert scene_scores(clip).tolist() == row["content_val"]
    for frame, colours in zip(clip, row["opencv_hsv_first_three"]):
        np.testing.assert_array_equal(np.stack(video._hsv(frame), axis=-1), colours)


def test_the_counts_that_the_lab_shows_are_those_of_today():
    stored = results("video_parity")
    assert stored == parity_counts()
    assert len(stored["rows"]) == len(GOLDEN["drawn_frames"]) + len(GOLDEN["tokens"])
    assert all(row["agreed"] + row["both_refused"] > 50 and row["disagreed"] == 0 for row in stored["rows"])
