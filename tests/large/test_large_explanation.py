"""Explanations of large values: their size, their chunks, where these lie, and what others share of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stratakv import StorageTier
from stratakv.cli.main import main
from stratakv.engine.catalog_manifests import numbers_in
from stratakv.engine.large.cutting import ARRAY_PIECE_BYTES
from stratakv.engine.large_standing import LargeStanding
from stratakv.engine.serialization import Serializer
from tests.cli.test_verify import change
from tests.engine.explained import told
from tests.large.documents import edited, text
from tests.large.stores import opened, rows

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from stratakv import OptimizationMiddleware

ONE = text(1, 30_000)


def size_of(value: object) -> int:
    return len(Serializer().dumps(value))


def recomputed(memory: OptimizationMiddleware, key: str) -> LargeStanding:
    """Return what is to be said of a checkpointed large value, from rows alone."""
    named: dict[int, list[int]] = {}
    for blob, chunks in rows(memory, "SELECT blob, chunks FROM manifests"):
        named[blob] = numbers_in(chunks)
    ((blob,),) = rows(memory, f"SELECT blob FROM keys WHERE key = CAST('s{key}' AS BLOB)")
    of_keys = {row[0] for row in rows(memory, "SELECT blob FROM keys")}
    others = of_keys | {chunk for other, chunks in named.items() if other != blob for chunk in chunks}
    places = {
        row[0]: row[1:] for row in rows(memory, "SELECT b.id, b.size, p.tier FROM blobs b JOIN packs p ON p.id = pack")
    }
    mine = named[blob]
    tiers = [{2: "warm", 3: "cold"}[places[chunk][1]] for chunk in set(mine) if chunk in places]
    return LargeStanding(
        plaintext_bytes=rows(memory, f"SELECT size FROM manifests WHERE blob = {blob}")[0][0],
        chunks=len(mine),
        tiers={tier: tiers.count(tier) for tier in set(tiers)},
        lacking=len(set(mine) - set(places)),
        shared_bytes=sum(places[chunk][0] for chunk in mine if chunk in others and chunk in places),
    )


def test_a_large_value_tells_its_bytes_its_chunks_and_what_versions_share(tmp_path: Path) -> None:
    values: dict[str, Any] = {"one": ONE, "two": edited(ONE, 1), "alone": text(2, 9_000), "itself": "abcd" * 5_000}
    with opened(tmp_path) as memory:
        memory.store_many(values)
        memory.store("again", ONE)
        memory.maintain()
        for key, value in values.items():
            found = told(memory, key)
            assert found.plaintext_bytes == size_of(value)
            assert found.large == recomputed(memory, key)
            assert found.trouble is None
            assert found.references == (2 if key == "one" else 1)
        one, alone = told(memory, "one").large, told(memory, "alone").large
        assert one is not None
        assert alone is not None
        assert 0.5 * size_of(ONE) < one.shared_bytes < size_of(ONE)
        assert alone.shared_bytes == 0
        memory["two"] = "short now"
        memory.maintain(settle=True)
        memory.maintain(settle=True)
        large = told(memory, "one").large
        assert large == recomputed(memory, "one")
        assert large is not None
        assert (large.shared_bytes, set(large.tiers)) == (0, {"cold"})
        assert told(memory, "two").large is None


def test_a_value_ahead_of_the_journal_is_explained_before_its_checkpoint(tmp_path: Path) -> None:
    two = edited(ONE, 1)
    with opened(tmp_path) as memory:
        memory["one"] = ONE
        memory.maintain()
        memory["two"] = two
        found = told(memory, "two")
        assert (found.dirty, found.plaintext_bytes, found.tier) == (True, size_of(two), "hot")
        before = found.large
        memory.maintain()
        after = told(memory, "two").large
        assert before == after == recomputed(memory, "two")


def test_a_journaled_value_is_whole_until_its_checkpoint(tmp_path: Path) -> None:
    value = text(3, 9_000)
    with opened(tmp_path) as memory:
        memory["k"] = value
        found = told(memory, "k")
        assert (found.large, found.plaintext_bytes) == (None, size_of(value))
        memory.maintain()
        found = told(memory, "k")
        assert (found.large, found.plaintext_bytes) == (recomputed(memory, "k"), size_of(value))


def test_keys_are_counted_as_references_and_chunks_are_not(tmp_path: Path) -> None:
    array = np.random.default_rng(1).random((2000, 300), np.float32)
    run = array[: ARRAY_PIECE_BYTES // (300 * 4)].copy()
    with opened(tmp_path, small=False) as memory:
        memory["array"] = array
        memory["also"] = array + 0
        memory["run"] = run
        memory.maintain()
        assert (told(memory, "run").references, told(memory, "array").references) == (1, 2)
        memory["twin"] = run
        assert told(memory, "run").references == 2
        memory.maintain()
        assert told(memory, "run").references == 2
        assert told(memory, "run").large is None
        assert told(memory, "array").large == recomputed(memory, "array")


def test_chunks_that_are_gone_are_told_as_trouble(tmp_path: Path) -> None:
    with opened(tmp_path) as memory:
        memory["k"] = ONE
    change(
        tmp_path, "DELETE FROM blobs WHERE id IN (SELECT id FROM blobs WHERE id NOT IN (SELECT blob FROM keys) LIMIT 3)"
    )
    with opened(tmp_path) as memory:
        found = told(memory, "k")
        assert found.large == recomputed(memory, "k")
        assert found.trouble == "3 of its chunks are gone"


def test_the_command_tells_size_chunks_and_tiers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with opened(tmp_path) as memory:
        memory.store("one", ONE, tier=StorageTier.COLD)
        memory["two"] = edited(ONE, 1)
        memory.maintain()
        memory.maintain()
        large = recomputed(memory, "two")
    capsys.readouterr()
    assert main(["explain", "two", "--dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    (line,) = [line for line in out.splitlines() if line.startswith("large value")]
    assert f"{large.chunks:,} chunks (" in line
    for tier, count in large.tiers.items():
        assert f"{count} in {tier}" in line
    assert line.endswith("shared with other values")
    assert "its manifest" in out
    assert main(["migrate", "two", "--to", "cold", "--dir", str(tmp_path), "--json"]) == 0
