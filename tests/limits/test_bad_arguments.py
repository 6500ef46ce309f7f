"""Bad keys, values and arguments: a precise error before anything changed."""

from __future__ import annotations

import math
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stratakv import CompressionStrategy, ManualClock, OptimizationConfig, OptimizationMiddleware, StorageTier
from stratakv.errors import CapacityError, ConfigurationError, SerializationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[OptimizationMiddleware]:
    with OptimizationMiddleware(path=tmp_path / "store", clock=ManualClock()) as memory:
        memory["kept"] = "value"
        memory.maintain()
        memory["journaled"] = [1, 2]
        yield memory


@contextmanager
def nothing_changes(memory: OptimizationMiddleware) -> Iterator[None]:
    """Fail if the block changed a value, a key, the journal, what is dirty or a counter of writes."""

    def state() -> tuple[object, ...]:
        parts = memory.tiered_storage._store.parts
        assert parts.journal is not None
        return (
            dict(memory), len(memory), parts.journal.last_sequence, parts.journal.bytes_on_disk, len(parts.dirty),
            dict(parts.pins), memory.get_statistics()["middleware"]["total_writes"],
            memory.get_statistics()["deduplication"]["total_references"], parts.labels.all_numbers(),
        )  # fmt: skip

    before = state()
    yield
    assert state() == before


BAD_KEYS: dict[str, tuple[Any, str]] = {
    "None": (None, "NoneType"),
    "int": (5, "int"),
    "bytes": (b"key", "bytes"),
    "tuple": (("a", 1), "tuple"),
    "list": (["a"], "list"),
    "float": (1.5, "float"),
    "str subclass": (type("Text", (str,), {})("key"), "Text"),
    "empty": ("", "empty"),
    "1025 bytes": ("k" * 1025, "1025 bytes"),
    "1025 bytes of two each": ("é" * 513, "1026 bytes"),
    "a megabyte": ("k" * (1 << 20), "1024"),
}

USES: dict[str, Any] = {
    "store": lambda memory, key: memory.store(key, 1),
    "setitem": lambda memory, key: memory.__setitem__(key, 1),
    "retrieve": lambda memory, key: memory.retrieve(key),
    "getitem": lambda memory, key: memory[key],
    "get": lambda memory, key: memory.get(key),
    "contains": lambda memory, key: key in memory,
    "delete": lambda memory, key: memory.delete(key),
    "add": lambda memory, key: memory.add(key, 1),
    "replace": lambda memory, key: memory.replace(key, 1, 2),
    "pop": lambda memory, key: memory.pop(key, None),
    "retrieve many": lambda memory, key: memory.retrieve_many(["kept", key]),
    "delete many": lambda memory, key: memory.delete_many(["kept", key]),
    "migrate": lambda memory, key: memory.tiered_storage.migrate_tier(key, StorageTier.COLD),
    "tier write": lambda memory, key: memory.tiered_storage.write(key, 1, tier=StorageTier.WARM),
    "tier read": lambda memory, key: memory.tiered_storage.read(key),
    "dedup write": lambda memory, key: memory.dedup_engine.write(key, 1),
    "dedup read": lambda memory, key: memory.dedup_engine.read(key),
}


@pytest.mark.parametrize("kind", list(BAD_KEYS))
def test_a_bad_key_is_a_configuration_error_everywhere(memory: OptimizationMiddleware, kind: str) -> None:
    key, said = BAD_KEYS[kind]
    with nothing_changes(memory):
        for name, use in USES.items():
            if kind == "list" and name in {"retrieve many", "delete many"}:
                continue  # unhashable
            with pytest.raises(ConfigurationError, match=said):
                use(memory, key)
        if kind != "list":
            with pytest.raises(ConfigurationError, match=said):
                memory.store_many({"new": 1, key: 2})


@pytest.mark.parametrize("key", ["k" * 1024, "é" * 512, "\ud800", "a\udfffb", "\0", " ", "日本", "\n"], ids=ascii)
def test_unusual_keys_that_are_accepted_work_everywhere(memory: OptimizationMiddleware, key: str) -> None:
    memory[key] = "unusual"
    for settle in (False, True):
        assert memory[key] == "unusual"
        assert key in memory
        assert key in set(memory)
        memory.maintain(settle=settle)
    assert memory.delete(key)
    assert key not in memory


class Opaque:
    """Of no accepted type."""


