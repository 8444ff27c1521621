"""How a call finds its twin: NumPy stays here, torch tensors go to the function of the same name in `mmtokedu.cuda`."""

import functools
import importlib
import inspect
import sys

import numpy as np


def is_tensor(x):
    """True for a torch tensor. Looks for torch without importing it: no torch loaded, no tensor."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def backend_of(function, arguments):
    """Name the backend of a call from its arguments: "numpy" or "torch". A mixture is refused by name.

    `arguments` maps parameter names to values; lists and tuples are looked into, everything else
    that is neither an array nor a tensor has no say.
    """
    kinds = {}  # "numpy" | "torch" -> the first parameter of that kind
    for name, value in arguments.items():
        for kind in _kinds(value):
            kinds.setdefault(kind, name)
    if len(kinds) == 2:
        raise TypeError(
            f"{function} got a NumPy array ({kinds['numpy']}) and a torch tensor ({kinds['torch']}); "
            "convert one of them (torch.from_numpy(array) or tensor.numpy())"
        )
    return next(iter(kinds), "numpy")


def _kinds(value):
    """The backends, "numpy" or "torch", that are in a value, or in a list or tuple of values."""
    found = {"torch" if is_tensor(x) else type(x) for x in (value if isinstance(value, (list, tuple)) else (value,))}
    return ["numpy" if kind != "torch" else kind for kind in found if kind == "torch" or issubclass(kind, np.ndarray)]


def has_cuda_twin(function):
    """Send calls that hold torch tensors to the twin: same name, same signature, `mmtokedu.cuda.<topic>`."""
    signature = inspect.signature(function)
    twin_module = function.__module__.replace("mmtokedu.", "mmtokedu.cuda.", 1)

    @functools.wraps(function)
    def call(*args, **kwargs):
        kinds = {kind for value in (*args, *kwargs.values()) for kind in _kinds(value)}
        if len(kinds) == 2:
            backend_of(function.__name__, signature.bind(*args, **kwargs).arguments)  # refuses it by name
        if "torch" in kinds:
            return getattr(importlib.import_module(twin_module), function.__name__)(*args, **kwargs)
        return function(*args, **kwargs)

    call.has_cuda_twin = True
    return call
