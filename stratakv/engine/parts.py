"""`Parts`: the pieces one store is made of, handed to those that work with them.

Holds no behaviour beyond small questions that several of them ask. Who opens and closes the pieces is `opening.py`.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stratakv.engine.below import Below
from stratakv.engine.records import IN_COLD
from stratakv.errors import CapacityError
from stratakv.policies.regrets import Regrets
from stratakv.policies.tuning.verdict import EDGES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from stratakv.backends.base import Backend
    from stratakv.backends.disk import DiskBackend
    from stratakv.clock import Clock
    from stratakv.config import OptimizationConfig
    from stratakv.engine.bloom import BloomFilter
    from stratakv.engine.catalog import Catalog
    from stratakv.engine.claim import Claim
    from stratakv.engine.compression import CompressionEngine
    from stratakv.engine.dictionaries import DictionaryBook
    from stratakv.engine.dirty import DirtyTable
    from stratakv.engine.free_memory import FreeMemory
    from stratakv.engine.hot import HotTable
    from stratakv.engine.journal import Journal
    from stratakv.engine.journal_format import Location
    from stratakv.engine.labels import Labels
    from stratakv.engine.ownership import DirectoryLock
    from stratakv.engine.placement import Placement
    from stratakv.engine.reserve import Reserve
    from stratakv.engine.serialization import Serializer
    from stratakv.engine.shelf import Shelf
    from stratakv.engine.telemetry import Counters
    from stratakv.engine.watch import Watch
    from stratakv.files import Files
    from stratakv.policies.admission import Admission

STRIPES = 1024


@dataclass(slots=True)
class Parts:
    """See the modules of the same names."""

    config: OptimizationConfig
    path: Path
    temporary: bool
    read_only: bool
    store_id: bytes
    epoch: int
    clock: Clock
    files: Files
    lock: DirectoryLock
    catalog: Catalog
    journal: Journal | None
    dirty: DirtyTable
    hot: HotTable
    placement: Placement
    admission: Admission
    watch: Watch
    labels: Labels
    serializer: Serializer
    compression: CompressionEngine
    dictionaries: DictionaryBook
    backends: dict[int, Backend]
    shelf: Shelf
    bloom: BloomFilter | None
    reserve: Reserve
    counters: Counters
    free_memory: FreeMemory
    below: Below = field(default_factory=Below)
    regrets: dict[str, Regrets] = field(default_factory=lambda: {edge: Regrets() for edge in EDGES})
    """Moves that turned out wrong, by edge."""
    claim: Claim | None = None
    """The right to write to a remote cold tier; None where it is this store's alone anyway."""
    pins: dict[str, int] = field(default_factory=dict)
    stamps: list[int] = field(default_factory=lambda: [0] * STRIPES)
    """Changes whenever a key of the stripe changes: a value read from below enters RAM only if its stamp stayed."""
    removals: int = 0
    """How often collection removed keys by time; the mover's own stamp, for all stripes."""
    touched: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Reads below RAM not yet in the catalog: blob -> (wall seconds of the last, count)."""
    unscrubbed: DiskBackend | None = None
    """The warm backend, as long as files may lie in it that a crash left and no row names."""
    scrubbing: threading.Lock = field(default_factory=threading.Lock)
    """Held while these are removed: nobody puts a pack meanwhile."""
    opened: bool = False
    """Whether the mover has done what opening leaves to it."""
    replayed_payloads: dict[Location, bytes] = field(default_factory=dict)
    """Payloads of the journal, for a read-only store, which has no journal of its own."""
    wanted_warm: set[bytes] = field(default_factory=set)
    """Contents in cold that were read often enough to return to warm."""
    sick_packs: set[int] = field(default_factory=set)
    """Packs in which background work met damage, or what it cannot decode; left alone until the store is reopened."""
    under_way: dict[int, set[str]] = field(default_factory=dict)
    """Packs that a thread has written, or is writing, and not committed yet."""
    no_room: str | None = None
    """Why no value can be taken: warm is over its capacity, and cold takes nothing. None where there is room."""
    secure_dictionaries: Callable[[set[int]], None] = field(default=lambda _dictionaries: None)
    """Called before a cold pack is written: the dictionaries that it needs must reach a remote tier first."""
    at_point: Callable[[str], None] = field(default=lambda _point: None)
    """Called with the name of each step of background work; crash tests stop the process there."""

    next_bloom: BloomFilter | None = None
    """A filter that is being built, and must not miss what comes in meanwhile."""

    def note_contents(self, digests: Collection[bytes]) -> None:
        """Contents have come into the catalog: the filters must know them, the one that is being built first."""
        for bloom in (self.next_bloom, self.bloom):
            if bloom is not None:
                for digest in digests:
                    bloom.add(digest)

    def announce(self, pack: str, _dictionaries: set[int]) -> None:
        """Note that the calling thread writes a pack; until `committed` nobody takes it for left behind."""
        self.under_way.setdefault(threading.get_ident(), set()).add(pack)

    def announce_cold(self, pack: str, dictionaries: set[int]) -> None:
        """The same of a cold pack: the tier must still be this store's, and have the dictionaries before it."""
        if self.claim is not None:
            self.claim.check()
        self.secure_dictionaries(dictionaries)
        self.announce(pack, dictionaries)

    def committed(self) -> None:
        """The packs that the calling thread wrote are in the catalog."""
        self.under_way.pop(threading.get_ident(), None)

    def check_room(self) -> None:
        """Refuse new values where warm has no room, or would take what the reserve has lent to deletions and clean-up.

        Raises:
            CapacityError: There is no room.
        """
        if self.no_room is not None:
            raise CapacityError(self.no_room)
        if self.reserve.lent and not self.reserve.fill():
            raise CapacityError(f"no space left under {self.path}: nothing was stored; free space and try again")

    def wall_ms(self) -> int:
        """Return wall time in milliseconds."""
        return int(self.clock.now() * 1000)

    def wall(self) -> int:
        """Return wall time in whole seconds."""
        return int(self.clock.now())

    def rest(self) -> None:
        """Give back RAM and room on disk that serve speed alone: nothing is expected to be read or stored soon."""
        self.dictionaries.rest()
        self.compression.rotations.rest()
        self.shelf.rest()
        self.catalog.shrink_memory()
        for backend in self.backends.values():
            backend.tidy()

    @property
    def deduplicates(self) -> bool:
        """Whether a store looks for its content among those known."""
        return self.config.enable_deduplication and self.config.deduplication.enabled

    @property
    def packs_tell_keys(self) -> bool:
        """Whether packs say which keys name their blobs: where the cold tier may be all that is left of the store."""
        return self.backends[IN_COLD].remote
