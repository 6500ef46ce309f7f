"""The readers of users' files, plain and compressed."""

from __future__ import annotations

import gzip
import json
import lzma
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from stratakv.cli.records import RecordFile, RecordFileError
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LINES = b'{"id": "a", "n": {"k": 7}}\n\n{"id": "b\\u2028", "n": {"k": 8}}\r\n[1.5, null]'
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("ending", COMPRESS)
def test_json_lines_are_read_through_every_compression(tmp_path: Path, ending: str) -> None:
    file = RecordFile(written(tmp_path / f"logs.v2.jsonl{ending}", COMPRESS[ending](LINES)))
    assert list(file) == [
        ("logs.v2:1", {"id": "a", "n": {"k": 7}}),
        ("logs.v2:3", {"id": "b\u2028", "n": {"k": 8}}),
        ("logs.v2:4", [1.5, None]),
    ]
    assert list(file) == list(file)
    assert file.position == file.size == file.path.stat().st_size


def test_two_compressed_streams_in_a_row_are_one_file(tmp_path: Path) -> None:
    for ending, compress in COMPRESS.items():
        path = written(tmp_path / f"x.jsonl{ending}", compress(b"1\n2\n") + compress(b"3\n"))
        assert [value for _, value in RecordFile(path)] == [1, 2, 3]


@pytest.mark.parametrize("ending", [".gz", ".xz", ".zst"])
@pytest.mark.parametrize("cut", [1, 5, 40])
def test_truncated_compressed_file_is_an_error(tmp_path: Path, ending: str, cut: int) -> None:
    whole = COMPRESS[ending](b"".join(b"%d\n" % (n * n) for n in range(4000)))
    path = written(tmp_path / f"x.jsonl{ending}", whole[:-cut])
    with pytest.raises(RecordFileError, match=r"x\.jsonl.*damaged or incomplete"):
        list(RecordFile(path))


def test_key_field_may_be_dotted_and_integer_keys_become_text(tmp_path: Path) -> None:
    path = written(tmp_path / "x.jsonl", b'{"n": {"k": 7}}\n{"n": {"k": "b"}}\n')
    assert [key for key, _ in RecordFile(path, key_field="n.k")] == ["7", "b"]


