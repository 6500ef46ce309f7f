"""`TcpProxy` fails as asked, and only so: against a server that sends back what it gets."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from stratakv.errors import ConfigurationError
from stratakv.testing import TcpProxy

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.server.got = b""  # type: ignore[attr-defined]  # kept for the tests
        try:
            while piece := self.request.recv(65536):
                self.server.got += piece  # type: ignore[attr-defined]  # as above
                self.request.sendall(piece)
        except OSError:
            return


class _Server(socketserver.ThreadingTCPServer):
    got = b""


@contextmanager
def echo() -> Iterator[tuple[_Server, TcpProxy]]:
    with _Server(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            with TcpProxy("127.0.0.1", server.server_address[1]) as proxy:
                yield server, proxy
        finally:
            server.shutdown()
            thread.join()


def connect(proxy: TcpProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=30)


def everything(end: socket.socket) -> bytes:
    """Return what comes until the connection ends."""
    got = b""
    try:
        while piece := end.recv(65536):
            got += piece
    except ConnectionResetError:
        pass
    return got


def test_what_an_end_said_before_it_hung_up_arrives() -> None:
    content = bytes(range(256)) * 400
    with echo() as (_, proxy), connect(proxy) as end:
        end.sendall(content)
        end.shutdown(socket.SHUT_WR)
        # Everything has come, and the server has hung up, before the first byte is read.
        threading.Event().wait(0.3)
        got = b""
        while piece := end.recv(65536):
            got += piece
        assert got == content


def test_with_nothing_asked_bytes_pass() -> None:
    content = bytes(range(256)) * 4000
    with echo() as (_, proxy), connect(proxy) as end:
        threading.Thread(target=end.sendall, args=(content,)).start()
        got = b""
        while len(got) < len(content):
            got += end.recv(65536)
        assert got == content
        assert proxy.connections == 1
        proxy.reset()
        assert everything(end) == b""


def test_answers_are_cut_after_so_many_bytes() -> None:
    with echo() as (server, proxy):
        proxy.cut(5)
        with connect(proxy) as end:
            end.sendall(b"0123456789")
            assert everything(end) == b"01234"
        assert server.got == b"0123456789"
        proxy.pass_on()
        with connect(proxy) as end:
            end.sendall(b"again")
            assert end.recv(100) == b"again"


def test_requests_are_cut_after_so_many_bytes() -> None:
    with echo() as (_, proxy):
        proxy.cut(5, direction="requests")
        with connect(proxy) as end:
            end.sendall(b"0123456789")
            assert b"01234".startswith(everything(end))
        proxy.pass_on()
        with connect(proxy) as end:
            end.sendall(b"x")
            assert end.recv(100) == b"x"


def test_refused_connections_are_refused_until_they_pass_again() -> None:
    with echo() as (_, proxy), connect(proxy) as end:
        end.sendall(b"x")
        assert end.recv(1) == b"x"
        port = proxy.port
        proxy.refuse()
        assert everything(end) == b""
        with pytest.raises(ConnectionRefusedError):
            connect(proxy)
        proxy.pass_on()
        assert proxy.port == port
        with connect(proxy) as again:
            again.sendall(b"y")
            assert again.recv(1) == b"y"


def test_nothing_comes_out_of_a_black_hole() -> None:
    with echo() as (_, proxy):
        proxy.black_hole()
        with connect(proxy) as end:
            end.sendall(b"x")
            end.settimeout(0.1)
            with pytest.raises(TimeoutError):
                end.recv(1)
            end.settimeout(30)
            proxy.pass_on()
            assert everything(end) == b""  # what it swallowed is lost, and with it the connection


def test_a_delayed_answer_comes_late() -> None:
    with echo() as (_, proxy), connect(proxy) as end:
        proxy.delay(0.2)
        end.sendall(b"x")
        end.settimeout(0.05)
        with pytest.raises(TimeoutError):
            end.recv(1)
        end.settimeout(30)
        assert end.recv(1) == b"x"


def test_what_cannot_be_asked_is_refused() -> None:
    with echo() as (_, proxy):
        with pytest.raises(ConfigurationError, match="seconds"):
            proxy.delay(-1)
        with pytest.raises(ConfigurationError, match="after"):
            proxy.cut(-1)


def test_closing_leaves_no_thread() -> None:
    before = threading.active_count()
    with echo() as (_, proxy), connect(proxy) as end:
        end.sendall(b"x")
        end.recv(1)
        proxy.close()
        proxy.close()
        with pytest.raises(ConnectionRefusedError):
            connect(proxy)
    assert threading.active_count() == before
