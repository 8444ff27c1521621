"""A listener for speech that went through a codec: one word of forty, read by a small network that never heard a codec.

espeak-ng says each word alone, in voices that are in no recording of the book but for the last one's. Those who
teach the network and those who test it are different voices, and the codec learned from none of them.
"""

import re
import subprocess
from typing import NamedTuple

import numpy as np
import torch
from _rvq_metrics import RATE, mel_filters
from torch import nn
from torch.nn import functional as F

from mmtokedu.media.sound import load_sound

WORDS = tuple(
    """zero one two three four five six seven eight nine yes no left right stop go up down
    pin bin tin thin fin sin bad dad sad mad cap cat cab sheep cheap jeep wine vine line fine seat feet""".split()
)
COUNT = len(WORDS)
TEACH = (  # espeak-ng's voices; a variant of one accent is another voice in another accent
    "en-us+f2", "en-us+f4", "en-us+m1", "en-us+m6", "en-us+Alex", "en-us+Jacky", "en-us+steph3", "en-us+iven2",
    "en-us+pedro", "en-us-nyc+aunty", "en-us-nyc+victor", "en-gb-x-rp+f5", "en-gb-x-rp+m2",
    "en-gb-x-rp+Denis", "en-gb-scotland+f3", "en-gb-scotland+m8", "en-029+aunty", "en-029+max", "en-gb-x-gbclan+m5",
    "en-gb-x-gbclan+anika", "en-gb-x-gbcwmd+f2", "en-gb-x-gbcwmd+Michael", "en-us-nyc+steph", "en-us-nyc+m1",
)  # fmt: skip
ASK = (
    "en-us+miguel", "en-gb-x-rp+m7", "en-gb-scotland+linda", "en-029+Gene", "en-us-nyc+shelby",
    "en-gb-x-gbclan+Andrea",  # iris, the book's voice that the codec never heard
)  # fmt: skip
TEACH_AS = (30, 165), (45, 145), (60, 185)  # pitch 0 to 99, words a minute
ASK_AS = (40, 155), (52, 172)

WINDOW = RATE  # samples that the network sees: a second, a word in its middle
RMS, EDGE = 0.07, 0.03  # of a word; seconds kept before and after it
BANDS, FRAME, HOP = 40, 512, 160
STEPS, BATCH, LEARNING_RATE = 900, 32, 2e-3
BANK, WARP = 9000, (0.83, 1.2)  # windows that all seeds learn from; times as fast, and as high, as it was said
HIDDEN = 8, 12  # bands and frames that are hidden from the network in training, at most
JITTER, NEIGHBOUR, GAP = 0.08, 0.5, (0.08, 0.35)  # seconds off the middle; share with words beside it, seconds between
NOISY, NOISE = 0.5, (10.0, 40.0)  # share with noise; dB under the word
BAD = 10.0, 4000  # dB of white noise under the word, Hz: two kinds of bad sound that are tried before any codec
LIMIT = 0.15  # word errors on clean speech above which nothing is measured with a listener
SILENCE = 1e-6  # of a window's greatest power in any band


class Word(NamedTuple):
    """One word as one voice says it: its place in WORDS, and (T,) float32 with an RMS of 0.07."""

    which: int
    voice: str
    sound: np.ndarray


def espeak_version():
    return re.search(r"\d+\.\d+[\w.]*", subprocess.check_output(["espeak-ng", "--version"], text=True))[0]


def spoken(voice, pitch, speed, word):
    """A word by espeak-ng, cut to what is louder than 40 dB under its peak and EDGE around it, (T,) float32."""
    command = ["espeak-ng", "-v", voice, "-p", str(pitch), "-s", str(speed), "--stdout", word]
    return cut_to_speech(load_sound(subprocess.run(command, capture_output=True, check=True).stdout, RATE))


