"""Drawings of a sequence: six strips over the same tokens, and who sees whom, for every style of the catalog."""

import html.parser
import itertools
import re

import numpy as np
import pytest

pytestmark = pytest.mark.apart

from mmtokedu import show
from mmtokedu.catalog import styles
from mmtokedu.interleave import Audio, Image, Text, Video, attention_mask, chat, interleave, pack, visible
from mmtokedu.show.masks import share
from mmtokedu.show.sequences import STRIPS, columns, medium_names

STYLES = list(styles.rows())
VOID = {"wbr", "br", "img", "path", "rect", "circle", "line"}


class Page(html.parser.HTMLParser):
    """The elements of an output as (tag, attributes, text inside), and whether every tag is closed in order."""

    def __init__(self, output):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(output._repr_html_())
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), []))
        if tag not in VOID:
            self.open.append(self.elements[-1])

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), []))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop()[0] == tag

    def handle_data(self, data):
        for element in self.open:
            element[2].append(data)

    def of(self, name):
        """(attributes, text) of the elements of a class."""
        return [(a, "".join(text)) for _, a, text in self.elements if name in a.get("class", "").split()]


def parts_of(style):
    """A text, one medium of each kind that the style has, a second text that is learned."""
    system, parts = styles.row(style), ["Hi "]
    if "image" in system.media:
        layout = system.media["image"].layout
        given = {"small_and_large": {"grid": (1, 2, 2, 4)}, "slices": {"grid": (1, 2), "tokens": (4, 2, 2)}}
        parts.append(Image(**given.get(layout, {"grid": (2, 3)})))
    if "video" in system.media:
        medium = system.media["video"]
        frames = 2 if medium.time in ("internvl", "gemma-4", "molmo2", "video-llama-3", "smolvlm") else 4
        frames = 8 if medium.time == "kimi-k2.5" else frames
        parts.append(Video(range(frames), 2.0, tokens=(3,) * (2 if medium.layout != "run" else 1)))
    if "audio" in system.media:
        parts.append(Audio(tokens=5))
    return [*parts, Text("12 €", learn=True)]


def stacks(output, strips):
    """What each strip says over each column: {strip: [(classes, label)]}."""
    page = Page(output)
    lines = page.of("mm-columns")[0][0] and [cell for cell in page.of("mm-over")]
    return {name: [(a["class"].split(), text) for a, text in lines[i :: len(strips)]] for i, name in enumerate(strips)}


@pytest.mark.parametrize("style", STYLES)
def test_every_style_is_drawn(style):
    """The cells of the strips add up to the sequence: parts, ids, features, positions, what is learned."""
    parts = parts_of(style)
    sequence = interleave(parts, style=style)
    output = show.sequence(sequence, style=style)
    said = stacks(output, list(STRIPS))
    assert len({len(cells) for cells in said.values()}) == 1
    assert sum("mm-on" not in names for names, _ in said["sent"]) == len(parts)
    own = columns(sequence, (sequence.ids >= 256) & (sequence.modality == 0))
    if len(own) <= 9:  # nothing is left out
        assert len(said["ids"]) == len(own)
    ends = [[int(n.replace(",", "")) for n in text.split("…")] for _, text in said["positions"]]
    assert ends[0][0] == 0 and ends[-1][-1] == len(sequence.ids) - 1
    assert all(later[0] == before[-1] + 1 for before, later in itertools.pairwise(ends))
    features = [re.findall("[0-9,]+", text) for _, text in said["vectors"] if text.startswith("features")]
    features = [[int(n.replace(",", "")) for n in row] for row in features]
    lengths = int((sequence.spans[:, 1] - sequence.spans[:, 0]).sum())
    assert features[0][0] == 0 and features[-1][-1] == lengths - 1
    assert all(later[0] == before[-1] + 1 for before, later in itertools.pairwise(features))
    learned = [end for end, (_, text) in zip(ends, said["learned"]) if text == "learned"]
    assert sum(end[-1] - end[0] + 1 for end in learned) == (sequence.labels >= 0).sum() > 0
    for kind in styles.row(style).media:
        assert any(text.startswith(f"{kind[0].upper()} {kind}") for _, text in said["modality"])
    assert f"{len(sequence.ids):,} tokens" in repr(output)
    assert f"{len(parts)} parts become" in repr(output)


