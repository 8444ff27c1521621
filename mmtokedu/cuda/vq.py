"""Torch twins of `mmtokedu.vq`; the docstrings are there."""

import functools
import math
import typing

import numpy as np
import torch

from mmtokedu import vq
from mmtokedu.arguments.common import (
    check_array,
    check_code_range,
    check_finite,
    check_matrix,
    check_vectors,
    positive,
)
from mmtokedu.arguments.vq import (
    check_bits,
    check_code_each,
    check_decay,
    check_draws,
    check_levels,
    check_pair,
    check_threshold,
    check_usage,
)
from mmtokedu.cuda import runs_triton
from mmtokedu.cuda._eager import eagerly

SCORES = 2**22  # numbers in a tile of scores: 16 MiB of float32
GROUP = 16  # numbers summed at once where there is no float64
_TOP = 14  # numbers are scaled to 2^13 up to 2^14, where the low half of a split number is no subnormal


@eagerly
@torch.no_grad()
def nearest_code(vectors, codebook):
    """See `mmtokedu.vq.nearest_code`. What float16 cannot decide is searched again in float32, then in float64."""
    check_matrix(codebook, "codebook")
    check_vectors(vectors, codebook.shape[1])
    _check_device(vectors=vectors, codebook=codebook)
    way = _way(vectors)
    if way == "numpy":
        return torch.from_numpy(vq.nearest_code(_array(vectors), _array(codebook))).to(vectors.device)
    if way == "triton" and _working_dtype(vectors, codebook) == torch.float32:
        ends = _ends(vectors, codebook[None], ["codebook"])
        if vq._float32_will_do(ends.reach, ends.largest):
            return _by_kernel(vectors, codebook, ends)
    return _by_tiles(vectors, codebook)


def _way(x):
    """How x is searched: "triton" on a card, "numpy" off it, "tiles" on a card for which Triton will not do.

    That is where it is not installed, and before compute capability 8 (a T4 has 7.5), for which it makes no code that
    uses the tensor cores: there a half-precision product of cuBLAS, a tile at a time, is the faster one.
    """
    old = x.is_cuda and torch.cuda.get_device_capability(x.device) < (8, 0)
    if runs_triton(x) and not old:
        return "triton"
    return "tiles" if x.is_cuda else "numpy"


class _Ends(typing.NamedTuple):
    """How large numbers are, and what of a codebook is the same for all its codes. Arrays of float32."""

    reach: float  # the largest magnitude in the vectors
    largest: np.ndarray  # (Q,): in each codebook
    offsets: np.ndarray  # (Q, D): what is taken off each codebook first, 0 where it lies around the origin
    scales: np.ndarray  # (Q,): the powers of two that bring what is left to 2^13 up to 2^14

    def on(self, device):
        """The offsets and the scales there, sent in one piece. Nobody waits for them to arrive."""
        both = torch.from_numpy(np.concatenate([self.offsets.ravel(), self.scales])).to(device, non_blocking=True)
        return both[: self.offsets.size].view(self.offsets.shape), both[self.offsets.size :]


def _ends(vectors, codebooks, names):
    """The _Ends of vectors (N, D) and codebooks (Q, K, D), in one trip from the card; all must be finite."""
    reach = vectors.aminmax() if vectors.numel() else (vectors.new_zeros(()),) * 2
    found = torch.cat([x.flatten() for x in (*reach, *codebooks.aminmax(dim=1))]).float().numpy(force=True)
    if not np.isfinite(found).all():
        for name, x in {"vectors": vectors, **dict(zip(names, codebooks))}.items():
            check_finite(_array(x), name)
    low, high = found[2:].reshape(2, len(codebooks), -1)
    mean = low + (high - low) / 2
    offsets = np.where(np.abs(mean) > 2 * (high - low), mean, np.float32(0))
    left = np.maximum(high - offsets, offsets - low).max(axis=1)
    scales = np.ldexp(np.float32(1), np.minimum(_TOP - np.frexp(left)[1], 100))
    return _Ends(np.abs(found[:2]).max(), np.maximum(-low, high).max(axis=1), offsets, scales)


