"""`CodecSuite`: what every codec owes, as tests. Shipped for authors of codecs.

Subclass it in a test file and provide `make_codec`; pytest collects the rest::

    class TestMyCodec(CodecSuite):
        def make_codec(self) -> Codec:
            return MyCodec()

Nothing of pytest is imported here: the tests are plain methods and loops.
"""

from __future__ import annotations

import hashlib
import os
import struct
import threading
import tracemalloc
import warnings
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from stratakv.engine.codecs.base import Elements
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from stratakv.engine.codecs.base import Codec

_SLACK = 4 << 20


def noise(size: int, seed: int = 0) -> bytes:
    """Return bytes that do not compress, always the same."""
    return hashlib.shake_128(seed.to_bytes(8, "little")).digest(size)


def words(size: int) -> bytes:
    """Return text that compresses by about four."""
    picks = noise(size)
    text = b" ".join((b"alpha", b"bravo", b"charlie", b"delta")[pick & 3] for pick in picks)
    return text[:size]


class CodecSuite(ABC):
    """Tests of the promises of `Codec`.

    Attributes:
        levels: The levels to try.
        itemsizes: The element widths to try.
        kinds: The kinds of elements to try, as `Elements.kind`.
    """

    levels: tuple[int, ...] = (1, 3, 6, 9)
    itemsizes: tuple[int, ...] = (1, 2, 3, 4, 8, 12, 16, 255, 256, 1000)
    kinds: tuple[str, ...] = ("V", "b", "i", "u", "f")

    @abstractmethod
    def make_codec(self) -> Codec:
        """Return a fresh codec."""

    def plaintexts(self) -> dict[str, bytes]:
        """Return the plaintexts that all tests use, by what they are."""
        return {
            "empty": b"",
            "one byte": b"\x00",
            "three bytes": b"abc",
            "a short record": b'{"id": 17, "name": "someone", "tags": ["a", "b"]}',
            "noise": noise(5_000),
            "zeros": bytes(70_000),
            "words": words(20_000),
            "numbers": b"".join(number.to_bytes(8, "little") for number in range(3_000)),
            "large": words(150_000) + noise(100_000) + bytes(250_000),
        }

    def typed_plaintexts(self) -> list[tuple[bytes, Elements]]:
        """Return short plaintexts of each kind of elements, with what codecs for such kinds look for."""
        numbers = self.plaintexts()["numbers"][:1_200]
        flags = bytes(byte & 1 for byte in noise(600))
        gaps = bytearray(2_400)
        for place, byte in enumerate(noise(20)):
            gaps[120 * place + 7] = byte
        steps = struct.pack("<160f", *(0.5 * (byte - 128 or 1) for byte in noise(144)), *[-63.5] * 16)
        return [
            *((numbers, Elements(kind, 8)) for kind in self.kinds),
            (flags, Elements("b", 1, 30)),
            (bytes(gaps), Elements("f", 8, 15)),
            (steps, Elements("f", 4, 16)),
        ]

    def test_identity_is_one_byte(self) -> None:
        codec = self.make_codec()
        assert 1 <= codec.id <= 255
        assert codec.strategy is not None

    def test_every_plaintext_comes_back(self) -> None:
        codec = self.make_codec()
        for what, plaintext in self.plaintexts().items():
            for level in self.levels:
                payload = codec.encode(plaintext, level=level)
                decoded = codec.decode(payload, len(plaintext))
                assert type(payload) is bytes, what
                assert type(decoded) is bytes, what
                assert decoded == plaintext, f"{what} at level {level}"

    def test_typed_plaintexts_of_every_length_come_back(self) -> None:
        codec = self.make_codec()
        for elements in (
            Elements(kind, width, row) for kind in self.kinds for width in self.itemsizes for row in (0, 7)
        ):
            width = elements.itemsize
            for length in (0, 1, width - 1, width, width + 1, 100 * width, 100 * width + 7):
                plaintext = words(length)
                payload = codec.encode(plaintext, level=3, elements=elements)
                assert codec.decode(payload, length) == plaintext, f"{length} bytes of {elements}"

    def test_every_kind_of_elements_comes_back(self) -> None:
        codec = self.make_codec()
        for plaintext, elements in self.typed_plaintexts():
            for level in self.levels:
                payload = codec.encode(plaintext, level=level, elements=elements)
                assert codec.decode(payload, len(plaintext)) == plaintext, f"{elements} at level {level}"

    def test_every_kind_of_buffer_is_taken(self) -> None:
        codec = self.make_codec()
        plaintext = words(3_000)
        expected = codec.encode(plaintext, level=3, elements=Elements(itemsize=4))
        around = b"<" + plaintext + b">"
        for given in (bytearray(plaintext), memoryview(plaintext), memoryview(around)[1:-1]):
            assert codec.encode(given, level=3, elements=Elements(itemsize=4)) == expected
        wrapped = b"<" + expected + b">"
        for payload in (bytearray(expected), memoryview(expected), memoryview(wrapped)[1:-1]):
            assert codec.decode(payload, len(plaintext)) == plaintext

    def test_input_is_left_unchanged(self) -> None:
        codec = self.make_codec()
        plaintext = bytearray(words(3_000))
        before = bytes(plaintext)
        payload = bytearray(codec.encode(plaintext, level=3, elements=Elements(itemsize=8)))
        encoded = bytes(payload)
        codec.decode(payload, len(plaintext))
        assert bytes(plaintext) == before
        assert bytes(payload) == encoded

    def test_encoding_is_deterministic(self) -> None:
        used, fresh = self.make_codec(), self.make_codec()
        used.encode(noise(10_000), level=3)
        for plaintext in self.plaintexts().values():
            for elements in (Elements(), *(Elements(kind, 8) for kind in self.kinds)):
                once = used.encode(plaintext, level=3, elements=elements)
                assert once == fresh.encode(plaintext, level=3, elements=elements)

    def test_wrong_size_is_corruption(self) -> None:
        codec = self.make_codec()
        for what, plaintext in self.plaintexts().items():
            payload = codec.encode(plaintext, level=3)
            size = len(plaintext)
            for wrong in {0, size - 1, size + 1, 2 * size + 1} - {size, -1}:
                _assert_corrupt(codec, payload, wrong, f"{what}: {size} bytes taken for {wrong}")

    def test_bytes_after_the_end_are_corruption(self) -> None:
        codec = self.make_codec()
        for what, plaintext in self.plaintexts().items():
            payload = codec.encode(plaintext, level=3)
            _assert_corrupt(codec, payload + b"\x00", len(plaintext), f"{what} and one byte more")

    def test_truncation_at_every_offset_is_corruption(self) -> None:
        codec = self.make_codec()
        others = [(words(700), Elements()), (noise(300), Elements(itemsize=4))]
        for plaintext, elements in [*self.typed_plaintexts(), *others]:
            payload = codec.encode(plaintext, level=3, elements=elements)
            for stop in range(len(payload)):
                _assert_corrupt(codec, payload[:stop], len(plaintext), f"cut at {stop} of {len(payload)}")

    def test_every_bit_flip_is_found_or_keeps_the_size(self) -> None:
        codec = self.make_codec()
        for plaintext, elements in [*self.typed_plaintexts(), (words(400), Elements())]:
            payload = codec.encode(plaintext, level=3, elements=elements)
            for bit in range(8 * len(payload)):
                flipped = bytearray(payload)
                flipped[bit >> 3] ^= 1 << (bit & 7)
                _assert_bounded(codec, bytes(flipped), len(plaintext))

    def test_garbage_is_found_or_keeps_the_size(self) -> None:
        codec = self.make_codec()
        for seed in range(300):
            _assert_bounded(codec, noise(1 + seed % 64, seed), 1 + seed * 7)

    def test_a_size_that_no_payload_holds_is_refused_without_allocating(self) -> None:
        codec = self.make_codec()
        payload = codec.encode(words(500), level=3)
        codec.decode(payload, 500)
        for huge in (1 << 30, 1 << 40, 1 << 62):
            tracemalloc.start()
            try:
                _assert_corrupt(codec, payload, huge, f"{len(payload)} bytes taken for {huge}")
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            assert peak < _SLACK

    def test_damage_does_not_spoil_the_next_call(self) -> None:
        codec = self.make_codec()
        plaintext = words(2_000)
        payload = codec.encode(plaintext, level=3)
        for stop in range(0, len(payload), 7):
            _assert_corrupt(codec, payload[:stop], len(plaintext), f"cut at {stop}")
            assert codec.decode(payload, len(plaintext)) == plaintext

    def test_eight_threads_share_one_codec(self) -> None:
        codec = self.make_codec()
        failures: list[str] = []

        def work(seed: int) -> None:
            try:
                for step in range(30):
                    plaintext = noise(200, seed * 100 + step) + words(500 + 37 * step)
                    for itemsize in (1, 4):
                        payload = codec.encode(plaintext, level=1 + step % 6, elements=Elements(itemsize=itemsize))
                        if codec.decode(payload, len(plaintext)) != plaintext:
                            failures.append(f"thread {seed}, step {step}")
            except Exception as error:  # noqa: BLE001 - a thread's failure is told by the test
                failures.append(repr(error))

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads), "a thread hangs"
        assert not failures

    def test_a_forked_child_can_use_it(self) -> None:
        codec = self.make_codec()
        plaintext = words(400_000)
        expected = codec.encode(plaintext, level=3, elements=Elements(itemsize=4))
        codec.decode(expected, len(plaintext))
        with warnings.catch_warnings():
            # Python 3.12 warns where threads run, and libraries keep some; that a codec bears it is the point
            # here.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if not child:
            # Nothing of the test runner may run in the child.
            status = 1
            try:
                good = codec.encode(plaintext, level=3, elements=Elements(itemsize=4)) == expected
                status = 0 if good and codec.decode(expected, len(plaintext)) == plaintext else 2
            finally:
                os._exit(status)
        assert _exit_code(child, 30) == 0
        assert codec.decode(expected, len(plaintext)) == plaintext


def _assert_corrupt(codec: Codec, payload: bytes, size: int, what: str) -> None:
    try:
        codec.decode(payload, size)
    except CorruptionError:
        return
    raise AssertionError(f"no CorruptionError for {what}")


def _assert_bounded(codec: Codec, payload: bytes, size: int) -> None:
    try:
        decoded = codec.decode(payload, size)
    except CorruptionError:
        return
    assert len(decoded) == size


def _exit_code(child: int, seconds: int) -> int | None:
    """Wait for the child; None (and the child killed) when it hangs."""
    done = threading.Event()
    status: list[int] = []

    def wait() -> None:
        status.append(os.waitpid(child, 0)[1])
        done.set()

    threading.Thread(target=wait, daemon=True).start()
    if not done.wait(seconds):
        os.kill(child, 9)
        done.wait(seconds)
        return None
    return os.waitstatus_to_exitcode(status[0])
