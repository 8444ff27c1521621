"""A check passes the right answer and names every wrong answer it claims to name."""

import copy
import importlib
import math
import pkgutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from mmtokedu import compress, course, interleave, mrope, video
from mmtokedu.course import Exercise, Mistake, outcome, same, slip

TOPICS = [m.name for m in pkgutil.iter_modules(course.__path__) if not (m.ispkg or m.name.startswith("_"))]
EXERCISES = [
    pytest.param(e, id=f"{t}: {e.name}")
    for t in TOPICS
    for e in importlib.import_module(f"mmtokedu.course.{t}").EXERCISES
]
MISTAKES = [pytest.param(e, m, id=f"{p.id}: {m.says[:40]}") for p in EXERCISES for e in p.values for m in e.mistakes]


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_right_answer_passes_and_the_stub_does_not(exercise):
    assert exercise(exercise.answer).state == "pass"

    def stub(*args):
        raise NotImplementedError

    assert exercise(stub).state == "not attempted"
    assert exercise(lambda *args: None).state == "fail"
    assert "return" in exercise(lambda *args: None).message
    assert exercise(lambda *args: 1 / 0).state == "crash"
    assert len(exercise.mistakes) >= 2


@pytest.mark.parametrize("exercise, mistake", MISTAKES)
def test_a_classic_mistake_is_named(exercise, mistake):
    verdict = exercise(mistake.answer)
    assert verdict.state == "fail"
    assert mistake.says in verdict.message
    assert "expected" in verdict.message and "got" in verdict.message


def test_an_unknown_mistake_is_not_given_a_name():
    exercise = Exercise(
        "double",
        lambda x: 2 * x,
        ((1,), (5,)),
        (Mistake(lambda x: x, "not doubled"), Mistake(lambda x: x**2, "squared")),
    )
    assert "none of the usual" in exercise(lambda x: 2 * x + 1).message
    assert "not doubled" in exercise(lambda x: x).message


PAIRS = [
    pytest.param(e, pair, id=f"{p.id}: {pair.says[23:60]}, {pair.says.split('(2)')[1][:37]}")
    for p in EXERCISES
    for e in p.values
    for pair in e.known()[len(e.mistakes) :]
]


def named(name):
    """The exercise with a word in its name."""
    return next(p.values[0] for p in EXERCISES if name in p.values[0].name)


@pytest.mark.parametrize("exercise, pair", PAIRS)
def test_two_mistakes_at_once_are_named_where_the_cases_can_tell(exercise, pair):
    verdict = exercise(pair.answer)
    if verdict.cause == pair.says:
        return
    # two that undo each other are right (20 log10 of a root); one that hides the other is named alone
    made = [outcome(pair.answer, case) for case in exercise.cases]
    others = [exercise.answer] if verdict else [m.answer for m in exercise.mistakes if m.says == verdict.cause]
    assert len(others) == 1
    for case, result in zip(exercise.cases, made):
        assert same(outcome(others[0], case), result, equal_nan=True, values_alone=True)


def test_most_pairs_are_told_apart():
    assert len(PAIRS) > 150
    assert sum(p.values[0](p.values[1].answer).cause == p.values[1].says for p in PAIRS) > 0.9 * len(PAIRS)


def codes_in_a_loop(codebook_of):
    def follow(sums, usage, vectors, codes, decay):
        total, count = np.zeros_like(sums), np.zeros_like(usage)
        total[codes] += vectors
        count[codes] += 1
        return codebook_of(decay * sums + (1 - decay) * total, decay * usage + (1 - decay) * count)

    return follow


def without_two_and_mean(vectors, codebook, upstream, beta):
    return upstream + beta * (vectors - codebook[((vectors[:, None] - codebook) ** 2).sum(-1).argmin(1)])


def floored_and_unbroken(height, width):
    ratio = max(height, width, 1024) / 1024
    return round(height / ratio) // 16 * (round(width / ratio) // 16)


def with_numpys_mean(sums, usage, vectors, codes, decay):
    with np.errstate(all="ignore"):
        return np.array([vectors[codes == k].sum(axis=0) / (codes == k).sum() for k in range(len(usage))])


