"""Operations and caches of real classes of transformers, narrow or on the meta device, beside ours: equal to the last one."""

import dataclasses

import pytest
from peers import needs

pytestmark = pytest.mark.filterwarnings("ignore")  # the peers' own deprecations are not ours to fail on

torch = pytest.importorskip("torch")

import peers_budget as peer

from mmtokedu.budget import Layers, ModelRow, cache_parts, kv_cache_bytes, prefill_parts, weight_bytes
from mmtokedu.catalog import models


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", peer.SMALL)
def test_caches(name, dtype):
    """Prompts shorter than a window, as long, longer; then a few tokens more."""
    for prompt, decoded in ((1, 0), (6, 1), (8, 0), (20, 3)):
        config, theirs = needs(peer.cache_after, name, prompt, decoded, dtype)
        ours = cache_parts(peer.row_of(config), prompt + decoded, bytes_per=dtype.itemsize)
        assert [part.bytes for part in ours] == theirs, (name, prompt, decoded)
        assert sum(theirs) == kv_cache_bytes(peer.row_of(config), prompt + decoded, bytes_per=dtype.itemsize)


def test_the_caches_are_of_every_kind():
    config, _ = zip(*(needs(peer.small, name) for name in peer.SMALL), strict=True)
    groups = [group for each in config for group in peer.row_of(each).layers]
    assert {group.kind for group in groups} == {"full", "sliding", "chunked", "linear", "latent"}  # cross: below
    assert any(group.borrows for group in groups) and any(group.one_projection for group in groups)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("text", "patches"), [(3, 10), (20, 7), (1, 1)])
def test_a_cache_of_what_is_looked_at_from_the_side(text, patches, dtype):
    config, theirs = needs(peer.crossed_cache, text, patches, dtype)
    ours = cache_parts(peer.row_of(config), text, patches, bytes_per=dtype.itemsize)
    assert [part.bytes for part in ours] == theirs


@pytest.mark.parametrize("name", peer.CLASSES)
def test_operations_at_real_widths(name):
    """Two layers of each class at the catalog's widths, where products are counted and not made."""
    row = models.row(name)
    group = dataclasses.replace(row.layers[0], count=2)
    theirs = needs(peer.on_meta, name, row, 2, 2047)
    parts = prefill_parts(ModelRow("two", "two", row.width, row.vocabulary, (group,)), 2047, scored=0)
    assert parts.total == theirs, (name, parts)


COUNTED = [name for name in peer.SMALL if not name.startswith("linear")]


@pytest.mark.parametrize("name", COUNTED)
def test_operations_of_small_models(name):
    """Whole models with their head: windows, shared layers, mixtures, latent vectors. The counter sees no mask."""
    config, model = needs(peer.small, name)
    for tokens in (1, 20):
        ids = torch.ones(1, tokens, dtype=torch.long)
        theirs = peer.counted(lambda ids=ids, model=model: model(ids, use_cache=False))
        parts = prefill_parts(peer.row_of(config), tokens, scored=tokens)
        assert parts.total == theirs, (name, tokens, parts)


@pytest.mark.parametrize("name", peer.SMALL)
def test_matrices_of_small_models(name):
    """Their numbers, one by one: also of linear layers, whose products the counter sees in chunks."""
    config, model = needs(peer.small, name)
    row = peer.row_of(config)
    ours = sum(group.count * matrix.stored for group in row.layers for matrix in group.matrices(row.width))
    assert ours == peer.stored_numbers(model)
    assert weight_bytes(row, bytes_per=1, head=False) == ours


@pytest.mark.parametrize("name", peer.TOWERS)
def test_operations_of_towers(name):
    make, grid = peer.TOWERS[name]
    tower, run = needs(make, grid)
    theirs = peer.counted(run)
    row = ModelRow("t", "t", 8, 8, (Layers(count=1, heads=1, kv_heads=1, head=8),), vision=tower)
    assert prefill_parts(row, 0, patches=grid, scored=0).total == theirs
