"""Bodies of the datetime family: datetime, date, time, timedelta, timezone, ZoneInfo.

Owns their bytes in both directions. Accepts `datetime.timezone` and `zoneinfo.ZoneInfo` alone as zones,
because only they can be rebuilt from a name or an offset. Invariant: what is read equals what was written, in
the same zone.
"""

from __future__ import annotations

import re
import struct
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from stratakv.engine.serialization.numbers import read_str, write_str
from stratakv.engine.serialization.refusal import RefusedError, name_of
from stratakv.errors import CorruptionError, SerializationError

_DATETIME = struct.Struct(">HBBBBBIB")
_DATE = struct.Struct(">HBB")
_TIME = struct.Struct(">BBBIB")
_DELTA = struct.Struct(">iII")
_OFFSET = struct.Struct(">q")
_MICROSECOND = timedelta(microseconds=1)
_ZONE_KEY = re.compile(r"[A-Za-z0-9_+\-]+(?:/[A-Za-z0-9_+\-]+){0,3}")


def write_datetime(value: datetime) -> bytes:
    """Return wall time, fold and zone."""
    return _DATETIME.pack(
        value.year,
        value.month,
        value.day,
        value.hour,
        value.minute,
        value.second,
        value.microsecond,
        value.fold,
    ) + _write_zone(value.tzinfo)


def read_datetime(body: bytes) -> datetime:
    """Return the datetime of `write_datetime`."""
    year, month, day, hour, minute, second, microsecond, fold = _DATETIME.unpack_from(body)
    zone = _read_zone(body[_DATETIME.size :])
    return datetime(year, month, day, hour, minute, second, microsecond, zone, fold=fold)


def write_date(value: date) -> bytes:
    """Return year, month and day."""
    return _DATE.pack(value.year, value.month, value.day)


def read_date(body: bytes) -> date:
    """Return the date of `write_date`."""
    return date(*_DATE.unpack(body))


def write_time(value: time) -> bytes:
    """Return wall time, fold and zone."""
    fields = (value.hour, value.minute, value.second, value.microsecond, value.fold)
    return _TIME.pack(*fields) + _write_zone(value.tzinfo)


def read_time(body: bytes) -> time:
    """Return the time of `write_time`."""
    hour, minute, second, microsecond, fold = _TIME.unpack_from(body)
    return time(hour, minute, second, microsecond, _read_zone(body[_TIME.size :]), fold=fold)


def write_timedelta(value: timedelta) -> bytes:
    """Return days, seconds and microseconds as Python normalises them."""
    return _DELTA.pack(value.days, value.seconds, value.microseconds)


def read_timedelta(body: bytes) -> timedelta:
    """Return the timedelta of `write_timedelta`."""
    days, seconds, microseconds = _DELTA.unpack(body)
    if seconds >= 86_400 or microseconds >= 1_000_000:
        raise CorruptionError("timedelta is not normalised")
    return timedelta(days, seconds, microseconds)


def write_timezone(value: tzinfo) -> bytes:
    """Return the zone itself as a value."""
    return _write_zone(value)


def read_timezone(body: bytes) -> tzinfo:
    """Return the zone of `write_timezone`."""
    zone = _read_zone(body)
    if zone is None:
        raise CorruptionError("time zone is empty")
    return zone


def _write_zone(zone: tzinfo | None) -> bytes:
    if zone is None:
        return b""
    kind = type(zone)
    if kind is timezone:
        # The arguments for pickling tell a name that was given from the one that is made from the offset.
        arguments = zone.__getinitargs__()  # type: ignore[attr-defined] # typeshed leaves it out
        if arguments == (timedelta(0),):
            return b"U"
        name = b"n" + write_str(arguments[1]) if len(arguments) > 1 else b""
        return b"O" + _OFFSET.pack(arguments[0] // _MICROSECOND) + name
    if isinstance(zone, ZoneInfo) and kind is ZoneInfo and type(zone.key) is str and _ZONE_KEY.fullmatch(zone.key):
        return b"Z" + zone.key.encode("ascii")
    raise RefusedError(
        f"its time zone is a {name_of(kind)}, which cannot be rebuilt exactly; "
        "use datetime.timezone or zoneinfo.ZoneInfo(key)"
    )


def _read_zone(body: bytes) -> tzinfo | None:
    if not body:
        return None
    if body == b"U":
        return timezone.utc  # noqa: UP017 - the name as the format's description has it
    if body[:1] == b"O":
        (microseconds,) = _OFFSET.unpack_from(body, 1)
        offset, name = timedelta(microseconds=microseconds), body[9:]
        if not name:
            return timezone(offset)
        if name[:1] == b"n":
            return timezone(offset, read_str(name[1:]))
    if body[:1] == b"Z":
        return _find_zone(body[1:].decode("ascii"))
    raise CorruptionError("time zone has no known form")


def _find_zone(key: str) -> ZoneInfo:
    if not _ZONE_KEY.fullmatch(key):
        raise CorruptionError("time zone key holds characters that no key has")
    try:
        return ZoneInfo(key)
    except (KeyError, ValueError, OSError) as error:
        raise SerializationError(
            f"the value needs time zone {key!r}, which this system lacks; install the tzdata package"
        ) from error
