"""`login`: signs a person in at the registry, for the commands of a context."""

from typing import Annotated

import typer

from meshway.cli.failure import USAGE, CliError
from meshway.cli.session import Session, asking


@asking
def login(
    session: Session,
    sso: Annotated[bool, typer.Option("--sso", help="By your browser, at an OpenID provider.")] = False,
    provider: Annotated[
        str, typer.Option(metavar="NAME", help="Of several OpenID providers this one; with --sso.")
    ] = "",
    confirm: Annotated[
        bool, typer.Option("--confirm", help="The provider asks again who you are, as tokens, users and keys need it.")
    ] = False,
) -> None:
    """Sign in, and keep what commands sign in by in the context: within 5 minutes, by your browser."""
    from meshway.cli.browser_sign_in import sign_in_by_browser
    from meshway.cli.kept_token import context_to_keep, keep_token

    if not sso:
        raise CliError(USAGE, "say how to sign in", mend="meshway login --sso")
    context = context_to_keep(session)
    made = sign_in_by_browser(session, provider, asks_again=confirm)
    keep_token(context, made.token)
    session.say(f"✓ {made.principal}, for the commands of context {context.name}")
