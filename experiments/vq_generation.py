"""What a codebook does to a generator: bits an image, and whether what comes out is what was asked for.

    python experiments/vq_generation.py           everything; rewrites mmtokedu/data/results/vq_generation.json
    python experiments/vq_generation.py --quick   a few steps of one seed, printed, nothing written

Drawn shapes with a caption ("red circle") are cut into patches, a tokenizer turns each patch into one of K codes,
and the same small transformer learns the codes of an image after its caption, in one vocabulary. The tokenizers see
the same patches in as many updates and differ in the quantizer alone: a codebook that is left to the gradient
("collapsed"), one with moving averages and restarts ("healthy"), and FSQ; "small" is the healthy one again with about
as many codes as the collapsed one still uses. A classifier that knows real shapes only is shown the real images, their
reconstructions and the samples, so that what the tokenizer lost can be told from what the prior lost.
"""

import argparse
import base64
import io
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from _results import head
from PIL import Image, ImageDraw
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

import mmtokedu
from mmtokedu import vq
from mmtokedu.nn.prior import CausalPrior
from mmtokedu.nn.vq import FiniteScalar, PatchAutoencoder, VectorQuantizer
from mmtokedu.patches import patchify, unpatchify

RESULTS = Path(mmtokedu.__file__).parent / "data" / "results" / "vq_generation.json"

SIDE, PATCH = 24, 4  # pixels
GRID = SIDE // PATCH, SIDE // PATCH
N = GRID[0] * GRID[1]  # codes an image
COLOURS = {"red": (214, 48, 49), "green": (39, 150, 80), "blue": (44, 98, 210), "yellow": (240, 190, 40)}
SHAPES = "circle", "square", "triangle", "cross"
WORDS = "some", "shape", *COLOURS, *SHAPES  # the text's vocabulary: ids 0 to V - 1
V, CAPTION = len(WORDS), 2
FIRST_COLOUR, FIRST_SHAPE = WORDS.index("red"), WORDS.index("circle")
LEVELS = 8, 6, 5
K = math.prod(LEVELS)  # codes of every tokenizer but the small one; their ids are V to V + K - 1
FEW = 32
SEEDS = 0, 1, 2
IMAGES, HELD, DRAWN, FREE = 8192, 512, 512, 256  # to learn from, to measure on; samples a seed, asked for and free
TOKENIZERS = "collapsed", "healthy", "fsq", "small"
TOKENIZER = {"steps": 1000, "batch": 1024, "rate": 2e-3}  # of patches, with Adam
PRIOR = {"steps": 900, "batch": 32, "rate": 1e-3}  # of images, with AdamW
UNTOLD = 0.1  # share of the captions that read "some shape" while the prior learns


# Shapes


def draw_shapes(n, seed):
    """n shapes: images (n, SIDE, SIDE, 3) uint8 and their captions (n, 2) int64, a colour's word and a shape's.

    Place, size, turn, shade and background vary; edges are soft (drawn four times as large, then averaged).

    >>> images, captions = draw_shapes(2, seed=0)
    >>> images.shape, [" ".join(WORDS[word] for word in caption) for caption in captions]
    ((2, 24, 24, 3), ['yellow triangle', 'yellow triangle'])
    """
    draw, fine = np.random.default_rng(seed), 4
    images, captions = np.empty((n, SIDE, SIDE, 3), np.uint8), np.empty((n, CAPTION), np.int64)
    for i in range(n):
        colour, shape = draw.integers(len(COLOURS)), draw.integers(len(SHAPES))
        radius, turn = draw.uniform(5, 8.5), draw.uniform(-0.25, 0.25)
        center = draw.uniform(radius + 1, SIDE - radius - 1, size=2)
        turned = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        corners = (outline(SHAPES[shape]) @ turned * radius + center) * fine
        shade = np.clip(list(COLOURS.values())[colour] + draw.integers(-12, 13, size=3), 0, 255)
        canvas = Image.new("RGB", (SIDE * fine, SIDE * fine), (int(draw.integers(220, 246)),) * 3)
        ImageDraw.Draw(canvas).polygon([tuple(corner) for corner in corners], fill=tuple(shade.tolist()))
        images[i] = np.asarray(canvas.resize((SIDE, SIDE), Image.BOX))
        captions[i] = FIRST_COLOUR + colour, FIRST_SHAPE + shape
    return images, captions


