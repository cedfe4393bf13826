"""`token`: what people, programs and gateways sign in by."""

import time
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec
import typer

from meshway.cli.failure import CONFLICT, NOT_FOUND, USAGE, CliError
from meshway.cli.first_tokens import make_first_tokens, write_token
from meshway.cli.session import EVERY_NAMESPACE, Session, asking

RoleName = Literal["viewer", "operator", "editor", "namespace-admin", "admin", "gateway"]
OF_THE_MESH = ("admin", "gateway")


def role_of(written: str) -> str:
    """As it is written for --role. Raises BadParameter: one line with what there is."""
    from meshway.model.nearest import did_you_mean

    known = list(get_args(RoleName))
    if written not in known:
        raise typer.BadParameter(f"there is no role {written!r}{did_you_mean(written, known)}: {', '.join(known)}")
    return written


token_app = typer.Typer(no_args_is_help=True, help="Let people, programs and gateways sign in at the registry.")


@token_app.command("create")
@asking
def create(
    session: Session,
    name: Annotated[
        str, typer.Argument(metavar="NAME", show_default=False, help="Stands in the history of what is done by it.")
    ] = "",
    role: Annotated[
        RoleName | None,
        typer.Option(
            "--role",
            parser=role_of,
            metavar="ROLE",
            help="In the namespace of -n, or of all with -A; may be left out.",
        ),
    ] = None,
    service: Annotated[
        str, typer.Option("--service", metavar="[NAMESPACE/]NAME", help="May register this service's instances.")
    ] = "",
    enrol: Annotated[
        str,
        typer.Option(
            "--enrol",
            metavar="NAMESPACE/NAME",
            help="Instead of all that: a one-time token for a certificate; gateway/HOST for a gateway.",
        ),
    ] = "",
    expires: Annotated[str, typer.Option("--expires", metavar="2160h", help="How long it is good for.")] = "2160h",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="F", help="Write it there, for its owner alone, instead of telling.")
    ] = None,
) -> None:
    """Make a token and tell it, once."""
    from meshway.cli.registry_client import RegistryClient

    if out is not None and out.exists():
        raise CliError(CONFLICT, f"{out} is there already", mend="name another file, or remove it")
    if enrol:
        if name or role or service:
            raise CliError(USAGE, "--enrol goes with no NAME, --role and --service", mend=f"--enrol {enrol} alone")
        made = RegistryClient(session).ask("POST", "/v1/identity/enrolments", body={"subject": enrol}).json()
    else:
        body = _wanted(session, name, role, service, expires)
        made = RegistryClient(session).ask("POST", "/v1/tokens", body=body).json()
    what = f"token for {enrol}" if enrol else f"token {name} ({made['id']})"
    if out is not None:
        write_token(out, made["token"])
        session.say(f"{what} is in {out}")
    elif session.output in ("json", "jsonl"):
        session.put(msgspec.json.encode(made).decode())
    else:
        session.say(f"{what}, told this once:")
        session.put(made["token"])


def _wanted(session: Session, name: str, role: str | None, service: str, expires: str) -> dict[str, Any]:
    """What is asked of the registry. Raises CliError 2."""
    from meshway.cli.waiting import seconds_of

    if not name:
        raise CliError(USAGE, "a token needs a NAME", mend="meshway token create NAME --role viewer")
    if role is None and not service:
        raise CliError(USAGE, "a token needs --role or --service", mend="--role viewer, or --service NAME")
    namespace = "*" if session.namespace == EVERY_NAMESPACE or role in OF_THE_MESH else session.namespace
    if service and "/" not in service:
        service = f"{session.namespace}/{service}"
    body: dict[str, Any] = {"name": name, "service": service, "expires_in_s": seconds_of("--expires", expires)}
    body["grants"] = [] if role is None else [{"role": role, "namespace": namespace}]
    return body


@token_app.command("list")
@asking
def list_(session: Session) -> None:
    """List tokens, without themselves."""
    from meshway.cli.output import show_list
    from meshway.cli.registry_client import RegistryClient

    items = RegistryClient(session).read("/v1/tokens")["items"]
    columns = {
        "NAME": lambda item: str(item["name"]),
        "ID": lambda item: str(item["id"]),
        "MAY": _rights_of,
        "STATE": _state_of,
        "MADE BY": lambda item: str(item["created_by"]),
    }
    show_list(session, items, columns, name=lambda item: str(item["name"]), empty="no tokens")


@token_app.command("revoke")
@asking
def revoke(
    session: Session, token: Annotated[str, typer.Argument(metavar="NAME", help="Or the id that list tells.")]
) -> None:
    """Refuse a token from now on, everywhere within seconds."""
    from meshway.cli.registry_client import RegistryClient
    from meshway.model.nearest import did_you_mean

    client = RegistryClient(session)
    live = {str(item["name"]): str(item["id"]) for item in client.read("/v1/tokens")["items"] if _is_live(item)}
    token_id = live.get(token, token if token in live.values() else "")
    if not token_id:
        raise CliError(
            NOT_FOUND, f"there is no live token {token!r}{did_you_mean(token, list(live))}", mend="meshway token list"
        )
    client.ask("DELETE", f"/v1/tokens/{token_id}")
    session.say(f"token {token} is revoked")


@token_app.command("bootstrap")
@asking
def bootstrap(
    session: Session,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files are put.")],
    also: Annotated[
        list[str] | None,
        typer.Option("--also", metavar="NAME=ROLE@NAMESPACE", help="Another token; may be repeated."),
    ] = None,
    apart: Annotated[bool, typer.Option("--apart", help="Each in a folder of its own: DIR/NAME/NAME.token.")] = False,
) -> None:
    """Make the first tokens of a mesh, an admin's and one for gateways, by --token-file F of the registry's bootstrap.

    Nothing is done where the admin's file is there already.
    """
    made = make_first_tokens(session, folder, dict(_further(text) for text in also or ()), apart=apart)
    for path in made:
        session.say(f"made {path}")
    if not made:
        session.say(f"{folder} holds the first tokens already")


def _further(text: str) -> tuple[str, list[dict[str, str]]]:
    name, equals, grant = text.partition("=")
    role, at, namespace = grant.partition("@")
    if not (name and equals and role and at and namespace):
        raise CliError(USAGE, f"--also {text!r} is no NAME=ROLE@NAMESPACE", mend="as in --also ci=editor@shop")
    return name, [{"role": role, "namespace": namespace}]


def _rights_of(item: dict[str, Any]) -> str:
    told = [f"{grant['role']} in {_place_of(grant)}" for grant in item["grants"]]
    if item.get("service"):
        told.append(f"registers {item['service']}")
    return ", ".join(told)


def _place_of(grant: dict[str, Any]) -> str:
    return "all namespaces" if grant["namespace"] == "*" else str(grant["namespace"])


def _is_live(item: dict[str, Any]) -> bool:
    return "revoked_at" not in item and item.get("expires_at", time.time() + 1) > time.time()


def _state_of(item: dict[str, Any]) -> str:
    if "revoked_at" in item:
        return f"revoked by {item.get('revoked_by', '')}"
    if not _is_live(item):
        return "over"
    if "expires_at" not in item:
        return "live"
    return f"live, {max(int((item['expires_at'] - time.time()) // 86_400), 0)} d left"
