"""`stratakv demo`: the main job end to end, every value exact."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stratakv.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    code = main(["demo", "--json", *arguments])
    return code, json.loads(capsys.readouterr().out)


def test_quick_demo_gets_every_value_back_and_saves_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    code, report = told(capsys, "--quick")
    assert code == 0
    assert [kind["name"] for kind in report["kinds"]] == ["episodic", "session", "semantic", "vectors"]
    assert [kind["target_percent"] for kind in report["kinds"]] == [70, 60, 80, 85]
    for kind in report["kinds"]:
        assert kind["exact"]
        assert kind["records"] > 0
        assert kind["plain_bytes"] > 0
        assert kind["live_bytes"] > kind["plain_bytes"] / 2
        assert kind["cold_bytes"] > 0
        assert kind["hot_us"] > 0
        assert kind["cold_us"] > 0
    total = report["total"]
    assert total["exact"]
    assert total["reduction_of_plain_percent"] == pytest.approx(report["reduction_percent"], abs=0.1)
    assert report["left_in_engine"] == 0
    # So few records do not outweigh what any store holds, so the sum over all would say little.
    assert sum(kind["stored_bytes"] for kind in report["kinds"]) < total["live_bytes"] / 2
    assert sum(report["shared_parts"].values()) == report["shared"]["stored_bytes"] > 0


def test_demo_text_tells_what_happened(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--quick"]) == 0
    printed = capsys.readouterr()
    for step in ("loaded", "wrapped", "replayed", "waited", "verified"):
        assert f"  {step}" in printed.out
    assert printed.err.splitlines() == [
        "reading modules ...",
        "replaying ...",
        "letting three days pass ...",
        "verifying ...",
    ]
    assert "too small to judge" in printed.out
    assert "vectors   one docstring's embedding" in printed.out
    assert max(map(len, printed.out.splitlines()[1:])) <= 110


def test_demo_on_own_records_keeps_the_store_where_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = tmp_path / "logs.jsonl"
    logs.write_text("".join(json.dumps({"id": n, "text": f"line {n} of the log " * 5}) + "\n" for n in range(300)))
    np.savez(tmp_path / "points.npz", xy=np.arange(2000.0).reshape(-1, 2))
    where = str(tmp_path / "kept")
    code, report = told(capsys, "--data", str(logs), str(tmp_path / "points.npz"), "--dir", where)
    assert code == 0
    assert [(kind["name"], kind["records"], kind["exact"]) for kind in report["kinds"]] == [
        ("logs", 300, True),
        ("points", 1, True),
    ]
    assert report["where"] == where
    assert any((tmp_path / "kept").iterdir())
    assert report["total"]["too_small_to_judge"] is True
    assert main(["demo", "--data", str(logs), "--dir", where]) == 2
    assert "not empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--key", "id"], 2, "go with --data"),
        (["--data", "gone.jsonl"], 2, "cannot read gone.jsonl"),
        (["--data", "x.csv"], 2, "must end in"),
        (["--quick", "--data", "x.jsonl"], 2, "--quick goes with"),
    ],
)
def test_wrong_use_of_the_demo_is_told(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", *arguments]) == code
    assert said in capsys.readouterr().err


def test_bad_record_fails_the_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.jsonl").write_text("{\n")
    assert main(["demo", "--data", str(tmp_path / "x.jsonl")]) == 1
    assert "x.jsonl:1: not JSON" in capsys.readouterr().err
