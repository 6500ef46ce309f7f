"""The checker itself: histories made by hand, good and bad."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.model.linearizability import ABSENT, Operation, Verb, is_linearisable

if TYPE_CHECKING:
    from collections.abc import Hashable


def history(*calls: tuple[Verb, Hashable, Hashable, int, int]) -> list[Operation]:
    return [Operation(*call) for call in calls]


GOOD = {
    "nothing": history(),
    "one after the other": history(("put", 1, True, 0, 1), ("get", None, 1, 2, 3), ("delete", None, True, 4, 5)),
    "a read sees a write under way": history(("put", 1, True, 0, 5), ("get", None, 1, 1, 2)),
    "a read does not yet see a write under way": history(("put", 1, True, 0, 5), ("get", None, ABSENT, 1, 2)),
    "readers beside a write change their mind once": history(
        ("put", 1, True, 0, 9), ("get", None, ABSENT, 1, 2), ("get", None, 1, 3, 4), ("get", None, 1, 5, 6)
    ),
    "writes under way in either order": history(
        ("put", 1, True, 0, 5), ("put", 2, True, 1, 4), ("get", None, 1, 6, 7), ("contains", None, True, 8, 9)
    ),
    "one of two adds wins": history(("add", 1, False, 0, 3), ("add", 2, True, 1, 2), ("get", None, 2, 4, 5)),
    "replace in between": history(
        ("put", 1, True, 0, 1), ("replace", (2, 1), True, 2, 5), ("replace", (3, 2), True, 3, 6), ("get", None, 3, 7, 8)
    ),
    "delete between two reads": history(
        ("put", 1, True, 0, 1), ("get", None, 1, 2, 7), ("delete", None, True, 3, 4), ("get", None, ABSENT, 5, 6)
    ),
}

BAD = {
    "a read of what was never written": history(("put", 1, True, 0, 1), ("get", None, 2, 2, 3)),
    "an acknowledged write is not seen": history(("put", 1, True, 0, 1), ("get", None, ABSENT, 2, 3)),
    "an old value rises again": history(
        ("put", 1, True, 0, 1), ("put", 2, True, 2, 9), ("get", None, 2, 3, 4), ("get", None, 1, 5, 6)
    ),
    "a deleted value rises again": history(
        ("put", 1, True, 0, 1), ("delete", None, True, 2, 3), ("contains", None, True, 4, 5)
    ),
    "two adds win": history(("add", 1, True, 0, 3), ("add", 2, True, 1, 2)),
    "two deletes of one value": history(
        ("put", 1, True, 0, 1), ("delete", None, True, 2, 5), ("delete", None, True, 3, 4)
    ),
    "replace of what is no more": history(
        ("put", 1, True, 0, 1), ("put", 2, True, 2, 3), ("replace", (3, 1), True, 4, 5)
    ),
    "a refused replace of what was there": history(("put", 1, True, 0, 1), ("replace", (2, 1), False, 2, 3)),
    "readers disagree about the order of two writes": history(
        ("put", 1, True, 0, 1), ("put", 2, True, 0, 1), ("get", None, 1, 2, 3), ("get", None, 2, 4, 5)
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_history_is_linearisable(name: str) -> None:
    assert is_linearisable(GOOD[name])


@pytest.mark.parametrize("name", BAD)
def test_bad_history_is_not(name: str) -> None:
    assert not is_linearisable(BAD[name])


def test_a_start_state_counts() -> None:
    assert is_linearisable(history(("get", None, 7, 0, 1)), start=7)
    assert not is_linearisable(history(("get", None, 7, 0, 1)))


def test_a_long_history_with_many_calls_at_once_is_decided() -> None:
    calls: list[tuple[Verb, Hashable, Hashable, int, int]] = []
    for turn in range(400):
        start = 30 * turn
        calls += [("put", (turn, n), True, start + n, start + 18 - n) for n in range(6)]
        calls.append(("get", None, (turn, turn % 6), start + 19, start + 20))
    assert is_linearisable(history(*calls))
    assert not is_linearisable(history(*calls, ("get", None, "never", 12000, 12001)))
