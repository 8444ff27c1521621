"""Those who number tokens and turn pairs, each made ready: functions of the number of an input.

transformers is asked without a model: `get_rope_index` gets what a processor hands it (ids, the kind of each token, the
grids), and its rotary layer and function get queries, keys and ids.
"""

import importlib
import types
from types import SimpleNamespace

import numpy as np
from _timing import SETS

from mmtokedu.mrope import Text, Vision, position_ids, position_ids_plain, rotate, segments_of, turning

MERGE = 2
LAYOUTS = {  # title -> (rule, segments), of about 32 thousand tokens
    "20 pictures": ("qwen2-vl", [*[Text(31), Vision(1, 40, 40), Text(1)] * 20, Text(20)]),
    "one film, 384 frames": ("qwen2-vl", [Text(31), Vision(384, 7, 12), Text(31)]),
    "200 small pictures": ("qwen2-vl", [*[Text(21), Vision(1, 8, 8), Text(1)] * 200, Text(20)]),
    "384 frames with their times": ("qwen3-vl", [*[Text(9), Vision(1, 7, 12), Text(1)] * 384, Text(20)]),
}
RESUME = "spatial"  # transformers' way from 5.3 on, so that all give the same ids
CLASSES = {"qwen2-vl": ("qwen2_vl", "Qwen2VLModel"), "qwen3-vl": ("qwen3_vl", "Qwen3VLModel")}


def modeling(folder):
    return importlib.import_module(f"transformers.models.{folder}.modeling_{folder}")


def torch():
    module = importlib.import_module("torch")
    module.set_num_threads(1)
    return module


# Numbering


def sequence_of(segments):
    """What `interleave` would hand on: as many ids, and the spans of the pictures; and their grids."""
    counts = [s.n if isinstance(s, Text) else s.t * s.h * s.w for s in segments]
    stops = np.cumsum(counts)
    seen = [i for i, s in enumerate(segments) if isinstance(s, Vision)]
    spans = np.stack([stops - counts, stops], axis=1)[seen]
    return SimpleNamespace(ids=np.zeros(stops[-1], np.int64), spans=spans), [tuple(segments[i][:3]) for i in seen]


def ours(rule, segments):
    return lambda i: position_ids(segments, rule=rule, resume=RESUME)


def from_a_sequence(rule, segments):
    sequence, grids = sequence_of(segments)
    return lambda i: position_ids(segments_of(sequence, grids), rule=rule, resume=RESUME)


def plain(rule, segments):
    if any(isinstance(s, Vision) and s.t > max(s.h, s.w) for s in segments):
        raise ImportError("the plain rule goes on after the film's last frame, transformers inside the film")
    return lambda i: position_ids_plain(segments)


def transformers_ids(rule, segments):
    folder, name = CLASSES[rule]
    made, t = getattr(modeling(folder), name), torch()
    peer = SimpleNamespace(config=SimpleNamespace(vision_config=SimpleNamespace(spatial_merge_size=MERGE)))
    peer.get_vision_position_ids = types.MethodType(made.get_vision_position_ids, peer)
    films = rule == "qwen3-vl"  # every picture of that layout is a frame of one film
    kinds = [[0] * s.n if isinstance(s, Text) else [2 if films or s.t > 1 else 1] * (s.t * s.h * s.w) for s in segments]
    kinds = t.tensor([[kind for part in kinds for kind in part]], dtype=t.int32)
    grids = [[s.t, s.h * MERGE, s.w * MERGE] for s in segments if isinstance(s, Vision)]
    if films:
        grids = [[len(grids), *grids[0][1:]]]
    grids = t.tensor(grids)
    images, videos = (None, grids) if (kinds == 2).any() else (grids, None)
    ids = t.ones_like(kinds, dtype=t.int64)
    return lambda i: made.get_rope_index(peer, ids, kinds, images, videos.clone() if films else videos)


def as_array(answer):
    """A peer's ids (3, 1, N), beside which it gives an offset, as ours are."""
    return np.asarray(answer[0][:, 0] if isinstance(answer, tuple) else answer)


NUMBERING = {  # name in the table -> function that makes it ready
    "position_ids, NumPy": ours,
    "segments_of and position_ids, NumPy": from_a_sequence,
    "position_ids_plain, NumPy": plain,
    "transformers get_rope_index": transformers_ids,
}


# Turning

HEADS, TOKENS, WIDTH = (28, 4), 4096, 128  # queries and keys of Qwen2-VL 7B
HOW = turning("qwen2-vl")


def drawn():
    """SETS times queries and keys, float32, and ids of a prompt with a film in it."""
    rng = np.random.default_rng(0)
    ids = position_ids([Text(64), Vision(24, 12, 14)])
    return [[rng.standard_normal((1, n, TOKENS, WIDTH), np.float32) for n in HEADS] for _ in range(SETS)], ids


def rotate_arrays(inputs, ids):
    return lambda i: rotate(tuple(inputs[i % SETS]), ids, **HOW)


def rotate_into(inputs, ids):
    outs = tuple(np.empty_like(x) for x in inputs[0])
    return lambda i: rotate(tuple(inputs[i % SETS]), ids, **HOW, out=outs)


def rotate_tensors(inputs, ids):
    t = torch()
    given, places = [[t.from_numpy(x) for x in pair] for pair in inputs], t.from_numpy(ids)
    return lambda i: rotate(tuple(given[i % SETS]), places, **HOW)


def transformers_parts(inputs, ids):
    """(inputs, positions, rotary layer, its function)."""
    t, module = torch(), modeling("qwen2_vl")
    rope = {"rope_type": "default", "rope_theta": HOW["theta"], "mrope_section": list(HOW["sections"])}
    config = SimpleNamespace(
        rope_parameters=rope,
        head_dim=WIDTH,
        hidden_size=WIDTH,
        num_attention_heads=1,
        max_position_embeddings=32768,
        standardize_rope_params=lambda: None,
    )
    given = [[t.from_numpy(x) for x in pair] for pair in inputs]
    return given, t.from_numpy(ids)[:, None], module.Qwen2VLRotaryEmbedding(config), module.apply_rotary_pos_emb


def transformers_eager(inputs, ids):
    given, places, rotary, apply = transformers_parts(inputs, ids)

    def call(i):
        queries, keys = given[i % SETS]
        return apply(queries, keys, *rotary(queries, places))

    return call


def transformers_compiled(inputs, ids):
    """The function that turns, compiled; cosines and sines as the layer makes them, in each call as the others."""
    given, places, rotary, apply = transformers_parts(inputs, ids)
    fused = torch().compile(apply, dynamic=False)

    def call(i):
        queries, keys = given[i % SETS]
        return fused(queries, keys, *rotary(queries, places))

    return call


TURNING = {
    "rotate, NumPy": rotate_arrays,
    "rotate, NumPy, out=": rotate_into,
    "rotate, torch tensors": rotate_tensors,
    "transformers, eager": transformers_eager,
    "transformers, torch.compile": transformers_compiled,
}


def turned(answer):
    """Queries and keys, turned, as one row of numbers."""
    return np.concatenate([np.asarray(each).ravel() for each in answer])
