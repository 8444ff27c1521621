"""Triton's interpreter in less time, with the same answers: import this before a kernel is called.

The interpreter puts its own functions in the place of the language's at each launch, and again at each call of a helper
from a kernel, where they stand already. Here a launch does so for the language and its core at once, and a helper is
only called.
"""

import types

import triton.language as tl
from triton.runtime import interpreter


def _at_once(patch):
    everywhere = types.SimpleNamespace(__globals__={"tl": tl, "core": tl.core})
    return lambda function: patch(everywhere)


def _called(self, *given, **named):
    return self.rewrite()(*given, **named)


if interpreter.InterpretedFunction.__call__ is not _called:
    interpreter._patch_lang = _at_once(interpreter._patch_lang)
    interpreter.InterpretedFunction.__call__ = _called
