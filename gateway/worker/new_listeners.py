"""What serves a listener of a worker, by its face and by what is spoken there."""

from collections.abc import Callable
from functools import partial

from gateway.exchange import Exchange
from gateway.listeners.bytes import bytes_listener
from gateway.listeners.edge import edge_listener
from gateway.listeners.mesh import mesh_listener
from gateway.listeners.udp import udp_listener
from gateway.relay.explained import Tell
from gateway.relay.forwarding import Networks
from gateway.relay.relay import Relay
from gateway.settings import WorkerSettings
from gateway.source_cells import SourceCells
from gateway.telemetry.counters import Counters
from gateway.wire.listener_context import ListenerContext
from gateway.wire.places import Places
from gateway.wire.tcp.caller import Carriage
from gateway.wire.tls import TlsFace
from meshway.model.listener import BY_TLS, CARRIED, EDGE, Spoken


class NewListeners:
    """Of one worker, all of them with the same places. carriage: of connections that are carried as they are.
    explain: of the mesh, what to tell of a call that asks for it.

    count: told of each handshake by the listener's name, and whether it failed. wall: seconds since 1970. reset_key: as
    in `Start`. cells: where workers tell each other what an address has. is_alone: no other worker reads its ports.
    """

    def __init__(
        self,
        relay: Relay,
        carriage: Carriage,
        counters: Counters | None,
        settings: WorkerSettings,
        trusted_proxies: Networks,
        explain: Callable[[Exchange], Tell | None],
        count: Callable[[str, bool], None],
        wall: Callable[[], float],
        reset_key: bytes,
        cells: SourceCells | None,
        *,
        is_alone: bool,
    ) -> None:
        self._relay, self._carriage, self._counters, self._settings = relay, carriage, counters, settings
        self._trusted_proxies, self._explain, self._count, self._wall = trusted_proxies, explain, count, wall
        self._reset_key, self._cells, self._is_alone = reset_key, cells, is_alone
        self._places = Places(settings.max_connections)

    def make(self, name: str, face: str, speaks: Spoken) -> ListenerContext:
        relay, settings, places = self._relay, self._settings, self._places
        if speaks == "udp":
            return udp_listener(relay, self._carriage.tables, self._counters, settings, places, face, name, self._cells)
        if speaks == "http3":
            return self._http3(name)
        tls = TlsFace(self._wall) if speaks in BY_TLS else None
        if speaks in CARRIED:
            return bytes_listener(
                relay, settings, self._trusted_proxies, places, self._carriage, name, face, speaks, tls
            )
        if face == EDGE:
            return edge_listener(relay, settings, self._trusted_proxies, places, tls, name)
        return mesh_listener(relay, settings, places, self._explain, tls, name, self._carriage)

    def _http3(self, name: str) -> ListenerContext:
        # aioquic takes time and memory of each worker that has it; OwnListeners has imported it, beside the loop.
        from gateway.listeners.http3 import http3_listener

        return http3_listener(
            self._relay,
            self._settings,
            self._trusted_proxies,
            self._places,
            TlsFace(self._wall),
            name,
            partial(self._count, name),
            self._reset_key,
            may_migrate=self._is_alone,
        )
