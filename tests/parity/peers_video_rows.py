"""Where the rows of golden/video.json come from that are not drawn: frames, counts, sizes, what is kept, scenes.

    python tests/parity/peers_video_rows.py                 asks again, says how many rows are as stored
    python tests/parity/peers_video_rows.py --write         and stores the answers
    ... --vllm WHEEL --scenes PYTHON                        the rows of EVS and of scenes too

Frames, counts, sizes and VideoLLaMA3's mask are asked of transformers and qwen-vl-utils, as `peers_video.py` asks them.
EVS is two functions of vLLM, compiled alone out of its wheel (pip download vllm==0.33.0 --no-deps). Scenes are asked of
PySceneDetect by another Python that has it (pip install scenedetect==0.7.2 opencv-python==5.0.0.93 numpy==2.3.5). Where
one of these is not named, its rows stay as they are.
"""

import argparse
import ast
import functools
import itertools
import json
import subprocess
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from peers import GOLDEN, load
from peers_video import as_lines, module_of, peer_frames, processor, qwen_size, qwen_vl_utils

# The cases

_FIRST = [(300, 30.0), (47, 23.976), (1, 30.0), (2, 30.0), (3000, 10.0), (9000, 30.0), (61, 60.0)]
_SECOND = [(100, 29.97), (47, 23.976), (7, 30.0), (2, 30.0), (1500, 25.0), (9000, 30.0), (120000, 25.0)]
_THIRD = [(100, 29.97), (300, 30.0), (7, 30.0), (1, 30.0), (1500, 25.0), (3000, 10.0), (120000, 25.0), (61, 60.0)]
_LATER = [(30, 30.0), (301, 25.0), (3, 10.0), (5000, 30.0)]
_BY_DEFAULT = {
    "glm4v": _FIRST, "glm46v": _SECOND, "glm5-next": _THIRD, "smolvlm": _FIRST, "molmo2": _SECOND,
    "video-llama-3": _THIRD, "minicpm-v-4.6": _FIRST, "minicpm-v-4.6-stack-2": _SECOND, "ernie-4.5-vl": _THIRD,
    "muse-glimmer": _FIRST, "cosmos3-edge": _SECOND, "internvl": _THIRD, "transformers-qwen2": _FIRST,
    "transformers-qwen3": _SECOND, "pe-video": _THIRD,
}  # fmt: skip
_DEFAULT = {(100, 29.97): "1", (300, 30.0): "32", (47, 23.976): "32 1", (7, 30.0): "1", (1, 30.0): "32"}
_DEFAULT |= {(2, 30.0): "32 1", (1500, 25.0): "1", (3000, 10.0): "32", (9000, 30.0): "32 1", (120000, 25.0): "1"}
_DEFAULT |= {(61, 60.0): "32"}

FRAMES = [(rule, *clip, {}) for rule, clips in _BY_DEFAULT.items() for clip in clips]
FRAMES += [
    ("default", *clip, {"frames": 32} if said == "32" else {"fps": 1})
    for clip, options in _DEFAULT.items()
    for said in options.split()
]
FRAMES += [
    (rule, *clip, {"frames": 8} if rule == "internvl" else {"fps": 2})
    for clip in _LATER
    for rule in (
        "qwen-vl-utils",
        "transformers-qwen2",
        "transformers-qwen3",
        "default",
        "internvl",
        "linspace-truncated",
    )
]

COUNTS = [
    ({"frames": 5}, 100, 30), ({"frames": 7}, 100, 30), ({"fps": 2, "max_frames": 9}, 1000, 25),
    ({"fps": 2, "min_frames": 5}, 40, 30), ({"fps": 60}, 100, 30), ({"fps": 2}, 1, 30), ({"fps": 2}, 4, 30),
    ({"fps": 2}, 5, 1),
]  # fmt: skip

RATES = [0.0, 0.3, 0.5, 0.75, 0.9, 0.95]
FEATURES = [(4, 6, 8), (8, 64, 32), (1, 5, 3), (3, 100, 16), (16, 25, 128), (2, 1, 4)]  # seeds 0 to 5
EVS = [(shape, seed, rate) for seed, shape in enumerate(FEATURES) for rate in RATES]
EVS_COUNTS = [(64, 8, 0.5), (100, 3, 0.33), (196, 32, 0.75), (64, 8, 0.5), (64, 8, 0.95), (100, 3, 0.33)]
EVS_COUNTS += [(196, 32, 0.75)]

CLIPS = [(23, 11, 3), (78, 19, 12), (14, 16, 4), (38, 11, 13), (23, 5, 4), (86, 17, 16), (43, 18, 17), (2, 3, 1)]
CLIPS += [(21, 3, 4), (31, 10, 2), (18, 7, 7), (15, 8, 10)]  # seeds 0 to 11
LENGTHS = [2, 0, 5, 15, 2, 0, 15, 1, 5, 3, 2, 5]


