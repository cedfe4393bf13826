"""`apply`, `diff`, `delete`, `export`: documents in and out."""

import time
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from meshway.cli.failure import DIFFERENT, IN_PART, NOT_FOUND, USAGE, CliError
from meshway.cli.kind_names import kind_and_name
from meshway.cli.revisions import Wait
from meshway.cli.session import Session, asking

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meshway.cli.registry_client import RegistryClient
    from meshway.cli.written_files import FileDocument, FilesRead
    from meshway.problem import FieldError

A_DAY: Final = "24h"  # as long as gateways keep calls
Last = Annotated[
    str,
    typer.Option("--last", metavar="24h", help="Tell which calls recorded so far back would fare otherwise; 0s: none."),
]
Files = Annotated[
    list[str], typer.Option("--file", "-f", metavar="PATH", help="File, folder, or - for stdin; may be repeated.")
]


AllowPartial = Annotated[
    bool, typer.Option("--allow-partial", help="Leave out what cannot be honoured of other meshes' documents; exit 8.")
]
IstioRetries = Annotated[
    bool, typer.Option("--istio-retries", help="Imported retries repeat every method, also those that may act twice.")
]


@asking
def apply(
    session: Session,
    file: Files,
    wait: Wait = None,
    allow_partial: AllowPartial = False,
    istio_retries: IstioRetries = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge and show, publish nothing.")] = False,
    last: Last = A_DAY,
) -> None:
    """Publish documents as one revision, all or nothing."""
    from meshway.cli.changes import applied_line, change_marks, warning_lines
    from meshway.cli.registry_client import RegistryClient
    from meshway.cli.waiting import end_unless_reached, seconds_of, standing_of_published

    wait_s = None if wait is None else seconds_of("--wait", wait)
    client = RegistryClient(session)
    read, documents = _read(session, client, file, allow_partial=allow_partial, istio_retries=istio_retries)
    planned = post_documents(client, session, documents, dry_run=True)
    existing = [row for row in planned["documents"] if row["result"] == "changed"]
    if not dry_run and existing and not session.yes and _is_terminal():
        session.say(change_marks(planned))
        changes = sum(row["result"] != "unchanged" for row in planned["documents"])
        session.confirm(f"Publish {changes} change{'s' * (changes != 1)} as one revision?")
    began = time.monotonic()
    applied = planned if dry_run else post_documents(client, session, documents, dry_run=False, wait_s=wait_s)
    if session.output in ("json", "jsonl", "yaml", "name"):
        _put_applied(session, applied)
    else:
        session.put(change_marks(applied))
        for line in warning_lines(applied, documents):
            session.say(line)
        if dry_run:
            _say_what_is_touched(session, client, documents, applied, last)
    line = applied_line(applied, dry_run=dry_run)
    if dry_run or wait_s is None:
        session.say(line)
        _end_in_part(read)
        return
    own = frozenset(document.name for document in documents)
    standing = standing_of_published(client, applied["revision"], until=began + wait_s, documents=own)
    session.say(standing.told(line.removeprefix("✓ "), f" in {(time.monotonic() - began) * 1000:.0f} ms"))
    end_unless_reached(session, standing)
    _end_in_part(read)


@asking
def diff(
    session: Session,
    file: Files,
    allow_partial: AllowPartial = False,
    istio_retries: IstioRetries = False,
    last: Last = A_DAY,
) -> None:
    """Show what `apply` would change, and for which recorded calls. Exit 1 when there are differences."""
    from meshway.cli.changes import diff_text, warning_lines
    from meshway.cli.registry_client import RegistryClient

    client = RegistryClient(session)
    _, documents = _read(session, client, file, allow_partial=allow_partial, istio_retries=istio_retries)
    planned = post_documents(client, session, documents, dry_run=True, guarded=False)
    if session.output in ("json", "jsonl", "yaml", "name"):
        _put_applied(session, planned)
    else:
        session.put(diff_text(planned, color=session.color))
        for line in warning_lines(planned, documents):
            session.say(line)
        _say_what_is_touched(session, client, documents, planned, last)
    if any(row["result"] != "unchanged" for row in planned["documents"]):
        raise typer.Exit(DIFFERENT)


