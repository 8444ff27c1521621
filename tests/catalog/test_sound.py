"""The catalog's codecs and listeners hold what they promise, and every listening rule keeps its own."""

import dataclasses
import datetime
import inspect
import math
import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmtokedu.catalog import codecs, listeners
from mmtokedu.catalog.listeners import RULES, listener_plan, listener_tokens
from mmtokedu.rvq import audio_tokens

pytestmark = pytest.mark.apart

CODECS = [
    "soundstream", "encodec-24k", "encodec-48k", "encodec-32k", "dac-16k", "dac-24k", "dac-44k", "mimi", "snac-24k",
    "snac-32k", "snac-44k", "wavtokenizer-40", "wavtokenizer-75", "speechtokenizer", "x-codec", "x-codec-2",
]  # fmt: skip
LISTENERS = [
    "whisper", "qwen2-audio", "qwen2.5-omni", "qwen3-omni", "gemma-3n", "gemma-4", "voxtral", "ultravox",
    "phi-4-multimodal", "gemini",
]  # fmt: skip
SLACK = {"dac-44k": 0.033}  # the makers call 7.75 kbit/s "8"; all others round to what they print
PRINTED = {"snac-24k": 10, "snac-32k": 100, "snac-44k": 100}  # the last digit they print, in bit/s

seconds = st.floats(1e-3, 3600) | st.integers(1, 200)


def bits_per_second(row, codebooks):
    """Every code of every stage, each log2(codebook_size) bits: written here again, so that the catalog is data."""
    strides = row.strides or (1,) * codebooks
    return sum(row.sample_rate / row.hop / stride for stride in strides) * math.log2(row.codebook_size)


# Codecs.


def test_the_codecs_that_were_promised_and_no_others():
    assert list(codecs.rows()) == CODECS


@pytest.mark.parametrize("name", CODECS)
def test_a_codec_is_complete_dated_and_consistent(name):
    row = codecs.row(name)
    assert row.name == name and row.title and row.about and row.source
    assert datetime.date(2026, 1, 1) <= row.as_of <= datetime.date.today()
    assert list(row.codebooks) == sorted(set(row.codebooks)) and row.default in row.codebooks
    assert row.hop > 0 and row.sample_rate in (16_000, 24_000, 32_000, 44_100, 48_000) and row.channels in (1, 2)
    assert 2 ** round(math.log2(row.codebook_size)) == row.codebook_size
    if row.strides:
        assert len(row.strides) == row.default and row.strides[-1] == 1
        assert all(slow % fast == 0 for slow, fast in zip(row.strides, row.strides[1:]))
        assert row.frame_multiple % row.strides[0] == 0
    for one in row.delays:
        assert one.by and one.source and min(one.delays) == 0 and len(one.delays) >= row.default
    assert "at " in row.source or "arXiv" in row.source  # a commit or a paper


@pytest.mark.parametrize("name", CODECS)
def test_published_bitrates_are_the_computed_ones(name):
    row = codecs.row(name)
    for one in row.published:
        assert one.codebooks in row.codebooks
        computed = bits_per_second(row, one.codebooks)
        if name in PRINTED:
            assert abs(one.bits_per_second - computed) <= PRINTED[name] / 2
        else:
            assert one.bits_per_second == pytest.approx(computed, rel=SLACK.get(name, 1e-9))


def test_dac_is_sold_at_eight_and_gives_seven_and_three_quarters():
    row = codecs.row("dac-44k")
    assert [round(bits_per_second(row, one.codebooks)) for one in row.published] == [7752, 15504]
    assert [one.bits_per_second for one in row.published] == [8000, 16000]


@pytest.mark.parametrize(
    "name, codebooks, frames_per_second, kbps",
    [
        ("soundstream", 8, 75, 6), ("encodec-48k", 16, 150, 24), ("encodec-32k", 4, 50, 2.2), ("dac-16k", 12, 50, 6),
        ("dac-24k", 32, 75, 24), ("mimi", 8, 12.5, 1.1), ("mimi", 32, 12.5, 4.4), ("snac-24k", 3, 46.875, 0.984375),
        ("snac-32k", 4, 250 / 3, 1.875), ("wavtokenizer-40", 1, 40, 0.48), ("wavtokenizer-75", 1, 75, 0.9),
        ("speechtokenizer", 8, 50, 4), ("x-codec-2", 1, 50, 0.8),
    ],
)  # fmt: skip
def test_rates_worked_by_hand(name, codebooks, frames_per_second, kbps):
    row = codecs.row(name)
    assert row.sample_rate / row.hop == pytest.approx(frames_per_second)
    assert bits_per_second(row, codebooks) == pytest.approx(1000 * kbps)


