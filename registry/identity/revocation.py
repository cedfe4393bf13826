"""Certificates that must not be believed any more, though their dates say otherwise.

They are told by the feed and not asked for, so a gateway knows within a second and needs no registry for it.
"""

from __future__ import annotations

from string import hexdigits
from typing import TYPE_CHECKING, Final

import msgspec

from meshway.identity import SCHEME
from meshway.model.nearest import nearest
from meshway.model.trust_bundle import MAX_REVOKED
from meshway.problem import FieldError, Problem, invalid_request, not_found
from registry.identity.issuing import written_serial
from registry.identity.publishing import TOLD_ON_S
from registry.identity.records import subject_text
from registry.store.authorities import change_trust
from registry.store.certificates import (
    certificate_of,
    read_certificates,
    revoke_certificate,
    revoke_subject,
    revoked_serials,
)
from registry.store.enrolments import remove_enrolments_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.identity.custody import Custody
    from registry.identity.publishing import Publisher
    from registry.store.interface import Store

_MAX_REASON: Final = 200
_MOST_LOOKED_AT: Final = 1000


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
        done = await self._store.do(steps)
        serials = sorted(str(one) for (one,) in done[-1])
        if serial and not serials and serial not in {one for (one,) in before}:
            raise await self._unknown(f"certificate {serial[:64]}", serial, "serial", trust.trust_domain)
        if subject and not serials and not done[1]:
            (held,) = await self._store.do([read_certificates(now, subject=named, after=("", ""), count=1)])
            if not held:  # else they are revoked already
                raise await self._unknown(f"a certificate of {subject[:200]}", subject, "subject", trust.trust_domain)
        return Revoked(serials=serials, revision=await self._publisher.publish())

    async def _unknown(self, what: str, written: str, field: str, trust_domain: str) -> Problem:
        """With the nearest one that is there, of so many that are looked at."""
        (rows,) = await self._store.do(
            [read_certificates(self._wall(), subject="", after=("", ""), count=_MOST_LOOKED_AT)]
        )
        records = [certificate_of(row) for row in rows]
        if field == "serial":
            choices = [record.serial for record in records]
        else:
            choices = sorted({_short(record.subject, trust_domain) for record in records})
        close = nearest(written, choices)
        why = "it has expired, or was never issued: meshway ca show"
        return not_found(what, f"{why} (did you mean {close}?)" if close else why)


def _short(subject: str, trust_domain: str) -> str:
    """As people write it."""
    text = subject.removeprefix(f"{SCHEME}{trust_domain}/")
    return text.removeprefix("meshway/").removeprefix("ns/").replace("/svc/", "/", 1)


def _serial(text: str) -> str:
    """As it is kept: tools write it in capitals, with colons, or without a first nought. Raises Problem 422."""
    digits = text.replace(":", "")
    if not digits or not set(digits) <= set(hexdigits):
        raise _invalid("serial", f"{text[:64]!r} is no serial in hex")
    return written_serial(int(digits, 16))


def _invalid(path: str, why: str) -> Problem:
    message = f"{path}: {why}"
    return invalid_request(message, (FieldError(path=path, code="out_of_bounds", message=message),))
