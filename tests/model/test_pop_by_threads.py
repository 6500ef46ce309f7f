"""Two threads pop the same keys: each value is handed out exactly once."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import diskcache
import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def eager_switching() -> Iterator[None]:
    """Threads take turns often, so that a gap between looking and deleting is met."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("eager_switching")
@pytest.mark.parametrize("mode", ["absorb", "write_through"])
def test_a_value_is_popped_once(tmp_path: Path, mode: str) -> None:
    with (
        diskcache.Cache(str(tmp_path / "engine")) as engine,
        OptimizationMiddleware(
            engine, OptimizationConfig(enabled=True, wrap={"mode": mode}), path=tmp_path / "store", clock=ManualClock()
        ) as memory,
    ):
        popped: list[Any] = []
        expected: list[str] = []
        for lap in range(25):
            keys = [f"{lap}:{number}" for number in range(30)]
            expected += keys
            for key in keys:
                memory.set(key, f"value of {key}")
            barrier = threading.Barrier(2)

            def take(keys: list[str] = keys, barrier: threading.Barrier = barrier) -> None:
                barrier.wait()
                popped.extend(value for key in keys if (value := memory.pop(key)) is not None)
                engine.close()  # diskcache gives each thread a connection, which nobody else can close

            threads = [threading.Thread(target=take) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert sorted(popped) == sorted(f"value of {key}" for key in expected)
        assert len(memory) == 0
        assert len(engine) == 0
