"""/v1/identity: the mesh's authority, and the certificates of services and gateways."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from fastapi import APIRouter, Request, Response
from msgspec import Meta

from meshway.identity import DEFAULT_TRUST_DOMAIN, GATEWAY
from meshway.problem import FieldError, Problem, invalid_request
from registry.api.answers import answer, caller, caller_of, page
from registry.identity.custody import key_id_of, pem_of
from registry.identity.enrolment import TOKEN_S
from registry.identity.records import certificate_page
from registry.manners.json_text import decoder_of
from registry.manners.query import limit_of, query_of

if TYPE_CHECKING:
    from registry.core import Core
    from registry.identity.custody import Trust
    from registry.identity.rotation import Progress
    from registry.rights.caller import Caller

SHOW: Final = "/v1/identity"
TRUST: Final = "/v1/identity/trust"
AUTHORITY: Final = "/v1/identity/authority"
ROOT_KEY: Final = "/v1/identity/root-key"
ENROLMENTS: Final = "/v1/identity/enrolments"
ENROL: Final = "/v1/identity/enrol"
RENEW: Final = "/v1/identity/renew"
TOKENS: Final = "/v1/identity/tokens"
CERTIFICATES: Final = "/v1/identity/certificates"
REVOCATIONS: Final = "/v1/identity/revocations"
ROTATION: Final = "/v1/identity/rotation"
_SECRET: Final = {"cache-control": "no-store"}
MAX_ENROL_TOKEN: Final = 8 << 10
Pem = Annotated[str, Meta(max_length=64 << 10)]


class AuthorityWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """root, intermediate, key: PEM, of an authority outside; key is the intermediate's. None of them: we make all."""

    trust_domain: Annotated[str, Meta(max_length=255)] = DEFAULT_TRUST_DOMAIN
    root: Pem = ""
    intermediate: Pem = ""
    key: Pem = ""


class EnrolmentWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """subject: `NAMESPACE/SERVICE` or `gateway/HOST`. cidr: where the token may be used; anywhere unless told."""

    subject: Annotated[str, Meta(max_length=400)]
    ttl_s: float = TOKEN_S
    cidr: Annotated[str, Meta(max_length=64)] = ""


