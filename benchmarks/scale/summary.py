"""Owns what follows from the measurements: bytes a key, RAM beyond what was imported, and the goals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.scale.stores import HOT_MB
from benchmarks.traces.goals import at_least, at_most

if TYPE_CHECKING:
    from benchmarks.traces.goals import Goal

MEGABYTE = 1 << 20
SMALL_KEYS = 100_000
STORE_TIMES = {True: (3, 5), False: (1, 3)}
"""Times of `diskcache.set`, must and wanted: up to `SMALL_KEYS`, and above."""

CATALOG_BYTES = (120, 64)
RAM_MB = (HOT_MB + 120, HOT_MB + 60)
READ_TIMES = {"hot": (0.9, 1.0), "warm": (0.7, 0.9)}


def count(keys: int) -> str:
    """Say a number of keys shortly."""
    for unit, name in ((1_000_000, "M"), (1000, "k")):
        if keys >= unit and keys % (unit // 10) == 0:
            return f"{keys / unit:g}{name}"
    return f"{keys:,}"


def catalog_bytes(size: dict[str, Any], when: str) -> float | None:
    """Return the bytes of the catalog for each key beyond the key's own; None where it was not measured."""
    disk = size["disk"].get(when)
    return disk["catalog"] / _keys(size, when) - size["key_bytes"] if disk else None


def bytes_a_key(size: dict[str, Any], when: str) -> dict[str, float] | None:
    """Return the bytes on disk for each key, by what they are."""
    disk = size["disk"].get(when)
    return {name: held / _keys(size, when) for name, held in disk.items()} if disk else None


def _keys(size: dict[str, Any], when: str) -> int:
    return int(size["keys"] if when == "loaded" else size["settled_keys"])


def ram_mb(size: dict[str, Any]) -> dict[str, float]:
    """Return the MB beyond what the process had before it opened the store, by moment."""
    ram = size["ram"]
    return {name: (held - ram["imported"]) / MEGABYTE for name, held in ram.items() if name != "imported"}


def goals(sizes: list[dict[str, Any]]) -> list[Goal]:
    """Return what must be beside what was measured; what is wanted beyond stands in the words."""
    made: list[Goal] = []
    for size in sizes:
        keys = count(size["keys"])
        if size["sustained"]:
            must, wanted = STORE_TIMES[size["keys"] <= SMALL_KEYS]
            times = size["sustained"]["times"]["store"]["median"]
            made.append(at_least(f"{keys}: store, times diskcache.set (wanted: {wanted})", times, must))
        for when in size["disk"]:
            must, wanted = CATALOG_BYTES
            told = f"{keys}: catalog, B a key beyond the key, {when} (wanted: {wanted})"
            made.append(at_most(told, catalog_bytes(size, when) or 0.0, must))
        must, wanted = RAM_MB
        made.append(at_most(f"{keys}: RAM, MB beyond imports (wanted: {wanted})", ram_mb(size)["peak"], must))
        if size["across"] and size["keys"] != sizes[0]["keys"]:
            first = count(sizes[0]["keys"])
            for name, (least, best) in READ_TIMES.items():
                times = size["across"][name]["times"]["median"]
                made.append(at_least(f"{keys}: retrieve, {name}, times that at {first} (wanted: {best})", times, least))
    return made
