"""How near a rebuilt sound is to the sound, in four numbers that err in four ways."""

import functools

import numpy as np

RATE = 16_000
WINDOW, STEP, BANDS = 1024, 256, 80
RANGE, ACTIVE = 60, 40  # dB under the loudest: what counts at all, and which frames count


def measures(sound, rebuilt):
    """All four for one sound (T,) and its rebuilt version (T,)."""
    return {
        "snr": snr(sound, rebuilt),
        "si_sdr": si_sdr(sound, rebuilt),
        "log_mel": log_mel_distance(sound, rebuilt),
        "stoi": stoi(sound, rebuilt),
    }


def snr(sound, rebuilt):
    """Signal-to-noise ratio in dB: every sample counts, and so do level and phase.

    >>> round(snr(np.ones(4), np.full(4, 0.9)), 6)
    20.0
    """
    sound, rebuilt = np.float64(sound), np.float64(rebuilt)
    return float(10 * np.log10((sound**2).sum() / ((sound - rebuilt) ** 2).sum()))


def si_sdr(sound, rebuilt):
    """The same with the level taken out: dB of the part that is a multiple of the sound over the part that is not.

    Source: Le Roux et al. (arXiv 1811.02508, equation 3).

    >>> sound = np.array([1.0, 1.0, -1.0, -1.0])
    >>> round(si_sdr(sound, 0.5 * sound + [0.05, -0.05, 0.05, -0.05]), 6)
    20.0
    """
    sound, rebuilt = np.float64(sound), np.float64(rebuilt)
    part = (sound @ rebuilt) / (sound @ sound) * sound
    return float(10 * np.log10((part @ part) / ((rebuilt - part) @ (rebuilt - part))))


def log_mel_distance(sound, rebuilt):
    """Mean absolute difference in dB over mel bands: phase is not looked at, quiet bands weigh as much as loud ones.

    80 bands, windows of 64 ms every 16 ms; powers 60 dB under the loudest of the sound are silence, and only frames
    within 40 dB of the loudest count.

    >>> noise = np.random.default_rng(0).standard_normal(16_000)
    >>> round(log_mel_distance(noise, 0.5 * noise), 2)
    6.02
    """
    theirs, ours = mel_power(sound), mel_power(rebuilt)
    floor = theirs.max() * 10 ** (-RANGE / 10)
    theirs, ours = (10 * np.log10(np.maximum(power, floor)) for power in (theirs, ours))
    loud = theirs.mean(axis=1)
    return float(np.abs(theirs - ours)[loud > loud.max() - ACTIVE].mean())


def mel_power(sound):
    """Power in mel bands (frames, BANDS) of a sound (T,), which is filled up with silence to one window at least."""
    sound = np.pad(np.float64(sound), (0, max(0, WINDOW - len(sound))))
    frames = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::STEP] * np.hanning(WINDOW + 1)[:-1]
    return np.abs(np.fft.rfft(frames)) ** 2 @ mel_filters().T


@functools.cache
def mel_filters(window=WINDOW, bands=BANDS):
    """Triangles (bands, window // 2 + 1) at equal distances on the mel scale of O'Shaughnessy, 0 Hz to half the rate.

    >>> mel_filters().shape, bool((mel_filters().sum(axis=1) > 0).all())
    ((80, 513), True)
    """
    frequency = np.linspace(0, RATE / 2, window // 2 + 1)
    corners = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), bands + 2) / 2595) - 1)
    low, middle, high = (corners[i : i + bands, None] for i in range(3))
    return np.maximum(0, np.minimum((frequency - low) / (middle - low), (high - frequency) / (high - middle)))


def stoi(sound, rebuilt):
    """Short-time objective intelligibility, about 0 to 1: how well the envelopes in third octaves agree.

    Source: Taal et al. (IEEE TASLP 19(7), 2011); computed by the package pystoi.
    """
    from pystoi import stoi as found

    return float(found(np.float64(sound), np.float64(rebuilt), RATE))