def drawn_features(frames, tokens, width, seed):
    """The features that the rows of EVS are computed from: half of the tokens of each frame hardly move."""
    draw = np.random.default_rng(seed)
    features = draw.standard_normal((frames, tokens, width)).astype(np.float32)
    for t in range(1, frames):
        still = draw.random(tokens) < 0.5
        noise = draw.standard_normal((int(still.sum()), width)).astype(np.float32)
        features[t, still] = features[t - 1, still] + np.float32(0.05) * noise
    return features


def drawn_clip(frames, height, width, seed):
    """The clip that the rows of scenes are computed from: cuts, flashes of white and noise between."""
    draw = np.random.default_rng(seed)
    base, clip = draw.integers(0, 256, (height, width, 3)), []
    for _ in range(frames):
        if draw.random() < 0.12:
            base = draw.integers(0, 256, (height, width, 3))
        if draw.random() < 0.1:
            clip.append(np.full((height, width, 3), 255))
            continue
        base = np.clip(base + draw.integers(-6, 7, base.shape), 0, 255)
        clip.append(base)
    return np.array(clip, np.uint8)


def survey_clip():
    """Four frames: noise, the same a little brighter, and its negative twice."""
    base = np.random.RandomState(0).randint(0, 256, (6, 8, 3)).astype(np.uint8)
    brighter = np.clip(base.astype(int) + 10, 0, 255).astype(np.uint8)
    return np.stack([base, brighter, 255 - base, 255 - base])[..., ::-1]  # it was drawn as BGR


def still_pixels():
    """(48, 12): three frames of 4x4 patches, in blocks of 2x2; one block moves a little, then one of its patches less."""
    pixels = np.zeros((48, 12), np.float32)
    pixels[20:24] += np.float32(0.001)
    pixels[32:48] = pixels[16:32]
    pixels[36] += np.float32(0.0003)
    return pixels


# The peers


def answer(call, *arguments):
    """What a call returns, or its error: the type and the first 120 characters of the first line."""
    try:
        return call(*arguments)
    except Exception as error:  # a peer may fail in any way
        return f"{type(error).__name__}: {str(error).splitlines()[0][:120]}"


def frames_taken(rule, total, video_fps, options):
    if rule == "linspace-truncated":  # a line of vLLM's and SGLang's loaders, no function of theirs
        count = qwen_vl_utils().smart_nframes(dict(options), total_frames=total, video_fps=video_fps)
        return np.linspace(0, total - 1, count, dtype=int).tolist()
    return peer_frames(rule, total, video_fps, **options)


def frames_row(row):
    """The row asked again: all indices up to 24, else the first and last six, and their sum."""
    said = answer(frames_taken, row["rule"], row["total"], row["video_fps"], row["options"])
    if isinstance(said, list):
        shown = said if len(said) <= 24 else [*said[:6], "...", *said[-6:]]
        said = {"n": len(said), "idx": shown, "sum": sum(said), "last_frame_seen": said[-1] == row["total"] - 1}
    return row | {"output": said}


def counts_row(row):
    called = {"nframes" if name == "frames" else name: value for name, value in row["options"].items()}
    count = functools.partial(qwen_vl_utils().smart_nframes, total_frames=row["total"], video_fps=row["video_fps"])
    return row | {"count": answer(count, called)}


RESIZES = {
    "glm4v/46v": "glm46v",
    "qwen3_vl": "transformers-qwen3",
    "hf_qwen3": "transformers-qwen3",
    "glm5": "glm5-next",
}


def resize_row(row):
    """The function that the row's id begins with, with the row's numbers."""
    name, given = row["id"], row["input"]
    size = given["h"], given["w"]
    if name.startswith("qwenvlutils"):
        said = answer(lambda: list(qwen_size(given["patch"])(given["frames"], *size)))
    elif name.startswith("muse"):
        said = list(module_of("muse-glimmer").smart_resize(*size, 14, 576))
    elif name.startswith("kimi"):
        resized, padded = module_of("kimi-k2.5").navit_resize(*size, 14, 2, 4096, 512)
        tokens = padded[0] // 28 * (padded[1] // 28)
        said = {"resized": list(resized), "padded": list(padded), "tokens_per_chunk_of_4_frames": tokens}
    else:
        peer = next(peer for start, peer in RESIZES.items() if name.startswith(start))
        numbers = {key: given[key] for key in ("temporal_factor", "factor", "min_pixels", "max_pixels")}
        call = functools.partial(module_of(peer).smart_resize, given["frames"], *size, **numbers)
        said = answer(lambda: list(call()))
    return row | {"output": said}


def difference_row(row):
    torch = load("torch")
    mask = processor("video-llama-3")._get_compression_mask(
        torch.from_numpy(still_pixels()), torch.tensor([[3, 4, 4]]), torch.tensor([2]), threshold=0.1, min_tokens=1
    )
    return row | {"output": mask.reshape(-1).int().tolist()}


