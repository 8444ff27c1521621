"""The explorable of interleaving on the Python side: arguments, tables, still figure, golden vectors."""

import json
import re

import numpy as np
import pytest

from mmtokedu import explore
from mmtokedu import interleave as library
from mmtokedu.catalog import styles
from mmtokedu.explore import _interleave, _interleave_asked, _interleave_golden, _interleave_tables
from mmtokedu.explore._interleave_asked import FPS, FRAMES, HEIGHTS, SECONDS, SIDES, Asked
from mmtokedu.samples.film import film_facts
from mmtokedu.samples.request import invoice, request_text
from mmtokedu.video import timestamp_labels


def data_of(out):
    """What Python writes for the topic's elements."""
    text, start = out._repr_html_(), "interleave ??= "
    return json.JSONDecoder().raw_decode(text[text.index(start) + len(start) :])[0]


# Arguments, words, still figure


def test_output_carries_arguments_and_still():
    out = explore.interleave(
        prompt='[VIDEO]"Who" <is> it?', style="qwen3-omni", clips=[(8, 360, True)], answer="He & she", named=True,
        rule="causal", window=512,
    )  # fmt: skip
    head = out._repr_html_().split("</mm-explore-interleave>")[0]
    attributes = (
        'prompt="[VIDEO]&quot;Who&quot; &lt;is&gt; it?" style="qwen3-omni" images="" sounds="" clips="8x360x1" '
        'answer="He &amp; she" named="1" rule="causal" window="512"'
    )
    assert f"<mm-explore-interleave {attributes}><figure" in head and 'role="img"' in head
    sequence = _interleave_asked.made(
        Asked('[VIDEO]"Who" <is> it?', "qwen3-omni", clips=((8, 360, True),), answer="He & she")
    )
    learned = len("He & she") + 2  # its mark and a newline
    assert out.alt.endswith(
        f"{len(sequence.ids):,} tokens, where {_interleave_asked.naive(sequence)} would do if the placeholder were one "
        f"token; {learned} of them learned."
    )
    assert head.count("&lt;is&gt;") == 3 and "<is>" not in head  # attribute, title, caption
    assert head.count('fill="#') == len(sequence.spans)  # film and sound, turn by turn


def test_the_first_state_is_two_pictures_and_a_question():
    out, same = explore.interleave(), explore.interleave(images=[(480, 640), (1080, 1920)])
    assert out.key == same.key != explore.interleave(images=[(480, 640)]).key
    assert out.alt == (
        "“[IMG][IMG]Which of the two was taken first?” as Qwen2.5-VL has it: 3,119 tokens, where 35 would do if each of 2 "
        "placeholders were one token; none of them learned."
    )


@pytest.mark.parametrize("style", styles.rows())
def test_still_says_what_the_library_says(style):
    names = {kind: name for name, kind in _interleave_asked.KINDS.items()}
    for kind in styles.row(style).media:
        out = explore.interleave(prompt=f"a[{names[kind]}]b", style=style, answer="c")
        usual = _interleave_asked.USUAL[kind]
        part = _interleave_asked.part(styles.row(style), kind, usual)
        content = ["a", part, "b"]
        if styles.row(style).turns:
            content = library.chat([("user", content), ("assistant", "c")], style=style)
        else:
            content.append(library.Text("c", learn=True))
        sequence = library.interleave(content, style=style)
        (start, stop), total = sequence.extents[0], len(sequence.ids)
        assert f"{total:,} tokens, where {total - (stop - start) + 1:,} would do" in out.alt
        assert f"{(sequence.labels >= 0).sum()} of them learned" in out.alt


def test_a_refused_prompt_is_shown_not_raised():
    assert explore.interleave(style="paligemma", prompt="nothing").alt.endswith("as PaliGemma has it: refused.")
    assert explore.interleave(prompt="[AUDIO]").alt.endswith("refused.")
    assert "0 tokens, where 0 would do without a medium" in explore.interleave(prompt="").alt


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"style": "gpt-9"}, ValueError, "unknown style 'gpt-9'"),
        ({"prompt": 3}, TypeError, "prompt is int; expected a string"),
        ({"prompt": "é" * 101}, ValueError, "prompt has 202 bytes; the page takes at most 200"),
        ({"prompt": "[IMG]" * 9}, ValueError, "prompt has 9 media; the page takes at most 8"),
        ({"answer": "a" * 61}, ValueError, "answer has 61 bytes; the page takes at most 60"),
        ({"images": [(480, 641)]}, ValueError, "image of size (480, 641); choose sides among 64, 112"),
        ({"images": [(480,)]}, ValueError, "image of size (480,)"),
        ({"sounds": [7]}, ValueError, "audio of size 7; choose seconds among 0.5, 1"),
        ({"clips": [(20, 721)]}, ValueError, "video of size (20, 721, False); choose frames among 4, 8"),
        ({"rule": "own"}, ValueError, "rule is 'own'; choose 'causal'"),
        ({"window": 100}, ValueError, "window is 100; choose None, 64"),
    ],
)
def test_arguments_are_checked(arguments, error, says):
    with pytest.raises(error, match=re.escape(says)):
        explore.interleave(**arguments)


def test_what_is_typed_is_no_medium():
    assert _interleave_asked.split("IMG[img][IMG]image [IMG") == [("", "IMG[img]"), ("image", ""), ("", "image [IMG")]
    assert explore.interleave(prompt="IMG AUDIO").alt.count("without a medium") == 1


