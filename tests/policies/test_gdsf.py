"""GDSF passes the suite, and chooses the victims that the formula chooses, by hand and against a plain search."""

from __future__ import annotations

import tracemalloc
from random import Random
from typing import TYPE_CHECKING

import pytest

from stratakv.policies.eviction.gdsf import GdsfPolicy
from stratakv.policies.eviction.lfu import LfuPolicy
from stratakv.policies.eviction.lru import LruPolicy
from stratakv.testing.eviction_suite import EvictionSuite, replay

if TYPE_CHECKING:
    from stratakv.policies.eviction.base import EvictionPolicy


class TestGdsf(EvictionSuite):
    def make_policy(self, capacity: int) -> EvictionPolicy:
        return GdsfPolicy(capacity)


def _filled(sizes: dict[str, int]) -> GdsfPolicy:
    policy = GdsfPolicy(100)
    for key, size in sizes.items():
        policy.insert(key, size)
    return policy


def _drained(policy: EvictionPolicy) -> str:
    return "".join(str(policy.evict()) for _ in range(len(policy)))


def _hit(policy: EvictionPolicy, keys: str) -> None:
    for key in keys:
        policy.hit(key)


def test_of_equally_used_entries_the_largest_leaves_first() -> None:
    assert _drained(_filled({"a": 2, "b": 8, "c": 4, "d": 1})) == "bcad"


def test_uses_count_in_proportion_to_size() -> None:
    policy = _filled({"a": 4, "b": 1, "c": 2})
    _hit(policy, "aaaacc")
    # 5 / 4, 1 / 1 and 3 / 2.
    assert _drained(policy) == "bac"


def test_among_equals_the_one_used_longest_ago_leaves_first() -> None:
    policy = _filled({"a": 1, "b": 1, "c": 2})
    _hit(policy, "bac")
    policy.insert("d", 2)
    _hit(policy, "d")
    # c and d have 2 / 2, a and b 2 / 1.
    assert _drained(policy) == "cdba"


def test_what_is_not_used_any_more_ages_and_leaves() -> None:
    gdsf, lfu = GdsfPolicy(2), LfuPolicy(2)
    for policy in (gdsf, lfu):
        policy.insert("once popular", 1)
        for _ in range(4):
            policy.hit("once popular")
        policy.insert("passer", 1)
        for number in range(20):
            policy.insert(f"passer {number}", 1)
            policy.evict(keep=f"passer {number}")
    assert "once popular" not in gdsf
    assert "once popular" in lfu


def test_the_age_is_that_of_the_last_victim() -> None:
    policy = _filled({"a": 1, "b": 2})
    _hit(policy, "aa")
    assert policy.evict() == "b"
    # The age is 1/2: c has 1/2 + 1/1, d 1/2 + 1/4; a still has 3.
    policy.insert("c", 1)
    policy.insert("d", 4)
    assert policy.evict() == "d"
    # 3/4 now. A hit sets a to 3/4 + 4, and two to c make it 3/4 + 3.
    _hit(policy, "acc")
    policy.insert("e", 1)
    assert _drained(policy) == "eca"


def test_a_kept_entry_of_least_worth_is_next() -> None:
    policy = _filled({"a": 1, "b": 1, "c": 1, "large": 50})
    assert policy.evict(keep="large") == "a"
    policy.insert("d", 20)
    assert _drained(policy) == "largedbc"


def test_an_overwrite_counts_as_a_use_and_brings_its_size() -> None:
    policy = _filled({"a": 2, "b": 2, "c": 2})
    policy.resize("a", 2)
    policy.resize("b", 9)
    # 2 / 2, 2 / 9 and 1 / 2.
    assert _drained(policy) == "bca"


def test_another_size_without_a_use_counts_none() -> None:
    policy = _filled({"a": 2, "b": 2, "c": 2})
    policy.reweigh("b", 1)
    policy.reweigh("c", 10)
    policy.reweigh("stranger", 10)
    assert _drained(policy) == "cab"


def test_an_empty_entry_leaves_too() -> None:
    policy = _filled({"empty": 0, "small": 1})
    assert _drained(policy) == "emptysmall"


def test_large_objects_do_not_flush_small_ones() -> None:
    small = [(f"small {number}", 10) for number in range(80)]
    requests = [*small, *small]
    for lap in range(10):
        requests += [(f"large {lap} {number}", 150) for number in range(3)] + small
    # The second large object drives out the first, the third the second. LRU lets small ones go for them, and
    # misses each of those just before it comes back.
    assert replay(GdsfPolicy(1000), 1000, requests) == 11 * 80
    assert replay(LruPolicy(1000), 1000, requests) < 3 * 80


class _PlainGdsf:
    """The formula, with a search through all entries."""

    def __init__(self) -> None:
        self.entries: dict[str, list[float]] = {}
        self.age = 0.0
        self.now = 0

    def use(self, key: str, size: int | None = None) -> None:
        self.now += 1
        uses, old_size = (self.entries[key][0], self.entries[key][1]) if key in self.entries else (0, 0)
        self.entries[key] = [uses + 1, old_size if size is None else size, self.age, self.now]

    def evict(self, keep: str) -> str:
        ranks = {key: (age + uses / size, now) for key, (uses, size, age, now) in self.entries.items()}
        self.age = max(self.age, min(ranks.values())[0])
        victim = min(ranks.keys() - {keep}, key=lambda key: ranks[key])
        del self.entries[victim]
        return victim


@pytest.mark.parametrize("seed", range(4))
def test_victims_are_those_of_a_plain_search(seed: int) -> None:
    chance = Random(seed)
    policy, plain = GdsfPolicy(1000), _PlainGdsf()
    for _ in range(3000):
        key, size = f"key {int(chance.paretovariate(0.7)) % 300}", chance.randint(1, 90)
        if key not in plain.entries:
            policy.insert(key, size)
            plain.use(key, size)
        elif size < 20:
            policy.resize(key, size)
            plain.use(key, size)
        elif size < 25:
            policy.remove(key)
            del plain.entries[key]
            continue
        else:
            policy.hit(key)
            plain.use(key)
        while sum(entry[1] for entry in plain.entries.values()) > 1000:
            assert policy.evict(keep=key) == plain.evict(keep=key)
        assert len(policy) == len(plain.entries)


def test_an_unused_entry_is_found_after_many_hits_elsewhere() -> None:
    policy = GdsfPolicy(3000)
    for number in range(3000):
        policy.insert(number, 1)
    for number in range(2900):
        policy.hit(number)
    # More entries are out of date than one eviction looks at: the first evictions go by what they have seen.
    first = {policy.evict() for _ in range(103)}
    assert set(range(2900, 3000)) <= first


def test_tables_do_not_grow_with_changes() -> None:
    policy = _filled({"a": 1, "b": 2, "c": 3})
    size = policy.overhead_bytes()
    for number in range(10_000):
        policy.insert(f"key {number}", 1)
        policy.remove(f"key {number}")
        policy.reweigh("b", number % 100 + 1)
    assert policy.overhead_bytes() < size + 20_000
    policy.reweigh("b", 2)
    assert _drained(policy) == "cba"


def test_overhead_with_sizes_is_what_is_allocated() -> None:
    keys = [f"key {number}" for number in range(40_000)]
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    policy = GdsfPolicy(20_000 * 1000)
    for number, key in enumerate(keys):
        policy.insert(key, 900 + number % 200)
        if number >= 20_000:
            policy.evict(keep=key)
    allocated = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(policy) == 20_000
    assert policy.overhead_bytes() == pytest.approx(allocated, rel=0.1)
