"""`audit`: who did what, and whether the log is whole."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from meshway.cli.failure import FAILED, NOT_FOUND, USAGE, CliError
from meshway.cli.session import Session, asking

if TYPE_CHECKING:
    from meshway.audit import AuditHead, AuditRow

audit_app = typer.Typer(no_args_is_help=True, help="Who did what at the registry.")
_PAGE = 1000
_NOTED = re.compile(r"[0-9]+:[0-9a-f]{64}")
# A change names one of these; of two the first is what it is about.
_THINGS = ("document", "audit", "token", "enrolment", "root_key", "user", "group", "session")


@audit_app.command("list")
@asking
def list_(
    session: Session,
    last: Annotated[int, typer.Option("--last", min=1, metavar="N", help="So many, newest first.")] = 50,
    whole: Annotated[
        bool, typer.Option("--all", help="The whole log, oldest first; with -o jsonl to keep it.")
    ] = False,
) -> None:
    """List what was done, and what was refused."""
    from meshway.cli.output import show_list
    from meshway.cli.registry_client import RegistryClient

    client = RegistryClient(session)
    items = list(_all(client)) if whole else _newest(client, last)
    if session.output == "jsonl":
        for item in items:
            session.put(msgspec.json.encode(item).decode())
        return
    columns = {
        "ROW": lambda item: str(item["seq"]),
        "AT": lambda item: datetime.fromtimestamp(item["at"], UTC).isoformat(timespec="seconds"),
        "WHO": lambda item: str(item["principal"]),
        "FROM": lambda item: str(item["address"]),
        "OUTCOME": lambda item: str(item["outcome"]),
        "REVISION": lambda item: f"r{item['revision']}" if item["revision"] else "-",
        "WHAT": _what,
    }
    show_list(session, items, columns, name=lambda item: str(item["seq"]), empty="nothing was done yet")


@audit_app.command("verify")
@asking
def verify(
    session: Session,
    expect: Annotated[
        str, typer.Option("--expect", metavar="ROW:HASH", help="A row that was noted down before must still be there.")
    ] = "",
) -> None:
    """Recompute the chain of the whole log: nothing in it was changed, taken out, added or moved."""
    from meshway.audit import fault_of
    from meshway.cli.registry_client import RegistryClient

    client = RegistryClient(session)
    noted = expect.partition(":")
    if expect and not _NOTED.fullmatch(expect):
        raise CliError(USAGE, f"--expect: {expect!r} is no ROW:HASH", mend="as `meshway audit verify` ended with it")
    head, cut = _ends(client)
    if expect and noted[0].isdigit() and int(noted[0]) <= cut.seq:
        mend = f"expect a younger one, of {cut.seq + 1} and above"
        raise CliError(NOT_FOUND, f"row {noted[0]} was forgotten at its age", mend=mend)
    found: list[int] = []

    def rows() -> "Iterator[AuditRow]":
        for row in _rows(client, cut.seq, head.seq):
            if str(row.seq) == noted[0] and row.hash == noted[2]:
                found.append(row.seq)
            yield row

    fault = fault_of(rows(), head, cut)
    if fault is not None and (again := _ends(client)[1]) != cut:
        # Rows were forgotten while they were read.
        cut = again
        fault = fault_of(rows(), head, cut)
    if fault is not None:
        raise CliError(FAILED, f"the audit log was tampered with: {fault}")
    if expect and not found:
        raise CliError(FAILED, f"the audit log was tampered with: it has no row {expect}")
    kept = f"rows {cut.seq + 1} to {head.seq}" if cut.seq else f"{head.seq} rows"
    session.say(f"✓ {kept}, none changed   the last: {head.seq}:{head.hash}")


def _ends(client: Any) -> "tuple[AuditHead, AuditHead]":
    """The last row, and the last that was forgotten."""
    from meshway.audit import NOTHING_FORGOTTEN, AuditHead

    page = client.read("/v1/audit", limit="1")
    forgotten = page.get("forgotten")
    cut = NOTHING_FORGOTTEN if forgotten is None else msgspec.convert(forgotten, AuditHead)
    return msgspec.convert(page["head"], AuditHead), cut


def _rows(client: Any, after: int, last: int) -> "Iterator[AuditRow]":
    """Behind a row and up to another, oldest first, with the bytes of each detail as they were hashed."""
    from meshway.audit import AuditRow

    class Page(msgspec.Struct):
        items: list[AuditRow]
        next: str | None = None

    while after < last:
        content = client.ask("GET", "/v1/audit", params={"after": str(after), "limit": str(_PAGE)}).content
        page = msgspec.json.decode(content, type=Page)
        yield from (row for row in page.items if row.seq <= last)
        if not page.items:
            return
        after = page.items[-1].seq


def _all(client: Any) -> Iterator[dict[str, Any]]:
    after = 0
    while items := client.read("/v1/audit", after=str(after), limit=str(_PAGE))["items"]:
        yield from items
        after = items[-1]["seq"]


def _newest(client: Any, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for item in client.items("/v1/audit"):
        found.append(item)
        if len(found) >= count:
            break
    return found


def _what(item: dict[str, Any]) -> str:
    detail = item["detail"]
    if "instances" in detail:
        names = [str(name) for _, name, _ in detail["instances"][:3]]
        more = f" and {detail['count'] - len(names)} more" if detail["count"] > len(names) else ""
        return f"instances {', '.join(names)}{more}"
    told = [_of_change(one) for one in detail.get("changes", ())[:3]]
    return f"{item['action']}   {', '.join(told)}".rstrip()


def _of_change(change: dict[str, Any]) -> str:
    """A document says its kind itself. Of a change that is of a later registry, what was done."""
    op = str(change["op"]).replace("_", " ")
    thing = next((kind for kind in _THINGS if kind in change), "")
    named = f"{op} {thing.replace('_', ' ')} {change[thing]}" if thing else op
    if thing == "document":
        return f"{op} {change[thing]}"
    return f"{named} as {change['role']} in {change['namespace']}" if "role" in change else named
