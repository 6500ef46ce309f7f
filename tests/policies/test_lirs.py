"""LIRS passes the suite, and chooses the victims that the paper's stack and queue choose, in cases done by hand."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest

from stratakv.policies.eviction.lirs import LirsPolicy
from stratakv.policies.eviction.lru import LruPolicy
from stratakv.testing.eviction_suite import EvictionSuite, replay

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratakv.policies.eviction.base import EvictionPolicy


class TestLirs(EvictionSuite):
    def make_policy(self, capacity: int) -> EvictionPolicy:
        return LirsPolicy(capacity)


def _request(policy: EvictionPolicy, capacity: int, keys: Iterable[str]) -> str:
    """Read keys of size 1 through the policy; return the victims in order."""
    victims = ""
    for key in keys:
        if key in policy:
            policy.hit(key)
            continue
        policy.insert(key, 1)
        if len(policy) > capacity:
            victims += str(policy.evict(keep=key))
    return victims


def _drained(policy: EvictionPolicy) -> str:
    return "".join(str(policy.evict()) for _ in range(len(policy)))


# Three entries: two LIR and one HIR. a and b fill the LIR share, all others are HIR at first.
@pytest.mark.parametrize(
    ("keys", "victims", "last_victims"),
    [
        # New entries pass through the queue, though a and b were used longer ago.
        ("abcdef", "cde", "fab"),
        # c is still in the stack when it comes back: it is LIR in place of a, which follows d in the queue.
        ("abcdc", "cd", "abc"),
        # A hit in the queue and in the stack makes c LIR at once; a leaves as HIR.
        ("abccd", "a", "dbc"),
        # Hits on both LIR entries prune the stack: c's last use is now older than theirs, so it comes back as HIR.
        ("abcdabc", "cd", "cab"),
        # The same within the queue: the first hit on c finds it outside the stack and only puts it back in;
        # the second makes it LIR.
        ("abcabcd", "c", "dab"),
        ("abcabccd", "a", "dbc"),
        # a became HIR when c became LIR, its last use older than b's. Used again, it stays HIR.
        ("abccad", "a", "dbc"),
    ],
)
def test_victims_are_those_of_stack_and_queue(keys: str, victims: str, last_victims: str) -> None:
    policy = LirsPolicy(3)
    assert _request(policy, 3, keys) == victims
    assert _drained(policy) == last_victims


def test_a_loop_larger_than_the_cache_keeps_hitting() -> None:
    laps = [(key, 1) for _ in range(10) for key in range(120)]
    # 99 of 120 stay from the first lap on.
    assert replay(LirsPolicy(100), 100, laps) == 9 * 99
    assert replay(LruPolicy(100), 100, laps) == 0


def test_a_removed_entry_leaves_no_history() -> None:
    policy = LirsPolicy(3)
    assert _request(policy, 3, "abcd") == "c"
    policy.remove("d")
    # With its history, d would come back as LIR, and a would leave in its place.
    assert _request(policy, 3, "de") == "d"


def test_removing_an_evicted_key_forgets_it() -> None:
    policy = LirsPolicy(3)
    assert _request(policy, 3, "abcd") == "c"
    policy.remove("c")
    assert _request(policy, 3, "ce") == "dc"


def test_history_is_no_longer_than_the_cache() -> None:
    policy = LirsPolicy(100)
    # Distances of 150 fit into a history of one capacity, distances of 250 do not.
    near = [(f"near {number % 150}", 1) for number in range(3000)]
    far = [(f"far {number % 250}", 1) for number in range(3000)]
    assert replay(LirsPolicy(100), 100, near) > 0.6 * len(near)
    for number in range(100):
        policy.insert(f"first {number}", 1)
    sizes = []
    for key, _ in far:
        if key not in policy:
            policy.insert(key, 1)
            policy.evict(keep=key)
        sizes.append(policy.overhead_bytes())
    assert max(sizes[1000:]) <= max(sizes[:1000])


def test_sizes_divide_the_capacity() -> None:
    policy = LirsPolicy(1000)
    for number in range(9):
        policy.insert(f"lir {number}", 110)
    # 990 are LIR. Passers-by of 10 take the rest in turns.
    policy.insert("passer 0", 10)
    for number in range(1, 50):
        policy.insert(f"passer {number}", 10)
        assert policy.evict() == f"passer {number - 1}"
    policy.hit("passer 49")
    # A promoted entry of 10 drives one of 110 out of the LIR share, and so more room for HIR entries is left.
    policy.insert("last", 100)
    assert policy.evict(keep="last") == "lir 0"


def test_an_entry_larger_than_the_lir_share_never_becomes_lir() -> None:
    policy = LirsPolicy(1000)
    for number in range(9):
        policy.insert(f"lir {number}", 110)
    policy.insert("huge", 995)
    policy.hit("huge")
    policy.hit("huge")
    policy.insert("small", 1)
    assert policy.evict() == "huge"
    assert policy.evict() == "small"
    assert len(policy) == 9


def test_a_changed_size_counts_where_the_entry_stands() -> None:
    policy = LirsPolicy(100)
    for number in range(99):
        policy.insert(f"lir {number}", 1)
    policy.insert("hir", 1)
    policy.reweigh("lir 0", 30)
    policy.reweigh("hir", 5)
    # The owner holds 133 now. The LIR share is 99 of 100: it has to give the oldest away, one of 30.
    assert policy.evict() == "hir"
    assert policy.evict() == "lir 0"
    policy.resize("lir 1", 50)
    assert policy.evict() == "lir 2"


def test_an_owner_that_holds_less_than_the_capacity_still_resists_a_scan() -> None:
    policy = LirsPolicy(10_000)
    hot = [f"hot {number}" for number in range(90)]
    scanned = [f"scanned {number}" for number in range(500)]
    _request(policy, 100, hot + hot + scanned[:100] + hot)
    _request(policy, 100, scanned)
    # All were LIR when the first eviction showed what fits; two made room for HIR entries.
    assert sum(key in policy for key in hot) == 88


def test_lir_share_follows_the_capacity() -> None:
    policy = LirsPolicy(1000)
    _request(policy, 1000, [f"key {number}" for number in range(1000)])
    policy.set_capacity(100)
    for _ in range(900):
        policy.evict()
    # Of the LIR entries the last used are left; newcomers pass by them.
    kept = [f"key {number}" for number in range(950, 990)]
    assert all(key in policy for key in kept)
    _request(policy, 100, [f"new {number}" for number in range(300)])
    assert all(key in policy for key in kept)
    policy.set_capacity(200)
    _request(policy, 200, [f"next {number}" for number in range(300)])
    # What came in while there was room became LIR.
    assert sum(f"next {number}" in policy for number in range(90)) == 90


def test_more_hits_than_the_log_holds_lose_the_oldest_only() -> None:
    policy = LirsPolicy(1000)
    keys = [f"key {number}" for number in range(1000)]
    _request(policy, 1000, keys)
    for _ in range(100):
        for key in keys[:900]:
            policy.hit(key)
    size = policy.overhead_bytes()
    for _ in range(10):
        for key in keys[:900]:
            policy.hit(key)
    assert policy.overhead_bytes() == size
    assert len(policy) == 1000
    # 990 to 999 passed; the first 90 of the LIR entries that leave are those never hit.
    assert [policy.evict() for _ in range(10)] == keys[990:]
    assert {policy.evict() for _ in range(90)} == set(keys[900:990])


def test_overhead_with_a_full_history_is_what_is_allocated() -> None:
    keys = [f"key {number}" for number in range(60_000)]
    for key in keys:
        hash(key)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    policy = LirsPolicy(20_000 * 1000)
    for number, key in enumerate(keys):
        policy.insert(key, 900 + number % 200)
        if number >= 20_000:
            policy.evict(keep=key)
        else:
            without_history = policy.overhead_bytes()
    allocated = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(policy) == 20_000
    assert policy.overhead_bytes() > 1.4 * without_history
    assert policy.overhead_bytes() == pytest.approx(allocated, rel=0.1)
