"""`stratakv load`: files into a store; a bad line is found before anything is stored."""

from __future__ import annotations

import gzip
import json
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from stratakv.cli.main import main
from stratakv.engine.middleware import OptimizationMiddleware

if TYPE_CHECKING:
    from pathlib import Path


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


def test_reduction_is_one_number_in_text_json_and_stats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = tmp_path / "logs.jsonl"
    logs.write_text("".join(json.dumps({"n": n, "text": f"line {n} of the log " * 40}) + "\n" for n in range(4000)))
    where = str(tmp_path / "store")
    assert main(["load", str(logs), "--dir", where, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    percent = 100 * (1 - told["disk_bytes"] / told["plaintext_bytes"])
    assert told["memory_reduction_percent"] == pytest.approx(percent)
    assert told["too_small_to_judge"] is False
    assert main(["stats", "--dir", where, "--json"]) == 0
    stats = json.loads(capsys.readouterr().out)["overall"]
    assert stats["memory_reduction_percent"] == told["memory_reduction_percent"]
    assert main(["load", str(logs), "--dir", str(tmp_path / "other")]) == 0
    out = capsys.readouterr().out
    assert f"{told['file_bytes'] / (1 << 20):.2f} MB of files" in out
    assert "% less than the serialised values" in out
    assert "keys look like logs:1;" in out


def test_few_records_are_too_small_to_judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(b"1\n"))
    assert main(["load", str(tmp_path / "x.jsonl.gz"), "--dir", str(tmp_path / "store")]) == 0
    out = capsys.readouterr().out
    assert "stored 1 record from 0.00 MB of compressed files" in out
    assert "too small to judge" in out


def test_rows_of_arrays_are_values_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vectors = np.arange(600, dtype="f4").reshape(200, 3)
    np.save(tmp_path / "one.npy", np.asfortranarray(vectors))
    np.savez(tmp_path / "two.npz", xy=vectors)
    files = [str(tmp_path / "one.npy"), str(tmp_path / "two.npz")]
    assert main(["load", *files, "--dir", str(tmp_path / "store"), "--rows", "1"]) == 0
    assert "stored 400 records, 400 rows of arrays," in capsys.readouterr().out
    assert main(["load", files[1], "--dir", str(tmp_path / "many"), "--rows", "150", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["records"], told["array_rows"], told["example_key"]) == (2, 200, "two/xy:0")
    with OptimizationMiddleware(path=tmp_path / "store") as memory:
        assert memory["one:7"].tolist() == memory["two/xy:7"].tolist() == vectors[7].tolist()
        assert memory["one:199"].dtype == np.float32
    with OptimizationMiddleware(path=tmp_path / "many") as memory:
        assert memory["two/xy:0"].shape == (150, 3)
        assert memory["two/xy:150"].tolist() == vectors[150:].tolist()


def test_single_number_has_no_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "one.npy", np.float64(1.5))
    assert main(["load", str(tmp_path / "one.npy"), "--dir", str(tmp_path / "store"), "--rows", "1"]) == 1
    assert "has no rows" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


def test_values_larger_than_a_batch_are_stored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(1).bytes(300_000).hex()
    (tmp_path / "x.jsonl").write_text("".join(json.dumps([n, noise[n:]]) + "\n" for n in range(8)))
    (tmp_path / "small.yaml").write_text("storage: {dirty_limit_mb: 1}\n")
    where = str(tmp_path / "store")
    assert main(["load", str(tmp_path / "x.jsonl"), "--dir", where, "--config", str(tmp_path / "small.yaml")]) == 0
    with OptimizationMiddleware(path=where) as memory:
        assert memory["x:8"] == [7, noise[7:]]


def heed_interrupts() -> None:
    """Undo what a shell does to programs that it runs in the background, whose children ignore Ctrl-C as well."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_interrupted_load_says_what_is_safe_and_can_be_run_again(tmp_path: Path) -> None:
    logs = tmp_path / "logs.jsonl"
    logs.write_text("".join(json.dumps({"n": n, "text": f"line {n} of the log " * 9}) + "\n" for n in range(60_000)))
    where = tmp_path / "store"
    command = [sys.executable, "-m", "stratakv.cli.main", "load", str(logs), "--dir", str(where)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=heed_interrupts,  # noqa: PLW1509 -- one call, which takes no lock that another thread could hold
    ) as running:  # fmt: skip
        journal = where / "journal"
        while running.poll() is None and not any(path.stat().st_size > 100_000 for path in journal.glob("*")):
            pass
        running.send_signal(signal.SIGINT)
        _, complaint = running.communicate()
    assert running.returncode == 130, complaint
    found = re.search(r"interrupted: ([\d,]+) of 60,000 records are stored and safe; run the same command", complaint)
    assert found is not None, complaint
    stored = int(found[1].replace(",", ""))
    with OptimizationMiddleware(path=where) as memory:
        assert 0 < stored <= len(memory) < 60_000
        assert memory["logs:1"]["n"] == 0
