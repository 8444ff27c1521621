"""Moments: the same on every machine, spread over the clip as chance would, and all that is told stands in the pixels."""

import hashlib
import itertools

import numpy as np
import pytest

from mmtokedu.samples import moments
from mmtokedu.samples._digits import DIGITS, digit_mask, number_mask, outlined_number
from mmtokedu.samples.moments import FPS, FRAMES, SIZE, moment
from mmtokedu.video import sample_frames

SECONDS = 0.1, 0.25, 0.5, 1, 2
seeds = pytest.mark.parametrize("seed", [4, 5, 6, 7])  # locked-off and panning, standing and moving


def hash_of(clips):
    digest = hashlib.sha256()
    for drawn in clips:
        digest.update(repr(drawn).encode())
        for i in (0, drawn.first, drawn.end - 1, FRAMES - 1):
            digest.update(drawn.frame(i).tobytes())
    return digest.hexdigest()[:16]


def without(drawn):
    return drawn._replace(first=0, end=0)


# the same everywhere


def test_the_same_pixels_on_every_machine():
    assert hash_of(moment(seed) for seed in range(4)) == "a12d9b45c797ed90"
    assert (
        hash_of(moment(seed, height=28, style="outlined", decoys=3, noise=2, shots=9) for seed in range(4))
        == "5d7af02995aa9b65"
    )


@seeds
def test_a_part_of_a_frame_is_that_part(seed):
    drawn = moment(seed, height=28, decoys=40, noise=2)
    for i in (drawn.first, drawn.end - 1):
        whole, (y0, x0, y1, x1) = drawn.frame(i), drawn.box(i)
        for box in ((y0, x0, y1, x1), (y0 + 9, x0 - 9, y1 + 9, x1 - 9), (0, 0, y0 + 5, SIZE[1]), drawn.decoys[0].box):
            box = max(0, box[0]), max(0, box[1]), min(SIZE[0], box[2]), box[3]
            np.testing.assert_array_equal(drawn.frame(i, box), whole[box[0] : box[2], box[1] : box[3]])


# digits


