"""`--watch`: lists that go on with what changes, until Ctrl-C."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from meshway.cli.failure import USAGE, CliError
from meshway.cli.output import table
from meshway.cli.session import EVERY_NAMESPACE, Session

if TYPE_CHECKING:
    from meshway.cli.registry_client import RegistryClient

Watch = Annotated[bool, typer.Option("--watch", "-w", help="Go on with what changes, until Ctrl-C.")]
Item = Mapping[str, Any]
Columns = Mapping[str, Callable[[Item], str]]


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """read: the list as it is now. columns: of a table. name: what an entry is called. kind: of the changes to wait
    for, None: any. service: of whose instances."""

    read: Callable[[], Sequence[Item]]
    columns: Columns
    name: Callable[[Item], str]
    kind: str | None = None
    service: str | None = None


def watch(client: "RegistryClient", session: Session, watched: Watched) -> None:
    """Ends by Ctrl-C only. -o jsonl: every change as the registry tells it, those that made up the list first."""
    if session.output == "jsonl":
        for change in _changes(session, watched, since=None):
            session.put(msgspec.json.encode(change).decode())
        return
    if session.output not in (None, "table", "wide"):
        raise CliError(USAGE, f"-o {session.output} has an end, and --watch has none", mend="-o jsonl --watch")
    since = int(client.ask("GET", "/v1/health/live").headers["meshway-revision"])
    items = {watched.name(item): item for item in watched.read()}
    rows = [["", *_cells(item, watched.columns)] for item in items.values()]
    session.put(table(["", *watched.columns], rows, color=session.color))
    widths = [max(map(len, column)) for column in zip(["", *watched.columns], *rows, strict=True)]
    for _ in _changes(session, watched, since=since):
        now = {watched.name(item): item for item in watched.read()}
        for mark, item in _differing(items, now):
            cells = [mark, *_cells(item, watched.columns)]
            below = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
            session.put(table(below, [], color=session.color))
        items = now


def _differing(before: Mapping[str, Item], now: Mapping[str, Item]) -> Iterator[tuple[str, Item]]:
    for name, item in now.items():
        if name not in before:
            yield "+", item
        elif _lasting(before[name]) != _lasting(item):
            yield "~", item
    for name, item in before.items():
        if name not in now:
            yield "-", item


def _lasting(item: Item) -> dict[str, Any]:
    """Without what is another number each time one looks."""
    return {field: value for field, value in item.items() if field != "expires_in_s"}


def _cells(item: Item, columns: Columns) -> list[str]:
    return [cell(item) for cell in columns.values()]


def _changes(session: Session, watched: Watched, *, since: int | None) -> Iterator[Any]:
    """One at a time of a list's beginning, one a revision after it; raises CliError where the registry refuses."""
    from meshway.cli.registry_client import problem_error
    from meshway.client.errors import MeshwayError
    from meshway.client.settings import MeshSettings
    from meshway.client.watching import Position, follow

    namespace = None if session.namespace == EVERY_NAMESPACE else session.namespace
    position = Position(watched.kind, namespace, watched.service, since)
    try:
        for event in follow(
            MeshSettings(registry=session.registry, token_file=session.token_file, ca_file=session.ca_file), position
        ):
            if since is None:
                yield from event.changes
            elif event.type == "delta" or event.changes:
                yield event
    except MeshwayError as error:
        raise problem_error(error.problem) from error
