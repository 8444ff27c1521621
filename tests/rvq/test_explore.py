"""The explorable of sound codes on the Python side: its arguments, its sounds, its numbers, its golden vectors."""

import base64
import html
import itertools
import json
import re

import numpy as np
import pytest

from mmtokedu import explore, rvq, samples
from mmtokedu.catalog import codecs
from mmtokedu.explore import _residual, _rvq
from mmtokedu.rvq import sound_levels
from mmtokedu.samples.items import DATA


def data_of(out):
    text, start = out._repr_html_(), "rvq ??= "
    return json.JSONDecoder().raw_decode(text[text.index(start) + len(start) :])[0]


def test_output_carries_arguments_and_still():
    out = explore.rvq(stages=4, codec="mimi", codebooks=32, context=8192)._repr_html_()
    head = out[: out.index("</mm-explore-rvq>")]
    assert '<mm-explore-rvq stages="4" codec="mimi" codebooks="32" context="8192"><figure' in head
    alt = f"One sentence from 4 of 8 codebooks of the book's own small codec, {_rvq.players().snr[3]:.1f} dB, "
    alt += "3.2 kbit/s, 400 tokens a second. Another, not heard: "
    alt += "Mimi with 32 codebooks takes 4.4 kbit/s, 400 tokens a second; 8,192 tokens hold 20.5 s."
    alt = html.escape(alt)
    assert f"<title>{alt}</title>" in head and f"<figcaption>{alt} Time runs" in head and 'role="img"' in head
    assert '"mm:palette"' not in out and len(out) < 700_000


def test_words_keep_what_is_heard_and_what_is_read_apart():
    heard, read = explore.rvq(stages=1, codec="wavtokenizer-40").alt.split(" Another, not heard: ")
    assert heard.startswith("One sentence from 1 of 8 codebooks of the book's own small codec, ")
    assert heard.endswith(" dB, 0.8 kbit/s, 100 tokens a second.") and "WavTokenizer" not in heard
    assert read == (
        "WavTokenizer, 40 a second with 1 codebook takes 0.48 kbit/s, 40 tokens a second; 32,768 tokens hold 13 min 39 s."
    )


def test_marker_key_follows_arguments():
    key = lambda **arguments: explore.rvq(**arguments).key
    assert key() == key(stages=2, codec="encodec-24k", codebooks=8, context=32768)
    assert len({key(), key(stages=3), key(codec="mimi"), key(context=1024)}) == 4


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"stages": 0}, ValueError, "stages is 0; choose 1 to 8"),
        ({"stages": 9}, ValueError, "stages is 9"),
        ({"stages": 2.0}, TypeError, "integer"),
        ({"codec": "mp3"}, ValueError, "codec is 'mp3'; choose soundstream, encodec-24k"),
        ({"codec": ["mimi"]}, ValueError, "choose soundstream"),
        ({"codec": "<img onerror=alert(1)>"}, ValueError, "choose soundstream"),
        ({"codec": "ours"}, ValueError, "codec is 'ours'; choose soundstream"),
        ({"codec": "mimi", "codebooks": 16}, ValueError, "codebooks is 16; mimi is used with 8, 32"),
        ({"codec": "mimi", "codebooks": "8"}, TypeError, "integer"),
        ({"codebooks": 3}, ValueError, "codebooks is 3; encodec-24k is used with 2, 4, 8, 16, 32"),
        ({"context": 5000}, ValueError, "context is 5000; choose a power of two from 1024 to 1048576"),
        ({"context": 2**21}, ValueError, "context is 2097152"),
    ],
)
def test_arguments_are_checked(arguments, error, says):
    with pytest.raises(error, match=re.escape(says)):
        explore.rvq(**arguments)


def test_data_in_the_page_are_the_catalogs_and_the_sounds():
    data = data_of(explore.rvq())
    assert [row["id"] for row in data["codecs"]] == ["ours", *codecs.rows()]
    for row in data["codecs"][1:]:
        stored = codecs.row(row["id"])
        assert row["as_of"] == stored.as_of.isoformat()
        for key in ("sample_rate", "hop", "codebooks", "default", "codebook_size", "strides", "chunk", "source"):
            assert row[key] == json.loads(json.dumps(getattr(stored, key)))
    for text, sound in zip(data["sounds"], _rvq.players().sounds, strict=True):
        codes = np.frombuffer(base64.b64decode(text), np.uint8)
        error = _rvq.from_mu_law(codes) - sound / 32768
        assert 10 * np.log10((sound / 32768).var() / error.var()) > 36  # 8 bits are enough to hear what is meant