def outline(shape):
    """The corners (n, 2) of a shape that reaches about 1 from its center."""
    if shape == "square":
        return 0.85 * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    if shape == "cross":
        arm = 0.33
        quarter = np.array([(arm, -1), (arm, -arm), (1, -arm)])
        turns = [np.array([[0, 1], [-1, 0]])] * 3
        return np.concatenate([quarter, *(quarter := quarter @ turn for turn in turns)])
    corners = 48 if shape == "circle" else 3
    angle = 2 * np.pi * np.arange(corners) / corners - np.pi / 2
    return (1 if shape == "circle" else 1.1) * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def one_of_each(captions):
    """For each of the 16 captions, in order, the index of the first image that bears it."""
    first = {tuple(caption): i for i, caption in reversed(list(enumerate(captions.tolist())))}
    return np.array([first[caption] for caption in sorted(first)])


# Tokenizers


def make_tokenizer(name):
    """An autoencoder of patches with one of the quantizers, or with none ("unquantized")."""
    width = 64
    quantizer = None
    if name == "collapsed":
        quantizer = VectorQuantizer(K, width, learn="gradient")
    elif name in ("healthy", "small"):
        quantizer = VectorQuantizer(K if name == "healthy" else FEW, width, learn="ema", restart_below=0.1)
    elif name == "fsq":
        quantizer, width = FiniteScalar(LEVELS), len(LEVELS)
    return PatchAutoencoder(PATCH * PATCH * 3, width, quantizer)


def to_rows(images):
    """uint8 images -> the rows of all their patches, float32 in [-1, 1]."""
    return torch.from_numpy(patchify(images, PATCH).reshape(-1, PATCH * PATCH * 3)).float() / 127.5 - 1


def train_tokenizer(name, rows, seed, steps=None):
    """A tokenizer after its updates, and how it went: [{step, psnr and used on 4096 fresh rows}, ...]."""
    steps, rate = steps or TOKENIZER["steps"], TOKENIZER["rate"]
    torch.manual_seed(seed)
    model, curve = make_tokenizer(name), []
    optimizer = torch.optim.Adam(model.parameters(), rate)
    for step in range(1, steps + 1):
        optimizer.param_groups[0]["lr"] = rate * falling(step, steps)
        batch = rows[torch.randint(len(rows), (TOKENIZER["batch"],))]
        rebuilt, _, loss = model(batch)
        optimizer.zero_grad()
        (F.mse_loss(rebuilt, batch) + loss).backward()
        optimizer.step()
        if step in marks(steps):
            curve.append({"step": step} | look(model, rows[torch.randint(len(rows), (4096,))]))
    return model.eval(), curve


def falling(step, steps):
    """The share of the rate at a step: full, then straight down to 0 over the last third."""
    return min(1.0, 3 * (1 - step / (steps + 1)))


def marks(steps):
    """The eight or so steps at which a curve is written down.

    >>> marks(1500)
    [10, 50, 100, 250, 500, 750, 1000, 1500]
    """
    return sorted({max(1, round(steps * part / 150)) for part in (1, 5, 10, 25, 50, 75, 100, 150)})


@torch.no_grad()
def look(model, rows):
    model.eval()
    rebuilt, codes, _ = model(rows)
    model.train()
    found = {"psnr": round(psnr(F.mse_loss(rebuilt.clamp(-1, 1), rows).item() * 127.5**2), 2)}
    return found if codes is None else found | {"used": len(codes.unique())}


def psnr(squared_error):
    """Peak signal to noise in dB, of a mean squared error on the scale of 0 to 255."""
    return 10 * math.log10(255**2 / squared_error)


@torch.no_grad()
def encode(model, images):
    """uint8 images (n, SIDE, SIDE, 3) -> codes (n, N)."""
    return model(to_rows(images))[1].reshape(-1, N).numpy()


@torch.no_grad()
def tiles(model):
    """What each code looks like: (K, PATCH*PATCH*3) uint8. A patch is decoded alone, so an image is made of these."""
    if isinstance(model.quantizer, FiniteScalar):
        vectors = torch.from_numpy(vq.fsq_look_up(np.arange(K), LEVELS))
    else:
        vectors = model.quantizer.codebook
    return to_bytes(model.decoder(vectors))


