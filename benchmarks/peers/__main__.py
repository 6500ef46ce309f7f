"""Lets `python -m benchmarks.peers` run the benchmark."""

from __future__ import annotations

import sys

from benchmarks.peers.command import main

sys.exit(main(sys.argv[1:]))
