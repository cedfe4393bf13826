"""A file that was read from the registry (`get -o yaml`) does not undo what others published since.

Such a file carries `metadata.revision`, which the registry ignores when it is written; the command sends it as a
condition, so that nobody can be faster between a look and the publishing.
"""

from collections.abc import Sequence
from typing import Any

from meshway.cli.failure import CONFLICT, CliError
from meshway.cli.written_files import FileDocument
from meshway.problem import Problem


def conditions(documents: Sequence[FileDocument]) -> list[dict[str, Any]]:
    """`if_match` of an apply: the revisions that were read."""
    return [
        {
            "kind": document.sent["kind"],
            "namespace": document.sent["metadata"]["namespace"],
            "name": document.sent["metadata"]["name"],
            "revision": document.sent["metadata"]["revision"],
        }
        for document in documents
        if document.sent["metadata"].get("revision") is not None
    ]


def stale_error(documents: Sequence[FileDocument], problem: Problem) -> CliError:
    """Of a 412: who changed the first of the documents that moved."""
    name = problem.errors[0].document if problem.errors else None
    document = next((one for one in documents if one.name == name), None)
    if document is None:
        return CliError(CONFLICT, f"cannot publish: {problem.detail}", mend=problem.mend)
    read_at = document.sent["metadata"]["revision"]
    if "current" not in problem.extra:
        return CliError(
            CONFLICT,
            f"cannot publish: document {document.name} was deleted since you read it (r{read_at})",
            mend=f"take metadata.revision out of {document.file} to create it again",
        )
    current = problem.extra["current"]["metadata"]
    return CliError(
        CONFLICT,
        f"cannot publish: document {document.name} was changed by {current.get('updated_by', 'somebody')} "
        f"since you read it (r{read_at} → r{current['revision']})",
        mend=f"meshway diff -f {document.file}   shows both; then write revision: {current['revision']} "
        "into it and apply again",
    )
