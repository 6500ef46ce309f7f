"""A store that an earlier release wrote stays readable: every value, from every codec that it used.

`store-1-lossless.tar.xz` was written by the first release, before there were codecs for numbers and columns, and loss:
values in cold packs and in warm ones, with a trained dictionary, typed buffers and a container of parts.
"""

from __future__ import annotations

import datetime as dt
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stratakv import OptimizationConfig, OptimizationMiddleware
from stratakv.clock import ManualClock

FOLDER = Path(__file__).parent


def lossless_values() -> dict[str, Any]:
    """Return what the store of the first release was given."""
    values: dict[str, Any] = {
        f"message:{number}": {
            "id": f"message/{number}",
            "role": ("user", "assistant", "tool")[number % 3],
            "content": f"The request {number * 977 % 1000} was handled as agreed, please confirm the reservation. ",
            "scores": [number % 7, number % 11, 0.5],
        }
        for number in range(900)
    }
    steps = np.arange(960)
    values["array:floats"] = (steps * 7919 % 1009 / 1009).astype("f4").reshape(40, 24)
    values["array:counts"] = np.arange(5000, dtype="i8") * 977
    values["array:flags"] = np.arange(3000) % 3 == 0
    values["array:structured"] = np.zeros(50, dtype=[("a", "i4"), ("b", "f8")])
    values["array:fortran"] = np.asfortranarray(np.arange(600, dtype=">i4").reshape(20, 30))
    values["text"] = "seldom read " * 3000
    moment = dt.datetime(2024, 5, 6, 7, 8, 9, tzinfo=dt.UTC)
    values["tuple"] = (1, "two", 3.0, None, True, b"bytes", {"set"}, frozenset({1}), moment)
    return values


def config_of(directory: Path) -> OptimizationConfig:
    warm = {"warm": {"backend": "directory"}}
    return OptimizationConfig(enabled=True, storage={"path": str(directory)}, tiered_storage=warm)


@pytest.mark.parametrize("settled", [False, True], ids=["as it was", "packed anew"])
def test_store_of_the_first_release_is_read(tmp_path: Path, settled: bool) -> None:
    with tarfile.open(FOLDER / "store-1-lossless.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    with OptimizationMiddleware(config=config_of(tmp_path / "store"), clock=ManualClock()) as memory:
        if settled:
            memory.maintain(settle=True)
        expected = lossless_values()
        assert sorted(memory.keys()) == sorted(expected)
        for key, value in expected.items():
            found = memory.retrieve(key)
            assert type(found) is type(value), key
            if isinstance(value, np.ndarray):
                assert found.dtype == value.dtype, key
                np.testing.assert_array_equal(found, value)
            else:
                assert found == value, key
