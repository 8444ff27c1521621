"""The table behind the section on what a codebook does to a generator: complete, consistent, and what the code gives."""

import base64
import inspect
import io
import json
import math
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from experiment_programs import experiment_named
from PIL import Image

from mmtokedu import samples
from mmtokedu.patches import patchify

pytestmark = pytest.mark.trains

torch = pytest.importorskip("torch")
pytest.importorskip("tqdm", reason="the experiments show their progress with tqdm")

ROOT = Path(__file__).resolve().parents[2]
TABLE = json.loads((ROOT / "mmtokedu" / "data" / "results" / "vq_generation.json").read_text(encoding="utf-8"))
SETTINGS, REFERENCE, CURVES, PICTURES = (TABLE[name] for name in ("settings", "reference", "curves", "pictures"))
ROWS = {row["tokenizer"]: row for row in TABLE["rows"]}
N, V = math.prod(SETTINGS["grid"]), SETTINGS["V"]
STEP = 6e-5  # what rounding to four places leaves


@pytest.fixture(scope="module")
def experiment():
    with experiment_named("vq_generation") as module:
        yield module


@pytest.fixture(scope="module")
def held(experiment):
    """The images that everything is measured on, and their captions."""
    return experiment.draw_shapes(experiment.HELD, seed=2)


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def spreads(value, name=""):
    """Each (name, {"mean", "low", "high"}) below a value."""
    if set(value) == {"mean", "low", "high"}:
        return [(name, value)]
    return [
        found for key, inner in value.items() if isinstance(inner, dict) for found in spreads(inner, f"{name}.{key}")
    ]


def names(value):
    """The nested names of a value, without its numbers."""
    return {key: names(inner) for key, inner in value.items()} if isinstance(value, dict) else None


def codes_of(name):
    return SETTINGS["few"] if name == "small" else SETTINGS["K"]


def picture(text):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text, validate=True))))


def tiles_of(name):
    """What the stored codes look like: (K, PATCH*PATCH*3) uint8."""
    return patchify(picture(PICTURES[name]["tiles"]), SETTINGS["patch"])


# the file


def test_result_says_where_and_when_it_was_made():
    assert date.fromisoformat(TABLE["date"]) <= date.today()
    assert set(TABLE["versions"]) == {"python", "numpy", "pillow", "torch"}
    assert all(TABLE["versions"].values()) and "cores" in TABLE["device"]
    assert TABLE["made_by"] == "experiments/vq_generation.py" and (ROOT / TABLE["made_by"]).exists()
    assert 0 < TABLE["processor_seconds"] < 3600 and TABLE["seconds"] > 0


def test_file_is_written_the_way_the_program_writes(experiment):
    assert experiment.as_text(TABLE) + "\n" == experiment.RESULTS.read_text(encoding="utf-8")


def test_the_package_ships_the_results(experiment):
    """Colab has the package, not the repository: the chapter reads them there."""
    assert "results/vq_generation.json" in samples.ITEMS and samples.results("vq_generation") == TABLE


def test_settings_in_the_file_are_those_of_the_program(experiment):
    constants = {
        "side": experiment.SIDE, "patch": experiment.PATCH, "grid": experiment.GRID, "words": experiment.WORDS,
        "V": experiment.V, "K": experiment.K, "few": experiment.FEW, "levels": experiment.LEVELS,
        "images": experiment.IMAGES, "held": experiment.HELD, "samples": experiment.DRAWN, "free": experiment.FREE,
        "seeds": experiment.SEEDS, "tokenizer": experiment.TOKENIZER, "prior": experiment.PRIOR,
        "untold": experiment.UNTOLD,
    }  # fmt: skip
    told = {"width", "temperature"}  # written out in the program, held below
    assert {name: value for name, value in SETTINGS.items() if name not in told} == json.loads(json.dumps(constants))
    assert experiment.make_tokenizer("healthy").encoder[-1].out_features == SETTINGS["width"]
    of_sample = inspect.signature(experiment.CausalPrior.sample).parameters
    assert of_sample["temperature"].default == SETTINGS["temperature"]
    assert len(SETTINGS["words"]) == V and math.prod(SETTINGS["levels"]) == SETTINGS["K"]


