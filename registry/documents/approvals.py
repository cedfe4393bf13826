"""How many people besides the author must agree before documents change: MeshSettings and Namespace `approvals`.

Judged by what holds before the write, so that no write lowers what it is judged by. What the registry does by itself
(certificates it issues, leases, a running Rollout that somebody published) needs nobody's word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from meshway.model import mesh_settings
from meshway.model.document import MESH_NAMESPACE
from meshway.model.kinds import OWN_KINDS
from meshway.model.mesh_settings import MeshSettings
from meshway.model.namespace import Namespace
from meshway.problem import FieldError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from registry.view.rows import DocumentKey, DocumentRow

_SETTINGS: Final = (MeshSettings.__name__, MESH_NAMESPACE, mesh_settings.NAME)
_MEND: Final = (
    "POST /v1/apply makes it a change in review; people approve and publish it, in the console or by /v1/changes"
)
_SECRET_MEND: Final = "an admin writes Secrets here: nobody who approves could see what one holds"  # noqa: S105 - no secret


class Agreement(msgspec.Struct, frozen=True):
    """people: who agreed, besides the author. is_waived: an admin's word, or what the registry does by itself: nobody
    has to. is_admin: whether an admin writes."""

    people: int = 0
    is_waived: bool = False
    is_admin: bool = False


NONE: Final = Agreement()
WAIVED: Final = Agreement(is_waived=True)


class Documents(Protocol):
    def document(self, key: DocumentKey) -> DocumentRow | None: ...


def approvals_of(keys: Iterable[DocumentKey], documents: Documents) -> int:
    """The most that any of them needs. documents: as they are before the write."""
    return max((_needed(key, documents) for key in keys), default=0)


def refuse_unapproved(keys: Iterable[DocumentKey], documents: Documents, agreement: Agreement) -> None:
    """Raises Problem 409 `needs_approval` with every document that may not change so."""
    if agreement.is_waived:
        return
    errors, mend = [], _MEND
    for key in keys:
        needed = _needed(key, documents)
        if not needed or key[0] in OWN_KINDS:
            continue
        name = "{} {}/{}".format(*key)
        if key[0] == "Secret":
            if agreement.is_admin:
                continue
            message, mend = f"{name} is written by admins alone where approvals are needed", _SECRET_MEND
        elif agreement.people >= needed:
            continue
        else:
            message = f"{name} needs {needed} to approve besides the author, {agreement.people} did"
        errors.append(FieldError(document=name, path="", code="needs_approval", message=message))
    if errors:
        raise Problem(
            409, "needs_approval", "Others must agree", detail=errors[0].message, errors=tuple(errors[:100]), mend=mend
        )


def _needed(key: DocumentKey, documents: Documents) -> int:
    kind, namespace, name = key
    of = [_settings_of(documents), _namespace_of(namespace, documents)]
    if kind == Namespace.__name__:
        of.append(_namespace_of(name, documents))
    return max(of)


def _settings_of(documents: Documents) -> int:
    row = documents.document(_SETTINGS)
    return row.spec.approvals if row is not None and isinstance(row.spec, MeshSettings) else 0


def _namespace_of(name: str, documents: Documents) -> int:
    """It only raises what the mesh asks for: the larger one counts."""
    row = documents.document((Namespace.__name__, MESH_NAMESPACE, name))
    return row.spec.approvals if row is not None and isinstance(row.spec, Namespace) else 0