def to_bytes(rows):
    return ((rows.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy()


def lay(tiles, codes):
    """Codes (n, N) -> images (n, SIDE, SIDE, 3) uint8."""
    return unpatchify(tiles[codes], PATCH, GRID)


# One vocabulary, one sequence


def to_ids(captions, codes):
    """Captions (n, 2) and image codes (n, N) in one vocabulary: words 0 to V - 1, codes from V on. (n, 2 + N).

    >>> to_ids(np.array([[2, 6]]), np.array([[0, 239]])).tolist()
    [[2, 6, 10, 249]]
    """
    return np.concatenate([captions, V + codes], axis=1)


def to_codes(ids):
    """The image codes in a sequence, the other way.

    >>> to_codes(np.array([[2, 6, 10, 249]])).tolist()
    [[0, 239]]
    """
    return ids[:, CAPTION:] - V


def train_prior(ids, held, size, seed, steps=None):
    """The transformer over V + size ids after its updates on ids (n, 2 + N), and its bits on 128 held-out images."""
    steps, rate = steps or PRIOR["steps"], PRIOR["rate"]
    torch.manual_seed(seed)
    prior, curve = CausalPrior(V + size, CAPTION + N), []
    optimizer = torch.optim.AdamW(prior.parameters(), rate)
    for step in range(1, steps + 1):
        optimizer.param_groups[0]["lr"] = rate * falling(step, steps) * min(1.0, step / 50)
        batch = ids[torch.randint(len(ids), (PRIOR["batch"],))]
        untold = torch.rand(len(batch)) < UNTOLD
        batch[untold, :CAPTION] = torch.tensor([WORDS.index("some"), WORDS.index("shape")])
        loss = prior.bits(batch, counted=batch >= V).mean() * math.log(2) / N
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step in marks(steps):
            curve.append({"step": step, "bits": round(mean_bits(prior, held[:128]), 2)})
    return prior, curve


@torch.no_grad()
def mean_bits(prior, ids):
    """Bits an image, the caption given."""
    return torch.cat([prior.bits(part, counted=part >= V) for part in ids.split(64)]).mean().item()


def draw_codes(prior, captions, seed):
    """The codes (n, N) that the prior draws after each caption, at temperature 1."""
    generator = torch.Generator().manual_seed(seed)
    parts = [prior.sample(part, N, generator=generator, allowed=(V, prior.vocabulary)) for part in captions.split(128)]
    return torch.cat(parts).numpy() - V


# The judge


class Judge(nn.Module):
    """Names the colour and the shape of an image. It has seen real shapes only, and is the same for all tokenizers.

    `real` is the mean and the covariance of its last layer but one on real images (see `frechet`).
    """

    def __init__(self):
        super().__init__()
        convolution = lambda a, b, stride: nn.Sequential(nn.Conv2d(a, b, 3, stride, padding=1), nn.ReLU())
        self.body = nn.Sequential(
            convolution(3, 16, 1), convolution(16, 32, 2), convolution(32, 32, 2), nn.Flatten(),
            nn.Linear(32 * (SIDE // 4) ** 2, 64), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(64, len(COLOURS) + len(SHAPES))

    def forward(self, images):
        """uint8 images (n, SIDE, SIDE, 3) -> the scores of the colours and of the shapes, each (n, 4)."""
        return self.head(self.features(images)).split([len(COLOURS), len(SHAPES)], dim=1)

    def features(self, images):
        return self.body(torch.from_numpy(images).float().movedim(-1, 1) / 127.5 - 1)

    @torch.no_grad()
    def caption(self, images):
        """What it takes images for: captions (n, 2)."""
        colour, shape = self(images)
        return torch.stack([FIRST_COLOUR + colour.argmax(1), FIRST_SHAPE + shape.argmax(1)], dim=1).numpy()


def train_judge(images, captions, steps=800):
    torch.manual_seed(0)
    judge, words = Judge(), torch.from_numpy(captions)
    optimizer = torch.optim.Adam(judge.parameters(), 2e-3)
    for step in range(1, steps + 1):
        optimizer.param_groups[0]["lr"] = 2e-3 * falling(step, steps)
        chosen = torch.randint(len(images), (64,))
        colour, shape = judge(images[chosen.numpy()])
        wanted = words[chosen] - torch.tensor([FIRST_COLOUR, FIRST_SHAPE])
        optimizer.zero_grad()
        (F.cross_entropy(colour, wanted[:, 0]) + F.cross_entropy(shape, wanted[:, 1])).backward()
        optimizer.step()
    judge.real = moments(judge, images[:2048])
    return judge


@torch.no_grad()
def moments(judge, images):
    features = judge.features(images).double().numpy()
    return features.mean(axis=0), np.cov(features.T)


def frechet(judge, images):
    """How far images are from real ones as a crowd: 0 when what the judge sees has the same mean and covariance.

    Source: the distance of two normal distributions, as in FID (Heusel et al., arXiv 1706.08500), but in the features
    of this judge, so that its scale is its own.
    """
    (mean, covariance), (real_mean, real_covariance) = moments(judge, images), judge.real
    shared = np.sqrt(np.linalg.eigvals(covariance @ real_covariance).real.clip(0)).sum()
    return float(((mean - real_mean) ** 2).sum() + np.trace(covariance) + np.trace(real_covariance) - 2 * shared)


def agreement(judge, images, captions):
    """The share of images that the judge takes for what they should be: both words, the colour, the shape; and how
    far they are from real ones."""
    right = judge.caption(images) == captions
    return {"both": float(right.all(axis=1).mean()), "colour": float(right[:, 0].mean()),
            "shape": float(right[:, 1].mean()), "frechet": frechet(judge, images)}  # fmt: skip


def variety(judge, images, codes):
    """Of images that nobody specified: kinds (16 at most, as a perplexity), distinct grids, and how far any two lie
    apart (root mean squared difference, 0 to 255)."""
    flat = images.reshape(len(images), -1).astype(np.float64)
    spread = flat.var(axis=0).mean() * 2 * len(flat) / (len(flat) - 1)  # mean squared difference over all pairs
    kinds = (judge.caption(images) - [FIRST_COLOUR, FIRST_SHAPE]) @ [len(SHAPES), 1]
    return {"kinds": vq.codebook_usage(kinds, len(COLOURS) * len(SHAPES)).perplexity,
            "distinct": len(np.unique(codes, axis=0)), "apart": math.sqrt(spread)}  # fmt: skip


# Bits


def residual_bits(known, rebuilt_known, images, rebuilt):
    """Bits an image for what a tokenizer left out, so that code bits and these together give the image back exactly.

    The difference of each number of a pixel from its reconstruction, -255 to 255, costs minus log2 of how often that
    difference occurs in the images to learn from (one added to each count).
    """
    difference = lambda a, b: a.astype(np.int64) - b + 255
    counts = np.bincount(difference(known, rebuilt_known).ravel(), minlength=511) + 1
    cost = -np.log2(counts / counts.sum())
    return float(cost[difference(images, rebuilt)].sum() / len(images))


# Together


def data(images=IMAGES, held=HELD):
    return draw_shapes(images, seed=1), draw_shapes(held, seed=2)


def measure(name, seed, learn, held, judge, quick=False):
    """One tokenizer and its prior, one seed: (the numbers, the curves, the pictures)."""
    (images, captions), (held_images, held_captions) = learn, held
    tokenizer, tokenizer_curve = train_tokenizer(name, to_rows(images), seed, 60 if quick else None)
    codes, held_codes, look_of = encode(tokenizer, images), encode(tokenizer, held_images), tiles(tokenizer)
    rebuilt = lay(look_of, held_codes)
    ids, held_ids = (torch.from_numpy(to_ids(*pair)) for pair in ((captions, codes), (held_captions, held_codes)))
    prior, prior_curve = train_prior(ids, held_ids, len(look_of), seed, 30 if quick else None)

    unsaid = torch.tensor([[WORDS.index("some"), WORDS.index("shape")]])
    asked = np.resize(sorted(set(map(tuple, held_captions.tolist()))), (32 if quick else DRAWN, CAPTION))
    drawn = draw_codes(prior, torch.from_numpy(asked), seed)
    free = draw_codes(prior, unsaid.expand(32 if quick else FREE, -1), seed)

    usage, bits = vq.codebook_usage(held_codes, len(look_of)), mean_bits(prior, held_ids)
    left = residual_bits(images, lay(look_of, codes), held_images, rebuilt)
    error = float(((held_images.astype(float) - rebuilt) ** 2).mean())
    numbers = {
        "psnr": psnr(error), "used": usage.used, "perplexity": usage.perplexity,
        "entropy_bits": N * math.log2(usage.perplexity), "bits": bits,
        "bits_seen": mean_bits(prior, ids[: len(held_ids)]), "residual_bits": left, "total_bits": bits + left,
        "rebuilt": agreement(judge, rebuilt, held_captions), "samples": agreement(judge, lay(look_of, drawn), asked),
        "free": variety(judge, lay(look_of, free), free),
    }  # fmt: skip
    one = one_of_each(held_captions)
    pictures = {
        "tiles": png(unpatchify(look_of, PATCH, (len(look_of) // 16, 16))),
        "rebuilt": held_codes[one].tolist(),
        "samples": drawn[:32].tolist(),
        "free": free[:16].tolist(),
    }
    return numbers, {"tokenizer": tokenizer_curve, "prior": prior_curve}, pictures


def png(image):
    """(H, W, 3) uint8 -> a PNG in base64."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def summary(values):
    """Mean, least and largest of numbers, or of each entry of dicts.

    >>> summary([{"used": 3, "free": {"kinds": 1.0}}, {"used": 5, "free": {"kinds": 2.0}}])
    {'used': {'mean': 4.0, 'low': 3, 'high': 5}, 'free': {'kinds': {'mean': 1.5, 'low': 1.0, 'high': 2.0}}}
    """
    if isinstance(values[0], dict):
        return {key: summary([value[key] for value in values]) for key in values[0]}
    return {"mean": round(sum(values) / len(values), 4), "low": round(min(values), 4), "high": round(max(values), 4)}


def reference(learn, held, judge):
    """What stands beside the tokenizers: the judge on real images, their variety, nothing quantized, raw pixels."""
    (images, _), (held_images, held_captions) = learn, held
    free = draw_shapes(FREE, seed=3)[0]
    unquantized = [look(train_tokenizer("unquantized", to_rows(images), seed)[0], to_rows(held_images))
                   for seed in SEEDS]  # fmt: skip
    real = {"judge": agreement(judge, held_images, held_captions), "free": variety(judge, free, free)}
    return summary([real]) | {"unquantized": summary(unquantized), "raw_bits": held_images[0].size * 8}


def experiment():
    learn, held = data()
    judge = train_judge(*learn)
    rows, curves, pictures = [], {}, {}
    for name in TOKENIZERS:
        found = [measure(name, seed, learn, held, judge) for seed in tqdm(SEEDS, desc=name)]
        rows.append({"tokenizer": name} | summary([numbers for numbers, _, _ in found]))
        curves[name], pictures[name] = found[0][1], found[0][2]
    one = one_of_each(held[1])
    sheet = unpatchify(held[0][one].reshape(1, len(one), -1), SIDE, (4, 4))[0]
    return {
        "settings": {
            "side": SIDE, "patch": PATCH, "grid": GRID, "words": WORDS, "V": V, "K": K, "few": FEW, "levels": LEVELS,
            "images": IMAGES, "held": HELD, "samples": DRAWN, "free": FREE, "seeds": SEEDS,
            "tokenizer": TOKENIZER, "prior": PRIOR,
            "untold": UNTOLD, "width": 64, "temperature": 1.0,
        },
        "reference": reference(learn, held, judge),
        "rows": rows,
        "curves": curves,
        "pictures": {"captions": held[1][one].tolist(), "originals": png(sheet)} | pictures,
    }  # fmt: skip


def as_text(value, depth=3, indent=""):
    """JSON with one entry a line down to a depth, and one row a line, so that a difference can be read."""
    if not depth or not isinstance(value, dict | list) or not any(isinstance(v, dict | list) for v in _inner(value)):
        return json.dumps(value, ensure_ascii=False)
    names = [f"{json.dumps(name)}: " for name in value] if isinstance(value, dict) else [""] * len(value)
    lines = [f"{indent} {n}{as_text(v, depth - 1, indent + ' ')}" for n, v in zip(names, _inner(value))]
    start, stop = "{}" if isinstance(value, dict) else "[]"
    return f"{start}\n" + ",\n".join(lines) + f"\n{indent}{stop}"


def _inner(value):
    return value.values() if isinstance(value, dict) else value


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few steps of one seed, printed; nothing is written")
    torch.set_num_threads(1)
    if parser.parse_args(argv).quick:
        learn, held = data(512, 64)
        judge = train_judge(*learn, steps=50)
        for name in TOKENIZERS:
            numbers, _, _ = measure(name, 0, learn, held, judge, quick=True)
            print(f"{name:10}{numbers['used']:4} codes{numbers['psnr']:6.1f} dB{numbers['bits']:7.1f} bits an image")
        return
    started = time.time()
    what = "Bits an image and samples of one small transformer over the codes of four tokenizers."
    result = head(what, "vq_generation", ("numpy", "pillow", "torch")) | experiment()
    result["seconds"], result["processor_seconds"] = round(time.time() - started), round(time.process_time())
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(as_text(json.loads(json.dumps(result))) + "\n", encoding="utf-8")
    print(f"wrote {RESULTS.name} after {result['seconds']} s")


if __name__ == "__main__":
    main()