def _by_kernel(vectors, codebook, ends):
    """A search on the tensor cores, which lists the rows that it cannot decide, then these by their differences.

    The lists stay on the card, and so does how long they are: after `_ends` nobody waits for anything.
    """
    from mmtokedu.cuda.kernels import exact

    codes = torch.empty(len(vectors), dtype=torch.int64, device=vectors.device)
    if len(vectors):
        as_they_are = _both_half(vectors, codebook) and not ends.offsets.any()
        search = _search_halves if as_they_are else _search_float32
        vectors, codebook, doubt, doubts = search(vectors, codebook, ends, codes)
        left = torch.empty(exact.room(vectors), dtype=torch.float32, device=vectors.device)
        exact.exact(vectors, codebook[None], doubt, doubts, left, codes)
    return codes


def _search_halves(vectors, codebook, ends, codes):
    """Writes codes (N,). The products of two halves are exact, only sums are rounded.

    Returns the vectors and the codebook, contiguous, the rows in doubt, and how many these are.
    """
    import triton.language as tl

    from mmtokedu.cuda.kernels import tables
    from mmtokedu.cuda.kernels import vq as kernels

    kind = tl.bfloat16 if vectors.dtype == torch.bfloat16 else tl.float16
    if not vectors.is_cuda and kind == tl.bfloat16:
        kind = tl.float32  # Triton's interpreter multiplies the bits of bfloat16, not their values
    vectors, codebook = vectors.contiguous(), codebook.contiguous()
    (N, D), K, make = vectors.shape, len(codebook), functools.partial(torch.empty, device=vectors.device)
    offsets, ones = ends._replace(scales=np.ones_like(ends.scales)).on(vectors.device)
    bias, ratios, slack = make((1, K), dtype=torch.float32), *make((2, N), dtype=torch.float32)
    zeros, doubt = torch.zeros(3, dtype=torch.int32, device=vectors.device), make(N, dtype=torch.int32)
    longest, doubts = zeros[:2].view(torch.float32), zeros[2:]
    tables.tables(codebook[None], offsets, ones, None, None, bias, longest)
    tables.halves(vectors, offsets, ones, longest, None, ratios, slack, None, kernels.spare(K, D))
    kernels.search(vectors, codebook, bias[0], codes, ratios, slack, doubt, doubts, kind=kind)
    return vectors, codebook, doubt, doubts


def _search_float32(vectors, codebook, ends, codes):
    """The same of numbers that are rounded to halves first: what these cannot decide is searched with all digits."""
    import triton.language as tl

    from mmtokedu.cuda.kernels import tables
    from mmtokedu.cuda.kernels import vq as kernels

    vectors, codebook = vectors.float().contiguous(), codebook.float().contiguous()
    (N, D), K, make = vectors.shape, len(codebook), functools.partial(torch.empty, device=vectors.device)
    offsets, scales = ends.on(vectors.device)
    (high, low), halves = make((2, 1, K, D), dtype=torch.float16), make((N, D), dtype=torch.float16)
    bias, (ratios, slack, finer) = make((1, K), dtype=torch.float32), make((3, N), dtype=torch.float32)
    zeros, (unsure, doubt) = torch.zeros(4, dtype=torch.int32, device=vectors.device), make((2, N), dtype=torch.int32)
    longest, count, doubts = zeros[:2].view(torch.float32), zeros[2:3], zeros[3:]
    tables.tables(codebook[None], offsets, scales, high, low, bias, longest)
    tables.halves(vectors, offsets, scales, longest, halves, ratios, slack, finer, kernels.spare(K, D))
    kernels.search(halves, high[0], bias[0], codes, ratios, slack, unsure, count, kind=tl.float16)
    lists = unsure, count, codes, doubt, doubts
    kernels.settle(vectors, offsets, high[0], low[0], bias[0], scales, finer, *lists)
    return vectors, codebook, doubt, doubts


