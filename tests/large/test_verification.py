"""Verification of large values: damage to a chunk or a manifest names the keys of every value that it costs."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from stratakv import OptimizationConfig
from stratakv.engine.catalog import Catalog
from stratakv.engine.catalog_manifests import numbers_in
from stratakv.engine.codecs.base import Encoded
from stratakv.engine.codecs.raw import RawCodec
from stratakv.engine.compression import CompressionEngine
from stratakv.engine.large.manifest import MANIFEST, PLAIN, Chunk, Manifest, read_manifest
from stratakv.engine.packs import FOOTER, PackBuilder, PackIndex, check_block
from stratakv.engine.records import decode_key
from stratakv.engine.verification import Verification, verify_directory
from tests.cli.test_verify import change, file_of, flip, packs
from tests.large.documents import edited, text
from tests.large.stores import opened, rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ONE = text(1, 20_000)
VALUES: dict[str, Any] = {
    "one": ONE, "again": ONE, "two": edited(ONE, 1, edits=1), "other": text(2, 20_000), "small": [1, 2, 3],
}  # fmt: skip
SMALL_BLOCKS = {"cold_block_kb": 4, "warm_block_kb": 4}
A_CHUNK = "(SELECT id FROM blobs WHERE refs > 0 AND id NOT IN (SELECT blob FROM manifests) ORDER BY refs DESC LIMIT 1)"
TURNED = "CAST(substr(chunks, 9) || substr(chunks, 1, 8) AS BLOB)"
OTHER = "(SELECT blob FROM keys WHERE key = CAST('sother' AS BLOB))"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that was closed, with everything in cold and a value that died."""
    path = tmp_path_factory.mktemp("large") / "store"
    with opened(path, compression=SMALL_BLOCKS) as memory:
        memory.store_many(VALUES)
        memory["dead"] = edited(ONE, 9)
        memory.maintain(settle=True)
        memory.delete("dead")
        memory.maintain()
    return path


@pytest.fixture
def store(sound: Path, tmp_path: Path) -> Path:
    return shutil.copytree(sound, tmp_path / "store")


def verified(path: Path) -> Verification:
    return verify_directory(OptimizationConfig(storage={"path": str(path)}))


def catalog_rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    catalog = Catalog(path / "catalog.db")
    try:
        return catalog.rows(sql)
    finally:
        catalog.close()


def keys_that_need(path: Path, blobs: set[int]) -> set[str]:
    """Return the keys that cannot be read without some contents."""
    named: dict[int, set[int]] = {}
    for blob, chunks in catalog_rows(path, "SELECT blob, chunks FROM manifests"):
        named[blob] = set(numbers_in(chunks))
    keys = catalog_rows(path, "SELECT key, blob FROM keys WHERE blob IS NOT NULL")
    return {decode_key(key) for key, blob in keys if ({blob} | named.get(blob, set())) & blobs}


def keys_of(found: Verification) -> set[str]:
    return {key for finding in found.damage for key in finding.keys}


def index_of(path: Path) -> tuple[Path, bytes, PackIndex]:
    """Return the file, bytes and index of the only pack that has manifests."""
    (number,) = {row[0] for row in catalog_rows(path, "SELECT b.pack FROM blobs b JOIN manifests m ON m.blob = b.id")}
    (pack,) = [pack for pack in packs(path) if pack.id == number]
    file = file_of(path, pack)
    content = file.read_bytes()
    return file, content, PackIndex(content[pack.index_offset : -FOOTER.size], pack.index_digest, pack.name)


def rebuild(path: Path, alter: Callable[[bytes, int], tuple[bytes, int]]) -> None:
    """Write the pack with other blocks: `alter` returns (bytes, kind) of one blob given its own."""
    file, content, index = index_of(path)
    catalog = Catalog(path / "catalog.db")
    builder = PackBuilder(3, catalog.meta("store_id"))
    catalog.close()
    decode = CompressionEngine().decode
    for number, sizes in enumerate(index.sizes()):
        block = index.block(number)
        plaintext = decode(check_block(content[block.offset : block.offset + block.length], block, "the pack"))
        made, kind, offset = [], block.kind, 0
        for size in sizes:
            blob, kind = alter(plaintext[offset : offset + size], block.kind)
            assert len(blob) == size
            made.append(blob)
            offset += size
        whole = b"".join(made)
        builder.add(Encoded(RawCodec.id, 0, len(whole), whole, kind), block.namespace, list(sizes))
    written, offset, digest = builder.finish()
    file.write_bytes(written)
    change(
        path,
        f"UPDATE packs SET bytes = {len(written)}, index_offset = {offset}, index_digest = x'{digest.hex()}' "
        f"WHERE name LIKE '%{file.name}'",
    )


def test_a_sound_store_with_large_values_is_sound(store: Path) -> None:
    found = verified(store)
    assert (found.damage, found.leftovers) == ([], [])
    assert found.checked["keys"] == len(VALUES)
    assert [(found.checked["blobs"],)] == catalog_rows(store, "SELECT count(*) FROM blobs")


def test_a_flipped_byte_names_the_keys_of_all_values_that_the_block_is_part_of(store: Path) -> None:
    file, content, index = index_of(store)
    told = set()
    for number in range(index.blocks):
        flip(file, index.block(number).offset + 3)
        blobs = {row[0] for row in catalog_rows(store, f"SELECT id FROM blobs WHERE block = {number}")}
        found = keys_of(verified(store))
        assert found == keys_that_need(store, blobs)
        told.add(frozenset(found))
        file.write_bytes(content)
    assert {"one", "again", "two"} in told, "a chunk that versions share costs all of them"
    assert {"other"} in told


