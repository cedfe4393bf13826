"""Of services that are strict (`mtls: strict`): whoever calls them on the mesh shows a certificate of the mesh.

A service token names a service, too, but whoever overhears it can call with it. Calls of the edge go on: there the
gateway is the one that calls, with its own certificate.
"""

from collections.abc import Sequence

from gateway.access.gate import AccessStep, caller
from gateway.exchange import EDGE, Exchange, Reply
from gateway.plan import Forecast
from meshway.peer_certificate import MESH


def mesh_only(document: str) -> AccessStep:
    """document: whose word it is."""
    says = "mtls is strict: who calls on the mesh must show a certificate of the mesh, by TLS"
    reply = Reply(403, "denied", "UAEX", f"{document}: {says}", policy=document)

    def authorize(exchange: Exchange) -> Reply | None:
        if exchange.listener == EDGE:
            return None
        certificate = exchange.certificate
        return None if certificate is not None and certificate.authority == MESH else reply

    def forecast(exchange: Exchange) -> Sequence[Forecast]:
        if authorize(exchange) is not None:
            detail = f"{says}; the caller, {caller(exchange)}, shows none"
            return [Forecast("refuse", detail, document, reply)]
        if exchange.listener == EDGE:
            return [Forecast("pass", "mtls is strict: on behalf of the edge the gateway shows its own", document)]
        return [Forecast("pass", "mtls is strict: the caller shows a certificate of the mesh", document)]

    return AccessStep(authorize, forecast)
