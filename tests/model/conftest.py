"""Fixtures of the model tests."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.model.places import fresh_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A directory as pytest's own, but in RAM where that is possible: hundreds of stores are opened here."""
    directory = fresh_directory()
    yield directory
    shutil.rmtree(directory)
