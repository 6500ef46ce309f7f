"""Owns what a request is for an engine, wrapped or bare: a call of one of its verbs, and what must come back.

A call looks the verb up in the engine, as programs do: what a wrapper takes for that counts.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from benchmarks.keeping import DifferenceError
from benchmarks.overhead.engines import ABSORB, WRITE_THROUGH, engine, fill
from benchmarks.overhead.turns import Lane
from stratakv import OptimizationConfig, OptimizationMiddleware
from stratakv.policies.simulation.trace import GET, PUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from benchmarks.overhead.engines import Kind, Place
    from benchmarks.overhead.workloads import Request, Workload

BARE, OFF = "bare", "pass-through"
"""An engine as it is; and wrapped with no configuration, so that optimisation is off."""


def lane(kind: Kind, held: Any, workload: Workload) -> Lane:
    """Return a workload's calls of an engine."""
    requests = workload.requests

    def calls(start: int, stop: int) -> list[Callable[[], Any]]:
        return [partial(_verb(kind, request), held) for request in requests[start:stop]]

    def check(start: int, results: list[Any]) -> None:
        for number, result in enumerate(results, start):
            what, key, record = requests[number]
            if what == GET and result != (None if record is None else kind.value(record)):
                raise DifferenceError(f"{kind.name}, {workload.name}: request {number} for {key!r} got another value")

    return Lane(calls, check)


def _verb(kind: Kind, request: Request) -> Callable[[Any], Any]:
    read, write, delete = kind.verbs
    what, key, record = request
    if what == GET:
        return methodcaller(read, key)
    if what == PUT:
        assert record is not None
        return methodcaller(write, key, kind.value(record))
    return methodcaller(delete, key, None) if delete == "pop" else methodcaller(delete, key)


def contestants(kind: Kind) -> tuple[str, ...]:
    """Return the ways to use a kind of engine that are compared."""
    return (BARE, OFF, *kind.modes)


@contextmanager
def contestant(
    way: str, kind: Kind, place: Place, directory: Path, number: int, workload: Workload
) -> Iterator[tuple[Any, Callable[[], None]]]:
    """Give an engine with a workload's values in it, bare or wrapped, and what closes the wrapper.

    Raises:
        DifferenceError: It is not wrapped in the way that was asked for.
    """
    with engine(kind, place, directory, number) as raw:
        fill(kind, raw, workload.filled)
        if way == BARE:
            yield raw, _nothing
            return
        wrapped = OptimizationMiddleware(raw) if way == OFF else _wrapped(raw, way, directory / f"store-{number}")
        try:
            if wrapped.get_statistics()["wrap"]["mode"] != way.replace("-", "_"):
                raise DifferenceError(f"{kind.name} was not wrapped as {way}: the environment configures stratakv")
            yield wrapped, wrapped.shutdown
        finally:
            wrapped.shutdown()


def _wrapped(raw: Any, mode: str, path: Path) -> OptimizationMiddleware:
    assert mode in {ABSORB, WRITE_THROUGH}
    config = OptimizationConfig(enabled=True, wrap={"mode": mode})
    return OptimizationMiddleware(raw, config=config, path=path)


def _nothing() -> None:
    pass
