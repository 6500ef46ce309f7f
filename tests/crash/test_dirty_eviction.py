"""A hot tier of one record: what left RAM before its checkpoint is newer than the catalog, and stays so."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from stratakv.backends import DirectoryBackend
from stratakv.clock import ManualClock
from stratakv.engine.store import Store
from stratakv.testing import RecordingBackend
from stratakv.types import StorageTier
from tests.crash.life import settings
from tests.crash.soundness import leave

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OLD, NEW = "old " * 100, "new " * 100
ONE_RECORD_MB = 0.0016
WAIT_SECONDS = 30.0


class HeldBackend(RecordingBackend):
    """Lets a reader go on only when told to, once it has read its bytes.

    Attributes:
        hold: Whether the next readers are held.
        reached: Set when one is held.
        release: Set to let all go on.
    """

    hold = False

    def __init__(self, inner: DirectoryBackend) -> None:
        super().__init__(inner)
        self.reached = threading.Event()
        self.release = threading.Event()

    def get_range(self, name: str, start: int, length: int) -> bytes:
        content = super().get_range(name, start, length)
        if self.hold:
            self.reached.set()
            assert self.release.wait(WAIT_SECONDS)
        return content


class Scene:
    """A store whose hot tier takes one record, over a warm tier that can be held."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = ManualClock()
        self._others = 0
        self.open()

    def open(self) -> None:
        config = settings(self.path / "store", hot_mb=ONE_RECORD_MB)
        config.tiered_storage.promote_to_hot_accesses = 1
        self.warm = HeldBackend(DirectoryBackend(self.path / "packs"))
        self.store = Store(config, clock=self.clock, backends={StorageTier.WARM: self.warm})

    def reopen(self) -> None:
        leave(self.store)
        self.open()

    def checkpoint(self) -> None:
        assert self.store.mover is not None
        self.store.mover.checkpoint()

    def crowd_out(self) -> None:
        """Store others until K is not in RAM."""
        for _ in range(3):
            # A content of its own each time: a known one that is not in RAM does not enter it.
            self._others += 1
            self.store.put(f"other:{self._others}", f"other {self._others} " * 40)
        assert list(self.store.parts.hot.entries) == [f"other:{self._others}"]

    def held_reader(self) -> HeldReader:
        """Start a reader of K that has the old bytes in its hands and goes no further."""
        self.store.parts.hot.clear()
        self.warm.hold = True
        reader = HeldReader(self.store)
        reader.start()
        assert self.warm.reached.wait(WAIT_SECONDS)
        self.warm.hold = False
        return reader

    def let_go(self, reader: HeldReader) -> object:
        self.warm.release.set()
        reader.join(WAIT_SECONDS)
        assert not reader.is_alive()
        assert len(reader.found) == 1
        return reader.found[0]


class HeldReader(threading.Thread):
    """Reads K once."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store
        self.found: list[object] = []

    def run(self) -> None:
        self.found.append(self._store.retrieve("K"))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.warm.release.set()
    leave(scene.store)


def checkpointed_old(scene: Scene) -> None:
    scene.store.put("K", OLD)
    scene.checkpoint()


def test_an_overwrite_that_left_ram_before_its_checkpoint_is_read(scene: Scene) -> None:
    checkpointed_old(scene)
    scene.store.put("K", NEW)
    scene.crowd_out()
    assert scene.store.retrieve("K") == NEW
    scene.reopen()
    assert scene.store.retrieve("K") == NEW
    scene.checkpoint()
    scene.crowd_out()
    assert scene.store.retrieve("K") == NEW


def test_a_deletion_before_its_checkpoint_hides_the_old_row(scene: Scene) -> None:
    checkpointed_old(scene)
    scene.store.put("K", NEW)
    scene.crowd_out()
    assert scene.store.delete("K")
    assert scene.store.retrieve("K") is None
    assert "K" not in scene.store
    assert "K" not in set(scene.store.keys())
    scene.reopen()
    assert scene.store.retrieve("K") is None
    scene.checkpoint()
    assert scene.store.retrieve("K") is None


def test_an_overwrite_too_large_for_ram_hides_the_old_value_in_ram(scene: Scene) -> None:
    checkpointed_old(scene)
    assert "K" in scene.store.parts.hot.entries
    large = [number * 7919 for number in range(5000)]
    scene.store.put("K", large)
    assert scene.store.retrieve("K") == large


@pytest.mark.parametrize("then", ["nothing", "crowd out", "checkpoint", "checkpoint and crowd out", "settle"])
@pytest.mark.parametrize("change", ["overwrite", "delete", "delete and store", "store many", "overwrite twice"])
def test_a_reader_held_across_a_change_never_brings_the_old_value_back(scene: Scene, change: str, then: str) -> None:
    checkpointed_old(scene)
    scene.reopen()
    reader = scene.held_reader()
    wanted: object = NEW
    if change.startswith("delete"):
        scene.store.delete("K")
        wanted = None
    if change in ("overwrite", "delete and store", "overwrite twice"):
        scene.store.put("K", NEW)
        wanted = NEW
    if change == "overwrite twice":
        wanted = "newest"
        scene.store.put("K", wanted)
    if change == "store many":
        scene.store.put_many({"K": NEW, "L": OLD})
    if "checkpoint" in then:
        scene.checkpoint()
    if then == "settle":
        scene.store.maintain(settle=True)
    if "crowd out" in then:
        scene.crowd_out()
    assert scene.let_go(reader) in (OLD, wanted)
    for _ in range(2):
        assert scene.store.retrieve("K") == wanted
        scene.crowd_out()
        assert scene.store.retrieve("K") == wanted
    scene.reopen()
    assert scene.store.retrieve("K") == wanted


def test_a_second_reader_after_the_overwrite_does_not_join_the_first(scene: Scene) -> None:
    checkpointed_old(scene)
    scene.reopen()
    reader = scene.held_reader()
    scene.store.put("K", NEW)
    scene.store.parts.hot.clear()
    assert scene.store.retrieve("K") == NEW
    scene.let_go(reader)
    assert scene.store.retrieve("K") == NEW


def test_overwritten_back_to_the_old_value_while_a_reader_is_held(scene: Scene) -> None:
    checkpointed_old(scene)
    scene.reopen()
    reader = scene.held_reader()
    scene.store.put("K", NEW)
    scene.store.put("K", OLD)
    assert scene.let_go(reader) in (OLD, NEW)
    scene.crowd_out()
    assert scene.store.retrieve("K") == OLD
    scene.store.maintain(settle=True)
    assert scene.store.retrieve("K") == OLD
