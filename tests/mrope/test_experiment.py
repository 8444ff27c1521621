"""The experiment on how far positions carry: its tasks, read again by hand, and the table it wrote."""

import itertools
import json
from datetime import date

import numpy as np
import pytest
from experiment_programs import experiment_named

pytestmark = pytest.mark.trains

torch = pytest.importorskip("torch")

from mmtokedu import samples
from mmtokedu.mrope import Text, Vision, position_ids
from mmtokedu.nn import mrope as toy
from mmtokedu.nn.mrope import NO_ANSWER, WAYS
from mmtokedu.nn.small import rms, rotate

SHAPES = [(1, 1, 1), (2, 3, 4), (3, 1, 5), (1, 4, 2)]


@pytest.fixture(scope="module")
def experiment():
    with experiment_named("mrope") as module:
        yield module


class Recorder:
    """In place of a Finder: keeps what it was given, and answers as `say(ids, kinds)` says, (n, N)."""

    def __init__(self, way=WAYS["interleaved"], say=lambda ids, kinds: np.zeros_like(ids), words=64):
        self.way, self.say, self.words = way, say, words

    def __call__(self, ids, kinds, positions, mask=None):
        self.ids, self.kinds, self.positions, self.mask = ids, np.broadcast_to(kinds, ids.shape), positions, mask
        return torch.nn.functional.one_hot(torch.tensor(self.say(ids, self.kinds)), self.words).float()


def some_finder(way="interleaved", layers=1, **options):
    torch.manual_seed(0)
    finder = toy.Finder(**toy.GRID | {"way": WAYS[way], "layers": layers} | options)
    for weight in finder.parameters():
        if not weight.any():
            torch.nn.init.normal_(weight, std=0.2)
    return finder.eval().requires_grad_(False)


# the grid


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", toy.KINDS, ids="{0[0]}{0[1]}".format)
def test_neighbours_are_found_cell_by_cell(shape, kind):
    cells = np.random.default_rng(0).integers(100, size=(3, np.prod(shape)))
    found, (axis, k) = toy.neighbours(cells, shape, *kind), kind
    films, along = cells.reshape(3, *shape), toy.AXES.index(axis)
    for cell, where in enumerate(itertools.product(*map(range, shape))):
        there = list(where)
        there[along] = there[along] + k if k else shape[along] - 1 - there[along]
        expected = films[(slice(None), *there)] if there[along] < shape[along] else np.full(3, NO_ANSWER)
        assert found[:, cell].tolist() == expected.tolist()
    assert (kind in [toy.KINDS[i] for i in toy.askable(shape, toy.KINDS)]) == (found != NO_ANSWER).any()


def test_each_way_has_its_positions():
    shape = 2, 3, 4
    cells = np.indices(shape).reshape(3, -1)
    for way in ("blocks", "interleaved", "slow t", "table", "stretched"):
        assert (toy.places(WAYS[way], shape) == cells).all()
    assert (toy.places(WAYS["line"], shape) == np.arange(24)).all()
    assert (toy.places(WAYS["line, breaks"], shape) == np.arange(30)).all()


def test_breaks_stand_behind_rows_and_are_not_asked():
    colours = np.random.default_rng(0).integers(toy.COLOURS, size=(2, 24))
    seen = Recorder(WAYS["line, breaks"], say=lambda ids, kinds: ids)
    logits = toy.grid(seen, colours, np.array([3, 5]), (2, 3, 4))
    rows = seen.ids.reshape(2, 6, 5)
    assert (rows[..., :4].reshape(2, 24) == colours).all() and (logits.argmax(dim=-1).numpy() == colours).all()
    assert rows[..., 4].tolist() == [[toy.BREAK, toy.BREAK, toy.END] * 2] * 2
    assert (seen.kinds == [[3], [5]]).all() and seen.mask.all() and seen.mask.shape == (30, 30)


def test_a_way_turns_its_pairs_or_none():
    ids, kinds = np.random.default_rng(0).integers(8, size=(2, 24)), np.zeros((2, 1), int)
    told = {}
    for way in WAYS:
        finder = some_finder(way)
        finder.small.load_state_dict(some_finder().small.state_dict())
        told[way] = toy.grid(finder, ids, kinds[:, 0], (2, 3, 4))
    for one, other in itertools.combinations(told, 2):
        assert (told[one] - told[other]).abs().max() > 1e-3, (one, other)


