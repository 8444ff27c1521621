"""The numbers in the questions of the chapter on M-RoPE: the right ones by the library, the wrong ones as they are made."""

import math

import numpy as np

from mmtokedu import mrope
from mmtokedu.mrope import Text, Vision


def _last(segments, **how):
    """The largest number of the last token."""
    return int(mrope.position_ids(segments, **how)[:, -1].max())


# A clock for each pair


def _cosine(query, key, degrees):
    """The score of two equal vectors of length 1, one pair of which turns by so many degrees a place."""
    places = [[query * math.radians(degrees), key * math.radians(degrees)]]
    x = mrope.rotate(np.array([[1.0, 0.0], [1.0, 0.0]]), places, sections=(1,))
    return x[0] @ x[1]


def score_further_on(degrees, places):
    key, query = places
    return _cosine(query + 100, key + 100, degrees)


def query_alone_moved(degrees, places):
    key, query = places
    return _cosine(query + 100, key, degrees)


def places_added(degrees, places):
    key, query = places
    return math.cos(math.radians(degrees * (query + key + 200)))


# A picture has no line


def below_in_a_line(grid):
    """Of the picture at twice the size."""
    rows, columns = grid
    ids = mrope.position_ids([Vision(1, 2 * rows, 2 * columns)], rule="1d")[0]
    return int(ids[2 * columns] - ids[0])


def below_before(grid):
    return grid[1]


def to_the_right():
    return 1


def rows_counted(grid):
    return 2 * grid[0]


def four_times(grid):
    """Where the whole picture's growth is taken for its width's."""
    return 4 * grid[1]


# Which pair turns fast


def _model_axes(model):
    how = mrope.turning(model)
    return mrope.axis_of_pair(how["sections"], layout=how["layout"])


def time_among(fastest):
    return int((_model_axes("qwen3-vl")[:fastest] == 0).sum())


def in_blocks(fastest):
    return min(fastest, int((_model_axes("qwen3-vl") == 0).sum()))


def a_third_cut_off(fastest):
    return fastest // 3


def all_of_times():
    return int((_model_axes("qwen3-vl") == 0).sum())


# Where the next word stands


def next_word(before, grid):
    return _last([Text(before), Vision(1, *grid), Text(1)])


def as_in_a_line(before, grid):
    return before + math.prod(grid)


def largest_itself(before, grid):
    return next_word(before, grid) - 1


def one_place_on(before):
    """Where the picture is counted as one token."""
    return before + 1


def sides_added(before, grid):
    return before + sum(grid)


def frames_not_before(before, film):
    """Frames whose time is not before the word that follows them, where that word lands inside the film."""
    word = _last([Text(before), Vision(*film), Text(1)], resume="spatial")
    times = mrope.position_ids([Text(before), Vision(*film)])[0, before:]
    return int((np.unique(times) >= word).sum())


def strictly_after(before, film):
    return frames_not_before(before, film) - 1


def none_of_them():
    return 0


def frames_before(before, film):
    return film[0] - frames_not_before(before, film)


def all_frames(film):
    return film[0]


# When a frame was


def _times(fps, pairs):
    """Of Qwen2.5-VL's film: 2 ids a second, two frames a token."""
    return mrope.position_ids([Vision(pairs, 1, 1, step=2 * 2 / fps)], rule="qwen2.5-vl")[0]


def step_of(fps):
    return int(np.diff(_times(fps, 3))[0])


def a_frame_a_token(fps):
    return 2 / fps


def index_alone():
    return 1


def distinct_times(fps, pairs):
    return len(np.unique(_times(fps, pairs)))


def every_pair(pairs):
    return pairs


def last_time(fps, pairs):
    return int(_times(fps, pairs)[-1])


# Generating and packing


def first_new(before, grid, after):
    prompt = [Text(before), Vision(1, *grid), Text(after)]
    tokens = mrope.position_ids(prompt).shape[1]
    return tokens + mrope.decode_offset(prompt)


def its_index(before, grid, after):
    return before + math.prod(grid) + after


def last_one_again(before, grid, after):
    return first_new(before, grid, after) - 1


def offset_alone(before, grid, after):
    return mrope.decode_offset([Text(before), Vision(1, *grid), Text(after)])


def _documents(documents):
    return [[Text(text), Vision(1, *grid)] for text, grid in documents]


def picture_of_the_second(documents):
    """Where the picture of the second document begins."""
    _, second = _documents(documents)
    return int(mrope.position_ids(second)[0, second[0].n])


def not_restarted(documents):
    first, second = _documents(documents)
    return _last([*first, second[0], Text(1)])


def row_index(documents):
    (text, grid), (other, _) = documents
    return text + math.prod(grid) + other


def picture_at_zero():
    return 0
