"""Runs the blocks of one document in order, as a reader would who copies them into an empty directory.

A program of its own: `python -W error -m tests.documents.running < steps.json`, in that directory. Steps are lists of
document, line, language and text. Blocks in Python have names of their own but share the directory. A YAML block whose
first line is a comment with a file's name becomes that file. Of a console block every line behind `$ ` is a command;
other lines are what the commands before them print, with `...` for what differs from run to run. A command that ends
with another code than 0 says so behind it: `# exit code 1`.

Invariant: commands of `stratakv` run in this process, which saves their start; everything else runs in a shell.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

from stratakv.cli.main import main
from stratakv.config import load_config

_EXIT_CODE = re.compile(r"#.*\bexit code (\d+)")
_FILE = re.compile(r"# (\S+\.ya?ml)$")


class WrongBlockError(Exception):
    """A block does not do what the document says."""


def run_python(document: str, line: int, text: str) -> None:
    """Run a block under the name and lines of its document."""
    exec(compile("\n" * (line - 1) + text, document, "exec"), {"__name__": "__main__"})
    gc.collect()  # a file that was left open is told here, not in a later block


def run_yaml(document: str, line: int, text: str) -> None:
    """Validate a configuration, and keep it where it names a file."""
    named = _FILE.match(text.splitlines()[0])
    file = Path(named[1] if named else f"unnamed-{line}.yaml")
    file.write_text(text, encoding="utf-8")
    load_config(file, environ={})
    if not named:
        file.unlink()


def run_console(document: str, line: int, text: str) -> None:
    """Run each command and compare what it prints with what the block shows."""
    for command, shown in _commands(text):
        code, printed = _printed(command)
        promised = _EXIT_CODE.search(command)
        if code != (int(promised[1]) if promised else 0):
            raise WrongBlockError(f"{document}:{line}: {command}: exit code {code}\n{printed}")
        if shown and not matches(shown, printed):
            raise WrongBlockError(f"{document}:{line}: {command} prints\n{printed}\nand not\n{shown}")


def matches(shown: str, printed: str) -> bool:
    """Tell whether `...` can stand for something that makes the two equal; spaces at the ends of lines do not count."""
    parts = [re.escape(part) for part in _trimmed(shown).split("...")]
    return re.fullmatch(".*".join(parts), _trimmed(printed), re.DOTALL) is not None


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _commands(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif found:
            found[-1] = (found[-1][0], found[-1][1] + line + "\n")
    return found


def _printed(command: str) -> tuple[int, str]:
    words = shlex.split(command, comments=True)
    if words[0] == "stratakv" and not {"|", ">", "&&", "<"} & set(words):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            code = main(words[1:])
        return code, printed.getvalue()
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout + ran.stderr


RUN = {"python": run_python, "yaml": run_yaml, "console": run_console}
"""What is done with the blocks of a language."""


if __name__ == "__main__":
    for step in json.load(sys.stdin):
        RUN[step[2]](step[0], step[1], step[3])
