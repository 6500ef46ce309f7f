"""What a directory lies on, as far as it matters to promises."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

log = logging.getLogger("stratakv")


def warn_of(path: Path, *, temporary: bool) -> None:
    """Say in the log where a directory keeps things for a shorter time than one may think."""
    if temporary:
        log.warning("no storage.path is set: the store lies in %s and is removed at shutdown", path)
    with contextlib.suppress(OSError, IndexError):
        if is_ram_disk(path):
            log.warning("%s is a RAM disk: what is stored there takes RAM and is lost when the machine stops", path)


def is_ram_disk(path: Path) -> bool:
    """Tell whether a directory lies on tmpfs; OSError where the system does not tell."""
    resolved = str(path.resolve())
    best = ("", "")
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, kind = line.split()[:3]
        if (resolved + "/").startswith(mount.rstrip("/") + "/") and len(mount) > len(best[0]):
            best = (mount, kind)
    return best[1] == "tmpfs"
