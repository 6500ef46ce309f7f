"""`BloomFilter`: tells in well under a microsecond that a content is certainly new, which saves a look-up.

Owns the filter in RAM and its saved form. Never reads the catalog and knows nothing of keys: whoever owns the
catalog decides when a saved filter is stale. Invariant: a digest that was added is never reported as absent.

A register-blocked filter (Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters", 2007):
all bits of a digest lie in one 64-bit word, taken from two tables of ready-made patterns. Against the
textbook filter with seven scattered bits it takes a third more memory (12.6 instead of 9.6 bits a content at
1%) and answers hits in a third of the time: the interpreter executes one probe instead of seven. The
benchmark `python -m benchmarks bloom` measures it beside the alternatives.

Saved form, little-endian:

    offset size
         0    8  magic b"SKVBLOOM"
         8    2  version, 1
        10    1  bits of a first pattern
        11    1  bits of a second pattern
        12    8  expected contents
        20    8  false-positive rate asked for, float64
        28    8  contents counted
        36    8  last catalog sequence the filter knows
        44    8  number of words
        52   32  SHA-256 of bytes 0..51 and of the words
        84    -  the words, 8 bytes each
"""

from __future__ import annotations

import hashlib
import math
import struct
import sys
from array import array
from functools import cache
from typing import TYPE_CHECKING

from mmh3 import hash64

from stratakv.errors import ConfigurationError, CorruptionError

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAGIC = b"SKVBLOOM"
_VERSION = 1
_HEADER = struct.Struct("<8sHBBQdQQQ")
_CHECKSUM_SIZE = hashlib.sha256().digest_size
_BODY_AT = _HEADER.size + _CHECKSUM_SIZE
HEAD_BYTES = _BODY_AT
"""Length of what stands before the words."""

_WORD_BITS = 64
_PATTERN_BITS = range(1, 7)
# 8 GiB of filter. Below 2**30 a word count is one digit of a Python int, whose remainder takes a fast path.
_MOST_WORDS = (1 << 30) - 1
# One word holds few bits: rarer false positives would cost over 50 bits a content.
_LEAST_RATE = 1e-4
_MOST_RATE = 0.5
_PATTERNS = 1024
_LOW_BITS = _PATTERNS - 1
# A signed 64-bit number shifted by this lies in -512..511: all valid indexes of a table of 1024 entries.
_HIGH_SHIFT = 54


class BloomFilter:
    """A set of digests that may say "perhaps" but never a false "no".

    Any number of threads may ask without a lock while one thread adds; two threads MUST NOT add at once.

    Args:
        expected: Contents it is sized for. With more, false positives grow and `full` turns true.
        false_positive_rate: Share of unknown digests that may be reported as known once `expected` contents
            were added, 0.0001 to 0.5.

    Raises:
        ConfigurationError: An argument is out of range, or the filter would exceed 8 GiB.
    """

    __slots__ = (
        "_first",
        "_pattern_bits",
        "_second",
        "_size",
        "_words",
        "count",
        "expected",
        "false_positive_rate",
    )

    def __init__(self, expected: int, false_positive_rate: float) -> None:
        if expected < 1:
            raise ConfigurationError(f"a Bloom filter expects at least 1 content, not {expected}")
        if not _LEAST_RATE <= false_positive_rate <= _MOST_RATE:
            raise ConfigurationError(
                f"the false-positive rate of a Bloom filter lies between {_LEAST_RATE:g} and {_MOST_RATE:g}, "
                f"not {false_positive_rate:g}"
            )
        load, first_bits, second_bits = _densest(false_positive_rate)
        if expected / load > _MOST_WORDS:
            raise ConfigurationError(
                f"a Bloom filter for {expected} contents at a false-positive rate of {false_positive_rate:g} "
                f"would take more than 8 GiB: expect at most {int(_MOST_WORDS * load)}, or raise the rate"
            )
        words = array("Q", bytes(8)) * math.ceil(expected / load)
        self._assemble(expected, false_positive_rate, 0, (first_bits, second_bits), words)

    def _assemble(
        self, expected: int, rate: float, count: int, pattern_bits: tuple[int, int], words: array[int]
    ) -> None:
        self.expected = expected
        self.false_positive_rate = rate
        self.count = count
        self._pattern_bits = pattern_bits
        self._first = _patterns(pattern_bits[0], 1)
        self._second = _patterns(pattern_bits[1], 2)
        self._words = words
        self._size = len(words)

    def __contains__(self, digest: bytes) -> bool:
        """Tell whether the digest may have been added: False is certain, True is not."""
        place, choice = hash64(digest)
        pattern = self._first[choice & _LOW_BITS] | self._second[choice >> _HIGH_SHIFT]
        return self._words[place % self._size] & pattern == pattern

    may_contain = __contains__

    def add(self, digest: bytes) -> None:
        """Add a digest. Adding it again changes nothing."""
        place, choice = hash64(digest)
        pattern = self._first[choice & _LOW_BITS] | self._second[choice >> _HIGH_SHIFT]
        place %= self._size
        word = self._words[place]
        if word & pattern != pattern:
            # One assignment: a reader sees the word before or after, and both tell of all earlier contents.
            self._words[place] = word | pattern
            self.count += 1

    def add_many(self, digests: Iterable[bytes]) -> None:
        """Add each digest."""
        add = self.add
        for digest in digests:
            add(digest)

    @property
    def full(self) -> bool:
        """Whether more contents were added than it is sized for: time to build a larger one.

        `count` passes over a new digest that looks like a known one, so it runs low by less than the rate.
        """
        return self.count > self.expected

    @property
    def ram_bytes(self) -> int:
        """Bytes of RAM held; the pattern tables, about 90 KiB for all filters together, are not counted."""
        return sys.getsizeof(self) + sys.getsizeof(self._words)

    def to_bytes(self, sequence: int) -> bytes:
        """Return the saved form. To be called by the thread that adds.

        Args:
            sequence: The last catalog sequence whose contents were added, 0 to 2**64 - 1.

        Raises:
            ConfigurationError: The sequence is out of range.
        """
        if not 0 <= sequence < 1 << 64:
            raise ConfigurationError(f"a catalog sequence is a number of 64 bits without sign, not {sequence}")
        header = _HEADER.pack(
            _MAGIC,
            _VERSION,
            *self._pattern_bits,
            self.expected,
            self.false_positive_rate,
            self.count,
            sequence,
            self._size,
        )
        # A view, not a copy: hashing and joining many megabytes then let other threads run.
        with memoryview(_little_endian(self._words)).cast("B") as body:
            return b"".join((header, _checksum(header, body), body))

    @classmethod
    def from_bytes(cls, saved: bytes) -> tuple[BloomFilter, int]:
        """Rebuild a filter from its saved form.

        Returns:
            The filter and the catalog sequence it was saved with.

        Raises:
            CorruptionError: The bytes are damaged, cut short, of another version or no filter at all.
        """
        if len(saved) < _BODY_AT or saved[: len(_MAGIC)] != _MAGIC:
            raise CorruptionError("not a saved Bloom filter: rebuild it from the catalog")
        _, version, first_bits, second_bits, expected, rate, count, sequence, size = _HEADER.unpack_from(saved)
        if version != _VERSION:
            raise CorruptionError(
                f"saved Bloom filter of version {version}, not {_VERSION}: rebuild it from the catalog"
            )
        view = memoryview(saved)
        header, checksum, body = view[: _HEADER.size], view[_HEADER.size : _BODY_AT], view[_BODY_AT:]
        if len(body) != size * 8 or _checksum(header, body) != checksum:
            raise CorruptionError("saved Bloom filter is damaged: rebuild it from the catalog")
        # A checksum proves that nothing changed, not that a sane writer made it.
        shape_is_sane = {first_bits, second_bits} <= set(_PATTERN_BITS) and 1 <= size <= _MOST_WORDS
        if not (shape_is_sane and expected and _LEAST_RATE <= rate <= _MOST_RATE):
            raise CorruptionError("saved Bloom filter claims impossible sizes: rebuild it from the catalog")
        words = array("Q")
        words.frombytes(body)
        bloom = cls.__new__(cls)
        restore = bloom._assemble  # noqa: SLF001 - an instance of this very class, made on the line above
        restore(expected, rate, count, (first_bits, second_bits), _little_endian(words))
        return bloom, sequence