def test_a_manifest_that_is_damaged_within_its_block_names_its_keys(store: Path) -> None:
    def alter(blob: bytes, kind: int) -> tuple[bytes, int]:
        mine = kind == MANIFEST and read_manifest(blob).digest == digest
        return (blob[:60] + bytes([blob[60] ^ 1]) + blob[61:], kind) if mine else (blob, kind)

    ((tail, number),) = catalog_rows(store, f"SELECT digest, id FROM blobs WHERE id = {OTHER}")
    digest = number.to_bytes(8, "big", signed=True) + tail
    rebuild(store, alter)
    found = verified(store)
    assert [(finding.what, finding.keys) for finding in found.damage] == [("blob", ["other"])]
    assert "damaged" in found.damage[0].message


def test_a_manifest_that_names_chunks_which_are_not_there_names_its_keys(store: Path) -> None:
    def alter(blob: bytes, kind: int) -> tuple[bytes, int]:
        if kind != MANIFEST:
            return blob, kind
        manifest = read_manifest(blob)
        first = manifest.chunks[0]
        return Manifest(manifest.digest, [Chunk(bytes(32), *first[1:]), *manifest.chunks[1:]]).to_bytes(), kind

    rebuild(store, alter)
    found = verified(store)
    assert keys_of(found) == set(VALUES) - {"small"}
    assert {finding.what for finding in found.damage} == {"blob"}


def test_a_manifest_that_takes_more_of_a_chunk_than_there_is_names_its_keys(store: Path) -> None:
    def alter(blob: bytes, kind: int) -> tuple[bytes, int]:
        if kind != MANIFEST:
            return blob, kind
        manifest = read_manifest(blob)
        chunks = [Chunk(chunk.digest, chunk.size, chunk.skip + 1) for chunk in manifest.chunks]
        return Manifest(manifest.digest, chunks).to_bytes(), kind

    rebuild(store, alter)
    assert keys_of(verified(store)) == set(VALUES) - {"small"}


@pytest.mark.parametrize("kind", [PLAIN, MANIFEST])
def test_a_block_of_another_kind_than_its_contents_names_their_keys(kind: int, store: Path) -> None:
    rebuild(store, lambda blob, _: (blob, kind))
    found = keys_of(verified(store))
    assert found >= (set(VALUES) - {"small"} if kind == PLAIN else {"small"})


@pytest.mark.parametrize(
    ("sql", "what", "keys"),
    [
        (f"UPDATE blobs SET refs = refs + 1 WHERE id = {A_CHUNK}", "references", set()),
        (f"UPDATE blobs SET refs = 1 WHERE id = {OTHER} OR id = {A_CHUNK}", "references", set()),
        (f"DELETE FROM manifests WHERE blob = {OTHER}", "references", set()),
        (f"UPDATE manifests SET size = size + 1 WHERE blob = {OTHER}", "references", set()),
        (f"UPDATE manifests SET stored = stored - 1 WHERE blob = {OTHER}", "references", set()),
        (f"UPDATE manifests SET chunks = {TURNED} WHERE blob = {OTHER}", "references", set()),
        ("INSERT INTO manifests SELECT blob, 1, 0, x'' FROM keys WHERE key = CAST('ssmall' AS BLOB)",
         "references", set()),
        ("INSERT INTO manifests VALUES (12345, 1, 0, x'')", "references", set()),
        (f"DELETE FROM blobs WHERE id = {A_CHUNK}", "blob", {"one", "again", "two"}),
        (f"UPDATE blobs SET offset = offset + 1 WHERE id = {A_CHUNK}", "blob", {"one", "again", "two"}),
    ],
    ids=[
        "too-many", "too-few", "row-gone", "size", "stored", "order", "whole-content", "blob-gone", "chunk-gone",
        "chunk-elsewhere",
    ],
)  # fmt: skip
def test_rows_of_large_values_that_do_not_agree_are_damage(sql: str, what: str, keys: set[str], store: Path) -> None:
    change(store, sql)
    found = verified(store)
    assert what in {finding.what for finding in found.damage}
    assert keys_of(found) == keys


def test_a_chunk_that_is_gone_costs_the_journaled_values_that_name_it(tmp_path: Path) -> None:
    """Of what a killed owner left: a manifest in the journal, its chunks in packs."""
    with opened(tmp_path / "store") as memory:
        memory["first"] = ONE
        memory.maintain()
        memory.store_many({"late": edited(ONE, 3), "small": 1})
        memory.flush()
        new = rows(memory, "SELECT id FROM blobs WHERE refs = 0")
        shutil.copytree(tmp_path / "store", tmp_path / "left")
    left = tmp_path / "left"
    found = verified(left)
    assert (found.damage, found.checked["journal_records"]) == ([], 1)
    change(left, f"DELETE FROM blobs WHERE id = {new[0][0]}; DELETE FROM dead WHERE blob = {new[0][0]}")
    found = verified(left)
    assert ("journal", ["late"]) in [(finding.what, finding.keys) for finding in found.damage]
    assert keys_of(found) == {"late"}


def test_a_catalog_of_an_earlier_release_is_sound_without_the_table(tmp_path: Path) -> None:
    with opened(tmp_path) as memory:
        memory.store_many({str(number): [number] * 50 for number in range(40)})
    change(tmp_path, "DROP TABLE manifests")
    assert verified(tmp_path).damage == []
