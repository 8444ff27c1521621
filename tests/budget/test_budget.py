"""Operations, bytes, seconds and money: worked by hand, at their ends, and refused where they cannot be."""

import dataclasses
import fractions
import math
import re

import numpy as np
import pytest

from mmtokedu import budget
from mmtokedu.budget import (
    Device,
    Layers,
    ModelRow,
    Tower,
    Typical,
    attended_pairs,
    cache_parts,
    dense,
    density,
    kv_cache_bytes,
    patches_of,
    prefill_flops,
    prefill_parts,
    price,
    time_to_first_token,
    weight_bytes,
)
from mmtokedu.catalog import models, prices

pytestmark = pytest.mark.apart

NAN, INF = float("nan"), float("inf")


def model(*groups, width=4, vocabulary=10, **more):
    return ModelRow("m", "m", width, vocabulary, groups, **more)


# Operations


def test_a_layer_by_hand():
    """Width 4, two heads of 3, one of keys and values, a dense part of 5, three tokens."""
    small = dense(1, 4, 5, 2, kv_heads=1, head=3, vocabulary=7)
    matrices = 4 * 6 + 2 * 4 * 3 + 6 * 4 + 3 * 4 * 5  # queries, keys and values, out, gate and up and down
    parts = prefill_parts(small, 3)
    assert parts == (2 * 3 * matrices, 2 * 2 * (3 + 3) * 9, 2 * 4 * 7, 0, 0, 0)
    assert prefill_flops(small, 3) == sum(parts) == parts.total
    assert prefill_parts(small, 3, attention="causal").attention == 2 * 2 * (3 + 3) * 6  # 1 + 2 + 3 pairs
    assert prefill_parts(small, 3, scored=3).head == 3 * prefill_parts(small, 3).head
    assert prefill_parts(dense(1, 4, 5, 2, gated=False), 3).matrices == 2 * 3 * (4 * 4 * 4 + 2 * 4 * 5)


def test_a_latent_layer_by_hand():
    latent = Layers(count=1, kind="latent", heads=2, q_rank=5, kv_rank=3, rope=1, nope=2, value=4)
    numbers = 4 * 5 + 5 * 2 * 3 + 4 * (3 + 1) + 3 * 2 * (2 + 4) + 2 * 4 * 4
    parts = prefill_parts(model(latent), 6)
    assert parts.matrices == 2 * 6 * numbers and parts.attention == 2 * 2 * (3 + 4) * 36
    straight = dataclasses.replace(latent, q_rank=0)
    assert prefill_parts(model(straight), 6).matrices == 2 * 6 * (numbers - 4 * 5 - 5 * 2 * 3 + 4 * 2 * 3)
    assert kv_cache_bytes(model(latent), 6) == 2 * 6 * (3 + 1)


def test_a_linear_layer_by_hand():
    linear = Layers(count=1, kind="linear", key_heads=2, value_heads=4, key_head=3, value_head=5, kernel=4)
    channels = 2 * 2 * 3 + 4 * 5
    numbers = 4 * channels + 4 * 20 + 4 * 8 + channels * 4 + 20 * 4
    parts = prefill_parts(model(linear), 7)
    assert parts.matrices == 2 * 7 * numbers and parts.attention == 6 * 4 * 3 * 5 * 7
    assert parts.attention == prefill_parts(model(linear), 7, attention="causal").attention
    assert kv_cache_bytes(model(linear), 7) == kv_cache_bytes(model(linear), 10**9) == 2 * channels * 4 + 4 * 4 * 3 * 5
    assert kv_cache_bytes(model(linear), 7, bytes_per=4) == 4 * channels * 4 + 4 * 4 * 3 * 5  # the state is float32


