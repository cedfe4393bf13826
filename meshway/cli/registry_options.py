"""The options of `registry serve`, each also a variable."""

from pathlib import Path
from typing import Annotated

import typer

from meshway.cli.plane_options import flag_option

DatabaseUrl = Annotated[
    str,
    typer.Option(
        envvar="MESHWAY_DATABASE_URL",
        show_envvar=True,
        metavar="URL",
        help="PostgreSQL that several registries share: postgresql://USER:PASSWORD@HOST:PORT/DATABASE.",
    ),
]
RedisUrl = Annotated[
    str,
    typer.Option(
        envvar="MESHWAY_REDIS_URL",
        show_envvar=True,
        metavar="URL",
        help="Redis or Valkey that shares leases with other registries: redis://[user:password@]HOST:PORT/DATABASE.",
    ),
]
MasterKeyFile = Annotated[
    Path | None,
    typer.Option(
        envvar="MESHWAY_MASTER_KEY_FILE",
        show_envvar=True,
        metavar="FILE",
        help="32 bytes in base64 that secrets are sealed by; without PostgreSQL one is made in the data folder.",
    ),
]
TlsCertificate = Annotated[
    Path | None,
    typer.Option(
        envvar="MESHWAY_TLS_CERTIFICATE", metavar="F", help="PEM, with its chain: everything is then served by TLS."
    ),
]
TlsKey = Annotated[
    Path | None, typer.Option(envvar="MESHWAY_TLS_KEY", metavar="F", help="Its key. Both are read anew as they change.")
]
OidcFile = Annotated[
    Path | None,
    typer.Option(
        envvar="MESHWAY_OIDC_FILE",
        metavar="F",
        help="YAML: OpenID providers where people sign in, and issuers of tokens of programs.",
    ),
]
KubernetesApi = Annotated[
    str,
    typer.Option(
        envvar="MESHWAY_KUBERNETES_API",
        metavar="URL",
        help="Of a cluster whose service accounts enrol by their tokens: https://kubernetes.default.svc.",
    ),
]
KubernetesCaFile = Annotated[
    Path | None,
    typer.Option(envvar="MESHWAY_KUBERNETES_CA_FILE", metavar="F", help="By whom it is believed, PEM; the pod's own."),
]
KubernetesTokenFile = Annotated[
    Path | None,
    typer.Option(
        envvar="MESHWAY_KUBERNETES_TOKEN_FILE", metavar="F", help="By which the registry asks it; the pod's own."
    ),
]
HistoryAge = Annotated[
    str,
    typer.Option(
        envvar="MESHWAY_HISTORY_AGE",
        metavar="2160h",
        help="How long a replaced state of a document is kept; empty: for ever.",
    ),
]
LogMemory = Annotated[
    str,
    typer.Option(
        envvar="MESHWAY_LOG_MEMORY",
        metavar="SIZE",
        help="How much of the youngest changes stays in memory for gateways and watchers.",
    ),
]
TrustedProxies = Annotated[
    str,
    typer.Option(
        "--trusted-proxies",
        envvar="MESHWAY_REGISTRY_TRUSTED_PROXIES",
        metavar="CIDR,CIDR",
        help="Proxies before the registry, whose X-Forwarded-For says who signs in; none unless told.",
    ),
]
RegisteredCidrs = Annotated[
    str,
    typer.Option(
        envvar="MESHWAY_ALLOW_REGISTERED_CIDRS",
        metavar="CIDR,CIDR",
        help="Networks that the registry's health checks may ask; empty: private ones.",
    ),
]
TrustLoopback = Annotated[
    bool,
    flag_option("--trust-loopback", "Callers on this machine are admins without a token, as below meshway up."),
]
ReadOnly = Annotated[
    bool,
    flag_option("--read-only", "People change nothing; services register and gateways report as always."),
]
BootstrapTokenFile = Annotated[
    Path | None,
    typer.Option(
        envvar="MESHWAY_BOOTSTRAP_TOKEN_FILE",
        metavar="F",
        help="What signs the first admin in, and nobody once there is one; made where it is missing. "
        "DIR/bootstrap.token",
    ),
]


def _cap(flag: str, what: str) -> typer.models.OptionInfo:
    return flag_option(flag, f"{what}; above it the answer is 503.", "N", least=1)


MaxConnections = Annotated[int, _cap("--max-connections", "Connections that may be open")]
MaxConnectionsPerAddress = Annotated[int, _cap("--max-connections-per-address", "Of these, from one address")]
MaxWatchers = Annotated[int, _cap("--max-watchers", "Callers that may follow /v1/watch, and as many /v1/feed")]
MaxWatchersPerAddress = Annotated[int, _cap("--max-watchers-per-address", "Of these, from one address")]
