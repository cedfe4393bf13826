"""`consumer`: API keys of outside clients, and who is let in. A key is shown once; the document has its SHA-256."""

import hashlib
import secrets
import string
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from meshway.cli.failure import CONFLICT, NOT_FOUND, USAGE, CliError
from meshway.cli.session import Session, asking

if TYPE_CHECKING:
    from meshway.cli.registry_client import RegistryClient

consumer_app = typer.Typer(no_args_is_help=True, help="Outside clients and their keys.")
key_app = typer.Typer(no_args_is_help=True, help="API keys of a Consumer.")
consumer_app.add_typer(key_app, name="key")

MOST: Final = 10
# No `-` and `_`: an id is an argument of these commands, and may begin with none.
_LETTERS: Final = string.ascii_letters + string.digits
_WHOLE: Final = "name what stands between mw_ and the next _; a key that was typed where others read it: rotate it"
Name = Annotated[str, typer.Argument(metavar="CONSUMER", help="The Consumer's name.")]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="Of the key: what stands between mw_ and the next _.")]
Expires = Annotated[
    str, typer.Option("--expires", metavar="720h", help="How long it holds; empty: until it is revoked.")
]


@key_app.command("create")
@asking
def create(session: Session, consumer: Name, expires: Expires = "") -> None:
    """Give a Consumer a key, on stdout; the Consumer is made when there is none."""
    from meshway.cli.registry_client import RegistryClient

    client, found = RegistryClient(session), _read(session, consumer)
    key, entry = _drawn(expires)
    _write(client, session, consumer, found, _with([*_credentials(found), {"api_key": entry}], consumer))
    session.put(key)
    made = f"; Consumer {session.own_namespace}/{consumer} is new" if found is None else ""
    session.say(f"✓ {entry['id']} of {consumer}: keep it, it is not shown again{made}")


@key_app.command("rotate")
@asking
def rotate(
    session: Session,
    consumer: Name,
    key_id: KeyId,
    overlap: Annotated[str, typer.Option("--overlap", metavar="24h", help="How long the old one holds.")] = "24h",
    expires: Expires = "",
) -> None:
    """Give a Consumer a new key in place of one, which goes on for a while. The new one is on stdout."""
    from meshway.cli.registry_client import RegistryClient
    from meshway.cli.waiting import seconds_of

    client, found = RegistryClient(session), _read(session, consumer)
    credentials = _credentials(found)
    old = _named(found, credentials, consumer, key_id)
    end = _instant(time.time() + seconds_of("--overlap", overlap))
    old["expires"] = min(old["expires"], end) if "expires" in old else end
    key, entry = _drawn(expires)
    _write(client, session, consumer, found, _with([*credentials, {"api_key": entry}], consumer))
    session.put(key)
    session.say(f"✓ {entry['id']} of {consumer} in place of {key_id}, which holds until {old['expires']}")


@key_app.command("revoke")
@asking
def revoke(session: Session, consumer: Name, key_id: KeyId) -> None:
    """Let no gateway take a key any more, from within seconds on."""
    from meshway.cli.registry_client import RegistryClient

    client, found = RegistryClient(session), _read(session, consumer)
    credentials = _credentials(found)
    old = _named(found, credentials, consumer, key_id)
    session.confirm(f"Revoke key {key_id} of {consumer}?")
    kept = [one for one in credentials if one.get("api_key") is not old]
    _write(client, session, consumer, found, {"credentials": kept})
    session.say(f"✓ {key_id} of {consumer} is revoked")


@consumer_app.command("suspend")
@asking
def suspend(session: Session, consumer: Name) -> None:
    """Refuse a Consumer with 403, whatever it shows, until it is resumed; its keys stay."""
    session.confirm(f"Suspend {consumer}? Its calls are refused from within seconds on.")
    _set_suspended(session, consumer, is_suspended=True)
    session.say(f"✓ {consumer} is suspended; meshway consumer resume {consumer} lets it in again")


@consumer_app.command("resume")
@asking
def resume(session: Session, consumer: Name) -> None:
    """Let a suspended Consumer in again."""
    _set_suspended(session, consumer, is_suspended=False)
    session.say(f"✓ {consumer} is let in again")


def _set_suspended(session: Session, consumer: str, *, is_suspended: bool) -> None:
    from meshway.cli.registry_client import RegistryClient

    found = _read(session, consumer)
    if found is None:
        raise CliError(NOT_FOUND, f"there is no Consumer {consumer}", mend="see what there is: meshway get consumers")
    _write(RegistryClient(session), session, consumer, found, {"suspended": is_suspended})


def _drawn(expires: str) -> tuple[str, dict[str, str]]:
    """A key of 32 random bytes, and what is kept of it."""
    from meshway.cli.waiting import seconds_of

    key_id = "".join(secrets.choice(_LETTERS) for _ in range(8))
    key = f"mw_{key_id}_{secrets.token_urlsafe(32)}"
    entry = {"id": key_id, "hash": f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"}
    entry["created"] = _instant(time.time())
    if expires:
        entry["expires"] = _instant(time.time() + seconds_of("--expires", expires))
    return key, entry


def _instant(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read(session: Session, consumer: str) -> dict[str, Any] | None:
    """The document as it is, None: there is none."""
    from meshway.cli.registry_client import RegistryClient, document_path, refused

    answer = RegistryClient(session).answer("GET", document_path(session.own_namespace, "consumers", consumer))
    if answer.status_code == 404:
        return None
    if answer.status_code >= 400:
        raise refused(answer)
    document: dict[str, Any] = answer.json()
    return document


def _credentials(found: dict[str, Any] | None) -> list[dict[str, Any]]:
    return [] if found is None else list(found["spec"].get("credentials", ()))


def _named(
    found: dict[str, Any] | None, credentials: list[dict[str, Any]], consumer: str, key_id: str
) -> dict[str, Any]:
    if found is None:
        raise CliError(NOT_FOUND, f"there is no Consumer {consumer}", mend="see what there is: meshway get consumers")
    if key_id.startswith("mw_"):
        raise CliError(USAGE, "that is a whole key, not its id", mend=_WHOLE)
    keys: list[dict[str, Any]] = [one["api_key"] for one in credentials if "api_key" in one]
    for key in keys:
        if key["id"] == key_id:
            return key
    known = ", ".join(key["id"] for key in keys)
    mend = "name one of these" if keys else f"meshway consumer key create {consumer} gives it one"
    raise CliError(NOT_FOUND, f"{consumer} has no key {key_id}", why=f"it has {known or 'none'}", mend=mend)


def _with(credentials: list[dict[str, Any]], consumer: str) -> dict[str, Any]:
    if len(credentials) > MOST:
        raise CliError(CONFLICT, f"{consumer} has {MOST} credentials already", mend="revoke one that is not used")
    return {"credentials": credentials}


def _write(
    client: "RegistryClient",
    session: Session,
    consumer: str,
    found: dict[str, Any] | None,
    fields: dict[str, Any],
) -> None:
    """fields: of the spec, in place of what is there. Only where nobody has changed it meanwhile."""
    from meshway.cli.registry_client import document_path

    spec = ({} if found is None else found["spec"]) | fields
    metadata = {} if found is None else found["metadata"]
    condition = {"If-None-Match": "*"} if found is None else {"If-Match": f'"{metadata["revision"]}"'}
    path = document_path(session.own_namespace, "consumers", consumer)
    client.ask("PUT", path, body={"metadata": metadata, "spec": spec}, headers=condition)
