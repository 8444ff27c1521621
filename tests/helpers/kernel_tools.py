"""What the tests of the kernels share: where they run, breaking a kernel, compiling it, fencing its memory."""

import functools
import importlib.util
import os
import pathlib
import re
import subprocess

import pytest

torch = pytest.importorskip("torch")
triton = pytest.importorskip("triton")

INTERPRETER = os.environ.get("TRITON_INTERPRET") == "1"
CARD = torch.cuda.is_available() and not INTERPRETER
runs = pytest.mark.skipif(not (INTERPRETER or CARD), reason="runs with TRITON_INTERPRET=1 or on a card")
interpreted = pytest.mark.skipif(not INTERPRETER, reason="runs with TRITON_INTERPRET=1")
compiled = pytest.mark.skipif(INTERPRETER, reason="the interpreter compiles nothing")
DEVICE = "cuda" if CARD else "cpu"

INPUT, OUTPUT, ROOM, LIST, SUM = (
    "input",
    "output",
    "room",
    "list",
    "sum",
)  # what a kernel does with a tensor: see `fence`


def broken(folder, old, new, kernels):
    """A copy of the module `kernels` with one piece of its source replaced."""
    source = pathlib.Path(kernels.__file__).read_text()
    assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times in the kernel; mend the table"
    path = folder / "broken.py"
    path.write_text(source.replace(old, new))
    spec = importlib.util.spec_from_file_location("broken", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def machine_code(kernel, generation, kinds, constants, options, multiples=("K",)):
    """A kernel compiled without a card. `kinds` are the types of its pointers and whole numbers.

    Pointers are multiples of 16 bytes, as torch allocates. `multiples` names numbers that are multiples of 16 too, as the
    number of codes K is in practice: Triton compiles that case for itself.
    """
    names = kernel.arg_names
    assert kinds.keys().isdisjoint(constants) and kinds.keys() | constants.keys() == set(names)
    signature = {name: kinds.get(name, "constexpr") for name in names}
    even = [i for i, name in enumerate(names) if signature[name].startswith("*") or name in multiples]
    aligned = {(i,): [["tt.divisibility", 16]] for i in even}
    source = triton.compiler.ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=aligned)
    return triton.compile(source, target=triton.backends.compiler.GPUTarget("cuda", generation, 32), options=options)


def resources(folder, cubin):
    """Registers and bytes of stack and local memory of a thread: {"REG": n, "STACK": n, "LOCAL": n}."""
    (folder / "kernel.cubin").write_bytes(cubin)
    cuobjdump = pathlib.Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    command = [cuobjdump, "--dump-resource-usage", folder / "kernel.cubin"]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {name: int(number) for name, number in re.findall(r"(REG|STACK|LOCAL):(\d+)", report)}


def fence(patch, kernels, name, module, roles, seen=None):
    """Have calls of `kernels.name` go to the same name of `module`, every tensor between margins.

    An INPUT must stay as it is, an OUTPUT be written wholly; a LIST may be written in part, a SUM is added to, and what
    is in a ROOM before it is written spoils a result. Nothing is written beside a tensor, and a number read from there is NaN, which spoils a result. What the tensors hold
    afterwards goes to seen[name].
    """
    launch = getattr(module, name)

    def between_margins(*given, **options):
        tensors = [isinstance(x, torch.Tensor) for x in given]
        poison = [float("nan") if there and x.is_floating_point() else -9 for x, there in zip(given, tensors)]
        for x, value, role in zip(given, poison, roles):
            if role in (OUTPUT, ROOM) and x is not None:
                x.fill_(value)
        rooms = [between(x, value) if there else (x, None) for x, value, there in zip(given, poison, tensors)]
        launch(*(inside for inside, _ in rooms), **options)
        for x, value, role, (inside, beside) in zip(given, poison, roles, rooms):
            if beside is None:
                continue
            is_poison = torch.isnan if value != value else functools.partial(torch.eq, other=value)
            assert all(is_poison(margin).all() for margin in beside), "something was written beside a tensor"
            assert role is not INPUT or torch.equal(inside, x), "an input was written"
            assert role is not OUTPUT or not is_poison(inside).any(), "a row was not written"
            x.copy_(inside)
        if seen is not None:
            seen[name] = [x.cpu() if there else x for (x, _), there in zip(rooms, tensors)]

    patch.setattr(kernels, name, between_margins)


def between(x, value, margin=4096):
    """A copy of x between two margins of `value`, and the margins."""
    room = torch.full((x.numel() + 2 * margin,), value, dtype=x.dtype, device=x.device)
    inside = room[margin : margin + x.numel()].view(x.shape)
    return inside.copy_(x), (room[:margin], room[margin + x.numel() :])
