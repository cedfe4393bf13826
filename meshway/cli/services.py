"""`register` and `call`: a service's way in, and a person's call to it."""

from pathlib import Path
from typing import Annotated

import typer

from meshway.cli.checked import read_check, register_checked
from meshway.cli.failure import FAILED, INVALID, USAGE, CliError
from meshway.cli.session import Session, asking
from meshway.model.service import ServiceProtocol

GATEWAY = "http://127.0.0.1:8581"
Gateway = Annotated[
    str, typer.Option("--gateway", envvar="MESHWAY_GATEWAY", metavar="URL", help="The gateway's mesh listener.")
]


@asking
def register(
    session: Session,
    service: Annotated[str, typer.Argument(metavar="SVC", help="The service's name.")],
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Where this instance listens.")],
    command: Annotated[list[str] | None, typer.Argument(metavar="[-- CMD…]", show_default=False)] = None,
    address: Annotated[str, typer.Option(envvar="MESHWAY_ADDRESS", help="What gateways reach it by; found out.")] = "",
    id_: Annotated[str, typer.Option("--id", help="The instance's name; SVC-HOST-PORT.")] = "",
    protocol: Annotated[
        ServiceProtocol,
        typer.Option("--protocol", help="What is spoken there; a Service's ports say it for all instances."),
    ] = "http",
    version: Annotated[str, typer.Option("--version", help="For subsets and canaries.")] = "",
    zone: Annotated[str, typer.Option(envvar="MESHWAY_ZONE")] = "",
    weight: Annotated[int, typer.Option(min=0, max=1000, help="Its share beside others'.")] = 1,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="May be repeated.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option("--metadata", metavar="KEY=VALUE", help="May be repeated.")
    ] = None,
    ttl: Annotated[float | None, typer.Option("--ttl", metavar="SECONDS", help="The lease, 3 to 3600; 30.")] = None,
    check: Annotated[
        str, typer.Option("--check", metavar="TYPE[:WHAT]", help="Let the registry ask it: tcp, http:/PATH, grpc:NAME.")
    ] = "",
    gateway: Gateway = GATEWAY,
    certificate_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="MESHWAY_CERTIFICATE_DIR",
            metavar="DIR",
            help="Of meshway agent: over https its certificate signs in, where there is no token.",
        ),
    ] = None,
) -> None:
    """Keep an instance registered while CMD runs, or until Ctrl-C; then drain and deregister it.

    With --check the registry asks the instance, and the command ends at once.
    """
    asked = read_check(check) if check else None
    if asked is not None and (command or ttl is not None):
        other = "CMD" if command else "--ttl"
        raise CliError(USAGE, f"--check is for what runs without us: no {other}", mend=f"leave out --check or {other}")
    from meshway.cli.wrapped import Wrapped, run_registered
    from meshway.client.registration import describe
    from meshway.client.settings import MeshSettings

    namespace = session.own_namespace
    settings = MeshSettings(
        registry=session.registry,
        token_file=session.token_file,
        ca_file=session.ca_file,
        certificate_dir=certificate_dir,
        gateway=gateway.rstrip("/"),
        namespace=namespace,
    )
    try:
        wanted = describe(
            settings,
            service,
            port,
            id=id_,
            address=address,
            protocol=protocol,
            version=version,
            zone=zone,
            weight=weight,
            tags=tag or (),
            metadata=dict(_pair(text) for text in metadata or ()),
            ttl_s=30.0 if ttl is None else ttl,
        )
    except ValueError as error:
        raise CliError(INVALID, f"cannot register {service}: {error}") from error
    if asked is not None:
        register_checked(session, wanted, asked)
        return
    code = run_registered(session, settings, wanted, Wrapped(tuple(command or ()), port))
    raise typer.Exit(code)


@asking
def call(
    session: Session,
    target: Annotated[str, typer.Argument(metavar="SVC/PATH", help="reviews/7, or reviews.shop/7.")],
    method: Annotated[str, typer.Option("--method", "-X")] = "",
    header: Annotated[list[str] | None, typer.Option("--header", "-H", metavar="NAME: VALUE")] = None,
    data: Annotated[str | None, typer.Option("--body", "-d", help="The body; @FILE reads it, @- from stdin.")] = None,
    gateway: Annotated[
        str,
        typer.Option(
            "--gateway",
            envvar="MESHWAY_GATEWAY",
            metavar="URL",
            help="The mesh listener; that of `up` in DIR, else one that the registry knows, else 8581.",
        ),
    ] = "",
    log_of: Annotated[
        Path, typer.Option("--data", envvar="MESHWAY_DATA", metavar="DIR", help="The data folder of `meshway up`.")
    ] = Path(".meshway"),
) -> None:
    """Call a service through the gateway: its answer on stdout, status, time and, of a mesh on this machine, route and
    instance on stderr. Exit 1 from 400 on.
    """
    from meshway.cli.calling import Question, ask_gateway, mesh_listener, reported_listener

    host, _, path = target.removeprefix("http://").partition("/")
    namespace = session.own_namespace
    host = {0: f"{host}.{namespace}.mesh", 1: f"{host}.mesh"}.get(host.count("."), host)
    headers = [header_of(text) for text in header or ()]
    method = method or ("POST" if data else "GET")
    listener = gateway.rstrip("/") or mesh_listener(log_of) or reported_listener(session) or GATEWAY
    question = Question(listener, host, f"/{path}", method, headers, data, log_of)
    status = ask_gateway(session, question)
    if status >= 400:
        raise typer.Exit(FAILED)


def header_of(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise CliError(USAGE, f"{text!r} is no header", mend="-H 'name: value'")
    return name.strip(), value.strip()


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise CliError(USAGE, f"{text!r} is no metadata", mend="--metadata key=value")
    return key, value
