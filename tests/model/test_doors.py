"""The doors: tiers and contents are views of one store, and each works alone."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from stratakv import CompressionEngine, OptimizationConfig, OptimizationMiddleware, StorageTier
from stratakv.clock import ManualClock
from stratakv.engine.dedup import DeduplicationEngine
from stratakv.engine.serialization import Serializer
from stratakv.engine.tiers import TieredStorageManager
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


def test_what_one_door_writes_the_others_read(tmp_path: Path) -> None:
    with OptimizationMiddleware(path=tmp_path, clock=ManualClock()) as memory:
        memory["face"] = [1]
        memory.tiered_storage.write("tiers", [2], StorageTier.COLD)
        memory.dedup_engine.write("contents", [3])
        for key, value in (("face", [1]), ("tiers", [2]), ("contents", [3])):
            assert memory[key] == value
            assert memory.tiered_storage.read(key)[0] == value
            assert memory.dedup_engine.read(key) == value
        assert len(memory) == 3
        sections = memory.get_statistics()
        assert memory.tiered_storage.get_statistics() == sections["tiered_storage"]
        assert memory.dedup_engine.get_statistics() == sections["deduplication"]


def test_a_duplicate_is_what_the_store_holds_already(tmp_path: Path) -> None:
    value = {"some": ["content"] * 20}
    digest = hashlib.sha256(Serializer().dumps(value)).hexdigest()
    with OptimizationMiddleware(path=tmp_path, clock=ManualClock()) as memory:
        write = memory.dedup_engine.write
        assert write("a", value) == (digest, False)
        assert write("b", value) == (digest, True)
        assert write("a", value) == (digest, True)
        memory.maintain(settle=True)
        assert write("c", value) == (digest, True)
        assert write("d", {"some": ["other"]})[1] is False
        memory.delete_many(["a", "b", "c"])
        assert write("a", value) == (digest, True)  # in its grace period it is still held
        memory.delete("a")
        memory.maintain(settle=True)
        assert write("a", value) == (digest, False)
        assert memory["a"] == value
    with OptimizationMiddleware(path=tmp_path, clock=ManualClock()) as again:
        assert again.dedup_engine.write("e", value) == (digest, True)


def test_a_namespace_of_its_own_shares_nothing_and_tells_nothing(tmp_path: Path) -> None:
    config = OptimizationConfig(
        namespaces={
            "tenant-a": {"match": "a:*", "dedup_scope": "namespace"},
            "tenant-b": {"match": "b:*", "dedup_scope": "namespace"},
        }
    )
    with OptimizationMiddleware(config=config, path=tmp_path, clock=ManualClock()) as memory:
        write = memory.dedup_engine.write
        hashes = set()
        for key in ("plain", "a:1", "b:1"):
            content_hash, duplicate = write(key, ["secret"])
            assert duplicate is False
            hashes.add(content_hash)
        assert len(hashes) == 3
        assert write("a:2", ["secret"])[1] is True
        assert write("plain:2", ["secret"])[1] is True
        memory.maintain(settle=True)
        assert all(value == ["secret"] for value in memory.values())
        assert memory.replace("a:1", "new", ["secret"])
        memory.maintain(settle=True)
        statistics = memory.dedup_engine.get_statistics()
        assert (statistics["unique_contents"], statistics["total_references"]) == (4, 5)


def test_without_deduplication_nothing_is_a_duplicate(tmp_path: Path) -> None:
    config = OptimizationConfig(enable_deduplication=False)
    with OptimizationMiddleware(config=config, path=tmp_path, clock=ManualClock()) as memory:
        memory.dedup_engine.write("a", [1])
        assert memory.dedup_engine.write("b", [1])[1] is False
        assert memory.retrieve_many(["a", "b"]) == {"a": [1], "b": [1]}


def test_a_value_travels_where_it_is_asked_to(tmp_path: Path) -> None:
    with OptimizationMiddleware(path=tmp_path, clock=ManualClock()) as memory:
        tiers = memory.tiered_storage
        assert tiers.write("k", [1])
        assert tiers.read("k") == ([1], StorageTier.HOT)
        for target in (StorageTier.WARM, StorageTier.COLD, StorageTier.WARM):
            assert tiers.migrate_tier("k", target)
            memory.maintain()
            assert tiers.read("k") == ([1], target)
        assert tiers.migrate_tier("k", StorageTier.HOT)
        assert tiers.read("k") == ([1], StorageTier.HOT)
        assert tiers.migrate_tier("none", StorageTier.COLD) is False
        assert tiers.read("none") == (None, None)
        with pytest.raises(ConfigurationError, match="StorageTier"):
            tiers.migrate_tier("k", "cold")  # type: ignore[arg-type]  # what is refused


def test_tiers_alone(tmp_path: Path) -> None:
    with TieredStorageManager(path=str(tmp_path), clock=ManualClock()) as tiers:
        tiers.write("k", {"x": 1}, StorageTier.WARM, pin_tier=True)
    with TieredStorageManager(path=str(tmp_path), clock=ManualClock()) as tiers:
        assert tiers.read("k") == ({"x": 1}, StorageTier.WARM)
        assert tiers.get_statistics()["pins"] == 1
        assert tiers.unpin("k")
        assert tiers.get_statistics()["pins"] == 0


def test_contents_alone(tmp_path: Path) -> None:
    with DeduplicationEngine(path=str(tmp_path), clock=ManualClock()) as contents:
        content_hash, _ = contents.write("k", [1])
    with DeduplicationEngine(path=str(tmp_path), clock=ManualClock()) as contents:
        assert contents.write("l", [1]) == (content_hash, True)
        assert contents.read("k") == contents.read("l") == [1]
        assert contents.read("none") is None


def test_compression_alone() -> None:
    engine = CompressionEngine()
    value: Any = {"text": "again and " * 100}
    assert engine.decompress(engine.compress(value)).data == value


@pytest.mark.parametrize("door", [TieredStorageManager, DeduplicationEngine])
def test_a_door_to_an_open_store_takes_no_settings(
    tmp_path: Path, door: type[TieredStorageManager | DeduplicationEngine]
) -> None:
    with OptimizationMiddleware(path=tmp_path, clock=ManualClock()) as memory:
        mode = memory._mode
        assert mode is not None
        with pytest.raises(ConfigurationError, match="open store"):
            door(OptimizationConfig(), store=mode.store)
