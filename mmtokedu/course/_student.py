"""A student's notebook as functions to call, each call in a process of its own behind the walls of `_sandbox`."""

import contextlib
import json
import os
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from mmtokedu.course._wire import from_json, to_json
from mmtokedu.course._worker import framed

PACKAGE = Path(__file__).resolve().parents[1]
LARGEST = 16 << 20  # bytes of one message from a stranger
PIECES = 1 << 18  # lists in one message, and eight times as many commas: each costs us, not the sender, its time
RESTARTS = 4
NOTES = 20
GRACE = 2  # seconds that a cell has to stop by itself when its time is over


@dataclass(frozen=True)
class Limits:
    """Seconds for one call, for running the cells once, for all calls; bytes of memory; `walls` for tests.

    One cell gets a third of the cells' time. Time that cells take is not taken from the calls.
    """

    call: float = 10
    cells: float = 60
    whole: float = 180
    memory: int = 2 << 30
    gpu: bool = False
    walls: tuple = ("namespaces", "landlock", "seccomp")


class Died(Exception):
    """The student's process ended before it answered."""


class Fault(BaseException):
    """The grader or the system failed, not the student. No `except Exception` around a student's call takes it for one."""


class Student:
    """A notebook's functions, callable from here: `student.call(name, case)`. Started again where it hangs or dies.

    `cells` are (number, source); `notes` maps numbers to what could not be run; `slow` tells whether time ran out.
    """

    def __init__(self, cells, limits):
        self.cells, self.limits = list(cells), limits
        self.left, self.left_for_cells = limits.whole, 3 * limits.cells
        self.process, self.inner, self.folder, self.pipes = None, None, "", []
        self.sandbox, self.notes, self.starts, self.slow = {}, {}, 0, False

    def call(self, name, case, cuda=False):
        """The result of one call. TimeoutError, Died, or what the function raised.

        Where the function changed its arguments in place, `case` is changed alike.
        """
        try:
            if self.process is None:
                self._start()
            if self.left <= 0:
                raise TimeoutError(f"the {self.limits.whole:g} s for all calls are used up")
            answer = self._answered({"call": name, "case": to_json(list(case)), "cuda": cuda})
            if isinstance(after := from_json(answer.get("after", [])), list):
                change(case, after)
            result = from_json(answer["result"])
        except Exception as error:
            self.stop()
            self.slow |= isinstance(error, TimeoutError)
            if isinstance(error, (TimeoutError, Died)):
                raise
            if isinstance(error, OSError):
                raise Fault(f"{type(error).__name__}: {error}") from error
            raise Died("it answered with what is not a result") from None
        return result

    def _answered(self, question):
        start, told = time.monotonic(), f"{self.limits.call:g} s"
        until = start + min(self.limits.call, self.left)
        try:
            self._ask(question, until, told)
            return self._next(until, told)
        finally:
            self.left -= time.monotonic() - start

    def _start(self):
        """Run the cells; one that hangs or ends the process is left out at the next try."""
        while True:
            if self.starts > RESTARTS or self.left_for_cells <= 0:
                raise TimeoutError("the notebook's cells did not get to their end")
            self.starts += 1
            try:
                self._launch()
            except (OSError, Died) as error:  # nothing of the student's has run yet
                self.stop()
                raise Fault(f"the sandbox did not start: {error}") from error
            start, cell = time.monotonic(), 0
            try:
                told, seconds = f"{self.limits.cells / 3:.3g} s", self.limits.cells / 3 + GRACE
                self._ask({"cells": self.cells, "seconds": self.limits.cells}, start + seconds, told)
                while "ready" not in (message := self._next(time.monotonic() + seconds, told)):
                    if time.monotonic() - start > 2 * self.limits.cells + GRACE:
                        raise TimeoutError(f"the cells did not end within {2 * self.limits.cells:g} s")
                    if "cell" in message:
                        cell = int(message["cell"])
                    elif "stopped" in message:
                        self.slow |= message.get("slow") is True
                        self._note(int(message["stopped"]), str(message["said"])[:500])
                return
            except (TimeoutError, Died) as error:
                self.slow |= isinstance(error, TimeoutError)
                self._note(cell, str(error))
            except OSError as error:
                self.stop()
                raise Fault(f"{type(error).__name__}: {error}") from error
            except Exception:  # a forged message
                self._note(cell, "it answered with what is not a message")
            finally:
                self.left_for_cells -= time.monotonic() - start
            self.stop()
            self.cells = [c for c in self.cells if c[0] != cell]

    def _note(self, cell, said):
        told = self.notes.setdefault(cell, [])
        if said not in told and sum(map(len, self.notes.values())) < NOTES:
            told.append(said)

    def _launch(self):
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix="mmtokedu-"))
        to_read, questions = os.pipe()
        answers, to_write = os.pipe()
        self.pipes = [questions, answers]
        for fd in self.pipes:  # whoever holds the other end must not make us wait, whatever he does to the pipe
            os.set_blocking(fd, False)
        limits = self.limits
        given = {
            "questions": to_read,
            "answers": to_write,
            "shut_in": {
                "folder": self.folder, "package": str(PACKAGE), "memory": 0 if limits.gpu else limits.memory,
                "seconds": int(limits.whole + 2 * limits.cells) + 5, "gpu": limits.gpu, "walls": limits.walls,
            },
        }  # fmt: skip
        threads = dict.fromkeys(("OPENBLAS", "OMP", "MKL"), "1")
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-I", str(PACKAGE / "course/_sandbox.py"), json.dumps(given)],
                pass_fds=(to_read, to_write), start_new_session=True, cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env={"HOME": self.folder, "TMPDIR": self.folder, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8",
                     "MPLBACKEND": "agg", "PYTHONHASHSEED": "0", **{f"{k}_NUM_THREADS": v for k, v in threads.items()}},
            )  # fmt: skip
        finally:
            os.close(to_read)
            os.close(to_write)
        until = time.monotonic() + 30
        while "sandbox" not in (message := self._next(until, "30 s")):
            with contextlib.suppress(OSError, AttributeError):  # pidfd: Linux; it cannot mean another process later
                self.inner = os.pidfd_open(int(message["pid"]))
        self.sandbox = message["sandbox"]

    def _ask(self, message, until, told):
        """Write a message; one who does not read it must not hold us up."""
        data, questions = memoryview(framed(message)), self.pipes[0]
        while data:
            left = until - time.monotonic()
            if left <= 0 or not select.select([], [questions], [], left)[1]:
                raise TimeoutError(f"it took nothing in within {told}")
            try:
                data = data[os.write(questions, data[:4096]) :]
            except BlockingIOError:  # the pipe became smaller since we looked
                time.sleep(0.001)
            except BrokenPipeError:
                raise Died("the process ended") from None

    def _next(self, until, told):
        head = self._bytes(4, until, told)
        count = struct.unpack(">I", head)[0]
        if count > LARGEST:
            raise Died(f"an answer of {count >> 20} MB; {LARGEST >> 20} MB is the most")
        data = self._bytes(count, until, told)
        if data.count(b"[") + data.count(b"{") > PIECES or data.count(b",") > 8 * PIECES:
            raise Died(f"an answer of more than {PIECES:,} lists or {8 * PIECES:,} items; return an array")
        return json.loads(data)

    def _bytes(self, count, until, told):
        data, answers = bytearray(), self.pipes[1]
        while len(data) < count:
            left = until - time.monotonic()
            if left <= 0 or not select.select([answers], [], [], left)[0]:
                raise TimeoutError(f"no answer within {told}")
            try:
                piece = os.read(answers, min(count - len(data), 1 << 20))
            except BlockingIOError:
                continue
            if not piece:
                raise Died("the process ended: it left by itself, or used too much memory or processor time")
            data += piece
        return bytes(data)

    def stop(self):
        """End the process and all that it started, and throw its folder away. Never raises; a second time does nothing."""
        process, inner, pipes, folder = self.process, self.inner, self.pipes, self.folder
        self.process, self.inner, self.pipes, self.folder = None, None, [], ""
        if inner is not None:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(inner, signal.SIGKILL)
            os.close(inner)
        if process is not None:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for fd in pipes:
            os.close(fd)
        if folder:
            _remove(folder)


