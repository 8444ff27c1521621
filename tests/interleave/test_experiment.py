"""The experiment on pictures side by side: its documents and questions, read again by hand, and the table it wrote."""

import itertools
from datetime import date

import numpy as np
import pytest
from experiment_programs import experiment_named

pytestmark = pytest.mark.trains

torch = pytest.importorskip("torch")

from mmtokedu import samples
from mmtokedu.nn import interleave as toy
from mmtokedu.nn.interleave import ARMS, CLOSE, LARGE, LITTLE, NO_ANSWER, OPEN, WORDS

WORLDS = {"large": LARGE, "little": LITTLE}


@pytest.fixture(scope="module")
def experiment():
    with experiment_named("interleave") as module:
        yield module


def drawn_for(arm, world=LARGE, n=40, counts=(1, 2, 3, 4), seed=0):
    return toy.documents(np.random.default_rng(seed), n, ARMS[arm], [c for c in counts if c <= world.most], world)


def read_again(drawn, i):
    """Pictures [(number, codes), ...] and words of document i, told by its separators alone, token by token."""
    pictures, words, inside, number = [], [], None, None
    for token in drawn.ids[i].tolist():
        if token == OPEN:
            assert inside is None
            inside = []
        elif token == CLOSE:
            pictures.append((number, inside))
            inside, number = None, None
        elif token >= WORDS:
            number = token - WORDS
        elif inside is None:
            words.append(token)
        else:
            inside.append(token)
    assert inside is None and number is None
    return pictures, words


# documents


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
@pytest.mark.parametrize("arm", ["separators", "both", "labels", "labels_any"])
def test_a_document_read_by_its_separators_is_what_it_says(arm, world):
    drawn = drawn_for(arm, world)
    for i in range(len(drawn.count)):
        pictures, words = read_again(drawn, i)
        assert len(pictures) == drawn.count[i]
        for k, (number, codes) in enumerate(pictures):
            assert world.shortest <= len(codes) <= world.longest and len(set(codes)) <= toy.PALETTE
            assert codes[0] == drawn.first[i, k] and set(codes) == set(np.flatnonzero(drawn.has[i, k]))
            assert number == (drawn.number[i, k] if ARMS[arm].labels else None)
        assert set(words) == set(np.flatnonzero(drawn.has[i, -1]))
        assert drawn.code[i].sum() == sum(len(codes) for _, codes in pictures)
        assert not drawn.has[i, len(pictures) : -1].any()
    if arm == "labels":
        assert (drawn.number == np.arange(world.most)).all()
    if arm == "labels_any":
        assert drawn.number.max() == toy.NUMBERS - 1 and all(
            len(set(row)) == world.most for row in drawn.number.tolist()
        )


def test_pictures_stand_side_by_side():
    for arm, between in (("modality", 0), ("separators", 2), ("labels", 3)):
        drawn = drawn_for(arm, counts=[4])
        for row in drawn.code:
            gaps = np.diff(np.flatnonzero(row)) - 1
            assert set(gaps.tolist()) == {0, between} and (between == 0 or (gaps > 0).sum() == 3)


def test_without_separators_there_are_words_and_codes_alone():
    drawn = drawn_for("nothing")
    assert drawn.ids.max() < WORDS and drawn.ids.shape == (40, LARGE.tokens)
    for i, k in itertools.product(range(40), range(4)):
        codes = set(np.flatnonzero(drawn.has[i, k]))
        assert codes <= set(drawn.ids[i][drawn.code[i]]) and len(codes) <= toy.PALETTE
        assert (drawn.first[i, k] in codes) == (k < drawn.count[i])


def test_neither_length_nor_place_tells_how_many_pictures_there_are():
    for arm, pictures in itertools.product(("nothing", "labels"), (1, 4)):
        drawn = drawn_for(arm, n=400, counts=[pictures])
        first = drawn.code.argmax(axis=1)
        assert drawn.ids.shape[1] == LARGE.tokens and first.min() <= 2 + 2 * pictures and np.ptp(first) > 3


# questions


@pytest.mark.parametrize("arm", ["both", "labels_any"])
def test_answers_are_those_of_the_document_read_by_hand(arm):
    drawn, rng = drawn_for(arm, n=200), np.random.default_rng(1)
    asked, answers, about = {}, {}, {}
    for kind in toy.KINDS:
        asked[kind], answers[kind], about[kind] = toy.questions(rng, drawn, kind)
    for i in range(200):
        pictures, words = read_again(drawn, i)
        assert asked["count"][i].tolist() == [toy.COUNT] * 2 and answers["count"][i] == WORDS + len(pictures) - 1
        k = about["first"][i]
        assert asked["first"][i].tolist() == [toy.FIRST, WORDS + drawn.number[i, k]]
        assert answers["first"][i] == pictures[k][1][0]
        x = asked["kind"][i, 1]
        if answers["kind"][i] != NO_ANSWER:
            in_picture = any(x in codes for _, codes in pictures)
            assert in_picture != (x in words) and answers["kind"][i] == (toy.A_CODE if in_picture else toy.A_WORD)
        else:  # one of the two has no id of its own
            codes = {x for _, codes in pictures for x in codes}
            assert not set(words) - codes or not codes - set(words)
    assert 0 < np.mean(answers["kind"] == NO_ANSWER) < 0.2