def _by_tiles(vectors, codebook):
    """The same by matrix products, for a card before compute capability 8, without Triton, or for float64."""
    reach, largest = _largest(vectors=vectors, codebook=codebook)
    if not len(vectors):
        return torch.empty(0, dtype=torch.int64, device=vectors.device)
    dtype = _working_dtype(vectors, codebook)
    dtype = dtype if vq._float32_will_do(reach, [largest]) else torch.float64
    scale = 2.0 ** min(1000, -vq._common_exponent(reach, largest))
    z, e = (x.to(dtype) * scale if scale != 1 else x.to(dtype) for x in (vectors, codebook))
    widths = [torch.float16, torch.float32, torch.float64] if dtype == torch.float32 else [torch.float64]
    if z.is_cuda and torch.cuda.get_device_capability(z.device) >= (8, 0):
        widths = [x for x in widths if x != torch.float32]  # it may be TF32 there, by a global setting
    return _in_turn(z, e, widths)


def _in_turn(z, e, widths):
    """The codes of z (N, D): by products of the first width, then of the next where that one leaves a doubt.

    What none can tell is told by the differences, added in float64. See `mmtokedu.vq._Search`.
    """
    origin = e[(e - z.mean(dim=0, dtype=torch.float64).to(e.dtype)).square().sum(dim=1).argmin()]
    codes, rows = torch.empty(len(z), dtype=torch.int64, device=z.device), torch.arange(len(z), device=z.device)
    for width in widths:
        found = [(best, near.sum(dim=1) > 1) for _, best, near in _reaching(z[rows], e, origin, width)]
        best, doubt = map(torch.cat, zip(*found))
        codes[rows] = best
        rows = rows[doubt]
        if not len(rows):
            return codes
    codes[rows] = _compared(z[rows], e, origin)
    return codes


