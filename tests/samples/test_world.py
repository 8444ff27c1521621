"""The world: the same on every machine, and every answer, box and time can be found in the pixels again."""

from collections import Counter

import numpy as np
import pytest

from mmtokedu.samples import world
from mmtokedu.samples._drawing import COLOURS, GLYPHS, SHAPES, glyph_mask, shape_mask, text_mask
from mmtokedu.samples.world import Question, Thing, clip, crowd, scene

SEEDS = range(60)
STILLS = [scene(seed) for seed in SEEDS]
FILMS = [clip(seed) for seed in SEEDS]


def of_kind(drawn, kind):
    return [question for question in drawn.questions if question.kind == kind]


def patch_of(drawn, box):
    t0, y0, x0, _, y1, x1 = box
    return drawn.pixels[t0, y0:y1, x0:x1].astype(int)


# the same everywhere


@pytest.mark.parametrize(
    ("draw", "split", "expected"),
    [
        (scene, "train", "c7085f261abff999"),
        (scene, "test", "cd6380c750f808d9"),
        (crowd, "train", "763397dca634e92a"),
        (crowd, "test", "ddba3448ea97f65f"),
        (clip, "train", "c6a63e5bf23a0bcd"),
        (clip, "test", "fdb2e330af6228e8"),
    ],
)
def test_the_same_pixels_and_answers_on_every_machine(draw, split, expected):
    assert world.fingerprint([draw(seed, split=split) for seed in range(20)]) == expected


def test_a_seed_is_an_int_or_several():
    assert world.fingerprint([scene(7)]) == world.fingerprint([scene([7])]) != world.fingerprint([scene([7, 0, 1])])
    assert world.fingerprint([scene(7)]) != world.fingerprint([scene(8)])


def test_a_fingerprint_sees_one_pixel_and_one_answer():
    drawn = scene(0)
    pixels = drawn.pixels.copy()
    pixels[0, 5, 5, 1] ^= 1
    question = drawn.questions[0]._replace(answer="blue")
    for other in (drawn._replace(pixels=pixels), drawn._replace(questions=(question, *drawn.questions[1:]))):
        assert world.fingerprint([other]) != world.fingerprint([drawn])


def test_training_never_sees_a_test_photo():
    """The coffee's saucer is left, its spoon right: no 8 x 8 piece of a test ground is in a training part."""
    from mmtokedu.samples._drawing import _photos

    train = {part[y : y + 8, x : x + 8].tobytes() for part in _photos("train") for y in range(0, len(part) - 8, 8)
             for x in range(0, part.shape[1] - 8)}  # fmt: skip
    for part in _photos("test"):
        assert part[16:24, 40:48].tobytes() not in train and part[40:48, -40:-32].tobytes() not in train
    widths = [(a.shape[1], b.shape[1]) for a, b in zip(_photos("train"), _photos("test"))]
    assert widths[::2] == [(341, 171), (300, 151), (400, 200)]


# what is drawn


def test_there_is_enough_of_it():
    assert len(COLOURS) >= 8 and len(SHAPES) >= 6
    sizes = Counter(drawn.pixels.shape[1:3] for drawn in STILLS)
    assert len(sizes) > 10 and {side for size in sizes for side in size} == set(world.SIDES)
    assert {len(film.pixels) for film in FILMS} == set(world.LENGTHS)
    assert {drawn.ground for drawn in STILLS} == {"flat", "photo"}
    assert {drawn.height for drawn in STILLS} == {drawn.height for drawn in FILMS} == set(world.HEIGHTS)
    assert set(world.ID) == set(world.WORDS) and len(world.ID) == len(world.WORDS)


def test_letters_and_shapes_differ():
    for height in world.HEIGHTS:
        masks = {char: glyph_mask(char, height).astype(int) for char in GLYPHS}
        pairs = [abs(masks[a] - masks[b]).max() for a in masks for b in masks if a < b]
        assert min(pairs) > 100
    masks = [shape_mask(shape, 12).astype(int) for shape in SHAPES]
    assert min(abs(a - b).sum() for i, a in enumerate(masks) for b in masks[:i]) > 255 * 12


def test_a_glyph_at_its_own_size_is_its_dots():
    seven = [[1, 1, 1, 1, 1], [0, 0, 0, 0, 1], [0, 0, 0, 1, 0], [0, 0, 1, 0, 0], *[[0, 1, 0, 0, 0]] * 3]
    assert (glyph_mask("7", 7) == 255 * np.array(seven)).all()
    assert (glyph_mask("7", 14) == 255 * np.array(seven).repeat(2, 0).repeat(2, 1)).all()
    assert glyph_mask("7", 10).sum() == pytest.approx(255 * np.sum(seven) * 100 / 49, rel=0.03)


