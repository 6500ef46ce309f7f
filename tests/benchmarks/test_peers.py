"""`python -m benchmarks.peers` on few records: stores that keep, forget or are killed, and arithmetic of tables."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from benchmarks.keeping import DifferenceError
from benchmarks.peers import main
from benchmarks.peers.alone import alone
from benchmarks.peers.by_hand import packed, unpacked
from benchmarks.peers.contenders import BY_NAME, CONTENDERS, OURS
from benchmarks.peers.kills import allowed, kills, value_of
from benchmarks.peers.markdown import markdown
from benchmarks.peers.protocol import sizes_of
from benchmarks.peers.records import LARGEST_VALUE, LONGEST_KEY, chosen, written
from benchmarks.peers.report import cells, report
from benchmarks.peers.summary import best, compared, goals, row
from benchmarks.peers.syncs import Syncs, counted, syncs
from benchmarks.peers.times import OPERATIONS, spread
from benchmarks.peers.worker import FailedError, Job, Worker
from benchmarks.readme import with_table
from benchmarks.reduction.loss import identical

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.peers.protocol import Contender
    from benchmarks.peers.records import Records

RECORDS = 40
MEGABYTE = 1 << 20
VALUES: tuple[Any, ...] = (
    {"id": 1, "text": "plain words, plain words", "tags": ["a", "b"], "score": 0.5, "none": None},
    np.arange(32, dtype=np.float32),
    [1, -2, 3.5, True, b"bytes"],
    "a string alone",
)
TUPLE = {"pair": (1, 2)}


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Records:
    items: list[tuple[str, Any]] = [
        (f"k:{number}", {"id": number, "text": "words " * number}) for number in range(RECORDS)
    ]
    items[7] = ("k:7", TUPLE)
    items[8] = ("k:8", np.arange(100, dtype=np.int16).reshape(20, 5))
    return written(items, tmp_path_factory.mktemp("records") / "file")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "values"
    folder.mkdir()
    lines = [{"id": f"n/{number}", "text": f"some text {number}"} for number in range(RECORDS)]
    lines += [{"id": "long", "text": "x" * (LARGEST_VALUE + 1)}, {"id": "k" * (LONGEST_KEY + 1), "text": ""}]
    (folder / "notes.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    versions = [{"doc": "d", "version": number, "text": "t"} for number in range(3)]
    (folder / "pages.jsonl").write_text("\n".join(map(json.dumps, versions)) + "\n")
    np.savez(folder / "vec.npz", base=np.random.default_rng(1).standard_normal((RECORDS, 16)).astype(np.float32))
    return folder.parent


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda each: each.name)
def test_every_store_keeps_values_over_a_reopening_and_forgets_what_is_deleted(
    contender: Contender, records: Records, tmp_path: Path
) -> None:
    room = records.room(MEGABYTE)
    store = contender.opened(tmp_path, room)
    for number, value in enumerate(VALUES):
        store.set(f"key:{number}/x", VALUES[number - 1])
        store.set(f"key:{number}/x", value)
    store.close()
    assert sizes_of(tmp_path).files > 0
    store = contender.opened(tmp_path, room)
    for number, value in enumerate(VALUES):
        assert identical(store.get(f"key:{number}/x"), value)
        assert identical(store.get(f"key:{number}/x"), value)
    store.delete("key:0/x")
    assert store.get("key:0/x") is None
    assert store.get("never") is None
    store.close()
    store = contender.opened(tmp_path, room)
    assert store.get("key:0/x") is None
    assert identical(store.get("key:1/x"), VALUES[1])
    store.close()


def test_what_is_bounded_keeps_no_more_live_objects_than_it_may(records: Records, tmp_path: Path) -> None:
    room = records.room(round(5 * records.live))
    assert room.values == 5
    for name in ("cachetools over diskcache", "zict LRU + LZ4 + File"):
        (tmp_path / name).mkdir()
        store: Any = BY_NAME[name].opened(tmp_path / name, room)
        for number in range(RECORDS):
            store.set(records.keys[number], records.value(number))
        assert len(store._cache) <= 5
        assert identical(store.get(records.keys[0]), records.value(0))
        store.close()


def test_messagepack_gives_tuples_back_as_lists_and_arrays_as_they_were() -> None:
    assert unpacked(packed(TUPLE)) == {"pair": [1, 2]}
    assert identical(unpacked(packed({1: VALUES[1]})), {1: VALUES[1]})
    with pytest.raises(TypeError, match="no form for a object"):
        packed(object())


def test_records_are_taken_in_turn_and_those_that_not_every_store_can_have_are_counted(
    data: Path, tmp_path: Path
) -> None:
    what, items, _ = chosen(str(data), [], 20, quick=False)
    assert what == "recorded data: notes, vec (rows)"
    assert [key.partition(":")[0] for key, _ in items] == ["notes", "vec (rows)"] * 10
    assert [key for key, _ in items] == [key for key, _ in chosen(str(data), [], 20, quick=False).items]
    _, all_items, left_out = chosen(str(data), ["notes"], 1000, quick=False)
    assert (len(all_items), left_out) == (RECORDS, 2)
    found = written(items, tmp_path / "file")
    assert all(identical(found.value(number), value) for number, (_, value) in enumerate(items))
    assert found.value(0) is not found.value(0)
    assert found.sizes == [len(packed(value)) for _, value in items]


def test_what_cannot_be_measured_is_told(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = ["--results", str(tmp_path), "--no-plot"]
    assert main(["--data", str(data), "--only", "other", *results]) == 2
    assert "there is no other: known are notes, pages, vec" in capsys.readouterr().err
    assert main(["--data", str(data), "--only", "pages", *results]) == 2
    assert "no corpus has JSON records" in capsys.readouterr().err
    assert main(["--rounds", "0", *results]) == 2
    assert "take numbers above 0" in capsys.readouterr().err


def test_values_with_other_types_are_counted_and_not_hidden(records: Records) -> None:
    room = records.room(MEGABYTE)
    told = alone(BY_NAME["LMDB sync=False + msgpack + zstd"], records, room)
    assert told["inexact"] == 1  # the one with a tuple
    assert told["disk"]["blocks"] > 0
    assert told["disk"]["files"] > 0
    assert told["filled_us"] > 0


def test_a_store_that_gives_another_value_back_or_raises_ends_the_run(records: Records, tmp_path: Path) -> None:
    room = records.room(MEGABYTE)
    with Worker(Job("SQLite + zstd", tmp_path, room, records)) as worker:
        worker.must("open")
        with pytest.raises(DifferenceError, match="SQLite \\+ zstd gave back 2 values of 2 as others"):
            worker.read([0, 1])  # never set
    with Worker(Job("SQLite + zstd", tmp_path / "missing", room, records)) as worker:
        with pytest.raises(FailedError, match="OperationalError: unable to open database file"):
            worker.ask("open")
        with pytest.raises(DifferenceError, match="the process ended while it was asked to set"):
            worker.must("set", [0])


def test_each_key_may_have_its_last_acknowledged_value_or_that_of_the_set_under_way() -> None:
    keys = 5
    for last in range(23):
        writes: dict[int, int] = {}
        for number in range(last + 1):
            writes[number % keys] = value_of(number, keys)
        found = allowed(last, keys)
        assert {key: values[0] for key, values in found.items()} == writes
        under_way = (last + 1) % keys
        assert all(len(values) == 1 for key, values in found.items() if key != under_way)
        if under_way in found:
            assert found[under_way][1] == value_of(last + 1, keys) != found[under_way][0]


def test_a_kill_takes_nothing_from_stratakv_and_what_it_takes_from_others_is_counted(records: Records) -> None:
    room = records.room(MEGABYTE)
    told = {name: kills(BY_NAME[name], records, room, 1) for name in ("stratakv", "SQLite + zstd", "shelve")}
    assert all(each["kills"] == 1 and 20 < each["acknowledged"] <= RECORDS for each in told.values())
    assert (told["stratakv"]["lost"], told["stratakv"]["not_opened"]) == (0, [])
    assert told["SQLite + zstd"]["lost"] == 0
    assert 0 <= told["shelve"]["lost"] <= told["shelve"]["acknowledged"]


def test_values_that_are_missing_or_older_count_as_lost(records: Records, tmp_path: Path) -> None:
    with Worker(Job("diskcache", tmp_path, records.room(MEGABYTE), records)) as worker:
        worker.must("open")
        worker.must("set", [0, 1, 7])
        assert worker.must("lost", {0: (0,), 1: (5,), 2: (2,), 7: (9, 7)}) == [1, 2]


TRACE = r"""
10 fsync(3) = 0
10 write(1, "descriptors 7\n", 14) = 14
10 write(7, "meta"..., 64) = 64
10 fdatasync(4 <unfinished ...>
11 write(5, "log", 3) = 3
10 <... fdatasync resumed>) = 0
10 write(1, "acknowledged 0\n", 15) = 15
10 pwrite64(5, "x"..., 4096, 0) = 4096
10 msync(0x7f, 4096, MS_ASYNC) = 0
10 write(1, "acknowledged 1\n", 15) = 15
11 fsync(5) = 0
10 write(1, "idle\n", 5) = 5
10 pwrite64(7, "x"..., 4096, 0) = 4096
10 msync(0x7f, 4096, MS_SYNC) = 0
10 write(1, "closed\n", 7) = 7
10 fsync(9) = 0
10 +++ exited with 0 +++
"""


def test_syncs_are_counted_by_when_they_began() -> None:
    assert counted(TRACE) == Syncs(sets=2, waited=1, during=2, idle=1, closing=2)
    with pytest.raises(ValueError, match="did not come to its end"):
        counted(TRACE.partition('10 write(1, "closed')[0])


def test_stratakv_in_sync_syncs_before_it_acknowledges(records: Records) -> None:
    found = syncs([BY_NAME[OURS["sync"]], BY_NAME["zict LRU + LZ4 + File"]], records, records.room(MEGABYTE))
    if not found:
        pytest.skip("strace is missing, or may not trace")
    ours, files = found.values()
    assert ours["waited"] == ours["sets"] == files["sets"] == 100
    assert files["waited"] == files["idle"] == files["closing"] == 0


def _rows(**figures: tuple[float, float]) -> list[dict[str, Any]]:
    """Return rows in which stratakv has each first figure and diskcache each second."""
    rows = [row(contender) for contender in CONTENDERS if contender.name in {*OURS.values(), "diskcache"}]
    medians = {
        each["name"]: {name: [figures[name][each["name"] == "diskcache"]] * 2 for name in OPERATIONS} for each in rows
    }
    for each in rows:
        each["times"] = compared(medians, "stratakv")[each["name"]]
        for name in OPERATIONS:
            each["times"]["open"] = each["times"][name]
        which = each["name"] == "diskcache"
        disk = {"blocks": figures["disk"][which], "length": 1, "files": 1}
        each["alone"] = {"ram": {"own": 1.0, "mapped": 0}, "disk": disk, "filled_us": 1.0, "inexact": 0}
        each["kills"] = {"kills": 1, "acknowledged": 9, "lost": 3 if which else 0, "not_opened": []}
    return rows


def test_goals_and_winners_follow_from_the_figures() -> None:
    rows = _rows(set=(10, 70), hot=(10, 25), restart=(40, 16), delete=(9, 3), disk=(100, 500))
    assert [(round(goal["value"], 3), goal["met"]) for goal in goals(rows)] == [
        *[(2.5, True), (2.5, False)],
        *[(7.0, True), (7.0, False)],
        *[(2.5, True), (2.5, False)],
        *[(0.2, True), (0, True), (0, True)],
    ]
    winners = best(rows)
    assert {("stratakv", "set"), ("diskcache", "restart"), ("diskcache", "delete")} <= winners
    assert not {("diskcache", "set"), ("stratakv", "delete")} & winners
    table = {line[0]: line for line in cells(rows)}
    assert table["diskcache"][2:6] == ["70.0 (7.00)", "25.0 (2.50)", "*16.0 (0.40)", "*3.0 (0.33)"]
    assert table["diskcache"][9:] == ["3 of 9", "not measured", "0"]
    rows[0]["alone"] = rows[0]["kills"] = rows[0]["times"] = None
    assert goals(rows) == []
    assert next(cells(rows))[2:] == ["-"] * 8 + ["not measured", "-"]


def test_quartiles_lie_around_the_median() -> None:
    assert spread([4.0]) == {"median": 4.0, "low": 4.0, "high": 4.0}
    assert spread([1, 2, 3, 4, 5]) == {"median": 3, "low": 2, "high": 4}
    medians = {"stratakv": {"set": [1.0, 2.0]}, "other": {"set": [3.0, 4.0]}}
    assert compared(medians, "stratakv")["other"]["set"]["ratio"] == {"median": 2.5, "low": 2.25, "high": 2.75}


def test_a_run_keeps_its_tables_which_fit_between_markers(data: Path, tmp_path: Path) -> None:
    few = ["--records", "12", "--rounds", "1", "--ram-mb", "0.25", "--parts", "times"]
    assert main(["--quick", "--data", str(data), "--results", str(tmp_path), *few]) == 0
    assert (tmp_path / "peers.png").read_bytes().startswith(b"\x89PNG")
    result = json.loads((tmp_path / "peers.json").read_text())
    assert [store["name"] for store in result["stores"]] == [each.name for each in CONTENDERS]
    for store in result["stores"]:
        assert set(store["times"]) == {*OPERATIONS, "open"}
        assert all(each["us"]["median"] > 0 for each in store["times"].values())
        assert store["alone"] is store["kills"] is store["syncs"] is None
    assert result["records"] == 12
    text = "\n".join(report(result))
    assert "LMDB sync=False" in text
    assert "restart: stratakv's time in times of diskcache's, must" in text
    table = markdown(result)
    assert "| store | compared as |" in table
    assert table in with_table("<!-- peers table -->\n<!-- end of peers table -->\n", table, "peers")


def test_records_and_jobs_can_be_sent_to_another_process(records: Records, tmp_path: Path) -> None:
    job = Job("stratakv", tmp_path, records.room(MEGABYTE), records)
    assert pickle.loads(pickle.dumps(job)) == job
