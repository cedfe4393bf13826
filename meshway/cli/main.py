"""The command `meshway`: puts the groups together. Verbs come first.

What is asked for is imported, and nothing else: all the commands together take three times as long as one.
"""

import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any, Final, NamedTuple

import typer
from typer.exceptions import TyperException

from meshway.cli.failure import INTERRUPTED, USAGE, CliError
from meshway.cli.guard import tell
from meshway.cli.misuse import misuse
from meshway.cli.session import common_flags
from meshway.cli.waiting import UNLESS_TOLD

# httpx imports a command of its own where it can, and with it rich and pygments: a third of what a start costs.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # what the import system reads as: is not there


class _Command(NamedTuple):
    """module: below `meshway.cli`. function: also its name, unless told."""

    panel: str
    module: str
    function: str
    word: str = ""

    @property
    def name(self) -> str:
        return self.word or self.function.strip("_").replace("_", "-")

    def load(self) -> Any:
        return getattr(import_module(f"meshway.cli.{self.module}"), self.function)


_COMMANDS: Final = tuple(
    _Command(panel, *written.split(":"))
    for panel, commands in {
        "Run it here": "planes:up demo:demo",
        "Look": (
            "look:get look:describe look:instances numbers:top numbers:map_ calls:requests calls:trace calls:tap "
            "logs:logs explain:explain"
        ),
        "Documents": (
            "documents:apply documents:diff rehearse:rehearse documents:import_ documents:delete editing:edit "
            "exporting:export"
        ),
        "Revisions": "revisions:history revisions:rollback revisions:wait",
        "Services": "services:register operating:drain checked:deregister services:call agent:agent",
        "Rights": "login:login login:logout",
        "Keep": "backup:backup backup:restore",
        "Is it well": "doctor:doctor checks:healthcheck checks:version",
    }.items()
    for written in commands.split()
)
_GROUPS: Final = (
    _Command("Is it well", "checks", "check_app", "check"),
    _Command("Run it here", "registry_plane", "registry_app", "registry"),
    _Command("Run it here", "gateway_plane", "gateway_app", "gateway"),
    _Command("Services", "operating", "breaker_app", "breaker"),
    _Command("Services", "operating", "cache_app", "cache"),
    _Command("Revisions", "proposals", "change_app", "change"),
    _Command("Services", "rollouts", "rollout_app", "rollout"),
    _Command("Who is who", "authority", "ca_app", "ca"),
    _Command("Who is who", "consumers", "consumer_app", "consumer"),
    _Command("Look", "contexts", "context_app", "context"),
    _Command("Rights", "audit", "audit_app", "audit"),
    _Command("Rights", "tokens", "token_app", "token"),
    _Command("Rights", "users", "user_app", "user"),
    _Command("Look", "alerts", "alert_app", "alert"),
    _Command("Look", "receivers", "receiver_app", "receiver"),
    _Command("Services", "bridge", "bridge_app", "bridge"),
)
# Commands of a group that are written beside others.
_INTO_GROUPS: Final = {
    "check": _Command("", "check_deploy", "deploy"),
    "registry": _Command("", "master_key", "rewrap"),
    "gateway": _Command("", "operating", "drain_gateway", "drain"),
}


def make_app(only: str = "") -> typer.Typer:
    """only: one command or group; "": all of them."""
    app = typer.Typer(
        name="meshway",
        help="A service mesh with one hop instead of sidecars. Start with: meshway up",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_no_flags)  # without it one command alone would be the program
    for command in _COMMANDS:
        if only in ("", command.name):
            app.command(command.name, rich_help_panel=command.panel)(command.load())
    for group in _GROUPS:
        if only in ("", group.name):
            made = group.load()
            beside = _INTO_GROUPS.get(group.name)
            if beside is not None and all(known.name != beside.name for known in made.registered_commands):
                made.command(beside.name)(beside.load())
            app.add_typer(made, name=group.name, rich_help_panel=group.panel)
    return app


def _no_flags() -> None:
    pass


def main() -> None:
    """Entry of the console script."""
    if (error := misplaced(sys.argv[1:])) is not None:
        tell(error)
        raise SystemExit(error.code)
    first = next(iter(sys.argv[1:]), "")
    app = make_app(first if any(first == each.name for each in (*_COMMANDS, *_GROUPS)) else "")
    try:
        code = app(list(with_values(sys.argv[1:])), prog_name="meshway", standalone_mode=False)
    except TyperException as wrong:
        if (error := misuse(wrong)) is not None:
            tell(error)
        code = wrong.exit_code
    except typer.Abort:
        tell(CliError(INTERRUPTED, "broken off before it was answered"))
        code = INTERRUPTED
    raise SystemExit(code)


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
