"""Alerts as their evaluation leaves them, and those who are told of them: servers of HTTP and SMTP."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from registry.alerts.records import AlertState, Severity, fingerprint_of


def firing(name: str = "errors", at: float = 1000.0, **fields: Any) -> AlertState:
    """Of namespace `shop`, unless told; its receiver is shop/oncall."""
    labels: dict[str, str] = {"namespace": "shop", "service": "cart"} | fields.pop("labels", {})
    severity: Severity = fields.pop("severity", "warning")
    told: dict[str, Any] = {
        "id": f"{name}-{labels['service']}-{at:g}",
        "namespace": "shop",
        "name": name,
        "fingerprint": fingerprint_of("Alert", "shop", name, labels),
        "labels": labels,
        "state": "firing",
        "severity": severity,
        "value": 0.25,
        "summary": f"{name} of {labels['service']}",
        "receivers": ("shop/oncall",),
        "active_at": at,
        "fired_at": at,
        "updated_at": at,
    }
    return AlertState(**(told | fields))


def resolved(alert: AlertState, at: float) -> AlertState:
    fields = {name: getattr(alert, name) for name in alert.__struct_fields__}
    return AlertState(**(fields | {"state": "resolved", "resolved_at": at, "updated_at": at}))


@dataclass
class Posted:
    path: str
    fields: dict[str, str]
    text: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.text)


@dataclass
class Listener:
    """answers: statuses of the next answers, then 200. said: the body of each answer."""

    port: int = 0
    posted: list[Posted] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    said: bytes = b"ok"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.rstrip("\r\n").split("\r\n")
        fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        text = await reader.readexactly(int(fields.get("content-length", "0")))
        status = self.answers.pop(0) if self.answers else 200
        self.posted.append(Posted(first.split(" ")[1], fields, text))
        writer.write(b"HTTP/1.1 %d told\r\nContent-Length: %d\r\n\r\n%b" % (status, len(self.said), self.said))
        await writer.drain()
        writer.close()


@asynccontextmanager
async def listening(port: int = 0, listener: Listener | None = None) -> AsyncIterator[Listener]:
    """A webhook's other side."""
    listener = listener or Listener()
    server = await asyncio.start_server(listener.serve, "127.0.0.1", port)
    listener.port = server.sockets[0].getsockname()[1]
    try:
        yield listener
    finally:
        server.close()


@dataclass
class Mailbox:
    """mails: each as it was sent, head and body. logins: what AUTH said."""

    port: int = 0
    mails: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """As much of RFC 5321 as a client needs that sends a mail after AUTH PLAIN."""
        writer.write(b"220 mail\r\n")
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            verb = line[:4].upper()
            if verb == "EHLO":
                writer.write(b"250-mail\r\n250 AUTH PLAIN\r\n")
            elif verb == "AUTH":
                self.logins.append(line)
                writer.write(b"235 in\r\n")
            elif verb == "DATA":
                writer.write(b"354 go on\r\n")
                self.mails.append((await reader.readuntil(b"\r\n.\r\n")).decode())
                writer.write(b"250 taken\r\n")
            elif verb == "QUIT":
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"250 ok\r\n")
        await writer.drain()
        writer.close()


@asynccontextmanager
async def mailbox() -> AsyncIterator[Mailbox]:
    box = Mailbox()
    server = await asyncio.start_server(box.serve, "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()


@contextmanager
def answering(text: bytes) -> Iterator[int]:
    """The port of a server in a thread of its own that answers 200 and this text to every POST."""

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join(10)
