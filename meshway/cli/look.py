"""`get`, `describe`, `instances`: what is there."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer

from meshway.cli.failure import NOT_FOUND, USAGE, CliError
from meshway.cli.kind_names import kind_and_name
from meshway.cli.session import EVERY_NAMESPACE, Session, asking

if TYPE_CHECKING:
    from meshway.cli.registry_client import RegistryClient

Item = Mapping[str, Any]
Columns = dict[str, Callable[[Item], str]]
_OTHERS: Final = {
    "gateways": "gateways", "gateway": "gateways", "gw": "gateways",
    "namespaces": "namespaces", "namespace": "namespaces", "ns": "namespaces",
    "revisions": "revisions", "revision": "revisions", "rev": "revisions",
}  # fmt: skip
Kind = Annotated[str, typer.Argument(metavar="KIND[/NAME]", help="As in the API, one or many: route, routes, rt.")]
Name = Annotated[str | None, typer.Argument(metavar="[NAME]", show_default=False)]


@asking
def get(session: Session, kind: Kind, name: Name = None) -> None:
    """List documents of a kind, services, gateways, namespaces or revisions; or show one."""
    from meshway.cli.registry_client import RegistryClient

    of, one = kind_and_name(kind, name, _OTHERS)
    client = RegistryClient(session)
    if of in _OTHERS.values():
        _get_other(client, session, of, one)
    elif one is not None:
        _put_document(session, _document(client, session, of, one))
    else:
        _list_documents(client, session, of)


@asking
def describe(
    session: Session,
    what: Annotated[str, typer.Argument(metavar="KIND/NAME")],
    name: Name = None,
    effective: Annotated[
        bool, typer.Option("--effective", help="Of a service: each policy value with the document it comes from.")
    ] = False,
) -> None:
    """Show a document or a service with all that concerns it."""
    from meshway.cli.description import describe_service
    from meshway.cli.output import show_one, yaml_stream
    from meshway.cli.registry_client import RegistryClient
    from meshway.cli.route_description import describe_route

    client = RegistryClient(session)
    try:
        of, one = kind_and_name(what, name, _OTHERS)
    except CliError as error:
        raise _with_kinds(error, client, session, what if name is None else "") from None
    if not one:
        raise CliError(USAGE, f"which {of}?", mend=f"meshway describe {what.strip('/')}/NAME")
    if of in _OTHERS.values():
        _get_other(client, session, of, one)
        return
    if effective and of != "Service":
        raise CliError(USAGE, "--effective is for services", mend="meshway describe service/NAME --effective")
    document = _document(client, session, of, one)
    if of == "Service" and session.output in (None, "table", "wide"):
        session.put(describe_service(client, session, document, effective=effective))
        return
    if of == "Route" and session.output in (None, "table", "wide"):
        session.put(describe_route(client, session, document))
        return
    show_one(session, document, name=f"{of.lower()}/{one}", text=lambda: yaml_stream([document]).rstrip("\n"))


@asking
def instances(session: Session, service: Annotated[str, typer.Argument(metavar="SVC")]) -> None:
    """List the instances of a service, with their leases."""
    from meshway.cli.description import INSTANCE_COLUMNS, INSTANCE_WIDE
    from meshway.cli.output import show_list
    from meshway.cli.registry_client import RegistryClient, document_path

    namespace = "default" if session.namespace == EVERY_NAMESPACE else session.namespace
    client = RegistryClient(session)
    found = list(client.items(document_path(namespace, "services", service) + "/instances"))
    if not found:
        # The registry answers an empty list for a service nobody knows, so that a caller may wait for its first.
        _document(client, msgspec.structs.replace(session, namespace=namespace), "Service", service)
    show_list(
        session,
        found,
        INSTANCE_COLUMNS,
        wide=INSTANCE_WIDE,
        name=lambda item: f"{service}/{item['id']}",
        empty=f"no instances of {namespace}/{service}; register one: meshway register {service} --port N",
    )


def _with_kinds(error: CliError, client: "RegistryClient", session: Session, name: str) -> CliError:
    """For a name where a kind was to stand: what there is of that name. Else the error as it is."""
    from meshway.cli.registry_client import document_path
    from meshway.model.kinds import KINDS

    if session.namespace == EVERY_NAMESPACE or not name:
        return error
    found = [
        f"{kind.lower()}/{name}"
        for kind, spec in KINDS.items()
        if client.answer("GET", document_path(session.namespace, spec.plural, name)).status_code == 200
    ]
    if not found:
        return error
    *others, last = found
    named = f"{', '.join(others)} or {last}" if others else last
    return CliError(error.code, error.what, mend=f"did you mean {named}?")


def _document(client: "RegistryClient", session: Session, kind: str, name: str) -> dict[str, Any]:
    """Raises CliError 4 with the nearest name there is."""
    from meshway.cli.registry_client import document_path, problem_text, refused
    from meshway.model.kinds import KINDS
    from meshway.model.nearest import nearest

    if session.namespace == EVERY_NAMESPACE:
        raise CliError(USAGE, "one document lives in one namespace", mend="-n NAMESPACE instead of -A")
    plural = KINDS[kind].plural
    response = client.answer("GET", document_path(session.namespace, plural, name))
    if response.status_code == 404:
        names = [_name(item) for item in client.items(document_path(session.namespace, plural))]
        close = nearest(name, names)
        raise CliError(
            NOT_FOUND,
            f"{kind} {session.namespace}/{name} does not exist",
            mend=f"did you mean {close}?" if close else f"see what there is: meshway get {plural} -A",
            verbose=problem_text(response),
        )
    if response.status_code >= 400:
        raise refused(response)
    found: dict[str, Any] = response.json()
    return found


def _put_document(session: Session, document: dict[str, Any]) -> None:
    from meshway.cli.output import show_one, yaml_stream

    name = f"{document.get('kind', 'service').lower()}/{_name(document)}"
    show_one(session, document, name=name, text=lambda: yaml_stream([document]).rstrip("\n"))


def _list_documents(client: "RegistryClient", session: Session, kind: str) -> None:
    from meshway.cli.listing import COLUMNS, WIDE
    from meshway.cli.output import show_list
    from meshway.cli.registry_client import document_path
    from meshway.model.kinds import KINDS

    plural = KINDS[kind].plural
    namespaces: Columns = {"NAMESPACE": _namespace} if session.namespace == EVERY_NAMESPACE else {}
    where = "" if session.namespace == EVERY_NAMESPACE else f" in namespace {session.namespace}"
    show_list(
        session,
        list(client.items(document_path(session.namespace, plural))),
        namespaces | COLUMNS[kind],
        wide=WIDE,
        name=lambda item: f"{kind.lower()}/{_name(item)}",
        empty=f"no {plural}{where}",
    )


def _get_other(client: "RegistryClient", session: Session, what: str, name: str | None) -> None:
    from meshway.cli.listing import COLUMNS, GATEWAY_WIDE
    from meshway.cli.output import show_list, show_one, yaml_stream

    key = {"gateways": "node", "namespaces": "name", "revisions": "revision"}[what]
    if name is not None:
        found = client.read(f"/v1/{what}/{name}")
        show_one(session, found, name=f"{what}/{name}", text=lambda: yaml_stream([found]).rstrip("\n"))
        return
    items = client.read(f"/v1/{what}")["items"]  # revisions: the newest hundred
    show_list(
        session,
        items,
        COLUMNS[what],
        wide=GATEWAY_WIDE if what == "gateways" else None,
        name=lambda item: f"{what}/{item[key]}",
        empty=f"no {what}",
    )


def _name(item: Item) -> str:
    return str(item["metadata"]["name"] if "metadata" in item else item["name"])


def _namespace(item: Item) -> str:
    return str(item["metadata"]["namespace"] if "metadata" in item else item["namespace"])
