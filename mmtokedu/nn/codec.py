"""A small speech codec that learns on a CPU: MDCT frames, 1-D convolutions, and codebooks one after the other."""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from mmtokedu.arguments.common import check_floats, positive
from mmtokedu.cuda._eager import eagerly
from mmtokedu.nn.vq import Quantized, VectorQuantizer, _widened
from mmtokedu.rvq import draw_stages, imdct, mdct, rvq_decode, rvq_encode
from mmtokedu.samples.items import DATA
from mmtokedu.vq import look_up, nearest_code, straight_through

PRETRAINED = DATA / "rvq" / "codec.npz"
REACH = 3  # frames before the end that see what comes after it, see `SpeechCodec`
DROPPED = -1  # stands where a code would be, had quantizer dropout not left its stage out


class ResidualQuantizer(nn.Module):
    """Q codebooks in a row, each for what the ones before it left: vectors (B, N, D) -> `Quantized`, codes (B, N, Q).

    The codebooks learn by moving averages with restarts. Each stage has its own commitment loss on its own residual,
    and all of them reach the vectors: what the stages before chose is a constant. One straight-through leads around all
    stages together. In training every item of the batch keeps, with probability `dropout`, only its first stages,
    a number drawn from 1 to Q; the stages it leaves out have code -1 and learn nothing from it. The loss is the mean
    over the stages. What is left is float32 at least, the quantized vectors have the dtype of the vectors.

    Under a process group each process draws its own stages, and the codebooks are the same in all: a process whose
    items all leave a stage out takes part in its averages and restarts with no vectors.

    Raises ValueError for a dropout outside [0, 1], a Q, K or D below 1, or vectors of another shape.
    Source: SoundStream (arXiv 2107.03312, section III-C); commitment on detached residuals as in audiocraft.

    >>> out = ResidualQuantizer(Q=4, K=16, D=8)(torch.randn(2, 5, 8))
    >>> out.quantized.shape, out.codes.shape, out.loss.ndim
    (torch.Size([2, 5, 8]), torch.Size([2, 5, 4]), 0)
    """

    def __init__(self, Q, K, D, *, dropout=0.5, commitment=0.25, decay=0.99, restart_below=0.1):
        super().__init__()
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout is {dropout}; it is a probability, 0 to 1")
        Q = positive(Q, "Q")
        self.Q, self.D, self.dropout = Q, D, dropout
        options = {"commitment": commitment, "decay": decay, "restart_below": restart_below}
        self.stages = nn.ModuleList(VectorQuantizer(K, D, **options) for _ in range(Q))

    @property
    def codebooks(self):
        """The codes (Q, K, D) as they are now."""
        return torch.stack([stage.codebook for stage in self.stages])

    def forward(self, vectors):
        check_floats(vectors, "vectors")
        if vectors.ndim != 3 or vectors.shape[-1] != self.D:
            raise ValueError(f"vectors have shape {tuple(vectors.shape)}; expected (B, N, {self.D})")
        kept = self._draw(len(vectors)).to(vectors.device)
        codes = kept.new_full((*vectors.shape[:2], self.Q), DROPPED)
        residual = _widened(vectors)
        total, loss = torch.zeros_like(residual), residual.new_zeros(())
        for q, stage in enumerate(self.stages):
            here = kept > q  # (B,)
            out = stage(residual[here])
            chosen = torch.zeros_like(residual)
            chosen[here] = out.quantized.detach()
            residual, total = residual - chosen, total + chosen
            codes[here, :, q] = out.codes
            loss = loss + out.loss * here.sum() / max(1, len(here)) / self.Q
        return Quantized(straight_through(vectors, total).to(vectors.dtype), codes, loss)

    @eagerly
    def _draw(self, items):
        """How many stages each item keeps: (items,) from 1 to Q."""
        kept = torch.full((items,), self.Q)
        if self.training and self.dropout:
            fewer = torch.rand(items) < self.dropout
            kept[fewer] = torch.from_numpy(draw_stages(torch.rand(int(fewer.sum())).numpy(), self.Q))
        return kept

    @torch.no_grad()
    def start_from(self, vectors, iterations=10):
        """Start every stage from the k-means of what the stages before leave of these vectors (..., D)."""
        residual = vectors.reshape(-1, self.D)
        for stage in self.stages:
            stage.start_from(residual, iterations)
            residual = residual - look_up(nearest_code(residual, stage.codebook), stage.codebook)


class Coded(NamedTuple):
    """What a codec returns: the sound rebuilt (B, T), codes (B, F, Q) or None, and the quantizer's own loss."""

    sound: torch.Tensor
    codes: "torch.Tensor | None"
    loss: torch.Tensor


