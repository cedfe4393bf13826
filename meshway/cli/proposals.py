"""`change`: documents that somebody wants to change, before they are published."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from meshway.cli.as_seen import ask_as_seen
from meshway.cli.session import Session, asking
from meshway.cli.watching import Columns

change_app = typer.Typer(no_args_is_help=True, help="Changes of documents before they are published.")

Number = Annotated[str, typer.Argument(metavar="CHANGE", help="Its number, as `meshway change list` shows it.")]
Words = Annotated[str, typer.Option("--message", "-m", metavar="TEXT", help="Said to its author.")]
_VERDICTS: Final = {"approve": "✓ approves", "refuse": "✗ refuses"}


@change_app.command("list")
@asking
def list_changes(
    session: Session,
    every: Annotated[bool, typer.Option("--all", help="Those that are published, too.")] = False,
) -> None:
    """List drafts and changes in review, the newest first."""
    from meshway.cli.output import show_list
    from meshway.cli.registry_client import RegistryClient

    items = RegistryClient(session).read("/v1/changes", state="all" if every else "open")["items"]
    show_list(session, items, COLUMNS, name=lambda item: f"changes/{item['id']}", empty="no changes under way")


@change_app.command("show")
@asking
def show(session: Session, number: Number) -> None:
    """Show a change: who wrote it, what was said of it, and the difference it would make now."""
    from meshway.cli.changes import diff_text, warning_lines
    from meshway.cli.output import show_one
    from meshway.cli.registry_client import RegistryClient

    client, path = RegistryClient(session), _path(number)
    told = client.read(path)
    lines = list(lines_of(told))
    if told["state"] != "published" and session.output in (None, "table", "wide"):
        foreseen = client.ask("POST", f"{path}/dry-run").json()
        lines += [diff_text(foreseen, color=session.color), *texts_of_new(told), *warning_lines(foreseen, ())]
        lines += [_moved(one) for one in foreseen.get("moved", ())]
    show_one(session, told, name=f"changes/{number}", text=lambda: "\n".join(lines))


@change_app.command("review")
@asking
def review(session: Session, number: Number) -> None:
    """Ask others to review a draft. Who may approve it sees it in the console and in `meshway change list`."""
    told = _ask(session, number, "review", None)
    _say_how_far(session, told)


@change_app.command("approve")
@asking
def approve(session: Session, number: Number, message: Words = "") -> None:
    """Agree to a change in review. Who wrote it cannot, nor can a program."""
    _say(session, number, "approve", message)


@change_app.command("refuse")
@asking
def refuse(session: Session, number: Number, message: Words = "") -> None:
    """Refuse a change in review: it is a draft again."""
    _say(session, number, "refuse", message)


@change_app.command("publish")
@asking
def publish(
    session: Session,
    number: Number,
    message: Annotated[str, typer.Option("--message", "-m", metavar="TEXT", help="Kept in the history.")] = "",
) -> None:
    """Publish a change as one revision, once as many people agreed as its namespaces ask for."""
    told = _ask(session, number, "publish", {"message": message})
    session.say(f"✓ revision {told['revision']}: change {told['id']}, {told['title']}")


@change_app.command("take-back")
@asking
def take_back(session: Session, number: Number) -> None:
    """Open a draft that undoes a published change, and nothing that came since."""
    told = _ask(session, number, "take-back", None)
    session.say(f"✓ change {told['id']}: meshway change show {told['id']}, then meshway change publish {told['id']}")


def _say(session: Session, number: str, verdict: str, message: str) -> None:
    told = _ask(session, number, "words", {"verdict": verdict, "text": message})
    _say_how_far(session, told)


def _say_how_far(session: Session, told: Mapping[str, Any]) -> None:
    given, needed = told["approvals_given"], told["approvals_needed"]
    session.say(f"✓ change {told['id']} is {_state(told)}: {given} of {needed} approve")


def _ask(session: Session, number: str, what: str, body: object) -> Mapping[str, Any]:
    return ask_as_seen(session, _path(number), what, body, version="version", name="changes/{id}")


def _path(number: str) -> str:
    """`41`, or `d41` as the console's address has it."""
    return f"/v1/changes/{quote(number.removeprefix('d'), safe='')}"


def lines_of(told: Mapping[str, Any]) -> Iterator[str]:
    """A change in words."""
    yield f"change {told['id']} {_state(told)}: {told['title']}"
    yield f"  by {', '.join(told['editors'])}, {told['approvals_given']} of {told['approvals_needed']} approve"
    if told.get("revision"):
        yield f"  r{told['revision']} by {told['publisher']}: {told.get('message') or 'no message'}"
    for word in told["words"]:
        before = "" if word["counts"] else " (of what it was before)"
        yield f"  {_VERDICTS[word['verdict']]} {word['by']}{before}: {word['text'] or '-'}"


def texts_of_new(told: Mapping[str, Any]) -> Iterator[str]:
    """What a change would create, as written: there is nothing yet that it could differ from."""
    for one in told["documents"]:
        if one["base_revision"] == 0 and one.get("text"):
            yield f"{one['kind']} {one['namespace']}/{one['name']}:"
            yield from (f"  {line}" for line in one["text"].splitlines())


def _moved(one: Mapping[str, Any]) -> str:
    fields = ", ".join(conflict["path"] or "the whole document" for conflict in one["conflicts"]) or "nothing"
    name = f"{one['kind']} {one['namespace']}/{one['name']}"
    return (
        f"! {name} was published otherwise since (r{one['base_revision']} → r{one['revision']}); in conflict: {fields}"
    )


def _state(told: Mapping[str, Any]) -> str:
    return str(told["state"]).replace("_", " ")


COLUMNS: Final[Columns] = {
    "CHANGE": lambda item: str(item["id"]),
    "STATE": _state,
    "BY": lambda item: ", ".join(item["editors"]),
    "APPROVED": lambda item: f"{item['approvals_given']}/{item['approvals_needed']}",
    "TITLE": lambda item: str(item["title"]),
}
