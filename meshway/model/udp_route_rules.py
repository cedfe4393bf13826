"""What must hold inside a UdpRoute."""

from typing import Final

import msgspec

from meshway.model.connection_route_rules import SHARED_RULES
from meshway.model.rule_kit import BlockRule, bounded
from meshway.model.udp_route import UdpRoute

UDP_ROUTE_RULES: Final[dict[type[msgspec.Struct], tuple[BlockRule, ...]]] = {
    UdpRoute: (*SHARED_RULES, bounded("idle", 1.0, 3_600.0, zero=False)),
}
