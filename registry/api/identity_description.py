"""What the routes below /v1/identity are, for the description of the API."""

from __future__ import annotations

from typing import Any, Final, Literal

from meshway.identity import DEFAULT_TRUST_DOMAIN
from registry.api import identity
from registry.api.parameters import PROBLEM
from registry.identity.enrolment import EnrolmentToken, Issued
from registry.identity.records import CertificatePage
from registry.identity.revocation import Revoked
from registry.identity.service_tokens import ServiceToken
from registry.manners.openapi import Operation, Parameter
from registry.rights.roles import Right

_TAG: Final = "identity"
_KEY: Final = {"type": "object", "required": ["key"], "properties": {"key": {"type": "string"}}}


_REQUEST: Final = "-----BEGIN CERTIFICATE REQUEST-----"
_CERTIFICATE: Final = "-----BEGIN CERTIFICATE-----"


def identity_operations() -> list[Operation]:
    return [*_of_issuing(), *_of_withdrawing(), *_gets()]


def _of_issuing() -> list[Operation]:
    return [
        _post(
            "beginAuthority",
            identity.AUTHORITY,
            "Make the mesh's certificate authority, or take an intermediate of another one.",
            detail="Once; the trust domain stays for ever.",
            body=identity.AuthorityWanted,
            answers={201: identity.IdentityShown, 409: PROBLEM},
            example_body={"trust_domain": DEFAULT_TRUST_DOMAIN},
        ),
        _post(
            "createEnrolment",
            identity.ENROLMENTS,
            "A one-time token by which a service or a gateway gets its first certificate; shown this once.",
            right="tokens:write",
            by_rows=True,
            body=identity.EnrolmentWanted,
            answers={201: EnrolmentToken, 409: PROBLEM},
            example_body={"subject": "shop/books"},
        ),
        _post(
            "enrol",
            identity.ENROL,
            "Spend a one-time token for a certificate. The request's names are ignored, its key counts.",
            right="open",
            detail="The same request may be sent again when its answer was lost.",
            body=identity.Enrol,
            answers={201: Issued, 401: PROBLEM, 422: PROBLEM},
            example_body={"token": "mwe_00000000_" + "A" * 43, "csr": _REQUEST},
        ),
        _post(
            "renewCertificate",
            identity.RENEW,
            "The next certificate, for the owner of the live one's key.",
            right="open",
            body=identity.Renew,
            answers={201: Issued, 401: PROBLEM, 422: PROBLEM},
            example_body={"certificate": _CERTIFICATE, "csr": _REQUEST, "proof": ""},
        ),
        _post(
            "createServiceToken",
            identity.TOKENS,
            "A service token of an hour, for the owner of a live certificate's key.",
            right="open",
            body=identity.TokenWanted,
            answers={201: ServiceToken, 401: PROBLEM},
            example_body={"certificate": _CERTIFICATE, "at": 0, "proof": ""},
        ),
    ]


def _of_withdrawing() -> list[Operation]:
    return [
        _post(
            "revokeCertificates",
            identity.REVOCATIONS,
            "Revoke a certificate, or all of a subject with its unused tokens.",
            detail="Gateways that run the revision which is answered believe none of them.",
            body=identity.RevocationWanted,
            answers={200: Revoked, 404: PROBLEM, 409: PROBLEM},
            example_body={"subject": "shop/books", "reason": "lost"},
        ),
        _post(
            "rotateAuthority",
            identity.ROTATION,
            "The next step of a change of the root, or another intermediate.",
            detail="Refused with `waits_for` until all live gateways run the step before.",
            body=identity.RotationWanted,
            answers={200: identity.IdentityShown, 409: PROBLEM},
            example_body={"what": "root", "step": "next"},
        ),
        _post(
            "takeRootKey",
            identity.ROOT_KEY,
            "The root's key, which with this answer leaves the store.",
            detail="Keep it where nothing runs: it is needed once in sixty days, for another intermediate.",
            answers={200: _KEY, 409: PROBLEM},
        ),
    ]


def _post(
    name: str, path: str, about: str, *, right: Right | Literal["open"] = "identity:write", **more: Any
) -> Operation:
    is_confirmed = right != "open"
    return Operation(
        method="POST", path=path, id=name, tag=_TAG, about=about, right=right, is_confirmed=is_confirmed, **more
    )


def _gets() -> list[Operation]:
    return [
        Operation(
            method="GET",
            path=identity.SHOW,
            id="getIdentity",
            tag=_TAG,
            right="identity:read",
            about="The authority, and how far a change of its root has come.",
            answers={200: identity.IdentityShown, 409: PROBLEM},
        ),
        Operation(
            method="GET",
            path=identity.TRUST,
            id="getTrust",
            tag=_TAG,
            right="open",
            about="The roots that are trusted now.",
            answers={200: identity.Roots, 409: PROBLEM},
        ),
        Operation(
            method="GET",
            path=identity.CERTIFICATES,
            id="listCertificates",
            tag=_TAG,
            right="identity:read",
            about="The certificates that have not expired.",
            parameters=(
                Parameter(
                    name="limit", about="Rows a page.", schema={"type": "integer", "minimum": 1, "maximum": 1000}
                ),
                Parameter(name="cursor", about="`next` of the page before."),
                Parameter(name="subject", about="`NAMESPACE/SERVICE`, `gateway/HOST`, or a SPIFFE id."),
            ),
            answers={200: CertificatePage, 409: PROBLEM},
        ),
    ]
