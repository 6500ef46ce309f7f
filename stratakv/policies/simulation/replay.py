"""`replay`: one pass of recorded requests through one eviction policy, as the store's hot tier would run it.

Owns the cache around the policy: what is in it, how much it takes, when something must leave. It looks at the policy
through its interface only. Invariant: between two requests the weights of what is held are at most the capacity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stratakv.errors import StrataError
from stratakv.policies.simulation.trace import DELETE, GET

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from stratakv.policies.eviction.base import EvictionPolicy


class Outcome(NamedTuple):
    """What one pass counted.

    Attributes:
        requests: Gets.
        hits: Gets whose object was there.
        bytes_requested: Bytes of all gets.
        bytes_hit: Bytes of the hits.
    """

    requests: int
    hits: int
    bytes_requested: int
    bytes_hit: int

    @property
    def hit_ratio(self) -> float | None:
        """Share of the gets that hit, 0 to 1; None where there was no get."""
        return self.hits / self.requests if self.requests else None

    @property
    def byte_hit_ratio(self) -> float | None:
        """Share of the requested bytes that hits gave, 0 to 1; None where no byte was requested."""
        return self.bytes_hit / self.bytes_requested if self.bytes_requested else None


def replay(policy: EvictionPolicy, capacity: int, requests: Iterable[tuple[Hashable, int, int, int]]) -> Outcome:
    """Run a policy over requests as the policy of a read-through cache.

    A get that misses inserts the object; one that hits reads what is there, with the weight it came in with. A put
    inserts or overwrites the object, a delete removes it. What was just inserted or overwritten is never evicted by
    that, and an object heavier than the cache is never kept and evicts nobody: all as in the store.

    Args:
        policy: A fresh policy, made for `capacity`.
        capacity: What the cache holds, in the unit of the weights.
        requests: For each the key, its weight (1 for a cache that counts objects, its bytes for one that counts
            bytes), its size in bytes and one of GET, PUT, DELETE; `Trace.requests` gives them.

    Raises:
        StrataError: The policy evicted what is not in the cache, or nothing though there was something.
    """
    held: dict[Hashable, int] = {}
    weight_of = held.get
    hit, insert, evict = policy.hit, policy.insert, policy.evict
    used = gets = hits = bytes_requested = bytes_hit = 0
    for key, weight, size, op in requests:
        before = weight_of(key)
        if op == GET:
            gets += 1
            bytes_requested += size
            if before is not None:
                hits += 1
                bytes_hit += size
                hit(key)
                continue
        if op == DELETE or weight > capacity:
            if before is not None:
                policy.remove(key)
                used -= held.pop(key)
            continue
        if before is None:
            insert(key, weight)
            used += weight
        else:
            policy.resize(key, weight)
            used += weight - before
        held[key] = weight
        while used > capacity:
            victim = evict(key)
            if victim not in held:
                raise StrataError(f"eviction policy {policy.name!r} evicted {victim!r}, which is not in the cache")
            used -= held.pop(victim)
    return Outcome(gets, hits, bytes_requested, bytes_hit)
