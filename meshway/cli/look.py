"""`get`, `describe`, `instances`: what is there."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer

from meshway.cli.failure import NOT_FOUND, USAGE, CliError
from meshway.cli.kind_names import kind_and_name
from meshway.cli.moments import At, revision_at
from meshway.cli.session import EVERY_NAMESPACE, Session, asking
from meshway.cli.stored import documents_of
from meshway.cli.watching import Watch, Watched
from meshway.cli.watching import watch as watch_list

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
def get(session: Session, kind: Kind, name: Name = None, at: At = "", watch: Watch = False) -> None:
    """List documents of a kind, services, gateways, namespaces or revisions; or show one."""
    from meshway.cli.registry_client import RegistryClient

    of, one = kind_and_name(kind, name, _OTHERS)
    client = RegistryClient(session)
    if of in _OTHERS.values():
        if at or watch:
            flag = "--at" if at else "--watch"
            raise CliError(USAGE, f"{flag} is for documents and services", mend=f"meshway get {of}")
        _get_other(client, session, of, one)
    elif watch:
        if at or one is not None:
            raise CliError(USAGE, "--watch is for lists of now", mend=f"meshway get {of.lower()} --watch")
        _watch_documents(client, session, of)
    elif one is not None:
        _put_document(session, _document_at(client, session, of, one, at))
    else:
        _list_documents(client, session, of, at)


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
    document = document_named(client, session, of, one)
    if of == "Service" and session.output in (None, "table", "wide"):
        session.put(describe_service(client, session, document, effective=effective))
        return
    if of == "Route" and session.output in (None, "table", "wide"):
        session.put(describe_route(client, session, document))
        return
    show_one(session, document, name=f"{of.lower()}/{one}", text=lambda: yaml_stream([document]).rstrip("\n"))


@asking
def instances(session: Session, service: Annotated[str, typer.Argument(metavar="SVC")], watch: Watch = False) -> None:
    """List the instances of a service, with their leases."""
    from meshway.cli.description import INSTANCE_COLUMNS, INSTANCE_WIDE
    from meshway.cli.output import show_list
    from meshway.cli.registry_client import RegistryClient, document_path

    namespace = session.own_namespace
    client = RegistryClient(session)

    def read() -> list[dict[str, Any]]:
        return list(client.items(document_path(namespace, "services", service) + "/instances"))

    if watch:
        columns = INSTANCE_COLUMNS | (INSTANCE_WIDE if session.output == "wide" else {})
        own = msgspec.structs.replace(session, namespace=namespace)
        watch_list(client, own, Watched(read=read, columns=columns, name=lambda item: str(item["id"]), service=service))
    if not (found := read()):
        # The registry answers an empty list for a service nobody knows, so that a caller may wait for its first.
        document_named(client, msgspec.structs.replace(session, namespace=namespace), "Service", service)
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


def document_named(client: "RegistryClient", session: Session, kind: str, name: str) -> dict[str, Any]:
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


def _document_at(client: "RegistryClient", session: Session, kind: str, name: str, at: str) -> dict[str, Any]:
    if not at:
        return document_named(client, session, kind, name)
    if session.namespace == EVERY_NAMESPACE:
        raise CliError(USAGE, "one document lives in one namespace", mend="-n NAMESPACE instead of -A")
    revision = revision_at(client, at)
    for document in documents_of(client, kind, session.namespace, revision):
        if _name(document) == name:
            return document
    raise CliError(
        NOT_FOUND,
        f"{kind} {session.namespace}/{name} did not exist at r{revision}",
        mend=f"when it did: meshway history {kind.lower()}/{name} -n {session.namespace}",
    )


def _watch_documents(client: "RegistryClient", session: Session, kind: str) -> None:
    from meshway.cli.listing import COLUMNS, WIDE
    from meshway.cli.registry_client import document_path
    from meshway.model.kinds import KINDS

    path = document_path(session.namespace, KINDS[kind].plural)
    namespaces: Columns = {"NAMESPACE": _namespace} if session.namespace == EVERY_NAMESPACE else {}
    watched = Watched(
        read=lambda: list(client.items(path)),
        columns=namespaces | COLUMNS[kind] | (WIDE if session.output == "wide" else {}),
        name=lambda item: f"{_namespace(item)}/{_name(item)}",
        kind=None if kind == "Service" else kind,  # whose instances are a part of what is shown
    )
    watch_list(client, session, watched)


def _list_documents(client: "RegistryClient", session: Session, kind: str, at: str) -> None:
    from meshway.cli.listing import COLUMNS, WIDE
    from meshway.cli.output import show_list
    from meshway.cli.registry_client import document_path
    from meshway.model.kinds import KINDS

    plural = KINDS[kind].plural
    namespaces: Columns = {"NAMESPACE": _namespace} if session.namespace == EVERY_NAMESPACE else {}
    where = "" if session.namespace == EVERY_NAMESPACE else f" in namespace {session.namespace}"
    show_list(
        session,
        list(
            documents_of(client, kind, session.namespace, revision_at(client, at))
            if at
            else client.items(document_path(session.namespace, plural))
        ),
        namespaces | COLUMNS[kind],
        wide=WIDE,
        name=lambda item: f"{kind.lower()}/{_name(item)}",
        empty=f"no {plural}{where}" + (where and "; -A shows those of every namespace"),
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
