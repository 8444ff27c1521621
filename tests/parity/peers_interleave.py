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


def processing(folder):
    """A processor's module. SmolVLM's wants num2words, in whose place stand our words: a golden row has the real ones."""
    with without_torchvision():
        module = hf(f"{folder}.processing_{folder}")
    if folder == "smolvlm":
        module.num2words = styles.in_words
    return module


@functools.cache
def processor(style):
    """The peer's whole processor, its tokenizer a tiny one."""
    folder, name, made = PROCESSORS[style]()
    load("transformers")
    mixin = import_module("transformers.processing_utils").ProcessorMixin
    module = processing(folder)
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


def prompt(style, texts, kinds=None):
    """The texts with the style's own placeholders between them, as a chat template writes them: of images, or by kind."""
    kinds = ["image"] * (len(texts) - 1) if kinds is None else kinds
    written = [styles.row(style).media[kind].prompt for kind in kinds]
    return "".join(text + mark for text, mark in zip(texts, [*written, ""], strict=True))


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


def drawn_media(style, count, seed):
    """Prompts with 0 to 5 media of all the style's kinds in any order: (texts, kinds, media that are given).

    Every fourth has a medium too few or too many. A medium is (kind, what), as `replaced` asks for it; all clips of a
    prompt have as many frames.
    """
    draw, system = random.Random(seed), styles.row(style)
    for i in range(count):
        frames = draw.randint(1, 12)
        drawn = {
            "image": lambda: drawn_grid(style, draw),
            "video": lambda frames=frames: drawn_clip(style, draw, frames),
            "audio": lambda: draw.randint(1, 30),
        }
        kinds = [draw.choice(list(system.media)) for _ in range(i % 6 if i < 12 else draw.randint(1, 5))]
        if system.one_video and i % 5 != 4:  # now and then two, which is refused
            kinds = [kind for k, kind in enumerate(kinds) if kind != "video" or "video" not in kinds[:k]]
        media = [(kind, drawn[kind]()) for kind in kinds]
        if i % 4 == 3 and media and draw.random() < 0.5:
            media = media[1:]
        elif i % 4 == 3:
            kind = draw.choice(list(system.media))
            media = [*media, (kind, drawn[kind]())]
        yield tuple(draw.choice(WORDS) for _ in range(len(kinds) + 1)), tuple(kinds), tuple(media)


def drawn_grid(style, draw):
    return tuple(draw.randint(1, 5) for _ in range(4 if style == "molmo2" else 2))


