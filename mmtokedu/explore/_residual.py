"""The second figure of sound codes on the Python side: residual stages in the plane, and the best of all their sums."""

import functools
import html
import itertools
import operator
import re

import numpy as np

from mmtokedu.rvq import rvq_decode, rvq_encode

# Four stages of four codes, each half as far as the stage before it, in thousandths of the plane's half side.
CODEBOOKS = (
    ((460, 430), (-450, 460), (-410, -400), (580, -270)),
    ((340, -30), (-130, 310), (-250, 30), (130, -240)),
    ((40, 150), (-170, 30), (-70, -140), (120, -60)),
    ((30, 70), (-90, 20), (-10, -80), (80, -20)),
)
STAGES, K = len(CODEBOOKS), len(CODEBOOKS[0])
STEP = 40  # thousandths between the vectors on which stage by stage is compared with the best of all sums
MOVED = re.compile(r"([a-d])([0-3])_(-?\d+)_(-?\d+)")


def parts(vector, stages):
    """(attributes, data, still figure, its words) for these arguments, or the error that `explore.residual` names."""
    stages = operator.index(stages)
    if not 1 <= stages <= STAGES:
        raise ValueError(f"stages is {stages}; choose 1 to {STAGES}")
    try:
        place = [float(at) for at in vector]
    except (TypeError, ValueError):
        place = []
    if len(place) != 2 or not all(-1 <= at <= 1 for at in place):
        raise ValueError(f"vector is {vector!r}; expected two numbers from -1 to 1")
    x, y = (round(1000 * at) for at in place)
    alt = _in_words(x, y, stages)
    attributes = {"x": x, "y": y, "stages": stages}
    return attributes, {"codebooks": CODEBOOKS, "step": STEP}, _still(x, y, stages, alt), alt


def codebooks(stages, moved=""):
    """The stages' codebooks (stages, K, 2), with codes that were moved: "a0_-200_410.b3_50_0", a being stage 1.

    >>> codebooks(2, "b3_50_0")[1, 3].tolist()
    [0.05, 0.0]
    """
    made = np.array(CODEBOOKS)
    for stage, code, x, y in MOVED.findall(moved):
        made["abcd".index(stage), int(code)] = int(x), int(y)
    return made[:stages] / 1000


def stage_by_stage(vector, books):
    """(codes, length of what is left after 0, 1, ... stages) of a vector (2,), by the library."""
    codes = rvq_encode(vector[None], books)
    left = [vector, *(vector - rvq_decode(codes[:, :q], books[:q])[0] for q in range(1, len(books) + 1))]
    return codes[0].tolist(), [float(np.linalg.norm(one)) for one in left]


def all_sums(books):
    """(codes (K**Q, Q), their sums (K**Q, 2)): all that these codebooks can say."""
    codes = np.array(list(itertools.product(range(books.shape[1]), repeat=len(books))))
    return codes, rvq_decode(codes, books)


def best(vector, books):
    """(codes, length of what is left) of the sum that is nearest to the vector (2,).

    >>> books = codebooks(3)
    >>> stage_by_stage(np.array([-0.72, 0.02]), books)[0], best(np.array([-0.72, 0.02]), books)[0]
    ([1, 3, 1], [2, 1, 1])
    """
    codes, sums = all_sums(books)
    left = np.linalg.norm(vector - sums, axis=1)
    return codes[left.argmin()].tolist(), float(left.min())


@functools.cache
def grid():
    """The vectors (N, 2) of the plane that are asked whether another sum is nearer."""
    line = np.arange(-1000, 1001, STEP) / 1000
    return np.stack([np.tile(line, len(line)), np.repeat(line, len(line))], axis=1)


def elsewhere(books):
    """For each vector of `grid`, whether a sum is nearer than the one that is found stage by stage: bool (N,)."""
    vectors, sums = grid(), all_sums(books)[1]
    left = np.linalg.norm(vectors - rvq_decode(rvq_encode(vectors, books), books), axis=1)
    return np.linalg.norm(vectors[:, None] - sums, axis=2).min(axis=1) < left - 1e-9


