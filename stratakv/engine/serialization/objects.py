"""Other objects, by pickle: only where the configuration asked for it.

The only file that imports pickle. Never decides whether pickle is allowed: the writer and the reader do.
Unpickling runs code that the bytes choose, so the caller must have verified the plaintext first.
"""

from __future__ import annotations

import pickle  # noqa: TID251 - the one place for it

from stratakv.engine.serialization.refusal import RefusedError, name_of
from stratakv.errors import SerializationError

_PROTOCOL = 5


def freeze(value: object) -> bytes:
    """Return the pickle of an object.

    Raises:
        RefusedError: The object cannot be pickled either.
    """
    try:
        return pickle.dumps(value, _PROTOCOL)
    except Exception as error:
        raise RefusedError(f"pickle cannot take it either ({error}); store its contents instead") from error


def thaw(body: bytes) -> object:
    """Return the object of `freeze`.

    Raises:
        SerializationError: The pickle's classes are missing or refuse.
    """
    try:
        return pickle.loads(body)  # noqa: S301 - the caller has said that the plaintext is verified
    except Exception as error:
        raise SerializationError(
            f"a pickled object cannot be rebuilt ({name_of(type(error))}: {error}); "
            "are its classes importable and of the same version?"
        ) from error
