"""What torch.compile must not look into: checks that read numbers back, searches that NumPy does, learned averages."""

import functools
import sys

import torch


def eagerly(function):
    """`function`, left as it stands where torch.compile compiles its caller: it would trace the NumPy in it as torch.

    As torch.compiler.disable, which loads the compiler at once: seconds, for a caller who may never compile.
    """
    outside = []  # `function` as the compiler leaves it alone, once there is a compiler

    # Not `__type_params__`, which Python 3.12 has too: where Sphinx stands in for torch, it is no tuple.
    @functools.wraps(function, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
    def call(*args, **kwargs):
        if "torch._dynamo" not in sys.modules:
            return function(*args, **kwargs)
        if not outside:
            outside.append(torch.compiler.disable(function))
        return outside[0](*args, **kwargs)

    return call
