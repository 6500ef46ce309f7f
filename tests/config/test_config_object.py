"""`OptimizationConfig` as an object: sections, validation, copies, effective values."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratakv.config import (
    LEVELS,
    NamespaceConfig,
    OptimizationConfig,
    StorageConfig,
    get_optimization_level_preset,
)
from stratakv.config.loading import setting_keys
from stratakv.config.schema import shape
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from stratakv.config.setting import Section


class Colour(Enum):
    RED = 1


def problems_of(config: OptimizationConfig) -> str:
    with pytest.raises(ConfigurationError) as caught:
        config.validate()
    return str(caught.value)


def test_defaults_are_valid() -> None:
    OptimizationConfig().validate()


def test_sections_are_accepted_as_dataclasses_and_as_mappings() -> None:
    config = OptimizationConfig(
        storage=StorageConfig(path="/x"),
        tiered_storage={"hot_capacity_mb": 64, "cold": {"path": "/y"}},
        namespaces={"s": {"match": "session:*"}, "t": NamespaceConfig(ttl=5)},
    )
    config.validate()
    assert config.storage.path == "/x"
    assert config.tiered_storage.cold.path == "/y"
    assert config.namespaces["s"].match == "session:*"
    assert config.namespaces["t"].ttl == 5


def test_misspelt_key_in_a_mapping_is_refused_at_construction() -> None:
    with pytest.raises(ConfigurationError, match=r"'tiered_storage.cold.buket' is unknown; did you mean 'bucket'"):
        OptimizationConfig(tiered_storage={"cold": {"buket": "b"}})


@pytest.mark.parametrize("section", [OptimizationConfig, StorageConfig, NamespaceConfig])
def test_misspelt_keyword_is_refused_with_the_nearest_name(section: type[Section]) -> None:
    name = shape(section).names[0]
    with pytest.raises(ConfigurationError, match=f"'{name}z' is unknown; did you mean '{name}'"):
        section(**{f"{name}z": True})


def test_section_of_the_wrong_kind_is_refused_at_construction() -> None:
    with pytest.raises(ConfigurationError, match="'storage' must be a StorageConfig or a mapping"):
        OptimizationConfig(storage="/x")  # type: ignore[arg-type]  # the mistake under test


def test_copy_shares_nothing() -> None:
    config = OptimizationConfig(namespaces={"s": {"match": ["a"]}}, wrap={"passthrough": ["ping"]})
    twin = config.copy()
    assert twin == config
    twin.wrap.passthrough.append("x")
    twin.storage.path = "/y"
    twin.namespaces["s"].ttl = 3
    assert config.wrap.passthrough == ["ping"]
    assert config.storage.path is None
    assert config.namespaces["s"].ttl is None


def test_instances_do_not_share_lists() -> None:
    OptimizationConfig().wrap.passthrough.append("x")
    assert OptimizationConfig().wrap.passthrough == []


def test_unknown_attribute_cannot_be_assigned() -> None:
    with pytest.raises(AttributeError):
        OptimizationConfig().enable_compresion = False  # type: ignore[attr-defined]  # the mistake under test


def test_section_assigned_as_mapping_is_found_by_validate() -> None:
    config = OptimizationConfig()
    config.storage = {"path": "/x"}  # type: ignore[assignment]  # the mistake under test
    assert problems_of(config) == "key 'storage' must be a StorageConfig, not a mapping"


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("enabled", "yes", "must be true or false, not the text 'yes'"),
        ("enabled", 1, "must be true or false, not 1"),
        ("enable_compression", None, "must be true or false, not empty"),
        ("optimization_level", "agressive", "did you mean 'aggressive'?"),
        ("storage.path", 3, "must be text, not 3"),
        ("storage.path", "", "must be text that is not empty, not the text ''"),
        ("storage.durability", "proces", "did you mean 'process'?"),
        ("storage.dirty_limit_entries", 1.5, "must be a whole number of at least 1, not 1.5"),
        ("storage.dirty_limit_entries", True, "must be a whole number of at least 1, not true"),
        ("storage.pack_size_mb", -1, "above 0 and of at most 1,024, not -1"),
        ("storage.sync_interval_ms", float("nan"), "must be a number above 0, not nan"),
        ("storage.grace_seconds", float("inf"), "must be a number of at least 0, not inf"),
        ("storage.grace_seconds", 10**400, "not a number of more than 70 digits"),
        ("wrap.passthrough", "ping", "must be a list, not the text 'ping'"),
        ("wrap.passthrough", ["ping", "a b"], "'*' for all of them, not the text 'a b' (item 2 of the list)"),
        ("compression.compression_level", 10, "must be a whole number from 1 to 9, not 10"),
        ("compression.compression_level", "6", "not the text '6'; write 6 without quotes"),
        ("compression.quantization_bits", 5, "must be one of 4, 8, not 5"),
        ("compression.default_strategy", "zst", "did you mean 'zstd'?"),
        ("tiered_storage.hot_capacity_mb", 0, "must be a number above 0, not 0"),
        ("tiered_storage.eviction_policy", "lruu", "did you mean 'lru'?"),
        ("tiered_storage.promote_to_hot_accesses", 0, "of at least 1, not 0"),
        ("deduplication.false_positive_rate", 1.0, "must be a number above 0 and below 1, not 1.0"),
        ("adaptive.learning_rate", 1.5, "must be a number from 0 to 1, not 1.5"),
        ("adaptive.targets.memory_reduction_percent", 101, "from 0 to 100, not 101"),
        ("serialization.enums", [int], "must be a subclass of enum.Enum, not a type (item 1 of the list)"),
        ("serialization.enums", ["no class"], "an importable class such as"),
        ("namespaces.s.ttl", 0, "must be a number above 0, not 0"),
        ("namespaces.s.match", ["a", ""], "a glob pattern of 1 to 1,024 characters"),
    ],
)
def test_bad_value_is_named_with_key_value_and_what_is_allowed(key: str, value: object, complaint: str) -> None:
    config = OptimizationConfig(namespaces={"s": {}})
    _, section = setting_keys(config)[key]
    setattr(section, key.rpartition(".")[2], value)
    message = problems_of(config)
    assert message.startswith(f"key '{key}' must be ")
    assert complaint in message


def test_every_problem_is_told_one_line_each() -> None:
    config = OptimizationConfig(storage={"pack_size_mb": 0}, adaptive={"learning_rate": 7}, enabled=None)
    config.namespaces["a/b"] = NamespaceConfig()
    lines = problems_of(config).splitlines()
    assert [line.split("'")[1] for line in lines] == [
        "storage.pack_size_mb",
        "adaptive.learning_rate",
        "namespaces",
    ]


def test_enum_classes_and_import_paths_are_accepted() -> None:
    OptimizationConfig(serialization={"enums": [Colour, "app.kinds:Outer.Kind", "app.kinds.Kind"]}).validate()


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"tiered_storage": {"cold": {"backend": "s3"}}}, "tiered_storage.cold.bucket"),
        ({"tiered_storage": {"cold": {"backend": "s3", "bucket": "b", "path": "p"}}}, "tiered_storage.cold.path"),
        (
            {"tiered_storage": {"cold": {"backend": "s3", "bucket": "b", "backups": False}}},
            "tiered_storage.cold.backups",
        ),
        ({"tiered_storage": {"cold": {"backups": True}}}, "tiered_storage.cold.backups"),
        ({"tiered_storage": {"cold": {"bucket": "b"}}}, "tiered_storage.cold.bucket"),
        ({"namespaces": {"s": {"prune_after_days": 3}}}, "namespaces.s.prune_after_days"),
        ({"namespaces": {"s": {"lossy": True}}, "wrap": {"mode": "write_through"}}, "namespaces.s.lossy"),
        ({"compression": {"default_strategy": "binarize"}}, "compression.default_strategy"),
    ],
)
def test_contradiction_is_refused_and_names_the_key(sections: dict[str, dict[str, object]], key: str) -> None:
    config = OptimizationConfig(**sections)  # type: ignore[arg-type]  # mypy takes every key for any argument
    assert problems_of(config).startswith(f"key '{key}' ")


@pytest.mark.parametrize(
    "address",
    [
        "https://me:hunter2@s3.example.org",
        "https://hunter2@s3.example.org",
        "hunter2",
        "https://[hunter2",
        "ftp://x",
    ],
)
def test_endpoint_with_password_is_refused_and_never_repeated(address: str) -> None:
    cold = {"backend": "s3", "bucket": "b", "endpoint_url": address}
    message = problems_of(OptimizationConfig(tiered_storage={"cold": cold}))
    assert "tiered_storage.cold.endpoint_url" in message
    assert "hunter2" not in message


def test_key_that_looks_like_a_secret_is_told_where_secrets_belong() -> None:
    with pytest.raises(ConfigurationError, match="credentials are not configured here") as caught:
        OptimizationConfig(tiered_storage={"cold": {"secret_access_key": "hunter2"}})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("level", "compression", "megabytes", "interval", "days"),
    [("conservative", 3, 500, 600, 90), ("moderate", 6, 200, 300, 30), ("aggressive", 9, 100, 60, 7)],
)
def test_level_decides_what_is_not_configured(
    level: str, compression: int, megabytes: int, interval: int, days: int
) -> None:
    for config in (OptimizationConfig(optimization_level=level), get_optimization_level_preset(level)):
        config.validate()
        assert config.effective_compression_level == compression
        assert config.effective_hot_capacity_bytes == megabytes * 1024 * 1024
        assert config.effective_migration_interval == interval
        assert config.effective_prune_days() == days
        assert config.effective_prune_days("unknown") == days


def test_configured_value_wins_over_the_level() -> None:
    config = OptimizationConfig(
        optimization_level="aggressive",
        compression={"compression_level": 1},
        tiered_storage={"hot_capacity_mb": 0.5, "migration_interval_seconds": 2},
        namespaces={"s": {"prunable": True, "prune_after_days": 2}},
    )
    assert config.effective_compression_level == 1
    assert config.effective_hot_capacity_bytes == 512 * 1024
    assert config.effective_migration_interval == 2
    assert config.effective_prune_days("s") == 2


def test_unknown_level_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'moderate'"):
        get_optimization_level_preset("moderat")
    with pytest.raises(ConfigurationError):
        _ = OptimizationConfig(optimization_level="x").effective_compression_level


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("configured", [False, True])
def test_optimisation_is_off_only_when_wrapping_without_configuration(wrapped: bool, configured: bool) -> None:
    assert OptimizationConfig().is_enabled(wrapped, configured) is (configured or not wrapped)
    assert OptimizationConfig(enabled=True).is_enabled(wrapped, configured) is True
    assert OptimizationConfig(enabled=False).is_enabled(wrapped, configured) is False
    assert all(get_optimization_level_preset(level).is_enabled(wrapped, configured) for level in LEVELS)


@given(
    st.sampled_from(sorted(setting_keys(OptimizationConfig(namespaces={"s": {}})))),
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9),
        st.lists(st.text(max_size=3)),
        st.binary(max_size=3), st.just({}), st.just(int), st.just((1, 2)),
    ),
)  # fmt: skip
def test_any_value_is_either_valid_or_a_named_error(key: str, value: object) -> None:
    config = OptimizationConfig(namespaces={"s": {}})
    _, section = setting_keys(config)[key]
    setattr(section, key.rpartition(".")[2], value)
    complaint = "key "
    try:
        config.validate()
    except ConfigurationError as error:
        complaint = str(error)
    assert complaint.startswith("key ")


def test_a_mode_that_is_not_there_yet_is_told_so() -> None:
    told = problems_of(OptimizationConfig(wrap={"mode": "encode"}))
    assert told == "key 'wrap.mode' must be 'absorb' or 'write_through': 'encode' is not there yet"
    assert "did you mean 'absorb'" in problems_of(OptimizationConfig(wrap={"mode": "absorbe"}))
