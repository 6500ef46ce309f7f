"""An HTTP server that answers as it is told, for what real servers answer rarely. It understands no S3.

Answers are given in turn; the last one is repeated. What was asked is kept.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from types import TracebackType


@dataclass(frozen=True)
class Answer:
    """What to answer.

    Attributes:
        status: HTTP status.
        body: Body as it is sent.
        headers: Headers beside Content-Length.
        told: Content-Length told; None = that of the body, -1 = none is told and the connection ends with the body.
        after: Seconds before the answer begins.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    told: int | None = None
    after: float = 0


def refusal(status: int, code: str, message: str = "words of the server", more: str = "") -> Answer:
    """Return a refusal as S3 words it."""
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"
    return Answer(status, text.encode(), {"Content-Type": "application/xml"})


class Request(NamedTuple):
    """What was asked."""

    method: str
    path: str
    headers: dict[str, str]


class ScriptedServer:
    """A server on loopback; a context manager.

    Attributes:
        requests: What was asked since `answer` was called last.
        most_at_once: The most requests that waited for their answers at the same time.
    """

    def __init__(self, *answers: Answer) -> None:
        self.requests: list[Request] = []
        self.most_at_once = 0
        self._at_once = 0
        self._answers = list(answers)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._class())
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, *answers: Answer) -> None:
        """Give these answers from now on."""
        with self._lock:
            self._answers = list(answers)
            self.requests.clear()

    def _next(self, request: Request) -> Answer:
        with self._lock:
            self.requests.append(request)
            return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def _class(self) -> type[BaseHTTPRequestHandler]:
        script = self

        class Scripted(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.close_connection = True
                answer = script._next(Request(self.command, self.path, dict(self.headers)))
                with script._lock:
                    script._at_once += 1
                    script.most_at_once = max(script.most_at_once, script._at_once)
                script._over.wait(answer.after)
                with script._lock:
                    script._at_once -= 1
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.told != -1:
                    self.send_header("Content-Length", str(len(answer.body) if answer.told is None else answer.told))
                self.send_header("Connection", "close")
                try:
                    self.end_headers()
                    if self.command != "HEAD":
                        self.wfile.write(answer.body)
                except OSError:
                    return  # the client waits no longer

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = do  # noqa: N815  # the names are given

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is given
                return

        return Scripted
