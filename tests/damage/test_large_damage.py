"""Damage in the packs of large values: named by key, felt by what needs the damaged chunk, healed by a new store."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from stratakv.errors import CorruptionError, TierUnavailableError
from tests.damage.stored_layers import copies, flip, pack_files
from tests.large.documents import edited, text
from tests.large.stores import check_references, opened

if TYPE_CHECKING:
    from pathlib import Path

    from stratakv import OptimizationMiddleware
    from stratakv.engine.records import Place

CONTENT = random.Random(1).randbytes(200_000)
VALUES = {
    "bytes": CONTENT,
    "page": text(1, 12_000),
    "next page": edited(text(1, 12_000), 2),
    "small": {"a": 1},
}


@pytest.fixture(scope="module", params=["warm", "cold"])
def template(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> tuple[Path, str]:
    directory = tmp_path_factory.mktemp("large") / "store"
    with opened(directory, compression={"cold_block_kb": 16}) as memory:
        memory.store_many(VALUES)
        memory.maintain(settle=request.param == "cold")
    return directory, request.param


def damaged_keys(memory: OptimizationMiddleware) -> set[str]:
    """Read every key; return those that are damaged. Fails on a wrong value."""
    damaged = set()
    messages: list[tuple[str, str]] = []
    for key, value in VALUES.items():
        try:
            found = memory[key]
        except CorruptionError as failure:
            damaged.add(key)
            messages.append((key, str(failure)))
        else:
            assert found == value
    assert [message for key, message in messages if repr(key) not in message] == []
    return damaged


def test_a_flipped_byte_costs_what_needs_its_block_and_a_new_store_heals_it(
    template: tuple[Path, str], tmp_path: Path
) -> None:
    directory, tier = template
    chance = random.Random(3)
    fresh = copies(directory, tmp_path)
    found: set[str] = set()
    for _ in range(12):
        copy = next(fresh)
        packs = pack_files(copy, tier)
        pack = chance.choice(packs)
        flip(pack, chance.randrange(40, pack.stat().st_size - 400))
        with opened(copy) as memory:
            damaged = damaged_keys(memory)
            for key in damaged:
                memory[key] = VALUES[key]
            assert damaged_keys(memory) == set()
            memory.maintain()
            assert damaged_keys(memory) == set()
            check_references(memory)
        with opened(copy) as memory:
            assert damaged_keys(memory) == set()
        found |= damaged
    assert "bytes" in found
    assert len(found) > 1


def test_ranges_that_need_no_damaged_chunk_are_read(template: tuple[Path, str], tmp_path: Path) -> None:
    directory, tier = template
    copy = next(copies(directory, tmp_path))
    for pack in pack_files(copy, tier):
        if pack.stat().st_size > 100_000:
            flip(pack, pack.stat().st_size // 2)  # the manifest lies behind the chunks
    with opened(copy) as memory:
        read = refused = 0
        for start in range(0, len(CONTENT), 2000):
            try:
                found = memory.retrieve_range("bytes", start, start + 2000)
            except CorruptionError:
                refused += 1
            else:
                assert found == CONTENT[start : start + 2000]
                read += 1
        assert refused >= 1
        assert read > refused or tier == "cold"  # where one block holds all chunks of a value of this size


def test_a_missing_pack_is_named_and_a_new_store_heals_it(template: tuple[Path, str], tmp_path: Path) -> None:
    directory, tier = template
    copy = next(copies(directory, tmp_path))
    largest = max(pack_files(copy, tier), key=lambda path: path.stat().st_size)
    largest.unlink()
    with opened(copy) as memory:
        damaged = damaged_keys(memory)
        assert "bytes" in damaged
        for key in damaged:
            memory[key] = VALUES[key]
        memory.maintain()
        assert damaged_keys(memory) == set()
        check_references(memory)


def test_damage_is_told_though_its_tier_goes_away_while_more_of_it_is_looked_for(
    template: tuple[Path, str], tmp_path: Path
) -> None:
    directory, _ = template
    with opened(next(copies(directory, tmp_path))) as memory:
        shelf = memory.dedup_engine._store.parts.shelf
        before, asked = shelf.read, 0

        def failing(place: Place, digest: bytes, namespace: int) -> bytes:
            nonlocal asked
            asked += 1
            if asked == 1:
                return before(place, digest, namespace)  # the manifest
            raise CorruptionError("damaged") if asked == 2 else TierUnavailableError("away")

        shelf.read = failing  # type: ignore[method-assign]  # the chunk is damaged, and then nothing answers
        with pytest.raises(CorruptionError, match="'bytes'"):
            memory.retrieve("bytes")
        assert asked > 2
