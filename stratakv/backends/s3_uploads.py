"""Storing large objects in parts. Owns the uploads that were begun and neither completed nor abandoned.

Invariant: an object is visible when its upload is complete, never before. An upload that fails is abandoned, so that
no parts are left to be paid for; where that fails too, it is tried again with the next upload. What a killed process
leaves, only a lifecycle rule of the bucket (AbortIncompleteMultipartUpload) removes.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from stratakv.backends.base import ObjectNotFoundError
from stratakv.errors import StrataError, TierUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stratakv.backends.s3_client import S3Client

LEAST_PART_BYTES = 5 * 1024 * 1024
"""What servers ask of every part but the last."""
_MOST_PARTS = 10_000

log = logging.getLogger("stratakv")


class Uploads:
    """Uploads in parts, one part after another, through one client.

    Args:
        client: Asks the server.
        part_bytes: Bytes of a part; more where an object would have too many.
    """

    def __init__(self, client: S3Client, part_bytes: int) -> None:
        self._client = client
        self._part_bytes = part_bytes
        self._lock = threading.Lock()
        self._left: list[tuple[str, str]] = []

    def store(self, name: str, content: bytes, extra: Mapping[str, str]) -> None:
        """Store an object, with `extra` arguments for boto3; errors as `Backend.put`."""
        self.abandon_left()
        doing = f"store {name}"
        bucket, key = self._client.place.bucket, self._client.place.key(name)
        begun = self._ask(doing, lambda s3: s3.create_multipart_upload(Bucket=bucket, Key=key, **extra))
        if not begun.get("UploadId"):
            raise TierUnavailableError(f"cannot {doing}: {self._client.place} begins no upload in parts")
        upload = {"Bucket": bucket, "Key": key, "UploadId": str(begun["UploadId"])}
        try:
            parts = self._send(doing, content, upload)
            done = self._client.run(
                doing,
                lambda s3: s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **upload),
                accept={404},
            )
            if done is None and not self._is_stored(name, len(content)):
                raise TierUnavailableError(f"cannot {doing}: {self._client.place} lost the upload: try again")
        except BaseException:
            self._abandon(key, upload["UploadId"])
            raise

    def _send(self, doing: str, content: bytes, upload: Mapping[str, str]) -> list[dict[str, object]]:
        size = max(self._part_bytes, -(-len(content) // _MOST_PARTS))
        parts: list[dict[str, object]] = []
        for number, start in enumerate(range(0, len(content), size), 1):

            def act(s3: Any, number: int = number, start: int = start) -> Any:
                return s3.upload_part(PartNumber=number, Body=content[start : start + size], **upload)

            parts.append({"PartNumber": number, "ETag": self._ask(doing, act).get("ETag", "")})
        return parts

    def _ask(self, doing: str, act: Any) -> Mapping[str, Any]:
        answer: Mapping[str, Any] | None = self._client.run(doing, act)
        return answer or {}

    def _is_stored(self, name: str, size: int) -> bool:
        """Return whether an upload that the server knows no more is complete: the answer to the first try was lost."""
        bucket, key = self._client.place.bucket, self._client.place.key(name)
        try:
            answer = self._client.run(
                f"find the size of {name}", lambda s3: s3.head_object(Bucket=bucket, Key=key), name=name
            )
        except ObjectNotFoundError:
            return False
        return answer is not None and answer.get("ContentLength") == size

    def _abandon(self, key: str, upload: str) -> bool:
        """Remove the parts of an upload; keep it for later where the server does not answer."""
        bucket = self._client.place.bucket
        try:
            self._client.run(
                "abandon an upload",
                lambda s3: s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload),
                accept={404},
            )
        except StrataError as failure:
            log.warning("parts of an unfinished upload are left in %s: %s", self._client.place, failure)
            with self._lock:
                self._left.append((key, upload))
            return False
        return True

    def abandon_left(self) -> None:
        """Remove the parts that could not be removed before, until the server refuses again."""
        while self._left:
            with self._lock:
                if not self._left:
                    return
                key, upload = self._left.pop()
            if not self._abandon(key, upload):
                return
