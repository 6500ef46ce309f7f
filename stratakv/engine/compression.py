"""`CompressionEngine`: which codec a plaintext gets, and the way back.

Owns the choice of codec and level and the counts of what was encoded. It holds no keys and no values, and
does no I/O.

Invariant: what a codec does not make shorter is kept raw, so an `Encoded` payload is never longer than its
plaintext.

Threads share an engine freely. Counts are kept a thread, so that encoding takes no lock; reading them adds
up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from stratakv.clock import Clock, SystemClock
from stratakv.engine.codecs.base import Codec, Encoded
from stratakv.engine.codecs.blosc import BloscCodec, blosc2_installed
from stratakv.engine.codecs.deflate import ZlibCodec
from stratakv.engine.codecs.levels import cold_level, fast_level, warm_level
from stratakv.engine.codecs.lz4_block import Lz4Codec
from stratakv.engine.codecs.parts import PartsCodec, Span
from stratakv.engine.codecs.raw import RawCodec
from stratakv.engine.codecs.registry import codec_by_id
from stratakv.engine.codecs.tally import Tally
from stratakv.engine.codecs.zstd import ZstdCodec
from stratakv.engine.dictionaries import DictionaryBook
from stratakv.engine.serialization import Serializer, segments
from stratakv.engine.serialization.layout import ESCAPE
from stratakv.errors import ConfigurationError, CorruptionError
from stratakv.types import CompressionStrategy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratakv.config import OptimizationConfig

__all__ = [
    "CompressionEngine",
    "CompressionResult",
    "DecompressionResult",
    "cold_level",
    "fast_level",
    "warm_level",
]

_DEFAULT_LEVEL = 6
# Shorter plaintexts hold nothing that a codec could find again.
_SHORTEST = 48
# ADAPTIVE takes zstd where it is at least this much shorter than LZ4, which decodes in a third of the time.
_ZSTD_MUST_REACH = 0.9
# Of arrays at store time: higher levels take twice the time for a few percent.
_FAST_TYPED_LEVEL = 1


@dataclass(frozen=True, slots=True)
class CompressionResult:
    """A compressed value.

    Attributes:
        strategy: What was applied in the end: NONE where the codec asked for did not pay.
        data: The encoded plaintext; all that `decompress` needs.
        original_size: Bytes of plaintext.
        compressed_size: Bytes of payload.
        ratio: `original_size / compressed_size`.
        seconds: Time taken, serialisation included.
    """

    strategy: CompressionStrategy
    data: Encoded
    original_size: int
    compressed_size: int
    ratio: float
    seconds: float

    @property
    def space_saved(self) -> float:
        """The share of bytes saved, 0 to 1."""
        return 1 - self.compressed_size / self.original_size


@dataclass(frozen=True, slots=True)
class DecompressionResult:
    """A value back again.

    Attributes:
        data: The value.
        original_size: Bytes of plaintext.
        seconds: Time taken, deserialisation included.
    """

    data: object
    original_size: int
    seconds: float


class ValueSerializer(Protocol):
    """Turns values into plaintext and back."""

    def dumps(self, value: object) -> bytes:
        """Return the plaintext."""

    def loads(self, plaintext: bytes) -> object:
        """Return the value."""


class CompressionEngine:
    """Encodes values and plaintexts, and decodes them.

    Args:
        config: Where the default strategy and level come from; None means adaptive at level 6.
        serializer: Turns values into plaintext; None means one as configured.
        dictionaries: The trained dictionaries; None means none.
        clock: Measures the seconds in results.

    Raises:
        ConfigurationError: The default strategy is not available or the level is out of range.
    """

    def __init__(
        self,
        config: OptimizationConfig | None = None,
        *,
        serializer: ValueSerializer | None = None,
        dictionaries: DictionaryBook | None = None,
        clock: Clock | None = None,
    ) -> None:
        strategy, level, enabled = CompressionStrategy.ADAPTIVE, _DEFAULT_LEVEL, True
        if config is not None:
            strategy = CompressionStrategy(config.compression.default_strategy)
            level = config.effective_compression_level
            enabled = config.enable_compression and config.compression.enabled
        if serializer is None:
            options = config.serialization if config is not None else None
            serializer = Serializer(allow_pickle=options.allow_pickle, enums=options.enums) if options else Serializer()
        self._serializer = serializer
        self._clock = clock or SystemClock()
        self._book = dictionaries if dictionaries is not None else DictionaryBook(dictionary_bytes=0)
        self._codecs: dict[CompressionStrategy, Codec] = {
            codec.strategy: codec for codec in (RawCodec(), ZlibCodec(), Lz4Codec(), ZstdCodec(), BloscCodec())
        }
        self._zstd = self._codecs[CompressionStrategy.ZSTD]
        self._parts = PartsCodec()
        self._default = self._available(strategy) if enabled else CompressionStrategy.NONE
        self._fast_level = fast_level(level)
        self._level = warm_level(level)
        # What one record gets at store time: without a dictionary LZ4, unless a codec was chosen by name.
        self._fast = self._codecs.get(self._default, self._codecs[CompressionStrategy.LZ4])
        if self._default is CompressionStrategy.BLOSC:
            self._fast = self._codecs[CompressionStrategy.LZ4]
        self._keeps_raw = self._default is CompressionStrategy.NONE
        self._trained = self._default in (
            CompressionStrategy.ADAPTIVE,
            CompressionStrategy.ZSTD,
            CompressionStrategy.BLOSC,
        )
        self._tally = Tally()
        # Looked up once: they are called on every store.
        self._count = self._tally.count
        self._current = self._book.current
        self._with_dictionary = self._book.encode

    def compress(self, data: object, strategy: CompressionStrategy | None = None) -> CompressionResult:
        """Serialise and encode a value. None means the configured default.

        ADAPTIVE encodes each array of a value by what suits it; other values with LZ4 or, where it is at
        least 10% shorter, with zstd. BLOSC treats arrays as ADAPTIVE does.

        Raises:
            SerializationError: The value is of a type that is not accepted.
            ConfigurationError: The strategy is not available.
        """
        started = self._clock.monotonic()
        strategy = self._default if strategy is None else self._available(strategy)
        plaintext = self._serializer.dumps(data)
        encoded = self._encode(plaintext, strategy)
        self._tally.count(encoded)
        stored = len(encoded.payload)
        return CompressionResult(
            strategy=codec_by_id(encoded.codec).strategy,
            data=encoded,
            original_size=encoded.size,
            compressed_size=stored,
            ratio=encoded.size / stored,
            seconds=self._clock.monotonic() - started,
        )

    def decompress(self, result: CompressionResult) -> DecompressionResult:
        """Decode and deserialise what `compress` made.

        Raises:
            CorruptionError: The payload is damaged.
        """
        started = self._clock.monotonic()
        plaintext = self.decode(result.data)
        value = self._serializer.loads(plaintext)
        return DecompressionResult(value, len(plaintext), self._clock.monotonic() - started)

    def get_statistics(self) -> dict[str, object]:
        """Return the counts of first encodings, by `compress` and at store; those for other tiers are none.

        `overall_compression_ratio` is 1 - encoded / plaintext: 0.75 means that 75% were saved.
        """
        usage, plain, coded = self._tally.totals()
        by_name: dict[str, int] = {}
        for codec_id, times in usage.items():
            name = codec_by_id(codec_id).strategy.value
            by_name[name] = by_name.get(name, 0) + times
        return {
            "total_compressions": sum(usage.values()),
            "overall_compression_ratio": 1 - coded / plain if plain else 0.0,
            "space_saved_bytes": plain - coded,
            "strategy_usage": by_name,
        }

    def encode_fast(self, plaintext: bytes, namespace: int) -> Encoded:
        """Encode a new record at store time: with its namespace's dictionary, else LZ4; arrays by parts."""
        size = len(plaintext)
        codec = dictionary = 0
        payload = plaintext
        if size >= _SHORTEST and not self._keeps_raw:
            if plaintext[0] == ESCAPE:
                codec = PartsCodec.id
                payload = self._parts.encode_segments(plaintext, segments(plaintext), _FAST_TYPED_LEVEL)
            else:
                if self._trained and (dictionary := self._current(namespace)):
                    try:
                        payload = self._with_dictionary(dictionary, plaintext, self._fast_level)
                        codec = ZstdCodec.id
                    except KeyError:
                        # Discarded since it was looked up.
                        dictionary = 0
                if not dictionary:
                    codec = self._fast.id
                    payload = self._fast.encode(plaintext, level=self._fast_level)
        pays = len(payload) < size
        encoded = Encoded(codec, dictionary, size, payload) if pays else Encoded(1, 0, size, plaintext)
        self._count(encoded)
        return encoded

    def encode_block(self, plaintext: bytes, dictionary: int, level: int) -> Encoded:
        """Encode plaintexts that lie side by side in one block. `level` is zstd's; `dictionary` 0 means none.

        A dictionary gains 5 to 40% on blocks up to 256 KB and loses on blocks of 1 MB, which are dictionary
        enough.
        """
        if self._keeps_raw:
            return Encoded(RawCodec.id, 0, len(plaintext), plaintext)
        if dictionary:
            try:
                payload = self._book.encode(dictionary, plaintext, level)
            except KeyError:
                dictionary = 0
        if not dictionary:
            payload = self._zstd.encode(plaintext, level=level)
        return _shorter(ZstdCodec.id, dictionary, plaintext, payload)

    def encode_typed(self, plaintext: bytes, segments: Iterable[Span], level: int) -> Encoded:
        """Encode a value with arrays, segment by segment. `level` is zstd's.

        Raises:
            ValueError: The segments are out of order or reach beyond the plaintext.
        """
        if self._keeps_raw:
            return Encoded(RawCodec.id, 0, len(plaintext), plaintext)
        return _shorter(PartsCodec.id, 0, plaintext, self._parts.encode_segments(plaintext, segments, level))

    def trim(self) -> None:
        """Let go of dictionaries prepared for the levels of background work, some MB for each namespace."""
        self._book.trim(self._fast_level)

    def decode(self, encoded: Encoded) -> bytes:
        """Return the plaintext.

        Raises:
            CorruptionError: The payload is damaged, or its dictionary or codec is not known.
            ConfigurationError: It needs blosc2, which is not installed.
        """
        dictionary = encoded.dictionary
        if not dictionary:
            return codec_by_id(encoded.codec).decode(encoded.payload, encoded.size)
        if encoded.codec != ZstdCodec.id:
            raise CorruptionError(f"codec {encoded.codec} takes no dictionary, but {dictionary} is named")
        return self._book.decode(dictionary, encoded.payload, encoded.size)

    def _available(self, strategy: CompressionStrategy) -> CompressionStrategy:
        if not isinstance(strategy, CompressionStrategy):
            raise ConfigurationError(f"a strategy is a CompressionStrategy, not {strategy!r:.60}")
        if strategy is not CompressionStrategy.ADAPTIVE and strategy not in self._codecs:
            names = ", ".join(known.name for known in (*self._codecs, CompressionStrategy.ADAPTIVE))
            raise ConfigurationError(
                f"compression strategy {strategy.name} is not available in this version; there are {names}"
            )
        if strategy is CompressionStrategy.BLOSC and not blosc2_installed():
            raise ConfigurationError("BLOSC compression needs the library blosc2: pip install stratakv[arrays]")
        return strategy

    def _encode(self, plaintext: bytes, strategy: CompressionStrategy) -> Encoded:
        level = self._level
        typed = plaintext[:1] == bytes((ESCAPE,))
        if strategy is CompressionStrategy.ADAPTIVE and not typed:
            quick = self._codecs[CompressionStrategy.LZ4].encode(plaintext, level=level)
            small = self._zstd.encode(plaintext, level=level)
            if len(small) <= _ZSTD_MUST_REACH * len(quick):
                return _shorter(ZstdCodec.id, 0, plaintext, small)
            return _shorter(Lz4Codec.id, 0, plaintext, quick)
        if typed and strategy in (CompressionStrategy.ADAPTIVE, CompressionStrategy.BLOSC):
            payload = self._parts.encode_segments(plaintext, segments(plaintext), level)
            return _shorter(PartsCodec.id, 0, plaintext, payload)
        codec = self._codecs[strategy]
        return _shorter(codec.id, 0, plaintext, codec.encode(plaintext, level=level))


def _shorter(codec: int, dictionary: int, plaintext: bytes, payload: bytes) -> Encoded:
    size = len(plaintext)
    if len(payload) < size:
        return Encoded(codec, dictionary, size, payload)
    return Encoded(RawCodec.id, 0, size, plaintext)
