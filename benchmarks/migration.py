"""Whether hot reads wait while checkpoint, demotion, promotion and compaction run without a pause between them.

Threads read hot keys, in periods that take turns: "still", while the store has nothing to do, and "busy", while one
more thread stores, deletes and asks for moves, in small steps, so that the store's own threads always have all of it to
do. Threads that never rest wait for each other by the interpreter's switch interval of 5 ms, however little the store
does: "still" is the floor, and the budget is on crews that have time to rest, and on one reader. A sleeper that wants
to wake every millisecond tells how long the interpreter was held at a stretch. The cold tier is a directory that is
treated as one far away, or with --s3 a bucket of moto's server, started here.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.recovery import records
from stratakv import OptimizationConfig, OptimizationMiddleware, StorageTier
from stratakv.backends.directory import DirectoryBackend
from tests.servers.moto import aws_environment, moto_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stratakv.backends.base import Backend

HOT_KEYS = 5_000
OTHER_KEYS, QUICK_OTHER_KEYS = 30_000, 3_000
SECONDS, QUICK_SECONDS = 5.0, 1.0
PERIODS, QUICK_PERIODS = 3, 1
TICK_SECONDS = 0.001
STEP = 20
MOST_WAITS = 10
MOST_MS, GOAL_MS = 10.0, 6.0


class Crew(NamedTuple):
    """Threads at work beside the background.

    Attributes:
        readers: How many read.
        writers: How many write, one value at a time.
        rest: Seconds between two reads of a thread.
        counts: Whether the budget is on it.
    """

    readers: int
    writers: int
    rest: float
    counts: bool


CREWS = (
    Crew(1, 0, 0.0, counts=True),
    Crew(8, 0, 0.002, counts=True),
    Crew(8, 2, 0.002, counts=True),
    Crew(2, 0, 0.0, counts=False),
    Crew(8, 0, 0.0, counts=False),
)


def _settings(path: Path) -> OptimizationConfig:
    return OptimizationConfig(
        enabled=True,
        # Everything is due all the time.
        storage={"path": str(path), "checkpoint_interval_seconds": 1.0, "pack_size_mb": 1, "grace_seconds": 0},
        tiered_storage={
            "migration_interval_seconds": 0.5,
            "hot_to_warm_idle_hours": 24,
            "warm_to_cold_idle_hours": 1 / 3600,
            "cold": {"backup_interval_seconds": 2.0},
        },
        adaptive={"prices": {"transfer_gb": 0}},  # compaction of cold pays
    )


class _Changes:
    """Changes other keys than those that are read, while it is on."""

    def __init__(self, memory: OptimizationMiddleware, others: dict[str, Any]) -> None:
        self._memory = memory
        self._others = others
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        chance = random.Random(5)
        keys = list(self._others)
        while not self._stop.wait(0.004):
            chosen = chance.sample(keys, STEP)
            self._memory.store_many({key: {**self._others[key], "score": chance.random()} for key in chosen})
            self._memory.delete(chance.choice(keys))
            key = chance.choice(keys)
            self._memory.tiered_storage.migrate_tier(key, chance.choice((StorageTier.WARM, StorageTier.COLD)))


def _while_reading(memory: OptimizationMiddleware, crew: Crew, hot: list[str], seconds: float) -> dict[str, Any]:
    """Read for some seconds; return milliseconds and what was done."""
    stop = threading.Event()
    taken: list[list[int]] = [[] for _ in range(crew.readers)]
    late: list[int] = []
    never = threading.Event()

    def read(number: int) -> None:
        chance = random.Random(number)
        mine = taken[number]
        retrieve = memory.retrieve
        while not stop.is_set():
            for key in chance.choices(hot, k=100):
                begun = perf_counter_ns()
                retrieve(key)
                mine.append(perf_counter_ns() - begun)
                if crew.rest:
                    stop.wait(crew.rest)

    def write(number: int) -> None:
        chance = random.Random(number)
        while not stop.is_set():
            memory.store(f"written:{number}:{chance.randrange(2000)}", {"id": chance.random(), "writer": number})
            stop.wait(0.0005)

    def doze() -> None:
        while not stop.is_set():
            begun = perf_counter_ns()
            never.wait(TICK_SECONDS)
            late.append(perf_counter_ns() - begun - int(TICK_SECONDS * 1e9))

    threads = [threading.Thread(target=read, args=(number,)) for number in range(crew.readers)]
    threads += [threading.Thread(target=write, args=(number,)) for number in range(crew.writers)]
    threads.append(threading.Thread(target=doze))
    for thread in threads:
        thread.start()
    begun = perf_counter()
    never.wait(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    lasted = perf_counter() - begun
    reads = sorted(one for mine in taken for one in mine)
    late.sort()
    return {
        "reads_per_second": len(reads) / lasted,
        **{f"p{100 * share:g}_ms": _quantile(reads, share) for share in (0.5, 0.99, 0.999)},
        "slowest_ms": reads[-1] / 1e6,
        "late_p99_ms": _quantile(late, 0.99),
        "late_most_ms": late[-1] / 1e6,
    }


def _quantile(ordered: list[int], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1e6


FIGURES = ("reads_per_second", "p50_ms", "p99_ms", "p99.9_ms", "slowest_ms", "late_p99_ms", "late_most_ms")
DONE = ("checkpoints", "demotions", "promotions", "compactions")


def _done(memory: OptimizationMiddleware) -> dict[str, int]:
    told = memory.get_statistics()
    return {
        "checkpoints": told["background"]["checkpoints"],
        "demotions": told["tiered_storage"]["demotions"],
        "promotions": told["tiered_storage"]["promotions"],
        "compactions": told["tiered_storage"]["compactions"],
    }


def measure(
    backend: Backend, path: Path, others: int, seconds: float, periods: int
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Return a row for each crew and kind of period, with medians over the periods; and what the background did."""
    hot = dict(records("hot", HOT_KEYS))
    rest = dict(records("other", others))
    rows = []
    with OptimizationMiddleware(config=_settings(path), backends={StorageTier.COLD: backend}) as memory:
        memory.store_many(hot)
        for key, value in rest.items():
            memory.store(key, value)
        memory.maintain()
        before = _done(memory)
        for crew in CREWS:
            found: dict[str, list[dict[str, float]]] = {"still": [], "busy": []}
            for _ in range(periods):
                _await_rest(memory)
                found["still"].append(_while_reading(memory, crew, list(hot), seconds))
                with _Changes(memory, rest):
                    threading.Event().wait(1.0)  # until all kinds of work have begun
                    found["busy"].append(_while_reading(memory, crew, list(hot), seconds))
            for kind, each in found.items():
                medians = {name: statistics.median(one[name] for one in each) for name in FIGURES}
                rows.append({**crew._asdict(), "period": kind, **medians})
        after = _done(memory)
    return rows, {name: after[name] - before[name] for name in DONE}


