"""A fixed RAM divided between namespaces: shares add up, and go where a byte saves most; replayed, it beats one LRU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stratakv.errors import ConfigurationError
from stratakv.policies.placement.division import Claim, divide, footprints
from stratakv.policies.placement.edge import EdgeTuner
from stratakv.policies.placement.histogram import EDGES
from stratakv.policies.placement.prices import Prices, hot_to_warm
from stratakv.policies.simulation.cycles import checked
from stratakv.policies.simulation.fixed_ram import FixedRam, GlobalLru, OldestInUnits, Shares
from stratakv.policies.simulation.namespaces import GLOBAL_LRU, OLDEST, SHARES, WAYS, simulate_namespaces

_THREAD, _GPU = Prices(blocked_second=1e-5), Prices(blocked_second=1e-3)


def _hot_set(keys: int, requests: int, first: int, seed: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return first + np.random.default_rng(seed).integers(0, keys, requests)


def _trace(
    namespaces: list[np.ndarray[Any, np.dtype[np.int64]]], sizes: list[int], seconds: float
) -> dict[str, np.ndarray[Any, Any]]:
    """Return namespaces' keys, spread evenly over the same time."""
    ts = np.concatenate([np.linspace(0, seconds, len(keys), endpoint=False) for keys in namespaces])
    order = np.argsort(ts, kind="stable")
    number = np.concatenate([np.full(len(keys), place) for place, keys in enumerate(namespaces)])
    return {
        "key": np.concatenate(namespaces)[order],
        "size": np.array(sizes)[number][order],
        "op": np.zeros(len(order), dtype=np.uint8),
        "ts": ts[order],
        "namespace": number[order],
    }


def _claim(prices: Prices, keys: np.ndarray[Any, np.dtype[np.int64]], size: int, seconds: float) -> Claim:
    tuner = EdgeTuner(hot_to_warm(prices))
    columns = checked(_trace([keys], [size], seconds))
    for key_hash, now in zip(columns.hashes.tolist(), columns.ts.tolist(), strict=True):
        tuner.access(key_hash, now, size)
    tuner.retune(seconds)
    return Claim(tuner.costs, tuner.seen, 1 / (tuner.mask + 1))


def test_the_footprint_of_keeping_all_is_the_bytes_of_all_keys() -> None:
    claim = _claim(_THREAD, _hot_set(100, 20_000, 0, 1), 10_000, 2_000.0)
    assert footprints(claim)[-1] == pytest.approx(100 * 10_000, rel=0.05)


def test_footprints_grow_with_the_threshold_and_do_not_depend_on_the_share_that_is_watched() -> None:
    keys = _hot_set(4_000, 40_000, 0, 1)
    claim = _claim(_THREAD, keys, 1_000, 4_000.0)
    few = EdgeTuner(hot_to_warm(_THREAD), limit=600)
    columns = checked(_trace([keys], [1_000], 4_000.0))
    for key_hash, now in zip(columns.hashes.tolist(), columns.ts.tolist(), strict=True):
        few.access(key_hash, now, 1_000)
    few.retune(4_000.0)
    part = footprints(Claim(few.costs, few.seen, 1 / (few.mask + 1)))
    whole = footprints(claim)
    assert (np.diff(whole) >= 0).all()
    assert few.mask >= 7
    assert part[-1] == pytest.approx(whole[-1], rel=0.15)


def test_shares_add_up_to_the_budget() -> None:
    claims = {
        3: _claim(_THREAD, _hot_set(500, 20_000, 0, 1), 1_000, 2_000.0),
        5: _claim(_GPU, _hot_set(5_000, 20_000, 0, 2), 4_000, 2_000.0),
    }
    for budget in (1, 1_000, 300_000, 5_000_000, 1_000_000_000):
        shares = divide(claims, budget).shares
        assert list(shares) == [3, 5]
        assert budget - 2 <= sum(share.size for share in shares.values()) <= budget


def test_a_dearer_wait_gets_the_ram_where_all_else_is_equal() -> None:
    keys = _hot_set(1_000, 30_000, 0, 1)
    claims = {0: _claim(_THREAD, keys, 10_000, 3_000.0), 1: _claim(_GPU, keys, 10_000, 3_000.0)}
    division = divide(claims, 10_000_000)
    assert division.shares[1].size > 0.9 * 10_000_000
    assert division.shares[0].threshold.pooled * claims[0].costs.break_even_seconds(10_000) < 5


def test_keys_that_never_come_back_get_next_to_nothing() -> None:
    claims = {
        0: _claim(_THREAD, np.arange(30_000), 10_000, 3_000.0),
        1: _claim(_THREAD, _hot_set(100, 30_000, 0, 1), 10_000, 3_000.0),
    }
    division = divide(claims, 1_000_000)
    assert division.shares[1].size > 900_000


