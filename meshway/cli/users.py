"""`user`: who signs in by a password, and which roles people hold."""

import time
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
import typer

from meshway.cli.codes import codes_app
from meshway.cli.failure import NOT_FOUND, USAGE, CliError
from meshway.cli.login import PasswordFile
from meshway.cli.passwords import password_from
from meshway.cli.session import EVERY_NAMESPACE, Session, asking
from meshway.cli.tokens import OF_THE_MESH, RoleName, role_of

Name = Annotated[str, typer.Argument(metavar="NAME")]
AnyName = Annotated[
    str, typer.Argument(metavar="NAME", show_default=False, help="A user, or sso:PROVIDER:NAME of single sign-on.")
]
Group = Annotated[bool, typer.Option("--group", help="NAME is a group of an OpenID provider: PROVIDER:GROUP.")]
user_app = typer.Typer(no_args_is_help=True, help="Let people sign in at the registry, and say what they may.")
user_app.add_typer(codes_app, name="codes")


@user_app.command("create")
@asking
def create(
    session: Session,
    name: Name,
    role: Annotated[
        RoleName | None,
        typer.Option(
            "--role",
            parser=role_of,
            metavar="ROLE",
            help="In the namespace of -n, or of all with -A; more: user bind.",
        ),
    ] = None,
    display_name: Annotated[str, typer.Option("--display-name", metavar="TEXT", help="As it is shown.")] = "",
    password_file: PasswordFile = "",
) -> None:
    """Make a user, and tell the link by which the person sets the password, once and within 10 minutes."""
    from meshway.cli.registry_client import RegistryClient

    client = RegistryClient(session)
    body: dict[str, Any] = {"name": name, "display_name": display_name}
    if password_file:
        body["password"] = password_from(password_file, "Password", "--password-file")
    made = client.ask("POST", "/v1/users", body=body).json()
    if role is not None:
        client.ask("POST", "/v1/bindings", body=_binding(session, "user", name, role))
    _tell(session, made, f"user {name} is made")


@user_app.command("list")
@asking
def list_(session: Session) -> None:
    """List users, and whether they have signed in."""
    from meshway.cli.output import show_list
    from meshway.cli.registry_client import RegistryClient

    items = RegistryClient(session).read("/v1/users")["items"]
    columns = {
        "NAME": lambda item: str(item["name"]),
        "STATE": _state_of,
        "CODES": lambda item: "app" if item.get("has_totp") else "-",
        "SIGNED IN": _last_of,
        "MADE BY": lambda item: str(item["created_by"]),
    }
    show_list(session, items, columns, name=lambda item: str(item["name"]), empty="no users: meshway user create NAME")


@user_app.command("disable")
@asking
def disable(session: Session, name: Name) -> None:
    """Let a user in no more: all sessions end, everywhere within seconds."""
    _change(session, name, {"is_disabled": True})
    session.say(f"✓ {name} is disabled")


@user_app.command("enable")
@asking
def enable(session: Session, name: Name) -> None:
    """Let a user in again."""
    _change(session, name, {"is_disabled": False})
    session.say(f"✓ {name} may sign in")


@user_app.command("delete")
@asking
def delete(session: Session, name: Name) -> None:
    """Delete a user, with roles and sessions."""
    from meshway.cli.registry_client import RegistryClient

    session.confirm(f"Delete user {name}?")
    RegistryClient(session).ask("DELETE", _path(name))
    session.say(f"✓ user {name} is deleted")


@user_app.command("reset-password")
@asking
def reset_password(
    session: Session,
    name: Name,
    password_file: PasswordFile = "",
    codes_too: Annotated[bool, typer.Option("--codes-too", help="The device with the app is lost as well.")] = False,
) -> None:
    """Take the password away, end all sessions, and tell the link by which the person sets the next one."""
    from meshway.cli.registry_client import RegistryClient

    client = RegistryClient(session)
    body = {"password": password_from(password_file, "", "--password-file")} if password_file else {}
    if codes_too:
        client.ask("DELETE", f"{_path(name)}/totp")
    made = client.ask("POST", f"{_path(name)}/reset", body=body).json()
    _tell(session, made, f"the password of {name} counts no more")


@user_app.command("change-password")
@asking
def change_password(
    session: Session,
    password_file: PasswordFile = "",
    new_password_file: Annotated[
        str, typer.Option("--new-password-file", metavar="F", show_default=False, help="As --password-file.")
    ] = "",
) -> None:
    """Change your own password; your other sessions end."""
    from meshway.cli.kept_token import context_to_keep, keep_token
    from meshway.cli.registry_client import RegistryClient

    context = context_to_keep(session)
    old = password_from(password_file, "Password", "--password-file")
    new = password_from(new_password_file, "New password", "--new-password-file", is_new=True)
    body = {"password": old, "new_password": new}
    made = RegistryClient(session).ask("PUT", "/v1/session/password", body=body).json()
    keep_token(context, made["token"])
    session.say("✓ the password is changed")


