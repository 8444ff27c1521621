"""The same images through the real packages: integers exactly, pixels exactly where nothing is computed.

Each test is skipped when its package is not importable, unless REQUIRE_PEERS=1 (the leg that installs them), where it
fails. "Both refused" is counted as agreement: the peer crashes or makes a side of no pixels, we raise ValueError.
"""

import types

import numpy as np
import pytest
from peers import PEERS, drawn_sizes, hf, inert_torchvision, load, needs, peer_tokens

from mmtokedu.catalog import images as catalog
from mmtokedu.catalog.images import image_plan
from mmtokedu.patches import image_tokens, normalize_patchify, qwen_rows, smart_resize, tile_grid

SMALL = [(1, 1), (28, 28), (97, 133), (100, 100), (333, 517), (640, 480), (30, 400), (1500, 10), (300, 900)]
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def qwen_vl_utils():
    with inert_torchvision():
        return load("qwen_vl_utils.vision_process")


@pytest.mark.parametrize("model", PEERS)
def test_counts(compare, model):
    sizes = drawn_sizes(120 if model == "phi-4-multimodal" else 400)  # Phi-4 runs its whole processor
    theirs = needs(peer_tokens, model)
    compare(f"{model} ({PEERS[model][0]})", lambda h, w: image_tokens(model, h, w), theirs, sizes)


BOUNDS = [(28, 3136, 1003520), (28, 3136, 12845056), (32, 65536, 16777216), (28, 3136, 50176), (14, 196, 9604)]


@pytest.mark.parametrize("factor, low, high", BOUNDS)
@pytest.mark.parametrize("rule", ["transformers", "qwen-vl-utils"])
def test_smart_resize(compare, rule, factor, low, high):
    def theirs(h, w):
        resized = peer(h, w, factor, low, high)
        if 0 in resized:
            raise ValueError(f"a side of no pixels: {resized}")
        return resized

    def ours(h, w):
        return smart_resize(h, w, factor=factor, min_pixels=low, max_pixels=high, rule=rule)

    module = needs(hf, "qwen2_vl.image_processing_pil_qwen2_vl") if rule == "transformers" else needs(qwen_vl_utils)
    peer = module.smart_resize
    compare(f"smart_resize {rule} {factor}, {low} to {high}", ours, theirs, drawn_sizes(400, seed=2))


@pytest.mark.parametrize("tile, most", [(448, 12), (448, 6), (384, 12), (448, 36)])
def test_tile_grid(compare, tile, most):
    peer = needs(hf, "got_ocr2.image_processing_pil_got_ocr2").get_optimal_tiled_canvas
    sizes = drawn_sizes(400, seed=3) + [(tile * i, tile * j) for i in range(1, 7) for j in range(1, 7)]  # many ties
    compare(
        f"tile_grid {tile}, up to {most}",
        lambda h, w: tile_grid(h, w, tile=tile, max_tiles=most),
        lambda h, w: peer((h, w), (tile, tile), 1, most),
        sizes,
    )


# Where two systems disagree, both are reproduced, and how often they do is held.


def test_the_two_smart_resizes_disagree_on_thin_images():
    """Sides 1 to 30 against 50, 100, … 2000 with the bounds of Qwen2-VL: 356 of 1020 sizes."""
    bounds = {"factor": 28, "min_pixels": 3136, "max_pixels": 12845056}
    first = needs(hf, "qwen2_vl.image_processing_pil_qwen2_vl").smart_resize
    second = needs(qwen_vl_utils).smart_resize
    sizes = [(h, w) for h in range(1, 31) for w in range(50, 2001, 50) if w <= 200 * h]
    theirs = [(first(*size, **bounds), second(*size, **bounds)) for size in sizes]
    ours = [(smart_resize(*s, **bounds), smart_resize(*s, **bounds, rule="qwen-vl-utils")) for s in sizes]
    assert ours == theirs
    assert (len(sizes), sum(a != b for a, b in theirs)) == (1020, 356)


def test_the_two_pixtrals_disagree_by_a_row():
    """Sides 100, 139, … 3961: 268 of 10201 sizes lose a row or a column in transformers, none gains one."""
    nearest, down = needs(peer_tokens, "pixtral"), needs(peer_tokens, "pixtral-transformers")
    sizes = [(h, w) for h in range(100, 4001, 39) for w in range(100, 4001, 39)]
    theirs = [(nearest(*size), down(*size)) for size in sizes]
    assert [(image_tokens("pixtral", *s), image_tokens("pixtral-transformers", *s)) for s in sizes] == theirs
    assert (len(sizes), sum(a > b for a, b in theirs), sum(a < b for a, b in theirs)) == (10201, 268, 0)


# The whole processor on a real image: what it makes has the number of tokens that its counting method promised.


