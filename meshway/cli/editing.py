"""`edit`: a document in the editor of the person, published when it was changed and saved."""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer

from meshway.cli.failure import FAILED, USAGE, CliError
from meshway.cli.kind_names import kind_and_name
from meshway.cli.session import Session, asking

_EDITOR: Final = "vi"


@asking
def edit(
    session: Session,
    what: Annotated[str, typer.Argument(metavar="KIND/NAME")],
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", show_default=False)] = None,
) -> None:
    """Open a document in $VISUAL or $EDITOR (vi), and publish what was saved. Refused when it changed meanwhile."""
    from meshway.cli.changes import applied_line, diff_text, warning_lines
    from meshway.cli.documents import post_documents
    from meshway.cli.look import document_named
    from meshway.cli.output import yaml_stream
    from meshway.cli.registry_client import RegistryClient
    from meshway.cli.written_files import read_files

    kind, one = kind_and_name(what, name)
    if not one:
        raise CliError(USAGE, f"which {kind}?", mend=f"meshway edit {what.strip('/')}/NAME")
    client = RegistryClient(session)
    document = document_named(client, session, kind, one)
    known = {field: document["metadata"].get(field) for field in ("name", "namespace", "labels", "annotations")}
    # With its revision, by which apply refuses to overwrite what somebody else published meanwhile.
    known |= {"revision": document["metadata"].get("revision")}
    metadata = {field: value for field, value in known.items() if value}
    before = yaml_stream([{**document, "metadata": metadata}])
    path = _written(f"{kind.lower()}-{one}-", before)
    _open(path)
    if path.read_text(encoding="utf-8") == before:
        path.unlink()
        session.say("nothing was changed")
        return
    try:
        documents = read_files([str(path)], session.own_namespace)
        planned = post_documents(client, session, documents, dry_run=True)
        session.say(diff_text(planned, color=session.color))
        if sys.stdin.isatty():
            session.confirm("Publish it?")
        applied = post_documents(client, session, documents, dry_run=False, are_from_files=False)
    except CliError as error:
        error.mend = f"your text is kept: meshway apply -f {path}"
        raise
    path.unlink()
    for line in warning_lines(applied, documents):
        session.say(line)
    session.say(applied_line(applied, dry_run=False))


def _written(prefix: str, text: str) -> Path:
    """A file that its owner alone can read."""
    descriptor, path = tempfile.mkstemp(prefix=prefix, suffix=".yaml")
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)
    return Path(path)


def _open(path: Path) -> None:
    """Until the editor is closed. Raises CliError where it cannot be run, or fails."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or _EDITOR
    try:
        ended = subprocess.run([*shlex.split(editor), str(path)], check=False)
    except (OSError, ValueError) as error:
        path.unlink()
        raise CliError(USAGE, f"cannot run the editor {editor!r}: {error}", mend="set EDITOR") from error
    if ended.returncode != 0:
        path.unlink()
        raise CliError(FAILED, f"{editor} ended with {ended.returncode}; nothing was published")
