"""Make the spoken question of the book's request, and its words: mmtokedu/data/request/question.{flac,json}.

    python tools/make_question.py            make the two files again, and the front page's copy of the sound
    python tools/make_question.py --check    make them again and compare with what is stored

Synthetic speech, made as tools/make_speech.py makes the samples: espeak-ng (1.51 made the stored file), 16 kHz, cut to
the speech with 50 ms around it, at the samples' loudness.
"""

import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from _made import run
from make_speech import RATE, VOICES, say

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "mmtokedu" / "data" / "request"
PLAYED = ROOT / "book" / "_static" / "question.flac"  # the same file, for the front page
VOICE = "clare"
QUESTION = "What is the total, and when does the small red ball cross the picture?"
TEXT = "Answer with the amount and the second."


def build():
    """Everything that is stored: {file name: bytes}."""
    import soundfile

    if not shutil.which("espeak-ng"):
        raise SystemExit("espeak-ng is missing: apt-get install espeak-ng (or brew install espeak-ng)")
    version = re.search(r"\d+\.\d+[\w.]*", subprocess.check_output(["espeak-ng", "--version"], text=True))[0]
    file = io.BytesIO()
    soundfile.write(file, say(VOICE, QUESTION), RATE, format="FLAC", subtype="PCM_16")
    name, language, pitch, speed = VOICES[VOICE]
    voice = {"espeak_ng": name, "language": language, "pitch": pitch, "words_per_minute": speed}
    head = {"made_by": "tools/make_question.py", "espeak_ng": version, "rate": RATE, "voice": {VOICE: voice}}
    words = head | {"question": QUESTION, "text": TEXT}
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in words.items())
    return {"question.flac": file.getvalue(), "question.json": f"{{\n{lines}\n}}\n".encode()}


def differences(new, old):
    """Say how two builds differ by more than a machine's rounding may: one sentence each."""
    import soundfile

    ours, theirs = (json.loads(files["question.json"]) for files in (new, old))
    if ours != theirs:
        return [f"question.json differs (espeak-ng {ours['espeak_ng']} here, {theirs['espeak_ng']} stored)"]
    a, b = (soundfile.read(io.BytesIO(files["question.flac"]), dtype="int16")[0].astype(int) for files in (new, old))
    apart = np.abs(a - b).max() if len(a) == len(b) else 32768
    return [f"question.flac differs by up to {apart} of 32768 (2 allowed)"] if apart > 2 else []


def main():
    new = run(__doc__, build, differences, FOLDER, "run tools/make_question.py and listen to it")
    PLAYED.write_bytes(new["question.flac"])


if __name__ == "__main__":
    main()
