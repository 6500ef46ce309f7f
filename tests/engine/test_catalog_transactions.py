"""Transactions of the catalog: reference counts and graces are those of the keys, whichever way rows were written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stratakv.engine.catalog import Catalog
from stratakv.engine.catalog_write import LOOKED_UP_TOGETHER
from stratakv.engine.records import ANYWHERE, IN_WARM, KeyRecord, Place, encode_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

NOW = 1_700_000_000
A, B = b"a" * 32, b"b" * 32
TWIN = A[:8] + b"t" * 24


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path / "catalog.sqlite")
    yield catalog
    catalog.close()


def record(digest: bytes | None, version: int = 1) -> KeyRecord:
    return KeyRecord(version, digest, 0, ANYWHERE, ANYWHERE, 0, 0, None)


def commit(
    catalog: Catalog,
    placed: Mapping[bytes, int] | None = None,
    keys: Mapping[str, bytes | None] | None = None,
    expected: Mapping[bytes, int] | None = None,
) -> None:
    with catalog.write(NOW) as transaction:
        transaction.expect_references(expected or {})
        if placed:
            pack = transaction.add_pack(IN_WARM, f"pack {len(catalog.rows('SELECT id FROM packs'))}", 1, 0, A, 1, NOW)
            transaction.place_blobs((digest, 0, Place(pack, 0, 0, size)) for digest, size in placed.items())
        transaction.put_keys((encode_key(key), record(digest), False) for key, digest in (keys or {}).items())


def references(catalog: Catalog) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    for digest in (A, B, TWIN):
        blob = catalog.find_blob(digest)
        if blob is not None:
            found[digest] = catalog.rows("SELECT refs FROM blobs WHERE id = ?", (blob.blob,))[0][0]
    return found


def dead(catalog: Catalog) -> set[Any]:
    return {row[0] for row in catalog.rows("SELECT blob FROM dead")}


def number(catalog: Catalog, digest: bytes) -> int:
    found = catalog.find_blob(digest)
    assert found is not None
    return found.blob


@pytest.mark.parametrize("expected", [{}, {A: 2, B: 1}, {A: 1}, {A: 5, B: 3}])
def test_counts_are_those_of_the_keys_whatever_was_expected(catalog: Catalog, expected: dict[bytes, int]) -> None:
    commit(catalog, {A: 1, B: 1}, {"one": A, "two": A, "three": B}, expected)
    assert references(catalog) == {A: 2, B: 1}
    assert dead(catalog) == set()


@pytest.mark.parametrize("expected", [{}, {A: 3}])
def test_a_content_that_no_key_names_is_in_its_grace_period(catalog: Catalog, expected: dict[bytes, int]) -> None:
    commit(catalog, {A: 1}, {}, expected)
    assert references(catalog) == {A: 0}
    assert dead(catalog) == {number(catalog, A)}
    commit(catalog, keys={"one": A})
    assert references(catalog) == {A: 1}
    assert dead(catalog) == set()


def test_overwriting_lets_the_old_content_go_and_storing_it_again_brings_it_back(catalog: Catalog) -> None:
    commit(catalog, {A: 1}, {"one": A}, {A: 1})
    commit(catalog, {B: 1}, {"one": B}, {B: 1})
    assert references(catalog) == {A: 0, B: 1}
    assert dead(catalog) == {number(catalog, A)}
    commit(catalog, keys={"one": A})
    assert references(catalog) == {A: 1, B: 0}
    assert dead(catalog) == {number(catalog, B)}


def test_contents_that_begin_alike_are_told_apart(catalog: Catalog) -> None:
    commit(catalog, {A: 1, TWIN: 2}, {"one": A, "two": TWIN}, {A: 1, TWIN: 1})
    assert number(catalog, A) != number(catalog, TWIN)
    assert references(catalog) == {A: 1, TWIN: 1}
    commit(catalog, {TWIN: 3}, {"two": TWIN}, {TWIN: 1})
    assert references(catalog) == {A: 1, TWIN: 1}
    found = catalog.find_blob(TWIN)
    assert found is not None
    assert found.place.size == 3


def test_a_content_stored_anew_lies_in_the_new_pack_only(catalog: Catalog) -> None:
    commit(catalog, {A: 10}, {"one": A}, {A: 1})
    commit(catalog, {A: 10}, {"two": A}, {A: 1})
    assert references(catalog) == {A: 2}
    assert [row[0] for row in catalog.rows("SELECT live FROM packs ORDER BY id")] == [0, 10]


@pytest.mark.parametrize("count", [1, LOOKED_UP_TOGETHER, LOOKED_UP_TOGETHER + 1, 5 * LOOKED_UP_TOGETHER - 1])
def test_keys_are_written_and_removed_in_any_number(catalog: Catalog, count: int) -> None:
    keys = {f"key {n}": A for n in range(count)}
    commit(catalog, {A: 1}, keys, {A: count})
    assert references(catalog) == {A: count}
    assert catalog.live_keys == count
    commit(catalog, keys={key: (None if n % 2 else A) for n, key in enumerate(keys)})
    assert references(catalog) == {A: catalog.live_keys} == {A: (count + 1) // 2}
    assert len(catalog.rows("SELECT key FROM keys")) == (count + 1) // 2