def test_a_picture_that_is_not_there_cannot_be_asked_about():
    drawn, rng = drawn_for("both", n=100), np.random.default_rng(1)
    for k in range(4):
        _, answers, about = toy.questions(rng, drawn, "first", k)
        assert (about == k).all() and ((answers == NO_ANSWER) == (drawn.count <= k)).all()


# the model


@pytest.fixture(params=[False, True], ids=["codes", "vectors"])
def reader(request):
    torch.manual_seed(0)
    reader = toy.Reader(vectors=request.param, width=32)
    for weight in reader.parameters():
        if not weight.any():
            torch.nn.init.normal_(weight, std=0.2)
    return reader.eval().requires_grad_(False)


def some(arm="both", world=LARGE, n=5):
    drawn, rng = drawn_for(arm, world, n=n), np.random.default_rng(2)
    return drawn, np.stack([toy.questions(rng, drawn, kind)[0] for kind in toy.KINDS], axis=1)


def moved(a, b):
    return (a - b).abs().amax(dim=(0, -1))


def test_a_question_sees_the_document_and_no_other_question(reader):
    drawn, asked = some()
    before, others = reader.ask(drawn, asked), asked.copy()
    others[:, 1] = asked[:, 2]
    change = moved(reader.ask(drawn, others), before)
    assert change[1] > 1e-3 and change[[0, 2]].max() == 0
    ids = drawn.ids.copy()
    ids[:, 5] = (ids[:, 5] + 1) % WORDS
    assert moved(reader.ask(drawn._replace(ids=ids), asked), before).min() > 1e-4


def test_with_the_picture_first_its_states_know_no_question(reader):
    drawn, asked = some(world=LITTLE)
    one, other = asked[:, :1], asked[:, 1:2]
    assert reader.states(drawn, one, "picture").shape == (2, 2, 5, 4, LITTLE.tokens, 8)
    assert torch.equal(*(reader.states(drawn, questions, "picture") for questions in (one, other)))
    apart = reader.states(drawn, one, "question") - reader.states(drawn, other, "question")
    assert apart[1].abs().amax(dim=(0, 1, 2, 4)).min() > 1e-3, "the second layer's states, at every token"


def test_both_orders_have_the_same_tokens_and_end_with_the_same():
    drawn, asked = some(world=LITTLE)
    ids = {order: toy._lay_out(drawn, asked[:, :1], order)[0] for order in ("picture", "question")}
    assert (np.sort(ids["picture"]) == np.sort(ids["question"])).all() and (ids["picture"] != ids["question"]).any()
    for order, (before, at) in {"picture": (1, 1 + LITTLE.tokens), "question": (3, 1)}.items():
        row, code, place, mask, read = toy._lay_out(drawn, asked[:, :1], order)
        assert (row[:, before : before + LITTLE.tokens] == drawn.ids).all() and (
            row[:, at : at + 2] == asked[:, 0]
        ).all()
        assert (code.sum(axis=1) == drawn.code.sum(axis=1)).all() and (row[code] == drawn.ids[drawn.code]).all()
        assert read.tolist() == [row.shape[1] - 1] and (row[:, [0, -1]] == toy.BEGIN).all()
        assert mask[-1].all() and place.tolist() == list(range(LITTLE.tokens + 4))


def test_what_is_removed_nobody_sees(reader):
    drawn, asked = some()
    for how in ("kept", "closed"):
        gone = drawn._replace(arm=drawn.arm._replace(removed=how))
        swapped = np.where(gone.ids == OPEN, CLOSE, np.where(gone.ids == CLOSE, OPEN, gone.ids))
        assert torch.equal(reader.ask(gone, asked), reader.ask(gone._replace(ids=swapped), asked))
        assert moved(reader.ask(gone, asked), reader.ask(drawn, asked)).min() > 1e-4


def test_a_closed_gap_is_a_shorter_document(reader):
    """One document with its separators taken out of the arrays, and the same with them hidden and positions closed."""
    drawn, asked = some(n=1)
    keep = drawn.ids[0] < OPEN
    shorter = drawn._replace(
        ids=drawn.ids[:, keep], code=drawn.code[:, keep], world=LARGE._replace(tokens=int(keep.sum()))
    )
    closed, kept = (
        reader.ask(drawn._replace(arm=drawn.arm._replace(removed=how)), asked) for how in ("closed", "kept")
    )
    assert keep.sum() < LARGE.tokens
    np.testing.assert_allclose(closed, reader.ask(shorter, asked), rtol=0, atol=1e-5)
    assert moved(kept, closed).min() > 1e-4