def _remove(folder):
    """Remove a folder that a stranger filled: it may be too deep for Python, and hold folders that forbid it."""
    for command in (["rm", "-rf"], ["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
        if os.path.lexists(folder):
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                nowhere = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
                subprocess.run([*command, "--", folder], **nowhere, timeout=60)


def change(case, after):
    """Make the arguments what a function made of them, in place where that can be: as if it had been called here."""
    for mine, theirs in zip(case, after):
        if hasattr(mine, "dtype") and hasattr(theirs, "dtype"):
            if (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype):
                mine[...] = theirs
        elif type(mine) is type(theirs) and isinstance(mine, list):
            mine[:] = theirs
        elif type(mine) is type(theirs) and isinstance(mine, dict):
            mine.clear()
            mine.update(theirs)


def risks(sandbox):
    """What a submission could still do, in words."""
    left = []
    if sandbox["files"] == "open":
        left.append("it can read, change and delete your files, the hidden cases and other submissions among them")
    elif sandbox["files"] != "closed":
        left.append("it can change permissions of your files and speak to local services whose place it guesses")
    if sandbox["network"] == "open":
        left.append("it can use the network")
    elif sandbox["network"] != "none":
        left.append("it can use the network other than TCP")
    if sandbox["processes"] == "shared":
        left.append("it can end your other processes, this one too, and leave some of its own running")
    if "seccomp" not in sandbox["walls"] and "namespaces" not in sandbox["walls"]:
        left.append("it can leave shared memory and keys behind for the next submission to read")
    if not sandbox["memory"]:
        left.append("it can use all of the memory")
    else:
        many = f"{sandbox['children']}" if sandbox["children"] else "any number of"
        left.append(f"it can start {many} processes, and each may use the whole memory limit")
    if sandbox["disk"] == "open":
        left.append("it can fill the disk of its temporary folder, which is limited file by file alone")
    return left


def try_sandbox(limits):
    """Start an empty notebook and say what this system's sandbox gives."""
    student = Student([], limits)
    try:
        student._start()
    finally:
        student.stop()
    return student.sandbox
