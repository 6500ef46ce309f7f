"""Miss-ratio curves: exact for short traces, and near enough by a sample of the keys for long ones."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from stratakv.policies.eviction import FifoPolicy, LruPolicy
from stratakv.policies.simulation.belady import belady
from stratakv.policies.simulation.curve import miss_ratio_curve
from stratakv.policies.simulation.replay import Outcome, replay
from stratakv.policies.simulation.trace import DELETE, GET, PUT, Trace


def _zipf(length: int, objects: int, *, sizes: bool = False) -> Trace:
    """Requests whose popularity falls with rank to the power of -0.9, the keys numbered as they appear."""
    chance = np.random.default_rng(11)
    weights = np.arange(1, objects + 1) ** -0.9
    ranks = chance.choice(objects, size=length, p=weights / weights.sum())
    _, first, number = np.unique(ranks, return_index=True, return_inverse=True)
    keys = np.argsort(np.argsort(first))[number]
    each = chance.integers(100, 2000, size=objects)
    return Trace("zipf", keys.astype(np.int64), each[keys].astype(np.int64) if sizes else None)


def _lru(capacity: int, trace: Trace) -> Outcome:
    return replay(LruPolicy(capacity), capacity, trace.requests())


def _fifo_by_bytes(capacity: int, trace: Trace) -> Outcome:
    return replay(FifoPolicy(capacity), capacity, trace.requests(by_bytes=True))


def _clairvoyant(capacity: int, trace: Trace) -> Outcome:
    return belady(capacity, trace)


def test_short_traces_give_exact_points() -> None:
    trace = _zipf(5000, 800)
    points = list(miss_ratio_curve(_lru, trace, [10, 100, 800]))
    assert [point.capacity for point in points] == [10, 100, 800]
    for point in points:
        outcome = _lru(point.capacity, trace)
        assert point.miss_ratio == (5000 - outcome.hits) / 5000
        assert point.byte_miss_ratio == point.miss_ratio
        assert point.rate == 1


def test_with_room_for_everything_only_first_reads_miss() -> None:
    trace = _zipf(5000, 800)
    (point,) = miss_ratio_curve(_lru, trace, [trace.objects])
    assert point.miss_ratio == trace.objects / 5000


@pytest.mark.parametrize("run", [_lru, _clairvoyant])
def test_a_sample_of_the_keys_comes_near_the_whole(run: type) -> None:
    trace = _zipf(150_000, 40_000)
    capacities = [2000, 4000, 8000, 16_000]
    sampled = list(miss_ratio_curve(run, trace, capacities, most_requests=20_000))
    assert all(point.rate <= 0.5 for point in sampled)
    assert sampled[-1].rate == 0.25
    exact = miss_ratio_curve(run, trace, capacities, most_requests=len(trace))
    for estimate, point in zip(sampled, exact, strict=True):
        assert estimate.miss_ratio == pytest.approx(point.miss_ratio, abs=0.015)
    assert all(one.miss_ratio >= other.miss_ratio for one, other in pairwise(sampled))


def test_a_sample_by_bytes_comes_near_the_whole() -> None:
    trace = _zipf(150_000, 40_000, sizes=True)
    whole = trace.object_bytes
    capacities = [whole // 20, whole // 5]
    sampled = list(miss_ratio_curve(_fifo_by_bytes, trace, capacities, by_bytes=True, most_requests=20_000))
    exact = miss_ratio_curve(_fifo_by_bytes, trace, capacities, by_bytes=True, most_requests=len(trace))
    assert all(point.rate <= 0.5 for point in sampled)
    for estimate, point in zip(sampled, exact, strict=True):
        assert estimate.miss_ratio == pytest.approx(point.miss_ratio, abs=0.015)
        assert estimate.byte_miss_ratio == pytest.approx(point.byte_miss_ratio, abs=0.02)


def test_a_very_popular_key_does_not_spoil_the_estimate() -> None:
    # Half of all requests are for key 0. A sample has it or not, and without a correction would be far off.
    rare = _zipf(100_000, 30_000).keys + 1
    keys = np.zeros(2 * len(rare), np.int64)
    keys[1::2] = rare
    trace = Trace("popular", keys)
    (sampled,) = miss_ratio_curve(_lru, trace, [6000], most_requests=40_000)
    (exact,) = miss_ratio_curve(_lru, trace, [6000], most_requests=len(trace))
    assert sampled.rate <= 0.5
    assert sampled.miss_ratio == pytest.approx(exact.miss_ratio, abs=0.015)


def test_small_caches_are_not_scaled_down_to_nothing() -> None:
    trace = _zipf(60_000, 20_000)
    small, large = miss_ratio_curve(_lru, trace, [50, 15_000], most_requests=8_000)
    assert small.rate == 1
    assert large.rate == 0.25


def test_a_sample_keeps_all_requests_of_its_keys_and_only_those() -> None:
    keys = np.random.default_rng(3).integers(0, 1000, 20_000)
    keys[:1000] = np.arange(1000)
    ops = np.array([GET, PUT, GET, DELETE], np.uint8)[np.arange(20_000) % 4]
    trace = Trace("t", keys, sizes=keys * 10, ops=ops, times=np.arange(20_000.0))
    sample = trace.sampled(0.25)
    assert sample.sizes is not None
    assert sample.ops is not None
    assert sample.times is not None
    assert sample.objects == len(set(sample.sizes.tolist()))
    assert 200 <= sample.objects <= 300, "a quarter of the keys, give or take chance"
    chosen = np.isin(keys * 10, sample.sizes)
    assert np.array_equal(sample.times, np.flatnonzero(chosen))
    assert np.array_equal(sample.ops, ops[chosen])
    assert len(set(zip(sample.keys.tolist(), sample.sizes.tolist(), strict=True))) == sample.objects
    assert np.array_equal(trace.sampled(0.25).keys, sample.keys)


def test_smaller_samples_are_parts_of_larger_ones() -> None:
    keys = np.arange(4000, dtype=np.int64)
    trace = Trace("t", keys, sizes=keys)
    half, quarter = (
        set(sample.sizes.tolist()) for rate in (0.5, 0.25) if (sample := trace.sampled(rate)).sizes is not None
    )
    assert quarter < half
    assert trace.sampled(1.0) is trace
