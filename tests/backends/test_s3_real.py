"""`S3Backend` against a real server: as every backend, and what only a real one can show. Run by `make test-s3`."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from stratakv.errors import ConfigurationError, TierUnavailableError
from stratakv.testing import BackendSuite, TcpProxy
from stratakv.testing.backend_material import noise
from tests.servers.moto import S3Server, aws_environment

if TYPE_CHECKING:
    from pathlib import Path

    from stratakv.backends import Backend

pytestmark = pytest.mark.s3server
PART = 5 * 1024 * 1024


class TestS3BackendOnARealServer(BackendSuite):
    local = False

    @pytest.fixture(autouse=True)
    def _place(self, real_s3_server: S3Server, real_bucket: str) -> None:
        self.server, self.bucket = real_s3_server, real_bucket

    def make_backend(self, tmp_path: Path) -> Backend:
        return self.server.backend(self.bucket)


class TestS3BackendWithNewerChecksums(TestS3BackendOnARealServer):
    def make_backend(self, tmp_path: Path) -> Backend:
        return self.server.backend(self.bucket, "", checksums="when_supported", page_size=7)


def test_a_bucket_is_checked_and_creates_are_atomic(real_s3_server: S3Server, real_bucket: str) -> None:
    with closing(real_s3_server.backend(real_bucket)) as backend:
        backend.check()
        assert backend.probe_atomicity(10, 16) is True
        assert list(backend.list()) == []

    missing = real_s3_server.backend("no-such-bucket")
    with closing(missing), pytest.raises(ConfigurationError, match="bucket 'no-such-bucket' does not exist"):
        missing.check()


def test_more_than_a_thousand_objects_are_deleted_in_batches(real_s3_server: S3Server, real_bucket: str) -> None:
    with closing(real_s3_server.backend(real_bucket)) as backend:
        for number in range(1005):
            backend.put(f"packs/{number}", b"x")
        before = backend.requests()
        backend.delete_many([info.name for info in backend.list()])
        after = backend.requests()
        assert (after["list"] - before["list"], after["delete"] - before["delete"]) == (2, 2)
        assert list(backend.list()) == []


def test_a_failed_upload_leaves_no_parts(real_s3_server: S3Server, real_bucket: str) -> None:
    content = noise(2 * PART + 1)
    with TcpProxy("127.0.0.1", real_s3_server.port) as proxy, closing(real_s3_server.client()) as raw:
        backend = real_s3_server.backend(real_bucket, endpoint_url=proxy.url, multipart_bytes=PART, attempts=1)
        with closing(backend):
            proxy.cut(after=PART + PART // 2, direction="requests")
            with pytest.raises(TierUnavailableError):
                backend.put("packs/1", content)
            assert len(raw.list_multipart_uploads(Bucket=real_bucket).get("Uploads", ())) == 1
            proxy.pass_on()
            backend.put("packs/1", content)
            assert not raw.list_multipart_uploads(Bucket=real_bucket).get("Uploads")
            assert backend.get("packs/1") == content


def test_a_bucket_deleted_under_us_is_named(real_s3_server: S3Server, real_bucket: str) -> None:
    with closing(real_s3_server.backend(real_bucket)) as backend, closing(real_s3_server.client()) as raw:
        raw.delete_bucket(Bucket=real_bucket)
        for call in (lambda: backend.size("1"), lambda: backend.get("1"), lambda: list(backend.list())):
            with pytest.raises(TierUnavailableError, match=f"bucket '{real_bucket}' does not exist"):
                call()


def test_wrong_credentials_are_told(real_s3_server: S3Server, real_bucket: str) -> None:
    for changes, told in (
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "does not accept the credentials"),
        ({"AWS_SECRET_ACCESS_KEY": "planted-secret"}, "does not accept the credentials"),
    ):
        given = {"AWS_ACCESS_KEY_ID": real_s3_server.key, "AWS_SECRET_ACCESS_KEY": real_s3_server.secret, **changes}
        with aws_environment(given), closing(real_s3_server.backend(real_bucket)) as backend:
            with pytest.raises(ConfigurationError, match=told) as caught:
                backend.check()
            assert "planted-secret" not in str(caught.value)
