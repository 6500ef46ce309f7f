"""The Bloom filter never denies what was added, errs as rarely as asked, and knows a damaged save."""

from __future__ import annotations

import hashlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratakv.engine.bloom import BloomFilter
from stratakv.errors import ConfigurationError, CorruptionError

_BODY_AT = 84


def _digests(label: str, number: int) -> list[bytes]:
    return [hashlib.sha256(f"{label} {index}".encode()).digest() for index in range(number)]


def _resealed(saved: bytes, offset: int, field: bytes) -> bytes:
    """The saved filter with another header field and a fitting checksum, as a wrong writer makes it."""
    header = saved[:offset] + field + saved[offset + len(field) : _BODY_AT - 32]
    return header + hashlib.sha256(header + saved[_BODY_AT:]).digest() + saved[_BODY_AT:]


@given(
    digests=st.lists(st.binary(min_size=32, max_size=32), max_size=200),
    expected=st.integers(1, 300),
    rate=st.sampled_from([0.0001, 0.001, 0.01, 0.1, 0.5]),
)
@settings(deadline=None)
def test_what_was_added_is_never_denied(digests: list[bytes], expected: int, rate: float) -> None:
    bloom = BloomFilter(expected, rate)
    bloom.add_many(digests)
    assert all(digest in bloom for digest in digests)
    again, _ = BloomFilter.from_bytes(bloom.to_bytes(0))
    assert all(again.may_contain(digest) for digest in digests)


@pytest.mark.parametrize(("rate", "probes"), [(0.1, 20_000), (0.01, 60_000), (0.001, 200_000)])
def test_false_positives_are_as_rare_as_asked(rate: float, probes: int) -> None:
    bloom = BloomFilter(20_000, rate)
    bloom.add_many(_digests("known", 20_000))
    wrong = sum(digest in bloom for digest in _digests("unknown", probes))
    assert wrong / probes <= 1.5 * rate


def test_an_empty_filter_contains_nothing() -> None:
    bloom = BloomFilter(1000, 0.5)
    assert not any(digest in bloom for digest in _digests("unknown", 1000))


def test_a_content_costs_about_one_and_a_half_bytes_at_one_percent() -> None:
    assert BloomFilter(1_000_000, 0.01).ram_bytes <= 1_600_000


def test_adding_again_is_not_counted() -> None:
    bloom = BloomFilter(1000, 0.01)
    for _ in range(3):
        bloom.add_many(_digests("known", 100))
    assert bloom.count == 100


def test_it_is_full_past_the_expected_contents_and_still_right() -> None:
    bloom = BloomFilter(100, 0.01)
    bloom.add_many(_digests("known", 90))
    full_before = bloom.full
    bloom.add_many(_digests("more", 90))
    assert (full_before, bloom.full) == (False, True)
    assert all(digest in bloom for digest in _digests("known", 90) + _digests("more", 90))


def test_saved_filter_comes_back_whole() -> None:
    bloom = BloomFilter(5000, 0.02)
    bloom.add_many(_digests("known", 3000))
    again, sequence = BloomFilter.from_bytes(bloom.to_bytes(2**63 + 5))
    assert sequence == 2**63 + 5
    assert (again.expected, again.false_positive_rate, again.count) == (5000, 0.02, bloom.count)
    probes = _digests("known", 3000) + _digests("unknown", 3000)
    assert [digest in again for digest in probes] == [digest in bloom for digest in probes]
    again.add_many(_digests("later", 10))
    assert all(digest in again for digest in _digests("later", 10))


def test_format_of_version_1_stays_readable() -> None:
    bloom = BloomFilter(50, 0.01)
    bloom.add_many(_digests("known", 50))
    saved = bloom.to_bytes(7)
    assert saved[:12] == b"SKVBLOOM\x01\x00\x03\x02"
    assert hashlib.sha256(saved).hexdigest() == "7c5d8b5fd3250518f378cf6c66178d9a1ddbf44397ac53f604242d1aa882a294"


@pytest.mark.parametrize("region", ["magic", "version", "header", "checksum", "body"])
def test_a_flipped_bit_is_corruption_error(region: str) -> None:
    saved = BloomFilter(200, 0.01).to_bytes(1)
    places = {
        "magic": range(8),
        "version": range(8, 10),
        "header": range(10, 52),
        "checksum": range(52, _BODY_AT),
        "body": range(_BODY_AT, len(saved)),
    }
    for place in places[region]:
        damaged = bytearray(saved)
        damaged[place] ^= 0x10
        with pytest.raises(CorruptionError):
            BloomFilter.from_bytes(bytes(damaged))


def test_truncated_or_longer_filter_is_corruption_error() -> None:
    saved = BloomFilter(100, 0.01).to_bytes(1)
    for damaged in (*(saved[:length] for length in range(len(saved))), saved + b"\0", saved + bytes(8)):
        with pytest.raises(CorruptionError):
            BloomFilter.from_bytes(damaged)


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_garbage_is_corruption_error(garbage: bytes) -> None:
    for saved in (garbage, b"SKVBLOOM\x01\x00" + garbage):
        with pytest.raises(CorruptionError):
            BloomFilter.from_bytes(saved)


@pytest.mark.parametrize(
    ("offset", "field"),
    [
        pytest.param(8, struct.pack("<H", 2), id="newer version"),
        pytest.param(10, b"\0", id="pattern without bits"),
        pytest.param(11, b"\xff", id="pattern wider than a word"),
        pytest.param(12, struct.pack("<Q", 0), id="nothing expected"),
        pytest.param(20, struct.pack("<d", float("nan")), id="rate is not a number"),
        pytest.param(20, struct.pack("<d", 2.0), id="rate above one"),
        pytest.param(44, struct.pack("<Q", 2**64 - 1), id="absurd size"),
        pytest.param(44, struct.pack("<Q", 0), id="no words"),
    ],
)
def test_impossible_header_is_corruption_error_though_its_checksum_fits(offset: int, field: bytes) -> None:
    saved = BloomFilter(100, 0.01).to_bytes(1)
    BloomFilter.from_bytes(_resealed(saved, offset, saved[offset : offset + len(field)]))
    with pytest.raises(CorruptionError):
        BloomFilter.from_bytes(_resealed(saved, offset, field))


def test_a_filter_without_words_is_corruption_error() -> None:
    saved = BloomFilter(100, 0.01).to_bytes(1)
    with pytest.raises(CorruptionError):
        BloomFilter.from_bytes(_resealed(saved[:_BODY_AT], 44, bytes(8)))


@pytest.mark.parametrize("expected", [0, -1, 10**15])
def test_absurd_expectation_is_configuration_error(expected: int) -> None:
    with pytest.raises(ConfigurationError, match="Bloom filter"):
        BloomFilter(expected, 0.01)


@pytest.mark.parametrize("rate", [0.0, -0.1, 0.00001, 0.9, 1.0, float("nan"), float("inf")])
def test_absurd_rate_is_configuration_error(rate: float) -> None:
    with pytest.raises(ConfigurationError, match="false-positive rate"):
        BloomFilter(100, rate)


@pytest.mark.parametrize("sequence", [-1, 2**64])
def test_sequence_out_of_range_is_configuration_error(sequence: int) -> None:
    with pytest.raises(ConfigurationError, match="sequence"):
        BloomFilter(100, 0.01).to_bytes(sequence)
