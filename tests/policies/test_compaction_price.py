"""When compacting packs of an object store pays, at the prices of the configuration and at extreme ones."""

from __future__ import annotations

import pytest

from stratakv.policies.compaction_price import PAYBACK_MONTHS, CompactionPrices, pays

MB = 1 << 20
USUAL = CompactionPrices(gb_month=0.023, put_per_1000=0.005, get_per_1000=0.0004, transfer_gb=0.09)
FREE_TRANSFER = USUAL._replace(transfer_gb=0.0)


def test_at_usual_prices_only_a_pack_that_is_nearly_dead_pays() -> None:
    # What is read must be less than half a year's storage of what is dead.
    turning = 1 - USUAL.transfer_gb / (USUAL.gb_month * PAYBACK_MONTHS)
    assert pays(USUAL, 8 * MB, turning - 0.05, 8 * MB)
    assert not pays(USUAL, 8 * MB, turning + 0.05, 8 * MB)


@pytest.mark.parametrize("live", [0.0, 0.1, 0.5, 0.9])
def test_without_a_price_for_transfer_a_large_pack_pays(live: float) -> None:
    assert pays(FREE_TRANSFER, 8 * MB, live, 8 * MB)


def test_a_small_pack_does_not_pay_for_its_requests() -> None:
    assert not pays(FREE_TRANSFER, 1000, 0.1, 8 * MB)


def test_a_pack_without_dead_bytes_never_pays() -> None:
    assert not pays(FREE_TRANSFER, 8 * MB, 1.0, 8 * MB)
    assert not pays(CompactionPrices(0.0, 0.0, 0.0, 0.0), 8 * MB, 0.0, 8 * MB)


def test_dear_storage_pays_for_transfer() -> None:
    assert pays(USUAL._replace(gb_month=1.0), 8 * MB, 0.5, 8 * MB)


@pytest.mark.parametrize("field", ["put_per_1000", "get_per_1000", "transfer_gb"])
def test_each_price_of_the_work_can_forbid_it(field: str) -> None:
    assert pays(FREE_TRANSFER, 8 * MB, 0.4, 8 * MB)
    assert not pays(FREE_TRANSFER._replace(**{field: 1000.0}), 8 * MB, 0.4, 8 * MB)


def test_more_dead_bytes_pay_more_easily() -> None:
    shares = [number / 100 for number in range(101)]
    verdicts = [pays(USUAL, 8 * MB, live, 8 * MB) for live in shares]
    assert verdicts == sorted(verdicts, reverse=True)
    assert set(verdicts) == {True, False}
