"""What a stack of codebooks does to speech, what a network adds, and what three ways to lay the codes out cost.

    python experiments/rvq.py                    everything; rewrites mmtokedu/data/results/rvq.json, the shipped codec
                                                 (mmtokedu/data/rvq/codec.npz) and what the book plays
    python experiments/rvq.py --scratch FOLDER   the same, but finished parts are kept in FOLDER and found there again
    python experiments/rvq.py --quick            a few cells of each, printed, nothing written
    python experiments/rvq.py listener long      these parts alone; keeps what else is stored (needs espeak-ng)
    python experiments/rvq.py recognisers        the same; needs the packages of experiments/_rvq_recognisers.py

K-means. The frames of a fixed transform, the MDCT, go through eight codebooks made by k-means, with NumPy alone, at
three frame rates. Beside it Gaussian noise, for which theory knows the most that a stage can gain.

Codec. The same transform with small networks around the codebooks, trained for about 20 and 80 seconds,
with quantizer dropout 0, 1/2 and 1; and a SEANet on raw samples in the same time. All are tested on sentences that
nobody said in training, by voices of the training and by a voice that was never heard. The speech is synthetic.

Streams. The same small transformer learns the codes of the shipped codec flattened, in parallel and delayed.

Everything so far runs on one thread, the parts one after the other, in about 20 minutes. Then, each alone or after it:

recognisers  those that bring their weights along, on clean sentences: over .15 word errors none is used
listener     forty words through each of the codecs, read by a small network that was taught the words by other voices,
             half of the time with noise 10 to 40 dB under the word (_rvq_listener.py); with the STOI of sentences from
             the tables above it gives the curve
long         a word across the border of two chunks, which overlap by 0, 0.5 and 1 second (_rvq_long.py)
arms         one sentence as each of the codecs makes it at 6.4 kbit/s, to be heard

Predictions, 2026-11-30, written before any of these four was run, but for this: Whisper base had been tried on the
clean sentences (greedy: .30 and .55 word errors), and pocketsphinx earlier (.87). STOI of all codecs was known.

A first listener, taught by 19 voices as they are, erred in .14 of the clean words: in none of four voices, in .38 and
.48 of two. Before any listener heard a codec it was given five teachers more, all played faster and slower: .14 again,
.40 in the two. Their formants are no person's: the third of one lies at 9 % of where its accent has it, the second of
the other at 150 %. Two voices took their place, unheard, whose first three formants lie at 75 to 140 %.

The second listener is the one whose numbers are stored. After it had heard the shipped codec it was asked about words
with noise and words without highs, to learn how much bad sound it stands; rows of its own say so. A third, taught with
louder noise, uneven loudness and missing highs, stood at .87 clean, .23 with the noise and .82 without highs after 850
steps of one seed, and was given up for want of time. The predictions are those made before the first.

1  Clean words of new voices: .05 to .10 errors. Confused are pin, tin, thin, fin, and wine, vine.
2  The shipped codec: .50 right with one codebook, .85 with four, with eight within .05 of clean. Each doubling gains
   less than the one before it.
3  K-means of the same frames, at the same bits: within .05 of the codec at one and at eight codebooks, as its STOI is.
4  500 steps: .03 under the shipped codec at eight, within the spread at one.
5  SEANet, whose STOI hardly leaves .5: under .30 right at eight, yet over a guess (.025). (Not made.)
6  Over all codecs and codebooks, STOI of sentences and words right agree in order: a rank correlation over .9.
7  Long: without overlap a word cut in its middle is right less than half the time, one with a tenth cut off is within
   .10 of the whole. Over all cuts .6 of the words that are right in one piece.
8  Half a second of overlap is within .02 of the sound in one piece; a whole second is no better.
9  The codec's own borders do not matter: joined without overlap within .02 of one piece.
10 To ask both chunks and to take the surer answer gains without overlap, by .05 or more.

What came out: 1 was too dark (.03). Not 2: .36, .44, .49 and .46 through 1, 2, 4 and 8, and .63 with nothing quantized,
so that the network costs more words than the codebooks do. Not 3: k-means has .18 with one and .31 with eight. 4 with
one; with eight it is .11 under. 5 was not made. Not 6: the correlation is .3, since STOI rises with codebooks where
words do not, and sees no difference between k-means, 500 and 1,800 steps (.81) where words do (.31, .34, .46). 7 for a
word cut in its middle (.43) and for a tenth cut off (.95); over all .73 of what is right in one piece. 8 and 9. Not 10:
the surer answer is right less often, by .02. The listener stands little: it reads .10 of words with the noise.
"""

