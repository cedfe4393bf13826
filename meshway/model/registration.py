"""Registration and patch of an instance: what a process says about itself, checked with every error at once."""

import secrets
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from meshway.addresses import wrong_address
from meshway.model.document import Label, Part, Port
from meshway.model.fields import read_struct
from meshway.model.service import ServiceProtocol
from meshway.model.traffic_policy import HealthCheck
from meshway.problem import FieldError, Problem, invalid_request

MAX_BATCH: Final = 1000
MAX_METADATA: Final = 4096
DEFAULT_TTL_S: Final = 30

_Text = Annotated[str, Meta(max_length=255)]
_Name = Annotated[str, Meta(min_length=1, max_length=255)]
_Weight = Annotated[int, Meta(ge=0, le=1000)]
_Tags = Annotated[tuple[_Name, ...], Meta(max_length=64)]
ChosenStatus = Literal["passing", "draining", "maintenance"]


class Registration(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One instance that wants to be called.

    address None: the caller's. ports: further ports by name. protocol: what its port speaks; where the Service says
    nothing, gateways believe `http2` and `grpc`, if all instances say so. ttl_s: seconds it counts as alive without a
    renewal. check: how the registry asks it, instead of heartbeats and ttl_s; type http unless written.
    lease_id: what the last registration answered; with it the same process goes on, without it a generation begins.
    metadata: at most 64 keys and 4 KiB.
    """

    namespace: Label = "default"
    service: Label
    id: Label
    address: str | None = None
    port: Port
    ports: Annotated[dict[Label, Port], Meta(max_length=32)] = {}
    protocol: ServiceProtocol = "http"
    version: _Text = ""
    zone: _Text = ""
    weight: _Weight = 1
    tags: _Tags = ()
    metadata: Annotated[dict[_Name, str], Meta(max_length=64)] = {}
    ttl_s: Annotated[int, Meta(ge=3, le=3600)] = DEFAULT_TTL_S
    check: HealthCheck | None = None
    lease_id: Annotated[str, Meta(max_length=100)] | None = None


class InstancePatch(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A merge patch (RFC 7396) of what may change under a lease; a metadata value of null takes its key out."""

    weight: _Weight | None = None
    tags: _Tags | None = None
    metadata: Annotated[dict[_Name, str | None], Meta(max_length=128)] | None = None
    status: ChosenStatus | None = None


class _Batch(msgspec.Struct, forbid_unknown_fields=True):
    instances: Annotated[list[Registration], Meta(min_length=1, max_length=MAX_BATCH)]


_Read = TypeVar("_Read", Registration, InstancePatch)
_decode_batch: Final = msgspec.json.Decoder(_Batch).decode


def new_id(service: str) -> str:
    """An id for who brings none: readable, and unlikely enough to meet another (48 bits)."""
    return f"{service[:50]}-{secrets.token_hex(6)}"


def read_registration(
    raw: object, *, namespace: str, service: str, instance_id: str, address: str | None
) -> Registration:
    """raw: the body as plain values. The names come from the path; address: the caller's, used when none is given.

    Raises Problem 422 with every error.
    """
    names = {"namespace": namespace, "service": service, "id": instance_id}
    errors: list[FieldError] = []
    if isinstance(raw, Mapping):
        errors += [_other_name(key, raw[key], name) for key, name in names.items() if raw.get(key, name) != name]
        raw = {**raw, **names}
    read, found = _read(raw, Registration, "")
    errors += found
    if read is None or errors:
        raise _refused(errors)
    return _addressed(read, address)


def decode_registrations(body: bytes, *, address: str | None) -> list[Registration] | None:
    """What `read_registrations` finds in a body, in one step, as a batch mostly is in order.

    None: it needs the closer look, which tells what is wrong, makes ids, and reads checks.
    """
    try:
        rows = _decode_batch(body).instances
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    registrations: list[Registration] = []
    for row in rows:
        if row.check is not None or next(_check(row, ""), None) is not None or (row.address or address) is None:
            return None
        registrations.append(_addressed(row, address))
    is_once = len({(row.namespace, row.service, row.id) for row in registrations}) == len(registrations)
    return registrations if is_once else None


def read_registrations(raw: object, *, address: str | None) -> list[Registration]:
    """raw: `{"instances": [...]}`, up to MAX_BATCH. Raises Problem 422 with every error of every row."""
    if not isinstance(raw, Mapping) or not isinstance(rows := raw.get("instances"), list) or len(raw) != 1:
        raise _refused([FieldError(path="instances", code="missing_field", message='write {"instances": [...]}')])
    if not 1 <= len(rows) <= MAX_BATCH:
        message = f"instances: has {len(rows)} entries, 1 to {MAX_BATCH} are allowed"
        raise _refused([FieldError(path="instances", code="out_of_bounds", message=message)])
    errors: list[FieldError] = []
    result: list[Registration] = []
    first: dict[tuple[str, str, str], int] = {}
    for at, row in enumerate(rows):
        path = f"instances[{at}]"
        if isinstance(row, Mapping) and "id" not in row and isinstance(row.get("service"), str):
            row = {**row, "id": new_id(row["service"])}
        read, found = _read(row, Registration, path)
        errors += found
        if read is None:
            continue
        if (before := first.setdefault((read.namespace, read.service, read.id), at)) != at:
            message = f"{path}.id: {read.service}/{read.id} stands already in instances[{before}]"
            errors.append(FieldError(path=f"{path}.id", code="duplicate", message=message))
        result.append(_addressed(read, address))
    if errors:
        raise _refused(errors)
    return result


def read_patch(raw: object) -> InstancePatch:
    """Raises Problem 422 with every error."""
    read, errors = _read(raw, InstancePatch, "")
    if read is None or errors:
        raise _refused(errors)
    return read


def check_metadata(metadata: Mapping[str, str], path: str = "metadata") -> Iterator[FieldError]:
    """The bounds of the whole; also what a patch leaves is held to them."""
    if len(metadata) > 64:
        yield FieldError(path=path, code="out_of_bounds", message=f"{path}: {len(metadata)} keys are above 64")
    size = sum(len(key.encode()) + len(value.encode()) for key, value in metadata.items())
    if size > MAX_METADATA:
        yield FieldError(path=path, code="too_large", message=f"{path}: {size} bytes are above {MAX_METADATA}")


def _read(raw: object, of: type[_Read], path: str) -> tuple[_Read | None, list[FieldError]]:
    if of is Registration and isinstance(raw, Mapping) and raw.get("check") is not None:
        return _read_checked(raw, path)
    try:
        read = msgspec.convert(raw, of)
    except msgspec.ValidationError as error:
        # The slow way finds every error; msgspec stops at the first, but looks at the names in mappings as well.
        errors = read_struct(raw, of, path)[1] or [_from_msgspec(error, path)]
        return None, [_from_root(error) for error in errors]
    return read, list(_check(read, path))


def _read_checked(raw: Mapping[str, Any], path: str) -> tuple[Any | None, list[FieldError]]:
    """A registration whose check is read by the rules of all health checks."""
    at = f"{path}.check" if path else "check"
    written = raw["check"]
    if isinstance(written, Mapping):
        written = {"type": "http", **written}
    check, errors = read_struct(written, HealthCheck, at)
    rest, others = _read({key: value for key, value in raw.items() if key != "check"}, Registration, path)
    if "ttl_s" in raw:
        message = f"{at}: takes the place of heartbeats: leave ttl_s out"
        errors = [*errors, FieldError(path=at, code="forbidden_combination", message=message)]
    if check is None or rest is None or errors:
        return None, [*others, *errors]
    return msgspec.structs.replace(rest, check=check), others


def _check(read: Registration | InstancePatch, path: str) -> Iterator[FieldError]:
    at = f"{path}." if path else ""
    if isinstance(read, InstancePatch):
        return
    if read.namespace == "mesh":
        message = f"{at}namespace: mesh holds mesh-wide documents and no services"
        yield FieldError(path=f"{at}namespace", code="forbidden_combination", message=message)
    if read.metadata:
        yield from check_metadata(read.metadata, f"{at}metadata")
    if read.address is not None and (reason := wrong_address(read.address)):
        message = f'{at}address: "{read.address[:100]}" {reason}'
        yield FieldError(path=f"{at}address", code="bad_address", message=message)


def _from_root(error: FieldError) -> FieldError:
    """A body without a path of its own: `port`, not `.port`."""
    return msgspec.structs.replace(error, path=error.path.lstrip("."), message=error.message.lstrip(".: "))


def _from_msgspec(error: msgspec.ValidationError, path: str) -> FieldError:
    """`Expected ... - at `key` in `$.ports`` as a FieldError."""
    reason, _, where = str(error).partition(" - at ")
    member = where.rpartition("$")[2].strip("`.")
    full = ".".join(part for part in (path, member) if part)
    name = " (a name in it)" if where.startswith("`key`") else ""
    return FieldError(path=full, code="out_of_bounds", message=f"{full}{name}: {reason}")


def _other_name(key: str, written: Any, name: str) -> FieldError:
    message = f"{key}: {written!r} is not the path's {name!r}; leave it out"
    return FieldError(path=key, code="forbidden_combination", message=message)


def _addressed(read: Registration, address: str | None) -> Registration:
    if read.address is not None:
        return read
    if address is None:
        message = "address: is required, the caller's is not known"
        raise _refused([FieldError(path="address", code="missing_field", message=message)])
    return msgspec.structs.replace(read, address=address)


def _refused(errors: list[FieldError]) -> Problem:
    return invalid_request(errors[0].message, tuple(errors))
