"""DescriptorSet: what services of gRPC are made of, for `transcode` of Routes."""

from typing import ClassVar, Final

from meshway.model.document import Spec

MOST_BYTES: Final = 4 << 20  # of the FileDescriptorSet, once it is unpacked


class DescriptorSet(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """data: a FileDescriptorSet with all that its files import, as it is or packed by gzip, in base64; at most 4 MiB of
    it (`protoc --include_imports --descriptor_set_out`)."""

    plural: ClassVar[str] = "descriptor-sets"
    max_size: ClassVar[int] = 960 << 10  # it goes to gateways in one frame of the feed

    data: str
