"""The second figure of codebooks on the Python side: one latent, its code, a target, and three gradients.

All three losses are means over the D numbers of the one latent. With D = 2 a mean of squares has the gradient
2/(1 * 2) = 1 times a difference, so that the task's is e - t, the commitment's beta (z - e), the codebook's e - z.
"""

import html
from typing import NamedTuple

import numpy as np

from mmtokedu import vq

RATE = 0.5  # of a step
MOST_BETA = 2
# (latent, target, codes, beta): thousandths, so that every machine writes the same page
PRESETS = {
    "ahead": ((-560, -50), (500, 300), ((-650, -500), (650, 150), (250, -700), (-750, 750)), 0.25),
    "beyond": ((300, 200), (-50, 200), ((-450, -100), (750, -650), (950, 800), (-400, 850)), 0.25),
    "wander": ((-640, 440), (-80, -640), ((-450, -100), (600, -500), (-700, -650), (550, 700)), 0.0),
    "dead": ((-150, -100), (-600, 100), ((100, 350), (-700, 450), (-250, 800), (700, -50)), 0.25),
}


class Outcome(NamedTuple):
    """The code, the task's loss and gradient at it, and the gradients that reach the latent and the codes."""

    code: int
    loss: float
    task: np.ndarray  # (2,) at the code
    to_latent: np.ndarray  # (2,)
    to_codebook: np.ndarray  # (K, 2)


def outcome(z, t, codes, beta, through):
    """The Outcome for a latent z (2,), a target t (2,) and codes (K, 2), by the library's functions.

    >>> outcome(np.array([0.5, 0.0]), np.array([0.0, 1.0]), np.array([[0.0, 0.0], [2.0, 0.0]]), 0.25, True).loss
    0.5
    """
    chosen = vq.nearest_code(z[None], codes)
    e = vq.look_up(chosen, codes)
    task = 2 * (e - t) / e.size  # of ((e - t) ** 2).mean()
    to_vectors, to_codebook = vq.vq_gradients(z[None], codes, chosen, task if through else 0 * task, beta)
    return Outcome(int(chosen[0]), float(((e - t) ** 2).mean()), task[0], to_vectors[0], to_codebook)


def stepped(z, t, codes, beta, through):
    """(latent, codes) after one gradient step."""
    _, _, _, to_latent, to_codebook = outcome(z, t, codes, beta, through)
    return z - RATE * to_latent, codes - RATE * to_codebook


def parts(preset, beta, straight_through):
    """(attributes, data, still figure, its words) for these arguments, or the error that `explore.gradients` names."""
    if preset not in tuple(PRESETS):
        raise ValueError(f"preset is {preset!r}; choose {', '.join(PRESETS)}")
    beta = PRESETS[preset][3] if beta is None else beta
    if not 0 <= beta <= MOST_BETA:
        raise ValueError(f"beta is {beta}; choose 0 to {MOST_BETA}")
    if not isinstance(straight_through, bool):
        raise TypeError(f"straight_through is {straight_through!r}; expected True or False")
    beta = round(float(beta), 2)  # what the page's handle can show
    attributes = {"preset": preset, "beta": beta, "through": "on" if straight_through else "off"}
    z, t, codes = places(preset)
    found = outcome(z, t, codes, beta, straight_through)
    alt = _in_words(found, beta, straight_through)
    return attributes, {"presets": PRESETS, "rate": RATE, "most": MOST_BETA}, _still(z, t, codes, found, alt), alt


def places(preset):
    """A preset's latent (2,), target (2,) and codes (4, 2)."""
    return tuple(np.array(each) / 1000 for each in PRESETS[preset][:3])


def _in_words(found, beta, through):
    idle = [k for k, gradient in enumerate(found.to_codebook) if not gradient.any()]
    x, y = (f"{0 + part:.2f}".replace("-", "−") for part in found.to_latent)
    return (
        f"A latent z snaps to code {found.code} of {len(found.to_codebook)}; the task's loss is {found.loss:.3f}. "
        f"{'With' if through else 'Without'} straight-through and with beta {beta:g} the gradient ({x}, {y}) of length "
        f"{np.hypot(*found.to_latent):.2f} reaches the encoder; codes {', '.join(map(str, idle))} get none."
    )


