"""Owns where requests come from: a directory of traces with reference figures, one trace, or the demo's replay.

It replays nothing. Invariant: a `Source` is a name and files, so that it can be handed to another process.
"""

from __future__ import annotations

import json
import sysconfig
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from stratakv.cli.demonstration.replay import Replay
from stratakv.cli.demonstration.workload import workload_from_python
from stratakv.cli.simulation.traces import read_trace
from stratakv.engine.serialization import Serializer
from stratakv.errors import ConfigurationError
from stratakv.policies.simulation.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterable

"""Where traces lie beside a checkout, if they do."""

REFERENCE = "reference_hit_ratios.json"
SOURCE_BYTES, QUICK_SOURCE_BYTES = 4_000_000, 1_000_000
"""So much Python source the demo's records are made of."""


class Source(NamedTuple):
    """Requests that can be read anywhere.

    Attributes:
        name: What people call it.
        files: One trace, or several that follow one another, each with keys of its own.
    """

    name: str
    files: tuple[str, ...]


class Found(NamedTuple):
    """All that is there to replay.

    Attributes:
        sources: By name.
        reference: What another simulator found: `unit_size` and `byte_size`; empty where there is none.
        what: One line for people.
    """

    sources: dict[str, Source]
    reference: dict[str, Any]
    what: str


@lru_cache(maxsize=2)
def load(source: Source) -> Trace:
    """Read the requests; the last two sources stay in memory.

    Raises:
        ConfigurationError: A file cannot be read.
    """
    traces = [read_trace(file) for file in source.files]
    return traces[0] if len(traces) == 1 else joined(source.name, traces)


def joined(name: str, traces: Iterable[Trace]) -> Trace:
    """Return the reads of several traces one after the other, without sizes; no two of them share a key."""
    columns = []
    beyond = 0
    for trace in traces:
        columns.append(trace.keys + beyond)
        beyond += trace.objects
    return Trace(name, np.concatenate(columns))


def in_directory(path: Path) -> Found:
    """Return what lies in a directory, or in its folder `traces`; or one trace that is named itself.

    Raises:
        ConfigurationError: There is no trace, or the reference figures cannot be read.
    """
    if path.is_file():
        source = Source(path.name.partition(".")[0], (str(path),))
        return Found({source.name: source}, {}, path.name)
    folder = path / "traces" if (path / "traces").is_dir() else path
    files = sorted(file for kind in ("npz", "csv") for file in folder.glob(f"*.{kind}*"))
    if not files:
        raise ConfigurationError(f"{folder} holds no trace: files whose name has .npz or .csv")
    sources = {name: Source(name, (str(file),)) for file in files for name in [file.name.partition(".")[0]]}
    return Found(sources, _reference(path / REFERENCE), f"{len(sources)} traces")


def _reference(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}") from error
    return found if isinstance(found, dict) else {}


class _Recorder:
    """A store that holds a workload's records and notes what it is asked for."""

    def __init__(self, records: dict[str, Any]) -> None:
        self._records = dict(records)
        self._numbers: dict[str, int] = {}
        self._sizes: dict[str, int] = {}
        self._serializer = Serializer()
        self.keys: list[int] = []
        self.sizes: list[int] = []

    def retrieve(self, key: str, /) -> Any:
        value = self._records.get(key)
        if value is not None:
            if key not in self._sizes:
                self._sizes[key] = len(self._serializer.dumps(value))
            self.keys.append(self._numbers.setdefault(key, len(self._numbers)))
            self.sizes.append(self._sizes[key])
        return value

    def store(self, key: str, data: Any, /) -> bool:
        self._records[key] = data
        self._sizes.pop(key, None)
        return True


def of_demo(directory: Path, *, quick: bool) -> Found:
    """Write the reads of the demo's replay into a directory: all of it, then half of its units once more.

    Raises:
        ConfigurationError: There is no Python source, or scipy is missing.
    """
    work = workload_from_python(Path(sysconfig.get_path("stdlib")), QUICK_SOURCE_BYTES if quick else SOURCE_BYTES)
    recorder = _Recorder(work.initial)
    replay = Replay(work, recorder)
    replay.everything()
    for unit in sorted(work.units)[::2]:
        replay.again(unit)
    file = directory / "demo.npz"
    np.savez(file, key=np.array(recorder.keys, np.uint32), size=np.array(recorder.sizes, np.uint32))
    return Found({"demo": Source("demo", (str(file),))}, {}, "the reads of the demo's replay")
