"""Exercises of the residual quantization chapter."""

import math

import numpy as np

from mmtokedu import rvq
from mmtokedu.course import Exercise, Mistake, slip

_SECTION = "Sound codes, "

_STAGES = np.array([[[0.0], [4.0], [8.0]], [[-1.5], [0.0], [1.0]], [[-0.4], [0.0], [0.3]]])
_NUMBERS = np.array([[5.2], [3.1], [8.4], [-1.0], [2.6], [4.7]])
_PAIR = np.array([[[0.0, 0.0], [4.0, 0.0]], [[0.0, -2.0], [-1.0, 1.0]]])


def _nearest(vectors, codebook):
    return ((vectors[:, None] - codebook[None]) ** 2).sum(axis=-1).argmin(axis=1)


def _first_alone(codebooks):
    return np.repeat(codebooks[:1], len(codebooks), axis=0)


def _last_first(codebooks):
    return codebooks[::-1]


def _encode(
    vectors, codebooks, left=lambda residual, entries: residual - entries, books=lambda codebooks: codebooks, axis=1
):
    codes, residual = [], vectors
    for codebook in books(codebooks):
        codes.append(_nearest(residual, codebook))
        residual = left(residual, codebook[codes[-1]])
    return np.stack(codes, axis=axis)


encode = Exercise(
    name="quantize what is left",
    answer=rvq.rvq_encode_plain,
    cases=((_NUMBERS, _STAGES), (np.array([[3.0, 1.0], [0.0, -2.0], [2.5, -1.0]]), _PAIR)),
    mistakes=(
        slip(_encode, "every stage quantized the vectors themselves. From the second stage on it is the residual: subtract what the stages "
                      "before have chosen", left=lambda residual, entries: residual),
        slip(_encode, "the chosen entry was added; what is left is the residual minus it", left=lambda residual, entries: residual + entries),
        slip(_encode, "the residual has the wrong sign: it is the vector minus its entry, so that the entries add up to the vector",
             left=lambda residual, entries: entries - residual),
        slip(_encode, "the first codebook was used at every stage; each stage has its own, made for residuals of its size", books=_first_alone),
        slip(_encode, "the stages ran from the last to the first: the finest codebook met whole vectors", books=_last_first),
        slip(_encode, "a row a stage; codes are (N, Q), a row a frame: stack along axis 1", axis=0),
    ),
    section=_SECTION + "“What the last one missed”",
)  # fmt: skip


def _rebuilt(codes, codebooks, together=lambda entries: entries.sum(axis=0), books=lambda codebooks: codebooks):
    """`together` of the entries that the codes stand for, (Q, N, D)."""
    return together(np.stack([codebook[column] for codebook, column in zip(books(codebooks), codes.T)]))


decode = Exercise(
    name="rebuild from codes",
    answer=rvq.rvq_decode,
    cases=(
        (np.array([[1, 2, 0], [0, 0, 2]]), _STAGES),
        (np.array([[1, 2], [0, 0]]), _STAGES),
        (np.array([[1, 1], [0, 1]]), _PAIR),
    ),
    mistakes=(
        slip(_rebuilt, "the last stage only, which is the smallest correction. The stages add up", together=lambda entries: entries[-1]),
        slip(_rebuilt, "the first stage only: the outline without its corrections. Add all stages that there are codes for",
             together=lambda entries: entries[0]),
        slip(_rebuilt, "the mean of the stages; each stage is what the ones before it lacked, so it is added whole",
             together=lambda entries: entries.mean(axis=0)),
        slip(_rebuilt, "the entries stand side by side; they have one meaning, so add them", together=lambda entries: np.concatenate(entries, axis=1)),
        slip(_rebuilt, "every code was looked up in the first codebook; column q belongs to codebook q", books=_first_alone),
        slip(_rebuilt, "the codebooks stand in reverse order: column 0 belongs to codebook 0", books=_last_first),
    ),
    section=_SECTION + "“What the last one missed”",
)  # fmt: skip


def _snr(
    sound,
    rebuilt,
    scale=10,
    log=np.log10,
    over=lambda signal, noise: signal / noise,
    energy=np.square,
    heard=lambda x, y: x,
):
    signal, noise = energy(heard(sound, rebuilt)).sum(), energy(sound - rebuilt).sum()
    return float(scale * log(over(signal, noise)))


