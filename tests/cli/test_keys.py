"""`stratakv keys`: which keys a store has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from stratakv import OptimizationMiddleware
from stratakv.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("keys") / "store"
    with OptimizationMiddleware(path=path) as memory:
        memory.store_many({f"a:{n}": n for n in range(5)}, namespace="notes")
        memory.store_many({f"b:{n}": n for n in range(150)})
        memory.store("odd\n\x1b[2J", 1)
    return str(path)


def test_keys_are_listed_one_a_line_whatever_their_namespace(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "--dir", store, "--prefix", "a:"]) == 0
    told = capsys.readouterr()
    assert told.out.split() == ["a:0", "a:1", "a:2", "a:3", "a:4"]
    assert told.err == ""


def test_limit_is_told_and_can_be_lifted(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "--dir", store]) == 0
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 100
    assert "there are more" in told.err
    assert main(["keys", "--dir", store, "--limit", "0"]) == 0
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 156
    assert told.err == ""
    assert main(["keys", "--dir", store, "--limit", "5", "--prefix", "a:"]) == 0
    assert capsys.readouterr().err == ""


def test_script_reads_keys_and_whether_there_are_more(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "--dir", store, "--prefix", "a:", "--limit", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"directory": store, "prefix": "a:", "keys": ["a:0", "a:1"], "more": True, "keys_in_store": 156}
    assert main(["keys", "--dir", store, "--prefix", "odd", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["keys"] == ["odd\n\x1b[2J"]


def test_control_characters_of_a_key_do_not_reach_the_terminal(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "--dir", store, "--prefix", "odd"]) == 0
    assert capsys.readouterr().out == "odd\\n\\x1b[2J\n"


def test_prefix_without_keys_is_good_and_says_so(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "--dir", store, "--prefix", "zz"]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert "no key begins with 'zz'" in told.err


def test_negative_limit_is_wrong_usage(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "--dir", store, "--limit", "-1"]) == 2
    assert "--limit" in capsys.readouterr().err


def test_live_owner_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with OptimizationMiddleware(path=tmp_path / "store"):
        assert main(["keys", "--dir", str(tmp_path / "store")]) == 1
    assert "close it there first" in capsys.readouterr().err
