"""Recording: a trace of what a live store is asked for, written for `stratakv simulate`.

Another process asks for it by a request file in the store's directory, since the owner is the only one who sees the
operations; the owner answers with a file named after the request. While nothing is recorded an operation pays one
comparison. Keys are replaced by numbers in the order of their first appearance: a trace tells how often and when, not
what. Sizes are what values take in RAM, with their keys and Python's overhead, as the hot capacity counts them.
Invariant: a recording is bounded in requests and seconds, and an answer is to the request that it names.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import stat
from typing import TYPE_CHECKING, NamedTuple

from stratakv.engine.hot_entries import ram_bytes
from stratakv.engine.watch import DELETED, READ

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stratakv.engine.hot_entries import HotEntry
    from stratakv.engine.parts import Parts

log = logging.getLogger("stratakv")

REQUEST_FILE = "record.request"
LARGEST_REQUEST = 4096
MOST_REQUESTS = 2_000_000
"""About 250 MB while they are recorded."""
OPERATION_BYTES = 8 + 64 + 24
SIZE_BYTES = 104 + 28
MOST_SECONDS = 7 * 86_400.0
HEADER = "key,size,op,ts"
LINES_AT_ONCE = 4096

GET, PUT, DELETE = "get", "put", "delete"
_NAME = re.compile(r"[0-9a-f]{16}")


class Request(NamedTuple):
    """What somebody wants recorded: at most so many operations, for at most so many seconds, under a name in hex."""

    name: str
    requests: int
    seconds: float


def answer_file(name: str) -> str:
    """Return the file that answers a request."""
    return f"record-{name}.csv"


def ask(directory: Path, request: Request) -> None:
    """Ask the owner of a store for a trace; a request that was there before ends. `withdraw` ends this one."""
    fresh = directory / f"{REQUEST_FILE}.{request.name}"
    with os.fdopen(_private(fresh), "w", encoding="utf-8") as file:
        json.dump(request._asdict(), file)
    fresh.replace(directory / REQUEST_FILE)


def asked(directory: Path) -> Request | None:
    """Return the request that is there; None where there is none.

    Raises:
        ValueError: It cannot be read.
    """
    try:
        # Never through a link: whoever may write here may not make the owner read elsewhere.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a pipe must not hold it up
        descriptor = os.open(directory / REQUEST_FILE, flags)
    except FileNotFoundError:
        return None
    except OSError as failure:
        raise ValueError(str(failure)) from failure
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("not a file")
        content = json.loads(os.read(descriptor, LARGEST_REQUEST))
    except (OSError, RecursionError) as failure:
        raise ValueError(f"not a request: {failure!r}") from failure
    finally:
        os.close(descriptor)
    try:
        name, requests, seconds = str(content["name"]), int(content["requests"]), float(content["seconds"])
    except (KeyError, TypeError, OverflowError) as failure:
        raise ValueError(f"not a request: {failure!r}") from failure
    if not (_NAME.fullmatch(name) and requests > 0 and seconds > 0):
        raise ValueError("not a request: a name of 16 hex digits, and numbers above 0 are wanted")
    return Request(name, min(requests, MOST_REQUESTS), min(seconds, MOST_SECONDS))


def withdraw(directory: Path, name: str) -> None:
    """Take a request back, unless another one took its place, and its answer."""
    with contextlib.suppress(ValueError):
        request = asked(directory)
        if request is not None and request.name == name:
            (directory / REQUEST_FILE).unlink(missing_ok=True)
    (directory / answer_file(name)).unlink(missing_ok=True)


def _private(path: Path) -> int:
    """Open a new file that others may not read."""
    path.unlink(missing_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


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

    def read(self, key: str, entry: HotEntry | None) -> None:
        """A key was asked for, and found in RAM if there is an entry."""
        if not self.full:
            self._operations.append((key, GET, self._monotonic()))
            if entry is not None:
                self._sizes[key] = entry.bytes_as(key)

    def noted(self, kind: int, key: str, payload_bytes: int) -> None:
        """A key was written or deleted; or read below RAM, which tells its size, the read itself being known."""
        if kind == READ:
            self._sizes[key] = ram_bytes(key, payload_bytes)
        elif not self.full:
            self._operations.append((key, DELETE if kind == DELETED else PUT, self._monotonic()))
            if kind != DELETED:
                self._sizes[key] = ram_bytes(key, payload_bytes)

    def ram_bytes(self) -> int:
        """Return the RAM of what is recorded, without the keys, about."""
        return OPERATION_BYTES * len(self._operations) + SIZE_BYTES * len(self._sizes)

    def lines(self, pause: Callable[[], None]) -> list[str]:
        """Return the trace as lines of CSV. Reads of keys that had no value are left out: nothing can hold those."""
        numbers: dict[str, int] = {}
        lines = [HEADER]
        for key, op, at in sorted(self._operations, key=lambda operation: operation[2]):
            size = self._sizes.get(key)
            if size is not None or op != GET:
                number = numbers.setdefault(key, len(numbers))
                lines.append(f"{number},{size or 0},{op},{at - self.began:.6f}")
            pause()
        return lines


class Recording:
    """Answers requests for traces of one store.

    Args:
        parts: The store's pieces.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._request: Request | None = None
        self._complained = False

    def step(self, pause: Callable[[], None]) -> None:
        """Begin, go on, or finish."""
        parts = self._parts
        try:
            wanted = asked(parts.path)
        except ValueError as failure:
            wanted = None
            self._remove_bad(failure)
        recorder, request = parts.watch.recorder, self._request
        if recorder is None or request is None or wanted != request:
            self._begin(wanted)
        elif recorder.full or parts.clock.monotonic() - recorder.began >= request.seconds:
            self._answer(recorder, request, pause)

    def _remove_bad(self, failure: ValueError) -> None:
        """Remove a request that cannot be read; where that cannot be done, say so once."""
        try:
            (self._parts.path / REQUEST_FILE).unlink(missing_ok=True)
        except OSError as stays:
            if not self._complained:
                log.warning("a request for a recording can be neither read nor removed: %s; %s", failure, stays)
            self._complained = True
        else:
            log.warning("a request for a recording could not be read and was removed: %s", failure)

    def _begin(self, wanted: Request | None) -> None:
        """Record what is wanted now, and let go of what was."""
        parts = self._parts
        self._request = wanted
        parts.watch.recorder = None
        if wanted is not None:
            parts.watch.recorder = Recorder(wanted.requests, parts.clock.monotonic)
            log.info("recording up to %d operations for up to %g s", wanted.requests, wanted.seconds)

    def _answer(self, recorder: Recorder, request: Request, pause: Callable[[], None]) -> None:
        """Write the trace, and take the request away as the sign that it is whole."""
        self._parts.watch.recorder = self._request = None
        path = self._parts.path
        target = path / answer_file(request.name)
        fresh = target.with_suffix(".new")
        lines = recorder.lines(pause)
        try:
            with os.fdopen(_private(fresh), "w", encoding="ascii") as file:
                for start in range(0, len(lines), LINES_AT_ONCE):
                    file.write("\n".join(lines[start : start + LINES_AT_ONCE]) + "\n")
                    pause()
            fresh.replace(target)
            (path / REQUEST_FILE).unlink(missing_ok=True)
        except OSError as failure:
            log.warning("the recording could not be written: %s", failure)
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
                withdraw(path, request.name)

    def stop(self) -> None:
        """The store shuts down: what is being recorded is written as far as it came."""
        recorder, request = self._parts.watch.recorder, self._request
        if recorder is not None and request is not None:
            self._answer(recorder, request, lambda: None)