def _in_words(x, y, stages):
    vector, books = np.array([x, y]) / 1000, codebooks(stages)
    codes, left = stage_by_stage(vector, books)
    other, least = best(vector, books)
    said = f"A vector at ({x / 1000:g}, {y / 1000:g}) and {stages} stage{'s' * (stages > 1)} of {K} codes: "
    said += f"{', '.join(map(str, codes))}; {left[-1]:.3f} of {left[0]:.3f} is left"
    if least < left[-1] - 1e-9:
        said += f", where the sum of codes {', '.join(map(str, other))} would leave {least:.3f}"
    return said.replace("-", "−") + "."


def _still(x, y, stages, alt):
    """The plane in SVG: each stage's codes around the sum so far, an arrow a stage, what is left as a dashed line."""
    books = codebooks(stages)
    codes, _ = stage_by_stage(np.array([x, y]) / 1000, books)
    at = lambda place: f"{210 + 190 * place[0]:.1f} {210 - 190 * place[1]:.1f}"
    base, drawn = np.zeros(2), ""
    for q, (book, code) in enumerate(zip(books, codes)):
        size = (8, 6.5, 5, 4)[q]
        for k, place in enumerate(base + book):
            mark = f"M{at(place)}m0-{size}l{size} {size}l-{size} {size}l-{size}-{size}z"
            drawn += f'<path d="{mark}" stroke="#b44808" fill="{"#b44808" if k == code else "none"}"/>'
        drawn += f'<path d="M{at(base)}L{at(base + book[code])}" stroke="#b44808" stroke-width="{4 - 0.8 * q:.1f}"/>'
        base = base + book[code]
    end = at(np.array([x, y]) / 1000)
    drawn += f'<path d="M{at(base)}L{end}" stroke="currentColor" stroke-width="2" stroke-dasharray="4 4"/>'
    drawn += f'<path d="M{end}h0" stroke="currentColor" stroke-width="11" stroke-linecap="round"/>'
    said = html.escape(alt)
    return (
        '<figure style="margin:1em 0"><svg viewBox="0 0 420 420" role="img" style="max-width:100%;height:auto" '
        f'width="420" height="420" fill="none" stroke-width="1.5"><title>{said}</title>'
        f'<path d="M6 6h408v408H6z" stroke="currentColor" stroke-opacity=".4"/>{drawn}</svg>'
        f"<figcaption>{said} Diamonds are codes, filled where chosen; the dashed line is what is left.</figcaption>"
        "</figure>"
    )


def golden():
    """Codes, what each stage leaves and the best sum of drawn vectors in drawn codebooks; shares of a plane's grid."""
    rng, chains = np.random.default_rng(31), []
    for i in range(60):
        stages, size = 1 + i % STAGES, int(rng.integers(1, 6))
        books = rng.normal(0, 1, (stages, size, 2)) * 0.5 ** np.arange(stages)[:, None, None]
        for vector in rng.normal(0, 0.6, (6, 2)):
            codes, left = stage_by_stage(vector, books)
            total = rvq_decode(np.array([codes]), books)[0]
            chains.append((books.tolist(), vector.tolist(), codes, left, total.tolist(), *best(vector, books)))
    page = []
    for stages in range(1, STAGES + 1):
        for moved in ("", "a2_-333_-471", "a0_511_77.b3_123_-87"):
            books = codebooks(stages, moved)
            for x, y in rng.integers(-1000, 1001, (12, 2)).tolist():
                vector = np.array([x, y]) / 1000
                page.append((x, y, stages, moved, *stage_by_stage(vector, books), *best(vector, books)))
    grids = [
        (stages, moved, int(elsewhere(codebooks(stages, moved)).sum()))
        for stages in range(1, STAGES + 1)
        for moved in ("", "b3_123_-87")
    ]
    return {"chains": chains, "page": page, "grids": grids}
