"""The peers' own sequences: processors of transformers on drawn prompts, with a tokenizer of 256 bytes and their tokens.

As in `peers.py`, nothing here computes. The processors are real, with image processors that need no torchvision; what
they check of their parts' classes, which would import it, is left out.
"""

import functools
import random
import types
from importlib import import_module

import numpy as np
from peers import hf, load
from peers_video import without_torchvision
from PIL import Image as PillowImage

from mmtokedu.catalog import styles

ATTRIBUTES = {  # style -> the names under which the peer's processor asks its tokenizer for tokens
    "internvl": {
        "start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    },
    "gemma-3": {
        "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>",
    },
    "gemma-4": {
        "image_token": "<|image|>", "boi_token": "<|image>", "eoi_token": "<image|>", "audio_token": "<|audio|>",
        "boa_token": "<|audio>", "eoa_token": "<audio|>",
    },
    "smolvlm": {
        "fake_image_token": "<fake_token_around_image>", "image_token": "<image>", "global_image_token": "<global-img>",
        "video_token": "<video>",
    },
    "paligemma": {"image_token": "<image>"},
    "minicpm-v-4.6": {
        "image_token": "<image_tok>", "video_token": "<video_tok>", "image_start_token": "<image>",
        "image_end_token": "</image>", "slice_start_token": "<slice>", "slice_end_token": "</slice>",
        "image_id_start_token": "<image_id>", "image_id_end_token": "</image_id>",
    },
}  # fmt: skip
ATTRIBUTES["gemma-3-pan-and-scan"] = ATTRIBUTES["gemma-3"]


def byte_tokens():
    """A character for each byte, as byte-level tokenizers write them."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + i) for i, byte in enumerate(others)}


@functools.cache
def tokenizer(style):
    """A tokenizer of 256 bytes and of the style's own tokens, which it reads in any text."""
    tokenizers, fast = load("tokenizers"), load("transformers").PreTrainedTokenizerFast
    characters = byte_tokens()
    model = tokenizers.models.BPE(vocab={characters[byte]: byte for byte in range(256)}, merges=[])
    tiny = tokenizers.Tokenizer(model)
    tiny.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tiny.decoder = tokenizers.decoders.ByteLevel()
    system = styles.row(style)
    tiny.add_special_tokens([tokenizers.AddedToken(t, special=True) for t in (*system.tokens, *system.chat_tokens)])
    more = {"extra_special_tokens": ATTRIBUTES.get(style, {}), "pad_token": "<|pad|>"}
    if style == "paligemma":
        more |= {"bos_token": "<s>", "eos_token": "</s>"}
    return fast(tokenizer_object=tiny, **more)


def encode(style):
    """The peer's tokenizer as `interleave` asks for one: it reads the style's tokens in any text that holds them."""
    return lambda text: tokenizer(style)(text, add_special_tokens=False)["input_ids"]


def ids_of_tokens(style):
    system = styles.row(style)
    return {t: tokenizer(style).convert_tokens_to_ids(t) for t in (*system.tokens, *system.chat_tokens)}


def _qwen(folder, name, patch, low, high):
    images = hf("qwen2_vl.image_processing_pil_qwen2_vl").Qwen2VLImageProcessorPil(
        patch_size=patch, size={"shortest_edge": low, "longest_edge": high}
    )
    return folder, name, {"image_processor": images}


def _pil(folder, name, *, module=None, images=None, more=None, **settings):
    module = module or folder
    images = images or name.replace("Processor", "ImageProcessorPil")
    peer = getattr(hf(f"{module}.image_processing_pil_{module}"), images)(**settings)
    return folder, name, {"image_processor": peer} | (more or {})


def _paligemma():
    folder, name, made = _pil(
        "paligemma", "PaliGemmaProcessor", module="siglip", images="SiglipImageProcessorPil",
        size={"height": 224, "width": 224},
    )  # fmt: skip
    made["image_processor"].image_seq_length = 256
    return folder, name, made


LLAVA = {"patch_size": 14, "num_additional_image_tokens": 1, "vision_feature_select_strategy": "default"}
GOT = {"module": "got_ocr2", "images": "GotOcr2ImageProcessorPil"}
PROCESSORS = {  # style -> its processor's folder, class and parts
    "qwen2-vl": lambda: _qwen("qwen2_vl", "Qwen2VLProcessor", 14, 3136, 12845056),
    "qwen2.5-vl": lambda: _qwen("qwen2_5_vl", "Qwen2_5_VLProcessor", 14, 3136, 12845056),
    "qwen3-vl": lambda: _qwen("qwen3_vl", "Qwen3VLProcessor", 16, 65536, 16777216),
    "glm-4.1v": lambda: _pil("glm4v", "Glm4vProcessor"),
    "glm-4.6v": lambda: _pil("glm46v", "Glm46VProcessor"),
    "llava-1.5": lambda: _pil(
        "llava", "LlavaProcessor", module="clip", images="CLIPImageProcessorPil", more=LLAVA,
        size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336},
    ),
    "llava-next": lambda: _pil(
        "llava_next", "LlavaNextProcessor", more=LLAVA, size={"shortest_edge": 336},
        crop_size={"height": 336, "width": 336},
    ),
    "llava-onevision": lambda: _pil(
        "llava_onevision", "LlavaOnevisionProcessor",
        more={"num_image_tokens": 729, "vision_feature_select_strategy": "full"},
    ),
    "internvl": lambda: _pil(
        "internvl", "InternVLProcessor", **GOT, size={"height": 448, "width": 448}, crop_to_patches=True,
    ),
    "gemma-3": lambda: _pil("gemma3", "Gemma3Processor"),
    "gemma-3-pan-and-scan": lambda: _pil("gemma3", "Gemma3Processor"),
    "gemma-4": lambda: _pil("gemma4", "Gemma4Processor", more={"feature_extractor": types.SimpleNamespace()}),
    "idefics2": lambda: _pil("idefics2", "Idefics2Processor", do_image_splitting=False),
    "idefics2-split": lambda: _pil("idefics2", "Idefics2Processor", do_image_splitting=True),
    "idefics3": lambda: _pil("idefics3", "Idefics3Processor"),
    "smolvlm": lambda: _pil(
        "smolvlm", "SmolVLMProcessor", images="SmolVLMImageProcessorPil", more={"image_seq_len": 64},
        size={"longest_edge": 2048}, max_image_size={"longest_edge": 512},
    ),
    "paligemma": _paligemma,
    "minicpm-v-4.6": lambda: _pil("minicpmv4_6", "MiniCPMV4_6Processor"),
}  # fmt: skip


