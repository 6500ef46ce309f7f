"""Owns what the demo tells: its figures, as one JSON object or as aligned text.

Every percentage says what it is a part of; a target that was missed is shown as missed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from stratakv.cli.reduction import UNIT, less_or_more, megabytes, percent_less, too_small


@dataclass(slots=True)
class KindReport:
    """Figures of one kind of records; bytes, microseconds.

    Attributes:
        name: The kind.
        records: Keys of it.
        plain_bytes: Serialised values, every reference counted.
        live_bytes: The Python objects that a plain dict would hold: keys, values, shared objects once.
        hot_bytes, warm_bytes, cold_bytes: What the store holds by tier.
        different: Records that did not come back exactly.
        hot_us, cold_us: Median time of one `retrieve`; None where nothing was there to measure.
        target_percent: The founding target; None for a kind it does not name.
    """

    name: str
    records: int
    plain_bytes: int
    live_bytes: int
    hot_bytes: int
    warm_bytes: int
    cold_bytes: int
    different: int
    hot_us: float | None = None
    cold_us: float | None = None
    target_percent: int | None = None

    @property
    def stored_bytes(self) -> int:
        return self.hot_bytes + self.warm_bytes + self.cold_bytes


@dataclass(slots=True)
class Report:
    """Everything the demo found out.

    Attributes:
        kinds: One entry a kind.
        shared: What is held for all kinds together, by tier; its live bytes are the plain dict's own table.
        shared_parts: What `shared` is made of: name -> bytes.
        reduction_percent: As the store's statistics tell it: all bytes held, RAM included because the demo keeps it
            open, against the serialised bytes.
        target_percent: The founding target for the whole; None for the user's own records.
        left_in_engine: Records that the wrapped engine still holds itself.
        source: Where the records come from.
        left_out: What was left out of it.
        story: What happened, a sentence a step.
        about: Kind -> what a record of it is.
        seconds: The whole demo.
        where: The directory that keeps the store; None for a temporary one.
    """

    kinds: list[KindReport]
    shared: KindReport
    shared_parts: dict[str, int]
    reduction_percent: float
    target_percent: int | None
    left_in_engine: int
    source: str
    left_out: list[str]
    story: list[str]
    about: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    where: str | None = None

    @property
    def exact(self) -> bool:
        return not any(kind.different for kind in self.kinds)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON's types."""
        found = asdict(self)
        found["shared"]["stored_bytes"] = self.shared.stored_bytes
        for kind, entry in zip(self.kinds, found["kinds"], strict=True):
            entry["stored_bytes"] = kind.stored_bytes
            entry["reduction_of_plain_percent"] = less(kind.stored_bytes, kind.plain_bytes)
            entry["reduction_of_live_percent"] = less(kind.stored_bytes, kind.live_bytes)
            entry["exact"] = kind.different == 0
        total = self.total()
        found["total"] = {
            "records": total.records,
            "plain_bytes": total.plain_bytes,
            "live_bytes": total.live_bytes,
            "stored_bytes": total.stored_bytes,
            "reduction_of_plain_percent": less(total.stored_bytes, total.plain_bytes),
            "reduction_of_live_percent": less(total.stored_bytes, total.live_bytes),
            "exact": self.exact,
            "too_small_to_judge": too_small(total.plain_bytes),
        }
        return found

    def total(self) -> KindReport:
        """Return the sum over all kinds and what they share."""
        names = ("records", "plain_bytes", "live_bytes", "hot_bytes", "warm_bytes", "cold_bytes", "different")
        sums = {name: sum(getattr(kind, name) for kind in (*self.kinds, self.shared)) for name in names}
        return KindReport("all", **sums, target_percent=self.target_percent)

    def as_lines(self) -> list[str]:
        """Return the report as lines for a terminal of 110 columns."""
        total = self.total()
        sizes = [_SIZES, *map(_sizes, self.kinds), _shared_sizes(self.shared), _sizes(total)]
        outcome = [_OUTCOME, *map(_outcome, self.kinds), _outcome(total, judged=not too_small(total.plain_bytes))]
        lines = [f"Records from {self.source}"]
        lines += [f"  left out: {what}" for what in self.left_out]
        lines += ["", "What happened", *(f"  {step}" for step in self.story), ""]
        if self.about:
            width = max(map(len, self.about))
            lines += ["What a record is", *(f"  {kind:<{width}}  {what}" for kind, what in self.about.items()), ""]
        lines += [f"Sizes in MB ({UNIT})", *aligned(sizes), ""]
        lines += [f"  {line}" for line in _SIZE_NOTES]
        parts = [f"{megabytes(count):>7}  {name}" for name, count in self.shared_parts.items()]
        lines += ["  shared  what serves all kinds together:", *(f"        {part}" for part in parts), ""]
        lines += ["What is saved, and what a read takes", *aligned(outcome), ""]
        lines += [f"  {line}" for line in (*_OUTCOME_NOTES, *([_TARGET_NOTE] if self._has_targets() else []))]
        lines.append("")
        if self.left_in_engine:
            lines.append(f"The wrapped engine still holds {self.left_in_engine} records itself.")
        if self.where is not None:
            lines.append(f"The store is kept in {self.where}")
        if too_small(total.plain_bytes):
            price = megabytes(self.shared.stored_bytes)
            lines.append(f"The whole is too small to judge: a store has a fixed price, here {price} MB.")
        else:
            percent = less_or_more(self.reduction_percent)
            lines.append(f"By the store's own count it holds {percent} than the serialised values, its RAM included.")
        lines.append(f"{self.seconds:.1f} s")
        return lines

    def _has_targets(self) -> bool:
        return any(kind.target_percent is not None for kind in self.kinds)


