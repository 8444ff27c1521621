"""The same tokens through the real models' code: what is put side by side, to the bit, and what is pooled.

Grids that no block fills are among them: what both refuse is counted too.
"""

import types

import numpy as np
import pytest
from peers import ask, hf, needs

from mmtokedu.compress import pixel_shuffle, pool_tokens, shuffle_map, temporal_pairs
from mmtokedu.patches import patchify

pytestmark = pytest.mark.filterwarnings("ignore")  # the peers' own deprecations are not ours to fail on

torch = pytest.importorskip("torch")


def internvl(x, grid, factor):
    """(batch, rows, columns, D) goes in, which its code calls width and height."""
    model = hf("internvl.modeling_internvl").InternVLModel
    return model.pixel_shuffle(None, x.unflatten(1, grid), 1 / factor).flatten(1, 2)


def idefics3(x, grid, factor):
    return hf("idefics3.modeling_idefics3").Idefics3Connector.pixel_shuffle(None, x, factor)


def smolvlm(x, grid, factor):
    return hf("smolvlm.modeling_smolvlm").SmolVLMConnector.pixel_shuffle(None, x, factor)


def llama4(x, grid, factor):
    return hf("llama4.modeling_llama4").pixel_shuffle(x, 1 / factor)


def lfm2_vl(x, grid, factor):
    projector = hf("lfm2_vl.modeling_lfm2_vl").Lfm2VlMultiModalProjector
    return projector.pixel_unshuffle(types.SimpleNamespace(factor=factor), x.unflatten(1, grid)).flatten(1, 2)


SHUFFLES = {"internvl": internvl, "idefics3": idefics3, "smolvlm": smolvlm, "llama-4": llama4, "lfm2-vl": lfm2_vl}
OBLONG = "internvl", "lfm2-vl"  # the others take the root of the number of tokens


def held_to(counted, capsys, kind, name, ours, theirs, inputs):
    """Ask both about every input; both may refuse it. Print and keep three counts, fail on a disagreement."""
    agreed, refused, disagreed = 0, 0, []
    for given in inputs:
        answer, said = ask(theirs, *given)
        try:
            mine = ours(*given)
        except ValueError as error:
            mine, said = None, f"ours: {error}; peer's: {said}"
        if mine is None and answer is None:
            refused += 1
        elif mine is not None and answer is not None and np.shape(mine) == np.shape(answer):
            np.testing.assert_allclose(mine, answer, rtol=0, atol=1e-5)
            agreed += 1
        else:
            disagreed.append((given[1:], np.shape(mine), np.shape(answer), said))
    with capsys.disabled():
        print(f"\n  {kind}, {name:30} {agreed:5} agreed {refused:5} both refused {len(disagreed):5} disagreed", end="")
    assert not disagreed, disagreed[:4]
    assert agreed > 12
    counted(kind, name, agreed, refused, 0)


def drawn(rng, rows, columns):
    return rng.standard_normal((2, rows * columns, 8)).astype(np.float32)


@pytest.mark.parametrize("name", SHUFFLES)
def test_tokens_side_by_side(rng, counted, capsys, name):
    def theirs(tokens, grid, factor):
        return SHUFFLES[name](torch.from_numpy(tokens), grid, factor).numpy()

    needs(SHUFFLES[name], torch.zeros(1, 16, 8), (4, 4), 2)
    sides = range(1, 13) if name in OBLONG else range(1, 25)
    grids = [(r, c) for r in sides for c in (sides if name in OBLONG else (r,))]
    inputs = [(drawn(rng, *grid), grid, factor) for grid in grids for factor in (2, 4)]
    held_to(counted, capsys, "side by side", name, pixel_shuffle, theirs, inputs)


def perception_lm(x, side):
    return hf("perception_lm.modeling_perception_lm").PerceptionLMAdaptiveAvgPooling(2)(x)


def llava_onevision(x, side):
    model = hf("llava_onevision.modeling_llava_onevision").LlavaOnevisionModel
    vision = types.SimpleNamespace(image_size=side, patch_size=1)
    this = types.SimpleNamespace(config=types.SimpleNamespace(vision_config=vision))
    return model.apply_pooling(this, x)


