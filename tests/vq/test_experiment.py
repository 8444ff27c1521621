"""The tables behind the chapter on VQ: complete, consistent in themselves, true to what is said, equal to what runs here."""

import io
import json
import math
import statistics
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from experiment_programs import experiment_named
from PIL import Image

from mmtokedu import samples

pytestmark = pytest.mark.trains

pytest.importorskip("tqdm", reason="the experiments show their progress with tqdm")
pytest.importorskip("skimage", reason="the photos lie in scikit-image")

ROOT = Path(__file__).resolve().parents[2]
TABLE = json.loads((ROOT / "mmtokedu" / "data" / "results" / "vq.json").read_text(encoding="utf-8"))
PIXELS, ENCODER, JPEG = TABLE["pixels"], TABLE["encoder"], TABLE["jpeg"]
TRAINED = "rows", "longer", "sizes", "other_photo"
EVERY_ROW = [row for table in TRAINED for row in ENCODER[table]]


@pytest.fixture(scope="module")
def experiment():
    with experiment_named("vq") as module:
        yield module


@pytest.fixture(scope="module")
def bits(experiment):
    return sys.modules["_vq_bits"]


def row_of(variant, table="rows", K=None):
    found = [r for r in ENCODER[table] if r["variant"] == variant and K in (None, r["K"])]
    assert len(found) == 1, (variant, table, K)
    return found[0]


def mean(variant, name, table="rows", K=None):
    return row_of(variant, table, K)[name]["mean"]


# the file


def test_result_says_where_and_when_it_was_made():
    assert date.fromisoformat(TABLE["date"]) <= date.today()
    assert set(TABLE["versions"]) == {"python", "numpy", "torch", "pillow", "scikit-image"}
    assert all(TABLE["versions"].values()) and "cores" in TABLE["device"]
    assert TABLE["seconds"] > 0 and 0 < TABLE["training_seconds"] < 3600


def test_file_is_written_the_way_the_program_writes(experiment):
    assert experiment.as_text(TABLE) == experiment.RESULTS.read_text(encoding="utf-8")


def test_the_package_ships_the_results(experiment):
    """Colab has the package, not the repository: the chapter reads them there."""
    assert "results/vq.json" in samples.ITEMS and samples.results("vq") == TABLE


def test_settings_in_the_file_are_those_of_the_program(experiment):
    as_read = lambda value: json.loads(json.dumps(value))
    assert ENCODER["settings"] == as_read(experiment.encoder_settings())
    settings = PIXELS["settings"]
    assert (settings["K"], settings["steps"], settings["batch"]) == (experiment.PIXEL_K, experiment.PIXEL_STEPS, 512)
    assert settings["seeds"] == list(experiment.SEEDS) and settings["rows"] == len(experiment.training_rows(grey=True))
    assert TABLE["published"] == as_read(experiment.PUBLISHED)


def test_every_run_that_was_planned_is_in_the_file(experiment):
    planned = {}
    for table, arguments in experiment.jobs():
        size = arguments.get("K", experiment.K)
        if arguments["variant"] == "FSQ, 4-d":
            size = min(experiment.LEVELS, key=lambda levels: abs(levels - size))
        if experiment.VARIANTS[arguments["variant"]].get("kind") == "none":
            size = None
        cell = table, arguments["variant"], size, arguments.get("steps", experiment.STEPS)
        planned[cell] = planned.get(cell, 0) + 1
    assert planned == {(t, r["variant"], r["K"], r["steps"]): r["seeds"] for t in TRAINED for r in ENCODER[t]}
    assert set(experiment.VARIANTS) == {r["variant"] for r in ENCODER["rows"]}
    assert all(r["seeds"] >= 3 for r in (*ENCODER["rows"], *ENCODER["other_photo"]))
    pixels = {(start, restarts) for start in experiment.STARTS for restarts in (False, True)}
    assert {(r["start"], r["restarts"]) for r in PIXELS["rows"]} == pixels and len(PIXELS["rows"]) == len(pixels)
    for variant in experiment.CURVES:
        skipped = experiment.VARIANTS[variant].get("kmeans", 0)
        steps = [c["step"] for c in ENCODER["curves"] if c["variant"] == variant]
        assert steps == [step for step in experiment.WATCH if step > skipped]


