"""`backup`, `restore`: everything that is durable in one file, and back."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from meshway.cli.failure import CONFLICT, FAILED, INVALID, NOT_FOUND, CliError
from meshway.cli.installed import refuse_missing_server
from meshway.cli.key_files import key_of
from meshway.cli.session import Session, asking

if TYPE_CHECKING:
    from registry.backup.archive import Begin
    from registry.backup.restoring import Own
    from registry.store.interface import Store

DatabaseUrl = Annotated[
    str, typer.Option("--database-url", envvar="MESHWAY_DATABASE_URL", metavar="URL", help="A PostgreSQL store.")
]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", metavar="FILE", help="Of the key that encrypts it: 32 bytes in base64, mode 0600."),
]
_SECRETS = (
    "not encrypted: it holds the ids of leases and hashes of tokens and passwords; keep it as you keep the database, "
    "or encrypt it: --key-file FILE"
)


@asking
def backup(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Of a registry that is stopped: its data folder.")
    ] = None,
    database_url: Annotated[
        str, typer.Option("--database-url", metavar="URL", help="With all registries stopped: their database.")
    ] = "",
    key_file: KeyFile = None,
) -> None:
    """Write all that is durable to one file, consistent at one revision.

    Asks the registry, which goes on meanwhile; with --data or --database-url it reads the store of one that is stopped.
    With --key-file it is encrypted by that key, which is made where there is none.
    """
    refuse_missing_server()
    from registry.backup.restoring import check_backup
    from registry.backup.sealed import Sealer

    key = None if key_file is None else key_of(key_file, makes=True)

    if file.exists():
        session.confirm(f"Overwrite {file}?")
    with _told(), _new_file(file) as opened:
        sealer = None if key is None else Sealer(opened.write, key)
        write = opened.write if sealer is None else sealer.add
        if data is not None or database_url:
            if not database_url and not _store_file(data or Path()).exists():
                raise CliError(
                    NOT_FOUND, f"there is no store in {data}", mend="the data folder of a registry: --data DIR"
                )
            asyncio.run(_take(data or Path(), database_url, write))
        else:
            from meshway.cli.registry_client import RegistryClient

            RegistryClient(session).download("/v1/backup", write)
        if sealer is not None:
            sealer.end()
        opened.flush()
        begin = check_backup(Path(opened.name), key)
    _report(session, begin, {"file": str(file), "bytes": file.stat().st_size})
    how = _SECRETS if key is None else f"encrypted by {key_file}: keep that elsewhere, nothing opens it without"
    session.say(f"✓ revision {begin.revision} in {file}, {file.stat().st_size:,} bytes; {how}")


@asking
def restore(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    data: Annotated[
        Path, typer.Option("--data", envvar="MESHWAY_DATA", metavar="DIR", help="Where the registry keeps its state.")
    ] = Path(".meshway"),
    database_url: DatabaseUrl = "",
    replace: Annotated[bool, typer.Option("--replace", help="Give up what the store holds.")] = False,
    ahead: Annotated[
        int,
        typer.Option(min=0, max=10**12, help="How far revisions step ahead; more than were answered since the backup."),
    ] = 1_000_000,
    key_file: KeyFile = None,
) -> None:
    """Put a backup into a store. Revisions step ahead and the epoch is a new one.

    A store that has tokens, users or an audit log of its own keeps these. The registry of a data folder must be
    stopped; registries over PostgreSQL go on from what was restored.
    """
    refuse_missing_server()
    with _told():
        key = None if key_file is None else key_of(key_file, makes=False)
        begin, head, own = asyncio.run(_restore(file, data, database_url, key, replace=replace, ahead=ahead))
    _report(session, begin, {"head": head})
    where = _where(data, database_url)
    kept = [name for name, has in (("tokens and users", own.callers), ("audit log", own.audit)) if has]
    if kept:
        session.say(f"{where} keeps its own {' and '.join(kept)}")
    session.say(f"✓ {where} is as it was at revision {begin.revision} ({begin.at}); it goes on from {head}")


def _report(session: Session, begin: "Begin", more: dict[str, Any]) -> None:
    from meshway.cli.output import pretty_json

    if session.output in ("json", "jsonl"):
        told = {"revision": begin.revision, "at": begin.at, "epoch": begin.epoch, "meshway": begin.meshway}
        session.put(pretty_json(told | more))


async def _take(data: Path, database_url: str, write: Callable[[bytes], object]) -> None:
    from importlib.metadata import version

    from registry.backup.taking import held_by_store, take_backup

    async with _open(data, database_url, migrate=False) as store:
        held = held_by_store(await store.load())
        async for piece in take_backup(held, store, version=version("meshway"), at=time.time()):
            write(piece)


async def _restore(
    file: Path, data: Path, database_url: str, key: bytes | None, *, replace: bool, ahead: int
) -> tuple["Begin", int, "Own"]:
    from registry.backup.restoring import check_backup, own_of, restore_backup

    begin = check_backup(file, key)  # before the store is made or opened
    async with _open(data, database_url, migrate=True) as store:
        held = await store.load()
        if held.revision and not replace:
            raise CliError(
                CONFLICT,
                f"{_where(data, database_url)} is not empty: it is at revision {held.revision}, with "
                f"{len(held.documents)} documents and {len(held.instances)} instances",
                mend="another one: --data DIR; --replace gives them up, meshway backup keeps them first",
            )
        if held.revision >= begin.revision + ahead:
            raise CliError(
                CONFLICT,
                f"{_where(data, database_url)} is at revision {held.revision} already: after this restore its "
                "revisions would come again",
                mend=f"--ahead {held.revision - begin.revision + 1_000_000}",
            )
        own = await own_of(store)
        return begin, await restore_backup(file, store, at=time.time(), ahead=ahead, key=key), own


@asynccontextmanager
async def _open(data: Path, database_url: str, *, migrate: bool) -> "AsyncIterator[Store]":
    from registry.opening import open_store
    from registry.settings import RegistrySettings

    async with open_store(RegistrySettings(data_dir=data, database_url=database_url, migrate=migrate)) as (store, _):
        yield store


def _where(data: Path, database_url: str) -> str:
    """Without the password of a database."""
    if not database_url:
        return f"the store in {data}"
    from registry.live.redis_link import masked

    return f"the database {masked(database_url)}"


def _store_file(data: Path) -> Path:
    from registry.store.session import FILE_NAME

    return data / FILE_NAME


@contextmanager
def _new_file(path: Path) -> "Iterator[IO[bytes]]":
    """For the owner alone, and there only when it is whole and on the disk: a failed backup keeps the one before."""
    if not path.parent.is_dir():
        raise CliError(NOT_FOUND, f"there is no folder {path.parent}", mend=f"make it: mkdir -p {path.parent}")
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with open(part, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as opened:
        try:
            yield opened
            os.fsync(opened.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


@contextmanager
def _told() -> "Iterator[None]":
    """What registry and disk refuse, as errors of the command."""
    from registry.backup.archive import BrokenArchive, KeyWanted
    from registry.backup.restoring import SealedElsewhere
    from registry.settings import StartRefused
    from registry.store.interface import StoreUnavailable

    try:
        yield
    except SealedElsewhere as error:
        mend = "use a new store, which takes the backup's users, or meshway user reset-password NAME --codes-too"
        raise CliError(CONFLICT, str(error), mend=mend) from error
    except KeyWanted as error:
        raise CliError(INVALID, str(error), mend="--key-file FILE: the key that it was taken with") from error
    except BrokenArchive as error:
        raise CliError(INVALID, str(error), mend="take the backup again, or name another file") from error
    except StartRefused as error:
        raise CliError(CONFLICT, str(error)) from error
    except StoreUnavailable as error:
        raise CliError(FAILED, f"the store does not answer: {error}") from error
    except FileNotFoundError as error:
        raise CliError(NOT_FOUND, f"there is no file {error.filename}") from error
    except OSError as error:
        raise CliError(FAILED, f"cannot use {error.filename}: {error.strerror}") from error
