"""Cold tiers that are ill in ways that a real one is, and the small stores above them. Tests nothing itself."""

from __future__ import annotations

import random
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware, StorageTier
from stratakv.backends.directory import DirectoryBackend
from stratakv.testing import Call, RecordingBackend
from tests.crash import soundness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from stratakv.backends.base import Backend, ObjectInfo
    from stratakv.clock import Clock

HOT, WARM, COLD = StorageTier.HOT, StorageTier.WARM, StorageTier.COLD
HOUR, DAY = 3600.0, 86_400.0
NEVER_SICK = frozenset({"close", "bytes_on_disk"})


class SickBackend(RecordingBackend):
    """Fails or hangs on request, in all calls or some, until it recovers.

    Attributes:
        hangs: Set while a call is being held.
    """

    def __init__(self, inner: Backend) -> None:
        super().__init__(inner)
        self._failure: Callable[[], BaseException] | None = None
        self._only: frozenset[str] | None = None
        self._may_go = threading.Event()
        self._may_go.set()
        self.hangs = threading.Event()

    def fail_with(self, kind: type[BaseException], text: str, only: Iterable[str] | None = None) -> None:
        self._only = None if only is None else frozenset(only)
        self._failure = lambda: kind(text)

    def recover(self) -> None:
        self._failure = None

    def hang(self, only: Iterable[str] | None = None) -> None:
        self._only = None if only is None else frozenset(only)
        self._may_go.clear()

    def go_on(self) -> None:
        self._may_go.set()

    def _around(self, call: str, name: str, size: int, act: Callable[[], Any]) -> Any:
        ill = call not in NEVER_SICK and (self._only is None or call in self._only)
        failure = self._failure
        if ill and not self._may_go.is_set():
            self.hangs.set()
            self._may_go.wait()
        if ill and failure is not None:
            self.calls.append(Call(call, name, size))
            raise failure()
        return super()._around(call, name, size, act)


class LaggingList(RecordingBackend):
    """Lists what was there when it last caught up: new objects are missing, deleted ones are shown."""

    def __init__(self, inner: Backend) -> None:
        super().__init__(inner)
        self._listed: tuple[ObjectInfo, ...] | None = None

    def fall_behind(self) -> None:
        self._listed = tuple(self.inner.list())

    def lag_like(self, other: LaggingList) -> None:
        self._listed = other._listed

    def catch_up(self) -> None:
        self._listed = None

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        listed = self._listed
        if listed is None:
            return super().list(prefix)
        return iter([info for info in listed if info.name.startswith(prefix)])


class CarelessBackend(DirectoryBackend):
    """Tells everybody that creates an object that he was the one, as servers do that ignore the condition."""

    def create(self, name: str, content: bytes) -> bool:
        self.put(name, content)
        return True

    def get(self, name: str) -> bytes:
        self._forget(name)  # objects change here, so no file may be kept open
        return super().get(name)


def far(path: Path) -> DirectoryBackend:
    """Return a tier that counts as remote."""
    return DirectoryBackend(path / "far", remote=True)


def config_of(path: Path, *, cold: dict[str, Any] | None = None, **sections: Any) -> OptimizationConfig:
    given: dict[str, Any] = {
        "storage": {"path": str(path), "pack_size_mb": 0.0625, **sections.pop("storage", {})},
        "compression": {"cold_block_kb": 16, "warm_block_kb": 4, **sections.pop("compression", {})},
        "tiered_storage": {
            "hot_capacity_mb": 4,
            "cold": {"path": str(path.parent / "far"), **(cold or {})},
            **sections.pop("tiered_storage", {}),
        },
    }
    return OptimizationConfig(enabled=True, **given, **sections)


def open_store(
    path: Path, backend: Backend | None, clock: Clock | None = None, **settings: Any
) -> OptimizationMiddleware:
    """Open a store whose cold tier is `backend`, with packs of 64 KB; without threads unless a clock is given."""
    config = config_of(path, **settings)
    backends = None if backend is None else {COLD: backend}
    return OptimizationMiddleware(config=config, clock=clock or ManualClock(), backends=backends)


def noise(count: int, prefix: str = "key", size: int = 1000, seed: int = 1) -> dict[str, bytes]:
    """Return values that no codec makes shorter."""
    chance = random.Random(f"{prefix} {seed}")
    return {f"{prefix}:{number:04d}": chance.randbytes(size) for number in range(count)}


def tier_of(memory: OptimizationMiddleware, key: str) -> StorageTier | None:
    """Return in which tier below RAM a key lies, None while it is dirty, without counting as a use."""
    store = memory.tiered_storage._store
    state = store.state(key)
    return None if state is None or state.place is None else {2: WARM, 3: COLD}[state.tier]


def in_tier(memory: OptimizationMiddleware, tier: StorageTier, keys: Iterable[str]) -> set[str]:
    return {key for key in keys if tier_of(memory, key) is tier}


def leave_ram(memory: OptimizationMiddleware) -> None:
    """Have the next reads come from below RAM."""
    parts = memory.tiered_storage._store.parts
    for key in list(parts.hot.entries):
        parts.hot.remove(key)
    parts.shelf.rest()


def check_sums(memory: OptimizationMiddleware) -> None:
    """Assert that the catalog's counts are right and that every pack it names is there, and no other."""
    store = memory.tiered_storage._store
    soundness.check_sums(store)
    for tier, backend in store.parts.backends.items():
        packs: dict[str, int] = dict(store.parts.catalog.rows("SELECT name, bytes FROM packs WHERE tier = ?", (tier,)))
        doomed = {row[0] for row in store.parts.catalog.rows("SELECT name FROM doomed WHERE tier = ?", (tier,))}
        found = {info.name: info.size for info in backend.list("packs/") if info.name not in doomed}
        assert found == packs


def told(memory: OptimizationMiddleware) -> dict[str, Any]:
    section: dict[str, Any] = memory.get_statistics()["tiered_storage"]["cold"]
    return section


@contextmanager
def three_tiers(
    path: Path, backend: Backend, clock: Any = None, **settings: Any
) -> Iterator[tuple[OptimizationMiddleware, dict[str, bytes], dict[str, bytes], dict[str, bytes]]]:
    """Open a store with values in hot, in warm and in cold."""
    with open_store(path / "store", backend, clock, **settings) as memory:
        cold, warm, hot = noise(60, "cold"), noise(20, "warm"), noise(20, "hot")
        memory.store_many(cold)
        memory.maintain(settle=True)
        memory.store_many(warm)
        memory.maintain()
        leave_ram(memory)
        memory.store_many(hot)
        assert in_tier(memory, COLD, cold) == set(cold)
        assert in_tier(memory, WARM, warm) == set(warm)
        yield memory, cold, warm, hot


def epoch_of(memory: OptimizationMiddleware) -> int | None:
    epoch: int | None = memory.get_statistics()["tiered_storage"]["cold"]["owner"]["epoch"]
    return epoch


def lost(memory: OptimizationMiddleware) -> str | None:
    reason: str | None = memory.get_statistics()["tiered_storage"]["cold"]["owner"]["lost"]
    return reason


def fill(memory: OptimizationMiddleware, prefix: str, count: int = 60) -> dict[str, bytes]:
    """Store values and have them travel to cold."""
    values = noise(count, prefix)
    memory.store_many(values)
    memory.maintain(settle=True)
    assert in_tier(memory, COLD, values) == set(values)
    return values
