"""Recording: a trace of what a live store is asked for, written for `stratakv simulate`.

Another process asks for it by a request file in the store's directory, since the owner is the only one who sees the
operations; the owner answers with a finished file. While nothing is recorded an operation pays one comparison.
Keys are replaced by numbers in the order of their first appearance: a trace tells how often and when, not what.
Invariant: a recording is bounded in requests and seconds, and what is not finished is removed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from typing import TYPE_CHECKING, NamedTuple

from stratakv.engine.watch import DELETED, READ

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stratakv.engine.parts import Parts

log = logging.getLogger("stratakv")

REQUEST_FILE = "record.request"
ANSWER_FILE = "record.csv"
MOST_REQUESTS = 10_000_000
MOST_SECONDS = 7 * 86_400.0
HEADER = "key,size,op,ts"
LINES_AT_ONCE = 4096

GET, PUT, DELETE = "get", "put", "delete"


class Request(NamedTuple):
    """What somebody wants recorded: at most so many operations, for at most so many seconds."""

    requests: int
    seconds: float


def ask(directory: Path, request: Request) -> None:
    """Ask the owner of a store for a trace. The answer is the file `ANSWER_FILE`; `withdraw` ends the recording."""
    (directory / ANSWER_FILE).unlink(missing_ok=True)
    fresh = directory / (REQUEST_FILE + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(request._asdict(), file)
    fresh.replace(directory / REQUEST_FILE)


def withdraw(directory: Path) -> None:
    """Take a request back."""
    for name in (REQUEST_FILE, ANSWER_FILE):
        (directory / name).unlink(missing_ok=True)


class Recorder:
    """Operations as they come, from any thread.

    Args:
        limit: How many are taken.
        monotonic: The time of each.
    """

    def __init__(self, limit: int, monotonic: Callable[[], float]) -> None:
        self._limit = limit
        self._monotonic = monotonic
        self._operations: list[tuple[str, str, float]] = []
        self._sizes: dict[str, int] = {}
        self.began = monotonic()

    @property
    def full(self) -> bool:
        """Whether it takes no more."""
        return len(self._operations) >= self._limit

    def read(self, key: str) -> None:
        """A key was asked for."""
        if not self.full:
            self._operations.append((key, GET, self._monotonic()))

    def noted(self, kind: int, key: str, size: int) -> None:
        """A key was written or deleted; or read below RAM, which tells its size, the read itself being known."""
        if kind == READ:
            self._sizes[key] = size
        elif not self.full:
            self._operations.append((key, DELETE if kind == DELETED else PUT, self._monotonic()))
            if kind != DELETED:
                self._sizes[key] = size

    def lines(self, size_in_ram: Callable[[str], int | None]) -> list[str]:
        """Return the trace as lines of CSV. Reads of keys that have no value are left out: nothing can hold those."""
        numbers: dict[str, int] = {}
        lines = [HEADER]
        for key, op, at in self._operations:
            size = self._sizes.get(key)
            if size is None:
                size = size_in_ram(key)
            if size is not None or op != GET:
                number = numbers.setdefault(key, len(numbers))
                lines.append(f"{number},{size or 0},{op},{at - self.began:.6f}")
        return lines


class Recording:
    """Answers requests for traces of one store.

    Args:
        parts: The store's pieces.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._request: Request | None = None

    def step(self, pause: Callable[[], None]) -> None:
        """Begin, go on, or finish."""
        parts = self._parts
        asked = (parts.path / REQUEST_FILE).exists()
        recorder = parts.watch.recorder
        if recorder is None or self._request is None:
            if asked:
                self._begin()
            return
        if not asked:
            parts.watch.recorder = self._request = None
            log.info("the recording was withdrawn")
        elif recorder.full or parts.clock.monotonic() - recorder.began >= self._request.seconds:
            parts.watch.recorder = self._request = None
            self._answer(recorder, pause)

    def _begin(self) -> None:
        parts = self._parts
        try:
            content = json.loads((parts.path / REQUEST_FILE).read_bytes())
            request = Request(int(content["requests"]), float(content["seconds"]))
        except (OSError, ValueError, KeyError, TypeError) as failure:
            log.warning("a request for a recording cannot be read and is removed: %s", failure)
            withdraw(parts.path)
            return
        self._request = Request(min(max(1, request.requests), MOST_REQUESTS), min(request.seconds, MOST_SECONDS))
        parts.watch.recorder = Recorder(self._request.requests, parts.clock.monotonic)
        log.info("recording up to %d operations for up to %g s", *self._request)

    def _answer(self, recorder: Recorder, pause: Callable[[], None]) -> None:
        """Write the trace, and take the request away as the sign that it is whole."""
        entries, path = self._parts.hot.entries, self._parts.path

        def size_in_ram(key: str) -> int | None:
            entry = entries.get(key)
            return None if entry is None else len(entry.blob.encoded.payload)

        lines = recorder.lines(size_in_ram)
        fresh = path / (ANSWER_FILE + ".new")
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                for start in range(0, len(lines), LINES_AT_ONCE):
                    file.write("\n".join(lines[start : start + LINES_AT_ONCE]) + "\n")
                    pause()
            fresh.replace(path / ANSWER_FILE)
            (path / REQUEST_FILE).unlink(missing_ok=True)
        except OSError as failure:
            log.warning("the recording could not be written: %s", failure)
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
            withdraw(path)

    def stop(self) -> None:
        """The store shuts down: what is being recorded is written as far as it came."""
        recorder = self._parts.watch.recorder
        if recorder is not None and self._request is not None:
            self._parts.watch.recorder = self._request = None
            self._answer(recorder, lambda: None)
