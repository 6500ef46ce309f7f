"""Verification of a backup: every part of the present chain, and every dictionary that it needs, read whole.

A damaged part is noticed while the machine still lives and a new base can be written. Changes nothing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stratakv.backends.base import Backend, ObjectNotFoundError
from stratakv.engine.backup_format import read_head, read_rows
from stratakv.engine.pack_verification import Finding
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stratakv.engine.catalog import Catalog


def check_backup(catalog: Catalog, cold: Backend) -> Iterator[Finding]:
    """Yield what is wrong with the backup that a catalog knows; nothing where it knows none."""
    known = catalog.meta("backup")
    for name in json.loads(known)["chain"] if known is not None else ():
        try:
            content = cold.get(name)
            read_head(content, name)
            for _ in read_rows(content, name):
                pass
        except ObjectNotFoundError:
            yield Finding("backup", f"{name} is missing: restoring would fall back to an older backup", "cold")
        except CorruptionError as damage:
            yield Finding("backup", f"{damage}: restoring would fall back to an older backup", "cold")
