"""Where a plane must not be sent."""

import socket

import pytest

from meshway.outbound.connection import PlainError
from meshway.outbound.guard import guarded_dial


async def test_a_name_is_judged_by_what_it_resolves_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        _, writer = await guarded_dial(allow_loopback=True)("localhost", port, 2.0)
        writer.close()
        for host in ("localhost", "127.0.0.1"):
            with pytest.raises(PlainError) as refused:
                await guarded_dial(allow_loopback=False)(host, port, 2.0)
            assert refused.value.reason == "forbidden_address"


async def test_a_name_that_does_not_resolve_is_no_instance() -> None:
    with pytest.raises(PlainError) as refused:
        await guarded_dial(allow_loopback=True)("nobody.invalid", 80, 5.0)
    assert refused.value.reason in ("connect_refused", "timeout")
