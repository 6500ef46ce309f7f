"""The codec that stores tables column by column."""

from stratakv.engine.codecs.columns.codec import ColumnsCodec

__all__ = ["ColumnsCodec"]
