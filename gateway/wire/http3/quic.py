"""A QUIC connection of a caller (RFC 9000) by aioquic, held to our limits.

aioquic widens the windows of data as bytes come, shows one certificate to all, and holds half a megabyte of a handshake
that is out of order. Here a window opens by what was consumed, the certificate is chosen by the name that is asked for,
and a handshake is as long as one may be. That reaches below its public face, so its version is pinned.
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from aioquic import tls
from aioquic._buffer import Buffer
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import (
    CONNECTION_LIMIT_FRAME_CAPACITY,
    MAX_STREAM_DATA_FRAME_CAPACITY,
    QuicConnection,
    QuicConnectionError,
    QuicConnectionId,
    QuicReceiveContext,
)
from aioquic.quic.packet import QuicErrorCode, QuicFrameType
from aioquic.quic.packet_builder import QuicPacketBuilder
from aioquic.quic.recovery import QuicPacketSpace
from aioquic.quic.stream import QuicStream

ALPN: Final = "h3"
CID_BYTES: Final = 8
TOKEN_BYTES: Final = 16
MOST_HANDSHAKE: Final = 16 * 1024  # bytes of messages of a handshake that may be held out of order
UNI_STREAMS: Final = 8  # control, QPACK's two, and some that nobody here knows
UNI_WINDOW: Final = 16 * 1024
_NO_MIGRATION: Final = b"\x0c\x00"  # the parameter disable_active_migration, which aioquic does not offer to set


class Shown(NamedTuple):
    """certificate, chain: of cryptography's x509. key: its private key."""

    certificate: Any
    chain: Sequence[Any]
    key: Any


Choose = Callable[[str | None, Sequence[int]], Shown | None]
"""By the name that is asked for (None: by none) and signatures that the caller verifies; None: nothing is for it."""


