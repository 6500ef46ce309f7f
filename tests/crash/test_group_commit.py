"""Writers share syncs: shown in journal order, not before their sync, told of a failed one, and nobody hangs."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING

import pytest

from stratakv.engine.journal import Journal
from stratakv.errors import CapacityError, ClosedError
from stratakv.files import Files
from tests.processes.children import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE = 60
"""Seconds after which a thread counts as hanging."""


class RecordingFiles(Files):
    """Knows how much of each file is on the medium, holds a sync until it may go on, and lets it fail.

    Attributes:
        synced: Descriptor -> length at the last sync that returned.
        syncs: How many syncs returned.
        inside: Set when a sync has begun.
        go: Syncs wait for it.
        fail_from: The number of the sync from which on all fail, counted from 0.
        write_error: What the next writes raise, as an errno.
    """

    def __init__(self) -> None:
        self.synced: dict[int, int] = {}
        self.syncs = 0
        self.inside = threading.Event()
        self.go = threading.Event()
        self.go.set()
        self.fail_from: int | None = None
        self.write_error: int | None = None

    def sync(self, descriptor: int) -> None:
        length = os.fstat(descriptor).st_size
        self.inside.set()
        assert self.go.wait(PATIENCE)
        if self.fail_from is not None and self.syncs >= self.fail_from:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync(descriptor)
        self.synced[descriptor] = length
        self.syncs += 1

    def write(self, descriptor: int, parts: list[bytes]) -> int:
        if self.write_error is not None:
            raise OSError(self.write_error, os.strerror(self.write_error))
        return super().write(descriptor, parts)


class Log:
    """A journal, what became visible in which order, and whether that was synced then."""

    def __init__(self, directory: Path) -> None:
        self.files = RecordingFiles()
        self.journal = Journal(
            directory, durability="sync", next_sequence=1, older={}, files=self.files, make_room=lambda: False
        )
        self.shown: list[int] = []
        self.early: list[int] = []

    def append(self, body: bytes = b"a record") -> int:
        """Append, and check that it was shown before it is acknowledged."""
        shown: list[int] = []

        def apply(sequence: int, segment: int, offset: int) -> None:
            descriptor = self.journal._descriptors[segment]
            if self.files.synced.get(descriptor, 0) < offset + len(body):
                self.early.append(sequence)
            self.shown.append(sequence)
            shown.append(sequence)

        sequence = self.journal.append(1, [body], apply)
        assert shown == [sequence]
        return sequence

    def waiting(self) -> int:
        with self.journal._lock:
            return len(self.journal._group.waiting())


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    log = Log(tmp_path)
    yield log
    log.files.go.set()
    log.files.fail_from = log.files.write_error = None
    log.journal.close()


class Crew:
    """Threads that do something each; `ended` fails where one hangs or raises what it should not."""

    def __init__(self, *works: Callable[[], object]) -> None:
        self.raised: list[BaseException] = []
        self._threads = [threading.Thread(target=self._work, args=(work,), daemon=True) for work in works]
        for thread in self._threads:
            thread.start()

    def _work(self, work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as failure:
            self.raised.append(failure)

    def ended(self) -> list[BaseException]:
        for thread in self._threads:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in self._threads)
        return self.raised


def until(true: Callable[[], bool]) -> None:
    """Return when something is true."""
    nap = threading.Event()
    for _ in range(PATIENCE * 1000):
        if true():
            return
        nap.wait(0.001)
    raise AssertionError("it never came true")


def held_leader(log: Log, followers: int) -> tuple[Crew, Crew]:
    """Return a writer who is inside its sync, and others who wait for the next one."""
    log.files.go.clear()
    log.files.inside.clear()
    leader = Crew(log.append)
    assert log.files.inside.wait(PATIENCE)
    rest = Crew(*[log.append] * followers)
    until(lambda: log.waiting() == followers + 1)
    return leader, rest


def test_all_who_write_during_a_sync_share_the_next_one(log: Log) -> None:
    leader, rest = held_leader(log, 15)
    log.files.go.set()
    assert leader.ended() + rest.ended() == []
    assert log.files.syncs == 2
    assert log.shown == list(range(1, 17))
    assert log.early == []


def test_one_writer_alone_syncs_once_for_each_record(log: Log) -> None:
    assert [log.append() for _ in range(5)] == [1, 2, 3, 4, 5]
    assert log.files.syncs == 5


def test_a_flush_lets_go_the_writers_whose_records_it_shows(log: Log) -> None:
    leader, rest = held_leader(log, 3)
    flushes = Crew(*[log.journal.sync] * 3)
    log.files.go.set()
    assert leader.ended() + rest.ended() + flushes.ended() == []
    assert log.shown == [1, 2, 3, 4]
    assert log.waiting() == 0


def test_writers_race_with_flushes_and_new_segments(log: Log) -> None:
    over = threading.Event()
    switches: list[int] = []

    def write() -> None:
        mine = [log.append(b"x" * (number % 50)) for number in range(60)]
        assert mine == sorted(mine)

    def flush() -> None:
        while not over.is_set():
            before = log.journal.last_sequence
            log.journal.sync()
            assert before <= len(log.shown)

    def switch() -> None:
        while not over.is_set():
            closed = log.journal.rotate(lambda: switches.append(log.journal.last_sequence - len(log.shown)))
            assert log.journal._segment not in closed

    upkeep = Crew(flush, switch)
    writers = Crew(*[write] * 12)
    assert writers.ended() == []
    over.set()
    assert upkeep.ended() == []
    assert log.shown == list(range(1, 12 * 60 + 1))
    assert log.early == []
    assert switches
    assert not any(switches)  # at the switch all that was written is visible


@pytest.mark.parametrize("flushes", [0, 2])
def test_nobody_whose_sync_failed_is_acknowledged(log: Log, flushes: int) -> None:
    log.append()
    leader, rest = held_leader(log, 7)
    flush = Crew(*[log.journal.sync] * flushes)
    log.files.fail_from = 1
    log.files.go.set()
    raised = leader.ended() + rest.ended()
    assert [type(failure) for failure in raised] == [ClosedError] * 8
    assert [type(failure) for failure in flush.ended()] == [ClosedError] * flushes
    log.files.fail_from = None
    for again in (log.append, log.journal.sync, lambda: log.journal.rotate(lambda: None)):
        with pytest.raises(ClosedError):
            again()
    assert log.shown == [1]


def test_those_whose_sync_went_well_are_acknowledged_though_the_next_one_fails(log: Log) -> None:
    leader, rest = held_leader(log, 7)
    log.files.fail_from = 1
    log.files.go.set()
    assert leader.ended() == []
    assert [type(failure) for failure in rest.ended()] == [ClosedError] * 7
    assert log.shown == [1]


def test_a_failed_switch_of_segments_tells_all_who_wait(log: Log) -> None:
    leader, rest = held_leader(log, 4)
    switch = Crew(lambda: log.journal.rotate(lambda: None))
    log.files.fail_from = 0
    log.files.go.set()
    assert [type(failure) for failure in leader.ended() + rest.ended() + switch.ended()] == [ClosedError] * 6
    assert log.shown == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_write_that_fails_leaves_nobody_waiting(log: Log, code: int) -> None:
    leader, rest = held_leader(log, 4)
    log.files.write_error = code
    with pytest.raises(CapacityError if code == errno.ENOSPC else ClosedError):
        log.append()
    log.files.write_error = None
    log.files.go.set()
    raised = leader.ended() + rest.ended()
    assert len(log.shown) + len(raised) == 5
    assert all(type(failure) is ClosedError for failure in raised)
    if code == errno.ENOSPC:
        assert log.append() == 6
        assert log.shown == [1, 2, 3, 4, 5, 6]


def test_a_journal_that_closes_leaves_nobody_waiting(log: Log) -> None:
    leader, rest = held_leader(log, 7)
    close = Crew(log.journal.close)
    log.files.go.set()
    raised = leader.ended() + rest.ended()
    assert close.ended() == []
    assert all(type(failure) is ClosedError for failure in raised)
    assert log.shown == list(range(1, 9 - len(raised)))


@pytest.mark.parametrize("kind", [KeyboardInterrupt, ValueError])
def test_a_leader_who_is_interrupted_hands_over(log: Log, kind: type[BaseException]) -> None:
    interrupted = threading.Event()

    class Interrupting(RecordingFiles):
        def sync(self, descriptor: int) -> None:
            super().sync(descriptor)
            if not interrupted.is_set():
                interrupted.set()
                raise kind

    log.files = log.journal._files = Interrupting()
    leader, rest = held_leader(log, 5)
    log.files.go.set()
    assert [type(failure) for failure in leader.ended()] == [kind]
    assert rest.ended() == []
    assert log.shown == [1, 2, 3, 4, 5, 6]
    assert log.append() == 7


def test_a_record_whose_writer_was_interrupted_alone_is_shown_with_the_next(log: Log) -> None:
    class Interrupting(RecordingFiles):
        def sync(self, descriptor: int) -> None:
            raise KeyboardInterrupt

    log.journal._files = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        log.append()
    assert log.shown == []
    log.journal._files = log.files
    assert log.append() == 2
    assert log.shown == [1, 2]


INTERRUPTED = """
import signal, tempfile, threading, random
from pathlib import Path
from stratakv.engine.journal import Journal
from stratakv.files import Files

