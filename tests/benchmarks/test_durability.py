"""`python -m benchmarks.durability`: its contenders are set up as it says, its turns and ratios are right."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.durability import main
from benchmarks.durability.contenders import (
    DISKCACHE,
    FULL,
    FULL_DISKCACHE,
    FULL_SQLITE,
    LOCKED,
    NORMAL,
    PROCESS,
    SQLITE,
    SYNC,
    WAYS,
    Diskcache,
    Sqlite,
)
from benchmarks.durability.disk import sync_times
from benchmarks.durability.markdown import markdown
from benchmarks.durability.records import MOST_BYTES, marked, records
from benchmarks.durability.report import report
from benchmarks.durability.summary import goals, ratios
from benchmarks.durability.turns import Crew, quantile, spread
from benchmarks.durability.writes import Extent, turns_of, ways_of, writes
from benchmarks.keeping import DifferenceError

if TYPE_CHECKING:
    from pathlib import Path

VALUES = [{"id": number, "text": f"value {number} " * 9} for number in range(40)]
TINY = Extent((1, 2), 5, 2, 20)


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    return writes(VALUES, TINY, None, lambda: None)


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    text = "".join(json.dumps(value) + "\n" for value in [*VALUES, {"id": 99, "text": "x" * MOST_BYTES}])
    (folder / "some.jsonl").write_text(text)
    (folder / "edges.tsv").write_text("a\tb\tc\n")
    return folder


def test_a_crew_does_each_operation_once_and_tells_times_in_their_order() -> None:
    done: list[int] = []
    with Crew(3) as crew:
        turn = crew.work([(done.append, (number,)) for number in range(100)])
    assert sorted(done) == list(range(100))
    assert len(turn.taken) == 100
    assert min(turn.taken) > 0
    assert turn.seconds * 1e9 >= max(turn.taken)


def test_a_crew_keeps_its_threads_and_calls_in_each_of_them() -> None:
    with Crew(4) as crew:
        first, second = crew.each(threading.get_ident), crew.each(threading.get_ident)
    assert len(set(first)) == 4
    assert set(first) == set(second)


def test_what_an_operation_raises_is_raised() -> None:
    def fail() -> None:
        raise ValueError("no")

    with Crew(2) as crew, pytest.raises(ValueError, match="no"):
        crew.work([(fail, ())])


def test_quantiles_and_spread() -> None:
    assert quantile([5, 1, 3, 2, 4], 0.5) == 3
    assert quantile([5, 1, 3, 2, 4], 0.999) == 5
    assert spread([1, 2, 3, 4, 5]) == {"median": 3, "low": 2, "high": 4}
    assert spread([7.0]) == {"median": 7, "low": 7, "high": 7}


@pytest.mark.parametrize("synchronous", [NORMAL, FULL])
def test_peers_sync_as_they_are_asked_to_in_every_thread(tmp_path: Path, synchronous: int) -> None:
    cache, table = Diskcache(tmp_path / "cache", synchronous), Sqlite(tmp_path / "table", synchronous)

    def asked() -> list[Any]:
        cache.write("key", 1)
        table.write("key", 1)
        found = []
        for connection in (cache._cache._con, table._connection()):
            for pragma in ("synchronous", "journal_mode"):
                found += connection.execute(f"PRAGMA {pragma}").fetchone()
        return found

    with Crew(2) as crew:
        assert crew.each(asked) == [[synchronous, "wal", synchronous, "wal"]] * 2
        crew.each(cache.leave)
    cache.close()
    table.close()


def test_every_contender_gives_back_what_it_was_given(tmp_path: Path) -> None:
    for number, way in enumerate(WAYS):
        contender = way.opened(tmp_path / str(number))
        contender.write("key", VALUES[0])
        contender.write("key", VALUES[1])
        contender.settle()
        assert contender.read("key") == VALUES[1]
        contender.leave()
        contender.close()


def test_a_sync_of_the_medium_is_timed(tmp_path: Path) -> None:
    times = sync_times(tmp_path / "file", 3)
    assert len(times) == 3
    assert (tmp_path / "file").stat().st_size == 3 * 4096


def test_marked_values_differ_from_each_other_and_marks_do_not_pile_up() -> None:
    for value in (VALUES[0], "text", [1]):
        assert marked(value, 1) != marked(value, 2)
    assert marked(marked(VALUES[0], 1), 2) == marked(VALUES[0], 2)


def test_records_are_json_lines_that_a_row_of_diskcache_holds(lines: Path) -> None:
    found = records(str(lines), [], quick=True)
    assert sorted(value["id"] for value in found.values) == [value["id"] for value in VALUES]
    assert found.what.startswith("40 recorded values: some; pickled")
    assert found.values == records(str(lines), ["some"], quick=False).values


def test_a_lock_around_a_peer_is_compared_only_where_there_are_threads_to_wait() -> None:
    assert {way.name for way in WAYS} - {way.name for way in ways_of(1)} == set(LOCKED)
    assert ways_of(2) == list(WAYS)
    assert turns_of(TINY) == 2 * (2 * len(WAYS) - len(LOCKED))


def test_every_contender_takes_all_turns(measured: dict[str, Any]) -> None:
    rows = measured["rows"]
    assert [(row["threads"], row["name"]) for row in rows] == [(n, way.name) for n in (1, 2) for way in ways_of(n)]
    assert all(len(row["rates"]) == TINY.rounds for row in rows)
    assert all(0 < row["p50_us"] <= row["most_us"] for row in rows)
    assert all(0 < row["settled"] < max(row["rates"]) for row in rows)
    assert 0 < measured["sync_us"]["low"] <= measured["sync_us"]["median"] <= measured["sync_us"]["high"]


def test_a_value_that_comes_back_changed_fails_the_run() -> None:
    with pytest.raises(DifferenceError, match="came back changed"):
        writes([{"never equal to itself": float("nan")}], TINY._replace(threads=(1,)), None, lambda: None)


def rows(threads: int, **rates: list[float]) -> list[dict[str, Any]]:
    return [{"threads": threads, "name": name, "rates": each, "settled": each[0] / 2} for name, each in rates.items()]


def test_ratios_are_those_of_turns_side_by_side_and_the_goal_is_on_many_threads() -> None:
    names = [way.name for way in WAYS]
    rates = {name: [100.0, 100.0, 100.0] for name in names} | {SYNC: [900.0, 1500.0, 1600.0]}
    made = ratios(rows(16, **rates))
    found = {(row["ours"], row["other"]): row for row in made}
    assert {(SYNC, FULL_DISKCACHE), (SYNC, FULL_SQLITE), (PROCESS, DISKCACHE), (PROCESS, SQLITE)} <= set(found)
    assert found[SYNC, FULL_DISKCACHE]["times"] == {"median": 15, "low": 12, "high": 15.5}
    assert found[SYNC, FULL_DISKCACHE]["settled"] == 9
    assert [(goal["value"], goal["met"]) for goal in goals(made)] == [(15, True), (15, False)]
    few = {name: each for name, each in rates.items() if name not in LOCKED}
    assert goals(ratios(rows(1, **few))) == []


def test_a_run_keeps_its_result_and_tells_it(lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--data", str(lines), "--quick", "--threads", "1", "--place", str(tmp_path), "--results", str(tmp_path)]
    assert main(options) == 0
    told = capsys.readouterr().out
    result = json.loads((tmp_path / "durability.json").read_text())
    assert (tmp_path / "durability.png").read_bytes().startswith(b"\x89PNG")
    assert "fdatasync of 4 KB appended here" in told
    assert "\n".join(report(result)) in told
    assert "| 1 | stratakv sync | power loss |" in markdown(result)


@pytest.mark.parametrize("wrong", [["--threads", "0"], ["--threads", "two"], ["--place", "/none/such"]])
def test_wrong_use_is_told(wrong: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*wrong, "--results", str(tmp_path), "--no-plot"]) == 2
    assert "error: " in capsys.readouterr().err
