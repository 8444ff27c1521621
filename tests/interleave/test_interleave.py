"""One sequence from many parts: worked by hand, and what must hold for every style, every prompt and every limit."""

import datetime
import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmtokedu import interleave as module
from mmtokedu.catalog import styles
from mmtokedu.catalog.images import image_plan
from mmtokedu.interleave import (
    AUDIO,
    IMAGE,
    NOT_LEARNED,
    TEXT,
    VIDEO,
    Audio,
    Image,
    Text,
    Video,
    add_modality,
    attention_mask,
    chat,
    chunk,
    embed,
    expand,
    find_spans,
    interleave,
    mask_mod,
    pack,
    read_prompt,
    runs,
    truncate,
    visible,
)

STYLES = list(styles.rows())


def an_image(style, n=4):
    """A small picture, as the style's layout asks for it."""
    layout = styles.row(style).media["image"].layout
    if layout == "small_and_large":
        return Image(grid=(1, 2, 2, n))
    if layout == "slices":
        return Image(grid=(1, 2), tokens=(n, 2, 2))
    return Image(grid=(1, n))


# A placeholder becomes a run


def test_expand_by_hand():
    """The request: an invoice of six tokens and a question of three letters, then an icon of one."""
    ids, spans = expand([1, 99, 2, 3, 4, 99], 99, [6, 1])
    assert ids.tolist() == [1, 99, 99, 99, 99, 99, 99, 2, 3, 4, 99]
    assert spans.tolist() == [[1, 7], [10, 11]]


def test_expand_leaves_what_it_does_not_know():
    ids, spans = expand([5, 6], 99, [])
    assert ids.tolist() == [5, 6] and spans.shape == (0, 2)
    ids, spans = expand([], 99, [])
    assert ids.shape == (0,) and ids.dtype == spans.dtype == np.int64


@given(st.lists(st.integers(0, 3), max_size=40), st.data())
def test_expand_and_find_spans_agree(ids, data):
    lengths = [data.draw(st.integers(1, 9)) for i in ids if i == 3]
    expanded, spans = expand(ids, 3, lengths)
    assert len(expanded) == len(ids) - len(lengths) + sum(lengths)
    assert [i for i in expanded if i != 3] == [i for i in ids if i != 3]
    np.testing.assert_array_equal(find_spans(expanded, 3, lengths), spans)


@pytest.mark.parametrize(
    "ids, lengths, said",
    [
        ([99, 1], [2, 3], r"1 placeholders 99 \(at 0\) for 2 lengths; give one length for each"),
        ([1], [2], r"0 placeholders 99 \(at no place\) for 1 lengths"),
        ([99] * 64, [64], r"64 placeholders 99 \(at 0, 1, 2, 3, 4, …\) for 1 lengths; 63 of them.*expanded before"),
        ([99], [0], r"lengths\[0\] is 0; each must be at least 1"),
        ([99], [-2], r"lengths\[0\] is -2"),
        ([99], [2**31], "add up to 2147483648"),
        ([[99]], [1], r"ids have shape \(1, 1\)"),
        ([-200], [1], "ids hold -200"),
    ],
)
def test_expand_refuses(ids, lengths, said):
    with pytest.raises(ValueError, match=said):
        expand(ids, 99, lengths)


def test_expanded_twice_is_noticed():
    """A pipeline that expanded what was expanded already: one placeholder more becomes 64 each time."""
    ids = np.array([99])
    for length in (64, 127, 190):
        ids = np.concatenate([np.full(64, 99), ids[1:]])  # one placeholder of those there becomes 64
        assert len(ids) == length
        with pytest.raises(ValueError, match="expanded before"):
            expand(ids, 99, [64])


def test_lengths_are_whole_numbers():
    with pytest.raises(TypeError, match="no medium has 10.5 tokens"):
        expand([99], 99, [10.5])


@pytest.mark.parametrize(
    "ids, lengths, said",
    [
        ([99, 99, 99], [2], r"3 tokens 99 for 1 media of \[2\], 2 in all"),
        ([99, 1, 99, 99], [2, 1], r"medium 0 has 2 tokens, and a run of 99 ends inside it: \[0 3\]"),
    ],
)
def test_find_spans_refuses(ids, lengths, said):
    with pytest.raises(ValueError, match=said):
        find_spans(ids, 99, lengths)


# Sequences


def test_a_sequence_by_hand():
    parts = ["a", Image(tokens=2), Text("b", learn=True), Image(tokens=1)]
    sequence = interleave(parts, style="qwen2-vl", named=True)
    assert runs(sequence.ids, style="qwen2-vl") == [
        ("aPicture 1: ", 1), ("<|vision_start|>", 1), ("<|image_pad|>", 2), ("<|vision_end|>", 1),
        ("bPicture 2: ", 1), ("<|vision_start|>", 1), ("<|image_pad|>", 1), ("<|vision_end|>", 1),
    ]  # fmt: skip
    assert sequence.spans.tolist() == [[13, 15], [29, 30]]
    assert sequence.names == ("Picture 1", "Picture 2") and sequence.media.tolist() == [0, 1]
    assert sequence.extents.tolist() == [[1, 16], [17, 31]]
    assert np.flatnonzero(sequence.labels != NOT_LEARNED).tolist() == [16] and sequence.labels[16] == ord("b")
    assert np.flatnonzero(sequence.modality == IMAGE).tolist() == [13, 14, 29]
    assert sequence.positions.tolist() == list(range(31))


