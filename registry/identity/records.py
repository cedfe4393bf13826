"""Certificates as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from meshway.identity import IdentityFault, parse_spiffe_id, parse_subject
from meshway.problem import FieldError, invalid_request
from registry.store.certificates import CertificateShown, certificate_of, read_certificates
from registry.view.paging import cursor_of, key_at

if TYPE_CHECKING:
    from registry.store.interface import Store


class CertificatePage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """next: the cursor of the page after this one."""

    items: list[CertificateShown]
    next: str | None = None


async def certificate_page(
    store: Store, trust_domain: str, *, now: float, subject: str, cursor: str | None, limit: int
) -> CertificatePage:
    """Those that have not expired, by subject. subject "": of all. Raises Problem 422."""
    named = subject_text(subject, trust_domain) if subject else ""
    after = ("", "") if cursor is None else key_at(cursor)
    if len(after) != 2:
        after = ("", "")
    (rows,) = await store.do([read_certificates(now, subject=named, after=(after[0], after[1]), count=limit + 1)])
    records = [certificate_of(row) for row in rows]
    is_more = len(records) > limit
    shown = [one.shown() for one in records[:limit]]
    return CertificatePage(items=shown, next=cursor_of((shown[-1].subject, shown[-1].serial)) if is_more else None)


def subject_text(subject: str, trust_domain: str) -> str:
    """The whole name of whom people call `shop/books`. Raises Problem 422."""
    try:
        if subject.startswith("spiffe:"):
            return parse_spiffe_id(subject).text
        return parse_subject(subject, trust_domain).text
    except IdentityFault as fault:
        message = f"subject: {fault}"
        raise invalid_request(message, (FieldError(path="subject", code="bad_name", message=message),)) from None
