"""`Serializer`: value to plaintext and back.

Owns the choice between the fast way and the exact way, and the translation of errors. Never compresses,
digests or stores. Invariant: `loads(dumps(v))` equals v with the same types everywhere, shares no memory with
it, and equal values have equal plaintexts in every process.
"""

from __future__ import annotations

from sys import getrefcount
from typing import TYPE_CHECKING

from ormsgpack import Ext, Fragment, packb, unpackb

from stratakv.engine.serialization.enums import EnumList
from stratakv.engine.serialization.exact import ExactWriter
from stratakv.engine.serialization.layout import ESCAPE, HOOK_FAILED, PACK_OPTIONS, join
from stratakv.engine.serialization.oversights import taken_wrongly
from stratakv.engine.serialization.reading import Reader
from stratakv.engine.serialization.writing import Options, Writer
from stratakv.errors import CorruptionError, SerializationError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from enum import Enum


class Serializer:
    """Turns values into plaintext and back, exactly. Safe to share between threads.

    Args:
        allow_pickle: Whether objects of other types travel as pickles (`serialization.allow_pickle`).
        enums: Enum classes whose members may be stored and read, or their names such as
            "package.module:Color". Modules are never imported: a name is looked up among those already
            imported.
        trust_pickle: Whether pickles are read unless a call says otherwise: a store restored from elsewhere does not.

    Raises:
        ConfigurationError: An entry of `enums` is neither a class nor a name of one.
    """

    def __init__(
        self, *, allow_pickle: bool = False, enums: Iterable[str | type[Enum]] = (), trust_pickle: bool = True
    ) -> None:
        self._trust_pickle = trust_pickle
        self._enums = EnumList(enums)
        self._options = Options(allow_pickle, self._enums)

    def dumps(self, value: object) -> bytes:
        """Return the plaintext of a value.

        Accepted: None, bool, int, float, complex, str, bytes, bytearray, list, tuple, set, frozenset, dict,
            the
        datetime family with `timezone` and `ZoneInfo`, Decimal, Fraction, UUID, members of listed Enum
        classes, numpy arrays and scalars without objects, scipy.sparse; nested up to `MAX_DEPTH` levels.
        memoryview and subclasses of these types are not.

        Raises:
            SerializationError: Something in the value is not accepted: the message names its type, its path
                inside the value and what to do.
        """
        writer = Writer(self._options)
        try:
            tree = packb(value, writer.default, PACK_OPTIONS)
        except Exception:  # noqa: BLE001 - whatever it was, the exact way meets it again and can name the place
            return self._exactly(value, writer)
        # The packer turns bytearray and memoryview into bytes without a word; bytes begin with one of three
        # markers. Ext and Fragment objects leave no mark at all; but each holds a reference to its type while
        # it lives.
        if (
            0xC4 in tree
            or 0xC5 in tree
            or 0xC6 in tree
            or getrefcount(Ext) != _EXT_REFERENCES
            or getrefcount(Fragment) != _FRAGMENT_REFERENCES
        ) and taken_wrongly(value):
            return self._exactly(value, writer)
        return join(tree, writer.buffers) if writer.buffers else tree

    def _exactly(self, value: object, failed: Writer) -> bytes:
        if failed.failure is not None and not isinstance(failed.failure, Exception):
            # The packer hides an interrupt behind its own error.
            raise failed.failure
        writer = ExactWriter(self._options)
        tree = writer.write(value)
        return join(tree, writer.buffers) if writer.buffers else tree

    def _reader(self, trust_pickle: bool | None) -> Reader:
        return Reader(self._enums, self._trust_pickle if trust_pickle is None else trust_pickle)

    def loads(self, plaintext: bytes | bytearray | memoryview, *, trust_pickle: bool | None = None) -> object:
        """Return the value of a plaintext. It shares no memory with the plaintext.

        Args:
            plaintext: What `dumps` returned.
            trust_pickle: Whether the caller vouches for the bytes: unpickling runs code that they choose. None: as
                this serializer was made.

        Raises:
            CorruptionError: The bytes are not a plaintext.
            SerializationError: The value needs what this process lacks or refuses: an Enum class that is not
                listed or not imported, a time zone, scipy, or a pickle that is not trusted.
        """
        return self._loads(plaintext, trust_pickle, again=False)

    def _loads(self, plaintext: bytes | bytearray | memoryview, trust_pickle: bool | None, *, again: bool) -> object:
        reader = None

        def hook(code: int, body: bytes) -> object:
            # Most values have nothing that asks for it, so it is made when something does.
            nonlocal reader
            if reader is None:
                reader = self._reader(trust_pickle)
            return reader.hook(code, body)

        try:
            if plaintext[0] != ESCAPE:
                return unpackb(plaintext, ext_hook=hook)
            reader = self._reader(trust_pickle)
            return reader.read(plaintext)
        except Exception as error:
            cause = reader.failure or error if reader is not None else error
            if isinstance(cause, RecursionError):
                raise SerializationError("the value nests deeper than the interpreter's stack has room for") from error
            if isinstance(cause, CorruptionError | SerializationError | MemoryError) or not isinstance(
                cause, Exception
            ):
                raise cause from None
            if str(cause) == HOOK_FAILED and not again:
                # It failed before it could say why. If it does not again, a signal's handler has raised as it began.
                self._loads(plaintext, trust_pickle, again=True)
                raise KeyboardInterrupt from None
            raise CorruptionError(f"plaintext of {len(plaintext)} bytes is damaged: {cause}") from cause


# Counted where no instance is alive. A name imported elsewhere later only costs time: the look is then taken
# always.
_EXT_REFERENCES = getrefcount(Ext)
_FRAGMENT_REFERENCES = getrefcount(Fragment)
