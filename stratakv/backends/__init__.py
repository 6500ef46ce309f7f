"""Backends: dumb, thread-safe stores of named byte objects."""

from stratakv.backends.base import Backend, ObjectInfo, ObjectNotFoundError
from stratakv.backends.directory import DirectoryBackend
from stratakv.backends.disk import DiskBackend
from stratakv.backends.memory import MemoryBackend
from stratakv.backends.s3 import S3Backend

__all__ = [
    "Backend",
    "DirectoryBackend",
    "DiskBackend",
    "MemoryBackend",
    "ObjectInfo",
    "ObjectNotFoundError",
    "S3Backend",
]
