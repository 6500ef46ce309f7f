"""Owns timing: single values read from cold, in turn with a plain GET of the same bytes, and what a read is made of."""

from __future__ import annotations

import random
import statistics
from time import perf_counter_ns, thread_time_ns
from typing import TYPE_CHECKING, Any

from stratakv.engine.packs import check_block
from stratakv.engine.records import IN_COLD

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.cold.store import ColdStore


def _one_read(bench: ColdStore, key: str, value: Any, *, raw_first: bool) -> tuple[dict[str, int], int]:
    """Read a value and the same bytes without us; return nanoseconds by what was done, and how many bytes came.

    Raises:
        RuntimeError: The value is another one, or it took more than one request.
    """
    parts, loads = bench.parts, bench.parts.serializer.loads
    place = bench.store.state(key).place
    name, block = parts.catalog.packs("id = ?", (place.pack,))[0].name, parts.shelf.entry(place.pack, place.block)
    span = f"bytes={block.offset}-{block.offset + block.length - 1}"
    taken: dict[str, int] = {}

    def timed(what: str, act: Callable[[], Any]) -> Any:
        begun, worked = perf_counter_ns(), thread_time_ns()
        result = act()
        taken[what] = perf_counter_ns() - begun
        if what in {"raw GET", "retrieve"}:
            # On a busy machine the time of both is mostly waiting for others; their own work tells them apart.
            taken[f"{what}, work"] = thread_time_ns() - worked
        return result

    def raw() -> None:
        stream = bench.plain.get_object(Bucket=bench.bucket, Key=name, Range=span)["Body"]
        timed_body.append(stream.read())

    def ours() -> None:
        before = cold.requests()["get"]
        found = timed("retrieve", lambda: bench.memory.retrieve(key))
        if found != value or cold.requests()["get"] != before + 1:
            raise RuntimeError(f"{key} did not come back by one request")

    cold, timed_body = parts.backends[IN_COLD], list[bytes]()
    shelf = parts.shelf
    shelf._blocks.clear()  # noqa: SLF001 -- `rest` would let go of the indexes too, which a running store has
    shelf._block_bytes = 0  # noqa: SLF001
    # A connection that rested a while answers later, whoever asks: neither client's is measured in that state.
    raw()
    cold.get_range(name, block.offset, block.length)
    for act in (raw, ours) if raw_first else (ours, raw):
        timed("raw GET", raw) if act is raw else ours()
    payload = timed("our GET", lambda: cold.get_range(name, block.offset, block.length))
    if payload != timed_body[0]:
        raise RuntimeError(f"{name} was read as other bytes")
    timed("look-up", lambda: bench.store.state(key))
    encoded = timed("check", lambda: check_block(payload, block, name))
    content = timed("decode", lambda: parts.compression.decode(encoded))
    plaintext = content[place.offset : place.offset + place.size]
    timed("digest", lambda: parts.shelf.digest(plaintext, block.namespace))
    timed("deserialise", lambda: loads(plaintext))
    return taken, len(payload)


def timed_reads(bench: ColdStore, values: dict[str, Any], laps: int) -> dict[str, Any]:
    """Read one value of each block in each lap, in turn with the plain client. The first lap does not count."""
    by_block: dict[tuple[int, int], list[str]] = {}
    for key in values:
        place = bench.store.state(key).place
        by_block.setdefault((place.pack, place.block), []).append(key)
    chance = random.Random(2)
    medians: dict[str, list[float]] = {}
    sizes = []
    for lap in range(laps + 1):
        times: dict[str, list[int]] = {}
        for number, keys in enumerate(chance.sample(list(by_block.values()), len(by_block))):
            key = keys[lap % len(keys)]
            taken, size = _one_read(bench, key, values[key], raw_first=number % 2 == 0)
            sizes.append(size)
            for name, nanoseconds in taken.items():
                times.setdefault(name, []).append(nanoseconds)
        for name, each in times.items() if lap else ():
            medians.setdefault(name, []).append(statistics.median(each) / 1000)
    ratios = [ours / raw for ours, raw in zip(medians["retrieve"], medians["raw GET"], strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return {
        "reads": laps * len(by_block),
        "mean_bytes": statistics.mean(sizes),
        "microseconds": {name: statistics.median(each) for name, each in medians.items()},
        "ratio": middle,
        "low": low,
        "high": high,
    }
