"""Owns the order of the demo: wrap an engine that holds the records, replay, let days pass, check all.

It takes no figure on trust that it can find out itself: live bytes are measured on the objects, and every
value is compared with the one that went in, whose own digest is checked too.
"""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from stratakv.cli.demonstration.exactness import fingerprint, live_bytes, same
from stratakv.cli.demonstration.replay import Replay, latencies, sample
from stratakv.cli.demonstration.report import KindReport, Report
from stratakv.cli.demonstration.workload import TARGETS, TOTAL_TARGET, kind_of
from stratakv.cli.reduction import megabytes
from stratakv.clock import ManualClock
from stratakv.config import NamespaceConfig, OptimizationConfig
from stratakv.engine.middleware import OptimizationMiddleware

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stratakv.cli.demonstration.workload import Workload

HOURS = 72
READING_HOURS = 24
_TIERS = ("hot_bytes", "warm_bytes", "cold_bytes")
# A record read this often within an hour is worth RAM by the store's default settings.
_OFTEN = 6
_TIMED = 200

# Told: what is being done, how much is done, how much there is.
Progress = Callable[[str, int, int], None]


def play(work: Workload, directory: str | None, progress: Progress) -> Report:
    """Run the demo on a workload.

    Args:
        work: Records and rewrites. Its objects are compared with what comes out, so nothing may change them.
        directory: Where the store lies and stays; None for a temporary directory.
        progress: Told how far each step is.

    Returns:
        The report, without its `seconds`.
    """
    final = work.final()
    found = _Findings(_live(work, final))
    digests = {key: fingerprint(value) for key, value in final.items()}
    engine = dict(work.initial)
    clock = ManualClock()
    tell = found.story.append
    tell(f"loaded   {len(engine):,} records into a plain dict")
    with _records_left_alone(), _opened(engine, _configuration(work), directory, clock) as memory:
        tell("wrapped  the dict with OptimizationMiddleware, which takes over each record at its first use")
        replay = Replay(work, memory)
        started = time.perf_counter()
        replay.everything(lambda: progress("replaying", len(replay.touched), len(final)))
        took = time.perf_counter() - started
        tell(
            f"replayed {replay.reads:,} reads and {replay.writes:,} rewrites "
            f"{'along the references between records ' if work.linked else ''}in {took:.1f} s"
        )
        ram = memory.get_statistics()["tiered_storage"]["hot_usage_bytes"]
        tell(f"         then all of it was hot: {megabytes(ram)} MB in RAM")
        found.hot = latencies(memory, sample(final, _TIMED), warm_up=True)
        recent = _day(work, memory, clock, progress)
        reading = f", with a little reading in each of the first {READING_HOURS}" if recent else ""
        tell(f"waited   {HOURS} hours on the demo's own clock{reading}")
        found.left_in_engine = len(engine)
        found.statistics = memory.get_statistics()
        idle = (key for key in final if key not in recent)
        found.cold = latencies(memory, sample(idle, _TIMED), warm_up=False)
        found.different = _differences(final, digests, memory, progress)
        tell(f"verified {len(final):,} values, each against the one that went in")
    return _report(work, found, directory)


@dataclass(slots=True)
class _Findings:
    live: dict[str, int]
    story: list[str] = field(default_factory=list)
    hot: dict[str, float] = field(default_factory=dict)
    cold: dict[str, float] = field(default_factory=dict)
    different: dict[str, int] = field(default_factory=dict)
    statistics: dict[str, Any] = field(default_factory=dict)
    left_in_engine: int = 0


def _configuration(work: Workload) -> OptimizationConfig:
    namespaces = {kind: NamespaceConfig(match=f"{kind}:*") for kind in work.kinds}
    return OptimizationConfig(enabled=True, namespaces=namespaces)


@contextmanager
def _opened(
    engine: dict[str, Any], config: OptimizationConfig, directory: str | None, clock: ManualClock
) -> Iterator[OptimizationMiddleware]:
    with ExitStack() as stack:
        path = directory or stack.enter_context(TemporaryDirectory(prefix="stratakv-demo-"))
        yield stack.enter_context(OptimizationMiddleware(wrapped_engine=engine, config=config, path=path, clock=clock))


