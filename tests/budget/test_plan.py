"""Requests that fit: equal to trying everything, never over the limit, whatever the order, and why where there is none."""

import dataclasses
import itertools
import random
import re

import numpy as np
import pytest

from mmtokedu import budget, interleave
from mmtokedu.budget import (
    Curve,
    Film,
    Picture,
    Point,
    Request,
    Rung,
    Sound,
    Words,
    measured_curves,
    plan,
    search,
    search_plain,
)
from mmtokedu.catalog import models

pytestmark = pytest.mark.apart

NAN = float("nan")
PAGE = Picture(1754, 1240, name="page")


# The search


def drawn_ladders(rng):
    """Up to five ladders that begin at nothing (or at a floor), rise in tokens and in value, and often tie."""
    ladders = []
    for _ in range(rng.randint(1, 5)):
        tokens = sorted(rng.sample(range(1, 61), rng.randint(1, 5)))
        values = sorted(rng.sample(range(1, rng.choice((8, 40))), len(tokens)))
        floor = rng.random() < 0.2
        ladders.append(([] if floor else [(0, 0)]) + list(zip(tokens, values, strict=True)))
    return ladders


def test_the_search_equals_trying_everything():
    rng, tied, over_greedy = random.Random(0), 0, 0
    for _ in range(3000):
        ladders = drawn_ladders(rng)
        room = sum(ladder[0][0] for ladder in ladders) + rng.randint(0, 150)
        best = search_plain(ladders, room)
        assert search(ladders, room) == best
        tied += search(ladders[::-1], room)[::-1] != best  # another of equal worth
        over_greedy += value_of(ladders, greedy(ladders, room)) < value_of(ladders, best)
    assert tied >= 10 and over_greedy > 100  # the cases reach ties, and what a step at a time would miss


def value_of(ladders, rungs):
    return sum(ladder[rung][1] for ladder, rung in zip(ladders, rungs, strict=True))


def greedy(ladders, room):
    """The steepest step that fits, over and over."""
    rungs, left = [0] * len(ladders), room - sum(ladder[0][0] for ladder in ladders)
    while True:
        steps = [
            ((ladder[r + 1][1] - ladder[r][1]) / (ladder[r + 1][0] - ladder[r][0]), i)
            for i, (ladder, r) in enumerate(zip(ladders, rungs, strict=True))
            if r + 1 < len(ladder) and ladder[r + 1][0] - ladder[r][0] <= left
        ]
        if not steps:
            return rungs
        i = max(steps)[1]
        left -= ladders[i][rungs[i] + 1][0] - ladders[i][rungs[i]][0]
        rungs[i] += 1


def test_no_ladder_and_no_room():
    assert search([], 0) == search_plain([], 0) == ()
    assert search([[(0, 0), (1, 5)]], 0) == (0,)


# Plans


def drawn_request(rng, most=4):
    media = []
    for _ in range(rng.randint(1, most)):
        more = {"weight": rng.choice((1, 1, 2, 4, 8)), "floor": rng.choice((0, 0, 0, 0.3))}
        kind = rng.choice(("page", "page", "photo", "sound", "film"))
        if kind == "page":
            media.append(PAGE._replace(x_height=rng.choice((None, 6.0, 12.0)), **more))
        elif kind == "photo":
            media.append(Picture(*rng.choice(((300, 400), (1080, 1920), (3000, 700))), **more))
        elif kind == "sound":
            media.append(Sound(rng.choice((4, 4.5, 60)), coded=rng.random() < 0.7, **more))
        else:
            media.append(Film(rng.choice((5, 10)), 360, 640, fps=rng.choice((0.5, 2)), **more))
    words = [Words(rng.randint(0, 200)) for _ in range(rng.randint(0, 2))]
    parts = media + words
    rng.shuffle(parts)
    return Request("qwen2.5-omni-7b", tuple(parts), answer=rng.choice((0, 256)))


def outcome(request, limit):
    try:
        return plan(request, limit)
    except ValueError as error:
        return str(error)


@pytest.fixture(scope="module")
def drawn():
    """(request, limit, what came of it) many times, most of them too long for their limit."""
    rng, cases = random.Random(1), []
    for _ in range(500):
        request, limit = drawn_request(rng), rng.choice((300, 600, 1000, 2000, 4000, 8000))
        cases.append((request, limit, outcome(request, limit)))
    return cases


def test_a_plan_equals_trying_everything(drawn, monkeypatch):
    monkeypatch.setattr(budget, "search", search_plain)
    planned = [case for case in drawn if isinstance(case[2], budget.Plan) and not case[2].fits]
    assert len(planned) > 250
    for request, limit, found in planned:
        assert plan(request, limit) == found