def cut_to_speech(sound):
    """
    >>> len(cut_to_speech(np.pad(np.ones(1600, np.float32), 8000)))
    2560
    """
    loud, edge = np.flatnonzero(np.abs(sound) > 0.01 * np.abs(sound).max()), round(EDGE * RATE)
    sound = np.pad(sound, edge)[loud[0] : loud[-1] + 1 + 2 * edge]
    fade = np.minimum(np.arange(len(sound)), edge) / edge
    sound = sound * fade * fade[::-1]
    return (sound * (RMS / np.sqrt(np.mean(sound**2)))).astype(np.float32)


def vocabulary(voices, manners, say=spoken):
    """Every word by every voice in every manner: a list of Word."""
    return [
        Word(which, voice, say(voice, pitch, speed, word))
        for voice in voices
        for pitch, speed in manners
        for which, word in enumerate(WORDS)
    ]


def window_of(sound, middle):
    """The WINDOW samples around a sample; what lies outside the sound is silence.

    >>> window_of(np.ones(10), 0)[WINDOW // 2 - 1 : WINDOW // 2 + 1].tolist()
    [0.0, 1.0]
    """
    start = int(middle) - WINDOW // 2
    here = sound[max(0, start) : max(0, start + WINDOW)]
    return np.pad(here, (max(0, -start), WINDOW))[:WINDOW]