def test_a_stretched_table_keeps_its_edges_and_a_table_its_rows():
    rows, stretched = some_finder("table"), some_finder("stretched")
    places = np.arange(9)
    found = stretched._rows(stretched.tables[2], places)
    kept = stretched.tables[2]
    torch.testing.assert_close(found[[0, 4, 8]], kept[[0, 2, 4]])
    torch.testing.assert_close(found[1], (kept[0] + kept[1]) / 2)
    assert torch.equal(rows._rows(rows.tables[2], places), rows.tables[2][:9])


def test_scores_by_hand():
    """Who knows the answer has 1 along every axis, who says one colour about 1/8; a guess is the commonest colour."""
    shape = 3, 4, 4

    def knows(ids, kinds):
        return np.maximum(toy.neighbours(ids, shape, *toy.KINDS[kinds[0, 0]]), 0)

    right = toy.score_grid(Recorder(say=knows), shape, cells=480)
    constant = toy.score_grid(Recorder(), shape, cells=4800)
    assert [right[axis] for axis in "thw"] == [1, 1, 1] and right["guess"] == pytest.approx(0.2, abs=0.05)
    assert [constant[axis] for axis in "thw"] == pytest.approx([1 / 8] * 3, abs=0.02)
    mirrored = toy.score_grid(Recorder(say=knows), shape, kinds=toy.MIRRORED, cells=480)
    assert [mirrored[axis] for axis in "thw"] == [1, 1, 1]
    assert set(toy.score_grid(Recorder(), (1, 2, 3), cells=60)) == {"h", "w", "guess"}, "nothing is asked along t"


@pytest.mark.parametrize("keys", ["seen", "as many"])
def test_a_mask_shows_what_it_says_and_always_the_target(keys):
    shape, reach = (2, 4, 5), (1, 2, 1)
    target = toy.neighbours(np.arange(40)[None], shape, "w", 1)[0]
    mask = toy._keys(np.random.default_rng(0), shape, target, keys, reach).numpy()
    where = list(itertools.product(*map(range, shape)))
    near = np.array([[all(abs(a - b) <= r for a, b, r in zip(one, other, reach)) for other in where] for one in where])
    assert (mask.sum(axis=1) == near.sum(axis=1)).all()
    assert all(mask[i, j] for i, j in enumerate(target) if j >= 0)
    assert (mask == near).all() == (keys == "seen")


def test_score_against_offset_is_what_the_layer_computes():
    """The layer's own queries and keys of cells, turned at their places, the mean over all pairs of colours."""
    finder, kind = some_finder(), 4
    block, places = finder.small.blocks[0], position_ids([Vision(3, 4, 5)])
    by_hand = []
    for a, b in ((7, 33), (33, 7), (0, 59)):
        found = []
        for one, other in itertools.product(range(toy.COLOURS), repeat=2):
            x = rms(finder.small.embed(torch.tensor([[one, other]]), kind)) * block.gains[0]
            queries, keys, _ = block.queries_keys_values(x).unflatten(-1, (3, 2, -1)).permute(2, 0, 3, 1, 4)
            turns = finder.angles(places[:, [a, b]])
            queries = rotate(rms(queries) * block.sharpness[:, None, None], turns)
            found.append((queries[0, :, 0] * rotate(rms(keys), turns)[0, :, 1]).sum(dim=-1))
        by_hand.append(torch.stack(found).mean(dim=0))
    offsets = np.stack([places[:, 33] - places[:, 7], places[:, 7] - places[:, 33], places[:, 59]], axis=1)
    np.testing.assert_allclose(toy.scores_by_offset(finder, kind, offsets), torch.stack(by_hand, dim=1), atol=1e-4)


