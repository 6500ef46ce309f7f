"""Deleting many objects by few requests. Owns what was learned of whether the server can do that.

Invariant: when `delete` returns, the server has confirmed each object as deleted or missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stratakv.backends.s3_client import S3Client

MOST_KEYS = 1000
"""Keys of one request that deletes or lists."""


class BatchDeletes:
    """Deletes of up to 1000 objects a request; one by one where the server does not know such requests.

    Args:
        client: Asks the server.
    """

    def __init__(self, client: S3Client) -> None:
        self._client = client
        self._one_by_one = False

    def delete(self, names: Sequence[str]) -> None:
        """Delete objects; missing ones are no error. Errors as `Backend.delete_many`, naming the first that is left."""
        for start in range(0, len(names), MOST_KEYS):
            batch = names[start : start + MOST_KEYS]
            if self._one_by_one or not self._delete_batch(batch):
                self._one_by_one = True
                for name in batch:
                    self.delete_one(name)

    def delete_one(self, name: str) -> None:
        """Delete an object, if there is one."""
        place = self._client.place
        self._client.run(f"delete {name}", lambda s3: s3.delete_object(Bucket=place.bucket, Key=place.key(name)))

    def _delete_batch(self, names: Sequence[str]) -> bool:
        """Delete up to 1000 objects at once; return False where the server does not know how."""
        place = self._client.place
        listed = {"Objects": [{"Key": place.key(name)} for name in names], "Quiet": True}

        def act(s3: Any) -> Mapping[str, Any]:
            answer: Mapping[str, Any] = s3.delete_objects(Bucket=place.bucket, Delete=listed)
            return answer

        answer = self._client.run(f"delete {len(names)} objects", act, accept={405, 501})
        if answer is None:
            return False
        self._raise_first(answer.get("Errors", ()))
        return True

    def _raise_first(self, refused: Iterable[Mapping[str, str]]) -> None:
        for entry in refused:
            if entry.get("Code") != "NoSuchKey":
                name = self._client.place.name(entry.get("Key", "")) or "an object"
                raise self._client.refusal(
                    f"delete {name}", "DeleteObjects", entry.get("Code", ""), entry.get("Message", "")
                )
