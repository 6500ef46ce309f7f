"""`S3Backend` as every backend, over moto's server; and what is particular to it: parts, pages, counts, names."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from stratakv.backends import Backend, ObjectInfo, ObjectNotFoundError
from stratakv.backends.s3 import S3Backend
from stratakv.config import OptimizationConfig
from stratakv.errors import ClosedError, ConfigurationError, TierUnavailableError
from stratakv.testing import BackendSuite, TcpProxy
from stratakv.testing.backend_material import in_threads, noise
from tests.processes.children import in_fork

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.moto import S3Server

PART = 5 * 1024 * 1024


class TestS3Backend(BackendSuite):
    local = False

    @pytest.fixture(autouse=True)
    def _place(self, s3_server: S3Server, bucket: str) -> None:
        self.server, self.bucket = s3_server, bucket

    def make_backend(self, tmp_path: Path) -> Backend:
        return self.server.backend(self.bucket)


@pytest.fixture
def backend(s3_server: S3Server, bucket: str) -> Iterator[S3Backend]:
    with closing(s3_server.backend(bucket)) as backend:
        yield backend


@pytest.fixture
def raw(s3_server: S3Server) -> Iterator[Any]:
    """A plain client, to look at what was stored."""
    with closing(s3_server.client()) as client:
        yield client


def keys(raw: Any, bucket: str) -> list[str]:
    return [entry["Key"] for entry in raw.list_objects_v2(Bucket=bucket).get("Contents", ())]


def fill(backend: S3Backend, folder: str, each: int, content: bytes) -> None:
    """Put four times as many objects."""

    def work(thread: int) -> None:
        for number in range(each):
            backend.put(f"{folder}/{thread}-{number}", content)

    in_threads(4, work)


# -- keys and places -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefix", "key"),
    [("", "packs/1"), ("/", "packs/1"), ("prod", "prod/packs/1"), ("prod/", "prod/packs/1"), ("/a/b//", "a/b/packs/1")],
)
def test_a_prefix_begins_every_key(s3_server: S3Server, bucket: str, raw: Any, prefix: str, key: str) -> None:
    with closing(s3_server.backend(bucket, prefix)) as backend:
        backend.put("packs/1", b"x")
        assert keys(raw, bucket) == [key]
        assert list(backend.list()) == [ObjectInfo("packs/1", 1)]
        shown = f"{bucket}/{key.removesuffix('/packs/1')}" if "/packs" in key else bucket
        assert backend.place == f"s3://{shown} at {s3_server.url}"
        assert backend.remote


def test_what_is_nobodys_name_is_not_listed(backend: S3Backend, raw: Any, bucket: str) -> None:
    for key in ("prod/cache/", "prod/cache/.hidden", "prod/cachet/1", "prod/cache/a b", "other/1", "prod/cache/good"):
        raw.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert list(backend.list()) == [ObjectInfo("good", 1)]
    assert backend.bytes_on_disk() == 1


@pytest.mark.parametrize("prefix", ["a b", "a//b", "..", "a/../b", "./a", "ä", "x" * 600])
def test_a_prefix_that_cannot_begin_keys_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="prefix"):
        S3Backend("bucket", prefix)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"attempts": 0}, "attempts"),
        ({"concurrency": 0}, "concurrency"),
        ({"read_timeout": 0}, "read_timeout"),
        ({"connect_timeout": -1}, "connect_timeout"),
        ({"multipart_bytes": 100}, "multipart_bytes"),
        ({"page_size": 1001}, "page_size"),
        ({"storage_class": "DEEP_ARCHIVE"}, "archive"),
        ({"endpoint_url": "ftp://127.0.0.1"}, "endpoint"),
        ({"endpoint_url": "https://"}, "endpoint"),
        ({"endpoint_url": "https://127.0.0.1:port"}, "endpoint"),
        ({"profile": "nobody"}, "nobody"),
        ({"bucket": " "}, "empty"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(s3_server: S3Server, settings: dict[str, Any], told: str) -> None:
    given = {"bucket": "bucket", **settings}
    with pytest.raises(ConfigurationError, match=told):
        S3Backend(given.pop("bucket"), **given)


def test_a_configuration_describes_a_backend(s3_server: S3Server, bucket: str) -> None:
    config = OptimizationConfig()
    cold = config.tiered_storage.cold
    cold.backend, cold.bucket, cold.prefix, cold.endpoint_url = "s3", bucket, "a/b/", s3_server.url
    with closing(S3Backend.from_config(cold)) as backend:
        backend.check()
        assert backend.place == f"s3://{bucket}/a/b at {s3_server.url}"


def test_without_boto3_the_error_says_how_to_install_it() -> None:
    program = """
