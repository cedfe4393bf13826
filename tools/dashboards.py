"""Writes deploy/grafana/dashboards: `python -m tools.dashboards`; a test holds the files to this page.

A dashboard is rows of panels; a panel is its title, unit and queries with what their lines are called.
"""

import json
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / "deploy" / "grafana" / "dashboards"
SOURCE: Final = {"type": "prometheus", "uid": "meshway-prometheus"}
_WIDTH: Final = 24
_HEIGHT: Final = 8
_RATE: Final = "$__rate_interval"


class Panel(NamedTuple):
    """queries: PromQL and the legend. kind: of Grafana's panels. exemplars: shown beside the lines."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    exemplars: bool = False


class Dashboard(NamedTuple):
    """variables: by name the metric and the label whose values may be chosen."""

    uid: str
    title: str
    rows: tuple[tuple[Panel, ...], ...]
    variables: tuple[tuple[str, str, str], ...] = ()


def _quantiles(metric: str, where: str, by: str = "") -> tuple[tuple[str, str], ...]:
    legend = f" {{{{{by}}}}}" if by else ""
    labels = f"le, {by}" if by else "le"
    return tuple(
        (f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket{where}[{_RATE}])))", f"p{name}{legend}")
        for share, name in ((0.5, "50"), (0.95, "95"), (0.99, "99"))
    )


_SERVICE: Final = '{service="$service"}'
DASHBOARDS: Final = (
    Dashboard(
        "meshway-mesh",
        "Meshway / Mesh",
        (
            (
                Panel(
                    "Calls by service",
                    "reqps",
                    ((f"sum by (service) (rate(meshway_requests_total[{_RATE}]))", "{{service}}"),),
                ),
                Panel(
                    "Share of failed calls",
                    "percentunit",
                    (
                        (
                            f'sum by (service) (rate(meshway_requests_total{{status_class="5xx"}}[{_RATE}]))'
                            f" / sum by (service) (rate(meshway_requests_total[{_RATE}]))",
                            "{{service}}",
                        ),
                    ),
                ),
                Panel(
                    "Latency",
                    "s",
                    _quantiles("http_server_request_duration_seconds", ""),
                    exemplars=True,
                ),
            ),
            (
                Panel(
                    "Who calls whom",
                    "reqps",
                    (
                        (
                            f"topk(20, sum by (source, service) (rate(meshway_requests_total[{_RATE}])))",
                            "{{source}} to {{service}}",
                        ),
                    ),
                ),
                Panel(
                    "Response flags",
                    "reqps",
                    (
                        (
                            f'sum by (response_flag) (rate(meshway_requests_total{{response_flag!=""}}[{_RATE}]))',
                            "{{response_flag}}",
                        ),
                    ),
                ),
                Panel(
                    "Refused, by policy",
                    "reqps",
                    (
                        (f"sum by (policy) (rate(meshway_rate_limited_total[{_RATE}]))", "{{policy}}"),
                        (f"sum by (policy) (rate(meshway_auth_denied_total[{_RATE}]))", "{{policy}}"),
                    ),
                ),
            ),
            (
                Panel("Breakers open", "short", (("sum by (service) (meshway_breaker_open)", "{{service}}"),)),
                Panel("Ejected instances", "short", (("sum(meshway_outlier_ejected)", "ejected"),)),
                Panel("Leases", "short", (("sum(meshway_leases)", "leases"),)),
            ),
        ),
    ),
    Dashboard(
        "meshway-service",
        "Meshway / Service",
        (
            (
                Panel(
                    "Calls by status",
                    "reqps",
                    (
                        (
                            f"sum by (status_class) (rate(meshway_requests_total{_SERVICE}[{_RATE}]))",
                            "{{status_class}}",
                        ),
                    ),
                ),
                Panel(
                    "Latency",
                    "s",
                    _quantiles("http_server_request_duration_seconds", _SERVICE),
                    exemplars=True,
                ),
                Panel(
                    "Callers",
                    "reqps",
                    ((f"sum by (source) (rate(meshway_requests_total{_SERVICE}[{_RATE}]))", "{{source}}"),),
                ),
            ),
            (
                Panel(
                    "Calls by instance",
                    "reqps",
                    (
                        (
                            f"sum by (instance) (rate(meshway_upstream_requests_total{_SERVICE}[{_RATE}]))",
                            "{{instance}}",
                        ),
                    ),
                ),
                Panel(
                    "95th percentile to the first byte, by instance",
                    "s",
                    (_quantiles("meshway_upstream_request_duration_seconds", _SERVICE, "instance")[1],),
                ),
                Panel(
                    "Tried again, not connected",
                    "reqps",
                    (
                        (f"sum(rate(meshway_upstream_retries_total{_SERVICE}[{_RATE}]))", "tried again"),
                        (
                            f"sum(rate(meshway_upstream_connect_failures_total{_SERVICE}[{_RATE}]))",
                            "not connected",
                        ),
                    ),
                ),
            ),
            (
                Panel("Connections", "short", ((f"sum(meshway_upstream_connections{_SERVICE})", "connections"),)),
                Panel("Waiting calls", "short", ((f"sum(meshway_pending_requests{_SERVICE})", "waiting"),)),
                Panel(
                    "Bytes of bodies",
                    "Bps",
                    (
                        (f"sum(rate(meshway_request_bytes_total{_SERVICE}[{_RATE}]))", "in"),
                        (f"sum(rate(meshway_response_bytes_total{_SERVICE}[{_RATE}]))", "out"),
                    ),
                ),
            ),
        ),
        (("service", "meshway_requests_total", "service"),),
    ),
    Dashboard(
        "meshway-planes",
        "Meshway / Gateways and registry",
        (
            (
                Panel("Revision", "short", (("meshway_snapshot_revision", "{{job}} {{instance}}"),)),
                Panel("Since the registry was heard", "s", (("meshway_snapshot_age_seconds", "{{instance}}"),)),
                Panel("Documents refused", "short", (("meshway_documents_refused", "{{instance}}"),)),
            ),
            (
                Panel("Workers", "short", (("meshway_workers", "{{instance}}"),)),
                Panel(
                    "Loop lag",
                    "s",
                    (("max by (instance) (meshway_loop_lag_seconds)", "{{instance}}"),),
                ),
                Panel(
                    "Memory of workers",
                    "bytes",
                    (("sum by (instance) (meshway_worker_memory_bytes)", "{{instance}}"),),
                ),
            ),
            (
                Panel(
                    "Connections of callers",
                    "short",
                    (("sum by (listener) (meshway_connections)", "{{listener}}"),),
                ),
                Panel(
                    "Lost: lines, spans, reports",
                    "cps",
                    (
                        (f"sum(rate(meshway_access_log_dropped_total[{_RATE}]))", "lines"),
                        (f"sum(rate(meshway_spans_dropped_total[{_RATE}]))", "spans"),
                        (f"sum(rate(meshway_reports_failed_total[{_RATE}]))", "reports"),
                    ),
                ),
                Panel(
                    "Commits of the registry",
                    "s",
                    (
                        (
                            f"rate(meshway_registry_commit_duration_seconds_sum[{_RATE}])"
                            f" / rate(meshway_registry_commit_duration_seconds_count[{_RATE}])",
                            "mean",
                        ),
                    ),
                ),
            ),
            (
                Panel("Groups in self-preservation", "short", (("meshway_self_preservation", "{{instance}}"),)),
                Panel("Checks, how far behind", "s", (("meshway_checks_late_seconds", "{{instance}}"),)),
                Panel("Gateways", "short", (("meshway_gateways", "{{instance}}"),)),
            ),
        ),
    ),
)


def queries() -> list[str]:
    """Every PromQL expression of the dashboards."""
    return [query for board in DASHBOARDS for row in board.rows for panel in row for query, _ in panel.queries]


def written(board: Dashboard) -> str:
    panels: list[dict[str, Any]] = []
    for down, row in enumerate(board.rows):
        width = _WIDTH // len(row)
        for across, panel in enumerate(row):
            place = {"x": across * width, "y": down * _HEIGHT, "w": width, "h": _HEIGHT}
            panels.append(_panel(panel, len(panels) + 1, place))
    content = {
        "uid": board.uid,
        "title": board.title,
        "tags": ["meshway"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_variable(*each) for each in board.variables]},
        "panels": panels,
    }
    return json.dumps(content, indent=1) + "\n"


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "gridPos": place,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {
                "refId": chr(ord("A") + at),
                "datasource": SOURCE,
                "expr": query,
                "legendFormat": legend,
                "exemplar": panel.exemplars,
            }
            for at, (query, legend) in enumerate(panel.queries)
        ],
    }


def _variable(name: str, metric: str, label: str) -> dict[str, Any]:
    query = f"label_values({metric}, {label})"
    return {
        "name": name,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
    }


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for board in DASHBOARDS:
        (FOLDER / f"{board.uid}.json").write_text(written(board), encoding="utf-8")
        print(f"{(FOLDER / board.uid).relative_to(ROOT)}.json written")


if __name__ == "__main__":
    main()
