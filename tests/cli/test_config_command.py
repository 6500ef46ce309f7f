"""`stratakv config`: what it shows, where each value came from, and how it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stratakv import __version__
from stratakv.cli.main import main
from stratakv.cli.output import cell, human_bytes, print_json, print_table, printable, progress, progress_bar


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "memory.yaml"
    path.write_text("storage:\n  path: /x\ntiered_storage:\n  hot_capacity_mb: 64\n")
    return path


def test_show_tells_each_value_and_where_it_came_from(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", "--config", str(file), "--set", "storage.durability=sync"]) == 0
    lines = [line.split(None, 2) for line in capsys.readouterr().out.splitlines()]
    assert ["storage.path", "/x", f"{file}:2"] in lines
    assert ["storage.durability", "sync", "override"] in lines
    assert ["compression.compression_level", "6", "preset moderate"] in lines
    assert ["wrap.mode", "absorb", "default"] in lines


def test_show_as_json_is_one_document(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", "--config", str(file), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["tiered_storage.hot_capacity_mb"]["value"] == 64
    assert shown["tiered_storage.hot_capacity_mb"]["source_kind"] == "file"
    assert shown["enabled"]["value"] is None


def test_show_names_the_environment_variable() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stratakv.cli.main", "config", "show"],
        env={"STRATAKV__STORAGE__PATH": "/v"},
        capture_output=True,
        text=True,
        check=True,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("storage.path "))
    assert line.split(None, 2)[1:] == ["/v", "environment STRATAKV__STORAGE__PATH"]


def test_show_of_a_bad_file_is_wrong_usage_without_traceback(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("storge: {}\n")
    assert main(["config", "show", "--config", str(file)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"stratakv: {file}:1: key 'storge' is unknown; did you mean 'storage'?\n"


@pytest.mark.parametrize("argument", ["nonsense", "storge.path=/x", "storage.pack_size_mb=-1"])
def test_bad_set_argument_is_wrong_usage(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", "--set", argument]) == 2
    assert argument.partition("=")[0] in capsys.readouterr().err


def test_validate_accepts_a_good_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "validate", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: valid\n"


def test_validate_lists_every_error(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("storage:\n  paht: /x\n  pack_size_mb: -1\n")
    assert main(["config", "validate", str(file)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{file}:2: key 'storage.paht' is unknown; did you mean 'path'?",
        f"{file}:3: key 'storage.pack_size_mb' must be a number above 0 and of at most 1,024, not -1",
    ]
    assert main(["config", "validate", str(file), "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert shown["valid"] is False
    assert [(problem["key"], problem["line"]) for problem in shown["problems"]] == [
        ("storage.paht", 2),
        ("storage.pack_size_mb", 3),
    ]


def test_validate_of_a_missing_file_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "validate", str(tmp_path / "none.yaml")]) == 1
    assert "there is no such file" in capsys.readouterr().out


def test_wrong_usage_is_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["nonsense"], ["config"], ["config", "validate"], ["config", "show", "--nonsense"]):
        assert main(arguments) == 2
        assert "usage: stratakv" in capsys.readouterr().err


def test_help_and_version_are_good(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"stratakv {__version__}\n"
    assert main(["config", "--help"]) == 0
    assert "examples:" in capsys.readouterr().out


def test_closed_pipe_ends_quietly() -> None:
    program = [sys.executable, "-u", "-m", "stratakv.cli.main", "config", "show"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode == 1


def test_text_that_the_terminal_lacks_is_escaped(file: Path) -> None:
    file.write_text("storage: {path: /é}\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "stratakv.cli.main", "config", "show", "--config", str(file)],
        env={"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert rb"/\xe9" in done.stdout


def test_table_aligns_numbers_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "count"), [("a", 5), ("bcd", 12345), ("e\x1b[2J", None)])
    assert (
        capsys.readouterr().out.splitlines()
        == [
            "name       count",
            "--------  ------",
            "a              5",
            "bcd        12345",
            "e\\x1b[2J       -",
        ]
        or capsys.readouterr().out == ""
    )


def test_json_holds_only_what_json_knows(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": float("nan"), "b": [Path("/x"), int], "c": {1: "é\ud800"}, "d": (1.5, None)})
    assert json.loads(capsys.readouterr().out) == {
        "a": None,
        "b": ["/x", "builtins:int"],
        "c": {"1": "é\ud800"},
        "d": [1.5, None],
    }


def test_cells_and_sizes_are_readable() -> None:
    assert [cell(value) for value in (True, 0.123456, 123456.7, ["a", "b"], [], "x\ny")] == [
        "true", "0.1235", "123457", "a, b", "-", "x\\ny",
    ]  # fmt: skip
    assert [human_bytes(count) for count in (0, 999, 1024, 1_310_720, 5 << 40)] == [
        "0 B", "999 B", "1 KB", "1.25 MB", "5 TB",
    ]  # fmt: skip
    assert printable("a\ud800\x07é") == "a\\ud800\\x07é"


def test_progress_is_silent_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(range(3), "counting")) == [0, 1, 2]
    with progress_bar(3, "counting", as_json=True) as bar:
        bar.update(3)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
