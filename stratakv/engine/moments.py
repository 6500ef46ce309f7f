"""How moments and spans of time are said to people: UTC in ISO 8601, and spans in a fitting unit. Reads no clock."""

from __future__ import annotations

from datetime import UTC, datetime

LAST_SECOND = 253_402_300_799
"""The end of the year 9999, the last one that ISO 8601 says without agreement."""


def moment(seconds: float) -> str:
    """Say wall time in seconds: `2026-01-02T03:04:05Z`, with milliseconds where there are some."""
    if seconds > LAST_SECOND:
        return "after the year 9999"
    milliseconds = round(seconds * 1000)
    spec = "milliseconds" if milliseconds % 1000 else "seconds"
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec=spec).replace("+00:00", "Z")


def span(seconds: float) -> str:
    """Say how long something takes: `45 s`, `12 min`, `1.5 h`, `30 days`."""
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= (2 * size if unit == "days" else size):
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
