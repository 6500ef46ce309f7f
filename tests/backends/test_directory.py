"""What is particular to `DirectoryBackend`: order of syncs, leftovers, links, full disks."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

import pytest

from stratakv.backends import DirectoryBackend, ObjectInfo, ObjectNotFoundError
from stratakv.backends.directory import ABANDONED_SECONDS
from stratakv.errors import CapacityError, ConfigurationError, CorruptionError, TierUnavailableError
from stratakv.testing.backend_material import in_threads
from tests.backends.file_faults import NO_ROOM, FaultyFiles, ShortWrites

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stratakv.backends.open_files import OpenFile


@pytest.fixture
def files() -> FaultyFiles:
    return FaultyFiles()


@pytest.fixture
def backend(tmp_path: Path, files: FaultyFiles) -> Iterator[DirectoryBackend]:
    backend = DirectoryBackend(tmp_path / "objects", files=files)
    yield backend
    backend.close()


def all_files(path: Path) -> list[str]:
    return sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if not file.is_dir())


def test_files_and_folders_are_private(backend: DirectoryBackend, tmp_path: Path) -> None:
    backend.put("packs/new/1", b"x")
    for folder in ("", "packs", "packs/new"):
        assert stat.S_IMODE((tmp_path / "objects" / folder).stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "objects/packs/new/1").stat().st_mode) == 0o600


def test_a_file_is_synced_before_it_gets_its_name_and_its_folders_after(
    backend: DirectoryBackend, files: FaultyFiles
) -> None:
    files.events.clear()
    backend.put("packs/new/1", b"x")
    assert files.events == [
        ("sync", ""),
        ("sync_directory", "objects"),
        ("sync_directory", "packs"),
        ("replace", "1"),
        ("sync_directory", "new"),
    ]
    files.events.clear()
    backend.put("packs/new/2", b"x")
    assert files.events == [("sync", ""), ("replace", "2"), ("sync_directory", "new")]


def test_folders_left_by_a_crash_are_synced_again(tmp_path: Path, files: FaultyFiles) -> None:
    (tmp_path / "objects" / "packs").mkdir(parents=True)
    backend = DirectoryBackend(tmp_path / "objects", files=files)
    backend.put("packs/1", b"x")
    assert files.events[:2] == [("sync", ""), ("sync_directory", "objects")]
    backend.close()


def test_without_fsync_nothing_is_synced(tmp_path: Path, files: FaultyFiles) -> None:
    backend = DirectoryBackend(tmp_path, fsync=False, files=files)
    files.failing = {"sync": errno.EIO, "sync_directory": errno.EIO}
    backend.put("packs/1", b"x")
    assert backend.delete("packs/1") is True
    backend.close()


def test_leftovers_of_a_crash_are_removed_at_opening(tmp_path: Path) -> None:
    (tmp_path / ".partial").mkdir()
    (tmp_path / ".partial" / "123-0").write_bytes(b"half")
    backend = DirectoryBackend(tmp_path)
    assert all_files(tmp_path) == []
    assert backend.bytes_on_disk() == 0
    backend.close()


def test_what_others_are_writing_to_a_shared_directory_stays_at_opening(tmp_path: Path) -> None:
    (tmp_path / ".partial").mkdir()
    for name, age in (("young", 60), ("old", 2 * ABANDONED_SECONDS)):
        path = tmp_path / ".partial" / name
        path.write_bytes(b"half")
        written = path.stat().st_mtime - age
        os.utime(path, (written, written))
    DirectoryBackend(tmp_path, remote=True).close()
    assert all_files(tmp_path) == [".partial/young"]


def test_writers_of_a_shared_directory_do_not_write_into_each_others_files(tmp_path: Path) -> None:
    """Each numbers its partial files from 0, and other machines have the same process ids."""
    backends = [DirectoryBackend(tmp_path, remote=True, fsync=False) for _ in range(4)]

    def write(number: int) -> None:
        for count in range(200):
            backends[number].put(f"{number}/{count}", b"%d" % number * 2000)

    in_threads(4, write)
    for number in range(4):
        for count in range(200):
            assert backends[0].get(f"{number}/{count}") == b"%d" % number * 2000
    for backend in backends:
        backend.close()


@pytest.mark.parametrize("number", NO_ROOM)
@pytest.mark.parametrize("operation", ["write", "sync", "replace", "sync_directory"])
def test_no_room_is_capacity_error_and_leaves_nothing(
    backend: DirectoryBackend, files: FaultyFiles, tmp_path: Path, operation: str, number: int
) -> None:
    backend.put("packs/old", b"old")
    files.failing = {operation: number}
    with pytest.raises(CapacityError, match="packs/new"):
        backend.put("packs/new", b"new" * 1000)
    assert all_files(tmp_path / "objects") == ["packs/old"]
    assert backend.bytes_on_disk() == 3
    with pytest.raises(ObjectNotFoundError):
        backend.get("packs/new")
    files.failing = {}
    backend.put("packs/new", b"new" * 1000)
    assert backend.get("packs/new") == b"new" * 1000
    assert backend.bytes_on_disk() == 3003


def test_a_sick_medium_is_unavailable_and_named(backend: DirectoryBackend, files: FaultyFiles, tmp_path: Path) -> None:
    files.failing = {"write": errno.EIO}
    with pytest.raises(TierUnavailableError, match=str(tmp_path)):
        backend.put("a", b"x")
    files.failing = {}
    backend.put("a", b"x")
    files.failing = {"unlink": errno.EIO}
    with pytest.raises(TierUnavailableError, match="delete a"):
        backend.delete("a")
    assert backend.get("a") == b"x"


def test_a_failed_repetition_leaves_what_was_acknowledged(backend: DirectoryBackend, files: FaultyFiles) -> None:
    backend.put("a", b"content")
    files.failing = {"sync_directory": errno.EIO}
    with pytest.raises(TierUnavailableError):
        backend.put("a", b"content")
    assert backend.get("a") == b"content"
    assert backend.bytes_on_disk() == 7


def test_short_writes_are_completed(tmp_path: Path) -> None:
    backend = DirectoryBackend(tmp_path, files=ShortWrites())
    backend.put("a", bytes(range(256)))
    assert backend.get("a") == bytes(range(256))
    backend.close()


def test_links_lead_nowhere(backend: DirectoryBackend, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "1").write_bytes(b"secret")
    (tmp_path / "objects" / "folder").symlink_to(tmp_path / "secret")
    (tmp_path / "objects" / "file").symlink_to(tmp_path / "secret" / "1")
    with pytest.raises(CorruptionError, match="symbolic link"):
        backend.get("folder/1")
    with pytest.raises(CorruptionError, match="symbolic link"):
        backend.put("folder/2", b"x")
    with pytest.raises(CorruptionError, match="symbolic link"):
        backend.delete("folder/1")
    with pytest.raises(CorruptionError, match="symbolic link"):
        list(backend.list("folder/"))
    with pytest.raises(CorruptionError, match="symbolic link"):
        backend.get("file")
    assert list(backend.list()) == []
    assert backend.delete("file") is False
    backend.put("file", b"ours")
    assert backend.get("file") == b"ours"
    assert all_files(tmp_path / "secret") == ["1"]
    assert (tmp_path / "secret" / "1").read_bytes() == b"secret"


def test_a_folder_that_becomes_a_link_later_leads_nowhere(backend: DirectoryBackend, tmp_path: Path) -> None:
    backend.put("folder/1", b"ours")
    assert backend.delete("folder/1")
    (tmp_path / "secret").mkdir()
    (tmp_path / "objects" / "folder").rmdir()
    (tmp_path / "objects" / "folder").symlink_to(tmp_path / "secret")
    with pytest.raises(CorruptionError, match="symbolic link"):
        backend.put("folder/1", b"ours")
    assert all_files(tmp_path / "secret") == []


def test_a_fifo_in_an_objects_place_does_not_block(backend: DirectoryBackend, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "objects" / "fifo")
    with pytest.raises(CorruptionError, match="not a regular file"):
        backend.get("fifo")


def test_no_name_is_a_folder_of_another(backend: DirectoryBackend) -> None:
    backend.put("a", b"x")
    backend.put("b/c", b"x")
    with pytest.raises(ConfigurationError, match="is an object"):
        backend.put("a/b", b"x")
    with pytest.raises(ConfigurationError, match="is a folder"):
        backend.put("b", b"x")
    assert set(backend.list()) == {ObjectInfo("a", 1), ObjectInfo("b/c", 1)}
    backend.delete("b/c")
    backend.put("b", b"now free")
    assert backend.get("b") == b"now free"


def test_files_of_others_are_not_objects_and_stay(tmp_path: Path) -> None:
    (tmp_path / "with space").write_bytes(b"theirs")
    (tmp_path / ".hidden").write_bytes(b"theirs")
    backend = DirectoryBackend(tmp_path)
    assert list(backend.list()) == []
    assert backend.bytes_on_disk() == 0
    backend.close()
    assert all_files(tmp_path) == [".hidden", "with space"]


def test_a_file_cut_short_while_open_is_damage(backend: DirectoryBackend, tmp_path: Path) -> None:
    backend.put("a", bytes(10_000))
    assert backend.get_range("a", 0, 10) == bytes(10)
    os.truncate(tmp_path / "objects" / "a", 5000)
    with pytest.raises(CorruptionError, match="ends at 5000"):
        backend.get("a")
    with pytest.raises(CorruptionError, match="ends at 5000"):
        backend.get_range("a", 4000, 2000)


class DeletedWhileOpened(DirectoryBackend):
    """Another thread's delete falls between opening a file and noting that it is open."""

    def _open_file(self, name: str) -> OpenFile:
        file = super()._open_file(name)
        self.delete(name)
        return file


def test_an_object_deleted_while_it_is_opened_is_served_once_at_most(tmp_path: Path) -> None:
    backend = DeletedWhileOpened(tmp_path)
    backend.put("a", b"content")
    assert backend.get_range("a", 0, 7) == b"content"
    with pytest.raises(ObjectNotFoundError):
        backend.get_range("a", 0, 7)
    backend.close()


def test_a_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigurationError, match="is not a directory"):
            DirectoryBackend(path)
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_open_files_stay_bounded_and_none_is_left(tmp_path: Path) -> None:
    before = len(os.listdir("/dev/fd"))
    backend = DirectoryBackend(tmp_path, open_files=4)
    for number in range(50):
        backend.put(f"packs/{number}", b"x")
        assert backend.get_range(f"packs/{number}", 0, 1) == b"x"
        assert backend.get_range("packs/0", 0, 1) == b"x"
        assert len(os.listdir("/dev/fd")) <= before + 4
    backend.close()
    assert len(os.listdir("/dev/fd")) == before
