"""`adaptive`: the suite, the share it takes on several loads, sampling, sizes, and what it tells of itself."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Literal

import pytest

from stratakv.policies.eviction.adaptive import AdaptivePolicy
from stratakv.policies.eviction.lru import LruPolicy
from stratakv.policies.eviction.s3_plus import S3PlusPolicy
from stratakv.policies.eviction.shadows import SHARES, Contest
from stratakv.testing.eviction_suite import EvictionSuite, replay

if TYPE_CHECKING:
    from collections.abc import Hashable

    from stratakv.policies.eviction.base import EvictionPolicy

Requests = list[tuple[str, int]]


class TestAdaptive(EvictionSuite):
    def make_policy(self, capacity: int) -> EvictionPolicy:
        return AdaptivePolicy(capacity)


def _loop(name: str, length: int, rounds: int) -> Requests:
    return [(f"{name} {number}", 1) for number in range(length)] * rounds


def _drift(name: str, count: int, window: int, seed: int) -> Requests:
    """Keys of a window that moves on by one every third request: what was used lately is used again soon."""
    choose = random.Random(seed)
    return [(f"{name} {number // 3 + choose.randrange(window)}", 1) for number in range(count)]


def _zipf(name: str, count: int, keys: int, seed: int) -> Requests:
    choose = random.Random(seed)
    weights = [1 / rank for rank in range(1, keys + 1)]
    return [(f"{name} {number}", 1) for number in choose.choices(range(keys), weights, k=count)]


def _ratio(policy: EvictionPolicy, requests: Requests) -> float:
    return replay(policy, policy.capacity, requests) / len(requests)


def test_a_load_of_recent_use_raises_the_share_and_nears_lru() -> None:
    requests = _drift("drift", 30_000, 280, seed=1)
    policy = AdaptivePolicy(300)
    ratio = _ratio(policy, requests)
    assert policy.small_share >= 0.30
    assert policy.switches >= 1
    assert ratio > _ratio(S3PlusPolicy(300), requests)
    assert ratio > _ratio(LruPolicy(300), requests) - 0.03


def test_a_loop_larger_than_the_cache_keeps_the_least_share() -> None:
    policy = AdaptivePolicy(400)
    ratio = _ratio(policy, _loop("loop", 600, 30))
    assert policy.small_share == SHARES[0]
    assert ratio > 0.55


def test_a_scan_does_not_displace_what_is_used() -> None:
    hot = _loop("hot", 300, 4)
    requests = hot + _loop("scan", 5000, 1) + hot
    assert replay(AdaptivePolicy(500), 500, requests) == 3 * 300 + 4 * 300


def test_after_a_change_of_load_the_share_follows_both_ways() -> None:
    policy = AdaptivePolicy(400)
    shares = []
    for part in (_loop("first", 600, 30), _drift("drift", 30_000, 380, seed=2), _loop("second", 600, 40)):
        replay_into(policy, part)
        shares.append(policy.small_share)
    assert shares[0] == SHARES[0]
    assert shares[1] > SHARES[0]
    assert shares[2] < shares[1]


def replay_into(policy: EvictionPolicy, requests: Requests) -> None:
    """Go on with a policy that has entries of size 1 already."""
    for key, size in requests:
        if key in policy:
            policy.hit(key)
            continue
        policy.insert(key, size)
        while len(policy) > policy.capacity:
            policy.evict(keep=key)


def test_a_short_spell_of_recent_use_does_not_throw_a_loop_away() -> None:
    loop = _loop("loop", 600, 20)
    policy = AdaptivePolicy(400)
    replay_into(policy, loop + _drift("drift", 800, 300, seed=3))
    kept = sum(f"loop {number}" in policy for number in range(600))
    assert kept > 150


@pytest.mark.parametrize("capacity", [60, 250, 1000])
def test_it_is_about_as_good_as_the_best_fixed_share_and_lru(capacity: int) -> None:
    requests = _zipf("page", 20_000, 3000, seed=4) + _loop("loop", 1400, 10)
    best = max(_ratio(policy, requests) for policy in (S3PlusPolicy(capacity), LruPolicy(capacity)))
    assert _ratio(AdaptivePolicy(capacity), requests) > best - 0.01


def test_large_caches_sample_so_that_shadows_stay_small() -> None:
    policy = AdaptivePolicy(50_000)
    replay_into(policy, _loop("key", 60_000, 1))
    told = policy.explain()
    assert told["sampled"] == 1 / 256
    assert 128 <= int(str(told["keys_per_shadow"])) <= 320


def test_sampling_follows_the_sizes_seen_where_capacity_is_in_bytes() -> None:
    policy = AdaptivePolicy(100_000_000)
    for number in range(20_000):
        policy.insert(number, 20_000)
        if number >= 5000:
            policy.evict(keep=number)
    # 5000 objects of 20 kB fill it: sampling of 1/32 leaves shadows of 156.
    told = policy.explain()
    assert told["sampled"] == 1 / 32
    assert int(str(told["keys_per_shadow"])) == pytest.approx(156, abs=16)


def test_shadows_follow_a_change_of_capacity() -> None:
    policy = AdaptivePolicy(8000)
    replay_into(policy, _loop("key", 9000, 1))
    before = policy.overhead_bytes()
    policy.set_capacity(1000)
    while len(policy) > 1000:
        policy.evict()
    replay_into(policy, _loop("other", 3000, 1))
    policy.shrink()
    told = policy.explain()
    assert 100 <= int(str(told["keys_per_shadow"])) <= 320
    assert policy.overhead_bytes() < before / 2
    policy.set_capacity(64_000)
    replay_into(policy, _loop("many", 70_000, 1))
    assert len(policy) == 64_000
    assert 128 <= int(str(policy.explain()["keys_per_shadow"])) <= 320


def test_the_same_requests_give_the_same_hits_and_switches() -> None:
    requests = _drift("drift", 10_000, 380, seed=5) + _loop("loop", 600, 10)
    first, second = AdaptivePolicy(400), AdaptivePolicy(400)
    assert _ratio(first, requests) == _ratio(second, requests)
    assert first.explain() == second.explain()


def test_a_long_spell_of_hits_leaves_a_bounded_log() -> None:
    policy = AdaptivePolicy(100)
    for number in range(100):
        policy.insert(number, 1)
    before = policy.overhead_bytes()
    for _ in range(2000):
        for number in range(100):
            policy.hit(number)
    assert policy.overhead_bytes() < before + 50_000
    policy.insert("next", 1)
    assert policy.evict(keep="next") is not None


def test_explain_names_the_share_and_the_reason() -> None:
    policy = AdaptivePolicy(300)
    replay_into(policy, _drift("drift", 10_000, 280, seed=6))
    told = policy.explain()
    assert told["small_share"] == policy.small_share
    assert told["switches"] == policy.switches
    assert told["recent_misses"].keys() == {"2%", "8%", "30%", "95%"}  # type: ignore[attr-defined]
    assert f"{policy.small_share:.0%}" in str(told["why"])


@pytest.mark.parametrize("objective", ["objects", "bytes"])
def test_with_equal_sizes_the_objective_does_not_matter(objective: Literal["objects", "bytes"]) -> None:
    unit = _zipf("page", 5000, 900, seed=7)
    sized = [(key, 512) for key, _ in unit]
    assert replay(AdaptivePolicy(100 * 512, objective), 100 * 512, sized) == replay(AdaptivePolicy(100), 100, unit)


def test_for_objects_more_requests_hit_and_for_bytes_more_bytes() -> None:
    choose = random.Random(8)
    sizes = [choose.choice((1, 4, 60)) for _ in range(3000)]
    keys = choose.choices(range(3000), [1 / (rank + 5) for rank in range(3000)], k=20_000)
    hits = {}
    for objective in ("objects", "bytes"):
        policy = AdaptivePolicy(4000, "objects" if objective == "objects" else "bytes")
        hits[objective] = _hits_and_bytes(policy, [(key, sizes[key]) for key in keys])
    assert hits["objects"][0] > hits["bytes"][0] * 1.1
    assert hits["bytes"][1] > hits["objects"][1]


def _hits_and_bytes(policy: EvictionPolicy, requests: list[tuple[int, int]]) -> tuple[int, int]:
    sizes: dict[Hashable, int] = {}
    hits = hit_bytes = 0
    for key, size in requests:
        if key in sizes:
            hits += 1
            hit_bytes += size
            policy.hit(key)
            continue
        sizes[key] = size
        policy.insert(key, size)
        while sum(sizes.values()) > policy.capacity:
            victim = policy.evict(keep=key)
            assert victim is not None
            del sizes[victim]
    return hits, hit_bytes


def test_a_contest_counts_only_requests_that_shadows_disagree_about() -> None:
    contest = Contest()
    contest.resize(100)
    for mark in range(1000):
        contest.request(mark)
    assert contest.contested == 0
    assert contest.misses == [0.0] * len(SHARES)


def test_a_shadow_misses_as_often_as_the_policy_it_stands_for() -> None:
    contest = Contest()
    contest.resize(200)
    missed = 0
    policy = _SmallestShare(200)
    marks = [number * 2654435761 % 2**32 for number in range(300)] * 10
    for mark in marks:
        before = contest.holds(mark, 0)
        contest.request(mark)
        missed += not before
    hits = replay(policy, 200, [(str(mark), 1) for mark in marks])
    assert len(marks) - missed == pytest.approx(hits, abs=0.02 * len(marks))


class _SmallestShare(S3PlusPolicy):
    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._divide(SHARES[0])
