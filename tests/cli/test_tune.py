"""`stratakv tune`: what was tuned and why, from a store at rest and beside its owner."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware
from stratakv.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path


def tuned_store(path: Path) -> None:
    """A store that was read evenly for some hours."""
    clock = ManualClock()
    config = OptimizationConfig(storage={"path": str(path)}, adaptive={"prices": {"blocked_second": 1e-3}})
    with OptimizationMiddleware(config=config, clock=clock) as memory:
        for number in range(100):
            memory[f"key:{number}"] = {"number": number, "text": "text " * 50}
        for _ in range(30):
            clock.advance(7200)
            for number in range(100):
                memory.retrieve(f"key:{number}")
            memory.tiered_storage._store.tuning.step(lambda: None)


def test_explain_tells_what_from_to_why_and_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tuned_store(tmp_path / "s")
    assert main(["tune", "--explain", "--dir", str(tmp_path / "s")]) == 0
    printed = capsys.readouterr().out
    assert "the adaptive engine is on; it has retuned 30 times" in printed
    assert "hot->warm" in printed
    assert "idle seconds hot->warm of namespace 'default': 1 h -> " in printed
    assert "half of what comes back does so within" in printed
    assert "because" in printed


def test_without_explain_only_the_present_values_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tuned_store(tmp_path / "s")
    assert main(["tune", "--dir", str(tmp_path / "s")]) == 0
    printed = capsys.readouterr().out
    assert "idle time of 1 KB" in printed
    assert "because" not in printed


def test_json_is_the_section_of_the_statistics(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tuned_store(tmp_path / "s")
    assert main(["tune", "--json", "--dir", str(tmp_path / "s")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["retunes"] == 30
    assert told["last_changes"][0]["why"]
    assert told["thresholds"]["default"]["hot->warm"] > 0


def test_a_store_that_was_never_tuned_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with OptimizationMiddleware(path=tmp_path / "s") as memory:
        memory["k"] = 1
    assert main(["tune", "--explain", "--dir", str(tmp_path / "s")]) == 0
    printed = capsys.readouterr().out
    assert "no idle time is tuned yet: the configured ones hold" in printed
    assert "nothing was changed yet" in printed


def test_beside_the_owner_the_last_snapshot_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with OptimizationMiddleware(path=tmp_path / "s", clock=ManualClock()) as memory:
        memory["k"] = 1
        memory.maintain()
        assert main(["tune", "--dir", str(tmp_path / "s")]) == 0
    assert "last snapshot of process" in capsys.readouterr().out


@pytest.mark.parametrize("adaptive", [None, "text", {}, {"enabled": True, "retunes": "x"}, [1]])
def test_damaged_statistics_are_an_error_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], adaptive: object
) -> None:
    with OptimizationMiddleware(path=tmp_path / "s", clock=ManualClock()) as memory:
        memory["k"] = 1
        memory.maintain()
        (tmp_path / "s" / "statistics.json").write_text(json.dumps({"adaptive": adaptive}))
        assert main(["tune", "--explain", "--dir", str(tmp_path / "s")]) == 1
    assert "damaged" in capsys.readouterr().err


def test_a_directory_without_a_store_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", "--dir", str(tmp_path / "none")]) == 2
    assert "there is no store" in capsys.readouterr().err
