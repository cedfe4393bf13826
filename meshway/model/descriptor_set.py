"""DescriptorSet: what services of gRPC are made of, for `transcode` of Routes."""

from typing import ClassVar, Final

from meshway.model.document import Spec

MOST_BYTES: Final = 4 << 20  # of the FileDescriptorSet


class DescriptorSet(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """data: a FileDescriptorSet with all that its files import, in base64, at most 4 MiB of it
    (`protoc --include_imports --descriptor_set_out`)."""

    plural: ClassVar[str] = "descriptor-sets"
    max_size: ClassVar[int] = 6 << 20

    data: str