@contextmanager
def _records_left_alone() -> Iterator[None]:
    """Keep the collector off the millions of objects that the demo holds for comparison.

    A service that uses the store has given its objects away; searching ours would count as the store's time.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _live(work: Workload, final: dict[str, Any]) -> dict[str, int]:
    seen: set[int] = set()
    by_kind: dict[str, list[Any]] = {kind: [] for kind in work.kinds}
    for key, value in final.items():
        by_kind[kind_of(key)] += (key, value)
    return {kind: live_bytes(objects, seen) for kind, objects in by_kind.items()}


def _day(work: Workload, memory: OptimizationMiddleware, clock: ManualClock, progress: Progress) -> set[str]:
    """Let the hours pass and visit a unit in each of the first, and one often at the end, if there are many units.

    What is read again within a day is worth keeping on SSD for about two; so it takes three to see all of it idle.

    Returns:
        The keys read meanwhile.
    """
    replay = Replay(work, memory)
    units = sorted(work.units)
    for hour in range(1, HOURS + 1):
        if len(units) > READING_HOURS >= hour:
            replay.again(units[hour * len(units) // (READING_HOURS + 1)])
        clock.advance(3600.0)
        memory.maintain()
        progress("letting three days pass", hour, HOURS)
    for _ in range(_OFTEN):
        if len(units) > READING_HOURS:
            replay.again(units[-1])
    return replay.touched


def _differences(
    final: dict[str, Any], digests: dict[str, bytes], memory: OptimizationMiddleware, progress: Progress
) -> dict[str, int]:
    wrong: dict[str, int] = {}
    for number, (key, value) in enumerate(final.items(), 1):
        if not same(memory.retrieve(key), value) or fingerprint(value) != digests[key]:
            wrong[kind_of(key)] = wrong.get(kind_of(key), 0) + 1
        if number % 256 == 0 or number == len(final):
            progress("verifying", number, len(final))
    return wrong


def _report(work: Workload, found: _Findings, directory: str | None) -> Report:
    records = Counter(map(kind_of, work.initial))
    kinds = []
    for kind in work.kinds:
        counted = found.statistics["namespaces"][kind]
        kinds.append(
            KindReport(
                kind,
                records=records[kind],
                plain_bytes=counted["plaintext_bytes"],
                live_bytes=found.live[kind],
                hot_bytes=counted["hot_bytes"],
                warm_bytes=counted["warm_bytes"],
                cold_bytes=counted["cold_bytes"],
                different=found.different.get(kind, 0),
                hot_us=found.hot.get(kind),
                cold_us=found.cold.get(kind),
                target_percent=TARGETS.get(kind) if work.linked else None,
            )
        )
    shared, parts = _shared(found.statistics, kinds, work.initial.__sizeof__())
    return Report(
        kinds,
        shared=shared,
        shared_parts=parts,
        reduction_percent=found.statistics["overall"]["memory_reduction_percent"],
        target_percent=TOTAL_TARGET if work.linked else None,
        left_in_engine=found.left_in_engine,
        source=work.source,
        left_out=work.left_out,
        story=found.story,
        about=work.about,
        where=directory,
    )


def _shared(statistics: dict[str, Any], kinds: list[KindReport], table: int) -> tuple[KindReport, dict[str, int]]:
    """Return what the store holds beyond the kinds' own bytes, by tier, and what that is made of."""
    sizes = statistics["storage"]
    over = {tier: sizes[tier] - sum(getattr(kind, tier) for kind in kinds) for tier in _TIERS}
    parts = {
        "catalog on disk: where each key's value is": sizes["catalog_bytes"],
        "the catalog's cache in RAM": sizes["catalog_cache_bytes"],
        "compression dictionaries and other caches in RAM": sizes["other_ram_bytes"],
        "tables that find values in RAM": over["hot_bytes"],
        "headers and indexes of the files that hold the values": over["warm_bytes"] + over["cold_bytes"],
        "journal: writes not yet in those files": sizes["journal_bytes"],
        "room kept for deletions on a full disk, and small files": sizes["other_disk_bytes"],
    }
    shared = KindReport(
        "shared",
        records=0,
        plain_bytes=0,
        live_bytes=table,
        hot_bytes=over["hot_bytes"] + sizes["catalog_cache_bytes"] + sizes["other_ram_bytes"],
        warm_bytes=over["warm_bytes"] + sizes["catalog_bytes"] + sizes["journal_bytes"] + sizes["other_disk_bytes"],
        cold_bytes=over["cold_bytes"],
        different=0,
    )
    return shared, parts
