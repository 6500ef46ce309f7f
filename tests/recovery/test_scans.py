"""Scanning: packs alone give values back under the keys of then, and what they cannot tell is said."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from stratakv import ManualClock, StorageTier
from stratakv.engine.backup_rows import dictionary_name
from stratakv.engine.dictionary_form import stored_form
from stratakv.engine.scanning import UNKNOWN
from stratakv.engine.verification import verify_directory
from stratakv.errors import ConfigurationError, CorruptionError
from tests.recovery.lost_machines import NOW, config_of, lose, open_far, packs_in, scanned, spread

if TYPE_CHECKING:
    from pathlib import Path

SMALL: dict[str, Any] = {"storage": {"pack_size_mb": 0.02}, "compression": {"cold_block_kb": 4}}


def values(count: int) -> dict[str, object]:
    return {f"key:{n:03d}": {"n": n, "text": f"number {n} " * 20} for n in range(count)}


def only_packs(cold: Path) -> Path:
    shutil.rmtree(cold / "catalog")
    shutil.rmtree(cold / "manifests")
    return cold


def test_packs_alone_give_the_keys_of_then_with_their_newest_values(tmp_path: Path) -> None:
    cold, clock = tmp_path / "cold", ManualClock(NOW)
    with open_far(tmp_path / "lost", cold, clock) as memory:
        memory.store_many(values(100))
        memory.store("short", "lives an hour", ttl=3600, tier=StorageTier.COLD)
        memory.store("named", "in a namespace", namespace="notes", tier=StorageTier.COLD)
        memory.store("changed", "old", tier=StorageTier.COLD)
        memory.maintain(settle=True)
        memory.store("changed", "new", tier=StorageTier.COLD)
        memory.delete("key:007")
        memory.maintain()
        memory.store("late", "only in warm")
        memory.maintain()
        lose(memory)
    result = scanned(only_packs(cold), tmp_path / "new")
    assert result.missing == []
    assert result.damaged == []
    assert list(UNKNOWN) == result.unknown[: len(UNKNOWN)]
    assert result.saved is None
    assert verify_directory(config_of(tmp_path / "new", cold)).sound
    with open_far(tmp_path / "new", cold, clock) as memory:
        assert memory["changed"] == "new"
        assert memory["named"] == "in a namespace"
        state = memory.tiered_storage._store.state("named")
        assert state is not None
        assert memory.tiered_storage._store.parts.labels.name(state.namespace) == "notes"
        assert {key: memory[key] for key in values(100)} == values(100), "a deleted key may be back, which is said"
        assert "late" not in memory
        clock.advance(3601)
        assert "short" not in memory
        memory["fresh"] = "after the scan"
        memory.maintain(settle=True)
        assert memory["fresh"] == "after the scan"
        assert memory["key:099"] == values(100)["key:099"]
        lose(memory)
    again = scanned(only_packs(cold), tmp_path / "again")
    assert again.keys >= 102


def test_what_several_packs_hold_comes_back_once_and_damage_is_told(tmp_path: Path) -> None:
    cold = tmp_path / "cold"
    with open_far(tmp_path / "lost", cold, **SMALL) as memory:
        for key, value in values(300).items():
            memory.store(key, value, tier=StorageTier.COLD)
        memory.maintain()
        lose(memory)
    packs = sorted((cold / "packs").rglob("*.pack"))
    content = bytearray(packs[0].read_bytes())
    content[-3] ^= 1  # its footer
    packs[0].write_bytes(content)
    if len(packs) > 1:
        shutil.copy(packs[1], packs[1].with_name("00000001-0123456789abcdef.pack"))  # as a compaction leaves it
    if len(packs) == 1:
        with pytest.raises(CorruptionError, match="no pack"):
            scanned(only_packs(cold), tmp_path / "new")
        return
    result = scanned(only_packs(cold), tmp_path / "new")
    assert 0 < result.keys < 300
    assert any(packs[0].name in sentence for sentence in result.damaged)
    with open_far(tmp_path / "new", cold, **SMALL) as memory:
        found = dict(memory)
        assert found == {key: values(300)[key] for key in found}
        assert len(found) == result.keys


def test_a_damaged_block_costs_its_own_keys(tmp_path: Path) -> None:
    cold = tmp_path / "cold"
    with open_far(tmp_path / "lost", cold, compression={"cold_block_kb": 4}) as memory:
        memory.store_many(values(200))
        memory.maintain(settle=True)
        lose(memory)
    (pack,) = (cold / "packs").rglob("*.pack")
    content = bytearray(pack.read_bytes())
    content[40] ^= 1
    pack.write_bytes(content)
    result = scanned(only_packs(cold), tmp_path / "new")
    assert 100 < result.keys < 200
    assert any("block" in sentence for sentence in result.damaged)
    assert verify_directory(config_of(tmp_path / "new", cold)).checked["keys"] == result.keys


def test_packs_of_several_stores_are_refused_and_other_objects_passed_over(tmp_path: Path) -> None:
    cold = tmp_path / "cold"
    with open_far(tmp_path / "lost", cold) as memory:
        memory["key"] = "value"
        memory.maintain(settle=True)
        lose(memory)
    (pack,) = (cold / "packs").rglob("*.pack")
    spread({"packs/notes.txt": b"mine", "packs/readme.pack": b"mine"}, cold)
    assert scanned(cold, tmp_path / "one").keys == 1
    other = cold / "packs" / "0123456789abcdef"
    other.mkdir()
    shutil.copy(pack, other)
    with pytest.raises(ConfigurationError, match="packs of 2 stores"):
        scanned(cold, tmp_path / "two")
    assert not (tmp_path / "two").exists()
    shutil.rmtree(pack.parent)
    with pytest.raises(CorruptionError, match="another store"):
        scanned(cold, tmp_path / "three")
    with pytest.raises(ConfigurationError, match="no packs"):
        scanned(tmp_path / "nothing", tmp_path / "four")


def test_dictionaries_of_one_number_from_two_machines_are_not_used(tmp_path: Path) -> None:
    cold = tmp_path / "cold"
    with open_far(tmp_path / "lost", cold) as memory:
        memory.store_many(values(1200))
        memory.maintain()
        memory.store_many({f"more:{key}": [value] for key, value in values(1200).items()})
        memory.maintain(settle=True)
        lose(memory)
    (found, *_) = (cold / "dictionaries").iterdir()
    number = int(found.name.partition("-")[0])
    twin = stored_form(b"\x37\xa4\x30\xec" + bytes(range(200)))
    spread({dictionary_name(number, twin): twin}, cold)
    result = scanned(only_packs(cold), tmp_path / "new")
    assert any("another machine" in sentence for sentence in result.damaged)
    with open_far(tmp_path / "new", cold) as memory:
        assert memory["key:0007" if "key:0007" in memory else "key:007"] == values(8)["key:007"]


def test_a_scanned_store_is_the_new_owner_and_takes_backups(tmp_path: Path) -> None:
    cold = tmp_path / "cold"
    with open_far(tmp_path / "lost", cold) as memory:
        memory.store_many(values(20))
        memory.maintain(settle=True)
        lose(memory)
    scanned(only_packs(cold), tmp_path / "new")
    before = packs_in(cold)
    with open_far(tmp_path / "new", cold) as memory:
        memory.maintain()
        assert packs_in(cold) == before
        assert (cold / "manifests").is_dir()
        assert list((cold / "catalog").iterdir())
