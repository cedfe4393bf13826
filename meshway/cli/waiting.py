"""Until all live gateways run a revision; who of them does not, and what they refuse of it."""

import math
import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
import typer

from meshway.cli.failure import FAILED, IN_PART, NOT_ALLOWED, USAGE, CliError
from meshway.cli.session import Session

if TYPE_CHECKING:
    from meshway.cli.registry_client import RegistryClient

UNLESS_TOLD: Final = "10s"
_HELD_S: Final = 30.0  # the registry holds an answer no longer
_POLL_S: Final = 0.1
# A gateway that stops says goodbye and is forgotten; one that is silent for longer than this is taken for gone too.
_MISSED_S: Final = 120.0


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How far a revision has come. behind: live gateways that do not run it, or wait with a document for what the
    registry is about to make. silent: those that were live within the last minutes and are missed. refused: a line for
    each refusal.
    """

    revision: int
    live: int
    behind: tuple[str, ...]
    silent: tuple[str, ...] = ()
    refused: tuple[str, ...]

    @property
    def is_reached(self) -> bool:
        return not self.behind and not self.silent and not self.refused

    @property
    def is_known(self) -> bool:
        """Whether any gateway is there, or missed."""
        return bool(self.live or self.silent)

    @property
    def text(self) -> str:
        """`applied by 3 of 3 gateways`"""
        if not self.is_known:
            return "no gateway is live to run it"
        count = self.live + len(self.silent)
        return f"applied by {self.live - len(self.behind)} of {count} gateway{'s' * (count != 1)}"

    def told(self, line: str, took: str = "") -> str:
        """The line with how far it has come, and the sign of that; line: `revision 76`, without a sign."""
        if not self.is_known:
            return f"! {line}   {self.text}; start one: meshway gateway serve, or meshway up"
        return f"{'✓' if self.is_reached else '✗'} {line}   {self.text}{took}"


def seconds_of(flag: str, written: str) -> float:
    """Raises CliError 2."""
    from meshway.units import parse_duration

    try:
        return float(parse_duration(written))
    except ValueError as error:
        raise CliError(USAGE, f"{flag}: {error}") from None


def preference(wait_s: float | None) -> dict[str, str]:
    """The header by which a write is answered when the gateways run it; whole seconds (RFC 7240 §4.3)."""
    return {} if wait_s is None else {"prefer": f"wait={math.ceil(min(wait_s, _HELD_S))}"}


def standing_at(
    client: "RegistryClient", revision: int, *, until: float, documents: Collection[str] | None = None
) -> Standing:
    """Asks until all gateways run the revision, or until the monotonic clock is at `until`; once at least.

    documents: whose refusals count, as `Route shop/cart`; None: all.
    """
    began = time.monotonic()
    while True:
        # Whoever was missed when the wait began is missed until its end.
        missed_s = _MISSED_S + time.monotonic() - began
        standing = _look(client.read("/v1/gateways")["items"], revision, documents, missed_s)
        if not (standing.behind or standing.silent) or time.monotonic() >= until:
            return standing
        time.sleep(_POLL_S)


def standing_of_published(
    client: "RegistryClient", revision: int, *, until: float, documents: Collection[str] | None = None
) -> Standing:
    """As `standing_at`, of what was just written. Raises CliError 8 where the token may write, but not see gateways."""
    try:
        return standing_at(client, revision, until=until, documents=documents)
    except CliError as error:
        if error.code != NOT_ALLOWED:
            raise
        raise CliError(
            IN_PART,
            f"revision {revision} is published; whether gateways run it is not told",
            why=error.what,
            mend="leave --wait out, or use a token whose role is in all namespaces (-A)",
        ) from error


def end_unless_reached(session: Session, standing: Standing) -> None:
    """Names every gateway that is behind or refuses, and ends the command with 1."""
    for line in (*standing.behind, *standing.silent, *standing.refused):
        session.say(f"✗ {line}")
    if not standing.is_reached:
        raise typer.Exit(FAILED)


def _look(
    gateways: Sequence[dict[str, Any]], revision: int, documents: Collection[str] | None, missed_s: float
) -> Standing:
    live = [gateway for gateway in gateways if gateway["live"]]
    refused = [
        (f"{row['kind']} {row['namespace']}/{row['name']}", gateway["node"], row)
        for gateway in live
        for row in gateway.get("refused", [])
    ]
    return Standing(
        revision=revision,
        live=len(live),
        behind=tuple(
            f"gateway {gateway['node']} runs r{gateway['revision']}"
            for gateway in live
            if gateway["revision"] < revision
        )
        + tuple(
            f"gateway {node} waits with {name}: {_reason(row)}"
            for name, node, row in refused
            if row.get("is_pending") and (documents is None or name in documents)
        ),
        silent=tuple(
            f"gateway {gateway['node']} has been silent for {gateway['last_report_s']:.0f} s, at r{gateway['revision']}"
            for gateway in gateways
            if not gateway["live"] and gateway["last_report_s"] <= missed_s
        ),
        refused=tuple(
            f"gateway {node} refuses {name}: {_reason(row)}"
            for name, node, row in refused
            if not row.get("is_pending") and (documents is None or name in documents)
        ),
    )


def _reason(row: dict[str, Any]) -> str:
    return f"{row['path']}: {row['reason']}" if row.get("path") else str(row["reason"])
