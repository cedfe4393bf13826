"""`--at 14:02|-15m|r811`: the revision whose documents are meant."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from meshway.cli.failure import NOT_FOUND, USAGE, CliError

if TYPE_CHECKING:
    from meshway.cli.registry_client import RegistryClient

At = Annotated[
    str, typer.Option("--at", metavar="14:02|-15m|r811", help="Documents as they were then, or at a revision.")
]
_WRITE: Final = "write r811, -15m, 14:02 or 2026-11-27T14:02:00Z"


def revision_at(client: "RegistryClient", written: str, now: datetime | None = None) -> int:
    """The youngest revision of that moment. now: for times of a day, which are this machine's.

    Raises CliError 2 for what says no moment, 4 where nothing had been published by then.
    """
    digits = written.removeprefix("r")
    if digits.isascii() and digits.isdigit() and len(digits) < 19:
        return int(digits)
    moment = moment_of(written, now or datetime.now().astimezone())
    for entry in client.items("/v1/revisions"):
        if datetime.fromisoformat(entry["at"]) <= moment:
            return int(entry["revision"])
    raise CliError(NOT_FOUND, f"--at {written}: nothing was published by then", mend="see what was: meshway history")


def moment_of(written: str, now: datetime) -> datetime:
    """Raises CliError 2."""
    from meshway.units import parse_duration

    try:
        if written.startswith("-"):
            return now - timedelta(seconds=float(parse_duration(written[1:])))
        if "T" not in written:
            clock = datetime.strptime(written, "%H:%M")  # noqa: DTZ007 - a time of the day; `now` has the zone
            today = now.replace(hour=clock.hour, minute=clock.minute, second=0, microsecond=0)
            return today if today <= now else today - timedelta(days=1)
        moment = datetime.fromisoformat(written)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise CliError(USAGE, f"--at {written} is no moment", mend=_WRITE) from None
    raise CliError(USAGE, f"--at {written} says no zone", mend=_WRITE)