def gemma4(x, side):
    """Its patches have positions (x, y), x the faster one."""
    pooler = hf("gemma4.modeling_gemma4").Gemma4VisionPooler
    places = torch.arange(side * side)
    positions = torch.stack([places % side, places // side], dim=1).expand(len(x), -1, -1)
    return pooler._avg_pool_by_positions(None, x, positions, (side // 3) ** 2)[0]


def gemma3(x, side):
    """Its projector with a norm that does nothing and a matrix of ones on the diagonal."""
    this = types.SimpleNamespace(patches_per_image=side, avg_pool=torch.nn.AvgPool2d(4, 4))
    this.mm_soft_emb_norm, this.mm_input_projection_weight = torch.nn.Identity(), torch.eye(x.shape[-1])
    return hf("gemma3.modeling_gemma3").Gemma3MultiModalProjector.forward(this, x)


POOLS = {
    "perception-lm": (perception_lm, {"window": 2, "rule": "adaptive"}, range(2, 28)),
    "llava-onevision": (llava_onevision, {"window": 2, "rule": "bilinear"}, range(2, 28)),
    "gemma-4": (gemma4, {"window": 3}, range(3, 48, 3)),
    "gemma-3": (gemma3, {"window": 4}, range(4, 65, 4)),
}


@pytest.mark.parametrize("name", POOLS)
def test_pooled_tokens(rng, counted, capsys, name):
    """torch reads between places told in float32: 1e-6 off."""
    peer, how, sides = POOLS[name]

    def theirs(tokens, side):
        return peer(torch.from_numpy(tokens), side).numpy()

    def ours(tokens, side):
        return pool_tokens(tokens, (side, side), **how)

    needs(peer, torch.zeros(1, 144, 8), 12)
    held_to(counted, capsys, "pooled", name, ours, theirs, [(drawn(rng, side, side), side) for side in sides])


# Films, and Qwen's processor

FRAMES, SIDES = range(1, 7), (1, 2, 3, 4)


def test_two_frames_side_by_side(rng, counted, capsys):
    """ERNIE's frames after its merge, each of rows * columns tokens."""
    model = needs(hf, "ernie4_5_vl_moe.modeling_ernie4_5_vl_moe").Ernie4_5_VLMoeVariableResolutionResamplerModel
    this = types.SimpleNamespace(spatial_merge_size=2)

    def theirs(tokens, frames, rows, columns):
        grid = torch.tensor([[frames, 2 * rows, 2 * columns]])
        return model._temporal_slicing(this, torch.from_numpy(tokens), grid).numpy()

    def ours(tokens, frames, rows, columns):
        return tokens[temporal_pairs(frames, rows * columns)].reshape(-1, 16)

    grids = [(frames, rows, columns) for frames in FRAMES for rows in SIDES for columns in SIDES]
    inputs = [(drawn(rng, frames * rows, columns)[0], frames, rows, columns) for frames, rows, columns in grids]
    held_to(counted, capsys, "side by side", "ernie-4.5-vl", ours, theirs, inputs)


def test_frames_averaged_then_blocks(rng, counted, capsys):
    index = needs(hf, "kimi_k25.modeling_kimi_k25").get_vision_temporal_merge_index

    def theirs(tokens, frames, rows, columns):
        return torch.from_numpy(tokens)[index(torch.tensor([[frames, rows, columns]]), 2, 2)].mean(1).numpy()

    def ours(tokens, frames, rows, columns):
        return tokens.reshape(frames, -1, 8).mean(0)[shuffle_map((rows, columns), 2)]

    grids = [(frames, rows, columns) for frames in range(1, 5) for rows in range(1, 7) for columns in range(1, 7)]
    inputs = [(drawn(rng, frames * rows, columns)[0], frames, rows, columns) for frames, rows, columns in grids]
    held_to(counted, capsys, "side by side", "kimi-k2.5", ours, theirs, inputs)


def test_qwens_processor_lays_out_blocks(rng, counted, capsys):
    """Pixels of patches four by four, at scales that leave them as they are; its merger reshapes what it is given."""
    module = needs(hf, "qwen2_vl.image_processing_pil_qwen2_vl")
    size = {"shortest_edge": 64, "longest_edge": 10**6}
    peer = module.Qwen2VLImageProcessorPil(
        patch_size=4, temporal_patch_size=1, do_rescale=False, do_normalize=False, size=size
    )

    def theirs(picture, grid):
        return np.asarray(peer(picture)["pixel_values"]).reshape(-1, 4 * 48)

    def ours(picture, grid):
        cells = patchify(picture[None], 4)[0].reshape(-1, 4, 4, 3)  # pixels of a patch come channel by channel there
        return pixel_shuffle(cells.transpose(0, 3, 1, 2).reshape(-1, 48).astype(np.float32), grid, 2)

    grids = [(rows, columns) for rows in range(2, 13, 2) for columns in range(2, 13, 2)]
    inputs = [(rng.integers(0, 256, (4 * r, 4 * c, 3), dtype=np.uint8), (r, c)) for r, c in grids]
    held_to(counted, capsys, "side by side", "qwen2-vl", ours, theirs, inputs)
