"""Exercises of the residual quantization chapter."""

import math

import numpy as np

from mmtokedu import rvq
from mmtokedu.course import Exercise, Mistake

_SECTION = "Sound codes, "

_STAGES = np.array([[[0.0], [4.0], [8.0]], [[-1.5], [0.0], [1.0]], [[-0.4], [0.0], [0.3]]])
_NUMBERS = np.array([[5.2], [3.1], [8.4], [-1.0], [2.6], [4.7]])
_PAIR = np.array([[[0.0, 0.0], [4.0, 0.0]], [[0.0, -2.0], [-1.0, 1.0]]])


def _nearest(vectors, codebook):
    return ((vectors[:, None] - codebook[None]) ** 2).sum(axis=-1).argmin(axis=1)


def _encode(vectors, codebooks, left=lambda residual, entries: residual - entries):
    codes, residual = [], vectors
    for codebook in codebooks:
        codes.append(_nearest(residual, codebook))
        residual = left(residual, codebook[codes[-1]])
    return np.stack(codes, axis=1)


encode = Exercise(
    name="quantize what is left",
    answer=rvq.rvq_encode_plain,
    cases=((_NUMBERS, _STAGES), (np.array([[3.0, 1.0], [0.0, -2.0], [2.5, -1.0]]), _PAIR)),
    mistakes=(
        Mistake(lambda z, e: _encode(z, e, lambda residual, entries: residual), "every stage quantized the vectors themselves. From the second stage on "
                "it is the residual: subtract what the stages before have chosen"),
        Mistake(lambda z, e: _encode(z, e, lambda residual, entries: residual + entries), "the chosen entry was added; what is left is the residual minus it"),
        Mistake(lambda z, e: _encode(z, e, lambda residual, entries: entries - residual), "the residual has the wrong sign: it is the vector minus its entry, "
                "so that the entries add up to the vector"),
        Mistake(lambda z, e: _encode(z, np.repeat(e[:1], len(e), axis=0)), "the first codebook was used at every stage; each stage has its own, "
                "made for residuals of its size"),
        Mistake(lambda z, e: _encode(z, e[::-1]), "the stages ran from the last to the first: the finest codebook met whole vectors"),
        Mistake(lambda z, e: _encode(z, e).T, "a row a stage; codes are (N, Q), a row a frame: stack along axis 1"),
    ),
    section=_SECTION + "“Each stage quantizes what the last left”",
)  # fmt: skip


def _entries(codes, codebooks):
    """The entry each code stands for: (Q, N, D)."""
    return np.stack([codebook[column] for codebook, column in zip(codebooks, codes.T)])


decode = Exercise(
    name="rebuild from codes",
    answer=rvq.rvq_decode,
    cases=(
        (np.array([[1, 2, 0], [0, 0, 2]]), _STAGES),
        (np.array([[1, 2], [0, 0]]), _STAGES),
        (np.array([[1, 1], [0, 1]]), _PAIR),
    ),
    mistakes=(
        Mistake(lambda c, e: _entries(c, e)[-1], "the last stage only, which is the smallest correction. The stages add up"),
        Mistake(lambda c, e: _entries(c, e)[0], "the first stage only: the outline without its corrections. Add all stages that there are codes for"),
        Mistake(lambda c, e: _entries(c, e).mean(axis=0), "the mean of the stages; each stage is what the ones before it lacked, so it is added whole"),
        Mistake(lambda c, e: _entries(c, np.repeat(e[:1], len(e), axis=0)).sum(axis=0), "every code was looked up in the first codebook; "
                "column q belongs to codebook q"),
        Mistake(lambda c, e: _entries(c, e[::-1]).sum(axis=0), "the codebooks stand in reverse order: column 0 belongs to codebook 0"),
        Mistake(lambda c, e: np.concatenate(_entries(c, e), axis=1), "the entries stand side by side; they have one meaning, so add them"),
    ),
    section=_SECTION + "“Each stage quantizes what the last left”",
)  # fmt: skip


