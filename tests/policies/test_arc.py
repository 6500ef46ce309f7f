"""ARC passes the suite, agrees with its paper's four lists on any trace, and in cases done by hand."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratakv.policies.eviction.arc import ArcPolicy
from stratakv.testing.eviction_suite import EvictionSuite, replay
from tests.policies.driving import drain, drive_out, fill, mixed_trace
from tests.policies.footprints import told_and_allocated

if TYPE_CHECKING:
    from stratakv.policies.eviction import EvictionPolicy


class TestArc(EvictionSuite):
    def make_policy(self, capacity: int) -> EvictionPolicy:
        return ArcPolicy(capacity)


class _Paper:
    """Figure 4 of the paper on lists, least recent first."""

    def __init__(self, c: int) -> None:
        self.c = c
        self.p = 0.0
        self.t1: list[int] = []
        self.t2: list[int] = []
        self.b1: list[int] = []
        self.b2: list[int] = []

    def request(self, x: int) -> bool:
        c, t1, t2, b1, b2 = self.c, self.t1, self.t2, self.b1, self.b2
        if x in t1 or x in t2:
            (t1 if x in t1 else t2).remove(x)
            t2.append(x)
            return True
        if x in b1:
            self.p = min(c, self.p + max(len(b2) / len(b1), 1))
            self._replace(in_b2=False)
            b1.remove(x)
            t2.append(x)
        elif x in b2:
            self.p = max(0, self.p - max(len(b1) / len(b2), 1))
            self._replace(in_b2=True)
            b2.remove(x)
            t2.append(x)
        else:
            if len(t1) + len(b1) == c:
                if len(t1) < c:
                    del b1[0]
                    self._replace(in_b2=False)
                else:
                    del t1[0]
            elif len(t1) + len(t2) + len(b1) + len(b2) >= c:
                if len(t1) + len(t2) + len(b1) + len(b2) == 2 * c:
                    del b2[0]
                self._replace(in_b2=False)
            t1.append(x)
        return False

    def _replace(self, *, in_b2: bool) -> None:
        if self.t1 and (len(self.t1) > self.p or (in_b2 and len(self.t1) == self.p) or not self.t2):
            self.b1.append(self.t1.pop(0))
        else:
            self.b2.append(self.t2.pop(0))


def _hits_by_the_paper(capacity: int, keys: list[int]) -> int:
    paper = _Paper(capacity)
    return sum(paper.request(key) for key in keys)


@settings(max_examples=60, deadline=None, database=None)
@given(st.integers(1, 20), st.integers(0, 10**9))
def test_arc_hits_as_the_lists_of_the_paper_whatever_the_unit_of_sizes(capacity: int, seed: int) -> None:
    keys = mixed_trace(seed, 3 * capacity + 4)
    hits = _hits_by_the_paper(capacity, keys)
    for unit in (1, 4096):
        assert replay(ArcPolicy(unit * capacity), unit * capacity, [(str(key), unit) for key in keys]) == hits


def test_entries_used_once_leave_before_entries_used_again() -> None:
    assert drain(fill(ArcPolicy(4), "abcd", used="a")) == [*"bcda"]


def test_hits_between_two_calls_take_effect_in_their_order() -> None:
    # First hits and later ones of old and new members of the frequent queue, mixed.
    policy = fill(ArcPolicy(5), "abcde", used="edcba")
    policy.remove("nobody")
    for key in "cae":
        policy.hit(key)
    assert drain(policy) == [*"dbcae"]


def test_a_hit_on_the_newest_counts_before_and_after_its_room_is_made() -> None:
    policy = fill(ArcPolicy(2), "ab", used="ab")
    policy.insert("c", 1)
    policy.hit("c")
    assert policy.evict(keep="c") == "a"
    policy.hit("b")
    assert drain(policy) == [*"cb"]


def test_a_ghost_that_comes_back_counts_as_used_again() -> None:
    policy = fill(ArcPolicy(3), "abc", used="a")
    assert drive_out(policy, "d") == [*"b"]
    assert drive_out(policy, "b") == [*"c"], "and its ghost has moved the border to one entry used once"
    assert drain(policy) == [*"abd"]


def test_ghosts_of_the_recent_widen_their_share_and_those_of_the_frequent_narrow_it() -> None:
    policy = fill(ArcPolicy(4), "abcd", used="ab")
    assert drive_out(policy, "ef") == [*"cd"]
    # "c" and "d" were let go too early: room for two used once, which "e" and "f" take.
    assert drive_out(policy, "cd") == [*"ea"]
    # "a" was let go too early: with one ghost on each side the border goes back by one.
    assert drive_out(policy, "a") == [*"f"]


def test_what_is_removed_leaves_no_ghost() -> None:
    policy = fill(ArcPolicy(3), "abc", used="b")
    policy.remove("a")
    policy.insert("a", 1)
    assert drain(policy) == [*"cab"]


def test_an_overwrite_is_a_use() -> None:
    policy = fill(ArcPolicy(3), "abc")
    policy.resize("a", 1)
    assert drain(policy) == [*"bca"]


def test_a_new_size_without_a_use_moves_nothing() -> None:
    policy = fill(ArcPolicy(3), "abc")
    policy.reweigh("a", 5)
    assert drain(policy) == [*"abc"]


def test_hits_alone_do_not_make_the_log_grow() -> None:
    policy = fill(ArcPolicy(10), "abcdefghij")
    for _ in range(10_000):
        for key in "abcdefghij":
            policy.hit(key)
    assert policy.overhead_bytes() < 10_000


def test_first_hits_without_evictions_do_not_make_the_log_grow() -> None:
    policy = fill(ArcPolicy(3), "abc")
    for number in range(10_000):
        policy.insert(f"key {number}", 1)
        policy.hit(f"key {number}")
        policy.remove(f"key {number}")
    assert policy.overhead_bytes() < 10_000


def test_threads_that_hit_leave_the_sizes_true() -> None:
    policy = ArcPolicy(1000)
    keys = [f"key {number}" for number in range(150)]
    finished = threading.Event()

    def hit_all() -> None:
        while not finished.is_set():
            for key in keys:
                policy.hit(key)

    threads = [threading.Thread(target=hit_all) for _ in range(3)]
    for thread in threads:
        thread.start()
    sizes: dict[object, int] = {}
    for number in range(20_000):
        key = keys[number * 41 % len(keys)]
        sizes[key] = number % 20 + 1
        if key in policy:
            policy.resize(key, sizes[key])
        else:
            policy.insert(key, sizes[key])
        while sum(sizes.values()) > 1000:
            del sizes[policy.evict(keep=key)]
    finished.set()
    for thread in threads:
        thread.join()
    assert len(policy) == len(sizes)
    policy.remove("nobody")
    assert policy._recent_size + policy._frequent_size == sum(sizes.values())
    assert {policy.evict() for _ in range(len(sizes))} == sizes.keys()
    assert (policy._recent_size, policy._frequent_size) == (0, 0)


def test_ghosts_and_border_follow_a_new_capacity() -> None:
    policy = ArcPolicy(1000)
    for number in range(3000):
        policy.insert(f"key {number}", 1)
        if number % 3:
            policy.hit(f"key {number}")
        if number >= 1000:
            policy.evict(keep=f"key {number}")
    full = policy.overhead_bytes()
    policy.set_capacity(10)
    while len(policy) > 10:
        policy.evict()
    policy.shrink()
    assert policy.overhead_bytes() < full / 20


@pytest.mark.parametrize("size", [1, 5000])
def test_overhead_with_ghosts_is_what_is_allocated(size: int) -> None:
    told, allocated = told_and_allocated(ArcPolicy, size)
    assert abs(told - allocated) <= 0.1 * allocated, f"told {told}, allocated {allocated}"


@pytest.mark.parametrize("size", [0, 3, 15, 10**12])
@pytest.mark.parametrize("used", ["", "abc", "abcdefghij"])
def test_an_entry_of_any_size_comes_in_and_leaves_once(size: int, used: str) -> None:
    policy = fill(ArcPolicy(10), "abcdefghij", used=used)
    for _ in range(2):
        policy.insert("odd", size)
        victims = [policy.evict(keep="odd") for _ in range(len(policy) - 1)]
        assert len(set(victims) | {"odd"}) == len(victims) + 1
        assert policy.evict(keep="odd") is None
        assert policy.evict() == "odd"
        assert policy.evict() is None


@settings(max_examples=100, deadline=None, database=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 60)), max_size=300))
def test_ghosts_stay_within_the_capacity_whatever_the_sizes(requests: list[tuple[int, int]]) -> None:
    policy = ArcPolicy(50)
    replay(policy, 50, [(str(key), 1 + (key * 7 + size) % 40) for key, size in requests])
    assert policy._recent_ghosts.size <= 50
    assert policy._frequent_ghosts.size <= 50