@pytest.mark.parametrize("style", STYLES)
def test_every_style_keeps_its_books(style):
    """Spans hold the repeated tokens and nothing else does; extents hold the spans; text comes through unchanged."""
    system = styles.row(style)
    parts, kinds = ["a"], []
    if "image" in system.media:
        parts, kinds = [*parts, an_image(style), "b\n", an_image(style, 3)], [IMAGE, IMAGE]
    if "video" in system.media:
        count = 2 if system.media["video"].layout != "run" else 1
        time = system.media["video"].time
        frames = 2 if time in ("internvl", "gemma-4", "molmo2", "video-llama-3", "smolvlm") else 4
        frames = 8 if time == "kimi-k2.5" else frames
        parts, kinds = [*parts, Video(range(frames), 2.0, tokens=(3,) * count), "c"], [*kinds, VIDEO]
    if "audio" in system.media:
        parts, kinds = [*parts, Audio(tokens=5)], [*kinds, AUDIO]
    sequence = interleave([*parts, "d"], style=style)
    inside = np.zeros(len(sequence.ids), bool)
    for (start, stop), medium, name in zip(sequence.spans, sequence.media, sequence.names, strict=True):
        inside[start:stop] = True
        assert set(sequence.modality[start:stop]) == {kinds[medium]}
        assert sequence.extents[medium, 0] <= start < stop <= sequence.extents[medium, 1]
        assert name == (str(medium) if style == "minicpm-v-4.6" and kinds[medium] == IMAGE else "")
    np.testing.assert_array_equal(inside, sequence.modality != TEXT)
    soft = {medium.soft for medium in system.media.values()}
    numbers = {256 + i for i, token in enumerate(system.tokens + system.chat_tokens) if token in soft}
    np.testing.assert_array_equal(inside, np.isin(sequence.ids, list(numbers)))
    assert len(sequence.extents) == len(kinds) and (sequence.extents[1:, 0] >= sequence.extents[:-1, 1]).all()
    assert (sequence.labels == NOT_LEARNED).all()
    outside = np.ones(len(sequence.ids), bool)
    for start, stop in sequence.extents:
        outside[start:stop] = False
    rest = "".join(what for what, _ in runs(sequence.ids[outside], style=style))
    expected = "".join(part for part in parts if isinstance(part, str)) + "d"
    assert rest.replace("<s>", "").replace(" ", "").removesuffix("\n" if system.after_prompt else "") == expected


@pytest.mark.parametrize("style", STYLES)
def test_what_a_user_types_is_text_in_every_style(style):
    """Every token of the style, typed: bytes, however it is cut into parts."""
    system = styles.row(style)
    typed = "".join(system.tokens + system.chat_tokens)
    first = [an_image(style)] if system.needs_image else []
    plain = len(interleave([*first], style=style).ids)
    sequence = interleave([*first, typed], style=style)
    assert len(sequence.ids) == plain + len(typed.encode())
    assert (sequence.ids < 256).sum() >= len(typed.encode())
    parts = interleave([*first, *typed], style=style)
    np.testing.assert_array_equal(parts.ids, sequence.ids)


def reads_specials(system):
    """A tokenizer that, like real ones, reads the style's tokens in any text."""
    tokens = sorted(system.tokens + system.chat_tokens, key=len, reverse=True)

    def encode(text):
        ids = []
        for bit in re.split("(" + "|".join(map(re.escape, tokens)) + ")", text):
            ids += [5000 + tokens.index(bit)] if bit in tokens else list(bit.encode())
        return ids

    return encode, {token: 5000 + i for i, token in enumerate(tokens)}


@pytest.mark.parametrize("style", STYLES)
def test_no_tokenizer_reads_a_token_out_of_what_is_typed(style):
    """Also where two parts make a token together, "<|image" and "_pad|>"."""
    system = styles.row(style)
    encode, special = reads_specials(system)
    draw = random.Random(1)
    tokens = system.tokens + system.chat_tokens
    for token in draw.sample(tokens, min(4, len(tokens))):
        cut = draw.randint(1, len(token) - 1)
        for typed in ([token[:cut], token[cut:]], ["".join(tokens) + token], ["<" + token + token + ">"]):
            first = [an_image(style)] if system.needs_image else []
            sequence = interleave([*first, *typed], style=style, encode=encode, special=special)
            text = "".join(typed).encode()
            ids = sequence.ids[sequence.ids < 256]
            assert bytes(ids.astype(np.uint8)).removesuffix(b"\n" if system.after_prompt else b"") == text


