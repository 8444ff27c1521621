"""Numbers computed once by the peers, kept as data with package and version: these tests need no peer."""

import json
import zlib
from pathlib import Path

import pytest

from mmtokedu.catalog import video as catalog
from mmtokedu.video import sample_frames

pytestmark = pytest.mark.apart

GOLDEN = json.loads((Path(__file__).parent / "golden" / "video.json").read_text())


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