snr = Exercise(
    name="measure the signal-to-noise ratio",
    answer=_snr,
    cases=(
        (np.array([1.0, -1.0, 1.0, -1.0]), np.array([0.9, -0.9, 0.9, -0.9])),
        (np.array([3.0, 4.0, 0.0]), np.array([3.0, 3.0, 2.0])),
        (np.array([0.5, 0.5]), np.array([0.5, -0.5])),
    ),
    mistakes=(
        slip(_snr, "20 log10 of a ratio of powers; squares are powers, and powers take 10 (20 is for amplitudes)", scale=20),
        slip(_snr, "10 log10 of a ratio of amplitudes: either leave the root out, or take 20", over=lambda signal, noise: math.sqrt(signal / noise)),
        slip(_snr, "upside down: the sound's energy over the error's, so that a better codec has the larger number",
             over=lambda signal, noise: noise / signal),
        slip(_snr, "the natural logarithm; decibels are 10 times the logarithm to base 10", log=np.log),
        slip(_snr, "bels: ten decibels to each, so multiply by 10", scale=1),
        slip(_snr, "the rebuilt sound's energy above the line: a codec that is too loud would gain by it. The signal is the original",
             heard=lambda x, y: y),
        slip(_snr, "absolute values summed; energy is the sum of squares", energy=np.abs),
    ),
    section=_SECTION + "“One codebook is not enough”",
)  # fmt: skip


def _bits(sample_rate, hop, Q, K, frames=lambda rate, hop: rate / hop, codes=lambda Q: Q, each=math.log2):
    return frames(sample_rate, hop) * codes(Q) * each(K)


