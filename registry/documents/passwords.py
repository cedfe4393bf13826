"""Passwords of Secrets of type basic_users, hashed as they arrive: argon2id, RFC 9106, beside the loop.

The same password again keeps its hash, so that the same document written again is unchanged.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, Final

import msgspec
from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from meshway.model.decode import canonical
from meshway.model.secret import Secret
from meshway.sealing import SealBroken
from registry.documents.sealed import opened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshway.model.document import Document, Spec
    from meshway.sealing import Sealing
    from registry.view.view import View

# OWASP's first choice: 19 MiB, two turns, one lane; some 60 ms.
_MEMORY_KIB: Final = 19_456
_TURNS: Final = 2
_AT_ONCE: Final = 2


class Passwords:
    def __init__(self, view: View, sealing: Sealing | None) -> None:
        self._view, self._sealing = view, sealing
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def hashed(self, document: Document, spec: Spec) -> tuple[Document, Spec]:
        """The document without passwords; one that has none as it is."""
        if not isinstance(spec, Secret) or spec.type != "basic_users" or spec.data is None:
            return document, spec
        former = self._former(document)
        users = []
        for user in spec.data:
            if "password" in user:
                async with self._room:
                    text = await asyncio.to_thread(_hash, user["password"].encode(), former.get(user["username"]))
                users.append({"username": user["username"], "hash": text})
            else:
                users.append(user)
        safe = msgspec.structs.replace(spec, data=users)
        return msgspec.structs.replace(document, spec=canonical(safe)), safe

    def _former(self, document: Document) -> Mapping[str, str]:
        """By user name, the newest."""
        row = self._view.document((document.kind, document.metadata.namespace, document.metadata.name))
        if row is None or self._sealing is None or row.document.spec.get("type") != "basic_users":
            return {}
        try:
            newest: Any = opened(row, self._sealing)[0].data
        except SealBroken:
            return {}
        return {user["username"]: user["hash"] for user in newest}


def _hash(password: bytes, former: str | None) -> str:
    if former is not None:
        try:
            Argon2id.verify_phc_encoded(password, former)
        except (InvalidKey, ValueError):  # ValueError: it is no hash
            pass
        else:
            return former
    kdf = Argon2id(salt=os.urandom(16), length=32, iterations=_TURNS, lanes=1, memory_cost=_MEMORY_KIB)
    return kdf.derive_phc_encoded(password)
