"""`python -m benchmarks.adaptive`: what it plays on small traces of its own, and the arithmetic of its summaries."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from benchmarks.adaptive import main
from benchmarks.adaptive.day import AGAIN, live, reads, targets
from benchmarks.adaptive.jobs import WAYS, ram, thresholds
from benchmarks.adaptive.markdown import markdown
from benchmarks.adaptive.report import report
from benchmarks.adaptive.settings import DAY, HOUR, Part, Ram, Setting, played, settings
from benchmarks.adaptive.summary import against_hindsight, fixed_ram, goals, spread, summary
from benchmarks.readme import with_table
from benchmarks.traces.sources import Source, in_directory
from tests.benchmarks.trace_files import REQUESTS, looped, popular, write_traces

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    # Some keys come back soon, others once: both keeping all and dropping all cost much more than a threshold.
    again = np.random.default_rng(2).random(REQUESTS) < 0.9
    mixed = np.where(again, looped(keys=40), 100 + np.arange(REQUESTS))
    return write_traces(
        tmp_path / "data",
        cpp={"key": mixed},
        multi2={"key": popular()},
        timed={"key": looped(), "ts": np.arange(REQUESTS) * 7, "size": np.full(REQUESTS, 500, np.uint32)},
    )


def row(tuned: float, founding: float = 2.0, **others: Any) -> dict[str, Any]:
    made = {
        "trace": "t", "span": DAY, "sizes": "one", "requests": 10, "edge": "hot->warm", "blocked_second": 1e-5,
        "units": 1.0, "stake": 1.5, "tuned": tuned, "pooled": 1.0, "founding": founding, "break_even": 1.2,
        "retunes": 3,
    }  # fmt: skip
    return made | others


def source(data: Path, name: str) -> Source:
    return in_directory(data).sources[name]


def test_a_spread_is_mean_median_ninetieth_and_worst() -> None:
    told = spread([float(number) for number in range(1, 12)])
    assert told == {"mean": 6.0, "median": 6.0, "ninetieth": 10.0, "worst": 11.0}


def test_costs_of_the_founding_hours_are_a_mean_of_ratios() -> None:
    told = against_hindsight([row(1.0, founding=2.0), row(0.9, founding=9.0, trace="other", edge="warm->cold")])
    assert told is not None
    assert told["of_founding"]["mean"] == pytest.approx((0.5 + 0.1) / 2)
    assert told["rules"]["tuned"]["mean"] == pytest.approx(0.95)
    assert (told["settings"], told["traces"]) == (2, 2)
    assert told["worst_at"] == "t 1 d hot->warm 1e-05"


def test_each_way_to_share_ram_has_a_mean_of_its_own() -> None:
    told = fixed_ram(
        [
            {"oldest in units": 0.5, "shares, lru": 0.8, "shares, adaptive": 0.6},
            {"oldest in units": 0.7, "shares, lru": 1.0, "shares, adaptive": 0.6},
        ]
    )
    assert told is not None
    assert told["ways"]["shares, lru"]["mean"] == pytest.approx(0.9)
    assert told["ways"]["shares, adaptive"]["worst"] == pytest.approx(0.6)


def test_goals_are_missed_where_the_worst_is_too_dear() -> None:
    told = summary({"thresholds": [row(0.9), row(1.2)], "joined": [], "ram": []})
    met = {goal["what"]: goal["met"] for goal in goals(told, None)}
    assert met["tuned, of hindsight: worst"] is False
    assert met["tuned, of the founding 1 h and 24 h: mean"] is True
    assert len(met) == 4


def test_recorded_times_are_stretched_and_others_are_made(data: Path) -> None:
    timed = played(source(data, "timed"), DAY, "recorded")
    assert timed["ts"][-1] == pytest.approx(DAY)
    assert np.allclose(np.diff(timed["ts"].astype(float)), DAY / (REQUESTS - 1))
    assert set(timed["size"].tolist()) == {500}
    made = played(source(data, "cpp"), HOUR, "one", one=77)
    assert made["ts"][-1] == pytest.approx(HOUR)
    assert set(made["size"].tolist()) == {77}
    assert len(set(played(source(data, "cpp"), HOUR, "spread")["size"].tolist())) > 50


def test_namespaces_share_no_key_and_their_requests_are_in_order(data: Path) -> None:
    parts = ((Part("cpp", 100, 1e-5), source(data, "cpp")), (Part("multi2", 1_000, 1e-3), source(data, "multi2")))
    requests, budget = Ram(parts, 0.5, DAY).requests()
    assert (np.diff(requests["ts"].astype(float)) >= 0).all()
    first, second = (set(requests["key"][requests["namespace"] == number].tolist()) for number in (0, 1))
    assert not first & second
    assert budget == int((100 * len(first) + 1_000 * len(second)) * 0.5)


def test_only_traces_without_sizes_are_played_with_several(data: Path) -> None:
    planned = list(settings(in_directory(data), quick=True))
    assert {(each.name, each.sizes) for each in planned} == {
        ("cpp", "one"), ("cpp", "spread"), ("multi2", "one"), ("multi2", "spread"), ("timed", "recorded"),
    }  # fmt: skip


def test_a_key_is_read_again_after_about_two_hours() -> None:
    events = reads(20, DAY, seed=1)
    assert [at for at, _ in events] == sorted(at for at, _ in events)
    for number in range(20):
        gaps = np.diff([at for at, key in events if key == number])
        assert len(gaps) >= 8
        assert 0.8 * AGAIN <= gaps.min() <= gaps.max() <= 1.2 * AGAIN


def test_equal_seeds_lead_to_equal_decisions_and_others_to_others() -> None:
    once, again, other = (live(3 * HOUR, seed)["changes"] for seed in (1, 1, 2))
    assert once == again != []
    assert once != other


def test_a_target_that_is_missed_moves_the_tuner() -> None:
    met, saved_little, waited = targets(6 * HOUR, seed=1)
    assert saved_little["hot_idle_hours"] < met["hot_idle_hours"] < waited["hot_idle_hours"]
    assert saved_little["rent_weight"] > met["rent_weight"] == 1.0 > waited["rent_weight"]
    assert "75%" in saved_little["why"]
    assert "5%" in waited["why"]


def test_the_second_phase_alone_is_compared_with_hindsight(data: Path) -> None:
    setting = Setting(source(data, "multi2"), source(data, "cpp"), HOUR, "one")
    rows = thresholds(setting)
    assert {row["trace"] for row in rows} == {"multi2+cpp"}
    alone = {
        (row["edge"], row["blocked_second"]) for row in thresholds(Setting(source(data, "cpp"), None, HOUR, "one"))
    }
    assert rows
    for each in rows:
        assert each["requests"] == 2 * REQUESTS
        assert each["stake"] >= 1.15
        assert (each["edge"], each["blocked_second"]) in alone


def test_every_way_to_share_ram_is_told_in_times_of_one_global_lru(data: Path) -> None:
    parts = ((Part("cpp", 100, 1e-5), source(data, "cpp")), (Part("timed", None, 1e-2), source(data, "timed")))
    (told,) = ram(Ram(parts, 0.5, HOUR))
    assert told["namespaces"] == "cpp 1e-05 | timed 0.01"
    assert told["requests"] == 2 * REQUESTS
    # The dear loop fits into its share; one LRU for all drops each of its keys just before it comes back.
    assert told["shares, adaptive"] < 0.1
    assert told["shares, lru"] < 0.1
    assert set(WAYS) <= told.keys()


def test_a_run_tells_what_it_played(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    options = ["--data", str(data), "--quick", "--workers", "1", "--parts", "thresholds,ram", "--only", "cpp"]
    assert main([*options, "--json", "--results", str(tmp_path)]) == 0
    result = json.loads(capsys.readouterr().out)
    rows = result["rows"]["thresholds"]
    assert {row["sizes"] for row in rows} == {"one", "spread"}
    assert all(row["stake"] >= 1.15 for row in rows)
    assert result["summary"]["thresholds"]["rules"]["tuned"]["mean"] == pytest.approx(
        sum(row["tuned"] for row in rows) / len(rows)
    )
    assert result["rows"]["joined"] == result["rows"]["ram"] == []
    assert result["day"] is None
    assert (tmp_path / "adaptive.png").read_bytes().startswith(b"\x89PNG")
    assert "Idle thresholds against hindsight" in "\n".join(report(result))
    table = markdown(result)
    assert "| cpp | 1 d |" in table
    assert table in with_table("<!-- adaptive table -->\n<!-- end of adaptive table -->", table, "adaptive")


def test_options_that_cannot_be_used_are_told(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--data", str(data), "--results", str(tmp_path), "--no-plot"]
    assert main([*options, "--parts", "nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err
    assert main([*options, "--workers", "0"]) == 2
    assert "--workers is at least 1" in capsys.readouterr().err
