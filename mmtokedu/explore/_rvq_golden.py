"""Golden vectors of the explorable of sound codes: what the library answers, for every codec and every sound."""

import numpy as np

from mmtokedu import rvq
from mmtokedu.explore import _rvq
from mmtokedu.explore._rvq import OURS, codecs, from_mu_law, mu_law, rates, spectrogram

LENGTHS = 0.001, 0.02, 1, 0.04003125, 1.5, 2.79, 30  # seconds, beside those drawn; one is 640 samples and a half


def _tokens(name, row, count, seconds):
    """The library's count with the codec's default number of codebooks, in proportion where that is not asked."""
    if name == OURS:
        return len(rvq.mdct(np.zeros(round(seconds * row["sample_rate"])), row["hop"])) * count
    tokens = rvq.audio_tokens(name, seconds)
    return tokens if row["strides"] else tokens // row["default"] * count


def golden():
    """Rates, tokens and what a context holds for every codec; mu-law's 256 steps; levels of noise and of the sounds."""
    rng, rows = np.random.default_rng(2), codecs()
    drawn = [*rng.uniform(0.001, 15, 30).round(3).tolist(), *rng.uniform(60, 4000, 6).round(2).tolist()]
    used = [(name, row, count) for name, row in rows.items() for count in row["codebooks"]]
    tokens = [
        (name, count, seconds, _tokens(name, row, count, seconds))
        for name, row, count in used
        for seconds in (*LENGTHS, *(drawn if name != OURS else drawn[:30]))
    ]
    noise = np.clip(rng.normal(127.5, 20, (3, 1024)), 0, 255).astype(np.uint8)
    noise[1] = np.rint(127.5 * (1 + 0.9 * np.sin(np.arange(1024) / 3)))
    noise[2] = 128  # as near to silence as 8 bits come
    heard = [spectrogram(from_mu_law(mu_law(sound))) for sound in _rvq.players().sounds]
    return {
        "rates": [(name, count, *rates(name, count)) for name, _, count in used],
        "tokens": tokens,
        "holds": [
            (name, count, size, size / rates(name, count)[0]) for name, _, count in used for size in _rvq.CONTEXTS
        ],
        "mu_law": from_mu_law(np.arange(256)).tolist(),
        "levels": [{"codes": one.tolist(), "levels": spectrogram(from_mu_law(one)).tolist()} for one in noise],
        "heard": [{"frames": len(one), "levels": one[::60].tolist()} for one in heard],
        "durations": [
            (x, _rvq.duration(x)) for x in (0.04, 0.96, 9.999, 59.94, 60.0, 119.2, 327.68, 3599.9, 3600.0, 99999)
        ],
        "shorts": [(x, _rvq.short(x)) for x in (12.5, 82.03125, 99.94, 100.0, 775.195, 1200.0, 2424.24, 50.0)],
    }
