"""The small model: what it sees and what it does not, that its cache and NumPy agree with the whole, and how it learns."""

import math
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.trains

torch = pytest.importorskip("torch")

from mmtokedu import small
from mmtokedu.mrope import angles
from mmtokedu.nn.small import Block, Muon, Small, fit, orthogonal, share_of_rate
from mmtokedu.nn.vision import Reader, Vision, answer_loss

WORDS, TAGS, PAIRS = 11, 5, 8


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def lively(module):
    """A module whose layers add something: those that begin at zero are drawn."""
    for weight in module.parameters():
        if not weight.any():
            torch.nn.init.normal_(weight, std=0.2)
    return module.eval().requires_grad_(False)


def model(**options):
    return lively(Small(WORDS, width=32, layers=2, heads=2, **options))


def reader():
    return lively(Reader(WORDS, TAGS, width=32, layers=(1, 2), heads=2))


def weights(module, prefix=""):
    return {prefix + name: value.numpy() for name, value in module.state_dict().items()}


def plain(n):
    """Angles of n positions in one dimension."""
    return torch.from_numpy(angles(np.arange(n), sections=(PAIRS,), theta=100)).float()


def vectors(*shape):
    return torch.randn(*shape, 32)


def close(a, b, atol=1e-5):
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=0, atol=atol)


# what a token sees


@pytest.mark.parametrize("n", range(6))
def test_without_a_mask_later_tokens_change_nothing_before_them(n):
    whole, x = model(), vectors(1, 6)
    other = x.clone()
    other[:, n] += 1
    moved = (whole(other, plain(6)) - whole(x, plain(6))).abs().amax(dim=-1)[0]
    assert (moved[:n] < 1e-6).all() and (moved[n:] > 1e-3).all()


def test_a_mask_hides_and_shows_what_it_says():
    whole, x = model(), vectors(2, 4)
    mask = torch.tensor([[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]], dtype=torch.bool)
    for n, reaches in ((0, [0, 2]), (1, [0, 1, 2]), (2, [2]), (3, [3])):  # 2 sees 0, and in the second layer its 1
        other = x.clone()
        other[:, n] += 1
        moved = (whole(other, plain(4), mask) - whole(x, plain(4), mask)).abs().amax(dim=-1)
        assert [i for i in range(4) if moved[0, i] > 1e-3] == reaches and (moved[1] > 1e-3).tolist() == (
            moved[0] > 1e-3
        ).tolist()


def test_a_mask_and_angles_may_differ_within_a_batch():
    whole, x = model(), vectors(2, 5)
    turned = torch.stack([plain(5), 3 * plain(5)])
    mask = torch.ones(2, 5, 5, dtype=torch.bool).tril()
    mask[1, 4, 0] = False
    together = whole(x, turned, mask)
    for b in range(2):
        close(together[b], whole(x[b : b + 1], turned[b], mask[b])[0])


def test_only_differences_of_positions_count():
    whole, x = model(), vectors(1, 5)
    place = np.array([[0, 0, 0, 1, 2], [0, 0, 1, 1, 2], [0, 1, 0, 1, 2]])
    turn = lambda positions: torch.from_numpy(angles(positions, sections=(4, 2, 2), theta=50, layout="interleaved"))
    close(whole(x, turn(place)), whole(x, turn(place + [[7], [30], [2]])), atol=1e-4)
    assert (whole(x, turn(place)) - whole(x, turn(place[::-1]))).abs().max() > 1e-3


def test_no_angles_are_angles_of_zero():
    block, x = lively(Block(32, 2)), vectors(2, 5)
    close(block(x), block(x, torch.zeros(5, PAIRS)))


def test_modality_is_data():
    whole, ids = model(), torch.tensor([[3, 3, 3]])
    assert torch.equal(whole.embed(ids), whole.word(ids) + whole.modality.weight[0])
    mixed = whole.embed(ids, torch.tensor([[0, 2, 1]]))
    assert torch.equal(mixed[0] - whole.word(ids)[0], whole.embed(ids)[0] * 0 + mixed[0] - whole.word(ids)[0])
    close(mixed[0, 1] - mixed[0, 0], whole.modality.weight[2] - whole.modality.weight[0], atol=1e-6)


