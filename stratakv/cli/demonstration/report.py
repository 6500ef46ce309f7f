"""Owns what the demo tells: its figures, as one JSON object or as aligned text.

Every percentage says what it is a part of; a target that was missed is shown as missed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


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
        reduction_percent: As the store's statistics tell it: all bytes held, against the serialised bytes.
        target_percent: The founding target for the whole; None for the user's own records.
        left_in_engine: Records that the wrapped engine still holds itself.
        source: Where the records come from.
        left_out: What was left out of it.
        story: What happened, a sentence a step.
        seconds: The whole demo.
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
    seconds: float = 0.0
    where: str | None = field(default=None)

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
        }
        return found

    def total(self) -> KindReport:
        """Return the sum over all kinds and what they share."""
        names = ("records", "plain_bytes", "live_bytes", "hot_bytes", "warm_bytes", "cold_bytes", "different")
        sums = {name: sum(getattr(kind, name) for kind in (*self.kinds, self.shared)) for name in names}
        return KindReport("all", **sums, target_percent=self.target_percent)

    def as_lines(self) -> list[str]:
        """Return the report as lines for a terminal of 120 columns."""
        rows = [_HEAD, *map(_figures, self.kinds), _shared_figures(self.shared), _figures(self.total())]
        lines = [f"Records from {self.source}"]
        lines += [f"  left out: {what}" for what in self.left_out]
        lines += ["", "What happened", *(f"  {step}" for step in self.story), ""]
        lines += ["Sizes in MB, times in microseconds (median of one read)", *aligned(rows), ""]
        lines += [f"  {line}" for line in _NOTES]
        parts = [f"{megabytes(count):>7}  {name}" for name, count in self.shared_parts.items()]
        lines += ["  shared  by all kinds:", *(f"        {part}" for part in parts), ""]
        if self.left_in_engine:
            lines.append(f"The wrapped engine still holds {self.left_in_engine} records itself.")
        if self.where is not None:
            lines.append(f"The store is kept in {self.where}")
        less_or_more = "less" if self.reduction_percent >= 0 else "more"
        percent = f"{abs(self.reduction_percent):.1f}% {less_or_more}"
        lines.append(f"By the store's own count it holds {percent} than the serialised values.")
        lines.append(f"{self.seconds:.1f} s")
        return lines


_HEAD = ["kind", "records", "live", "plain", "hot", "warm", "cold", "held"]
_HEAD += ["live less", "plain less", "target", "exact", "hot us", "cold us"]
_NOTES = (
    "live    Python objects that a plain dict holds, keys included, shared objects counted once",
    "plain   the same values serialised",
    "held    what the store keeps in RAM (hot), on disk (warm) and in the object store (cold: here a directory)",
    "less    how much less is held; + beside a target: reached against plain, - : missed",
)


def _figures(kind: KindReport) -> list[str]:
    reached = ""
    if kind.target_percent is not None:
        met = less(kind.stored_bytes, kind.plain_bytes) >= kind.target_percent
        reached = f"{kind.target_percent}% {'+' if met else '-'}"
    return [
        kind.name,
        f"{kind.records:,}",
        megabytes(kind.live_bytes),
        megabytes(kind.plain_bytes),
        *_held(kind),
        f"{less(kind.stored_bytes, kind.live_bytes):.1f}%",
        f"{less(kind.stored_bytes, kind.plain_bytes):.1f}%",
        reached,
        "yes" if not kind.different else f"NO: {kind.different}",
        *("" if us is None else f"{us:.0f}" for us in (kind.hot_us, kind.cold_us)),
    ]


def _shared_figures(shared: KindReport) -> list[str]:
    return [shared.name, "", megabytes(shared.live_bytes), "", *_held(shared), *[""] * 6]


def _held(kind: KindReport) -> list[str]:
    return [megabytes(count) for count in (kind.hot_bytes, kind.warm_bytes, kind.cold_bytes, kind.stored_bytes)]


def less(held: int, of: int) -> float:
    """Return by how many percent `held` is less than `of`; 0 where there is nothing."""
    return round(100 * (1 - held / of), 2) if of else 0.0


def megabytes(count: int) -> str:
    """Return bytes as megabytes of a million, with two decimals."""
    return f"{count / 1e6:.2f}"


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
