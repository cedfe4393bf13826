"""Whether a body of JSON, or a message, holds more values than a worker can take the time for; pure.

Without recursion, and no longer than it takes to know.
"""

from collections.abc import Callable
from typing import Final

from google.protobuf.message import DecodeError, Message

MOST_VALUES: Final = 50_000  # of one message: each takes 2 to 6 µs of the worker, which does nothing else meanwhile
_ANY: Final = "google.protobuf.Any"


def has_more(value: object, most: int = MOST_VALUES) -> bool:
    """value: of JSON."""
    left, rest = most, [value]
    while rest:
        held = rest.pop()
        members = list(held.values()) if isinstance(held, dict) else held if isinstance(held, list) else ()
        left -= len(members)
        if left < 0:
            return True
        rest += members
    return False


def holds_more(message: Message, new: Callable[[str], Message], most: int = MOST_VALUES) -> bool:
    """new: a message by its full name, for what is packed in another; raises KeyError where nobody knows it."""
    left, rest = most, [message]
    while rest:
        held = rest.pop()
        if held.DESCRIPTOR.full_name == _ANY:
            if (packed := _unpacked(held, new)) is not None:
                rest.append(packed)
            continue
        for field, value in held.ListFields():
            of = field.message_type
            if not field.is_repeated:
                left -= 1
                if of is not None:
                    rest.append(value)
                continue
            left -= len(value)
            if left < 0:
                return True
            if of is not None and not of.GetOptions().map_entry:
                rest += value
            elif of is not None and of.fields_by_name["value"].message_type is not None:
                rest += value.values()
        if left < 0:
            return True
    return False


def _unpacked(held: Message, new: Callable[[str], Message]) -> Message | None:
    """None: nobody can, so nobody will."""
    try:
        made = new(held.type_url.rpartition("/")[2])
        made.ParseFromString(held.value)
    except (KeyError, DecodeError):
        return None
    return made
