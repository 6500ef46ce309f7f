"""What the tuner works with and what it answers: its settings, what it is told of a namespace, changes and verdicts.

Holds no behaviour beyond the costs of the edges, which follow from the settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stratakv.policies.placement.prices import EdgeCosts, Prices, ReadTime, hot_to_warm, warm_to_cold

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stratakv.policies.admission import Accesses
    from stratakv.policies.tuning.idle_time import IdleTime
    from stratakv.policies.tuning.steering import Course, Measured, Targets

HOT, WARM = "hot->warm", "warm->cold"
EDGES = (HOT, WARM)

SMALLER_IN_COLD = 0.5
"""Large blocks take about half of what small ones take on SSD."""

LARGE_BLOCK = ReadTime(3e-4, 2e-9)
"""Reading a block of 256 KB from SSD and decoding it: 0.3 ms."""

TYPICAL_BYTES = 1024
"""Thresholds are told for a content of so many bytes."""

LEAST_EVENTS = 200.0
"""A namespace's setting is changed when so many waits of watched keys have ended."""


class Capacity(NamedTuple):
    """Bytes of RAM for values: the least, what holds at first, and the most; all the same where it does not move."""

    low: int
    now: int
    high: int


class Settings(NamedTuple):
    """What the tuner works with.

    Attributes:
        prices: In one currency.
        wait_of: Tells for a namespace's number what a second costs of whoever waits for its values.
        targets: What is wanted.
        learning_rate: How much of a wanted change is made at once, 0 to 1.
        rest: Seconds in which a change that was taken back is not tried again.
        shortest, longest: Bounds of every idle threshold, in seconds.
        configured: The idle seconds of each edge where nothing is tuned.
        accesses: The configured accesses that bring a content up.
        capacity: Between which bytes RAM for values may move, and where it begins.
        divides: Whether RAM is divided between namespaces.
        remote: Whether the cold tier is an object store far away, not a directory of this machine.
    """

    prices: Prices
    wait_of: Callable[[int], float]
    targets: Targets
    learning_rate: float
    rest: float
    shortest: float
    longest: float
    configured: Mapping[str, float]
    accesses: Accesses
    capacity: Capacity
    divides: bool = True
    remote: bool = True

    def costs(self, namespace: int) -> dict[str, EdgeCosts]:
        """Return what each edge costs in a namespace."""
        return costs_of(self.prices, self.wait_of(namespace), remote=self.remote)

    def fingerprint(self) -> list[list[float]]:
        """Return the settings that what is kept across restarts belongs to."""
        return [
            list(self.prices), [self.configured[edge] for edge in EDGES], list(self.accesses), [float(self.remote)]
        ]  # fmt: skip


def costs_of(prices: Prices, wait: float, *, remote: bool) -> dict[str, EdgeCosts]:
    """Return what each edge costs where a blocked second costs `wait`.

    A cold tier that is a directory of this machine asks for no requests and no transfer; what it saves is that contents
    take less there, and what it costs is decoding a large block.
    """
    prices = prices._replace(blocked_second=wait)
    if remote:
        return {HOT: hot_to_warm(prices), WARM: warm_to_cold(prices)}
    local = prices._replace(
        object_gb_month=SMALLER_IN_COLD * prices.ssd_gb_month, put_per_1000=0.0, get_per_1000=0.0, transfer_gb=0.0
    )
    return {HOT: hot_to_warm(prices), WARM: warm_to_cold(local, LARGE_BLOCK)}


class Load(NamedTuple):
    """What one namespace did since the last retune.

    Attributes:
        requests: Its reads.
        below: Reads served from the lower tier, by edge.
        seconds: The time that passed.
    """

    requests: int
    below: Mapping[str, int]
    seconds: float


class Sight(NamedTuple):
    """What a retune sees of the whole store.

    Attributes:
        now: Monotonic seconds, the clock of the accesses.
        wall: Wall seconds, for the record.
        measured: What the targets are compared with.
        loads: What each namespace did since the last retune.
        full: Whether values were evicted for want of RAM.
        pinned: Bytes that are pinned in RAM.
    """

    now: float
    wall: float
    measured: Measured
    loads: Mapping[int, Load]
    full: bool = False
    pinned: int = 0

    def told(self) -> dict[str, float | None]:
        """Return what was measured, for the record of a change."""
        return dict(self.measured._asdict())

    def change(self, what: str, namespace: int | None, before: float, after: float, why: str) -> Change:
        """Return the record of a change that is made now."""
        return Change(self.wall, what, namespace, before, after, why, self.told())


class Change(NamedTuple):
    """One change and its reason.

    Attributes:
        at: Wall time in seconds.
        what: The setting, such as `idle seconds hot->warm`.
        namespace: The namespace's number, None for the whole store.
        before, after: The setting's values.
        why: In plain English.
        measured: What was measured before it.
    """

    at: float
    what: str
    namespace: int | None
    before: float
    after: float
    why: str
    measured: dict[str, float | None]


class Verdict(NamedTuple):
    """What should hold from now on.

    Attributes:
        idle: (edge, namespace) -> the tuned idle time; the configured hours hold for others.
        accesses: How many accesses bring a content up.
        course: The weight on rent and the factor on what codecs may spend.
        capacity: Bytes of RAM for values; None where it is not tuned.
        shares: Namespace -> bytes of RAM; empty where all share it without division.
        changes: What is different from before.
    """

    idle: dict[tuple[str, int], IdleTime]
    accesses: Accesses
    course: Course
    capacity: int | None
    shares: dict[int, int]
    changes: list[Change]
