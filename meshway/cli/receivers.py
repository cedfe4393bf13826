"""`receiver list`, `receiver test`: who is told of alerts, and whether it would arrive."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from meshway.cli.failure import FAILED
from meshway.cli.session import Session, asking

receiver_app = typer.Typer(no_args_is_help=True, help="Who is told of alerts.")


@receiver_app.command("list")
@asking
def list_(session: Session) -> None:
    """List Receivers, and how the last messages to them fared."""
    from meshway.cli.listing import age
    from meshway.cli.output import show_list
    from meshway.cli.registry_client import RegistryClient

    items = RegistryClient(session).read("/v1/receivers")["items"]

    def ago(item: Mapping[str, Any]) -> str:
        at = item.get("at")
        return "-" if at is None else age(datetime.fromtimestamp(at, UTC).isoformat())

    columns = {
        "NAME": _name_of,
        "BY": lambda item: str(item["by"]),
        "LAST TRY": ago,
        "RESULT": lambda item: "-" if item.get("at") is None else f"{'✓' if item['ok'] else '✗'} {item['detail']}",
        "SENT": lambda item: str(item.get("sent", 0)),
        "FAILED": lambda item: str(item.get("failed", 0)),
    }
    empty = "no Receivers: docs/guide/receivers.md has one to begin with"
    show_list(session, items, columns, name=_name_of, empty=empty)


@receiver_app.command("test")
@asking
def test(session: Session, name: Annotated[str, typer.Argument(metavar="NAME", help="The Receiver's.")]) -> None:
    """Send a Receiver a message that says it is a test, and tell what the other side answered."""
    from meshway.cli.output import pretty_json
    from meshway.cli.registry_client import RegistryClient, document_path

    namespace = session.own_namespace
    path = document_path(namespace, "receivers", name) + "/test"
    told: dict[str, Any] = RegistryClient(session).ask("POST", path).json()
    if session.output in ("json", "jsonl"):
        session.put(pretty_json(told))
    said = f": {told['answer']}" if told["answer"] else ""
    session.say(f"{'✓' if told['ok'] else '✗'} {namespace}/{name}: {told['detail']}{said}")
    if not told["ok"]:
        raise typer.Exit(FAILED)


def _name_of(item: Mapping[str, Any]) -> str:
    return f"{item['namespace']}/{item['name']}"