# The sounds


def test_what_is_heard_is_the_codecs_and_equally_loud():
    heard, stored = _rvq.players(), samples.heard()
    assert heard.sounds.dtype == np.int16 and heard.rate == 16_000 and len(heard.sounds) == len(stored) == 9
    for sound, same in zip(heard.sounds, stored.values()):
        np.testing.assert_array_equal((sound / 32768).astype(np.float32), same)
    said = next(one for one in samples.speech("new_voice") if len(one.sound) == heard.sounds.shape[1])
    assert said.text == heard.text and 2.5 < said.seconds < 3.5
    np.testing.assert_allclose(heard.sounds[0] / 32768, said.sound, atol=1e-4)
    levels = [sound_levels(sound / 32768) for sound in heard.sounds]
    np.testing.assert_allclose([level.rms for level in levels], levels[0].rms, rtol=1e-3)
    assert max(level.peak for level in levels) < 0.95  # nothing clips


def test_more_codebooks_come_closer():
    heard = _rvq.players()
    assert heard.snr.shape == (8,) and (np.diff(heard.snr) > 0).all() and heard.snr[-1] > heard.snr[0] + 3
    original = heard.sounds[0] / 32768
    for sound, snr in zip(heard.sounds[1:] / 32768, heard.snr):
        found = [original - gain * sound for gain in np.arange(0.5, 1.5, 0.002)]
        best = 10 * np.log10((original**2).sum() / min((noise**2).sum() for noise in found))
        assert best == pytest.approx(snr, abs=0.01)


def test_the_codec_that_is_heard_is_the_one_that_ships():
    ours = _rvq.codecs()["ours"]
    with np.load(DATA / "rvq" / "codec.npz", allow_pickle=False) as stored:
        numbers = {name: int(stored[name]) for name in ("rate", "hop", "Q", "K")}
    assert (ours["sample_rate"], ours["hop"], ours["default"], ours["codebook_size"]) == tuple(numbers.values())
    assert len(_rvq.players().snr) == numbers["Q"]


# The picture


def test_mu_law_is_fine_where_it_is_quiet():
    every = np.arange(-32768, 32768)
    back = 32768 * _rvq.from_mu_law(_rvq.mu_law(every))
    assert np.abs(back - every)[np.abs(every) < 100].max() < 8
    # half a step, 1/255, times the slope (1/255 + |x|) ln 256, and a little for the bend
    assert (np.abs(back - every) <= 1.02 * np.log(256) / 255 * (32768 / 255 + np.abs(every))).all()
    assert _rvq.mu_law(np.array([-32768, 32767])).tolist() == [0, 255]


def test_a_full_sine_has_level_zero_at_its_frequency():
    levels = _rvq.spectrogram(np.sin(2 * np.pi * 40 / 512 * np.arange(2048)))
    assert levels.shape == (13, 256)
    assert (levels.argmax(axis=1) == 40).all() and np.abs(levels[:, 40]).max() < 1e-6
    assert (_rvq.spectrogram(np.zeros(512)) == -80).all()


@pytest.mark.parametrize("stages", [1, 8])
def test_the_still_shows_two_spectrograms(stages):
    figure = explore.rvq(stages=stages)._repr_html_().split("</figure>")[0]
    assert figure.count("stroke-opacity=") == 2 * 3 + 2  # three shades and a frame, twice
    assert "the original" in figure and f"{stages} of 8 codebooks</text>" in figure
    assert html.unescape(figure).count("M") > 500 and len(figure) < 60_000


# What a second costs


def test_golden_vectors_are_the_librarys():
    golden = explore.golden_vectors("rvq")
    assert {name: len(rows) for name, rows in golden.items()} == {
        "rates": 39, "tokens": 1629, "holds": 429, "mu_law": 256, "levels": 3, "heard": 9, "durations": 10, "shorts": 8,
    }  # fmt: skip
    for name, count, tokens, bits in golden["rates"]:
        if name != "ours":
            row = codecs.row(name)
            assert tokens == rvq.tokens_per_second(name, count)
            assert bits == tokens * np.log2(row.codebook_size)
            if not row.strides and not row.chunk:
                assert bits == pytest.approx(rvq.bitrate(row.sample_rate / row.hop, count, row.codebook_size))
            for published in row.published:
                if published.codebooks == count:  # as sold: within 4 %
                    assert bits == pytest.approx(published.bits_per_second, rel=0.04)
    ours = [row[1:] for row in golden["rates"] if row[0] == "ours"]
    assert ours == [[count, 100.0 * count, 800.0 * count] for count in range(1, 9)]
    default = [row for row in golden["tokens"] if row[0] != "ours" and row[1] == codecs.row(row[0]).default]
    assert all(tokens == rvq.audio_tokens(name, seconds) for name, _, seconds, tokens in default)
    assert len(default) == 16 * 43


