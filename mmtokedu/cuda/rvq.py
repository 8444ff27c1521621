"""Torch twins of `mmtokedu.rvq`; the docstrings are there."""

import functools

import torch

from mmtokedu import _checks, _sound_checks, rvq
from mmtokedu.cuda.vq import _array, _check_device, _codes, _largest, _shared_offset, _way, _working_dtype, nearest_code

WIDEST = 256  # numbers in a vector that fit beside the scores on a chip
TOP = 14  # rows and codes are scaled to 2^13 up to 2^14, where the low half of a split number is no subnormal


@torch.no_grad()
def rvq_encode(vectors, codebooks):
    """See `mmtokedu.rvq.rvq_encode`. On a card one kernel goes through all stages; each product is three of halves."""
    _sound_checks.check_stack(codebooks)
    _checks.check_vectors(vectors, codebooks.shape[2])
    _check_device(vectors=vectors, codebooks=codebooks)
    way = _way(vectors)
    if way == "numpy":
        return torch.from_numpy(rvq.rvq_encode(_array(vectors), _array(codebooks))).to(vectors.device)
    stages = {f"codebooks[{q}]": codebook for q, codebook in enumerate(codebooks)}
    reach, *largest = _largest(vectors=vectors, **stages)
    dtype = _working_dtype(vectors, codebooks)
    dtype = dtype if _sound_checks.float32_will_do(reach, largest) else torch.float64
    vectors, codebooks = vectors.to(dtype), codebooks.to(dtype)
    if way == "triton" and dtype == torch.float32 and vectors.shape[1] <= WIDEST:
        return _by_kernel(vectors, codebooks)
    return _by_stages(vectors, codebooks)


def _by_kernel(vectors, codebooks):
    """Every code of every stage from one launch. Tables of the codes are made first: a few passes over the codebooks.

    A float32 number x is high + low, two float16 numbers, with an error under 2^-22 |x|; the products high*high,
    high*low and low*high, summed in float32, are near enough to the product of the two numbers themselves.
    """
    from mmtokedu.cuda.kernels import rvq as kernels

    offsets = torch.stack([_shared_offset(codebook) for codebook in codebooks])
    centered = codebooks - offsets[:, None]
    exponents = (TOP - torch.frexp(centered.abs().amax(dim=(1, 2))).exponent).clamp(max=100)
    tables = centered.ldexp(exponents[:, None, None])
    high = tables.half()
    low = (tables - high.float()).half()
    bias = (tables.double().square().sum(dim=2) * -0.5).float()
    scales = torch.ones_like(exponents, dtype=torch.float32).ldexp(exponents)
    codes = torch.empty((len(vectors), len(codebooks)), dtype=torch.int64, device=vectors.device)
    if len(vectors):
        kernels.encode(vectors.contiguous(), codebooks.contiguous(), high, low, bias, offsets, scales, codes)
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
    _sound_checks.check_stack(codebooks)
    codes = _codes(_sound_checks.check_columns(codes, codebooks.shape), codebooks.shape[1])
    _check_device(codes=codes, codebooks=codebooks)
    wide = codebooks.to(_working_dtype(codebooks))
    return sum(codebook[column] for codebook, column in zip(wide, codes.T)).to(codebooks.dtype)


def draw_stages(draws, Q):
    """See `mmtokedu.rvq.draw_stages`."""
    _checks.check_floats(draws, "draws")
    Q = _sound_checks.check_draws(draws, Q, *(torch.stack(draws.aminmax()).tolist() if draws.numel() else (0, 0)))
    return (draws.detach().double() * Q).long() + 1


def delay_pattern(codes, pad, delays=None):
    """See `mmtokedu.rvq.delay_pattern`."""
    codes = _sound_checks.check_table(codes)
    delays = _sound_checks.check_delays(delays, codes.shape[1])
    pad = _sound_checks.check_pad(codes, pad)
    out = codes.new_full((len(codes) + max(delays), codes.shape[1]), pad)
    for q, delay in enumerate(delays):
        out[delay : delay + len(codes), q] = codes[:, q]
    return out


def undelay_pattern(codes, delays=None):
    """See `mmtokedu.rvq.undelay_pattern`."""
    codes = _sound_checks.check_table(codes)
    delays = _sound_checks.check_delays(delays, codes.shape[1])
    frames = _sound_checks.check_undelay(len(codes), delays)
    return torch.stack([codes[delay : delay + frames, q] for q, delay in enumerate(delays)], dim=1)


def mdct(sound, hop):
    """See `mmtokedu.rvq.mdct`. A gradient goes to the sound."""
    hop = _sound_checks.check_sound(sound, hop)
    _sound_checks.check_loudness(*_largest(sound=sound), "sound")
    blocks = -(-len(sound) // hop) + 2
    padded = torch.nn.functional.pad(sound.to(_working_dtype(sound)), (hop, (blocks - 1) * hop - len(sound)))
    return _product(padded.unfold(0, 2 * hop, hop), _basis(hop, padded.dtype, padded.device).T)


def imdct(frames, length):
    """See `mmtokedu.rvq.imdct`. A gradient goes to the frames."""
    length = _sound_checks.check_frames(frames, length)
    _sound_checks.check_loudness(*_largest(frames=frames), "frames")
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
