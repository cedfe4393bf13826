"""Services and gateways that sign in by their certificates or service tokens: each may what is its own, without a token
of people.

A service token falls with the certificate that it was given for (registry/identity), so what is remembered of both
belongs to one TrustBundle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meshway.certificates import CertificateFault
from meshway.identity import SpiffeId
from meshway.jwt import TokenFault
from meshway.peer_certificate import METHOD, PeerCertificate
from meshway.service_token import TokenReader
from registry.rights.caller import Caller, unauthenticated
from registry.rights.token import Grant

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshway.model.trust_bundle import TrustBundle
    from meshway.problem import Problem

# Begin what stands for the id of a token, before the hash of the certificate.
_BY_TOKEN: Final = "service_token:"  # noqa: S105  # how it was proved
_BY_CERTIFICATE: Final = "certificate:"
CERTIFICATE_VOID: Final = "certificate_void"
_MEND: Final = "show another: meshway token create --enrol NAMESPACE/SERVICE, meshway agent --dir DIR"
_MAX_REMEMBERED: Final = 10_000


class Workloads:
    """bundle: as it stands now; None: there is no authority. wall: seconds since 1970."""

    __slots__ = ("_bundle", "_known", "_of", "_reader", "_wall")

    def __init__(self, bundle: Callable[[], TrustBundle | None], wall: Callable[[], float]) -> None:
        self._bundle = bundle
        self._wall = wall
        self._of: TrustBundle | None = None
        self._reader = TokenReader(None)
        self._known: dict[str, Caller] = {}

    def known(self, token: str) -> Caller | None:
        """None: it was not read yet, or a younger bundle came since."""
        self._keep_up()
        return self._known.get(token)

    def caller(self, token: str) -> Caller:
        """Raises Problem 401."""
        known = self.known(token)
        if known is None:
            try:
                shown = self._reader.read(token.encode(), self._wall())
            except TokenFault as fault:
                raise unauthenticated(fault.reason, code="unknown_token") from None
            mark = f"{_BY_TOKEN}{shown.serial:016x}"
            known = self._remember(token, _caller_of(shown.identity, "service_token", mark, shown.until))
        return known

    def by_certificate(self, certificate: PeerCertificate) -> Caller:
        """certificate: verified by its handshake. Raises Problem 401 where it names nobody of this mesh, was revoked
        since or is over."""
        self._keep_up()
        known = self._known.get(certificate.fingerprint)
        if known is None:
            try:
                name = certificate.workload_id(self._reader.trust_domain)
            except CertificateFault as fault:
                raise void_certificate(str(fault)) from None
            if certificate.serial in self._reader.revoked:
                raise void_certificate("the certificate was revoked")
            mark = f"{_BY_CERTIFICATE}{certificate.serial:016x}"
            caller = _caller_of(name, METHOD, mark, certificate.not_after)
            known = self._remember(certificate.fingerprint, caller)
        if self._wall() >= certificate.not_after:
            raise void_certificate("the certificate is over")
        return known

    def is_still(self, caller: Caller) -> bool:
        """Of one that signed in so: whether what it showed is neither over nor revoked."""
        self._keep_up()
        is_over = caller.expires_at is not None and self._wall() >= caller.expires_at
        return not is_over and int(caller.token.rpartition(":")[2], 16) not in self._reader.revoked

    def _keep_up(self) -> None:
        bundle = self._bundle()
        if bundle is not self._of:
            self._of, self._reader = bundle, TokenReader(bundle)
            self._known.clear()

    def _remember(self, shown: str, caller: Caller) -> Caller:
        if len(self._known) >= _MAX_REMEMBERED:
            self._known.clear()
        self._known[shown] = caller
        return caller


def _caller_of(name: SpiffeId, method: str, mark: str, until: float) -> Caller:
    return Caller(
        name.principal(method),
        (Grant("gateway"),) if name.gateway else (),
        service="" if name.gateway else f"{name.namespace}/{name.service}",
        expires_at=until,
        token=mark,
    )


def void_certificate(detail: str) -> Problem:
    return unauthenticated(detail, code=CERTIFICATE_VOID, mend=_MEND)


def is_written_so(text: str) -> bool:
    """Whether a token is one of these by its look: three parts."""
    return text.count(".") == 2


def is_of_workload(caller: Caller) -> bool:
    return caller.token.startswith((_BY_TOKEN, _BY_CERTIFICATE))
