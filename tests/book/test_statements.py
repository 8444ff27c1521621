"""Sentences of the pages that say numbers: each is held to the data that it speaks of."""

import json
import re
from pathlib import Path

import pytest

from mmtokedu import rvq
from mmtokedu.catalog import codecs, images
from mmtokedu.measured import results, timings

pytestmark = pytest.mark.apart

ROOT = Path(__file__).parents[2]
PAGES = re.findall(r"file: notebooks/(\w+|lab/\w+)$", (ROOT / "_toc.yml").read_text(encoding="utf-8"), re.MULTILINE)
_LISTED = (ROOT / "book" / "articles.txt").read_text(encoding="utf-8").splitlines()
PROMISING = [stem for stem in PAGES if f"notebooks/{stem}" not in _LISTED]  # an article's exercises promise nothing
WORDS = {"two": 2, "three": 3, "four": 4, "five": 5, "a hundred": 100, "an hour": 60}


def prose(path):
    """The text of a page, of a notebook its markdown cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = [c for c in json.loads(text)["cells"] if c["cell_type"] == "markdown"]
        text = "\n\n".join("".join(c["source"]) for c in cells)
    return text


def chapter(stem):
    return prose(ROOT / "notebooks" / f"{stem}.ipynb")


def whole(name):
    """The row of an experiment: variant -> row."""
    return {row["variant"]: row for row in results("vq")["encoder"][name]}


def exercise_minutes(text):
    """(minutes that the page promises for its exercises, minutes that they say themselves)."""
    promised = re.search(r"\*\*Time\*\*: .*?, (.+?)(?: minutes)? more for the exercises", text)[1]
    each = re.findall(r"^### .*\((?:easy|medium|hard), (\d+) minutes\)$", text, re.M)
    return WORDS.get(promised) or int(promised), sum(map(int, each))


@pytest.mark.parametrize("stem", PROMISING)
def test_the_exercises_take_the_minutes_that_the_page_promises(stem):
    promised, added = exercise_minutes(chapter(stem))
    assert promised == added > 0


def test_a_wrong_sum_of_minutes_is_noticed():
    text = "**Time**: an hour to read, 50 more for the exercises.\n\n### Cut (easy, 10 minutes)\n\n### Add (hard, 5 minutes)\n"
    assert exercise_minutes(text) == (50, 15)


def test_the_codecs_that_do_not_multiply_out_are_counted():
    unlike = {
        name: row
        for name, row in codecs.rows().items()
        if abs(row.sample_rate / row.hop * row.default - rvq.tokens_per_second(name)) > 0.01
    }
    word = re.search(r"(\w+) rows do not multiply out\.", chapter("lab/rvq"))[1].lower()
    assert WORDS[word] == len(unlike)
    assert "In the three SNAC models the coarse codebooks" in chapter("lab/rvq")
    slow = {name: max(row.strides) for name, row in unlike.items() if name.startswith("snac")}
    assert slow == {"snac-24k": 4, "snac-32k": 8, "snac-44k": 8}  # "every fourth", "the coarsest only every eighth"
    assert set(unlike) - set(slow) == {"encodec-48k"}


def test_a_model_that_is_gone_is_called_gone_with_its_price():
    gone = {"gemini-2.0-flash": "2026-06-01"}
    named = [(row, price) for row in images.rows().values() for price in row.prices if price.model in gone]
    assert len(named) == 2
    for row, price in named:
        assert f"shut down on {gone[price.model]}" in row.about and f"shut down on {gone[price.model]}" in price.source
    assert "shut down on June 1, 2026" in chapter("lab/patches")


def test_how_much_of_a_call_is_pythons():
    """ "Up to 32 images the two take about the same time, and two fifths of it or more are spent in Python." """
    said = "up to 32 images the two take about the same time, and two fifths of it or more are spent in Python"
    assert said in chapter("lab/patches")
    (card,) = (record for device, record in timings("patches").items() if device != "cpu")
    median = {(row["group"], row["name"]): row["median"] for row in card["rows"]}
    for order in ("plain grid", "Qwen order"):
        for batch in (1, 32):
            group = f"{order}, uint8 to float16, {batch}x448x448"
            called, replayed = (
                [median[g, name] for name in ("one kernel, out=", "torch.compile of the plain torch")]
                for g in (group, f"{group}, replayed")
            )
            assert max(called) < 1.25 * min(called), group
            assert all(alone <= 0.6 * whole for alone, whole in zip(replayed, called)), group


def test_what_late_k_means_is_said_to_do():
    mean = {name: row["psnr"]["mean"] for name, row in whole("rows").items()}
    assert mean["k-means late"] > mean["EMA + restarts"] + 1  # 64 dimensions
    assert abs(mean["4-d, k-means late, EMA + restarts"] - mean["4-d, EMA + restarts"]) < 0.1
    assert "in 64 dimensions late k-means ends higher, in 4 it does not" in chapter("lab/vq")
    longer = {name: row["psnr"]["mean"] for name, row in whole("longer").items()}
    assert "k-means late" not in longer and "was not trained longer" in chapter("lab/vq")
    assert (
        longer["FSQ, 4-d"]
        < longer["EMA + restarts"]
        < longer["k-means late, EMA + restarts"]
        < longer["EMA + restarts"] + 0.2
    )
    assert "within 0.2 dB of late k-means with averages and restarts" in chapter("lab/vq")


def test_the_threshold_that_no_batch_can_pass():
    """WavTokenizer #82: the asker's 1,200 vectors a batch, and the 40 clips of the repository's own settings."""
    text = chapter("lab/vq")
    assert (1200 // 2) / 4096 < 0.2 and "more than eight codes in ten are below the threshold" in text
    assert 1 - (4 * 1200 // 2) / 4096 > 0.4 and "4,800 vectors, still four in ten" in text


def test_the_square_and_the_sum_of_the_search():
    assert len(str(3000**2)) == 7 and len(str(64 * 3000**2)) == 9
    assert "has seven digits before the point, the sum over the 64 numbers of a patch has nine" in chapter("lab/vq")


def term(name):
    """The definition of a word in the glossary."""
    text = (ROOT / "book/glossary.md").read_text(encoding="utf-8")
    return " ".join(re.search(rf"^{name}\n((?:  .*\n)+)", text, re.M)[1].split())


def test_a_restart_needs_averages_only_where_there_are_averages():
    rows = whole("rows")
    assert rows["restarts"]["used"]["mean"] > 40 * rows["plain"]["used"]["mean"]  # a codebook that a gradient moves
    assert "Where entries are {term}`moving averages" in term("restart") and "only where" not in term("restart")


def test_the_words_of_the_glossary_that_were_too_wide():
    assert "stays unused" not in term("codebook collapse")
    assert "cross-entropy" in term("perplexity") and "same number" not in term("perplexity")
    assert "borsos2022audiolm" in term("semantic token") and "k-means" in term("semantic token")


def test_who_writes_the_codes_of_soundstream():
    road = prose(ROOT / "book/intro.md").split("The *discrete* road")[1].split("## ")[0]
    assert "AudioLM {cite:p}`borsos2022audiolm` writes the codes of SoundStream" in road
