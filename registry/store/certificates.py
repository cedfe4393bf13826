"""Certificates that were issued: looked up by serial, by whom they are for, and by what they were issued for."""

from typing import Final

import msgspec
from sqlalchemy import BigInteger, Float, Text, and_, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from registry.store.steps import Query, Row, Step
from registry.store.tables.trust import CERTIFICATES


class CertificateShown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What people are told of one. Times: seconds since 1970. issued_by: `enrolment ID` or `renewal SERIAL`.
    revoked_at, replaced_at: None = not."""

    serial: str
    subject: str
    authority: str
    not_before: float
    not_after: float
    issued_by: str
    replaced_at: float | None = None
    revoked_at: float | None = None
    revoked_by: str = ""
    reason: str = ""


class CertificateRecord(CertificateShown, frozen=True, gc=False, kw_only=True, omit_defaults=False):
    """A row of `certificates`."""

    request: bytes
    value: bytes

    def shown(self) -> CertificateShown:
        return CertificateShown(**{name: getattr(self, name) for name in CertificateShown.__struct_fields__})


_C: Final = CERTIFICATES.c
_serial: Final = bindparam("which", type_=Text)
_now: Final = bindparam("now", type_=Float)
_is_good: Final = and_(_C.not_after > _now, _C.revoked_at.is_(None))
_ADD: Final = Query(insert(CERTIFICATES).values({column.name: bindparam(column.name) for column in _C}))
_ONE: Final = Query(select(CERTIFICATES).where(_C.serial == _serial))
_ISSUED_BY: Final = Query(select(CERTIFICATES).where(_C.issued_by == bindparam("by", type_=Text)))
_PAGE: Final = Query(
    select(CERTIFICATES)
    .where(
        _C.not_after > _now,
        or_(bindparam("of", type_=Text) == "", _C.subject == bindparam("of", type_=Text)),
        or_(
            _C.subject > bindparam("after_subject", type_=Text),
            and_(
                _C.subject == bindparam("after_subject", type_=Text),
                _C.serial > bindparam("after_serial", type_=Text),
            ),
        ),
    )
    .order_by(_C.subject, _C.serial)
    .limit(bindparam("count", type_=BigInteger))
)
_REPLACE: Final = Query(
    update(CERTIFICATES).values(replaced_at=_now).where(_C.serial == _serial, _is_good).returning(_C.serial)
)
_REPLACE_ALL: Final = Query(
    update(CERTIFICATES)
    .values(replaced_at=_now)
    .where(_C.subject == bindparam("of", type_=Text), _is_good, _C.replaced_at.is_(None))
)
_revocation: Final = {
    "revoked_at": _now,
    "revoked_by": bindparam("by", type_=Text),
    "reason": bindparam("because", type_=Text),
}
_REVOKE: Final = Query(
    update(CERTIFICATES).values(**_revocation).where(_C.serial == _serial, _is_good).returning(_C.serial)
)
_REVOKE_SUBJECT: Final = Query(
    update(CERTIFICATES)
    .values(**_revocation)
    .where(_C.subject == bindparam("of", type_=Text), _is_good)
    .returning(_C.serial)
)
_REVOKED: Final = Query(
    select(_C.serial).where(_C.not_after > _now, _C.revoked_at.is_not(None)).order_by(_C.not_after.desc(), _C.serial)
)
_UNDER: Final = Query(
    select(_C.subject, func.max(_C.not_after))
    .where(_C.authority == bindparam("authority", type_=Text), _is_good, _C.replaced_at.is_(None))
    .group_by(_C.subject)
    .order_by(_C.subject)
    .limit(bindparam("count", type_=BigInteger))
)
_COUNT: Final = Query(
    select(func.count()).select_from(CERTIFICATES).where(_C.subject == bindparam("of", type_=Text), _C.not_after > _now)
)
_FORGET: Final = Query(delete(CERTIFICATES).where(_C.not_after < bindparam("before", type_=Float)))


def add_certificate(record: CertificateRecord) -> Step:
    return Step(_ADD, msgspec.structs.asdict(record))


def read_certificate(serial: str) -> Step:
    return Step(_ONE, {"which": serial})


def certificates_issued_by(by: str) -> Step:
    return Step(_ISSUED_BY, {"by": by})


def read_certificates(now: float, *, subject: str, after: tuple[str, str], count: int) -> Step:
    """Those that have not expired, by subject and serial. subject "": of all. after: the last of the page before."""
    return Step(_PAGE, {"now": now, "of": subject, "after_subject": after[0], "after_serial": after[1], "count": count})


def replace_certificate(serial: str, now: float) -> Step:
    """It is renewed. NoRow: it is not good any more."""
    return Step(_REPLACE, {"which": serial, "now": now}, needs_row=True)


def replace_certificates(subject: str, now: float) -> Step:
    """Whatever good ones there are of a subject."""
    return Step(_REPLACE_ALL, {"of": subject, "now": now})


def revoke_certificate(serial: str, now: float, *, by: str, reason: str) -> Step:
    return Step(_REVOKE, {"which": serial, "now": now, "by": by, "because": reason})


def revoke_subject(subject: str, now: float, *, by: str, reason: str) -> Step:
    """All of them; its rows are the serials."""
    return Step(_REVOKE_SUBJECT, {"of": subject, "now": now, "by": by, "because": reason})


def revoked_serials(now: float) -> Step:
    """Of those that have not expired, the longest-lived first."""
    return Step(_REVOKED, {"now": now})


def subjects_under(authority: str, now: float, count: int) -> Step:
    """Who holds a good certificate of an authority and no newer one: subject, and when the last of them expires."""
    return Step(_UNDER, {"authority": authority, "now": now, "count": count})


def count_certificates(subject: str, now: float) -> Step:
    """Its one row: how many of a subject have not expired, replaced and revoked ones among them."""
    return Step(_COUNT, {"of": subject, "now": now})


def forget_certificates(before: float) -> Step:
    return Step(_FORGET, {"before": before})


def certificate_of(row: Row) -> CertificateRecord:
    return CertificateRecord(**dict(zip(CERTIFICATES.columns.keys(), row, strict=True)))
