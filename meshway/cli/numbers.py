"""`top` and `map`: what calls there are now, as tables."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from meshway.cli.failure import USAGE, CliError
from meshway.cli.session import EVERY_NAMESPACE, Session, asking

if TYPE_CHECKING:
    pass

Item = Mapping[str, Any]
EVERY_S: Final = 2.0
_MARKS: Final = {"ok": "✓ ok", "warn": "▲ warn", "bad": "■ bad", "idle": "○ idle", "unknown": "◌ unknown"}
# By what rows may be ordered, and of what figure.
_ORDERS: Final = {"rps": "rps", "errors": "error_share", "p95": "p95_ms"}
_LEVELS: Final = ("services", "namespaces")
_NEW_SCREEN: Final = "\033[H\033[J"

Window = Annotated[str, typer.Option("--window", metavar="1m", help="Of how long, at least 10s.")]
When = Annotated[
    str, typer.Option("--at", metavar="TIME", show_default=False, help="The end of it: RFC 3339; now unless told.")
]


@asking
def top(
    session: Session,
    window: Window = "1m",
    at: When = "",
    sort: Annotated[str, typer.Option("--sort", help=f"By {', '.join(_ORDERS)}.")] = "rps",
    once: Annotated[bool, typer.Option("--once", help="Show it and end; so it does where no terminal is.")] = False,
) -> None:
    """Show every service's calls, errors and latency, anew every 2 s until Ctrl-C. -A: of all namespaces."""
    from meshway.cli.output import show_list
    from meshway.cli.registry_client import RegistryClient

    if sort not in _ORDERS:
        raise CliError(USAGE, f"--sort {sort} is none of {', '.join(_ORDERS)}")
    client, params = RegistryClient(session), _span(session, window, at)
    is_live = not (once or at or session.output) and sys.stdout.isatty()
    while True:
        items = client.read("/v1/insight/services", **params)["items"]
        items.sort(key=lambda item: (-item["figures"][_ORDERS[sort]], item["namespace"], item["name"]))
        if is_live:
            session.put(f"{_NEW_SCREEN}{time.strftime('%H:%M:%S')}  the last {window}, by {sort}")
        show_list(
            session,
            items,
            _service_columns(session),
            wide={"REASONS": lambda item: "; ".join(item["reasons"]) or "-"},
            name=lambda item: f"{item['namespace']}/{item['name']}",
            empty="no service is known here; meshway demo starts some",
        )
        if not is_live:
            return
        time.sleep(EVERY_S)


@asking
def map_(
    session: Session,
    service: Annotated[str, typer.Argument(metavar="[SVC]", help="Around this one: cart, or cart.shop.")] = "",
    window: Window = "15m",
    at: When = "",
    level: Annotated[str, typer.Option("--level", help=f"{' or '.join(_LEVELS)}.")] = "services",
    hops: Annotated[int, typer.Option("--hops", min=1, max=3, help="How far around SVC.")] = 1,
    min_rps: Annotated[float, typer.Option("--min-rps", min=0.0, help="Only edges with so many calls a second.")] = 0.0,
) -> None:
    """Show who calls whom, how often, how well and how fast. -A: in all namespaces."""
    from meshway.cli.output import pretty_json, table
    from meshway.cli.registry_client import RegistryClient

    if level not in _LEVELS:
        raise CliError(USAGE, f"--level {level} is none of {', '.join(_LEVELS)}")
    if session.output not in (None, "table", "wide", "json"):
        raise CliError(USAGE, f"-o {session.output} is no form of a map", mend="-o json")
    params = _span(session, window, at) | {"level": level, "min_rps": str(min_rps)}
    if service:
        params |= {"level": "focus", "service": _full(service, session), "hops": str(hops)}
        params.pop("namespace", None)
    told = RegistryClient(session).read("/v1/insight/topology", **params)
    if session.output == "json":
        session.put(pretty_json(told))
        return
    _say_unwell(session, told["nodes"])
    if not told["edges"]:
        session.say(f"no calls in the last {window}")
        return
    edges = sorted(told["edges"], key=lambda edge: (-edge["figures"]["rps"], edge["source"], edge["target"]))
    rows = [[edge["source"], "→", edge["target"], *_cells(edge["figures"])] for edge in edges]
    session.put(table(["CALLER", "", "SERVICE", *_FIGURES], rows, color=session.color))
    if told.get("left_out"):
        session.say(f"{told['left_out']} edges with fewer calls are left out")