# the numbers among themselves


@pytest.mark.parametrize("row", [*PIXELS["rows"], *EVERY_ROW], ids=lambda r: str(r.get("variant", r.get("start"))))
def test_a_row_agrees_with_itself(row):
    K = row.get("K", PIXELS["settings"]["K"])
    spreads = {name: value for name, value in row.items() if isinstance(value, dict)}
    for name, value in spreads.items():
        assert len(value["each"]) == row.get("seeds", 3), name
        assert (value["low"], value["high"]) == (min(value["each"]), max(value["each"]))
        assert value["mean"] == pytest.approx(statistics.fmean(value["each"]), abs=0.06)
        assert value["low"] - 0.06 <= value["mean"] <= value["high"] + 0.06
    assert ("used" in spreads) == (K is not None)
    if K is None:
        return
    for used, perplexity, rate in zip(*(spreads[name]["each"] for name in ("used", "perplexity", "bits"))):
        assert 1 <= perplexity <= used + 0.01 <= K + 0.01
        assert 2**rate == pytest.approx(perplexity, rel=2e-3, abs=0.01)
    if "held_out_bits" in spreads:
        for own, coded, used in zip(*(spreads[f"held_out_{name}"]["each"] for name in ("bits", "coded_bits", "used"))):
            assert (
                own <= coded and own <= math.log2(used) + 1e-3 and used <= K
            )  # own frequencies are the best there are
        for shown, whole in zip(spreads["batch_perplexity"]["each"], spreads["perplexity"]["each"]):
            assert shown <= min(512, whole + 0.01)


def test_rounding_to_pixels_changes_no_error_noticeably():
    for row in EVERY_ROW:
        for exact, as_pixels in zip(row["held_out_psnr"]["each"], row["image_psnr"]["each"]):
            assert -0.01 <= as_pixels - exact < (0.15 if exact > 18 else 0.5)  # clipping can only help, bad ones more


def test_curves_end_in_the_rows_they_belong_to():
    for variant in {c["variant"] for c in ENCODER["curves"]}:
        last = [c for c in ENCODER["curves"] if c["variant"] == variant][-1]
        row = row_of(variant)
        assert last["step"] == row["steps"]
        assert (last["used"], last["perplexity"]) == (row["used"]["each"][0], row["perplexity"]["each"][0])


def test_perplexity_of_few_codes_is_capped_by_their_number():
    for variant in {c["variant"] for c in ENCODER["counts"]}:
        rows = [c for c in ENCODER["counts"] if c["variant"] == variant]
        numbers, found = [r["codes"] for r in rows], [r["perplexity"] for r in rows]
        assert numbers == sorted(numbers) and found == sorted(found)
        assert all(p <= n for p, n in zip(found, numbers)) and numbers[-1] == ENCODER["settings"]["rows"]
        assert found[-1] == row_of(variant)["perplexity"]["each"][0]


def test_sizes_of_decoder_and_codebook():
    for row in EVERY_ROW:
        options = {"width": 64, "kind": "vector"} | ENCODER["settings"]["variants"][row["variant"]]
        width = options["width"]
        if options["kind"] == "fsq":
            width = len(ENCODER["settings"]["levels"][str(row["K"])])
        codes = 0 if options["kind"] in ("none", "fsq") else row["K"] * width * 4
        if options["kind"] == "pixels":
            assert (row["decoder_bytes"], row["codebook_bytes"]) == (0, row["K"] * 192 * 4)
            continue
        numbers = (width + 1) * 128 + 129 * 128 + 129 * 192
        assert (row["decoder_bytes"], row["codebook_bytes"]) == (4 * numbers, codes)


