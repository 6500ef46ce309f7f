"""Objects that the C packer takes without asking, and wrongly.

Owns the look for them in a value that was packed already, so it is free of cycles and of odd keys.
"""

from __future__ import annotations

from gc import get_referents

from ormsgpack import Ext, Fragment

# The first two become bytes; the others are copied into the output as they are.
_TAKEN_WRONGLY = frozenset({bytearray, memoryview, Ext, Fragment})
_CONTAINERS = frozenset({list, dict, tuple, set, frozenset})


def taken_wrongly(value: object) -> bool:
    """Return whether a packed value holds such an object. Looks level by level, mostly in C."""
    level: list[object] = [value]
    while True:
        kinds = set(map(type, level))
        if not kinds.isdisjoint(_TAKEN_WRONGLY):
            return True
        if kinds.isdisjoint(_CONTAINERS):
            return False
        level = get_referents(*[item for item in level if type(item) in _CONTAINERS])
