"""The sections that say where data lies: `storage`, `wrap` and `tiered_storage`.

Owns these declarations and the contradictions within one section, nothing else. A setting exists when it
stands in a section class; documentation, checking, YAML, the environment and `config show` follow from it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from stratakv.config.setting import NOT_NEGATIVE, POSITIVE, Limits, Section, declared, setting

if TYPE_CHECKING:
    from collections.abc import Iterator

EVICTION_POLICIES = (
    "adaptive", "arc", "fifo", "gdsf", "lfu", "lirs", "lru", "s3+", "s3-fifo", "sieve", "w-tinylfu"
)  # fmt: skip
"""Our own; policies of others join through the entry-point group of that name."""
POLICY_ENTRY_POINTS = "stratakv.policies"
ALL_METHODS = "*"


def _check_text(value: str) -> str | None:
    return None if value.strip() and "\0" not in value else "text that is not empty"


def _check_policy(value: str) -> str | None:
    if value in EVICTION_POLICIES or value in entry_points(group=POLICY_ENTRY_POINTS).names:
        return None
    guess = get_close_matches(value.lower(), EVICTION_POLICIES, n=1)
    hint = f" (did you mean {guess[0]!r}?)" if guess else ""
    return f"one of {', '.join(map(repr, EVICTION_POLICIES))}, or the name of another that is installed{hint}"


def _check_method(value: str) -> str | None:
    return None if value == ALL_METHODS or value.isidentifier() else "a method name, or '*' for all of them"


def _check_mode(value: str) -> str | None:
    return "'absorb' or 'write_through': 'encode' is not there yet" if value == "encode" else None


def _check_endpoint(value: str) -> str | None:
    """Accept an http(s) address. What is wrong never repeats the address: it may hold a password."""
    wanted = "an address such as 'https://s3.example.org'"
    try:
        parts = urlsplit(value)
        credentials, host, _ = parts.username, parts.hostname, parts.port
    except ValueError:
        return wanted
    if credentials is not None or "@" in parts.netloc:
        return wanted + " without user and password; credentials come from the AWS profile or environment"
    return None if parts.scheme in {"http", "https"} and host else wanted


def _check_bucket(value: str) -> str | None:
    wanted = "a bucket's name alone, of letters, digits and '.-_', without s3:// or a path"
    return None if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}", value, re.ASCII) else wanted


def _check_prefix(value: str) -> str | None:
    wanted = "parts of letters, digits and '._-' joined by '/'"
    return None if not value or re.fullmatch(r"[\w.-]+(/[\w.-]+)*/?", value, re.ASCII) else wanted


@dataclass(slots=True)
class StorageConfig(Section):
    """Where the store lies and what an acknowledgement promises."""

    path: str | None = setting(
        None,
        "Directory of the store; none = a private temporary directory, removed at shutdown",
        check=_check_text,
    )
    durability: Literal["process", "sync", "none"] = setting(
        "process",
        "Acknowledged writes survive: 'process' a kill of the process, 'sync' a power loss, 'none' neither",
    )
    sync_interval_ms: float = setting(
        1000.0, "With 'process': milliseconds of writes that a power loss may take at most", limits=POSITIVE
    )
    erase_within_days: float = setting(30.0, "Days after which deleted data is gone from every file", limits=POSITIVE)
    checkpoint_interval_seconds: float = setting(
        5.0, "Seconds after which acknowledged writes move from the journal into packs", limits=POSITIVE
    )
    dirty_limit_mb: float = setting(
        32.0, "MB of writes waiting for a checkpoint before writers are held back", limits=POSITIVE
    )
    dirty_limit_entries: int = setting(
        50_000, "Number of writes waiting for a checkpoint before writers are held back", limits=Limits(low=1)
    )
    journaled_value_kb: float = setting(
        1024.0,
        "KB of plaintext above which a value does not go through the journal: its chunks are durable first",
        limits=Limits(low=1, high=1 << 20),
    )
    pack_size_mb: float = setting(
        8.0, "MB of one pack, the immutable object that many values share", limits=Limits(above=0, high=1024)
    )
    grace_seconds: float = setting(
        300.0, "Seconds that unreferenced data stays before it is removed", limits=NOT_NEGATIVE
    )
    reserve_kb: int = setting(
        256,
        "KB preallocated so that deletes and clean-up still work on a full disk",
        limits=Limits(low=0, high=1 << 20),
    )


@dataclass(slots=True)
class WrapConfig(Section):
    """How a wrapped engine is used."""

    mode: Literal["absorb", "write_through"] = setting(
        "absorb",
        "'absorb': values move into the store; 'write_through': the engine gets every write",
        check=_check_mode,
    )
    passthrough: list[str] = field(
        default_factory=list,
        metadata=declared(
            "Other methods of the engine that may be called through the wrapper; '*' = all",
            check=_check_method,
        ),
    )
    max_staleness_seconds: float = setting(
        60.0, "With 'write_through': seconds until a change made behind our back is seen", limits=NOT_NEGATIVE
    )


@dataclass(slots=True)
class WarmConfig(Section):
    """The SSD tier."""

    backend: Literal["disk", "directory"] = setting("disk", "'disk': through diskcache; 'directory': plain files")


@dataclass(slots=True)
class ColdConfig(Section):
    """The object store. Credentials are never configured here: boto3 finds them."""

    backend: Literal["directory", "s3"] = setting("directory", "'directory': plain files; 's3': an S3 bucket")
    path: str | None = setting(None, "With 'directory': where; none = inside storage.path", check=_check_text)
    bucket: str | None = setting(None, "With 's3': name of the bucket, which must exist", check=_check_bucket)
    prefix: str = setting(
        "", "With 's3': what every object's name begins with, such as 'prod/cache'", check=_check_prefix
    )
    endpoint_url: str | None = setting(
        None, "With 's3': address of a compatible server; none = AWS", check=_check_endpoint
    )
    region: str | None = setting(None, "With 's3': region; none = as boto3 finds it", check=_check_text)
    profile: str | None = setting(None, "With 's3': AWS profile; none = as boto3 finds it", check=_check_text)
    storage_class: str | None = setting(
        None, "With 's3': storage class of packs, such as STANDARD_IA; none = the bucket's default", check=_check_text
    )
    checksums: Literal["when_required", "when_supported"] = setting(
        "when_required",
        "With 's3': when requests carry boto3's newer checksums; compatible servers may refuse 'when_supported'",
    )
    connect_timeout_seconds: float = setting(3.0, "With 's3': seconds to wait for a connection", limits=POSITIVE)
    read_timeout_seconds: float = setting(5.0, "With 's3': seconds to wait for an answer", limits=POSITIVE)
    attempts: int = setting(3, "With 's3': how often a request is tried", limits=Limits(low=1, high=20))
    concurrency: int = setting(8, "With 's3': most requests at the same time", limits=Limits(low=1, high=256))
    upload_mb_per_second: float | None = setting(
        32.0, "Most MB a second that background work writes to a remote cold tier; none = no bound", limits=POSITIVE
    )
    backups: bool | None = setting(
        None,
        "True keeps a manifest of the owner and backups of the catalog in the cold tier, so that it alone restores the "
        "store; none = with 's3'",
    )
    take_over: bool = setting(
        False, "True makes this store the owner of a remote cold tier that another store owns: for one opening"
    )
    backup_interval_seconds: float = setting(300.0, "Seconds between backups of what changed", limits=POSITIVE)

    def contradictions(self) -> Iterator[tuple[str, str]]:
        if self.backend == "s3":
            if self.bucket is None:
                yield "bucket", "is missing: backend 's3' needs the name of a bucket"
            if self.path is not None:
                yield "path", "belongs to backend 'directory': remove it, or set backend to 'directory'"
            if self.backups is False:
                yield "backups", "is false, but one bucket may have two owners: remove it"
            return
        for key in ("bucket", "endpoint_url", "storage_class"):
            if getattr(self, key) is not None:
                yield key, "belongs to backend 's3': remove it, or set backend to 's3'"
        if self.backups and self.path is None:
            yield "backups", "is true, but the cold tier lies in storage.path and is lost with it: set path"


@dataclass(slots=True)
class TieredStorageConfig(Section):
    """Hot (RAM), warm (SSD) and cold (object store)."""

    enabled: bool = setting(True, "False keeps all data warm: nothing is demoted to cold")
    hot_capacity_mb: float | None = setting(
        None,
        "MB of RAM for values, overhead included; none = from the optimisation level",
        limits=POSITIVE,
        from_level=True,
    )
    warm_capacity_mb: float | None = setting(None, "MB on SSD; none = no limit", limits=POSITIVE)
    eviction_policy: str = setting(
        "adaptive",
        "Which value leaves RAM first: 'adaptive' follows the workload; 'arc', 'fifo', 'gdsf', 'lfu', 'lirs', 'lru', "
        "'s3+', 's3-fifo', 'sieve' and 'w-tinylfu' are the ones of those names",
        check=_check_policy,
    )
    hit_objective: Literal["objects", "bytes"] = setting(
        "objects",
        "What 'adaptive' works for: 'objects', that most reads find their value in RAM; 'bytes', that most bytes do",
    )
    hot_to_warm_idle_hours: float = setting(1.0, "Idle hours after which a value leaves RAM", limits=NOT_NEGATIVE)
    warm_to_cold_idle_hours: float = setting(
        24.0, "Idle hours after which a value moves from warm to cold", limits=NOT_NEGATIVE
    )
    promote_to_warm_accesses: int = setting(2, "Reads that bring a value from cold to warm", limits=Limits(low=1))
    promote_to_hot_accesses: int = setting(5, "Reads that bring a value from warm to hot", limits=Limits(low=1))
    migration_interval_seconds: float | None = setting(
        None,
        "Seconds between rounds of movement; none = from the optimisation level",
        limits=POSITIVE,
        from_level=True,
    )
    warm: WarmConfig = field(default_factory=WarmConfig, metadata=declared("The SSD tier"))
    cold: ColdConfig = field(default_factory=ColdConfig, metadata=declared("The object store"))