def test_modality_and_noise_are_seen_where_they_are_given(reader):
    drawn, asked = some("nothing")
    marked = drawn._replace(arm=ARMS["modality"])
    assert moved(reader.ask(marked, asked), reader.ask(drawn, asked)).min() > 1e-4
    noisy = reader.ask(drawn, asked, rng=np.random.default_rng(0))
    assert (moved(noisy, reader.ask(drawn, asked)).min() > 1e-4) == (reader.projector is not None)


def test_a_vector_says_which_code_it_is(reader):
    """In place of ids alone: with vectors a picture's ids reach the model through the tower, words through the table."""
    drawn, asked = some()
    table = reader.small.word.weight.clone()
    reader.small.word.weight[:] = 0
    codes = drawn._replace(ids=np.where(drawn.code, (drawn.ids + 1) % WORDS, drawn.ids))
    change = moved(reader.ask(codes, asked), reader.ask(drawn, asked))
    assert (change.max() > 1e-3) == (reader.projector is not None)
    reader.small.word.weight[:] = table


def test_scores_by_hand():
    class Fixed:
        """Says of every question that the answer is number 2."""

        def ask(self, drawn, asked, order=None, rng=None):
            assert (drawn.number == np.arange(LARGE.most)).all(), "labels are 1, 2, … in the test"
            logits = torch.zeros(*asked.shape[:2], toy.IDS)
            logits[..., WORDS + 1] = 1
            return logits

    rows = toy.score(Fixed(), ARMS["labels_any"], (1, 2), n=50)
    assert [row["pictures"] for row in rows] == [1, 2] and [row["count"] for row in rows] == [0, 1]
    assert rows[1]["kind"] == 0 and rows[1]["first"] == [0, 0]


# how it learns


def test_one_seed_is_one_run_and_vectors_are_another():
    run = lambda seed, **options: toy.train(ARMS["both"], seed=seed, steps=3, docs=4, **options)[0].state_dict()
    first, again, other = run(0), run(0), run(1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["small.word.weight"], other["small.word.weight"])
    assert set(run(0, vectors=True)) > set(first)


@pytest.mark.parametrize("orders", [(None,), ("picture",), ("question",), ("picture", "question")])
def test_so_many_steps_are_so_many_batches(orders):
    rows = toy.train(ARMS["both"], seed=0, steps=4, docs=3, world=LITTLE, orders=orders, counts=(1, 2), every=1)[1]
    assert [row["step"] for row in rows] == [1, 2, 3, 4]


def test_a_live_run_prints_as_it_goes(capsys):
    reader, rows = toy.live(steps=4, every=2)
    lines = capsys.readouterr().out.splitlines()
    assert len(rows) == 2 and [line[:15] for line in lines] == ["step    2   cou", "step    4   cou"]
    assert isinstance(reader, toy.Reader) and {"step", "count", "first"} <= set(rows[0])
    with pytest.raises(ValueError, match="there is no arm 'sepparators'; there are nothing, modality"):
        toy.live("sepparators")


def test_a_quick_run_of_every_part(experiment, monkeypatch):
    monkeypatch.setattr(experiment, "TESTS", 20)
    for part in experiment.PARTS:
        run = next(run for run in experiment.PLAN if run.part == part)
        row = experiment.measured(run, 0, share=0.003)
        assert experiment.key(row) == (*run, 0) and row["course"][-1]["right"]["pictures"] == run.upto
        assert {"as trained", "picture first"} & {ask["asked"] for ask in row["asked"]}
        assert ("states" in row) == (part == "order")


# the table


TABLE = samples.results("interleave")


def scored(part, arm, asked="as trained", pictures=3, order=None):
    """The scores of each seed, of documents with so many pictures."""
    rows = [row for row in TABLE["rows"] if (row["part"], row["arm"], row["order"]) == (part, arm, order)]
    assert [row["seed"] for row in rows] == [0, 1, 2]
    ways = [next(way for way in row["asked"] if way["asked"] == asked) for row in rows]
    return [next(row for row in way["rows"] if row["pictures"] == pictures) for way in ways]


def test_every_run_and_seed_is_there(experiment):
    planned = [(*run, seed) for run in experiment.PLAN for seed in experiment.SEEDS]
    assert [experiment.key(row) for row in TABLE["rows"]] == planned and len(experiment.SEEDS) == 3
    assert TABLE["settings"] == experiment.settings() and TABLE["made_by"] == "experiments/interleave.py"
    assert date.fromisoformat(TABLE["date"]) and TABLE["device"] and TABLE["versions"]["torch"]
    assert TABLE["processor_seconds"] == round(sum(row["seconds"] for row in TABLE["rows"]))
    assert "results/interleave.json" in samples.ITEMS


