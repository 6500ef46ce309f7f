"""The manifest of a remote tier: who owns it. Bytes and names only; who may write it, and when, is the claim's.

Each opening of a store writes one, `manifests/EPOCH.json`, and the highest epoch is the owner. A manifest is never
changed. JSON, so that people can read whose bucket it is.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from stratakv.errors import CorruptionError

PREFIX = "manifests/"
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """One owner.

    Attributes:
        store_id: The store's id, 32 hexadecimal digits.
        epoch: Counts the owners of the tier; the highest is the present one.
        granted_from: Least epoch whose packs the owner may delete when its catalog knows them as dead.
        wrote_from: Least epoch whose packs were written from the owner's own directory: a pack of these that its
            catalog does not know is what a crash left. Older ones may be all that is left of another machine's work.
        nonce: Random; tells this manifest from another of the same epoch.
        opened: Wall time in seconds.
    """

    store_id: str
    epoch: int
    granted_from: int
    wrote_from: int
    nonce: str
    opened: int

    @property
    def name(self) -> str:
        """The object's name."""
        return manifest_name(self.epoch)

    def to_bytes(self) -> bytes:
        """Return the object's content."""
        return json.dumps({"format": FORMAT_VERSION, **asdict(self)}, indent=1).encode() + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes, name: str) -> Manifest:
        """Read a manifest.

        Raises:
            CorruptionError: It is none, or was written by a later release.
        """
        try:
            fields = json.loads(content)
            if fields.pop("format") != FORMAT_VERSION:
                raise CorruptionError(f"{name} was written by a later release of stratakv: update to use this tier")
            found = cls(**fields)
            numbers = (found.epoch, found.granted_from, found.wrote_from, found.opened)
            if any(type(number) is not int for number in numbers) or len(bytes.fromhex(found.store_id)) != 16:
                raise ValueError("fields of the wrong type")
        except (ValueError, TypeError, KeyError, AttributeError) as failure:
            raise CorruptionError(f"{name} is no manifest of a store: {failure}") from failure
        return found


def manifest_name(epoch: int) -> str:
    """Return the name of an epoch's manifest; names sort as epochs do."""
    return f"{PREFIX}{epoch:012d}.json"


def epoch_of_manifest(name: str) -> int | None:
    """Return the epoch in a manifest's name; None where it is another object's."""
    digits = name.removeprefix(PREFIX).removesuffix(".json")
    return int(digits) if len(digits) == 12 and digits.isdecimal() else None


def epoch_of_pack(name: str) -> int | None:
    """Return the epoch in a pack's name; None where it is another object's."""
    digits = name.rpartition("/")[2].partition("-")[0]
    try:
        return int(digits, 16) if len(digits) == 8 else None
    except ValueError:
        return None
