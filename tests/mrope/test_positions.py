"""Where each token is: by hand, against the plain rule, and the properties that engines get wrong."""

import types
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmtokedu.arguments.mrope import MAX_TOKENS
from mmtokedu.catalog import positions as catalog
from mmtokedu.mrope import (
    Audio,
    Text,
    Vision,
    Woven,
    decode_offset,
    position_ids,
    position_ids_plain,
    rotate,
    segments_of,
    turning,
)

MODELS = catalog.rows("models")


def test_a_picture_between_words_by_hand():
    """Two words at 0 and 1, a picture of 2 x 3 from 2 on, the next word after its widest id."""
    ids = position_ids([Text(2), Vision(1, 2, 3), Text(2)])
    assert ids.tolist() == [
        [0, 1, 2, 2, 2, 2, 2, 2, 5, 6],
        [0, 1, 2, 2, 2, 3, 3, 3, 5, 6],
        [0, 1, 2, 3, 4, 2, 3, 4, 5, 6],
    ]
    assert ids.dtype == np.int64


def test_a_film_at_two_ids_a_second_by_hand():
    """Three frames 0.75 s apart: 1.5 ids, of which the fraction is cut off; or kept, where the model keeps it."""
    film = [Text(1), Vision(3, 1, 1, step=1.5), Text(1)]
    assert position_ids(film, rule="qwen2.5-vl")[0].tolist() == [0, 1, 2, 4, 5]
    kept = position_ids(film, rule="qwen3-omni")
    assert kept[0].tolist() == [0, 1, 2.5, 4, 5] and kept.dtype == np.float64


def test_film_and_sound_by_hand():
    """Two frames, two ids apart, three tokens of sound: in turns of two ids, and token by token."""
    film = Vision(2, 1, 1, step=50), Audio(52)
    turns = position_ids([Woven(film, "chunks")], rule="qwen2.5-omni")[0].tolist()
    assert turns == [0, 0, 1, *range(1, 51), 51, 51, 52, 53, 53]  # markers share an id; V A50 V A2
    film = Vision(2, 1, 1, step=2), Audio(3)
    assert position_ids([Woven(film, "merge")], rule="qwen3-omni")[0].tolist() == [
        0,
        1,
        2,
        2,
        3,
        4,
        4,
        5,
        6,
    ]  # V A A V A


@pytest.mark.parametrize("rule", [name for name, row in MODELS.items() if row.rule == "along_each_axis"])
def test_text_alone_counts_words(rule):
    np.testing.assert_array_equal(position_ids([Text(7)], rule=rule), np.tile(np.arange(7), (3, 1)))
    assert decode_offset([Text(7)], rule=rule) == 0


WORDS = st.integers(1, 5).map(Text)
PICTURES = st.tuples(st.just(1), st.integers(1, 5), st.integers(1, 5)).map(lambda grid: Vision(*grid))
FILMS = st.tuples(st.integers(1, 6), st.integers(1, 4), st.integers(1, 4)).map(lambda grid: Vision(*grid))


@given(st.lists(st.one_of(WORDS, PICTURES, FILMS), min_size=1, max_size=9))
def test_the_plain_rule_says_the_same(segments):
    np.testing.assert_array_equal(position_ids(segments), position_ids_plain(segments))


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("grid", [(1, 5, 7), (3, 16, 16), (1, 16, 16), (1, 15, 17)])
def test_equal_pictures_on_either_side_of_the_size_where_they_are_written_at_once(count, grid):
    segments = [Text(2), *[Vision(*grid), Text(1)] * count, Vision(1, 2, 2)]
    np.testing.assert_array_equal(position_ids(segments), position_ids_plain(segments))


