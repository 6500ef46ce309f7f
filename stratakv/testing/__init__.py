"""Conformance suites and fault-injecting backends for plug-in authors."""

from typing import TYPE_CHECKING

from stratakv.testing.backend_suite import BackendSuite
from stratakv.testing.codec_suite import CodecSuite
from stratakv.testing.faults import (
    Call,
    CrashBackend,
    FlakyBackend,
    RecordingBackend,
    SimulatedCrash,
    SlowBackend,
)
from stratakv.testing.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from stratakv.testing.eviction_suite import EvictionSuite

__all__ = [
    "BackendSuite",
    "Call",
    "CodecSuite",
    "CrashBackend",
    "EvictionSuite",
    "FlakyBackend",
    "RecordingBackend",
    "SimulatedCrash",
    "SlowBackend",
    "TcpProxy",
]


def __getattr__(name: str) -> object:
    """Import the suite that needs a library of its own when it is asked for: the others do without."""
    if name != "EvictionSuite":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from stratakv.testing.eviction_suite import EvictionSuite
    except ModuleNotFoundError as missing:
        raise ImportError("EvictionSuite needs the library hypothesis: pip install 'stratakv[testing]'") from missing
    return EvictionSuite
