"""`python -m benchmarks.hitratio`: what it replays on small traces of its own, and the arithmetic of its summaries."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from benchmarks.hitratio import main
from benchmarks.hitratio.cells import FAMILY, REFERENCE_NAMES, cells
from benchmarks.hitratio.costs import LRU, Cached, LockedLru, PolicyCache, ratios
from benchmarks.hitratio.markdown import markdown
from benchmarks.hitratio.report import report
from benchmarks.hitratio.summary import by_bytes, differences, gaps, goals, joins, of_reference, summary
from benchmarks.readme import with_table
from benchmarks.traces.goals import at_least, at_most
from benchmarks.traces.sources import in_directory, joined, load, of_demo
from stratakv.policies.simulation.trace import Trace
from tests.benchmarks.trace_files import REQUESTS, looped, popular, write_traces

if TYPE_CHECKING:
    from pathlib import Path

PUBLISHED = dict.fromkeys(FAMILY, 20.0) | {"LIRS": 40.0, "Belady": 99.0}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    sizes = 100 + popular() % 900
    reference = {"unit_size": {"busy": {"hit_ratio_pct": {"20": PUBLISHED, "40": PUBLISHED}}}}
    return write_traces(
        tmp_path / "data",
        reference,
        busy={"key": popular()},
        round={"key": looped()},
        sized={"key": popular(seed=4), "size": sizes.astype(np.uint32)},
        written={"key": looped(), "op": np.ones(REQUESTS, np.uint8)},
    )


def measured(results: Path, *arguments: str) -> dict[str, Any]:
    assert main([*arguments, "--results", str(results), "--no-plot"]) == 0
    result: dict[str, Any] = json.loads((results / "hitratio.json").read_text())
    return result


def row(part: str, capacity: int, hit: dict[str, float], reference: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "part": part,
        "trace": "t",
        "requests": 10,
        "capacity": capacity,
        "unit": "objects",
        "hit": hit,
        "byte_hit": {name: value / 2 for name, value in hit.items()},
        "reference": reference or {},
    }


def ours(adaptive: float, **others: float) -> dict[str, float]:
    return dict.fromkeys(REFERENCE_NAMES, 10.0) | others | {"adaptive": adaptive, "belady": 90.0}


def lru_hits(keys: list[int], capacity: int) -> float:
    held: OrderedDict[int, None] = OrderedDict()
    hits = 0
    for key in keys:
        hits += key in held
        held[key] = None
        held.move_to_end(key)
        if len(held) > capacity:
            held.popitem(last=False)
    return 100 * hits / len(keys)


def test_a_gap_is_to_the_best_of_each_row_and_an_advantage_over_the_best_of_all() -> None:
    rows = [
        row("table", 1, ours(50.0), {"LRU": 52.0, "LIRS": 40.0, "Belady": 99.0}),
        row("table", 2, ours(60.0), {"LRU": 20.0, "LIRS": 61.0, "Belady": 99.0}),
        row("table", 3, ours(33.0)),
    ]
    told = gaps(rows, of_reference)
    assert told is not None
    assert told["cells"] == 2
    assert told["mean_gap"] == pytest.approx((2 + 1) / 2)
    assert (told["worst_gap"], told["worst_at"]) == (pytest.approx(2.0), "t 1")
    assert told["best_single"] == "LIRS"
    assert told["over_best_single"] == pytest.approx(55 - 50.5)
    assert told["mean_gap_of_each"] == {"LRU": pytest.approx(41 / 2), "LIRS": pytest.approx(12 / 2)}


def test_a_default_that_is_better_than_all_has_a_negative_gap() -> None:
    told = gaps([row("table", 1, ours(50.0), {"LRU": 45.0})], of_reference)
    assert told is not None
    assert told["mean_gap"] == told["worst_gap"] == pytest.approx(-5.0)


def test_differences_tell_above_and_below_apart() -> None:
    rows = [
        row("table", 1, ours(0, lru=10.5), {"LRU": 10.0}),
        row("table", 2, ours(0, lru=8.0), {"LRU": 10.0}),
        row("wide", 3, ours(0, lru=99.0), {"LRU": 10.0}),
    ]
    (told,) = differences(rows)
    assert told == {
        "policy": "lru",
        "above": pytest.approx(0.5),
        "below": pytest.approx(2.0),
        "furthest": pytest.approx(-2.0),
        "at": "t 2",
    }


def test_only_a_policy_that_may_be_better_than_the_reference_is_judged_by_what_it_is_below() -> None:
    rows = [row("table", 1, ours(9, lirs=60.0, lru=9.0), {"LIRS": 10.0, "LRU": 10.0})]
    met = {goal["what"]: goal["met"] for goal in goals(summary(rows), None)}
    assert met["lirs below the reference"] is True
    assert met["lru from the reference"] is False


def test_joined_traces_are_told_as_means() -> None:
    told = joins([row("joined", 1, ours(50.0, lirs=40.0)), row("joined", 2, ours(30.0, lirs=35.0))])
    assert told is not None
    assert told["mean_hit"]["adaptive"] == pytest.approx(40.0)
    assert told["over_lirs"] == pytest.approx(2.5)


def test_by_bytes_the_reference_counts_where_there_is_one() -> None:
    hit = {"adaptive (objects)": 30.0, "adaptive (bytes)": 20.0, "gdsf": 28.0, "arc": 22.0}
    told = by_bytes([row("bytes", 1, hit), row("bytes", 2, hit, {"GDSF": [33.0, 1.0], "ARC": [1.0, 9.5]})])
    assert told is not None
    assert (told["least_over_gdsf"], told["least_over_gdsf_at"]) == (pytest.approx(-3.0), "t 2")
    assert told["mean_over_gdsf"] == pytest.approx((2 - 3) / 2)
    assert (told["least_over_arc"], told["least_over_arc_at"]) == (pytest.approx(-1.0), "t 1")
    assert told["mean_over_arc"] == pytest.approx((-1 + 0.5) / 2)


def test_comparisons_that_were_not_made_have_no_goal() -> None:
    assert goals(summary([]), None) == []
    assert [goal["met"] for goal in (at_most("a", 2, 1), at_most("a", 1, 1), at_least("a", 0.5, 1))] == [
        False,
        True,
        False,
    ]


def test_a_ratio_is_taken_within_a_round() -> None:
    told = ratios({LRU: [100.0, 200.0, 400.0], "adaptive": [50.0, 100.0, 400.0]})
    assert told["adaptive"]["ratio"] == pytest.approx(0.5)
    assert told["adaptive"]["ns"] == 100.0
    assert told["adaptive"]["low"] <= told["adaptive"]["ratio"] <= told["adaptive"]["high"] <= 1.0
    assert told[LRU]["ratio"] == 1.0


def test_the_timed_caches_hold_and_lose_what_an_lru_does() -> None:
    keys = [f"key:{number}" for number in popular().tolist()]
    caches: list[Cached] = [LockedLru(30), PolicyCache(30, "lru")]
    hits = []
    for cache in caches:
        found = 0
        for key in keys:
            if cache.read(key) is None:
                cache.insert(key, key)
            else:
                found += 1
        hits.append(found)
    assert hits[0] == hits[1]
    assert 100 * hits[0] / len(keys) == pytest.approx(lru_hits(popular().tolist(), 30))


def test_joined_traces_share_no_key() -> None:
    both = joined("both", [Trace("a", np.array([0, 1, 0])), Trace("b", np.array([0, 0, 1]))])
    assert both.keys.tolist() == [0, 1, 0, 2, 2, 3]


def test_other_sizes_are_none_of_the_table_and_hold_not_everything(data: Path) -> None:
    found = in_directory(data)
    made = cells(found, ["table", "wide"], quick=False)
    sizes = {part: {cell.capacity for cell in made if (cell.part, cell.source.name) == (part, "busy")} for part in
             ("table", "wide")}  # fmt: skip
    assert sizes["table"] == {20, 40}
    objects = load(found.sources["busy"]).objects
    shares = {int(share * objects) for share in (0.01, 0.05, 0.2)}
    assert sizes["wide"] == ({10, 30, 60, 120} | shares) - {20, 40}
    assert max(sizes["wide"]) < objects


def test_every_policy_is_replayed_beside_the_reference_and_the_bound(data: Path, tmp_path: Path) -> None:
    result = measured(tmp_path, "--data", str(data), "--workers", "1", "--parts", "table,wide,joined,bytes", "--quick")
    rows = result["rows"]
    assert {row["trace"] for row in rows} == {"busy", "round", "sized"}
    for each in rows:
        assert each["requests"] == REQUESTS
        if each["part"] != "bytes":
            assert each["hit"]["belady"] >= max(each["hit"].values()) - 1e-9
            assert each["hit"]["lru"] == pytest.approx(lru_hits(_keys(each["trace"]), each["capacity"]))
    table = [each for each in rows if each["part"] == "table"]
    assert [(each["trace"], each["reference"]) for each in table] == [("busy", PUBLISHED), ("busy", PUBLISHED)]
    found = result["summary"]["table"]
    assert found["mean_gap"] == pytest.approx(40.0 - sum(each["hit"]["adaptive"] for each in table) / 2)
    assert found["best_single"] == "LIRS"
    assert [each["unit"] for each in rows if each["trace"] == "sized" and each["part"] == "bytes"] == ["bytes"] * 3
    assert result["summary"]["joined"] is None
    assert result["costs"] is None
    text = "\n".join(report(result))
    assert "adaptive, these sizes, reference family, 2 cells:" in text
    assert "missed" in text
    table_text = markdown(result)
    assert "| busy | 20 |" in table_text
    block = with_table("<!-- hitratio table -->\n<!-- end of hitratio table -->", table_text, "hitratio")
    assert table_text in block


def _keys(trace: str) -> list[int]:
    keys = {"busy": popular(), "round": looped(), "sized": popular(seed=4)}[trace]
    return [int(key) for key in keys]


def test_two_processes_find_what_one_finds(data: Path, tmp_path: Path) -> None:
    options = ("--data", str(data), "--only", "round", "--parts", "wide", "--quick", "--workers")
    one, two = (measured(tmp_path, *options, workers) for workers in ("1", "2"))
    assert one["rows"] == two["rows"] != []


def test_one_trace_can_be_named_itself(data: Path) -> None:
    (single,) = in_directory(data / "traces" / "busy.npz").sources.values()
    assert single.name == "busy"
    assert len(load(single)) == REQUESTS


def test_the_reads_of_the_demo_stand_in_where_there_is_no_data(tmp_path: Path) -> None:
    found = of_demo(tmp_path, quick=True)
    trace = load(found.sources["demo"])
    assert trace.sizes is not None
    assert trace.gets == len(trace) > 1.5 * trace.objects > 1000
    assert {cell.part for cell in cells(found, ["table", "wide", "bytes", "joined"], quick=True)} == {"table", "bytes"}


def test_a_picture_stands_beside_the_result(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    options = ["--data", str(data), "--only", "round,busy", "--parts", "table,wide", "--quick", "--workers", "1"]
    assert main([*options, "--results", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "hitratio.json").read_text())["what"] == "traces round, busy"
    assert (tmp_path / "hitratio.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--parts", "table,nonsense"], "nonsense"),
        (["--only", "nobody"], "nobody"),
        (["--workers", "0"], "--workers"),
        (["--only", "written"], "no trace with reads"),
    ],
)
def test_options_that_cannot_be_used_are_told(
    options: list[str], message: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(data), "--results", str(tmp_path), "--no-plot", *options]) == 2
    assert message in capsys.readouterr().err


def test_a_directory_without_traces_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path), "--results", str(tmp_path / "results"), "--no-plot"]) == 2
    assert "holds no trace" in capsys.readouterr().err
