"""On PYTHONPATH, this makes torch unimportable in the test process and in every process it starts."""

import sys

sys.modules["torch"] = None
sys.modules["triton"] = None
