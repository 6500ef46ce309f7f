"""Machines that are lost while they keep a cold tier, and what is built anew from what they left in it.

`Bucket` is a remote cold tier that remembers what each backup in it must give back. Its objects are copied aside at
the moment at which the machine is lost, into a directory that the restored store has as its cold tier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware, StorageTier
from stratakv.backends.memory import MemoryBackend
from stratakv.backends.views import DirectoryView
from stratakv.engine.backup_format import PREFIX, read_head
from stratakv.engine.restoration import Restored, restore
from stratakv.engine.scanning import scan
from stratakv.engine.store import Store
from stratakv.engine.verification import verify_directory
from tests.crash.life import Model, after, settings, take, value_of
from tests.crash.soundness import check_sums, leave

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from stratakv.backends.base import Backend
    from stratakv.engine.mover import Mover
    from tests.crash.life import Step

COLD, WARM = StorageTier.COLD, StorageTier.WARM
Objects = dict[str, bytes]
NOW = 1_700_000_000


class Bucket(MemoryBackend):
    """A remote tier in RAM that outlives the stores which close it.

    Attributes:
        model: What the catalog of its store holds; the test says so.
        models: What each whole backup, by the name of its last part, has to give back.
        at_change: Called before and after each change of an object.
    """

    remote = True

    def __init__(self) -> None:
        super().__init__()
        self.model: Model = {}
        self.models: dict[str, Model] = {}
        self.at_change: Callable[[], None] = lambda: None

    @property
    def place(self) -> str:
        return "memory://bucket"

    def put(self, name: str, content: bytes) -> None:
        self.at_change()
        if name.startswith(PREFIX) and read_head(content, name).complete:
            self.models[name] = dict(self.model)
        super().put(name, content)
        self.at_change()

    def create(self, name: str, content: bytes) -> bool:
        self.at_change()
        made = super().create(name, content)
        self.at_change()
        return made

    def delete(self, name: str) -> bool:
        self.at_change()
        there = super().delete(name)
        self.at_change()
        return there

    def close(self) -> None:
        """Stay: what lies in a bucket does not go with who used it."""

    def objects(self) -> Objects:
        return dict(self._objects)

    def newest(self, objects: Objects) -> str | None:
        """Return the last part of the newest backup that was ever whole."""
        return max((name for name in self.models if name in objects), default=None)


def open_life(path: Path, cold: Backend, clock: ManualClock | None = None) -> Store:
    """Open a small store that is always busy, with a given cold tier."""
    return Store(settings(path, warm="directory"), clock=clock or ManualClock(NOW), backends={COLD: cold})


def live(store: Store, bucket: Bucket, step: Step, chance: random.Random) -> None:
    """Take a step; what the bucket's backups have to give back goes with it, since each saves after a checkpoint."""
    bucket.model = after(bucket.model, step)
    take(store, step, chance)


def spread(objects: Objects, path: Path) -> Path:
    """Write objects into a directory."""
    for name, content in objects.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    path.mkdir(parents=True, exist_ok=True)
    return path


def restored(cold: Path, path: Path, **options: Any) -> Restored:
    return restore(DirectoryView(cold), path, **{"now": NOW, "trust_pickle": False, "show": nothing, **options})


def scanned(cold: Path, path: Path, **options: Any) -> Restored:
    return scan(DirectoryView(cold), path, **{"now": NOW, "trust_pickle": False, "show": nothing, **options})


def nothing(_step: str, _done: int, _total: int) -> None:
    """Show no progress."""


def config_of(path: Path, cold: Path, **settings: Any) -> OptimizationConfig:
    """Return the settings of a store with a directory as its remote cold tier."""
    tiered = settings.pop("tiered_storage", {})
    far = {"path": str(cold), "backups": True, **tiered.pop("cold", {})}
    storage = {"path": str(path), **settings.pop("storage", {})}
    return OptimizationConfig(storage=storage, tiered_storage={**tiered, "cold": far}, **settings)


def open_far(path: Path, cold: Path, clock: ManualClock | None = None, **settings: Any) -> OptimizationMiddleware:
    """Open a store with a directory as its remote cold tier."""
    return OptimizationMiddleware(config=config_of(path, cold, **settings), clock=clock or ManualClock(NOW))


def lose(memory: OptimizationMiddleware) -> None:
    """Lose the machine: nothing more is persisted."""
    leave(memory.tiered_storage._store)


def parts_in(cold: Path) -> list[str]:
    """Return the names of the parts of backups."""
    return sorted(path.name for path in (cold / "catalog").glob("*"))


def packs_in(cold: Path) -> set[str]:
    return {path.name for path in (cold / "packs").rglob("*.pack")}


def records(count: int, start: int = 0) -> dict[str, object]:
    return {f"session:{n:05d}": {"id": n, "text": f"what number {n} said, " * 3} for n in range(start, start + count)}


def mover_of(memory: OptimizationMiddleware) -> Mover:
    mover = memory.tiered_storage._store.mover
    assert mover is not None
    return mover


def sizes(cold: Path) -> dict[str, int]:
    return {name: (cold / "catalog" / name).stat().st_size for name in parts_in(cold)}


def check_restored(bucket: Bucket, objects: Objects, folder: Path) -> Restored:
    """Restore from a copy of a bucket and assert that each key of its newest backup reads or is reported."""
    newest = bucket.newest(objects)
    assert newest is not None
    cold, path = spread(objects, folder / "cold"), folder / "store"
    result = restored(cold, path)
    model = bucket.models[newest]
    config = config_of(path, cold)
    found = verify_directory(config)
    assert found.sound, found.damage
    with OptimizationMiddleware(config=config, clock=ManualClock(NOW)) as memory:
        store = memory.tiered_storage._store
        there = set(memory.keys())
        assert there | set(result.missing) == set(model), "each key of the backup is there or reported"
        assert not there & set(result.missing)
        assert result.keys == len(memory) == len(there)
        for key in there:
            assert memory[key] == value_of(model[key]), key
        check_sums(store)
    return result
