"""One owner a directory: between processes, inside one, over forks and crashes."""

from __future__ import annotations

import gc
import os
import signal
import stat
import subprocess
import sys
import tempfile
import warnings
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from stratakv.engine.ownership import LOCK_FILE, DirectoryLock, read_owner_pid
from stratakv.errors import ClosedError, ConfigurationError, StoreLockedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OWNER = """
import sys
from stratakv.engine.ownership import DirectoryLock
lock = DirectoryLock(sys.argv[1])
lock.acquire()
print("held", flush=True)
sys.stdin.read()
lock.release()
"""


@contextmanager
def owner_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the directory until its input is closed or it is killed."""
    command = [sys.executable, "-c", OWNER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def in_child(act: Callable[[], bool]) -> bool:
    """Fork, and return what `act` answers in the child."""
    with warnings.catch_warnings():
        # From 3.12 on, fork warns where the test runner has threads; the child does nothing but `act`.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        answer = 1
        try:
            answer = 0 if act() else 2
        finally:
            os._exit(answer)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status in (0, 2), f"the child failed with {status}"
    return status == 0


def test_a_missing_directory_is_made_private(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path / "deep" / "store")
    lock.acquire()
    assert stat.S_IMODE((tmp_path / "deep" / "store").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "deep" / "store" / LOCK_FILE).stat().st_mode) == 0o600
    assert lock.held
    lock.release()
    assert not lock.held


def test_the_lock_file_holds_the_owners_pid(tmp_path: Path) -> None:
    assert read_owner_pid(tmp_path) is None
    lock = DirectoryLock(tmp_path)
    lock.acquire()
    assert (tmp_path / LOCK_FILE).read_text() == f"{os.getpid()}\n"
    assert read_owner_pid(tmp_path) == os.getpid()
    lock.release()
    assert read_owner_pid(tmp_path) is None


@pytest.mark.parametrize("text", [b"", b"garbage", b"-5\n", b"\xff" * 100])
def test_a_damaged_lock_file_names_nobody_and_stops_nobody(tmp_path: Path, text: bytes) -> None:
    (tmp_path / LOCK_FILE).write_bytes(text)
    assert read_owner_pid(tmp_path) is None
    lock = DirectoryLock(tmp_path)
    lock.acquire()
    assert read_owner_pid(tmp_path) == os.getpid()
    lock.release()


def test_a_second_opener_in_this_process_is_refused(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    lock.acquire()
    for second in (DirectoryLock(tmp_path), lock):
        with pytest.raises(StoreLockedError, match=f"already in this process .pid {os.getpid()}") as caught:
            second.acquire()
        assert caught.value.pid == os.getpid()
    lock.release()
    lock.release()
    other = DirectoryLock(tmp_path)
    other.acquire()
    other.release()


def test_another_process_is_named_and_its_end_frees_the_directory(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    with owner_process(tmp_path) as process:
        with pytest.raises(StoreLockedError, match=f"in use by process {process.pid}") as caught:
            lock.acquire()
        assert caught.value.pid == process.pid
        assert read_owner_pid(tmp_path) == process.pid
        process.communicate("")
        assert process.returncode == 0
    lock.acquire()
    lock.release()


def test_the_lock_of_a_killed_process_is_no_obstacle(tmp_path: Path) -> None:
    with owner_process(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert read_owner_pid(tmp_path) == process.pid
        lock = DirectoryLock(tmp_path)
        lock.acquire()
        assert read_owner_pid(tmp_path) == os.getpid()
        lock.release()


def test_a_path_that_is_a_file_is_refused_unchanged(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    for path in (tmp_path / "file", tmp_path / "file" / "store"):
        with pytest.raises(ConfigurationError, match="is not a directory"):
            DirectoryLock(path).acquire()
    assert (tmp_path / "file").read_bytes() == b"mine"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_dangling_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigurationError, match="is not a directory"):
        DirectoryLock(tmp_path / "link").acquire()
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(ConfigurationError, match="is no path"):
        DirectoryLock(path).acquire()


def test_a_directory_that_cannot_be_written_is_refused_unchanged() -> None:
    with tempfile.TemporaryDirectory() as text:
        os.chmod(text, 0o555)

        def refused() -> bool:
            if os.geteuid() == 0:
                os.setuid(65534)
            for path in (text, os.path.join(text, "new", "store")):
                with pytest.raises(ConfigurationError, match="is not writable"):
                    DirectoryLock(path).acquire()
            return not os.listdir(text)

        assert in_child(refused)


def test_a_lock_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / LOCK_FILE).symlink_to(tmp_path / "target")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        DirectoryLock(tmp_path / "store").acquire()
    assert not (tmp_path / "target").exists()


def test_a_removed_lock_file_does_not_fool_the_next_owner(tmp_path: Path) -> None:
    first = DirectoryLock(tmp_path)
    first.acquire()
    (tmp_path / LOCK_FILE).unlink()
    first.release()
    second = DirectoryLock(tmp_path)
    second.acquire()
    with pytest.raises(StoreLockedError):
        DirectoryLock(tmp_path).acquire()
    second.release()


def test_readers_share_a_directory_that_no_owner_enters(tmp_path: Path) -> None:
    first, second, owner = (DirectoryLock(tmp_path) for _ in range(3))
    first.acquire(shared=True)
    second.acquire(shared=True)
    with pytest.raises(StoreLockedError):
        owner.acquire()
    first.release()
    with pytest.raises(StoreLockedError):
        owner.acquire()
    second.release()
    owner.acquire()
    with pytest.raises(StoreLockedError):
        first.acquire(shared=True)
    owner.release()


def test_a_reader_that_goes_leaves_the_others_pid(tmp_path: Path) -> None:
    reader = DirectoryLock(tmp_path)
    reader.acquire(shared=True)
    (tmp_path / LOCK_FILE).write_text("12345\n")  # of one that came later
    reader.release()
    assert read_owner_pid(tmp_path) == 12345


def test_withdrawing_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    def withdrawn(path: Path) -> list[str]:
        lock = DirectoryLock(path)
        lock.acquire()
        lock.withdraw()
        assert not lock.held
        return sorted(str(left.relative_to(tmp_path)) for left in tmp_path.rglob("*"))

    assert withdrawn(tmp_path / "deep" / "store") == []
    (tmp_path / "store").mkdir()
    assert withdrawn(tmp_path / "store") == ["store"]
    (tmp_path / "store" / LOCK_FILE).touch()
    assert withdrawn(tmp_path / "store") == ["store", f"store/{LOCK_FILE}"]


def test_withdrawing_leaves_a_file_that_another_reader_holds(tmp_path: Path) -> None:
    first, second = DirectoryLock(tmp_path), DirectoryLock(tmp_path)
    first.acquire(shared=True)
    second.acquire(shared=True)
    first.withdraw()
    with pytest.raises(StoreLockedError):
        DirectoryLock(tmp_path).acquire()
    second.release()


IN_VAIN = """
import sys
from stratakv.engine.ownership import DirectoryLock
from stratakv.errors import StoreLockedError
from pathlib import Path
path, rounds = Path(sys.argv[1]), 0
while rounds < 60:
    lock = DirectoryLock(path)
    try:
        lock.acquire()
    except StoreLockedError:
        continue
    (path / "owned").mkdir()  # fails where somebody else is in
    (path / "owned").rmdir()
    lock.withdraw()
    rounds += 1
