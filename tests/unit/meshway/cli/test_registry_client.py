"""Something else than a registry is told as such, whatever it answers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from meshway.cli.failure import UNREACHABLE, CliError
from meshway.cli.registry_client import RegistryClient
from meshway.cli.session import Session


@contextmanager
def another_server(status: int, body: bytes) -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("status", "body"), [(200, b"{}"), (200, b"<html>"), (404, b"<html>"), (204, b"")])
def test_another_http_server_is_no_registry(status: int, body: bytes) -> None:
    with another_server(status, body) as url, pytest.raises(CliError) as refused:
        list(RegistryClient(Session(registry=url)).items("/v1/namespaces/-/routes"))
    error = refused.value
    assert (error.code, error.what) == (UNREACHABLE, f"what answers at {url} is no Meshway registry")
    assert "--registry URL" in (error.mend or "")


def test_another_servers_page_is_no_download() -> None:
    written: list[bytes] = []
    with another_server(200, b"<html>") as url, pytest.raises(CliError, match="is no Meshway registry"):
        RegistryClient(Session(registry=url)).download("/v1/backup", written.append)
    assert written == []


def test_a_proxy_whose_registry_is_away_is_told_by_its_status() -> None:
    with another_server(502, b"<html>") as url, pytest.raises(CliError, match="answered 502"):
        RegistryClient(Session(registry=url)).read("/v1/gateways")