@pytest.mark.parametrize("name", ["snac-32k", "snac-44k"])
def test_the_hop_of_snac_follows_from_the_rates_on_its_model_card(name):
    """Every other hop with the same factors 2 and 3 misses the rates, rounded to whole codes a second."""
    row, card = codecs.row(name), {"snac-32k": [10, 21, 42, 83], "snac-44k": [14, 29, 57, 115]}[name]
    fits = [
        hop
        for hop in range(100, 1000)
        if [round(row.sample_rate / hop / stride) for stride in row.strides] == card and hop % 64 == 0
    ]
    assert fits == [row.hop]


def test_moshi_delays_are_not_sorted():
    (moshi,) = codecs.row("mimi").delays
    assert len(moshi.delays) == 1 + 2 * 8 and list(moshi.delays) != sorted(moshi.delays)


# Listeners.


def test_the_listeners_that_were_promised_and_no_others():
    assert list(listeners.rows()) == LISTENERS


@pytest.mark.parametrize("name", LISTENERS)
def test_a_listener_is_complete_dated_and_callable(name):
    row = listeners.row(name)
    assert row.name == name and row.title and row.about and row.source and row.sample_rate == 16_000
    assert datetime.date(2026, 1, 1) <= row.as_of <= datetime.date.today()
    inspect.signature(RULES[row.rule]).bind(16_000, **row.parameters)  # no parameter missing, none unknown
    assert (row.kind == "billing") == (name == "gemini") == (row.hop == 0) == (row.downsampling == 0)
    assert row.parameters.get("hop", 160) == 160
    assert row.parameters.get("rate", row.sample_rate) == row.sample_rate


def test_every_rule_is_used_by_some_row():
    assert {row.rule for row in listeners.rows().values()} == set(RULES)


@pytest.mark.parametrize(
    "model, length, plan",
    [
        # 61 s are 976 000 samples; 30 s of them are heard, 3000 mel frames become 1500, in pairs 750.
        ("qwen2-audio", 61, (480_000, 1, 750)),
        # All of it is heard: 6100 frames, 3050, 1525.
        ("qwen2.5-omni", 61, (976_000, 1, 1525)),
        # 30.01 s need two windows, the second of them almost all silence.
        ("voxtral", 30.01, (480_160, 2, 750)),
        ("gemma-3n", 0.01, (160, 1, 188)),
        # 61 blocks of 100 frames, 13 tokens each.
        ("qwen3-omni", 61, (976_000, 61, 793)),
        # 30.01 s are 3001 frames: a window of 3000 (188 stacks of 16) and one frame more.
        ("ultravox", 30.01, (480_160, 2, 189)),
        # 1 s holds (16000 - 400) / 160 + 1 = 98 whole frames: 13 stacks of eight.
        ("phi-4-multimodal", 1, (16_000, 1, 13)),
        ("gemini", 60, (960_000, 1, 1920)),
    ],
)
def test_worked_by_hand(model, length, plan):
    made = listener_plan(model, length)
    assert (made.heard, made.windows, made.tokens) == plan and made.samples == round(length * 16_000)


def test_twenty_milliseconds_are_nothing_to_qwen2_audio():
    assert [listener_tokens("qwen2-audio", length) for length in (0.01, 0.02, 0.0201)] == [0, 0, 1]


@pytest.mark.parametrize("model, least", [("qwen3-omni", 201), ("phi-4-multimodal", 400)])
def test_too_short_a_sound_is_refused(model, least):
    assert listener_tokens(model, least / 16_000) == 1
    with pytest.raises(ValueError, match=f"has {least - 1} samples; the model refuses fewer than {least} .pad it"):
        listener_tokens(model, (least - 1) / 16_000)


@pytest.mark.parametrize("model", LISTENERS)
@given(length=seconds)
def test_any_length_has_a_plan_or_a_clear_refusal(model, length):
    row = listeners.row(model)
    try:
        plan = listener_plan(model, length)
    except ValueError as error:
        assert re.search(r"\d+ samples; the model refuses", str(error)) and length < 0.03
        return
    assert plan == listener_plan(model, length) and plan.model == model
    assert all(type(value) is int for value in (plan.samples, plan.heard, plan.windows, plan.tokens))
    assert 0 < plan.heard <= plan.samples == round(length * 16_000) and plan.windows >= 1 and plan.tokens >= 0
    assert plan.heard == plan.samples or plan.heard in (480_000, 4_800_000)
    if row.downsampling:  # the strides alone, within the padding of a window and the rounding of each piece
        nominal = plan.heard / row.hop / row.downsampling
        assert nominal - 1 <= plan.tokens
        assert plan.tokens <= nominal + plan.windows or row.rule == "padded_windows"
    if row.rule == "padded_windows":
        assert plan.tokens == plan.windows * row.parameters["per_window"]


