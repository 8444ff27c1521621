"""Every file that ships with the library: what it shows, where it comes from, under which licence."""

from pathlib import Path
from typing import NamedTuple

DATA = Path(__file__).parents[1] / "data"


class Item(NamedTuple):
    """What a sample shows, where it comes from, and the licence in its owner's words."""

    what: str
    origin: str
    licence: str


_PAGE = "typeset for this book by tools/typeset_page.py", "CC BY 4.0"
_FONT = "Source Serif Pro 2.007 (italic 1.007) by Adobe, from the PyPI package font-source-serif-pro 0.0.1, unchanged"
_SANS = "Instrument Sans 1.000 by The Instrument Sans Project Authors, https://github.com/Instrument/instrument-sans"
_OFL = "SIL Open Font License 1.1, text beside it"
_SPEECH = "our sentences read by espeak-ng 1.51, in tools/make_speech.py", "CC BY 4.0"
_INVOICE = "typeset and photographed for this book by tools/make_invoice.py; all on it is invented", "CC BY 4.0"
_QUESTION = "our sentence read by espeak-ng 1.51, in tools/make_question.py", "CC BY 4.0"
_FILM = (
    "made for this book by tools/make_film.py: scikit-image's photos rocket (SpaceX, public domain), hubble_deep_field "
    "(NASA, public domain) and chelsea (Stefan van der Walt, CC0) on computed wood, our sentence by espeak-ng 1.51",
    "CC BY 4.0",
)
_READER = "trained on scenes of mmtokedu.samples.world by experiments/compress.py", "CC BY 4.0"
_CODEC = "trained on speech/train.flac by experiments/rvq.py", "CC BY 4.0"
ITEMS = {  # path below mmtokedu/data -> Item: every file that ships
    "page.png": Item("an A4 page at 200 dpi, type from 7 to 12 points", *_PAGE),
    "page_noisy.jpg": Item("the same page worn: tilted, unevenly lit, blurred, noisy, saved as a JPEG", *_PAGE),
    "page.json": Item("the page's lines, and the box of every character on both", *_PAGE),
    "fonts/SourceSerifPro-Regular.ttf": Item("the page's roman", _FONT, _OFL),
    "fonts/SourceSerifPro-It.ttf": Item("the page's italic", _FONT, _OFL),
    "fonts/SourceSerifPro-Semibold.ttf": Item("the page's bold", _FONT, _OFL),
    "fonts/SourceSerifPro-LICENSE.txt": Item("the licence of the three fonts", _FONT, "verbatim copies allowed"),
    "fonts/InstrumentSans-Regular.ttf": Item("the figures' and the invoice's regular", _SANS, _OFL),
    "fonts/InstrumentSans-Bold.ttf": Item("the figures' and the invoice's bold", _SANS, _OFL),
    "results/patches.json": Item(
        "what a resize destroys on two pages, and what padding wastes", "experiments/patches.py", "MIT, as the code"
    ),
    "results/patches_parity.json": Item(
        "how often the library's counts are the systems' own", "tests/parity/peers.py", "MIT, as the code"
    ),
    "results/video_parity.json": Item(
        "how often the library's frames and counts are the systems' own",
        "tests/parity/peers_video.py",
        "MIT, as the code",
    ),
    "results/interleave_parity.json": Item(
        "how often the library's sequences, masks and labels are the systems' own",
        "tests/parity/parity_counts.py",
        "MIT, as the code",
    ),
    "results/mrope_parity.json": Item(
        "how often the library's positions and rotations are the systems' own",
        "tests/parity/parity_counts.py",
        "MIT, as the code",
    ),
    "results/compress_parity.json": Item(
        "how often the library's folds, pools and merges are the systems' own",
        "tests/parity/parity_counts.py",
        "MIT, as the code",
    ),
    "results/vq.json": Item(
        "how codebooks collapse, what helps, and what codes cost", "experiments/vq.py", "MIT, as the code"
    ),
    "results/vq_generation.json": Item(
        "what a codebook does to a generator", "experiments/vq_generation.py", "MIT, as the code"
    ),
    "speech/train.flac": Item("synthetic speech to learn from: 40 sentences, 8 voices", *_SPEECH),
    "speech/new_sentences.flac": Item("synthetic speech to test on: 7 other sentences, the same voices", *_SPEECH),
    "speech/new_voice.flac": Item("synthetic speech to test on: 5 of the other sentences, another voice", *_SPEECH),
    "speech/speech.json": Item("who says what in the three files, from where to where", *_SPEECH),
    "results/rvq.json": Item(
        "speech through stacks of codebooks, and the streams of their codes", "experiments/rvq.py", "MIT, as the code"
    ),
    "results/small.json": Item(
        "what the book's small model learns of its small world", "experiments/small.py", "MIT, as the code"
    ),
    "results/mrope.json": Item(
        "how far positions carry: widths, sizes, rules, rates", "experiments/mrope.py", "MIT, as the code"
    ),
    "results/interleave.json": Item(
        "what separators, modality embeddings, labels, gaps and order teach about pictures side by side",
        "experiments/interleave.py",
        "MIT, as the code",
    ),
    "results/subword.json": Item(
        "how many tokens seven texts are, by three vocabularies", "experiments/subword.py", "MIT, as the code"
    ),
    "results/video.json": Item(
        "a number shown for a moment: frame rate against pixels at a budget of tokens",
        "experiments/video.py",
        "MIT, as the code",
    ),
    "results/compress.json": Item(
        "what each way of having fewer visual tokens forgets", "experiments/compress.py", "MIT, as the code"
    ),
    "compress/play.json": Item(
        "what a small reader answers about two pictures with fewer tokens",
        "experiments/_compress_play.py",
        "MIT, as the code",
    ),
    "compress/reader.npz": Item("the weights of the small reader that is asked with fewer tokens", *_READER),
    "rvq/codec.npz": Item("the weights of the speech codec, 8 codebooks of 256", *_CODEC),
    "rvq/heard.flac": Item("a new sentence in a new voice, and the codec's 1 to 8 codebooks of it", *_CODEC),
    "rvq/heard_arms.flac": Item(
        "the same sentence from 8 codebooks: by k-means, and by the codec after 500 steps", *_CODEC
    ),
    "request/invoice.png": Item("an invoice on an A4 page at 200 dpi, type from 6 to 22 points", *_INVOICE),
    "request/invoice.jpg": Item("the invoice photographed: folded, on a table, seen from one side", *_INVOICE),
    "request/invoice.json": Item("what the invoice says, and where each piece of it stands in both", *_INVOICE),
    "request/question.flac": Item("synthetic speech: the question of the book's request", *_QUESTION),
    "request/question.json": Item("the question's words and voice, and the request's line of text", *_QUESTION),
    "request/film.mp4": Item("ten seconds of film: three photos on a table, a small red ball, a voice", *_FILM),
    "request/film.flac": Item("synthetic speech: the film's sound track at 16 kHz", *_FILM),
    "request/film.json": Item("the film's cuts and fade, where the ball is when, what the voice says", *_FILM),
    "request/film_stills.jpg": Item("two frames of the film at full size: before the ball, and the ball", *_FILM),
    "request/film_small.jpg": Item("all 300 frames of the film at an eighth of their side", *_FILM),
    "fonts/InstrumentSans-LICENSE.txt": Item("the licence of the two fonts", _SANS, "verbatim copies allowed"),
}
for _path in sorted((DATA / "benchmarks").glob("*.json")):  # one a topic and device
    _what = "times of what the chapter does, beside its peers"
    _program = f"benchmarks/bench_{_path.stem.partition('-')[0]}.py"
    ITEMS[f"benchmarks/{_path.name}"] = Item(_what, _program, "MIT, as the code")
