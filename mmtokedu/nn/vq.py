"""Quantizers as layers: the functions of `mmtokedu.vq` with a place to keep the codebook."""

import math
from typing import NamedTuple

import torch
from torch import nn

from mmtokedu import vq
from mmtokedu.arguments.common import check_vectors
from mmtokedu.arguments.vq import check_last, check_layer, check_levels, check_start
from mmtokedu.cuda._eager import eagerly
from mmtokedu.cuda.vq import averaged, sum_by_code
from mmtokedu.nn import _processes as processes

_nearest = eagerly(vq.nearest_code)


class Quantized(NamedTuple):
    """What a quantizer returns: vectors (..., D) that a gradient passes, codes (...) int64, and its own loss."""

    quantized: torch.Tensor
    codes: torch.Tensor
    loss: torch.Tensor


AVERAGES = "usage", "sum"  # buffers whose quotient is the codebook


def _draws(vectors):
    return torch.rand(len(vectors), device=vectors.device)


class VectorQuantizer(nn.Module):
    """A codebook of K codes of D numbers that learns from what it quantizes. Input (..., D), output `Quantized`.

    learn="ema" moves the codes by moving averages with `decay`; learn="gradient" adds the codebook loss and leaves
    them to the optimizer. `commitment` weighs the loss that keeps the vectors near their codes. In training, codes
    whose usage falls under `restart_below` times the average are restarted from the batch (0: never). `through` is
    `straight_through` or `rotation_trick` of `mmtokedu.vq`. Codes start uniform in ±1/K unless `codebook` (K, D)
    is given; `start_from(vectors)` starts them from k-means instead, whenever you call it.

    The vectors come back in their own dtype. Inside, numbers are float32 at least: `half()` and autocast do not reach
    the averages, since the usage of a code that has faded is 0 in float16 and the code 0/0. Under a process group of
    torch.distributed all processes learn from all their batches and hold the same codes; each has to call the layer
    equally often, with an empty batch if need be.

    Raises ValueError for another `learn`, numbers out of range, a codebook or vectors of another shape.
    Source: VQ-VAE (arXiv 1711.00937, equation 3 and appendix A.1).

    >>> quantizer = VectorQuantizer(16, 4)
    >>> out = quantizer(torch.randn(2, 5, 4))
    >>> out.quantized.shape, out.codes.shape, out.loss.ndim
    (torch.Size([2, 5, 4]), torch.Size([2, 5]), 0)
    """

    def __init__(
        self, K, D, *, learn="ema", commitment=0.25, decay=0.99, restart_below=0.0, through=None, codebook=None
    ):
        super().__init__()
        K, D = check_layer(K, D, learn, commitment, decay, restart_below)
        codebook = torch.empty(K, D).uniform_(-1 / K, 1 / K) if codebook is None else check_start(codebook, K, D)
        codebook = torch.as_tensor(codebook).detach().to(torch.get_default_dtype(), copy=True)
        self.K, self.D, self.learn, self.commitment = K, D, learn, commitment
        self.decay, self.restart_below, self.through = decay, restart_below, through or vq.straight_through
        start = vq.ema_state(codebook)
        self.register_buffer("usage", start.usage)
        if learn == "ema":
            self.register_buffer("sum", start.sum)
        else:
            self.weight = nn.Parameter(codebook)

    @property
    def codebook(self):
        """The codes (K, D) as they are now."""
        return vq.EmaState(self.sum, self.usage).embed if self.learn == "ema" else self.weight

    def forward(self, vectors):
        check_last(vectors, self.D)
        flat = vectors.reshape(-1, self.D)
        with torch.autocast(flat.device.type, enabled=False):
            codebook = self.codebook
            codes = _nearest(flat.detach(), codebook.detach())
            chosen = codebook[codes]
            loss = self.commitment * vq.commitment_loss(flat, chosen)
            if self.learn == "gradient":
                loss = loss + vq.commitment_loss(chosen, flat)  # the codebook loss: the same with the roles exchanged
            if self.training:
                self._follow(flat.detach(), codes)
            quantized = self.through(flat, chosen.detach()).to(vectors.dtype)
        return Quantized(quantized.reshape(vectors.shape), codes.reshape(vectors.shape[:-1]), loss)

    @eagerly
    @torch.no_grad()
    def _follow(self, vectors, codes):
        """One step of the moving averages, then the restarts. A restart comes last: what follows would undo it."""
        old = vq.EmaState(self.sum, self.usage) if self.learn == "ema" else vq.ema_state(self.weight, self.usage)
        sums, counts = (processes.total(x) for x in sum_by_code(vectors, codes, self.K))
        if not counts.any():
            return
        new = averaged(old, sums, counts, self.decay)
        if self.learn == "gradient":
            new = vq.ema_state(self.weight, new.usage)
        threshold = self.restart_below * float(new.usage.mean())
        dead = new.usage < threshold
        if dead.any():
            chosen, draws = processes.smallest(vectors, _draws(vectors), int(dead.sum()))
            new = vq.restart_dead_codes(new, chosen, threshold, draws)
        self._keep(new, dead)

    @torch.no_grad()
    def start_from(self, vectors, iterations=10):
        """Start again from the k-means of these vectors (N, D), N >= K. Works best once the encoder has settled."""
        check_vectors(vectors, self.D)
        vectors, draws = vectors.detach(), _draws(vectors)
        if not processes.several():
            state = vq.kmeans_init(vectors, self.K, draws, iterations=iterations)
        else:
            first, draws = processes.smallest(vectors, draws, self.K)
            state = vq.kmeans_init(first, self.K, draws, iterations=0)
            for _ in range(iterations):
                codes = vq.nearest_code(vectors, state.embed)
                state = averaged(state, *map(processes.total, sum_by_code(vectors, codes, self.K)), 0.0)
        self._keep(state, torch.ones_like(state.usage, dtype=torch.bool))

    def _apply(self, fn, recurse=True):
        """As any module's, but the averages stay float32 at least."""
        averages = [self._buffers[name] for name in AVERAGES if name in self._buffers]

        def moved(x):
            new = fn(x)
            return x.to(new.device, torch.float32) if any(x is y for y in averages) and new.itemsize < 4 else new

        return super()._apply(moved, recurse)

    def _load_from_state_dict(self, state_dict, prefix, *others):
        """As any module's, but averages that went through float16 are named, not divided by 0."""
        for name in AVERAGES:
            if (stored := state_dict.get(prefix + name)) is not None:
                state_dict[prefix + name] = _widened(stored)  # assign=True would put it here as it is
        usage = state_dict.get(prefix + "usage")
        lost = 0 if usage is None or usage.is_meta else int((~(usage > 0)).sum())
        if lost and self.learn == "ema":
            others[-1].append(
                f"{prefix}usage is 0 for {lost} of {len(usage)} codes in the state to load, so sum/usage is no code. "
                "Was the state stored as float16? Keep usage and sum in float32, as state_dict() gives them."
            )
        elif lost:
            state_dict[prefix + "usage"] = usage.clamp(min=vq.FLOOR)
        super()._load_from_state_dict(state_dict, prefix, *others)

    def _keep(self, state, moved):
        self.usage.copy_(state.usage)
        if self.learn == "ema":
            self.sum.copy_(state.sum)
        else:
            self.weight.copy_(torch.where(moved[:, None], state.embed, self.weight))


