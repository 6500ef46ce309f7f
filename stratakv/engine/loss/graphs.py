"""Edges that may go: those below a confidence, and those older than an age.

Owns what counts as a list of edges and which of their fields are weight and time. An edge without a weight, or without
a time, is never removed for it. The order of what stays is kept.

A list of edges holds rows or dicts. Rows are lists or tuples of one length: (head, relation, tail, weight),
(head, relation, tail, weight, time), or (head, tail, weight) where the third is a float. Dicts name head and tail as
`source`/`target`, `head`/`tail`, `from`/`to`, `subject`/`object` or `src`/`dst`; a weight as `weight`, `confidence`,
`score` or `probability`, and a time as `time`, `timestamp`, `ts`, `created_at` or `updated_at`. Times are seconds since
1970, or datetimes (naive ones count as UTC).
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_ENDS = (("source", "target"), ("head", "tail"), ("from", "to"), ("subject", "object"), ("src", "dst"))
_WEIGHTS = ("weight", "confidence", "score", "probability")
_TIMES = ("time", "timestamp", "ts", "created_at", "updated_at")
_IDS = (str, int)


class _Form(NamedTuple):
    """Where an edge has its weight and its time; None where it has none."""

    weight: Callable[[Any], object]
    time: Callable[[Any], object]


def form_of(items: list[Any]) -> _Form | None:
    """Return how a list's edges are read; None where it is no list of edges. All of them are looked at."""
    if not items:
        return None
    first = items[0]
    kind = type(first)
    if kind is dict:
        pair = next((pair for pair in _ENDS if pair[0] in first and pair[1] in first), None)
        if pair is None or not all(type(edge) is dict and pair[0] in edge and pair[1] in edge for edge in items):
            return None
        return _Form(lambda edge: _first(edge, _WEIGHTS), lambda edge: _first(edge, _TIMES))
    if kind not in (list, tuple) or not 3 <= len(first) <= 5:
        return None
    length = len(first)
    if not all(type(edge) is kind and len(edge) == length for edge in items):
        return None
    if length == 3:
        if not all(_is_id(edge[0], edge[1]) and type(edge[2]) is float for edge in items):
            return None
        return _Form(lambda edge: edge[2], lambda _edge: None)
    if not all(_is_id(*edge[:3]) and type(edge[3]) in (float, int) for edge in items):
        return None
    return _Form(lambda edge: edge[3], (lambda edge: edge[4]) if length == 5 else (lambda _edge: None))


def pruned(
    items: list[Any], form: _Form, min_confidence: float | None, max_age_seconds: float | None, now: float
) -> list[Any]:
    """Return the edges that stay, the very objects; `now` is wall time in seconds."""

    def stays(edge: object) -> bool:
        if min_confidence is not None:
            weight = form.weight(edge)
            if type(weight) in (float, int) and weight < min_confidence:  # type: ignore[operator]  # a number by now
                return False
        if max_age_seconds is not None:
            time = _seconds(form.time(edge))
            if time is not None and now - time > max_age_seconds:
                return False
        return True

    return [edge for edge in items if stays(edge)]


def _is_id(*cells: object) -> bool:
    return all(type(cell) in _IDS for cell in cells)


def _first(edge: dict[str, object], names: tuple[str, ...]) -> object:
    return next((edge[name] for name in names if name in edge), None)


def _seconds(time: object) -> float | None:
    if type(time) is dt.datetime:
        return (time if time.tzinfo is not None else time.replace(tzinfo=dt.UTC)).timestamp()
    try:
        return float(time) if type(time) in (float, int) else None  # type: ignore[arg-type]  # a number by now
    except OverflowError:
        return None  # no such moment
