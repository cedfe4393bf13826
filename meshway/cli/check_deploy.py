"""`check deploy`: replaces instances of a service under load, one after the other, and counts the calls that are lost.

The copies it replaces are its own, started from the command behind `--` as a deployment would start them; instances
that run already stay and take their share. A call is lost that got no answer, or one of 500 and above.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer

from meshway.cli.failure import FAILED, INVALID, USAGE, CliError
from meshway.cli.services import GATEWAY, Gateway
from meshway.cli.session import EVERY_NAMESPACE, Session, asking

if TYPE_CHECKING:
    from meshway.cli.copies import Copies
    from meshway.cli.steady_load import Lost, SteadyLoad

SHOWN: Final = 10  # of the calls that were lost
SETTLE_S: Final = 1.0  # of load before the first replacement and after the last


class Replaced(msgspec.Struct, frozen=True):
    """started_s, ended_s: seconds since the load began."""

    old: str
    new: str
    started_s: float
    ended_s: float


@asking
def deploy(
    session: Session,
    service: Annotated[str, typer.Argument(metavar="SVC", help="The service whose copies are replaced.")],
    command: Annotated[
        list[str],
        typer.Argument(metavar="-- CMD…", help="Starts a copy, which registers itself; {port} is its port."),
    ],
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=1000, help="How often each copy is replaced.")] = 3,
    instances: Annotated[int, typer.Option("--instances", min=1, max=20, help="Copies at a time.")] = 2,
    get: Annotated[str, typer.Option("--get", metavar="PATH", help="What is read.")] = "/",
    post: Annotated[str, typer.Option("--post", metavar="PATH", help="What is posted to; nothing unless told.")] = "",
    data: Annotated[str, typer.Option("--data", "-d", help="The body of a POST, JSON.")] = "{}",
    connections: Annotated[int, typer.Option("--connections", min=1, max=256, help="Callers at a time.")] = 8,
    register: Annotated[bool, typer.Option("--register", help="CMD does not register itself: do it for it.")] = False,
    gateway: Gateway = GATEWAY,
    log_of: Annotated[
        Path, typer.Option("--mesh-data", envvar="MESHWAY_DATA", metavar="DIR", help="The data folder of `meshway up`.")
    ] = Path(".meshway"),
) -> None:
    """Replace instances of a service under load and count the calls that are lost. Exit 1 when any is."""
    from meshway.cli.calling import mesh_listener, reported_listener
    from meshway.cli.copies import Copies
    from meshway.cli.steady_load import Request, SteadyLoad

    if session.namespace == EVERY_NAMESPACE:
        raise CliError(USAGE, "a service lives in one namespace", mend="-n NAMESPACE instead of -A")
    _refuse_no_json(post, data)
    known = gateway.rstrip("/") if gateway != GATEWAY else ""
    listener = known or mesh_listener(log_of) or reported_listener(session) or GATEWAY
    requests = [Request("GET", get, b"")] + ([Request("POST", post, data.encode())] if post else [])
    load = SteadyLoad(listener, f"{service}.{session.namespace}.mesh", requests, connections)
    with contextlib.closing(Copies(session, service, command, listener, registers=register)) as copies:
        for _ in range(instances):
            copies.start()
        asyncio.run(load.probe())
        replaced = asyncio.run(_under_load(session, load, copies, rounds))
    _report(session, f"{session.namespace}/{service}", load, replaced)
    if load.lost:
        raise typer.Exit(FAILED)


async def _under_load(session: Session, load: "SteadyLoad", copies: "Copies", rounds: int) -> list[Replaced]:
    """Copies are started and ended in a thread: the callers do not wait for them."""
    replaced: list[Replaced] = []
    async with load.running():
        await asyncio.sleep(SETTLE_S)
        for number in range(rounds):
            for old in copies.names:
                began = load.elapsed_s
                new = await asyncio.to_thread(copies.start)
                await asyncio.to_thread(copies.end, old)
                replaced.append(Replaced(old, new, round(began, 2), round(load.elapsed_s, 2)))
            lost = f", {len(load.lost)} lost" if load.lost else ""
            session.say(f"round {number + 1} of {rounds}: {len(load.took_s)} calls{lost}")
        await asyncio.sleep(SETTLE_S)
    return replaced


def _refuse_no_json(post: str, data: str) -> None:
    if post:
        try:
            msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CliError(INVALID, f"--data is no JSON: {error}") from error


def _report(session: Session, service: str, load: "SteadyLoad", replaced: Sequence[Replaced]) -> None:
    from meshway.cli.output import painted, pretty_json

    told = _told(service, load, replaced)
    if session.output in ("json", "jsonl"):
        session.put(pretty_json(told))
        return
    for line in _lines(told):
        session.put(painted(line) if session.color else line)


def _told(service: str, load: "SteadyLoad", replaced: Sequence[Replaced]) -> dict[str, Any]:
    return {
        "service": service,
        "replaced": len(replaced),
        "took_s": round(load.elapsed_s, 1),
        "calls": dict(sorted(load.counts.items())),
        "p50_ms": round(load.percentile_s(50.0) * 1000.0, 1),
        "p99_ms": round(load.percentile_s(99.0) * 1000.0, 1),
        "lost": [msgspec.to_builtins(lost) | {"while": _during(lost, replaced)} for lost in load.lost],
    }


def _during(lost: "Lost", replaced: Sequence[Replaced]) -> str:
    for each in replaced:
        if each.started_s <= lost.at_s <= each.ended_s:
            return f"{each.old} made way for {each.new}"
    return "nothing was replaced"


def _lines(told: dict[str, Any]) -> Iterator[str]:
    calls = ", ".join(f"{count} {method}" for method, count in told["calls"].items())
    lost = told["lost"]
    mark = "✗" if lost else "✓"
    what = f"{told['replaced']} instances replaced in {told['took_s']:g} s"
    yield f"{mark} {told['service']}: {what}, {len(lost)} calls lost"
    yield f"  {calls}   p50 {told['p50_ms']:g} ms, p99 {told['p99_ms']:g} ms"
    for each in lost[:SHOWN]:
        yield f"  at {each['at_s']:.2f} s {each['method']} {each['why']}   while {each['while']}   {each['request_id']}"
    if len(lost) > SHOWN:
        yield f"  and {len(lost) - SHOWN} more (-o json has all)"