# JPEG


HEADER = bytes.fromhex("ffd8 ffe0 0004 abcd")  # start, a segment of two bytes
SCAN = bytes.fromhex("ffda 0003 00")
END = b"\xff\xd9"


@pytest.mark.parametrize(
    ("data", "count"),
    [
        (HEADER + SCAN + b"\x12\x34\x56" + END, 3),
        (HEADER + SCAN + b"\x12\xff\x00\x56" + END, 4),  # a stuffed zero
        (HEADER + SCAN + b"\x12\xff\xd0\x34\xff\xd7" + END, 6),  # restarts
        (
            HEADER + SCAN + b"\x12" + b"\xff\xc4\x00\x05\xff\xd9\x00" + SCAN + b"\x34\x56" + END,
            3,
        ),  # a table between two
        (HEADER + b"\xff\xff\xff\xe1\x00\x02" + SCAN + b"\x12\xff" + END, 1),  # fill bytes before markers
        (HEADER + SCAN + END, 0),
        (HEADER + b"\xff\xe1\x00\x06\xff\xda\x00\x03" + SCAN + b"\x12" + END, 1),  # a segment that looks like a scan
    ],
    ids=["plain", "stuffed", "restarts", "two scans", "fill bytes", "empty", "nested look-alike"],
)
def test_scan_bytes_by_hand(bits, data, count):
    assert bits.scan_bytes(data) == count


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x89PNG", "8950"),
        (b"", "starts with"),
        (HEADER + SCAN + b"\x12\x34", "breaks off"),
        (HEADER + b"\xff\xe1\xff\xff" + SCAN + END, "breaks off"),
        (HEADER + b"\x00" + SCAN + END, "expected a marker"),
    ],
    ids=["png", "empty", "cut scan", "cut segment", "stray byte"],
)
def test_what_is_no_jpeg_is_refused(bits, data, says):
    with pytest.raises(ValueError, match=says):
        bits.scan_bytes(data)


def test_scan_bytes_of_a_real_file(bits):
    image = Image.fromarray(samples.photo("coffee")[:64, :96])

    def saved(**options):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=40, **options)
        return file.getvalue()

    plain, noted = saved(), saved(comment=b"\xff\xda a comment that looks like a scan")
    assert len(noted) > len(plain) and bits.scan_bytes(noted) == bits.scan_bytes(plain)
    header = 2 + 12  # marker and segment of a scan with three components; two bytes end the file
    assert plain[-2 - bits.scan_bytes(plain) - header :][:2] == b"\xff\xda"
    assert 0 < bits.scan_bytes(saved(progressive=True)) < len(saved(progressive=True))


def test_code_bits_by_hand(bits):
    codes = np.array([0, 0, 0, 1])
    assert bits.code_bits(codes, np.arange(4), 4) == 2  # all alike: log2 4
    learned = np.array([0] * 7 + [1])  # 7.5 and 1.5 of 9
    assert bits.code_bits(codes, learned, 2) == pytest.approx(-(3 * math.log2(7.5 / 9) + math.log2(1.5 / 9)) / 4)
    assert bits.code_bits(np.array([3]), np.zeros(100, int), 4) == pytest.approx(math.log2(102 / 0.5))  # never seen


def test_errors_by_hand(bits):
    grey = np.full((4, 4, 3), 100, np.uint8)
    off = grey + np.array([0, 0, 10], np.uint8)  # blue alone
    found = bits.image_error(grey, off)
    assert found["image_psnr"] == pytest.approx(10 * math.log10(255**2 / (100 / 3)))
    assert found["luma_psnr"] == pytest.approx(20 * math.log10(255 / 1.14))
    np.testing.assert_array_equal(bits.as_bytes(np.array([-3, -1, 0, 1, 2.0])), [0, 0, 128, 255, 255])


