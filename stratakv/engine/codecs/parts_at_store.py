"""`PartsAtStore`: whether a value with arrays is taken apart when it is stored, or kept as it is until it is packed.

Taking a value apart and proving that it comes together again takes longer than all else that a store does, and as long
again whenever it is read from RAM. Raw embeddings give 3 to 8% for that. Packs, where every byte is paid for long and
time counts less, take apart whatever becomes shorter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.policies.codec_choice import Budget, Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stratakv.engine.codecs.contests import Contests
    from stratakv.engine.codecs.parts import Parts, PartsCodec, Span
    from stratakv.types import CompressionStrategy

LEVEL = 1
"""Of zstd: higher levels take twice the time for a few percent."""

WORTH = 1 / 0.9
"""A tenth of the bytes is what taking apart must save."""

WHOLE, IN_PARTS = "as it is", "in parts"


class PartsAtStore:
    """Takes values apart where others like them became smaller by it: of one namespace, most of them the same numbers.

    Args:
        codec: Makes the parts.
        now: Seconds of work of the calling thread.
    """

    def __init__(self, codec: PartsCodec, now: Callable[[], float]) -> None:
        self._codec = codec
        self._now = now

    def of(
        self, plaintext: bytes, layout: Sequence[Span], contests: Contests, only: CompressionStrategy | None
    ) -> Parts | None:
        """Return the parts, always where somebody asked for `only` one strategy; None where they are not worth it."""
        if only is not None:
            return self._codec.encode_segments(plaintext, layout, LEVEL, contests=contests, only=only)
        # What parts cost is spent in their own contests, which have the budget; some trials are of all codecs.
        contest = contests.of(max(layout, key=_length).elements, " in values", WORTH, Budget()).contest
        is_trial = contest.left <= 0
        if not is_trial:
            contest.left -= 1
            if contest.best == WHOLE:
                return None
        began = self._now()
        made = self._codec.encode_segments(plaintext, layout, LEVEL, contests=contests)
        if is_trial:
            size, spent = len(plaintext), self._now() - began
            contest.learn({WHOLE: Trial(size, size, 0.0), IN_PARTS: Trial(size, len(made.payload), spent)})
        return made


def _length(span: Span) -> int:
    return span.stop - span.start