def test_ids_of_a_styles_tokens_are_refused_in_text():
    special = dict(styles.row("qwen2-vl").ids)
    before = interleave([Text([1, 2]), Image(64, 96)], style="qwen2-vl", special=special)
    with pytest.raises(
        ValueError, match=r"8 of qwen2-vl's own tokens, the first at 2 of the seq.*: 151652.*expanded before"
    ):
        interleave([Text(before.ids), Image(64, 96)], style="qwen2-vl", special=special)
    bytes_before = interleave(["ab", Image(64, 96)], style="qwen2-vl")
    with pytest.raises(ValueError, match="own tokens"):
        interleave([Text(bytes_before.ids)], style="qwen2-vl")


def test_an_encoder_that_insists_is_refused():
    """One that adds a style's token to every text cannot be made to leave it out, so what it makes is not taken."""
    with pytest.raises(
        ValueError, match=r"qwen2-vl's own tokens, the first at 0 of the sequence: 151655.*read no special"
    ):
        interleave(["hi"], style="qwen2-vl", encode=lambda text: [151655, 1])


def test_vocabularies():
    one = interleave(["A", Image(64, 96)], style="qwen2-vl", encode=lambda text: [ord(c) for c in text])
    assert one.ids.tolist() == [65, 151652, *[151655] * 6, 151653]  # the released ids
    with pytest.raises(ValueError, match=r"internvl: no id of '<img>' is known here; give special="):
        interleave([Image(tokens=3)], style="internvl", encode=lambda text: [])
    with pytest.raises(TypeError, match=r"'A' is a string; give encode="):
        interleave(["A"], style="qwen2-vl", special={})
    with pytest.raises(ValueError, match=r"id 9707 is no byte; give encode= or special="):
        interleave([Text([9707])], style="qwen2-vl")
    with pytest.raises(TypeError, match="what encode makes are float64"):
        interleave(["A"], style="qwen2-vl", encode=lambda text: [1.5])


def test_text_beside_a_label_is_tokenized_with_it():
    """Production has one string: a tokenizer that joins newlines joins those of a user with those of Gemma 3."""

    def encode(text):
        return [1 if bit == "\n\n\n" else 2 if bit == "\n\n" else 3 for bit in re.findall("\n\n\n|\n\n|\n|[^\n]", text)]

    special = {token: 10 + i for i, token in enumerate(styles.row("gemma-3").tokens)}
    sequence = interleave(["a\n", Image(tokens=1)], style="gemma-3", encode=encode, special=special)
    assert sequence.ids.tolist() == [3, 1, 10, 12, 11, 2]
    assert sequence.extents.tolist() == [[1, 6]]  # what the two share goes with the picture
    with_cut = truncate(sequence, 5)
    assert with_cut.sequence.ids.tolist() == [3]


def test_every_kind_of_text():
    text = "naïve 😀 עברית \x00 \u200b\n"
    sequence = interleave([text, Text(list(text.encode())), np.frombuffer(text.encode(), np.uint8)], style="qwen2-vl")
    assert bytes(sequence.ids.astype(np.uint8)).decode() == text * 3
    with pytest.raises(ValueError, match=r"half a character at 1 \(a lone surrogate\)"):
        interleave(["a\ud83d"], style="qwen2-vl")


def test_nothing_makes_an_empty_sequence():
    for parts in ([], [""], [Text([])], ["", ""]):
        sequence = interleave(parts, style="qwen2-vl")
        assert [len(x) for x in sequence] == [0] * 8
        assert sequence.spans.shape == sequence.extents.shape == (0, 2)
        assert all(x.dtype == np.int64 for x in sequence if isinstance(x, np.ndarray))
        assert attention_mask(sequence).shape == (0, 0) and truncate(sequence, 0).sequence.ids.shape == (0,)
        assert runs(sequence.ids, style="qwen2-vl") == []


