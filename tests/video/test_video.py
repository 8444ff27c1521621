"""Which frames, when, how many tokens, what need not be kept: worked by hand, and what must hold for every clip."""

import dataclasses
import datetime
import inspect
import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmtokedu import video
from mmtokedu.arguments.video import MAX_FRAMES, MAX_KEPT, MAX_SECONDS
from mmtokedu.catalog import video as catalog
from mmtokedu.video import (
    adaptive_cuts,
    adaptive_frames,
    clip_resize,
    difference_mask,
    merge_adjacent,
    prune_static,
    retained_tokens,
    sample_frames,
    sample_frames_plain,
    scene_cuts,
    scene_scores,
    timestamp_labels,
    timestamp_text,
    timestamps,
    video_tokens,
)

RULES = list(catalog.rows("sampling"))
NAMES = [
    "qwen-vl-utils", "transformers-qwen2", "transformers-qwen3", "linspace-truncated", "internvl", "glm4v", "glm46v",
    "glm5-next", "smolvlm", "molmo2", "video-llama-3", "minicpm-v-4.6", "minicpm-v-4.6-stack-2", "ernie-4.5-vl",
    "muse-glimmer", "cosmos3-edge", "pe-video", "default",
]  # fmt: skip
UNSORTED = {"minicpm-v-4.6-stack-2"}  # the frames between come after all the others
FROM_THE_FIRST = set(RULES) - {"internvl", "smolvlm"}  # one looks at middles, one skips a second of a long clip
TO_THE_LAST = {"qwen-vl-utils", "transformers-qwen3", "linspace-truncated", "muse-glimmer", "cosmos3-edge", "pe-video"}
MOST = {
    "qwen-vl-utils": 768, "transformers-qwen2": 768, "transformers-qwen3": 768, "linspace-truncated": 768, "internvl": 8,
    "glm4v": 600, "glm46v": 640, "glm5-next": 2048, "smolvlm": 64, "molmo2": 64, "video-llama-3": 180,
    "minicpm-v-4.6": 128, "minicpm-v-4.6-stack-2": 256, "ernie-4.5-vl": 180, "muse-glimmer": 96, "cosmos3-edge": 768,
    "pe-video": 16, "default": MAX_KEPT,
}  # fmt: skip

rates = st.sampled_from([30.0, 29.97, 25, 24, 23.976, 60, 59.94, 10, 1, 0.5]) | st.floats(0.2, 240)
totals = st.integers(1, 400) | st.integers(1, 200_000)


# Which frames


def test_the_rules_of_the_contract_and_no_others():
    assert RULES == NAMES


@pytest.mark.parametrize(
    "rule, total, video_fps, options, frames",
    [
        # 100 / 29.97 * 2 is 6.67 frames, three pairs; 99 / 5 is a step of 19.8: 0, 19.8, 39.6, 59.4, 79.2, 99.
        ("qwen-vl-utils", 100, 29.97, {}, [0, 20, 40, 59, 79, 99]),
        ("linspace-truncated", 100, 29.97, {}, [0, 19, 39, 59, 79, 99]),
        # The same count in steps of 100 / 6 = 16.67.
        ("transformers-qwen2", 100, 29.97, {}, [0, 16, 33, 50, 66, 83]),
        # 5 of 10 frames: two pairs to qwen-vl-utils (2.5 rounds to even), and three to none.
        ("qwen-vl-utils", 10, 5, {"frames": 5}, [0, 3, 6, 9]),
        ("transformers-qwen3", 10, 5, {"frames": 5}, [0, 2, 4, 7, 9]),  # 2.25, 4.5 (to even), 6.75
        # Three seconds: three frames and no more, an odd count.
        ("transformers-qwen3", 9, 3, {"fps": 1, "min_frames": 1}, [0, 4, 8]),
        # Pieces of 12.5 frames: the first middle is 6.25.
        ("internvl", 100, 29.97, {}, [6, 18, 31, 43, 56, 68, 81, 93]),
        # A tick each half second is frame 0, 11.988 (up to 12) and 23.976 (24); three are made four.
        ("glm4v", 47, 23.976, {}, [0, 12, 24, 24]),
        # 1.96 s: the walk ends at the last whole second, after 0, 1/6, ... 5/6 s; twelve are wanted: a line from 0 to 24
        ("glm46v", 47, 23.976, {}, [0, 2, 4, 7, 9, 12, 14, 16, 19, 21, 24, 24]),
        ("glm5-next", 100, 29.97, {}, [0, 15, 30, 45, 60, 75]),
        # Ten seconds, ten frames, steps of 299 / 9.
        ("smolvlm", 300, 30, {}, [0, 33, 66, 99, 132, 166, 199, 232, 265, 299]),
        ("molmo2", 47, 23.976, {}, [0, 15, 31]),
        ("video-llama-3", 100, 29.97, {}, [0, 25, 50, 75]),
        # A frame at 0, 29.97, 59.94, 89.91; between them, half a second later, 14.985, 44.955, 74.925.
        ("minicpm-v-4.6", 100, 29.97, {}, [0, 29, 59, 89]),
        ("minicpm-v-4.6-stack-2", 100, 29.97, {}, [0, 29, 59, 89, 14, 44, 74]),
        ("ernie-4.5-vl", 7, 30, {}, [0, 1, 2, 3, 4, 5, 6]),
        # 5.5 frames of 11: steps of 2, six of them.
        ("ernie-4.5-vl", 11, 4, {"fps": 2, "min_frames": 1}, [0, 2, 4, 6, 8, 10]),
        ("muse-glimmer", 47, 23.976, {}, [0, 46]),
        ("cosmos3-edge", 7, 30, {}, [0, 2, 4, 6]),
        ("pe-video", 3, 30, {"frames": 5}, [0, 0, 1, 1, 2]),
        ("default", 100, 29.97, {"fps": 1}, [0, 33, 66]),
        ("default", 4, 30, {}, [0, 1, 2, 3]),
    ],
)
def test_frames_worked_by_hand(rule, total, video_fps, options, frames):
    indices = sample_frames(total, video_fps, rule=rule, **options)
    assert indices.tolist() == frames and indices.dtype == np.int64