CYCLE: list[object] = []
CYCLE.append(CYCLE)
DEEP: list[object] = []
for _ in range(5000):
    DEEP = [DEEP]

BAD_VALUES: dict[str, object] = {
    "object": Opaque(),
    "lock": threading.Lock(),
    "function": len,
    "generator": (n for n in range(3)),
    "nested": {"a": [1, {"b": Opaque()}]},
    "dict key": {Opaque(): 1},
    "object array": np.array([object()], dtype=object),
    "cycle": CYCLE,
    "depth": DEEP,
    "int subclass": type("Number", (int,), {})(3),
}


@pytest.mark.parametrize("kind", list(BAD_VALUES))
def test_a_value_that_is_not_accepted_stores_nothing(memory: OptimizationMiddleware, kind: str) -> None:
    bad = BAD_VALUES[kind]
    with nothing_changes(memory):
        uses: tuple[Callable[[], object], ...] = (
            lambda: memory.store("new", bad),
            lambda: memory.store("kept", bad),
            lambda: memory.store_many({"one": 1, "two": bad, "three": 3}),
            lambda: memory.store_many([("kept", 5), ("journaled", bad)]),
            lambda: memory.add("new", bad),
            lambda: memory.replace("kept", bad, "value"),
            lambda: memory.replace("kept", 1, bad),
            lambda: memory.tiered_storage.write("kept", bad, pin_tier=True),
            lambda: memory.dedup_engine.write("new", bad),
            lambda: memory.update({"two": bad}),
            lambda: memory.setdefault("new", bad),
        )
        for use in uses:
            with pytest.raises(SerializationError):
                use()


def test_the_error_names_type_and_place_and_option(memory: OptimizationMiddleware) -> None:
    with pytest.raises(SerializationError, match="Opaque") as caught:
        memory.store("new", {"a": [1, {"b": Opaque()}]})
    assert '["a"][1]["b"]' in str(caught.value)
    assert "allow_pickle" in str(caught.value)


@pytest.mark.parametrize(
    "ttl", [0, -1, -0.5, math.nan, math.inf, -math.inf, "10", True, False, b"1", [1], 1j], ids=repr
)
def test_a_bad_ttl_stores_nothing(memory: OptimizationMiddleware, ttl: Any) -> None:
    with nothing_changes(memory):
        uses: tuple[Callable[[], object], ...] = (
            lambda: memory.store("new", 1, ttl=ttl),
            lambda: memory.store("kept", 1, ttl=ttl),
            lambda: memory.store_many({"new": 1}, ttl=ttl),
            lambda: memory.add("new", 1, ttl=ttl),
            lambda: memory.replace("kept", 1, "value", ttl=ttl),
        )
        for use in uses:
            with pytest.raises(ConfigurationError, match="ttl"):
                use()


@pytest.mark.parametrize("ttl", [1e300, 10**30, 3e11], ids=repr)
def test_an_endless_ttl_is_refused_or_kept(memory: OptimizationMiddleware, ttl: float) -> None:
    try:
        memory.store("long", 1, ttl=ttl)
    except ConfigurationError as error:
        assert "ttl" in str(error)  # noqa: PT017  # either outcome is right, a foreign error is not
        return
    memory.maintain()
    assert memory["long"] == 1


@pytest.mark.parametrize("tier", ["hot", 1, None, "COLD", object], ids=["str", "int", "none", "upper", "class"])
def test_a_bad_tier_stores_nothing(memory: OptimizationMiddleware, tier: Any) -> None:
    with nothing_changes(memory):
        uses: tuple[Callable[[], object], ...] = (
            lambda: memory.store("new", 1, tier=tier),
            lambda: memory.tiered_storage.write("kept", 1, tier=tier),
            lambda: memory.tiered_storage.migrate_tier("kept", tier),
        )
        for use in uses:
            with pytest.raises(ConfigurationError, match="StorageTier"):
                use()


@pytest.mark.parametrize(
    "namespace",
    ["", "n" * 256, "é" * 200, 5, b"name", ["n"]],
    ids=["empty", "256", "400 bytes", "int", "bytes", "list"],
)
def test_a_bad_namespace_stores_nothing(memory: OptimizationMiddleware, namespace: Any) -> None:
    with nothing_changes(memory):
        uses: tuple[Callable[[], object], ...] = (
            lambda: memory.store("new", 1, namespace=namespace),
            lambda: memory.store_many({"new": 1}, namespace=namespace),
            lambda: memory.add("new", 1, namespace=namespace),
            lambda: memory.replace("kept", 1, "value", namespace=namespace),
        )
        for use in uses:
            with pytest.raises(ConfigurationError, match="namespace"):
                use()