def test_every_run_that_was_planned_is_in_the_file(experiment):
    assert [row["tokenizer"] for row in TABLE["rows"]] == list(experiment.TOKENIZERS) == list(CURVES)
    assert set(PICTURES) == {"captions", "originals", *experiment.TOKENIZERS}
    assert len(SETTINGS["seeds"]) >= 3


# the numbers among themselves


@pytest.mark.parametrize("row", [*TABLE["rows"], REFERENCE], ids=[*ROWS, "reference"])
def test_a_mean_lies_between_the_least_and_the_largest(row):
    found = spreads(row)
    assert len(found) == (19 if "tokenizer" in row else 8)
    seeds = len(SETTINGS["seeds"])
    for name, value in found:
        mean, low, high = value["mean"], value["low"], value["high"]
        assert low <= mean <= high and all(map(math.isfinite, (mean, low, high))), name
        third = seeds * mean - low - high  # the seed in the middle
        assert low - 4 * STEP <= third <= high + 4 * STEP, name


@pytest.mark.parametrize("name", ROWS)
def test_bits_of_a_row_agree(name):
    row, K = ROWS[name], codes_of(name)
    total, bits, residual = (row[kind] for kind in ("total_bits", "bits", "residual_bits"))
    assert total["mean"] == pytest.approx(bits["mean"] + residual["mean"], abs=3 * STEP)
    assert (
        bits["low"] + residual["low"] - STEP <= total["low"] <= total["high"] <= bits["high"] + residual["high"] + STEP
    )
    for end in ("low", "high"):  # entropy grows with perplexity, so that the same seed is at the same end
        assert row["entropy_bits"][end] == pytest.approx(N * math.log2(row["perplexity"][end]), abs=0.01)
        assert 0 < row["bits"][end] < row["entropy_bits"][end] <= N * math.log2(row["used"]["high"]) <= N * math.log2(K)
        assert 1 <= row["perplexity"][end] <= row["used"][end] <= K
        assert row["total_bits"][end] < REFERENCE["raw_bits"]
    assert row["entropy_bits"]["mean"] <= N * math.log2(row["perplexity"]["mean"]) + 0.01, "the logarithm bends down"
    assert REFERENCE["raw_bits"] == SETTINGS["side"] ** 2 * 3 * 8
    assert all(float(row["used"][end]).is_integer() for end in ("low", "high"))


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("kind", ["rebuilt", "samples"])
def test_shares_of_right_images_agree(name, kind):
    found, images = ROWS[name][kind], SETTINGS["held" if kind == "rebuilt" else "samples"]
    for end in ("mean", "low", "high"):
        both, colour, shape = (found[word][end] for word in ("both", "colour", "shape"))
        assert 0 <= both <= min(colour, shape) <= max(colour, shape) <= 1
        assert found["frechet"][end] > 0
    assert found["both"]["mean"] >= found["colour"]["mean"] + found["shape"]["mean"] - 1 - 2 * STEP
    for word in ("both", "colour", "shape"):
        for end in ("low", "high"):
            assert abs(found[word][end] * images - round(found[word][end] * images)) < STEP * images, (
                "a count of images"
            )


@pytest.mark.parametrize("free", [REFERENCE["free"], *(row["free"] for row in TABLE["rows"])], ids=["real", *ROWS])
def test_variety_agrees(free):
    assert 1 <= free["kinds"]["low"] <= free["kinds"]["high"] <= 16
    assert 1 <= free["distinct"]["low"] <= free["distinct"]["high"] <= SETTINGS["free"]
    assert 0 < free["apart"]["low"] <= free["apart"]["high"] < 255


