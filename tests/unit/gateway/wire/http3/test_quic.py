"""Both ends of a connection in memory: windows, certificates, names and how it is told that all is over."""

from collections.abc import Sequence

from aioquic.quic import events
from aioquic.quic.connection import QuicConnection

from gateway.wire.http3.quic import ResetTokens, ServedQuic, Shown, configuration
from gateway.wire.http3.shown import ShownPairs
from meshway.certificates import read_pair
from tests.parts.authority import Authority
from tests.parts.http3_caller import caller_configuration

ROOT = Authority()
ISSUED = ROOT.issue("shop.example", days=30.0)
PAIR = read_pair(ISSUED.certificate, ISSUED.key, 0.0)
TOKENS = ResetTokens(b"k" * 32)
CALLER, OURS = ("127.0.0.1", 1), ("127.0.0.1", 2)


class Ends:
    """caller: aioquic's. served: ours. Time stands still but for `go_on`."""

    def __init__(
        self, name: str = "shop.example", *, stream: int = 10_000, connection: int = 25_000, may_migrate: bool = False
    ) -> None:
        self.now = 0.0
        self.asked: list[str | None] = []
        self.heard: list[events.QuicEvent] = []
        self.told: list[events.QuicEvent] = []
        self.tickets: list[object] = []
        self.caller = QuicConnection(
            configuration=caller_configuration(name), session_ticket_handler=self.tickets.append
        )
        self.caller.connect(OURS, now=0.0)
        self.served = ServedQuic(
            configuration(stream, connection, 30.0),
            self.caller.original_destination_connection_id,
            None,
            4,
            self._choose,
            TOKENS,
            may_migrate=may_migrate,
        )
        self.turn()

    def _choose(self, name: str | None, signatures: Sequence[int]) -> Shown | None:
        self.asked.append(name)
        return ShownPairs().choose((PAIR,), signatures) if name == "shop.example" else None

    def turn(self) -> None:
        """All that each has to say."""
        for _ in range(60):
            self.now += 0.03
            out = self.caller.datagrams_to_send(self.now)
            for data, _ in out:
                self.served.receive_datagram(data, CALLER, self.now)
            back = self.served.datagrams_to_send(self.now) if self.served._network_paths else []
            for data, _ in back:
                self.caller.receive_datagram(data, OURS, self.now)
            while (event := self.served.next_event()) is not None:
                self.heard.append(event)
            while (event := self.caller.next_event()) is not None:
                self.told.append(event)
            if not out and not back:
                return

    def came(self, stream: int) -> int:
        found = [each for each in self.heard if isinstance(each, events.StreamDataReceived)]
        return sum(len(each.data) for each in found if each.stream_id == stream)


def test_the_certificate_is_that_of_the_name_and_no_name_has_none() -> None:
    good = Ends()
    assert good.asked == ["shop.example"]
    assert any(isinstance(each, events.HandshakeCompleted) for each in good.told)
    assert good.served.asked_for == "shop.example"
    bad = Ends("other.example")
    assert bad.asked == ["other.example"]
    ended = bad.caller._close_event
    assert ended is not None
    assert ended.error_code == 0x100 + 112


def test_no_caller_gets_a_ticket() -> None:
    """So none goes on with a session, or sends anything before its handshake is done."""
    ends = Ends()
    assert any(isinstance(each, events.HandshakeCompleted) for each in ends.told)
    assert ends.tickets == []


def test_a_window_opens_by_what_was_consumed_and_by_nothing_else() -> None:
    ends = Ends()
    ends.caller.send_stream_data(0, b"x" * 40_000)
    ends.turn()
    assert ends.came(0) == 10_000
    ends.served.credit(0, 6_000)
    ends.turn()
    assert ends.came(0) == 16_000
    ends.caller.send_stream_data(4, b"x" * 40_000)
    ends.turn()
    assert ends.came(4) == 10_000
    ends.caller.send_stream_data(8, b"x" * 40_000)
    ends.turn()
    # 25,000 of the connection, and what was consumed
    assert ends.came(0) + ends.came(4) + ends.came(8) == 31_000


def test_what_a_stream_that_was_reset_did_not_send_is_given_back() -> None:
    ends = Ends(connection=10_000)
    ends.caller.send_stream_data(0, b"x" * 9_000)
    ends.turn()
    ends.served.credit(0, ends.came(0))
    ends.caller.reset_stream(0, 1)
    ends.turn()
    ends.served.credit_lost(0)
    ends.caller.send_stream_data(4, b"x" * 10_000)
    ends.turn()
    assert ends.came(4) == 10_000


def test_as_many_streams_as_are_over_may_be_begun() -> None:
    ends = Ends()
    assert ends.caller._remote_max_streams_bidi == 4
    for stream in (0, 4, 8, 12):
        ends.caller.send_stream_data(stream, b"x", end_stream=True)
    ends.turn()
    for stream in (0, 4, 8):
        ends.served.send_stream_data(stream, b"y", end_stream=True)
    ends.turn()
    ends.turn()
    assert ends.caller._remote_max_streams_bidi == 7


def test_callers_are_told_not_to_move_where_others_read_the_port() -> None:
    assert Ends(may_migrate=True).served._serialize_transport_parameters().find(b"\x0c\x00", -2) < 0
    assert Ends().served._serialize_transport_parameters().endswith(b"\x0c\x00")


def test_each_name_has_its_token_and_who_has_the_key_makes_the_same() -> None:
    ends = Ends()
    assert len(ends.served._host_cids) > 1
    for each in ends.served._host_cids:
        assert each.stateless_reset_token == ResetTokens(b"k" * 32).of(each.cid)
        assert each.stateless_reset_token != ResetTokens(b"other" * 7).of(each.cid)
    assert ends.caller._peer_cid.stateless_reset_token == TOKENS.of(ends.caller._peer_cid.cid)


def test_what_was_not_sent_is_known_and_when_all_of_it_was() -> None:
    ends = Ends()
    ends.caller.send_stream_data(0, b"x", end_stream=True)
    ends.turn()
    served = ends.served
    assert (served.can_send(0), served.unsent(0), served.is_sent(0)) == (True, 0, False)
    served.send_stream_data(0, b"y" * 100, end_stream=True)
    assert (served.can_send(0), served.unsent(0), served.is_sent(0)) == (False, 100, False)
    served.datagrams_to_send(ends.now)
    assert (served.unsent(0), served.is_sent(0)) == (0, True)
    assert (served.can_send(4), served.unsent(4), served.is_sent(4)) == (False, 0, True)
