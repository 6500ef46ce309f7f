"""Prices of an edge: break-even times, and what counts towards a move and a return."""

from __future__ import annotations

import numpy as np
import pytest

from stratakv.config.policy_sections import PricesConfig
from stratakv.policies.placement.prices import (
    COLD_READ,
    GB,
    MONTH_SECONDS,
    PACK_BYTES,
    WARM_READ,
    Prices,
    hot_to_warm,
    warm_to_cold,
)


def test_default_prices_equal_those_of_the_configuration() -> None:
    configured = PricesConfig()
    assert {name: getattr(configured, name) for name in Prices._fields} == Prices()._asdict()


@pytest.mark.parametrize("size", [1, 1_000, 10_000, 4_000_000])
@pytest.mark.parametrize("costs", [hot_to_warm(Prices()), warm_to_cold(Prices())])
def test_after_the_break_even_time_rent_has_cost_as_much_as_one_return(costs, size) -> None:  # type: ignore[no-untyped-def]
    assert costs.rent * size * costs.break_even_seconds(size) == pytest.approx(costs.returning(size))


def test_the_break_even_time_of_ten_kilobytes_in_ram_is_about_two_minutes_for_a_thread_and_a_day_for_a_person() -> None:
    assert 60 < hot_to_warm(Prices(blocked_second=1e-5)).break_even_seconds(10_000) < 180
    assert 0.5 < hot_to_warm(Prices(blocked_second=1e-2)).break_even_seconds(10_000) / 86_400 < 2


def test_small_blobs_break_even_later_and_large_ones_near_a_limit() -> None:
    costs = warm_to_cold(Prices())
    seconds = [costs.break_even_seconds(size) for size in (1, 100, 10_000, 1_000_000, 100_000_000)]
    assert seconds == sorted(seconds, reverse=True)
    assert seconds[-1] == pytest.approx(costs.return_byte / costs.rent, rel=0.01)


def test_ram_is_a_cache_so_leaving_it_saves_its_whole_rent_and_moves_nothing() -> None:
    prices = Prices()
    costs = hot_to_warm(prices)
    assert costs.rent == pytest.approx(prices.ram_gb_month / GB / MONTH_SECONDS)
    assert costs.moving(1_000_000) == 0
    assert costs.returning(0) == pytest.approx(WARM_READ.seconds * prices.blocked_second)


def test_leaving_the_ssd_saves_the_difference_of_two_rents() -> None:
    prices = Prices()
    assert warm_to_cold(prices).rent == pytest.approx((0.08 - 0.023) / GB / MONTH_SECONDS)


def test_a_pack_shares_one_writing_request_and_a_return_has_one_of_its_own() -> None:
    prices = Prices()
    costs = warm_to_cold(prices)
    assert costs.moving(PACK_BYTES) == pytest.approx(prices.put_per_1000 / 1000)
    assert costs.moving(PACK_BYTES / 1000) == pytest.approx(prices.put_per_1000 / 1_000_000)
    wait = COLD_READ.of(1_000_000) * prices.blocked_second
    assert costs.returning(1_000_000) == pytest.approx(4e-7 + 0.09 / 1000 + wait)


def test_a_dearer_wait_keeps_blobs_longer() -> None:
    hot = [hot_to_warm(Prices(blocked_second=wait)).break_even_seconds(10_000) for wait in (1e-5, 1e-3, 1e-2)]
    assert hot[1] == pytest.approx(100 * hot[0])
    assert hot[2] == pytest.approx(1000 * hot[0])


def test_where_staying_is_free_there_is_no_break_even() -> None:
    assert hot_to_warm(Prices(ram_gb_month=0)).break_even_seconds(1_000) == float("inf")
    assert warm_to_cold(Prices(ssd_gb_month=0.01)).break_even_seconds(1_000) == float("inf")


def test_an_array_of_sizes_gets_the_same_times_as_each_size() -> None:
    sizes = np.array([0, 1, 512, 70_000], dtype=np.uint32)
    for costs in (hot_to_warm(Prices()), warm_to_cold(Prices()), hot_to_warm(Prices(ram_gb_month=0))):
        each = [costs.break_even_seconds(int(size)) for size in sizes]
        assert costs.break_even_each(sizes).tolist() == pytest.approx(each)