import argparse
import datetime
import hashlib
import json
import math
import re
import tempfile
import time
from pathlib import Path

import numpy as np
from _results import as_text, device, head, versions
from _rvq_metrics import measures
from tqdm import tqdm

import mmtokedu
from mmtokedu import samples, vq
from mmtokedu.rvq import bitrate, imdct, mdct, rvq_decode, rvq_encode, sound_levels

DATA = Path(mmtokedu.__file__).parent / "data"
RESULTS = DATA / "results" / "rvq.json"
CODEC, HEARD, ARMS_HEARD = DATA / "rvq" / "codec.npz", DATA / "rvq" / "heard.flac", DATA / "rvq" / "heard_arms.flac"

RATE, Q, K = 16_000, 8, 256
TESTS = "new_sentences", "new_voice"
SEEDS = 0, 1, 2
RESTART_BELOW = 0.1  # of the average usage

# K-means: a codebook a stage, no network

STACKS = (320, False), (160, False), (160, True), (64, False)  # hop in samples, restarts
NOISE = 64  # the hop at which noise is measured too


def residual_kmeans(vectors, K, stages, draw):
    """Codebooks (stages, K, D), each the k-means of what those before it left: the chapter shows this loop."""
    codebooks = []
    for _ in range(stages):
        codebook = vq.kmeans_init(vectors, K, draw.random(len(vectors))).embed
        codebooks.append(codebook)
        vectors = vectors - vq.look_up(vq.nearest_code(vectors, codebook), codebook)
    return np.stack(codebooks)


def residual_kmeans_with_restarts(vectors, K, stages, draw, iterations=20):
    """The same with care: twice the iterations, and means with few vectors are put elsewhere until the last two."""
    codebooks = []
    for _ in range(stages):
        state = vq.ema_state(draw.permutation(vectors)[:K])
        for left in reversed(range(iterations)):
            state = vq.ema_update(state, vectors, vq.nearest_code(vectors, state.embed), 0.0)
            if left > 1:
                threshold = RESTART_BELOW * state.usage.mean()
                state = vq.restart_dead_codes(state, vectors, threshold, draw.random(len(vectors)))
        codebooks.append(state.embed)
        vectors = vectors - vq.look_up(vq.nearest_code(vectors, state.embed), state.embed)
    return np.stack(codebooks)


def frames_of(split, hop):
    """The MDCT frames of all recordings of a split, (N, hop)."""
    return np.concatenate([mdct(recording.sound, hop) for recording in samples.speech(split)])


def stage_gains(vectors, codebooks):
    """How many dB each stage adds to the signal-to-noise ratio of these vectors (N, D).

    >>> stage_gains(np.array([[1.1]]), np.array([[[0.0], [1.0]], [[0.0], [0.09]]])).round(1).tolist()
    [20.8, 20.0]
    """
    codes, left = rvq_encode(vectors, codebooks), [(vectors.astype(np.float64) ** 2).sum()]
    for stages in range(1, len(codebooks) + 1):
        rest = np.subtract(vectors, rvq_decode(codes[:, :stages], codebooks), dtype=np.float64)
        left.append((rest**2).sum())
    return -10 * np.diff(np.log10(left))


def theory(K, D):
    """The most that one stage of K codes gains on Gaussian noise of D dimensions, in dB, had D no end.

    A code has log2 K bits, log2(K) / D a dimension, and each bit a dimension halves the error's amplitude.

    >>> round(theory(256, 64), 2)
    0.75
    """
    return 20 * math.log10(2) * math.log2(K) / D


def run_kmeans(hop, restarts, seed):
    """One stack of codebooks: what it does to the held-out speech, and the gain of every stage."""
    learn = residual_kmeans_with_restarts if restarts else residual_kmeans
    draw, began = np.random.default_rng(seed), time.process_time()
    learned = frames_of("train", hop)
    codebooks = learn(learned, K, Q, draw)
    seconds = time.process_time() - began

    def rebuild(sound):
        codes = rvq_encode(mdct(sound, hop), codebooks)
        return {q: imdct(rvq_decode(codes[:, :q], codebooks), len(sound)) for q in range(1, Q + 1)}

    gains = {"train": stage_gains(learned, codebooks)}
    gains |= {split: stage_gains(frames_of(split, hop), codebooks) for split in TESTS}
    if hop == NOISE:
        noise = draw.standard_normal((2, len(learned), hop), np.float32)  # as many to learn from, as many to test on
        of_noise = learn(noise[0], K, Q, draw)
        gains |= {"noise, learned from": stage_gains(noise[0], of_noise), "noise, new": stage_gains(noise[1], of_noise)}
    return {
        "tests": {split: test(split, rebuild) for split in TESTS},
        "gains": {name: found.tolist() for name, found in gains.items()},
        "vectors": len(learned),
        "seconds": seconds,
    }


