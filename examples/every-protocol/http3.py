"""One call by HTTP/3: prints its status, and what came back.

python http3.py https://localhost:8543/hello --roots roots.pem    (needs aioquic: pip install 'meshway[http3]')
"""

import argparse
import asyncio
import sys
from urllib.parse import urlsplit

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent

WITHIN_S = 5.0


class Caller(QuicConnectionProtocol):
    """Of one call. status: None: no answer has begun."""

    status: bytes | None = None
    body = b""

    async def get(self, host: str, path: str) -> None:
        self.h3, self.over = H3Connection(self._quic), asyncio.Event()
        head = {":method": "GET", ":scheme": "https", ":authority": host, ":path": path}
        fields = [(name.encode(), value.encode()) for name, value in head.items()]
        self.h3.send_headers(self._quic.get_next_available_stream_id(), fields, end_stream=True)
        self.transmit()
        await asyncio.wait_for(self.over.wait(), WITHIN_S)

    def quic_event_received(self, event: QuicEvent) -> None:
        if not hasattr(self, "h3"):
            return
        for told in self.h3.handle_event(event):
            if isinstance(told, HeadersReceived):
                self.status = dict(told.headers).get(b":status", self.status)
            if isinstance(told, DataReceived):
                self.body += told.data
            if isinstance(told, HeadersReceived | DataReceived) and told.stream_ended:
                self.over.set()


async def call(url: str, roots: str, address: str) -> str:
    place = urlsplit(url)
    host = place.hostname or ""
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, cafile=roots, server_name=host)
    port = place.port or 443
    async with connect(address, port, configuration=configuration, create_protocol=Caller) as caller:
        assert isinstance(caller, Caller)
        await caller.get(host, place.path or "/")
        return f"{(caller.status or b'').decode()} {caller.body.decode()}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--roots", required=True, help="whom to believe, PEM")
    parser.add_argument("--address", default="127.0.0.1", help="where the gateway is, whatever the URL names")
    options = parser.parse_args()
    sys.stdout.write(f"{asyncio.run(call(options.url, options.roots, options.address))}\n")
