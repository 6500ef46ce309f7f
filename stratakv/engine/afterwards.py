"""Afterwards: what opening leaves for the mover, because it takes longer the more a store holds.

Owns the files of a crash that no row names, and the saved Bloom filter. Until both are done the store is right without
them: the files are counted where they lie, and contents are looked for in the catalog. The files go before anybody puts
a pack beside them, because a put under way has a file without a row as well; the filter is loaded before the mover does
anything else, because it must know of all contents that the catalog had.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from stratakv.engine.learning import load_filter
from stratakv.engine.records import IN_WARM
from stratakv.engine.rescue import scrub_warm
from stratakv.errors import StrataError

if TYPE_CHECKING:
    from stratakv.engine.parts import Parts

log = logging.getLogger("stratakv")


def finish_opening(parts: Parts) -> None:
    """Do what is left, if anything is. For the mover only, between its other steps."""
    if parts.opened:
        return
    scrub_once(parts)
    if parts.bloom is None:
        parts.bloom = load_filter(parts)
    parts.opened = True


def scrub_once(parts: Parts) -> None:
    """Remove from warm the files of a crash that no row names, unless it is done; before a thread puts a pack there."""
    with parts.scrubbing:
        if parts.unscrubbed is None:
            return
        try:
            scrub_warm(parts.unscrubbed, parts.catalog.packs("tier = ?", (IN_WARM,)))
        except (OSError, StrataError) as failure:
            log.warning("files that a crash left in the warm tier stay until the next opening: %s", failure)
        parts.unscrubbed = None
