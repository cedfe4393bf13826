"""What the routes below /v1/identity are, for the description of the API."""

from __future__ import annotations

from typing import Any, Final

from meshway.identity import DEFAULT_TRUST_DOMAIN
from registry.api import identity
from registry.api.parameters import PROBLEM
from registry.identity.enrolment import EnrolmentToken, Issued
from registry.identity.records import CertificatePage
from registry.identity.revocation import Revoked
from registry.identity.service_tokens import ServiceToken
from registry.manners.openapi import Operation, Parameter

_TAG: Final = "identity"
_KEY: Final = {"type": "object", "required": ["key"], "properties": {"key": {"type": "string"}}}


def identity_operations() -> list[Operation]:
    return [*_posts(), *_gets()]


def _posts() -> list[Operation]:
    rows: list[tuple[str, str, Any, str, str, Any, dict[int, Any], Any]] = [
        (
            identity.AUTHORITY,
            "beginAuthority",
            "identity:write",
            "Make the mesh's certificate authority, or take an intermediate of another one.",
            "Once; the trust domain stays for ever.",
            identity.AuthorityWanted,
            {201: identity.IdentityShown, 409: PROBLEM},
            {"trust_domain": DEFAULT_TRUST_DOMAIN},
        ),
        (
            identity.ENROLMENTS,
            "createEnrolment",
            "tokens:write",
            "A one-time token by which a service or a gateway gets its first certificate; shown this once.",
            "",
            identity.EnrolmentWanted,
            {201: EnrolmentToken, 409: PROBLEM},
            {"subject": "shop/books"},
        ),
        (
            identity.ENROL,
            "enrol",
            "open",
            "Spend a one-time token for a certificate. The request's names are ignored, its key counts.",
            "The same request may be sent again when its answer was lost.",
            identity.Enrol,
            {201: Issued, 401: PROBLEM, 422: PROBLEM},
            {"token": "mwe_00000000_" + "A" * 43, "csr": "-----BEGIN CERTIFICATE REQUEST-----"},
        ),
        (
            identity.RENEW,
            "renewCertificate",
            "open",
            "The next certificate, for the owner of the live one's key.",
            "",
            identity.Renew,
            {201: Issued, 401: PROBLEM, 422: PROBLEM},
            {"certificate": "-----BEGIN CERTIFICATE-----", "csr": "-----BEGIN CERTIFICATE REQUEST-----", "proof": ""},
        ),
        (
            identity.TOKENS,
            "createServiceToken",
            "open",
            "A service token of an hour, for the owner of a live certificate's key.",
            "",
            identity.TokenWanted,
            {201: ServiceToken, 401: PROBLEM},
            {"certificate": "-----BEGIN CERTIFICATE-----", "at": 0, "proof": ""},
        ),
        (
            identity.REVOCATIONS,
            "revokeCertificates",
            "identity:write",
            "Revoke a certificate, or all of a subject with its unused tokens.",
            "Gateways that run the revision which is answered believe none of them.",
            identity.RevocationWanted,
            {200: Revoked, 404: PROBLEM, 409: PROBLEM},
            {"subject": "shop/books", "reason": "lost"},
        ),
        (
            identity.ROTATION,
            "rotateAuthority",
            "identity:write",
            "The next step of a change of the root, or another intermediate.",
            "Refused with `waits_for` until all live gateways run the step before.",
            identity.RotationWanted,
            {200: identity.IdentityShown, 409: PROBLEM},
            {"what": "root", "step": "next"},
        ),
        (
            identity.ROOT_KEY,
            "takeRootKey",
            "identity:write",
            "The root's key, which with this answer leaves the store.",
            "Keep it where nothing runs: it is needed once in sixty days, for another intermediate.",
            None,
            {200: _KEY, 409: PROBLEM},
            None,
        ),
    ]
    return [
        Operation(
            method="POST",
            path=path,
            id=name,
            tag=_TAG,
            about=about,
            right=right,
            by_rows=path == identity.ENROLMENTS,
            is_confirmed=right != "open",
            detail=detail,
            body=body,
            answers=answers,
            example_body=example,
        )
        for path, name, right, about, detail, body, answers, example in rows
    ]


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
