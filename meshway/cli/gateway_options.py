"""The options of `gateway serve` that say how much a worker takes, each also a variable."""

from typing import Annotated

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
