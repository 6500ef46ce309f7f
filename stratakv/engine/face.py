"""What all parts of the face share: the mode behind it, or why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stratakv.errors import ClosedError, StoreLockedError

if TYPE_CHECKING:
    from stratakv.engine.modes.base import Mode


class Face:
    """Knows whether there is something to turn to."""

    _mode: Mode | None
    _snapshot: dict[str, Any] | None

    def _working(self) -> Mode:
        if self._mode is None:
            if self._snapshot is not None:
                raise StoreLockedError("a live owner has this store: read_only offers get_statistics() only")
            raise ClosedError("the middleware was shut down: open it again to use it")
        return self._mode
