"""The book's small world: scenes and clips that ask questions whose answers, places and times are known.

A scene is one to three coloured shapes, a number and often a word, over a flat or a photo ground; a clip has a shape
that moves, one that appears, and a number that is shown for a moment. Sizes and lengths vary. The same seed gives the
same pixels on every machine: everything is drawn in whole numbers. Photo grounds come from scikit-image's wheel.
"""

import hashlib
from typing import NamedTuple

import numpy as np

from mmtokedu.samples._canvas import PLACES, Canvas
from mmtokedu.samples._drawing import COLOURS, SHAPES, paste, shape_mask, text_mask

SIDES = 60, 72, 84, 96  # of a picture, in pixels: 5 to 8 patches of 12
LENGTHS = range(4, 13)  # of a clip, in frames
HEIGHTS = 7, 10, 14  # of digits and letters, in pixels
SIGNS = "TEA", "BUS", "MILK", "OPEN", "SALE", "EXIT", "TAXI", "BANK", "ICE", "MENU", "STOP", "ZOO"
DISTRACTING = "FHKLNRVX"  # what is written to distract: no vowel, so no sign, and no letter that looks like a digit
ORDINALS = "first", "second", "third"
WAYS = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}
TIMES = "early", "halfway", "late"
KINDS = "colour", "shape", "where", "count", *ORDINALS, "sign"  # what a scene may be asked, at most one of each
CLIP_KINDS = "way", "when", "shown", *ORDINALS
WORDS = (
    "colour?", "shape?", "where?", "count?", "read?", "way?", "when?", "number", "sign", *ORDINALS, *SHAPES, *COLOURS,
    *PLACES, *"0123456789", *(sign.lower() for sign in SIGNS), *WAYS, *TIMES,
)  # fmt: skip
ID = {word: i for i, word in enumerate(WORDS)}
TAGS = (
    *SHAPES, *COLOURS, *PLACES, *ORDINALS, *"0123456789",
    *(f"{place} {digit}" for place in ORDINALS for digit in range(10)), *SIGNS,
)  # fmt: skip
NO_ANSWER = -100


class Thing(NamedTuple):
    """Something in a scene: what it is (names of TAGS), and its box (t0, y0, x0, t1, y1, x1), a still's t 0 to 1."""

    tags: tuple
    box: tuple


class Question(NamedTuple):
    """A kind of question, its two words, the word that answers it, and the boxes (k, 6) int64 of what it asks for."""

    kind: str
    words: tuple
    answer: str
    boxes: np.ndarray


class Scene(NamedTuple):
    """pixels (T, H, W, 3) uint8, T = 1 for a still; what is in it; what may be asked; "flat" or "photo"; the height
    of its number in pixels."""

    pixels: np.ndarray
    things: tuple
    questions: tuple
    ground: str
    height: int


def scene(seed, *, size=None, ground=None, split="train"):
    """A picture and its questions, of the kinds KINDS: a Scene.

    seed is an int or a sequence of ints; size (height, width) in pixels, at least 48, drawn from SIDES when None;
    ground "flat", "photo" or None for either; photo grounds of split "test" show parts that "train" never does.
    A question is left out where the scene has no one answer: the colour of a shape that is there twice, or the sign
    where there is none. "where" tells the ninth of the picture in which the middle of a shape lies.

    Raises ValueError for another split or ground, or a picture that is too small or larger than the photos.

    >>> drawn = scene(3, size=(72, 96))
    >>> drawn.pixels.shape
    (1, 72, 96, 3)
    >>> [(*question.words, question.answer) for question in drawn.questions][:3]
    [('colour?', 'ring', 'red'), ('shape?', 'red', 'ring'), ('where?', 'red', 'middle-right')]
    """
    return _until_it_fits(_still, _rng(seed, split, 0), size, ground, split)


def crowd(seed, *, size=None, ground=None, split="train"):
    """A picture full of shapes, numbers and signs and without questions, to teach a picture encoder: a Scene.

    Arguments and errors as `scene`.

    >>> len(crowd(0, size=(96, 96)).things) > 20
    True
    """
    return _until_it_fits(_crowded, _rng(seed, split, 1), size, ground, split)


