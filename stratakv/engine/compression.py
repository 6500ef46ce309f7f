"""`CompressionEngine`: from a value to its smallest form within the budget, and the way back.

Owns results as users see them and what was lost by permission. It holds no keys and no values, and does no I/O. What
the store's plaintexts are encoded with is the `Encoder`'s business.

Invariant: what a codec does not make shorter is kept raw, so an `Encoded` payload is never longer than its
plaintext; a value is changed only where a rule allows it, and then the result says by how much.

Threads share an engine freely. Counts are kept a thread, so that encoding takes no lock; reading them adds up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from stratakv.clock import Clock, SystemClock
from stratakv.engine.codecs.base import Encoded
from stratakv.engine.codecs.blosc import blosc2_installed
from stratakv.engine.codecs.levels import cold_level, fast_level, warm_level
from stratakv.engine.codecs.numeric import pcodec_installed
from stratakv.engine.codecs.parts import PartsCodec
from stratakv.engine.codecs.raw import RawCodec
from stratakv.engine.codecs.registry import TYPED_ONLY, codec_by_id, codec_of
from stratakv.engine.codecs.rotated import ID as ROTATED_ID
from stratakv.engine.codecs.rotated import decode_rotated
from stratakv.engine.codecs.zstd import ZstdCodec
from stratakv.engine.compression_result import CompressionResult, DecompressionResult
from stratakv.engine.dictionaries import DictionaryBook
from stratakv.engine.dictionary_form import from_stored, is_rotation
from stratakv.engine.encoding import Encoder
from stratakv.engine.loss import Loss, LossRule, Permissions, Rotations, lose
from stratakv.engine.losses import Losses
from stratakv.engine.rotation import DEFAULT_MIN_COSINE, vectors_installed
from stratakv.engine.rotation.book import RotationBook
from stratakv.engine.serialization import Serializer, segments
from stratakv.engine.serialization.layout import ESCAPE
from stratakv.engine.stages import Budgets
from stratakv.errors import ConfigurationError, CorruptionError
from stratakv.types import CompressionStrategy

if TYPE_CHECKING:
    import numpy as np

    from stratakv.config import NamespaceConfig, OptimizationConfig

__all__ = [
    "CompressionEngine",
    "CompressionResult",
    "DecompressionResult",
    "cold_level",
    "fast_level",
    "warm_level",
]

_DEFAULT_LEVEL = 6
_BUDGETS = Budgets(store=25.0, background=800.0, read=100.0)
# Of these whatever is measured to be short is taken.
_MEASURED = frozenset({CompressionStrategy.ADAPTIVE, CompressionStrategy.ROTATED})
# ADAPTIVE takes a slower codec where it is at least this much shorter than a quicker one.
_MUST_REACH = 0.97
# The parts of a value with short arrays cost more than their codecs gain; one stream of deflate has no parts.
_SHORT_ARRAYS = 1024
# LZMA gains some percent on long texts, and takes a millisecond for 10 KB of them.
_LONG_TEXT = 16 * 1024
# A plaintext shorter than this has no table worth looking for.
_TABLES_FROM = 1024

LARGEST_PLAINTEXT = (1 << 32) - 1
"""Bytes of a plaintext that are decoded at once; what claims more is damaged."""


class ValueSerializer(Protocol):
    """Turns values into plaintext and back."""

    def dumps(self, value: object) -> bytes:
        """Return the plaintext."""

    def loads(self, plaintext: bytes) -> object:
        """Return the value."""


class CompressionEngine:
    """Encodes values and plaintexts, and decodes them.

    Args:
        config: Where the default strategy, level, budgets and permissions come from; None means adaptive at level 6.
        serializer: Turns values into plaintext; None means one as configured.
        dictionaries: The trained dictionaries; None means none.
        rotations: The learned rotations; None means those of this engine alone, see `learn_rotation`.
        clock: Measures the seconds in results and trials, and the age of edges.

    Raises:
        ConfigurationError: The default strategy, or that of a namespace, is not available, or the level is out of
            range.
    """

    def __init__(
        self,
        config: OptimizationConfig | None = None,
        *,
        serializer: ValueSerializer | None = None,
        dictionaries: DictionaryBook | None = None,
        rotations: RotationBook | None = None,
        clock: Clock | None = None,
    ) -> None:
        strategy, level, enabled = CompressionStrategy.ADAPTIVE, _DEFAULT_LEVEL, True
        budgets = _BUDGETS
        if config is not None:
            strategy = CompressionStrategy(config.compression.default_strategy)
            level = config.effective_compression_level
            enabled = config.enable_compression and config.compression.enabled
            budgets = Budgets(
                config.compression.store_budget_us_per_kb,
                config.effective_background_budget,
                config.effective_read_budget,
            )
        if serializer is None:
            options = config.serialization if config is not None else None
            serializer = Serializer(allow_pickle=options.allow_pickle, enums=options.enums) if options else Serializer()
        self._serializer = serializer
        self._clock = clock or SystemClock()
        self._book = dictionaries if dictionaries is not None else DictionaryBook(dictionary_bytes=0)
        self._learns_alone = rotations is None
        self.rotations = rotations if rotations is not None else RotationBook()
        self._level = warm_level(level)
        self._default = available(strategy) if enabled else CompressionStrategy.NONE
        for rule in config.namespaces.values() if config is not None and enabled else ():
            if rule.strategy is not None:
                available(CompressionStrategy(rule.strategy))
        self._permissions = Permissions(config, enabled=enabled)
        self.losses = Losses()
        self._parts = PartsCodec()
        self.encoder = Encoder(
            self._book,
            self.rotations,
            strategy=self._default,
            level=level,
            budgets=budgets,
            now=self._clock.busy,
        )
        # Looked up once: called on every store.
        self.encode_fast = self.encoder.fast

    def compress(self, data: object, strategy: CompressionStrategy | None = None) -> CompressionResult:
        """Serialise and encode a value. None means the configured default.

        ADAPTIVE encodes each array of a value by what suits it and other values by what makes them shortest, or by a
        quicker codec that comes near. A strategy that loses precision is a permission to do so, within its bound.
        Strategies for arrays (BLOSC, NUMERIC, SPARSE_CSR, ...) leave what is no array to zstd.

        Raises:
            SerializationError: The value is of a type that is not accepted.
            ConfigurationError: The strategy is not available.
        """
        started = self._clock.monotonic()
        chosen = self._default if strategy is None else available(strategy)
        loss = None
        rule = self._permissions.rule(None, strategy)
        if rule is not None:
            data, loss = self._lose(data, rule, 0)
        encoded, name = self._encode(self._serializer.dumps(data), chosen)
        if loss is not None and loss.strategy is not None and name is not CompressionStrategy.NONE:
            name = loss.strategy
        self.encoder.tally.count(encoded, name.value)
        if loss is not None:
            self.losses.add(loss)
        stored = len(encoded.payload)
        return CompressionResult(
            strategy=name,
            data=encoded,
            original_size=encoded.size,
            compressed_size=stored,
            ratio=encoded.size / stored,
            seconds=self._clock.monotonic() - started,
            loss=loss,
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

    def get_statistics(self) -> dict[str, Any]:
        """Return the counts of first encodings, by `compress` and at store; those for other tiers are none.

        `overall_compression_ratio` is 1 - encoded / plaintext: 0.75 means that 75% were saved. `loss` tells what was
        lost by permission, `choices` which codec is used for what, and why, `rotations` what was learned of vectors.
        `unproved_payloads` counts those that did not give their plaintext back when they were made, and were not used:
        none, unless a codec has a mistake.
        """
        usage, plain, coded = self.encoder.tally.totals()
        return {
            "total_compressions": sum(usage.values()),
            "overall_compression_ratio": 1 - coded / plain if plain else 0.0,
            "space_saved_bytes": plain - coded,
            "strategy_usage": usage,
            "loss": self.losses.report(),
            "unproved_payloads": self.encoder.unproved,
            "rotations": self.rotations.report(),
            "choices": [{"namespace": namespace, **row} for namespace, row in self.encoder.report()],
        }

    def changed(
        self, value: object, namespace: NamespaceConfig, asked: CompressionStrategy | None, number: int
    ) -> tuple[object, Loss | None]:
        """Return what is to be stored in place of a value: itself, or less of it where that is allowed; and the loss.

        `number` is the namespace's. Whoever stores the value adds the loss to `losses`.

        Raises:
            ConfigurationError: A rotation is wanted and a library for it is missing.
        """
        rule = self._permissions.rule(namespace, asked)
        return (value, None) if rule is None else self._lose(value, rule, number)

    def _lose(self, value: object, rule: LossRule, namespace: int) -> tuple[object, Loss]:
        if rule.arrays is CompressionStrategy.ROTATED:
            available(rule.arrays)
        return lose(value, rule, self._clock.now(), Rotations(self.rotations, namespace))

    def learn_rotation(self, vectors: np.ndarray[Any, Any], min_cosine: float | None = None) -> bool:
        """Learn a rotation, which `compress` then uses for vectors of that dimension where it may rotate.

        Args:
            vectors: Samples of what is to be compressed, one a row; the rotation takes 5% of their bytes at most.
            min_cosine: The bound it is made for; None means the one that `compress` has.

        Returns:
            Whether one was found that is worth its bytes.

        Raises:
            ConfigurationError: A library is missing, or the engine is a store's, which learns from what it stores.
        """
        available(CompressionStrategy.ROTATED)
        if not self._learns_alone:
            raise ConfigurationError("a store learns rotations from the vectors that it stores, in the background")
        rule = self._permissions.rule(None, CompressionStrategy.ROTATED)
        if min_cosine is None:
            min_cosine = DEFAULT_MIN_COSINE if rule is None else rule.min_cosine
        return self.rotations.learn(vectors, min_cosine)

    def know(self, number: int, namespace: int, stored: bytes) -> None:
        """Make what the catalog keeps of a dictionary or a rotation known.

        Raises:
            CorruptionError: It is damaged.
        """
        content = from_stored(stored)
        (self.rotations if is_rotation(stored) else self._book).add(number, namespace, content)

    def trim(self) -> None:
        """Let go of dictionaries prepared for the levels of background work, some MB for each namespace."""
        self._book.trim(self.encoder.fast_level)

    def decode(self, encoded: Encoded) -> bytes:
        """Return the plaintext.

        Raises:
            CorruptionError: The payload is damaged, or its dictionary or codec is not known.
            ConfigurationError: It needs a library that is not installed.
        """
        dictionary = encoded.dictionary
        if encoded.size > LARGEST_PLAINTEXT:
            raise CorruptionError(f"a payload claims {encoded.size} bytes, more than any value may have")
        if not dictionary:
            return codec_by_id(encoded.codec).decode(encoded.payload, encoded.size)
        if encoded.codec == ROTATED_ID:
            return decode_rotated(self.rotations.rotation(dictionary), encoded.payload, encoded.size)
        if encoded.codec != ZstdCodec.id:
            raise CorruptionError(f"codec {encoded.codec} takes no dictionary, but {dictionary} is named")
        return self._book.decode(dictionary, encoded.payload, encoded.size)

    def _encode(self, plaintext: bytes, strategy: CompressionStrategy) -> tuple[Encoded, CompressionStrategy]:
        """Return the shortest form by a strategy, and the strategy that it is of in the end."""
        typed = plaintext[:1] == bytes((ESCAPE,))
        if typed and strategy is CompressionStrategy.ROTATED:
            rotated = self.encoder.rotated.alone(plaintext, segments(plaintext), 0, counted=True)
            if rotated is not None:
                return rotated, strategy
        adaptive = strategy in _MEASURED
        if typed and (adaptive or strategy in TYPED_ONLY):
            made = self._parts.encode_segments(
                plaintext, segments(plaintext), self._level, only=None if adaptive else strategy
            )
            codec, payload, name = PartsCodec.id, made.payload, made.strategy
            if adaptive and len(plaintext) < _SHORT_ARRAYS:
                codec, payload, name = self._shorter(plaintext, [CompressionStrategy.ZLIB], (codec, payload, name))
        elif adaptive:
            codec, payload, name = self._adaptive(plaintext)
        else:
            chosen = codec_of(strategy)
            codec, payload, name = chosen.id, chosen.encode(plaintext, level=self._level), chosen.strategy
        if len(payload) >= len(plaintext):
            codec, payload, name = RawCodec.id, plaintext, CompressionStrategy.NONE
        return Encoded(codec, 0, len(plaintext), payload), name

    def _adaptive(self, plaintext: bytes) -> tuple[int, bytes, CompressionStrategy]:
        """Try what a value without arrays may be, the quickest to read first."""
        kinds = [CompressionStrategy.LZ4, CompressionStrategy.ZSTD]
        if len(plaintext) >= _TABLES_FROM:
            kinds.append(CompressionStrategy.COLUMNS)
        if len(plaintext) >= _LONG_TEXT:
            kinds.append(CompressionStrategy.LZMA)
        return self._shorter(plaintext, kinds, (RawCodec.id, plaintext, CompressionStrategy.NONE))

    def _shorter(
        self, plaintext: bytes, kinds: list[CompressionStrategy], found: tuple[int, bytes, CompressionStrategy]
    ) -> tuple[int, bytes, CompressionStrategy]:
        """Try further strategies; each must be clearly shorter than what was found before it."""
        for kind in kinds:
            codec = codec_of(kind)
            payload = codec.encode(plaintext, level=self._level)
            if len(payload) <= _MUST_REACH * len(found[1]):
                found = codec.id, payload, codec.strategy
        return found


def available(strategy: object) -> CompressionStrategy:
    """Return the strategy.

    Raises:
        ConfigurationError: It is none, or needs a library that is not installed.
    """
    if not isinstance(strategy, CompressionStrategy):
        names = ", ".join(known.name for known in CompressionStrategy)
        meant = next((f": write CompressionStrategy.{k.name}" for k in CompressionStrategy if k.value == strategy), "")
        raise ConfigurationError(f"a strategy is a CompressionStrategy, one of {names}; not {strategy!r:.60}{meant}")
    if strategy is CompressionStrategy.BLOSC and not blosc2_installed():
        raise ConfigurationError("BLOSC compression needs the library blosc2: pip install 'stratakv[arrays]'")
    if strategy is CompressionStrategy.NUMERIC and not pcodec_installed():
        raise ConfigurationError("NUMERIC compression needs the library pcodec: pip install pcodec")
    if strategy is CompressionStrategy.ROTATED and not vectors_installed():
        raise ConfigurationError("ROTATED compression needs the library constriction: pip install 'stratakv[vectors]'")
    return strategy
