"""`EvictionSuite`: what every eviction policy must do, and `replay`, which runs one over a recorded trace.

For authors of policies: derive a class whose name begins with `Test`, say how to make the policy, and let
pytest run it. Needs Hypothesis. The suite looks only through the interface; how good the victims are is
measured by `replay`.

    class TestMine(EvictionSuite):
        def make_policy(self, capacity):
            return MinePolicy(capacity)
"""

from __future__ import annotations

import sys
import threading
import tracemalloc
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from stratakv.policies.simulation.replay import replay as replay_requests
from stratakv.policies.simulation.trace import GET

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from stratakv.policies.eviction.base import EvictionPolicy

_KEYS = [f"key {number}" for number in range(12)]
_STEP = st.tuples(
    st.sampled_from(("hit", "insert", "resize", "remove", "evict", "evict keeping")),
    st.sampled_from(_KEYS),
    st.integers(1, 5),
)


def replay(policy: EvictionPolicy, capacity: int, requests: Iterable[tuple[Hashable, int]]) -> int:
    """Run a policy as a read-through cache would and return how many requests hit.

    Every request reads a key; a miss inserts it and evicts until the sizes fit. An object larger than the
    cache is never inserted. A hit reads what came in, so it changes no size. For puts, deletes and bytes there
    is `stratakv.policies.simulation.replay`.

    Args:
        policy: A fresh policy, made for `capacity`.
        capacity: What the cache can hold, in the unit of the sizes.
        requests: Keys and sizes in order.
    """
    return replay_requests(policy, capacity, ((key, size, size, GET) for key, size in requests)).hits


class EvictionSuite(ABC):
    """Conformance tests of an eviction policy, to be derived from."""

    @abstractmethod
    def make_policy(self, capacity: int) -> EvictionPolicy:
        """Return a fresh policy."""

    def test_a_fresh_policy_is_empty(self) -> None:
        policy = self.make_policy(8)
        assert len(policy) == 0
        assert "nobody" not in policy
        assert policy.evict() is None
        assert policy.evict(keep="nobody") is None

    def test_every_entry_leaves_once(self) -> None:
        policy = self.make_policy(100)
        inserted = [f"key {number}" for number in range(100)]
        for key in inserted:
            policy.insert(key, 1)
        for key in inserted[::3]:
            policy.hit(key)
        victims = [policy.evict() for _ in inserted]
        assert sorted(map(str, victims)) == sorted(inserted), "each tracked key must be a victim exactly once"
        assert policy.evict() is None
        assert len(policy) == 0

    def test_a_kept_entry_is_no_victim_even_alone(self) -> None:
        for place in range(5):
            policy = self.make_policy(5)
            inserted = [f"key {number}" for number in range(5)]
            for key in inserted:
                policy.insert(key, 1)
            kept = inserted[place]
            victims = [policy.evict(keep=kept) for _ in range(4)]
            assert kept not in victims
            assert None not in victims, "other entries were there to evict"
            assert policy.evict(keep=kept) is None
            assert kept in policy
            assert policy.evict() == kept

    def test_unknown_keys_are_ignored(self) -> None:
        policy = self.make_policy(4)
        policy.insert("known", 1)
        for key in ("unknown", "gone"):
            policy.hit(key)
            policy.resize(key, 3)
            policy.remove(key)
        assert len(policy) == 1
        assert "unknown" not in policy
        assert policy.evict() == "known"

    def test_a_key_may_come_back(self) -> None:
        policy = self.make_policy(4)
        for _ in range(50):
            policy.insert("evicted", 1)
            policy.hit("evicted")
            assert policy.evict() == "evicted"
            policy.insert("removed", 1)
            policy.hit("removed")
            policy.remove("removed")
            assert len(policy) == 0
        assert policy.evict() is None

    def test_any_program_agrees_with_a_set_of_keys(self) -> None:
        @settings(max_examples=100, deadline=None, database=None)
        @given(st.lists(_STEP, max_size=80))
        def run(steps: list[tuple[str, str, int]]) -> None:
            _run_against_a_set(self.make_policy(8), steps)

        run()

    def test_hits_racing_with_evictions_lose_no_entry(self) -> None:
        policy = self.make_policy(64)
        keys = [f"key {number}" for number in range(96)]
        finished = threading.Event()
        failures: list[Exception] = []

        def hit_all() -> None:
            try:
                while not finished.is_set():
                    for key in keys:
                        policy.hit(key)
            except Exception as error:  # noqa: BLE001 - whatever a hit raises is the finding
                failures.append(error)

        threads = [threading.Thread(target=hit_all) for _ in range(4)]
        interval = sys.getswitchinterval()
        # Far more switches between threads than usual, so that races show within a second.
        sys.setswitchinterval(1e-5)
        try:
            for thread in threads:
                thread.start()
            tracked = _churn(policy, keys)
        finally:
            finished.set()
            for thread in threads:
                thread.join()
            sys.setswitchinterval(interval)
        assert not failures, f"hit() raised {failures[0]!r}"
        assert len(policy) == len(tracked)
        assert {policy.evict() for _ in range(len(tracked))} == tracked
        assert policy.evict() is None

    def test_overhead_is_what_is_allocated(self) -> None:
        keys = [f"key {number}" for number in range(20_000)]
        tracing = tracemalloc.is_tracing()
        if not tracing:
            tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        policy = self.make_policy(len(keys))
        for key in keys:
            policy.insert(key, 1)
        for key in keys[::2]:
            policy.hit(key)
        after, _ = tracemalloc.get_traced_memory()
        if not tracing:
            tracemalloc.stop()
        told = policy.overhead_bytes()
        assert abs(told - (after - before)) <= 0.1 * (after - before), f"told {told}, allocated {after - before}"


def _run_against_a_set(policy: EvictionPolicy, steps: list[tuple[str, str, int]]) -> None:
    tracked: set[object] = set()
    for verb, key, size in steps:
        if verb == "hit":
            policy.hit(key)
        elif verb == "resize":
            policy.resize(key, size)
        elif verb == "remove":
            policy.remove(key)
            tracked.discard(key)
        elif verb == "insert":
            if key not in tracked:
                policy.insert(key, size)
                tracked.add(key)
        else:
            keep = key if verb == "evict keeping" else None
            victim = policy.evict(keep)
            assert (victim is None) == (not tracked - {keep}), "None exactly when nothing else is tracked"
            assert victim is None or victim in tracked - {keep}
            tracked.discard(victim)
        assert len(policy) == len(tracked)
        assert all((known in policy) == (known in tracked) for known in _KEYS)
        assert policy.overhead_bytes() >= 0


def _churn(policy: EvictionPolicy, keys: list[str], rounds: int = 20_000) -> set[object]:
    """Insert, evict, remove and resize as an owner does under its lock; return the keys left tracked."""
    tracked: set[object] = set()
    for number in range(rounds):
        key = keys[number * 37 % len(keys)]
        if key in tracked:
            policy.resize(key, number % 7 + 1)
        else:
            policy.insert(key, 1)
            tracked.add(key)
        if number % 11 == 0:
            policy.remove(key)
            tracked.discard(key)
        while len(tracked) > 64:
            victim = policy.evict(keep=key)
            assert victim in tracked, f"evict() returned {victim!r}, which is not tracked"
            assert victim != key, "evict() returned the entry to keep"
            tracked.remove(victim)
    return tracked
