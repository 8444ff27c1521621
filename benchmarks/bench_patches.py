"""Cutting images into rows: ours beside what others use, each on its own layout, all beside a plain copy.

    python benchmarks/bench_patches.py          this machine's processor, one thread
    python benchmarks/bench_patches.py --gpu    its CUDA card; "not measured yet" where there is none

Every contender's answer is compared with the reference first. A wrong one ends the run before any figure is written.
"""

import functools
import sys

import _patches_gpu
import _patches_peers
import _timing  # before NumPy: it asks for one thread
import numpy as np
from _patches_gpu import MEAN, PATCH, STD
from _timing import SETS, SKIPPED, optional
from PIL import Image

from mmtokedu import patches

group = functools.partial(_timing.group, clock=_timing.cpu_clock, calmest=True)
LEVELS = 2  # of 255, by which two bicubic resizes of bytes may differ
KEPT = "memory kept: "  # begins the title of what is timed again after keep_memory


def cut(shape, dtype, title, **options):
    """patchify: channels-last contenders into one `out`; channels-first peers on channels-first pixels."""
    rng = np.random.default_rng(0)
    last = [rng.integers(0, 256, shape).astype(dtype) for _ in range(SETS)]
    first = [np.ascontiguousarray(np.moveaxis(x, -1, -3)) for x in last]
    batch, height, width, channels = shape
    rows, cols = height // PATCH, width // PATCH
    expected = patches.patchify_plain(last[0], PATCH)
    out = np.empty_like(expected)

    def reshape_transpose(i):
        cells = last[i].reshape(batch, rows, PATCH, cols, PATCH, channels).swapaxes(2, 3)
        np.copyto(out.reshape(cells.shape), cells)
        return out

    def as_ours(answer):  # (B, N, C*P*P) -> (B, N, P*P*C)
        cells = np.asarray(answer).reshape(batch, rows * cols, channels, PATCH * PATCH)
        return np.swapaxes(cells, -1, -2).reshape(expected.shape)

    contenders = {
        "patchify, out=": (lambda i: patches.patchify(last[i], PATCH, out=out), np.asarray),
        "patchify": (lambda i: patches.patchify(last[i], PATCH), np.asarray),
        "NumPy reshape, transpose into out": (reshape_transpose, np.asarray),
    }
    if rearrange := optional("einops", lambda: __import__("einops").rearrange):
        pattern = "b c (r y) (s x) -> b (r s) (c y x)"
        contenders["einops on NumPy, channels first"] = (
            lambda i: np.ascontiguousarray(rearrange(first[i], pattern, y=PATCH, x=PATCH)),
            as_ours,
        )
    if torch := optional("torch", lambda: __import__("torch")):
        torch.set_num_threads(1)
        tensors = [torch.from_numpy(x) for x in first]
        split = (batch, channels, rows, PATCH, cols, PATCH)
        contenders["torch permute, reshape, channels first"] = (
            lambda i: tensors[i].view(split).permute(0, 2, 4, 1, 3, 5).reshape(batch, rows * cols, -1),
            as_ours,
        )
        if dtype == np.float32:
            unfold = functools.partial(torch.nn.functional.unfold, kernel_size=PATCH, stride=PATCH)
            contenders["torch F.unfold, channels first"] = (
                lambda i: unfold(tensors[i]),
                lambda answer: as_ours(answer.transpose(1, 2).contiguous()),
            )
    return group(title, expected, contenders, expected, **options)


def textbook(image):
    """Normalise, repeat the frame, then reshape and transpose to Qwen order: as one writes it first."""
    numbers = (image.astype(np.float32) / 255 - np.float32(MEAN)) / np.float32(STD)
    return np.ascontiguousarray(patches.qwen_rows(numbers[None], patch=PATCH)[0])


def processor(name, **settings):
    """transformers' Qwen2-VL processor as a function of an image, or None: name is "slow" or "fast"."""
    return optional(f"transformers {name}", lambda: getattr(_patches_peers, name)(**settings))