def _still(z, t, codes, found, alt):
    """The plane in SVG: latent, codes and target, and the arrows against the gradients."""
    at = lambda spot: (210 + 200 * spot[0], 210 - 200 * spot[1])
    e = codes[found.code]
    drawn = ""
    for start, gradient, colour in (
        (e, found.task, "#7c1f70"),
        (z, found.to_latent, "#3b85dc"),
        (e, found.to_codebook[found.code], "currentColor"),
    ):
        drawn += _arrow(np.array(at(start)), np.array(at(start - gradient)), colour)
    for k, code in enumerate(codes):
        x, y = at(code)
        fill = "currentColor" if k == found.code else "none"
        drawn += f'<path d="M{x:.1f} {y - 9:.1f}l8 9l-8 9l-8-9z" stroke="currentColor" fill="{fill}"/>'
        drawn += _name(x + 13, y - 7, k)
    x, y = at(z)
    drawn += f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="#3b85dc"/>{_name(x - 16, y - 7, "z")}'
    x, y = at(t)
    drawn += f'<path d="M{x - 9:.1f} {y:.1f}h18m-9-9v18" stroke="#7c1f70"/>{_name(x + 11, y - 5, "t")}'
    said = html.escape(alt)
    return (
        '<figure style="margin:1em 0"><svg viewBox="0 0 420 420" role="img" style="max-width:100%;height:auto" '
        f'width="420" height="420" fill="none" stroke-width="2" font-size="15"><title>{said}</title>'
        '<path d="M6 6h408v408H6z" stroke="currentColor" stroke-opacity=".4" stroke-width="1"/>'
        f"{drawn}</svg>"
        f"<figcaption>{said} From code {found.code} the purple arrow leads to what the task wants, t, the other "
        "one to z; the blue one at z points against the gradient that reaches the encoder.</figcaption></figure>"
    )


def _name(x, y, name):
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="currentColor">{name}</text>'


def _arrow(a, b, colour):
    """A line from a to b with a head, nothing where it is shorter than a head."""
    if (long := np.hypot(*(b - a))) < 4:
        return ""
    along = (b - a) / long
    side = np.array([-along[1], along[0]])
    (u, v), (p, q) = b - 9 * along + 4 * side, b - 9 * along - 4 * side
    line = f"M{a[0]:.1f} {a[1]:.1f}L{b[0]:.1f} {b[1]:.1f}M{u:.1f} {v:.1f}L{b[0]:.1f} {b[1]:.1f}L{p:.1f} {q:.1f}"
    return f'<path d="{line}" stroke="{colour}"/>'


def golden():
    """The gradients of drawn batches, and outcomes and steps of drawn places and of each preset, far from any tie."""
    rng = np.random.default_rng(25)
    gradients, outcomes = [], []
    for _ in range(40):
        N, K, D = (int(rng.integers(1, most)) for most in (8, 7, 5))
        z, codes, upstream = (rng.normal(0, 0.6, shape) for shape in ((N, D), (K, D), (N, D)))
        chosen, beta = vq.nearest_code(z, codes), float(rng.uniform(0, 2))
        to = vq.vq_gradients(z, codes, chosen, upstream, beta)
        arrays = (each.tolist() for each in (z, codes, chosen, upstream))
        gradients.append([*arrays, beta, [each.tolist() for each in to]])
    drawn = [(*rng.uniform(-1, 1, (2, 2)), rng.uniform(-1, 1, (1 + i % 6, 2)), 2 * rng.random()) for i in range(80)]
    for z, t, codes, beta in [*drawn, *((*places(name), PRESETS[name][3]) for name in PRESETS)]:
        away = np.sort(np.hypot(*(codes - z).T))
        if len(away) > 1 and away[1] - away[0] < 1e-3:
            continue  # a tie
        for through in (True, False):
            found, after = outcome(z, t, codes, beta, through), stepped(z, t, codes, beta, through)
            told = [each.tolist() if isinstance(each, np.ndarray) else each for each in found]
            asked = {"z": z.tolist(), "t": t.tolist(), "codes": codes.tolist(), "beta": beta, "through": through}
            outcomes.append([asked, told, [each.tolist() for each in after]])
    return {"gradients": gradients, "outcomes": outcomes}
