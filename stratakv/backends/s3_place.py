"""Where objects lie in S3: the bucket, the prefix, and how names become keys and back. Asks no server.

Invariant: what is shown of a place never holds a secret; an address with a user or a password in it is refused,
and its query is not shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from stratakv.backends.names import MAX_NAME_LENGTH, is_name
from stratakv.errors import ConfigurationError

MAX_KEY_BYTES = 1024
"""Bytes of a key in S3."""

_is_prefix = re.compile(r"(?!\.{1,2}(?:/|$))[\w.-]+(?:/(?!\.{1,2}(?:/|$))[\w.-]+)*", re.ASCII).fullmatch


@dataclass(frozen=True, slots=True)
class S3Place:
    """One prefix of one bucket.

    Attributes:
        bucket: The bucket's name.
        prefix: What every key begins with, without slashes at its ends; "" for the whole bucket.
        endpoint: The server's address, for messages.
    """

    bucket: str
    prefix: str
    endpoint: str

    @classmethod
    def parse(cls, bucket: str, prefix: str, endpoint_url: str | None) -> S3Place:
        """Return the place that settings describe; a slash before or after the prefix makes no difference.

        Raises:
            ConfigurationError: An empty bucket, a prefix that no key may begin with, or an address that is none or
                holds credentials. It is not repeated then.
        """
        if not bucket.strip():
            raise ConfigurationError("the name of the S3 bucket is empty")
        prefix = prefix.strip("/")
        if prefix and (not _is_prefix(prefix) or len(prefix) + 1 + MAX_NAME_LENGTH > MAX_KEY_BYTES):
            raise ConfigurationError(
                f"the prefix {prefix[:80]!r} cannot begin keys in S3: use parts of letters, digits and '._-' joined by "
                f"'/', none of them '.' or '..', of at most {MAX_KEY_BYTES - 1 - MAX_NAME_LENGTH} characters in all"
            )
        return cls(bucket, prefix, "AWS" if endpoint_url is None else shown_address(endpoint_url))

    def __str__(self) -> str:
        path = f"{self.bucket}/{self.prefix}" if self.prefix else self.bucket
        return f"s3://{path} at {self.endpoint}"

    def key(self, name: str) -> str:
        """Return the key of an object, or what the keys of a listing begin with."""
        return f"{self.prefix}/{name}" if self.prefix else name

    def name(self, key: str) -> str | None:
        """Return the name of the object under a key, None where the key is nobody's name."""
        name = key.removeprefix(f"{self.prefix}/") if self.prefix else key
        return name if is_name(name) else None

    def resource(self, *, bucket: bool) -> str:
        """Return the resource that a permission is granted on: the bucket itself, or the objects of this place."""
        return f"arn:aws:s3:::{self.bucket}" + ("" if bucket else f"/{self.key('*')}")


def shown_address(url: str) -> str:
    """Return an address without what may be secret in it.

    Raises:
        ConfigurationError: It is no http(s) address, or has a user or password in it.
    """
    wanted = "an address such as 'https://s3.example.org'"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigurationError(f"the endpoint is not {wanted}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(f"the endpoint is not {wanted}")
    if "@" in parts.netloc:
        raise ConfigurationError(f"the endpoint is {wanted}, without user and password: boto3 finds credentials")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "") + parts.path.rstrip("/")
