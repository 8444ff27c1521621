"""Torch twins of the library's functions. Nobody imports them by hand: a tensor argument finds them."""

import importlib.util
import os

try:
    import torch  # noqa: F401
except ImportError as error:
    raise ImportError(
        "mmtokedu.cuda needs torch, which is not installed: pip install 'mmtokedu[torch]' "
        "(on Colab it is there already). The NumPy functions work without it."
    ) from error


def runs_triton(tensor):
    """Whether a twin uses its Triton kernel for this tensor: on a card with Triton there, or interpreted in tests."""
    if importlib.util.find_spec("triton") is None:
        return False
    return tensor.is_cuda or os.environ.get("TRITON_INTERPRET") == "1"
