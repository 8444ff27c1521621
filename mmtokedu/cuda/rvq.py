"""Torch twins of `mmtokedu.rvq`; the docstrings are there."""

import functools

import torch

from mmtokedu import rvq
from mmtokedu.arguments.common import check_floats, check_vectors
from mmtokedu.arguments.rvq import (
    check_columns,
    check_delays,
    check_draws,
    check_frames,
    check_loudness,
    check_pad,
    check_sound,
    check_stack,
    check_table,
    check_undelay,
)
from mmtokedu.cuda.vq import (
    _array,
    _check_device,
    _codes,
    _ends,
    _largest,
    _way,
    _working_dtype,
    nearest_code,
)
from mmtokedu.vq import _float32_will_do

WIDEST = 256  # numbers in a vector that fit beside the scores on a chip


@torch.no_grad()
def rvq_encode(vectors, codebooks):
    """See `mmtokedu.rvq.rvq_encode`. On a card one kernel goes through all stages; each product is three of halves."""
    check_stack(codebooks)
    check_vectors(vectors, codebooks.shape[2])
    _check_device(vectors=vectors, codebooks=codebooks)
    way = _way(vectors)
    if way == "numpy":
        return torch.from_numpy(rvq.rvq_encode(_array(vectors), _array(codebooks))).to(vectors.device)
    if way == "triton" and _working_dtype(vectors, codebooks) == torch.float32 and vectors.shape[1] <= WIDEST:
        ends = _ends(vectors, codebooks, [f"codebooks[{q}]" for q in range(len(codebooks))])
        if _float32_will_do(ends.reach, ends.largest):
            return _by_kernel(vectors.float(), codebooks.float(), ends)
    stages = {f"codebooks[{q}]": codebook for q, codebook in enumerate(codebooks)}
    reach, *largest = _largest(vectors=vectors, **stages)
    dtype = _working_dtype(vectors, codebooks)
    dtype = dtype if _float32_will_do(reach, largest) else torch.float64
    return _by_stages(vectors.to(dtype), codebooks.to(dtype))


def _by_kernel(vectors, codebooks, ends):
    """Every code of every stage from one launch; one before makes tables of the codes, one after settles doubts.

    A float32 number x is high + low, two float16 numbers, with an error under 2^-22 |x|; the products high*high,
    high*low and low*high, summed in float32, are near enough to the product of the two numbers themselves, but for rows
    that have two codes about as near in some stage. These are listed, and go through all stages again by their
    differences in float64: few of most data, all where the codes lie close together far from the origin.
    """
    from mmtokedu.cuda.kernels import exact, tables
    from mmtokedu.cuda.kernels import rvq as kernels

    Q, K, D = codebooks.shape
    vectors, codebooks = vectors.contiguous(), codebooks.contiguous()
    make = functools.partial(torch.empty, device=vectors.device)
    codes = make((len(vectors), Q), dtype=torch.int64)
    if not len(vectors):
        return codes
    offsets, scales = ends.on(vectors.device)
    high, low = make((2, Q, K, D), dtype=torch.float16)
    bias, doubt = make((Q, K), dtype=torch.float32), make(len(vectors), dtype=torch.int32)
    zeros = torch.zeros(2 * Q + 1, dtype=torch.int32, device=vectors.device)
    longest, doubts = zeros[:-1].view(torch.float32), zeros[-1:]
    tables.tables(codebooks, offsets, scales, high, low, bias, longest)
    kernels.encode(vectors, codebooks, high, low, bias, offsets, scales, longest, codes, doubt, doubts)
    left = make(exact.room(vectors), dtype=torch.float32)
    exact.exact(vectors, codebooks, doubt, doubts, left, codes)
    return codes


def _by_stages(vectors, codebooks):
    """The definition: a search a stage, the residual in memory between them."""
    codes, residual = [], vectors
    for codebook in codebooks:
        codes.append(nearest_code(residual, codebook))
        residual = residual - codebook[codes[-1]]
    return torch.stack(codes, dim=1)


def rvq_decode(codes, codebooks):
    """See `mmtokedu.rvq.rvq_decode`. A gradient goes to the codebooks."""
    check_stack(codebooks)
    codes = _codes(check_columns(codes, codebooks.shape), codebooks.shape[1])
    _check_device(codes=codes, codebooks=codebooks)
    wide = codebooks.to(_working_dtype(codebooks))
    return sum(codebook[column] for codebook, column in zip(wide, codes.T)).to(codebooks.dtype)


def draw_stages(draws, Q):
    """See `mmtokedu.rvq.draw_stages`."""
    check_floats(draws, "draws")
    Q = check_draws(draws, Q, *(torch.stack(draws.aminmax()).tolist() if draws.numel() else (0, 0)))
    return (draws.detach().double() * Q).long() + 1


def delay_pattern(codes, pad, delays=None):
    """See `mmtokedu.rvq.delay_pattern`."""
    codes = check_table(codes)
    delays = check_delays(delays, codes.shape[1])
    pad = check_pad(codes, pad)
    out = codes.new_full((len(codes) + max(delays), codes.shape[1]), pad)
    for q, delay in enumerate(delays):
        out[delay : delay + len(codes), q] = codes[:, q]
    return out


def undelay_pattern(codes, delays=None):
    """See `mmtokedu.rvq.undelay_pattern`."""
    codes = check_table(codes)
    delays = check_delays(delays, codes.shape[1])
    frames = check_undelay(len(codes), delays)
    return torch.stack([codes[delay : delay + frames, q] for q, delay in enumerate(delays)], dim=1)


def mdct(sound, hop):
    """See `mmtokedu.rvq.mdct`. A gradient goes to the sound."""
    hop = check_sound(sound, hop)
    check_loudness(*_largest(sound=sound), "sound")
    blocks = -(-len(sound) // hop) + 2
    padded = torch.nn.functional.pad(sound.to(_working_dtype(sound)), (hop, (blocks - 1) * hop - len(sound)))
    return _product(padded.unfold(0, 2 * hop, hop), _basis(hop, padded.dtype, padded.device).T)


def imdct(frames, length):
    """See `mmtokedu.rvq.imdct`. A gradient goes to the frames."""
    length = check_frames(frames, length)
    check_loudness(*_largest(frames=frames), "frames")
    hop, frames = frames.shape[1], frames.to(_working_dtype(frames))
    halves = _product(frames, _basis(hop, frames.dtype, frames.device)).reshape(-1, 2, hop)
    return (halves[:-1, 1] + halves[1:, 0]).reshape(-1)[:length]


@functools.lru_cache(maxsize=4)
def _basis(hop, dtype, device):
    with torch.inference_mode(False):  # it is kept, and the next caller may want gradients through it
        return torch.tensor(rvq.mdct_basis(hop), dtype=dtype, device=device)


def _product(a, b):
    """a @ b; in float64 where a float32 product may be TF32 by a global setting."""
    if a.dtype == torch.float32 and a.is_cuda and torch.cuda.get_device_capability(a.device) >= (8, 0):
        return (a.double() @ b.double()).float()
    return a @ b
