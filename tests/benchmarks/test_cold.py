"""`python -m benchmarks.cold` with few values on moto: what it counts, and the arithmetic of its goals."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.cold import main
from benchmarks.cold.command import QUICK_LAPS
from benchmarks.cold.markdown import markdown
from benchmarks.cold.report import report
from benchmarks.cold.store import LARGEST_BYTES, records
from benchmarks.cold.summary import bill_off, goals, values_a_put

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.moto import S3Server

VALUES = 300


@pytest.fixture
def data(tmp_path: Path) -> str:
    lines: list[dict[str, Any]] = [{"id": f"flight/{number}", "seats": [number] * 30} for number in range(40)]
    lines.append({"id": "long", "text": "x" * LARGEST_BYTES})
    file = tmp_path / "flights.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(file)


@pytest.fixture
def result(data: str, s3_server: S3Server, tmp_path: Path) -> dict[str, Any]:
    server = ["--endpoint", s3_server.url, "--key", s3_server.key, "--secret", s3_server.secret]
    kept = ["--results", str(tmp_path), "--no-plot"]
    assert main(["--quick", "--values", str(VALUES), "--data", data, *server, *kept]) == 0
    found: dict[str, Any] = json.loads((tmp_path / "cold.json").read_text())
    return found


def made(*, values: int = 1000, puts: int = 1, ratio: float = 1.0, told: float | None = 2.0) -> dict[str, Any]:
    bill = {"told": told, "own": 2.0, "storage_told": 1.01, "storage_own": 1.0}
    return {"values": values, "requests": {"demotion": {"put": puts}}, "reads": {"ratio": ratio}, "bill": bill}


def met(result: dict[str, Any]) -> list[bool]:
    return [goal["met"] for goal in goals(result)]


def test_requests_reads_and_the_bill_belong_to_the_values_that_were_stored(result: dict[str, Any]) -> None:
    assert result["values"] == VALUES
    requests, reads, bill = result["requests"], result["reads"], result["bill"]
    assert requests["demotion"]["put"] >= 1
    assert requests["backup"]["put"] >= 1
    # Blocks hold several values, and what is fetched once is not fetched again.
    one_by_one, at_once = requests["100 reads, one by one"], requests["100 reads, retrieve_many"]
    assert 0 < one_by_one["get"] <= 100
    assert at_once["get"] <= one_by_one["get"]
    assert one_by_one["put"] == at_once["put"] == 0
    assert reads["reads"] % QUICK_LAPS == 0
    assert 0 < reads["low"] <= reads["ratio"] <= reads["high"]
    timed = reads["microseconds"]
    assert timed["retrieve"] > timed["look-up"] > 0
    # The goal's two percent are for many values.
    assert bill["storage_told"] == pytest.approx(bill["storage_own"], rel=0.1)
    assert bill["own"] > bill["storage_own"] > 0
    text = "\n".join(report(result))
    assert f"took {VALUES / requests['demotion']['put']:,.0f} values along" in text
    assert result["revision"] in text
    table = markdown(result)
    assert f"| demotion | {requests['demotion']['put']:,} |" in table
    assert "values demoted by one PUT: must" in table


def test_a_put_takes_values_along_and_few_values_miss_the_goal() -> None:
    assert values_a_put(made(values=9000, puts=3)) == 3000.0
    assert met(made(values=9000, puts=3)) == [True, True, True, False, True]
    assert met(made(values=900, puts=3)) == [True, True, False, False, True]


def test_a_read_between_must_and_goal_misses_the_goal_alone() -> None:
    assert met(made(values=9000, ratio=1.1))[:2] == [True, False]
    assert met(made(values=9000, ratio=1.2))[:2] == [False, False]


def test_a_bill_is_off_by_the_larger_of_whole_and_storage() -> None:
    assert bill_off(made(told=2.1)) == pytest.approx(0.05)
    assert bill_off(made(told=None)) == pytest.approx(0.01)
    assert met(made(told=2.1))[-1] is False


def test_values_are_small_and_each_is_unlike_all_others(data: str) -> None:
    found = records(data, 100)
    assert len(found) == 100
    assert all(value["id"] != "long" for value in found.values())
    assert len({json.dumps(value) for value in found.values()}) == 100
    assert records(data, 100) == found


def test_data_without_small_records_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "long.jsonl"
    file.write_text(json.dumps({"text": "x" * LARGEST_BYTES}) + "\n")
    assert main(["--data", str(file), "--results", str(tmp_path), "--no-plot"]) == 2
    assert "there is no small record in this data" in capsys.readouterr().err
    assert not (tmp_path / "cold.json").exists()
