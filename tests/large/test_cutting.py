"""Cutting: pieces give the plaintext back, edits move few cuts, and arrays are cut into arrays."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratakv.engine.codecs.base import Elements
from stratakv.engine.large.cutting import ARRAY_PIECE_BYTES, HUGE_BYTES, Cutter, Piece, is_cut
from stratakv.engine.large.manifest import is_manifest
from stratakv.engine.serialization import Serializer, segments
from stratakv.engine.serialization.layout import has_buffers
from stratakv.errors import CorruptionError
from tests.large.documents import Pipe, edited, text

SERIALIZER = Serializer()


def pieces_of(plaintext: bytes, chunk_kb: float = 4.0) -> list[Piece]:
    return list(Cutter(int(chunk_kb * 1024), SERIALIZER).cut(plaintext))


def joined(pieces: list[Piece]) -> bytes:
    return b"".join(piece.content[piece.skip : piece.skip + piece.size] for piece in pieces)


VALUES: dict[str, Any] = {
    "bytes": np.random.default_rng(1).bytes(300_000),
    "zeros": bytes(400_000),
    "text": text(1, 300_000),
    "rows": np.random.default_rng(2).random((700, 384), np.float32),
    "one row": np.arange(300_000),
    "long rows": np.ones((3, 100_000)),
    "fortran": np.asfortranarray(np.random.default_rng(3).random((500, 300))),
    "other byte order": np.ones((2, 90_000), ">f8"),
    "bool": np.arange(400_000) % 3 == 0,
    "complex": np.full(60_000, 1 + 2j),
    "structured": np.zeros(30_000, [("a", "<i4"), ("b", "<f8")]),
    "half": np.ones((900, 200), np.float16),
    "mixed": {"text": text(2, 100_000), "small": np.ones(100), "vectors": np.ones((400, 128)), "list": [1, "a"] * 999},
    "two arrays": [np.arange(70_000, dtype="<i4"), np.arange(70_001, dtype="<i2")],
}


@pytest.mark.parametrize("name", VALUES)
def test_the_pieces_of_a_plaintext_give_it_back(name: str) -> None:
    plaintext = SERIALIZER.dumps(VALUES[name])
    pieces = pieces_of(plaintext)
    assert joined(pieces) == plaintext
    assert len(pieces) > 1
    assert all(piece.size > 0 for piece in pieces)
    assert pieces == pieces_of(plaintext)


@given(st.binary(min_size=1, max_size=20_000), st.sampled_from([0.25, 1.0, 4.0]))
def test_any_bytes_are_cut_and_given_back(content: bytes, chunk_kb: float) -> None:
    plaintext = SERIALIZER.dumps(content)
    assert joined(pieces_of(plaintext, chunk_kb)) == plaintext


def test_an_insertion_changes_only_the_chunks_around_it() -> None:
    before = text(3, 400_000)
    after = edited(before, 4, edits=3)
    old, new = ({piece.content for piece in pieces_of(SERIALIZER.dumps(each))} for each in (before, after))
    # Each edit may change its own chunk and the one behind it; the value's first bytes tell its length.
    assert len(new - old) <= 2 * 3 + 1
    assert len(new) > 50


def test_rows_are_cut_between_rows_and_kept_as_arrays() -> None:
    array = np.random.default_rng(5).random((2000, 300), np.float32)
    pieces = pieces_of(SERIALIZER.dumps(array))
    rows: list[Any] = [SERIALIZER.loads(piece.content) for piece in pieces if has_buffers(piece.content)]
    assert sum(len(part) for part in rows) == 2000
    assert np.array_equal(np.concatenate(rows), array)
    assert all(
        segments(piece.content)[-1].elements == Elements("f", 4, 300) for piece in pieces if has_buffers(piece.content)
    )
    assert all(piece.size <= ARRAY_PIECE_BYTES for piece in pieces if has_buffers(piece.content))


def test_an_appended_row_leaves_the_runs_before_it_as_they_are() -> None:
    array = np.random.default_rng(6).random((2000, 300), np.float32)
    longer = np.concatenate([array, array[:1]])
    old, new = ({piece.content for piece in pieces_of(SERIALIZER.dumps(each))} for each in (array, longer))
    assert len(new - old) <= 3  # the head, the last run, and what is behind it


@pytest.mark.parametrize("known", [True, False])
def test_a_stream_is_cut_like_any_bytes(known: bool) -> None:
    content = text(7, 500_000).encode()
    cutter = Cutter(4096, SERIALIZER)
    size = len(content) if known else None
    source = io.BytesIO(content) if known else Pipe(content)
    pieces = list(cutter.cut_stream(source, size))
    assert joined(pieces) == content
    if known:
        whole = {hashlib.sha256(piece.content).digest() for piece in pieces_of(SERIALIZER.dumps(content))}
        streamed = {hashlib.sha256(piece.content).digest() for piece in pieces}
        assert len(streamed - whole) <= 2  # the first one, which the value's head stands before, and perhaps the next


@pytest.mark.parametrize("name", VALUES)
def test_no_piece_is_what_a_large_value_or_a_manifest_could_be(name: str) -> None:
    for piece in pieces_of(SERIALIZER.dumps(VALUES[name])):
        assert not is_manifest(piece.content)
        if has_buffers(piece.content):
            assert not is_cut(piece.content, 1)
            assert SERIALIZER.dumps(SERIALIZER.loads(piece.content)) == piece.content
        else:
            with pytest.raises(CorruptionError):
                SERIALIZER.loads(piece.content)


def test_bytes_that_look_like_a_manifest_are_cut_and_given_back() -> None:
    looks = b"\xc1\x03" * 200_000
    pieces = pieces_of(SERIALIZER.dumps(looks))
    assert joined(pieces) == SERIALIZER.dumps(looks)
    assert not any(is_manifest(piece.content) for piece in pieces)


def test_huge_values_have_longer_chunks() -> None:
    content = np.random.default_rng(8).bytes(HUGE_BYTES)
    few, many = pieces_of(content[: HUGE_BYTES - 1]), pieces_of(content)
    assert 8 < len(few) / len(many) < 32
    assert joined(many) == content
