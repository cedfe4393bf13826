"""`user codes`: an app that tells codes for one's own sign-in (TOTP, RFC 6238)."""

import sys
from typing import Annotated

import typer

from meshway.cli.session import Session, asking

TOTP = "/v1/session/totp"
codes_app = typer.Typer(no_args_is_help=True, help="An app that tells codes, for your own sign-in.")
Code = Annotated[str, typer.Argument(metavar="123456", help="That the app shows now.")]


@codes_app.command("on")
@asking
def on(session: Session) -> None:
    """Get a secret for the app, on stdout, and give the first code; from then on each sign-in asks for one."""
    from meshway.cli.registry_client import RegistryClient

    client = RegistryClient(session)
    offered = client.ask("POST", TOTP).json()
    session.say("give this secret to the app; it is not shown again:")
    session.put(offered["secret"])
    session.say(f"or open: {offered['uri']}")
    if not sys.stdin.isatty():
        session.say("then: meshway user codes take 123456, with the code that it shows")
        return
    _take(session, typer.prompt("Code", err=True))


@codes_app.command("take")
@asking
def take(session: Session, code: Code) -> None:
    """Give the first code of an app that has got its secret."""
    _take(session, code)


@codes_app.command("off")
@asking
def off(session: Session) -> None:
    """Ask for codes no more."""
    from meshway.cli.registry_client import RegistryClient

    session.confirm("Sign in by the password alone from now on?")
    RegistryClient(session).ask("DELETE", TOTP)
    session.say("✓ codes are asked for no more")


def _take(session: Session, code: str) -> None:
    from meshway.cli.registry_client import RegistryClient

    RegistryClient(session).ask("PUT", TOTP, body={"totp": code.strip()})
    session.say("✓ each sign-in asks for a code from now on")
