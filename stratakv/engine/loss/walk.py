"""`lose`: applies a rule to everything in a value that it speaks of, and keeps exactly whatever would break its bound.

Never changes the caller's objects: containers on the way to a changed part are copied, all else is shared. Only plain
dicts, lists and tuples are entered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stratakv.engine.loss.arrays import binarised, is_coarse, is_stepped, may_lose, measured, quantised
from stratakv.engine.loss.graphs import form_of, pruned
from stratakv.engine.loss.permission import QUANTIZERS, LossRule
from stratakv.engine.loss.report import Loss
from stratakv.engine.loss.rotated import Rotations, rotated
from stratakv.types import CompressionStrategy

if TYPE_CHECKING:
    from collections.abc import Callable

_DEPTH = 32
"""What nests deeper is left as it is."""


def lose(value: object, rule: LossRule, now: float, rotations: Rotations | None = None) -> tuple[object, Loss]:
    """Return the value with what the rule allows taken away, and what that did to it.

    Args:
        value: Any value; it is not changed.
        rule: What may be done.
        now: Wall time in seconds, against which edges are old.
        rotations: Those of the value's namespace; None where there are none, and nobody learns any.
    """
    walk = _Walk(rule, now, rotations)
    return walk.enter(value, 0), walk.loss


class _Walk:
    """One pass through one value."""

    def __init__(self, rule: LossRule, now: float, rotations: Rotations | None) -> None:
        self._rule = rule
        self._now = now
        self._rotations = rotations
        self.loss = Loss()
        # What stands in a value twice is looked at once, and what contains itself ends the way down.
        self._done: dict[int, object] = {}

    def enter(self, value: object, depth: int) -> object:
        """Return the value, or a changed copy."""
        kind = type(value)
        if kind is not np.ndarray and (depth >= _DEPTH or kind not in (dict, list, tuple)):
            return value
        mark = id(value)
        if mark not in self._done:
            self._done[mark] = value
            self._done[mark] = self._changed(value, depth + 1)
        return self._done[mark]

    def _changed(self, value: Any, depth: int) -> object:
        if type(value) is np.ndarray:
            return self._array(value)
        if type(value) is dict:
            return self._dict(value, depth)
        if type(value) is list:
            return self._list(value, depth)
        items = self._items(list(value), depth)
        return value if items is None else tuple(items)

    def _dict(self, value: dict[Any, Any], depth: int) -> dict[Any, Any]:
        changed = {}
        for key, item in value.items():
            after = self.enter(item, depth)
            if after is not item:
                changed[key] = after
        return {**value, **changed} if changed else value

    def _list(self, value: list[Any], depth: int) -> list[Any]:
        rule = self._rule
        form = form_of(value) if rule.prunes else None
        if form is not None:
            kept = pruned(value, form, rule.min_confidence, rule.max_age_seconds, self._now)
            self.loss.pruned(CompressionStrategy.GRAPH_PRUNE, len(value), len(value) - len(kept))
            return kept
        items = self._items(value, depth)
        return value if items is None else items

    def _items(self, items: list[Any], depth: int) -> list[Any] | None:
        """Return the items with those changed that had to be; None where none had."""
        after = [self.enter(item, depth) for item in items]
        same = all(new is old for new, old in zip(after, items, strict=True))
        return None if same else after

    def _array(self, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        strategy = self._rule.arrays
        if strategy is None or not array.size or not may_lose(array):
            return array
        if not np.isfinite(array).all():
            self.loss.keep("not finite")
            return array
        if strategy is CompressionStrategy.ROTATED:
            turned = self._rotated(array)
            if turned is not None:
                return turned
            strategy = CompressionStrategy.QUANTIZE_INT8
        coarse = is_coarse(array)
        changed = array if coarse and is_stepped(array, strategy) else _change(strategy)(array)
        if coarse and not is_stepped(changed, strategy):
            self.loss.keep("too small for steps")
            return array
        if self._keeps_bound(strategy, array, changed):
            return changed
        self.loss.keep("past the bound")
        return array

    def _rotated(self, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
        """Return what a rotation makes of an array; None where 8-bit steps, finer as a rule, are to be tried."""
        if self._rotations is None:
            return None
        turned = rotated(array, self._rule, self._rotations, self.loss)
        if turned is None or turned is array or self._keeps_bound(CompressionStrategy.ROTATED, array, turned):
            return turned
        self.loss.miss_rotation("past the bound")
        return None

    def _keeps_bound(
        self, strategy: CompressionStrategy, array: np.ndarray[Any, Any], changed: np.ndarray[Any, Any]
    ) -> bool:
        """Tell whether a change keeps to the bound, and count it if so."""
        error, cosine = measured(array, changed)
        limit = self._rule.max_relative_error
        if cosine < self._rule.min_cosine or (limit is not None and error > limit):
            return False
        self.loss.changed_array(strategy, error, cosine)
        return True


def _change(strategy: CompressionStrategy) -> Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
    bits = QUANTIZERS.get(strategy)
    return binarised if bits is None else lambda array: quantised(array, bits)
