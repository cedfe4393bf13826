"""google.api.HttpBody, a message that stands for a body of HTTP of any type: files, pages, pictures. Pure.

Source: google/api/httpbody.proto.
"""

from typing import Final

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

FULL_NAME: Final = "google.api.HttpBody"
ALL: Final = "*"
USUAL_TYPE: Final = b"application/octet-stream"
_LONGEST_TYPE: Final = 256


def is_body(of: Descriptor, field: str) -> bool:
    """field: of the message, ALL or "": all of it."""
    if field and field != ALL:
        found = of.fields_by_name[field]
        kind = None if found.is_repeated else found.message_type
    else:
        kind = of
    return kind is not None and kind.full_name == FULL_NAME


def write(message: Message, field: str, content_type: bytes, data: bytes) -> None:
    """field: as in `is_body`."""
    body = message if field == ALL else getattr(message, field)
    body.SetInParent()
    body.content_type, body.data = content_type.decode("latin-1"), data


def read(message: Message, field: str) -> tuple[bytes, bytes]:
    """Content type and body. Raises ValueError for a type that no head may bear."""
    body = getattr(message, field) if field else message
    written: str = body.content_type
    if len(written) > _LONGEST_TYPE or not written.isascii() or not written.isprintable():
        raise ValueError("its content_type is none")
    return written.encode() or USUAL_TYPE, body.data
