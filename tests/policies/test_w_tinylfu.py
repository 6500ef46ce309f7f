"""W-TinyLFU passes the suite, keeps the frequent through scans, and its window follows what pays.

Keys are integers here: their hashes, and so the sketch's counters, are the same on every run.
"""

from __future__ import annotations

import tracemalloc
from random import Random
from typing import TYPE_CHECKING

import pytest

from stratakv.policies.eviction.lru import LruPolicy
from stratakv.policies.eviction.w_tinylfu import WTinyLfuPolicy
from stratakv.testing.eviction_suite import EvictionSuite, replay

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratakv.policies.eviction.base import EvictionPolicy


class TestWTinyLfu(EvictionSuite):
    def make_policy(self, capacity: int) -> EvictionPolicy:
        return WTinyLfuPolicy(capacity)


def _request(policy: EvictionPolicy, capacity: int, keys: Iterable[int]) -> list[object]:
    """Read keys of size 1 through the policy; return the victims in order."""
    victims: list[object] = []
    for key in keys:
        if key in policy:
            policy.hit(key)
            continue
        policy.insert(key, 1)
        if len(policy) > capacity:
            victims.append(policy.evict(keep=key))
    return victims


def test_newcomers_used_once_leave_from_the_window() -> None:
    policy = WTinyLfuPolicy(10)
    _request(policy, 10, range(10))
    # 9 stands in the window of one entry; the others are as frequent, and were first.
    assert _request(policy, 10, [10, 11, 12, 13]) == [9, 10, 11, 12]


def test_a_newcomer_used_more_often_than_the_victim_takes_its_place() -> None:
    policy = WTinyLfuPolicy(10)
    _request(policy, 10, [*range(10), 10, 11])
    # 10 was turned away and counted. When it comes back it is used twice, against once of the oldest in main.
    assert _request(policy, 10, [10, 12]) == [11, 0]
    assert 10 in policy


def test_entries_used_in_main_leave_after_those_never_used() -> None:
    policy = WTinyLfuPolicy(10)
    _request(policy, 10, [*range(10), 0, 1, 2])
    newcomers = [key for number in range(20, 26) for key in (number, 100 + number, number)]
    victims = [victim for victim in _request(policy, 10, newcomers) if isinstance(victim, int) and victim < 10]
    assert victims == [9, 3, 4, 5, 6, 7][: len(victims)]
    assert len(victims) >= 5
    assert {0, 1, 2} <= {key for key in range(10) if key in policy}


def test_uses_within_the_window_do_not_count() -> None:
    policy = WTinyLfuPolicy(10)
    _request(policy, 10, range(10))
    # A burst of uses right after it came in does not carry 10 into main.
    assert _request(policy, 10, [10, 10, 10, 10, 10, 11]) == [9, 10]


def test_the_frequent_survive_a_scan_that_empties_lru() -> None:
    hot = list(range(80))
    requests = [(key, 1) for key in hot * 5 + list(range(1000, 3000)) + hot]
    # One of them shares its counters with more of the others than it was used itself.
    assert replay(WTinyLfuPolicy(100), 100, requests) >= 5 * 80 - 2
    assert replay(LruPolicy(100), 100, requests) == 4 * 80


def test_old_popularity_gives_way_to_new() -> None:
    policy = WTinyLfuPolicy(100)
    chance = Random(3)
    old, new = range(100), range(1000, 1100)
    _request(policy, 100, chance.choices(old, k=3000))
    _request(policy, 100, chance.choices(new, k=6000))
    assert sum(key in policy for key in new) >= 95


def _bursts(number: int, chance: Random) -> list[int]:
    """Each key is used five times within the next 250 requests or so, and never again."""
    timed = [(start + (chance.random() * 250 if use else 0), start) for start in range(number) for use in range(5)]
    return [key for _, key in sorted(timed)]


