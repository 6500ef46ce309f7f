"""What a restored store is: everything that the lost one held, under the same rules, with a new owner."""

from __future__ import annotations

import collections
import contextlib
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stratakv import ManualClock, OptimizationMiddleware, StorageTier
from stratakv.engine.catalog import Catalog
from stratakv.engine.verification import verify_directory
from stratakv.errors import ConfigurationError, CorruptionError, SerializationError, StrataError
from tests.recovery.lost_machines import (
    NOW,
    config_of,
    lose,
    open_far,
    packs_in,
    parts_in,
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
    class Stubborn(dict[str, object]):
        """An engine that does not delete for now."""

        def __delitem__(self, key: str) -> None:
            raise OSError("not now")

    cold, engine = tmp_path / "cold", Stubborn(gone="from the engine", kept="in the engine")
    config = config_of(tmp_path / "lost", cold, enabled=True)
    memory = OptimizationMiddleware(engine, config=config, clock=ManualClock(NOW))
    memory["mine"] = "in the store"
    with contextlib.suppress(OSError):
        memory.delete("gone")
    with contextlib.suppress(OSError):
        memory.maintain(settle=True)
    lose(memory)
    restored(cold, tmp_path / "new")
    config = config_of(tmp_path / "new", cold, enabled=True)
    with OptimizationMiddleware(dict(engine), config=config, clock=ManualClock(NOW)) as again:
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


# -- where it may be built -----------------------------------------------------------------------------------


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """The cold tier of a lost machine."""
    with open_far(tmp_path / "lost", tmp_path / "cold") as memory:
        memory.store_many({f"key:{n}": f"value {n} " * 20 for n in range(200)})
        memory.maintain(settle=True)
        lose(memory)
    return tmp_path / "cold"


def test_only_a_new_or_empty_directory_is_used(tmp_path: Path, left: Path) -> None:
    used = tmp_path / "used"
    used.mkdir()
    (used / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing" / "place")
    for path in (used, tmp_path / "lost", tmp_path / "file", tmp_path / "file" / "below", tmp_path / "nowhere"):
        with pytest.raises(ConfigurationError, match="directory"):
            restored(left, path)
    assert [entry.name for entry in used.iterdir()] == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    assert restored(left, tmp_path / "empty").keys == 200
    assert restored(left, tmp_path / "deep" / "down" / "store").keys == 200


@pytest.mark.parametrize("step", ["catalog", "packs"])
@pytest.mark.parametrize("made", [False, True], ids=["missing", "empty"])
def test_an_interruption_leaves_nothing(tmp_path: Path, left: Path, step: str, made: bool) -> None:
    path = tmp_path / "new"
    if made:
        path.mkdir()

    def interrupt(name: str, _done: int, _total: int) -> None:
        if name == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restored(left, path, show=interrupt)
    assert path.exists() == made
    assert not made or not list(path.iterdir())
    assert restored(left, path).keys == 200


def test_restoring_changes_nothing_in_the_tier(tmp_path: Path, left: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in left.rglob("*")}
    restored(left, tmp_path / "new")
    assert {path: path.stat().st_mtime_ns for path in left.rglob("*")} == before


# -- which cold tier it is -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lived", ["lost", "new"], ids=["the first store", "a restored one"])
def test_a_store_refuses_a_tier_that_was_never_its_own(tmp_path: Path, left: Path, lived: str) -> None:
    restored(left, tmp_path / "new")
    path = tmp_path / lived
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(ConfigurationError, match="wrong bucket or prefix"):
        open_far(path, other)
    local = config_of(path, other, tiered_storage={"cold": {"backups": None}})
    with pytest.raises(ConfigurationError, match=f"lie in {left}, not in {other}"):
        OptimizationMiddleware(config=local, clock=ManualClock(NOW))
    with pytest.raises(ConfigurationError, match=f"lie in {left}, not in {other}"):
        verify_directory(local)
    with pytest.raises(ConfigurationError, match="not in"):
        OptimizationMiddleware(path=path, clock=ManualClock(NOW))
    assert not list(other.rglob("*.pack"))
    with open_far(path, left) as memory:
        assert memory["key:7"] == "value 7 " * 20


def test_a_copy_of_the_tier_will_do(tmp_path: Path, left: Path) -> None:
    shutil.copytree(left, tmp_path / "copy")
    assert verify_directory(config_of(tmp_path / "lost", tmp_path / "copy")).sound
    with open_far(tmp_path / "lost", tmp_path / "copy") as memory:
        assert memory["key:7"] == "value 7 " * 20
    moved = left.rename(tmp_path / "moved")
    restored(moved, tmp_path / "new")
    with open_far(tmp_path / "new", moved) as memory:
        assert len(memory) == 200


def test_lost_packs_can_be_given_up(tmp_path: Path, left: Path) -> None:
    with open_far(tmp_path / "lost", tmp_path / "other", tiered_storage={"cold": {"take_over": True}}) as memory:
        with pytest.raises(CorruptionError):
            memory.retrieve("key:7")
        memory["key:7"] = "stored again"
        assert memory["key:7"] == "stored again"


def test_the_same_directory_without_backups_is_the_same_tier(tmp_path: Path, left: Path) -> None:
    with open_far(tmp_path / "lost", left, tiered_storage={"cold": {"backups": None}}) as memory:
        assert len(memory) == 200


def test_verification_reads_a_remote_directory(tmp_path: Path, left: Path) -> None:
    config = config_of(tmp_path / "lost", left)
    found = verify_directory(config)
    assert found.sound
    assert found.checked["blobs"] == 200
    (pack,) = left.rglob("*.pack")
    content = bytearray(pack.read_bytes())
    content[60] ^= 1
    pack.write_bytes(content)
    found = verify_directory(config)
    assert not found.sound
    pack.unlink()
    assert any("is missing" in finding.message for finding in verify_directory(config).damage)


def test_a_catalog_that_was_restored_has_no_file_of_the_restoration_left(tmp_path: Path, left: Path) -> None:
    restored(left, tmp_path / "new")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["catalog.db", "journal"]
    catalog = Catalog(tmp_path / "new" / "catalog.db")
    try:
        assert catalog.integrity_errors() == []
    finally:
        catalog.close()
    assert parts_in(left)
    assert packs_in(left)
