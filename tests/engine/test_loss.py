"""Loss: only by permission, measured on what is stored, within its bound, and never of what it does not speak of."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratakv.clock import ManualClock
from stratakv.config import NamespaceConfig, OptimizationConfig
from stratakv.engine.compression import CompressionEngine
from stratakv.engine.loss import LossRule, Permissions, lose
from stratakv.engine.loss.arrays import binarised, measured, quantised
from stratakv.errors import ConfigurationError, SerializationError
from stratakv.types import CompressionStrategy

INT8, INT4 = CompressionStrategy.QUANTIZE_INT8, CompressionStrategy.QUANTIZE_INT4
SIGNS, PRUNE = CompressionStrategy.BINARIZE, CompressionStrategy.GRAPH_PRUNE
NOW = 1_700_000_000.0


def rule(**changes: Any) -> LossRule:
    settings_ = {
        "arrays": INT8, "max_relative_error": None, "min_cosine": -1.0, "prunes": False, "min_confidence": None,
        "max_age_seconds": None,
    }  # fmt: skip
    return LossRule(**{**settings_, **changes})


def vectors(rows: int = 20, row: int = 64, dtype: str = "f4") -> np.ndarray:
    return np.random.default_rng(5).standard_normal((rows, row)).astype(dtype)


# -- what is measured ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bits", "error"), [(8, 0.5 / 127 * 1.001), (4, 0.5 / 7 * 1.001)])
@pytest.mark.parametrize("dtype", ["<f4", "<f8", ">f4"])
def test_quantised_numbers_are_within_half_a_step(bits: int, error: float, dtype: str) -> None:
    before = vectors(dtype=dtype)
    after = quantised(before, bits)
    assert (after.dtype, after.shape) == (before.dtype, before.shape)
    worst = (np.abs(before - after).max(axis=1) / np.abs(before).max(axis=1)).max()
    assert worst <= error
    assert measured(before, after)[0] == pytest.approx(worst, rel=1e-6)


def test_cosine_is_that_of_the_worst_row() -> None:
    before = vectors()
    after = binarised(before)
    each = (before * after).sum(1) / np.linalg.norm(before, axis=1) / np.linalg.norm(after, axis=1)
    assert measured(before, after)[1] == pytest.approx(each.min(), rel=1e-6)


@pytest.mark.parametrize("scale", [1e-30, 1e30, 1e-200, 1e200])
def test_measuring_survives_extreme_magnitudes(scale: float) -> None:
    before = vectors(dtype="f8") * scale
    error, cosine = measured(before, quantised(before, 8))
    assert error < 0.004
    assert cosine > 0.9999


def test_numbers_that_overflow_or_vanish_count_as_lost() -> None:
    huge = np.full((1, 16), np.finfo("f4").max, "f4")
    tiny = np.array([[1e-45] * 15 + [3e-45]], "f4")
    for array in (huge, tiny):
        after, loss = lose(array, rule(max_relative_error=0.01, min_cosine=0.999), NOW)
        assert after is array or loss.relative_error <= 0.01
    assert measured(huge, np.full_like(huge, np.inf)) == (float("inf"), -1.0)


@pytest.mark.parametrize("strategy", [INT8, INT4, SIGNS])
def test_fortran_order_stays(strategy: CompressionStrategy) -> None:
    array = np.asfortranarray(vectors())
    after, _ = lose(array, rule(arrays=strategy), NOW)
    assert isinstance(after, np.ndarray)
    assert after.flags.f_contiguous
    assert not np.array_equal(after, array)


# -- what is left alone --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "array",
    [
        np.arange(100), np.zeros((0, 16), "f4"), np.array(1.5), np.ones(5, "f4"), np.ones(40, "c8"),
        np.arange(64) % 2 == 0, np.array(["a"] * 20), np.zeros(20, [("x", "f4")]),
    ],
    ids=["integers", "empty", "0-d", "short rows", "complex", "bool", "text", "structured"],
)  # fmt: skip
def test_arrays_of_other_kinds_are_not_touched(array: np.ndarray) -> None:
    after, loss = lose({"a": array}, rule(), NOW)
    assert isinstance(after, dict)
    assert after["a"] is array
    assert loss.arrays == 0


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_kept_exactly_and_counted(odd: float) -> None:
    array = vectors()
    array[3, 7] = odd
    after, loss = lose([array, vectors()], rule(), NOW)
    assert isinstance(after, list)
    assert after[0] is array
    assert after[1] is not array
    assert loss.kept_exactly == {"not finite": 1}
    assert loss.arrays == 1


def test_past_the_bound_a_value_is_kept_exactly_and_counted() -> None:
    array = vectors()
    for strict in (rule(arrays=INT4, min_cosine=0.9999), rule(arrays=INT4, max_relative_error=0.001)):
        after, loss = lose(array, strict, NOW)
        assert after is array
        assert loss.kept_exactly == {"past the bound": 1}
        assert (loss.strategy, loss.arrays) == (None, 0)


def test_callers_objects_are_never_changed() -> None:
    array = vectors()
    before = array.tobytes()
    edges = [["a", "r", "b", 0.1], ["a", "r", "c", 0.9]]
    value = {"deep": [{"v": array}, (array, edges)]}
    after, _ = lose(value, rule(prunes=True, min_confidence=0.5), NOW)
    assert array.tobytes() == before
    assert len(edges) == 2
    assert isinstance(after, dict)
    assert after["deep"][1][1] == [["a", "r", "c", 0.9]]
    assert type(after["deep"][1]) is tuple


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(0, 5), row=st.integers(0, 40), dtype=st.sampled_from(["f2", "f4", "f8"]),
    scale=st.sampled_from([0.0, 1e-40, 1e-6, 1.0, 1e30]), strategy=st.sampled_from([INT8, INT4, SIGNS]),
    cosine=st.sampled_from([-1.0, 0.7, 0.999]), seed=st.integers(0, 999),
)  # fmt: skip
def test_loss_is_never_past_its_bound(
    rows: int, row: int, dtype: str, scale: float, strategy: CompressionStrategy, cosine: float, seed: int
) -> None:
    with np.errstate(over="ignore", under="ignore"):
        array = (np.random.default_rng(seed).standard_normal((rows, row)) * scale).astype(dtype)
    after, loss = lose(array, rule(arrays=strategy, min_cosine=cosine), NOW)
    assert isinstance(after, np.ndarray)
    assert (after.dtype, after.shape) == (array.dtype, array.shape)
    if after is not array:
        assert measured(array, after)[1] >= cosine
        assert loss.cosine >= cosine


# -- graphs --------------------------------------------------------------------------------------------------

OLD, NEW = NOW - 10 * 86_400, NOW - 3_600


@pytest.mark.parametrize(
    ("edges", "kept"),
    [
        ([["a", "r", "b", 0.2], ["a", "r", "c", 0.8]], [1]),
        ([("a", "r", "b", 0.8, OLD), ("a", "r", "c", 0.8, NEW)], [1]),
        ([["a", "b", 0.2], ["a", "c", 0.8]], [1]),
        ([{"source": "a", "target": "b", "weight": 0.2}, {"source": "a", "target": "c"}], [1]),
        (
            [{"head": 1, "tail": 2, "score": 0.9, "timestamp": OLD}, {"head": 1, "tail": 3, "score": 0.9, "ts": NEW}],
            [1],
        ),
        (
            [
                {"from": "a", "to": "b", "created_at": dt.datetime.fromtimestamp(OLD, dt.UTC)},
                {"from": "a", "to": "c", "created_at": dt.datetime.fromtimestamp(NEW, dt.UTC)},
            ],
            [1],
        ),
        ([["a", "r", "b"], ["a", "r", "c"]], [0, 1]),
        ([["a", "r", "b", "0.2"], ["a", "r", "c", "0.1"]], [0, 1]),
        ([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], [0, 1]),
        ([], []),
    ],
)
def test_weak_and_old_edges_go_and_nothing_else(edges: list[Any], kept: list[int]) -> None:
    pruning = rule(arrays=None, prunes=True, min_confidence=0.5, max_age_seconds=86_400.0)
    after, loss = lose({"edges": edges}, pruning, NOW)
    assert after == {"edges": [edges[place] for place in kept]}
    assert loss.edges_removed == len(edges) - len(kept)


# -- permission ----------------------------------------------------------------------------------------------


def permissions(**compression: Any) -> Permissions:
    return Permissions(OptimizationConfig(compression=compression))


def test_without_permission_there_is_no_rule() -> None:
    assert permissions().rule(None) is None
    assert permissions().rule(NamespaceConfig()) is None
    assert permissions(lossy=True).rule(NamespaceConfig(lossy=False)) is None
    assert permissions(lossy=True).rule(None, CompressionStrategy.ZSTD) is None
    assert permissions(lossy=True, default_strategy="zstd").rule(None) is None


@pytest.mark.parametrize(("bits", "strategy"), [(8, INT8), (4, INT4)])
def test_adaptive_with_permission_quantises_to_the_configured_bits(bits: int, strategy: CompressionStrategy) -> None:
    for found in (
        permissions(lossy=True, quantization_bits=bits).rule(None),
        permissions(quantization_bits=bits).rule(NamespaceConfig(lossy=True)),
    ):
        assert found is not None
        assert found.arrays is strategy
        assert not found.prunes


def test_a_namespace_outranks_the_section_and_a_call_both() -> None:
    given_ = permissions(lossy=True, min_cosine=0.9, max_relative_error=0.2)
    found = given_.rule(NamespaceConfig(strategy="quantize_int4", min_cosine=0.8))
    assert found is not None
    assert (found.arrays, found.min_cosine, found.max_relative_error) == (INT4, 0.8, 0.2)
    asked = permissions().rule(NamespaceConfig(), SIGNS)
    assert asked is not None
    assert asked.arrays is SIGNS
    with pytest.raises(ConfigurationError, match="lossy: false"):
        permissions(lossy=True).rule(NamespaceConfig(lossy=False), SIGNS)


def test_without_compression_nothing_is_lost() -> None:
    for settings_ in ({"enable_compression": False}, {"compression": {"enabled": False, "lossy": True}}):
        engine = CompressionEngine(OptimizationConfig(**settings_))
        for strategy in (None, INT8):
            back = engine.decompress(engine.compress(vectors(), strategy)).data
            assert isinstance(back, np.ndarray)
            assert back.tobytes() == vectors().tobytes()


def test_pruning_needs_a_limit() -> None:
    with pytest.raises(ConfigurationError, match="min_confidence or max_edge_age_days"):
        permissions().rule(None, PRUNE)
    with pytest.raises(ConfigurationError, match="min_confidence or max_edge_age_days"):
        CompressionEngine().compress([["a", "b", 0.5]], PRUNE)
    found = permissions(max_edge_age_days=7).rule(None, PRUNE)
    assert found is not None
    assert (found.arrays, found.prunes, found.max_age_seconds) == (None, True, 7 * 86_400)


# -- the engine ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("strategy", "saved"), [(INT8, 0.73), (INT4, 0.86), (SIGNS, 0.95)])
def test_engine_tells_strategy_sizes_and_error(strategy: CompressionStrategy, saved: float) -> None:
    engine = CompressionEngine(clock=ManualClock())
    array = vectors(100, 128)
    result = engine.compress({"id": 1, "v": array}, strategy)
    assert result.strategy is strategy
    assert result.space_saved >= saved
    assert result.loss is not None
    assert result.loss.arrays == 1
    back = engine.decompress(result).data
    assert isinstance(back, dict)
    error, cosine = measured(array, back["v"])
    assert (result.loss.relative_error, result.loss.cosine) == (error, cosine)
    statistics = engine.get_statistics()["loss"]
    assert statistics["values"] == {strategy.value: 1}
    assert statistics["least_cosine"] == cosine


def test_lossless_strategies_say_that_nothing_was_lost() -> None:
    engine = CompressionEngine()
    for strategy in (None, CompressionStrategy.ADAPTIVE, CompressionStrategy.BLOSC, CompressionStrategy.NUMERIC):
        assert engine.compress(vectors(), strategy).loss is None


def test_pruned_graph_is_stored_in_columns() -> None:
    engine = CompressionEngine(OptimizationConfig(compression={"min_confidence": 0.5}))
    edges = [[f"p{n % 97}", f"r{n % 3}", f"p{n * 7 % 89}", n % 100 / 100] for n in range(2_000)]
    result = engine.compress(edges, PRUNE)
    assert result.strategy is PRUNE
    assert result.loss is not None
    assert (result.loss.edges, result.loss.edges_removed) == (2_000, 1_000)
    assert engine.decompress(result).data == [edge for edge in edges if edge[3] >= 0.5]  # type: ignore[operator]


def bounded() -> CompressionEngine:
    """Return an engine that every strategy can be asked of: pruning needs a bound."""
    return CompressionEngine(OptimizationConfig(compression={"min_confidence": 0.5}))


@pytest.mark.parametrize("strategy", list(CompressionStrategy))
def test_objects_are_refused_by_name_under_every_strategy(strategy: CompressionStrategy) -> None:
    with pytest.raises(SerializationError, match="object"):
        bounded().compress({"a": np.array([object()])}, strategy)


@pytest.mark.parametrize("strategy", list(CompressionStrategy))
@pytest.mark.parametrize(
    "array",
    [
        np.array(2.5), np.zeros((0, 3)), np.array([-0.0, 0.0] * 40), np.full(40, 5e-324), np.full(64, np.nan),
        np.array([np.inf, -np.inf] * 32, "f4"),
    ],
    ids=["0-d", "empty", "negative zero", "subnormal", "nan", "infinite"],
)  # fmt: skip
def test_odd_arrays_come_back_to_the_bit_under_every_strategy(strategy: CompressionStrategy, array: np.ndarray) -> None:
    engine = bounded()
    result = engine.compress(array, strategy)
    back = engine.decompress(result).data
    assert isinstance(back, np.ndarray)
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    if result.loss is None or not result.loss.arrays:
        assert back.tobytes() == array.tobytes()
    else:
        np.testing.assert_array_equal(back, array)


def test_an_edge_with_an_impossible_time_stays() -> None:
    edges = [["a", "k", "b", 0.9, 10**400], ["a", "k", "c", 0.9, OLD]]
    after, _ = lose(edges, rule(arrays=None, prunes=True, max_age_seconds=60.0), NOW)
    assert after == edges[:1]


@pytest.mark.parametrize(("dtype", "scale"), [("f2", 1.0), ("f2", 1e-3), ("f2", 1e-5), ("f4", 1e-40), ("f8", 1e-320)])
@pytest.mark.parametrize("strategy", [INT8, INT4, SIGNS])
def test_what_was_quantised_once_is_left_as_it_is(dtype: str, scale: float, strategy: CompressionStrategy) -> None:
    with np.errstate(under="ignore"):
        arrays = [(vectors(1, 64, "f8")[0] * factor * scale).astype(dtype) for factor in np.linspace(0.3, 3, 60)]
    for array in arrays:
        once, _ = lose(array, rule(arrays=strategy), NOW)
        again, _ = lose(once, rule(arrays=strategy), NOW)
        assert isinstance(once, np.ndarray)
        assert isinstance(again, np.ndarray)
        assert again.tobytes() == once.tobytes()


def test_the_largest_numbers_are_kept_without_a_warning() -> None:
    array = np.full(64, 1.7e308)
    for strategy in (INT8, INT4, SIGNS):
        after, _ = lose(array, rule(arrays=strategy, min_cosine=0.5), NOW)
        assert isinstance(after, np.ndarray)
        assert np.isfinite(after).all()
