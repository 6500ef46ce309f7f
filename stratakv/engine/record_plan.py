"""`RecordPlan`: what is done with the records of one namespace at store. Holds what was settled, no rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stratakv.engine.codecs.contests import Contests, Timed
    from stratakv.types import CompressionStrategy


@dataclass(slots=True)
class RecordPlan:
    """See above.

    Attributes:
        strategy: As configured, of those that lose nothing.
        dictionary: The one that the contest knows.
        text: The contest for records without arrays.
        typed: The contests for arrays.
    """

    strategy: CompressionStrategy
    dictionary: int
    text: Timed
    typed: Contests
