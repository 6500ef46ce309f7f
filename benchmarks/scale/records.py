"""Owns keys and small records by number: equal in every run, every record unlike all others, shapes as recorded.

A record is a recorded one of 300 to 1000 bytes to which the time of its writing was added, and whose long numbers have
other digits. The time alone makes its content unique. It knows no store.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

SMALLEST, LARGEST = 300, 1000
"""Bytes of a recorded record, serialised as JSON."""

FIRST_TIME = 1_715_763_600_000
STEP = 137
"""Milliseconds of the first record's time, and between one record and the next."""

PREFIX = "session:"
_DIGITS = 150
# The first digit stays, so that a number keeps its length; exponents and \u escapes are no numbers of their own.
_LONG_NUMBER = re.compile(r"(?<![\w.\\])(\d)(\d{4,18})(?![\w.])")


class Template(NamedTuple):
    """A recorded record: texts, and how many digits stand between one and the next."""

    texts: tuple[str, ...]
    digits: tuple[int, ...]


def recorded(values: Iterable[Any]) -> Iterator[str]:
    """Yield the JSON text of those values that are objects of the right size."""
    for value in values:
        if isinstance(value, dict) and "at" not in value and is_plain(value):
            text = json.dumps(value, ensure_ascii=False)
            if SMALLEST <= len(text.encode()) <= LARGEST:
                yield text


def is_plain(value: object) -> bool:
    """Tell whether JSON gives a value back as it is."""
    if isinstance(value, dict):
        return all(type(key) is str and is_plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(is_plain, value))
    return type(value) in {str, int, bool, type(None)} or (type(value) is float and value - value == 0.0)


def template(text: str) -> Template:
    """Return a record's JSON text with gaps for digits."""
    texts, digits, left, at = [], [], _DIGITS, 0
    for found in _LONG_NUMBER.finditer(text):
        begin, end = found.span(2)
        if end - begin > left:
            break
        texts.append(text[at:begin])
        digits.append(end - begin)
        left -= end - begin
        at = end
    return Template((*texts, text[at:]), tuple(digits))


class Records:
    """Keys and values by number.

    Args:
        texts: What `recorded` gave; one at the least.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        # A record begins with its time, so the brace before what was recorded goes.
        self._templates = [template(text.removeprefix("{")) for text in texts]

    @classmethod
    def read(cls, file: Path) -> Records:
        """Read what `write` wrote."""
        return cls(json.loads(file.read_text(encoding="utf-8")))

    @staticmethod
    def write(texts: list[str], file: Path) -> None:
        """Keep texts for other processes."""
        file.write_text(json.dumps(texts), encoding="utf-8")

    def key(self, number: int) -> str:
        """Return a key: `session:` and a UUID."""
        name = hashlib.blake2b(number.to_bytes(8, "big"), digest_size=16).hexdigest()
        return f"{PREFIX}{name[:8]}-{name[8:12]}-{name[12:16]}-{name[16:20]}-{name[20:]}"

    def value(self, number: int) -> dict[str, Any]:
        """Return a new object that is this number's record."""
        chance = int.from_bytes(hashlib.blake2b(number.to_bytes(8, "little"), digest_size=64).digest(), "big")
        texts, digits = self._templates[chance % len(self._templates)]
        drawn, at, made = f"{chance:0{_DIGITS}d}", 0, [f'{{"at": {FIRST_TIME + STEP * number}, ']
        for text, count in zip(texts, (*digits, 0), strict=True):
            made += (text, drawn[at : at + count])
            at += count
        record: dict[str, Any] = json.loads("".join(made))
        return record

    def item(self, number: int) -> tuple[str, dict[str, Any]]:
        """Return key and value."""
        return self.key(number), self.value(number)
