"""`python -m stratakv.config` prints the reference page of all settings."""

from __future__ import annotations

import sys

from stratakv.config.explain import reference_page

sys.stdout.write(reference_page())
