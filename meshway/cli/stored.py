"""Documents as the registry keeps them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meshway.cli.registry_client import RegistryClient


def documents_of(
    client: "RegistryClient", kind: str, namespace: str, revision: int | None = None
) -> "Iterator[dict[str, Any]]":
    """Every document of the kind; services without a document of their own are left out: they have no revision.

    namespace `-`: all. revision: as they were then; None: now.
    """
    from meshway.cli.registry_client import document_path
    from meshway.model.kinds import KINDS

    if revision is not None:
        yield from client.items(f"/v1/revisions/{revision}/documents", kind=kind, namespace=namespace)
        return
    for document in client.items(document_path(namespace, KINDS[kind].plural)):
        if "revision" in document["metadata"]:
            yield document
