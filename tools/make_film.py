"""Make the clip of the book's request, and what is true of it: mmtokedu/data/request/film.{mp4,flac,json}, film_small.jpg.

    python tools/make_film.py            make the four files again
    python tools/make_film.py --check    make them again and compare with what is stored

Ten seconds, 300 frames of 1280 x 720. Three photos out of scikit-image's wheel lie as prints on a table of computed
wood. Shot 1 pans along the table; shot 2 is a slow zoom into one of the photos; shot 3 stands still while a small red
ball rolls through the picture in 12 frames; a cross-fade leads to shot 4, a slow zoom to another print. A synthetic
voice (espeak-ng) announces the ball. PyAV's libx264 and AAC write the film; one thread, so that two runs on one machine
give the same bytes. `film_small.jpg` holds all frames at an eighth of their side, taken from the decoded film.
"""

import functools
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

sys.path.insert(0, str(Path(__file__).parent))

from _made import run
from make_speech import EDGE, RATE, VOICES, say

from mmtokedu import samples

FOLDER = Path(__file__).resolve().parent.parent / "mmtokedu" / "data" / "request"

FRAMES, FPS, HEIGHT, WIDTH = 300, 30, 720, 1280
CUTS = 96, 180  # the first frames of shots 2 and 3
FADE = 255, 269  # first and last frame in which shots 3 and 4 are both seen
BALL, DIAMETER = (207, 218), 26  # first and last frame with the ball; pixels
SMALL, ACROSS, DOWN = 8, 20, 96  # the small picture: the side divided by 8, 20 frames a row, 96 rows each

VOICE, SPEAKS = "david", 1.0  # from which second on
SENTENCE = "Three photographs lie on a wooden table. A small red ball is about to roll across it."
TRACK = 48_000, 48_000  # the film's sound: Hz, bit/s
X264 = {"preset": "veryslow", "crf": "28", "g": "60", "threads": "1", "profile": "high"}

# The pictures

TABLE = 1300, 3000  # height and width of the table in its own pixels
PRINTS = {  # photo: (centre y, x), scale, degrees counter-clockwise
    "rocket": ((605, 660), 1.35, 2.5),
    "hubble_deep_field": ((590, 1470), 0.6, -5),
    "chelsea": ((530, 2190), 1.35, 4),
}
SHOTS = [  # first and last frame, and where the view's centre (y, x) and width go between the two
    ((0, 95), (620, 740, 1400), (580, 1960, 1400)),
    ((96, 179), (605, 660, 1180), (612, 668, 960)),
    ((180, 269), (620, 2140, 1280), (620, 2140, 1280)),
    ((255, 299), (600, 1480, 1400), (590, 1470, 1220)),
]
ROLL = (612, DIAMETER), (578, WIDTH - DIAMETER)  # the ball's centre (y, x) in its first and last frame
SHUTTER = 0.1  # of the time between two frames
SEED = 5


def smooth(draw, shape, blur):
    """Noise of one size of grain, (H, W) float with standard deviation 1."""
    small = draw.normal(size=[max(2, round(side / step)) for side, step in zip(shape, blur, strict=True)])
    large = np.asarray(Image.fromarray(small.astype(np.float32)).resize(shape[::-1], Image.Resampling.BICUBIC))
    return large / large.std()


def wood(draw):
    """A table top: boards with grain along the width, (H, W, 3) float."""
    grain = smooth(draw, TABLE, (5, 500)) * 6 + smooth(draw, TABLE, (30, 900)) * 9 + smooth(draw, TABLE, (3, 90)) * 2
    boards = np.zeros(TABLE)
    for top in range(130, TABLE[0], 310):
        boards[top:] = draw.normal() * 6
        boards[top - 2 : top + 2] = -50  # the joint
    return np.array([158, 116, 78]) + (grain + boards)[..., None] * [1, 0.85, 0.7]


def printed(name, scale):
    """The photo as a print with a white border: an RGB image."""
    photo = Image.fromarray(samples.photo(name))
    photo = photo.resize([round(side * scale) for side in photo.size], Image.Resampling.LANCZOS)
    photo = photo.filter(ImageFilter.GaussianBlur(0.8))  # ink spreads; and a thousand faint stars would fill the file
    paper = Image.new("RGB", [side + 48 for side in photo.size], (238, 236, 230))
    paper.paste(photo, (24, 24))
    return paper