def test_what_the_judge_says_can_be_trusted():
    """It errs on real images far less often than on what the tokenizers make of them."""
    real = REFERENCE["judge"]
    assert real["both"]["mean"] > 0.98
    for row in ROWS.values():
        assert row["rebuilt"]["both"]["high"] < real["both"]["mean"] and row["psnr"]["high"] < 31
        assert row["rebuilt"]["frechet"]["low"] > real["frechet"]["mean"]
        assert row["samples"]["both"]["high"] <= row["rebuilt"]["both"]["low"], "the prior adds errors of its own"
    assert REFERENCE["unquantized"]["psnr"]["low"] > 31


def test_the_tokenizers_are_what_they_are_called():
    """Seed by seed: the collapsed one loses nearly all codes, the healthy one and FSQ hardly any, the small one none."""
    used = {name: row["used"] for name, row in ROWS.items()}
    assert used["collapsed"]["high"] < SETTINGS["K"] / 8
    assert min(used["healthy"]["low"], used["fsq"]["low"]) > SETTINGS["K"] * 0.85
    assert used["small"]["low"] == used["small"]["high"] == SETTINGS["few"]
    assert used["collapsed"]["high"] <= SETTINGS["few"], (
        "the small one is given no fewer codes than the collapsed keeps"
    )


@pytest.mark.parametrize("name", ROWS)
def test_curves_end_in_the_rows_they_belong_to(experiment, name):
    """They are of one seed, and measured on fewer images: near, not equal."""
    tokenizer, prior, row = CURVES[name]["tokenizer"], CURVES[name]["prior"], ROWS[name]
    assert [point["step"] for point in tokenizer] == experiment.marks(SETTINGS["tokenizer"]["steps"])
    assert [point["step"] for point in prior] == experiment.marks(SETTINGS["prior"]["steps"])
    assert tokenizer[-1]["step"] == SETTINGS["tokenizer"]["steps"] and prior[-1]["step"] == SETTINGS["prior"]["steps"]
    assert row["psnr"]["low"] - 0.7 < tokenizer[-1]["psnr"] < row["psnr"]["high"] + 0.7
    assert row["bits"]["low"] * 0.93 < prior[-1]["bits"] < row["bits"]["high"] * 1.07
    assert all(1 <= point["used"] <= codes_of(name) for point in tokenizer)
    assert prior[0]["bits"] > 3 * prior[-1]["bits"] and tokenizer[0]["psnr"] < tokenizer[-1]["psnr"] - 5


# the pictures


@pytest.mark.parametrize("name", ROWS)
def test_pictures_decode(name):
    drawn, K = PICTURES[name], codes_of(name)
    assert tiles_of(name).shape == (K, SETTINGS["patch"] ** 2 * 3) and tiles_of(name).dtype == np.uint8
    for kind, count in (("rebuilt", 16), ("samples", 32), ("free", 16)):
        codes = np.array(drawn[kind])
        assert codes.shape == (count, N) and codes.dtype.kind == "i" and 0 <= codes.min() <= codes.max() < K
    assert len(np.unique(drawn["rebuilt"])) <= ROWS[name]["used"]["high"]


def test_originals_are_those_the_program_draws(experiment, held):
    images, captions = held
    one = experiment.one_of_each(captions)
    assert PICTURES["captions"] == captions[one].tolist()
    sheet = picture(PICTURES["originals"])
    assert sheet.shape == (4 * experiment.SIDE, 4 * experiment.SIDE, 3)
    cut = patchify(sheet, experiment.SIDE).reshape(16, experiment.SIDE, experiment.SIDE, 3)
    assert np.abs(cut.astype(int) - images[one]).mean() < 0.5  # another Pillow may shade an edge otherwise


@pytest.mark.parametrize("name", ROWS)
def test_stored_codes_give_the_originals_back(experiment, held, name):
    """Tiles and codes of the file, laid out here, are as far from the images as the row says (16 of 512, one seed)."""
    images, captions = held
    rebuilt = experiment.lay(tiles_of(name), np.array(PICTURES[name]["rebuilt"]))
    error = ((rebuilt.astype(float) - images[experiment.one_of_each(captions)]) ** 2).mean()
    assert ROWS[name]["psnr"]["low"] - 1.5 < experiment.psnr(error) < ROWS[name]["psnr"]["high"] + 1.5


