"""Whether ADAPTIVE comes near the best strategy in hindsight: each value by itself, by every lossless strategy.

Two bounds: over a corpus, ADAPTIVE takes at most 5% more bytes than the one strategy that does best there, and no value
grows by more than 16 bytes over its plaintext. Every payload is decoded again and compared. Times are those of
`compress` and `decompress`, serialisation included, averaged over the values.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from benchmarks.reduction.corpora import Directory, demo_corpora
from stratakv import OptimizationConfig
from stratakv.cli.records import RecordFileError
from stratakv.engine.compression import CompressionEngine
from stratakv.errors import ConfigurationError
from stratakv.types import CompressionStrategy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.reduction.corpora import Corpus

FURTHEST = 1.05
"""ADAPTIVE's bytes over those of the best strategy in hindsight, at most."""

GROWTH = 16
"""Bytes that a payload may be longer than its plaintext."""

RECORDS = 2000
SINGLE = tuple(
    CompressionStrategy[name]
    for name in ("NONE", "LZ4", "ZSTD", "ZLIB", "BLOSC", "NUMERIC", "LZMA", "COLUMNS", "SPARSE_CSR")
)
_ADAPTIVE = CompressionStrategy.ADAPTIVE


@dataclass(slots=True)
class Cost:
    """What a strategy took over a corpus: bytes of payload, microseconds a value, and the greatest growth of one."""

    bytes: int = 0
    encode_us: float = 0.0
    decode_us: float = 0.0
    growth: int = -sys.maxsize


@dataclass(slots=True)
class Row:
    """A corpus.

    Attributes:
        corpus: Its name.
        values: How many of its values were taken.
        costs: What each strategy took, by name.
    """

    corpus: str
    values: int
    costs: dict[str, Cost] = field(default_factory=dict)

    @property
    def best(self) -> str:
        """The strategy with the fewest bytes in hindsight, ADAPTIVE aside."""
        return min((name for name in self.costs if name != _ADAPTIVE.value), key=lambda name: self.costs[name].bytes)

    @property
    def over_best(self) -> float:
        """ADAPTIVE's bytes over those of the best one."""
        return self.costs[_ADAPTIVE.value].bytes / self.costs[self.best].bytes

    @property
    def growth(self) -> int:
        """The greatest growth of a value by ADAPTIVE; negative where all shrink."""
        return self.costs[_ADAPTIVE.value].growth

    @property
    def kept(self) -> bool:
        """Whether both bounds are kept."""
        return self.over_best <= FURTHEST and self.growth <= GROWTH

    def facts(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        return {**asdict(self), "best": self.best, "over_best": self.over_best, "growth": self.growth}


def evenly(values: Sequence[Any], count: int) -> list[Any]:
    """Return at most so many of the values, at equal distances."""
    if len(values) <= count:
        return list(values)
    return [values[number * len(values) // count] for number in range(count)]


def measure(corpus: Corpus, engine: CompressionEngine, records: int) -> Row:
    """Compress the values of a corpus by all strategies.

    Raises:
        RuntimeError: A value did not come back.
    """
    values = evenly(list(corpus.items.values()), records)
    row = Row(corpus.name, len(values))
    plaintexts = [engine.decode(engine.compress(value, CompressionStrategy.NONE).data) for value in values]
    for strategy in (*SINGLE, _ADAPTIVE):
        try:
            row.costs[strategy.value] = _cost(engine, strategy, values, plaintexts)
        except ConfigurationError as missing:
            print(f"{strategy.name} is left out: {missing}", file=sys.stderr)
    return row


def _cost(
    engine: CompressionEngine, strategy: CompressionStrategy, values: Sequence[Any], plaintexts: Sequence[bytes]
) -> Cost:
    cost = Cost()
    encode = decode = 0
    engine.decompress(engine.compress(values[0], strategy))  # libraries are loaded at the first use
    for value, plaintext in zip(values, plaintexts, strict=True):
        begun = perf_counter_ns()
        made = engine.compress(value, strategy)
        encoded = perf_counter_ns()
        engine.decompress(made)
        decode += perf_counter_ns() - encoded
        encode += encoded - begun
        if engine.decode(made.data) != plaintext:
            raise RuntimeError(f"{strategy.name} does not give a value back")
        cost.bytes += made.compressed_size
        cost.growth = max(cost.growth, made.compressed_size - made.original_size)
    cost.encode_us, cost.decode_us = encode / len(values) / 1000, decode / len(values) / 1000
    return cost


def table(rows: Sequence[Row]) -> str:
    """Return bytes and verdict, and below them the times."""
    names = list(rows[0].costs)
    width = max(len("corpus"), *(len(row.corpus) for row in rows))
    heads = "".join(f"{name:>12}" for name in names)
    lines = [f"{'bytes':{width}}{heads}  {'best':12}{'adaptive/best':>14}{'growth':>8}"]
    for row in rows:
        counts = "".join(f"{cost.bytes:12,}" for cost in row.costs.values())
        verdict = f"{row.best:12}{row.over_best:14.3f}{row.growth:8}"
        lines.append(f"{row.corpus:{width}}{counts}  {verdict}{'' if row.kept else '  beyond the bound'}")
    lines += ["", f"{'us a value':{width}}{heads}  encode / decode"]
    for row in rows:
        times = (f"{cost.encode_us:.0f}/{cost.decode_us:.0f}" for cost in row.costs.values())
        lines.append(f"{row.corpus:{width}}{''.join(f'{time:>12}' for time in times)}")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Measure and print. Returns 1 when a bound is broken, 2 when the data cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks strategies", description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="a directory of recorded data instead of the demo's records")
    parser.add_argument("--corpus", action="append", default=[], help="only this one; may be given again")
    parser.add_argument("--records", type=int, default=RECORDS, help="values of a corpus, evenly spaced")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.records < 1:
        parser.error("--records must be positive")
    engine = CompressionEngine(OptimizationConfig(enabled=True))
    try:
        place = Directory(Path(options.data)) if options.data else None
        found = place.corpora(options.corpus, quick=False) if place else demo_corpora(options.corpus, quick=False)
        rows = [measure(corpus, engine, options.records) for corpus in found if corpus.items]
    except (ConfigurationError, RecordFileError) as error:
        print(error, file=sys.stderr)
        return 2
    if not rows:
        print("no corpus of that name", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps({"furthest": FURTHEST, "growth": GROWTH, "corpora": [row.facts() for row in rows]}))
    else:
        print(table(rows))
    return 0 if all(row.kept for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
