"""One boto3 client: how it is configured, counted, bounded, closed, and kept from forks. Knows no objects' meaning.

Every request to S3 is made within `S3Client.run`, which bounds how many run at once and maps what they raise.

Invariants: what boto3 raises never leaves, not even as the cause of an error, since servers may repeat a key or token
in it; each attempt of a request is counted; nothing is sent after `close`, and never by a forked child.
"""

from __future__ import annotations

import base64
import hashlib
import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ProfileNotFound

from stratakv.backends.base import ObjectNotFoundError
from stratakv.backends.s3_failures import FOREIGN, code_of, refusal, status_of, translate
from stratakv.backends.s3_place import S3Place, shown_address
from stratakv.backends.s3_secrets import Secrets
from stratakv.errors import ClosedError, ConfigurationError, StrataError, TierUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

Result = TypeVar("Result")

LEAST_POOL = 8
"""Connections kept at least, for probes that use several at once."""

_KINDS = {
    "GetObject": "get",
    "HeadObject": "get",
    "HeadBucket": "get",
    "ListObjectsV2": "list",
    "DeleteObject": "delete",
    "DeleteObjects": "delete",
    "AbortMultipartUpload": "delete",
}


class _RedirectedForeverError(Exception):
    """The server redirects the very request by which boto3 asks where to: boto3 would ask until the stack is full."""


