"""What `S3Backend.check` tells: missing buckets, credentials and permissions, and servers that will not do."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware, StorageTier
from stratakv.errors import ConfigurationError, StrataError, TierUnavailableError
from stratakv.testing import TcpProxy
from tests.backends.s3_faults import failing, scripted_backend
from tests.servers.moto import KEY, SECRET, S3Server, aws_environment, moto_server
from tests.servers.scripted import Answer, ScriptedServer, refusal

if TYPE_CHECKING:
    from pathlib import Path

    from stratakv.backends.s3 import S3Backend

PART = 5 * 1024 * 1024

# -- opening -------------------------------------------------------------------------------------------------


def test_a_missing_bucket_is_told_at_opening(s3_server: S3Server) -> None:
    with closing(s3_server.backend("no-such-bucket")) as backend:
        text = failing(ConfigurationError, backend.check)
    assert "the bucket 'no-such-bucket' does not exist" in text
    assert "tiered_storage.cold.bucket" in text


def test_an_impossible_bucket_is_told_at_opening(s3_server: S3Server) -> None:
    with closing(s3_server.backend("not a bucket")) as backend:
        failing(ConfigurationError, backend.check)


def test_missing_credentials_are_told_at_opening(s3_server: S3Server) -> None:
    nothing = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    with aws_environment(nothing), closing(s3_server.backend("bucket")) as backend:
        text = failing(ConfigurationError, backend.check)
    for looked_at in ("AWS_ACCESS_KEY_ID", "~/.aws/credentials", "tiered_storage.cold.profile", "role"):
        assert looked_at in text


def test_credentials_with_a_line_end_are_not_shown(script: ScriptedServer) -> None:
    broken = {"AWS_ACCESS_KEY_ID": f"{KEY}\n", "AWS_SECRET_ACCESS_KEY": f"{SECRET}\n"}
    with aws_environment(broken), closing(scripted_backend(script.url)) as backend:
        failing(StrataError, backend.check)


def test_a_server_that_is_away_is_no_fault_of_the_configuration(s3_server: S3Server) -> None:
    with TcpProxy("127.0.0.1", s3_server.port) as proxy:
        proxy.refuse()
        with closing(s3_server.backend("bucket", endpoint_url=proxy.url, attempts=1)) as backend:
            assert backend.place in failing(TierUnavailableError, backend.check)


def test_what_only_the_owner_can_put_right_is_told_at_opening(script: ScriptedServer, scripted: S3Backend) -> None:
    for answer, told in (
        (refusal(403, "InvalidAccessKeyId", f"unknown {KEY}"), "does not accept the credentials"),
        (refusal(400, "ExpiredToken"), "renew"),
        (refusal(400, "AuthorizationHeaderMalformed", more="<Region>eu-west-1</Region>"), "region to eu-west-1"),
        (refusal(403, "AccessDenied"), "grant s3:ListBucket on arn:aws:s3:::bucket,"),
        (refusal(501, "NotImplemented"), "refuses the request"),
    ):
        script.answer(answer)
        assert told in failing(ConfigurationError, scripted.check)


def test_a_server_that_returns_something_else_is_told_at_opening(script: ScriptedServer, scripted: S3Backend) -> None:
    listing = Answer(200, b"<?xml version='1.0'?><ListBucketResult/>")
    script.answer(listing, Answer(200), Answer(200, b"other"), Answer(204))
    assert "does not give back" in failing(ConfigurationError, scripted.check)
    assert script.requests[-1].method == "DELETE"


ALL_BUT = ("s3:ListBucket", "s3:PutObject", "s3:GetObject", "s3:DeleteObject")


def test_a_missing_permission_is_named_at_opening() -> None:
    with aws_environment(), moto_server() as server:
        bucket = server.new_bucket()
        users = {}
        with closing(server.client("iam")) as iam:
            for missing in (None, *ALL_BUT):
                user = (missing or "all").replace(":", "-")
                iam.create_user(UserName=user)
                actions = [f'"{action}"' for action in ALL_BUT if action != missing]
                statement = f'{{"Effect": "Allow", "Action": [{", ".join(actions)}], "Resource": "*"}}'
                iam.put_user_policy(
                    UserName=user,
                    PolicyName="all-but-one",
                    PolicyDocument=f'{{"Version": "2012-10-17", "Statement": [{statement}]}}',
                )
                made = iam.create_access_key(UserName=user)["AccessKey"]
                users[missing] = made["AccessKeyId"], made["SecretAccessKey"]
        enforce(server)
        for missing, (key, secret) in users.items():
            its_own = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
            with aws_environment(its_own), closing(server.backend(bucket)) as backend:
                if missing is None:
                    backend.check()
                    assert list(backend.list()) == []
                    continue
                place = bucket if missing == "s3:ListBucket" else f"{bucket}/prod/cache/*"
                assert f"grant {missing} on arn:aws:s3:::{place}" in failing(ConfigurationError, backend.check)
        wrong = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
        with aws_environment(wrong), closing(server.backend(bucket)) as backend:
            assert "does not accept the credentials" in failing(ConfigurationError, backend.check)
            assert "renew" in failing(TierUnavailableError, lambda: backend.put("1", b"x"))


def enforce(server: S3Server) -> None:
    """Let moto check signatures and permissions from now on."""
    from http.client import HTTPConnection

    connection = HTTPConnection("127.0.0.1", server.port)
    connection.request("POST", "/moto-api/reset-auth", b"0")
    assert connection.getresponse().status == 200
    connection.close()


# -- a store -------------------------------------------------------------------------------------------------


def settings(path: Path, url: str, bucket: str) -> OptimizationConfig:
    config = OptimizationConfig()
    config.enabled = True
    config.storage.path = str(path)
    cold = config.tiered_storage.cold
    cold.backend, cold.bucket, cold.prefix, cold.endpoint_url, cold.attempts = "s3", bucket, "prod", url, 1
    return config


def test_a_store_keeps_its_cold_packs_in_the_bucket(s3_server: S3Server, bucket: str, tmp_path: Path) -> None:
    config = settings(tmp_path / "store", s3_server.url, bucket)
    with OptimizationMiddleware(config=config, clock=ManualClock()) as memory:
        for number in range(50):
            memory.store(f"key {number}", f"value {number} " * 20, tier=StorageTier.COLD)
        memory.maintain(settle=True)
    with closing(s3_server.client()) as raw:
        found = [entry["Key"] for entry in raw.list_objects_v2(Bucket=bucket)["Contents"]]
    assert any(key.startswith("prod/packs/") for key in found)
    assert not [key for key in found if "probes" in key]
    with OptimizationMiddleware(config=config, clock=ManualClock(), read_only=True) as memory:
        assert memory.retrieve("key 7") == "value 7 " * 20
    with closing(s3_server.client()) as raw:
        assert [entry["Key"] for entry in raw.list_objects_v2(Bucket=bucket)["Contents"]] == found


def test_a_store_whose_bucket_is_missing_says_so_at_opening(s3_server: S3Server, tmp_path: Path) -> None:
    config = settings(tmp_path / "store", s3_server.url, "no-such-bucket")
    with pytest.raises(ConfigurationError, match="no-such-bucket"):
        OptimizationMiddleware(config=config, clock=ManualClock())