@np.errstate(all="ignore")
def with_every_share(codes, K):
    shares = np.bincount(codes, minlength=K) / len(codes)
    return np.exp(-(shares * np.log(shares)).sum())


@pytest.mark.parametrize(
    "name, function, says",
    [  # what was typed -> what the check must say of it, each of them
        ("round a side", lambda s, f: int(s / f + 0.5) * f, ["halves rounded up", "thin sides become 0"]),
        ("round a side", lambda s, f: max(f, int(s / f + 0.5) * f), ["halves rounded up"]),
        ("Pixtral", floored_and_unbroken, ["only begun was dropped", "the breaks themselves are tokens"]),
        ("gradient", without_two_and_mean, ["2 of the square's derivative", "summed, not averaged"]),
        ("follow", codes_in_a_loop(lambda s, n: s / n[:, None]), ["`total[codes] += vectors` adds once", "`count[codes] += 1`"]),
        ("follow", with_numpys_mean, ["nan at [2, 0]", "mean of nothing"]),
        ("perplexity", with_every_share, ["0 times log 0"]),
        ("perplexity", lambda c, K: math.exp(-sum(p * math.log(p) for p in np.bincount(c, minlength=K) / len(c))), ["math.log(0)"]),
        ("normalise", lambda i, m, s: i - np.array(m), ["divide by 255", "standard deviation forgotten"]),
    ],
)  # fmt: skip
def test_what_is_typed_is_named(name, function, says):
    verdict = named(name)(function)
    assert verdict.state == "fail" and all(words in verdict.cause for words in says), verdict


def test_slips_of_different_functions_or_of_one_switch_do_not_compose():
    def area(height, width, unit=1):
        return height * width * unit

    def other(height, width, unit=1, start=0):
        return start + height * width * unit

    mistakes = slip(area, "twice", unit=2), slip(area, "thrice", unit=3), slip(other, "one more", start=1)
    exercise = Exercise("area", area, ((1, 2), (3, 4)), mistakes)
    assert exercise.known() == mistakes
    assert "none of the usual" in exercise(lambda h, w: 6 * h * w).message


# ---------------------------------------------------------------- arguments changed in place


def spoiling(answer):
    """The answer of a function that leaves its arguments changed."""

    def function(*case):
        try:
            return copy.deepcopy(answer(*case))
        finally:
            for value in case:
                if isinstance(value, np.ndarray):
                    value += 1
                elif isinstance(value, list):
                    value.append(value[0])

    return function


CHANGEABLE = [p for p in EXERCISES if any(isinstance(v, (np.ndarray, list)) for v in p.values[0].cases[0])]


@pytest.mark.parametrize("exercise", CHANGEABLE)
def test_an_argument_changed_in_place_is_seen_beside_every_mistake(exercise):
    verdict = exercise(spoiling(exercise.answer))
    assert (
        verdict.state == "fail"
        and "Do not change the input" in verdict.cause
        and verdict.cause.startswith("argument 1")
    )
    for mistake in exercise.mistakes:
        verdict = exercise(spoiling(mistake.answer))
        assert verdict.cause == mistake.says and "also: argument 1" in verdict.message
    assert exercise(exercise.answer)  # the cases themselves are as they were


def test_a_student_cannot_spoil_the_cases():
    def destroy(array):
        array[:] = 0
        return array

    exercise = Exercise("copy", lambda a: a.copy(), ((np.array([1, 2]),),))
    assert exercise(destroy).state == "fail"
    assert exercise(lambda a: a).state == "pass"


def test_which_argument_was_changed_is_said():
    def sorts(a, b):
        b.sort()
        return a + b[0]

    exercise = Exercise("least", lambda a, b: a + min(b), ((1, [3, 2]),))
    assert exercise(sorts).cause.startswith("argument 2 was changed in place")
    nan = Exercise("first", lambda a: a[0], ((np.array([1.0, np.nan]),),))
    assert nan(lambda a: a[0])  # a nan is not a change


# ---------------------------------------------------------------- the kind of a result, and nan


def whole(exercise):
    right = [np.asarray(outcome(exercise.answer, case)) for case in exercise.cases]
    return all(r.dtype.kind in "iu" for r in right)