def excerpt(words, draw):
    """A window to learn from and its word, a little off the middle, words or silence beside it, noise or none.

    It is played faster or slower, as a tape is, so that voices are higher and lower than those of TEACH.
    """
    chosen = words[draw.integers(len(words))]
    parts, start = [chosen.sound], 0
    if draw.random() < NEIGHBOUR:
        before, after = (words[i].sound for i in draw.integers(len(words), size=2))
        gaps = [np.zeros(round(seconds * RATE), np.float32) for seconds in draw.uniform(*GAP, 2)]
        parts, start = [before, gaps[0], *parts, gaps[1], after], len(before) + len(gaps[0])
    middle = start + len(chosen.sound) // 2 + draw.uniform(-JITTER, JITTER) * RATE
    pace = draw.uniform(*WARP)
    times = middle + pace * (np.arange(WINDOW) - WINDOW // 2)
    sound = np.interp(times, np.arange(sum(map(len, parts))), np.concatenate(parts), left=0, right=0)
    if draw.random() < NOISY:
        level = RMS * 10 ** (-draw.uniform(*NOISE) / 20)
        sound = sound + level * draw.standard_normal(WINDOW, np.float32)
    return sound.astype(np.float32), chosen.which


class Recogniser(nn.Module):
    """Which of `words` is in a window of sound: (B, WINDOW) -> scores (B, words).

    >>> Recogniser(5)(torch.randn(2, WINDOW)).shape
    torch.Size([2, 5])
    """

    def __init__(self, words=COUNT):
        super().__init__()
        self.register_buffer("mel", torch.from_numpy(mel_filters(FRAME, BANDS)).float())
        self.register_buffer("taper", torch.hann_window(FRAME))
        layers, inputs = [], BANDS
        for outputs, stride, dilation in ((48, 1, 1), (96, 2, 1), (96, 2, 1), (96, 1, 2)):
            padding = 2 * dilation
            convolution = nn.Conv1d(inputs, outputs, 5, stride, padding=padding, dilation=dilation)
            layers += [convolution, nn.BatchNorm1d(outputs), nn.ReLU()]
            inputs = outputs
        self.layers = nn.Sequential(*layers)
        self.last = nn.Sequential(nn.Dropout(0.2), nn.Linear(2 * inputs, words))

    def forward(self, sound):
        return self.read(self.log_mel(sound))

    def read(self, bands):
        """(B, BANDS, frames) -> scores (B, words)."""
        found = self.layers(bands)
        return self.last(torch.cat([found.mean(-1), found.amax(-1)], dim=1))

    def log_mel(self, sound):
        """Logarithms of the powers in mel bands, (B, BANDS, frames): 60 dB from the loudest down, less their mean."""
        found = torch.stft(sound, FRAME, HOP, window=self.taper, pad_mode="constant", return_complex=True)
        bands = self.mel @ (found.real**2 + found.imag**2)
        floor = SILENCE * bands.amax((1, 2), keepdim=True).clamp(min=1e-9)
        logarithms = torch.maximum(bands, floor).log()
        return (logarithms - logarithms.mean((1, 2), keepdim=True)) / 3


@torch.no_grad()
def bank(words, size=BANK):
    """Windows to learn from, as log mel: (size, BANDS, frames) float16, and the words' places (size,)."""
    draw, model, found = np.random.default_rng(0), Recogniser(), []
    for part in np.array_split(np.arange(size), size // 256 + 1):
        sounds, asked = zip(*(excerpt(words, draw) for _ in part))
        found.append((model.log_mel(torch.from_numpy(np.stack(sounds))).half(), torch.tensor(asked)))
    return tuple(torch.cat(parts) for parts in zip(*found))


def train(bands, asked, seed, steps=STEPS, count=COUNT):
    """A Recogniser that learned a bank, in `eval` mode, and the loss of each step."""
    torch.manual_seed(seed)
    model = Recogniser(count)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    losses = []
    for _ in range(steps):
        chosen = torch.randint(len(asked), (BATCH,))
        loss = F.cross_entropy(model.read(hidden(bands[chosen].float())), asked[chosen])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
        losses.append(loss.item())
    return model.eval(), losses


def hidden(bands):
    """The same (B, BANDS, frames), with a few bands and a few frames at 0, their mean. Source: arXiv 1904.08779."""
    for axis, most in zip((1, 2), HIDDEN):
        size = bands.shape[axis]
        first, count = torch.randint(size - most, (len(bands), 1)), torch.randint(most + 1, (len(bands), 1))
        place = torch.arange(size)
        seen = ((place < first) | (place >= first + count)).float()
        bands = bands * (seen[:, :, None] if axis == 1 else seen[:, None])
    return bands


@torch.no_grad()
def listen(models, windows):
    """What recognisers make of windows (N, WINDOW): the words' places (models, N), and how sure each is (models, N)."""
    found = []
    for part in np.array_split(windows, len(windows) // 256 + 1):
        bands = models[0].log_mel(torch.from_numpy(part))  # the same for all
        found.append(torch.stack([model.read(bands).softmax(1) for model in models]).max(2))
    return torch.cat([f.indices for f in found], 1).numpy(), torch.cat([f.values for f in found], 1).numpy()


def with_noise(sound, draw):
    """White noise at the first of BAD under a word (T,)."""
    level = RMS * 10 ** (-BAD[0] / 20)
    return sound + level * draw.standard_normal(len(sound), np.float32)


def without_highs(sound):
    """A word (T,) without what lies over the second of BAD."""
    spectrum = np.fft.rfft(sound)
    spectrum[np.fft.rfftfreq(len(sound), 1 / RATE) > BAD[1]] = 0
    return np.fft.irfft(spectrum, len(sound)).astype(np.float32)


def middles(words, rebuild=lambda sound: sound):
    """Windows (N, WINDOW) with each Word in the middle, as `rebuild` makes it."""
    return np.stack([window_of(rebuild(word.sound), len(word.sound) // 2) for word in words]).astype(np.float32)


def shares_right(models, windows, words):
    """The share of windows in which each recogniser read the word right: a list."""
    return (listen(models, windows)[0] == [word.which for word in words]).mean(axis=1).tolist()


def settings():
    return {
        "words": WORDS, "teach": TEACH, "ask": ASK, "teach_as": TEACH_AS, "ask_as": ASK_AS, "window": WINDOW,
        "rms": RMS, "edge": EDGE, "bands": BANDS, "frame": FRAME, "hop": HOP, "steps": STEPS, "batch": BATCH,
        "optimizer": f"AdamW, {LEARNING_RATE}, cosine", "jitter": JITTER, "neighbour": NEIGHBOUR, "gap": GAP,
        "bank": BANK, "warp": WARP, "hidden": HIDDEN,
        "noisy": NOISY, "noise": NOISE, "bad": BAD, "limit": LIMIT,
    }  # fmt: skip
