"""The stages at which contents are encoded, and what a KB may cost at each.

Owns the rule that turns three configured budgets into that of a stage. Background work may be given more or less than
configured while the store runs; what a caller waits for at store may not.
"""

from __future__ import annotations

from typing import NamedTuple

from stratakv.policies.codec_choice import Budget

AT_STORE, IN_WARM_PACKS, IN_COLD_PACKS = "store", "warm", "cold"

ONE_OF_MANY = 10
"""Who reads a block of many values wants one of them: a KB of it may take so many times less."""


class Budgets(NamedTuple):
    """Microseconds that a KB may take: encoding it at store and in background work, and decoding it from a pack."""

    store: float
    background: float
    read: float

    def scaled(self, factor: float) -> Budgets:
        """Return these budgets with so many times as much for background work and for reading what it wrote."""
        return Budgets(self.store, self.background * factor, self.read * factor)

    def of(self, stage: str, *, alone: bool) -> Budget:
        """Return the budget of a stage, for a value alone in its block or one of many."""
        if stage == AT_STORE:
            return Budget(self.store)
        # Warm is for what is read often enough to be read quickly.
        quick = stage == IN_WARM_PACKS or not alone
        return Budget(self.background, self.read / ONE_OF_MANY if quick else self.read)
