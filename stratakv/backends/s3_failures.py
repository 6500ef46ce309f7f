"""The border to S3: turns what botocore raises into the error tree. Asks no server, and never tries again.

Invariant: what lacks no room is `TierUnavailableError` while a store is open, and may be retried; while it is being
opened, what only its owner can put right is `ConfigurationError`, and says how.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    NoAuthTokenError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    RefreshWithMFAUnsupportedError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.exceptions import HTTPClientError as BotoHttpError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from stratakv.errors import CapacityError, ConfigurationError, StrataError, TierUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.backends.s3_place import S3Place

FOREIGN: tuple[type[Exception], ...] = (BotoCoreError, ClientError, ResponseParserError, HTTPError, OSError)
"""All that boto3 raises where a server, the network or the settings are to blame."""

_ON_THE_WAY = (BotoConnectionError, BotoHttpError, ConnectTimeoutError, ReadTimeoutError, HTTPError, OSError)
_NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, ProfileNotFound)
_LOST_CREDENTIALS = (
    CredentialRetrievalError, TokenRetrievalError, SSOError, NoAuthTokenError, RefreshWithMFAUnsupportedError,
)  # fmt: skip

_LONGEST_REASON = 300

_KINDS = {
    "no room": {
        "QuotaExceeded", "InsufficientCapacity", "InsufficientStorage", "StorageFull", "XMinioStorageFull",
        "XMinioAdminBucketQuotaExceeded", "ServiceQuotaExceeded",
    },
    "no bucket": {"NoSuchBucket"},
    "denied": {"AccessDenied", "AccessDeniedException", "AllAccessDisabled", "AccountProblem", "Forbidden"},
    "credentials": {
        "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken", "InvalidAccessKeyId",
        "SignatureDoesNotMatch", "InvalidSecurity", "NotSignedUp", "InvalidClientTokenId", "RequestExpired",
        "UnrecognizedClientException", "AuthFailure", "MissingAuthenticationToken",
    },
    "clock": {"RequestTimeTooSkewed", "RequestInTheFuture", "RequestNotYetValid"},
    "region": {
        "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301",
    },
    "archived": {"InvalidObjectState"},
    "busy": {
        "SlowDown", "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled",
        "RequestLimitExceeded", "TooManyRequestsException", "BandwidthLimitExceeded", "PriorRequestNotComplete",
        "RequestTimeout", "OperationAborted", "InternalError", "ServiceUnavailable",
    },
}  # fmt: skip
_KIND_OF_CODE = {code: kind for kind, codes in _KINDS.items() for code in codes}
_KIND_OF_STATUS = {
    301: "region",
    302: "region",
    307: "region",
    308: "region",
    403: "denied",
    408: "busy",
    429: "busy",
    507: "no room",
}

_ON_BUCKET = frozenset({"s3:ListBucket", "s3:ListBucketMultipartUploads"})
_ACTIONS = {
    "ListObjectsV2": "s3:ListBucket",
    "HeadBucket": "s3:ListBucket",
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "DeleteObject": "s3:DeleteObject",
    "DeleteObjects": "s3:DeleteObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
}


def status_of(error: BaseException) -> int:
    """Return the HTTP status of a server's refusal, 0 where there was no answer."""
    if not isinstance(error, ClientError):
        return 0
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status if isinstance(status, int) else 0


def code_of(error: BaseException) -> str:
    """Return the code of a server's refusal, as "NoSuchKey"; a bare status where the answer had no body, else ""."""
    if not isinstance(error, ClientError):
        return ""
    return str(error.response.get("Error", {}).get("Code", ""))


def permission(operation: str, place: S3Place) -> str:
    """Return what is to be granted for an operation, as "s3:GetObject on arn:aws:s3:::bucket/prefix/*"."""
    action = _ACTIONS.get(operation, "s3:PutObject")
    return f"{action} on {place.resource(bucket=action in _ON_BUCKET)}"


def kind_of(code: str, status: int) -> str:
    """Return what a refusal means, one of the kinds above; "refused" where it is the request that is not liked."""
    kind = _KIND_OF_CODE.get(code) or _KIND_OF_STATUS.get(status)
    return kind or ("busy" if status >= 500 and status != 501 else "refused")