@pytest.mark.parametrize(
    "parts, style, error, said",
    [
        ("A", "qwen2-vl", TypeError, r"parts is str; expected a list, as \["),
        (Image(1, 1), "qwen2-vl", TypeError, "parts is Image; expected a list"),
        ([3], "qwen2-vl", TypeError, r"parts\[0\] is int; expected a string"),
        ([[1, 2]], "qwen2-vl", TypeError, r"parts\[0\] is list; expected Text\(\[1, 2\]\) if these are ids"),
        ([{"type": "image"}], "qwen2-vl", TypeError, r"parts\[0\] is dict"),
        (["A"], "qwen9", ValueError, "unknown style 'qwen9'; the catalog has qwen2-vl, "),
        (["A"], None, ValueError, "unknown style None"),
        ([Audio(3)], "qwen2-vl", ValueError, r"parts\[0\] is Audio; qwen2-vl has image, video alone"),
        (["", Image()], "qwen2-vl", TypeError, r"parts\[1\]: Image needs height and width in pixels, a grid, or tokens"),
        ([Image(0, 5)], "qwen2-vl", ValueError, r"parts\[0\]: image is 0x5"),
        ([Image(4.5, 5)], "qwen2-vl", TypeError, r"parts\[0\]: height is 4.5; expected a whole number"),
        ([Image(tokens=0)], "qwen2-vl", ValueError, r"parts\[0\]: tokens is \[0\]; each must be at least 1"),
        ([Image(tokens=-3)], "qwen2-vl", ValueError, r"tokens is \[-3\]"),
        ([Image(tokens=2.5)], "qwen2-vl", TypeError, "tokens is 2.5; expected a whole number"),
        ([Image(tokens=())], "qwen2-vl", ValueError, "tokens is empty"),
        ([Image(tokens=10**9)], "qwen2-vl", ValueError, "a sequence has at most 16777216 tokens"),
        ([Image(tokens=10**7)] * 2, "qwen2-vl", ValueError, "the parts have 20000004 tokens together"),
        ([Image(grid=(0, 0))], "qwen2-vl", ValueError, "a medium of no tokens"),
        ([Image(grid=(0, 0))], "hunyuan-vl", ValueError, r"grid is \[0, 0\]: a medium of no tokens"),
        ([Image(grid=(0, 3))], "qwen2-vl", ValueError, r"grid is \[0, 3\]; a side of 0"),
        ([Image(grid=(1, 2, 3))], "qwen2-vl", ValueError, r"grid is \[1, 2, 3\]; expected 2 numbers"),
        ([Image(1, 300)], "qwen2-vl", ValueError, "aspect ratio"),
        ([Image(10, 20)], "kimi-k2.5", ValueError, r"no rule here from 10x20 pixels.*Image\(grid=\(rows, cols\)\)"),
        ([Image(grid=(1, 2))], "minicpm-v-4.6", ValueError, "needs a grid of 2 numbers and tokens of each run"),
        ([Image(grid=(1, 2), tokens=(1, 2))], "minicpm-v-4.6", ValueError, r"grid \[1, 2\] has 3 runs, tokens are 2"),
        ([Image(tokens=(1, 2))], "idefics3", ValueError, "needs a grid of 2 numbers"),
        ([Audio()], "qwen2-audio", TypeError, "Audio needs seconds, or tokens"),
        ([Audio(0)], "qwen2-audio", ValueError, r"parts\[0\]: seconds is 0"),
        ([Audio(0.01)], "qwen2-audio", ValueError, r"makes no token of 0.01 seconds of sound \(pad it"),
        ([Audio(3)], "nemotron-h-omni", ValueError, r"give Audio\(tokens=count\)"),
        ([Video([0, 1])], "qwen2-vl", TypeError, "Video needs height and width"),
        ([Video([], height=64, width=96)], "qwen2-vl", ValueError, "indices have shape"),
        ([Video(8, height=64, width=96)], "qwen2-vl", ValueError, r"indices have shape \(\)"),
        ([Video([0, 1], 0.0, tokens=(3,))], "qwen3-vl", ValueError, "fps is 0"),
        ([Video([0, 1, 2], 1.0, tokens=(3,))], "qwen3-vl", ValueError, "3 frames are 2 times, and the clip has 1 spans"),
        ([Video([0, 1], tokens=(1,))], "video-llama-3", ValueError, "2 frames are 2 times, and the clip has 1 spans"),
        ([Video([0], tokens=(0,))], "video-llama-3", ValueError, "a medium of no tokens"),
        ([Video([0, 1], tokens=(2, 2), sound=Audio(1))], "video-llama-3", ValueError, "weaves no sound into a clip"),
        ([Video([0, 1], tokens=4, sound=Audio(1))], "qwen3-omni", ValueError, r"needs a grid \(t, rows, cols\)"),
        ([Video([0, 1], grid=(1, 2, 2), sound=3)], "qwen3-omni", TypeError, "sound is int; expected Audio"),
        ([Video([0], 1.0, tokens=(1,), seconds=-3)], "smolvlm", ValueError, "seconds is -3"),
        (["what?"], "paligemma", ValueError, "paligemma needs an image before its text; 1 parts have none"),
        ([Video([0], tokens=(1,)), Video([0], tokens=(1,))], "molmo2", ValueError, "takes one clip; 2 are given"),
        ([Text("<image>", trusted=True)], "llava-1.5", ValueError, "holds '<image>'; a medium is a part of its own"),
        ([Text(["a"])], "llava-1.5", TypeError, r"parts\[0\] are <U1"),
    ],
)  # fmt: skip
def test_refusals_name_the_part_and_the_way_out(parts, style, error, said):
    with pytest.raises(error, match=said):
        interleave(parts, style=style)


def test_named_where_the_style_has_names():
    with pytest.raises(ValueError, match="llava-1.5 has no labels for images; leave out named"):
        interleave([Image(tokens=1)], style="llava-1.5", named=True)
    named = interleave([Audio(tokens=1), Audio(tokens=1)], style="qwen2-audio", named=True)
    assert named.names == ("Audio 1", "Audio 2")
    assert interleave([Image(64, 96)], style="qwen2-vl").names == ("",)


