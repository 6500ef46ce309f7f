"""Belady's replay: as many hits as any choice of victims can have, found by trying all of them on short traces."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratakv.cli.simulation.traces import read_trace
from stratakv.policies.eviction import known_policies, policy_by_name
from stratakv.policies.simulation.belady import belady
from stratakv.policies.simulation.replay import Outcome, replay
from stratakv.policies.simulation.trace import DELETE, GET, PUT
from tests.policies.short_traces import short_trace

_DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"

_REQUESTS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([GET, GET, GET, GET, PUT, DELETE])), min_size=1, max_size=16
)


def _most_hits(capacity: int, requests: list[tuple[int, int]]) -> int:
    """Try every victim at every eviction."""

    @cache
    def most(position: int, held: frozenset[int]) -> int:
        if position == len(requests):
            return 0
        key, op = requests[position]
        if op == DELETE:
            return most(position + 1, held - {key})
        hit = op == GET and key in held
        if key in held or len(held) < capacity:
            return hit + most(position + 1, held | {key})
        return max(most(position + 1, (held - {victim}) | {key}) for victim in held)

    return most(0, frozenset())


@given(st.integers(1, 4), _REQUESTS)
def test_no_choice_of_victims_has_more_hits(capacity: int, requests: list[tuple[int, int]]) -> None:
    trace = short_trace([key for key, _ in requests], ops=[op for _, op in requests])
    assert belady(capacity, trace).hits == _most_hits(capacity, requests)


@pytest.mark.parametrize("name", known_policies())
def test_no_policy_has_more_hits(name: str) -> None:
    keys = np.minimum(np.random.default_rng(5).zipf(1.2, 5000), 400) - 1
    trace = short_trace(keys.tolist())
    for capacity in (1, 7, 50, 200):
        outcome = replay(policy_by_name(name, capacity), capacity, trace.requests())
        assert outcome.hits <= belady(capacity, trace).hits


def test_room_for_everything_leaves_only_first_reads_to_miss() -> None:
    trace = short_trace([0, 1, 2, 0, 1, 2, 0], sizes=[3, 4, 5, 3, 4, 5, 3])
    assert belady(3, trace) == Outcome(7, 4, 27, 15)
    assert belady(12, trace, by_bytes=True) == Outcome(7, 4, 27, 15)


def test_by_bytes_what_is_read_last_leaves_until_the_new_fits() -> None:
    # c of 4 drives out a, which is read last; then b and c hit.
    assert belady(6, short_trace([0, 1, 2, 1, 2, 0], sizes=[2, 1, 4, 1, 4, 2]), by_bytes=True).hits == 2
    # The two have no room beside each other.
    assert belady(6, short_trace([0, 1, 0, 1], sizes=[3, 4, 3, 4]), by_bytes=True).hits == 0


def test_by_bytes_what_cannot_fit_evicts_nobody() -> None:
    assert belady(3, short_trace([0, 1, 0, 1], sizes=[3, 4, 3, 4]), by_bytes=True) == Outcome(4, 1, 14, 3)


def test_what_is_overwritten_before_it_is_read_makes_room() -> None:
    ops = [PUT, GET, GET, PUT, GET, GET]
    assert belady(1, short_trace([0, 1, 1, 0, 0, 1], ops=ops)).hits == 2


def test_long_spells_of_hits_are_counted_right() -> None:
    # The notes of what is to come are cleared several times on the way.
    keys = np.arange(100_000) % 50
    assert belady(50, short_trace(keys.tolist())).hits == 100_000 - 50
    # Of a loop of 50 with room for 40, MIN keeps 39 of each 49 others from one round to the next.
    loop = belady(40, short_trace(keys.tolist())).hits
    assert loop == pytest.approx(100_000 * 39 / 49, rel=0.002)


@pytest.mark.skipif(not _DATA.is_dir(), reason="the folder shared/data is not beside the repository")
@pytest.mark.parametrize("name", ["cpp", "gli", "multi2", "2_pools", "adaptsize_request"])
def test_hit_ratios_equal_the_reference(name: str) -> None:
    trace = read_trace(_DATA / "traces" / f"{name}.npz.xz")
    reference = json.loads((_DATA / "reference_hit_ratios.json").read_text())
    for capacity, ratios in reference["unit_size"][name]["hit_ratio_pct"].items():
        ratio = belady(int(capacity), trace).hit_ratio or 0
        assert 100 * ratio == pytest.approx(ratios["Belady"], abs=0.0051)
    if trace.sizes is None:
        return
    for capacity, ratios in reference["byte_size"][name]["object_hit_pct/byte_hit_pct"].items():
        outcome = belady(int(capacity), trace, by_bytes=True)
        told = [100 * (outcome.hit_ratio or 0), 100 * (outcome.byte_hit_ratio or 0)]
        assert told == pytest.approx(ratios["Belady"], abs=0.0051)
