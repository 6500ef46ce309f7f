"""The program that decodes damaged payloads, in a process of its own, since a decoder may crash, hang or take it all.

Run as `python -m tests.stress.victim DIRECTORY SEED SECONDS LARGE QUICK NAME...`. Before each call the case is in the
file `case` of the directory: a counter, the subject, the size, the payload's length (u64 each), the payload. Lines on
standard output are JSON: a failure that the process outlived, or a subject's figures once its time is over.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import mmap
import random
import resource
import sys
import time
import traceback
import tracemalloc
from pathlib import Path
from typing import Any, NamedTuple

from stratakv.engine.codecs.columns import ColumnsCodec
from stratakv.errors import CorruptionError
from tests.stress.damage import Case, damaged
from tests.stress.payloads import Subject, subject

FIELDS = 4
SLACK = 64 << 20
TRACED_SLACK = 12 << 20
"""What Python and numpy may take beside twice the size: LZMA's window of 8 MiB, the pieces of a payload."""

LONGEST = 5.0
"""CPU seconds of a call."""

_CASE_BYTES = 1 << 29
# No decoder may need it; a decoder that asks for more fails with MemoryError instead of taking the machine's.
_ADDRESS_SPACE = 12 << 30
# Columns are Python objects on their way: an integer of one byte of plaintext takes 8 bytes in an array and 8 in a
# list, one of two bytes 28 more, a short string 50, a dict a few hundred for dozens of bytes.
_TABLE_FACTOR = 24


class Record:
    """The file that tells which case is being decoded."""

    def __init__(self, path: Path) -> None:
        with path.open("w+b") as file:
            file.truncate(_CASE_BYTES)
            self._map = mmap.mmap(file.fileno(), _CASE_BYTES)
        self.count = 0

    def begin(self, name: int, case: Case) -> None:
        self.count += 1
        self._map[8 * FIELDS : 8 * FIELDS + len(case.payload)] = case.payload
        numbers = (self.count, name, case.size, len(case.payload))
        self._map[: 8 * FIELDS] = b"".join(number.to_bytes(8, "little") for number in numbers)


class Spent(NamedTuple):
    """What a call took: bytes traced by Python, the process's growth to its peak, CPU seconds; and how it ended."""

    traced: int
    resident: int
    seconds: float
    refused: bool
    wrong: str


def decoded(target: Subject, case: Case) -> Spent:
    """Decode a case and judge what happened."""
    wrong, refused = "", False
    _forget_peak()
    resident = _peak()
    tracemalloc.reset_peak()
    held, started = tracemalloc.get_traced_memory()[0], time.process_time()
    try:
        plaintext = target.decode(case.payload, case.size)
        if type(plaintext) is not bytes or len(plaintext) != case.size:
            wrong = f"gave {len(plaintext)} bytes of {type(plaintext).__name__}"
        del plaintext
    except CorruptionError:
        refused = True
    except BaseException as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        wrong = f"raised {type(error).__name__} at {frame.filename}:{frame.lineno}: {str(error)[:200]}"
    seconds = time.process_time() - started
    traced = tracemalloc.get_traced_memory()[1] - held
    grown = _peak() - resident
    factor, slack = (_TABLE_FACTOR, SLACK) if target.name == ColumnsCodec.id else (2, TRACED_SLACK)
    if not wrong and traced > factor * case.size + slack:
        wrong = f"allocated {traced} bytes"
    if not wrong and grown > factor * case.size + SLACK:
        wrong = f"grew by {grown} bytes"
    if not wrong and seconds > LONGEST:
        wrong = f"took {seconds:.1f} CPU seconds"
    return Spent(traced, grown, seconds, refused, wrong)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _forget_peak() -> None:
    """Make the memory held now the peak, where the kernel can; else a peak hides later ones that are lower."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def run(target: Subject, record: Record, directory: Path, seed: int, seconds: float) -> dict[str, Any]:
    """Damage and decode for so many seconds; return figures."""
    chance = random.Random(f"{seed} {target.name}")
    figures: dict[str, Any] = {"subject": target.name, "seed": seed, "cases": 0, "refused": 0}
    longest = traced = resident = 0.0
    seen: set[str] = set()
    end = time.monotonic() + seconds
    while time.monotonic() < end or not figures["cases"]:
        case = damaged(chance, target.payloads)
        record.begin(target.name, case)
        spent = decoded(target, case)
        figures["cases"] += 1
        figures["refused"] += spent.refused
        longest = max(longest, spent.seconds)
        over = max(0, spent.traced - TRACED_SLACK)
        traced = max(traced, over / max(1, case.size))
        resident = max(resident, spent.resident / (1 << 20))
        kind = spent.wrong.split(" bytes")[0].rstrip("0123456789.") if spent.wrong else ""
        if kind and kind not in seen:
            seen.add(kind)
            name = hashlib.sha256(case.payload).hexdigest()[:12] + ".hex"
            (directory / name).write_text(case.payload.hex())
            failure = {"subject": target.name, "seed": seed, "case": figures["cases"], "how": case.how, "file": name}
            print(json.dumps({**failure, "size": case.size, "wrong": spent.wrong}), flush=True)
    return {**figures, "longest": longest, "traced over size": traced, "resident MB": resident}


def main(directory: str, seed: str, seconds: str, large: str, quick: str, *names: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    record = Record(Path(directory) / "case")
    for library in ("blosc2", "pcodec"):
        # Damage may name a method that no whole payload has, and its library is no memory of a decoding.
        with contextlib.suppress(ImportError):
            importlib.import_module(library)
    for name in names:
        target = subject(int(name), large=large == "1", quick=quick == "1")
        for payload, size in target.payloads:
            assert len(target.decode(payload, size)) == size  # also loads what is loaded at the first use
        tracemalloc.start()
        whole = [decoded(target, Case(payload, size, "none")) for payload, size in target.payloads]
        for (payload, size), spent in zip(target.payloads, whole, strict=True):
            if spent.wrong:
                what = {"subject": int(name), "how": "undamaged", "size": size, "payload": len(payload)}
                print(json.dumps({**what, "head": payload[:16].hex(), "wrong": spent.wrong}), flush=True)
        print(json.dumps(run(target, record, Path(directory), int(seed), float(seconds))), flush=True)
        tracemalloc.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
