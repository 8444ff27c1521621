"""The same clips through the real packages: indices one by one, sizes and tokens exactly.

"Both refused" is counted as agreement: the peer crashes, takes a frame that is not there or none at all, we raise
ValueError.
"""

import math
import random

import numpy as np
import pytest
from peers import hf, load, needs
from peers_video import (
    LABELS,
    LONGEST,
    SAMPLING,
    TOKENS,
    drawn_clips,
    drawn_sizes,
    ernie_label,
    module_of,
    peer_frames,
    peer_label_string,
    peer_tokens,
)
from peers_video import (
    difference_mask as peer_mask,
)

from mmtokedu.catalog import video as catalog
from mmtokedu.video import (
    clip_resize,
    difference_mask,
    sample_frames,
    timestamp_labels,
    timestamp_text,
    timestamps,
    video_tokens,
)


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


def drawn_samples(count, seed):
    """(indices, frames a second) of sampled clips, odd counts and hours among them."""
    draw = random.Random(seed)
    for _ in range(count):
        video_fps = draw.choice([30.0, 29.97, 25.0, 23.976, 10.0, 1.0])
        step = draw.choice([1, 12, 15, 30, 33, 1000])
        yield [i * step + draw.randint(0, step - 1) for i in range(draw.randint(1, 40))], video_fps


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("style", LABELS)
def test_labels(compare, style):
    needs(peer_label_string, style, [0, 15], 30.0)
    around = LABELS[style][2]

    def ours(indices, video_fps):
        text = "".join(around.format(label) for label in timestamp_labels(indices, video_fps, style))
        return text.removesuffix("," if style == "video-llama-3" else " " if style in ("gemma-4", "molmo2") else "\n")

    def theirs(indices, video_fps):
        text = peer_label_string(style, indices, video_fps)
        return "\n" + text.partition("\n\n")[2].removesuffix("\n\n") if style == "smolvlm" else text

    compare(f"labels, {style}", lambda *clip: [ours(*clip)], lambda *clip: [theirs(*clip)], list(drawn_samples(200, 7)))


@pytest.mark.filterwarnings("ignore")
def test_drawn_labels(compare):
    needs(ernie_label, 0.0)
    seconds = [i / fps for indices, fps in drawn_samples(20, 8) for i in indices]
    compare("labels, ernie-4.5-vl", lambda t: [timestamp_text(t, "ernie-4.5-vl")], lambda t: [ernie_label(t)], seconds)


@pytest.mark.filterwarnings("ignore")
def test_timestamps(compare):
    module = needs(hf, "qwen3_vl.processing_qwen3_vl")
    peer = object.__new__(module.Qwen3VLProcessor)
    for merge in (1, 2, 3, 4):
        compare(
            f"timestamps of patches of {merge}",
            lambda indices, fps: timestamps(indices, fps, merge).tolist(),  # noqa: B023
            lambda indices, fps: peer._calculate_timestamps(list(indices), fps, merge),  # noqa: B023
            list(drawn_samples(200, 9)),
        )


def test_a_second_call_on_the_same_list_sees_what_the_first_one_added():
    """Qwen3-VL's processor pads the caller's own list: [0, 1, 2] has four frames afterwards. Ours is left alone."""
    module = needs(hf, "qwen3_vl.processing_qwen3_vl")
    indices = [0, 1, 2]
    object.__new__(module.Qwen3VLProcessor)._calculate_timestamps(indices, 1.0, 2)
    assert indices == [0, 1, 2, 2]
    ours = [0, 1, 2]
    timestamps(ours, 1.0, 2)
    assert ours == [0, 1, 2]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("model", TOKENS)
def test_tokens(compare, model):
    theirs = needs(peer_tokens, model)
    needs(theirs, 8, 480, 640)  # what it offers asks for its package only when it is called
    compare(f"tokens, {model}", lambda *clip: video_tokens(model, *clip), theirs, drawn_sizes(300))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("low, high", [(4096, 25165824), (131072, 786432), (12544, 47040000), (10**6, 2 * 10**6)])
def test_clip_resize(compare, low, high):
    module = needs(module_of, "transformers-qwen3")
    for temporal in (1, 2, 4):
        bounds = {"factor": 28, "min_pixels": low, "max_pixels": high}
        compare(
            f"clip_resize, {low} to {high}, {temporal} frames a patch",
            lambda *clip: clip_resize(*clip, temporal=temporal, **bounds),  # noqa: B023
            lambda *clip: module.smart_resize(*clip, temporal_factor=temporal, **bounds),  # noqa: B023
            drawn_sizes(200, seed=2),
        )


