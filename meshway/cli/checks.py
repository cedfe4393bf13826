"""`check`, `version`, `healthcheck`: is it well."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from meshway.cli.failure import FAILED, UNREACHABLE, CliError
from meshway.cli.findings import Finding, show_findings
from meshway.cli.gateway_findings import gateway_findings
from meshway.cli.route_findings import route_findings
from meshway.cli.session import REGISTRY, Session, asking
from meshway.identity import LOOPBACK

if TYPE_CHECKING:
    from meshway.cli.registry_client import RegistryClient

ADMIN: Final = "http://127.0.0.1:8590"
# What a registry does without when a part is missing, and what mends it.
_WITHOUT: Final = {
    "store": ("without its store, writes are refused", "start the database, or make room on its disk"),
    "live": ("without Redis, no lease ends", "start Redis, or correct MESHWAY_REDIS_URL of that registry"),
}


check_app = typer.Typer(invoke_without_command=True)


@check_app.callback()
@asking
def check(
    session: Session,
    ctx: typer.Context,
    gateway: Annotated[
        str,
        typer.Option(
            "--gateway", envvar="MESHWAY_ADMIN_URL", metavar="URL", help="Ask this gateway's admin address as well."
        ),
    ] = "",
) -> None:
    """Ask registry and gateways whether all is well. Exit 1 when something failed, 7 when no registry answers."""
    from meshway.cli.registry_client import RegistryClient

    if ctx.invoked_subcommand is not None:
        return
    findings, is_away = _findings(RegistryClient(session), session, gateway.rstrip("/"))
    if show_findings(session, findings):
        raise typer.Exit(UNREACHABLE if is_away else FAILED)


@asking
def healthcheck(
    session: Session,
    plane: Annotated[
        Literal["registry", "gateway"], typer.Argument(help="Which of the two this container runs.")
    ] = "registry",
    gateway: Annotated[str, typer.Option("--gateway", envvar="MESHWAY_ADMIN_URL", metavar="URL")] = ADMIN,
) -> None:
    """For containers: exit 0 when the plane is ready, 1 otherwise."""
    import httpx

    from meshway.cli.registry_client import verified_by

    url = f"{session.registry}/v1/health/ready" if plane == "registry" else f"{gateway.rstrip('/')}/health/ready"
    try:
        response = httpx.get(url, timeout=session.timeout_s, trust_env=False, verify=verified_by(session, url))
    except httpx.TransportError as error:
        raise CliError(FAILED, f"{url} does not answer", why=str(error) or type(error).__name__) from error
    if response.status_code != 200:
        raise CliError(FAILED, f"{url} answered {response.status_code}", why=response.text[:200].strip())
    session.say("ready")


@asking
def version(session: Session) -> None:
    """Print the version of this command, and whether gateways started by it run machine code."""
    import platform
    from importlib.metadata import version as installed

    from gateway.hot_path import hot_path

    runs = hot_path()
    own = {"meshway": installed("meshway"), "python": platform.python_version(), "hot_path": runs.word}
    if session.output in ("json", "jsonl"):
        from meshway.cli.output import pretty_json

        session.put(pretty_json(own))
    else:
        why = f": {runs.why}" if runs.why else ""
        session.put(f"meshway {own['meshway']} (Python {own['python']}, hot path {runs.word}{why})")


def _findings(client: "RegistryClient", session: Session, gateway: str) -> tuple[list[Finding], bool]:
    """And whether the registry is away: then there is still the gateway, which carries calls without it."""
    try:
        return list(_all_findings(client, session, gateway)), False
    except CliError as error:
        if error.code != UNREACHABLE:
            raise
        why = f": {error.why}" if error.why else ""
        away = Finding(id="registry-ready", verdict="failed", text=f"{error.what}{why}", mend=error.mend)
        # The gateway at the usual port is of the mesh at the usual port.
        admin = gateway or (ADMIN if session.registry == REGISTRY else "")
        return [away, *([_admin_ready(admin, session)] if admin else [])], True


def _all_findings(client: "RegistryClient", session: Session, gateway: str) -> Iterator[Finding]:
    yield _registry_ready(client, session)
    gateways = client.read("/v1/gateways")["items"]
    yield from gateway_findings(client, gateways)
    if gateway:
        yield _admin_ready(gateway, session)
    yield from _services(client)
    if client.read("/v1/session")["principal"] == LOOPBACK.name:
        text = "callers on the registry's machine are its admins without a token; all others sign in"
    else:
        text = "everybody signs in at the registry"
    yield Finding(id="sign-in", verdict="passed", text=text)


def _registry_ready(client: "RegistryClient", session: Session) -> Finding:
    response = client.answer("GET", "/v1/health/ready")
    if response.status_code == 200:
        ready = response.json()
        if ready["status"] == "degraded":
            without = [_WITHOUT[part] for part in ready["missing"]]
            serves = ", and ".join(what for what, _ in without)
            return Finding(
                id="registry-ready",
                verdict="failed" if "store" in ready["missing"] else "warning",
                text=f"registry {session.registry} serves {serves}: {ready['reason']}",
                mend="; ".join(mend for _, mend in without),
            )
        return Finding(
            id="registry-ready",
            verdict="passed",
            text=f"registry {session.registry} is ready at revision {response.headers.get('meshway-revision', '?')}",
        )
    return Finding(
        id="registry-ready",
        verdict="failed",
        text=f"registry {session.registry} is not ready: answered {response.status_code}",
    )


def _admin_ready(gateway: str, session: Session) -> Finding:
    import httpx

    try:
        response = httpx.get(f"{gateway}/health/ready", timeout=session.timeout_s, trust_env=False)
    except httpx.TransportError:
        return Finding(
            id="gateway-ready",
            verdict="warning",
            text=f"no gateway answers at {gateway}",
            mend="another admin address: --gateway URL",
        )
    if response.status_code == 200:
        return Finding(id="gateway-ready", verdict="passed", text=f"gateway {gateway} is ready")
    return Finding(
        id="gateway-ready", verdict="failed", text=f"gateway {gateway} is not ready: {response.text[:200].strip()}"
    )


def _services(client: "RegistryClient") -> Iterator[Finding]:
    known = set()
    for service in client.items("/v1/namespaces/-/services"):
        metadata = service.get("metadata", service)
        namespace, name, status = metadata["namespace"], metadata["name"], service["status"]
        known.add((namespace, name))
        if critical := status.get("critical", 0):
            total = sum(status.values())
            yield Finding(
                id="instances-critical",
                verdict="warning" if status.get("passing", 0) else "failed",
                text=f"{namespace}/{name}: {critical} of {total} instances critical",
                mend=f"meshway describe service/{name} -n {namespace}",
            )
    yield from route_findings(client, known)
    yield Finding(id="services", verdict="passed", text=f"{len(known)} service{'s' * (len(known) != 1)} known")
