"""S3-FIFO passes the suite, agrees with a plain model of its rules on any trace, and in cases done by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratakv.policies.eviction.s3_fifo import S3FifoPolicy
from stratakv.testing.eviction_suite import EvictionSuite, replay
from tests.policies.driving import drain, drive_out, fill, mixed_trace
from tests.policies.footprints import told_and_allocated

if TYPE_CHECKING:
    from stratakv.policies.eviction import EvictionPolicy


class TestS3Fifo(EvictionSuite):
    def make_policy(self, capacity: int) -> EvictionPolicy:
        return S3FifoPolicy(capacity)


def _twenty() -> S3FifoPolicy:
    """A full cache of 20: "s0" and "s1" in the small queue, "m0" to "m17" in the main one, nothing used."""
    return fill(S3FifoPolicy(20), ["s0", "s1", *(f"m{number}" for number in range(18))])


def _hits_by_the_model(capacity: int, keys: list[int]) -> int:
    """Lists for the three queues, oldest first; room is made before a key comes in."""
    small_share = capacity // 10
    small: list[int] = []
    main: list[int] = []
    ghosts: list[int] = []
    uses: dict[int, int] = {}
    hits = 0
    full = False
    for key in keys:
        if key in uses:
            hits += 1
            uses[key] += 1
            continue
        known = key in ghosts
        if known:
            ghosts.remove(key)
        if len(uses) == capacity:
            full = True
            victim = None
            if len(main) <= capacity - small_share:
                while small and victim is None:
                    first = small.pop(0)
                    if uses[first] < 2:
                        victim = first
                        ghosts.append(victim)
                        del ghosts[: -(capacity * 9 // 10)]
                    else:
                        uses[first] = 0
                        main.append(first)
            while victim is None:
                first = main.pop(0)
                if uses[first]:
                    uses[first] = min(uses[first], 3) - 1
                    main.append(first)
                else:
                    victim = first
            del uses[victim]
        uses[key] = 0
        overflow = not full and len(small) >= small_share
        (main if known or overflow else small).append(key)
    return hits


@settings(max_examples=60, deadline=None, database=None)
@given(st.integers(10, 39), st.integers(0, 10**9))
def test_s3_fifo_hits_as_a_plain_model_of_its_rules_whatever_the_unit_of_sizes(capacity: int, seed: int) -> None:
    keys = mixed_trace(seed, 3 * capacity)
    hits = _hits_by_the_model(capacity, keys)
    # Shares in whole bytes are finer than in whole pages, so the second capacity is one that tenths divide.
    assert replay(S3FifoPolicy(capacity), capacity, [(str(key), 1) for key in keys]) == hits
    capacity -= capacity % 10
    pages = [(str(key), 4096) for key in keys]
    assert replay(S3FifoPolicy(4096 * capacity), 4096 * capacity, pages) == _hits_by_the_model(capacity, keys)


def test_a_scan_leaves_through_the_small_queue() -> None:
    scan = [f"scan {number}" for number in range(100)]
    assert drive_out(_twenty(), scan) == ["s0", "s1", *scan[:98]]


def test_two_uses_lead_from_small_to_main_and_one_does_not() -> None:
    policy = _twenty()
    policy.hit("s0")
    policy.hit("s1")
    policy.hit("s1")
    # The main queue is over its share with "s1" in it, so its own oldest leaves next.
    assert drive_out(policy, ["x", "y", "z"]) == ["s0", "x", "m0"]
    assert "s1" in policy


def test_a_ghost_that_comes_back_enters_main() -> None:
    policy = _twenty()
    assert drive_out(policy, ["x", "s0", "y"]) == ["s0", "s1", "m0"]


def test_what_is_removed_leaves_no_ghost() -> None:
    policy = _twenty()
    policy.remove("s0")
    # With a ghost "s0" would stand in main and drive out "m0" at "y".
    policy.insert("s0", 1)
    assert drive_out(policy, ["x", "y"]) == ["s1", "s0"]


def test_main_spends_a_use_on_each_round() -> None:
    policy = _twenty()
    for number in range(18):
        for _ in range(1 + (number != 7) + 5 * (number == 3)):
            policy.hit(f"m{number}")
    policy.remove("s0")
    policy.remove("s1")
    assert policy.evict() == "m7"
    rest = [policy.evict() for _ in range(17)]
    assert rest[-1] == "m3", "uses beyond three are not counted, three outlast two"


def test_an_overwrite_is_a_use() -> None:
    policy = _twenty()
    policy.resize("s0", 1)
    policy.resize("s0", 1)
    assert drive_out(policy, ["x"]) == ["s1"]


def test_shares_follow_a_new_capacity() -> None:
    assert _twenty().evict() == "s0", "main is within its share of 18"
    policy = _twenty()
    policy.set_capacity(10)
    # Main has 18 of a share of 9.
    assert drain(policy)[:10] == [*(f"m{number}" for number in range(9)), "s0"]


def test_shares_are_taken_of_what_is_there_when_the_owner_charges_more() -> None:
    keys = [f"key {number}" for number in range(40)]
    policy = fill(S3FifoPolicy(1000), keys, used=[*keys, *keys])
    # All would fit; but the owner calls for room, so what is there is what fits: 36 of 40 are the main queue's share.
    assert policy.evict() == "key 0"
    scan = [f"scan {number}" for number in range(30)]
    assert drive_out(policy, scan) == ["key 1", "key 2", "key 3", *scan[:27]]


def test_ghosts_follow_a_new_capacity() -> None:
    policy = S3FifoPolicy(1000)
    for number in range(2000):
        policy.insert(f"key {number}", 1)
        if number >= 1000:
            policy.evict(keep=f"key {number}")
    full = policy.overhead_bytes()
    policy.set_capacity(10)
    policy.shrink()
    assert policy.overhead_bytes() < full / 2


@pytest.mark.parametrize("size", [1, 5000])
def test_overhead_with_ghosts_is_what_is_allocated(size: int) -> None:
    told, allocated = told_and_allocated(S3FifoPolicy, size)
    assert abs(told - allocated) <= 0.1 * allocated, f"told {told}, allocated {allocated}"


@pytest.mark.parametrize("size", [0, 3, 15, 10**12])
def test_an_entry_of_any_size_comes_in_and_leaves_once(size: int) -> None:
    policy = _twenty()
    policy.insert("odd", size)
    policy.hit("odd")
    victims = [policy.evict(keep="odd") for _ in range(20)]
    assert len(set(victims)) == 20
    assert policy.evict(keep="odd") is None
    assert policy.evict() == "odd"
    assert policy.evict() is None
    policy.insert("odd", size)
    assert policy.evict() == "odd"


def test_entries_without_size_leave_a_bounded_number_of_ghosts() -> None:
    policy = S3FifoPolicy(20)
    for number in range(20_000):
        policy.insert(f"key {number}", 0)
        policy.evict()
    assert policy.overhead_bytes() < 50_000


def test_s3_fifo_tables_do_not_grow_with_entries_that_came_and_went() -> None:
    policy = _twenty()
    size = policy.overhead_bytes()
    for number in range(10_000):
        policy.insert(f"key {number}", 1)
        policy.insert(f"other {number}", 1)
        policy.remove(f"key {number}")
        policy.remove(f"other {number}")
    assert policy.overhead_bytes() < size + 20_000
    assert len({policy.evict() for _ in range(20)}) == 20
