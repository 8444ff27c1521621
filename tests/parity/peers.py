"""The peers' own counts: for each model of the catalog, a function (height, width) -> tokens that runs their code.

Nothing here computes: each peer is set up with the sizes of its released checkpoint and asked. Where a peer has no
method that counts without an image, its method that cuts is given an image of that shape which takes no memory.
A peer that is not installed raises ImportError. `python tests/parity/peers.py` writes golden/image_tokens.json anew, and
how often the library agrees with it to the package's data, where the lab on patches reads it; with --counts the latter
alone, which needs no peer.
"""

import contextlib
import functools
import json
import os
import random
import sys
import types
import warnings
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from mmtokedu.catalog.images import image_tokens

GOLDEN = Path(__file__).parent / "golden"
COUNTS = Path(__file__).parents[2] / "mmtokedu" / "data" / "results" / "patches_parity.json"


def drawn_sizes(count, seed=0):
    """(height, width) of images: the awkward ones, then drawn ones, half of them long-tailed, half like photos."""
    draw = random.Random(seed)
    sizes = [(1, 1), (1, 5000), (5000, 1), (1, 200), (1, 201), (3, 600), (600, 3), (10, 1500), (28, 28), (27, 29)]
    sizes += [(336, 336), (672, 672), (448, 896), (1344, 1344), (5000, 5000), (1080, 1920), (1920, 1080), (2160, 3840)]
    sizes += [(239, 2167)]  # the two Pixtrals part here
    sizes += [(47, 1128), (55, 176), (88, 55), (47, 423), (49, 1323)]  # int() of LLaVA's float would be one too small
    sizes += [(400, 1000), (1000, 400)]  # a ratio of 2.5, which half-to-even and half-up round apart
    while len(sizes) < count:
        long_tailed = int(2 ** draw.uniform(0, 12.5)), int(2 ** draw.uniform(0, 12.5))
        like_a_photo = draw.randint(100, 4000), draw.randint(100, 4000)
        sizes += [long_tailed, like_a_photo]
    return sizes[:count]


def no_memory(height, width):
    """A black (3, H, W) image whose pixels are all the same byte."""
    return np.broadcast_to(np.zeros((), np.uint8), (3, height, width))


