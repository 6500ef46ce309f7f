"""Making a directory with its parents while others, whose openings came to nothing, remove them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stratakv.backends.durable import private_directory
from stratakv.errors import ConfigurationError
from stratakv.files import Files

if TYPE_CHECKING:
    from pathlib import Path


class SomebodyWithdraws(Files):
    """Another opening takes back the first folder as soon as it is made, so many times."""

    def __init__(self, folder: Path, times: int) -> None:
        self._folder, self._left = folder, times

    def sync_directory(self, path: Path) -> None:
        super().sync_directory(path)
        if self._left and self._folder.exists():
            self._left -= 1
            self._folder.rmdir()


def test_a_parent_that_another_opening_removes_is_made_again(tmp_path: Path) -> None:
    wanted = tmp_path / "deep" / "store"
    assert private_directory(wanted, SomebodyWithdraws(tmp_path / "deep", 3)) == wanted
    assert wanted.is_dir()
    assert wanted.stat().st_mode & 0o777 == 0o700


def test_parents_that_never_stay_are_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="give another path"):
        private_directory(tmp_path / "deep" / "store", SomebodyWithdraws(tmp_path / "deep", 10**9))
