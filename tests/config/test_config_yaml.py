"""YAML errors name file, line, key and the nearest valid name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stratakv.config import OptimizationConfig, load_config
from stratakv.config.loading import read_config
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "memory.yaml"


def load(file: Path, text: str) -> OptimizationConfig:
    file.write_text(text, encoding="utf-8")
    return load_config(file, environ={}).config


def complaint(file: Path, text: str | bytes) -> str:
    """Return the error's message with the file's directory cut off."""
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ConfigurationError) as caught:
        load_config(file, environ={})
    return str(caught.value).replace(f"{file.parent}{os.sep}", "")


def test_values_reach_their_settings(file: Path) -> None:
    config = load(
        file,
        "enabled: true\nstorage: {path: /x, grace_seconds: 3}\nwrap:\n  passthrough: [ping, '*']\n"
        "tiered_storage:\n  cold: {backend: directory, prefix: p/}\n"
        "namespaces:\n  s: {match: 's:*', ttl: 60}\n",
    )
    assert config.enabled is True
    assert config.storage.path == "/x"
    assert config.storage.grace_seconds == 3.0
    assert isinstance(config.storage.grace_seconds, float)
    assert config.wrap.passthrough == ["ping", "*"]
    assert config.tiered_storage.cold.prefix == "p/"
    assert config.namespaces["s"].ttl == 60


def test_unknown_key_names_file_line_and_nearest_name(file: Path) -> None:
    message = complaint(file, "enabled: true\ntiered_storage:\n  hot_capcity_mb: 64\n")
    assert message == ("memory.yaml:3: key 'tiered_storage.hot_capcity_mb' is unknown; did you mean 'hot_capacity_mb'?")


def test_unknown_key_like_no_other_lists_what_is_known(file: Path) -> None:
    message = complaint(file, "deduplication:\n  zzzzzz: 1\n")
    assert "known here: enabled, enable_bloom_filter, bloom_filter_size" in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "memory.yaml: is empty"),
        ("# only a remark\n", "memory.yaml: is empty"),
        ("null\n", "memory.yaml: is empty"),
        ("\n- a\n- b\n", "memory.yaml:2: must be a mapping of settings ('key: value' lines), not a list"),
        ("hello", "memory.yaml:1: must be a mapping of settings ('key: value' lines), not the text 'hello'"),
        ("a: [1\nb: 2", "memory.yaml:2: is not YAML: "),
        ("a: b: c", "memory.yaml:1: is not YAML: mapping values are not allowed here"),
        ("enabled: true\n---\nenabled: false\n", "memory.yaml:2: is not YAML: "),
        ("enabled: \x07\n", "memory.yaml: is not YAML: "),
        ("[" * 5000, "memory.yaml: is nested too deeply"),
        (b"enabled: true\npath: \xff\n", "memory.yaml:2: is not UTF-8 text"),
        (b"#" * (1 << 20) + b"##", "memory.yaml: is larger than 1 MiB"),
        ("storage: /x\n", "memory.yaml:1: key 'storage' must be a mapping of settings, not the text '/x'"),
        ("storage: [1]\n", "memory.yaml:1: key 'storage' must be a mapping of settings, not a list"),
        (
            "storage:\n  path: /x\n  path: /y\n",
            "memory.yaml:3: key 'storage.path' stands twice, first in line 2",
        ),
        ("storage: {path: [/x]}\n", "memory.yaml:1: key 'storage.path' must be text, not a list"),
        (
            "wrap: {passthrough: [[a]]}\n",
            "memory.yaml:1: key 'wrap.passthrough' must be text, not a list (item 1",
        ),
        (
            "enabled: !!python/object:os.system x\n",
            "memory.yaml:1: key 'enabled' has a value that is not plain",
        ),
        ("enabled: !!int abc\n", "memory.yaml:1: key 'enabled' has a value that is not plain YAML"),
        ("enabled: 'yes'\n", "memory.yaml:1: key 'enabled' must be true or false, not the text 'yes'"),
        ("storage: {grace_seconds: 1e3}\n", "not the text '1e3'; write 1000 without quotes"),
        ("storage: {path: 2024-01-01}\n", "key 'storage.path' must be text, not a date"),
        ("namespaces: {on: {}}\n", "memory.yaml:1: a key must be text, not true; put it in quotes"),
        ("? [a]\n: 1\n", "memory.yaml:1: a key must be text, not a list"),
        (
            "namespaces: {'a b': {}}\n",
            "memory.yaml:1: key 'namespaces' holds the name 'a b'; allowed: letters",
        ),
        ("namespaces:\n  s: 5\n", "memory.yaml:2: key 'namespaces.s' must be a mapping of settings, not 5"),
        (
            "tiered_storage:\n  cold:\n    backend: s3\n",
            "memory.yaml:3: key 'tiered_storage.cold.bucket' is missing: backend 's3' needs the name of a bucket",
        ),
    ],
)
def test_bad_file_is_a_precise_error(file: Path, text: str | bytes, expected: str) -> None:
    assert expected in complaint(file, text)


def test_missing_file_and_directory_are_precise_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no such file"):
        load_config(tmp_path / "none.yaml", environ={})
    with pytest.raises(ConfigurationError, match="is a directory"):
        load_config(tmp_path, environ={})
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_config("a\0b", environ={})


def test_all_errors_of_a_file_come_in_the_order_of_its_lines(file: Path) -> None:
    message = complaint(
        file,
        "optimization_level: fast\nstorage:\n  paht: /x\n  pack_size_mb: -1\nwrapp: {}\nwrap: {mode: no}\n",
    )
    places = [line.partition(": ")[0] for line in message.splitlines()]
    assert places == ["memory.yaml:1", "memory.yaml:3", "memory.yaml:4", "memory.yaml:5", "memory.yaml:6"]


def test_empty_sections_keep_the_defaults(file: Path) -> None:
    config = load(file, "storage:\ntiered_storage: {cold: }\nnamespaces: {s: , t: {}}\n")
    assert list(config.namespaces) == ["s", "t"]
    config.namespaces = {}
    assert config == OptimizationConfig()


def test_aliases_and_merge_keys_work(file: Path) -> None:
    config = load(
        file,
        "namespaces:\n  a: &a {ttl: 5, lossy: true}\n  b: {<<: *a, ttl: 7}\n  c: {<<: [{ttl: 1}, *a]}\n  d: *a\n",
    )
    assert [(rule.ttl, rule.lossy) for rule in config.namespaces.values()] == [
        (5, True),
        (7, True),
        (1, True),
        (5, True),
    ]


def test_null_returns_a_setting_to_its_level(file: Path) -> None:
    config = load(file, "optimization_level: aggressive\ncompression: {compression_level: null}\n")
    assert config.compression.compression_level is None
    assert config.effective_compression_level == 9


@pytest.mark.parametrize(
    "text",
    [
        "namespaces: &n {a: *n}",
        "storage: &s {storage: *s}",
        "namespaces:\n  a: &a {<<: *a}\n",
        "namespaces: {a: {<<: 5}}",
        "\n".join(
            [
                "namespaces:",
                "  n0: &n0 {ttl: 5}",
                *(f"  n{i}: &n{i} {{<<: *n{i - 1}}}" for i in range(1, 999)),
            ]
        ),
    ],
)
def test_endless_and_deep_references_are_errors_not_hangs(file: Path, text: str) -> None:
    file.write_text(text)
    _, problems = read_config(file, environ={})
    assert len(problems) <= 100


def test_exponential_aliases_cost_nothing(file: Path) -> None:
    levels = ["a0: &a0 [x, x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30))]
    merges = [
        "  m0: &m0 {ttl: 5}",
        *(f"  m{i}: &m{i} {{<<: [*m{i - 1}, *m{i - 1}, {{lossy: true}}]}}" for i in range(1, 15)),
    ]
    message = complaint(file, "\n".join([*levels, "namespaces:", *merges]))
    assert "key 'a0' is unknown" in message


def test_file_full_of_errors_reports_a_hundred(file: Path) -> None:
    assert len(complaint(file, "\n".join(f"key{i}: {i}" for i in range(20_000))).splitlines()) == 100


def test_byte_order_mark_is_ignored(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbfenabled: false\n")
    assert load_config(file, environ={}).config.enabled is False


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.one_of(st.binary(max_size=60), st.text(alphabet="a:{}[]&*!<>-|'\"\n ,#?%@", max_size=40).map(str.encode)))
def test_any_bytes_load_or_raise_a_configuration_error(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    complaint = str(file)
    try:
        load_config(file, environ={})
    except ConfigurationError as error:
        complaint = str(error)
    assert complaint.startswith(str(file))
