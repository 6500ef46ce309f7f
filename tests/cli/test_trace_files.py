"""Trace files: every format that is read, and what is wrong with those that are not."""

from __future__ import annotations

import gzip
import lzma
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stratakv.cli.main import main
from stratakv.cli.simulation.traces import read_trace
from stratakv.errors import ConfigurationError
from tests.cli.written_traces import CSV, saved, written

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def keys_of(path: Path) -> list[int]:
    keys: list[int] = read_trace(path).keys.tolist()
    return keys


@pytest.mark.parametrize(
    ("ending", "compress"), [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress)], ids=["plain", "gz", "xz"]
)
def test_csv_is_read_through_compression(tmp_path: Path, ending: str, compress: Callable[[bytes], bytes]) -> None:
    trace = read_trace(written(tmp_path / f"a.b.csv{ending}", compress(CSV)))
    assert trace.name == "a.b"
    assert trace.keys.tolist() == [0, 1, 0, 2, 2, 1, 1]
    assert trace.sizes is not None
    assert trace.sizes.tolist() == [10, 20, 10, 5, 5, 0, 20]
    assert trace.ops is not None
    assert trace.ops.tolist() == [0, 0, 0, 1, 0, 2, 0]
    assert trace.times is not None
    assert trace.times.tolist() == [0, 1, 2, 2.5, 3, 4, 5]


def test_csv_columns_may_be_few_and_in_any_order(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbfop, Key\r\n0,"say ""hi"", you"\r\n\r\nPUT,\xc3\xa9\r\n2,"say ""hi"", you"\r\n'
    trace = read_trace(written(tmp_path / "t.csv", content))
    assert trace.keys.tolist() == [0, 1, 0]
    assert trace.ops is not None
    assert trace.ops.tolist() == [0, 1, 2]
    assert trace.sizes is None
    assert trace.times is None


def test_csv_deletes_need_no_size(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path / "t.csv", b"key,op,size\na,put,7\na,delete,\n"))
    assert trace.sizes is not None
    assert trace.sizes.tolist() == [7, 0]


def test_npz_of_every_compression_gives_the_same(tmp_path: Path) -> None:
    plain = saved(tmp_path / "t.npz", key=[3, 1, 3], size=np.array([1, 2, 3], np.uint32), ts=[1, 1, 2])
    packed = written(tmp_path / "u.npz.xz", lzma.compress(plain.read_bytes()))
    for path in (plain, packed):
        trace = read_trace(path)
        assert trace.keys.tolist() == [0, 1, 0]
        assert trace.sizes is not None
        assert trace.sizes.tolist() == [1, 2, 3]


def test_npz_may_have_columns_of_other_lengths_that_are_passed_over(tmp_path: Path) -> None:
    path = saved(tmp_path / "t.npz", key=[0, 1], req=[0, 0], value_id=[4, 5], input_length=[9], output_length=[8])
    assert keys_of(path) == [0, 1]