def test_scarce_ram_has_a_high_price_and_plenty_a_low_one() -> None:
    claims = {0: _claim(_THREAD, _hot_set(2_000, 30_000, 0, 1), 10_000, 3_000.0)}
    prices = [divide(claims, budget).price for budget in (100_000, 5_000_000, 1_000_000_000)]
    assert prices == sorted(prices, reverse=True)
    assert prices[0] > 100 * prices[2]
    assert "fits" in divide(claims, 1_000_000_000).reason


def test_namespaces_of_which_nothing_is_known_get_equal_shares() -> None:
    claims = {number: Claim(hot_to_warm(_THREAD), EdgeTuner(hot_to_warm(_THREAD)).seen, 1.0) for number in range(4)}
    assert {share.size for share in divide(claims, 4_000).shares.values()} == {1_000}


def test_there_must_be_something_to_divide() -> None:
    with pytest.raises(ValueError, match="budget"):
        divide({}, 100)
    with pytest.raises(ValueError, match="budget"):
        divide({0: Claim(hot_to_warm(_THREAD), EdgeTuner(hot_to_warm(_THREAD)).seen, 1.0)}, 0)


def test_thresholds_at_the_shadow_price_are_where_the_footprint_fits() -> None:
    claims = {
        0: _claim(_THREAD, _hot_set(3_000, 30_000, 0, 1), 2_000, 3_000.0),
        1: _claim(_GPU, _hot_set(3_000, 30_000, 0, 2), 2_000, 3_000.0),
    }
    division = divide(claims, 7_000_000)
    kept = sum(
        float(np.interp(division.shares[number].threshold.pooled, EDGES, footprints(claims[number])))
        for number in claims
    )
    assert kept <= 7_000_000
    assert EDGES[0] <= division.shares[0].threshold.pooled < division.shares[1].threshold.pooled


@pytest.mark.parametrize("make", [GlobalLru, OldestInUnits, lambda budget: Shares(budget, 2, "lru")])
def test_no_cache_holds_more_than_its_budget_and_all_forget_what_is_deleted(make: Any) -> None:
    cache: FixedRam = make(10_000)
    generator = np.random.default_rng(4)
    for number, key in enumerate(generator.integers(0, 200, 3_000).tolist()):
        if number % 7 == 0:
            cache.remove(key)
            assert not cache.touch(key, key % 2, 50, 1, float(number))
        cache.touch(key, key % 2, 1 + key * 13 % 400, 1 + number // 300, float(number))
        assert 0 < cache.held <= 10_000
    for key in range(200):
        cache.remove(key)
    assert cache.held == 0


def test_one_namespace_in_shares_is_one_lru() -> None:
    trace = _trace([_hot_set(2_000, 20_000, 0, 7)], [1_000], 2_000.0)
    costs = {way: simulate_namespaces(trace, [_THREAD], 500_000, way=way).returns for way in (GLOBAL_LRU, SHARES)}
    assert costs[SHARES] == costs[GLOBAL_LRU] > 0


def test_dividing_ram_costs_less_than_one_lru_where_waits_and_reuse_differ() -> None:
    trace = _trace([_hot_set(400, 8_000, 0, 1), np.arange(10_000, 34_000) % 12_000 + 50_000], [10_000, 10_000], 4_000.0)
    report = {way: simulate_namespaces(trace, [_GPU, _THREAD], 5_000_000, way=way) for way in WAYS}
    assert report[OLDEST].cost <= 0.5 * report[GLOBAL_LRU].cost
    assert report[SHARES].cost <= 0.5 * report[GLOBAL_LRU].cost
    assert report[GLOBAL_LRU].last is None
    assert report[SHARES].last is not None
    assert report[SHARES].cost == pytest.approx(sum(report[SHARES].by_namespace))


def test_the_replay_gives_equal_reports_on_every_run() -> None:
    trace = _trace([_hot_set(400, 3_000, 0, 1), _hot_set(3_000, 3_000, 9_000, 2)], [1_000, 5_000], 3_000.0)
    first, second = (simulate_namespaces(trace, [_THREAD, _GPU], 1_000_000) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"budget": 0}, "positive number of bytes"),
        ({"way": "fair"}, "unknown way"),
        ({"prices": [_THREAD]}, "namespace between"),
        ({"policy": "nosuch"}, "unknown eviction policy"),
    ],
)
def test_bad_input_is_named(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"prices": [_THREAD, _GPU], "budget": 1_000, **change}
    trace = _trace([np.arange(3), np.arange(3) + 5], [10, 10], 10.0)
    with pytest.raises(ConfigurationError, match=message):
        simulate_namespaces(trace, **arguments)
