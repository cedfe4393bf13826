"""What the registry itself reads of Secrets: the texts by which it signs, names itself and finds receivers, and whom it
believes where it sends what it keeps.

Nobody is told them: they are in no log, no answer and no error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshway.model.secret import Secret, SecretRef, secret_ref
from meshway.sealing import SealBroken
from registry.documents.referred import referred_secret
from registry.documents.sealed import opened
from registry.view.rows import Reference

if TYPE_CHECKING:
    from meshway.model.secret import SecretType
    from meshway.sealing import Sealing
    from registry.view.view import View


class SecretAway(Exception):
    """A Secret, or the text of it that is wanted, is not to be had; the message names it and says why."""


class SecretTexts:
    """sealing: None where this registry was given no master key."""

    __slots__ = ("_sealing", "_view")

    def __init__(self, view: View, sealing: Sealing | None) -> None:
        self._view, self._sealing = view, sealing

    def one(self, written: str | SecretRef, namespace: str) -> str:
        """namespace: of the document that refers to it. Raises SecretAway."""
        wanted = secret_ref(written)
        texts = self.all(wanted, namespace)
        if wanted.key is not None:
            if wanted.key not in texts:
                raise SecretAway(f"Secret {wanted.secret} has no text {wanted.key}")
            return texts[wanted.key]
        if len(texts) != 1:
            raise SecretAway(f"Secret {wanted.secret} holds {len(texts)} texts: name one by key")
        return next(iter(texts.values()))

    def all(self, written: str | SecretRef, namespace: str) -> dict[str, str]:
        """By their names, of a Secret of type opaque. Raises SecretAway."""
        return dict(self._data(secret_ref(written), namespace, "opaque"))

    def named(self, written: str | SecretRef, namespace: str) -> dict[str, str]:
        """The same, or of these the one whose key the reference gives. Raises SecretAway."""
        wanted = secret_ref(written)
        return self.all(wanted, namespace) if wanted.key is None else {wanted.key: self.one(wanted, namespace)}

    def authorities(self, written: str | SecretRef, namespace: str) -> str:
        """PEM of a Secret of type ca_bundle. Raises SecretAway."""
        found: str = self._data(secret_ref(written), namespace, "ca_bundle")
        return found

    def _data(self, wanted: SecretRef, namespace: str, kind: SecretType) -> Any:
        places = tuple(dict.fromkeys(wanted.namespaces(namespace)))
        reference = Reference("", "secret", namespace, wanted.secret, kind, places, wanted.key or "")
        row = referred_secret(reference, self._view.document)
        if row is None or not isinstance(row.spec, Secret) or row.spec.type != kind:
            raise SecretAway(f"there is no Secret {wanted.secret} of type {kind}")
        if self._sealing is None:
            raise SecretAway("this registry has no master key, and opens no Secret")
        try:
            return opened(row, self._sealing)[0].data
        except SealBroken as broken:
            raise SecretAway(f"Secret {wanted.secret} cannot be opened: write it anew") from broken