class Enrol(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """token: a one-time token, or one of a Kubernetes service account. csr: PKCS #10 in PEM; only its key counts."""

    token: Annotated[str, Meta(max_length=MAX_ENROL_TOKEN)]
    csr: Pem


class Renew(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """certificate: the live one. proof: base64, docs/internals/identity.md."""

    certificate: Pem
    csr: Pem
    proof: Annotated[str, Meta(max_length=2048)]


class TokenWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """at: seconds since 1970, signed by proof."""

    certificate: Pem
    at: int
    proof: Annotated[str, Meta(max_length=2048)]


class RevocationWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of serial and subject."""

    serial: Annotated[str, Meta(max_length=128)] = ""
    subject: Annotated[str, Meta(max_length=400)] = ""
    reason: str = ""


class RotationWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """what: the root, in steps, or the intermediate at once. root_key: PEM, for an intermediate of a root offline."""

    what: Literal["root", "intermediate"] = "root"
    step: Literal["next", "back"] = "next"
    root_key: Pem = ""


class AuthorityShown(msgspec.Struct, frozen=True, kw_only=True):
    """not_after: seconds since 1970. has_key: whether it can sign here. certificate: PEM, of a root or intermediate."""

    id: str
    role: Literal["root", "intermediate", "token_key"]
    state: Literal["next", "current", "old"]
    issuer: str
    not_after: float
    has_key: bool
    certificate: str = ""


class IdentityShown(msgspec.Struct, frozen=True, kw_only=True):
    """waits_for: what the next step of a rotation waits for; empty: nothing."""

    trust_domain: str
    phase: str
    generation: int
    revision: int
    waits_for: list[str]
    authorities: list[AuthorityShown]


class Roots(msgspec.Struct, frozen=True, kw_only=True):
    """roots: PEM, all that are trusted. issuing: key id (hex) of the one under which certificates are issued: who has
    one of another is to renew it soon."""

    trust_domain: str
    generation: int
    roots: str
    issuing: str


def identity_router(core: Core) -> APIRouter:
    router = APIRouter()
    _add_authority(router, core)
    _add_certificates(router, core)
    return router


def _add_authority(router: APIRouter, core: Core) -> None:
    identity = core.identity
    read_authority = decoder_of(AuthorityWanted, "")
    read_rotation = decoder_of(RotationWanted, "")

    @router.get(SHOW)
    async def show(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        return answer(_shown(await identity.custody.trust(), await identity.rotation.progress()))

    @router.get(TRUST)
    async def trust(request: Request) -> Response:
        query_of(request.url.query, frozenset())
        found = await identity.custody.trust()
        roots = "".join(found.roots_pem)
        issuing = key_id_of(found.root.certificate)
        return answer(Roots(trust_domain=found.trust_domain, generation=found.generation, roots=roots, issuing=issuing))

    @router.post(AUTHORITY)
    async def begin(request: Request) -> Response:
        wanted = read_authority(await request.body())
        outside = (wanted.root, wanted.intermediate, wanted.key)
        if any(outside) and not all(outside):
            raise _wrong("root", "root, intermediate and key come together")
        if all(outside):
            await identity.outside.begin(
                wanted.trust_domain, root=wanted.root, intermediate=wanted.intermediate, key=wanted.key
            )
        else:
            await identity.custody.begin(wanted.trust_domain)
        revision = await identity.publisher.publish()
        return answer(
            _shown(await identity.custody.trust(), await identity.rotation.progress()), 201, revision=revision
        )

    @router.post(ROTATION)
    async def rotate(request: Request) -> Response:
        wanted = read_rotation(await request.body())
        if wanted.what == "intermediate":
            if wanted.step == "back":
                raise _wrong("step", "another intermediate issues at once; there is no way back, and none is needed")
            progress = await identity.rotation.renew_intermediate(wanted.root_key)
        elif wanted.step == "next":
            progress = await identity.rotation.advance()
        else:
            progress = await identity.rotation.take_back()
        return answer(_shown(await identity.custody.trust(), progress), revision=progress.revision or None)

    @router.post(ROOT_KEY)
    async def take_root_key(request: Request) -> Response:
        """The root's key leaves the store with this answer."""
        query_of(request.url.query, frozenset())
        return answer({"key": await identity.outside.take_root_key()}, headers=_SECRET)


def _require_enrolling(caller: Caller, subject: str) -> None:
    """A service's name is given by who gives tokens in its namespace, all others by an admin. Raises Problem 401, 403,
    404."""
    namespace, slash, service = subject.partition("/")
    if not slash or not service or "/" in service or namespace == GATEWAY or ":" in namespace:
        caller.require_everywhere("identity:write")
    else:
        caller.require("tokens:write", namespace)
        caller.require("instances:write", namespace)


def _add_certificates(router: APIRouter, core: Core) -> None:
    identity = core.identity
    read_wanted, read_enrol = decoder_of(EnrolmentWanted, ""), decoder_of(Enrol, "")
    read_renew, read_token = decoder_of(Renew, ""), decoder_of(TokenWanted, "")
    read_revocation = decoder_of(RevocationWanted, "")

    @router.post(ENROLMENTS)
    async def create(request: Request) -> Response:
        wanted = read_wanted(await request.body())
        _require_enrolling(caller_of(request), wanted.subject)
        token = await identity.enrolment.create(
            wanted.subject, by=caller(request), ttl_s=wanted.ttl_s, cidr=wanted.cidr
        )
        return answer(token, 201, headers=_SECRET)

    @router.post(ENROL)
    async def enrol(request: Request) -> Response:
        wanted = read_enrol(await request.body())
        peer = request.client.host if request.client is not None else ""
        return answer(await identity.enrolment.enrol(wanted.token, wanted.csr, peer=peer), 201, headers=_SECRET)

    @router.post(RENEW)
    async def renew(request: Request) -> Response:
        wanted = read_renew(await request.body())
        issued = await identity.enrolment.renew(wanted.certificate, wanted.csr, wanted.proof)
        return answer(issued, 201, headers=_SECRET)

    @router.post(TOKENS)
    async def token(request: Request) -> Response:
        wanted = read_token(await request.body())
        return answer(await identity.tokens.issue(wanted.certificate, wanted.at, wanted.proof), 201, headers=_SECRET)

    @router.get(CERTIFICATES)
    async def many(request: Request) -> Response:
        query = query_of(request.url.query, frozenset({"limit", "cursor", "subject"}))
        trust = await identity.custody.trust()
        found = await certificate_page(
            core.store,
            trust.trust_domain,
            now=time.time(),
            subject=query.get("subject", ""),
            cursor=query.get("cursor"),
            limit=limit_of(query),
        )
        return page(found, request)

    @router.post(REVOCATIONS)
    async def revoke(request: Request) -> Response:
        wanted = read_revocation(await request.body())
        revoked = await identity.revocation.revoke(
            serial=wanted.serial, subject=wanted.subject, by=caller(request), reason=wanted.reason
        )
        return answer(revoked, revision=revoked.revision)


def _shown(trust: Trust, progress: Progress) -> IdentityShown:
    authorities = [
        AuthorityShown(
            id=one.id,
            role=one.role,
            state=one.state,
            issuer=one.issuer,
            not_after=one.not_after,
            has_key=one.sealed_key is not None,
            certificate="" if one.role == "token_key" else pem_of(one.certificate),
        )
        for one in trust.authorities
    ]
    return IdentityShown(
        trust_domain=trust.trust_domain,
        phase=progress.phase,
        generation=progress.generation,
        revision=progress.revision,
        waits_for=progress.waits_for,
        authorities=authorities,
    )


def _wrong(path: str, why: str) -> Problem:
    message = f"{path}: {why}"
    return invalid_request(message, (FieldError(path=path, code="forbidden_combination", message=message),))
