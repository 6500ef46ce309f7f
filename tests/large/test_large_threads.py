"""Threads that store, stream, read and delete large values that share chunks, beside background work without rest."""

from __future__ import annotations

import io
import random
import threading
from typing import TYPE_CHECKING

from stratakv import OptimizationConfig, OptimizationMiddleware
from tests.large.documents import Pipe
from tests.large.stores import check_references

if TYPE_CHECKING:
    from pathlib import Path

THREADS, STEPS = 4, 200
PAGE = random.Random(0).randbytes(9_000)


def version(number: int) -> bytes:
    """Return one of 40 versions of a page."""
    return PAGE[: number * 200] + number.to_bytes(2, "big") * 20 + PAGE[number * 200 :]


def test_nothing_is_lost_and_every_reference_counted(tmp_path: Path) -> None:
    config = OptimizationConfig(
        enabled=True,
        storage={
            "path": str(tmp_path), "journaled_value_kb": 4, "checkpoint_interval_seconds": 0.02, "grace_seconds": 0.01,
            "pack_size_mb": 0.05,
        },
        deduplication={"large_value_kb": 2, "chunk_kb": 0.25},
        tiered_storage={
            "hot_capacity_mb": 0.05, "hot_to_warm_idle_hours": 0.00001, "warm_to_cold_idle_hours": 0.00001,
            "migration_interval_seconds": 0.05, "promote_to_warm_accesses": 1,
        },
    )  # fmt: skip
    failures: list[BaseException] = []
    done = threading.Event()
    kept: list[dict[str, int]] = [{} for _ in range(THREADS)]

    def work(mine: int) -> None:
        chance = random.Random(mine)
        try:
            for _ in range(STEPS):
                key, number = f"{mine}:{chance.randrange(6)}", chance.randrange(40)
                step = chance.random()
                if step < 0.3:
                    memory[key] = version(number)
                elif step < 0.5:
                    content = version(number)
                    memory.store_stream(key, Pipe(content) if chance.random() < 0.5 else io.BytesIO(content))
                elif step < 0.6:
                    memory.delete(key)
                    kept[mine].pop(key, None)
                    continue
                else:
                    known = kept[mine].get(key)
                    expected = None if known is None else version(known)
                    assert memory.retrieve(key) == expected
                    part = memory.retrieve_range(key, 4000, 6000)
                    assert part == (None if expected is None else expected[4000:6000])
                    continue
                kept[mine][key] = number
        except BaseException as failure:
            failures.append(failure)

    def upkeep() -> None:
        try:
            while not done.is_set():
                memory.maintain(settle=True)
        except BaseException as failure:
            failures.append(failure)

    with OptimizationMiddleware(config=config) as memory:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
        background = threading.Thread(target=upkeep)
        for thread in (*threads, background):
            thread.start()
        for thread in threads:
            thread.join()
        done.set()
        background.join()
        if failures:
            raise failures[0]
        expected = {key: version(number) for mine in kept for key, number in mine.items()}
        assert {key: memory[key] for key in memory} == expected
        memory.maintain(settle=True)
        memory.maintain(settle=True)
        check_references(memory)
        assert {key: memory[key] for key in memory} == expected
    with OptimizationMiddleware(config=config) as memory:
        assert {key: memory[key] for key in memory} == expected
