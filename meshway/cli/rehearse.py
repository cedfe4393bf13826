"""`rehearse`: what recorded calls would get by documents that are not applied."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from meshway.cli.documents import Files
from meshway.cli.failure import DIFFERENT
from meshway.cli.session import Session, asking

Item = Mapping[str, Any]
_SHOWN: Final = 20
_MARKS: Final = {"refused": "✗", "let_in": "!", "elsewhere": "~", "changed": "~"}
WORDS: Final = {
    "refused": "would be refused",
    "let_in": "would be let in",
    "elsewhere": "would go elsewhere",
    "changed": "would fare otherwise",
}


@asking
def rehearse(
    session: Session,
    file: Files,
    last: Annotated[str, typer.Option("--last", metavar="1h", help="How long back, at most 24h.")] = "1h",
) -> None:
    """Run recorded calls through today's tables and through those with the files applied; list what differs.

    Nothing is published or sent. Exit 1 when anything differs.
    """
    import msgspec

    from meshway.cli.output import pretty_json, yaml_stream
    from meshway.cli.registry_client import RegistryClient, problem_error
    from meshway.cli.written_files import invalid_files, place_errors, read_files
    from meshway.client.errors import problem_of

    namespace = session.own_namespace
    documents = read_files(file, namespace)
    params = {"namespace": namespace, "dry_run": "true", "rehearse": last}
    body = {"documents": [document.sent for document in documents], "delete": []}
    response = RegistryClient(session).answer("POST", "/v1/apply", params=params, body=body)
    if response.status_code >= 400:
        problem = problem_of(response)
        if problem.code == "invalid_document" and problem.errors:
            raise invalid_files(place_errors(documents, problem.errors))
        raise problem_error(problem, response)
    told = msgspec.json.decode(response.content)["rehearsal"]
    if session.output in ("json", "jsonl"):
        session.put(pretty_json(told))
    elif session.output == "yaml":
        session.put(yaml_stream([told]).rstrip("\n"))
    else:
        session.put("\n".join(lines_of(told)))
    if told.get("differences"):
        raise typer.Exit(DIFFERENT)


def lines_of(told: Item) -> Iterator[str]:
    """For people."""
    if told.get("from_disk"):
        yield from_disk_line(told["from_disk"])
    if not told["recorded"]:
        yield f"no call was recorded in that time by {', '.join(told['gateways'])}"
        return
    share = 100.0 * told["recorded"] / max(told["calls"], told["recorded"])
    span = f"{_time(told['from_s'])} to {_time(told['to_s'])}"
    yield f"{told['recorded']} recorded calls of {told['calls']} ({share:.3g} % of the traffic), {span}"
    if told.get("whole_from_s", 0.0) > told["from_s"] and told["recorded"] < told["calls"]:
        yield f"  every call since {_time(told['whole_from_s'])}, a sample of those before"
    yield f"✓ {told['same']} calls fare as today"
    differences = told.get("differences", ())
    for each in differences[:_SHOWN]:
        yield from difference_lines(each)
    left_out = len(differences[_SHOWN:]) + told.get("differences_left_out", 0)
    if left_out:
        yield f"  and {left_out} smaller groups (-o json has more)"
    if told.get("secrets_left_out"):
        count = told["secrets_left_out"]
        yield f"! {count} came with credentials or cookies, which are not kept: rules that ask for them see none"


def from_disk_line(gateways: Sequence[str]) -> str:
    """Of whom the last calls may be missing."""
    names = ", ".join(gateways)
    return f"! {names}: a worker did not tell its last calls in time, a sample from disk was taken; ask again"


def difference_lines(each: Item) -> Iterator[str]:
    """A group of calls with some examples."""
    fates = f"{_fate(each['before'])}  →  {_fate(each['after'])}"
    yield f"{_MARKS[each['kind']]} {each['calls']} {WORDS[each['kind']]}: {fates}"
    for example in each["examples"]:
        caller = f" from {example['caller']}" if example.get("caller") else ""
        yield f"    {example['method']} {example['host']}{example['path']}{_sent(example)}{caller}"


def _sent(example: Item) -> str:
    """What the service sees, where that would change."""
    came = f"{example['host']}{example['path']}"
    before, after = example.get("sent_before") or came, example.get("sent_after") or came
    return "" if before == after else f", sent as {before} → {after}"


def _fate(fate: Item) -> str:
    where = f"{fate['route']} rule {fate['rule']}" if fate.get("route") else "no rule"
    if fate.get("status"):
        return f"{fate['status']} {fate['reason']} by {fate.get('document') or where}"
    return f"{where} to {', '.join(fate.get('to', ())) or 'nobody'}"


def _time(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
