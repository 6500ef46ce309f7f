"""What the tests of backends are made of: names, contents, expected refusals, threads. Tests nothing itself."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.errors import StrataError

ODD_NAMES = (
    "a",
    "0",
    "-",
    "_",
    "-rf",
    "a.b",
    "a..b",
    "a.",
    "UPPER",
    "upper",
    "cache.db",
    "x" * 200,
    "1/2/3/4/5/6/7/8",
    "packs/00/0000000000000001.pack",
    "/".join(["p" * 100] * 5),
)
BAD_NAMES = (
    "",
    ".",
    "..",
    "/",
    "/etc/passwd",
    "a/",
    "a//b",
    "../a",
    "a/../b",
    "a/./b",
    ".hidden",
    "a/.hidden",
    "a b",
    "a\\b",
    "a\0b",
    "a\n",
    "ä",
    "a:b",
    "$HOME",
    "~",
    "x" * 201,
    "a/" * 256 + "a",
)


def noise(size: int, seed: int = 0) -> bytes:
    """Return bytes that do not repeat, always the same."""
    return hashlib.shake_128(seed.to_bytes(8, "little")).digest(size)


def refuses(error: type[StrataError], call: Callable[[], object]) -> StrataError:
    """Assert that a call raises `error` and return what it raised."""
    try:
        result = call()
    except error as raised:
        return raised
    message = f"{error.__name__} was expected, not {result!r}"
    raise AssertionError(message)


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Run `work(0)` to `work(count - 1)` at the same time, wait for all, and raise the first failure."""
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as failure:  # noqa: BLE001  # raised again below, in the caller's thread
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
