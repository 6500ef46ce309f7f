"""A journal record between its write and the moment it is visible. Knows nothing of files."""

from __future__ import annotations

from collections.abc import Callable

Apply = Callable[[int, int, int], None]
"""Called with (sequence, segment, offset of the body in the segment) when the record may become visible."""


class Pending:
    """A written record.

    Attributes:
        sequence, segment, offset: Where it stands; the offset is that of its body.
        visible: It has been shown.
        failure: Why it never will be.
    """

    __slots__ = ("_apply", "failure", "offset", "segment", "sequence", "visible")

    def __init__(self, apply: Apply, sequence: int, segment: int, offset: int) -> None:
        self._apply = apply
        self.sequence = sequence
        self.segment = segment
        self.offset = offset
        self.visible = False
        self.failure: BaseException | None = None

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
