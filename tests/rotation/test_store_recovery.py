"""Rotations when things go wrong: a missing or damaged one, a lost machine, a death between learning and use."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stratakv import ManualClock, OptimizationConfig
from stratakv.engine.catalog_schema import open_connection
from stratakv.engine.first_opening import CATALOG_FILE
from stratakv.engine.verification import verify_directory
from stratakv.errors import CorruptionError
from tests.crash.soundness import leave
from tests.recovery.lost_machines import NOW, config_of, lose, open_far, restored, scanned
from tests.rotation.rotated_stores import ROTATED, feed, open_store, rotations
from tests.rotation.vectors import steep

if TYPE_CHECKING:
    from stratakv import OptimizationMiddleware


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes], dict[str, bytes]]:
    """A closed store, its values from before the first rotation, and those that need it."""
    path = tmp_path_factory.mktemp("rotated") / "store"
    with open_store(path) as memory:
        before = feed(memory, steep(500, 64))
        memory["text"] = "no vector"
        memory.maintain(settle=True)
        after = feed(memory, steep(300, 64, seed=2), 1000)
        memory.maintain(settle=True)
    return path, before, after


@pytest.fixture
def store(template: tuple[Path, dict[str, bytes], dict[str, bytes]], tmp_path: Path) -> Path:
    return shutil.copytree(template[0], tmp_path / "store")


DAMAGE = {
    "missing": "DELETE FROM dictionaries",
    "emptied": "UPDATE dictionaries SET content = x'02'",
    "zeroed": "UPDATE dictionaries SET content = CAST(x'02' || zeroblob(length(content) - 1) AS BLOB)",
    "cut": "UPDATE dictionaries SET content = substr(content, 1, length(content) / 2)",
}


def is_there(memory: OptimizationMiddleware, key: str, content: bytes) -> bool:
    try:
        return bool(memory[key].tobytes() == content)
    except CorruptionError:
        return False


@pytest.mark.parametrize("kind", list(DAMAGE))
def test_without_its_rotation_a_value_is_a_clear_error_and_all_else_is_readable(
    template: tuple[Path, dict[str, bytes], dict[str, bytes]],
    store: Path,
    kind: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    _, before, after = template
    connection = open_connection(store / CATALOG_FILE, create=False)
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute(DAMAGE[kind])
    connection.close()
    found = verify_directory(OptimizationConfig(storage={"path": str(store)}))
    assert not found.sound
    assert any("dictionary" in str(each) or "rotation" in str(each) for each in found.damage)
    with caplog.at_level(logging.WARNING, "stratakv"), open_store(store) as memory:
        assert {key: memory[key].tobytes() for key in before} == before
        assert memory["text"] == "no vector"
        lost = {key for key, content in after.items() if not is_there(memory, key, content)}
        assert len(lost) >= 0.9 * len(after)
        for key in lost:
            with pytest.raises(CorruptionError, match="rotation"):
                memory[key]
        # What is stored anew is sound.
        again = feed(memory, steep(300, 64, seed=2), 1000)
        memory.maintain()
        assert {key: memory[key].tobytes() for key in again} == again


def test_a_sound_store_verifies_with_its_rotations(store: Path) -> None:
    found = verify_directory(OptimizationConfig(storage={"path": str(store)}))
    assert found.sound
    assert found.checked["dictionaries"] >= 1


@pytest.mark.parametrize("point", ["learned", "checkpoint-frozen", "checkpoint-packed", "checkpoint-committed"])
def test_a_death_between_learning_and_use_loses_nothing(tmp_path: Path, point: str) -> None:
    class DeathError(BaseException):
        pass

    def die_at(reached: str) -> None:
        if reached == point:
            raise DeathError

    path = tmp_path / "s"
    memory = open_store(path)
    acknowledged = feed(memory, steep(300, 64))
    if point != "learned":
        memory.maintain()
        acknowledged |= feed(memory, steep(300, 64, seed=2), 1000)
    memory.tiered_storage._store.parts.at_point = die_at
    with pytest.raises(DeathError):
        memory.maintain()
    leave(memory.tiered_storage._store)
    with open_store(path) as memory:
        assert {key: memory[key].tobytes() for key in acknowledged} == acknowledged
        assert rotations(memory)
        acknowledged |= feed(memory, steep(300, 64, seed=3), 2000)
        memory.maintain(settle=True)
        assert {key: memory[key].tobytes() for key in acknowledged} == acknowledged
    assert verify_directory(OptimizationConfig(storage={"path": str(path)})).sound


def test_a_lost_machine_comes_back_with_its_rotations(tmp_path: Path) -> None:
    cold, clock = tmp_path / "cold", ManualClock(NOW)
    with open_far(tmp_path / "lost", cold, clock, namespaces=ROTATED) as memory:
        acknowledged = feed(memory, steep(400, 64))
        memory.maintain(settle=True)
        acknowledged |= feed(memory, steep(300, 64, seed=2), 1000)
        for _ in range(2):
            memory.maintain(settle=True)
        numbers = [row["id"] for row in rotations(memory)]
        lose(memory)
    assert restored(cold, tmp_path / "new").damaged == []
    assert verify_directory(config_of(tmp_path / "new", cold, namespaces=ROTATED)).sound
    assert scanned(cold, tmp_path / "scanned").damaged == []
    for place in ("new", "scanned"):
        copy = shutil.copytree(cold, tmp_path / f"cold of {place}")
        with open_far(tmp_path / place, copy, clock, namespaces=ROTATED) as memory:
            assert {key: memory[key].tobytes() for key in acknowledged} == acknowledged
            assert [row["id"] for row in rotations(memory)] == numbers


WITHOUT = """
import sys
sys.modules["constriction"] = None  # as if it were not installed
from pathlib import Path
from tests.rotation.rotated_stores import open_store
from tests.rotation.vectors import steep
try:
    open_store(Path(sys.argv[1]))
except Exception as lacking:
    print(type(lacking).__name__, lacking)
with open_store(Path(sys.argv[1]), namespaces={"vectors": {"match": "v:*"}}) as memory:
    print(memory["v:00001"].shape, memory["text"])
    try:
        memory["v:01001"]
    except Exception as lacking:
        print(type(lacking).__name__, lacking)
    memory["new"] = "text"
    memory["v:new"] = steep(1, 64)[0]
    memory.maintain(settle=True)
"""


def test_without_the_library_rotating_is_refused_at_opening_and_values_wait_for_it(
    template: tuple[Path, dict[str, bytes], dict[str, bytes]], store: Path
) -> None:
    _, before, after = template
    command = [sys.executable, "-c", WITHOUT, str(store)]
    root = Path(__file__).resolve().parents[2]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root, timeout=120)
    lines = run.stdout.splitlines()
    assert lines[1] == "(64,) no vector"
    assert len(lines) == 3
    assert all(line.startswith("ConfigurationError") and "stratakv[vectors]" in line for line in lines[::2])
    with open_store(store) as memory:
        assert {key: memory[key].tobytes() for key in before | after} == before | after
        assert memory["new"] == "text"
