#!/usr/bin/env python3
"""Make the speech samples: mmtokedu/data/speech/{train,new_sentences,new_voice}.flac and speech.json.

    python tools/make_speech.py          make the four files again
    python tools/make_speech.py --check  compare what this machine makes with what is stored

Synthetic speech: espeak-ng (1.51 made the stored files) reads our own sentences. It must be on the machine
(apt-get install espeak-ng); its 22.05 kHz become 16 kHz through soxr. Each recording is cut to its speech, with 50 ms
around it, set to the same RMS, and stored as 16 bits. Two runs on one machine give the same bytes; another machine may
round the last bit of a sample another way, so --check decodes and compares with a margin.
"""

import argparse
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from mmtokedu.media.sound import load_sound, sound_levels

FOLDER = Path(__file__).parent.parent / "mmtokedu" / "data" / "speech"
RATE = 16_000
RMS = 0.07  # -23.1 dBFS
EDGE = 0.05  # seconds kept before and after the speech

VOICES = {  # name: (espeak-ng's voice, language, pitch 0 to 99, words a minute)
    "anna": ("en-us+f1", "en", 55, 165),
    "clare": ("en-gb-x-rp+belinda", "en", 42, 170),
    "fay": ("en-us-nyc+Annie", "en", 30, 158),
    "ben": ("en-us", "en", 45, 160),
    "david": ("en-gb", "en", 30, 155),
    "ewan": ("en-gb-scotland+m3", "en", 60, 165),
    "greta": ("de+f1", "de", 50, 160),
    "hugo": ("es+m4", "es", 42, 165),
    "iris": ("en-gb-x-gbclan+Andrea", "en", 48, 168),  # the voice that training never hears
}
NEW_VOICE = "iris"

TRAIN = {
    "en": """A wide river bends twice past the old mill before it meets the sea.
Every codec makes the same promise: fewer bits, and nearly the same voice.
She poured hot chocolate into six yellow cups and carried them upstairs.
Thunder rolled across the valley while the shepherd counted his sheep.
How many numbers does it take to write down one second of speech?
The younger brother usually forgot where he had hidden the treasure.
A window slides along the wave and stops a hundred times a second.
Please bring the blue ladder, the paint, and both of the broad brushes.
Judging by the noise, the mice were having a party behind the wall.
Vowels are long and loud; consonants are short, noisy and easy to lose.
My uncle fixed the engine with a spoon, some rope and a great deal of hope.
Fresh snow covered the playground, so the children measured it with a ruler.
The first codebook draws the outline, the second one adds the shadow.
Twelve owls watched the baker push his wooden cart through the village.
If the pitch is too high, turn the small brass wheel to the left.
Nothing in this sentence was ever spoken by a living person.
The museum closes at five, but the garden stays open until dusk.
Oysters, figs and rough brown bread were all they had for lunch.
Each residual is smaller than the last, and harder to describe.
We heard the choir rehearse an unusual version of the anthem.
Careful pilots check the weather, the fuel and the width of the runway.
A token is cheap until a thousand of them ask for your attention.
The goat jumped over the hedge and chewed the edge of my jacket.
Ask the nurse for a warm cloth and a cup of ginger tea.
Four thieves thought that they could carry the heavy clock away.
The azure lake looked calm, yet the ferry swayed the whole way over.
Sampling too slowly folds high notes down onto low ones.
Zoe quickly wrapped the vase in a thick woollen scarf.
Matthew's train was delayed by leaves, fog and a stubborn cow.
He whispered the password, knocked twice and waited in the dark.
Loud is not the same as clear, and quiet is not the same as soft.
The beige curtains hide a narrow view of chimneys and church towers.
Which of these voices would you choose to read you a bedtime story?
Bright copper wires hummed above the empty road to Oxford.
Our decoder rebuilds the sound from a short list of integers.
Rub the stain with lemon, rinse it, and hang the shirt in the sun.""",
    "de": """Im Keller stehen sieben Kisten mit Büchern, die niemand mehr öffnet.
Ein kurzes Geräusch genügt, und der schwarze Hund springt über den Zaun.""",
    "es": """La lluvia golpea el tejado mientras el gato duerme junto a la chimenea.
Quien guarda pocos números debe elegir muy bien cuáles conserva.""",
}
NEW = {
    "en": """Nobody asked the microphone whether it enjoyed the concert.
Grey whales pass this beach each March, a mile beyond the surf.
Trust your ears first, and only then the number in the table.
Fourteen thick envelopes were lying under the kitchen chair.
The jury saw the video twice and could not agree on its meaning.""",
    "de": "Der Zug nach Zürich fährt heute ausnahmsweise von Gleis fünf.",
    "es": "Mañana llegará un barco lleno de naranjas y de viejos relojes.",
}


def plan():
    """Who says what: a list of (split, voice, text)."""
    speakers = {
        language: [name for name, voice in VOICES.items() if voice[1] == language and name != NEW_VOICE]
        for language in TRAIN
    }
    clips = []
    for language, lines in TRAIN.items():
        names = speakers[language]
        clips += [("train", names[i % len(names)], text) for i, text in enumerate(lines.splitlines())]
    for language, lines in NEW.items():
        names = speakers[language]
        for i, text in enumerate(lines.splitlines()):  # in English a woman and a man each
            pair = dict.fromkeys(names[k % len(names)] for k in (i, i + 3))
            clips += [("new_sentences", name, text) for name in pair]
    clips += [("new_voice", NEW_VOICE, text) for text in NEW["en"].splitlines()]
    return clips