def clip(seed, *, size=None, frames=None, ground=None, split="train"):
    """A film and its questions, of the kinds CLIP_KINDS: a Scene with `frames` pictures (drawn from LENGTHS when None).

    One shape moves one way through all frames; one appears in a frame after the first and stays; a number of three
    digits is shown for at most a quarter of the frames. "when" and "shown" tell in which third that begins: 3·t // T.

    Arguments and errors as `scene`; a clip of fewer than 4 frames is refused as well.

    >>> film = clip(0, size=(72, 72), frames=6)
    >>> film.pixels.shape, [question.kind for question in film.questions]
    ((6, 72, 72, 3), ['way', 'when', 'shown', 'first', 'second', 'third'])
    """
    rng = _rng(seed, split, 2)
    frames = int(rng.choice(LENGTHS)) if frames is None else frames
    if frames < 4:
        raise ValueError(f"{frames} frames; a clip has at least 4, so that early, halfway and late are apart")
    return _until_it_fits(_film, rng, size, ground, split, frames)


def asked(scenes, kinds=KINDS):
    """Questions and answers of the scenes as word ids: (n, kinds, 2) and (n, kinds) int64.

    Where a scene lacks a kind its words are 0 and its answer is NO_ANSWER, which losses leave out.

    >>> questions, answers = asked([scene(3, size=(72, 96))], kinds=["shape"])
    >>> [WORDS[word] for word in questions[0, 0]], WORDS[answers[0, 0]]
    (['shape?', 'red'], 'ring')
    """
    questions = np.zeros((len(scenes), len(kinds), 2), np.int64)
    answers = np.full((len(scenes), len(kinds)), NO_ANSWER)
    for i, drawn in enumerate(scenes):
        for question in drawn.questions:
            if question.kind in kinds:
                k = kinds.index(question.kind)
                questions[i, k], answers[i, k] = [ID[word] for word in question.words], ID[question.answer]
    return questions, answers


