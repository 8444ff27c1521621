"""Why codebooks collapse, what helps, and what the codes cost in bits: the tables behind the chapter on VQ.

    python experiments/vq.py            everything; rewrites mmtokedu/data/results/vq.json
    python experiments/vq.py --pixels   the table of raw pixels alone, of that file
    python experiments/vq.py --quick    a few cells of each, printed, nothing written

Pixels. A codebook learns 8 x 8 grey patches as they are, with NumPy alone, from several starts.

Encoder. A small perceptron turns 8 x 8 colour patches into vectors, a quantizer snaps them to codes, a second one
paints the patches again; all three learn together. One thing is changed at a time, and every change is run from several
seeds. Usage, entropy rate and the error on a photo that was not trained on are kept side by side, since any of them
alone misleads. What is found holds for this model, these photos and these steps, and no further.

JPEG. The held-out photo's codes as bits, beside the bits of JPEG at the same error.
"""

import argparse
import datetime
import json
import math
import multiprocessing
import os
import time
from concurrent import futures
from pathlib import Path

import numpy as np
from _results import as_text, device, head
from _vq_bits import against_jpeg, as_bytes, code_bits, image_error, jpeg_curve
from _vq_published import PUBLISHED
from tqdm import tqdm

import mmtokedu
from mmtokedu import samples, vq
from mmtokedu.patches import patchify, unpatchify

RESULTS = Path(mmtokedu.__file__).parent / "data" / "results" / "vq.json"

PATCH = 8
SPLITS = {  # the photo that is kept for the test -> the photos that are learned from
    "coffee": ("astronaut", "chelsea", "hubble_deep_field", "retina", "rocket"),
    "chelsea": ("astronaut", "coffee", "hubble_deep_field", "retina", "rocket"),
}
MOST = 4096  # patches of one photo in the training set, so that no photo rules the rest
SEEDS = 0, 1, 2


