"""`up`: both planes on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from meshway.cli.guard import guarded
from meshway.cli.plane_options import (
    AccessLog,
    AdminPort,
    Bind,
    Data,
    DnsPort,
    EdgePort,
    EdgeTlsPort,
    Insecure,
    MeshPort,
    MeshTlsPort,
    ReadyFile,
    RegistryPort,
    Workers,
)
from meshway.cli.ports import port_or_off


@guarded
def up(
    data: Data = Path(".meshway"),
    registry_port: RegistryPort = 8500,
    edge_port: EdgePort = 8580,
    mesh_port: MeshPort = 8581,
    edge_tls_port: EdgeTlsPort = "8543",
    mesh_tls_port: MeshTlsPort = "8544",
    admin_port: AdminPort = 8590,
    dns_port: DnsPort = "8600",
    bind: Bind = "127.0.0.1",
    workers: Workers = 0,
    insecure: Insecure = False,
    auth: Annotated[
        bool,
        typer.Option("--auth", envvar="MESHWAY_AUTH", help="Everybody signs in at the registry, on this machine too."),
    ] = False,
    access_log: AccessLog = "json",
    ready_file: ReadyFile = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the console in a browser.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No banner.")] = False,
) -> None:
    """Run registry and gateway on this machine, until Ctrl-C."""
    from meshway.cli.up import UpSettings, run_up

    run_up(
        UpSettings(
            data=data,
            registry_port=registry_port,
            edge_port=edge_port,
            mesh_port=mesh_port,
            edge_tls_port=port_or_off("--edge-tls-port", edge_tls_port),
            mesh_tls_port=port_or_off("--mesh-tls-port", mesh_tls_port),
            admin_port=admin_port,
            dns_port=dns_port,
            bind=bind,
            workers=workers,
            insecure=insecure,
            auth=auth,
            access_log=access_log,
            ready_file=ready_file,
            open_page=open_page,
            quiet=quiet,
        )
    )
