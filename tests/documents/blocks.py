"""Owns reading the documents: their code blocks, tables and links. Runs nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")))


class Block(NamedTuple):
    """A fenced block.

    Attributes:
        document: Its document, from the root.
        line: The line that its text begins on.
        language: What stands behind the fence.
        text: What stands between the fences.
    """

    document: str
    line: int
    language: str
    text: str


def read(document: str) -> str:
    """Return the text of a document."""
    return (ROOT / document).read_text(encoding="utf-8")


def blocks(*languages: str, document: str | None = None) -> list[Block]:
    """Return the blocks of these languages, or all, in one document or all."""
    found = []
    for name in DOCUMENTS if document is None else (document,):
        text = read(name)
        for match in re.finditer(r"^( *)```([^\n]*)\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL):
            line = text.count("\n", 0, match.start()) + 2
            found.append(Block(name, line, match[2], match[3]))
    return [block for block in found if not languages or block.language in languages]


def rows(document: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table whose head has `heading` in it."""
    lines = read(document).splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("|") and heading in line)
    found = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found
