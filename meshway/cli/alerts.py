"""`alert …`: what fires, whom it is kept from, when a rule would have fired, and what is left of budgets."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import typer

from meshway.cli.failure import USAGE, CliError
from meshway.cli.session import EVERY_NAMESPACE, Session, asking

Item = Mapping[str, Any]
Which = Literal["live", "firing", "pending", "silenced", "resolved"]
alert_app = typer.Typer(no_args_is_help=True, help="What people should know of.")
_MARKS: Final = {"critical": "■", "warning": "▲", "info": "○"}


@alert_app.command("list")
@asking
def list_(
    session: Session,
    state: Annotated[Which, typer.Option("--state", help="live: what fires and what is about to.")] = "live",
    silences: Annotated[bool, typer.Option("--silences", help="The silences that hold instead.")] = False,
) -> None:
    """List what fires. -A: in all namespaces."""
    from meshway.cli.output import show_list
    from meshway.cli.registry_client import RegistryClient

    client, params = RegistryClient(session), _place(session)
    if silences:
        items = client.read("/v1/silences", **params)["items"]
        columns = {
            "ID": lambda item: str(item["id"]),
            "OF": lambda item: "all" if item["namespace"] == "*" else str(item["namespace"]),
            "MATCHERS": lambda item: " ".join(_matcher_text(each) for each in item["matchers"]),
            "UNTIL": lambda item: _moment(item["until"]),
            "BY": lambda item: str(item["created_by"]),
            "REASON": lambda item: str(item["reason"]),
        }
        show_list(session, items, columns, name=lambda item: str(item["id"]), empty="no silences")
        return
    items = client.read("/v1/alerts", state=state, **params)["items"]
    items.sort(key=lambda item: (item["state"] != "firing", _SEVERITIES.index(item.get("severity", "warning"))))
    columns = {
        "STATE": _state_of,
        "ALERT": lambda item: f"{item['namespace']}/{item['name']}",
        "ABOUT": lambda item: " ".join(f"{name}={value}" for name, value in sorted(item.get("labels", {}).items())),
        "SINCE": lambda item: _moment(item.get("fired_at") or item["active_at"]),
        "SUMMARY": lambda item: str(item.get("summary", "")),
    }
    if state == "resolved":
        columns["UNTIL"] = lambda item: _moment(item["resolved_at"])
    show_list(session, items, columns, name=lambda item: str(item["id"]), empty="nothing fires")


@alert_app.command("rules")
@asking
def rules(session: Session) -> None:
    """List what alerts are judged by, what is built in (in namespace mesh) first. -A: in all namespaces."""
    from meshway.cli.output import show_list
    from meshway.cli.registry_client import RegistryClient

    items = RegistryClient(session).read("/v1/alerts/rules", **_place(session))["items"]
    columns = {
        "ALERT": lambda item: f"{item['namespace']}/{item['name']}",
        "FROM": _origin_of,
        "STATE": lambda item: "on" if item["enabled"] else "off",
        "SEVERITY": lambda item: f"{_MARKS[item['severity']]} {item['severity']}",
        "QUERY": lambda item: str(item["query"]),
        "TOLD": lambda item: ", ".join(item["receivers"]) or "nobody",
    }
    show_list(
        session, items, columns, name=lambda item: f"{item['namespace']}/{item['name']}", empty="no rules: -A has all"
    )


@alert_app.command("silence")
@asking
def silence(
    session: Session,
    matchers: Annotated[
        list[str],
        typer.Argument(metavar="NAME=VALUE…", help="Labels that match, as in alert=slow service=cart; != for not."),
    ],
    until: Annotated[str, typer.Option("--for", metavar="2h", help="How long, or a time (RFC 3339); at most 720h.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for those who wonder.")],
) -> None:
    """Tell nobody of alerts with these labels for a time. -A: of all namespaces."""
    from meshway.cli.registry_client import RegistryClient

    body = {
        "namespace": "*" if session.namespace == EVERY_NAMESPACE else session.namespace,
        "matchers": [_matcher_of(text) for text in matchers],
        "until": until,
        "reason": reason,
    }
    made = RegistryClient(session).ask("POST", "/v1/silences", body=body).json()
    session.say(f"✓ silent until {_moment(made['until'])}; end it: meshway alert unsilence {made['id']}")
    session.put(made["id"])


@alert_app.command("unsilence")
@asking
def unsilence(
    session: Session, silence_id: Annotated[str, typer.Argument(metavar="ID", help="As list --silences tells it.")]
) -> None:
    """End a silence before its time."""
    from urllib.parse import quote

    from meshway.cli.registry_client import RegistryClient

    RegistryClient(session).ask("DELETE", f"/v1/silences/{quote(silence_id, safe='')}")
    session.say(f"✓ silence {silence_id} is over")


@alert_app.command("try")
@asking
def try_(
    session: Session,
    query: Annotated[str, typer.Argument(metavar="QUERY", help='As in "service=cart error_ratio > 2 % for 2m".')],
    minimum_requests: Annotated[
        int, typer.Option("--minimum-requests", min=0, help="Of fewer calls ratios say nothing.")
    ] = 20,
    keep_firing: Annotated[str, typer.Option("--keep-firing", metavar="1m", help="So long after it held last.")] = "1m",
) -> None:
    """Tell when a rule would have fired over the last 24 h. Nothing is kept of it."""
    from meshway.cli.output import show_list
    from meshway.cli.registry_client import RegistryClient
    from meshway.model.alert_query import QueryFault, parse_query

    try:
        parse_query(query)
    except QueryFault as fault:
        marked = f"{query}\n{' ' * (fault.column - 1)}^"
        raise CliError(USAGE, f"{fault}\n{marked}", mend="docs/guide/alerts.md has all of it") from None
    spec = {"query": query, "minimum_requests": minimum_requests, "keep_firing": keep_firing}
    body = {"spec": spec, "namespace": session.own_namespace}
    told = RegistryClient(session).ask("POST", "/v1/alerts/try", body=body).json()
    columns = {
        "FROM": lambda item: _moment(item["fired_at"]),
        "UNTIL": lambda item: "now" if item["resolved_at"] is None else _moment(item["resolved_at"]),
        "ABOUT": lambda item: " ".join(f"{name}={value}" for name, value in sorted(item["labels"].items())),
        "SUMMARY": lambda item: str(item["summary"]),
    }
    hours = (told["end"] - told["first"]) / 3_600
    empty = f"it would not have fired in the last {hours:.3g} h"
    show_list(session, told["fired"], columns, name=lambda item: str(item["fired_at"]), empty=empty)
    if told["left_out"]:
        session.say(f"{told['left_out']} more times are left out")


@alert_app.command("objectives")
@asking
def objectives(session: Session) -> None:
    """Show what is left of the budgets of Objectives, and how fast they are spent. -A: in all namespaces."""
    from meshway.cli.output import show_list
    from meshway.cli.registry_client import RegistryClient

    items = RegistryClient(session).read("/v1/objectives", **_place(session))["items"]
    columns = {
        "NAME": lambda item: f"{item['namespace']}/{item['name']}",
        "OF": lambda item: str(item["target"]),
        "GOAL": lambda item: f"{item['target_percent']:g} % {item['indicator']} over {item['window_s'] / 3_600:g}h",
        "LEFT": lambda item: "no calls" if item["budget"]["left"] is None else f"{item['budget']['left']:.1%}",
        "BURNS": lambda item: _burn_text(item["budget"]["rates"]),
    }
    empty = "no Objectives: docs/guide/alerts.md has one to begin with"
    show_list(session, items, columns, name=lambda item: f"{item['namespace']}/{item['name']}", empty=empty)


def _origin_of(item: Item) -> str:
    if not item["builtin"]:
        return "document"
    return "built in, changed by a document" if item["written"] else "built in"


_SEVERITIES: Final = ("critical", "warning", "info")


def _place(session: Session) -> dict[str, str]:
    return {} if session.namespace == EVERY_NAMESPACE else {"namespace": session.namespace}


def _state_of(item: Item) -> str:
    quiet = " (muted)" if item.get("muted") else " (silenced)" if item.get("silenced_by") else ""
    mark = _MARKS[item.get("severity", "warning")] if item["state"] == "firing" else "~"
    return f"{mark} {item['state']}{quiet}"


def _burn_text(rates: Sequence[Item]) -> str:
    """`1h: 3.1 of 14.4`, what burns marked."""
    return ", ".join(
        f"{'■ ' if rate['holds'] else ''}{rate['long_s'] / 3_600:g}h: {rate['long']:.3g} of {rate['factor']:.3g}"
        for rate in rates
    )


def _matcher_of(text: str) -> dict[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.rstrip("!"):
        raise CliError(USAGE, f"{text!r} is no NAME=VALUE or NAME!=VALUE", mend="as in service=cart")
    return {"name": name.removesuffix("!"), "value": value, "op": "!=" if name.endswith("!") else "="}


def _matcher_text(matcher: Item) -> str:
    return f"{matcher['name']}{matcher.get('op', '=')}{matcher['value']}"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