def test_bom_does_not_hide_the_first_line(tmp_path: Path) -> None:
    assert list(RecordFile(written(tmp_path / "x.jsonl", b"\xef\xbb\xbf[]\n"))) == [("x:1", [])]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"id": "a"}\n{"id": \n', r"x\.jsonl:2: not JSON: .* at column \d+$"),
        (b'{"id": "a"}\n{"id": "\xff"}\n', r"x\.jsonl:2: not UTF-8 at byte 8"),
        (b'{"id": "a"}\n\n{"name": "b"}\n', r"x\.jsonl:3: has no field 'id'"),
        (b'["a"]\n', r"x\.jsonl:1: has no field 'id'"),
        (b'{"id": "a"}\n{"id": "a"}\n', r"x\.jsonl:2: the key 'a' stands in line 1 already"),
        (b'{"id": true}\n', r"x\.jsonl:1: field 'id' is a bool"),
        (b'{"id": 1.5}\n', r"x\.jsonl:1: field 'id' is a float"),
        (b'{"id": ""}\n', r"x\.jsonl:1: the key is empty"),
        (b'{"id": "' + b"k" * 1025 + b'"}\n', r"x\.jsonl:1: the key is longer than 1024 bytes"),
        (b"[" * 200_000 + b"\n", r"x\.jsonl:1: nested too deeply"),
    ],
)
def test_bad_line_is_named_by_file_and_number(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(RecordFileError, match=said):
        list(RecordFile(written(tmp_path / "x.jsonl", content), key_field="id"))


def test_tsv_rows_are_lists_of_text(tmp_path: Path) -> None:
    path = written(
        tmp_path / "g.tsv.xz",
        lzma.compress(b"cat\tis_a\tanimal\nc\x85d\t\t0.5\n".replace(b"\x85", b"\xc2\x85")),
    )
    assert list(RecordFile(path)) == [("g:1", ["cat", "is_a", "animal"]), ("g:2", ["c\x85d", "", "0.5"])]


def test_tsv_rows_may_be_joined(tmp_path: Path) -> None:
    path = written(tmp_path / "g.tsv", b"a\tb\n" * 5)
    joined = list(RecordFile(path, rows=2))
    assert [key for key, _ in joined] == ["g:1", "g:3", "g:5"]
    assert [len(value) for _, value in joined] == [2, 2, 1]


def test_tsv_key_is_a_column_number(tmp_path: Path) -> None:
    path = written(tmp_path / "g.tsv", b"a\tb\nc\td\ne\n")
    rows = iter(RecordFile(path, key_field="2"))
    assert next(rows) == ("b", ["a", "b"])
    next(rows)
    with pytest.raises(RecordFileError, match=r"g\.tsv:3: has 1 columns, so no column 2"):
        next(rows)


ARRAYS = {
    "plain": np.arange(6, dtype="<f4").reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "scalar": np.array(3, dtype=">i2"),
    "empty": np.empty((0, 4), dtype=np.complex64),
    "record": np.array([(1, 2.0)], dtype=[("a", "u1"), ("b", "f8")]),
    "text": np.array(["ab", "c"]),
    "when": np.array(["2024-01-01"], dtype="M8[D]"),
}


@pytest.mark.parametrize("ending", COMPRESS)
def test_arrays_of_an_archive_are_read_by_name(tmp_path: Path, ending: str) -> None:
    plain = tmp_path / "a.npz"
    np.savez_compressed(plain, **ARRAYS)  # type: ignore[arg-type]  # the stub takes a bool keyword for an array
    path = written(tmp_path / f"b.npz{ending}", COMPRESS[ending](plain.read_bytes()))
    found = dict(RecordFile(path))
    assert list(found) == [f"b:{name}" for name in ARRAYS]
    for name, array in ARRAYS.items():
        read = found[f"b:{name}"]
        assert (read.dtype, read.shape) == (array.dtype, array.shape)
        assert read.tobytes("A") == array.tobytes("A")
        assert read.flags.f_contiguous == array.flags.f_contiguous


def test_single_array_file_has_its_stem_as_key(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", ARRAYS["plain"])
    ((key, value),) = RecordFile(tmp_path / "v.npy")
    assert key == "v"
    assert np.array_equal(value, ARRAYS["plain"])


def test_array_of_objects_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "o.npz", bad=np.array([{}], dtype=object))
    with pytest.raises(RecordFileError, match="'bad': holds Python objects"):
        list(RecordFile(tmp_path / "o.npz"))


def test_array_header_that_lies_is_refused_before_allocating(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.zeros(8))
    content = (tmp_path / "v.npy").read_bytes()
    for claim in (b"(1000000000000,)", b"(-8,)"):
        lie = content.replace(b"(8,), }" + b" " * (len(claim) - 4), claim + b", }")
        assert lie != content
        with pytest.raises(RecordFileError, match=r"'v': its header tells of"):
            list(RecordFile(written(tmp_path / "v.npy", lie)))


@given(st.data())
def test_damaged_arrays_are_errors_or_arrays_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("npy") / "v.npy"
    np.save(path, np.arange(4))
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, 127))
    content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        found: list[tuple[str, Any]] = list(RecordFile(path))
    except (RecordFileError, UserWarning):
        return
    assert isinstance(found[0][1], np.ndarray)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("missing.jsonl", {}, "cannot read .*missing"),
        ("table.csv", {}, r"must end in \.jsonl"),
        ("table.gz", {}, r"must end in \.jsonl"),
        ("v.npz", {"key_field": "id"}, "arrays have no key field"),
        ("g.tsv", {"key_field": "id"}, "column number"),
        ("x.jsonl", {"key_field": "a..b"}, "empty part"),
        ("x.jsonl", {"rows": 2}, r"only for \.tsv"),
        ("x.jsonl", {"rows": 0}, "rows must be 1 or more"),
    ],
)
def test_wrong_use_is_told_before_reading(tmp_path: Path, name: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        RecordFile(tmp_path / name, **options)


@given(st.lists(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)))
def test_every_json_value_comes_back(tmp_path_factory: pytest.TempPathFactory, values: list[Any]) -> None:
    path = tmp_path_factory.mktemp("json") / "v.jsonl.zst"
    text = "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)
    path.write_bytes(COMPRESS[".zst"](text.encode()))
    assert [value for _, value in RecordFile(path)] == values


def test_an_old_type_name_in_an_array_header_is_no_warning(tmp_path: Path) -> None:
    path = tmp_path / "old.npy"
    np.save(path, np.array([b"ab", b"cd"]))
    path.write_bytes(path.read_bytes().replace(b"'|S2'", b"'|a2'"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            np.dtype("|a2")
    except TypeError:
        # This numpy has forgotten the name.
        with pytest.raises(RecordFileError, match=r"old\.npy.*not a numpy array"):
            list(RecordFile(path))
        return
    ((_, value),) = list(RecordFile(path))
    assert value.tolist() == [b"ab", b"cd"]