@functools.cache
def load(name):
    """Import a peer's module, quietly: its deprecations are not ours to fail on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module(name)


def hf(name):
    load("transformers")
    return load("transformers.models." + name)


def needs(make, *args):
    """What a peer offers, or a skip that names what is missing; under REQUIRE_PEERS=1 a failure."""
    try:
        return make(*args)
    except ImportError as missing:
        if os.environ.get("REQUIRE_PEERS"):
            raise
        pytest.skip(f"peer not installed: {missing}")


@contextlib.contextmanager
def inert_torchvision():
    """Let modules that import torchvision at their top be imported without it; every name in it is None."""

    class Inert(types.ModuleType):
        __path__ = ()

        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)

    names = ["", ".io", ".transforms", ".transforms.v2", ".transforms.v2.functional"]
    stand_ins = {"torchvision" + name: Inert("torchvision" + name) for name in names}
    for name, module in stand_ins.items():
        above, _, last = name.rpartition(".")
        if above:
            setattr(stand_ins[above], last, module)
    missing = {name: module for name, module in stand_ins.items() if name not in sys.modules}
    sys.modules.update(missing)
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]


def processor(name, class_name, **attributes):
    """A transformers processor without its tokenizer: the attributes its counting method reads, no more."""
    peer = object.__new__(getattr(hf(name), class_name))
    peer._merge_kwargs = lambda **kwargs: {"images_kwargs": kwargs}
    for attribute, value in attributes.items():
        setattr(peer, attribute, value)
    return peer


def count(peer, height, width, **kwargs):
    return peer._get_num_multimodal_tokens(image_sizes=[(height, width)], **kwargs).num_image_tokens[0]


def qwen(patch_size, shortest_edge, longest_edge):
    size = {"shortest_edge": shortest_edge, "longest_edge": longest_edge}
    peer = hf("qwen2_vl.image_processing_pil_qwen2_vl").Qwen2VLImageProcessorPil(patch_size=patch_size, size=size)
    return lambda h, w: peer.get_number_of_image_patches(h, w) // peer.merge_size**2


def llava():
    crop = types.SimpleNamespace(crop_size={"height": 336, "width": 336})
    wanted = {"patch_size": 14, "num_additional_image_tokens": 1, "vision_feature_select_strategy": "default"}
    peer = processor("llava.processing_llava", "LlavaProcessor", image_processor=crop, **wanted)
    return lambda h, w: count(peer, h, w)


def llava_next():
    images = hf("llava_next.image_processing_pil_llava_next").LlavaNextImageProcessorPil(size={"shortest_edge": 336})
    wanted = {"patch_size": 14, "num_additional_image_tokens": 1, "vision_feature_select_strategy": "default"}
    peer = processor("llava_next.processing_llava_next", "LlavaNextProcessor", image_processor=images, **wanted)
    return lambda h, w: count(peer, h, w)


def llava_onevision():
    images = hf("llava_onevision.image_processing_pil_llava_onevision").LlavaOnevisionImageProcessorPil()
    wanted = {"num_image_tokens": 729, "vision_feature_select_strategy": "full", "vision_aspect_ratio": "anyres_max_9"}
    name = "llava_onevision.processing_llava_onevision"
    peer = processor(name, "LlavaOnevisionProcessor", image_processor=images, **wanted)
    return lambda h, w: count(peer, h, w, size={"height": 384, "width": 384})


def internvl():
    images = hf("got_ocr2.image_processing_pil_got_ocr2").GotOcr2ImageProcessorPil(
        size={"height": 448, "width": 448}, crop_to_patches=True
    )
    peer = processor("internvl.processing_internvl", "InternVLProcessor", image_processor=images, image_seq_length=256)
    return lambda h, w: count(peer, h, w) - 2  # without the start and end marker


def pixtral_transformers():
    module = hf("pixtral.image_processing_pil_pixtral")
    peer = module.PixtralImageProcessorPil()

    def tokens(h, w):
        new = module.get_resize_output_image_size(no_memory(h, w), (1024, 1024), (16, 16), "channels_first")
        if 0 in new:
            peer(np.array(no_memory(h, w)), input_data_format="channels_first")  # it counts 0, and cutting fails
        rows, cols = module._num_image_tokens(new, (16, 16))
        return rows * (cols + 1)

    return tokens


def mistral(patch, longest, merge):
    module = load("mistral_common.tokens.tokenizers.image")
    ids = module.SpecialImageIDs(img=1, img_break=2, img_end=3)
    peer = module.ImageEncoder(module.ImageConfig(patch, longest, merge), ids)

    def tokens(h, w):
        cols, rows = peer._image_to_num_tokens(types.SimpleNamespace(size=(w, h)))
        return rows * (cols + 1)

    return tokens


def gemma_3():
    peer = processor("gemma3.processing_gemma3", "Gemma3Processor", image_seq_length=256)
    return lambda h, w: count(peer, h, w)


def gemma_3_pan_and_scan():
    peer = hf("gemma3.image_processing_pil_gemma3").Gemma3ImageProcessorPil()
    return lambda h, w: 256 * (1 + len(peer.pan_and_scan(no_memory(h, w), 256, 4, 1.2)))


def gemma_4():
    images = hf("gemma4.image_processing_pil_gemma4").Gemma4ImageProcessorPil()
    peer = processor("gemma4.processing_gemma4", "Gemma4Processor", image_processor=images)
    return lambda h, w: count(peer, h, w)


def idefics3(module, class_name, tile, per_tile):
    edges = {"size": {"longest_edge": 4 * tile}, "max_image_size": {"longest_edge": tile}}
    peer = getattr(hf(module), class_name)(**edges)
    return lambda h, w: per_tile * peer.get_number_of_image_patches(h, w)[0]


def phi_4():
    """The processor's own `_preprocess`, where only resizing, padding and normalising make images of no memory."""
    torch = load("torch")
    load("transformers")
    with inert_torchvision():
        module = hf("phi4_multimodal.image_processing_phi4_multimodal")

    def of_shape(height, width):
        return torch.zeros((), dtype=torch.uint8).expand(3, height, width)

    module.tvF = types.SimpleNamespace(
        resize=lambda image, size: of_shape(*size),
        pad=lambda image, sides, fill: of_shape(image.shape[1] + sides[3], image.shape[2] + sides[2]),
    )

    class Peer(module.Phi4MultimodalImageProcessor):
        __init__ = object.__init__

        def rescale_and_normalize(self, image, *_):
            return image

        def resize(self, image, size, **_):
            return of_shape(size.height, size.width)

    peer, size = Peer(), types.SimpleNamespace(height=448, width=448)
    rest = {"do_resize": True, "do_rescale": True, "do_normalize": True, "return_tensors": None}
    rest |= dict.fromkeys(["resample", "rescale_factor", "image_mean", "image_std"])

    def tokens(h, w):
        done = peer._preprocess([of_shape(h, w)], size=size, patch_size=14, dynamic_hd=36, **rest)
        return done["num_img_tokens"][0]

    return tokens


