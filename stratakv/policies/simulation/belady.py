"""`belady`: the clairvoyant replay, which evicts what is used again last; no policy knows as much.

Owns the look into the future. Source: Belady, "A study of replacement algorithms for a virtual-storage computer", IBM
Systems Journal 5(2), 1966.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

import numpy as np

from stratakv.policies.simulation.replay import Outcome
from stratakv.policies.simulation.trace import DELETE, GET, numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stratakv.policies.simulation.trace import Trace

# The heap is cleared of what has passed when it is this much longer than what is held.
_SPARE = 1 << 12


def belady(capacity: int, trace: Trace, *, by_bytes: bool = False) -> Outcome:
    """Replay a trace with knowledge of all that is to come.

    What is overwritten, deleted or never used before it is read again leaves first, then what is read last of all.
    Objects come in and go out as in `replay`: every miss brings its object in. So with objects of one weight no
    policy has more hits (MIN). By bytes it is only a strong rule: a small object that is needed late may be worth
    more hits than a large one that is needed soon.

    Args:
        capacity: What the cache holds, in objects, or by bytes in bytes.
        trace: The requests.
        by_bytes: Whether sizes count against the capacity.

    Raises:
        ConfigurationError: By bytes, and the trace has no sizes.
    """
    never = len(trace)
    following = _next_gets(trace)
    key_at = trace.keys.data
    # What is held, with its weight: what a get will find, and what none will.
    awaited: dict[int, int] = {}
    useless: dict[int, int] = {}
    # Positions of the next gets of what is awaited, negative: the least is the last to come. Positions that have passed
    # are greater than all others, so they never come to the top while anything is awaited.
    heap: list[int] = []
    used = hits = bytes_hit = 0
    requests = zip(trace.requests(by_bytes=by_bytes), numbers(following), strict=True)
    for position, ((key, offered, size, op), comes) in enumerate(requests):
        before = (useless if op else awaited).pop(key, None)
        weight = offered
        if before is not None:
            used -= before
            if op == GET:
                hits += 1
                bytes_hit += size
                weight = before
        if op == DELETE or weight > capacity:
            continue
        while used + weight > capacity:
            used -= useless.popitem()[1] if useless else awaited.pop(key_at[-heappop(heap)])
        used += weight
        if comes == never:
            useless[key] = weight
            continue
        awaited[key] = weight
        heappush(heap, -comes)
        if len(heap) > 2 * len(awaited) + _SPARE:
            heap = [place for place in heap if place < -position]
            heapify(heap)
    return Outcome(trace.gets, hits, trace.bytes_requested, bytes_hit)


def _next_gets(trace: Trace) -> NDArray[np.int64]:
    """Return the position of each request's next one for the same key if that is a get, else the trace's length."""
    keys, ops, never = trace.keys, trace.ops, len(trace)
    order = np.argsort(keys, kind="stable")
    same = keys[order[1:]] == keys[order[:-1]]
    following = np.full(never, never, np.int64)
    following[order[:-1][same]] = order[1:][same]
    if ops is not None:
        is_get = np.append(ops == GET, False)
        following[~is_get[following] | (ops == DELETE)] = never
    return following
