"""Cutting images into rows: ours beside what others use, each on its own layout, all beside a plain copy.

    python benchmarks/bench_patches.py          this machine's processor, one thread
    python benchmarks/bench_patches.py --gpu    its CUDA card; "not measured yet" where there is none

Every contender's answer is compared with the reference first. A wrong one ends the run before any figure is written.
"""

import functools
import re
import sys

import _timing  # before NumPy: it asks for one thread
import numpy as np

from mmtokedu import patches

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
PATCH, SETS = 14, 3  # SETS different inputs, taken in turn, so that no cache holds the next one
SKIPPED = {}  # contender -> why it is not in the table


def optional(name, load):
    """What `load` returns, or None and a line under `skipped` in the results."""
    try:
        return load()
    except (ImportError, AttributeError) as error:
        SKIPPED[name] = " ".join(str(error).split())[:160]
        print(f"  skipped {name}: {SKIPPED[name]}")


def group(title, copied, contenders, expected, *, tolerance=0.0, **options):
    """Parity, then the race. contenders: name -> (function of the input's number, how to see its answer as ours)."""
    print(title)
    source = [np.ascontiguousarray(copied) for _ in range(SETS)]
    target = np.empty_like(source[0])
    for name, (call, see) in contenders.items():
        np.testing.assert_allclose(see(call(0)), expected, rtol=tolerance, atol=tolerance, err_msg=name)
    calls = {"copy of the same bytes": lambda i: np.copyto(target, source[i % SETS])}
    calls |= {name: lambda i, call=call: call(i % SETS) for name, (call, _) in contenders.items()}
    return _timing.race(title, calls, **options)


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


def processors():
    """transformers' two processors for Qwen2-VL, where they can be loaded."""

    def slow():
        from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

        return Qwen2VLImageProcessorPil()

    def fast():
        import torchvision  # noqa: F401
        from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor

        return Qwen2VLImageProcessor()

    made = {"slow (PIL)": slow, "fast (torchvision)": fast}
    made = {name: optional(f"transformers {name}", load) for name, load in made.items()}
    return {f"transformers {name}": processor for name, processor in made.items() if processor}


def normalise(height, width):
    """uint8 pixels to normalised rows: the plain grid, then Qwen order beside transformers."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (1, height, width, 3), dtype=np.uint8) for _ in range(SETS)]
    plain = lambda x: patches.patchify_plain((x.astype(np.float32) / 255 - np.float32(MEAN)) / np.float32(STD), PATCH)
    expected = plain(images[0])
    out = np.empty_like(expected)
    contenders = {
        "normalize_patchify, out=": (
            lambda i: patches.normalize_patchify(images[i], PATCH, MEAN, STD, out=out),
            np.asarray,
        ),
        "NumPy as one writes it first": (lambda i: plain(images[i]), np.asarray),
    }
    rows = group(f"normalise and cut, uint8 {height}x{width}", expected, contenders, expected, tolerance=1e-5)

    expected = textbook(images[0][0])
    qwen = np.empty((1, *expected.shape), np.float32)
    contenders = {"NumPy as one writes it first": (lambda i: textbook(images[i][0]), np.asarray)}
    if one_pass := optional("normalize_qwen_rows", lambda: patches.normalize_qwen_rows):
        ours = lambda i: one_pass(images[i], MEAN, STD, patch=PATCH, out=qwen)[0]
        contenders = {"normalize_qwen_rows, out=": (ours, np.asarray), **contenders}
    for name, processor in processors().items():
        tensors = "pt" if "fast" in name else "np"
        call = lambda i, p=processor, t=tensors: p(images=[images[i][0]], do_resize=False, return_tensors=t)
        contenders[name] = (call, lambda answer: np.asarray(answer["pixel_values"]))
    title = f"Qwen order, uint8 {height}x{width}, frame repeated"
    return rows + group(title, expected, contenders, expected, tolerance=1e-4)


def on_the_cpu():
    rows = cut((8, 448, 448, 3), np.float32, "cut, float32 8x448x448")
    rows += cut((1, 3024, 4032, 3), np.uint8, "cut, uint8 3024x4032 (12 megapixels)", rounds=15)
    rows += normalise(1120, 896)
    packages = ("numpy", "torch", "einops", "transformers", "torchvision", "pillow")
    _timing.save(
        "patches-cpu", device=_timing.cpu_name(), threads=1, packages=packages, rows=rows, skipped=dict(SKIPPED)
    )


def on_the_card(torch):
    """uint8 to half-precision rows in one pass, batches that a card finds small, usual and large."""
    orders = {
        "plain grid": (1, lambda x, **kw: patches.normalize_patchify(x, PATCH, MEAN, STD, **kw)),
        "Qwen order": (2, lambda x, **kw: patches.normalize_qwen_rows(x, MEAN, STD, patch=PATCH, **kw)),
    }
    rows = []
    for batch in (1, 32, 256):
        for order, (repeat, ours) in orders.items():
            rows += one_pass_on_the_card(torch, f"{order}, uint8 to float16, {batch}x448x448", batch, repeat, ours)
    name = torch.cuda.get_device_name()
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    packages = ("numpy", "torch", "triton")
    _timing.save(f"patches-{slug}", device=name, threads=1, packages=packages, rows=rows, skipped=dict(SKIPPED))


def one_pass_on_the_card(torch, title, batch, repeat, ours):
    """Parity, then events. The unit is a copy that reads and writes, together, as many bytes as the kernel does."""
    print(title)
    shape = (batch, 448, 448, 3)
    images = [torch.randint(0, 256, shape, dtype=torch.uint8, device="cuda") for _ in range(4)]
    outs = [torch.empty(batch, 1024, 588 * repeat, dtype=torch.float16, device="cuda") for _ in range(4)]
    expected = ours(images[0][-1:].cpu().numpy())
    for answer in (ours(images[0], dtype=torch.float16), eager(torch, images[0], repeat)):
        np.testing.assert_allclose(answer[-1:].float().cpu().numpy(), expected, rtol=2e-3, atol=2e-3)
    moved = images[0].numel() + 2 * outs[0].numel()
    source, target = (torch.zeros((4, moved // 2), dtype=torch.uint8, device="cuda") for _ in range(2))
    calls = {
        "copy of the same bytes": lambda i: target[i % 4].copy_(source[i % 4]),
        "one kernel, out=": lambda i: ours(images[i % 4], dtype=torch.float16, out=outs[i % 4]),
        "torch: convert, scale, cut": lambda i: eager(torch, images[i % 4], repeat),
    }
    return _timing.race(title, calls, rounds=25, warm=5, clock=_timing.cuda_clock)


def eager(torch, images, repeat):
    """The same in plain torch, several passes over memory."""
    mean, std = (torch.tensor(x, device=images.device) for x in (MEAN, STD))
    numbers = ((images.float() / 255 - mean) / std).half()
    if repeat == 1:
        return patches.patchify(numbers, PATCH)
    return torch.stack([patches.qwen_rows(x[None], patch=PATCH, temporal=repeat)[0] for x in numbers])


def main(arguments):
    if "--gpu" not in arguments:
        return on_the_cpu()
    torch = optional("torch", lambda: __import__("torch"))
    if torch is None or not torch.cuda.is_available():
        print("not measured yet: no CUDA card here")
    else:
        on_the_card(torch)


if __name__ == "__main__":
    main(sys.argv[1:])