def _snr(sound, rebuilt):
    return float(10 * np.log10((sound**2).sum() / ((sound - rebuilt) ** 2).sum()))


snr = Exercise(
    name="measure the signal-to-noise ratio",
    answer=_snr,
    cases=(
        (np.array([1.0, -1.0, 1.0, -1.0]), np.array([0.9, -0.9, 0.9, -0.9])),
        (np.array([3.0, 4.0, 0.0]), np.array([3.0, 3.0, 2.0])),
        (np.array([0.5, 0.5]), np.array([0.5, -0.5])),
    ),
    mistakes=(
        Mistake(lambda x, y: 2 * _snr(x, y), "20 log10 of a ratio of powers; squares are powers, and powers take 10 (20 is for amplitudes)"),
        Mistake(lambda x, y: _snr(x, y) / 2, "10 log10 of a ratio of amplitudes: either leave the root out, or take 20"),
        Mistake(lambda x, y: -_snr(x, y), "upside down: the sound's energy over the error's, so that a better codec has the larger number"),
        Mistake(lambda x, y: _snr(x, y) * math.log(10), "the natural logarithm; decibels are 10 times the logarithm to base 10"),
        Mistake(lambda x, y: _snr(x, y) / 10, "bels: ten decibels to each, so multiply by 10"),
        Mistake(lambda x, y: float(10 * np.log10((y**2).sum() / ((x - y) ** 2).sum())), "the rebuilt sound's energy above the line: a codec that is too loud "
                "would gain by it. The signal is the original"),
        Mistake(lambda x, y: float(10 * np.log10(np.abs(x).sum() / np.abs(x - y).sum())), "absolute values summed; energy is the sum of squares"),
    ),
    section=_SECTION + "“One codebook is not enough”",
)  # fmt: skip


def _bits(sample_rate, hop, Q, K):
    return rvq.bitrate(sample_rate / hop, Q, K)


