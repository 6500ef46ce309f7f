"""Owns what a power loss would take, as far as calls to the system tell: which sets were synced before they returned.

What was acknowledged before anything was synced may be gone when the power is. A sync is an fsync, an fdatasync, an
msync that waits, or a write to a file opened with O_DSYNC, by any thread of the store's process, which runs under
strace.
"""

from __future__ import annotations

import pickle
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.keeping import DifferenceError
from benchmarks.peers.synced import SETS
from benchmarks.peers.worker import Job

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.peers.protocol import Contender, Room
    from benchmarks.peers.records import Records

_ROOT = Path(__file__).resolve().parents[2]
_TRACED = "fsync,fdatasync,msync,syncfs,write,pwrite64,writev,pwritev"
_SIDE_BY_SIDE = 4
_CALL = re.compile(r"^(?:\d+\s+)?(\w+)\((\d*)(.*)")
_SAID = re.compile(r', "(descriptors|acknowledged|idle|closed)(?: ([\d ]*))?\\n"')


class Syncs(NamedTuple):
    """Calls that sync, by when.

    Attributes:
        sets: How many sets were acknowledged.
        waited: How many of them had a call that began after the set before was acknowledged, and before it was.
        during: Calls until the last was acknowledged.
        idle: Calls in the seconds behind that, in which nobody asked for anything.
        closing: Calls of closing.
    """

    sets: int
    waited: int
    during: int
    idle: int
    closing: int


def counted(trace: str) -> Syncs:
    """Count in what strace wrote.

    Raises:
        ValueError: The program did not come to its end.
    """
    calls = {"acknowledged": 0, "idle": 0, "closed": 0}
    sets = waited = pending = 0
    synced: set[int] | None = None
    ended = False
    for line in trace.splitlines():
        call = _CALL.match(line)
        if call is None:
            continue
        name, descriptor, rest = call.groups()
        if name == "write" and descriptor == "1" and (said := _SAID.match(rest)):
            word, numbers = said.groups()
            if word == "descriptors":
                synced = {int(number) for number in (numbers or "").split()}
                continue
            if word == "acknowledged":
                sets += 1
                waited += pending > 0
            calls[word] += pending
            pending = 0
            ended = word == "closed"
        elif synced is not None and _is_sync(name, descriptor, rest, synced):
            pending += 1
    if not ended:
        raise ValueError("the program that is traced did not come to its end")
    return Syncs(sets, waited, calls["acknowledged"], calls["idle"], calls["closed"])


def _is_sync(name: str, descriptor: str, rest: str, synced: set[int]) -> bool:
    if name in {"fsync", "fdatasync", "syncfs"}:
        return True
    if name == "msync":
        return "MS_SYNC" in rest
    return descriptor.isdigit() and int(descriptor) in synced


def syncs(contenders: Sequence[Contender], records: Records, room: Room) -> dict[str, dict[str, int]]:
    """Return the calls of each store; nothing where strace is not there, or may not trace.

    Raises:
        DifferenceError: A store failed.
    """
    strace = shutil.which("strace")
    if strace is None or not _may_trace(strace):
        return {}
    # Calls are counted, not timed: several at a time.
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        found = pool.map(lambda contender: _traced(strace, contender, records, room), contenders)
        return {contender.name: each._asdict() for contender, each in zip(contenders, found, strict=True)}


def _may_trace(strace: str) -> bool:
    command = [strace, "-f", "-o", "/dev/null", sys.executable, "-S", "-c", ""]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _traced(strace: str, contender: Contender, records: Records, room: Room) -> Syncs:
    with tempfile.TemporaryDirectory(prefix="stratakv-peers-") as directory:
        place = Path(directory)
        (place / "store").mkdir()
        (place / "job").write_bytes(pickle.dumps(Job(contender.name, place / "store", room, records)))
        program = [sys.executable, "-m", "benchmarks.peers.synced", str(place / "job")]
        command = [strace, "-f", "-s", "64", "-o", str(place / "trace"), "-e", f"trace={_TRACED}", *program]
        ran = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
        if ran.returncode:
            last = (ran.stderr.splitlines() or ["no message"])[-1]
            raise DifferenceError(f"{contender.name}, traced, ended with {ran.returncode}: {last}")
        found = counted((place / "trace").read_text(encoding="utf-8", errors="replace"))
    if found.sets != SETS:
        raise DifferenceError(f"{contender.name}, traced, acknowledged {found.sets} sets of {SETS}")
    return found
