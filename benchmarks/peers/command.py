"""Owns the options, and what a run measures in which order."""

from __future__ import annotations

import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from benchmarks.keeping import Benchmark, names_in, run
from benchmarks.peers.alone import alone
from benchmarks.peers.contenders import CONTENDERS, OURS
from benchmarks.peers.kills import kills
from benchmarks.peers.mappings import dbm_below
from benchmarks.peers.plot import plot
from benchmarks.peers.records import chosen, written
from benchmarks.peers.report import report
from benchmarks.peers.summary import compared, goals, row
from benchmarks.peers.synced import SETS
from benchmarks.peers.syncs import syncs
from benchmarks.peers.times import hot_values, times
from stratakv.cli.progress import Steps
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from benchmarks.peers.protocol import Room
    from benchmarks.peers.records import Records

Work = TypeVar("Work")

PARTS = ("times", "alone", "kills", "syncs")
SYNC_SHARE = 4
"""Where every call waits for the disk, times are taken of a part of the records."""

_PEERS = ("cachetools", "diskcache", "lmdb", "lz4", "msgpack", "zict")
_WHAT = (
    "Does the same job with stratakv, diskcache, cachetools over diskcache, zict, SQLite, LMDB and shelve: times of "
    "each call, bytes on disk, RAM, what a kill takes, and what is synced when. About six minutes; --quick takes one."
)


class Extent(NamedTuple):
    """How much is done: records, MB of RAM for values, rounds of times, kills of each store."""

    records: int
    ram_mb: float
    rounds: int
    kills: int


FULL = Extent(6000, 8.0, 5, 10)
QUICK = Extent(400, 0.5, 3, 2)


def main(arguments: list[str]) -> int:
    """Measure, keep, print; return the exit code."""
    return run(Benchmark("peers", _WHAT, PARTS, _add_options, _measured, report, plot), arguments)


def _add_options(parser: argparse.ArgumentParser) -> None:
    for name, kind, what in (
        ("records", int, "how many records are stored"),
        ("ram-mb", float, "MB of RAM for values, of every store that can be told"),
        ("rounds", int, "how often times are taken"),
        ("kills", int, "how often each store's process is killed"),
    ):
        full, quick = (getattr(extent, name.replace("-", "_")) for extent in (FULL, QUICK))
        parser.add_argument(f"--{name}", type=kind, help=f"{what} ({full}; quick: {quick})")


def _extent(options: argparse.Namespace) -> Extent:
    asked = {name: getattr(options, name) for name in Extent._fields if getattr(options, name) is not None}
    extent = (QUICK if options.quick else FULL)._replace(**asked)
    if min(extent) <= 0:
        raise ConfigurationError("--records, --ram-mb, --rounds and --kills take numbers above 0")
    return extent


def _measured(options: argparse.Namespace, parts: tuple[str, ...]) -> dict[str, Any]:
    extent = _extent(options)
    what, items, left_out = chosen(options.data, names_in(options.only), extent.records, quick=options.quick)
    with tempfile.TemporaryDirectory(prefix="stratakv-peers-") as directory:
        records = written(items, Path(directory) / "records")
        del items  # so that this process is small
        room = records.room(round(extent.ram_mb * (1 << 20)))
        with Steps(as_json=options.json, lines=True) as steps:
            rows = _rows(extent, records, room, parts, steps)
    return {
        "what": what,
        "records": len(records.keys),
        "left_out": left_out,
        "plain_bytes": sum(records.sizes),
        "ram_bytes": room.size,
        "ram_values": room.values,
        "hot": hot_values(room),
        "rounds": extent.rounds,
        "sets": SETS,
        "peer_versions": {name: version(name) for name in _PEERS},
        "dbm": dbm_below(),
        "stores": rows,
        "goals": goals(rows),
    }


def _rows(extent: Extent, records: Records, room: Room, parts: tuple[str, ...], steps: Steps) -> list[dict[str, Any]]:
    rows = {contender.name: row(contender) for contender in CONTENDERS}
    if "times" in parts:
        for durability, ours in OURS.items():
            some = [contender for contender in CONTENDERS if contender.durability == durability]
            count = len(records.keys) if durability == "process" else max(1, len(records.keys) // SYNC_SHARE)
            rounds = _shown(steps, f"times, {durability}", range(extent.rounds))
            for name, told in compared(times(some, records, room, count, rounds), ours).items():
                rows[name]["times"] = told
    if "alone" in parts:
        for contender in _shown(steps, "alone", CONTENDERS):
            rows[contender.name]["alone"] = alone(contender, records, room)
    if "kills" in parts:
        for contender in _shown(steps, "kills", CONTENDERS):
            rows[contender.name]["kills"] = kills(contender, records, room, extent.kills)
    if "syncs" in parts:
        steps.show("syncs", 0, 1)
        for name, counted in syncs(CONTENDERS, records, room).items():
            rows[name]["syncs"] = counted
    return list(rows.values())


def _shown(steps: Steps, name: str, work: Sequence[Work]) -> Iterator[Work]:
    """Yield each piece of work, and show how many are done."""
    for number, each in enumerate(work):
        steps.show(name, number, len(work))
        yield each
