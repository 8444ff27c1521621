"""What this machine has, and which path each call takes on it."""

import importlib
import importlib.metadata
import platform
import sys
from pathlib import Path

from mmtokedu._say import said
from mmtokedu._version import __version__

PACKAGES = ("numpy", "pillow", "scikit-image", "matplotlib", "ipywidgets", "torch", "triton", "av", "soundfile")


def doctor():
    """Report on this machine: Python, package versions, the GPU and its dtypes, the path of each call.

    Returns a `Report`, a page of text; alone on a line of a script, it is printed. Its fields are there for a
    program: `python`, `packages` (name -> version or None), `gpu`, `dtypes`, `paths` (call -> path).
    Never raises for something that is missing: it says how to get it. Source: the packages' own metadata
    and `torch.cuda`.

    >>> "numpy" in doctor().packages
    True
    """
    packages = {name: _version(name) for name in PACKAGES}
    gpu, dtypes = _gpu() if packages["torch"] else (None, ())
    return said(Report(platform.python_version(), packages, gpu, dtypes, _paths(packages, gpu)))


class Report:
    """What `doctor` found; prints as text."""

    def __init__(self, python, packages, gpu, dtypes, paths):
        self.python, self.packages, self.gpu, self.dtypes, self.paths = python, packages, gpu, dtypes, paths

    def __repr__(self):
        lines = [f"mmtokedu {__version__}, Python {self.python} on {sys.platform}"]
        lines += [f"  {name:13}{version or 'not installed' + _remedy(name)}" for name, version in self.packages.items()]
        lines.append(f"GPU: {self.gpu or 'none that torch can use; every call runs on the CPU'}")
        if self.dtypes:
            lines.append(f"  fast dtypes: {', '.join(self.dtypes)}")
        lines.append("Paths (NumPy arrays always take NumPy):")
        lines += [f"  {call:29}{path}" for call, path in self.paths.items()]
        return "\n".join(lines)


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _remedy(name):
    extra = {
        "scikit-image": "samples", "matplotlib": "show", "ipywidgets": "show", "torch": "torch",
        "triton": "gpu", "av": "media", "soundfile": "media",
    }.get(name)  # fmt: skip
    return f" (pip install 'mmtokedu[{extra}]')" if extra else ""


def _gpu():
    """The card's name and the dtypes it computes fast, by its compute capability."""
    try:
        import torch
    except Exception as error:  # a broken installation is a finding, not a crash
        return f"unknown: torch does not import ({type(error).__name__}: {error})", ()
    if not torch.cuda.is_available():
        return None, ()
    capability = torch.cuda.get_device_capability()
    dtypes = ["float32"]
    if capability >= (7, 0):
        dtypes.append("float16")
    if capability >= (8, 0):
        dtypes += ["bfloat16", "tf32"]
    if capability >= (8, 9):
        dtypes.append("float8")
    memory = torch.cuda.get_device_properties(0).total_memory / 2**30
    return f"{torch.cuda.get_device_name()}, {memory:.0f} GiB, capability {capability[0]}.{capability[1]}", tuple(
        dtypes
    )


def _paths(packages, gpu):
    """Each call that has a twin -> what a torch tensor takes here."""
    paths = {}
    for file in sorted((Path(__file__).parent / "cuda").glob("[!_]*.py")):
        for name, function in vars(importlib.import_module(f"mmtokedu.{file.stem}")).items():
            if getattr(function, "has_cuda_twin", False) and function.__module__ == f"mmtokedu.{file.stem}":
                paths[f"{file.stem}.{name}"] = _path(file.stem, name, packages, gpu)
    return paths


def _path(topic, name, packages, gpu):
    if not packages["torch"]:
        return "refused: torch is not installed"
    if not gpu or gpu.startswith("unknown"):
        return "CPU tensors: torch, or NumPy on the same memory"
    kernel = packages["triton"] and (Path(__file__).parent / "cuda" / "kernels" / f"{topic}.py").exists()
    if kernel and hasattr(importlib.import_module(f"mmtokedu.cuda.kernels.{topic}"), name):
        return "CUDA tensors: Triton kernel"
    return "CUDA tensors: torch"
