"""What a store cannot be opened on or with: a precise error, and the directory as it was."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from stratakv import (
    CompressionEngine,
    DeduplicationEngine,
    ManualClock,
    OptimizationConfig,
    OptimizationMiddleware,
    TieredStorageManager,
    get_optimization_level_preset,
)
from stratakv.engine.catalog_schema import FORMAT_VERSION, open_connection
from stratakv.engine.journal_format import SEGMENT_HEADER
from stratakv.errors import ConfigurationError, CorruptionError
from tests.processes.children import in_fork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOBODY = 65534


def contents(directory: Path) -> dict[str, tuple[int, bytes | None]]:
    """Return mode and content of everything under a directory, `LOCK` aside."""
    return {
        str(path.relative_to(directory)): (path.lstat().st_mode, path.read_bytes() if path.is_file() else None)
        for path in sorted(directory.rglob("*"))
        if path.name != "LOCK"
    }


@contextmanager
def left_as_it_was(directory: Path) -> Iterator[None]:
    before = contents(directory)
    yield
    assert contents(directory) == before


def filled(path: Path) -> Path:
    with OptimizationMiddleware(path=path, clock=ManualClock()) as memory:
        for number in range(20):
            memory[f"key {number}"] = {"number": number, "text": "text " * 20}
        memory.maintain()
    return path


def test_a_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    with left_as_it_was(tmp_path):
        for path in (file, file / "below"):
            with pytest.raises(ConfigurationError, match="file"):
                OptimizationMiddleware(path=path)
            with pytest.raises(ConfigurationError):
                TieredStorageManager(path=str(path))
            with pytest.raises(ConfigurationError):
                DeduplicationEngine(path=str(path))


@pytest.mark.parametrize("path", ["", "\0", "a\0b"], ids=["empty", "nul", "nul inside"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(ConfigurationError):
        OptimizationMiddleware(path=path)


def test_a_directory_below_the_kernels_own_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="/proc"):
        OptimizationMiddleware(path="/proc/stratakv-store")


def as_nobody(work: Callable[[], object]) -> object:
    """Do work in a child without the superuser's powers."""

    def child() -> object:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        return work()

    return in_fork(child)[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("state", ["empty", "filled"])
def test_a_read_only_directory_is_refused_and_unchanged(tmp_path: Path, state: str) -> None:
    for parent in (tmp_path, *tmp_path.parents):
        if parent.stat().st_uid == 0 and str(parent).startswith("/tmp/"):  # pytest's own folders
            parent.chmod(parent.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)
    path = tmp_path / "store"
    if state == "filled":
        filled(path)
    else:
        path.mkdir()
    for place in (path, *path.rglob("*")):
        place.chmod(0o555 if place.is_dir() else 0o444)
    with left_as_it_was(tmp_path):
        for place in (path, path / "below"):
            result = as_nobody(lambda place=place: OptimizationMiddleware(path=place, clock=ManualClock()))  # type: ignore[misc]
            assert isinstance(result, tuple)
            assert result[0] == "ConfigurationError", result
            assert "not writable" in result[1] or "cannot be written" in result[1]


def test_a_file_system_mounted_read_only_is_refused(tmp_path: Path) -> None:
    path = filled(tmp_path / "store")
    view = tmp_path / "view"
    view.mkdir()
    bound = subprocess.run(["mount", "--bind", str(path), str(view)], capture_output=True, text=True, check=False)
    if bound.returncode:
        pytest.skip(f"a read-only mount cannot be made here: {bound.stderr.strip()}")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(view)], check=True)
        with left_as_it_was(path):
            for place in (view, view / "below"):
                with pytest.raises(ConfigurationError, match="writ"):
                    OptimizationMiddleware(path=place, clock=ManualClock())
    finally:
        subprocess.run(["umount", "-l", str(view)], check=True)


def newer_catalog(path: Path) -> None:
    connection = open_connection(path / "catalog.db", create=False)
    connection.execute("UPDATE meta SET value = ? WHERE name = 'format'", (FORMAT_VERSION + 1,))
    connection.close()


def newer_journal(path: Path) -> None:
    (segment,) = (path / "journal").glob("*.log")
    content = bytearray(segment.read_bytes())
    content[4] += 1
    content[SEGMENT_HEADER.size - 4 : SEGMENT_HEADER.size] = zlib.crc32(content[: SEGMENT_HEADER.size - 4]).to_bytes(
        4, "little"
    )
    segment.write_bytes(content)


@pytest.mark.parametrize("part", [newer_catalog, newer_journal], ids=["catalog", "journal"])
def test_a_directory_of_a_newer_format_is_refused_and_unchanged(tmp_path: Path, part: Callable[[Path], None]) -> None:
    work = tmp_path / "work"
    path = tmp_path / "store"
    with OptimizationMiddleware(path=work, clock=ManualClock()) as memory:
        memory["packed"] = "p" * 100
        memory.maintain()
        memory["journaled"] = "j"
        memory.flush()
        shutil.copytree(work, path)
    part(path)
    before = {name: content for name, content in contents(path).items() if name.startswith(("journal", "cold"))}
    for read_only in (False, True):
        with pytest.raises(ConfigurationError, match=r"version|format") as caught:
            OptimizationMiddleware(path=path, read_only=read_only, clock=ManualClock())
        assert "update stratakv" in str(caught.value)
    assert {name: content for name, content in contents(path).items() if name in before} == before


