"""What a policy with ghosts allocates and what it tells: the measurement that tests of such policies share."""

from __future__ import annotations

import gc
import tracemalloc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.policies.eviction.base import EvictionPolicy

_KEYS = 4_000


def told_and_allocated(make_policy: Callable[[int], EvictionPolicy], size: int) -> tuple[int, int]:
    """Fill a policy with entries of about `size`, many of them used, until the ghost lists are full.

    Returns:
        What `overhead_bytes` tells, and what tracemalloc counted, in bytes.
    """
    keys = [f"key {number}" for number in range(5 * _KEYS)]
    gc.collect()
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    policy = make_policy(_KEYS * size)
    for number, key in enumerate(keys):
        # Sums, so that each size is an int of its own, as in a live store.
        policy.insert(key, size + number % 3)
        if number % 3 == 0:
            policy.hit(key)
            policy.hit(key)
        if number >= _KEYS:
            policy.evict(keep=key)
    after, _ = tracemalloc.get_traced_memory()
    if not tracing:
        tracemalloc.stop()
    return policy.overhead_bytes(), after - before
