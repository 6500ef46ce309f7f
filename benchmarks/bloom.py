"""What a Bloom filter costs beside the catalog look-up it saves, and which kind of filter is the quickest.

The peer is a point look-up in SQLite that finds nothing, through apsw with a prepared statement and
everything in its page cache: what an unknown digest would cost without a filter. Digests are SHA-256 of a
running number.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import apsw
from mmh3 import hash64

from stratakv.engine.bloom import BloomFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_PROBES = 4096
_REPEATS = 9
_RATE = 0.01


class _Scattered(ABC):
    """The textbook filter: seven bits anywhere in a bytearray, by double hashing of one 128-bit hash."""

    hashes = 7

    def __init__(self, expected: int) -> None:
        self.bits = self.bits_for(expected)
        self.table = bytearray(self.bits // 8 + 1)

    @abstractmethod
    def bits_for(self, expected: int) -> int:
        """Return the length of the table in bits."""

    @abstractmethod
    def __contains__(self, digest: bytes) -> bool:
        """Tell whether the digest may have been added."""

    def add(self, digest: bytes) -> None:
        """Add a digest."""
        place, step = hash64(digest)
        for _ in range(self.hashes):
            position = place % self.bits
            self.table[position >> 3] |= 1 << (position & 7)
            place += step

    @property
    def ram_bytes(self) -> int:
        """Bytes of the table."""
        return len(self.table)


class _Remainder(_Scattered):
    """A table of just the right length; the place is a remainder."""

    def bits_for(self, expected: int) -> int:
        return math.ceil(expected * math.log(1 / _RATE) / math.log(2) ** 2)

    def __contains__(self, digest: bytes) -> bool:
        place, step = hash64(digest)
        table, bits = self.table, self.bits
        for _ in range(self.hashes):
            position = place % bits
            if not table[position >> 3] >> (position & 7) & 1:
                return False
            place += step
        return True


class _Masked(_Scattered):
    """A table of a power of two; the place is a mask, and the loop leaves at the first zero bit."""

    def bits_for(self, expected: int) -> int:
        return 1 << math.ceil(math.log2(expected * math.log(1 / _RATE) / math.log(2) ** 2))

    def __contains__(self, digest: bytes) -> bool:
        place, step = hash64(digest)
        table, mask = self.table, self.bits - 1
        place &= mask
        step &= mask
        for _ in range(self.hashes):
            if not table[place >> 3] >> (place & 7) & 1:
                return False
            place = (place + step) & mask
        return True


class _Unrolled(_Masked):
    """The same with the loop written out."""

    def __contains__(self, digest: bytes) -> bool:
        place, step = hash64(digest)
        table, mask = self.table, self.bits - 1
        place &= mask
        if not table[place >> 3] >> (place & 7) & 1:
            return False
        step &= mask
        place = (place + step) & mask
        if not table[place >> 3] >> (place & 7) & 1:
            return False
        place = (place + step) & mask
        if not table[place >> 3] >> (place & 7) & 1:
            return False
        place = (place + step) & mask
        if not table[place >> 3] >> (place & 7) & 1:
            return False
        place = (place + step) & mask
        if not table[place >> 3] >> (place & 7) & 1:
            return False
        place = (place + step) & mask
        if not table[place >> 3] >> (place & 7) & 1:
            return False
        place = (place + step) & mask
        return bool(table[place >> 3] >> (place & 7) & 1)


def _digests(label: str, number: int) -> list[bytes]:
    return [hashlib.sha256(f"{label} {index}".encode()).digest() for index in range(number)]


def _nanoseconds_each(ask: Callable[[bytes], object], digests: list[bytes]) -> float:
    """Return the least mean time of a call over several rounds: its cost when nothing else interferes."""
    best = math.inf
    for _ in range(_REPEATS):
        start = perf_counter_ns()
        for digest in digests:
            ask(digest)
        best = min(best, (perf_counter_ns() - start) / len(digests))
    return best


def _look_up_time(digests: Iterable[bytes], unknown: list[bytes]) -> float:
    with tempfile.TemporaryDirectory(prefix="stratakv-bench-") as folder:
        database = apsw.Connection(str(Path(folder) / "catalog.sqlite"))
        database.execute("PRAGMA journal_mode=WAL; PRAGMA cache_size=-131072; PRAGMA mmap_size=268435456")
        database.execute("CREATE TABLE blobs (digest BLOB PRIMARY KEY, pack INT, offset INT) WITHOUT ROWID")
        with database:
            rows = ((digest, number % 97, number) for number, digest in enumerate(sorted(digests)))
            database.executemany("INSERT INTO blobs VALUES (?, ?, ?)", rows)
        cursor = database.cursor()

        def look_up(digest: bytes) -> object:
            return cursor.execute("SELECT pack, offset FROM blobs WHERE digest = ?", (digest,)).fetchone()

        if any(look_up(digest) is not None for digest in unknown):
            raise RuntimeError("an unknown digest was found: the measurement would be wrong")
        nanoseconds = _nanoseconds_each(look_up, unknown)
        database.close()
    return nanoseconds


def _measure(contents: int) -> dict[str, Any]:
    known, unknown = _digests("known", contents), _digests("unknown", 20_000)
    look_up = _look_up_time(known, unknown[:_PROBES])
    filters: dict[str, Any] = {
        "scattered bits, remainder": _Remainder(contents),
        "scattered bits, mask": _Masked(contents),
        "scattered bits, mask, unrolled": _Unrolled(contents),
        "one word (stratakv)": BloomFilter(contents, _RATE),
    }
    rows = []
    for name, bloom in filters.items():
        for digest in known:
            bloom.add(digest)
        ask = bloom.__contains__
        hit = _nanoseconds_each(ask, known[:: max(1, contents // _PROBES)])
        miss = _nanoseconds_each(ask, unknown[:_PROBES])
        rows.append(
            {
                "filter": name,
                "miss_ns": round(miss),
                "hit_ns": round(hit),
                "add_known_ns": round(_nanoseconds_each(bloom.add, known[:_PROBES])),
                "bits_a_content": round(bloom.ram_bytes * 8 / contents, 1),
                "false_positive_percent": round(100 * sum(digest in bloom for digest in unknown) / len(unknown), 2),
                "look_up_over_miss": round(look_up / miss, 1),
            }
        )
    return {"contents": contents, "rate": _RATE, "sqlite_miss_ns": round(look_up), "filters": rows}


def main(arguments: list[str]) -> int:
    """Measure and print. Returns 1 when our filter is not cheaper than the look-up it saves."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks bloom", description=__doc__.splitlines()[0])
    parser.add_argument("--contents", type=int, default=300_000, help="contents in filter and table")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.contents < 1:
        parser.error("--contents must be positive")
    result = _measure(options.contents)
    if options.json:
        print(json.dumps(result))
    else:
        print(f"{result['contents']} contents, false positives asked for: {result['rate']:.0%}")
        print(f"SQLite look-up that finds nothing: {result['sqlite_miss_ns']} ns\n")
        print(f"{'filter':32}{'miss ns':>9}{'hit ns':>9}{'again ns':>9}{'bits':>7}{'false +':>9}{'saves':>8}")
        for row in result["filters"]:
            print(
                f"{row['filter']:32}{row['miss_ns']:9}{row['hit_ns']:9}{row['add_known_ns']:9}"
                f"{row['bits_a_content']:7}{row['false_positive_percent']:8}%{row['look_up_over_miss']:7}x"
            )
    return 0 if result["filters"][-1]["look_up_over_miss"] > 1 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
