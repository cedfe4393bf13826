"""`export`: documents as they were written."""

from typing import Annotated, Any

import typer

from meshway.cli.failure import NOT_FOUND, CliError
from meshway.cli.moments import At, revision_at
from meshway.cli.session import EVERY_NAMESPACE, Session, asking


@asking
def export(
    session: Session,
    kind: Annotated[list[str] | None, typer.Argument(metavar="[KIND…]", show_default=False)] = None,
    at: At = "",
) -> None:
    """Write documents as YAML that `apply` takes back unchanged (-A: of every namespace; -o json)."""
    from meshway.cli.kind_names import kind_named
    from meshway.cli.output import pretty_json, yaml_stream
    from meshway.cli.registry_client import RegistryClient
    from meshway.cli.stored import documents_of
    from meshway.model.kinds import KINDS

    client = RegistryClient(session)
    kinds = [kind_named(word) for word in kind] if kind else list(KINDS)
    revision = revision_at(client, at) if at else None
    documents = [
        as_written(document) for of in kinds for document in documents_of(client, of, session.namespace, revision)
    ]
    if not documents:
        where = "any namespace" if session.namespace == EVERY_NAMESPACE else f"namespace {session.namespace}"
        raise CliError(NOT_FOUND, f"no documents in {where}", mend="all namespaces: -A")
    if session.output in ("json", "jsonl"):
        session.put(pretty_json(documents))
    else:
        session.put(yaml_stream(documents).rstrip("\n"))


def as_written(document: dict[str, Any]) -> dict[str, Any]:
    """Without what the registry alone knows."""
    metadata = {
        name: document["metadata"][name]
        for name in ("name", "namespace", "labels", "annotations")
        if document["metadata"].get(name)
    }
    return {
        "apiVersion": document["apiVersion"],
        "kind": document["kind"],
        "metadata": metadata,
        "spec": document["spec"],
    }
