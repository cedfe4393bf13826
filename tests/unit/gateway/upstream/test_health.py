"""Whom health checks of a gateway reach."""

from typing import Any

import pytest

from gateway.upstream import health
from meshway.outbound.connection import PlainError


class Writer:
    """Of a connection to an address that no test may call."""

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.transport = self
        self.is_aborted = False

    def get_extra_info(self, name: str) -> Any:
        assert name == "peername"
        return self.peer, 80

    def abort(self) -> None:
        self.is_aborted = True


def dialled(monkeypatch: pytest.MonkeyPatch, peer: str) -> Any:
    writer = Writer(peer)

    async def dial(*_: object) -> tuple[object, Writer]:
        return None, writer

    monkeypatch.setattr(health, "dial", dial)
    return writer


async def test_a_name_leads_no_check_where_an_address_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    writer = dialled(monkeypatch, "169.254.169.254")
    with pytest.raises(PlainError, match=r"^legacy\.example leads to 169\.254\.169\.254") as refused:
        await health.dial_judged("legacy.example", 80, 1.0)
    assert (refused.value.reason, writer.is_aborted) == ("forbidden_address", True)


@pytest.mark.parametrize(("host", "peer"), [("legacy.example", "10.0.0.7"), ("127.0.0.1", "127.0.0.1")])
async def test_all_else_is_asked(monkeypatch: pytest.MonkeyPatch, host: str, peer: str) -> None:
    writer = dialled(monkeypatch, peer)
    _, opened = await health.dial_judged(host, 80, 1.0)
    assert not writer.is_aborted
    assert opened is writer
