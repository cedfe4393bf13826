"""`explain`: what would become of a call, and by whose word."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from meshway.cli.failure import USAGE, CliError
from meshway.cli.services import header_of
from meshway.cli.session import Session, asking

if TYPE_CHECKING:
    from meshway.cli.written_files import FileDocument

Item = Mapping[str, Any]
_WITHOUT_URL: Final = frozenset({"TCP", "TLS", "UDP"})


@asking
def explain(
    session: Session,
    method: Annotated[
        str, typer.Argument(metavar="METHOD", help="TCP, TLS, UDP: at --listener. CONNECT: on the mesh.")
    ],
    url: Annotated[
        str,
        typer.Argument(metavar="URL", help="http://reviews/7, the host of an edge Route, or that TLS names (SNI)."),
    ] = "",
    header: Annotated[list[str] | None, typer.Option("--header", "-H", metavar="NAME: VALUE")] = None,
    as_: Annotated[str, typer.Option("--as", metavar="[NS/]SVC", help="A service, one of whose instances calls.")] = "",
    address: Annotated[str, typer.Option("--address", metavar="IP", help="The caller's address.")] = "",
    listener: Annotated[str, typer.Option("--listener", help="By which it comes; found by the host.")] = "",
    file: Annotated[
        list[str] | None,
        typer.Option("--file", "-f", metavar="PATH", help="As if these were applied; places are told by them."),
    ] = None,
    gateway: Annotated[str, typer.Option("--node", metavar="NODE", help="Which gateway is asked; any.")] = "",
) -> None:
    """Tell what would become of a call: rule, filters, destination, endpoints, and by whose word. Nothing is sent.

    Exit 1 where the gateway would refuse it.
    """
    import msgspec

    from meshway.cli.output import pretty_json, yaml_stream
    from meshway.cli.registry_client import RegistryClient
    from meshway.cli.written_files import read_files
    from meshway.model.listener import MESH, MESH_TLS

    refuse_unclear(method, url)
    namespace = session.own_namespace
    documents = read_files(file, namespace) if file else []
    question: dict[str, Any] = {
        "method": method,
        "url": full_url(url, namespace) if url and listener in ("", MESH, MESH_TLS) else url,
        "headers": dict(header_of(text) for text in header or ()),
        "documents": [document.sent for document in documents],
    }
    question |= {"listener": listener} if listener else {}
    question |= {"as": as_ if "/" in as_ else f"{namespace}/{as_}"} if as_ else {}
    question |= {"address": address} if address else {}
    question |= {"gateway": gateway} if gateway else {}
    told = msgspec.json.decode(RegistryClient(session).ask("POST", "/v1/explain", body=question).content)
    if session.output in ("json", "jsonl"):
        session.put(pretty_json(told))
    elif session.output == "yaml":
        session.put(yaml_stream([told]).rstrip("\n"))
    else:
        session.put("\n".join(lines_of(told, Places(documents))))
    if told.get("answered", {}).get("status", 0) >= 400:
        raise typer.Exit(1)


def refuse_unclear(method: str, url: str) -> None:
    """Raises CliError 2 for words that are no method with the URL of a host: a gateway would speak of neither."""
    _, slashes, rest = url.partition("://")
    host, slash, path = (rest if slashes else url).partition("/")
    if not (method.isascii() and method.isalpha()):
        whole = method if "/" in method else "http://SERVICE/PATH"
        raise CliError(USAGE, f'"{method}" is no method', mend=f"meshway explain GET {whole}")
    if not host and (slash or method.upper() not in _WITHOUT_URL):
        told = f'"{url}" names no host' if url else f"{method.upper()} of what?"
        raise CliError(USAGE, told, mend=f"meshway explain {method.upper()} http://HOST/{path}")


def full_url(url: str, namespace: str) -> str:
    """A bare service is looked for in the namespace, as `call` does it; other hosts stay."""
    _, slashes, rest = url.partition("://")
    host, slash, path = (rest if slashes else url).partition("/")
    scheme = url.partition("://")[0] if slashes else "http"
    if "." not in host and ":" not in host:
        host = f"{host}.{namespace}.mesh"
    return f"{scheme}://{host}{slash}{path}"


class Places:
    """Where documents stand: in our files, else where they were published from."""

    def __init__(self, documents: "list[FileDocument]") -> None:
        self._documents = {document.name: document for document in documents}

    def of(self, said: Item) -> str:
        """`Route shop/cart cart.yaml:12 r809`, as much of it as is known; nothing for what is built in."""
        name, path = said.get("document", ""), said.get("path", "")
        parts = [name, path] if path else [name]
        document = self._documents.get(name)
        if document is not None:
            place = document.written.place(path)
            parts.append(f"{document.written.file_of(path)}:{place.line}")
        elif said.get("file"):
            parts.append(f"{said['file']}:{said['line']}")
        if said.get("revision"):
            parts.append(f"r{said['revision']}")
        return "  ".join(parts)


def lines_of(told: Item, places: Places) -> Iterator[str]:
    """For people."""
    call = f"{told['method']} {told['host']}{told['path']}"
    yield f"✓ listener {told['listener'] or '?'}   {call}   from {told['caller']}"
    if told.get("draft"):
        yield "! as if the files were applied; limits, breakers and ejections stand as at a start"
    for tried in told.get("tried", ()):
        yield f"✗ {tried['route']} rule {tried['rule']}   {tried['failed']}   {places.of(tried)}"
    if told.get("tried_left_out"):
        yield f"  {told['tried_left_out']} further matches were for other paths"
    if "matched" in told:
        rule = f" rule {told['rule']}" if told.get("rule") else ""
        yield f"✓ {told['route']}{rule}   {places.of(told['matched'])}"
    for verdict in told.get("filters", ()):
        mark = {"refuse": "✗", "may refuse": "!", "may delay": "!", "delay": "!"}.get(verdict["verdict"], "✓")
        detail = f": {verdict['detail']}" if verdict.get("detail") else ""
        yield f"{mark} {verdict['name']} {verdict['verdict']}{detail}   {places.of(verdict)}"
    for destination in told.get("destinations", ()):
        yield from _destination(destination, places)
    if told.get("settings"):
        yield "  " + ", ".join(f"{each['field']} {each['value']}" for each in told["settings"])
        for each in told["settings"]:
            if each["document"] != "built in":
                yield f"    {each['field']} {each['value']}   {places.of(each)}"
    if "picked" in told:
        picked = told["picked"]
        yield f"→ {picked['service']} {picked['endpoint']} at {picked['address']}   by {picked['by']}"
    if "answered" in told:
        answered = told["answered"]
        mark = "✗" if answered["status"] >= 400 else "→"
        detail = f": {answered['detail']}" if answered.get("detail") else ""
        yield f"{mark} answered {answered['status']} {answered['reason']}{detail}   {places.of(answered)}"
    yield f"  told by gateway {told['gateway']} at r{told['revision']}"


def _destination(destination: Item, places: Places) -> Iterator[str]:
    endpoints = destination.get("endpoints", [])
    eligible = sum(bool(endpoint.get("eligible")) for endpoint in endpoints)
    share = f"{destination['share_percent']:g} %: {eligible} of {len(endpoints)} eligible"
    yield f"✓ {destination['service']} {share}, {destination['admission']}   {places.of(destination)}"
    for endpoint in endpoints:
        share = f"{endpoint['share_percent']:g} %" if endpoint.get("eligible") else "not eligible"
        why = f": {endpoint['why']}" if endpoint.get("why") else ""
        state = f"{endpoint['state']}, weight {endpoint['weight']}, {share}{why}"
        yield f"    {endpoint['id']} {endpoint['address']}   {state}"
    for each in destination.get("settings", ()):
        if each["document"] != "built in":
            yield f"    {each['field']} {each['value']}   {places.of(each)}"
