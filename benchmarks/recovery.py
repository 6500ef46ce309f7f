"""Whether opening after a crash grows with the number of keys: stores of several sizes, killed alike and opened again.

A store of each size is filled with records of a generator (a tenth of them in cold) and shut down. A process of its own
then stores further records, as many for every size, and kills itself: once with everything of its own in the journal
("journal"), once with a checkpoint half-way ("checkpoint"), which leaves the catalog a write-ahead log. Each lap opens
two fresh copies of what is left, sizes in turn, files in the page cache: one as it is, and one without its journal.
The difference is the journal's replay. The verdict is on the opening without it, against the smallest store. Beside it
stand the least of the laps and the thread's own work, which a busy machine disturbs less.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from contextlib import suppress
from itertools import islice
from pathlib import Path
from time import perf_counter_ns, thread_time_ns
from typing import TYPE_CHECKING, Any, NamedTuple

from stratakv import OptimizationConfig, OptimizationMiddleware, StorageTier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SIZES = (10_000, 100_000, 1_000_000)
QUICK_SIZES = (2_000, 20_000)
LAPS, QUICK_LAPS = 15, 3
RECORDS = 2_000
"""What the process stores before it kills itself; with a checkpoint, before that and again behind it."""

COLD_EACH = 10
BATCH = 1_000
WARM = ("disk", "directory")
CRASHES = ("journal", "checkpoint")
MOST = 2.0
"""How much longer the largest store may take to open than the smallest."""

_WORDS = ("agent", "query", "index", "vector", "recall", "plan", "tool", "result", "error", "retry", "session", "score")


class Taken(NamedTuple):
    """What an opening took: milliseconds, and milliseconds of the thread's own work."""

    wall: float
    work: float


class Left(NamedTuple):
    """A store after its crash.

    Attributes:
        warm: The warm backend.
        crash: How it was stopped.
        keys: How many it was filled with.
        path: Where it lies.
    """

    warm: str
    crash: str
    keys: int
    path: Path


