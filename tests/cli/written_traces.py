"""Trace files for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

CSV = b"key,size,op,ts\na,10,get,0\nb,20,get,1\na,10,get,2\nc,5,put,2.5\nc,5,get,3\nb,0,delete,4\nb,20,get,5\n"


def written(path: Path, content: bytes) -> Path:
    """Write a file of these bytes."""
    path.write_bytes(content)
    return path


def saved(path: Path, **columns: Any) -> Path:
    """Write an .npz file of these arrays."""
    np.savez(path, **columns)
    return path
