"""Statistics against the world: bytes on disk against the files, bytes of RAM against tracemalloc."""

from __future__ import annotations

import gc
import random
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware
from stratakv.config.place_sections import EVICTION_POLICIES
from stratakv.engine.codecs.blosc import blosc2_installed
from stratakv.engine.codecs.numeric import pcodec_installed
from tests.limits.full_disks import used_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECORDS = 8_000
ALLOWED_BYTES = 64 * 1024


def open_store(path: Path, **settings: object) -> OptimizationMiddleware:
    config = OptimizationConfig(storage={"path": str(path)}, **settings)  # type: ignore[arg-type]
    return OptimizationMiddleware(config=config, clock=ManualClock())


def assert_disk_is_true(memory: OptimizationMiddleware, path: Path, when: str) -> None:
    said = memory.get_statistics()["storage"]["disk_bytes"]
    measured = used_bytes(path)
    assert abs(said - measured) <= max(0.02 * measured, ALLOWED_BYTES), f"{when}: said {said}, files have {measured}"


@pytest.mark.parametrize("warm", ["disk", "directory"])
def test_disk_bytes_are_those_of_the_files(tmp_path: Path, warm: str) -> None:
    path = tmp_path / "store"
    chance = random.Random(1)
    settings: dict[str, object] = {"tiered_storage": {"warm": {"backend": warm}}}
    with open_store(path, **settings) as memory:
        assert_disk_is_true(memory, path, "empty")
        for number in range(3000):
            memory[f"key {number}"] = {"number": number, "text": f"record {number} " * 10, "raw": chance.randbytes(60)}
        memory["array"] = np.random.default_rng(1).normal(size=50_000)
        memory.flush()
        assert_disk_is_true(memory, path, "dirty")
        memory.maintain()
        assert_disk_is_true(memory, path, "maintained")
        for number in range(0, 3000, 2):
            memory[f"key {number}"] = {"number": number, "again": chance.randbytes(100)}
        memory.delete_many([f"key {number}" for number in range(0, 3000, 3)])
        memory.maintain()
        assert_disk_is_true(memory, path, "overwritten and deleted")
        memory.maintain(settle=True)
        assert_disk_is_true(memory, path, "settled")
    for _ in range(2):
        with open_store(path, **settings) as memory:
            assert_disk_is_true(memory, path, "reopened")
            for number in range(1, 3000, 300):
                memory.retrieve(f"key {number}")
            memory.maintain(settle=True)
            assert_disk_is_true(memory, path, "settled again")