def drawn(rule, rng, count):
    """Segments that a rule takes, text around each: a prompt."""
    row, segments = MODELS[rule], [Text(int(rng.integers(1, 4)))]
    for _ in range(count):
        t = int(rng.integers(1, 5)) if row.films else 1
        step = float(rng.choice([0.5, 1, 1.25, 2])) if row.steps else 1
        film = Vision(t, *map(int, rng.integers(1, 6, 2)), step)
        sound = Audio(int(rng.integers(1, 70)))
        kinds = [film, film, sound] + ([Woven((film, sound), row.weave)] if row.weave else [])
        segments += [kinds[rng.integers(len(kinds))], Text(int(rng.integers(1, 4)))]
    return segments


@pytest.mark.parametrize("rule", MODELS)
def test_what_follows_changes_nothing_before(rng, rule):
    """Chunked prefill: the ids of any first part are those of the whole, cut there."""
    segments = drawn(rule, rng, 6)
    whole = position_ids(segments, rule=rule)
    for cut in range(len(segments) + 1):
        part = position_ids(segments[:cut], rule=rule)
        np.testing.assert_array_equal(part, whole[:, : part.shape[1]])


def jumps(rule, resume):
    """Whether text may go on below the largest id: then generation, which goes on above it, leaves a gap."""
    return resume != "after-max" or MODELS[rule].rule == "around_the_diagonal"


@pytest.mark.parametrize("rule", [name for name in MODELS if not jumps(name, "after-max")])
def test_one_token_at_a_time_equals_the_whole(rng, rule):
    """A token's index plus the offset of the prompt is where it would be in one piece, on every axis."""
    for count in range(5):
        prompt = drawn(rule, rng, count)
        N = position_ids(prompt, rule=rule).shape[1]
        whole, offset = position_ids([*prompt, Text(5)], rule=rule), decode_offset(prompt, rule=rule)
        np.testing.assert_allclose(whole[:, N:], np.tile(np.arange(N, N + 5) + offset, (len(whole), 1)), atol=1e-9)


def test_generation_jumps_where_text_goes_on_inside_a_film():
    """transformers 5: a film of eight frames and two words; the third word is at 5 in the prompt, generated at 9."""
    prompt = [Text(1), Vision(8, 2, 2), Text(2)]
    N = position_ids(prompt).shape[1]
    assert position_ids([*prompt, Text(1)], resume="spatial")[0, -1] == 5
    assert N + decode_offset(prompt, resume="spatial") == 9
    assert N + decode_offset(prompt) == position_ids([*prompt, Text(1)])[0, -1] == 11


def test_generation_jumps_after_videoropes_wide_picture():
    """Its columns reach two beyond its t, and the one word after it only one."""
    prompt = [Text(1), Vision(1, 1, 6), Text(1)]
    assert position_ids([*prompt, Text(1)], rule="videorope")[0, -1] == 3
    assert 8 + decode_offset(prompt, rule="videorope") == 5


def test_a_picture_first_begins_below_zero_in_videorope():
    assert position_ids([Vision(1, 1, 5)], rule="videorope")[2].tolist() == [-2, -1, 0, 1, 2]


def test_a_third_of_a_second_adds_up():
    assert position_ids([Vision(7, 1, 1, step=25 / 3)], rule="qwen2.5-omni")[0].tolist() == [0, 8, 16, 25, 33, 41, 50]
    tenths = position_ids([Vision(11, 1, 1, step=0.1)], rule="qwen2.5-vl")[0]
    assert tenths.tolist() == [0] * 10 + [1]
    assert position_ids([Vision(101, 1, 1, step=0.29)], rule="qwen2.5-vl")[0, 100] == 29  # int(100 * 0.29) is 28


def test_a_step_of_nothing_is_how_transformers_4_lost_the_time():
    """An interval of half a second, cast to a whole number: every frame has the first one's id."""
    assert position_ids([Vision(3, 1, 1, step=0)], rule="qwen2.5-vl")[0].tolist() == [0, 0, 0]


@pytest.mark.parametrize("step", [2, 2.0, np.float32(2), Fraction(2)])
def test_a_step_of_any_number(step):
    assert position_ids([Vision(3, 1, 1, step)], rule="qwen2.5-vl")[0].tolist() == [0, 2, 4]