def test_a_plan_is_within_its_limit_and_says_what_it_did(drawn):
    for request, limit, found in drawn:
        if isinstance(found, str):
            assert str(limit) in found
            continue
        assert found.tokens + request.answer <= limit and (found.limit, found.answer) == (limit, request.answer)
        media = [rung for rung in found.chosen if rung]
        words = sum(part.tokens for part in request.parts if isinstance(part, Words))
        assert found.tokens == words + sum(rung.tokens for rung in media)
        assert found.fits == (found.before + request.answer <= limit) == (not found.steps)
        assert {step.part for step in found.steps} == {
            place for place, rung in enumerate(found.chosen) if rung and rung.how != ("whole",)
        }
        for step in found.steps:
            part = request.parts[step.part]
            assert step.after.tokens < step.before.tokens and step.after.quality <= step.before.quality
            assert step.after.quality >= min(round(1000 * part.floor), step.before.quality)
        assert found.explain()[0].startswith(f"{found.before} tokens ") and len(found.explain()) == 1 + len(found.steps)


def test_what_fits_is_not_touched():
    request = Request("qwen2.5-vl-7b", (Words(10), PAGE, Film(20, 720, 1280)), answer=100)
    whole = plan(request, 10**9)
    assert whole.fits and whole.steps == () and {rung.how for rung in whole.chosen[1:]} == {("whole",)}
    assert plan(request, whole.tokens + 100) == whole._replace(limit=whole.tokens + 100)
    assert not plan(request, whole.tokens + 99).fits
    assert whole.explain() == [
        f"{whole.tokens} tokens fit into 1000000000 tokens, of which 100 are for the answer; nothing was changed"
    ]


def test_a_medium_that_cannot_gain_is_left_as_it_is():
    """Pictures of one size make 256 tokens however small: shrinking one would change it for nothing."""
    request = Request("gemma-3-4b", (PAGE, Picture(300, 300, weight=4), PAGE._replace(weight=3)))
    found = plan(request, 600)
    assert [rung.how for rung in found.chosen] == [("left out",), ("whole",), ("whole",)]


def some_orders(parts):
    """Twenty of the orders, the reversed one first."""
    orders = list(itertools.permutations(parts))
    return [orders[-1], *random.Random(3).sample(orders, 19)]


def test_the_order_of_parts_changes_nothing():
    parts = (PAGE, Picture(900, 1600, weight=2), Sound(10, coded=True), Film(20, 720, 1280), Words(30))
    found = plan(Request("qwen2.5-omni-7b", parts), 3000)
    chosen = dict(zip(parts, found.chosen, strict=True))
    for order in some_orders(parts):
        again = plan(Request("qwen2.5-omni-7b", order), 3000)
        assert dict(zip(order, again.chosen, strict=True)) == chosen and again.tokens == found.tokens


def test_of_equal_media_the_first_gets_the_most():
    for count in (2, 3, 5):
        found = plan(Request("qwen2.5-vl-7b", (PAGE,) * count), 1000)
        tokens = [rung.tokens for rung in found.chosen]
        assert tokens == sorted(tokens, reverse=True) and sum(tokens) <= 1000


def test_a_larger_limit_never_loses():
    rng = random.Random(2)
    for _ in range(20):
        request = drawn_request(rng, most=3)
        sums = []
        for limit in (500, 1000, 2000, 4000, 10**6):
            if isinstance(found := outcome(request, limit), budget.Plan):
                rungs = zip(request.parts, found.chosen, strict=True)
                sums.append(sum(part.weight * rung.quality for part, rung in rungs if rung))
        assert sums == sorted(sums)