def test_strengths_are_how_far_pairs_move_a_score():
    finder = some_finder()
    strong, line = toy.strengths(finder, 2), np.zeros((3, 4000), int)
    line[1] = np.arange(-2000, 2000)  # rows: the pairs 1, 4, 7, … turn
    scores = toy.scores_by_offset(finder, 2, line)
    turning = strong[:, 1:15:3]
    assert strong.shape == (2, 16) and (np.ptp(scores, axis=1) <= 2 * turning.sum(axis=1) + 1e-4).all()
    deviation = (turning**2).sum(axis=1) / 2  # cosines of different speeds: their squares add up
    np.testing.assert_allclose(scores.var(axis=1), deviation, rtol=0.15)


# the other tasks


@pytest.fixture
def story(experiment):
    return experiment.story


def test_a_story_read_by_hand(story):
    ids, asked, answers = story.stories(np.random.default_rng(0), 50, frames=3)
    for document, questions, told in zip(ids.tolist(), asked.tolist(), answers.tolist()):
        before, film, after = document[1:9], document[9:21], document[21:]
        assert document[0] == story.BEGIN and len(set(before + after)) == 11 and max(before + after) < story.NAMES
        assert {code - story.NAMES for code in film} <= set(range(toy.COLOURS))
        for (kind, about), answer in zip(questions, told):
            if kind == story.NEXT:
                assert answer == before[before.index(about) + 1]
            else:
                frame = film[-4:] if kind == story.LAST else film[:4]
                assert kind in (story.LAST, story.FIRST) and answer == frame[about - story.CELL]
    assert asked.shape[1] == sum(story.EACH.values()) and len({tuple(row) for row in asked[0].tolist()}) == 15


def test_rules_differ_behind_the_film_alone(story):
    places = {rule: story.story_places(8, rule) for rule in ("after-max", "spatial", "count")}
    for rule, first in (("after-max", 9 + 8), ("spatial", 9 + 2), ("count", 9 + 32)):
        assert (places[rule][:, -5:] == first + np.arange(5)).all()
        assert (places[rule][:, :-5] == position_ids([Text(9), Vision(8, 2, 2)])).all()
    assert (story.story_places(2, "after-max") == story.story_places(2, "spatial")).all()


def test_a_question_sees_the_story_and_no_other_question(story):
    torch.manual_seed(0)
    finder = toy.Finder(**story.STORY).eval()
    for block in finder.small.blocks:
        torch.nn.init.normal_(block.out.weight, std=0.2)
    ids, asked, _ = story.stories(np.random.default_rng(0), 3, frames=2)
    with torch.no_grad():
        before = story.tell(finder, ids, asked, 2, "after-max")
        others, changed = asked.copy(), ids.copy()
        others[:, 1] = asked[:, 9]
        moved = (story.tell(finder, ids, others, 2, "after-max") - before).abs().amax(dim=(0, 2))
        assert moved[1] > 1e-3 and moved[[0, *range(2, 15)]].max() == 0
        changed[:, 3] = (changed[:, 3] + 1) % story.NAMES
        assert (story.tell(finder, changed, asked, 2, "after-max") - before).abs().amax(dim=(0, 2)).min() > 1e-5


def test_codes_carry_their_cell_and_words_do_not(story):
    seen = Recorder()
    ids, asked, _ = story.stories(np.random.default_rng(0), 2, frames=3)
    logits = story.tell(seen, ids, asked, 3, "count")
    assert seen.kinds[0].tolist() == [0] * 9 + [1, 2, 3, 4] * 3 + [0] * (3 + 30)
    assert logits.shape[:2] == (2, 15) and (seen.positions[:, 24:26] == seen.positions[:, -2:]).all()
    said = Recorder(say=lambda ids, kinds: ids)  # what it says is what it reads: the second token of each question
    assert (story.tell(said, ids, asked, 3, "count").argmax(dim=-1).numpy() == asked[..., 1]).all()


@pytest.mark.parametrize("rate", [1, 2, 4, 8])
def test_how_long_ago(experiment, rate):
    colours = np.arange(20)[None]
    for unit, k in experiment.clock.CLOCK:
        answers = experiment.clock.ago(colours, (unit, k), rate)[0]
        for frame, answer in enumerate(answers.tolist()):
            then = frame - k if unit == "frames" else frame - k * rate  # frame / rate - k seconds
            assert answer == (then if then >= 0 else NO_ANSWER)