def test_no_segments_and_text_of_no_words():
    assert position_ids([]).shape == (3, 0) and decode_offset([]) == 0
    assert position_ids([], rule="hunyuan-vl").shape == (4, 0)
    assert position_ids([Text(0), Vision(1, 1, 1), Text(0)]).tolist() == [[0], [0], [0]]


def test_pictures_side_by_side():
    """transformers 5.23 takes neighbours without a word between for one picture, and fails; here each is its own."""
    ids = position_ids([Vision(1, 2, 2), Vision(1, 1, 2)])
    assert ids.tolist() == [[0, 0, 0, 0, 2, 2], [0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 2, 3]]


# Rotated attention, as engines run it

HOWS = {name: turning(name) for name in ("qwen2-vl", "qwen3-vl", "glm-4v", "ernie-4.5-vl", "hunyuan-vl", "qwen3-omni")}


def attention(queries, keys, values, mask):
    scores = queries @ keys.T / queries.shape[-1] ** 0.5
    scores = np.where(mask, scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True) @ values


def vectors(rng, tokens, width=128):
    return rng.standard_normal((3, tokens, width))  # queries, keys, values


def run(given, ids, how, mask=None):
    """One document in one piece."""
    tokens = given.shape[1]
    queries, keys = rotate((given[0], given[1]), ids, **how)
    return attention(queries, keys, given[2], np.tri(tokens, dtype=bool) if mask is None else mask)


@pytest.mark.parametrize("rule", HOWS)
def test_decoding_with_a_cache_equals_the_whole(rng, rule):
    prompt = drawn(rule, rng, 3)
    ids = position_ids([*prompt, Text(4)], rule=rule)
    N, tokens = ids.shape[1] - 4, ids.shape[1]
    given = vectors(rng, tokens)
    whole = run(given, ids, HOWS[rule])

    cached = [rotate(given[1, :N], position_ids(prompt, rule=rule), **HOWS[rule])]
    offset, steps = decode_offset(prompt, rule=rule), []
    for n in range(N, tokens):
        place = np.full((len(ids), 1), n + offset)
        query, key = rotate((given[0, n : n + 1], given[1, n : n + 1]), place, **HOWS[rule])
        cached.append(key)
        steps.append(attention(query, np.concatenate(cached), given[2, : n + 1], np.ones((1, n + 1), bool)))
    np.testing.assert_allclose(np.concatenate(steps), whole[N:], atol=1e-9)

    neighbour = offset - 3  # the offset of another request
    query = rotate(given[0, N : N + 1], np.full((len(ids), 1), N + neighbour), **HOWS[rule])
    keys = np.concatenate(cached)[: N + 1]
    assert np.abs(attention(query, keys, given[2, : N + 1], np.ones((1, N + 1), bool)) - whole[N]).max() > 1e-4


@pytest.mark.parametrize("rule", HOWS)
def test_prefill_in_chunks_equals_the_whole(rng, rule):
    ids = position_ids(drawn(rule, rng, 4), rule=rule)
    tokens = ids.shape[1]
    given = vectors(rng, tokens)
    whole, keys, rows = run(given, ids, HOWS[rule]), [], []
    for start in range(0, tokens, 5):
        stop = min(start + 5, tokens)
        query, key = rotate((given[0, start:stop], given[1, start:stop]), ids[:, start:stop], **HOWS[rule])
        keys.append(key)
        mask = np.tri(tokens, dtype=bool)[start:stop, :stop]
        rows.append(attention(query, np.concatenate(keys), given[2, :stop], mask))
    np.testing.assert_allclose(np.concatenate(rows), whole, atol=1e-12)

    wrong = rotate(given[0, 5:10], ids[:, :5], **HOWS[rule])  # the slice of the first chunk, used again
    mask = np.tri(tokens, dtype=bool)[5:10, :10]
    assert np.abs(attention(wrong, np.concatenate(keys)[:10], given[2, :10], mask) - whole[5:10]).max() > 1e-4


