"""`S3Backend`: one object of a bucket an object, through boto3.

Owns what lies under its prefix in its bucket. Several processes reach that, so who may write is decided by `create`,
and nothing is remembered of what the bucket holds: every call asks it.

Invariants: a put returns after the server has the object whole; a read returns all the bytes that were asked for or
raises; what boto3 raises, and with it whatever a server repeats of credentials, never leaves (`s3_client.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from stratakv.backends import s3_probes
from stratakv.backends.base import Backend, ObjectInfo, ObjectNotFoundError
from stratakv.backends.names import check_name
from stratakv.backends.s3_deletes import MOST_KEYS, BatchDeletes
from stratakv.backends.s3_place import S3Place
from stratakv.backends.s3_reads import read_object
from stratakv.backends.s3_uploads import LEAST_PART_BYTES, Uploads
from stratakv.errors import ClosedError, ConfigurationError, TierUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from stratakv.backends.s3_client import S3Client
    from stratakv.config.place_sections import ColdConfig

DEFAULT_MULTIPART_BYTES = 8 * 1024 * 1024
"""Packs are closed so that one of the usual size is no longer: in parts it would take four requests for one."""

_LARGEST = 1 << 47
"""No object is as large; some servers refuse larger numbers in a range."""
_ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE"})
_CREATE_TRIES = 4


class S3Backend(Backend):
    """Objects in an S3 bucket or a compatible server's. Opening asks nothing; `check` does.

    `create` is a PUT with `If-None-Match: *`. A server that does not know it answers 501, which is
    `TierUnavailableError`, or ignores it, or decides in two steps; `probe_atomicity` tells.

    Args:
        bucket: The bucket, which must exist.
        prefix: What every key begins with; a slash at its ends makes no difference.
        endpoint_url: Address of a compatible server, which is asked path-style; None = as boto3 finds it.
        region: Region; None = as boto3 finds it.
        profile: AWS profile for credentials; None = boto3's default chain.
        storage_class: Storage class of packs; None = the bucket's default. Small objects never have it.
        checksums: Whether requests carry boto3's newer checksums, which compatible servers may refuse.
        connect_timeout: Seconds to wait for a connection.
        read_timeout: Seconds to wait for bytes of an answer.
        attempts: How often a request is tried in all.
        concurrency: Most requests at once.
        multipart_bytes: Larger objects are put in parts of as many bytes, at least 5 MiB.
        page_size: Keys asked for at once by a listing, 1 to 1000.
        read_only: Whether every change is refused with `ClosedError`.

    Raises:
        ConfigurationError: boto3 is not installed, or the settings cannot be used.
    """

    remote = True

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint_url: str | None = None,
        region: str | None = None,
        profile: str | None = None,
        storage_class: str | None = None,
        checksums: Literal["when_required", "when_supported"] = "when_required",
        connect_timeout: float = 3.0,
        read_timeout: float = 10.0,
        attempts: int = 3,
        concurrency: int = 8,
        multipart_bytes: int = DEFAULT_MULTIPART_BYTES,
        page_size: int = MOST_KEYS,
        read_only: bool = False,
    ) -> None:
        place = S3Place.parse(bucket, prefix, endpoint_url)
        if storage_class in _ARCHIVES:
            raise ConfigurationError(f"storage_class {storage_class} is an archive: choose one that is read at once")
        for what, number, least, most in (
            ("connect_timeout", connect_timeout, 0.001, 3600),
            ("read_timeout", read_timeout, 0.001, 3600),
            ("attempts", attempts, 1, 20),
            ("concurrency", concurrency, 1, 256),
            ("multipart_bytes", multipart_bytes, LEAST_PART_BYTES, 5 << 30),
            ("page_size", page_size, 1, MOST_KEYS),
        ):
            if not least <= number <= most:
                raise ConfigurationError(f"{what} is {number}: it lies between {least} and {most}")
        self._client = _client_class()(
            place, endpoint_url=endpoint_url, region=region, profile=profile, checksums=checksums,
            connect_timeout=connect_timeout, read_timeout=read_timeout, attempts=attempts, concurrency=concurrency,
        )  # fmt: skip
        self._storage_class = storage_class
        self._multipart_bytes = multipart_bytes
        self._page_size = page_size
        self._read_only = read_only
        self._uploads = Uploads(self._client, multipart_bytes)
        self._deletes = BatchDeletes(self._client)

    @classmethod
    def from_config(cls, cold: ColdConfig, *, read_only: bool = False) -> S3Backend:
        """Return the backend that a configuration's cold tier describes; errors as the class."""
        if cold.bucket is None:
            raise ConfigurationError("tiered_storage.cold.bucket is missing: backend 's3' needs the name of a bucket")
        return cls(
            cold.bucket,
            cold.prefix,
            endpoint_url=cold.endpoint_url,
            region=cold.region,
            profile=cold.profile,
            storage_class=cold.storage_class,
            checksums=cold.checksums,
            connect_timeout=cold.connect_timeout_seconds,
            read_timeout=cold.read_timeout_seconds,
            attempts=cold.attempts,
            concurrency=cold.concurrency,
            read_only=read_only,
        )

    def __repr__(self) -> str:
        return f"S3Backend({self.place!r})"

    @property
    def place(self) -> str:
        return str(self._client.place)

    # -- whether it can be used ------------------------------------------------------------------------------

    def check(self) -> None:
        """Try what a store needs: to list, put, get and delete. A read-only backend changes nothing.

        Raises:
            ConfigurationError: The bucket does not exist or lies in another region, there are no credentials, or
                a permission is missing; the message says which, and what to grant.
            TierUnavailableError: The server cannot be reached or does not answer as it should just now.
            CapacityError: There is no room.
        """
        s3_probes.check(self._client, self._class_of("packs/"), write=not self._read_only)

    def probe_atomicity(self, rounds: int = 5, writers: int = 8) -> bool:
        """Return whether of several conditional writes of one object at the same moment one wins, in every round.

        True is no proof. False is: the server decides in two steps, or ignores the condition or does not know it.

        Args:
            rounds: How often it is tried, each with `writers` requests.
            writers: Threads that write at the same moment, at least 2.

        Errors are those of `put`.
        """
        self._check_writable("probes")
        return s3_probes.probe_atomicity(self._client, rounds, writers)

    # -- writing ---------------------------------------------------------------------------------------------

    def put(self, name: str, content: bytes) -> None:
        key = self._changing(name)
        if len(content) > self._multipart_bytes:
            self._uploads.store(name, content, self._class_of(name))
            return
        bucket, extra = self._client.place.bucket, self._class_of(name)
        self._client.run(f"store {name}", lambda s3: s3.put_object(Bucket=bucket, Key=key, Body=content, **extra))

    def create(self, name: str, content: bytes) -> bool:
        """Store an object unless there is one; as `Backend.create`, in one request and never in parts.

        An object found to have this very content counts as stored by this call: a try landed whose answer was lost.
        """
        key = self._changing(name)
        bucket = self._client.place.bucket
        for _ in range(_CREATE_TRIES):
            answer = self._client.run(
                f"create {name}",
                lambda s3: s3.put_object(Bucket=bucket, Key=key, Body=content, IfNoneMatch="*"),
                accept={409, 412},
            )
            if answer is not None:
                return True
            try:
                return self.get(name) == content
            except ObjectNotFoundError:
                # Deleted since, or the other one's write came to nothing.
                continue
        raise TierUnavailableError(f"cannot create {name}: {self._client.place} refuses it, but holds none: try again")

    def delete(self, name: str) -> bool:
        self._changing(name)
        try:
            self.size(name)  # S3 does not tell whether there was one
        except ObjectNotFoundError:
            return False
        self._deletes.delete_one(name)
        return True

    def delete_many(self, names: Iterable[str]) -> None:
        wanted = tuple(names)
        for name in wanted:
            self._changing(name)
        self._client.check_open()
        self._deletes.delete(wanted)

    def _class_of(self, name: str) -> dict[str, str]:
        # Classes for large, seldom read objects have a least size and a least time that are paid for.
        wanted = self._storage_class if name.startswith("packs/") else None
        return {"StorageClass": wanted} if wanted else {}

    def _changing(self, name: str) -> str:
        """Return the key of an object that is to be changed."""
        check_name(name)
        self._client.check_open()
        self._check_writable(name)
        return self._client.place.key(name)

    def _check_writable(self, name: str) -> None:
        if self._read_only:
            raise ClosedError(f"{self.place} is open for reading: {name} cannot be changed")

    # -- reading ---------------------------------------------------------------------------------------------

    def get(self, name: str) -> bytes:
        check_name(name)
        return read_object(self._client, name) or b""

    def get_range(self, name: str, start: int, length: int) -> bytes:
        check_name(name)
        if start < 0 or length < 0:
            raise ConfigurationError(f"a range starts at 0 or later and is not negative: {start}, {length}")
        self._client.check_open()
        if not length:
            return b""
        start = min(start, _LARGEST)
        # None is a range past the end.
        return read_object(self._client, name, (start, min(length, _LARGEST))) or b""

    def size(self, name: str) -> int:
        check_name(name)
        place = self._client.place
        answer: Mapping[str, Any] | None = self._client.run(
            f"find the size of {name}",
            lambda s3: s3.head_object(Bucket=place.bucket, Key=place.key(name)),
            name=name,
        )
        size = (answer or {}).get("ContentLength")
        if size is None:
            raise TierUnavailableError(f"cannot find the size of {name}: {place} does not tell it")
        return int(size)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        self._client.check_open()
        return self._listing(prefix)

    def _listing(self, prefix: str) -> Iterator[ObjectInfo]:
        place = self._client.place
        wanted: dict[str, Any] = {"Bucket": place.bucket, "Prefix": place.key(prefix), "MaxKeys": self._page_size}
        while True:
            page: Mapping[str, Any] = self._client.run("list objects", lambda s3: s3.list_objects_v2(**wanted)) or {}
            found = page.get("Contents", ())
            for entry in found:
                name = place.name(entry["Key"])
                if name is not None:
                    yield ObjectInfo(name, entry["Size"])
            if not page.get("IsTruncated"):
                return
            if "NextContinuationToken" not in page:
                raise TierUnavailableError(f"cannot list objects: {place} does not say where the listing goes on")
            wanted["ContinuationToken"] = page["NextContinuationToken"]

    def bytes_on_disk(self) -> int:
        """Return the bytes of all objects. It costs one request for every 1000 of them."""
        return sum(info.size for info in self.list())

    def requests(self) -> dict[str, int]:
        return self._client.requests()

    # -- life ------------------------------------------------------------------------------------------------

    def tidy(self) -> None:
        if not self._read_only:
            self._uploads.abandon_left()

    def close(self) -> None:
        self._client.close()


def _client_class() -> type[S3Client]:
    try:
        from stratakv.backends.s3_client import S3Client
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"boto3", "botocore"}:
            raise
        raise ConfigurationError("S3 needs boto3, which is not installed: pip install 'stratakv[s3]'") from error
    return S3Client
