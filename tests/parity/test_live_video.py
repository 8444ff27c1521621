"""The same clips through the real packages: indices one by one, sizes and tokens exactly.

"Both refused" is counted as agreement: the peer crashes, takes a frame that is not there or none at all, we raise
ValueError.
"""

import math
import random

import pytest
from peers import needs
from peers_video import LONGEST, SAMPLING, drawn_clips, peer_frames

from mmtokedu.catalog import video as catalog
from mmtokedu.video import sample_frames


def listed(rule):
    return lambda total, video_fps, **options: sample_frames(total, video_fps, rule=rule, **options).tolist()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("rule", SAMPLING)
def test_frames(compare, rule):
    needs(peer_frames, rule, 300, 30.0)
    count = 200 if rule.startswith(("glm46v", "glm5")) else 400  # they walk through every frame of the clip
    clips = drawn_clips(count, longest=LONGEST.get(rule, math.inf))
    compare(f"frames, {rule}", listed(rule), lambda *clip: peer_frames(rule, *clip), clips)


def drawn_options(rule, names, count, seed):
    draw = random.Random(seed)
    for total, video_fps in drawn_clips(count, seed=seed + 1, longest=LONGEST.get(rule, math.inf)):
        options = {}
        if "frames" in names and draw.random() < 0.5:
            options["frames"] = draw.randint(1, 40)
        elif "fps" in names:
            options["fps"] = draw.choice([0.5, 1, 2, 3, 5, 24])
        if "max_frames" in names and "frames" not in options:
            options["max_frames"] = draw.choice([9, 16, 17, 64, 100])
            if "min_frames" in names:
                options["min_frames"] = draw.choice([1, 4, 5, 9])
        yield total, video_fps, options


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("rule", [rule for rule in SAMPLING if catalog.row("sampling", rule).options])
def test_frames_with_options(compare, rule):
    needs(peer_frames, rule, 300, 30.0)
    system = catalog.row("sampling", rule)
    names = set(system.options)
    if set(system.either) <= names and "max_frames" in system.either:
        names -= {"fps"} if rule == "molmo2" else set()
    ours = listed(rule)
    compare(
        f"frames with options, {rule}",
        lambda total, video_fps, options: ours(total, video_fps, **options),
        lambda total, video_fps, options: peer_frames(rule, total, video_fps, **options),
        list(drawn_options(rule, names, 200, seed=5)),
    )
