"""Backends as a fixture: a property is written once and holds for NumPy, torch, the Triton interpreter and a card."""

import functools
import importlib.util
import inspect
import os
import pathlib

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("house", deadline=None, derandomize=True)  # a busy machine is no failing test
settings.load_profile("house")

try:
    import torch
except ImportError:
    torch = None

TESTS = pathlib.Path(__file__).parent
INTERPRETER = os.environ.get("TRITON_INTERPRET") == "1"
if INTERPRETER and importlib.util.find_spec("triton"):
    import quick_interpreter  # noqa: F401  (the same interpreter, patched once instead of at every call)


class Backend:
    """How a test speaks to one backend: `give` an array, `take` a result back as an array."""

    def __init__(self, name):
        self.name = name
        self.device = "cuda" if name == "cuda" else "cpu"

    def __repr__(self):
        return self.name

    def give(self, array):
        return array if self.name == "numpy" else torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def take(self, result):
        return result if self.name == "numpy" else result.cpu().numpy()

    def empty(self, shape, dtype):
        """Poisoned memory for `out=`: what is not written shows."""
        bad = np.full(shape, np.nan if np.issubdtype(dtype, np.floating) else 170, dtype)
        return self.give(bad)


def backends():
    names = ["numpy"]
    if torch is not None:
        names.append("triton" if INTERPRETER else "torch")
        if torch.cuda.is_available() and not INTERPRETER:
            names.append("cuda")
    return names


@pytest.fixture(params=backends())
def backend(request):
    return Backend(request.param)


@pytest.fixture
def tensors():
    """A tensor backend, for tests about torch alone."""
    pytest.importorskip("torch")
    return Backend("triton" if INTERPRETER else "torch")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def pytest_collection_modifyitems(items):
    """What a test asks of its fixtures, or says in its own lines, tells what it needs: a tensor is torch's.

    In the interpreter, and on a card, a backend's tensors go through a kernel.
    """
    for item in items:
        name = getattr(getattr(item, "callspec", None), "params", {}).get("backend")
        if name in ("torch", "triton", "cuda") or "tensors" in getattr(item, "fixturenames", ()):
            item.add_marker("torch")
            if INTERPRETER or name == "cuda":
                item.add_marker("kernel")
        elif hasattr(item.module, "torch") or any("torch" in source for source in sources(item)):
            item.add_marker("torch")


@functools.cache
def source_of(function):
    return inspect.getsource(function)


def sources(item):
    """The lines of a test, and of the fixtures that it asks for in our files."""
    fixtures = [found[-1].func for found in item._fixtureinfo.name2fixturedefs.values() if found]
    return [source_of(f) for f in (item.function, *fixtures) if str(TESTS) in inspect.getfile(f)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """The leg without torch leaves out what is marked `torch`; so what it skips for want of torch would run nowhere."""
    report = yield
    unmarked = torch is None and report.skipped and not item.get_closest_marker("torch")
    if unmarked and "could not import 'torch'" in str(report.longrepr):
        report.outcome, report.longrepr = "failed", f"{item.nodeid} needs torch, and no marker says so"
    return report
