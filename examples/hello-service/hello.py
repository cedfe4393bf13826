"""Answers `Hello, World!`, with nothing but the standard library: the mesh is joined from outside.

meshway register hello --port 8080 -- python hello.py
"""

import logging
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY = b"Hello, World!\n"


class Hello(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections open; a call then costs no handshake
    disable_nagle_algorithm = True  # head and body are two writes; the second would wait 40 ms for the first's ACK

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/plain; charset=utf-8")
        self.send_header("content-length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        logging.info("%s %s", self.command, self.path)


def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    port = int(os.environ.get("PORT", "8080"))
    with ThreadingHTTPServer((os.environ.get("HOST", "127.0.0.1"), port), Hello) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
