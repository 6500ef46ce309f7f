"""`python -m benchmarks.concurrency` with little to do: what it runs, compares and tells, and its arithmetic."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.concurrency import background as beside
from benchmarks.concurrency import threads as crews
from benchmarks.concurrency.background import DONE, FIGURES, Readers, background
from benchmarks.concurrency.command import main
from benchmarks.concurrency.markdown import markdown
from benchmarks.concurrency.plot import plot
from benchmarks.concurrency.report import report
from benchmarks.concurrency.summary import crew, goals, ratios
from benchmarks.concurrency.threads import OTHER, OURS, Extent, threads, turns_of
from benchmarks.keeping import DifferenceError

if TYPE_CHECKING:
    from pathlib import Path

VALUES: list[Any] = [*({"id": number, "text": f"value {number} " * 9} for number in range(60)), "text", [1, 2]]
TINY = Extent((1, 3), (0, 50), 10, 2)
READERS = (Readers(1, 0, 0.0, counts=True), Readers(2, 1, 0.001, counts=True))


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return threads(VALUES, TINY, lambda: None)


@pytest.fixture(scope="module")
def beside_work() -> dict[str, Any]:
    extent = beside.QUICK._replace(crews=READERS, hot=100, others=200, seconds=0.2, waits=1)
    return background(VALUES, extent, s3=False, progress=lambda: None)


def test_every_combination_takes_all_its_turns(rows: list[dict[str, Any]]) -> None:
    assert sorted((row["name"], row["threads"], row["writes"]) for row in rows) == sorted(
        (name, number, writes) for name in (OURS, OTHER) for number in (1, 3) for writes in (0, 50)
    )
    assert all(len(row["rates"]) == TINY.rounds for row in rows)
    assert turns_of(TINY) == len(rows) * TINY.rounds
    for row in rows:
        assert (row["written"] is None) == (row["writes"] == 0)
        for taken in filter(None, (row["reads"], row["written"])):
            assert 0 < taken["p50_us"] <= taken["p99_us"] <= taken["p99.9_us"]


def test_a_value_that_comes_back_changed_fails_the_run() -> None:
    with pytest.raises(DifferenceError, match="came back changed"):
        threads([{"never equal to itself": float("nan")}], TINY, lambda: None)


def test_ratios_compare_with_the_peer_turn_by_turn_and_with_fewest_threads() -> None:
    def row(number: int, name: str, *rates: float) -> dict[str, Any]:
        return {"threads": number, "writes": 0, "name": name, "rates": list(rates)}

    made = ratios(
        [row(2, OURS, 10, 20, 30), row(2, OTHER, 10, 10, 10), row(4, OURS, 30, 30, 30), row(4, OTHER, 5, 6, 10)]
    )
    assert [(one["threads"], one["times"]["median"], one["fewest"], one["alone"]) for one in made] == [
        (2, 2, 2, 1),
        (4, 5, 2, 1.5),
    ]


def test_each_crew_reads_while_the_store_is_still_and_while_it_is_busy(beside_work: dict[str, Any]) -> None:
    assert [(row["readers"], row["period"]) for row in beside_work["rows"]] == [
        (readers, period) for readers in (1, 2) for period in ("still", "busy")
    ]
    assert all(row[name] > 0 for row in beside_work["rows"] for name in FIGURES[:5])
    assert set(beside_work["done"]) == set(DONE)
    assert beside_work["done"]["checkpoints"] > 0


def test_the_budget_is_on_busy_periods_of_crews_that_count() -> None:
    def row(period: str, milliseconds: float, *, counts: bool) -> dict[str, Any]:
        return Readers(8, 2, 0.002, counts=counts)._asdict() | {"period": period, "p99.9_ms": milliseconds}

    found = [row("still", 99, counts=True), row("busy", 7, counts=True), row("busy", 50, counts=False)]
    assert [(goal["value"], goal["at_most"], goal["met"]) for goal in goals({"background": {"rows": found}})] == [
        (7, 10, True),
        (7, 6, False),
    ]
    assert goals({"background": None}) == []
    assert crew(found[0]) == "8 readers and 2 writers, 2 ms of rest"
    assert crew(READERS[0]._asdict()) == "1 reader, no rest"


def test_a_whole_result_is_told_as_text_as_tables_and_as_a_picture(
    rows: list[dict[str, Any]], beside_work: dict[str, Any], tmp_path: Path
) -> None:
    result: dict[str, Any] = {
        "what": "made values", "quick": False, "revision": "none", "versions": {"python": "3"},
        "machine": {"cpu": "some", "cpus": 2}, "threads": rows, "ratios": ratios(rows), "background": beside_work,
    }  # fmt: skip
    result["goals"] = goals(result)
    result = json.loads(json.dumps(result))
    told, table = "\n".join(report(result)), markdown(result)
    assert "2 readers and 1 writer, 1 ms of rest" in told
    assert "| 3 | 50 | stratakv process |" in table
    assert "| 1 reader, no rest | busy |" in table
    plot(result, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_a_part_is_run_alone_and_the_other_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "some.jsonl").write_text("".join(json.dumps(value) + "\n" for value in VALUES[:60]))
    options = ["--data", str(tmp_path / "some.jsonl"), "--quick", "--parts", "threads", "--results", str(tmp_path)]
    assert main(options) == 0
    result = json.loads((tmp_path / "concurrency.json").read_text())
    assert result["background"] is None
    assert len(result["threads"]) == 2 * len(crews.QUICK.threads) * len(crews.QUICK.writes)
    assert "beside the background" not in markdown(result)
    assert "operations/s" in capsys.readouterr().out
