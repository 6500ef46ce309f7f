"""Parts of backups: what is written is read, and whatever else is read is `CorruptionError` and little memory."""

from __future__ import annotations

import hashlib
import random
import struct
import tracemalloc
from typing import TYPE_CHECKING, Any

import ormsgpack
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from stratakv.engine.backup_format import (
    HEADER,
    LONGEST_RECORD,
    ROWS_A_RECORD,
    TABLES,
    PartWriter,
    epoch_and_number,
    part_name,
    read_head,
    read_rows,
)  # fmt: skip
from stratakv.errors import CorruptionError
from tests.recovery.lost_machines import lose, open_far, parts_in, restored

if TYPE_CHECKING:
    from pathlib import Path

STORE = bytes(range(16))
KEYS = [(b"skey:%d" % n, n - 5, n, 0, 0, None, None, b"x" if n % 2 else None) for n in range(1000)]


def part(*, complete: bool = True) -> bytes:
    writer = PartWriter(STORE, 3, 17)
    writer.add("keys", KEYS)
    writer.add("gone_blobs", [(-(1 << 63),), ((1 << 63) - 1,)])
    writer.add("chain", [(part_name(3, 16),)])
    return writer.finish(complete=complete)


def forged(body: bytes) -> bytes:
    """Return a part whose digest is right, with any body."""
    content = HEADER.pack(b"SKVB", 1, 1, 0, STORE, 1, 1) + zstandard.ZstdCompressor().compress(body)
    return content + hashlib.sha256(content).digest()


def record(table: object, columns: object) -> bytes:
    packed = ormsgpack.packb([table, columns])
    return struct.pack("<I", len(packed)) + packed


def rows_of(content: bytes) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = {}
    for table, rows in read_rows(content, "a part"):
        assert len(rows) <= ROWS_A_RECORD
        found.setdefault(table, []).extend(rows)
    return found


def test_a_part_gives_back_its_rows() -> None:
    for complete in (False, True):
        content = part(complete=complete)
        assert read_head(content, "a part") == (complete, STORE, 3, 17)
    found = rows_of(content)
    assert found["keys"] == KEYS
    assert found["gone_blobs"] == [(-(1 << 63),), ((1 << 63) - 1,)]
    assert found["chain"] == [("catalog/000000000003-0000000016.part",)]


def test_names_sort_as_parts_were_written() -> None:
    places = [(1, 1), (1, 2), (1, 10), (2, 1), (9, 9), (10, 1), (123456, 1 << 20)]
    names = [part_name(*place) for place in places]
    assert names == sorted(names)
    assert [epoch_and_number(name) for name in names] == places
    for other in (
        "catalog/1-2.part",
        "catalog/x",
        "manifests/000000000001.json",
        "catalog/00000000000a-0000000001.part",
    ):
        assert epoch_and_number(other) is None


def test_any_byte_that_changed_is_found() -> None:
    content, chance = part(), random.Random(3)
    for _ in range(300):
        position = chance.randrange(len(content))
        changed = bytearray(content)
        changed[position] ^= 1 << chance.randrange(8)
        with pytest.raises(CorruptionError):
            read_head(bytes(changed), "a part")
    for length in range(0, len(content), 37):
        with pytest.raises(CorruptionError):
            read_head(content[:length], "a part")


@given(st.binary(max_size=300))
def test_any_body_is_rows_or_corruption(body: bytes) -> None:
    for content in (forged(body), HEADER.pack(b"SKVB", 1, 1, 0, STORE, 1, 1) + body + bytes(32)):
        try:
            rows_of(content)
        except CorruptionError:
            continue


FIELDS = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.binary(max_size=9) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([*TABLES, "other"]) | FIELDS, st.lists(st.lists(FIELDS, max_size=3), max_size=9) | FIELDS)
def test_any_record_is_rows_of_the_right_types_or_corruption(table: object, columns: object) -> None:
    try:
        found = rows_of(forged(record(table, columns)))
    except CorruptionError:
        return
    for name, rows in found.items():
        for row in rows:
            assert len(row) == len(TABLES[name])
            assert all(value is None or isinstance(value, kind) for value, kind in zip(row, TABLES[name], strict=True))