def test_one_pixel():
    """Every system enlarges it: to four tokens and two markers, to 17 tiles with their places, to Gemma 3's square."""
    lengths = {style: len(interleave([Image(1, 1)], style=style).ids) for style in ("qwen2-vl", "smolvlm", "gemma-3")}
    assert lengths == {"qwen2-vl": 6, "smolvlm": 17 * 66 + 6, "gemma-3": 262}


def test_two_pictures_fuse_where_nothing_stands_between():
    """Ids alone cannot part them, spans can; and find_spans can, told the lengths."""
    fused = interleave([Image(tokens=5), Image(tokens=3)], style="llava-next")
    apart = interleave([Image(tokens=5), Image(tokens=3)], style="qwen2-vl")
    assert runs(fused.ids, style="llava-next") == [("<image>", 8)]
    assert fused.spans.tolist() == [[0, 5], [5, 8]]
    assert (apart.spans[1:, 0] - apart.spans[:-1, 1]).tolist() == [2]
    np.testing.assert_array_equal(find_spans(fused.ids, 256, [5, 3]), fused.spans)


def test_a_million_tokens():
    parts = [part for i in range(200) for part in ("word " * 100, Image(tokens=4500))]
    sequence = interleave(parts, style="qwen2-vl")
    assert len(sequence.ids) == 200 * (500 + 4500 + 2) and sequence.spans.shape == (200, 2)
    assert visible(sequence, "whole-images").shape == (len(sequence.ids), 2)
    with pytest.raises(ValueError, match=r"a mask of 1000400 tokens takes 1001 GB; up to 65536 are drawn"):
        attention_mask(sequence)
    short = truncate(sequence, 110_000, drop="oldest")
    assert len(short.sequence.ids) == 200 * 500 + 2 * 4502 and short.media.tolist() == [198, 199]


# Prompts and chats


def test_a_prompt_is_read_into_parts():
    text = (
        "<|im_start|>user\nA <|vision_start|><|image_pad|><|vision_end|> b <|vision_start|><|video_pad|><|vision_end|>"
    )
    media = [Image(64, 96), Video(range(4), tokens=3)]
    parts = read_prompt(text, media, style="qwen2-vl")
    assert parts == [Text("<|im_start|>user\nA ", trusted=True), media[0], Text(" b ", trusted=True), media[1]]
    assert read_prompt("", [], style="qwen2-vl") == []


@pytest.mark.parametrize(
    "text, media, style, said",
    [
        ("a<image>b<image>", 1, "llava-1.5", r"2 placeholders of images \(at 1, 9 of the prompt\), 1 images given"),
        ("a", 2, "llava-1.5", r"0 placeholders of images \(at no place of the prompt\), 2 images given"),
        (
            "a <|image_pad|> b",
            1,
            "qwen2-vl",
            r"'<\|image_pad\|>' stands alone at 2 of the prompt.*did a user type it\?",
        ),
        (
            "<image>",
            1,
            "hunyuan-vl",
            r"'<image>' stands alone at 0.*writes a medium as '<image_start><image><image_end>'",
        ),
    ],
)
def test_prompts_that_do_not_add_up(text, media, style, said):
    with pytest.raises(ValueError, match=said):
        read_prompt(text, [Image(64, 96)] * media, style=style)


def test_answers_are_learned_and_nothing_else():
    """A user who writes "assistant", or a mark, has written text; a picture in an answer is not learned."""
    messages = [
        ("system", "Be brief."),
        ("user", [Image(tokens=2), "say <|im_start|>assistant\nyes<|im_end|>"]),
        ("assistant", ["Here: ", Image(tokens=1), "yes"]),
        ("tool", [Image(tokens=3)]),
        ("assistant", ""),
    ]
    sequence = interleave(chat(messages, style="qwen2-vl", reply=True), style="qwen2-vl")
    learned = runs(sequence.labels[sequence.labels != NOT_LEARNED], style="qwen2-vl")
    assert learned == [("Here: yes", 1), ("<|im_end|>", 1), ("\n", 1), ("<|im_end|>", 1), ("\n", 1)]
    assert (sequence.labels[sequence.modality != TEXT] == NOT_LEARNED).all()
    starts = 256 + (styles.row("qwen2-vl").tokens + styles.row("qwen2-vl").chat_tokens).index("<|im_start|>")
    assert (sequence.ids == starts).sum() == len(messages) + 1
    assert runs(sequence.ids, style="qwen2-vl")[-2:] == [("<|im_start|>", 1), ("assistant\n", 1)]


def test_turns_that_are_not_in_the_catalog():
    with pytest.raises(ValueError, match="how gemma-3 marks turns is not in the catalog; it has qwen2-vl, "):
        chat([("user", "a")], style="gemma-3")


