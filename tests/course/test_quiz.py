"""The book's questions: every answer is computed, every known mistake is recognised, a malformed file is named."""

import html
import json
import re
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from mmtokedu import compress, interleave, measured, mrope, patches, rvq, samples, video, vq
from mmtokedu.catalog import codecs, listeners
from mmtokedu.course import quiz

pytestmark = pytest.mark.apart

ROOT = Path(__file__).parents[2]
QUESTIONS = [question for stem in quiz.stems() for question in quiz.load(stem)]
named = lambda question: f"{question.stem}-{question.id}"


def one(stem, name):
    return next(question for question in quiz.load(stem) if question.id == name)


# the questions that stand


@pytest.mark.parametrize("question", QUESTIONS, ids=named)
def test_every_drawing_can_be_asked_and_every_mistake_is_another_number(question):
    for parameters in quiz.drawings(question):
        asked = quiz.filled(question, parameters)
        assert asked.reply(asked.answer)[0]
        for number, cause in asked.wrong:
            assert asked.reply(number) == (False, cause)
        assert not {"{", "}"} & set("".join([asked.text, asked.hint, *map(str, asked.wrong + asked.options)]))


@pytest.mark.parametrize(
    ("stem", "name", "answer", "mistakes"),
    [  # worked by hand
        ("patches", "rows", 16 * 16, [16, 224 * 16, 1]),
        ("patches", "numbers-in-a-row", 32 * 32 * 3, [1024, 96]),
        ("patches", "pairs", 16, [2, 4, 8]),
        ("patches", "native-size", 26 * 46, [52 * 92, 25 * 45, 1176]),
        ("patches", "visual-tokens", 16 * 16, [32 * 32, 512]),
        ("patches", "letter", 14 * 336 / 2340, [14, 14 * (336 / 2340) ** 2]),
        ("patches", "coordinates", 480, [322, 322 * 1288 / 1920]),
        ("patches", "fixed-square", 24 * 24, [256, 2691]),
        ("patches", "tiles", (4 * 2 + 1) * 256, [8 * 256, 9 * 1024, 3 * 5 * 256]),
        ("patches", "padding", 3 * 1024 - 1344, [3072, 1344, 960]),
        ("attention", "may-attend", 6 + 5 + 4 + 3 + 2 + 1, [36, 15]),
        ("attention", "table-draws-level", 1536, [3072, 512, 1024]),
        ("attention", "spread", 8, [64]),
        ("attention", "scores", 256 * 256, [256, 16, 256 * 257 // 2]),
        ("subword-tokens", "bytes", 1 + 1 + 2 + 2 + 1, [5, 10]),
        ("subword-tokens", "entries", 556, [300, 812]),
        ("subword-tokens", "digits", 5, [4, 1]),
        ("video", "frames", 14, [15, 16, 7, 225]),
        ("video", "tokens", 10 * 20 * 36, [14_400, 720, 28_800]),
        ("video", "header", 3, [131, 0, 1]),
        ("interleave", "run", 10 * 15 + 5 * 10 + 4 + 12, [212, 214, 18, 816]),
        ("interleave", "sees", 4 + 6, [5, 6, 4 + 6 + 9, 4 + 6 + 9 + 5]),
        ("interleave", "learned", 10 + 2 + 12 + 2, [22, 32, 14, 43]),
        ("interleave", "mismatch", 35 + 576 - 512, [512 - 35, 576, 35 + 576 + 40 - 512]),
        ("interleave", "twice", 63 + 64, [128, 4096, 64]),
        ("interleave", "cross", 57_600, [676 * 677 // 2, 5050, 676**2]),
        ("interleave", "packing", 12 + 81, [8 + 64 + 12 + 81, 92, 81]),
        ("mrope", "below", 12, [6, 1, 8, 24]),
        ("mrope", "axis", 6, [16, 5, 24]),
        ("mrope", "resume", 4 + 9, [4 + 54, 12, 5, 4 + 15]),
        ("mrope", "inside", 12 - 7, [0, 7, 4, 12]),
        ("mrope", "rate", 8, [4, 1]),
        ("mrope", "first-new", 6 + 16 + 8, [6 + 12 * 16 + 8, 29, 16 - 12 * 16]),
        ("mrope", "distinct", 9, [12, 8]),
        ("mrope", "packed", 7, [5 + 6 + 7, 5 + 24 + 7, 0]),
        ("compress", "renumbered", 1, [5, 10, 2]),
        ("compress", "fastv", (2 * 576 + 30 * 144) / 32, [144, 360, 549]),
        ("compress", "weights", 3, [4, 5, 12]),
        ("compress", "fold", 15, [17, 20, 5]),
        ("compress", "first-layer", 1, [4, 0.25]),
        ("compress", "page", 256, [120, 100, 400]),
        ("compress", "table", 32 * 4096 * 4096 * 2 / 1024**2, [0.25, 32]),
        ("vq", "memory", 128, [2, 256]),
        ("vq", "picture-bits", 64 * 64 * 9, [4096, 64 * 64 * 512, 512 * 512 * 9, 512 * 64 * 9]),
        ("vq", "gradient", 40, [1024, 256, 984]),
        ("vq", "levels", 8 * 5 * 5 * 5, [23, 4096, 10]),
        ("vq", "id", 50_000 + 2 + 7, [50_007, 7, 50_010]),
        ("rvq", "frames", 101, [100, 50, 16_000]),
        ("rvq", "question", 272 * 8, [272, 271 * 8, 21_760]),
        ("rvq", "rows", 53, [50, 200, 54]),
        ("rvq", "first-heard", 20 + 5 + 7 * 20, [25, 160, 145, 185]),
        ("rvq", "bitrate", 6000, [75 * 8 * 1024, 75 * 13, 750, 600]),
        ("rvq", "windows", 3 * 375, [763, 375, 750]),
        ("rvq", "rate", 250, [125, 63]),
        ("vision-transformer", "pairs", 4 * 4, [4, 2]),
        ("vision-transformer", "rows-out", 24 * 24 + 1, [576, 25]),
    ],
)
def test_the_pages_own_numbers_are_those_worked_by_hand(stem, name, answer, mistakes):
    asked = quiz.draw(one(stem, name))
    assert asked.answer == answer
    assert [number for number, _ in asked.wrong] == mistakes


def test_the_larger_share_is_worked_by_hand():
    asked = quiz.draw(one("attention", "larger-share"))
    assert asked.answer == pytest.approx(100 * 2.71828 / 3.71828, abs=1e-3) and asked.said == "73 %"
    assert [asked.write(number) for number, _ in asked.wrong] == ["27 %", "37 %"]
    assert asked.reply(72.5)[0] and not asked.reply(71.9)[0]
    assert asked.reply(73) == (True, "e to the power of 1, divided by itself plus 1.")


def test_the_spread_of_dot_products_is_the_number_that_scores_are_divided_by():
    for d in one("attention", "spread").given["d"]:
        q, k = np.random.default_rng(d).normal(size=(2, 20_000, d))
        assert (q * k).sum(axis=1).std() == pytest.approx(d**0.5, rel=0.03)


def test_a_mask_after_the_softmax_lets_later_tokens_be_felt_and_rows_sum_to_less():
    rng = np.random.default_rng(0)
    x, mask = rng.normal(size=(6, 4)), np.tril(np.ones((6, 6)))

    def masked_too_late(x):
        weights = np.exp(x @ x.T)
        weights = weights / weights.sum(axis=1, keepdims=True) * mask
        return weights.sum(axis=1), weights @ x

    sums, outputs = masked_too_late(x)
    changed = x.copy()
    changed[-1] += 1
    assert (sums[:-1] < 1).all() and not np.allclose(masked_too_late(changed)[1][:-1], outputs[:-1])
    asked = quiz.draw(one("attention", "late-mask"))
    assert asked.options[asked.answer][0] == "Outputs are too small, and depend on later tokens."


@pytest.mark.parametrize(
    ("stem", "name", "said", "mistakes"),
    [  # worked by hand: 900 / 406 words; 8192 / 1.21; ln of 2 to the 15; 20,971,520 of 7,062,605,824 weights;
        # (299 - 262) / 30; 320 * 576 of 448 * 832; (94 + 110) / 60; 6 of 15 frames; 3600 * 70 of 9000 * 1.21; 3600 / 1000;
        # 16 * 15 * 14 of 64 * 63 * 62 draws, 48 * 47 * 46 without; one key of three, three of five;
        # (36 + 2) / (3.6 + 0.1); half of 10; log 0.1 / log 0.99; 4 - 1.5
        ("subword-tokens", "invoice", "222 tokens", ["125 tokens"]),
        ("subword-tokens", "window", "6,770 words", ["9,912 words", "8,192 words"]),
        ("vision-transformer", "start", "10.4", ["0", "15.0", "1.1"]),
        ("vision-transformer", "share", "0.30 %", ["4.29 %", "0.06 %"]),
        ("mrope", "offset", "0.50", ["-1.00", "-0.50", "1"]),
        ("compress", "all-three", "1.3 of 100", ["25.0 of 100", "75.0 of 100", "58.5 of 100"]),
        ("compress", "share", "33.3 %", ["60.0 %", "20.0 %"]),
        ("video", "unseen", "1.23 s", ["0 s", "8.73 s", "0.62 s"]),
        ("video", "cap", "49 %", ["100 %", "71 %", "25 %"]),
        ("video", "label", "3.4 seconds", ["3.1 seconds", "3.7 seconds", "4.2 seconds"]),
        ("video", "caught", "40 %", ["100 %", "20 %", "60 %"]),
        ("video", "transcript", "23.1 times", ["28.0 times", "0.4 times"]),
        ("video", "clock", "3.6 s", ["36.0 s", "107.9 s", "0 s"]),
        ("vq", "follow", "10.27", ["11.00", "12.00", "9.50", "16.92"]),
        ("vq", "between", "5.00", ["0", "10.00"]),
        ("vq", "dead", "230 steps", ["90 steps", "100 steps"]),
        ("rvq", "stages", "2.50", ["4.00", "-1.50", "5.00"]),
    ],
)
def test_the_pages_own_measures_are_those_worked_by_hand(stem, name, said, mistakes):
    asked = quiz.draw(one(stem, name))
    assert asked.said == said and [asked.write(number) for number, _ in asked.wrong] == mistakes


def test_the_rate_of_plain_prose_in_a_question_is_the_measured_one():
    (page,) = [row for row in measured.results("subword")["texts"] if row["name"] == "page"]
    assert one("subword-tokens", "window").given["rate"] == (round(100 * page["tokens"]["tekken"] / page["words"]),)


def test_what_the_questions_on_video_say_holds():
    assert one("video", "transcript").given["rate"] == one("subword-tokens", "window").given["rate"]
    sampled = video.sample_frames(300, 30).reshape(-1, 2).tolist()
    assert all(pair in sampled for pair in one("video", "label").given["pair"])
    for asked in map(partial(quiz.filled, one("video", "cap")), quiz.drawings(one("video", "cap"))):
        assert asked.reply(100 / int(re.search(r"(\d) times as long", asked.text)[1]))[0]  # without whole cells
    for asked in map(partial(quiz.filled, one("video", "caught")), quiz.drawings(one("video", "caught"))):
        duration, rate = re.search(r"for ([\d.]+) s .* (\d) frames", asked.text).groups()
        assert asked.reply(100 * float(duration) * int(rate))[0]  # the formula of the page


def test_the_one_rule_that_sees_the_last_frame_is_the_right_option():
    rules = {"transformers-qwen2": "285", "internvl": "292", "qwen-vl-utils": "299"}
    asked = quiz.draw(one("video", "last-frame"))
    for (rule, last), (_, says) in zip(rules.items(), asked.options, strict=True):
        assert str(video.sample_frames(300, 30, frames=20, rule=rule)[-1]) == last and last in says
    assert "qwen-vl-utils" in asked.said


def test_labels_of_a_rate_that_was_not_passed_on_are_a_quarter_of_the_time():
    every_two_seconds = range(0, 120 * 30, 60)
    true, told = video.timestamps(every_two_seconds, 30), video.timestamps(range(60), 2)
    assert set(np.diff(true)) == {4} and set(np.diff(told)) == {1}
    assert told[np.searchsorted(true, 90) - 1] == pytest.approx(22, abs=0.5)


def test_random_choices_keep_all_three_digits_as_seldom_as_the_question_says():
    for asked in map(partial(quiz.filled, one("compress", "all-three")), quiz.drawings(one("compress", "all-three"))):
        keep = int(re.search(r"(\d+) of the 64", asked.text)[1])
        scores = np.random.default_rng(keep).random((40_000, 64))
        kept = compress.prune(np.zeros((40_000, 64, 1), np.int8), scores, keep).index
        assert 100 * (kept[:, :3] == [0, 1, 2]).all(axis=1).mean() == pytest.approx(asked.answer, abs=0.25)


def fewer_shares(kind, **wanted):
    """Of each reader, the share of right answers with fewer tokens: the one way that is told so."""
    rows = [row for row in measured.results("compress")["free"]["tags"] if wanted.items() <= row.items()]
    (row,) = [row for row in rows if set(row) - set(wanted) <= {"tokens", "right"}]
    return np.array(row["right"][kind])


def test_what_the_questions_say_of_readers_with_fewer_tokens_was_measured():
    digits, counts = (fewer_shares(kind, way="full", keep=64) for kind in ("digit", "count"))
    assert len(digits) >= 2 and (abs(digits - 0.98) < 0.01).all()
    nothing = {"way": "nothing", "keep": 0, "after": 1}
    assert (abs(fewer_shares("digit", **nothing) - digits) < 0.01).all()
    assert (counts - fewer_shares("count", **nothing) > 0.1).all()
    assert (fewer_shares("digit", way="blind", keep=0) < 0.12).all()
    merged = {"way": "tome", "keep": 16, "projector": "after"}
    assert (abs(fewer_shares("digit", sizes=False, **merged) - digits) < 0.01).all()
    assert (counts - fewer_shares("count", sizes=False, **merged) > 0.25).all()
    assert (fewer_shares("count", sizes=True, **merged) > 0.95).all()
    assert right_option("nothing-left", "compress")[0] == "As many as before."
    assert right_option("sizes", "compress")[0] == "Nearly all are right again."


def test_shuffled_tokens_change_nothing_that_a_resampler_brings_back():
    torch = pytest.importorskip("torch")
    from mmtokedu.nn.adapters import QueryResampler

    torch.manual_seed(0)
    resampler, tokens = QueryResampler(16, 8, queries=4), torch.randn(2, 25, 16)
    with torch.no_grad():
        asked, again = resampler(tokens), resampler(tokens[:, torch.randperm(25)])
        other = resampler(torch.randn(2, 25, 16))
    torch.testing.assert_close(asked, again)
    assert (asked - other).abs().max() > 0.01 and right_option("shuffled", "compress")[0] == "Nothing."


def right_option(name, stem="interleave"):
    asked = quiz.draw(one(stem, name))
    return asked.options[asked.answer]


def interleave_rows(part, **wanted):
    rows = [row for row in measured.results("interleave")["rows"] if row["part"] == part]
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def scores(row, pictures, way=None):
    """What a run answers in documents of so many pictures, asked as it was trained or another way."""
    asked = row["asked"] if way is None else [rows for rows in row["asked"] if rows["asked"] == way]
    return next(scored for scored in asked[0]["rows"] if scored["pictures"] == pictures)


def test_what_the_questions_say_of_separators_and_embeddings_was_measured():
    runs = {arm: interleave_rows("codes", arm=arm) for arm in ("modality", "separators")}
    assert all(len(rows) >= 3 for rows in runs.values())
    for row in runs["modality"]:
        two = scores(row, 2)
        assert two["kind"] > 0.99 and two["first"][1] < 0.5
    assert "words, or in a picture" in right_option("fused")[0]
    assert all(scores(row, n)["kind"] > 0.99 for row in runs["modality"] for n in (1, 2, 3))
    assert all(abs(scores(row, 3)["kind"] - 0.5) < 0.02 for row in runs["separators"])
    text, says = right_option("kind")
    for arm in ("nothing", "modality", "separators", "both"):
        kinds = [scores(row, 3)["kind"] for row in interleave_rows("vectors", arm=arm)]
        assert max(kinds) - min(kinds) > 0.2
    steps = [f"{rows[0]['steps']:,}" for rows in runs.values()]
    order = [f"{row['steps']:,}" for row in interleave_rows("order")][:1]
    assert "sooner" in text and re.findall(r"[\d,]*\d{3}", says) == steps + order


def test_what_the_questions_say_of_order_was_measured():
    def first(order, way):
        shares = [np.mean(scores(row, 2, f"{way} first")["first"]) for row in interleave_rows("order", order=order)]
        assert len(shares) == 3
        return [100 * share for share in shares]

    own, other, reverse = first("picture", "picture"), first("picture", "question"), first("question", "picture")
    both = first("both", "picture") + first("both", "question")
    right, nothing, hardly = (says for _, says in quiz.draw(one("interleave", "order")).options)
    assert right_option("order")[1] == right and min(own) > 99
    *most, worst = sorted(other, reverse=True)
    assert min(most) > 99 and f"two answer over 99 % and one {worst:.0f} %" in right and min(both) > 99
    lost = max(before - after for before, after in zip(own, other))
    assert f"takes {lost:.0f} of 100" in nothing and "more than 40" in nothing and max(reverse) < 60
    assert all(f"between {min(reverse):.0f} % and {max(reverse):.0f} %" in says for says in (right, hardly))


def test_no_run_ever_counts_four_and_states_of_pictures_that_come_first_do_not_move():
    rows = measured.results("interleave")["rows"]
    three = [row for row in rows if row["upto"] == 3]
    assert len(three) > 30 and all(scores(row, 4, way["asked"])["count"] == 0 for row in three for way in row["asked"])
    assert all(scores(row, 3)["count"] == 1 for row in interleave_rows("codes", arm="separators"))
    assert right_option("beyond")[0] == "Never."
    moved = {order: [] for order in ("picture", "question")}
    for row in interleave_rows("order"):
        for states in row["states"]:
            moved[states["order"]].append(100 * states["relative"])
    assert set(moved["picture"]) == {0} and "exactly 0" in right_option("cached")[1]
    asked = quiz.draw(one("interleave", "cached"))
    assert f"{min(moved['question']):.0f} to {max(moved['question']):.0f} %" in asked.options[0][1]


def test_a_typed_placeholder_stands_first_and_a_picture_of_llava_has_576_tokens():
    typed, written = "What does <image> mean in a prompt?", "<image>"
    assert re.search("<image>", typed + written).start() < len(typed)
    with pytest.raises(ValueError, match=r"2 placeholders of images .*, 1 images given"):
        interleave.read_prompt(typed + written, [interleave.Image(480, 640)], style="llava-1.5")
    parts = [interleave.Text(typed), interleave.Image(480, 640)]
    assert interleave.interleave(parts, style="llava-1.5").spans.tolist() == [[len(typed), len(typed) + 576]]
    assert len("<image>") == 7 and "seven characters" in quiz.draw(one("interleave", "typed")).options[0][1]


def test_what_the_choices_on_positions_say_holds():
    t, h, w = mrope.position_ids([mrope.Text(3), mrope.Vision(1, 4, 4), mrope.Text(2)])
    picture = np.arange(16).reshape(4, 4)
    seen = np.empty_like(picture)
    seen[w[3:19] - 3, h[3:19] - 3] = picture.ravel()  # each token where its numbers, swapped, put it
    np.testing.assert_array_equal(seen, picture.T)
    assert right_option("swap", "mrope")[0] == "Mirrored along its diagonal."
    words = [*range(3), *range(19, 21)]
    np.testing.assert_array_equal(h[words], w[words])
    np.testing.assert_array_equal(mrope.position_ids([mrope.Text(9)]), np.tile(np.arange(9), (3, 1)))
    assert "three rows" in right_option("silent", "mrope")[0]
    other, alone = mrope.decode_offset([mrope.Text(3), mrope.Vision(1, 4, 4)]), mrope.decode_offset([mrope.Text(9)])
    assert other < alone == 0 and "offset" in right_option("earlier", "mrope")[0]


def grey_patches():
    """The portrait of the chapter on codebooks as patches of 8 x 8, (4096, 64), from -1 to 1."""
    grey = samples.photo("astronaut").mean(axis=-1, keepdims=True)
    return (patches.patchify(grey, 8) / 127.5 - 1).astype(np.float32)


def test_a_codebook_that_starts_far_away_uses_no_more_codes_after_twice_the_steps():
    rows, draw = grey_patches(), np.random.default_rng(0)
    state, used = vq.ema_state(draw.standard_normal((512, 64), np.float32)), []
    draw.uniform(-1, 1, (512, 64))  # the page's other start
    for step in range(1, 601):
        batch = rows[draw.integers(0, len(rows), 512)]
        state = vq.ema_update(state, batch, vq.nearest_code(batch, state.embed), decay=0.99)
        if step in (300, 600):
            used.append(vq.codebook_usage(vq.nearest_code(rows, state.embed), 512).used)
    assert used == [3, 3] and "three of them" in one("vq", "longer").text
    assert right_option("longer", "vq")[0] == "About as few."


def test_of_all_answers_to_many_patches_the_mean_costs_least():
    hair = grey_patches()[:200]
    cost = lambda answer: ((hair - answer) ** 2).mean()
    noisy = hair.mean(axis=0) + np.random.default_rng(0).normal(0, hair.std(), 64)
    assert cost(hair.mean(axis=0)) < min(cost(noisy), *map(cost, hair))
    assert right_option("sharp", "vq")[0].startswith("Their mean")


def test_without_straight_through_the_encoder_hears_the_commitment_alone():
    vectors, codebook = np.array([[1.0], [2.0]]), np.array([[0.0], [9.0]])
    found = [vq.vq_gradients(vectors, codebook, np.array([0, 0]), np.full((2, 1), task)) for task in (0.0, 5.0)]
    (alone, to_codes), (both, with_task) = found
    np.testing.assert_allclose(alone, 0.25 * vectors)  # beta * 2 * (z - 0) / 2 numbers: to its code and nothing else
    np.testing.assert_allclose(both - alone, 5.0)  # what is lost
    np.testing.assert_array_equal(to_codes, with_task)
    assert to_codes[0, 0] < 0 and "Decoder and codebook" in right_option("missing", "vq")[0]


def test_what_the_questions_say_of_usage_and_of_likelihood_was_measured():
    rows = {row["variant"]: row for row in measured.results("vq")["encoder"]["rows"]}
    every, late, plain = (rows[name] for name in ("EMA + restarts", "k-means late", "plain"))
    asked = one("vq", "quality")
    assert f"{every['used']['mean']:.0f} of its codes, the other {late['used']['mean']:.0f}" in asked.text
    assert late["psnr"]["mean"] > every["psnr"]["mean"] + 1 and every["psnr"]["low"] > plain["psnr"]["high"]
    assert round(plain["used"]["mean"]) == 16 and right_option("quality", "vq")[0] == "The counts do not say."
    made = {row["tokenizer"]: row for row in measured.results("vq_generation")["rows"]}
    bits = {name: f"{row['bits']['mean']:.0f}" for name, row in made.items()}
    fewest, *_, most = sorted(made, key=lambda name: made[name]["bits"]["mean"])
    assert (fewest, most) == ("collapsed", "healthy")
    assert f"{bits[fewest]} bits a picture, with the second {bits[most]}" in one("vq", "likelihood").text
    assert (
        f"FSQ, with {bits['fsq']} bits, wrote no worse ones than the one with {bits['healthy']}"
        in quiz.draw(one("vq", "likelihood")).options[1][1]
    )
    assert made["fsq"]["samples"]["both"]["mean"] > made["healthy"]["samples"]["both"]["mean"]
    right = {name: row["samples"]["both"] for name, row in made.items()}
    assert right.pop("collapsed")["high"] < min(row["low"] for row in right.values())


def test_what_the_question_says_of_two_measures_was_measured():
    found = measured.results("rvq")
    of = lambda rows, **wanted: [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    means = of(found["kmeans"]["rows"], split="new_voice", hop=160, restarts=True)
    short = of(found["codec"]["rows"], split="new_voice", arm="live")
    (means,), (one_book,), (eight,) = of(means, Q=8), of(short, Q=1), of(short, Q=8)
    assert means["snr"]["low"] > eight["snr"]["high"] and 0.4 < means["snr"]["mean"] - eight["snr"]["mean"] < 0.7
    assert eight["log_mel"]["high"] < means["log_mel"]["low"] - 1
    assert abs(one_book["log_mel"]["mean"] - eight["log_mel"]["mean"]) < 0.1
    assert right_option("measures", "rvq")[0] == "The two numbers do not say."


def test_the_questions_on_sound_speak_of_the_books_request_and_of_the_systems_in_the_catalog():
    recording = samples.question()
    assert one("rvq", "question").given["seconds"][0] == round(len(recording.sound) / recording.rate, 3)
    assert 24_000 / codecs.row("encodec-24k").hop == 75 and codecs.row("encodec-24k").default == 8
    assert codecs.row("mimi").sample_rate / codecs.row("mimi").hop == 12.5
    window = one("rvq", "windows").given
    rule = listeners.row("voxtral").parameters
    assert (window["window"], window["per_window"]) == ((rule["window"] // 16_000,), (rule["per_window"],))


def test_stages_that_are_left_out_are_not_in_the_sound():
    books = np.random.default_rng(0).normal(size=(8, 16, 4))
    codes = rvq.rvq_encode_plain(np.random.default_rng(1).normal(size=(5, 4)), books)
    changed = books.copy()
    changed[3:] += 1
    np.testing.assert_array_equal(rvq.rvq_decode(codes[:, :3], books), rvq.rvq_decode(codes[:, :3], changed))
    assert right_option("dropped", "rvq")[0] == "The first three."


def test_a_page_with_a_hyphen_has_its_functions_in_a_module_without(file, tmp_path):
    file(NUMBER | {"answer": '"lettres"', "given": '{word = "a"}', "text": '"{word}?"', "wrong": "[]"})
    shutil.move(tmp_path / "patches.toml", tmp_path / "subword-tokens.toml")
    with pytest.raises(
        ValueError, match=r"^subword-tokens.toml, question .*'lettres' is no function of subword_tokens\.py$"
    ):
        quiz.load("subword-tokens")


def test_a_sum_added_to_all_scores_changes_no_weight():
    scores = np.array([8.82, 4.8, 7.8])
    weights = lambda scores: np.exp(scores) / np.exp(scores).sum()
    np.testing.assert_allclose(weights(scores + 100), weights(scores))
    asked = quiz.draw(one("attention", "add-100"))
    assert asked.options[asked.answer][0] == "Nothing."


def test_what_a_text_says_of_its_numbers_holds():
    for size in one("patches", "tiles").given["size"]:
        assert patches.tile_grid(*size) == (4, 2)


def test_the_right_resize_is_the_one_that_was_measured_best():
    rows = [r for r in measured.results("patches")["ocr"]["rows"] if r["budget"] == 576]
    for page in ("page", "worn page"):
        errors = {r["way"]: r["rapidocr"]["mean"] for r in rows if r["page"] == page}
        assert errors["aspect"] < errors["square"] < errors["tiles"]
    tokens = {r["way"]: r["tokens"] for r in rows if r["page"] == "page"}
    assert tokens == {"square": 576, "aspect": 560, "tiles": 256}
    asked = quiz.draw(one("patches", "resize"))
    assert asked.options[asked.answer][0] == "The shape kept."


def test_an_answer_that_is_none_of_the_known_ones_gets_the_hint():
    asked = quiz.draw(one("patches", "rows"))
    assert asked.reply(257) == (False, asked.hint)


def test_shuffled_words_are_shuffled_outputs():
    rng = np.random.default_rng(0)
    x, order = rng.normal(size=(6, 4)), rng.permutation(6)

    def attention(x):
        weights = np.exp(x @ x.T)
        return weights / weights.sum(axis=1, keepdims=True) @ x

    np.testing.assert_allclose(attention(x[order]), attention(x)[order])
    asked = quiz.draw(one("attention", "shuffle"))
    assert "same way" in asked.options[asked.answer][0]


@pytest.mark.parametrize("stem", quiz.stems())
def test_a_question_stands_under_a_heading_of_its_page(stem):
    places = "notebooks", "notebooks/draft", "book/primer"
    pages = [path.read_text(encoding="utf-8") for place in places for path in ROOT.glob(f"{place}/{stem}.ipynb")]
    headings = re.findall(r"^\s*\"#+ (.*?)(?:\\n)?\",?$", "\n".join(pages), re.MULTILINE)
    if stem == "selftest":  # the primer's first page, which is no notebook
        headings = re.findall("^#+ (.*)$", (ROOT / "book/primer/index.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert {question.section for question in quiz.load(stem)} <= set(headings)


@pytest.mark.parametrize("stem", [stem for stem in quiz.stems() if (ROOT / f"notebooks/{stem}.ipynb").is_file()])
def test_a_chapter_asks_each_of_its_predicts_once_and_its_quiz(stem):
    page = (ROOT / f"notebooks/{stem}.ipynb").read_text(encoding="utf-8")
    asked = re.findall(rf'quiz\.ask\(\\"{stem}\\", \\"([a-z0-9-]+)\\"\)', page)
    assert sorted(asked) == sorted(question.id for question in quiz.load(stem) if question.at == "predict")
    assert page.count(f'quiz.ask_all(\\"{stem}\\")') == 1


# seeds


def test_without_a_seed_the_first_values_with_one_the_same_everywhere():
    question = one("patches", "rows")
    assert quiz.draw(question) == quiz.filled(question, {"side": 224, "patch": 14})
    assert [quiz.draw(question, seed).answer for seed in "abcd"] == [1024, 1600, 1024, 1600]
    choice = one("patches", "resize")
    assert all(quiz.draw(choice, seed) == quiz.draw(choice, str(seed)) for seed in range(10))


def test_every_value_can_be_drawn_and_options_are_shuffled():
    question = one("patches", "rows")
    assert {quiz.draw(question, seed).answer for seed in range(40)} == {256, 576, 1024, 1600}
    choices = [quiz.draw(one("patches", "resize"), seed) for seed in range(40)]
    assert {asked.answer for asked in choices} == {0, 1, 2}
    assert len({asked.options[asked.answer] for asked in choices}) == 1


def test_sheets_and_keys_are_printed(capsys):
    quiz.main(["--seed", "May", "patches"])
    sheets, keys = capsys.readouterr().out.split("-" * 72)
    assert "patches: questions (seed May)" in sheets and "attention" not in sheets
    for number, question in enumerate(quiz.load("patches"), 1):
        asked = quiz.draw(question, "May")
        assert f"{number}. {asked.text}" in sheets
        assert all(cause not in sheets and cause in keys for _, cause in asked.wrong)
        right = f"{'abc'[asked.answer]}) " if asked.kind == "choice" else asked.said
        assert f"{number}. {right}" in keys
    quiz.main(["--seed", "June"])
    assert "attention: questions (seed June)" in capsys.readouterr().out


def test_a_page_without_questions_lists_those_that_have():
    with pytest.raises(SystemExit, match="no questions for 'patchs'; there are for attention, .*patches"):
        quiz.main(["--seed", "1", "patchs"])


# what a page shows


def elements(output):
    """The data of the questions in an output, as the page reads them."""
    found = re.findall(r'<mm-explore-ask question="([^"]*)">', output._repr_html_())
    return [json.loads(html.unescape(text)) for text in found]


@pytest.mark.parametrize("question", QUESTIONS, ids=named)
def test_what_the_page_gets_is_what_was_drawn(question):
    asked = quiz.draw(question)
    (given,) = elements(quiz.ask(question.stem, question.id))
    assert given["name"] == f"{asked.stem}/{asked.id}"
    assert (given["text"], given["hint"], given["answer"]) == (asked.text, asked.hint, asked.answer)
    if asked.kind == "choice":
        assert given["options"] == [list(option) for option in asked.options] and "wrong" not in given
    else:
        assert given["wrong"] == [list(wrong) for wrong in asked.wrong] and given["tolerance"] == asked.tolerance
        assert given["said"] == asked.said and given["unit"] == asked.unit


def test_a_quiz_has_the_questions_marked_so_numbered_and_a_predict_stands_alone():
    quizzed = [question.id for question in quiz.load("attention") if question.at == "quiz"]
    shown = elements(quiz.ask_all("attention"))
    assert [given["name"] for given in shown] == [f"attention/{name}" for name in quizzed] and len(quizzed) == 5
    assert [given["label"] for given in shown] == [f"Question {number} of 5" for number in range(1, 6)]
    (alone,) = elements(quiz.ask("attention", "shuffle"))
    assert alone["label"] == "Predict"
    assert (quiz.ask("attention", "shuffle").kind, quiz.ask("attention", "spread").kind) == ("predict", "quiz")


def test_the_plain_text_says_all_and_folds_hint_and_answer():
    text = quiz.ask("patches", "rows")._repr_html_().partition("</mm-explore-ask>")[0]
    assert text.count("<details") == 2
    before, _, folded = text.partition("<details>")
    before = before.partition('">')[2]  # what follows the data
    assert "How many rows does the sequence have?" in before and "________ rows" in before and "256" not in before
    assert "<b>256 rows.</b>" in folded and "<li>16 rows: <i>That is one side of the grid." in folded
    choice = quiz.ask("attention", "shuffle")._repr_html_().partition("</mm-explore-ask>")[0]
    assert "<p>A. Not at all.</p><p>B. They are" in choice and "<b>B. They are shuffled in the same way.</b>" in choice


HOSTILE = """<script>alert(1)</script> & "quoted" 'single' </mm-explore-ask>"""


@pytest.mark.parametrize("form", ["number", "choice"])
def test_every_text_is_escaped(file, form):
    cruel = json.dumps(HOSTILE)
    fields = NUMBER | {"unit": cruel, "why": cruel, "wrong": f'[{{is = "one_side", cause = {cruel}}}]'}
    if form == "choice":
        fields = CHOICE | {
            "options": f"[{{text = {cruel}, says = {cruel}}}, {{text = 'c', says = {cruel}, right = true}}]"
        }
    file(fields | {"text": cruel, "hint": cruel})
    shown = quiz.ask("patches", "n")._repr_html_()
    asks = shown.partition("<script>(globalThis.mmData")[0]
    assert "<script" not in asks and asks.count("</mm-explore-ask>") == 1
    (given,) = elements(quiz.ask("patches", "n"))
    assert given["text"] == given["hint"] == HOSTILE


def test_an_unknown_page_or_question_is_one_clear_error(file):
    with pytest.raises(ValueError, match="^there are no questions for 'atention'; there are for"):
        quiz.ask("atention", "shuffle")
    file(NUMBER, NUMBER | {"id": '"m"', "at": '"predict"'})
    with pytest.raises(ValueError, match="^patches has no question 'N'; it has n, m$"):
        quiz.ask("patches", "N")
    file(NUMBER | {"at": '"predict"'})
    with pytest.raises(ValueError, match='^no question of patches is marked at = "quiz"$'):
        quiz.ask_all("patches")


def test_the_key_stands_for_what_is_asked(file):
    file(NUMBER)
    first = quiz.ask("patches", "n").key
    file(NUMBER | {"hint": '"another"'})
    assert first != quiz.ask("patches", "n").key


# files that break the form

NUMBER = {
    "id": '"n"', "at": '"quiz"', "section": '"Cut"', "kind": '"number"', "text": '"{side} and {patch}?"', "hint": '"h"',
    "given": "{side = [28, 42], patch = 14}", "answer": '"rows"', "unit": '"rows"', "wrong": '[{is = "one_side", cause = "c"}]',
}  # fmt: skip
CHOICE = {name: NUMBER[name] for name in ("id", "at", "section", "text", "hint", "given")} | {
    "kind": '"choice"',
    "options": '[{text = "a", says = "b"}, {text = "c", says = "d", right = true}]',
}


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Questions of the test's own for the page `patches`: `file(NUMBER | {...}, ...)`; None leaves a field out."""
    monkeypatch.setattr(quiz, "FOLDER", tmp_path)

    def write(*questions, text=""):
        for fields in questions:
            lines = (f"{name} = {value}\n" for name, value in fields.items() if value is not None)
            text += "[[question]]\n" + "".join(lines)
        (tmp_path / "patches.toml").write_text(text, encoding="utf-8")

    return write


def test_the_two_forms_are_read(file):
    file(NUMBER | {"tolerance": "0.5"}, CHOICE | {"id": '"c"'})
    number, choice = quiz.load("patches")
    asked = quiz.draw(number)
    assert (asked.text, asked.answer, asked.tolerance, asked.wrong) == ("28 and 14?", 4, 0.5, ((2, "c"),))
    assert asked.reply(4.5) == (True, "") and asked.reply(4.6) == (False, "h") and asked.reply(1.5) == (False, "c")
    assert quiz.draw(choice).answer == 1 and quiz.draw(choice).reply(0) == (False, "b")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (NUMBER | {"kind": '"essay"'}, "kind is 'essay'"),
        (NUMBER | {"hint": None}, r"missing \['hint'\]"),
        (NUMBER | {"options": "[]"}, r"unknown \['options'\]"),
        (NUMBER | {"text": '" "'}, "write a text"),
        (NUMBER | {"text": "3"}, "write a text"),
        (NUMBER | {"id": '"Rows 1"'}, "lower-case"),
        (NUMBER | {"at": '"exam"'}, "at is 'exam'"),
        (NUMBER | {"given": "{side = [], patch = 14}"}, "nothing to draw side from"),
        (NUMBER | {"given": "{side = 28}", "wrong": "[]"}, r"rows\(\) needs patch"),
        (NUMBER | {"text": '"{sde}"'}, "'{sde}' cannot be filled"),
        (NUMBER | {"hint": '"{side[0]}"'}, "cannot be filled"),
        (NUMBER | {"wrong": '[{is = 1, cause = "{x}"}]'}, "cannot be filled"),
        (NUMBER | {"answer": '"colums"'}, "'colums' is no function of patches.py"),
        (NUMBER | {"answer": '"_cut"'}, "no function"),
        (NUMBER | {"answer": '"math"'}, "no function"),
        (NUMBER | {"why": '" "'}, "why is ' '"),
        (NUMBER | {"why": '"{x}"'}, "cannot be filled"),
        (CHOICE | {"why": '"w"'}, r"unknown \['why'\]"),
        (NUMBER | {"tolerance": "-1"}, "tolerance is -1"),
        (NUMBER | {"tolerance": "nan"}, "tolerance is nan"),
        (NUMBER | {"wrong": '[{is = "one_side"}]'}, "has `is` and `cause`"),
        (NUMBER | {"wrong": '[{is = "one_side", cause = " "}]'}, "has `is` and `cause`"),
        (NUMBER | {"wrong": '[{is = true, cause = "c"}]'}, "True is no function"),
        (CHOICE | {"options": '[{text = "a", says = "b", right = true}]'}, "two options or more"),
        (CHOICE | {"options": '[{text = "a", says = "b"}, {text = "c", says = "d"}]'}, "exactly one is right"),
        (CHOICE | {"options": '[{text = "a"}, {text = "c", says = "d", right = true}]'}, "an option has"),
        (
            CHOICE | {"options": '[{text = "{x}", says = "b"}, {text = "c", says = "d", right = true}]'},
            "cannot be filled",
        ),
    ],
)
def test_a_malformed_question_is_refused_with_file_and_name(file, fields, says):
    file(fields)
    with pytest.raises(ValueError, match=f"^patches.toml, question .*: .*{says}"):
        quiz.load("patches")


def test_an_id_that_is_there_twice_is_refused(file):
    file(NUMBER, NUMBER)
    with pytest.raises(ValueError, match="question 'n': this id is there twice"):
        quiz.load("patches")


@pytest.mark.parametrize("text", ["", "x = 1\n", "[[question]\n", "x = 1\n[[question]]\nid = 'n'\n"])
def test_a_file_that_is_no_list_of_questions_is_refused(file, text):
    file(text=text)
    with pytest.raises(ValueError, match="^patches.toml: "):
        quiz.load("patches")


@pytest.mark.parametrize(
    "wrong",
    ['[{is = 4, cause = "c"}]', '[{is = "one_side", cause = "c"}, {is = 2, cause = "d"}]', '[{is = 4.4, cause = "c"}]'],
)
def test_a_wrong_number_that_stands_for_another_is_refused(file, wrong):
    file(NUMBER | {"wrong": wrong, "tolerance": "0.5"})
    with pytest.raises(ValueError, match=r"patches.toml, question 'n': with {'side': 28"):
        quiz.draw(*quiz.load("patches"))


def test_an_answer_that_is_no_number_is_refused(file, monkeypatch):
    from mmtokedu.course.quiz import patches as module

    nan = lambda side: float("nan")
    nan.__module__ = module.__name__
    monkeypatch.setattr(module, "rows", nan)
    file(NUMBER)
    with pytest.raises(ValueError, match="gave nan for"):
        quiz.draw(*quiz.load("patches"))


def test_the_files_that_ship_are_those_in_the_package(file, tmp_path):
    with pytest.raises(ValueError, match="no questions for 'patches'"):
        quiz.load("patches")
    shutil.copy(quiz.__file__.replace("__init__.py", "patches.toml"), tmp_path)
    assert len(quiz.load("patches")) == 11
