"""Who calls: by the token of the request, the certificate of its connection, or because it comes from this machine
where that is trusted.

Callers on this machine are trusted (`meshway up`, docs/internals/rights.md) when their address is a loopback one, when
`Host` names loopback (a page of another site whose name was rebound to 127.0.0.1 sends its own name), and when they
send no foreign `Origin` (a page of another site cannot leave that out, but where it embeds what it asks for: then
`Sec-Fetch-Site` says so). Where a token is sent, it alone says who calls,
and where a certificate is shown, nobody is trusted for his address.

A token comes as `Authorization: Bearer`, or as the password of `Basic`, for clients of other registries that know no
other way; never in a cookie. Consul's clients may send it as `X-Consul-Token`, Nacos's as the parameter `accessToken`.
A person's session comes in a cookie, where the operation takes one, or as `Authorization: Bearer mws_…`. By a cookie
only a page of our own writes: it sends `Meshway-CSRF`, and the browser says that the page is of the same origin. One
that is over counts as none, so that whoever has it can sign in again.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from meshway.certificates import CertificateFault
from meshway.http1.fields import find
from meshway.identity import Principal
from meshway.problem import Problem
from registry.federation.issued_tokens import is_issued
from registry.people.cookies import BEARER, cookie_in, is_ours
from registry.rights.caller import NOBODY, TRUSTED, Caller, unauthenticated
from registry.rights.token import id_of, is_its_own, is_live, principal_of, scope_of
from registry.rights.workloads import is_of_workload, is_written_so, void_certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meshway.http1.message import RequestHead
    from meshway.peer_certificate import PeerCertificate
    from registry.federation.issued_tokens import IssuedTokens
    from registry.people.session_callers import SessionCallers
    from registry.rights.bootstrap import Bootstrap
    from registry.rights.workloads import Workloads
    from registry.store.interface import TokenRecord

_LOOPBACK_NAMES: Final = frozenset({b"localhost", b"[::1]", b"ip6-localhost"})
_CONSUL: Final = (b"/v1/agent/", b"/v1/catalog/", b"/v1/health/", b"/v1/status/")
_NACOS: Final = b"/nacos/"
_REMEMBERED: Final = 10_000
_READS: Final = (b"GET", b"HEAD")


class SignIn:
    """One for the process. tokens: by id, as they stand now. trusts_loopback: callers on this machine need no token.
    wall: seconds since 1970. bootstrap: what signs in as long as there was never an admin. workloads: who signs in by
    certificates and service tokens, None: nobody. sessions: of people, None: there are none. is_encrypted: the registry
    speaks TLS itself. issued: who signs in by tokens of issuers outside, None: nobody. takes_cookies: whether what a
    head asks for may be asked by a session of a cookie; nothing may, unless the surface says so."""

    __slots__ = (
        "_bootstrap",
        "_callers",
        "_is_encrypted",
        "_issued",
        "_sessions",
        "_tokens",
        "_trusts_loopback",
        "_wall",
        "_workloads",
        "takes_cookies",
    )

    def __init__(
        self,
        tokens: Callable[[], Mapping[str, TokenRecord]],
        wall: Callable[[], float],
        *,
        trusts_loopback: bool,
        bootstrap: Bootstrap | None = None,
        workloads: Workloads | None = None,
        sessions: SessionCallers | None = None,
        is_encrypted: bool = False,
        issued: IssuedTokens | None = None,
    ) -> None:
        self._tokens = tokens
        self._wall = wall
        self._trusts_loopback = trusts_loopback
        self._bootstrap = bootstrap
        self._workloads = workloads
        self._sessions = sessions
        self._is_encrypted = is_encrypted
        self._issued = issued
        self.takes_cookies: Callable[[RequestHead], bool] = lambda _: False
        # What callers send again and again, as they send it: looked up instead of hashed.
        self._callers: dict[bytes, Caller] = {}

    def caller(
        self, peer: str, head: RequestHead, certificate: PeerCertificate | CertificateFault | None = None
    ) -> Caller:
        """certificate: of the connection, or why it says nothing. Raises Problem 401 for a token or certificate that is
        none of ours or is over, 403 for pages of other sites."""
        origin = find(head.block, b"origin")
        if origin is not None and not _is_own_origin(origin, head.authority):
            raise _forbidden("foreign_origin", "a page of another origin may not call the registry")
        sent = head.named.get(b"authorization")
        if sent is None and not self._trusts_loopback:
            sent = _sent_as_others_do(head)
        if sent is not None:
            return self._by_token(sent)
        if certificate is not None:
            return self._by_certificate(certificate)
        if (caller := self._by_cookie(head, has_own_origin=origin is not None)) is not None:
            return caller
        if self._trusts_loopback and is_loopback_address(peer):
            if _is_of_another_site(head) and find(head.block, b"sec-fetch-mode") != b"navigate":
                raise _foreign_site()
            if (head.host or head.minor) and not is_loopback_name(head.host):
                host = head.host.decode("latin-1")
                raise _forbidden("foreign_host", f"Host {host} does not name this machine: use localhost or 127.0.0.1")
            return TRUSTED
        return NOBODY

    def forget(self) -> None:
        """Some token has come or was revoked, or somebody was changed."""
        self._callers.clear()
        if self._sessions is not None:
            self._sessions.forget()
        if self._issued is not None:
            self._issued.forget()

    def is_plain(self, head: RequestHead) -> bool:
        """Whether the cookie must do without TLS: on this machine, where the registry has none."""
        return not self._is_encrypted and is_loopback_name(head.host)

    def is_still(self, caller: Caller) -> bool:
        """Whether the caller may go on with what takes long: its token is neither revoked nor over."""
        if caller.session:
            return self._sessions is not None and self._sessions.is_still(caller)
        if not caller.token:
            return True
        if is_of_workload(caller):
            return self._workloads is not None and self._workloads.is_still(caller)
        if is_issued(caller):
            return self._issued is not None and self._issued.is_still(caller)
        record = self._tokens().get(caller.token)
        return record is not None and is_live(record, self._wall())

    def _by_certificate(self, certificate: PeerCertificate | CertificateFault) -> Caller:
        if isinstance(certificate, CertificateFault):
            raise void_certificate(str(certificate))
        if self._workloads is None:
            raise void_certificate("certificates sign nobody in here")
        return self._workloads.by_certificate(certificate)

    def _by_cookie(self, head: RequestHead, *, has_own_origin: bool) -> Caller | None:
        """Raises Problem 403 for what another site's page has begun."""
        if self._sessions is None:
            return None
        text = cookie_in(head.block, is_plain=self.is_plain(head))
        if text is None or not self.takes_cookies(head):
            return None
        caller = self._sessions.caller(text, "cookie")
        if caller is None:
            return None
        if _is_of_another_site(head):
            raise _foreign_site()
        if head.method not in _READS and not is_ours(head.block, text, has_own_origin=has_own_origin):
            raise _forbidden("csrf", "a write by a session needs the field Meshway-CSRF, as GET /v1/session tells it")
        return caller

    def _by_token(self, sent: bytes) -> Caller:
        known = self._callers.get(sent)
        if known is None:
            known = self._looked_up(sent)
            if len(self._callers) >= _REMEMBERED:
                self._callers.clear()
            if known.token and not is_of_workload(known) and not is_issued(known):
                self._callers[sent] = known
        if known.expires_at is not None and self._wall() >= known.expires_at:
            raise unauthenticated("the token is over", code="token_expired")
        return known

    def _by_signed(self, text: str) -> Caller | None:
        """Raises Problem 401."""
        # Services send theirs again and again: it is looked up before anything of it is read.
        known = None if self._workloads is None else self._workloads.known(text)
        if known is None and self._issued is not None:
            known = self._issued.caller(text)
        if known is None and self._workloads is not None:
            known = self._workloads.caller(text)
        return known

    def _looked_up(self, sent: bytes) -> Caller:
        text = _token_of(sent)
        if self._sessions is not None and text.startswith(BEARER):
            if (caller := self._sessions.caller(text, "bearer")) is None:
                raise unauthenticated(
                    "the session is over, or none of this mesh's", code="session_over", mend="sign in: meshway login"
                )
            return caller
        if is_written_so(text) and (signed := self._by_signed(text)) is not None:
            return signed
        token_id = id_of(text)
        record = None if token_id is None else self._tokens().get(token_id)
        if record is None and self._bootstrap is not None:
            has_admin_user = self._sessions is not None and self._sessions.has_admin_user()
            if self._bootstrap.is_its_own(text, self._tokens().values(), has_admin_user=has_admin_user):
                return self._bootstrap.caller
        if record is None or not is_its_own(record, text):
            raise unauthenticated("the token is none of this mesh's", code="unknown_token")
        if record.revoked_at is not None:
            raise unauthenticated("the token was revoked", code="token_revoked")
        return caller_of(record)


