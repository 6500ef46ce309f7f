"""`stratakv compact`: dead space is given back to the disk, and every value is still there."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware
from stratakv.cli.main import main
from stratakv.engine.verification import verify_directory

if TYPE_CHECKING:
    from pathlib import Path

LONG_AGO = 1_600_000_000
NOISE = random.Random(6)
VALUES = {f"key:{n:03}": NOISE.randbytes(3000) for n in range(200)}


def bytes_on_disk(path: Path) -> int:
    return sum(place.stat().st_size for place in path.rglob("*") if place.is_file())


def compact(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["compact", "--dir", str(path), "--json", *options]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def store_of(path: Path, deleted: int) -> dict[str, bytes]:
    """Make a store of one pack of which some values were deleted long ago; return the others."""
    with OptimizationMiddleware(path=path, clock=ManualClock(LONG_AGO)) as memory:
        memory.store_many(VALUES)
        memory.maintain()
        memory.delete_many(list(VALUES)[:deleted])
        memory.maintain()
    return dict(list(VALUES.items())[deleted:])


def assert_holds(path: Path, values: dict[str, bytes]) -> None:
    with OptimizationMiddleware(path=path, read_only=True) as memory:
        assert dict(memory.items()) == values
    assert verify_directory(OptimizationConfig(storage={"path": str(path)})).sound


def test_pack_that_is_mostly_dead_is_rewritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "store"
    left = store_of(path, 150)
    before = bytes_on_disk(path)
    told = compact(path, capsys)
    assert told["packs_compacted"] == 1
    assert told["pack_bytes_waiting"] > 500_000
    assert main(["gc", "--dir", str(path), "--now"]) == 0
    assert before - bytes_on_disk(path) > 400_000
    assert_holds(path, left)


def test_all_takes_any_dead_byte_and_gives_it_back_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "store"
    with OptimizationMiddleware(path=path) as memory:
        memory.store_many(VALUES)
        memory.maintain()
        memory.delete_many(list(VALUES)[:40])
    told = compact(path, capsys)
    assert (told["packs_compacted"], told["contents_waiting"]) == (0, 40)
    before = bytes_on_disk(path)
    told = compact(path, capsys, "--all")
    assert (told["packs_compacted"], told["packs_before"], told["packs_after"]) == (1, 1, 1)
    assert (told["dead_bytes_in_packs"], told["pack_bytes_waiting"], told["contents_waiting"]) == (0, 0, 0)
    freed = told["disk_bytes_before"] - told["disk_bytes_after"]
    assert freed > 110_000
    assert before - bytes_on_disk(path) == pytest.approx(freed, abs=70_000)
    assert_holds(path, dict(list(VALUES.items())[40:]))
    assert compact(path, capsys, "--all")["packs_compacted"] == 0


def test_small_packs_are_gathered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "store"
    with OptimizationMiddleware(path=path, clock=ManualClock(LONG_AGO)) as memory:
        for key, value in list(VALUES.items())[:4]:
            memory[key] = value
            memory.tiered_storage._store.mover.checkpoint()  # type: ignore[union-attr]  # it is open for writing
    assert compact(path, capsys)["packs_after"] == 4
    told = compact(path, capsys, "--all")
    assert (told["packs_before"], told["packs_after"]) == (4, 1)
    assert_holds(path, dict(list(VALUES.items())[:4]))


def test_catalog_gives_its_free_pages_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "store"
    with OptimizationMiddleware(path=path, clock=ManualClock(LONG_AGO)) as memory:
        memory.store_many({f"key:{n:05}": n for n in range(20_000)})
        memory.maintain()
        memory.delete_many([f"key:{n:05}" for n in range(19_000)])
    told = compact(path, capsys, "--all")
    assert told["catalog_bytes_after"] < 0.3 * told["catalog_bytes_before"]
    assert main(["compact", "--dir", str(path)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("rewrote 0 packs: there were 1, there are 1\n")
    assert "\nits catalog on disk: " in out


def test_no_store_is_made_and_a_live_owner_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compact", "--dir", str(tmp_path / "gone")]) == 2
    assert not (tmp_path / "gone").exists()
    with OptimizationMiddleware(path=tmp_path / "store"):
        assert main(["compact", "--dir", str(tmp_path / "store")]) == 1
    assert "close it there first" in capsys.readouterr().err
