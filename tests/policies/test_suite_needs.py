"""What `stratakv.testing` offers to others can be imported without this project's own development tools."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
sys.modules["hypothesis"] = sys.modules["pytest"] = None  # as if they were not installed
from stratakv.testing import BackendSuite, CodecSuite, FlakyBackend, TcpProxy
try:
    from stratakv.testing import EvictionSuite
except ImportError as refused:
    print(refused)
"""


def test_only_the_suite_of_policies_needs_hypothesis_and_says_so() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "hypothesis: pip install 'stratakv[testing]'" in done.stdout
