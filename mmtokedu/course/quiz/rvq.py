"""The numbers in the questions of the chapter on sound codes: the right ones by the library, the wrong ones as they are made."""

import math

import numpy as np

from mmtokedu import rvq as library
from mmtokedu.catalog import codecs

# Frames of a sound


def frames(rate, hop):
    return len(library.mdct(np.zeros(rate, np.float32), hop))


def stretches(rate, hop):
    return rate // hop


def frames_of_windows(rate, hop):
    return rate // (2 * hop)


def samples(rate):
    return rate


# Two stages

_STAGES = np.array([[[0.0], [4.0], [8.0]], [[-1.5], [0.0], [1.0]]])


def _rebuilt(number, stages):
    return float(library.rvq_decode(library.rvq_encode_plain(np.array([[number]]), stages), stages)[0, 0])


def two_stages(number):
    return _rebuilt(number, _STAGES)


def first_stage(number):
    return _rebuilt(number, _STAGES[:1])


def second_stage(number):
    return two_stages(number) - first_stage(number)


def not_the_rest(number):
    return first_stage(number) + _rebuilt(number, _STAGES[1:])


# What a sound costs

_CODEC = "encodec-24k"


def question_tokens(seconds):
    return library.audio_tokens(_CODEC, seconds)


def question_frames(seconds):
    return question_tokens(seconds) // codecs.row(_CODEC).default


def without_the_last(seconds):
    return question_tokens(seconds) - codecs.row(_CODEC).default


def question_bits(seconds):
    """At one frame a second a bitrate is the bits of a frame."""
    return question_tokens(seconds) * int(library.bitrate(1, 1, codecs.row(_CODEC).codebook_size))


def bits_a_second(frame_rate, codebooks, size):
    return int(library.bitrate(frame_rate, codebooks, size))


def size_as_bits(frame_rate, codebooks, size):
    return frame_rate * codebooks * size


def one_of_all(frame_rate, codebooks, size):
    return int(library.bitrate(frame_rate, 1, codebooks * size))


def one_codebook(frame_rate, size):
    return bits_a_second(frame_rate, 1, size)


def codes_a_second(frame_rate, codebooks):
    return frame_rate * codebooks


# Layouts

_PAD = -1


def _delayed(frames, codebooks):
    return library.delay_pattern(np.zeros((frames, codebooks), np.int64), _PAD)


def delayed_rows(frames, codebooks):
    return len(_delayed(frames, codebooks))


def parallel_rows(frames):
    return frames


def flattened_rows(frames, codebooks):
    return len(library.flatten_codes(np.zeros((frames, codebooks), np.int64)))


def one_row_too_many(frames, codebooks):
    return frames + codebooks


# When it can be heard


def first_heard(frame, ahead, codebooks):
    """The first frame is whole at the first step that has a code of the last codebook."""
    step = int((_delayed(1, codebooks)[:, -1] != _PAD).argmax())
    return frame + ahead + step * frame


def without_code_delay(frame, ahead):
    return frame + ahead


def without_look_ahead(frame, waits):
    return frame + waits * frame


def without_the_frame(frame, ahead, waits):
    return ahead + waits * frame


def one_wait_too_many(frame, ahead, waits):
    return frame + ahead + (waits + 1) * frame


# A listener's windows


def places_of_windows(seconds):
    return library.audio_tokens("voxtral", seconds)


def in_proportion(seconds, window, per_window):
    return math.ceil(seconds * per_window / window)


def one_window(per_window):
    return per_window


def full_windows(seconds, window, per_window):
    return seconds // window * per_window


# A sound at another rate

_MIMI = codecs.row("mimi")


def frames_at_the_wrong_rate(seconds, recorded):
    return codecs.frames_of(_MIMI, seconds * recorded)


def frames_at_its_rate(seconds):
    return codecs.frames_of(_MIMI, seconds * _MIMI.sample_rate)


def frames_shortened(seconds, recorded):
    return codecs.frames_of(_MIMI, seconds * _MIMI.sample_rate**2 // recorded)