class UnitQuantizer(VectorQuantizer):
    """`VectorQuantizer` on the unit sphere: vectors and codes are scaled to length 1, so the nearest is by angle.

    Source: improved VQGAN (arXiv 2110.04627, section 3.2), where the codes are also of few dimensions.

    >>> out = UnitQuantizer(16, 4)(torch.randn(5, 4))
    >>> torch.allclose(out.quantized.norm(dim=-1), torch.ones(5))
    True
    """

    @property
    def codebook(self):
        """The codes (K, D), each of length 1."""
        return _unit(super().codebook.clone())  # a restart may move the weight itself

    def forward(self, vectors):
        check_last(vectors, self.D)
        out = super().forward(_unit(vectors))
        return out._replace(quantized=out.quantized.to(vectors.dtype))


def _unit(vectors):
    """Scaled to length 1, in float32 at least: what keeps a length of 0 from dividing is 0 in float16."""
    return nn.functional.normalize(_widened(vectors), dim=-1)


def _widened(vectors):
    """The same numbers as float32, or float64 where they are that."""
    return vectors if vectors.itemsize >= 4 else vectors.float()


class SimVQ(VectorQuantizer):
    """A frozen random codebook behind one learned linear map: every step moves all codes at once.

    Source: SimVQ (arXiv 2411.02038, section 4).

    >>> quantizer = SimVQ(16, 4)
    >>> [name for name, _ in quantizer.named_parameters()]
    ['map.weight']
    """

    def __init__(self, K, D, *, commitment=0.25, through=None):
        K, D = check_layer(K, D, "gradient", commitment, 0, 0)
        super().__init__(K, D, commitment=commitment, through=through, codebook=torch.randn(K, D) * D**-0.5)
        self.learn = "gradient"
        self.map = nn.Linear(D, D, bias=False)

    @property
    def codebook(self):
        """The codes (K, D): the frozen ones, mapped."""
        return nn.functional.linear(self.sum, self.map.weight.to(self.sum.dtype))

    def _follow(self, vectors, codes):
        """Nothing to move: the gradient of the codebook loss moves the map."""

    def start_from(self, vectors, iterations=10):
        """Not for this layer: raises TypeError."""
        raise TypeError("the codes of SimVQ are frozen; only their map learns, so they cannot start from vectors")