"""


def test_many_that_take_and_withdraw_at_once_are_never_in_together(tmp_path: Path) -> None:
    command = [sys.executable, "-c", IN_VAIN, str(tmp_path / "deep" / "store")]
    racers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    problems = [racer.communicate(timeout=60)[1] for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0, 0], problems


def test_a_forked_child_knows_that_it_holds_nothing(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    lock.acquire()

    def child() -> bool:
        with pytest.raises(ClosedError, match="parent process"):
            lock.acquire()
        lock.release()
        with pytest.raises(StoreLockedError, match=f"process {os.getppid()}"):
            DirectoryLock(tmp_path).acquire()
        return lock.forked and not lock.held

    assert in_child(child)
    assert lock.held
    assert not lock.forked
    with pytest.raises(StoreLockedError):
        DirectoryLock(tmp_path).acquire()
    lock.release()


def test_a_living_child_does_not_keep_the_directory(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    lock.acquire()
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # As in `in_child`.
        pid = os.fork()
    if pid == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    os.close(reading)
    lock.release()
    again = DirectoryLock(tmp_path)
    again.acquire()
    again.release()
    os.close(writing)
    os.waitpid(pid, 0)


def test_the_child_of_a_killed_owner_does_not_keep_the_directory(tmp_path: Path) -> None:
    # The child prints, so that it has left its start behind when the parent is killed.
    program = OWNER.replace("print", "import os\nif os.fork() == 0: print")
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        process.kill()
        process.wait()
        lock = DirectoryLock(tmp_path)
        lock.acquire()
        lock.release()
        os.killpg(process.pid, signal.SIGKILL)


def test_a_forgotten_lock_is_not_kept_alive_by_the_fork_hook(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    watch = weakref.ref(lock)
    lock.acquire()
    lock.release()
    del lock
    gc.collect()
    assert watch() is None