import sys
sys.modules["boto3"] = None
from stratakv.backends.s3 import S3Backend
from stratakv.errors import ConfigurationError
try:
    S3Backend("bucket")
except ConfigurationError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'stratakv[s3]'" in ran.stdout


# -- parts ---------------------------------------------------------------------------------------------------


def test_a_large_object_travels_in_parts(s3_server: S3Server, bucket: str, raw: Any) -> None:
    content = noise(2 * PART + 17)
    with closing(s3_server.backend(bucket, multipart_bytes=PART, storage_class="STANDARD_IA")) as backend:
        backend.put("packs/1", content)
        assert backend.requests()["put"] == 5  # begin, three parts, complete
        assert backend.requests()["sent_bytes"] >= len(content)
        backend.put("packs/2", content[:PART])
        assert backend.requests()["put"] == 6
        assert backend.get("packs/1") == content
        assert backend.requests()["received_bytes"] >= len(content)
        assert raw.head_object(Bucket=bucket, Key="prod/cache/packs/1")["ETag"].endswith('-3"')
        backend.put("manifest", b"small")
        for name, wanted in (("packs/1", "STANDARD_IA"), ("packs/2", "STANDARD_IA"), ("manifest", "STANDARD")):
            stored = raw.head_object(Bucket=bucket, Key=f"prod/cache/{name}")
            assert stored.get("StorageClass", "STANDARD") == wanted


