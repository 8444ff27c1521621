"""What a request costs before it is sent, in operations, bytes, seconds and money, and what to take away from it."""

import functools
import itertools
import math
from fractions import Fraction
from typing import NamedTuple

from mmtokedu import catalog, measured
from mmtokedu.arguments.budget import (
    check_bytes,
    check_count,
    check_limit,
    check_one_of,
    check_pictures,
    check_request,
    check_shares,
)
from mmtokedu.catalog import codecs, images, listeners, models, prices, styles, video
from mmtokedu.catalog.models import Layers as Layers
from mmtokedu.catalog.models import ModelRow as ModelRow
from mmtokedu.catalog.models import Tower as Tower
from mmtokedu.catalog.prices import image_tokens_billed as image_tokens_billed
from mmtokedu.catalog.prices import sound_tokens_billed as sound_tokens_billed
from mmtokedu.interleave import Audio, Image, Video, interleave
from mmtokedu.rvq import tokens_per_second

ATTENTION = "full", "causal"


# Operations


class Flops(NamedTuple):
    """What a prefill multiplies and adds, a multiplication and an addition being two operations."""

    matrices: int  # the language model's, with its router and experts
    attention: int  # its scores and what they weigh
    head: int  # from a vector to the vocabulary, for each position that is scored
    tower: int  # the vision tower's matrices
    tower_attention: int
    ends: int  # patches to vectors before the tower, merger and projector behind it

    @property
    def total(self):
        return sum(self)


def dense(layers, width, ff, heads, *, kv_heads=None, head=None, vocabulary=32000, name="yours", **more):
    """The numbers of a plain decoder, every layer alike, for the functions here: a ModelRow.

    kv_heads is `heads` unless given, head width / heads; `more` are other fields of `Layers`, as window=1024 with
    kind="sliding", or experts=8, active=2, expert_ff=1024.

    >>> kv_cache_bytes(dense(32, 4096, 11008, 32), 1)
    524288
    """
    kv_heads = heads if kv_heads is None else kv_heads
    head = width // max(heads, 1) if head is None else head  # what is wrong with no heads the layers say
    group = Layers(count=layers, heads=heads, kv_heads=kv_heads, head=head, ff=ff, **more)
    return ModelRow(name=name, title=name, width=width, vocabulary=vocabulary, layers=(group,))


def prefill_flops(config, text, vision_tokens=0, patches=0, *, attention="full", scored=1):
    """Operations until the first token of an answer: the sum of `prefill_parts`, a whole number.

    config names a row of `catalog/models.toml`, or is one (`dense` makes one). text and vision_tokens are what the
    language model gets, patches what the vision tower does: a count or a grid (rows, columns) for each picture, in a
    list where there are several. scored is at how many positions the next token is asked for: 1 where one answers.
    attention "full" counts every pair of tokens, as torch's FlopCounterMode does; "causal" those that the mask lets
    through: T(T + 1)/2, and fewer in windows and chunks.

    Counted are products of matrices; not norms, activations, rotations and sampling. Of a "linear" layer its
    recurrence is counted (three products with its state a token), not the chunked form that kernels prefer.

    Raises ValueError for an unknown model, which it answers with the nearest names, for counts below 0 and patches
    where the row has no tower; TypeError for counts that are not whole.
    Source: two operations a weight and token, and 4 a pair of tokens and number of a head: Kaplan et al.
    (arXiv 2001.08361).

    >>> prefill_flops("qwen2.5-vl-7b", 1024, scored=1024)
    14900852162560
    """
    return prefill_parts(config, text, vision_tokens, patches, attention=attention, scored=scored).total


def prefill_parts(config, text, vision_tokens=0, patches=0, *, attention="full", scored=1):
    """The operations of `prefill_flops` by where they are spent: Flops.

    >>> parts = prefill_parts("qwen3-vl-8b", 256, 2040, 8160)
    >>> round(parts.tower_attention / (parts.tower + parts.tower_attention), 2)
    0.55
    """
    config = _config(config)
    text, vision_tokens = check_count(text, "text"), check_count(vision_tokens, "vision_tokens")
    scored = check_count(scored, "scored")
    check_one_of(attention, "attention", ATTENTION)
    pictures = check_pictures(patches)
    if pictures and config.vision is None:
        raise ValueError(f"the catalog has no vision tower for {config.name}; give patches=0, or a row with one")
    fed = {"text": text, "vision": vision_tokens, "all": text + vision_tokens}
    if any(group.kind == "cross" for group in config.layers):
        fed["all"] = text  # pictures are looked at from the side
    if scored > fed["all"]:
        raise ValueError(f"scored is {scored}, and the language model is given {fed['all']} tokens")
    matrices = scores = 0
    for group in config.layers:
        each = sum(2 * matrix.numbers * fed[matrix.tokens] for matrix in group.matrices(config.width))
        matrices += group.count * each
        scores += group.count * _attention_flops(group, fed, attention)
    head = 2 * config.width * config.vocabulary * scored
    return Flops(matrices, scores, head, *_tower_flops(config.vision, pictures))