def espeak(name, pitch, speed, text):
    """The bytes of a WAV."""
    command = ["espeak-ng", "-v", name, "-p", str(pitch), "-s", str(speed), "--stdout", text]
    return subprocess.run(command, capture_output=True, check=True).stdout


def check_variants():
    """espeak-ng ignores a variant that it does not know, and every variant of en-gb, without a word."""
    for name, (voice, _, pitch, speed) in VOICES.items():
        base, plus, _ = voice.partition("+")
        if plus and espeak(voice, pitch, speed, "one") == espeak(base, pitch, speed, "one"):
            raise SystemExit(f"{name}: espeak-ng says {voice} exactly as {base}; choose another variant")


def say(voice, text):
    """One sentence as (T,) int16 at RATE."""
    name, _, pitch, speed = VOICES[voice]
    sound = load_sound(espeak(name, pitch, speed, text), RATE).astype(np.float64)
    loud = np.flatnonzero(np.abs(sound) > 10 ** (-40 / 20) * np.abs(sound).max())
    edge = int(EDGE * RATE)
    sound = np.pad(sound, edge)[loud[0] : loud[-1] + 1 + 2 * edge]
    fade = np.minimum(np.arange(len(sound)), edge) / edge
    sound = sound * fade * fade[::-1]
    return np.rint(sound * (RMS / np.sqrt(np.mean(sound**2))) * 32768).astype(np.int16)


def build():
    """The four files as {name: bytes}."""
    import soundfile

    if not shutil.which("espeak-ng"):
        raise SystemExit("espeak-ng is missing: apt-get install espeak-ng (or brew install espeak-ng)")
    check_variants()
    version = re.search(r"\d+\.\d+[\w.]*", subprocess.check_output(["espeak-ng", "--version"], text=True))[0]
    clips, sounds = [], {}
    for split, voice, text in plan():
        samples = say(voice, text)
        start = sum(map(len, sounds.setdefault(split, [])))
        sounds[split].append(samples)
        place = {"start": start, "stop": start + len(samples), "seconds": round(len(samples) / RATE, 2)}
        clips.append({"split": split, "voice": voice, "language": VOICES[voice][1], "text": text} | place)
    made = {}
    for split, parts in sounds.items():
        file = io.BytesIO()
        soundfile.write(file, np.concatenate(parts), RATE, format="FLAC", subtype="PCM_16")
        made[f"{split}.flac"] = file.getvalue()
    voices = {
        name: {"espeak_ng": voice, "language": language, "pitch": pitch, "words_per_minute": speed}
        for name, (voice, language, pitch, speed) in VOICES.items()
    }
    head = {"made_by": "tools/make_speech.py", "espeak_ng": version, "rate": RATE, "voices": voices}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    lines.append('"clips": [\n' + ",\n".join(json.dumps(clip, ensure_ascii=False) for clip in clips) + "\n]")
    made["speech.json"] = ("{\n" + ",\n".join(lines) + "\n}\n").encode()
    return made


def differences(made, stored):
    """What another machine's files may not differ in: a list of sentences, empty if all is well."""
    import soundfile

    ours, theirs = (json.loads(files["speech.json"]) for files in (made, stored))
    if ours != theirs:
        return [f"speech.json differs (espeak-ng {ours['espeak_ng']} here, {theirs['espeak_ng']} stored)"]
    found = []
    for name in sorted(set(made) - {"speech.json"}):
        a, b = (soundfile.read(io.BytesIO(files[name]), dtype="int16")[0].astype(int) for files in (made, stored))
        apart = np.abs(a - b).max() if len(a) == len(b) else "all"
        if apart == "all" or apart > 2:
            found.append(f"{name} differs by up to {apart} of 32768 (2 allowed)")
    return found


def report(made):
    import soundfile

    for name in sorted(set(made) - {"speech.json"}):
        sound = soundfile.read(io.BytesIO(made[name]), dtype="float32")[0]
        clips = [clip for clip in json.loads(made["speech.json"])["clips"] if f"{clip['split']}.flac" == name]
        levels = [sound_levels(sound[clip["start"] : clip["stop"]]) for clip in clips]
        peaks, rms = [level.peak for level in levels], [level.rms for level in levels]
        print(
            f"{name:18} {len(sound) / RATE:6.1f} s in {len(clips):2} recordings, {len(made[name]) / 1e6:.2f} MB, "
            f"RMS {min(rms):.4f} to {max(rms):.4f}, peak {min(peaks):.2f} to {max(peaks):.2f}"
        )
        if max(peaks) > 0.9:
            raise SystemExit(f"{name} nearly clips: lower RMS")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare with the stored files")
    check = parser.parse_args().check
    made = build()
    report(made)
    if check:
        found = differences(made, {name: (FOLDER / name).read_bytes() for name in made})
        print("\n".join(found) or "the same as stored")
        raise SystemExit(bool(found))
    FOLDER.mkdir(exist_ok=True)
    for name, data in made.items():
        (FOLDER / name).write_bytes(data)


if __name__ == "__main__":
    main()