@pytest.mark.parametrize("exercise", [p for p in EXERCISES if whole(p.values[0])])
def test_floats_and_complex_numbers_are_no_counts_and_no_codes(exercise):
    def made_of(answer, kind):
        return lambda *case: np.asarray(answer(*case)).astype(kind)[()]

    for kind, words in ((float, "int"), (complex, "complex")):
        verdict = exercise(made_of(exercise.answer, kind))
        assert verdict.state == "fail" and words in verdict.cause, verdict
    assert exercise(made_of(exercise.answer, np.int32))
    for mistake in exercise.mistakes:
        if all(np.asarray(mistake.answer(*case)).dtype.kind in "iu" for case in exercise.cases):
            verdict = exercise(made_of(mistake.answer, float))
            assert verdict.cause == mistake.says
            case = exercise.cases[verdict.case - 1]  # of another shape, the shape is what counts
            alike = np.shape(mistake.answer(*case)) == np.shape(exercise.answer(*case))
            assert ("also: " in verdict.message) == alike


def test_a_count_is_an_int():
    assert "a count is an int" in named("count visual tokens")(lambda h, w, p, m: h / (p * m) * (w / (p * m))).cause
    assert "a count is an int" in named("listener")(lambda s, window, n: np.ceil(s / window) * n).cause


def refuses(x):
    if x < 0:
        raise ValueError("below 0")
    return x, np.arange(x)


@pytest.mark.parametrize(
    "function, cause",
    [
        (lambda x: [x, np.arange(x)], "you returned one list, it should be a tuple of 2"),
        (lambda x: ValueError("below 0") if x < 0 else refuses(x), "the exception was returned; `raise` it"),
        (lambda x: x if x < 0 else refuses(x), "this input must be refused with a ValueError"),
        (lambda x: (x, np.ma.masked_equal(np.arange(x), 1)), "item 2 of 2: a masked array"),
        (lambda x: (x, np.arange(x) + 0j), "item 2 of 2: complex numbers"),
        (lambda x: (float(x), np.arange(x)), "item 1 of 2: a float was returned; a count is an int"),
        (lambda x: (x, np.where(np.arange(x) == 1, np.nan, np.arange(x))), "item 2 of 2: float64 numbers"),
    ],
)
def test_the_kind_of_a_result_is_part_of_it(function, cause):
    exercise = Exercise("list", refuses, ((3,), (2,), (-1,)))
    assert exercise(refuses)
    verdict = exercise(function)
    assert verdict.state == "fail" and verdict.cause.startswith(cause), verdict


def test_nan_is_named_wherever_it_stands():
    exercise = Exercise("two", lambda x: (x, np.array([x, 1.0])), ((1.0,), (2.0,)))
    assert exercise(lambda x: (x, np.array([x, np.nan]))).cause.startswith("nan at [1]: 0 / 0")
    assert exercise(lambda x: (np.nan, np.array([x, 1.0]))).cause.startswith("nan")
    ragged = Exercise("ragged", lambda x: [np.ones(2), np.ones(3)], ((1.0,),))
    assert ragged(lambda x: [np.ones(2), np.array([1, 1, np.nan])]).cause.startswith("nan at [2]")
    unlike = Exercise("shape", lambda x: np.ones(2), ((1.0,),))
    assert unlike(lambda x: np.array([np.nan])).cause.startswith("nan at [0]")  # whatever else is wrong


def test_a_tensor_with_a_gradient_is_told_to_let_go_of_it():
    torch = pytest.importorskip("torch")
    exercise = Exercise("double", lambda x: 2 * x, ((np.ones(2),),))
    assert exercise(lambda x: torch.tensor(2 * x))
    assert ".detach()" in exercise(lambda x: torch.tensor(2 * x, requires_grad=True)).cause
    pair = Exercise("both", lambda x: (x, 2 * x), ((np.ones(2),),))
    assert "item 2 of 2: a tensor" in pair(lambda x: (x, torch.tensor(2 * x, requires_grad=True))).cause
    ragged = Exercise("list", lambda x: [x, x[:1]], ((np.ones(2),),))
    assert ".detach()" in ragged(lambda x: [x, torch.tensor(x[:1], requires_grad=True)]).cause


