"""The programs of `experiments/` as modules: they belong to no package, and import their neighbours."""

import contextlib
import importlib.util
import sys
from pathlib import Path

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


@contextlib.contextmanager
def experiment_named(name):
    """`experiments/<name>.py` as a module; afterwards it and the neighbours that came with it are forgotten again."""
    before, folder = set(sys.modules), str(EXPERIMENTS)
    sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(f"experiment_{name}", EXPERIMENTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(folder)
        for loaded in set(sys.modules) - before:
            if str(getattr(sys.modules[loaded], "__file__", "")).startswith(folder):
                del sys.modules[loaded]
