"""The statistics snapshot: what a reader beside the owner may see.

Owns `statistics.json`. It is replaced whole, so a reader never meets half of one.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from stratakv.errors import ConfigurationError, CorruptionError

if TYPE_CHECKING:
    from pathlib import Path

SNAPSHOT_FILE = "statistics.json"


def write_snapshot(directory: Path, statistics: dict[str, Any]) -> None:
    """Replace the snapshot."""
    fresh = directory / (SNAPSHOT_FILE + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(statistics, file, default=str)
        fresh.replace(directory / SNAPSHOT_FILE)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def read_snapshot(directory: Path) -> dict[str, Any]:
    """Return the owner's last snapshot.

    Raises:
        ConfigurationError: There is none.
        CorruptionError: It is not readable.
    """
    try:
        text = (directory / SNAPSHOT_FILE).read_bytes()
    except FileNotFoundError:
        raise ConfigurationError(
            f"{directory} has no statistics yet: its owner writes them within seconds of opening, at each maintenance "
            f"and at shutdown"
        ) from None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as failure:
        raise CorruptionError(f"{directory / SNAPSHOT_FILE} is damaged: {failure}") from failure
    if not isinstance(content, dict):
        raise CorruptionError(f"{directory / SNAPSHOT_FILE} is damaged: it holds no sections")
    return content
