"""`miss_ratio_curve`: how many requests miss at each of many capacities, of long traces by a sample of their keys.

Owns the choice of the sample's rate and the correction of what it counts. Sources: Waldspurger, Park, Garthwaite,
Ahmad, "Efficient MRC Construction with SHARDS", FAST 2015 (keys sampled by hash, and its adjustment for the keys that
the sample happened to take); Waldspurger, Saemundsson, Ahmad, Park, "Cache Modeling and Optimization using Miniature
Simulations", ATC 2017 (a cache scaled down like its keys behaves like the whole, whatever its policy).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from stratakv.policies.simulation.replay import Outcome
    from stratakv.policies.simulation.trace import Trace

MOST_REQUESTS = 100_000
"""Traces shorter than twice this are replayed whole."""

# A scaled-down cache has room for about so many objects at least, because policies round their parts; unless that takes
# more than so many times the requests.
_FEWEST_OBJECTS = 512
_MOST_PATIENCE = 5


class Point(NamedTuple):
    """One capacity of a curve.

    Attributes:
        capacity: In objects, or in bytes.
        miss_ratio: Misses over gets, 0 to 1.
        byte_miss_ratio: Bytes of the misses over bytes of the gets, 0 to 1.
        rate: Share of the keys that were replayed; 1 where the figures are exact.
    """

    capacity: int
    miss_ratio: float
    byte_miss_ratio: float
    rate: float


def miss_ratio_curve(
    run: Callable[[int, Trace], Outcome],
    trace: Trace,
    capacities: Iterable[int],
    *,
    by_bytes: bool = False,
    most_requests: int = MOST_REQUESTS,
) -> Iterator[Point]:
    """Find the miss ratio at each capacity.

    Args:
        run: Replays a trace at a capacity; one of a sample is as much smaller as the sample.
        trace: The whole trace; it has gets.
        capacities: In objects, or by bytes in bytes.
        by_bytes: Whether capacities are bytes. `run` must see it so too.
        most_requests: At most about twice as many requests are replayed for a capacity, up to ten times as many where
            the cache would otherwise be scaled down to few objects.

    Yields:
        A point for each capacity, in their order, as it is found.
    """
    mean = max(1.0, trace.object_bytes / trace.objects) if by_bytes else 1.0
    excess = len(trace) / most_requests
    samples: dict[int, Trace] = {}
    for capacity in capacities:
        objects = capacity / mean
        halvings = _halvings(max(excess / _MOST_PATIENCE, min(excess, objects / _FEWEST_OBJECTS)))
        rate = 0.5**halvings
        if halvings not in samples:
            samples[halvings] = trace.sampled(rate)
        outcome = run(max(1, int(capacity * rate)), samples[halvings])
        yield Point(
            capacity,
            _share(outcome.requests - outcome.hits, trace.gets * rate),
            _share(outcome.bytes_requested - outcome.bytes_hit, trace.bytes_requested * rate),
            rate,
        )


def _halvings(excess: float) -> int:
    """Return how often something so many times too large may be halved and still be large enough."""
    return max(0, int(excess).bit_length() - 1)


def _share(missed: int, expected: float) -> float:
    """Return misses over the requests that a sample of this rate should have.

    A sample with a very popular key too many or too few has more or fewer requests than it should; nearly all of the
    difference are hits, so the misses are counted against the requests expected (SHARDS-adj).
    """
    return min(1.0, missed / expected) if expected else 0.0