_SIZES = ["kind", "records", "live", "plain", "hot", "warm", "cold", "held"]
_OUTCOME = ["kind", "than live", "than plain", "target", "exact", "hot read us", "cold read us"]
_SIZE_NOTES = (
    "live    Python objects that a plain dict holds, keys included, shared objects counted once",
    "plain   the same values serialised",
    "held    what the store keeps in RAM (hot), on disk (warm) and in the object store (cold: here a directory)",
)
_OUTCOME_NOTES = (
    "than    how much less is held than live or plain; the kinds leave out the shared part, `all` has it in",
    "exact   whether every value came back equal, of the same type and in the same order",
    "us      microseconds, the median of single reads, of values in RAM and of values that have become idle",
)
_TARGET_NOTE = "target  how much less than plain was aimed at, and whether that was reached or missed"


def _sizes(kind: KindReport) -> list[str]:
    return [kind.name, f"{kind.records:,}", megabytes(kind.live_bytes), megabytes(kind.plain_bytes), *_held(kind)]


def _shared_sizes(shared: KindReport) -> list[str]:
    return [shared.name, "", megabytes(shared.live_bytes), "", *_held(shared)]


def _outcome(kind: KindReport, *, judged: bool = True) -> list[str]:
    target = ""
    if kind.target_percent is not None:
        met = less(kind.stored_bytes, kind.plain_bytes) >= kind.target_percent
        verdict = ("reached" if met else "missed") if judged else "too small"
        target = f"{kind.target_percent}% {verdict}"
    compared = (less(kind.stored_bytes, of) for of in (kind.live_bytes, kind.plain_bytes))
    return [
        kind.name,
        *(less_or_more(percent) if judged else "-" for percent in compared),
        target,
        "yes" if not kind.different else f"NO: {kind.different}",
        *("" if us is None else f"{us:.0f}" for us in (kind.hot_us, kind.cold_us)),
    ]


def _held(kind: KindReport) -> list[str]:
    return [megabytes(count) for count in (kind.hot_bytes, kind.warm_bytes, kind.cold_bytes, kind.stored_bytes)]


def less(held: int, of: int) -> float:
    """Return by how many percent `held` is less than `of`; 0 where there is nothing."""
    return round(percent_less(held, of), 2)


def aligned(rows: list[list[str]]) -> list[str]:
    """Return rows of cells as lines, the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [
            first.ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)),
        ]
        lines.append("  ".join(cells).rstrip())
    return lines
