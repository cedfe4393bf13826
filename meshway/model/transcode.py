"""`transcode` of a rule: calls of HTTP and JSON become calls of gRPC, as `google.api.http` says."""

from typing import Annotated, Literal

from msgspec import Meta, field

from meshway.model.document import Label, Part
from meshway.units import Size

ServiceName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$", max_length=256)]


class Transcode(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """descriptors: a DescriptorSet of the Route's namespace. services: full names of it, whose rules count.
    emit_defaults: fields without a value are written, too. proto_names: as in the .proto file, not in camel case.
    enums_as_numbers. unknown_query: what becomes of a parameter that no field has. max_message: of what comes and of
    each message that goes, bytes. streaming: how many messages are written, a line each or as events.
    """

    descriptors: Label
    services: Annotated[tuple[ServiceName, ...], Meta(min_length=1, max_length=64)]
    emit_defaults: bool = False
    proto_names: bool = False
    enums_as_numbers: bool = False
    unknown_query: Literal["reject", "ignore"] = "reject"
    max_message: Size = field(default_factory=lambda: Size(4 << 20))
    streaming: Literal["ndjson", "sse"] = "ndjson"
