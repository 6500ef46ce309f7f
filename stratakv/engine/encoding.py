"""`Encoder`: what the store's plaintexts are encoded with, when they are stored and when they are packed.

Owns the stages and their candidates. At store one record stands alone and time counts; in packs records lie side by
side and size counts. Which candidate wins is measured for each namespace and kind of content (`codecs/contests.py`).

Invariant: what no codec makes shorter is kept raw, so a payload is never longer than its plaintext.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.engine.codecs.base import UNTYPED, Encoded
from stratakv.engine.codecs.candidates import LZ4, LZMA, ZSTD, name_of
from stratakv.engine.codecs.columns import ColumnsCodec
from stratakv.engine.codecs.contests import Candidate, Contests, Timed, shortest
from stratakv.engine.codecs.levels import fast_level
from stratakv.engine.codecs.lz4_block import Lz4Codec
from stratakv.engine.codecs.lzma_raw import LzmaCodec
from stratakv.engine.codecs.parts import PartsCodec, Span
from stratakv.engine.codecs.parts_at_store import PartsAtStore
from stratakv.engine.codecs.raw import RawCodec
from stratakv.engine.codecs.registry import TYPED_ONLY, codec_of
from stratakv.engine.codecs.stack import StackCodec
from stratakv.engine.codecs.tally import Tally
from stratakv.engine.codecs.zstd import ZstdCodec
from stratakv.engine.loss import LOSSY
from stratakv.engine.proof import Proof
from stratakv.engine.record_plan import RecordPlan
from stratakv.engine.rotation.encoding import RotatedEncoder
from stratakv.engine.serialization import segments
from stratakv.engine.serialization.layout import ESCAPE
from stratakv.engine.stages import AT_STORE, IN_COLD_PACKS, IN_WARM_PACKS, Budgets
from stratakv.policies.codec_choice import Budget, CodecChoice
from stratakv.types import CompressionStrategy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stratakv.engine.codecs.base import Codec
    from stratakv.engine.dictionaries import DictionaryBook
    from stratakv.engine.rotation.book import RotationBook

DICTIONARY, COLUMNS, TOGETHER, APART = range(100, 104)
"""Candidates that a container of parts does not know: for text, and for arrays of one shape."""

# Shorter plaintexts hold nothing that a codec could find again.
SHORTEST = 48
# From this level of zstd on the smallest counts, whatever reading it takes.
_SMALLEST = 17
# A table of a few rows has no columns worth the name.
_TABLES_FROM = 1024
# How many contents pass between two trials of all candidates: of records, and of arrays, which are larger, differ more
# and are read seldom in cold.
_EVERY = {AT_STORE: 64, IN_WARM_PACKS: 16, IN_COLD_PACKS: 8}
_EVERY_ARRAY = {AT_STORE: 64, IN_WARM_PACKS: 8, IN_COLD_PACKS: 1}
_CODECS = {LZ4: Lz4Codec.id, ZSTD: ZstdCodec.id, DICTIONARY: ZstdCodec.id, COLUMNS: ColumnsCodec.id, LZMA: LzmaCodec.id}
_NAMES = {DICTIONARY: "zstd with dictionary", COLUMNS: "columns", TOGETHER: "stacked", APART: "each by itself"}
_ADAPTIVE = CompressionStrategy.ADAPTIVE
_USES_DICTIONARIES = frozenset({_ADAPTIVE, CompressionStrategy.ZSTD}) | TYPED_ONLY
# A value of which more than a fourth is left where its vectors are named is mostly something else.
_LITTLE = 4
# A value that columns make so much smaller than anything else has no need of company.
_LEAD = 0.85


class Encoder:
    """Encodes for one store.

    Args:
        book: The trained dictionaries.
        rotations: The learned rotations.
        strategy: The configured default; NONE keeps everything raw.
        level: The configured level, 1 to 9.
        budgets: What a KB may take.
        now: Seconds of work of the calling thread (`Clock.busy`).

    Attributes:
        strategy_of: Returns the strategy configured for a namespace, None for the default.
        may_lose: Tells whether a namespace's values may lose precision.
        rotated: Encodes what rotations name.
        tally: What was encoded at store.
    """

    def __init__(
        self,
        book: DictionaryBook,
        rotations: RotationBook,
        *,
        strategy: CompressionStrategy,
        level: int,
        budgets: Budgets,
        now: Callable[[], float],
    ) -> None:
        self.strategy_of: Callable[[int], CompressionStrategy | None] = lambda _namespace: None
        self.may_lose: Callable[[int], bool] = lambda _namespace: False
        self.tally = Tally()
        self._proof = Proof()
        self.rotated = RotatedEncoder(rotations, self._proof)
        self._count = self.tally.count
        self._book = book
        self._current = book.current
        self._strategy = strategy
        self._now = now
        self._configured = self._budgets = budgets
        self.fast_level = fast_level(level)
        self._choice = CodecChoice()
        self._plans: dict[int, RecordPlan] = {}
        self._lz4, self._zstd, self._lzma = Lz4Codec(), ZstdCodec(), LzmaCodec()
        self._columns = ColumnsCodec()
        self._parts = PartsCodec()
        self._parts_at_store = PartsAtStore(self._parts, now)
        self._stack = StackCodec(self._parts)

    # -- one record at store ---------------------------------------------------------------------------------

    def fast(
        self, plaintext: bytes, namespace: int, asked: CompressionStrategy | None = None, *, counted: bool = True
    ) -> Encoded:
        """Encode a new record quickly.

        `asked` is a strategy named by the call, `counted` whether this is the record's first time.
        """
        size = len(plaintext)
        plan = self._plans.get(namespace)
        if plan is None:
            plan = self._plan(namespace)
        strategy = plan.strategy if asked is None else _lossless(asked)
        codec = dictionary = 0
        payload, name = plaintext, "none"
        if size >= SHORTEST and strategy is not CompressionStrategy.NONE:
            if plaintext[0] == ESCAPE:
                codec, dictionary, payload, name = self._fast_typed(plaintext, namespace, plan, strategy, counted)
            elif strategy in _USES_DICTIONARIES:
                method, dictionary, payload = self._fast_text(plaintext, namespace, plan, strategy)
                codec = _CODECS[method]
                name = "zstd" if codec == ZstdCodec.id else "lz4"
            else:
                chosen = codec_of(strategy)
                codec, name = chosen.id, chosen.strategy.value
                payload = chosen.encode(plaintext, level=self.fast_level)
        if len(payload) >= size:
            codec, dictionary, payload, name = RawCodec.id, 0, plaintext, "none"
        encoded = Encoded(codec, dictionary, size, payload)
        if counted:
            self._count(encoded, name)
        return encoded

    def scale_budgets(self, factor: float) -> None:
        """Let background work spend so many times what is configured."""
        self._budgets = self._configured.scaled(factor)

    def _plan(self, namespace: int) -> RecordPlan:
        strategy = self.strategy_of(namespace)
        if strategy is None or self._strategy is CompressionStrategy.NONE:
            strategy = self._strategy
        contests = self._contests(namespace, AT_STORE)
        budget = self._budgets.of(AT_STORE, alone=True)
        plan = RecordPlan(
            _lossless(strategy), self._current(namespace), contests.named("text", budget, _EVERY[AT_STORE]), contests
        )
        self._plans[namespace] = plan
        return plan

    def _contests(self, namespace: int, stage: str, *, alone: bool = True) -> Contests:
        """Return the contests for arrays; those of many values in one block are held apart."""
        budget = self._budgets.of(stage, alone=alone)
        place = stage if alone else f"{stage}, stacked"
        every, looks = _EVERY_ARRAY[stage], self.may_lose(namespace)
        return Contests(self._choice, namespace, place, budget, every, self._now, _name_of, looks=looks)

    def _fast_text(
        self, plaintext: bytes, namespace: int, plan: RecordPlan, strategy: CompressionStrategy
    ) -> tuple[int, int, bytes]:
        """Return (candidate, dictionary, payload)."""
        dictionary = self._current(namespace)
        if dictionary != plan.dictionary:
            # A new candidate: what was learnt without it says little.
            self._choice.restart(namespace, AT_STORE)
            self._plans.pop(namespace, None)
            plan = self._plan(namespace)
        level = self.fast_level
        if dictionary:
            # Nothing else comes near a trained dictionary, so only its absence is worth a contest.
            try:
                return DICTIONARY, dictionary, self._book.encode(dictionary, plaintext, level)
            except KeyError:
                pass  # discarded since it was looked up
        if strategy is CompressionStrategy.ZSTD:
            return ZSTD, 0, self._zstd.encode(plaintext, level=level)
        contest = plan.text.contest
        if contest.left > 0:
            contest.left -= 1
            if contest.best == "lz4":
                return LZ4, 0, self._lz4.encode(plaintext, level=level)
            return ZSTD, 0, self._zstd.encode(plaintext, level=level)
        candidates = {
            LZ4: Candidate(lambda plain: self._lz4.encode(plain, level=level)),
            ZSTD: Candidate(lambda plain: self._zstd.encode(plain, level=level)),
        }
        method, payload = shortest(candidates, memoryview(plaintext), UNTYPED, plan.text)
        return method, 0, payload

    def _fast_typed(
        self, plaintext: bytes, namespace: int, plan: RecordPlan, strategy: CompressionStrategy, counted: bool
    ) -> tuple[int, int, bytes, str]:
        """Return (codec, rotation, payload, the name of the strategy that most of the value got)."""
        only = None if strategy is _ADAPTIVE else strategy
        layout = segments(plaintext)
        rotated = self.rotated.alone(plaintext, layout, namespace, counted=counted) if only is None else None
        if rotated is None or _LITTLE * len(rotated.payload) > len(plaintext):
            made = self._parts_at_store.of(plaintext, layout, plan.typed, only)
            least = len(plaintext) if rotated is None else len(rotated.payload)
            if made is not None and len(made.payload) < least and self._proved(self._parts, made.payload, plaintext):
                return PartsCodec.id, 0, made.payload, made.strategy.value
        if rotated is None:
            return RawCodec.id, 0, plaintext, "none"
        return rotated.codec, rotated.dictionary, rotated.payload, CompressionStrategy.ROTATED.value

    def _proved(self, codec: Codec, payload: bytes, plaintext: bytes) -> bool:
        return self._proof.holds(codec.decode, payload, plaintext, type(codec).__name__)

    @property
    def unproved(self) -> int:
        """Payloads that did not give their plaintext back, and were not used."""
        return self._proof.failures

    # -- many records in a pack ------------------------------------------------------------------------------

    def keeps_raw(self, namespace: int) -> bool:
        """Tell whether a namespace's values are not to be encoded at all."""
        plan = self._plans.get(namespace) or self._plan(namespace)
        return plan.strategy is CompressionStrategy.NONE

    def block(self, plaintexts: Sequence[bytes], *, namespace: int, dictionary: int, level: int, stage: str) -> Encoded:
        """Encode records side by side in one block. `level` is zstd's; `dictionary` 0 means none.

        A dictionary gains 5 to 40% on blocks up to 256 KB and loses on blocks of 1 MB, which are dictionary enough.
        """
        content = plaintexts[0] if len(plaintexts) == 1 else b"".join(plaintexts)
        if self.keeps_raw(namespace):
            return Encoded(RawCodec.id, 0, len(content), content)
        candidates = {ZSTD: Candidate(lambda plain: self._zstd.encode(plain, level=level), self._zstd.decode)}
        if dictionary in self._book:
            candidates = {DICTIONARY: Candidate(lambda plain: self._book.encode(dictionary, plain, level))}
        if level >= _SMALLEST:
            candidates[LZMA] = Candidate(lambda plain: self._lzma.encode(plain, level=level), self._lzma.decode)
        alone = len(plaintexts) == 1
        if len(content) >= _TABLES_FROM:
            candidates[COLUMNS] = Candidate(
                lambda _plain: self._columns.encode_many(content, count=len(plaintexts), level=level),
                self._columns.decode,
            )
        timed = self._block_contest(namespace, stage, alone=alone)
        method, payload = shortest(candidates, memoryview(content), UNTYPED, timed, whole=True)
        if method == COLUMNS and not self._proved(self._columns, payload, content):
            method, payload = ZSTD, self._zstd.encode(content, level=level)
        return _shorter(_CODECS[method], dictionary if method == DICTIONARY else 0, content, payload)

    def plain(self, content: bytes, level: int) -> Encoded:
        """Encode what is no value, a manifest, by zstd's `level` alone."""
        return _shorter(ZstdCodec.id, 0, content, self._zstd.encode(content, level=level))

    def prefers_company(self, plaintext: bytes, *, namespace: int, level: int, stage: str) -> bool:
        """Tell whether a large value shrinks more beside its like than alone, as tables in columns do."""
        timed = self._block_contest(namespace, stage, alone=True)
        if timed.settled is None:
            self.block([plaintext], namespace=namespace, dictionary=0, level=level, stage=stage)
        return not timed.contest.leads(_NAMES[COLUMNS], _LEAD)

    def _block_contest(self, namespace: int, stage: str, *, alone: bool) -> Timed:
        kind = "one value" if alone else "values side by side"
        return self._contests(namespace, stage).named(kind, self._budgets.of(stage, alone=alone), _EVERY[stage])

    def typed(
        self, plaintexts: Sequence[bytes], layout: Sequence[Span], *, namespace: int, level: int, stage: str
    ) -> Encoded:
        """Encode values with arrays of one shape (`stack.shape_of`); `layout` is that of the first, `level` zstd's."""
        content = plaintexts[0] if len(plaintexts) == 1 else b"".join(plaintexts)
        if self.keeps_raw(namespace):
            return Encoded(RawCodec.id, 0, len(content), content)
        by_itself = self._contests(namespace, stage)
        if len(plaintexts) == 1:
            made = self._parts.encode_segments(content, layout, level, contests=by_itself)
            return self._or_zstd(self._parts, content, made.payload, level)
        stacked = self._contests(namespace, stage, alone=False)
        encode = self._stack.encode_many
        candidates = {
            TOGETHER: Candidate(lambda _plain: encode(plaintexts, layout, level, stacked).payload),
            APART: Candidate(lambda _plain: encode(plaintexts, layout, level, by_itself, apart=True).payload),
        }
        # What either way spends is spent in the contests for its parts, which have budgets.
        timed = stacked.named("arrays of one shape", Budget(), _EVERY[stage])
        _, payload = shortest(candidates, memoryview(content), UNTYPED, timed, whole=True)
        return self._or_zstd(self._stack, content, payload, level)

    def rotated_block(
        self, plaintexts: Sequence[bytes], rotation: int, *, namespace: int, level: int, stage: str
    ) -> Encoded:
        """Encode values whose arrays a rotation names, of any shapes, side by side."""
        content = plaintexts[0] if len(plaintexts) == 1 else b"".join(plaintexts)
        made = None
        if not self.keeps_raw(namespace):
            made = self.rotated.together(plaintexts, [segments(each) for each in plaintexts], content, rotation)
        if made is not None and _LITTLE * len(made.payload) <= len(content):
            return made
        other = self.block(plaintexts, namespace=namespace, dictionary=0, level=level, stage=stage)
        return other if made is None or len(other.payload) < len(made.payload) else made

    def _or_zstd(self, codec: Codec, content: bytes, payload: bytes, level: int) -> Encoded:
        if self._proved(codec, payload, content):
            return _shorter(codec.id, 0, content, payload)
        return _shorter(ZstdCodec.id, 0, content, self._zstd.encode(content, level=level))

    def report(self) -> list[tuple[int, dict[str, object]]]:
        """Return what was chosen, for which namespace and kind of content, and why."""
        return self._choice.report()


def _lossless(strategy: CompressionStrategy) -> CompressionStrategy:
    """Return what encodes values where a strategy that loses has done its part: regular numbers are recognised."""
    return _ADAPTIVE if strategy in LOSSY else strategy


def _name_of(candidate: int) -> str:
    return _NAMES.get(candidate) or name_of(candidate)


def _shorter(codec: int, dictionary: int, plaintext: bytes, payload: bytes) -> Encoded:
    size = len(plaintext)
    if len(payload) < size:
        return Encoded(codec, dictionary, size, payload)
    return Encoded(RawCodec.id, 0, size, plaintext)