@pytest.mark.parametrize("model", LISTENERS)
@given(lengths=st.tuples(st.floats(0.03, 400), st.floats(0.03, 400)))
def test_more_sound_never_costs_less(model, lengths):
    short, long = sorted(lengths)
    assert listener_tokens(model, short) <= listener_tokens(model, long)


# Both.

EVERYONE = [*CODECS, *LISTENERS]


@pytest.mark.parametrize(
    "length, message",
    [
        (0, "seconds is 0; expected a finite number of seconds above 0"),
        (-1, "seconds is -1; expected a finite number"),
        (math.nan, "seconds is nan; expected a finite number"),
        (math.inf, "seconds is inf; expected a finite number"),
        (-math.inf, "seconds is -inf; expected a finite number"),
        (Decimal("NaN"), "seconds is nan; expected a finite number"),
        (10**400, "seconds is inf; expected a finite number"),
        (1e-6, r"seconds is 1e-06; expected at least one sample at \d+ Hz"),
        (1e305, r"seconds is 1e\+305; at most 1000000000 seconds \(32 years\) are counted"),
        (10**9 + 1, "at most 1000000000 seconds"),
    ],
)
def test_a_length_that_no_sound_has_is_refused_by_every_model(length, message):
    for model in EVERYONE:
        with pytest.raises(ValueError, match=message):
            audio_tokens(model, length)


def test_the_longest_sound_is_counted_exactly():
    for model in EVERYONE:
        longest = audio_tokens(model, 10**9)
        assert type(longest) is int and longest >= audio_tokens(model, 10**9 - 1) > 0
    assert audio_tokens("mimi", 10**9) == 8 * 12_500_000_000 and audio_tokens("gemini", 10**9) == 32 * 10**9
    assert audio_tokens("qwen3-omni", 10**9) == 13 * 10**9  # blocks of a second


@pytest.mark.parametrize(
    "length",
    ["3", None, [3], True, b"3", np.bool_(True), 3 + 0j, np.complex64(3), np.array([3.0]), np.array([3.0, 4.0]),
     np.timedelta64(3, "s")],
)  # fmt: skip
def test_seconds_are_a_number(length):
    for model in EVERYONE:
        with pytest.raises(TypeError, match="seconds is .*expected a number of seconds, as 2.5"):
            audio_tokens(model, length)


@pytest.mark.parametrize("kind", [int, float, np.float16, np.float32, np.int64, np.uint8, np.array, Decimal, Fraction])
def test_every_kind_of_real_number_will_do(kind):
    for model in EVERYONE:
        assert audio_tokens(model, kind(3)) == audio_tokens(model, 3.0)


@pytest.mark.parametrize(
    "read, names, what", [(codecs.row, CODECS, "codec"), (listeners.row, LISTENERS, "listening model")]
)
@pytest.mark.parametrize("unknown", ["gpt-5", None, 3])
def test_an_unknown_name_is_told_every_name(read, names, what, unknown):
    with pytest.raises(ValueError, match=f"unknown {what} {unknown!r}") as error:
        read(unknown)
    assert all(name in str(error.value) for name in names)


def test_the_catalog_cannot_be_changed():
    for row in (codecs.row("mimi"), listeners.row("voxtral"), codecs.row("mimi").delays[0]):
        with pytest.raises(dataclasses.FrozenInstanceError):
            row.source = "me"
    with pytest.raises(TypeError):
        listeners.row("voxtral").parameters["per_window"] = 1
    for rows in (codecs.rows(), listeners.rows()):
        with pytest.raises(TypeError):
            rows["new"] = None


def test_rows_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="hearsay"):
        dataclasses.replace(codecs.row("mimi"), verified="hearsay")
    with pytest.raises(ValueError, match="default is 9"):
        dataclasses.replace(codecs.row("mimi"), default=9)
    with pytest.raises(ValueError, match="singer"):
        dataclasses.replace(listeners.row("voxtral"), kind="singer")
