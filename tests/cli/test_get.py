"""`stratakv get`: shows any accepted value to a person and to a script, and changes nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.sparse

from stratakv import OptimizationMiddleware
from stratakv.cli.get import is_json, readable
from stratakv.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

VALUES: dict[str, Any] = {
    "record": {"name": "Zoë", "tags": ["a", 1, None, True, 0.5]},
    "text": "two\nlines \x1b[31m \udc80",
    "bytes": b"\x00" * 5000,
    "mixed": {"vector": np.arange(1000, dtype="f4"), "pair": (1, 2), "at": datetime(2024, 1, 2, tzinfo=UTC)},
    "matrix": scipy.sparse.csr_matrix(np.eye(40)),
    "set": {"x"},
    "nan": float("nan"),
    "none": None,
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("get") / "store"
    with OptimizationMiddleware(path=path) as memory:
        memory.store_many(VALUES)
        memory.store("passing", 1, ttl=1_000_000)
    return str(path)


def shown(capsys: pytest.CaptureFixture[str], key: str, store: str, *options: str) -> str:
    capsys.readouterr()
    assert main(["get", key, "--dir", store, *options]) == 0
    return capsys.readouterr().out


def test_plain_value_is_printed_as_json(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, "record", store)
    assert json.loads(out) == VALUES["record"]
    assert "Zoë" in out
    assert shown(capsys, "none", store) == "null\n"


def test_control_characters_of_a_value_do_not_reach_the_terminal(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(capsys, "text", store) == '"two\\nlines \\u001b[31m \\udc80"\n'


def test_bytes_and_arrays_are_summarised(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "bytes", store).startswith("<bytes of 4.88 KB: 00 00")
    out = shown(capsys, "mixed", store)
    assert "<array of 1000 float32, 3.91 KB: 0.0, 1.0, 2.0, ...>" in out
    assert "'pair': (1, 2)" in out
    assert "datetime.datetime(2024, 1, 2, 0, 0" in out
    assert shown(capsys, "matrix", store) == "<csr_matrix of 40 x 40 float64, 40 stored>\n"


def test_script_reads_value_type_and_tier(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(shown(capsys, "record", store, "--json"))
    assert told["value"] == VALUES["record"]
    assert (told["key"], told["type"], told["tier"], told["exact"]) == ("record", "dict", "warm", True)
    assert told["expires"] is None
    told = json.loads(shown(capsys, "set", store, "--json"))
    assert (told["value"], told["type"], told["exact"]) == ("{'x'}", "set", False)
    assert json.loads(shown(capsys, "passing", store, "--json"))["expires"] > 1_700_000_000


def test_missing_key_is_one_clear_line_and_code_one(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["get", "nobody", "--dir", store]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"stratakv: there is no key 'nobody' in {store}; it has 'none'")
    assert told.err.count("\n") == 1


def test_missing_key_names_the_nearest_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = str(tmp_path / "s")
    with OptimizationMiddleware(path=where) as memory:
        memory.store_many({f"tau_db:{n}": n for n in range(20)} | {"a": 1})
    assert main(["get", "tau_db:17x", "--dir", where]) == 1
    assert "it has 'tau_db:17';" in capsys.readouterr().err
    assert main(["get", "tau_db", "--dir", where]) == 1
    assert "it has 'tau_db:0', 'tau_db:1', 'tau_db:10';" in capsys.readouterr().err
    assert main(["get", "x" * 1000, "--dir", where]) == 1
    assert "it has 'a', 'tau_db:0', 'tau_db:1';" in capsys.readouterr().err


def test_failure_with_json_is_an_object_on_standard_output(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["get", "nobody", "--dir", store, "--json"]) == 1
    told = capsys.readouterr()
    assert "there is no key 'nobody'" in json.loads(told.out)["error"]
    assert told.err.startswith("stratakv: there is no key")
    assert main(["stats", "--dir", str(tmp_path / "gone"), "--json"]) == 2
    assert set(json.loads(capsys.readouterr().out)) == {"error"}


def test_key_that_is_no_key_and_a_missing_store_are_wrong_usage(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["get", "", "--dir", store]) == 2
    assert main(["get", "k", "--dir", str(tmp_path / "gone")]) == 2
    assert "there is no store" in capsys.readouterr().err
    assert not (tmp_path / "gone").exists()


def test_live_owner_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with OptimizationMiddleware(path=tmp_path / "store"):
        assert main(["get", "k", "--dir", str(tmp_path / "store")]) == 1
    assert "close it there first" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "exact"),
    [([1, "a", None, 2**80], True), ((1,), False), ({1: 2}, False), ([float("inf")], False), ([b""], False)],
    ids=["plain", "tuple", "int-key", "infinity", "bytes"],
)
def test_only_what_json_says_wholly_counts_as_json(value: Any, exact: bool) -> None:
    assert is_json(value) is exact


def test_small_values_are_shown_whole() -> None:
    assert readable(b"short") == ["b'short'"]
    assert readable(np.float32(1.5)) == [repr(np.float32(1.5))]
    assert readable(np.zeros((0, 3))) == ["<array of 0 x 3 float64, 0 B: >"]