def _config(config):
    """A row of the catalog by its name, or the row itself."""
    return config if isinstance(config, ModelRow) else models.row(config)


def _attention_flops(group, fed, attention):
    """Operations of one layer's attention, over all heads."""
    tokens = fed["all"]
    if group.kind == "linear":
        return 6 * group.value_heads * group.key_head * group.value_head * tokens
    if group.kind == "cross":
        return 2 * group.entry * fed["text"] * fed["vision"]
    pairs = tokens**2 if attention == "full" else attended_pairs(tokens, group.kind, group.window)
    return 2 * group.entry * pairs


def attended_pairs(tokens, kind="full", window=0):
    """How many pairs of a query and a key a causal mask lets through: those that `interleave.attention_mask` marks.

    kind "sliding": a token and the window - 1 before it; "chunked": itself and those before it in its own chunk.

    >>> attended_pairs(4), attended_pairs(4, "sliding", 2), attended_pairs(4, "chunked", 3)
    (10, 7, 7)
    """
    tokens, window = check_count(tokens, "tokens"), check_count(window, "window")
    check_one_of(kind, "kind", ("full", "latent", "sliding", "chunked"))
    if kind in ("full", "latent") or window >= tokens:
        return tokens * (tokens + 1) // 2
    if not window:
        raise ValueError(f"kind is {kind!r} and window is 0; a window holds at least the token itself")
    if kind == "sliding":
        return window * (window + 1) // 2 + (tokens - window) * window
    chunks, rest = divmod(tokens, window)
    return chunks * window * (window + 1) // 2 + rest * (rest + 1) // 2


