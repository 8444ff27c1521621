"""The small reader asked with fewer tokens: what goes on is what was said, where it was, and nothing else changes."""

import time

import numpy as np
import pytest

pytestmark = pytest.mark.trains

torch = pytest.importorskip("torch")

from torch.nn import functional as F

from mmtokedu import small as plain
from mmtokedu.compress import merge_tokens, prune, pyramid_schedule
from mmtokedu.mrope import angles
from mmtokedu.nn import compress as probe
from mmtokedu.nn.small import Block, rms
from mmtokedu.nn.vision import Reader
from mmtokedu.samples import world

PLACES = torch.from_numpy(np.stack(np.unravel_index(np.arange(64), (1, 8, 8)), axis=1)).double()


@pytest.fixture(scope="module")
def reader():
    """An untrained one whose layers all do something."""
    torch.manual_seed(0)
    reader = Reader(len(world.WORDS), len(world.TAGS), layers=probe.LAYERS)
    for weight in reader.parameters():
        if not weight.any():
            torch.nn.init.normal_(weight, std=0.2)
    return reader.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def asked(reader):
    """(visual tokens, questions, scores, the plain answer) of six scenes."""
    pixels, questions, _ = probe.scenes(6)
    seen = probe.see(reader, pixels)
    told = reader.ask(pixels, questions, plain.lay_out((1, 8, 8), 8))
    return seen.visual, questions, probe.scores(reader, pixels, questions, seen), told


def close(found, expected, **tolerance):
    torch.testing.assert_close(found, expected, **{"rtol": 1e-4, "atol": 1e-5} | tolerance)


# asking


@pytest.mark.parametrize("after", range(5))
@pytest.mark.parametrize("options", [{}, {"size": torch.ones(6, 64, dtype=torch.int64)}, {"positions": PLACES}])
def test_all_tokens_are_the_plain_answer(reader, asked, after, options):
    visual, questions, scores, told = asked
    for name in ("random", "question 2"):
        close(probe.answer(reader, visual, questions, keep=64, scores=scores[name], after=after, **options), told)
    close(probe.answer(reader, visual, questions, **options), told)


@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize("keep", [0, 1, 16, 63])
def test_questions_together_are_questions_apart(reader, asked, after, keep):
    visual, questions, scores, told = asked
    options = {"keep": keep, "after": after}
    together = probe.answer(reader, visual, questions, scores=scores["random"], **options)
    each = scores["random"][:, None].expand(-1, 8, -1)
    close(probe.answer(reader, visual, questions, scores=each, **options), together)
    assert (together - told).abs().max() > 1e-3


def test_what_is_kept_is_what_prune_keeps_at_its_places(reader, asked):
    visual, questions, scores, _ = asked
    kept = prune(visual, scores["edges"], 16)
    by_hand = probe.answer(reader, kept.tokens, questions, positions=PLACES[kept.index])
    close(probe.answer(reader, visual, questions, keep=16, scores=scores["edges"]), by_hand)
    own = probe.answer(reader, visual, questions, keep=16, scores=scores["question 1"])
    for k in range(8):
        kept = prune(visual, scores["question 1"][:, k], 16)
        alone = probe.answer(reader, kept.tokens, questions[:, k : k + 1], positions=PLACES[kept.index])
        close(own[:, k : k + 1], alone)


def test_counted_anew_is_one_place_a_token_along_all_axes(reader, asked):
    visual, questions, scores, _ = asked
    kept = prune(visual, scores["received"], 16)
    places = np.broadcast_to(np.concatenate([np.arange(16), np.tile([16, 17], 8)]), (3, 32))
    turned = torch.from_numpy(angles(places, sections=(6, 5, 5), theta=100.0, layout="interleaved")).float()
    x, _, mask = probe.sequence(reader, kept.tokens, questions, positions=PLACES[kept.index])
    by_hand = reader.small(x, turned, mask)[:, 17::2]
    close(probe.answer(reader, visual, questions, keep=16, scores=scores["received"], renumber=True), by_hand)


