"""What the SDK asks of /v1/identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from meshway.client.calls import Call

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

T = TypeVar("T")
_JSON: Final = {"content-type": "application/json"}


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate as it is answered."""

    subject: str
    certificate: str
    roots: str
    not_before: float
    not_after: float


class Roots(msgspec.Struct, frozen=True, kw_only=True):
    """roots: whom to trust now, PEM. issuing: key id of the root under which certificates are issued, "" = any."""

    trust_domain: str
    roots: str
    issuing: str = ""


class ServiceToken(msgspec.Struct, frozen=True, kw_only=True):
    token: str
    expires_at: float


def enrol(token: str, csr: str) -> Call[Issued]:
    return _post("enrol", {"token": token, "csr": csr}, Issued)


def renew(certificate: str, csr: str, proof: str) -> Call[Issued]:
    return _post("renew", {"certificate": certificate, "csr": csr, "proof": proof}, Issued)


def service_token(certificate: str, at: int, proof: str) -> Call[ServiceToken]:
    return _post("tokens", {"certificate": certificate, "at": at, "proof": proof}, ServiceToken)


def roots() -> Call[Roots]:
    return Call(method="GET", path="/v1/identity/trust", decode=_as(Roots))


def _post(what: str, body: dict[str, object], of: type[T]) -> Call[T]:
    content = msgspec.json.encode(body)
    return Call(method="POST", path=f"/v1/identity/{what}", content=content, headers=_JSON, decode=_as(of))


def _as(of: type[T]) -> Callable[[httpx.Response], T]:
    decoder = msgspec.json.Decoder(of)
    return lambda response: decoder.decode(response.content)
