"""Which directory a command takes: by option, by configuration, and never one that holds something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stratakv import OptimizationMiddleware
from stratakv.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

READING = [["verify"], ["stats"], ["get", "k"], ["keys"]]


@pytest.mark.parametrize("command", READING, ids=lambda command: command[0])
def test_directory_of_foreign_files_is_no_store_and_stays_as_it_was(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "catalog.db").write_text("mine too")
    assert main([*command, "--dir", str(tmp_path)]) == 2
    assert "is not a stratakv store" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["catalog.db", "notes.txt"]


@pytest.mark.parametrize("command", READING, ids=lambda command: command[0])
def test_empty_directory_is_no_store_and_stays_empty(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--dir", str(tmp_path)]) == 2
    assert "is not a stratakv store: it is empty" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_load_refuses_a_directory_that_holds_something_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.jsonl").write_text("1\n")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "notes.txt").write_text("mine")
    assert main(["load", str(tmp_path / "x.jsonl"), "--dir", str(tmp_path / "home")]) == 2
    assert "is not empty and is not a stratakv store" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["notes.txt"]


def test_directory_comes_from_the_configuration_where_no_option_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "memory.yaml"
    config.write_text(f"storage: {{path: {tmp_path / 'store'}}}\n")
    (tmp_path / "x.jsonl").write_text('"value"\n')
    assert main(["load", str(tmp_path / "x.jsonl"), "--config", str(config)]) == 0
    assert f"in {tmp_path / 'store'}" in capsys.readouterr().out
    assert main(["get", "x:1", "--config", str(config)]) == 0
    assert capsys.readouterr().out == '"value"\n'
    for command in (["stats"], ["verify"], ["keys"]):
        assert main([*command, "--config", str(config)]) == 0
    with OptimizationMiddleware(path=tmp_path / "store") as memory:
        assert memory["x:1"] == "value"


@pytest.mark.parametrize("command", READING, ids=lambda command: command[0])
def test_no_directory_at_all_is_wrong_usage(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command) == 2
    assert "--dir" in capsys.readouterr().err