def test_a_block_by_hand():
    """In float64, in loops over tokens and heads."""
    block, x, turned = lively(Block(8, 2)), torch.randn(1, 4, 8), torch.rand(4, 2) * 3
    block.gains += torch.rand(2, 8)
    block.sharpness += torch.tensor([0.3, -0.2])
    w = {name: value.double().numpy() for name, value in block.state_dict().items()}
    norm = lambda v: v / math.sqrt(np.mean(v**2) + 1e-6)
    rows, out = x[0].double().numpy(), []
    joint = [w["queries_keys_values.weight"] @ (norm(row) * w["gains"][0]) for row in rows]

    def turn(v, n):
        c, s = np.cos(turned[n].double().numpy()), np.sin(turned[n].double().numpy())
        return np.concatenate([v[:2] * c - v[2:] * s, v[2:] * c + v[:2] * s])

    for n in range(4):
        seen = []
        for head in range(2):
            part = slice(4 * head, 4 * head + 4)
            q = turn(norm(joint[n][:8][part]) * w["sharpness"][head], n)
            power = np.array([math.exp(q @ turn(norm(joint[m][8:16][part]), m)) for m in range(n + 1)])
            seen.append(sum(p * joint[m][16:][part] for m, p in enumerate(power / power.sum())))
        row = rows[n] + w["out.weight"] @ np.concatenate(seen)
        hidden = np.maximum(w["up.weight"] @ (norm(row) * w["gains"][1]), 0) ** 2
        out.append(row + w["down.weight"] @ hidden)
    close(block(x, turned, torch.ones(4, 4, dtype=torch.bool).tril())[0], out)


# the cache, and NumPy


@pytest.mark.parametrize("steps", [[1] * 7, [4, 3], [1, 5, 1], [7]], ids=str)
def test_one_after_the_other_with_a_cache_is_the_whole(steps):
    whole, x, cache, told = model(), vectors(2, 7), [], []
    named, kept, in_numpy = weights(whole, "small."), [], []
    for start, count in zip(np.cumsum([0, *steps]), steps):
        part = slice(start, start + count)
        told.append(whole(x[:, part], plain(7)[part], cache=cache))
        in_numpy.append(small.decode(named, x[:, part].numpy(), plain(7)[part].numpy(), cache=kept))
    close(torch.cat(told, dim=1), whole(x, plain(7)))
    close(np.concatenate(in_numpy, axis=1), whole(x, plain(7)))
    assert len(cache) == len(kept) == 2 and cache[0][0].shape == kept[0][0].shape == (2, 2, 7, 16)


def test_a_cache_heeds_a_mask():
    whole, x, cache = model(), vectors(1, 5), []
    mask = torch.ones(5, 5, dtype=torch.bool).tril()
    mask[4, 1] = mask[3, 2] = False
    told = [whole(x[:, :3], plain(5)[:3], mask[:3, :3], cache)]
    told += [whole(x[:, n : n + 1], plain(5)[n : n + 1], mask[n : n + 1, : n + 1], cache) for n in (3, 4)]
    close(torch.cat(told, dim=1), whole(x, plain(5), mask))


@pytest.mark.parametrize("grid", [(1, 1, 1), (1, 5, 8), (3, 2, 4)], ids=str)
@pytest.mark.parametrize("positions", ["mrope", "1d"])
def test_numpy_gives_the_same_answers(grid, positions):
    both = reader()
    frames, rows, columns = grid
    pixels = torch.randint(256, (2, 12 * rows, 12 * columns, 3), dtype=torch.uint8)
    questions = torch.randint(WORDS, (2, 3, 2))
    told = small.lay_out((1, rows, columns), 3, pairs=PAIRS, positions=positions)
    close(small.ask(weights(both), pixels.numpy(), questions.numpy(), told), both.ask(pixels, questions, told))
    film = small.lay_out(grid, 3, pairs=PAIRS, positions=positions)
    x = vectors(2, len(film.modality))
    told = both.small(x, torch.from_numpy(film.angles), torch.from_numpy(film.mask))
    close(small.decode(weights(both), x.numpy(), film.angles, film.mask), told)


def test_numpy_takes_a_mask_and_angles_of_each_row():
    whole, x = model(), vectors(2, 5)
    turned, mask = torch.stack([plain(5), 3 * plain(5)]), torch.ones(2, 5, 5, dtype=torch.bool).tril()
    mask[1, 4, 0] = False
    in_numpy = small.decode(weights(whole, "small."), x.numpy(), turned.numpy(), mask.numpy())
    close(in_numpy, whole(x, turned, mask))