class FiniteScalar(nn.Module):
    """`mmtokedu.vq.fsq` as a layer: input (..., D) with D levels, output `Quantized` with a loss of 0.

    The vectors come back in their own dtype; what is rounded and counted to a code is float32 at least.
    Raises ValueError for a level outside 2 to 1000, a product beyond int64, vectors of another width.
    Source: Mentzer et al. (arXiv 2309.15505).

    >>> FiniteScalar([8, 5, 5, 5])(torch.zeros(3, 4)).codes.shape
    torch.Size([3])
    """

    def __init__(self, levels):
        super().__init__()
        self.levels = check_levels(None, levels).tolist()
        self.K = math.prod(self.levels)

    def forward(self, vectors):
        codes, quantized = vq.fsq(vectors, self.levels)
        return Quantized(quantized.to(vectors.dtype), codes, vectors.new_zeros(()))


class PatchAutoencoder(nn.Module):
    """Rows of pixels to a vector of `width` numbers, through a quantizer, and back: two small perceptrons.

    Input (N, pixels), output (rebuilt (N, pixels), codes (N,), loss). With quantizer None nothing is quantized.

    >>> model = PatchAutoencoder(192, 64, VectorQuantizer(16, 64))
    >>> rebuilt, codes, loss = model(torch.zeros(5, 192))
    >>> rebuilt.shape, codes.shape
    (torch.Size([5, 192]), torch.Size([5]))
    """

    def __init__(self, pixels, width, quantizer=None, *, hidden=128):
        super().__init__()
        self.encoder = _perceptron(pixels, hidden, width)
        self.decoder = _perceptron(width, hidden, pixels)
        self.quantizer = quantizer

    def forward(self, rows):
        latents = self.encoder(rows)
        if self.quantizer is None:
            return self.decoder(latents), None, latents.new_zeros(())
        quantized, codes, loss = self.quantizer(latents)
        return self.decoder(quantized), codes, loss


def _perceptron(first, hidden, last):
    return nn.Sequential(
        nn.Linear(first, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, last)
    )