def test_time_as_text_says_when_each_frame_was(experiment):
    clock, seen = experiment.clock, Recorder(say=lambda ids, kinds: ids)
    colours, start = clock.clips(np.random.default_rng(0), 4, 5)
    for rate in (1, 2, 4, 8):
        said = clock.clock(seen, "text", colours, start, rate, np.arange(4)).argmax(dim=-1).numpy()
        stamps = seen.ids.reshape(4, 5, 3) - [clock.COLOURS, clock.COLOURS + clock.SECONDS, 0]
        assert (said == colours).all() and (stamps[..., 2] == colours).all()
        np.testing.assert_array_equal(stamps[..., 0] + stamps[..., 1] / 8, start[:, None] / 8 + np.arange(5) / rate)
        assert (seen.positions == np.arange(15)).all() and (seen.kinds == np.arange(4)[:, None]).all()


def test_time_as_positions(experiment):
    clock, seen = experiment.clock, Recorder()
    colours, start = clock.clips(np.random.default_rng(0), 1, 5)
    for told, rate, t in (
        ("index", 8, [0, 1, 2, 3, 4]), ("ids", 1, [0, 2, 4, 6, 8]), ("ids", 2, [0, 1, 2, 3, 4]),
        ("ids", 8, [0, 0.25, 0.5, 0.75, 1]), ("whole ids", 4, [0, 0, 1, 1, 2]),
    ):  # fmt: skip
        clock.clock(seen, told, colours, start, rate, np.zeros(1, int))
        assert seen.positions[0].tolist() == t and not seen.positions[1:].any()


def test_the_latest_with_the_same_tag(experiment):
    tags, values, answers, back = experiment.tags.tagged(np.random.default_rng(0), 20, 40)
    for row, shown, told, far in zip(tags.tolist(), values.tolist(), answers.tolist(), back.tolist()):
        latest = {}
        for frame, tag in enumerate(row):
            assert (told[frame], far[frame]) == (
                (shown[latest[tag]], frame - latest[tag]) if tag in latest else (-100, 0)
            )
            latest[tag] = frame
    assert set(tags.ravel().tolist()) == set(range(experiment.tags.TAGS)) and back.max() > 20


def test_a_decoy_lures_who_looks_too_far(experiment):
    def earliest(ids, kinds):
        """The value of the first frame with the last frame's tag: the decoy."""
        first = (kinds == kinds[:, -1:]).argmax(axis=1)
        return np.broadcast_to(ids[np.arange(len(ids)), first][:, None], ids.shape)

    def latest(ids, kinds):
        return np.broadcast_to(ids[:, [-5]], ids.shape)  # 4 back

    assert experiment.tags.lured(Recorder(say=earliest), (1, 40, 119)) == [1, 1, 1]
    assert experiment.tags.lured(Recorder(say=latest), (1, 40, 119)) == [0, 0, 0]


# how it learns


def test_one_seed_is_one_run():
    run = lambda seed: toy.train(toy.grid_loss, seed=seed, steps=3, layers=1, **toy.GRID)[0].state_dict()
    first, again, other = run(0), run(0), run(1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["small.word.weight"], other["small.word.weight"])


def test_a_live_run_prints_as_it_goes(capsys):
    finder, rows = toy.live(steps=5, every=2, shape=(2, 7, 7))
    lines = capsys.readouterr().out.splitlines()
    assert [line[:11] for line in lines] == ["step    2  ", "step    4  ", "step    5  "] and len(rows) == 3
    assert isinstance(finder, toy.Finder) and len(finder.small.blocks) == 1 and {"all", "seen"} <= set(rows[0])
    with pytest.raises(ValueError, match="there is no way 'interlaced'; there are line, line, breaks, table"):
        toy.live("interlaced")


