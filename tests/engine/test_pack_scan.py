"""A pack read without a catalog: whole it tells all, damaged it tells what is sound and never anything else."""

from __future__ import annotations

import random

import pytest

from stratakv import OptimizationConfig
from stratakv.engine.codecs.base import Encoded
from stratakv.engine.codecs.zstd import ZstdCodec
from stratakv.engine.compression import CompressionEngine
from stratakv.engine.pack_names import Name
from stratakv.engine.pack_scan import PackScan, ScannedBlob
from stratakv.engine.packs import FOOTER, HEADER, PackBuilder
from stratakv.errors import CorruptionError

STORE = bytes(range(100, 116))
DECODE = CompressionEngine(OptimizationConfig()).decode


def blobs_of(number: int) -> list[bytes]:
    return [f"value {number} of {part} ".encode() * 7 for part in range(4)]


def pack(*, named: bool = True) -> bytes:
    builder = PackBuilder(3, STORE, (lambda number: f"label {number}") if named else None)
    for number in range(5):
        plaintexts = blobs_of(number)
        content = b"".join(plaintexts)
        encoded = Encoded(ZstdCodec.id, 0, len(content), ZstdCodec().encode(content, level=3))
        names = [[Name(f"s{number}:{part}".encode(), number * 10 + part, 1, 0)] for part in range(4)]
        builder.add(encoded, number % 2, [len(plaintext) for plaintext in plaintexts], names)
    return builder.finish()[0]


def scan(content: bytes) -> tuple[list[ScannedBlob], list[int | None], PackScan]:
    damage: list[int | None] = []

    def on_damage(failure: CorruptionError, block: int | None) -> None:
        assert "pack p" in str(failure) or block is not None
        damage.append(block)

    found = PackScan(content, "p", DECODE, on_damage)
    return list(found.blobs()), damage, found


def test_a_whole_pack_tells_values_keys_and_labels() -> None:
    blobs, damage, found = scan(pack())
    assert not damage
    assert (found.tier, found.store_id, found.named) == (3, STORE, True)
    assert found.labels == {0: "label 0", 1: "label 1"}
    assert [blob.plaintext for blob in blobs] == [value for number in range(5) for value in blobs_of(number)]
    assert [blob.names[0].key for blob in blobs][:5] == [b"s0:0", b"s0:1", b"s0:2", b"s0:3", b"s1:0"]
    assert {(blob.namespace, blob.block % 2) for blob in blobs} == {(0, 0), (1, 1)}
    assert [blob.offset for blob in blobs[:2]] == [0, len(blobs_of(0)[0])]


def test_a_pack_of_an_earlier_release_tells_its_values() -> None:
    blobs, damage, found = scan(pack(named=False))
    assert not damage
    assert (found.named, found.labels) == (False, {})
    assert len(blobs) == 20
    assert not any(blob.names for blob in blobs)


def test_a_damaged_block_costs_its_own_values_only() -> None:
    content = bytearray(pack())
    content[HEADER.size + 3] ^= 1
    blobs, damage, _ = scan(bytes(content))
    assert damage == [0]
    assert blobs[0].names[0].key == b"s1:0"
    assert len(blobs) == 16


def test_damaged_names_cost_no_value() -> None:
    content = bytearray(pack())
    index_offset = FOOTER.unpack_from(content, len(content) - FOOTER.size)[0]
    content[index_offset - 5] ^= 1
    blobs, damage, found = scan(bytes(content))
    assert damage == [None]
    assert not found.named
    assert len(blobs) == 20


def test_what_cannot_be_decoded_is_told() -> None:
    def refuse(encoded: Encoded) -> bytes:
        raise CorruptionError("no")

    damage: list[int | None] = []
    found = PackScan(pack(), "p", refuse, lambda _failure, block: damage.append(block))
    assert list(found.blobs()) == []
    assert damage == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("named", [True, False], ids=["named", "of an earlier release"])
def test_whatever_is_done_to_a_pack_only_true_values_come_of_it(named: bool) -> None:
    whole = pack(named=named)
    true = {value for number in range(5) for value in blobs_of(number)}
    chance = random.Random(11)
    given_up = 0
    for turn in range(1500):
        content = bytearray(whole)
        if turn % 5 == 0:
            del content[chance.randrange(len(content)) :]
        elif turn % 5 == 1:
            start = chance.randrange(len(content))
            del content[start : start + chance.randint(1, 60)]
        # Half of the changes fall on what the checksums of the blocks do not cover.
        tail = len(content) - min(len(content), 400)
        for _ in range(chance.randint(1, 3)):
            if content:
                content[chance.randrange(tail if chance.random() < 0.5 else 0, len(content))] = chance.randrange(256)
        try:
            blobs, damage, _ = scan(bytes(content))
        except CorruptionError:
            given_up += 1
            continue
        if named:
            assert len(blobs) + 4 * sum(block is not None for block in damage) == 20
            assert all(blob.plaintext in true for blob in blobs)
            assert all(name.key[1:2] == str(blob.block).encode() for blob in blobs for name in blob.names)
        else:
            # Without its own checksum an index may mislead about where a value ends, not about what a block holds.
            assert all(blob.plaintext in b"".join(blobs_of(blob.block)) for blob in blobs)
    assert 0 < given_up < 1500
