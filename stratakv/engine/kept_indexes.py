"""Kept indexes: the indexes of packs of a remote tier, as the catalog keeps them beside the packs' rows.

Owns the look-up. An index here is an aid: whoever takes one checks it against the digest in the pack's row, and where
there is none, or a damaged one, reads it from the pack itself. So nothing here is an error, not even a catalog of an
earlier release, opened by somebody who only reads, that lacks the table.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from stratakv.engine.catalog import Catalog

log = logging.getLogger("stratakv")


class KeptIndexes:
    """Looks indexes up.

    Args:
        catalog: Where they are kept.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._there = False

    def find(self, pack: int) -> bytes | None:
        """Return the index of a pack, not yet verified; None where none is kept."""
        try:
            if not self._there:
                self._there = bool(self._catalog.rows("SELECT 1 FROM sqlite_schema WHERE name = 'indexes'"))
            rows = self._catalog.rows("SELECT content FROM indexes WHERE pack = ?", (pack,)) if self._there else []
        except CorruptionError as failure:
            log.warning("the kept index of pack %d is read from the pack instead: %s", pack, failure)
            return None
        return rows[0][0] if rows else None
