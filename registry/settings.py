"""What a registry is told: from flags and variables, by `meshway registry serve`."""

from pathlib import Path
from typing import Final

import msgspec

from meshway.addresses import is_loopback

DEFAULT_PORT: Final = 8500
DEFAULT_RECENT_BYTES: Final = 64 << 20
# Where a pod finds its own account.
KUBERNETES_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
# RFC 1918, RFC 6598 (addresses of carriers, and of clouds), RFC 4193.
PRIVATE_CIDRS: Final = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")


class RegistrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """data_dir: the store's folder, made when absent. port 0: a free one. insecure: to bind off loopback without TLS is
    meant.

    trusts_loopback: callers on this machine are admins without a token (registry/sign_in.py); all others sign
    in, whatever stands here. bootstrap_token_file: what signs the first admin in; None: made in data_dir.
    has_parent: whoever has started it makes the first tokens.

    database_url: a PostgreSQL that several registries share; empty: SQLite in data_dir.
    tls_certificate, tls_key: files, PEM; None: it speaks without TLS.
    oidc_file: names issuers by whose word people and programs sign in (registry/federation/providers.py); None: nobody.
    kubernetes_api: of the cluster whose service accounts enrol by their tokens; empty: of none. kubernetes_ca_file,
    kubernetes_token_file: by whom that is believed, and what the registry itself asks by.
    master_key_file: what secrets are sealed by; None: made in data_dir, but where registries share a database.
    redis_url: where leases are shared with other registries; empty: they stay in this process. migrate: bring an older
    store to this version's tables at start. remove_after_s: how long a critical instance stays listed.
    self_preservation_*: self_preservation.py. log_*: the change log keeps whichever reaches further back.
    recent_bytes: of the log's youngest revisions in memory, with all that was made of them for followers; whoever falls
    behind it takes the whole. history_age_s: how long a state of a document is kept once another has taken its place;
    None: for ever. allow_registered_cidrs: networks that health checks may ask, beside loopback where the registry
    is on it. trusted_proxies: networks whose word on a caller's address is believed
    (registry/machine/client_address.py), never beside trusts_loopback. max_connections: open at once, but never so many
    that files and stores have no descriptors left.
    max_watchers: of /v1/watch, and as many gateways at /v1/feed. *_per_address: of these, from one address.
    read_only: people change nothing; services register and gateways report as always (registry/read_only.py).
    """

    data_dir: Path
    database_url: str = ""
    bind: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    insecure: bool = False
    trusts_loopback: bool = False
    has_parent: bool = False
    read_only: bool = False
    bootstrap_token_file: Path | None = None
    migrate: bool = True
    redis_url: str = ""
    master_key_file: Path | None = None
    oidc_file: Path | None = None
    kubernetes_api: str = ""
    kubernetes_ca_file: Path = KUBERNETES_ACCOUNT / "ca.crt"
    kubernetes_token_file: Path = KUBERNETES_ACCOUNT / "token"
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    remove_after_s: float = 300.0
    self_preservation_percent: float = 15.0
    self_preservation_min: int = 3
    self_preservation_max_s: float = 900.0
    log_revisions: int = 100_000
    log_age_s: float = 86_400.0
    recent_bytes: int = DEFAULT_RECENT_BYTES
    history_age_s: float | None = None
    allow_registered_cidrs: tuple[str, ...] = PRIVATE_CIDRS
    trusted_proxies: tuple[str, ...] = ()
    max_connections: int = 20_000
    max_connections_per_address: int = 10_000
    max_watchers: int = 5_000
    max_watchers_per_address: int = 2_000

    @property
    def is_on_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(self.bind)


class StartRefused(Exception):
    """The registry must not start; the message is one line for the person who started it."""
