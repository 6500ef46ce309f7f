"""Whatever bytes are read: a value or a named error, no other exception, crash or huge allocation."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import scipy.sparse
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from ormsgpack import Ext, packb

from stratakv.engine.serialization import Serializer, segments
from stratakv.errors import CorruptionError, SerializationError
from tests.engine.value_strategies import ENUMS, Colour, Right, values

SERIALIZER = Serializer(enums=ENUMS)
FUZZ = settings(deadline=None, max_examples=500, suppress_health_check=[HealthCheck.too_slow])

WHOLE: dict[str, Any] = {
    "numbers": [1, 2**70, 1.5, 1j, Decimal("-1.5E+7"), Fraction(-7, 3), UUID(int=5)],
    "text": ["plain", "\ud800", b"b", bytearray(b"a")],
    "nested": ((1, (2, frozenset({3, (4,)}))), {5, 6}, {7: "x", (8, "y"): {None: 9}}),
    "times": [
        datetime(2024, 2, 3, 4, 5, 6, 7, tzinfo=ZoneInfo("Asia/Kathmandu")),
        timezone(timedelta(hours=2), "two"),
    ],
    "members": [Colour.RED, Right.READ | Right.RUN],
    "arrays": [np.arange(30, dtype=">i2"), np.zeros((3, 2), "U4", order="F"), np.float32(1), np.str_("s")],
    "records": np.zeros(9, [("a", "i1"), ("b", [("c", "M8[s]", (2,))])]),
    "sparse": [scipy.sparse.eye_array(20, format=form) for form in ("csr", "coo", "dia", "bsr")],
    "objects": [scipy.sparse.eye_array(5, format=form) for form in ("lil", "dok")],
}
PLAINTEXT = SERIALIZER.dumps(WHOLE)


def read(plaintext: bytes) -> None:
    """Read bytes, expecting a value, damage, or a name that this process lacks."""
    with suppress(CorruptionError, SerializationError):
        SERIALIZER.loads(plaintext, trust_pickle=False)
    with suppress(CorruptionError):
        parts = segments(plaintext)
        assert parts[0].start == 0
        assert parts[-1].stop == len(plaintext)


@FUZZ
@given(st.binary(max_size=200))
@example(b"")
@example(b"\xc1")
@example(b"\xc1\x02" + bytes(14))
@example(b"\xc1\x02\0\0" + b"\xff" * 12)
def test_random_bytes(plaintext: bytes) -> None:
    read(plaintext)


@FUZZ
@given(st.integers(1, 24), st.binary(max_size=60))
def test_random_bodies_of_every_code(code: int, body: bytes) -> None:
    read(packb(Ext(code, body)))
    read(packb([Ext(1, packb([Ext(code, body)]))]))


@FUZZ
@given(st.integers(1, 24), values(4).map(SERIALIZER.dumps))
def test_bodies_that_hold_other_values(code: int, body: bytes) -> None:
    read(packb(Ext(code, body)))


@FUZZ
@given(values(6), st.data())
def test_damaged_plaintexts(value: object, data: st.DataObject) -> None:
    plaintext = bytearray(SERIALIZER.dumps(value))
    for _ in range(data.draw(st.integers(1, 3))):
        plaintext[data.draw(st.integers(0, len(plaintext) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    read(bytes(plaintext))


def test_every_byte_damaged_in_turn() -> None:
    for at in range(len(PLAINTEXT)):
        for flip in (0x01, 0x80, 0xFF):
            damaged = bytearray(PLAINTEXT)
            damaged[at] ^= flip
            read(bytes(damaged))


def test_every_truncation_is_damage() -> None:
    for stop in range(len(PLAINTEXT)):
        with pytest.raises(CorruptionError):
            SERIALIZER.loads(PLAINTEXT[:stop])


def test_bytes_after_the_last_buffer_and_in_padding_are_damage() -> None:
    with pytest.raises(CorruptionError, match="bytes where its buffer table tells"):
        SERIALIZER.loads(PLAINTEXT + b"\0")
    odd = bytearray(SERIALIZER.dumps(np.zeros(65, "u1")))
    odd[-1] = 1
    with pytest.raises(CorruptionError, match="padding"):
        SERIALIZER.loads(odd)


def test_newer_layouts_are_named() -> None:
    with pytest.raises(CorruptionError, match="layout 3 is not known"):
        SERIALIZER.loads(b"\xc1\x03" + bytes(30))


def test_each_buffer_belongs_to_one_array() -> None:
    plaintext = SERIALIZER.dumps([np.zeros(9), np.ones(9)])
    twice = plaintext.replace(b"\x91\x09\x01", b"\x91\x09\x00")
    assert twice != plaintext
    with pytest.raises(CorruptionError, match="missing or taken"):
        SERIALIZER.loads(twice)


@pytest.mark.parametrize(
    "body",
    [
        Ext(2, packb([1, 2, 1, 3])),
        Ext(2, packb([1, 2, 3])),
        Ext(2, packb([[], 2])),
        Ext(3, packb([1, 1])),
        Ext(3, packb([[1]])),
        Ext(1, packb("text")),
        Ext(1, b""),
        Ext(5, b"\x00\x00"),
        Ext(5, b"\x05"),
        Ext(5, b""),
        Ext(9, b"1_000"),
        Ext(9, b"not a number"),
        Ext(9, b"1e5"),
        Ext(9, b"1E+99999999999999999999999"),
        Ext(10, b"\0\0\0\1\2\4"),
        Ext(10, b"\0\0\0\1\2\0"),
        Ext(10, b"\xff\xff\xff\xff"),
        Ext(11, b"short"),
        Ext(13, b"\0\0\0\0"),
        Ext(15, b"\0\0\0\0\xff\xff\xff\xff\0\0\0\0"),
        Ext(16, b""),
        Ext(16, b"Z../../etc/passwd"),
        Ext(16, b"O\x7f\xff\xff\xff\xff\xff\xff\xff"),
        Ext(17, packb([1, 2])),
        Ext(19, packb(["<f8", b"short"])),
        Ext(20, packb(["csr_array", [3, 3]])),
        Ext(20, packb(["os", [3, 3], 1, 2])),
    ],
    ids=lambda body: packb(body).hex()[:24],
)
def test_malformed_bodies_are_damage(body: Ext) -> None:
    for plaintext in (packb(body), packb([{"a": body}]), packb(Ext(1, packb([body])))):
        with pytest.raises(CorruptionError):
            SERIALIZER.loads(plaintext)


def test_lengths_are_not_believed() -> None:
    claims = [
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
    ]
    claims += [
        b"\xc9\xff\xff\xff\xff\x01",
        b"\xc1\x02\0\0" + b"\xff" * 12,
        b"\xc1\x02\0\0\1\0\0\0" + b"\xff" * 40,
    ]
    tracemalloc.start()
    try:
        for claim in claims:
            with pytest.raises(CorruptionError):
                SERIALIZER.loads(claim + bytes(50))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def bomb(code: int, per_level: int, levels: int) -> bytes:
    """Return Ext containers within each other, with as many lists as possible between them."""
    body = b"\x90"
    for _ in range(levels):
        body = b"\x91" * per_level + packb(Ext(code, body if body[0] & 0xF0 == 0x90 else b"\x91" + body))
    return body


@pytest.mark.parametrize("code", [1, 2, 3, 4, 20])
@pytest.mark.parametrize(("per_level", "levels"), [(1, 5000), (1020, 40), (1020, 5), (100, 400), (1, 90)])
def test_bombs_of_nesting_do_not_crash(code: int, per_level: int, levels: int) -> None:
    plaintext = bomb(code, per_level, levels)
    program = (
        "import sys; from stratakv.engine.serialization import Serializer\n"
        "try: Serializer().loads(sys.stdin.buffer.read())\n"
        "except Exception as error: print(type(error).__name__)\n"
        "else: print('value')"
    )
    if (code, per_level) in {(1, 1020), (1, 100)}:
        done = subprocess.run([sys.executable, "-c", program], input=plaintext, capture_output=True, check=True)
        assert done.stdout.strip() in {b"CorruptionError", b"value"}
    read(plaintext)