def drawn_clip(style, draw, frames):
    """(indices, frames a second, tokens of a span)."""
    step = draw.choice([1, 12, 30, 1000])
    indices = tuple(i * step + draw.randint(0, step - 1) for i in range(frames))
    tokens = {"internvl": 256, "smolvlm": 64}.get(style) or draw.randint(1, 9)
    return indices, draw.choice([30.0, 29.97, 25.0, 1.0]), tokens


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
    "hunyuan-vl": ("hunyuan_vl", "HunYuanVLProcessor", {"image_token": "<image>", "image_start_token": "<image_start>", "image_end_token": "<image_end>",
         "cat_extra_token": True}),
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
        {"image_token": "<|IMAGE|>", "video_token": "<|VIDEO|>", "audio_token": "<|AUDIO|>",
         "audio_bos_token": "<|audio_bos|>", "audio_eos_token": "<|audio_eos|>"},
    ),
    "qwen3-omni": (
        "qwen3_omni_moe", "Qwen3OmniMoeProcessor",
        {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>", "audio_token": "<|audio_pad|>",
         "audio_bos_token": "<|audio_start|>", "audio_eos_token": "<|audio_end|>"},
    ),
    "qwen2-vl": ("qwen2_vl", "Qwen2VLProcessor", {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"}),
    "qwen2.5-vl": (
        "qwen2_5_vl", "Qwen2_5_VLProcessor", {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"},
    ),
    "qwen3-vl": (
        "qwen3_vl", "Qwen3VLProcessor",
        {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>", "vision_start_token": "<|vision_start|>",
         "vision_end_token": "<|vision_end|>"},
    ),
    "llava-onevision": (
        "llava_onevision", "LlavaOnevisionProcessor", {"video_token": "<video>", "num_image_tokens": 729},
    ),
    "smolvlm": (
        "smolvlm", "SmolVLMProcessor",
        {"image_token": "<image>", "video_token": "<video>", "fake_image_token": "<fake_token_around_image>",
         "global_image_token": "<global-img>", "image_seq_len": 64},
    ),
    "phi-4-multimodal": (
        "phi4_multimodal", "Phi4MultimodalProcessor", {"image_token": "<|image|>", "audio_token": "<|audio|>"},
    ),
    "glm-4.1v": ("glm4v", "Glm4vProcessor", {"image_token": "<|image|>", "video_token": "<|video|>"}),
    "glm-4.6v": ("glm46v", "Glm46VProcessor", {"image_token": "<|image|>", "video_token": "<|video|>"}),
    "gemma-4": (
        "gemma4", "Gemma4Processor",
        {"image_token": "<|image|>", "video_token": "<|video|>", "boi_token": "<|image>", "eoi_token": "<image|>",
         "audio_token": "<|audio|>", "boa_token": "<|audio>", "eoa_token": "<audio|>"},
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
         "audio_token": "<so_embedding>", "audio_start_token": "<so_start>", "audio_end_token": "<so_end>",
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
    module = processing(folder)
    peer = object.__new__(getattr(module, name))
    for attribute, value in attributes.items():
        setattr(peer, attribute, value)
    size = 4 if style == "kimi-k2.5" else 2
    parts = {"merge_size": 1, "temporal_patch_size": size, "spatial_patch_size": 1, "tile_size": 768}
    parts |= {"downsample_ratio": 1}
    given_back = {"fetch_images": lambda media: media, "fetch_audio": lambda media, sampling_rate: media}
    peer.image_processor = types.SimpleNamespace(size={"height": 1024}, **parts, **given_back)
    peer.video_processor = types.SimpleNamespace(frame_timestamp_format="Time: {timestamp:.1f}s", **parts)
    peer.feature_extractor = types.SimpleNamespace(sampling_rate=16000, **given_back)
    return peer


def clip_length(style):
    """How many frames share a span."""
    return methods(style).video_processor.temporal_patch_size


def inputs_of_images(style, grids):
    """What a peer's methods read of images that were cut: grids of tokens, or of tiles."""
    cell = getattr(methods(style), "patch_size", 1) * getattr(methods(style), "spatial_merge_size", 1)
    counts = [grid[0] * grid[1] for grid in grids]
    inputs = {
        "image_sizes": [(grid[0] * cell, grid[1] * cell) for grid in grids], "aspect_ratios": grids,
        "image_grids": [list(grid) for grid in grids], "pixel_values": [np.zeros((3, 336, 336))],
        "num_local_patches": counts, "num_img_tokens": counts, "num_soft_tokens_per_image": counts,
        "num_patches": counts, "image_grid_hw": np.array(grids), "rows": [[grid[0] for grid in grids]],
        "cols": [[grid[1] for grid in grids]], "image_grid_thw": [(1, *grid) for grid in grids],
    }  # fmt: skip
    if style not in ("hunyuan-vl", "deepseek-ocr2"):
        inputs["image_grid_thw"] = np.array(inputs["image_grid_thw"])
    return inputs


def inputs_of_clips(style, clips):
    """The same of clips (indices, frames a second, tokens of a span), all of as many frames."""
    torch, metadata = load("torch"), import_module("transformers.video_utils").VideoMetadata
    frames, tokens = len(clips[0][0]), [clip[2] for clip in clips]
    spans = -(-frames // clip_length(style))
    rows = frames if style == "video-llama-3" else spans
    grids = [[rows, 1, n] for n in tokens]
    if style in ("kimi-k2.5", "minimax-m3"):  # in chunks
        grids = [[1, 1, n] for n in tokens for _ in range(spans)]
    told = {"total_num_frames": 10**6, "duration": 1e3}
    return {
        "video_metadata": [metadata(**told, fps=rate, frames_indices=list(at)) for at, rate, _ in clips],
        "num_soft_tokens_per_video": tokens, "num_chunks_per_video": [spans] * len(clips), "num_tokens": tokens,
        "video_grid_thw": torch.tensor(grids), "video_grids": torch.tensor([[frames, 1, n] for n in tokens]),
        "video_merge_sizes": torch.tensor([1] * len(clips)), "pixel_values": torch.zeros(1, frames),
        "pixel_values_videos": torch.zeros(len(clips), frames),
        "video_compression_mask": torch.ones(rows * sum(tokens), dtype=torch.bool),
    }  # fmt: skip


def inputs_of_sounds(style, counts):
    """The same of sounds of so many tokens."""
    masks = [np.ones(4 * n) for n in counts]  # Gemma 4 halves a mask twice
    return {name: counts for name in ("num_audio_tokens", "num_tokens", "audio_embed_sizes")} | {
        "input_features_mask": masks
    }


INPUTS = {"image": inputs_of_images, "video": inputs_of_clips, "audio": inputs_of_sounds}


def replaced(style, kind, media):
    """By what the peer's own method replaces the placeholder of each of these media."""
    peer, inputs = methods(style), INPUTS[kind](style, media) if media else {}
    strings = []
    for i, medium in enumerate(media):
        more = {"load_audio_from_video": False}
        if kind == "video":
            more |= {"num_frames": len(medium[0]), "video_metadata": inputs["video_metadata"][i]}
        strings.append(getattr(peer, f"replace_{kind}_token")(inputs, **{f"{kind}_idx": i}, **more))
    return strings


def peer_picture(style, *grid):
    """The prompt of an image, its placeholder replaced by what an image of this grid is."""
    written = styles.row(style).media["image"].prompt
    return written.replace(methods(style).image_token, *replaced(style, "image", [grid]))


def peer_clip(style, *clip):
    """The prompt of a clip, its placeholder replaced by what a clip is whose patches have so many tokens each."""
    written = styles.row(style).media["video"].prompt
    return written.replace(methods(style).video_token, *replaced(style, "video", [clip]))


def peer_mixed(style, text, media):
    """A prompt with media [(kind, what)] of all kinds: checked, replaced and joined by the peer's own methods."""
    peer = methods(style)
    given = {kind: [what for one, what in media if one == kind] for kind in INPUTS}
    stand_ins = {
        "images": [PillowImage.new("RGB", (2, 2))] * len(given["image"]) or None,
        "videos": [np.zeros((2, 2, 2, 3))] * len(given["video"]) or None,
        "audio": [np.zeros(9)] * len(given["audio"]) or None,
    }
    layout = dict(zip(("images", "text", "videos", "audio"), peer.prepare_inputs_layout(**stand_ins, text=[text])))
    peer.validate_inputs(**layout)
    if style == "nemotron-h-omni":  # whose own call makes one replacement, whatever is given
        given["video"] = given["video"][:1]
    (whole,), _ = peer.get_text_with_replacements([text], *(replaced(style, kind, given[kind]) for kind in INPUTS))
    return whole


def peer_woven(style, grid, seconds_per_grid, sounds):
    """The string that replaces a clip with its sound; grid in tokens."""
    inputs = {"video_grid_thw": np.array([grid]), "video_second_per_grid": [seconds_per_grid]}
    settings = {"position_id_per_seconds": styles.row(style).media["video"].rate, "seconds_per_chunk": 2.0}
    peer = methods(style)
    return peer.replace_video_with_audio_token(inputs, 0, {"num_audio_tokens": [sounds]}, 0, **settings)