def mllama():
    module = hf("mllama.image_processing_pil_mllama")

    def tokens(h, w):
        rows, cols = module.get_optimal_tiled_canvas(h, w, 4, 560)
        return int(rows // 560 * (cols // 560)) * ((560 // 14) ** 2 + 1)  # patches and the class token

    return tokens


def paligemma():
    peer = processor("paligemma.processing_paligemma", "PaliGemmaProcessor", image_seq_length=(224 // 14) ** 2)
    return lambda h, w: count(peer, h, w)


PEERS = {  # model -> (package, a function that makes its count)
    "qwen2-vl": ("transformers", lambda: qwen(14, 3136, 12845056)),
    "qwen2.5-vl": ("transformers", lambda: qwen(14, 3136, 12845056)),
    "qwen3-vl": ("transformers", lambda: qwen(16, 65536, 16777216)),
    "llava-1.5": ("transformers", llava),
    "llava-next": ("transformers", llava_next),
    "llava-onevision": ("transformers", llava_onevision),
    "internvl2.5": ("transformers", internvl),
    "pixtral": ("mistral-common", lambda: mistral(16, 1024, 1)),
    "pixtral-transformers": ("transformers", pixtral_transformers),
    "mistral-small-3.1": ("mistral-common", lambda: mistral(14, 1540, 2)),
    "gemma-3": ("transformers", gemma_3),
    "gemma-3-pan-and-scan": ("transformers", gemma_3_pan_and_scan),
    "gemma-4": ("transformers", gemma_4),
    "idefics3": (
        "transformers",
        lambda: idefics3("idefics3.image_processing_pil_idefics3", "Idefics3ImageProcessorPil", 364, 169),
    ),
    "smolvlm": (
        "transformers",
        lambda: idefics3("smolvlm.image_processing_pil_smolvlm", "SmolVLMImageProcessorPil", 512, 64),
    ),
    "phi-4-multimodal": ("transformers", phi_4),
    "llama-3.2-vision": ("transformers", mllama),
    "paligemma": ("transformers", paligemma),
}


@functools.cache
def peer_tokens(model):
    """The peer's count for one model: a function (height, width) -> tokens. ImportError if it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return PEERS[model][1]()


def ask(peer, *arguments):
    """(answer, None), or (None, the refusal's first line) when the call fails in whatever way. A count is an int."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = peer(*arguments)
            return int(answer) if np.ndim(answer) == 0 else answer, None
    except Exception as error:  # a peer may fail in any way; each is a refusal
        return None, f"{type(error).__name__}: {error}".splitlines()[0]


def write_golden(count=220):
    """Ask every peer about the same sizes and store the answers; null is a refusal."""
    sizes = drawn_sizes(count, seed=1)
    packages = sorted({package for package, _ in PEERS.values()} | {"numpy", "torch"})
    rows = {model: [ask(peer_tokens(model), *size)[0] for size in sizes] for model in PEERS}
    golden = {"packages": {name: version(name) for name in packages}, "sizes_hw": sizes, "tokens": rows}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in golden.items() if key != "tokens"]
    lines.append('"tokens": {\n' + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in rows.items()) + "\n}")
    (GOLDEN / "image_tokens.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def parity_counts():
    """How often the library gives the stored answer of each peer: rows of package, agreed, both refused, disagreed."""
    golden = json.loads((GOLDEN / "image_tokens.json").read_text())
    rows = []
    for model, theirs in golden["tokens"].items():
        ours = []
        for size in golden["sizes_hw"]:
            try:
                ours.append(image_tokens(model, *size))
            except ValueError:
                ours.append(None)
        same = [mine for mine, answer in zip(ours, theirs, strict=True) if mine == answer]
        rows.append({"model": model, "package": PEERS[model][0], "agreed": sum(mine is not None for mine in same)})
        rows[-1] |= {"both_refused": same.count(None), "disagreed": len(theirs) - len(same)}
    return {
        "what": "How often the library counts the tokens of an image as the system's own code does.",
        "made_by": "tests/parity/peers.py",
        "packages": golden["packages"],
        "sizes": len(golden["sizes_hw"]),
        "rows": rows,
    }


def write_counts(counts, path):
    """Counts as JSON, a row a line: a change shows as the rows that changed."""
    rows = ",\n".join("  " + json.dumps(row) for row in counts.pop("rows"))
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in counts.items()]
    path.write_text("{\n" + ",\n".join([*lines, ' "rows": [\n' + rows + "\n ]"]) + "\n}\n")


if __name__ == "__main__":
    if "--counts" not in sys.argv[1:]:
        write_golden()
    write_counts(parity_counts(), COUNTS)
