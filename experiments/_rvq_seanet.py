"""A small SEANet: the codec of `mmtokedu.nn.codec` with strided convolutions on raw samples in place of the MDCT."""

import itertools

from torch import nn

from mmtokedu.nn.codec import Residual, SpeechCodec

STRIDES = 2, 4, 4, 5  # together 160 samples, as the hop of the codec
CHANNELS = 16, 32, 64, 128, 128


class SeanetCodec(SpeechCodec):
    """`SpeechCodec` with a learned front end; everything between the two networks is the same, and so is training.

    Source: SEANet as in SoundStream (arXiv 2107.03312, section III-A), with fewer channels and blocks.

    >>> import torch
    >>> codec = SeanetCodec(Q=2, K=16)
    >>> codec(torch.zeros(1, 1000), quantize=False).sound.shape, codec.encode(torch.zeros(1, 1000)).shape
    (torch.Size([1, 1000]), torch.Size([1, 7, 2]))
    """

    def __init__(self, **settings):
        super().__init__(**settings)
        width = self.settings["width"]
        self.encoder, self.decoder = encoder(width), decoder(width)

    def latents(self, sound):
        missing = -sound.shape[1] % self.hop
        return self.encoder(nn.functional.pad(sound, (0, missing))[:, None]).mT

    def _sound(self, latents, length):
        return self.decoder(latents.mT)[:, 0, :length]


def encoder(width):
    """Samples (B, 1, T) -> (B, width, T / 160)."""
    layers = [nn.Conv1d(1, CHANNELS[0], 7, padding=3)]
    for stride, (fewer, more) in zip(STRIDES, itertools.pairwise(CHANNELS)):
        padding = (stride + 1) // 2
        layers += [Residual(fewer), nn.ELU(), nn.Conv1d(fewer, more, 2 * stride, stride, padding=padding)]
    return nn.Sequential(*layers, nn.ELU(), nn.Conv1d(CHANNELS[-1], width, 3, padding=1))


def decoder(width):
    """The mirror image: (B, width, F) -> (B, 1, 160 F)."""
    layers = [nn.Conv1d(width, CHANNELS[-1], 7, padding=3)]
    for stride, (more, fewer) in zip(STRIDES[::-1], itertools.pairwise(CHANNELS[::-1])):
        padding, odd = stride // 2 + stride % 2, stride % 2
        layers += [nn.ELU(), nn.ConvTranspose1d(more, fewer, 2 * stride, stride, padding=padding, output_padding=odd)]
        layers += [Residual(fewer)]
    return nn.Sequential(*layers, nn.ELU(), nn.Conv1d(CHANNELS[0], 1, 7, padding=3))
