"""`meshway-token` on the mesh listener: a service says by it who it is, where it does not by a certificate.

Its name is its own, since `Authorization` is the application's. It goes no further than the gateway, as everything that
begins with `meshway-`, and it is taken over TLS or from this machine alone: on any other way it could be read.
"""

from typing import Final

from gateway.exchange import Exchange, Reply
from gateway.trust import Trust
from meshway.addresses import is_loopback

FIELD: Final = b"meshway-token"
_POLICY: Final = "TrustBundle mesh/mesh"


def prove(exchange: Exchange, trust: Trust, wall: float) -> Reply | None:
    """Of a call that shows a token. One that does not hold is refused: it makes nobody anonymous. Beside a certificate
    of the mesh it says nothing: who shows his own, and a token that he overheard, is nobody else."""
    if exchange.principal is not None:
        return None
    if exchange.scheme != b"https" and not is_loopback(exchange.peer):
        return _unproved("service tokens are taken over TLS, or from this machine")
    found = trust.judge_token(exchange.head.named[FIELD], exchange.started, wall)
    if isinstance(found, str):
        return _unproved(found)
    exchange.principal = found
    return None


def _unproved(detail: str) -> Reply:
    fields = (
        b'WWW-Authenticate: Bearer realm="mesh", error="invalid_token", error_description="%b"\r\n' % detail.encode()
    )
    return Reply(401, "unauthenticated", "UAEX", f"{_POLICY}: {detail}", fields=fields, policy=_POLICY)
