"""Format version 1, frozen: plaintexts as they were first written stay readable, and are still written so."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import scipy.sparse

from stratakv.engine.serialization import Serializer
from tests.engine.value_strategies import ENUMS, Colour, Right, same

SERIALIZER = Serializer(enums=ENUMS)

VERSION_1: list[tuple[Any, str]] = [
    (
        [None, True, 1, -1, 2**64 - 1, 1.5, "text", b"bytes"],
        "98c0c301ffcfffffffffffffffffcb3ff8000000000000a474657874c4056279746573",
    ),
    ({"b": 1, "a": [2]}, "82a16201a1619102"),
    ((1, (2,)), "c706019201d5019102"),
    ({1: "int", (2, "x"): None}, "c70d029401a3696e74d6019202a178c0"),
    ({3, 1, 2}, "d60393010203"),
    (frozenset({b"x", "x"}), "c7060492a178c40178"),
    (2**70, "c70905400000000000000000"),
    (-(2**63) - 1, "c70905ff7fffffffffffffff"),
    ("\ud800", "c70306eda080"),
    (bytearray(b"raw"), "c70307726177"),
    (1.5 - 2j, "d8083ff8000000000000c000000000000000"),
    (Decimal("-1.50E+7"), "d7092d312e3530452b37"),
    (Fraction(-7, 3), "c7060a00000001f903"),
    (UUID(int=5), "d80b00000000000000000000000000000005"),
    (datetime(2024, 2, 3, 4, 5, 6, 7, tzinfo=UTC), "c70d0c07e80203040506000000070055"),
    (
        datetime(2024, 2, 3, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
        "c71a0c07e8020300000000000000015a4575726f70652f4265726c696e",
    ),
    (date(2024, 2, 3), "d60d07e80203"),
    (time(4, 5, 6, 7), "d70e0405060000000700"),
    (timedelta(days=-1, seconds=2, microseconds=3), "c70c0fffffffff0000000200000003"),
    (timezone(timedelta(hours=1), "CET"), "c70d104f00000000d693a4006e434554"),
    (ZoneInfo("Asia/Kathmandu"), "c70f105a417369612f4b6174686d616e6475"),
    (
        Colour.RED,
        "c72b1192d92474657374732e656e67696e652e76616c75655f737472617465676965733a436f6c6f7572a3524544",
    ),
    (
        Right.READ | Right.RUN,
        "c7291192d92374657374732e656e67696e652e76616c75655f737472617465676965733a5269676874c40105",
    ),
    (np.array([1.0, -2.0], "<f4"), "c7131294a33c6634a1439102c4080000803f000000c0"),
    (
        np.asfortranarray(np.arange(4, dtype=">i2").reshape(2, 2)),
        "c7141294a33e6932a146920202c4080000000200010003",
    ),
    (
        np.arange(0, 70, dtype="u1"),
        (
            "c1020000010000000d0000000000000046000000000000000100000000000000c70a1294a37c7531"
            "a143914600000000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
            "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f4041424344450000"
        ),
    ),
    (
        np.zeros(1, [("a", "|i1"), ("b", "<M8[s]", (2,))]),
        (
            "c738129494a17311c29294a161c000a37c693194a162c00193a161a63c4d385b735d9102a1439101"
            "c4110000000000000000000000000000000000"
        ),
    ),
    (np.float32(1.5), "c70b1392a33c6634c4040000c03f"),
    (np.str_("text"), "c7091392a155c40474657874"),
]


@pytest.mark.parametrize(("value", "plaintext"), VERSION_1, ids=[plaintext[:24] for _, plaintext in VERSION_1])
def test_version_1_is_read_and_written(value: object, plaintext: str) -> None:
    assert same(SERIALIZER.loads(bytes.fromhex(plaintext)), value)
    assert SERIALIZER.dumps(value).hex() == plaintext


def test_version_1_of_sparse_is_read_and_written() -> None:
    parts = (np.array([1.5]), np.array([1], "i4"), np.array([0, 0, 1], "i4"))
    value = scipy.sparse.csr_array(parts, shape=(2, 3))
    plaintext = bytes.fromhex(
        "c7501495a96373725f6172726179920203c7131294a33c6638a1439101c408000000000000f83fc7"
        "0f1294a33c6934a1439101c40401000000c7171294a33c6934a1439103c40c000000000000000001"
        "000000"
    )
    assert SERIALIZER.dumps(value) == plaintext
    assert (SERIALIZER.loads(plaintext) != value).nnz == 0
