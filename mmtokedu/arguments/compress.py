"""What the chapter on compression refuses: counts, scores, sizes and grids that fit no tokens."""

import itertools
import math

import numpy as np

from mmtokedu._dispatch import is_tensor
from mmtokedu.arguments.common import check_array, check_floats, check_number, positive, whole


def _kind(x):
    """What an array or a tensor holds: "f" floats, "i" whole numbers, "b" truth values, "c" complex numbers."""
    if isinstance(x, np.ndarray):
        return {"u": "i"}.get(x.dtype.kind, x.dtype.kind)
    name = str(x.dtype)
    return "f" if x.dtype.is_floating_point else "b" if name == "torch.bool" else "c" if "complex" in name else "i"


def _on_card(x):
    """Whether reading a number of x would make the graphics card and the program wait for each other."""
    return is_tensor(x) and x.is_cuda


def check_tokens(tokens, name="tokens"):
    """Raise unless tokens are floats (..., N, D), D at least 1; N may be 0."""
    check_floats(tokens, name)
    if len(tokens.shape) < 2 or not tokens.shape[-1]:
        raise ValueError(f"{name} have shape {tuple(tokens.shape)}; expected (..., N, D), D at least 1")


def check_keep(keep, tokens):
    """`keep` as an int from 1 to `tokens`, or an error."""
    if isinstance(keep, (float, bool, np.bool_)):
        raise TypeError(f"keep is {keep}; expected a count of tokens (of a share: round({tokens} * share))")
    keep = whole(keep, "keep")
    if not 1 <= keep <= tokens:
        raise ValueError(f"keep is {keep}; expected 1 to {tokens}, as many as there are tokens")
    return keep


def check_scores(scores, tokens):
    """Raise unless there is one real score a token, none NaN; tokens (..., N, D), scores (..., N)."""
    check_array(tokens, "tokens")
    check_array(scores, "scores")
    if len(tokens.shape) < 2:
        raise ValueError(f"tokens have shape {tuple(tokens.shape)}; expected (..., N, D)")
    if tuple(scores.shape) != tuple(tokens.shape[:-1]):
        raise ValueError(
            f"scores have shape {tuple(scores.shape)}; tokens {tuple(tokens.shape)} need one each: "
            f"{tuple(tokens.shape[:-1])}"
        )
    if _kind(scores) not in "fi":
        raise TypeError(f"scores are {scores.dtype}; expected real numbers")
    wrong = scores != scores
    if bool(wrong.any()):
        raise ValueError(
            f"{int(wrong.sum())} of {wrong.size if isinstance(wrong, np.ndarray) else wrong.numel()} scores are NaN; "
            "they have no order (0/0 in a norm, or a row of attention that sees nothing?)"
        )


def check_index(index, tokens):
    """How many tokens (..., N, D) the index (..., keep) names, ascending, each once; or an error."""
    check_array(index, "index")
    N, shape = tokens.shape[-2], tuple(index.shape)
    if shape[:-1] != tuple(tokens.shape[:-2]) or not shape or not 1 <= shape[-1] <= N:
        raise ValueError(
            f"index has shape {shape}; tokens {tuple(tokens.shape)} need {(*tokens.shape[:-2], 'keep')}, keep 1 to {N}"
        )
    if _kind(index) != "i":
        raise TypeError(f"index is {index.dtype}; expected whole numbers")
    if _on_card(index) or not math.prod(shape):
        return shape[-1]
    if not 0 <= int(index.min()) <= int(index.max()) < N:
        raise ValueError(f"index names tokens {int(index.min())} to {int(index.max())}; there are 0 to {N - 1}")
    if not bool((index[..., 1:] > index[..., :-1]).all()):
        raise ValueError("index is not ascending; sort it, as prune does, and name no token twice")
    return shape[-1]


def check_attention(attention, name="attention"):
    """Raise unless attention is floats (..., heads, queries, keys), at least one of each."""
    if attention is None:
        raise TypeError(
            f"{name} is None: FlashAttention and scaled_dot_product_attention return no weights. Work those of one "
            "layer out again, softmax(queries @ keys / sqrt(d)), or load the model with attn_implementation='eager'"
        )
    check_floats(attention, name)
    if len(attention.shape) < 3 or 0 in attention.shape[-3:]:
        raise ValueError(f"{name} has shape {tuple(attention.shape)}; expected (..., heads, queries, keys)")


