"""`python -m benchmarks.vectors` on small vectors of its own: what it makes, encodes, compares and tells."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from benchmarks.readme import PAGE, with_table
from benchmarks.reduction.loss import nearest, recall
from benchmarks.vectors import main
from benchmarks.vectors.markdown import markdown
from benchmarks.vectors.peers import block_bytes, cosines, packed, peers, rescored, restored, stepped
from benchmarks.vectors.rotated import encoded
from benchmarks.vectors.summary import goals
from benchmarks.vectors.tables import DIMENSION, made, tables
from benchmarks.vectors.times import times
from stratakv.engine.rotation import vectors_installed

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not vectors_installed(), reason="needs the extra `vectors`")

ROWS, QUESTIONS, WIDTH = 700, 20, 32


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vectors whose coordinates are mixed from a few hidden ones; and files that are not for this benchmark."""
    folder = tmp_path_factory.mktemp("data")
    source = np.random.default_rng(3)
    points = (source.standard_normal((ROWS + QUESTIONS, WIDTH)) / np.arange(1, WIDTH + 1)) @ source.standard_normal(
        (WIDTH, WIDTH)
    )
    base, query = points[:ROWS].astype("f4"), points[ROWS:].astype("f4")
    np.savez(folder / "mixed.npz", base=base, query=query, gt_top10=nearest(base, query, "cosine"))
    few = base[:20]
    np.savez(folder / "few.npz", base=few, query=query, gt_top10=nearest(few, query, "cosine"))
    bytes_ = np.abs(base * 9).astype("u1")
    np.savez(folder / "bytes.npz", base=bytes_, query=bytes_[:9], groundtruth=nearest(bytes_, bytes_[:9], "L2"))
    np.save(folder / "plain.npy", base)
    return folder


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory, data: Path) -> dict[str, Any]:
    kept = tmp_path_factory.mktemp("results")
    assert main(["--data", str(data), "--only", "mixed", "--quick", "--results", str(kept)]) == 0
    assert (kept / "vectors.png").read_bytes().startswith(b"\x89PNG")
    found: dict[str, Any] = json.loads((kept / "vectors.json").read_text())
    return found