def evs_functions(wheel):
    """Those of vLLM's evs.py that need nothing but torch, compiled without the package around them."""
    source = zipfile.ZipFile(wheel).read("vllm/multimodal/video_prune/evs.py").decode()
    tree = ast.parse(source)
    wanted = {"compute_retained_tokens_count", "compute_retention_mask"}
    tree.body = [node for node in tree.body if getattr(node, "name", None) in wanted]
    found = {"torch": load("torch")}
    exec(compile(tree, "evs.py", "exec"), found)
    return found


def evs_rows(wheel):
    torch, found = load("torch"), evs_functions(wheel)
    count, mask = found["compute_retained_tokens_count"], found["compute_retention_mask"]
    rows = []
    for shape, seed, rate in EVS:
        frames, tokens, width = shape
        features = torch.from_numpy(drawn_features(*shape, seed)).reshape(-1, width)
        kept = mask(features, (frames, 1, tokens), 1, rate).numpy()
        row = {"shape": list(shape), "seed": seed, "rate": rate, "count": count(tokens, frames, rate)}
        rows.append(row | {"kept": np.packbits(kept).tobytes().hex()})
    counts = [
        {"tokens_per_frame": tokens, "frames": frames, "q": rate, "count": count(tokens, frames, rate)}
        for tokens, frames, rate in EVS_COUNTS
    ]
    return {"evs": rows, "evs_counts": counts}


ASK_PYSCENEDETECT = """
import json, sys
import cv2, numpy as np
from scenedetect.common import FrameTimecode
from scenedetect.detectors import AdaptiveDetector, ContentDetector

def cuts(detector, clip):
    found = []
    for i, frame in enumerate(clip):
        at = FrameTimecode(i, 25.0)
        found += detector.process_frame(at, frame)
        scores.append(float(detector._frame_score))
    return [cut.frame_num for cut in found + detector.post_process(at)]

answers, clips = [], np.load(sys.argv[1])
for name in sorted(clips.files):
    length, clip = int(name.split("_")[1]), np.ascontiguousarray(clips[name][..., ::-1])
    scores = []
    found = cuts(ContentDetector(min_scene_len=length), clip)
    colours = [cv2.cvtColor(frame, cv2.COLOR_BGR2HSV).tolist() for frame in clip[:3]] if length == 99 else None
    answers.append([list(scores), found, cuts(AdaptiveDetector(min_scene_len=length), clip), colours])
print(json.dumps(answers))
"""


def scenes_rows(python):
    """Scores and cuts of both detectors, frame by frame; the clips go to the other Python in a file."""
    clips = {f"{seed:02}_{length}": drawn_clip(*CLIPS[seed], seed) for seed, length in enumerate(LENGTHS)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clips.npz"
        np.savez(path, **clips, **{"99_99": survey_clip()})
        command = [python, "-c", ASK_PYSCENEDETECT, str(path)]
        *answers, survey = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    rows = [
        {"seed": seed, "shape": list(CLIPS[seed]), "min_length": LENGTHS[seed]}
        | dict(zip(("content", "cuts", "adaptive"), said))
        for seed, said in enumerate(answers)
    ]
    return {"scenes": rows, "scenes_first_survey": {"content_val": survey[0], "opencv_hsv_first_three": survey[3]}}


def asked_again(golden, wheel=None, python=None):
    """Every section that can be asked, from the peers: {section: rows}."""
    each = {"frames": frames_row, "frame_counts": counts_row, "resize": resize_row, "difference": difference_row}
    sections = {name: [row(stored) for stored in golden[name]] for name, row in each.items()}
    sections |= evs_rows(wheel) if wheel else {}
    if python:
        sections |= scenes_rows(python)
        sections["scenes_first_survey"] = golden["scenes_first_survey"] | sections["scenes_first_survey"]
    return sections


def as_stored(old, new):
    """Whether the answer has all that is stored of it; the earliest rows have no sum."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(key in new and as_stored(value, new[key]) for key, value in old.items())
    return old == new


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vllm", metavar="WHEEL")
    parser.add_argument("--scenes", metavar="PYTHON")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    path = GOLDEN / "video.json"
    golden = json.loads(path.read_text())
    for name, rows in asked_again(golden, given.vllm, given.scenes).items():
        pairs = list(zip(*([x] if isinstance(x, dict) else x for x in (golden[name], rows)), strict=True))
        apart = [(old, new) for old, new in pairs if not as_stored(old, new)]
        print(f"{name:20} {len(pairs) - len(apart):4} as stored {len(apart):4} not")
        for old, new in itertools.islice(apart, 9):
            print(f"    stored {str(old)[:300]}\n    asked  {str(new)[:300]}")
        golden[name] = rows
    if given.write:
        path.write_text(as_lines(golden))


if __name__ == "__main__":
    main()
