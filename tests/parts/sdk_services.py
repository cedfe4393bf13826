"""Small services on the SDK, as processes: what a user's program does, and no more."""

from pathlib import Path

from tests.parts.ports import free_port
from tests.parts.processes import ROOT, Process, python

ASGI = """
import asyncio, logging, sys
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from meshway.client import Mesh

logging.basicConfig(level=logging.INFO, format="%(message)s")
port, workers = int(sys.argv[1]), int(sys.argv[2])
mesh = Mesh.from_env()

async def hello(request):
    await asyncio.sleep(float(request.query_params.get("wait_s", "0")))
    return PlainTextResponse("hello")

app = Starlette(routes=[Route("/", hello)], lifespan=mesh.lifespan("hello", port=port, ttl_s=3))
if __name__ == "__main__":
    target = app if workers == 1 else "asgi_service:app"
    uvicorn.run(target, host="127.0.0.1", port=port, workers=workers, log_level="warning")
"""
SCRIPT = """
import logging, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from meshway.client import Mesh

logging.basicConfig(level=logging.INFO, format="%(message)s")

class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

port = int(sys.argv[1])
with ThreadingHTTPServer(("127.0.0.1", port), Hello) as server, Mesh.from_env().register("hello", port, ttl_s=3):
    server.serve_forever()
"""
WSGI = """
import logging, os, signal, sys
from socketserver import TCPServer
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from meshway.client import Mesh

logging.basicConfig(level=logging.INFO, format="%(message)s")

def hello(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"hello"]

class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass

port, workers = int(sys.argv[1]), int(sys.argv[2])
server = WSGIServer(("127.0.0.1", port), Quiet)
server.set_app(Mesh.from_env().wsgi(hello, "hello", port=port, ttl_s=3))
if workers == 1:
    server.serve_forever()
# Loaded once, then forked, as `gunicorn --preload` does it.
children = []
for _ in range(workers):
    child = os.fork()
    if child == 0:
        server.serve_forever()
    children.append(child)
try:
    signal.pause()
    signal.pause()
finally:
    for child in children:
        os.kill(child, signal.SIGTERM)
    for child in children:
        os.waitpid(child, 0)
"""


def start_service(
    folder: Path, registry: str, kind: str = "asgi", workers: int = 1, port: int = 0
) -> tuple[Process, int]:
    """kind: `asgi` (lifespan), `wsgi` or `script` (context manager). Returns the process and its port."""
    port = port or free_port()
    file = folder / f"{kind}_service.py"
    file.write_text({"asgi": ASGI, "wsgi": WSGI, "script": SCRIPT}[kind])
    environment = {
        "MESHWAY_URL": registry, "MESHWAY_RUNTIME_DIR": str(folder), "PYTHONPATH": f"{folder}:{ROOT}",
    }  # fmt: skip
    return Process(python(str(file), str(port), str(workers)), folder / f"{kind}-{port}.out", environment), port
