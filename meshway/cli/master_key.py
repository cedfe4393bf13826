"""`registry rewrap`: another master key for a store."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshway.cli.failure import CONFLICT, FAILED, NOT_FOUND, CliError
from meshway.cli.installed import refuse_missing_server
from meshway.cli.key_files import key_of
from meshway.cli.session import Session, asking

if TYPE_CHECKING:
    from registry.store.interface import DataKeyRecord


@asking
def rewrap(
    session: Session,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="Of the new master key; made where there is none.")],
    data: Annotated[
        Path, typer.Option("--data", envvar="MESHWAY_DATA", metavar="DIR", help="Where the registry keeps its state.")
    ] = Path(".meshway"),
    database_url: Annotated[
        str, typer.Option("--database-url", envvar="MESHWAY_DATABASE_URL", metavar="URL", help="A PostgreSQL store.")
    ] = "",
    master_key_file: Annotated[
        Path | None,
        typer.Option("--master-key-file", envvar="MESHWAY_MASTER_KEY_FILE", metavar="FILE", help="Of the present one."),
    ] = None,
) -> None:
    """Wrap the key that seals secrets by another master key. The secrets themselves stay as they are.

    The registry of a data folder must be stopped. Registries over PostgreSQL go on, and need the new key from their
    next start on. Backups that were taken before open by the former one.
    """
    refuse_missing_server()
    from registry.sealing import MASTER_KEY_FILE
    from registry.settings import StartRefused
    from registry.store.interface import StoreUnavailable

    file = master_key_file or data / MASTER_KEY_FILE
    former, fresh = key_of(file, makes=False), key_of(to, makes=True)
    try:
        count = asyncio.run(_rewrap(data, database_url, former, fresh))
    except StartRefused as error:
        raise CliError(CONFLICT, str(error)) from error
    except StoreUnavailable as error:
        raise CliError(FAILED, f"the store does not answer: {error}") from error
    if not count:
        raise CliError(NOT_FOUND, "nothing was ever sealed in this store: it has no key", mend="nothing need be done")
    session.say(f"✓ sealed by {to} from now on: start with MESHWAY_MASTER_KEY_FILE={to}; keep {file} for older backups")


async def _rewrap(data: Path, database_url: str, former: bytes, fresh: bytes) -> int:
    """How many keys were wrapped anew. Raises StartRefused, StoreUnavailable."""
    from registry.opening import open_store
    from registry.sealing import rewrapped
    from registry.settings import RegistrySettings
    from registry.store.data_keys import rewrap as step
    from registry.store.steps import NoRow

    async with open_store(RegistrySettings(data_dir=data, database_url=database_url, migrate=False)) as (store, _):
        records: list[DataKeyRecord] = await store.data_keys()
        steps = [step(record, rewrapped(record.wrapped, former, fresh)) for record in records]
        try:
            await store.do(steps)
        except NoRow:
            raise CliError(CONFLICT, "somebody else changed the key meanwhile", mend="look, then ask again") from None
        return len(records)
