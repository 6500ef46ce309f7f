"""The face's verbs for values that are too large to be held in RAM: streams, ranges and files. Keeps no state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stratakv.engine.face import Face
from stratakv.engine.terms import PutOptions
from stratakv.types import StorageTier

if TYPE_CHECKING:
    from io import BufferedReader

    from stratakv.engine.large.sources import Source


class LargeFace(Face):
    """What `OptimizationMiddleware` inherits."""

    def store_stream(
        self,
        key: str,
        file: Source,
        *,
        tier: StorageTier = StorageTier.WARM,
        pin: bool = False,
        ttl: float | None = None,
        namespace: str | None = None,
    ) -> bool:
        """Store what a file holds, from where it stands on, as one bytes value; a few chunks are in RAM at most.

        Args:
            key: A str of 1 to 1024 bytes.
            file: Opened for reading in binary mode, of any length; a pipe or a socket's file will do.
            tier: Where it is wanted, WARM or COLD; RAM takes no streams.
            pin: As in `store`.
            ttl: As in `store`.
            namespace: As in `store`.

        Returns:
            True once it is acknowledged at the configured durability. What reads the key before still finds the old
            value, and goes on finding it if the file ends with an error.

        Raises:
            CapacityError: No room; nothing was stored.
            ConfigurationError: A bad key or argument, or no file of bytes.
        """
        self._working().put_stream(key, file, PutOptions(tier, pin, ttl, namespace))
        return True

    def retrieve_range(self, key: str, start: int, stop: int, default: Any = None) -> Any:
        """Return bytes `start` to `stop` of a bytes value, or rows of an array, as a slice would; `default` on a miss.

        Of a large value only the chunks are read that hold them, and each is verified. An array in Fortran order, whose
        rows lie scattered, is read as a whole.

        Raises:
            ConfigurationError: No such range, or the value has none: it is neither bytes nor an array with rows.
            CorruptionError, TierUnavailableError: As `retrieve`.
        """
        return self._working().get_range(key, start, stop, default)

    def open(self, key: str) -> BufferedReader:
        """Return a bytes value as a file that can be read and wound; of a large value a few chunks are in RAM at most.

        It shows the value as it was when it was opened, whatever becomes of the key, until it is closed.

        Raises:
            KeyError: There is no such key.
            ConfigurationError: The value is not bytes.
        """
        file = self._working().open(key)
        if file is None:
            raise KeyError(key)
        return file
