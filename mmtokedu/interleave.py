"""One sequence from text, pictures, sounds and clips: placeholders, markers, features in their rows, masks, labels."""

import re
from typing import NamedTuple

import numpy as np

from mmtokedu._dispatch import has_cuda_twin
from mmtokedu.arguments.common import check_seconds, check_size
from mmtokedu.arguments.interleave import (
    check_drawn,
    check_ids,
    check_lengths,
    check_limit,
    check_modality,
    check_pieces,
    check_row_of_ids,
    check_row_of_parts,
    check_scatter,
    check_spans,
    check_table_ids,
    check_total,
    check_window,
)
from mmtokedu.arguments.video import check_indices, check_rate
from mmtokedu.catalog import styles
from mmtokedu.video import timestamp_labels

TEXT, IMAGE, VIDEO, AUDIO = range(4)  # as transformers numbers them (mm_token_type_ids)
NOT_LEARNED = -100  # the label that losses leave out
KINDS = {"image": IMAGE, "video": VIDEO, "audio": AUDIO}


# A placeholder becomes a run


def expand(ids, placeholder, lengths):
    """Repeat each placeholder as often as its medium has tokens: (ids (N,), spans (S, 2)), int64.

    ids (n,) hold `placeholder` once for each medium, lengths (S,) say how many tokens each has; spans are
    [start, stop) in the new ids.

    Raises ValueError where there are more placeholders than lengths, or fewer: which says at how many places they
    stand, and whether they look as if the ids had been expanded before.
    Source: what the processors of transformers 5.23.0 do to the text (`processing_utils.py`), done to ids.

    >>> ids, spans = expand([7, 99, 8, 99], 99, [2, 3])
    >>> ids.tolist(), spans.tolist()
    ([7, 99, 99, 8, 99, 99, 99], [[1, 3], [4, 7]])
    """
    ids, lengths = check_ids(ids, "ids"), check_lengths(lengths, "lengths")
    places = np.flatnonzero(ids == placeholder)
    if len(places) != len(lengths):
        raise ValueError(_count_message(placeholder, places, len(lengths)))
    counts = np.ones(len(ids), np.int64)
    counts[places] = lengths
    starts = (np.cumsum(counts) - counts)[places]
    return np.repeat(ids, counts), np.stack([starts, starts + lengths], axis=1)


def _count_message(placeholder, places, media):
    beside = int((np.diff(places) == 1).sum())
    hint = "give one length for each placeholder, in their order"
    if len(places) > max(media, 1) and beside >= (len(places) - 1) // 2:
        hint = f"{beside} of them stand side by side: were these ids expanded before? find_spans reads such ids"
    shown = ", ".join(map(str, places[:5].tolist())) + (", …" if len(places) > 5 else "")
    return f"{len(places)} placeholders {placeholder} (at {shown or 'no place'}) for {media} lengths; {hint}"


def find_spans(ids, placeholder, lengths):
    """Where the media stand in ids that are expanded already: spans (S, 2) int64.

    ids (N,), placeholder the repeated id, lengths (S,) of the media in their order. Two media with nothing between them
    are one run, and only the lengths can part them.

    Raises ValueError where the runs are longer or shorter than the lengths say, or a medium would go on behind a run.
    Source: ours; what goes wrong otherwise: PrimeIntellect-ai/prime-rl pull request 2819.

    >>> find_spans([7, 99, 99, 99, 99, 99, 8], 99, [2, 3]).tolist()
    [[1, 3], [3, 6]]
    """
    ids, lengths = check_ids(ids, "ids"), check_lengths(lengths, "lengths")
    places = np.flatnonzero(ids == placeholder)
    if len(places) != lengths.sum():
        raise ValueError(
            f"{len(places)} tokens {placeholder} for {len(lengths)} media of {lengths[:8].tolist()}, {lengths.sum()} "
            "in all (truncated ids, or grids of other images?)"
        )
    ends = np.cumsum(lengths)
    spans = np.stack([places[ends - lengths], places[ends - 1] + 1], axis=1)
    broken = np.flatnonzero(spans[:, 1] - spans[:, 0] != lengths)
    if len(broken):
        s = int(broken[0])
        raise ValueError(f"medium {s} has {lengths[s]} tokens, and a run of {placeholder} ends inside it: {spans[s]}")
    return spans


# Parts


