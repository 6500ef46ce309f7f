"""A journal record between its write and the moment it is visible. Knows nothing of files."""

from __future__ import annotations

import threading
from collections.abc import Callable

Apply = Callable[[int, int, int], None]
"""Called with (sequence, segment, offset of the body in the segment) when the record may become visible."""


class Pending:
    """A written record whose writer waits.

    Attributes:
        sequence, segment, offset: Where it stands; the offset is that of its body.
        visible: It has been shown.
        leads: Its writer syncs, for itself and for all that are written by then.
        gone: Its writer was interrupted and waits no more; the record is shown with the others.
    """

    __slots__ = ("_apply", "_gate", "gone", "leads", "offset", "segment", "sequence", "visible")

    def __init__(self, apply: Apply, sequence: int, segment: int, offset: int) -> None:
        self._apply = apply
        self._gate = threading.Lock()
        self._gate.acquire()
        self.sequence = sequence
        self.segment = segment
        self.offset = offset
        self.visible = False
        self.leads = False
        self.gone = False

    def await_news(self) -> None:
        """Return when the gate was opened since the last call: it is visible, or leads."""
        self._gate.acquire()

    def open_gate(self) -> None:
        """Let the writer look again. One thread at a time."""
        if self._gate.locked():
            self._gate.release()

    def show(self) -> None:
        """Make it visible."""
        try:
            show(self._apply, self.sequence, self.segment, self.offset)
        finally:
            self.visible = True


def show(apply: Apply, sequence: int, segment: int, offset: int) -> None:
    """Make a record visible; once more where an interrupt came in between, since doing it twice does no harm."""
    try:
        apply(sequence, segment, offset)
    except BaseException:  # an interrupt, or what a signal handler raises
        apply(sequence, segment, offset)
        raise
