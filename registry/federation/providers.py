"""Who is believed of people and programs from outside: issuers, as a file names them (--oidc-file).

One whose `client_id` is named signs people in by their browser; one that names `audiences` is believed of bearers'
tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from meshway.formats.yaml_documents import read_documents
from meshway.model.document import LABEL_PATTERN
from meshway.model.fields import read_struct
from meshway.model.oidc_rules import is_issuer, is_near
from meshway.problem import Problem
from meshway.settings import is_http_url, read_secret
from registry.settings import StartRefused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_FILE: Final = 1 << 20
Claim = Annotated[str, Meta(min_length=1, max_length=256)]
Value = Annotated[str, Meta(min_length=1, max_length=512)]


class Provider(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """name: in bindings, where its group `admins` is `NAME:admins`. title: on the page where people sign in.

    client_id, client_secret_file: of the registry at this issuer. name_claim: names the person or program.
    groups_claim: the groups that roles are bound to. required_claims: by claim, what it may be.
    audiences: a bearer's token is for one of these. end_session: whoever signs out here does so there, too.
    """

    name: Annotated[str, Meta(pattern=LABEL_PATTERN)]
    issuer: Annotated[str, Meta(min_length=1, max_length=512)]
    title: Annotated[str, Meta(max_length=100)] = ""
    client_id: Annotated[str, Meta(max_length=256)] = ""
    client_secret_file: str = ""
    scopes: Annotated[tuple[str, ...], Meta(min_length=1, max_length=32)] = ("openid", "profile", "email")
    name_claim: Claim = "sub"
    groups_claim: Claim = "groups"
    required_claims: dict[str, Annotated[tuple[Value, ...], Meta(min_length=1, max_length=64)]] = {}
    audiences: Annotated[tuple[Value, ...], Meta(max_length=16)] = ()
    end_session: bool = True


class Providers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """url: of this registry as browsers see it; the issuers know `URL/v1/session/oidc/callback`."""

    url: Annotated[str, Meta(max_length=512)] = ""
    providers: Annotated[tuple[Provider, ...], Meta(min_length=1, max_length=32)]


def read_providers(path: Path) -> Providers:
    """Raises StartRefused: one line with all that is wrong."""
    try:
        with path.open("rb") as opened:
            text = opened.read(MAX_FILE).decode()
        documents = read_documents(text, str(path))
    except OSError as error:
        raise StartRefused(f"cannot read {path}: {error.strerror}") from error
    except (Problem, UnicodeDecodeError) as error:
        raise StartRefused(f"{path} is no YAML: {error}") from error
    if len(documents) != 1:
        raise StartRefused(f"{path} holds {len(documents)} documents, one is wanted: url and providers")
    read, errors = read_struct(documents[0].raw, Providers, "")
    wrong = [error.message.lstrip(".") for error in errors] if read is None else list(_faults(read))
    if wrong or read is None:
        raise StartRefused(f"{path}: {'; '.join(wrong)}")
    found: Providers = read
    return found


def secret_of(provider: Provider, folder: Path) -> str:
    """folder: of the file that names it. Read anew for each question. Raises SettingError."""
    return read_secret(folder / provider.client_secret_file)


def _faults(read: Providers) -> Iterator[str]:
    names = [provider.name for provider in read.providers]
    for at, provider in enumerate(read.providers):
        place = f"providers[{at}]"
        if provider.name in names[:at]:
            yield f"{place}.name: {provider.name} is another one's already"
        if provider.issuer in [before.issuer for before in read.providers[:at]]:
            yield f"{place}.issuer: is another one's already"
        if not is_issuer(provider.issuer):
            yield f"{place}.issuer: is no URL like https://id.example, without a query"
        elif not is_near(provider.issuer) and not provider.issuer.startswith("https://"):
            yield f"{place}.issuer: is http: whoever is on the way there could sign in as anybody"
        if bool(provider.client_id) != bool(provider.client_secret_file):
            yield f"{place}: client_id and client_secret_file come together"
        if provider.client_id and provider.client_id in provider.audiences:
            yield f"{place}.audiences: holds client_id: the ID token of whoever signs in would be a bearer's as well"
        if not provider.client_id and not provider.audiences:
            yield f"{place}: has neither client_id (people sign in) nor audiences (of tokens): it is of no use"
        if "openid" not in provider.scopes:
            yield f"{place}.scopes: lacks openid: without it nobody says who signed in"
    if any(provider.client_id for provider in read.providers):
        if not is_http_url(read.url) or "?" in read.url or "#" in read.url or "@" in read.url:
            yield "url: is missing, or no URL: by which browsers reach this registry, https://HOST:PORT"
        elif not read.url.startswith("https://") and not is_near(read.url):
            yield "url: is http: only on loopback may people sign in without TLS"
        elif read.url.rstrip("/").count("/") != 2:
            yield "url: has a path: the registry is served at the root of its host"
