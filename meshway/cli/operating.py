"""`drain`, `breaker reset`, `cache purge`, `gateway drain`: what somebody on duty does by hand."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from meshway.cli.failure import FAILED, INVALID, NOT_FOUND, UNREACHABLE, CliError
from meshway.cli.guard import guarded
from meshway.cli.session import Session, asking
from meshway.cli.waiting import UNLESS_TOLD
from meshway.socket_path import short_path

breaker_app = typer.Typer(no_args_is_help=True, help="Breakers, set by hand.")
cache_app = typer.Typer(no_args_is_help=True, help="Answers that gateways keep.")
Service = Annotated[str, typer.Argument(metavar="SVC", help="The service's name.")]


@asking
def drain(
    session: Session,
    service: Service,
    instance: Annotated[str, typer.Argument(metavar="ID", help="The instance's.")],
    undo: Annotated[bool, typer.Option("--undo", help="Let it take calls again.")] = False,
) -> None:
    """Let an instance take no new calls; those under way end. It stays registered, and keeps its lease."""
    from meshway.cli.registry_client import RegistryClient, refused
    from meshway.cli.waiting import preference, seconds_of

    namespace = session.own_namespace
    place = "/".join(quote(part, safe="") for part in (namespace, "services", service, "instances", instance))
    path, name = f"/v1/namespaces/{place}", f"{namespace}/{service}/{instance}"
    client = RegistryClient(session)
    known = client.answer("GET", path)
    if known.status_code == 404:
        raise CliError(
            NOT_FOUND, f"{name} is not there", mend=f"see what there is: meshway instances {service} -n {namespace}"
        )
    if known.status_code >= 400:
        raise refused(known)
    wanted = "passing" if undo else "draining"
    status = known.json()["status"]
    if status == wanted:
        session.say(f"✓ {name} is {status} already")
        return
    if undo and status != "draining":
        raise CliError(INVALID, f"{name} does not drain: it is {status}", mend="drain --undo is for what drains")
    waiting = preference(seconds_of("--wait", UNLESS_TOLD))
    answer = client.ask("PATCH", path, body={"status": wanted}, headers=waiting)
    behind = answer.headers.get("meshway-pending", "")
    told = f"not known yet to {behind}" if behind else "known to all gateways"
    if undo:
        session.say(f"✓ {name} takes calls again, {told}")
        return
    session.say(f"✓ {name} drains, {told}; calls under way end. Gone: meshway deregister {service} {instance}")


@breaker_app.command("reset")
@asking
def reset(session: Session, service: Service) -> None:
    """Close the breakers of a service at all gateways, those of its subsets and ports, too. They count anew."""
    from meshway.cli.output import pretty_json
    from meshway.cli.registry_client import RegistryClient, document_path

    namespace = session.own_namespace
    path = document_path(namespace, "services", service) + "/breakers/reset"
    told: dict[str, Any] = RegistryClient(session).ask("POST", path).json()
    gateways = told["gateways"]
    if session.output in ("json", "jsonl"):
        session.put(pretty_json(told))
    for each in gateways:
        if each.get("error"):
            session.say(f"✗ gateway {each.get('gateway') or '?'}: {each['error']}")
        else:
            closed = ", ".join(each.get("closed", [])) or "none was open"
            session.say(f"✓ gateway {each['gateway']}: {closed}")
    if any(each.get("error") for each in gateways):
        raise typer.Exit(FAILED)


@cache_app.command("purge")
@asking
def purge(
    session: Session,
    route: Annotated[str, typer.Argument(metavar="ROUTE", help="The Route's name.")],
    rule: Annotated[str, typer.Option("--rule", help="Only those of this rule.")] = "",
    host: Annotated[str, typer.Option("--host", help="Only those of this host.")] = "",
    path: Annotated[str, typer.Option("--path", help="Only those of paths that begin so: /books.")] = "",
) -> None:
    """Let all gateways forget the answers that they have kept for a Route."""
    from meshway.cli.output import pretty_json
    from meshway.cli.registry_client import RegistryClient, document_path

    asked = {"rule": rule, "host": host, "path": path}
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in asked.items() if value)
    place = document_path(session.own_namespace, "routes", route) + "/cache/purge"
    told: dict[str, Any] = RegistryClient(session).ask("POST", f"{place}?{query}" if query else place).json()
    gateways = told["gateways"]
    if session.output in ("json", "jsonl"):
        session.put(pretty_json(told))
    for each in gateways:
        if each.get("error"):
            session.say(f"✗ gateway {each.get('gateway') or '?'}: {each['error']}")
        else:
            session.say(f"✓ gateway {each['gateway']}: {each.get('answers', 0)} forgotten")
    if any(each.get("error") for each in gateways):
        raise typer.Exit(FAILED)


@guarded
def drain_gateway(
    data: Annotated[
        Path, typer.Option("--data", envvar="MESHWAY_DATA", metavar="DIR", help="The gateway's data folder.")
    ] = Path(".meshway"),
) -> None:
    """Let the gateway of a data folder on this machine drain and end, as SIGTERM does."""
    import httpx

    from meshway.cli.registry_client import transport_reason

    control = data / "run" / "gateway.sock"
    if not control.exists():
        raise CliError(NOT_FOUND, f"no gateway runs in {data}", mend="name its data folder: --data DIR")
    try:
        with short_path(control) as name, httpx.Client(transport=httpx.HTTPTransport(uds=name), timeout=5.0) as client:
            answer = client.post("http://gateway/drain")
    except httpx.TransportError as error:
        raise CliError(UNREACHABLE, f"the gateway in {data} does not answer", why=transport_reason(error)) from error
    if answer.status_code != 202:
        raise CliError(FAILED, f"the gateway in {data} answered {answer.status_code}", why=answer.text[:200].strip())
    typer.echo("✓ it drains: no new calls, those under way end", err=True)
