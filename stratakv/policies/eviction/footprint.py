"""What the sizes that a policy remembers cost in RAM.

Owns that one estimate. Never looks at entries: it goes by the mean, so that it is O(1).
"""

from __future__ import annotations

import sys

_SHARED_INTS_UP_TO = 256
_INT_BYTES = sys.getsizeof(1 << 29)


def sizes_bytes(count: int, total: int) -> int:
    """Return the bytes of the ints that hold `count` sizes with the sum `total`; small ints are shared."""
    return count * _INT_BYTES if total > count * _SHARED_INTS_UP_TO else 0
