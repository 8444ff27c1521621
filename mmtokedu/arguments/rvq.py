"""What `mmtokedu.rvq` refuses, shared by the NumPy functions and their torch twins."""

import numpy as np

from mmtokedu.arguments.common import (
    check_array,
    check_finite,
    check_floats,
    check_matrix,
    check_vectors,
    positive,
    whole,
)

LONGEST_HOP = 2048  # the transform is a product with hop x 2*hop numbers
LONGEST_DELAY = 1_000_000  # frames


# Stacks of codebooks and their codes


def check_stack(codebooks):
    """Raise unless codebooks are an array (Q, K, D) of floats with at least one of each."""
    check_floats(codebooks, "codebooks")
    if len(codebooks.shape) != 3 or 0 in codebooks.shape:
        raise ValueError(
            f"codebooks have shape {tuple(codebooks.shape)}; expected (Q, K, D), at least one of each "
            "(one codebook: codebook[None])"
        )


def check_residual(vectors, codebooks):
    """The largest magnitude in the vectors, and in each codebook, or an error."""
    check_stack(codebooks)
    check_vectors(vectors, codebooks.shape[2])
    reach = check_finite(vectors, "vectors")
    return reach, [check_finite(codebook, f"codebooks[{q}]") for q, codebook in enumerate(codebooks)]


def check_table(codes):
    """codes as int64, or an error unless they are integers (N, Q), Q at least 1."""
    check_integers(codes, "codes")
    if len(codes.shape) != 2 or codes.shape[1] < 1:
        raise ValueError(f"codes have shape {tuple(codes.shape)}; expected (N, Q), a row a frame, a column a codebook")
    return _int64(codes)


def check_integers(x, name):
    """Raise TypeError unless x is an array or a tensor of integers."""
    check_array(x, name)
    if isinstance(x, np.ndarray):
        whole = x.dtype.kind in "iu"
    else:
        whole = not (x.dtype.is_floating_point or x.dtype.is_complex or str(x.dtype) == "torch.bool")
    if not whole:
        raise TypeError(f"{name} are {x.dtype}; expected integers")


def _int64(x):
    return x.astype(np.int64, copy=False) if isinstance(x, np.ndarray) else x.long()


def check_columns(codes, shape):
    """codes (N, Q') as int64, or an error unless Q' is at most the Q of a stack of this shape (Q, K, D)."""
    codes = check_table(codes)
    if codes.shape[1] > shape[0]:
        raise ValueError(f"codes have {codes.shape[1]} columns; there are {shape[0]} codebooks (codes[:, :{shape[0]}])")
    return codes


def check_row_of_ids(ids, codebooks):
    """(ids as int64, codebooks), or an error unless ids are a row of a multiple of so many integers."""
    Q = positive(codebooks, "codebooks")
    check_integers(ids, "ids")
    if len(ids.shape) != 1 or len(ids) % Q:
        raise ValueError(
            f"ids have shape {tuple(ids.shape)}; {Q} codebooks need (N*{Q},), whole frames (was it cut inside one?)"
        )
    return _int64(ids), Q


def check_delays(delays, Q):
    """One delay a codebook as a list of ints, or an error."""
    try:
        delays = list(range(Q) if delays is None else delays)
    except TypeError:
        raise TypeError(f"delays is {delays!r}; expected {Q} whole numbers, as {list(range(Q))}") from None
    delays = [whole(delay, "a delay") for delay in delays]
    if len(delays) != Q or not all(0 <= delay <= LONGEST_DELAY for delay in delays):
        raise ValueError(f"delays are {delays}; expected {Q} whole numbers from 0 to {LONGEST_DELAY}")
    return delays


def check_pad(codes, pad):
    """pad as an int, or an error where it is a code that occurs or no int64."""
    pad = whole(pad, "pad")
    if not -(2**63) <= pad < 2**63:
        raise ValueError(f"pad is {pad}; expected an int64")
    if (codes == pad).any():
        raise ValueError(f"pad {pad} is also a code; give it an id of its own (the codebook size is free)")
    return pad


def check_undelay(rows, delays):
    """How many frames there are in so many rows of a delayed sequence, or an error."""
    if rows < max(delays):
        raise ValueError(f"{rows} rows are fewer than the largest delay, {max(delays)} (was the sequence cut?)")
    return rows - max(delays)


# Numbers


def check_draws(draws, Q, low, high):
    """Q as an int, or an error; draws of floats that reach from low to high must lie in [0, 1)."""
    Q = positive(Q, "Q")
    check_floats(draws, "draws")
    if not (0 <= low and high < 1):
        raise ValueError(f"draws reach from {low} to {high}; expected numbers in [0, 1)")
    return Q


# Sounds


def check_sound(sound, hop):
    """hop as an int, or an error unless sound is mono (T,), floats, at least one, and hop a length of frames."""
    check_floats(sound, "sound")
    if len(sound.shape) != 1 or not len(sound):
        raise ValueError(
            f"sound has shape {tuple(sound.shape)}; expected (T,), one channel of at least one sample "
            "(several: their mean, or one after the other)"
        )
    return check_hop(hop)


def check_hop(hop):
    """hop as an int, or an error."""
    hop = positive(hop, "hop")
    if hop > LONGEST_HOP:
        raise ValueError(f"hop is {hop}; expected 1 to {LONGEST_HOP} samples")
    return hop


def check_frames(frames, length):
    """length as an int, or an error unless frames (N, hop) are those of a sound of `length` samples."""
    check_matrix(frames, "frames")
    hop, length = check_hop(frames.shape[1]), positive(length, "length")
    need = -(-length // hop) + 1
    if len(frames) != need:
        raise ValueError(f"{len(frames)} frames of {hop} are no sound of {length} samples: that has {need} frames")
    return length


def check_loudness(largest, name):
    """Raise ValueError for numbers so large that their sums may not be finite."""
    if not largest < 1e30:
        raise ValueError(f"{name} reaches {largest:.6g}; a sound's full scale is 1")
