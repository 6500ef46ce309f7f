"""Each eviction policy passes the suite and chooses the victims its name promises, in cases done by hand."""

from __future__ import annotations

import pytest

from stratakv.policies.eviction import EvictionPolicy, FifoPolicy, LfuPolicy, LruPolicy
from stratakv.testing.eviction_suite import EvictionSuite, replay


class TestFifo(EvictionSuite):
    def make_policy(self, capacity: int) -> EvictionPolicy:
        return FifoPolicy(capacity)


class TestLru(EvictionSuite):
    def make_policy(self, capacity: int) -> EvictionPolicy:
        return LruPolicy(capacity)


class TestLfu(EvictionSuite):
    def make_policy(self, capacity: int) -> EvictionPolicy:
        return LfuPolicy(capacity)


def _filled(policy: EvictionPolicy, keys: str) -> EvictionPolicy:
    for key in keys:
        policy.insert(key, 1)
    return policy


def _hit(policy: EvictionPolicy, keys: str) -> None:
    for key in keys:
        policy.hit(key)


def _drained(policy: EvictionPolicy) -> str:
    return "".join(str(policy.evict()) for _ in range(len(policy)))


def test_fifo_evicts_in_order_of_arrival_whatever_is_used() -> None:
    policy = _filled(FifoPolicy(4), "abcd")
    _hit(policy, "aab")
    policy.resize("a", 9)
    assert _drained(policy) == "abcd"


def test_lru_evicts_in_order_of_last_use() -> None:
    policy = _filled(LruPolicy(4), "abcd")
    _hit(policy, "ba")
    policy.resize("c", 9)
    assert _drained(policy) == "dbac"


def test_lru_leaves_a_kept_entry_at_its_place() -> None:
    policy = _filled(LruPolicy(3), "abc")
    assert policy.evict(keep="a") == "b"
    assert _drained(policy) == "ac"


def test_lfu_evicts_the_least_used() -> None:
    policy = _filled(LfuPolicy(4), "abcd")
    _hit(policy, "aaabbc")
    assert _drained(policy) == "dcba"


def test_lfu_counts_an_overwrite_as_a_use() -> None:
    policy = _filled(LfuPolicy(2), "ab")
    policy.resize("a", 9)
    assert _drained(policy) == "ba"


def test_lfu_breaks_ties_by_last_use() -> None:
    policy = _filled(LfuPolicy(4), "abcd")
    _hit(policy, "dcba")
    assert _drained(policy) == "dcba"


def test_lfu_forgets_the_count_of_an_entry_that_left() -> None:
    policy = _filled(LfuPolicy(3), "ab")
    _hit(policy, "aaaaab")
    policy.remove("a")
    policy.insert("a", 1)
    assert _drained(policy) == "ab"


def test_lfu_takes_a_little_used_entry_after_many_hits_elsewhere() -> None:
    keys = [f"key {number}" for number in range(5000)]
    policy = LfuPolicy(len(keys))
    for key in keys:
        policy.insert(key, 1)
    for _ in range(3):
        for key in keys[:-500]:
            policy.hit(key)
    # More entries are out of date than one eviction looks at; the unused ones go first within a few
    # evictions.
    first_victims = [policy.evict() for _ in range(510)]
    assert set(keys[-500:]) <= set(first_victims)


def test_lfu_tables_do_not_grow_with_entries_that_came_and_went() -> None:
    policy = LfuPolicy(10)
    _filled(policy, "abcdefghij")
    size = policy.overhead_bytes()
    for number in range(10_000):
        policy.insert(f"key {number}", 1)
        policy.remove(f"key {number}")
    assert policy.overhead_bytes() < size + 20_000


# Requests over a cache of two entries; the hits were worked out on paper.
@pytest.mark.parametrize(
    ("policy", "hits"),
    [
        # a b | a hit | c drives out a | a drives out b | a hit | b drives out c | a hit | c drives out a
        (FifoPolicy(2), 3),
        # a b | a hit | c drives out b | a hit | a hit | b drives out c | a hit | c drives out b
        (LruPolicy(2), 4),
        (LfuPolicy(2), 4),
    ],
    ids=lambda value: value.name if isinstance(value, EvictionPolicy) else str(value),
)
def test_hits_of_a_short_trace(policy: EvictionPolicy, hits: int) -> None:
    assert replay(policy, 2, [(key, 1) for key in "abacaabac"]) == hits


def test_lfu_keeps_the_frequent_through_a_scan_and_lru_does_not() -> None:
    requests = [(key, 1) for key in "aaabbb" + "uvwxyz" + "ab"]
    assert replay(LfuPolicy(3), 3, requests) == 6
    assert replay(LruPolicy(3), 3, requests) == 4


def test_replay_evicts_by_size_and_passes_over_what_cannot_fit() -> None:
    # big does not fit at all; c of 3 drives out a and b, and hits; d of 2 drives out c, and c then a and d.
    requests = [("a", 2), ("b", 2), ("big", 5), ("c", 3), ("a", 1), ("c", 3), ("d", 2), ("c", 3)]
    policy = FifoPolicy(4)
    assert replay(policy, 4, requests) == 1
    assert len(policy) == 1
    assert "c" in policy


@pytest.mark.parametrize("capacity", [0, -1])
def test_capacity_must_be_positive(capacity: int) -> None:
    with pytest.raises(ValueError, match="capacity must be positive"):
        LruPolicy(capacity)
