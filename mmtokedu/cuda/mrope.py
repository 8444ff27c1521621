"""Torch twins of `mmtokedu.mrope`; the docstrings are there."""

import functools
import math

import torch

from mmtokedu import mrope
from mmtokedu.arguments.common import check_array
from mmtokedu.arguments.mrope import check_out, check_pairing, check_places, check_rotation
from mmtokedu.catalog.positions import PAIRINGS
from mmtokedu.cuda import runs_triton

BLOCK = mrope.BLOCK


def rotate(x, positions, *, sections, theta=10000.0, layout="blocks", pairing="half", width=None, out=None):
    """See `mmtokedu.mrope.rotate`."""
    axis, speeds = mrope._ladder(sections, theta, layout)
    check_pairing(pairing, ("half", "adjacent"))
    positions = _places(positions, x, len(tuple(sections)))
    return _turned(x, positions, tuple(axis.tolist()), tuple(speeds.tolist()), pairing, width, out)


def rotate_2d(x, positions, *, style="qwen", theta=None):
    """See `mmtokedu.mrope.rotate_2d`."""
    tower, axis, speeds = mrope._tower(x, style, theta)
    positions = _places(positions, x, 2) + tower.first
    return _turned(x, positions, tuple(axis.tolist()), tuple(speeds.tolist()), tower.pairing, None, None)


def _places(positions, x, axes):
    """The positions as a tensor (A, ..., N) of whole numbers or floats beside x, or an error."""
    beside = x[0] if isinstance(x, (tuple, list)) else x
    if not isinstance(positions, torch.Tensor):
        positions = torch.as_tensor(positions)
    check_array(beside, "x")
    if positions.dtype == torch.bool or positions.is_complex():
        raise TypeError(f"positions are {positions.dtype}; expected numbers, as position_ids gives them")
    if positions.device != beside.device:
        if positions.device.type != "cpu" or positions.ndim == 0:
            raise ValueError(f"positions on {positions.device}, x on {beside.device}; all must be on one device")
        positions = positions.to(beside.device)
    if axes == 1 and (positions.ndim < 2 or len(positions) != 1):
        positions = positions[None]
    if positions.ndim < 2 or len(positions) != axes:
        raise ValueError(f"positions have shape {tuple(positions.shape)}; the sections name {axes} axes: ({axes}, N)")
    return positions


def _turned(x, positions, axis, speeds, pairing, width, out):
    arrays, targets = check_out(x, out)
    check_rotation(arrays, positions, len(axis), width)
    for name, array in arrays.items():
        if array.device != positions.device:
            raise ValueError(f"{name} on {array.device}, positions on {positions.device}; all must be on one device")
    if positions.device.type == "cpu" and positions.numel() and not torch.compiler.is_compiling():
        check_places(positions.min().item(), positions.max().item())
    xs = tuple(arrays.values())
    if out is None:
        done = _Turn.apply(positions, axis, speeds, pairing, 1.0, *xs)
        return done if len(done) > 1 else done[0]
    if torch.is_grad_enabled() and any(each.requires_grad for each in (*xs, *targets)):
        raise ValueError("out is given and a gradient asked for; leave out away, or call it under torch.no_grad()")
    xs = [each.clone() if _overlap(each, target) else each for each, target in zip(xs, targets)]
    with torch.no_grad():
        _write(positions, axis, speeds, pairing, 1.0, xs, targets)
    return tuple(targets) if len(targets) > 1 else targets[0]


def _overlap(x, target):
    """Whether writing one would change the other, though they are not the same tensor."""
    same = (x.data_ptr(), x.stride()) == (target.data_ptr(), target.stride())
    return not same and x.untyped_storage().data_ptr() == target.untyped_storage().data_ptr()


class _Turn(torch.autograd.Function):
    """The rotation of queries and keys; its gradient is the rotation back by the same angles, and so is that one's."""

    @staticmethod
    def forward(positions, axis, speeds, pairing, sign, *xs):
        outs = [torch.empty_like(x, memory_format=torch.contiguous_format) for x in xs]
        _write(positions, axis, speeds, pairing, sign, xs, outs)
        return tuple(outs)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.positions, *ctx.how = inputs[:5]

    @staticmethod
    def backward(ctx, *gradients):
        axis, speeds, pairing, sign = ctx.how
        return (None,) * 5 + _Turn.apply(ctx.positions, axis, speeds, pairing, -sign, *gradients)


