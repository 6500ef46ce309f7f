"""`stratakv simulate --record`: a trace of a live store, which `simulate` then replays."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import stat
import threading
from typing import TYPE_CHECKING

import pytest

from stratakv import OptimizationMiddleware
from stratakv.cli.main import main
from stratakv.engine.recording import REQUEST_FILE, Request, ask, withdraw

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAIT = 30


class Service(threading.Thread):
    """Uses a store until told to stop."""

    def __init__(self, memory: OptimizationMiddleware) -> None:
        super().__init__()
        self.memory = memory
        self.done = threading.Event()

    def run(self) -> None:
        number = 0
        while not self.done.wait(0.001):
            number += 1
            self.memory[f"secret:{number % 20}"] = {"text": "x" * (number % 7 * 100)}
            self.memory.retrieve(f"secret:{number % 5}")
            self.memory.retrieve("absent")
            if number % 10 == 0:
                self.memory.delete(f"secret:{number % 20}")


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Path]:
    with OptimizationMiddleware(path=tmp_path / "s") as memory:
        service = Service(memory)
        service.start()
        yield tmp_path / "s"
        service.done.set()
        service.join(WAIT)


def rows(trace: Path) -> list[dict[str, str]]:
    with trace.open() as file:
        return list(csv.DictReader(file))


def test_a_trace_tells_operations_sizes_and_times_but_no_keys(live: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    assert main(["simulate", "--record", str(trace), "--dir", str(live), "--seconds", "1.5", "--json"]) == 0
    told = rows(trace)
    assert {row["op"] for row in told} == {"get", "put", "delete"}
    assert "secret" not in trace.read_text()
    assert all(int(row["size"]) > 0 for row in told if row["op"] == "put")
    times = [float(row["ts"]) for row in told]
    assert times == sorted(times)
    assert 0.2 < times[-1] < 10
    gets = [row["key"] for row in told if row["op"] == "get"]
    assert len(set(gets)) <= 5
    assert not [path.name for path in live.iterdir() if path.name.startswith("record")]


def test_what_was_recorded_can_be_simulated(live: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "trace.csv"
    assert main(["simulate", "--record", str(trace), "--dir", str(live), "--requests", "400"]) == 0
    assert "operations in" in capsys.readouterr().out
    assert main(["simulate", str(trace), "--policy", "lru", "--capacity", "50%", "--json"]) == 0
    (lru, _) = json.loads(capsys.readouterr().out)
    assert lru["policy"] == "lru"
    assert 0 < lru["hit_ratio"] <= 1


def test_a_request_that_is_withdrawn_ends_the_recording(live: Path) -> None:
    ask(live, Request("0" * 16, 1_000_000, 600.0))
    assert stat.S_IMODE((live / REQUEST_FILE).stat().st_mode) == 0o600
    withdraw(live, "0" * 16)
    threading.Event().wait(0.6)
    assert not [path.name for path in live.iterdir() if path.name.startswith("record")]


def test_a_request_that_was_left_behind_gives_way_to_a_new_one(live: Path, tmp_path: Path) -> None:
    ask(live, Request("0" * 16, 1_000_000, 600.0))
    threading.Event().wait(0.6)
    trace = tmp_path / "trace.csv"
    assert main(["simulate", "--record", str(trace), "--dir", str(live), "--seconds", "0.5"]) == 0
    assert float(rows(trace)[-1]["ts"]) < 10


@pytest.mark.parametrize(
    "hostile",
    [
        "",
        "[]",
        "{}",
        '{"name": "../../x", "requests": 1, "seconds": 1}',
        "9" * 9999,
        "[" * 4000,
        '{"name": "0000000000000000", "requests": Infinity, "seconds": NaN}',
    ],
)
def test_a_request_that_cannot_be_read_is_removed_and_harms_nobody(live: Path, hostile: str) -> None:
    (live / REQUEST_FILE).write_text(hostile)
    threading.Event().wait(0.8)
    assert not (live / REQUEST_FILE).exists()


@pytest.mark.parametrize("made", ["pipe", "directory", "link"])
def test_what_is_no_file_holds_nobody_up(live: Path, tmp_path: Path, made: str) -> None:
    target = live / REQUEST_FILE
    if made == "pipe":
        os.mkfifo(target)
    elif made == "directory":
        target.mkdir()
    else:
        target.symlink_to("/dev/zero")
    with contextlib.suppress(FileNotFoundError):
        threading.Event().wait(0.8)
        if made == "directory":
            target.rmdir()
    trace = tmp_path / "trace.csv"
    assert main(["simulate", "--record", str(trace), "--dir", str(live), "--seconds", "0.5"]) == 0


def test_sizes_are_what_values_take_in_ram(live: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    assert main(["simulate", "--record", str(trace), "--dir", str(live), "--seconds", "0.6"]) == 0
    assert all(400 < int(row["size"]) < 2000 for row in rows(trace) if row["op"] != "delete")


def test_without_an_owner_there_is_nothing_to_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with OptimizationMiddleware(path=tmp_path / "s") as memory:
        memory["k"] = 1
    assert main(["simulate", "--record", str(tmp_path / "t.csv"), "--dir", str(tmp_path / "s")]) == 2
    assert "no process has" in capsys.readouterr().err
    assert not (tmp_path / "t.csv").exists()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--seconds", "0"], "--seconds is a number above 0"),
        (["--seconds", "nan"], "--seconds is a number above 0"),
        (["--requests", "0"], "--requests is from 1"),
        (["--requests", "99999999999"], "--requests is from 1"),
    ],
)
def test_bad_bounds_are_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], complaint: str
) -> None:
    with OptimizationMiddleware(path=tmp_path / "s") as memory:
        memory["k"] = 1
        assert main(["simulate", "--record", str(tmp_path / "t.csv"), "--dir", str(tmp_path / "s"), *options]) == 2
    assert complaint in capsys.readouterr().err


def test_a_target_in_no_directory_is_refused_before_anything_is_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with OptimizationMiddleware(path=tmp_path / "s") as memory:
        memory["k"] = 1
        assert main(["simulate", "--record", str(tmp_path / "no" / "t.csv"), "--dir", str(tmp_path / "s")]) == 2
        assert not (tmp_path / "s" / REQUEST_FILE).exists()
    assert "name a file .csv in a directory that exists" in capsys.readouterr().err