def test_nothing_left_knows_what_was_read_before_and_no_more(reader, asked):
    visual, questions, scores, told = asked
    other = visual.roll(1, 0)
    blind = probe.answer(reader, visual, questions, keep=0, scores=scores["random"])
    close(probe.answer(reader, other, questions, keep=0, scores=scores["random"]), blind)
    late = probe.answer(reader, visual, questions, keep=0, scores=scores["random"], after=1)
    assert (late - probe.answer(reader, other, questions, keep=0, scores=scores["random"], after=1)).abs().max() > 1e-3
    close(probe.answer(reader, visual, questions, keep=0, scores=scores["random"], after=4), told)


def test_stages_choose_by_the_layer_before(reader, asked):
    visual, questions, scores, told = asked
    for after in (1, 2, 3):
        counts = [64] * after + [16] * (4 - after)
        fastv = probe.answer(reader, visual, questions, keep=16, scores=scores[f"question {after}"], after=after)
        close(probe.in_stages(reader, visual, questions, counts), fastv)
    close(probe.in_stages(reader, visual, questions, [64] * 4), told)
    halves = probe.in_stages(reader, visual, questions, pyramid_schedule(64, 4))
    assert (halves - fastv).abs().max() > 1e-3


def test_stages_with_scores_keep_the_best_of_the_best(reader, asked):
    visual, questions, scores, _ = asked
    fixed, own = scores["random"], scores["random"][:, None].expand(-1, 8, -1)
    found = [probe.in_stages(reader, visual, questions, [64, 32, 16, 8], scores=some) for some in (fixed, own)]
    close(*found)
    assert (found[0] - probe.in_stages(reader, visual, questions, [64, 32, 16, 8])).abs().max() > 1e-3


def test_a_size_counts_as_many(reader, asked):
    """The first token three times at its place is the first token once with a size of three."""
    visual, questions, _, told = asked
    index = torch.tensor([0, 0, *range(64)])
    thrice = probe.answer(reader, visual[:, index], questions, positions=PLACES[index])
    size = torch.ones(6, 64, dtype=torch.int64)
    size[:, 0] = 3
    close(probe.answer(reader, visual, questions, size=size), thrice)
    assert (thrice - told).abs().max() > 1e-4


def test_sizes_and_places_go_with_their_tokens(reader, asked):
    visual, questions, scores, _ = asked
    merged = probe.merge(visual, 32)
    kept = prune(merged.tokens, scores["random"][:, :32], 8)
    size = merged.size.gather(1, kept.index)
    places = merged.positions.gather(1, kept.index[..., None].expand(-1, -1, 3))
    by_hand = probe.answer(reader, kept.tokens, questions, positions=places, size=size)
    options = {"positions": merged.positions, "size": merged.size}
    close(probe.answer(reader, merged.tokens, questions, keep=8, scores=scores["random"][:, :32], **options), by_hand)


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda r, v, q, s: probe.answer(r, v, q, keep=65, scores=s), "keep is 65; expected 0 to 64"),
        (lambda r, v, q, s: probe.answer(r, v, q, keep=3), "keep is 3 of 64 tokens, and no scores say which"),
        (lambda r, v, q, s: probe.answer(r, v, q, after=5), "after is 5; expected 0 to 4"),
        (lambda r, v, q, s: probe.question_attention(r, v, q, 0), "layer is 0; expected 1 to 4"),
        (lambda r, v, q, s: probe.in_stages(r, v, q, [64, 8, 16, 8]), r"counts are \[64, 8, 16, 8\]; expected 4 that"),
        (lambda r, v, q, s: probe.in_stages(r, v, q, [32, 8, 8, 8]), "that begin with 64"),
        (lambda r, v, q, s: probe.merge(v, 16, share=0.75), "share is 0.75; expected above 0, at most 1/2"),
    ],
)
def test_what_cannot_be_asked_is_said(reader, asked, call, said):
    visual, questions, scores, _ = asked
    with pytest.raises(ValueError, match=said):
        call(reader, visual, questions, scores["random"])


# looking


