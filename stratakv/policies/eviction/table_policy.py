"""`TablePolicy`: the base of policies that keep one entry object a key in a table.

Owns the table and what follows from it alone: what is tracked and how much. Never decides who leaves. Invariant: a key
is tracked exactly while the table holds its entry; an entry found elsewhere that the table does not hold has left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from stratakv.policies.eviction.base import EvictionPolicy

if TYPE_CHECKING:
    from collections.abc import Hashable

EntryT = TypeVar("EntryT")


class TablePolicy(EvictionPolicy, Generic[EntryT]):
    """An eviction policy whose hits find their entry in `_table` and change nothing but that entry's marks."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._table: dict[Hashable, EntryT] = {}

    def __len__(self) -> int:
        return len(self._table)

    def __contains__(self, key: object) -> bool:
        return key in self._table

    def shrink(self) -> None:
        self._table = self._table.copy()
