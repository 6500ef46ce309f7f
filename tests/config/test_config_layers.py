"""Defaults, presets, YAML, environment and overrides, in that order."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from stratakv.config import OptimizationConfig, get_optimization_level_preset, load_config
from stratakv.config.text_layer import read_arguments
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

HOT = "tiered_storage.hot_capacity_mb"
HOT_VARIABLE = "STRATAKV__TIERED_STORAGE__HOT_CAPACITY_MB"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "memory.yaml"
    path.write_text("optimization_level: aggressive\ntiered_storage:\n  hot_capacity_mb: 11\n")
    return path


def test_each_layer_wins_over_those_before_it(file: Path) -> None:
    environ = {HOT_VARIABLE: "22"}
    overrides = {HOT: 33}
    seen = [
        load_config(environ={}),
        load_config(environ={"STRATAKV__OPTIMIZATION_LEVEL": "aggressive"}),
        load_config(file, environ={}),
        load_config(file, environ=environ),
        load_config(file, environ=environ, overrides=overrides),
    ]
    assert [loaded.config.tiered_storage.hot_capacity_mb for loaded in seen] == [None, 100, 11, 22, 33]
    assert [str(loaded.sources[HOT]) for loaded in seen] == [
        "preset moderate",
        "preset aggressive",
        f"{file}:3",
        f"environment {HOT_VARIABLE}",
        "override",
    ]


def test_every_setting_has_a_source(file: Path) -> None:
    loaded = load_config(file, environ={}, overrides={"namespaces": {"s": {}}})
    assert {str(source) for source in loaded.sources.values()} == {
        "default",
        "preset aggressive",
        f"{file}:1",
        f"{file}:3",
    }
    assert "namespaces.s.ttl" in loaded.sources


def test_named_level_turns_optimisation_on_unless_it_is_turned_off(file: Path) -> None:
    assert load_config(file, environ={}).config.enabled is True
    assert load_config(file, environ={"STRATAKV__ENABLED": "false"}).config.enabled is False
    assert load_config(environ={}).config.enabled is None


def test_given_tells_whether_anything_was_configured(file: Path) -> None:
    assert load_config(environ={"HOME": "/", "STRATAKV_STRESS_ROUNDS": "3"}).given is False
    assert load_config(file, environ={}).given
    assert load_config(environ={HOT_VARIABLE: "5"}).given
    assert load_config(environ={}, overrides={HOT: 5}).given
    assert load_config(base=OptimizationConfig()).given


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("ENABLED", "true", True),
        ("ENABLED", "Off", False),
        ("ENABLED", "", None),
        ("STORAGE__PATH", "null", "null"),
        ("STORAGE__PATH", "", None),
        ("STORAGE__GRACE_SECONDS", "1e3", 1000.0),
        ("STORAGE__DIRTY_LIMIT_ENTRIES", " 70 ", 70),
        ("COMPRESSION__COMPRESSION_LEVEL", "none", None),
        ("COMPRESSION__QUANTIZATION_BITS", "4", 4),
        ("WRAP__PASSTHROUGH", "ping, pong", ["ping", "pong"]),
        ("WRAP__PASSTHROUGH", "", []),
        ("TIERED_STORAGE__WARM__BACKEND", "directory", "directory"),
        ("NAMESPACES__S__MATCH", "s:*", "s:*"),
        ("NAMESPACES__S__MATCH", "s:*,t:*", ["s:*", "t:*"]),
    ],
)
def test_text_in_the_environment_becomes_a_value(variable: str, text: str, expected: object) -> None:
    loaded = load_config(environ={f"STRATAKV__{variable}": text})
    value: object = loaded.config
    for part in variable.lower().split("__"):
        value = value[part] if isinstance(value, dict) else getattr(value, part)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("STORGE__PATH", "/x", "key 'storge.path' is unknown; did you mean 'storage'?"),
        ("STORAGE__PAHT", "/x", "key 'storage.paht' is unknown; did you mean 'path'?"),
        ("STORAGE", "/x", "key 'storage' is a section; name one of its settings: path, durability"),
        ("STORAGE__PATH__X", "/x", "'storage.path' is a setting, not a section"),
        ("NAMESPACES__S", "x", "a full key is 'namespaces.NAME.SETTING'"),
        ("NAMESPACES__S__TLL", "5", "key 'namespaces.s.tll' is unknown; did you mean 'ttl'?"),
        ("", "x", "key '' is unknown"),
        ("ENABLED", "maybe", "key 'enabled' must be true or false, not the text 'maybe'"),
        ("STORAGE__DIRTY_LIMIT_ENTRIES", "1.5", "must be a whole number of at least 1, not 1.5"),
        ("STORAGE__DIRTY_LIMIT_ENTRIES", "9" * 5000, "must be a whole number"),
        ("STORAGE__GRACE_SECONDS", "nan", "must be a number of at least 0, not nan"),
        ("STORAGE__GRACE_SECONDS", "-3", "not -3"),
    ],
)
def test_bad_variable_is_named(variable: str, text: str, expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_config(environ={f"STRATAKV__{variable}": text})
    assert str(caught.value).startswith(f"environment STRATAKV__{variable}: ")
    assert expected in str(caught.value)


def test_variable_finds_a_namespace_whatever_its_case_and_punctuation() -> None:
    loaded = load_config(
        environ={"STRATAKV__NAMESPACES__USER_SESSION_1__TTL": "5"},
        overrides={"namespaces": {"User-session.1": {"match": "u:*"}}},
    )
    assert loaded.config.namespaces["User-session.1"].ttl == 5
    assert len(loaded.config.namespaces) == 1


def test_environment_never_changes_a_configuration_object() -> None:
    program = (
        "from stratakv.config import *\n"
        "given = load_config(base=OptimizationConfig())\n"
        "print(load_config().config.storage.path, given.config.storage.path)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"STRATAKV__STORAGE__PATH": "/from-environment"},
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout.split() == ["/from-environment", "None"]


def test_base_is_copied_and_takes_the_place_of_the_defaults() -> None:
    base = get_optimization_level_preset("conservative")
    base.storage.path = "/x"
    loaded = load_config(base=base, overrides={"storage.durability": "sync"})
    assert (loaded.config.storage.path, loaded.config.storage.durability) == ("/x", "sync")
    assert loaded.config.effective_hot_capacity_bytes == 500 << 20
    assert base.storage.durability == "process"
    assert str(loaded.sources["storage.path"]) == "configuration object"


def test_bad_base_is_refused() -> None:
    base = OptimizationConfig(storage={"pack_size_mb": -1})
    with pytest.raises(ConfigurationError, match=r"key 'storage.pack_size_mb' must be a number above 0"):
        load_config(base=base)


def test_overrides_take_dotted_names_and_mappings() -> None:
    loaded = load_config(
        environ={},
        overrides={
            "tiered_storage.cold": {"backend": "directory", "path": "/y"},
            "storage": {"path": "/x"},
            "namespaces.a.b.ttl": 3,
        },
    )
    assert loaded.config.tiered_storage.cold.path == "/y"
    assert loaded.config.storage.path == "/x"
    assert loaded.config.namespaces["a.b"].ttl == 3


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"storge": {"path": "/x"}}, "override: key 'storge.path' is unknown; did you mean 'storage'?"),
        ({"storage": "/x"}, "override: key 'storage' is a section; give a mapping of its settings"),
        ({"enabled": "true"}, "override: key 'enabled' must be true or false, not the text 'true'"),
        ({"namespaces.a b.ttl": 3}, "override: key 'namespaces' holds the name 'a b'"),
        ({"tiered_storage.cold.backend": "s3"}, "override: key 'tiered_storage.cold.bucket' is missing"),
    ],
)
def test_bad_override_is_refused(overrides: dict[str, object], expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_config(environ={}, overrides=overrides)
    assert expected in str(caught.value)


def test_list_given_as_override_is_not_shared() -> None:
    methods = ["ping"]
    loaded = load_config(environ={}, overrides={"wrap.passthrough": methods})
    methods.append("pong")
    assert loaded.config.wrap.passthrough == ["ping"]


def test_wrong_value_is_an_error_even_where_a_later_layer_hides_it(file: Path) -> None:
    file.write_text("tiered_storage: {hot_capacity_mb: -1}\n")
    with pytest.raises(ConfigurationError, match="not -1"):
        load_config(file, environ={HOT_VARIABLE: "5"})


def test_arguments_are_typed_by_their_setting() -> None:
    arguments = ["storage.path=/a=b", f"{HOT}=64", "wrap.passthrough=a,b", "enabled=no"]
    assert read_arguments(arguments, OptimizationConfig) == {
        "storage.path": "/a=b",
        HOT: 64,
        "wrap.passthrough": ["a", "b"],
        "enabled": False,
    }
    for argument, expected in (
        ("x", "is not KEY=VALUE"),
        ("x=1", "is unknown"),
        ("storage=1", "is a section"),
    ):
        with pytest.raises(ConfigurationError, match=expected):
            read_arguments([argument], OptimizationConfig)