def test_a_quick_run_of_every_part(experiment, monkeypatch):
    monkeypatch.setattr(experiment, "GRIDS", {"trained width": (3, 5, 5), "other width": (2, 5, 8), "twice": (2, 7, 7)})
    monkeypatch.setattr(experiment, "FAR", ("twice",))
    monkeypatch.setattr(experiment, "TAG_FRAMES", (32,))
    monkeypatch.setattr(experiment, "FURTHER", (3, 40))
    for part in experiment.PARTS:
        run = next(run for run in experiment.PLAN if run.part == part)
        row = experiment.measured(run, 0, share=0.003)
        assert experiment.key(row) == (*run, 0) and row["asked"] and set(row["course"][-1]) == {"step", "loss", "right"}
        assert ("scores" in row) == (part == "offset") and ("lured" in row) == (part == "tags")


# the table


TABLE = samples.results("mrope")
SEEDS = [0, 1, 2]


def scored(part, way, trained, **asked):
    """The rows of each seed that ask so, a list a seed."""
    rows = [row for row in TABLE["rows"] if (row["part"], row["way"], row["trained"]) == (part, way, trained)]
    assert [row["seed"] for row in rows] == SEEDS
    return [[one for one in row["asked"] if asked.items() <= one.items()] for row in rows]


def along(part, way, trained, axes="thw", **asked):
    """What each seed has along each axis: (seeds, axes)."""
    return np.array([[one[axis] for axis in axes for one in rows] for rows in scored(part, way, trained, **asked)])


def test_every_run_and_seed_is_there(experiment):
    """Of all parts but the lab's; of those, of each that was run."""
    found = [experiment.key(row) for row in TABLE["rows"]]
    parts = {part for part in experiment.PARTS if part not in experiment.LAB} | {part for part, *_ in found}
    planned = [(*run, seed) for run in experiment.PLAN if run.part in parts for seed in experiment.SEEDS]
    assert found == planned and list(experiment.SEEDS) == SEEDS
    assert TABLE["settings"] == json.loads(json.dumps(experiment.settings()))
    assert TABLE["made_by"] == "experiments/mrope.py"
    assert date.fromisoformat(TABLE["date"]) and TABLE["device"] and TABLE["versions"]["torch"]
    assert TABLE["processor_seconds"] == round(sum(row["seconds"] for row in TABLE["rows"]))


def test_shares_are_shares_and_a_course_leads_to_its_end():
    for row in TABLE["rows"]:
        shares = [value for one in row["asked"] for name, value in one.items() if name in ("right", "guess", *"thw")]
        assert all(0 <= share <= 1 for share in shares)
        assert [point["step"] for point in row["course"]] == list(range(50, row["steps"] + 1, 50))
        assert row["course"][0]["loss"] > row["course"][-1]["loss"] > 0


@pytest.mark.parametrize("trained", ["one", "mixed"])
def test_m_rope_answers_at_another_width_whatever_it_was_trained_on(trained):
    for part, way in (("grid", "interleaved"), ("offset", "interleaved"), ("offset", "blocks")):
        for grid in ("trained width", "other width"):
            assert along(part, way, trained, grid=grid, keys="all").min() > 0.98


def test_one_axis_answers_at_its_own_width_alone():
    assert along("grid", "line", "one", grid="trained width").min() > 0.99
    assert along("grid", "line", "one", "h", grid="taller").min() > 0.99
    assert along("grid", "line", "one", "th", grid="other width").max() < 0.15
    assert along("grid", "line", "mixed", "h", grid="trained width").max() < 0.8
    assert along("grid", "line", "mixed", "th", grid="other width").max() < 0.2
    for trained in ("one", "mixed"):
        assert along("grid", "line", trained, "w", grid="twice").min() > 0.97, "to the right is one place on"


def test_tables_end_where_they_were_trained():
    for way, trained in (("table", "mixed"), ("stretched", "one")):
        far = along("grid", way, trained, "hw", grid="four times")
        assert far.max() < 0.3
    assert along("grid", "stretched", "one", "w", grid="other width").max() < 0.5


@pytest.mark.parametrize("trained, least", [("one", 0.99), ("mixed", 0.97)])
def test_trained_offsets_alone_restore_the_answer(trained, least):
    """Trained on mixed shapes, a row's farthest offsets are rare, and one seed has 0.97 along h."""
    for grid, way in itertools.product(("twice", "four times", "longer"), ("interleaved", "blocks")):
        assert along("offset", way, trained, grid=grid, keys="seen").min() > least
    all_, many = (along("offset", "interleaved", trained, grid="four times", keys=keys) for keys in ("all", "as many"))
    assert all_.max() < 0.8 and (all_ < many).all() and many.max() < 0.98


