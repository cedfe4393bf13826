"""Passwords of Secrets of type basic_users, hashed as they arrive: argon2id, RFC 9106, beside the loop.

The same password again keeps its hash, so that the same document written again is unchanged.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from meshway.model.decode import canonical
from meshway.model.secret import Secret
from meshway.passwords import AT_ONCE, OF_CALLS, hashed, is_right
from meshway.sealing import SealBroken
from registry.documents.sealed import opened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshway.model.document import Document, Spec
    from meshway.sealing import Sealing
    from registry.view.view import View


class Passwords:
    def __init__(self, view: View, sealing: Sealing | None) -> None:
        self._view, self._sealing = view, sealing
        self._room = asyncio.Semaphore(AT_ONCE)

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
    return former if former is not None and is_right(password, former) else hashed(password, OF_CALLS)