def _reaching(z, e, origin, width):
    """By tiles of SCORES (or 16 rows): the rows, for each its code of the highest product, and who reaches its floor.

    Rounding to float16 moves a number by 2^-11 of itself, and by 2^-25 where the largest is 1 and it is much smaller;
    the product of two rows moves by twice that, and cuBLAS rounds the sums as well.
    """
    wide, D = torch.promote_types(width, torch.float32), z.shape[1]
    e = e.to(wide) - origin.to(wide)
    g, tiny = map(float, vq._rounding(D, np.float64 if wide == torch.float64 else np.float32))
    square, length = e.square().sum(dim=1), e.norm(dim=1)
    bias = (g - 0.5) * square + tiny
    if width == torch.float16:
        g = 2.0**-9 + D * 2.0**-23
        length = length + math.sqrt(D) * 2.0**-14 * length.amax()
        power = torch.frexp(length.amax()).exponent
        halves = e.ldexp(-power).half()
    step = max(16, SCORES // len(e))
    for rows in torch.arange(len(z), device=z.device).split(step):
        some = z[rows].to(wide) - origin.to(wide)
        reach = g * some.norm(dim=1, keepdim=True)  # (rows, 1)
        if width == torch.float16:
            powers = torch.frexp(some.norm(dim=1, keepdim=True)).exponent
            scores = (some.ldexp(-powers).half() @ halves.T).float().ldexp(powers + power)
        else:
            scores = some @ e.T
        scores.add_(bias).addcmul_(reach, length)
        highest, best = scores.max(dim=1, keepdim=True)
        floor = highest - 2.1 * length[best] * (reach + g * length[best]) - 2 * tiny
        yield rows, best[:, 0], scores >= floor


def _compared(z, e, origin):
    """The codes by their differences from z, of those that float64 leaves; of equal codes only the first is asked."""
    _, number = (e + 0).unique(dim=0, return_inverse=True)
    distinct = torch.full_like(number, len(e)).scatter_reduce_(0, number, torch.arange(len(e), device=e.device), "amin")
    distinct = distinct[distinct < len(e)].sort().values
    e, codes = e[distinct].double(), []
    for rows, _, near in _reaching(z, e, origin, torch.float64):
        distances = torch.full(near.shape, math.inf, dtype=torch.float64, device=z.device)
        for r, k in zip(*(x.split(1 + SCORES // z.shape[1]) for x in near.nonzero(as_tuple=True))):
            distances[r, k] = (z[rows[r]].double() - e[k]).square().sum(dim=1)
        codes.append(distances.argmin(dim=1))
    return distinct[torch.cat(codes)]


def look_up(codes, codebook):
    """See `mmtokedu.vq.look_up`. A gradient goes to the codebook."""
    check_matrix(codebook, "codebook")
    codes = _codes(codes, len(codebook))
    _check_device(codes=codes, codebook=codebook)
    return codebook[codes]


@eagerly
def codebook_usage(codes, K):
    """See `mmtokedu.vq.codebook_usage`."""
    K = positive(K, "K")
    counts = _codes(codes, K).flatten().bincount(minlength=K)
    numbers = counts.numpy(force=True)
    shares = numbers[numbers > 0] / max(1, numbers.sum())
    perplexity = float(np.exp(-(shares * np.log(shares)).sum())) if len(shares) else 0.0
    return vq.Usage(counts, len(shares), perplexity)


@eagerly
@torch.no_grad()
def ema_state(codebook, usage=None):
    """See `mmtokedu.vq.ema_state`."""
    check_matrix(codebook, "codebook")
    _largest(codebook=codebook)
    codebook = codebook.detach().to(_working_dtype(codebook))
    if usage is None:
        usage = codebook.new_ones(len(codebook))
    else:
        check_array(usage, "usage")
        _check_device(codebook=codebook, usage=usage)
        usage = torch.from_numpy(check_usage(_array(usage), _array(codebook))).to(codebook.device)
    return vq.EmaState(codebook * usage[:, None], usage)


@eagerly
@torch.no_grad()
def ema_update(state, vectors, codes, decay):
    """See `mmtokedu.vq.ema_update`."""
    check_vectors(vectors, state.sum.shape[1])
    _check_device(state=state.sum, vectors=vectors, codes=codes)
    _largest(vectors=vectors)
    codes = _codes(codes, len(state.usage))
    check_code_each(vectors, codes)
    decay = check_decay(decay)
    return averaged(state, *sum_by_code(vectors, codes, len(state.usage)), decay)


def averaged(state, sums, counts, decay):
    """What `ema_update` does with the sums (K, D) and the numbers (K,) of the vectors that each code was given."""
    usage = decay * state.usage.to(sums.dtype) + (1 - decay) * counts.to(sums.dtype)
    total = decay * state.sum.to(sums.dtype) + (1 - decay) * sums
    floor = float(np.float32(vq.FLOOR)) if state.usage.dtype == torch.float32 else vq.FLOOR
    total = torch.where((usage < floor)[:, None], (state.embed * floor).to(sums.dtype), total)
    return vq.EmaState(total.to(state.sum.dtype), usage.clamp(min=floor).to(state.usage.dtype))


def sum_by_code(vectors, codes, size):
    """The sum (K, D) and the number (K,) int64 of the vectors of each code: as exact as float64, which the sum is in.

    Where a device has no float64 (Apple's), sums of at most GROUP vectors are summed in their turn, until each code
    has one: no float32 is added to a much larger one.
    """
    if _has_float64(vectors.device):
        sums, step = _zeros(size, vectors, torch.float64), max(1, vq.SUMMED // vectors.shape[1])
        for start in range(0, len(vectors), step):
            sums.index_add_(0, codes[start : start + step], vectors[start : start + step].double())
        return sums, codes.bincount(minlength=size)
    counts, rows, each = codes.bincount(minlength=size), vectors.float(), torch.arange(size, device=codes.device)
    left = counts
    while len(rows) and int(left.max()) > 1:
        order = codes.argsort(stable=True)
        rows, codes = rows[order], codes[order]
        groups = (left + GROUP - 1) // GROUP
        place = torch.arange(len(codes), device=codes.device) - (left.cumsum(0) - left)[codes]  # among its code's own
        group = (groups.cumsum(0) - groups)[codes] + place // GROUP
        rows = _zeros(int(groups.sum()), rows, torch.float32).index_add_(0, group, rows)
        codes, left = each.repeat_interleave(groups), groups
    return _zeros(size, rows, torch.float32).index_add_(0, codes, rows), counts


def _zeros(rows, like, dtype):
    return torch.zeros(rows, like.shape[1], dtype=dtype, device=like.device)


def _has_float64(device):
    try:
        torch.empty(0, dtype=torch.float64, device=device)
    except (TypeError, RuntimeError):
        return False
    return True


@eagerly
@torch.no_grad()
def restart_dead_codes(state, vectors, threshold, draws):
    """See `mmtokedu.vq.restart_dead_codes`."""
    check_vectors(vectors, state.sum.shape[1])
    _check_device(state=state.sum, vectors=vectors, draws=draws)
    _largest(vectors=vectors)
    check_draws(vectors, draws)
    threshold = check_threshold(threshold)
    dead = (state.usage < threshold).nonzero().flatten()[: len(vectors)]
    chosen = draws.argsort(stable=True)[: len(dead)]
    total, usage = state.sum.clone(), state.usage.clone()
    usage[dead] = max(float(state.usage.mean()), threshold)
    total[dead] = vectors[chosen].to(total.dtype) * usage[dead, None]
    return vq.EmaState(total, usage)


def commitment_loss(vectors, quantized):
    """See `mmtokedu.vq.commitment_loss`."""
    _check_pair(vectors, quantized)
    dtype = _working_dtype(vectors, quantized)
    return (vectors.to(dtype) - quantized.detach().to(dtype)).square().sum() / max(1, vectors.numel())


def straight_through(vectors, quantized):
    """See `mmtokedu.vq.straight_through`."""
    _check_pair(vectors, quantized)
    return _carry(vectors, quantized)


def rotation_trick(vectors, quantized):
    """See `mmtokedu.vq.rotation_trick`."""
    _check_pair(vectors, quantized)
    dtype = _working_dtype(vectors, quantized)
    z, q = vectors.detach().to(dtype), quantized.detach().to(dtype)
    along = lambda a, b: (a * b).sum(dim=-1, keepdim=True)
    z_norm, q_norm = (x.norm(dim=-1, keepdim=True) for x in (z, q))
    there = (z_norm > 0) & (q_norm > 0)
    u, v = z / torch.where(there, z_norm, 1), q / torch.where(there, q_norm, 1)
    half = u + v
    length = half.norm(dim=-1, keepdim=True)
    little = torch.finfo(dtype).eps ** 0.5
    half = torch.where(length > little, half / length.clamp(min=little), 0)  # opposite: no half-way, u is mirrored
    x = vectors.to(dtype)
    turned = (x - 2 * along(x, half) * half + 2 * along(x, u) * v) * (q_norm / torch.where(there, z_norm, 1))
    return _carry(torch.where(there, turned, x), quantized)


def fsq(vectors, levels):
    """See `mmtokedu.vq.fsq`."""
    constants, middle, places = _fsq_tables(vectors, levels)
    bound = _fsq_bound(vectors, *constants)
    steps = bound.detach().round()
    codes = ((steps.long() + middle) * places).sum(dim=-1)
    return codes, _carry(bound, steps) / middle


def fsq_bound(vectors, levels):
    """See `mmtokedu.vq.fsq_bound`."""
    return _fsq_bound(vectors, *_fsq_tables(vectors, levels)[0])


def _fsq_bound(vectors, half, offset, shift):
    return torch.tanh(vectors.to(half.dtype) + shift) * half - offset


@eagerly
def _fsq_tables(vectors, levels):
    """((half, offset, shift), middle, places) of levels that these vectors fit, on their device; all must be finite."""
    levels = check_levels(vectors, levels)
    _largest(vectors=vectors)
    dtype, there = _working_dtype(vectors), functools.partial(torch.tensor, device=vectors.device)
    constants = [there(x.tolist(), dtype=dtype) for x in vq.fsq_constants(levels)]
    return constants, there((levels // 2).tolist()), there(vq._places(levels).tolist())


def fsq_look_up(codes, levels):
    """See `mmtokedu.vq.fsq_look_up`."""
    levels = check_levels(None, levels)
    codes = _codes(codes, math.prod(levels.tolist()))
    levels, places = (torch.from_numpy(x).to(codes.device) for x in (levels, vq._places(levels)))
    steps = codes[..., None] // places % levels - levels // 2
    return steps.float() / (levels // 2)


def lfq(vectors):
    """See `mmtokedu.vq.lfq`."""
    check_bits(vectors)
    _largest(vectors=vectors)
    bits = vectors.detach() > 0
    codes = (bits * (1 << torch.arange(vectors.shape[-1], device=vectors.device))).sum(dim=-1)
    return codes, _carry(vectors, torch.where(bits, 1, -1).to(vectors.dtype))


def _carry(vectors, quantized):
    """Exactly `quantized`, with the gradient of `vectors`: x - x is 0, and its gradient is that of the first x."""
    return quantized.detach() + (vectors - vectors.detach()).to(quantized.dtype)


def _working_dtype(*tensors):
    """float32, or float64 where one of the tensors is that."""
    return torch.float64 if any(x.dtype == torch.float64 for x in tensors) else torch.float32


def _both_half(a, b):
    return a.dtype == b.dtype and a.dtype in (torch.float16, torch.bfloat16)


def _array(x):
    """The numbers of a tensor as an array, on its own memory where NumPy knows the dtype."""
    known = not x.is_floating_point() or x.dtype in (torch.float16, torch.float32, torch.float64)
    return (x if known else x.float()).numpy(force=True)


@eagerly
def _largest(**tensors):
    """The largest magnitude in each tensor (0 when it is empty), in one trip from the card; all must be finite."""
    wide, device = _working_dtype(*tensors.values()), next(iter(tensors.values())).device
    zero = torch.zeros((), dtype=wide, device=device)
    largest = [torch.stack(x.detach().aminmax()).abs().amax().to(wide) if x.numel() else zero for x in tensors.values()]
    largest = torch.stack(largest).tolist()
    for (name, x), found in zip(tensors.items(), largest):
        if not math.isfinite(found):
            check_finite(_array(x), name)
    return largest


def _codes(codes, size):
    """codes as int64, or an error: `check_codes` for a tensor."""
    check_array(codes, "codes")
    if codes.is_floating_point() or codes.is_complex() or codes.dtype == torch.bool:
        raise TypeError(f"codes are {codes.dtype}; expected integers")
    codes = codes.detach().long()
    if codes.numel():
        check_code_range(*torch.stack(codes.aminmax()).tolist(), size)
    return codes


def _check_pair(vectors, quantized):
    check_pair(vectors, quantized)
    _check_device(vectors=vectors, quantized=quantized)


def _check_device(**tensors):
    """Raise ValueError unless all tensors are on one device."""
    places = {name: str(x.device) for name, x in tensors.items() if isinstance(x, torch.Tensor)}
    if len(set(places.values())) > 1:
        text = ", ".join(f"{name} on {place}" for name, place in places.items())
        raise ValueError(f"{text}; all must be on one device (tensor.to)")
