"""A rehearsal of power loss: a store over a medium that forgets, and images of what is left at many moments."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import apsw

from stratakv.clock import ManualClock
from stratakv.engine.catalog_schema import CHECKSUM_VFS, _load_checksum_extension
from stratakv.engine.store import Store
from stratakv.testing.forgetful import ForgetfulFiles
from tests.crash.life import Model, Step, after, random_step, settings, take
from tests.crash.soundness import check_contents, check_no_orphans, check_sums, leave
from tests.crash.unsynced import open_unsynced

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

_numbers = itertools.count()


class _WatchedFile(apsw.VFSFile):
    """Tells the forgetful layer of each sync. The first one of a log syncs its directory, too, as SQLite's own does."""

    def __init__(self, files: ForgetfulFiles, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__(CHECKSUM_VFS, name, flags)
        self._files = files
        self._path = Path(name.filename() if isinstance(name, apsw.URIFilename) else str(name))
        self._syncs_directory = bool(flags[0] & (apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL))

    def xSync(self, flags: int) -> None:
        self._files.at_sync()
        self._files.note_file(self._path)
        if self._syncs_directory:
            self._syncs_directory = False
            self._files.note_directory(self._path.parent)
        self._files.at_sync()


class WatchedSQLite(apsw.VFS):
    """SQLite's file layer, checksums included, over the same medium."""

    def __init__(self, files: ForgetfulFiles) -> None:
        _load_checksum_extension()
        self.name = f"forgetful-{next(_numbers)}"
        self._files = files
        super().__init__(self.name, base=CHECKSUM_VFS)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> _WatchedFile:
        return _WatchedFile(self._files, name, flags)


class Image(NamedTuple):
    """What a power failure would have left.

    Attributes:
        path: The directory.
        promised: How many steps had been promised to be durable, as an index into the rehearsal's history.
        begun: How many steps had been begun.
    """

    path: Path
    promised: int
    begun: int


class Rehearsal:
    """One store on a forgetful medium.

    Args:
        folder: Where store and images go.
        durability: The store's.
        every: Of how many syncs and steps one is imaged.
        chance: Decides steps, and what survives unsynced in every other image.

    Attributes:
        history: The model after each number of steps.
        images: Those taken so far.
    """

    def __init__(self, folder: Path, *, durability: str, every: int, chance: random.Random) -> None:
        self._folder = folder
        self.path = folder / "store"
        self.path.mkdir()
        self.durability = durability
        self._every = every
        self._chance = chance
        self._moments = chance.randrange(every)
        self._clock = ManualClock()
        self.files = ForgetfulFiles(self.path, at_sync=self.moment)
        self._sqlite = WatchedSQLite(self.files)
        self.history: list[Model] = [{}]
        self.promised = 0
        self.begun = 0
        self.images: list[Image] = []
        self.store = self.open()

    def open(self) -> Store:
        """Open the store on the medium, as it is."""
        self.store = Store(
            settings(self.path, durability=self.durability, warm="directory"),
            clock=self._clock,
            files=self.files,
            catalog_vfs=self._sqlite.name,
        )
        return self.store

    def moment(self) -> None:
        """Power may fail here: take an image if it is time for one."""
        self._moments += 1
        if self._moments % self._every == 0:
            self.fail_here()

    def fail_here(self) -> None:
        """Take an image."""
        path = self._folder / f"image-{len(self.images)}"
        self.files.image(path, self._chance.random if len(self.images) % 2 else None)
        self.images.append(Image(path, self.promised, self.begun))

    def step(self, step: Step) -> None:
        """Take one step; with `sync` it is promised when it returns."""
        self._clock.advance(self._chance.random() * 0.1)
        self.history.append(after(self.history[-1], step))
        self.begun += 1
        take(self.store, step, self._chance)
        if self.durability == "sync":
            self.promised = self.begun
        self.moment()

    def flush(self) -> None:
        """From here on everything is promised."""
        self.store.flush()
        self.promised = self.begun
        self.moment()

    def run(self, steps: int, *, upkeep: float = 0.06, flush_every: int | None = None) -> None:
        """Take random steps."""
        for number in range(steps):
            self.step(random_step(self._chance, upkeep=upkeep))
            if flush_every is not None and number % flush_every == 0:
                self.flush()

    def check(self, deep: Callable[[int], bool] = lambda _number: True) -> None:
        """Open every image: it holds what was promised then, and a state that once was.

        `deep` chooses by number the images that are settled and searched for orphans, too.
        """
        for number, image in enumerate(self.images):
            allowed = self.history[image.promised : image.begun + 1]
            store = open_unsynced(settings(image.path, warm="directory"), ManualClock(self._clock.now() + 60))
            try:
                check_sums(store)
                found = check_contents(store, allowed)
                if deep(number):
                    check_no_orphans(store)
                    check_sums(store)
                    check_contents(store, [found])
            finally:
                leave(store)
            shutil.rmtree(image.path)

    def end(self) -> None:
        """Give everything back."""
        leave(self.store)
        self.files.close()
        self._sqlite.unregister()