def check_span(span, keys):
    """(start, stop) of the visual tokens among the keys as ints, or an error; None is all of them."""
    if span is None:
        return 0, keys
    if len(span) != 2:
        raise ValueError(f"span is {list(span)}; expected (start, stop)")
    start, stop = whole(span[0], "span"), whole(span[1], "span")
    if not 0 <= start < stop <= keys:
        raise ValueError(f"span is [{start}, {stop}); expected one within {keys} keys, not empty")
    return start, stop


def check_at(at, tokens):
    """The place of the [CLS] token as an int from 0 to tokens - 1, or an error where there is none besides it."""
    at = whole(at, "at")
    if tokens < 2 or not 0 <= at < tokens:
        raise ValueError(f"at is {at}; expected the place of [CLS] among at least 2 tokens, here there are {tokens}")
    return at


# Merging


def check_r(r, tokens, class_token):
    """`r` as an int from 0 to half the tokens, or an error: what does not merge is a partner of what does."""
    if isinstance(r, (float, bool, np.bool_)):
        raise TypeError(f"r is {r}; expected a count of tokens to merge away")
    r, free = whole(r, "r"), tokens - bool(class_token)
    most = max(0, free // 2)
    if not 0 <= r <= most:
        ours = f"{tokens} tokens" + (", the first of which stays," if class_token else "")
        raise ValueError(
            f"r is {r}; of {ours} at most {most} can merge in one round, each into a neighbour that stays "
            "(several rounds with a smaller r merge more, and more alike)"
        )
    return r


def check_merge(tokens, metric, size, source):
    """Raise unless metric, size and source fit the tokens (..., N, D); each may be None."""
    check_tokens(tokens)
    places = tuple(tokens.shape[:-1])
    if metric is not None:
        check_tokens(metric, "metric")
        if tuple(metric.shape[:-1]) != places:
            raise ValueError(
                f"metric has shape {tuple(metric.shape)}; tokens {tuple(tokens.shape)} need {places} vectors "
                "(of a layer's keys: their mean over the heads)"
            )
    if size is not None:
        check_size(size, places)
    if source is not None:
        if size is None:
            raise ValueError("source is given without size; pass both of the round before, merged.size, merged.source")
        check_source(source, size)


def check_order(order, orders):
    """Raise ValueError unless the order is one of those there are."""
    if order not in orders:
        raise ValueError(f"order is {order!r}; choose one of {', '.join(orders)}")


def check_size(size, places=None):
    """Raise unless sizes are whole numbers from 1 up, one a token; `places` is their shape."""
    check_array(size, "size")
    if _kind(size) != "i":
        raise TypeError(f"size is {size.dtype}; expected whole numbers: how many tokens each stands for")
    if places is not None and tuple(size.shape) != places:
        raise ValueError(f"size has shape {tuple(size.shape)}; expected {places}, one a token")
    if not _on_card(size) and 0 not in size.shape and int(size.min()) < 1:
        raise ValueError(f"size holds {int(size.min())}; every token stands for at least one, itself")


def check_source(source, size):
    """Raise unless source (..., N before) names tokens that there are, and the sizes count it: (..., N now)."""
    check_array(source, "source")
    if _kind(source) != "i":
        raise TypeError(f"source is {source.dtype}; expected whole numbers: the token in which each is now")
    if not source.shape or tuple(source.shape[:-1]) != tuple(size.shape[:-1]):
        raise ValueError(f"source has shape {tuple(source.shape)}; size {tuple(size.shape)} needs {_before(size)}")
    if _on_card(source) or 0 in source.shape[:-1]:
        return
    tokens, before, sums = size.shape[-1], source.shape[-1], size.sum(-1).reshape(-1)
    wrong = sums != before
    if bool(wrong.any()):
        raise ValueError(
            f"sizes add up to {int(sums[wrong][0])}, and source names the place of {before} tokens; each token "
            "counts once (after a second round pass source as well as size: it then speaks of the first tokens)"
        )
    if before and not 0 <= int(source.min()) <= int(source.max()) < tokens:
        low, high = int(source.min()), int(source.max())
        raise ValueError(f"source holds {low if low < 0 else high}; expected 0 to {tokens - 1}")


def _before(size):
    return f"({', '.join(map(str, (*size.shape[:-1], 'tokens before')))})"


# Grids


def check_grid(grid, least=2):
    """The grid as a tuple of ints, (rows, columns), or (frames, rows, columns) where `least` is 3 or it has three."""
    sides = tuple(positive(side, "a side of the grid") for side in grid)
    if len(sides) not in range(least, 4):
        raise ValueError(f"grid is {sides}; expected (rows, columns){' or (frames, rows, columns)' * (least == 2)}")
    return sides


def check_blocks(grid, factor):
    """(frames, rows, columns, factor) as ints, or an error unless the factor divides rows and columns."""
    *frames, rows, columns = check_grid(grid)
    factor = positive(factor, "factor")
    if rows % factor or columns % factor:
        up = [side + -side % factor for side in (rows, columns)]
        raise ValueError(
            f"grid is {rows}x{columns}; blocks of {factor}x{factor} need sides that {factor} divides "
            f"(pad to {up[0]}x{up[1]}, or resize the image to whole blocks)"
        )
    return frames[0] if frames else 1, rows, columns, factor


def check_fill(tokens, count, grid):
    """Raise unless the tokens (..., N, D) are `count`, as many as their grid has places."""
    check_floats(tokens, "tokens")
    if len(tokens.shape) < 2 or tokens.shape[-2] != count:
        raise ValueError(
            f"tokens have shape {tuple(tokens.shape)}; grid {'x'.join(map(str, grid))} has {count} places: "
            f"(..., {count}, D) (is a [CLS] token among them?)"
        )


def check_window(window):
    """The window as (rows, columns), ints of at least 1; one number is both."""
    sides = window if isinstance(window, (tuple, list)) else (window, window)
    if len(sides) != 2:
        raise ValueError(f"window is {tuple(sides)}; expected one number, or (rows, columns)")
    return tuple(positive(side, "window") for side in sides)


def check_pool(places, window, rule, rules):
    """Raise unless the rule is one of `rules` and windows fill the places as it wants them."""
    if rule not in rules:
        raise ValueError(f"rule is {rule!r}; choose one of {', '.join(rules)}")
    if window > places:
        raise ValueError(f"window is {window} and a side has {places} places; nothing would be left whole")
    if rule == "average" and places % window:
        raise ValueError(
            f"a side has {places} places, and windows of {window} leave {places % window} over "
            '(rule="adaptive" makes windows of uneven sizes, "bilinear" reads between places)'
        )


def check_positions(positions, grid):
    """Which token is at each place, read row by row, int64 (N,); or an error unless every place has one."""
    places = np.asarray(positions)
    rows, columns = grid
    if places.shape != (rows * columns, 2) or places.dtype.kind not in "iu":
        raise ValueError(
            f"positions are {places.dtype} {places.shape}; expected whole numbers ({rows * columns}, 2), (row, column)"
        )
    inside = ((places >= 0) & (places < (rows, columns))).all()
    place = places[:, 0].astype(np.int64) * columns + places[:, 1]
    if not inside or len(np.unique(place)) < len(place):
        raise ValueError(f"positions must name every place of a grid of {rows}x{columns} once (is padding among them?)")
    return np.argsort(place)


# Stages


def check_stages(at, layers):
    """The layers before which tokens are dropped as a tuple of ints, or an error: ascending, within the model."""
    stages = tuple(whole(layer, "at") for layer in at)
    if any(not 0 <= layer < layers for layer in stages) or any(a >= b for a, b in itertools.pairwise(stages)):
        raise ValueError(f"at is {list(stages)}; expected ascending layers from 0 to {layers - 1}")
    return stages


def check_ratio(ratio):
    """The share that a stage keeps as a float above 0, at most 1, or an error."""
    ratio = check_number(ratio, "ratio", "tokens kept for each before")
    if ratio > 1:
        raise ValueError(f"ratio is {ratio:g}; a stage keeps at most all its tokens: above 0, at most 1")
    return ratio


# Adapters


def check_starts(starts, queries):
    """Raise unless starts are weights (queries, N): none negative, each row with a sum of 1."""
    if len(starts.shape) != 2 or starts.shape[0] != queries or not starts.shape[1]:
        raise ValueError(f"starts have shape {tuple(starts.shape)}; expected ({queries}, N), a row a query")
    if not bool((starts >= 0).all() & ((starts.sum(-1) - 1).abs() < 1e-4).all()):  # NaN is neither
        raise ValueError("starts must be weights: none negative, and a sum of 1 in every row (pool_weights makes some)")


def check_as_many(tokens, places):
    """Raise unless as many tokens come as starts speak of."""
    if tokens != places:
        raise ValueError(f"{tokens} tokens came, and starts speak of {places}; with starts their number is fixed")


def check_heads(width, heads):
    """`heads` as an int that divides the width, or an error."""
    heads = positive(heads, "heads")
    if width % heads:
        raise ValueError(f"width is {width}; {heads} heads cannot share it evenly (say {width + -width % heads})")
    return heads