@pytest.mark.parametrize("name", ROWS)
def test_stored_samples_have_the_colours_that_were_asked_for(experiment, name):
    """By their own pixels, without the judge: of the four colours, the one nearest to what is not background."""
    images = experiment.lay(tiles_of(name), np.array(PICTURES[name]["samples"])).astype(float)
    colours, right = np.array(list(experiment.COLOURS.values())), 0
    for image, (colour, _) in zip(images, 2 * PICTURES["captions"]):
        pixels = image.reshape(-1, 3)
        paint = pixels[np.ptp(pixels, axis=1) > 60].mean(axis=0)
        right += np.abs(colours - paint).sum(axis=1).argmin() == colour - experiment.FIRST_COLOUR
    assert right >= 29, "of 32; the rows say 95 to 99 in 100"


# small functions


def test_shapes_are_drawn_as_their_captions_say(experiment):
    images, captions = experiment.draw_shapes(200, seed=5)
    assert images.shape == (200, 24, 24, 3) and images.dtype == np.uint8 and captions.dtype == np.int64
    again = experiment.draw_shapes(200, seed=5)
    assert np.array_equal(again[0], images) and np.array_equal(again[1], captions)
    colours = np.array(list(experiment.COLOURS.values()))
    area = {shape: [] for shape in experiment.SHAPES}
    for image, (colour, shape) in zip(images, captions):
        ground = np.median(image[[0, 0, -1, -1], [0, -1, 0, -1]], axis=0)  # of the four corners
        assert np.ptp(ground) == 0 and 220 <= ground[0] < 246
        inside = np.abs(image - ground).sum(axis=-1) > 150
        paint = np.median(image[inside], axis=0)
        assert np.abs(colours[colour - experiment.FIRST_COLOUR] - paint).max() <= 13
        ys, xs = np.nonzero(inside)
        box = (np.ptp(ys) + 1) * (np.ptp(xs) + 1)
        area[experiment.SHAPES[shape - experiment.FIRST_SHAPE]].append(len(ys) / box)
    filled = {shape: np.median(found) for shape, found in area.items()}
    assert filled["square"] > filled["circle"] > max(filled["cross"], filled["triangle"]) > 0.35
    assert filled["circle"] == pytest.approx(math.pi / 4, abs=0.05)


def test_outlines_by_hand(experiment):
    def area(corners):  # of Gauss
        x, y = corners.T
        return abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2

    assert area(experiment.outline("square")) == pytest.approx(1.7**2)
    assert area(experiment.outline("cross")) == pytest.approx(2 * 2 * 0.66 - 0.66**2)
    assert area(experiment.outline("triangle")) == pytest.approx(1.1**2 * 3 * math.sqrt(3) / 4)
    assert area(experiment.outline("circle")) == pytest.approx(math.pi, rel=0.01)
    assert len(experiment.outline("cross")) == 12 and len(experiment.outline("circle")) == 48


def test_one_of_each_is_the_first_of_each_in_order(experiment):
    captions = np.array([[3, 7], [2, 9], [3, 7], [2, 6], [2, 9]])
    assert experiment.one_of_each(captions).tolist() == [3, 1, 0]


def test_every_tokenizer_is_what_its_name_says(experiment):
    from mmtokedu.nn.vq import FiniteScalar, VectorQuantizer

    layer = {name: experiment.make_tokenizer(name).quantizer for name in (*experiment.TOKENIZERS, "unquantized")}
    assert layer["unquantized"] is None
    assert isinstance(layer["fsq"], FiniteScalar) and layer["fsq"].K == experiment.K
    for name, learn, size in (("collapsed", "gradient", 240), ("healthy", "ema", 240), ("small", "ema", 32)):
        assert type(layer[name]) is VectorQuantizer and (layer[name].learn, layer[name].K) == (learn, size)
        assert (layer[name].restart_below > 0) == (name != "collapsed")