def channels_first(image):
    """The same pixels as a torch tensor (C, H, W): what the fast processor works on."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))


def normalise(height, width, when=""):
    """uint8 pixels to normalised rows, beside transformers: the plain grid, then Qwen order."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (1, height, width, 3), dtype=np.uint8) for _ in range(SETS)]
    plain = lambda x: patches.patchify_plain((x.astype(np.float32) / 255 - np.float32(MEAN)) / np.float32(STD), PATCH)
    as_is = dict(do_resize=False)

    def colour_last(answer):  # (N, C*P*P) -> (1, N, P*P*C)
        cells = np.asarray(answer).reshape(1, -1, 3, PATCH * PATCH)
        return np.swapaxes(cells, -1, -2).reshape(expected.shape)

    expected = plain(images[0])
    out = np.empty_like(expected)
    ours = lambda i: patches.normalize_patchify(images[i], PATCH, MEAN, STD, out=out)
    contenders = {
        "normalize_patchify, out=": (ours, np.asarray),
        "NumPy as one writes it first": (lambda i: plain(images[i]), np.asarray),
    }
    if fast := processor("fast", merge_size=1, temporal_patch_size=1):
        tensors = [channels_first(x[0]) for x in images]
        contenders["transformers fast, one frame, no merge"] = lambda i: fast(tensors[i], **as_is), colour_last
    title = f"{when}normalise and cut, uint8 {height}x{width}"
    rows = group(title, expected, contenders, expected, tolerance=1e-5)

    expected = textbook(images[0][0])
    qwen = np.empty((1, *expected.shape), np.float32)
    ours = lambda i: patches.normalize_qwen_rows(images[i], MEAN, STD, patch=PATCH, out=qwen)[0]
    contenders = {
        "normalize_qwen_rows, out=": (ours, np.asarray),
        "NumPy as one writes it first": (lambda i: textbook(images[i][0]), np.asarray),
    }
    if slow := processor("slow"):
        contenders["transformers slow (PIL)"] = lambda i: slow(images[i][0], **as_is), np.asarray
    if fast := processor("fast"):
        contenders["transformers fast (torchvision)"] = lambda i: fast(tensors[i], **as_is), np.asarray
    title = f"{when}Qwen order, uint8 {height}x{width}, frame repeated"
    return rows + group(title, expected, contenders, expected, tolerance=1e-5)