@pytest.mark.parametrize("style", STYLES)
def test_every_style_has_a_mask(style):
    sequence = interleave(parts_of(style), style=style)
    output = show.mask(visible(sequence), sequence, title="Causal")
    page = Page(output)
    assert len([1 for tag, *_ in page.elements if tag == "svg"]) == 1
    for name in {"text", *medium_names(sequence)}:
        assert f"({name})" in repr(output)


def test_strips_by_hand():
    sequence = interleave(["Go", Image(64, 96), Text("ok", learn=True)], style="qwen2-vl")
    said = stacks(show.sequence(sequence, style="qwen2-vl"), list(STRIPS))
    assert {name: [text for _, text in cells] for name, cells in said.items()} == {
        "sent": ["text", "picture", "", "", "text"],
        "ids": ["Go2", "<|vision_start|>", "6 × <|image_pad|>", "<|vision_end|>", "ok2"],
        "vectors": ["table", "table", "features 0…5", "table", "table"],
        "modality": ["T text", "T", "I image", "T text", "T"],
        "positions": ["0…1", "2", "3…8", "9", "10…11"],
        "learned": ["–", "–", "–", "–", "learned"],
    }
    colours = [
        a.get("style", "") for a, _ in Page(show.sequence(sequence, style="qwen2-vl", strips="ids")).of("mm-over")
    ]
    kinds = ["text", "special", "image", "special", "text"]
    assert colours == [f"--mm-c:var(--mm-{kind})" for kind in kinds]


def test_marks_of_turns_are_cells_of_their_own():
    said = chat([("user", "Hi"), ("assistant", "A.")], style="qwen2-vl")
    sequence = interleave(said, style="qwen2-vl")
    cells = stacks(show.sequence(sequence, style="qwen2-vl", strips=["ids", "learned"]), ["ids", "learned"])
    assert [text for _, text in cells["ids"]] == [
        "<|im_start|>", "user↵Hi7", "<|im_end|>", "↵1", "<|im_start|>", "assistant↵10", "A.2", "<|im_end|>", "↵1",
    ]  # fmt: skip
    assert [text for _, text in cells["learned"]] == ["–"] * 6 + ["learned"] * 3
    assert [text for _, text in stacks(show.sequence(sequence, style="qwen2-vl"), list(STRIPS))["sent"] if text] == [
        "text"
    ]


def test_strips_are_chosen_and_keep_their_look():
    sequence = interleave(["Go", Image(64, 96)], style="qwen2-vl")
    whole = stacks(show.sequence(sequence, style="qwen2-vl"), list(STRIPS))
    for chosen in (["ids"], ["sent", "ids"], ["positions", "modality"], list(STRIPS)[:4]):
        output = show.sequence(sequence, style="qwen2-vl", strips=chosen)
        assert stacks(output, chosen) == {name: whole[name] for name in chosen}
        names = Page(output).of("mm-names")[0][1]
        assert [title for title, *_ in STRIPS.values() if title in names] == [
            STRIPS[name][0] for name in STRIPS if name in chosen
        ]
    alone = show.sequence(sequence, style="qwen2-vl", strips="ids")
    assert stacks(alone, ["ids"]) == {"ids": whole["ids"]}


def test_pictures_with_nothing_between_are_one_run_of_ids():
    """What is sent parts them and the features do; the ids strip has one bracket with one count."""
    sequence = interleave([Image(tokens=4), Image(tokens=3)], style="llava-1.5")
    output = show.sequence(sequence, style="llava-1.5")
    said = stacks(output, list(STRIPS))
    assert [text for _, text in said["ids"]] == ["7 × <image>", ""] and "mm-on" in said["ids"][1][0]
    assert [text for _, text in said["sent"]] == ["picture 1", "picture 2"]
    braces = [a.get("style") for a, _ in Page(output).of("mm-brace")]
    assert braces == ["border-right:0", "border-left:0"]
    apart = interleave([Image(tokens=4), "x", Image(tokens=3)], style="llava-1.5")
    apart = show.sequence(apart, style="llava-1.5", strips="ids")
    assert [text for _, text in stacks(apart, ["ids"])["ids"]] == ["4 × <image>", "x1", "3 × <image>"]
    assert [a.get("style") for a, _ in Page(apart).of("mm-brace")] == [None, None]


