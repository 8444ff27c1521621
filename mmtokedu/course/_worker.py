"""The student's process: runs the cells of a notebook, then answers calls. It knows no result and gives no points."""

import builtins
import json
import os
import re
import struct
import sys
import types

from mmtokedu.course import on_cuda
from mmtokedu.course._wire import from_json, to_json

MAGIC = re.compile(r"^([ \t]*)[%!?].*$", re.M)


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


def compiled(source, name):
    """A cell as code; IPython's own lines (`%matplotlib inline`, `!pip install ...`) do nothing."""
    try:
        return compile(source, name, "exec")
    except SyntaxError:
        if source.lstrip().startswith("%%"):
            return compile("", name, "exec")
        return compile(MAGIC.sub(r"\1pass", source), name, "exec")


def work(questions, answers):
    """Run the cells that come first, then call what is asked for, until the pipe is closed."""
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    main.__dict__["display"] = main.__dict__["get_ipython"] = lambda *a, **k: None
    builtins.input = _no_input
    for number, source in receive(questions)["cells"]:
        send(answers, {"cell": number})
        try:
            exec(compiled(source, f"cell {number}"), main.__dict__)
        except BaseException as error:
            send(answers, {"stopped": number, "said": f"{type(error).__name__}: {error}"[:500]})
    send(answers, {"ready": True})
    while (asked := receive(questions)) is not None:
        send(answers, _answer(main, asked))


def _answer(main, asked):
    try:
        function = getattr(main, asked["call"], None)
        if not callable(function):
            raise NotImplementedError
        case = from_json(asked["case"])
        return {"result": to_json((on_cuda(function) if asked["cuda"] else function)(*case))}
    except BaseException as error:
        said = error if isinstance(error, Exception) else RuntimeError(f"{type(error).__name__}: {error}")
        return {"result": to_json(said)}


def _no_input(*prompt):
    raise EOFError("input() has nobody to ask while a notebook is graded")
