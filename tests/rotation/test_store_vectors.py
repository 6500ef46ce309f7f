"""Which arrays a rotation changes: by type, shape and what they hold; all others are kept and counted, none is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stratakv.engine.codecs.rotated import ID
from tests.rotation.rotated_stores import BOUND, ROTATED, book, cosine, feed, in_ram, loss, open_store, rotations
from tests.rotation.vectors import flat, steep

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stratakv import OptimizationMiddleware

Array = np.ndarray[Any, Any]


@pytest.fixture
def trained(tmp_path: Path) -> Iterator[OptimizationMiddleware]:
    """A store that has learned a rotation of vectors with 64 numbers."""
    with open_store(tmp_path / "s") as memory:
        feed(memory, steep(600, 64))
        memory.maintain()
        assert rotations(memory)
        yield memory


def kept(memory: OptimizationMiddleware) -> dict[str, int]:
    counted: dict[str, int] = loss(memory)["kept_exactly"]
    return counted


def test_what_is_not_finite_or_zero_stays_and_is_counted(trained: OptimizationMiddleware) -> None:
    row = steep(1, 64, seed=2)[0]
    for number, odd in enumerate((np.nan, np.inf, -np.inf)):
        trained[f"v:odd{number}"] = np.where(np.arange(64) == 9, np.float32(odd), row)
        assert trained[f"v:odd{number}"].tobytes() == np.where(np.arange(64) == 9, np.float32(odd), row).tobytes()
    trained["v:zero"] = np.zeros(64, "f4")
    trained["v:minus"] = np.full(64, -0.0, "f4")
    assert trained["v:zero"].tobytes() == bytes(256)
    assert trained["v:minus"].tobytes() == np.full(64, -0.0, "f4").tobytes()
    assert kept(trained) == {"not finite": 3, "zero": 2}


def test_another_dimension_gets_steps_of_8_bits_and_is_counted(trained: OptimizationMiddleware) -> None:
    before = loss(trained)["without_rotation"]
    other = steep(1, 80, seed=2)[0]
    trained["v:other"] = other
    assert trained["v:other"].tobytes() != other.tobytes()
    assert cosine(other, trained["v:other"]) >= BOUND
    after = loss(trained)["without_rotation"]
    assert after["other dimension"] - before.get("other dimension", 0) == 1


def test_short_arrays_and_integers_are_left_alone(trained: OptimizationMiddleware) -> None:
    for number, value in enumerate((np.arange(15, dtype="f4") / 7, np.arange(64), np.float32(0.3), flat(1, 64)[0] > 0)):
        trained[f"v:plain{number}"] = value
        assert np.asarray(trained[f"v:plain{number}"]).tobytes() == np.asarray(value).tobytes()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("length", [1e-3, 1.0, 1e4])
def test_vectors_of_every_type_and_length_keep_the_bound(
    trained: OptimizationMiddleware, dtype: str, length: float
) -> None:
    row = (steep(1, 64, seed=2)[0] * length).astype(dtype)
    trained["v:one"] = row
    found = trained["v:one"]
    assert (found.dtype, found.shape) == (row.dtype, row.shape)
    assert cosine(row, found) >= BOUND
    trained.maintain(settle=True)
    assert trained["v:one"].tobytes() == found.tobytes()


@pytest.mark.parametrize("length", [1e-43, 1e-38, 1e37, 3e38])
def test_vectors_past_what_a_rotation_holds_come_back_within_the_bound(
    trained: OptimizationMiddleware, length: float
) -> None:
    row = (steep(1, 64, seed=2)[0].astype("f8") * length).astype("f4")
    trained["v:far"] = row
    found = trained["v:far"]
    assert np.isfinite(found).all()
    assert found.tobytes() == row.tobytes() or cosine(row, found) >= BOUND
    trained.maintain(settle=True)
    assert trained["v:far"].tobytes() == found.tobytes()


def test_foreign_byte_order_stays_exactly(trained: OptimizationMiddleware) -> None:
    row = steep(1, 64, seed=2)[0].astype(">f4")
    trained["v:big"] = row
    assert trained["v:big"].tobytes() == row.tobytes()
    assert kept(trained) == {"foreign byte order": 1}


def within_bound(memory: OptimizationMiddleware, rows: Array) -> Array:
    """Return the rows that the current rotation changes within the bound."""
    rotation = book(memory).fitting(rotations_of(memory), 64, BOUND)
    assert rotation is not None
    changed = rotation.changed(rows)
    return rows[[cosine(one, other) >= BOUND for one, other in zip(rows, changed, strict=True)]]


def rotations_of(memory: OptimizationMiddleware) -> int:
    """Return the number of the namespace that has learned."""
    return memory.tiered_storage._store.parts.labels.numbers("vectors")[0]


def test_a_matrix_with_a_row_past_the_bound_gets_steps_of_8_bits(trained: OptimizationMiddleware) -> None:
    rows = steep(2000, 64, seed=2)
    assert len(within_bound(trained, rows)) < len(rows)
    trained["v:rows"] = rows[:400]
    assert cosine(rows[:400], trained["v:rows"]) >= BOUND
    assert loss(trained)["without_rotation"]["past the bound"] == 1


def test_a_matrix_is_changed_row_by_row(trained: OptimizationMiddleware) -> None:
    rows = within_bound(trained, steep(60, 64, seed=2))[:40]
    for key, value in (("v:c", rows), ("v:cube", rows.reshape(4, 10, 64))):
        trained[key] = value
        found = trained[key]
        assert found.shape == value.shape
        assert cosine(value, found) >= BOUND
        assert in_ram(trained, key).codec == ID
        assert len(in_ram(trained, key).payload) < rows.nbytes / 6
        trained.maintain(settle=True)
        assert trained[key].tobytes() == found.tobytes()


def test_a_matrix_in_fortran_order_keeps_order_and_bound(trained: OptimizationMiddleware) -> None:
    for key, value in (("v:f", np.asfortranarray(steep(50, 64, seed=2))), ("v:t", steep(50, 64, seed=2).T)):
        trained[key] = value
        found = trained[key]
        assert found.flags.f_contiguous
        assert found.shape == value.shape
        assert cosine(value, found) >= BOUND
        trained.maintain(settle=True)
        assert trained[key].tobytes("A") == found.tobytes("A")


def test_a_matrix_with_one_bad_row_stays_whole_and_is_counted(trained: OptimizationMiddleware) -> None:
    rows = steep(5, 64, seed=2)
    rows[3] = 0
    trained["v:rows"] = rows
    assert trained["v:rows"].tobytes() == rows.tobytes()
    assert kept(trained) == {"zero": 1}


def test_vectors_inside_of_values_are_changed_and_the_rest_is_not(trained: OptimizationMiddleware) -> None:
    rows = steep(300, 64, seed=2)
    values = {
        f"v:doc{number:03d}": {
            "text": f"What document {number} says of the matter. " * (1 + number % 4),
            "vector": row,
            "parts": [rows[number - 1], {"scores": np.arange(number % 7), "none": None}],
        }
        for number, row in enumerate(rows)
    }
    trained.maintain(settle=True)
    before = trained.get_statistics()["storage"]["cold_bytes"]
    trained.store_many(values)
    seen: dict[str, Any] = {key: trained[key] for key in values}
    for _ in range(2):
        for key, value in values.items():
            found = trained[key]
            assert found["text"] == value["text"]
            assert found["vector"].tobytes() == seen[key]["vector"].tobytes()
            assert cosine(value["vector"], found["vector"]) >= BOUND
            assert np.array_equal(found["parts"][1]["scores"], value["parts"][1]["scores"])
        trained.maintain(settle=True)
    # Not one vector was left to codecs that cannot do anything with it.
    plain = sum(2 * row.nbytes for row in rows)
    assert trained.get_statistics()["storage"]["cold_bytes"] - before < plain / 4


def test_exact_values_beside_rotated_ones_share_no_block_with_them(trained: OptimizationMiddleware) -> None:
    exact = {f"v:{number:05d}x": np.arange(number, number + 64) for number in range(0, 600, 3)}
    trained.store_many(exact)
    before = {key: trained[key].tobytes() for key in trained}
    trained.maintain(settle=True)
    assert {key: trained[key].tobytes() for key in trained} == before
    assert all(before[key] == value.tobytes() for key, value in exact.items())


def test_the_error_is_bounded_too_where_that_is_asked(tmp_path: Path) -> None:
    strict = {"vectors": {**ROTATED["vectors"], "max_relative_error": 0.01}}
    rows = steep(900, 64)
    with open_store(tmp_path / "s", namespaces=strict) as memory:
        feed(memory, rows[:600])
        memory.maintain()
        found = np.stack([np.frombuffer(each, "f4") for each in feed(memory, rows[600:], 600).values()])
        error = np.abs(found - rows[600:]).max(axis=1) / np.abs(rows[600:]).max(axis=1)
        assert error.max() <= 0.01
        assert loss(memory)["without_rotation"]["past the bound"] > 100


def test_the_reported_loss_is_the_true_one(trained: OptimizationMiddleware) -> None:
    rows = steep(200, 64, seed=4)
    found = np.stack([np.frombuffer(each, "f4") for each in feed(trained, rows, 7000).values()])
    assert loss(trained)["least_cosine"] <= cosine(rows, found) + 1e-12
    assert loss(trained)["least_cosine"] >= BOUND


def test_small_vectors_are_rotated_in_packs_as_well(tmp_path: Path) -> None:
    rows = steep(1500, 24)
    with open_store(tmp_path / "s") as memory:
        feed(memory, rows[:1000])
        memory.maintain()
        acknowledged = feed(memory, rows)
        memory.maintain(settle=True)
        assert {key: memory[key].tobytes() for key in acknowledged} == acknowledged
        assert memory.get_statistics()["storage"]["cold_bytes"] < rows.nbytes / 3
