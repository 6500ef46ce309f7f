"""Owns which traces are played, how fast, with which sizes and prices. It replays nothing.

Most traces were recorded without a clock or sizes: then reads come as a Poisson process over a stated span, and values
all have one size, or each key one of its own between 1 and 100 KB. Times that were recorded are stretched to the span.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from benchmarks.traces.sources import Source, load
from stratakv.policies.simulation.stakes import joined, spread_sizes, timed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from benchmarks.traces.sources import Found

    Requests = dict[str, NDArray[np.generic]]

HOUR, DAY = 3_600.0, 86_400.0
SPANS = (HOUR, DAY, 30 * DAY, 365 * DAY)
QUICK_SPANS = (DAY,)
JOINED_SPANS = (DAY, 365 * DAY)
QUICK_REQUESTS = 30_000
"""`--quick` takes no longer traces."""

ONE_SIZE = 10_000
LONGEST = 150_000
"""Of longer traces the beginning is played."""

RETUNE_SECONDS = 300.0
RETUNES = 400
"""A span is retuned every 5 minutes, but not more often than so many times."""

Sizes = Literal["recorded", "one", "spread"]


class Setting(NamedTuple):
    """A trace as it is played.

    Attributes:
        source: The requests; of a joined one both phases.
        second: The trace that follows, with keys of its own; None: none.
        span: Seconds that each phase takes.
        sizes: `recorded`, `one` for all values, or `spread` by key.
    """

    source: Source
    second: Source | None
    span: float
    sizes: Sizes

    @property
    def name(self) -> str:
        """What people call it."""
        return self.source.name if self.second is None else f"{self.source.name}+{self.second.name}"

    @property
    def retune_seconds(self) -> float:
        """The time between two retunes."""
        return max(RETUNE_SECONDS, self.span / RETUNES)

    def requests(self) -> tuple[Requests, float | None]:
        """Return what is played, and when the second phase begins: None where there is none."""
        first = played(self.source, self.span, self.sizes)
        return (first, None) if self.second is None else joined(first, played(self.second, self.span, self.sizes))


def played(source: Source, span: float, sizes: Sizes, *, seed: int = 1, one: int = ONE_SIZE) -> Requests:
    """Return the columns of a trace over a span.

    Args:
        source: The trace.
        span: Seconds.
        sizes: See `Setting`; where none were recorded that means `one`.
        seed: Of the times, where none were recorded.
        one: That size.
    """
    trace = load(source)
    keys = trace.keys[:LONGEST]
    given: Any = one
    if sizes == "spread":
        given = spread_sizes(keys)
    elif sizes == "recorded" and trace.sizes is not None:
        given = trace.sizes[:LONGEST]
    columns = timed(keys, span, sizes=given, seed=seed)
    if trace.ops is not None:
        columns["op"] = trace.ops[:LONGEST]
    if trace.times is not None and trace.times[len(keys) - 1] > trace.times[0]:
        since = trace.times[: len(keys)] - trace.times[0]
        columns["ts"] = since * (span / float(since[-1]))
    return columns


def spelled(span: float) -> str:
    """Say how long a span is."""
    return f"{span / HOUR:g} h" if span < DAY else f"{span / DAY:g} d"


def settings(found: Found, *, quick: bool) -> Iterator[Setting]:
    """Yield each trace at each span, with its own sizes, or with one size and with spread ones."""
    for source in _usable(found, quick=quick).values():
        kinds: tuple[Sizes, ...] = ("one", "spread") if load(source).sizes is None else ("recorded",)
        for span in QUICK_SPANS if quick else SPANS:
            for sizes in kinds:
                yield Setting(source, None, span, sizes)


PAIRS = (
    ("cpp", "web07"),
    ("web07", "cpp"),
    ("multi2", "2_pools"),
    ("2_pools", "multi2"),
    ("web07", "2_pools"),
    ("adaptsize_request", "web07"),
)
QUICK_PAIRS = (("cpp", "multi2"),)


def joined_settings(found: Found, *, quick: bool) -> Iterator[Setting]:
    """Yield one trace after another; the second phase is what counts."""
    usable = _usable(found, quick=quick)
    for first, second in QUICK_PAIRS if quick else PAIRS:
        if first in usable and second in usable:
            sizes: Sizes = "one" if load(usable[first]).sizes is None else "recorded"
            for span in QUICK_SPANS if quick else JOINED_SPANS:
                yield Setting(usable[first], usable[second], span, sizes)


class Part(NamedTuple):
    """One namespace: its trace, the size of its values (None: as recorded), what a blocked second costs."""

    trace: str
    size: int | None
    blocked_second: float


class Ram(NamedTuple):
    """Several namespaces in one RAM.

    Attributes:
        parts: The namespaces, with their sources.
        share: The part of all bytes that fits.
        span: Seconds.
    """

    parts: tuple[tuple[Part, Source], ...]
    share: float
    span: float

    @property
    def name(self) -> str:
        """What people call it."""
        return " | ".join(f"{part.trace} {part.blocked_second:g}" for part, _ in self.parts)

    def requests(self) -> tuple[Requests, int]:
        """Return the requests of all namespaces by their times, and the bytes that fit."""
        columns: list[Requests] = []
        beyond = 0
        for number, (part, source) in enumerate(self.parts):
            sizes: Sizes = "recorded" if part.size is None else "one"
            each = played(source, self.span, sizes, seed=number + 1, one=part.size or ONE_SIZE)
            each["key"] = each["key"].astype(np.int64) + beyond
            beyond = int(each["key"].max()) + 1
            each["namespace"] = np.full(len(each["key"]), number)
            columns.append(each)
        order = np.argsort(np.concatenate([each["ts"] for each in columns]), kind="stable")
        whole = {name: np.concatenate([each[name] for each in columns])[order] for name in columns[0]}
        _, first = np.unique(whole["key"], return_index=True)
        return whole, max(1, int(whole["size"][first].astype(np.int64).sum() * self.share))


RAM_SHARES = (0.05, 0.2)
NAMESPACES = (
    (Part("web07", 2_000, 1e-5), Part("cpp", 20_000, 1e-3)),
    (Part("web07", 20_000, 1e-3), Part("multi2", 2_000, 1e-5)),
    (Part("2_pools", 1_000, 1e-5), Part("web07", 10_000, 1e-3)),
    (Part("2_pools", 10_000, 1e-3), Part("web07", 1_000, 1e-5)),
    (Part("adaptsize_request", None, 1e-5), Part("web07", 5_000, 1e-3), Part("cpp", 5_000, 1e-2)),
    (Part("oltp", 4_096, 1e-5), Part("web07", 10_000, 1e-3)),
    (Part("oltp", 4_096, 1e-3), Part("2_pools", 1_000, 1e-5)),
    (Part("mooncake_conversation", 50_000, 1e-5), Part("web07", 5_000, 1e-3)),
)
QUICK_NAMESPACES = ((Part("multi2", 2_000, 1e-5), Part("cpp", 20_000, 1e-3)),)


def rams(found: Found, *, quick: bool) -> Iterator[Ram]:
    """Yield several namespaces in a RAM for some of their bytes, over a day."""
    usable = _usable(found, quick=quick)
    for parts in QUICK_NAMESPACES if quick else NAMESPACES:
        if all(part.trace in usable for part in parts):
            for share in RAM_SHARES:
                yield Ram(tuple((part, usable[part.trace]) for part in parts), share, DAY)


def _usable(found: Found, *, quick: bool) -> dict[str, Source]:
    """Return the sources that have reads, of small ones if quick."""
    traces = {name: load(source) for name, source in found.sources.items()}
    return {
        name: found.sources[name]
        for name, trace in traces.items()
        if trace.gets and not (quick and len(trace) > QUICK_REQUESTS)
    }