def test_an_upload_that_fails_leaves_no_parts(s3_server: S3Server, bucket: str, raw: Any) -> None:
    content = noise(2 * PART)
    with TcpProxy("127.0.0.1", s3_server.port) as proxy:
        backend = s3_server.backend(bucket, endpoint_url=proxy.url, multipart_bytes=PART, attempts=1)
        with closing(backend):
            proxy.cut(after=PART // 2, direction="requests")  # it begins, and not even giving it up comes through
            with pytest.raises(TierUnavailableError, match="store packs/1"):
                backend.put("packs/1", content)
            assert len(raw.list_multipart_uploads(Bucket=bucket).get("Uploads", ())) == 1
            proxy.pass_on()
            backend.tidy()
            assert not raw.list_multipart_uploads(Bucket=bucket).get("Uploads")
            assert list(backend.list()) == []
            backend.put("packs/1", content)
            assert backend.get("packs/1") == content


# -- pages and batches ---------------------------------------------------------------------------------------


def test_listings_come_in_pages_and_may_be_deleted_meanwhile(s3_server: S3Server, bucket: str) -> None:
    with closing(s3_server.backend(bucket, page_size=10)) as backend:
        fill(backend, "packs", 8, b"abc")
        before = backend.requests()["list"]
        assert len({info.name for info in backend.list("packs/")}) == 32
        assert backend.requests()["list"] == before + 4
        assert backend.bytes_on_disk() == 96
        first = next(iter(backend.list()))
        assert first.size == 3
        assert backend.requests()["list"] == before + 9
        for info in backend.list("packs/"):
            backend.delete(info.name)
        assert list(backend.list()) == []


def test_more_than_a_thousand_objects_are_listed_and_deleted(backend: S3Backend) -> None:
    fill(backend, "packs", 252, b"")
    before = backend.requests()
    names = [info.name for info in backend.list()]
    assert len(set(names)) == len(names) == 1008
    backend.delete_many(iter([*names, "missing"]))
    after = backend.requests()
    assert after["list"] - before["list"] == 2
    assert after["delete"] - before["delete"] == 2
    assert list(backend.list()) == []


# -- conditional writes --------------------------------------------------------------------------------------


def test_a_create_that_finds_its_own_content_has_won(backend: S3Backend) -> None:
    assert backend.create("manifest", b"owner 1") is True
    assert backend.create("manifest", b"owner 1") is True
    assert backend.create("manifest", b"owner 2") is False


def test_a_create_whose_answer_is_lost_has_won(s3_server: S3Server, bucket: str) -> None:
    with TcpProxy("127.0.0.1", s3_server.port) as proxy:
        backend = s3_server.backend(bucket, endpoint_url=proxy.url, attempts=1)
        with closing(backend), closing(s3_server.backend(bucket)) as other:
            proxy.cut()
            with pytest.raises(TierUnavailableError):
                backend.create("manifest", b"owner 1")
            proxy.pass_on()
            assert backend.create("manifest", b"owner 1") is True
            assert other.create("manifest", b"owner 2") is False


def test_an_atomic_server_is_told(backend: S3Backend) -> None:
    assert backend.probe_atomicity(3, 6) is True
    assert list(backend.list()) == []
    with pytest.raises(ConfigurationError, match="tell nothing"):
        backend.probe_atomicity(0, 8)


# -- counts --------------------------------------------------------------------------------------------------


def test_every_request_is_counted(backend: S3Backend) -> None:
    assert set(backend.requests().values()) == {0}
    backend.put("1", b"12345")
    backend.get("1")
    backend.get_range("1", 1, 2)
    assert backend.get_range("1", 1, 0) == b""
    backend.size("1")
    list(backend.list())
    backend.delete("1")  # looks whether there is one first
    counts = backend.requests()
    received = counts.pop("received_bytes")
    assert counts == {"put": 1, "get": 4, "list": 1, "delete": 1, "sent_bytes": 5}
    assert received > 7  # and the listing's


def test_no_count_is_lost_between_threads(backend: S3Backend) -> None:
    backend.put("1", b"12345")
    before = backend.requests()

    def work(_: int) -> None:
        for _ in range(25):
            backend.get_range("1", 0, 5)

    in_threads(8, work)
    after = backend.requests()
    assert after["get"] - before["get"] == 200
    assert after["received_bytes"] - before["received_bytes"] == 1000


# -- life ----------------------------------------------------------------------------------------------------


def test_a_store_opened_for_reading_changes_nothing(s3_server: S3Server, bucket: str, backend: S3Backend) -> None:
    backend.put("1", b"x")
    with closing(s3_server.backend(bucket, read_only=True)) as reader:
        reader.check()
        assert reader.get("1") == b"x"
        assert reader.requests()["put"] == reader.requests()["delete"] == 0
        for call in (
            lambda: reader.put("2", b"x"),
            lambda: reader.create("2", b"x"),
            lambda: reader.delete("1"),
            lambda: reader.delete_many(["1"]),
            reader.probe_atomicity,
        ):
            with pytest.raises(ClosedError, match="reading"):
                call()
        reader.tidy()
    assert list(backend.list()) == [ObjectInfo("1", 1)]


def test_a_check_leaves_nothing(backend: S3Backend, raw: Any, bucket: str) -> None:
    backend.check()
    assert keys(raw, bucket) == []


def test_a_child_must_open_a_backend_of_its_own(backend: S3Backend) -> None:
    backend.put("1", b"x")

    def work() -> tuple[str, ...]:
        told = []
        for call in (lambda: backend.get("1"), lambda: backend.put("2", b"x"), lambda: list(backend.list())):
            try:
                call()
            except ClosedError as error:
                told.append(str(error))
        backend.close()
        return tuple(told)

    told, status = in_fork(work)
    assert isinstance(told, tuple)
    assert status == 0
    assert len(told) == 3
    assert all("open one after the fork" in text for text in told)
    assert backend.get("1") == b"x"


def test_a_listing_ends_when_the_backend_closes(s3_server: S3Server, bucket: str) -> None:
    backend = s3_server.backend(bucket, page_size=1)
    for number in range(3):
        backend.put(str(number), b"x")
    listing = backend.list()
    assert next(listing).name == "0"
    backend.close()
    with pytest.raises(ClosedError):
        next(listing)


def test_a_missing_object_is_no_missing_bucket(backend: S3Backend) -> None:
    for call in (backend.size, backend.get, lambda name: backend.get_range(name, 0, 1)):
        with pytest.raises(ObjectNotFoundError, match="no object packs/1"):
            call("packs/1")