def caller_of(record: TokenRecord) -> Caller:
    scope = scope_of(record)
    namespace, _, service = scope.service.partition("/")
    principal = Principal(principal_of(record), namespace or "default", service, method="token")
    return Caller(principal, scope.grants, service=scope.service, expires_at=record.expires_at, token=record.id)


def is_loopback_address(address: str) -> bool:
    if address in ("127.0.0.1", "::1"):
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def is_loopback_name(host: bytes) -> bool:
    """host: lower-case, without port and trailing dot; a name under .localhost is loopback by RFC 6761 §6.3."""
    return (
        host in _LOOPBACK_NAMES
        or host.endswith(b".localhost")
        or (host.startswith(b"127.") and is_loopback_address(host.decode("latin-1")))
    )


def _token_of(sent: bytes) -> str:
    """Of an Authorization field, RFC 6750 §2.1 or RFC 7617 §2. Raises Problem 401 for another scheme."""
    scheme, _, rest = sent.decode("latin-1").partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            pass
    raise unauthenticated("the Authorization field holds no token", code="unknown_token")


def _sent_as_others_do(head: RequestHead) -> bytes | None:
    target = head.target
    if target.startswith(_CONSUL):
        sent = find(head.block, b"x-consul-token")
        return None if sent is None else b"Bearer " + sent.strip()
    if target.startswith(_NACOS):
        query = parse_qs(target.partition(b"?")[2].decode("latin-1"))
        return b"Bearer " + query["accessToken"][0].encode("latin-1", "replace") if "accessToken" in query else None
    return None


def _is_own_origin(origin: bytes, authority: bytes) -> bool:
    scheme, _, rest = origin.strip().lower().partition(b"://")
    if scheme not in (b"http", b"https"):
        return False
    port = b":443" if scheme == b"https" else b":80"
    return _with_port(rest, port) == _with_port(authority.lower(), port)


def _with_port(authority: bytes, port: bytes) -> bytes:
    has_port = b":" in authority.rpartition(b"]")[2]
    return authority if has_port else authority + port


def _is_of_another_site(head: RequestHead) -> bool:
    return find(head.block, b"sec-fetch-site") in (b"cross-site", b"same-site")


def _foreign_site() -> Problem:
    return _forbidden("foreign_site", "a page of another site may not call the registry")


def _forbidden(code: str, detail: str) -> Problem:
    return Problem(403, code, "Not allowed", detail=detail)
