"""Owns the options, the sizes in their order, and keeping what was measured as soon as a step is done."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.keeping import Benchmark, names_in, run
from benchmarks.reduction.corpora import Directory, demo_corpora, read_file
from benchmarks.scale.plot import plot
from benchmarks.scale.processes import Plan
from benchmarks.scale.records import LARGEST, SMALLEST, Records, recorded
from benchmarks.scale.report import report
from benchmarks.scale.sizes import PARTS, size_of
from benchmarks.scale.summary import count, goals
from benchmarks.surroundings import machine, revision, versions
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

KEYS = "100k,1m"
QUICK_KEYS = "20k,100k"
LEAST_KEYS = 2000
_NUMBER = re.compile(r"(\d+)([km]?)", re.ASCII | re.IGNORECASE)
_FACTORS = {"": 1, "k": 1000, "m": 1_000_000}

_WHAT = (
    "Fills a store of each size with small records and tells what each operation takes there, the RAM of its process, "
    "its files, storing with checkpoints beside diskcache, reads beside those of the smallest store, opening after a "
    "crash, and a full maintain. About twenty minutes for 100k and 1m keys; 10m, only when asked for, takes hours; "
    "--quick takes a minute and settles the smallest store only."
)


def main(arguments: list[str]) -> int:
    """Measure, keep, print; return the exit code."""
    return run(Benchmark("scale", _WHAT, PARTS, _add_options, _measured, report, plot), arguments)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keys", metavar="COUNT,...", help=f"sizes, such as 100k,1m,10m ({KEYS}; quick: {QUICK_KEYS})")
    parser.add_argument("--scratch", metavar="DIR", help="where stores are built (default: the system's place)")


def _measured(options: argparse.Namespace, parts: tuple[str, ...]) -> dict[str, Any]:
    sizes = sizes_asked(options.keys or (QUICK_KEYS if options.quick else KEYS))
    what, texts = _texts(options.data, names_in(options.only))
    result: dict[str, Any] = {"what": f"{what} of {SMALLEST} to {LARGEST} bytes", "recorded": len(texts), "sizes": []}
    about = {"machine": machine(), "versions": versions(), "revision": revision(), "quick": options.quick}

    def keep(size: dict[str, Any]) -> None:
        result["sizes"] = [*(one for one in result["sizes"] if one["keys"] != size["keys"]), size]
        result["goals"] = goals(result["sizes"])
        kept = Path(options.results) / "scale.json"
        kept.write_text(json.dumps(about | result, indent=1), encoding="utf-8")

    with tempfile.TemporaryDirectory(prefix="stratakv-scale-", dir=options.scratch) as directory:
        records, small = Path(directory) / "records.json", Path(directory) / "small"
        Records.write(texts, records)
        for keys in sizes:
            store = Path(directory) / str(keys)
            plan = Plan(keys, str(store), str(small), sizes[0], str(records), quick=options.quick)
            size_of(plan, parts, partial(_say, count(keys)), keep)
    return result


def _say(keys: str, step: str) -> None:
    print(f"{keys} keys: {step}", file=sys.stderr, flush=True)


def sizes_asked(text: str) -> list[int]:
    """Read numbers such as `100k,1m`; the smallest comes first, each once.

    Raises:
        ConfigurationError: That is no number, or one that is too small to be measured.
    """
    made = set()
    for name in names_in(text):
        found = _NUMBER.fullmatch(name)
        if found is None:
            raise ConfigurationError(f"{name!r} is no number of keys: such as 100k or 1m")
        made.add(int(found[1]) * _FACTORS[found[2].lower()])
    if not made or min(made) < LEAST_KEYS:
        raise ConfigurationError(f"a size has {LEAST_KEYS} keys at the least")
    return sorted(made)


def _texts(data: str | None, only: list[str]) -> tuple[str, list[str]]:
    """Return what the records are called, and the recorded ones.

    Raises:
        ConfigurationError: There are none.
    """
    if data is None:
        corpora = demo_corpora(only, quick=False)
        texts = [text for corpus in corpora if corpus.kind == "json" for text in recorded(corpus.items.values())]
        named = "the demo's records"
    else:
        texts, names = [], []
        for file in Directory(Path(data)).files:
            if (only and file.stem not in only) or not {".jsonl", ".ndjson"} & set(file.path.suffixes):
                continue
            found = [text for corpus in read_file(file, []) for text in recorded(corpus.items.values())]
            texts += found
            names += [file.stem] if found else []
        named = f"records like those in {', '.join(names)}"
    if not texts:
        raise ConfigurationError(f"there are no JSON records of {SMALLEST} to {LARGEST} bytes")
    return named, texts
