"""The command `meshway`: puts the groups together. Verbs come first."""

import typer

from meshway.cli import checks, demo, documents, look, planes, services

app = typer.Typer(
    name="meshway",
    help="A service mesh with one hop instead of sidecars. Start with: meshway up",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for panel, commands in {
    "Run it here": (planes.up, demo.demo),
    "Look": (look.get, look.describe, look.instances),
    "Documents": (documents.apply, documents.diff, documents.delete, documents.export),
    "Services": (services.register, services.call),
    "Is it well": (checks.check, checks.healthcheck, checks.version),
}.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.add_typer(planes.registry_app, name="registry", rich_help_panel="Run it here")
app.add_typer(planes.gateway_app, name="gateway", rich_help_panel="Run it here")


def main() -> None:
    """Entry of the console script."""
    app()


if __name__ == "__main__":
    main()
