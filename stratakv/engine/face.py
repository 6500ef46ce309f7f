"""What all parts of the face share: the mode behind it, or why there is none, and what is a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stratakv.errors import ClosedError, ConfigurationError, StoreLockedError

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


def items_of(items: Any) -> dict[str, object]:
    """Return the items of a batch, as a dict makes them of a mapping or of pairs.

    Raises:
        ConfigurationError: It is no mapping, and nothing that yields pairs of key and value.
    """
    if isinstance(items, str | bytes | bytearray):
        raise not_items("store_many", items)
    try:
        return dict(items)
    except (TypeError, ValueError) as failure:
        trace = failure.__traceback__
        if trace is not None and trace.tb_next is not None:
            raise  # by the caller's own code, as it was asked for the next pair
        raise not_items("store_many", items, f" ({failure})") from failure


def not_items(verb: str, items: object, reason: str = "") -> ConfigurationError:
    """Return the error for what is no batch of items."""
    return ConfigurationError(f"{verb} takes a mapping, or pairs of key and value; not {items!r:.60}{reason}")


def check_keys(verb: str, keys: object) -> None:
    """Check that it is not one key where a batch of them belongs.

    Raises:
        ConfigurationError: It is a text, whose letters would be taken for keys, or cannot be walked over.
    """
    if isinstance(keys, str | bytes | bytearray) or not hasattr(keys, "__iter__"):
        raise ConfigurationError(f"{verb} takes a list of keys, such as [{keys!r:.60}]; not {type(keys).__name__}")
