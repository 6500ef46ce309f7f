"""`stratakv simulate --record`: a trace of what a live store is asked for.

Owns the asking, the waiting and where the trace ends up. The owner of the store records it (`engine/recording.py`);
keys become numbers, so a trace tells how often and when, not what.
"""

from __future__ import annotations

import secrets
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from stratakv.cli.output import counted, print_json, print_line, progress_bar
from stratakv.cli.store_directory import existing_store
from stratakv.clock import SystemClock
from stratakv.engine.ownership import DirectoryLock
from stratakv.engine.recording import MOST_REQUESTS, MOST_SECONDS, Request, answer_file, ask, asked, withdraw
from stratakv.errors import ConfigurationError, StoreLockedError, StrataError

if TYPE_CHECKING:
    import argparse

    from stratakv.clock import Clock

LOOK_EVERY = 0.2
ANSWERED_WITHIN = 30.0
"""The owner looks four times a second, and writes what it recorded in seconds."""


def run(args: argparse.Namespace) -> int:
    """Record, and say what came of it.

    Returns:
        0.

    Raises:
        ConfigurationError: An option cannot be used, or no process has the store open.
        StrataError: The owner did not answer.
    """
    request = _request(args)
    target = Path(args.record)
    if target.suffix != ".csv" or target.is_dir() or not target.parent.is_dir():
        raise ConfigurationError(f"{target} cannot be written: name a file .csv in a directory that exists")
    existing_store(args)
    directory = Path(args.dir).expanduser()
    _refuse_without_owner(directory)
    target.open("w").close()  # what cannot be written is known before anything is recorded
    ask(directory, request)
    try:
        _await(directory, request, SystemClock(), as_json=args.json)
        shutil.copyfile(directory / answer_file(request.name), target)
    except BaseException:
        target.unlink(missing_ok=True)  # half a trace looks like a whole one
        raise
    finally:
        withdraw(directory, request.name)
    with target.open("rb") as file:
        operations = sum(1 for _ in file) - 1
    if args.json:
        print_json({"trace": str(target), "operations": operations})
    else:
        print_line(f"{counted(operations, 'operation')} in {target}")
        print_line(f"what would more room bring? stratakv simulate {target} --bytes --capacity 10% --plot room.png")
    return 0


def _request(args: argparse.Namespace) -> Request:
    if not 0 < args.seconds <= MOST_SECONDS:
        raise ConfigurationError(f"--seconds is a number above 0, {MOST_SECONDS:,.0f} at most, not {args.seconds:g}")
    if not 1 <= args.requests <= MOST_REQUESTS:
        raise ConfigurationError(f"--requests is from 1 to {MOST_REQUESTS:,}, not {args.requests:,}")
    return Request(secrets.token_hex(8), args.requests, args.seconds)


def _refuse_without_owner(directory: Path) -> None:
    lock = DirectoryLock(directory)
    try:
        lock.acquire()
    except StoreLockedError:
        return
    lock.release()
    raise ConfigurationError(
        f"no process has {directory} open, so there is nothing to record: run this beside the service that uses it"
    )


def _await(directory: Path, request: Request, clock: Clock, *, as_json: bool) -> None:
    """Return when the answer is there: the owner takes the request away when it is whole."""
    never = threading.Event()
    began = clock.monotonic()
    told = 0.0
    with progress_bar(int(request.seconds), "recording", unit="s", as_json=as_json) as bar:
        while not (directory / answer_file(request.name)).exists():
            if asked(directory) != request:
                break  # answered in this moment, or given up
            clock.wait(never, LOOK_EVERY)
            passed = clock.monotonic() - began
            bar.update(int(min(passed, request.seconds)) - int(told))
            told = min(passed, request.seconds)
            if passed > request.seconds + ANSWERED_WITHIN:
                raise StrataError(
                    f"the process that has {directory} open does not record: it may be of an older release, or stopped"
                )
    if not (directory / answer_file(request.name)).exists():
        raise StrataError(
            "nothing was recorded: another recording was asked for meanwhile, or the process that has the store open "
            "could not write it (its log says so)"
        )
