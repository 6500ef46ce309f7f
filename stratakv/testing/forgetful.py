"""`ForgetfulFiles`: a file layer that knows what would be left if the power failed now.

It does everything for real but syncing, which it only notes: it remembers what a medium is bound to keep, the content
of each file at its last sync and the entries of each directory at its last sync. `image` builds that state in another
directory, where the code under test can be opened. Nothing under the watched directory is changed by watching it.

Invariant: what `image` leaves out was never promised. Where it is given a source of chance it keeps some of what was
not synced, too, as a real medium does: entries independently of each other, an appended tail up to any byte,
overwritten blocks one by one. Blocks of an appended tail are taken to arrive in order, and a cut to happen at once.
"""

from __future__ import annotations

import os
import stat
import threading
from typing import TYPE_CHECKING, NamedTuple

from stratakv.files import Files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BLOCK_BYTES = 4096


class _Identity(NamedTuple):
    """A file or directory, whatever it is called."""

    device: int
    number: int


class _Seen:
    """What is known of one file or directory. The descriptor keeps its number from being given to another."""

    __slots__ = ("content", "descriptor", "entries", "is_directory")

    def __init__(self, descriptor: int, *, is_directory: bool) -> None:
        self.descriptor = descriptor
        self.is_directory = is_directory
        self.content = b""
        self.entries: dict[str, _Identity] = {}


class ForgetfulFiles(Files):
    """Watches one directory. Thread-safe; `close` it in the end, for it keeps a descriptor of each file.

    Args:
        root: The directory; it exists. What lies in it counts as never synced.
        at_sync: Called before and after each sync of a file or directory, where power may fail.
    """

    def __init__(self, root: Path, *, at_sync: Callable[[], None] = lambda: None) -> None:
        self._root = root
        self.at_sync = at_sync
        self._lock = threading.RLock()
        self._seen: dict[_Identity, _Seen] = {}
        self._top = self._meet(root)

    # -- the layer -------------------------------------------------------------------------------------------

    def sync(self, descriptor: int) -> None:
        self.at_sync()
        self._remember(f"/proc/self/fd/{descriptor}")
        self.at_sync()

    def sync_directory(self, path: Path) -> None:
        self.at_sync()
        self.note_directory(path)
        self.at_sync()

    # -- for the layers of others, such as SQLite's ----------------------------------------------------------

    def note_file(self, path: Path) -> None:
        """Another layer has synced a file."""
        self._remember(path)

    def note_directory(self, path: Path) -> None:
        """Another layer has synced a directory."""
        with self._lock:
            entries: dict[str, _Identity] = {}
            for name in os.listdir(path):
                try:
                    entries[name] = self._meet(path / name)
                except FileNotFoundError:
                    continue  # removed by another thread since it was listed
            self._seen[self._meet(path)].entries = entries
            self._let_go()

    def _remember(self, path: Path | str) -> None:
        with self._lock:
            seen = self._seen[self._meet(path)]
            seen.content = _content(seen.descriptor)

    def _meet(self, path: Path | str) -> _Identity:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        status = os.fstat(descriptor)
        identity = _Identity(status.st_dev, status.st_ino)
        if identity in self._seen:
            os.close(descriptor)
        else:
            self._seen[identity] = _Seen(descriptor, is_directory=stat.S_ISDIR(status.st_mode))
        return identity

    def _let_go(self) -> None:
        """Forget files that are gone and that no medium has to keep."""
        kept = {identity for seen in self._seen.values() for identity in seen.entries.values()}
        for identity, seen in self._seen.copy().items():
            if identity not in kept and not os.fstat(seen.descriptor).st_nlink:
                os.close(seen.descriptor)
                del self._seen[identity]

    # -- power loss ------------------------------------------------------------------------------------------

    def image(self, target: Path, chance: Callable[[], float] | None = None) -> None:
        """Build in `target`, which is made, what is left if power fails now.

        Args:
            target: A directory that is not there yet.
            chance: Source of uniform numbers in [0, 1) that decides what survives although it was not synced;
                None: nothing of it.
        """
        with self._lock:
            self._build(self._top, target, self._root, chance)

    def _build(self, identity: _Identity, target: Path, live: Path | None, chance: Callable[[], float] | None) -> None:
        seen = self._seen[identity]
        if not seen.is_directory:
            target.write_bytes(seen.content if chance is None else _mixed(seen, chance))
            return
        target.mkdir(mode=0o700)
        entries = dict(seen.entries)
        present = {name: self._meet(live / name) for name in os.listdir(live)} if live is not None else {}
        if chance is not None and live is not None:
            for name in sorted(present.keys() | entries.keys()):
                if present.get(name) != entries.get(name) and chance() < 0.5:
                    entries.pop(name, None)
                    if name in present:
                        entries[name] = present[name]
        for name, child in sorted(entries.items()):
            place = live / name if live is not None and present.get(name) == child else None
            self._build(child, target / name, place, chance)

    def close(self) -> None:
        """Give the descriptors back. Idempotent."""
        with self._lock:
            for seen in self._seen.values():
                os.close(seen.descriptor)
            self._seen.clear()


def _content(descriptor: int) -> bytes:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


def _mixed(seen: _Seen, chance: Callable[[], float]) -> bytes:
    """Return the synced content with some of what was written since."""
    synced, now = seen.content, _content(seen.descriptor)
    if now == synced:
        return synced
    if now.startswith(synced):
        return now[: len(synced) + int(chance() * (len(now) - len(synced) + 1))]
    if len(now) < len(synced):
        # It was cut. That happens or does not; what was written behind the cut has blocks of its own.
        return synced if chance() < 0.5 else now[: int(chance() * (len(now) + 1))]
    length = len(now) if chance() < 0.5 else len(synced)
    blocks = []
    for start in range(0, length, BLOCK_BYTES):
        source = now if chance() < 0.5 else synced
        blocks.append(source[start : start + BLOCK_BYTES].ljust(min(BLOCK_BYTES, length - start), b"\0"))
    return b"".join(blocks)[:length]