def test_numpy_sees_the_same():
    eyes, pixels = lively(Vision(width=32, layers=2, heads=2)), torch.randint(256, (3, 60, 84, 3), dtype=torch.uint8)
    close(small.see(weights(eyes, "vision."), pixels.numpy()), eyes(pixels))


def test_numpys_file_imports_no_torch():
    code = "import sys, mmtokedu.small; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# the eyes


def test_sides_that_the_patch_does_not_divide_are_named():
    with pytest.raises(ValueError, match="pictures are 60x64; both sides must be multiples of 12"):
        Vision()(torch.zeros(1, 60, 64, 3, dtype=torch.uint8))


@pytest.mark.parametrize("n", [1, 5, 8, 20])
def test_places_are_fractions(n):
    mixed = small.between(n)
    np.testing.assert_allclose(mixed.sum(axis=1), 1)
    assert mixed.shape == (n, 8) and (mixed > 0).sum(axis=1).max() <= 2
    expected = ((np.arange(n) + 0.5) / n * 8 - 0.5).clip(0, 7)
    np.testing.assert_allclose(mixed @ np.arange(8), expected)


def test_eyes_hide_nothing():
    eyes, pixels = lively(Vision(width=32, layers=1, heads=2)), torch.zeros(1, 36, 36, 3, dtype=torch.uint8)
    other = pixels.clone()
    other[0, -1, -1] = 255  # the last patch's last pixel
    assert ((eyes(other) - eyes(pixels)).abs().amax(dim=-1) > 1e-6).all()


def test_questions_do_not_see_each_other():
    both, told = reader(), small.lay_out((1, 2, 2), 3, pairs=PAIRS)
    pixels, questions = torch.randint(256, (1, 24, 24, 3), dtype=torch.uint8), torch.randint(WORDS, (1, 3, 2))
    other = questions.clone()
    other[0, 1] = (other[0, 1] + 1) % WORDS
    moved = (both.ask(pixels, other, told) - both.ask(pixels, questions, told)).abs().amax(dim=-1)[0]
    assert (moved > 1e-3).tolist() == [False, True, False]


def test_a_layout_by_hand():
    told = small.lay_out((2, 1, 2), 1, pairs=3, theta=1000)
    assert told.modality.tolist() == [3, 3, 3, 3, 0, 0]
    place = np.array([[0, 0, 1, 1, 2, 3], [0, 0, 0, 0, 2, 3], [0, 1, 0, 1, 2, 3]])  # text goes on after the largest
    np.testing.assert_allclose(told.angles, place.T * [1, 0.1, 0.01], rtol=1e-12)
    assert (told.mask == np.tril(np.ones((6, 6)))).all()
    flat = small.lay_out((1, 2, 2), 2, pairs=2, theta=100, positions="1d")
    np.testing.assert_allclose(flat.angles, np.outer([0, 1, 2, 3, 4, 5, 4, 5], [1, 0.1]))
    assert flat.mask[7].tolist() == [True] * 4 + [False, False, True, True]


def test_losses_by_hand():
    both = reader()
    logits = torch.randn(1, 3, WORDS)
    answers = torch.tensor([[4, -100, 2]])
    expected = -(logits[0, 0].log_softmax(0)[4] + logits[0, 2].log_softmax(0)[2]) / 2
    close(answer_loss(logits, answers), expected)
    tokens, tags = vectors(1, 2), torch.tensor([[[1, 0, 0, 0, 1], [0, 0, 0, 0, 0]]], dtype=torch.bool)
    p = both.tagger(tokens).sigmoid()
    expected = -(4 * p.log() * tags + (1 - p).log() * ~tags).sum() / 2
    close(both.tag_loss(tokens, tags), expected, atol=1e-4)


# learning


@pytest.mark.parametrize("shape", [(6, 6), (12, 4), (4, 12)], ids=str)
def test_a_muon_step_as_it_is_written(shape):
    """Two steps in NumPy's float64, from the page of its author."""
    a, b, c = 3.4445, -4.7750, 2.0315
    start, grads = torch.randn(shape), torch.randn(2, *shape)
    matrix = torch.nn.Parameter(start.clone())
    muon = Muon([matrix], rate=0.1, momentum=0.9, decay=0.05)
    value, kept = start.double().numpy(), np.zeros(shape)
    for grad in grads:
        matrix.grad = grad.clone()
        muon.step()
        g = grad.double().numpy()
        kept = 0.9 * kept + 0.1 * g
        x = 0.1 * g + 0.9 * kept
        x = x.T if shape[0] > shape[1] else x
        x = x / np.linalg.norm(x)
        for _ in range(5):
            square = x @ x.T
            x = a * x + (b * square + c * square @ square) @ x
        x = x.T if shape[0] > shape[1] else x
        value = value * (1 - 0.1 * 0.05) - 0.1 * math.sqrt(max(1, shape[0] / shape[1])) * x
        close(matrix.detach(), value)


