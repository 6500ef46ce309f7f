"""`Thresholds`: the idle thresholds that are in force, and how a new one is tried, kept or taken back.

Owns what holds between two retunes; what would be best is the `EdgeTuner`'s estimate. Invariant: every threshold in
force lies within the configured bounds for every size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stratakv.policies.admission import Accesses
from stratakv.policies.placement.explanation import duration
from stratakv.policies.placement.histogram import CLASSES
from stratakv.policies.placement.threshold import Threshold
from stratakv.policies.tuning.idle_time import IdleTime, longest_return, return_age
from stratakv.policies.tuning.trials import Spent, Trials
from stratakv.policies.tuning.verdict import HOT, LEAST_EVENTS, TYPICAL_BYTES, WARM, Change, Load, Settings, Sight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from stratakv.policies.placement.edge import EdgeTuner, Retuned
    from stratakv.policies.tuning.edges import Edges

Name = tuple[str, int]
"""An edge and a namespace."""


class Thresholds:
    """The thresholds of one store.

    Args:
        settings: Bounds, prices and configured values.
        edges: What estimates them.

    Attributes:
        in_force: Those that are tuned.
    """

    def __init__(self, settings: Settings, edges: Edges) -> None:
        self._settings = settings
        self._edges = edges
        self._trials = Trials(settings.rest)
        self._before: dict[Name, IdleTime | None] = {}
        self.in_force: dict[Name, IdleTime] = {}

    def retune(self, sight: Sight, rent_weight: float, pause: Callable[[], None]) -> Iterator[Change]:
        """Judge each threshold's last change, then choose it anew."""
        for name, edge in self._edges.items():
            spent = self._spent(name, sight.loads.get(name[1]), rent_weight)
            yield from self._judge(name, spent, sight)
            found = edge.retune(sight.now, rent_weight)
            if name in self.in_force:
                self.in_force[name] = self.in_force[name]._replace(seen=longest_return(edge.seen))
            if edge.events >= LEAST_EVENTS and self._trials.may_change(name, sight.now):
                yield from self._change(name, edge, found, spent, sight, rent_weight)
            pause()

    def _judge(self, name: Name, spent: Spent, sight: Sight) -> Iterator[Change]:
        """Take the last change back where requests became dearer."""
        failed = self._trials.failed(name, sight.now, spent)
        if failed is None:
            return
        worse, previous = self.in_force.get(name), self._before.get(name)
        if previous is None:
            self.in_force.pop(name, None)
        else:
            self.in_force[name] = previous
        why = (
            f"taken back: a request cost {failed.after.each:.3g} since the last change and {failed.before.each:.3g} "
            f"before it; this stays for {self._settings.rest:g} s"
        )
        yield from self._record(name, worse, why, spent, sight)

    def _change(
        self, name: Name, edge: EdgeTuner, found: Retuned, spent: Spent, sight: Sight, rent_weight: float
    ) -> Iterator[Change]:
        """Put what was found in force, on trial."""
        before = self.in_force.get(name)
        if before is not None and found.threshold == before.threshold:
            return
        self._before[name] = before
        self.in_force[name] = self._idle_time(name, edge)
        self._trials.begin(name, sight.now, self.seconds(name), spent)
        yield from self._record(name, before, self._why(edge, found, rent_weight), spent, sight)

    def _why(self, edge: EdgeTuner, found: Retuned, rent_weight: float) -> str:
        """Say in plain English why a threshold was chosen."""
        even = edge.costs.break_even_seconds(TYPICAL_BYTES)
        half, most = (duration(even * return_age(edge.seen, share)) for share in (0.5, 0.9))
        weighed = f", rent being weighed {rent_weight:.2g} times" if rent_weight != 1 else ""
        less = 100 * (1 - found.after / found.before) if found.before > 0 else 0.0
        return (
            f"half of what comes back does so within {half}, nine tenths within {most}; keeping {TYPICAL_BYTES:,} "
            f"bytes for {duration(even)} costs as much as reading them back once{weighed}; of {edge.events:,.0f} waits "
            f"that were watched each is expected to cost {less:.1f}% less so"
        )

    def _record(self, name: Name, before: IdleTime | None, why: str, spent: Spent, sight: Sight) -> Iterator[Change]:
        """Yield the change of the first kind of contents, by uses, for which anything changed."""
        after = self.in_force.get(name)
        for accesses in (1 << number for number in range(CLASSES)):
            old, new = self._told(name, before, accesses), self._told(name, after, accesses)
            if old != new:
                of_whom = "" if accesses == 1 else f", read {accesses - 1} times or more"
                change = sight.change(f"idle seconds {name[0]}{of_whom}", name[1], old, new, why)
                change.measured["cost_of_a_request"] = spent.each if spent.requests else None
                yield change
                return

    def _told(self, name: Name, idle: IdleTime | None, accesses: int) -> float:
        return self._settings.configured[name[0]] if idle is None else idle.seconds(TYPICAL_BYTES, accesses)

    def _spent(self, name: Name, load: Load | None, rent_weight: float) -> Spent:
        """Return what a namespace cost at an edge since the last retune: rent above it, and returns over it."""
        if load is None:
            return Spent(0.0, 0)
        edge, namespace = name
        costs = self._settings.costs(namespace)[edge]
        rent = rent_weight * costs.rent * self.held(name) * load.seconds
        return Spent(rent + load.below.get(edge, 0) * costs.returning(TYPICAL_BYTES), load.requests)

    # -- what holds ------------------------------------------------------------------------------------------

    def _idle_time(self, name: Name, edge: EdgeTuner) -> IdleTime:
        settings = self._settings
        return IdleTime(
            edge.threshold, longest_return(edge.seen), settings.configured[name[0]], settings.shortest, settings.longest
        )

    def seconds(self, name: Name) -> float:
        """Return a threshold that holds, for a typical content that nobody has read again yet."""
        return self._told(name, self.in_force.get(name), 1)

    def held(self, name: Name) -> float:
        """Return the bytes of a namespace that are younger than its threshold, estimated from watched keys."""
        idle, configured = self.in_force.get(name), self._settings.configured[name[0]]
        return self._edges[name].held(lambda size: configured if idle is None else idle.seconds(size))

    def worth_keeping(self) -> Accesses:
        """Return the fewest accesses with which contents of any tuned namespace are worth their place above."""
        configured = self._settings.accesses
        return Accesses(self._fewest(WARM, configured.to_warm), self._fewest(HOT, configured.to_hot))

    def _fewest(self, edge: str, configured: int) -> int:
        least = [idle.threshold.fewest() for (name, _), idle in self.in_force.items() if name == edge]
        return min(least, default=configured)

    # -- across restarts -------------------------------------------------------------------------------------

    def to_state(self, names: Mapping[int, str]) -> list[list[Any]]:
        """Return what is in force as plain data: it need not be what the edges chose last."""
        return [
            [edge, names[number], [idle.threshold.pooled, *idle.threshold.classes], idle.seen]
            for (edge, number), idle in self.in_force.items()
            if number in names
        ]

    def from_state(self, state: list[list[Any]], numbers: Mapping[str, int]) -> dict[Name, IdleTime]:
        """Return what was in force.

        Raises:
            ValueError, TypeError, KeyError: It is damaged.
        """
        settings, found = self._settings, {}
        for edge, name, units, seen in state:
            pooled, *classes = map(float, units)
            if len(classes) != CLASSES or not all(number >= 0 for number in (pooled, *classes, float(seen))):
                raise ValueError(f"no threshold: {units}")
            if name in numbers:
                threshold = Threshold(settings.costs(numbers[name])[edge], pooled, tuple(classes))
                found[str(edge), numbers[name]] = IdleTime(
                    threshold, float(seen), settings.configured[edge], settings.shortest, settings.longest
                )
        return found