@asking
def import_(
    session: Session,
    file: Annotated[list[str], typer.Argument(metavar="FILE…", help="File, folder, or - for stdin.")],
    allow_partial: AllowPartial = False,
    istio_retries: IstioRetries = False,
) -> None:
    """Print what `apply` would make of documents of Istio, Gateway API and Kubernetes. Asks no registry."""
    from meshway.cli.output import pretty_json, yaml_stream
    from meshway.cli.written_files import read_import
    from meshway.formats.surroundings import Options

    options = Options(partial=allow_partial, istio_retries=istio_retries)
    read = read_import(file, session.own_namespace, options)
    _say_of_import(session, read)
    documents = [document.sent for document in read.documents]
    if session.output in ("json", "jsonl"):
        session.put(pretty_json(documents))
    elif documents:
        session.put(yaml_stream(documents).rstrip("\n"))
    _end_in_part(read)


@asking
def delete(
    session: Session,
    what: Annotated[str | None, typer.Argument(metavar="KIND/NAME", show_default=False)] = None,
    name: Annotated[str | None, typer.Argument(metavar="NAME", show_default=False)] = None,
    file: Annotated[
        list[str] | None, typer.Option("--file", "-f", metavar="PATH", help="What these files hold.")
    ] = None,
) -> None:
    """Delete documents, as one revision."""
    from meshway.cli.changes import document_name, warning_lines
    from meshway.cli.registry_client import RegistryClient, problem_error
    from meshway.cli.written_files import read_files
    from meshway.client.errors import awaiting_approval
    from meshway.model.kinds import KINDS

    if bool(file) == bool(what):
        raise CliError(USAGE, "delete needs KIND/NAME or -f, one of them", mend="meshway delete route/cart")
    namespace = session.own_namespace
    if file:
        metadata = [(document.sent["kind"], document.sent["metadata"]) for document in read_files(file, namespace)]
        keys = [{"kind": kind, "namespace": own["namespace"], "name": own["name"]} for kind, own in metadata]
    else:
        kind, one = kind_and_name(what or "", name)
        if not one:
            raise CliError(USAGE, f"which {kind}?", mend=f"meshway delete {(what or '').strip('/')}/NAME")
        keys = [{"kind": kind, "namespace": namespace, "name": one}]
    session.confirm(f"Delete {', '.join(document_name(key) for key in keys)}?")
    client = RegistryClient(session)
    body = {"documents": [], "delete": keys}
    answer = client.ask("POST", "/v1/apply", params={"namespace": namespace}, body=body)
    if (awaiting := awaiting_approval(answer)) is not None:
        raise problem_error(awaiting, answer)
    rows = answer.json()["documents"]
    if session.output in ("json", "jsonl"):
        session.put(answer.text.rstrip("\n"))
    else:
        for row in rows:
            if row["result"] == "deleted":
                session.put(f"- {document_name(row)}")
        for line in warning_lines(answer.json(), ()):
            session.put(line)
    if absent := [row for row in rows if row["result"] != "deleted"]:
        told = ", ".join(document_name(row) for row in absent)
        plural = KINDS[absent[0]["kind"]].plural
        raise CliError(NOT_FOUND, f"not there: {told}", mend=f"see what there is: meshway get {plural} -A")


