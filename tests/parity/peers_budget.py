"""transformers' own models, narrow or on the meta device, and what their caches hold: for test_live_budget.

`row_of` reads one of their configurations as a row of ours; nothing else here knows both sides.
"""

import contextlib
import functools
import warnings

import torch
from peers import hf, load
from torch.utils.flop_counter import FlopCounterMode

from mmtokedu.budget import Layers, ModelRow, Tower

KINDS = {"full_attention": "full", "sliding_attention": "sliding", "chunked_attention": "chunked"}
KINDS |= {"linear_attention": "linear"}


def read(config, name, otherwise=None):
    """A field of a configuration, also where it has one for each kind of layer and refuses to say which."""
    try:
        return getattr(config, name, otherwise)
    except Exception:  # their own class of error
        return otherwise


def row_of(config, name="peer"):
    """Their text configuration as our row, a group a layer."""
    count, width = config.num_hidden_layers, config.hidden_size
    kinds = read(config, "layer_types") or ["full_attention"] * count
    crossed = read(config, "cross_attention_layers") or ()
    shared = count - (read(config, "num_kv_shared_layers") or 0)
    layers = [
        layer_of(config, "cross" if i in crossed else KINDS[kinds[i]], i, borrows=i >= shared) for i in range(count)
    ]
    return ModelRow(name, name, width, config.vocab_size, tuple(layers))


def layer_of(config, kind, i, borrows):
    if read(config, "kv_lora_rank"):
        attention = {"kind": "latent", "heads": config.num_attention_heads, "q_rank": config.q_lora_rank or 0,
                     "kv_rank": config.kv_lora_rank, "rope": config.qk_rope_head_dim,
                     "nope": config.qk_nope_head_dim, "value": config.v_head_dim}  # fmt: skip
    elif kind == "linear":
        attention = {"kind": "linear", "key_heads": config.linear_num_key_heads,
                     "value_heads": config.linear_num_value_heads, "key_head": config.linear_key_head_dim,
                     "value_head": config.linear_value_head_dim, "kernel": config.linear_conv_kernel_dim}  # fmt: skip
    else:
        attention = attention_of(config, kind, i) | {"borrows": borrows}
    return Layers(count=1, **attention, **behind_of(config, i, borrows))


def attention_of(config, kind, i):
    each = config.per_layer_config[i]
    heads = read(each, "num_attention_heads", read(config, "num_attention_heads"))
    head = read(each, "head_dim") or config.hidden_size // heads
    window = {"sliding": read(each, "sliding_window"), "chunked": read(config, "attention_chunk_size")}.get(kind) or 0
    return {
        "kind": kind,
        "heads": heads,
        "kv_heads": read(each, "num_key_value_heads", read(config, "num_key_value_heads")),
        "head": head,
        "window": window,
        "one_projection": bool(read(config, "attention_k_eq_v")) and kind == "full",
        "gate": config.model_type.startswith(("qwen3_5", "qwen3_next", "muse_glimmer")),
    }


def behind_of(config, i, borrows):
    experts = read(config, "num_experts") or read(config, "n_routed_experts") or 0
    dense = i < (read(config, "first_k_dense_replace") or 0)
    wide = 2 if borrows and read(config, "use_double_wide_mlp") else 1
    found = {"beside": read(config, "hidden_size_per_layer_input") or 0}
    if not experts or dense:
        return found | {"ff": wide * config.intermediate_size}
    width = config.moe_intermediate_size
    shared = read(config, "shared_expert_intermediate_size") or width * (read(config, "n_shared_experts") or 0)
    return found | {
        "experts": experts,
        "active": read(config, "num_experts_per_tok") or config.top_k_experts,
        "expert_ff": width,
        "shared_ff": shared,
        "shared_gate": bool(read(config, "shared_expert_intermediate_size")),
        "ff": config.intermediate_size if config.model_type.startswith("gemma4") else 0,
    }


@contextlib.contextmanager
def quiet():
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        yield


def counted(run):
    """What torch's counter says of a call."""
    with FlopCounterMode(display=False) as counter, quiet():
        run()
    return counter.get_total_flops()


def cache_bytes(cache):
    """Bytes of each layer of a cache: every tensor of floats that it holds on to (a window's has its length in 8 more)."""
    return [sum(t.nbytes for t in tensors_of(vars(layer)) if t.is_floating_point()) for layer in cache.layers]