bits = Exercise(
    name="work out a bitrate",
    answer=_bits,
    cases=((24000, 320, 8, 1024), (44100, 512, 9, 1024), (24000, 1920, 8, 2048)),
    mistakes=(
        Mistake(lambda rate, hop, Q, K: rate / hop * Q * K, "K for log2(K): naming one of 1024 codes takes 10 bits, not 1024"),
        Mistake(lambda rate, hop, Q, K: math.ceil(rate / hop) * Q * math.log2(K), "the frame rate was rounded up to a whole number: 44100 / 512 is 86.13 frames a second "
                "on the long run. (Some configurations store the rounded one)"),
        Mistake(lambda rate, hop, Q, K: rate // hop * Q * math.log2(K), "the frame rate was cut to a whole number: // for /"),
        Mistake(lambda rate, hop, Q, K: rate / hop * math.log2(K), "one codebook only: a frame has Q codes"),
        Mistake(lambda rate, hop, Q, K: rate / hop * Q * math.log(K), "the natural logarithm gives nats; bits are log2"),
        Mistake(lambda rate, hop, Q, K: rate / hop * math.log2(Q * K), "log2(Q · K) names one code of all codebooks together; a frame names Q of them, "
                "one after the other: Q · log2(K)"),
        Mistake(lambda rate, hop, Q, K: rate * Q * math.log2(K), "one frame a sample: a frame comes every `hop` samples"),
        Mistake(lambda rate, hop, Q, K: hop * Q * math.log2(K), "hop is samples a frame, not frames a second: sample_rate / hop"),
    ),
    section=_SECTION + "“What a second costs”",
)  # fmt: skip


def _seconds(context, text, frame_rate, Q):
    return (context - text) // Q / frame_rate


context = Exercise(
    name="fill a context with sound",
    answer=_seconds,
    cases=((32768, 0, 75.0, 8), (32768, 500, 12.5, 8), (4096, 100, 75.0, 8)),
    mistakes=(
        Mistake(lambda n, text, rate, Q: (n - text) / rate, "a frame counted as one token; flattened, it is Q of them"),
        Mistake(lambda n, text, rate, Q: n // Q / rate, "the text's tokens sit in the same context: subtract them first"),
        Mistake(lambda n, text, rate, Q: (n - text) / Q / rate, "part of a frame was counted: with some of its codes missing, the last frame cannot be decoded. Whole frames: //"),
        Mistake(lambda n, text, rate, Q: (n - text) // Q, "that is frames; divide by frames a second"),
        Mistake(lambda n, text, rate, Q: (n - text) // Q * rate, "frames times frames a second: seconds are frames divided by the rate"),
        Mistake(lambda n, text, rate, Q: (n - text) * Q / rate, "multiplied by Q: more codes a frame leave room for fewer frames"),
    ),
    section=_SECTION + "“What a second costs”",
)  # fmt: skip


def _laid(codes, pad, starts, rows):
    out = np.full((rows, codes.shape[1]), pad)
    for q, start in enumerate(starts):
        length = max(0, min(len(codes), rows - start))
        out[start : start + length, q] = codes[:length, q]
    return out


def _rolled(codes):
    return np.stack([np.roll(column, q) for q, column in enumerate(codes.T)], axis=1)


def _size(codes):
    """Rows of the delayed codes, and the delays."""
    return len(codes) + codes.shape[1] - 1, range(codes.shape[1])


delay = Exercise(
    name="delay the codebooks",
    answer=lambda codes, pad: rvq.delay_pattern(codes, pad),
    cases=((np.array([[1, 2, 3], [4, 5, 6]]), 9), (np.array([[7, 8]]), 2048), (np.array([[0, 1], [1, 0], [1, 1]]), 2)),
    mistakes=(
        Mistake(lambda c, pad: _laid(c, 0, _size(c)[1], _size(c)[0]), "the corners are filled with 0, which is also a code; fill them with `pad`, an id of its own"),
        Mistake(lambda c, pad: _laid(c, pad, _size(c)[1][::-1], _size(c)[0]), "the last codebook comes first: the delays are 0, 1, …, Q-1, "
                "so that a fine code follows the coarse one it corrects"),
        Mistake(lambda c, pad: _laid(c, pad, [q + 1 for q in _size(c)[1]], _size(c)[0] + 1), "every codebook starts one step late: the first has delay 0"),
        Mistake(lambda c, pad: _laid(c, pad, _size(c)[1], len(c)), "cut at N rows: the last codes of the delayed codebooks are lost. N + Q - 1 rows hold them"),
        Mistake(lambda c, pad: _rolled(c), "rolled: what falls off the end came back at the start, so the first step holds codes of the last frame"),
        Mistake(lambda c, pad: _laid(c, pad, [0] * c.shape[1], _size(c)[0]), "no delay at all: column q starts q rows lower"),
    ),
    section=_SECTION + "“One row of tokens”",
)  # fmt: skip


def _shifted_back(delayed):
    return np.stack([np.roll(column, -q) for q, column in enumerate(delayed.T)], axis=1)


undelay = Exercise(
    name="undo the delay",
    answer=lambda delayed: rvq.undelay_pattern(delayed),
    cases=(
        (np.array([[1, 9, 9], [4, 2, 9], [9, 5, 3], [9, 9, 6]]),),
        (np.array([[7, 2048], [2048, 8]]),),
        (np.array([[0, 2], [1, 1], [1, 0], [2, 1]]),),
    ),
    mistakes=(
        Mistake(lambda d: d[: len(d) - d.shape[1] + 1], "the first N rows as they stand: column q must move up by q"),
        Mistake(lambda d: d[d.shape[1] - 1 :], "the last N rows as they stand: only the last codebook begins there"),
        Mistake(_shifted_back, "moved up, but not cut: the corners hold no codes, and N is Q - 1 less than the number of rows"),
        Mistake(lambda d: rvq.undelay_pattern(d, range(d.shape[1])[::-1]), "moved the wrong way: codebook 0 has delay 0, the last one Q - 1"),
    ),
    section=_SECTION + "“One row of tokens”",
)  # fmt: skip


def _ids(codes, K):
    return (codes + K * np.arange(codes.shape[1])).ravel()


flatten = Exercise(
    name="lay codes in one row",
    answer=_ids,
    cases=((np.array([[1, 2], [3, 0]]), 10), (np.array([[5, 0, 7], [1, 1, 1], [0, 6, 2]]), 8)),
    mistakes=(
        Mistake(lambda c, K: c.ravel(), "not shifted: code 5 of the first codebook and code 5 of the second are one id now, and they mean different things"),
        Mistake(lambda c, K: (c + K * np.arange(c.shape[1])).T.ravel(), "codebook after codebook: the first frame would be complete only at the very end. "
                "All codes of a frame, then the next frame"),
        Mistake(lambda c, K: c.T.ravel(), "codebook after codebook, and not shifted: all codes of a frame come first, each codebook with ids of its own"),
        Mistake(lambda c, K: (c + np.arange(c.shape[1])).ravel(), "shifted by q; every codebook has K codes, so codebook q starts at q · K"),
        Mistake(lambda c, K: _ids(c, K) + K, "one codebook too far: the first one starts at 0"),
        Mistake(lambda c, K: (c + K * np.arange(len(c))[:, None]).ravel(), "shifted by the frame: its number is the place in the row, not part of the id. Shift by the codebook"),
        Mistake(lambda c, K: c + K * np.arange(c.shape[1]), "still a table: a language model reads one sequence"),
    ),
    section=_SECTION + "“One row of tokens”",
)  # fmt: skip


dropout = Exercise(
    name="draw how many stages to keep",
    answer=rvq.draw_stages,
    cases=((np.array([0.0, 0.19, 0.3, 0.5, 0.999]), 4), (np.array([0.0, 0.124, 0.126, 0.99]), 8)),
    mistakes=(
        Mistake(lambda u, Q: (u * (Q - 1)).astype(int) + 1, "the upper bound is left out: Q itself is never drawn, so the last codebook never learns. "
                "(torch.randint and Python's range leave theirs out as well)"),
        Mistake(lambda u, Q: (u * Q).astype(int), "0 to Q - 1: with zero stages nothing is left to decode, and all Q never come. Add 1"),
        Mistake(lambda u, Q: (u * (Q + 1)).astype(int), "0 to Q: zero stages are nothing to decode"),
        Mistake(lambda u, Q: np.ceil(u * Q).astype(int), "right but for a draw of exactly 0, which draws in [0, 1) can be: zero stages. Floor, then add 1"),
        Mistake(lambda u, Q: np.rint(u * (Q - 1)).astype(int) + 1, "rounded: 1 and Q come half as often as the others"),
        Mistake(lambda u, Q: np.rint(u * Q).astype(int), "rounded from 0: zero stages come, and the two ends half as often as the others"),
    ),
    section=_SECTION + "“Dropping stages”",
)  # fmt: skip


def _heard(seconds, window, per_window):
    return math.ceil(seconds / window) * per_window


listen = Exercise(
    name="count what a listener reads",
    answer=_heard,
    cases=((3, 30, 1500), (30, 30, 1500), (61, 30, 375)),
    mistakes=(
        Mistake(lambda s, window, n: math.ceil(s * n / window), "in proportion to the sound; a window is filled up with silence and costs all its tokens"),
        Mistake(lambda s, window, n: n, "one window, whatever the length: that is Whisper's encoder, which cuts the rest off. Here every started window counts"),
        Mistake(lambda s, window, n: int(s // window * n), "full windows only: the rest of the sound is not heard"),
        Mistake(lambda s, window, n: (int(s // window) + 1) * n, "one window too many where the sound fills its last one exactly: round up, do not add one"),
    ),
    section=_SECTION + "“Two roads for sound”",
)  # fmt: skip

EXERCISES = (encode, decode, snr, bits, context, delay, undelay, flatten, dropout, listen)
