"""Why a value is not accepted, before it is known where in the value it lies.

Owns the internal exception between the encoders, which see one object, and the exact walk, which knows the
path. Never leaves the package: the walk turns it into `SerializationError`.
"""

from __future__ import annotations


class RefusedError(Exception):
    """An object cannot be encoded exactly.

    Args:
        reason: What is wrong, and what to do about it, after "cannot store <type> at <path>: ".
    """


def name_of(kind: type) -> str:
    """Return a type's name as a user would look for it, with its module unless built in."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
