"""Opening after a crash reads no more of a large store than of a small one, and what it puts off is right meanwhile.

The directory of an open store is copied, which is what `kill -9` leaves behind. What opening reads is counted, and not
timed.
"""

from __future__ import annotations

import logging
import shutil
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware, StorageTier
from stratakv.backends.disk import DiskBackend
from stratakv.engine import afterwards
from stratakv.engine.learning import FILTER_FILE
from stratakv.errors import TierUnavailableError

COUNTED = Path("/proc/self/io")
SLACK = 64 * 1024
"""Bytes of a few more catalog pages, dictionaries and rows of packs; a filter of 40,000 contents alone has 126 KB."""

FEW, MANY = 2_000, 40_000
JOURNALED = 300


def open_store(path: Path, warm: str = "disk", backends: Any = None) -> OptimizationMiddleware:
    config = OptimizationConfig(storage={"path": str(path)}, tiered_storage={"warm": {"backend": warm}})
    return OptimizationMiddleware(config=config, clock=ManualClock(), backends=backends)


def records(label: str, count: int) -> dict[str, object]:
    return {
        f"{label}:{n}": {"number": n, "label": label, "text": f"{n * 7919 % 10007} of {label}"} for n in range(count)
    }


def crashed(directory: Path, keys: int, warm: str, *, checkpointed: bool) -> Path:
    """Return what a kill leaves of a store that was closed in order, opened again and written to.

    Its filter is stale where it was checkpointed meanwhile, and else to be had.
    """
    owner, left = directory / "owner", directory / "left"
    with open_store(owner, warm) as memory:
        kept = iter(records("kept", keys).items())
        while batch := dict(islice(kept, 2_000)):
            memory.store_many(batch)
        memory.store("cold", records("cold", 100), tier=StorageTier.COLD)
        memory.maintain()  # the filter grows with it
    with open_store(owner, warm) as memory:
        saved = (owner / FILTER_FILE).read_bytes()
        memory.store_many(records("before", JOURNALED))
        if checkpointed:
            mover = memory.tiered_storage._store.mover
            assert mover is not None
            mover.checkpoint()
        for key, value in records("behind", JOURNALED).items():
            memory[key] = value
        shutil.copytree(owner, left)
        assert (left / FILTER_FILE).read_bytes() == saved
    if keys == MANY:
        assert len(saved) > SLACK
    return left


def bytes_read(path: Path, warm: str, keys: int) -> int:
    """Return how many bytes opening reads."""

    def so_far() -> int:
        return int(dict(line.split(": ") for line in COUNTED.read_text().splitlines())["rchar"])

    before = so_far()
    memory = open_store(path, warm)
    read = so_far() - before
    with memory:
        assert len(memory) == keys + 1 + 2 * JOURNALED
        assert memory["kept:17"] == records("kept", 18)["kept:17"]
        assert memory["behind:17"] == records("behind", 18)["behind:17"]
    return read


@pytest.mark.skipif(not COUNTED.exists(), reason="the system does not count what a process reads")
@pytest.mark.parametrize("checkpointed", [False, True])
@pytest.mark.parametrize("warm", ["disk", "directory"])
def test_opening_reads_no_more_where_there_are_more_keys(tmp_path: Path, warm: str, checkpointed: bool) -> None:
    read = [
        bytes_read(crashed(tmp_path / str(keys), keys, warm, checkpointed=checkpointed), warm, keys)
        for keys in (FEW, MANY)
    ]
    assert read[1] <= read[0] + SLACK, read


def test_until_the_mover_has_the_filter_the_catalog_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with open_store(path) as memory:
        memory.store_many(records("kept", FEW))
    saved = (path / FILTER_FILE).read_bytes()
    with open_store(path) as memory:
        assert not memory.get_statistics()["deduplication"]["bloom_filter_enabled"]
        assert memory.dedup_engine.write("again", records("kept", 1)["kept:0"])[1]
        assert not memory.dedup_engine.write("new", "not known")[1]
        memory.maintain()
        assert memory.get_statistics()["deduplication"]["bloom_filter_enabled"]
        assert memory.dedup_engine.write("new again", "not known")[1], "what came in meanwhile is in the filter, too"
        assert memory.dedup_engine.write("once more", records("kept", 1)["kept:0"])[1]
    assert (path / FILTER_FILE).read_bytes() != saved, "saved anew with what it learnt"


def test_files_that_no_row_names_are_counted_until_the_mover_removes_them(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with open_store(path) as memory:
        memory.store_many(records("kept", FEW))
    left = path / "warm" / "ab" / "cd" / f"{'0' * 28}.val"
    left.parent.mkdir(parents=True)
    left.write_bytes(bytes(100_000))

    def on_disk() -> int:
        return sum(file.stat().st_size for file in (path / "warm").rglob("*") if file.is_file())

    with open_store(path) as memory:
        assert left.exists()
        assert memory.get_statistics()["storage"]["warm_bytes"] == on_disk()
        assert memory["kept:3"] == records("kept", 4)["kept:3"]
        memory["new"] = "value"
        memory.maintain()
        assert not left.exists()
        assert memory.get_statistics()["storage"]["warm_bytes"] == on_disk()
        assert memory["kept:3"] == records("kept", 4)["kept:3"]


def test_a_warm_backend_that_is_handed_in_is_not_scrubbed(tmp_path: Path) -> None:
    shared = DiskBackend(tmp_path / "warm")
    under_way = tmp_path / "warm" / "ab" / "cd" / f"{'0' * 28}.val"
    under_way.parent.mkdir(parents=True)
    under_way.write_bytes(b"a put of another store, its row to come")
    with open_store(tmp_path / "store", backends={StorageTier.WARM: shared}) as memory:
        memory["key"] = "value"
        memory.maintain()
        assert under_way.exists()


def test_files_that_cannot_be_removed_do_not_stop_the_background(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise TierUnavailableError("the disk is sick")

    monkeypatch.setattr(afterwards, "scrub_warm", refuse)
    with caplog.at_level(logging.WARNING), open_store(tmp_path / "store") as memory:
        memory["key"] = "value"
        memory.maintain()
        assert memory["key"] == "value"
    assert "the disk is sick" in caplog.text