def test_sections_add_up_and_tiers_hold_what_they_say(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with open_store(path) as memory:
        for number in range(500):
            memory[f"key {number}"] = random.Random(number).randbytes(1000)
            memory[f"copy {number}"] = random.Random(number).randbytes(1000)
        memory.maintain(settle=True)
        statistics = memory.get_statistics()
        storage, tiers = statistics["storage"], statistics["tiered_storage"]
        assert abs(storage["cold_bytes"] - used_bytes(path / "cold")) <= 4096
        assert storage["cold_bytes"] == tiers["cold_usage_bytes"] >= 500_000
        assert abs(storage["warm_bytes"] - used_bytes(path / "warm")) <= ALLOWED_BYTES
        assert abs(storage["journal_bytes"] - used_bytes(path / "journal")) <= 4096
        dedup = statistics["deduplication"]
        assert (dedup["unique_contents"], dedup["total_references"]) == (500, 1000)
        assert dedup["dedup_ratio"] == pytest.approx(0.5)
        assert dedup["dedup_hits"] == 500
        assert statistics["middleware"]["total_writes"] == 1000
        overall = statistics["overall"]
        held = storage["ram_bytes"] + storage["catalog_cache_bytes"] + storage["disk_bytes"]
        assert overall["memory_reduction_percent"] == pytest.approx(
            100 * (1 - held / overall["plaintext_bytes"]), abs=1
        )


def record(number: int) -> dict[str, object]:
    chance = random.Random(number)
    return {
        "id": number,
        "user": f"user {chance.randrange(1000)}",
        "text": " ".join(chance.choice(WORDS) for _ in range(60)),
        "scores": [chance.random() for _ in range(8)],
    }


WORDS = [f"word{number}" for number in range(500)]


class RamCheck:
    """Compares what the statistics say of RAM with what tracemalloc saw, both since the start."""

    def __init__(self, memory: OptimizationMiddleware) -> None:
        # Libraries that are imported at their first use are not the store's to count.
        assert blosc2_installed()
        assert pcodec_installed()
        np.unique(np.arange(2))
        memory["warm up"] = "value"
        memory.retrieve("warm up")
        memory.maintain()
        memory.delete("warm up")
        memory.maintain(settle=True)
        self._memory = memory
        tracemalloc.start()
        self._said = self._measured = 0
        self._said, self._measured = self._now()

    def _now(self) -> tuple[int, int]:
        said = self._memory.get_statistics()["storage"]["ram_bytes"]
        # What zstd itself allocates does not pass through Python's allocator.
        said -= self._memory.tiered_storage._store.parts.dictionaries.native_bytes()
        gc.collect()
        return said - self._said, tracemalloc.get_traced_memory()[0] - self._measured

    def agrees(self, when: str) -> None:
        said, measured = self._now()
        assert abs(said - measured) <= 0.1 * measured, f"{when}: said {said}, measured {measured}"


@pytest.fixture
def traced() -> Iterator[None]:
    """Stop what `RamCheck` starts only when the values are made, because tracing slows everything down."""
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
def test_ram_is_true_for_thousands_of_records_on_their_way_down(tmp_path: Path) -> None:
    values = [record(number) for number in range(RECORDS)]
    with open_store(tmp_path / "store") as memory:
        check = RamCheck(memory)
        for number, value in enumerate(values):
            memory[f"record:{number:08d}"] = value
        check.agrees("dirty and hot")
        memory.maintain()
        check.agrees("hot only")
        memory.maintain(settle=True)
        for number in range(0, RECORDS, 7):
            memory.retrieve(f"record:{number:08d}")
        check.agrees("caches of what was read from below")


@pytest.mark.usefixtures("traced")
def test_ram_is_true_where_dirty_keys_have_left_the_hot_table(tmp_path: Path) -> None:
    with open_store(tmp_path / "store", tiered_storage={"hot_capacity_mb": 0.1}) as memory:
        check = RamCheck(memory)
        for number in range(RECORDS // 4):
            memory[f"record:{number:08d}"] = {"number": number}
        check.agrees("dirty only")


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("policy", EVICTION_POLICIES)
def test_ram_is_true_for_shared_contents_under_every_policy(tmp_path: Path, policy: str) -> None:
    values = [record(number) for number in range(RECORDS // 8)]
    with open_store(tmp_path / "store", tiered_storage={"eviction_policy": policy}) as memory:
        check = RamCheck(memory)
        for number in range(RECORDS // 2):
            memory[f"record:{number:08d}"] = values[number % len(values)]
        memory.maintain()
        check.agrees(policy)


def names_of(sections: dict[str, Any]) -> set[str]:
    return {f"{section}.{name}" for section, found in sections.items() for name in found} | set(sections)


def test_a_wrapper_that_is_off_has_the_same_sections_with_zeros(tmp_path: Path) -> None:
    with OptimizationMiddleware({"k": 1}) as off:
        assert off["k"] == 1
        sections = off.get_statistics()
    with OptimizationMiddleware({"k": 1}, OptimizationConfig(enabled=True), path=tmp_path / "on") as memory:
        assert names_of(memory.get_statistics()) - {"namespaces.default"} == names_of(sections)
    assert sections["config"]["enabled"] is False
    assert sections["overall"]["memory_reduction_target_percent"] == 75
    told = {name: value for name, value in sections.items() if name not in ("config", "wrap", "overall")}
    assert not any(told["compression"].pop("loss").values())
    assert not any(value for section in told.values() for value in section.values())


def test_plaintext_of_a_namespace_is_what_its_own_keys_name(tmp_path: Path) -> None:
    with OptimizationMiddleware(path=tmp_path / "s", clock=ManualClock()) as memory:
        memory.store("a:1", {"text": "shared " * 500}, namespace="first")
        memory.store("b:1", {"text": "shared " * 500}, namespace="second")
        memory.store("b:2", {"text": "shared " * 500}, namespace="second")
        memory.maintain()
        rows = memory.get_statistics()["namespaces"]
        one = rows["first"]["plaintext_bytes"]
        assert one > 3500
        assert rows["second"]["plaintext_bytes"] == 2 * one
        assert (rows["first"]["keys"], rows["second"]["keys"]) == (1, 2)
        assert (rows["first"]["contents"], rows["second"]["contents"]) == (1, 0)
        memory.delete("b:2")
        memory.maintain()
        assert memory.get_statistics()["namespaces"]["second"]["plaintext_bytes"] == one
        assert (
            sum(row["plaintext_bytes"] for row in memory.get_statistics()["namespaces"].values())
            == (memory.get_statistics()["overall"]["plaintext_bytes"])
        )


def test_reads_are_told_by_where_they_ended(tmp_path: Path) -> None:
    config = OptimizationConfig(storage={"path": str(tmp_path / "s")})
    with OptimizationMiddleware(config=config, clock=ManualClock()) as memory:
        memory["k"] = 1
        memory.maintain(settle=True)
        assert memory["k"] == 1
        assert memory.retrieve("absent") is None
        told = memory.get_statistics()["middleware"]
        assert (told["total_reads"], told["cache_hits"], told["cache_misses"]) == (2, 0, 2)
        assert (told["found"], told["absent"]) == (1, 1)