def test(split, rebuild):
    """The mean measures over a split: a dict stages -> measures. `rebuild` gives a dict stages -> sound of a sound."""
    found = {}
    for recording in samples.speech(split):
        for stages, rebuilt in rebuild(recording.sound).items():
            found.setdefault(str(stages), []).append(measures(recording.sound, rebuilt))
    return {
        stages: {name: float(np.mean([m[name] for m in each])) for name in each[0]} for stages, each in found.items()
    }


# Codec: networks around the codebooks

LIVE, LONG = 500, 1800  # steps: about 20 and 80 seconds of one core
ARMS = {  # name -> (architecture, steps, quantizer dropout, seeds)
    "live": ("mdct", LIVE, 0.5, SEEDS[:2]),
    "long": ("mdct", LONG, 0.5, SEEDS[:2]),
    "long, dropout 0": ("mdct", LONG, 0.0, SEEDS[:2]),
    "long, dropout 1": ("mdct", LONG, 1.0, SEEDS[:2]),
    "SEANet": ("seanet", 450, 0.5, SEEDS[:1]),
}
SHIPS = "long", SEEDS[0]


def run_codec(arm, seed, path):
    """Train one codec, keep its weights at `path` and measure what was kept, in float16."""
    import torch

    from mmtokedu.nn import codec as nn

    speech = [torch.from_numpy(recording.sound) for recording in samples.speech("train")]
    began = time.process_time()
    model, losses = train_codec(arm, seed, speech)
    seconds = time.process_time() - began
    if ARMS[arm][0] == "mdct":
        nn.save(model, path)
        model = nn.load(path)
    used = [vq.codebook_usage(column, K) for column in torch.cat([model.encode(s[None])[0] for s in speech]).numpy().T]
    return {
        "tests": {split: test(split, lambda sound: rebuild_all(model, sound)) for split in TESTS},
        "numbers": sum(p.numel() for p in model.parameters()),
        "loss": float(np.mean(losses[-50:])),
        "perplexity": [usage.perplexity for usage in used],
        "seconds": seconds,
    }


def train_codec(arm, seed, speech):
    """One codec, trained on a list of sounds (T,), and the loss of each step."""
    import torch

    from mmtokedu.nn import codec as nn

    architecture, steps, dropout, _ = ARMS[arm]
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    model = architecture_named(architecture)(Q=Q, K=K, dropout=dropout)
    return model, nn.train(model, speech, steps)


def architecture_named(name):
    from _rvq_seanet import SeanetCodec

    from mmtokedu.nn.codec import SpeechCodec

    return {"mdct": SpeechCodec, "seanet": SeanetCodec}[name]


def rebuild_all(model, sound, stages=None):
    """What a codec makes of a sound (T,): a dict from 1 ... Q stages, and from "unquantized", to a sound (T,).

    With stages, a list, of these alone.
    """
    import torch

    with torch.no_grad():
        sound = torch.from_numpy(sound)[None]
        codes, length = model.encode(sound), sound.shape[1]
        found = {
            q: model.decode(codes[..., :q], length)[0].numpy() for q in (range(1, Q + 1) if stages is None else stages)
        }
        return found if stages is not None else found | {"unquantized": model(sound, quantize=False).sound[0].numpy()}


# The sentence that the book plays

PLAYED = "new_voice", 2  # "Trust your ears first, and only then the number in the table."


def play(model):
    """The sentence, then what 1 ... Q codebooks make of it, as loud as the sentence: (1 + Q, T) int16."""
    split, which = PLAYED
    sound = samples.speech(split)[which].sound
    rebuilt, level = rebuild_all(model, sound), sound_levels(sound).rms
    loud = [rebuilt[stages] * (level / sound_levels(rebuilt[stages]).rms) for stages in range(1, Q + 1)]
    together = np.stack([sound, *loud]).astype(np.float64)
    if np.abs(together).max() > 0.95:
        raise SystemExit(f"a sound reaches {np.abs(together).max():.2f} of full scale; it must not clip")
    return np.rint(32768 * together).astype(np.int16)


def levels_of(heard):
    """RMS, peak and clipped samples of every sound that is played: a dict from the number of codebooks to a sound."""
    rows = []
    for stages, sound in heard.items():
        levels = sound_levels(sound)
        clipped = round(levels.clipped * len(sound))
        rows.append(
            {"Q": stages or None, "rms": round(levels.rms, 5), "peak": round(levels.peak, 4), "clipped": clipped}
        )
    return rows