def test_what_a_function_on_a_card_changes_is_seen(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(course, "_has_cuda", lambda: True)
    monkeypatch.setattr(torch.Tensor, "cuda", torch.Tensor.clone)
    exercise = Exercise("double", lambda x: 2 * x, ((np.ones(2),),), needs="cuda")
    assert exercise(lambda x: 2 * x)
    assert "Do not change the input" in exercise(lambda x: x.mul_(2)).cause


# ---------------------------------------------------------------- what a check says, and where


def test_a_case_is_counted_among_those_that_can_be_seen():
    exercise = Exercise("double", lambda x: 2 * x, ((1,), (2,), (3,)), visible=2)
    assert "case 1 of 2" in exercise(lambda x: x).message


def run_script(text):
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(text)], capture_output=True, text=True, check=True)
    return done.stdout


def test_a_script_hears_what_the_check_says_and_once():
    said = run_script("""
        from mmtokedu.course import patches as check, load_checks, pack_checks, recorded
        check.round_side(lambda side, factor: round(side / factor) * factor)
        verdict = check.round_side(lambda side, factor: side)
        print(check.round_side(lambda side, factor: side // factor * factor))
        assert not check.round_side(lambda side, factor: side)
        packed = load_checks(pack_checks({"side": recorded(check.round_side)}))
        packed["side"](lambda side, factor: max(factor, round(side / factor) * factor))
    """)
    assert said.count("round a side") == 3
    assert (
        said.index("thin sides become 0 pixels")
        < said.index("floor instead of round")
        < said.index("all 7 cases agree")
    )


