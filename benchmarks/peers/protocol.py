"""Owns what all stores of this benchmark have in common: what they can do, how much RAM they get, how they are told of.

A store is opened by its class or function, with a directory and the RAM; it is driven by one thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Durability = Literal["process", "sync"]


class Peer(Protocol):
    """A store that is open."""

    def set(self, key: str, value: Any, /) -> object:
        """Keep a value; when this returns, it is acknowledged."""

    def get(self, key: str, /) -> Any:
        """Return the value; None where there is none."""

    def delete(self, key: str, /) -> object:
        """Remove a key that is there."""

    def close(self) -> None:
        """Bring everything to disk, in the form in which it stays, and let go of the files."""


class Room(NamedTuple):
    """RAM for values.

    Attributes:
        size: In bytes.
        values: As many values as that are, by their mean size as Python objects.
    """

    size: int
    values: int


class Contender(NamedTuple):
    """What a store is, in words and to be opened.

    Attributes:
        name: In every table.
        durability: What it is to survive: "process" a kill, "sync" a power loss. It is compared with stratakv's own
            setting of that name; whether it survives is measured.
        opened: Opens it in a directory, which exists and may be empty.
        restored: What its serialisation makes of a value; most give it back as it was.
        form: How a value is kept.
        ram: What it does with the RAM that it may have.
        synced: When it syncs, as its documentation has it.
    """

    name: str
    durability: Durability
    opened: Callable[[Path, Room], Peer]
    restored: Callable[[Any], Any]
    form: str
    ram: str
    synced: str


class Sizes(NamedTuple):
    """What a directory takes: lengths of its files, the blocks that they occupy, and how many there are."""

    length: int
    blocks: int
    files: int


def sizes_of(directory: Path) -> Sizes:
    """Measure a directory by walking it."""
    found = [path.stat() for path in directory.rglob("*") if path.is_file()]
    return Sizes(sum(each.st_size for each in found), sum(512 * each.st_blocks for each in found), len(found))