# Streams

STREAM_SEEDS = SEEDS


def stream_data(model):
    """Codes of the first codebooks: clips to learn from, each sentence from several starting samples, and windows."""
    import torch
    from _rvq_streams import SHIFTS, STAGES, windows

    def codes(sound):
        return model.encode(torch.from_numpy(sound)[None])[0, :, :STAGES].numpy()

    clips = [codes(recording.sound[shift:]) for recording in samples.speech("train") for shift in SHIFTS]
    return clips, windows([codes(recording.sound) for split in TESTS for recording in samples.speech(split)])


def run_streams(layout, seed, path):
    from _rvq_streams import run_stream

    from mmtokedu.nn.codec import load

    return run_stream(layout, seed, *stream_data(load(path)), K)


def stream_settings():
    import _rvq_streams as s

    return {
        "codes": "the shipped codec's first codebooks", "codebooks": s.STAGES, "K": K, "window_frames": s.FRAMES,
        "updates": s.UPDATES, "windows_an_update": s.BATCH, "optimizer": f"AdamW, {s.LEARNING_RATE}",
        "shifts": list(s.SHIFTS), "width": s.WIDTH, "layers": s.LAYERS, "heads": s.HEADS, "seeds": STREAM_SEEDS,
        "bits_are": "of a frame's codes, the mean over held-out windows; a window's first frame has no past",
    }  # fmt: skip


# Tables


DIGITS = {"seconds": 1, "updates_per_second": 2, "log_mel": 3, "stoi": 4, "perplexity": 1, "loss": 4}


def rounded(name, value):
    return value if isinstance(value, int) else round(value, DIGITS.get(name, 3))


def spread(name, each):
    """Mean, least, greatest and each seed's value.

    >>> spread("snr", [3.0, 5.0])
    {'mean': 4.0, 'low': 3.0, 'high': 5.0, 'each': [3.0, 5.0]}
    """
    each = [rounded(name, value) for value in each]
    return {"mean": rounded(name, float(np.mean(each))), "low": min(each), "high": max(each), "each": each}


def test_rows(named, frame_rate, runs):
    """One row a split and number of codebooks: bits a second, and the spread of every measure over the runs."""
    rows = []
    for split in TESTS:
        for stages, first in runs[0]["tests"][split].items():
            row = {"split": split, "Q": None if stages == "unquantized" else int(stages)}
            row["bits_per_second"] = None if row["Q"] is None else bitrate(frame_rate, row["Q"], K)
            each = {name: [run["tests"][split][stages][name] for run in runs] for name in first}
            rows.append(named | row | {name: spread(name, values) for name, values in each.items()})
    return rows


def kmeans_tables(done):
    """done: (hop, restarts) -> the runs of its seeds."""
    rows, stages, trained = [], [], []
    for (hop, restarts), runs in done.items():
        named = {"hop": hop, "frame_rate": RATE / hop, "restarts": restarts}
        rows += test_rows(named, RATE / hop, runs)
        for vectors in runs[0]["gains"]:
            gains = np.array([run["gains"][vectors] for run in runs])
            found = {"gain": gains.mean(axis=0), "low": gains.min(axis=0), "high": gains.max(axis=0)}
            found = {name: values.round(3).tolist() for name, values in found.items()}
            stages.append(named | {"vectors": vectors, "theory": round(theory(K, hop), 3)} | found)
        seconds = spread("seconds", [run["seconds"] for run in runs])
        trained.append(named | {"vectors": runs[0]["vectors"], "seconds": seconds})
    return {"settings": kmeans_settings(), "rows": rows, "stages": stages, "trained": trained}


def kmeans_settings():
    return {
        "rate": RATE, "stacks": STACKS, "Q": Q, "K": K, "iterations": 10, "iterations_with_restarts": 20,
        "restart_below": RESTART_BELOW, "noise": NOISE, "seeds": SEEDS,
    }  # fmt: skip


def codec_tables(done):
    """done: arm -> the runs of its seeds."""
    rows, trained = [], []
    for arm, runs in done.items():
        architecture, steps, dropout, seeds = ARMS[arm]
        named = {"arm": arm, "architecture": architecture, "steps": steps, "dropout": dropout, "seeds": len(seeds)}
        rows += test_rows(named, RATE / 160, runs)
        each = {name: spread(name, [run[name] for run in runs]) for name in ("seconds", "loss")}
        perplexity = np.mean([run["perplexity"] for run in runs], axis=0).round(1).tolist()
        trained.append(named | {"numbers": runs[0]["numbers"], "perplexity": perplexity} | each)
    return {"settings": codec_settings(), "rows": rows, "trained": trained}


