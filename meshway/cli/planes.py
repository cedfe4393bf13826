"""`up`, `registry serve|migrate`, `gateway serve`: what runs the planes, here or one by one (systemd, containers)."""

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from meshway.cli.failure import CONFLICT, FAILED, INVALID, USAGE, CliError
from meshway.cli.gateway_options import (
    BodyMinRate,
    CaFile,
    EdgeConnectionsPerAddress,
    EnrolTokenFile,
    HeadTimeout,
    IdleTimeout,
    LoopLag,
    WorkerConnections,
    WorkerMemory,
    WriteIdle,
)
from meshway.cli.guard import guarded
from meshway.cli.installed import refuse_missing_server
from meshway.cli.parent import die_with_parent
from meshway.cli.ports import dns_sockets, listen_on, port_or_off, refuse_taken
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
from meshway.units import parse_size

if TYPE_CHECKING:
    from registry.settings import RegistrySettings

registry_app = typer.Typer(help="Run the registry (control plane).", no_args_is_help=True)
gateway_app = typer.Typer(help="Run a gateway (data plane).", no_args_is_help=True)

Data = Annotated[Path, typer.Option("--data", envvar="MESHWAY_DATA", metavar="DIR", help="Where state is kept.")]
Bind = Annotated[str, typer.Option(envvar="MESHWAY_BIND", metavar="ADDRESS", help="Address to listen on.")]
Insecure = Annotated[
    bool, typer.Option("--insecure", envvar="MESHWAY_INSECURE", help="Allow listening off loopback without TLS.")
]
Workers = Annotated[
    int, typer.Option(envvar="MESHWAY_WORKERS", min=0, max=256, metavar="N", help="0: cores, at most 4.")
]
AccessLog = Annotated[
    Literal["json", "off"], typer.Option(envvar="MESHWAY_ACCESS_LOG", help="A JSON line for each call, or none.")
]
ReadyFile = Annotated[
    Path | None,
    typer.Option(envvar="MESHWAY_READY_FILE", metavar="F", help="Written as JSON when everything answers."),
]


TokenFile = Annotated[
    Path | None,
    typer.Option(
        envvar="MESHWAY_TOKEN_FILE",
        metavar="F",
        help="Holds the token by which it signs in at the registry; read anew for every question.",
    ),
]


def port_option(flag: str, what: str) -> typer.models.OptionInfo:
    variable = "MESHWAY_" + flag.strip("-").replace("-", "_").upper()
    option: typer.models.OptionInfo = typer.Option(
        flag, envvar=variable, min=0, max=65535, metavar="N", help=f"{what}; 0 takes a free one."
    )
    return option


def tls_port_option(flag: str, what: str) -> typer.models.OptionInfo:
    variable = "MESHWAY_" + flag.strip("-").replace("-", "_").upper()
    option: typer.models.OptionInfo = typer.Option(
        flag, envvar=variable, metavar="N", help=f"{what}; 0 takes a free one, off: none."
    )
    return option


RegistryPort = Annotated[int, port_option("--registry-port", "Registry and API")]
EdgePort = Annotated[int, port_option("--edge-port", "Calls from outside")]
MeshPort = Annotated[int, port_option("--mesh-port", "Calls between services")]
EdgeTlsPort = Annotated[str, tls_port_option("--edge-tls-port", "Calls from outside by TLS")]
MeshTlsPort = Annotated[str, tls_port_option("--mesh-tls-port", "Calls between services by TLS")]
AdminPort = Annotated[int, port_option("--admin-port", "The gateway's metrics and health")]
DnsPort = Annotated[
    str,
    typer.Option(
        "--dns-port",
        envvar="MESHWAY_DNS_PORT",
        metavar="N",
        help="Names below .mesh over DNS; 0 takes a free one, off: none.",
    ),
]


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


