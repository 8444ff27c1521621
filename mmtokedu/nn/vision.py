"""Eyes for the small model: a small vision transformer, what teaches it to see, and the two together."""

import torch
from torch import nn
from torch.nn import functional as F

from mmtokedu.nn.small import Block, Small, rms
from mmtokedu.small import PATCH, PLACES, between

__all__ = ["Reader", "Vision", "answer_loss"]


class Vision(nn.Module):
    """A small vision transformer: pixels (B, H, W, 3) uint8 -> tokens (B, H/12 * W/12, width), row by row.

    Three convolutions look at 23 x 23 pixels for each patch. A token's place is told by two learned tables, of rows and
    columns, read at the fraction of the picture's height and width: so pictures of every size have the same corners.
    Then every token looks at every other.

    Source: ViT (arXiv 2010.11929) with a convolutional stem (arXiv 2106.14881); fractional factorised places are
    NaViT's (arXiv 2307.06304). ValueError where 12 does not divide both sides.

    >>> Vision(width=32, layers=1, heads=2)(torch.zeros(2, 24, 36, 3, dtype=torch.uint8)).shape
    torch.Size([2, 6, 32])
    """

    def __init__(self, *, width=64, layers=2, heads=2):
        super().__init__()
        self.stem = nn.ModuleList(
            [nn.Conv2d(3, 24, 3, 2, 1), nn.Conv2d(24, 32, 3, 2, 1), nn.Conv2d(32, width, 5, 3, 1)]
        )
        self.places = nn.Parameter(0.2 * torch.randn(2, PLACES, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, pixels):
        x = self.embed(pixels)
        for block in self.blocks:
            x = block(x)
        return rms(x) * self.gain

    def embed(self, pixels):
        """What the convolutions made of each patch, with its place: what the first layer is given."""
        height, width = pixels.shape[1:3]
        if height % PATCH or width % PATCH:
            raise ValueError(f"pictures are {height}x{width}; both sides must be multiples of {PATCH}")
        x = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
        for i, layer in enumerate(self.stem):  # -> (B, width, rows, columns)
            x = layer(x) if i == 0 else layer(F.gelu(x, approximate="tanh"))
        rows, columns = (
            torch.as_tensor(between(n // PATCH), dtype=x.dtype, device=x.device) @ table
            for n, table in zip((height, width), self.places)
        )
        return (x.permute(0, 2, 3, 1) + rows[:, None] + columns).flatten(1, 2)  # (B, rows * columns, width)


class Reader(nn.Module):
    """Eyes, a projector and the small model: pictures and questions in, a word's logits out for each question.

    `ask(pixels, questions, layout)`: pixels (B, H, W, 3) uint8, questions (B, Q, 2) word ids, layout as
    `mmtokedu.small.lay_out` makes it -> (B, Q, words). `tagger` is for `tag_loss` alone.

    >>> from mmtokedu.small import lay_out
    >>> reader = Reader(words=10, tags=5, width=32, layers=(1, 1), heads=2)
    >>> pixels, questions = torch.zeros(2, 24, 36, 3, dtype=torch.uint8), torch.zeros(2, 4, 2, dtype=torch.int64)
    >>> reader.ask(pixels, questions, lay_out((1, 2, 3), 4, pairs=8)).shape
    torch.Size([2, 4, 10])
    """

    def __init__(self, words, tags, *, width=64, layers=(2, 3), heads=2):
        super().__init__()
        self.vision = Vision(width=width, layers=layers[0], heads=heads)
        self.projector = nn.Sequential(nn.Linear(width, width), nn.GELU("tanh"), nn.Linear(width, width))
        self.small = Small(words, width=width, layers=layers[1], heads=heads)
        self.tagger = nn.Linear(width, tags)
        nn.init.constant_(self.tagger.bias, -4.0)  # most patches hold nothing

    def ask(self, pixels, questions, layout):
        return self.answer(self.vision(pixels), questions, layout)

    def answer(self, tokens, questions, layout):
        """The same from what the eyes made of the pixels."""
        angles, mask, modality = (torch.as_tensor(part, device=tokens.device) for part in layout)
        seen = tokens.shape[1]
        x = torch.cat([self.projector(tokens), self.small.word(questions).flatten(1, 2)], dim=1)
        logits = self.small(x + self.small.modality(modality), angles.float(), mask)
        return logits[:, seen + 1 :: 2]

    def tag_loss(self, tokens, tags):
        """What the eyes are taught: for each patch the names of what has its middle there; tags (B, N, tags) bool.

        Few patches hold anything, so what is there weighs four times what is not; the sum over a patch, not the mean.
        """
        told, wanted = self.tagger(tokens), tags.to(tokens.dtype)
        weight = torch.tensor(4.0, device=tokens.device)
        loss = F.binary_cross_entropy_with_logits(told, wanted, pos_weight=weight, reduction="none")
        return loss.sum(dim=-1).mean()


def answer_loss(logits, answers):
    """Cross-entropy of the answers (B, Q); -100 is not asked."""
    return F.cross_entropy(logits.flatten(0, 1), answers.flatten(), ignore_index=-100)
