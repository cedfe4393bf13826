"""The options that `up`, `registry serve` and `gateway serve` share, and how what is written in one is read."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from meshway.cli.failure import FAILED, INVALID, USAGE, CliError
from meshway.problem import Problem
from meshway.units import parse_size

Data = Annotated[Path, typer.Option("--data", envvar="MESHWAY_DATA", metavar="DIR", help="Where state is kept.")]
Bind = Annotated[str, typer.Option(envvar="MESHWAY_BIND", metavar="ADDRESS", help="Address to listen on.")]
Insecure = Annotated[
    bool, typer.Option("--insecure", envvar="MESHWAY_INSECURE", help="Allow listening off loopback without TLS.")
]
Workers = Annotated[
    int, typer.Option(envvar="MESHWAY_WORKERS", min=0, max=256, metavar="N", help="0: cores, at most 4.")
]
AccessLog = Annotated[
    Literal["json", "off"], typer.Option(envvar="MESHWAY_ACCESS_LOG", help="A JSON line for each call, or none.")
]
ReadyFile = Annotated[
    Path | None,
    typer.Option(envvar="MESHWAY_READY_FILE", metavar="F", help="Written as JSON when everything answers."),
]


TokenFile = Annotated[
    Path | None,
    typer.Option(
        envvar="MESHWAY_TOKEN_FILE",
        metavar="F",
        help="Holds the token by which it signs in at the registry; read anew for every question.",
    ),
]


def flag_option(
    flag: str, told: str, metavar: str | None = None, *, least: int | None = None, most: int | None = None
) -> typer.models.OptionInfo:
    """One that has a variable of its own name: `--edge-port`, MESHWAY_EDGE_PORT."""
    variable = "MESHWAY_" + flag.strip("-").replace("-", "_").upper()
    option: typer.models.OptionInfo = typer.Option(
        flag, envvar=variable, min=least, max=most, metavar=metavar, help=told
    )
    return option


def port_option(flag: str, what: str) -> typer.models.OptionInfo:
    return flag_option(flag, f"{what}; 0 takes a free one.", "N", least=0, most=65535)


def tls_port_option(flag: str, what: str) -> typer.models.OptionInfo:
    return flag_option(flag, f"{what}; 0 takes a free one, off: none.", "N")


RegistryPort = Annotated[int, port_option("--registry-port", "Registry and API")]
EdgePort = Annotated[int, port_option("--edge-port", "Calls from outside")]
MeshPort = Annotated[int, port_option("--mesh-port", "Calls between services")]
EdgeTlsPort = Annotated[str, tls_port_option("--edge-tls-port", "Calls from outside by TLS")]
MeshTlsPort = Annotated[str, tls_port_option("--mesh-tls-port", "Calls between services by TLS")]
AdminPort = Annotated[int, port_option("--admin-port", "The gateway's metrics and health")]
DnsPort = Annotated[
    str,
    typer.Option(
        "--dns-port",
        envvar="MESHWAY_DNS_PORT",
        metavar="N",
        help="Names below .mesh over DNS; 0 takes a free one, off: none.",
    ),
]


def bytes_of(flag: str, written: str) -> int:
    """Raises CliError 2."""
    try:
        return int(parse_size(written))
    except ValueError as error:
        raise CliError(USAGE, f"{flag}: {error}") from None


def networks_of(flag: str, written: str) -> tuple[str, ...]:
    """Raises CliError 2."""
    import ipaddress

    try:
        return tuple(str(ipaddress.ip_network(text)) for text in written.replace(",", " ").split())
    except ValueError as error:
        raise CliError(USAGE, f"{flag}: {error}", mend="write networks, 10.0.0.0/8,fd00::/8") from None


def plane_refused(problem: Problem) -> CliError:
    return CliError(INVALID if problem.status < 500 else FAILED, str(problem), mend=problem.mend)
