"""Torch twins of `mmtokedu.interleave`; the docstrings are there."""

import torch

from mmtokedu.arguments.interleave import (
    check_modality,
    check_row_of_ids,
    check_scatter,
    check_spans,
    check_table_ids,
)
from mmtokedu.cuda.vq import _check_device
from mmtokedu.interleave import _inside


def embed(ids, table, spans, features):
    """See `mmtokedu.interleave.embed`. Gradients go to the table and to the features."""
    check_row_of_ids(ids)
    spans = check_spans(spans.numpy(force=True) if isinstance(spans, torch.Tensor) else spans, len(ids))
    check_scatter(ids, table, spans, features)
    _check_device(ids=ids, table=table, features=features)
    inside = torch.from_numpy(_inside(spans, len(ids))).to(ids.device)
    outside = ids[~inside]
    if len(outside):
        check_table_ids(int(outside.min()), int(outside.max()), len(table))
    x = table[torch.where(inside, 0, ids)]
    return x.index_copy(0, inside.nonzero()[:, 0], features.to(x.dtype))


def add_modality(x, modality, table):
    """See `mmtokedu.interleave.add_modality`. Gradients go to both."""
    check_modality(x, modality, table)
    _check_device(x=x, modality=modality, table=table)
    if modality.numel():
        check_table_ids(int(modality.min()), int(modality.max()), len(table))
    return x + table[modality]
