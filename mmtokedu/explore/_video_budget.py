"""The second figure of clips on the Python side: a budget spent on frames or on pixels."""

import html
import math

from mmtokedu.arguments.common import check_number
from mmtokedu.catalog.resize import within_area

HEIGHT, WIDTH, SECONDS = 720, 1280, 20  # the clip
FACTOR, TOGETHER = 28, 2  # a token is FACTOR by FACTOR pixels of so many frames, as in Qwen2.5-VL
RATES = (
    0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30,
)  # frames a second  # fmt: skip
BUDGETS, DIGITS, MOMENTS = (256, 512, 1024, 2048, 4096), (12, 18, 28, 48), (0.1, 0.25, 0.5, 1, 2)


def parts(fps, budget, digits, moment, limit):
    """(attributes, data, still figure, its words) for these arguments, or the error of `explore.video_budget`."""
    asked = {"fps": (fps, RATES), "budget": (budget, BUDGETS), "digits": (digits, DIGITS), "moment": (moment, MOMENTS)}
    for name, (value, known) in asked.items():
        if value not in known:
            raise ValueError(f"{name} is {value!r}; choose {', '.join(map(str, known))}")
    limit = check_number(limit, "limit", "pixels")
    attributes = {name: known[known.index(value)] for name, (value, known) in asked.items()}
    alt = _in_words(fps, budget, digits, moment, limit)
    return attributes, _data(limit), _still(fps, budget, digits, moment, limit, alt), alt


def spent(budget, fps):
    """((height, width), tokens): the size each frame is shrunk to within a budget of tokens, and what the clip takes.

    >>> spent(1024, 2)
    ((140, 252), 900)
    """
    groups = math.ceil(round(SECONDS * fps) / TOGETHER)
    height, width = within_area(HEIGHT, WIDTH, FACTOR, 0, budget * FACTOR**2 // groups)
    return (height, width), groups * height * width // FACTOR**2


def outcome(fps, budget, digits, moment, limit):
    """(height of the digits in pixels, share of moments that are caught, share caught and readable)."""
    (height, _), _ = spent(budget, fps)
    tall, caught = digits * height / HEIGHT, min(1, moment * fps)
    return tall, caught, caught if tall >= limit else 0


def _data(limit):
    return {
        "height": HEIGHT, "width": WIDTH, "seconds": SECONDS, "factor": FACTOR, "together": TOGETHER, "rates": RATES,
        "budgets": BUDGETS, "digits": DIGITS, "moments": MOMENTS, "limit": limit, "text": "4827",
        "about": f"digits of {limit:g} px and more can be read by a reader who is told where they stand.",
    }  # fmt: skip


def _in_words(fps, budget, digits, moment, limit):
    (height, width), tokens = spent(budget, fps)
    tall, caught, both = outcome(fps, budget, digits, moment, limit)
    return (
        f"A clip of {SECONDS} s within {budget:,} tokens at {fps:g} frame{'s' * (fps != 1)} a second: frames of "
        f"{height} × {width} px, {tokens:,} tokens. A moment of {moment:g} s is caught in {caught:.0%} of all cases, "
        f"digits of {digits} px are {tall:.1f} px high: {both:.0%} caught and readable."
    ).replace("%", " %")


def _still(fps, budget, digits, moment, limit, alt):
    """Height of the digits against frames a second, both in logarithms, the limit of reading and the chosen rate."""
    x = lambda f: 50 + 570 * math.log(f / RATES[0]) / math.log(RATES[-1] / RATES[0])
    y = lambda px: 180 - 160 * math.log(min(max(px, 0.5), 20) / 0.5) / math.log(40)
    tall = [outcome(f, budget, digits, moment, limit)[0] for f in RATES]
    line = "M" + "L".join(f"{x(f):.1f} {y(px):.1f}" for f, px in zip(RATES, tall, strict=True))
    chosen = tall[RATES.index(fps)]
    marks = "".join(
        f'<text x="{x(f):.0f}" y="200" text-anchor="middle">{f:g}</text>' for f in (0.25, 0.5, 1, 2, 4, 8, 15)
    )
    marks += "".join(f'<text x="42" y="{y(px) + 5:.0f}" text-anchor="end">{px}</text>' for px in (1, 2, 5, 10, 20))
    said = html.escape(alt)
    return (
        '<figure style="margin:1em 0"><svg viewBox="0 0 640 228" role="img" style="max-width:100%;height:auto" '
        f'width="640" height="228" fill="currentColor" font-size="15"><title>{said}</title>'
        f'<path d="M50 {y(limit):.1f}h570" stroke="#8f897a" stroke-dasharray="5 4"/>'
        '<path d="M50 12v168h570" fill="none" stroke="currentColor" stroke-opacity=".5"/>'
        f'<path d="{line}" fill="none" stroke="#08553a" stroke-width="2.5"/>'
        f'<circle cx="{x(fps):.1f}" cy="{y(chosen):.1f}" r="7" fill="#08553a"/>{marks}'
        f'<text x="60" y="{y(limit) + 16:.0f}">too small to read: under {limit:g} px</text>'
        '<text x="60" y="18">height of the digits, px</text>'
        '<text x="620" y="220" text-anchor="end">frames a second</text>'
        f"</svg><figcaption>{said}</figcaption></figure>"
    )


def golden():
    """Sizes and tokens of every budget and rate, and what becomes of every number and moment."""
    sizes = [(budget, fps, *spent(budget, fps)) for budget in BUDGETS for fps in RATES]
    outcomes = [
        (fps, budget, digits, moment, *outcome(fps, budget, digits, moment, 3.5))
        for budget in BUDGETS for fps in RATES for digits in DIGITS for moment in MOMENTS
    ]  # fmt: skip
    return {"spent": sizes, "outcomes": outcomes}
