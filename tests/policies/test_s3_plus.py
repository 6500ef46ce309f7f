"""S3+: the suite, the ghost rule and promotion in cases done by hand, sizes, and changes of capacity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stratakv.policies.eviction.ghosts import GhostTable, mark_of
from stratakv.policies.eviction.lru import LruPolicy
from stratakv.policies.eviction.s3_plus import S3PlusPolicy
from stratakv.testing.eviction_suite import EvictionSuite, replay

if TYPE_CHECKING:
    from stratakv.policies.eviction.base import EvictionPolicy


class TestS3Plus(EvictionSuite):
    def make_policy(self, capacity: int) -> EvictionPolicy:
        return S3PlusPolicy(capacity)


class TestS3PlusForBytes(EvictionSuite):
    def make_policy(self, capacity: int) -> EvictionPolicy:
        return S3PlusPolicy(capacity, objective="bytes")


def _filled(capacity: int, keys: str) -> S3PlusPolicy:
    policy = S3PlusPolicy(capacity)
    for key in keys:
        policy.insert(key, 1)
    return policy


def _full() -> S3PlusPolicy:
    """Four entries in a cache of four that has evicted before: d is on trial alone; a, b and c stand in main."""
    policy = _filled(4, "xabcd")
    assert policy.evict() == "x"
    return policy


def _full_and_e() -> S3PlusPolicy:
    policy = _full()
    policy.insert("e", 1)
    return policy


def _drained(policy: S3PlusPolicy) -> str:
    return "".join(str(policy.evict()) for _ in range(len(policy)))


def test_while_it_fills_older_entries_pass_into_main() -> None:
    # The small queue holds one of four, d; a, b and c stand in main in order, which shrinks first.
    assert _drained(_filled(4, "abcd")) == "abcd"


def test_an_entry_unused_on_trial_leaves_for_a_new_one() -> None:
    policy = _full_and_e()
    assert policy.evict(keep="e") == "d"


def test_one_use_while_on_trial_does_not_promote() -> None:
    policy = _full_and_e()
    policy.hit("d")
    assert policy.evict(keep="e") == "d"


def test_an_entry_used_twice_while_on_trial_is_promoted() -> None:
    policy = _full_and_e()
    policy.hit("d")
    policy.hit("d")
    assert _drained(policy) == "abcde"


def test_a_use_in_main_gives_one_more_round_each_and_three_at_most() -> None:
    policy = _filled(4, "abcd")
    for key in "a" + "b" * 9:
        policy.hit(key)
    # c is unused; a has one round to go, b three, so a leaves before b.
    assert _drained(policy) == "cabd"


def test_a_returning_entry_enters_main_if_main_went_unused_for_longer() -> None:
    policy = _full_and_e()
    assert policy.evict(keep="e") == "d"
    # d came in after a, main's first: it goes to main, and e stays alone on trial.
    policy.insert("d", 1)
    assert policy.evict(keep="d") == "a"
    assert _drained(policy) == "bcde"


def test_a_returning_entry_is_tried_again_if_all_of_main_was_renewed_since() -> None:
    policy = _full_and_e()
    assert policy.evict(keep="e") == "d"
    for key in "abc":
        policy.hit(key)
    # A round through main gives a, b and c new times; then a leaves.
    assert policy.evict() == "a"
    # d came in before all of them: it goes on trial behind e.
    policy.insert("d", 1)
    assert policy.evict(keep="d") == "e"
    assert _drained(policy) == "bcd"


def test_no_ghost_is_kept_of_a_removed_entry() -> None:
    policy = _full()
    policy.remove("d")
    policy.insert("e", 1)
    policy.insert("d", 1)
    # With a ghost d would stand in main, and main's a would leave.
    assert policy.evict() == "e"


def test_a_scan_does_not_displace_what_is_used() -> None:
    hot = [(f"hot {number}", 1) for number in range(50)]
    scan = [(f"scan {number}", 1) for number in range(2000)]
    requests = hot * 4 + scan + hot
    assert replay(S3PlusPolicy(100), 100, requests) == 200
    assert replay(LruPolicy(100), 100, requests) == 150


def test_a_loop_larger_than_the_cache_keeps_a_share_of_itself() -> None:
    requests = [(f"key {number}", 1) for number in range(150)] * 20
    assert replay(LruPolicy(100), 100, requests) == 0
    # Keeping a fixed part would hit 100 of 150.
    assert replay(S3PlusPolicy(100), 100, requests) > 0.55 * len(requests)


def test_an_eviction_after_many_hits_takes_one_entry_within_bounds() -> None:
    keys = [f"key {number}" for number in range(3000)]
    policy = S3PlusPolicy(len(keys))
    for key in keys:
        policy.insert(key, 1)
    for _ in range(3):
        for key in keys:
            policy.hit(key)
    victims = {policy.evict() for _ in range(100)}
    assert len(victims) == 100
    assert len(policy) == 2900


def test_entries_that_come_and_go_leave_no_memory_behind() -> None:
    policy = _filled(100, "abcdefghij")
    size = policy.overhead_bytes()
    for number in range(10_000):
        policy.insert(f"key {number}", 1)
        policy.remove(f"key {number}")
    assert policy.overhead_bytes() < size + 30_000


def test_a_shrunk_capacity_keeps_what_is_used() -> None:
    policy = S3PlusPolicy(40)
    for number in range(41):
        policy.insert(number, 1)
    policy.evict()
    used = range(1, 16)
    for number in used:
        policy.hit(number)
    policy.set_capacity(20)
    for _ in range(20):
        policy.evict()
    assert all(number in policy for number in used)


def test_a_grown_capacity_is_filled_before_new_entries_are_on_trial() -> None:
    policy = _full()
    policy.set_capacity(40)
    for number in range(36):
        policy.insert(number, 1)
    # Two of forty are on trial; the other new entries stand in main behind the old ones.
    assert [policy.evict() for _ in range(6)] == ["a", "b", "c", "d", 0, 1]


def test_one_large_object_displaces_one_large_object_not_many_small_ones() -> None:
    policy = S3PlusPolicy(10_000)
    small = [(f"small {number}", 10) for number in range(500)]
    large = [(f"large {number}", 4000) for number in range(40)]
    assert replay(policy, 10_000, small * 3 + large + small) == 3 * 500


@pytest.mark.parametrize("objective", ["objects", "bytes"])
def test_with_equal_sizes_the_objective_does_not_matter(objective: str) -> None:
    requests = [(str(number * number % 397), 7) for number in range(4000)]
    same = replay(S3PlusPolicy(7 * 50), 7 * 50, requests)
    policy = S3PlusPolicy(7 * 50, objective="objects" if objective == "objects" else "bytes")
    assert replay(policy, 7 * 50, requests) == same
    unit = [(key, 1) for key, _ in requests]
    assert replay(S3PlusPolicy(50), 50, unit) == same


def test_for_objects_the_large_leave_before_the_small_of_the_same_age() -> None:
    policy = S3PlusPolicy(1000)
    for number in range(50):
        policy.insert(f"small {number}", 2)
        policy.insert(f"large {number}", 16)
    victims = [str(policy.evict()) for _ in range(40)]
    assert sum(victim.startswith("large") for victim in victims) >= 35


def test_for_bytes_sizes_do_not_change_the_order() -> None:
    policy = S3PlusPolicy(1000, objective="bytes")
    for number in range(50):
        policy.insert(number, 1 + number % 7)
    assert [policy.evict() for _ in range(10)] == list(range(10))


def test_an_unknown_objective_is_an_error() -> None:
    with pytest.raises(ValueError, match="objective must be 'objects' or 'bytes'"):
        S3PlusPolicy(10, objective="speed")  # type: ignore[arg-type]


def test_ghosts_tell_when_a_key_came_in_and_forget_it() -> None:
    ghosts = GhostTable()
    assert ghosts.take(mark_of("unknown")) == 0
    ghosts.reserve(100)
    for number in range(100):
        ghosts.put(mark_of(number), number + 1)
    remembered = [ghosts.take(mark_of(number)) for number in range(100)]
    assert sum(time == number + 1 for number, time in enumerate(remembered)) > 80
    assert ghosts.take(mark_of(99)) == 0


def test_ghosts_survive_growth() -> None:
    ghosts = GhostTable()
    ghosts.reserve(8)
    ghosts.put(mark_of("known"), 5)
    ghosts.reserve(5000)
    assert ghosts.take(mark_of("known")) == 5


def test_marks_are_the_same_in_every_process() -> None:
    assert mark_of("session:42") == 2721985228
    assert mark_of(b"session:42") == mark_of("session:42")
    assert mark_of(12345) == 12345 * 0x9E3779B1 % 2**32
