"""A large value that is stored before the background has looked at what a crash left: its packs are no leftovers."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.large.stores import opened

if TYPE_CHECKING:
    from pathlib import Path


def test_what_a_crash_left_is_gone_before_a_caller_puts_a_pack_beside_it(tmp_path: Path) -> None:
    content = random.Random(1).randbytes(100_000)
    with opened(tmp_path) as memory:
        memory["k"] = content
    folder = tmp_path / "warm" / "aa" / "bb"
    folder.mkdir(mode=0o700, parents=True)
    left = folder / f"{'c' * 28}.val"
    left.write_bytes(bytes(1000))
    with opened(tmp_path) as memory:
        memory["other"] = content[::-1]
        assert not left.exists()  # later it could not be told from a put that is under way
        memory.maintain()
        assert (memory["k"], memory["other"]) == (content, content[::-1])