class Text(NamedTuple):
    """Words: a string, or ids. With learn, a model is trained to say them; trusted is the template's own text, in
    which the marks of turns are marks: in a user's text they are characters."""

    content: object
    learn: bool = False
    trusted: bool = False


class Image(NamedTuple):
    """A picture of height x width pixels; or, where its processor has cut it already, the grid (rows, cols) that the
    style's layout reads, or the tokens of each run."""

    height: int = None
    width: int = None
    grid: tuple = None
    tokens: tuple = None


class Audio(NamedTuple):
    """A sound of so many seconds, or of so many tokens."""

    seconds: float = None
    tokens: int = None


class Video(NamedTuple):
    """Frames that were taken from a clip: their indices, its frames a second, their height and width in pixels; or the
    grid (t, rows, cols) in tokens, or the tokens of each span. `sound` is the clip's own Audio, to be woven in;
    `seconds` is the clip's length, where a style says it (else up to the last frame)."""

    indices: tuple
    fps: float = 2.0
    height: int = None
    width: int = None
    grid: tuple = None
    tokens: tuple = None
    sound: Audio = None
    seconds: float = None


class Sequence(NamedTuple):
    """What a model is given, token by token, and where its features go."""

    ids: np.ndarray  # (N,) int64
    modality: np.ndarray  # (N,) int64: TEXT, IMAGE, VIDEO, AUDIO; markers and labels are TEXT
    spans: np.ndarray  # (S, 2) int64, [start, stop) of each run of features, in order
    positions: np.ndarray  # (N,) int64, 0 … N-1, from 0 again in each packed document
    labels: np.ndarray  # (N,) int64, the id where it is learned, else NOT_LEARNED
    names: tuple  # of each span its medium's label ("Picture 2"), or ""
    media: np.ndarray  # (S,) int64, the medium that a span belongs to: an image of many tiles has many
    extents: np.ndarray  # (M, 2) int64, [start, stop) of each medium with its markers and labels


def interleave(parts, *, style, encode=None, special=None, named=False):
    """One sequence from text and media, token for token as a production system writes it: a Sequence.

    parts is a list of strings (or Text, or rows of ids), Image, Audio and Video. style names a row of
    `catalog/styles.toml`. encode turns a string into ids, special is {token: id} of the style's tokens; with neither,
    text is its UTF-8 bytes and the tokens are numbered from 256 up; with encode alone they have the released model's
    ids. named writes the style's labels ("Picture 1: ").

    What a user types is text, whatever it looks like. Raises ValueError for ids of a style's tokens in text (expanded
    before?), for a kind of medium that the style has not, for sizes that it refuses; TypeError for parts that are none.
    Source: each style's row in the catalog.

    >>> sequence = interleave(["A", Image(64, 96), "B"], style="qwen2-vl")
    >>> sequence.ids.tolist(), sequence.spans.tolist()
    ([65, 256, 258, 258, 258, 258, 258, 258, 257, 66], [[2, 8]])
    """
    system = styles.row(style)
    parts = [_part(part, i) for i, part in enumerate(check_row_of_parts(parts))]
    pieces, media = _pieces(parts, system, named)
    return _assembled(styles.arranged(pieces, system), media, system, _vocabulary(system, encode, special))


def _part(part, i):
    """A part as one of the four kinds, or a TypeError."""
    if isinstance(part, str) or isinstance(part, np.ndarray):
        part = Text(part)
    if not isinstance(part, (Text, Image, Audio, Video)):
        ids = isinstance(part, (list, tuple)) and not hasattr(part, "_fields")
        hint = f"Text({part!r:.40}) if these are ids" if ids else "a string, a row of ids, Text, Image, Audio or Video"
        raise TypeError(f"parts[{i}] is {type(part).__name__}; expected {hint}")
    if isinstance(part, Text) and not isinstance(part.content, str):
        return part._replace(content=check_ids(part.content, f"parts[{i}]"))
    return part