def codec_settings():
    return {
        "rate": RATE, "hop": 160, "Q": Q, "K": K, "width": 64, "hidden": 128, "batch": 4, "excerpt_seconds": 0.8,
        "optimizer": "AdamW, 0.002, cosine", "warm_up": 0.15, "commitment": 0.25, "decay": 0.99, "restart_below": 0.1,
        "weights": "float16, as they are shipped; the SEANet's float32", "ships": {"arm": SHIPS[0], "seed": SHIPS[1]},
    }  # fmt: skip


def stream_tables(done, fixed, plain):
    """done: layout -> the runs of its seeds."""
    rows, curves = [], []
    for layout, runs in done.items():
        named = {"layout": layout, "positions": runs[0]["positions"], "numbers": runs[0]["numbers"]}
        spreads = {name: spread(name, [run[name] for run in runs]) for name in runs[0]
                   if name not in ("positions", "numbers", "curve")}  # fmt: skip
        rows.append(named | spreads)
        for points in zip(*(run["curve"] for run in runs)):
            curves.append({"layout": layout, "update": points[0]["update"]}
                          | {"bits": spread("bits", [point["bits"] for point in points])})  # fmt: skip
    none = {"fixed_bits": fixed, "frequencies_bits": rounded("bits", plain)}
    return {"settings": stream_settings(), "without_a_model": none, "rows": rows, "curves": curves}


# Together


