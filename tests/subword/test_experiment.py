"""The counts behind the primer page on subword tokens: complete, of the texts that ship, and what the page says of them."""

import doctest
import hashlib
import json
import re
from datetime import date
from pathlib import Path

import pytest
from experiment_programs import experiment_named

from mmtokedu import measured

pytestmark = pytest.mark.apart

ROOT = Path(__file__).resolve().parents[2]
TABLE = measured.results("subword")
TEXTS = {row["name"]: row for row in TABLE["texts"]}
SHIPPED = "sentences", "page", "licence", "invoice", "table"  # the others are pages and code, which change
VOCABULARIES = "mistral-v3", "tekken", "qwen"


@pytest.fixture(scope="module")
def experiment():
    with experiment_named("subword") as module:
        yield module


def per_hundred(name, vocabulary):
    return 100 * TEXTS[name]["tokens"][vocabulary] / TEXTS[name]["words"]


def test_result_says_where_and_when_it_was_made(experiment):
    assert date.fromisoformat(TABLE["date"]) <= date.today()
    assert set(TABLE["versions"]) == {"python", *experiment.PACKAGES} and all(TABLE["versions"].values())
    assert tuple(TABLE["vocabularies"]) == tuple(experiment.VOCABULARIES) == VOCABULARIES


def test_the_file_is_written_the_way_the_program_writes(experiment):
    assert experiment.as_text(TABLE) == experiment.RESULTS.read_text(encoding="utf-8")


def test_every_text_sentence_and_piece_of_the_program_is_in_the_file(experiment):
    assert list(TEXTS) == list(experiment.texts())
    assert [row["text"] for row in TABLE["sentences"]] == list(experiment.SENTENCES.values())
    assert [row["text"] for row in TABLE["pieces"]] == list(experiment.PIECES)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_texts_that_ship_are_those_that_were_counted(experiment, name):
    what, licence, text = experiment.texts()[name]
    row = TEXTS[name]
    assert (row["what"], row["licence"]) == (what, licence)
    assert row["sha256"] == hashlib.sha256(text.encode()).hexdigest()[:12], "run experiments/subword.py again"
    assert (row["words"], row["characters"], row["bytes"]) == (len(text.split()), len(text), len(text.encode()))


def test_a_text_has_at_least_a_token_a_word_and_at_most_about_one_a_byte():
    for row in TABLE["texts"] + TABLE["sentences"]:
        for vocabulary in VOCABULARIES:  # SentencePiece puts a space in front of a text
            assert row["words"] <= row["tokens"][vocabulary] <= row["bytes"] + 1


def test_the_pieces_of_a_text_make_it_again(experiment):
    for row in TABLE["pieces"]:
        for vocabulary in ("tekken", "qwen"):
            assert "".join(row[vocabulary]) == row["text"]
    assert experiment.shown([b" caf", b"\xc3", b"\xa9"]) == [" caf", "<c3>", "<a9>"]


def test_the_table_and_the_paragraphs_are_told_apart(experiment):
    text = {name: parts[2] for name, parts in experiment.texts().items()}
    assert text["table"].splitlines()[-1] == "300 3508 2480 11125 17.8" and len(text["table"].splitlines()) == 6
    assert (
        text["page"].startswith("You look at this page and see words. A model is given") and "3508" not in text["page"]
    )
    assert len(text["page"].splitlines()) == 6  # one a type size


def test_the_doctests_of_the_program_hold(experiment):
    failed, tried = doctest.testmod(experiment)
    assert tried >= 2 and failed == 0


# what the page says


def test_about_130_holds_for_plain_prose_alone():
    plain = [per_hundred(name, v) for name in ("sentences", "page") for v in VOCABULARIES]
    assert 115 < min(plain) and max(plain) < 130
    for name, low, high in (("licence", 130, 160), ("primer", 140, 170), ("invoice", 220, 235), ("table", 430, 441)):
        assert all(low < per_hundred(name, v) < high for v in VOCABULARIES), name


def test_every_digit_is_a_token_in_all_three():
    row = TEXTS["table"]
    assert all(abs(row["tokens"][v] - row["characters"]) <= 1 for v in VOCABULARIES)
    assert next(r for r in TABLE["pieces"] if r["text"] == " 2691")["tekken"] == [" ", "2", "6", "9", "1"]


def test_other_scripts_cost_more_and_how_much_is_the_vocabularys_choice():
    tokens = {row["language"]: row["tokens"] for row in TABLE["sentences"]}
    assert set(tokens["English"].values()) == {12}
    assert tokens["Greek"] == {"mistral-v3": 52, "tekken": 18, "qwen": 45}
    for vocabulary in VOCABULARIES:
        assert max(tokens, key=lambda language: tokens[language][vocabulary]) in ("Greek", "Hindi")


def test_a_placeholder_that_is_typed_is_cut_to_pieces():
    row = next(r for r in TABLE["pieces"] if r["text"] == "<|image_pad|>")
    assert (len(row["tekken"]), len(row["qwen"])) == (7, 6)


def prose():
    cells = json.loads((ROOT / "book/primer/subword-tokens.ipynb").read_text(encoding="utf-8"))["cells"]
    return " ".join(" ".join("".join(c["source"]).split()) for c in cells if c["cell_type"] == "markdown")


@pytest.mark.parametrize(
    ("said", "names"),
    [
        (r"The sample page takes (\d+) to (\d+) tokens", ["page"]),
        (r"sentences to be read aloud take (\d+) to (\d+)", ["sentences"]),
        (r"A licence or a page of this primer takes (\d+) to (\d+)", ["licence", "primer"]),
        (r"the invoice (\d+) to (\d+)", ["invoice"]),
        (r"a table of figures (\d+) to (\d+)", ["table"]),
    ],
)
def test_the_ranges_that_the_page_says_are_the_counted_ones(said, names):
    rates = [round(per_hundred(name, vocabulary)) for name in names for vocabulary in VOCABULARIES]
    assert [int(number) for number in re.search(said, prose()).groups()] == [min(rates), max(rates)]


def test_a_strawberry_is_one_entry_or_two():
    assert "strawberry is a single entry; on another it is two, `straw` and `berry`" in prose()
    (row,) = [row for row in TABLE["pieces"] if row["text"] == " strawberry"]
    assert (row["tekken"], row["qwen"]) == ([" straw", "berry"], [" strawberry"])
