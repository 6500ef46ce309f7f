"""`Tuner`: from what was seen of all namespaces to the thresholds, weights, budgets and shares that should hold.

Owns the order of a retune: compare with the targets, take back what made things worse, choose idle thresholds, then how
many accesses bring a content up, then how much RAM there is and for whom. Pure: it is told accesses, times and
measurements, and whoever calls it puts the verdict in force. Invariant: equal calls lead to equal verdicts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stratakv.errors import StrataError
from stratakv.policies.admission import Accesses
from stratakv.policies.frequency_sketch import MOST
from stratakv.policies.tuning.edges import Edges
from stratakv.policies.tuning.room import Room
from stratakv.policies.tuning.steering import FACTORS, WEIGHTS, Course, steer
from stratakv.policies.tuning.thresholds import Thresholds
from stratakv.policies.tuning.verdict import Change, Settings, Sight, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

STATE_VERSION = 2


class Tuner:
    """Tunes one store.

    Args:
        settings: What it works with.

    Attributes:
        edges: Takes the accesses.
        thresholds: What is in force.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.edges = Edges(settings)
        self.thresholds = Thresholds(settings, self.edges)
        self._room = Room(settings)
        self._course = Course()
        self._accesses = settings.accesses

    def retune(self, sight: Sight, pause: Callable[[], None] = lambda: None) -> Verdict:
        """Choose anew; with a learning rate of 0, nothing but what holds. `pause` is called each millisecond or two."""
        changes: list[Change] = []
        if self._settings.learning_rate > 0:
            changes += self._steer(sight)
            changes += self.thresholds.retune(sight, self._course.rent_weight, pause)
            changes += self._bring_up(sight)
            changes += self._room.resize(sight, self.edges, self.thresholds)
            changes += self._room.divide(sight, self.edges)
        return self._verdict(changes)

    def _verdict(self, changes: list[Change]) -> Verdict:
        capacity = self._room.capacity if self._room.is_elastic else None
        return Verdict(
            dict(self.thresholds.in_force), self._accesses, self._course, capacity, dict(self._room.shares), changes
        )

    def _steer(self, sight: Sight) -> Iterator[Change]:
        before = self._course
        after = self._course = steer(
            before, sight.measured, self._settings.targets, self._settings.learning_rate
        )  # fmt: skip
        if after.rent_weight != before.rent_weight:
            yield sight.change("weight of rent", None, before.rent_weight, after.rent_weight, after.reason)
        if after.codec_factor != before.codec_factor:
            yield sight.change("budget of codecs", None, before.codec_factor, after.codec_factor, after.reason)

    def _bring_up(self, sight: Sight) -> Iterator[Change]:
        """Move the accesses that bring a content up one step towards the fewest that are worth it."""
        wanted = self.thresholds.worth_keeping()
        for place, name in enumerate(("accesses cold->warm", "accesses warm->hot")):
            before = self._accesses[place]
            after = before + (wanted[place] > before) - (wanted[place] < before)
            if after != before:
                self._accesses = Accesses(*(after if i == place else n for i, n in enumerate(self._accesses)))
                why = f"a content that was used {wanted[place]} times is worth its place above"
                yield sight.change(name, None, before, after, why)

    # -- across restarts -------------------------------------------------------------------------------------

    def to_state(self, names: Mapping[int, str]) -> dict[str, Any]:
        """Return what is to be kept, as plain data; namespaces by name, since numbers may change."""
        return {
            "version": STATE_VERSION,
            "settings": self._settings.fingerprint(),
            "edges": self.edges.to_state(names),
            "in_force": self.thresholds.to_state(names),
            "course": list(self._course[:2]),
            "accesses": list(self._accesses),
            "capacity": self._room.capacity,
            "shares": {names[number]: share for number, share in self._room.shares.items() if number in names},
        }

    def restore(self, state: Mapping[str, Any], numbers: Mapping[str, int]) -> Verdict:
        """Take up what was kept.

        Raises:
            StrataError: It is of another version, of other settings, or damaged. Nothing was taken up.
        """
        if state.get("version") != STATE_VERSION:
            raise StrataError("what the tuner kept is of another version: it starts anew")
        if state.get("settings") != self._settings.fingerprint():
            raise StrataError("prices or thresholds were configured anew: the tuner starts from them")
        try:
            weight, factor = map(float, state["course"])
            to_warm, to_hot = map(int, state["accesses"])
            capacity = int(state["capacity"])
            _refuse(weight, WEIGHTS)
            _refuse(factor, FACTORS)
            _refuse(min(to_warm, to_hot), (1, MOST))
            _refuse(max(to_warm, to_hot), (1, max(MOST, *self._settings.accesses)))
            shares = {numbers[name]: int(share) for name, share in state["shares"].items() if name in numbers}
            in_force = self.thresholds.from_state(state["in_force"], numbers)
            self.edges.restore(state["edges"], numbers)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as failure:
            raise StrataError(f"what the tuner kept is damaged, it starts anew: {failure!r}") from failure
        self.thresholds.in_force = in_force
        self._room.restore(capacity, shares)
        self._course, self._accesses = Course(weight, factor), Accesses(to_warm, to_hot)
        return self._verdict([])


def _refuse(number: float, bounds: tuple[float, float]) -> None:
    """Raise ValueError where a number is not within its bounds; NaN never is."""
    if not bounds[0] <= number <= bounds[1]:
        raise ValueError(f"{number} is not from {bounds[0]} to {bounds[1]}")