bits = Exercise(
    name="work out a bitrate",
    answer=lambda rate, hop, Q, K: rvq.bitrate(rate / hop, Q, K),
    cases=((24000, 320, 8, 1024), (44100, 512, 9, 1024), (24000, 1920, 8, 2048)),
    mistakes=(
        slip(_bits, "K for log2(K): naming one of 1024 codes takes 10 bits, not 1024", each=lambda K: K),
        slip(_bits, "the natural logarithm gives nats; bits are log2", each=math.log),
        slip(_bits, "the frame rate was rounded up to a whole number: 44100 / 512 is 86.13 frames a second on the long run. "
                    "(Some configurations store the rounded one)", frames=lambda rate, hop: math.ceil(rate / hop)),
        slip(_bits, "the frame rate was cut to a whole number: // for /", frames=lambda rate, hop: rate // hop),
        slip(_bits, "one frame a sample: a frame comes every `hop` samples", frames=lambda rate, hop: rate),
        slip(_bits, "hop is samples a frame, not frames a second: sample_rate / hop", frames=lambda rate, hop: hop),
        slip(_bits, "one codebook only: a frame has Q codes", codes=lambda Q: 1),
        Mistake(lambda rate, hop, Q, K: rate / hop * math.log2(Q * K), "log2(Q · K) names one code of all codebooks together; a frame names Q of them, "
                "one after the other: Q · log2(K)"),
    ),
    section=_SECTION + "“What a second costs”",
)  # fmt: skip


def _seconds(context, text, frame_rate, Q, room=lambda context, text: context - text, frames=lambda room, Q: room // Q,
             time=lambda frames, rate: frames / rate):  # fmt: skip
    return time(frames(room(context, text), Q), frame_rate)


context = Exercise(
    name="fill a context with sound",
    answer=lambda context, text, frame_rate, Q: _seconds(context, text, frame_rate, Q),
    cases=((32768, 0, 75.0, 8), (32768, 500, 12.5, 8), (4100, 104, 75.0, 8)),
    mistakes=(
        slip(_seconds, "a frame counted as one token; flattened, it is Q of them", frames=lambda room, Q: room),
        slip(_seconds, "part of a frame was counted: with some of its codes missing, the last frame cannot be decoded. Whole frames: //",
             frames=lambda room, Q: room / Q),
        slip(_seconds, "multiplied by Q: more codes a frame leave room for fewer frames", frames=lambda room, Q: room * Q),
        slip(_seconds, "the text's tokens sit in the same context: subtract them first", room=lambda context, text: context),
        slip(_seconds, "that is frames; divide by frames a second", time=lambda frames, rate: frames),
        slip(_seconds, "frames times frames a second: seconds are frames divided by the rate", time=lambda frames, rate: frames * rate),
    ),
    section=_SECTION + "“What a second costs”",
)  # fmt: skip


def _delayed(codes, pad, fill=lambda pad: pad, starts=lambda Q: range(Q), rows=lambda N, Q: N + Q - 1):
    N, Q = codes.shape
    out = np.full((rows(N, Q), Q), fill(pad))
    for q, start in enumerate(starts(Q)):
        length = max(0, min(N, len(out) - start))
        out[start : start + length, q] = codes[:length, q]
    return out


def _rolled(codes):
    return np.stack([np.roll(column, q) for q, column in enumerate(codes.T)], axis=1)


delay = Exercise(
    name="delay the codebooks",
    answer=lambda codes, pad: rvq.delay_pattern(codes, pad),
    cases=((np.array([[1, 2, 3], [4, 5, 6]]), 9), (np.array([[7, 8]]), 2048), (np.array([[0, 1], [1, 0], [1, 1]]), 2)),
    mistakes=(
        slip(_delayed, "the corners are filled with 0, which is also a code; fill them with `pad`, an id of its own", fill=lambda pad: 0),
        slip(_delayed, "the last codebook comes first: the delays are 0, 1, …, Q-1, so that a fine code follows the coarse one it corrects",
             starts=lambda Q: range(Q)[::-1]),
        slip(_delayed, "every codebook starts one step late: the first has delay 0", starts=lambda Q: range(1, Q + 1), rows=lambda N, Q: N + Q),
        slip(_delayed, "cut at N rows: the last codes of the delayed codebooks are lost. N + Q - 1 rows hold them", rows=lambda N, Q: N),
        slip(_delayed, "one row too many: the last codebook starts at row Q - 1, so N + Q - 1 rows hold everything", rows=lambda N, Q: N + Q),
        slip(_delayed, "no delay at all: column q starts q rows lower", starts=lambda Q: [0] * Q),
        Mistake(lambda c, pad: _rolled(c), "rolled: what falls off the end came back at the start, so the first step holds codes of the last frame"),
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


def _ids(codes, K, shift=lambda codes, K: K * np.arange(codes.shape[1]), read=np.ravel):
    return read(codes + shift(codes, K))


flatten = Exercise(
    name="lay codes in one row",
    answer=lambda codes, K: _ids(codes, K),
    cases=((np.array([[1, 2], [3, 0]]), 10), (np.array([[5, 0, 7], [1, 1, 1], [0, 6, 2]]), 8)),
    mistakes=(
        slip(_ids, "not shifted: code 5 of the first codebook and code 5 of the second are one id now, and they mean different things",
             shift=lambda codes, K: 0),
        slip(_ids, "codebook after codebook: the first frame would be complete only at the very end. All codes of a frame, then the next frame",
             read=lambda ids: ids.T.ravel()),
        Mistake(lambda c, K: c.T.ravel(), "codebook after codebook, and not shifted: all codes of a frame come first, each codebook with ids of its own"),
        slip(_ids, "shifted by q; every codebook has K codes, so codebook q starts at q · K", shift=lambda codes, K: np.arange(codes.shape[1])),
        slip(_ids, "one codebook too far: the first one starts at 0", shift=lambda codes, K: K * np.arange(1, 1 + codes.shape[1])),
        slip(_ids, "shifted by the frame: its number is the place in the row, not part of the id. Shift by the codebook",
             shift=lambda codes, K: K * np.arange(len(codes))[:, None]),
        slip(_ids, "still a table: a language model reads one sequence", read=lambda ids: ids),
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
    section=_SECTION + "“Inside a codec”",
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
    section=_SECTION + "“What is said and how it sounds”",
)  # fmt: skip

EXERCISES = (encode, decode, snr, bits, context, delay, undelay, flatten, dropout, listen)