@user_app.command("sessions")
@asking
def sessions(session: Session, name: AnyName = "") -> None:
    """List who is signed in, since when and from where."""
    from meshway.cli.output import show_list
    from meshway.cli.registry_client import RegistryClient

    params = {"principal": _principal(name)} if name else {}
    items = RegistryClient(session).read("/v1/sessions", **params)["items"]
    columns = {
        "WHO": lambda item: str(item["principal"]),
        "SINCE": lambda item: _time(item["opened_at"]),
        "USED": lambda item: _time(item["used_at"]),
        "FROM": lambda item: str(item["address"]),
        "BY": lambda item: f"{item['how']}, {item['carrier']}",
        "ID": lambda item: str(item["id"]),
    }
    show_list(session, items, columns, name=lambda item: str(item["id"]), empty="nobody is signed in")


@user_app.command("end-sessions")
@asking
def end_sessions(session: Session, name: AnyName) -> None:
    """Sign a person out wherever he is signed in."""
    from meshway.cli.registry_client import RegistryClient

    RegistryClient(session).ask("DELETE", f"{_path(name)}/sessions")
    session.say(f"✓ {name} is signed out")


@user_app.command("bind")
@asking
def bind(
    session: Session,
    name: Name,
    role: Annotated[
        RoleName,
        typer.Option("--role", parser=role_of, metavar="ROLE", help="In the namespace of -n, or of all with -A."),
    ],
    group: Group = False,
) -> None:
    """Give a role to a user or a group."""
    from meshway.cli.registry_client import RegistryClient

    body = _binding(session, "group" if group else "user", name, role)
    made = RegistryClient(session).ask("POST", "/v1/bindings", body=body).json()
    session.say(f"✓ {name} is {role} in {_place_of(made)}")


@user_app.command("unbind")
@asking
def unbind(
    session: Session,
    name: Name,
    role: Annotated[
        RoleName,
        typer.Option("--role", parser=role_of, metavar="ROLE", help="In the namespace of -n, or of all with -A."),
    ],
    group: Group = False,
) -> None:
    """Take a role back: it counts no more, everywhere within seconds."""
    from meshway.cli.registry_client import RegistryClient

    client = RegistryClient(session)
    wanted = _binding(session, "group" if group else "user", name, role)
    items = client.read("/v1/bindings")["items"]
    found = next((item for item in items if all(item[member] == wanted[member] for member in wanted)), None)
    if found is None:
        raise CliError(
            NOT_FOUND, f"{name} is not {role} in {_place_of(wanted)}", mend="meshway user bindings tells who is what"
        )
    client.ask("DELETE", f"/v1/bindings/{found['id']}")
    session.say(f"✓ {name} is no longer {role} in {_place_of(wanted)}")


@user_app.command("bindings")
@asking
def bindings(session: Session) -> None:
    """List who holds which roles."""
    from meshway.cli.output import show_list
    from meshway.cli.registry_client import RegistryClient

    items = RegistryClient(session).read("/v1/bindings")["items"]
    columns = {
        "WHO": lambda item: f"{item['kind']} {item['subject']}",
        "ROLE": lambda item: str(item["role"]),
        "IN": _place_of,
        "GIVEN BY": lambda item: str(item["created_by"]),
        "ID": lambda item: str(item["id"]),
    }
    show_list(session, items, columns, name=lambda item: str(item["id"]), empty="no roles are given to people")


def _change(session: Session, name: str, body: dict[str, Any]) -> None:
    from meshway.cli.registry_client import RegistryClient

    RegistryClient(session).ask("PATCH", _path(name), body=body)


def _binding(session: Session, kind: str, subject: str, role: str) -> dict[str, str]:
    if role == "gateway":
        raise CliError(USAGE, "gateways are no people", mend="meshway token create NAME --role gateway")
    namespace = "*" if session.namespace == EVERY_NAMESPACE or role in OF_THE_MESH else session.namespace
    return {"kind": kind, "subject": subject, "role": role, "namespace": namespace}


def _tell(session: Session, made: dict[str, Any], what: str) -> None:
    """The link goes to stdout, so that it can be piped to who is to have it."""
    session.say(f"✓ {what}")
    if session.output in ("json", "jsonl"):
        session.put(msgspec.json.encode(made).decode())
    elif "link" in made:
        minutes = max(1, round((made["link"]["expires_at"] - time.time()) / 60))
        session.say(f"to set the password, once and within {minutes} min:")
        session.put(session.registry + made["link"]["path"])
    else:
        session.say("the password has to be changed at the first sign-in")


def _path(name: str) -> str:
    return f"/v1/users/{quote(name, safe='')}"


def _place_of(item: dict[str, Any]) -> str:
    return "all namespaces" if item["namespace"] == "*" else str(item["namespace"])


def _state_of(item: dict[str, Any]) -> str:
    if item.get("is_disabled"):
        return "disabled"
    if not item["has_password"]:
        return "has a link"
    return "must change the password" if item.get("must_change") else "active"


def _last_of(item: dict[str, Any]) -> str:
    at = item.get("signed_in_at")
    return "never" if at is None else _time(at)


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def _principal(name: str) -> str:
    """As sessions bear it."""
    return name if ":" in name else f"user:{name}"
