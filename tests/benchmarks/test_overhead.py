"""`python -m benchmarks.overhead` on few requests: what it asks, counts, compares and tells."""

from __future__ import annotations

import copy
import json
from contextlib import closing
from functools import partial
from itertools import chain
from operator import mul
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from benchmarks.keeping import DifferenceError
from benchmarks.overhead import main
from benchmarks.overhead.alone import COUNTED, processes
from benchmarks.overhead.engines import ABSORB, KINDS, WRITE_THROUGH, Bucket, Kind, Place, engine, fill
from benchmarks.overhead.floors import RATIOS, floors
from benchmarks.overhead.markdown import markdown
from benchmarks.overhead.plot import plot
from benchmarks.overhead.records import records
from benchmarks.overhead.report import report
from benchmarks.overhead.requests import BARE, OFF, contestant, contestants, lane
from benchmarks.overhead.summary import budgets
from benchmarks.overhead.sustained import sustained
from benchmarks.overhead.turns import TURN, Lane, interleaved, percentile, rotated, spread
from benchmarks.overhead.workloads import Request, Workload, recorded, zipf
from benchmarks.overhead.wrapping import side_by_side
from benchmarks.traces.sources import Source
from stratakv.policies.simulation.trace import DELETE, GET, PUT
from tests.servers.valkey import NoServerError, valkey_binary, valkey_client, valkey_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers.moto import S3Server

RECORDS = [json.dumps({"name": f"record {number}", "text": "some words " * 20}).encode() for number in range(60)]
FEW = zipf(RECORDS, keys=20, count=TURN + 10)


def _nothing(_done: int, _total: int) -> None:
    pass


@pytest.fixture(scope="module")
def valkey_port() -> Iterator[int]:
    """The port of a server; skipped where there is none."""
    try:
        valkey_binary()
    except NoServerError as missing:
        pytest.skip(str(missing))
    with valkey_server() as port:
        yield port


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    """A result of all parts, of the fewest requests."""
    kind = KINDS["diskcache"]
    row: dict[str, Any] = {
        "engine": kind.name,
        "judged": kind.judged,
        "workload": FEW.name,
        "keys": len(FEW.filled),
        "requests": len(FEW.requests),
        "rounds": 2,
        "ways": side_by_side(kind, None, FEW, rounds=2),
        "alone": processes(kind, None, FEW, (BARE, ABSORB), rounds=1),
    }
    about = {"machine": {"cpu": "a cpu", "cpus": 2}, "versions": {"python": "3"}, "revision": "r", "quick": True}
    made: dict[str, Any] = {"what": "records", "rows": [row], "left_out": ["s3-ceph: no Ceph"]}
    made |= {"floors": floors(RECORDS, 2, _nothing), "sustained": sustained(RECORDS, _nothing)}
    return {**about, **made, "budgets": budgets(made)}


def test_lanes_take_turns_and_another_one_begins_each_time() -> None:
    asked: list[tuple[str, int]] = []
    judged: list[tuple[str, int, list[int]]] = []

    def named(name: str) -> Lane:
        def calls(start: int, stop: int) -> list[Callable[[], Any]]:
            asked.append((name, start))
            return [partial(mul, 2, number) for number in range(start, stop)]

        return Lane(calls, lambda start, results: judged.append((name, start, results)))

    count = 2 * TURN + 5
    times = interleaved({"a": named("a"), "b": named("b")}, count)
    assert asked == [("a", 0), ("b", 0), ("b", TURN), ("a", TURN), ("a", 2 * TURN), ("b", 2 * TURN)]
    assert {name: len(each) for name, each in times.items()} == {"a": count, "b": count}
    results = chain.from_iterable(results for name, _, results in judged if name == "a")
    assert list(results) == [2 * number for number in range(count)]
    assert rotated("abc", 4) == ["b", "c", "a"]


def test_quartiles_and_percentiles() -> None:
    assert spread([3.0, 1.0, 2.0, 5.0, 4.0]) == {"low": 2.0, "median": 3.0, "high": 4.0}
    assert spread([7.0]) == {"low": 7.0, "median": 7.0, "high": 7.0}
    ordered = [1000 * number for number in range(1000)]
    assert (percentile(ordered, 0.5), percentile(ordered, 0.999), percentile([2000], 0.99)) == (500, 999, 2)


def test_zipf_is_the_same_each_time_and_its_first_keys_are_asked_most() -> None:
    assert zipf(RECORDS, keys=20, count=TURN + 10) == FEW
    many = zipf(RECORDS, keys=50, count=2000)
    times = sorted(np.unique([request.key for request in many.requests], return_counts=True)[1], reverse=True)
    assert times[0] > 4 * times[9] > 4 * times[-1]
    assert 0.07 < sum(request.what == PUT for request in many.requests) / len(many.requests) < 0.13


