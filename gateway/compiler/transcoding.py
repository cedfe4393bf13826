"""From a rule's `transcode` and its DescriptorSet to what makes gRPC of its calls, and JSON of the answers."""

from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple
from weakref import WeakValueDictionary

from gateway.compiler.diff import CompileError, Entry
from gateway.plan import Encode, RequestFilter
from meshway.model.descriptor_set import DescriptorSet
from meshway.model.descriptor_set_rules import descriptor_files
from meshway.model.transcode import Transcode

if TYPE_CHECKING:
    from gateway.grpc.transcoding import Transcoder

Descriptors = Mapping[tuple[str, str], Entry[DescriptorSet]]
"""By namespace and name."""


class Transcoding(NamedTuple):
    run: RequestFilter
    encode: Encode


def compile_transcoding(
    block: Transcode, namespace: str, descriptors: Descriptors, at: str, rule: str, encode: Encode | None
) -> Transcoding:
    """at: the block's place in its Route. rule: how messages speak of the rule. encode: of calls that are not
    transcoded. Raises CompileError."""
    # Only here: the library takes 8 MB, of workers that have such a rule.
    from gateway.filters import transcode

    entry = descriptors.get((namespace, block.descriptors))
    if entry is None:
        raise CompileError(f"{at}.descriptors", f"there is no DescriptorSet {namespace}/{block.descriptors}")
    try:
        made = _transcoder(entry.spec.data, block)
    except ValueError as error:
        raise CompileError(at, str(error)) from error
    most = int(block.max_message)
    return Transcoding(
        transcode.compile_filter(made, rule, most),
        transcode.compile_encode(made, block.streaming, most, encode),
    )


# Routes are compiled anew for reasons that are none of it. One lives as long as a Route has it: of a large set it takes
# tens of megabytes.
_made: "Final[WeakValueDictionary[tuple[bytes, Transcode], Transcoder]]" = WeakValueDictionary()


def _transcoder(data: str, block: Transcode) -> "Transcoder":
    """Raises ValueError."""
    from gateway.grpc.transcoding import Transcoder

    key = sha256(data.encode()).digest(), block
    known = _made.get(key)
    if known is not None:
        return known
    made = _made[key] = Transcoder(
        descriptor_files(data),
        block.services,
        emit_defaults=block.emit_defaults,
        proto_names=block.proto_names,
        enums_as_numbers=block.enums_as_numbers,
        ignores_unknown=block.unknown_query == "ignore",
    )
    return made
