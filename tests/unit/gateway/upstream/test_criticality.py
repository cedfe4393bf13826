from dataclasses import replace

import pytest

from gateway.exchange import EDGE, MESH
from gateway.upstream.criticality import SHARES, criticality_line, share_of
from tests.parts.calls import call
from tests.parts.exchanges import plan


@pytest.mark.parametrize(
    ("listener", "rule", "caller", "effective"),
    [
        (MESH, b"default", "", b"default"),
        (MESH, b"default", "sheddable", b"sheddable"),
        (MESH, b"sheddable", "critical", b"sheddable"),
        (MESH, b"critical", "default", b"default"),
        (MESH, b"critical", "nonsense", b"critical"),
        (EDGE, b"default", "sheddable", b"default"),
    ],
)
def test_a_caller_on_the_mesh_may_lower_what_the_rule_says(
    listener: int, rule: bytes, caller: str, effective: bytes
) -> None:
    exchange = call(headers={"meshway-criticality": caller} if caller else {}, listener=listener)
    exchange.plan = replace(plan(), limit_share=SHARES[rule])
    assert share_of(exchange) == SHARES[effective]
    line = b"" if effective == b"default" else b"meshway-criticality: %b\r\n" % effective
    assert criticality_line(exchange) == line