def cover(boxes, shape, patch):
    """How many pixels of each patch the boxes (k, 6) cover: (T, H / patch, W / patch) int64. What an oracle keeps.

    shape (T, H, W) of the pixels. ValueError where the patch does not divide the sides.

    >>> cover(np.array([[0, 0, 6, 1, 12, 18]]), (1, 12, 24), 12)
    array([[[72, 72]]])
    """
    frames, height, width = shape
    if height % patch or width % patch:
        raise ValueError(f"pictures are {height}x{width}; a patch of {patch} does not divide both sides")
    covered = np.zeros((frames, height, width), np.int64)
    for t0, y0, x0, t1, y1, x1 in boxes:
        covered[t0:t1, y0:y1, x0:x1] = 1
    return covered.reshape(frames, height // patch, patch, width // patch, patch).sum(axis=(2, 4))


def tags(drawn, patch):
    """What has its middle in each patch: (T, H / patch, W / patch, TAGS) bool. What an encoder is taught.

    >>> marks = tags(scene(3, size=(72, 96)), 12)
    >>> marks.shape, [TAGS[i] for i in np.flatnonzero(marks[0, 2, 6])]
    ((1, 6, 8, 78), ['ring', 'red', 'middle-right'])
    """
    frames, height, width = drawn.pixels.shape[:3]
    marks = np.zeros((frames, height // patch, width // patch, len(TAGS)), bool)
    for thing in drawn.things:
        t0, y0, x0, t1, y1, x1 = thing.box
        for tag in thing.tags:
            marks[t0:t1, (y0 + y1) // (2 * patch), (x0 + x1) // (2 * patch), TAGS.index(tag)] = True
    return marks


def fingerprint(scenes):
    """A hash of all that the scenes hold, the same on every machine: 16 hexadecimal digits.

    >>> fingerprint([clip(seed, ground="flat") for seed in range(3)])
    '25fd3397ca0adb48'
    """
    digest = hashlib.sha256()
    for drawn in scenes:
        told = [(*question[:3], question.boxes.tolist()) for question in drawn.questions]
        digest.update(repr((drawn.pixels.shape, drawn.things, told, drawn.ground, drawn.height)).encode())
        digest.update(drawn.pixels.tobytes())
    return digest.hexdigest()[:16]


# Drawing


def _rng(seed, split, purpose):
    if split not in ("train", "test"):
        raise ValueError(f"split is {split!r}; expected 'train' or 'test'")
    return np.random.default_rng([*np.atleast_1d(seed).tolist(), purpose, split == "test"])


def _until_it_fits(draw, rng, size, ground, split, *more):
    """What `draw` draws, again and again until everything has found room."""
    if ground not in (None, "flat", "photo"):
        raise ValueError(f"ground is {ground!r}; expected 'flat', 'photo' or None for either")
    size = tuple(rng.choice(SIDES, 2).tolist()) if size is None else tuple(size)
    if min(size) < 48:
        raise ValueError(f"size is {size[0]}x{size[1]}; both sides need at least 48 pixels for what is drawn")
    for _ in range(1000):
        if (drawn := draw(Canvas(rng, size, ground, split), *more)) is not None:
            return drawn
    raise ValueError(f"nothing fits into {size[0]}x{size[1]} pixels")


def _in_time(box, t0=0, t1=1):
    y0, x0, y1, x1 = box
    return t0, y0, x0, t1, y1, x1


def _digits(number, height, box, t0=0, t1=1):
    """The Things of a number's digits, each with its place."""
    y0, x0, y1, _ = box
    return [
        Thing((f"{place} {digit}", place, digit), (t0, y0, x0 + a, t1, y1, x0 + b))
        for place, digit, (a, b) in zip(ORDINALS, number, text_mask(number, height)[1])
    ]


def _reading(digits):
    """The three questions about a number's digits."""
    return [
        Question(place, ("read?", place), thing.tags[0][-1], np.array([thing.box]))
        for place, thing in zip(ORDINALS, digits)
    ]


def _number(canvas):
    """A number of three digits that fits: text, height and box, or None."""
    number, height = "".join(map(str, canvas.rng.integers(10, size=3))), int(canvas.rng.choice(HEIGHTS))
    box = canvas.text(number, height)
    return None if box is None else (number, height, box)


def _drawn_object(canvas, shape, colour):
    """A Thing, drawn where there is room, or None."""
    if (found := canvas.object_box()) is None:
        return None
    box, place = found
    if not canvas.shows(colour, box):
        return None
    paste(canvas.image, shape_mask(shape, box[2] - box[0]), *box[:2], canvas.shade(colour))
    return Thing((shape, colour, place), _in_time(box))


def _still(canvas):
    rng = canvas.rng
    if (written := _number(canvas)) is None:
        return None
    number, height, box = written
    digits = _digits(number, height, box)
    count = int(rng.integers(4))  # of one shape; the rest are others, all different
    many = int(rng.integers(max(count, 1), 4))
    shapes = rng.permutation(len(SHAPES)).tolist()
    shapes = [shapes[0]] * count + shapes[1 : 1 + many - count]
    colours = rng.permutation(len(COLOURS)).tolist()
    objects = [_drawn_object(canvas, SHAPES[s], list(COLOURS)[c]) for s, c in zip(shapes, colours)]
    if None in objects:
        return None
    signs = _signs(canvas, int(rng.choice(HEIGHTS))) if rng.integers(2) else []
    if canvas.ground == "photo":
        for _ in range(2):
            canvas.text("".join(rng.choice(list(DISTRACTING), 3)), HEIGHTS[rng.integers(2)], tries=4)
    # `shapes` may count to 0: then the shape that is asked about is none of those drawn
    counted = SHAPES[shapes[0]] if count else SHAPES[rng.choice(sorted(set(range(len(SHAPES))) - set(shapes)))]
    questions = [*_about(objects, rng), _counting(counted, objects), *_reading(digits)]
    questions += [Question("sign", ("read?", "sign"), t.tags[0].lower(), np.array([t.box])) for t in signs]
    return Scene(_pixels([canvas.image]), (*objects, *digits, *signs), tuple(questions), canvas.ground, height)


def _signs(canvas, height):
    sign = SIGNS[canvas.rng.integers(len(SIGNS))]
    box = canvas.text(sign, height)
    return [] if box is None else [Thing((sign,), _in_time(box))]


def _about(objects, rng):
    """What colour, what shape, where: each about an object that its words name alone."""
    shapes = [thing.tags[0] for thing in objects]
    alone = [thing for thing in objects if shapes.count(thing.tags[0]) == 1]
    questions = []
    for kind, (word, answer), among in (
        ("colour", (0, 1), alone),
        ("shape", (1, 0), objects),
        ("where", (1, 2), objects),
    ):
        if among:
            thing = among[rng.integers(len(among))]
            words = f"{kind}?", thing.tags[word]
            questions.append(Question(kind, words, thing.tags[answer], np.array([thing.box])))
    return questions


def _counting(shape, objects):
    boxes = [thing.box for thing in objects if thing.tags[0] == shape]
    return Question("count", ("count?", shape), str(len(boxes)), np.array(boxes, np.int64).reshape(-1, 6))


def _crowded(canvas):
    rng, things = canvas.rng, []
    room = canvas.size[0] * canvas.size[1]
    for _ in range(int(rng.integers(room // 1800, room // 900 + 1))):
        shape, colour = SHAPES[rng.integers(len(SHAPES))], list(COLOURS)[rng.integers(len(COLOURS))]
        side = int(rng.integers(12, 19))
        if (box := canvas.somewhere(side, side)) is not None and canvas.shows(colour, box):
            paste(canvas.image, shape_mask(shape, side), *box[:2], canvas.shade(colour))
            middle = [3 * (box[i] + box[i + 2]) // (2 * canvas.size[i]) for i in (0, 1)]
            things.append(Thing((shape, colour, PLACES[3 * middle[0] + middle[1]]), _in_time(box)))
    for i in range(room // 700):
        height = HEIGHTS[(0, 0, 0, 1, 1, 2)[rng.integers(6)]]
        if i % 4 == 3:
            things += _signs(canvas, height)
        else:
            number = "".join(map(str, rng.integers(10, size=3)))
            box = canvas.text(number, height, tries=6)
            things += [] if box is None else _digits(number, height, box)
    return Scene(_pixels([canvas.image]), tuple(things), (), canvas.ground, 0)


def _film(canvas, frames):
    rng = canvas.rng
    shapes, colours = rng.permutation(len(SHAPES))[:2], rng.permutation(len(COLOURS))[:2].tolist()
    (moving, still), (red, blue) = [SHAPES[s] for s in shapes], [list(COLOURS)[c] for c in colours]
    path, way = _path(canvas, frames)
    height, number = int(rng.choice(HEIGHTS)), "".join(map(str, rng.integers(10, size=3)))
    written = canvas.somewhere(*text_mask(number, height)[0].shape)
    found = canvas.object_box()
    if written is None or found is None:
        return None
    (box, place), third = found, int(rng.integers(3))
    if not (canvas.shows(red, path[0]) and canvas.shows(red, path[-1]) and canvas.shows(blue, box)):
        return None
    appears = int(rng.choice([t for t in range(1, frames) if 3 * t // frames == third]))
    shown = int(rng.integers(frames))
    hidden = min(frames, shown + int(rng.integers(1, max(1, frames // 4) + 1)))
    shades, ink, pictures = [canvas.shade(red), canvas.shade(blue)], canvas.ink(written), []
    for t, spot in enumerate(path):
        image = canvas.image.copy()
        paste(image, shape_mask(moving, spot[2] - spot[0]), *spot[:2], shades[0])
        if t >= appears:
            paste(image, shape_mask(still, box[2] - box[0]), *box[:2], shades[1])
        if shown <= t < hidden:
            canvas.write(image, number, height, written, ink)
        pictures.append(image)
    digits = _digits(number, height, written, shown, hidden)
    moves = [_in_time(spot, t, t + 1) for t, spot in enumerate(path)]
    things = [
        *(Thing((moving, red), spot) for spot in moves),
        Thing((still, blue, place), _in_time(box, appears, frames)),
    ]
    questions = [
        Question("way", ("way?", red), way, np.array(moves)),
        Question("when", ("when?", blue), TIMES[third], np.array([things[-1].box])),
        Question("shown", ("when?", "number"), TIMES[3 * shown // frames], np.array([d.box for d in digits])),
    ]
    return Scene(_pixels(pictures), (*things, *digits), (*questions, *_reading(digits)), canvas.ground, height)


def _path(canvas, frames):
    """The boxes of a shape that moves one way, one a frame, and the way's name; all they cover is taken."""
    rng, side = canvas.rng, int(canvas.rng.integers(12, 17))
    way = list(WAYS)[rng.integers(4)]
    axis = 0 if WAYS[way][0] else 1
    span = min(canvas.size[axis] - side - 2, (frames - 1) * int(rng.integers(3, 9)))  # pixels from first to last
    start = [int(rng.integers(1, n - side - (span if i == axis else 0))) for i, n in enumerate(canvas.size)]
    steps = [span * t // (frames - 1) for t in range(frames)]
    if sum(WAYS[way]) < 0:
        steps = [span - step for step in steps]
    corners = [[c + (step if i == axis else 0) for i, c in enumerate(start)] for step in steps]
    path = [(y, x, y + side, x + side) for y, x in corners]
    canvas.taken.append((*np.min(path, axis=0)[:2].tolist(), *np.max(path, axis=0)[2:].tolist()))
    return path, way


def _pixels(images):
    return np.stack(images).astype(np.uint8)  # paste mixes two colours, so all numbers are 0 to 255
