"""What a restored store is: everything that the lost one held, under the same rules, with a new owner."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stratakv import ManualClock, OptimizationMiddleware, StorageTier
from stratakv.engine.verification import verify_directory
from stratakv.errors import SerializationError, StrataError
from tests.recovery.lost_machines import (
    NOW,
    config_of,
    lose,
    open_far,
    restored,
)  # fmt: skip

if TYPE_CHECKING:
    from pathlib import Path

NAMESPACES = {
    "tenant": {"match": "tenant:*", "dedup_scope": "namespace"},
    "rough": {"match": "rough:*", "lossy": True, "strategy": "quantize_int8"},
    "brief": {"match": "brief:*", "ttl": 1000},
}
SHARED = {"text": "the very same words in both namespaces " * 5}


def open_rich(path: Path, cold: Path, clock: ManualClock) -> OptimizationMiddleware:
    return open_far(path, cold, clock, namespaces=NAMESPACES)


@pytest.fixture
def rich(tmp_path: Path) -> tuple[Path, ManualClock, dict[str, Any]]:
    """A cold tier whose machine is lost, with what every kind of key had; and the time."""
    cold, clock = tmp_path / "cold", ManualClock(NOW)
    chance = np.random.default_rng(4)
    values: dict[str, Any] = {f"plain:{n}": {"n": n, "text": f"number {n} " * 9} for n in range(300)}
    values |= {"tenant:a": SHARED, "shared": SHARED, "brief:1": "soon gone", "pinned": "to warm", "arrays": "below"}
    with open_rich(tmp_path / "lost", cold, clock) as memory:
        memory.store_many(values)
        memory["rough:1"] = chance.normal(size=(40, 64)).astype("f4")
        values["rough:1"] = memory["rough:1"]
        memory["arrays"] = values["arrays"] = chance.integers(0, 9, (30, 40))
        memory.store("pinned", "to warm", tier=StorageTier.COLD, pin=True)
        memory.store("short", "a ttl of its own", ttl=50)
        memory.store("by name", "in the tenant's namespace", namespace="tenant")
        values |= {"short": "a ttl of its own", "by name": "in the tenant's namespace"}
        memory.maintain(settle=True)
        memory.maintain(settle=True)
        lose(memory)
    return cold, clock, values


def same(found: object, value: object) -> bool:
    if isinstance(value, np.ndarray):
        return isinstance(found, np.ndarray) and found.dtype == value.dtype and np.array_equal(found, value)
    return type(found) is type(value) and found == value


def test_everything_comes_back_as_it_was(tmp_path: Path, rich: tuple[Path, ManualClock, dict[str, Any]]) -> None:
    cold, clock, values = rich
    result = restored(cold, tmp_path / "new")
    assert (result.missing, result.damaged, result.unknown) == ([], [], [])
    assert verify_directory(config_of(tmp_path / "new", cold, namespaces=NAMESPACES)).sound
    with open_rich(tmp_path / "new", cold, clock) as memory:
        assert set(memory) == set(values)
        for key, value in values.items():
            assert same(memory[key], value), key
        store = memory.tiered_storage._store
        states = {key: store.state(key) for key in values}
        names = {key: store.parts.labels.name(state.namespace) for key, state in states.items() if state is not None}
        assert names["tenant:a"] == names["by name"] == "tenant"
        assert names["rough:1"] == "rough"
        assert names["shared"] == "default"
        assert memory.tiered_storage.unpin("pinned"), "it was still pinned"
        clock.advance(60)
        assert "short" not in memory
        assert "brief:1" in memory
        clock.advance(1000)
        assert "brief:1" not in memory
        memory.maintain(settle=True)
        assert set(memory) == set(values) - {"short", "brief:1"}


def test_contents_are_shared_as_before_and_not_between_tenants(
    tmp_path: Path, rich: tuple[Path, ManualClock, dict[str, Any]]
) -> None:
    cold, clock, values = rich
    restored(cold, tmp_path / "new")
    with open_rich(tmp_path / "new", cold, clock) as memory:
        assert memory.dedup_engine.write("again", values["plain:7"])[1], "known before it was stored here"
        before = memory.get_statistics()["deduplication"]["unique_contents"]
        memory["tenant:b"] = SHARED
        memory["third"] = SHARED
        memory.maintain()
        assert memory.get_statistics()["deduplication"]["unique_contents"] == before
        memory.delete("shared")
        memory.delete("third")
        memory.maintain(settle=True)
        assert memory["tenant:a"] == memory["tenant:b"] == SHARED


def test_what_expired_meanwhile_stays_expired(tmp_path: Path, rich: tuple[Path, ManualClock, dict[str, Any]]) -> None:
    cold, clock, _ = rich
    clock.advance(70)
    restored(cold, tmp_path / "new", now=int(clock.now()))
    with open_rich(tmp_path / "new", cold, clock) as memory:
        assert memory.retrieve("short") is None
        memory.maintain(settle=True)
        assert "short" not in set(memory)


def test_a_content_whose_number_was_taken_is_found_again(tmp_path: Path) -> None:
    cold, taken = tmp_path / "cold", 12345
    with open_far(tmp_path / "lost", cold) as memory:
        memory["key"] = "one value"
        memory["more"] = "another value"
        memory.maintain(settle=True)
        catalog = memory.tiered_storage._store.parts.catalog
        (number,) = catalog.rows("SELECT blob FROM keys WHERE key = CAST('skey' AS BLOB)")[0]
        (blob,) = catalog.blobs_by_number(number)
        # As if another content had had the number that its digest gives.
        with catalog.write(NOW) as transaction:
            execute = transaction.connection.execute
            execute("UPDATE blobs SET id = ?, digest = ? WHERE id = ?", (taken, blob.digest, number))
            execute("UPDATE keys SET blob = ? WHERE blob = ?", (taken, number))
            execute("INSERT INTO displaced VALUES (?, ?)", (blob.digest, taken))
            transaction.displaced[blob.digest] = taken
            transaction._changes.key(b"skey")
            for changed in (number, taken):
                transaction._changes.blob(changed)
        memory.maintain()
        lose(memory)
    result = restored(cold, tmp_path / "new")
    assert (result.keys, result.missing, result.damaged) == (2, [], [])
    with open_far(tmp_path / "new", cold) as memory:
        assert memory["key"] == "one value"
        assert memory.dedup_engine.write("third", "one value")[1]
        memory.maintain()
        del memory["key"]
        memory.maintain(settle=True)
        assert memory["third"] == "one value"


def test_tombstones_of_a_wrapped_engine_come_along(tmp_path: Path) -> None:
    cold = tmp_path / "cold"
    with open_far(tmp_path / "lost", cold) as memory:
        memory["mine"] = "in the store"
        # Deleted, and the engine has not confirmed it: it could not be reached before the machine was lost.
        memory.tiered_storage._store.delete("gone", tombstone=True)
        memory.maintain(settle=True)
        lose(memory)
    restored(cold, tmp_path / "new")
    engine = {"gone": "from the engine", "kept": "in the engine"}
    config = config_of(tmp_path / "new", cold, enabled=True)
    with OptimizationMiddleware(engine, config=config, clock=ManualClock(NOW)) as again:
        assert again.retrieve("gone") is None, "nothing rises from the dead"
        assert again["mine"] == "in the store"
        assert again["kept"] == "in the engine"


def test_pickles_of_a_restored_store_are_refused_unless_trusted(tmp_path: Path) -> None:
    cold, pickles = tmp_path / "cold", {"allow_pickle": True}
    with open_far(tmp_path / "lost", cold, serialization=pickles) as memory:
        memory["object"] = collections.Counter("abc")
        memory["plain"] = [1, 2]
        memory.maintain(settle=True)
        lose(memory)
    restored(cold, tmp_path / "wary")
    with open_far(tmp_path / "wary", cold, serialization=pickles) as memory:
        assert memory["plain"] == [1, 2]
        with pytest.raises(SerializationError, match="--trust-pickle"):
            memory.retrieve("object")
    with (
        open_far(tmp_path / "wary", cold, serialization=pickles) as memory,  # nor after it was reopened
        pytest.raises(SerializationError, match="--trust-pickle"),
    ):
        memory.retrieve("object")
    restored(cold, tmp_path / "trusting", trust_pickle=True)
    with open_far(tmp_path / "trusting", cold, serialization=pickles) as memory:
        assert memory["object"] == collections.Counter("abc")


def test_new_writes_have_higher_versions_than_any_that_was_acknowledged_then(tmp_path: Path) -> None:
    cold = tmp_path / "cold"
    with open_far(tmp_path / "lost", cold) as memory:
        for number in range(50):
            memory["key"] = number
        memory["last"] = "deleted"
        del memory["last"]
        memory.maintain(settle=True)
        old = memory.tiered_storage._store.state("key")
        lose(memory)
    restored(cold, tmp_path / "new")
    with open_far(tmp_path / "new", cold) as memory:
        memory["fresh"] = 1
        new = memory.tiered_storage._store.state("fresh")
        assert old is not None
        assert new is not None
        assert new.version > old.version
        memory.maintain()
    with open_far(tmp_path / "new", cold) as memory:
        assert (memory["fresh"], memory["key"]) == (1, 49)


def test_what_was_not_there_yet_is_reported_and_can_be_stored_again(tmp_path: Path) -> None:
    cold = tmp_path / "cold"
    with open_far(tmp_path / "lost", cold) as memory:
        memory["early"] = "in cold"
        memory.maintain(settle=True)
        memory["late"] = "in warm"
        memory.maintain()
        memory["latest"] = "in no backup"
        lose(memory)
    result = restored(cold, tmp_path / "new")
    assert (result.keys, result.missing) == (1, ["late"])
    with open_far(tmp_path / "new", cold) as memory:
        assert set(memory) == {"early"}
        memory["late"] = "in warm"
        assert memory["late"] == "in warm"


def test_restored_twice_the_last_one_opened_owns_the_tier(tmp_path: Path) -> None:
    cold = tmp_path / "cold"
    with open_far(tmp_path / "lost", cold) as memory:
        memory.store_many({f"key:{n}": n for n in range(20)})
        memory.maintain(settle=True)
        lose(memory)
    results = [restored(cold, tmp_path / name) for name in ("one", "two")]
    assert results[0] == results[1]
    with open_far(tmp_path / "one", cold) as one, open_far(tmp_path / "two", cold) as two:
        two.store("whose", "two's", tier=StorageTier.COLD)
        two.maintain()
        one["whose"] = "one's"
        with pytest.raises(StrataError, match="taken by another owner"):
            one.maintain(settle=True)
        assert one["key:7"] == two["key:7"] == 7
        lose(one)
        lose(two)
    result = restored(cold, tmp_path / "three")
    assert (result.keys, result.missing) == (21, [])