def photo_rows(name, *, grey=False):
    """A photo cut to whole patches: (N, PATCH*PATCH*C) float32 from -1 to 1; `grey` is the mean of the channels.

    >>> photo_rows("coffee").shape, photo_rows("coffee", grey=True).shape
    ((3750, 192), (3750, 64))
    """
    image = samples.photo(name)
    image = image.mean(axis=-1, keepdims=True) if grey else image
    height, width = (side // PATCH * PATCH for side in image.shape[:2])
    return (patchify(image[:height, :width], PATCH) / 127.5 - 1).astype(np.float32)


def training_rows(held_out="coffee", *, grey=False):
    """At most MOST patches of each training photo, drawn once and for all.

    >>> training_rows().shape
    (18456, 192)
    """
    parts = []
    for name in SPLITS[held_out]:
        rows = photo_rows(name, grey=grey)
        parts.append(rows[np.sort(np.random.default_rng(0).permutation(len(rows))[:MOST])])
    return np.concatenate(parts)


def psnr(rows, rebuilt):
    """Peak signal-to-noise ratio in dB of rows from -1 to 1, nothing rounded or clipped.

    >>> round(psnr(np.zeros(4), np.full(4, 0.2)), 3)
    20.0
    """
    return 10 * math.log10(4 / np.mean((rows - rebuilt) ** 2, dtype=np.float64))


def usage_of(codes, K):
    """Used codes, perplexity and entropy rate (bits a code) of some codes."""
    found = vq.codebook_usage(codes, K)
    return {"used": found.used, "perplexity": found.perplexity, "bits": math.log2(max(found.perplexity, 1))}


# Pixels: a codebook alone

PIXEL_K, PIXEL_STEPS, BATCH, DECAY = 512, 300, 512, 0.99
RESTART_BELOW = 0.1  # of the average usage
STARTS = {
    "uniform": lambda rows, draw: vq.ema_state((2 * draw.random((PIXEL_K, PATCH**2), np.float32) - 1) / PIXEL_K),
    "normal": lambda rows, draw: vq.ema_state(draw.standard_normal((PIXEL_K, PATCH**2), np.float32)),
    "patches": lambda rows, draw: vq.ema_state(draw.permutation(rows)[:PIXEL_K]),
    "k-means": lambda rows, draw: vq.kmeans_init(draw.permutation(rows)[:8192], PIXEL_K, draw.random(8192)),
}


def learn(rows, state, draw, *, restart_below=0.0, steps=PIXEL_STEPS):
    """A codebook that learns rows (N, D) by moving averages, batch by batch: the chapter shows this loop."""
    for _ in range(steps):
        batch = rows[draw.integers(0, len(rows), BATCH)]
        codes = vq.nearest_code(batch, state.embed)
        state = vq.ema_update(state, batch, codes, DECAY)
        if restart_below:
            threshold = restart_below * state.usage.mean()
            state = vq.restart_dead_codes(state, batch, threshold, draw.random(BATCH))
    return state


def measure_pixels(start, restart_below, seed):
    """One run on grey patches: usage and error on the training photos and on the held-out one."""
    rows, held_out = training_rows(grey=True), photo_rows("coffee", grey=True)
    draw, began = np.random.default_rng(seed), time.process_time()
    codebook = learn(rows, STARTS[start](rows, draw), draw, restart_below=restart_below).embed
    seconds = time.process_time() - began
    codes, elsewhere = vq.nearest_code(rows, codebook), vq.nearest_code(held_out, codebook)
    return usage_of(codes, PIXEL_K) | {
        "psnr": psnr(rows, codebook[codes]),
        "held_out_used": vq.codebook_usage(elsewhere, PIXEL_K).used,
        "held_out_psnr": psnr(held_out, codebook[elsewhere]),
        "seconds": seconds,
    }


def experiment_pixels(pool):
    cells = [(start, below) for start in STARTS for below in (0.0, RESTART_BELOW)]
    done = together(pool, "pixels", measure_pixels, [(*cell, seed) for cell in cells for seed in SEEDS])
    return {
        "settings": {
            "K": PIXEL_K, "steps": PIXEL_STEPS, "batch": BATCH, "decay": DECAY, "restart_below": RESTART_BELOW,
            "restarts": "after every step", "rows": len(training_rows(grey=True)), "seeds": SEEDS,
        },
        "rows": [
            {"start": start, "restarts": below > 0} | summary(done[i * len(SEEDS) :][: len(SEEDS)])
            for i, (start, below) in enumerate(cells)
        ],
    }  # fmt: skip


# Encoder: everything learns

K, WIDTH, STEPS, LONG, RATE = 1024, 64, 600, 3000, 3e-3
WARM_UP = 100  # steps without a quantizer before a late k-means
KMEANS_ROWS = 8192
FEWER_SEEDS = SEEDS[:2]  # for the longer runs and the other sizes
BEST = {"learn": "ema", "restart_below": RESTART_BELOW}
VARIANTS = {  # what differs from: gradient, commitment 0.25, start uniform in ±1/K, 64 dimensions, no restarts
    "no quantizer": {"kind": "none"},
    "no quantizer, 8-d": {"kind": "none", "width": 8},
    "no quantizer, 4-d": {"kind": "none", "width": 4},
    "no encoder": {"kind": "pixels"},  # k-means on the pixels themselves
    "plain": {},
    "commitment 0": {"commitment": 0.0},
    "commitment 1": {"commitment": 1.0},
    "normal start": {"start": "normal"},
    "EMA": {"learn": "ema"},
    "restarts": {"restart_below": RESTART_BELOW},
    "EMA + restarts": BEST,
    "EMA + restarts, commitment 0": BEST | {"commitment": 0.0},
    "EMA + restarts, commitment 1": BEST | {"commitment": 1.0},
    "k-means at once": {"kmeans": 0},
    "k-means at once, EMA": {"kmeans": 0, "learn": "ema"},
    "k-means late": {"kmeans": WARM_UP},
    "k-means late, EMA + restarts": BEST | {"kmeans": WARM_UP},
    "8-d": {"width": 8},
    "8-d, restarts": {"width": 8, "restart_below": RESTART_BELOW},
    "8-d, EMA + restarts": BEST | {"width": 8},
    "4-d": {"width": 4},
    "4-d, restarts": {"width": 4, "restart_below": RESTART_BELOW},
    "4-d, EMA + restarts": BEST | {"width": 4},
    "4-d, k-means late, EMA + restarts": BEST | {"width": 4, "kmeans": WARM_UP},
    "unit length, 8-d": {"kind": "unit", "width": 8, "start": "normal"},
    "unit length, 8-d, EMA + restarts": BEST | {"kind": "unit", "width": 8, "start": "normal"},
    "rotation trick": {"rotation": True},
    "rotation trick, EMA": {"rotation": True, "learn": "ema"},
    "rotation trick, EMA + restarts": BEST | {"rotation": True},
    "SimVQ": {"kind": "simvq"},
    "FSQ, 4-d": {"kind": "fsq", "width": 4},
}
LEVELS = {240: (8, 6, 5), 1000: (8, 5, 5, 5), 4375: (7, 5, 5, 5, 5)}  # the FSQ paper's for 2^8, 2^10, 2^12
LONGER = (
    "no quantizer", "plain", "EMA + restarts", "k-means late, EMA + restarts", "8-d", "8-d, EMA + restarts",
    "unit length, 8-d", "rotation trick", "SimVQ", "FSQ, 4-d",
)  # fmt: skip
SIZES = {"plain": (256, 512, 2048, 4096), "EMA + restarts": (256, 512, 2048, 4096), "FSQ, 4-d": (240, 4375)}
CURVES = "plain", "EMA", "restarts", "EMA + restarts", "k-means late", "rotation trick", "SimVQ", "FSQ, 4-d"
WATCH = 1, 10, 25, 50, 100, 150, 200, 300, 400, 500, 600
COUNTS = 32, 128, 512, 2048, 8192  # codes of which a perplexity is taken
CROSS = "no quantizer", "plain", "EMA", "restarts", "EMA + restarts", "k-means late", "FSQ, 4-d"


def build(variant, K=K):
    """The autoencoder of a variant, and its K: with FSQ the nearest product of LEVELS, None without a quantizer."""
    import torch

    from mmtokedu.nn import vq as nn

    options = {"kind": "vector", "width": WIDTH, "learn": "gradient"} | VARIANTS[variant]
    kind, width = options.pop("kind"), options.pop("width")
    options.pop("kmeans", None)
    if kind == "none":
        return nn.PatchAutoencoder(3 * PATCH**2, width), None
    if kind == "fsq":
        K = min(LEVELS, key=lambda size: abs(size - K))
        return nn.PatchAutoencoder(3 * PATCH**2, len(LEVELS[K]), nn.FiniteScalar(LEVELS[K])), K
    if kind == "simvq":
        return nn.PatchAutoencoder(3 * PATCH**2, width, nn.SimVQ(K, width)), K
    layer = nn.UnitQuantizer if kind == "unit" else nn.VectorQuantizer
    codebook = torch.randn(K, width) if options.pop("start", "uniform") == "normal" else None
    through = vq.rotation_trick if options.pop("rotation", False) else None
    return nn.PatchAutoencoder(3 * PATCH**2, width, layer(K, width, through=through, codebook=codebook, **options)), K


def train(variant, seed, *, steps=STEPS, K=K, held_out="coffee", watch=()):
    """Train one autoencoder: (model, K, what was seen at the steps to `watch`)."""
    import torch

    torch.manual_seed(seed)
    model, K = build(variant, K)
    quantizer, late = model.quantizer, VARIANTS[variant].get("kmeans", -1)
    rows = torch.from_numpy(training_rows(held_out))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], RATE)
    seen = []
    for step in range(steps):
        model.quantizer = quantizer if step >= late else None
        if step == late:
            quantizer.start_from(model.encoder(rows[torch.randint(len(rows), (KMEANS_ROWS,))]))
        batch = rows[torch.randint(len(rows), (BATCH,))]
        rebuilt, codes, loss = model(batch)
        (torch.nn.functional.mse_loss(rebuilt, batch) + loss).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step + 1 in watch and codes is not None:
            found = usage_of(run(model, rows.numpy())[1], K)
            seen.append({"step": step + 1, "batch_perplexity": usage_of(codes.numpy(), K)["perplexity"]} | found)
    return model, K, seen


