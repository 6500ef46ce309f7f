"""Values to plaintext and back, exactly: type, order and bits.

`Serializer` is the way in; `segments` tells a compressor how a plaintext is laid out. The format, byte by
byte, is told in `stratakv.engine.serialization.layout`. Nothing here compresses, digests or stores.
"""

from stratakv.engine.serialization.layout import MAX_DEPTH
from stratakv.engine.serialization.segments import Segment, segments
from stratakv.engine.serialization.serializer import Serializer

__all__ = ["MAX_DEPTH", "Segment", "Serializer", "segments"]