@functools.cache
def processor(style):
    """The peer's whole processor, its tokenizer a tiny one."""
    folder, name, made = PROCESSORS[style]()
    load("transformers")
    mixin = import_module("transformers.processing_utils").ProcessorMixin
    with without_torchvision():
        module = hf(f"{folder}.processing_{folder}")
    if folder == "smolvlm":
        module.num2words = str
    checked = mixin.check_argument_for_proper_class
    mixin.check_argument_for_proper_class = lambda self, argument, value: type(value)
    try:
        attributes = getattr(module, name).get_attributes()
        if "video_processor" in attributes:
            made["video_processor"] = types.SimpleNamespace(slice_mode=False, downsample_mode="16x", merge_size=2)
        return getattr(module, name)(tokenizer=tokenizer(style), **made)
    finally:
        mixin.check_argument_for_proper_class = checked


@functools.cache
def listener():
    """Qwen2-Audio's whole processor, its tokenizer a tiny one."""
    load("transformers")
    mixin = import_module("transformers.processing_utils").ProcessorMixin
    features = hf("whisper.feature_extraction_whisper").WhisperFeatureExtractor(feature_size=128)
    checked = mixin.check_argument_for_proper_class
    mixin.check_argument_for_proper_class = lambda self, argument, value: type(value)
    try:
        name = "qwen2_audio.processing_qwen2_audio"
        return hf(name).Qwen2AudioProcessor(feature_extractor=features, tokenizer=tokenizer("qwen2-audio"))
    finally:
        mixin.check_argument_for_proper_class = checked


