"""Owns driving stratakv standalone: its default configuration (level moderate), with the RAM of this benchmark."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from benchmarks.large.stores import settle
from stratakv import OptimizationConfig, OptimizationMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.peers.protocol import Peer, Room


class Stratakv:
    """A store with its background threads, as a service has it."""

    def __init__(self, path: Path, room: Room, *, durability: Literal["process", "sync"], settled: bool) -> None:
        config = OptimizationConfig(
            storage={"durability": durability}, tiered_storage={"hot_capacity_mb": room.size / (1 << 20)}
        )
        self._memory = OptimizationMiddleware(config=config, path=path)
        self._path = path
        self._settled = settled

    def set(self, key: str, value: Any, /) -> object:
        return self._memory.store(key, value)

    def get(self, key: str, /) -> Any:
        return self._memory.retrieve(key)

    def delete(self, key: str, /) -> object:
        return self._memory.delete(key)

    def close(self) -> None:
        if self._settled:
            settle(self._memory, self._path)
        self._memory.shutdown()


def stratakv(
    durability: Literal["process", "sync"] = "process", *, settled: bool = False
) -> Callable[[Path, Room], Peer]:
    """Return what opens a store; a settled one moves everything into the cold tier before it closes."""
    return partial(Stratakv, durability=durability, settled=settled)
