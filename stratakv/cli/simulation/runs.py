"""Owns one run of one cache over one trace: who decides, how much fits, what came out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from stratakv.cli.output import print_error
from stratakv.errors import ConfigurationError, StrataError
from stratakv.policies.eviction import known_policies, policy_by_name
from stratakv.policies.simulation.belady import belady
from stratakv.policies.simulation.replay import Outcome, replay

if TYPE_CHECKING:
    from stratakv.policies.eviction import EvictionPolicy
    from stratakv.policies.simulation.trace import Trace

BELADY = "belady"
ALL = "all"


@dataclass(frozen=True)
class Cache:
    """A kind of cache.

    Args:
        policy: A known policy's name, or BELADY.
        by_bytes: Whether sizes count against the capacity.
        objective: What a policy that can choose shall raise: hits of "objects" or of "bytes".
    """

    policy: str
    by_bytes: bool
    objective: Literal["objects", "bytes"]

    def run(self, capacity: int, trace: Trace) -> Outcome:
        """Run one of this capacity over a trace.

        Raises:
            StrataError: The policy failed.
        """
        if self.policy == BELADY:
            return belady(capacity, trace, by_bytes=self.by_bytes)
        policy = self._make(capacity)
        try:
            return replay(policy, capacity, trace.requests(by_bytes=self.by_bytes))
        except Exception as failure:
            raise StrataError(f"policy {self.policy!r} failed over {trace.name}: {failure!r}") from failure

    def check(self, capacity: int) -> None:
        """Make sure that the policy can be made.

        Raises:
            ConfigurationError: It is another's and cannot be loaded.
        """
        if self.policy != BELADY:
            self._make(capacity)

    def _make(self, capacity: int) -> EvictionPolicy:
        return policy_by_name(self.policy, capacity, self.objective)


@dataclass(frozen=True)
class Run:
    """What is to be found out."""

    trace: Trace
    cache: Cache
    capacity: int


@dataclass(frozen=True)
class Result:
    """What was found out."""

    run: Run
    outcome: Outcome

    def told(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {
            "trace": self.run.trace.name,
            "policy": self.run.cache.policy,
            "capacity": self.run.capacity,
            "unit": "bytes" if self.run.cache.by_bytes else "objects",
            "requests": self.outcome.requests,
            "hit_ratio": self.outcome.hit_ratio,
            "byte_hit_ratio": self.outcome.byte_hit_ratio,
        }


def parse_policies(text: str) -> list[str]:
    """Read a list of names with commas; Belady's bound is always among them, as the last where it is not named.

    Raises:
        ConfigurationError: There is no policy of such a name; the message tells all names.
    """
    known = known_policies()
    chosen: dict[str, None] = {}
    for name in (part.strip() for part in text.split(",")):
        if name not in {*known, BELADY, ALL}:
            raise ConfigurationError(f"unknown policy {name!r}: known are {', '.join((*known, BELADY))}, and {ALL}")
        chosen |= dict.fromkeys(_usable(known) if name == ALL else [name])
    return list(chosen | {BELADY: None})


def _usable(known: list[str]) -> list[str]:
    """Return the policies that can be made; others' that cannot are left out of `all`, and said."""
    usable = []
    for name in known:
        try:
            policy_by_name(name, 1)
        except ConfigurationError as failure:
            print_error(f"note: left out: {failure}")
        else:
            usable.append(name)
    return usable
