"""How the demo measures live objects and compares values."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratakv.cli.demonstration.exactness import fingerprint, live_bytes, same
from stratakv.cli.demonstration.modules import standard_library
from stratakv.cli.demonstration.replay import Replay, latencies, sample
from stratakv.cli.demonstration.report import KindReport, Report, aligned, less
from stratakv.cli.demonstration.workload import KINDS, Workload, workload_from_python


class PlainStore:
    def __init__(self, content: dict[str, Any]) -> None:
        self.content = dict(content)
        self.reads: list[str] = []

    def retrieve(self, key: str, /) -> Any:
        self.reads.append(key)
        return self.content.get(key)

    def store(self, key: str, data: Any, /) -> bool:
        self.content[key] = data
        return True


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        ((1,), [1]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": [1, {"b": None}]}, {"a": [1, {"b": False}]}),
        ([1], [1, 2]),
        (np.zeros(2), np.zeros(2, dtype=np.float32)),
        (np.zeros((2, 3)), np.asfortranarray(np.zeros((2, 3)))),
        (np.array([0.0]), np.array([-0.0])),
        (np.zeros(4), np.zeros((2, 2))),
        ("1", 1),
        (None, 0),
    ],
)
def test_values_that_differ_in_type_sign_or_order_are_not_the_same(one: Any, other: Any) -> None:
    assert not same(one, other)
    assert not same(other, one)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON)
def test_every_json_value_is_the_same_as_itself_nan_included(value: Any) -> None:
    assert same(value, value)
    assert fingerprint(value) == fingerprint(value)


def test_nan_in_arrays_is_compared_by_its_bits() -> None:
    assert same(np.array([np.nan, 1]), np.array([np.nan, 1]))


def test_fingerprint_tells_a_change_in_place() -> None:
    array = np.arange(4)
    value = {"a": [1, 2], "m": {"edges": array}}
    before = fingerprint(value)
    array[2] = 9
    assert fingerprint(value) != before


def test_live_bytes_count_shared_objects_once() -> None:
    text = "x" * 1000
    seen: set[int] = set()
    first, second = [text, text], [text]
    assert live_bytes([first], seen) == sys.getsizeof(first) + sys.getsizeof(text)
    assert live_bytes([second], seen) == sys.getsizeof(second)


def test_live_bytes_of_a_view_count_the_buffer_it_keeps() -> None:
    whole = np.zeros(1000)
    assert live_bytes([whole[:1]], set()) >= whole.nbytes
    assert live_bytes([whole], set()) == sys.getsizeof(whole)
    borrowed = np.frombuffer(bytearray(8000)).reshape(10, 100)
    assert live_bytes([borrowed], set()) >= 8000


def test_live_bytes_of_a_dict_count_keys_and_values() -> None:
    value = {"some key": 12345.5}
    assert live_bytes([value], set()) == sum(map(sys.getsizeof, (value, "some key", 12345.5)))


def quick_work() -> Workload:
    return workload_from_python(standard_library() / "json", 1 << 20)


def test_replay_reaches_every_record_and_ends_with_the_final_values() -> None:
    work = quick_work()
    store = PlainStore(work.initial)
    replay = Replay(work, store)
    replay.everything()
    final = work.final()
    assert replay.touched == set(final)
    assert replay.reads == len(store.reads)
    assert replay.writes == sum(map(len, work.rewrites.values()))
    assert all(same(store.content[key], value) for key, value in final.items())


def test_two_replays_are_alike() -> None:
    work = quick_work()
    one, other = PlainStore(work.initial), PlainStore(work.initial)
    Replay(work, one).everything()
    Replay(work, other).everything()
    assert one.reads == other.reads


def test_visiting_again_reads_one_unit_and_rewrites_nothing() -> None:
    work = quick_work()
    store = PlainStore(work.final())
    replay = Replay(work, store)
    replay.again("decoder")
    assert replay.writes == 0
    assert "session:decoder" in replay.touched
    assert "session:tool" not in replay.touched


def test_own_records_are_each_read() -> None:
    work = Workload(("a",), "", initial={"a:1": 1, "a:2": 2, "a:3": 3}, units={"a": ["a:1", "a:2", "a:3"]})
    store = PlainStore(work.initial)
    Replay(work, store).everything()
    assert store.reads == ["a:1", "a:2", "a:1", "a:3", "a:2"]


def test_sample_is_spread_over_each_kind() -> None:
    keys = [f"a:{n}" for n in range(100)] + ["b:1", "b:2"]
    assert sample(keys, 4) == ["a:0", "a:25", "a:50", "a:75", "b:1", "b:2"]
    assert set(latencies(PlainStore({}), sample(keys, 4), warm_up=True)) == {"a", "b"}


def report(**changes: Any) -> Report:
    kinds = [
        KindReport("episodic", 1000, 4_000_000, 8_000_000, 100_000, 300_000, 600_000, 0, 9.4, 410.0, 70),
        KindReport("vectors", 10, 1000, 2000, 0, 0, 900, 0, target_percent=85),
    ]
    figures: dict[str, Any] = {
        "shared": KindReport("shared", 0, 0, 40_000, 20_000, 30_000, 0, 0),
        "shared_parts": {"catalog": 30_000, "caches": 20_000},
        "reduction_percent": 73.75,
        "target_percent": 75,
        "left_in_engine": 0,
        "source": "somewhere",
        "left_out": ["2 modules"],
        "story": ["loaded 1"],
    }
    return Report(kinds, **figures | changes)


def test_report_counts_everything_held_in_its_total() -> None:
    total = report().as_dict()["total"]
    assert total["stored_bytes"] == 1_000_000 + 900 + 50_000
    assert total["live_bytes"] == 8_002_000 + 40_000
    assert total["reduction_of_plain_percent"] == less(1_050_900, 4_001_000)
    assert total["exact"] is True


def test_report_shows_a_missed_target_as_missed() -> None:
    lines = {line.split()[0]: line for line in report().as_lines() if line.strip()}
    assert "70% reached" in lines["episodic"]
    assert "85% missed" in lines["vectors"]
    assert "75% missed" in lines["all"]
    assert "left out: 2 modules" in "\n".join(report().as_lines())
    assert max(map(len, report().as_lines())) <= 110


def test_report_says_more_where_more_is_held() -> None:
    grown = report()
    grown.kinds[0].warm_bytes = 5_000_000
    lines = {line.split()[0]: line for line in grown.as_lines() if line.strip()}
    assert "42.5% more" in lines["episodic"]
    assert "-" not in lines["episodic"]


def test_report_does_not_judge_a_whole_of_few_values() -> None:
    small = report()
    small.kinds[0].plain_bytes = 1_000_000
    lines = {line.split()[0]: line for line in small.as_lines() if line.strip()}
    assert "75% too small" in lines["all"]
    assert "too small to judge: a store has a fixed price, here 0.05 MB" in "\n".join(small.as_lines())
    assert small.as_dict()["total"]["too_small_to_judge"] is True


def test_report_names_values_that_did_not_come_back() -> None:
    wrong = report()
    wrong.kinds[0].different = 3
    assert "NO: 3" in "\n".join(wrong.as_lines())
    assert wrong.as_dict()["total"]["exact"] is False
    assert "still holds 7 records" in "\n".join(report(left_in_engine=7).as_lines())


def test_columns_are_aligned() -> None:
    assert aligned([["kind", "n"], ["a", "100"]]) == ["kind    n", "a     100"]


def test_kinds_are_those_of_the_founding_table() -> None:
    assert KINDS == ("episodic", "session", "semantic", "vectors")
