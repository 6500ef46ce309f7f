"""Whether a server's conditional creation is atomic: asked by trying it, many at the same moment.

Owns the probe and its objects, which it removes; what follows from the answer is the claim's.
"""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stratakv.backends.base import Backend

ROUNDS, WRITERS = 3, 8
"""So many objects, each created by so many at the same moment."""


def is_create_atomic(backend: Backend) -> bool:
    """Tell whether of several that create one object at the same moment at most one is told that it did."""
    for _ in range(ROUNDS):
        name = f"probes/{secrets.token_hex(8)}"
        start = threading.Barrier(WRITERS)
        outcomes: list[bool | Exception] = []

        def write(number: int, name: str = name, start: threading.Barrier = start) -> None:
            start.wait()
            try:
                outcomes.append(backend.create(name, b"%d" % number))  # noqa: B023 -- joined below, within the round
            except Exception as failure:  # noqa: BLE001 -- raised by the round's end
                outcomes.append(failure)  # noqa: B023 -- as above

        threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        backend.delete(name)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        if sum(outcome is True for outcome in outcomes) > 1:
            return False
    return True