@pytest.mark.parametrize("masked", [False, True])
def test_weights_are_those_of_the_layer(masked):
    torch.manual_seed(1)
    block, x = Block(16, 2), torch.randn(3, 5, 16)
    torch.nn.init.normal_(block.out.weight)
    torch.nn.init.normal_(block.down.weight)
    turned, mask = torch.randn(5, 4), torch.ones(5, 5, dtype=torch.bool).tril() if masked else None
    looked = probe.look(block, x, turned, mask)
    close(looked.weights.sum(dim=-1), torch.ones(3, 2, 5))
    y = x + block.out((looked.weights @ looked.values).transpose(1, 2).flatten(2))
    close(y + block.down(F.relu(block.up(rms(y) * block.gains[1])).square()), block(x, turned, mask))
    if masked:
        assert not looked.weights[..., 0, 1:].any()


def test_the_eyes_see_as_before_and_are_seen_looking(reader):
    pixels = probe.scenes(2)[0]
    seen = probe.see(reader, pixels)
    close(seen.tokens, reader.vision(pixels))
    close(seen.visual, reader.projector(seen.tokens))
    close(seen.attention.sum(dim=-1), torch.ones(2, 2, 64))


@pytest.mark.parametrize("layer", [1, 4])
def test_a_question_is_asked_where_it_looks(reader, asked, layer):
    visual, questions, _, _ = asked
    x, turned, mask = probe.sequence(reader, visual, questions)
    for block in reader.small.blocks[: layer - 1]:
        x = block(x, turned, mask)
    weights = probe.look(reader.small.blocks[layer - 1], x, turned, mask).weights.mean(dim=1)
    found = probe.question_attention(reader, visual, questions, layer)
    for k in range(8):
        close(found[:, k], weights[:, 64 + 2 * k + 1, :64])


def test_edges_by_hand():
    pixels = torch.zeros(1, 12, 24, 3, dtype=torch.uint8)
    pixels[0, 3, 20] = 144  # two neighbours across, two down
    assert probe.edges(pixels).tolist() == [[0, 4.0]]