def test_a_console_that_has_no_tick_hears_the_check_too(monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    said = run_script("""
        from mmtokedu.course import patches as check
        check.round_side(lambda side, factor: max(factor, round(side / factor) * factor))
    """)
    assert said == "? round a side to whole patches: all 7 cases agree\n"


def test_at_the_prompt_nothing_is_said_twice(capsys):
    """A line at the prompt, as the last one of a notebook's cell, is shown by the prompt."""
    exec(compile("exercise(lambda x: x)", "prompt", "single"), {"exercise": Exercise("same", lambda x: x, ((1,),))})
    assert capsys.readouterr().out.count("all 1 cases agree") == 1


def test_a_check_that_is_interrupted_leaves_no_old_word_in_the_receipt(capsys):
    def interrupted(x):
        raise KeyboardInterrupt

    record = course.recorded(Exercise("double", lambda x: 2 * x, ((1,),)))
    check = course.load_checks(course.pack_checks({"f": record}))
    assert check["f"](lambda x: 2 * x)
    with pytest.raises(KeyboardInterrupt):
        check["f"](interrupted)
    check.receipt()
    assert capsys.readouterr().out.split()[:3] == ["f", "not", "run"]


def test_pairs_are_known_to_the_packed_checks():
    exercise = named("Pixtral")
    check = course.load_checks(course.pack_checks({"f": course.recorded(exercise)}))["f"]
    assert check(lambda h, w: exercise.known()[-1].answer(h, w)).cause == exercise.known()[-1].says


@pytest.mark.parametrize("got", [None, "x", [1, 2, 3], np.array([1.0, np.nan]), [[1], [1, 2]], object()])
def test_odd_results_are_wrong_not_fatal(got):
    assert not same(got, np.array([1.0, 2.0]))


BY_HAND = {  # exercise -> what its cases must give, worked out on paper
    "count visual tokens": [256, 256, 39 * 69, 34 * 60],
    "round a side to whole patches": [4 * 28, 4 * 28, 39 * 28, 69 * 28, 2 * 28, 4 * 28, 28],
    "count Pixtral's tokens": [3 * 7, 63 * 5, 36 * 65, 64 * 8, 8 * 65],
    "measure what padding wastes": [0, 1 - 3011 / 8073, 9 / 20],
    "count what EVS keeps": [128, 64, 226, 296, 460],
    "split a budget between rate and size": [2, 4, 0.5, 0.25, 8],
    "say where the next word stands": [9, 7, 22, 7],
    "go on where the prompt ends": [-3, 0, -20, -8, -14],
    "average the tokens over all layers": [(64 + 3 * 16) / 4, 171, 270, 24],
}


@pytest.mark.parametrize("name", BY_HAND)
def test_the_answer_itself_is_right(name):
    """`answer` is what a student is held to, so it is held to numbers that no code of ours made."""
    exercise = next(p.values[0] for p in EXERCISES if p.values[0].name == name)
    assert [exercise.answer(*case) for case in exercise.cases] == pytest.approx(BY_HAND[name])


LISTS_BY_HAND = {
    "take the middle of each piece": [1, 3, 6, 8],
    "say when each pair was": [6 / 24, 30 / 24],
    "cut a film into chunks": [(0, 40), (30, 70), (60, 100)],
    "fit a clip under its cap": [84, 56],
    "find the frames that catch a moment": [12],
    "find the cuts": [4, 7],
    "keep what changed": [[True] * 3, [False, True, True], [False, True, True], [False] * 3],
    "make a run of each placeholder": [7, 99, 99, 8, 99, 99, 99],
    "say where each medium stands": [(1, 3), (3, 6)],
    "say what each token sees": [(0, 1), (0, 4), (0, 4), (0, 4), (0, 5)],
    "say what the model is taught": [-100] * 10 + [20, 21, 22, 2, 9],
    "stop at the limit, and halve no medium": [7, 1],
    "weave the sound into the film": [12, 11, 52, 50, 14, 13, 51],
    "give every token its three numbers": [
        *[(0, 0, 0), (1, 1, 1), (2, 2, 2), (2, 2, 3), (2, 2, 4), (2, 3, 2), (2, 3, 3), (2, 3, 4)],
        *[(5, 5, 5), (6, 6, 6)],
    ],
    "say which axis turns a pair": list("tthhhwww"),
    "keep the highest scores": [1, 3],
    "say where the survivors stand": [3 + 1, 3 + 5, 3 + 7],
    "match one round": [(0, 1)],
    "average what was matched": [[3, 1], [4, 1]],
    "say which tokens a fold puts side by side": [[0, 1, 4, 5], [2, 3, 6, 7]],
    "pool an odd side": [[1 / 3, 1 / 3, 1 / 3, 0, 0], [0, 0, 1 / 3, 1 / 3, 1 / 3]],
}


@pytest.mark.parametrize("name", LISTS_BY_HAND)
def test_the_answer_to_the_first_case_is_right(name):
    exercise = next(p.values[0] for p in EXERCISES if p.values[0].name == name)
    assert np.asarray(exercise.answer(*exercise.cases[0])).tolist() == np.asarray(LISTS_BY_HAND[name]).tolist()


def test_where_the_library_has_what_an_exercise_asks_the_two_agree():
    middles, times, size, changed, kept = map(
        named, ("the middle of each piece", "each pair", "under its cap", "what changed", "EVS")
    )
    for total, count in middles.cases:
        theirs = video.sample_frames(total, 30, frames=count, rule="internvl")
        assert middles.answer(total, count) == theirs.tolist()
    for indices, fps in times.cases:
        np.testing.assert_allclose(times.answer(indices, fps), video.timestamps(indices, fps))
    for frames, height, width, cap, cell in size.cases[1:]:  # under its cap, the library rounds to the nearest cell
        theirs = video.clip_resize(frames, height, width, factor=cell, max_pixels=cap)
        assert size.answer(frames, height, width, cap, cell) == list(theirs)
    for pixels, threshold in changed.cases:
        assert (
            changed.answer(pixels, threshold) == video.difference_mask(pixels.astype(float), 255 * threshold, least=0)
        ).all()
    for case in kept.cases:
        assert kept.answer(*case) == video.retained_tokens(*case)


def test_where_the_library_has_what_an_exercise_on_sequences_asks_the_two_agree():
    expand, spans, visible, learned, truncate, weave = importlib.import_module("mmtokedu.course.interleave").EXERCISES
    for case in expand.cases:
        assert expand.answer(*case) == interleave.expand(*case)[0].tolist()
    for case in spans.cases:
        assert list(map(list, spans.answer(*case))) == interleave.find_spans(*case).tolist()
    for kinds, where in visible.cases:
        row = sequence(len(kinds), where, [{"p": interleave.IMAGE, "s": interleave.AUDIO}.get(k, 0) for k in kinds])
        theirs = interleave.visible(row, "whole-images").tolist()
        assert list(map(list, visible.answer(kinds, where))) == theirs
    marks = {"begin": 1, "end": 2, "system": 4, "user": 5, "assistant": 6, "newline": 9}
    for turns, begin, end in learned.cases:
        assert begin == {role: [marks["begin"], marks[role], marks["newline"]] for role in begin}
        parts = interleave.chat([(role, [interleave.Text(ids)]) for role, ids in turns], style="qwen2-vl")
        theirs = interleave.interleave(parts, style="qwen2-vl", encode=spelled(marks), special=SPECIAL)
        assert learned.answer(turns, begin, end) == theirs.labels.tolist()
    for extents, tokens, limit in truncate.cases:
        kept = interleave.truncate(sequence(tokens, extents), limit)
        assert truncate.answer(extents, tokens, limit) == [len(kept.sequence.ids), len(kept.media)]


def test_where_the_library_has_what_an_exercise_on_positions_asks_the_two_agree():
    angles, score, positions, resume, axes, rotate, offset = importlib.import_module("mmtokedu.course.mrope").EXERCISES
    for position, pairs, theta in angles.cases:
        theirs = mrope.angles([position], sections=(pairs,), theta=theta)[0]
        np.testing.assert_allclose(angles.answer(position, pairs, theta), theirs)
    for query, key, m, n, theta in score.cases:
        turned = mrope.rotate(np.array([query, key]), [[m, n]], sections=(len(query) // 2,), theta=theta)
        assert score.answer(query, key, m, n, theta) == pytest.approx(turned[0] @ turned[1])
    for exercise in (positions, offset):
        for (segments,) in exercise.cases:
            row = [mrope.Text(n[0]) if kind == "text" else mrope.Vision(*[1, *n][-3:]) for kind, *n in segments]
            theirs = list(map(tuple, mrope.position_ids(row).T.tolist()))
            assert exercise.answer(segments) == (theirs if exercise is positions else mrope.decode_offset(row))
    for start, grid in resume.cases:
        row = [mrope.Text(start)] if start else []
        theirs = mrope.position_ids([*row, mrope.Vision(*grid), mrope.Text(1)])[:, -1]
        assert theirs.tolist() == [resume.answer(start, grid)] * 3
    for sections, layout in axes.cases:
        theirs = mrope.axis_of_pair(sections, layout=layout)
        assert axes.answer(sections, layout) == ["thw"[axis] for axis in theirs]
    for vector, turns, adjacent in rotate.cases:  # each pair an axis, so that any angles can be asked for
        ones, pairing = (1,) * len(turns), "adjacent" if adjacent else "half"
        places = [[turn * 8.0 ** (i / len(turns))] for i, turn in enumerate(turns)]
        theirs = mrope.rotate(np.array([vector]), places, sections=ones, theta=8.0, pairing=pairing)
        np.testing.assert_allclose(rotate.answer(vector, turns, adjacent), theirs[0], atol=1e-12)


def test_where_the_library_has_what_an_exercise_on_fewer_tokens_asks_the_two_agree():
    exercises = importlib.import_module("mmtokedu.course.compress").EXERCISES
    keep, places, mean, match, join, shares, fold, pool, latest = exercises
    for scores, count in keep.cases:
        kept = compress.prune(np.zeros((len(scores), 1)), np.array(scores), count)
        assert keep.answer(scores, count) == kept.index.tolist()
    for stages, before in places.cases:
        positions = np.arange(before, before + 12)[:, None]  # kept as tokens are
        for stage in stages:
            scores = np.isin(np.arange(len(positions)), stage).astype(float)
            positions = compress.prune(positions, scores, len(stage)).tokens
        assert places.answer(stages, before) == positions[:, 0].tolist()
    for stages, tokens, layers in mean.cases[:3]:
        (first, left), *_ = stages
        at = [layer for layer, _ in stages]
        theirs = compress.pyramid_schedule(tokens, layers, at=at, ratio=left / tokens)
        assert mean.answer(stages, tokens, layers) == theirs.mean()
    for similarity, r in match.cases:
        merged = compress.merge_tokens(alike(np.array(similarity)), r)
        source = merged.source.tolist()
        evens, odds = ([(place, i) for i, place in enumerate(source) if i % 2 == odd] for odd in (0, 1))
        assert match.answer(similarity, r) == [(i, j) for at, i in evens for place, j in odds if at == place]
    for values, sizes, pairs in join.cases:
        metric = np.eye(len(values))
        for gone, partner in pairs:
            metric[gone] = metric[partner]
        found = compress.merge_tokens(np.array(values)[:, None], len(pairs), metric=metric, size=np.array(sizes))
        stay = [found.source[i] for i in range(len(values)) if i not in dict(pairs)]
        means, counts = join.answer(values, sizes, pairs)
        np.testing.assert_allclose(means, found.tokens[stay, 0])
        assert counts == found.size[stay].tolist()
    for scores, sizes in shares.cases:
        weights = np.exp(scores + compress.proportional_bias(np.array(sizes)))
        np.testing.assert_allclose(shares.answer(scores, sizes), weights / weights.sum(), rtol=1e-5)
    assert shares.answer(*shares.cases[0]) == pytest.approx([3 / 4, 1 / 4])
    for rows, columns, factor in fold.cases:
        assert fold.answer(rows, columns, factor) == compress.shuffle_map((rows, columns), factor).tolist()
    for side, windows in pool.cases:
        theirs = compress.pool_weights(side, side // windows, rule="adaptive")
        np.testing.assert_allclose(pool.answer(side, windows), theirs)
    for tokens, layers, left, budget in latest.cases:
        if left <= budget:
            within = [k for k in range(layers + 1) if k * tokens + (layers - k) * left <= budget * layers]
            assert latest.answer(tokens, layers, left, budget) == within[-1]


def alike(likeness):
    """Tokens whose cosines, even against odd, are in the order of the table (evens, odds) of whole numbers, ties exact."""
    evens, odds = likeness.shape
    squares = (likeness**2).sum(axis=1)
    tokens = np.zeros((evens + odds, odds + squares.max()))
    tokens[1::2, :odds] = np.eye(odds)
    tokens[::2, :odds] = likeness
    for token, missing in zip(tokens[::2], squares.max() - squares):  # all evens as long as the longest
        token[odds : odds + missing] = 1
    return tokens


SPECIAL = {"<|im_start|>": 1, "<|im_end|>": 2} | {
    f"<|{token}|>": 300 + i for i, token in enumerate(["vision_start", "vision_end", "image_pad", "video_pad"])
}


def spelled(marks):
    """A tokenizer that knows the roles and the newline alone."""
    return lambda text: [marks[word] for word in text.replace("\n", " newline").split()]


def sequence(tokens, spans, modality=None):
    """A row of so many ids, all alike, with media at these places."""
    places, media = np.array(spans), np.arange(len(spans))
    ids = np.zeros(tokens, int)
    kinds = ids if modality is None else np.array(modality)
    return interleave.Sequence(ids, kinds, places, np.arange(tokens), ids - 100, ("",) * len(spans), media, places)


def test_the_arrays_of_the_answers_are_right():
    cut, normalise = (next(p.values[0] for p in EXERCISES if word in p.values[0].name) for word in ("cut", "normalise"))
    image, patch = cut.cases[0]  # 4 x 6 pixels of 3 channels, numbered 0, 1, 2, ...; cut by 2
    assert cut.answer(image, patch)[4].tolist() == [42, 43, 44, 45, 46, 47, 60, 61, 62, 63, 64, 65]
    white = normalise.answer(np.full((1, 1, 3), 255, np.uint8), (0.48, 0.46, 0.41), (0.27, 0.26, 0.28))
    assert white[0, 0].tolist() == pytest.approx([0.52 / 0.27, 0.54 / 0.26, 0.59 / 0.28])