Path(path).mkdir()
journal = Journal(
    Path(path), durability="sync", next_sequence=1, older={}, files=Files(), make_room=lambda: False
)
chance, shown, acknowledged, over, interrupts = random.Random(7), [], [], threading.Event(), 0

def show(sequence, *_):
    if sequence not in shown[-50:]:
        shown.append(sequence)

def append(number):
    acknowledged.append(journal.append(1, [b"record"], show))

def work():
    while not over.is_set():
        append(0)

def raise_interrupt(*_):
    raise KeyboardInterrupt

signal.signal(signal.SIGALRM, raise_interrupt)
threads = [threading.Thread(target=work, daemon=True) for _ in range(3)]
for thread in threads:
    thread.start()
for step in range(400):
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, chance.choice([1e-5, 5e-5, 1e-4, 3e-4, 1e-3, 3e-3]))
            (append if step % 20 else lambda _: journal.sync())(step)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        (lambda: None)()
    except KeyboardInterrupt:
        interrupts += 1
over.set()
for thread in threads:
    thread.join(30)
hanging = sum(thread.is_alive() for thread in threads)
last = journal.append(1, [b"last"], show)
print("hanging", hanging, "ordered", shown == list(range(1, last + 1)), "kept", set(acknowledged) <= set(shown))
print("interrupts", interrupts > 10)
journal.close()
"""


def test_interrupts_at_random_moments_leave_nobody_waiting(tmp_path: Path) -> None:
    ended = run(INTERRUPTED, tmp_path / "journal")
    assert ended.stdout == "hanging 0 ordered True kept True\ninterrupts True\n", ended.stderr[-2000:]
