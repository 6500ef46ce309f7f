"""Packs of a store with a remote cold tier tell their keys, as the catalog has them, wherever the values travel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.engine.packs import FOOTER
from stratakv.engine.verification import verify_directory
from tests.model.remote_stores import COLD, WARM, backend_of, config_of, named_by, open_store, states, values_of

if TYPE_CHECKING:
    from pathlib import Path


def test_packs_tell_their_keys_from_checkpoint_to_compaction_and_back(tmp_path: Path) -> None:
    with open_store(tmp_path, backend_of(tmp_path)) as memory:
        memory.store_many({f"plain:{number}": {"n": number} for number in range(30)})
        memory.store_many({f"user:{number}": {"u": number} for number in range(30)}, namespace="users", ttl=5000)
        memory.store("twin", {"u": 1})
        memory.store("straight", {"cold": True}, tier=COLD)
        memory.flush()
        memory.maintain()
        keys = list(memory)
        told = named_by(memory, WARM) | named_by(memory, COLD)
        assert told == states(memory, keys)
        assert list(named_by(memory, COLD)) == ["straight"]
        memory.maintain(settle=True)
        assert not named_by(memory, WARM)
        assert named_by(memory, COLD) == states(memory, keys)
        # What changed since it was packed is not told any more once the values travel.
        for number in range(0, 30, 2):
            memory.delete(f"user:{number}")
        memory.store("plain:1", {"other": "content"})
        memory.store("plain:2", {"n": 2}, namespace="renamed")
        memory.maintain(settle=True)
        assert named_by(memory, COLD) == states(memory, list(memory))
        memory.tiered_storage.migrate_tier("plain:2", WARM)
        memory.tiered_storage.migrate_tier("user:1", WARM)
        memory.maintain()
        assert named_by(memory, WARM) == states(memory, ["plain:2", "twin", "user:1"])


def test_a_store_without_a_remote_tier_writes_packs_as_ever(tmp_path: Path) -> None:
    with open_store(tmp_path, backend_of(tmp_path, remote=False)) as memory:
        memory.store_many(values_of(40))
        memory.maintain()
        assert not named_by(memory, WARM)
        memory.maintain(settle=True)
        assert not named_by(memory, COLD)
        catalog = memory.tiered_storage._store.parts.catalog
        assert catalog.rows("SELECT count(*) FROM indexes") == [(0,)]
        (pack,) = catalog.packs("tier = 3")
        content = (tmp_path / "far" / pack.name).read_bytes()
        assert content[pack.index_offset + 16 : pack.index_offset + 20] == bytes(4)


def test_damaged_names_are_a_finding_and_cost_no_value(tmp_path: Path) -> None:
    values = values_of(50)
    with open_store(tmp_path, backend_of(tmp_path)) as memory:
        memory.store_many(values)
        memory.maintain(settle=True)
    config = config_of(tmp_path)
    assert verify_directory(config).sound
    (pack,) = (tmp_path / "far").rglob("*.pack")
    content = bytearray(pack.read_bytes())
    content[FOOTER.unpack_from(content, len(content) - FOOTER.size)[0] - 3] ^= 4
    pack.write_bytes(content)
    (finding,) = verify_directory(config).damage
    assert "the keys that it tells" in finding.message
    assert not finding.keys
    with open_store(tmp_path, backend_of(tmp_path)) as memory:
        memory.delete("key:0000")
        memory.maintain(settle=True)
        assert memory["key:0001"] == values["key:0001"]
        assert memory.get_statistics()["background"]["corruptions"] == 0
    assert verify_directory(config).sound
