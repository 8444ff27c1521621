"""The primer's five questions: each right answer is the library's, and each answer says which page to read or to skip."""

import re
from pathlib import Path

import draw_map
import nbformat
import numpy as np
import pytest
import reading
import yaml

from mmtokedu import catalog, mrope, patches, rvq, vq
from mmtokedu.course import quiz

pytestmark = pytest.mark.apart

ROOT = Path(__file__).parents[2]
ASKED = {question.id: quiz.draw(question) for question in quiz.load("selftest")}


def number(text):
    return float(text.replace("−", "-").replace(",", ""))


def said(name):
    return ASKED[name].options[ASKED[name].answer][0]


# what the library says


def test_three_times_the_tokens_are_nine_times_the_pairs():
    pairs = [int(np.tril(np.ones((N, N), bool)).sum()) for N in (1000, 3000)]
    assert pairs[1] / pairs[0] == pytest.approx(9, abs=0.01) and said("attention") == "About nine times."


def test_a_vector_for_each_patch_as_long_as_the_language_models():
    cut = patches.patchify(np.zeros((336, 336, 3), np.uint8), 14)
    llava = catalog.images.rows()["llava-1.5"].parameters
    assert (llava["side"], llava["cell"]) == (336, 14)
    raw, right, *_ = (text for text, _ in ASKED["vision-transformer"].options)
    assert raw == f"{len(cut)} vectors of {cut.shape[1]} numbers."
    assert right == said("vision-transformer") == f"{len(cut)} vectors of 4,096 numbers."


def test_straight_through_hands_on_the_slope_at_the_rounded_number():
    x = np.array([[1.3]])
    slope = 2 * (np.round(x) - 3)
    to_x, _ = vq.vq_gradients(x, np.round(x), np.array([0]), slope, beta=0)
    loss = lambda x: (np.round(x) - 3) ** 2
    through, at_x, right, _ = (text for text, _ in ASKED["straight-through"].options)
    assert right == said("straight-through") and number(right) == to_x.item()
    assert number(through) == ((loss(x + 1e-3) - loss(x - 1e-3)) / 2e-3).item()
    assert number(at_x) == pytest.approx(2 * (1.3 - 3))


def test_a_frame_for_every_hop():
    frames = rvq.mdct(np.zeros(16_000), 160)  # one more at the edge
    beside, skipping, right, _ = (number(text) if text[0].isdigit() else None for text, _ in ASKED["sound"].options)
    assert right == number(said("sound")) == len(frames) - 1
    assert (beside, skipping) == (16_000 / 400, round(16_000 / (400 + 160)))


def test_only_the_distance_enters_the_score():
    q, k = np.random.default_rng(0).normal(size=(2, 1, 64))
    turn = lambda x, place: mrope.rotate(x, [[place]], sections=(32,))
    score = lambda m, n: (turn(q, m) @ turn(k, n).T).item()
    assert score(107, 103) == pytest.approx(score(7, 3)) != pytest.approx(score(107, 3))
    assert said("rope") == "It stays the same."


# what the page says


@pytest.mark.parametrize("name", ASKED)
def test_each_answer_says_whether_to_read_the_page_and_how_long_it_is(name):
    title = nbformat.read(ROOT / f"book/primer/{name}.ipynb", 4).cells[0].source.splitlines()[0]
    minutes = reading.count(f"book/primer/{name}").before.minutes
    page = title.removeprefix("# ").removesuffix(" (RoPE)")
    for place, (_, says) in enumerate(ASKED[name].options):
        if place == ASKED[name].answer:
            assert f"ou can skip “{page}” and its {minutes} minutes." in says
        else:
            assert f"Read “{page}”, {minutes} minutes" in says and "you can skip" not in says.lower()
    assert ASKED[name].options[-1][0] == "I do not know."


def test_who_does_not_know_is_told_which_chapters_lean_on_the_page():
    stems = {name: stem for stem, (name, _) in draw_map.PLACES.items()}
    for name, asked in ASKED.items():
        leaning = re.search(r"minutes; (.*) leans? on it\.$", asked.options[-1][1])
        for chapter in leaning[1].split(" and ") if leaning else ():
            text = (ROOT / f"notebooks/{stems[chapter]}.ipynb").read_text(encoding="utf-8")
            assert f"book/primer/{name}.ipynb" in text


def test_there_are_five_in_the_order_of_the_primer():
    pages = draw_map.pages(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8")))
    assert len(ASKED) == 5 and list(ASKED) == [
        page for page in map(Path, pages) for page in [page.name] if page in ASKED
    ]
    assert {question.at for question in quiz.load("selftest")} == {"quiz"}