@pytest.mark.parametrize("trained", ["one", "mixed"])
def test_slow_pairs_carry_further_than_fast_ones(trained):
    slow, fast = (along("offset", way, trained, grid="four times", keys="all") for way in ("blocks", "interleaved"))
    assert slow.min() > 0.8 > fast.max()


def test_more_shapes_do_not_carry_further():
    one, mixed = (along("grid", "interleaved", trained, grid="four times", keys="all") for trained in ("one", "mixed"))
    assert mixed.mean() < one.mean() + 0.1 and mixed.min() < one.max()


def test_a_score_has_its_target_on_top_where_training_looked_and_repeats_beyond():
    line = TABLE["settings"]["line"]
    for row in TABLE["rows"]:
        if row["part"] == "offset":
            for (axis, k), reach in ((kind, {"t": 3, "h": 5, "w": 5}[kind[0]]) for kind in toy.ASKED):
                heads = np.array(row["scores"][f"{axis}{k}"])
                scores = heads[heads[:, line + k].argmax()]
                seen = (
                    slice(line - reach + 1, line + reach)
                    if row["trained"] == "one"
                    else slice(line - reach, line + reach + 1)
                )
                assert scores[seen].argmax() == k - (seen.start - line), (row["way"], row["trained"], axis, k)


def story_shares(trained, served, kind, frames=8):
    return [rows[0][kind] for rows in scored("resume", "interleaved", trained, served=served, frames=frames)]


def test_a_rule_is_served_as_it_was_trained():
    for rule in ("after-max", "spatial"):
        assert all(min(story_shares(rule, rule, kind)) > 0.9 for kind in ("word", "last", "first"))
    other = [story_shares("after-max", "spatial", kind) for kind in ("word", "last")]
    assert min(other[0]) > 0.85 and max(other[1]) < 0.2, "words are found, the last frame is not"
    back = [story_shares("spatial", "after-max", kind) for kind in ("word", "last", "first")]
    assert max(back[0]) < 0.8 and max(back[1]) < 0.5 and max(back[2]) < 0.5
    for rule in ("after-max", "spatial"):
        assert max(max(story_shares(rule, "count", kind)) for kind in ("word", "last", "first")) < 0.4


def test_two_frames_are_the_same_under_both_rules():
    for row in TABLE["rows"]:
        if row["part"] == "resume":
            one, other = (
                next(ask for ask in row["asked"] if ask["served"] == rule) for rule in ("after-max", "spatial")
            )
            assert one | {"served": ""} == other | {"served": ""} and one["frames"] == 2


def clock_shares(told, trained, unit, rate, name="right", served=None):
    found = scored("clock", told, trained, served=served or told, rate=rate, unit=unit)
    return np.array([[one[name] for one in rows] for rows in found])


def test_an_index_counts_frames_and_ids_count_seconds():
    for rate in (1, 2, 4, 8):
        assert clock_shares("index", "1 2 4", "frames", rate).min() > 0.99
        assert clock_shares("index", "1 2 4", "seconds", rate).max() < 0.85
        assert clock_shares("index", "2", "seconds", rate, "at_2").min() > 0.99
    for rate in (1, 2, 4):
        assert clock_shares("ids", "1 2 4", "seconds", rate).min() > 0.98
    assert 0.5 < clock_shares("ids", "1 2 4", "seconds", 8).min() < 0.95
    assert clock_shares("ids", "1 2 4", "seconds", 4, served="whole ids").max() < 0.7


def test_time_as_text_is_read_at_trained_rates_alone():
    for rate in (1, 2, 4, 8):
        assert clock_shares("text", "1 2 4", "frames", rate).min() > 0.98
        assert clock_shares("text", "2", "seconds", rate, "at_2").min() > 0.99, "it never learned to read the time"
    for rate in (1, 2, 4):
        assert clock_shares("text", "1 2 4", "seconds", rate).min() > 0.95
    assert clock_shares("text", "1 2 4", "seconds", 8).max() < 0.3
