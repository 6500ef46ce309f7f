"""`stratakv stats`: the figures of a directory, with and without an owner, for people and for scripts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from stratakv import OptimizationMiddleware
from stratakv.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

SECTIONS = {"middleware", "compression", "tiered_storage", "deduplication", "overall", "config", "adaptive"}


def stats(capsys: pytest.CaptureFixture[str], path: Path) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["stats", "--dir", str(path), "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def fill(memory: OptimizationMiddleware) -> None:
    for n in range(300):
        memory.store(f"k{n}", {"n": n % 100, "text": "some words " * 30}, namespace="notes")


def test_closed_store_is_read_from_its_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with OptimizationMiddleware(path=tmp_path / "s") as memory:
        fill(memory)
    told = stats(capsys, tmp_path / "s")
    assert set(told) >= SECTIONS
    assert told["deduplication"]["unique_contents"] == 100
    assert told["deduplication"]["total_references"] == 300
    assert told["namespaces"]["notes"]["keys"] == 300
    assert main(["stats", "--dir", str(tmp_path / "s")]) == 0
    out = capsys.readouterr().out
    assert "nobody has it open" in out
    for title in ("reduction", "bytes by tier", "keys", "deduplication", "namespace"):
        assert title in out
    assert "66.7% of the contents that keys name" in out


def test_closed_store_holds_its_bytes_on_disk_and_no_ram(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with OptimizationMiddleware(path=tmp_path / "s") as memory:
        for n in range(3000):
            memory.store(f"k{n}", {"n": n, "text": f"some words {n} " * 60})
    told = stats(capsys, tmp_path / "s")
    overall, storage = told["overall"], told["storage"]
    assert overall["held_bytes"] == storage["disk_bytes"]
    assert storage["ram_bytes"] == storage["catalog_cache_bytes"] == storage["other_ram_bytes"] == 0
    percent = 100 * (1 - storage["disk_bytes"] / overall["plaintext_bytes"])
    assert overall["memory_reduction_percent"] == pytest.approx(percent)
    assert overall["too_small_to_judge"] is False
    assert main(["stats", "--dir", str(tmp_path / "s")]) == 0
    out = capsys.readouterr().out
    assert f"{percent:.1f}%" in out
    assert "1 MB = 1,048,576 bytes" in out


def test_few_values_are_too_small_to_judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with OptimizationMiddleware(path=tmp_path / "s") as memory:
        fill(memory)
    assert stats(capsys, tmp_path / "s")["overall"]["too_small_to_judge"] is True
    assert main(["stats", "--dir", str(tmp_path / "s")]) == 0
    out = capsys.readouterr().out
    assert "too small to judge: a store has a fixed price of 0.5 to 1 MB" in out
    assert "missed" not in out


KILLED = """
import os, signal, sys
from stratakv import ManualClock, OptimizationMiddleware
memory = OptimizationMiddleware(path=sys.argv[1], clock=ManualClock())
for n in range(300):
    memory.store(f"k{n}", {"n": n % 100, "text": "some words " * 30})
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_store_is_read_with_its_journal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "s")], check=False)
    assert ended.returncode == -signal.SIGKILL
    told = stats(capsys, tmp_path / "s")
    assert told["deduplication"]["unique_contents"] == 100
    assert told["overall"]["plaintext_bytes"] > 0


def test_live_owner_is_read_from_its_snapshot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with OptimizationMiddleware(path=tmp_path / "s") as memory:
        fill(memory)
        memory.retrieve("k0")
        memory.retrieve("nobody")
        memory.maintain()
        told = stats(capsys, tmp_path / "s")
        assert told["middleware"]["total_reads"] == 2
        assert main(["stats", "--dir", str(tmp_path / "s")]) == 0
        out = capsys.readouterr().out
        assert f"last snapshot of process {os.getpid()}" in out
        assert "50.0% of 2 reads" in out


def test_owner_without_a_snapshot_yet_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with OptimizationMiddleware(path=tmp_path / "s"):
        (tmp_path / "s" / "statistics.json").unlink(missing_ok=True)
        assert main(["stats", "--dir", str(tmp_path / "s")]) == 1
        told = capsys.readouterr().err
        assert "no statistics yet" in told
        assert f"process {os.getpid()}" in told
        assert "try again in a few seconds" in told


def test_missing_store_is_wrong_usage_and_makes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stats", "--dir", str(tmp_path / "gone")]) == 2
    assert "there is no store" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_deleted_contents_in_their_grace_period_are_no_contents(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with OptimizationMiddleware(path=tmp_path / "s") as memory:
        fill(memory)
        memory.maintain()
        for n in range(300):
            if n % 100 < 50:
                memory.delete(f"k{n}")
    told = stats(capsys, tmp_path / "s")
    assert told["deduplication"]["unique_contents"] == 50
    assert told["deduplication"]["dedup_ratio"] == pytest.approx(2 / 3)
    assert told["deduplication"]["space_saved_percent"] > 60
    assert told["namespaces"]["notes"]["contents"] == 50
