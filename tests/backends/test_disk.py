"""What is particular to `DiskBackend`: rows and files, damage, pickles, full disks, connections, forks."""

from __future__ import annotations

import errno
import gc
import pickle
import shutil
import sqlite3
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import diskcache
import pytest

from stratakv.backends import DiskBackend, ObjectInfo, ObjectNotFoundError
from stratakv.errors import (
    CapacityError,
    ConfigurationError,
    CorruptionError,
    TierUnavailableError,
)
from tests.backends.file_faults import NO_ROOM, FaultyFiles

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def files() -> FaultyFiles:
    return FaultyFiles()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "objects"


@pytest.fixture
def backend(place: Path, files: FaultyFiles) -> Iterator[DiskBackend]:
    backend = DiskBackend(place, files=files)
    yield backend
    backend.close()


def value_files(place: Path) -> list[Path]:
    return [path for path in place.rglob("*.val") if path.is_file()]


def change_database(place: Path, statement: str, *arguments: object) -> None:
    connection = sqlite3.connect(place / "cache.db")
    connection.execute(statement, arguments)
    connection.commit()
    connection.close()


def fill(backend: DiskBackend, stored: list[str], content: bytes) -> None:
    for number in range(1000):
        backend.put(f"packs/{number:0100d}", content)
        stored.append(f"packs/{number:0100d}")


def test_diskcache_reads_the_same_object(backend: DiskBackend, place: Path) -> None:
    backend.put("packs/1", b"content")
    with diskcache.Cache(str(place), disk=type(backend._rows.disk)) as cache:
        assert cache.get("packs/1") == b"content"
        assert cache.eviction_policy == "none"
        assert (cache.cull_limit, cache.statistics, cache.sqlite_synchronous) == (0, 0, 2)
        assert cache.size_limit > 2**60


def test_files_and_folders_are_private(backend: DiskBackend, place: Path) -> None:
    backend.put("packs/1", b"x")
    (path,) = value_files(place)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for folder in (path.parent, path.parent.parent, place):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_file_and_folders_are_synced_before_the_row_is_there(backend: DiskBackend, files: FaultyFiles) -> None:
    files.events.clear()
    backend.put("packs/1", b"x")
    assert [event[0] for event in files.events] == ["sync", *["sync_directory"] * 3]
    assert files.events[-1] == ("sync_directory", "objects")
    for failing in ("write", "sync", "sync_directory"):
        files.failing = {failing: errno.EIO}
        with pytest.raises(TierUnavailableError):
            backend.put("packs/2", b"x")
        assert list(backend.list()) == [ObjectInfo("packs/1", 1)]


@pytest.mark.parametrize("number", NO_ROOM)
@pytest.mark.parametrize("operation", ["write", "sync", "sync_directory"])
def test_no_room_is_capacity_error_and_leaves_nothing(
    backend: DiskBackend, files: FaultyFiles, place: Path, operation: str, number: int
) -> None:
    backend.put("packs/old", b"old")
    files.failing = {operation: number}
    with pytest.raises(CapacityError, match="packs/new"):
        backend.put("packs/new", b"new" * 1000)
    assert len(value_files(place)) == 1
    files.failing = {}
    backend.put("packs/new", b"new" * 1000)
    assert backend.get("packs/new") == b"new" * 1000


def test_a_full_database_is_capacity_error_and_leaves_no_file(backend: DiskBackend, place: Path) -> None:
    backend.put("packs/old", b"old")
    pages = backend._rows._sql("PRAGMA page_count").fetchone()[0]
    backend._rows._sql(f"PRAGMA max_page_count = {pages}")
    stored = ["packs/old"]
    with pytest.raises(CapacityError, match="full"):
        fill(backend, stored, bytes(10))
    assert sorted(info.name for info in backend.list()) == sorted(stored)
    assert len(value_files(place)) == len(stored)
    assert backend.get("packs/old") == b"old"
    backend._rows._sql("PRAGMA max_page_count = 1000000")
    backend.put("packs/new", b"new")
    assert backend.get("packs/new") == b"new"


def test_a_really_full_disk_recovers_when_space_returns(tmp_path: Path) -> None:
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if mount is None or umount is None:
        pytest.skip("mount is not installed")
    command = [mount, "-t", "tmpfs", "-o", "size=1m", "none", str(tmp_path)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system is not permitted here")
    try:
        backend = DiskBackend(tmp_path / "objects")
        backend.put("ballast", bytes(300_000))
        with pytest.raises(CapacityError):
            fill(backend, [], bytes(20_000))
        stored = [info.name for info in backend.list("packs/")]
        assert stored
        assert all(backend.get(name) == bytes(20_000) for name in stored)
        assert len(value_files(tmp_path)) == len(stored) + 1
        assert backend.bytes_on_disk() == sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file())
        assert backend.delete("ballast") is True
        backend.put("packs/new", bytes(20_000))
        assert backend.get("packs/new") == bytes(20_000)
        backend.close()
    finally:
        gc.collect()
        subprocess.run([umount, "-l", str(tmp_path)], check=True)


