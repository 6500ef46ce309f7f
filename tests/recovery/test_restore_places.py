"""Where a store may be restored to, what an interruption leaves, and which cold tier a restored store accepts."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from stratakv import ManualClock, OptimizationMiddleware
from stratakv.engine.catalog import Catalog
from stratakv.engine.verification import verify_directory
from stratakv.errors import ConfigurationError, CorruptionError
from tests.recovery.lost_machines import (
    NOW,
    config_of,
    lose,
    open_far,
    packs_in,
    parts_in,
    restored,
)  # fmt: skip

if TYPE_CHECKING:
    from pathlib import Path

NAMESPACES = {
    "tenant": {"match": "tenant:*", "dedup_scope": "namespace"},
    "rough": {"match": "rough:*", "lossy": True, "strategy": "quantize_int8"},
    "brief": {"match": "brief:*", "ttl": 1000},
}
SHARED = {"text": "the very same words in both namespaces " * 5}


# -- where it may be built -----------------------------------------------------------------------------------


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """The cold tier of a lost machine."""
    with open_far(tmp_path / "lost", tmp_path / "cold") as memory:
        memory.store_many({f"key:{n}": f"value {n} " * 20 for n in range(200)})
        memory.maintain(settle=True)
        lose(memory)
    return tmp_path / "cold"


def test_only_a_new_or_empty_directory_is_used(tmp_path: Path, left: Path) -> None:
    used = tmp_path / "used"
    used.mkdir()
    (used / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing" / "place")
    for path in (used, tmp_path / "lost", tmp_path / "file", tmp_path / "file" / "below", tmp_path / "nowhere"):
        with pytest.raises(ConfigurationError, match="directory"):
            restored(left, path)
    assert [entry.name for entry in used.iterdir()] == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    assert restored(left, tmp_path / "empty").keys == 200
    assert restored(left, tmp_path / "deep" / "down" / "store").keys == 200


@pytest.mark.parametrize("step", ["catalog", "packs"])
@pytest.mark.parametrize("made", [False, True], ids=["missing", "empty"])
def test_an_interruption_leaves_nothing(tmp_path: Path, left: Path, step: str, made: bool) -> None:
    path = tmp_path / "new"
    if made:
        path.mkdir()

    def interrupt(name: str, _done: int, _total: int) -> None:
        if name == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restored(left, path, show=interrupt)
    assert path.exists() == made
    assert not made or not list(path.iterdir())
    assert restored(left, path).keys == 200


def test_restoring_changes_nothing_in_the_tier(tmp_path: Path, left: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in left.rglob("*")}
    restored(left, tmp_path / "new")
    assert {path: path.stat().st_mtime_ns for path in left.rglob("*")} == before


# -- which cold tier it is -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lived", ["lost", "new"], ids=["the first store", "a restored one"])
def test_a_store_refuses_a_tier_that_was_never_its_own(tmp_path: Path, left: Path, lived: str) -> None:
    restored(left, tmp_path / "new")
    path = tmp_path / lived
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(ConfigurationError, match="wrong bucket or prefix"):
        open_far(path, other)
    local = config_of(path, other, tiered_storage={"cold": {"backups": None}})
    with pytest.raises(ConfigurationError, match=f"lie in {left}, not in {other}"):
        OptimizationMiddleware(config=local, clock=ManualClock(NOW))
    with pytest.raises(ConfigurationError, match=f"lie in {left}, not in {other}"):
        verify_directory(local)
    with pytest.raises(ConfigurationError, match="not in"):
        OptimizationMiddleware(path=path, clock=ManualClock(NOW))
    assert not list(other.rglob("*.pack"))
    with open_far(path, left) as memory:
        assert memory["key:7"] == "value 7 " * 20


def test_a_copy_of_the_tier_will_do(tmp_path: Path, left: Path) -> None:
    shutil.copytree(left, tmp_path / "copy")
    assert verify_directory(config_of(tmp_path / "lost", tmp_path / "copy")).sound
    with open_far(tmp_path / "lost", tmp_path / "copy") as memory:
        assert memory["key:7"] == "value 7 " * 20
    moved = left.rename(tmp_path / "moved")
    restored(moved, tmp_path / "new")
    with open_far(tmp_path / "new", moved) as memory:
        assert len(memory) == 200


def test_lost_packs_can_be_given_up(tmp_path: Path, left: Path) -> None:
    with open_far(tmp_path / "lost", tmp_path / "other", tiered_storage={"cold": {"take_over": True}}) as memory:
        with pytest.raises(CorruptionError):
            memory.retrieve("key:7")
        memory["key:7"] = "stored again"
        assert memory["key:7"] == "stored again"


def test_the_same_directory_without_backups_is_the_same_tier(tmp_path: Path, left: Path) -> None:
    with open_far(tmp_path / "lost", left, tiered_storage={"cold": {"backups": None}}) as memory:
        assert len(memory) == 200


def test_verification_reads_a_remote_directory(tmp_path: Path, left: Path) -> None:
    config = config_of(tmp_path / "lost", left)
    found = verify_directory(config)
    assert found.sound
    assert found.checked["blobs"] == 200
    (pack,) = left.rglob("*.pack")
    content = bytearray(pack.read_bytes())
    content[60] ^= 1
    pack.write_bytes(content)
    found = verify_directory(config)
    assert not found.sound
    pack.unlink()
    assert any("is missing" in finding.message for finding in verify_directory(config).damage)


def test_a_catalog_that_was_restored_has_no_file_of_the_restoration_left(tmp_path: Path, left: Path) -> None:
    restored(left, tmp_path / "new")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["LOCK", "catalog.db", "journal"]
    catalog = Catalog(tmp_path / "new" / "catalog.db")
    try:
        assert catalog.integrity_errors() == []
    finally:
        catalog.close()
    assert parts_in(left)
    assert packs_in(left)
