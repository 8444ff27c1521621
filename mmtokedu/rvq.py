"""Sound becomes layers of codes: the MDCT, residual quantization, rates, and the ways to lay codes out in a row."""

import functools
import math

import numpy as np

from mmtokedu._dispatch import has_cuda_twin
from mmtokedu.arguments.common import check_codes, check_finite, check_number, check_samples, positive
from mmtokedu.arguments.rvq import (
    check_columns,
    check_delays,
    check_draws,
    check_frames,
    check_hop,
    check_loudness,
    check_pad,
    check_residual,
    check_row_of_ids,
    check_sound,
    check_stack,
    check_table,
    check_undelay,
)
from mmtokedu.catalog import codecs, listeners
from mmtokedu.media.sound import load_sound as load_sound
from mmtokedu.media.sound import sound_levels as sound_levels
from mmtokedu.vq import _computable, _Search, look_up, nearest_code

ROWS = 4096  # vectors that go through the stages together


# Residual quantization


def rvq_encode_plain(vectors, codebooks):
    """`rvq_encode` as the definition reads, one stage after the other: the version to read.

    vectors (N, D), codebooks (Q, K, D) -> codes (N, Q) int64.
    Source: SoundStream (arXiv 2107.03312, algorithm 1).

    >>> rvq_encode_plain(np.array([[1.2]]), np.array([[[0.0], [1.0]], [[0.0], [0.25]]])).tolist()
    [[1, 1]]
    """
    codes, residual = [], vectors.astype(np.result_type(vectors, codebooks, np.float32))
    for codebook in codebooks:
        codes.append(nearest_code(residual, codebook))
        residual = residual - look_up(codes[-1], codebook)
    return np.stack(codes, axis=1)


@has_cuda_twin
def rvq_encode(vectors, codebooks):
    """Residual quantization: each stage quantizes what the stages before it left over.

    vectors (N, D) and codebooks (Q, K, D), floats of any width; returns codes (N, Q) int64. Each is the nearest, as
    `nearest_code` has it, of what the codes before it left: computed in float32, or float64 where one of them is that.
    A block of rows goes through all the stages before the next block is fetched, so its residuals stay in cache.

    Raises ValueError for shapes that do not fit, a stack without codes, or numbers that are not finite.
    Source: SoundStream (arXiv 2107.03312, algorithm 1).

    >>> rvq_encode(np.array([[1.2], [-0.1]]), np.array([[[0.0], [1.0]], [[0.0], [0.25]]])).tolist()
    [[1, 1], [0, 0]]
    """
    largest = check_residual(vectors, codebooks)
    vectors, codebooks = _computable(vectors, codebooks, *largest)
    codes, searches = np.empty((len(vectors), len(codebooks)), np.int64), []
    for start in range(0, len(vectors), ROWS):
        residual = vectors[start : start + ROWS].copy()
        for q, codebook in enumerate(codebooks):
            if start == 0:  # the first block says where its stage's vectors lie
                searches.append(_Search(codebook, residual))
            found = searches[q](residual)
            codes[start : start + ROWS, q] = found
            residual -= codebook[found]
    return codes


@has_cuda_twin
def rvq_decode(codes, codebooks):
    """The sum of the entries that codes stand for: codes (N, Q) int, codebooks (Q, K, D) -> (N, D).

    With fewer columns than codebooks only the first stages are added: the same sound, coarser. On torch tensors a
    gradient goes to the codebooks. Halves are added as float32.
    Raises TypeError for codes that are no integers, ValueError for a code out of range or more columns than codebooks.
    Source: SoundStream (arXiv 2107.03312, section III-C).

    >>> codebooks = np.array([[[0.0], [1.0]], [[0.0], [0.25]]])
    >>> rvq_decode(np.array([[1, 1]]), codebooks).tolist(), rvq_decode(np.array([[1]]), codebooks).tolist()
    ([[1.25]], [[1.0]])
    """
    check_stack(codebooks)
    codes = check_codes(check_columns(codes, codebooks.shape), codebooks.shape[1])
    total = np.zeros((len(codes), codebooks.shape[2]), np.result_type(codebooks, np.float32))
    for codebook, column in zip(codebooks, codes.T):
        total += codebook[column]
    return total.astype(codebooks.dtype, copy=False)


@has_cuda_twin
def draw_stages(draws, Q):
    """Quantizer dropout: how many stages each item keeps, from 1 to Q, all equally likely, Q itself among them.

    draws (...) are random numbers in [0, 1); returns int64 of the same shape.
    Raises TypeError for draws that are no floats, ValueError for draws outside [0, 1) or Q below 1.
    Source: SoundStream (arXiv 2107.03312, section III-C).

    >>> draw_stages(np.array([0.0, 0.3, 0.999]), 4).tolist()
    [1, 2, 4]
    """
    draws = np.asarray(draws)
    Q = check_draws(draws, Q, *((draws.min(), draws.max()) if draws.size else (0, 0)))
    return (draws.astype(np.float64) * Q).astype(np.int64) + 1


