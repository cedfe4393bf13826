"""What callers and services say of urgency (RFC 9218), by another library than the gateway's."""

from tests.integration.gateway.test_http2_services import shop
from tests.parts.http2_caller import calling
from tests.parts.http2_service import Fields, Http2Service, ServedConnection


async def test_priorities_are_passed_both_ways_and_a_later_word_of_one_harms_nothing() -> None:
    def on_request(connection: ServedConnection, stream: int, fields: Fields) -> None:
        connection.answer(stream, (b"priority", b"u=1"))

    async with (
        Http2Service(on_request).running() as service,
        shop(service.port) as gateway,
        calling(gateway.port) as caller,
    ):
        stream = caller.get(b"/", [(b"priority", b"u=5, i")])
        answer = await caller.answer(stream)
        assert dict(service.requests[0])[b"priority"] == b"u=5, i"
        assert answer.fields[b"priority"] == b"u=1"
        caller.writer.write(priority_update(stream + 2, b"u=0"))
        assert (await caller.answer(caller.get(b"/"))).status == 200
        assert b"priority" not in dict(service.requests[1])
        assert caller.goaway is None


def priority_update(stream: int, value: bytes) -> bytes:
    """RFC 9218 §7.1."""
    payload = stream.to_bytes(4, "big") + value
    return len(payload).to_bytes(3, "big") + b"\x10\x00" + bytes(4) + payload
