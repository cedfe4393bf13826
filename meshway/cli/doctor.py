"""`doctor`: this machine and the stores of its registry, asked without any mesh."""

import asyncio
import resource
import sqlite3
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from meshway.cli.failure import FAILED
from meshway.cli.findings import Finding, show_findings
from meshway.cli.installed import refuse_missing_server
from meshway.cli.session import Session, asking

if TYPE_CHECKING:
    from registry.store.soundness import Soundness

_FILES: Final = 4096
_LOW_DISK: Final = 1 << 30
_MAX_SKEW_S: Final = 5.0
_MANY_DEAD: Final = 50


@asking
def doctor(
    session: Session,
    data: Annotated[
        Path, typer.Option("--data", envvar="MESHWAY_DATA", metavar="DIR", help="The registry's data folder.")
    ] = Path(".meshway"),
    database_url: Annotated[
        str, typer.Option("--database-url", envvar="MESHWAY_DATABASE_URL", metavar="URL", help="Its PostgreSQL.")
    ] = "",
    redis_url: Annotated[
        str, typer.Option("--redis-url", envvar="MESHWAY_REDIS_URL", metavar="URL", help="Its Redis or Valkey.")
    ] = "",
) -> None:
    """Ask this machine and the registry's stores whether they are sound. Exit 1 when something failed."""
    refuse_missing_server()
    findings = [*_machine(), *_store(data, database_url)]
    if redis_url:
        findings += _live(redis_url)
    if show_findings(session, findings):
        raise typer.Exit(FAILED)


def judge(found: "Soundness", schema: str) -> Iterator[Finding]:
    """schema: what this version knows."""
    yield _schema(found, schema)
    if found.schema is None:
        return
    if found.broken:
        yield Finding(
            id="store-intact",
            verdict="failed",
            text=f"the file is damaged: {found.broken}",
            mend="stop the registry, keep a copy of the folder, and meshway restore the last backup with --replace",
        )
    yield from _contents(found)
    yield from _room(found)
    yield from _shrinkable(found)
    if found.settings:
        yield from _durable(found)
    if found.skew_s is not None:
        yield _skew(found.skew_s)


def _machine() -> Iterator[Finding]:
    from gateway.hot_path import hot_path

    fast = [name for name in ("uvloop", "msgspec", "asyncpg", "hiredis") if find_spec(name) is None]
    runs = hot_path()
    yield Finding(
        id="python",
        verdict="warning" if fast else "passed",
        text=f"Python {sys.version.split()[0]}, the hot path {runs.word}"
        + (f" ({runs.why})" if runs.why else "")
        + (f", without {', '.join(fast)}" if fast else ""),
        mend="pip install 'meshway[server]'" if fast else None,
    )
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = soft != resource.RLIM_INFINITY and soft < _FILES
    yield Finding(
        id="open-files",
        verdict="warning" if few else "passed",
        text=f"{soft} open files at most for a process",
        mend="ulimit -n 65536; LimitNOFILE=65536 in a systemd unit" if few else None,
    )


def _store(data: Path, database_url: str) -> Iterator[Finding]:
    from registry.settings import StartRefused
    from registry.store.migrate import SCHEMA
    from registry.store.soundness import examine_sqlite

    try:
        if database_url:
            from registry.store.postgres.soundness import examine_postgres

            found = asyncio.run(examine_postgres(database_url))
        else:
            found = examine_sqlite(data)
    except FileNotFoundError:
        yield Finding(
            id="store",
            verdict="failed",
            text=f"there is no store in {data}",
            mend="name it: --data DIR or --database-url URL; a registry makes one when it starts",
        )
        return
    except (StartRefused, sqlite3.Error) as error:
        mend = "start the database, or mend the URL" if database_url else "meshway restore the last backup"
        yield Finding(id="store", verdict="failed", text=f"the store cannot be read: {error}", mend=mend)
        return
    yield from judge(found, SCHEMA)


def _schema(found: "Soundness", schema: str) -> Finding:
    where = f"{found.store} has schema {found.schema or 'none'}"
    if found.schema == schema:
        return Finding(id="store-schema", verdict="passed", text=where)
    if found.schema is not None and found.schema > schema:
        return Finding(
            id="store-schema",
            verdict="failed",
            text=f"{where}, this version knows {schema}",
            mend="install the newer Meshway",
        )
    return Finding(
        id="store-schema",
        verdict="failed",
        text=f"{where}, this version needs {schema}",
        mend="meshway registry migrate",
    )


