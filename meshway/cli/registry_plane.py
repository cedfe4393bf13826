"""`registry serve|migrate`: the control plane alone (systemd, containers)."""

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshway.cli.failure import CONFLICT, CliError
from meshway.cli.guard import guarded
from meshway.cli.installed import refuse_missing_server
from meshway.cli.parent import die_with_parent
from meshway.cli.plane_options import (
    Bind,
    Data,
    DnsPort,
    Insecure,
    RegistryPort,
    bytes_of,
    networks_of,
    plane_refused,
)
from meshway.cli.ports import dns_sockets, listen_on, refuse_taken
from meshway.cli.registry_options import (
    BootstrapTokenFile,
    DatabaseUrl,
    HistoryAge,
    KubernetesApi,
    KubernetesCaFile,
    KubernetesTokenFile,
    LogMemory,
    MasterKeyFile,
    MaxConnections,
    MaxConnectionsPerAddress,
    MaxWatchers,
    MaxWatchersPerAddress,
    OidcFile,
    ReadOnly,
    RedisUrl,
    RegisteredCidrs,
    TlsCertificate,
    TlsKey,
    TrustedProxies,
    TrustLoopback,
)
from meshway.cli.waiting import seconds_of
from meshway.problem import Problem

if TYPE_CHECKING:
    from registry.settings import RegistrySettings

registry_app = typer.Typer(help="Run the registry (control plane).", no_args_is_help=True)


@registry_app.command("serve")
@guarded
def registry_serve(
    data: Data = Path(".meshway"),
    registry_port: RegistryPort = 8500,
    dns_port: DnsPort = "8600",
    bind: Bind = "127.0.0.1",
    insecure: Insecure = False,
    trust_loopback: TrustLoopback = False,
    read_only: ReadOnly = False,
    bootstrap_token_file: BootstrapTokenFile = None,
    database_url: DatabaseUrl = "",
    redis_url: RedisUrl = "",
    master_key_file: MasterKeyFile = None,
    oidc_file: OidcFile = None,
    kubernetes_api: KubernetesApi = "",
    kubernetes_ca_file: KubernetesCaFile = None,
    kubernetes_token_file: KubernetesTokenFile = None,
    tls_certificate: TlsCertificate = None,
    tls_key: TlsKey = None,
    history_age: HistoryAge = "",
    log_memory: LogMemory = "64MiB",
    allow_registered_cidrs: RegisteredCidrs = "",
    trusted_proxies: TrustedProxies = "",
    max_connections: MaxConnections = 20_000,
    max_connections_per_address: MaxConnectionsPerAddress = 10_000,
    max_watchers: MaxWatchers = 5_000,
    max_watchers_per_address: MaxWatchersPerAddress = 2_000,
    migrate: Annotated[bool, typer.Option(help="Run pending migrations first.")] = True,
    has_parent: Annotated[bool, typer.Option(hidden=True, help="Who starts it makes the first tokens.")] = False,
    socket_fd: Annotated[int | None, typer.Option(hidden=True, help="An inherited listening socket.")] = None,
    dns_fds: Annotated[tuple[int, int] | None, typer.Option(hidden=True, help="The same for DNS: UDP, TCP.")] = None,
) -> None:
    """Run the registry in the foreground: REST API, feed, leases and DNS."""
    die_with_parent()
    refuse_missing_server()
    from registry.settings import KUBERNETES_ACCOUNT, PRIVATE_CIDRS, RegistrySettings

    settings = RegistrySettings(
        data_dir=data,
        bind=bind,
        port=registry_port,
        insecure=insecure,
        trusts_loopback=trust_loopback,
        read_only=read_only,
        has_parent=has_parent,
        bootstrap_token_file=bootstrap_token_file,
        migrate=migrate,
        database_url=database_url,
        redis_url=redis_url,
        master_key_file=master_key_file,
        oidc_file=oidc_file,
        kubernetes_api=kubernetes_api,
        kubernetes_ca_file=kubernetes_ca_file or KUBERNETES_ACCOUNT / "ca.crt",
        kubernetes_token_file=kubernetes_token_file or KUBERNETES_ACCOUNT / "token",
        tls_certificate=tls_certificate,
        tls_key=tls_key,
        history_age_s=seconds_of("--history-age", history_age) if history_age else None,
        recent_bytes=bytes_of("--log-memory", log_memory),
        allow_registered_cidrs=tuple(allow_registered_cidrs.replace(",", " ").split()) or PRIVATE_CIDRS,
        trusted_proxies=networks_of("--trusted-proxies", trusted_proxies),
        max_connections=max_connections,
        max_connections_per_address=max_connections_per_address,
        max_watchers=max_watchers,
        max_watchers_per_address=max_watchers_per_address,
    )
    _serve_registry(settings, dns_port, socket_fd, dns_fds)


def _serve_registry(
    settings: "RegistrySettings", dns_port: str, socket_fd: int | None, dns_fds: tuple[int, int] | None
) -> None:
    """socket_fd, dns_fds: inherited, in place of sockets of its own. Raises CliError."""
    from registry.app import serve
    from registry.dns.server import DnsSockets
    from registry.settings import StartRefused

    bind, port = settings.bind, settings.port
    if socket_fd is None and dns_fds is None:
        refuse_taken(bind, ((port, "--registry-port"),), dns_port)
    sock = listen_on(bind, port, "--registry-port") if socket_fd is None else socket.socket(fileno=socket_fd)
    names = dns_sockets(bind, dns_port) if dns_fds is None else tuple(socket.socket(fileno=fd) for fd in dns_fds)
    try:
        serve(settings, sock=sock, dns=None if names is None else DnsSockets(*names))
    except StartRefused as refused:
        raise CliError(CONFLICT, f"the registry cannot start: {refused}") from refused
    except Problem as problem:
        raise plane_refused(problem) from problem


@registry_app.command("migrate")
@guarded
def registry_migrate(
    data: Data = Path(".meshway"),
    database_url: Annotated[
        str, typer.Option(envvar="MESHWAY_DATABASE_URL", metavar="URL", help="A PostgreSQL store instead of DIR.")
    ] = "",
) -> None:
    """Bring the store to this version's schema; `registry serve` does it by itself.

    Of several that run at once over one database, one does it and the others wait.
    """
    refuse_missing_server()
    import asyncio

    from registry.opening import open_store
    from registry.settings import RegistrySettings, StartRefused

    async def migrate() -> None:
        async with open_store(RegistrySettings(data_dir=data, database_url=database_url)):
            pass

    try:
        asyncio.run(migrate())
    except StartRefused as refused:
        raise CliError(CONFLICT, f"cannot migrate: {refused}") from refused
