"""`stratakv load`: files into a store, or nothing at all."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import numpy as np

from stratakv.cli.main import main
from stratakv.engine.middleware import OptimizationMiddleware

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_loaded_records_are_there_after_reopening(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = tmp_path / "logs.jsonl.gz"
    logs.write_bytes(gzip.compress(b"".join(b'{"id": "k%d", "n": %d}\n' % (n, n) for n in range(500))))
    where = str(tmp_path / "store")
    assert main(["load", str(logs), "--dir", where, "--key", "id", "--namespace", "logs", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["records"] == told["keys"] == 500
    assert told["file_bytes"] == logs.stat().st_size
    with OptimizationMiddleware(path=where) as memory:
        assert memory.retrieve("k7") == {"id": "k7", "n": 7}
        assert len(memory) == 500
        assert memory.get_statistics()["namespaces"]["logs"]["keys"] == 500


def test_arrays_and_rows_are_loaded_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "points.npz", xy=np.eye(3))
    (tmp_path / "graph.tsv").write_text("a\tb\nc\td\n")
    where = str(tmp_path / "store")
    assert main(["load", str(tmp_path / "points.npz"), str(tmp_path / "graph.tsv"), "--dir", where]) == 0
    assert "stored 3 records" in capsys.readouterr().out
    with OptimizationMiddleware(path=where) as memory:
        assert np.array_equal(memory["points:xy"], np.eye(3))
        assert memory["graph:2"] == ["c", "d"]


def test_bad_line_in_the_last_file_stores_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good.jsonl").write_text('{"id": 1}\n')
    (tmp_path / "bad.jsonl").write_text('{"id": 2}\n{"id": \n')
    where = tmp_path / "store"
    assert main(["load", str(tmp_path / "good.jsonl"), str(tmp_path / "bad.jsonl"), "--dir", str(where)]) == 1
    assert "bad.jsonl:2: not JSON" in capsys.readouterr().err
    assert not where.exists()


def test_one_key_in_two_files_stores_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text('{"id": 1}\n')
    files = [str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")]
    assert main(["load", *files, "--dir", str(tmp_path / "store"), "--key", "id"]) == 1
    assert "the key '1' stands in" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


def test_files_that_would_overwrite_each_other_are_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x").mkdir()
    for path in (tmp_path / "a.jsonl", tmp_path / "x" / "a.jsonl"):
        path.write_text("1\n")
    files = [str(tmp_path / "a.jsonl"), str(tmp_path / "x" / "a.jsonl")]
    assert main(["load", *files, "--dir", str(tmp_path / "store")]) == 2
    assert "would give the same keys" in capsys.readouterr().err


def test_wrong_usage_has_code_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["load", str(tmp_path / "gone.jsonl"), "--dir", str(tmp_path / "store")]) == 2
    assert main(["load", str(tmp_path / "gone.jsonl")]) == 2
    assert "--dir" in capsys.readouterr().err