def test_the_middle_of_many_runs_is_left_out_and_counted():
    sequence = interleave([Image(480, 640)], style="smolvlm")
    said = stacks(show.sequence(sequence, style="smolvlm"), list(STRIPS))
    assert len(said["ids"]) == 9
    gap = [i for i, (names, text) in enumerate(said["ids"]) if "more" in text]
    assert gap == [4]
    start, stop = (int(n) for n in said["positions"][4][1].split("…"))
    assert said["ids"][4][1] == f"… {stop - start + 1} more …"


def test_a_page_of_any_width_has_the_names_beside_each_line():
    """The names stand once for each line that a phone's width may need, and are cut off below the last."""
    sequence = interleave(
        chat([("user", [Image(64, 96), "What?"]), ("assistant", "A cat.")], style="qwen2-vl"), style="qwen2-vl"
    )
    page = Page(show.sequence(sequence, style="qwen2-vl"))
    widths = [int(re.search(r"width:(\d+)px", a["style"]).group(1)) for a, _ in page.of("mm-line") if "style" in a]
    lines, left = 1, 0
    for width in widths:  # broken as a page of 375 breaks them
        lines, left = (lines + 1, width) if left + width > 343 - 92 else (lines, left + width)
    repeated = sum("style" not in a for a, _ in page.of("mm-line"))
    assert max(widths) <= 343 - 92 and repeated >= lines


def test_totals_stand_at_the_first_line_alone():
    sequence = interleave([Image(480, 640), "Which of the two?"] * 2, style="qwen2.5-vl")
    page = Page(show.sequence(sequence, style="qwen2.5-vl"))
    ((_, names),) = page.of("mm-names")
    assert names.count("Ids") > 2 and names.count("Vectors from") > 2
    assert names.count("4 parts") == names.count(f"{len(sequence.ids):,} tokens") == names.count("features") == 1


def groups(output):
    """The widths of the columns of each line of a wide page."""
    found = []
    for _, a, _ in Page(output).elements:
        if "mm-together" in a.get("class", ""):
            found.append([])
        elif a.get("style", "").startswith("width:"):
            found[-1].append(int(re.search("[0-9]+", a["style"]).group()))
    return found


@pytest.mark.parametrize("style", STYLES)
def test_lines_of_a_wide_page_are_few_and_alike(style):
    """No line is wider than a page of 690 leaves, none could be spared, and none has a single marker of many columns."""
    output = show.sequence(interleave(parts_of(style), style=style), style=style)
    lines = groups(output)
    widths = [sum(line) for line in lines]
    assert max(widths) <= 588 and (len(lines) - 1) * 588 < sum(widths)
    assert min(widths) > 588 / 4 or len(lines) == 1
    assert len(lines) == 1 or all(len(line) > 1 for line in lines)


def test_two_photos_and_a_question_are_one_line():
    """Its letters give way: nine of them would need a second line."""
    sequence = interleave([Image(480, 640), Image(1080, 1920), "Which of the two was taken first?"], style="qwen2.5-vl")
    output = show.sequence(sequence, style="qwen2.5-vl")
    assert len(groups(output)) == 1 and Page(output).of("mm-drawn")[-1][1] == "Which…t?33"
    assert (
        Page(
            show.sequence(
                interleave(["Which of the two was taken first?"], style="qwen2.5-vl"), style="qwen2.5-vl", strips="ids"
            )
        ).of("mm-drawn")[-1][1]
        == "Which of …t?33"
    )


def test_the_strip_of_ids_is_as_high_as_its_labels_need():
    heights = lambda parts, style: {
        which: int(re.search(f"--mm-{which}:([0-9]+)px", a["style"]).group(1))
        for a, _ in Page(show.sequence(interleave(parts, style=style), style=style, strips="ids")).of("mm-lines")
        for which in ("narrow", "wide")
    }
    short = heights(["Go"], "llava-1.5")
    long = heights([Image(480, 640), "Go"], "smolvlm")
    assert short["narrow"] == short["wide"] < 55 < long["wide"] < long["narrow"]
    assert heights([], "llava-1.5") == {"narrow": 39, "wide": 39}


