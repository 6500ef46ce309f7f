"""Tuning: when telemetry is looked at and when it is time to retune, and how the tuner's verdict is put in force.

Owns the windows, the persisted state of the tuner and the record of changes. What to change is the tuner's decision
(`policies/tuning/`); this carries it to the parts that it is about. Invariant: with `adaptive.enabled: false` nothing
is changed by it; what was tuned before stays in force.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from stratakv.engine.placement import EDGES, prices_of
from stratakv.engine.records import IN_HOT, IN_WARM
from stratakv.engine.telemetry import HITS, READS, WRITES
from stratakv.engine.worker import no_pause
from stratakv.errors import StrataError
from stratakv.policies.admission import Accesses
from stratakv.policies.tuning.steering import Measured, Targets
from stratakv.policies.tuning.tuner import Tuner
from stratakv.policies.tuning.verdict import HOT, TYPICAL_BYTES, WARM, Capacity, Change, Load, Settings, Sight, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.engine.parts import Parts

log = logging.getLogger("stratakv")

WINDOWS_KEPT = 360
CHANGES_KEPT = 64
SAVED_AT_MOST_EVERY = 300.0
"""Seconds: what a crash takes from the tuner is what it learnt since."""

STATE = "tuner"
LARGEST_STATE = 32 << 20
MOST_RETUNES = 1 << 40
BAD_STATE = (StrataError, zlib.error, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
TIERS_OF = {HOT: IN_HOT, WARM: IN_WARM}
KEYS_A_WATCHED_KEY = 32
"""One key in so many is watched, so that watching takes little of what a small store saves."""


class Window(NamedTuple):
    """What one telemetry interval saw.

    Attributes:
        seconds: How long it was.
        reads, hits, writes: Operations.
        waited: Seconds that callers waited for what lies below RAM.
    """

    seconds: float
    reads: int
    hits: int
    writes: int
    waited: float


class Tuning:
    """The adaptive engine of one store.

    Args:
        parts: The store's pieces.
        reduction: Returns the percentage of bytes saved as last measured, None where that says nothing.
    """

    def __init__(self, parts: Parts, reduction: Callable[[], float | None]) -> None:
        self._parts = parts
        self._reduction = reduction
        adaptive = parts.config.adaptive
        self._adaptive = adaptive
        self._tuner = Tuner(_settings(parts))
        self._windows: deque[Window] = deque(maxlen=WINDOWS_KEPT)
        self._changes: deque[dict[str, Any]] = deque(maxlen=CHANGES_KEPT)
        self._verdict: Verdict | None = None
        self.retunes = 0
        now = parts.clock.monotonic()
        self._looked = self._retuned = self._saved = now
        self._totals = self._count()
        self._evictions = 0
        self._since_retune: list[Window] = []
        self._owners_report: dict[str, Any] | None = None
        self._load()

    # -- when ------------------------------------------------------------------------------------------------

    def step(self, pause: Callable[[], None]) -> None:
        """Look at the telemetry if an interval has passed, and retune if that is due."""
        watch = self._parts.watch
        if watch.crowded:
            watch.tell(self._tuner.edges, pause)
        now = self._parts.clock.monotonic()
        if now - self._looked < self._adaptive.telemetry_interval_seconds:
            return
        self._look(now, pause)
        if not self._adaptive.enabled:
            return
        requests = sum(window.reads + window.writes for window in self._since_retune)
        if now - self._retuned >= self._adaptive.retune_interval_seconds or requests >= self._adaptive.retune_requests:
            self._retune(now, pause)

    def _count(self) -> tuple[int, int, int, float]:
        counters = self._parts.counters
        return counters.total(READS), counters.total(HITS), counters.total(WRITES), self._parts.below.waited()

    def _look(self, now: float, pause: Callable[[], None]) -> None:
        parts = self._parts
        totals = self._count()
        reads, hits, writes, waited = (new - old for new, old in zip(totals, self._totals, strict=True))
        window = Window(now - self._looked, int(reads), int(hits), int(writes), waited)
        self._windows.append(window)
        if self._adaptive.enabled:
            self._since_retune.append(window)
        self._totals, self._looked = totals, now
        parts.admission.fade(now)
        keys = parts.catalog.live_keys
        parts.admission.fit(keys)
        self._tuner.edges.limit_keys(keys // KEYS_A_WATCHED_KEY)
        parts.watch.tell(self._tuner.edges, pause)
        parts.watch.look(self._tuner.edges, parts.hot, pause)

    # -- a retune --------------------------------------------------------------------------------------------

    def _retune(self, now: float, pause: Callable[[], None]) -> None:
        seconds = max(1e-9, now - self._retuned)
        waited = sum(window.waited for window in self._since_retune)
        reads = sum(window.reads for window in self._since_retune)
        measured = Measured(self._reduction(), 100 * waited / seconds if reads else None)
        loads = {
            namespace: Load(counted.reads, {HOT: counted.warm + counted.cold, WARM: counted.cold}, seconds)
            for namespace, counted in self._parts.below.take(self._parts.watch.take_hits()).items()
        }
        evictions, self._evictions = self._parts.hot.evictions - self._evictions, self._parts.hot.evictions
        pinned = self._parts.hot.pinned_bytes
        sight = Sight(now, self._parts.clock.now(), measured, loads, evictions > 0, pinned)
        verdict = self._tuner.retune(sight, pause)
        self._retuned = now
        self._since_retune.clear()
        self.retunes += 1
        self._put_in_force(verdict, pause)
        for change in verdict.changes:
            self._record(change)
        if now - self._saved >= SAVED_AT_MOST_EVERY:
            self.save()

    def _put_in_force(self, verdict: Verdict, pause: Callable[[], None]) -> None:
        parts, placement = self._parts, self._parts.placement
        before = placement.shortest(IN_WARM)
        for name in {*verdict.idle, *(self._verdict.idle if self._verdict is not None else ())}:
            placement.set(TIERS_OF[name[0]], name[1], verdict.idle.get(name))
        parts.admission.accesses = verdict.accesses
        parts.compression.encoder.scale_budgets(verdict.course.codec_factor)
        capacity = parts.hot.capacity if verdict.capacity is None else verdict.capacity
        if capacity != parts.hot.capacity or verdict.shares != (self._verdict.shares if self._verdict else {}):
            parts.hot.set_budget(capacity, verdict.shares, pause)
        self._verdict = verdict
        sooner = int(before - placement.shortest(IN_WARM))
        if sooner > 0 and not parts.read_only:
            with parts.catalog.write(parts.wall()) as transaction:
                transaction.bring_forward(IN_WARM, sooner)

    def _record(self, change: Change) -> None:
        told = change._asdict()
        if change.namespace is not None:
            told["namespace"] = self._parts.labels.name(change.namespace)
        self._changes.append(told)
        where = f" of namespace {told['namespace']!r}" if change.namespace is not None else ""
        log.info("tuned %s%s from %.4g to %.4g: %s", change.what, where, change.before, change.after, change.why)

    # -- across restarts -------------------------------------------------------------------------------------

    def save(self) -> None:
        """Keep what was learnt for the next opening."""
        parts = self._parts
        self._saved = parts.clock.monotonic()
        if parts.temporary or parts.read_only:
            return
        names = {number: parts.labels.name(number) for number in parts.labels.all_numbers()}
        state = {
            "tuner": self._tuner.to_state(names), "retunes": self.retunes, "changes": list(self._changes),
            "report": self.report(),
        }  # fmt: skip
        with parts.catalog.write(parts.wall()) as transaction:
            transaction.set_meta(STATE, zlib.compress(json.dumps(state).encode()))

    def _load(self) -> None:
        """Take up what was kept; what cannot be used is said in the log and learnt anew."""
        parts = self._parts
        kept = parts.catalog.meta(STATE)
        if kept is None:
            return
        numbers = {parts.labels.name(number): number for number in parts.labels.all_numbers()}
        try:
            state = _unpacked(kept)
            changes = [dict(change) for change in state["changes"]][-CHANGES_KEPT:]
            retunes = min(max(0, int(state["retunes"])), MOST_RETUNES)
            if parts.read_only:
                # Whoever only looks may know other settings than the owner: what the owner said counts.
                self._owners_report = dict(state["report"])
            verdict = self._tuner.restore(dict(state["tuner"]), numbers)
        except BAD_STATE as failure:
            log.info("what the adaptive engine kept is not taken up: %s", failure)
            return
        self.retunes = retunes
        self._changes.extend(changes)
        # Whoever only looks tells by these what will become of a value.
        self._put_in_force(verdict, no_pause)

    # -- what it says ----------------------------------------------------------------------------------------

    def report(self) -> dict[str, Any]:
        """Return the section `adaptive` of the statistics."""
        if self._owners_report is not None:
            return self._owners_report
        parts, verdict = self._parts, self._verdict
        recent = list(self._windows)[-30:]
        seconds = sum(window.seconds for window in recent)
        reads = sum(window.reads for window in recent)
        return {
            "enabled": self._adaptive.enabled,
            "retunes": self.retunes,
            "last_changes": list(self._changes),
            "thresholds": self._thresholds(),
            "shares": {
                parts.labels.name(namespace): share for namespace, share in (verdict.shares if verdict else {}).items()
            },
            "eviction": parts.hot.divisions.explain(),
            "accesses": parts.admission.accesses._asdict(),
            "rent_weight": verdict.course.rent_weight if verdict is not None else 1.0,
            "codec_factor": verdict.course.codec_factor if verdict is not None else 1.0,
            "recent": {
                "seconds": seconds,
                "reads": reads,
                "hit_ratio": sum(window.hits for window in recent) / reads if reads else None,
                "overhead_percent": 100 * sum(window.waited for window in recent) / seconds if seconds else None,
            },
            "moves": {
                name: {
                    "down": down.moves, "down_regretted": down.regretted, "up": up.moves, "up_regretted": up.regretted,
                }
                for name, regrets in parts.regrets.items()
                for down, up in [(regrets.down, regrets.up)]
            },
            "lost_notes": parts.watch.lost,
        }  # fmt: skip

    def ram_bytes(self) -> int:
        """Return the RAM of what the tuner keeps, about."""
        return self._tuner.edges.ram_bytes() + 200 * len(self._windows)

    def _thresholds(self) -> dict[str, dict[str, float]]:
        """Return the idle seconds in force, by namespace and edge, of a content of 1 KB that nobody has read again."""
        placement = self._parts.placement
        told: dict[str, dict[str, float]] = {}
        for edge, namespace in self._verdict.idle if self._verdict is not None else ():
            tier = TIERS_OF[edge]
            seconds = placement.seconds(tier, namespace, TYPICAL_BYTES, uses=0)
            told.setdefault(self._parts.labels.name(namespace), {})[EDGES[tier]] = seconds
        return told


def _unpacked(kept: object) -> dict[str, Any]:
    """Return what was kept.

    Raises:
        ValueError, TypeError, RecursionError, zlib.error: It is damaged, or larger than it can be.
    """
    if not isinstance(kept, bytes):
        raise TypeError(f"not bytes but {type(kept).__name__}")
    packed = zlib.decompressobj()
    content = packed.decompress(kept, LARGEST_STATE)
    if packed.unconsumed_tail:
        raise ValueError("it is larger than it can be")
    return dict(json.loads(content))


def _settings(parts: Parts) -> Settings:
    adaptive, tiered = parts.config.adaptive, parts.config.tiered_storage
    return Settings(
        prices=prices_of(parts.config),
        wait_of=parts.placement.wait_of,
        targets=Targets(adaptive.targets.memory_reduction_percent, adaptive.targets.overhead_percent),
        learning_rate=adaptive.learning_rate,
        rest=adaptive.cool_down_seconds,
        shortest=adaptive.shortest_idle_seconds,
        longest=adaptive.longest_idle_hours * 3600,
        configured={HOT: tiered.hot_to_warm_idle_hours * 3600, WARM: tiered.warm_to_cold_idle_hours * 3600},
        accesses=Accesses(tiered.promote_to_warm_accesses, tiered.promote_to_hot_accesses),
        capacity=_bounds(parts),
        divides=adaptive.divide_hot,
        remote=parts.placement.remote,
    )  # fmt: skip


def _bounds(parts: Parts) -> Capacity:
    """Return the bytes between which RAM for values may move."""
    adaptive, capacity = parts.config.adaptive, parts.config.effective_hot_capacity_bytes
    if adaptive.hot_capacity_min_mb is None or adaptive.hot_capacity_max_mb is None:
        return Capacity(capacity, capacity, capacity)
    low, high = (
        int(megabytes * (1 << 20)) for megabytes in (adaptive.hot_capacity_min_mb, adaptive.hot_capacity_max_mb)
    )
    return Capacity(max(1, low), capacity, max(1, high))
