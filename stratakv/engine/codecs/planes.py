"""Byte planes: the first bytes of all elements, then the second bytes, and so on.

Numbers of one column have nearly the same high bytes, which so come to lie side by side. An incomplete last element
stays at the end as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from stratakv.engine.codecs.base import Buffer


def to_planes(plain: Buffer, itemsize: int) -> bytes:
    """Put the n-th bytes of all elements side by side."""
    whole = len(plain) // itemsize * itemsize
    planes = np.frombuffer(plain, np.uint8, whole).reshape(-1, itemsize).T.tobytes()
    return planes + bytes(plain[whole:])


def from_planes(planes: bytes, itemsize: int) -> bytes:
    """Undo `to_planes`."""
    whole = len(planes) // itemsize * itemsize
    plain = np.frombuffer(planes, np.uint8, whole).reshape(itemsize, -1).T.tobytes()
    tail = planes[whole:]
    del planes  # a third copy would break the promise to take twice the size
    return plain + tail