@pytest.mark.filterwarnings("ignore")
def test_pixels_that_do_not_change(capsys):
    """Masks token by token; where theirs differs, the mean difference lies on the threshold within a float32's last bits."""
    needs(peer_mask, np.zeros((2, 3, 4), np.float32), 0.1, 1)
    draw = np.random.default_rng(0)
    agreed = near = 0
    for _ in range(300):
        frames, tokens, width = (int(n) for n in draw.integers([1, 1, 1], [9, 40, 300]))
        pixels = draw.choice(np.float32([0.0, 1e-4, 3e-4, 1e-3]), (frames, tokens, 1)).cumsum(axis=0)
        pixels = pixels + np.float32(2e-5) * draw.standard_normal((frames, tokens, width), dtype=np.float32)
        least = int(draw.integers(0, tokens + 1))
        ours, theirs = difference_mask(pixels, 0.1, least), peer_mask(pixels, 0.1, least)
        changed = np.abs(np.diff(pixels.astype(np.float64), axis=0)).mean(axis=-1) * 255
        on_it = np.concatenate([np.zeros((1, tokens), bool), np.abs(changed - 0.1) < 1e-5])
        apart = (ours != theirs) & ~on_it.any(axis=1, keepdims=True)
        agreed, near = agreed + int((ours == theirs).sum()), near + int((ours != theirs).sum())
        assert not apart.any()
    with capsys.disabled():
        print(f"\n  difference_mask, tokens{'':20} {agreed:7} agreed {near:5} on the threshold     0 disagreed", end="")


# What the catalog says of clips that a peer fails on.


def peers_own_words(call, *arguments, **options):
    """The type and first line of the error that a call ends with."""
    try:
        call(*arguments, **options)
    except Exception as error:  # a peer may fail in any way
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return "an answer"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "rule, clip, said",
    [
        ("qwen-vl-utils", (1, 30.0), "ValueError: nframes should in interval [2, 1], but got 0."),
        ("transformers-qwen2", (1, 30.0), "ZeroDivisionError: division by zero"),
        ("transformers-qwen2", (1494, 25.0), "IndexError: index 1494 is out of bounds for dimension 0 with size 1494"),
        (
            "internvl",
            (7, 30.0),
            "ValueError: Video can't be sampled. The `num_frames=8` exceeds `total_num_frames=7`. ",
        ),
        ("glm46v", (2, 30.0), "ValueError: an empty list of indices"),
        ("glm5-next", (7, 30.0), "ValueError: an empty list of indices"),
    ],
)
def test_how_a_peer_fails(rule, clip, said):
    needs(peer_frames, "transformers-qwen3", 300, 30.0)
    assert peers_own_words(peer_frames, rule, *clip) == said
    with pytest.raises(ValueError, match=rule):
        sample_frames(*clip, rule=rule)


@pytest.mark.filterwarnings("ignore")
def test_what_an_empty_list_ends_in():
    """GLM-4.6V's next step refuses it, far from the cause; GLM5-next's gives no frames a size."""
    resize = needs(module_of, "glm46v").smart_resize
    assert peers_own_words(resize, 0, 480, 640) == "ValueError: t:0 must be larger than temporal_factor:2"
    assert peers_own_words(module_of("glm5-next").smart_resize, 0, 480, 640) == "an answer"


@pytest.mark.filterwarnings("ignore")
def test_how_often_a_float_range_is_one_too_long():
    """Clips of 10 to 20,000 frames at six usual rates, two frames a second: 62 of 17,136 end with an index that is not there."""
    torch = needs(load, "torch")
    clips = [(total, rate) for rate in (30.0, 29.97, 25.0, 24.0, 23.976, 60.0) for total in range(10, 20_000, 7)]
    long = refused = 0
    for total, rate in clips:
        count = len(sample_frames(total, rate))  # the same count
        long += len(torch.arange(0, total, total / count)) > count
        try:
            sample_frames(total, rate, rule="transformers-qwen2")
        except ValueError:
            refused += 1
    assert (len(clips), long, refused) == (17136, 62, 62)


@pytest.mark.filterwarnings("ignore")
def test_a_line_in_float32_depends_on_the_processor():
    """torch.linspace rounds its second half once where the CPU has a fused multiply-add, else twice: ours does it once."""
    torch = needs(load, "torch")
    line = catalog._torch_linspace(16_493, 730)
    theirs = torch.linspace(0, 16_493, 730).numpy()
    step, i = np.float32(16_493) / np.float32(729), np.arange(365, 730)
    twice = np.float32(16_493) - step * (729 - i).astype(np.float32)
    assert (twice != line[365:]).any()
    np.testing.assert_array_equal(theirs[:365], line[:365])
    assert any(np.array_equal(theirs[365:], second) for second in (line[365:], twice))