@pytest.mark.parametrize("name", ["healthy", "fsq"])
def test_tiles_are_what_the_tokenizer_decodes(experiment, name):
    """An image made of tiles is the image that the whole model gives back."""
    torch.manual_seed(0)
    model, images = experiment.make_tokenizer(name).eval(), experiment.draw_shapes(5, seed=7)[0]
    codes = experiment.encode(model, images)
    assert codes.shape == (5, 36)
    laid = experiment.lay(experiment.tiles(model), codes)
    rows = model(experiment.to_rows(images))[0].detach()
    by_model = experiment.unpatchify(experiment.to_bytes(rows).reshape(5, 36, 48), 4, (6, 6))
    assert laid.shape == images.shape and np.abs(laid.astype(int) - by_model).max() <= 1


def test_rows_and_bytes_are_inverse(experiment):
    image = np.arange(24 * 24 * 3, dtype=np.int64).reshape(1, 24, 24, 3).astype(np.uint8)
    rows = experiment.to_rows(image)
    assert rows.shape == (36, 48) and float(rows.min()) == -1 and float(rows.max()) == 1
    assert np.array_equal(experiment.to_bytes(rows), patchify(image, 4)[0])
    assert experiment.to_bytes(torch.tensor([-9.0, 0.0, 9.0])).tolist() == [0, 128, 255]


def test_words_and_codes_share_one_vocabulary(experiment):
    captions, codes = np.array([[2, 6], [5, 9]]), np.array([[0, 1, 239], [7, 7, 7]])
    ids = experiment.to_ids(captions, codes)
    assert ids.tolist() == [[2, 6, 10, 11, 249], [5, 9, 17, 17, 17]]
    assert np.array_equal(experiment.to_codes(ids), codes)


def test_psnr_and_rate_by_hand(experiment):
    assert experiment.psnr(255**2) == 0 and experiment.psnr(100) == pytest.approx(28.13, abs=0.005)
    share = [experiment.falling(step, 9) for step in range(1, 10)]  # 1 - n/10, three times, at most 1
    np.testing.assert_allclose(share, [1, 1, 1, 1, 1, 1, 0.9, 0.6, 0.3])


def test_residual_bits_by_hand(experiment):
    grey = lambda *values: np.array(values, np.uint8)
    known, rebuilt = grey(10, 10, 10, 10, 10), grey(10, 10, 10, 9, 12)  # differences 0 0 0 1 -2
    of = 5 + 511  # each of the 511 differences is counted once more
    found = experiment.residual_bits(known, rebuilt, grey(0, 255), grey(0, 0))  # two images of one number: 0 and 255
    assert found == pytest.approx((math.log2(of / 4) + math.log2(of / 1)) / 2)
    found = experiment.residual_bits(known, rebuilt, grey(5), grey(7))
    assert found == pytest.approx(math.log2(of / 2))


class Told:
    """A judge that reads what to say from the image: its first two numbers are the caption."""

    real = np.zeros(2), np.eye(2)

    def caption(self, images):
        return images[:, 0, 0, :2].astype(np.int64)

    def features(self, images):
        return torch.from_numpy(images[:, 0, 1, :2].astype(np.float64))


def told(captions, features=None):
    images = np.zeros((len(captions), 2, 2, 3), np.uint8)
    images[:, 0, 0, :2] = captions
    if features is not None:
        images[:, 0, 1, :2] = features
    return images


def test_agreement_by_hand(experiment):
    said, wanted = [[2, 6], [3, 7], [4, 8], [5, 9]], np.array([[2, 6], [3, 9], [2, 8], [2, 6]])
    found = experiment.agreement(Told(), told(said), wanted)
    assert (found["both"], found["colour"], found["shape"]) == (0.25, 0.5, 0.5)


def test_frechet_by_hand(experiment):
    """Features 3 and 5 on average with variances 4 and 1, apart from each other, against 0 and 1 each."""
    features = [[3 + a, 5 + b] for a in (-2, 2) for b in (-1, 1)]
    covariance = np.diag([16 / 3, 4 / 3])  # four of them: divided by 3
    expected = 9 + 25 + np.trace(covariance) + 2 - 2 * (math.sqrt(16 / 3) + math.sqrt(4 / 3))
    assert experiment.frechet(Told(), told([[2, 6]] * 4, features)) == pytest.approx(expected)
    judge = Told()
    judge.real = experiment.moments(judge, told([[2, 6]] * 4, features))
    assert experiment.frechet(judge, told([[2, 6]] * 4, features)) == pytest.approx(0, abs=1e-6)


