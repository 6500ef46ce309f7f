"""Owns the program whose system calls `syncs` counts: it sets values, waits, closes, and says when on standard output.

`python -m benchmarks.peers.synced FILE` takes a pickled `Job`. Its lines are written by one system call each, so that
they stand among the others in the trace.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.peers.contenders import BY_NAME

if TYPE_CHECKING:
    from benchmarks.peers.worker import Job

SETS = 100
WARM_UP = 10
IDLE_SECONDS = 2.0
_SYNCED_FLAGS = os.O_SYNC | os.O_DSYNC


def say(line: str) -> None:
    """Write a line at once."""
    os.write(1, f"{line}\n".encode())


def synced_descriptors() -> list[int]:
    """Return the open files of which every write is a sync."""
    found = []
    for entry in Path("/proc/self/fdinfo").iterdir():
        try:
            lines = entry.read_text(encoding="ascii").splitlines()
        except FileNotFoundError:  # the directory's own
            continue
        flags = next(int(line.split()[1], 8) for line in lines if line.startswith("flags:"))
        if flags & _SYNCED_FLAGS:
            found.append(int(entry.name))
    return sorted(found)


def run(job: Job) -> None:
    """Do it."""
    records = job.records
    peer = BY_NAME[job.name].opened(job.path, job.room)
    for number in range(WARM_UP):
        peer.set(f"warm-up {number}", records.value(number % len(records.keys)))
    values = [records.value(number % len(records.keys)) for number in range(SETS)]
    say(f"descriptors {' '.join(map(str, synced_descriptors()))}")
    for number, value in enumerate(values):
        peer.set(f"set {number}", value)
        say(f"acknowledged {number}")
    threading.Event().wait(IDLE_SECONDS)
    say("idle")
    peer.close()
    say("closed")


if __name__ == "__main__":
    run(pickle.loads(Path(sys.argv[1]).read_bytes()))