def post_documents(
    client: "RegistryClient",
    session: Session,
    documents: "list[FileDocument]",
    *,
    dry_run: bool,
    guarded: bool = True,
    are_from_files: bool = True,
    wait_s: float | None = None,
) -> dict[str, Any]:
    """The registry's verdict on all documents; its errors come back with the places in our files.

    guarded: refused when a document moved since its file was read. are_from_files: of people, to be told of later.
    """
    import msgspec

    from meshway.cli.registry_client import problem_error
    from meshway.cli.sources import sources
    from meshway.cli.stale import conditions, stale_error
    from meshway.cli.waiting import preference
    from meshway.cli.written_files import invalid_files, place_errors
    from meshway.client.errors import awaiting_approval, problem_of

    params = {"namespace": session.own_namespace} | ({"dry_run": "true"} if dry_run else {})
    sent = [document.sent for document in documents]
    body = {
        "documents": sent,
        "delete": [],
        "if_match": conditions(documents) if guarded else [],
        "sources": sources(documents) if are_from_files else [],
    }
    response = client.answer("POST", "/v1/apply", params=params, body=body, headers=preference(wait_s))
    if response.status_code >= 400:
        problem = problem_of(response)
        if problem.status == 422 and problem.errors:
            raise invalid_files(place_errors(documents, problem.errors))
        if problem.status == 412:
            raise stale_error(documents, problem)
        raise problem_error(problem, response)
    if (awaiting := awaiting_approval(response)) is not None:
        raise problem_error(awaiting, response)
    applied: dict[str, Any] = msgspec.json.decode(response.content)
    return applied


def _read(
    session: Session, client: "RegistryClient", file: list[str], *, allow_partial: bool, istio_retries: bool
) -> "tuple[FilesRead, list[FileDocument]]":
    """What the files hold, and what is sent of it: Services keep what a converted document does not speak of."""
    from meshway.cli.registry_client import document_path, refused
    from meshway.cli.written_files import kept_beside, read_import
    from meshway.client.errors import problem_of
    from meshway.formats.surroundings import Options
    from meshway.model.kinds import KINDS

    def existing(kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        answer = client.answer("GET", document_path(namespace, KINDS[kind].plural, name))
        if answer.status_code == 404:
            return None
        if answer.status_code >= 400:
            raise refused(answer)
        document: dict[str, Any] = answer.json()
        return document

    def unknown(documents: "Sequence[FileDocument]") -> "Iterable[FieldError]":
        """What errors in other documents would keep from being told; nothing where no registry answers."""
        body = {"documents": [document.sent for document in documents], "delete": []}
        params = {"namespace": session.own_namespace, "dry_run": "true"}
        try:
            answer = client.answer("POST", "/v1/apply", params=params, body=body)
        except CliError:
            return []
        found = problem_of(answer).errors if answer.status_code == 422 else ()
        return [error for error in found if error.code == "unknown_reference"]

    options = Options(partial=allow_partial, istio_retries=istio_retries)
    read = read_import(file, session.own_namespace, options, unknown)
    _say_of_import(session, read)
    return read, kept_beside(read, existing)


def _say_what_is_touched(
    session: Session, client: "RegistryClient", documents: "list[FileDocument]", planned: dict[str, Any], last: str
) -> None:
    from meshway.cli.touched import touched_lines

    if any(row["result"] != "unchanged" for row in planned["documents"]):
        for line in touched_lines(client, documents, last, session.own_namespace):
            session.say(line)


def _say_of_import(session: Session, read: "FilesRead") -> None:
    for line in [*read.warnings, *read.left_out]:
        session.say(line)


def _end_in_part(read: "FilesRead") -> None:
    if read.left_out:
        raise typer.Exit(IN_PART)


def _put_applied(session: Session, applied: dict[str, Any]) -> None:
    from meshway.cli.output import show_list

    if session.output == "json":
        from meshway.cli.output import pretty_json

        session.put(pretty_json(applied))
        return
    show_list(
        session,
        applied["documents"],
        {},
        name=lambda row: f"{row['kind'].lower()}/{row['name']}",
        empty="nothing",
    )


def _is_terminal() -> bool:
    import sys

    return sys.stdin.isatty()
