"""moto's S3 server in a child process on loopback, and the fixtures that give tests a bucket in it.

The child ends with its standard input, so that none is left behind a test run that was killed. Credentials are those
of the tests alone: boto3's own look-up is pointed away from the user's.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stratakv.backends.s3 import S3Backend

# moto looks for an object and puts it in two steps, which a busy machine takes apart: a whole request, one at a time.
_PROGRAM = """
import io, sys, threading
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

class Quiet(WSGIRequestHandler):
    def log_request(self, *_):
        pass

moto = DomainDispatcherApplication(create_backend_app)
lock = threading.Lock()

def one_at_a_time(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length)
    if len(body) < length:
        start_response("400 Bad Request", [("Content-Length", "0")])
        return []
    environ["wsgi.input"] = io.BytesIO(body)
    with lock:
        return moto(environ, start_response)

server = make_server("127.0.0.1", 0, one_at_a_time, threaded=True, request_handler=Quiet)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
"""
KEY = "AKIATESTSFORSTRATAKV"
SECRET = "secret-of-the-tests-of-stratakv"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
}


@dataclass(frozen=True)
class S3Server:
    """A running server.

    Attributes:
        url: Its address.
        port: Its port on 127.0.0.1.
        key: Who may use it.
        secret: The secret of that key.
    """

    url: str
    port: int
    key: str = KEY
    secret: str = SECRET

    def client(self, service: str = "s3") -> Any:
        """Return a plain boto3 client of it, to look at what the backend did."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
        )

    def new_bucket(self) -> str:
        bucket = f"bucket-{uuid.uuid4().hex[:12]}"
        client = self.client()
        client.create_bucket(Bucket=bucket)
        client.close()
        return bucket

    def backend(self, bucket: str, prefix: str = "prod/cache", **settings: Any) -> S3Backend:
        """Return a backend with time-outs short enough for tests."""
        from stratakv.backends.s3 import S3Backend

        given = {"endpoint_url": self.url, "region": "us-east-1", "read_timeout": 20.0, **settings}
        return S3Backend(bucket, prefix, **given)


@contextmanager
def aws_environment(changes: dict[str, str] | None = None) -> Iterator[None]:
    """Let boto3 find the credentials of the tests and nothing of the user's."""
    wanted = {**ENVIRONMENT, **(changes or {})}
    before = {name: os.environ.get(name) for name in (*wanted, "AWS_PROFILE", "AWS_SESSION_TOKEN")}
    for name in before:
        os.environ.pop(name, None)
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def moto_server(**environment: str) -> Iterator[S3Server]:
    """Run a server of its own."""
    command = [sys.executable, "-c", _PROGRAM]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        port = int(child.stdout.readline())
        try:
            yield S3Server(f"http://127.0.0.1:{port}", port)
        finally:
            child.stdin.close()
            child.wait(30)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """One server for all tests of a run; each takes a bucket of its own."""
    with aws_environment(), moto_server() as server:
        yield server


@pytest.fixture
def bucket(s3_server: S3Server) -> str:
    """A new, empty bucket."""
    return s3_server.new_bucket()
