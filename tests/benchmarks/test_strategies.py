"""`python -m benchmarks strategies`: which values it takes, what it compares, and when a bound counts as broken."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import strategies
from benchmarks.__main__ import main as by_name
from stratakv.engine import compression

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    lines = [json.dumps({"id": n, "text": f"value {n % 7} " * (n % 50)}) for n in range(300)]
    (tmp_path / "notes.jsonl").write_text("\n".join(lines) + "\n")
    table = [json.dumps([{"name": f"n{k}", "at": k * n, "ok": True} for k in range(60)]) for n in range(20)]
    (tmp_path / "tables.jsonl").write_text("\n".join(table) + "\n")
    return tmp_path


def measured(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    code = by_name(["strategies", *arguments, "--json"])
    corpora: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["corpora"]
    return code, corpora


def test_adaptive_is_compared_with_the_best_of_the_others(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, (notes, tables) = measured(capsys, "--data", str(data), "--records", "40")
    assert (notes["corpus"], notes["values"], tables["values"]) == ("notes", 40, 20)
    for row in (notes, tables):
        totals = {name: cost["bytes"] for name, cost in row["costs"].items()}
        assert set(totals) == {"adaptive", *(strategy.value for strategy in strategies.SINGLE)}
        adaptive = totals.pop("adaptive")
        assert totals[row["best"]] == min(totals.values()) < totals["none"]
        assert row["over_best"] == adaptive / totals[row["best"]]
        assert row["growth"] <= strategies.GROWTH
        assert all(cost["encode_us"] > 0 and cost["decode_us"] > 0 for cost in row["costs"].values())
    assert code == int(any(row["over_best"] > strategies.FURTHEST for row in (notes, tables)))


def test_a_broken_bound_is_told(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "_MUST_REACH", 0.0)
    assert strategies.main(["--data", str(data), "--corpus", "tables"]) == 1
    told = capsys.readouterr().out
    assert "beyond the bound" in told
    assert "notes" not in told


def test_values_are_taken_at_equal_distances() -> None:
    assert strategies.evenly(range(10), 4) == [0, 2, 5, 7]
    assert strategies.evenly(range(3), 4) == [0, 1, 2]


def test_what_cannot_be_read_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert strategies.main(["--data", str(tmp_path / "none")]) == 2
    assert "is no directory" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        strategies.main(["--records", "0"])


def test_without_data_the_demo_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    code, rows = measured(capsys, "--records", "5", "--corpus", "episodic")
    assert code in {0, 1}
    assert [row["values"] for row in rows] == [5]
