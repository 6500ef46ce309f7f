"""Where stores of long programs lie: what is tested there needs a directory, not a disk."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

RAM_DISK = "/dev/shm"


def fresh_directory() -> Path:
    """Return a new empty directory, in RAM where that is possible; the caller removes it."""
    place = RAM_DISK if os.access(RAM_DISK, os.W_OK | os.X_OK) else None
    return Path(tempfile.mkdtemp(prefix="stratakv-model-", dir=place))
