"""Conformance suites and fault-injecting backends for plug-in authors."""

from stratakv.testing.backend_suite import BackendSuite
from stratakv.testing.codec_suite import CodecSuite
from stratakv.testing.eviction_suite import EvictionSuite
from stratakv.testing.faults import (
    Call,
    CrashBackend,
    FlakyBackend,
    RecordingBackend,
    SimulatedCrash,
    SlowBackend,
)
from stratakv.testing.tcp_proxy import TcpProxy

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
