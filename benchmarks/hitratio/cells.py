"""Owns what is replayed: which trace, at which capacity, by which policies, for which comparison.

Invariant: the capacities of one comparison differ from those of another, so that what one was chosen on is not
reported by the other.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Literal, NamedTuple

from benchmarks.traces.sources import Source, load
from stratakv.policies.eviction import known_policies

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from benchmarks.traces.sources import Found

Part = Literal["table", "wide", "joined", "bytes"]

BELADY = "belady"
ADAPTIVE = "adaptive"

REFERENCE_NAMES = {
    "fifo": "FIFO",
    "lru": "LRU",
    "lfu": "LFU",
    "arc": "ARC",
    "lirs": "LIRS",
    "s3-fifo": "S3-FIFO",
    "sieve": "SIEVE",
    "w-tinylfu": "W-TinyLFU",
}
"""Our policies that the reference simulator has too, with its names: our part of the family."""

FAMILY = ("FIFO", "LRU", "CLOCK", "LFU", "SLRU", "2Q", "ARC", "LIRS", "S3-FIFO", "SIEVE", "W-TinyLFU")
"""What the reference simulator ran, but for Belady: the default policy is compared with the best of them."""

FACTORS = (0.5, 1.5, 3.0)
SHARES = (0.01, 0.05, 0.20)
BYTE_SHARES = (0.01, 0.05, 0.10)

JOINED = (
    (("multi2", "gli", "cpp", "2_pools"), 1000),
    (("gli", "web07", "multi2", "cpp"), 800),
    (("web07", "gli", "2_pools", "multi2"), 500),
    (("cpp", "multi2", "web07", "gli"), 2000),
    (("mooncake_conversation", "multi2", "web07", "gli"), 3000),
    (("2_pools", "gli", "web07", "gli", "multi2", "gli"), 1500),
)
"""Traces one after another, and the objects that fit: the regime changes three to five times."""

FAMILY_AND_BOUND = (ADAPTIVE, *REFERENCE_NAMES, BELADY)

BY_BYTES = (f"{ADAPTIVE} (objects)", f"{ADAPTIVE} (bytes)", "gdsf", "arc", "lru", "s3-fifo", "w-tinylfu", BELADY)

QUICK_REQUESTS = 120_000
"""`--quick` takes no longer traces, and of other sizes only the shares."""


class Cell(NamedTuple):
    """One trace at one capacity.

    Attributes:
        part: The comparison that it is for.
        source: The requests.
        capacity: Objects, or for the part `bytes` bytes.
        policies: Names; a policy that can choose has its objective in parentheses.
        reference: What the other simulator found, in percent: hit ratios, or by bytes pairs of object and byte hits.
    """

    part: Part
    source: Source
    capacity: int
    policies: tuple[str, ...]
    reference: dict[str, float] | dict[str, list[float]]


def cells(found: Found, parts: Iterable[str], *, quick: bool) -> list[Cell]:
    """Return all cells of these comparisons, those of the longest traces first."""
    made: list[Cell] = []
    lengths: dict[str, int] = {}
    for name, source in found.sources.items():
        trace = load(source)
        if trace.gets and not (quick and len(trace) > QUICK_REQUESTS):
            lengths[name] = len(trace)
            made += _of_trace(found, source, quick=quick)
    made += _joined({name: found.sources[name] for name in lengths})
    wanted = set(parts)
    chosen = [cell for cell in made if cell.part in wanted]
    return sorted(chosen, key=lambda cell: -sum(lengths[name] for name in cell.source.name.split("+")))


def _of_trace(found: Found, source: Source, *, quick: bool) -> Iterator[Cell]:
    trace = load(source)
    known = found.reference.get("unit_size", {})
    published = known.get(source.name, {}).get("hit_ratio_pct", {})
    shares = [int(share * trace.objects) for share in SHARES]
    # Where there are figures for other traces, one without them is for the comparison on other sizes.
    sizes = [int(size) for size in published] if known else shares
    everything = (*known_policies(), BELADY)
    for size in sizes:
        if size > 0:
            yield Cell("table", source, size, everything, published.get(str(size), {}))
    # Where all objects fit, or nearly nothing, all policies are alike.
    factors = () if quick else FACTORS
    others = {int(factor * size) for factor, size in product(factors, sizes)} | set(shares)
    for size in sorted(others - set(sizes)):
        if 0 < size < trace.objects:
            yield Cell("wide", source, size, FAMILY_AND_BOUND, {})
    if trace.sizes is not None:
        byte_sizes = found.reference.get("byte_size", {}).get(source.name, {}).get("object_hit_pct/byte_hit_pct", {})
        for size in [int(size) for size in byte_sizes] or [int(share * trace.object_bytes) for share in BYTE_SHARES]:
            yield Cell("bytes", source, max(1, size), BY_BYTES, byte_sizes.get(str(size), {}))


def _joined(usable: dict[str, Source]) -> Iterator[Cell]:
    for names, capacity in JOINED:
        if all(name in usable for name in names):
            files = tuple(file for name in names for file in usable[name].files)
            yield Cell("joined", Source("+".join(names), files), capacity, FAMILY_AND_BOUND, {})