def test_variety_by_hand(experiment):
    images = told([[2, 6], [2, 6], [5, 9], [5, 9]])
    codes = np.array([[1, 2], [1, 2], [2, 1], [3, 3]])
    found = experiment.variety(Told(), images, codes)
    assert found["kinds"] == pytest.approx(2) and found["distinct"] == 3
    pairs = [((images[a].astype(float) - images[b]) ** 2).mean() for a in range(4) for b in range(a)]
    assert found["apart"] == pytest.approx(math.sqrt(np.mean(pairs)))
    every = told([[2 + colour, 6 + shape] for colour in range(4) for shape in range(4)])
    assert experiment.variety(Told(), every, np.arange(16)[:, None])["kinds"] == pytest.approx(16)


def test_a_judge_tells_words_and_order(experiment):
    """Its scores split into colours and shapes, and its answer is in words of the vocabulary."""
    judge = experiment.Judge()
    with torch.no_grad():
        judge.head.weight.zero_()
        judge.head.bias.copy_(torch.tensor([0.0, 0, 1, 0, 0, 1, 0, 0]))
    said = judge.caption(experiment.draw_shapes(3, seed=0)[0])
    assert [[experiment.WORDS[word] for word in caption] for caption in said] == [["blue", "square"]] * 3


def test_bits_of_the_caption_do_not_count(experiment):
    torch.manual_seed(0)
    prior = experiment.CausalPrior(V + 4, 2 + N, width=8, heads=2)
    with torch.no_grad():
        prior.heads.weight.zero_()
        prior.heads.bias.copy_(torch.tensor([1 / 8] * 2 + [0] * 8 + [1 / 4, 1 / 4, 1 / 8, 1 / 8]).add(1e-12).log())
    ids = torch.from_numpy(experiment.to_ids(np.array([[2, 6]] * 70), np.array([[0] * 30 + [3] * 6] * 70)))
    assert experiment.mean_bits(prior, ids) == pytest.approx(30 * 2 + 6 * 3, rel=1e-4)
    drawn = experiment.draw_codes(prior, torch.tensor([[2, 6]] * 130), seed=0)
    assert drawn.shape == (130, N) and drawn.min() == 0 and drawn.max() == 3
    np.testing.assert_allclose(np.bincount(drawn.ravel()) / drawn.size, [1 / 3, 1 / 3, 1 / 6, 1 / 6], atol=0.03)
    assert np.array_equal(experiment.draw_codes(prior, torch.tensor([[2, 6]] * 130), seed=0), drawn)


def test_a_prior_learns_captions_that_say_nothing_too(experiment, one_thread, monkeypatch):
    """And the batch it blanks is a copy: the ids it was given stay."""
    ids = torch.from_numpy(experiment.to_ids(np.array([[2, 6]] * 40), np.zeros((40, N), np.int64)))
    given, read = ids.clone(), []
    bits = experiment.CausalPrior.bits
    monkeypatch.setattr(
        experiment.CausalPrior, "bits", lambda self, ids, counted=None: (read.append(ids), bits(self, ids, counted))[1]
    )
    prior, curve = experiment.train_prior(ids, ids, 4, seed=0, steps=8)
    assert torch.equal(ids, given) and prior.vocabulary == V + 4 and prior.length == 2 + N
    learned = torch.cat([part for part in read if part.shape[0] == experiment.PRIOR["batch"]])[:, :2]
    blank = (learned == torch.tensor([0, 1])).all(dim=1)
    assert torch.equal(learned[~blank], torch.tensor([[2, 6]]).expand(int((~blank).sum()), 2))
    assert 0.05 < blank.float().mean() < 0.16
    assert [point["step"] for point in curve] == experiment.marks(8) and curve[-1]["bits"] < curve[0]["bits"]


