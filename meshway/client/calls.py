"""Requests to the registry as values, so that the blocking and the awaiting client send the same ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import httpx
import msgspec

from meshway.client.errors import Conflict, awaiting_approval
from meshway.client.registration import Registration
from meshway.model.instance import Instance

T = TypeVar("T")
DRAIN_WAIT_S = 5


class Call(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """decode: from an answer below 400 to what the caller wants. timeout_s: for the whole answer."""

    method: str
    path: str
    decode: Callable[[httpx.Response], T]
    params: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    content: bytes | None = None
    timeout_s: float = 5.0


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """What a registration is answered with, as far as the keeper needs it."""

    lease_id: str
    ttl_s: float
    generation: int = 1
    revision: int | None = None


class Renewal(msgspec.Struct, frozen=True, kw_only=True):
    """unknown: to be registered again. superseded: another process registered under the same id since."""

    renewed: int = 0
    unknown: tuple[str, ...] = ()
    superseded: tuple[str, ...] = ()


class FoundInstance(Instance, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An instance as discovery shows it. unrenewed: alive by the calls it answers, though it sends no heartbeats."""

    expires_in_s: float | None = None
    unrenewed: bool = False


class InstancePage(msgspec.Struct, frozen=True, kw_only=True):
    """next: the cursor of the following page; None on the last one."""

    items: tuple[FoundInstance, ...]
    next: str | None = None


class FieldChange(msgspec.Struct, frozen=True, kw_only=True, rename={"before": "from", "after": "to"}):
    """One field that an apply changes."""

    path: str
    before: Any = None
    after: Any = None


class DocumentResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became, or would become, of one document."""

    kind: str
    namespace: str
    name: str
    result: Literal["created", "changed", "unchanged", "deleted"]
    changes: tuple[FieldChange, ...] = ()


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of an apply: one revision for all of it, or None when nothing changed (and for a dry run)."""

    revision: int | None = None
    documents: tuple[DocumentResult, ...] = ()
    warnings: tuple[Any, ...] = ()

    @property
    def changes(self) -> tuple[DocumentResult, ...]:
        return tuple(document for document in self.documents if document.result != "unchanged")


def register(wanted: Registration) -> Call[Lease]:
    """Without a lease id in the body: a new generation, also after a crash that left the old one in the catalogue."""
    return Call(method="PUT", path=wanted.path, content=wanted.body(), headers=_JSON, decode=_as(Lease))


def renew(lease_ids: Sequence[str]) -> Call[Renewal]:
    content = msgspec.json.encode({"leases": list(lease_ids)})
    return Call(method="POST", path="/v1/heartbeats", content=content, headers=_JSON, decode=_as(Renewal))


def drain(wanted: Registration) -> Call[None]:
    """Answers when every live gateway stopped sending calls to the instance, at the latest after DRAIN_WAIT_S."""
    return Call(
        method="PATCH",
        path=wanted.path,
        content=b'{"status":"draining"}',
        headers={"content-type": "application/merge-patch+json", "prefer": f"wait={DRAIN_WAIT_S}"},
        decode=_nothing,
        timeout_s=DRAIN_WAIT_S + 2.0,
    )


def deregister(wanted: Registration) -> Call[None]:
    return Call(method="DELETE", path=wanted.path, decode=_nothing)


def instances(
    namespace: str, service: str, *, version: str | None, zone: str | None, tag: str | None, status: str | None,
    cursor: str | None,
) -> Call[InstancePage]:  # fmt: skip
    """One page of what discovery knows of a service."""
    filters = {"version": version, "zone": zone, "tag": tag, "status": status, "cursor": cursor}
    return Call(
        method="GET",
        path=f"/v1/namespaces/{namespace}/services/{service}/instances",
        params={name: value for name, value in filters.items() if value} | {"limit": "1000"},
        decode=_as(InstancePage),
    )


def apply(paths: Sequence[Path], *, dry_run: bool, namespace: str) -> Call[Applied]:
    """Files and folders of YAML documents as one stream: all of them or none. Raises OSError for what is not there."""
    texts = [path.read_text(encoding="utf-8") for path in _files(paths)]
    params = {"namespace": namespace} | ({"dry_run": "true"} if dry_run else {})
    return Call(
        method="POST",
        path="/v1/apply",
        params=params,
        content="\n---\n".join(texts).encode(),
        headers={"content-type": "application/yaml"},
        decode=_applied,
        timeout_s=30.0,
    )


def _applied(response: httpx.Response) -> Applied:
    if (problem := awaiting_approval(response)) is not None:
        raise Conflict(problem)
    return _as(Applied)(response)


def _files(paths: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += sorted(file for file in path.rglob("*") if file.suffix in (".yaml", ".yml", ".json"))
        else:
            files.append(path)
    return files


def _as(kind: type[T]) -> Callable[[httpx.Response], T]:
    decoder = msgspec.json.Decoder(kind)
    return lambda response: decoder.decode(response.content)


def _nothing(_: httpx.Response) -> None:
    return None


_JSON = {"content-type": "application/json"}