def test_jpeg_curve_comes_out_again(bits):
    """Bits from this Pillow's own encoder: another libjpeg may differ by a few bytes."""
    image = samples.photo("coffee")
    for row in bits.jpeg_curve(image, 8, qualities=(1, 10, 75)):
        named = ("subsampling", "tables", "quality")
        (stored,) = [r for r in JPEG["curve"] if all(r[name] == row[name] for name in named)]
        for name in ("bits", "file_bits", "image_psnr", "luma_psnr"):
            assert row[name] == pytest.approx(stored[name], rel=0.02), (stored, name)


def test_jpeg_curve_is_complete_and_makes_sense(bits):
    cells = {(r["subsampling"], r["tables"], r["quality"]): r for r in JPEG["curve"]}
    assert len(cells) == len(JPEG["curve"]) == 4 * len(bits.QUALITIES)
    for (chroma, tables, quality), row in cells.items():
        assert row["bits"] < row["file_bits"]
        if tables == "optimized":  # the same pixels for fewer bits
            other = cells[chroma, "standard", quality]
            assert row["bits"] < other["bits"] and row["image_psnr"] == other["image_psnr"]
        if chroma == "4:2:0":  # colour given up: fewer bits, more error, hardly any of it in luma
            other = cells["4:4:4", tables, quality]
            assert row["bits"] < other["bits"] and row["image_psnr"] < other["image_psnr"]
            assert abs(row["luma_psnr"] - other["luma_psnr"]) < 0.15


def test_equal_error_rows_follow_from_the_curve(bits):
    coded = [r for t in ("rows", "sizes", "longer") for r in ENCODER[t] if r["K"]]
    assert [(r["variant"], r["K"], r["steps"]) for r in JPEG["equal"]] == [
        (r["variant"], r["K"], r["steps"]) for r in coded
    ]
    for equal, row in zip(JPEG["equal"], coded):
        assert (
            equal["image_psnr"] == row["image_psnr"]["mean"] and equal["held_out_bits"] == row["held_out_bits"]["mean"]
        )
        assert equal["fixed_bits"] == math.ceil(math.log2(row["K"]))
        for name, error in (("rgb", "image_psnr"), ("luma", "luma_psnr")):
            for chroma in ("4:4:4", "4:2:0"):
                for tables in ("standard", "optimized"):
                    found = bits.against_jpeg(equal[error], JPEG["curve"], chroma, tables, error)
                    assert equal[f"jpeg_{name}_{chroma}_{tables}"] == pytest.approx(found, abs=0.1)


# what runs here


@pytest.mark.parametrize(
    ("start", "restarts"), [("normal", False), ("normal", True), ("patches", False), ("k-means", True)]
)
def test_a_cell_of_the_pixels_comes_out_again(experiment, start, restarts):
    (stored,) = [r for r in PIXELS["rows"] if (r["start"], r["restarts"]) == (start, restarts)]
    live = experiment.measure_pixels(start, experiment.RESTART_BELOW * restarts, seed=0)
    assert live["used"] == pytest.approx(stored["used"]["each"][0], abs=6)
    assert live["perplexity"] == pytest.approx(stored["perplexity"]["each"][0], rel=0.08, abs=0.5)
    assert live["psnr"] == pytest.approx(stored["psnr"]["each"][0], abs=0.1)
    assert live["held_out_psnr"] == pytest.approx(stored["held_out_psnr"]["each"][0], abs=0.1)


@pytest.mark.parametrize("variant", ["EMA + restarts", "FSQ, 4-d"])
def test_a_cell_of_the_encoder_comes_out_again(experiment, variant):
    """Training amplifies a last bit, so another processor may end a little elsewhere."""
    pytest.importorskip("torch")
    stored, (live, extra) = row_of(variant), experiment.measure(variant, seed=0)
    assert extra["K"] == stored["K"]
    assert live["used"] == pytest.approx(stored["used"]["each"][0], rel=0.08)
    assert live["perplexity"] == pytest.approx(stored["perplexity"]["each"][0], rel=0.25)
    assert live["psnr"] == pytest.approx(stored["psnr"]["each"][0], abs=0.4)
    assert live["held_out_psnr"] == pytest.approx(stored["held_out_psnr"]["each"][0], abs=0.4)
    assert live["held_out_coded_bits"] == pytest.approx(stored["held_out_coded_bits"]["each"][0], abs=0.6)


