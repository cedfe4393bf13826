"""`rollout`: how far a new version is, and what somebody wants of it."""

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

import typer

from meshway.cli.as_seen import ask_as_seen
from meshway.cli.failure import FAILED, USAGE, CliError
from meshway.cli.numbers import latency_text
from meshway.cli.session import EVERY_NAMESPACE, Session, asking
from meshway.cli.watching import Columns, Watch

if TYPE_CHECKING:
    from meshway.cli.registry_client import RegistryClient

rollout_app = typer.Typer(no_args_is_help=True, help="New versions that get their calls step by step.")

_EVERY_S: Final = 2.0
_MARKS: Final = {"passed": "✓", "running": "~", "ahead": "", "left": "✗"}
_OVER: Final = ("promoted", "aborted")
Name = Annotated[str, typer.Argument(metavar="NAME", help="The Rollout's.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Told in its time line.")]


@rollout_app.command("status")
@asking
def status(
    session: Session,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", show_default=False, help="All without.")] = None,
    watch: Watch = False,
) -> None:
    """Show how far a Rollout is: each step's weight, calls, canary against control, and the verdict.

    --watch: on with what changes, until it is over; exit 1 when it was aborted.
    """
    from meshway.cli.output import show_list, show_one
    from meshway.cli.registry_client import RegistryClient

    client = RegistryClient(session)
    if name is None:
        if watch:
            raise CliError(USAGE, "--watch of which Rollout?", mend="meshway rollout status NAME --watch")
        within = {} if session.namespace == EVERY_NAMESPACE else {"namespace": session.own_namespace}
        items = client.read("/v1/rollouts", **within)["items"]
        empty = "no rollouts here"
        show_list(session, items, COLUMNS, name=lambda item: f"rollouts/{item['name']}", empty=empty)
        return
    told = client.read(_path(session, name))
    show_one(session, told, name=f"rollouts/{name}", text=lambda: "\n".join(lines_of(told)))
    if watch:
        _follow(client, session, name, told)


@rollout_app.command("promote")
@asking
def promote(session: Session, name: Name, reason: Reason = "") -> None:
    """Send all calls to the canary, now. The Rollout is over."""
    _ask(session, name, "promote", reason)


@rollout_app.command("hold")
@asking
def hold(session: Session, name: Name, reason: Reason = "") -> None:
    """Keep the weights as they are, until it is promoted or aborted, or the step is skipped."""
    _ask(session, name, "hold", reason)


@rollout_app.command("abort")
@asking
def abort(session: Session, name: Name, reason: Reason = "") -> None:
    """Send all calls back to the stable version. The Rollout is over."""
    _ask(session, name, "abort", reason)


@rollout_app.command("skip")
@asking
def skip(session: Session, name: Name, reason: Reason = "") -> None:
    """Go on to the next step without what this one still needs; after the last one, promote."""
    _ask(session, name, "skip", reason)


def _ask(session: Session, name: str, action: str, reason: str) -> None:
    told = ask_as_seen(
        session, _path(session, name), action, {"reason": reason}, version="revision", name="rollouts/{name}"
    )
    session.say(f"✓ {name} is {_phase(told)}: {told['weight_percent']:g} % to {told['canary']}")


def _path(session: Session, name: str) -> str:
    return f"/v1/rollouts/{quote(session.own_namespace, safe='')}/{quote(name, safe='')}"


def _follow(client: "RegistryClient", session: Session, name: str, told: Mapping[str, Any]) -> None:
    shown = list(lines_of(told))
    while told["phase"] not in _OVER:
        time.sleep(_EVERY_S)
        told = client.read(_path(session, name))
        now = list(lines_of(told))
        for line in now:
            if line not in shown:
                session.put(line)
        shown = now
    if told["phase"] == "aborted":
        raise typer.Exit(FAILED)


def lines_of(told: Mapping[str, Any]) -> Iterator[str]:
    """A Rollout in words: what it moves, its steps, and why it is where it is."""
    from meshway.cli.output import table

    yield (
        f"{told['namespace']}/{told['name']} {_phase(told)}: {told['weight_percent']:g} % of rule {told['rule']} of "
        f"{told['route']} to {told['canary']}, from {told['stable']}"
    )
    for of in (told.get("reason"), told.get("trouble") and f"does not go on: {told['trouble']}"):
        if of:
            yield f"  {of}"
    heading = ["", "STEP", "ASKED", "MEASURED", "CALLS", "NEEDED", "CANARY", "CONTROL", "VERDICT"]
    yield from table(heading, [_cells(step) for step in told["steps"]]).splitlines()


def _cells(step: Mapping[str, Any]) -> list[str]:
    measures = step.get("measures")
    cells = [_MARKS[step["state"]], str(step["step"] + 1), f"{step['weight_percent']:g} %"]
    if measures is None:
        return [*cells, "-", "-", str(step["requests_needed"]), "-", "-", step["state"]]
    measured, canary = measures["measured_percent"], measures["canary"]
    return [
        *cells,
        "-" if measured is None else f"{measured:.3g} %",
        str(canary["calls"]),
        str(step["requests_needed"]),
        _arm(canary),
        _arm(measures["control"]),
        measures["verdict"].replace("_", " "),
    ]


def _arm(arm: Mapping[str, Any]) -> str:
    if not arm["calls"]:
        return "-"
    p99 = arm["p99_ms"]
    return f"{arm['failure_percent']:.2g} %" + ("" if p99 is None else f", p99 {latency_text(p99)}")


def _phase(told: Mapping[str, Any]) -> str:
    running = told["phase"] in ("running", "holding")
    return f"{told['phase']} (step {told['step'] + 1} of {told['step_count']})" if running else str(told["phase"])


COLUMNS: Final[Columns] = {
    "NAME": lambda item: str(item["name"]),
    "PHASE": _phase,
    "CANARY": lambda item: str(item["canary"]),
    "WEIGHT": lambda item: f"{item['weight_percent']:g} %",
    "STABLE": lambda item: str(item["stable"]),
    "ROUTE": lambda item: f"{item['route']} {item['rule']}",
    "WHY": lambda item: item.get("trouble") or item.get("reason") or "-",
}
