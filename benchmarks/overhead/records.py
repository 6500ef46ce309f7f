"""Owns the values that are measured on: small JSON records, no two alike, chosen with a fixed seed.

They are kept as JSON, so that whoever measures RAM or stores them as objects makes objects of its own.
"""

from __future__ import annotations

import json
import random
from typing import NamedTuple

from benchmarks.cold.store import records as small_records

_POOL = 20_000
"""So many are looked at, at the least: in the order of the files the first few thousand are all of one kind."""


class Records(NamedTuple):
    """Values and where they come from.

    Attributes:
        what: One line for people.
        each: Each as JSON.
    """

    what: str
    each: list[bytes]


def records(data: str | None, count: int) -> Records:
    """Return so many records of the demo or of a directory.

    Raises:
        ConfigurationError, RecordFileError: The data cannot be read, or has no small record.
    """
    pool = small_records(data, max(count, _POOL))
    chosen = random.Random(1).sample(list(pool), count)
    each = [json.dumps(pool[name]).encode() for name in chosen]
    kinds = sorted({name.partition(":")[0] for name in chosen})
    source = f"{', '.join(kinds)} records" if data is not None else "the demo's records"
    return Records(f"{source} of {sum(map(len, each)) / count:.0f} bytes on average as JSON", each)
