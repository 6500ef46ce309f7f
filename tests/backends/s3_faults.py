"""What tests of a failing S3 share: a scripted server, a backend of it, and the search for secrets in errors."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from stratakv.backends.s3 import S3Backend
from tests.servers.moto import KEY, SECRET, aws_environment
from tests.servers.scripted import Answer, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stratakv.errors import StrataError

TOKEN = "token-of-the-tests-of-stratakv"


def failing(error: type[StrataError], call: Callable[[], object]) -> str:
    """Return the message of what a call raises, and see to it that no secret hangs on it anywhere."""
    with pytest.raises(error) as caught:
        call()
    link: BaseException | None = caught.value
    while link is not None:
        for text in (str(link), repr(link), str(vars(link))):
            for secret in (KEY, SECRET, TOKEN):
                assert secret not in text
        assert "botocore" not in type(link).__module__
        link = link.__cause__ or link.__context__
    return str(caught.value)


@pytest.fixture
def script() -> Iterator[ScriptedServer]:
    """A server that answers as it is told."""
    with aws_environment(), ScriptedServer(Answer()) as server:
        yield server


@pytest.fixture
def scripted(script: ScriptedServer) -> Iterator[S3Backend]:
    with closing(scripted_backend(script.url)) as backend:
        yield backend


def scripted_backend(url: str, **settings: Any) -> S3Backend:
    given = {"region": "us-east-1", "attempts": 1, "read_timeout": 0.2, **settings}
    return S3Backend("bucket", "prod/cache", endpoint_url=url, **given)
