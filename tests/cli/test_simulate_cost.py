"""`stratakv simulate --cost`: the bill of a configuration over a trace's own time."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from stratakv.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3600
RULES = ["as configured", "tuned", "keep all in RAM", "let go at once", "best fixed, by hindsight"]


def written(path: Path, *, timed: bool = True) -> Path:
    """Write a trace of two days: some keys every ten minutes, many once."""
    chance = random.Random(2)
    rows = [(t * 600 + chance.uniform(0, 60), key) for t in range(288) for key in range(20)]
    rows += [(chance.uniform(0, 48 * HOUR), 100 + n) for n in range(3000)]
    lines = ["key,size,ts" if timed else "key"]
    lines += [f"{key},20000,{at:.3f}" if timed else str(key) for at, key in sorted(rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert main(["simulate", "--cost", "--json", *arguments]) == 0
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return rows


def test_every_rule_is_billed_and_hindsight_is_the_cheapest_of_the_static_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = told(capsys, str(written(tmp_path / "t.csv")))
    assert [row["rule"] for row in rows] == RULES
    cost = {row["rule"]: row["controllable"] for row in rows}
    best = cost["best fixed, by hindsight"]
    assert best <= min(cost["as configured"], cost["keep all in RAM"], cost["let go at once"])
    for row in rows:
        parts = row["rent"] + row["moves"] + row["requests"] + row["waiting"]
        assert row["controllable"] == pytest.approx(parts)
        assert row["total"] == pytest.approx(row["floor"] + row["controllable"])
    assert rows[2]["mean_latency_seconds"] == 0.0
    assert rows[3]["mean_latency_seconds"] > 0.0
    assert rows[1]["retunes"] > 100
    assert rows[0]["retunes"] == 0


def test_the_prices_are_those_of_the_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = str(written(tmp_path / "t.csv"))
    config = tmp_path / "c.yaml"
    config.write_text("adaptive: {prices: {ram_gb_month: 30.0}}\ntiered_storage: {hot_to_warm_idle_hours: 0.5}\n")
    dear = told(capsys, trace, "--config", str(config))
    cheap = told(capsys, trace)
    assert dear[2]["rent"] > 9 * cheap[2]["rent"]
    assert dear[0]["reads_from_warm"] >= cheap[0]["reads_from_warm"]


def test_waiting_costs_where_storage_is_free(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "free.yaml"
    config.write_text("adaptive: {prices: {ram_gb_month: 0, ssd_gb_month: 0, object_gb_month: 0}}\n")
    rows = told(capsys, str(written(tmp_path / "t.csv")), "--config", str(config))
    assert rows[3]["rule"] == "let go at once"
    assert rows[3]["waiting"] > 0
    assert rows[2]["controllable"] == 0.0


def test_the_tuner_may_be_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = str(written(tmp_path / "t.csv"))
    assert "tuned" not in [row["rule"] for row in told(capsys, trace, "--tuner", "off")]
    assert "as configured" not in [row["rule"] for row in told(capsys, trace, "--tuner", "on")]


def test_times_are_taken_in_their_unit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = str(written(tmp_path / "t.csv"))
    seconds, milliseconds = (told(capsys, trace, "--time-unit", unit)[0]["seconds"] for unit in ("s", "ms"))
    assert seconds == pytest.approx(1000 * milliseconds)


def test_a_trace_without_times_is_spread_over_a_duration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = str(written(tmp_path / "t.csv", timed=False))
    assert main(["simulate", "--cost", trace]) == 2
    assert "say how long it took with --duration HOURS" in capsys.readouterr().err
    assert told(capsys, trace, "--duration", "24")[0]["seconds"] == pytest.approx(24 * HOUR)


def test_people_get_a_table_of_a_month(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--cost", str(written(tmp_path / "t.csv"))]) == 0
    printed = capsys.readouterr().out
    assert all(rule in printed for rule in RULES)
    assert "per month at this pace" in printed


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--duration", "0"], "hours above 0"),
        (["--duration", "nan"], "hours above 0"),
        (["--value-bytes", "0"], "at least 1"),
    ],
)
def test_bad_options_are_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], complaint: str
) -> None:
    assert main(["simulate", "--cost", str(written(tmp_path / "t.csv")), *options]) == 2
    assert complaint in capsys.readouterr().err


def test_a_trace_in_which_no_time_passes_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_text("key,ts\na,5\nb,5\n")
    assert main(["simulate", "--cost", str(tmp_path / "t.csv")]) == 2
    assert "no time passes" in capsys.readouterr().err