def test_digits_are_told_apart_at_every_height():
    for height in (8, 12, 48, 100):
        masks = {digit: digit_mask(digit, height).astype(int) for digit in "0123456789"}
        assert {mask.shape for mask in masks.values()} == {(height, (60 * height + 50) // 100)}
        assert all(mask.max() > 200 and mask.min() == 0 for mask in masks.values())
        nearest = min(abs(masks[a] - masks[b]).sum() for a in masks for b in masks if a < b)
        assert nearest > 0.06 * 255 * height**2 * 0.6  # of the pixels
    assert set(DIGITS) | {"9"} == set("0123456789")


def test_a_digit_is_the_same_at_every_height():
    """Averaged over blocks of 8 x 8 pixels, the digit of 120 pixels is that of 15."""
    for digit in "0123456789":
        large = digit_mask(digit, 120)[:, :72].reshape(15, 8, 9, 8).mean(axis=(1, 3))
        np.testing.assert_allclose(large, digit_mask(digit, 15), atol=16)


def test_an_outline_goes_round_all_of_the_number():
    for height in (12, 48):
        mask, around = number_mask("204", height), outlined_number("204", height)
        border = height // 12
        assert around.shape == tuple(side + 2 * border for side in mask.shape)
        inner = around[border:-border, border:-border]
        assert (inner >= mask).all() and (inner > mask).any()
        assert (around[0] > 0).any() and (around[:, 0] > 0).any()


# when


@seeds
def test_the_number_is_there_for_as_long_as_it_says(seed):
    for seconds in SECONDS:
        drawn = moment(seed, seconds=seconds, height=48)
        assert abs(drawn.end - drawn.first - seconds * FPS) < 1 and 0 <= drawn.first < drawn.end <= FRAMES
        for i in (drawn.first - 1, drawn.first, drawn.end - 1, drawn.end):
            if 0 <= i < FRAMES:
                shown = (drawn.frame(i) != without(drawn).frame(i)).any()
                assert shown == (drawn.first <= i < drawn.end)


def test_moments_of_one_clip_lie_within_one_another():
    for seed in range(200):
        spans = [(drawn.first, drawn.end) for drawn in (moment(seed, seconds=seconds) for seconds in SECONDS)]
        for (first, end), (earlier, later) in itertools.pairwise(spans):
            assert earlier <= first < end <= later


@pytest.mark.parametrize("seeds", [range(40), range(0, 40, 2), range(1, 40, 2)], ids=["all", "locked", "panning"])
def test_moments_are_spread_over_the_steps_of_every_rate(seeds):
    """What is measured on forty clips must not depend on where their moments happen to lie between two samples.

    Expected is the share of all moments in the clip, wherever they begin, that a frame is taken of; in the middle of a
    clip that is min(1, seconds * rate).
    """
    off = []
    for seconds in SECONDS:
        spans = np.array([(drawn.first, drawn.end) for drawn in (moment(seed, seconds=seconds) for seed in seeds)])
        every = np.linspace(0, FRAMES - seconds * FPS, 5001)
        every = np.ceil(np.stack([every, every + seconds * FPS], axis=1)).astype(int)
        for rate in (0.25, 0.5, 1, 2, 4, 8):
            taken = np.zeros(FRAMES + 1, int)
            taken[1:] = np.cumsum(
                np.isin(np.arange(FRAMES), sample_frames(FRAMES, 30.0, frames=round(20 * rate), rule="internvl"))
            )
            seen, expected = (np.mean(taken[at[:, 1].clip(max=FRAMES)] > taken[at[:, 0]]) for at in (spans, every))
            assert abs(expected - min(1, seconds * rate)) < 0.06
            off.append(abs(seen - expected))
    assert max(off) < (0.06 if len(seeds) == 40 else 0.1) and np.mean(off) < 0.03


def test_moments_reach_the_ends_of_the_clip():
    spans = [(drawn.first, drawn.end) for drawn in (moment(seed, seconds=0.25) for seed in range(40))]
    assert min(spans)[0] < FPS and max(end for _, end in spans) > FRAMES - FPS
    parts = np.histogram([first for first, _ in spans], bins=10, range=(0, FRAMES))[0]
    assert parts.min() >= 3 and parts.max() <= 5


# where


@seeds
def test_the_number_stands_in_its_box(seed):
    """On a plate nothing but the plate's colour and the ink is in the box, mixed by the digits' mask."""
    drawn = moment(seed, height=28, seconds=2)
    for i in (drawn.first, drawn.end - 1):
        y0, x0, y1, x1 = drawn.box(i)
        mask = np.pad(number_mask(drawn.number, 28), 14).astype(int)[..., None]
        plate, ink = np.array(moments.PLATE), np.array(moments.INK)
        np.testing.assert_allclose(drawn.frame(i)[y0:y1, x0:x1], plate + mask * (ink - plate) / 255, atol=1)
        outside = drawn.frame(i) != without(drawn).frame(i)
        outside[y0:y1, x0:x1] = False
        assert not outside.any()


def test_an_outlined_number_is_white_on_black_on_the_photo():
    drawn = moment(4, height=48, style="outlined")
    y0, x0, y1, x1 = drawn.box(drawn.first)
    seen, bare = drawn.frame(drawn.first)[y0:y1, x0:x1], without(drawn).frame(drawn.first)[y0:y1, x0:x1]
    mask, around = np.pad(number_mask(drawn.number, 48), 24), np.pad(outlined_number(drawn.number, 48), 20)
    assert (seen[mask == 255] == 255).all() and (seen[(around == 255) & (mask == 0)] == 10).all()
    np.testing.assert_array_equal(seen[around == 0], bare[around == 0])


def test_numbers_stay_in_the_frame_and_move_where_they_are_said_to():
    for seed in range(60):
        for height in (8, 48, 100):
            drawn = moment(seed, height=height, seconds=2)
            boxes = np.array([drawn.box(i) for i in range(drawn.first, drawn.end)])
            assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= SIZE).all()
            steps = np.diff(boxes, axis=0)
            assert (steps == steps[0]).all() and (np.hypot(*steps[0, :2]) >= 4) == drawn.moving == bool(seed // 2 % 2)


# what else is in the picture


@seeds
def test_the_picture_changes_hard_at_the_cuts_and_nowhere_else(seed):
    drawn = without(moment(seed, shots=6))
    strips = [drawn.frame(i, (y, 0, y + 8, SIZE[1])) for i in range(FRAMES) for y in (100, 350, 600)]
    small = np.stack(strips).reshape(FRAMES, -1, SIZE[1], 3)[:, ::4, ::4].astype(int)
    change = abs(np.diff(small, axis=0)).mean(axis=(1, 2, 3))
    cuts = np.array(drawn.cuts) - 1
    assert len(cuts) == 5 and change[cuts].min() > 3 * np.delete(change, cuts).max()
    assert (np.delete(change, cuts).max() > 0) == drawn.panning == bool(seed % 2)


def test_a_panning_camera_sees_the_same_photo_further_along():
    drawn = without(moment(5, shots=1))
    before, after, speed = drawn.frame(0), drawn.frame(15), drawn.shots[0].speed
    by = speed * 15 // FPS
    same = [(before[:, by:] == after[:, :-by]).all(), (before[:, :-by] == after[:, by:]).all()]
    assert by >= 10 and any(same)


def test_decoys_come_and_go_and_hold_no_number():
    drawn, bare = without(moment(4, decoys=5)), without(moment(4))
    for decoy in drawn.decoys:
        y0, x0, y1, x1 = decoy.box
        middle = min((decoy.first + decoy.last) // 2, FRAMES - 1)
        if sum(other.first <= middle < other.last for other in drawn.decoys) == 1:
            assert (drawn.frame(middle)[y0:y1, x0:x1] == decoy.colour).all()
    alone = [i for i in range(FRAMES) if not any(decoy.first <= i < decoy.last for decoy in drawn.decoys)]
    np.testing.assert_array_equal(drawn.frame(alone[0]), bare.frame(alone[0]))


def test_noise_is_new_in_each_frame_and_no_larger_than_said():
    noisy, clean = without(moment(4, noise=3, shots=1)), without(moment(4, shots=1))
    off = [noisy.frame(i).astype(int) - clean.frame(i) for i in (0, 1)]
    assert max(abs(one).max() for one in off) == 3 and (off[0] != off[1]).mean() > 0.5


# what is refused


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"seed": -1}, "seed is -1"),
        ({"height": 7}, "height is 7; expected 8 to 100"),
        ({"height": 101}, "height is 101; expected 8 to 100"),
        ({"seconds": 2.01}, "seconds is 2.01; a number is shown for at most 2"),
        ({"seconds": 0}, "seconds is 0"),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"style": "neon"}, "style is 'neon'; known are 'plate', 'outlined'"),
        ({"decoys": -1}, "decoys is -1"),
        ({"shots": 13}, "shots is 13; expected 1 to 12"),
        ({"noise": 21}, "noise is 21; expected 0 to 20"),
    ],
)
def test_what_cannot_be_drawn_is_refused(change, says):
    with pytest.raises(ValueError, match=says):
        moment(**{"seed": 0} | change)


@pytest.mark.parametrize("change", [{"seed": 1.5}, {"height": "18"}, {"seconds": "1"}, {"shots": 2.0}])
def test_what_is_no_number_is_refused(change):
    with pytest.raises(TypeError, match=f"{next(iter(change))} is"):
        moment(**{"seed": 0} | change)


def test_frames_and_boxes_outside_are_refused():
    drawn = moment(0)
    for i in (-1, FRAMES):
        with pytest.raises(ValueError, match=f"frame {i} of a clip that has 600"):
            drawn.frame(i)
    for box in ((0, 0, 721, 10), (-1, 0, 10, 10), (10, 10, 10, 20), (0, 1280, 10, 1281)):
        with pytest.raises(ValueError, match="does not lie in a frame of 720x1280"):
            drawn.frame(0, box)
