"""Quantizers as layers: the functions of `mmtokedu.vq` with a place to keep the codebook."""

from typing import NamedTuple

import torch
from torch import nn

from mmtokedu import vq


class Quantized(NamedTuple):
    """What a quantizer returns: vectors (..., D) that a gradient passes, codes (...) int64, and its own loss."""

    quantized: torch.Tensor
    codes: torch.Tensor
    loss: torch.Tensor


class VectorQuantizer(nn.Module):
    """A codebook of K codes of D numbers that learns from what it quantizes. Input (..., D), output `Quantized`.

    learn="ema" moves the codes by moving averages with `decay`; learn="gradient" adds the codebook loss and leaves
    them to the optimizer. `commitment` weighs the loss that keeps the vectors near their codes. In training, codes
    whose usage falls under `restart_below` times the average are restarted from the batch (0: never). `through` is
    `straight_through` or `rotation_trick` of `mmtokedu.vq`. Codes start uniform in ±1/K unless `codebook` (K, D)
    is given; `start_from(vectors)` starts them from k-means instead, whenever you call it.

    Raises ValueError for another `learn`.
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
        if learn not in ("ema", "gradient"):
            raise ValueError(f'learn is {learn!r}; it is "ema" or "gradient"')
        codebook = torch.empty(K, D).uniform_(-1 / K, 1 / K) if codebook is None else codebook.detach().clone()
        self.K, self.learn, self.commitment = K, learn, commitment
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
        flat = vectors.reshape(-1, vectors.shape[-1])
        codebook = self.codebook
        codes = vq.nearest_code(flat.detach(), codebook.detach())
        chosen = vq.look_up(codes, codebook)
        loss = self.commitment * vq.commitment_loss(flat, chosen)
        if self.learn == "gradient":
            loss = loss + vq.commitment_loss(chosen, flat)  # the codebook loss: the same with the roles exchanged
        if self.training and len(flat):
            self._follow(flat.detach(), codes)
        quantized = self.through(flat, chosen.detach())
        return Quantized(quantized.reshape(vectors.shape), codes.reshape(vectors.shape[:-1]), loss)

    @torch.no_grad()
    def _follow(self, vectors, codes):
        """One step of the moving averages, then the restarts. A restart comes last: what follows would undo it."""
        old = vq.EmaState(self.sum, self.usage) if self.learn == "ema" else vq.ema_state(self.weight, self.usage)
        new = vq.ema_update(old, vectors, codes, self.decay)
        if self.learn == "gradient":
            new = vq.ema_state(self.weight, new.usage)
        threshold = self.restart_below * float(new.usage.mean())
        dead = new.usage < threshold
        if dead.any():
            draws = torch.rand(len(vectors), device=vectors.device)
            new = vq.restart_dead_codes(new, vectors, threshold, draws)
        self._keep(new, dead)

    @torch.no_grad()
    def start_from(self, vectors, iterations=10):
        """Start again from the k-means of these vectors (N, D), N >= K. Works best once the encoder has settled."""
        draws = torch.rand(len(vectors), device=vectors.device)
        state = vq.kmeans_init(vectors.detach(), self.K, draws, iterations=iterations)
        self._keep(state, torch.ones_like(state.usage, dtype=torch.bool))

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
        return nn.functional.normalize(super().codebook.clone(), dim=-1)  # a restart may move the weight itself

    def forward(self, vectors):
        return super().forward(nn.functional.normalize(vectors, dim=-1))


class SimVQ(VectorQuantizer):
    """A frozen random codebook behind one learned linear map: every step moves all codes at once.

    Source: SimVQ (arXiv 2411.02038, section 4).

    >>> quantizer = SimVQ(16, 4)
    >>> [name for name, _ in quantizer.named_parameters()]
    ['map.weight']
    """

    def __init__(self, K, D, *, commitment=0.25, through=None):
        super().__init__(K, D, commitment=commitment, through=through, codebook=torch.randn(K, D) * D**-0.5)
        self.learn = "gradient"
        self.map = nn.Linear(D, D, bias=False)

    @property
    def codebook(self):
        """The codes (K, D): the frozen ones, mapped."""
        return self.map(self.sum)

    def _follow(self, vectors, codes):
        """Nothing to move: the gradient of the codebook loss moves the map."""

    def start_from(self, vectors, iterations=10):
        """Not for this layer: raises TypeError."""
        raise TypeError("the codes of SimVQ are frozen; only their map learns, so they cannot start from vectors")


class FiniteScalar(nn.Module):
    """`mmtokedu.vq.fsq` as a layer: input (..., D) with D levels, output `Quantized` with a loss of 0.

    Source: Mentzer et al. (arXiv 2309.15505).

    >>> FiniteScalar([8, 5, 5, 5])(torch.zeros(3, 4)).codes.shape
    torch.Size([3])
    """

    def __init__(self, levels):
        super().__init__()
        self.levels, self.K = list(levels), int(torch.tensor(levels).prod())

    def forward(self, vectors):
        codes, quantized = vq.fsq(vectors, self.levels)
        return Quantized(quantized, codes, vectors.new_zeros(()))


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
