"""Settings of a gateway, one Struct a part; the worker's go to it over the channel."""

import os
import socket
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import msgspec

from meshway.addresses import is_loopback
from meshway.problem import Problem


class OverloadSettings(msgspec.Struct, frozen=True, kw_only=True):
    """From when on a worker refuses calls. memory: bytes it may hold, 0 = any. lag_soft_s, lag_hard_s: how late its
    loop may be before it sheds `sheddable` calls, and `default` ones as well, 0 = any.
    """

    memory: int = 512 << 20
    lag_soft_s: float = 0.05
    lag_hard_s: float = 0.2


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker holds to. Times in seconds, sizes in bytes.

    drain_s: how long idle connections of a draining worker stay open. stuck_s: how long a worker may say nothing before
    its supervisor kills and replaces it. access_log: path, or "" for none.
    recorded: the folder of the calls that are kept for rehearsals, "" for none. crosses_namespaces: whether Routes may
    send to other namespaces where no document says anything of it. trusted_proxies: networks of proxies whose word on
    where a call comes from is taken.
    calls_loopback: issuers may be on this machine; the supervisor decides.
    log_buffer: bytes of lines that wait for the disk before the oldest are dropped and counted. folder_lock: the file
    that a living supervisor holds locked, "" for none. max_connections: of callers, over all listeners;
    max_connections_per_address: at the edge, 0 = any number. head_timeout_s: from a head's first byte to its last;
    idle_timeout_s: kept alive without a call; write_idle_s: without a byte taken by the caller; body_min_rate: bytes a
    second of a request's body at the edge, looked at each ten seconds, 0 = any.
    """

    node: str = "gateway"
    zone: str = ""
    drain_s: float = 30.0
    orphan_drain_s: float = 5.0
    stuck_s: float = 10.0
    max_head: int = 65536
    max_fields: int = 100
    max_target: int = 16384
    trusted_proxies: tuple[str, ...] = ()
    access_log: str = ""
    log_buffer: int = 4 << 20
    max_series: int = 20_000
    folder_lock: str = ""
    recorded: str = ""
    crosses_namespaces: bool = False
    calls_loopback: bool = False
    max_connections: int = 20_000
    max_connections_per_address: int = 1_000
    head_timeout_s: float = 10.0
    idle_timeout_s: float = 60.0
    write_idle_s: float = 30.0
    body_min_rate: int = 100
    overload: OverloadSettings = OverloadSettings()


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """What `meshway gateway serve` was told.

    Ports: 0 takes a free one; those of TLS None: not listened on. workers: 0 = cores, at most 4. node: name in the
    registry, "" = this host's name.
    access_log: `json` writes a line a call, `off` none. certificates_dir: below which Certificates name their files,
    None: `certificates` in data_dir. enrol_token_file: of a one-time token for this gateway's own certificate, None: it
    has none, or has it in data_dir already.
    token_file: holds what signs it in at the registry; None: nothing does. registry_ca_file: by whom registries' https
    is believed, None: the public authorities.
    take_over: of the gateway that holds data_dir: its sockets are ours, and it leaves when all workers serve.
    is_child: of a process that starts it again when it ends, so nobody is offered its place, and no service manager is
    told of it.
    ready_file: written by rename when every worker answers with tables, see `Addresses`.
    """

    data_dir: Path
    registry_urls: tuple[str, ...] = ("http://127.0.0.1:8500",)
    edge_port: int = 8580
    mesh_port: int = 8581
    edge_tls_port: int | None = 8543
    mesh_tls_port: int | None = 8544
    admin_port: int = 8590
    bind: str = "127.0.0.1"
    workers: int = 0
    node: str = ""
    zone: str = ""
    insecure: bool = False
    token_file: Path | None = None
    registry_ca_file: Path | None = None
    access_log: Literal["json", "off"] = "json"
    ready_file: Path | None = None
    certificates_dir: Path | None = None
    enrol_token_file: Path | None = None
    take_over: bool = False
    is_child: bool = False
    worker: WorkerSettings = WorkerSettings()

    @property
    def worker_count(self) -> int:
        return self.workers or min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1, 4)

    @property
    def node_name(self) -> str:
        return self.node or socket.gethostname()

    @property
    def certificates_folder(self) -> Path:
        return self.certificates_dir or self.data_dir / "certificates"

    @property
    def recorded_folder(self) -> Path:
        """Of calls that are kept for rehearsals."""
        return self.data_dir / "log" / "recorded"

    @property
    def _access_log_path(self) -> str:
        if self.access_log == "off":
            return ""
        return self.worker.access_log or str(self.data_dir / "log" / "access.jsonl")

    def for_workers(self) -> WorkerSettings:
        return msgspec.structs.replace(
            self.worker,
            node=self.node_name,
            zone=self.zone,
            folder_lock=str(self.data_dir / "run" / "gateway.lock"),
            access_log=self._access_log_path,
            calls_loopback=is_loopback(self.bind),
            recorded="" if self.access_log == "off" else str(self.recorded_folder),
        )


class Addresses(msgspec.Struct, frozen=True):
    """Where a running gateway answers, as URLs; the content of the ready file. TLS: "" where it is not offered."""

    edge: str
    mesh: str
    admin: str
    pid: int
    edge_tls: str = ""
    mesh_tls: str = ""


def refuse_open_bind(settings: GatewaySettings) -> None:
    """Raises Problem when others could reach listeners that neither encrypt nor ask who calls."""
    if settings.insecure or is_loopback(settings.bind):
        return
    raise Problem(
        400,
        "insecure_bind",
        f"will not listen on {settings.bind}: the listeners have no TLS and no sign-in",
        mend="bind to 127.0.0.1, or pass --insecure when a firewall or a private network guards the ports",
    )


def own_version() -> str:
    try:
        return version("meshway")
    except PackageNotFoundError:  # run from a tree that was never installed
        return "0"
