"""Photos out of scikit-image's wheel, read byte for byte."""

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from mmtokedu.samples.items import Item

PHOTOS = {  # licence: as the docstring of skimage.data.<name> states it; images without a statement are left out
    "astronaut": Item(
        "the astronaut Eileen Collins, 512 x 512",
        "NASA Great Images database, https://flic.kr/p/r9qvLn",
        "No known copyright restrictions, released into the public domain.",
    ),
    "chelsea": Item(
        "Chelsea the cat, 300 x 451",
        "photograph by Stefan van der Walt",
        "No copyright restrictions. CC0 by the photographer (Stefan van der Walt).",
    ),
    "coffee": Item(
        "a cup of coffee on a wooden table, 400 x 600",
        "photograph by Rachel Michetti, courtesy of Pikolo Espresso Bar",
        "No copyright restrictions. CC0 by the photographer (Rachel Michetti).",
    ),
    "hubble_deep_field": Item(
        "the Hubble eXtreme Deep Field, 872 x 1000",
        "NASA, http://hubblesite.org/newscenter/archive/releases/2012/37/image/a/",
        "may be freely used in the public domain",
    ),
    "retina": Item(
        "a human retina, 1411 x 1411",
        "https://commons.wikimedia.org/wiki/File:Fundus_photograph_of_normal_left_eye.jpg, by Mikael Häggström",
        "made available under the Creative Commons CC0 1.0 Universal Public Domain Dedication",
    ),
    "rocket": Item(
        "launch of DSCOVR on a Falcon 9, 427 x 640",
        "SpaceX Photos, https://www.flickr.com/photos/spacexphotos/16511594820/in/photostream/",
        "released in the public domain",
    ),
}


def photo(name="astronaut"):
    """A photo from scikit-image's wheel: (H, W, 3) uint8, a fresh array each call.

    ValueError for a name that is not in PHOTOS; ModuleNotFoundError where scikit-image is not installed.

    >>> photo("coffee").shape
    (400, 600, 3)
    """
    if name not in PHOTOS:
        raise ValueError(f"there is no photo {name!r}; choose one of {', '.join(PHOTOS)}")
    return _read_photo(name).copy()


@cache
def _read_photo(name):
    scikit_image = importlib.util.find_spec("skimage")
    if scikit_image is None:
        raise ModuleNotFoundError("the photos lie in scikit-image, which is missing: pip install mmtokedu[samples]")
    folder = Path(scikit_image.origin).parent / "data"  # read the file ourselves: skimage.data may go and download
    for path in (folder / f"{name}.png", folder / f"{name}.jpg"):
        if path.exists():
            with Image.open(path) as image:
                return np.asarray(image.convert("RGB"))
    raise FileNotFoundError(f"{folder} holds no {name}; scikit-image's wheel does: pip install mmtokedu[samples]")