def test_matrices_of_one_shape_step_together_as_they_would_alone():
    grads = torch.randn(3, 5, 4)
    several = [torch.nn.Parameter(torch.zeros(5, 4)) for _ in range(3)]
    for matrix, grad in zip(several, grads):
        matrix.grad = grad
    Muon(several).step()
    for matrix, grad in zip(several, grads):
        alone = torch.nn.Parameter(torch.zeros(5, 4))
        alone.grad = grad
        Muon([alone]).step()
        close(matrix.detach(), alone.detach(), atol=1e-6)


def test_orthogonal_pushes_all_singular_values_to_about_one():
    for shape in ((8, 8), (20, 8), (3, 8, 20)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
        assert 0.3 < values.min() and values.max() < 1.3


def test_the_rate_follows_the_tokens():
    assert share_of_rate(0.2) == 1 and share_of_rate(1) == 0
    assert share_of_rate(0.7) == pytest.approx(0.5) and share_of_rate(0.005) == pytest.approx(0.25)


def counting(rng):
    """Sequences that count up around 8, from anywhere: (16, 9) ids."""
    return torch.from_numpy((rng.integers(8, size=(16, 1)) + np.arange(9)) % 8)


def taught(seed, steps=12):
    torch.manual_seed(seed)
    pupil = Small(8, width=16, layers=1, heads=1)

    def draw(rng):
        ids = counting(rng)
        logits = pupil(pupil.embed(ids[:, :-1]), plain(8))
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()), ids[:, 1:].numel()

    return pupil, fit([pupil], draw, tokens=128 * steps, seed=seed, adam=0.02, every=steps // 4)


def test_one_seed_is_one_run():
    (first, told), (again, told_again), (other, _) = taught(0), taught(0), taught(1)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters()))
    assert not torch.equal(first.word.weight, other.word.weight)
    drop = lambda rows: [{name: row[name] for name in row if name != "seconds"} for row in rows]
    assert drop(told) == drop(told_again)


def test_it_learns_and_says_how():
    pupil, rows = taught(0, steps=80)
    assert [(row["step"], row["tokens"]) for row in rows] == [(20, 2560), (40, 5120), (60, 7680), (80, 10240)]
    assert all(row["seed"] == 0 for row in rows) and rows[0]["seconds"] <= rows[-1]["seconds"]
    assert rows[0]["loss"] > 0.3 and rows[-1]["loss"] < 0.1, "guessing costs 2.08"
    ids = counting(np.random.default_rng(9))
    assert torch.equal(pupil(pupil.embed(ids[:, :-1]), plain(8)).argmax(-1), ids[:, 1:])


def test_what_is_watched_stands_in_the_rows():
    pupil = Small(8, width=16, layers=1, heads=1)
    draw = lambda rng: (pupil(vectors(1, 2)[..., :16], torch.zeros(2, 8)).square().mean(), 7)
    rows = fit([pupil], draw, tokens=20, every=2, watch=lambda: {"right": 0.5})
    assert [(row["step"], row["tokens"], row["right"]) for row in rows] == [(2, 14, 0.5), (3, 21, 0.5)]


def test_matrices_in_blocks_are_muons_and_all_else_adamws(monkeypatch):
    given = {}
    monkeypatch.setattr("mmtokedu.nn.small.Muon", lambda p, *a, **k: given.setdefault("muon", Muon(p, *a, **k)))
    real = torch.optim.AdamW
    monkeypatch.setattr(torch.optim, "AdamW", lambda p, *a, **k: given.setdefault("adam", real(p, *a, **k)))
    both = Reader(WORDS, TAGS, width=16, layers=(1, 1), heads=1)
    fit([both], lambda rng: (sum(p.sum() for p in both.parameters()), 1), tokens=1)
    names = {id(p): name for name, p in both.named_parameters()}
    muons, adams = ([names[id(p)] for p in given[o].param_groups[0]["params"]] for o in ("muon", "adam"))
    assert sorted(muons + adams) == sorted(names.values())
    assert {name.split(".blocks.0.")[1] for name in muons} == {
        f"{m}.weight" for m in ("queries_keys_values", "out", "up", "down")
    }
