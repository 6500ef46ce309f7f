"""How much less a store takes than its values: one definition for all commands.

Where nobody keeps the store open it takes the bytes on disk and nothing else: the RAM of a command that looks at it for
a moment is not held. Beside a live owner the owner's own figures stand, RAM included. Values of less than
`JUDGED_FROM` serialised bytes say nothing about a store: its fixed price on disk is 0.5 to 1 MB, and an open one has as
much and more in RAM.
"""

from __future__ import annotations

from typing import Any

JUDGED_FROM = 2 << 20
TOO_SMALL = "too small to judge: a store has a fixed price of 0.5 to 1 MB, and about 90 bytes for each key"
UNIT = "1 MB = 1,048,576 bytes"

_RAM = ("hot_bytes", "other_ram_bytes", "catalog_cache_bytes", "ram_bytes")


def megabytes(count: float) -> str:
    """Return bytes as MB of 1,048,576 bytes with two decimals, without the unit."""
    return f"{count / (1 << 20):,.2f}"


def too_small(plaintext_bytes: int) -> bool:
    """Tell whether so few bytes of values say nothing about a store."""
    return plaintext_bytes < JUDGED_FROM


def percent_less(held_bytes: int, plaintext_bytes: int) -> float:
    """Return by how many percent `held_bytes` is less than the serialised values; negative where it is more."""
    return 100 * (1 - held_bytes / plaintext_bytes) if plaintext_bytes else 0.0


def less_or_more(percent: float) -> str:
    """Say a reduction: `24.3% less`, `24.3% more`."""
    return f"{abs(percent):.1f}% {'less' if percent >= 0 else 'more'}"


def said(held_bytes: int, plaintext_bytes: int) -> str:
    """Say how a size compares with the serialised values, or that they are too few."""
    if too_small(plaintext_bytes):
        return TOO_SMALL
    return f"{less_or_more(percent_less(held_bytes, plaintext_bytes))} than the serialised values"


def at_rest(statistics: dict[str, Any]) -> dict[str, Any]:
    """Return the statistics of a store that nobody holds open: without the RAM of the process that read it."""
    storage = statistics["storage"] | dict.fromkeys(_RAM, 0)
    tiered = statistics["tiered_storage"] | {"hot_usage_bytes": 0, "hot_usage_percent": 0.0, "hot_keys": 0}
    overall = dict(statistics["overall"])
    reduction = percent_less(storage["disk_bytes"], overall["plaintext_bytes"])
    overall["held_bytes"] = storage["disk_bytes"]
    overall["memory_reduction_percent"] = reduction
    overall["target_achieved"] = reduction >= overall["memory_reduction_target_percent"]
    return statistics | {"storage": storage, "tiered_storage": tiered, "overall": overall}


def judged(statistics: dict[str, Any]) -> dict[str, Any]:
    """Return the statistics with `overall.too_small_to_judge`."""
    overall = statistics["overall"]
    return statistics | {"overall": overall | {"too_small_to_judge": too_small(overall["plaintext_bytes"])}}
