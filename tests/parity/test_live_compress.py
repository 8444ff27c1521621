"""The same tokens through the real models' code: what is put side by side, to the bit, and what is pooled."""

import functools
import types

import numpy as np
import pytest
from peers import hf, needs

from mmtokedu.compress import pixel_shuffle, pool_tokens

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


SHUFFLES = {"internvl": internvl, "idefics3": idefics3, "smolvlm": smolvlm, "llama4": llama4, "lfm2-vl": lfm2_vl}
OBLONG = "internvl", "lfm2-vl"  # the others take the root of the number of tokens


@pytest.mark.parametrize("name", SHUFFLES)
@pytest.mark.parametrize("factor", [2, 4])
def test_tokens_side_by_side(rng, name, factor):
    for rows, columns in rng.integers(1, 9, (20, 2)) * factor:
        grid = (int(rows), int(columns if name in OBLONG else rows))
        tokens = rng.standard_normal((2, grid[0] * grid[1], 8)).astype(np.float32)
        theirs = needs(SHUFFLES[name], torch.from_numpy(tokens), grid, factor)
        np.testing.assert_array_equal(pixel_shuffle(tokens, grid, factor), theirs.numpy())


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


POOLS = {
    "perception-lm": (perception_lm, {"window": 2, "rule": "adaptive"}, range(2, 28)),
    "llava-onevision": (llava_onevision, {"window": 2, "rule": "bilinear"}, range(2, 28)),
    "gemma-4": (gemma4, {"window": 3}, range(3, 28, 3)),
}


@pytest.mark.parametrize("name", POOLS)
def test_pooled_tokens(rng, name):
    peer, how, sides = POOLS[name]
    for side in sides:
        tokens = rng.standard_normal((2, side * side, 8)).astype(np.float32)
        theirs = needs(functools.partial(peer, side=side), torch.from_numpy(tokens))
        pooled = pool_tokens(tokens, (side, side), **how)  # torch reads between places told in float32: 1e-6 off
        np.testing.assert_allclose(pooled, theirs.numpy(), rtol=0, atol=1e-5)