def test_text_is_shown_as_it_is():
    typed = "<b>&</b>\n\x00é<|image_pad|>"
    output = show.sequence(interleave([typed], style="qwen2-vl"), style="qwen2-vl")
    shown = Page(output).of("mm-drawn")[0][1]
    assert shown == "<b>&</b>↵…|>" + str(len(typed.encode()))
    assert repr(typed) in repr(output)
    short = show.sequence(interleave(["a\n\x00é"], style="qwen2-vl"), style="qwen2-vl", strips="ids")
    assert Page(short).of("mm-drawn")[0][1] == "a↵�é5"


def test_text_alternatives():
    sequence = interleave(["Go", Image(64, 96), Text("ok", learn=True)], style="qwen2-vl")
    told = (
        "3 parts become 12 tokens. What is sent: text, picture, text. Ids: 'Go' (2 tokens), <|vision_start|>, "
        "6 × <|image_pad|>, <|vision_end|>, 'ok' (2 tokens). Vectors from: table, features 0…5, table. "
        "Modality: text, image, text. Position: 0…1, 2, 3…8, 9, 10…11. Learned: not, not, not, not, learned."
    )
    output = show.sequence(sequence, style="qwen2-vl")
    assert repr(output) == f"[strip: {told}]"
    (drawn,) = Page(output).of("mm-lines")
    assert drawn[0]["role"] == "img" and drawn[0]["aria-label"] == told
    assert all(a["aria-hidden"] == "true" for name in ("mm-names", "mm-columns") for a, _ in Page(output).of(name))
    assert repr(show.sequence(sequence, style="qwen2-vl", alt=" Mine. ")) == "[strip: Mine.]"
    assert (
        "<figcaption>See &lt;this&gt;</figcaption>"
        in show.sequence(sequence, style="qwen2-vl", caption="See <this>")._repr_html_()
    )


def test_nothing_is_drawn_of_nothing():
    empty = interleave([], style="qwen2-vl")
    assert repr(show.sequence(empty, style="qwen2-vl")) == "[strip: An empty document: no part, no token.]"
    assert "empty: no part, no token" in Page(show.sequence(empty, style="qwen2-vl")).of("mm-lines")[0][1]
    output = show.mask(visible(empty), empty)
    assert repr(output) == "[strip: Who sees whom. nothing, it is empty.]" and Page(output)


@pytest.mark.parametrize(
    "change, said",
    [
        ({"strips": ["sent", "smell"]}, "strips holds 'smell'; known are 'sent', 'ids', 'vectors'"),
        ({"strips": []}, "strips is empty; give at least one of 'sent'"),
        ({"style": "qwen9"}, "unknown style 'qwen9'"),
        ({"style": "llava-1.5"}, "neither a byte nor one of llava-1.5's 1 tokens"),
        ({"alt": " "}, "alt is empty"),
    ],
)
def test_sequence_refuses(change, said):
    sequence = interleave(["A", Image(64, 96)], style="qwen2-vl")
    with pytest.raises(ValueError, match=said):
        show.sequence(sequence, **{"style": "qwen2-vl", **change})


def test_a_packed_row_counts_in_each_document():
    one = interleave(["a", Image(tokens=4), Image(tokens=3)], style="llava-1.5")
    row = pack([one, one])
    assert medium_names(row) == ["picture 1", "picture 2"] * 2
    said = stacks(show.sequence(row, style="llava-1.5"), list(STRIPS))
    assert [text for _, text in said["positions"]] == ["0", "1…4", "5…7"] * 2
    assert [text for _, text in said["vectors"]][-1] == "features 11…13"
    assert sum("mm-on" not in names for names, _ in said["sent"]) == 6


# Who sees whom