def _pieces(parts, system, named):
    """(pieces of all parts, [(kind, name)] of the media)."""
    pieces, media, seen = [], [], dict.fromkeys(KINDS, 0)
    images = sum(isinstance(part, Image) for part in parts)
    for i, part in enumerate(parts):
        if isinstance(part, Text):
            pieces += _text_pieces(part, system, i)
            continue
        kind = type(part).__name__.lower()
        if kind not in system.media:
            raise ValueError(f"parts[{i}] is {type(part).__name__}; {system.name} has {', '.join(system.media)} alone")
        seen[kind] += 1
        label = styles.label(system, kind, seen[kind], named)
        try:
            laid_out = _medium_pieces(part, system, kind, seen[kind], images)
        except (TypeError, ValueError) as error:
            raise type(error)(f"parts[{i}]: {error}") from None
        written = [styles.Piece("text", label)] if label and named else []
        pieces += [piece._replace(medium=len(media)) for piece in written + laid_out]
        media.append((kind, label.strip(": ")))
    if system.needs_image and not seen["image"]:
        raise ValueError(f"{system.name} needs an image before its text; {len(parts)} parts have none")
    if system.one_video and seen["video"] > 1:
        raise ValueError(f"{system.name} takes one clip; {seen['video']} are given")
    return pieces, media


def _text_pieces(part, system, i):
    """A user's text as it is; of a template's, the marks of turns are marks."""
    if not isinstance(part.content, str):
        return [styles.Piece("ids", part.content, learn=part.learn)]
    tokens = [token for token in system.tokens + system.chat_tokens if part.trusted and token in part.content]
    media = [token for token in tokens if token in system.tokens]
    if media:
        raise ValueError(f"parts[{i}] holds {media[0]!r}; a medium is a part of its own (read_prompt parts a prompt)")
    bits = re.split(f"({'|'.join(map(re.escape, tokens))})", part.content) if tokens else [part.content]
    return [styles.Piece(("text", "mark")[j % 2], bit, learn=part.learn) for j, bit in enumerate(bits) if bit]


def _medium_pieces(part, system, kind, number, images):
    """The pieces of one medium."""
    medium = system.media[kind]
    if kind == "audio":
        cut = styles.audio_cut(system.name, part.seconds, part.tokens, number)
    elif part.grid is not None or part.tokens is not None:
        cut = styles.given_cut(medium, part.grid, part.tokens, number)
    else:
        if part.height is None or part.width is None:
            raise TypeError(f"{type(part).__name__} needs height and width in pixels, a grid, or tokens")
        size = check_size(part.height, part.width)
        if kind == "image":
            cut = styles.image_cut(system.name, *size, number, images)
        else:
            cut = styles.video_cut(system.name, len(check_indices(part.indices)), *size, number)
    if kind == "video":
        cut = _with_times(part, medium, cut)
        if part.sound is not None:
            return _woven(part, system, cut)
    return styles.laid_out(system.name, kind, cut)


def _with_times(part, medium, cut):
    """The Cut of a clip with the labels of its frames and its length, where the style writes them."""
    if not medium.layout.startswith("frames"):
        return cut
    indices = check_indices(part.indices)
    labels = timestamp_labels(indices, check_rate(part.fps, "fps"), medium.time)
    if len(labels) != len(cut.tokens):
        raise ValueError(f"{len(indices)} frames are {len(labels)} times, and the clip has {len(cut.tokens)} spans")
    seconds = indices[-1] / part.fps if part.seconds is None else check_seconds(part.seconds, "seconds")
    return cut._replace(labels=tuple(labels), seconds=seconds)


