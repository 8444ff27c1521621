"""Sequences that the peers' own code made once, kept as data with package and version: these tests need no peer."""

import json
from pathlib import Path

import numpy as np
import pytest

from mmtokedu.catalog import styles
from mmtokedu.catalog.listeners import listener_tokens
from mmtokedu.interleave import Audio, Image, Text, Video, interleave, read_prompt, runs
from mmtokedu.measured import results

pytestmark = pytest.mark.apart

GOLDEN = json.loads((Path(__file__).parent / "golden" / "interleave.json").read_text())
STYLES = {  # the peer's folder -> our style
    "qwen2_vl": "qwen2-vl", "qwen2_5_vl": "qwen2.5-vl", "qwen3_vl": "qwen3-vl", "glm4v": "glm-4.1v",
    "glm46v": "glm-4.6v", "llava_next": "llava-next", "llava_onevision": "llava-onevision", "internvl": "internvl",
    "gemma3": "gemma-3", "gemma4": "gemma-4", "idefics3": "idefics3", "smolvlm": "smolvlm", "idefics2": "idefics2",
    "paligemma": "paligemma", "minicpmv4_6": "minicpm-v-4.6",
}  # fmt: skip


def pictures(row, sizes):
    """The row's images as parts: by their size, or as the row says that they were cut."""
    grids = row["output"].get("image_grid_thw") if isinstance(row["output"], dict) else None
    if "no_split" in row["id"]:
        return [Image(grid=(0, 0))]
    if grids:  # the tiny processors have bounds of their own
        return [Image(grid=(rows // 2, cols // 2)) for _, rows, cols in grids]
    return [Image(height, width) for width, height in sizes]


def runs_of(row):
    style = STYLES[row["id"].split("/")[1]]
    sizes = row["input"]["images_wh"] or []
    sizes = sizes[0] if sizes and isinstance(sizes[0][0], list) else sizes
    if style == "paligemma":  # the row's text has no placeholder: the peer puts the images in front of it
        parts = [*pictures(row, sizes), row["input"]["text"]]
    else:
        parts = read_prompt(row["input"]["text"], pictures(row, sizes), style=style)
    sequence = interleave(parts, style=style)
    return style, sequence, runs(sequence.ids, style=style)


PROMPTS = [row for row in GOLDEN["prompts"] if "literal_placeholder" not in row["id"]]


@pytest.mark.parametrize("row", PROMPTS, ids=lambda row: row["id"])
def test_prompts_token_for_token(row):
    if isinstance(row["output"], str):
        with pytest.raises(ValueError, match=r"placeholders of images \(at [\d, ]+ of the prompt\), \d images given"):
            runs_of(row)
        return
    style, sequence, ours = runs_of(row)
    assert [list(run) for run in ours] == row["output"]["runs"]
    assert len(sequence.ids) == row["output"]["n_tokens"]
    kinds = row["output"].get("mm_token_type_ids_runs") or row["output"].get("token_type_ids_runs")
    if kinds and style != "paligemma":  # whose type ids tell prompt from answer
        starts = np.flatnonzero(np.diff(sequence.modality, prepend=-1))
        said = [[int(sequence.modality[a]), int(b - a)] for a, b in zip(starts, [*starts[1:], len(sequence.ids)])]
        assert said == kinds


def test_a_typed_placeholder_is_text():
    """The peer's opt-in and our default agree; what the peer gives the first image to, we refuse."""
    safe, silent = (row for row in GOLDEN["prompts"] if "literal_placeholder" in row["id"])
    sequence = interleave([Image(grid=(2, 3)), "what is <|image_pad|> ?"], style="qwen2-vl")
    assert [list(run) for run in runs(sequence.ids, style="qwen2-vl")] == safe["output"]["runs"]
    assert silent["output"]["runs"][1] == ["<|image_pad|>", 6]
    with pytest.raises(ValueError, match="stands alone at 8 of the prompt.*did a user type it"):
        read_prompt(silent["input"]["text"], [Image(64, 96), Image(56, 56)], style="qwen2-vl")


STUBS = {  # row -> style, part, what the row calls our tokens, how many of our runs stand around what it replaced
    "qwen3_vl/video_5frames_odd": ("qwen3-vl-vllm", Video(range(5), 1.0, tokens=(6, 6, 6)), {"<|vision_start|>": "<vs>", "<|vision_end|>": "<ve>", "<|video_pad|>": "<V>"}, 0),
    "glm4v(4.1V/4.5V)/video_8frames": ("glm-4.1v", Video(range(8), 2.0, tokens=(6,) * 4), {"<|image|>": "<I>"}, 1),
    "internvl/video_3frames": ("internvl", Video(range(3), 1.0, tokens=(256,) * 3), {"<IMG_CONTEXT>": "<C>"}, 0),
    "gemma4/video_3frames": ("gemma-4", Video((0, 600, 1199), 10.0, tokens=(66,) * 3), {"<|image>": "<b>", "<image|>": "<e>", "<|video|>": "<V>"}, 0),
    "gemma4/audio_mask_2_mel": ("gemma-4", Audio(tokens=1), {"<|audio>": "<a>", "<audio|>": "<z>", "<|audio|>": "<A>"}, 0),
    "gemma4/audio_mask_3_mel": ("gemma-4", Audio(tokens=1), {"<|audio>": "<a>", "<audio|>": "<z>", "<|audio|>": "<A>"}, 0),
    "gemma4/audio_mask_100_mel": ("gemma-4", Audio(tokens=25), {"<|audio>": "<a>", "<audio|>": "<z>", "<|audio|>": "<A>"}, 0),
    "gemma4/audio_mask_101_mel": ("gemma-4", Audio(tokens=26), {"<|audio>": "<a>", "<audio|>": "<z>", "<|audio|>": "<A>"}, 0),
    "kimi_k25/video_8frames": ("kimi-k2.5", Video([0, 14, 28, 42, 56, 70, 84, 98], 25.0, tokens=(6, 6)), {"<|kimi_k25_video_placeholder|>": "<V>"}, 0),
    "video_llama_3/3frames_masked": ("video-llama-3", Video(range(3), 1.0, tokens=(4, 1, 0)), {"<|video_pad|>": "<V>"}, 0),
    "muse_glimmer/video_4frames": ("muse-glimmer", Video(range(4), 2.0, tokens=(4, 4)), {"<|vid_start|>": "<vs>", "<|vid_end|>": "<ve>", "<|vid_frame_separator|>": "<sep>", "<|video|>": "<V>"}, 0),
    "minimax_m3_vl/video_4frames": ("minimax-m3", Video(range(4), 1.0, tokens=(4, 4)), {"]<]start of image[>[": "<s>", "]<]end of image[>[": "<e>", "]<]video[>[": "<V>"}, 0),
    "pixtral/64x96_merge2": ("mistral-small-3.1", Image(grid=(2, 3)), {}, 0),
    "smolvlm/video_3frames": ("smolvlm", Video((0, 600, 1199), 10.0, tokens=(64,) * 3, seconds=120.0), {"<fake_token_around_image>": "<fake>", "<global-img>": "<global>"}, 0),
    "deepseek_ocr2/1_crops": ("deepseek-ocr2", Image(grid=(1, 1)), {"<image>": "<I>"}, 0),
    "deepseek_ocr2/6_crops": ("deepseek-ocr2", Image(grid=(2, 3)), {"<image>": "<I>"}, 0),
    "llama4/aspect_2x2_336": ("llama-4", Image(grid=(2, 2)), {}, 0),
    "llama4/aspect_1x3_336": ("llama-4", Image(grid=(1, 3)), {}, 0),
    "nemotron_h_omni/video_5frames": ("nemotron-h-omni", Video((0, 15, 30, 45, 60), 30.0, tokens=(4, 4, 4)), {"<img>": "<s>", "</img>": "<e>", "<image>": "<I>"}, 0),
    "ernie4_5_vl/video_grid_8x4x6": ("ernie-4.5-vl", Video(range(8), grid=(4, 2, 3)), {"<|VIDEO_PLACEHOLDER|>": "<V>"}, 1),
}  # fmt: skip


def test_every_stub_is_told_which_part_it_is():
    assert {row["id"].removeprefix("interleave_stub/") for row in GOLDEN["stubs"]} == set(STUBS)


@pytest.mark.parametrize("row", GOLDEN["stubs"], ids=lambda row: row["id"])
def test_what_replaces_a_placeholder(row):
    style, part, called, around = STUBS[row["id"].removeprefix("interleave_stub/")]
    ours = runs(interleave([part], style=style).ids, style=style)
    ours = ours[around : len(ours) - around]
    assert [[called.get(what, what), count] for what, count in ours] == row["output"]["runs"]


RATES = {"qwen2_5_omni": 25, "qwen3_omni": 13}  # position ids a second; rows of Qwen3-Omni's class default have 25
WOVEN = [row for row in GOLDEN["woven"] if row["input"]["position_id_per_seconds"] == RATES[row["id"].split("/")[1]]]


@pytest.mark.parametrize("row", WOVEN, ids=lambda row: row["id"])
def test_sound_between_the_frames(row):
    """Ids of the released models; text is 100, 101, …"""
    style = {"qwen2_5_omni": "qwen2.5-omni", "qwen3_omni": "qwen3-omni"}[row["id"].split("/")[1]]
    assert styles.row(style).media["video"].rate == row["input"]["position_id_per_seconds"]
    names = {"<|vision_end|>": 151653, "<|audio_start|>": 151647, "<|audio_end|>": 151648, "<|audio_pad|>": 151646}
    parts = [made(part, style) for part in row["input"]["parts"]]
    sequence = interleave(parts, style=style, special=dict(styles.row(style).ids) | names)
    starts = np.flatnonzero(np.diff(sequence.ids, prepend=-1))
    ours = [[int(sequence.ids[a]), int(b - a)] for a, b in zip(starts, [*starts[1:], len(sequence.ids)])]
    assert ours == [list(run) for run in row["token_runs"]]


def made(part, style):
    """A part of the first survey: text, image, video or both; grids in patches, sound in mel frames."""
    kind, size, *more = part
    if kind == "t":
        return Text(np.arange(100, 100 + size))
    if kind == "a":
        return Audio(size / 100)
    grid = size[0], size[1] // 2, size[2] // 2
    if kind == "i":
        return Image(grid=grid[1:])
    indices = range(2 * grid[0])  # two frames a patch, so many seconds apart
    return Video(indices, 2 / more[0], grid=grid, sound=Audio(more[1] / 100) if kind == "av" else None)


SOUNDS = {"qwen2.5-omni": "qwen2_5_omni", "qwen3-omni": "qwen3_omni"}
SHORTEST = {"qwen2.5-omni": 3, "qwen3-omni": 2}  # in mel frames


@pytest.mark.parametrize("style", SOUNDS)
@pytest.mark.parametrize("row", GOLDEN["audio"], ids=lambda row: row["id"])
def test_sounds(row, style):
    """Mel frames are hundredths of a second. Of one or two Qwen2.5-Omni makes no token; of one Qwen3-Omni's rule makes
    one, but no spectrogram can be made of so short a sound."""
    mel, count = row["input"]["mel_frames"], row["output"][SOUNDS[style]]
    if mel < SHORTEST[style]:
        assert count == (style == "qwen3-omni")
        with pytest.raises(ValueError, match="makes no token of|refuses fewer than 201"):
            interleave([Audio(mel / 100)], style=style)
        return
    assert len(interleave([Audio(mel / 100)], style=style).ids) == count + 2
    assert listener_tokens(style, mel / 100) == count


# How many of all these rows agree, as chapters say


def golden_checks():
    """(kind, style, the check of one row, whether the peer refuses) of every golden row."""
    for row in PROMPTS:
        yield (
            "prompts",
            STYLES[row["id"].split("/")[1]],
            lambda row=row: test_prompts_token_for_token(row),
            isinstance(row["output"], str),
        )
    for row in GOLDEN["stubs"]:
        yield (
            "what replaces a placeholder",
            STUBS[row["id"].removeprefix("interleave_stub/")][0],
            lambda row=row: test_what_replaces_a_placeholder(row),
            False,
        )
    for row in WOVEN:
        style = {"qwen2_5_omni": "qwen2.5-omni", "qwen3_omni": "qwen3-omni"}[row["id"].split("/")[1]]
        yield "woven", style, lambda row=row: test_sound_between_the_frames(row), False
    for row in GOLDEN["audio"]:
        for style in SOUNDS:
            yield (
                "sounds",
                style,
                lambda row=row, style=style: test_sounds(row, style),
                row["input"]["mel_frames"] < SHORTEST[style],
            )


def test_how_many_rows_agree(counted):
    found = {}
    for kind, style, check, refused in golden_checks():
        counts = found.setdefault((kind, style), [0, 0, 0])
        try:
            check()
            counts[1 if refused else 0] += 1
        except AssertionError:
            counts[2] += 1
    for (kind, style), counts in sorted(found.items()):
        counted(kind, style, *counts)
    assert sum(map(sum, found.values())) == len(PROMPTS) + len(GOLDEN["stubs"]) + len(WOVEN) + 2 * len(GOLDEN["audio"])
    assert not any(disagreed for *_, disagreed in found.values())


def test_how_many_typed_placeholders_agree(counted):
    """Two rows: of a prompt that the peer was asked to sanitize, and of one that it was not."""
    safe, silent = (row for row in GOLDEN["prompts"] if "literal_placeholder" in row["id"])
    ours = runs(interleave([Image(grid=(2, 3)), "what is <|image_pad|> ?"], style="qwen2-vl").ids, style="qwen2-vl")
    same = [list(run) for run in ours] == safe["output"]["runs"]
    counted("typed placeholders", "qwen2-vl, sanitized", int(same), 0, int(not same))
    with pytest.raises(ValueError, match="stands alone"):
        read_prompt(silent["input"]["text"], [Image(64, 96), Image(56, 56)], style="qwen2-vl")
    refused = int(isinstance(silent["output"], str))
    why = "the peer puts the first image where the user typed the placeholder; here the prompt is refused"
    counted("typed placeholders", "qwen2-vl, as many as images", 0, refused, 1 - refused, why)
    assert same and not refused


def test_every_style_is_among_the_kept_counts():
    """Live alone, golden alone, both: what the chapter says of each; every row that was counted is one of these."""
    rows = results("interleave_parity")["rows"]
    per_style = {name: {row["asked"] for row in rows if row["name"] == name} for name in styles.rows()}
    alone = {which: {name for name, asked in per_style.items() if asked == {which}} for which in ("golden", "live")}
    assert alone == {"golden": {"qwen3-vl-vllm"}, "live": LIVE_ALONE} and all(per_style.values())
    assert {row["kind"] for row in rows if row["disagreed"]} == {"typed placeholders", "labels"}
    assert all(row["disagreed"] == 0 or row["why"] for row in rows)


LIVE_ALONE = {
    "llava-1.5", "gemma-3-pan-and-scan", "idefics2-split", "pixtral", "hunyuan-vl", "molmo2", "qwen2-audio",
    "phi-4-multimodal",
}  # fmt: skip