def lay(table, paper, centre, degrees):
    """Put a print on the table, with its shadow."""
    paper = paper.convert("RGBA")
    edge = Image.new("RGBA", [side + 8 for side in paper.size], (238, 236, 230, 0))
    edge.paste(paper, (4, 4))
    turned = edge.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
    corner = round(centre[1] - turned.width / 2), round(centre[0] - turned.height / 2)
    shadow = Image.new("L", table.size)
    shadow.paste(turned.getchannel("A"), (corner[0] + 8, corner[1] + 12))
    shadow = shadow.filter(ImageFilter.GaussianBlur(9)).point(lambda v: v * 0.55)
    table.paste((24, 14, 8), (0, 0), shadow)
    table.paste(turned, corner, turned)


@functools.cache
def table():
    """The table with its prints, lit from the upper left: an RGB image."""
    table = Image.fromarray(np.uint8(np.clip(wood(np.random.default_rng(SEED)), 0, 255)))
    for photo, (centre, scale, degrees) in PRINTS.items():
        lay(table, printed(photo, scale), centre, degrees)
    y, x = np.ogrid[0 : 1 : TABLE[0] * 1j, 0 : 1 : TABLE[1] * 1j]
    light = 1.08 - 0.16 * (0.4 * x + 0.6 * y)
    return Image.fromarray(np.uint8(np.clip(np.asarray(table) * light[..., None], 0, 255)))


def view(y, x, width):
    """What the camera sees: (720, 1280, 3) float, the table from above, `width` of its pixels wide, centred at y, x."""
    step = width / WIDTH
    left, top = x - width / 2, y - width * HEIGHT / WIDTH / 2
    size, onto = (WIDTH, HEIGHT), (step, 0, left, 0, step, top)
    return np.asarray(table().transform(size, Image.Transform.AFFINE, onto, Image.Resampling.BICUBIC), float)


def shot(number, frame):
    """Frame `frame` of the film as shot `number` shows it."""
    (first, last), start, stop = SHOTS[number]
    return view(*np.add(start, np.subtract(stop, start) * ((frame - first) / (last - first))))


def ball_at(frame):
    """The ball's centre (y, x) in a frame; it goes on in a line outside of the picture."""
    start, stop = np.array(ROLL)
    return start + (stop - start) * (frame - BALL[0]) / (BALL[1] - BALL[0])


def soft_disc(centre, radius, soft):
    """How much of each pixel a disc covers, 0 to 1: its edge is `soft` pixels wide."""
    y, x = np.ogrid[:HEIGHT, :WIDTH]
    return np.clip((radius - np.hypot(y - centre[0], x - centre[1])) / soft + 0.5, 0, 1)


def with_ball(picture, frame):
    """The picture with the ball rolling through it, a little blurred by its way while the shutter was open."""
    seen, radius = np.zeros_like(picture), DIAMETER / 2
    moments = frame + SHUTTER * np.linspace(-0.5, 0.5, 15)
    y, x = np.ogrid[:HEIGHT, :WIDTH]
    for moment in moments:
        centre = ball_at(moment)
        shadow = soft_disc(centre + [8, 6], radius, 12)[..., None] * 0.5
        away = np.hypot(y - centre[0] + 0.35 * radius, x - centre[1] + 0.35 * radius)[..., None] / radius
        shade = np.clip(1.05 - 0.42 * away, 0.3, 1)
        gleam = np.exp(-((away / 0.28) ** 2)) * 0.55
        red = (np.array([226, 26, 30]) * shade) * (1 - gleam) + np.array([255, 205, 200]) * gleam
        cover = soft_disc(centre, radius, 1)[..., None]
        seen += picture * (1 - shadow) * (1 - cover) + red * cover
    return seen / len(moments)


@functools.cache
def still():
    """Shot 3, which does not move."""
    return shot(2, CUTS[1])


def picture(frame):
    """One frame of the film, (720, 1280, 3) uint8."""
    if frame < CUTS[0]:
        seen = shot(0, frame)
    elif frame < CUTS[1]:
        seen = shot(1, frame)
    elif frame < FADE[0]:
        seen = with_ball(still(), frame) if BALL[0] <= frame <= BALL[1] else still()
    else:
        mix = min((frame - FADE[0] + 1) / (FADE[1] - FADE[0] + 2), 1)
        seen = (1 - mix) * still() + mix * shot(3, frame)
    return np.uint8(np.clip(np.rint(seen), 0, 255))


# The sound track


