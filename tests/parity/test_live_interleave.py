"""The same prompts through the real processors: ids one by one; and masks as the real models make them.

"Both refused" is counted as agreement: the peer and ours both say that placeholders and media are not as many.
"""

import itertools
import random
from importlib import import_module

import numpy as np
import pytest
from peers import load, needs
from peers_interleave import (
    GRIDS,
    PROCESSORS,
    TOKENS,
    clip_length,
    drawn_cases,
    drawn_clip,
    drawn_grid,
    drawn_media,
    encode,
    ids_of_tokens,
    listener,
    peer_answer,
    peer_clip,
    peer_mixed,
    peer_picture,
    peer_sequence,
    peer_woven,
    processor,
    prompt,
)

from mmtokedu.catalog import styles
from mmtokedu.interleave import (
    Audio,
    Image,
    Text,
    Video,
    attention_mask,
    chat,
    interleave,
    mask_mod,
    pack,
    read_prompt,
    runs,
    visible,
)

pytestmark = pytest.mark.filterwarnings("ignore")
SLOW = {"internvl": 9, "idefics3": 8, "smolvlm": 8, "llava-onevision": 9, "llava-next": 12, "gemma-3": 9, "gemma-4": 9,
        "gemma-3-pan-and-scan": 8, "paligemma": 12}  # fmt: skip
SIDES = {"gemma-3-pan-and-scan": (200, 900), "minicpm-v-4.6": (200, 1000)}  # up to where they cut
FEATURES_ALONE = set(PROCESSORS) - {"internvl", "idefics3", "idefics2", "idefics2-split", "paligemma"}


def said(*rows):
    """Rows of ids in a form that a message can show: 258x6 is six times 258."""
    return [" ".join(f"{i}x{len(list(group))}" for i, group in itertools.groupby(row)) for row in rows]


@pytest.mark.parametrize("style", PROCESSORS)
def test_prompts(compare, style):
    """Read from the prompt and built from parts; where the peer marks features alone, their kinds too."""
    needs(processor, style)
    special = ids_of_tokens(style)

    def theirs(texts, sizes):
        ids, kinds = peer_sequence(style, list(texts), list(sizes))
        return said(ids, kinds if style in FEATURES_ALONE else [])

    def ours(texts, sizes):
        media = [Image(height, width) for height, width in sizes]
        read = read_prompt(prompt(style, texts), media, style=style)
        sequence = interleave(read, style=style, encode=encode(style), special=special)
        parts = [text for pair in zip(texts, [*media, ""], strict=True) for text in pair]
        built = interleave(parts, style=style, encode=encode(style), special=special)
        np.testing.assert_array_equal(sequence.ids, built.ids)
        return said(sequence.ids.tolist(), sequence.modality.tolist() if style in FEATURES_ALONE else [])

    cases = list(drawn_cases(style, SLOW.get(style, 16), 11, SIDES.get(style, (20, 300))))
    compare(f"prompts, {style}", ours, theirs, cases)


