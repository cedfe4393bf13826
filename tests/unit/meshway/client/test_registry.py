"""The blocking client in forked processes."""

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from meshway.client.calls import Call
from meshway.client.registry import Registry
from meshway.client.settings import MeshSettings


class Remembers(BaseHTTPRequestHandler):
    """Answers with the port the connection came from."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = str(self.client_address[1]).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Remembers) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_forked_child_does_not_speak_on_its_parents_connection(url: str) -> None:
    registry = Registry(MeshSettings(registry=url))
    port_of = Call(method="GET", path="/", decode=lambda response: int(response.content))
    ours = registry.send(port_of)
    assert registry.send(port_of) == ours  # kept open between calls
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writes, str(registry.send(port_of)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(reads, 32)) != ours
    assert registry.send(port_of) == ours
    registry.close()