class SpeechCodec(nn.Module):
    """Sound (B, T) to codes (B, F, Q) and back, F = ceil(T/hop) + 1: 100 frames a second at 16 kHz with a hop of 160.

    The front end is fixed: the MDCT of `mmtokedu.rvq`, whose frames give the sound back exactly. Inside it everything
    learns: a loudness for each frequency, a `FrameNetwork` to `width` numbers a frame and one back, and between them a
    `ResidualQuantizer`. `forward` returns `Coded`; with quantize=False the numbers go through as they are, codes None.

    Sounds of one batch are of one length. Pad a shorter one with zeros, and cut what is rebuilt. The codes of its last
    `REACH` frames are then not those that it has alone, since the convolutions see silence where they saw the edge; all
    frames before are the same.

    Raises ValueError for a sound that is not (B, T) with B and T >= 1, or not finite; TypeError unless it is of floats.
    Source: the parts are SoundStream's (arXiv 2107.03312); the fixed transform in place of its strided convolutions is
    ours, so that minutes of training are enough.

    >>> codec = SpeechCodec(Q=4, K=16)
    >>> codes = codec.encode(torch.zeros(1, 1000))
    >>> codes.shape, codec.decode(codes, 1000).shape, codec.decode(codes[..., :2], 1000).shape
    (torch.Size([1, 8, 4]), torch.Size([1, 1000]), torch.Size([1, 1000]))
    """

    def __init__(self, *, rate=16_000, hop=160, width=64, hidden=128, Q=8, K=256, dropout=0.5):
        super().__init__()
        self.settings = {"rate": rate, "hop": hop, "width": width, "hidden": hidden, "Q": Q, "K": K}
        self.rate, self.hop = rate, hop
        self.loudness = nn.Parameter(torch.full((hop,), 4.0))  # speech at RMS 0.07 comes in at about 0.3
        self.encoder = FrameNetwork(hop, width, hidden)
        self.decoder = FrameNetwork(width, hop, hidden)
        self.quantizer = ResidualQuantizer(Q, K, width, dropout=dropout)

    @property
    def frame_rate(self):
        """Frames a second."""
        return self.rate / self.hop

    def forward(self, sound, quantize=True):
        latents = self.latents(sound)
        out = self.quantizer(latents) if quantize else Quantized(latents, None, latents.new_zeros(()))
        return Coded(self._sound(out.quantized, sound.shape[1]), out.codes, out.loss)

    def latents(self, sound):
        """What is quantized: sound (B, T) -> (B, F, width)."""
        if sound.ndim != 2 or not sound.numel():
            shape = tuple(sound.shape)
            raise ValueError(f"sound has shape {shape}; expected (B, T), at least one of each (one sound: sound[None])")
        frames = torch.stack([mdct(one, self.hop) for one in sound]).to(self.loudness.dtype)
        return self.encoder(frames * self.loudness)

    def _sound(self, latents, length):
        frames = self.decoder(latents.to(self.loudness.dtype)) / self.loudness.clamp(min=0.1)
        return torch.stack([imdct(one, length) for one in frames]).to(self.loudness.dtype)

    @torch.no_grad()
    def encode(self, sound):
        """Sound (B, T) -> codes (B, F, Q) int64."""
        latents = self.latents(sound)
        return rvq_encode(latents.flatten(0, 1), self.quantizer.codebooks).unflatten(0, latents.shape[:2])

    @torch.no_grad()
    def decode(self, codes, length):
        """Codes (B, F, Q') -> sound (B, length), for any Q' from 1 to Q: the first stages alone are a coarser sound.

        Raises ValueError unless F = ceil(length/hop) + 1, or for more codes a frame than there are codebooks.
        """
        if codes.ndim != 3:
            raise ValueError(f"codes have shape {tuple(codes.shape)}; expected (B, F, Q) (one sound: codes[None])")
        latents = rvq_decode(codes.flatten(0, 1), self.quantizer.codebooks).unflatten(0, codes.shape[:2])
        return self._sound(latents, length)


class FrameNetwork(nn.Module):
    """Frames (B, F, inputs) -> (B, F, outputs): a linear map, plus small convolutions along time that correct it.

    The linear map starts as "keep the numbers that both sides have" and the correction starts at 0. Of MDCT frames
    those are the lower frequencies, so an untrained codec without a quantizer is a low-pass filter: training starts
    there and not at noise.

    >>> FrameNetwork(4, 2, hidden=8)(torch.arange(12.0).view(1, 3, 4)).tolist()
    [[[0.0, 1.0], [4.0, 5.0], [8.0, 9.0]]]
    """

    def __init__(self, inputs, outputs, hidden):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)
        self.correction = nn.Sequential(
            nn.Conv1d(inputs, hidden, 3, padding=1),
            Residual(hidden),
            Residual(hidden),
            nn.ELU(),
            nn.Conv1d(hidden, outputs, 3, padding=1),
        )
        nn.init.eye_(self.linear.weight)
        for last in self.correction[-1].parameters():
            nn.init.zeros_(last)

    def forward(self, frames):
        return self.linear(frames) + self.correction(frames.mT).mT


