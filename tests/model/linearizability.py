"""Is a history of one key linearisable? The search of Wing and Gong, with Lowe's memory of what was tried.

J. M. Wing, C. Gong: Testing and Verifying Concurrent Objects (1993). G. Lowe: Testing for Linearizability (2017).
An operation took effect at one instant between its call and its return; the question is whether there is an order of
such instants in which every answer is right. A key holds one value or none (`ABSENT`).
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

Verb = Literal["get", "contains", "put", "delete", "add", "replace"]
R = TypeVar("R", bound=Hashable)

ABSENT = "<absent>"


@dataclass(frozen=True)
class Operation:
    """One call as its caller saw it.

    Attributes:
        verb: What was called.
        given: The value stored; for `replace` (value, expected).
        answer: What it returned; `ABSENT` for a miss.
        called, returned: Ticks of one shared counter; all differ.
    """

    verb: Verb
    given: Hashable
    answer: Hashable
    called: int
    returned: int


class Recorder:
    """Gathers operations per key from many threads."""

    def __init__(self) -> None:
        self._ticks = itertools.count()
        self._lock = threading.Lock()
        self.histories: dict[str, list[Operation]] = {}

    def run(self, key: str, verb: Verb, given: Hashable, call: Callable[[], R]) -> R:
        """Call, note when and what came of it, and return that."""
        called = next(self._ticks)
        answer = call()
        operation = Operation(verb, given, answer, called, next(self._ticks))
        with self._lock:
            self.histories.setdefault(key, []).append(operation)
        return answer

    def run_many(self, keys: Sequence[str], call: Callable[[], Mapping[str, Hashable]]) -> None:
        """Read many keys in one call and note for each what came of it."""
        called = next(self._ticks)
        found = call()
        returned = next(self._ticks)
        with self._lock:
            for key in keys:
                operation = Operation("get", None, found.get(key, ABSENT), called, returned)
                self.histories.setdefault(key, []).append(operation)


def apply(state: Hashable, operation: Operation) -> tuple[bool, Hashable]:
    """Return whether the answer is right if the operation takes effect in this state, and the state after it."""
    held = state != ABSENT
    match operation.verb:
        case "get":
            return operation.answer == state, state
        case "contains":
            return operation.answer is held, state
        case "put":
            return True, operation.given
        case "delete":
            return operation.answer is held, ABSENT
        case "add":
            return operation.answer is not held, state if held else operation.given
        case "replace":
            assert isinstance(operation.given, tuple)
            value, expected = operation.given
            return operation.answer is (held and state == expected), value if operation.answer else state


def is_linearisable(history: Sequence[Operation], start: Hashable = ABSENT) -> bool:
    """Tell whether some order of instants explains all answers."""
    operations = sorted(history, key=lambda operation: operation.called)
    count = len(operations)
    tried: set[tuple[int, int, Hashable]] = set()
    # A position is the first operation not yet placed, a bit set of those placed behind it, and the state.
    stack: list[tuple[int, int, Hashable]] = [(0, 0, start)]
    while stack:
        first, placed, state = position = stack.pop()
        if first == count:
            return True
        if position in tried:
            continue
        tried.add(position)
        earliest_return = operations[first].returned
        index = first
        while index < count and operations[index].called < earliest_return:
            operation = operations[index]
            if not placed >> (index - first) & 1:
                earliest_return = min(earliest_return, operation.returned)
                right, after = apply(state, operation)
                if right:
                    stack.append((*_advance(first, placed | 1 << (index - first)), after))
            index += 1
    return False


def _advance(first: int, placed: int) -> tuple[int, int]:
    while placed & 1:
        first, placed = first + 1, placed >> 1
    return first, placed
