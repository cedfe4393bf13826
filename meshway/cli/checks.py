"""`check`, `version`, `healthcheck`: is it well."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
import typer

from meshway.cli.failure import FAILED, UNREACHABLE, CliError
from meshway.cli.session import REGISTRY, Session, asking

if TYPE_CHECKING:
    from meshway.cli.registry_client import RegistryClient

Verdict = Literal["passed", "warning", "failed"]
_MARKS: Final = {"passed": "✓", "warning": "!", "failed": "✗"}
_SHOWN: Final = 5
ADMIN: Final = "http://127.0.0.1:8590"
# What a registry does without when a part is missing, and what mends it.
_WITHOUT: Final = {
    "store": ("without its store, writes are refused", "start the database, or make room on its disk"),
    "live": ("without Redis, no lease ends", "start Redis, or correct MESHWAY_REDIS_URL of that registry"),
}


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One check. id: stable, for monitoring and for links."""

    id: str
    verdict: Verdict
    text: str
    mend: str | None = None


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


def show_findings(session: Session, findings: Sequence[Finding]) -> int:
    """How many failed."""
    from meshway.cli.output import painted, pretty_json

    failed = sum(finding.verdict == "failed" for finding in findings)
    warned = sum(finding.verdict == "warning" for finding in findings)
    if session.output in ("json", "jsonl"):
        session.put(pretty_json({"failed": failed, "warnings": warned, "checks": findings}))
    else:
        for finding in findings:
            if session.quiet and finding.verdict == "passed":
                continue
            line = f"{_MARKS[finding.verdict]} {finding.text}"
            session.put(painted(line) if session.color else line)
            if finding.mend:
                session.put(f"    mend: {finding.mend}")
        passed = len(findings) - failed - warned
        session.say(f"{failed} failed, {warned} warning{'s' * (warned != 1)}, {passed} passed")
    return failed


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

    url = f"{session.registry}/v1/health/ready" if plane == "registry" else f"{gateway.rstrip('/')}/health/ready"
    try:
        response = httpx.get(url, timeout=session.timeout_s, trust_env=False)
    except httpx.TransportError as error:
        raise CliError(FAILED, f"{url} does not answer", why=str(error) or type(error).__name__) from error
    if response.status_code != 200:
        raise CliError(FAILED, f"{url} answered {response.status_code}", why=response.text[:200].strip())
    session.say("ready")


@asking
def version(session: Session) -> None:
    """Print the version of this command."""
    import platform
    from importlib.metadata import version as installed

    own = {"meshway": installed("meshway"), "python": platform.python_version()}
    if session.output in ("json", "jsonl"):
        from meshway.cli.output import pretty_json

        session.put(pretty_json(own))
    else:
        session.put(f"meshway {own['meshway']} (Python {own['python']})")


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
    yield from _gateways(client, gateways)
    if gateway:
        yield _admin_ready(gateway, session)
    yield from _services(client)
    if session.registry.startswith(("http://127.", "http://localhost", "http://[::1]")):
        yield Finding(
            id="loopback-trust",
            verdict="passed",
            text="callers on this machine are trusted without sign-in; nobody else is let in",
        )


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


def _gateways(client: "RegistryClient", gateways: list[dict[str, Any]]) -> Iterator[Finding]:
    live = [gateway for gateway in gateways if gateway["live"]]
    if not live:
        yield Finding(
            id="gateways-live",
            verdict="failed",
            text="no gateway reports to this registry: nobody carries calls by it",
            mend="meshway gateway serve, or meshway up",
        )
        return
    head = int(client.ask("GET", "/v1/health/live").headers.get("meshway-revision", "0"))
    behind = [gateway["node"] for gateway in live if gateway["revision"] < head]
    if behind:
        yield Finding(
            id="gateways-current",
            verdict="warning",
            text=f"gateways behind revision {head}: {', '.join(behind)}",
            mend="meshway get gateways shows their revisions; one that stays behind says why in its log",
        )
    else:
        yield Finding(
            id="gateways-current", verdict="passed", text=f"gateways {len(live)} of {len(live)} at revision {head}"
        )
    for gateway in gateways:
        if not gateway["live"]:
            yield Finding(
                id="gateway-silent",
                verdict="warning",
                text=f"gateway {gateway['node']} has been silent for {gateway['last_report_s']:.0f} s",
            )
        if kept := gateway.get("mass_removal_guard", 0):
            yield Finding(
                id="mass-removal-guard",
                verdict="failed",
                text=f"gateway {gateway['node']} calls {kept} endpoints on that vanished from the registry at once",
                mend="look for why they were lost: the registry's log, its store, the network to the instances",
            )
        if alone := gateway.get("limits_alone", ""):
            yield Finding(
                id="limits-alone",
                verdict="warning",
                text=f"gateway {gateway['node']} counts shared limits by its own share: {alone}",
                mend="it counts with the others again by itself once its registry, and the registry's Redis, answer",
            )
        if ejected := gateway.get("ejected", []):
            yield Finding(
                id="instances-ejected",
                verdict="warning",
                text=f"gateway {gateway['node']} does not call {', '.join(ejected[:_SHOWN])}"
                f"{' …' if len(ejected) > _SHOWN else ''}: their calls fail",
                mend="look for why in the log of the instance; a heartbeat says only that its process lives",
            )
        if failing := gateway.get("failing", []):
            yield Finding(
                id="instances-failing",
                verdict="warning",
                text=f"gateway {gateway['node']} calls {', '.join(failing[:_SHOWN])}"
                f"{' …' if len(failing) > _SHOWN else ''} on though the calls fail: there is no other",
                mend="look whether the instance still runs: its lease may outlive it; meshway deregister takes it out",
            )
        if opened := gateway.get("open_breakers", []):
            yield Finding(
                id="breakers-open",
                verdict="warning",
                text=f"gateway {gateway['node']} keeps calls away from {', '.join(opened[:_SHOWN])}"
                f"{' …' if len(opened) > _SHOWN else ''}: the breaker is open, as too many of them failed",
                mend="look for why they fail: the log of its instances; the breaker tries again by itself",
            )
        for refused in gateway.get("refused", []):
            name = f"{refused['kind']} {refused['namespace']}/{refused['name']}"
            yield Finding(
                id="gateway-refused",
                verdict="failed",
                text=f"gateway {gateway['node']} refuses {name}: {refused.get('path', '')} {refused['reason']}",
                mend=f"it runs the last good version; mend the document: meshway describe {name.split()[0].lower()}/"
                f"{refused['name']} -n {refused['namespace']}",
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
    count = 0
    for service in client.items("/v1/namespaces/-/services"):
        count += 1
        metadata = service.get("metadata", service)
        namespace, name, status = metadata["namespace"], metadata["name"], service["status"]
        if critical := status.get("critical", 0):
            total = sum(status.values())
            yield Finding(
                id="instances-critical",
                verdict="warning" if status.get("passing", 0) else "failed",
                text=f"{namespace}/{name}: {critical} of {total} instances critical",
                mend=f"meshway describe service/{name} -n {namespace}",
            )
    yield Finding(id="services", verdict="passed", text=f"{count} service{'s' * (count != 1)} known")
