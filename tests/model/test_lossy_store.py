"""Loss through the face: asked for by namespace, configuration or call; once; the same in every tier and life."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stratakv import CompressionStrategy, OptimizationConfig, OptimizationMiddleware, StorageTier
from stratakv.clock import ManualClock
from stratakv.errors import ConfigurationError, SerializationError

if TYPE_CHECKING:
    from pathlib import Path

INT8, INT4 = CompressionStrategy.QUANTIZE_INT8, CompressionStrategy.QUANTIZE_INT4


def vector(number: int, row: int = 96) -> np.ndarray:
    return np.random.default_rng(number).standard_normal(row).astype("f4")


def open_store(path: Path, **settings: Any) -> OptimizationMiddleware:
    config = OptimizationConfig(enabled=True, storage={"path": str(path)}, **settings)
    return OptimizationMiddleware(config=config, clock=ManualClock())


LOSSY = {"vectors": {"match": "v:*", "lossy": True, "strategy": "quantize_int8"}}


def test_without_permission_every_bit_stays(tmp_path: Path) -> None:
    with open_store(tmp_path / "s") as memory:
        memory["v:1"] = vector(1)
        memory.maintain(settle=True)
        assert memory["v:1"].tobytes() == vector(1).tobytes()
        assert memory.get_statistics()["compression"]["loss"]["values"] == {}


def test_a_lossy_value_is_the_same_in_every_tier_and_after_reopening(tmp_path: Path) -> None:
    with open_store(tmp_path / "s", namespaces=LOSSY) as memory:
        memory.store("v:1", {"id": "one", "v": vector(1)})
        memory.store("exact", {"id": "one", "v": vector(1)})
        hot = memory["v:1"]
        error = np.abs(hot["v"] - vector(1)).max() / np.abs(vector(1)).max()
        assert 0 < error <= 0.5 / 127 * 1.001
        assert (hot["v"].dtype, hot["v"].shape, hot["id"]) == (np.float32, (96,), "one")
        seen = [hot]
        memory.maintain()
        seen.append(memory["v:1"])
        memory.maintain(settle=True)
        value, tier = memory.tiered_storage.read("v:1")
        assert tier is StorageTier.COLD
        seen.append(value)
        assert memory["exact"]["v"].tobytes() == vector(1).tobytes()
    with open_store(tmp_path / "s", namespaces=LOSSY) as memory:
        seen.append(memory["v:1"])
        memory.store("v:1", memory["v:1"])  # what was lost is lost once: storing it again changes nothing
        seen.append(memory["v:1"])
    assert len({each["v"].tobytes() for each in seen}) == 1


def test_settled_vectors_take_a_quarter_and_an_eighth(tmp_path: Path) -> None:
    for strategy, saved in (("quantize_int8", 0.74), ("quantize_int4", 0.86)):
        namespaces = {"vectors": {"match": "*", "lossy": True, "strategy": strategy}}
        with open_store(tmp_path / strategy, namespaces=namespaces) as memory:
            for number in range(400):
                memory[f"v:{number}"] = vector(number, 384)
            memory.maintain(settle=True)
            plain = memory.get_statistics()["overall"]["plaintext_bytes"]
            assert memory.get_statistics()["storage"]["cold_bytes"] <= (1 - saved) * plain


def test_past_the_bound_the_value_is_kept_exactly_and_counted(tmp_path: Path) -> None:
    strict = {"vectors": {**LOSSY["vectors"], "strategy": "quantize_int4", "max_relative_error": 0.001}}
    with open_store(tmp_path / "s", namespaces=strict) as memory:
        memory["v:1"] = vector(1)
        odd = vector(2)
        odd[5] = np.nan
        memory["v:2"] = odd
        assert memory["v:1"].tobytes() == vector(1).tobytes()
        assert memory["v:2"].tobytes() == odd.tobytes()
        loss = memory.get_statistics()["compression"]["loss"]
        assert loss["kept_exactly"] == {"past the bound": 1, "not finite": 1}
        assert loss["values"] == {}


def test_a_call_is_a_permission_for_its_value_alone(tmp_path: Path) -> None:
    with open_store(tmp_path / "s") as memory:
        memory.store("a", vector(1), strategy=INT4)
        memory.store("b", vector(1))
        memory.store("c", vector(1), strategy=CompressionStrategy.LZMA)
        assert memory["a"].tobytes() != vector(1).tobytes()
        assert memory["b"].tobytes() == memory["c"].tobytes() == vector(1).tobytes()
        usage = memory.get_statistics()["compression"]["strategy_usage"]
        assert usage.get("quantize_int4") == 1


def test_a_call_may_ask_for_exactness_in_a_lossy_namespace(tmp_path: Path) -> None:
    with open_store(tmp_path / "s", namespaces=LOSSY) as memory:
        memory.store("v:1", vector(1), strategy=CompressionStrategy.ZSTD)
        assert memory["v:1"].tobytes() == vector(1).tobytes()


def test_configuration_allows_loss_for_all_and_a_namespace_forbids_it(tmp_path: Path) -> None:
    namespaces = {"exact": {"match": "x:*", "lossy": False}}
    with open_store(tmp_path / "s", compression={"lossy": True}, namespaces=namespaces) as memory:
        memory.store_many({"v:1": vector(1), "x:1": vector(1)})
        assert memory["v:1"].tobytes() != vector(1).tobytes()
        assert memory["x:1"].tobytes() == vector(1).tobytes()


def test_every_door_loses_alike_and_shares_contents(tmp_path: Path) -> None:
    with open_store(tmp_path / "s", namespaces=LOSSY) as memory:
        first, _ = memory.dedup_engine.write("v:1", vector(1))
        second, duplicate = memory.dedup_engine.write("v:2", vector(1))
        memory.tiered_storage.write("v:3", vector(1), tier=StorageTier.HOT, pin_tier=True)
        assert (first, duplicate) == (second, True)
        assert memory["v:3"].tobytes() == memory["v:1"].tobytes()
        plain, _ = memory.dedup_engine.write("plain", vector(1))
        assert plain != first


def test_a_lossless_key_shares_with_a_lossy_one_only_if_the_bytes_are_equal(tmp_path: Path) -> None:
    with open_store(tmp_path / "s", namespaces=LOSSY) as memory:
        lossy_digest, _ = memory.dedup_engine.write("v:1", vector(1))
        same_digest, duplicate = memory.dedup_engine.write("copy", memory["v:1"])
        assert (same_digest, duplicate) == (lossy_digest, True)


def test_replace_compares_with_what_is_stored(tmp_path: Path) -> None:
    with open_store(tmp_path / "s", namespaces=LOSSY) as memory:
        memory["v:1"] = vector(1)
        assert memory.replace("v:1", vector(2), memory["v:1"])
        assert not memory.replace("v:1", vector(3), vector(2))


def test_graphs_lose_weak_edges_and_nothing_else(tmp_path: Path) -> None:
    namespaces = {"graphs": {"match": "g:*", "lossy": True, "strategy": "graph_prune", "min_confidence": 0.5}}
    edges = [[f"p{n % 97}", f"r{n % 3}", f"p{n * 7 % 89}", n % 100 / 100] for n in range(2_000)]
    with open_store(tmp_path / "s", namespaces=namespaces) as memory:
        memory["g:1"] = {"name": "graph", "edges": edges}
        memory.maintain(settle=True)
        assert memory["g:1"] == {"name": "graph", "edges": [edge for edge in edges if edge[3] >= 0.5]}  # type: ignore[operator]
        assert memory.get_statistics()["compression"]["loss"]["edges_removed"] == 1_000


def test_release_gives_back_what_is_stored(tmp_path: Path) -> None:
    engine = {"v:1": vector(1)}
    config = OptimizationConfig(enabled=True, storage={"path": str(tmp_path / "s")}, namespaces=LOSSY)
    with OptimizationMiddleware(engine, config, clock=ManualClock()) as memory:
        adopted = memory["v:1"]
        memory.release()
    assert engine["v:1"].tobytes() == adopted.tobytes() != vector(1).tobytes()


def test_loss_is_refused_where_the_engine_is_the_record(tmp_path: Path) -> None:
    config = OptimizationConfig(enabled=True, wrap={"mode": "write_through"}, storage={"path": str(tmp_path / "s")})
    engine: dict[str, Any] = {}
    with OptimizationMiddleware(engine, config, clock=ManualClock()) as memory:
        with pytest.raises(ConfigurationError, match="write_through"):
            memory.store("v:1", vector(1), strategy=INT8)
        assert engine == {}
    for settings in ({"namespaces": LOSSY}, {"compression": {"lossy": True}}):
        refused = OptimizationConfig(enabled=True, wrap={"mode": "write_through"}, **settings)
        with pytest.raises(ConfigurationError, match="write_through"):
            OptimizationMiddleware({}, refused)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"compression": {"default_strategy": "quantize_int8"}}, "lossy: true"),
        ({"namespaces": {"v": {"strategy": "binarize"}}}, "namespaces.v.strategy"),
        ({"namespaces": {"v": {"strategy": "binarize", "lossy": False}}}, "namespaces.v.strategy"),
        ({"namespaces": {"v": {"strategy": "quantise_int8"}}}, "quantize_int8"),
        ({"compression": {"min_cosine": 1.5}}, "min_cosine"),
        ({"compression": {"max_relative_error": 0}}, "max_relative_error"),
        ({"compression": {"store_budget_us_per_kb": 0}}, "store_budget_us_per_kb"),
    ],
)
def test_contradictions_and_wrong_bounds_are_named_before_anything_is_made(
    tmp_path: Path, settings: dict[str, Any], named: str
) -> None:
    config = OptimizationConfig(enabled=True, storage={"path": str(tmp_path / "s")}, **settings)
    with pytest.raises(ConfigurationError, match=named):
        OptimizationMiddleware(config=config)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("wrong", ["quantize_int8", 8, "zip"])
def test_a_strategy_that_is_none_is_refused_naming_them_all(tmp_path: Path, wrong: Any) -> None:
    with open_store(tmp_path / "s") as memory:
        with pytest.raises(ConfigurationError, match=r"QUANTIZE_INT8.*ADAPTIVE"):
            memory.store("a", vector(1), strategy=wrong)
        with pytest.raises(ConfigurationError, match=r"QUANTIZE_INT8.*ADAPTIVE"):
            memory.compression_engine.compress(vector(1), strategy=wrong)
        assert "a" not in memory


class TickingClock(ManualClock):
    """Passes a little at every look."""

    step = 0.0

    def now(self) -> float:
        self.advance(self.step)
        return super().now()


def test_loss_is_decided_once_for_a_store(tmp_path: Path) -> None:
    clock = TickingClock()
    namespaces = {
        "graphs": {"match": "g:*", "lossy": True, "strategy": "graph_prune", "max_edge_age_days": 1.0},
    }
    config = OptimizationConfig(enabled=True, storage={"path": str(tmp_path / "s")}, namespaces=namespaces)
    with OptimizationMiddleware(config=config, clock=clock) as memory:
        edges = [["a", "k", "b", 0.9, clock.now() - 86_400 + 20], ["a", "k", "c", 0.9, clock.now()]]
        memory.store("g:1", edges)
        memory.maintain(settle=True)
        memory.store("g:pinned", "x", pin=True)
        clock.step = 10.0
        memory.store("g:pinned", edges)
        clock.step = 0.0
        hot = memory["g:pinned"]
        memory.tiered_storage.unpin("g:pinned")
        memory.maintain(settle=True)
        assert memory["g:pinned"] == hot


def test_values_that_are_not_stored_lose_nothing_in_the_statistics(tmp_path: Path) -> None:
    with open_store(tmp_path / "s", namespaces=LOSSY) as memory:
        memory["v:1"] = vector(1)
        before = memory.get_statistics()["compression"]["loss"]
        with pytest.raises(SerializationError):
            memory.store("v:2", {"a": vector(2), "o": object()})
        assert not memory.add("v:1", vector(3))
        assert not memory.replace("v:1", vector(4), vector(5))
        assert memory.get_statistics()["compression"]["loss"] == before


def test_a_value_that_contains_itself_is_refused_at_once(tmp_path: Path) -> None:
    cycle: list[Any] = []
    cycle += [cycle, cycle]
    with open_store(tmp_path / "s", namespaces=LOSSY) as memory:
        with pytest.raises(SerializationError):
            memory["v:1"] = cycle
        with pytest.raises(SerializationError):
            memory.store("x", cycle, strategy=CompressionStrategy.BINARIZE)
