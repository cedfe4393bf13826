"""`requests`, `trace`, `tap`: single calls that gateways told of."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

import msgspec
import typer

from meshway.cli.events import Events
from meshway.cli.failure import USAGE, CliError
from meshway.cli.session import EVERY_NAMESPACE, Session, asking

Item = Mapping[str, Any]
_PAGE: Final = 1000
_BAR: Final = 40  # characters of a trace's time line

Terms = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TERM…]", show_default=False, help="service:cart status>=500 latency>300ms path:/a* !flag:DC"
    ),
]
_COLUMNS: Final[dict[str, Callable[[Item], str]]] = {
    "TIME": lambda item: str(item["time"])[11:23],
    "STATUS": lambda item: str(item["status"] or "-"),
    "FLAG": lambda item: item["flag"] or "-",
    "MS": lambda item: f"{item['duration_ms']:.1f}",
    "METHOD": lambda item: str(item["method"]),
    "PATH": lambda item: f"{item['authority']}{item['path']}",
    "SERVICE": lambda item: f"{item['service']}/{item['instance']}" if item["instance"] else item["service"] or "-",
    "TRACE": lambda item: item["trace_id"] or "-",
}
_WIDE: Final[dict[str, Callable[[Item], str]]] = {
    "ROUTE": lambda item: item["route"] or "-",
    "PRINCIPAL": lambda item: item["principal"] or "-",
    "REQUEST": lambda item: item["request_id"] or "-",
    "WHY": lambda item: " ".join(filter(None, (item["policy"], item["detail"]))) or "-",
}


@asking
def requests(
    session: Session,
    terms: Terms = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="So many at most, the newest.")] = 50,
) -> None:
    """List calls that the registry keeps: failed and slow ones, and some of the rest. -A: of all namespaces."""
    from meshway.cli.output import show_list
    from meshway.cli.registry_client import RegistryClient

    client = RegistryClient(session)
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while len(found) < limit:
        asked = str(min(limit - len(found), _PAGE))
        page = client.read("/v1/requests", filter=_filter(session, terms), limit=asked, **cursor)
        found += page["items"]
        if not page.get("next"):
            break
        cursor = {"cursor": page["next"]}
    show_list(
        session,
        found[::-1],
        _COLUMNS,
        wide=_WIDE,
        name=lambda item: str(item["request_id"]),
        empty="no kept request fits; calls as they end: meshway tap",
    )


@asking
def trace(session: Session, id_: Annotated[str, typer.Argument(metavar="ID", help="Of a trace or a request.")]) -> None:
    """Show the spans of a trace in time, and its calls."""
    from meshway.cli.output import show_one
    from meshway.cli.registry_client import RegistryClient

    client = RegistryClient(session)
    path = f"/v1/traces/{quote(id_, safe='')}"
    if client.answer("GET", path).status_code == 404:  # perhaps a request's own id
        of_request = client.answer("GET", f"/v1/requests/{quote(id_, safe='')}")
        if of_request.status_code == 200 and (found := of_request.json()["items"][0]["trace_id"]):
            path = f"/v1/traces/{found}"
    told = client.read(path)
    show_one(session, told, name=str(told["trace_id"]), text=lambda: "\n".join(_drawn(told)))


@asking
def tap(
    session: Session,
    terms: Terms = None,
    sample: Annotated[int, typer.Option("--sample", min=1, max=100, help="Percent of the calls that fit.")] = 100,
) -> None:
    """Show calls as they end, of all gateways, until Ctrl-C. -A: of all namespaces."""
    from meshway.cli.output import table
    from meshway.cli.registry_client import RegistryClient

    if session.output not in (None, "table", "wide", "jsonl"):
        raise CliError(USAGE, f"-o {session.output} has an end, and tap has none", mend="-o jsonl")
    columns = _COLUMNS | (_WIDE if session.output == "wide" else {})
    if session.output != "jsonl":
        session.put(table(list(columns), [], color=session.color))
    events = Events()

    def take(piece: bytes) -> None:
        for name, event in events.feed(piece):
            if name == "problem":
                session.say(f"{event['title']}: {event['detail']}")
                continue
            for item in event["items"]:
                told = msgspec.json.encode(item).decode() if session.output == "jsonl" else _row(item, columns)
                session.put(told)
            if event["left_out"]:
                session.say(f"{event['left_out']} of {event['seen']} calls are not shown")

    query = urlencode({"filter": _filter(session, terms), "sample": str(sample)})
    RegistryClient(session).download(f"/v1/tap?{query}", take)


def _filter(session: Session, terms: Sequence[str] | None) -> str:
    within = [] if session.namespace == EVERY_NAMESPACE else [f"namespace:{session.namespace}"]
    return " ".join([*within, *(terms or ())])


def _row(item: Item, columns: Mapping[str, Callable[[Item], str]]) -> str:
    from meshway.cli.output import row_text

    return row_text(cell(item) for cell in columns.values())


def _drawn(told: Item) -> Iterator[str]:
    """A line a span, with where it lies in the whole; what decided stands below."""
    spans = told["spans"]
    yield f"trace {told['trace_id']}"
    if spans:
        began = min(span["began_s"] for span in spans)
        whole_s = max(max(span["ended_s"] for span in spans) - began, 1e-6)
        known = {span["span_id"] for span in spans}
        for span in spans:
            yield _span_line(span, began, whole_s, indent="  " if span.get("parent_id") in known else "")
            for event in span.get("events", ()):
                about = " ".join(str(value) for value in event.get("attributes", {}).values())
                yield f"    {(event['at_s'] - began) * 1000.0:8.1f} ms  {event['name']} {about}".rstrip()
    for call in told["calls"]:
        yield _row(call, _COLUMNS | _WIDE)


def _span_line(span: Item, began: float, whole_s: float, indent: str) -> str:
    first = int((span["began_s"] - began) / whole_s * _BAR)
    size = max(1, int((span["ended_s"] - span["began_s"]) / whole_s * _BAR))
    bar = (" " * first + "━" * size)[:_BAR].ljust(_BAR)
    about = span.get("attributes", {})
    where = about.get("meshway.instance") or span.get("node", "")
    status = about.get("http.response.status_code", "")
    mark = "✗" if span.get("error") else "✓"
    took_ms = (span["ended_s"] - span["began_s"]) * 1000.0
    return f"{bar} {took_ms:8.1f} ms {mark} {indent}{span['name']} {status} {where}".rstrip()
