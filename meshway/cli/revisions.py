"""`history`, `rollback`, `wait`: what was published when, back again, and whether it runs everywhere."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meshway.cli.failure import CONFLICT, USAGE, CliError
from meshway.cli.session import Session, asking
from meshway.cli.waiting import UNLESS_TOLD

if TYPE_CHECKING:
    import httpx

    from meshway.cli.registry_client import RegistryClient

Wait = Annotated[
    str | None,
    typer.Option("--wait", metavar="[=10s]", help="Until all gateways run it; exit 1 when they do not in time."),
]


@asking
def history(
    session: Session,
    what: Annotated[str | None, typer.Argument(metavar="[KIND/NAME]", show_default=False)] = None,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", show_default=False)] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many, newest first.")] = 20,
) -> None:
    """Show who published what and when; of one document also what changed."""
    from meshway.cli.kind_names import kind_and_name
    from meshway.cli.listing import COLUMNS
    from meshway.cli.output import show_list
    from meshway.cli.registry_client import RegistryClient

    client = RegistryClient(session)
    if what is None:
        entries = client.read("/v1/revisions", limit=str(limit))["items"]
        empty = "nothing was published yet"
    else:
        kind, one = kind_and_name(what, name)
        if not one:
            raise CliError(USAGE, f"which {kind}?", mend=f"meshway history {what.strip('/')}/NAME")
        namespace = session.own_namespace
        entries = client.read("/v1/revisions", limit=str(limit), kind=kind, namespace=namespace, name=one)["items"]
        empty = f"{kind} {namespace}/{one} was never published"
        if entries and session.output in (None, "table", "wide"):
            session.put("\n".join(_told(entry) for entry in entries))
            return
    show_list(session, entries, COLUMNS["revisions"], name=lambda entry: f"revisions/{entry['revision']}", empty=empty)


@asking
def rollback(
    session: Session,
    revision: Annotated[str, typer.Argument(metavar="REV", help="As `meshway history` shows it: 811 or r811.")],
    wait: Wait = None,
) -> None:
    """Make all documents what they were at a revision. It is a new revision itself, and can be taken back like any."""
    from meshway.cli.changes import change_marks, diff_text, warning_lines
    from meshway.cli.registry_client import RegistryClient, refused
    from meshway.cli.waiting import end_unless_reached, preference, seconds_of, standing_of_published

    number = _number(revision)
    wait_s = None if wait is None else seconds_of("--wait", wait)
    client = RegistryClient(session)
    compared = _head(client)
    planned = client.read(f"/v1/revisions/{compared}/diff", to=str(number))
    if not planned["documents"]:
        session.say(f"✓ nothing to take back: the documents are as they were at r{number}")
        return
    if not session.yes:
        session.say(diff_text(planned, color=session.color))
    session.confirm(f"Make all documents what they were at r{number}?")
    began = time.monotonic()
    answer = client.answer(
        "POST", f"/v1/revisions/{number}/restore", headers=preference(wait_s) | {"If-Match": f'"{compared}"'}
    )
    if answer.status_code == 412:
        raise _changed_since(compared, answer)
    if answer.status_code >= 400:
        raise refused(answer)
    applied: Mapping[str, Any] = answer.json()
    if session.output in ("json", "jsonl"):
        session.put(answer.text.rstrip("\n"))
    else:
        session.put("\n".join([change_marks(applied), *warning_lines(applied, ())]))
    if wait_s is None:
        session.say(f"✓ revision {applied['revision']}: the documents of r{number}")
        return
    standing = standing_of_published(client, applied["revision"], until=began + wait_s)
    session.say(standing.told(f"revision {applied['revision']}: the documents of r{number}"))
    end_unless_reached(session, standing)


@asking
def wait(
    session: Session,
    revision: Annotated[str | None, typer.Argument(metavar="[REV]", show_default=False, help="The newest.")] = None,
    within: Annotated[str, typer.Option("--for", metavar="10s", help="How long.")] = UNLESS_TOLD,
) -> None:
    """Wait until all live gateways run a revision and refuse nothing. Exit 1 when they do not in time."""
    from meshway.cli.output import pretty_json
    from meshway.cli.registry_client import RegistryClient
    from meshway.cli.waiting import end_unless_reached, seconds_of, standing_at

    until = time.monotonic() + seconds_of("--for", within)
    client = RegistryClient(session)
    head = _head(client)
    number = head if revision is None else _number(revision)
    if number > head:
        raise CliError(USAGE, f"there is no revision {number} yet: the newest is r{head}", mend="meshway history")
    standing = standing_at(client, number, until=until)
    if session.output in ("json", "jsonl"):
        session.put(pretty_json(standing))
    else:
        session.put(standing.told(f"revision {number}"))
    end_unless_reached(session, standing)


def _told(entry: Mapping[str, Any]) -> str:
    """One revision of one document, with its changed fields below."""
    from meshway.cli.changes import change_lines
    from meshway.cli.listing import age

    (row,) = entry["documents"]
    place = f"   {row['source']}" if row.get("source") else ""
    lines = [f"r{entry['revision']}   {age(entry['at'])}   {entry['by']}   {row['result']}{place}"]
    return "\n".join([*lines, *change_lines(row)])


def _changed_since(compared: int, answer: "httpx.Response") -> CliError:
    """Somebody published between the differences that were shown and the answer to them."""
    from meshway.cli.registry_client import problem_text
    from meshway.client.errors import problem_of

    problem = problem_of(answer)
    return CliError(
        CONFLICT,
        f"documents have changed since r{compared}, nothing was taken back",
        details=tuple(error.message for error in problem.errors),
        mend="look at the differences again: meshway rollback REV",
        verbose=problem_text(answer),
    )


def _head(client: "RegistryClient") -> int:
    return int(client.ask("GET", "/v1/health/live").headers["meshway-revision"])


def _number(written: str) -> int:
    digits = written.removeprefix("r")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
        raise CliError(USAGE, f"{written!r} is no revision", mend="meshway history lists them")
    return int(digits)