def _await_rest(memory: OptimizationMiddleware) -> None:
    """Return when the background has come to rest, or takes very long to."""
    done: dict[str, int] = {}
    for _ in range(MOST_WAITS):
        if done == (done := _done(memory)):
            return
        threading.Event().wait(1.5)


def report(result: dict[str, Any]) -> str:
    """Return the rows as text."""
    heads = "".join(f"{name.replace('_ms', ' ms').replace('_', ' '):>18}" for name in FIGURES)
    lines = [f"cold tier: {result['cold']}; the background did {result['done']}", ""]
    lines.append(f"{'readers':>8}{'writers':>8}{'rest ms':>8}  {'period':8}{heads}")
    for row in result["rows"]:
        figures = "".join(f"{row[name]:18,.3f}" for name in FIGURES)
        verdict = "" if row["period"] == "still" or not row["counts"] else "  kept" if _kept(row) else "  NOT KEPT"
        lines.append(
            f"{row['readers']:8}{row['writers']:8}{1000 * row['rest']:8.0f}  {row['period']:8}{figures}{verdict}"
        )
    lines.append(f"\nbudget: p99.9 of hot reads at most {MOST_MS:.0f} ms beside background work, goal {GOAL_MS:.0f}")
    return "\n".join(lines)


def _kept(row: dict[str, Any]) -> bool:
    return not row["counts"] or row["period"] == "still" or bool(row["p99.9_ms"] <= MOST_MS)


@contextmanager
def _cold(scratch: Path, *, s3: bool) -> Iterator[Backend]:
    if not s3:
        yield DirectoryBackend(scratch / "far", remote=True)
        return
    with aws_environment(), moto_server() as server:
        yield server.backend(server.new_bucket())


def main(arguments: list[str]) -> int:
    """Measure and print. Returns 1 when hot reads wait longer than the budget allows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks migration", description=__doc__.splitlines()[0])
    parser.add_argument("--s3", action="store_true", help="cold in a bucket of moto's server")
    parser.add_argument("--quick", action="store_true", help="few keys and short periods: to see that it runs")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    others, seconds, periods = OTHER_KEYS, SECONDS, PERIODS
    if options.quick:
        others, seconds, periods = QUICK_OTHER_KEYS, QUICK_SECONDS, QUICK_PERIODS
    with tempfile.TemporaryDirectory(prefix="stratakv-bench-") as name:
        scratch = Path(name)
        with _cold(scratch, s3=options.s3) as backend:
            rows, done = measure(backend, scratch / "store", others, seconds, periods)
    result = {"cold": "moto" if options.s3 else "a directory", "rows": rows, "done": done}
    print(json.dumps(result) if options.json else report(result))
    return 0 if all(map(_kept, rows)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
