"""Reading some frames of a clip: ours beside what others use, all beside decoding everything; and what cuts cost.

    python benchmarks/bench_video.py          this machine's processor, one thread
    python benchmarks/bench_video.py --gpu    its CUDA card: the scores of scenes

Every answer is compared with decoding everything. A wrong one ends the run before any figure is written.
"""

import pathlib
import subprocess
import sys
import tempfile

import _timing  # before NumPy: it asks for one thread
import _video_gpu
import _video_peers
import numpy as np
from _timing import SKIPPED, optional
from PIL import Image

from mmtokedu import video

FRAMES, RATE, SCENES, HEIGHT, WIDTH = 1800, 30, 15, 720, 1280
SIZE = 560, 1008  # as Qwen2.5-VL looks at such a clip
SMALL = 144, 256  # as cuts are looked for
CELLS = 8, 16  # of a frame, whose mean colours are compared
EACH = "PyAV, seek", "OpenCV, CAP"  # a seek for each frame
AT_ONCE = "OpenCV, grab", "decord", "torchcodec", "qwen", "read_frames, size"
WHOLE = "OpenCV, grab", "qwen"
LEVELS = 4  # of 255, by which two scalers' means may differ
# A process begins with the peak of the one that started it, as `resource` counts; the system's own mark does not.
PEAK = """
import pathlib, re, sys
from mmtokedu import video
peak = lambda: int(re.search(r"VmHWM:\\s*(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1]) // 1024
numbers = [int(x) for x in sys.argv[2].split(",")]
video.read_frames(sys.argv[1], numbers[:1], size=(16, 16))
before = peak()
frames = video.read_frames(sys.argv[1], numbers)
print(frames.nbytes // 2**20, peak() - before)
"""


