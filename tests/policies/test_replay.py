"""Replaying a trace: what gets, puts and deletes do to a cache, in cases done by hand and against a simple model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratakv.cli.simulation.traces import read_trace
from stratakv.errors import ConfigurationError, StrataError
from stratakv.policies.eviction import FifoPolicy, LruPolicy, policy_by_name
from stratakv.policies.simulation.replay import Outcome, replay
from stratakv.policies.simulation.trace import DELETE, GET, PUT, Trace
from tests.policies.short_traces import short_trace

if TYPE_CHECKING:
    from collections.abc import Hashable

_DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"

_Requests = list[tuple[str, int, int, int]]


def _gets(keys: str) -> _Requests:
    return [(key, 1, 1, GET) for key in keys]


def test_a_get_that_misses_inserts() -> None:
    assert replay(LruPolicy(2), 2, _gets("aabca")) == Outcome(5, 1, 5, 1)


def test_a_put_inserts_and_is_no_request() -> None:
    outcome = replay(LruPolicy(2), 2, [("a", 1, 1, PUT), ("a", 1, 1, GET), ("a", 1, 1, PUT), ("a", 1, 1, GET)])
    assert outcome == Outcome(2, 2, 2, 2)


def test_a_put_is_a_use() -> None:
    requests = [*_gets("ab"), ("a", 1, 1, PUT), *_gets("cab")]
    assert replay(LruPolicy(2), 2, requests).hits == 1


def test_a_deleted_object_misses_and_leaves_room() -> None:
    policy = LruPolicy(2)
    outcome = replay(policy, 2, [*_gets("ab"), ("a", 0, 0, DELETE), ("nobody", 0, 0, DELETE), *_gets("cba")])
    assert outcome.hits == 1
    assert len(policy) == 2


def test_what_a_put_enlarges_drives_out_others_and_not_itself() -> None:
    policy = FifoPolicy(4)
    requests = [("a", 1, 1, PUT), ("b", 1, 1, PUT), ("c", 2, 2, PUT), ("a", 3, 3, PUT), ("a", 3, 3, GET)]
    assert replay(policy, 4, requests).hits == 1
    assert len(policy) == 1
    assert "a" in policy


def test_an_object_heavier_than_the_cache_evicts_nobody() -> None:
    policy = LruPolicy(4)
    replay(policy, 4, [("a", 2, 2, PUT), ("b", 2, 2, PUT), ("c", 5, 5, GET), ("a", 5, 5, PUT)])
    assert len(policy) == 1
    assert "b" in policy, "a is overwritten by what does not fit, so it is gone; b has nothing to do with that"


def test_a_get_does_not_change_what_is_held() -> None:
    requests = [("a", 1, 1, GET), ("b", 2, 2, GET), ("a", 3, 3, GET), ("b", 2, 2, GET), ("a", 1, 1, GET)]
    assert replay(LruPolicy(3), 3, requests) == Outcome(5, 3, 9, 6)


def test_bytes_are_counted_where_objects_are_what_fits() -> None:
    trace = short_trace([0, 1, 0, 2, 0], sizes=[10, 7, 10, 5, 10])
    outcome = replay(LruPolicy(2), 2, trace.requests())
    assert outcome == Outcome(5, 2, 42, 20)
    assert outcome.hit_ratio == 0.4
    assert outcome.byte_hit_ratio == 20 / 42


def test_without_sizes_the_byte_hit_ratio_is_the_hit_ratio() -> None:
    outcome = replay(LruPolicy(2), 2, short_trace([0, 1, 0]).requests())
    assert outcome.hit_ratio == outcome.byte_hit_ratio == 1 / 3


def test_without_gets_there_is_no_ratio() -> None:
    outcome = replay(LruPolicy(2), 2, short_trace([0, 1, 0], ops=[PUT, PUT, DELETE]).requests())
    assert outcome == Outcome(0, 0, 0, 0)
    assert outcome.hit_ratio is None
    assert outcome.byte_hit_ratio is None


class _Forgetful(FifoPolicy):
    """Evicts nothing."""

    name = "forgetful"

    def evict(self, keep: Hashable | None = None) -> Hashable | None:
        return None


def test_a_policy_that_evicts_nothing_is_an_error_and_no_endless_loop() -> None:
    with pytest.raises(StrataError, match="'forgetful' evicted None"):
        replay(_Forgetful(1), 1, _gets("ab"))


@given(
    st.integers(1, 6),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 7), st.sampled_from([GET, GET, GET, PUT, DELETE]))),
)
def test_lru_agrees_with_a_list_in_order_of_use(capacity: int, requests: list[tuple[int, int, int]]) -> None:
    gets = hits = 0
    order: list[tuple[int, int]] = []
    for key, size, op in requests:
        found = next((entry for entry in order if entry[0] == key), None)
        if found:
            order.remove(found)
        gets += op == GET
        hits += op == GET and found is not None
        entry = found if found and op == GET else (key, size)
        if op != DELETE and entry[1] <= capacity:
            order.append(entry)
        while sum(size for _, size in order) > capacity:
            order.pop(0)
    policy = LruPolicy(capacity)
    outcome = replay(policy, capacity, [(key, size, size, op) for key, size, op in requests])
    assert (outcome.requests, outcome.hits) == (gets, hits)
    assert [policy.evict() for _ in range(len(policy))] == [key for key, _ in order]


def test_a_trace_knows_its_objects_and_their_bytes() -> None:
    trace = short_trace([0, 1, 0, 2, 1], sizes=[10, 7, 30, 5, 0], ops=[GET, PUT, PUT, GET, DELETE])
    assert (len(trace), trace.gets, trace.objects) == (5, 2, 3)
    assert trace.object_bytes == 30 + 7 + 5, "each as it was when it was last there"
    assert trace.bytes_requested == 15
    assert list(trace.requests(by_bytes=True))[-1] == (1, 1, 0, DELETE)
    assert short_trace([0, 1, 0]).bytes_requested == 3


def test_a_trace_without_sizes_cannot_be_replayed_by_bytes() -> None:
    trace = short_trace([0, 1])
    for ask in (lambda: trace.object_bytes, trace.weights, lambda: trace.requests(by_bytes=True)):
        with pytest.raises(ConfigurationError, match="trace t has no sizes"):
            ask()


def test_long_traces_are_replayed_whole() -> None:
    keys = np.arange(200_000, dtype=np.int64) % 1000
    trace = Trace("long", keys, sizes=keys + 1)
    outcome = replay(LruPolicy(1000), 1000, trace.requests())
    assert outcome == Outcome(200_000, 199_000, 200 * 500_500, 199 * 500_500)


@pytest.mark.skipif(not _DATA.is_dir(), reason="the folder shared/data is not beside the repository")
@pytest.mark.parametrize("name", ["fifo", "lru", "lfu"])
def test_hit_ratios_by_bytes_equal_the_reference(name: str) -> None:
    trace = read_trace(_DATA / "traces" / "adaptsize_request.npz.xz")
    published = json.loads((_DATA / "reference_hit_ratios.json").read_text())["byte_size"]["adaptsize_request"]
    assert trace.object_bytes == published["unique_bytes"]
    for capacity, ratios in published["object_hit_pct/byte_hit_pct"].items():
        policy = policy_by_name(name, int(capacity))
        outcome = replay(policy, int(capacity), trace.requests(by_bytes=True))
        told = [100 * (outcome.hit_ratio or 0), 100 * (outcome.byte_hit_ratio or 0)]
        assert told == pytest.approx(ratios[name.upper()], abs=0.0051)
