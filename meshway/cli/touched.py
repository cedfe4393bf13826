"""What a change would do to the calls of the last day: told beside the changed fields, before anything is published."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from meshway.cli.failure import CliError
from meshway.cli.numbers import effect_line
from meshway.cli.rehearse import WORDS, difference_lines, from_disk_line

if TYPE_CHECKING:
    from meshway.cli.registry_client import RegistryClient
    from meshway.cli.written_files import FileDocument

_NONE: Final = "0s"
_SHOWN: Final = 5


def touched_lines(
    client: "RegistryClient", documents: "Sequence[FileDocument]", last: str, namespace: str
) -> Iterator[str]:
    """Nothing where no gateway could tell; a line that says so where one should have."""
    if last == _NONE:
        return
    params = {"namespace": namespace, "dry_run": "true", "rehearse": last}
    body = {"documents": [document.sent for document in documents], "delete": []}
    try:
        if not any(gateway["live"] for gateway in client.read("/v1/gateways")["items"]):
            return
        answer = client.ask("POST", "/v1/apply", params=params, body=body)
    except CliError as error:
        yield f"! recorded calls were not asked: {error.what}"
        return
    told = msgspec.json.decode(answer.content)
    if (effect := told.get("effect")) is not None:
        yield effect_line(effect)
    yield from lines_of(told["rehearsal"], last)


def lines_of(told: Mapping[str, Any], last: str) -> Iterator[str]:
    """told: a Rehearsal. A summary, then those that would be refused."""
    differences = told.get("differences", [])
    if told.get("from_disk"):
        yield from_disk_line(told["from_disk"])
    if not told["recorded"]:
        yield f"no call was recorded in the last {last}"
        return
    of_all = f"of {told['calls']} calls of the last {last}"
    if not differences:
        yield f"none {of_all} would fare otherwise"
        return
    routes = {each[side].get("route") for each in differences for side in ("before", "after")} - {None, ""}
    count = {kind: sum(each["calls"] for each in differences if each["kind"] == kind) for kind in WORDS}
    fates = ", ".join(f"{count[kind]} {said}" for kind, said in WORDS.items() if count[kind])
    callers, touched = len(told.get("callers", [])), told["calls"] - told["same"]
    yield (
        f"{touched} {of_all} touched, of {callers} caller{'s' * (callers != 1)}, by {len(routes)} "
        f"Route{'s' * (len(routes) != 1)}: {fates}"
    )
    refused = [each for each in differences if each["kind"] == "refused"]
    for each in refused[:_SHOWN]:
        yield from difference_lines(each)
    if len(differences) > len(refused[:_SHOWN]):
        yield "all of it: meshway rehearse -f …"
