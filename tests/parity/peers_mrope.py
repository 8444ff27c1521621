"""The peers' own positions and rotations: what each model's code says of a drawn prompt.

As in `peers.py`, nothing here computes positions: a model is made without its weights, and its own methods are asked.
A layout is a list of ("text", n), ("picture", h, w), ("film", t, h, w, seconds), ("sound", frames) and ("both", t, h, w,
seconds, frames): grids in tokens after the merge, seconds from one of its frames to the next, frames of a spectrogram.
"""

import random
import types

import numpy as np
from peers import hf, load

from mmtokedu.catalog import positions as catalog
from mmtokedu.mrope import Audio, Text, Vision, Woven

CLASSES = {  # rule -> the folder in transformers/models, the class
    "qwen2-vl": ("qwen2_vl", "Qwen2VLModel"),
    "qwen2.5-vl": ("qwen2_5_vl", "Qwen2_5_VLModel"),
    "qwen3-vl": ("qwen3_vl", "Qwen3VLModel"),
    "qwen3.5": ("qwen3_5", "Qwen3_5Model"),
    "qwen4-exp": ("qwen4_exp", "Qwen4ExpModel"),
    "cosmos3-edge": ("cosmos3_edge", "Cosmos3EdgeModel"),
    "glm-4v": ("glm4v", "Glm4vModel"),
    "glm-ocr": ("glm_ocr", "GlmOcrModel"),
    "ernie-4.5-vl": ("ernie4_5_vl_moe", "Ernie4_5_VLMoeModel"),
    "paddleocr-vl": ("paddleocr_vl", "PaddleOCRVLModel"),
    "hunyuan-vl": ("hunyuan_vl", "HunYuanVLModel"),
}
OMNI = {  # rule -> folder, model, processor, ids a second, what its configuration calls the sound's
    "qwen2.5-omni": (
        "qwen2_5_omni", "Qwen2_5OmniPreTrainedModelForConditionalGeneration", "Qwen2_5OmniProcessor", 25
    ),
    "qwen3-omni": (
        "qwen3_omni_moe", "Qwen3OmniMoePreTrainedModelForConditionalGeneration", "Qwen3OmniMoeProcessor", 13
    ),
}  # fmt: skip
RATES = [0.5, 1, 2, 3, 4, 5, 8, 10, 24, 25, 30]  # sampled frames a second; two make one of the film
WORD, IMAGE, VIDEO, SOUND = 100, 151655, 151656, 151646
MARKERS = {"vision": (151652, 151653), "sound": (151647, 151648)}