@pytest.mark.parametrize("rule", HOWS)
def test_packed_and_padded_equal_each_document_alone(rng, rule):
    documents = [position_ids(drawn(rule, rng, count), rule=rule) for count in (1, 3, 2)]
    given = [vectors(rng, ids.shape[1]) for ids in documents]
    alone = [run(one, ids, HOWS[rule]) for one, ids in zip(given, documents)]
    lengths = [ids.shape[1] for ids in documents]

    number = np.repeat(np.arange(3), lengths)
    mask = np.tri(sum(lengths), dtype=bool) & (number[:, None] == number)
    packed = run(np.concatenate(given, axis=1), np.concatenate(documents, axis=1), HOWS[rule], mask)
    np.testing.assert_allclose(packed, np.concatenate(alone), atol=1e-12)

    longest = max(lengths)
    for one, ids, said in zip(given, documents, alone):  # padded on the left, with vectors that mean nothing
        room = longest - ids.shape[1]
        padded = np.concatenate([rng.standard_normal((3, room, 128)), one], axis=1)
        places = np.concatenate([np.zeros((len(ids), room)), ids], axis=1)
        mask = np.tri(longest, dtype=bool) & ((np.arange(longest) >= room) | np.eye(longest, dtype=bool))
        np.testing.assert_allclose(run(padded, places, HOWS[rule], mask)[room:], said, atol=1e-12)


@pytest.mark.parametrize("rule", HOWS)
def test_a_document_that_does_not_start_at_zero_scores_alike(rng, rule):
    """All axes moved by the same: rotary positions see differences. Moving one axis alone is another picture."""
    ids = position_ids(drawn(rule, rng, 3), rule=rule)
    given = vectors(rng, ids.shape[1])
    whole = run(given, ids, HOWS[rule])
    np.testing.assert_allclose(run(given, ids + 1000, HOWS[rule]), whole, atol=1e-9)
    line = np.tile(np.arange(ids.shape[1]), (len(ids), 1))  # packed with plain counts: the grid is gone
    assert np.abs(run(given, line, HOWS[rule]) - whole).max() > 1e-4


# Segments of a sequence that was interleaved


def sequence(tokens, spans):
    return types.SimpleNamespace(ids=np.zeros(tokens, int), spans=np.array(spans, int).reshape(-1, 2))


def test_segments_of_a_sequence():
    grids = [(1, 2, 3), None, [2, 1, 2, 2.5], 0.5]
    found = segments_of(sequence(20, [[1, 7], [8, 10], [10, 14], [15, 18]]), grids)
    assert found == [
        Text(1), Vision(1, 2, 3), Text(1), Audio(2), Vision(2, 1, 2, 2.5), Text(1), Audio(3, 0.5), Text(2),
    ]  # fmt: skip
    assert position_ids(found, rule="qwen2.5-vl").shape == (3, 20)
    assert segments_of(sequence(3, []), []) == [Text(3)] and segments_of(sequence(0, []), []) == []


@pytest.mark.parametrize(
    ("tokens", "spans", "grids", "says"),
    [
        (9, [[1, 7]], [], "0 grids for 1 spans"),
        (9, [[1, 7]], [(1, 2, 4)], r"span 0 has 6 tokens and its grid 1x2x4 = 8 \(is it the grid after the merge"),
        (9, [[1, 7]], [(2, 3)], r"grid 0 is \(2, 3\); expected \(t, h, w\)"),
        (9, [[4, 7], [1, 3]], [None, None], r"span 1 is \[1, 3\); expected it after 7"),
        (9, [[4, 10]], [None], r"span 0 is \[4, 10\); expected it after 0 and within 9"),
        (9, [[4, 4]], [None], r"span 0 is \[4, 4\)"),
    ],
)
def test_segments_that_do_not_fit(tokens, spans, grids, says):
    with pytest.raises(ValueError, match=says):
        segments_of(sequence(tokens, spans), grids)


# What is refused