def _consistent(workload: Workload) -> None:
    held: dict[str, bytes | None] = dict(workload.filled)
    written = []
    for what, key, record in workload.requests:
        if what != GET:
            held[key] = record
            written.append(record)
        assert held[key] == record
        assert record is not None or what in {GET, DELETE}
    stored = [*workload.filled.values(), *filter(None, written)]
    assert len({*stored}) == len(stored)  # no two values are alike
    assert all(json.loads(record) for record in stored)


def test_every_read_expects_what_was_written_last_and_all_requests_come_twice(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", key=np.array([0, 1, 0, 2, 0, 1]), op=np.array([GET, PUT, PUT, GET, DELETE, GET]))
    trace = recorded(Source("t", (str(tmp_path / "t.npz"),)), RECORDS, count=5)
    for workload in (FEW, trace):
        _consistent(workload)
        asked = [(request.what, request.key) for request in workload.requests]
        assert asked[: len(asked) // 2] == asked[len(asked) // 2 :]
    assert [request.what for request in trace.requests[:5]] == [GET, PUT, PUT, GET, DELETE]
    assert trace.requests[5].record is None  # deleted in the first lap
    assert sorted(trace.filled) == ["key:0", "key:1", "key:2"]


def _served(kind: Kind, place: Place, directory: Path, ways: tuple[str, ...]) -> None:
    """Send a workload with deletes through each way; every value is compared."""
    key = FEW.requests[0].key
    gone = Workload("w", FEW.filled, [*FEW.requests, Request(DELETE, key, None), Request(GET, key, None)])
    for number, way in enumerate(ways):
        with contestant(way, kind, place, directory, number, gone) as (held, _):
            made = lane(kind, held, gone)
            for start in range(0, len(gone.requests), TURN):
                made.check(start, [call() for call in made.calls(start, start + TURN)])


@pytest.mark.parametrize("name", ["dict", "diskcache"])
def test_engines_give_what_was_written_bare_and_wrapped(tmp_path: Path, name: str) -> None:
    ways = contestants(KINDS[name])
    assert ways[:2] == (BARE, OFF)
    _served(KINDS[name], None, tmp_path, ways)


def test_valkey_gives_what_was_written_bare_and_wrapped(tmp_path: Path, valkey_port: int) -> None:
    _served(KINDS["valkey"], valkey_port, tmp_path, contestants(KINDS["valkey"]))


def test_a_bucket_gives_what_was_written_bare_and_wrapped(tmp_path: Path, s3_server: S3Server) -> None:
    few = Workload("w", dict(list(FEW.filled.items())[:3]), [Request(GET, "missing", None)])
    with closing(Bucket(s3_server)) as bucket:
        fill(KINDS["s3-moto"], bucket, few.filled)
        assert bucket.retrieve("missing") is None
        assert {key: bucket.retrieve(key) for key in few.filled} == few.filled
    _served(KINDS["s3-moto"], s3_server, tmp_path, (OFF, WRITE_THROUGH))


def test_a_valkey_server_has_databases_that_are_emptied_for_each_engine(tmp_path: Path, valkey_port: int) -> None:
    kind = KINDS["valkey"]
    with engine(kind, valkey_port, tmp_path, 3) as first:
        fill(kind, first, {"key": b"value"})
        with closing(valkey_client(valkey_port, 2)) as other:
            assert (first.get("key"), other.get("key")) == (b"value", None)
    with engine(kind, valkey_port, tmp_path, 3) as again:
        assert again.get("key") is None


def test_a_value_that_came_back_changed_ends_the_run() -> None:
    made = lane(KINDS["dict"], {}, FEW)
    number = next(number for number, request in enumerate(FEW.requests) if request.what == GET)
    with pytest.raises(DifferenceError, match=f"request {number} for 'key:[0-9]+' got another value"):
        made.check(number, [{"another": 1}])


def test_single_calls_are_told_beside_their_floors(result: dict[str, Any]) -> None:
    told = result["floors"]
    assert (told["records"], told["rounds"]) == (len(RECORDS) / 2, 2)
    for ours, other in RATIOS:
        ratio = told["ratios"][f"{ours} / {other}"]
        assert 0 < ratio["low"] <= ratio["median"] <= ratio["high"]
        assert 0 < told["us"][ours] <= told["p99_us"][ours]


def test_stores_in_a_row_count_their_background_and_every_file(result: dict[str, Any]) -> None:
    ours, peer = result["sustained"]["each"].values()
    assert 0 < ours["stores_alone"] < ours["seconds"]
    assert peer["stores_alone"] == peer["seconds"]
    places = ("warm", "cold", "catalog", "journal", "other")
    assert sum(ours["parts"][place] for place in places) == ours["bytes"]
    assert ours["parts"]["warm"] > 0
    assert peer["bytes"] > sum(map(len, RECORDS))


def test_ways_are_told_beside_the_bare_engine(result: dict[str, Any]) -> None:
    (row,) = result["rows"]
    assert list(row["ways"]) == [BARE, OFF, ABSORB, WRITE_THROUGH]
    for told in row["ways"].values():
        assert 0 < told["p50_us"] <= told["p99_us"] <= told["p999_us"]
        assert set(told["p50_of_us"]) == {"reads", "writes", "second_reads"}
    assert row["ways"][BARE]["first_times_bare"] == row["ways"][BARE]["second_times_bare"] == spread([1.0, 1.0])
    assert row["alone"][BARE]["seconds_times_bare"]["median"] == 1
    assert all(row["alone"][ABSORB][what] > 0 for what in COUNTED)


def test_budgets_say_what_must_be_and_what_is_aimed_at(result: dict[str, Any]) -> None:
    def half(ratio: float) -> dict[str, float]:
        return {"low": ratio, "median": ratio, "high": ratio}

    ratios = {f"{ours} / {other}": half(0.5) for ours, other in RATIOS}
    sizes = {"seconds": half(4.0), "bytes": half(3.9)}
    made: dict[str, Any] = {"rows": [], "floors": {"ratios": ratios}, "sustained": {"times_better": sizes}}
    rows = {row["what"]: row for row in budgets(made)}
    verdicts = {what: (row["median"], row["met"], row["goal_met"]) for what, row in rows.items()}
    assert verdicts["hot retrieve, in times of its floor"] == (0.5, True, True)
    assert verdicts["hot retrieve, times faster than diskcache.get"] == (2.0, True, False)
    assert verdicts["store, times faster than diskcache.set"] == (2.0, False, False)
    assert [row[1:] for what, row in verdicts.items() if "stores in a row" in what] == [(True, False)]
    assert [row[1:] for what, row in verdicts.items() if "all files" in what] == [(False, False)]
    # Seven for the engine, beside the seven of the store alone.
    assert len(result["budgets"]) == 14


def test_requests_that_only_write_have_budgets_of_their_laps(result: dict[str, Any]) -> None:
    made = copy.deepcopy({"floors": None, "sustained": None, "rows": result["rows"][:1]})
    row = made["rows"][0] | {"judged": True}
    for told in row["ways"].values():
        del told["p50_of_us"]["second_reads"]
    rows = [row["what"] for row in budgets(made | {"rows": [row]})]
    assert len(rows) == 5
    assert not any("median read" in what for what in rows)


def test_the_tables_and_the_picture_have_every_way(result: dict[str, Any], tmp_path: Path) -> None:
    text, table = "\n".join(report(result)), markdown(result)
    for told in (text, table):
        assert "s3-ceph: no Ceph" in told
        assert "diskcache, zipf 0.99: write_through, second lap, in times of bare" in told
    requests = f"zipf 0.99, 2 x {TURN + 10} of {len(FEW.filled)} keys"
    assert f"| diskcache | {requests} | pass-through |" in table
    plot(result, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_records_differ_and_come_from_the_data_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "words.jsonl").write_text('{"word": "a"}\n{"word": "b"}\n')
    what, each = records(str(tmp_path), 50)
    assert what.startswith("words records of ")
    assert len({*each}) == 50
    assert {json.loads(record)["word"] for record in each} == {"a", "b"}


def test_the_command_takes_one_engine_and_tells_what_cannot_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "words.jsonl").write_text('{"word": "a"}\n')
    (tmp_path / "traces").mkdir()
    np.savez(tmp_path / "traces" / "t.npz", key=np.array([0, 1, 0]))
    there = ["--data", str(tmp_path), "--results", str(tmp_path / "kept"), "--no-plot", "--quick"]
    assert main([*there, "--engines", "dict", "--parts", "traces"]) == 0
    kept = json.loads((tmp_path / "kept" / "overhead.json").read_text())
    assert [(row["engine"], row["workload"], row["requests"]) for row in kept["rows"]] == [("dict", "t", 6)]
    assert kept["budgets"] == []  # nobody expects a wrapped dict to be faster
    capsys.readouterr()
    assert main([*there, "--engines", "etcd"]) == 2
    assert "there is no engine etcd: known are dict" in capsys.readouterr().err
    assert main([*there, "--only", "oltp"]) == 2
    assert "there is no trace oltp: known are t" in capsys.readouterr().err
    assert main([*there, "--records", "5"]) == 2
    assert "--records is at least" in capsys.readouterr().err
