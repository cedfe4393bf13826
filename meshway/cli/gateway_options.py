"""The options of `gateway serve` alone: whom it follows, what it is, how much a worker takes and waits for; each also a
variable."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from meshway.cli.plane_options import flag_option

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
    flag_option(
        "--worker-memory",
        "From 75 % of it on a worker takes no new connections and sheds calls; 0: any amount.",
        "SIZE",
    ),
]
LoopLag = Annotated[
    str,
    flag_option(
        "--shed-lag",
        "How late a worker may be before it sheds sheddable calls, at four times that all but critical; 0s: any.",
        "WAIT",
    ),
]
HeadTimeout = Annotated[
    str,
    flag_option("--head-timeout", "From the first byte of a request's head to its last; then 408.", "WAIT"),
]
IdleTimeout = Annotated[
    str,
    flag_option("--idle-timeout", "How long a caller's connection stays open without a call.", "WAIT"),
]
WriteIdle = Annotated[
    str,
    flag_option(
        "--write-idle", "How long a caller may take nothing of what is sent; then the connection is cut.", "WAIT"
    ),
]
BodyMinRate = Annotated[
    int,
    flag_option(
        "--body-min-rate", "Least bytes a second of a request's body at the edge; below it 408. 0: any.", "N", least=0
    ),
]
EnrolTokenFile = Annotated[
    Path | None,
    flag_option("--enrol-token-file", "A one-time token for this gateway's own certificate; it is needed once.", "F"),
]
CaFile = Annotated[
    Path | None,
    flag_option("--ca-file", "PEM: by whom https is believed.", "F"),
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