def test_a_cross_layer_sees_what_is_in_no_other():
    cross = Layers(count=1, kind="cross", heads=2, kv_heads=1, head=3, ff=5)
    alone = model(Layers(count=1, heads=2, kv_heads=1, head=3, ff=5))
    both = model(*alone.layers, cross)
    assert prefill_parts(both, 6, 0).matrices == prefill_parts(alone, 6).matrices + 2 * 6 * (2 * 4 * 6 + 3 * 4 * 5)
    more = prefill_parts(both, 6, 50)
    assert more.attention == prefill_parts(alone, 6).attention + 2 * 2 * (3 + 3) * 6 * 50
    assert more.matrices - prefill_parts(both, 6, 0).matrices == 2 * 50 * 2 * 4 * 3  # keys and values of the picture
    assert cache_parts(both, 6, 50) == (("full", 1, 2 * 3 * 6 * 2), ("cross", 1, 2 * 3 * 50 * 2))


def test_a_layer_that_borrows():
    own = Layers(count=2, heads=4, kv_heads=2, head=3, ff=5)
    borrowing = dataclasses.replace(own, borrows=True)
    tokens = 9
    less = prefill_parts(model(own), tokens).matrices - prefill_parts(model(borrowing), tokens).matrices
    assert less == 2 * 2 * tokens * 2 * 4 * 2 * 3
    assert prefill_parts(model(own), tokens).attention == prefill_parts(model(borrowing), tokens).attention
    assert kv_cache_bytes(model(borrowing), tokens) == 0
    one = dataclasses.replace(own, one_projection=True)
    assert 2 * (prefill_parts(model(own), tokens).matrices - prefill_parts(model(one), tokens).matrices) == less
    assert kv_cache_bytes(model(one), tokens) == kv_cache_bytes(model(own), tokens)