def test_durations_as_people_say_them():
    said = dict(map(tuple, explore.golden_vectors("rvq")["durations"]))
    assert said[60.0] == "1 min 0 s" and said[327.68] == "5 min 27 s" and said[99999] == "27 h 46 min"
    assert said[0.04] == "0.0 s" and said[59.94] == "59.9 s"


# Residual stages in the plane


def test_residual_output_carries_arguments_and_still():
    out = explore.residual(vector=(-0.72, 0.02), stages=3)
    head = out._repr_html_().split("</mm-explore-residual>")[0]
    assert '<mm-explore-residual x="-720" y="20" stages="3"><figure' in head and 'role="img"' in head
    said = "3 stages of 4 codes: 1, 3, 1; 0.325 of 0.720 is left, where the sum of codes 2, 1, 1 would leave 0.081."
    assert out.alt == f"A vector at (−0.72, 0.02) and {said}"
    assert f"<title>{out.alt}</title>" in head and f"<figcaption>{out.alt} Diamonds" in head
    assert head.count('fill="#b44808"') == 3 and head.count('fill="none"/>') == 9  # codes chosen, and the others
    json_of = out._repr_html_().split("residual ??= ")[1]
    data = json.JSONDecoder().raw_decode(json_of)[0]
    assert data == {"codebooks": json.loads(json.dumps(_residual.CODEBOOKS)), "step": 40}


def test_residual_words_say_another_sum_only_where_it_is_nearer():
    assert explore.residual().alt.endswith("0, 1, 1; 0.090 of 0.699 is left.")
    assert explore.residual(vector=(0.46, 0.43), stages=1).alt.endswith(
        "1 stage of 4 codes: 0; 0.000 of 0.630 is left."
    )


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"stages": 0}, ValueError, "stages is 0; choose 1 to 4"),
        ({"stages": 5}, ValueError, "stages is 5"),
        ({"stages": 2.0}, TypeError, "integer"),
        ({"vector": (0, 1.5)}, ValueError, "vector is (0, 1.5); expected two numbers from -1 to 1"),
        ({"vector": (0, 0, 0)}, ValueError, "expected two numbers"),
        ({"vector": 0.5}, ValueError, "vector is 0.5; expected two numbers"),
        ({"vector": (float("nan"), 0)}, ValueError, "expected two numbers"),
        ({"vector": ("x", 0)}, ValueError, "expected two numbers"),
    ],
)
def test_residual_arguments_are_checked(arguments, error, says):
    with pytest.raises(error, match=re.escape(says)):
        explore.residual(**arguments)


def test_each_stage_is_about_half_as_long_and_no_two_sums_are_one():
    books = _residual.codebooks(4)
    lengths = np.linalg.norm(books, axis=2).mean(axis=1)
    assert (lengths[1:] / lengths[:-1] < 0.6).all() and np.abs(books.mean(axis=1)).max() < 0.06
    _, sums = _residual.all_sums(books)
    assert len(np.unique(sums.round(9), axis=0)) == 256


def test_residual_golden_vectors_are_the_librarys():
    golden = explore.golden_vectors("residual")
    for books, vector, codes, left, total, other, least in golden["chains"][::7]:
        books, vector = np.array(books), np.array(vector)
        assert rvq.rvq_encode_plain(vector[None], books)[0].tolist() == codes
        np.testing.assert_allclose(total, sum(book[code] for book, code in zip(books, codes)), atol=1e-12)
        assert left[0] == pytest.approx(np.linalg.norm(vector)) and left[-1] == pytest.approx(
            np.linalg.norm(vector - total)
        )
        tried = {
            some: np.linalg.norm(vector - sum(book[k] for book, k in zip(books, some)))
            for some in itertools.product(range(books.shape[1]), repeat=len(books))
        }
        assert min(tried, key=tried.get) == tuple(other) and least == pytest.approx(tried[tuple(other)])
        assert least <= left[-1] + 1e-12
    worse = sum(row[-1] < row[3][-1] - 1e-9 for row in golden["chains"])
    assert 30 < worse < 300  # both happen
    shares = {(stages, moved): count / len(_residual.grid()) for stages, moved, count in golden["grids"]}
    assert shares[1, ""] == 0 < shares[2, ""] < shares[3, ""] < shares[4, ""] < 0.3