def frames_or_refusal(total, video_fps, rule, **options):
    """The indices as a list, or the message."""
    try:
        return sample_frames(total, video_fps, rule=rule, **options).tolist()
    except ValueError as error:
        assert str(error).startswith(f"{rule}: ") and any(digit in str(error) for digit in "0123456789")
        return str(error)


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=150)
@given(total=totals, video_fps=rates)
def test_frames_are_in_the_clip_in_order_and_not_too_many(rule, total, video_fps):
    kept = frames_or_refusal(total, video_fps, rule)
    if isinstance(kept, str):
        return
    assert 1 <= len(kept) <= MOST[rule] and 0 <= min(kept) and max(kept) < total
    assert rule in UNSORTED or kept == sorted(kept)
    assert rule not in FROM_THE_FIRST or kept[0] == 0
    assert rule not in TO_THE_LAST or kept[-1] == total - 1 or len(kept) == 1
    if not rule.startswith(("pe-video", "glm", "minicpm")):  # these repeat frames
        assert len(set(kept)) == len(kept)
    if rule in ("qwen-vl-utils", "transformers-qwen2", "glm4v", "glm46v", "glm5-next"):
        assert len(kept) % 2 == 0


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=60)
@given(total=totals, video_fps=rates, count=st.integers(1, 64), low=st.integers(1, 9))
def test_what_is_asked_for_is_obeyed(rule, total, video_fps, count, low):
    """A bound is a bound; a count is that count, or the nearest pairs where the rule works in pairs."""
    takes = catalog.row("sampling", rule).options
    if "frames" in takes:
        kept = frames_or_refusal(total, video_fps, rule, frames=count)
        pairs = rule in ("qwen-vl-utils", "transformers-qwen2")
        assert isinstance(kept, str) or len(kept) == (round(count / 2) * 2 if pairs else count)
    if "max_frames" in takes:
        bounds = {"min_frames": low} if "min_frames" in takes else {}
        kept = frames_or_refusal(total, video_fps, rule, max_frames=max(count, low), **bounds)
        most = max(count, low)
        if rule in ("muse-glimmer", "glm5-next"):  # pairs all the same
            most += most % 2
        assert isinstance(kept, str) or len(kept) <= most * (2 if rule == "minicpm-v-4.6-stack-2" else 1)


@pytest.mark.parametrize("fps", [1, 2, 7.5, 24])
@given(total=totals, video_fps=rates)
def test_the_plain_version_is_the_default_rule(fps, total, video_fps):
    """All but the last bit: the peer's line is a float32, which decides some halves otherwise."""
    kept = frames_or_refusal(total, video_fps, "qwen-vl-utils", fps=fps)
    if isinstance(kept, str):
        assert total < 2
        return
    plain = sample_frames_plain(total, video_fps, fps=fps)
    assert len(plain) == len(kept)
    apart = np.flatnonzero(plain != kept)
    for i in apart.tolist():
        exact = Fraction(i * (total - 1), len(kept) - 1)
        assert abs(plain[i] - kept[i]) == 1 and abs(exact % 1 - Fraction(1, 2)) < Fraction(total, 2**22)