class Scratch:
    """Finished parts as files in a folder: a part that is there is not run again.

    A file's name holds the part's settings, not its code: start from an empty folder after changing what a part does.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def part(self, title, settings, function, *arguments):
        path = self.path(title, settings, ".json")
        if not path.exists():
            path.write_text(json.dumps(function(*arguments)), encoding="utf-8")
        return json.loads(path.read_text(encoding="utf-8"))

    def path(self, title, settings, suffix):
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
        return self.folder / f"{re.sub('[^A-Za-z0-9]+', '-', title)}-{digest}{suffix}"


def run_all(scratch):
    """Every part, one after the other: (tables, the shipped codec's file)."""
    import torch
    from _rvq_streams import LAYOUTS, STAGES, without_context

    from mmtokedu.nn.codec import load

    torch.set_num_threads(1)
    progress = tqdm(total=sum(len(arm[3]) for arm in ARMS.values()) + len(STACKS) * len(SEEDS) + 3 * len(STREAM_SEEDS))

    def part(title, settings, *call):
        found = scratch.part(title, settings, *call)
        progress.update()
        return found

    def trained(arm, seed):
        settings = [codec_settings(), ARMS[arm][:3]]
        weights = scratch.path(f"codec-{arm}-{seed}", settings, ".npz")
        return part(f"codec-{arm}-{seed}", settings, run_codec, arm, seed, weights), weights

    without = lambda settings, *names: {name: value for name, value in settings.items() if name not in names}
    codecs = {arm: [trained(arm, seed) for seed in ARMS[arm][3]] for arm in ARMS}
    shipped = codecs[SHIPS[0]][SHIPS[1]][1]
    settings = without(stream_settings(), "seeds") | {"codec": shipped.name}
    streams = {
        layout: [part(f"streams-{layout}-{s}", settings, run_streams, layout, s, shipped) for s in STREAM_SEEDS]
        for layout in LAYOUTS
    }
    settings = without(kmeans_settings(), "stacks", "seeds")
    kmeans = {stack: [part(f"kmeans-{stack}-{s}", settings, run_kmeans, *stack, s) for s in SEEDS] for stack in STACKS}
    progress.close()
    codecs = {arm: [run for run, _ in runs] for arm, runs in codecs.items()}
    plain = without_context(*stream_data(load(shipped)), K)
    parts = [run for table in (kmeans, codecs, streams) for runs in table.values() for run in runs]
    seconds = sum(run["seconds"] for run in parts)  # of the processor, also of parts that were found
    return {
        "kmeans": kmeans_tables(kmeans),
        "codec": codec_tables(codecs),
        "streams": stream_tables(streams, STAGES * math.log2(K), plain),
        "training_seconds": round(seconds),
    }, shipped


# The parts after it: what a listener reads, and what is heard

COMPARED = {  # name -> what makes it again, all at 100 frames a second and seed 0
    "1,800 steps": "long",
    "k-means": (160, True),
    "500 steps": "live",
}
ASKED = 1, 2, 4, 8  # codebooks of those that do not ship
LISTENERS = SEEDS  # of the recogniser
INSTRUMENTS = "recogniser of 40 words, ours", "STOI, new voice"


def rebuilder(name, scratch, stages):
    """What `name` of COMPARED makes of a sound, at each of `stages`: a function from a sound to a dict of sounds."""
    if not isinstance(COMPARED[name], tuple):
        model = trained_codec(COMPARED[name], scratch)
        return lambda sound: rebuild_all(model, sound, stages)
    hop, restarts = COMPARED[name]
    learn = residual_kmeans_with_restarts if restarts else residual_kmeans
    codebooks = learn(frames_of("train", hop), K, Q, np.random.default_rng(0))

    def rebuild(sound):
        codes = rvq_encode(mdct(sound, hop), codebooks)
        return {q: imdct(rvq_decode(codes[:, :q], codebooks), len(sound)) for q in stages}

    return rebuild


def trained_codec(arm, scratch):
    """The codec of an arm's first seed: the shipped one, or trained once more and kept in the scratch folder."""
    import torch

    from mmtokedu.nn import codec as nn

    if (arm, 0) == SHIPS:
        return nn.load(CODEC)
    path = scratch.path(f"again-{arm}-0", [codec_settings(), ARMS[arm][:3]], ".npz")
    if not path.exists():
        nn.save(train_codec(arm, 0, [torch.from_numpy(r.sound) for r in samples.speech("train")])[0], path)
    return nn.load(path)


def words_said(voices, manners, scratch):
    """Every word by every voice in every manner, a list of Word; a voice's words are kept in the scratch folder."""
    import _rvq_listener as ear

    said = []
    for voice in voices:
        path = scratch.path(f"words-{voice}", [manners, ear.WORDS, ear.EDGE, ear.RMS], ".npz")
        if not path.exists():
            np.savez(path, *(word.sound for word in ear.vocabulary([voice], manners)))
        with np.load(path) as stored:
            said += [ear.Word(i % ear.COUNT, voice, stored[key]) for i, key in enumerate(stored.files)]
    return said


def recognisers(scratch):
    """The listener, trained once a seed; each is kept in the scratch folder."""
    import _rvq_listener as ear
    import torch

    torch.set_num_threads(1)
    taught = {name: value for name, value in ear.settings().items() if name not in ("ask", "ask_as", "bad", "limit")}
    paths = {seed: scratch.path(f"listener-{seed}", taught, ".pt") for seed in LISTENERS}
    if not all(path.exists() for path in paths.values()):
        bank = ear.bank(words_said(ear.TEACH, ear.TEACH_AS, scratch))
    models = []
    for seed, path in paths.items():
        if not path.exists():
            torch.save(ear.train(*bank, seed)[0].state_dict(), path)
        models.append(ear.Recogniser())
        models[-1].load_state_dict(torch.load(path, weights_only=True))
    return [model.eval() for model in models]


def run_listener(scratch, stored):
    """Words right: clean, and through one codec after the other, the shipped one first. Yields what there is so far."""
    import _rvq_listener as ear

    ask, models = words_said(ear.ASK, ear.ASK_AS, scratch), recognisers(scratch)
    clean = ear.middles(ask)
    read, _ = ear.listen(models, clean)
    right = read == [word.which for word in ask]
    errors = spread("errors", (1 - right.mean(axis=1)).tolist())
    if errors["high"] > ear.LIMIT:
        raise SystemExit(f"the listener errs in {errors['each']} of clean words; the limit is {ear.LIMIT}")
    voices = [
        {"voice": voice, "right": spread("right", right[:, [w.voice == voice for w in ask]].mean(axis=1).tolist())}
        for voice in ear.ASK
    ]
    nothing, draw = dict.fromkeys(("Q", "tokens", "bits_per_second", "stoi")), np.random.default_rng(0)
    rows = [{"codec": "clean"} | nothing | {"right": spread("right", right.mean(axis=1).tolist())}]
    for bad, make in (("noise", lambda sound: ear.with_noise(sound, draw)), ("no highs", ear.without_highs)):
        shares = ear.shares_right(models, ear.middles(ask, make), ask)
        rows.append({"codec": bad} | nothing | {"right": spread("right", shares)})
    taught = {name: value for name, value in ear.settings().items() if name != "bad"}
    model = trained_codec(SHIPS[0], scratch)
    shares = ear.shares_right(models, ear.middles(ask, lambda sound: rebuild_all(model, sound)["unquantized"]), ask)
    rows.append({"codec": "1,800 steps, unquantized"} | nothing | {"right": spread("right", shares)})
    found = {"clean_errors": errors, "asked": len(ask), "guess": 1 / ear.COUNT, "rows": rows, "voices": voices}
    found["confused"] = confused(read, ask)
    for name in COMPARED:
        stages = range(1, Q + 1) if COMPARED[name] == SHIPS[0] else ASKED
        part = f"words-through-{name}", [taught, LISTENERS, list(stages)]
        found["rows"] += [
            codec_row(name, int(q), stored) | {"right": spread("right", each)}
            for q, each in scratch.part(*part, words_through, name, stages, models, ask, scratch).items()
        ]
        yield found


def words_through(name, stages, models, ask, scratch):
    """The shares of words right through a codec: a dict stages -> one a recogniser."""
    import _rvq_listener as ear

    rebuild, heard = rebuilder(name, scratch, stages), {}
    for word in ask:
        for q, sound in rebuild(word.sound).items():
            heard.setdefault(q, []).append(ear.window_of(sound, len(sound) // 2))
    return {q: ear.shares_right(models, np.stack(each).astype(np.float32), ask) for q, each in heard.items()}


def codec_row(name, stages, stored):
    """What a row says of a codec and a number of stages, with the STOI that the tables have of it."""
    if isinstance(COMPARED[name], tuple):
        rows = [r for r in stored["kmeans"]["rows"] if (r["hop"], r["restarts"]) == COMPARED[name]]
    else:
        rows = [r for r in stored["codec"]["rows"] if r["arm"] == COMPARED[name]]
    (row,) = (r for r in rows if r["split"] == "new_voice" and r["Q"] == stages)
    return {
        "codec": name, "Q": stages, "tokens": stages * RATE // 160, "bits_per_second": row["bits_per_second"],
        "stoi": row["stoi"]["each"][0],
    }  # fmt: skip


def confused(read, ask, most=8):
    """The commonest mistakes on clean words over all recognisers: {"said", "read", "times"}."""
    import collections

    from _rvq_listener import WORDS

    pairs = collections.Counter((w.which, int(r)) for each in read for w, r in zip(ask, each) if w.which != r)
    return [{"said": WORDS[a], "read": WORDS[b], "times": n} for (a, b), n in pairs.most_common(most)]


def curve(rows):
    """The shipped codec's rows in the form of `measured.curve`: words right, then STOI, which has one codec only.

    >>> row = {"codec": "1,800 steps", "Q": 1, "tokens": 100, "stoi": 0.6, "right": spread("right", [0.5, 0.625])}
    >>> [(p["quality"], p["spread"]) for p in curve([row, row | {"Q": None}, row | {"codec": "k-means"}])]
    [(0.562, 0.125), (0.6, 0.0)]
    """
    rows = [row for row in rows if row["Q"] and COMPARED.get(row["codec"]) == SHIPS[0]]
    words, stoi = INSTRUMENTS
    points = [
        {"tokens": row["tokens"], "quality": row["right"]["mean"],
         "spread": round(row["right"]["high"] - row["right"]["low"], 4), "instrument": words}
        for row in rows
    ]  # fmt: skip
    return points + [
        {"tokens": row["tokens"], "quality": row["stoi"], "spread": 0.0, "instrument": stoi} for row in rows
    ]


def run_long(scratch, stored):
    """Words across the border of two chunks, clean and through the shipped codec: words right."""
    import _rvq_listener as ear
    import _rvq_long as long

    ask, models = words_said(ear.ASK, ear.ASK_AS, scratch), recognisers(scratch)
    cut = [word for i, word in enumerate(ask) if i % 8 == i // ear.COUNT % 8]  # some of each voice and manner
    model, rows = trained_codec(SHIPS[0], scratch), []
    ways = {"clean": lambda sound: sound, f"{Q} codebooks": lambda sound: rebuild_all(model, sound, [Q])[Q]}
    for name, rebuild in ways.items():
        asked = long.windows(cut, rebuild)
        right = long.answers(lambda windows: ear.listen(models, windows), asked)
        found = [long.tallied(asked, each) for each in right]
        rows += [
            {"sound": name, "read": way, "overlap": overlap, "share": share,
             "right": spread("right", [each[way, overlap, share] for each in found])}
            for way, overlap, share in found[0]
        ]  # fmt: skip
    lengths = np.array([len(word.sound) for word in cut]) / RATE
    rows.sort(key=lambda row: row["share"] is not None)  # all cuts together first
    yield {
        "settings": long.settings() | {"words": len(cut)},
        "word_seconds": {"mean": round(lengths.mean(), 3), "longest": round(lengths.max(), 3),
                         "over_half": round(float((lengths > 0.5).mean()), 3)},
        "tokens": [{"overlap": o, "times": round(long.SIZE / (long.SIZE - o * RATE), 3)} for o in long.OVERLAPS],
        "rows": rows,
    }  # fmt: skip


def run_arms(scratch, stored):
    """Writes what each of COMPARED makes of the sentence with all codebooks; the levels, and how near it came."""
    import soundfile

    split, which = PLAYED
    sound, found, rows = samples.speech(split)[which].sound, [], []
    for name in COMPARED:
        if COMPARED[name] == SHIPS[0]:
            continue  # `samples.heard` has it
        rebuilt = rebuilder(name, scratch, [Q])(sound)[Q]
        loud = rebuilt * (sound_levels(sound).rms / sound_levels(rebuilt).rms)
        found.append(np.rint(32768 * loud.astype(np.float64)).clip(-32768, 32767).astype(np.int16))
        levels = sound_levels(found[-1] / 32768)
        near = {key: rounded(key, value) for key, value in measures(sound, rebuilt).items()}
        rows.append({"codec": name, "rms": round(levels.rms, 5), "peak": round(levels.peak, 4)} | near)
    soundfile.write(ARMS_HEARD, np.concatenate(found), RATE, subtype="PCM_16")
    yield {"Q": Q, "rows": rows}


def run_recognisers(scratch, stored):
    import _rvq_recognisers as others
    from _rvq_listener import LIMIT

    yield {"limit": LIMIT, "rows": others.run()}


PARTS = {"recognisers": run_recognisers, "listener": run_listener, "long": run_long, "arms": run_arms}


def part_head(name):
    import _rvq_listener as ear

    begins = {"date": str(datetime.date.today()), "device": f"{device()}, one thread"}
    begins["versions"] = versions("numpy", "torch", "soundfile") | {"espeak-ng": ear.espeak_version()}
    return begins | ({"settings": ear.settings() | {"seeds": LISTENERS}} if name == "listener" else {})


def add_parts(names, folder):
    """Run these parts and put them into the stored results, whose other keys stay as they are."""
    result = json.loads(RESULTS.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Scratch(folder or temporary)
        for name in names:
            for found in PARTS[name](scratch, result):
                result[name] = part_head(name) | found
                if name == "listener":
                    result["curve"] = curve(found["rows"])
                RESULTS.write_text(as_text(result), encoding="utf-8")
                print(f"{name}: {time.process_time():.0f} s", flush=True)


def quick():
    """A few cells with little training: what the tests run."""
    import torch
    from _rvq_streams import LAYOUTS, run_stream

    from mmtokedu.nn.codec import SpeechCodec, train

    found = run_kmeans(320, False, 0)
    for stages in (1, 8):
        print(f"k-means, Q = {stages}:", {k: round(v, 2) for k, v in found["tests"]["new_voice"][str(stages)].items()})
    torch.manual_seed(0)
    model = SpeechCodec(Q=Q, K=K)
    train(model, [torch.from_numpy(recording.sound) for recording in samples.speech("train")], 20)
    found = test("new_voice", lambda sound: rebuild_all(model, sound))
    for stages in ("1", "8", "unquantized"):
        print(f"codec, 20 steps, Q = {stages}:", {k: round(v, 2) for k, v in found[stages].items()})
    data = stream_data(model)
    for layout in LAYOUTS:
        bits = run_stream(layout, 0, *data, K, updates=1)
        print(f"{layout}: {bits['bits']:.1f} bits a frame, {bits['positions']} positions")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="these alone; keeps what else is stored")
    parser.add_argument("--quick", action="store_true", help="a few cells, printed; nothing is written")
    parser.add_argument("--scratch", type=Path, help="a folder for finished parts, so that a run can be taken up again")
    asked = parser.parse_args(argv)
    if asked.quick:
        return quick()
    if asked.parts:
        return add_parts(asked.parts, asked.scratch)
    import soundfile

    from mmtokedu.nn.codec import load

    what = "Speech through stacks of codebooks, without and with a network, and the streams of their codes."
    result = head(what, "rvq", ("numpy", "torch", "pystoi", "soundfile"))
    with tempfile.TemporaryDirectory() as temporary:
        tables, shipped = run_all(Scratch(asked.scratch or temporary))
        weights = shipped.read_bytes()
    CODEC.parent.mkdir(exist_ok=True)
    CODEC.write_bytes(weights)
    soundfile.write(HEARD, play(load(CODEC)).reshape(-1), RATE, subtype="PCM_16")
    result |= tables | {"heard": levels_of(samples.heard())}
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    result |= {"recognisers": kept["recognisers"]} if "recognisers" in kept else {}  # of no codec
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(as_text(result), encoding="utf-8")
    print(f"wrote {RESULTS.name}, {CODEC.name} and {HEARD.name}")
    add_parts([name for name in PARTS if name != "recognisers"], asked.scratch)


if __name__ == "__main__":
    main()
