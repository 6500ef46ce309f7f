"""Values with arrays beside others: of another namespace, of another shape, and where a library is missing."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware

if TYPE_CHECKING:
    from pathlib import Path


def open_store(path: Path, **settings: Any) -> OptimizationMiddleware:
    return OptimizationMiddleware(
        config=OptimizationConfig(storage={"path": str(path)}, **settings), clock=ManualClock()
    )


def numbers(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(384)


@pytest.mark.parametrize("names", [("a longer name", "v"), ("v", "a longer name")])
def test_arrays_of_one_shape_in_two_namespaces_are_packed(tmp_path: Path, names: tuple[str, str]) -> None:
    with open_store(tmp_path / "s") as memory:
        for number, name in enumerate(names):
            memory.store(f"{number}:x", {name: numbers(number)}, namespace=f"space {number}")
        memory.maintain()
        memory.maintain(settle=True)
        for number, name in enumerate(names):
            np.testing.assert_array_equal(memory[f"{number}:x"][name], numbers(number))


WITHOUT_BLOSC2 = """
import sys
sys.modules["blosc2"] = None  # as if it were not installed
from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware
from stratakv.errors import ConfigurationError
with OptimizationMiddleware(config=OptimizationConfig(storage={"path": sys.argv[1]}), clock=ManualClock()) as memory:
    for number in range(50):
        memory[f"text:{number}"] = {"n": number, "text": "plain " * 20}
    memory.maintain()
    memory.maintain(settle=True)
    assert memory["text:7"]["n"] == 7
    assert memory["before:1"] == "packed with it"
    try:
        memory["array:1"]
    except ConfigurationError as error:
        print(error)
"""


def test_without_a_library_the_background_goes_on_and_its_values_wait_for_it(tmp_path: Path) -> None:
    pytest.importorskip("blosc2")
    from stratakv import CompressionStrategy

    values = {f"array:{seed}": (np.arange(4_000) * (977 + seed)).astype("i8") for seed in (1, 2)}
    with open_store(tmp_path / "s") as memory:
        memory["before:1"] = "packed with it"
        for key, value in values.items():
            memory.store(key, value, strategy=CompressionStrategy.BLOSC)
        memory.flush()
        # It stops here as if it were killed: the arrays lie in the journal, encoded with blosc2.
        memory.tiered_storage._store.parts.lock.release()
        run = subprocess.run(
            [sys.executable, "-c", WITHOUT_BLOSC2, str(tmp_path / "s")], capture_output=True, text=True, check=False
        )
        memory.tiered_storage._store.abandon()
    assert run.returncode == 0, run.stderr
    assert "pip install 'stratakv[arrays]'" in run.stdout
    with open_store(tmp_path / "s") as memory:
        memory.maintain(settle=True)
        for key, value in values.items():
            np.testing.assert_array_equal(memory[key], value)
        assert memory["text:49"]["n"] == 49