def _contents(found: "Soundness") -> Iterator[Finding]:
    restore = "meshway backup what is readable, then meshway restore it, or an older backup, with --replace"
    wrong: list[str] = []
    if found.revision is None:
        wrong.append("the head is missing")
    elif found.log_count and found.log_first is not None and found.log_last is not None:
        if found.log_last != found.revision:
            wrong.append(f"the change log ends at r{found.log_last}, the head is r{found.revision}")
        if found.log_count != found.log_last - found.log_first + 1:
            missing = found.log_last - found.log_first + 1 - found.log_count
            wrong.append(f"{missing} revisions are missing between r{found.log_first} and r{found.log_last} of the log")
    if found.beyond_head:
        wrong.append(f"{found.beyond_head} rows are of revisions beyond the head")
    if found.without_history:
        wrong.append(f"{found.without_history} documents stand as no history knows them")
    if wrong:
        yield Finding(id="store-consistent", verdict="failed", text="; ".join(wrong), mend=restore)
    else:
        log = f", the log goes back to r{found.log_first}" if found.log_count else ", the log is empty"
        yield Finding(id="store-consistent", verdict="passed", text=f"head r{found.revision}{log} without a gap")


def _room(found: "Soundness") -> Iterator[Finding]:
    if found.free_bytes is None or found.used_bytes is None:
        return
    low = found.free_bytes < max(_LOW_DISK, 2 * found.used_bytes)
    yield Finding(
        id="store-room",
        verdict="warning" if low else "passed",
        text=f"the store takes {found.used_bytes >> 20} MiB, the disk has {found.free_bytes >> 20} MiB left",
        mend="make room: a full disk refuses every write" if low else None,
    )


def _shrinkable(found: "Soundness") -> Iterator[Finding]:
    if not found.is_shrinkable:
        yield Finding(
            id="store-shrinks",
            verdict="warning",
            text="the file keeps its size when the store empties",
            mend="make room for a second copy of it, stop the registry, and run meshway registry migrate",
        )


def _durable(found: "Soundness") -> Iterator[Finding]:
    off = [name for name in ("fsync", "full_page_writes") if found.settings.get(name) == "off"]
    yield Finding(
        id="store-durable",
        verdict="failed" if off else "passed",
        text=f"PostgreSQL {found.settings.get('server_version', '?')} runs with {' and '.join(off)} off: "
        "an answered write may be lost with the machine"
        if off
        else f"PostgreSQL {found.settings.get('server_version', '?')} writes to the disk before it answers",
        mend=f"ALTER SYSTEM SET {off[0]} = on; SELECT pg_reload_conf()" if off else None,
    )
    if not found.settings.get("synchronous_standby_names"):
        behind = (
            f"{found.standbys} standby{'s' * (found.standbys != 1)} may be behind" if found.standbys else "no standby"
        )
        yield Finding(
            id="store-standby",
            verdict="warning",
            text=f"{behind}: a failover loses the last answered writes, and the registry begins a new epoch then",
            mend="name standbys that must confirm: ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (…)'",
        )
    if found.settings.get("autovacuum") == "off" or found.dead_rows > _MANY_DEAD:
        yield Finding(
            id="store-vacuum",
            verdict="warning",
            text=f"{found.dead_rows} of 100 rows of a table are dead; autovacuum is {found.settings.get('autovacuum')}",
            mend="ALTER SYSTEM SET autovacuum = on; VACUUM (ANALYZE) helps at once",
        )


def _skew(skew_s: float) -> Finding:
    far = abs(skew_s) > _MAX_SKEW_S
    return Finding(
        id="store-clock",
        verdict="warning" if far else "passed",
        text=f"the database's clock differs by {abs(skew_s):.1f} s",
        mend="run NTP on both: times in history are the registries', retention compares them" if far else None,
    )


def _live(url: str) -> Iterator[Finding]:
    import redis

    try:
        with redis.Redis.from_url(url, socket_timeout=2.0, socket_connect_timeout=2.0) as client:
            about = client.info()
    except (redis.RedisError, ValueError, OSError) as error:
        yield Finding(
            id="live-reachable",
            verdict="failed",
            text=f"the live state does not answer: {error}",
            mend="start Redis or Valkey, or mend --redis-url; until then no lease expires",
        )
        return
    version = about.get("valkey_version") or about.get("redis_version")
    yield Finding(id="live-reachable", verdict="passed", text=f"the live state answers, version {version}")
    policy = str(about.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        yield Finding(
            id="live-eviction",
            verdict="warning",
            text=f"it may throw leases away when its memory is full: maxmemory-policy {policy}",
            mend="CONFIG SET maxmemory-policy noeviction",
        )
    saves = bool(about.get("aof_enabled"))
    yield Finding(
        id="live-persistence",
        verdict="passed",
        text="it appends to a file, which the registry does not need" if saves else "it appends to no file, as it may",
    )
