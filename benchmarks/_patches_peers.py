"""transformers' two image processors for Qwen2-VL, the slow one on Pillow and the fast one on torchvision.

torchvision's published wheel is built for CUDA and does not load its compiled operators beside a CPU build of torch.
None of them is needed to resize and normalise (that is torch's own work), but the package asks for two by name while it
is imported. Where they are missing they are declared here without code, for this program alone, and the results say so.
"""

import importlib
import sys

NEEDED = "nms", "qnms"  # the two operators whose names torchvision looks up when it is imported
_declared = []  # keeps the declaration alive: torch drops it with its Library


def load_torchvision():
    """Import torchvision; one sentence on how its own operators were loaded."""
    torch = importlib.import_module("torch")
    try:
        torchvision = importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]  # what the failed import left half made
        library = torch.library.Library("torchvision", "DEF")
        for name in NEEDED:
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(library)
        torchvision = importlib.import_module("torchvision")
    how = "with its own compiled operators"
    if not torchvision.extension._has_ops():
        names = " and ".join(NEEDED)
        how = f"without its own compiled operators, which do not load there: {names} were declared without code"
    return f"torchvision {torchvision.__version__} beside torch {torch.__version__}, {how}; nothing timed calls them"


def slow(**settings):
    """The processor on Pillow and NumPy."""
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    processor = Qwen2VLImageProcessorPil(**settings)
    return lambda image, **kwargs: processor(images=[image], return_tensors="np", **kwargs)["pixel_values"]


def fast(**settings):
    """The processor on torchvision; it takes channels-first tensors as they are and turns other arrays first."""
    load_torchvision()
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor

    processor = Qwen2VLImageProcessor(**settings)
    return lambda image, **kwargs: processor(images=[image], return_tensors="pt", **kwargs)["pixel_values"]
