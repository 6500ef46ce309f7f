"""Large values in the store: exact, shared by chunks, counted, and gone when nobody names them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stratakv import CapacityError, OptimizationMiddleware, StorageTier
from stratakv.clock import ManualClock
from stratakv.engine.large.cutting import ARRAY_PIECE_BYTES
from stratakv.engine.serialization import Serializer
from tests.large.documents import edited, text
from tests.large.stores import check_references, opened, rows

if TYPE_CHECKING:
    from pathlib import Path

BLOCK = bytes(range(256)) * 8
VALUES: dict[str, Any] = {
    "journaled": text(1, 9_000),
    "ahead of the journal": text(2, 60_000),
    "shares with itself": BLOCK * 100,
    "bytes": np.random.default_rng(3).bytes(40_000),
    "array": np.random.default_rng(4).random((300, 100)),
    "nested": {"text": text(5, 30_000), "vector": np.ones(9), "tags": ("a", None, 1 << 80)},
    "looks like a manifest": b"\xc1\x03" * 20_000,
    "one chunk": b"c" * 4_100,
    "small": [1, 2, 3],
}


def same(found: object, stored: object) -> bool:
    return Serializer().dumps(found) == Serializer().dumps(stored)


def check(memory: OptimizationMiddleware, values: dict[str, Any]) -> None:
    assert {key for key in values if not same(memory.retrieve(key), values[key])} == set()
    check_references(memory)


def test_large_values_are_exact_in_journal_packs_cold_and_after_restarts(tmp_path: Path) -> None:
    with opened(tmp_path) as memory:
        memory.store_many(VALUES)
        check(memory, VALUES)
        memory.maintain()
        check(memory, VALUES)
    with opened(tmp_path) as memory:
        check(memory, VALUES)
        memory.maintain(settle=True)
        assert rows(memory, "SELECT count(*) FROM packs WHERE tier = 2") == [(0,)]
        check(memory, VALUES)
    with opened(tmp_path) as memory:
        check(memory, VALUES)


@pytest.mark.parametrize("size", [12_000, 60_000], ids=["journaled", "ahead"])
def test_a_version_costs_its_difference(tmp_path: Path, size: int) -> None:
    documents = [text(1, size)]
    for seed in range(9):
        documents.append(edited(documents[-1], seed))
    with opened(tmp_path) as memory:
        memory["0"] = documents[0]
        memory.maintain()
        ((first,),) = rows(memory, "SELECT sum(size) FROM blobs WHERE id NOT IN (SELECT blob FROM manifests)")
        for number, document in enumerate(documents):
            memory[str(number)] = document
            memory.maintain()
        ((all_of_them,),) = rows(memory, "SELECT sum(size) FROM blobs WHERE id NOT IN (SELECT blob FROM manifests)")
        assert first < all_of_them < first + 9 * 3 * 3_000
        check(memory, {str(number): document for number, document in enumerate(documents)})


def test_chunks_live_as_long_as_somebody_names_them(tmp_path: Path) -> None:
    one = text(1, 60_000)
    two = edited(one, 2)
    with opened(tmp_path) as memory:
        memory["one"], memory["two"], memory["again"] = one, two, one
        memory.maintain(settle=True)
        check(memory, {"one": one, "two": two, "again": one})
        memory["one"] = "short now"
        memory.maintain(settle=True)
        check(memory, {"one": "short now", "two": two, "again": one})
        memory.delete("again")
        memory.maintain(settle=True)
        check(memory, {"two": two})
        memory.delete_many(["one", "two"])
        memory.maintain(settle=True)
        assert rows(memory, "SELECT count(*) FROM blobs") == [(0,)]
        assert rows(memory, "SELECT count(*) FROM manifests") == [(0,)]


def test_a_value_that_equals_a_chunk_and_the_chunk_are_one_content(tmp_path: Path) -> None:
    array = np.random.default_rng(1).random((2000, 300), np.float32)
    run = array[: ARRAY_PIECE_BYTES // (300 * 4)]
    digest = hashlib.sha256(Serializer().dumps(run)).digest()
    with opened(tmp_path) as memory:
        memory["array"] = array
        memory.maintain()
        number = int.from_bytes(digest[:8], "big", signed=True)
        assert rows(memory, f"SELECT refs FROM blobs WHERE id = {number}") == [(1,)]
        assert memory.dedup_engine.write("run", run.copy()) == (digest.hex(), True)
        memory.maintain(settle=True)
        assert rows(memory, f"SELECT refs FROM blobs WHERE id = {number}") == [(2,)]
        check(memory, {"array": array, "run": run})
        memory.delete("array")
        memory.maintain(settle=True)
        check(memory, {"run": run})
        assert rows(memory, "SELECT count(*) FROM blobs") == [(1,)]


@pytest.mark.parametrize("kind", ["journaled", "ahead of the journal"])
def test_a_large_duplicate_is_known(tmp_path: Path, kind: str) -> None:
    with opened(tmp_path) as memory:
        digest, first = memory.dedup_engine.write("a", VALUES[kind])
        assert (digest, first) == (hashlib.sha256(Serializer().dumps(VALUES[kind])).hexdigest(), False)
        assert memory.dedup_engine.write("b", VALUES[kind]) == (digest, True)
        memory.maintain(settle=True)
        assert memory.dedup_engine.write("c", VALUES[kind]) == (digest, True)
        assert memory.replace("a", "new", expected=VALUES[kind])
        assert not memory.replace("b", "new", expected=VALUES[kind] + "x")
        check(memory, {"a": "new", "b": VALUES[kind], "c": VALUES[kind]})


def test_without_deduplication_large_values_are_exact_as_well(tmp_path: Path) -> None:
    with opened(tmp_path, deduplication={"enabled": False}) as memory:
        memory.store_many(VALUES)
        memory.store_many({key + "!": value for key, value in VALUES.items()})
        memory.maintain(settle=True)
        check(memory, VALUES | {key + "!": value for key, value in VALUES.items()})


def test_namespaces_that_share_nothing_share_no_chunks(tmp_path: Path) -> None:
    document = text(1, 60_000)
    names = {"a": {"match": "a:*", "dedup_scope": "namespace"}, "b": {"match": "b:*", "dedup_scope": "namespace"}}
    with opened(tmp_path, namespaces=names) as memory:
        memory["a:1"], memory["b:1"] = document, document
        memory.maintain(settle=True)
        ((contents,),) = rows(memory, "SELECT count(*) FROM blobs")
        memory["a:2"] = document
        memory.maintain(settle=True)
        assert rows(memory, "SELECT count(*) FROM blobs") == [(contents,)]
        assert rows(memory, "SELECT count(DISTINCT namespace) FROM blobs") == [(2,)]
        check(memory, {"a:1": document, "b:1": document, "a:2": document})


def test_another_threshold_changes_nothing_for_what_is_stored(tmp_path: Path) -> None:
    with opened(tmp_path) as memory:
        memory.store_many(VALUES)
    with opened(tmp_path, small=False) as memory:
        assert not rows(memory, "SELECT blob FROM manifests WHERE size > 1000000")
        check(memory, VALUES)
        memory.store_many({key + "!": value for key, value in VALUES.items()})
        memory.maintain(settle=True)
        check(memory, VALUES | {key + "!": value for key, value in VALUES.items()})


def test_chunks_follow_their_value_to_the_tier_that_is_asked_for(tmp_path: Path) -> None:
    document = text(1, 60_000)
    with opened(tmp_path) as memory:
        memory.store("cold", document, tier=StorageTier.COLD)
        memory.maintain()
        memory.maintain()
        assert rows(memory, "SELECT DISTINCT p.tier FROM blobs b JOIN packs p ON p.id = b.pack") == [(3,)]
        assert memory.tiered_storage.read("cold") == (document, StorageTier.COLD)
        memory.tiered_storage.migrate_tier("cold", StorageTier.WARM)
        memory.maintain()
        memory.maintain()
        assert rows(memory, "SELECT DISTINCT p.tier FROM blobs b JOIN packs p ON p.id = b.pack") == [(2,)]
        check(memory, {"cold": document})


def test_a_pinned_value_keeps_its_chunks_above_cold(tmp_path: Path) -> None:
    document = text(1, 60_000)
    with opened(tmp_path) as memory:
        memory.store("pinned", document, tier=StorageTier.WARM, pin=True)
        memory["free"] = edited(document, 1)
        memory.maintain(settle=True)
        held = memory.dedup_engine._store.parts.catalog.chunks_of(hashlib.sha256(Serializer().dumps(document)).digest())
        numbers = {int.from_bytes(digest[:8], "big", signed=True) for digest in held}
        tiers = dict(rows(memory, "SELECT b.id, p.tier FROM blobs b JOIN packs p ON p.id = b.pack"))
        assert {tiers[number] for number in numbers} == {2}
        assert 3 in tiers.values()
        memory.tiered_storage.unpin("pinned")
        memory.maintain(settle=True)
        assert rows(memory, "SELECT DISTINCT p.tier FROM blobs b JOIN packs p ON p.id = b.pack") == [(3,)]
        check(memory, {"pinned": document})


def test_a_large_value_pinned_to_ram_is_read_from_there(tmp_path: Path) -> None:
    document = text(1, 60_000)
    with opened(tmp_path) as memory:
        memory.store("k", document, pin=True)
        memory.maintain(settle=True)
        assert memory.tiered_storage.read("k") == (document, StorageTier.HOT)
        memory["k"] = document + "more"
        assert memory.tiered_storage.read("k") == (document + "more", StorageTier.HOT)
        with pytest.raises(CapacityError, match="pinning"):
            memory.store("too much", np.random.default_rng(1).bytes(300_000_000), pin=True)
        assert "too much" not in memory
        check(memory, {"k": document + "more"})


def test_a_value_that_would_flush_ram_stays_below(tmp_path: Path) -> None:
    content = np.random.default_rng(1).bytes(600_000)
    with opened(tmp_path, tiered_storage={"hot_capacity_mb": 4, "promote_to_hot_accesses": 1}) as memory:
        memory["small"] = b"x" * 100
        memory["large"] = content
        memory.maintain()
        for _ in range(8):
            assert memory["large"] == content
        assert memory.tiered_storage.read("large")[1] is StorageTier.WARM
        assert memory.tiered_storage.read("small")[1] is StorageTier.HOT


def test_cold_chunks_that_are_read_again_come_up(tmp_path: Path) -> None:
    content = text(1, 60_000)
    clock = ManualClock()
    with opened(tmp_path, clock=clock, tiered_storage={"promote_to_warm_accesses": 2}) as memory:
        memory["k"] = content
        memory.maintain(settle=True)
        for _ in range(3):
            assert memory["k"] == content
        memory.maintain()
        tiers = rows(memory, "SELECT DISTINCT p.tier FROM blobs b JOIN packs p ON p.id = b.pack")
        assert tiers == [(2,)]
        check(memory, {"k": content})


def test_a_large_value_with_a_ttl_is_gone_with_its_chunks(tmp_path: Path) -> None:
    clock = ManualClock()
    with opened(tmp_path, clock=clock) as memory:
        memory.store("k", text(1, 60_000), ttl=10)
        memory.maintain()
        clock.advance(11)
        assert memory.retrieve("k") is None
        memory.maintain(settle=True)
        assert rows(memory, "SELECT count(*) FROM blobs") == [(0,)]
