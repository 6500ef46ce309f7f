"""`Edges`: the watched accesses of every namespace at both edges, each with its own `EdgeTuner`.

Owns which namespaces are watched and how many keys of each. Decides nothing. Invariant: a namespace has tuners at both
edges or at none, and at most `NAMESPACES` have them.
"""

from __future__ import annotations

from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any

from stratakv.policies.placement.edge import EdgeTuner
from stratakv.policies.placement.samples import LIMIT
from stratakv.policies.tuning.verdict import EDGES, HOT, WARM, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stratakv.policies.placement.prices import EdgeCosts

NAMESPACES = 32
"""So many namespaces are tuned; contents of others stay with the configured thresholds."""

FEWEST_WATCHED = 256
EDGE_BYTES = 34_000
"""The histograms of one edge, those measured and those that decide."""

WATCHED_BYTES = 160
"""One watched key at one edge."""


class Edges:
    """The edges of all namespaces.

    Args:
        settings: Prices and learning rate.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._edges: dict[tuple[str, int], EdgeTuner] = {}
        self._limit = FEWEST_WATCHED

    # -- what they are told ----------------------------------------------------------------------------------

    def watches(self, namespace: int, key_hash: int) -> bool:
        """Tell whether a key's accesses are wanted."""
        hot = self._edges.get((HOT, namespace))
        if hot is None:
            return self._has_room()
        return hot.samples(key_hash) or self._edges[WARM, namespace].samples(key_hash)

    def read(self, namespace: int, key_hash: int, now: float, sizes: tuple[int, int]) -> None:
        """A key was read, or stored for the first time; sizes are its bytes in RAM and on the SSD."""
        for edge, size in zip(self._of(namespace), sizes, strict=False):
            edge.access(key_hash, now, size)

    def overwritten(self, namespace: int, key_hash: int, now: float, sizes: tuple[int, int]) -> None:
        """A key got another value."""
        for edge, size in zip(self._of(namespace), sizes, strict=False):
            edge.overwritten(key_hash, now, size)

    def ended(self, namespace: int, key_hash: int, now: float) -> None:
        """A key was deleted."""
        for edge in self._of(namespace):
            edge.ended(key_hash, now)

    def limit_keys(self, keys: int) -> None:
        """Watch about so many keys of each namespace, within bounds."""
        self._limit = min(max(keys, FEWEST_WATCHED), LIMIT)
        for edge in self._edges.values():
            edge.limit = self._limit

    def _has_room(self) -> bool:
        return len(self._edges) < NAMESPACES * len(EDGES)

    def _of(self, namespace: int) -> list[EdgeTuner]:
        """Return a namespace's edges, hot first; none where too many namespaces are watched already."""
        if (HOT, namespace) not in self._edges:
            if not self._has_room():
                return []
            for name, costs in self._settings.costs(namespace).items():
                self._edges[name, namespace] = self._new(costs)
        return [self._edges[name, namespace] for name in EDGES]

    def _new(self, costs: EdgeCosts) -> EdgeTuner:
        # With a learning rate of 0 nothing is ever retuned.
        return EdgeTuner(costs, learning_rate=self._settings.learning_rate or 1.0, limit=self._limit)

    # -- what they tell --------------------------------------------------------------------------------------

    def items(self) -> Iterator[tuple[tuple[str, int], EdgeTuner]]:
        """Yield (edge, namespace) with their tuners."""
        yield from self._edges.items()

    def __getitem__(self, name: tuple[str, int]) -> EdgeTuner:
        return self._edges[name]

    @property
    def mask(self) -> int:
        """Keys whose hash has one of these bits are not watched in any namespace."""
        return reduce(and_, (edge.mask for edge in self._edges.values())) if self._edges else 0

    def share_watched(self, namespace: int) -> float:
        """Return the share of a namespace's keys that is watched."""
        edge = self._edges.get((HOT, namespace))
        return 1 / (edge.mask + 1) if edge is not None else 1.0

    @property
    def watched(self) -> int:
        """How many keys are watched in all namespaces together."""
        return sum(edge.watched for (name, _), edge in self._edges.items() if name == HOT)

    def ram_bytes(self) -> int:
        """Return their RAM, about. May be asked by another thread."""
        return sum(EDGE_BYTES + WATCHED_BYTES * edge.watched for edge in list(self._edges.values()))

    # -- across restarts -------------------------------------------------------------------------------------

    def to_state(self, names: Mapping[int, str]) -> list[dict[str, Any]]:
        """Return what is to be kept, as plain data; namespaces by name, since numbers may change."""
        return [
            {"edge": edge, "namespace": names[number], "tuner": tuner.to_state()}
            for (edge, number), tuner in self._edges.items()
            if number in names
        ]

    def restore(self, state: list[dict[str, Any]], numbers: Mapping[str, int]) -> None:
        """Take up what was kept.

        Raises:
            StrataError, KeyError, TypeError: It is damaged. Nothing was taken up.
        """
        edges: dict[tuple[str, int], EdgeTuner] = {}
        for kept in state:
            number = numbers.get(kept["namespace"])
            if number is None or kept["edge"] not in EDGES:
                continue
            tuner = self._new(self._settings.costs(number)[kept["edge"]])
            tuner.restore(kept["tuner"])
            edges[kept["edge"], number] = tuner
        whole = {number for _, number in edges if all((edge, number) in edges for edge in EDGES)}
        self._edges = {name: tuner for name, tuner in edges.items() if name[1] in whole}
