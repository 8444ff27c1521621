"""Those who write media into a prompt, each made ready: functions of the number of an input.

transformers is asked without image processor and tokenizer: a processor's own `replace_image_token` and
`get_text_with_replacements` get what an image processor hands on, and answer with a string.
"""

import importlib
from types import SimpleNamespace

import numpy as np
from _timing import SETS

from mmtokedu.catalog import styles
from mmtokedu.interleave import Image, Text, expand, interleave

SIDE, WORDS, CELL = 12, 20, 14  # an image is SIDE x SIDE tokens, after so many bytes of text
STYLES = {  # style -> folder and class of its processor, the mark that it writes for an image
    "llava-1.5": ("llava", "LlavaProcessor", "<image>"),
    "qwen2-vl": ("qwen2_vl", "Qwen2VLProcessor", "<|image_pad|>"),
}


def texts(media, number):
    """Bytes before each image: letters, another drawing for each input."""
    return np.random.default_rng(number).integers(97, 123, (media, WORDS))


def special(style):
    """The style's tokens, numbered from 256 up, as its byte vocabulary has them."""
    return {token: 256 + i for i, token in enumerate(styles.row(style).tokens)}


def written(style):
    """What a template writes for one image, as ids."""
    row, known = styles.row(style), special(style)
    image = row.media["image"]
    return [*(known[token] for token in image.start), known[image.soft], *(known[token] for token in image.end)]


def by_expand(style, media):
    """Ids of the prompt, a placeholder for each image, and how many tokens each has."""
    prompts = [np.concatenate([[*text, *written(style)] for text in texts(media, i)]) for i in range(SETS)]
    placeholder, lengths = special(style)[styles.row(style).media["image"].soft], np.full(media, SIDE * SIDE)
    return lambda i: expand(prompts[i % SETS], placeholder, lengths)[0]


def by_interleave(style, media):
    """Parts: rows of ids, and images that are cut. Answers with labels, spans, positions and names as well."""
    parts = [[part for text in texts(media, i) for part in (Text(text), Image(grid=(SIDE, SIDE)))] for i in range(SETS)]
    known = special(style)
    return lambda i: interleave(parts[i % SETS], style=style, special=known).ids


def by_transformers(style, media):
    """The processor's own strings: one for each image, and the prompt with them in their places."""
    folder, name, mark = STYLES[style]
    peer = object.__new__(getattr(importlib.import_module(f"transformers.models.{folder}.processing_{folder}"), name))
    peer.image_token, peer.video_token = mark, None
    peer.patch_size, peer.num_additional_image_tokens, peer.vision_feature_select_strategy = CELL, 1, "default"
    peer.image_processor = SimpleNamespace(merge_size=2)
    pixels = np.broadcast_to(np.float32(0), (media, 3, SIDE * CELL, SIDE * CELL))
    cut = {"image_grid_thw": np.array([[1, 2 * SIDE, 2 * SIDE]] * media), "pixel_values": pixels}
    prompt = styles.row(style).media["image"].prompt
    prompts = ["".join(bytes(text.tolist()).decode() + prompt for text in texts(media, i)) for i in range(SETS)]

    def call(i):
        strings = [peer.replace_image_token(cut, image_idx=k) for k in range(media)]
        return peer.get_text_with_replacements([prompts[i % SETS]], strings)[0][0]

    return call


def tokenizer(style):
    """A tokenizer of 256 bytes and the style's tokens: a function of text."""
    made = importlib.import_module("tokenizers")
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    letters = {byte: chr(byte) for byte in plain} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    tiny = made.Tokenizer(made.models.BPE(vocab={letters[byte]: byte for byte in range(256)}, merges=[]))
    tiny.pre_tokenizer = made.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tiny.add_special_tokens([made.AddedToken(token, special=True) for token in styles.row(style).tokens])
    return lambda text: np.array(tiny.encode(text).ids)
