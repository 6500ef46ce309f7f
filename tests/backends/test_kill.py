"""A process is killed amid its puts and deletes: what it was told is so, and nothing half-done shows."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from stratakv.backends import Backend, DirectoryBackend, DiskBackend
from stratakv.testing.backend_material import noise

if TYPE_CHECKING:
    from pathlib import Path

WRITER = """
import itertools, sys
from stratakv.backends import DirectoryBackend, DiskBackend
from stratakv.testing.backend_material import noise
backend = {"directory": DirectoryBackend, "disk": DiskBackend}[sys.argv[1]](sys.argv[2])
for number in itertools.count():
    backend.put(f"packs/{number % 3}/{number}", noise(3000, number))
    print("put", number, flush=True)
    if number % 4 == 3:
        print("try", number - 2, flush=True)
        backend.delete(f"packs/{(number - 2) % 3}/{number - 2}")
        print("del", number - 2, flush=True)
"""


def open_backend(kind: str, path: Path) -> Backend:
    return DiskBackend(path) if kind == "disk" else DirectoryBackend(path)


def run_and_kill(kind: str, path: Path, lines: int) -> tuple[set[int], set[int]]:
    """Return which objects must be there and which may be: the last deletion may have happened or not."""
    command = [sys.executable, "-c", WRITER, kind, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        seen = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        seen += process.stdout.readlines()
    told = [(words[0], int(words[1])) for line in seen if line.endswith("\n") and (words := line.split())]
    put = {number for what, number in told if what == "put"}
    tried = {number for what, number in told if what == "try"}
    deleted = {number for what, number in told if what == "del"}
    return put - tried, (put - deleted) | {max(put) + 1}


@pytest.mark.parametrize("kind", ["directory", "disk"])
@pytest.mark.parametrize("lines", [1, 12, 29, 50])
def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, kind: str, lines: int) -> None:
    place = tmp_path / "objects"
    must, may = run_and_kill(kind, place, lines)
    for _ in range(2):
        backend = open_backend(kind, place)
        found = {int(info.name.rpartition("/")[2]): info for info in backend.list()}
        assert must <= set(found) <= may
        for number, info in found.items():
            assert info.size == 3000
            assert backend.get(info.name) == noise(3000, number)
        files = [path for path in place.rglob("*") if path.is_file()]
        assert backend.bytes_on_disk() == sum(path.stat().st_size for path in files)
        backend.close()
        payload = [path for path in place.rglob("*") if path.is_file() and not path.name.startswith("cache.db")]
        assert len(payload) == len(found)