def run(model, rows):
    """What a trained model makes of rows, as arrays: (rebuilt, codes), codes None without a quantizer."""
    import torch

    model.eval()
    with torch.no_grad():
        rebuilt, codes, _ = model(torch.from_numpy(rows))
    model.train()
    return rebuilt.numpy(), None if codes is None else codes.numpy()


def train_pixels(seed, *, K=K, held_out="coffee"):
    """No encoder: a codebook of K colour patches by k-means, as a function like `run`."""
    rows = training_rows(held_out)
    codebook = vq.kmeans_init(rows, K, np.random.default_rng(seed).random(len(rows))).embed

    def snap(rows):
        codes = vq.nearest_code(rows, codebook)
        return codebook[codes], codes

    return snap


def batch_perplexity(codes, K, size=BATCH, batches=20):
    """The mean perplexity of random batches of these codes: what a training log shows.

    >>> batch_perplexity(np.arange(64), 64, size=16)
    16.0
    """
    draw = np.random.default_rng(0)
    found = [usage_of(draw.permutation(codes)[:size], K)["perplexity"] for _ in range(batches)]
    return round(float(np.mean(found)), 6)


def measure(variant, seed, *, steps=STEPS, K=K, held_out="coffee", watch=()):
    """Train and measure once: (the numbers a table takes its means of, everything else)."""
    began = time.process_time()
    if variant == "no encoder":
        snap, seen, kept = train_pixels(seed, K=K, held_out=held_out), [], (0, 4 * K * 3 * PATCH**2)
    else:
        model, K, seen = train(variant, seed, steps=steps, K=K, held_out=held_out, watch=watch)
        snap, kept = lambda rows: run(model, rows), (weights(model.decoder), weights(model.quantizer))
    seconds = time.process_time() - began
    rows, other = training_rows(held_out), photo_rows(held_out)
    (rebuilt, codes), (other_rebuilt, other_codes) = snap(rows), snap(other)
    found = {"psnr": psnr(rows, rebuilt), "held_out_psnr": psnr(other, other_rebuilt), "seconds": seconds}
    found |= image_error(as_bytes(other), as_bytes(other_rebuilt))
    if codes is not None:
        found |= usage_of(codes, K) | {"batch_perplexity": batch_perplexity(codes, K)}
        found |= {f"held_out_{name}": value for name, value in usage_of(other_codes, K).items()}
        found["held_out_coded_bits"] = code_bits(other_codes, codes, K)
    counts = [] if codes is None else [(n, batch_perplexity(codes, K, n)) for n in (*COUNTS, len(codes))]
    return found, {"K": K, "decoder_bytes": kept[0], "codebook_bytes": kept[1], "curve": seen, "counts": counts}


