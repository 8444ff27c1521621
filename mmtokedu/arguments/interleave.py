"""What the chapter on interleaving refuses: parts that are none, counts, spans, features that do not fit."""

import numpy as np

from mmtokedu.arguments.common import check_array, check_floats, positive, whole

MOST_TOKENS = 2**24  # of one sequence: 17 million, of which every list here takes 134 MB
LARGEST_ID = 2**31 - 1
DRAWN = 65_536  # tokens of which a mask is drawn, 4 GB


def check_ids(ids, name):
    """The ids as an int64 array (N,), or an error: a row of whole numbers from 0 up; N may be 0."""
    row = np.asarray(ids)
    if row.ndim != 1:
        raise ValueError(f"{name} have shape {row.shape}; expected (N,), one row of ids")
    if not row.size:
        return np.zeros(0, np.int64)
    if row.dtype.kind not in "iu":
        raise TypeError(f"{name} are {row.dtype}; expected whole numbers")
    if int(row.min()) < 0 or int(row.max()) > LARGEST_ID:
        wrong = row.min() if row.min() < 0 else row.max()
        raise ValueError(f"{name} hold {wrong}; expected 0 to {LARGEST_ID} (a medium is a part here, no id)")
    return row.astype(np.int64)


def check_row_of_parts(parts):
    """The parts as a list, or a TypeError where they are one string, one medium or nothing that has an order."""
    if isinstance(parts, (list, tuple)) and not hasattr(parts, "_fields"):
        return list(parts)
    raise TypeError(f"parts is {type(parts).__name__}; expected a list, as ['What is this? ', Image(480, 640)]")


def check_counts(values, name, least=1):
    """A row of counts as a tuple of ints, or an error: at least one, none under `least`."""
    if isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):
        values = (values,)
    if isinstance(values, np.ndarray):
        values = values.tolist()
    counts = tuple(whole(value, name) for value in values)
    if not counts:
        raise ValueError(f"{name} is empty; expected at least one count")
    if min(counts) < least:
        raise ValueError(f"{name} is {list(counts)}; each must be at least {least}")
    if sum(counts) > MOST_TOKENS:
        raise ValueError(f"{name} add up to {sum(counts)}; a sequence has at most {MOST_TOKENS} tokens")
    return counts


def check_grid(grid, length, name):
    """A grid of `length` sides as a tuple of ints, or an error; (0, 0) says that nothing is cut."""
    sides = check_counts(grid, name, least=0)
    if len(sides) not in length:
        raise ValueError(f"{name} is {list(sides)}; expected {' or '.join(map(str, length))} numbers")
    if 0 in sides and any(sides):
        raise ValueError(f"{name} is {list(sides)}; a side of 0 has no tokens")
    return sides


def check_lengths(lengths, name):
    """Lengths as int64 (n,), or an error: whole numbers, each at least 1; n may be 0."""
    row = np.asarray(lengths)
    if row.ndim != 1:
        raise ValueError(f"{name} have shape {row.shape}; expected (n,), one length a medium")
    if not row.size:
        return np.zeros(0, np.int64)
    if row.dtype.kind not in "iu":
        raise TypeError(f"{name} are {row.dtype}; expected whole numbers: no medium has 10.5 tokens")
    if row.min() < 1:
        at = int(row.argmin())
        raise ValueError(f"{name}[{at}] is {row[at]}; each must be at least 1 (leave out a medium that has no tokens)")
    if int(row.sum()) > MOST_TOKENS:
        raise ValueError(f"{name} add up to {int(row.sum())}; a sequence has at most {MOST_TOKENS} tokens")
    return row.astype(np.int64)


def check_spans(spans, tokens):
    """The spans as int64 (S, 2), or an error: in order, apart, within 0 to `tokens`."""
    rows = np.asarray(spans)
    if rows.size == 0:
        return np.zeros((0, 2), np.int64)
    if rows.ndim != 2 or rows.shape[1] != 2 or rows.dtype.kind not in "iu":
        raise ValueError(f"spans are {rows.dtype} {rows.shape}; expected (S, 2) whole numbers, [start, stop)")
    rows = rows.astype(np.int64)
    ends = rows.reshape(-1)
    if (ends[1::2] <= ends[::2]).any() or (ends[2::2] < ends[1:-1:2]).any() or ends[0] < 0 or ends[-1] > tokens:
        raise ValueError(f"spans {rows.tolist()[:8]} must lie in order, apart and within 0 to {tokens}, none empty")
    return rows