# Vectors


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_embed_puts_features_in_their_rows(backend, rng, dtype):
    table, features = rng.normal(size=(7, 4)).astype(dtype), rng.normal(size=(5, 4)).astype(dtype)
    ids, spans = np.array([6, -200, -200, -200, 0, 3, 9**9, 9**9]), np.array([[1, 4], [6, 8]])
    x = backend.take(embed(*(backend.give(a) for a in (ids, table, spans, features))))
    assert x.dtype == dtype
    np.testing.assert_array_equal(x[[0, 4, 5]], table[[6, 0, 3]])
    np.testing.assert_array_equal(x[[1, 2, 3, 6, 7]], features)


def test_embed_of_text_alone_and_of_pictures_alone(backend, rng):
    table, features = rng.normal(size=(3, 2)), rng.normal(size=(4, 2))
    none, all_of_it = np.zeros((0, 2), np.int64), np.array([[0, 1], [1, 4]])
    given_text = (np.array([2, 1]), table, none, np.zeros((0, 2)))
    given_pictures = (np.full(4, -1), table, all_of_it, features)
    np.testing.assert_array_equal(backend.take(embed(*map(backend.give, given_text))), table[[2, 1]])
    np.testing.assert_array_equal(backend.take(embed(*map(backend.give, given_pictures))), features)


@pytest.mark.parametrize(
    "change, error, said",
    [
        ({"features": np.zeros((4, 3))}, ValueError, r"4 features for 5 places: 2 spans of \[3, 2\] tokens"),
        ({"features": np.zeros((5, 2))}, ValueError, r"features have shape \(5, 2\); expected \(F, 3\)"),
        ({"features": np.zeros((5, 3), np.int64)}, TypeError, "features: dtype is"),
        ({"ids": np.array([9, 0, 0, 0, 1, 0, 0])}, ValueError, "id 9 has no row in a table of 4"),
        ({"ids": np.array([-1, 0, 0, 0, 1, 0, 0])}, ValueError, "id -1 has no row"),
        ({"ids": np.zeros(7)}, TypeError, "ids are"),
        ({"ids": np.zeros((7, 1), np.int64)}, TypeError, r"expected \(N,\) whole numbers"),
        ({"table": np.zeros(3)}, ValueError, r"table has shape \(3,\)"),
        ({"spans": np.array([[1, 4], [3, 5]])}, ValueError, "must lie in order, apart and within 0 to 7"),
        ({"spans": np.array([[1, 4], [5, 9]])}, ValueError, "within 0 to 7"),
        ({"spans": np.array([[4, 1], [5, 7]])}, ValueError, "none empty"),
        ({"spans": np.array([1, 4])}, ValueError, r"expected \(S, 2\) whole numbers"),
    ],
)
def test_embed_refuses(backend, change, error, said):
    arguments = {
        "ids": np.array([1, 0, 0, 0, 1, 0, 0]), "table": np.zeros((4, 3)), "spans": np.array([[1, 4], [5, 7]]),
        "features": np.zeros((5, 3)),
    } | change  # fmt: skip
    with pytest.raises(error, match=said):
        embed(**{name: backend.give(value) for name, value in arguments.items()})


def test_gradients_go_to_the_table_and_to_the_features(tensors, rng):
    torch = pytest.importorskip("torch")
    table = tensors.give(rng.normal(size=(4, 3))).requires_grad_()
    features = tensors.give(rng.normal(size=(2, 3))).requires_grad_()
    ids, spans = tensors.give(np.array([0, 0, 0, 3])), tensors.give(np.array([[1, 3]]))
    x = embed(ids, table, spans, features)
    x.backward(torch.ones_like(x))
    assert features.grad.tolist() == [[1.0] * 3] * 2
    assert table.grad[:, 0].tolist() == [1.0, 0.0, 0.0, 1.0]  # row 0 is not looked up inside the span


def test_add_modality_by_hand(backend):
    x, table = np.ones((2, 3, 2)), np.array([[0.0, 0.0], [1.0, -1.0]])
    modality = np.array([[0, 1, 1], [1, 0, 0]])
    added = backend.take(add_modality(*(backend.give(a) for a in (x, modality, table))))
    np.testing.assert_array_equal(added[0], [[1, 1], [2, 0], [2, 0]])
    np.testing.assert_array_equal(added[1], [[2, 0], [1, 1], [1, 1]])


@pytest.mark.parametrize(
    "change, said",
    [
        ({"table": np.zeros((2, 3))}, r"table has shape \(2, 3\); expected \(M, 2\)"),
        ({"modality": np.zeros(4, np.int64)}, r"modality has shape \(4,\); expected \(3,\)"),
        ({"modality": np.array([0, 1, 2])}, "id 2 has no row in a table of 2"),
    ],
)
def test_add_modality_refuses(backend, change, said):
    arguments = {"x": np.zeros((3, 2)), "modality": np.zeros(3, np.int64), "table": np.zeros((2, 2))} | change
    with pytest.raises(ValueError, match=said):
        add_modality(**{name: backend.give(value) for name, value in arguments.items()})