def test_tables_of_float32_with_questions_are_taken_and_nothing_else(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, found = tables(str(data), [], quick=False)
    assert [table.name for table in found] == ["few", "mixed"]
    assert main(["--data", str(data), "--only", "bytes", "--results", str(tmp_path), "--no-plot"]) == 2
    assert "no vectors named bytes" in capsys.readouterr().err
    assert main(["--data", str(data / "plain.npy"), "--results", str(tmp_path), "--no-plot"]) == 2
    assert "has a table `base` of float32" in capsys.readouterr().err


def test_made_vectors_have_length_one_and_more_in_some_directions_than_in_others() -> None:
    table, again = made(500, 5), made(500, 5)
    assert table.base.tobytes() == again.base.tobytes()
    assert table.base.shape == (500, DIMENSION)
    assert np.allclose(np.linalg.norm(table.base, axis=1), 1)
    spread = np.linalg.svd(table.base, compute_uv=False)
    assert spread[0] > 3 * spread[DIMENSION // 2]
    assert recall(table.base, table.neighbours) == 1.0


def test_steps_are_half_a_step_from_the_truth_at_most_and_nibbles_hold_them() -> None:
    base = np.random.default_rng(1).standard_normal((50, 7)).astype("f4")
    numbers, steps = stepped(base, 7)
    assert np.abs(restored(numbers, steps) - base).max() <= 0.5001 * steps.max()
    assert (np.abs(numbers).max(axis=1) == 7).all()
    halves = packed(numbers)
    assert halves.shape == (50, 4)
    unpacked = np.stack((halves & 15, halves >> 4), axis=2).reshape(50, 8)[:, :7].astype("i1") - 8
    assert (unpacked == numbers).all()


def test_zero_vectors_have_steps_that_give_zeros_back() -> None:
    assert not restored(*stepped(np.zeros((3, 4), "f4"), 127)).any()


def test_a_block_counts_as_it_is_where_compressing_it_gains_nothing() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (600, 1024), np.uint8)
    assert block_bytes([noise], 256) == noise.nbytes
    assert block_bytes([noise, np.zeros((600, 4), np.uint8)], 256) < noise.nbytes + 200


def test_candidates_are_ordered_by_the_finer_form() -> None:
    table = made(400, 30)
    signs = np.where(table.base < 0, -1, 1).astype("f4")
    by_signs, by_both = recall(signs, table.neighbours), rescored(signs, table.base, table.neighbours)
    assert rescored(table.base, table.base, table.neighbours) == 1.0
    assert by_signs < by_both <= 1.0
    assert rescored(table.base, signs, table.neighbours) == pytest.approx(by_signs, abs=0.1)


def test_rescoring_pays_for_both_forms() -> None:
    rows = {row["way"]: row for row in peers(made(300, 10))}
    assert rows["binary, then int8"]["bytes"] == rows["binary"]["bytes"] + rows["int8"]["bytes"]
    assert rows["float16"]["single"] == 300 * DIMENSION * 2
    assert rows["int8"]["single"] == 300 * (DIMENSION + 4)
    assert rows["int4"]["single"] == 300 * (DIMENSION // 2 + 4)
    assert rows["binary"]["single"] == 300 * DIMENSION // 8
    assert rows["int4"]["least_cosine"] <= rows["int4"]["mean_cosine"] < rows["int8"]["mean_cosine"] < 1


def test_cosines_are_those_of_rows() -> None:
    one = np.array([[1, 0], [0, 2], [1, 1]], "f4")
    other = np.array([[3, 0], [2, 0], [1, 0]], "f4")
    found = cosines(one, other)
    assert found["least_cosine"] == pytest.approx(0)
    assert found["mean_cosine"] == pytest.approx((1 + 0 + 0.5**0.5) / 3)


def test_an_encoded_table_tells_the_bytes_of_its_payloads_and_of_its_model(data: Path) -> None:
    _, (table,) = tables(str(data), ["mixed"], quick=False)
    found = encoded(table, 0.999)
    assert found is not None
    assert found.row["bytes"] == sum(len(block.payload) for block in found.blocks) < table.base.nbytes / 4
    assert found.row["single"] == sum(len(each.payload) for each in found.singles)
    assert found.row["model"] == len(found.rotation.content)
    assert [block.values for block in found.singles] == [1] * ROWS
    assert sum(block.values for block in found.blocks) == ROWS
    assert found.row["least_cosine"] > 0.99
    assert found.row["past_bound"] < 0.1 * ROWS
    taken = times(table.base, found)
    assert all(microseconds > 0 for microseconds in taken["us"].values())


def test_few_vectors_have_no_model_and_that_is_told(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--only", "few", "--parts", "alone", "--quick", "--no-plot", "--results", str(tmp_path)]
    assert main(["--data", str(data), *options]) == 0
    assert "left out: few, 0.9995: no model is worth its bytes" in capsys.readouterr().out


def test_a_quick_run_tells_the_codec_alone_beside_others_and_in_a_store(result: dict[str, Any]) -> None:
    (table,) = result["tables"]
    assert (table["vectors"], table["dimension"], table["questions"]) == (ROWS, WIDTH, QUESTIONS)
    ways = [row["way"] for row in table["rows"]]
    assert ways == [*["rotated"] * 3, "float16", "int8", "int4", "binary", "binary, then int8", "store, rotated"]
    rotated = table["rows"][:3]
    assert [row["bound"] for row in rotated] == sorted((row["bound"] for row in rotated), reverse=True)
    assert [row["bytes"] for row in rotated] == sorted((row["bytes"] for row in rotated), reverse=True)
    assert all(0 < row["recall"] <= 1 for row in table["rows"])
    assert table["rows"][-1]["least_cosine"] >= table["rows"][-1]["bound"]


def test_a_goal_takes_the_smallest_of_what_finds_enough() -> None:
    def row(bound: float, size: int, found: float) -> dict[str, Any]:
        return {"way": "rotated", "bound": bound, "bytes": size, "single": 2 * size, "model": 20, "recall": found}

    rows = [row(0.9995, 140, 0.99), row(0.999, 120, 0.985), row(0.998, 95, 0.97), row(0.99, 50, 0.9)]
    wanted = goals({"name": "t", "bytes": 1000, "rows": rows, "times": None})
    assert [(round(goal["value"], 6), goal["met"]) for goal in wanted] == [
        (88.0, True),
        (86.0, True),
        (90.5, True),
        (88.5, False),
        (2.0, False),
    ]


def test_the_documents_have_a_place_for_the_tables(result: dict[str, Any]) -> None:
    table = markdown(result)
    assert "| rotated | 0.9995 |" in table
    assert table in with_table(PAGE.read_text(encoding="utf-8"), table, "vectors")
