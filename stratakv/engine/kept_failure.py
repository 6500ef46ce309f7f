"""`KeptFailure`: what went wrong in the background, kept until a caller's next operation raises it, once.

Owns which failure is told; the latest one replaces an earlier one that nobody was told yet. Counts all of them.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from stratakv.engine.telemetry import BACKGROUND_FAILURES
from stratakv.errors import CapacityError, StrataError, TierUnavailableError

if TYPE_CHECKING:
    from stratakv.engine.telemetry import Counters

log = logging.getLogger("stratakv")


class KeptFailure:
    """The failure of one store's background, or none.

    Args:
        counters: Where failures are counted.
    """

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._failure: BaseException | None = None

    def keep(self, failure: BaseException, *expected: type[StrataError]) -> None:
        """Keep a failure, unless it is expected trouble that its work is tried again after.

        A tier that cannot be reached always is: its keys say so themselves.
        """
        self._counters.add(BACKGROUND_FAILURES, 1)
        if isinstance(failure, (TierUnavailableError, *expected)):
            log.info("background work is tried again later: %s", failure)
        else:
            self._failure = failure

    def raise_once(self, *, full_disk: bool = True) -> None:
        """Raise what is kept and forget it; on request not that the disk is full."""
        failure = self._failure
        if failure is None or (isinstance(failure, CapacityError) and not full_disk):
            return
        self._failure = None
        if isinstance(failure, StrataError):
            raise type(failure)(f"background work failed: {failure}") from failure
        raise StrataError(f"background work failed: {type(failure).__name__}: {failure}") from failure
