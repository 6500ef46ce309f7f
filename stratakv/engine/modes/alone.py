"""Alone: the store without an engine behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.engine.modes.base import Mode
from stratakv.engine.wrapping import MISSING, EngineValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from io import BufferedReader

    from stratakv.engine.large.sources import Source
    from stratakv.engine.store import Store
    from stratakv.engine.terms import PutOptions


class Alone(Mode):
    """Every call goes to the store."""

    def __init__(self, store: Store) -> None:
        self.store: Store = store
        self._retrieve = store.retrieve
        self._put = store.put

    def get(self, key: str, default: object) -> object:
        return self._retrieve(key, default)

    def quickest_get(self) -> Callable[[str, object], object]:
        return self._retrieve

    def get_detailed(self, key: str) -> tuple[EngineValue, float | None]:
        found = self.store.read(key)
        if found is None:
            return EngineValue(MISSING, None, None), None
        return EngineValue(found.value, None, found.extra), found.expires / 1000 if found.expires else None

    def put(self, key: str, value: object, options: PutOptions) -> None:
        self._put(key, value, options)

    def put_stream(self, key: str, file: Source, options: PutOptions) -> None:
        self.store.put_stream(key, file, options)

    def get_range(self, key: str, start: int, stop: int, default: object) -> object:
        return self.store.get_range(key, start, stop, default)

    def open(self, key: str) -> BufferedReader | None:
        return self.store.open_value(key)

    def delete(self, key: str) -> bool:
        return self.store.delete(key)

    def add(self, key: str, value: object, options: PutOptions) -> bool:
        return self.store.add(key, value, options)

    def replace(self, key: str, value: object, expected: object, options: PutOptions) -> bool:
        return self.store.replace(key, value, expected, options)

    def contains(self, key: str) -> bool:
        return key in self.store

    def keys(self, prefix: str) -> Iterator[str]:
        return self.store.keys(prefix)

    def length(self) -> int:
        return len(self.store)

    def put_many(self, items: Mapping[str, object], options: PutOptions) -> None:
        self.store.put_many(items, options)

    def get_many(self, keys: Iterable[str]) -> dict[str, object]:
        return self.store.get_many(keys)

    def delete_many(self, keys: Iterable[str]) -> int:
        return self.store.delete_many(keys)
