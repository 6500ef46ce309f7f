"""What holds for all tests: generated cases are the same in every run, so that a red run can be repeated."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("repeatable")

pytest_plugins = ["tests.servers.moto", "tests.servers.real", "tests.backends.s3_faults"]
