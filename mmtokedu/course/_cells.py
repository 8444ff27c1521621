"""How a cell is run while a notebook is graded: read as IPython reads it, with a stand-in for IPython's shell.

The stand-in runs the Python that a magic times or captures. What it cannot run, a shell command say, it names.
"""

import __future__

import ast
import asyncio
import contextlib
import inspect
import io
import linecache
import re
import signal
import time
from functools import reduce
from types import SimpleNamespace

QUIET = {  # magics that change nothing a function could use
    "matplotlib", "config", "load_ext", "reload_ext", "autoreload", "pip", "conda", "pinfo", "pinfo2", "precision", "xmode",
    "who", "whos",
}  # fmt: skip
INSTALLS = re.compile(r"\s*(?:sudo\s+)?(?:pip|pip3|conda|mamba|uv|apt|apt-get|python3? -m pip)\b")
OPTIONS = {  # magic -> its options in front of the statement
    "time": re.compile(r"(?:\s*--[\w-]+)*\s*"),
    "timeit": re.compile(r"(?:\s*-[nrp]\s*\d+|\s*-[tcqov]+(?=\s))*\s*"),
    "prun": re.compile(r"(?:\s*-[lsTD]\s*\S+|\s*-[qr]+(?=\s))*\s*"),
}
FUTURES = reduce(lambda bits, name: bits | getattr(__future__, name).compiler_flag, __future__.all_feature_names, 0)
LINE = re.compile(r"^([ \t]*)((?:[\w.]+[ \t]*,?[ \t]*)+=[ \t]*)?([%!])(.*)$", re.M)
HELP = re.compile(r"^([ \t]*)(?:\?{1,2}[\w.]+|[\w.]+\?{1,2})[ \t]*$", re.M)


class TooSlow(BaseException):
    """A cell's time is over. No `except Exception` of a notebook catches it."""


@contextlib.contextmanager
def within(seconds):
    """Interrupt what runs inside after `seconds`, as Ctrl+C would; what it did until then stays."""

    def interrupt(*_):
        raise TooSlow(
            f"stopped after {seconds:.3g} s; what it had not done by then is missing; the cells after it were run"
        )

    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def by_ipython(source):
    """The Python that IPython makes of a cell. ImportError where IPython is not installed."""
    from IPython.core.inputtransformer2 import TransformerManager

    return TransformerManager().transform_cell(source)


def by_rule(source):
    """The same where there is no IPython: line by line, so a text of many lines may be read wrongly."""
    head, _, body = source.lstrip().partition("\n")
    if head.startswith("%%"):
        magic, _, line = head[2:].partition(" ")
        return f"get_ipython().run_cell_magic({magic!r}, {line!r}, {body!r})"

    def call(match):
        indent, to, kind, rest = match.groups(default="")
        if kind == "!":
            return f"{indent}{to}get_ipython().{'getoutput' if to else 'system'}({rest!r})"
        magic, _, line = rest.partition(" ")
        return f"{indent}{to}get_ipython().run_line_magic({magic!r}, {line!r})"

    return LINE.sub(call, HELP.sub(r"\1pass", source))


class Shell:
    """What `get_ipython()` returns while a notebook is graded. `note(text)` takes what could not be run."""

    def __init__(self, names, note):
        self.user_ns, self.note, self.name, self.futures, self.loop = names, note, "cell", 0, None

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args, **more: None

    def compiled(self, source):
        """A cell as code, whatever of it is IPython's alone made into calls of this object."""
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | self.futures
        try:
            code = compile(source, self.name, "exec", flags, dont_inherit=True)
        except SyntaxError:
            try:
                python = by_ipython(source)
            except ImportError:
                python = by_rule(source)
                if python != source:
                    self.note("IPython is not installed where this is graded; its own lines were read by a plain rule")
            code = compile(python, self.name, "exec", flags, dont_inherit=True)
        self.futures |= code.co_flags & FUTURES
        linecache.cache[self.name] = len(source), None, source.splitlines(keepends=True), self.name
        return code

    def run_cell(self, source, names=None):
        """Run a cell, one with `await` in its outermost lines too."""
        names = self.user_ns if names is None else names
        code = self.compiled(source)
        if not code.co_flags & inspect.CO_COROUTINE:
            exec(code, names)
            return
        self.loop = self.loop or asyncio.new_event_loop()
        self.loop.run_until_complete(eval(code, names))

    def run_cell_magic(self, magic, line, body):
        """Run the body of %%time, %%prun, %%timeit (names made there stay there, as in IPython) and %%capture."""
        if magic == "timeit":
            return self._timed(OPTIONS[magic].sub("", line, count=1) + "\n" + body, line)
        if magic == "capture":
            return self._captured(line, body)
        if magic in ("time", "prun"):
            return self.run_cell(body)
        self.note(f"the cell starts with %%{magic} and was not run")

    def run_line_magic(self, magic, line="", *_):
        """Run the statement of %time, %prun and %timeit; %time gives its value back."""
        if magic == "timeit":
            return self._timed(OPTIONS[magic].sub("", line, count=1), line)
        if magic in ("time", "prun"):
            statement = OPTIONS[magic].sub("", line, count=1)
            with contextlib.suppress(SyntaxError):
                compile(statement, self.name, "eval")
                return eval(compile(statement, self.name, "eval"), self.user_ns)
            return self.run_cell(statement)
        if magic not in QUIET:
            self.note(f"%{magic} was not run")

    def magic(self, text):
        """The older way to name a line magic."""
        magic, _, line = text.lstrip("%").partition(" ")
        return self.run_line_magic(magic, line)

    def system(self, command):
        """No shell command is run."""
        if not INSTALLS.match(command):
            self.note(f"!{command[:80]} was not run: there is no shell while a notebook is graded")

    def getoutput(self, command, *_):
        """No shell command is run, so it printed no lines."""
        self.system(command)
        return []

    def _timed(self, source, line):
        start = time.perf_counter()
        self.run_cell(source, dict(self.user_ns))
        took = time.perf_counter() - start
        if re.search(r"(?:^|\s)-[tcqv]*o", line):
            made = dict.fromkeys(("average", "best", "worst"), took)
            return SimpleNamespace(
                **made, stdev=0.0, all_runs=[took], timings=[took], loops=1, repeat=1, compile_time=0.0
            )

    def _captured(self, line, body):
        out, error = io.StringIO(), io.StringIO()
        name = next((word for word in line.split() if word.isidentifier()), "")
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
                self.run_cell(body)
        finally:
            if name:
                self.user_ns[name] = SimpleNamespace(
                    stdout=out.getvalue(), stderr=error.getvalue(), outputs=[], show=lambda: None
                )
