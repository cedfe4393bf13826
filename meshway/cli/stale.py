"""A file that was read from the registry (`get -o yaml`) does not undo what others published since.

Such a file carries `metadata.revision`. The registry ignores it when it is written, so the command compares; between
its look and the publishing somebody may still be faster, which If-Match on a single PUT would exclude.
"""

from collections.abc import Sequence

from meshway.cli.failure import CONFLICT, CliError
from meshway.cli.registry_client import RegistryClient, document_path, refused
from meshway.cli.written_files import FileDocument
from meshway.model.kinds import KINDS


def refuse_stale(client: RegistryClient, documents: Sequence[FileDocument]) -> None:
    """Raises CliError 5 for a document that was changed or deleted since its file was read."""
    for document in documents:
        metadata = document.sent["metadata"]
        read_at = metadata.get("revision")
        if read_at is None:
            continue
        plural = KINDS[document.sent["kind"]].plural
        response = client.answer("GET", document_path(metadata["namespace"], plural, metadata["name"]))
        if response.status_code == 404:
            raise CliError(
                CONFLICT,
                f"cannot publish: document {document.name} was deleted since you read it (r{read_at})",
                mend=f"take metadata.revision out of {document.file} to create it again",
            )
        if response.status_code >= 400:
            raise refused(response)
        current = response.json()["metadata"]
        if current["revision"] != read_at:
            raise CliError(
                CONFLICT,
                f"cannot publish: document {document.name} was changed by {current.get('updated_by', 'somebody')} "
                f"since you read it (r{read_at} → r{current['revision']})",
                mend=f"meshway diff -f {document.file}   shows both; then write revision: {current['revision']} "
                "into it and apply again",
            )
