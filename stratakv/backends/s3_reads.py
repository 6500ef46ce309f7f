"""Reading objects, whole or in part, and proving that all of it came. Keeps nothing.

Invariant: what is returned has the length that the server told, and a part is the part that was asked for. A body that
ends early is asked for once more; boto3 tries again only what fails before the body.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from stratakv.errors import TierUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stratakv.backends.s3_client import S3Client

_BODY_TRIES = 2
_content_range = re.compile(r"bytes (\d+)-(\d+)/(\d+)").fullmatch


class _CutShortError(Exception):
    """The body of an answer ended early, or is another part than was asked for."""


def read_object(
    client: S3Client, name: str, span: tuple[int, int] | None = None, *, doing: str = "", opening: bool = False
) -> bytes | None:
    """Return the bytes of an object, None where the span begins past its end.

    Args:
        client: Asks the server.
        name: The object.
        span: First byte and length, at least 1, of what is wanted; None for all.
        doing: What is attempted, as in "cannot <doing>".
        opening: As `S3Client.run`.

    Raises:
        ObjectNotFoundError: There is none.
        TierUnavailableError: The server or the network fails, or the body comes incomplete twice.
        ClosedError: The client is closed.
    """
    doing = doing or f"read {name}"
    place = client.place
    wanted = {"Bucket": place.bucket, "Key": place.key(name)}
    if span is not None:
        wanted["Range"] = f"bytes={span[0]}-{span[0] + span[1] - 1}"

    def act(s3: Any) -> bytes:
        body = _body(s3.get_object(**wanted), span, client.foreign)
        client.count_received(len(body))
        return body

    reason = ""
    for _ in range(_BODY_TRIES):
        try:
            return client.run(doing, act, name=name, accept={416} if span else (), opening=opening)
        except _CutShortError as error:
            reason = client.hide(str(error))
            client.check_open()
    raise TierUnavailableError(f"cannot {doing}: the answer of {place} is incomplete ({reason})")


def _body(answer: Mapping[str, Any], span: tuple[int, int] | None, failures: tuple[type[Exception], ...]) -> bytes:
    stream = answer["Body"]
    try:
        body: bytes = stream.read()
    except failures as error:
        stream.close()
        # Told in its own words: the exception itself may hold what the server wrote.
        reason = " ".join(str(error).split())[:200]
    else:
        return _checked(answer, body, span)
    raise _CutShortError(reason)


def _checked(answer: Mapping[str, Any], body: bytes, span: tuple[int, int] | None) -> bytes:
    told = answer.get("ContentLength")
    if told is None:
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        if headers.get("transfer-encoding") != "chunked":
            raise _CutShortError("its length is not told")
    elif told != len(body):
        raise _CutShortError(f"{len(body)} of {told} bytes")
    if span is None:
        return body
    start, length = span
    if answer.get("ContentRange") is None:
        # The server knows no ranges and sent everything.
        return body[start : start + length]
    sent = _content_range(answer["ContentRange"])
    if sent is None or int(sent[1]) != start:
        raise _CutShortError(f"asked for bytes from {start}, told of {str(answer['ContentRange'])[:80]!r}")
    wanted = min(length, int(sent[3]) - start)
    if len(body) != wanted:
        raise _CutShortError(f"{len(body)} of {wanted} bytes")
    return body