def test_presets_are_the_requests_and_none_is_refused():
    presets = dict(_interleave.presets())
    asked = presets["invoice, voice and film"]
    film, shape = film_facts(), invoice().shape
    assert asked["prompt"].endswith(request_text()) and asked["images"] == f"{shape[0]}x{shape[1]}"
    assert (
        asked["clips"] == f"{int(film.frames / film.fps * FPS)}x{film.height}x1" and HEIGHTS[film.height] == film.width
    )
    assert len(presets) >= 3 and "someone typed <image>" in presets
    for name, state in presets.items():
        split = lambda some, make: tuple(make(one) for one in some.split("_") if one)
        whole = lambda one: tuple(map(int, one.split("x")))
        made = _interleave_asked.made(
            Asked(
                state["prompt"], state["style"], split(state["images"], whole), split(state["sounds"], float),
                split(state["clips"], whole), state["answer"], state["named"],
            )
        )  # fmt: skip
        assert len(made.ids) > 10 * _interleave_asked.naive(made), name


def test_the_voice_of_the_request_is_the_nearest_length():
    recording = pytest.importorskip("mmtokedu.samples.request").question
    pytest.importorskip("soundfile")
    spoken = recording()
    seconds = len(spoken.sound) / spoken.rate
    assert min(SECONDS, key=lambda some: abs(some - seconds)) == _interleave.VOICE
    asked = dict(_interleave.presets())["invoice, voice and film"]
    assert asked["sounds"] == f"{_interleave.VOICE}" and abs(seconds - _interleave.VOICE) < 0.05
    tokens = lambda some: styles.audio_cut("qwen2.5-omni", some).tokens
    assert tokens(seconds) == tokens(_interleave.VOICE)  # so that page and article count alike


# Tables


def unpacked(coded):
    """A coded cut as (grid, tokens)."""
    if isinstance(coded, int):
        return (), (coded,)
    grid, runs = coded
    return tuple(grid), tuple(np.repeat(runs[::2], runs[1::2]).tolist())


def test_tables_are_the_librarys_cuts():
    data = data_of(explore.interleave())
    assert [row["id"] for row in data["styles"]] == list(styles.rows())
    seen = 0
    for told in data["styles"]:
        for kind, medium in told["media"].items():
            table = data["tables"][medium["table"]]
            many = {"image": len(SIDES) ** 2, "audio": len(SECONDS), "video": len(FRAMES) * len(HEIGHTS)}[kind]
            assert len(table) in (1, many)
            row = styles.row(told["id"]).media[kind]
            assert medium.get("supposed", "") == _interleave_asked.supposed(row) and medium["soft"] == row.soft
            if kind != "image" or "supposed" in medium:
                continue
            for i, height in enumerate(SIDES):
                for j, width in enumerate(SIDES):
                    _, tokens = unpacked(table[i * len(SIDES) + j if len(table) > 1 else 0])
                    assert tokens == styles.image_cut(told["id"], height, width).tokens
                    seen += 1
    assert seen > 4000


def test_a_shorter_film_has_the_first_labels_of_a_longer_one():
    for time in data_of(explore.interleave())["labels"]:
        for frames in FRAMES:
            labels = timestamp_labels(range(frames), FPS, time)
            assert labels == _interleave_tables.labels(time)[: len(labels)]


def test_a_films_own_sound_has_a_length_of_the_table():
    assert {frames / FPS for frames in FRAMES} <= set(SECONDS)


def test_no_size_of_the_page_is_refused():
    for name, system in styles.rows().items():
        for kind, size in (("image", (64, 2080)), ("image", (2080, 64)), ("audio", 0.5), ("video", (4, 360, True))):
            if kind in system.media:
                assert library.interleave([_interleave_asked.part(system, kind, size)], style=name).ids.size


def test_what_is_supposed_is_only_where_the_catalog_has_no_rule():
    for name, system in styles.rows().items():
        for kind, medium in system.media.items():
            ask = {
                "image": lambda name: styles.image_cut(name, 480, 640),
                "video": lambda name: styles.video_cut(name, 8, 360, 640),
                "audio": lambda name: styles.audio_cut(name, 3),
            }[kind]
            if _interleave_asked.supposed(medium):
                with pytest.raises(ValueError, match="has no rule here"):
                    ask(name)
            else:
                assert sum(ask(name).tokens)


# Golden vectors


def test_golden_vectors_are_the_librarys():
    rows = explore.golden_vectors("interleave")["sequences"]
    assert {state["style"] for state, _ in rows} == set(styles.rows())
    kinds, refused, woven, learned, named = set(), 0, 0, 0, 0
    for state, told in rows:
        if isinstance(told, str):
            refused += 1
            continue
        ids = np.repeat(told["ids"][::2], told["ids"][1::2])
        assert sum(told["modality"][1::2]) == sum(told["learned"][1::2]) == len(ids)
        kinds |= set(told["modality"][::2])
        learned += 1 in told["learned"][::2]
        named += any(told["names"])
        woven += "x1" in state["clips"] and 3 in told["modality"][::2] and not state["sounds"]
        assert told["naive"] == len(ids) - sum(b - a for a, b in told["extents"]) + len(told["extents"])
        for rule, window, seen in told["masks"]:
            for row, start, stop in seen:
                assert 0 <= start <= row < stop <= len(ids) and (rule != "causal" or stop == row + 1)
                assert not window or start >= row - window + 1
    assert kinds == {0, 1, 2, 3} and refused > 40 and woven >= 2 * len(FRAMES) and learned > 200 and named > 20
    once = Asked("[IMG]x", "pixtral", ((112, 224),))
    said = _interleave_golden.told(_interleave_asked.made(once), np.random.default_rng(0))
    plan = styles.image_cut("pixtral", 112, 224)
    assert said["spans"] == [[i * 15, i * 15 + 14] for i in range(len(plan.tokens))] and plan.tokens == (14,) * 7