class S3Client:
    """A client of one place, for threads.

    Args:
        place: The bucket and prefix.
        endpoint_url: Address of the server; None = as boto3 finds it.
        region: Region; None = as boto3 finds it.
        profile: Profile for credentials; None = boto3's default chain.
        checksums: Whether requests carry boto3's newer checksums.
        connect_timeout: Seconds to wait for a connection.
        read_timeout: Seconds to wait for bytes of an answer.
        attempts: How often a request is tried in all.
        concurrency: Most requests at once.

    Attributes:
        foreign: What boto3 raises where a server, the network or the settings are to blame.
        place: The same, with the address that boto3 found.

    Raises:
        ConfigurationError: boto3 cannot make a client of these.
    """

    foreign = FOREIGN

    def __init__(
        self,
        place: S3Place,
        *,
        endpoint_url: str | None,
        region: str | None,
        profile: str | None,
        checksums: Literal["when_required", "when_supported"],
        connect_timeout: float,
        read_timeout: float,
        attempts: int,
        concurrency: int,
    ) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(concurrency)
        self._active = 0
        self._closed = False
        self._secrets = Secrets()
        self._looks = threading.local()
        self._most_looks = 2 * attempts + 1
        self._counts = dict.fromkeys(("put", "get", "list", "delete", "sent_bytes", "received_bytes"), 0)
        self._checks_all = checksums == "when_supported"
        config = Config(
            retries={"mode": "adaptive", "total_max_attempts": attempts},
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            max_pool_connections=max(concurrency, LEAST_POOL),
            request_checksum_calculation=checksums,
            response_checksum_validation=checksums,
            s3={"addressing_style": "path"} if endpoint_url else None,
        )
        failure: StrataError
        try:
            core = botocore.session.Session()
            # Nobody reads the times in answers, and parsing them is a tenth of boto3's work for a GET.
            core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=str)
            session = boto3.session.Session(botocore_session=core, profile_name=profile, region_name=region)
            self._boto = session.client("s3", endpoint_url=endpoint_url, config=config)
            self._learn_own(session)
        except ProfileNotFound as error:
            failure = translate(error, "open the cold tier", place, opening=True, hide=self.hide)
        except (BotoCoreError, ValueError) as error:
            failure = ConfigurationError(f"boto3 cannot make a client for {place} ({self.hide(str(error))})")
        else:
            self.place = replace(place, endpoint=shown_address(self._boto.meta.endpoint_url))
            events = self._boto.meta.events
            events.register("before-call.s3.DeleteObjects", self._sign_with_md5)
            events.register("before-send.s3", self._sending)
            events.register("response-received.s3", self._received)
            return
        raise failure

    # -- requests --------------------------------------------------------------------------------------------

    def run(
        self,
        doing: str,
        act: Callable[[Any], Result],
        *,
        name: str | None = None,
        accept: Collection[int] = (),
        opening: bool = False,
        bounded: bool = True,
    ) -> Result | None:
        """Let `act` ask by the boto3 client; return its result, None for an accepted refusal.

        Args:
            doing: What is attempted, as in "cannot <doing>".
            act: Asks, and reads what is to be read of the answer.
            name: The object that is asked for; None where a missing one is a failure like any other.
            accept: HTTP statuses that are no failure.
            opening: Whether the store is being opened, so that its owner is there to put things right.
            bounded: False runs it beside as many others as there are, for a probe.

        Raises:
            ObjectNotFoundError: There is no object `name`.
            CapacityError: The bucket's quota or the server is full.
            ConfigurationError: Refused while opening, and likely to be so until something is changed.
            TierUnavailableError: Any other failure.
            ClosedError: The client is closed, or belongs to the parent process.
        """
        self.check_open()
        if not bounded:
            return self._run(doing, act, name, accept, opening=opening)
        with self._slots:
            return self._run(doing, act, name, accept, opening=opening)

    def _run(
        self, doing: str, act: Callable[[Any], Result], name: str | None, accept: Collection[int], *, opening: bool
    ) -> Result | None:
        with self._lock:
            self.check_open()
            self._active += 1
        self._looks.left = self._most_looks
        try:
            return act(self._boto)
        except _RedirectedForeverError:
            told = "every request is redirected"
            failure = refusal("PermanentRedirect", 301, told, "HeadBucket", doing, self.place, opening=opening)
        except FOREIGN as error:
            if status_of(error) in accept:
                return None
            failure = self._failure(error, doing, name, opening=opening)
        finally:
            with self._lock:
                self._active -= 1
                last = self._closed and not self._active
            if last:
                self._boto.close()
        raise failure

    def _failure(self, error: Exception, doing: str, name: str | None, *, opening: bool) -> StrataError:
        if self._closed:
            return self._closed_error()
        if status_of(error) == 404 and name is not None:
            if code_of(error) == "NoSuchKey":
                return ObjectNotFoundError(f"no object {name} in {self.place}")
            if code_of(error) in {"404", "NotFound", ""}:
                # An answer without a body does not tell a missing object from a missing bucket.
                return self._missing(doing, name)
        return translate(error, doing, self.place, opening=opening, hide=self.hide)

    def _missing(self, doing: str, name: str) -> StrataError:
        try:
            self._boto.head_bucket(Bucket=self.place.bucket)
        except FOREIGN as error:
            if self._closed:
                return self._closed_error()
            if status_of(error) == 404:
                return TierUnavailableError(
                    f"cannot {doing}: the bucket {self.place.bucket!r} does not exist at {self.place.endpoint}"
                )
            if status_of(error) not in {301, 400, 403}:
                return translate(error, doing, self.place, opening=False, hide=self.hide)
        return ObjectNotFoundError(f"no object {name} in {self.place}")

    def refusal(self, doing: str, operation: str, code: str, said: str) -> StrataError:
        """Return the error for one refusal among the results of a request."""
        return refusal(code, 200, self.hide(f"{code}: {said}"), operation, doing, self.place, opening=False)

    def count_received(self, size: int) -> None:
        """Count the bytes of a body that `act` read."""
        with self._lock:
            self._counts["received_bytes"] += size

    def requests(self) -> dict[str, int]:
        """Return what was asked, as `Backend.requests`; bytes are those of bodies, without headers."""
        if os.getpid() != self._pid:
            raise self._closed_error()
        with self._lock:
            return dict(self._counts)

    # -- what boto3 tells ------------------------------------------------------------------------------------

    def _sending(self, request: Any, event_name: str, **_: object) -> None:
        # What is raised here, boto3 neither sends nor tries again.
        self.check_open()
        operation = event_name.rpartition(".")[2]
        if operation == "HeadBucket":
            self._looks.left -= 1
            if self._looks.left < 0:
                raise _RedirectedForeverError
        size = int(request.headers.get("Content-Length") or 0)
        self._secrets.learn(request.headers)
        with self._lock:
            self._counts[_KINDS.get(operation, "put")] += 1
            self._counts["sent_bytes"] += size

    def _received(self, response_dict: Mapping[str, Any] | None, **_: object) -> None:
        body = response_dict.get("body") if response_dict is not None else None
        if isinstance(body, bytes):
            self.count_received(len(body))

    def _sign_with_md5(self, params: dict[str, Any], **_: object) -> None:
        """Give DeleteObjects the checksum that it has always needed: servers that know no newer one refuse without."""
        digest = hashlib.md5(params["body"], usedforsecurity=False).digest()
        params["headers"]["Content-MD5"] = base64.b64encode(digest).decode()
        if not self._checks_all:
            params["context"].pop("checksum", None)

    # -- secrets ---------------------------------------------------------------------------------------------

    def _learn_own(self, session: Any) -> None:
        """Note the credentials as far as they are at hand: those that boto3 fetches are seen when they are used."""
        found = session.get_credentials()
        if type(found) is Credentials:
            self._secrets.note(found.access_key, found.secret_key, found.token)

    def hide(self, text: str) -> str:
        """Return a text without the credentials that were used."""
        return self._secrets.hide(text)

    # -- life ------------------------------------------------------------------------------------------------

    def check_open(self) -> None:
        """Raise ClosedError where nothing may be asked any more."""
        if self._closed or os.getpid() != self._pid:
            raise self._closed_error()

    def _closed_error(self) -> ClosedError:
        if os.getpid() != self._pid:
            return ClosedError(f"the client of {self.place} belongs to the parent process: open one after the fork")
        return ClosedError(f"the client of {self.place} is closed")

    def close(self) -> None:
        """Send nothing any more. Connections close with the last request that is under way."""
        if os.getpid() != self._pid:
            # The lock may have been held at the fork, and the connections are the parent's.
            self._closed = True
            return
        with self._lock:
            idle = not self._closed and not self._active
            self._closed = True
        if idle:
            self._boto.close()
