"""The options of `gateway serve` alone: whom it follows, what it is, how much a worker takes and waits for; each also a
variable."""

from pathlib import Path
from typing import Annotated, Literal

import typer

WorkerConnections = Annotated[
    int,
    typer.Option(
        "--max-connections",
        envvar="MESHWAY_GATEWAY_MAX_CONNECTIONS",
        min=1,
        metavar="N",
        help="Connections of callers that a worker takes; above it the answer is 503.",
    ),
]
EdgeConnectionsPerAddress = Annotated[
    int,
    typer.Option(
        "--max-connections-per-address",
        envvar="MESHWAY_GATEWAY_MAX_CONNECTIONS_PER_ADDRESS",
        min=0,
        metavar="N",
        help="Of these, at the edge from one address that is no trusted proxy; further ones are reset. 0: any number.",
    ),
]
WorkerMemory = Annotated[
    str,
    typer.Option(
        "--worker-memory",
        envvar="MESHWAY_WORKER_MEMORY",
        metavar="SIZE",
        help="From 75 % of it on a worker takes no new connections and sheds calls; 0: any amount.",
    ),
]
LoopLag = Annotated[
    str,
    typer.Option(
        "--shed-lag",
        envvar="MESHWAY_SHED_LAG",
        metavar="WAIT",
        help="How late a worker may be before it sheds sheddable calls, at four times that all but critical; 0s: any.",
    ),
]
HeadTimeout = Annotated[
    str,
    typer.Option(
        "--head-timeout",
        envvar="MESHWAY_HEAD_TIMEOUT",
        metavar="WAIT",
        help="From the first byte of a request's head to its last; then 408.",
    ),
]
IdleTimeout = Annotated[
    str,
    typer.Option(
        "--idle-timeout",
        envvar="MESHWAY_IDLE_TIMEOUT",
        metavar="WAIT",
        help="How long a caller's connection stays open without a call.",
    ),
]
WriteIdle = Annotated[
    str,
    typer.Option(
        "--write-idle",
        envvar="MESHWAY_WRITE_IDLE",
        metavar="WAIT",
        help="How long a caller may take nothing of what is sent; then the connection is cut.",
    ),
]
BodyMinRate = Annotated[
    int,
    typer.Option(
        "--body-min-rate",
        envvar="MESHWAY_BODY_MIN_RATE",
        min=0,
        metavar="N",
        help="Least bytes a second of a request's body at the edge; below it 408. 0: any.",
    ),
]
EnrolTokenFile = Annotated[
    Path | None,
    typer.Option(
        "--enrol-token-file",
        envvar="MESHWAY_ENROL_TOKEN_FILE",
        metavar="F",
        help="A one-time token for this gateway's own certificate; it is needed once.",
    ),
]
CaFile = Annotated[
    Path | None,
    typer.Option("--ca-file", envvar="MESHWAY_CA_FILE", metavar="F", help="PEM: by whom https is believed."),
]
TakeOver = Annotated[
    bool,
    typer.Option(
        "--take-over",
        help="In place of the gateway that runs with this --data: its sockets are taken, and when all workers serve it "
        "drains and ends.",
    ),
]
Registries = Annotated[
    list[str] | None,
    typer.Option(
        "--registry", envvar="MESHWAY_URL", metavar="URL", help="Where to follow; may be repeated, or commas."
    ),
]
Node = Annotated[str, typer.Option(envvar="MESHWAY_NODE", help="Name in the registry; this host's.")]
Zone = Annotated[str, typer.Option(envvar="MESHWAY_ZONE", help="The zone this host stands in.")]
CrossNamespace = Annotated[
    Literal["deny", "allow"],
    typer.Option(
        envvar="MESHWAY_CROSS_NAMESPACE",
        help="May Routes send to other namespaces, where neither an AccessPolicy nor MeshSettings says so?",
    ),
]
TrustedProxies = Annotated[
    str,
    typer.Option(
        envvar="MESHWAY_TRUSTED_PROXIES",
        metavar="CIDRS",
        help="Proxies before the edge, with commas: their X-Forwarded-For is believed.",
    ),
]
CertificatesDir = Annotated[
    Path | None,
    typer.Option(
        envvar="MESHWAY_CERTIFICATES_DIR",
        metavar="DIR",
        help="Where the files of Certificates lie; `certificates` in --data.",
    ),
]