def _tower_flops(tower, pictures):
    """(matrices, attention, ends) of the vision tower for these pictures."""
    if not pictures:
        return 0, 0, 0
    counts = [one if isinstance(one, int) else math.prod(one) + tower.extra for one in pictures]
    whole = tower.whole or tower.layers
    pairs = sum(whole * count**2 for count in counts)
    if whole < tower.layers:
        pairs += (tower.layers - whole) * sum(_pairs_in_windows(one, tower.window) for one in pictures)
    ends = 0
    for count in counts:
        patches = count - tower.extra
        projected = sum(math.prod(sides) for sides in tower.projector) * tower.projectors
        ends += 2 * (patches * tower.inputs * tower.width + patches // tower.merge * projected)
    return 2 * sum(counts) * tower.layers * tower.block, 4 * (tower.inner or tower.width) * pairs, ends


def _pairs_in_windows(picture, side):
    """Pairs of patches that share a window: exactly of a grid, as many as whole windows have of a count."""
    if isinstance(picture, int):
        return picture * min(picture, side**2)
    return math.prod(sum(min(side, length - at) ** 2 for at in range(0, length, side)) for length in picture)


# Bytes


class Cache(NamedTuple):
    """What equal layers keep of one sequence."""

    kind: str
    layers: int
    bytes: int  # of one layer


def kv_cache_bytes(config, text, vision_tokens=0, *, bytes_per=2, batch=1):
    """Bytes that a model keeps of a sequence while it answers: keys, values and states of all layers.

    bytes_per is the width of a kept number: 2 for bfloat16, 1 for FP8. A layer that sees all keeps every token;
    one with a window or chunk of W at most W - 1 (the next token brings the last); one that borrows keys and values
    none; a "linear" one its convolution's inputs and a state in float32, whatever the length; a "latent" one its narrow
    vector; a "cross" one the vision tokens. Engines round up to whole blocks of tokens, which is not counted.

    Raises ValueError for an unknown model, counts below 0 and a batch of 0.
    Source: GQA (arXiv 2305.13245); what is kept: transformers 5.23.0 `cache_utils.py`, whose caches are measured in
    tests/parity.

    >>> kv_cache_bytes("qwen2.5-vl-7b", 1), kv_cache_bytes("llava-1.5-7b", 1)
    (57344, 524288)
    """
    batch = check_count(batch, "batch")
    if not batch:
        raise ValueError("batch is 0; at least one sequence keeps something")
    return batch * sum(
        part.layers * part.bytes for part in cache_parts(config, text, vision_tokens, bytes_per=bytes_per)
    )


def cache_parts(config, text, vision_tokens=0, *, bytes_per=2):
    """What `kv_cache_bytes` counts, group by group in the model's order: a tuple of Cache(kind, layers, bytes).

    >>> cache_parts("gemma-3-4b", 4000)
    (Cache(kind='full', layers=5, bytes=16384000), Cache(kind='sliding', layers=29, bytes=4190208))
    """
    config, each = _config(config), check_bytes(bytes_per)
    text, vision_tokens = check_count(text, "text"), check_count(vision_tokens, "vision_tokens")
    crossed = any(group.kind == "cross" for group in config.layers)
    tokens = text if crossed else text + vision_tokens
    return tuple(
        Cache(group.kind, group.count, math.ceil(_kept(group, tokens, vision_tokens, each))) for group in config.layers
    )


def _kept(group, tokens, vision_tokens, each):
    """Bytes that one layer keeps, a Fraction: `each` is those of a number."""
    if group.borrows:
        return 0
    if group.kind == "linear":
        return group.channels * group.kernel * each + 4 * group.value_heads * group.key_head * group.value_head
    if group.kind == "latent":
        return (group.kv_rank + group.rope) * tokens * each
    if group.kind in ("sliding", "chunked"):
        tokens = min(tokens, group.window - 1)
    if group.kind == "cross":
        tokens = vision_tokens
    return 2 * group.kv_heads * group.head * tokens * each


def weight_bytes(config, tokens=None, *, bytes_per=2, head=True):
    """Bytes of the matrices that a prefill of so many tokens has to read: all of them, and of a mixture's experts those
    that so many tokens can reach at most (all where tokens is None). The table of embeddings is looked up, not read.

    >>> round(weight_bytes("qwen2.5-vl-7b", head=False) / 2**30, 2)
    12.15
    """
    config, each = _config(config), check_bytes(bytes_per)
    reach = math.inf if tokens is None else check_count(tokens, "tokens")
    numbers = config.width * config.vocabulary if head else 0
    for group in config.layers:
        for matrix in group.matrices(config.width):
            met = matrix.stored if reach == math.inf else min(matrix.stored, matrix.numbers * reach)
            numbers += group.count * met
    return math.ceil(numbers * each)


# Seconds


class Device(NamedTuple):
    """What a device does at its best, operations and bytes a second, and what share of the operations is reached."""

    flops_per_second: float
    bytes_per_second: float
    efficiency: float = 1.0


def time_to_first_token(
    config, text, vision_tokens, device, *, patches=None, attention="causal", scored=1, bytes_per=2
):
    """Seconds until the first token at the earliest, on one device: a roofline, so no measurement can be below it.

    The language model takes the longer of two: its operations at the device's best, or reading its weights once; the
    tower's operations come before. device names a row of `catalog/models.toml` ("h100"), or is a
    Device(flops_per_second, bytes_per_second, efficiency). patches are the tower's; where None, as many as the vision
    tokens come from, in one picture or in tiles. Left out: waiting, the network, decoding files, tokenizing.

    Raises ValueError for an unknown model or device, and a Device that does nothing in a second.
    Source: the roofline model (Williams et al. 2009, doi 10.1145/1498765.1498785).

    >>> round(1000 * time_to_first_token("qwen2.5-vl-7b", 256, 2691, "h100", patches=(78, 138)), 1)
    57.1
    """
    config = _config(config)
    best = device if isinstance(device, models.DeviceRow) else _device(device)
    patches = patches_of(config, vision_tokens) if patches is None else patches
    parts = prefill_parts(config, text, vision_tokens, patches, attention=attention, scored=scored)
    speed = best.flops_per_second * best.efficiency
    tokens = check_count(text, "text") + check_count(vision_tokens, "vision_tokens")
    reading = weight_bytes(config, tokens, bytes_per=bytes_per, head=bool(scored)) / best.bytes_per_second
    seen = parts.tower + parts.tower_attention + parts.ends
    return max((parts.matrices + parts.attention + parts.head) / speed, reading) + seen / speed


def _device(device):
    if isinstance(device, Device):
        return models.DeviceRow("yours", "yours", *device[:2], efficiency=device.efficiency)
    return models.row(device, "devices")


def patches_of(config, vision_tokens):
    """The patches that so many vision tokens come from: a count a picture, or one a tile where the tower has tiles.

    Of several pictures in one count this makes one, which attends to itself: give their patches one by one instead.

    >>> patches_of("qwen3-vl-8b", 2040), patches_of("llava-1.5-7b", 1152)
    ([8160], [577, 577])
    """
    config, vision_tokens = _config(config), check_count(vision_tokens, "vision_tokens")
    tower = config.vision
    if tower is None or not vision_tokens:
        return []
    patches = vision_tokens * tower.merge
    if not tower.tile:
        return [patches + tower.extra]
    each = tower.tile**2
    return [each + tower.extra] * -(-patches // each)


# Money


def price(model, tokens_in, tokens_out, *, cached=0, written=0, written_long=0, audio=0):
    """US dollars for one request by a vendor's dated tariff.

    model names a row of `catalog/prices.toml`. tokens_in are all tokens that are sent; of them `cached` were read from
    the vendor's cache, `written` and `written_long` are written to it for its shorter and its longer term, `audio` are
    sound, none of it cached. Past the row's `above` input tokens all of them cost more. Pictures and sounds are counted
    by `image_tokens_billed` and `sound_tokens_billed`.

    Raises ValueError for an unknown name, parts that are more than tokens_in, and a price that the vendor has not.
    Source: the row's.

    >>> price("gpt-6-sol", 100_000, 1_000), price("gpt-6-sol", 100_000, 1_000, cached=90_000)
    (0.21, 0.048)
    """
    row = prices.row(model)
    tokens_in, tokens_out = check_count(tokens_in, "tokens_in"), check_count(tokens_out, "tokens_out")
    parts = {"cached": cached, "written": written, "written_long": written_long, "audio": audio}
    parts = {name: check_count(count, name) for name, count in parts.items()}
    check_shares(tokens_in, parts)
    tariff = prices.tariff_of(row, tokens_in)
    parts |= {"input": tokens_in - sum(parts.values()), "output": tokens_out}
    total = Fraction(0)
    for name, count in parts.items():
        if count:
            total += count * _asked(tariff, name, row)
    return float(total)


def _asked(tariff, name, row):
    """The price of one token, or an error where the vendor has none."""
    asked = tariff.of(name)
    if asked is None and name == "audio":
        asked = tariff.of("input")
    if asked is None:
        raise ValueError(f"{row.name} has no price for {name} tokens in its tariff of {row.as_of} ({row.source})")
    return asked


# Density


class Typical(NamedTuple):
    """What a medium is taken to be where nothing else is said: assumptions, to be replaced by one's own."""

    words_per_minute: float = 150
    tokens_per_word: float = 1.33
    characters_per_token: float = 4  # of one byte
    sound_seconds: float = 30
    sound_bits_per_second: float = 24_000  # Opus, for speech
    picture: tuple = (1080, 1920)
    picture_bytes: float = 530_000  # a JPEG of it
    picture_seconds: float = 3  # that somebody looks at it
    film: tuple = (720, 1280)
    film_seconds: float = 60
    film_fps: float = 1  # frames that are taken
    film_bits_per_second: float = 5_000_000  # H.264


class Density(NamedTuple):
    """Tokens for a second of experience and for a kilobyte (1,000 bytes) of the file."""

    medium: str
    counted_by: str
    per_second: float
    per_kilobyte: float


TYPICAL = Typical()


def density(model, *, typical=TYPICAL):
    """How many tokens a model makes of a second of each medium, and of a kilobyte: a list of Density, text first.

    model is a row of `catalog/models.toml`, or a name of the catalogs of pictures, listeners, codecs and clips, of
    which all that have it answer. What a picture of 1080x1920 weighs and how long it is looked at are assumptions:
    `typical` holds them all.

    Raises ValueError for a name that no catalog has.

    >>> [(each.medium, round(each.per_second, 1)) for each in density("voxtral-mini-3b")]
    [('text', 3.3), ('sound', 12.5)]
    """
    spoken = typical.words_per_minute / 60 * typical.tokens_per_word
    found = [Density("text", "words spoken aloud", spoken, 1000 / typical.characters_per_token)]
    rules = _rules_of(model)
    if "picture" in rules:
        tokens = images.image_tokens(rules["picture"], *typical.picture)
        found.append(Density("picture", rules["picture"], tokens / typical.picture_seconds,
                             1000 * tokens / typical.picture_bytes))  # fmt: skip
    for name, tokens in _sounds(rules, typical.sound_seconds):
        rate = tokens / typical.sound_seconds
        found.append(Density("sound", name, rate, 8000 * rate / typical.sound_bits_per_second))
    if "film" in rules:
        frames = max(1, round(typical.film_seconds * typical.film_fps))
        rate = video.video_plan(rules["film"], frames, *typical.film).tokens / typical.film_seconds
        found.append(Density("film", rules["film"], rate, 8000 * rate / typical.film_bits_per_second))
    return found


def _rules_of(model):
    """medium -> the name of the catalog row that counts it."""
    if isinstance(model, ModelRow) or model in models.rows():
        row = _config(model)
        named = {"picture": row.images, "listener": row.sounds, "film": row.videos}
        return {medium: name for medium, name in named.items() if name}
    tables = {"picture": images.rows(), "listener": listeners.rows(), "codec": codecs.rows()}
    tables["film"] = video.rows("tokens")
    rules = {medium: model for medium, table in tables.items() if model in table}
    return rules or catalog.one_of_many("model", model, dict.fromkeys(itertools.chain(models.rows(), *tables.values())))


def _sounds(rules, seconds):
    """(name, tokens) of those that hear: a listener's places, a codec's codes on the long run."""
    if "listener" in rules:
        yield rules["listener"], listeners.listener_tokens(rules["listener"], seconds)
    if "codec" in rules:
        yield f"{rules['codec']}, codes", tokens_per_second(rules["codec"]) * seconds


# Planning


SCALE = 1000  # qualities are counted in thousandths: whole numbers, so that ties are ties, finer than a curve's spread
MOST_FRAMES = 20_000  # of a clip: more than any context holds


class Words(NamedTuple):
    """Text of so many tokens. It is never shortened."""

    tokens: int
    name: str = "text"


class Picture(NamedTuple):
    """A picture of height x width pixels. x_height is that of a lower-case x of its smallest letters, where known.

    weight is what it counts beside other media, floor the quality below which it must not be read.
    """

    height: int
    width: int
    x_height: float | None = None
    weight: int = 1
    floor: float = 0.0
    name: str = "picture"


class Sound(NamedTuple):
    """A sound of so many seconds: heard by the model, or `coded`, as 100 codes a second of each codebook, 8 of them."""

    seconds: float
    coded: bool = False
    weight: int = 1
    floor: float = 0.0
    name: str = "sound"


class Film(NamedTuple):
    """A clip of so many seconds, of which `fps` frames a second are taken, each height x width pixels."""

    seconds: float
    height: int
    width: int
    fps: float = 2.0
    weight: int = 1
    floor: float = 0.0
    name: str = "film"


class Request(NamedTuple):
    """What is asked of a model: its parts in order, and how many tokens its answer may have."""

    model: object  # a name of `catalog/models.toml`, or a ModelRow
    parts: tuple
    answer: int = 0


class Point(NamedTuple):
    """What an instrument read at one effort: pixels or x_height of a picture, codes a second, or frames a second."""

    quality: float
    pixels: float = 0
    x_height: float = 0
    rate: float = 0
    fps: float = 0


class Curve(NamedTuple):
    """Quality against effort, as one instrument measured it. `zero` is what the instrument gives to nothing."""

    instrument: str
    points: tuple
    zero: float = 0.0

    def above_zero(self, quality):
        """A quality in SCALE-ths of what lies between nothing and all."""
        return max(0, round(SCALE * (quality - self.zero) / (1 - self.zero)))


class Rung(NamedTuple):
    """One way to send a medium."""

    tokens: int
    quality: int  # in SCALE-ths, what the curve expects
    how: (
        tuple  # ("whole",), ("resized", height, width), ("sampled", frames, height, width), ("coded", Q), ("left out",)
    )


class Step(NamedTuple):
    """One thing that a plan takes away."""

    part: int  # its place in the request
    name: str
    before: Rung
    after: Rung
    instrument: str

    def __str__(self):
        loses = (self.before.quality - self.after.quality) / SCALE
        return (
            f"{self.name} (part {self.part}): {_told(self.before)} -> {_told(self.after)}; {self.instrument} expects "
            f"{self.after.quality / SCALE:.2f} of it, {loses:.2f} less"
        )


class Plan(NamedTuple):
    """A request that fits: `chosen` has a Rung for each part, None for words; `steps` say what was taken away."""

    fits: bool  # as it came
    tokens: int  # that are sent, markers and words included
    before: int  # that would have been sent
    limit: int
    answer: int  # tokens that are kept free for it
    chosen: tuple
    steps: tuple
    instruments: tuple  # whose curves were used: an instrument's quality is not the model's

    def explain(self):
        """What the plan did, in lines."""
        room = f"{self.limit} tokens" + f", of which {self.answer} are for the answer" * bool(self.answer)
        if self.fits:
            return [f"{self.tokens} tokens fit into {room}; nothing was changed"]
        return [f"{self.before} tokens do not fit into {room}; {self.tokens} are sent", *map(str, self.steps)]


def measured_curves():
    """The curves that the book measured, by kind of medium: "picture", "sound" and "film" -> Curve.

    A picture's is RapidOCR's on a printed page, a sound's that of a recogniser of 40 words on the book's codec, a
    film's RapidOCR's on a number that stands in it for a moment. Each holds for its instrument and its material.

    >>> {kind: curve.instrument for kind, curve in measured_curves().items()}
    {'picture': 'RapidOCR on a page', 'sound': 'recogniser of 40 words', 'film': 'RapidOCR on a number in a clip'}
    """
    return dict(_measured_curves())


@functools.cache
def _measured_curves():
    cell = 28**2  # pixels of a token in both experiments
    rows = measured.results("video")["uniform"]["rows"]
    picture = _points("patches", "RapidOCR, page")
    sound = _points("rvq", "recogniser of 40 words, ours")
    film = _points("video", "RapidOCR, even frames, told where")
    return {
        "picture": Curve("RapidOCR on a page", tuple(
            Point(p["quality"], pixels=cell * p["tokens"], x_height=p["x_height"]) for p in picture)),
        "sound": Curve("recogniser of 40 words", tuple(
            Point(p["quality"], rate=p["tokens"]) for p in sound), zero=1 / 40),
        "film": Curve("RapidOCR on a number in a clip", tuple(
            _film_point(p, rows) for p in film)),
    }  # fmt: skip


def _points(topic, instrument):
    return [point for point in measured.curve(topic) if point["instrument"] == instrument]


def _film_point(point, rows):
    """The point with the rate and the size that its tokens were spent on."""
    row = next(row for row in rows if row["tokens"] == point["tokens"])
    return Point(point["quality"], fps=row["fps"], pixels=math.prod(row["size"]))


def plan(request, limit, *, curves=None):
    """What to send of a request so that it fits into `limit` tokens with its answer: a Plan.

    What fits is left as it is. Else media are made smaller, sampled more rarely, coded with fewer codebooks or left out
    where the measured curves say that this loses least: of all combinations the one with the greatest sum of weight
    times quality; of equal sums the one that changes fewest media, then that of fewest tokens, then by the media's own
    numbers, never by their order (equal media: the first gets the most). Words stay. A medium is never read below its
    floor. Tokens are counted with markers, as `interleave` writes them for the model's style.

    curves replaces `measured_curves`, kind by kind: {"picture": Curve(...)}. A curve is its instrument's; what the
    named model would lose nobody measured here.

    Raises ValueError for a limit of 0, a model that does not take a medium, words and answer that leave no room, and
    floors that do not fit; each names the parts and their tokens.
    Source: ours; exact search over few rungs a medium, as in the multiple-choice knapsack problem.

    >>> request = Request("qwen2.5-vl-7b", (Words(40), Picture(1754, 1240), Picture(1754, 1240)), answer=500)
    >>> fitted = plan(request, 4096)
    >>> fitted.before, fitted.tokens, [step.after.how for step in fitted.steps]
    (5588, 1968, [('resized', 1047, 740), ('resized', 1047, 740)])
    """
    request, limit = check_request(request, _KINDS), check_limit(limit)
    curves = measured_curves() | (curves or {})
    row = _config(request.model)
    media = [(place, part) for place, part in enumerate(request.parts) if not isinstance(part, Words)]
    words = sum(part.tokens for part in request.parts if isinstance(part, Words))
    whole = {place: _whole(row, part, place, curves) for place, part in media}
    room, before = limit - request.answer - words, words + sum(rung.tokens for rung in whole.values())
    if before + request.answer <= limit:
        return _planned(request, limit, True, whole, whole, curves)
    if room < 0:
        raise ValueError(
            f"{words} tokens of text and {request.answer} for the answer are {words + request.answer}; "
            f"the limit is {limit}, so nothing is left for {_told_parts(request, whole)}"
        )
    ladders = {place: _ladder(row, part, whole[place], curves) for place, part in media}
    least = sum(ladder[0].tokens for ladder in ladders.values())
    if least > room:
        floors = {place: ladder[0] for place, ladder in ladders.items() if ladder[0].tokens}
        raise ValueError(
            f"{_told_parts(request, floors)} cannot be less without falling below their floors, {least} tokens; "
            f"of {limit} tokens {room} are left for media (lower a floor, or the answer's {request.answer})"
        )
    return _planned(request, limit, False, whole, _best(request, ladders, whole, room), curves)


def _best(request, ladders, whole, room):
    """place -> the Rung that is sent, for ladders place -> [Rung]. Media are searched in an order of their own."""
    values = {
        place: [
            (rung.tokens, request.parts[place].weight * rung.quality * (len(ladders) + 1) + (rung == whole[place]))
            for rung in ladder
        ]
        for place, ladder in ladders.items()
    }
    order = sorted(ladders, key=lambda place: (values[place], place))
    chosen = search([values[place] for place in order], room)
    found = dict(zip(order, chosen, strict=True))
    return {place: ladders[place][rung] for place, rung in found.items()}


def search(ladders, room):
    """The rung of each ladder with the greatest sum of values within `room` tokens: a tuple of indices.

    A ladder is a list of (tokens, value), whole numbers, the cheapest first; of equal sums the one of fewest tokens,
    then the highest rungs of the first ladders. After each ladder, what costs no less and is worth no more than another
    choice is dropped: so few are left, and the best is never among those dropped.

    >>> search([[(0, 0), (5, 3), (9, 8)], [(0, 0), (4, 4)]], 9)
    (2, 0)
    """
    states = [(0, 0, ())]  # tokens, value, rungs so far, by negative index so that the highest comes first
    for ladder in ladders:
        grown = [
            (tokens + cost, value - worth, (*rungs, -rung))
            for tokens, value, rungs in states
            for rung, (cost, worth) in enumerate(ladder)
            if tokens + cost <= room
        ]
        states, least = [], math.inf
        for state in sorted(grown):
            if state[1] < least:
                states.append(state)
                least = state[1]
    return tuple(-rung for rung in states[-1][2])


def search_plain(ladders, room):
    """`search` as the definition reads, looking at every combination: the version to read.

    >>> search_plain([[(0, 0), (5, 3), (9, 8)], [(0, 0), (4, 4)]], 9)
    (2, 0)
    """

    def cost(rungs):
        return sum(ladder[rung][0] for ladder, rung in zip(ladders, rungs, strict=True))

    def key(rungs):
        value = sum(ladder[rung][1] for ladder, rung in zip(ladders, rungs, strict=True))
        return -value, cost(rungs), tuple(-rung for rung in rungs)

    fitting = (rungs for rungs in itertools.product(*map(range, map(len, ladders))) if cost(rungs) <= room)
    return min(fitting, key=key)


def _planned(request, limit, fits, whole, chosen, curves):
    words = sum(part.tokens for part in request.parts if isinstance(part, Words))
    steps = tuple(
        Step(place, request.parts[place].name, whole[place], rung, curves[_kind(request.parts[place])].instrument)
        for place, rung in sorted(chosen.items())
        if rung != whole[place]
    )
    used = dict.fromkeys(curves[_kind(request.parts[place])].instrument for place in sorted(chosen))
    sums = (words + sum(rung.tokens for rung in rungs.values()) for rungs in (chosen, whole))
    each = tuple(chosen.get(place) for place in range(len(request.parts)))
    return Plan(fits, *sums, limit, request.answer, each, steps, tuple(used))


def _told_parts(request, rungs):
    names = [f"{request.parts[place].name} (part {place}, {rung.tokens} tokens)" for place, rung in rungs.items()]
    return ", ".join(names) or "media"


def _told(rung):
    what = {"whole": "as it is", "left out": "left out", "resized": "resized to {}x{}"}
    what |= {"sampled": "{} frames of {}x{}", "coded": "codebooks: {}"}
    return f"{what[rung.how[0]].format(*rung.how[1:])}, {rung.tokens} tokens"


# Ways to send a medium


def _kind(part):
    return type(part).__name__.lower()


def _whole(row, part, place, curves):
    """The medium as it came: a Rung, or an error that names its place."""
    try:
        return _KINDS[type(part)](row, part, curves[_kind(part)])
    except (TypeError, ValueError) as error:
        raise type(error)(f"parts[{place}], {part.name}: {error}") from None


def _ladder(row, part, whole, curves):
    """The ways to send a medium, the cheapest first, each read better than all cheaper ones; and as it is."""
    curve = curves[_kind(part)]
    rungs = [Rung(0, 0, ("left out",)), *_SMALLER[type(part)](row, part, whole, curve), whole]
    floor = min(round(SCALE * part.floor), whole.quality)
    useful = []
    for rung in sorted(rungs, key=lambda rung: (rung.tokens, -rung.quality, rung != whole)):
        better = (
            not useful or rung.quality > useful[-1].quality or rung == whole
        )  # as it is also where it reads no better
        if rung.quality >= floor and rung.tokens <= whole.tokens and better:
            useful.append(rung)
    return useful


def _read_off(points, effort, of):
    """The quality at an effort: on straight lines from 0 through the points, which have theirs at `of`.

    More effort never reads worse: where a measured curve falls, by less than its spread, it is taken to be level.
    """
    before = (0.0, 0.0)
    for point in sorted(points, key=of):
        here = (of(point), max(before[1], point.quality))
        if effort < here[0]:
            share = (effort - before[0]) / (here[0] - before[0])
            return before[1] + share * (here[1] - before[1])
        before = here
    return before[1]


def _picture(row, part, curve, size=None):
    """The rung of a picture at a size, its own unless given."""
    height, width = size or (part.height, part.width)
    tokens, pixels = _image_counts(row, height, width)
    scale = math.sqrt(min(pixels, height * width) / (part.height * part.width))
    quality = _picture_quality(part, curve, min(scale, 1.0))
    return Rung(tokens, curve.above_zero(quality), ("resized", height, width) if size else ("whole",))


def _picture_quality(part, curve, scale):
    if part.x_height is None:
        return _read_off(curve.points, scale**2 * part.height * part.width, lambda point: point.pixels)
    return _read_off(curve.points, scale * part.x_height, lambda point: point.x_height)


def _smaller_pictures(row, part, whole, curve):
    for point in curve.points:
        scale = math.sqrt(point.pixels / (part.height * part.width))
        if part.x_height is not None:
            scale = point.x_height / part.x_height
        size = tuple(max(1, round(side * scale)) for side in (part.height, part.width))
        if scale < 1 and (rung := _if_taken(_picture, row, part, curve, size)):
            yield rung


def _if_taken(make, *arguments):
    """The rung, or None where the model refuses the size."""
    try:
        return make(*arguments)
    except ValueError:
        return None


@functools.lru_cache(4096)
def _image_counts(row, height, width):
    """(tokens with markers, pixels that are looked at) of one picture."""
    tokens = _written(row, Image(height, width), row.images or _medium(row, "image", "clip"))
    if any(group.kind == "cross" for group in row.layers):
        tokens = 1  # a placeholder; the picture is looked at from the side
    if row.images:
        found = images.image_plan(row.images, height, width)
        return (found.tokens if tokens is None else tokens), math.prod(found.resized)
    return tokens, height * width


def _medium(row, kind, field):
    """A field of the row of a medium in the model's style, or None."""
    medium = styles.row(row.style).media.get(kind) if row.style else None
    return getattr(medium, field, None)


def _written(row, part, counted):
    """Tokens of one medium with its markers as the model's style writes it, None where it has no style for it."""
    kind = type(part).__name__.lower()
    if not counted:
        raise ValueError(f"{row.name} takes no {kind}s, or the catalog has no rule from their sizes to its tokens")
    if _medium(row, kind, "layout") is None:
        return None
    return len(interleave([part], style=row.style).ids)


def _film(row, part, curve, size=None):
    """The rung of a clip at (frames, height, width), its own unless given."""
    frames, height, width = size or (_frames(part, part.fps), part.height, part.width)
    tokens, pixels = _film_counts(row, frames, height, width, frames / part.seconds)
    fps, pixels = frames / part.seconds, min(pixels, height * width)
    reached = [point.quality for point in curve.points if point.fps <= fps * NEAR and point.pixels <= pixels * NEAR]
    return Rung(tokens, curve.above_zero(max(reached, default=0.0)), ("sampled", *size) if size else ("whole",))


NEAR = 1.05  # a size is rounded to whole pixels and to whole cells: so near it is still the point's


def _frames(part, fps):
    frames = max(1, round(part.seconds * fps))
    if frames > MOST_FRAMES:
        raise ValueError(
            f"{part.seconds:g} seconds at {fps:g} frames a second are {frames} frames; at most {MOST_FRAMES} are "
            f"counted (up to {MOST_FRAMES / part.seconds:.3g} a second)"
        )
    return frames


def _smaller_films(row, part, whole, curve):
    for point in curve.points:
        fps, scale = min(point.fps, part.fps), math.sqrt(min(1.0, point.pixels / (part.height * part.width)))
        size = _frames(part, fps), *(max(1, round(side * scale)) for side in (part.height, part.width))
        if rung := _if_taken(_film, row, part, curve, size):
            yield rung


@functools.lru_cache(4096)
def _film_counts(row, frames, height, width, fps):
    """(tokens with markers and times, pixels of a frame that are looked at) of one clip."""
    if not row.videos:
        raise ValueError(f"{row.name} takes no films, or the catalog has no rule from their sizes to its tokens")
    found = video.video_plan(row.videos, frames, height, width)
    film = Video(tuple(range(frames)), fps=fps, height=height, width=width, seconds=frames / fps)
    tokens = _written(row, film, row.videos)
    return (found.tokens if tokens is None else tokens), math.prod(found.resized)


CODEBOOKS, CODES_A_SECOND = 8, 100  # of the codec that the book trained


def _sound(row, part, curve, codebooks=None):
    """The rung of a sound: heard whole, or coded with so many codebooks."""
    if not part.coded:
        return Rung(_sound_count(row, part.seconds), SCALE, ("whole",))
    rate = CODES_A_SECOND * (codebooks or CODEBOOKS)
    quality = _read_off(curve.points, rate, lambda point: point.rate)
    tokens = math.ceil(part.seconds * rate)
    return Rung(tokens, curve.above_zero(quality), ("coded", codebooks) if codebooks else ("whole",))


def _smaller_sounds(row, part, whole, curve):
    if part.coded:
        for codebooks in range(1, CODEBOOKS):
            yield _sound(row, part, curve, codebooks)


@functools.lru_cache(4096)
def _sound_count(row, seconds):
    """Tokens with markers; these are as many around every sound, so that a year's is not written out to count them."""
    if not row.sounds:
        raise ValueError(f"{row.name} takes no sounds, or the catalog has no rule from seconds to its tokens")
    tokens = listeners.listener_tokens(row.sounds, seconds)
    if _medium(row, "audio", "layout") is None:
        return tokens
    return tokens + len(interleave([Audio(tokens=1)], style=row.style).ids) - 1


_KINDS = {Picture: _picture, Film: _film, Sound: _sound, Words: None}
_SMALLER = {Picture: _smaller_pictures, Film: _smaller_films, Sound: _smaller_sounds}