def test_shares_are_shares_and_a_course_leads_to_its_end():
    for row in TABLE["rows"]:
        for way in row["asked"]:
            for one in way["rows"]:
                shares = [one["count"], one["kind"], *one["first"]]
                assert all(0 <= share <= 1 for share in shares) and len(one["first"]) == one["pictures"]
        steps = [point["step"] for point in row["course"]]
        assert steps == list(range(100, row["steps"] + 1, 100))
        assert row["course"][0]["loss"] > row["course"][-1]["loss"] > 0


def test_without_anything_all_is_guessing():
    for row in scored("codes", "nothing"):
        assert abs(row["kind"] - 0.5) < 0.05 and max(row["first"]) < 0.3


@pytest.mark.parametrize("part, arm", [("codes", "modality"), ("vectors", "nothing"), ("vectors", "modality")])
def test_pictures_side_by_side_fuse_without_separators(part, arm):
    for row in scored(part, arm):
        assert row["first"][0] > 0.95 and row["first"][1] < 0.5 and row["first"][2] < 0.7


@pytest.mark.parametrize(
    "part, arm", [("codes", "both"), ("codes", "labels"), ("vectors", "separators"), ("vectors", "both")]
)
def test_separators_part_them(part, arm):
    for row in scored(part, arm):
        assert min(row["first"]) > 0.85 and row["count"] > 0.95


def test_a_modality_embedding_tells_words_from_codes_and_separators_do_not_within_these_steps():
    for arm in ("modality", "both", "labels", "labels_any"):
        assert min(row["kind"] for row in scored("codes", arm)) > 0.95
    assert max(row["kind"] for row in scored("codes", "separators")) < 0.6


def test_four_pictures_are_never_counted():
    for row in TABLE["rows"]:
        if row["order"] is None:
            assert all(way["rows"][3]["pictures"] == 4 and way["rows"][3]["count"] == 0 for way in row["asked"])


def test_labels_carry_the_third_picture_further_than_its_place_does():
    """Of four. What becomes of the fourth, whose number was never seen, is chance: once it was right."""
    labelled, placed = ([row["first"][2] for row in scored("codes", arm, pictures=4)] for arm in ("labels", "both"))
    assert max(placed) < 0.2 and min(labelled) > max(placed)
    told = [row["first"][3] for arm in ("both", "labels", "separators") for row in scored("codes", arm, pictures=4)]
    assert sorted(told)[-2] < 0.1 and max(told) > 0.8


@pytest.mark.parametrize("part, arm", [("codes", "both"), ("vectors", "separators"), ("vectors", "both")])
@pytest.mark.parametrize("way", ["removed, gap kept", "removed, gap closed"])
def test_who_learned_with_separators_cannot_do_without(part, arm, way):
    for row in scored(part, arm, way):
        assert row["first"][1] < 0.4 and row["count"] == 0
    assert min(row["count"] for row in scored(part, arm, way, pictures=1)) == 1, "it says one picture of any document"


def test_a_gap_alone_does_a_separators_work_for_vectors():
    for kept, closed in zip(scored("removed", "gap"), scored("removed", "gap", "removed, gap closed")):
        assert min(kept["first"]) > 0.95 and closed["first"][0] > 0.95
        assert closed["first"][1] < 0.4 and closed["first"][2] < 0.6


def first_by_order(trained, asked):
    rows = scored("order", "both", f"{asked} first", pictures=2, order=trained)
    return [sum(row["first"]) / 2 for row in rows]


def test_trained_on_both_orders_it_answers_in_both():
    for trained, asked in (("picture", "picture"), ("question", "question"), ("both", "picture"), ("both", "question")):
        assert min(first_by_order(trained, asked)) > 0.95, (trained, asked)


def test_who_learned_with_the_question_first_is_lost_without_it_and_hardly_the_other_way():
    assert max(first_by_order("question", "picture")) < 0.7
    assert min(first_by_order("picture", "question")) > 0.8
    count = [row["count"] for row in scored("order", "both", "question first", pictures=2, order="picture")]
    assert min(count) == 0 and sorted(count)[1] > 0.9, "on one seed it cannot count any more"


def test_with_the_picture_first_nothing_that_is_kept_changes():
    for row in TABLE["rows"]:
        if row["part"] == "order":
            picture, question = row["states"]
            assert picture["largest"] == 0 and picture["relative"] == 0 and max(picture["by_place"]) == 0
            assert question["relative"] > 0.05 and min(question["by_place"]) > 0