def _loop_among_strangers(number: int) -> list[int]:
    """Every second request goes round 250 keys, the others each to a key of its own."""
    return [-1 - turn // 2 % 250 if turn % 2 else 10_000_000 + turn for turn in range(number)]


def _hits(policy: EvictionPolicy, capacity: int, keys: list[int]) -> int:
    return len(keys) - len(_request(policy, capacity, keys))


def test_the_window_grows_where_recency_pays_and_shrinks_where_frequency_does() -> None:
    chance = Random(11)
    policy, lru = WTinyLfuPolicy(300), LruPolicy(300)
    recent, frequent = _bursts(12_000, chance), _loop_among_strangers(60_000)
    at_first = _hits(policy, 300, recent[:10_000])
    _request(policy, 300, recent[10_000:50_000])
    in_the_end = _hits(policy, 300, recent[50_000:])
    _request(lru, 300, recent[:50_000])
    assert at_first < 0.4 * in_the_end
    assert in_the_end > 0.75 * _hits(lru, 300, recent[50_000:])
    # The large window is worth little here: no use of the loop falls into it.
    assert _hits(policy, 300, frequent[:10_000]) < 2000
    _request(policy, 300, frequent[10_000:50_000])
    assert _hits(policy, 300, frequent[50_000:]) > 4800


def test_window_and_main_are_measured_in_sizes() -> None:
    policy = WTinyLfuPolicy(10_000)
    for key in range(100):
        policy.insert(key, 100)
    # 1% is one entry of 100, or ten of 10: newcomers of 10 stay while ten more come in.
    small = range(1000, 1040)
    victims = []
    for key in small:
        policy.insert(key, 10)
        victims.append(policy.evict(keep=key) if key % 10 == 0 else None)
    assert next(victim for victim in victims if victim is not None) == 99
    assert all(key in policy for key in range(1030, 1040))


def test_a_large_entry_used_once_does_not_flush_small_ones() -> None:
    small = list(range(90))
    large = [(key, 300) for key in range(1000, 1008)]
    requests = [*((key, 10) for key in small * 3), *large, *((key, 10) for key in small)]
    # The first large entry takes its room; the others only take its place.
    assert replay(WTinyLfuPolicy(1000), 1000, requests) >= 2 * 90 + 60
    assert replay(LruPolicy(1000), 1000, requests) == 2 * 90


def test_an_entry_larger_than_the_capacity_leaves_at_the_next_eviction() -> None:
    policy = WTinyLfuPolicy(100)
    for key in range(100):
        policy.insert(key, 1)
        policy.hit(key)
    policy.insert(1000, 500)
    assert {policy.evict(keep=1000) for _ in range(100)} == set(range(100))
    policy.insert(1001, 1)
    assert policy.evict(keep=1001) == 1000
    _request(policy, 100, range(2000, 2150))
    assert len(policy) == 100


def test_a_changed_size_counts_where_the_entry_stands() -> None:
    policy = WTinyLfuPolicy(100)
    _request(policy, 100, range(100))
    policy.hit(1)
    policy.resize(2, 30)
    policy.reweigh(1, 20)
    policy.reweigh(3, 15)
    policy.reweigh(99, 9)
    policy.reweigh(12345, 50)
    assert policy._held == 96 + 30 + 20 + 15 + 9
    for key in (1, 2, 3, 99):
        policy.remove(key)
    assert policy._held == 96 == len(policy)


def test_an_owner_that_holds_less_than_the_capacity_still_resists_a_scan() -> None:
    policy = WTinyLfuPolicy(10_000)
    hot = list(range(90))
    _request(policy, 100, hot * 3)
    _request(policy, 100, range(1000, 1500))
    # A few leave until the first evictions have shown what fits.
    assert sum(key in policy for key in hot) >= 87


def test_window_and_main_follow_the_capacity() -> None:
    policy = WTinyLfuPolicy(1000)
    _request(policy, 1000, [*range(1000), *range(50), *range(50)])
    policy.set_capacity(100)
    for _ in range(900):
        policy.evict()
    assert all(key in policy for key in range(50))
    _request(policy, 100, range(5000, 5300))
    assert all(key in policy for key in range(50))
    policy.set_capacity(300)
    # There was room for 200.
    assert len(_request(policy, 300, range(6000, 6500))) == 300
    assert all(key in policy for key in range(50))


def test_the_sketch_grows_with_the_entries_and_is_given_back() -> None:
    policy = WTinyLfuPolicy(1_000_000_000)
    empty = policy.overhead_bytes()
    for key in range(20_000):
        policy.insert(key, 1000)
    full = policy.overhead_bytes()
    assert full > empty + 20_000 * 100
    for key in range(20_000):
        policy.remove(key)
    policy.shrink()
    assert policy.overhead_bytes() < 2 * empty + 10_000
    policy.insert(7, 1000)
    assert policy.evict() == 7


def test_overhead_with_sizes_is_what_is_allocated() -> None:
    keys = [f"key {number}" for number in range(15_000)]
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    policy = WTinyLfuPolicy(10_000 * 1000)
    for number, key in enumerate(keys):
        policy.insert(key, 900 + number % 200)
        if number >= 10_000:
            policy.evict(keep=key)
        policy.hit(keys[number // 2])
    allocated = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(policy) == 10_000
    assert policy.overhead_bytes() == pytest.approx(allocated, rel=0.1)