def test_text_of_a_result_by_hand(experiment):
    rows = {"a": [{"b": 1}, {"b": [2]}], "c": "ü"}
    assert experiment.as_text(rows) == '{\n "a": [\n  {"b": 1},\n  {\n   "b": [2]\n  }\n ],\n "c": "ü"\n}'
    deep = {"a": {"b": {"c": {"d": [1]}}}}
    assert experiment.as_text(deep) == '{\n "a": {\n  "b": {\n   "c": {"d": [1]}\n  }\n }\n}'


# what runs here


def test_tokenizer_codes_and_restarts_learn(experiment, one_thread):
    """Forty updates already: the error falls, and a curve says so."""
    rows = experiment.to_rows(experiment.draw_shapes(128, seed=3)[0])
    for name in ("collapsed", "fsq", "unquantized"):
        model, curve = experiment.train_tokenizer(name, rows, seed=0, steps=40)
        assert not model.training and [point["step"] for point in curve] == experiment.marks(40)
        assert curve[-1]["psnr"] > curve[0]["psnr"] + 2 and ("used" in curve[-1]) == (name != "unquantized")


def test_whole_program_in_miniature_writes_what_is_stored(experiment, one_thread, monkeypatch, tmp_path):
    """Everything once, with few images and updates: another table of the same form, in both places."""
    train_judge = experiment.train_judge
    monkeypatch.setattr(experiment, "data", lambda: (experiment.draw_shapes(96, 1), experiment.draw_shapes(128, 2)))
    monkeypatch.setattr(experiment, "train_judge", lambda *learn: train_judge(*learn, steps=5))
    monkeypatch.setitem(experiment.TOKENIZER, "steps", 3)
    monkeypatch.setitem(experiment.TOKENIZER, "batch", 64)
    monkeypatch.setitem(experiment.PRIOR, "steps", 2)
    monkeypatch.setitem(experiment.PRIOR, "batch", 4)
    for name, value in {"SEEDS": (0,), "DRAWN": 32, "FREE": 16, "IMAGES": 96, "HELD": 128}.items():
        monkeypatch.setattr(experiment, name, value)
    monkeypatch.setattr(experiment, "RESULTS", tmp_path / "results" / "vq_generation.json")
    experiment.main([])
    made = json.loads(experiment.RESULTS.read_text(encoding="utf-8"))
    assert names(made) == names(TABLE) and list(made) == list(TABLE)
    assert [names(row) for row in made["rows"]] == [names(row) for row in TABLE["rows"]]
    for row in made["rows"]:
        assert row["total_bits"]["mean"] == pytest.approx(row["bits"]["mean"] + row["residual_bits"]["mean"], abs=2e-4)
        entropy = N * math.log2(row["perplexity"]["mean"])
        assert row["entropy_bits"]["mean"] == pytest.approx(entropy, abs=0.02)
        tiles = patchify(picture(made["pictures"][row["tokenizer"]]["tiles"]), 4)
        assert tiles.shape == (codes_of(row["tokenizer"]), 48)
    assert made["pictures"]["captions"] == PICTURES["captions"] and made["reference"]["raw_bits"] == 13824


def test_quick_prints_and_writes_nothing(experiment, one_thread, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(experiment, "RESULTS", tmp_path / "vq_generation.json")
    monkeypatch.setattr(experiment, "data", lambda images, held: (("learn", images), ("held", held)))
    monkeypatch.setattr(experiment, "train_judge", lambda what, images, steps: (what, images, steps))
    monkeypatch.setattr(
        experiment,
        "measure",
        lambda name, seed, learn, held, judge, quick: (
            {"used": len(name), "psnr": 20.0, "bits": float(quick and seed == 0)},
            {},
            {},
        ),
    )
    experiment.main(["--quick"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [[name, str(len(name))] for name in experiment.TOKENIZERS]
    assert all(line.endswith("20.0 dB    1.0 bits an image") for line in lines)
    assert not list(tmp_path.iterdir())


def test_doctests(experiment):
    import doctest

    found = doctest.testmod(experiment)
    assert found.failed == 0 and found.attempted >= 6