WORDS = [
    "",
    "A",
    "b ",
    " c",
    "\n",
    "\n\n",
    "what is this?",
    "Ünïcödé 😀",
    "  ",
    "<",
    "|>",
    "1",
    "a longer text, with a comma",
]


def drawn_prompts(style, count, seed, sides):
    """[(texts, sizes)] with one text more than images: 0 to 5 images in any order, side by side too."""
    draw = random.Random(seed)
    for i in range(count):
        images = i % 6 if i < 6 else draw.randint(1, 3)
        texts = [draw.choice(WORDS) if draw.random() < 0.7 else "" for _ in range(images + 1)]
        yield texts, [(draw.randint(*sides), draw.randint(*sides)) for _ in range(images)]


def prompt(style, texts):
    """The texts with the style's own placeholders between them, as a chat template writes them."""
    return styles.row(style).media["image"].prompt.join(texts)


def peer_sequence(style, texts, sizes):
    """(ids, type ids or None) of the peer for such a prompt."""
    pictures = [PillowImage.new("RGB", (width, height), (i * 40, 90, 30)) for i, (height, width) in enumerate(sizes)]
    return peer_answer(style, prompt(style, texts), pictures or None)


def peer_answer(style, text, pictures):
    nested = [pictures] if pictures and style in ("gemma-3", "gemma-3-pan-and-scan", "llava-onevision") else pictures
    more = {} if style in ("idefics2", "idefics2-split") else {"return_mm_token_type_ids": True}
    if (
        style == "gemma-3-pan-and-scan"
    ):  # its processor's defaults would overrule what the image processor was made with
        more["images_kwargs"] = {
            "do_pan_and_scan": True, "pan_and_scan_min_crop_size": 256, "pan_and_scan_max_num_crops": 4,
            "pan_and_scan_min_ratio_to_activate": 1.2,
        }  # fmt: skip
    answer = processor(style)(text=[text], images=nested, **more)
    kinds = answer.get("mm_token_type_ids", answer.get("token_type_ids"))
    return (
        np.asarray(answer["input_ids"][0]).tolist(),
        None if kinds is None else np.asarray(kinds[0]).tolist(),
    )


def drawn_cases(style, count, seed, sides):
    """Such prompts with their images, and every fourth one with an image too few or too many."""
    draw = random.Random(seed)
    for i, (texts, sizes) in enumerate(drawn_prompts(style, count, seed, sides)):
        if i % 4 == 3:
            sizes = sizes[1:] if draw.random() < 0.5 else [*sizes, (40, 60)]
        yield tuple(texts), tuple(sizes)


# Processors whose image or video processor is not run: their own methods, asked for a string.

