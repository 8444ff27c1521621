"""The numbers in the questions of the chapter on codebooks: the right ones by the library, the wrong ones as they are made."""

import math

import numpy as np

from mmtokedu import patches
from mmtokedu import vq as library

# All differences at once


def _gib(*shape, dtype="float32"):
    return math.prod(shape) * np.dtype(dtype).itemsize // 2**30


def differences(vectors, size, width):
    return _gib(*np.broadcast_shapes((vectors, 1, width), (1, size, width)))


def distances(vectors, size):
    return _gib(vectors, size)


def in_float64(vectors, size, width):
    return _gib(vectors, size, width, dtype="float64")


# Bits of a picture


def _bits_of_one(size):
    """log2 of a size that is a power of two."""
    return size.bit_length() - 1


def picture_codes(side, cell):
    return len(patches.patchify(np.empty((side, side, 1), np.uint8), cell))


def picture_bits(side, cell, size):
    return picture_codes(side, cell) * _bits_of_one(size)


def size_for_bits(side, cell, size):
    return picture_codes(side, cell) * size


def a_code_a_pixel(side, size):
    return side**2 * _bits_of_one(size)


def one_side_cut(side, cell, size):
    return side * (side // cell) * _bits_of_one(size)


# Who gets a gradient


def codes_with_gradient(size, vectors, near):
    """Vectors beside the first `near` codes of a line, in turn."""
    codebook = 10.0 * np.arange(size)[:, None]
    batch = codebook[np.arange(vectors) % near] + 1
    codes = library.nearest_code(batch, codebook)
    _, to_codebook = library.vq_gradients(batch, codebook, codes, np.zeros_like(batch))
    return int(to_codebook.any(axis=1).sum())


def every_code(size):
    return size


def a_code_a_vector(vectors):
    return vectors


def the_others(size, near):
    return size - near


# Where a code goes that follows by averages

_DECAY = 0.9


def followed(code, count, vector):
    state = library.ema_state(np.array([[float(code)]]), usage=np.array([float(count)]))
    return float(library.ema_update(state, np.array([[float(vector)]]), np.array([0]), _DECAY).embed[0, 0])


def averaged_outright(code, vector):
    return _DECAY * code + (1 - _DECAY) * vector


def plain_mean(code, count, vector):
    return (count * code + vector) / (count + 1)


def over_the_old_count(code, count, vector):
    return (_DECAY * count * code + (1 - _DECAY) * vector) / count


def decay_exchanged(code, count, vector):
    return ((1 - _DECAY) * count * code + _DECAY * vector) / ((1 - _DECAY) * count + _DECAY)


# A grid of levels


def codes_of_levels(levels):
    """One more than the code of the last corner."""
    last, _ = library.fsq(np.full((1, len(levels)), 9.0), levels)
    return int(last[0]) + 1


def levels_added(levels):
    return sum(levels)


def same_levels(levels):
    return levels[0] ** len(levels)


def bits_of_levels(levels):
    return math.ceil(math.log2(codes_of_levels(levels)))


# Codes among words


def id_of_code(text, code):
    """Text, two marks, then the codes, laid end to end."""
    vocabulary = ["text"] * text + ["begin", "end"] + [("code", number) for number in range(code + 1)]
    return vocabulary.index(("code", code))


def without_marks(text, code):
    return text + code


def not_shifted(code):
    return code


def counted_from_one(text, code):
    return text + 2 + code + 1


# Between two vectors


def off_by(ends):
    ends = np.array(ends, float)
    best = ends.mean(axis=0)  # of all points the one with the least squared error
    return float(np.linalg.norm(ends - best, axis=1).min())


def whole_distance(ends):
    return float(np.linalg.norm(np.subtract(*ends)))


# When an unused code counts as dead


def steps_to_death(decay, threshold):
    state, steps = library.ema_state(np.zeros((2, 1))), 0
    while state.usage[1] >= threshold:
        state, steps = library.ema_update(state, np.zeros((1, 1)), np.array([0]), decay), steps + 1
    return steps


def along_a_line(decay, threshold):
    return (1 - threshold) / (1 - decay)


def memory_of_decay(decay):
    return 1 / (1 - decay)