def squares(output):
    """(x, y, width, kind, pale) of the cells that are drawn, those of the edge left out."""
    cells = []
    for tag, a, _ in Page(output).elements:
        if tag == "rect" and float(a["x"]) >= 76 and float(a["y"]) >= 40 and a["fill"] != "none":
            kind = re.search("--mm-(\\w+)", a["fill"]).group(1)
            cells.append((float(a["x"]), float(a["y"]), kind, "opacity" in a))
    return cells


@pytest.mark.parametrize("rule", ["causal", "whole-images", "prefix", "everything"])
def test_a_mask_of_few_tokens_is_the_table_of_attention(rule):
    sequence = interleave(["ab", Image(tokens=3), "c", Image(tokens=2), Text("d", learn=True)], style="llava-1.5")
    cells = squares(show.mask(visible(sequence, rule), sequence))
    step = 246 / len(sequence.ids)
    drawn = np.zeros((len(sequence.ids),) * 2, bool)
    for x, y, kind, pale in cells:
        row, column = round((y - 40) / step), round((x - 76) / step)
        drawn[row, column] = True
        assert not pale and kind == ("image" if sequence.modality[row] else "text")
    np.testing.assert_array_equal(drawn, attention_mask(sequence, rule))


def test_shares_are_those_of_the_table():
    sequence = interleave(["ab", Image(tokens=31), Text("cd", learn=True)], style="llava-1.5")
    bounds = np.array([0, 1, 2, 7, 12, 17, 22, 27, 33, 34, 35])
    for rule, window in (("causal", None), ("whole-images", None), ("prefix", None), ("causal", 9)):
        table = attention_mask(sequence, rule, window=window)
        expected = [
            [table[a:b, c:d].mean() for c, d in itertools.pairwise(bounds)] for a, b in itertools.pairwise(bounds)
        ]
        np.testing.assert_allclose(share(visible(sequence, rule, window=window), bounds), expected, rtol=1e-12)


def test_a_run_is_six_cells_and_a_long_text_eight():
    sequence = interleave(["a" * 50, Image(tokens=1196), "bc"], style="llava-1.5")
    cells = squares(show.mask(visible(sequence, "everything"), sequence))
    assert len(cells) == (8 + 6 + 2) ** 2
    causal = squares(show.mask(visible(sequence), sequence))
    assert (
        len(causal) == 16 * 17 // 2 and sum(pale for *_, pale in causal) == 14
    )  # those on the diagonal of many tokens


def test_several_masks_stand_side_by_side():
    one = interleave(["a", Image(tokens=4)], style="llava-1.5")
    row = pack([one, one])
    output = show.masks({"Causal": (visible(one), one), "Packed & apart": (visible(row), row)}, caption="Two rules.")
    page = Page(output)
    assert [text for _, text in page.of("mm-title")] == ["Causal", "Packed & apart"]
    assert len([1 for tag, *_ in page.elements if tag == "svg"]) == 2
    assert repr(output) == (
        "[strip: Who sees whom. Causal: token 0 (text) sees up to itself; tokens 1…4 (picture) see up to themselves. "
        "Packed & apart: token 0 (text) sees up to itself; tokens 1…4 (picture) see up to themselves; "
        "token 5 (text) sees from 5 up to itself; tokens 6…9 (picture) see from 5 up to themselves.]"
    )
    window = show.mask(visible(one, window=2), one)
    assert "tokens 1…4 (picture) see up to themselves, as far back as the window reaches" in repr(window)


def test_masks_refuse():
    sequence = interleave(["a", Image(tokens=4)], style="llava-1.5")
    seen = visible(sequence)
    with pytest.raises(
        ValueError, match=r"seen of 'Mine' is int64 \(4, 2\); this sequence needs whole numbers \(5, 2\)"
    ):
        show.mask(seen[1:], sequence, title="Mine")
    with pytest.raises(ValueError, match=r"seen is float64 \(5, 2\)"):
        show.mask(seen.astype(float), sequence)
    with pytest.raises(ValueError, match=r"seen says that token 4 sees \[0, 6\] of 5 tokens"):
        show.mask(np.where(seen == 5, 6, seen), sequence)
    with pytest.raises(ValueError, match="nothing to draw"):
        show.masks({})
    with pytest.raises(ValueError, match="alt is empty"):
        show.mask(seen, sequence, alt="")
