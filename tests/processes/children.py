"""Child processes for tests: programs run by a fresh interpreter, and forks that report through a pipe."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PREAMBLE = """
import os, sys, time, threading
from stratakv import *
from stratakv.errors import *
path = sys.argv[1]
"""

ROOT = Path(__file__).parents[2]


def program(source: str, *arguments: object) -> list[str]:
    """Return the command line that runs a program in a fresh interpreter where every warning is shown."""
    return [sys.executable, "-W", "always", "-X", "dev", "-c", PREAMBLE + textwrap.dedent(source), *map(str, arguments)]


def run(source: str, *arguments: object, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(
        program(source, *arguments), capture_output=True, text=True, timeout=timeout, cwd=ROOT, check=False
    )


def start(source: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a program that talks through its standard input and output."""
    return subprocess.Popen(
        program(source, *arguments),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip


def in_fork(work: Callable[[], object], *, leave: str = "_exit") -> tuple[object, int]:
    """Fork, do `work` in the child, and return (its result or exception, the child's exit status).

    `leave`: how the child ends: "_exit" at once, or "exit" through the interpreter's own end.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            result: object = work()
        except BaseException as failure:
            result = (type(failure).__name__, str(failure))
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(result, pipe)
        os._exit(0) if leave == "_exit" else _end_interpreter()
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        content = pipe.read()
    _, status = os.waitpid(pid, 0)
    return pickle.loads(content), os.waitstatus_to_exitcode(status)


def _end_interpreter() -> None:
    """Run exit handlers as `sys.exit` would, without pytest's frames in between."""
    import atexit

    atexit._run_exitfuncs()
    os._exit(0)
