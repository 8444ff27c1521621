"""`python -m mmtokedu.explore golden TOPIC` prints golden vectors, `… page TOPIC` the explorable as a page."""

import argparse
import json

from mmtokedu.explore import GOLDEN, golden_vectors, page

parser = argparse.ArgumentParser(prog="python -m mmtokedu.explore", description=__doc__)
parser.add_argument("what", choices=["golden", "page"])
parser.add_argument("topic", nargs="?", default="patches", choices=sorted(GOLDEN))
arguments = parser.parse_args()
print(json.dumps(golden_vectors(arguments.topic)) if arguments.what == "golden" else page(arguments.topic))
