"""The student's process: runs the cells of a notebook, then answers calls. It knows no result and gives no points."""

import builtins
import json
import os
import struct
import sys
import time
import types

from mmtokedu.course import on_cuda
from mmtokedu.course._cells import Shell, TooSlow, within
from mmtokedu.course._wire import from_json, to_json


def framed(message):
    """A message as bytes: four of length, then JSON."""
    data = json.dumps(message).encode()
    return struct.pack(">I", len(data)) + data


def send(fd, message):
    """Write one message."""
    data = memoryview(framed(message))
    while data:
        data = data[os.write(fd, data) :]


def receive(fd):
    """Read one message, or None where there are no more."""
    head = _exactly(fd, 4)
    return head and json.loads(_exactly(fd, struct.unpack(">I", head)[0]))


def _exactly(fd, count):
    data = bytearray()
    while len(data) < count:
        piece = os.read(fd, min(count - len(data), 1 << 20))
        if not piece:
            return None
        data += piece
    return bytes(data)


def work(questions, answers):
    """Run the cells that come first, then call what is asked for, until the pipe is closed."""
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    shell = Shell(main.__dict__, note=None)
    main.__dict__["get_ipython"] = lambda: shell
    main.__dict__["display"] = lambda *a, **k: None
    builtins.input = _no_input
    asked = receive(questions)
    end = time.monotonic() + asked["seconds"]
    for number, source in asked["cells"]:
        send(answers, {"cell": number})
        # A cell that takes long, an experiment say, is cut short, so that all cells get their turn.
        seconds = min(asked["seconds"] / 3, max(end - time.monotonic(), 1))
        for said, slow in _run(shell, number, source, seconds):
            send(answers, {"stopped": number, "said": said[:500], "slow": slow})
    send(answers, {"ready": True})
    while (asked := receive(questions)) is not None:
        send(answers, _answer(main, asked))


def _run(shell, number, source, seconds):
    """Run one cell; (what there is to say, whether it was too slow) of all that did not run as it stands there."""
    told = []
    shell.name, shell.note = f"<cell {number}>", lambda text: told.append((text, False))
    if "IPython" in source:  # `from IPython import get_ipython` finds the same shell
        try:
            import IPython

            IPython.get_ipython = lambda: shell
        except ImportError:
            pass
    try:
        with within(seconds):
            shell.run_cell(source)
    except TooSlow as error:
        told.append((str(error), True))
    except BaseException as error:
        told.append((said(error), False))
    return told


def said(error):
    """An exception in words; one whose own words fail has none."""
    try:
        text = f"{type(error).__name__}: {error}"
    except BaseException:
        return type(error).__name__
    if isinstance(error, OSError) and "multiprocessing" in sys.modules:
        text += " (multiprocessing does not work while a notebook is graded)"
    return text


def _answer(main, asked):
    try:
        function = getattr(main, asked["call"], None)
        if not callable(function):
            raise NotImplementedError
        case = from_json(asked["case"])
        result = (on_cuda(function) if asked["cuda"] else function)(*case)
        if isinstance(result, BaseException):
            raise TypeError(f"the function returned a {type(result).__name__}; `raise` it")
        return {"result": to_json(result), **_changed(case, asked["case"])}
    except BaseException as error:
        name, _, text = said(error).partition(": ")
        if not isinstance(error, Exception):
            name, text = "RuntimeError", said(error)
        return {"result": {"error": name, "said": text[:1000]}}


def _changed(case, before):
    """What became of the arguments, where the function changed them in place."""
    try:
        after = to_json(list(case))
    except (TypeError, ValueError):
        return {}
    return {} if json.dumps(after) == json.dumps(before) else {"after": after}


def _no_input(*prompt):
    raise EOFError("input() has nobody to ask while a notebook is graded")