def bytes_of(flag: str, written: str) -> int:
    """Raises CliError 2."""
    try:
        return int(parse_size(written))
    except ValueError as error:
        raise CliError(USAGE, f"{flag}: {error}") from None


def networks_of(flag: str, written: str) -> tuple[str, ...]:
    """Raises CliError 2."""
    import ipaddress

    try:
        return tuple(str(ipaddress.ip_network(text)) for text in written.replace(",", " ").split())
    except ValueError as error:
        raise CliError(USAGE, f"{flag}: {error}", mend="write networks, 10.0.0.0/8,fd00::/8") from None


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


@gateway_app.command("serve")
@guarded
def gateway_serve(
    data: Data = Path(".meshway"),
    registry: Annotated[
        list[str] | None,
        typer.Option(
            "--registry", envvar="MESHWAY_URL", metavar="URL", help="Where to follow; may be repeated, or commas."
        ),
    ] = None,
    edge_port: EdgePort = 8580,
    mesh_port: MeshPort = 8581,
    edge_tls_port: EdgeTlsPort = "8543",
    mesh_tls_port: MeshTlsPort = "8544",
    admin_port: AdminPort = 8590,
    bind: Bind = "127.0.0.1",
    workers: Workers = 0,
    node: Annotated[str, typer.Option(envvar="MESHWAY_NODE", help="Name in the registry; this host's.")] = "",
    zone: Annotated[str, typer.Option(envvar="MESHWAY_ZONE", help="The zone this host stands in.")] = "",
    insecure: Insecure = False,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    access_log: AccessLog = "json",
    ready_file: ReadyFile = None,
    cross_namespace: Annotated[
        Literal["deny", "allow"],
        typer.Option(
            envvar="MESHWAY_CROSS_NAMESPACE",
            help="May Routes send to other namespaces, where neither an AccessPolicy nor MeshSettings says so?",
        ),
    ] = "deny",
    trusted_proxies: Annotated[
        str,
        typer.Option(
            envvar="MESHWAY_TRUSTED_PROXIES",
            metavar="CIDRS",
            help="Proxies before the edge, with commas: their X-Forwarded-For is believed.",
        ),
    ] = "",
    max_connections: WorkerConnections = 20_000,
    max_connections_per_address: EdgeConnectionsPerAddress = 1_000,
    worker_memory: WorkerMemory = "512MiB",
    shed_lag: LoopLag = "50ms",
    head_timeout: HeadTimeout = "10s",
    idle_timeout: IdleTimeout = "60s",
    write_idle: WriteIdle = "30s",
    body_min_rate: BodyMinRate = 100,
    enrol_token_file: EnrolTokenFile = None,
    certificates_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="MESHWAY_CERTIFICATES_DIR",
            metavar="DIR",
            help="Where the files of Certificates lie; `certificates` in --data.",
        ),
    ] = None,
) -> None:
    """Run a gateway in the foreground: supervisor and workers. SIGHUP reloads, SIGTERM drains and ends."""
    is_child = die_with_parent()
    refuse_missing_server()
    from gateway.settings import GatewaySettings, OverloadSettings, WorkerSettings
    from gateway.supervisor.supervisor import serve

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
    if not is_child:
        # Workers share their port with SO_REUSEPORT, so the kernel would let a second gateway take half of the calls.
        # Below `up` the last workers of a dead gateway may still drain there, and they are to be followed at once.
        ports = [(edge_port, "--edge-port"), (mesh_port, "--mesh-port"), (admin_port, "--admin-port")]
        ports += [(settings.edge_tls_port or 0, "--edge-tls-port"), (settings.mesh_tls_port or 0, "--mesh-tls-port")]
        refuse_taken(bind, ports)
    try:
        serve(settings)
    except Problem as problem:
        raise plane_refused(problem) from problem


def plane_refused(problem: Problem) -> CliError:
    return CliError(INVALID if problem.status < 500 else FAILED, str(problem), mend=problem.mend)