def _woven(part, system, cut):
    """A clip with its own sound between the frames."""
    if not system.media["video"].woven:
        raise ValueError(f"{system.name} weaves no sound into a clip; give the Audio as a part of its own")
    if not isinstance(part.sound, Audio):
        raise TypeError(f"sound is {type(part.sound).__name__}; expected Audio")
    if len(cut.grid) != 3:
        raise ValueError("a clip with its sound needs a grid (t, rows, cols), or a height and width")
    sounds = sum(styles.audio_cut(system.name, part.sound.seconds, part.sound.tokens).tokens)
    indices, fps = check_indices(part.indices), check_rate(part.fps, "fps")
    step = (indices[-1] - indices[0]) / (len(indices) - 1) / fps if len(indices) > 1 else 1 / fps
    frames = -(-len(indices) // cut.grid[0])  # of a temporal patch
    return styles.woven(system.name, cut.grid, frames * step, sounds)


# Ids


class _Vocabulary(NamedTuple):
    """How strings become ids: encode, the ids of the style's tokens, and whether text may hold bytes alone."""

    encode: object
    special: dict
    bytes_only: bool


def _vocabulary(system, encode, special):
    tokens = system.tokens + system.chat_tokens
    if encode is None and special is None:
        return _Vocabulary(_bytes, {token: 256 + i for i, token in enumerate(tokens)}, True)
    special = dict(system.ids if special is None else special)
    return _Vocabulary(encode or _no_encode, {token: special[token] for token in tokens if token in special}, False)


def _bytes(text):
    try:
        return np.frombuffer(text.encode(), np.uint8)
    except UnicodeEncodeError as error:
        raise ValueError(f"text has half a character at {error.start} (a lone surrogate): {text!r:.60}") from None


def _no_encode(text):
    raise TypeError(f"{text!r:.60} is a string; give encode=, the function of your tokenizer that makes ids of it")


def _assembled(pieces, media, system, vocabulary):
    """Pieces with their ids, in one Sequence."""
    rows, heads, counts, extents, at = [], [], [], [[-1, -1] for _ in media], 0
    for group in _groups(pieces):
        head = group[0]
        row, ends = _ids_of(group, system, vocabulary)
        for piece, start, end in zip(group, [0, *ends], ends):
            if piece.medium >= 0:
                begun = extents[piece.medium][0]
                extents[piece.medium] = [at + start if begun < 0 else begun, at + end]
        rows.append(row)
        heads.append(head)
        counts.append(ends[-1])
        at += ends[-1]
    check_total(at)
    counts = np.array(counts, np.int64)
    stops = np.cumsum(counts)
    ids = np.empty(at, np.int64)
    for row, start, stop in zip(rows, (stops - counts).tolist(), stops.tolist()):
        ids[start:stop] = row  # ids, or one id for all

    def spread(values, dtype):
        return np.repeat(np.array(values, dtype), counts)

    _refuse_tokens(ids, spread([head.kind in ("text", "ids") for head in heads], bool), system, vocabulary)
    soft = [i for i, head in enumerate(heads) if head.kind == "soft"]
    owners = [heads[i].medium for i in soft]
    return Sequence(
        ids,
        spread([_modality(head, media, system) for head in heads], np.int64),
        np.stack([stops - counts, stops], axis=1)[np.array(soft, np.int64)],
        np.arange(at),
        np.where(spread([head.learn for head in heads], bool), ids, NOT_LEARNED),
        tuple(media[owner][1] for owner in owners),
        np.array(owners, np.int64),
        np.array(extents, np.int64).reshape(-1, 2),
    )


def _modality(piece, media, system):
    """Of a run of features that of its medium, but for the sound in a clip; of anything else TEXT."""
    if piece.kind != "soft":
        return TEXT
    sound = system.media.get("audio")
    return AUDIO if sound and piece.what == sound.soft else KINDS[media[piece.medium][0]]


def _groups(pieces):
    """Pieces that become ids together: strings side by side are one text to a tokenizer, everything else is alone."""
    groups = []
    for piece in pieces:
        before = groups[-1][-1] if groups else None
        if before and before.kind == piece.kind == "text" and before.learn == piece.learn:
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return groups


def _ids_of(group, system, vocabulary):
    """(ids of a group, or the one id that it repeats; the place behind each of its pieces)."""
    head = group[0]
    if head.kind in ("mark", "soft"):
        if head.what not in vocabulary.special:
            raise ValueError(
                f"{system.name}: no id of {head.what!r} is known here; give special={{{head.what!r}: id, …}}"
            )
        return vocabulary.special[head.what], [head.count]
    if head.kind == "ids":
        return head.what, [len(head.what)]
    ids = _encoded("".join(piece.what for piece in group), system, vocabulary)
    ends = []
    for k, piece in enumerate(group):
        if k == len(group) - 1:
            ends.append(len(ids))
        elif piece.medium == group[k + 1].medium:  # nobody asks where between two texts of one medium, or of none
            ends.append(ends[-1] if ends else 0)
        else:
            ends.append(_equal_ids(_encoded("".join(piece.what for piece in group[: k + 1]), system, vocabulary), ids))
    return ids, ends


def _encoded(text, system, vocabulary):
    """Ids of a text of which no tokenizer can read a style's token: it sees "<", and then "|image_pad|>"."""
    typed = [token for token in system.tokens + system.chat_tokens if token in text]
    cuts = sorted({found.start() + 1 for token in typed for found in re.finditer(f"(?={re.escape(token)})", text)})
    bits = [text[start:stop] for start, stop in zip([0, *cuts], [*cuts, None])]
    return np.concatenate([check_ids(vocabulary.encode(bit), "what encode makes") for bit in bits])


def _equal_ids(a, b):
    """How many ids two rows begin with alike: a tokenizer may make one token across the end of a string."""
    n = min(len(a), len(b))
    differ = np.flatnonzero(a[:n] != b[:n])
    return int(differ[0]) if len(differ) else n


def _refuse_tokens(ids, text, system, vocabulary):
    """Raise ValueError where text (N,) bool holds ids of the style's own tokens, or ids that are no bytes."""
    own = {vocabulary.special[token]: token for token in system.tokens if token in vocabulary.special}
    found = np.flatnonzero(text & np.isin(ids, list(own)))
    if len(found):
        number = int(ids[found[0]])
        raise ValueError(
            f"text has {len(found)} of {system.name}'s own tokens, the first at {found[0]} of the sequence: {number} "
            f"({own[number]!r}). Was it expanded before? Give text alone and media as parts (expand and find_spans "
            "work on such ids), and let encode read no special tokens"
        )
    most = 255 + len(system.tokens) + len(system.chat_tokens)
    if vocabulary.bytes_only and len(ids) and ids.max() > most:
        raise ValueError(f"id {ids.max()} is no byte; give encode= or special= of the vocabulary that it is from")


def runs(ids, *, style):
    """What ids of the byte vocabulary say: [(text or token, count)], for people to read.

    Raises ValueError for an id that is neither a byte nor one of the style's tokens.

    >>> runs(interleave(["A", Image(64, 96), "B"], style="llava-1.5").ids, style="llava-1.5")
    [('A', 1), ('<image>', 576), ('B', 1)]
    """
    system, ids = styles.row(style), check_ids(ids, "ids")
    tokens = system.tokens + system.chat_tokens
    if len(ids) and ids.max() >= 256 + len(tokens):
        raise ValueError(f"id {ids.max()} is neither a byte nor one of {style}'s {len(tokens)} tokens")
    kind = np.maximum(ids, 255)  # all bytes are alike
    starts = np.flatnonzero(np.diff(kind, prepend=-1))
    said = []
    for start, stop in zip(starts, [*starts[1:], len(ids)]):
        if ids[start] < 256:
            said.append((bytes(ids[start:stop].astype(np.uint8)).decode(errors="replace"), 1))
        else:
            said.append((tokens[ids[start] - 256], int(stop - start)))
    return said


# Prompts and chats


def read_prompt(text, media, *, style):
    """A prompt as a chat template writes it, in parts: its placeholders become the media, in their order.

    text is trusted: its marks of turns are marks. media is a list of Image, Audio and Video.

    Raises ValueError where there are more placeholders of a kind than media, or fewer, and for a token of the style
    that stands alone: a user may have typed it, and no string can tell.
    Source: the checks of transformers 5.23.0, `processing_utils.py`, in better words; for what they let through,
    huggingface/transformers issue 47217.

    >>> read_prompt("A<image>B", [Image(480, 640)], style="llava-1.5")[1]
    Image(height=480, width=640, grid=None, tokens=None)
    """
    system = styles.row(style)
    media = [_part(part, i) for i, part in enumerate(check_row_of_parts(media))]
    prompts = {medium.prompt: kind for kind, medium in system.media.items()}
    strings = sorted([*prompts, *system.tokens], key=len, reverse=True)
    bits = re.split("(" + "|".join(map(re.escape, strings)) + ")", text)
    given = {kind: [part for part in media if type(part).__name__.lower() == kind] for kind in KINDS}
    at, parts, found = 0, [], {kind: [] for kind in KINDS}
    for bit in bits:
        if bit in prompts:
            found[prompts[bit]].append(at)
            parts.append((prompts[bit], len(found[prompts[bit]]) - 1))
        elif bit in system.tokens:
            written = ", ".join(map(repr, prompts))
            raise ValueError(
                f"{bit!r} stands alone at {at} of the prompt; {style} writes a medium as {written} "
                "(did a user type it? Then give parts: in parts, what is typed is text)"
            )
        elif bit:
            parts.append(Text(bit, trusted=True))
        at += len(bit)
    for kind, places in found.items():
        if len(places) != len(given[kind]):
            shown = ", ".join(map(str, places[:5])) or "no place"
            raise ValueError(
                f"{len(places)} placeholders of {kind}s (at {shown} of the prompt), {len(given[kind])} {kind}s given; "
                "as many of the one are needed as of the other, in the same order"
            )
    return [part if isinstance(part, Text) else given[part[0]][part[1]] for part in parts]


def chat(messages, *, style, reply=False):
    """A conversation in parts, with the marks of its turns; what the assistant says is learned, to the end of its turn.

    messages is [(role, content)], content a string or a list of parts; reply=True opens a turn for the model. Turns are
    told by structure: a user who writes "assistant", or a mark, has written text.

    Raises ValueError for a style whose turns are not in the catalog.
    Source: the style's row in [turns] of `catalog/styles.toml`.

    >>> parts = chat([("user", [Image(64, 96), "What is it?"]), ("assistant", "A cat.")], style="qwen2-vl")
    >>> sequence = interleave(parts, style="qwen2-vl")
    >>> runs(sequence.ids[sequence.labels >= 0], style="qwen2-vl")[:2]
    [('A cat.', 1), ('<|im_end|>', 1)]
    """
    system = styles.row(style)
    if not system.turns:
        known = [name for name, row in styles.rows().items() if row.turns]
        raise ValueError(f"how {style} marks turns is not in the catalog; it has {', '.join(known)} (or write parts)")
    turns, parts = styles.rows("turns")[system.turns], []
    for role, content in messages:
        learn = role == "assistant"
        parts.append(Text(turns.begin.format(role), trusted=True))
        for part in [content] if isinstance(content, str) else check_row_of_parts(content):
            part = _part(part, len(parts))
            parts.append(part._replace(learn=learn) if isinstance(part, Text) else part)
        parts.append(Text(turns.end, learn=learn, trusted=True))
    return [*parts, Text(turns.begin.format("assistant"), trusted=True)] if reply else parts


# What the model is given


@has_cuda_twin
def embed(ids, table, spans, features):
    """The vectors of a sequence: rows of the table for its ids, projected features in their places. (N, D).

    ids (N,) integers, table (K, D) floats, spans (S, 2) as of `interleave`, features (rows, D) floats, those of all
    media one after the other, a row for each place of the spans. Ids inside spans are not looked up: they may be
    anything (LLaVA's is -200). Returns the table's dtype.

    Raises ValueError where features and places are not as many, where they are not as wide as the table, and for an id
    that has no row. Source: `get_placeholder_mask` and `masked_scatter` in the models of transformers 5.23.0.

    >>> table, features = np.eye(4, dtype=np.float32), np.full((2, 4), 0.5, np.float32)
    >>> embed(np.array([3, -200, -200, 1]), table, [[1, 3]], features).tolist()[:2]
    [[0.0, 0.0, 0.0, 1.0], [0.5, 0.5, 0.5, 0.5]]
    """
    check_row_of_ids(ids)
    spans = check_spans(spans, len(ids))
    check_scatter(ids, table, spans, features)
    inside = _inside(spans, len(ids))
    outside = ids[~inside]
    if len(outside):
        check_table_ids(int(outside.min()), int(outside.max()), len(table))
    x = np.empty((len(ids), table.shape[1]), table.dtype)
    x[~inside] = table[outside]
    x[inside] = features
    return x


def _inside(spans, tokens):
    """Which of N tokens lie in a span: bool (N,)."""
    step = np.zeros(tokens + 1, np.int64)
    step[spans[:, 0]] += 1
    np.subtract.at(step, spans[:, 1], 1)
    return np.cumsum(step[:-1]) > 0


@has_cuda_twin
def add_modality(x, modality, table):
    """Tell each token what it is: x (N, D) plus the row of `table` (kinds, D) that its modality (N,) names.

    Raises ValueError for shapes that do not fit and for a modality that has no row.
    Source: the segment embeddings of BERT (arXiv 1810.04805), here one for each modality.

    >>> add_modality(np.zeros((3, 2)), np.array([0, 1, 1]), np.array([[0.0, 0.0], [1.0, 2.0]])).tolist()
    [[0.0, 0.0], [1.0, 2.0], [1.0, 2.0]]
    """
    check_modality(x, modality, table)
    if modality.size:
        check_table_ids(int(modality.min()), int(modality.max()), len(table))
    return x + table[modality]


# Who sees whom


def visible(sequence, rule="causal", *, window=None):
    """What each token may attend to: one stretch [start, stop) of the sequence, (N, 2) int64.

    Rules: "causal", itself and what is before; "whole-images", and every image and frame also sees itself whole, as in
    Gemma 3; "prefix", what stands before the first learned token sees itself whole, as in PaliGemma; "everything". A
    window keeps of that the last `window` tokens up to itself, and what comes later. Packed documents see themselves
    alone; a new one begins where positions begin again.

    Raises ValueError for another rule. Source: transformers 5.23.0, `masking_utils.py`, `models/gemma3`,
    `models/paligemma`.

    >>> visible(interleave(["ab", Image(tokens=3), "c"], style="llava-1.5"), "whole-images").tolist()
    [[0, 1], [0, 2], [0, 5], [0, 5], [0, 5], [0, 6]]
    """
    tokens, window = len(sequence.ids), check_window(window)
    if rule not in MASKS:
        raise ValueError(f"rule is {rule!r}; known are {', '.join(map(repr, MASKS))}")
    begins = np.flatnonzero(sequence.positions == 0)
    ends = np.append(begins[1:], tokens)
    document = np.searchsorted(begins, np.arange(tokens), side="right") - 1
    start, stop = begins[document] if tokens else np.zeros(0, np.int64), np.arange(1, tokens + 1)
    blocks = MASKS[rule](sequence, begins, ends)
    for first, last in blocks:
        stop[first:last] = last
    if window is not None:
        start = np.maximum(start, np.arange(tokens) - window + 1)
    return np.stack([start, stop], axis=1)


def _pictures(sequence, begins, ends):
    return [span for span in sequence.spans.tolist() if sequence.modality[span[0]] in (IMAGE, VIDEO)]


def _prefixes(sequence, begins, ends):
    learned = np.flatnonzero(sequence.labels != NOT_LEARNED)
    firsts = np.append(learned, len(sequence.ids))[np.searchsorted(learned, begins)]
    return zip(begins.tolist(), np.minimum(firsts, ends).tolist())


MASKS = {
    "causal": lambda sequence, begins, ends: [],
    "whole-images": _pictures,
    "prefix": _prefixes,
    "everything": lambda sequence, begins, ends: zip(begins.tolist(), ends.tolist()),
}


def attention_mask(sequence, rule="causal", *, window=None):
    """`visible` as a table: bool (N, N), True where the row's token may attend to the column's.

    Raises as `visible`, and ValueError for more than 65,536 tokens, whose table would take over 4 GB.

    >>> attention_mask(interleave(["a", Image(tokens=2)], style="llava-1.5"), "whole-images").astype(int).tolist()
    [[1, 0, 0], [1, 1, 1], [1, 1, 1]]
    """
    check_drawn(len(sequence.ids))
    seen = visible(sequence, rule, window=window)
    token = np.arange(len(seen))
    return (token >= seen[:, :1]) & (token < seen[:, 1:])


def mask_mod(seen):
    """`visible` as FlexAttention asks for it: a function (batch, head, query, key) -> may query attend to key.

    seen (N, 2) is an array, or a tensor on the device that attends.
    Source: torch.nn.attention.flex_attention, `create_block_mask`.

    >>> bool(mask_mod(np.array([[0, 1], [0, 2]]))(0, 0, 0, 1))
    False
    """
    return lambda batch, head, query, key: (key >= seen[query, 0]) & (key < seen[query, 1])


# Limits


class Truncated(NamedTuple):
    """A sequence that fits, and the media of before, by number, whose features go with it."""

    sequence: Sequence
    media: np.ndarray  # (kept,) int64, ascending


def truncate(sequence, limit, *, drop="end"):
    """A sequence of at most `limit` tokens that holds every medium whole or not at all: Truncated(sequence, media).

    drop says what goes: "end", what is beyond the limit, and the medium that lies across it; "oldest", whole media from
    the first on, until the rest fits, and no text; "nothing": ValueError where a medium lies across the limit.

    Raises ValueError for another `drop`, and where text alone is longer than the limit with "oldest".
    Source: ours; what goes wrong otherwise: huggingface/trl issue 5881.

    >>> sequence = interleave(["a", Image(tokens=4), "bc", Image(tokens=2), "d"], style="llava-1.5")
    >>> [truncate(sequence, 8, drop=drop).sequence.ids.tolist() for drop in ("end", "oldest")]
    [[97, 256, 256, 256, 256, 98, 99], [97, 98, 99, 256, 256, 100]]
    """
    limit, tokens = check_limit(limit), len(sequence.ids)
    if drop not in ("end", "oldest", "nothing"):
        raise ValueError(f"drop is {drop!r}; known are 'end', 'oldest', 'nothing'")
    starts, stops = sequence.extents.T
    if drop == "oldest":
        excess = tokens - limit
        gone = int(np.searchsorted(np.cumsum(stops - starts), excess)) + 1 if excess > 0 else 0
        if gone > len(starts):
            text = tokens - int((stops - starts).sum())
            raise ValueError(f"limit is {limit}; text alone has {text} tokens (drop='end' cuts text too)")
        kept = np.ones(tokens, bool)
        for start, stop in sequence.extents[:gone]:
            kept[start:stop] = False
        return _kept(sequence, kept, np.arange(gone, len(starts)))
    across = np.flatnonzero((starts < limit) & (stops > limit))
    if len(across) and drop == "nothing":
        m = across[0]
        raise ValueError(
            f"limit is {limit}; medium {m} stands at [{starts[m]}, {stops[m]}) of {tokens} tokens, and half a medium "
            "has features without places (drop='end' or 'oldest' drops it whole, or make it smaller)"
        )
    end = int(starts[across].min(initial=limit))
    return _kept(sequence, np.arange(tokens) < end, np.flatnonzero(stops <= end))


def _kept(sequence, kept, media):
    """A Sequence of the tokens that are kept: no span, no extent of the media is cut by it."""
    before = np.concatenate([[0], np.cumsum(kept)])  # kept tokens before each place
    spans = np.isin(sequence.media, media)
    document = np.cumsum(sequence.positions == 0)[kept]
    first = np.flatnonzero(np.diff(document, prepend=0))
    positions = np.arange(len(document)) - np.repeat(first, np.diff(np.append(first, len(document))))
    rest = Sequence(
        sequence.ids[kept],
        sequence.modality[kept],
        before[sequence.spans[spans]],
        positions,
        sequence.labels[kept],
        tuple(name for name, stays in zip(sequence.names, spans) if stays),
        np.searchsorted(media, sequence.media[spans]),
        before[sequence.extents[media]],
    )
    return Truncated(rest, media)


def pack(sequences):
    """Several documents in one row, one behind the other: a Sequence whose positions begin again with each.

    Media are numbered through. Empty documents leave no trace.
    Source: transformers 5.23.0 finds documents by their positions (`masking_utils.py`, `find_packed_sequence_indices`).

    >>> pack([interleave(["ab"], style="qwen2-vl"), interleave(["c"], style="qwen2-vl")]).positions.tolist()
    [0, 1, 0]
    """
    sequences = list(sequences)
    tokens = np.cumsum([0, *(len(one.ids) for one in sequences)])
    media = np.cumsum([0, *(len(one.extents) for one in sequences)])

    def joined(name, shift=None, empty=(0,)):
        rows = [getattr(one, name) + (0 if shift is None else shift[i]) for i, one in enumerate(sequences)]
        return np.concatenate([np.zeros(empty, np.int64), *rows])

    return Sequence(
        joined("ids"),
        joined("modality"),
        joined("spans", tokens, (0, 2)),
        joined("positions"),
        joined("labels"),
        tuple(name for one in sequences for name in one.names),
        joined("media", media),
        joined("extents", tokens, (0, 2)),
    )


def chunk(length, size, overlap=0):
    """Pieces of something long, each `size` and the last what is left: spans (S, 2) int64, in the whole's own numbers.

    Each begins `overlap` before the one before it ends; none lies wholly inside another. length 0 has no piece. As the
    spans count from the beginning of all, a time in a piece is a time of the whole.

    Raises ValueError or TypeError unless all are whole numbers, size at least 1, 0 <= overlap < size.
    Source: the sliding windows of long-form transcription (arXiv 2212.04356, section 3.8).

    >>> chunk(10, 4, 1).tolist()
    [[0, 4], [3, 7], [6, 10]]
    """
    length, size, overlap = check_pieces(length, size, overlap)
    starts = np.arange(0, max(length - overlap, min(length, 1)), size - overlap)
    return np.stack([starts, np.minimum(starts + size, length)], axis=1)