def part_of(style, kind, what):
    """A medium of `drawn_media` as one of our parts."""
    if kind == "audio":
        return Audio(tokens=what)
    if kind == "image":
        return Image(tokens=(256 * what[0] * what[1],)) if style == "internvl" else Image(grid=what)
    indices, video_fps, tokens = what
    if style == "llava-onevision":  # of any picture as many
        return Video(indices, video_fps, 384, 384)
    spans = -(-len(indices) // (1 if style in FRAME_BY_FRAME else clip_length(style)))
    grid = (spans, 1, tokens) if style != "ernie-4.5-vl" else (1, 1, spans * tokens // 2)
    return Video(indices, video_fps, grid=grid, seconds=1000.0)


@pytest.mark.parametrize("style", GRIDS)
def test_pictures_of_any_grid(compare, style):
    needs(peer_picture, style, *((2, 3, 2, 3) if style == "molmo2" else (2, 3)))
    draw, special = random.Random(3), ids_of_tokens(style)
    grids = [drawn_grid(style, draw) for _ in range(60)]

    def ours(*grid):
        return said(
            interleave([part_of(style, "image", grid)], style=style, encode=encode(style), special=special).ids.tolist()
        )

    compare(f"grids, {style}", ours, lambda *grid: said(encode(style)(peer_picture(style, *grid))), grids)


FRAME_BY_FRAME = "internvl", "gemma-4", "molmo2", "video-llama-3", "smolvlm"
CLIPS = [style for style in TOKENS if "video" in styles.row(style).media and "omni" not in style] + ["nemotron-h-omni"]


def enough(style, clip):
    """ERNIE's processor halves what a clip has: a clip of one token has none."""
    return style != "ernie-4.5-vl" or -(-len(clip[0]) // 2) * clip[2] >= 2


@pytest.mark.parametrize("style", CLIPS)
def test_clips(compare, style):
    needs(peer_clip, style, [0, 15], 30.0, 4)
    draw, special = random.Random(4), ids_of_tokens(style)
    clips = [drawn_clip(style, draw, draw.randint(1, 12)) for _ in range(60)]

    def ours(*clip):
        return said(
            interleave([part_of(style, "video", clip)], style=style, encode=encode(style), special=special).ids.tolist()
        )

    clips = [clip for clip in clips if enough(style, clip)]
    compare(f"clips, {style}", ours, lambda *clip: said(encode(style)(peer_clip(style, *clip))), clips)


MIXED = [style for style in TOKENS if style != "llava-onevision"]  # of which an image needs its pixels


@pytest.mark.parametrize("style", MIXED)
def test_media_in_any_order(compare, style):
    """Prompts with none to five media of all kinds, and with a medium too few or too many, which both refuse."""
    needs(peer_mixed, style, "", ())
    special, cases = ids_of_tokens(style), []
    for texts, kinds, media in drawn_media(style, 48, 12):
        checked = style != "nemotron-h-omni" or tuple(kind for kind, _ in media) == kinds  # which does not count them
        if checked and all(enough(style, what) for kind, what in media if kind == "video"):
            cases.append((texts, kinds, media))

    def ours(texts, kinds, media):
        parts = read_prompt(prompt(style, texts, kinds), [part_of(style, *medium) for medium in media], style=style)
        return said(interleave(parts, style=style, encode=encode(style), special=special).ids.tolist())

    def theirs(texts, kinds, media):
        return said(encode(style)(peer_mixed(style, prompt(style, texts, kinds), media)))

    compare(f"media in any order, {style}", ours, theirs, cases)


@pytest.mark.parametrize("style", ["qwen2.5-omni", "qwen3-omni"])
def test_sound_woven_into_clips(compare, style):
    needs(peer_woven, style, (2, 1, 1), 1.0, 25)
    draw, special, clips = random.Random(5), ids_of_tokens(style), []
    for _ in range(80):
        grid = draw.randint(1, 12), draw.randint(1, 3), draw.randint(1, 3)
        clips.append((grid, draw.choice([0.25, 0.5, 1.0, 2.0, 8.0, 1 / 3]), draw.randint(1, 200)))

    def ours(grid, seconds, sounds):
        clip = Video(range(2 * grid[0]), 2 / seconds, grid=grid, sound=Audio(tokens=sounds))
        return said(interleave([clip], style=style, encode=encode(style), special=special).ids.tolist()[1:-1])

    compare(f"woven, {style}", ours, lambda *clip: said(encode(style)(peer_woven(style, *clip))), clips)


def test_a_typed_placeholder():
    """The peer's own words for four prompts in which a user types one, and what is made of them here."""
    needs(processor, "qwen2-vl")
    load("transformers")
    from PIL import Image as PillowImage

    typed = "what is <|image_pad|> ? <|vision_start|><|image_pad|><|vision_end|>"
    one = [PillowImage.new("RGB", (96, 64))]
    with pytest.raises(ValueError, match=r"Found total 2 <\|image_pad\|> tokens and 1 images"):
        peer_answer("qwen2-vl", typed, one)
    ids, _ = peer_answer("qwen2-vl", typed, [*one, PillowImage.new("RGB", (56, 56))])
    assert runs(ids, style="qwen2-vl")[1] == ("<|image_pad|>", 6)  # the first image, where the user typed
    settings = {"style": "qwen2-vl", "encode": encode("qwen2-vl"), "special": ids_of_tokens("qwen2-vl")}
    sequence = interleave(["what is <|image_pad|> ? ", Image(64, 96)], **settings)
    assert runs(sequence.ids, style="qwen2-vl")[0] == ("what is <|image_pad|> ? ", 1)


# Masks


def gemma_masks(kinds, window, folder="gemma3"):
    """{"full_attention", "sliding_attention"} -> bool (N, N) of Gemma 3, or 4, for such type ids."""
    torch = load("torch")
    module = import_module(f"transformers.models.{folder}.modeling_{folder}")
    config = import_module("transformers.models.gemma3.configuration_gemma3").Gemma3TextConfig(
        num_hidden_layers=2, sliding_window=window, layer_types=["full_attention", "sliding_attention"]
    )
    config._attn_implementation = "eager"
    blocks = module.get_block_sequence_ids_for_mask(torch.tensor([kinds]), device="cpu")
    made = module.create_masks_for_vision_model(
        config=config, inputs_embeds=torch.zeros(1, len(kinds), 4), attention_mask=None, past_key_values=None,
        position_ids=None, block_sequence_ids=blocks,
    )  # fmt: skip
    return {name: (mask[0, 0] == 0).numpy() for name, mask in made.items()}


def transformers_mask(kind, tokens, **more):
    """A mask of masking_utils, bool (N, N)."""
    torch, utils = load("torch"), import_module("transformers.masking_utils")
    config = import_module("transformers.models.gemma3.configuration_gemma3").Gemma3TextConfig(
        sliding_window=more.pop("window", 4)
    )
    config._attn_implementation = "eager"
    make = getattr(utils, f"create_{kind}_mask")
    mask = make(
        config=config, inputs_embeds=torch.zeros(1, tokens, 4), attention_mask=None, past_key_values=None, **more
    )
    return (mask[0, 0] == 0).numpy()


def drawn_sequences(style, count, seed):
    draw = random.Random(seed)
    for _ in range(count):
        parts = []
        for _ in range(draw.randint(1, 4)):
            parts += [draw.choice(["a", "bc", "def "]), Image(tokens=draw.randint(1, 7))]
        yield interleave([*parts, "end"], style=style)


def test_masks_of_gemma_3(compare):
    needs(gemma_masks, [0, 1, 1, 0], 3)
    sequences = list(drawn_sequences("gemma-3", 40, 6))
    for name, window in (("full_attention", None), ("sliding_attention", 5), ("sliding_attention", 1)):
        compare(
            f"masks, Gemma 3, {f'window of {window}' if window else 'global'}",
            lambda i: attention_mask(sequences[i], "whole-images", window=window).tolist(),  # noqa: B023
            lambda i: gemma_masks(sequences[i].modality.tolist(), window or 5)[name].tolist(),  # noqa: B023
            list(range(len(sequences))),
        )


def test_masks_of_gemma_4(compare):
    """The same pictures: here its layers without a window are causal all through."""
    needs(gemma_masks, [0, 1, 1, 0], 3, "gemma4")
    sequences = list(drawn_sequences("gemma-4", 20, 6))
    for name, rule, window in (("full_attention", "causal", None), ("sliding_attention", "whole-images", 5)):
        compare(
            f"masks, Gemma 4, {f'window of {window}' if window else 'global'}",
            lambda i: attention_mask(sequences[i], rule, window=window).tolist(),  # noqa: B023
            lambda i: gemma_masks(sequences[i].modality.tolist(), window or 5, "gemma4")[name].tolist(),  # noqa: B023
            list(range(len(sequences))),
        )


def test_masks_of_paligemma(compare):
    """Prefix: what is not learned; its type ids are 0 there and 1 behind."""
    torch = needs(load, "torch")
    needs(transformers_mask, "causal", 3)
    draw = random.Random(7)
    sequences = [
        interleave([Image(tokens=draw.randint(1, 9)), "what?" * draw.randint(0, 2), Text("a" * draw.randint(0, 6), learn=True)],
                   style="paligemma")
        for _ in range(40)
    ]  # fmt: skip

    def theirs(i):
        blocks = torch.tensor([np.where(sequences[i].labels < 0, 0, -1).tolist()])
        return transformers_mask("causal", len(sequences[i].ids), block_sequence_ids=blocks).tolist()

    compare(
        "masks, PaliGemma, prefix", lambda i: attention_mask(sequences[i], "prefix").tolist(), theirs, list(range(40))
    )


def test_masks_of_packed_documents(compare):
    torch = needs(load, "torch")
    needs(transformers_mask, "causal", 3)
    packed = [pack(drawn_sequences("llava-1.5", 1 + i % 4, i)) for i in range(40)]

    def theirs(i, kind="causal", **more):
        position_ids = torch.tensor([packed[i].positions.tolist()])
        return transformers_mask(kind, len(packed[i].ids), position_ids=position_ids, **more).tolist()

    compare("masks, packed documents", lambda i: attention_mask(packed[i]).tolist(), theirs, list(range(40)))
    compare(
        "masks, packed documents, window of 4",
        lambda i: attention_mask(packed[i], window=4).tolist(),
        lambda i: theirs(i, "sliding_window_causal", window=4),
        list(range(40)),
    )


def test_masks_that_are_causal(compare):
    needs(transformers_mask, "causal", 3)
    sequences = list(drawn_sequences("qwen2-vl", 40, 10))
    for window in (None, 4):
        kind = "sliding_window_causal" if window else "causal"
        compare(
            f"masks, {f'causal, window of {window}' if window else 'causal'}",
            lambda i: attention_mask(sequences[i], window=window).tolist(),  # noqa: B023
            lambda i: transformers_mask(kind, len(sequences[i].ids), window=window or 4).tolist(),  # noqa: B023
            list(range(len(sequences))),
        )


FLEX = {  # name -> rule, window
    "causal": ("causal", None),
    "whole images": ("whole-images", None),
    "whole images, window of 6": ("whole-images", 6),
    "prefix": ("prefix", None),
    "packed documents": ("causal", None),
}


@pytest.mark.parametrize("name", FLEX)
def test_masks_as_flex_attention_reads_them(compare, name):
    """create_mask calls the function for every pair; its table is the array's."""
    torch = needs(load, "torch")
    flex = import_module("torch.nn.attention.flex_attention")
    rule, window = FLEX[name]
    sequences = list(drawn_sequences("gemma-3", 20, 8))
    if name == "prefix":
        parts = lambda i: [Image(tokens=1 + i % 7), "what?", Text("a" * i, learn=True)]
        sequences = [interleave(parts(i), style="paligemma") for i in range(20)]
    if name == "packed documents":
        sequences = [pack(sequences[i : i + 3]) for i in range(18)]

    def asked(i):
        seen = torch.from_numpy(visible(sequences[i], rule, window=window))
        return flex.create_mask(mask_mod(seen), 1, 1, len(seen), len(seen), device="cpu")[0, 0].tolist()

    ours = lambda i: attention_mask(sequences[i], rule, window=window).tolist()
    compare(f"FlexAttention, {name}", ours, asked, list(range(len(sequences))))


# What is learned


def labels_by_token(ids, assistant, newline, end, opening=None):
    """The rule of the authors' fine-tuning code: from behind `assistant` and the newline to `end` and one more.

    opening is the token that has to stand before `assistant`; the first release asked for none.
    """
    labels = np.full(len(ids), -100)
    at = 0
    while at < len(ids):
        if ids[at] == assistant and (opening is None or (at and ids[at - 1] == opening)):
            stop = next((i for i in range(at + 2, len(ids)) if ids[i] == end), None)
            if stop is not None:
                labels[at + 2 : stop + 2] = ids[at + 2 : stop + 2]
                at = stop
        at += 1
    return labels


def worded(text):
    """A tokenizer with one token for "assistant" and for a newline, the rest bytes."""
    ids = []
    for i, bit in enumerate(text.split("assistant")):
        ids += ([1000] if i else []) + [ord(c) if ord(c) < 256 else 63 for c in bit]
    return ids


def drawn_chats(count, seed, words):
    """Conversations of a user who shows pictures and an assistant who answers, now and then with nothing."""
    draw = random.Random(seed)
    for _ in range(count):
        messages = [("system", "You help.")] if draw.random() < 0.3 else []
        for _ in range(draw.randint(1, 4)):
            pictures = [Image(grid=(draw.randint(1, 4), draw.randint(1, 4))) for _ in range(draw.randint(0, 2))]
            messages += [
                ("user", [*pictures, draw.choice(words)]),
                ("assistant", draw.choice(["A cat.", "", "Yes,\nit is."])),
            ]
        yield chat(messages, style="qwen2-vl", reply=draw.random() < 0.3)


def labels_of(parts):
    """(our labels, those of the authors' first rule, those of today's) for a chat."""
    special = ids_of_words()
    sequence = interleave(parts, style="qwen2-vl", encode=worded, special=special)
    by = [
        labels_by_token(sequence.ids, 1000, 10, special["<|im_end|>"], opening)
        for opening in (None, special["<|im_start|>"])
    ]
    return sequence.labels.tolist(), *(labels.tolist() for labels in by)


def test_learned_answers_as_the_authors_mark_them(compare):
    chats = [labels_of(parts) for parts in drawn_chats(40, 14, ["What is it?", "Sure?", "<|im_end|>", "\n"])]
    for which, name in ((1, "by one token, clean chats"), (2, "by two tokens, clean chats")):
        compare(f"labels, {name}", lambda i: chats[i][0], lambda i: chats[i][which], list(range(40)), asked="read")  # noqa: B023


def test_how_often_one_token_is_wrong(counted, compare):
    """Chats whose users say the word: by one token all of them teach the model the user's text, by two tokens none."""
    chats = [labels_of(parts) for parts in drawn_chats(40, 15, ["Ask the assistant for help.", "an assistant?"])]
    compare(
        "labels, by two tokens, users who say assistant",
        lambda i: chats[i][0],
        lambda i: chats[i][2],
        list(range(40)),
        asked="read",
    )
    apart = sum(ours != first for ours, first, _ in chats)
    counted("labels", "by one token, users who say assistant", 40 - apart, 0, apart, WHY_ONE_TOKEN, asked="read")
    assert apart == 40


WHY_ONE_TOKEN = "the authors' first rule takes any token of the word for the beginning of an answer"


def ids_of_words():
    return {token: 2000 + i for i, token in enumerate((*styles.row("qwen2-vl").tokens, "<|im_start|>", "<|im_end|>"))}


def test_a_user_who_says_assistant():
    """The rule by one token alone teaches the model the user's words; by structure it does not."""
    special = ids_of_words()
    parts = chat([("user", "Ask the assistant for help."), ("assistant", "Yes.")], style="qwen2-vl")
    sequence = interleave(parts, style="qwen2-vl", encode=worded, special=special)
    first = labels_by_token(sequence.ids, 1000, 10, special["<|im_end|>"])
    now = labels_by_token(sequence.ids, 1000, 10, special["<|im_end|>"], special["<|im_start|>"])
    learned = "".join(chr(i) for i in first[first >= 0] if i < 256)
    assert "for help." in learned
    np.testing.assert_array_equal(sequence.labels, now)
    assert (sequence.labels >= 0).sum() == len("Yes.") + 2


def test_sounds(compare):
    """Qwen2-Audio's whole processor, Whisper's features included."""
    style = "qwen2-audio"
    peer = needs(listener)
    special, draw = ids_of_tokens(style), random.Random(9)
    written = styles.row(style).media["audio"].prompt
    cases = [(i % 6, tuple(round(draw.uniform(0.1, 33), 2) for _ in range(i % 6 + (i > 8)))) for i in range(12)]

    def theirs(placeholders, seconds):
        waves = [np.zeros(round(s * 16000), np.float32) for s in seconds]
        asked = {"audio": waves, "sampling_rate": 16000} if waves else {}
        return said(peer(text=["a" + "b".join([written] * placeholders)], **asked)["input_ids"][0])

    def ours(placeholders, seconds):
        parts = read_prompt("a" + "b".join([written] * placeholders), [Audio(s) for s in seconds], style=style)
        return said(interleave(parts, style=style, encode=encode(style), special=special).ids.tolist())

    compare("sounds, qwen2-audio", ours, theirs, cases)