def drawn():
    """The pictures of the clip, one by one: each scene looks at another soft pattern, and moves over it.

    The first cell's grey is the frame's number times 37, modulo 256: neighbours cannot be confused.
    """
    rng = np.random.default_rng(0)
    for scene in range(SCENES):
        small = rng.integers(0, 256, (60, 90, 3), dtype=np.uint8)
        ground = np.asarray(Image.fromarray(small).resize((1800, 1200), Image.BICUBIC))
        down, along = rng.integers(1, 4, 2)
        for t in range(FRAMES // SCENES):
            picture = ground[t * down : t * down + HEIGHT, t * along : t * along + WIDTH].copy()
            picture[: HEIGHT // CELLS[0], : WIDTH // CELLS[1]] = (scene * FRAMES // SCENES + t) * 37 % 256
            yield picture


def make_clip(path):
    """H.264 in MP4 by libx264, preset superfast, else its own defaults: three B frames, a key frame at each cut."""
    import av

    with av.open(path, "w") as clip:
        track = clip.add_stream("libx264", rate=RATE, options={"preset": "superfast"})
        track.width, track.height, track.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number, picture in enumerate(drawn()):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
            clip.mux(track.encode(frame))
        clip.mux(track.encode())


def cells(frames):
    """(T, H, W, 3) -> (T, 8, 16, 3): the mean colour of each cell, whatever the size of the frame."""
    frames = np.asarray(frames)
    rows, columns = frames.shape[1] // CELLS[0], frames.shape[2] // CELLS[1]
    parts = frames.reshape(len(frames), CELLS[0], rows, CELLS[1], columns, 3)
    return np.stack([part.mean(axis=(1, 3), dtype=np.float64) for part in parts])


def taken(count):
    """`count` of all frames, evenly from the first to the last: what is asked for."""
    return np.linspace(0, FRAMES - 1, count).round().astype(int).tolist()


def reading(path, everything, count, rounds, leave_out=()):
    """`count` of all frames; `everything` has each by its number. leave_out: how those begin who take minutes."""
    numbers = taken(count)
    exact = np.stack([everything[number] for number in numbers])
    np.testing.assert_array_equal(video.read_frames(path, numbers), exact)  # bit by bit
    title = f"{count} of {FRAMES:,} frames, H.264, {HEIGHT}x{WIDTH}"
    contenders = {
        "read_frames": lambda i: video.read_frames(path, numbers),
        f"read_frames, size=({SIZE[0]}, {SIZE[1]})": lambda i: video.read_frames(path, numbers, size=SIZE),
        "PyAV, seek for each frame": lambda i: _video_peers.seeks(path, numbers),
    }
    if found := optional("OpenCV", _video_peers.opencv):
        positions, grabs = found
        contenders["OpenCV, grab all and retrieve"] = lambda i: grabs(path, numbers)
        contenders["OpenCV, CAP_PROP_POS_FRAMES"] = lambda i: positions(path, numbers)
    if decord := optional("decord", _video_peers.decord):
        contenders["decord get_batch"] = lambda i: decord(path, numbers)
    if torchcodec := optional("torchcodec", _video_peers.torchcodec):
        contenders["torchcodec get_frames_at"] = lambda i: torchcodec(path, numbers)
    if found := optional("qwen-vl-utils", lambda: _video_peers.fetch_video(SIZE)):
        fetch, backend = found
        contenders[f"qwen-vl-utils fetch_video by {backend}, to {SIZE[0]}x{SIZE[1]}"] = lambda i: fetch(path, numbers)
    unit = "decoding everything, PyAV", lambda i: _video_peers.everything(path, numbers)
    calls = dict([unit]) | {name: call for name, call in contenders.items() if not name.startswith(leave_out)}
    print(title)
    return _timing.race(title, calls, rounds=rounds, warm=0, clock=checked(cells(exact)))


def checked(expected):
    """A clock of processor time that looks at each answer before it tells: a call takes seconds, so none is wasted."""

    def clock(call, number):
        answers = []
        taken = _timing.cpu_clock(lambda number: answers.append(call(number)), number)
        np.testing.assert_allclose(cells(answers[0]), expected, rtol=0, atol=LEVELS)
        return taken

    return clock


def cuts(path, seconds=10, rounds=3):
    """(rows, note): where a clip is cut, of its first part: two rules on small frames, and its encoder's key frames."""
    count = seconds * RATE
    numbers, true = list(range(count)), set(range(FRAMES // SCENES, count, FRAMES // SCENES))
    small = video.read_frames(path, numbers, size=SMALL)
    calls = {
        f"decoding everything, PyAV, to {SMALL[0]}x{SMALL[1]}": lambda i: video.read_frames(path, numbers, size=SMALL),
        "scene_scores, content": lambda i: video.scene_scores(small),
        "scene_scores, luma": lambda i: video.scene_scores(small, "luma"),
        "keyframes, of the whole file": lambda i: video.keyframes(path),
    }
    for rule in ("content", "luma"):
        best = np.argsort(-video.scene_scores(small, rule))[: len(true)]
        assert set(best.tolist()) == true, f"{rule}: {sorted(best.tolist())}, cut at {sorted(true)}"
    keys = set(video.keyframes(path).tolist())
    every = set(range(FRAMES // SCENES, FRAMES, FRAMES // SCENES))
    note = f"key frames: {len(keys)}, of which {len(keys & every)} stand at the {len(every)} cuts"
    title = f"where {count} frames are cut, {SMALL[0]}x{SMALL[1]}"
    print(title)
    return _timing.race(title, calls, rounds=rounds, warm=1, clock=_timing.cpu_clock), note


def peak(path, count):
    """One sentence on the memory that reading `count` frames takes, in a process of its own."""
    numbers = taken(count)
    command = [sys.executable, "-c", PEAK, path, ",".join(map(str, numbers))]
    folder = pathlib.Path(__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    if done.returncode:
        return f"memory: not measured here ({done.stderr.strip().splitlines()[-1]})"
    kept, most = done.stdout.split()
    return f"memory: {count} of {FRAMES:,} frames are {kept} MiB; reading them took at most {most} MiB, all together"


def on_the_cpu():
    with tempfile.TemporaryDirectory() as folder:
        path = str(pathlib.Path(folder, "clip.mp4"))
        make_clip(path)
        numbers = sorted({*taken(120), *taken(15), *taken(8)})
        everything = dict(zip(numbers, _video_peers.everything(path, numbers)))
        rows = reading(path, everything, 120, 2, leave_out=EACH)
        rows += reading(path, everything, 15, 2, leave_out=AT_ONCE)
        rows += reading(path, everything, 8, 3, leave_out=WHOLE)
        more, found = cuts(path)
        memory = [peak(path, 8), peak(path, 120)]
        size = pathlib.Path(path).stat().st_size
    notes = [
        f"the clip: {FRAMES // RATE} s of {HEIGHT}x{WIDTH} at {RATE} Hz, {SCENES} scenes, H.264 by libx264 superfast, "
        f"{size / 1e6:.1f} MB; frames are taken evenly from the first to the last",
        "a seek for each of 120 frames takes minutes, so those who seek are timed at 15 and 8",
        "processor time, not the clock on the wall: a machine may be shared. Everybody decodes on one thread, but "
        "qwen-vl-utils, which does not ask",
        f"read_frames answers bit by bit as decoding everything; of others the mean colours of {CELLS[0]}x{CELLS[1]} "
        f"cells agree within {LEVELS} of 255 levels",
        found,
        *memory,
    ]
    packages = ("numpy", "av", "opencv-python-headless", "decord", "torchcodec", "qwen-vl-utils", "torch", "pillow")
    about = dict(device=_timing.cpu_name(), threads=1, packages=packages, skipped=dict(SKIPPED), notes=notes)
    _timing.save("video-cpu", rows=rows + more, **about)


def main(arguments):
    _timing.run(arguments, on_the_cpu, _video_gpu.measure_gpu)


if __name__ == "__main__":
    main(sys.argv[1:])
