"""`demo`: the book shop of examples/bookinfo beside a running mesh, until Ctrl-C."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer

from meshway.cli.failure import FAILED, NOT_FOUND, CliError
from meshway.cli.installed import refuse_missing_server
from meshway.cli.running import Ready, RunFolder
from meshway.cli.session import REGISTRY, Session, asking

if TYPE_CHECKING:
    from meshway.cli.registry_client import RegistryClient

NAMESPACE: Final = "bookinfo"
COPIES: Final = (
    ("details", "v1"),
    ("ratings", "v1"),
    ("reviews", "v1"),
    ("reviews", "v2"),
    ("reviews", "v3"),
    ("productpage", "v1"),
)
_READY_WITHIN_S: Final = 60.0
_ENDS_WITHIN_S: Final = 10.0
_DEFAULT: Final = Ready(
    registry=REGISTRY,
    edge="http://127.0.0.1:8580",
    mesh="http://127.0.0.1:8581",
    admin="http://127.0.0.1:8590",
    pids={},
)


@asking
def demo(
    session: Session,
    data: Annotated[
        Path, typer.Option("--data", envvar="MESHWAY_DATA", metavar="DIR", help="The data folder of `meshway up`.")
    ] = Path(".meshway"),
    edge: Annotated[str, typer.Option("--edge", metavar="URL", help="The gateway's edge listener.")] = "",
    gateway: Annotated[str, typer.Option("--gateway", envvar="MESHWAY_GATEWAY", metavar="URL")] = "",
    keep: Annotated[bool, typer.Option("--keep", help="Leave its documents when it ends.")] = False,
) -> None:
    """Run the book shop (four services, six instances) beside `meshway up`, until Ctrl-C."""
    refuse_missing_server()
    from meshway.cli.registry_client import RegistryClient

    folder = example_folder()
    where = _where(session, data)
    client = RegistryClient(msgspec.structs.replace(session, registry=where.registry))
    client.ask("GET", "/v1/health/ready")
    if session.registry != REGISTRY:
        where = _by_its_gateways(where, client)
    where = msgspec.structs.replace(where, edge=edge or where.edge, mesh=gateway or where.mesh)
    Shop(session, client, folder, where, keep=keep).run()


class Shop:
    """The six processes, and the documents that were not there before them. keep: leave those when it ends."""

    def __init__(self, session: Session, client: "RegistryClient", folder: Path, where: Ready, *, keep: bool) -> None:
        self._session = session
        self._client = client
        self._folder = folder
        self._where = where
        self._keep = keep
        self._created: list[dict[str, str]] = []
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._stop = threading.Event()

    def run(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        try:
            self._publish()
            for service, version in COPIES:
                self._start(service, version)
            if self._wait_registered():
                self._session.put(f"{self._where.edge}/productpage")
                self._session.say("Reload it: black stars are reviews v2, red ones v3.      Ctrl-C stops")
                self._watch()
        finally:
            self._end()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()

    def _publish(self) -> None:
        from meshway.cli.written_files import read_files

        documents = [document.sent for document in read_files([str(self._folder)], NAMESPACE)]
        applied = self._client.ask(
            "POST", "/v1/apply", params={"namespace": NAMESPACE}, body={"documents": documents, "delete": []}
        )
        told = applied.json()
        self._created = [
            {name: row[name] for name in ("kind", "namespace", "name")}
            for row in told["documents"]
            if row["result"] == "created"
        ]
        self._session.say(f"✓ {len(documents)} documents of {NAMESPACE}, revision {told['revision']}")

    def _start(self, service: str, version: str) -> None:
        port = free_port()
        environment = os.environ | {
            "MESHWAY_URL": self._where.registry,
            "MESHWAY_GATEWAY": self._where.mesh,
            "MESHWAY_NAMESPACE": NAMESPACE,
            "SERVICE_VERSION": version,
        }
        self._running[f"{service} {version}"] = subprocess.Popen(
            [sys.executable, str(self._folder / f"{service}.py"), "--port", str(port)],
            env=environment,
            start_new_session=True,
        )

    def _wait_registered(self) -> bool:
        """False when a signal came first. Raises CliError when a service ended or did not come up."""
        until = time.monotonic() + _READY_WITHIN_S
        wanted = {service: sum(each == service for each, _ in COPIES) for service, _ in COPIES}
        while not self._stop.wait(0.2):
            self._refuse_ended()
            services = list(self._client.items(f"/v1/namespaces/{NAMESPACE}/services"))
            passing = {_name(service): service["status"].get("passing", 0) for service in services}
            if all(passing.get(service, 0) >= count for service, count in wanted.items()):
                self._session.say(f"✓ {len(COPIES)} instances registered in namespace {NAMESPACE}")
                return True
            if time.monotonic() > until:
                raise CliError(FAILED, f"the services did not register within {_READY_WITHIN_S:.0f} s")
        return False

    def _refuse_ended(self) -> None:
        for name, process in self._running.items():
            if process.poll() is not None:
                raise CliError(FAILED, f"{name} ended with exit code {process.returncode}", why="its words stand above")

    def _watch(self) -> None:
        """Copies may be killed on purpose: the mesh goes on, and so does the demo while any of them runs."""
        ended: set[str] = set()
        while not self._stop.wait(0.5):
            for name, process in self._running.items():
                if name not in ended and process.poll() is not None:
                    ended.add(name)
                    self._session.say(f"! {name} ended (exit code {process.returncode}); the others go on")
            if len(ended) == len(self._running):
                return

    def _end(self) -> None:
        """They drain by themselves on SIGTERM."""
        for process in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        until = time.monotonic() + _ENDS_WITHIN_S
        for process in self._running.values():
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if self._created and not self._keep:
            self._take_back()

    def _take_back(self) -> None:
        """What was there before the demo stays. A registry that has gone meanwhile must not keep it from ending."""
        count = f"{len(self._created)} documents of {NAMESPACE}"
        try:
            self._client.ask("POST", "/v1/apply", body={"documents": [], "delete": self._created})
        except CliError as error:
            self._session.say(f"! {count} stay behind: {error.what}")
        else:
            self._session.say(f"✓ {count} deleted (--keep leaves them)")


def example_folder() -> Path:
    """In a checkout, or below the current folder. Raises CliError where the examples were not installed."""
    for root in (Path(__file__).parents[2], Path.cwd()):
        folder = root / "examples" / "bookinfo"
        if (folder / "productpage.py").is_file():
            return folder
    raise CliError(
        NOT_FOUND,
        "examples/bookinfo is not here: it comes with the source, not with the installed package",
        mend="run it inside a checkout of the project: make demo",
    )


def _where(session: Session, data: Path) -> Ready:
    """Where `up` says it runs, unless --registry or MESHWAY_URL named another mesh."""
    if session.registry != REGISTRY:
        return msgspec.structs.replace(_DEFAULT, registry=session.registry)
    running = RunFolder(data).running()
    return running.ready if running is not None and running.ready is not None else _DEFAULT


def _by_its_gateways(where: Ready, client: "RegistryClient") -> Ready:
    """Where a live gateway of the registry says it listens."""
    for gateway in client.ask("GET", "/v1/gateways").json()["items"]:
        if gateway["live"] and gateway["edge"] and gateway["mesh"]:
            return msgspec.structs.replace(where, edge=gateway["edge"], mesh=gateway["mesh"])
    return where


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _name(service: dict[str, Any]) -> str:
    return str(service["metadata"]["name"] if "metadata" in service else service["name"])
