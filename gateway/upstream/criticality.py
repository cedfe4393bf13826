"""How much a call matters: its rule says it, and a caller on the mesh may say less (docs/guide/documents.md).

Adaptive limits refuse first what matters least. The service is told, so that the calls it makes for this one matter no
more than this one does, wherever the rule was met.
"""

from typing import Final

from gateway.exchange import MESH, Exchange

# Of an adaptive limit, for calls of each criticality.
SHARES: Final = {b"critical": 1.0, b"default": 0.9, b"sheddable": 0.6}
FIELD: Final = b"meshway-criticality"
USUAL: Final = SHARES[b"default"]
# For the service's request; b"" for what is neither more nor less than usual.
LINES: Final = {share: b"" if share == USUAL else b"%b: %b\r\n" % (FIELD, name) for name, share in SHARES.items()}


def share_of(exchange: Exchange) -> float:
    """A call of another service may say that it matters less than its rule has it, never that it matters more."""
    share = 1.0 if exchange.plan is None else exchange.plan.limit_share
    if exchange.listener == MESH:
        share = min(share, SHARES.get(exchange.head.named.get(FIELD, b""), share))
    return share


def criticality_line(exchange: Exchange) -> bytes:
    """For the request of a call whose caller says how much it matters; of others the plan has the line."""
    return LINES[share_of(exchange)]
