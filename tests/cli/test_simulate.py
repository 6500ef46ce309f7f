"""`stratakv simulate`: its results, capacities in every unit, the picture, and what is wrong with what was asked."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stratakv.cli.main import main
from stratakv.cli.simulation.capacities import parse_capacities
from stratakv.cli.simulation.runs import parse_policies
from stratakv.cli.simulation.traces import read_trace
from stratakv.policies.eviction import known_policies
from tests.cli.written_traces import CSV, saved, written

_DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def simulated(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    capsys.readouterr()
    assert main(["simulate", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_results_are_one_list_in_the_order_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = written(tmp_path / "t.csv", CSV)
    rows = simulated(capsys, trace, "--policy", "lru,fifo", "--capacity", "1,3")
    assert [(row["policy"], row["capacity"]) for row in rows] == [
        (policy, capacity) for capacity in (1, 3) for policy in ("lru", "fifo", "belady")
    ]
    assert rows[3] == {
        "trace": "t",
        "policy": "lru",
        "capacity": 3,
        "unit": "objects",
        "requests": 5,
        "hit_ratio": 2 / 5,
        "byte_hit_ratio": 15 / 65,
    }


def test_by_bytes_sizes_count_against_the_capacity(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = written(tmp_path / "t.csv", CSV)
    rows = simulated(capsys, trace, "--policy", "lru", "--capacity", "10,30", "--bytes")
    assert [(row["policy"], row["capacity"], row["unit"], row["hit_ratio"]) for row in rows] == [
        ("lru", 10, "bytes", 2 / 5),
        ("belady", 10, "bytes", 2 / 5),
        ("lru", 30, "bytes", 2 / 5),
        ("belady", 30, "bytes", 2 / 5),
    ]


def test_the_objective_reaches_a_policy_that_can_choose(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chance = np.random.default_rng(7)
    keys = np.minimum(chance.zipf(1.1, 20_000), 3000) - 1
    trace = saved(tmp_path / "t.npz", key=keys, size=chance.integers(1, 4, 3000)[keys] ** 6)
    options = (trace, "--policy", "adaptive", "--capacity", "5%", "--bytes")
    for_objects, *_ = simulated(capsys, *options)
    for_bytes, *_ = simulated(capsys, *options, "--objective", "bytes")
    assert for_objects["hit_ratio"] > for_bytes["hit_ratio"]
    assert for_objects["byte_hit_ratio"] < for_bytes["byte_hit_ratio"]


def test_without_sizes_the_byte_hit_ratio_is_the_hit_ratio(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = saved(tmp_path / "t.npz", key=[0, 1, 0])
    for row in simulated(capsys, trace, "--policy", "fifo", "--capacity", "2"):
        assert row["hit_ratio"] == row["byte_hit_ratio"] == 1 / 3


def test_all_policies_end_with_the_bound() -> None:
    assert parse_policies("all") == [*known_policies(), "belady"]
    assert parse_policies("lru, all")[0] == "lru"
    assert parse_policies("belady,lru,lru") == ["belady", "lru"]
    assert parse_policies("lru") == ["lru", "belady"]


def test_several_traces_are_told_one_after_the_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = saved(tmp_path / "one.npz", key=[0, 1, 0]), saved(tmp_path / "two.v2.npz", key=[0, 0])
    rows = simulated(capsys, one, two, "--policy", "lru", "--capacity", "100%,1")
    assert list(dict.fromkeys((row["trace"], row["capacity"]) for row in rows)) == [
        ("one", 2),
        ("one", 1),
        ("two.v2", 1),
    ]


def test_writes_alone_have_no_hit_ratio_and_a_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = saved(tmp_path / "t.npz", key=[0, 1, 0], op=[1, 1, 2], size=[5, 5, 0])
    capsys.readouterr()
    assert main(["simulate", str(trace), "--policy", "lru", "--capacity", "1", "--json"]) == 0
    printed = capsys.readouterr()
    assert [(row["requests"], row["hit_ratio"], row["byte_hit_ratio"]) for row in json.loads(printed.out)] == [
        (0, None, None)
    ] * 2
    assert "t has no gets" in printed.err


def test_table_tells_the_gap_to_the_bound_and_the_best_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = saved(tmp_path / "t.npz", key=[0, 1, 0, 2, 0, 1, 2, 0])
    assert main(["simulate", str(trace), "--policy", "fifo,lru", "--capacity", "2"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line]
    assert lines[0][:5] == ["t:", "8", "gets,", "3", "objects;"]
    assert lines[3:] == [["lru", "25.00", "12.50"], ["fifo", "12.50", "25.00"], ["belady", "37.50", "0.00"]]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--capacity", "0"], "'0' is no capacity: it must be at least 1"),
        (["--capacity", "-5"], "'-5' is no capacity"),
        (["--capacity", "1,,2"], "'' is no capacity"),
        (["--capacity", "many"], "'many' is no capacity: say a number"),
        (["--capacity", "2.5"], "'2.5' is no capacity"),
        (["--capacity", "0%"], "'0%' is no share"),
        (["--capacity", "101%"], "more than 0% and at most 100%"),
        (["--capacity", "1%"], "1% of the 2 objects of trace t is less than one"),
        (["--capacity", "2GB"], "'2GB' is a number of bytes: add --bytes"),
        (["--capacity", "9" * 30], "at most 1125899906842624"),
        (["--capacity", "9", "--bytes"], "trace t has no column 'size', which --bytes needs"),
        (
            ["--capacity", "9", "--policy", "lru,best"],
            "unknown policy 'best': known are .*fifo.*lru, .*belady, and all",
        ),
        (["--capacity", "9", "--policy", ""], "unknown policy ''"),
        (["--capacity", "9", "--objective", "speed"], "invalid choice: 'speed'"),
        (["--capacity", "9", "--plot", "gone/x.png"], "there is no directory gone"),
        (["--capacity", "9", "--plot", "x.pdf"], "ends in .png"),
        ([], "say how much fits: --capacity"),
    ],
    ids=" ".join,
)
def test_wrong_options_are_told_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    trace = saved(tmp_path / "t.npz", key=[0, 1])
    assert main(["simulate", str(trace), *options]) == 2
    told = capsys.readouterr().err
    assert re.search(said, told), told


def test_missing_file_and_no_file_are_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", str(tmp_path / "gone.csv"), "--capacity", "1", "--json"]) == 2
    printed = capsys.readouterr()
    assert "cannot read" in printed.err
    assert "cannot read" in json.loads(printed.out)["error"]
    assert main(["simulate", "--capacity", "1"]) == 2
    assert "name at least one trace file" in capsys.readouterr().err


def test_sizes_have_units_of_1024(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path / "t.csv", CSV))
    capacities = parse_capacities("7, 1KB,1.5mb,2 GB,10%,1kb", by_bytes=True)
    assert [capacity.of(trace, by_bytes=True) for capacity in capacities] == [7, 1024, 3 << 19, 2 << 30, 3, 1024]


def test_shares_are_whole_objects_or_bytes(tmp_path: Path) -> None:
    trace = read_trace(saved(tmp_path / "t.npz", key=np.arange(1000), size=np.full(1000, 33)))
    (share,) = parse_capacities("0.29%", by_bytes=False)
    assert share.of(trace, by_bytes=False) == 2
    assert share.of(trace, by_bytes=True) == 95


@pytest.mark.skipif(not _DATA.is_dir(), reason="the folder shared/data is not beside the repository")
def test_shares_of_a_recorded_trace_are_the_published_capacities(capsys: pytest.CaptureFixture[str]) -> None:
    path = _DATA / "traces" / "adaptsize_request.npz.xz"
    published = json.loads((_DATA / "reference_hit_ratios.json").read_text())["byte_size"]["adaptsize_request"]
    rows = simulated(capsys, path, "--policy", "lru", "--capacity", "1%,5%,10%", "--bytes")
    told = published["object_hit_pct/byte_hit_pct"]
    assert list(dict.fromkeys(str(row["capacity"]) for row in rows)) == list(told)
    for row in rows:
        ratios = told[str(row["capacity"])]["LRU" if row["policy"] == "lru" else "Belady"]
        assert [100 * row["hit_ratio"], 100 * row["byte_hit_ratio"]] == pytest.approx(ratios, abs=0.0051)


@pytest.mark.parametrize("options", [["--capacity", "3,50%"], ["--capacity", "1KB", "--bytes"]])
def test_plot_is_a_picture_beside_the_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    pytest.importorskip("matplotlib")
    keys = np.random.default_rng(1).integers(0, 60, 2000)
    trace = saved(tmp_path / "t.npz", key=keys, size=keys * 10 + 1)
    silent = saved(tmp_path / "silent.npz", key=[0, 1], op=[1, 1], size=[1, 1])
    picture = written(tmp_path / "x.png", b"what was there before")
    if "--bytes" not in options:
        options = [str(silent), *options]
    rows = simulated(capsys, trace, *options, "--policy", "lru", "--plot", picture)
    assert rows[0]["requests"] == 2000
    assert picture.read_bytes().startswith(b"\x89PNG")
    width, height = np.frombuffer(picture.read_bytes()[16:24], ">u4")
    assert width > 1000
    assert height > 500


def test_there_is_no_picture_of_writes_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    trace = saved(tmp_path / "t.npz", key=[0, 1], op=[1, 1])
    assert main(["simulate", str(trace), "--capacity", "1", "--plot", str(tmp_path / "x.png")]) == 2
    assert "no trace has a get" in capsys.readouterr().err


_WITHOUT_MATPLOTLIB = """
import sys
sys.modules["matplotlib"] = None
from stratakv.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def test_without_matplotlib_the_picture_is_refused_before_the_traces_are_read(tmp_path: Path) -> None:
    options = ["simulate", "gone.csv", "--capacity", "1", "--plot", "x.png"]
    command = [sys.executable, "-c", _WITHOUT_MATPLOTLIB, *options]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "pip install 'stratakv[plots]'" in ended.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--cost", "--plot", "x.png"],
        ["--cost", "--bytes"],
        ["--record", "t.csv", "--cost"],
        ["--capacity", "10", "--tuner", "off"],
        ["--capacity", "10", "--seconds", "5"],
        ["--capacity", "10", "--config", "c.yaml"],
    ],
)
def test_options_that_would_have_no_effect_are_refused(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.csv").write_text("key,ts\na,1\nb,2\n")
    assert main(["simulate", str(tmp_path / "t.csv"), *arguments]) == 2
    assert "no effect" in (err := capsys.readouterr().err) or "two questions" in err
