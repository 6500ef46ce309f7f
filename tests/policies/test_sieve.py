"""SIEVE passes the suite, agrees with its paper's list and hand on any trace, and in cases done by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from stratakv.policies.eviction.sieve import SievePolicy
from stratakv.testing.eviction_suite import EvictionSuite, replay
from tests.policies.driving import drain, drive_out, fill, mixed_trace

if TYPE_CHECKING:
    from stratakv.policies.eviction import EvictionPolicy


class TestSieve(EvictionSuite):
    def make_policy(self, capacity: int) -> EvictionPolicy:
        return SievePolicy(capacity)


def _hits_by_the_paper(capacity: int, keys: list[int]) -> int:
    """A list from the newest to the oldest, and a hand that walks towards the newest."""
    queue: list[int] = []
    visited: dict[int, bool] = {}
    hand: int | None = None
    hits = 0
    for key in keys:
        if key in visited:
            hits += 1
            visited[key] = True
            continue
        if len(queue) == capacity:
            place = queue.index(hand) if hand is not None else len(queue) - 1
            while visited[queue[place]]:
                visited[queue[place]] = False
                place = place - 1 if place else len(queue) - 1
            hand = queue[place - 1] if place else None
            del visited[queue.pop(place)]
        queue.insert(0, key)
        visited[key] = False
    return hits


@settings(max_examples=60, deadline=None, database=None)
@given(st.integers(1, 20), st.integers(0, 10**9))
def test_sieve_hits_as_the_list_and_hand_of_the_paper(capacity: int, seed: int) -> None:
    keys = mixed_trace(seed, 2 * capacity + 4)
    requests = [(str(key), 1) for key in keys]
    assert replay(SievePolicy(capacity), capacity, requests) == _hits_by_the_paper(capacity, keys)


def test_sieve_keeps_a_visited_entry_through_a_scan() -> None:
    policy = fill(SievePolicy(3), "abc", used="b")
    assert drive_out(policy, "uvwxyz") == [*"acuvwx"]
    assert "b" in policy


def test_the_hand_goes_on_where_it_stopped_so_newcomers_leave_before_what_was_retained() -> None:
    # CLOCK, which sends what it spares to the end of the queue, would drive out "a" in the place of "f".
    assert drive_out(fill(SievePolicy(4), "abcd", used="ab"), "efgh") == [*"cdef"]


def test_a_hand_that_passed_the_newest_starts_over_at_the_oldest() -> None:
    # "b" was the newest when it left, so the hand does not meet "c", which came after it.
    assert drive_out(fill(SievePolicy(2), "ab", used="a"), "cd") == [*"ba"]


def test_all_visited_the_oldest_leaves() -> None:
    assert drain(fill(SievePolicy(4), "abcd", used="dcba")) == [*"abcd"]


def test_an_overwrite_is_a_use() -> None:
    policy = fill(SievePolicy(3), "abc")
    policy.resize("a", 9)
    assert drain(policy) == [*"bca"]


def test_a_kept_entry_stays_where_it_is() -> None:
    policy = fill(SievePolicy(3), "abc")
    assert policy.evict(keep="a") == "b"
    assert policy.evict(keep="c") == "a"
    assert drain(policy) == [*"c"]


def test_the_mark_of_an_entry_that_left_is_forgotten() -> None:
    policy = fill(SievePolicy(2), "ab", used="a")
    policy.remove("a")
    policy.insert("a", 1)
    policy.hit("b")
    assert policy.evict() == "a"


def test_sieve_tables_do_not_grow_with_entries_that_came_and_went() -> None:
    policy = fill(SievePolicy(10), "abcdefghij", used="abc")
    size = policy.overhead_bytes()
    for number in range(10_000):
        policy.insert(f"key {number}", 1)
        policy.hit(f"key {number}")
        policy.remove(f"key {number}")
    assert policy.overhead_bytes() < size + 20_000
    assert sorted(drain(policy)) == list("abcdefghij")