class Residual(nn.Module):
    """Channels (B, C, F) plus what a convolution over three frames makes of them. Source: SEANet, as in SoundStream."""

    def __init__(self, channels):
        super().__init__()
        self.layers = nn.Sequential(
            nn.ELU(), nn.Conv1d(channels, channels // 2, 3, padding=1), nn.ELU(), nn.Conv1d(channels // 2, channels, 1)
        )

    def forward(self, x):
        return x + self.layers(x)


WINDOWS = 256, 512, 1024  # samples: short ones see when, long ones see which pitch
FLOOR = 3e-3  # magnitudes below it are silence


def rebuilding_loss(rebuilt, sound):
    """How far a rebuilt sound (B, T) is from the sound (B, T): a number.

    10 times the mean absolute difference of the samples, which holds the phase, plus differences of the spectra in
    three resolutions, relative and in logarithms, which hold what the ear compares.
    Source: spectral convergence and log magnitude of Parallel WaveGAN (arXiv 1910.11480, section 2.2); weights ours.

    >>> sound = torch.sin(torch.arange(4000) / 9)[None]
    >>> float(rebuilding_loss(sound, sound)), bool(rebuilding_loss(0 * sound, sound) > 7)
    (0.0, True)
    """
    rebuilt, sound = _widened(rebuilt), _widened(sound)
    loss = 10 * F.l1_loss(rebuilt, sound)
    for window in WINDOWS:
        ours, theirs = _spectrum(rebuilt, window), _spectrum(sound, window)
        convergence = (ours - theirs).norm() / theirs.norm()
        loss = loss + (convergence + F.l1_loss(ours.log(), theirs.log()) / 2) / len(WINDOWS)
    return loss


def _spectrum(sound, window):
    shape = torch.hann_window(window, device=sound.device)
    found = torch.stft(sound, window, window // 4, window=shape, pad_mode="constant", return_complex=True)
    return found.abs().clamp(min=FLOOR)


def train(codec, sounds, steps, *, batch=4, seconds=0.8, learning_rate=2e-3, warm_up=0.15):
    """Teach a codec these sounds, a list of (T,) at its rate: the loss of every step. Torch's seed decides the draws.

    For the first share of steps, `warm_up`, nothing is quantized; then every codebook starts from the k-means of what
    its stage gets, and all learn together. A batch is excerpts at random places, at random loudness.

    Raises ValueError for sounds that are together shorter than one excerpt.

    >>> codec = SpeechCodec(Q=2, K=16, width=8, hidden=8)
    >>> len(train(codec, [torch.randn(16_000) / 10], steps=2, batch=2))
    2
    """
    everything, length = torch.cat(list(sounds)).to(codec.loudness.device), round(seconds * codec.rate)
    if len(everything) < length:
        raise ValueError(f"the sounds have {len(everything)} samples; one excerpt of {seconds} s needs {length}")
    optimizer = torch.optim.AdamW(codec.parameters(), learning_rate, betas=(0.8, 0.99), weight_decay=0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=learning_rate / 20)
    first, losses = round(warm_up * steps), []

    def excerpts(count):
        starts = torch.randint(len(everything) - length + 1, (count,)).tolist()
        return torch.stack([everything[start : start + length] for start in starts])

    codec.train()
    for step in range(steps):
        if step == first:
            with torch.no_grad():
                codec.quantizer.start_from(codec.latents(excerpts(128)))
        sound = excerpts(batch) * 10 ** (0.15 * torch.randn(batch, 1).to(everything))
        coded = codec(sound, quantize=step >= first)
        loss = rebuilding_loss(coded.sound, sound) + coded.loss
        loss.backward()
        nn.utils.clip_grad_norm_(codec.parameters(), 5.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
        losses.append(loss.item())
    codec.eval()
    return losses


def save(codec, path):
    """Write a codec's weights and codebooks as float16 to an .npz file; what only training needs is left out."""
    weights = {name: weight.detach().half().numpy() for name, weight in codec.named_parameters()}
    np.savez_compressed(path, **weights, **codec.settings, codebooks=codec.quantizer.codebooks.half().numpy())


def load(path=None):
    """The codec that `save` wrote; without a path the one that ships with the book, in `eval` mode.

    It was trained by `experiments/rvq.py` on the synthetic speech of `mmtokedu.samples`: 8 codebooks of 256 codes, 100
    frames a second, 6.4 kbit/s.

    >>> codec = load()
    >>> codec.quantizer.codebooks.shape, codec.frame_rate
    (torch.Size([8, 256, 64]), 100.0)
    """
    with np.load(path or PRETRAINED, allow_pickle=False) as stored:
        arrays = dict(stored)
    settings = {name: int(value) for name, value in arrays.items() if not value.ndim}
    codec = SpeechCodec(**settings)
    for stage, codebook in zip(codec.quantizer.stages, torch.from_numpy(arrays.pop("codebooks")).float()):
        stage.sum.copy_(codebook)
        stage.usage.fill_(1.0)
    with torch.no_grad():
        for name, weight in codec.named_parameters():
            weight.copy_(torch.from_numpy(arrays[name]))
    return codec.eval()
