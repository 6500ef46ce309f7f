"""An interrupt at a chosen place in the journal: what it leaves half done is not gone on with."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from stratakv.clock import ManualClock
from stratakv.engine.journal_format import SEGMENT_HEADER
from stratakv.engine.store import Store
from stratakv.files import Files
from tests.crash.life import settings
from tests.crash.soundness import leave

if TYPE_CHECKING:
    from pathlib import Path


class InterruptedFiles(Files):
    """Is interrupted once, right behind the header of a journal segment."""

    armed = False

    def write_all(self, descriptor: int, parts: list[bytes], total: int) -> None:
        super().write_all(descriptor, parts, total)
        if self.armed and total == SEGMENT_HEADER.size:
            self.armed = False
            raise KeyboardInterrupt


def test_an_interrupt_while_a_segment_is_started_leaves_nothing_that_the_next_one_would_go_on_with(
    tmp_path: Path,
) -> None:
    files = InterruptedFiles()
    store = Store(settings(tmp_path, durability="sync"), clock=ManualClock(), files=files)
    try:
        store.put("before", "a value")
        files.armed = True
        with pytest.raises(KeyboardInterrupt):
            store.maintain()
        store.maintain()
        store.put("after", "another value")
        store.maintain()
        assert store.retrieve("after") == "another value"
        store.put("left to the journal", "a third one")
    finally:
        leave(store)  # as a crash does, so that the next one replays the journal
    with closing(Store(settings(tmp_path, durability="sync"), clock=ManualClock(), files=files)) as store:
        found = store.get_many(["before", "after", "left to the journal"])
        assert found == {"before": "a value", "after": "another value", "left to the journal": "a third one"}