def weights(module):
    """The bytes of a module's parameters and codebook as float32; what only training needs is not counted."""
    if module is None:
        return 0
    if hasattr(module, "codebook"):
        return 4 * module.codebook.numel()
    return 4 * sum(p.numel() for p in module.parameters())


def jobs():
    """Every training run of this experiment, by the table it belongs to, the longest first: [(table, arguments)]."""
    watch = lambda name, seed: WATCH if name in CURVES and seed == SEEDS[0] else ()
    return [
        *[("longer", {"variant": v, "seed": s, "steps": LONG}) for v in LONGER for s in FEWER_SEEDS],
        *[("sizes", {"variant": v, "seed": s, "K": k}) for v in SIZES for k in SIZES[v][::-1] for s in FEWER_SEEDS],
        *[("rows", {"variant": v, "seed": s, "watch": watch(v, s)}) for v in VARIANTS for s in SEEDS],
        *[("other_photo", {"variant": v, "seed": s, "held_out": "chelsea"}) for v in CROSS for s in SEEDS],
    ]


def experiment_encoder(pool):
    plan = jobs()
    done = together(pool, "encoder", measure_job, [(arguments,) for _, arguments in plan])
    return {"settings": encoder_settings()} | tables([(*job, *result) for job, result in zip(plan, done)])


