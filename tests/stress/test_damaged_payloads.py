"""Every decoder with damaged payloads: no crash, no hang, no error but `CorruptionError`, no memory beyond bounds.

Each subject (a codec, or zstd with a dictionary) is decoded by `victim` in a process of its own that is watched from
here. What went wrong is told with seed, damage and a file that has the payload as hexadecimal digits.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stratakv.engine.codecs.base import Encoded
from stratakv.engine.codecs.columns import ColumnsCodec
from stratakv.engine.compression import LARGEST_PLAINTEXT, CompressionEngine
from stratakv.errors import CorruptionError
from tests.stress.damage import Case
from tests.stress.payloads import CODECS, DICTIONARY, Subject
from tests.stress.victim import FIELDS, decoded

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
SUBJECTS = (DICTIONARY, *CODECS)
SEED = 20_240
# Wall seconds without a new case; making the payloads comes before the first one.
HANG = 60.0
MAKING = 300.0
# A part of the time goes to payloads of 32 MB, which show what is allocated in proportion to the size.
LARGE_SHARE = 0.3
HIGHEST_PEAK = 1 << 20


def attack(
    place: Path, names: Sequence[int], seconds: float, *, large: bool = False, quick: bool = False
) -> list[dict[str, Any]]:
    """Let a victim decode for so many seconds each subject; return what it told. Fails on anything wrong."""
    place.mkdir(parents=True, exist_ok=True)
    arguments = [str(place), str(SEED), str(seconds), str(int(large)), str(int(quick)), *map(str, names)]
    # Large blocks go back to the system at once, so that what is resident is what is held.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(1 << 18)}
    with (place / "said").open("w+") as said, (place / "trouble").open("w+") as trouble:
        command = [sys.executable, "-W", "error", "-m", "tests.stress.victim", *arguments]
        with subprocess.Popen(command, stdout=said, stderr=trouble, cwd=ROOT, env=environment) as process:
            ending = watched(process, place)
        said.seek(0)
        trouble.seek(0)
        told = [json.loads(line) for line in said]
        wrong = [line for line in told if "wrong" in line]
        if ending:
            wrong.append({"seed": SEED, "ending": ending, "trouble": trouble.read()[-3000:], **last_case(place)})
    assert not wrong, "\n".join(map(str, wrong)) + f"\npayloads are in {place}"
    assert [line["subject"] for line in told] == list(names)
    return told


def watched(process: subprocess.Popen[bytes], place: Path) -> str:
    """Wait for the victim; kill it when it makes no progress. Returns how it ended, nothing if well."""
    count, since = 0, time.monotonic()
    while process.poll() is None:
        time.sleep(0.05)
        now = case_number(place)
        if now != count:
            count, since = now, time.monotonic()
        elif time.monotonic() - since > (HANG if count else MAKING):
            process.kill()
            return f"hangs: killed after {time.monotonic() - since:.0f} seconds"
    return f"exit code {process.returncode}" if process.returncode else ""


def case_number(place: Path) -> int:
    try:
        with (place / "case").open("rb") as file:
            return int.from_bytes(file.read(8), "little")
    except FileNotFoundError:
        return 0


def last_case(place: Path) -> dict[str, Any]:
    """Return what was being decoded when the victim ended, its payload as a file."""
    if not case_number(place):
        return {}
    with (place / "case").open("rb") as file:
        numbers = [int.from_bytes(file.read(8), "little") for _ in range(FIELDS)]
        (place / "last.hex").write_text(file.read(numbers[-1]).hex())
    return {**dict(zip(("case", "subject", "size", "length"), numbers, strict=True)), "file": "last.hex"}


def test_every_decoder_bears_two_seconds_of_damage(tmp_path: Path) -> None:
    told = attack(tmp_path, SUBJECTS, 2 / len(SUBJECTS), quick=True)
    assert all(line["cases"] > 20 and line["refused"] for line in told), told


@pytest.mark.stress
def test_every_decoder_bears_minutes_of_damage(tmp_path: Path) -> None:
    seconds = float(os.environ.get("STRATAKV_FUZZ_SECONDS", "300")) / len(SUBJECTS)
    for name in SUBJECTS:
        for large, share in ((False, 1 - LARGE_SHARE), (True, LARGE_SHARE)):
            (figures,) = attack(tmp_path / f"{name}-{large}", [name], seconds * share, large=large)
            (tmp_path / f"{name}-{large}" / "case").unlink()
            print("large" if large else "small", figures)


@pytest.mark.parametrize("codec", CODECS)
def test_a_size_above_any_values_is_refused_before_anything_is_allocated(codec: int) -> None:
    engine = CompressionEngine()
    payload = bytes(range(1, 251)) * 4
    for size in (LARGEST_PLAINTEXT + 1, 1 << 40, 1 << 62):
        tracemalloc.start()
        try:
            with pytest.raises(CorruptionError, match="more than any value may have"):
                engine.decode(Encoded(codec, 0, size, payload))
            assert tracemalloc.get_traced_memory()[1] < HIGHEST_PEAK
        finally:
            tracemalloc.stop()


def misbehave(payload: bytes, size: int) -> bytes:
    """Decode as no decoder should, in the way that the payload names."""
    match payload:
        case b"raise":
            raise ValueError("not a CorruptionError")
        case b"short":
            return bytes(size - 1)
        case b"take":
            return (bytes(3 * size), bytes(size))[1]
        case b"touch":
            return (b"\xff" * (1 << 27), bytes(size))[1]
        case _:
            return bytes(size)


@pytest.mark.parametrize(
    ("payload", "name", "wrong"),
    [
        (b"raise", 1, "raised ValueError"),
        (b"short", 1, "gave "),
        (b"take", 1, "allocated "),
        (b"touch", ColumnsCodec.id, ""),
        (b"well", 1, ""),
    ],
)
def test_misbehaviour_is_seen(payload: bytes, name: int, wrong: str) -> None:
    tracemalloc.start()
    try:
        spent = decoded(Subject(name, misbehave, []), Case(payload, 1 << 24, ""))
    finally:
        tracemalloc.stop()
    assert spent.wrong.startswith(wrong)
    assert bool(spent.wrong) == bool(wrong)


@pytest.mark.parametrize(("ending", "told"), [("os.abort()", "exit code -6"), ("time.sleep(99)", "hangs")])
def test_a_crash_and_a_hang_are_told_with_the_case(
    tmp_path: Path, ending: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "HANG", 0.3)
    program = f"""
import os, sys, time
from pathlib import Path
from tests.stress.damage import Case
from tests.stress.victim import Record
Record(Path(sys.argv[1]) / "case").begin(4, Case(b"payload", 99, ""))
{ending}
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        assert watched(process, tmp_path).startswith(told)
    assert last_case(tmp_path) == {"case": 1, "subject": 4, "size": 99, "length": 7, "file": "last.hex"}
    assert bytes.fromhex((tmp_path / "last.hex").read_text()) == b"payload"