FILM, SOUND = Vision(2, 1, 1), Audio(3)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: position_ids([Text(1)], rule="qwen9"), "unknown rule 'qwen9'; the catalog has qwen2-vl"),
        (lambda: position_ids([Text(1)], resume="sometime"), "resume is 'sometime'; qwen2-vl has 'after-max', 'spatial'"),
        (lambda: position_ids([Text(1)], rule="hope", resume="spatial"), "hope has 'after-max'"),
        (lambda: position_ids([Text(-1)]), r"Text\(-1\): expected 0 or more tokens"),
        (lambda: position_ids([Audio(0)]), r"Audio\(0\): expected 1 or more tokens"),
        (lambda: position_ids([Vision(0, 2, 2)]), r"Vision\(0, 2, 2\): at least one frame, one row and one column"),
        (lambda: position_ids([Vision(1, 2, -2)]), r"Vision\(1, 2, -2\)"),
        (lambda: position_ids([Vision(3, 2, 2, 2.0)]), r"qwen2-vl: a film's step is 2; it counts frames"),
        (lambda: position_ids([Vision(3, 2, 2, -1)], rule="qwen2.5-vl"), "step of Vision is -1; expected a finite number"),
        (lambda: position_ids([Vision(1, 2, 2, np.nan)], rule="qwen2.5-vl"), "step of Vision is nan"),
        (lambda: position_ids([Vision(1, 2, 2, np.inf)], rule="qwen2.5-vl"), "step of Vision is inf"),
        (lambda: position_ids([Vision(9, 2, 2, 1e300)], rule="qwen2.5-vl"), r"step of Vision is 1e\+300"),
        (lambda: position_ids([Audio(3, -0.5)]), "step of Audio is -0.5"),
        (lambda: position_ids([Vision(3, 2, 2)], rule="qwen3-vl"), "qwen3-vl: a film of 3 frames in one piece; every frame"),
        (lambda: position_ids([Woven((FILM, SOUND))]), "'chunks'; qwen2-vl has no woven films"),
        (lambda: position_ids([Woven((FILM, SOUND))], rule="qwen3-omni"), "'chunks'; qwen3-omni weaves with 'merge'"),
        (lambda: position_ids([Text(MAX_TOKENS + 1)]), "268435457 tokens; at most 268435456"),
        (lambda: position_ids([Text(MAX_TOKENS // 2)] * 3), "402653184 tokens; at most 268435456"),
        (lambda: position_ids([Vision(10**5, 10**5, 10**5)]), "1000000000000000 tokens"),
    ],
)  # fmt: skip
def test_values_that_are_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: position_ids(Text(3)), r"segments is Text\(n=3\); expected a list"),
        (lambda: position_ids(3), "segments is 3; expected a list"),
        (lambda: position_ids([(1, 2, 3)]), r"segment 0 is \(1, 2, 3\); expected Text, Vision, Audio or Woven"),
        (lambda: position_ids([Text(2.0)]), "the tokens of Text is 2.0; expected a whole number"),
        (lambda: position_ids([Text(True)]), r"Text\(True\): expected a number of tokens"),
        (lambda: position_ids([Text(None)]), "the tokens of Text is None"),
        (lambda: position_ids([Text([3])]), r"segment 0 is Text\(n=\[3\]\); expected numbers"),
        (lambda: position_ids([Vision(1, True, 2)]), r"Vision\(1, True, 2\): expected numbers"),
        (lambda: position_ids([Vision(1, 2.5, 2)]), "h is 2.5; expected a whole number"),
        (lambda: position_ids([Vision(1, 2, 2, "2")], rule="qwen2.5-vl"), "step of Vision is '2'; expected a number of ids"),
        (lambda: position_ids([Vision(1, 2, 2, True)], rule="qwen2.5-vl"), "step of Vision is True"),
        (lambda: position_ids([Woven((SOUND, FILM))], rule="qwen2.5-omni"), "a woven film's parts are"),
        (lambda: position_ids([Woven(FILM)], rule="qwen2.5-omni"), "a woven film's parts are"),
    ],
)  # fmt: skip
def test_kinds_that_are_refused(call, says):
    with pytest.raises(TypeError, match=says):
        call()