def whole_qwen(image):
    peer = hf("qwen2_vl.image_processing_pil_qwen2_vl").Qwen2VLImageProcessorPil(max_pixels=12845056)
    return int(np.prod(peer(image)["image_grid_thw"])) // 4


def whole_internvl(image):
    peer = hf("got_ocr2.image_processing_pil_got_ocr2").GotOcr2ImageProcessorPil
    size = {"height": 448, "width": 448}
    return 256 * peer(size=size, crop_to_patches=True)(image)["num_patches"][0]


def whole_pixtral(image):
    done = hf("pixtral.image_processing_pil_pixtral").PixtralImageProcessorPil()(image)
    height, width = done["image_sizes"][0]
    return int(height // 16 * (width // 16 + 1))


def whole_mistral(image):
    module, chunk = load("mistral_common.tokens.tokenizers.image"), load("mistral_common.protocol.instruct.chunk")
    peer = module.ImageEncoder(module.ImageConfig(16, 1024), module.SpecialImageIDs(1, 2, 3))
    module.transform_image = lambda image, size: None  # it resizes with OpenCV, which is not among the peers
    return len(peer(chunk.ImageChunk(image=image)).tokens)


def whole_pan_and_scan(image):
    peer = hf("gemma3.image_processing_pil_gemma3").Gemma3ImageProcessorPil(
        do_pan_and_scan=True,
        pan_and_scan_min_crop_size=256,
        pan_and_scan_max_num_crops=4,
        pan_and_scan_min_ratio_to_activate=1.2,
    )
    return 256 * len(peer(image)["pixel_values"])


def whole_gemma_4(image):
    return hf("gemma4.image_processing_pil_gemma4").Gemma4ImageProcessorPil()(image)["num_soft_tokens_per_image"][0]


def whole_idefics3(image):
    done = hf("idefics3.image_processing_pil_idefics3").Idefics3ImageProcessorPil()(image, return_row_col_info=True)
    return 169 * (done["rows"][0][0] * done["cols"][0][0] + 1)


def whole_mllama(image):
    peer = hf("mllama.image_processing_pil_mllama").MllamaImageProcessorPil(size={"height": 560, "width": 560})
    return 1601 * int(np.sum(peer(image)["num_tiles"]))


WHOLE = {
    "qwen2-vl": whole_qwen,
    "internvl2.5": whole_internvl,
    "pixtral-transformers": whole_pixtral,
    "pixtral": whole_mistral,
    "gemma-3-pan-and-scan": whole_pan_and_scan,
    "gemma-4": whole_gemma_4,
    "idefics3": whole_idefics3,
    "llama-3.2-vision": whole_mllama,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("model", WHOLE)
def test_whole_processor(compare, monkeypatch, model):
    needs(load, {"mistral-common": "mistral_common.tokens.tokenizers.image"}.get(PEERS[model][0], "transformers"))
    from PIL import Image

    if model == "pixtral":  # undo the stand-in afterwards
        module = load("mistral_common.tokens.tokenizers.image")
        monkeypatch.setattr(module, "transform_image", module.transform_image)

    def theirs(h, w):
        return WHOLE[model](Image.new("RGB", (w, h)))

    compare(f"{model}, whole processor", lambda h, w: image_tokens(model, h, w), theirs, SMALL)


@pytest.mark.parametrize("model, strategy", [("llava-next", "default"), ("llava-onevision", None)])
def test_llava_models_pack_as_many_features(compare, model, strategy):
    """`pack_image_features` of the model itself, fed features of one number each."""
    name = model.replace("-", "_")
    module = needs(hf, f"{name}.modeling_{name}")
    torch = load("torch")
    peer_class = {"llava-next": "LlavaNextModel", "llava-onevision": "LlavaOnevisionModel"}[model]
    plan = image_plan(model, 100, 100)
    tile, side = {"llava-next": (336, 24), "llava-onevision": (384, 27)}[model]
    config = types.SimpleNamespace(
        vision_config=types.SimpleNamespace(image_size=tile, patch_size=14), image_grid_pinpoints=pinpoints(model)
    )
    peer = types.SimpleNamespace(config=config)

    def theirs(h, w):
        tiles = module.image_size_to_num_patches((h, w), config.image_grid_pinpoints, tile)
        features = [torch.zeros(tiles, side * side, 1)]
        extra = {"vision_feature_select_strategy": strategy} if strategy else {}
        packed, _ = getattr(module, peer_class).pack_image_features(
            peer, features, [(h, w)], image_newline=torch.zeros(1), **extra
        )
        return len(packed[0])

    assert plan.tokens == theirs(100, 100)
    compare(
        f"{model}, the model's own packing", lambda h, w: image_tokens(model, h, w), theirs, drawn_sizes(200, seed=4)
    )


def pinpoints(model):
    name = model.replace("-", "_")
    module = hf(f"{name}.image_processing_pil_{name}")
    peer = {"llava-next": "LlavaNextImageProcessorPil", "llava-onevision": "LlavaOnevisionImageProcessorPil"}[model]
    return getattr(module, peer).image_grid_pinpoints


# How many tokens one tile leaves behind, by the models' own layers (one number a feature, no weights needed): the
# processors above are told these constants, here they are earned.


def siglip_patches(side, patch):
    module, torch = hf("siglip.modeling_siglip"), load("torch")
    config = module.SiglipVisionConfig(hidden_size=4, image_size=side, patch_size=patch)
    return module.SiglipVisionEmbeddings(config)(torch.zeros(1, 3, side, side))  # (1, N, 4)


def clip_tile():
    module, torch = hf("clip.modeling_clip"), load("torch")
    config = module.CLIPVisionConfig(hidden_size=4, num_attention_heads=1, image_size=336, patch_size=14)
    return module.CLIPVisionEmbeddings(config)(torch.zeros(1, 3, 336, 336)).shape[1] - 1  # LLaVA drops the class token


def gemma_3_tile():
    module = hf("gemma3.modeling_gemma3")
    vision = {"hidden_size": 4, "image_size": 896, "patch_size": 14, "model_type": "siglip_vision_model"}
    projector = module.Gemma3MultiModalProjector(module.Gemma3Config(vision_config=vision))
    return projector(siglip_patches(896, 14)).shape[1]


def internvl_tile():
    features = load("torch").zeros(1, 448 // 14, 448 // 14, 4)
    shuffled = hf("internvl.modeling_internvl").InternVLModel.pixel_shuffle(None, features, scale_factor=0.5)
    return shuffled.shape[1] * shuffled.shape[2]


def idefics3_tile(side, patch, factor):
    connector = hf("idefics3.modeling_idefics3").Idefics3Connector
    return connector.pixel_shuffle(None, siglip_patches(side, patch).contiguous(), factor).shape[1]


def mllama_tile():
    module = hf("mllama.modeling_mllama")
    small = {"hidden_size": 4, "num_hidden_layers": 1, "num_global_layers": 1, "attention_heads": 1}
    config = module.MllamaVisionConfig(image_size=560, patch_size=14, intermediate_size=4, **small)
    return module.MllamaVisionModel(config).num_patches


TILES = {
    "llava-1.5": clip_tile,
    "paligemma": lambda: siglip_patches(224, 14).shape[1],
    "gemma-3": gemma_3_tile,
    "gemma-3-pan-and-scan": gemma_3_tile,
    "internvl2.5": internvl_tile,
    "idefics3": lambda: idefics3_tile(364, 14, 2),
    "smolvlm": lambda: idefics3_tile(512, 16, 4),
    "llama-3.2-vision": mllama_tile,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("model", TILES)
def test_tokens_of_one_tile(model):
    parameters = catalog.row(model).parameters
    ours = parameters.get("per_tile") or (parameters["side"] // parameters["cell"]) ** 2
    assert ours == needs(TILES[model])


# Pixels of images that are already of a size the processor keeps.


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("height, width", [(56, 56), (84, 112), (280, 448), (28, 560), (1120, 896)])
def test_qwen_pixels(height, width):
    """The layout exactly, on bytes; after the arithmetic within 1e-6 (ours multiplies once, theirs scales twice)."""
    module = needs(hf, "qwen2_vl.image_processing_pil_qwen2_vl")
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    assert smart_resize(height, width) == (height, width)

    raw = module.Qwen2VLImageProcessorPil(do_rescale=False, do_normalize=False)(image)
    rows, grid = qwen_rows(image[None].astype(np.float32))
    np.testing.assert_array_equal(rows, raw["pixel_values"])
    assert [list(grid)] == np.asarray(raw["image_grid_thw"]).tolist()

    done = module.Qwen2VLImageProcessorPil()(image)
    rows, _ = qwen_rows(((image[None] / 255 - MEAN) / STD).astype(np.float32))
    np.testing.assert_allclose(rows, done["pixel_values"], rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("height, width", [(64, 64), (48, 80), (224, 224)])
def test_normalized_patches_are_siglip2s(height, width):
    """SigLIP2 cuts as `patchify` does, channels last; the same numbers within 1e-6."""
    module = needs(hf, "siglip2.image_processing_pil_siglip2")
    image = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    grid = height // 16 * (width // 16)
    peer = module.Siglip2ImageProcessorPil(
        do_resize=False, patch_size=16, max_num_patches=grid, image_mean=MEAN, image_std=STD
    )
    theirs = np.asarray(peer(image)["pixel_values"])
    np.testing.assert_allclose(normalize_patchify(image[None], 16, MEAN, STD), theirs, rtol=0, atol=1e-6)