class ResetTokens:
    """By which a caller believes that his connection is over where nobody knows it any more (RFC 9000 §10.3).

    key: of all workers of a gateway, those to come among them.
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, cid: bytes) -> bytes:
        return hmac.digest(self._key, b"stateless reset" + cid, hashlib.sha256)[:TOKEN_BYTES]


class _NameRefused(tls.Alert):
    """No certificate is for the name that was asked for."""

    description = tls.AlertDescription.unrecognized_name


def configuration(stream_window: int, connection_window: int, silent_s: float) -> QuicConfiguration:
    """silent_s: without a word from the caller the connection is gone."""
    made = QuicConfiguration(
        alpn_protocols=[ALPN],
        connection_id_length=CID_BYTES,
        idle_timeout=silent_s,
        is_client=False,
        max_data=connection_window,
        max_stream_data=stream_window,
    )
    # Asked for by its constructor, and replaced by what `Choose` says before either is used.
    made.certificate = made.private_key = "chosen by name"
    return made


class ServedQuic(QuicConnection):
    """cid, retry_cid: what the caller's first packet was sent to, and before that where he was told to try again.

    streams: requests at once. choose: the certificate. asked_for: the name that was asked for.
    """

    def __init__(
        self,
        how: QuicConfiguration,
        cid: bytes,
        retry_cid: bytes | None,
        streams: int,
        choose: Choose,
        tokens: ResetTokens,
        *,
        may_migrate: bool,
    ) -> None:
        super().__init__(
            configuration=how, original_destination_connection_id=cid, retry_source_connection_id=retry_cid
        )
        self._choose = choose
        self._tokens = tokens
        self._may_migrate = may_migrate
        self.asked_for: str | None = None
        self._host_cids[0].stateless_reset_token = tokens.of(self._host_cids[0].cid)
        for limit, most in ((self._local_max_streams_bidi, streams), (self._local_max_streams_uni, UNI_STREAMS)):
            limit.value = limit.sent = most
        self._local_max_stream_data_uni = UNI_WINDOW

    # The handshake.

    def _initialize(self, peer_cid: bytes) -> None:
        super()._initialize(peer_cid)
        answer = self.tls._server_handle_hello

        def choose_and_answer(input_buf: Buffer, initial_buf: Buffer, handshake_buf: Buffer) -> None:
            said = tls.pull_client_hello(Buffer(data=input_buf.data_slice(0, input_buf.capacity)))
            self.asked_for = said.server_name
            shown = self._choose(said.server_name, said.signature_algorithms or ())
            if shown is None:
                raise _NameRefused("no certificate is for this name")
            self.tls.certificate, self.tls.certificate_private_key = shown.certificate, shown.key
            self.tls.certificate_chain = list(shown.chain)
            answer(input_buf, initial_buf, handshake_buf)

        self.tls._server_handle_hello = choose_and_answer  # type: ignore[method-assign]  # the one place before it signs

    def _handle_crypto_frame(self, context: QuicReceiveContext, frame_type: int, buf: Buffer) -> None:
        begin = buf.tell()
        end = buf.pull_uint_var() + buf.pull_uint_var()
        buf.seek(begin)
        if end - self._crypto_streams[context.epoch].receiver.starting_offset() > MOST_HANDSHAKE:
            raise QuicConnectionError(QuicErrorCode.CRYPTO_BUFFER_EXCEEDED, frame_type, "a handshake that is too long")
        super()._handle_crypto_frame(context, frame_type, buf)

    def _replenish_connection_ids(self) -> None:
        first = len(self._host_cids)
        super()._replenish_connection_ids()
        for made in self._host_cids[first:]:
            _give_token(made, self._tokens)

    def _serialize_transport_parameters(self) -> bytes:
        parameters: bytes = super()._serialize_transport_parameters()
        return parameters if self._may_migrate else parameters + _NO_MIGRATION

    @property
    def silent_s(self) -> float:
        """After which either side takes the other for gone, of which nothing comes."""
        return self._idle_timeout()

    # Windows.

    def credit(self, stream_id: int, size: int) -> None:
        """So many bytes of a stream are out of our hands: as many more may come."""
        self._local_max_data.value += size
        stream = self._streams.get(stream_id)
        if stream is not None and not stream.receiver.is_finished:
            stream.max_stream_data_local += size

    def credit_lost(self, stream_id: int) -> None:
        """The stream was reset: what of it did not come any more."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._local_max_data.value += stream.receiver.highest_offset - stream.receiver.starting_offset()

    def _write_connection_limits(self, builder: QuicPacketBuilder, space: QuicPacketSpace) -> None:
        for limit in (self._local_max_data, self._local_max_streams_bidi, self._local_max_streams_uni):
            if limit.value - limit.sent > max(0, limit.sent - limit.used):  # more than the caller has left
                buf = builder.start_frame(
                    limit.frame_type,
                    capacity=CONNECTION_LIMIT_FRAME_CAPACITY,
                    handler=self._on_connection_limit_delivery,
                    handler_args=(limit,),
                )
                buf.push_uint_var(limit.value)
                limit.sent = limit.value

    def _write_stream_limits(self, builder: QuicPacketBuilder, space: QuicPacketSpace, stream: QuicStream) -> None:
        granted, sent = stream.max_stream_data_local, stream.max_stream_data_local_sent
        if granted == sent or stream.receiver.is_finished:
            return
        if granted - sent > max(0, sent - stream.receiver.highest_offset):
            buf = builder.start_frame(
                QuicFrameType.MAX_STREAM_DATA,
                capacity=MAX_STREAM_DATA_FRAME_CAPACITY,
                handler=self._on_max_stream_data_delivery,
                handler_args=(stream,),
            )
            assert stream.stream_id is not None
            buf.push_uint_var(stream.stream_id)
            buf.push_uint_var(granted)
            stream.max_stream_data_local_sent = granted

    # Streams.

    def can_send(self, stream_id: int) -> bool:
        """Neither side has given it up, and it is not whole."""
        stream = self._streams.get(stream_id)
        return stream is not None and stream.sender._reset_error_code is None and stream.sender._buffer_fin is None

    def unsent(self, stream_id: int) -> int:
        """Bytes that wait for the caller's windows or for the way to him."""
        stream = self._streams.get(stream_id)
        if stream is None or stream.sender._reset_error_code is not None:
            return 0
        left: int = stream.sender._buffer_stop - stream.sender.next_offset
        return left

    def is_sent(self, stream_id: int) -> bool:
        """All of it is on its way, its end as well, or it was given up."""
        stream = self._streams.get(stream_id)
        if stream is None or stream.sender._reset_error_code is not None:
            return True
        sender = stream.sender
        return sender._buffer_fin is not None and not sender._pending_eof and not len(sender._pending)

    def give_up(self, stream_id: int, error: int) -> None:
        """Nothing more goes on this stream, and nothing more is taken."""
        self.stop(stream_id, error)
        if stream_id in self._streams:
            self.reset_stream(stream_id, error)

    def stop(self, stream_id: int, error: int) -> None:
        """Nothing more of it is taken."""
        stream = self._streams.get(stream_id)
        if stream is not None and not stream.receiver.is_finished:
            self.stop_stream(stream_id, error)


def _give_token(made: QuicConnectionId, tokens: ResetTokens) -> None:
    made.stateless_reset_token = tokens.of(made.cid)
