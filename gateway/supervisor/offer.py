"""What a supervisor hands to the one that takes its place: its sockets and its hold on the data folder, as descriptors
over a Unix socket (unix(7), SCM_RIGHTS), and what each is."""

import array
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from gateway.listeners.sockets import address_of_bind
from gateway.supervisor.service_manager import Manager
from meshway.problem import Problem
from meshway.socket_path import short_path

SOCKET: Final = "take_over.sock"
HELLO: Final = b"meshway take over 1\n"
ANSWER_S: Final = 10.0
_AT_ONCE: Final = 200  # descriptors in a message; the kernel takes 253
_SIZE_BYTES: Final = 4
_MOST_BYTES: Final = 1 << 20


class OwnPlace(msgspec.Struct, frozen=True, array_like=True):
    """Of a Listener of a document's own: its name, and where it is."""

    name: str
    address: str
    port: int
    face: str
    spoken: str


class Offer(msgspec.Struct, frozen=True):
    """Descriptors come in this order: the lock, the admin port, and then a socket for each slot of each listener.

    reset_key: as in `Start`, b"" = of a version that says none. manager: who is told of the process. host_table,
    columns: what both count in while both run, and where the other one's workers may, "" = nothing.
    """

    version: str
    slots: int
    listeners: list[str]
    own: list[OwnPlace]
    reset_key: bytes = b""
    manager: Manager = Manager()
    host_table: str = ""
    columns: tuple[int, ...] = ()

    @property
    def descriptors(self) -> int:
        return 2 + self.slots * (len(self.listeners) + len(self.own))


class Taken(NamedTuple):
    """link: to the one that goes. lock: of the data folder, held together until it is gone."""

    offer: Offer
    link: socket.socket
    lock: int
    admin: socket.socket
    listeners: dict[str, list[socket.socket]]
    own: dict[OwnPlace, list[socket.socket]]


def send_offer(over: socket.socket, offer: Offer, descriptors: Sequence[int]) -> None:
    """Raises OSError."""
    body = msgspec.json.encode(offer)
    first = len(body).to_bytes(_SIZE_BYTES, "big") + body
    for at in range(0, len(descriptors), _AT_ONCE):
        socket.send_fds(over, [b"+" if at else first], list(descriptors[at : at + _AT_ONCE]))


def take_offer(data: Path, slots: int) -> Taken:
    """From the gateway that holds this data folder, and has no more slots. Raises Problem."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.settimeout(ANSWER_S)
    try:
        with short_path(data / "run" / SOCKET) as name:
            link.connect(name)
        link.sendall(HELLO)
        offer, descriptors = _received(link)
    except (OSError, msgspec.DecodeError) as error:
        link.close()
        reason = getattr(error, "strerror", None) or str(error) or "it does not answer"
        raise Problem(
            409,
            "nothing_to_take_over",
            f"no gateway of {data} hands over: {reason}",
            mend="start it without --take-over, or see that --data is that of one that runs, not as a child of `up`",
        ) from error
    if offer.slots > slots:
        link.close()
        raise Problem(
            409,
            "other_workers",
            f"the gateway that runs has {offer.slots} workers, and each of its sockets is one's: {slots} cannot "
            "read them all",
            mend=f"pass --workers {offer.slots} or more, or end it and start anew",
        )
    lock, admin, *rest = descriptors
    sockets = [socket.socket(fileno=descriptor) for descriptor in rest]
    groups = [sockets[at : at + offer.slots] for at in range(0, len(sockets), offer.slots)]
    listeners = dict(zip(offer.listeners, groups, strict=False))
    own = dict(zip(offer.own, groups[len(offer.listeners) :], strict=True))
    return Taken(offer, link, lock, socket.socket(fileno=admin), listeners, own)


def refuse_elsewhere(taken: socket.socket, bind: str, port: int, flag: str) -> None:
    """What is taken stays where it is, and whoever asks for another place, one that others cannot reach perhaps, is
    told so. Raises Problem."""
    address, is_at = taken.getsockname()[:2]
    if address != address_of_bind(bind, flag) or port not in (0, is_at):
        raise Problem(
            409,
            "other_place",
            f"the gateway that runs has {address} port {is_at}, and its sockets cannot be moved to {bind} port {port}",
            mend=f"give --bind and {flag} as it was given them, or end it and start anew",
        )


def _received(link: socket.socket) -> tuple[Offer, list[int]]:
    room = socket.CMSG_SPACE(_AT_ONCE * array.array("i").itemsize)
    data, descriptors, offer = bytearray(), list[int](), None
    while offer is None or len(descriptors) < offer.descriptors:
        part, ancillary, _, _ = link.recvmsg(65_536, room)
        for level, kind, sent in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                each = array.array("i")
                each.frombytes(sent[: len(sent) - len(sent) % each.itemsize])
                descriptors += each
        if not part:
            raise ConnectionResetError("it went away")
        data += part
        size = int.from_bytes(data[:_SIZE_BYTES], "big")
        if size > _MOST_BYTES:
            raise ConnectionResetError("it says something else")
        if offer is None and len(data) >= _SIZE_BYTES + size:
            offer = msgspec.json.decode(bytes(data[_SIZE_BYTES : _SIZE_BYTES + size]), type=Offer)
    return offer, descriptors
