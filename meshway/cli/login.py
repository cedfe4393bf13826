"""`login` and `logout`: sign a person in at the registry, for the commands of a context."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from meshway.cli.failure import NOT_ALLOWED, NOT_FOUND, USAGE, CliError
from meshway.cli.passwords import password_from
from meshway.cli.session import Session, asking

if TYPE_CHECKING:
    from meshway.cli.registry_client import RegistryClient

PasswordFile = Annotated[
    str, typer.Option("--password-file", metavar="F", show_default=False, help="Instead of asking; `-`: stdin.")
]


@asking
def login(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="Of the user.")] = "",
    password_file: PasswordFile = "",
    code: Annotated[str, typer.Option("--code", metavar="123456", help="Of who has an app that tells codes.")] = "",
    link: Annotated[
        str, typer.Option("--link", metavar="URL", help="Set the password first, by the one-time link you were given.")
    ] = "",
    sso: Annotated[bool, typer.Option("--sso", help="By your browser, at an OpenID provider.")] = False,
    provider: Annotated[
        str, typer.Option(metavar="NAME", help="Of several OpenID providers this one; with --sso.")
    ] = "",
    confirm: Annotated[
        bool, typer.Option("--confirm", help="The provider asks again who you are, as tokens, users and keys need it.")
    ] = False,
) -> None:
    """Sign in, and keep what commands sign in by in the context: by password, or within 5 minutes by your browser."""
    from meshway.cli.kept_token import context_to_keep, keep_token
    from meshway.cli.registry_client import RegistryClient

    if bool(name or link) == sso:
        raise CliError(USAGE, "say how to sign in", mend="meshway login NAME, or meshway login --sso")
    context = context_to_keep(session)
    # Nothing that is over, or another's, goes along.
    nobody = msgspec.structs.replace(session, token_file=None)
    if sso:
        from meshway.cli.browser_sign_in import sign_in_by_browser

        made = sign_in_by_browser(nobody, provider, asks_again=confirm)
        who, token = made.principal, made.token
    else:
        who, token = _by_password(RegistryClient(nobody), name, password_file, code, link)
    keep_token(context, token)
    session.say(f"✓ {who}, for the commands of context {context.name}")


@asking
def logout(session: Session) -> None:
    """End what `login` began, here and at the registry."""
    from meshway.cli.config_file import read_config, write_config
    from meshway.cli.kept_token import context_to_keep
    from meshway.cli.registry_client import RegistryClient, refused

    context = context_to_keep(session)
    file = Path(context.token_file)
    if not file.exists():
        raise CliError(NOT_FOUND, f"nobody is signed in in context {context.name}", mend="meshway login NAME")
    answer = RegistryClient(msgspec.structs.replace(session, token_file=file)).answer("DELETE", "/v1/session")
    if answer.status_code >= 400 and answer.status_code != 401:  # one that is over already is no longer wanted
        raise refused(answer)
    file.unlink()
    write_config(read_config().with_context(msgspec.structs.replace(context, token_file="")))
    session.say(f"✓ signed out in context {context.name}")


def _by_password(client: "RegistryClient", name: str, password_file: str, code: str, link: str) -> tuple[str, str]:
    """Who, and what commands sign in by."""
    from meshway.cli.registry_client import refused

    password = password_from(password_file, "Password", "--password-file", is_new=bool(link))
    if link:
        body = {"token": link.rpartition("#")[2], "name": name, "password": password}
        name = client.ask("POST", "/v1/session/setup", body=body).json()["name"]
    wanted: dict[str, Any] = {"name": name, "password": password, "totp": code, "carrier": "bearer"}
    answer = client.answer("POST", "/v1/session", body=wanted)
    if answer.status_code == 401 and answer.json()["code"] == "totp_needed":
        if not sys.stdin.isatty():
            raise CliError(NOT_ALLOWED, "a code of the app is needed", mend="--code 123456")
        wanted["totp"] = typer.prompt("Code", err=True)
        answer = client.answer("POST", "/v1/session", body=wanted)
    if answer.status_code >= 400:
        raise refused(answer)
    return f"user:{name}", answer.json()["token"]
