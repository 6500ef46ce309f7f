"""Owns the engines that are wrapped: their servers, fresh and filled ones of each kind, and how people call them.

A place (a port, a server) can be handed to another process; an engine cannot. Nothing here knows of wrapping but the
modes that make sense for a kind.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import diskcache

from tests.servers.moto import S3Server, aws_environment, moto_server
from tests.servers.valkey import NoServerError, valkey_client, valkey_server

if TYPE_CHECKING:
    from collections.abc import Iterator

ABSORB, WRITE_THROUGH = "absorb", "write_through"
_CEPH = Path(__file__).resolve().parents[2] / "tests" / "servers" / "ceph_rgw.sh"
_CEPH_PROGRAMS = ("radosgw", "ceph-mon", "ceph-osd", "ceph", "curl")
_CEPH_KEY, _CEPH_SECRET = "stratakv", "of-loopback-only"


class Kind(NamedTuple):
    """A kind of engine.

    Attributes:
        name: What people call it.
        modes: The modes of wrapping that make sense.
        verbs: Its reading, writing and deleting verb, by which programs call it, wrapped or bare.
        objects: It keeps objects; others keep bytes, so that programs hand them JSON.
        remote: A request takes so long that a run makes fewer of them.
        judged: There is a budget for wrapping it.
    """

    name: str
    modes: tuple[str, ...]
    verbs: tuple[str, str, str]
    objects: bool
    remote: bool
    judged: bool

    def value(self, record: bytes) -> Any:
        """Return a record as a program would hand it over: an object of its own, or JSON."""
        return json.loads(record) if self.objects else record


_BOTH = (ABSORB, WRITE_THROUGH)
KINDS = {
    kind.name: kind
    for kind in (
        # A dict behind a read cache would hold everything twice.
        Kind("dict", (ABSORB,), ("get", "__setitem__", "pop"), objects=True, remote=False, judged=False),
        Kind("diskcache", _BOTH, ("get", "set", "delete"), objects=True, remote=False, judged=True),
        Kind("valkey", _BOTH, ("get", "set", "delete"), objects=False, remote=False, judged=True),
        Kind("s3-moto", _BOTH, ("retrieve", "store", "delete"), objects=False, remote=True, judged=True),
        Kind("s3-ceph", _BOTH, ("retrieve", "store", "delete"), objects=False, remote=True, judged=True),
    )
}

Place = int | S3Server | None
"""Valkey's port, a server, or nothing for engines of this process."""


class Bucket:
    """A bucket by store/retrieve/delete, one object a value: what people write by hand."""

    def __init__(self, server: S3Server) -> None:
        self._name = server.new_bucket()
        self._client = server.client()

    def store(self, key: str, data: bytes) -> None:
        self._client.put_object(Bucket=self._name, Key=key, Body=data)

    def retrieve(self, key: str) -> bytes | None:
        try:
            answer = self._client.get_object(Bucket=self._name, Key=key)
        except self._client.exceptions.NoSuchKey:
            return None
        body: bytes = answer["Body"].read()
        return body

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=self._name, Key=key)

    def close(self) -> None:
        """Close the client's connections."""
        self._client.close()


@contextmanager
def served(kind: Kind) -> Iterator[Place]:
    """Run the server that a kind needs.

    Raises:
        NoServerError: It is not installed here, or did not start.
    """
    if kind.name == "valkey":
        with valkey_server() as port:
            yield port
    elif kind.name == "s3-moto":
        with aws_environment(), moto_server() as server:
            yield server
    elif kind.name == "s3-ceph":
        with aws_environment(), _ceph() as server:
            yield server
    else:
        yield None


@contextmanager
def _ceph() -> Iterator[S3Server]:
    if missing := [program for program in _CEPH_PROGRAMS if shutil.which(program) is None]:
        raise NoServerError(f"no Ceph: {', '.join(missing)} not installed")
    port = _two_free_ports()
    with tempfile.TemporaryDirectory(prefix="stratakv-ceph-") as folder:
        try:
            started = subprocess.run(
                ["sh", str(_CEPH), "start", folder, str(port)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
            )  # fmt: skip
            if started.returncode:
                raise NoServerError(f"no Ceph: {(started.stderr.strip().splitlines() or ['it did not start'])[-1]}")
            yield S3Server(f"http://127.0.0.1:{port}", port, _CEPH_KEY, _CEPH_SECRET)
        finally:
            subprocess.run(["sh", str(_CEPH), "stop", folder], check=False)


def _two_free_ports() -> int:
    """Return a port that is free, as the next one is, where Ceph's monitor listens."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


@contextmanager
def engine(kind: Kind, place: Place, directory: Path, number: int) -> Iterator[Any]:
    """Give an empty engine.

    Args:
        kind: Of this kind.
        place: What `served` gave.
        directory: For engines with files.
        number: Tells engines of the same time apart.
    """
    if kind.name == "dict":
        yield {}
    elif kind.name == "diskcache":
        with diskcache.Cache(str(directory / f"cache-{number}")) as cache:
            yield cache
    elif isinstance(place, S3Server):
        bucket = Bucket(place)
        try:
            yield bucket
        finally:
            bucket.close()
    else:
        assert isinstance(place, int)
        client = valkey_client(place, number)
        try:
            client.flushdb()
            yield client
        finally:
            client.close()


def fill(kind: Kind, held: Any, records: dict[str, bytes]) -> None:
    """Put records into an engine, the quick way."""
    values = {key: kind.value(record) for key, record in records.items()}
    if kind.name == "dict":
        held.update(values)
    elif kind.name == "diskcache":
        with held.transact():
            for key, value in values.items():
                held.set(key, value)
    elif kind.name == "valkey":
        held.mset(values)
    else:
        for key, value in values.items():
            held.store(key, value)