def saved_sequence(head: bytes) -> int:
    """Return the catalog sequence a filter was saved with, from the first `HEAD_BYTES` of its saved form, unverified.

    Raises:
        CorruptionError: The bytes do not begin like a saved filter.
    """
    if len(head) < HEAD_BYTES or head[: len(_MAGIC)] != _MAGIC:
        raise CorruptionError("not a saved Bloom filter: rebuild it from the catalog")
    sequence: int = _HEADER.unpack_from(head)[7]
    return sequence


def _checksum(header: bytes | memoryview, body: memoryview) -> bytes:
    digest = hashlib.sha256(header)
    digest.update(body)
    return digest.digest()


def _little_endian(words: array[int]) -> array[int]:
    """Return the words in the byte order of the saved form; the same again turns them back."""
    if sys.byteorder == "little":
        return words
    turned = array("Q", words)
    turned.byteswap()
    return turned


@cache
def _patterns(bits: int, table: int) -> tuple[int, ...]:
    """Return 64-bit numbers with exactly `bits` ones each. Part of the saved form: they never change."""
    patterns = []
    for index in range(_PATTERNS):
        positions = int.from_bytes(hashlib.sha256(b"%d %d" % (table, index)).digest(), "little")
        pattern = 0
        while pattern.bit_count() < bits:
            pattern |= 1 << positions % _WORD_BITS
            positions //= _WORD_BITS
        patterns.append(pattern)
    return tuple(patterns)


def _false_positives(load: float, first_bits: int, second_bits: int) -> float:
    """Return the share of false positives when words hold `load` contents on average, Poisson distributed."""
    untouched = (1 - first_bits / _WORD_BITS) * (1 - second_bits / _WORD_BITS)
    overlap = first_bits / _WORD_BITS
    rate, probability = 0.0, math.exp(-load)
    for contents in range(int(load + 12 * math.sqrt(load)) + 20):
        is_set = 1 - untouched**contents
        rate += probability * is_set**first_bits * (overlap + (1 - overlap) * is_set) ** second_bits
        probability *= load / (contents + 1)
    return rate


@cache
def _densest(rate: float) -> tuple[float, int, int]:
    """Return the most contents a word may hold on average at this rate, and the two patterns' bits for it."""
    candidates = []
    for first_bits in _PATTERN_BITS:
        for second_bits in {max(1, first_bits - 1), first_bits}:
            least, most = 0.0, float(_WORD_BITS)
            for _ in range(40):
                load = (least + most) / 2
                if _false_positives(load, first_bits, second_bits) <= rate:
                    least = load
                else:
                    most = load
            candidates.append((least, first_bits, second_bits))
    return max(candidates)
