"""The one place where the command line prints: lines, tables, JSON and progress bars.

Results go to standard output, progress and complaints to standard error. Progress bars appear only where a
person watches: standard error is a terminal and the output is not JSON. Control characters are escaped, so
that a stored key cannot move the cursor.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tqdm import tqdm

T = TypeVar("T")
_UNITS = ("B", "KB", "MB", "GB", "TB")


def print_line(text: str = "") -> None:
    """Print one line of result."""
    print(printable(text))


def print_error(text: str) -> None:
    """Print a complaint to standard error; each of its lines stays a line."""
    for line in text.split("\n") or [""]:
        print(printable(line), file=sys.stderr)


def print_json(document: object) -> None:
    """Print a result as JSON: ASCII only, NaN and infinity as null, unknown objects as text."""
    print(json.dumps(_plain(document), indent=2, allow_nan=False))


def print_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print aligned columns; numbers to the right, everything else to the left.

    Args:
        headers: Titles of the columns.
        rows: As many cells each as there are headers. None prints as `-`, floats with up to four digits.
    """
    lines = [[cell(value) for value in row] for row in rows]
    table = [list(headers), *lines]
    widths = [max(len(line[column]) for line in table) for column in range(len(headers))]
    numeric = [bool(lines) and all(_looks_numeric(line[column]) for line in lines) for column in range(len(headers))]
    rule = ["-" * width for width in widths]
    for line in [table[0], rule, *lines]:
        padded = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        ]
        print("  ".join(padded).rstrip())


def progress_bar(
    total: int | None, description: str, *, unit: str = " records", as_json: bool = False, scale: bool = False
) -> tqdm[Any]:
    """Return a bar to be used with `with` and fed by `bar.update(count)`.

    Args:
        total: How much there is to do, or None where that is not known.
        description: What is being done.
        unit: What is counted.
        as_json: True turns the bar off.
        scale: Print counts as k, M, G, as for bytes.
    """
    from tqdm import tqdm

    return tqdm(
        total=total, desc=description, unit=unit, unit_scale=scale, file=sys.stderr, leave=False,
        disable=as_json or not sys.stderr.isatty(),
    )  # fmt: skip


def progress(
    items: Iterable[T],
    description: str,
    *,
    total: int | None = None,
    unit: str = " records",
    as_json: bool = False,
) -> Iterable[T]:
    """Pass items on while a bar counts them; see `progress_bar`."""
    from tqdm import tqdm

    return tqdm(
        items, total=total, desc=description, unit=unit, file=sys.stderr, leave=False,
        disable=as_json or not sys.stderr.isatty(),
    )  # fmt: skip


def human_bytes(count: float) -> str:
    """Say a number of bytes in units of 1,024, with three digits: `1.25 MB`."""
    size = float(count)
    unit = _UNITS[0]
    for unit in _UNITS:
        if abs(size) < 1000 or unit == _UNITS[-1]:
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.3g} {unit}"


def counted(count: int, one: str, many: str = "") -> str:
    """Say how many there are of something: `1 pack`, `1,200 packs`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def cell(value: object) -> str:
    """Turn a value into the text of a table's cell."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"
    if isinstance(value, (list, tuple)):
        return printable(", ".join(map(str, value))) or "-"
    return printable(str(value))


def printable(text: str) -> str:
    """Escape what is no printable character: control characters, lone surrogates."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode("ascii")
        for letter in text
    )


def _looks_numeric(text: str) -> bool:
    return text == "-" or text[:1].isdigit() or (text[:1] == "-" and text[1:2].isdigit())


def _plain(value: object) -> object:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(inner) for inner in value]
    if isinstance(value, (type, PurePath)):
        return f"{value.__module__}:{value.__qualname__}" if isinstance(value, type) else str(value)
    return str(value)
