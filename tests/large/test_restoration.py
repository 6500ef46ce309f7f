"""Large values of lost machines: backups and packs give them back whole, or their keys are reported."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stratakv import ManualClock, StorageTier
from stratakv.engine.backup_format import CHUNKS_A_ROW, LONGEST_RECORD, PartWriter, read_head, read_rows
from stratakv.engine.backup_rows import add_base_rows, changed_rows
from stratakv.engine.catalog import Catalog
from stratakv.engine.catalog_loading import CatalogLoading
from stratakv.engine.catalog_manifests import numbers_in
from stratakv.engine.records import DIGEST_BYTES, Place, decode_key
from stratakv.engine.scanning import LACKING
from stratakv.engine.verification import verify_directory
from stratakv.errors import CorruptionError
from tests.large.documents import edited, text
from tests.large.stores import check_references, rows
from tests.recovery.lost_machines import NOW, config_of, lose, open_far, packs_in, restored, scanned

if TYPE_CHECKING:
    from pathlib import Path

    from stratakv import OptimizationMiddleware
    from stratakv.engine.restoration import Restored

SMALL: dict[str, Any] = {
    "storage": {"journaled_value_kb": 16, "pack_size_mb": 0.02},
    "deduplication": {"large_value_kb": 4, "chunk_kb": 0.25},
    "compression": {"cold_block_kb": 4},
}
ONE = text(1, 20_000)


def documents() -> dict[str, Any]:
    values: dict[str, Any] = {"v0": ONE}
    for number in range(1, 6):
        values[f"v{number}"] = edited(values[f"v{number - 1}"], number)
    return values | {"twin": values["v2"], "journaled": text(2, 9_000), "small": [1, 2, 3]}


def opened_far(path: Path, cold: Path, **sections: Any) -> OptimizationMiddleware:
    return open_far(path, cold, ManualClock(NOW), **SMALL, **sections)


def only_packs(cold: Path) -> Path:
    shutil.rmtree(cold / "catalog")
    shutil.rmtree(cold / "manifests")
    return cold


def check_built(result: Restored, path: Path, cold: Path, values: dict[str, Any], **sections: Any) -> None:
    """Assert that a store that was built anew is sound and holds some values, less those that it reports."""
    found = verify_directory(config_of(path, cold, **SMALL, **sections))
    assert found.damage == []
    with opened_far(path, cold, **sections) as memory:
        there = {key: value for key, value in values.items() if key not in result.missing}
        assert {key: memory[key] for key in memory.keys()} == there  # noqa: SIM118 -- iterating is keys() alone
        assert set(result.missing) <= set(values)
        assert (result.keys, result.contents) == (len(there), len({repr(value) for value in there.values()}))
        check_references(memory)
        memory.maintain(settle=True)
        check_references(memory)
        assert {key: memory[key] for key in there} == there


def test_versions_come_back_as_they_were_when_they_were_changed_and_deleted(tmp_path: Path) -> None:
    values, cold = documents(), tmp_path / "cold"
    with opened_far(tmp_path / "lost", cold) as memory:
        memory.store_many(values)
        memory.maintain(settle=True)
        memory["v1"] = values["v1"] = edited(ONE, 77)
        memory["v3"] = values["v3"] = "short now"
        memory.delete("v0")
        del values["v0"]
        memory.maintain(settle=True)
        check_references(memory)
        held = rows(memory, "SELECT blob, size, stored, chunks FROM manifests ORDER BY blob")
        lose(memory)
    result = restored(cold, tmp_path / "new")
    assert (result.missing, result.damaged) == ([], [])
    catalog = Catalog(tmp_path / "new" / "catalog.db")
    assert catalog.rows("SELECT blob, size, stored, chunks FROM manifests ORDER BY blob") == held
    catalog.close()
    check_built(result, tmp_path / "new", cold, values)


def test_changes_after_a_base_add_and_take_away_manifests(tmp_path: Path) -> None:
    values, cold = documents(), tmp_path / "cold"
    with opened_far(tmp_path / "lost", cold) as memory:
        for step, (key, value) in enumerate(values.items()):
            memory[key] = value
            if step == 4:
                memory.delete("v0")
            memory.maintain(settle=True)
        assert len(list((cold / "catalog").iterdir())) > 1
        lose(memory)
    del values["v0"]
    result = restored(cold, tmp_path / "new")
    assert result.missing == []
    check_built(result, tmp_path / "new", cold, values)


@pytest.mark.parametrize("how", ["backup", "scan"])
def test_a_lost_pack_costs_the_values_that_have_chunks_in_it_and_no_others(how: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).bytes(60_000)
    values = documents() | {"noise": noise, "more": noise[:30_000] + b"!" + noise[30_000:]}
    cold = tmp_path / "cold"
    with opened_far(tmp_path / "lost", cold) as memory:
        memory.store_many(values)
        memory.maintain(settle=True)
        holding = "SELECT b.pack FROM blobs b JOIN keys k ON k.blob = b.id"
        number, name = rows(memory, f"SELECT id, name FROM packs WHERE id NOT IN ({holding}) ORDER BY id DESC")[0]
        gone = {row[0] for row in rows(memory, f"SELECT id FROM blobs WHERE pack = {number}")}
        needs = {blob: set(numbers_in(chunks)) for blob, chunks in rows(memory, "SELECT blob, chunks FROM manifests")}
        keys = rows(memory, "SELECT key, blob FROM keys WHERE blob IS NOT NULL")
        lost = {decode_key(key) for key, blob in keys if ({blob} | needs.get(blob, set())) & gone}
        lose(memory)
    (cold / name).unlink()
    result = restored(cold, tmp_path / "new") if how == "backup" else scanned(only_packs(cold), tmp_path / "new")
    assert set(result.missing) == lost
    assert 0 < len(lost) < len(values)
    assert (LACKING.format(len(lost)) in result.damaged) == (how == "scan")
    check_built(result, tmp_path / "new", cold, values)


def test_a_value_whose_chunks_stayed_in_warm_is_reported(tmp_path: Path) -> None:
    values, cold = {"pinned": ONE, "free": edited(ONE, 1), "other": text(2, 20_000)}, tmp_path / "cold"
    with opened_far(tmp_path / "lost", cold) as memory:
        memory.store("pinned", ONE, tier=StorageTier.WARM, pin=True)
        memory.store_many({key: values[key] for key in ("free", "other")})
        memory.maintain(settle=True)
        tiers = dict(rows(memory, "SELECT b.id, p.tier FROM blobs b JOIN packs p ON p.id = b.pack"))
        assert set(tiers.values()) == {2, 3}
        lose(memory)
    result = restored(cold, tmp_path / "new")
    assert sorted(result.missing) == ["free", "pinned"]
    check_built(result, tmp_path / "new", cold, values)


def test_packs_alone_give_large_values_back(tmp_path: Path) -> None:
    values, cold = documents(), tmp_path / "cold"
    values["array"] = np.random.default_rng(1).integers(0, 9, (4000, 30)).tolist()
    with opened_far(tmp_path / "lost", cold) as memory:
        memory.store_many(values)
        memory.store("named", values["v1"], namespace="notes")
        memory.maintain(settle=True)
        memory["v4"] = values["v4"] = edited(ONE, 50)
        memory.maintain(settle=True)
        lose(memory)
    assert len(packs_in(cold)) > 2
    values["named"] = values["v1"]
    result = scanned(only_packs(cold), tmp_path / "new")
    assert (result.missing, result.damaged) == ([], [])
    check_built(result, tmp_path / "new", cold, values)


def test_a_scan_reports_large_values_of_a_namespace_that_keeps_to_itself(tmp_path: Path) -> None:
    cold = tmp_path / "cold"
    names = {"own": {"match": "own:*", "dedup_scope": "namespace"}}
    values = {"own:large": ONE, "own:small": "a few words", "large": edited(ONE, 1)}
    with opened_far(tmp_path / "lost", cold, namespaces=names) as memory:
        memory.store_many(values)
        memory.maintain(settle=True)
        lose(memory)
    shutil.copytree(cold, tmp_path / "packs")
    result = restored(cold, tmp_path / "new")
    assert result.missing == []
    check_built(result, tmp_path / "new", cold, values, namespaces=names)
    result = scanned(only_packs(tmp_path / "packs"), tmp_path / "scanned")
    assert result.missing == ["own:large"]
    assert result.damaged == [LACKING.format(1)]
    check_built(result, tmp_path / "scanned", tmp_path / "packs", values)


# -- bytes of parts --------------------------------------------------------------------------------------------


def made_up(path: Path, chunk_counts: list[int]) -> tuple[Catalog, dict[bytes, list[bytes]]]:
    """Return a catalog with manifests of so many chunks, made of a few, all in a cold pack; and the chunks of each."""
    catalog = Catalog(path)
    chance = np.random.default_rng(1)
    chunks = [chance.bytes(DIGEST_BYTES) for _ in range(50)]
    named = {
        chance.bytes(DIGEST_BYTES): [chunks[n] for n in chance.integers(0, len(chunks), count)]
        for count in chunk_counts
    }
    with catalog.write(NOW) as transaction:
        pack = transaction.add_pack(3, "packs/one", 1000, 900, bytes(32), 1000, NOW)
        transaction.place_blobs((digest, 0, Place(pack, 0, n, 10)) for n, digest in enumerate([*chunks, *named]))
        for digest, some in named.items():
            transaction.put_manifest(digest, 10 * len(some), some)
    return catalog, named


def manifests_of(catalog: Catalog) -> list[tuple[Any, ...]]:
    return catalog.rows("SELECT blob, size, stored, chunks FROM manifests ORDER BY blob")


@pytest.mark.parametrize("how", ["base", "changes"])
def test_lists_of_any_length_pass_through_parts_in_bounded_records(how: str, tmp_path: Path) -> None:
    counts = [1, 2 * CHUNKS_A_ROW + 7, 1000, CHUNKS_A_ROW, *[20_000] * 10]
    catalog, _ = made_up(tmp_path / "one.db", counts)
    part = PartWriter(bytes(16), 1, 1)
    if how == "base":
        progress: dict[str, Any] = {"stage": "keys", "after": None}
        while progress["stage"] != "done":
            for table, some in add_base_rows(catalog, progress):
                part.add(table, some)
    else:
        with catalog.write(NOW) as transaction:
            ids = [number.to_bytes(8, "big", signed=True) for (number,) in catalog.rows("SELECT id FROM blobs")]
            transaction.connection.executemany("INSERT INTO changed VALUES (2, ?, 1)", [(stored,) for stored in ids])
        with catalog.snapshot() as query:
            for table, some in changed_rows(query, NOW):
                part.add(table, some)
    content = part.finish(complete=True)
    read_head(content, part.name)
    loading = CatalogLoading(loaded := Catalog(tmp_path / "two.db"), NOW)
    loading.apply("packs", [(1, "packs/one", 1000, 900, bytes(32), 1000, NOW)] if how == "changes" else [])
    for table, some in read_rows(content, part.name):
        assert sum(len(row[-1]) for row in some if table == "manifests") <= LONGEST_RECORD // 8
        if table in {"blobs", "manifests", "packs"}:
            loading.apply(table, some)
    loading.commit()
    loading.finish(bytes(16), 1, trust_pickle=True)
    assert manifests_of(loaded) == manifests_of(catalog)
    counted = "SELECT id, refs FROM blobs ORDER BY id"
    assert loaded.rows(counted) == catalog.rows(counted)
    catalog.close()
    loaded.close()


def test_half_a_chunk_in_a_part_is_damage(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "one.db")
    loading = CatalogLoading(catalog, NOW)
    loading.apply("manifests", [(1, 100, 0, bytes(12))])
    with pytest.raises(CorruptionError, match="half a chunk"):
        loading.commit()
    catalog.close()


def test_a_content_that_is_kept_whole_again_names_no_chunks_after_a_restoration(tmp_path: Path) -> None:
    """Rows of a later part replace a blob's: what it was made of in an earlier one is void."""
    catalog = Catalog(tmp_path / "one.db")
    loading = CatalogLoading(catalog, NOW)
    loading.apply("packs", [(1, "packs/one", 1000, 900, bytes(32), 1000, NOW)])
    loading.apply("blobs", [(n, bytes(24), 0, 1, 0, 10 * n, 10) for n in (1, 2, 3)])
    loading.apply("manifests", [(1, 10, 0, (2).to_bytes(8, "little")), (3, 10, 0, (2).to_bytes(8, "little"))])
    loading.apply("keys", [(b"sa", 1, 1, 0, 0, None, None, None), (b"sb", 3, 2, 0, 0, None, None, None)])
    loading.apply("blobs", [(1, bytes(24), 0, 1, 0, 40, 10)])
    loading.apply("gone_blobs", [(3,)])
    loading.commit()
    assert loading.drop_lost_keys() == [b"sb"]
    loading.finish(bytes(16), 1, trust_pickle=True)
    assert catalog.rows("SELECT id, refs FROM blobs ORDER BY id") == [(1, 1), (2, 0)]
    assert catalog.rows("SELECT blob FROM manifests") == []
    assert catalog.rows("SELECT blob FROM dead") == [(2,)]
    catalog.close()