def narrate():
    """The film's sound, (10 s) int16 at RATE, and from which second to which there is speech."""
    said, edge, start = say(VOICE, SENTENCE), round(EDGE * RATE), round(SPEAKS * RATE)
    track = np.zeros(FRAMES * RATE // FPS, np.int16)
    track[start - edge : start - edge + len(said)] = said
    return track, [SPEAKS, round(SPEAKS + (len(said) - 2 * edge) / RATE, 3)]


# The files


def encode(track):
    """The film as the bytes of an MP4: H.264 and AAC, index first."""
    import av
    from av.video.reformatter import Colorspace

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"  # a file, for the index is moved to the front at the end
        with av.open(path, "w", options={"movflags": "+faststart"}) as film:
            video = film.add_stream("libx264", rate=FPS, options=X264)
            video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            video.codec_context.colorspace = video.codec_context.color_primaries = video.codec_context.color_trc = 1
            video.codec_context.color_range, video.codec_context.thread_count = 1, 1  # BT.709, 16 to 235
            sound = film.add_stream("aac", rate=TRACK[0], layout="mono", bit_rate=TRACK[1])
            for frame in range(FRAMES):
                image = av.VideoFrame.from_ndarray(picture(frame), format="rgb24")
                image = image.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=1)
                image.pts, image.time_base = frame, Fraction(1, FPS)
                film.mux(video.encode(image))
            film.mux(video.encode(None))
            for packet in _encode_sound(av, sound, track):
                film.mux(packet)
        return path.read_bytes()


def _encode_sound(av, stream, track):
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=TRACK[0])
    whole = av.AudioFrame.from_ndarray(track[None], format="s16", layout="mono")
    whole.sample_rate, whole.pts, whole.time_base = RATE, 0, Fraction(1, RATE)
    for part in [*resampler.resample(whole), *resampler.resample(None), None]:
        yield from stream.encode(part)


def decode(film):
    """The film's frames, (720, 1280, 3) uint8 one by one, and whether each is a key frame."""
    import av

    with av.open(io.BytesIO(film)) as file:
        for frame in file.decode(video=0):
            yield frame.to_ndarray(format="rgb24"), bool(frame.key_frame)


def contact_sheet(frames):
    """All frames at an eighth of their side in one JPEG, 20 a row; each tile's last row is repeated, 90 to 96."""
    tiles = [
        np.pad(np.asarray(Image.fromarray(f).reduce(SMALL)), ((0, DOWN - HEIGHT // SMALL), (0, 0), (0, 0)), "edge")
        for f in frames
    ]
    rows = [np.concatenate(tiles[i : i + ACROSS], axis=1) for i in range(0, len(tiles), ACROSS)]
    file = io.BytesIO()
    Image.fromarray(np.concatenate(rows)).save(file, "JPEG", quality=66, subsampling=0, progressive=True)
    return file.getvalue()


def facts(spoken, key_frames, film):
    """What film.json says."""
    import av

    espeak = re.search(r"\d+\.\d+[\w.]*", subprocess.check_output(["espeak-ng", "--version"], text=True))[0]
    name, language, pitch, speed = VOICES[VOICE]
    x264 = re.search(rb"x264 - core (\d+)", film)[1].decode()
    where = [np.round(ball_at(frame), 2).tolist() for frame in range(BALL[0], BALL[1] + 1)]
    return {
        "made_by": "tools/make_film.py", "frames": FRAMES, "fps": FPS, "height": HEIGHT, "width": WIDTH, "cuts": CUTS,
        "fade": FADE, "ball": BALL, "ball_at": where, "ball_diameter": DIAMETER, "key_frames": key_frames,
        "sentence": SENTENCE, "spoken": spoken, "voice": VOICE, "language": language,
        "voices": {VOICE: {"espeak_ng": name, "language": language, "pitch": pitch, "words_per_minute": speed}},
        "photos": list(PRINTS), "x264": X264, "track": {"codec": "aac", "rate": TRACK[0], "bit_rate": TRACK[1]},
        "versions": {"espeak_ng": espeak, "x264_core": x264, "libavcodec": "{}.{}.{}".format(*av._core.library_meta["libavcodec"]["version"])},
    }  # fmt: skip


def build():
    """Everything that is stored: {file name: bytes}."""
    import soundfile

    if not shutil.which("espeak-ng"):
        raise SystemExit("espeak-ng is missing: apt-get install espeak-ng (or brew install espeak-ng)")
    track, spoken = narrate()
    flac = io.BytesIO()
    soundfile.write(flac, track, RATE, format="FLAC", subtype="PCM_16")
    film = encode(track)
    frames, keys = zip(*decode(film), strict=True)
    words = facts(spoken, np.flatnonzero(keys).tolist(), film)
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in words.items())
    return {
        "film.mp4": film,
        "film.flac": flac.getvalue(),
        "film.json": f"{{\n{lines}\n}}\n".encode(),
        "film_small.jpg": contact_sheet(frames),
    }


if __name__ == "__main__":
    run(__doc__, build, None, FOLDER, "")
