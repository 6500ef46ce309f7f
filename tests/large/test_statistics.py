"""Statistics of large values: they count with the bytes of their plaintext, and once, whatever they are cut into."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware
from stratakv.engine.catalog_manifests import numbers_in
from stratakv.engine.large.cutting import ARRAY_PIECE_BYTES
from stratakv.engine.serialization import Serializer
from stratakv.engine.store import Store
from tests.cli.test_verify import change
from tests.large.documents import edited, text
from tests.large.stores import opened, rows

if TYPE_CHECKING:
    from pathlib import Path


def versions(count: int, size: int) -> list[str]:
    documents = [text(1, size)]
    for seed in range(count - 1):
        documents.append(edited(documents[-1], seed))
    return documents


def plaintext_of(values: dict[str, Any]) -> int:
    return sum(len(Serializer().dumps(value)) for value in values.values())


def check(memory: OptimizationMiddleware, values: dict[str, Any]) -> dict[str, Any]:
    """Assert what the statistics say of large values, recomputed from the values and the rows; return them."""
    told: dict[str, Any] = memory.get_statistics()
    plaintexts = {Serializer().dumps(value) for value in values.values()}
    assert told["overall"]["plaintext_bytes"] == plaintext_of(values)
    held = told["overall"]["held_bytes"]
    assert told["overall"]["memory_reduction_percent"] == pytest.approx(100 * (1 - held / plaintext_of(values)))
    dedup = told["deduplication"]
    assert (dedup["unique_contents"], dedup["total_references"]) == (len(plaintexts), len(values))
    assert dedup["dedup_ratio"] == pytest.approx(1 - len(plaintexts) / len(values))
    assert sum(row["plaintext_bytes"] for row in told["namespaces"].values()) <= plaintext_of(values)
    return told


@pytest.mark.parametrize("size", [12_000, 60_000], ids=["journaled", "ahead of the journal"])
def test_ten_versions_count_ten_times_in_the_journal_and_in_packs(tmp_path: Path, size: int) -> None:
    values: dict[str, Any] = {str(number): document for number, document in enumerate(versions(10, size))}
    values |= {"again": values["3"], "small": [1, 2]}
    with opened(tmp_path) as memory:
        memory.store_many(values)
        assert check(memory, values)["deduplication"]["large_values"] == 0
        memory.maintain()
        told = check(memory, values)
        assert told["namespaces"]["default"]["plaintext_bytes"] == plaintext_of(values)
        assert told["namespaces"]["default"]["contents"] == 11
        assert told["deduplication"]["large_values"] == 10
        ((kept,),) = rows(memory, "SELECT sum(size) FROM blobs WHERE refs > 0")
        assert told["deduplication"]["space_saved_percent"] == pytest.approx(100 * (1 - kept / plaintext_of(values)))
        assert told["deduplication"]["space_saved_percent"] > 60
        chunks = {n for (row,) in rows(memory, "SELECT chunks FROM manifests") for n in numbers_in(row)}
        assert told["deduplication"]["chunks"] == len(chunks)
        ((lying,),) = rows(memory, "SELECT sum(size) FROM blobs WHERE id NOT IN (SELECT blob FROM manifests)")
        compression = told["compression"]
        packed = lying - compression["space_saved_bytes"]
        assert 0 < packed <= told["storage"]["warm_bytes"]
        assert compression["overall_compression_ratio"] == pytest.approx(1 - packed / lying)


def test_versions_that_died_count_no_more_before_and_after_they_are_collected(tmp_path: Path) -> None:
    values: dict[str, Any] = {str(number): document for number, document in enumerate(versions(6, 30_000))}
    with opened(tmp_path) as memory:
        memory.store_many(values)
        memory.maintain()
        memory.delete("0")
        memory["1"] = values["1"] = "short"
        memory["2"] = values["2"] = edited(values["3"], 99)
        del values["0"]
        memory.maintain()
        assert rows(memory, "SELECT count(*) FROM dead JOIN manifests USING (blob)") == [(3,)]
        assert check(memory, values)["deduplication"]["large_values"] == 4
        memory.maintain(settle=True)
        memory.maintain(settle=True)
        assert rows(memory, "SELECT count(*) FROM manifests") == [(4,)]
        check(memory, values)
    with opened(tmp_path) as memory:
        check(memory, values)


def test_namespaces_tell_large_values_by_their_keys_and_no_chunks(tmp_path: Path) -> None:
    one, two = versions(2, 30_000)
    values: dict[str, Any] = {"a:1": one, "a:2": two, "b:1": two, "b:2": edited(two, 5), "b:3": 1}
    names = {"a": {"match": "a:*"}, "b": {"match": "b:*"}}
    with opened(tmp_path, namespaces=names) as memory:
        for key, value in values.items():
            memory[key] = value
            memory.maintain()
        told = check(memory, values)["namespaces"]
    for name, contents in (("a", 2), ("b", 2)):
        own = {key: value for key, value in values.items() if key.startswith(name)}
        assert (told[name]["keys"], told[name]["contents"]) == (len(own), contents)
        assert told[name]["plaintext_bytes"] == plaintext_of(own)


def test_a_chunk_that_a_key_names_as_well_is_a_content(tmp_path: Path) -> None:
    array = np.random.default_rng(1).random((2000, 300), np.float32)
    values: dict[str, Any] = {"array": array, "run": array[: ARRAY_PIECE_BYTES // (300 * 4)].copy()}
    with opened(tmp_path, small=False) as memory:
        memory["array"] = array
        memory.maintain()
        chunks = check(memory, {"array": array})["deduplication"]["chunks"]
        memory["run"] = values["run"]
        memory.maintain()
        assert check(memory, values)["deduplication"]["chunks"] == chunks - 1


def test_who_only_reads_what_a_killed_owner_left_counts_large_values_too(tmp_path: Path) -> None:
    values: dict[str, Any] = {str(number): document for number, document in enumerate(versions(3, 60_000))}
    with opened(tmp_path / "store") as memory:
        memory["0"] = values["0"]
        memory.maintain()
        memory.store_many(values)
        memory.flush()
        shutil.copytree(tmp_path / "store", tmp_path / "left")
    config = OptimizationConfig(storage={"path": str(tmp_path / "left")})
    reading = Store(config, clock=ManualClock(), read_only=True)
    try:
        assert reading.statistics.all()["overall"]["plaintext_bytes"] == plaintext_of(values)
        assert reading.statistics.deduplication()["large_values"] == 1
    finally:
        reading.close()


def test_a_catalog_of_an_earlier_release_has_no_large_values_to_count(tmp_path: Path) -> None:
    values: dict[str, Any] = {str(number): [number] * 50 for number in range(40)}
    with opened(tmp_path) as memory:
        memory.store_many(values)
    change(tmp_path, "DROP TABLE manifests")
    reading = Store(OptimizationConfig(storage={"path": str(tmp_path)}), clock=ManualClock(), read_only=True)
    try:
        told = reading.statistics.all()
        assert told["overall"]["plaintext_bytes"] == plaintext_of(values)
        assert told["namespaces"]["default"]["plaintext_bytes"] == plaintext_of(values)
        assert reading.retrieve("7") == values["7"]
    finally:
        reading.close()
    with opened(tmp_path) as memory:
        memory["large"] = values["large"] = text(1, 9_000)
        memory.maintain()
        assert check(memory, values)["deduplication"]["large_values"] == 1
