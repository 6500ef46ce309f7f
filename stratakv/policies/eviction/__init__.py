"""Eviction policies, one a file, and `policy_by_name`, which makes one from what a configuration says.

Others' policies join through the entry-point group `stratakv.policies`: the entry's name is the policy's
name, its object a subclass of `EvictionPolicy` that takes a capacity. Our own names cannot be replaced.
"""

from __future__ import annotations

from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points

from stratakv.errors import ConfigurationError
from stratakv.policies.eviction.adaptive import AdaptivePolicy
from stratakv.policies.eviction.arc import ArcPolicy
from stratakv.policies.eviction.base import EvictionPolicy
from stratakv.policies.eviction.fifo import FifoPolicy
from stratakv.policies.eviction.gdsf import GdsfPolicy
from stratakv.policies.eviction.lfu import LfuPolicy
from stratakv.policies.eviction.lirs import LirsPolicy
from stratakv.policies.eviction.lru import LruPolicy
from stratakv.policies.eviction.s3_fifo import S3FifoPolicy
from stratakv.policies.eviction.s3_plus import Objective, S3PlusPolicy
from stratakv.policies.eviction.sieve import SievePolicy
from stratakv.policies.eviction.w_tinylfu import WTinyLfuPolicy

__all__ = [
    "AdaptivePolicy",
    "ArcPolicy",
    "EvictionPolicy",
    "FifoPolicy",
    "GdsfPolicy",
    "LfuPolicy",
    "LirsPolicy",
    "LruPolicy",
    "Objective",
    "S3FifoPolicy",
    "S3PlusPolicy",
    "SievePolicy",
    "WTinyLfuPolicy",
    "known_policies",
    "policy_by_name",
]

ENTRY_POINT_GROUP = "stratakv.policies"

_OWN: dict[str, type[EvictionPolicy]] = {
    policy.name: policy
    for policy in (
        AdaptivePolicy, ArcPolicy, FifoPolicy, GdsfPolicy, LfuPolicy, LirsPolicy, LruPolicy, S3FifoPolicy, S3PlusPolicy,
        SievePolicy, WTinyLfuPolicy,
    )
}  # fmt: skip


def known_policies() -> list[str]:
    """Return the names that `policy_by_name` accepts, sorted."""
    return sorted({*_OWN, *entry_points(group=ENTRY_POINT_GROUP).names})


def policy_by_name(name: str, capacity: int, objective: Objective = "objects") -> EvictionPolicy:
    """Make the eviction policy of that name for a cache of `capacity` (in the unit of the entries' sizes).

    `objective` is what a policy that can choose works for: `objects`, the share of requests that hit, or `bytes`,
    the share of their bytes.

    Raises:
        ConfigurationError: The name is unknown, the capacity is not positive, or another's policy cannot be
        loaded.
    """
    if capacity <= 0:
        raise ConfigurationError(f"an eviction policy needs a positive capacity, not {capacity}")
    if name == AdaptivePolicy.name:
        return AdaptivePolicy(capacity, objective=objective)
    if name in _OWN:
        return _OWN[name](capacity)
    for entry in entry_points(group=ENTRY_POINT_GROUP, name=name):
        return _load(entry)(capacity)
    known = known_policies()
    nearest = get_close_matches(str(name).lower(), known, n=1)
    hint = f", did you mean {nearest[0]!r}" if nearest else ""
    raise ConfigurationError(f"unknown eviction policy {name!r}{hint}: known are {', '.join(known)}")


def _load(entry: EntryPoint) -> type[EvictionPolicy]:
    try:
        policy = entry.load()
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"eviction policy {entry.name!r} ({entry.value}) cannot be loaded: {error}") from error
    if not (isinstance(policy, type) and issubclass(policy, EvictionPolicy)):
        raise ConfigurationError(f"eviction policy {entry.name!r} ({entry.value}) is not a class of EvictionPolicy")
    return policy
