"""Calls find their twin by their arguments alone; NumPy stays clear of torch."""

import importlib
import inspect
import pkgutil
import subprocess
import sys

import numpy as np
import pytest

import mmtokedu
from mmtokedu._dispatch import backend_of, has_cuda_twin
from mmtokedu.patches import patchify

TOPICS = [m.name for m in pkgutil.iter_modules(mmtokedu.__path__) if not (m.ispkg or m.name.startswith("_"))]


def twins():
    """Every public function that promises a twin, as (topic, function)."""
    for topic in TOPICS:
        module = importlib.import_module(f"mmtokedu.{topic}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if getattr(function, "has_cuda_twin", False) and function.__module__ == module.__name__:
                yield pytest.param(topic, function, id=f"{topic}.{name}")


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_importing_the_package_loads_neither_torch_nor_matplotlib():
    done = run(
        "import sys, mmtokedu, mmtokedu.patches; print(sorted({'torch', 'matplotlib', 'triton'} & set(sys.modules)))"
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_a_numpy_call_never_imports_torch():
    code = """
import sys, numpy as np
from mmtokedu.patches import patchify, unpatchify, normalize_patchify
image = np.zeros((4, 4, 3), np.uint8)
unpatchify(patchify(image, 2), 2, (2, 2)); normalize_patchify(image[None], 2, [0] * 3, [1] * 3)
print('torch' in sys.modules)"""
    assert run(code).stdout.strip() == "False"


def test_a_missing_torch_says_what_to_install():
    code = """
import sys
sys.modules['torch'] = None  # import torch now fails
try:
    import mmtokedu.cuda.patches
except ImportError as error:
    print(error)"""
    assert "pip install 'mmtokedu[torch]'" in run(code).stdout


def test_mixed_input_is_refused_by_name(tensors):
    image = np.zeros((4, 4, 3), np.float32)
    with pytest.raises(TypeError, match=r"patchify got a NumPy array \(images\) and a torch tensor \(out\)"):
        patchify(image, 2, out=tensors.give(np.zeros((4, 12), np.float32)))
    with pytest.raises(TypeError, match="torch.from_numpy"):
        backend_of("f", {"a": [image, tensors.give(image)]})


def test_only_arrays_and_tensors_have_a_say(tensors):
    assert backend_of("f", {"x": 3, "y": None, "z": "torch"}) == "numpy"
    assert backend_of("f", {"x": (1, 2), "y": tensors.give(np.zeros(1))}) == "torch"


def test_a_tensor_gives_a_tensor_on_its_device(tensors):
    torch = pytest.importorskip("torch")
    rows = patchify(tensors.give(np.zeros((4, 4, 3), np.float32)), 2)
    assert isinstance(rows, torch.Tensor) and rows.device.type == tensors.device


@pytest.mark.parametrize("topic, function", list(twins()))
def test_twins_have_the_same_signature(topic, function):
    pytest.importorskip("torch")
    twin = getattr(importlib.import_module(f"mmtokedu.cuda.{topic}"), function.__name__)
    ours, theirs = (
        [(p.name, p.kind, p.default is p.empty) for p in inspect.signature(f).parameters.values()]
        for f in (function, twin)
    )
    assert ours == theirs
    assert twin.__doc__ and f"mmtokedu.{topic}.{function.__name__}" in twin.__doc__


def test_there_are_twins_to_test():
    assert len(list(twins())) >= 4


def test_the_decorator_keeps_name_docstring_and_source():
    @has_cuda_twin
    def double(x):
        """Twice."""
        return 2 * x

    assert (double.__name__, double.__doc__, double(2)) == ("double", "Twice.", 4)
    assert "return 2 * x" in inspect.getsource(double)
