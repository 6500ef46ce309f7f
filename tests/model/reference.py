"""The store's promises as a dict: values, expiry times, pins and ages; nothing of how they are kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stratakv.types import StorageTier

NAMESPACE_TTL = {"short": 500}
PRUNE_AFTER_SECONDS = {"old": 5 * 86_400}


@dataclass
class Entry:
    """What a key holds.

    Attributes:
        value: The value.
        expires: Wall time in milliseconds, None for never.
        written: Wall time in milliseconds of the last write.
        namespace: The label it was stored with.
        pin: The tier it is pinned to.
    """

    value: Any
    expires: int | None
    written: int
    namespace: str | None
    pin: StorageTier | None


@dataclass
class Reference:
    """A store without tiers, journal or disk.

    Attributes:
        entries: By key; expired ones stay until somebody looks.
        now_ms: Wall time in milliseconds.
    """

    now_ms: int
    entries: dict[str, Entry] = field(default_factory=dict)

    def live(self) -> dict[str, Entry]:
        """Return the keys that have a value now."""
        now = self.now_ms
        return {key: entry for key, entry in self.entries.items() if entry.expires is None or entry.expires > now}

    def put(
        self,
        key: str,
        value: Any,
        *,
        ttl: int | None = None,
        namespace: str | None = None,
        pin: StorageTier | None = None,
    ) -> None:
        """Store a value; a pin survives the overwrite of a live value, a ttl does not."""
        before = self.live().get(key)
        seconds = NAMESPACE_TTL.get(namespace or "") if ttl is None else ttl
        self.entries[key] = Entry(
            value,
            None if seconds is None else self.now_ms + 1000 * seconds,
            self.now_ms,
            namespace,
            pin if pin is not None else before.pin if before is not None else None,
        )

    def delete(self, key: str) -> bool:
        """Delete a key; return whether it had a value."""
        lived = key in self.live()
        self.entries.pop(key, None)
        return lived

    def prune(self) -> None:
        """Remove what is prunable and old."""
        for key, entry in list(self.entries.items()):
            after = PRUNE_AFTER_SECONDS.get(entry.namespace or "")
            if after is not None and entry.written < self.now_ms - 1000 * after:
                del self.entries[key]
