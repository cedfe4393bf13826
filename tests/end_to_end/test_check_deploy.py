"""`meshway check deploy`: nobody who calls notices that a service is replaced; a service that just dies is noticed."""

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.parts.command import Ended, meshway
from tests.parts.mesh import Mesh
from tests.parts.processes import ROOT

REVIEWS = (sys.executable, str(ROOT / "examples" / "bookinfo" / "reviews.py"), "--port", "{port}", "--version", "v1")
# Registers by hand, answers slowly, and on SIGTERM is gone in the middle of what it does.
RUDE = """
import json, os, signal, sys, time, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        time.sleep(0.1)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    do_POST = do_GET
    def log_message(self, *_):
        pass

port, env = int(sys.argv[1]), os.environ
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
url = f"{env['MESHWAY_URL']}/v1/namespaces/{env['MESHWAY_NAMESPACE']}/services/rude/instances/{env['MESHWAY_INSTANCE']}"
body = json.dumps({"port": port, "address": "127.0.0.1", "ttl_s": 3}).encode()
urllib.request.urlopen(urllib.request.Request(url, body, {"content-type": "application/json"}, method="PUT"))
server.serve_forever()
"""


def check_deploy(mesh: Mesh, service: str, *arguments: str, command: tuple[str, ...], **options: Any) -> Ended:
    common = ("-n", "bookinfo", "--gateway", mesh.mesh, "-o", "json")
    return meshway(
        "check", "deploy", service, *common, *arguments, "--", *command, env={"MESHWAY_URL": mesh.registry}, **options
    )


def test_a_service_that_drains_is_replaced_without_a_lost_call(start_mesh: Callable[..., Mesh]) -> None:
    mesh = start_mesh(1)
    paths = ("--get", "/reviews/0", "--post", "/reviews/0", "--data", '{"text": "fine"}')
    ended = check_deploy(mesh, "reviews", "--rounds", "1", *paths, command=REVIEWS)
    assert ended.code == 0, ended
    told = json.loads(ended.out)
    assert (told["replaced"], told["lost"]) == (2, [])
    assert min(told["calls"]["GET"], told["calls"]["POST"]) > 20
    assert len({line["instance"] for line in mesh.access_log()}) == 4, "both copies, and both that took their place"


def test_a_service_that_dies_loses_calls_and_that_is_told(start_mesh: Callable[..., Mesh]) -> None:
    mesh = start_mesh(1)
    ended = check_deploy(mesh, "rude", "--rounds", "1", "--post", "/", command=(sys.executable, "-c", RUDE, "{port}"))
    assert ended.code == 1, ended
    lost = json.loads(ended.out)["lost"]
    # A GET is asked again, and lost only where the other instance is one that has died as well.
    posts = [each for each in lost if each["method"] == "POST"]
    assert posts
    assert {each["why"] for each in posts} <= {"502 upstream_reset"}
    assert all("made way for" in each["while"] for each in lost)


def test_what_does_not_work_before_is_no_matter_of_a_deploy(start_mesh: Callable[..., Mesh]) -> None:
    ended = check_deploy(start_mesh(1), "reviews", "--get", "/nowhere", command=REVIEWS)
    assert (ended.code, "answers 404" in ended.err, "nothing was replaced yet" in ended.err) == (1, True, True)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_hundred_rolling_restarts_lose_no_call(start_mesh: Callable[..., Mesh]) -> None:
    mesh = start_mesh(2)
    paths = ("--get", "/reviews/0", "--post", "/reviews/0", "--data", '{"text": "fine"}', "--connections", "16")
    ended = check_deploy(mesh, "reviews", "--rounds", "50", *paths, command=REVIEWS, within_s=3500.0)
    assert ended.code == 0, ended
    told = json.loads(ended.out)
    assert (told["replaced"], told["lost"]) == (100, [])
