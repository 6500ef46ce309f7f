"""Equality of values, type and all, where a wrapped engine holds them and they may be of any type.

Values of accepted types are equal when their plaintexts are, as in the store; what cannot be serialised has to be asked
itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.errors import SerializationError

if TYPE_CHECKING:
    from stratakv.engine.serialization import Serializer


def equal(serializer: Serializer, found: object, expected: object) -> bool:
    """Tell whether two values are equal with the same types everywhere."""
    try:
        return serializer.dumps(found) == serializer.dumps(expected)
    except SerializationError:
        return type(found) is type(expected) and bool(found == expected)
