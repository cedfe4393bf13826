"""How a worker connects to services: what it shows and asks by TLS, and the connections it keeps."""

import asyncio
from collections.abc import Callable

from gateway.relay.deadline import TimerWheel
from gateway.secret_ring import SecretRing
from gateway.trust import Trust
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.pool import Pool
from gateway.upstream.shared_pool import SharedPool
from gateway.wire.http1.client import IDENTIFYING, make_connector
from gateway.wire.http2.client import make_shared_connector
from gateway.wire.http2.upstream import Speaking
from gateway.wire.upstream_tls import UpstreamContexts
from meshway.certificates import Pair
from meshway.http1.field_lines import response_lines
from meshway.http1.head import HeadLimits


class Connecting:
    """trust, identity: as they are now. now: monotonic seconds."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        secrets: SecretRing,
        trust: Callable[[], Trust],
        identity: Callable[[], Pair | None],
        wheel: TimerWheel,
        now: Callable[[], float],
    ) -> None:
        contexts = self.contexts = UpstreamContexts(secrets, trust, identity)
        self.shared_pool = SharedPool(make_shared_connector(loop, contexts=contexts), wheel, now)
        speaking = Speaking(
            make_connector(loop, contexts=contexts), self.shared_pool, HeadLimits(), response_lines(drop=IDENTIFYING)
        )
        self.pool = Pool(speaking.connect, wheel, now, speaking.beside)

    def retire(self, endpoint: Endpoint) -> None:
        """It is gone, or is to be connected to otherwise."""
        self.pool.close_idle(endpoint)
        self.shared_pool.retire(endpoint)