def test_a_file_without_a_row_is_removed_at_opening(place: Path) -> None:
    with_row = DiskBackend(place)
    with_row.put("packs/1", b"x")
    with_row.close()
    orphan = place / "ab" / "cd" / f"{'0' * 28}.val"
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"never acknowledged")
    theirs = (place / "ab" / "notes.val", place / "readme.val")
    for path in theirs:
        path.write_bytes(b"of somebody else")
    backend = DiskBackend(place)
    assert not orphan.exists()
    assert all(path.exists() for path in theirs)
    assert backend.get("packs/1") == b"x"
    backend.close()


def test_a_row_without_a_file_is_listed_and_named_as_damage(place: Path) -> None:
    backend = DiskBackend(place)
    backend.put("packs/1", b"content")
    backend.close()
    value_files(place)[0].unlink()
    backend = DiskBackend(place)
    assert list(backend.list()) == [ObjectInfo("packs/1", 7)]
    with pytest.raises(CorruptionError, match=r"packs/1.* missing"):
        backend.get("packs/1")
    assert backend.delete("packs/1") is True
    with pytest.raises(ObjectNotFoundError):
        backend.get("packs/1")
    backend.close()


@pytest.mark.parametrize("content", [b"", b"cut", b"content and more"])
def test_a_file_of_another_size_is_damage(place: Path, content: bytes) -> None:
    backend = DiskBackend(place)
    backend.put("packs/1", b"content")
    value_files(place)[0].write_bytes(content)
    with pytest.raises(CorruptionError, match=f"{len(content)} bytes, not 7"):
        backend.get_range("packs/1", 0, 1)
    backend.close()


class Trap:
    """Unpickling it leaves a file behind."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path(self.path),)


def test_pickled_rows_are_never_unpickled(place: Path, tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    with diskcache.Cache(str(place)) as cache:
        cache.set("packs/value", Trap(str(sprung)))
        cache.set("packs/text", "x" * 100_000)
        cache.set("packs/number", 7)
    backend = DiskBackend(place)
    for name in ("packs/value", "packs/text", "packs/number"):
        with pytest.raises(CorruptionError, match="did not write"):
            backend.get(name)
    backend.close()
    change_database(place, "UPDATE Cache SET mode = 4 WHERE key = 'packs/text'")
    with diskcache.Cache(str(place)) as cache:
        cache.set(("pickled", "key"), b"x")
    backend = DiskBackend(place)
    with pytest.raises(CorruptionError, match="did not write"):
        backend.get("packs/text")
    with pytest.raises(CorruptionError, match="no plain text"):
        list(backend.list())
    backend.close()
    assert not sprung.exists()
    pickle.loads(pickle.dumps(Trap(str(sprung))))
    assert sprung.exists()


@pytest.mark.parametrize("filename", ["../outside.val", "/etc/passwd", "cache.db", "ab/cd/../../cache.db", ""])
def test_a_row_cannot_lead_outside(place: Path, filename: str) -> None:
    backend = DiskBackend(place)
    backend.put("packs/1", b"content")
    backend.close()
    outside = place.parent / "outside.val"
    outside.write_bytes(b"content")
    change_database(place, "UPDATE Cache SET filename = ?", filename)
    backend = DiskBackend(place)
    with pytest.raises(CorruptionError):
        backend.get("packs/1")
    with pytest.raises(CorruptionError):
        backend.delete("packs/1")
    backend.close()
    assert outside.read_bytes() == b"content"
    assert (place / "cache.db").exists()


@pytest.mark.parametrize("damage", [b"garbage" * 1000, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_damaged_database_is_corruption_error(place: Path, damage: bytes) -> None:
    place.mkdir()
    (place / "cache.db").write_bytes(damage)
    with pytest.raises(CorruptionError, match="damaged"):
        DiskBackend(place)
    assert (place / "cache.db").read_bytes() == damage


def test_settings_of_another_kind_are_corruption_error(place: Path) -> None:
    DiskBackend(place).close()
    change_database(place, "INSERT INTO Settings VALUES ('disk_compression', 9)")
    with pytest.raises(CorruptionError, match="not a usable diskcache"):
        DiskBackend(place)
    gc.collect()


def test_a_path_that_diskcache_would_expand_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"\$"):
        DiskBackend(tmp_path / "$HOME")
    assert list(tmp_path.iterdir()) == []