def photo(height=3024, width=4032, when=""):
    """A 12-megapixel array to Qwen rows under the processors' own cap, the resize included.

    Everybody resizes bicubically with antialiasing; answers may differ from Pillow's by LEVELS.
    """
    rng = np.random.default_rng(0)
    small = [Image.fromarray(rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)) for _ in range(SETS)]
    images = [np.array(x.resize((width, height), Image.BICUBIC)) for x in small]
    size = patches.smart_resize(height, width)
    out = np.empty((1, size[0] * size[1] // PATCH**2, 6 * PATCH**2), np.float32)
    rows = lambda pixels: patches.normalize_qwen_rows(pixels, MEAN, STD, patch=PATCH, out=out)[0]
    by_pillow = lambda i: rows(np.asarray(Image.fromarray(images[i]).resize(size[::-1], Image.BICUBIC))[None])
    contenders = {}
    if torch := optional("torch", lambda: __import__("torch")):
        torch.set_num_threads(1)
        tensors = [channels_first(x) for x in images]
        views = [torch.from_numpy(x).permute(2, 0, 1) for x in images]  # channels last in memory

        def by_torch(pixels):
            pixels = torch.nn.functional.interpolate(pixels[None], size, mode="bicubic", antialias=True)
            return rows(pixels.permute(0, 2, 3, 1).numpy())

        contenders["torch resize, channels-last view; our rows"] = lambda i: by_torch(views[i]), np.asarray
        contenders["torch resize, channels first; our rows"] = lambda i: by_torch(tensors[i]), np.asarray
    contenders["Pillow resize; our rows"] = by_pillow, np.asarray
    if slow := processor("slow"):
        contenders["transformers slow (PIL)"] = lambda i: slow(images[i]), np.asarray
    if fast := processor("fast"):
        contenders["transformers fast, from the array"] = lambda i: fast(images[i]), np.asarray
        contenders["transformers fast, channels first"] = lambda i: fast(tensors[i]), np.asarray
    level = 1.01 / 255 / min(STD)
    title = f"{when}photo, uint8 {height}x{width} to {size[0]}x{size[1]}, Qwen rows"
    expected = by_pillow(0).copy()
    return group(title, images[0], contenders, expected, tolerance=LEVELS * level, rounds=15)


def embed(side=448, width=1024):
    """Patch embedding, the same numbers each way: convolutions beside the matrix product that they are."""
    torch = optional("torch", lambda: __import__("torch"))
    if not torch:
        return []
    torch.set_num_threads(1)
    make = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(shape, generator=make)
    images = [draw(1, side, side, 3) for _ in range(SETS)]
    first = [x.permute(0, 3, 1, 2).contiguous() for x in images]
    kernel = draw(width, 3, PATCH, PATCH) / 24  # so that a sum of 588 products is about 1
    matrix = kernel.permute(2, 3, 1, 0).reshape(-1, width)  # (y, x, C) by D
    rows = [torch.from_numpy(patches.patchify(x.numpy(), PATCH))[0] for x in images]
    out = torch.empty(len(rows[0]), width)

    def cut_and_multiply(i):
        patches.patchify(images[i].numpy(), PATCH, out=rows[i].numpy()[None])
        return torch.mm(rows[i], matrix, out=out)

    seen = lambda answer: answer.detach().flatten(2).transpose(1, 2)[0]
    expected = rows[0].double() @ matrix.double()
    contenders = {
        "patchify, out=; matrix product": (cut_and_multiply, np.asarray),
        "torch conv2d, stride 14, channels first": (
            lambda i: torch.nn.functional.conv2d(first[i], kernel, stride=PATCH),
            seen,
        ),
    }
    unit = "matrix product alone", lambda i: torch.mm(rows[i % SETS], matrix, out=out)
    title = f"embed, float32, {len(out)} patches of 588 numbers to {width}"
    return group(title, unit, contenders, expected, tolerance=1e-4)


def embed_qwen(count=1024, width=1024):
    """Qwen2-VL's embedding of rows already cut: a convolution over them, or the matrix product that it is."""
    torch = optional("torch", lambda: __import__("torch"))
    if not torch:
        return []
    make = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(shape, generator=make)
    rows = [draw(count, 3, 2, PATCH, PATCH) for _ in range(SETS)]
    for x in rows:
        x[:, :, 1] = x[:, :, 0]  # a still: its frame stands in each row twice
    kernel, out = draw(width, 3, 2, PATCH, PATCH) / 34, torch.empty(count, width)
    matrix, halved = kernel.flatten(1).T.contiguous(), kernel.sum(2).flatten(1).T.contiguous()
    flat, once = [x.flatten(1) for x in rows], [x[:, :, 0].flatten(1) for x in rows]
    expected = flat[0].double() @ matrix.double()
    contenders = {
        "conv3d on the rows, as in Qwen2-VL": (
            lambda i: torch.nn.functional.conv3d(rows[i], kernel, stride=(2, PATCH, PATCH)),
            lambda answer: answer.flatten(1),
        ),
        "matrix product, frame once, weights added": (lambda i: torch.mm(once[i], halved, out=out), np.asarray),
    }
    unit = "matrix product alone", lambda i: torch.mm(flat[i % SETS], matrix, out=out)
    title = f"embed, float32, {count} Qwen rows of 1176 numbers to {width}"
    return group(title, unit, contenders, expected, tolerance=1e-4)


def on_the_cpu():
    rows = cut((8, 448, 448, 3), np.float32, "cut, float32 8x448x448")
    rows += cut((8, 448, 448, 3), np.uint8, "cut, uint8 8x448x448")
    rows += cut((1, 3024, 4032, 3), np.uint8, "cut, uint8 3024x4032 (12 megapixels)", rounds=15)
    rows += normalise(1120, 896) + photo() + embed() + embed_qwen()
    if _timing.keep_memory():
        rows += normalise(1120, 896, when=KEPT) + photo(when=KEPT)
    notes = [
        "processor time, not the clock on the wall: a machine may be shared",
        "of all rounds the third in which a fixed computation was quickest; every_round: the ratio over all rounds",
        f"photo: answers agree within {LEVELS} of 255 levels; everything else to 1e-4 or exactly",
        f"{KEPT}the process keeps what it frees, so that a fresh array costs no page faults",
    ]
    notes += filter(None, [optional("torchvision", _patches_peers.load_torchvision)])
    packages = ("numpy", "torch", "einops", "transformers", "torchvision", "pillow")
    about = dict(device=_timing.cpu_name(), threads=1, packages=packages, skipped=dict(SKIPPED), notes=notes)
    _timing.save("patches-cpu", rows=rows, **about)


def main(arguments):
    _timing.run(arguments, on_the_cpu, _patches_gpu.on_the_card)


if __name__ == "__main__":
    main(sys.argv[1:])
