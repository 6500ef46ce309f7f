"""`EdgeTuner`: thresholds follow what keys do; samples are bounded; state survives; equal calls, equal decisions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from stratakv.errors import StrataError
from stratakv.policies.placement.edge import EdgeTuner
from stratakv.policies.placement.prices import Prices, hot_to_warm, warm_to_cold

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOT = hot_to_warm(Prices())
_SIZE = 10_000
_EVEN = _HOT.break_even_seconds(_SIZE)

AT_ONCE = 0.02 * _EVEN
"""Seconds; a shorter threshold costs as good as nothing more than none."""


def _hash(key: int) -> int:
    return (key * 0x9E3779B97F4A7C15 ^ key >> 3) * 0xD6E8FEB86659FD93 >> 20 & 0xFFFFFFFFFFFF


def _loop(keys: int, period: float, start: float = 0.0) -> Iterator[tuple[int, float]]:
    """Yield accesses that go round and round the keys, each coming again after a period."""
    number = 0
    while True:
        yield _hash(number % keys), start + number * period / keys
        number += 1


def _scan(gap: float, start: float = 0.0, first: int = 1_000_000) -> Iterator[tuple[int, float]]:
    """Yield accesses of keys that never come again."""
    number = 0
    while True:
        yield _hash(first + number), start + number * gap
        number += 1


def _feed(tuner: EdgeTuner, accesses: Iterator[tuple[int, float]], until: float, every: float = 300.0) -> float:
    due = None
    for key_hash, now in accesses:
        due = now + every if due is None else due
        if now >= due:
            tuner.retune(now)
            due += every
        if now >= until:
            return now
        tuner.access(key_hash, now, _SIZE)
    return until


def test_keys_that_come_back_soon_are_kept() -> None:
    tuner = EdgeTuner(_HOT)
    _feed(tuner, _loop(200, 0.5 * _EVEN), 3600)
    assert tuner.threshold.pooled >= 0.5
    assert tuner.threshold.seconds(_SIZE, accesses=20) >= 0.5 * _EVEN


def test_keys_that_never_come_back_are_dropped_at_once() -> None:
    tuner = EdgeTuner(_HOT)
    _feed(tuner, _scan(0.5), 3600)
    assert tuner.threshold.seconds(_SIZE) < AT_ONCE
    assert tuner.threshold.seconds(_SIZE, accesses=1) < AT_ONCE


def test_keys_that_come_back_only_after_long_are_not_waited_for() -> None:
    tuner = EdgeTuner(_HOT)
    _feed(tuner, _loop(200, 20 * _EVEN), 10 * 3600)
    assert tuner.threshold.seconds(_SIZE, accesses=20) < AT_ONCE


def test_the_first_read_and_later_ones_get_thresholds_of_their_own() -> None:
    tuner = EdgeTuner(_HOT)
    loop, scan = _loop(50, 0.5 * _EVEN), _scan(0.5)
    for second in range(0, 3600, 300):
        _feed(tuner, loop, second + 300, every=1e9)
        _feed(tuner, scan, second + 300, every=1e9)
        tuner.retune(second + 300)
    assert tuner.threshold.seconds(_SIZE, accesses=1) < AT_ONCE
    assert tuner.threshold.seconds(_SIZE, accesses=16) >= 0.5 * _EVEN
    assert tuner.threshold.fewest() >= 2


def test_a_change_of_the_workload_is_followed() -> None:
    tuner = EdgeTuner(_HOT)
    end = _feed(tuner, _loop(50, 0.5 * _EVEN), 6 * 3600)
    kept = tuner.threshold.pooled
    _feed(tuner, _scan(5.0, start=end), end + 24 * 3600)
    assert kept >= 0.5
    assert tuner.threshold.seconds(_SIZE, accesses=1) < AT_ONCE


def test_an_overwrite_is_not_a_return() -> None:
    read, written = EdgeTuner(_HOT), EdgeTuner(_HOT)
    for key_hash, now in _loop(200, 0.5 * _EVEN):
        if now > 7200:
            break
        read.access(key_hash, now, _SIZE)
        written.overwritten(key_hash, now, _SIZE)
    assert read.retune(7200).threshold.pooled >= 0.5
    assert written.retune(7200).threshold.seconds(_SIZE) < AT_ONCE


def test_a_deletion_is_not_a_return() -> None:
    tuner = EdgeTuner(_HOT)
    for number in range(4_000):
        tuner.access(_hash(number), number, _SIZE)
        if number >= 20:
            tuner.ended(_hash(number - 20), number)
    assert tuner.retune(4_000).threshold.seconds(_SIZE) < AT_ONCE
    assert tuner.events == pytest.approx(3_980)


def test_watched_keys_are_bounded_and_chosen_by_hash() -> None:
    tuner = EdgeTuner(_HOT, limit=500)
    for number in range(20_000):
        tuner.access(_hash(number), number * 0.01, _SIZE)
    mask = tuner.mask
    assert mask + 1 in {32, 64, 128}
    assert all(tuner.samples(_hash(number)) == (_hash(number) & mask == 0) for number in range(1_000))
    assert 200 <= tuner.held(lambda _: 1e9) / _SIZE / (mask + 1) <= 500


def test_after_a_flood_of_keys_a_few_are_watched_closely_again() -> None:
    tuner = EdgeTuner(_HOT, limit=500)
    end = _feed(tuner, _scan(0.01), 200.0)
    flooded = tuner.mask
    _feed(tuner, _loop(100, 60.0, start=end), end + 400 * _EVEN)
    assert flooded >= 31
    assert tuner.mask <= 1


def test_a_share_of_the_keys_leads_to_the_threshold_of_all() -> None:
    few, all_of_them = EdgeTuner(_HOT, limit=2_000), EdgeTuner(_HOT, limit=100_000)
    generator = np.random.default_rng(5)
    keys = (generator.random(60_000) ** 2 * 8_000).astype(int)
    for number, key in enumerate(keys.tolist()):
        few.access(_hash(key), number * 0.1, _SIZE)
        all_of_them.access(_hash(key), number * 0.1, _SIZE)
    part, whole = few.retune(6_000), all_of_them.retune(6_000)
    assert few.mask > 0 == all_of_them.mask
    assert part.after == pytest.approx(whole.after, rel=0.15)


def test_bytes_held_are_those_younger_than_their_threshold() -> None:
    tuner = EdgeTuner(_HOT)
    for number in range(100):
        tuner.access(_hash(number), float(number), 100 if number % 2 else 300)
    tuner.retune(100.0)
    assert tuner.held(lambda _: 50.0) == 25 * 100 + 25 * 300
    assert tuner.held(lambda size: 50.0 if size == 100 else 0.0) == 25 * 100


def test_equal_calls_lead_to_equal_decisions() -> None:
    tuners = EdgeTuner(_HOT), EdgeTuner(_HOT)
    for tuner in tuners:
        _feed(tuner, _loop(300, 0.7 * _EVEN), 3600)
    first, second = (tuner.retune(3600) for tuner in tuners)
    assert first == second


def test_a_retune_says_what_changed_and_why() -> None:
    tuner = EdgeTuner(_HOT)
    for key_hash, now in _scan(0.5):
        if now > 3600:
            break
        tuner.access(key_hash, now, _SIZE)
    retuned = tuner.retune(3600)
    assert retuned.changed
    assert retuned.after < retuned.before
    assert "hot->warm" in retuned.reason
    assert "idle threshold" in retuned.reason
    again = tuner.retune(3601)
    assert not again.changed
    assert "stays" in again.reason


def test_nothing_is_changed_where_nothing_is_known() -> None:
    retuned = EdgeTuner(_HOT, start=3.0).retune(10.0)
    assert retuned.threshold.pooled in {1.0, 3.0}
    assert "yet" in retuned.reason


def test_where_staying_is_free_nothing_is_tuned() -> None:
    tuner = EdgeTuner(hot_to_warm(Prices(ram_gb_month=0)))
    tuner.access(0, 1.0, 100)
    retuned = tuner.retune(2.0)
    assert not retuned.changed
    assert "costs nothing" in retuned.reason
    assert retuned.threshold.seconds(100) == float("inf")


def test_where_coming_back_is_free_everything_moves_at_once() -> None:
    tuner = EdgeTuner(hot_to_warm(Prices(blocked_second=0)))
    tuner.access(0, 1.0, 100)
    assert tuner.retune(2.0).threshold.seconds(100) == 0.0


def test_what_was_learnt_survives_a_restart() -> None:
    tuner = EdgeTuner(_HOT)
    end = _feed(tuner, _scan(0.5), 3600)
    kept = json.loads(json.dumps(tuner.to_state()))
    restored = EdgeTuner(_HOT)
    restored.restore(kept)
    assert restored.threshold == tuner.threshold
    assert restored.events == tuner.events
    # A new tuner would start at the break-even time and pay for keeping what never comes back.
    assert restored.retune(end + 86_400).threshold.seconds(_SIZE) < AT_ONCE


@pytest.mark.parametrize("damage", [{"pooled": "?"}, {"classes": [1.0]}, {"measured": {}}, {"edge": "warm->cold"}])
def test_damaged_state_is_refused_and_changes_nothing(damage: dict[str, object]) -> None:
    tuner = EdgeTuner(_HOT)
    before = tuner.threshold
    with pytest.raises(StrataError, match="starts anew"):
        tuner.restore({**tuner.to_state(), **damage})
    assert tuner.threshold == before


@pytest.mark.parametrize("rate", [0.0, -1.0, 1.5])
def test_a_learning_rate_out_of_range_is_an_error(rate: float) -> None:
    with pytest.raises(ValueError, match="learning rate"):
        EdgeTuner(_HOT, learning_rate=rate)


def test_a_slower_learning_rate_goes_the_same_way_later() -> None:
    slow, quick = EdgeTuner(_HOT, learning_rate=0.05), EdgeTuner(_HOT, learning_rate=1.0)
    for tuner in (slow, quick):
        end = _feed(tuner, _loop(50, 0.5 * _EVEN), 3600)
        _feed(tuner, _scan(2.0, start=end), end + 3600)
    assert quick.threshold.seconds(_SIZE, 1) < slow.threshold.seconds(_SIZE, 1)


def test_dearer_rent_shortens_the_wait() -> None:
    cheap, dear = EdgeTuner(_HOT), EdgeTuner(_HOT)
    generator = np.random.default_rng(3)
    for number, key in enumerate((generator.zipf(1.3, 20_000) % 5_000).tolist()):
        for tuner in (cheap, dear):
            tuner.access(_hash(key), number * 0.5, _SIZE)
    assert dear.retune(1e4, rent_weight=8.0).threshold.pooled < cheap.retune(1e4).threshold.pooled


def test_the_cold_edge_is_tuned_over_weeks() -> None:
    costs = warm_to_cold(Prices())
    even = costs.break_even_seconds(_SIZE)
    tuner = EdgeTuner(costs)
    _feed(tuner, _loop(100, 0.3 * even), 6 * even, every=0.05 * even)
    assert tuner.threshold.seconds(_SIZE, accesses=9) >= 0.3 * even
