"""What becomes of a Secret that is written: its contents go into the seal, and the document tells of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from meshway.model.decode import canonical
from meshway.model.document import Document
from meshway.model.secret import SERVING, Secret, SecretVersion
from meshway.model.secret_data import key_names
from meshway.problem import FieldError, Problem, invalid_document
from meshway.sealing import SealBroken
from registry.view.rows import DocumentRow, time_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshway.sealing import Sealing

MOST_VERSIONS: Final = 5


class Contents(msgspec.Struct, frozen=True, array_like=True):
    """One version. Times: seconds since 1970; until None: for good."""

    n: int
    created_at: float
    until: float | None
    data: Any


_encode: Final = msgspec.msgpack.Encoder(order="deterministic").encode
_decoder: Final = msgspec.msgpack.Decoder(list[Contents])


def opened(row: DocumentRow, sealing: Sealing) -> list[Contents]:
    """Newest first. Raises SealBroken."""
    return _decoder.decode(sealing.unseal(row.sealed, row.document.name))


def settled(
    document: Document, spec: Secret, before: DocumentRow | None, sealing: Sealing | None, at: float
) -> tuple[Document, Secret, bytes]:
    """What is stored: the document as everybody may see it, its spec, and what is sealed. at: seconds since 1970.

    Raises Problem 422, 409 `no_master_key`, 500 `seal_broken`.
    """
    if sealing is None:
        raise Problem(
            409,
            "no_master_key",
            "No master key",
            detail="registries that share a database seal secrets by a master key that each of them is given",
            mend="start every registry with the same MESHWAY_MASTER_KEY_FILE",
        )
    held = [] if before is None else _held(before, sealing)
    _refuse_another_type(document, spec, before)
    if spec.keep:
        if not held:
            raise _invalid(document, "data", "missing_field", "is required: there is nothing that could be kept")
        versions = held
    else:
        versions = _with_new(held, spec, at)
    if spec.drop_old or spec.type in SERVING:
        versions = versions[:1]
    shown = Secret(
        type=spec.type,
        keep=True,
        overlap=spec.overlap,
        share_with=spec.share_with,
        versions=tuple(_told(version, spec.type, sealing) for version in versions),
    )
    stored = msgspec.structs.replace(document, spec=canonical(shown))
    if before is not None and versions == held:
        return (
            stored,
            shown,
            before.sealed,
        )  # a seal is another each time, and a write that changes nothing changes none
    return stored, shown, sealing.seal(_encode(versions), document.name)


def _held(before: DocumentRow, sealing: Sealing) -> list[Contents]:
    try:
        return opened(before, sealing)
    except SealBroken as broken:
        raise Problem(
            500, "seal_broken", "Seal broken", detail=str(broken), mend="delete it and write it anew"
        ) from broken


def _with_new(held: Sequence[Contents], spec: Secret, at: float) -> list[Contents]:
    """The same contents again are no new version; what ended is forgotten with the next one."""
    data = msgspec.to_builtins(spec.data)
    if held and held[0].data == data:
        return list(held)
    end = at + float(spec.overlap)
    former = [
        msgspec.structs.replace(version, until=end if version.until is None else min(version.until, end))
        for version in held
    ]
    number = held[0].n + 1 if held else 1
    return [Contents(number, at, None, data), *(one for one in former if (one.until or end) > at)][:MOST_VERSIONS]


def _told(version: Contents, kind: str, sealing: Sealing) -> SecretVersion:
    return SecretVersion(
        n=version.n,
        created_at=time_text(version.created_at),
        until=None if version.until is None else time_text(version.until),
        fingerprint=sealing.fingerprint(_encode(version.data)),
        keys=key_names(kind, version.data),
    )


def _refuse_another_type(document: Document, spec: Secret, before: DocumentRow | None) -> None:
    former = None if before is None else before.document.spec.get("type")
    if former not in (None, spec.type):
        reason = f"is {former} since it was made, and stays so: give another one another name"
        raise _invalid(document, "type", "forbidden_combination", reason)


def _invalid(document: Document, field: str, code: str, reason: str) -> Problem:
    path = f"spec.{field}"
    error = FieldError(document=document.name, path=path, code=code, message=f"{path}: {reason}")
    return invalid_document(f"Invalid {document.kind}", (error,))
