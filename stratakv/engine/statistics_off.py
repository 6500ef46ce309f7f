"""What `get_statistics()` says where optimisation is off: the sections and names of `statistics.py`, with zeros.

Owns that shape, so that whoever watches a store need not know whether it is on. It counts and measures nothing.
Invariant: the names are those of `Statistics.all()`; a test compares the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stratakv.engine.losses import Losses

if TYPE_CHECKING:
    from stratakv.config import OptimizationConfig

_COUNTS = {
    "middleware": (
        "total_reads total_writes total_deletes cache_hits cache_misses found absent engine_reads engine_writes"
    ),
    "compression": "total_compressions overall_compression_ratio space_saved_bytes dictionaries",
    "tiered_storage": (
        "hot_usage_bytes warm_usage_bytes cold_usage_bytes hot_usage_percent hot_capacity_bytes hot_keys pins "
        "promotions demotions evictions compactions"
    ),
    "deduplication": (
        "unique_contents total_references dedup_hits dedup_ratio space_saved_percent large_values "
        "chunks bloom_negatives bloom_false_positives"
    ),
    "overall": "plaintext_bytes held_bytes memory_reduction_percent",
    "storage": (
        "hot_bytes other_ram_bytes catalog_cache_bytes ram_bytes warm_bytes cold_bytes journal_bytes catalog_bytes "
        "other_disk_bytes disk_bytes"
    ),
    "background": "checkpoints collected expired corruptions failures dirty_keys",
    "adaptive": "retunes lost_notes",
}


def statistics_off(config: OptimizationConfig) -> dict[str, Any]:
    """Return all sections of a wrapper that passes every call straight through."""
    sections: dict[str, Any] = {name: dict.fromkeys(counts.split(), 0) for name, counts in _COUNTS.items()}
    sections["compression"] |= {"strategy_usage": {}, "loss": Losses().report(), "choices": [], "unproved_payloads": 0}
    sections["compression"]["rotations"] = []
    sections["tiered_storage"]["cold"] = {}
    sections["deduplication"]["bloom_filter_enabled"] = False
    target = config.adaptive.targets.memory_reduction_percent
    sections["overall"] |= {"memory_reduction_target_percent": target, "target_achieved": False}
    sections["storage"] |= {"path": None, "temporary": False}
    sections["background"] |= {"last_failure": None, "pruning_paused": None, "journal_failure": None}
    tuned = ["thresholds", "shares", "eviction", "accesses", "recent", "moves", "rent_weight", "codec_factor"]
    sections["adaptive"] |= {"enabled": False, **dict.fromkeys(tuned)}
    sections["adaptive"]["last_changes"] = []
    sections["namespaces"] = {}
    sections["config"] = {
        "enabled": False,
        "optimization_level": config.optimization_level,
        "durability": config.storage.durability,
        "eviction_policy": config.tiered_storage.eviction_policy,
    }
    return sections
