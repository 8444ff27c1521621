"""Quantizers trained by one process or by several: `python two_processes.py RANK WORLD FOLDER` is one of them.

Every scenario gives each process its part of the same batches and returns the state that is left. With a world of one
it is what the several are compared with. Draws are the first number of each vector, so that who draws does not matter.
"""

import sys
from pathlib import Path

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from mmtokedu.nn import vq as layers
from mmtokedu.nn.codec import ResidualQuantizer
from mmtokedu.nn.vq import PatchAutoencoder, SimVQ, UnitQuantizer, VectorQuantizer

STEPS, ROWS, D = 6, 64, 4


def batches(rank, world, shares=None):
    """STEPS batches of ROWS vectors, each process's part of them: equal ones, or by `shares` of the rows."""
    made = torch.Generator().manual_seed(1)
    for _ in range(STEPS):
        batch = torch.randn(ROWS, D, generator=made)
        ends = [0, *(shares or [ROWS * (r + 1) // world for r in range(world)])]
        yield batch[ends[rank] : ends[rank + 1]] if world > 1 else batch


def averages(layer, rank, world, **how):
    for batch in batches(rank, world, **how):
        layer(batch)
    return layer


def averages_alone_are_moved(rank, world):
    return averages(VectorQuantizer(16, D, decay=0.8), rank, world)


def dead_codes_restart(rank, world):
    return averages(VectorQuantizer(48, D, decay=0.5, restart_below=0.5), rank, world)


def one_process_has_no_vectors(rank, world):
    return averages(VectorQuantizer(48, D, decay=0.5, restart_below=0.5), rank, world, shares=[ROWS, ROWS])


def more_dead_codes_than_vectors(rank, world):
    return averages(VectorQuantizer(200, D, decay=0.5, restart_below=0.9), rank, world, shares=[ROWS - 3, ROWS])


def units(rank, world):
    return averages(UnitQuantizer(48, D, decay=0.5, restart_below=0.5), rank, world)


def k_means(rank, world):
    layer = VectorQuantizer(16, D)
    layer.start_from(next(batches(rank, world, shares=[5, ROWS])))
    return layer


def half_precision(rank, world):
    layer = VectorQuantizer(48, D, decay=0.5, restart_below=0.5).bfloat16()
    for batch in batches(rank, world):
        layer(batch.bfloat16())
    return layer


def residual_stages(rank, world):
    layer = ResidualQuantizer(3, 16, D, dropout=0.0, decay=0.5)
    for batch in batches(rank, world):
        layer(batch.unflatten(0, (-1, 4)))
    return layer


def residual_stages_with_dropout(rank, world):
    """Of every 16 items 12 keep one stage and 4 keep two: only the first process has any for the second stage."""
    layer = ResidualQuantizer(3, 16, D, dropout=1.0, decay=0.5)
    kept = torch.tensor([2] * 4 + [1] * 12)
    layer._draw = lambda items: kept[rank * items :][:items]
    for batch in batches(rank, world):
        layer(batch.unflatten(0, (-1, 4)))
    return layer


def residual_k_means(rank, world):
    layer = ResidualQuantizer(3, 16, D)
    layer.start_from(next(batches(rank, world)))
    return layer


def by_gradient(quantizer, rank, world):
    model = PatchAutoencoder(D, D, quantizer, hidden=8)
    trained = DistributedDataParallel(model) if world > 1 else model
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for batch in batches(rank, world):
        rebuilt, _, loss = trained(batch)
        ((rebuilt - batch).square().mean() + loss).backward()
        optimizer.step()
        optimizer.zero_grad()
    return model


def gradient(rank, world):
    return by_gradient(VectorQuantizer(48, D, learn="gradient", decay=0.5, restart_below=0.5), rank, world)


def averages_in_a_model(rank, world):
    return by_gradient(VectorQuantizer(48, D, decay=0.5, restart_below=0.5), rank, world)


def simvq(rank, world):
    return by_gradient(SimVQ(16, D), rank, world)


SCENARIOS = [
    averages_alone_are_moved,
    dead_codes_restart,
    one_process_has_no_vectors,
    more_dead_codes_than_vectors,
    units,
    k_means,
    half_precision,
    residual_stages,
    residual_stages_with_dropout,
    residual_k_means,
    gradient,
    averages_in_a_model,
    simvq,
]


def played(scenario, rank, world):
    """The state that a scenario leaves. Draws by content are set here, for this call alone."""
    usual = layers._draws
    layers._draws = lambda vectors: vectors[:, 0]
    torch.manual_seed(0)
    try:
        return scenario(rank, world).state_dict()
    finally:
        layers._draws = usual


def own_draws(rank, world):
    """Processes whose random numbers differ, as they do in practice: codes restart and k-means begins."""
    torch.manual_seed(0)
    layer, stages = VectorQuantizer(48, D, decay=0.5, restart_below=0.5), ResidualQuantizer(3, 16, D)
    torch.manual_seed(100 + rank)
    layer.start_from(next(batches(rank, world)))
    for batch in batches(rank, world):
        layer(batch)
        stages(batch.unflatten(0, (-1, 4)))
    return {**layer.state_dict(), **stages.state_dict()}


def main(rank, world, folder):
    store = distributed.FileStore(str(folder / "store"), world)
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=world)
    found = {scenario.__name__: played(scenario, rank, world) for scenario in SCENARIOS}
    found["own_draws"] = own_draws(rank, world)
    torch.save(found, folder / f"{rank}.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
