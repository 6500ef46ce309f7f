"""The error tree: few kinds, each telling the caller what to do about it.

Everything the library raises on purpose derives from `StrataError`. A miss is a value, never an error, below
the mapping face. An engine's own exceptions pass through unchanged and are not wrapped.
"""

from __future__ import annotations


class StrataError(Exception):
    """Base of every error raised by stratakv."""


class ConfigurationError(StrataError, ValueError):
    """A setting, argument or environment cannot be used: change it as the message says."""


class SerializationError(StrataError, TypeError):
    """A value is not of an accepted type: the message names the type, the path inside the value and the option."""


class CapacityError(StrataError):
    """No room: nothing was stored. Free space or raise the limit named in the message, then try again."""


class TierUnavailableError(StrataError):
    """A tier cannot be reached just now. Nothing is lost; the call may be retried.

    Attributes:
        retryable: Always True.
    """

    retryable = True


class CorruptionError(StrataError):
    """Stored bytes are damaged: the message names key, tier and pack as far as they are known."""


class ClosedError(StrataError, RuntimeError):
    """The store was shut down, belongs to another process (fork) or is read-only."""


class StoreLockedError(StrataError):
    """Another process owns the directory.

    Attributes:
        pid: The owner's process id, or None where it could not be read.
    """

    def __init__(self, message: str, pid: int | None = None) -> None:
        super().__init__(message)
        self.pid = pid