def tensors_of(held):
    for value in held.values() if isinstance(held, dict) else held:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, (dict, list, tuple)):
            yield from tensors_of(value)


def narrow(**more):
    """Numbers of a narrow model that most configurations take."""
    return {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4, "num_attention_heads": 4,
            "num_key_value_heads": 2, "head_dim": 8, "vocab_size": 97, "pad_token_id": 0} | more  # fmt: skip


def gemma_4(beside=0, **more):
    return narrow(hidden_size_per_layer_input=beside, vocab_size_per_layer_input=97, sliding_window=8,
                  num_hidden_layers=6, layer_types=["sliding_attention", "full_attention"] * 3, **more)  # fmt: skip


LINEAR = {"linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 16,
          "linear_conv_kernel_dim": 4}  # fmt: skip
MIXED = {"num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
LATENT = {"kv_lora_rank": 16, "q_lora_rank": 24, "qk_rope_head_dim": 8, "qk_nope_head_dim": 12, "v_head_dim": 20}
GROUPED = {"n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "n_group": 1, "topk_group": 1}

# name -> (module, configuration, model for causal language, its numbers)
SMALL = {
    "full": ("qwen3", "Qwen3Config", "Qwen3ForCausalLM", narrow()),
    "sliding": ("gemma3", "Gemma3TextConfig", "Gemma3ForCausalLM", narrow(num_hidden_layers=6, sliding_window=8)),
    "sliding, wide heads": ("gemma4", "Gemma4TextConfig", "Gemma4ForCausalLM", gemma_4(global_head_dim=16)),
    "shared": ("gemma4", "Gemma4TextConfig", "Gemma4ForCausalLM", gemma_4(5, num_kv_shared_layers=2, use_double_wide_mlp=True)),
    "keys are values": ("gemma4", "Gemma4TextConfig", "Gemma4ForCausalLM",
                        gemma_4(attention_k_eq_v=True, num_global_key_value_heads=1)),
    "chunked": ("llama4", "Llama4TextConfig", "Llama4ForCausalLM",
                narrow(attention_chunk_size=8, intermediate_size_mlp=48, moe_layers=[])),
    "linear": ("qwen3_5", "Qwen3_5TextConfig", "Qwen3_5ForCausalLM", narrow(**LINEAR)),
    "linear, of another family": ("qwen3_next", "Qwen3NextConfig", "Qwen3NextForCausalLM",
                                  narrow(shared_expert_intermediate_size=16, **LINEAR, **MIXED)),
    "latent": ("deepseek_v3", "DeepseekV3Config", "DeepseekV3ForCausalLM",
               narrow(num_key_value_heads=4, first_k_dense_replace=1, **LATENT, **GROUPED) | {"head_dim": 8}),
    "latent, straight queries": ("deepseek_v3", "DeepseekV3Config", "DeepseekV3ForCausalLM",
                                 narrow(num_key_value_heads=4, first_k_dense_replace=4, **LATENT, **GROUPED)
                                 | {"q_lora_rank": None, "head_dim": 8}),
}  # fmt: skip


@functools.cache
def small(name, dtype=torch.float32):
    """(their configuration, their model) of a name in SMALL."""
    module, config_class, model_class, numbers = SMALL[name]
    load("transformers")
    config = getattr(hf(f"{module}.configuration_{module}"), config_class)(**numbers)
    config._attn_implementation = "eager"  # its products are matmuls, which the counter knows on a CPU too
    config._experts_implementation = "eager"
    with quiet():
        torch.manual_seed(0)
        model = getattr(hf(f"{module}.modeling_{module}"), model_class)(config)
    return config, model.to(dtype).eval()


def cache_after(name, prompt, decoded, dtype):
    """(their configuration, bytes of each layer) after a prompt and so many steps."""
    config, model = small(name, dtype)
    with quiet():
        out = model(torch.ones(1, prompt, dtype=torch.long), use_cache=True)
        for _ in range(decoded):
            out = model(torch.ones(1, 1, dtype=torch.long), past_key_values=out.past_key_values, use_cache=True)
    return config, cache_bytes(out.past_key_values)


def crossed_cache(text, patches, dtype):
    """Llama 3.2's decoder, two of whose six layers look at vision tokens: (configuration, bytes of each layer)."""
    module = hf("mllama.modeling_mllama")
    config = hf("mllama.configuration_mllama").MllamaTextConfig(
        hidden_size=32, intermediate_size=48, num_hidden_layers=6, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=97, pad_token_id=0, cross_attention_layers=[1, 4],
    )  # fmt: skip
    with quiet():
        model = module.MllamaTextModel(config).to(dtype).eval()
        seen = torch.randn(1, patches, 32, dtype=dtype)
        out = model(torch.ones(1, text, dtype=torch.long), cross_attention_states=seen, use_cache=True)
    return config, cache_bytes(out.past_key_values)


# Decoders at their own widths, on the meta device. Numbers of the catalog, the class that the model is of.

CLASSES = {
    "qwen2.5-vl-7b": ("qwen2_5_vl", "Qwen2_5_VLTextConfig", "Qwen2_5_VLTextModel", {}),
    "qwen3-vl-2b": ("qwen3_vl", "Qwen3VLTextConfig", "Qwen3VLTextModel", {}),
    "qwen3-vl-4b": ("qwen3_vl", "Qwen3VLTextConfig", "Qwen3VLTextModel", {}),
    "qwen3-vl-8b": ("qwen3_vl", "Qwen3VLTextConfig", "Qwen3VLTextModel", {}),
    "llava-1.5-7b": ("llama", "LlamaConfig", "LlamaModel", {}),
    "pixtral-12b": ("mistral", "MistralConfig", "MistralModel", {"sliding_window": None}),
    "mistral-small-3.1-24b": ("mistral", "MistralConfig", "MistralModel", {"sliding_window": None}),
    "gemma-3-4b": ("gemma3", "Gemma3TextConfig", "Gemma3TextModel", {}),
    "gemma-3-12b": ("gemma3", "Gemma3TextConfig", "Gemma3TextModel", {}),
    "gemma-3-27b": ("gemma3", "Gemma3TextConfig", "Gemma3TextModel", {}),
    "glm-4.1v-9b": (
        "glm4v",
        "Glm4vTextConfig",
        "Glm4vTextModel",
        {
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e4,
                "partial_rotary_factor": 0.5,
                "mrope_section": [8, 12, 12],
            }
        },
    ),
    "molmo2-8b": ("qwen3", "Qwen3Config", "Qwen3Model", {}),
    "phi-4-multimodal": ("phi3", "Phi3Config", "Phi3Model", {"pad_token_id": 0}),
    "muse-glimmer-30b": ("muse_glimmer", "MuseGlimmerTextConfig", "MuseGlimmerTextModel", {}),
    "voxtral-mini-3b": ("llama", "LlamaConfig", "LlamaModel", {}),
}


def on_meta(name, row, layers, tokens):
    """Operations of so many layers of a model at its own widths, without its head."""
    module, config_class, model_class, more = CLASSES[name]
    group = row.layers[0]
    config = getattr(hf(f"{module}.configuration_{module}"), config_class)(
        hidden_size=row.width, intermediate_size=group.ff, num_hidden_layers=layers, num_attention_heads=group.heads,
        num_key_value_heads=group.kv_heads, head_dim=group.head, vocab_size=row.vocabulary, **more,
    )  # fmt: skip
    config._attn_implementation = "sdpa"
    with quiet(), torch.device("meta"):
        model = getattr(hf(f"{module}.modeling_{module}"), model_class)(config).eval()
        embedded = torch.empty(1, tokens, row.width)
        given = {}  # a mask, or positions on three axes: else they look into positions, where nothing is
        if module in ("qwen2_5_vl", "qwen3_vl", "glm4v"):
            given["position_ids"] = torch.zeros(3, 1, tokens, dtype=torch.long)
        else:
            mask = torch.ones(1, 1, tokens, tokens, dtype=torch.bool)
            kinds = set(read(config, "layer_types") or ())
            given["attention_mask"] = dict.fromkeys(kinds, mask) if len(kinds) > 1 or "gemma" in module else mask
        return counted(lambda: model(inputs_embeds=embedded, use_cache=False, **given))


# Vision towers, narrow, on the CPU.


def qwen_2_5_tower(grid):
    module = hf("qwen2_5_vl.modeling_qwen2_5_vl")
    config = hf("qwen2_5_vl.configuration_qwen2_5_vl").Qwen2_5_VLVisionConfig(
        depth=4, hidden_size=32, intermediate_size=20, num_heads=4, out_hidden_size=24, fullatt_block_indexes=[1],
    )  # fmt: skip
    tower = Tower(layers=4, width=32, ff=20, gated=True, whole=1, window=8, inputs=1176, merge=4,
                  projector=((128, 128), (128, 24)))  # fmt: skip
    return tower, from_rows(module.Qwen2_5_VisionTransformerPretrainedModel(config), grid, 1176)


def qwen_3_tower(grid):
    module = hf("qwen3_vl.modeling_qwen3_vl")
    config = hf("qwen3_vl.configuration_qwen3_vl").Qwen3VLVisionConfig(
        depth=4, hidden_size=32, intermediate_size=20, num_heads=4, out_hidden_size=24,
        deepstack_visual_indexes=[0, 1, 2],
    )  # fmt: skip
    tower = Tower(layers=4, width=32, ff=20, inputs=1536, merge=4, projector=((128, 128), (128, 24)), projectors=4)
    return tower, from_rows(module.Qwen3VLVisionModel(config), grid, 1536)


def glm_tower(grid):
    module = hf("glm4v.modeling_glm4v")
    config = hf("glm4v.configuration_glm4v").Glm4vVisionConfig(
        depth=3, hidden_size=32, intermediate_size=40, num_heads=4, out_hidden_size=24,
    )  # fmt: skip
    tower = Tower(layers=3, width=32, ff=24, gated=True, inputs=1176, merge=4,
                  projector=((128, 24), (24, 24), (24, 3 * 40)))  # fmt: skip
    return tower, from_rows(module.Glm4vVisionModel(config), grid, 1176)


def from_rows(model, grid, inputs):
    """A call of a tower that takes patches as rows, and (frames, rows, columns)."""
    places = torch.tensor([[1, *grid]])
    patches = torch.randn(grid[0] * grid[1], inputs)
    model.config._attn_implementation = "eager"
    return lambda: model.eval()(patches, places)


def siglip_tower(grid):
    module = hf("siglip.modeling_siglip")
    config = hf("siglip.configuration_siglip").SiglipVisionConfig(
        hidden_size=32, intermediate_size=20, num_hidden_layers=3, num_attention_heads=4, image_size=14 * grid[0],
        patch_size=14, vision_use_head=False,
    )  # fmt: skip
    return Tower(layers=3, width=32, ff=20, inputs=588), from_pixels(module.SiglipVisionModel(config), grid)


def clip_tower(grid):
    module = hf("clip.modeling_clip")
    config = hf("clip.configuration_clip").CLIPVisionConfig(
        hidden_size=32, intermediate_size=20, num_hidden_layers=3, num_attention_heads=4, image_size=14 * grid[0],
        patch_size=14,
    )  # fmt: skip
    return Tower(layers=3, width=32, ff=20, inputs=588, extra=1), from_pixels(module.CLIPVisionModel(config), grid)


def pixtral_tower(grid):
    module = hf("pixtral.modeling_pixtral")
    config = hf("pixtral.configuration_pixtral").PixtralVisionConfig(
        hidden_size=32, intermediate_size=20, num_hidden_layers=3, num_attention_heads=4, head_dim=8, patch_size=14,
        image_size=14 * max(grid),
    )  # fmt: skip
    tower = Tower(layers=3, width=32, ff=20, gated=True, inputs=588)
    return tower, from_pixels(module.PixtralVisionModel(config), grid)


def from_pixels(model, grid):
    pixels = torch.randn(1, 3, 14 * grid[0], 14 * grid[1])
    model.config._attn_implementation = "eager"
    return lambda: model.eval()(pixels)


TOWERS = {  # name -> (its maker, the picture in patches)
    "qwen2.5-vl": (qwen_2_5_tower, (12, 20)),
    "qwen3-vl": (qwen_3_tower, (6, 10)),
    "glm-4v": (glm_tower, (6, 10)),
    "siglip": (siglip_tower, (8, 8)),
    "clip": (clip_tower, (8, 8)),
    "pixtral": (pixtral_tower, (5, 9)),
}


def stored_numbers(model):
    """Numbers of all matrices of a model's layers: not its tables, its head, norms and biases."""
    outside = "embed_tokens", "lm_head"
    named = model.named_parameters()
    return sum(p.numel() for name, p in named if p.ndim > 1 and not any(word in name for word in outside))