@pytest.mark.parametrize(
    "body",
    [
        struct.pack("<I", LONGEST_RECORD + 1) + bytes(10),
        struct.pack("<I", (1 << 32) - 1) + bytes(200 << 20),
        struct.pack("<I", LONGEST_RECORD - 1) + bytes(100),
        struct.pack("<I", 5) + b"\xdd\xff\xff\xff\xff",
        struct.pack("<I", 6) + b"\x92\xa0\xdd\xff\xff\xff",
        record("keys", [[0] * 1_000_000] * 8),
        record("gone_blobs", [[1 << 63]]),
        record("keys", [[b"key"], [None], [None], [0], [0], [None], [None], [None]]),
    ],
    ids=["length", "bomb", "short", "array", "table", "rows", "number", "none"],
)
def test_what_claims_to_be_large_costs_little(body: bytes) -> None:
    content = forged(body)
    del body
    tracemalloc.start()
    try:
        with pytest.raises(CorruptionError):
            rows_of(content)
        assert tracemalloc.get_traced_memory()[1] < 3 * LONGEST_RECORD
    finally:
        tracemalloc.stop()


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """The cold tier of a lost machine, with one backup."""
    with open_far(tmp_path / "lost", tmp_path / "cold") as memory:
        memory["key"] = "value"
        memory.maintain(settle=True)
        lose(memory)
    assert len(parts_in(tmp_path / "cold")) == 1
    return tmp_path / "cold"


CONTRADICTIONS: dict[str, dict[str, list[tuple[Any, ...]]]] = {
    "of another kind": {"meta": [("saved", "yesterday")]},
    "of another store": {"meta": [("store_id", bytes(16))]},
    "a list": {"meta": [("created", [1])]},
    "a name of no part": {"chain": [("../../etc/passwd",)]},
    "a part that is missing": {"chain": [(part_name(1, 5),)]},
}


@pytest.mark.parametrize("tables", CONTRADICTIONS.values(), ids=list(CONTRADICTIONS))
def test_a_part_that_says_what_cannot_be_restores_nothing(
    tmp_path: Path, left: Path, tables: dict[str, list[tuple[Any, ...]]]
) -> None:
    (name,) = parts_in(left)
    writer = PartWriter(STORE, 1, 1)
    for table, rows in tables.items():
        writer.add(table, rows)
    (left / "catalog" / name).write_bytes(writer.finish(complete=True))
    with pytest.raises(CorruptionError):
        restored(left, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_odd_names_of_packs_and_dictionaries_are_reported(tmp_path: Path, left: Path) -> None:
    (name,) = parts_in(left)
    writer = PartWriter(STORE, 1, 1)
    writer.add("packs", [(1, "../../outside", 5, 0, bytes(32), 5, 0)])
    writer.add("dictionaries", [(1, 0, 0, "../dictionary")])
    writer.add("doomed", [("../../doomed", 1, 1)])
    (left / "catalog" / name).write_bytes(writer.finish(complete=True))
    result = restored(left, tmp_path / "new")
    assert result.keys == 0
    assert len(result.damaged) == 2


@pytest.mark.parametrize("seed", range(3))
def test_garbled_parts_in_a_tier_are_corruption_or_an_older_backup(tmp_path: Path, seed: int) -> None:
    chance, cold = random.Random(seed), tmp_path / "cold"
    with open_far(tmp_path / "lost", cold) as memory:
        for turn in range(5):
            memory[f"key:{turn}"] = turn
            memory.maintain(settle=True)
        lose(memory)
    names = parts_in(cold)
    sound = {name: (cold / "catalog" / name).read_bytes() for name in names}
    for number in range(12):
        for name in chance.sample(names, 2):
            content = bytearray(sound[name])
            content[chance.randrange(len(content))] ^= 0x40
            (cold / "catalog" / name).write_bytes(content[: chance.choice((None, 20, len(content) // 2))])
        path = tmp_path / str(number)
        try:
            result = restored(cold, path)
        except CorruptionError as failure:
            assert "--scan" in str(failure)  # noqa: PT017 -- either outcome is right
            assert not path.exists()
        else:
            assert result.keys + len(result.missing) <= 5
        for name, content_then in sound.items():
            (cold / "catalog" / name).write_bytes(content_then)