# Who sees whom


def a_sequence(draw, style="llava-1.5", learn=False):
    parts = []
    for _ in range(draw.randint(0, 4)):
        parts += ["abc"[: draw.randint(0, 3)], Image(tokens=draw.randint(1, 5))]
    return interleave([*parts, Text("de"[: draw.randint(0, 2)], learn=learn)], style=style)


def by_definition(sequence, rule, window):
    """The mask pair by pair, from what the rules say and nothing else."""
    n, document = len(sequence.ids), np.cumsum(sequence.positions == 0)
    picture, prefix = np.full(n, -1), np.zeros(n, bool)
    for i, (start, stop) in enumerate(sequence.spans):
        picture[start:stop] = i
    for q in range(n):
        before = (document == document[q]) & (np.arange(n) <= q)
        prefix[q] = (sequence.labels[before] == NOT_LEARNED).all()
    mask = np.zeros((n, n), bool)
    for q in range(n):
        for k in range(n):
            allowed = {
                "causal": k <= q,
                "whole-images": k <= q or picture[q] == picture[k] >= 0,
                "prefix": k <= q or (prefix[q] and prefix[k]),
                "everything": True,
            }[rule]
            mask[q, k] = allowed and document[q] == document[k] and (window is None or k > q - window)
    return mask


@pytest.mark.parametrize("rule", list(module.MASKS))
@pytest.mark.parametrize("window", [None, 1, 3])
def test_masks_by_definition(rule, window):
    draw = random.Random(2)
    for i in range(12):
        sequence = pack([a_sequence(draw, learn=True) for _ in range(1 + i % 3)])
        expected = by_definition(sequence, rule, window)
        np.testing.assert_array_equal(attention_mask(sequence, rule, window=window), expected)
        seen, n = visible(sequence, rule, window=window), len(sequence.ids)
        query, key = np.mgrid[:n, :n]
        np.testing.assert_array_equal(mask_mod(seen)(0, 0, query, key), expected)
        assert expected[range(n), range(n)].all()  # a row of no True would be a softmax of nothing


def test_masks_refuse():
    sequence = interleave(["a"], style="qwen2-vl")
    with pytest.raises(ValueError, match="rule is 'gemma'; known are 'causal', 'whole-images', 'prefix', 'everything'"):
        visible(sequence, "gemma")
    for window, error in ((0, ValueError), (-1, ValueError), (2.5, TypeError)):
        with pytest.raises(error, match="window is"):
            visible(sequence, window=window)


def test_a_picture_at_the_windows_edge_sees_forward_and_not_too_far_back():
    sequence = interleave(["a", Image(tokens=4), "b"], style="llava-1.5")
    assert visible(sequence, "whole-images", window=2).tolist() == [[0, 1], [0, 5], [1, 5], [2, 5], [3, 5], [4, 6]]


# Limits


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(0, 60), st.sampled_from(["end", "oldest"]))
def test_no_medium_is_ever_cut(seed, limit, drop):
    sequence = pack([a_sequence(random.Random(seed + i), "qwen2-vl", learn=True) for i in range(1 + seed % 3)])
    try:
        cut, media = truncate(sequence, limit, drop=drop)
    except ValueError as error:
        assert drop == "oldest" and "text alone has" in str(error)
        assert len(sequence.ids) - np.diff(sequence.extents).sum() > limit
        return
    assert len(cut.ids) <= limit or len(cut.ids) == len(sequence.ids) <= limit
    assert len(cut.ids) == len(cut.modality) == len(cut.labels) == len(cut.positions)
    assert len(cut.spans) == len(cut.names) == len(cut.media) and len(cut.extents) == len(media)
    lengths = np.diff(sequence.spans)[np.isin(sequence.media, media)]
    np.testing.assert_array_equal(np.diff(cut.spans), lengths)
    inside = np.zeros(len(cut.ids), bool)
    for (start, stop), medium in zip(cut.spans, cut.media):
        inside[start:stop] = True
        np.testing.assert_array_equal(
            cut.ids[slice(*cut.extents[medium])], sequence.ids[slice(*sequence.extents[media[medium]])]
        )
    np.testing.assert_array_equal(inside, cut.modality != TEXT)
    assert (np.diff(cut.positions)[np.diff(cut.positions) != 1] <= 0).all()
    kept = cut.labels != NOT_LEARNED
    np.testing.assert_array_equal(cut.labels[kept], cut.ids[kept])
    if drop == "oldest":
        np.testing.assert_array_equal(media, np.arange(len(sequence.extents) - len(media), len(sequence.extents)))
        text = np.ones(len(sequence.ids), bool)
        for start, stop in sequence.extents:
            text[start:stop] = False
        assert text.sum() == len(cut.ids) - np.diff(cut.extents).sum()
    else:
        np.testing.assert_array_equal(cut.ids, sequence.ids[: len(cut.ids)])


