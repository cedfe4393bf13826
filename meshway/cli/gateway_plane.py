"""`gateway serve`: the data plane alone (systemd, containers)."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from meshway.cli.failure import CONFLICT, CliError
from meshway.cli.gateway_options import (
    BodyMinRate,
    CaFile,
    CertificatesDir,
    CrossNamespace,
    EdgeConnectionsPerAddress,
    EnrolTokenFile,
    HeadTimeout,
    IdleTimeout,
    LoopLag,
    Node,
    Registries,
    TakeOver,
    TrustedProxies,
    WorkerConnections,
    WorkerMemory,
    WriteIdle,
    Zone,
)
from meshway.cli.guard import guarded
from meshway.cli.installed import refuse_missing_server
from meshway.cli.parent import die_with_parent
from meshway.cli.plane_options import (
    AccessLog,
    AdminPort,
    Bind,
    Data,
    EdgePort,
    EdgeTlsPort,
    Insecure,
    MeshPort,
    MeshTlsPort,
    ReadyFile,
    TokenFile,
    Workers,
    bytes_of,
    networks_of,
    plane_refused,
)
from meshway.cli.ports import port_or_off, refuse_taken
from meshway.cli.waiting import seconds_of
from meshway.problem import Problem

if TYPE_CHECKING:
    from gateway.settings import GatewaySettings

gateway_app = typer.Typer(help="Run a gateway (data plane).", no_args_is_help=True)


@gateway_app.command("serve")
@guarded
def gateway_serve(
    data: Data = Path(".meshway"),
    registry: Registries = None,
    edge_port: EdgePort = 8580,
    mesh_port: MeshPort = 8581,
    edge_tls_port: EdgeTlsPort = "8543",
    mesh_tls_port: MeshTlsPort = "8544",
    admin_port: AdminPort = 8590,
    bind: Bind = "127.0.0.1",
    workers: Workers = 0,
    node: Node = "",
    zone: Zone = "",
    insecure: Insecure = False,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    access_log: AccessLog = "json",
    ready_file: ReadyFile = None,
    cross_namespace: CrossNamespace = "deny",
    trusted_proxies: TrustedProxies = "",
    max_connections: WorkerConnections = 20_000,
    max_connections_per_address: EdgeConnectionsPerAddress = 1_000,
    worker_memory: WorkerMemory = "512MiB",
    shed_lag: LoopLag = "50ms",
    head_timeout: HeadTimeout = "10s",
    idle_timeout: IdleTimeout = "60s",
    write_idle: WriteIdle = "30s",
    body_min_rate: BodyMinRate = 100,
    enrol_token_file: EnrolTokenFile = None,
    certificates_dir: CertificatesDir = None,
    take_over: TakeOver = False,
) -> None:
    """Run a gateway in the foreground: supervisor and workers. SIGHUP reloads, SIGTERM drains and ends."""
    is_child = die_with_parent()
    refuse_missing_server()
    from gateway.settings import GatewaySettings, OverloadSettings, WorkerSettings
    from gateway.supervisor.opening import serve

    lag_s = seconds_of("--shed-lag", shed_lag)

    settings = GatewaySettings(
        data_dir=data,
        registry_urls=tuple(" ".join(registry or ["http://127.0.0.1:8500"]).replace(",", " ").split()),
        edge_port=edge_port,
        mesh_port=mesh_port,
        edge_tls_port=port_or_off("--edge-tls-port", edge_tls_port),
        mesh_tls_port=port_or_off("--mesh-tls-port", mesh_tls_port),
        certificates_dir=certificates_dir,
        enrol_token_file=enrol_token_file,
        admin_port=admin_port,
        bind=bind,
        workers=workers,
        node=node,
        zone=zone,
        insecure=insecure,
        token_file=token_file,
        registry_ca_file=ca_file,
        access_log=access_log,
        ready_file=ready_file,
        take_over=take_over,
        is_child=is_child,
        worker=WorkerSettings(
            crosses_namespaces=cross_namespace == "allow",
            trusted_proxies=networks_of("--trusted-proxies", trusted_proxies),
            max_connections=max_connections,
            max_connections_per_address=max_connections_per_address,
            head_timeout_s=seconds_of("--head-timeout", head_timeout),
            idle_timeout_s=seconds_of("--idle-timeout", idle_timeout),
            write_idle_s=seconds_of("--write-idle", write_idle),
            body_min_rate=body_min_rate,
            overload=OverloadSettings(
                memory=bytes_of("--worker-memory", worker_memory), lag_soft_s=lag_s, lag_hard_s=4 * lag_s
            ),
        ),
    )
    if not is_child and not take_over:
        _refuse_taken(settings)
    try:
        serve(settings)
    except Problem as problem:
        raise plane_refused(problem) from problem


def _refuse_taken(settings: "GatewaySettings") -> None:
    """Workers share their port with SO_REUSEPORT, so the kernel would let a second gateway take half of the calls.

    Below `up` the last workers of a dead gateway may still drain there, and they are to be followed at once.
    """
    ports = [
        (settings.edge_port, "--edge-port"),
        (settings.mesh_port, "--mesh-port"),
        (settings.admin_port, "--admin-port"),
        (settings.edge_tls_port or 0, "--edge-tls-port"),
        (settings.mesh_tls_port or 0, "--mesh-tls-port"),
    ]
    try:
        refuse_taken(settings.bind, ports)
    except CliError as error:
        from gateway.supervisor.data_folder import TAKE_OVER, can_be_taken_over

        if error.code == CONFLICT and can_be_taken_over(settings.data_dir):
            error.mend = f"{TAKE_OVER}; or {error.mend}"
        raise
