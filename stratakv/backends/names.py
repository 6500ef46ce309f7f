"""Object names: what every backend accepts, decided in one place. Knows nothing of media.

A name is one or more parts joined by `/`. A part consists of ASCII letters, digits, `.`, `_` and `-`, does
not begin with `.` and has at most 200 characters; a name has at most 512. So no name climbs out of a
directory, hides, or meets a backend's own bookkeeping files, which begin with `.`.
"""

from __future__ import annotations

import re

from stratakv.errors import ConfigurationError

MAX_NAME_LENGTH = 512
"""Characters in a name: leaves room for a prefix below the 1,024 bytes of a key in S3."""
MAX_PART_LENGTH = 200
"""Characters between two slashes: file systems end at 255."""

_PART = rf"[A-Za-z0-9_-][A-Za-z0-9._-]{{0,{MAX_PART_LENGTH - 1}}}"
_match = re.compile(rf"{_PART}(?:/{_PART})*").fullmatch


def is_name(name: str) -> bool:
    """Return whether `name` may name an object."""
    return len(name) <= MAX_NAME_LENGTH and _match(name) is not None


def check_name(name: str) -> None:
    """Raise unless `name` may name an object.

    Raises:
        ConfigurationError: It may not; the message tells the rule.
    """
    if not isinstance(name, str):
        raise ConfigurationError(f"an object's name is a str, not {type(name).__name__}")
    if not is_name(name):
        shown = repr(name if len(name) <= 80 else name[:77] + "...")
        raise ConfigurationError(
            f"{shown} cannot name an object: use parts of letters, digits and '._-' joined by '/', each of 1 "
            f"to {MAX_PART_LENGTH} characters and not beginning with '.', {MAX_NAME_LENGTH} characters in all"
        )
