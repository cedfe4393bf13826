"""Certificates that must not be believed any more, though their dates say otherwise.

They are told by the feed and not asked for, so a gateway knows within a second and needs no registry for it.
"""

from __future__ import annotations

from string import hexdigits
from typing import TYPE_CHECKING, Final

import msgspec

from meshway.model.trust_bundle import MAX_REVOKED
from meshway.problem import FieldError, Problem, invalid_request, not_found
from registry.identity.issuing import written_serial
from registry.identity.publishing import TOLD_ON_S
from registry.identity.records import subject_text
from registry.store.authorities import change_trust
from registry.store.certificates import revoke_certificate, revoke_subject, revoked_serials
from registry.store.enrolments import remove_enrolments_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.identity.custody import Custody
    from registry.identity.publishing import Publisher
    from registry.store.interface import Store

_MAX_REASON: Final = 200


class Revoked(msgspec.Struct, frozen=True, kw_only=True):
    """serials: those that were good until now. revision: gateways that run it believe none of them."""

    serials: list[str]
    revision: int


class Revocation:
    """wall: seconds since 1970."""

    def __init__(self, store: Store, custody: Custody, publisher: Publisher, wall: Callable[[], float]) -> None:
        self._store = store
        self._custody = custody
        self._publisher = publisher
        self._wall = wall

    async def revoke(self, *, serial: str = "", subject: str = "", by: str, reason: str = "") -> Revoked:
        """One certificate, or all of a subject with its unused tokens. Again: it changes nothing. Raises Problem 404,
        409, 422."""
        if bool(serial) is bool(subject):
            raise _invalid("serial", "name a serial or a subject, one of them")
        if len(reason) > _MAX_REASON:
            raise _invalid("reason", f"has more than {_MAX_REASON} characters")
        trust, now = await self._custody.trust(), self._wall()
        (before,) = await self._store.do([revoked_serials(now - TOLD_ON_S)])
        if len(before) >= MAX_REVOKED:
            raise Problem(
                409,
                "too_many_revoked",
                "Too many are revoked",
                detail=f"{len(before)} revoked certificates have not expired, and gateways keep no more",
                mend="rotate the root: meshway ca rotate",
            )
        if subject:
            named = subject_text(subject, trust.trust_domain)
            steps = [
                change_trust(),
                remove_enrolments_of(named),
                revoke_subject(named, now, by=by, reason=reason),
            ]
        else:
            serial = _serial(serial)
            steps = [change_trust(), revoke_certificate(serial, now, by=by, reason=reason)]
        rows = (await self._store.do(steps))[-1]
        serials = sorted(str(one) for (one,) in rows)
        if serial and not serials and serial not in {one for (one,) in before}:
            raise not_found(f"certificate {serial[:64]}", "it has expired, or was never issued: meshway ca show")
        return Revoked(serials=serials, revision=await self._publisher.publish())


def _serial(text: str) -> str:
    """As it is kept: tools write it in capitals, with colons, or without a first nought. Raises Problem 422."""
    digits = text.replace(":", "")
    if not digits or not set(digits) <= set(hexdigits):
        raise _invalid("serial", f"{text[:64]!r} is no serial in hex")
    return written_serial(int(digits, 16))


def _invalid(path: str, why: str) -> Problem:
    message = f"{path}: {why}"
    return invalid_request(message, (FieldError(path=path, code="out_of_bounds", message=message),))
