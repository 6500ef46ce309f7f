"""Filling a policy, noting who leaves, and traces on which policies differ: what the tests of single policies share."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratakv.policies.eviction.base import EvictionPolicy

PolicyT = TypeVar("PolicyT", bound="EvictionPolicy")


def fill(policy: PolicyT, keys: Iterable[str], *, used: Iterable[str] = ()) -> PolicyT:
    """Insert entries of size 1, then hit some of them."""
    for key in keys:
        policy.insert(key, 1)
    for key in used:
        policy.hit(key)
    return policy


def drive_out(policy: EvictionPolicy, newcomers: Iterable[str]) -> list[str]:
    """Let newcomers of size 1 in, each in the place of another, and return who left."""
    victims = []
    for key in newcomers:
        policy.insert(key, 1)
        victims.append(str(policy.evict(keep=key)))
    return victims


def drain(policy: EvictionPolicy) -> list[str]:
    """Evict all and return them in order."""
    return [str(policy.evict()) for _ in range(len(policy))]


def mixed_trace(seed: int, keys: int) -> list[int]:
    """Make 1,500 requests for about `keys` keys in phases: some keys far more popular, loops, and scans."""
    generator = Random(seed)
    trace: list[int] = []
    while len(trace) < 1500:
        first = generator.randrange(keys)
        length = generator.randrange(1, keys)
        kind = generator.randrange(3)
        if kind == 0:
            trace += [(first + int(generator.paretovariate(0.7))) % keys for _ in range(4 * length)]
        elif kind == 1:
            trace += [first + number % length for number in range(2 * length + 2)]
        else:
            trace += [first + number for number in range(length)]
    return trace[:1500]
