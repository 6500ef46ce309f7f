"""Owns doing independent pieces of work in processes of their own. Results come in the order of the work."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Work = TypeVar("Work")
Result = TypeVar("Result")

WORKERS = 2


@contextmanager
def mapped(function: Callable[[Work], Result], work: Iterable[Work], workers: int) -> Iterator[Iterator[Result]]:
    """Do each piece of work; whatever is not done yet at the end of the context is dropped.

    Args:
        function: Of a module, so that another process finds it.
        work: Can be pickled.
        workers: How many processes; 1 works in this one.
    """
    if workers == 1:
        yield map(function, work)
        return
    # Not forked: a progress bar's thread may hold a lock at that moment.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        try:
            yield pool.map(function, work)
        finally:
            pool.shutdown(cancel_futures=True)
