"""Batches larger than one system call takes: still one journal record, all or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware
from stratakv.files import MOST_PARTS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("durability", ["process", "sync", "none"])
def test_batch_of_more_parts_than_the_system_takes_is_stored(durability: str, tmp_path: Path) -> None:
    items = {f"event:{n}": {"n": n} for n in range(3 * MOST_PARTS)}
    config = OptimizationConfig(storage={"path": str(tmp_path / "s"), "durability": durability})
    with OptimizationMiddleware(config=config, clock=ManualClock()) as memory:
        assert memory.store_many(items)
        assert memory.retrieve_many(items) == items
        assert memory.delete_many(list(items)[:2000]) == 2000
    with OptimizationMiddleware(config=config, clock=ManualClock()) as memory:
        assert dict(memory.items()) == dict(list(items.items())[2000:])