@pytest.mark.parametrize("keep", [32, 16, 8, 4, 2, 1])
def test_an_even_grid_has_one_in_each_window(keep):
    down, across = probe.WINDOWS[keep]
    marks = probe.even(keep).reshape(8 // down, down, 8 // across, across).sum(dim=(1, 3))
    assert marks.unique().tolist() == [1]


# fewer


def test_merged_tokens_are_means_at_mean_places(asked):
    visual = asked[0]
    fewer = probe.merge(visual, 16)
    assert fewer.size.sum(dim=1).tolist() == [64] * 6 and (fewer.size >= 1).all()
    weighted = lambda part: (part * fewer.size[..., None]).sum(dim=1) / 64
    close(weighted(fewer.tokens), visual.mean(dim=1))
    close(weighted(fewer.positions), PLACES.float().mean(dim=0).expand(6, 3))
    order = fewer.positions[..., 1] * 8 + fewer.positions[..., 2]
    assert (order.diff(dim=1) >= 0).all()


def test_a_round_of_merging_is_the_librarys(asked):
    visual = asked[0]
    ours, theirs = probe.merge(visual, 56), merge_tokens(visual, 8, order="place")
    close(ours.tokens.sort(dim=1).values, theirs.tokens.sort(dim=1).values)
    assert torch.equal(ours.size.sort(dim=1).values, theirs.size.sort(dim=1).values)


def test_halves_merge_more_than_eighths_at_once(asked):
    visual = asked[0]
    halves = probe.merge(visual, 32, share=1 / 2)
    evens = merge_tokens(visual, 32)
    close(halves.tokens.sort(dim=1).values, evens.tokens.sort(dim=1).values)
    assert (probe.merge(visual, 32, share=1 / 8).tokens - halves.tokens).abs().max() > 1e-3


@pytest.mark.parametrize("sizes", [True, False])
def test_merging_inside_leaves_what_it_says(reader, sizes):
    pixels = probe.scenes(3)[0]
    close(probe.merge_inside(reader, pixels, 64, sizes=sizes).tokens, reader.vision(pixels))
    fewer = probe.merge_inside(reader, pixels, 16, sizes=sizes)
    assert fewer.tokens.shape == (3, 16, 64) and fewer.size.sum(dim=1).tolist() == [64] * 3
    assert not torch.allclose(fewer.tokens, probe.merge_inside(reader, pixels, 16, sizes=not sizes).tokens)


def test_pools_are_means_of_windows(asked):
    visual = asked[0]
    fewer = probe.pool(visual, 16)
    close(fewer.tokens[:, 1], visual[:, [2, 3, 10, 11]].mean(dim=1))
    assert fewer.positions[0, 1].tolist() == [0, 0.5, 2.5] and fewer.size.unique().tolist() == [4]


@pytest.mark.parametrize("keep", [1, 16, 63])
def test_what_is_dropped_can_be_one_token_that_counts_for_all(asked, keep):
    visual, _, scores, _ = asked
    fewer = probe.with_rest(visual, scores["edges"], keep)
    assert fewer.tokens.shape[1] == keep + 1 and fewer.size.sum(dim=1).tolist() == [64] * 6
    assert fewer.size[:, :-1].eq(1).all()
    weighted = lambda part: (part * fewer.size[..., None]).sum(dim=1) / 64
    close(weighted(fewer.tokens), visual.mean(dim=1))
    close(weighted(fewer.positions), PLACES.float().mean(dim=0).expand(6, 3))
    close(fewer.tokens[:, :-1], prune(visual, scores["edges"], keep).tokens)


def test_right_by_hand():
    logits = torch.nn.functional.one_hot(torch.tensor([[1, 2, 3, 4, 5, 6, 7, 8], [1, 0, 3, 4, 5, 0, 7, 0]]), 10).float()
    answers = torch.tensor([[1, 2, 3, 4, 5, 6, 7, 8], [-100, 2, 3, 4, 5, 6, 7, -100]])
    found = probe.right(logits, answers)
    expected = {"colour": 1, "shape": 0.5, "second": 0.5, "third": 1, "sign": 1, "digit": 5 / 6, "number": 0.5}
    assert {kind: found[kind] for kind in expected} == pytest.approx(expected)


# the reader that ships


@pytest.fixture(scope="module")
def shipped():
    return probe.load_reader()


def test_it_is_small_and_half_precision(shipped, tmp_path):
    assert probe.PRETRAINED.stat().st_size < 1_000_000
    with np.load(probe.PRETRAINED, allow_pickle=False) as stored:
        assert {stored[name].dtype for name in stored.files} == {np.dtype("float16")}
        assert not any(name.startswith("tagger") for name in stored.files)
    probe.save_reader(shipped.state_dict(), tmp_path / "again.npz")
    again = probe.load_reader(tmp_path / "again.npz").state_dict()
    assert all(
        torch.equal(weight, again[name]) for name, weight in shipped.state_dict().items() if name[:6] != "tagger"
    )


def test_numpy_gives_the_same_answers(shipped):
    pixels, questions, _ = probe.scenes(12)
    told = probe.answer(shipped, probe.see(shipped, pixels).visual, questions)
    weights = {name: weight.numpy() for name, weight in shipped.state_dict().items()}
    found = plain.ask(weights, pixels.numpy(), questions.numpy(), plain.lay_out((1, 8, 8), 8))
    np.testing.assert_allclose(found, told.numpy(), rtol=1e-3, atol=2e-3)
    assert (found.argmax(axis=-1) == told.argmax(dim=-1).numpy()).all()


def test_five_ways_at_one_count_are_asked_in_seconds(shipped):
    begin = time.process_time()
    pixels, questions, answers = probe.scenes(60)
    seen = probe.see(shipped, pixels)
    scores = probe.scores(shipped, pixels, questions, seen)
    told = {
        name: probe.answer(shipped, seen.visual, questions, keep=16, scores=scores[name])
        for name in ("random", "norm, low", "edges", "question 1")
    }
    merged = probe.merge(seen.visual, 16)
    told["merged"] = probe.answer(shipped, merged.tokens, questions, positions=merged.positions, size=merged.size)
    shares = {name: probe.right(logits, answers)["digit"] for name, logits in told.items()}
    assert time.process_time() - begin < 25
    assert shares["question 1"] > shares["random"] + 0.2