def sound_tokens(rule, frames, a_second):
    """How many tokens a spectrogram of so many frames makes, a hundred a second."""
    if rule == "qwen2.5-omni":
        return ((frames - 1) // 2 + 1 - 2) // 2 + 1
    rest = ((frames % 100 - 1) // 2 + 1 - 1) // 2 + 1 if frames % 100 else 0
    return frames // 100 * 13 + ((rest - 1) // 2 + 1 if rest else 0)


def drawn_layouts(count, seed=0, *, sound=False, films=True):
    """Layouts, a word or more between any two pictures: the peers take neighbours for one."""
    draw, layouts = random.Random(seed), []
    for number in range(count):
        layout = [("text", draw.randint(1, 6))]
        for _ in range(draw.randint(0, 5)):
            t, h, w = draw.choice([2, 3, 4, 9, 16]), draw.randint(1, 7), draw.randint(1, 7)
            seconds, frames = 2 / draw.choice(RATES), draw.choice([50, 99, 100, 101, 150, 233, 400, 801])
            kinds = [("picture", h, w)] + [("film", t, h, w, seconds)] * films
            if sound:
                kinds = [("picture", h, w), ("sound", frames)]
                kinds += [("both", t, h, w, seconds, frames) if number % 2 else ("film", t, h, w, seconds)]
            layout += [draw.choice(kinds), ("text", draw.randint(1, 6))]
        layouts.append(layout)
    return layouts


def segments_of_layout(rule, layout):
    """A layout as our segments. Everything but text stands between two markers."""
    system, segments = catalog.row("models", rule), []
    a_second = OMNI[rule][3] if rule in OMNI else 2 if system.steps else None
    for kind, *what in layout:
        if kind == "text":
            segments.append(Text(*what))
        elif kind == "picture":
            h, w = what
            segments += [Text(1), Vision(1, h, w + (rule == "hunyuan-vl")), Text(1)]
        elif kind == "sound":
            segments += [Text(1), Audio(sound_tokens(rule, *what, a_second)), Text(1)]
        elif kind == "both":
            t, h, w, seconds, frames = what
            film = Vision(t, h, w, seconds * a_second)
            segments.append(Woven((film, Audio(sound_tokens(rule, frames, a_second))), system.weave))
        else:
            t, h, w, seconds = what
            step = seconds * a_second if a_second else 1
            segments += [Text(1), Vision(t, h, w, step), Text(1)] if system.films else [Text(2), Vision(1, h, w)] * t
            segments += [] if system.films else [Text(1)]
    return segments


def model(rule):
    """A model's methods that number tokens, without the model."""
    torch = load("torch")
    folder, name = CLASSES[rule]
    made = getattr(hf(f"{folder}.modeling_{folder}"), name)
    vision = types.SimpleNamespace(spatial_merge_size=2, temporal_merge_size=2, tokens_per_second=2)
    text = types.SimpleNamespace(rope_parameters={"mrope_section": [16, 16, 16, 16]})
    peer = types.SimpleNamespace(config=types.SimpleNamespace(vision_config=vision, text_config=text))
    peer.get_vision_position_ids = types.MethodType(made.get_vision_position_ids, peer)
    return torch, lambda *given, **named: made.get_rope_index(peer, *given, **named)


def peer_positions(rule, layout):
    """(ids (A, N), offset) of a layout in the model's own code."""
    if rule in OMNI:
        return omni_positions(rule, layout)
    torch, ask = model(rule)
    kinds, pictures, films, seconds = [], [], [], []
    for kind, *what in layout:
        if kind == "text":
            kinds += [0] * what[0]
        elif kind == "picture":
            h, w = what
            if rule == "hunyuan-vl":
                kinds += [1] * (h * (w + 1) + 2)  # markers are the picture's there
            else:
                kinds += [0] + [1] * h * w + [0]
            pictures.append([1, 2 * h, 2 * w])
        else:
            t, h, w, every = what
            frames = catalog.row("models", rule).films
            kinds += [0] + [2] * t * h * w if frames else ([0, 0] + [2] * h * w) * t
            kinds += [0]
            films.append([2 * t if rule == "ernie-4.5-vl" else t, 2 * h, 2 * w])
            seconds.append(every)
    kinds = torch.tensor([kinds], dtype=torch.int32)
    grids = [torch.tensor(grids) if grids else None for grids in (pictures, films)]
    named = {"image_grid_thw": grids[0]} | ({} if rule == "hunyuan-vl" else {"video_grid_thw": grids[1]})
    if rule == "qwen2.5-vl" and seconds:
        named["second_per_grid_ts"] = torch.tensor(seconds)
    ids, offset = ask(torch.full_like(kinds, WORD, dtype=torch.int64), kinds, **named)
    return ids[:, 0].numpy(), offset.item()


def omni_order(rule, t, h, w, seconds, tokens):
    """How a processor writes a film and its sound: a string of V and A."""
    folder, _, name, a_second = OMNI[rule]
    peer = object.__new__(getattr(hf(f"{folder}.processing_{folder}"), name))
    peer.video_processor = types.SimpleNamespace(merge_size=2)
    peer.video_token, peer.audio_token, peer.audio_bos_token, peer.audio_eos_token = "V", "A", "", ""
    film = {"video_grid_thw": [[t, 2 * h, 2 * w]], "video_second_per_grid": [seconds]}
    options = {"position_id_per_seconds": a_second, "seconds_per_chunk": 2.0}
    return peer.replace_video_with_audio_token(film, 0, {"num_audio_tokens": [tokens]}, 0, **options)


def omni_positions(rule, layout):
    torch = load("torch")
    folder, name, _, a_second = OMNI[rule]
    made = getattr(hf(f"{folder}.modeling_{folder}"), name)
    names = {"image": IMAGE, "video": VIDEO, "audio": SOUND, "vision_start": MARKERS["vision"][0]}
    named = {f"{key}_token_id": value for key, value in (names | {"audio_start": MARKERS["sound"][0]}).items()}
    audio = types.SimpleNamespace(n_window=50)
    config = types.SimpleNamespace(**named, position_id_per_seconds=a_second, seconds_per_chunk=2.0, audio_config=audio)
    peer = types.SimpleNamespace(spatial_merge_size=2, config=config)
    for method in ("get_llm_pos_ids_for_vision", "get_chunked_index"):
        setattr(peer, method, types.MethodType(getattr(made, method), peer))
    ids, pictures, films, seconds, lengths = [], [], [], [], []
    for kind, *what in layout:
        begin, end = MARKERS["sound" if kind == "sound" else "vision"]
        if kind == "text":
            ids += [WORD] * what[0]
        elif kind == "picture":
            ids += [begin, *[IMAGE] * what[0] * what[1], end]
            pictures.append([1, 2 * what[0], 2 * what[1]])
        elif kind == "sound":
            ids += [begin, *[SOUND] * sound_tokens(rule, *what, a_second), end]
            lengths.append(what[0])
        else:
            t, h, w, every = what[:4]
            inside = [VIDEO] * (t * h * w)
            if kind == "both":
                order = omni_order(rule, t, h, w, every, sound_tokens(rule, what[4], a_second))
                inside = [MARKERS["sound"][0], *({"V": VIDEO, "A": SOUND}[c] for c in order), MARKERS["sound"][1]]
                lengths.append(what[4])
            ids += [begin, *inside, end]
            films.append([t, 2 * h, 2 * w])
            seconds.append(every)
    ids = torch.tensor([ids])
    as_tensor = [torch.tensor(given) if given else None for given in (pictures, films, seconds, lengths)]
    found, offset = made.get_rope_index(
        peer, ids, as_tensor[0], as_tensor[1], torch.ones_like(ids),
        any(part[0] == "both" for part in layout), as_tensor[3], as_tensor[2],
    )  # fmt: skip
    return found[:, 0].numpy(), offset.item()


ROTARY = {  # rule -> folder, rotary class
    "qwen2-vl": ("qwen2_vl", "Qwen2VLRotaryEmbedding"),
    "qwen3-vl": ("qwen3_vl", "Qwen3VLTextRotaryEmbedding"),
    "qwen3.5": ("qwen3_5", "Qwen3_5TextRotaryEmbedding"),
    "qwen4-exp": ("qwen4_exp", "Qwen4ExpTextRotaryEmbedding"),
    "glm-4v": ("glm4v", "Glm4vTextRotaryEmbedding"),
    "glm-ocr": ("glm_ocr", "GlmOcrTextRotaryEmbedding"),
    "ernie-4.5-vl": ("ernie4_5_vl_moe", "Ernie4_5_VLMoeTextRotaryEmbedding"),
    "hunyuan-vl": ("hunyuan_vl", "HunYuanVLRotaryEmbedding"),
    "qwen3-omni": ("qwen3_omni_moe", "Qwen3OmniMoeThinkerTextRotaryEmbedding"),
}
TOWERS = {  # style -> folder, rotary class
    "qwen": ("qwen2_vl", "Qwen2VLVisionRotaryEmbedding"),
    "pixtral": ("pixtral", "PixtralVisionRotaryEmbedding"),
    "gemma-4": ("gemma4", "Gemma4VisionRotaryEmbedding"),
    "kimi-k2.5": ("kimi_k25", "Kimi_K25VisionRotaryEmbedding"),
    "muse-glimmer": ("muse_glimmer", "MuseGlimmerVisionRotaryEmbedding"),
}


def peer_rotation(rule, queries, keys, ids):
    """queries and keys (B, heads, N, D) turned by the model's own rotary class and function; ids (A, N)."""
    torch = load("torch")
    folder, name = ROTARY[rule]
    module, row = hf(f"{folder}.modeling_{folder}"), catalog.row("models", rule)
    sections = [22, 22, 20] if rule == "ernie-4.5-vl" else list(row.sections)  # its configuration says h, w, t
    rope = {"rope_type": "default", "rope_theta": row.theta, "mrope_section": sections, "mrope_interleaved": True}
    rope |= {"partial_rotary_factor": row.width / row.head} if row.width else {}
    config = types.SimpleNamespace(
        rope_parameters=rope, head_dim=row.head, hidden_size=row.head, num_attention_heads=1,
        max_position_embeddings=32768, standardize_rope_params=lambda: None,
    )  # fmt: skip
    places = torch.from_numpy(np.ascontiguousarray(ids))[:, None]
    cos, sin = getattr(module, name)(config)(queries, places)
    return [turned.numpy() for turned in module.apply_rotary_pos_emb(queries, keys, cos, sin)]


def peer_tower(style, x, h, w):
    """x (N, heads, D) turned by a vision tower's own code; h and w (N,)."""
    torch = load("torch")
    if style == "llama-4":
        return llama_tower(x, h, w)
    folder, name = TOWERS[style]
    module, width = hf(f"{folder}.modeling_{folder}"), x.shape[-1]
    rope = {"rope_type": "axial", "rope_theta": catalog.row("towers", style).theta}
    config = types.SimpleNamespace(
        rope_parameters=rope, head_dim=width, hidden_size=width, embed_dim=width, num_attention_heads=1
    )
    places = torch.stack([torch.from_numpy(w), torch.from_numpy(h)] if style == "gemma-4" else
                         [torch.from_numpy(h), torch.from_numpy(w)], dim=1)  # fmt: skip
    rotary = getattr(module, name)(config)
    if style == "gemma-4":
        cos, sin = rotary(x[None], places[None])
        return module.apply_multidimensional_rope(x[None], cos, sin, places[None]).numpy()[0]
    cos, sin = rotary(x, places)
    if style == "pixtral":
        return module.apply_rotary_pos_emb(x, x, cos, sin, unsqueeze_dim=1)[0].numpy()
    return module.apply_rotary_pos_emb_vision(x, x, cos, sin)[0].numpy()


def llama_tower(x, h, w):
    """A square picture in its own order, the class token last: of that the patches at (h, w)."""
    torch, module = load("torch"), hf("llama4.modeling_llama4")
    side = int(max(h.max(), w.max())) + 1
    config = types.SimpleNamespace(
        image_size=side,
        patch_size=1,
        hidden_size=x.shape[-1],
        num_attention_heads=1,
        rope_parameters={"rope_theta": 1e4},
    )
    turns = module.Llama4VisionRotaryEmbedding._compute_freqs_ci(config)
    whole = torch.zeros(1, side * side + 1, *x.shape[1:])
    at = torch.from_numpy(h * side + w)
    whole[0, at] = x
    return module.vision_apply_rotary_emb(whole, whole, turns)[0][0, at].numpy()
