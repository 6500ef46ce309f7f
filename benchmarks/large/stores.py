"""Owns driving stores for this benchmark: opening, settling, and forgetting what RAM holds."""

from __future__ import annotations

from time import thread_time
from typing import TYPE_CHECKING, Any

from benchmarks.reduction.run import ROUNDS, UnsettledError
from benchmarks.reduction.sizes import files_of
from stratakv import OptimizationConfig, OptimizationMiddleware
from stratakv.clock import ManualClock

if TYPE_CHECKING:
    from pathlib import Path


class _Clock(ManualClock):
    """Stands still, so that background work runs where it is called for; but what a codec costs is measured."""

    def busy(self) -> float:
        return thread_time()


def opened(path: Path, **deduplication: Any) -> OptimizationMiddleware:
    """Open a store without background threads; the arguments are settings of its section `deduplication`."""
    config = OptimizationConfig(enabled=True, deduplication=deduplication)
    return OptimizationMiddleware(config=config, path=path, clock=_Clock())


def settle(memory: OptimizationMiddleware, path: Path) -> None:
    """Settle until another round changes nothing.

    Raises:
        UnsettledError: Values stay in the warm tier.
    """
    before = None
    for _ in range(ROUNDS):
        memory.maintain(settle=True)
        files = files_of(path)
        after = (files.warm_packs, files.cold_packs)
        if after == before and not files.warm_packs:
            return
        before = after
    raise UnsettledError(f"after {ROUNDS} rounds of maintain(settle=True) packs still change or are in the warm tier")


def forget(memory: OptimizationMiddleware) -> None:
    """Let go of every value that RAM holds."""
    memory.tiered_storage._store.parts.hot.clear()  # noqa: SLF001 -- there is no public way to forget RAM
