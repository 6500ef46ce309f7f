"""Owns text to measure on: source code of the running Python's own library, and versions of it with edits.

Equal for equal seeds on one installation of Python.
"""

from __future__ import annotations

import random
import sysconfig
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

_EDITS = 12
_LONGEST_EDIT = 6


def library_text(size: int, *, skip: int = 0) -> bytes:
    """Return `size` bytes of source code, those after the first `skip`.

    Raises:
        ConfigurationError: This Python has less source code than that.
    """
    found = bytearray()
    for path in _sources():
        found += path.read_bytes()
        if len(found) >= skip + size:
            return bytes(found[skip : skip + size])
    raise ConfigurationError(f"Python's own library has {len(found)} bytes of source code, {skip + size} are needed")


@cache
def _sources() -> list[Path]:
    library = Path(sysconfig.get_path("stdlib"))
    return sorted(path for path in library.rglob("*.py") if "site-packages" not in path.parts)


def edited(text: bytes, seed: int) -> bytes:
    """Return a next version: at a dozen places some lines are replaced by others, removed, or new ones are there."""
    chance = random.Random(seed)
    lines = text.splitlines(keepends=True)
    for _ in range(_EDITS):
        at = chance.randrange(len(lines))
        gone = chance.randrange(_LONGEST_EDIT)
        new = [_line(chance) for _ in range(chance.randrange(_LONGEST_EDIT))]
        lines[at : at + gone] = new
    return b"".join(lines)


def _line(chance: random.Random) -> bytes:
    """Return a line like one of a log: words and a number that stands nowhere else."""
    words = " ".join(chance.choices(("found", "value", "moved", "to", "tier", "at", "key", "by", "request"), k=6))
    return f"    # {words} {chance.randrange(10**9)}\n".encode()


def grown(text: bytes, versions: int) -> Iterator[bytes]:
    """Yield versions of a text that is only ever added to: from half of it to all of it."""
    for step in range(versions + 1, 2 * versions + 1):
        yield text[: len(text) * step // (2 * versions)]
