"""`Backend`: a dumb, thread-safe store of named, immutable byte objects.

It knows nothing of keys, codecs or tiers. Names are relative POSIX-like paths of letters, digits and `._-/`
(`names.py` has the rule); no name may be a folder of another, as `a` is of `a/b`. A name or a range that
breaks the rules is `ConfigurationError`, raised before anything changes. Foreign exceptions never leave a
backend: they are mapped here, at the boundary, onto the error tree.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stratakv.errors import StrataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class ObjectNotFoundError(StrataError):
    """No object of that name."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object of a listing.

    Attributes:
        name: The object's name.
        size: Its length in bytes.
    """

    name: str
    size: int


class Backend(ABC):
    """An object store of bytes.

    Implementations MUST be safe under threads, MUST NOT cache failures, and MUST map their medium's
    exceptions: no space -> `CapacityError`; unreachable, timed out or refused -> `TierUnavailableError`
    naming the place; a missing object -> `ObjectNotFoundError`. Secrets MUST NOT appear in messages or
    `repr`.

    Attributes:
        remote: Whether the objects outlive this machine and other machines reach them. Such a tier has one owner at a
            time, told by a manifest in it, and takes backups of the catalog, so that it alone restores a store.
    """

    remote: bool = False

    @property
    def place(self) -> str:
        """Where the objects lie, for messages. Never holds a secret."""
        return repr(self)

    @abstractmethod
    def put(self, name: str, content: bytes) -> None:
        """Store an object whole. On return it is durable and readable; on an error no part of it is visible.

        Callers never put two contents under one name, but may repeat a put after an error.
        """

    def create(self, name: str, content: bytes) -> bool:
        """Store an object as `put`, unless one of that name is there; return whether this call stored it.

        By default it looks first and puts then, which two owners may do at the same moment. A backend whose objects
        several processes reach MUST decide in one step.
        """
        try:
            self.size(name)
        except ObjectNotFoundError:
            self.put(name, content)
            return True
        return False

    @abstractmethod
    def get(self, name: str) -> bytes:
        """Return the whole object.

        Raises:
            ObjectNotFoundError: There is none.
        """

    @abstractmethod
    def get_range(self, name: str, start: int, length: int) -> bytes:
        """Return `length` bytes from offset `start`; fewer only where the object ends before.

        Raises:
            ObjectNotFoundError: There is none.
        """

    @abstractmethod
    def size(self, name: str) -> int:
        """Return the object's length in bytes.

        Raises:
            ObjectNotFoundError: There is none.
        """

    @abstractmethod
    def delete(self, name: str) -> bool:
        """Remove an object, durably. Return whether there was one; a missing object is no error."""

    def delete_many(self, names: Iterable[str]) -> None:
        """Remove objects, durably; missing ones are no error. On an error some of them may be gone."""
        for name in names:
            self.delete(name)

    @abstractmethod
    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects whose names begin with `prefix`, in no particular order."""

    @abstractmethod
    def bytes_on_disk(self) -> int:
        """Return the bytes the medium holds for all objects, bookkeeping files included; 0 for RAM."""

    def requests(self) -> dict[str, int]:
        """Return what the medium was asked since the backend was opened; empty where nobody is paid for that.

        Names: `put`, `get`, `list`, `delete`, `sent_bytes`, `received_bytes`; a look at a size is a `get`, and each
        attempt counts.
        """
        return {}

    def tidy(self) -> None:  # noqa: B027 -- optional: many media keep nothing
        """Give back room that is only kept for the next writes. Nothing is expected to be written soon."""

    @abstractmethod
    def close(self) -> None:
        """Release handles. Idempotent; later calls of other methods raise `ClosedError`."""
