"""Reads numbers out of frames: RapidOCR with the models of its wheel, Tesseract beside it. Nothing is downloaded.

Told: the recogniser alone gets the number's box out of the resized frame. Found: detector and recogniser get the whole
frame. As shipped: the same, and each line is also asked whether it stands on its head.
"""

import functools
import subprocess
import tempfile
import unicodedata
from pathlib import Path

import numpy as np
from _patches_ocr import versions as versions
from PIL import Image

WIDE = 160  # pixels that a cut-out of 48 is padded to: RapidOCR's 320 costs twice the time, and no box here is as wide
STANDARD = 40  # pixels that Tesseract wants a digit high


@functools.cache
def _rapidocr():
    from rapidocr import RapidOCR

    return RapidOCR(
        params={
            "Global.log_level": "error",
            "Rec.rec_img_shape": [3, 48, WIDE],
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )


def told(seen):
    """What RapidOCR's recogniser makes of a box, (h, w, 3) uint8: a text without spaces."""
    result = _rapidocr()(np.ascontiguousarray(seen[..., ::-1]), use_det=False, use_cls=False, use_rec=True)
    return plain("".join(result.txts or []))


def found(seen, turning=False):
    """What RapidOCR finds and reads in a frame: texts without spaces. `turning` is its default."""
    result = _rapidocr()(np.ascontiguousarray(seen[..., ::-1]), use_det=True, use_cls=turning, use_rec=True)
    return [plain(text) for text in result.txts or []]


def tesseract(boxes, digits):
    """What Tesseract makes of many boxes, each with the height of its digits in pixels: texts without spaces.

    A box is enlarged until its digits are STANDARD pixels high; one line, digits only.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for n, (seen, digit) in enumerate(zip(boxes, digits)):
            up = max(1.0, STANDARD / digit)
            image = Image.fromarray(seen)
            image = image.resize((round(image.width * up), round(image.height * up)), Image.BICUBIC)
            paths.append(str(Path(folder) / f"{n}.png"))
            image.save(paths[-1])
        listed = Path(folder) / "list.txt"
        listed.write_text("\n".join(paths) + "\n", encoding="utf-8")
        command = ["tesseract", str(listed), "stdout", "--psm", "7", "-c", "tessedit_char_whitelist=0123456789"]
        made = subprocess.run(command, capture_output=True, check=True)
    pages = made.stdout.decode().split("\f")
    return [plain(page) for page in pages[: len(paths)]]


def plain(text):
    """Text without spaces, plain twins for full-width signs.

    >>> plain("１2 3\\n")
    '123'
    """
    return "".join(unicodedata.normalize("NFKC", text).split())


def is_number(text):
    """Whether a text could be the answer: three or four digits.

    >>> is_number("104"), is_number("1O4"), is_number("10")
    (True, False, False)
    """
    return text.isascii() and text.isdigit() and len(text) in (3, 4)
