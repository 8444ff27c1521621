"""The numbers in the questions of the primer page on the book's small model."""

import numpy as np

from mmtokedu import small


def visual_tokens(size):
    height, width = size
    return (height // small.PATCH) * (width // small.PATCH)


def both_sides_added(size):
    height, width = size
    return height // small.PATCH + width // small.PATCH


def pixels_over_patch(size):
    """Where a patch is taken for a strip of 12 pixels."""
    height, width = size
    return height * width // small.PATCH


def next_position(grid):
    """Where the first word after a picture stands: the pair of speed 1 turns by its position."""
    rows, columns = grid
    return round(float(small.lay_out((1, rows, columns), 1).angles[rows * columns, 0]))


def after_all_patches(grid):
    rows, columns = grid
    return rows * columns


def after_the_first_row(grid):
    return min(grid)


def the_largest_itself(grid):
    return max(grid) - 1


def may_see(seen, questions):
    """Tokens that the first word of the last question may attend to, itself among them."""
    told = small.lay_out((1, 1, seen), questions)
    return int(told.mask[-2].sum())


def the_questions_before_too(seen, questions):
    return seen + 2 * (questions - 1) + 1


def its_second_word_too(seen, questions):
    return seen + 2


def only_the_picture(seen, questions):
    return seen


def numbers_right(digit):
    """In percent: three digits in a row, each right so often, none helped by the others."""
    return 100 * (digit / 100) ** 3


def one_digit(digit):
    return digit


def wrongs_added(digit):
    return 100 - 3 * (100 - digit)


def matrices(width):
    """Numbers in the matrices of one layer: queries, keys, values and what mixes the heads; up to 4 times and down."""
    attention = [np.empty((width, 3 * width)), np.empty((width, width))]
    perceptron = [np.empty((width, 4 * width)), np.empty((4 * width, width))]
    return sum(matrix.size for matrix in attention + perceptron)


def attention_alone(width):
    return 4 * width**2


def perceptron_alone(width):
    return 8 * width**2


def one_of_each(width):
    """Where queries, keys and values are taken for one matrix."""
    return 10 * width**2
