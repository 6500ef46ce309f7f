"""Statistics: what the store says about itself, gathered from counters, the catalog and file sizes.

Owns the names and definitions of `get_statistics()`. Sizes are measured, never estimated from what was written: bytes
on disk are those of the files, RAM is what the tables hold with Python's own overhead.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from stratakv.engine.content_statistics import Contents, ContentStatistics
from stratakv.engine.labels import DEFAULT_NAME
from stratakv.engine.learning import FILTER_FILE
from stratakv.engine.records import IN_COLD, IN_WARM
from stratakv.engine.remote_statistics import cold_statistics, remote_bytes
from stratakv.engine.snapshot import SNAPSHOT_FILE

if TYPE_CHECKING:
    from stratakv.engine.mover import Mover
    from stratakv.engine.parts import Parts
    from stratakv.engine.tuning import Tuning

TOUCHED_BYTES = 56 + 32 + 36
"""A pair in `Parts.touched`, its boxed time and its key."""

LEAST_TO_JUDGE = 1 << 20
"""Less plaintext says nothing of what is saved: tables and files of a fixed size weigh more."""

KEYS_TO_JOIN = 200_000
"""With more keys the background publishes without the section `namespaces`; callers get it all the same."""


class Statistics:
    """Gathers the statistics of one store."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._opened = parts.clock.monotonic()
        self.background: Mover | None = None
        self.tuning: Tuning | None = None
        self._reduction: float | None = None
        self._contents = ContentStatistics(parts)

    def published(self) -> dict[str, Any]:
        """Return what the background writes for readers beside the owner: all but what costs a look at every key."""
        return self.all(by_namespace=self._parts.catalog.live_keys <= KEYS_TO_JOIN)

    def all(self, *, by_namespace: bool = True) -> dict[str, Any]:
        """Return all sections; the namespaces cost about 3 us a key when the catalog has changed."""
        counters = self._parts.counters.snapshot()
        contents = self._contents.contents()
        sizes = self.sizes()
        compression = self.compression(contents)
        deduplication = self.deduplication(contents, counters)
        return {
            "middleware": {
                "total_reads": counters["reads"],
                "total_writes": counters["writes"],
                "total_deletes": counters["deletes"],
                "cache_hits": counters["hits"],
                "cache_misses": counters["misses"],
                "found": max(0, counters["reads"] - counters["absent"]),
                "absent": counters["absent"],
                "engine_reads": counters["engine_reads"],
                "engine_writes": counters["engine_writes"],
            },
            "compression": compression,
            "tiered_storage": self.tiered_storage(counters, sizes),
            "deduplication": deduplication,
            "overall": self._overall(contents, sizes),
            "namespaces": self._namespaces(contents) if by_namespace else {},
            "storage": {**sizes, "path": str(self._parts.path), "temporary": self._parts.temporary},
            "background": self._background(counters),
            "adaptive": self.tuning.report() if self.tuning is not None else {},
            "config": {
                "enabled": True,
                "optimization_level": self._parts.config.optimization_level,
                "durability": self._parts.config.storage.durability,
                "eviction_policy": self._parts.config.tiered_storage.eviction_policy,
            },
        }

    def reduction(self) -> float | None:
        """Return the percentage of bytes saved when it was last measured; None where there was too little to judge."""
        return self._reduction

    # -- sections --------------------------------------------------------------------------------------------

    def compression(self, contents: Contents | None = None) -> dict[str, Any]:
        """Return the section `compression`: what is at rest in packs against its plaintext."""
        contents = self._contents.contents() if contents is None else contents
        made = self._parts.compression.get_statistics()
        plaintext = contents.packed
        packed = sum(pack.length * pack.live // max(1, pack.plaintext) for pack in self._parts.catalog.packs())
        if plaintext:
            made["overall_compression_ratio"] = 1 - packed / plaintext
            made["space_saved_bytes"] = plaintext - packed
        name_of = self._parts.labels.name
        for rows in ("choices", "rotations"):
            made[rows] = [{**row, "namespace": name_of(row["namespace"])} for row in made[rows]]
        return {**made, "dictionaries": len(self._parts.dictionaries.ids())}

    def deduplication(self, contents: Contents | None = None, counters: dict[str, int] | None = None) -> dict[str, Any]:
        """Return the section `deduplication`."""
        contents = self._contents.contents() if contents is None else contents
        counters = self._parts.counters.snapshot() if counters is None else counters
        dirty = self._contents.dirty()
        unique = contents.unique + dirty.unique
        references = contents.references + dirty.references
        return {
            "unique_contents": unique,
            "total_references": references,
            "dedup_hits": counters["dedup_hits"],
            "dedup_ratio": 1 - unique / references if references else 0.0,
            "space_saved_percent": (
                100 * (1 - contents.kept / contents.named) if contents.named > contents.kept else 0.0
            ),
            "large_values": contents.large,
            "chunks": contents.chunks,
            "bloom_filter_enabled": self._parts.bloom is not None,
            "bloom_negatives": counters["bloom_negatives"],
            "bloom_false_positives": counters["bloom_false_positives"],
        }

    def tiered_storage(
        self, counters: dict[str, int] | None = None, sizes: dict[str, int] | None = None
    ) -> dict[str, Any]:
        """Return the section `tiered_storage`."""
        parts = self._parts
        counters = parts.counters.snapshot() if counters is None else counters
        sizes = self.sizes() if sizes is None else sizes
        hot = parts.hot
        return {
            "hot_usage_bytes": hot.usage,
            "warm_usage_bytes": sizes["warm_bytes"],
            "cold_usage_bytes": sizes["cold_bytes"],
            "hot_usage_percent": 100 * hot.usage / hot.capacity,
            "hot_capacity_bytes": hot.capacity,
            "hot_keys": len(hot.entries),
            "pins": len(parts.pins),
            "promotions": counters["promotions"],
            "demotions": counters["demotions"],
            "evictions": hot.evictions,
            "compactions": counters["compactions"],
            "cold": cold_statistics(parts, sizes["cold_bytes"], parts.clock.monotonic() - self._opened),
        }

    def sizes(self) -> dict[str, int]:
        """Return bytes by place, in RAM and on disk."""
        parts = self._parts
        warm = parts.backends[IN_WARM].bytes_on_disk()
        far = parts.backends[IN_COLD].remote
        # A tier far away is not asked for statistics: it costs money, and may not answer.
        cold = remote_bytes(parts) if far else parts.backends[IN_COLD].bytes_on_disk()
        journal = parts.journal.bytes_on_disk if parts.journal is not None else 0
        catalog = parts.catalog.bytes_on_disk
        aids = parts.reserve.bytes_on_disk
        for name in (FILTER_FILE, SNAPSHOT_FILE, "LOCK"):
            file = parts.path / name
            aids += file.stat().st_size if file.exists() else 0
        hot = parts.hot.usage
        other = (
            parts.dirty.ram_bytes(parts.hot.entries)
            + sys.getsizeof(parts.touched)
            + TOUCHED_BYTES * len(parts.touched)
            + parts.shelf.ram_bytes
            + parts.dictionaries.ram_bytes()
            + parts.compression.rotations.ram_bytes()
            + parts.watch.ram_bytes()
            + parts.admission.overhead_bytes()
            + sum(regrets.overhead_bytes() for regrets in parts.regrets.values())
            + (self.tuning.ram_bytes() if self.tuning is not None else 0)
            + (parts.bloom.ram_bytes if parts.bloom is not None else 0)
        )
        return {
            "hot_bytes": hot,
            "other_ram_bytes": other,
            "catalog_cache_bytes": parts.catalog.ram_bytes,
            "ram_bytes": hot + other,
            "warm_bytes": warm,
            "cold_bytes": cold,
            "journal_bytes": journal,
            "catalog_bytes": catalog,
            "other_disk_bytes": aids,
            "disk_bytes": warm + cold + journal + catalog + aids,
        }

    def _overall(self, contents: Contents, sizes: dict[str, int]) -> dict[str, Any]:
        plaintext = contents.named + self._contents.dirty().named
        held = sizes["ram_bytes"] + sizes["catalog_cache_bytes"] + sizes["disk_bytes"]
        reduction = 100 * (1 - held / plaintext) if plaintext else 0.0
        self._reduction = reduction if plaintext >= LEAST_TO_JUDGE else None
        target = self._parts.config.adaptive.targets.memory_reduction_percent
        return {
            "plaintext_bytes": plaintext,
            "held_bytes": held,
            "memory_reduction_percent": reduction,
            "memory_reduction_target_percent": target,
            "target_achieved": reduction >= target,
        }

    def _namespaces(self, contents: Contents) -> dict[str, dict[str, int]]:
        """Return for each namespace its keys with what they name, and the contents first stored in it.

        A content that several namespaces share counts in the plaintext of each by its keys, and among the contents
        and encoded bytes of the one that stored it first.
        """
        parts = self._parts
        result: dict[str, dict[str, int]] = {}

        def of(number: int) -> dict[str, int]:
            names = ("keys", "contents", "plaintext_bytes", "hot_bytes", "warm_bytes", "cold_bytes")
            return result.setdefault(parts.labels.name(number), dict.fromkeys(names, 0))

        for number, keys, plaintext in self._contents.of_keys():
            of(number)["keys"] += keys
            of(number)["plaintext_bytes"] += plaintext
        for number, count in contents.by_namespace.items():
            of(number)["contents"] += count
        for tier, number, size in self._packed_bytes():
            of(number)["warm_bytes" if tier == IN_WARM else "cold_bytes"] += size
        for number, size in parts.hot.by_namespace().items():
            of(number)["hot_bytes"] += size
        return {name: row for name, row in result.items() if any(row.values()) or name != DEFAULT_NAME}

    def _packed_bytes(self) -> list[tuple[int, int, int]]:
        """Return (tier, namespace, encoded bytes) from the packs' own indexes."""
        parts = self._parts
        totals: dict[tuple[int, int], int] = {}
        for pack in parts.catalog.packs():
            for number, size in parts.shelf.encoded_bytes(pack.id).items():
                totals[pack.tier, number] = totals.get((pack.tier, number), 0) + size
        return [(tier, number, size) for (tier, number), size in totals.items()]

    def _background(self, counters: dict[str, int]) -> dict[str, Any]:
        mover = self.background
        parts = self._parts
        return {
            "checkpoints": counters["checkpoints"],
            "collected": counters["collected"],
            "expired": counters["expired"],
            "corruptions": counters["corruptions"],
            "failures": counters["background_failures"],
            "last_failure": mover.last_failure if mover is not None else None,
            "pruning_paused": mover.collection.pruning_paused if mover is not None else None,
            "dirty_keys": len(parts.dirty),
            "journal_failure": parts.journal.failure if parts.journal is not None else None,
        }