def test_a_pack_of_a_newer_format_is_named_when_it_is_read(tmp_path: Path) -> None:
    path = filled(tmp_path / "store")
    (pack,) = path.glob("warm/*/*/*.val")
    content = bytearray(pack.read_bytes())
    content[4] += 1
    pack.write_bytes(content)
    with OptimizationMiddleware(path=path, clock=ManualClock()) as memory:
        try:
            assert memory["key 1"] == {"number": 1, "text": "text " * 20}, "or its blocks are those of version 1"
        except CorruptionError as error:
            assert "packs/" in str(error)  # noqa: PT017  # either outcome is right, a foreign error is not


@pytest.mark.parametrize(
    "text", ["- a\n- b\n", "just text\n", "5\n", "a: [1\n", "storage: 5\n", "\tx: 1\n", "a: &a [*a]\n"],
    ids=["list", "text", "number", "broken", "section", "tab", "cycle"],
)  # fmt: skip
def test_yaml_that_is_no_mapping_of_settings_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with left_as_it_was(tmp_path), pytest.raises(ConfigurationError, match=r"config\.yaml"):
        OptimizationMiddleware(config_path=file, path=tmp_path / "store")


def test_a_configuration_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.yaml"):
        OptimizationMiddleware(config_path=tmp_path / "absent.yaml")
    with pytest.raises(ConfigurationError):
        OptimizationMiddleware(config_path=tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ConfigurationError, match=r"binary\.yaml"):
        OptimizationMiddleware(config_path=tmp_path / "binary.yaml")


BAD_SETTINGS: list[dict[str, Any]] = [
    {"tiered_storage": {"hot_capacity_mb": -1}},
    {"tiered_storage": {"hot_capacity_mb": 0}},
    {"tiered_storage": {"warm_capacity_mb": -5}},
    {"tiered_storage": {"hot_capacity_mb": float("nan")}},
    {"tiered_storage": {"hot_capacity_mb": True}},
    {"tiered_storage": {"hot_capacity_mb": "much"}},
    {"tiered_storage": {"eviction_policy": "best"}},
    {"tiered_storage": {"hot_to_warm_idle_hours": -1}},
    {"tiered_storage": {"warm": {"backend": "tape"}}},
    {"storage": {"reserve_kb": -1}},
    {"storage": {"pack_size_mb": -8}},
    {"storage": {"dirty_limit_entries": 0}},
    {"storage": {"erase_within_days": 0}},
    {"storage": {"durability": "maybe"}},
    {"storage": {"grace_seconds": -1}},
    {"compression": {"compression_level": 99}},
    {"compression": {"default_strategy": "zip"}},
    {"compression": {"default_strategy": "quantize_int8"}},
    {"tiered_storage": {"cold": {"backend": "s3"}}},
    {"compression": {"quantization_bits": 3}},
    {"deduplication": {"bloom_filter_size": -1}},
    {"deduplication": {"false_positive_rate": 1.5}},
    {"optimization_level": "extreme"},
    {"namespaces": {"n": {"dedup_scope": "galaxy"}}},
    {"namespaces": {"n": {"ttl": -1}}},
    {"namespaces": {"n": {"prune_after_days": 3}}},
    {"wrap": {"mode": "swallow"}},
    {"adaptive": {"learning_rate": 2}},
    {"enabled": "yes please"},
]


@pytest.mark.parametrize("settings", BAD_SETTINGS, ids=str)
def test_a_bad_setting_is_refused_before_a_directory_is_made(tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        OptimizationMiddleware(config=OptimizationConfig(**settings), path=tmp_path / "store", clock=ManualClock())
    assert list(tmp_path.iterdir()) == []


def test_unknown_names_suggest_the_nearest_one() -> None:
    with pytest.raises(ConfigurationError, match="eviction_policy"):
        OptimizationConfig(tiered_storage={"eviction_polcy": "lru"})
    with pytest.raises(ConfigurationError, match="moderate"):
        get_optimization_level_preset("moderat")


def test_arguments_that_exclude_each_other_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("enabled: true\n")
    with left_as_it_was(tmp_path):
        with pytest.raises(ConfigurationError, match="not both"):
            OptimizationMiddleware(config=OptimizationConfig(), config_path=file, path=tmp_path / "store")
        with pytest.raises(ConfigurationError):
            OptimizationMiddleware(config={"enabled": True}, path=tmp_path / "store")  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError):
            OptimizationMiddleware(config=OptimizationConfig(enabled=False), path=tmp_path / "store")


class NoProtocol:
    """Neither store/retrieve/delete, nor get/set/delete, nor a mapping."""

    def get(self, key: str) -> None:
        """Return nothing."""


@pytest.mark.parametrize(
    "engine", [5, "text", object(), NoProtocol(), [1, 2], {1, 2}, len],
    ids=["int", "str", "object", "half a protocol", "list", "set", "function"],
)  # fmt: skip
def test_an_engine_without_a_known_protocol_is_refused(tmp_path: Path, engine: object) -> None:
    with left_as_it_was(tmp_path):
        for config in (None, OptimizationConfig(enabled=True), OptimizationConfig(enabled=False)):
            with pytest.raises(ConfigurationError, match="retrieve"):
                OptimizationMiddleware(wrapped_engine=engine, config=config, path=tmp_path / "store")


def test_compressing_with_something_that_is_no_strategy_is_refused() -> None:
    engine = CompressionEngine()
    with pytest.raises(ConfigurationError):
        engine.compress({"a": 1}, strategy="zstd9")  # type: ignore[arg-type]
