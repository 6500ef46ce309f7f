"""What a directory lies on, as far as it matters to promises."""

from __future__ import annotations

from pathlib import Path


def is_ram_disk(path: Path) -> bool:
    """Tell whether a directory lies on tmpfs; OSError where the system does not tell."""
    resolved = str(path.resolve())
    best = ("", "")
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, kind = line.split()[:3]
        if (resolved + "/").startswith(mount.rstrip("/") + "/") and len(mount) > len(best[0]):
            best = (mount, kind)
    return best[1] == "tmpfs"
