"""The reference page of all settings agrees with the code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stratakv.config import OptimizationConfig, load_config
from stratakv.config.explain import EXAMPLE, explain, reference_page
from stratakv.config.loading import setting_keys

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"

# The names that users' files rely on: they may gain company, but never go.
FIXED = [
    "enabled",
    "optimization_level",
    "enable_compression",
    "enable_tiered_storage",
    "enable_deduplication",
    "compression.enabled",
    "compression.default_strategy",
    "compression.compression_level",
    "compression.quantization_bits",
    "compression.episodic_compression_target",
    "compression.semantic_compression_target",
    "tiered_storage.enabled",
    "tiered_storage.hot_capacity_mb",
    "tiered_storage.warm_capacity_mb",
    "tiered_storage.eviction_policy",
    "tiered_storage.hot_to_warm_idle_hours",
    "tiered_storage.warm_to_cold_idle_hours",
    "tiered_storage.warm.backend",
    "tiered_storage.cold.backend",
    "tiered_storage.cold.path",
    "tiered_storage.cold.bucket",
    "tiered_storage.cold.prefix",
    "tiered_storage.cold.endpoint_url",
    "tiered_storage.cold.region",
    "tiered_storage.cold.profile",
    "deduplication.enabled",
    "deduplication.enable_bloom_filter",
    "deduplication.bloom_filter_size",
    "storage.path",
    "storage.durability",
    "storage.sync_interval_ms",
    "storage.erase_within_days",
    "wrap.mode",
    "wrap.passthrough",
    "wrap.max_staleness_seconds",
    "adaptive.enabled",
    "adaptive.telemetry_interval_seconds",
    "adaptive.retune_interval_seconds",
    "adaptive.retune_requests",
    "adaptive.learning_rate",
    "adaptive.targets.memory_reduction_percent",
    "adaptive.prices.ram_gb_month",
    "serialization.allow_pickle",
    "namespaces.x.match",
    "namespaces.x.lossy",
    "namespaces.x.ttl",
    "namespaces.x.prunable",
    "namespaces.x.dedup_scope",
]


def test_reference_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference_page(), (
        "run: python -m stratakv.config > docs/configuration.md"
    )


def test_module_prints_the_page() -> None:
    printed = subprocess.run([sys.executable, "-m", "stratakv.config"], capture_output=True, check=True).stdout
    assert printed.decode() == reference_page()


@pytest.mark.parametrize("key", FIXED)
def test_promised_key_exists(key: str) -> None:
    assert key in setting_keys(OptimizationConfig(namespaces={"x": {}}))


def test_example_of_the_page_loads(tmp_path: Path) -> None:
    file = tmp_path / "example.yaml"
    file.write_text(EXAMPLE)
    loaded = load_config(file, environ={})
    assert list(loaded.config.namespaces) == list(yaml.safe_load(EXAMPLE)["namespaces"]) == ["session", "episodic"]


def test_every_setting_says_what_it_means() -> None:
    for row in explain(load_config(environ={}, overrides={"namespaces.x.ttl": 1})):
        assert len(row.meaning) > 10, row.key


def test_explanation_shows_the_value_in_force() -> None:
    rows = {row.key: row for row in explain(load_config(environ={"STRATAKV__NAMESPACES__X__LOSSY": "true"}))}
    assert rows["tiered_storage.hot_capacity_mb"].value == 200
    assert rows["compression.compression_level"].value == 6
    assert rows["namespaces.x.prune_after_days"].value == 30
    assert str(rows["compression.compression_level"].source) == "preset moderate"
    assert rows["tiered_storage.warm_capacity_mb"].value is None