# Rates


def bitrate(frame_rate, codebooks, codebook_size):
    """Bits a second of a codec: frames a second x codebooks x log2(codebook size).

    frame_rate in Hz, the other two counts; returns bit/s as a float. It is what a fixed number of bits a code needs;
    codes that are not equally likely can be stored in fewer.
    Raises ValueError for a frame rate that is not above 0, or counts below 1.
    Source: EnCodec (arXiv 2210.13438, section 3.2).

    >>> bitrate(75, 8, 1024)
    6000.0
    """
    frame_rate = check_number(frame_rate, "frame_rate", "frames a second")
    stages, size = positive(codebooks, "codebooks"), positive(codebook_size, "codebook_size")
    return frame_rate * stages * math.log2(size)


def tokens_per_second(codec, codebooks=None):
    """Codes that a codec of the catalog makes of a second of sound, on the long run.

    codec: a name of `mmtokedu/catalog/codecs.toml`. codebooks: how many are used, one of the row's counts; None is
    what the codec's own tools use. Returns a float: frames a second, times the codes of a frame (SNAC's slow stages
    have one every few frames), and EnCodec's 48 kHz pieces of a second overlap by 1 %.
    Raises ValueError for an unknown name, which it answers with all names, or a count that the codec does not have.
    Source: the codec's row.

    >>> tokens_per_second("encodec-24k"), tokens_per_second("mimi"), tokens_per_second("mimi", 32)
    (600.0, 100.0, 400.0)
    """
    row = codecs.row(codec)
    used = row.default if codebooks is None else positive(codebooks, "codebooks")
    if used not in row.codebooks:
        raise ValueError(f"{codec} has no {used} codebooks; it is used with {', '.join(map(str, row.codebooks))}")
    a_frame = sum(1 / stride for stride in row.strides or (1,) * used)
    if row.chunk:
        length, step = row.chunk
        return codecs.frames_of(row, length) * a_frame * row.sample_rate / step
    return row.sample_rate / row.hop * a_frame


