"""`stratakv gc`: what nothing needs is gone from the disk afterwards, and everything else is still there."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware
from stratakv.cli.main import main
from stratakv.engine.store import Store
from stratakv.engine.upkeep import collect
from stratakv.engine.verification import verify_directory
from stratakv.errors import ClosedError

if TYPE_CHECKING:
    from pathlib import Path

LONG_AGO = 1_600_000_000
NOISE = random.Random(5)
KEPT = {f"kept:{n}": NOISE.randbytes(300) for n in range(50)}
GONE = {f"gone:{n}": NOISE.randbytes(4000) for n in range(100)}


def bytes_on_disk(path: Path) -> int:
    return sum(place.stat().st_size for place in path.rglob("*") if place.is_file())


def packs(path: Path) -> list[Path]:
    return [place for place in path.rglob("*") if place.suffix in {".pack", ".val"}]


def gc(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["gc", "--dir", str(path), "--json", *options]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store in which one pack holds only what was over long ago."""
    with OptimizationMiddleware(path=tmp_path / "store", clock=ManualClock(LONG_AGO)) as memory:
        memory.store_many(KEPT)
        memory.maintain()
        memory.store_many(GONE, ttl=60)
    return tmp_path / "store"


def test_expired_keys_go_first_and_their_bytes_after_the_grace_period(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = gc(path, capsys)
    assert (told["keys_expired"], told["contents"], told["packs"]) == (100, 0, 0)
    assert told["contents_waiting"] == 100
    before = bytes_on_disk(path)
    told = gc(path, capsys, "--now")
    assert (told["keys_expired"], told["contents"], told["packs"]) == (0, 100, 1)
    assert told["freed_bytes"] > 400_000
    assert before - bytes_on_disk(path) == pytest.approx(told["freed_bytes"], abs=70_000)
    assert gc(path, capsys, "--now")["freed_bytes"] == 0
    with OptimizationMiddleware(path=path, read_only=True) as memory:
        assert dict(memory.items()) == KEPT
    assert verify_directory(OptimizationConfig(storage={"path": str(path)})).sound


def test_person_is_told_what_waits_and_how_not_to(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gc", "--dir", str(path)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("removed 100 expired keys, 0 pruned keys, 0 contents, 0 packs\n")
    assert "in their grace period of 300 s: 100 contents; at once: `stratakv gc --now`" in out
    assert main(["gc", "--dir", str(path), "--now"]) == 0
    out = capsys.readouterr().out
    assert "removed 0 expired keys, 0 pruned keys, 100 contents, 1 pack\n" in out
    assert "grace period" not in out


def test_pruned_keys_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "memory.yaml"
    file.write_text("namespaces: {logs: {match: 'log:*', prunable: true, prune_after_days: 1}}\n")
    clock = ManualClock(LONG_AGO)
    with OptimizationMiddleware(path=tmp_path / "store", config_path=file, clock=clock) as memory:
        memory.store_many({"log:1": 1, "log:2": 2, "other": 3})
        memory.store("brief", 4, ttl=1)
    told = gc(tmp_path / "store", capsys, "--config", str(file))
    assert (told["keys_expired"], told["keys_pruned"]) == (1, 2)
    with OptimizationMiddleware(path=tmp_path / "store", read_only=True) as memory:
        assert set(memory) == {"other"}


def test_packs_that_a_crash_left_go(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(OptimizationConfig(storage={"path": str(path)}), clock=ManualClock(LONG_AGO))
    folder = f"packs/{store.parts.store_id.hex()[:16]}"
    store.parts.backends[3].put(f"{folder}/left.pack", bytes(100_000))
    store.parts.backends[3].put("packs/somebody-elses/kept.pack", b"not ours")
    store.close()
    told = gc(path, capsys)
    assert told["packs"] == 1
    assert told["freed_bytes"] > 90_000
    assert [place.name for place in (path / "cold").rglob("*.pack")] == ["kept.pack"]


def test_nothing_without_an_owner_goes_while_a_pack_is_missing(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(OptimizationConfig(storage={"path": str(path)}), clock=ManualClock(LONG_AGO))
    folder = f"packs/{store.parts.store_id.hex()[:16]}"
    store.parts.backends[3].put(f"{folder}/left.pack", bytes(100_000))
    store.parts.backends[2].delete(next(iter(store.parts.backends[2].list())).name)
    store.close()
    assert gc(path, capsys)["packs"] == 0
    assert (path / "cold" / folder / "left.pack").exists()


def test_grace_ends_with_the_clock(tmp_path: Path) -> None:
    clock = ManualClock(LONG_AGO)
    with OptimizationMiddleware(path=tmp_path / "store", clock=clock) as memory:
        memory["key"] = "value"
        store = memory.tiered_storage._store
        collect(store)
        memory.delete("key")
        assert collect(store)["contents"] == 0
        clock.advance(299)
        assert collect(store)["contents"] == 0
        clock.advance(1)
        assert collect(store)["contents"] == 1
        clock.advance(299)
        assert collect(store)["packs"] == 0
        clock.advance(1)
        assert collect(store)["packs"] == 1
    with pytest.raises(ClosedError):
        collect(store)


def test_no_store_is_made_and_a_live_owner_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gc", "--dir", str(tmp_path / "gone")]) == 2
    assert not (tmp_path / "gone").exists()
    with OptimizationMiddleware(path=tmp_path / "store"):
        assert main(["gc", "--dir", str(tmp_path / "store")]) == 1
    assert "close it there first" in capsys.readouterr().err