def records(label: str, count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield keys and small records, each different, the same in every run."""
    chance = random.Random(label)
    for number in range(count):
        yield (
            f"{label}:{chance.getrandbits(40):010x}:{number}",
            {
                "id": number,
                "user": f"u{chance.randrange(5000)}",
                "event": chance.choice(_WORDS),
                "text": " ".join(chance.choices(_WORDS, k=12)),
                "tokens": chance.randrange(4000),
                "score": round(chance.random(), 6),
                "tags": chance.sample(_WORDS, 2),
            },
        )


def _settings(path: Path, warm: str) -> OptimizationConfig:
    config = OptimizationConfig(enabled=True)
    config.storage.path = str(path)
    config.tiered_storage.warm.backend = warm  # type: ignore[assignment]  # one of the literals
    return config


def _batches(pairs: Iterable[tuple[str, Any]]) -> Iterator[dict[str, Any]]:
    pairs = iter(pairs)
    while batch := dict(islice(pairs, BATCH)):
        yield batch


def build(path: Path, warm: str, keys: int) -> None:
    """Fill a store and shut it down."""
    with OptimizationMiddleware(config=_settings(path, warm)) as memory:
        in_cold = keys // COLD_EACH
        for batch in _batches(records("kept", keys - in_cold)):
            memory.store_many(batch)
        for key, value in records("old", in_cold):
            memory.store(key, value, tier=StorageTier.COLD)


def crash(path: Path, warm: str, kind: str) -> None:
    """Store records and kill this process; with kind "checkpoint" there is one half-way."""
    memory = OptimizationMiddleware(config=_settings(path, warm))
    if kind == "checkpoint":
        for key, value in records("before", RECORDS):
            memory.store(key, value)
        # `maintain` would compact as well, and some stores and not others have something to compact.
        memory.tiered_storage._store.mover.checkpoint()  # type: ignore[union-attr]  # noqa: SLF001
    for key, value in records("behind", RECORDS):
        memory.store(key, value)
    os.kill(os.getpid(), signal.SIGKILL)


def _copy(source: str, target: str) -> None:
    """Copy a file; packs, which never change, only get a second name, so that the disk is not busy with them."""
    if source.endswith(".val") or "/packs/" in source:
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def _opening(left: Left, scratch: Path, *, journal: bool) -> Taken:
    """Return what opening a fresh copy takes."""
    path = scratch / "copy"
    shutil.copytree(left.path, path, copy_function=_copy)
    if not journal:
        for segment in (path / "journal").iterdir():
            segment.unlink()
    os.sync()  # else the opening's own fsyncs would wait for the copy
    config = _settings(path, left.warm)
    begun, worked = perf_counter_ns(), thread_time_ns()
    memory = OptimizationMiddleware(config=config)
    taken = Taken((perf_counter_ns() - begun) / 1e6, (thread_time_ns() - worked) / 1e6)
    expected = left.keys + RECORDS * ((left.crash == "checkpoint") + journal)
    found = len(memory)
    memory.shutdown()
    shutil.rmtree(path)
    if found != expected:
        raise RuntimeError(f"{found} keys of {expected} came back: the measurement would be wrong")
    return taken


def _sizes(left: Left) -> dict[str, int]:
    packs = sum(1 for _ in left.path.rglob("*.val")) + sum(path.is_file() for path in left.path.glob("*/packs/**/*"))
    log = left.path / "catalog.db-wal"
    with suppress(FileNotFoundError):
        return {"packs": packs, "log_bytes": log.stat().st_size}
    return {"packs": packs, "log_bytes": 0}


def _row(left: Left, whole: list[Taken], without: list[Taken]) -> dict[str, Any]:
    low, middle, high = statistics.quantiles((one.wall for one in whole), n=4)
    bare_low, bare, bare_high = statistics.quantiles((one.wall for one in without), n=4)
    return {
        "warm": left.warm, "crash": left.crash, "keys": left.keys, **_sizes(left),
        "opening_ms": middle, "low_ms": low, "high_ms": high,
        "without_journal_ms": bare, "without_journal_low_ms": bare_low, "without_journal_high_ms": bare_high,
        "without_journal_least_ms": min(one.wall for one in without),
        "without_journal_work_ms": statistics.median(one.work for one in without),
        "replay_ms": statistics.median(a.wall - b.wall for a, b in zip(whole, without, strict=True)),
    }  # fmt: skip


def measure(sizes: Iterable[int], backends: Iterable[str], laps: int, scratch: Path) -> list[dict[str, Any]]:
    """Build, crash and open stores of all sizes; return a row for each size, warm backend and kind of crash."""
    sizes = sorted(sizes)
    rows = []
    for warm in backends:
        stores = []
        for keys in sizes:
            built = scratch / f"{warm}-{keys}"
            build(built, warm, keys)
            for kind in CRASHES:
                path = scratch / f"{warm}-{keys}-{kind}"
                shutil.copytree(built, path)
                killed = subprocess.run([sys.executable, "-m", __spec__.name, "--crash", path, warm, kind], check=False)
                if killed.returncode != -signal.SIGKILL:
                    raise RuntimeError(f"the process to be killed ended with {killed.returncode}")
                stores.append(Left(warm, kind, keys, path))
            shutil.rmtree(built)
        times: dict[Left, tuple[list[Taken], list[Taken]]] = {left: ([], []) for left in stores}
        for lap in range(laps + 1):
            for left, (whole, without) in times.items():
                pair = _opening(left, scratch, journal=True), _opening(left, scratch, journal=False)
                if lap:  # the first one warms the page cache
                    whole.append(pair[0])
                    without.append(pair[1])
        rows += [_row(left, *pair) for left, pair in times.items()]
        for left in stores:
            shutil.rmtree(left.path)
    for row in rows:
        first = next(one for one in rows if (one["warm"], one["crash"]) == (row["warm"], row["crash"]))
        row["ratio"] = row["without_journal_ms"] / first["without_journal_ms"]
        row["whole_ratio"] = row["opening_ms"] / first["opening_ms"]
    return rows


def table(rows: Iterable[dict[str, Any]]) -> str:
    """Return the rows as text."""
    opening = f"{'log MB':>8}{'opening ms':>12}{'quartiles':>15}{'journal':>9}{'rest ms':>9}{'quartiles':>15}"
    opening += f"{'least':>7}{'work':>7}"
    lines = [f"{'warm':10}{'crash':11}{'keys':>10}{'packs':>7}{opening}{'whole x':>9}{'rest x':>8}"]
    for row in rows:
        quartiles = f"{row['low_ms']:.1f}-{row['high_ms']:.1f}"
        bare = f"{row['without_journal_low_ms']:.1f}-{row['without_journal_high_ms']:.1f}"
        lines.append(
            f"{row['warm']:10}{row['crash']:11}{row['keys']:10,}{row['packs']:7}{row['log_bytes'] / 1e6:8.1f}"
            f"{row['opening_ms']:12.1f}{quartiles:>15}{row['replay_ms']:9.1f}"
            f"{row['without_journal_ms']:9.1f}{bare:>15}"
            f"{row['without_journal_least_ms']:7.1f}{row['without_journal_work_ms']:7.1f}{row['whole_ratio']:9.2f}{row['ratio']:8.2f}"
        )
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Measure and print. Returns 1 when a store takes more than twice the smallest one's time, the journal aside."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks recovery", description=__doc__.splitlines()[0])
    parser.add_argument("--keys", help="sizes of the stores, with commas between; the smallest is the measure")
    parser.add_argument("--warm", choices=WARM, action="append", help="only this warm backend")
    parser.add_argument("--laps", type=int, help="openings of each store")
    parser.add_argument("--quick", action="store_true", help="small stores and few laps: to see that it runs")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--crash", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.crash:
        crash(Path(options.crash[0]), *options.crash[1:])
    sizes: tuple[int, ...] = QUICK_SIZES if options.quick else SIZES
    if options.keys:
        if not all(part.isdigit() and int(part) >= COLD_EACH for part in options.keys.split(",")):
            parser.error(f"--keys takes numbers from {COLD_EACH} with commas between")
        sizes = tuple(int(part) for part in options.keys.split(","))
    laps = options.laps or (QUICK_LAPS if options.quick else LAPS)
    if laps < 2:
        parser.error("--laps must be 2 at least")
    with tempfile.TemporaryDirectory(prefix="stratakv-bench-") as scratch:
        rows = measure(sizes, options.warm or WARM, laps, Path(scratch))
    if options.json:
        print(json.dumps({"records": RECORDS, "laps": laps, "most": MOST, "stores": rows}))
    else:
        print(f"{RECORDS} records in the journal, {laps} laps, medians")
        print(table(rows))
    return 0 if all(row["ratio"] <= MOST for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