@given(total=totals, video_fps=rates)
def test_steps_are_exact_where_the_peer_is(total, video_fps):
    kept = frames_or_refusal(total, video_fps, "default", fps=1)
    if not isinstance(kept, str):
        assert kept == [i * total // len(kept) for i in range(len(kept))]


def test_only_lines_see_the_last_frame():
    """A digit that is shown in the last frame only: six rules of eighteen look at it."""
    seen = {rule for rule in RULES if rule != "default" and sample_frames(1000, 25.0, rule=rule).max() == 999}
    assert seen == TO_THE_LAST | {"smolvlm"}  # smolvlm: a line, too, which a long clip cuts


def test_the_rule_that_stops_at_the_last_whole_second_sees_half_the_clip():
    assert sample_frames(47, 23.976, rule="glm46v").max() == 24  # of 0 to 46


def test_a_long_clip_loses_a_second_at_both_ends():
    """SmolVLM: from 66 s on, the line goes from one second to one second before the end. 65.5 s keep theirs."""
    ends = [sample_frames(total, 10, rule="smolvlm")[[0, -1]].tolist() for total in (655, 661, 6000)]
    assert ends == [[0, 654], [10, 651], [10, 5990]]


def test_a_float_range_may_have_one_too_many():
    """A minute at 25 Hz: 1494 / (1494 / 118) is a little more than 118, so that the range ends with 1494 itself."""
    assert 1494 / (1494 / 118) > 118
    with pytest.raises(ValueError, match="1 of the 119 indices are beyond the end of a clip of 1494 frames at 25 Hz"):
        sample_frames(1494, 25.0, rule="transformers-qwen2")
    assert len(sample_frames(1494, 25.0)) == 118
    with pytest.raises(ValueError, match="the last is 30"):
        sample_frames(30, 25.0, frames=26, rule="transformers-qwen2")


@pytest.mark.parametrize(
    "rule, total, video_fps, message",
    [
        ("qwen-vl-utils", 1, 30, "0 of 1 frames would be kept"),
        ("transformers-qwen2", 1, 30, "hold no group of 2"),
        ("internvl", 7, 30, "8 frames are asked for and the clip has 7"),
        ("glm46v", 2, 30, "keeps no frame of a clip of 2 frames at 30 Hz"),
        ("glm5-next", 7, 30, "keeps no frame of a clip of 7 frames"),
    ],
)
def test_a_clip_too_short_for_its_rule(rule, total, video_fps, message):
    with pytest.raises(ValueError, match=message):
        sample_frames(total, video_fps, rule=rule)
    assert catalog.row("sampling", rule).fails  # what the peer does then is told


NO_COUNTS = [0, -1, 2.0, math.nan, math.inf, None, "100", (2,), np.float32(2), np.array([2, 2])]
NO_RATES = [0, -1, math.nan, math.inf, -math.inf, None, "30", (30,), 1e-300, 1e300, True, np.array([2, 2]), 1 + 2j]


@pytest.mark.parametrize("rule", RULES)
def test_bad_clips_and_options_are_refused(rule):
    for total in NO_COUNTS:
        with pytest.raises((ValueError, TypeError), match="total"):
            sample_frames(total, 30, rule=rule)
    for rate in NO_RATES:
        with pytest.raises((ValueError, TypeError), match="video_fps"):
            sample_frames(100, rate, rule=rule)
    takes = catalog.row("sampling", rule).options
    for option in ("fps", "min_frames", "max_frames", "frames"):
        for value in [value for value in (NO_RATES if option == "fps" else NO_COUNTS) if value is not None]:
            with pytest.raises((ValueError, TypeError), match=option):
                sample_frames(100, 30, rule=rule, **{option: value})
        if option not in takes:
            with pytest.raises(ValueError, match=f"{rule}: has no option {option}; it takes"):
                sample_frames(100, 30, rule=rule, **{option: 4})


def test_contradictions_are_refused():
    with pytest.raises(ValueError, match="fps=2 and frames=8 both say how many"):
        sample_frames(100, 30, fps=2, frames=8)
    with pytest.raises(ValueError, match="min_frames=9 is more than max_frames=4"):
        sample_frames(100, 30, min_frames=9, max_frames=4)
    with pytest.raises(ValueError, match="unknown sampling rule 'qwen'.*qwen-vl-utils, transformers-qwen2"):
        sample_frames(100, 30, rule="qwen")


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("total", [10**9, 10**12, MAX_FRAMES, MAX_FRAMES + 1, 10**30])
@pytest.mark.parametrize("video_fps", [1e-9, 0.001, 25.0, 1e9])
def test_absurd_clips_are_answered_or_refused_at_once(rule, total, video_fps):
    """No answer is long, so that nothing was listed on the way that grows with the clip."""
    if total > MAX_FRAMES or total / video_fps > MAX_SECONDS:
        with pytest.raises(ValueError, match=f"{total}( frames|;)"):
            sample_frames(total, video_fps, rule=rule)
        return
    kept = frames_or_refusal(total, video_fps, rule)
    assert isinstance(kept, str) or len(kept) <= MOST[rule]


@pytest.mark.parametrize("rule", [rule for rule in RULES if "fps" in catalog.row("sampling", rule).options])
def test_absurd_rates_are_answered_or_refused_at_once(rule):
    for fps in (1e-9, 1e9):
        kept = frames_or_refusal(10**12, 25.0, rule, fps=fps)
        assert isinstance(kept, str) or len(kept) <= 4096


@pytest.mark.parametrize("rule", [rule for rule in RULES if catalog.row("sampling", rule).options])
@pytest.mark.parametrize("count", [2**53, 10**30, 10**5000], ids=["2^53", "10^30", "10^5000"])
def test_absurd_counts_are_answered_or_refused_at_once(rule, count):
    """Four billion seconds at a frame a second, or more digits than Python writes: no list of them, one line."""
    for option in set(catalog.row("sampling", rule).options) - {"fps"}:
        kept = frames_or_refusal(10**12, 25.0, rule, **{option: count})
        assert len(kept) < 250 if isinstance(kept, str) else len(kept) <= MAX_KEPT


def test_more_indices_than_a_sample_are_refused():
    with pytest.raises(ValueError, match=f"at most {MAX_KEPT} are listed"):
        sample_frames(10**7, 25.0, rule="default")
    assert len(sample_frames(MAX_KEPT, 25.0, rule="default")) == MAX_KEPT


# When they were


@pytest.mark.parametrize(
    "indices, merge, at, seconds",
    [
        ([0, 12, 24, 36], 2, "middle", [0.25, 1.25]),  # 0 and 0.5, 1 and 1.5 s at 24 Hz
        ([0, 12, 24, 36], 2, "first", [0.0, 1.0]),
        ([0, 12, 24], 2, "middle", [0.25, 1.0]),  # the last frame with itself
        ([0, 12, 24, 36, 48], 4, "middle", [0.75, 2.0]),
        ([24], 1, "middle", [1.0]),
        ([24], 5, "first", [1.0]),
    ],
)
def test_timestamps_worked_by_hand(indices, merge, at, seconds):
    times = timestamps(indices, 24.0, merge, at=at)
    assert times.tolist() == seconds and times.dtype == np.float64
    assert timestamps(np.array(indices, np.uint8), 24, merge, at=at).tolist() == seconds


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=40), rates, st.integers(1, 6))
def test_a_patch_has_a_time_within_it(indices, video_fps, merge):
    indices = sorted(indices)
    first, middle = (timestamps(indices, video_fps, merge, at=at) for at in ("first", "middle"))
    assert len(first) == len(middle) == -(-len(indices) // merge)
    assert (np.diff(first) >= 0).all() and (np.diff(middle) >= 0).all() and (first <= middle).all()
    ends = [indices[min(i + merge, len(indices)) - 1] / video_fps for i in range(0, len(indices), merge)]
    assert (middle <= ends).all()


@pytest.mark.parametrize(
    "style, labels",
    [
        ("qwen3-vl", ["<0.2 seconds>", "<3700.5 seconds>"]),  # 0.25 is halfway, and 2 is even
        ("cosmos3-edge", ["<0.2 seconds>", "<3700.5 seconds>"]),
        ("glm-4.1v", ["0", "3700"]),
        ("glm-4.6v", ["0.2 seconds", "3700.5 seconds"]),
        ("gemma-4", ["00:00 ", "61:40 "]),
        ("smolvlm", ["Frame from 00:00:", "Frame from 61:40:"]),
        ("kimi-k2.5", ["00:00:00.250", "01:01:40.500"]),
        ("molmo2", ["0.2 ", "3700.5 "]),
        ("video-llama-3", ["Time 0.2s:", "Time 3700.5s:"]),
        ("muse-glimmer", ["Time: 0.2s", "Time: 3700.5s"]),
        ("minimax-m3", ["]<]0.2 seconds[>[", "]<]3700.5 seconds[>["]),
        ("nemotron-h-omni", ["Frame 1 sampled at 0.25 seconds and frame 2 sampled at 3700.50 seconds: "]),
        ("ernie-4.5-vl", ["time: 00:00:00.25", "time: 01:01:40.50"]),
        ("internvl", ["Frame1: ", "Frame2: "]),
    ],
)
def test_each_style(style, labels):
    assert timestamp_text([0.25, 3700.5], style) == labels == timestamp_text(np.array([0.25, 3700.5]), style)
    if style != "nemotron-h-omni":
        assert timestamp_text(0.25, style) == labels[0]


def test_every_style_is_worked_by_hand_and_used():
    assert {style for style, _ in test_each_style.pytestmark[0].args[1]} == set(catalog.rows("time"))
    assert {row.text for row in catalog.rows("time").values()} == set(catalog.TEXTS)


def test_a_clip_in_each_style_has_a_label_a_span():
    indices = sample_frames(300, 30.0)  # twenty frames
    spans = {style: -(-20 // row.merge) for style, row in catalog.rows("time").items()} | {"nemotron-h-omni": 10}
    assert {style: len(timestamp_labels(indices, 30.0, style)) for style in spans} == spans


def test_whole_milliseconds_drift():
    """33 ms for a frame of 33.3: six seconds early after ten minutes."""
    assert timestamp_labels([18_000], 30.0, "nemotron-h-omni") == ["Frame 1 sampled at 594.00 seconds: "]
    assert timestamp_labels([18_000], 30.0, "qwen3-vl") == ["<600.0 seconds>"]


def test_labels_may_repeat():
    """Whole seconds at four frames a second: two pairs a second, one label (QwenLM/Qwen3-VL issue 1031 is of this kind)."""
    indices = sample_frames(120, 30.0, fps=4)
    assert timestamp_labels(indices[:8], 30.0, "glm-4.1v") == ["0", "0", "1", "1"]


def test_bad_times_are_refused():
    for indices, error in (
        ([], ValueError),
        ([[0]], ValueError),
        ([0.5], TypeError),
        ([-1], ValueError),
        (["a"], TypeError),
    ):
        with pytest.raises(error, match="ind"):
            timestamps(indices, 30)
    for rate in NO_RATES:
        with pytest.raises((ValueError, TypeError), match="video_fps"):
            timestamps([0], rate)
        with pytest.raises((ValueError, TypeError), match="video_fps"):
            timestamp_labels([0], rate, "nemotron-h-omni")
    for merge in NO_COUNTS:
        with pytest.raises((ValueError, TypeError), match="merge"):
            timestamps([0], 30, merge)
    assert timestamps([0, 1], 1.0, 2**20).tolist() == [0.5]
    with pytest.raises(ValueError, match="at is \"last\"|at is 'last'"):
        timestamps([0], 30, at="last")
    for seconds in (-0.1, math.nan, math.inf, 1e13, [0.0, -1.0]):
        with pytest.raises(ValueError, match="seconds is"):
            timestamp_text(seconds)
    for seconds in (None, "1", [[0.0]], 1j, True):
        with pytest.raises(TypeError, match="seconds is"):
            timestamp_text(seconds)
    with pytest.raises(ValueError, match="unknown style 'iso'; the catalog has qwen3-vl"):
        timestamp_text(0.0, "iso")


# How many tokens they make

VISION = [name for name, row in catalog.rows("tokens").items() if row.kind == "vision"]
BILLING = ["gemini-2", "gemini-3"]
WANTED = [  # by the contract; the families of the survey
    "qwen2-vl", "qwen2.5-vl", "qwen3-vl", "glm-4.1v", "glm-4.6v", "kimi-k2.5", "internvl", "llava-onevision", "smolvlm2",
    "molmo2", "gemma-4", "video-llama-3", "minicpm-v-4.6", "gemini-2",
]  # fmt: skip


def test_the_models_of_the_contract_are_there():
    assert set(WANTED) <= set(catalog.rows("tokens")) and set(VISION) | set(BILLING) == set(catalog.rows("tokens"))


@pytest.mark.parametrize(
    "model, clip, resized, grid, parts",
    [
        # 110,592,000 pixels are 4.39 times too many: both sides through 2.096, down to whole 32s.
        ("qwen3-vl", (64, 1080, 1920), (448, 832), (32, 14, 26), {"patches": 11648}),
        # Class default: 768 * 32 * 32 for the whole clip. Sides through 12.99: 92 and 161, down to 64 and 128... of 32s.
        ("qwen3-vl-class-default", (64, 1080, 1920), (64, 128), (32, 2, 4), {"patches": 256}),
        ("glm-4.1v", (64, 1080, 1920), (616, 1120), (32, 22, 40), {"patches": 28160}),
        # An odd frame is paired with itself.
        ("glm-4.1v", (3, 280, 280), (280, 280), (2, 10, 10), {"patches": 200}),
        # 602,112 pixels a frame at most: 1080x1920 through 1.86 is 581x1034, down to 560x1008.
        ("qwen2-vl", (16, 1080, 1920), (560, 1008), (8, 20, 36), {"patches": 5760}),
        # 768 frames share 90,316,800 pixels, two a token: 235,200 each.
        ("qwen2-vl", (768, 1080, 1920), (336, 644), (384, 12, 23), {"patches": 105984}),
        # 180 frames share 602,112 pixels: 3,345 each, two cells of 28 px by two.
        ("video-llama-3", (180, 720, 720), (56, 56), (180, 2, 2), {"patches": 720}),
        ("kimi-k2.5", (8, 480, 640), (504, 644), (2, 18, 23), {"patches": 828}),
        ("kimi-k2.5", (9, 480, 640), (504, 644), (3, 18, 23), {"patches": 1242}),
        ("internvl", (8, 1080, 1920), (448, 448), (8, 16, 16), {"frames": 2048}),
        ("llava-onevision", (8, 1080, 1920), (384, 384), (8, 14, 14), {"frames": 1568, "newline": 1}),
        ("smolvlm2", (64, 100, 100), (512, 512), (64, 8, 8), {"frames": 4096}),
        ("molmo2", (64, 100, 100), (378, 378), (64, 9, 9), {"frames": 5184}),
        # 70 cells of 48 px at 4:3: 7.2 by 9.7, down to 7 by 9.
        ("gemma-4", (32, 480, 640), (336, 432), (32, 7, 9), {"patches": 2016}),
        # 448x640 is 1.43 tiles, so two slices of 448x320. At 448 * 448 pixels the frame is 374x534, 7x10 cells of 56 px,
        # and a slice 530x378, 9x7.
        ("minicpm-v-4.6", (10, 448, 640), (392, 560), (10, 7, 10), {"frames": 700, "slices": 2 * 630}),
        ("minicpm-v-4.6", (10, 448, 448), (448, 448), (10, 8, 8), {"frames": 640}),
        ("muse-glimmer", (4, 480, 640), (280, 364), (2, 10, 13), {"patches": 260}),
        ("glm5-next", (8, 480, 640), (504, 644), (4, 18, 23), {"patches": 1656}),
        ("ernie-4.5-vl", (8, 480, 640), (476, 644), (4, 17, 23), {"patches": 1564}),
        ("cosmos3-edge", (3, 480, 640), (480, 640), (3, 15, 20), {"patches": 900}),
        ("gemini-2", (60, 1080, 1920), (1080, 1920), (60, 1, 1), {"frames": 15480}),
    ],
)
def test_tokens_worked_by_hand(model, clip, resized, grid, parts):
    plan = catalog.video_plan(model, *clip)
    assert (plan.resized, plan.grid, dict(plan.parts)) == (resized, grid, parts)
    assert plan.tokens == video_tokens(model, *clip) == sum(parts.values()) and plan.clip == clip


sides = st.integers(1, 4000) | st.integers(1, 40)


@pytest.mark.parametrize("model", catalog.rows("tokens"))
@settings(max_examples=60)
@given(frames=st.integers(1, 2048), height=sides, width=sides)
def test_any_clip_has_tokens_or_a_clear_refusal(model, frames, height, width):
    try:
        plan = catalog.video_plan(model, frames, height, width)
    except ValueError as error:
        assert str(error).startswith(f"{model}: ")
        assert str(frames) in str(error) or f"{height}x{width}" in str(error)
        assert frames < 4 or max(height, width) > 100 * min(height, width)
        return
    assert type(plan.tokens) is int and plan.tokens >= 1
    assert all(type(number) is int and number >= 1 for number in (*plan.resized, *plan.grid))
    assert plan.grid[0] in (frames, -(-frames // 2), -(-frames // 4))
    if "patches" in dict(plan.parts):
        assert math.prod(plan.grid) == plan.tokens
    if model == "gemma-4":
        assert plan.tokens <= 70 * frames
    if model == "muse-glimmer":
        assert plan.tokens <= 144 * plan.grid[0]


@given(frames=st.integers(2, 2000), height=st.integers(100, 2000), width=st.integers(100, 2000))
def test_the_cap_is_over_the_whole_clip(frames, height, width):
    """More frames make smaller frames; the pixels of all stay under the bound while a frame has a cell to give up."""
    sizes = [clip_resize(n, height, width) for n in (frames, frames + 2)]
    assert sizes[0][0] >= sizes[1][0] and sizes[0][1] >= sizes[1][1]
    high, wide = sizes[0]
    assert high % 32 == wide % 32 == 0
    assert round(frames / 2) * 2 * high * wide <= 25_165_824 or min(high, wide) == 32 or frames % 2


def test_an_odd_count_is_rounded_to_even_pairs_for_the_cap():
    """5 / 2 rounds to 2, so that four frames of 96x256 are counted, too few pixels, while three pairs are made."""
    bounds = {"min_pixels": 131_072, "max_pixels": 786_432}
    assert 4 * 96 * 256 < 131_072 < 6 * 96 * 256
    assert clip_resize(5, 100, 240, **bounds) == (128, 256)  # sides times 1.045: 104.5 and 250.8, up to whole 32s
    assert clip_resize(6, 100, 240, **bounds) == (96, 256)


def test_of_slices_of_one_shape_the_taller():
    """560x560 is 1.56 tiles: two slices, beside or above one another, equally far from a square."""
    assert catalog._slice_grid(560, 560, 448, 9) == (2, 1)
    assert catalog._slice_grid(448, 448, 448, 9) is None and catalog._slice_grid(896, 1344, 448, 9) == (2, 3)


def test_ten_times_the_frames_are_not_ten_times_the_tokens():
    """Where the cap over the clip binds, the tokens of 64 and of 640 frames are about as many: here even fewer."""
    clips = (64, 1080, 1920), (640, 1080, 1920)
    assert [video_tokens("qwen3-vl", *clip) for clip in clips] == [11648, 10240]
    assert [video_tokens("internvl", *clip) for clip in clips] == [16384, 163840]


def test_bad_clips_of_frames_are_refused():
    for model in catalog.rows("tokens"):
        for frames in NO_COUNTS:
            with pytest.raises((ValueError, TypeError), match="frames"):
                video_tokens(model, frames, 480, 640)
        for size in ((0, 640), (480, -1), (480.0, 640), (2**31, 640), (None, 640)):
            with pytest.raises((ValueError, TypeError), match="height|width|image is"):
                video_tokens(model, 8, *size)
        with pytest.raises(ValueError, match="at most"):
            video_tokens(model, MAX_FRAMES + 1, 480, 640)
        try:
            assert video_tokens(model, 10**12, 1080, 1920) >= 10**11
        except ValueError as error:
            assert "1000000000000" in str(error)
    with pytest.raises(ValueError, match="unknown model 'sora'.*qwen2-vl, qwen2.5-vl"):
        video_tokens("sora", 8, 480, 640)
    with pytest.raises(ValueError, match="1 frames are no temporal patch of 2"):
        clip_resize(1, 480, 640)
    for temporal in NO_COUNTS:
        with pytest.raises((ValueError, TypeError), match="temporal"):
            clip_resize(8, 480, 640, temporal=temporal)


# What need not be kept


def drawn(shape, seed=0, dtype=np.float32):
    """Tokens of which about half do not move from one frame to the next."""
    draw = np.random.default_rng(seed)
    features = draw.standard_normal(shape)
    for t in range(1, shape[0]):
        still = draw.random(shape[1]) < 0.5
        features[t, still] = features[t - 1, still]
    return features.astype(dtype)


def cosine(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


SHAPES = [(1, 1, 1), (1, 5, 3), (2, 1, 4), (3, 7, 2), (8, 63, 5), (5, 100, 16)]


def test_evs_worked_by_hand():
    """Second frame: the first token only grew (cosine 1), the second turned by 45 degrees (0.71), the third right about."""
    features = np.array([[[1, 0], [1, 0], [1, 0]], [[2, 0], [1, 1], [-1, 0]]], np.float64)
    for keep, index in (
        (1, [0, 1, 2]),
        (3, [0, 1, 2]),
        (4, [0, 1, 2, 5]),
        (5, [0, 1, 2, 4, 5]),
        (6, [0, 1, 2, 3, 4, 5]),
    ):
        kept = prune_static(features, keep)
        assert kept.index.tolist() == index and kept.index.dtype == np.int64
        np.testing.assert_array_equal(kept.tokens, features.reshape(-1, 2)[index])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_evs_is_what_its_words_say(shape, dtype):
    features = drawn(shape, dtype=dtype)
    frames, tokens, width = shape
    for keep in {1, tokens, frames * tokens // 2 + 1, frames * tokens}:
        kept = prune_static(features, keep)
        assert len(kept.index) == max(keep, tokens) and (np.diff(kept.index) > 0).all()
        assert kept.index[:tokens].tolist() == list(range(tokens)) and kept.tokens.dtype == dtype
        np.testing.assert_array_equal(kept.tokens, features.reshape(-1, width)[kept.index])
        if width > 1:
            changed = {
                t * tokens + n: 1 - cosine(features[t, n], features[t - 1, n])
                for t in range(1, frames)
                for n in range(tokens)
            }
            left = set(changed) - set(kept.index.tolist())
            inside = set(changed) - left
            assert not left or not inside or min(changed[i] for i in inside) >= max(changed[i] for i in left) - 1e-7


def test_evs_of_a_still_clip_keeps_the_earliest():
    """All frames equal: every cosine is exactly 1, and of equals the earlier are kept."""
    features = np.repeat(drawn((1, 9, 7)), 5, axis=0)
    assert prune_static(features, 20).index.tolist() == list(range(20))


def test_a_token_of_zeros_has_changed_and_a_tiny_one_too():
    """As torch's cosine, which divides by at least 1e-8."""
    features = np.array([[[0.0], [1.0], [1e-9]], [[0.0], [1.0], [1e-9]]])
    assert prune_static(features, 5).index.tolist() == [0, 1, 2, 3, 5]


def test_counts_of_evs():
    assert [retained_tokens(64, 8, rate) for rate in (0, 0.5, 0.95, 1)] == [512, 256, 64, 64]
    assert retained_tokens(100, 3, 0.33) == 200  # int(300 * 0.67), which is 200.99999999999997
    for bad in NO_COUNTS:
        with pytest.raises((ValueError, TypeError), match="tokens"):
            retained_tokens(bad, 8, 0.5)
        with pytest.raises((ValueError, TypeError), match="frames"):
            retained_tokens(64, bad, 0.5)
    for bad in (2**60, 10**400, 10**5000, True):
        with pytest.raises((ValueError, TypeError), match="tokens is"):
            retained_tokens(bad, 8, 0.5)
        with pytest.raises((ValueError, TypeError), match="frames is"):
            retained_tokens(64, bad, 0.5)
    for bad in (-0.1, 1.1, math.nan, "0.5", None, True):
        with pytest.raises((ValueError, TypeError), match="rate"):
            retained_tokens(64, 8, bad)


def test_merging_worked_by_hand():
    """A still token of four frames is one; the other turns right about after two, so that it is two."""
    features = np.array([[[2, 0], [0, 1]], [[4, 0], [0, 3]], [[6, 0], [0, -1]], [[8, 0], [0, -1]]], np.float32)
    merged = merge_adjacent(features, 0.9)
    assert merged.tokens.tolist() == [[5, 0], [0, 2], [0, -1]] and merged.tokens.dtype == np.float32
    assert merged.size.tolist() == [4, 2, 2] and merged.source.tolist() == [[0, 1], [0, 1], [0, 2], [0, 2]]


@pytest.mark.parametrize("threshold", [-1, 0.0, 0.6, 1.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_merging_is_what_its_words_say(shape, threshold):
    features = drawn(shape, seed=3)
    frames, tokens, width = shape
    merged = merge_adjacent(features, threshold)
    assert merged.size.sum() == frames * tokens and merged.source.shape == (frames, tokens)
    for m in range(len(merged.size)):
        members = np.argwhere(merged.source == m)
        assert len(members) == merged.size[m] and len(set(members[:, 1].tolist())) == 1  # one place
        assert (np.diff(members[:, 0]) == 1).all()  # one frame after the other
        np.testing.assert_allclose(merged.tokens[m], features[tuple(members.T)].mean(axis=0), rtol=0, atol=1e-5)
    first = [int(np.flatnonzero(merged.source.reshape(-1) == m)[0]) for m in range(len(merged.size))]
    assert first == sorted(first)
    for t in range(1, frames):
        for n in range(tokens):
            alike = cosine(features[t, n], features[t - 1, n])
            if abs(alike - threshold) > 1e-6 or np.array_equal(features[t, n], features[t - 1, n]):
                together = merged.source[t, n] == merged.source[t - 1, n]
                assert together == (alike > threshold or np.array_equal(features[t, n], features[t - 1, n]))


def test_merging_at_one_merges_equals_alone():
    features = drawn((6, 50, 33))
    merged = merge_adjacent(features, 1)
    again = merged.tokens[merged.source]  # each token as what it is now
    np.testing.assert_allclose(again, features, rtol=0, atol=1e-6)
    assert len(merged.size) < 300


def test_differences_worked_by_hand():
    """0.001 of the scale is 0.255 of 255: kept. 0.0003 is 0.0765: dropped, and the frame's first token kept instead."""
    pixels = np.zeros((3, 2, 4), np.float32)
    pixels[1:, 1] += np.float32(0.001)
    pixels[2, 1] += np.float32(0.0003)
    assert difference_mask(pixels).tolist() == [[True, True], [False, True], [True, False]]
    assert difference_mask(pixels, least=0).tolist() == [[True, True], [False, True], [False, False]]
    assert difference_mask(pixels, 0.05).tolist() == [[True, True], [False, True], [False, True]]
    assert difference_mask(pixels, 300, least=2).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_at_least_so_many_tokens_a_frame(shape):
    mask = difference_mask(drawn(shape) / 1000, least=min(2, shape[1]))
    assert mask.shape == shape[:2] and mask.dtype == bool and mask[0].all()
    assert (mask.sum(axis=1) >= min(2, shape[1])).all()


def test_bad_features_are_refused():
    calls = {
        "features": (lambda x: prune_static(x, 1), lambda x: merge_adjacent(x, 0.9)), "pixels": (difference_mask,),
    }  # fmt: skip
    good = np.zeros((2, 3, 4), np.float32)
    spoilt = good.copy()
    for name, functions in calls.items():
        for call in functions:
            for bad in (
                None,
                [[[0.0]]],
                good.astype(np.uint8),
                good.astype(object),
                good.astype(complex),
                np.ma.array(good),
            ):
                with pytest.raises(TypeError, match=name):
                    call(bad)
            for bad in (good[0], good[:0], good[:, :0], good[..., :0], good[None]):
                with pytest.raises(ValueError, match=f"{name} have shape"):
                    call(bad)
            for number in (math.nan, math.inf, -math.inf, 1e31):
                spoilt[1, 2, 3] = number
                with pytest.raises(ValueError, match=name):
                    call(spoilt)
    for keep in (0, -1, 7, 10**12, 0.5, None, "3"):
        with pytest.raises((ValueError, TypeError), match="keep"):
            prune_static(good, keep)
    with pytest.raises(TypeError, match="keep is 0.5; expected a count of tokens .retained_tokens"):
        prune_static(good, 0.5)
    for threshold in (-1.1, 1.1, math.nan, "0.9", None, True):
        with pytest.raises((ValueError, TypeError), match="threshold"):
            merge_adjacent(good, threshold)
        if threshold != 1.1:
            with pytest.raises((ValueError, TypeError), match="threshold"):
                difference_mask(good, threshold)
    for least in (-1, 4, 0.5, None):
        with pytest.raises((ValueError, TypeError), match="least"):
            difference_mask(good, least=least)


def test_a_tensor_is_refused():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match="features is Tensor; expected a NumPy array"):
        prune_static(torch.zeros(2, 3, 4), 3)


# Scenes


def test_scores_worked_by_hand(backend):
    """Black, then red: hue 0, saturation and value from 0 to 255, in three thirds 170. Red, then green: hue from 0 to 60.

    Blue is hue 120; from red at hue 0 to a purple red at hue 179 is 179, though their colours are neighbours.
    """
    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 0, 0], [255, 0, 8]], np.uint8)
    frames = backend.give(np.broadcast_to(colours[:, None, None], (6, 5, 7, 3)))
    assert scene_scores(frames).tolist() == [0.0, 170.0, 20.0, 20.0, 40.0, 179 / 3]
    assert scene_scores(frames, "luma").tolist() == [0.0, 76.0, 73.0, 121.0, 48.0, 1.0]  # 77 * 255 / 256, down to 76


def test_a_score_is_the_mean_over_the_pixels(backend):
    frames = np.zeros((2, 4, 4, 3), np.uint8)
    frames[1, 0, 0] = 255  # one pixel of sixteen becomes white: value alone
    frames = backend.give(frames)
    assert scene_scores(frames).tolist() == [0.0, 255 / 16 / 3]
    assert scene_scores(frames, "luma")[1] == 255.0  # the only pixel that it looks at
    assert scene_scores(frames[:1]).tolist() == [0.0]
    assert backend.take(scene_scores(frames)).dtype == np.float64


def scores_of_whole_frames(frames, rule):
    """The definition: all colours of all frames at once, whole numbers until the mean."""
    colours = np.array([video.SCENE_RULES[rule](frame) for frame in frames], np.int64)
    means = np.abs(np.diff(colours, axis=0)).mean(axis=(2, 3))
    return np.array([0.0, *((sum(row.tolist()[1:], row[0]) / len(row)) for row in means)])


@pytest.mark.parametrize("rule", ["content", "luma"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 63), (40, 5, 7), (3, 100, 61), (3, 9, 700)])
def test_scores_are_those_of_whole_frames(backend, rng, monkeypatch, shape, rule):
    """However a frame is cut into bands or tiles: the sums are whole numbers, and the scores equal."""
    monkeypatch.setattr(video, "BAND", 1000)
    frames = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    expected = scores_of_whole_frames(frames, rule)
    np.testing.assert_array_equal(backend.take(scene_scores(backend.give(frames), rule)), expected)
    wide = backend.give(np.repeat(np.repeat(frames, 2, axis=2), 3, axis=3))
    views = wide[:, :, ::2, ::3], backend.give(np.ascontiguousarray(frames.transpose(0, 2, 1, 3))).swapaxes(1, 2)
    for view in views:
        np.testing.assert_array_equal(backend.take(scene_scores(view, rule)), expected)


def test_means_are_added_from_left_to_right():
    """0.1 + 0.2 + 0.3 as floats are 0.6000000000000001; `sum` of Python 3.12 makes 0.6 of them."""
    assert video._mean_of_means(np.array([[1.0, 2.0, 3.0]]), 10).tolist() == [(0.1 + 0.2 + 0.3) / 3] != [0.6 / 3]


def test_a_large_frame_is_worked_through_in_bands():
    """A frame of 11 MB; its colours as whole numbers, and what they are worked out of, would be over 100 MB."""
    frames = np.broadcast_to(np.array([0, 255], np.uint8)[:, None, None, None], (2, 1440, 2560, 3))
    tracemalloc.start()
    assert scene_scores(frames).tolist() == [0.0, 85.0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30e6


@pytest.mark.parametrize(
    "above, min_length, cuts",
    [
        ([5], 0, [5]), ([0, 5], 0, [0, 5]),  # no least length: each is one, the first frame too
        ([5], 5, [5]), ([5], 6, []),  # too near to the start, and nothing is merged before the first cut
        ([5, 10], 5, [5, 10]), ([5, 7], 5, [5]), ([5, 7, 20], 5, [5, 20]),
        ([5, 7, 12], 5, [5, 12]),  # from 7 to 12 they lasted five frames, and five without one follow
        ([5, 7, 12, 16], 5, [5, 16]), ([5, 7, 8, 9], 5, [5]),
    ],
)  # fmt: skip
def test_cuts_worked_by_hand(above, min_length, cuts):
    scores = np.full(30, 1.0)
    scores[above] = 27.0
    found = scene_cuts(scores, min_length=min_length)
    assert found.tolist() == cuts and found.dtype == np.int64
    assert scene_cuts(scores, 27.1, min_length).tolist() == []


@given(st.lists(st.floats(0, 100), min_size=1, max_size=80), st.integers(0, 20), st.floats(1, 60))
def test_cuts_are_in_order_and_far_enough_apart(scores, min_length, threshold):
    for cuts in (scene_cuts(scores, threshold, min_length), adaptive_cuts(scores, min_length=min_length)):
        assert ((cuts >= min_length) & (cuts < len(scores))).all()
    assert all(scores[i] >= threshold for i in scene_cuts(scores, threshold, min_length))
    assert (np.diff(scene_cuts(scores, threshold, min_length)) >= max(1, min_length)).all()
    moved = adaptive_cuts(scores, min_length=min_length)
    assert (np.diff(moved) >= max(1, min_length)).all() and all(scores[i] >= 15 for i in moved)


def test_a_camera_that_moves_cuts_nothing():
    """All scores high, one of them three times as high: the fixed threshold sees a scene a frame, the moving one a cut."""
    scores = np.full(40, 30.0)
    scores[20] = 90
    assert len(scene_cuts(scores, min_length=1)) == 39 and adaptive_cuts(scores).tolist() == [20]
    still = np.zeros(40)
    still[20] = 15.0  # nothing around it: any number of times as high
    assert adaptive_cuts(still).tolist() == [20] and adaptive_cuts(still, least=15.1).tolist() == []
    assert adaptive_cuts(still[:4]).tolist() == []  # shorter than the window


def test_adaptive_frames_worked_by_hand():
    """Half of the weight is time, 0.05 a frame; the other half lies on frames 4 and 5, which end at 0.5 and 0.8."""
    scores = [0, 0, 0, 0, 9, 9, 0, 0, 0, 0]
    assert adaptive_frames(scores, 4).tolist() == [2, 4, 5, 7]  # 0.125, 0.375, 0.625, 0.875
    assert adaptive_frames(scores, 2, share=1).tolist() == [4, 5]
    assert adaptive_frames(scores, 4, share=1).tolist() == [4, 5, 6, 7]  # no frame twice
    assert adaptive_frames(scores, 10).tolist() == list(range(10))
    assert adaptive_frames([0, 0, 0, 0], 2).tolist() == [1, 3]  # nothing happens: the middles


@given(st.lists(st.floats(0, 100), min_size=1, max_size=200), st.floats(0, 1), st.data())
def test_adaptive_frames_are_different_frames_in_order(scores, share, data):
    count = data.draw(st.integers(1, len(scores)))
    index = adaptive_frames(scores, count, share)
    assert len(index) == count and index.dtype == np.int64
    assert 0 <= index[0] and index[-1] < len(scores) and (np.diff(index) > 0).all()
    middles = [math.floor((i + 0.5) * len(scores) / count) for i in range(count)]
    assert (np.abs(adaptive_frames(scores, count, 0) - middles) <= 1).all()


def test_a_moment_is_looked_at():
    """One frame of 3,000 shows something else: sixteen frames in equal steps miss it, sixteen by change do not.

    The frame has 80 of 460 of all change, and half of that, 0.087, is more than a sixteenth of the weight.
    """
    scores = np.full(3000, 0.1)
    scores[1234:1236] = 80.0  # there and back
    assert 1234 in adaptive_frames(scores, 16)
    assert 1234 not in sample_frames(3000, 25.0, frames=16) and 1234 not in adaptive_frames(scores, 16, share=0)


def test_bad_frames_are_refused(backend):
    good = np.zeros((2, 3, 4, 3), np.uint8)
    for bad in (None, [good], np.ma.array(good)):
        with pytest.raises(TypeError, match="frames"):
            scene_scores(bad)
    for dtype in (np.float32, np.int8, np.int64, bool):
        with pytest.raises(TypeError, match=r"frames are .*; expected uint8, 0 to 255"):
            scene_scores(backend.give(good.astype(dtype)))
    for bad in (good[0], good[:0], good[:, :0], good[..., :2], good[None]):
        with pytest.raises(ValueError, match=r"frames have shape \(.*\); expected \(T, H, W, 3\)"):
            scene_scores(backend.give(bad))
    for rule in ("hash", None, ["luma"]):
        with pytest.raises(ValueError, match="known are 'content', 'luma'"):
            scene_scores(backend.give(good), rule)


ROWS = {
    "indices": lambda row: timestamps(row, 30.0),
    "seconds": timestamp_text,
    "scores": lambda row: scene_cuts(row, min_length=0),
}


@pytest.mark.parametrize("name", ROWS)
def test_what_is_no_row_is_refused_in_one_line(name):
    """Rows of different lengths, a mask that would be dropped, a table whose every number would be written."""
    masked = np.ma.array([0, 30], mask=[False, True])
    for bad in ([[1], [1, 2]], masked, np.zeros((100, 100), complex)):
        with pytest.raises((ValueError, TypeError), match=f"^{name} .*(expected|masked)") as told:
            ROWS[name](bad)
        assert "\n" not in str(told.value) and len(str(told.value)) < 250


def test_a_row_may_be_a_tensor_of_any_kind(tensors):
    torch = pytest.importorskip("torch")
    assert ROWS["indices"](torch.tensor([0, 30, 60, 90])).tolist() == [0.5, 2.5]
    assert ROWS["seconds"](torch.tensor([0.0, 2.0], dtype=torch.bfloat16)) == ["<0.0 seconds>", "<2.0 seconds>"]
    assert ROWS["scores"](torch.tensor([0.0, 30.0], requires_grad=True)).tolist() == [1]


def test_a_window_has_an_end():
    scores = np.zeros(3000)
    scores[1500] = 20
    assert adaptive_cuts(scores, window=1000).tolist() == [1500]
    with pytest.raises(ValueError, match="window is 1001; at most 1000"):
        adaptive_cuts(scores, window=1001)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=60), st.integers(1, 6))
def test_the_moving_threshold_is_what_its_words_say(scores, window):
    """NumPy's floats, added one after the other: what PySceneDetect compares, on every Python."""
    near = []
    for i in range(window, len(scores) - window):
        around = np.float64(0)
        for k in (*range(i - window, i), *range(i + 1, i + 1 + window)):
            around = around + scores[k]
        around = around / (2.0 * window)
        ratio = scores[i] / around if around >= 1e-5 else 255.0
        near += [i] if scores[i] >= 15 and ratio >= 3 else []
    assert adaptive_cuts(scores, min_length=0, window=window).tolist() == near


def test_bad_scores_are_refused():
    for call in (scene_cuts, adaptive_cuts, lambda scores: adaptive_frames(scores, 1)):
        for bad in ([], [[1.0]], [math.nan], [math.inf], [-1.0], [1e31], 3.0):
            with pytest.raises(ValueError, match="scores"):
                call(bad)
        for bad in (["1"], None, [1j], [True]):
            with pytest.raises(TypeError, match="scores"):
                call(bad)
    for bad in (-1, 1.5, None, "15"):
        with pytest.raises((ValueError, TypeError), match="min_length"):
            scene_cuts([1.0], min_length=bad)
        with pytest.raises((ValueError, TypeError), match="min_length"):
            adaptive_cuts([1.0], min_length=bad)
    for bad in (0, -1, math.nan, math.inf, None, "27", True):
        with pytest.raises((ValueError, TypeError), match="threshold"):
            scene_cuts([1.0], bad)
        with pytest.raises((ValueError, TypeError), match="threshold"):
            adaptive_cuts([1.0], bad)
        with pytest.raises((ValueError, TypeError), match="least"):
            adaptive_cuts([1.0], least=bad)
    for bad in NO_COUNTS:
        with pytest.raises((ValueError, TypeError), match="frames"):
            adaptive_frames([1.0, 2.0], bad)
        with pytest.raises((ValueError, TypeError), match="window"):
            adaptive_cuts([1.0], window=bad)
    with pytest.raises(ValueError, match="3 frames are asked for and the clip has 2"):
        adaptive_frames([1.0, 2.0], 3)
    for bad in (-0.1, 1.1, math.nan, None):
        with pytest.raises((ValueError, TypeError), match="share"):
            adaptive_frames([1.0], 1, bad)


# The catalog


@pytest.mark.parametrize("name", catalog.rows("time"))
def test_a_style_is_complete_and_dated(name):
    row = catalog.row("time", name)
    assert row.name == name and row.title and row.about and row.source and row.merge >= 1
    assert datetime.date(2026, 1, 1) <= row.as_of <= datetime.date.today()
    assert row.place in ("before", "after", "in the pixels") and row.clock in ("seconds", "milliseconds")


@pytest.mark.parametrize("name", catalog.rows("tokens"))
def test_a_row_of_tokens_is_complete_and_dated(name):
    row = catalog.row("tokens", name)
    assert row.name == name and row.title and row.about and row.source
    assert datetime.date(2026, 1, 1) <= row.as_of <= datetime.date.today()
    assert row.verified == ("run" if row.kind == "vision" else "read")
    inspect.signature(catalog.TOKENS[row.rule]).bind(8, 480, 640, **row.parameters)
    assert row.sampling in ["", *RULES] and row.time in ["", *catalog.rows("time")]
    with pytest.raises(TypeError):
        row.parameters["cell"] = 1


def test_every_rule_of_tokens_is_used():
    assert {row.rule for row in catalog.rows("tokens").values()} == set(catalog.TOKENS)
    sampled = {row.sampling for row in catalog.rows("tokens").values()}
    assert set(RULES) - sampled == {"linspace-truncated", "transformers-qwen2", "pe-video", "minicpm-v-4.6-stack-2"}


@pytest.mark.parametrize("name", RULES)
def test_a_sampling_row_is_complete_dated_and_callable(name):
    row = catalog.row("sampling", name)
    assert row.name == name and row.title and row.about and row.source
    assert datetime.date(2026, 1, 1) <= row.as_of <= datetime.date.today()
    assert set(row.defaults) <= set(row.options) or not row.options
    bound = inspect.signature(catalog.SAMPLING[row.rule])
    bound.bind(
        100,
        30.0,
        **dict.fromkeys(row.options),
        **row.parameters,
        **{k: v for k, v in row.defaults.items() if k not in row.options},
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        row.rule = "steps"
    with pytest.raises(TypeError):
        row.defaults["fps"] = 3


def test_every_sampling_rule_is_used_by_some_row():
    assert {row.rule for row in catalog.rows("sampling").values()} == set(catalog.SAMPLING)


def test_a_row_of_hearsay_is_refused():
    with pytest.raises(ValueError, match="hearsay"):
        dataclasses.replace(catalog.row("sampling", "glm4v"), verified="hearsay")
    with pytest.raises(ValueError, match="unknown kind of video row 'prices'; the catalog has sampling, time, tokens"):
        catalog.rows("prices")