def measure_job(arguments):
    return measure(**arguments)


def encoder_settings():
    return {
        "K": K, "width": WIDTH, "steps": STEPS, "longer": LONG, "batch": BATCH, "seeds": SEEDS,
        "seeds_of_longer_and_sizes": FEWER_SEEDS, "hidden": 128, "optimizer": f"AdamW, {RATE}", "decay": DECAY,
        "commitment": 0.25, "restart_below": RESTART_BELOW, "restarts": "after every step",
        "warm_up": WARM_UP, "kmeans_rows": KMEANS_ROWS,
        "training_photos": SPLITS["coffee"], "held_out": "coffee", "at_most_of_a_photo": MOST,
        "rows": len(training_rows()), "held_out_rows": len(photo_rows("coffee")),
        "variants": VARIANTS, "levels": {str(k): v for k, v in LEVELS.items()},
    }  # fmt: skip


def tables(done):
    """The runs as tables: one row a variant with mean and range over the seeds, the curves, the batch sizes."""
    found = {name: [] for name in ("rows", "longer", "sizes", "other_photo", "curves", "counts")}
    groups = {}  # (table, variant, K asked for) -> the runs of its seeds
    for table, arguments, numbers, extra in done:
        groups.setdefault((table, arguments["variant"], arguments.get("K", K)), []).append((arguments, numbers, extra))
    for (table, variant, _), runs in sorted(groups.items(), key=lambda item: _order(*item[0])):
        arguments, _, extra = runs[0]
        row = {"variant": variant, "K": extra["K"], "steps": arguments.get("steps", STEPS), "seeds": len(runs)}
        row |= {name: extra[name] for name in ("decoder_bytes", "codebook_bytes")}
        found[table].append(row | summary([numbers for _, numbers, _ in runs]))
        if table == "rows":
            found["curves"] += [{"variant": variant} | rounded(seen) for seen in extra["curve"]]
            counts = extra["counts"] if variant in CURVES else []
            found["counts"] += [{"variant": variant, "codes": n, "perplexity": round(p, 2)} for n, p in counts]
    return found


def _order(table, variant, size):
    return list(VARIANTS).index(variant), size


# JPEG