def test_what_is_dropped_is_as_little_as_can_be():
    sequence = interleave(["a", Image(tokens=4), "bc", Image(tokens=2), "d"], style="llava-1.5")
    assert [len(truncate(sequence, n).sequence.ids) for n in range(12)] == [0, 1, 1, 1, 1, 5, 6, 7, 7, 9, 10, 10]
    assert [truncate(sequence, n, drop="oldest").media.tolist() for n in (10, 9, 6, 5, 4)] == [[0, 1], [1], [1], [], []]
    with pytest.raises(ValueError, match="limit is 3; text alone has 4 tokens"):
        truncate(sequence, 3, drop="oldest")
    with pytest.raises(ValueError, match=r"limit is 8; medium 1 stands at \[7, 9\) of 10 tokens, and half a medium"):
        truncate(sequence, 8, drop="nothing")
    assert len(truncate(sequence, 7, drop="nothing").sequence.ids) == 7


@pytest.mark.parametrize(
    "limit, drop, error, said",
    [
        (-1, "end", ValueError, "limit is -1"),
        (2.5, "end", TypeError, "limit is 2.5"),
        (3, "newest", ValueError, "drop is 'newest'; known are"),
    ],
)
def test_limits_refuse(limit, drop, error, said):
    with pytest.raises(error, match=said):
        truncate(interleave(["abc"], style="qwen2-vl"), limit, drop=drop)


def test_a_dropped_medium_takes_its_label_along():
    sequence = interleave([Image(tokens=2), "and", Image(tokens=2)], style="qwen2-vl", named=True)
    rest, media = truncate(sequence, len(sequence.ids) - 1, drop="oldest")
    assert runs(rest.ids, style="qwen2-vl")[0] == ("andPicture 2: ", 1) and rest.names == ("Picture 2",)
    assert media.tolist() == [1] and rest.media.tolist() == [0]


def test_pack_numbers_media_through():
    one = interleave(["a", Image(tokens=2)], style="qwen2-vl")
    both = pack([one, interleave([], style="qwen2-vl"), one])
    assert both.spans.tolist() == [[2, 4], [7, 9]] and both.media.tolist() == [0, 1]
    assert both.positions.tolist() == [0, 1, 2, 3, 4] * 2
    assert not attention_mask(both)[5:, :5].any()
    assert [len(x) for x in pack([])] == [0] * 8


@settings(max_examples=40)
@given(st.integers(0, 90), st.integers(1, 30), st.integers(0, 29))
def test_chunks_cover_everything(length, size, overlap):
    overlap = min(overlap, size - 1)
    spans = chunk(length, size, overlap)
    assert spans.shape == (len(spans), 2) and spans.dtype == np.int64
    assert sorted({i for start, stop in spans for i in range(start, stop)}) == list(range(length))
    assert (np.diff(spans) <= size).all() and (np.diff(spans)[:-1] == size).all()
    assert (spans[:-1, 1] - spans[1:, 0] == overlap).all()
    assert (np.diff(spans[:, 1]) > 0).all()  # none lies inside the one before


@pytest.mark.parametrize("arguments", [(10, 0), (10, 4, 4), (10, 4, -1), (-1, 4)])
def test_chunks_refuse(arguments):
    with pytest.raises(ValueError, match=r"size|length"):
        chunk(*arguments)
    with pytest.raises(TypeError):
        chunk(10.5, 4)


# The catalog


@pytest.mark.parametrize("style", STYLES)
def test_rows_are_complete(style):
    system = styles.row(style)
    assert system.title and system.about.endswith(".") and system.source and system.media
    assert system.as_of <= datetime.date(2026, 11, 30) and system.verified in ("run", "read")
    assert len(set(system.tokens)) == len(system.tokens)
    assert set(system.ids) <= set(system.tokens + system.chat_tokens)
    assert set(system.names) <= set(system.media)
    assert not system.turns or system.turns in styles.rows("turns")
    for kind, medium in system.media.items():
        assert medium.kind == kind and medium.layout in styles.LAYOUTS
        assert medium.soft in system.tokens and any(token in medium.prompt for token in system.tokens)
    prompts = [medium.prompt for medium in system.media.values()]
    assert len(set(prompts)) == len(prompts)  # else no prompt could be read


def test_every_layout_is_somebodys():
    assert {medium.layout for system in styles.rows().values() for medium in system.media.values()} == set(
        styles.LAYOUTS
    )


def test_counts_of_the_catalogs_agree_with_the_styles():
    """A style whose sizes are another catalog's puts as many features in as that catalog counts."""
    for style in STYLES:
        medium = styles.row(style).media.get("image")
        if medium and medium.sizes and medium.layout not in ("slices",):
            plan = image_plan(medium.sizes, 480, 640)
            within = {"row breaks": 0, "end": 0}  # Pixtral's are tokens of their own
            counted = sum(within.get(what, count) for what, count in plan.parts)
            sequence = interleave([Image(480, 640)], style=style)
            assert np.diff(sequence.spans).sum() == counted, style
