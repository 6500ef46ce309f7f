"""What the command line tells of a remote cold tier, and how a tier changes hands there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from stratakv import OptimizationConfig, OptimizationMiddleware, StorageTier
from stratakv.cli.main import main
from stratakv.clock import ManualClock

if TYPE_CHECKING:
    from pathlib import Path


def settings(root: Path, name: str) -> OptimizationConfig:
    return OptimizationConfig(
        storage={"path": str(root / name)}, tiered_storage={"cold": {"path": str(root / "cold"), "backups": True}}
    )


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    file = tmp_path / "memory.yaml"
    file.write_text(f"tiered_storage: {{cold: {{path: {tmp_path / 'cold'}, backups: true}}}}\n")
    return ["--config", str(file)]


def fill(root: Path, name: str) -> None:
    with OptimizationMiddleware(config=settings(root, name), clock=ManualClock()) as memory:
        memory.store("key", "value", tier=StorageTier.COLD)
        memory.maintain(settle=True)


def test_stats_tell_place_backup_and_bill(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, "store")
    assert main(["stats", "--dir", str(tmp_path / "store"), *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = lines[lines.index("cold tier") :]
    assert any(line.split() == ["place", str(tmp_path / "cold")] for line in told)
    assert any("s old, 1 part, 0 changes since" in line for line in told)
    assert any("a month costs about" in line for line in told)


def test_cold_bytes_are_those_of_the_tier(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, "store")
    assert main(["stats", "--json", "--dir", str(tmp_path / "store"), *options]) == 0
    told = json.loads(capsys.readouterr().out)["tiered_storage"]["cold_usage_bytes"]
    held = sum(file.stat().st_size for file in (tmp_path / "cold").rglob("*") if file.is_file())
    assert abs(told - held) <= max(0.02 * held, 64 * 1024)


def test_stats_of_a_store_with_a_cold_directory_of_its_own_say_nothing_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with OptimizationMiddleware(path=tmp_path / "store", clock=ManualClock()) as memory:
        memory["key"] = "value"
    assert main(["stats", "--dir", str(tmp_path / "store")]) == 0
    assert "cold tier" not in capsys.readouterr().out


def test_a_tier_of_another_store_is_taken_over_only_when_asked(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, "first")
    with OptimizationMiddleware(path=tmp_path / "second", clock=ManualClock()) as memory:
        memory["mine"] = 1
    gc = ["gc", "--dir", str(tmp_path / "second"), *options]
    assert main(gc) == 2
    assert "--take-over" in capsys.readouterr().err
    assert main([*gc, "--take-over"]) == 0
    assert main(gc) == 0
    assert main(["get", "mine", "--dir", str(tmp_path / "second"), *options]) == 0
    capsys.readouterr()
    assert main(["gc", "--dir", str(tmp_path / "first"), *options]) == 2
    assert "belongs to another store" in capsys.readouterr().err
