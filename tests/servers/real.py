"""The real S3 server of tests marked `s3server`. It is started by `make test-s3`, which tells its address here.

The environment is read nowhere else: STRATAKV_S3_ENDPOINT, STRATAKV_S3_KEY and STRATAKV_S3_SECRET.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.servers.moto import S3Server, aws_environment

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def real_s3_server() -> Iterator[S3Server]:
    """The server; the test is skipped where there is none."""
    endpoint = os.environ.get("STRATAKV_S3_ENDPOINT")
    if not endpoint:
        pytest.skip("no real S3 server: run make test-s3")
    key, secret = os.environ["STRATAKV_S3_KEY"], os.environ["STRATAKV_S3_SECRET"]
    with aws_environment({"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}):
        yield S3Server(endpoint, urlsplit(endpoint).port or 80, key, secret)


@pytest.fixture
def real_bucket(real_s3_server: S3Server) -> str:
    """A new, empty bucket of it."""
    return real_s3_server.new_bucket()