@pytest.mark.parametrize("drawn", [drawn for drawn in STILLS if drawn.ground == "flat"][:12])
def test_what_is_written_stands_in_its_box(drawn):
    """On a flat ground each digit's pixels are the ground and the ink, mixed by the digit's mask."""
    ground = drawn.pixels[0, 0, 0].astype(int)
    for question in drawn.questions:
        if question.kind in world.ORDINALS:
            found = patch_of(drawn, question.boxes[0])
            mask = text_mask(question.answer, drawn.height)[0].astype(int)[..., None]
            ink = found[mask[..., 0].argmax() // mask.shape[1], mask[..., 0].argmax() % mask.shape[1]]
            np.testing.assert_allclose(found, ground + mask * (ink - ground) / 255, atol=1)
            assert abs(ink - ground).min() > 60


def test_colours_and_shapes_stand_in_their_boxes():
    """The middle of a shape (of a ring: its rim) has the named colour, nearest of the eight."""
    names = list(COLOURS)
    for drawn in STILLS:
        for thing in drawn.things:
            if thing.tags[0] in SHAPES:
                found = patch_of(drawn, thing.box)
                side = len(found)
                inside = found[shape_mask(thing.tags[0], side) == 255].mean(axis=0)
                away = [abs(inside - np.array(COLOURS[name])).sum() for name in names]
                assert names[int(np.argmin(away))] == thing.tags[1]


def test_where_is_the_ninth_that_holds_the_middle():
    for drawn in STILLS:
        for thing in drawn.things:
            if thing.tags[0] in SHAPES:
                _, y0, x0, _, y1, x1 = thing.box
                H, W = drawn.pixels.shape[1:3]
                assert world.PLACES[3 * (3 * (y0 + y1) // (2 * H)) + 3 * (x0 + x1) // (2 * W)] == thing.tags[2]


def test_questions_say_what_is_there():
    for drawn in STILLS:
        objects = [thing for thing in drawn.things if thing.tags[0] in SHAPES]
        assert 1 <= len(objects) <= 3 and len({thing.tags[1] for thing in objects}) == len(objects)
        for question in drawn.questions:
            kind, (_, named), answer, boxes = question
            about = [thing for thing in objects if named in thing.tags]
            if kind == "count":
                assert int(answer) == len(about) == len(boxes)
            elif kind in ("colour", "shape", "where"):
                assert len(about) == 1 and answer in about[0].tags and boxes.tolist() == [list(about[0].box)]
            assert set(question.words) | {answer} <= set(world.WORDS)
        assert max(Counter(question.kind for question in drawn.questions).values()) == 1


def test_nothing_covers_anything():
    for drawn in STILLS:
        boxes = [thing.box for thing in drawn.things]
        for i, (_, y0, x0, _, y1, x1) in enumerate(boxes):
            for _, a0, b0, _, a1, b1 in boxes[:i]:
                assert y1 <= a0 or a1 <= y0 or x1 <= b0 or b1 <= x0


def test_answers_cannot_be_guessed():
    """Counts are even; no colour, place or digit is much more frequent than the others."""
    many = Counter((q.kind, q.answer) for seed in range(600) for q in scene([9, seed], ground="flat").questions)
    for kind, answers in (("count", 4), ("colour", 8), ("shape", 6), ("where", 9), ("first", 10), ("sign", 12)):
        counts = [n for (k, _), n in many.items() if k == kind]
        assert len(counts) == answers and max(counts) < 1.7 * sum(counts) / answers


def test_a_count_of_none_names_a_shape_that_is_not_there():
    none = [(drawn, q) for drawn in STILLS for q in of_kind(drawn, "count") if q.answer == "0"]
    assert none and all(q.boxes.shape == (0, 6) for _, q in none)


def test_a_crowd_is_crowded():
    drawn = crowd(0, size=(96, 96))
    digits = [thing for thing in drawn.things if thing.tags[1:] and thing.tags[1] in world.ORDINALS]
    assert drawn.questions == () and len(digits) > 8 and len(drawn.things) - len(digits) > 3


# films


def test_a_number_is_there_when_it_is_shown():
    """Every frame equals the same frame of a film without the number, except in its box and time."""
    for film in FILMS:
        t0, y0, x0, t1, _, _ = of_kind(film, "first")[0].boxes[0]
        y1, x1 = of_kind(film, "third")[0].boxes[0][4:]
        still = film.pixels[:, y0:y1, x0:x1].astype(int)
        hidden = [t for t in range(len(still)) if not t0 <= t < t1]
        assert 0 < t1 - t0 <= max(1, len(still) // 4)
        assert all((still[t] == still[hidden[0]]).all() for t in hidden)
        assert all(abs(still[t] - still[hidden[0]]).max() > 60 for t in range(t0, t1))
        assert of_kind(film, "shown")[0].answer == world.TIMES[3 * t0 // len(still)]


def test_what_appears_was_not_there_before():
    for film in FILMS:
        (t0, y0, x0, t1, y1, x1), T = of_kind(film, "when")[0].boxes[0], len(film.pixels)
        window = film.pixels[:, y0:y1, x0:x1].astype(int)
        assert 1 <= t0 < t1 == T and of_kind(film, "when")[0].answer == world.TIMES[3 * t0 // T]
        assert (window[:t0] == window[0]).all() and (window[t0:] == window[t0]).all()
        assert abs(window[t0] - window[0]).max() > 30


def test_what_moves_moves_that_way():
    for film in FILMS:
        way = of_kind(film, "way")[0]
        middles = (way.boxes[:, 1:3] + way.boxes[:, 4:6]) / 2
        moved = middles[-1] - middles[0]
        assert way.boxes[:, 0].tolist() == list(range(len(film.pixels)))
        np.testing.assert_array_equal(np.sign(moved), world.WAYS[way.answer])
        assert (way.boxes[:, 1:3] >= 1).all() and (way.boxes[:, 4:] <= film.pixels.shape[1:3]).all()
        for box in way.boxes:
            assert film.pixels[box[0], box[1] : box[4], box[2] : box[5]].std() > 3


def test_thirds_are_even():
    answers = Counter(of_kind(clip([4, seed], ground="flat"), "when")[0].answer for seed in range(300))
    assert len(answers) == 3 and min(answers.values()) > 70


# arrays for learning


def test_asked():
    drawn = STILLS[:9]
    questions, answers = world.asked(drawn, world.KINDS)
    assert questions.shape == (9, 8, 2) and answers.shape == (9, 8) and questions.dtype == answers.dtype == np.int64
    missing = 0
    for row, of in zip(range(9), drawn):
        for k, kind in enumerate(world.KINDS):
            if found := of_kind(of, kind):
                assert [world.WORDS[word] for word in questions[row, k]] == list(found[0].words)
                assert world.WORDS[answers[row, k]] == found[0].answer
            else:
                assert answers[row, k] == world.NO_ANSWER
                missing += 1
    assert missing, "some scene lacks a sign"


def test_cover():
    boxes = np.array([[0, 10, 10, 1, 14, 14], [1, 0, 0, 2, 24, 12], [1, 0, 0, 2, 12, 12]])
    counts = world.cover(boxes, (2, 24, 24), 12)
    assert counts.tolist() == [[[4, 4], [4, 4]], [[144, 0], [144, 0]]]
    assert world.cover(np.zeros((0, 6), int), (1, 12, 12), 12).tolist() == [[[0]]]


def test_tags_by_hand():
    things = (Thing(("circle", "red", "top-left"), (0, 0, 0, 1, 12, 12)), Thing(("third 7",), (1, 14, 10, 2, 24, 18)))
    drawn = world.Scene(np.zeros((2, 24, 36, 3), np.uint8), things, (Question("count", ("", ""), "", None),), "flat", 7)
    marks = np.argwhere(world.tags(drawn, 12)).tolist()
    named = [[t, y, x, world.TAGS[tag]] for t, y, x, tag in marks]
    assert named == [
        [0, 0, 0, "circle"],
        [0, 0, 0, "red"],
        [0, 0, 0, "top-left"],
        [1, 1, 1, "third 7"],
    ]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: scene(0, split="validation"), "split is 'validation'; expected 'train' or 'test'"),
        (lambda: scene(0, ground="sea"), "ground is 'sea'"),
        (lambda: scene(0, size=(40, 96)), "size is 40x96; both sides need at least 48"),
        (lambda: scene(0, size=(900, 96), ground="photo"), "size is 900x96; photo grounds of train reach 400x400"),
        (lambda: clip(0, frames=3), "3 frames; a clip has at least 4"),
        (lambda: world.cover(np.zeros((1, 6), int), (1, 60, 64), 12), "60x64; a patch of 12"),
    ],
)
def test_bad_requests_are_named(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_the_smallest_and_other_sizes():
    assert scene(0, size=(48, 48)).pixels.shape == (1, 48, 48, 3)
    assert clip(0, size=(48, 50), frames=4).pixels.shape == (4, 48, 50, 3)
    assert scene(0, size=(300, 200), ground="flat").pixels.shape == (1, 300, 200, 3)