def test_four_pages_that_share_too_little():
    """Measured curves have a foot: two pages that are read are worth more than four that are not."""
    found = plan(Request("qwen2.5-vl-7b", (PAGE,) * 4), 400)
    qualities = sorted(rung.quality for rung in found.chosen)
    equal = plan(Request("qwen2.5-vl-7b", (PAGE,)), 400 // 4).chosen[0].quality
    assert sum(qualities) > 3 * 4 * equal and qualities[0] < 100 < 600 < qualities[-1]


def test_large_letters_need_fewer_tokens():
    """Of two pages of one size, the one whose letters are known to be large gives way."""
    small, large = PAGE._replace(x_height=6.0), PAGE._replace(x_height=18.0)
    found = plan(Request("qwen2.5-vl-7b", (small, large)), 1600)
    assert found.chosen[1].tokens < found.chosen[0].tokens / 2 and found.chosen[1].quality > 900


def test_weights_and_floors():
    heavy = plan(Request("qwen2.5-vl-7b", (PAGE, PAGE._replace(weight=8))), 300).chosen
    assert heavy[1].quality > heavy[0].quality
    floored = plan(Request("qwen2.5-vl-7b", (PAGE._replace(floor=0.6), PAGE._replace(weight=8))), 300).chosen
    assert floored[0].quality >= 600 > heavy[0].quality
    tiny = Picture(20, 20, floor=0.9)  # nobody reads it however it is sent: it is sent as it is
    assert plan(Request("qwen2.5-vl-7b", (tiny, PAGE)), 500).chosen[0].how == ("whole",)


def test_curves_of_ones_own():
    flat = {"picture": Curve("one who never minds", (Point(1.0, pixels=1),))}
    found = plan(Request("qwen2.5-vl-7b", (PAGE,)), 50, curves=flat)
    assert found.instruments == ("one who never minds",) and found.chosen[0].quality == 1000
    assert "one who never minds expects 1.00 of it, 0.00 less" in found.explain()[1]
    zeroed = Curve("half is nothing", (Point(0.5, pixels=1), Point(1.0, pixels=10**6)), zero=0.5)
    assert [zeroed.above_zero(q) for q in (0.2, 0.5, 0.75, 1.0)] == [0, 0, 500, 1000]


def test_the_measured_curves():
    curves = measured_curves()
    for curve in curves.values():
        assert len(curve.points) >= 5 and all(0 <= point.quality <= 1 for point in curve.points)
    assert [point.rate for point in curves["sound"].points] == [100 * q for q in range(1, 9)]
    fps = {point.fps for point in curves["film"].points}
    assert fps <= {0.25, 0.5, 1, 2, 4, 8} and all(point.pixels % 784 == 0 for point in curves["film"].points)
    assert all(point.x_height for point in curves["picture"].points)


def test_a_coded_sound_goes_down_by_codebooks():
    request = Request("qwen2.5-vl-7b", (Sound(4, coded=True),))
    got = [plan(request, limit).chosen[0] for limit in (3200, 3199, 1000, 400, 399)]
    assert got[0].how == ("whole",) and got[-1] == Rung(0, 0, ("left out",))
    assert got[3].how == ("coded", 1) and got[3].tokens == 400
    assert all(rung.how[1] <= 4 for rung in got[1:4])  # beyond four codebooks this listener hears no more


# Counts


def sent(part, rung):
    """The part of an interleaved sequence that a rung stands for, None where it is left out."""
    kind, *sizes = rung.how
    if kind == "left out":
        return None
    if isinstance(part, Picture):
        return interleave.Image(*(sizes or (part.height, part.width)))
    if isinstance(part, Sound):
        return interleave.Audio(seconds=part.seconds)
    frames, height, width = sizes or (round(part.seconds * part.fps), part.height, part.width)
    return interleave.Video(tuple(range(frames)), frames / part.seconds, height, width, seconds=part.seconds)


STYLED = [name for name, row in models.rows().items() if row.style and (row.images or row.videos or row.sounds)]


@pytest.mark.parametrize("name", STYLED)
def test_tokens_are_those_of_the_whole_sequence(name):
    """Text, media, their markers and times, joined as the model's style joins them."""
    row = models.row(name)
    media = [Picture(1080, 1920), Picture(500, 300)] if row.images else []
    media += [Sound(7.3)] * bool(row.sounds) + [Film(9, 480, 640)] * bool(row.videos)
    parts = (Words(5), *media, Words(11))
    for limit in (10**6, 1500):
        found = plan(Request(name, parts), limit)
        pieces = [np.zeros(part.tokens, np.int64) if isinstance(part, Words) else sent(part, rung)
                  for part, rung in zip(parts, found.chosen, strict=True)]  # fmt: skip
        sequence = interleave.interleave([piece for piece in pieces if piece is not None], style=row.style)
        assert len(sequence.ids) == found.tokens


def test_pictures_that_are_in_no_sequence():
    """Llama 3.2 looks at them from the side: a placeholder each."""
    found = plan(Request("llama-3.2-11b-vision", (Words(10), Picture(1080, 1920))), 11)
    assert found.fits and found.tokens == 11


def test_long_media_are_counted_without_being_written_out():
    year = 365 * 24 * 3600
    found = plan(Request("qwen2.5-omni-7b", (Words(1), Sound(year))), 1000)
    assert found.before > 25 * 300 and found.tokens == 1
    assert plan(Request("voxtral-mini-3b", (Sound(year),)), 10).before == 375 * year // 30


# Refused


OMNI = "qwen2.5-omni-7b"
REFUSED = [
    (lambda: plan(Request(OMNI, (PAGE,)), 0), ValueError, "limit is 0; nothing fits into no tokens"),
    (lambda: plan(Request(OMNI, (PAGE,)), -1), ValueError, "limit is -1"),
    (lambda: plan(Request(OMNI, (PAGE,)), 1e4), TypeError, "limit is 10000.0; expected a whole number"),
    (lambda: plan(Request(OMNI, (PAGE,)), NAN), TypeError, "limit is nan"),
    (lambda: plan(Request("qwen-omni", (PAGE,)), 10), ValueError, "unknown model 'qwen-omni' (of 28); the nearest name"),
    (lambda: plan(Request(OMNI, (PAGE,), answer=-5), 10), ValueError, "answer is -5"),
    (lambda: plan(Request(OMNI, (Words(-1),)), 10), ValueError, "parts[0]: tokens is -1"),
    (lambda: plan(Request(OMNI, (Words(1), Sound(NAN))), 10), ValueError, "parts[1]: seconds is nan; expected a finite"),
    (lambda: plan(Request(OMNI, (Sound(0),)), 10), ValueError, "parts[0]: seconds is 0"),
    (lambda: plan(Request(OMNI, (Sound("4"),)), 10), TypeError, "parts[0]: seconds is '4'"),
    (lambda: plan(Request(OMNI, (Sound(4e7),)), 10), ValueError, "parts[0]: seconds is 4e+07; a medium lasts at most 316"),
    (lambda: plan(Request(OMNI, (Film(4e7, 9, 9),)), 10), ValueError, "a medium lasts at most 31622400 seconds, a year"),
    (lambda: plan(Request(OMNI, (Film(1e5, 90, 90),)), 10), ValueError, "200000 frames; at most 20000 are counted (up to 0.2"),
    (lambda: plan(Request(OMNI, (Film(4, 90, 90, fps=0),)), 10), ValueError, "parts[0]: fps is 0"),
    (lambda: plan(Request(OMNI, (Film(4, 90, 90, fps=2000),)), 10), ValueError, "fps is 2000; at most 1000 frames"),
    (lambda: plan(Request(OMNI, (Picture(0, 9),)), 10), ValueError, "parts[0]: image is 0x9"),
    (lambda: plan(Request(OMNI, (Picture(9, 9.5),)), 10), TypeError, "parts[0]: width is 9.5"),
    (lambda: plan(Request(OMNI, (Picture(9, 9000),)), 10), ValueError, "parts[0], picture: "),
    (lambda: plan(Request(OMNI, (PAGE._replace(weight=0),)), 10), ValueError, "parts[0]: weight is 0"),
    (lambda: plan(Request(OMNI, (PAGE._replace(weight=0.5),)), 10), TypeError, "parts[0]: weight is 0.5"),
    (lambda: plan(Request(OMNI, (PAGE._replace(floor=1.5),)), 10), ValueError, "parts[0]: floor is 1.5; expected a share"),
    (lambda: plan(Request(OMNI, (PAGE._replace(floor=NAN),)), 10), ValueError, "parts[0]: floor is nan"),
    (lambda: plan(Request(OMNI, (PAGE._replace(x_height=-1),)), 10), ValueError, "parts[0]: x_height is -1"),
    (lambda: plan(Request(OMNI, ("hello",)), 10), TypeError, "parts[0] is str; expected Picture, Film, Sound, Words"),
    (lambda: plan(Request(OMNI, PAGE), 10), TypeError, "parts is Picture; expected a tuple of parts"),
    (lambda: plan(Request(OMNI, "hello"), 10), TypeError, "parts is str"),
    (lambda: plan("hello", 10), TypeError, "request is str; expected Request(model, parts, answer)"),
    (lambda: plan(Request("gemma-3-4b", (PAGE, Sound(4))), 10), ValueError, "parts[1], sound: gemma-3-4b takes no sounds"),
    (lambda: plan(Request("gemma-3-4b", (Film(4, 9, 9),)), 10), ValueError, "parts[0], film: gemma-3-4b takes no films"),
    (lambda: plan(Request("voxtral-mini-3b", (PAGE,)), 10), ValueError, "parts[0], page: voxtral-mini-3b takes no images"),
    (lambda: plan(Request(OMNI, (Words(90), PAGE), answer=20), 100), ValueError,
     "90 tokens of text and 20 for the answer are 110; the limit is 100, so nothing is left for page (part 1, 2774 tokens)"),
    (lambda: plan(Request(OMNI, (Words(90),)), 80), ValueError, "the limit is 80, so nothing is left for media"),
    (lambda: plan(Request(OMNI, (PAGE._replace(floor=0.9),)), 100), ValueError,
     "page (part 0, 249 tokens) cannot be less without falling below their floors, 249 tokens; of 100 tokens 100 are left"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "message"), REFUSED, ids=[each[2][:40] for each in REFUSED])
def test_bad_requests(call, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        call()


def test_a_model_of_ones_own_is_planned_for():
    row = dataclasses.replace(models.row("qwen2.5-vl-7b"), name="mine", style="")
    assert plan(Request(row, (PAGE,)), 5000).tokens == 2772  # without markers, which nobody told
