"""The writes of the catalogue: each judged against what is there, in order of arrival."""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec

from meshway.model.fields import plain
from meshway.model.instance import Instance, Status
from meshway.model.registration import ChosenStatus, InstancePatch, Registration, check_metadata
from meshway.problem import Problem, invalid_request, not_found
from registry.view.rows import NO_LEASE_S, InstanceKey, InstanceRow, instance_value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from registry.revisions.draft import Draft

_ROW_BYTES: Final = 512
_Shown = TypeVar("_Shown")


class Registered(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The answer to a registration: the instance, flat, and its lease. created: it was not there before.

    check: how the registry asks it; then it has no ttl_s, and nothing expires.
    """

    namespace: str
    service: str
    id: str
    address: str
    port: int
    ports: dict[str, int]
    protocol: str
    version: str
    zone: str
    weight: int
    tags: tuple[str, ...]
    metadata: dict[str, str]
    status: Status
    generation: int
    revision: int
    lease_id: str
    ttl_s: int | None
    expires_in_s: float | None
    created: bool
    check: dict[str, Any] | None = None


class Register(msgspec.Struct, frozen=True):
    """All or none of some registrations, each with its address. renew: what a lease that goes on is told by."""

    registrations: Sequence[Registration]
    renew: Callable[[InstanceRow], None]

    @property
    def size(self) -> int:
        return _ROW_BYTES * len(self.registrations)

    def judge(self, draft: Draft) -> list[Registered]:
        return [_register(draft, registration, self.renew) for registration in self.registrations]


class RegisterOne(msgspec.Struct, frozen=True, gc=False):
    registration: Registration
    renew: Callable[[InstanceRow], None]

    @property
    def size(self) -> int:
        return _ROW_BYTES

    def judge(self, draft: Draft) -> Registered:
        return _register(draft, self.registration, self.renew)


class Announce(msgspec.Struct, frozen=True):
    """A registration by a protocol that knows no lease ids (Consul, Eureka, Nacos): who comes under a known id goes on
    with the lease there is, and says its status itself.

    of: what is there so far to the registration and the status it asks for; critical is a status too, for one whose
    check has failed or is still to pass: a renewal then makes it what it was before. It may raise a Problem, must not
    wait, and may be asked more than once.
    """

    key: InstanceKey
    of: Callable[[InstanceRow | None], tuple[Registration, Status]]
    renew: Callable[[InstanceRow], None]

    @property
    def size(self) -> int:
        return _ROW_BYTES

    def judge(self, draft: Draft) -> Registered:
        before = draft.instance(self.key)
        registration, asked = self.of(before)
        if before is not None:
            registration = msgspec.structs.replace(registration, lease_id=before.lease_id)
        return _register(draft, registration, self.renew, asked)


class Patch(msgspec.Struct, Generic[_Shown], frozen=True):
    """Raises Problem 404, 412, 422. show: turns the row into the answer. if_match: the revision it must have."""

    key: InstanceKey
    patch: InstancePatch
    show: Callable[[InstanceRow], _Shown]
    if_match: int | None = None

    @property
    def size(self) -> int:
        return _ROW_BYTES

    def judge(self, draft: Draft) -> _Shown:
        row = draft.instance(self.key)
        if row is None:
            raise no_instance(self.key)
        if self.if_match is not None and row.revision != self.if_match:
            raise Problem(
                412,
                "precondition_failed",
                "Changed since",
                detail=f"instance {'/'.join(self.key)} is not at revision {self.if_match} but at {row.revision}",
                extra={"current": msgspec.to_builtins(self.show(row))},
                mend="read it again, make the change on what it is now, and send that revision as If-Match",
            )
        wanted = row.wanted if self.patch.status is None else self.patch.status
        instance = _patched(row.instance, self.patch)
        # A critical one stays critical: only its own heartbeat proves that it is alive.
        status: Status = "critical" if row.instance.status == "critical" else wanted
        instance = msgspec.structs.replace(instance, status=status)
        if instance == row.instance and wanted == row.wanted:
            return self.show(row)
        changed = msgspec.structs.replace(
            row, instance=instance, wanted=wanted, revision=draft.revision, value=instance_value(instance)
        )
        draft.put_instance(changed)
        return self.show(changed)


class Deregister(msgspec.Struct, frozen=True):
    """Answers the revision, or the head when there was nothing to take out."""

    key: InstanceKey

    @property
    def size(self) -> int:
        return _ROW_BYTES

    def judge(self, draft: Draft) -> int:
        row = draft.instance(self.key)
        if row is None:
            return draft.revision - 1
        draft.remove_instance(row)
        return draft.revision


class RemoveCritical(msgspec.Struct, frozen=True):
    """Takes out this registration, should it still be critical. number: the row's, so that no later one is meant.

    Answers whether it did.
    """

    key: InstanceKey
    number: int

    @property
    def size(self) -> int:
        return _ROW_BYTES

    def judge(self, draft: Draft) -> bool:
        row = draft.instance(self.key)
        if row is None or row.number != self.number or row.instance.status != "critical":
            return False
        draft.remove_instance(row)
        return True


def no_instance(key: InstanceKey) -> Problem:
    return not_found("instance {}/{}/{}".format(*key), "register it first: PUT .../instances/{id}")


def registered(row: InstanceRow, *, expires_in_s: float, created: bool) -> Registered:
    instance = row.instance
    return Registered(
        namespace=instance.namespace,
        service=instance.service,
        id=instance.id,
        address=instance.address,
        port=instance.port,
        ports=instance.ports,
        protocol=instance.protocol,
        version=instance.version,
        zone=instance.zone,
        weight=instance.weight,
        tags=instance.tags,
        metadata=instance.metadata,
        status=instance.status,
        generation=instance.generation,
        revision=row.revision,
        lease_id=row.lease_id,
        ttl_s=row.ttl_s if instance.check is None else None,
        expires_in_s=expires_in_s if instance.check is None else None,
        created=created,
        check=instance.check,
    )


def _register(
    draft: Draft,
    registration: Registration,
    renew: Callable[[InstanceRow], None],
    asked: Status | None = None,
) -> Registered:
    """With the lease it holds a process goes on; without one it begins a generation and supersedes who was there.

    asked: the status it asks for; None: what follows from the one before.
    """
    key = (registration.namespace, registration.service, registration.id)
    before = draft.instance(key)
    goes_on = before is not None and registration.lease_id == before.lease_id
    if before is None:
        number, token, generation = draft.next_number(), draft.next_token(), 1
    elif goes_on:
        number, token, generation = before.number, before.token, before.instance.generation
    elif registration.lease_id is None:
        number, token, generation = before.number, draft.next_token(), before.instance.generation + 1
    else:
        raise Problem(
            409,
            "superseded",
            "Superseded",
            detail="{}/{}/{} is held by another process (generation {})".format(*key, before.instance.generation),
            mend="register without lease_id to take it over, or under an id of your own",
        )
    # Draining ends with the generation; only a PATCH ends maintenance.
    wanted: ChosenStatus = "passing"
    if asked is not None and asked != "critical":
        wanted = asked
    elif before is not None and (goes_on or before.wanted == "maintenance"):
        wanted = before.wanted
    ttl_s = registration.ttl_s if registration.check is None else NO_LEASE_S
    instance = _instance(registration, generation, asked or wanted)
    if instance.check is not None and asked is None:
        instance = msgspec.structs.replace(instance, status=_checked_status(instance, before))
    if goes_on and before is not None and instance == before.instance and ttl_s == before.ttl_s:
        renew(before)
        return registered(before, expires_in_s=float(before.ttl_s), created=False)
    row = InstanceRow(
        instance=instance,
        number=number,
        token=token,
        ttl_s=ttl_s,
        wanted=wanted,
        revision=draft.revision,
        value=instance_value(instance),
    )
    draft.put_instance(row)
    if goes_on and before is not None:
        renew(before)
    return registered(row, expires_in_s=float(row.ttl_s), created=before is None)


def _instance(registration: Registration, generation: int, status: Status) -> Instance:
    """Names that repeat are interned: 100,000 instances must not hold 100,000 times their service's name."""
    assert registration.address is not None
    return Instance(
        namespace=intern(registration.namespace),
        service=intern(registration.service),
        id=registration.id,
        address=registration.address,
        port=registration.port,
        ports=registration.ports,
        protocol=intern(registration.protocol),
        version=intern(registration.version),
        zone=intern(registration.zone),
        weight=registration.weight,
        tags=tuple(map(intern, registration.tags)),
        metadata=registration.metadata,
        status=status,
        generation=generation,
        check=None if registration.check is None else plain(registration.check),
    )


def _checked_status(instance: Instance, before: InstanceRow | None) -> Status:
    """What nobody asked yet is critical: the first check decides. Registered once more, as scripts do again and again,
    it keeps what was found of it."""
    if before is None or before.instance.check is None:
        return "critical"
    known = before.instance
    is_same = (known.address, known.port, known.ports) == (instance.address, instance.port, instance.ports)
    return instance.status if is_same and known.status != "critical" else "critical"


def _patched(instance: Instance, patch: InstancePatch) -> Instance:
    metadata = instance.metadata
    if patch.metadata is not None:
        merged = {**metadata, **patch.metadata}
        metadata = {key: value for key, value in merged.items() if value is not None}
        errors = tuple(check_metadata(metadata))
        if errors:
            raise invalid_request(errors[0].message, errors)
    return msgspec.structs.replace(
        instance,
        weight=instance.weight if patch.weight is None else patch.weight,
        tags=instance.tags if patch.tags is None else patch.tags,
        metadata=metadata,
    )
