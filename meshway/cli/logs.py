"""`logs`: lines that services wrote, as the registry keeps them."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

import msgspec
import typer

from meshway.cli.events import Events
from meshway.cli.failure import USAGE, CliError
from meshway.cli.session import EVERY_NAMESPACE, Session, asking
from meshway.log_lines import FOLLOW, PATH

Item = Mapping[str, Any]
Severity = Literal["trace", "debug", "info", "warn", "error", "fatal"]
_PAGE: Final = 1000
_COLUMNS: Final[dict[str, Callable[[Item], str]]] = {
    "TIME": lambda item: str(item["time"])[:23].replace("T", " "),
    "SEVERITY": lambda item: item.get("severity") or "-",
    "SERVICE": lambda item: item["service"] + (f"/{item['instance']}" if item.get("instance") else ""),
    "TEXT": lambda item: str(item.get("text", "")),
}
_WIDE: Final[dict[str, Callable[[Item], str]]] = {
    "LOGGER": lambda item: item.get("logger") or "-",
    "TRACE": lambda item: item.get("trace_id") or "-",
    "ATTRIBUTES": lambda item: " ".join(f"{name}={value}" for name, value in item.get("attributes", {}).items()),
}


@asking
def logs(
    session: Session,
    service: Annotated[
        str, typer.Argument(metavar="[SERVICE]", show_default=False, help="NAME or NAMESPACE/NAME.")
    ] = "",
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with lines as they come, until Ctrl-C.")
    ] = False,
    trace: Annotated[str, typer.Option("--trace", metavar="ID", help="Written in this trace's calls.")] = "",
    severity: Annotated[Severity | None, typer.Option("--severity", show_default=False, help="This or worse.")] = None,
    grep: Annotated[
        str, typer.Option("--grep", metavar="WORDS", help='All of them: refused pay* "card declined" -retry')
    ] = "",
    instance: Annotated[str, typer.Option("--instance", metavar="ID", help="Of one instance.")] = "",
    since: Annotated[
        str, typer.Option("--since", metavar="DURATION", help="No older than this, as 15m; all that is kept.")
    ] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="So many at most, the youngest.")] = 100,
) -> None:
    """Show lines of services' logs, the youngest last. -A: of all namespaces."""
    from meshway.cli.output import row_text, show_list, table
    from meshway.cli.registry_client import RegistryClient

    query = _query(session, service, trace, severity, grep, instance, since)
    client = RegistryClient(session)
    if not follow:
        show_list(
            session,
            _found(client.read, query, limit)[::-1],
            _COLUMNS,
            wide=_WIDE,
            name=lambda item: str(item["time"]),
            empty="no kept line fits; how services ship theirs: docs/guide/observability.md",
        )
        return
    if since:
        raise CliError(USAGE, "lines are followed from now on", mend="leave out --since, or --follow")
    if session.output not in (None, "table", "wide", "jsonl"):
        raise CliError(USAGE, f"-o {session.output} has an end, and following has none", mend="-o jsonl")
    columns = _COLUMNS | (_WIDE if session.output == "wide" else {})
    if session.output != "jsonl":
        session.put(table(list(columns), [], color=session.color))
    events = Events()

    def text_of(item: Item) -> str:
        if session.output == "jsonl":
            return msgspec.json.encode(item).decode()
        return row_text(cell(item) for cell in columns.values())

    def take(piece: bytes) -> None:
        for name, event in events.feed(piece):
            if name == "problem":
                session.say(f"{event['title']}: {event['detail']}")
            else:
                for item in event["items"]:
                    session.put(text_of(item))

    client.download(f"{FOLLOW}?{urlencode(query)}", take)


def _query(
    session: Session, service: str, trace: str, severity: str | None, grep: str, instance: str, since: str
) -> dict[str, str]:
    """Raises CliError."""
    from meshway.units import parse_duration

    window = ""
    if since:
        try:
            window = f"{float(parse_duration(since)):g}"
        except ValueError as error:
            raise CliError(USAGE, f"--since: {error}") from error
    # A trace goes through several namespaces.
    is_everywhere = "/" in service or session.namespace == EVERY_NAMESPACE or (trace and not service)
    wanted = {
        "service": service,
        "namespace": "" if is_everywhere else session.namespace,
        "trace_id": trace,
        "severity": severity or "",
        "text": grep,
        "instance": instance,
        "window_s": window,
    }
    return {name: value for name, value in wanted.items() if value}


def _found(read: Callable[..., Any], query: Mapping[str, str], limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while len(found) < limit:
        page = read(PATH, **query, limit=str(min(limit - len(found), _PAGE)), **cursor)
        found += page["items"]
        if not page.get("next"):
            break
        cursor = {"cursor": page["next"]}
    return found
