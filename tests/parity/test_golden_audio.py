"""Counts of sound made once by the peers, kept as data with package and version: these tests need no peer."""

import json
from pathlib import Path

import pytest
from peers_audio import codec_lengths, drawn_samples, row_frames

from mmtokedu.catalog import codecs, listeners
from mmtokedu.catalog.listeners import listener_tokens

pytestmark = pytest.mark.apart

GOLDEN = json.loads((Path(__file__).parent / "golden" / "audio.json").read_text())
SAMPLES = GOLDEN["samples_16k"]

# Worked by hand from ultravox_processing.py and from Google's page, which nothing here can run: seconds -> tokens.
READ = {
    "ultravox": {0.01: 1, 0.16: 1, 0.161: 2, 1: 7, 29.99: 188, 30: 188, 30.01: 189, 60: 376, 61: 376 + 7},
    "gemini": {0.01: 1, 1: 32, 29.99: 960, 30: 960, 30.01: 961, 60: 1920, 61: 1952},
}


def tokens_or_none(model, samples):
    try:
        return listener_tokens(model, samples / 16_000)
    except ValueError:
        return None


def test_every_row_that_was_run_has_golden_counts():
    assert set(GOLDEN["tokens"]) == {name for name, row in listeners.rows().items() if row.verified == "run"}
    assert set(GOLDEN["frames"]) == {name for name, row in codecs.rows().items() if row.verified == "run"}
    assert set(READ) == {name for name, row in listeners.rows().items() if row.verified == "read"}
    assert SAMPLES == drawn_samples(70, seed=1) and {160, 479_840, 480_000, 480_160, 976_000} <= set(SAMPLES)


@pytest.mark.parametrize("model", GOLDEN["tokens"])
def test_tokens_of_each_listener(model):
    """The same lengths through each peer; null is a length it refuses, and so must we."""
    ours = [tokens_or_none(model, samples) for samples in SAMPLES]
    wrong = [(n, o, g) for n, o, g in zip(SAMPLES, ours, GOLDEN["tokens"][model], strict=True) if o != g]
    assert not wrong, f"(samples, ours, peer's): {wrong[:5]}"


@pytest.mark.parametrize("model", READ)
def test_tokens_worked_by_hand(model):
    assert {seconds: listener_tokens(model, seconds) for seconds in READ[model]} == READ[model]


@pytest.mark.parametrize("codec", GOLDEN["frames"])
def test_frames_of_each_codec(codec):
    row, golden = codecs.row(codec), GOLDEN["frames"][codec]
    assert [int(samples) for samples in golden] == codec_lengths(row)
    assert {samples: row_frames(row, int(samples)) for samples in golden} == golden
