"""The command `meshway`: puts the groups together. Verbs come first."""

import typer

from meshway.cli import planes
from meshway.cli.healthcheck import healthcheck

app = typer.Typer(
    name="meshway",
    help="A service mesh with one hop instead of sidecars.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(planes.up)
app.add_typer(planes.registry_app, name="registry")
app.add_typer(planes.gateway_app, name="gateway")
app.command()(healthcheck)


def main() -> None:
    app()


if __name__ == "__main__":
    main()
