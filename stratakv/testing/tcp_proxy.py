"""`TcpProxy`: a real proxy on loopback before a server, for faults of the network. It understands no protocol.

Owns its port, its connections and their threads. With nothing asked of it, bytes pass unchanged in both directions.
What is asked holds for open connections and new ones alike, until something else is asked.

Invariant: after `close` no thread, port or connection of it is left.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, Self

from stratakv.clock import SystemClock
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

Direction = Literal["answers", "requests"]
"""Bytes from the server, or to it."""

_CHUNK = 64 * 1024
_POLL_SECONDS = 0.05
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of zero seconds: closing resets the connection, as a crashed peer or a firewall does."""


class TcpProxy:
    """A proxy from a port of its own on 127.0.0.1 to a server; a context manager.

    Args:
        host: The server's address.
        port: The server's port.

    Attributes:
        port: The proxy's port; it stays the same after `refuse`.
        connections: How many connections were accepted.

    Raises:
        OSError: No port is free.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._lock = threading.Lock()
        self._ends: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._closed = threading.Event()
        self._seconds = 0.0
        self._left: dict[Direction, int | None] = {"answers": None, "requests": None}
        self._silent = False
        self._ended: set[socket.socket] = set()
        """Ends that said all they had to say, and were read to the last byte."""
        self.connections = 0
        self.port = 0
        self._listener: socket.socket | None = None
        self._listen()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The address of the proxy as one of HTTP."""
        return f"http://127.0.0.1:{self.port}"

    # -- what is asked of it ---------------------------------------------------------------------------------

    def pass_on(self) -> None:
        """Let bytes pass unchanged again. Connections that lost bytes in a black hole are reset."""
        with self._lock:
            lost = self._silent
            self._seconds, self._silent = 0.0, False
            self._left = {"answers": None, "requests": None}
        if lost:
            self.reset()
        self._listen()

    def delay(self, seconds: float) -> None:
        """Hold back every piece of the server's answers for as many seconds.

        Raises:
            ConfigurationError: Negative seconds.
        """
        if seconds < 0:
            raise ConfigurationError(f"seconds is {seconds}: give 0 or more")
        self._seconds = seconds

    def cut(self, after: int = 0, direction: Direction = "answers") -> None:
        """Let as many more bytes pass in one direction, over all connections, then reset each that has more.

        With answers cut after 0 bytes the server does what is asked, and its answer is lost.

        Raises:
            ConfigurationError: Negative bytes.
        """
        if after < 0:
            raise ConfigurationError(f"after is {after}: give 0 or more bytes")
        with self._lock:
            self._left[direction] = after

    def refuse(self) -> None:
        """Refuse new connections, as where no server listens, and reset the open ones."""
        with self._lock:
            listener, self._listener = self._listener, None
        if listener is not None:
            _hang_up(listener)
        self.reset()

    def black_hole(self) -> None:
        """Accept connections and bytes, and pass on nothing, as a firewall that drops packets."""
        self._silent = True

    def reset(self) -> None:
        """Reset the connections that are open now."""
        with self._lock:
            ends = tuple(self._ends)
        for end in ends:
            self._drop(end)

    def close(self) -> None:
        """Refuse, and wait for the threads to end. Idempotent."""
        self._closed.set()
        self.refuse()
        for thread in tuple(self._threads):
            thread.join()
        self.reset()

    # -- how it is done --------------------------------------------------------------------------------------

    def _listen(self) -> None:
        with self._lock:
            if self._listener is not None or self._closed.is_set():
                return
            self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
            self._listener.settimeout(_POLL_SECONDS)
            self.port = self._listener.getsockname()[1]
            self._start(self._accept, self._listener)

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads = [known for known in self._threads if known.is_alive()] + [thread]
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with listener:
            while self._listener is listener:
                try:
                    client, _ = listener.accept()
                except TimeoutError:
                    continue
                except OSError:
                    return  # refuse() closed it
                try:
                    server = socket.create_connection(self._server)
                except OSError:
                    _hang_up(client)
                    continue
                with self._lock:
                    self.connections += 1
                    self._ends |= {client, server}
                    self._start(self._pump, client, server, "requests")
                    self._start(self._pump, server, client, "answers")
                if self._listener is not listener:
                    self._drop(client)
                    self._drop(server)

    def _pump(self, source: socket.socket, target: socket.socket, direction: Direction) -> None:
        clock = SystemClock()
        with suppress(OSError):
            while piece := source.recv(_CHUNK):  # a reset wakes it
                if direction == "answers" and self._seconds:
                    clock.wait(self._closed, self._seconds)
                allowed = self._allowed(len(piece), direction)
                if not self._silent:
                    target.sendall(piece[:allowed])
                if allowed < len(piece):
                    break
            else:
                self._pass_on_end(source, target)
                return
        self._drop(source)
        self._drop(target)

    def _pass_on_end(self, source: socket.socket, target: socket.socket) -> None:
        """Say to one end that the other has said all; once both have, close, and nothing on its way is lost."""
        if not self._silent:
            target.shutdown(socket.SHUT_WR)
        with self._lock:
            self._ended.add(source)
            both = target in self._ended
        if both:
            self._drop(source, gently=True)
            self._drop(target, gently=True)

    def _allowed(self, size: int, direction: Direction) -> int:
        with self._lock:
            left = self._left[direction]
            if left is None:
                return size
            allowed = min(left, size)
            self._left[direction] = left - allowed
            return allowed

    def _drop(self, end: socket.socket, *, gently: bool = False) -> None:
        with self._lock:
            known = end in self._ends
            self._ends.discard(end)
            self._ended.discard(end)
        if known:
            _hang_up(end, gently=gently)


def _hang_up(end: socket.socket, *, gently: bool = False) -> None:
    """Close a connection, by a reset unless gently: that lets bytes arrive which are still on their way."""
    if not gently:
        with suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits on it
    end.close()