def _write(positions, axis, speeds, pairing, sign, xs, outs):
    """Write each of xs, turned, into its out: one launch for all where Triton runs, else some tokens at a time."""
    if _takes_kernel(positions, xs):
        from mmtokedu.cuda.kernels import mrope as kernels

        kernels.turn(xs, positions, *_constants(axis, speeds, positions.device), pairing, sign, outs)
        return
    angles = _angles(positions, axis, speeds)
    for x, out in zip(xs, outs):
        _turn(x, angles.cos(), sign * angles.sin(), pairing, out)


def _takes_kernel(positions, xs):
    """Whether the kernel does it: floats of 16 or 32 bits whose tokens have one position for all heads.

    Before compute capability 8 (a T4 has 7.5) bfloat16 is left to torch: such a card has no instructions for it.
    """
    if not runs_triton(xs[0]) or any(x.ndim > 4 or not x.numel() for x in xs):
        return False
    places = tuple(positions.shape[1:-1])  # (), or (B, 1) of x (B, heads, N, D), or (1,) of x (heads, N, D)
    if any(n != 1 for n in places[1:]) or (places and places[0] != 1 and len(places) != 2):
        return False
    if len({x.ndim for x in xs}) > 1 or (xs[0].ndim == 4 and len({len(x) for x in xs}) > 1):
        return False
    dtypes = {x.dtype for x in xs}
    if len(dtypes) > 1 or not dtypes <= {torch.float16, torch.bfloat16, torch.float32}:
        return False
    old = xs[0].is_cuda and torch.cuda.get_device_capability(xs[0].device) < (8, 0)
    return not (old and torch.bfloat16 in dtypes)


@functools.lru_cache(maxsize=32)
def _constants(axis, speeds, device):
    """The axis of each pair (int32) and its speed in whole turns a step (float64), beside what is turned."""
    with torch.inference_mode(False):  # kept, and the next caller may want gradients
        turns = torch.tensor([speed / (2 * math.pi) for speed in speeds], dtype=torch.float64)
        return torch.tensor(axis, dtype=torch.int32).to(device), turns.to(device)


def _angles(positions, axis, speeds):
    """positions (A, ..., N) -> (..., N, pairs) float64, on the CPU where the device has no such numbers."""
    here = positions.device if positions.device.type in ("cpu", "cuda", "meta") else torch.device("cpu")
    index = torch.tensor(axis, device=here)
    speeds = torch.tensor(speeds, dtype=torch.float64, device=here)
    return positions.to(here)[index].movedim(0, -1).to(torch.float64) * speeds


def _turn(x, cos, sin, pairing, out):
    """Write x (..., N, D), turned, into out, which may be x; numbers beyond the pairs stay."""
    pairs, tokens = cos.shape[-1], x.shape[-2]
    work = torch.promote_types(x.dtype, torch.float32)
    cos, sin = (_grouped(each.to(x.device, work), pairing) for each in (cos, sin))
    step = max(1, BLOCK * tokens // max(1, x.numel()))
    step = max(1, tokens) if x.device.type != "cpu" or torch.compiler.is_compiling() else step
    for n in range(0, tokens, step):
        some, into = x[..., n : n + step, :], out[..., n : n + step, :]
        first, second = _pairs_of(some[..., : 2 * pairs].to(work), pairing)
        c, s = cos[..., n : n + step, :, :], sin[..., n : n + step, :, :]
        turned = first * c - second * s, second * c + first * s
        for each, place in zip(turned, _pairs_of(into[..., : 2 * pairs], pairing)):
            place.copy_(each)
        if out.data_ptr() != x.data_ptr() and x.shape[-1] > 2 * pairs:
            into[..., 2 * pairs :].copy_(some[..., 2 * pairs :])


def _grouped(each, pairing):
    groups = PAIRINGS[pairing] or each.shape[-1]
    return each.unflatten(-1, (groups, each.shape[-1] // groups))


def _pairs_of(x, pairing):
    groups = PAIRINGS[pairing] or x.shape[-1] // 2
    split = x.unflatten(-1, (groups, 2, x.shape[-1] // 2 // groups))
    return split[..., 0, :], split[..., 1, :]
