"""Owns telling whether two values are the same, exactly, and how many bytes of memory values hold.

It does not trust the store for either: both work on live objects only.
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

import numpy as np


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are of the same types throughout and equal bit for bit.

    Unlike `==`, 1 is not True, NaN is NaN, -0.0 is not 0.0, and the order of a dict counts.
    """
    kind = type(one)
    if kind is not type(other):
        return False
    if kind is dict:
        return len(one) == len(other) and all(
            same(key, key2) and same(one[key], other[key2]) for key, key2 in zip(one, other, strict=True)
        )
    if kind is list or kind is tuple:
        return len(one) == len(other) and all(map(same, one, other))
    if kind is float:
        return bool(one.hex() == other.hex())
    if kind is np.ndarray:
        return bool(
            (one.dtype, one.shape, one.flags.f_contiguous) == (other.dtype, other.shape, other.flags.f_contiguous)
            and one.tobytes("A") == other.tobytes("A")
        )
    return bool(one == other)


def fingerprint(value: Any) -> bytes:
    """Return a digest of a value of JSON's types and arrays; it tells later whether the value was changed."""
    if type(value) is np.ndarray:
        return hashlib.sha256(value.tobytes("A")).digest()
    text = json.dumps(value, separators=(",", ":"), default=_array_as_text)
    return hashlib.sha256(text.encode()).digest()


def _array_as_text(value: Any) -> str:
    if type(value) is not np.ndarray:
        raise TypeError(f"no fingerprint for a {type(value).__name__}")
    return fingerprint(value).hex()


def live_bytes(values: list[Any], seen: set[int]) -> int:
    """Return the bytes that live objects hold: each object's own size, one met before counted as nothing.

    Args:
        values: Objects of JSON's types and arrays; an array counts its header and the buffer it uses.
        seen: Identities counted so far; those met are added. The objects must stay alive between calls.
    """
    size_of = sys.getsizeof
    total = 0
    pending = list(values)
    while pending:
        value = pending.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        total += size_of(value)
        kind = type(value)
        if kind is dict:
            pending.extend(value)
            pending.extend(value.values())
        elif kind is list or kind is tuple:
            pending.extend(value)
        elif kind is np.ndarray and value.base is not None:
            pending.append(value.base)
        elif kind is memoryview:
            pending.append(value.obj)
    return total
