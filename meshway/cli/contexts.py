"""`context`: which mesh commands speak to."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from meshway.cli.config_file import Context, config_path, read_config, write_config
from meshway.cli.failure import INVALID, USAGE, CliError
from meshway.cli.guard import guarded
from meshway.cli.session import Session, Yes, registry_url

Name = Annotated[str, typer.Argument(metavar="NAME")]
context_app = typer.Typer(no_args_is_help=True, help="Say once which registry and namespace commands speak of.")


@context_app.command("list")
@guarded
def list_contexts(
    output: Annotated[Literal["table", "json"], typer.Option("--output", "-o")] = "table",
) -> None:
    """List contexts; the current one is marked."""
    from meshway.cli.output import show_list

    config = read_config()
    items = [
        {"name": one.name, "current": one.name == config.current, "url": one.url, "namespace": one.namespace}
        for one in config.contexts
    ]
    columns = {
        "NAME": lambda item: str(item["name"]),
        "CURRENT": lambda item: "✓" if item["current"] else "",
        "REGISTRY": lambda item: str(item["url"] or "-"),
        "NAMESPACE": lambda item: str(item["namespace"] or "-"),
    }
    empty = f"no contexts in {config_path()}; make one: meshway context set NAME --url URL"
    show_list(Session(output=output), items, columns, name=lambda item: str(item["name"]), empty=empty)


@context_app.command("use")
@guarded
def use(name: Name) -> None:
    """Let commands speak to this one from now on."""
    config = read_config()
    write_config(msgspec.structs.replace(config, current=config.context(name).name))


@context_app.command("set")
@guarded
def set_(
    name: Name,
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="The registry.")] = None,
    namespace: Annotated[str | None, typer.Option("--namespace", "-n", metavar="NAMESPACE")] = None,
    token_file: Annotated[
        str | None, typer.Option("--token-file", metavar="F", help="Holds the token by which commands sign in.")
    ] = None,
) -> None:
    """Make a context, or change what is named of it. The first one is the current one."""
    from meshway.model.fields import read_struct

    config = read_config()
    known = next((one for one in config.contexts if one.name == name), None)
    if known is None and url is None:
        raise CliError(USAGE, f"a new context needs a registry: {name}", mend=f"meshway context set {name} --url URL")
    context = {
        "name": name,
        "url": (known.url if known else "") if url is None else registry_url(url),
        "namespace": (known.namespace if known else "") if namespace is None else namespace,
        "token_file": (known.token_file if known else "") if token_file is None else _whole(token_file),
    }
    made, errors = read_struct(context, Context, "")
    if made is None:
        raise CliError(INVALID, "; ".join(error.message.lstrip(".") for error in errors))
    write_config(config.with_context(made))


def _whole(path: str) -> str:
    """From whichever folder a command is called."""
    return str(Path(path).expanduser().absolute()) if path else ""


@context_app.command("delete")
@guarded
def delete(name: Name, yes: Yes = False) -> None:
    """Forget a context; of the current one none is current afterwards."""
    config = read_config()
    known = config.context(name).name
    Session(yes=yes).confirm(f"Forget context {known}?")
    write_config(config.without(known))
