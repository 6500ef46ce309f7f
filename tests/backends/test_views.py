"""The read-only views see what the backends hold, and leave the directory alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stratakv.backends.base import ObjectInfo, ObjectNotFoundError
from stratakv.backends.directory import DirectoryBackend
from stratakv.backends.disk import DiskBackend
from stratakv.backends.views import DirectoryView, DiskView
from stratakv.errors import ClosedError, CorruptionError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stratakv.backends.base import Backend

KINDS = [
    pytest.param(DirectoryBackend, DirectoryView, id="directory"),
    pytest.param(DiskBackend, DiskView, id="disk"),
]


def state(path: Path) -> dict[str, bytes | None]:
    return {str(place): place.read_bytes() if place.is_file() else None for place in path.rglob("*")}


@pytest.mark.parametrize(("backend", "view"), KINDS)
def test_view_shows_the_objects_and_changes_nothing(
    backend: Callable[[Path], Backend], view: Callable[[Path], Backend], tmp_path: Path
) -> None:
    owner = backend(tmp_path / "d")
    owner.put("packs/a", b"0123456789")
    owner.put("other/b", b"b")
    owner.close()
    before = state(tmp_path)
    seen = view(tmp_path / "d")
    assert list(seen.list("packs/")) == [ObjectInfo("packs/a", 10)]
    assert (seen.get("packs/a"), seen.get_range("packs/a", 2, 3), seen.size("packs/a")) == (b"0123456789", b"234", 10)
    assert seen.get_range("packs/a", 8, 9) == b"89"
    assert seen.bytes_on_disk() == 11
    with pytest.raises(ObjectNotFoundError):
        seen.get("packs/nobody")
    with pytest.raises(ClosedError):
        seen.put("packs/c", b"")
    with pytest.raises(ClosedError):
        seen.delete("packs/a")
    seen.close()
    with pytest.raises(ClosedError):
        seen.get("packs/a")
    assert state(tmp_path) == before


@pytest.mark.parametrize(("backend", "view"), KINDS)
def test_view_of_nothing_is_empty_and_makes_nothing(
    backend: Callable[[Path], Backend], view: Callable[[Path], Backend], tmp_path: Path
) -> None:
    seen = view(tmp_path / "gone")
    assert list(seen.list()) == []
    with pytest.raises(ObjectNotFoundError):
        seen.get("packs/a")
    assert list(tmp_path.iterdir()) == []


def test_file_that_is_gone_is_no_object(tmp_path: Path) -> None:
    owner = DiskBackend(tmp_path)
    owner.put("packs/a", b"x")
    owner.close()
    (file,) = tmp_path.glob("*/*/*.val")
    file.unlink()
    with pytest.raises(ObjectNotFoundError):
        DiskView(tmp_path).get("packs/a")


@pytest.mark.parametrize("content", [b"", b"no database " * 1000, None], ids=["empty", "garbage", "missing"])
def test_unusable_database_is_corruption_and_stays(content: bytes | None, tmp_path: Path) -> None:
    DiskBackend(tmp_path).close()
    database = tmp_path / "cache.db"
    if content is None:
        database.unlink()
    else:
        database.write_bytes(content)
    before = state(tmp_path)
    with pytest.raises(CorruptionError):
        DiskView(tmp_path)
    assert state(tmp_path) == before
