"""Which credentials a client used, so that they can be taken out of what a server or boto3 says. Never shows one.

Invariant: a credential that was sent in a request is known before the answer comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_HIDDEN = "***"
_SHORTEST = 4


class Secrets:
    """The credentials that were seen; shared by threads, which may only add to them."""

    def __init__(self) -> None:
        self._known: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"Secrets({len(self._known)} known)"

    def note(self, *secrets: str | None) -> None:
        """Remember credentials."""
        # Stripped, since a line end that slipped in is shown as an escape in boto3's complaint about it.
        found = {secret.strip() for secret in secrets if secret}
        self._known |= {secret for secret in found if len(secret) >= _SHORTEST}

    def learn(self, headers: Mapping[str, Any]) -> None:
        """Remember the credentials in the headers of a signed request: boto3 may have fetched new ones."""
        key = _text(headers.get("Authorization")).partition("Credential=")[2].partition("/")[0].strip()
        token = _text(headers.get("X-Amz-Security-Token")).strip()
        if not {key, token} - {""} <= self._known:
            self.note(key, token)

    def hide(self, text: str) -> str:
        """Return a text without the credentials."""
        for secret in sorted(self._known, key=len, reverse=True):
            text = text.replace(secret, _HIDDEN)
        return text


def _text(header: str | bytes | None) -> str:
    return header.decode("latin-1") if isinstance(header, bytes) else header or ""