@pytest.mark.parametrize("window", [1, 2, 7, 8, 9, 100])
def test_windows_and_chunks(window):
    """Pair by pair. torch's counter sees no mask: in full they cost what all pairs cost."""
    tokens = 8
    pairs = [(q, k) for q in range(tokens) for k in range(q + 1)]
    sliding = sum(q - k < window for q, k in pairs)
    chunked = sum(q // window == k // window for q, k in pairs)
    assert attended_pairs(tokens, "sliding", window) == sliding
    assert attended_pairs(tokens, "chunked", window) == chunked
    for kind, seen in (("sliding", sliding), ("chunked", chunked)):
        row = dense(3, 4, 5, 2, kind=kind, window=window)
        assert prefill_parts(row, tokens, attention="causal").attention == 3 * (4 * 2 * 2) * seen
        assert prefill_parts(row, tokens).attention == prefill_parts(dense(3, 4, 5, 2), tokens).attention
        assert kv_cache_bytes(row, tokens) == 3 * 2 * 4 * 2 * min(tokens, window - 1)


def test_no_tokens_cost_nothing():
    for name, row in models.rows().items():
        assert prefill_flops(name, 0, scored=0) == 0
        kept = {part.kind: part.bytes for part in cache_parts(name, 0)}
        assert all(kept[kind] == 0 for kind in kept if kind != "linear"), name
        assert prefill_flops(row, 10) == prefill_flops(name, 10)


def test_half_of_it_is_a_little_more_than_half():
    for name in ("qwen3-vl-8b", "kimi-k2.5"):
        full, causal = (prefill_parts(name, 1000, attention=way).attention for way in budget.ATTENTION)
        assert causal * 2 == full + full // 1000


def test_where_attention_meets_the_rest():
    """The tokens at which attention costs as much as all matrices: 32,512 for Qwen2.5-VL-7B, 23,552 for Qwen3-VL-8B."""
    for name, tokens in (("qwen2.5-vl-7b", 32_512), ("qwen3-vl-8b", 23_552), ("llava-1.5-7b", 24_704)):
        parts = prefill_parts(name, tokens)
        assert parts.matrices == parts.attention
        halved = prefill_parts(name, 2 * tokens, attention="causal")
        assert halved.matrices == pytest.approx(halved.attention, rel=1e-4)


def test_a_picture_costs_more_than_its_share_and_windows_help():
    row = models.row("qwen2.5-vl-7b")
    everywhere = dataclasses.replace(row, vision=dataclasses.replace(row.vision, whole=0, window=0))
    some, all_ = (prefill_parts(each, 0, patches=(78, 138), scored=0) for each in (row, everywhere))
    assert some.tower == all_.tower and some.ends == all_.ends
    assert all_.tower_attention / some.tower_attention > 7
    assert (all_.tower + all_.tower_attention) / (some.tower + some.tower_attention) == pytest.approx(2, abs=0.05)


def test_windows_of_a_grid():
    """Two pictures of one count of patches: whole windows, and some at the edge; a count alone takes whole ones."""
    tower = Tower(layers=2, width=4, ff=4, whole=1, window=8)
    row = model(Layers(count=1, heads=1, kv_heads=1, head=4), vision=tower)
    attention = lambda patches: prefill_parts(row, 0, patches=patches, scored=0).tower_attention
    assert attention((16, 12)) == 4 * 4 * (192**2 + 2 * (64**2 + 32**2))
    assert attention((24, 8)) == attention(192) == 4 * 4 * (192**2 + 192 * 64)
    assert attention((16, 12)) < attention(192)
    assert attention([(24, 8), (16, 12)]) == attention((24, 8)) + attention((16, 12))
    assert attention(3) == 4 * 4 * (9 + 9)  # fewer than a window


def test_pictures_as_lists_arrays_and_none():
    row = "qwen3-vl-8b"
    assert prefill_parts(row, 1, patches=0) == prefill_parts(row, 1) == prefill_parts(row, 1, patches=[])
    counted = prefill_parts(row, 1, patches=[400, 400])
    assert (
        counted == prefill_parts(row, 1, patches=np.array([400, 400])) == prefill_parts(row, 1, patches=[(20, 20), 400])
    )
    assert counted.tower_attention == 2 * prefill_parts(row, 1, patches=400).tower_attention
    assert prefill_parts(row, 1, patches=800).tower_attention == 2 * counted.tower_attention  # one picture of two


def test_large_numbers_are_exact():
    tokens = 10**9 + 7
    row = dense(2, 8, 16, 2)
    assert prefill_parts(row, tokens).attention == 2 * 4 * 8 * tokens**2  # past what a float tells apart
    assert isinstance(prefill_flops(row, np.int64(tokens)), int)
    assert kv_cache_bytes(row, np.int64(tokens)) == 2 * 2 * 8 * 2 * tokens


# Bytes


def test_bytes_of_a_cache():
    """Thirteen-fold between models of seven to nine billion, and what a batch and another width do."""
    each = {name: kv_cache_bytes(name, 1) for name in ("glm-4.1v-9b", "llava-1.5-7b")}
    assert each == {"glm-4.1v-9b": 40_960, "llava-1.5-7b": 524_288}
    assert kv_cache_bytes("qwen3-vl-8b", 100, 50) == 150 * 147_456 == kv_cache_bytes("qwen3-vl-8b", 0, 150)
    assert kv_cache_bytes("qwen3-vl-8b", 100, bytes_per=1, batch=6) == 3 * kv_cache_bytes("qwen3-vl-8b", 100)
    assert kv_cache_bytes("qwen3-vl-8b", 100, bytes_per=0.5) == kv_cache_bytes("qwen3-vl-8b", 25)
    assert kv_cache_bytes("qwen3-vl-8b", 8, bytes_per=fractions.Fraction(9, 16)) == 147_456 * 8 * 9 // 32


FULL_AND_WINDOW = {  # bytes a token in layers that see all, and in those with a window
    "gemma-3-4b": (20_480, 118_784), "gemma-3-12b": (65_536, 327_680), "gemma-3-27b": (81_920, 425_984),
    "gemma-4-26b-a4b": (20_480, 204_800), "gemma-4-31b": (81_920, 819_200), "llama-4-scout": (49_152, 147_456),
    "muse-glimmer-30b": (13_312, 39_936),
}  # fmt: skip


@pytest.mark.parametrize("name", FULL_AND_WINDOW)
def test_what_a_window_keeps(name):
    whole, windowed = FULL_AND_WINDOW[name]
    window = max(group.window for group in models.row(name).layers)
    assert kv_cache_bytes(name, 1) == whole + windowed
    assert kv_cache_bytes(name, window - 1) == (window - 1) * (whole + windowed)
    for more in (0, 1, 1000):  # beyond it only the others grow
        assert kv_cache_bytes(name, window + more) == (window + more) * whole + (window - 1) * windowed


def test_states_and_latent_vectors():
    assert kv_cache_bytes("kimi-k2.5", 1) == 70_272
    for name, each in (("qwen3.5-35b-a3b", 20_480), ("qwen3.5-397b-a17b", 30_720)):
        assert kv_cache_bytes(name, 1001) - kv_cache_bytes(name, 1000) == each
        assert kv_cache_bytes(name, 0) > 30 * each  # the state, before the first token


def test_weights_that_are_read():
    mixture = models.row("qwen3-vl-30b-a3b")
    read = [weight_bytes(mixture, tokens) for tokens in (1, 2, 15, 16, 17, None)]
    assert read == sorted(read) and read[3] == read[4] == read[5] > read[2]  # 16 tokens of 8 reach all 128 experts
    assert weight_bytes(mixture) - weight_bytes(mixture, head=False) == 2 * mixture.width * mixture.vocabulary
    plain = models.row("qwen3-vl-8b")
    assert weight_bytes(plain, 1) == weight_bytes(plain) == 2 * weight_bytes(plain, bytes_per=1)
    assert weight_bytes(plain, 0, head=False) == 0


# Seconds


def test_the_roofs_two_sides():
    row = dense(2, 8, 16, 2, vocabulary=10)
    reads = weight_bytes(row, 100)
    slow_memory, slow_sums = Device(1e30, 1.0), Device(1.0, 1e30)
    assert time_to_first_token(row, 100, 0, slow_memory) == pytest.approx(reads)
    flops = prefill_flops(row, 100, attention="causal")
    assert time_to_first_token(row, 100, 0, slow_sums) == pytest.approx(flops)
    assert time_to_first_token(row, 100, 0, Device(1.0, 1e30, 0.25)) == pytest.approx(4 * flops)
    full = time_to_first_token(row, 100, 0, slow_sums, attention="full")
    assert full == pytest.approx(prefill_flops(row, 100))


def test_a_faster_device_is_sooner_and_a_tower_takes_its_time():
    row = "qwen3-vl-8b"
    seconds = [time_to_first_token(row, 256, 2040, device) for device in ("t4", "a100", "h100")]
    assert seconds == sorted(seconds, reverse=True) and 0.04 < seconds[-1] < 0.06 < 0.6 < seconds[0] < 1.0
    known = time_to_first_token(row, 256, 2040, "h100", patches=8160)
    assert known == seconds[-1] > time_to_first_token(row, 2296, 0, "h100")
    assert time_to_first_token(row, 256, 2040, models.row("h100", "devices")) == seconds[-1]
    assert patches_of(row, 0) == [] and patches_of("voxtral-mini-3b", 9) == []


# Money


def test_a_bill_by_hand():
    """Claude Opus 5.5: 4 in, 20 out, 0.2 read, 5 written, 8 for an hour."""
    sent = {"cached": 30_000, "written": 5_000, "written_long": 1_000}
    exact = 30_000 * 0.2 + 5_000 * 5 + 1_000 * 8 + 14_000 * 4 + 700 * 20
    assert price("claude-opus-5-5", 50_000, 700, **sent) == exact / 1e6
    assert price("claude-opus-5-5", 0, 0) == 0.0
    assert price("gemini-2.5-flash", 10_000, 0, audio=4_000) == (6_000 * 0.3 + 4_000 * 1.0) / 1e6
    assert price("gpt-4o", 10_000, 0, audio=4_000) == price("gpt-4o", 10_000, 0)  # sound costs what text costs


def test_one_token_more_can_double_a_bill():
    row = prices.row("gpt-6-sol")
    assert price("gpt-6-sol", row.above + 1, 0) > 1.999 * price("gpt-6-sol", row.above, 0)


def test_what_a_vendor_does_not_offer():
    with pytest.raises(ValueError, match="gpt-4o has no price for written tokens in its tariff of 2026-11-30"):
        price("gpt-4o", 100, 10, written=50)
    assert price("gpt-4o", 100, 10, written=0) > 0


# Density


def test_density_by_hand():
    text, sound, coded, picture, film = (
        density("qwen2-audio")[0], density("qwen2-audio")[1], density("encodec-24k")[1], density("gemma-3")[1],
        density("gemini-2")[-1],
    )  # fmt: skip
    assert (text.per_second, text.per_kilobyte) == (150 / 60 * 1.33, 250)
    assert (sound.per_second, sound.per_kilobyte) == (25, pytest.approx(25 / 3))
    assert (coded.per_second, coded.per_kilobyte) == (600, 200) and coded.counted_by == "encodec-24k, codes"
    assert picture.per_second == 256 / 3 and picture.per_kilobyte == 256 / 530
    assert film.per_second == 258 and film.per_kilobyte == pytest.approx(258 / 625)


def test_the_usual_order_flips():
    """Text under sound under pictures under films is an order of encoders, not of media."""
    per_second = lambda name: {each.medium: each.per_second for each in density(name)}
    assert per_second("encodec-24k")["sound"] > per_second("gemini-2")["film"]
    assert per_second("gemini-2")["film"] > per_second("gemma-3")["picture"] > per_second("qwen2-audio")["sound"]
    byte = {each.medium: each.per_kilobyte for each in density("qwen2.5-omni-7b")}
    assert byte["text"] > byte["sound"] > byte["picture"] > byte["film"]  # by the byte it turns round


def test_density_of_a_model_and_of_ones_own_media():
    assert [each.medium for each in density("qwen2.5-omni-7b")] == ["text", "picture", "sound", "film"]
    assert density(models.row("gemma-3-4b")) == density("gemma-3-4b")
    thumb = Typical(picture=(224, 224), picture_bytes=10_000, picture_seconds=1)
    assert density("gemma-3", typical=thumb)[1] == ("picture", "gemma-3", 256.0, 25.6)
    with pytest.raises(ValueError, match="unknown model 'gema-3'"):
        density("gema-3")


# Refused


REFUSED = [
    (lambda: prefill_flops("qwen3vl-8b", 1), ValueError, "unknown model 'qwen3vl-8b' (of 28); the nearest name"),
    (lambda: prefill_flops("GPT", 1), ValueError, "unknown model 'GPT'; the catalog has qwen2.5-vl-7b, "),
    (lambda: kv_cache_bytes(7, 1), ValueError, "unknown model 7; the catalog has"),
    (lambda: kv_cache_bytes(None, 1), ValueError, "unknown model None"),
    (lambda: prefill_flops("qwen3-vl-8b", -1), ValueError, "text is -1; expected a whole number from 0 to"),
    (lambda: prefill_flops("qwen3-vl-8b", 1, -2), ValueError, "vision_tokens is -2"),
    (lambda: prefill_flops("qwen3-vl-8b", 1.0), TypeError, "text is 1.0; expected a whole number"),
    (lambda: prefill_flops("qwen3-vl-8b", NAN), TypeError, "text is nan; expected a whole number"),
    (lambda: prefill_flops("qwen3-vl-8b", "12"), TypeError, "text is '12'"),
    (lambda: prefill_flops("qwen3-vl-8b", True), TypeError, "text is True"),
    (lambda: prefill_flops("qwen3-vl-8b", 10**13), ValueError, "text is 10000000000000"),
    (lambda: prefill_flops("qwen3-vl-8b", 2, scored=3), ValueError, "scored is 3, and the language model is given 2"),
    (lambda: prefill_flops("qwen3-vl-8b", 0), ValueError, "scored is 1, and the language model is given 0"),
    (
        lambda: prefill_flops("qwen3-vl-8b", 2, attention="half"),
        ValueError,
        "attention is 'half'; choose one of 'full', 'c",
    ),
    (lambda: prefill_flops("qwen3-vl-8b", 2, attention=None), ValueError, "attention is None"),
    (lambda: prefill_flops("qwen3-vl-8b", 2, 4, -16), ValueError, "patches is -16"),
    (lambda: prefill_flops("qwen3-vl-8b", 2, 4, [16, 0]), ValueError, "patches of a picture is 0"),
    (
        lambda: prefill_flops("qwen3-vl-8b", 2, 4, (4, 4, 4)),
        ValueError,
        "a picture's grid is (4, 4, 4); expected (rows",
    ),
    (lambda: prefill_flops("qwen3-vl-8b", 2, 4, [(4, 4.5)]), TypeError, "a side of the grid is 4.5"),
    (lambda: prefill_flops("qwen3-vl-8b", 2, 4, np.array([1.5])), TypeError, "patches of a picture is"),
    (
        lambda: prefill_flops("voxtral-mini-3b", 2, 4, 16),
        ValueError,
        "has no vision tower for voxtral-mini-3b; give patch",
    ),
    (lambda: attended_pairs(9, "sliding"), ValueError, "kind is 'sliding' and window is 0"),
    (lambda: attended_pairs(9, "linear"), ValueError, "kind is 'linear'; choose one of"),
    (lambda: kv_cache_bytes("qwen3-vl-8b", 1, batch=0), ValueError, "batch is 0"),
    (lambda: kv_cache_bytes("qwen3-vl-8b", 1, bytes_per=0), ValueError, "bytes_per is 0; expected a finite number"),
    (lambda: kv_cache_bytes("qwen3-vl-8b", 1, bytes_per=NAN), ValueError, "bytes_per is nan"),
    (lambda: kv_cache_bytes("qwen3-vl-8b", 1, bytes_per=64), ValueError, "bytes_per is 64; a number takes at most 16"),
    (lambda: kv_cache_bytes("qwen3-vl-8b", 1, bytes_per="fp8"), TypeError, "bytes_per is 'fp8'"),
    (lambda: weight_bytes("qwen3-vl-8b", -1), ValueError, "tokens is -1"),
    (
        lambda: time_to_first_token("qwen3-vl-8b", 1, 0, "h101"),
        ValueError,
        "unknown device 'h101' (of 3); the nearest name",
    ),
    (lambda: time_to_first_token("qwen3-vl-8b", 1, 0, Device(0, 1)), ValueError, "flops_per_second of 'yours' is 0"),
    (
        lambda: time_to_first_token("qwen3-vl-8b", 1, 0, Device(1, NAN)),
        ValueError,
        "bytes_per_second of 'yours' is nan",
    ),
    (lambda: time_to_first_token("qwen3-vl-8b", 1, 0, Device(1, 1, 2)), ValueError, "efficiency is 2"),
    (lambda: price("gpt-6", 1, 1), ValueError, "unknown tariff 'gpt-6' (of 34); the nearest names are gpt-"),
    (lambda: price("gpt-6-sol", -1, 1), ValueError, "tokens_in is -1"),
    (lambda: price("gpt-6-sol", 1, 1.5), TypeError, "tokens_out is 1.5"),
    (
        lambda: price("gpt-6-sol", 10, 1, cached=7, written=4),
        ValueError,
        "tokens_in is 10, and 7 cached and 4 written of ",
    ),
    (lambda: price("gpt-6-sol", 10, 1, cached=-1), ValueError, "cached is -1"),
    (lambda: dense(0, 4, 4, 1), ValueError, "a full layer needs count; it is 0"),
    (lambda: dense(1, 4, 4, 0), ValueError, "a full layer needs heads, kv_heads; they are 0"),
    (lambda: dense(1, 4, 4, -2), ValueError, "heads of a full layer is -2"),
    (lambda: budget.sound_tokens_billed("gemini-2.5-flash", NAN), ValueError, "seconds is nan"),
    (lambda: budget.sound_tokens_billed("gemini-2.5-flash", -1), ValueError, "seconds is -1"),
]


@pytest.mark.parametrize(("call", "kind", "message"), REFUSED, ids=[each[2][:40] for each in REFUSED])
def test_bad_input(call, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        call()


def test_the_smallest_of_everything():
    tiny = dense(1, 1, 1, 1, vocabulary=1)
    assert prefill_flops(tiny, 1) == 2 * (4 + 3) + 2 * 2 + 2 and kv_cache_bytes(tiny, 1) == 4
    assert math.isfinite(time_to_first_token(tiny, 1, 0, "h100"))
