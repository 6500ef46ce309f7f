"""Owns a store's process: what it can be asked, how it is timed, and the parent's end of the line to it.

Every call is timed alone. Values are read from the records' file before, and compared behind the timed part.
"""

from __future__ import annotations

import gc
import os
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

from benchmarks.keeping import DifferenceError
from benchmarks.peers.contenders import BY_NAME
from benchmarks.reduction.loss import identical

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from multiprocessing.connection import Connection
    from types import TracebackType

    from benchmarks.peers.protocol import Peer, Room
    from benchmarks.peers.records import Records

_STOP_SECONDS = 30


class Job(NamedTuple):
    """What a process is to work with: a contender by name, its directory, its RAM, the records."""

    name: str
    path: Path
    room: Room
    records: Records


class Reads(NamedTuple):
    """What reads told: nanoseconds of each; numbers whose value has other types, and those whose value is another."""

    times: list[int]
    inexact: list[int]
    wrong: list[int]


class Ram(NamedTuple):
    """Resident bytes of a process: its own, and those of files that it maps."""

    own: int
    mapped: int


class _Server:
    """What can be asked, by the names of its methods."""

    def __init__(self, job: Job) -> None:
        self._contender = BY_NAME[job.name]
        self._job = job
        self._peer: Peer | None = None

    @property
    def peer(self) -> Peer:
        if self._peer is None:
            raise RuntimeError("nothing is open")
        return self._peer

    def open(self) -> int:
        started = perf_counter_ns()
        self._peer = self._contender.opened(self._job.path, self._job.room)
        return perf_counter_ns() - started

    def set(self, numbers: Sequence[int]) -> list[int]:
        keys, values = self._job.records.keys, [self._job.records.value(number) for number in numbers]
        work = self.peer.set
        times = []
        for number, value in zip(numbers, values, strict=True):
            key = keys[number]
            started = perf_counter_ns()
            work(key, value)
            times.append(perf_counter_ns() - started)
        return times

    def get(self, numbers: Sequence[int]) -> Reads:
        """Read each; a value that the store's serialisation alone would not give back either is inexact, not wrong."""
        keys, found = self._job.records.keys, []
        work = self.peer.get
        times = []
        for number in numbers:
            key = keys[number]
            started = perf_counter_ns()
            value = work(key)
            times.append(perf_counter_ns() - started)
            found.append(value)
        inexact: list[int] = []
        wrong: list[int] = []
        for number, value in zip(numbers, found, strict=True):
            expected = self._job.records.value(number)
            if not identical(expected, value):
                restored = identical(self._contender.restored(expected), value)
                (inexact if restored else wrong).append(number)
        return Reads(times, inexact, wrong)

    def delete(self, numbers: Iterable[int]) -> list[int]:
        keys, work = self._job.records.keys, self.peer.delete
        times = []
        for number in numbers:
            key = keys[number]
            started = perf_counter_ns()
            work(key)
            times.append(perf_counter_ns() - started)
        return times

    def close(self) -> int:
        started = perf_counter_ns()
        self.peer.close()
        return perf_counter_ns() - started

    def lost(self, allowed: dict[int, tuple[int, ...]]) -> list[int]:
        """Return keys that have none of the values that they may have; a read that fails is a loss."""
        return [number for number, values in allowed.items() if not self._has_one_of(number, values)]

    def _has_one_of(self, number: int, values: tuple[int, ...]) -> bool:
        try:
            found = self.peer.get(self._job.records.keys[number])
        except Exception:  # noqa: BLE001 -- whatever a damaged store raises
            return False
        records, restored = self._job.records, self._contender.restored
        return any(identical(restored(records.value(value)), found) for value in values)

    def ram(self) -> Ram | None:
        """Return resident bytes; None where the system does not tell them apart."""
        gc.collect()
        try:
            lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        except OSError:
            return None
        told = {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}
        if "RssAnon" not in told:
            return None
        own, *mapped = (1024 * int(told[name][0]) for name in ("RssAnon", "RssFile", "RssShmem"))
        return Ram(own, sum(mapped))


def serve(line: Connection, job: Job) -> None:
    """Answer until nothing more is asked, or the parent is gone."""
    server = _Server(job)
    with closing(line):
        try:
            while (asked := line.recv()) is not None:
                name, *arguments = asked
                line.send((True, getattr(server, name)(*arguments)))
        except EOFError:
            return
        except Exception as error:  # noqa: BLE001 -- told to the parent, whatever it is
            line.send((False, f"{type(error).__name__}: {error}"))
    # Without a word to the store: what was closed is closed, and what was not is of no use any more.
    os._exit(0)


class FailedError(Exception):
    """A store raised; the message is its own."""


class Worker:
    """A process with a store; a context manager, at whose end the process is gone.

    Args:
        job: What it works with.
        target: What runs there, with its end of the line and the job.
        start: "forkserver" is quick; "spawn" gives a process that has loaded nothing but what it imports itself.
    """

    def __init__(
        self,
        job: Job,
        target: Callable[[Connection, Job], None] = serve,
        start: Literal["forkserver", "spawn"] = "forkserver",
    ) -> None:
        context = get_context("forkserver") if start == "forkserver" else get_context("spawn")
        if start == "forkserver":
            context.set_forkserver_preload([__name__])
        self.name = job.name
        self.line, theirs = context.Pipe()
        self.process = context.Process(target=target, args=(theirs, job), daemon=True)
        self.process.start()
        theirs.close()  # so that the end of the process is the end of the line

    def ask(self, what: str, *arguments: Any) -> Any:
        """Return what the process answers.

        Raises:
            FailedError: The store raised, or the process is gone.
        """
        try:
            self.line.send((what, *arguments))
            good, answer = self.line.recv()
        except (EOFError, OSError) as error:
            raise FailedError(f"the process ended while it was asked to {what}") from error
        if not good:
            raise FailedError(answer)
        return answer

    def must(self, what: str, *arguments: Any) -> Any:
        """Return what the process answers.

        Raises:
            DifferenceError: The store raised, or the process is gone: nothing measured then would be worth telling.
        """
        try:
            return self.ask(what, *arguments)
        except FailedError as error:
            raise DifferenceError(f"{self.name} failed to {what}: {error}") from error

    def read(self, numbers: Sequence[int]) -> Reads:
        """Read values.

        Raises:
            DifferenceError: One came back as another, or not at all.
        """
        reads: Reads = self.must("get", numbers)
        if reads.wrong:
            raise DifferenceError(f"{self.name} gave back {len(reads.wrong)} values of {len(numbers)} as others")
        return reads

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.is_alive():
            try:
                self.line.send(None)
            except OSError:
                self.process.kill()
        self.line.close()
        self.process.join(_STOP_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.process.close()
