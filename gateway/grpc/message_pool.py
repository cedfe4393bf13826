"""What messages are made by: the files of a FileDescriptorSet, each behind those that it imports. Pure."""

from typing import Final

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.message import DecodeError

from meshway.descriptor_files import DescriptorFiles

_MOST_ABOVE: Final = 100


def message_pool(files: DescriptorFiles) -> descriptor_pool.DescriptorPool:
    """Raises ValueError."""
    pool = descriptor_pool.DescriptorPool()
    added: set[str] = set()

    def add(name: str, above: tuple[str, ...]) -> None:
        if name in added:
            return
        if len(above) > _MOST_ABOVE:
            raise ValueError(f"{name} is imported by more than {_MOST_ABOVE} files, each by the next")
        if name in above or name not in files.files:
            raise ValueError(f"{name} is imported in a circle, or is not there")
        for other in files.imports[name]:
            add(other, (*above, name))
        try:
            pool.Add(descriptor_pb2.FileDescriptorProto.FromString(files.files[name]))
            pool.FindFileByName(name)
        except (TypeError, KeyError, DecodeError) as error:
            raise ValueError(f"{name}: {error}") from error
        added.add(name)

    for name in files.files:
        add(name, ())
    return pool
