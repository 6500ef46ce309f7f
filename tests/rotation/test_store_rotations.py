"""Rotations in a store: learned in the background, kept over restarts, and every value as it was acknowledged."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest

from stratakv import CompressionStrategy, OptimizationConfig, StorageTier
from stratakv.config import CompressionConfig
from stratakv.engine.codecs.rotated import ID
from stratakv.engine.rotation import DEFAULT_MIN_COSINE
from stratakv.engine.rotation.book import RotationBook
from stratakv.engine.verification import verify_directory
from stratakv.errors import ConfigurationError
from tests.rotation.rotated_stores import BOUND, ROTATED, book, cosine, feed, in_ram, loss, open_store, rotations
from tests.rotation.vectors import flat, rotation, steep

if TYPE_CHECKING:
    from pathlib import Path

    from stratakv import OptimizationMiddleware

Array = np.ndarray


def settled(path: Path) -> bool:
    return verify_directory(OptimizationConfig(storage={"path": str(path)})).sound


def holds(memory: OptimizationMiddleware, acknowledged: dict[str, bytes]) -> bool:
    return all(memory[key].tobytes() == content for key, content in acknowledged.items())


def test_vectors_are_what_was_acknowledged_in_every_tier_and_after_reopening(tmp_path: Path) -> None:
    rows = steep(1200, 64)
    with open_store(tmp_path / "s") as memory:
        first = feed(memory, rows[:400])
        assert loss(memory)["values"] == {"quantize_int8": 400}
        assert loss(memory)["without_rotation"] == {"no rotation yet": 400}
        memory.maintain()
        (learned,) = rotations(memory)
        assert (learned["namespace"], learned["dimension"], learned["current"]) == ("vectors", 64, True)
        assert learned["model_bytes"] <= 0.05 * rows[:400].nbytes
        acknowledged = first | feed(memory, rows[400:], 400)
        assert memory.get_statistics()["compression"]["strategy_usage"]["rotated"] >= 770
        assert in_ram(memory, "v:00900").codec == ID
        memory.maintain()
        assert holds(memory, acknowledged)
        memory.maintain(settle=True)
        assert memory.tiered_storage.read("v:00900")[1] is StorageTier.COLD
        assert holds(memory, acknowledged)
    with open_store(tmp_path / "s") as memory:
        assert holds(memory, acknowledged)
        assert any(row["current"] for row in rotations(memory))
        again = feed(memory, rows[1000:], 5000)
        assert sum(in_ram(memory, key).codec == ID for key in again) >= 190
    assert settled(tmp_path / "s")
    found = np.stack([np.frombuffer(content, "f4") for content in acknowledged.values()])
    assert cosine(rows, found) >= BOUND
    assert not np.array_equal(rows[400:], found[400:])


def test_settled_vectors_take_about_the_bits_that_were_expected(tmp_path: Path) -> None:
    rows = steep(1500, 64)
    with open_store(tmp_path / "s") as memory:
        feed(memory, rows[:800])
        memory.maintain()
        feed(memory, rows)  # the first ones over again, by the rotation
        memory.maintain(settle=True)
        expected = next(row["expected_bits"] for row in rotations(memory) if row["current"])
        cold = memory.get_statistics()["storage"]["cold_bytes"]
    # The index of a pack takes some bytes for each vector.
    assert cold <= rows.size * expected / 8 * 1.08 + 9 * len(rows)
    assert cold < rows.nbytes / 6


def test_one_vector_in_ram_takes_little_more_than_in_a_block(tmp_path: Path) -> None:
    with open_store(tmp_path / "s") as memory:
        feed(memory, steep(1000, 64))
        memory.maintain()
        later = feed(memory, steep(300, 64, seed=7), 2000)
        expected = next(row["expected_bits"] for row in rotations(memory) if row["current"])
        alone = np.mean([len(in_ram(memory, key).payload) for key in later])
        assert alone <= 1.05 * expected * 64 / 8 + 5


def test_storing_again_what_was_read_loses_nothing_more(tmp_path: Path) -> None:
    with open_store(tmp_path / "s") as memory:
        feed(memory, steep(500, 64))
        memory.maintain()
        once = feed(memory, steep(500, 64, seed=3), 1000)
        old = {row["id"] for row in rotations(memory)}
        # Another distribution makes another rotation current; what the old one named stays.
        for round_ in range(2):
            feed(memory, flat(600, 64, seed=round_) + 0.02, 2000 + 600 * round_)
            memory.maintain()
        assert {row["id"] for row in rotations(memory)} - old
        for key in once:
            memory.store(key.replace("v:", "v:copy"), memory[key])
        assert all(memory[key.replace("v:", "v:copy")].tobytes() == content for key, content in once.items())
        assert memory.get_statistics()["deduplication"]["dedup_hits"] >= 500


def test_equal_vectors_are_kept_once(tmp_path: Path) -> None:
    with open_store(tmp_path / "s") as memory:
        feed(memory, steep(500, 64))
        memory.maintain()
        hits = memory.get_statistics()["deduplication"]["dedup_hits"]
        feed(memory, steep(100, 64, seed=3), 1000)
        feed(memory, steep(100, 64, seed=3), 2000)
        assert memory.get_statistics()["deduplication"]["dedup_hits"] - hits == 100


def test_a_drift_has_a_rotation_learned_anew_and_old_vectors_stay_readable(tmp_path: Path) -> None:
    turn = np.linalg.qr(np.random.default_rng(5).normal(size=(64, 64)))[0].astype("f4")
    with open_store(tmp_path / "s") as memory:
        acknowledged = feed(memory, steep(1200, 64))
        memory.maintain()
        acknowledged |= feed(memory, steep(300, 64, seed=2), 2000)
        memory.maintain()
        before = next(row for row in rotations(memory) if row["current"])
        assert before["rotates"]
        assert before["measured_bits"] < 1.1 * before["expected_bits"]
        acknowledged |= feed(memory, steep(700, 64, seed=3) @ turn, 4000)
        memory.maintain()
        drifted = next(row for row in rotations(memory) if row["id"] == before["id"])
        assert drifted["measured_bits"] > 1.1 * drifted["expected_bits"]
        after = next(row for row in rotations(memory) if row["current"])
        assert after["id"] > before["id"]
        acknowledged |= feed(memory, steep(400, 64, seed=4) @ turn, 6000)
        memory.maintain()
        after = next(row for row in rotations(memory) if row["current"])
        assert after["measured_bits"] < 0.95 * drifted["measured_bits"]
        memory.maintain(settle=True)
        assert holds(memory, acknowledged)
    with open_store(tmp_path / "s") as memory:
        assert holds(memory, acknowledged)
    assert settled(tmp_path / "s")


def test_a_rotation_that_nothing_needs_is_removed_and_one_that_is_needed_stays(tmp_path: Path) -> None:
    with open_store(tmp_path / "s") as memory:
        feed(memory, steep(150, 64))
        memory.maintain()
        kept = feed(memory, steep(100, 64, seed=8), 1000)
        feed(memory, steep(1000, 64, seed=9), 2000)
        memory.maintain()
        assert len(rotations(memory)) == 2
        memory.maintain(settle=True)
        memory.maintain(settle=True)
        assert len(rotations(memory)) == 2, "vectors of the first one are in packs"
        memory.delete_many(list(memory))
        for _ in range(3):
            memory.maintain(settle=True)
        (left,) = rotations(memory)
        assert left["current"]
        feed(memory, np.stack([np.frombuffer(each, "f4") for each in kept.values()]))
        memory.maintain(settle=True)
        assert settled_values(memory) == 100


def settled_values(memory: OptimizationMiddleware) -> int:
    return sum(isinstance(memory[key], np.ndarray) for key in memory)


def test_few_vectors_get_no_rotation_that_is_not_worth_its_bytes(tmp_path: Path) -> None:
    with open_store(tmp_path / "s") as memory:
        feed(memory, steep(60, 64))
        memory.maintain()
        assert rotations(memory) == []
        feed(memory, flat(2000, 16), 100)  # short vectors: their steps alone take much
        memory.maintain()
        for row in rotations(memory):
            assert row["model_bytes"] <= 0.05 * flat(2000, 16).nbytes


def test_a_looser_bound_gets_a_rotation_of_its_own(tmp_path: Path) -> None:
    with open_store(tmp_path / "s") as memory:
        acknowledged = feed(memory, steep(600, 64))
        memory.maintain()
        acknowledged |= feed(memory, steep(200, 64, seed=5), 1000)
    strict = {"vectors": {**ROTATED["vectors"], "min_cosine": 0.9999}}
    with open_store(tmp_path / "s", namespaces=strict) as memory:
        feed(memory, steep(600, 64, seed=6), 2000)
        assert loss(memory)["without_rotation"] == {"other bound": 600}
        memory.maintain()
        fine = feed(memory, steep(200, 64, seed=7), 3000)
        found = np.stack([np.frombuffer(content, "f4") for content in fine.values()])
        assert cosine(steep(200, 64, seed=7), found) >= 0.9999
        assert [row["min_cosine"] for row in rotations(memory) if row["current"]] == [0.9999]
        memory.maintain(settle=True)
        assert holds(memory, acknowledged)


def test_namespaces_learn_apart(tmp_path: Path) -> None:
    rotated = {"lossy": True, "strategy": "rotated"}
    with open_store(tmp_path / "s", namespaces={"a": {"match": "v:*", **rotated}, "b": rotated}) as memory:
        feed(memory, steep(400, 64))
        for number, row in enumerate(flat(400, 48)):
            memory.store(f"b:{number}", row, namespace="b")
        memory.maintain()
        learned = {(row["namespace"], row["dimension"]) for row in rotations(memory)}
        assert ("a", 64) in learned
        assert learned <= {("a", 64), ("b", 48)}


def test_a_call_may_ask_for_it_without_a_namespace(tmp_path: Path) -> None:
    rows = steep(600, 64)
    with open_store(tmp_path / "s", namespaces={}) as memory:
        for number, row in enumerate(rows):
            memory.store(f"k:{number}", row, strategy=CompressionStrategy.ROTATED)
        memory.maintain()
        memory.store("one", rows[5], strategy=CompressionStrategy.ROTATED)
        memory.store("exact", rows[5])
        assert in_ram(memory, "one").codec == ID
        assert cosine(rows[5], memory["one"]) >= DEFAULT_MIN_COSINE
        assert memory["exact"].tobytes() == rows[5].tobytes()


def test_a_namespace_without_permission_and_write_through_refuse(tmp_path: Path) -> None:
    with (
        open_store(tmp_path / "s", namespaces={"exact": {"match": "x:*", "lossy": False}}) as memory,
        pytest.raises(ConfigurationError, match="lossy"),
    ):
        memory.store("x:1", steep(1, 64)[0], strategy=CompressionStrategy.ROTATED)
    with pytest.raises(ConfigurationError, match="lossy"):
        OptimizationConfig(namespaces={"v": {"strategy": "rotated"}}).validate()


def test_the_documented_bound_is_the_one_in_force() -> None:
    text = CompressionConfig.__dataclass_fields__["min_cosine"].metadata
    assert str(DEFAULT_MIN_COSINE) in str(text)


def test_samples_stay_within_their_room_and_are_let_go(tmp_path: Path) -> None:
    with open_store(tmp_path / "s") as memory:
        learner = book(memory)
        before = learner.ram_bytes()
        for dimension in range(100, 106):
            learner.sample(0, flat(5000, dimension), BOUND)
        assert learner.ram_bytes() - before <= 4 << 20
        assert len(learner.due()) <= 4, "of four dimensions at most"
        memory.maintain(settle=True)
        held = sum(row["model_bytes"] for row in rotations(memory))
        assert learner.ram_bytes() <= 40 * held


def test_ram_is_said_truly() -> None:
    content = rotation(64).content
    learner = RotationBook()
    learner.sample(1, steep(100, 64), BOUND)
    tracemalloc.start()
    try:
        said = learner.ram_bytes()
        rows = steep(9000, 64, seed=2)
        before = tracemalloc.get_traced_memory()[0]
        for start in range(0, len(rows), 30):
            learner.sample(1, rows[start : start + 30], BOUND)
        for number in range(1, 20):
            learner.add(number, 1, bytes(bytearray(content)))
        measured = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert abs(learner.ram_bytes() - said - measured) <= 0.1 * measured
