"""Whether a bucket can be used, tried on probe objects under `probes/`. Leaves none of them behind, if it can.

Owns the objects of that folder for as long as a probe lasts, and keeps nothing.
"""

from __future__ import annotations

import secrets
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from stratakv.backends.base import ObjectNotFoundError
from stratakv.backends.s3_reads import read_object
from stratakv.errors import ConfigurationError, StrataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stratakv.backends.s3_client import S3Client

_PROBE = b"stratakv tries whether this bucket can be used\n"


def check(client: S3Client, extra: Mapping[str, str], *, write: bool) -> None:
    """Try to list, put, get and delete; errors as `S3Backend.check`.

    Args:
        client: Asks the server.
        extra: Arguments for boto3 that puts of packs have.
        write: Whether a probe object may be put.
    """
    place = client.place
    name = _probe_name()
    where = {"Bucket": place.bucket, "Key": place.key(name)}
    doing = "open the cold tier"
    client.run(doing, lambda s3: s3.list_objects_v2(Bucket=place.bucket, Prefix=place.key(""), MaxKeys=1), opening=True)
    if not write:
        with suppress(ObjectNotFoundError):  # a missing object shows the permission as well
            read_object(client, name, doing=doing, opening=True)
        return
    client.run(doing, lambda s3: s3.put_object(Body=_PROBE, **where, **extra), opening=True)
    try:
        found = read_object(client, name, doing=doing, opening=True)
    except BaseException:
        with suppress(StrataError):  # what failed first is what is to be told
            client.run(doing, lambda s3: s3.delete_object(**where))
        raise
    client.run(doing, lambda s3: s3.delete_object(**where), opening=True)
    if found != _PROBE:
        raise ConfigurationError(f"cannot {doing}: {place} does not give back what was put there")


def probe_atomicity(client: S3Client, rounds: int, writers: int) -> bool:
    """Return whether one of several conditional writes at the same moment wins; as `S3Backend.probe_atomicity`."""
    if rounds < 1 or writers < 2:
        raise ConfigurationError(f"{rounds} rounds of {writers} writers tell nothing: at least 1 of 2 are needed")
    name = _probe_name()
    where = {"Bucket": client.place.bucket, "Key": client.place.key(name)}
    try:
        for _ in range(rounds):
            if not _one_wins(client, where, name, writers):
                return False
            client.run("remove a probe", lambda s3: s3.delete_object(**where))
    finally:
        with suppress(StrataError):  # removed above where all goes well
            client.run("remove a probe", lambda s3: s3.delete_object(**where))
    return True


def _one_wins(client: S3Client, where: Mapping[str, str], name: str, writers: int) -> bool:
    start = threading.Barrier(writers)
    won: list[bytes] = []
    failures: list[BaseException] = []

    def write(number: int) -> None:
        content = b"writer %d\n" % number

        def act(s3: Any) -> Any:
            start.wait()
            return s3.put_object(Body=content, IfNoneMatch="*", **where)

        try:
            if client.run("create a probe", act, accept={409, 412, 501}, bounded=False) is not None:
                won.append(content)
        except BaseException as failure:  # noqa: BLE001  # raised again below, in the caller's thread
            failures.append(failure)
            start.abort()

    threads = [threading.Thread(target=write, args=(number,), daemon=True) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        told = [failure for failure in failures if not isinstance(failure, threading.BrokenBarrierError)]
        raise (told or failures)[0]
    return len(won) == 1 and read_object(client, name) == won[0]


def _probe_name() -> str:
    return f"probes/{secrets.token_hex(16)}"