def audio_tokens(model, seconds):
    """Tokens that a sound of this length is to a model: a listener's places in the sequence, or a codec's codes.

    model: a name of `mmtokedu/catalog/listeners.toml` (places, with the padding that the model itself adds, without
    start and end markers) or of codecs.toml (codes of all codebooks that its own tools use, the last frame filled up).
    Raises ValueError for an unknown name, which it answers with all names, for less than one sample, for more than
    10**9 seconds and for what the model refuses; TypeError for seconds that are no number.
    Source: the model's row.

    >>> audio_tokens("whisper", 3), audio_tokens("qwen2-audio", 3), audio_tokens("mimi", 3)
    (1500, 75, 304)
    """
    if model in list(codecs.rows()):
        row = codecs.row(model)
        samples = check_samples(seconds, row.sample_rate)
        frames = sum(count * codecs.frames_of(row, length) for length, count in codecs.pieces_of(row, samples))
        return sum(frames // stride for stride in row.strides or (1,) * row.default)
    if model not in list(listeners.rows()):
        known = ", ".join([*listeners.rows(), *codecs.rows()])
        raise ValueError(f"unknown model {model!r}; known are {known}")
    return listeners.listener_tokens(model, seconds)


# Layouts


def flatten_codes(codes):
    """All codes of a frame, then those of the next: codes (N, Q) -> ids (N*Q,) int64, without offsets.

    Raises TypeError for codes that are no integers, ValueError unless they have two axes.
    Source: AudioLM (arXiv 2209.03143, section III-C).

    >>> flatten_codes(np.array([[1, 2], [3, 4]])).tolist()
    [1, 2, 3, 4]
    """
    return check_table(codes).reshape(-1)


def unflatten_codes(ids, codebooks):
    """The inverse of `flatten_codes`: ids (N*Q,) and the number of codebooks Q -> codes (N, Q) int64.

    Raises TypeError for ids that are no integers, ValueError where Q does not divide their number.
    Source: AudioLM (arXiv 2209.03143, section III-C).

    >>> unflatten_codes(np.array([1, 2, 3, 4]), 2).tolist()
    [[1, 2], [3, 4]]
    """
    ids, Q = check_row_of_ids(ids, codebooks)
    return ids.reshape(-1, Q)


@has_cuda_twin
def delay_pattern(codes, pad, delays=None):
    """Codebook q starts `delays[q]` steps later: codes (N, Q) -> (N + max(delays), Q) int64, `pad` where nothing is.

    delays None is 0, 1, ..., Q-1; any whole numbers from 0 on will do, sorted or not.
    Raises ValueError unless there is one delay a codebook, and `pad` is none of the codes.
    Source: MusicGen (arXiv 2306.05284, section 2.2); unsorted delays as in Moshi (arXiv 2410.00037, section 3.4.4).

    >>> delay_pattern(np.array([[1, 2], [3, 4]]), pad=9).tolist()
    [[1, 9], [3, 2], [9, 4]]
    """
    codes = check_table(codes)
    delays = check_delays(delays, codes.shape[1])
    pad = check_pad(codes, pad)
    out = np.full((len(codes) + max(delays), codes.shape[1]), pad)
    for q, delay in enumerate(delays):
        out[delay : delay + len(codes), q] = codes[:, q]
    return out


@has_cuda_twin
def undelay_pattern(codes, delays=None):
    """The inverse of `delay_pattern`: (N + max(delays), Q) -> (N, Q) int64. What stands in the corners is dropped.

    Raises ValueError unless there is one delay a codebook and at least as many rows as the largest of them.
    Source: MusicGen (arXiv 2306.05284, section 2.2).

    >>> undelay_pattern(np.array([[1, 9], [3, 2], [9, 4]])).tolist()
    [[1, 2], [3, 4]]
    """
    codes = check_table(codes)
    delays = check_delays(delays, codes.shape[1])
    frames = check_undelay(len(codes), delays)
    return np.stack([codes[delay : delay + frames, q] for q, delay in enumerate(delays)], axis=1)


# The transform


@has_cuda_twin
def mdct(sound, hop):
    """The modified discrete cosine transform: a sound (T,) as frames (N, hop), hop numbers for every hop samples.

    N is ceil(T / hop) + 1. A frame sees 2*hop samples under a window that rises and falls as a sine, so every sample
    is seen twice, and `imdct` gives the sound back. The frames hold as many numbers as the sound has samples (and one
    frame more), and their squares have the same sum. Computed in float32, or float64 where the sound is that; on torch
    tensors a gradient goes to the sound.

    Raises TypeError for a sound that is not of floats, ValueError for one that is empty, not finite or has several
    channels, or a hop outside 1 to 2048.
    Source: Princen, Johnson and Bradley (ICASSP 1987).

    >>> mdct(np.zeros(1000), 160).shape
    (8, 160)
    """
    hop = check_sound(sound, hop)
    check_loudness(check_finite(sound, "sound"), "sound")
    blocks = np.zeros((-(-len(sound) // hop) + 2, hop), np.result_type(sound, np.float32))
    blocks.reshape(-1)[hop : hop + len(sound)] = sound  # silence before, silence after
    windows = np.concatenate([blocks[:-1], blocks[1:]], axis=1)  # (N, 2*hop)
    return windows @ mdct_basis(hop).T.astype(blocks.dtype)


@has_cuda_twin
def imdct(frames, length):
    """The inverse of `mdct`: the sound (T,) of `length` samples from its frames (N, hop).

    A frame alone gives its half of the sound and the half's mirror image; the mirror image in the next frame has the
    opposite sign, so adding the two leaves the sound. On torch tensors a gradient goes to the frames.
    Raises TypeError for frames that are not floats, ValueError unless N is ceil(length / hop) + 1 and all is finite.
    Source: Princen, Johnson and Bradley (ICASSP 1987).

    >>> sound = np.sin(np.arange(1000) / 9)
    >>> bool(np.allclose(imdct(mdct(sound, 160), 1000), sound))
    True
    """
    length = check_frames(frames, length)
    check_loudness(check_finite(frames, "frames"), "frames")
    hop, dtype = frames.shape[1], np.result_type(frames, np.float32)
    halves = (frames.astype(dtype, copy=False) @ mdct_basis(hop).astype(dtype)).reshape(-1, 2, hop)
    return (halves[:-1, 1] + halves[1:, 0]).reshape(-1)[:length]


@functools.lru_cache(maxsize=4)
def mdct_basis(hop):
    """The windowed cosines of `mdct`, (hop, 2*hop) float64: a row a frequency, rows and overlapping frames orthonormal.

    Row k is the frequency (k + 1/2) / (2*hop) of the sample rate. The array is kept and read-only.
    Raises ValueError for a hop outside 1 to 2048.
    Source: Princen, Johnson and Bradley (ICASSP 1987).

    >>> basis = mdct_basis(4)
    >>> bool(np.allclose(basis @ basis.T, np.eye(4)))
    True
    """
    hop = check_hop(hop)
    n, k = np.arange(2 * hop), np.arange(hop)
    window = np.sin(np.pi * (n + 0.5) / (2 * hop))
    basis = np.sqrt(2 / hop) * window * np.cos(np.pi / hop * np.outer(k + 0.5, n + 0.5 + hop / 2))
    basis.flags.writeable = False
    return basis