def test_photos_are_cut_and_shared_out(experiment):
    for held_out, training in experiment.SPLITS.items():
        assert held_out not in training and {held_out, *training} == set(samples.PHOTOS)
        rows = experiment.training_rows(held_out)
        counts = [min(experiment.MOST, len(experiment.photo_rows(name))) for name in training]
        assert rows.shape == (sum(counts), 192) and rows.dtype == np.float32 and -1 <= rows.min() < rows.max() <= 1
    other = experiment.photo_rows("chelsea")  # 300 x 451: cut to 296 x 448
    assert other.shape == (37 * 56, 192)
    np.testing.assert_allclose(other[0, :3], samples.photo("chelsea")[0, 0] / 127.5 - 1, atol=1e-6)


def test_every_variant_is_what_its_name_says(experiment):
    torch = pytest.importorskip("torch")
    from mmtokedu import vq
    from mmtokedu.nn import vq as layers

    for variant, options in experiment.VARIANTS.items():
        if options.get("kind") == "pixels":
            continue
        model, K = experiment.build(variant)
        layer, kind = model.quantizer, options.get("kind", "vector")
        assert model.encoder[-1].out_features == options.get("width", 64)
        if kind == "none":
            assert layer is None and K is None and "no quantizer" in variant
            continue
        named = {"fsq": layers.FiniteScalar, "simvq": layers.SimVQ, "unit": layers.UnitQuantizer}
        assert type(layer) is named.get(kind, layers.VectorQuantizer) and layer.K == K
        if kind in ("fsq", "simvq"):
            continue
        assert layer.learn == ("ema" if "EMA" in variant else "gradient")
        assert (layer.restart_below > 0) == ("restarts" in variant)
        assert (layer.through is vq.rotation_trick) == ("rotation" in variant)
        assert layer.commitment == (0 if "commitment 0" in variant else 1 if "commitment 1" in variant else 0.25)
        length = layer.codebook.detach().norm(dim=1)
        if kind == "unit":
            torch.testing.assert_close(length, torch.ones(K))
        else:
            assert (length.mean() > 4) == ("normal" in variant)


def test_late_kmeans_comes_after_a_warm_up_without_a_quantizer(experiment):
    pytest.importorskip("torch")
    model, K, seen = experiment.train("k-means late", 0, steps=experiment.WARM_UP, watch=(1, experiment.WARM_UP))
    assert model.quantizer is None and seen == []
    model, K, seen = experiment.train("k-means late", 0, steps=experiment.WARM_UP + 1, watch=(experiment.WARM_UP + 1,))
    assert model.quantizer is not None and seen[0]["used"] > 500


def test_what_is_published_says_where_it_was_read():
    for row in TABLE["published"]:
        assert row["paper"] and row["read"] and row["model"] and row["measured"] and row["data"]
        assert 0 <= row.get("used_percent", 0) <= 100 and row["K"] > 1
        assert "used_percent" in row or "rfid" in row


def test_quick_prints_and_writes_nothing(experiment, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(experiment, "RESULTS", tmp_path / "vq.json")
    monkeypatch.setattr(experiment, "measure", lambda variant, seed: ({"used": float(seed), "psnr": 20.0}, {}))
    experiment.main(["--quick"])
    printed = capsys.readouterr().out
    assert "plain" in printed and "FSQ" in printed and "k-means" in printed
    assert not list(tmp_path.iterdir())


def test_doctests(experiment, bits):
    import doctest

    for module, least in ((experiment, 6), (bits, 5)):
        assert doctest.testmod(module).failed == 0
        assert doctest.testmod(module).attempted >= least