@pytest.mark.parametrize(
    ("keys", "numbered"),
    [
        ([0, 1, 0, 2], [0, 1, 0, 2]),
        ([0, 2, 1, 0], [0, 1, 2, 0]),
        ([7, -3, 7], [0, 1, 0]),
        ([0, -1, 0], [0, 1, 0]),
        (["b", "a", "b"], [0, 1, 0]),
    ],
)
def test_keys_are_numbered_as_they_appear(tmp_path: Path, keys: list[Any], numbered: list[int]) -> None:
    assert keys_of(saved(tmp_path / "t.npz", key=keys)) == numbered
    if isinstance(keys[0], str):
        rows = "\n".join(["key", *keys]).encode()
        assert keys_of(written(tmp_path / "t.csv", rows)) == numbered


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"key,colour\na,red\n", "unknown column 'colour': the first line names the columns.*key, size, op, ts"),
        (b"17,4\n18,4\n", "unknown column '17': the first line names"),
        (b"size,op\n4,get\n", "has no column 'key'"),
        (b"key,key\na,b\n", "column 'key' is there twice"),
        (b"", "has no requests"),
        (b"key,size\n", "has no requests"),
        (b"key,ts\na,5\nb,4\n", "request 2: 4.0 is an earlier time"),
        (b"key,ts\na,nan\n", "request 1: nan is no time"),
        (b"key,ts\na,soon\n", "csv:2: the time 'soon' is not a number"),
        (b"key,size\na,-5\n", "csv:2: the size '-5' is negative"),
        (b"key,size\na,1.5\n", "csv:2: the size '1.5' is not a whole number"),
        (b"key,size\na,\n", "request 1: -1 is no size: it is negative or missing"),
        (b"key,size\na,99999999999999999999999999\n", "is more than the largest size"),
        (b"key,op\na,get\nb,touch\n", "csv:3: 'touch' is no operation: get, put, delete"),
        (b"key,op\na\n", "csv:2: has 1 values, but there are 2 columns"),
        (b"key\n\xff\n", "csv:2: not UTF-8 at byte 0"),
        (b'key,op\n"a,get\n', "csv:2: not CSV"),
        (b"key,op\n,get\n", "csv:2: the key is empty"),
        (b"key\n" + b"k" * 2000, "csv:2: the key is longer than 1,024"),
        (b"key\n" + b"k" * 2_000_000, "csv:2: longer than 1 MiB"),
    ],
    ids=lambda value: value[:24].decode("latin-1") if isinstance(value, bytes) else "",
)
def test_bad_csv_is_an_error_that_names_the_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, said: str
) -> None:
    path = written(tmp_path / "t.csv", content)
    with pytest.raises(ConfigurationError, match=said):
        read_trace(path)
    assert main(["simulate", str(path), "--capacity", "1"]) == 2
    assert "t.csv" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"key": [0], "colour": [1]}, "unknown array 'colour': known are key, size, op, ts, value_id"),
        ({"size": [0]}, "has no column 'key'"),
        ({"key": np.zeros(0, np.uint32)}, "has no requests"),
        ({"key": [0.5]}, "column 'key' must be one row of integers or texts"),
        ({"key": [[0]]}, "column 'key' must be one row"),
        ({"key": [0, 1], "size": [1]}, r"column 'size' has the shape \(1,\), but there are 2 keys"),
        ({"key": [0], "size": [1.5]}, "column 'size' must be integers"),
        ({"key": [0], "size": [-1]}, "request 1: -1 is no size"),
        ({"key": [0], "size": np.array([1 << 63], np.uint64)}, "is more than the largest size"),
        ({"key": [0, 0], "op": [0, 3]}, "request 2: 3 is no operation"),
        ({"key": [0, 0], "ts": [2, 1]}, "request 2: 1 is an earlier time"),
        ({"key": [0], "ts": ["now"]}, "column 'ts' must be numbers"),
        ({"key": [0], "ts": [np.inf]}, "request 1: inf is no time"),
    ],
    ids=lambda value: value[:32] if isinstance(value, str) else "",
)
def test_bad_arrays_are_an_error(tmp_path: Path, columns: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        read_trace(saved(tmp_path / "t.npz", **columns))


def test_arrays_of_objects_are_refused_and_not_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", key=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ConfigurationError, match="holds Python objects"):
        read_trace(tmp_path / "t.npz")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv.gz", gzip.compress(CSV, mtime=0)[:-9], "damaged or incomplete"),
        ("t.csv.xz", lzma.compress(CSV)[:-9], "damaged or incomplete"),
        ("t.csv.gz", CSV, "damaged or incomplete"),
        ("t.npz.xz", lzma.compress(b"no archive"), "not an .npz archive"),
        ("t.npz", b"PK\x03\x04", "not an .npz archive"),
        ("t.txt", CSV, "a trace's name ends in .npz or .csv"),
    ],
)
def test_damaged_and_foreign_files_are_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes, said: str
) -> None:
    assert main(["simulate", str(written(tmp_path / name, content)), "--capacity", "1"]) == 2
    assert said in capsys.readouterr().err
