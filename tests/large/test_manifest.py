"""Manifests: what they say comes back, and nothing damaged is believed."""

from __future__ import annotations

import hashlib
import random

import pytest

from stratakv.engine.large.manifest import HEAD, Chunk, Manifest, is_manifest, read_manifest
from stratakv.engine.serialization import Serializer
from stratakv.engine.serialization.layout import MANIFEST_MARK
from stratakv.engine.shelf import digest_of
from stratakv.errors import CorruptionError


def made(chunks: int, seed: int = 1) -> Manifest:
    chance = random.Random(seed)
    listed = [Chunk(chance.randbytes(32), chance.randrange(1, 10**6), chance.choice((0, 48))) for _ in range(chunks)]
    return Manifest(chance.randbytes(32), listed)


@pytest.mark.parametrize("chunks", [1, 2, 1000])
def test_a_manifest_comes_back(chunks: int) -> None:
    manifest = made(chunks)
    back = read_manifest(manifest.to_bytes())
    assert (back.digest, back.chunks, back.size) == (manifest.digest, manifest.chunks, manifest.size)
    assert is_manifest(manifest.to_bytes())
    assert digest_of(manifest.to_bytes(), b"any salt") == manifest.digest


@pytest.mark.parametrize("value", [None, b"", b"\xc1\x03", 0x53, -1, {"a": [1]}, [b"\xc1\x03"] * 3, 1 << 70, "\u0141"])
def test_no_value_is_taken_for_a_manifest(value: object) -> None:
    assert not is_manifest(Serializer().dumps(value))


def test_a_range_names_the_chunks_that_hold_it_and_no_others() -> None:
    manifest = Manifest(bytes(32), [Chunk(bytes([number]) * 32, size, 0) for number, size in enumerate((10, 1, 20, 5))])

    def numbers(start: int, stop: int) -> list[tuple[int, int]]:
        return [(chunk.digest[0], begin) for chunk, begin in manifest.between(start, stop)]

    assert numbers(0, 36) == [(0, 0), (1, 10), (2, 11), (3, 31)]
    assert numbers(0, 10) == [(0, 0)]
    assert numbers(10, 11) == [(1, 10)]
    assert numbers(9, 12) == [(0, 0), (1, 10), (2, 11)]
    assert numbers(30, 31) == [(2, 11)]
    assert numbers(31, 31) == []
    assert numbers(36, 40) == []


def test_every_flipped_byte_is_found() -> None:
    content = made(3).to_bytes()
    for at in range(len(content)):
        damaged = content[:at] + bytes((content[at] ^ 1,)) + content[at + 1 :]
        with pytest.raises(CorruptionError):
            read_manifest(damaged)


def test_every_cut_is_found() -> None:
    content = made(2).to_bytes()
    for length in range(len(content)):
        with pytest.raises(CorruptionError):
            read_manifest(content[:length])


def test_a_count_is_not_believed_before_its_bytes_are_there() -> None:
    head = HEAD.pack(MANIFEST_MARK, 1, 1, 0xFFFF_FFFF, 10, bytes(32))
    content = head + bytes(200)
    with pytest.raises(CorruptionError, match="claims 4294967295 chunks"):
        read_manifest(content + hashlib.sha256(content).digest())


def test_chunks_that_do_not_make_the_size_are_refused() -> None:
    good = made(2).to_bytes()[:-32]
    wrong = good[:8] + (5).to_bytes(8, "little") + good[16:]
    with pytest.raises(CorruptionError, match="not 5"):
        read_manifest(wrong + hashlib.sha256(wrong).digest())