def experiment_jpeg(encoder):
    """The bits of the held-out photo's codes beside JPEG's at the same error, each without its tables."""
    image = as_bytes(unpatchify(photo_rows("coffee"), PATCH, [s // PATCH for s in samples.photo("coffee").shape[:2]]))
    curve = jpeg_curve(image, PATCH)
    coded = [row for row in (*encoder["rows"], *encoder["sizes"], *encoder["longer"]) if row["K"]]
    return {
        "settings": {
            "photo": "coffee", "pixels": image.shape[:2], "bits_are": "per patch of 8 x 8 pixels",
            "error": "PSNR of the whole photo as uint8, over R, G, B alike; luma_psnr over BT.601 luma alone",
            "codes": "an ideal arithmetic coder, one code after the other without context; frequencies of the training "
            "photos, or of this photo (which the receiver must then be told: not counted)",
            "jpeg": "entropy-coded bytes of the scan; headers and tables not counted; file_bits has them",
            "not_counted": "the decoder and the codebook, decoder_bytes and codebook_bytes as float32",
            "bias": "the network is trained for this very error; JPEG's tables are made for the eye, and 4:2:0 gives "
            "up colour that the eye misses",
        },
        "equal": [equal_row(row, curve) for row in coded],
        "curve": [rounded(row) for row in curve],
    }  # fmt: skip


def equal_row(row, curve):
    """One variant's bits, and JPEG's at its mean error: a number, or "below" where JPEG's worst quality is better."""
    mean = {name: row[name]["mean"] for name in ("image_psnr", "luma_psnr", "held_out_coded_bits", "held_out_bits")}
    against = {
        f"jpeg_{name}_{chroma}_{tables}": against_jpeg(mean[error], curve, chroma, tables, error)
        for name, error in (("rgb", "image_psnr"), ("luma", "luma_psnr"))
        for chroma in ("4:4:4", "4:2:0")
        for tables in ("standard", "optimized")
    }
    named = {name: row[name] for name in ("variant", "K", "steps", "decoder_bytes", "codebook_bytes")}
    mean["fixed_bits"] = math.ceil(math.log2(row["K"]))
    return named | rounded(mean | against)


# Together


def one_thread_each(workers):
    """A pool of processes that import NumPy and torch afresh, with one thread each."""
    os.environ.update({name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")})
    return futures.ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))


def together(pool, title, function, calls):
    """The results of function(*call) for all calls, in their order."""
    running = [pool.submit(function, *call) for call in calls]
    for _ in tqdm(futures.as_completed(running), desc=title, total=len(running), mininterval=5):
        pass
    return [task.result() for task in running]


DIGITS = {"used": 1, "held_out_used": 1, "seconds": 1, "perplexity": 2, "batch_perplexity": 2, "held_out_perplexity": 2}


def rounded(numbers):
    """The numbers of a dict, rounded for the file: counts to 1 digit, perplexities to 2, dB and bits to 3.

    >>> rounded({"used": 12.0, "psnr": 21.23456, "variant": "plain"})
    {'used': 12.0, 'psnr': 21.235, 'variant': 'plain'}
    """
    return {k: round(v, DIGITS.get(k, 3)) if isinstance(v, float) else v for k, v in numbers.items()}


def summary(runs):
    """Mean, least, greatest, and each seed's value of every number in these runs.

    >>> summary([{"used": 3}, {"used": 5}])
    {'used': {'mean': 4.0, 'low': 3, 'high': 5, 'each': [3, 5]}}
    """
    found = {}
    for name in runs[0]:
        each = [rounded({name: run[name]})[name] for run in runs]
        mean = rounded({name: float(np.mean(each))})[name]
        found[name] = {"mean": mean, "low": min(each), "high": max(each), "each": each}
    return found


def quick():
    for start, below in (("normal", 0.0), ("normal", RESTART_BELOW), ("k-means", 0.0)):
        print(f"pixels, {start}, restarts {below > 0}:", rounded(measure_pixels(start, below, 0)))
    for variant in ("plain", "EMA + restarts", "FSQ, 4-d"):
        numbers, _ = measure(variant, 0)
        print(f"{variant}:", rounded(numbers))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few cells, printed; nothing is written")
    parser.add_argument("--pixels", action="store_true", help="the table of raw pixels alone; the others stay")
    parser.add_argument("--workers", type=int, default=2, help="training runs at a time, one thread each")
    asked = parser.parse_args(argv)
    if asked.quick:
        return quick()
    if asked.pixels:
        with one_thread_each(asked.workers) as pool:
            pixels = experiment_pixels(pool) | {"date": str(datetime.date.today())}
        return store(json.loads(RESULTS.read_text(encoding="utf-8")) | {"pixels": pixels})
    started = time.time()
    what = "Codebook collapse and its remedies on photos, and what the codes cost in bits beside JPEG."
    result = head(what, "vq", ("numpy", "torch", "pillow", "scikit-image"), ran_on=device())
    with one_thread_each(asked.workers) as pool:
        result["pixels"] = experiment_pixels(pool) | {"date": result["date"]}
        result["encoder"] = experiment_encoder(pool)
    result["jpeg"] = experiment_jpeg(result["encoder"])
    result["published"] = PUBLISHED
    trained = (row for name in ("rows", "longer", "sizes", "other_photo") for row in result["encoder"][name])
    result["training_seconds"] = round(sum(sum(row["seconds"]["each"]) for row in trained))
    result["seconds"] = round(time.time() - started)
    store(result)


def store(result):
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(as_text(result), encoding="utf-8")
    print(f"wrote {RESULTS.name}")


if __name__ == "__main__":
    main()