def translate(
    error: BaseException, doing: str, place: S3Place, *, opening: bool, hide: Callable[[str], str]
) -> StrataError:
    """Return the error to raise instead of `error`, and not in its context: servers may repeat a key or token.

    Args:
        error: One of `FOREIGN`.
        doing: What was attempted, as in "cannot <doing>".
        place: Where.
        opening: Whether the store is being opened, so that its owner is there to put things right.
        hide: Takes secrets out of a text.
    """
    lasting = ConfigurationError if opening else TierUnavailableError
    if isinstance(error, ClientError):
        return refusal(
            code_of(error), status_of(error), hide(_reason(error)), error.operation_name, doing, place,
            opening=opening, region=_region(error),
        )  # fmt: skip
    if isinstance(error, _NO_CREDENTIALS):
        shown = f" ({hide(_reason(error))})" if isinstance(error, ProfileNotFound) else ""
        return lasting(
            f"cannot {doing}: no AWS credentials for {place}{shown}; boto3 looks at AWS_ACCESS_KEY_ID and "
            f"AWS_SECRET_ACCESS_KEY, at the profile (tiered_storage.cold.profile or AWS_PROFILE) in ~/.aws/credentials "
            f"and ~/.aws/config, and at the role of the container or machine"
        )
    if isinstance(error, _LOST_CREDENTIALS):
        # Its text is what a program for credentials wrote, which may be a credential.
        return lasting(
            f"cannot {doing}: the AWS credentials for {place} cannot be renewed ({type(error).__name__}): log in again"
        )
    said = hide(_reason(error))
    if isinstance(error, _ON_THE_WAY):
        return TierUnavailableError(f"cannot {doing}: {place} cannot be reached ({said})")
    if isinstance(error, ResponseParserError):
        return lasting(f"cannot {doing}: {place} does not answer as an S3 server does ({said})")
    return lasting(f"cannot {doing}: boto3 refuses the request for {place} ({said})")


def refusal(
    code: str, status: int, said: str, operation: str, doing: str, place: S3Place, *, opening: bool, region: str = ""
) -> StrataError:
    """Return the error for a server's refusal; arguments as `translate`, with the server's words, secrets hidden."""
    lasting = ConfigurationError if opening else TierUnavailableError
    kind = kind_of(code, status)
    if kind == "no room":
        return CapacityError(f"cannot {doing}: no room in {place}; free space or raise the quota ({said})")
    if kind == "busy":
        return TierUnavailableError(f"cannot {doing}: {place} is overloaded or failing ({said})")
    if kind == "clock":
        return TierUnavailableError(
            f"cannot {doing}: {place} refuses because this machine's clock is off: set it by a time server ({said})"
        )
    reasons = {
        "no bucket": f"the bucket {place.bucket!r} does not exist at {place.endpoint}: create it, or correct "
        f"tiered_storage.cold.bucket",
        "denied": f"{place} denies access: grant {permission(operation, place)}, or renew "
        f"credentials that have expired",
        "credentials": f"{place} does not accept the credentials: renew or correct those of the AWS profile or "
        f"environment",
        "region": f"{place} redirects to another region or address: correct "
        f"tiered_storage.cold.region{f' to {region}' if region else ''} or tiered_storage.cold.endpoint_url",
        "archived": f"the object in {place} is archived: restore it to a class that is read at once",
    }
    return lasting(f"cannot {doing}: {reasons.get(kind) or f'{place} refuses the request'} ({said})")


def _region(error: ClientError) -> str:
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = error.response.get("Error", {}).get("Region") or headers.get("x-amz-bucket-region") or ""
    return str(region)[:40]


def _reason(error: BaseException) -> str:
    if isinstance(error, ClientError):
        told = error.response.get("Error", {})
        text = " ".join(str(told.get("Message") or "").split())
        reason = f"{code_of(error)}: {text}" if text else code_of(error) or str(status_of(error))
    else:
        reason = " ".join(str(error).split()) or type(error).__name__
    return reason if len(reason) <= _LONGEST_REASON else reason[:_LONGEST_REASON] + "..."
