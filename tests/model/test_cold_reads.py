"""A remote cold tier is asked as seldom as can be; counted at the backend."""

from __future__ import annotations

import random
import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from stratakv import ManualClock, OptimizationMiddleware
from stratakv.backends.directory import DirectoryBackend
from stratakv.engine.verification import verify_directory
from stratakv.errors import CorruptionError
from tests.model.remote_stores import (
    COLD,
    SMALL_PACKS,
    WARM,
    AlteringBackend,
    backend_of,
    config_of,
    named_by,
    open_store,
    packs_of,
    values_of,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_a_cold_read_is_one_request_also_after_reopening(tmp_path: Path) -> None:
    values = values_of(400)
    backend = backend_of(tmp_path)
    with open_store(tmp_path, backend, **SMALL_PACKS) as memory:
        memory.store_many(values)
        memory.maintain(settle=True)
        backend.calls.clear()
        assert memory["key:0007"] == values["key:0007"]
        assert [call.call for call in backend.calls] == ["get_range"]
    backend = backend_of(tmp_path)
    with open_store(tmp_path, backend, **SMALL_PACKS) as memory:
        assert [call for call in backend.calls if call.name.startswith("packs/") and call.call != "list"] == []
        backend.calls.clear()
        assert memory["key:0300"] == values["key:0300"]
        assert [call.call for call in backend.calls] == ["get_range"]
        assert backend.calls[-1].size < 16 * 1024


def test_letting_go_of_a_pin_asks_for_nothing(tmp_path: Path) -> None:
    backend = backend_of(tmp_path)
    with open_store(tmp_path, backend) as memory:
        memory.store("pinned", "value", COLD, pin=True)
        memory.store("free", "another value")
        memory.maintain(settle=True)
        backend.calls.clear()
        assert memory.tiered_storage.unpin("pinned")
        assert memory.tiered_storage.unpin("free")
        assert backend.calls == []
        assert memory.get_statistics()["tiered_storage"]["pins"] == 0
        memory.maintain(settle=True)
        assert memory.tiered_storage.read("pinned") == ("value", COLD)


def test_many_keys_of_several_packs_take_few_requests(tmp_path: Path) -> None:
    values = values_of(1000)
    backend = backend_of(tmp_path)
    with open_store(tmp_path, backend, **SMALL_PACKS) as memory:
        memory.store_many(values)
        memory.maintain(settle=True)
        packs = packs_of(memory)
        assert packs >= 3
        backend.calls.clear()
        memory.flush()
        assert memory.retrieve_many([*values, "absent"]) == values
        assert 1 <= backend.count("get_range") <= packs
        assert memory.tiered_storage._store.parts.shelf._staging.ram_bytes == 0


def test_more_than_is_staged_at_once_is_read_in_rounds(tmp_path: Path) -> None:
    chance = random.Random(3)
    values = {f"blob:{number:02d}": chance.randbytes(1 << 20) for number in range(40)}
    values["blob:large"] = chance.randbytes(18 << 20)
    backend = backend_of(tmp_path)
    config = config_of(tmp_path)
    config.deduplication.large_value_kb = config.storage.journaled_value_kb = 1 << 20  # all are kept whole
    with OptimizationMiddleware(config=config, clock=ManualClock(), backends={COLD: backend}) as memory:
        for key, value in values.items():
            memory.store(key, value, tier=COLD)
        memory.maintain(settle=True)
        backend.calls.clear()
        assert memory.retrieve_many(values) == values
        assert max(call.size for call in backend.calls) <= 18.2 * (1 << 20)
        assert backend.count("get_range") <= 12
        assert memory.tiered_storage._store.parts.shelf._staging.ram_bytes == 0


def test_the_chunks_of_a_large_value_come_with_few_requests(tmp_path: Path) -> None:
    values = {f"blob:{number}": random.Random(number).randbytes(3 << 20) for number in range(4)}
    backend = backend_of(tmp_path)
    with open_store(tmp_path, backend) as memory:
        for key, value in values.items():
            memory.store(key, value, tier=COLD)
        memory.maintain(settle=True)
        backend.calls.clear()
        for key, value in values.items():
            assert memory.retrieve(key) == value
        # Some hundred chunks each: one request for the manifest, and one for each 8 MB of a pack.
        assert backend.count("get_range") <= 4 * 3
        assert memory.tiered_storage._store.parts.shelf._staging.ram_bytes == 0


def test_threads_that_read_ahead_beside_background_work_get_their_values(tmp_path: Path) -> None:
    values = values_of(500)
    answers: list[dict[str, object]] = []
    with open_store(tmp_path, backend_of(tmp_path), **SMALL_PACKS) as memory:
        memory.store_many(values)
        memory.maintain(settle=True)
        readers = [
            threading.Thread(target=lambda: answers.extend(memory.retrieve_many(values) for _ in range(4)))
            for _ in range(3)
        ]
        for reader in readers:
            reader.start()
        for round_ in range(4):
            memory.store(f"other:{round_}", round_)
            memory.maintain(settle=True)
        for reader in readers:
            reader.join()
        assert memory.tiered_storage._store.parts.shelf._staging.ram_bytes == 0
    assert answers == [values] * 12


def test_background_work_reads_a_remote_pack_in_one_request(tmp_path: Path) -> None:
    values = values_of(600)
    backend = backend_of(tmp_path)
    with open_store(tmp_path, backend, **SMALL_PACKS) as memory:
        memory.store_many(values)
        memory.maintain(settle=True)
        for number in range(0, 600, 2):
            del values[f"key:{number:04d}"]
            memory.delete(f"key:{number:04d}")
        packs = packs_of(memory)
        backend.calls.clear()
        memory.maintain(settle=True)
        assert 1 <= backend.count("get_range") <= packs
        assert [call.name for call in backend.calls if call.call == "get" and call.name.startswith("packs/")] == []
        assert memory.retrieve_many(values) == values


def test_promotion_reads_neighbours_and_their_names_together(tmp_path: Path) -> None:
    values = values_of(100)
    backend = backend_of(tmp_path)
    with open_store(tmp_path, backend, **SMALL_PACKS) as memory:
        memory.store_many(values)
        memory.maintain(settle=True)
        packs = packs_of(memory)
        for key in values:
            memory.tiered_storage.migrate_tier(key, WARM)
        backend.calls.clear()
        memory.maintain()
        assert 1 <= backend.count("get_range") <= packs
        assert sorted(named_by(memory, WARM)) == sorted(values)
        assert memory.retrieve_many(values) == values


def test_statistics_ask_a_remote_tier_for_nothing(tmp_path: Path) -> None:
    backend = backend_of(tmp_path)
    with open_store(tmp_path, backend, **SMALL_PACKS) as memory:
        memory.store_many(values_of(300))
        memory.maintain(settle=True)
        backend.calls.clear()
        told = memory.get_statistics()["namespaces"]["default"]["cold_bytes"]
        assert 300 * 150 < told < 300 * 310
        assert backend.count("get_range") == backend.count("get") == 0
        catalog = memory.tiered_storage._store.parts.catalog
        with catalog.write(0):
            catalog._writer.execute("DELETE FROM indexes")
        memory.tiered_storage._store.parts.shelf.rest()
        memory.get_statistics()
        assert backend.count("get_range") == backend.count("get") == 0


def test_an_index_leaves_the_catalog_with_its_pack(tmp_path: Path) -> None:
    backend = backend_of(tmp_path)
    with open_store(tmp_path, backend, **SMALL_PACKS) as memory:
        for round_ in range(3):
            memory.store_many(values_of(200, seed=round_))
            memory.maintain(settle=True)
        catalog = memory.tiered_storage._store.parts.catalog
        kept = {pack for (pack,) in catalog.rows("SELECT pack FROM indexes")}
        assert kept == {pack.id for pack in catalog.packs("tier = 3")} != set()


def test_an_answer_altered_on_its_way_is_asked_for_again(tmp_path: Path) -> None:
    values = values_of(60)
    backend = AlteringBackend(DirectoryBackend(tmp_path / "far", remote=True))
    with open_store(tmp_path, backend) as memory:
        memory.store_many(values)
        memory.maintain(settle=True)
        shelf = memory.tiered_storage._store.parts.shelf
        backend.times = 1
        assert memory["key:0003"] == values["key:0003"]
        shelf.rest()
        backend.times = 1
        assert memory.retrieve_many(values) == values
        shelf.rest()
        memory.delete("key:0003")
        del values["key:0003"]
        backend.times = 1
        memory.maintain(settle=True)
        assert memory.get_statistics()["background"]["corruptions"] == 0
        assert memory.retrieve_many(values) == values
        assert sorted(named_by(memory, COLD)) == sorted(values)
        shelf.rest()
        backend.times = 2
        with pytest.raises(CorruptionError, match="cold tier"):
            memory["key:0005"]


def test_a_missing_remote_pack_is_named_at_the_first_request(tmp_path: Path) -> None:
    values = values_of(60)
    backend = backend_of(tmp_path)
    with open_store(tmp_path, backend) as memory:
        memory.store_many(values)
        memory.maintain(settle=True)
        shutil.rmtree(tmp_path / "far" / "packs")
        backend.calls.clear()
        with pytest.raises(CorruptionError, match="missing"):
            memory["key:0005"]
        assert backend.count("get_range") == 1
        with pytest.raises(CorruptionError, match="missing"):
            memory.retrieve_many(values)
        memory.maintain()


@pytest.mark.parametrize("harm", ["table", "rows", "content"])
def test_a_store_whose_catalog_keeps_no_index_is_read(tmp_path: Path, harm: str) -> None:
    values = values_of(200)
    with open_store(tmp_path, backend_of(tmp_path), **SMALL_PACKS) as memory:
        memory.store_many(values)
        memory.maintain(settle=True)
        connection = memory.tiered_storage._store.parts.catalog._writer
        connection.execute(
            {
                "table": "DROP TABLE indexes",
                "rows": "DELETE FROM indexes",
                "content": "UPDATE indexes SET content = zeroblob(length(content))",
            }[harm]
        )
    config = config_of(tmp_path)
    with OptimizationMiddleware(config=config, clock=ManualClock(), read_only=True) as memory:
        assert memory.retrieve_many(values) == values
    verified = verify_directory(config)
    assert verified.sound == (harm != "content")
    assert all("copy of its index" in finding.message and not finding.keys for finding in verified.damage)
    with open_store(tmp_path, backend_of(tmp_path), **SMALL_PACKS) as memory:
        assert memory.retrieve_many(values) == values
        memory.store_many(values_of(300, seed=2))
        memory.maintain(settle=True)
        assert memory["key:0299"] == values_of(300, seed=2)["key:0299"]
