"""The command `meshway`: puts the groups together. Verbs come first."""

import sys
from collections.abc import Iterator, Sequence

import typer

from meshway.cli import (
    agent,
    alerts,
    audit,
    authority,
    backup,
    bridge,
    calls,
    check_deploy,
    checked,
    checks,
    consumers,
    contexts,
    demo,
    doctor,
    documents,
    editing,
    explain,
    exporting,
    gateway_plane,
    login,
    logs,
    look,
    master_key,
    numbers,
    operating,
    planes,
    proposals,
    receivers,
    registry_plane,
    rehearse,
    revisions,
    rollouts,
    services,
    tokens,
    users,
)
from meshway.cli.failure import USAGE, CliError
from meshway.cli.guard import tell
from meshway.cli.session import common_flags
from meshway.cli.waiting import UNLESS_TOLD

app = typer.Typer(
    name="meshway",
    help="A service mesh with one hop instead of sidecars. Start with: meshway up",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for panel, commands in {
    "Run it here": (planes.up, demo.demo),
    "Look": (
        look.get,
        look.describe,
        look.instances,
        numbers.top,
        numbers.map_,
        calls.requests,
        calls.trace,
        calls.tap,
        logs.logs,
        explain.explain,
    ),
    "Documents": (
        documents.apply,
        documents.diff,
        rehearse.rehearse,
        documents.import_,
        documents.delete,
        editing.edit,
        exporting.export,
    ),
    "Revisions": (revisions.history, revisions.rollback, revisions.wait),
    "Services": (services.register, operating.drain, checked.deregister, services.call, agent.agent),
    "Rights": (
        login.login,
        login.logout,
    ),
    "Keep": (backup.backup, backup.restore),
    "Is it well": (doctor.doctor, checks.healthcheck, checks.version),
}.items():
    for command in commands:
        app.command(command.__name__.strip("_").replace("_", "-"), rich_help_panel=panel)(command)
checks.check_app.command("deploy")(check_deploy.deploy)
app.add_typer(checks.check_app, name="check", rich_help_panel="Is it well")
registry_plane.registry_app.command("rewrap")(master_key.rewrap)
app.add_typer(registry_plane.registry_app, name="registry", rich_help_panel="Run it here")
app.add_typer(gateway_plane.gateway_app, name="gateway", rich_help_panel="Run it here")
gateway_plane.gateway_app.command("drain")(operating.drain_gateway)
app.add_typer(operating.breaker_app, name="breaker", rich_help_panel="Services")
app.add_typer(operating.cache_app, name="cache", rich_help_panel="Services")
app.add_typer(proposals.change_app, name="change", rich_help_panel="Revisions")
app.add_typer(rollouts.rollout_app, name="rollout", rich_help_panel="Services")
app.add_typer(authority.ca_app, name="ca", rich_help_panel="Who is who")
app.add_typer(consumers.consumer_app, name="consumer", rich_help_panel="Who is who")
app.add_typer(contexts.context_app, name="context", rich_help_panel="Look")
app.add_typer(audit.audit_app, name="audit", rich_help_panel="Rights")
app.add_typer(tokens.token_app, name="token", rich_help_panel="Rights")
app.add_typer(users.user_app, name="user", rich_help_panel="Rights")
app.add_typer(alerts.alert_app, name="alert", rich_help_panel="Look")
app.add_typer(receivers.receiver_app, name="receiver", rich_help_panel="Look")
app.add_typer(bridge.bridge_app, name="bridge", rich_help_panel="Services")


def main() -> None:
    """Entry of the console script."""
    if (error := misplaced(sys.argv[1:])) is not None:
        tell(error)
        raise SystemExit(error.code)
    app(list(with_values(sys.argv[1:])))


def misplaced(arguments: Sequence[str]) -> CliError | None:
    """Of a common flag before the command, which typer would not know."""
    flags = common_flags()
    rest, moved = list(arguments), []
    while rest and rest[0].partition("=")[0] in flags:
        word = rest.pop(0)
        moved.append(word)
        if flags[word.partition("=")[0]] and "=" not in word and rest:
            moved.append(rest.pop(0))
    if not moved:
        return None
    flag = moved[0].partition("=")[0]
    command = " ".join(["meshway", *(rest or ["COMMAND"]), *moved])
    return CliError(USAGE, f"{flag} belongs behind the command", mend=command)


def with_values(arguments: Sequence[str]) -> Iterator[str]:
    """`--wait` may come without its value, which typer has no word for. What follows `--` is a program's own."""
    own = arguments.index("--") if "--" in arguments else len(arguments)
    for at, word in enumerate(arguments):
        yield f"--wait={UNLESS_TOLD}" if word == "--wait" and at < own else word


if __name__ == "__main__":
    main()
