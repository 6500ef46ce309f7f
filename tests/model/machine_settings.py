"""The settings that the state machines run a store with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stratakv import OptimizationConfig
from tests.engine.value_strategies import ENUMS

if TYPE_CHECKING:
    from pathlib import Path

ENUM_NAMES = [f"{enum.__module__}:{enum.__qualname__}" for enum in ENUMS]

VARIANTS: dict[str, dict[str, Any]] = {
    "roomy": {},
    "tiny hot tier": {"tiered_storage": {"hot_capacity_mb": 0.003}},
    "tiny packs": {"storage": {"pack_size_mb": 0.001, "dirty_limit_entries": 3}},
    "plain files": {
        "tiered_storage": {"hot_capacity_mb": 0.002, "warm": {"backend": "directory"}, "eviction_policy": "lfu"},
        "storage": {"durability": "sync", "grace_seconds": 0},
    },
    "warm too small": {"tiered_storage": {"warm_capacity_mb": 0.001, "eviction_policy": "fifo"}},
    "without deduplication": {"enable_deduplication": False, "storage": {"durability": "none"}},
}

REMOTE_VARIANTS: dict[str, dict[str, Any]] = {
    "roomy": {},
    "tiny packs": {
        "storage": {"pack_size_mb": 0.001, "dirty_limit_entries": 3},
        "tiered_storage": {"hot_capacity_mb": 0.003},
    },
    "no grace": {
        "tiered_storage": {"hot_capacity_mb": 0.002, "warm": {"backend": "directory"}, "eviction_policy": "lfu"},
        "storage": {"grace_seconds": 0, "erase_within_days": 1},
    },
    "warm too small": {"tiered_storage": {"warm_capacity_mb": 0.001, "promote_to_warm_accesses": 1}},
    "without deduplication": {"enable_deduplication": False, "storage": {"durability": "none"}},
}


def configuration(given: dict[str, Any], path: Path) -> OptimizationConfig:
    """Return a variant's settings, with the namespaces that `reference.py` knows; values of 1 KB are large already."""
    return OptimizationConfig(
        **{
            **given,
            "storage": {"journaled_value_kb": 2, **given.get("storage", {}), "path": str(path), "reserve_kb": 0},
            "deduplication": {"large_value_kb": 1, "chunk_kb": 0.25},
            "serialization": {"enums": ENUM_NAMES},
            "namespaces": {
                "short": {"ttl": 500},
                "old": {"prunable": True, "prune_after_days": 5},
                "own": {"dedup_scope": "namespace"},
                "matched": {"match": "m:*"},
            },
        }
    )