def _say_unwell(session: Session, nodes: Sequence[Item]) -> None:
    for node in nodes:
        if node["health"] in ("warn", "bad") and node.get("reasons"):
            session.say(f"{_MARKS[node['health']][0]} {node['id']}: {'; '.join(node['reasons'])}")


def _service_columns(session: Session) -> dict[str, Callable[[Item], str]]:
    columns: dict[str, Callable[[Item], str]] = {}
    if session.namespace == EVERY_NAMESPACE:
        columns["NAMESPACE"] = lambda item: str(item["namespace"])
    columns |= {
        "SERVICE": lambda item: str(item["name"]),
        "HEALTH": lambda item: _MARKS[item["health"]],
        "INSTANCES": lambda item: f"{item['instances']['passing']}/{item['instances']['known']}",
    }
    for heading, cell in _FIGURES.items():
        columns[heading] = lambda item, cell=cell: cell(item["figures"])  # type: ignore[misc]  # a default binds it now
    return columns


def _cells(figures: Item) -> list[str]:
    return [cell(figures) for cell in _FIGURES.values()]


def rate_text(per_s: float) -> str:
    """`86.0/s`, and by the minute below one in ten seconds: few calls are not none."""
    return f"{per_s * 60:.1f}/min" if 0.0 < per_s < 0.1 else f"{per_s:.1f}/s"


def latency_text(ms: float) -> str:
    """`3.6 ms`, from a second on `30.5 s`: sessions and WebSockets last."""
    if ms < 999.5:
        return f"{ms:.3g} ms"
    return f"{ms / 1_000.0:.3g} s" if ms < 999_500.0 else f"{ms / 1_000.0:.0f} s"


def _rate(figures: Item) -> str:
    return rate_text(figures["rps"])


def _errors(figures: Item) -> str:
    return f"{figures['error_share']:.1%}" if figures["calls"] else "-"


def _latency(name: str) -> Callable[[Item], str]:
    return lambda figures: latency_text(figures[name]) if figures["calls"] else "-"


_FIGURES: Final[dict[str, Callable[[Item], str]]] = {
    "CALLS": _rate,
    "ERRORS": _errors,
    "P50": _latency("p50_ms"),
    "P95": _latency("p95_ms"),
    "P99": _latency("p99_ms"),
}


def _span(session: Session, window: str, at: str) -> dict[str, str]:
    from meshway.units import parse_duration

    try:
        window_s = float(parse_duration(window))
    except ValueError as error:
        raise CliError(USAGE, f"--window: {error}") from None
    params = {"window_s": f"{window_s:g}"}
    if at:
        params["at"] = at
    if session.namespace != EVERY_NAMESPACE:
        params["namespace"] = session.namespace
    return params


def _full(service: str, session: Session) -> str:
    """`cart.shop` or `shop/cart` to `shop/cart`; a bare name is of the namespace."""
    if "/" in service:
        return service
    name, dot, namespace = service.partition(".")
    return f"{namespace if dot else session.own_namespace}/{name}"


def effect_line(effect: Item) -> str:
    """`touches 1 Route, 1 service, 4 callers: 86/s by the last 10 minutes`."""
    counts = [
        _counted(effect["route_count"], "Route"),
        _counted(effect["service_count"], "service"),
        _counted(effect["caller_count"], "caller"),
    ]
    return f"touches {', '.join(counts)}: {effect['rps']:.3g}/s by the last 10 minutes"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
