"""What the configured compression level (1 fast to 9 small) means for zstd, by place.

Pure decisions. The figures are of JSON records of about 0.7 KB on one core of a small server: read them as
proportions.
"""

from __future__ import annotations

from stratakv.errors import ConfigurationError

_FAST_LEVELS = (1, 1, 3, 3, 3, 3, 3, 3, 3)
_WARM_LEVELS = (1, 3, 3, 5, 5, 6, 7, 9, 12)
_COLD_LEVELS = (3, 5, 9, 12, 13, 15, 17, 18, 19)


def fast_level(level: int) -> int:
    """Map a configured level (1..9) to zstd's for single records at store time.

    With a dictionary zstd's level 3 is as fast as 1 and 2 (2.5 us for 0.7 KB) and 5 to 13% smaller; 6 is 2%
    smaller again and takes four times as long. So there is little to choose.
    """
    return _FAST_LEVELS[_checked(level) - 1]


def warm_level(level: int) -> int:
    """Map a configured level (1..9) to zstd's for blocks of about 4 KB with a dictionary.

    3: 170 to 400 MB/s; 6: 60 to 110 MB/s and 4 to 16% smaller; 12: 20 to 60 MB/s and 2 to 6% smaller again.
    """
    return _WARM_LEVELS[_checked(level) - 1]


def cold_level(level: int) -> int:
    """Map a configured level (1..9) to zstd's for blocks of 256 KB to 1 MB.

    9: 70 to 150 MB/s; 12: 10 to 30 MB/s and 1 to 4% smaller; 15: 8 to 16 MB/s and 2 to 7% smaller again; 19: 3 to 6
    MB/s and 1 to 2% smaller again.
    """
    return _COLD_LEVELS[_checked(level) - 1]


def _checked(level: int) -> int:
    if not 1 <= level <= 9:
        raise ConfigurationError(f"compression level {level} is not in 1..9")
    return level
