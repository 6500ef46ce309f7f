"""What a refusing server and a broken answer become: the right error, with the right words and without a secret."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from stratakv.backends import ObjectNotFoundError
from stratakv.errors import CapacityError, ConfigurationError, TierUnavailableError
from stratakv.testing.backend_material import noise
from tests.backends.s3_faults import TOKEN, failing, scripted_backend
from tests.servers.moto import KEY, SECRET, aws_environment
from tests.servers.scripted import Answer, ScriptedServer, refusal

if TYPE_CHECKING:
    from stratakv.backends.s3 import S3Backend

PART = 5 * 1024 * 1024

# -- refusals ------------------------------------------------------------------------------------------------


REFUSALS = (
    (400, "ExpiredToken", TierUnavailableError, "renew"),
    (403, "InvalidAccessKeyId", TierUnavailableError, "renew"),
    (403, "SignatureDoesNotMatch", TierUnavailableError, "credentials"),
    (403, "AccessDenied", TierUnavailableError, "grant s3:PutObject on arn:aws:s3:::bucket/prod/cache/*"),
    (403, "RequestTimeTooSkewed", TierUnavailableError, "clock is off"),
    (404, "NoSuchBucket", TierUnavailableError, "the bucket 'bucket' does not exist"),
    (403, "QuotaExceeded", CapacityError, "quota"),
    (507, "InsufficientStorage", CapacityError, "no room"),
    (503, "InsufficientCapacity", CapacityError, "no room"),
    (400, "InvalidRequest", TierUnavailableError, "refuses the request"),
    (500, "InternalError", TierUnavailableError, "overloaded or failing"),
    (503, "SlowDown", TierUnavailableError, "overloaded"),
)


def test_a_refusal_says_what_to_do_and_no_secret(script: ScriptedServer) -> None:
    message = f"words about {KEY} and {TOKEN} and {SECRET}"
    more = f"<AWSAccessKeyId>{KEY}</AWSAccessKeyId><Token-0>{TOKEN}</Token-0>"
    with aws_environment({"AWS_SESSION_TOKEN": TOKEN}), closing(scripted_backend(script.url)) as backend:
        for status, code, error, told in REFUSALS:
            script.answer(refusal(status, code, message, more))
            text = failing(error, lambda: backend.put("packs/1", b"x"))
            for words in (told, "store packs/1", code, "words about ***", script.url):
                assert words in text
    for shown in (repr(backend), backend.place, str(backend.requests()), text):
        for secret in (KEY, SECRET, TOKEN):
            assert secret not in shown


def test_an_archived_object_is_told(script: ScriptedServer, scripted: S3Backend) -> None:
    script.answer(refusal(403, "InvalidObjectState"))
    assert "restore" in failing(TierUnavailableError, lambda: scripted.get("packs/1"))


def test_a_missing_object_without_words_is_told_from_a_missing_bucket(
    script: ScriptedServer, scripted: S3Backend
) -> None:
    script.answer(Answer(404), Answer(200))
    assert "no object packs/1" in failing(ObjectNotFoundError, lambda: scripted.size("packs/1"))
    script.answer(Answer(404))
    assert "the bucket 'bucket' does not exist" in failing(TierUnavailableError, lambda: scripted.size("packs/1"))
    script.answer(Answer(404), refusal(503, "SlowDown"))
    assert "overloaded" in failing(TierUnavailableError, lambda: scripted.size("packs/1"))


def test_each_attempt_is_counted(script: ScriptedServer) -> None:
    with closing(scripted_backend(script.url, attempts=2)) as backend:
        script.answer(refusal(503, "SlowDown"), Answer(200))
        backend.put("packs/1", b"12345")
        assert backend.requests()["put"] == len(script.requests) == 2
        assert backend.requests()["sent_bytes"] == 10


def test_a_condition_the_server_does_not_know_is_no_win(script: ScriptedServer, scripted: S3Backend) -> None:
    script.answer(refusal(501, "NotImplemented"))
    failing(TierUnavailableError, lambda: scripted.create("manifest", b"x"))
    assert script.requests[0].headers["If-None-Match"] == "*"
    assert scripted.probe_atomicity(1, 2) is False
    script.answer(Answer(200))
    assert scripted.probe_atomicity(1, 2) is False  # everybody wins
    script.answer(refusal(409, "ConditionalRequestConflict"), refusal(404, "NoSuchKey"), Answer(200))
    assert scripted.create("manifest", b"x") is True
    script.answer(*[refusal(409, "ConditionalRequestConflict"), refusal(404, "NoSuchKey")] * 4)
    assert "holds none" in failing(TierUnavailableError, lambda: scripted.create("manifest", b"x"))


# -- many deletes --------------------------------------------------------------------------------------------


def test_deletes_of_many_carry_the_checksum_that_old_servers_want(script: ScriptedServer, scripted: S3Backend) -> None:
    done = Answer(200, b"<?xml version='1.0'?><DeleteResult/>")
    script.answer(done)
    scripted.delete_many(["1", "2"])
    headers = {name.lower() for name in script.requests[0].headers}
    assert "content-md5" in headers
    assert not {name for name in headers if "checksum" in name}
    with closing(scripted_backend(script.url, checksums="when_supported")) as newer:
        newer.delete_many(["1"])
    headers = {name.lower() for name in script.requests[1].headers}
    assert {"content-md5", "x-amz-checksum-crc32"} <= headers


def test_an_object_that_a_batch_leaves_is_named(script: ScriptedServer, scripted: S3Backend) -> None:
    left = "".join(
        f"<Error><Key>prod/cache/{key}</Key><Code>{code}</Code><Message>about {KEY}</Message></Error>"
        for key, code in (("0", "NoSuchKey"), ("1", "AccessDenied"), ("2", "InternalError"))
    )
    script.answer(Answer(200, f"<?xml version='1.0'?><DeleteResult>{left}</DeleteResult>".encode()))
    text = failing(TierUnavailableError, lambda: scripted.delete_many(["0", "1", "2"]))
    assert "delete 1:" in text
    assert "grant s3:DeleteObject on arn:aws:s3:::bucket/prod/cache/*" in text


def test_a_server_without_batches_deletes_one_by_one(script: ScriptedServer, scripted: S3Backend) -> None:
    script.answer(refusal(501, "NotImplemented"), Answer(204))
    scripted.delete_many(["1", "2"])
    scripted.delete_many(["3"])
    assert [request.method for request in script.requests] == ["POST", "DELETE", "DELETE", "DELETE"]


def test_an_upload_that_is_refused_is_abandoned_at_once(script: ScriptedServer) -> None:
    begun = Answer(200, b"<InitiateMultipartUploadResult><UploadId>17</UploadId></InitiateMultipartUploadResult>")
    with closing(scripted_backend(script.url, multipart_bytes=PART)) as backend:
        script.answer(begun, refusal(403, "QuotaExceeded"), Answer(204))
        failing(CapacityError, lambda: backend.put("packs/1", noise(PART + 1)))
        assert [request.method for request in script.requests] == ["POST", "PUT", "DELETE"]
        assert "uploadId=17" in script.requests[2].path


def test_an_upload_whose_completion_was_answered_in_vain_is_complete(script: ScriptedServer) -> None:
    begun = Answer(200, b"<InitiateMultipartUploadResult><UploadId>17</UploadId></InitiateMultipartUploadResult>")
    part = Answer(200, headers={"ETag": '"1"'})
    gone = refusal(404, "NoSuchUpload")
    with closing(scripted_backend(script.url, multipart_bytes=PART)) as backend:
        script.answer(begun, part, part, gone, Answer(200, told=PART + 1))
        backend.put("packs/1", noise(PART + 1))
        script.answer(begun, part, part, gone, Answer(200, told=PART), Answer(204))
        assert "lost the upload" in failing(TierUnavailableError, lambda: backend.put("packs/1", noise(PART + 1)))


# -- bodies --------------------------------------------------------------------------------------------------


def test_a_body_that_is_cut_is_never_returned(script: ScriptedServer, scripted: S3Backend) -> None:
    cut = Answer(200, b"01234", told=10)
    script.answer(cut)
    assert "incomplete" in failing(TierUnavailableError, lambda: scripted.get("1"))
    assert len(script.requests) == 2
    assert scripted.requests()["get"] == 2
    script.answer(cut, Answer(200, b"0123456789"))
    assert scripted.get("1") == b"0123456789"
    script.answer(Answer(200, b"01234", told=-1))
    assert "length is not told" in failing(TierUnavailableError, lambda: scripted.get("1"))


def test_another_range_than_was_asked_for_is_never_returned(script: ScriptedServer, scripted: S3Backend) -> None:
    for told, body in (
        ("bytes 0-4/10", b"01234"),
        ("bytes 2-5/10", b"2345"),
        ("bytes 2-7/10", b"234567"),
        ("pages 2-6/10", b"23456"),
    ):
        script.answer(Answer(206, body, {"Content-Range": told}))
        assert "incomplete" in failing(TierUnavailableError, lambda: scripted.get_range("1", 2, 5))
    script.answer(Answer(206, b"23456", {"Content-Range": "bytes 2-6/7"}))
    assert scripted.get_range("1", 2, 9) == b"23456"


def test_a_server_without_ranges_is_read_all_the_same(script: ScriptedServer, scripted: S3Backend) -> None:
    script.answer(Answer(200, b"0123456789"))
    assert scripted.get_range("1", 2, 5) == b"23456"
    assert scripted.get_range("1", 8, 5) == b"89"
    assert scripted.get_range("1", 20, 5) == b""


def test_a_body_altered_on_its_way_is_found_where_checksums_are_asked_for(script: ScriptedServer) -> None:
    script.answer(Answer(200, b"0123456789", {"x-amz-checksum-crc32": "AAAAAA=="}))
    with closing(scripted_backend(script.url, checksums="when_supported")) as backend:
        assert "incomplete" in failing(TierUnavailableError, lambda: backend.get("1"))


def test_what_is_no_s3_server_is_unavailable(script: ScriptedServer, scripted: S3Backend) -> None:
    for status in (200, 404):
        script.answer(Answer(status, b"<html>Please log in<br>", {"Content-Type": "text/html"}))
        assert scripted.place in failing(TierUnavailableError, lambda: list(scripted.list()))


def test_a_server_that_redirects_everything_is_told(script: ScriptedServer, scripted: S3Backend) -> None:
    for answer in (
        Answer(301, headers={"Location": "https://127.0.0.1:1/"}),
        Answer(302),
        refusal(301, "PermanentRedirect"),
    ):
        script.answer(answer)
        for call in (lambda: scripted.size("1"), lambda: list(scripted.list())):
            assert "redirects to another region or address" in failing(TierUnavailableError, call)
        assert "redirects to" in failing(ConfigurationError, scripted.check)
        assert len(script.requests) < 20
