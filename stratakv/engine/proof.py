"""`Proof`: payloads of the codecs that know much of their input are decoded once before they are used.

Codecs for numbers, tables and vectors are many and rely on what they find in their input. A mistake in one must cost
bytes, never a value, so what they make takes the place of the plaintext only when it has given it back.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.engine.codecs.base import Buffer

log = logging.getLogger("stratakv")


class Proof:
    """Proves payloads.

    Attributes:
        failures: Payloads that did not give their plaintext back.
    """

    def __init__(self) -> None:
        self.failures = 0

    def holds(self, decode: Callable[[Buffer, int], bytes], payload: bytes, plaintext: bytes, made_by: str) -> bool:
        """Tell whether a payload gives the plaintext back; `made_by` names who made it, for the log."""
        try:
            if decode(payload, len(plaintext)) == plaintext:
                return True
            failure = "decoded to other bytes"
        except CorruptionError as damage:
            failure = str(damage)
        self.failures += 1
        log.error("%s made a payload that does not give %d bytes back: %s", made_by, len(plaintext), failure)
        return False