def check_total(tokens):
    """Raise ValueError where a sequence would be longer than any model's."""
    if tokens > MOST_TOKENS:
        raise ValueError(f"the parts have {tokens} tokens together; a sequence has at most {MOST_TOKENS}")


def check_limit(limit):
    """`limit` as an int from 0 up, or an error."""
    limit = whole(limit, "limit")
    if limit < 0:
        raise ValueError(f"limit is {limit}; expected a number of tokens from 0 up")
    return limit


def check_pieces(length, size, overlap):
    """(length, size, overlap) as ints, or an error unless the pieces move on."""
    length, overlap = whole(length, "length"), whole(overlap, "overlap")
    size = positive(size, "size")
    if length < 0 or not 0 <= overlap < size:
        raise ValueError(f"length {length}, size {size}, overlap {overlap}: expected length >= 0, 0 <= overlap < size")
    return length, size, overlap


def check_window(window):
    """`window` as an int of tokens, or None, or an error."""
    return None if window is None else positive(window, "window")


def check_drawn(tokens):
    """Raise ValueError where a mask of so many tokens is not drawn any more."""
    if tokens > DRAWN:
        raise ValueError(
            f"a mask of {tokens} tokens takes {tokens**2 / 1e9:.0f} GB; up to {DRAWN} are drawn (visible says the same "
            "in two numbers a token, and mask_mod hands it to FlexAttention)"
        )


def check_row_of_ids(ids):
    """Raise unless ids are a row (N,) of integers, of any sign. Arrays and tensors alike."""
    check_array(ids, "ids")
    kind = ids.dtype.kind if isinstance(ids, np.ndarray) else "f" if ids.dtype.is_floating_point else "i"
    if kind not in "iu" or len(ids.shape) != 1:
        raise TypeError(f"ids are {ids.dtype} {tuple(ids.shape)}; expected (N,) whole numbers")


def check_scatter(ids, table, spans, features):
    """Shapes of what `embed` puts together, or an error with all the numbers. Arrays and tensors alike."""
    check_floats(table, "table")
    check_floats(features, "features")
    if len(table.shape) != 2 or 0 in table.shape:
        raise ValueError(f"table has shape {tuple(table.shape)}; expected (K, D), a row for each id")
    if len(features.shape) != 2 or features.shape[1] != table.shape[1]:
        raise ValueError(
            f"features have shape {tuple(features.shape)}; expected (F, {table.shape[1]}), as wide as the table "
            "(did they go through the projector?)"
        )
    places = int((spans[:, 1] - spans[:, 0]).sum()) if len(spans) else 0
    if places != features.shape[0]:
        lengths = (spans[:, 1] - spans[:, 0]).tolist()
        raise ValueError(
            f"{features.shape[0]} features for {places} places: {len(lengths)} spans of {lengths[:8]} tokens "
            "(was the sequence truncated, or the image resized, after one of them was counted?)"
        )


def check_table_ids(low, high, rows):
    """Raise unless ids from `low` to `high` have a row of the table."""
    if low < 0 or high >= rows:
        wrong = low if low < 0 else high
        raise ValueError(f"id {wrong} has no row in a table of {rows} (ids of places inside spans are not looked up)")


def check_modality(x, modality, table):
    """Shapes of what `add_modality` adds, or an error. Arrays and tensors alike."""
    for value, name in ((x, "x"), (table, "table")):
        check_floats(value, name)
    check_array(modality, "modality")
    if len(table.shape) != 2 or table.shape[1] != x.shape[-1]:
        raise ValueError(f"table has shape {tuple(table.shape)}; expected (M, {x.shape[-1]}), a row for each modality")
    if tuple(modality.shape) != tuple(x.shape[:-1]):
        raise ValueError(f"modality has shape {tuple(modality.shape)}; expected {tuple(x.shape[:-1])}, one a token")