def test_a_namespace_with_a_lone_surrogate_is_kept_or_refused(memory: OptimizationMiddleware, tmp_path: Path) -> None:
    try:
        memory.store("key", 1, namespace="a\ud800")
    except ConfigurationError as error:
        assert "namespace" in str(error)  # noqa: PT017  # either outcome is right, a foreign error is not
    else:
        memory.maintain()
        assert memory["key"] == 1
        assert "a\ud800" in memory.get_statistics()["namespaces"]


def test_a_batch_beyond_the_limit_of_dirty_bytes_stores_nothing(tmp_path: Path) -> None:
    config = OptimizationConfig(storage={"path": str(tmp_path / "store"), "dirty_limit_mb": 0.1})
    with OptimizationMiddleware(config=config, clock=ManualClock()) as memory:
        memory["kept"] = 1
        with nothing_changes(memory), pytest.raises(CapacityError, match="split"):
            memory.store_many({f"k{n}": np.random.default_rng(n).bytes(5000) for n in range(40)})


def test_odd_batches(memory: OptimizationMiddleware) -> None:
    with nothing_changes(memory):
        assert memory.store_many({})
        assert memory.retrieve_many([]) == {}
        assert memory.delete_many([]) == 0
        assert memory.delete_many(["absent"]) == 0
        with pytest.raises(ConfigurationError):
            list(memory.keys(5))  # type: ignore[arg-type]
    assert memory.delete_many(["kept", "kept", "absent"]) == 1


@pytest.mark.parametrize("keys", ["kept", b"kept", bytearray(b"k"), 5, None], ids=repr)
def test_what_is_no_list_of_keys_deletes_and_finds_nothing(memory: OptimizationMiddleware, keys: Any) -> None:
    memory.store_many(dict.fromkeys("kept", 1))  # each of its letters is a key
    with nothing_changes(memory):
        for use in (memory.delete_many, memory.retrieve_many):
            with pytest.raises(ConfigurationError, match="list of keys"):
                use(keys)


@pytest.mark.parametrize("items", ["abc", b"abc", "", 5, ["kept"], [("kept", 1, 2)], [([], 1)], None], ids=repr)
def test_what_is_no_mapping_stores_nothing(memory: OptimizationMiddleware, items: Any) -> None:
    with nothing_changes(memory), pytest.raises(ConfigurationError, match="a mapping, or pairs"):
        memory.store_many(items)


@pytest.mark.parametrize("items", ["abc", b"abc", ""], ids=repr)
def test_a_text_updates_nothing(memory: OptimizationMiddleware, items: Any) -> None:
    with nothing_changes(memory), pytest.raises(ConfigurationError, match="a mapping, or pairs"):
        memory.update(items)


def test_a_failure_of_the_callers_own_generator_passes_through(memory: OptimizationMiddleware) -> None:
    def pairs() -> Iterator[tuple[str, object]]:
        yield "new", int("no number")

    with nothing_changes(memory), pytest.raises(ValueError, match="invalid literal") as caught:
        memory.store_many(pairs())
    assert not isinstance(caught.value, ConfigurationError)


def test_a_value_that_is_not_accepted_is_told_with_its_key(memory: OptimizationMiddleware, tmp_path: Path) -> None:
    many: dict[str, object] = {f"key {number}": number for number in range(1000)}
    many["key 700"] = {"a": Opaque()}
    uses: tuple[Callable[[], object], ...] = (
        lambda: memory.store_many(many),
        lambda: memory.store("key 700", {"a": Opaque()}),
        lambda: memory.add("key 700", {"a": Opaque()}),
        lambda: memory.tiered_storage.write("key 700", {"a": Opaque()}),
    )
    for use in uses:
        with pytest.raises(SerializationError, match=r"""Opaque at \["a"\].*'key 700'"""):
            use()
    with pytest.raises(SerializationError) as caught:
        memory.store("k" * 1024, Opaque())
    assert len(str(caught.value)) < 400


def test_pruning_without_a_bound_is_refused_at_the_call(memory: OptimizationMiddleware) -> None:
    with nothing_changes(memory), pytest.raises(ConfigurationError, match="min_confidence or max_edge_age_days"):
        memory.store("new", [{"weight": 0.1}], strategy=CompressionStrategy.GRAPH_PRUNE)
