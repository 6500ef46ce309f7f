"""The cost of a trace: each dollar is in its place, hindsight is exact, and a tuned store comes close to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stratakv.errors import ConfigurationError
from stratakv.policies.placement.prices import COLD_READ, GB, MONTH_SECONDS, WARM_READ, Prices, hot_to_warm
from stratakv.policies.simulation.cost import edge_cost, hindsight, simulate_cost
from stratakv.policies.simulation.cycles import checked, cut
from stratakv.policies.simulation.hindsight import best_static
from stratakv.policies.simulation.schedule import BreakEvens, Seconds, Tuned, schedule
from stratakv.policies.simulation.stakes import compare, joined, spread_sizes, timed

_PRICES = Prices()
_NEVER = BreakEvens(float("inf"))


def _trace(rows: list[tuple[int, int, int, float]]) -> dict[str, np.ndarray[Any, Any]]:
    key, size, op, ts = zip(*rows, strict=True)
    return {
        "key": np.array(key, dtype=np.uint32),
        "size": np.array(size, dtype=np.uint32),
        "op": np.array(op, dtype=np.uint8),
        "ts": np.array(ts, dtype=np.float64),
    }


def _mixed(requests: int = 20_000, seconds: float = 5_000.0) -> dict[str, np.ndarray[Any, Any]]:
    """Return a trace of a small set that comes back soon, amid keys that come once."""
    generator = np.random.default_rng(11)
    again = generator.random(requests) < 0.9
    key = np.where(again, generator.integers(0, 40, requests), 1_000 + np.arange(requests))
    return {
        "key": key.astype(np.uint32),
        "size": (1_000 + key * 7919 % 50_000).astype(np.uint32),
        "op": np.zeros(requests, dtype=np.uint8),
        "ts": np.sort(generator.random(requests)) * seconds,
    }


def test_a_wait_ends_with_the_next_request_of_its_key_or_with_the_trace() -> None:
    waits = cut(checked(_trace([(0, 10, 0, 1.0), (1, 20, 1, 2.0), (0, 30, 0, 5.0), (1, 40, 1, 6.0), (0, 0, 2, 9.0)])))
    assert waits.seconds.tolist() == [4.0, 4.0, 4.0, 3.0]
    assert waits.size.tolist() == [10, 20, 30, 40]
    assert waits.returned.tolist() == [True, False, False, False]
    assert waits.classes.tolist() == [0, 0, 1, 1]


def test_every_dollar_of_a_blob_that_stays_in_ram_is_rent() -> None:
    report = simulate_cost(_trace([(0, 1_000_000, 1, 0.0), (0, 1_000_000, 0, 500.0)]), _PRICES, hot=_NEVER, warm=_NEVER)
    assert report.hot.rent == pytest.approx(3.0 * 1e6 / GB * 500 / MONTH_SECONDS)
    assert report.warm.rent == pytest.approx((0.08 - 0.023) * 1e6 / GB * 500 / MONTH_SECONDS)
    assert report.floor == pytest.approx(0.023 * 1e6 / GB * 500 / MONTH_SECONDS)
    assert report.total == pytest.approx(report.hot.rent + report.warm.rent + report.floor)
    assert report.mean_latency == 0
    assert (report.hot.moved, report.warm.moved, report.reads) == (0, 0, 1)


def test_a_return_from_the_ssd_costs_a_wait_and_no_request() -> None:
    trace = _trace([(0, 1_000, 1, 0.0), (0, 1_000, 0, 100.0)])
    report = simulate_cost(trace, _PRICES, hot=Seconds(10), warm=_NEVER)
    assert report.hot.rent == pytest.approx(3.0 * 1e3 / GB * 10 / MONTH_SECONDS)
    assert report.hot.latency == pytest.approx(WARM_READ.of(1_000) * 1e-5)
    assert report.hot.requests == report.warm.requests == 0
    assert report.mean_latency == pytest.approx(WARM_READ.of(1_000))


def test_a_return_from_the_object_store_costs_request_transfer_and_one_wait() -> None:
    trace = _trace([(0, 1_000, 1, 0.0), (0, 1_000, 0, 100.0)])
    report = simulate_cost(trace, _PRICES, hot=Seconds(10), warm=Seconds(20))
    assert report.warm.requests == pytest.approx(4e-7 + 1_000 * 0.09 / GB)
    assert report.warm.moves == pytest.approx(5e-6 * 1_000 / (8 << 20))
    assert report.warm.latency == pytest.approx(COLD_READ.of(1_000) * 1e-5)
    assert report.hot.latency == 0
    assert (report.hot.moved, report.hot.returned, report.warm.moved, report.warm.returned) == (1, 0, 1, 1)
    assert report.mean_latency == pytest.approx(COLD_READ.of(1_000))


def test_what_lies_in_ram_does_not_leave_the_ssd() -> None:
    trace = _trace([(0, 1_000, 1, 0.0), (0, 1_000, 0, 100.0)])
    report = simulate_cost(trace, _PRICES, hot=Seconds(50), warm=Seconds(20))
    assert report.warm.rent == pytest.approx((0.08 - 0.023) * 1e3 / GB * 50 / MONTH_SECONDS)


def test_an_overwrite_or_deletion_brings_nothing_back() -> None:
    for op in (1, 2):
        trace = _trace([(0, 1_000, 1, 0.0), (0, 1_000, op, 100.0)])
        report = simulate_cost(trace, _PRICES, hot=Seconds(0), warm=Seconds(0))
        assert report.warm.returned == report.hot.returned == 0
        assert report.controllable == pytest.approx(report.warm.moves)


def test_the_trace_may_end_after_its_last_request_and_not_before() -> None:
    trace = _trace([(0, 1_000, 1, 0.0)])
    assert simulate_cost(trace, _PRICES, hot=_NEVER, finish=60.0).hot.rent > 0
    with pytest.raises(ConfigurationError, match="before its last request"):
        simulate_cost(_trace([(0, 1, 1, 5.0)]), _PRICES, finish=1.0)


def test_hindsight_finds_what_no_threshold_of_a_grid_beats() -> None:
    columns = checked(_mixed(4_000, 1_000.0))
    waits, costs = cut(columns), hot_to_warm(_PRICES)
    best = best_static(waits, costs)

    def cost(units: float) -> float:
        return float(edge_cost(waits, costs, schedule(columns, waits, costs, BreakEvens(units)).drops).sum())

    assert cost(best.units) == pytest.approx(best.cost)
    assert cost(0.0) == pytest.approx(best.drop_all)
    assert cost(float("inf")) == pytest.approx(best.keep_all)
    assert all(cost(units) >= best.cost * (1 - 1e-9) for units in np.geomspace(1e-4, 100, 200))
    assert best.stake > 1.15


def test_hindsight_and_the_bill_agree() -> None:
    trace = _mixed(4_000, 1_000.0)
    best = hindsight(trace, _PRICES)
    report = simulate_cost(trace, _PRICES, hot=BreakEvens(best.hot.units), warm=_NEVER)
    assert report.hot.controllable == pytest.approx(best.hot.cost)


def test_a_tuned_store_costs_no_more_than_the_best_static_threshold_of_hindsight() -> None:
    trace = _mixed()
    best = hindsight(trace, _PRICES).hot
    tuned = simulate_cost(trace, _PRICES, hot=Tuned(), warm=_NEVER).hot
    pooled = simulate_cost(trace, _PRICES, hot=Tuned(by_accesses=False), warm=_NEVER).hot
    founding = simulate_cost(trace, _PRICES, warm=_NEVER).hot
    assert best.stake > 1.15
    assert tuned.controllable <= best.cost
    assert pooled.controllable <= 1.05 * best.cost
    assert tuned.controllable <= 0.5 * founding.controllable


def test_a_tuned_store_forgets_what_held_before() -> None:
    before, after = _mixed(), _mixed(10_000, 20_000.0)
    after["key"] = (10_000_000 + np.arange(10_000) % 5_000).astype(np.uint32)
    after["ts"] += 5_000.0
    joined = {name: np.concatenate((before[name], after[name])) for name in before}
    columns = checked(joined)
    waits, costs = cut(columns), hot_to_warm(_PRICES)
    second = waits.start >= 5_000.0
    drops = schedule(columns, waits, costs, Tuned()).drops
    alone = checked(after)
    best = best_static(cut(alone), costs).cost
    assert float(edge_cost(waits, costs, drops)[second].sum()) <= 1.15 * best


def test_decisions_are_equal_on_every_run_and_use_nothing_of_the_future() -> None:
    trace = _mixed(6_000, 1_500.0)
    first, second = (simulate_cost(trace, _PRICES, hot=Tuned(), warm=Tuned()) for _ in range(2))
    assert first == second
    half = {name: column[:3_000] for name, column in trace.items()}
    early = simulate_cost(half, _PRICES, hot=Tuned(), warm=Tuned()).hot.decisions
    assert len(early) > 20
    assert early == first.hot.decisions[: len(early)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ts": np.array([2.0, 1.0])}, "not decrease"),
        ({"ts": np.array([1.0, np.nan])}, "not decrease"),
        ({"op": np.array([0, 3])}, "operation"),
        ({"size": np.array([1])}, "one length"),
        ({"size": np.array([1, -1])}, "negative"),
    ],
)
def test_columns_that_cannot_be_used_are_named(change: dict[str, np.ndarray[Any, Any]], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        simulate_cost({**_trace([(0, 1, 0, 1.0), (1, 1, 0, 2.0)]), **change}, _PRICES)


def test_a_missing_column_and_a_trace_without_requests_are_errors() -> None:
    with pytest.raises(ConfigurationError, match="ts"):
        simulate_cost({"key": np.array([1]), "size": np.array([1]), "op": np.array([0])}, _PRICES)
    with pytest.raises(ConfigurationError, match="without requests"):
        simulate_cost({name: np.array([]) for name in ("key", "size", "op", "ts")}, _PRICES)


def test_free_rent_keeps_everything_and_free_returns_keep_nothing() -> None:
    trace = _mixed(500, 500.0)
    free = hindsight(trace, Prices(ram_gb_month=0))
    assert free.hot.cost == free.hot.keep_all == 0
    assert hindsight(trace, Prices(blocked_second=0)).hot.cost == 0
    report = simulate_cost(trace, Prices(ram_gb_month=0, blocked_second=0), hot=Tuned(), warm=Tuned())
    assert report.hot.controllable == 0


def test_only_settings_with_something_at_stake_are_compared() -> None:
    trace = _mixed(8_000, 2_000.0)
    rows = compare(trace)
    assert {row.edge for row in rows} == {"hot->warm"}
    assert all(row.stake >= 1.15 for row in rows)
    assert rows[0].tuned <= 1.05
    assert rows[0].pooled <= 1.1
    assert rows[0].founding >= 2.0
    assert rows[0].break_even >= 1.0
    assert len(compare(trace, stake=0.0)) == 6


def test_of_joined_traces_the_second_phase_is_compared_with_its_own_hindsight() -> None:
    first = timed(np.arange(4_000) % 40, 1_000.0, sizes=10_000)
    second = timed(np.arange(30_000) % 3_000, 30_000.0, sizes=10_000)
    both, start = joined(first, second)
    assert start == first["ts"][-1]
    assert np.intersect1d(both["key"][:4_000], both["key"][4_000:]).size == 0
    rows = compare(both, stake=0.0, blocked_seconds=[1e-5], since=start)
    alone = compare(second, stake=0.0, blocked_seconds=[1e-5])
    assert rows[0].units == alone[0].units
    assert rows[0].tuned <= 1.15


def test_a_clock_given_to_a_trace_is_the_same_for_the_same_seed() -> None:
    keys = np.arange(1_000)
    once, again, other = (timed(keys, 60.0, sizes=spread_sizes(keys), seed=seed)["ts"] for seed in (1, 1, 2))
    assert once.tolist() == again.tolist() != other.tolist()
    assert once[-1] == pytest.approx(60.0)
    sizes = spread_sizes(keys)
    assert 1_000 <= sizes.min() < 1_100
    assert 90_000 < sizes.max() <= 100_000
