"""A network that fails below `S3Backend`, a bucket that goes away, and a reader that waits when it is closed."""

from __future__ import annotations

import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from stratakv.errors import ClosedError, TierUnavailableError
from stratakv.testing import TcpProxy
from stratakv.testing.backend_material import in_threads, noise
from tests.backends.s3_faults import failing, scripted_backend
from tests.servers.scripted import Answer, ScriptedServer

if TYPE_CHECKING:
    from stratakv.backends.s3 import S3Backend
    from tests.servers.moto import S3Server

PART = 5 * 1024 * 1024

# -- the network ---------------------------------------------------------------------------------------------


def test_an_answer_that_takes_too_long_is_not_waited_for(script: ScriptedServer, scripted: S3Backend) -> None:
    script.answer(Answer(200, b"late", after=30))
    text = failing(TierUnavailableError, lambda: scripted.get("1"))
    assert scripted.place in text
    assert "Read timeout" in text


def test_a_network_that_fails_is_unavailable_until_it_is_back(s3_server: S3Server, bucket: str) -> None:
    with TcpProxy("127.0.0.1", s3_server.port) as proxy:
        backend = s3_server.backend(bucket, endpoint_url=proxy.url, attempts=1, read_timeout=0.2)
        with closing(backend):
            backend.put("1", noise(100_000))
            for fault in (proxy.refuse, proxy.black_hole, proxy.cut, lambda: proxy.cut(20_000), lambda: proxy.delay(5)):
                fault()
                for call in (lambda: backend.get("1"), lambda: backend.get_range("1", 0, 90_000)):
                    assert backend.place in failing(TierUnavailableError, call)
                proxy.pass_on()
                proxy.reset()
                assert backend.get("1") == noise(100_000)


def test_a_body_cut_while_the_network_mends_never_comes_back_short(s3_server: S3Server, bucket: str) -> None:
    with TcpProxy("127.0.0.1", s3_server.port) as proxy:
        backend = s3_server.backend(bucket, endpoint_url=proxy.url, attempts=1)
        with closing(backend):
            backend.put("1", noise(100_000))
            backend.get("1")
            proxy.cut(50_000)
            started: list[int] = []

            def work(thread: int) -> None:
                if thread == 0:
                    started.append(1)
                    with suppress(TierUnavailableError):
                        assert backend.get("1") == noise(100_000)
                    return
                while not started:
                    time.sleep(0.001)
                proxy.pass_on()

            in_threads(2, work)
            assert backend.get("1") == noise(100_000)


def test_no_more_requests_run_at_once_than_are_allowed(script: ScriptedServer) -> None:
    script.answer(Answer(after=0.05))
    with closing(scripted_backend(script.url, concurrency=2, read_timeout=20)) as backend:
        in_threads(8, lambda _: backend.put("1", b"x"))
    assert len(script.requests) == 8
    assert script.most_at_once == 2


def test_a_reader_that_waits_hears_of_the_closing(script: ScriptedServer) -> None:
    backend = scripted_backend(script.url, read_timeout=1.0, attempts=3)
    script.answer(Answer(200, b"late", after=30))

    def work(thread: int) -> None:
        if thread == 0:
            failing(ClosedError, lambda: backend.get("1"))
            return
        while not script.requests:
            time.sleep(0.001)
        backend.close()

    in_threads(2, work)
    assert len(script.requests) == 1


def test_a_bucket_deleted_under_us_is_named(s3_server: S3Server, bucket: str) -> None:
    with closing(s3_server.backend(bucket, multipart_bytes=PART)) as backend, closing(s3_server.client()) as raw:
        backend.check()
        raw.delete_bucket(Bucket=bucket)
        for call in (
            lambda: backend.get("1"),
            lambda: backend.get_range("1", 0, 1),
            lambda: backend.size("1"),
            lambda: backend.put("1", b"x"),
            lambda: backend.put("1", noise(PART + 1)),
            lambda: backend.create("1", b"x"),
            lambda: backend.delete("1"),
            lambda: backend.delete_many(["1"]),
            lambda: list(backend.list()),
        ):
            assert f"bucket '{bucket}' does not exist" in failing(TierUnavailableError, call)