TOKENS = {  # style -> folder, class, what its methods read
    "pixtral": (
        "pixtral", "PixtralProcessor",
        {"patch_size": 16, "spatial_merge_size": 1, "image_token": "[IMG]", "image_break_token": "[IMG_BREAK]",
         "image_end_token": "[IMG_END]"},
    ),
    "mistral-small-3.1": (
        "pixtral", "PixtralProcessor",
        {"patch_size": 14, "spatial_merge_size": 2, "image_token": "[IMG]", "image_break_token": "[IMG_BREAK]",
         "image_end_token": "[IMG_END]"},
    ),
    "llama-4": ("llama4", "Llama4Processor", {"patch_size": 14, "downsample_ratio": 4, "image_token": "<|image|>"}),
    "hunyuan-vl": ("hunyuan_vl", "HunYuanVLProcessor", {"image_token": "<image>", "cat_extra_token": True}),
    "deepseek-ocr2": (
        "deepseek_ocr2", "DeepseekOcr2Processor", {"image_token": "<image>", "patch_size": 16, "downsample_ratio": 4},
    ),
    "molmo2": (
        "molmo2", "Molmo2Processor",
        {"image_use_col_tokens": True, "use_single_crop_col_tokens": None, "use_single_crop_start_token": True,
         "video_use_col_tokens": False, "use_frame_special_tokens": True, "image_token": "<|image|>",
         "video_token": "<|video|>"},
    ),
    "qwen2.5-omni": (
        "qwen2_5_omni", "Qwen2_5OmniProcessor",
        {"video_token": "<|VIDEO|>", "audio_token": "<|AUDIO|>", "audio_bos_token": "<|audio_bos|>",
         "audio_eos_token": "<|audio_eos|>"},
    ),
    "qwen3-omni": (
        "qwen3_omni_moe", "Qwen3OmniMoeProcessor",
        {"video_token": "<|video_pad|>", "audio_token": "<|audio_pad|>", "audio_bos_token": "<|audio_start|>",
         "audio_eos_token": "<|audio_end|>"},
    ),
    "qwen3-vl": (
        "qwen3_vl", "Qwen3VLProcessor",
        {"video_token": "<|video_pad|>", "vision_start_token": "<|vision_start|>", "vision_end_token": "<|vision_end|>"},
    ),
    "glm-4.1v": ("glm4v", "Glm4vProcessor", {"image_token": "<|image|>", "video_token": "<|video|>"}),
    "glm-4.6v": ("glm46v", "Glm46VProcessor", {"image_token": "<|image|>", "video_token": "<|video|>"}),
    "gemma-4": (
        "gemma4", "Gemma4Processor",
        {"video_token": "<|video|>", "boi_token": "<|image>", "eoi_token": "<image|>", "audio_token": "<|audio|>",
         "boa_token": "<|audio>", "eoa_token": "<audio|>"},
    ),
    "internvl": (
        "internvl", "InternVLProcessor",
        {"image_token": "<IMG_CONTEXT>", "start_image_token": "<img>", "end_image_token": "</img>",
         "image_seq_length": 256, "video_token": "<video>"},
    ),
    "kimi-k2.5": (
        "kimi_k25", "Kimi_K25Processor",
        {"image_token": "<|media_pad|>", "video_token": "<|kimi_k25_video_placeholder|>"},
    ),
    "muse-glimmer": (
        "muse_glimmer", "MuseGlimmerProcessor",
        {"video_token": "<|video|>", "video_start_token": "<|vid_start|>", "video_end_token": "<|vid_end|>",
         "video_sep_token": "<|vid_frame_separator|>", "image_token": "<|patch|>",
         "image_start_token": "<|image_start|>", "image_end_token": "<|image_end|>"},
    ),
    "minimax-m3": (
        "minimax_m3_vl", "MiniMaxM3VLProcessor", {"image_token": "]<]image[>[", "video_token": "]<]video[>["},
    ),
    "nemotron-h-omni": (
        "nemotron_h_omni", "NemotronH_Omni_Reasoning_V3Processor",
        {"image_token": "<image>", "image_start_token": "<img>", "image_end_token": "</img>", "video_token": "<video>",
         "video_temporal_patch_dim": 2},
    ),
    "video-llama-3": (
        "video_llama_3", "VideoLlama3Processor", {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"},
    ),
    "ernie-4.5-vl": (
        "ernie4_5_vl_moe", "Ernie4_5_VLMoeProcessor",
        {"image_token": "<|IMAGE_PLACEHOLDER|>", "video_token": "<|VIDEO_PLACEHOLDER|>"},
    ),
}  # fmt: skip
GRIDS = [
    "pixtral", "mistral-small-3.1", "llama-4", "hunyuan-vl", "deepseek-ocr2", "molmo2", "kimi-k2.5", "muse-glimmer",
    "minimax-m3", "nemotron-h-omni", "video-llama-3", "ernie-4.5-vl",
]  # fmt: skip


@functools.cache
def methods(style):
    """A processor without its set-up, and the module that it is from."""
    folder, name, attributes = TOKENS[style]
    with without_torchvision():
        module = hf(f"{folder}.processing_{folder}")
    peer = object.__new__(getattr(module, name))
    for attribute, value in attributes.items():
        setattr(peer, attribute, value)
    size = 4 if style == "kimi-k2.5" else 2
    parts = {"merge_size": 1, "temporal_patch_size": size, "spatial_patch_size": 1, "tile_size": 768}
    parts |= {"downsample_ratio": 1}
    peer.image_processor = types.SimpleNamespace(size={"height": 1024}, **parts)
    peer.video_processor = types.SimpleNamespace(frame_timestamp_format="Time: {timestamp:.1f}s", **parts)
    return peer


def peer_picture(style, *grid):
    """The prompt of an image, its placeholder replaced by what an image of this grid is."""
    peer = methods(style)
    cell = getattr(peer, "patch_size", 1) * getattr(peer, "spatial_merge_size", 1)
    inputs = {
        "image_sizes": [(grid[0] * cell, grid[1] * cell)], "aspect_ratios": [grid], "image_grids": [list(grid)],
        "pixel_values": [np.zeros((3, 336, 336))], "image_grid_thw": [(1, *grid)],
        "num_local_patches": [grid[0] * grid[1]], "image_grid_hw": np.array([grid]),
    }  # fmt: skip
    if style in ("kimi-k2.5", "muse-glimmer", "minimax-m3", "video-llama-3", "ernie-4.5-vl"):
        inputs["image_grid_thw"] = np.array([(1, *grid)])
    written = styles.row(style).media["image"].prompt
    return written.replace(peer.image_token, peer.replace_image_token(inputs, image_idx=0))


def peer_clip(style, indices, video_fps, tokens):
    """The prompt of a clip, its placeholder replaced by what a clip is whose patches have so many tokens each."""
    torch, metadata = load("torch"), import_module("transformers.video_utils").VideoMetadata
    peer, frames = methods(style), len(indices)
    spans = -(-frames // peer.video_processor.temporal_patch_size)
    clip = metadata(total_num_frames=10**6, fps=video_fps, duration=1e3, frames_indices=list(indices))
    chunks = style in ("kimi-k2.5", "minimax-m3")
    rows = frames if style == "video-llama-3" else spans
    inputs = {
        "video_metadata": [clip], "num_soft_tokens_per_video": [tokens], "num_chunks_per_video": [spans],
        "num_tokens": [tokens],
        "video_grid_thw": torch.tensor([[1, 1, tokens]] * spans if chunks else [[rows, 1, tokens]]),
        "video_grids": torch.tensor([[frames, 1, tokens]]), "video_merge_sizes": torch.tensor([1]),
        "pixel_values": torch.zeros(1, frames), "pixel_values_videos": torch.zeros(1, frames),
        "video_compression_mask": torch.ones(rows * tokens, dtype=torch.bool),
    }  # fmt: skip
    replaced = peer.replace_video_token(inputs, video_idx=0, num_frames=frames, video_metadata=clip)
    return styles.row(style).media["video"].prompt.replace(peer.video_token, replaced)


def peer_woven(style, grid, seconds_per_grid, sounds):
    """The string that replaces a clip with its sound; grid in tokens."""
    inputs = {"video_grid_thw": np.array([grid]), "video_second_per_grid": [seconds_per_grid]}
    settings = {"position_id_per_seconds": styles.row(style).media["video"].rate, "seconds_per_chunk": 2.0}
    peer = methods(style)
    return peer.replace_video_with_audio_token(inputs, 0, {"num_audio_tokens": [sounds]}, 0, **settings)
